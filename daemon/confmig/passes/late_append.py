"""Text that a writer appended to a document after it was migrated.

A writer that opens its file anew for each piece cannot be seen while it pauses. If it pauses for
longer than the settle time, the first pieces are migrated and the next one is appended to the
result. The complete text is then the old image plus what was appended: it is migrated again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from confmig.adapters.files.port import FileSystem
from confmig.adapters.files.snapshot import Snapshot
from confmig.adapters.state.connection import moment
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.state.records import FilePlan
from confmig.adapters.state.store import Store
from confmig.adapters.workers.protocol import Bundle
from confmig.core.planning.segments import Segment
from confmig.core.transaction.phases import Phase
from confmig.errors import ConfmigError
from confmig.transactions import migrate as forward
from confmig.transactions.runner import drift

WITHIN = timedelta(minutes=10)
"""How long after a transaction a suffix counts as late; after that it is an ordinary edit."""


@dataclass(frozen=True, slots=True)
class Late:
    """A document that grew: its segment, and the complete text before the migration."""

    segment: Segment
    snapshot: Snapshot
    source: bytes


def find(
    bundle: Bundle,
    store: Store,
    checkpoints: CheckpointStore,
    disk: FileSystem,
    changed: Mapping[str, str],
    now: datetime,
    quiet: Callable[[Snapshot], bool],
) -> list[Late]:
    """The documents to which something was appended that the migrations have not seen.

    ``changed`` are the documents that differ from what is recorded: path -> transaction. A document
    is left out if its migrations give again what it holds now, so that the suffix is an edit in the
    new schema, or if they cannot be run on the complete text.
    """
    out = []
    for path, transaction in changed.items():
        row = store.transactions.get(transaction)
        if row is None or row.kind != "apply" or row.phase is not Phase.DONE or row.reversed_by:
            continue
        if row.ended_at is None or now - moment(row.ended_at) > WITHIN:
            continue
        file = store.transactions.files(row.plan).named(path)
        if file is None:
            continue
        try:
            found = _late(bundle, store, checkpoints, disk, file, quiet)
        except ConfmigError:
            continue  # it cannot be read or migrated: the pass reports that
        if found is not None:
            out.append(found)
    return out


def _late(
    bundle: Bundle,
    store: Store,
    checkpoints: CheckpointStore,
    disk: FileSystem,
    file: FilePlan,
    quiet: Callable[[Snapshot], bool],
) -> Late | None:
    snapshot = disk.read(file.path)
    if snapshot.digest == file.new or not quiet(snapshot):
        return None
    steps = [bundle.manifest.by_id[m] for m in file.migrations if m in bundle.manifest.by_id]
    if len(steps) != len(file.migrations) or any(m.joint for m in steps):
        return None
    new = checkpoints.image(file.new)
    if not snapshot.data.startswith(new):
        return None
    source = checkpoints.image(file.origin) + snapshot.data[len(new) :]
    done = bundle.transform({file.config: source}, file.migrations, store.install_key)[file.config]
    if done.data is None or done.data == snapshot.data:
        return None
    kind = steps[0].kind
    return Late(
        Segment(kind, {file.path: tuple(steps)}, {file.path: file.config}), snapshot, source
    )


def migrate(job: forward.Job, late: Late) -> forward.Outcome:
    """Replace the document by the migrated complete text, as a transaction of its own.

    The event is ``config.drift.detected`` (``late_append``).
    """
    path = late.snapshot.path
    with job.store.commit():
        job.store.events.add([drift(job.target, path, "late_append")], job.clock())
    digests = {path: late.snapshot.digest}
    return forward.apply(
        job, late.segment, digests, (), lambda migration: True, {path: late.source}
    )
