"""Events that describe a state: written only when that state differs from what was last reported.

What was last reported is in the state, in the same commit as the event, so that a restart
reports nothing twice. One closed window is one event for a target and class, with all the
migrations that it holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from confmig.adapters.state.connection import stamp
from confmig.adapters.state.records import Trace, Transaction
from confmig.adapters.state.reported import Subject
from confmig.adapters.state.store import Store
from confmig.adapters.workers.protocol import Bundle
from confmig.core.bundle.manifest import CLASSES
from confmig.core.planning.attention import cause
from confmig.core.planning.forecast import Outlook
from confmig.core.policy import reasons
from confmig.core.policy.model import Policy
from confmig.errors import Invalid
from confmig.passes.view import View
from confmig_otel import events as ev


class LastReported:
    """What was last reported of one target."""

    def __init__(self, store: Store, target: str, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._target = target
        self._clock = clock

    def _report(
        self, subject: Subject, state: str, event: ev.Event, trace: Trace | None = None
    ) -> None:
        """Store the state of a subject, and write its event."""
        with self._store.commit():
            self._store.reported.remember(self._target, subject, state)
            self._store.events.add([event], self._clock(), trace)

    def _changed(self, subject: Subject, state: str) -> bool:
        return self._store.reported.state(self._target, subject) != state

    def bundle_loaded(self, bundle: Bundle) -> None:
        """Report that the bundle is valid."""
        digest = bundle.manifest.digest
        state = f"loaded:{digest}"
        if self._changed(Subject.BUNDLE, state):
            attributes = {ev.TARGET: self._target, ev.MANIFEST_DIGEST: f"sha256:{digest}"}
            self._report(Subject.BUNDLE, state, ev.event(ev.BUNDLE_LOADED, attributes))

    def bundle_rejected(self, error: Invalid, reason: str) -> None:
        """Report that the bundle cannot be used; ``reason`` says why that blocks."""
        codes = list(dict.fromkeys(p.code for p in error.problems)) or [error.code]
        state = "rejected:" + json.dumps(sorted(str(p) for p in error.problems))
        if self._changed(Subject.BUNDLE, state):
            attributes = {ev.TARGET: self._target, ev.REASON: reason, ev.REASONS: codes}
            self._report(Subject.BUNDLE, state, ev.event(ev.BUNDLE_REJECTED, attributes))

    def policy(self, policy: Policy) -> None:
        """Report whether the policy is valid or cannot be used."""
        state = f"{policy.state}:{policy.digest}"
        if policy.state == "missing" or not self._changed(Subject.POLICY, state):
            return
        attributes: dict[str, Any] = {
            ev.TARGET: self._target,
            ev.POLICY_DIGEST: f"sha256:{policy.digest}",
        }
        name = ev.POLICY_LOADED
        if policy.state == "invalid":
            name = ev.POLICY_REJECTED
            attributes[ev.REASON] = "policy_invalid"
            attributes[ev.REASONS] = list(dict.fromkeys(p.code for p in policy.problems))
        self._report(Subject.POLICY, state, ev.event(name, attributes))

    def view(self, seen: View) -> None:
        """Report whether a partial failure blocks the target, and what is deferred."""
        self.conflicts(seen.conflicts)
        if not seen.conflicts:
            for kind in CLASSES:
                held = [o for o in seen.outlook if o.standing.migration.kind == kind]
                self._deferred(kind, [o for o in held if not o.runs], seen.policy)

    def conflicts(self, conflicts: tuple[Transaction, ...]) -> None:
        """Report that a partial failure blocks the target, or that it no longer does."""
        blocked = conflicts[0].id if conflicts else ""
        before = self._store.reported.state(self._target, Subject.BLOCKED)
        if blocked == before:
            return
        if not blocked:
            attributes: dict[str, Any] = {ev.TARGET: self._target, ev.BLOCKING: before}
            self._report(Subject.BLOCKED, blocked, ev.event(ev.UNBLOCKED, attributes))
            return
        plan = conflicts[0].plan
        ids = plan.migration_ids
        attributes = {
            ev.TARGET: self._target,
            ev.BLOCKING: plan.id,
            ev.TRANSACTION: plan.id,
            ev.ID: ids[0],
            ev.IDS: ids,
            ev.CLASS: plan.class_,
            ev.DOCUMENTS: plan.documents,
            ev.REASON: "blocked_by_partial_failure",
            ev.CHECKPOINT: plan.checkpoint,
            ev.ERROR_TYPE: "partial_failure",
        }
        event = ev.event(ev.BLOCKED, attributes)
        self._report(Subject.BLOCKED, blocked, event, plan.details.trace)

    def _deferred(self, kind: str, held: list[Outlook], policy: Policy) -> None:
        """Report the migrations of a class that do not run now.

        There is one event for each reason that holds a migration which it did not hold last
        time.
        """
        before = self._store.reported.deferred(self._target, kind)
        now: dict[str, list[Outlook]] = {}
        for outlook in held:
            now.setdefault(cause(outlook.decision), []).append(outlook)
        state = {reason: [o.standing.migration.id for o in group] for reason, group in now.items()}
        if state == before:
            return
        changed = [r for r, ids in state.items() if not set(ids) <= set(before.get(r, ()))]
        events = [self._deferral(kind, reason, now[reason], policy) for reason in changed]
        with self._store.commit():
            self._store.reported.remember_deferred(self._target, kind, state)
            self._store.events.add(events, self._clock())

    def _deferral(self, kind: str, reason: str, held: list[Outlook], policy: Policy) -> ev.Event:
        first = held[0].standing.migration
        times = [o.decision.retry_at for o in held if o.decision.retry_at is not None]
        every = reasons.ranked(r for o in held for r in o.decision.reasons)
        return ev.event(
            ev.DEFERRED,
            {
                ev.TARGET: self._target,
                ev.ID: first.id,
                ev.IDS: [o.standing.migration.id for o in held],
                ev.CLASS: kind,
                ev.ORDER: first.order,
                ev.REASON: reason,
                ev.REASONS: every,
                ev.RETRY_AT: stamp(min(times)) if times else None,
                ev.POLICY_DIGEST: f"sha256:{policy.digest}",
                ev.DOCUMENTS: len({path for o in held for path in o.standing.pending}),
            },
        )
