"""``confmig rollback``: take back a committed transaction, or all after a migration."""

from __future__ import annotations

from confmig.adapters.state.opened import translated
from confmig.core.transaction.phases import Phase
from confmig.errors import Refused
from confmig.passes.workspace import Workspace
from confmig.reports.diffs import masked_diffs
from confmig.service.requests.request import Request, Result, job_of
from confmig.service.requests.resolve import unblocked
from confmig.settings import Target
from confmig.transactions.conflicts import Conflicts
from confmig.transactions.migrate import new_id
from confmig.transactions.rollback import kind, selection
from confmig.transactions.rollback.merge import restore
from confmig.transactions.runner import Transactor


def rollback(space: Workspace, target: Target, request: Request) -> Result:
    """Roll back a transaction, a checkpoint, or all after a migration; else the newest one.

    ``to`` names the migration (``none``: everything). With ``dry_run``: what would be done.
    """
    dry_run = request.get("dry_run") is True
    with translated(space.settings.state_dir), space.open(target) as disk:
        if not dry_run:
            space.recover(target, disk)
        elif space.store.transactions.unfinished(target.name):
            raise Refused(
                "unfinished_transaction",
                f"a transaction of {target.name} was interrupted, and a dry run does not finish it",
                fix="`confmig run --once` finishes or undoes it; then ask again",
            )
        job = job_of(space, target, disk, discard=request.get("discard") is True)
        undoing = _selected(job, request, dry_run=dry_run)
        restored = restore(job, undoing)
        answer: Result = {
            "reverses": undoing.row.id,
            "files": [r.part.path for r in restored],
            "how": {r.part.path: r.how for r in restored},
            "migrations": [m.id for m in undoing.migrations],
            "rollback_checkpoint_path": undoing.row.plan.checkpoint,
        }
        if dry_run:
            kept = space.checkpoints
            files = [(r.part.path, r.part.config, r.current(job), r.image(kept)) for r in restored]
            return answer | {"diff": masked_diffs(job.bundle, files)}
        plan = kind.rollback(job, undoing, restored, new_id(space.clock()))
        if undoing.row.phase is Phase.CONFLICT:
            unblocked(space, target, undoing.row.id, "rollback")
    return {"transaction": plan.id, **answer}


def _selected(job: selection.Job, request: Request, *, dry_run: bool) -> selection.Undoing:
    to, checkpoint = request.get("to"), request.get("checkpoint")
    if to is not None:
        return selection.undo_to(job, None if to == "none" else to)
    if checkpoint is not None:
        row = selection.choose_checkpoint(job.store, job.checkpoints, job.target, checkpoint)
    else:
        row = selection.choose(job.store, job.target, transaction=request.get("transaction"))
    held = None
    if row.phase is Phase.CONFLICT:
        conflicts = Conflicts(Transactor(job.store, job.checkpoints, job.disk, job.clock))
        if not dry_run:
            row = conflicts.prepare_for_another(row)  # an edit may come back to its place
        held = conflicts.held(row)
    return selection.undo_one(job, row, held)
