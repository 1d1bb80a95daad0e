"""The commands that change something, as requests: plain data in, plain data out.

The daemon runs them for a client of its control socket, the command line runs them itself when
no daemon holds the state. Both call ``execute``, so both do the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from confmig import remedies
from confmig.adapters import bundle as bundles
from confmig.apply import new_id
from confmig.core.gate import Approval
from confmig.core.policy import duration
from confmig.errors import BUG, ConfmigError, Refused, Unfinished
from confmig.reconcile import Workspace
from confmig.resolution import MODES
from confmig.settings import Target
from confmig.view import load_policy
from confmig_otel import events as ev

Request = dict[str, Any]


def execute(workspace: Workspace, request: Request) -> dict[str, Any]:
    """Run a request. Raises ``ConfmigError``."""
    command = _COMMANDS.get(str(request.get("command")))
    if command is None:
        raise Refused("request_unknown", f"there is no command {request.get('command')!r}")
    _check(request)
    if command in _ANY_TARGET:
        return command(workspace, None, request)
    target = workspace.settings.target(request.get("target"))
    return command(workspace, target, request)


_TEXTS = ("target", "id", "reason", "ttl", "transaction", "checkpoint", "to", "mode")
_NEEDED = {
    "approve": ("id", "reason"),
    "retry": ("id",),
}


def _check(request: Request) -> None:
    """Raises ``Refused`` for a request that no command line of ours would send."""
    for key in _TEXTS:
        if not isinstance(request.get(key), str | None):
            raise Refused("request_invalid", f"{key} must be text")
    for key in _NEEDED.get(str(request["command"]), ()):
        if not request.get(key):
            raise Refused("request_invalid", f"{key} is missing")


def _approve(workspace: Workspace, target: Target, request: Request) -> dict[str, Any]:
    """Approve a migration, bound to its content and to the policy in force."""
    remedies.guard(workspace, target)
    bundle = bundles.load(target.bundle, workspace.settings.limits.caps(), target.parameters)
    migration = bundle.manifest.by_id.get(request["id"])
    if migration is None:
        raise Refused(
            "migration_unknown",
            f"{request['id']} is not in the bundle",
            fix="`confmig plan` lists what is pending",
        )
    policy = load_policy(target)
    now = workspace.clock()
    rule = policy.classes.get(migration.kind)
    ttl = (
        rule.approval.ttl if rule is not None and rule.approval is not None else timedelta(hours=24)
    )
    if request.get("ttl"):
        try:
            ttl = duration(request["ttl"])
        except ValueError as error:
            raise Refused("ttl_invalid", str(error)) from None
    approval = Approval(
        new_id(now),
        target.name,
        migration.id,
        migration.checksum,
        policy.digest,
        int(request["uid"]),
        now + ttl,
    )
    with workspace.store.commit():
        workspace.store.approve(approval, request["reason"], now)
        workspace.store.add_events(
            [
                ev.event(
                    ev.APPROVED,
                    {
                        ev.TARGET: target.name,
                        ev.ID: migration.id,
                        ev.CLASS: migration.kind,
                        ev.APPROVAL_ID: approval.id,
                        ev.APPROVAL_REASON: request["reason"],
                        ev.APPROVAL_ACTOR: str(approval.uid),
                        ev.POLICY_DIGEST: f"sha256:{policy.digest}",
                    },
                )
            ],
            now,
        )
    return {
        "approval": approval.id,
        "id": migration.id,
        "target": target.name,
        "expires_at": approval.expires_at.isoformat().replace("+00:00", "Z"),
    }


def _rollback(workspace: Workspace, target: Target, request: Request) -> dict[str, Any]:
    return remedies.rollback(
        workspace,
        target,
        transaction=request.get("transaction"),
        checkpoint=request.get("checkpoint"),
        to=request.get("to"),
        discard=request.get("discard") is True,
        dry_run=request.get("dry_run") is True,
    )


def _resolve(workspace: Workspace, target: Target, request: Request) -> dict[str, Any]:
    mode, reason = request.get("mode"), request.get("reason")
    dry_run, discard = request.get("dry_run") is True, request.get("discard") is True
    if mode not in MODES and not (dry_run and mode is None):
        raise Refused("request_invalid", f"mode must be one of {', '.join(MODES)}")
    if (mode == "accept_changed" or discard) and not reason and not dry_run:
        raise Refused("request_invalid", "a reason is missing", fix="add --reason TEXT")
    if request.get("transaction") is None:
        if mode != "accept_changed" or dry_run:
            raise Refused("request_invalid", "the transaction is missing")
        return remedies.accept_history(workspace, target, str(reason))
    return remedies.resolve(
        workspace,
        target,
        request["transaction"],
        mode,
        reason,
        discard=discard,
        dry_run=dry_run,
    )


def _retry(workspace: Workspace, target: Target, request: Request) -> dict[str, Any]:
    if not remedies.retry(workspace, target, request["id"]):
        raise Refused(
            "not_held",
            f"{request['id']} is not held in {target.name}",
            fix="`confmig status` shows what is held",
        )
    return {"id": request["id"], "target": target.name}


def _clean(workspace: Workspace, _: None, request: Request) -> dict[str, Any]:
    """Clean the named target, or every one."""
    settings = workspace.settings
    name = request.get("target")
    targets = [settings.target(name)] if name is not None else list(settings.targets)
    dry_run = request.get("dry_run") is True
    return {"cleaned": [c for t in targets for c in remedies.clean(workspace, t, dry_run=dry_run)]}


def _replay(workspace: Workspace, _: None, request: Request) -> dict[str, Any]:
    """Have events delivered again, with the same ``log.record.uid``."""
    since, until = request.get("since_ns"), request.get("until_ns")
    if not isinstance(since, int) or not isinstance(until, int):
        raise Refused("request_invalid", "since_ns and until_ns must be numbers")
    with workspace.store.commit():
        count = workspace.store.requeue(since, until)
    return {"replayed": count}


_ANY_TARGET: frozenset[Callable[..., dict[str, Any]]] = frozenset((_clean, _replay))
_COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "clean": _clean,
    "replay": _replay,
    "approve": _approve,
    "rollback": _rollback,
    "resolve": _resolve,
    "retry": _retry,
}


def answer(workspace: Workspace, request: Request) -> tuple[dict[str, Any], int | None]:
    """``execute`` with every error as data, for the socket; and the exit code with which the
    process must end, if a new one has to recover first."""
    try:
        return {"ok": True, "result": execute(workspace, request)}, None
    except ConfmigError as error:
        fatal = error.exit_code if isinstance(error, Unfinished) else None
        return {"ok": False, "exit_code": error.exit_code, "error": error_json(error)}, fatal
    except Exception as error:  # noqa: BLE001 - a bug in one request must not end the daemon
        bug = {"code": "bug", "message": f"a bug: {type(error).__name__}"}
        return {"ok": False, "exit_code": BUG, "error": bug}, None


def error_json(error: ConfmigError) -> dict[str, Any]:
    """An error as data."""
    out: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.place:
        out["place"] = error.place
    if error.fix:
        out["fix"] = error.fix
    problems = getattr(error, "problems", ())
    if problems:
        out["problems"] = [
            {"code": p.code, "place": p.place, "message": p.message, "fix": p.fix} for p in problems
        ]
    return out
