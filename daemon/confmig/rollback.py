"""Backward: give documents the images they had before a transaction, as a transaction.

Only a file that still holds exactly what the transaction left is restored; one that was edited
since is refused by name and nothing is written. Images are verified first. Policy windows never
stand in the way. Afterwards the migrations are held (``rolled_back``) until ``confmig retry``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confmig import __version__
from confmig.adapters.checkpoints import Checkpoints
from confmig.adapters.disk import PREFIX, Disk
from confmig.adapters.store import Hold, Store, Transaction, stamp
from confmig.core.transaction import Phase
from confmig.errors import ConfmigError, Refused
from confmig.transact import FilePlan, Plan, Records, Transactor
from confmig_otel import events as ev
from confmig_otel import spans


@dataclass(frozen=True, slots=True)
class Job:
    """What one rollback works with."""

    target: str
    store: Store
    checkpoints: Checkpoints
    disk: Disk
    clock: Callable[[], datetime]
    recorder: spans.Recorder
    actor: str


def choose(store: Store, target: str, *, transaction: str | None = None) -> Transaction:
    """The transaction to undo: the named one, or the newest forward one not yet undone."""
    if transaction is not None:
        row = store.transaction(transaction)
        if row is None or row.target != target:
            raise Refused(
                "transaction_unknown",
                f"there is no transaction {transaction} in {target}",
                fix="`confmig status` lists them",
            )
    else:
        found = [r for r in store.committed(target) if r.kind == "apply" and r.reversed_by is None]
        if not found:
            raise Refused("nothing_to_roll_back", f"no transaction of {target} is left to undo")
        row = found[0]
    return _undoable(row)


def choose_checkpoint(
    store: Store, checkpoints: Checkpoints, target: str, path: str
) -> Transaction:
    """The transaction that a checkpoint file belongs to."""
    return choose(store, target, transaction=str(checkpoints.load(path)["transaction"]))


def _undoable(row: Transaction) -> Transaction:
    if row.phase not in (Phase.COMMITTED, Phase.DONE, Phase.CONFLICT):
        raise Refused(
            "transaction_not_committed",
            f"{row.id} ended in {row.phase}: it changed nothing",
            fix="choose one that was committed",
        )
    if row.reversed_by is not None:
        raise Refused("already_rolled_back", f"{row.id} was rolled back by {row.reversed_by}")
    if row.kind != "apply":
        raise Refused(
            "not_a_migration",
            f"{row.id} is itself a rollback",
            fix="`confmig retry ID` migrates again",
        )
    return row


def rollback(job: Job, row: Transaction, transaction: str) -> Plan:
    """Undo a committed transaction as the transaction named ``transaction``.

    Raises ``Refused`` (``rollback_conflict``, with every edited path) before anything is written,
    or what ``Transactor.run`` raises.
    """
    done = Plan.of(row)
    began = time.monotonic()
    attributes: dict[str, Any] = {
        ev.TARGET: job.target,
        ev.ID: done.details["migrations"][0]["id"],
        ev.TRIGGER: "operator",
        ev.TRANSACTION: transaction,
    }
    with job.recorder.span(spans.ROLLBACK, f"rollback {attributes[ev.ID]}", attributes) as span:
        try:
            plan = _plan(job, row, transaction)
            Transactor(job.store, job.checkpoints, job.disk, job.clock, span.context).run(
                plan, RECORDS
            )
        except ConfmigError as error:
            span.fail(error.code)
            raise
        finally:
            job.recorder.duration(
                time.monotonic() - began, {ev.CLASS: done.class_, ev.OUTCOME: "rolled_back"}
            )
    return plan


def _plan(job: Job, row: Transaction, transaction: str) -> Plan:
    done = Plan.of(row)
    files, edited, described = [], [], []
    for number, file in enumerate(done.files):
        try:
            snapshot = job.disk.read(file.path)
        except Refused as error:
            edited.append(f"{file.path} ({error.message})")
            continue
        if snapshot.digest == file.old and row.phase is Phase.CONFLICT:
            continue  # half-way: this one was never changed, or was put back
        if snapshot.digest != file.new:
            _, digest, by = job.store.documents(job.target).get(file.path, (0, "", ""))
            ours = digest == snapshot.digest and by != done.id
            edited.append(
                f"{file.path} ({'roll back ' + by + ' first' if ours else 'edited since'})"
            )
            continue
        job.checkpoints.image(file.old)  # verified before anything is begun
        folder, slash, _ = file.path.rpartition("/")
        files.append(
            FilePlan(
                path=file.path,
                temporary=f"{folder}{slash}{PREFIX}{transaction}-{number}",
                config=file.config,
                format=file.format,
                old=file.new,
                new=file.old,
                before=file.after,
                after=file.before,
                migrations=file.migrations,
                metadata=snapshot.metadata,
            )
        )
        described.append(
            {
                "path": file.path,
                "old": file.new,
                "new": file.old,
                "before": file.after,
                "after": file.before,
            }
        )
    if edited:
        raise Refused(
            "rollback_conflict",
            f"{len(edited)} file(s) changed after the migration: {', '.join(edited)}",
            place=edited[0].split(" (")[0],
            fix="put the edits aside, restore the migrated files, and roll back again",
        )
    now = job.clock()
    checkpoint = job.checkpoints.save(
        transaction,
        {
            "format": 1,
            "transaction": transaction,
            "target": job.target,
            "created_at": stamp(now),
            "program": __version__,
            "reverses": done.id,
            "files": described,
        },
    )
    details = {
        "migrations": done.details["migrations"],
        "manifest": done.details["manifest"],
        "actor": job.actor,
        "trigger": "operator",
        "began": now.timestamp(),
        "restores": done.checkpoint,
    }
    return Plan(
        transaction, job.target, "rollback", done.class_, tuple(files), checkpoint, details, done.id
    )


def _common(plan: Plan) -> dict[str, Any]:
    ids = [m["id"] for m in plan.details["migrations"]]
    return {
        ev.TARGET: plan.target,
        ev.ID: ids[0],
        ev.IDS: ids,
        ev.CLASS: plan.class_,
        ev.TRANSACTION: plan.id,
        ev.REVERSES: plan.reverses,
        ev.TRIGGER: plan.details["trigger"],
        ev.CHECKPOINT: plan.details["restores"],
        ev.DOCUMENTS: len(plan.files),
    }


def _started(plan: Plan) -> list[ev.Event]:
    return [ev.event(ev.ROLLBACK_STARTED, _common(plan))]


def _commit(store: Store, plan: Plan, now: datetime) -> list[ev.Event]:
    # what other documents still hold stays recorded as applied
    configs = {f.config for f in plan.files}
    versions = {config: store.versions(plan.target, config) for config in configs}
    for m in plan.details["migrations"]:
        sets = m["sets"].items()
        if not any(v >= to for config, to in sets for v in versions.get(config, ())):
            store.forget_applied(plan.target, m["id"])
        store.set_hold(
            plan.target, Hold(m["id"], "rolled_back", "", f"rolled back by {plan.id}", stamp(now))
        )
        store.forget_announced(plan.target, f"migration:{m['id']}")
    assert plan.reverses is not None
    store.mark_reversed(plan.reverses, plan.id)
    reversed_row = store.transaction(plan.reverses)
    if reversed_row is not None and reversed_row.phase is Phase.CONFLICT:
        store.move(plan.reverses, Phase.ABORTED, now=now)  # the target is whole again
    seconds = round(max(0.0, now.timestamp() - plan.details["began"]), 6)
    return [
        ev.event(
            ev.ROLLBACK_COMPLETED, _common(plan) | {ev.OUTCOME: "rolled_back", ev.DURATION: seconds}
        )
    ]


def _failed(plan: Plan, error: ConfmigError, phase: Phase, during: str) -> list[ev.Event]:
    outcome = "partial" if phase is Phase.CONFLICT else "failed"
    return [
        ev.event(
            ev.ROLLBACK_FAILED,
            _common(plan)
            | {
                ev.ERROR_TYPE: error.code,
                ev.PHASE: during.lower(),
                ev.OUTCOME: outcome,
            },
        )
    ]


RECORDS = Records(commit=_commit, started=_started, failed=_failed)
