"""``confmig resolve``: end a partial failure, or accept a changed history of migrations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from confmig.adapters.files.port import FileSystem
from confmig.adapters.state.opened import translated
from confmig.adapters.state.reported import Subject
from confmig.adapters.workers.protocol import Bundle
from confmig.core.bundle import history
from confmig.core.bundle.manifest import Migration
from confmig.core.transaction.phases import Phase
from confmig.errors import Invalid, Refused
from confmig.passes.observe import observe
from confmig.passes.view import edits_of
from confmig.passes.workspace import Workspace
from confmig.reports.diffs import masked_diffs
from confmig.service.requests.request import Request, Result, bundle_of, job_of
from confmig.settings import Target
from confmig.transactions import resolve as resolutions
from confmig.transactions.migrate import new_id
from confmig_otel import events as ev


def resolve(space: Workspace, target: Target, request: Request) -> Result:
    """End the named partial failure as ``mode`` says.

    With ``dry_run``, what each mode (or the named one) would do. Without a transaction,
    ``accept_changed`` accepts the history.
    """
    mode, reason = request.get("mode"), request.get("reason")
    dry_run, discard = request.get("dry_run") is True, request.get("discard") is True
    if mode not in resolutions.MODES and not (dry_run and mode is None):
        raise Refused("request_invalid", f"mode must be one of {', '.join(resolutions.MODES)}")
    if (mode == "accept_changed" or discard) and not reason and not dry_run:
        raise Refused("request_invalid", "a reason is missing", fix="add --reason TEXT")
    if request.get("transaction") is None:
        if mode != "accept_changed" or dry_run:
            raise Refused("request_invalid", "the transaction is missing")
        return _accept_history(space, target, str(reason))
    return _resolve(
        space, target, request["transaction"], mode, reason, discard=discard, dry_run=dry_run
    )


def _resolve(
    space: Workspace,
    target: Target,
    transaction: str,
    mode: str | None,
    reason: str | None,
    *,
    discard: bool,
    dry_run: bool,
) -> Result:
    with translated(space.settings.state_dir), space.open(target) as disk:
        if not dry_run:
            space.recover(target, disk)
        row = space.store.transactions.get(transaction)
        if row is None or row.plan.target != target.name:
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
        job = job_of(space, target, disk, discard=discard)

        def versions(bundle: Bundle) -> Mapping[str, tuple[int, str]]:
            seen = observe(disk, bundle, "", space.clock(), everything=True)
            return {d.path: (d.version, d.digest) for d in seen.facts if d.version is not None}

        found = resolutions.Resolution(job, row, versions)
        if dry_run:
            modes = [mode] if mode is not None else list(resolutions.MODES)
            configs = {f.path: f.config for f in space.store.transactions.files(row.plan)}
            choices = {m: _choice(found.outcome(m), job.bundle, configs, disk) for m in modes}
            held = space.store.transactions.found(row.id)
            return {
                "transaction": transaction,
                "files": held,
                "edits": {path: e.to_json() for path, e in edits_of(disk, held).items()},
                "choices": choices,
            }
        assert mode is not None
        phase = resolutions.resolve(found, mode)
        unblocked(space, target, transaction, mode, reason)
    return {"transaction": transaction, "phase": phase.value, "mode": mode}


def _choice(
    outcome: resolutions.Outcome, bundle: Bundle | None, configs: dict[str, str], disk: FileSystem
) -> Result:
    """One mode and its outcome, as data."""
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
        "diff": masked_diffs(bundle, changed),
    }


def unblocked(
    space: Workspace, target: Target, transaction: str, mode: str, reason: str | None = None
) -> None:
    """Record that a person ended a partial failure, with its event."""
    attributes = {
        ev.TARGET: target.name,
        ev.BLOCKING: transaction,
        ev.RESOLUTION: mode,
        ev.RESOLUTION_REASON: reason,
    }
    with space.store.commit():
        space.store.reported.remember(target.name, Subject.BLOCKED, "")
        space.store.events.add([ev.event(ev.UNBLOCKED, attributes)], space.clock())


def _accept_history(space: Workspace, target: Target, reason: str) -> Result:
    """Record today's list of migrations in place of the applied ones.

    An operator says that the change means nothing for files that are migrated already. Nothing
    runs.
    """
    with translated(space.settings.state_dir):
        bundle = bundle_of(space, target)
        recorded = space.store.applied.released(target.name)
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
                space.store.applied.accept(target.name, was, release)
            space.store.applied.record_released(target.name, [*kept, *accepted.list])
            ids = [release.id for _, release in changed] or [r.id for r in accepted.list[-1:]]
            migrations = [bundle.manifest.by_id[i] for i in ids]
            space.store.events.add([_accepted(target, m, reason, now) for m in migrations], now)
    return {"accepted": ids, "mode": "accept_changed"}


def _accepted(target: Target, migration: Migration, reason: str, now: datetime) -> ev.Event:
    return ev.event(
        ev.APPROVED,
        {
            ev.TARGET: target.name,
            ev.ID: migration.id,
            ev.CLASS: migration.kind,
            ev.APPROVAL_ID: new_id(now),
            ev.APPROVAL_REASON: reason,
            ev.APPROVAL_ACTOR: str(os.geteuid()),
        },
    )
