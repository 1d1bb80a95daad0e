"""Spans and metrics through the OpenTelemetry SDK (lossy by design), and where things go.

``destination`` decides from settings and ``OTEL_*`` variables whether and where events, spans
and metrics are delivered. Audit events never pass through here: see ``relay``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from confmig_otel import metrics, spans

SCOPE = "confmig"
_TIMEOUT = 2  # seconds of one export; the whole shutdown is bounded by a few of them


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the three signals go: ``otlp``, ``console`` or ``none``.

    ``endpoint`` is the base URL of settings, None to let the ``OTEL_*`` variables say it.
    """

    logs: str
    traces: str
    metrics: str
    protocol: str
    endpoint: str | None

    def url(self, signal: str) -> str | None:
        """The URL of a signal (``logs``, ``traces``, ``metrics``) if the settings name one.

        As the specification says: the settings name a base URL, to which the path of the signal is
        added. One that ends in a signal's path already is taken as that URL, and its base for the
        other signals.
        """
        if not self.endpoint:
            return None
        base = self.endpoint.rstrip("/")
        for known in ("logs", "traces", "metrics"):
            base = base.removesuffix(f"/v1/{known}")
        return f"{base}/v1/{signal}"


def resource(name: str, version: str, instance: str) -> Resource:
    """Who is speaking; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` win."""
    sdk = Resource.create({}).attributes
    mine = {k: v for k, v in sdk.items() if k.startswith("telemetry.sdk.")}
    mine |= {"service.name": name, "service.version": version, "service.instance.id": instance}
    said = OTELResourceDetector().detect().attributes  # what the variables say, and no more
    return Resource({**mine, **said})


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, key: str, value: Any) -> None:
        """Set an attribute; None is left out."""
        if value is not None:
            self._span.set_attribute(key, value)

    def fail(self, error_type: str) -> None:
        """Mark the span failed."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(Status(StatusCode.ERROR))

    @property
    def context(self) -> tuple[str, str] | None:
        """Trace and span id as hex."""
        found = self._span.get_span_context()
        if not found.is_valid:
            return None
        return f"{found.trace_id:032x}", f"{found.span_id:016x}"


class OtelRecorder:
    """Records spans and durations with the SDK, and shows published readings as gauges."""

    def __init__(self, where: Destination, who: Resource, traceparent: str | None = None) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._readings = metrics.Readings()
        self._tracers = TracerProvider(resource=who, shutdown_on_exit=False)
        exporter = _span_exporter(where)
        if exporter is not None:
            self._tracers.add_span_processor(
                BatchSpanProcessor(exporter, schedule_delay_millis=1000)
            )
        self._tracer = self._tracers.get_tracer(SCOPE)
        metric_exporter = _metric_exporter(where)
        readers = []
        if metric_exporter is not None:
            readers.append(
                PeriodicExportingMetricReader(
                    metric_exporter, export_timeout_millis=_TIMEOUT * 1000
                )
            )
        view = View(
            instrument_name=metrics.DURATION,
            aggregation=ExplicitBucketHistogramAggregation(metrics.BOUNDARIES),
        )
        self._meters = MeterProvider(readers, resource=who, views=[view], shutdown_on_exit=False)
        meter = self._meters.get_meter(SCOPE)
        self._duration = meter.create_histogram(metrics.DURATION, metrics.UNITS[metrics.DURATION])
        meter.create_observable_up_down_counter(
            metrics.PENDING, [self._pending], metrics.UNITS[metrics.PENDING]
        )
        meter.create_observable_gauge(
            metrics.BLOCKED, [self._blocked], metrics.UNITS[metrics.BLOCKED]
        )
        meter.create_observable_up_down_counter(
            metrics.HELD, [self._held], metrics.UNITS[metrics.HELD]
        )
        meter.create_observable_gauge(
            metrics.ATTENTION, [self._attention], metrics.UNITS[metrics.ATTENTION]
        )
        meter.create_observable_gauge(
            metrics.OUTBOX_PENDING, [self._outbox], metrics.UNITS[metrics.OUTBOX_PENDING]
        )
        meter.create_observable_gauge(
            metrics.DOCUMENTS, [self._documents], metrics.UNITS[metrics.DOCUMENTS]
        )
        meter.create_observable_gauge(
            metrics.LAST_SUCCESS, [self._last_success], metrics.UNITS[metrics.LAST_SUCCESS]
        )
        self._parent = (
            TraceContextTextMapPropagator().extract({"traceparent": traceparent})
            if traceparent
            else None
        )

    @contextmanager
    def span(self, kind: str, name: str, attributes: Mapping[str, Any]) -> Iterator[spans.Span]:
        """An open span; an exception marks it failed with its code or type and is raised on."""
        parent = otel_context.get_current() or self._parent
        if self._parent is not None and not trace.get_current_span().get_span_context().is_valid:
            parent = self._parent
        kept = {k: v for k, v in attributes.items() if v is not None}
        with self._tracer.start_as_current_span(
            name,
            context=parent,
            kind=SpanKind.INTERNAL,
            attributes=kept,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            wrapped = _Span(span)
            try:
                yield wrapped
            except BaseException as error:
                wrapped.fail(str(getattr(error, "code", None) or type(error).__name__))
                raise

    def duration(self, seconds: float, attributes: Mapping[str, str]) -> None:
        """The duration of a transaction."""
        self._duration.record(seconds, dict(attributes))

    def publish(self, readings: metrics.Readings) -> None:
        """Show these readings from now on."""
        self._readings = readings

    def shutdown(self) -> None:
        """Flush and end, within a few seconds, whatever the receiver does."""
        self._tracers.shutdown()
        self._meters.shutdown(timeout_millis=_TIMEOUT * 1000)

    def _pending(self, _: CallbackOptions) -> list[Observation]:
        return [
            Observation(n, {"config.target.name": t, "config.migration.class": c})
            for (t, c), n in self._readings.pending.items()
        ]

    def _blocked(self, _: CallbackOptions) -> list[Observation]:
        return [
            Observation(n, {"config.target.name": t, "config.migration.reason": r})
            for (t, r), n in self._readings.blocked.items()
        ]

    def _held(self, _: CallbackOptions) -> list[Observation]:
        return [
            Observation(
                n,
                {
                    "config.target.name": t,
                    "config.migration.class": c,
                    "config.migration.reason": r,
                },
            )
            for (t, c, r), n in self._readings.held.items()
        ]

    def _attention(self, _: CallbackOptions) -> list[Observation]:
        return [
            Observation(
                n, {"config.target.name": t, "config.migration.id": i, "config.migration.reason": r}
            )
            for (t, i, r), n in self._readings.attention.items()
        ]

    def _documents(self, _: CallbackOptions) -> list[Observation]:
        return [
            Observation(
                n, {"config.target.name": t, "config.schema.name": c, "config.schema.version": v}
            )
            for (t, c, v), n in self._readings.documents.items()
        ]

    def _outbox(self, _: CallbackOptions) -> list[Observation]:
        return [Observation(self._readings.outbox_pending)]

    def _last_success(self, _: CallbackOptions) -> list[Observation]:
        last = self._readings.last_success
        return [] if last is None else [Observation(last)]


def _span_exporter(where: Destination) -> SpanExporter | None:
    if "otlp" not in where.traces.split(","):
        return ConsoleSpanExporter() if where.traces == "console" else None
    if where.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint=where.endpoint, timeout=_TIMEOUT)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=where.url("traces"), timeout=_TIMEOUT)


def _metric_exporter(where: Destination) -> MetricExporter | None:
    if "otlp" not in where.metrics.split(","):
        return ConsoleMetricExporter() if where.metrics == "console" else None
    if where.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
            OTLPMetricExporter as Grpc,
        )

        return Grpc(endpoint=where.endpoint, timeout=_TIMEOUT)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(endpoint=where.url("metrics"), timeout=_TIMEOUT)
