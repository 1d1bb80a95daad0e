"""How a pass ended."""

from __future__ import annotations

from dataclasses import dataclass

from confmig.passes.view import View
from confmig.transactions.migrate import Outcome


@dataclass(frozen=True, slots=True)
class Pass:
    """How a pass ended.

    ``look_again``: the seconds after which a file that was not quiet may be, None if all were;
    ``waiting``: the files that are expected to be quiet soon.
    """

    view: View
    outcomes: tuple[Outcome, ...]
    exit_code: int
    look_again: float | None = None
    waiting: frozenset[str] = frozenset()
