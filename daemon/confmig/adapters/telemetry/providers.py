"""Where telemetry goes, decided without importing OpenTelemetry, and the outbox's drain.

The SDK is imported only when something is really delivered.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from confmig import __version__
from confmig.adapters.state.reported import Subject
from confmig.adapters.state.store import Store
from confmig.adapters.telemetry.endpoint import url_problem
from confmig.errors import Invalid, Problem
from confmig_otel import spans

if TYPE_CHECKING:
    from confmig_otel.export import Destination, OtelRecorder
    from confmig_otel.relay import Accept, Deliverer, Delivery


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be delivered.

    The value of each signal is ``otlp``, ``console``, ``otlp,console`` or ``none``. ``accept``:
    which answers prove that events arrived.
    """

    logs: str
    traces: str
    metrics: str
    protocol: str
    endpoint: str | None
    accept: Accept = "proof"

    @property
    def delivers_events(self) -> bool:
        """Whether events leave this machine, and so count towards the outbox's limit."""
        return "otlp" in self.logs.split(",")

    @property
    def prints_events(self) -> bool:
        """Whether events are printed (``console``)."""
        return "console" in self.logs.split(",")


_EXPORTERS = ("otlp", "console", "none")


def plan(
    exporter: str, endpoint: str | None, environment: Mapping[str, str], accept: Accept = "proof"
) -> Plan:
    """Decide from settings (``telemetry.exporter``, ``telemetry.endpoint``) and ``OTEL_*``.

    Raises ``Invalid`` for what the specification does not know, and for an endpoint without a
    scheme.
    """
    off = exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true"

    def signal(name: str) -> str:
        if off:
            return "none"
        variable = f"OTEL_{name.upper()}_EXPORTER"
        said = environment.get(variable, "").strip().lower() or "otlp"
        wanted = list(dict.fromkeys(part.strip() for part in said.split(",") if part.strip()))
        unknown = [part for part in wanted if part not in _EXPORTERS]
        if unknown:
            fix = f"use a list of {', '.join(_EXPORTERS)}"
            raise _invalid(variable, f"the exporter `{unknown[0]}` is not known", fix)
        asked = bool(environment.get(variable, "").strip())
        if "otlp" in wanted and not _endpoint(name, endpoint, environment) and not asked:
            wanted.remove("otlp")
        return ",".join(part for part in wanted if part != "none") or "none"

    protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    decided = Plan(signal("logs"), signal("traces"), signal("metrics"), protocol, endpoint, accept)
    if protocol != "http/protobuf" and decided.delivers_events:
        raise _invalid(
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            f"events are delivered over http/protobuf, not over {protocol}",
            "use http/protobuf, or switch events off with OTEL_LOGS_EXPORTER=none",
        )
    return decided


def _invalid(place: str, message: str, fix: str) -> Invalid:
    problem = Problem("settings_invalid", place, message, fix)
    return Invalid("settings_invalid", "the environment asks for what cannot be", [problem])


def _endpoint(signal: str, endpoint: str | None, environment: Mapping[str, str]) -> bool:
    """Whether an endpoint is named for a signal. Raises ``Invalid`` for one without a scheme."""
    if endpoint:
        return True
    for name in (
        f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ):
        value = environment.get(name, "").strip()
        if not value:
            continue
        if problem := url_problem(value):
            raise _invalid(name, problem, "write it like http://collector:4318")
        return True
    return False


def instance_id(state_dir: Path, environment: Mapping[str, str]) -> str:
    """``service.instance.id``: the pod's UID, or a digest of machine and state directory."""
    if environment.get("POD_UID"):
        return environment["POD_UID"]
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    return hashlib.sha256(f"{machine}\0{state_dir.absolute()}".encode()).hexdigest()[:32]


class Telemetry:
    """The telemetry of one process: the recorder of spans, and the events' deliverer."""

    def __init__(self, plan: Plan, service: str, instance: str, traceparent: str | None) -> None:
        self.plan = plan
        self._service = service
        self._instance = instance
        self._otel: OtelRecorder | None = None
        self._ending: threading.Thread | None = None
        self.recorder: spans.Recorder = spans.Silent()
        if plan.traces != "none" or plan.metrics != "none":
            from confmig_otel.export import OtelRecorder, resource

            who = resource(service, __version__, instance)
            self._otel = OtelRecorder(self._destination(), who, traceparent)
            self.recorder = self._otel

    def _destination(self) -> Destination:
        from confmig_otel.export import Destination

        p = self.plan
        return Destination(p.logs, p.traces, p.metrics, p.protocol, p.endpoint)

    @property
    def otel(self) -> OtelRecorder | None:
        """The SDK's recorder, if spans or metrics are delivered."""
        return self._otel

    def deliverer(self) -> Deliverer | None:
        """A deliverer of events, or None if delivery is off."""
        if not self.plan.delivers_events:
            return None
        from confmig_otel.export import resource
        from confmig_otel.relay import Deliverer

        who = resource(self._service, __version__, self._instance)
        return Deliverer(self._destination().url("logs"), who, self.plan.accept)

    def drain(self, store: Store, seconds: float, clock: Callable[[], datetime]) -> Left:
        """Deliver what waits, for at most ``seconds``; returns what is left and why.

        What stays is delivered by the next run: it is on disk.
        """
        if not self.plan.delivers_events or not store.events.waiting()[0]:
            return Left(0)
        deliverer = self.deliverer()
        assert deliverer is not None
        deadline = time.monotonic() + seconds
        advice = ""
        try:
            while rows := store.events.outbox():
                result = deliverer.deliver(rows, max(0.0, deadline - time.monotonic()))
                record_delivery(store, result, clock())
                advice = result.advice
                if result.error is not None or time.monotonic() > deadline:
                    break
        finally:
            deliverer.close()
        return Left(store.events.waiting()[0], advice)

    def end(self) -> None:
        """Begin to flush spans and metrics, in a thread of its own."""
        if self._otel is not None and self._ending is None:
            self._ending = threading.Thread(target=self._otel.shutdown, daemon=True)
            self._ending.start()

    def close(self, seconds: float = 5.0) -> None:
        """Flush spans and metrics, for at most ``seconds``.

        A receiver that answers one byte at a time must not hold the end of the process.
        """
        self.end()
        if self._ending is not None:
            self._ending.join(max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class Left:
    """How many events are not delivered yet, and what the receiver answered."""

    count: int
    advice: str = ""


def record_delivery(store: Store, result: Delivery, now: datetime) -> bool:
    """Record what a delivery proved; True if the problem of delivery differs from the last one."""
    changed = store.reported.state("", Subject.DELIVERY) != result.advice
    if not result.delivered and not result.rejected and not changed:
        return False
    with store.commit():
        store.reported.remember("", Subject.DELIVERY, result.advice)
        store.events.mark_delivered(result.delivered, now)
        for seq, why in result.rejected:
            store.events.mark_rejected([seq], why)
    return changed
