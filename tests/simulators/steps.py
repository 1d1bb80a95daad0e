"""The effects of a run, counted; what happens before each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Steps:
    """Counts effects by name. ``before`` is called with the number and the name of each."""

    names: list[str] = field(default_factory=list)
    before: Callable[[int, str], None] = lambda number, name: None

    def __call__(self, name: str) -> None:
        """One effect is about to happen."""
        self.names.append(name)
        self.before(len(self.names) - 1, name)


def kill_at(wanted: int) -> Callable[[int, str], None]:
    """End the process before an effect."""

    def before(number: int, name: str) -> None:
        if number == wanted:
            raise Killed

    return before


def fail_at(wanted: int, code: int) -> Callable[[int, str], None]:
    """Let an effect fail with an error of the system."""

    def before(number: int, name: str) -> None:
        if number == wanted:
            raise OSError(code, "a test", "simulated")

    return before
