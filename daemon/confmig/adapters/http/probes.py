"""``/livez``, ``/readyz``, ``/startupz`` and ``/metrics`` over HTTP, on loopback by default.

Every answer comes from one frozen ``Snapshot`` that the main thread publishes; a request never
waits for it and never touches the state.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from confmig_otel import spans
from confmig_otel.metrics import BOUNDARIES, Readings

_CLIENT = 10.0
"""Seconds in which a client must have sent its request."""

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the probes answer.

    The reasons against ready and against started (none: the answer is yes). ``beat`` is a
    monotonic time in seconds.
    """

    not_ready: tuple[str, ...] = ("starting",)
    not_started: tuple[str, ...] = ("starting",)
    beat: float = 0.0
    readings: Readings = field(default_factory=Readings)


class Measured:
    """A recorder that keeps durations for /metrics and passes everything on."""

    def __init__(self, inner: spans.Recorder) -> None:
        self.registry = CollectorRegistry()
        self._inner = inner
        self._histogram = Histogram(
            "config_migration_duration_seconds",
            "Duration of a transaction.",
            ("config_migration_class", "config_migration_outcome"),
            buckets=BOUNDARIES,
            registry=self.registry,
        )

    def span(
        self, kind: str, name: str, attributes: Mapping[str, Any]
    ) -> AbstractContextManager[Any]:
        """A span of the inner recorder."""
        return self._inner.span(kind, name, attributes)  # type: ignore[no-any-return]

    def duration(self, seconds: float, attributes: Mapping[str, str]) -> None:
        """Record the duration of a transaction here and in the inner recorder."""
        self._histogram.labels(
            attributes.get("config.migration.class", ""),
            attributes.get("config.migration.outcome", ""),
        ).observe(seconds)
        self._inner.duration(seconds, attributes)


class _Gauges(Collector):
    def __init__(self, read: Callable[[], Snapshot]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """The published readings as Prometheus families."""
        seen = self._read().readings
        pending = GaugeMetricFamily(
            "config_migration_pending",
            "Migrations not yet applied.",
            labels=("config_target_name", "config_migration_class"),
        )
        for (target, kind), count in seen.pending.items():
            pending.add_metric((target, kind), count)
        yield pending
        blocked = GaugeMetricFamily(
            "config_migration_blocked",
            "1 while nothing runs in a target for this reason, else 0.",
            labels=("config_target_name", "config_migration_reason"),
        )
        for labels, value in seen.blocked.items():
            blocked.add_metric(labels, value)
        yield blocked
        held = GaugeMetricFamily(
            "config_migration_held",
            "Pending migrations held for a reason that time alone does not end.",
            labels=("config_target_name", "config_migration_class", "config_migration_reason"),
        )
        for series, value in seen.held.items():
            held.add_metric(series, value)
        yield held
        attention = GaugeMetricFamily(
            "config_migration_attention",
            "1 where a person must act.",
            labels=("config_target_name", "config_migration_id", "config_migration_reason"),
        )
        for series, value in seen.attention.items():
            attention.add_metric(series, value)
        yield attention
        documents = GaugeMetricFamily(
            "config_documents",
            "Documents by schema version.",
            labels=("config_target_name", "config_schema_name", "config_schema_version"),
        )
        for series, value in seen.documents.items():
            documents.add_metric(series, value)
        yield documents
        yield GaugeMetricFamily(
            "config_migration_outbox_pending",
            "Events not yet acknowledged by the OTLP receiver.",
            value=seen.outbox_pending,
        )
        yield CounterMetricFamily(
            "config_migration_outbox_rejected",
            "Events the receiver refused for good.",
            value=seen.outbox_rejected,
        )
        last = GaugeMetricFamily(
            "config_migration_last_success_time_seconds",
            "Time of the last committed transaction.",
        )
        if seen.last_success is not None:
            last.add_metric((), seen.last_success)
        yield last


class ProbeServer:
    """The HTTP listener, in threads of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        read: Callable[[], Snapshot],
        now: Callable[[], float],
        registry: CollectorRegistry,
        patience: float = 120.0,
    ) -> None:
        registry.register(_Gauges(read))

        class Handler(BaseHTTPRequestHandler):
            server_version = "confmig"
            sys_version = ""
            timeout = _CLIENT

            def log_message(self, format: str, *args: Any) -> None:
                """Do nothing: requests to the probes are not logged."""

            def do_GET(self) -> None:
                """Answer a probe."""
                seen = read()
                path = urlsplit(self.path).path
                if path == "/metrics":
                    self._send(200, generate_latest(registry), TEXT)
                elif path == "/livez":
                    beats = now() - seen.beat < patience
                    self._verdict(() if beats else ("the main loop does not beat",))
                elif path == "/readyz":
                    self._verdict(seen.not_ready)
                elif path == "/startupz":
                    self._verdict(seen.not_started)
                else:
                    self._send(404, b"not found\n", "text/plain")

            def do_HEAD(self) -> None:
                """Answer a probe without a body."""
                self.do_GET()

            def _verdict(self, reasons: tuple[str, ...]) -> None:
                """Answer yes if there is no reason against it, else no with the reasons."""
                body: dict[str, Any] = {"status": "ok"}
                if reasons:
                    body = {"status": "unavailable", "reasons": list(reasons)}
                data = json.dumps(body).encode() + b"\n"
                self._send(503 if reasons else 200, data, "application/json")

            def _send(self, code: int, body: bytes, kind: str) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is its own problem."""

        self._server = Server((host, port), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="confmig-http", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
