"""The daemon: one inbox, one writer.

The main thread owns state, disk and decisions. File events, the timer, signals, the control
socket and the relay only put a message into one queue. Whatever arrives, the answer is to look
again; the rescan makes a lost message harmless.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from confmig.adapters.files.mounts import is_remote
from confmig.adapters.files.snapshot import ExchangeOptions
from confmig.adapters.host import signals
from confmig.adapters.host.console import Console
from confmig.adapters.host.control import ControlServer
from confmig.adapters.host.notify import Notify
from confmig.adapters.host.timer import Timer
from confmig.adapters.host.watch import Watcher
from confmig.adapters.http.probes import Measured
from confmig.adapters.state.opened import State
from confmig.adapters.telemetry.providers import Telemetry, instance_id, plan, record_delivery
from confmig.adapters.workers.protocol import Worker
from confmig.errors import (
    DONE,
    LOCK_HELD,
    PARTIAL_FAILURE,
    Bug,
    ConfmigError,
    Invalid,
    LockHeld,
    Unfinished,
)
from confmig.passes.exit_codes import of_error
from confmig.passes.reconcile import reconcile
from confmig.passes.result import Pass
from confmig.passes.workspace import Workspace
from confmig.reports.events import event_text
from confmig.reports.messages import error_json
from confmig.reports.readings import blocked, readings
from confmig.service.back_off import BackOff
from confmig.service.inbox import Delivered, Inbox, Message, Request, Stop, Wake
from confmig.service.narrator import Narrator
from confmig.service.probing import Probes
from confmig.service.readiness import readiness
from confmig.service.requests.dispatch import answer
from confmig.settings import Settings, Target
from confmig.writer import counted, escaped
from confmig_otel.metrics import Readings

if TYPE_CHECKING:
    from confmig_otel.relay import Delivery, RelayThread

TICK = 5.0
"""Seconds between two beats of an idle loop; the longest a lost wake-up can go unnoticed is the
rescan interval of the settings."""

_NO_STATE = ("state_unreadable", "state_untrusted")
"""Why there may be no state to work with; the daemon stays up then, so that an alert can fire."""

_LOCK_RETRY = 0.25
"""Seconds between two tries for the lock that another daemon holds (``--wait``)."""

_SUMMED = 10
"""The most reasons in the status for the service manager."""


class Daemon:
    """The running daemon of one settings file.

    ``wait``: how many seconds to wait for another daemon that is ending.
    """

    def __init__(
        self,
        settings: Settings,
        worker: Worker,
        *,
        console: bool = False,
        exit_on_block: bool = False,
        target: str | None = None,
        wait: float = 0.0,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._console = console
        self._exit_on_block = exit_on_block
        self._wait = wait
        self._targets = (settings.target(target),) if target else settings.targets
        self._inbox = Inbox()
        names = [t.name for t in self._targets]
        seen = Readings(blocked=blocked(names, (), {}, {}))  # alerts need them from the start
        self._notify = Notify(os.environ, time.monotonic)
        self._probes = Probes(settings.http, seen, self._notify.beat)
        self._tick = min(TICK, self._notify.watchdog / 3) if self._notify.watchdog else TICK
        self._err, self._out = Console(2), Console(1)
        self._narrator = Narrator()
        self._trouble: dict[str, ConfmigError | None] = {}
        self._passes: dict[str, Pass] = {}
        self._back_off: dict[str, BackOff] = {}
        self._retries: dict[str, BackOff] = {}
        self._again: float | None = None
        self._started = False
        self._relay: RelayThread | None = None
        self._relay_busy = False
        self._printed = 0  # the newest event that --console has written
        self._stopping = False
        self._ends_at: float | None = None

    def run(self) -> int:
        """Run until stopped; returns the exit code."""
        settings = self._settings
        signals.install(self._stop, lambda: self._inbox.put(Wake("SIGHUP")))
        wanted = settings.telemetry
        where = plan(wanted.exporter, wanted.endpoint, os.environ, wanted.accept)
        self._console = self._console or where.prints_events
        telemetry = Telemetry(
            where,
            wanted.service_name,
            instance_id(settings.state_dir, os.environ),
            os.environ.get("TRACEPARENT"),
        )
        recorder = Measured(telemetry.recorder)
        left = wanted.drain_seconds
        try:
            space = self._open(telemetry, recorder)
            if space is None:
                return DONE
            with space:
                space.conduct.delivery = where.delivers_events
                return self._serve(space, telemetry, recorder)
        finally:
            self._probes.stop()
            until = time.monotonic() + min(1.0, left) if self._ends_at is None else self._ends_at
            telemetry.close(until - time.monotonic())

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
        until = time.monotonic() + self._wait
        waited = False
        while not self._stopping:
            pause = self._tick
            try:
                if os.path.exists(file) or not there:
                    state = State.open(settings.state_dir, self._log)
                    return Workspace(
                        settings,
                        self._worker,
                        state,
                        _clock,
                        recorder,
                        f"uid:{os.getuid()}",
                        self._log,
                    )
            except ConfmigError as error:
                busy = isinstance(error, LockHeld)
                if busy and trouble is None:
                    if time.monotonic() >= until:
                        raise
                    if not waited:
                        self._log(f"waits for the other confmig to end ({error.place})")
                    waited, pause = True, _LOCK_RETRY
                elif self._exit_on_block or not (busy or error.code in _NO_STATE):
                    raise
                else:
                    self._probes.start(recorder)
                    if str(error) != str(trouble):
                        for line in error.lines:
                            self._log(line)
                        self._log(
                            f"nothing is migrated until the state is back{self._probes.address}"
                        )
                    trouble = error
                    self._unready(error, telemetry)
            self._probes.beat()
            with suppress(queue.Empty):
                self._inbox.take(pause)
        return None

    def _serve(self, space: Workspace, telemetry: Telemetry, recorder: Measured) -> int:
        space.conduct.beat = self._probes.beat
        space.conduct.stopping = lambda: self._stopping
        self._probes.start(recorder)
        control = ControlServer(self._settings.state_dir, self._inbox.ask)
        control.start()
        timer = Timer(lambda: self._inbox.put(Wake("timer")))
        timer.start()
        self._watcher = watcher = Watcher(
            [t.root for t in self._targets],
            [
                f
                for t in self._targets
                for f in (
                    t.policy,
                    t.bundle,  # the whole directory may be replaced
                    t.bundle / "manifest.json",
                    t.bundle / "manifest.sum",
                )
                if f
            ],
            self._settings.state_dir,
            lambda: self._inbox.put(Wake("file event", settle=True)),
            polled=[
                t.root
                for t in self._targets
                if t.exchange_options() != ExchangeOptions() or is_remote(t.root)
            ],
            trees=[t.bundle / "migrations" for t in self._targets],
            say=self._log,
        )
        watcher.start()
        self._start_relay(telemetry)
        self._printed = space.store.events.newest()
        roots = ", ".join(str(t.root) for t in self._targets)
        self._log(f"watching {roots}{self._probes.address}")
        try:
            return self._loop(space, telemetry, timer)
        finally:
            watcher.stop()
            timer.stop()
            control.close()
            budget = self._settings.telemetry.drain_seconds
            ending = time.monotonic()
            telemetry.end()  # beside the events, so that all three signals share one budget
            self._ends_at = ending + budget
            if self._relay is not None:
                self._relay.stop()
                self._relay.join(min(3.0, budget))
            self._record_reports(space)
            self._probes.stop()  # before the lock is free: the next one needs the port
            telemetry.drain(space.store, max(0.0, budget - (time.monotonic() - ending)), _clock)

    # --- the loop

    def _loop(self, space: Workspace, telemetry: Telemetry, timer: Timer) -> int:
        code = self._look(space, telemetry, timer)
        rescan = time.monotonic() + self._settings.watch.rescan
        while code is None:
            self._publish(space, telemetry)
            message = self._next(rescan)
            if self._stopping:
                self._put_back(message)
                return DONE
            if message is None:
                self._probes.beat()
                continue
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

    def _next(self, rescan: float) -> Message | None:
        """The next message; None if nothing came within a tick.

        A look that is due comes as a message, too.
        """
        due = min(rescan, self._again if self._again is not None else rescan)
        try:
            return self._inbox.take(min(self._tick, due - time.monotonic()))
        except queue.Empty:
            if time.monotonic() < due:
                return None
            if due == rescan:
                self._watcher.retry()
            return Wake("rescan" if due == rescan else "retry")

    def _put_back(self, message: Message | None) -> None:
        """Leave a message to the end, which answers what waits (``_record_reports``)."""
        if message is not None:
            self._inbox.put(message)

    def _quiet(self, space: Workspace) -> bool:
        """Wait until file events pause; True if asked to stop meanwhile."""
        watch = self._settings.watch
        deadline = time.monotonic() + watch.settle_at_most
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = self._inbox.take(min(watch.settle, left))
            except queue.Empty:
                break
            if self._stopping:
                self._put_back(message)
                return True
            if isinstance(message, Request):
                self._put_back(message)  # look now; the request is the next message
                return False
            if isinstance(message, Delivered):
                self._delivered(space, message.result)
        return self._stopping

    def _answer(self, space: Workspace, request: Request) -> int | None:
        """Execute a request and reply; an exit code if this process must end."""
        command = escaped(str(request.message.get("command")))
        if not request.waits():
            self._log(f"{command}: not executed, because its client has disconnected")
            request.reply.put({})
            return None
        reply, fatal = answer(space, request.message)
        said = "done" if reply["ok"] else f"refused: {reply['error']['message']}"
        if reply["ok"] and reply["result"].get("transaction"):
            said += f", transaction {reply['result']['transaction']}"
        name = request.message.get("target") or ", ".join(t.name for t in self._targets)
        who = f"{command} in {name} by uid {request.message.get('uid')}"
        self._log(escaped(f"{who}: {said}"))
        request.reply.put(reply)
        self._after(space)
        return fatal

    def _look(self, space: Workspace, telemetry: Telemetry, timer: Timer) -> int | None:
        """One pass over every target; an exit code ends the daemon."""
        moments = []
        again: list[float] = []
        self._watcher.retry()  # a directory that was replaced needs a new watch
        for target in self._targets:
            if self._stopping:
                break
            waits = self._back_off.get(target.name, BackOff())
            if time.monotonic() < waits.until:
                again.append(waits.until)
                continue
            try:
                result = reconcile(space, target)
            except Unfinished as error:
                for line in error.lines:
                    self._log(f"{target.name}: {line}")
                return error.exit_code  # recovery belongs to a new process
            except ConfmigError as error:
                self._troubled(target, error)
                if self._exit_on_block and isinstance(error, Invalid):
                    conflicts = space.store.transactions.conflicts(target.name)
                    return of_error(error, conflicts=bool(conflicts))
                retry = self._retries.setdefault(target.name, BackOff())
                retry.failed(time.monotonic())  # only plans a pass: a wake-up still looks at once
                again.append(retry.until)
                continue
            except Exception as error:  # noqa: BLE001 - a bug with one target must not end the others
                again.append(self._bug(target, error))
                continue
            self._trouble[target.name] = None
            self._back_off.pop(target.name, None)
            self._retries.pop(target.name, None)
            self._passes[target.name] = result
            for line in self._narrator.passed(target.name, result):
                self._log(line)
            if result.view.retry_at is not None:
                moments.append(result.view.retry_at)
            if result.look_again is not None:
                again.append(time.monotonic() + result.look_again)
            if result.exit_code == PARTIAL_FAILURE and self._exit_on_block:
                return PARTIAL_FAILURE
        timer.at(min(moments, default=None))
        self._again = min(again, default=None)
        self._after(space)
        return None

    def _troubled(self, target: Target, error: ConfmigError) -> None:
        for line in self._narrator.trouble(target.name, error):
            self._log(line)
        self._trouble[target.name] = error

    def _bug(self, target: Target, error: Exception) -> float:
        """Report an unexpected error of one target; returns when to look again (monotonic)."""
        waits = self._back_off.setdefault(target.name, BackOff())
        waits.failed(time.monotonic())
        self._troubled(target, Bug.of(error))
        return waits.until

    def _after(self, space: Workspace) -> None:
        """Hand new events to the relay and, if asked, to people."""
        if self._console:
            while rows := space.store.events.following(self._printed):
                for row in rows:
                    self._out.line(event_text(row))
                self._printed = rows[-1]["seq"]
        if self._relay is not None and not self._relay_busy:
            waiting = space.store.events.outbox()
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
        if record_delivery(space.store, result, _clock()):
            self._log(
                f"events are not delivered: {result.advice}"
                if result.advice
                else "events are delivered again"
            )
        if result.rejected:
            self._log(
                f"the receiver refused {counted(len(result.rejected), 'event')} for good; "
                "to send the refused events once more, run `confmig events --replay`"
            )
        self._relay_busy = False
        self._after(space)

    def _record_reports(self, space: Workspace) -> None:
        """Record, at the end, which events were delivered, and refuse the requests that wait."""
        for message in self._inbox.rest():
            if isinstance(message, Delivered):
                record_delivery(space.store, message.result, _clock())
            if isinstance(message, Request):
                gone = LockHeld("daemon_gone", "the daemon is stopping", fix="ask again")
                error = error_json(gone)
                message.reply.put({"ok": False, "exit_code": LOCK_HELD, "error": error})

    # --- what the others see

    def _publish(self, space: Workspace, telemetry: Telemetry) -> None:
        names = [t.name for t in self._targets]
        found = readiness(names, self._passes, self._trouble)
        views = {name: result.view for name, result in self._passes.items()}
        delivery = space.conduct.delivery
        policies = space.policies()
        seen = readings(space.store, names, views, policies, self._trouble, delivery=delivery)
        if telemetry.otel is not None:
            telemetry.otel.publish(seen)
        self._started = self._started or not found.started
        if not found.ready:
            self._notify.ready()
        self._notify.status(_summary(found.started))
        # once started, only a blocked target takes that back
        self._probes.publish(found.ready, found.ready if self._started else found.started, seen)

    def _unready(self, error: ConfmigError, telemetry: Telemetry) -> None:
        """Without a state nothing is known but that every target is blocked."""
        names, reason = [t.name for t in self._targets], error.code
        seen = Readings(blocked=blocked(names, (), {}, dict.fromkeys(names, error)))
        if telemetry.otel is not None:
            telemetry.otel.publish(seen)
        self._notify.status(reason)
        self._probes.publish((reason,), (reason,), seen)

    def _stop(self) -> None:
        """A pass ends after the transaction at hand, the loop after the pass."""
        self._stopping = True
        self._notify.stopping()
        self._inbox.put(Stop())

    def _log(self, line: str) -> None:
        self._err.line(f"confmig: {line}")


def _summary(reasons: Sequence[str]) -> str:
    """One line for ``systemctl status``, short enough for one datagram."""
    rest = len(reasons) - _SUMMED
    shown = [*reasons[:_SUMMED], *([f"and {rest} more"] if rest > 0 else [])]
    return "; ".join(shown) or "everything is in order"


def _clock() -> datetime:
    return datetime.now(UTC)
