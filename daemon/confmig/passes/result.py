"""How a pass ended."""

from __future__ import annotations

from dataclasses import dataclass

from confmig.passes.view import View
from confmig.transactions.migrate import Outcome


@dataclass(frozen=True, slots=True)
class Pass:
    """How a pass ended.

    ``look_again``: the seconds after which a file that was not quiet may be quiet; None if all
    files were quiet.
    """

    view: View
    outcomes: tuple[Outcome, ...]
    exit_code: int
    look_again: float | None = None
    waiting: frozenset[str] = frozenset()
