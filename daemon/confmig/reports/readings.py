"""What the metrics show: counts and states of all targets, taken from their last views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confmig.adapters.state.store import Store
from confmig.core.bundle.manifest import CLASSES
from confmig.core.planning import attention
from confmig.core.policy.model import Policy
from confmig.errors import Blocked, ConfmigError, Invalid
from confmig.passes.view import View
from confmig_otel.metrics import Readings


def readings(
    store: Store,
    targets: Iterable[str],
    views: Mapping[str, View],
    policies: Mapping[str, Policy],
    troubles: Mapping[str, ConfmigError | None],
    *,
    delivery: bool,
) -> Readings:
    """The readings now.

    ``views`` has the last view of each target, ``policies`` its policy as it was read last,
    ``troubles`` the error that is in the way of a view since. Without delivery events are
    history: none of them waits.
    """
    targets = list(targets)
    pending: dict[tuple[str, str], int] = {}
    held: dict[tuple[str, str, str], int] = {}
    waiting: set[tuple[str, str, str]] = set()
    documents: dict[tuple[str, str, str], int] = {}
    for name, view in views.items():
        for kind in CLASSES:
            pending[(name, kind)] = sum(o.standing.migration.kind == kind for o in view.outlook)
        by_class = [(o.standing.migration.kind, o.decision) for o in view.outlook]
        held |= {(name, *key): n for key, n in attention.held(by_class).items()}
        by_id = [(o.standing.migration.id, o.decision) for o in view.outlook]
        problems = [d.problem for d in view.documents if d.problem is not None]
        waiting |= {(name, *found) for found in attention.attention(by_id, problems)}
        for (config, state), number in view.observation.counts.items():
            documents[(name, config, state)] = number
    for name, trouble in troubles.items():
        if trouble is not None and not _passes(trouble):
            waiting.add((name, "", "document_failed"))
    conflicts = [name for name in targets if store.transactions.conflicts(name)]
    return Readings(
        pending,
        blocked(targets, conflicts, policies, troubles),
        documents,
        store.events.waiting()[0] if delivery else 0,
        store.events.rejected(),
        store.transactions.last_success(),
        held,
        dict.fromkeys(attention.limited(waiting), 1),
    )


def _passes(trouble: ConfmigError) -> bool:
    """Whether the error of a pass has a series of its own, or may be gone in the next pass."""
    code = trouble.code
    if isinstance(trouble, Blocked) or code in attention.PASSING:
        return True
    return attention.block_reason(code, invalid=isinstance(trouble, Invalid)) is not None


def blocked(
    targets: Iterable[str],
    conflicts: Iterable[str],
    policies: Mapping[str, Policy],
    troubles: Mapping[str, ConfmigError | None],
) -> dict[tuple[str, str], int]:
    """One series for each target and each blocking reason: 1 while it blocks, else 0.

    ``conflicts``: the targets that a partial failure blocks.
    """
    conflicts = set(conflicts)
    out: dict[tuple[str, str], int] = {}
    for name in targets:
        now = set()
        policy, trouble = policies.get(name), troubles.get(name)
        if name in conflicts:
            now.add("blocked_by_partial_failure")
        if policy is not None and policy.state == "invalid":
            now.add("policy_invalid")
        if trouble is not None:
            reason = attention.block_reason(trouble.code, invalid=isinstance(trouble, Invalid))
            now |= {reason} if reason is not None else set()
        out |= {(name, reason): int(reason in now) for reason in attention.BLOCKED}
    return out
