"""Backward: give documents what they had before their migrations, as a transaction.

A file that still holds exactly what the migration left is restored to the byte. One that was edited
since gets the old bytes with the later edits in them (``merge``); where that cannot be, every place
is listed and nothing is written, unless the operator discards the edits: then today's file is kept
in ``rescue/``. Images are verified first. Policy windows never prevent a rollback. Afterwards the
migrations are held (``rolled_back``) until ``confmig retry``.

A rollback can be undone, too: what it restored to the byte comes back to the byte.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from confmig.adapters.files.content import digest_of
from confmig.adapters.state.connection import stamp
from confmig.adapters.state.documents import Recorded
from confmig.adapters.state.port import CheckpointInWriting
from confmig.adapters.state.records import (
    FilePlan,
    Placed,
    RollbackDetails,
    TransactionPlan,
)
from confmig.adapters.state.store import Store
from confmig.core.planning.holds import Hold
from confmig.core.transaction.phases import Phase
from confmig.errors import ConfmigError
from confmig.transactions.migrate import record_applied
from confmig.transactions.plan import lay_out
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
) -> TransactionPlan:
    """Write what ``restore`` found, as the transaction named ``transaction``.

    ``hold``: the migrations do not run again by themselves. Raises what ``Transactor.run``
    raises.
    """
    began = time.monotonic()
    attributes: dict[str, Any] = {
        ev.TARGET: job.target,
        ev.ID: undoing.migrations[0].id,
        ev.TRIGGER: "operator",
        ev.TRANSACTION: transaction,
    }
    class_ = undoing.row.plan.class_
    with job.recorder.span(spans.ROLLBACK, f"rollback {attributes[ev.ID]}", attributes) as span:
        outcome = "failed"
        try:
            plan, files = _plan(job, undoing, restored, transaction, span.context, hold=hold)
            Transactor(job.store, job.checkpoints, job.disk, job.clock, beat=job.beat).run(
                plan, files, RECORDS
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
) -> tuple[TransactionPlan, Sequence[FilePlan]]:
    now = job.clock()
    ids = [m.id for m in undoing.migrations]
    files: list[FilePlan] = []
    placed: list[Placed] = []
    begun = job.checkpoints.begin(transaction, job.target, ids, 2 * len(restored), now)
    with begun as checkpoint:
        for number, one in enumerate(restored):
            if one.how == "discarded":
                job.checkpoints.save_rescue(f"{transaction}-{number}", one.current(job))
            data = one.image(job.checkpoints)
            if digest_of(data) == one.digest:
                part = one.part
                placed.append(Placed(part.config, part.path, part.after, one.digest))
            else:
                files.append(_file(job, checkpoint, one, data))
        laid_out, directory = lay_out(job.disk, transaction, files)
        for file in laid_out:
            checkpoint.file(file)
        path = checkpoint.close()
    row = undoing.row
    reversed_ = row.plan.details
    # what a rollback of a rollback brings back is applied as it was before
    redo = isinstance(reversed_, RollbackDetails) and not reversed_.redo
    details = RollbackDetails(
        undoing.migrations,
        reversed_.manifest,
        reversed_.released if redo else job.store.applied.released(job.target),
        job.actor,
        now.timestamp(),
        row.plan.checkpoint,
        undoing.reverses,
        hold=hold,
        redo=redo,
        placed=tuple(placed),
        trace=trace,
    )
    plan = TransactionPlan(
        transaction,
        job.target,
        "rollback",
        row.plan.class_,
        path,
        details,
        len(laid_out),
        row.id,
        directory,
    )
    return plan, laid_out


def _file(job: Job, checkpoint: CheckpointInWriting, one: Restored, data: bytes) -> FilePlan:
    """The plan of one file, with its images in the checkpoint."""
    part, current = one.part, one.current(job)
    return FilePlan(
        path=part.path,
        temporary="",
        config=part.config,
        format=part.format,
        old=checkpoint.image(current),
        new=checkpoint.image(data),
        before=part.before,
        after=part.after,
        migrations=part.steps,
        metadata=one.metadata,
        mounted=one.mounted,
        old_size=len(current),
        new_size=len(data),
    )


def _details(plan: TransactionPlan) -> RollbackDetails:
    details = plan.details
    assert isinstance(details, RollbackDetails)
    return details


def _common(plan: TransactionPlan) -> dict[str, Any]:
    details = _details(plan)
    ids = plan.migration_ids
    return {
        ev.TARGET: plan.target,
        ev.ID: ids[0],
        ev.IDS: ids,
        ev.CLASS: plan.class_,
        ev.TRANSACTION: plan.id,
        ev.REVERSES: plan.reverses,
        ev.TRIGGER: details.trigger,
        ev.CHECKPOINT: details.restores,
        ev.DOCUMENTS: plan.documents,
    }


def _started(plan: TransactionPlan) -> list[ev.Event]:
    return [ev.event(ev.ROLLBACK_STARTED, _common(plan))]


def _commit(store: Store, plan: TransactionPlan, now: datetime) -> list[ev.Event]:
    details = _details(plan)
    for one in details.placed:
        left = Recorded(one.version, one.digest, plan.id)
        store.documents.record(plan.target, one.config, one.path, left)
    if details.redo:
        record_applied(store, plan, now, 0.0)  # as before it
    else:
        _taken_back(store, plan, now)
    for name in details.reverses:
        store.transactions.mark_reversed(name, plan.id)
        _in_effect_again(store, name, plan)
        reversed_row = store.transactions.get(name)
        if reversed_row is not None and reversed_row.phase is Phase.CONFLICT:
            store.transactions.move(name, Phase.ABORTED, now=now)  # the target is whole again
    seconds = round(max(0.0, now.timestamp() - details.began), 6)
    return [
        ev.event(
            ev.ROLLBACK_COMPLETED, _common(plan) | {ev.OUTCOME: "rolled_back", ev.DURATION: seconds}
        )
    ]


def _in_effect_again(store: Store, name: str, plan: TransactionPlan) -> None:
    """Undoing a rollback brings what the rollback had undone into effect again.

    If the undoing is undone, too, those transactions are taken back once more.
    """
    transactions = store.transactions
    undone = transactions.get(name)
    if undone is None or not isinstance(undone.plan.details, RollbackDetails):
        return
    for other in undone.plan.details.reverses:
        transactions.mark_reversed(other, None)
        before = transactions.get(other)
        if _details(plan).redo or before is None:
            continue
        if isinstance(before.plan.details, RollbackDetails):
            for original in before.plan.details.reverses:
                transactions.mark_reversed(original, plan.id)


def _taken_back(store: Store, plan: TransactionPlan, now: datetime) -> None:
    details = _details(plan)
    kept = {a.id for a in store.applied.all(plan.target)}
    # what other documents still hold stays recorded as applied
    configs = {config for m in details.migrations for config in m.sets}
    highest = {config: store.documents.highest(plan.target, config) for config in configs}
    for m in details.migrations:
        if not any((highest[config] or 0) >= to for config, to in m.sets.items()):
            store.applied.forget(plan.target, m.id)
            kept.discard(m.id)
        if details.hold:
            why = f"rolled back by {plan.id}"
            store.holds.set(plan.target, Hold(m.id, "rolled_back", "", why, stamp(now)))
    list_ = store.applied.released(plan.target)
    last = max((r.order for r in list_ if r.id in kept), default=0)
    store.applied.record_released(plan.target, [r for r in list_ if r.order <= last])


def _failed(
    plan: TransactionPlan, error: ConfmigError, phase: Phase, during: str
) -> list[ev.Event]:
    outcome = "partial" if phase is Phase.CONFLICT else "failed"
    attributes = {ev.ERROR_TYPE: error.code, ev.PHASE: during.lower(), ev.OUTCOME: outcome}
    return [ev.event(ev.ROLLBACK_FAILED, _common(plan) | attributes)]


RECORDS = Records(commit=_commit, started=_started, failed=_failed)
