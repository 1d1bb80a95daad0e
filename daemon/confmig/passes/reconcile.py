"""One pass over one target: settle what a crash left, observe, decide, apply, report.

Level-triggered: whatever woke us, a pass reads the facts (files, state, policy, clock) and acts
on them. ``run --once`` is this pass, once; the daemon runs the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from confmig.adapters.files.port import FileSystem
from confmig.adapters.state.opened import translated
from confmig.adapters.state.retention import Keep, prune
from confmig.adapters.workers.protocol import Bundle
from confmig.core.bundle.manifest import Migration
from confmig.core.planning.attention import block_reason
from confmig.core.planning.segments import next_segment
from confmig.core.policy.decide import Decision
from confmig.core.policy.model import Policy
from confmig.errors import DEFERRED, DONE, REFUSED, Bug, ConfmigError, Invalid
from confmig.passes import late_append
from confmig.passes.exit_codes import DOCUMENTS, FAILURES, exit_code
from confmig.passes.load_policy import load_policy
from confmig.passes.looks import Looks
from confmig.passes.remember import remember_failure, remember_finished, remember_regressions
from confmig.passes.result import Pass
from confmig.passes.view import View, check_history
from confmig.passes.workspace import Workspace
from confmig.settings import Target
from confmig.transactions.migrate import Job, Outcome, new_id
from confmig_otel import events as ev
from confmig_otel import spans

REPLANS = 2
"""How often one pass plans again after a file drifted under it."""

_SOON, _LATER = 2.0, 60.0
"""The first and the longest wait, in seconds, after a pass that gave up because files changed under
it. It doubles while the same files do so."""

GROUP = 256
"""Documents of one commit where each is migrated for itself."""

ONCE_WAIT = 5.0
"""Seconds that a command waits for files that are being written; the daemon looks again instead."""


def reconcile(space: Workspace, target: Target) -> Pass:
    """One pass over one target.

    Raises ``Invalid`` for a bad bundle, ``LockHeld``, ``Unfinished`` and what the state itself
    raises; everything else is in the result.
    """
    memory = space.memory(target.name)
    try:
        result = _reconcile(space, target)
    except ConfmigError as error:
        memory.trouble = error
        raise
    except Exception as error:
        memory.trouble = Bug.of(error)
        raise
    memory.trouble = None
    memory.view = result.view
    return result


def _reconcile(space: Workspace, target: Target) -> Pass:
    attributes = {ev.TARGET: target.name}
    with (
        translated(space.settings.state_dir),
        space.recorder.span(spans.RUN, "run_config_migrations", attributes) as span,
    ):
        space.check_same_state()
        with space.open(target) as disk:
            space.recover(target, disk)  # needs no bundle: a broken one must not stop it
            last = space.last_reported(target.name)
            last.conflicts(tuple(space.store.transactions.conflicts(target.name)))
            policy = space.memory(target.name).policy = load_policy(target, space.worker)
            last.policy(policy)
            bundle = _bundle(space, target)
            span.set(ev.MANIFEST_DIGEST, f"sha256:{bundle.manifest.digest}")
            result = _Run(space, target, bundle, policy, disk).result()
        if result.exit_code not in (DONE, DEFERRED):
            span.fail(_failure(result))
        return result


def _failure(result: Pass) -> str:
    """What is wrong after a pass that failed: a reason or an error code."""
    view = result.view
    if view.conflicts:
        return "blocked_by_partial_failure"
    if view.policy.state == "invalid":
        return "policy_invalid"
    failed = [o for o in result.outcomes if o.kind not in ("drifted", "busy")]  # planned again
    codes = [o.error.code for o in failed if o.error is not None]
    problems = [d.problem for d in view.documents if d.problem is not None]
    codes += [p for p in problems if DOCUMENTS.get(p, REFUSED) != DEFERRED]
    reasons = {reason for o in view.outlook for reason in o.decision.reasons}
    codes += [reason for reason in FAILURES if reason in reasons]
    return codes[0] if codes else f"exit_code_{result.exit_code}"


def _bundle(space: Workspace, target: Target) -> Bundle:
    """The target's bundle. Raises ``Invalid`` for one that cannot be used, after the event."""
    last = space.last_reported(target.name)
    try:
        bundle = space.load_bundle(target)
        check_history(bundle, space.store, target.name)
    except Invalid as error:
        reason = block_reason(error.code, invalid=True)
        assert reason is not None
        last.bundle_rejected(error, reason)
        raise
    last.bundle_loaded(bundle)
    return bundle


@dataclass(slots=True)
class _Run:
    """The work of one pass: segments, one after the other, until nothing more may run.

    ``excluded``: documents that failed in this pass. ``rollout``: the id that all transactions of
    one segment share where it is committed in parts; empty between segments.
    """

    space: Workspace
    target: Target
    bundle: Bundle
    policy: Policy
    disk: FileSystem
    looks: Looks = field(init=False)
    outcomes: list[Outcome] = field(default_factory=list)
    excluded: set[str] = field(default_factory=set)
    rollout: str = ""
    replans: int = 0

    def __post_init__(self) -> None:
        self.looks = Looks(self.space, self.target, self.bundle, self.policy, self.disk)

    def result(self) -> Pass:
        """Run the pass."""
        goes_on = not self.space.conduct.stopping()
        while goes_on:
            seen = self.looks.when_quiet()
            if not self.outcomes:
                self.outcomes += self._late_appends(seen)
                if self.outcomes:
                    continue
            remember_regressions(self.space, seen)
            goes_on = self._next(seen)
        return self._finished(self.looks.once())

    def _next(self, seen: View) -> bool:
        """Run the next segment; False if there is none, or the pass ends with it."""
        decisions = {o.standing.migration.id: o.decision for o in seen.outlook}
        segment = next_segment(
            self.bundle.manifest,
            seen.observation,
            self._allowed(decisions),
            frozenset(self.excluded),
        )
        if segment is None:
            return False
        self.rollout = self.rollout or new_id(self.space.clock())
        per_document = self.target.atomic == "document"
        part = segment.head(GROUP) if per_document else segment

        def fails_alone(name: str) -> bool:
            return per_document or seen.observation.any_past(self.bundle.manifest.by_id[name])

        ends = len(part.steps) == len(segment.steps)
        # approvals are spent at the end
        used = tuple(a for m in segment.migrations for a in decisions[m.id].approvals)
        digests = {d.path: d.digest for d in seen.documents}
        apply = self.space.mode(self.target).apply
        outcome = apply(self._job(), part, digests, used if ends else (), fails_alone)
        self.outcomes.append(outcome)
        self.rollout = "" if ends else self.rollout
        return self._goes_on(seen, outcome) and not self.space.conduct.stopping()

    def _allowed(self, decisions: dict[str, Decision]) -> Callable[[Migration], bool]:
        def allowed(migration: Migration) -> bool:
            decision = decisions.get(migration.id)
            considered = migration.kind in self.space.conduct.classes
            return considered and decision is not None and decision.verdict == "allow"

        return allowed

    def _goes_on(self, seen: View, outcome: Outcome) -> bool:
        """Whether the pass looks again after a segment."""
        if outcome.kind == "drifted":
            self.replans += 1
            return self.replans <= REPLANS
        if outcome.kind == "busy":
            return self.looks.waits()
        if outcome.kind == "document_failed":
            assert outcome.document is not None
            self.excluded.add(outcome.document)
            remember_failure(self.space, seen, outcome)
        elif outcome.kind == "failed":
            remember_failure(self.space, seen, outcome)
        return outcome.kind in ("committed", "document_failed")

    def _finished(self, seen: View) -> Pass:
        space, outcomes = self.space, self.outcomes
        space.last_reported(self.target.name).view(seen)
        remember_finished(space, seen)
        if outcomes:
            retention = space.settings.retention
            prune(
                space.store,
                space.checkpoints,
                Keep(retention.checkpoints, retention.days, retention.size),
                space.clock(),
                delivery=space.conduct.delivery,
                unneeded=space.unneeded_images or any(o.kind != "committed" for o in outcomes),
            )
            space.unneeded_images = False
        code = exit_code(
            conflicts=bool(seen.conflicts),
            policy_invalid=seen.policy.state == "invalid",
            outcomes=[o.kind for o in outcomes],
            changed=any(o.changed for o in outcomes),
            outlook=seen.outlook,
            documents=seen.documents,
            classes=space.conduct.classes,
        )
        return Pass(seen, tuple(outcomes), code, self._again(seen), frozenset(self.looks.waiting))

    def _again(self, seen: View) -> float | None:
        """The seconds after which the next pass may find more than this one."""
        memory, again = self.space.memory(self.target.name), self.looks.again
        if not self.outcomes or self.outcomes[-1].kind not in ("drifted", "busy"):
            memory.gave_up = (frozenset(), 0.0)
            return again
        # the files may be quiet by now, so that no event follows: plan the next pass here
        stopped = self.outcomes[-1].segment.steps
        files = frozenset((d.path, d.digest) for d in seen.documents if d.path in stopped)
        known, wait = memory.gave_up
        wait = min(wait * 2, _LATER) if wait and known == files else _SOON
        memory.gave_up = (files, wait)
        return min(again, wait) if again is not None else wait

    def _late_appends(self, seen: View) -> list[Outcome]:
        """Migrate again what a writer completed after it was migrated.

        No window is checked again: the migrations were allowed and have run.
        """
        if seen.policy.state == "invalid" or seen.conflicts or self.disk.read_only():
            return []
        changed = {
            d.path: seen.recorded[d.path].transaction
            for d in seen.documents
            if d.path in seen.recorded and d.digest not in ("", seen.recorded[d.path].digest)
        }
        if not changed:
            return []
        space, now = self.space, self.space.clock()
        late = late_append.find(
            self.bundle,
            space.store,
            space.checkpoints,
            self.disk,
            changed,
            now,
            self.looks.is_quiet,
        )
        self.rollout = new_id(now)
        job = self._job()
        self.rollout = ""
        return [late_append.migrate(job, one) for one in late]

    def _job(self) -> Job:
        space = self.space
        return Job(
            self.target.name,
            self.bundle,
            space.store,
            space.checkpoints,
            self.disk,
            space.clock,
            space.recorder,
            space.actor,
            self.rollout,
            space.conduct.beat,
        )
