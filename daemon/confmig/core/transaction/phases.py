"""The phases of a transaction, and what recovery does with one that was interrupted.

    STAGING    intent is durable; temporary files may exist; no target was touched
    PREPARED   every new file is staged and durable; targets are being exchanged
    COMMITTED  state, events and this phase are durable in one commit; temporaries remain
    DONE       temporaries are gone, durably
    ABORTED    every target holds its old image (or a foreign one that replaced it)
    CONFLICT   targets are mixed and cannot be settled: blocks the target until resolved

What must be durable is stated before what may be done. Recovery never starts a change: it only
finishes one or undoes one. Time is never used for ordering.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Phase(StrEnum):
    """Where a transaction is."""

    STAGING = "STAGING"
    PREPARED = "PREPARED"
    COMMITTED = "COMMITTED"
    DONE = "DONE"
    ABORTED = "ABORTED"
    CONFLICT = "CONFLICT"


MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.STAGING: frozenset((Phase.PREPARED, Phase.ABORTED)),
    Phase.PREPARED: frozenset((Phase.COMMITTED, Phase.ABORTED, Phase.CONFLICT)),
    Phase.COMMITTED: frozenset((Phase.DONE,)),
    Phase.CONFLICT: frozenset((Phase.COMMITTED, Phase.ABORTED)),  # by `confmig resolve` only
    Phase.DONE: frozenset(),
    Phase.ABORTED: frozenset(),
}
UNFINISHED = (Phase.STAGING, Phase.PREPARED, Phase.COMMITTED)


def check_move(before: Phase, after: Phase) -> None:
    """Raises ``RuntimeError`` for a move that is not in the table: that is a bug."""
    if after not in MOVES[before]:
        raise RuntimeError(f"a transaction cannot go from {before} to {after}")


class Image(StrEnum):
    """What a document holds: its hash and its temporary file say it.

    ``TORN``: only of a file that is rewritten in place.
    """

    OLD = "old"
    NEW = "new"
    TORN = "half-written by a crash"
    EDITED_OLD = "edited, and the new version was never written"
    EDITED_NEW = "has the new version and was edited after that"


EDITED = frozenset((Image.EDITED_OLD, Image.EDITED_NEW))


class Recovery(StrEnum):
    """What recovery does with a transaction."""

    CLEAN_UP = "clean up"
    ABORT = "abort"
    ROLL_FORWARD = "roll forward"
    UNDO = "undo"


def recovery(phase: Phase, images: Iterable[Image]) -> Recovery:
    """The move of recovery for an unfinished transaction.

    PREPARED: all known and one new, or begun: roll forward; none applied: abort, the next pass
    plans under today's policy; an edited one: undo ours.
    """
    if phase is Phase.COMMITTED:
        return Recovery.CLEAN_UP
    if phase is Phase.STAGING:
        return Recovery.ABORT
    if phase is not Phase.PREPARED:
        raise RuntimeError(f"nothing to recover in phase {phase}")
    found = set(images)
    if found & {Image.EDITED_OLD, Image.EDITED_NEW}:
        return Recovery.UNDO
    return Recovery.ROLL_FORWARD if found & {Image.NEW, Image.TORN} else Recovery.ABORT


def after_undo(images: Iterable[Image]) -> Phase:
    """Where a transaction ends that was undone: targets of both schemas are a conflict.

    Someone's edit on top of our new image cannot be undone without losing it. If that is all
    there is, nothing is mixed: the document's own stamp says what it is.
    """
    found = set(images)
    new = found & {Image.NEW, Image.EDITED_NEW}
    mixed = bool(new) and found != new
    half_done = bool(found & {Image.NEW, Image.TORN})
    return Phase.CONFLICT if mixed or half_done else Phase.ABORTED


def agreed_phase(images: Iterable[Image]) -> Phase | None:
    """Where ``resolve --verify-and-clear`` may end a conflict: all old or all new, else None."""
    found = set(images)
    if found <= {Image.OLD}:
        return Phase.ABORTED
    return Phase.COMMITTED if found == {Image.NEW} else None
