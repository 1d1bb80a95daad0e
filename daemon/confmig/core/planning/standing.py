"""The reasons against a migration that hold whatever the policy says. Pure.

They come from the target (a partial failure, a full outbox, a read-only root), from holds, and from
migrations that failed before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from confmig.core.bundle.manifest import Manifest, Migration
from confmig.core.planning.facts import Observation
from confmig.core.planning.forecast import Outlook, forecast
from confmig.core.planning.holds import Hold, stands
from confmig.core.policy.decide import Approval, Decision, Facts, decide
from confmig.core.policy.model import Policy


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What is known of a target beside its documents.

    ``reasons`` hold for every migration; ``key`` names what a migration would fail with now
    (``holds.failure_key``); ``stop_all``: after a failed migration nothing later runs.
    """

    target: str
    reasons: tuple[str, ...] = ()
    holds: Mapping[str, Hold] = field(default_factory=dict)
    key: str = ""
    approvals: tuple[Approval, ...] = ()
    stop_all: bool = True


def standing_reasons(
    manifest: Manifest, migration: Migration, facts: TargetFacts
) -> tuple[str, ...]:
    """The reasons of the target, of a hold, and of failed migrations before this one."""
    found = list(facts.reasons)
    hold = facts.holds.get(migration.id)
    if hold is not None and stands(hold, facts.key):
        found.append(hold.reason)
    if facts.stop_all and any(o < migration.order for o in _failed(manifest, facts)):
        found.append("dependency_failed")
    return tuple(found)


def _failed(manifest: Manifest, facts: TargetFacts) -> list[int]:
    """The orders of the migrations that failed and whose holds are still in force."""
    return [
        manifest.by_id[h.migration].order
        for h in facts.holds.values()
        if h.reason == "document_failed" and stands(h, facts.key) and h.migration in manifest.by_id
    ]


def outlook(
    manifest: Manifest, seen: Observation, policy: Policy, facts: TargetFacts, now: datetime
) -> list[Outlook]:
    """Every pending migration in order, with the decision on it."""

    def answer(migration: Migration, inherited: Sequence[str]) -> Decision:
        reasons = (*standing_reasons(manifest, migration, facts), *inherited)
        known = Facts(facts.target, migration, reasons, facts.approvals)
        return decide(policy, known, now)

    return forecast(manifest, seen, answer)
