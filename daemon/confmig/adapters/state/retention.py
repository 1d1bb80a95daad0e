"""What is kept of the past: checkpoints with their images, and delivered events.

A checkpoint goes when there are more than ``count`` newer ones, when it is older than ``days``, or
when the newer ones fill ``size`` bytes already. Never one whose transaction is unsettled, and never
the last one of a document. First the checkpoint's file goes, then the images that no other one
needs: a crash in between leaves images too many, and the next pruning takes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from confmig.adapters.state import audit
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.store import Store, Transaction, stamp
from confmig.core.transaction.phases import Phase


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept."""

    count: int
    days: int
    size: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went."""

    checkpoints: int
    images: int
    events: int


def prune(
    store: Store, checkpoints: Checkpoints, keep: Keep, now: datetime, *, delivery: bool
) -> Pruned:
    """Let go what need not be kept. ``delivery``: events that wait for a receiver stay."""
    every = store.newest(-1, None)
    checkpoints.forget_unknown({r.checkpoint for r in every})
    rows = [r for r in every if checkpoints.exists(r.checkpoint)]
    gone = _excess(rows, keep, now, checkpoints)
    for row in gone:
        checkpoints.forget(row.checkpoint)
    needed = {d for r in rows if r not in gone for d in r.images}
    images = checkpoints.drop_images(needed)
    before = now - timedelta(days=keep.days)
    with store.commit():
        events = audit.prune(store.db, int(before.timestamp()) * 10**9, undelivered=not delivery)
    return Pruned(len(gone), images, events)


def _excess(
    rows: Iterable[Transaction], keep: Keep, now: datetime, checkpoints: Checkpoints
) -> list[Transaction]:
    """The transactions (given newest first) whose checkpoints go."""
    oldest = stamp(now - timedelta(days=keep.days))
    covered: set[tuple[str, str]] = set()
    counted: set[str] = set()
    size = kept = 0
    out = []
    for row in rows:
        documents = {(row.target, f["path"]) for f in row.plan["files"]}
        last = not documents <= covered if row.phase is Phase.DONE else False
        unsettled = row.phase not in (Phase.DONE, Phase.ABORTED)
        within = kept < keep.count and row.started_at >= oldest and size < keep.size
        if not (last or unsettled or within):
            out.append(row)
            continue
        if row.phase is Phase.DONE:
            covered |= documents
        kept += 1
        for digest in row.images - counted:
            counted.add(digest)
            size += checkpoints.size_of(digest)
    return out
