"""What is kept of the past: checkpoints with their images, and delivered events.

A checkpoint goes when there are more than ``count`` newer ones, when it is older than ``days``, or
when the newer ones fill ``size`` bytes already. Never one whose transaction is unsettled, and never
the last one of a document. First the checkpoint's file goes, then the images that no other one
needs: a crash in between leaves images too many, and the next pruning takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from confmig.adapters.state import audit
from confmig.adapters.state.connection import stamp
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.state.records import TransactionPlan
from confmig.adapters.state.store import Store
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
    store: Store,
    checkpoints: CheckpointStore,
    keep: Keep,
    now: datetime,
    *,
    delivery: bool,
    unneeded: bool = False,
) -> Pruned:
    """Remove what need not be kept.

    ``delivery``: events that wait for a receiver stay. ``unneeded``: there may be images that
    no checkpoint needs, as a transaction was given up or a process ended before it had removed
    them.
    """
    transactions = store.transactions
    unknown = checkpoints.forget_unknown(lambda name: transactions.get(name) is not None)
    gone = 0
    for plan in _excess(store, checkpoints, keep, now):
        checkpoints.forget(plan.checkpoint)
        gone += 1
    images = _drop_images(store, checkpoints) if gone or unknown or unneeded else 0
    before = now - timedelta(days=keep.days)
    with store.commit():
        events = audit.prune(
            store.connection.db, int(before.timestamp()) * 10**9, undelivered=not delivery
        )
    return Pruned(gone, images, events)


def _excess(
    store: Store, checkpoints: CheckpointStore, keep: Keep, now: datetime
) -> Iterator[TransactionPlan]:
    """The transactions whose checkpoints go. SQLite compares the documents, row by row."""
    read = store.connection.read
    oldest = stamp(now - timedelta(days=keep.days))
    size = kept = 0
    with (
        _temporary_table(store, "covered", "target, path"),
        _temporary_table(store, "counted", "digest"),
    ):
        for row in store.transactions.newest():
            plan = row.plan
            if not checkpoints.exists(plan.checkpoint):
                continue
            done = row.phase is Phase.DONE
            last = done and _has_uncovered(store, plan)
            unsettled = row.phase not in (Phase.DONE, Phase.ABORTED)
            within = kept < keep.count and row.started_at >= oldest and size < keep.size
            if not (last or unsettled or within):
                yield plan
                continue
            if done:
                read(
                    "INSERT OR IGNORE INTO covered SELECT ?, path FROM transaction_files "
                    "WHERE tx=?",
                    (plan.target, plan.id),
                )
            kept += 1
            size += _uncounted(store, checkpoints, plan)


def _has_uncovered(store: Store, plan: TransactionPlan) -> bool:
    """Whether some document of the transaction is in no newer transaction that stays."""
    found = store.connection.read(
        "SELECT 1 FROM transaction_files f WHERE f.tx=? AND NOT EXISTS "
        "(SELECT 1 FROM covered c WHERE c.target=? AND c.path=f.path) LIMIT 1",
        (plan.id, plan.target),
    )
    return found.fetchone() is not None


def _uncounted(store: Store, checkpoints: CheckpointStore, plan: TransactionPlan) -> int:
    """The bytes of a transaction's images that no newer transaction that stays has."""
    read, size = store.connection.read, 0
    for digest, bytes_ in read(
        "SELECT old, old_size FROM transaction_files WHERE tx=:tx UNION ALL "
        "SELECT new, new_size FROM transaction_files WHERE tx=:tx UNION ALL "
        "SELECT source, NULL FROM transaction_files WHERE tx=:tx AND source IS NOT NULL",
        {"tx": plan.id},
    ):
        if read("INSERT OR IGNORE INTO counted VALUES(?)", (digest,)).rowcount:
            # a program of an older format did not record sizes
            size += bytes_ if bytes_ is not None else checkpoints.images.size_of(digest)
    return size


def _drop_images(store: Store, checkpoints: CheckpointStore) -> int:
    """Remove the images that no checkpoint needs any more."""
    read = store.connection.read
    with _temporary_table(store, "needed", "digest"):
        for row in store.transactions.newest():
            if not checkpoints.exists(row.plan.checkpoint):
                continue
            for column in ("old", "new", "source"):
                read(
                    f"INSERT OR IGNORE INTO needed SELECT {column} FROM transaction_files "
                    f"WHERE tx=? AND {column} IS NOT NULL",
                    (row.plan.id,),
                )

        def needed(digest: str) -> bool:
            found = read("SELECT 1 FROM needed WHERE digest=?", (digest,))
            return found.fetchone() is not None

        return checkpoints.images.drop(needed)


@contextmanager
def _temporary_table(store: Store, name: str, columns: str) -> Iterator[None]:
    """A table that only this connection sees; it is not part of the state."""
    read = store.connection.read
    read(f"CREATE TEMP TABLE {name}({columns}, PRIMARY KEY({columns})) WITHOUT ROWID")
    try:
        yield
    finally:
        read(f"DROP TABLE {name}")
