"""``confmig approve``: an approval, bound to the content of a migration and to the policy."""

from __future__ import annotations

from datetime import timedelta

from confmig.core.policy.decide import Approval
from confmig.core.policy.model import duration
from confmig.errors import Refused
from confmig.passes.load_policy import load_policy
from confmig.passes.workspace import Workspace
from confmig.service.requests.request import Request, Result, bundle_of, guard
from confmig.settings import Target
from confmig.transactions.migrate import new_id
from confmig_otel import events as ev


def approve(space: Workspace, target: Target, request: Request) -> Result:
    """Record the approval, with its event."""
    guard(space, target)
    migration = bundle_of(space, target).manifest.by_id.get(request["id"])
    if migration is None:
        raise Refused(
            "migration_unknown",
            f"{request['id']} is not in the bundle",
            fix="`confmig plan` lists what is pending",
        )
    policy = load_policy(target, space.worker)
    now = space.clock()
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
    attributes = {
        ev.TARGET: target.name,
        ev.ID: migration.id,
        ev.CLASS: migration.kind,
        ev.APPROVAL_ID: approval.id,
        ev.APPROVAL_REASON: request["reason"],
        ev.APPROVAL_ACTOR: str(approval.uid),
        ev.POLICY_DIGEST: f"sha256:{policy.digest}",
    }
    with space.store.commit():
        space.store.approvals.add(approval, request["reason"], now)
        space.store.events.add([ev.event(ev.APPROVED, attributes)], now)
    return {
        "approval": approval.id,
        "id": migration.id,
        "target": target.name,
        "expires_at": approval.expires_at.isoformat().replace("+00:00", "Z"),
    }
