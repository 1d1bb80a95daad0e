"""Where telemetry goes, decided without importing OpenTelemetry, and the outbox's drain.

The SDK is imported only when something is really delivered.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from confmig import __version__
from confmig.adapters.store import Store
from confmig.errors import Refused
from confmig_otel import spans

if TYPE_CHECKING:
    from confmig_otel.export import Destination, OtelRecorder
    from confmig_otel.relay import Deliverer, Delivery


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be delivered: each of the signals ``otlp``, ``console`` or ``none``."""

    logs: str
    traces: str
    metrics: str
    protocol: str
    endpoint: str | None

    @property
    def delivers_events(self) -> bool:
        """Whether events leave this machine, and so count towards the outbox's limit."""
        return self.logs == "otlp"


def plan(exporter: str, endpoint: str | None, environment: Mapping[str, str]) -> Plan:
    """Decide from settings (``telemetry.exporter``, ``telemetry.endpoint``) and ``OTEL_*``."""
    off = exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true"

    def signal(name: str) -> str:
        if off:
            return "none"
        said = environment.get(f"OTEL_{name.upper()}_EXPORTER", "otlp").strip().lower() or "otlp"
        if said != "otlp":
            return said if said == "console" else "none"
        named = (
            endpoint
            or environment.get(f"OTEL_EXPORTER_OTLP_{name.upper()}_ENDPOINT")
            or (environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
        )
        return "otlp" if named else "none"

    protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    if protocol != "http/protobuf" and signal("logs") == "otlp":
        raise Refused(
            "settings_invalid",
            f"events are delivered over http/protobuf, not over {protocol}",
            place="OTEL_EXPORTER_OTLP_PROTOCOL",
            fix="use http/protobuf, or switch events off with OTEL_LOGS_EXPORTER=none",
        )
    return Plan(signal("logs"), signal("traces"), signal("metrics"), protocol, endpoint)


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
        return Deliverer(self._destination().url("logs"), who)

    def drain(self, store: Store, seconds: float, clock: Callable[[], datetime]) -> int:
        """Deliver what waits, for at most ``seconds``; returns how many events are left.

        What stays is delivered by the next run: it is on disk.
        """
        deliverer = self.deliverer()
        if deliverer is None:
            return 0
        deadline = time.monotonic() + seconds
        try:
            while rows := store.outbox():
                result = deliverer.deliver(rows, max(0.0, deadline - time.monotonic()))
                settle(store, result, clock())
                if result.error is not None or time.monotonic() > deadline:
                    break
        finally:
            deliverer.close()
        return store.outbox_size()[0]

    def close(self) -> None:
        """Flush spans and metrics, bounded."""
        if self._otel is not None:
            self._otel.shutdown()


def settle(store: Store, result: Delivery, now: datetime) -> None:
    """Record what a delivery proved."""
    if not result.delivered and not result.rejected:
        return
    with store.commit():
        store.mark_delivered(result.delivered, now)
        for seq, why in result.rejected:
            store.mark_rejected([seq], why)
