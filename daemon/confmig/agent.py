"""The daemon: one inbox, one writer.

The main thread owns state, disk and decisions. File events, the timer, signals, the control
socket and the relay only put a message into one queue. Whatever arrives, the answer is to look
again; a tick makes a lost message harmless.
"""

from __future__ import annotations

import os
import queue
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from confmig.adapters import signals
from confmig.adapters.control import ControlServer
from confmig.adapters.disk import Ways
from confmig.adapters.mounts import is_remote
from confmig.adapters.notify import Notify
from confmig.adapters.probes import Measured, ProbeServer, Snapshot
from confmig.adapters.telemetry import Telemetry, instance_id, plan, settle
from confmig.adapters.timer import Timer
from confmig.adapters.watch import Watcher
from confmig.commands import answer
from confmig.errors import (
    DEFERRED,
    DONE,
    INVALID,
    LOCK_HELD,
    PARTIAL_FAILURE,
    ConfmigError,
    Invalid,
    Problem,
    Unfinished,
)
from confmig.reconcile import Pass, Workspace
from confmig.reporting import event_text, readings
from confmig.settings import Settings
from confmig_otel.metrics import Readings

if TYPE_CHECKING:
    from confmig_otel.relay import Delivery, RelayThread

TICK = 5.0
"""Seconds between two beats of an idle loop; the longest a lost wake-up can go unnoticed is the
rescan interval of the settings."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Look again. ``settle``: it came from a file event, so wait for quiet first."""

    why: str
    settle: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """End after the message at hand."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command of the control socket; the reply goes into its queue."""

    message: dict[str, Any]
    reply: queue.SimpleQueue[dict[str, Any]] = field(default_factory=queue.SimpleQueue)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the relay proved."""

    result: Delivery


Message = Wake | Stop | Request | Delivered


class Agent:
    """The running daemon of one settings file."""

    def __init__(
        self,
        settings: Settings,
        *,
        console: bool = False,
        exit_on_block: bool = False,
        target: str | None = None,
    ) -> None:
        self._settings = settings
        self._console = console
        self._exit_on_block = exit_on_block
        self._targets = (settings.target(target),) if target else settings.targets
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._snapshot = Snapshot(beat=time.monotonic())
        self._notify = Notify(os.environ, time.monotonic)
        self._trouble: dict[str, ConfmigError | None] = {}
        self._passes: dict[str, Pass] = {}
        self._http: ProbeServer | None = None
        self._relay: RelayThread | None = None
        self._relay_busy = False
        self._said = 0
        self._stopping = False

    def run(self) -> int:
        """Run until stopped; returns the exit code."""
        settings = self._settings
        where = plan(settings.telemetry.exporter, settings.telemetry.endpoint, os.environ)
        telemetry = Telemetry(
            where,
            settings.telemetry.service_name,
            instance_id(settings.state_dir, os.environ),
            os.environ.get("TRACEPARENT"),
        )
        recorder = Measured(telemetry.recorder)
        signals.install(self._stop, lambda: self._inbox.put(Wake("SIGHUP")))
        try:
            space = self._open(telemetry, recorder)
            if space is None:
                return DONE
            with space:
                space.delivery = where.delivers_events
                return self._serve(space, telemetry, recorder)
        finally:
            self._end_probes()
            telemetry.close()

    def _open(self, telemetry: Telemetry, recorder: Measured) -> Workspace | None:
        """The state; None if asked to stop before it could be read.

        While it cannot be read this process stays up, unready, so that an alert can fire. It holds
        no lock then: ``confmig restore-state`` may run, and what it restores is taken up. A state
        that was moved away is waited for; an empty one in its place would forget everything.
        """
        settings = self._settings
        file = settings.state_dir / "state.db"
        there = os.path.exists(file)
        trouble: ConfmigError | None = None
        while True:
            try:
                if os.path.exists(file) or not there:
                    return Workspace(settings, _clock, recorder, f"uid:{os.getuid()}")
            except ConfmigError as error:
                taken = trouble is not None and error.code == "lock_held"
                if self._exit_on_block or not (taken or error.code == "state_unreadable"):
                    raise
                self._probes(recorder)
                if str(error) != str(trouble):
                    self._log(str(error))
                    self._log(f"nothing is migrated until the state is back{self._probes_at()}")
                trouble = error
                self._unready(error.code, telemetry)
            self._beat()
            try:
                message = self._inbox.get(timeout=TICK)
            except queue.Empty:
                continue
            if isinstance(message, Stop):
                return None

    def _serve(self, space: Workspace, telemetry: Telemetry, recorder: Measured) -> int:
        space.beat = self._beat
        space.stopping = lambda: self._stopping
        self._probes(recorder)
        control = ControlServer(self._settings.state_dir, self._ask)
        control.start()
        timer = Timer(lambda: self._inbox.put(Wake("timer")))
        timer.start()
        self._watcher = watcher = Watcher(
            [t.root for t in self._targets],
            [
                f
                for t in self._targets
                for f in (t.policy, t.bundle / "manifest.json", t.bundle / "manifest.sum")
                if f
            ],
            self._settings.state_dir,
            lambda: self._inbox.put(Wake("file event", settle=True)),
            polled=[t.root for t in self._targets if t.ways() != Ways() or is_remote(t.root)],
        )
        watcher.start()
        self._start_relay(telemetry)
        self._said = space.store.outbox_head()
        roots = ", ".join(str(t.root) for t in self._targets)
        self._log(f"watching {roots}{self._probes_at()}")
        try:
            return self._loop(space, telemetry, timer)
        finally:
            watcher.stop()
            timer.stop()
            control.close()
            if self._relay is not None:
                self._relay.stop()
                self._relay.join(3.0)
            self._settle_reports(space)
            self._end_probes()  # before the lock is free: the next one needs the port
            telemetry.drain(space.store, self._settings.telemetry.drain_seconds, _clock)

    def _probes(self, recorder: Measured) -> None:
        where = self._settings.http
        if not where.enabled or self._http is not None:
            return
        try:
            http = ProbeServer(
                where.host, where.port, lambda: self._snapshot, time.monotonic, recorder.registry
            )
        except (OSError, OverflowError) as error:
            place = f"http: {where.host}:{where.port}"
            raise Invalid(
                "settings_invalid",
                "the probes cannot listen",
                [Problem("settings_invalid", place, str(error), "choose another port, or 0")],
            ) from None
        http.start()
        self._http = http

    def _end_probes(self) -> None:
        if self._http is not None:
            self._http.stop()
            self._http = None

    def _probes_at(self) -> str:
        http = self._http
        return f"; probes on http://{self._settings.http.host}:{http.port}" if http else ""

    def _loop(self, space: Workspace, telemetry: Telemetry, timer: Timer) -> int:
        code = self._look(space, telemetry, timer)
        rescan = time.monotonic() + self._settings.watch.rescan
        while code is None:
            self._publish(space, telemetry)
            try:
                message = self._inbox.get(timeout=max(0.0, min(TICK, rescan - time.monotonic())))
            except queue.Empty:
                if time.monotonic() < rescan:
                    continue
                self._watcher.retry()
                message = Wake("rescan")
            if isinstance(message, Stop):
                return DONE
            if isinstance(message, Request):
                fatal = self._answer(space, message)
                if fatal is not None:
                    return fatal
                message = Wake("command")
            if isinstance(message, Delivered):
                self._delivered(space, message.result)
            if isinstance(message, Wake):
                if message.settle and self._quiet(space):
                    return DONE
                code = self._look(space, telemetry, timer)
                rescan = time.monotonic() + self._settings.watch.rescan
        return code

    def _quiet(self, space: Workspace) -> bool:
        """Wait until file events pause; True if asked to stop meanwhile."""
        watch = self._settings.watch
        deadline = time.monotonic() + watch.settle_at_most
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = self._inbox.get(timeout=min(watch.settle, left))
            except queue.Empty:
                break
            if isinstance(message, Stop):
                return True
            if isinstance(message, Request):
                self._inbox.put(message)  # not lost, only not in the middle of a settling file
                return False
            if isinstance(message, Delivered):
                self._delivered(space, message.result)
        return False

    def _answer(self, space: Workspace, request: Request) -> int | None:
        """Execute a request and reply; an exit code if this process must end."""
        reply, fatal = answer(space, request.message)
        request.reply.put(reply)
        self._after(space)
        return fatal

    def _look(self, space: Workspace, telemetry: Telemetry, timer: Timer) -> int | None:
        """One pass over every target; an exit code ends the daemon."""
        moments = []
        for target in self._targets:
            try:
                result = space.reconcile(target)
            except Unfinished as error:
                self._log(f"{target.name}: {error}")
                return error.exit_code  # recovery belongs to a new process
            except ConfmigError as error:
                if str(self._trouble.get(target.name)) != str(error):
                    self._log(f"{target.name}: {error}")
                    for problem in getattr(error, "problems", ()):
                        self._log(f"  {problem}")
                self._trouble[target.name] = error
                continue
            self._trouble[target.name] = None
            self._passes[target.name] = result
            if result.view.retry_at is not None:
                moments.append(result.view.retry_at)
            if result.exit_code == PARTIAL_FAILURE and self._exit_on_block:
                return PARTIAL_FAILURE
        timer.at(min(moments, default=None))
        self._after(space)
        return None

    def _after(self, space: Workspace) -> None:
        """Hand new events to the relay and, if asked, to people."""
        if self._console:
            while rows := space.store.following(self._said):
                for row in rows:
                    print(event_text(row), flush=True)
                self._said = rows[-1]["seq"]
        if self._relay is not None and not self._relay_busy:
            waiting = space.store.outbox()
            if waiting:
                self._relay_busy = True
                self._relay.offer(waiting)

    # --- telemetry

    def _start_relay(self, telemetry: Telemetry) -> None:
        deliverer = telemetry.deliverer()
        if deliverer is not None:
            from confmig_otel.relay import RelayThread

            self._relay = RelayThread(deliverer, lambda result: self._inbox.put(Delivered(result)))
            self._relay.start()

    def _delivered(self, space: Workspace, result: Delivery) -> None:
        settle(space.store, result, _clock())
        self._relay_busy = False
        self._after(space)

    def _settle_reports(self, space: Workspace) -> None:
        """At the end: what the relay had proved by then."""
        while True:
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return
            if isinstance(message, Delivered):
                settle(space.store, message.result, _clock())
            if isinstance(message, Request):
                gone = {"code": "daemon_gone", "message": "the daemon is stopping; ask again"}
                message.reply.put({"ok": False, "exit_code": LOCK_HELD, "error": gone})

    # --- what the others see

    def _publish(self, space: Workspace, telemetry: Telemetry) -> None:
        reasons = [f"{name}: {e.code}" for name, e in self._trouble.items() if e is not None]
        for name, result in self._passes.items():
            if result.exit_code in (INVALID, PARTIAL_FAILURE):
                code = (
                    "policy_invalid"
                    if result.exit_code == INVALID
                    else "blocked_by_partial_failure"
                )
                reasons.append(f"{name}: {code}")
        views = [r.view for r in self._passes.values()]
        seen = readings(space.store, views, delivery=space.delivery)
        if telemetry.otel is not None:
            telemetry.otel.publish(seen)
        settled = self._snapshot.started or all(
            t.name in self._passes and self._passes[t.name].exit_code in (DONE, DEFERRED)
            for t in self._targets
        )
        if settled and not reasons and not self._snapshot.started:
            self._notify.ready()
        self._notify.status("; ".join(reasons) or "nothing stands in the way")
        self._snapshot = Snapshot(
            settled and not reasons, not reasons, tuple(reasons), time.monotonic(), seen
        )

    def _unready(self, reason: str, telemetry: Telemetry) -> None:
        """Without a state nothing is known but that every target is blocked."""
        seen = Readings(blocked={t.name: 1 for t in self._targets})
        if telemetry.otel is not None:
            telemetry.otel.publish(seen)
        self._notify.status(reason)
        self._snapshot = Snapshot(reasons=(reason,), beat=time.monotonic(), readings=seen)

    def _stop(self) -> None:
        """A pass ends after the transaction at hand, the loop after the pass."""
        self._stopping = True
        self._notify.stopping()
        self._inbox.put(Stop())

    def _beat(self) -> None:
        self._notify.beat()
        self._snapshot = replace(self._snapshot, beat=time.monotonic())

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Called in the control socket's thread: have the main thread do it."""
        request = Request(message)
        self._inbox.put(request)
        return request.reply.get()

    def _log(self, line: str) -> None:
        print(f"confmig: {line}", file=sys.stderr, flush=True)


def _clock() -> datetime:
    return datetime.now(UTC)
