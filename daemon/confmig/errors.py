"""The three families of errors and the exit codes, in one place.

``Refused``: your input cannot be taken (a document, a bundle, a policy, an argument).
``Blocked``: our state or the policy says no.
``Fault``: the disk, the network or confmig itself failed.

Every error carries a machine-readable ``code`` (low cardinality, fit for ``error.type``), the
``place`` it is about and the ``fix``: what to do next (that of ``codes`` where the code that raises
it knows nothing better). A message never holds a value out of a
configuration file.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confmig.codes import help_for
from confmig.writer import error_lines, escaped, located

DONE = 0
REFUSED = 1
INVALID = 2
DEFERRED = 3
FAILED = 4
PARTIAL_FAILURE = 5
LOCK_HELD = 6
LATE_FAILURE = 7
BUG = 70
INTERRUPTED = 130

_PRECEDENCE = (BUG, PARTIAL_FAILURE, INVALID, LATE_FAILURE, FAILED, REFUSED, LOCK_HELD, DEFERRED)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several outcomes: the first of 70, 5, 2, 7, 4, 1, 6, 3, 0."""
    seen = set(codes)
    return next((code for code in _PRECEDENCE if code in seen), DONE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect of an input: what is wrong, where, and how to correct it.

    ``diff`` shows it, line by line, where words do not.
    """

    code: str
    place: str
    message: str
    fix: str = ""
    diff: str = ""

    @property
    def lines(self) -> list[str]:
        """The problem for people."""
        first, *rest = error_lines(self.code, self.message, self.place, self.fix)
        return [first, *(f"    {escaped(line)}" for line in self.diff.splitlines()), *rest]

    def to_json(self) -> dict[str, str]:
        """The problem as data."""
        out = {"code": self.code, "place": self.place, "message": self.message, "fix": self.fix}
        return out | ({"diff": self.diff} if self.diff else {})

    def __str__(self) -> str:
        return "\n".join(self.lines)


class ConfmigError(Exception):
    """Base of all errors that confmig raises on purpose.

    ``reason`` is one clause. ``migration`` (its id) and ``operation`` (its number and name) say
    what failed, where that is known; ``documents`` which documents it is about: their paths, or,
    in the answer of a worker, their configurations. An error of a document has the path of an
    entry as its ``place``, and the ``line`` of its text where that is known (else 0), until
    ``in_file`` gives it the name of the file.
    """

    exit_code = BUG

    def __init__(
        self, code: str, reason: str, *, place: str = "", fix: str = "", line: int = 0
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.place = place
        self.fix = fix or help_for(code)
        self.line = line
        self.entry = ""
        self.migration = ""
        self.operation = ""
        self.documents: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What failed, and why."""
        entry = "" if f"`{self.entry}`" in self.reason else self.entry
        parts = (self.migration, self.operation, entry, self.reason)
        return ": ".join(part for part in parts if part)

    def in_file(self, file: str) -> None:
        """Make ``file:line`` the place.

        The entry that was the place before goes into the message. The second time, only the name
        of the file changes.
        """
        place = located(file, self.line)
        named = self.place in (file, place) or file.endswith(f"/{self.place}")
        if not self.entry and not named:
            self.entry = self.place
        self.place = place

    @property
    def lines(self) -> list[str]:
        """The error for people."""
        place = self.place or (f"line {self.line}" if self.line else "")
        return error_lines(self.code, self.message, place, self.fix)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class Refused(ConfmigError):
    """Your input cannot be taken; nothing was written."""

    exit_code = REFUSED


class Usage(Refused):
    """The words of the command do not go together."""

    exit_code = INVALID


class Invalid(Refused):
    """Settings, manifest or policy are not valid. Carries every problem found, not the first."""

    exit_code = INVALID

    def __init__(
        self,
        code: str,
        message: str,
        problems: Sequence[Problem],
        *,
        place: str = "",
        fix: str = "",
    ) -> None:
        super().__init__(code, message, place=place, fix=fix)
        self.problems = tuple(problems)


class Blocked(ConfmigError):
    """Our state or the policy says no; the next command is in ``fix``."""

    exit_code = DEFERRED


class PartialFailure(Blocked):
    """An unresolved partial failure blocks the target."""

    exit_code = PARTIAL_FAILURE


class LockHeld(Blocked):
    """Another confmig works on the same state or configuration directory."""

    exit_code = LOCK_HELD


class Bug(ConfmigError):
    """An unexpected exception, as a report without values.

    Its type and the frames, never its message.
    """

    @classmethod
    def of(cls, error: BaseException) -> Bug:
        """The report of an exception that is being handled."""
        frames = traceback.extract_tb(error.__traceback__)
        where = [f"{f.filename.rpartition('/')[2]}:{f.lineno} in {f.name}" for f in frames]
        return cls(
            "bug",
            f"a bug: {type(error).__name__}; {' > '.join(where[-6:])}",
            fix="nothing is lost; please report this line",
        )


class Busy(Blocked):
    """Another process has the file open for writing; nothing was changed. Try again later."""


class Fault(ConfmigError):
    """The disk, the network or a handler failed. Nothing was changed, unless a subclass says so."""

    exit_code = FAILED


class Unfinished(Fault):
    """A disk or the state failed in the middle: a new process must recover before anything else.

    What was begun is recorded; the next run finishes or undoes it.
    """
