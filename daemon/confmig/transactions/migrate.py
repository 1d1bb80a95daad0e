"""Forward: take the documents of one class segment through their steps, as one transaction.

Everything is computed and validated in memory first; what is then written is described by a
``Plan`` that recovery can finish without the bundle.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from confmig import __version__
from confmig.adapters.files.disk import Disk, Snapshot, digest_of
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.store import Store, stamp
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import Transformed
from confmig.core.bundle.history import Released, released
from confmig.core.planning.segments import Segment
from confmig.core.transaction.phases import Phase
from confmig.errors import Busy, ConfmigError, Unfinished
from confmig.transactions.file_exchange import Drifted
from confmig.transactions.plan import FilePlan, Plan, lay_out
from confmig.transactions.runner import CleanUpFailed, Conflict, Records, Transactor, as_error
from confmig_otel import events as ev
from confmig_otel import spans

MANY = 1000
"""Above this many documents one ``config.migrated`` a migration is written, with a count."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a segment ended: ``committed``, ``unclean`` (committed, temporaries remain), ``drifted``,
    ``busy`` (another process writes the file), ``failed``, ``document_failed`` (only ``document``
    is held) or ``partial``. ``migration`` is the one that failed. ``remarks``: the notes of
    migrations, and the comments that went with removed values, a sentence each. ``trace``: the
    trace and span id."""

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
    checkpoints: Checkpoints
    disk: Disk
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
    digests: dict[str, str],
    approvals: tuple[str, ...],
    late: Callable[[str, str], bool],
    sources: Mapping[str, bytes] | None = None,
) -> Outcome:
    """Run one segment to its end.

    ``digests`` are the hashes the plan was made from: a file that differs by now has drifted.
    ``sources`` has other bytes to migrate than those that a file holds, by path.
    ``late(path, migration)`` tells whether the migration is applied elsewhere, so that a failing
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
    digests: dict[str, str],
    approvals: tuple[str, ...],
    late: Callable[[str, str], bool],
    now: datetime,
    span: spans.Span,
    sources: Mapping[str, bytes],
) -> Outcome:
    transaction = new_id(now)
    work: list[tuple[Snapshot, Transformed]] = []
    with job.recorder.span(spans.PHASE, "transform", {ev.PHASE: "transform"}):
        for paths in segment.groups:
            job.beat()
            steps = list(dict.fromkeys(m for p in paths for m in segment.steps[p]))
            steps.sort(key=lambda m: m.order)
            path = paths[0]
            try:
                snapshots = {}
                for path in paths:
                    snapshots[path] = snapshot = job.disk.read(path)
                    if snapshot.digest != digests[path]:
                        raise Drifted(
                            "target_drifted",
                            "the file was changed since it was planned",
                            place=path,
                        )
                results = job.bundle.transform(
                    {segment.configs[p]: sources.get(p, s.data) for p, s in snapshots.items()},
                    [m.id for m in steps],
                    job.store.install_key,
                )
                work += [(s, results[segment.configs[p]]) for p, s in snapshots.items()]
            except Drifted as error:
                return Outcome("drifted", segment, error=error, document=path)
            except (ConfmigError, OSError) as raised:
                fault = as_error(raised)
                named = [p for p in paths if segment.configs[p] in fault.documents]
                path = named[0] if named else paths[0]
                fault.documents = (path, *(p for p in paths if p != path))
                files = " + ".join(paths)
                inside = fault.place if fault.place not in paths else ""
                fault.place = f"{files}: {inside}" if inside else files
                failed = fault.migration or steps[0].id
                kind = "document_failed" if late(path, failed) else "failed"
                return Outcome(kind, segment, error=fault, document=path, migration=failed)
    try:
        with job.recorder.span(spans.PHASE, "checkpoint", {ev.PHASE: "checkpoint"}):
            plan = _plan(job, segment, transaction, work, approvals, now, sources, span.context)
        with job.recorder.span(spans.PHASE, "commit", {ev.PHASE: "commit"}):
            Transactor(job.store, job.checkpoints, job.disk, job.clock, beat=job.beat).run(
                plan, RECORDS
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
        changed = tuple(f.path for f in plan.files)
        return Outcome(
            "unclean", segment, transaction, error, changed=changed, remarks=_remarks(work)
        )
    except (ConfmigError, OSError) as error:
        return Outcome(
            "failed", segment, transaction, as_error(error), migration=segment.migrations[0].id
        )
    changed = tuple(f.path for f in plan.files)
    return Outcome("committed", segment, transaction, changed=changed, remarks=_remarks(work))


def _remarks(work: list[tuple[Snapshot, Transformed]]) -> tuple[str, ...]:
    return tuple(f"{s.path}: {text}" for s, result in work for text in result.remarks)


def _plan(
    job: Job,
    segment: Segment,
    transaction: str,
    work: list[tuple[Snapshot, Transformed]],
    approvals: tuple[str, ...],
    now: datetime,
    sources: Mapping[str, bytes],
    trace: tuple[str, str] | None,
) -> Plan:
    files: list[FilePlan] = []
    images: list[bytes] = []
    described: list[dict[str, Any]] = []
    for snapshot, result in work:
        if result.data is None:
            continue
        config = job.bundle.manifest.configs[segment.configs[snapshot.path]]
        source = sources.get(snapshot.path)
        file = FilePlan(
            path=snapshot.path,
            temporary="",
            config=config.name,
            format=config.format,
            old=snapshot.digest,
            new=digest_of(result.data),
            before=result.before,
            after=result.after,
            migrations=tuple(s.migration for s in result.steps),
            metadata=snapshot.metadata,
            mounted=snapshot.mounted,
            source=digest_of(source) if source is not None else None,
        )
        files.append(file)
        images += [snapshot.data, result.data, *([source] if source is not None else [])]
        described.append(_describe(file))
    placed, directory = lay_out(job.disk, transaction, files)
    job.checkpoints.put(images, transaction)
    checkpoint = job.checkpoints.save(
        transaction,
        {
            "format": 1,
            "transaction": transaction,
            "target": job.target,
            "created_at": stamp(now),
            "program": __version__,
            "files": described,
        },
    )
    applied = job.store.applied(job.target)
    details = {
        "migrations": [
            {
                "id": m.id,
                "order": m.order,
                "depends_on": list(m.depends_on),
                "class": m.kind,
                "description": m.description,
                "checksum": m.checksum,
                "sets": dict(m.sets),
            }
            for m in segment.migrations
        ],
        "manifest": job.bundle.manifest.digest,
        "released": [
            r.to_json()
            for r in released(
                job.bundle.manifest,
                max([m.order for m in segment.migrations] + [r["order"] for r in applied]),
            )
        ],
        "approvals": list(approvals),
        "rollout": job.rollout,
        "actor": job.actor,
        "began": now.timestamp(),
        "trace": trace,
    }
    return Plan(
        transaction,
        job.target,
        "apply",
        segment.kind,
        placed,
        checkpoint,
        details,
        directory=directory,
    )


def _describe(file: FilePlan) -> dict[str, Any]:
    """What a checkpoint keeps of one file: enough to restore it."""
    return {
        "path": file.path,
        "config": file.config,
        "format": file.format,
        "old": file.old,
        "new": file.new,
        "before": file.before,
        "after": file.after,
        "migrations": list(file.migrations),
    }


# --- what the state and the events say of an apply


def _common(plan: Plan) -> dict[str, Any]:
    details = plan.details
    ids = [m["id"] for m in details["migrations"]]
    return {
        ev.TARGET: plan.target,
        ev.ID: ids[0],
        ev.IDS: ids,
        ev.CLASS: plan.class_,
        ev.TRANSACTION: plan.id,
        ev.ROLLOUT: details["rollout"],
        ev.MANIFEST_DIGEST: f"sha256:{details['manifest']}",
        ev.DOCUMENTS: len(plan.files),
    }


def _started(plan: Plan) -> list[ev.Event]:
    return [ev.event(ev.STARTED, _common(plan) | {ev.CHECKPOINT: plan.checkpoint})]


def _commit(store: Store, plan: Plan, now: datetime) -> list[ev.Event]:
    """In the one commit: applied migrations, spent approvals, and the events."""
    details = plan.details
    seconds = round(max(0.0, now.timestamp() - details["began"]), 6)
    record_applied(store, plan, now, seconds)
    store.consume(details["approvals"], plan.id)
    common = _common(plan)
    events = _migrated(plan, common)
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


def record_applied(store: Store, plan: Plan, now: datetime, seconds: float) -> None:
    """The migrations of a plan are applied, by it, and nothing holds them."""
    for m in plan.details["migrations"]:
        store.record_applied(
            (
                plan.target,
                m["id"],
                m["order"],
                json.dumps(m["depends_on"]),
                m["class"],
                m["description"],
                m["checksum"],
                __version__,
                plan.id,
                stamp(now),
                seconds,
                plan.details["actor"],
            )
        )
        store.clear_hold(plan.target, m["id"])
    if plan.details.get("released"):  # not in a plan of an older program
        history = [Released.from_json(r) for r in plan.details["released"]]
        store.record_released(plan.target, history)


def _migrated(plan: Plan, common: dict[str, Any]) -> list[ev.Event]:
    """One ``config.migrated`` for each document and migration, or counts for very many."""
    known = {m["id"]: m for m in plan.details["migrations"]}
    shared = {k: common[k] for k in (ev.TARGET, ev.CLASS, ev.TRANSACTION, ev.MANIFEST_DIGEST)}
    out = []
    if sum(len(f.migrations) for f in plan.files) > MANY:
        for name, m in known.items():
            count = sum(name in f.migrations for f in plan.files)
            out.append(
                ev.event(
                    ev.MIGRATED,
                    shared
                    | {
                        ev.ID: name,
                        ev.ORDER: m["order"],
                        ev.TO: ", ".join(map(str, dict.fromkeys(m["sets"].values()))),
                        ev.DOCUMENTS: count,
                    },
                )
            )
        return out
    for file in plan.files:
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
                        ev.ORDER: m["order"],
                        ev.PATH: file.path,
                        ev.FORMAT: file.format,
                        ev.SCHEMA: file.config,
                        ev.FROM: str(before),
                        ev.TO: str(m["sets"][file.config]),
                        ev.DIGEST: f"sha256:{file.new}" if last else None,
                    },
                )
            )
            before = m["sets"][file.config]
    return out


def _failed(plan: Plan, error: ConfmigError, phase: Phase, during: str) -> list[ev.Event]:
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
