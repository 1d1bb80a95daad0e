"""May this migration run now? One pure function; everything it needs is an argument.

It never depends on a timer having fired. All reasons are evaluated and reported; the primary one
is the first in the order of ``reasons.ORDER``. Anything unknown is a no.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from confmig.core.bundle.manifest import Migration
from confmig.core.policy import reasons
from confmig.core.policy.model import ClassPolicy, Policy
from confmig.core.policy.windows import opening

Verdict = Literal["allow", "hold", "block"]


@dataclass(frozen=True, slots=True)
class Approval:
    """A yes of an operator. It binds the target, the migration's content and the policy."""

    id: str
    target: str
    migration_id: str
    checksum: str
    policy_digest: str
    uid: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one migration in one target, apart from policy and time.

    ``standing`` are the reasons that hold whatever the policy says: a partial failure, a failed
    document, a dependency that is not met, a rollback.
    """

    target: str
    migration: Migration
    standing: tuple[str, ...] = ()
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer.

    ``retry_at``: asking again cannot help before this instant (reasons other than time may
    still exist then).
    """

    verdict: Verdict
    primary: str
    reasons: tuple[str, ...]
    retry_at: datetime | None = None
    approvals: tuple[str, ...] = ()


def decide(policy: Policy, facts: Facts, now: datetime) -> Decision:
    """Allow, hold or block one migration at ``now`` (aware)."""
    found = list(facts.standing)
    kind = facts.migration.kind
    rule = policy.classes.get(kind)
    retry_at: datetime | None = None
    used: tuple[str, ...] = ()
    allowed = "allowed_online"
    if policy.state == "invalid":
        found.append("policy_invalid")
    elif rule is None:
        found.append("policy_missing")
    else:
        why, retry_at = _windows(rule, now)
        found.extend(why)
        if not (rule.always and kind == "online"):
            allowed = "allowed_in_window"
        refused, used = _approvals(policy, rule, facts, now)
        found.extend(refused)
    if not found:
        return Decision("allow", allowed, (allowed,), approvals=used)
    ranked = reasons.ranked(found)
    blocked = any(code in reasons.BLOCKING for code in ranked)
    return Decision("block" if blocked else "hold", ranked[0], ranked, retry_at)


def _windows(rule: ClassPolicy, now: datetime) -> tuple[list[str], datetime | None]:
    answer = opening(rule.windows, now, always=rule.always)
    found = ["denied_by_window"] if answer.denied else []
    if not rule.always and not any(w.kind == "allow" for w in rule.windows):
        found.append("no_window_configured")
    elif not answer.allowed:
        found.append("outside_window")
    return found, answer.opens if found else None


def _approvals(
    policy: Policy, rule: ClassPolicy, facts: Facts, now: datetime
) -> tuple[list[str], tuple[str, ...]]:
    wanted = rule.approval.required if rule.approval is not None else 0
    if facts.migration.impact == "high":
        wanted = max(wanted, 1)
    if wanted == 0:
        return [], ()
    mine = [
        a
        for a in facts.approvals
        if a.target == facts.target and a.migration_id == facts.migration.id
    ]
    fitting = [
        a
        for a in mine
        if a.checksum == facts.migration.checksum and a.policy_digest == policy.digest
    ]
    live = [a for a in fitting if now < a.expires_at]
    if len({a.uid for a in live}) >= wanted:
        return [], tuple(a.id for a in live)  # all of them are spent: none is left for a rerun
    if live or not mine:
        return ["approval_missing"], ()
    return ["approval_expired" if fitting else "approval_plan_mismatch"], ()
