"""What operators do about a target: roll back, resolve, accept, retry.

Each is one request on the open ``Workspace``; each says who blocks whom and what to do next.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import datetime
from typing import Any

from confmig import apply as forward
from confmig import leftovers, masking, resolution, restore, undo
from confmig import rollback as backward
from confmig.adapters import bundle as bundles
from confmig.adapters.bundle import Bundle
from confmig.adapters.disk import Disk
from confmig.core import history
from confmig.core.manifest import Migration
from confmig.core.transaction import Phase
from confmig.errors import ConfmigError, Invalid, PartialFailure, Refused
from confmig.reconcile import Workspace, translated
from confmig.settings import Target
from confmig.transact import Transactor
from confmig.view import observe
from confmig_otel import events as ev


def guard(space: Workspace, target: Target) -> None:
    """Refuse a changing command while a partial failure is unresolved."""
    conflicts = space.store.conflicts(target.name)
    if conflicts:
        row = conflicts[0]
        raise PartialFailure(
            "blocked_by_partial_failure",
            f"transaction {conflicts[0].id} left {target.name} half-way",
            fix=f"`confmig resolve {row.id} --dry-run` shows what each way out does",
        )


def rollback(
    space: Workspace,
    target: Target,
    *,
    transaction: str | None,
    checkpoint: str | None,
    to: str | None,
    discard: bool,
    dry_run: bool,
) -> dict[str, Any]:
    """Undo a transaction, or all after the migration ``to`` (``none``: everything); see
    ``rollback``. Returns what was done, or, with ``dry_run``, what would be."""
    with translated(space.settings.state_dir), space.open(target) as disk:
        if not dry_run:
            space.recover(target, disk)
        elif space.store.unfinished(target.name):
            raise Refused(
                "unfinished_transaction",
                f"a transaction of {target.name} was interrupted, and a dry run settles nothing",
                fix="`confmig run --once` settles it; then ask again",
            )
        job = undo.Job(
            target.name,
            space.store,
            space.checkpoints,
            disk,
            space.clock,
            space.recorder,
            space.actor,
            _bundle(space, target),
            discard,
            space.beat,
        )
        if to is not None:
            undoing = undo.undo_to(job, None if to == "none" else to)
        else:
            if checkpoint is not None:
                row = undo.choose_checkpoint(
                    space.store, space.checkpoints, target.name, checkpoint
                )
            else:
                row = undo.choose(space.store, target.name, transaction=transaction)
            held = None
            if row.phase is Phase.CONFLICT:
                transactor = Transactor(space.store, space.checkpoints, disk, space.clock)
                if not dry_run:
                    row = transactor.tidy(row)  # an edit may come back to its place
                held = transactor.held(row)
            undoing = undo.undo_one(job, row, held)
        restored = restore.restore(job, undoing)
        answer: dict[str, Any] = {
            "reverses": undoing.row.id,
            "files": [r.part.path for r in restored],
            "how": {r.part.path: r.how for r in restored},
            "migrations": [m["id"] for m in undoing.migrations],
            "rollback_checkpoint_path": undoing.row.checkpoint,
        }
        if dry_run:
            files = [(r.part.path, r.part.config, r.snapshot.data, r.data) for r in restored]
            return answer | {"diff": _diffs(job.bundle, files)}
        plan = backward.rollback(job, undoing, restored, forward.new_id(space.clock()))
        if undoing.row.phase is Phase.CONFLICT:
            _unblocked(space, target, undoing.row.id, "rollback")
    return {"transaction": plan.id, **answer}


def _bundle(space: Workspace, target: Target) -> Bundle | None:
    try:
        return bundles.load(target.bundle, space.settings.limits.caps(), target.parameters)
    except ConfmigError:
        return None  # a rollback to the byte needs none


def _diffs(bundle: Bundle | None, files: list[tuple[str, str, bytes, bytes]]) -> str:
    """What would change (path, configuration, before, after), secrets masked. Without the bundle
    nothing says which values are secret, so nothing is shown."""
    if bundle is None:
        return ""
    known: set[str] = set()
    maskers = [
        masking.Masker.of(bundle, bundle.manifest.configs[config], known)
        for _, config, _, _ in files
    ]
    for masker, (_, _, before, after) in zip(maskers, files, strict=True):
        masker.learn(before)
        masker.learn(after)
    return "".join(
        masker.diff(path, before, after)
        for masker, (path, _, before, after) in zip(maskers, files, strict=True)
    )


def resolve(
    space: Workspace,
    target: Target,
    transaction: str,
    mode: str | None,
    reason: str | None,
    *,
    discard: bool,
    dry_run: bool,
) -> dict[str, Any]:
    """End a partial failure in one of the ways of ``resolution``; with ``dry_run``, what each of
    them (or the named one) would do."""
    with translated(space.settings.state_dir), space.open(target) as disk:
        if not dry_run:
            space.recover(target, disk)
        row = space.store.transaction(transaction)
        if row is None or row.target != target.name:
            raise Refused(
                "transaction_unknown",
                f"there is no transaction {transaction} in {target.name}",
                fix="`confmig status` names the one that blocks",
            )
        if row.phase is not Phase.CONFLICT:
            raise Refused(
                "not_blocking",
                f"transaction {transaction} ended in {row.phase}: nothing to resolve",
            )
        bundle = _bundle(space, target)
        found = resolution.Resolution(space, target, disk, row, bundle, discard=discard)
        if dry_run:
            modes = [mode] if mode is not None else list(resolution.MODES)
            configs = {f["path"]: f["config"] for f in row.plan["files"]}
            choices = {m: _choice(found.outcome(m), bundle, configs, disk) for m in modes}
            return {"transaction": transaction, "choices": choices}
        assert mode is not None
        phase = resolution.resolve(found, mode)
        _unblocked(space, target, transaction, mode, reason)
    return {"transaction": transaction, "phase": phase.value, "mode": mode}


def _choice(
    outcome: resolution.Outcome, bundle: Bundle | None, configs: dict[str, str], disk: Disk
) -> dict[str, Any]:
    """One way out, as data."""
    changed = []
    for path, after in outcome.files.items():
        before = disk.content(path) if disk.exists(path) else b""
        if before != after:
            changed.append((path, configs[path], before, after))
    error = outcome.refused
    return {
        "possible": error is None and not outcome.lost,
        "why_not": None if error is None else str(error),
        "lost": list(outcome.lost),
        "files": [path for path, *_ in changed],
        "diff": _diffs(bundle, changed),
    }


def accept_history(space: Workspace, target: Target, reason: str) -> dict[str, Any]:
    """Record today's list of migrations in place of the applied ones: an operator says that the
    change means nothing for files that are migrated already. Nothing runs."""
    with translated(space.settings.state_dir):
        bundle = bundles.load(target.bundle, space.settings.limits.caps(), target.parameters)
        recorded = space.store.released(target.name)
        if not history.changes(recorded, bundle.manifest):
            raise Refused(
                "nothing_changed", f"every applied migration of {target.name} is as it was"
            )
        accepted = history.accept(recorded, bundle.manifest)
        if isinstance(accepted, list):
            raise Invalid(
                "history_not_acceptable",
                f"the history of {target.name} cannot be accepted as it is now",
                accepted,
            )
        known = {r.id: r for r in accepted.list}
        changed = [
            (was, known[now]) for was, now in accepted.ids.items() if known[now] not in recorded
        ]
        retired = bundle.manifest.retired
        kept = [r for r in recorded if retired is not None and r.order <= retired.through]
        now = space.clock()
        with space.store.commit():
            for was, release in changed:
                space.store.accept_applied(target.name, was, release)
            space.store.record_released(target.name, [*kept, *accepted.list])
            ids = [release.id for _, release in changed] or [r.id for r in accepted.list[-1:]]
            migrations = [bundle.manifest.by_id[i] for i in ids]
            space.store.add_events([_accepted(target, m, reason, now) for m in migrations], now)
    return {"accepted": ids, "mode": "accept_changed"}


def _unblocked(
    space: Workspace, target: Target, transaction: str, mode: str, reason: str | None = None
) -> None:
    attributes = {
        ev.TARGET: target.name,
        ev.BLOCKING: transaction,
        ev.RESOLUTION: mode,
        ev.RESOLUTION_REASON: reason,
    }
    with space.store.commit():
        space.store.announce(target.name, "blocked", "")
        space.store.add_events([ev.event(ev.UNBLOCKED, attributes)], space.clock())


def retry(space: Workspace, target: Target, migration: str) -> bool:
    """Let a held migration run again; False if it was not held."""
    guard(space, target)
    if migration not in space.store.holds(target.name):
        return False
    with space.store.commit():
        return space.store.clear_hold(target.name, migration)


def clean(space: Workspace, target: Target, *, dry_run: bool) -> list[dict[str, Any]]:
    """Clean up what transactions left whose state is gone; see ``leftovers``."""
    with translated(space.settings.state_dir), space.open(target) as disk:
        if not dry_run:
            space.recover(target, disk)
        bundle = bundles.load(target.bundle, space.settings.limits.caps(), target.parameters)
        patterns = [p for c in bundle.manifest.configs.values() for p in c.files]
        live = leftovers.unsettled(space.store, target.name)
        found = leftovers.find(disk, patterns, live)
        digests = [d.digest for d in observe(disk, bundle) if d.digest]
        now = space.clock()
        done = leftovers.clean(disk, space.checkpoints, found, digests, now, dry_run=dry_run)
    return [{"target": target.name, **asdict(one)} for one in done]


def _accepted(target: Target, migration: Migration, reason: str, now: datetime) -> ev.Event:
    return ev.event(
        ev.APPROVED,
        {
            ev.TARGET: target.name,
            ev.ID: migration.id,
            ev.CLASS: migration.kind,
            ev.APPROVAL_ID: forward.new_id(now),
            ev.APPROVAL_REASON: reason,
            ev.APPROVAL_ACTOR: str(os.geteuid()),
        },
    )
