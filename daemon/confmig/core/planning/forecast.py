"""What is pending, and what would happen to it now. Pure: a callback asks the policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from confmig.core.bundle.manifest import Manifest, Migration
from confmig.core.planning.facts import Observation
from confmig.core.planning.joint import misfit
from confmig.core.policy.decide import Decision

Status = Literal["applied", "pending", "no_documents"]

_NOT_INHERITED = frozenset(("dependency_pending", "document_failed"))
"""The reasons that a migration does not take over: it gets ``dependency_pending`` by itself, and
``dependency_failed`` for the second."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The status of a migration in a target, derived from the documents.

    ``pending``: the documents that have not had it. ``failed``: those whose version is unknown or
    that have a problem; they do not stop the others. ``no_documents``: there is no healthy one.
    """

    migration: Migration
    status: Status
    pending: tuple[str, ...]
    failed: tuple[str, ...] = ()


def standings(manifest: Manifest, seen: Observation) -> list[Standing]:
    """Every migration with its derived status, in order."""
    out = []
    for migration in manifest.migrations:
        mine = [d for d in seen.facts if d.config in migration.sets]
        failed = tuple(d.path for d in mine if not d.healthy)
        pending = tuple(d.path for d in mine if d.healthy and not d.has(migration))
        # the observation counts all documents, and has facts of those that matter
        status: Status = "no_documents" if len(failed) == seen.of(migration.sets) else "applied"
        if pending:
            status = "pending"
        out.append(Standing(migration, status, pending, failed))
    return out


@dataclass(frozen=True, slots=True)
class Outlook:
    """A pending migration and what would happen to it in a pass now."""

    standing: Standing
    decision: Decision

    @property
    def runs(self) -> bool:
        return self.decision.verdict == "allow"


def forecast(
    manifest: Manifest,
    seen: Observation,
    decide: Callable[[Migration, tuple[str, ...]], Decision],
) -> list[Outlook]:
    """Every pending migration in order, with its decision.

    A migration that comes after a held one is held, too: its reasons are ``dependency_pending`` (or
    ``dependency_failed``) and those of the held one. ``decide`` gets the migration and the reasons
    that follow from the others.
    """
    out: list[Outlook] = []
    for standing in standings(manifest, seen):
        migration = standing.migration
        if standing.status != "pending":
            continue
        held = [o for o in out if not o.runs]
        needed = [o for o in held if o.standing.migration.id in migration.depends_on]
        before = [o for o in held if o.standing.migration.sets.keys() & migration.sets.keys()]
        stopped = {path for o in before for path in o.standing.pending}
        # documents that no held migration stops may go on, unless the migration is joint
        alone = not migration.joint and not stopped.issuperset(standing.pending)
        waits = [] if alone else before
        why = misfit(migration, seen)
        inherited = [why] if why is not None else []
        for other in dict.fromkeys(o.standing.migration.id for o in [*needed, *waits]):
            reasons = next(o for o in held if o.standing.migration.id == other).decision.reasons
            inherited.append("dependency_pending")
            inherited.extend(r for r in reasons if r not in _NOT_INHERITED)
            if "document_failed" in reasons:
                inherited.append("dependency_failed")
        decision = decide(migration, tuple(inherited))
        out.append(Outlook(standing, decision))
    return out
