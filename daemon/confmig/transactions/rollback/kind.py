"""Backward: give documents what they had before their migrations, as a transaction.

A file that still holds exactly what the migration left is restored to the byte. One that was
edited since gets the old bytes with the later edits in them (``documents.rebase``); where that
cannot be, every place is listed and nothing is written, unless the operator discards the edits:
then today's file is kept in ``rescue/``. Images are verified first. Policy windows never stand in
the way. Afterwards the migrations are held (``rolled_back``) until ``confmig retry``.

A rollback can be undone, too: what it restored to the byte comes back to the byte.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from confmig import __version__
from confmig.adapters.files.disk import digest_of
from confmig.adapters.state.store import Hold, Store, stamp
from confmig.core.transaction.phases import Phase
from confmig.errors import ConfmigError
from confmig.transactions.migrate import record_applied
from confmig.transactions.plan import FilePlan, Plan, lay_out
from confmig.transactions.rollback.merge import Restored
from confmig.transactions.rollback.selection import Job, Undoing
from confmig.transactions.runner import Records, Transactor
from confmig_otel import events as ev
from confmig_otel import spans


def rollback(
    job: Job,
    undoing: Undoing,
    restored: list[Restored],
    transaction: str,
    *,
    hold: bool = True,
) -> Plan:
    """Write what ``restore`` found, as the transaction named ``transaction``. ``hold``: the
    migrations do not run again by themselves. Raises what ``Transactor.run`` raises."""
    began = time.monotonic()
    attributes: dict[str, Any] = {
        ev.TARGET: job.target,
        ev.ID: undoing.migrations[0]["id"],
        ev.TRIGGER: "operator",
        ev.TRANSACTION: transaction,
    }
    class_ = undoing.row.class_
    with job.recorder.span(spans.ROLLBACK, f"rollback {attributes[ev.ID]}", attributes) as span:
        outcome = "failed"
        try:
            plan = _plan(job, undoing, restored, transaction, span.context, hold=hold)
            Transactor(job.store, job.checkpoints, job.disk, job.clock, beat=job.beat).run(
                plan, RECORDS
            )
            outcome = "rolled_back"
        except ConfmigError as error:
            span.fail(error.code)
            raise
        finally:
            job.recorder.duration(time.monotonic() - began, {ev.CLASS: class_, ev.OUTCOME: outcome})
    return plan


def _plan(
    job: Job,
    undoing: Undoing,
    restored: list[Restored],
    transaction: str,
    trace: tuple[str, str] | None,
    *,
    hold: bool,
) -> Plan:
    files, images = [], []
    already = []
    for number, one in enumerate(restored):
        part, snapshot = one.part, one.snapshot
        if one.how == "discarded":
            name = f"{transaction}-{number}"
            job.checkpoints.save_rescue(name, snapshot.data)
        if one.data == snapshot.data:
            already.append([part.config, part.path, part.after, snapshot.digest])
            continue
        images += [snapshot.data, one.data]
        files.append(
            FilePlan(
                path=part.path,
                temporary="",
                config=part.config,
                format=part.format,
                old=snapshot.digest,
                new=digest_of(one.data),
                before=part.before,
                after=part.after,
                migrations=part.steps,
                metadata=snapshot.metadata,
                mounted=snapshot.mounted,
            )
        )
    placed, directory = lay_out(job.disk, transaction, files)
    job.checkpoints.put(images, transaction)
    now = job.clock()
    row = undoing.row
    checkpoint = job.checkpoints.save(
        transaction,
        {
            "format": 1,
            "transaction": transaction,
            "target": job.target,
            "created_at": stamp(now),
            "program": __version__,
            "reverses": row.id,
            "files": [
                {
                    "path": f.path,
                    "old": f.old,
                    "new": f.new,
                    "before": f.before,
                    "after": f.after,
                }
                for f in files
            ],
        },
    )
    details = {
        "migrations": list(undoing.migrations),
        "already": already,
        "hold": hold,
        "manifest": row.plan["details"]["manifest"],
        "actor": job.actor,
        "trigger": "operator",
        "began": now.timestamp(),
        "trace": trace,
        "restores": row.checkpoint,
        "reverses": list(undoing.reverses),
        "redo": row.kind == "rollback" and not row.plan["details"]["redo"],
    }
    if details["redo"]:  # the list of migrations is what it was before that rollback
        details["released"] = row.plan["details"].get("released", [])
    else:
        details["released"] = [r.to_json() for r in job.store.released(job.target)]
    return Plan(
        transaction,
        job.target,
        "rollback",
        row.class_,
        placed,
        checkpoint,
        details,
        row.id,
        directory,
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
    for config, path, version, digest in plan.details.get("already", ()):
        store.record_document(plan.target, config, path, version, digest, plan.id)
    if plan.details["redo"]:
        record_applied(store, plan, now, 0.0)  # as before it
    else:
        _taken_back(store, plan, now)
    for name in plan.details["reverses"]:
        store.mark_reversed(name, plan.id)
        _in_effect_again(store, name, plan)
        reversed_row = store.transaction(name)
        if reversed_row is not None and reversed_row.phase is Phase.CONFLICT:
            store.move(name, Phase.ABORTED, now=now)  # the target is whole again
    seconds = round(max(0.0, now.timestamp() - plan.details["began"]), 6)
    return [
        ev.event(
            ev.ROLLBACK_COMPLETED, _common(plan) | {ev.OUTCOME: "rolled_back", ev.DURATION: seconds}
        )
    ]


def _in_effect_again(store: Store, name: str, plan: Plan) -> None:
    """Undoing a rollback puts what that had undone in effect again; undoing *that* takes it back
    once more."""
    undone = store.transaction(name)
    if undone is None or undone.kind != "rollback":
        return
    for other in undone.plan["details"]["reverses"]:
        store.mark_reversed(other, None)
        before = store.transaction(other)
        if not plan.details["redo"] and before is not None and before.kind == "rollback":
            for original in before.plan["details"]["reverses"]:
                store.mark_reversed(original, plan.id)


def _taken_back(store: Store, plan: Plan, now: datetime) -> None:
    kept = {r["id"] for r in store.applied(plan.target)}
    # what other documents still hold stays recorded as applied
    configs = {config for m in plan.details["migrations"] for config in m["sets"]}
    versions = {config: store.versions(plan.target, config) for config in configs}
    for m in plan.details["migrations"]:
        sets = m["sets"].items()
        if not any(v >= to for config, to in sets for v in versions.get(config, ())):
            store.forget_applied(plan.target, m["id"])
            kept.discard(m["id"])
        if plan.details.get("hold", True):
            why = f"rolled back by {plan.id}"
            store.set_hold(plan.target, Hold(m["id"], "rolled_back", "", why, stamp(now)))
    list_ = store.released(plan.target)
    highest = max((r.order for r in list_ if r.id in kept), default=0)
    store.record_released(plan.target, [r for r in list_ if r.order <= highest])


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
