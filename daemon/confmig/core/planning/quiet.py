"""Whether a file is quiet enough to be read: no process writes it, and it has been still a while.

A file that another process has open for writing is never touched. A process that closes the file
between its writes cannot be seen, so a file that changed a moment ago has to settle first. Pure:
what the kernel says and all times are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BUSY = "target_busy"


@dataclass(frozen=True, slots=True)
class Rule:
    """Seconds that a file must have been still.

    ``settle`` for a document that was recorded before, ``settle_new`` for a new one. ``wait``:
    how long to wait for a file that is open for writing; after that it is held, or migrated all
    the same (``migrate_open``).
    """

    settle: float = 0.1
    settle_new: float = 1.0
    wait: float = 30.0
    migrate_open: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at a file saw.

    ``changed`` identifies its last change; ``age``: seconds since then by the wall clock
    (negative if the clocks disagree). ``ours``: it holds what our last transaction left there.
    ``now`` is monotonic.
    """

    writers_open: bool
    changed: object
    age: float
    recorded: bool
    ours: bool
    now: float


@dataclass(slots=True)
class _Known:
    changed: object
    since: float
    unquiet_since: float


@dataclass(frozen=True, slots=True)
class Unquiet:
    """Why a file is not touched now.

    ``seconds``: look again after that; ``overdue``: it has not been quiet for longer than the
    rule waits, so that a person should know.
    """

    open: bool
    seconds: float
    overdue: bool = False


_LOOK = 1.0
"""Seconds between two looks at a file that is open; its close gives an event as a rule."""


@dataclass(slots=True)
class Quiet:
    """Remembers the files that were not quiet, by name, until they are."""

    rule: Rule
    _known: dict[str, _Known] = field(default_factory=dict)

    def look(self, name: str, seen: Sight) -> Unquiet | None:
        """None if the file may be read and exchanged now."""
        known = self._known.get(name)
        if known is None or known.changed != seen.changed:
            first = known.unquiet_since if known is not None else seen.now
            known = self._known[name] = _Known(seen.changed, seen.now, first)
        overdue = seen.now - known.unquiet_since >= self.rule.wait
        if seen.writers_open and not (overdue and self.rule.migrate_open):
            return Unquiet(True, _LOOK, overdue)
        needed = self.rule.settle if seen.recorded else self.rule.settle_new
        # a time stamp of the future says nothing: then only what was seen here counts
        still = max(seen.age, seen.now - known.since)
        if not seen.ours and still < needed:
            return Unquiet(False, needed - still, overdue)
        if not seen.writers_open:
            del self._known[name]
        return None
