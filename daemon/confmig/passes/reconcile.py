"""One pass over one target: look, settle what a crash left, decide, apply, and say what happened.

Level-triggered: whatever woke us, a pass reads the facts (files, state, policy, clock) and acts
on them. ``run --once`` is this pass, once; the daemon runs the same function.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from confmig.adapters.files.disk import Disk, Snapshot
from confmig.adapters.files.lease import Writers
from confmig.adapters.files.mounts import filesystem_of, is_network
from confmig.adapters.state import folder as state_folder
from confmig.adapters.state import format as state_format
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.lock import DirectoryLock, RootLock
from confmig.adapters.state.retention import Keep, prune
from confmig.adapters.state.store import Hold, Store, stamp
from confmig.adapters.workers.protocol import Bundle, Worker
from confmig.core.bundle.manifest import CLASSES, Migration
from confmig.core.planning.attention import block_reason
from confmig.core.planning.quiet import BUSY, Quiet, Sight
from confmig.core.planning.regressions import noted
from confmig.core.planning.segments import next_segment
from confmig.core.policy.decide import Decision
from confmig.core.policy.model import Policy
from confmig.core.transaction.phases import Phase
from confmig.errors import (
    DEFERRED,
    DONE,
    FAILED,
    INVALID,
    LATE_FAILURE,
    PARTIAL_FAILURE,
    REFUSED,
    ConfmigError,
    Invalid,
    Refused,
    worst,
)
from confmig.passes import late_append
from confmig.passes.last_reported import LastReported
from confmig.passes.view import (
    View,
    failure_key,
    history_changed,
    load_policy,
    open_for_writing,
    regressions,
    settled_key,
    view,
)
from confmig.settings import Settings, Target
from confmig.transactions import migrate as forward
from confmig.transactions.kinds import records_of
from confmig.transactions.runner import Conflict, Transactor, as_error, drift
from confmig_otel import events as ev
from confmig_otel import spans

REPLANS = 2
"""How often one pass plans again after a file drifted under it."""

_SOON, _LATER = 2.0, 60.0
"""Seconds until the next pass where one gave up because files changed under it: twice as long
each time."""

GROUP = 256
"""Documents of one commit where each is migrated for itself."""

Clock = Callable[[], datetime]
IO_ERROR = "io_error"
_DOCUMENT_CODES = {
    "version_regressed": DEFERRED,
    "document_emptied": DEFERRED,
    BUSY: DEFERRED,
    "document_failed": FAILED,
}


ONCE_WAIT = 5.0
"""Seconds that a command waits for files that are being written; the daemon looks again instead."""
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Pass:
    """How a pass ended. ``look_again``: the seconds after which a file that was not quiet may be,
    None if all were; ``waiting``: the files that are expected to be quiet soon."""

    view: View
    outcomes: tuple[forward.Outcome, ...]
    exit_code: int
    look_again: float | None = None
    waiting: frozenset[str] = frozenset()


class Workspace:
    """The open state of a settings file, for one writer: locks, store, checkpoints."""

    def __init__(
        self,
        settings: Settings,
        worker: Worker,
        clock: Clock,
        recorder: spans.Recorder,
        actor: str,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.settings = settings
        self.worker = worker
        self.clock = clock
        self.recorder = recorder
        self.actor = actor
        self.delivery = False
        self.prints_events = False
        self.last_views: dict[str, View] = {}
        self.troubles: dict[str, ConfmigError] = {}
        self.policies: dict[str, Policy] = {}
        self.patience = 0.0
        self.classes: frozenset[str] = frozenset(CLASSES)  # the only ones that passes consider
        self.pause: Callable[[float], None] = time.sleep
        self.monotonic: Callable[[], float] = time.monotonic
        self._quiet: dict[str, Quiet] = {}
        self._gave_up: dict[str, tuple[frozenset[tuple[str, str]], float]] = {}
        self.beat: Callable[[], None] = lambda: None
        self.stopping: Callable[[], bool] = lambda: False
        self.say = say
        state_folder.prepare(settings.state_dir, say)
        kind = filesystem_of(settings.state_dir)
        if is_network(kind):
            raise Refused(
                "state_on_network",
                f"the state directory is on {kind}, where neither locks nor the log of SQLite "
                "can be trusted",
                place=str(settings.state_dir),
                fix="put it on a local disk; the configuration may be elsewhere",
            )
        with translated(settings.state_dir):
            self._lock = DirectoryLock(str(settings.state_dir), "state directory")
            try:
                self.checkpoints = Checkpoints(settings.state_dir)
                self.checkpoints.prepare()
                self.store = Store.open(settings.state_dir)
            except BaseException:
                self._lock.close()
                raise

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the state and release the lock."""
        self.store.close()
        self._lock.close()

    def quiet(self, target: str) -> Quiet:
        """What is remembered of a target's files that were not quiet."""
        rule = self.settings.watch.rule()
        if self.patience:
            # a little less than the pass waits, so that its last look knows that the wait is over
            rule = replace(rule, wait=min(rule.wait, 0.9 * self.patience))
        return self._quiet.setdefault(target, Quiet(rule))

    def outbox_full(self) -> bool:
        """Whether so many events wait that migrations must stop. Never without delivery."""
        return self.delivery and self.store.outbox_size()[0] >= self.settings.telemetry.outbox_limit

    # --- the pass

    def reconcile(self, target: Target) -> Pass:
        """One pass over one target.

        Raises ``Invalid`` for a bad bundle, ``LockHeld``, ``Unfinished`` and what the state
        itself raises; everything else is in the result.
        """
        try:
            result = self._reconcile(target)
        except ConfmigError as error:
            self.troubles[target.name] = error
            raise
        self.troubles.pop(target.name, None)
        return result

    def _reconcile(self, target: Target) -> Pass:
        with (
            translated(self.settings.state_dir),
            self.recorder.span(
                spans.RUN, "run_config_migrations", {ev.TARGET: target.name}
            ) as span,
        ):
            state_folder.check_same(self.settings.state_dir, self._lock.fd)
            with self.open(target) as disk:
                self.recover(target, disk)  # needs no bundle: a broken one must not stop it
                last = self._last_reported(target)
                last.conflicts(tuple(self.store.conflicts(target.name)))
                policy = self.policies[target.name] = load_policy(target, self.worker)
                last.policy(policy)
                bundle = self._bundle(target)
                span.set(ev.MANIFEST_DIGEST, f"sha256:{bundle.manifest.digest}")
                result = self._pass(target, bundle, policy, disk)
            if result.exit_code not in (DONE, DEFERRED):
                span.fail(_error_type(result))
            return result

    def _bundle(self, target: Target) -> Bundle:
        """The target's bundle. Raises ``Invalid`` for one that cannot be used, after the event."""
        last = self._last_reported(target)
        try:
            bundle = self.load_bundle(target)
            history_changed(bundle, self.store, target.name)
        except Invalid as error:
            reason = block_reason(error.code, invalid=True)
            assert reason is not None
            last.bundle_rejected(error, reason)
            raise
        last.bundle_loaded(bundle)
        return bundle

    def load_bundle(self, target: Target) -> Bundle:
        """The target's bundle. Raises ``Invalid`` with every problem in it."""
        return self.worker.load(target.bundle, self.settings.limits.caps(), target.parameters)

    def _last_reported(self, target: Target) -> LastReported:
        return LastReported(self.store, target.name, self.clock)

    def open(self, target: Target) -> Disk:
        """A target's files, locked; a context manager."""
        open_files = self.settings.watch.busy.then == "migrate"
        ways = replace(target.ways(), open_files=open_files)
        disk = Disk(str(target.root), size_cap=self.settings.limits.size, ways=ways)
        try:
            lock = RootLock(str(target.root), self.settings.state_dir, os.environ, self.say)
        except BaseException:
            disk.close()
            raise
        return _Locked(disk, lock)

    def _pass(self, target: Target, bundle: Bundle, policy: Policy, disk: Disk) -> Pass:
        last = self._last_reported(target)
        look = _Looks(self, target, bundle, policy, disk)
        outcomes: list[forward.Outcome] = []
        replans = 0
        excluded: set[str] = set()
        rollout = ""
        while True:
            seen = look.when_quiet()
            if not outcomes:
                outcomes += self._late_appends(seen, disk, look)
                if outcomes:
                    continue
            self._note_regressions(seen)
            decisions = {o.standing.migration.id: o.decision for o in seen.outlook}

            def allowed(migration: Migration, known: dict[str, Decision] = decisions) -> bool:
                decision = known.get(migration.id)
                considered = migration.kind in self.classes
                return considered and decision is not None and decision.verdict == "allow"

            segment = next_segment(bundle.manifest, seen.documents, allowed, frozenset(excluded))
            if segment is None:
                break
            late = _late(seen)
            used = tuple(a for m in segment.migrations for a in decisions[m.id].approvals)
            rollout = rollout or forward.new_id(self.clock())
            whole = len(segment.steps)
            if target.atomic == "document":
                segment, late = segment.head(GROUP), lambda path, migration: True
            ends = len(segment.steps) == whole
            used = used if ends else ()  # approvals are spent at the end
            digests = {d.path: d.digest for d in seen.documents}
            job = self._job(target, bundle, disk, rollout)
            outcome = forward.apply(job, segment, digests, used, late)
            outcomes.append(outcome)
            rollout = "" if ends else rollout
            if outcome.kind == "drifted":
                replans += 1
                if replans > REPLANS:
                    break
            elif outcome.kind == "busy":
                if not look.waits():
                    break
            elif outcome.kind == "document_failed":
                assert outcome.document is not None
                excluded.add(outcome.document)
                self._record_failure(seen, outcome)
            elif outcome.kind == "failed":
                self._record_failure(seen, outcome)
                break
            elif outcome.kind in ("partial", "unclean"):
                break
            if self.stopping():
                break
        seen = look.once()
        last.view(seen)
        self._settle(seen)
        if outcomes:
            said = self.settings.retention
            keep = Keep(said.checkpoints, said.days, said.size)
            prune(self.store, self.checkpoints, keep, self.clock(), delivery=self.delivery)
        self.last_views[target.name] = seen
        code = _exit_code(seen, outcomes, excluded, self.classes)
        again = look.again
        if outcomes and outcomes[-1].kind in ("drifted", "busy"):
            # the last look may have been quiet: then no event need follow it
            wait = self._wait_after(seen, outcomes[-1])
            again = min(again, wait) if again is not None else wait
        else:
            self._gave_up.pop(target.name, None)
        return Pass(seen, tuple(outcomes), code, again, frozenset(look.waiting))

    def _wait_after(self, seen: View, outcome: forward.Outcome) -> float:
        """The seconds until the next pass after one that gave up: few, and twice as many each time
        that the same files, unchanged, stop it."""
        target, stopped = seen.target.name, outcome.segment.steps
        files = frozenset((d.path, d.digest) for d in seen.documents if d.path in stopped)
        known, wait = self._gave_up.get(target, (files, 0.0))
        wait = min(wait * 2, _LATER) if wait and known == files else _SOON
        self._gave_up[target] = (files, wait)
        return wait

    def _late_appends(self, seen: View, disk: Disk, look: _Looks) -> list[forward.Outcome]:
        """Migrate again what a writer completed after it was migrated. No window is asked: the
        migrations were allowed and have run."""
        if seen.policy.state == "invalid" or seen.conflicts or disk.read_only():
            return []
        changed = {
            d.path: seen.recorded[d.path][2]
            for d in seen.documents
            if d.path in seen.recorded and d.digest not in ("", seen.recorded[d.path][1])
        }
        if not changed:
            return []
        now = self.clock()
        late = late_append.find(
            seen.bundle, self.store, self.checkpoints, disk, changed, now, look.is_quiet
        )
        job = self._job(seen.target, seen.bundle, disk, forward.new_id(now))
        return [late_append.migrate(job, one) for one in late]

    def _job(self, target: Target, bundle: Bundle, disk: Disk, rollout: str) -> forward.Job:
        return forward.Job(
            target.name,
            bundle,
            self.store,
            self.checkpoints,
            disk,
            self.clock,
            self.recorder,
            self.actor,
            rollout,
            self.beat,
        )

    def recover(self, target: Target, disk: Disk) -> None:
        """Finish or undo what a crash left. Raises ``Conflict`` never: it is recorded."""
        for row in self.store.unfinished(target.name):
            transactor = Transactor(self.store, self.checkpoints, disk, self.clock, beat=self.beat)
            try:
                phase = transactor.recover(row, records_of(row))
            except Conflict:
                continue  # it is recorded, and every pass reports it
            how = "finished" if phase is Phase.DONE else "undone"
            self.say(f"{target.name}: {row.kind} {row.id} was interrupted and is {how} now")

    def _note_regressions(self, seen: View) -> None:
        """Say, once for each transaction of ours that was undone by somebody, that it was."""
        target, now = seen.target.name, self.clock()
        for document in seen.documents:
            recorded = seen.recorded.get(document.path)
            if recorded is None or document.version is None or document.version >= recorded[0]:
                continue
            before = regressions(self.store, target, document.path)
            after = noted(before, recorded[2], now)
            if any(r.transaction == recorded[2] for r in before):
                continue
            said = json.dumps([[r.transaction, r.at.isoformat()] for r in after])
            with self.store.commit():
                self.store.announce(target, f"regressed:{document.path}", said)
                self.store.add_events([drift(target, document.path, "version_regressed")], now)

    def _settle(self, seen: View) -> None:
        """Remember the content with which nothing is due in a document without a stamp."""
        target = seen.target.name
        keys = {
            f"settled:{d.path}": settled_key(seen.bundle, d.config, d.digest)
            for d in seen.documents
            if d.healthy and d.due == ()
        }
        news = {s: key for s, key in keys.items() if self.store.announced(target, s) != key}
        if news:
            with self.store.commit():
                for subject, key in news.items():
                    self.store.announce(target, subject, key)

    def _record_failure(self, seen: View, outcome: forward.Outcome) -> None:
        """A failed migration is held until something changes, unless the disk failed and not the
        document: then the next pass tries again. A failed late document is tried in every pass,
        and said once."""
        error = outcome.error
        assert error is not None
        assert outcome.migration is not None
        now = self.clock()
        alone = [d for d in seen.documents if d.path == outcome.document]
        whole = outcome.kind == "failed"
        key = failure_key(seen.bundle, seen.policy, seen.documents if whole else tuple(alone))
        detail = str(error)
        target = seen.target.name
        with self.store.commit():
            # what failed while it was written was not the document's fault: it is tried again
            if whole and outcome.transaction is None and error.code != IO_ERROR:
                self.store.set_hold(
                    target, Hold(outcome.migration, "document_failed", key, detail, stamp(now))
                )
            kind = "failure" if whole else "late"
            subject = f"{kind}:{outcome.migration}:{outcome.document}"
            news = self.store.announce(target, subject, key)
            begun = outcome.transaction is not None and self.store.transaction(outcome.transaction)
            if news and not begun:  # what was begun has told of its end itself
                migration = seen.bundle.manifest.by_id[outcome.migration]
                phase = "checkpoint" if outcome.transaction else "transform"
                said = forward.failure(error, phase, "failed")
                if outcome.document is not None:
                    said[ev.PATH] = outcome.document
                attributes = {
                    ev.TARGET: target,
                    ev.ID: migration.id,
                    ev.CLASS: migration.kind,
                    ev.MANIFEST_DIGEST: f"sha256:{seen.bundle.manifest.digest}",
                }
                event = ev.event(ev.FAILED, attributes | said)
                self.store.add_events([event], now, outcome.trace)


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """What the system or SQLite raise, in our words: never a bug report for a full disk."""
    try:
        yield
    except OSError as error:
        raise as_error(error) from error
    except sqlite3.Error as error:
        raise state_format.unreadable(folder / "state.db", error) from error


class _Looks:
    """The looks of one pass at its target. ``again``: the seconds after which a file that was not
    quiet at the last look may be."""

    def __init__(
        self, space: Workspace, target: Target, bundle: Bundle, policy: Policy, disk: Disk
    ) -> None:
        self._space = space
        self._target = target
        self._bundle = bundle
        self._policy = policy
        self._disk = disk
        self._until = space.monotonic() + space.patience
        self.again: float | None = None
        self.waiting: set[str] = set()

    def once(self) -> View:
        """One look."""
        self.again = None
        self.waiting.clear()
        space = self._space
        return view(
            self._target,
            self._bundle,
            self._policy,
            self._disk,
            space.store,
            space.clock(),
            outbox_full=space.outbox_full(),
            unquiet=self._unquiet,
        )

    def when_quiet(self) -> View:
        """A look at quiet files, or at what is there when the pass's patience is over."""
        while True:
            seen = self.once()
            busy = any(d.problem == BUSY for d in seen.documents)
            if not busy or not self.waits():
                return seen

    def waits(self) -> bool:
        """Wait a moment for a file to be quiet; False if the pass's patience is over."""
        left = self._until - self._space.monotonic()
        if left <= 0 or self._space.stopping():
            return False
        self._space.beat()
        self._space.pause(min(left, _PAUSE, self.again or _PAUSE))
        return True

    def is_quiet(self, snapshot: Snapshot) -> bool:
        """Whether a document may be touched now."""
        recorded = self._space.store.documents(self._target.name)
        return not self._unquiet(snapshot, recorded.get(snapshot.path))

    def _unquiet(self, snapshot: Snapshot, recorded: tuple[int, str, str] | None) -> str:
        space = self._space
        now = space.monotonic()
        changed_at = max(snapshot.signature.ctime, 0) / 1e9
        found = space.quiet(self._target.name).look(
            snapshot.path,
            Sight(
                snapshot.writers is Writers.OPEN,
                snapshot.signature,
                space.clock().timestamp() - changed_at,
                recorded is not None,
                recorded is not None and recorded[1] == snapshot.digest,
                now,
            ),
        )
        if found is None:
            return ""
        if not found.overdue:
            self.waiting.add(snapshot.path)
        self.again = min(found.seconds, self.again if self.again is not None else found.seconds)
        if found.open:
            return open_for_writing(snapshot)
        return "it changed a moment ago; a process may still be writing it"


class _Locked(Disk):
    """A disk that releases the directory's lock when it is closed."""

    def __init__(self, disk: Disk, lock: RootLock) -> None:
        self.__dict__.update(disk.__dict__)
        self._lock = lock

    def close(self) -> None:
        super().close()
        self._lock.close()


def _late(seen: View) -> Callable[[str, str], bool]:
    """Whether a migration is applied on some other document already."""

    def late(path: str, migration: str) -> bool:
        wanted = seen.bundle.manifest.by_id[migration]
        return any(
            d.path != path and d.config in wanted.sets and d.has(wanted) for d in seen.documents
        )

    return late


def _error_type(result: Pass) -> str:
    errors = [o.error.code for o in result.outcomes if o.error is not None]
    return errors[0] if errors else "blocked_by_partial_failure"


def exit_code_of(error: ConfmigError, store: Store, target: str) -> int:
    """The exit code of a pass that an error ended: a partial failure comes before a bad bundle."""
    conflicts = [PARTIAL_FAILURE] if store.conflicts(target) else []
    return worst([error.exit_code, *conflicts])


def _exit_code(
    seen: View, outcomes: list[forward.Outcome], excluded: set[str], classes: frozenset[str]
) -> int:
    codes = [DONE]
    if seen.conflicts:
        codes.append(PARTIAL_FAILURE)
    if seen.policy.state == "invalid":
        codes.append(INVALID)
    if any(o.kind == "unclean" for o in outcomes):
        codes.append(LATE_FAILURE)
    if any(o.kind == "failed" for o in outcomes) or excluded:
        codes.append(FAILED)
    for outlook in seen.outlook:
        decision = outlook.decision
        if outlook.standing.migration.kind not in classes:
            continue  # it is listed, and no more
        if len(classes) < len(CLASSES) and "document_failed" not in decision.reasons:
            codes.append(DEFERRED)  # what it waits for may be of another class
        elif "document_failed" in decision.reasons or "dependency_failed" in decision.reasons:
            codes.append(FAILED)
        elif decision.verdict == "hold" or decision.verdict == "allow":
            codes.append(DEFERRED)
    for document in seen.documents:
        if document.problem == IO_ERROR:
            codes.append(LATE_FAILURE if any(o.changed for o in outcomes) else FAILED)
        elif not document.healthy:
            codes.append(_DOCUMENT_CODES.get(document.problem or "", REFUSED))
    return worst(codes)
