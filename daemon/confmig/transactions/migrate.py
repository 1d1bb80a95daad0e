"""Forward: take the documents of one class segment through their steps, as one transaction.

Everything is computed and validated in memory first; what is then written is described by a
``Plan`` that recovery can finish without the bundle.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from confmig import __version__
from confmig.adapters.files.port import FileSystem
from confmig.adapters.files.snapshot import Snapshot
from confmig.adapters.files.system_errors import as_error
from confmig.adapters.state.connection import stamp
from confmig.adapters.state.port import CheckpointInWriting, CheckpointStore
from confmig.adapters.state.records import (
    Applied,
    FilePlan,
    Files,
    MigrateDetails,
    MigrationRecord,
    TransactionPlan,
)
from confmig.adapters.state.store import Store
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import Transformed
from confmig.core.bundle.history import released
from confmig.core.planning.segments import Segment
from confmig.core.transaction.phases import Phase
from confmig.errors import Busy, ConfmigError, Unfinished
from confmig.transactions.exchange import Drifted
from confmig.transactions.plan import lay_out
from confmig.transactions.runner import CleanUpFailed, Conflict, Records, Transactor
from confmig_otel import events as ev
from confmig_otel import spans

MANY = 1000
"""Above this many documents, one ``config.migrated`` with a count is written for each migration."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a segment ended.

    ``committed``, ``unclean`` (committed, temporaries remain), ``drifted``, ``busy`` (another
    process writes the file), ``failed``, ``document_failed`` (only ``document`` is held) or
    ``partial``. ``migration`` is the one that failed. ``remarks``: the notes of migrations, and
    the comments that were removed, a sentence each. ``trace``: the trace and span id.
    """

    kind: str
    segment: Segment
    transaction: str | None = None
    error: ConfmigError | None = None
    document: str | None = None
    migration: str | None = None
    changed: tuple[str, ...] = ()
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    trace: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What one apply works with."""

    target: str
    bundle: Bundle
    store: Store
    checkpoints: CheckpointStore
    disk: FileSystem
    clock: Callable[[], datetime]
    recorder: spans.Recorder
    actor: str
    rollout: str
    beat: Callable[[], None]


def new_id(now: datetime) -> str:
    """A transaction id: time first, so that ids sort as they happened; 26 characters."""
    return f"{int(now.timestamp() * 1000):012x}{uuid.uuid4().hex[:14]}"


def apply(
    job: Job,
    segment: Segment,
    digests: Mapping[str, str],
    approvals: tuple[str, ...],
    late: Callable[[str], bool],
    sources: Mapping[str, bytes] | None = None,
) -> Outcome:
    """Run one segment to its end.

    ``digests`` are the hashes the plan was made from: a file that differs by now has drifted.
    ``sources`` has other bytes to migrate than those that a file holds, by path.
    ``late(migration)`` tells whether the migration is applied elsewhere, so that a failing
    document holds only itself. Raises ``Unfinished`` only.
    """
    began = time.monotonic()
    now = job.clock()
    ids = [m.id for m in segment.migrations]
    attributes = {
        ev.TARGET: job.target,
        ev.ID: ids[0],
        ev.IDS: ids,
        ev.CLASS: segment.kind,
        ev.MANIFEST_DIGEST: f"sha256:{job.bundle.manifest.digest}",
    }
    with job.recorder.span(spans.APPLY, f"apply {ids[0]}", attributes) as span:
        outcome = _apply(job, segment, digests, approvals, late, now, span, sources or {})
        seconds = time.monotonic() - began
        span.set(ev.OUTCOME, _OUTCOMES[outcome.kind])
        if outcome.transaction is not None:
            span.set(ev.TRANSACTION, outcome.transaction)
        measured = {ev.CLASS: segment.kind, ev.OUTCOME: _OUTCOMES[outcome.kind]}
        if outcome.error is not None:
            span.fail(outcome.error.code)
            measured[ev.ERROR_TYPE] = outcome.error.code
        job.recorder.duration(seconds, measured)
        return replace(outcome, seconds=seconds, trace=span.context)


_OUTCOMES = {
    "committed": "committed",
    "unclean": "committed",
    "drifted": "failed",
    "busy": "failed",
    "failed": "failed",
    "document_failed": "failed",
    "partial": "partial",
}


def _apply(
    job: Job,
    segment: Segment,
    digests: Mapping[str, str],
    approvals: tuple[str, ...],
    late: Callable[[str], bool],
    now: datetime,
    span: spans.Span,
    sources: Mapping[str, bytes],
) -> Outcome:
    transaction = new_id(now)
    ids = [m.id for m in segment.migrations]
    remarks: list[str] = []
    files: list[FilePlan] = []
    # an image before and one after; what was migrated instead of what the file held is one more
    expected = 2 * len(segment.steps) + len(sources)
    with job.checkpoints.begin(transaction, job.target, ids, expected, now) as checkpoint:
        with job.recorder.span(spans.PHASE, "transform", {ev.PHASE: "transform"}):
            for paths in segment.groups:
                job.beat()
                try:
                    done = _transformed(job, segment, paths, digests, sources)
                except Drifted as error:
                    return Outcome("drifted", segment, error=error, document=error.place)
                except (ConfmigError, OSError) as error:
                    return _refused(segment, paths, as_error(error), late)
                try:
                    for snapshot, result in done:
                        remarks += [f"{snapshot.path}: {text}" for text in result.remarks]
                        files += _planned(job, segment, checkpoint, snapshot, result, sources)
                except Unfinished:
                    raise
                except (ConfmigError, OSError) as error:
                    return Outcome(
                        "failed", segment, transaction, as_error(error), migration=ids[0]
                    )
        return _run(
            job,
            segment,
            checkpoint,
            files,
            _details(job, segment, approvals, now, span),
            transaction,
            tuple(remarks),
        )


def _transformed(
    job: Job,
    segment: Segment,
    paths: Sequence[str],
    digests: Mapping[str, str],
    sources: Mapping[str, bytes],
) -> list[tuple[Snapshot, Transformed]]:
    """The documents of one group after their steps, in memory."""
    steps = {m for path in paths for m in segment.steps[path]}
    snapshots = {}
    for path in paths:
        snapshots[path] = snapshot = job.disk.read(path)
        if snapshot.digest != digests[path]:
            raise Drifted("target_drifted", "the file was changed since it was planned", place=path)
    results = job.bundle.transform(
        {segment.configs[p]: sources.get(p, s.data) for p, s in snapshots.items()},
        [m.id for m in sorted(steps, key=lambda m: m.order)],
        job.store.install_key,
    )
    return [(s, results[segment.configs[p]]) for p, s in snapshots.items()]


def _refused(
    segment: Segment,
    paths: Sequence[str],
    error: ConfmigError,
    late: Callable[[str], bool],
) -> Outcome:
    """A group that cannot be migrated: which document, and in which migration."""
    named = [p for p in paths if segment.configs[p] in error.documents]
    path = named[0] if named else paths[0]
    error.documents = (path, *(p for p in paths if p != path))
    if named or len(paths) == 1:
        error.in_file(path)
    if len(paths) > 1:
        error.place = " + ".join(error.place if p == path and named else p for p in paths)
    first = min((m for p in paths for m in segment.steps[p]), key=lambda m: m.order)
    failed = error.migration or first.id
    kind = "document_failed" if late(failed) else "failed"
    return Outcome(kind, segment, error=error, document=path, migration=failed)


def _planned(
    job: Job,
    segment: Segment,
    checkpoint: CheckpointInWriting,
    snapshot: Snapshot,
    result: Transformed,
    sources: Mapping[str, bytes],
) -> list[FilePlan]:
    """The plan of a document that changes, with its images in the checkpoint."""
    if result.data is None:
        return []
    config = job.bundle.manifest.configs[segment.configs[snapshot.path]]
    source = sources.get(snapshot.path)
    return [
        FilePlan(
            path=snapshot.path,
            temporary="",
            config=config.name,
            format=config.format,
            old=checkpoint.image(snapshot.data),
            new=checkpoint.image(result.data),
            before=result.before,
            after=result.after,
            migrations=tuple(s.migration for s in result.steps),
            metadata=snapshot.metadata,
            mounted=snapshot.mounted,
            source=checkpoint.image(source) if source is not None else None,
            old_size=len(snapshot.data),
            new_size=len(result.data),
        )
    ]


def _run(
    job: Job,
    segment: Segment,
    checkpoint: CheckpointInWriting,
    files: Sequence[FilePlan],
    details: MigrateDetails,
    transaction: str,
    remarks: tuple[str, ...],
) -> Outcome:
    """Make the checkpoint durable, and run the transaction to its end."""
    try:
        with job.recorder.span(spans.PHASE, "checkpoint", {ev.PHASE: "checkpoint"}):
            placed, directory = lay_out(job.disk, transaction, files)
            for file in placed:
                checkpoint.file(file)
            plan = TransactionPlan(
                transaction,
                job.target,
                "apply",
                segment.kind,
                checkpoint.close(),
                details,
                len(placed),
                directory=directory,
            )
        with job.recorder.span(spans.PHASE, "commit", {ev.PHASE: "commit"}):
            Transactor(job.store, job.checkpoints, job.disk, job.clock, beat=job.beat).run(
                plan, placed, RECORDS
            )
    except Unfinished:
        raise
    except Drifted as error:
        return Outcome("drifted", segment, transaction, error, error.place)
    except Busy as error:
        return Outcome("busy", segment, transaction, error, error.place)
    except Conflict as error:
        return Outcome("partial", segment, transaction, error)
    except CleanUpFailed as error:
        changed = tuple(f.path for f in placed)
        return Outcome("unclean", segment, transaction, error, changed=changed, remarks=remarks)
    except (ConfmigError, OSError) as error:
        return Outcome(
            "failed", segment, transaction, as_error(error), migration=segment.migrations[0].id
        )
    changed = tuple(f.path for f in placed)
    return Outcome("committed", segment, transaction, changed=changed, remarks=remarks)


def _details(
    job: Job, segment: Segment, approvals: tuple[str, ...], now: datetime, span: spans.Span
) -> MigrateDetails:
    manifest = job.bundle.manifest
    orders = [m.order for m in segment.migrations]
    orders += [a.order for a in job.store.applied.all(job.target)]
    return MigrateDetails(
        tuple(
            MigrationRecord(
                m.id, m.order, tuple(m.depends_on), m.kind, m.description, m.checksum, dict(m.sets)
            )
            for m in segment.migrations
        ),
        manifest.digest,
        released(manifest, max(orders)),
        approvals,
        job.rollout,
        job.actor,
        now.timestamp(),
        span.context,
    )


# --- what the state and the events say of a migration


def _common(plan: TransactionPlan) -> dict[str, Any]:
    details = plan.details
    assert isinstance(details, MigrateDetails)
    ids = plan.migration_ids
    return {
        ev.TARGET: plan.target,
        ev.ID: ids[0],
        ev.IDS: ids,
        ev.CLASS: plan.class_,
        ev.TRANSACTION: plan.id,
        ev.ROLLOUT: details.rollout,
        ev.MANIFEST_DIGEST: f"sha256:{details.manifest}",
        ev.DOCUMENTS: plan.documents,
    }


def _started(plan: TransactionPlan) -> list[ev.Event]:
    return [ev.event(ev.STARTED, _common(plan) | {ev.CHECKPOINT: plan.checkpoint})]


def _commit(store: Store, plan: TransactionPlan, now: datetime) -> list[ev.Event]:
    """Record, in the one commit, applied migrations and spent approvals; returns the events."""
    details = plan.details
    assert isinstance(details, MigrateDetails)
    seconds = round(max(0.0, now.timestamp() - details.began), 6)
    record_applied(store, plan, now, seconds)
    store.approvals.consume(details.approvals, plan.id)
    common = _common(plan)
    events = _migrated(store.transactions.files(plan), plan, common)
    events.append(
        ev.event(
            ev.COMPLETED,
            common
            | {
                ev.OUTCOME: "committed",
                ev.DURATION: seconds,
                ev.CHECKPOINT: plan.checkpoint,
            },
        )
    )
    return events


def record_applied(store: Store, plan: TransactionPlan, now: datetime, seconds: float) -> None:
    """Record that a plan has applied its migrations, and clear their holds."""
    details = plan.details
    for m in details.migrations:
        applied = Applied(
            m.id,
            m.order,
            m.depends_on,
            m.class_,
            m.description,
            m.checksum,
            __version__,
            plan.id,
            stamp(now),
            seconds,
            details.actor,
        )
        store.applied.record(plan.target, applied)
        store.holds.clear(plan.target, m.id)
    if details.released:  # not in a plan of an older program
        store.applied.record_released(plan.target, details.released)


def _migrated(files: Files, plan: TransactionPlan, common: dict[str, Any]) -> list[ev.Event]:
    """One ``config.migrated`` for each document and migration, or counts for very many."""
    known = {m.id: m for m in plan.details.migrations}
    shared = {k: common[k] for k in (ev.TARGET, ev.CLASS, ev.TRANSACTION, ev.MANIFEST_DIGEST)}
    counts = Counter(name for f in files for name in f.migrations)
    if counts.total() > MANY:
        return [
            ev.event(
                ev.MIGRATED,
                shared
                | {
                    ev.ID: m.id,
                    ev.ORDER: m.order,
                    ev.TO: ", ".join(map(str, dict.fromkeys(m.sets.values()))),
                    ev.DOCUMENTS: counts[m.id],
                },
            )
            for m in known.values()
        ]
    out = []
    for file in files:
        before = file.before
        for name in file.migrations:
            m = known[name]
            last = name == file.migrations[-1]
            out.append(
                ev.event(
                    ev.MIGRATED,
                    shared
                    | {
                        ev.ID: name,
                        ev.ORDER: m.order,
                        ev.PATH: file.path,
                        ev.FORMAT: file.format,
                        ev.SCHEMA: file.config,
                        ev.FROM: str(before),
                        ev.TO: str(m.sets[file.config]),
                        ev.DIGEST: f"sha256:{file.new}" if last else None,
                    },
                )
            )
            before = m.sets[file.config]
    return out


def _failed(
    plan: TransactionPlan, error: ConfmigError, phase: Phase, during: str
) -> list[ev.Event]:
    outcome = "partial" if phase is Phase.CONFLICT else "failed"
    return [ev.event(ev.FAILED, _common(plan) | failure(error, during.lower(), outcome))]


def failure(error: ConfmigError, phase: str, outcome: str) -> dict[str, Any]:
    """The attributes of a failure."""
    return {
        ev.ERROR_TYPE: error.code,
        ev.PHASE: phase,
        ev.OUTCOME: outcome,
        ev.PATH: error.documents[0] if error.documents else error.place or None,
    }


RECORDS = Records(commit=_commit, started=_started, failed=_failed)
