"""Delivery of committed events over OTLP, at least once, with proof.

The SDK's exporter encodes and sends; it also reports success for partial success, redirects and
HTML answers. So the answer itself is looked at (a response hook on the session it is given): an
event counts as delivered only after HTTP 200, ``application/x-protobuf`` and no rejected record.
What a receiver refuses for good is bisected to the single record and given up as rejected, which
keeps it on disk. Everything else is tried again later.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from confmig_otel.export import SCOPE

BATCH = 512
_TIMEOUT = 2.0
_PATIENCE = 300.0  # seconds: no Retry-After may silence delivery for longer
_MAY_PASS = frozenset((401, 403, 404, 408, 429, 500, 502, 503, 504))
"""Answers that an operator or time can mend: never a reason to give an event up."""


class Row(Protocol):
    """A committed event, as the outbox has it."""

    @property
    def seq(self) -> int: ...
    @property
    def uid(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def time_ns(self) -> int: ...
    @property
    def severity(self) -> int: ...
    @property
    def attributes(self) -> dict[str, Any]: ...
    @property
    def trace_id(self) -> str | None: ...
    @property
    def span_id(self) -> str | None: ...


@dataclass(slots=True)
class Delivery:
    """What became of a batch. ``error`` names why the rest must be tried again."""

    delivered: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    error: str | None = None
    retry_after: float | None = None


@dataclass(slots=True)
class _Answer:
    code: int | None = None
    proof: bool = False
    refused: int = 0
    retry_after: float | None = None


_TEXT = {9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}


def record_of(row: Row, who: Resource) -> ReadableLogRecord:
    """An event as an OTLP log record; the only place that touches the unstable logs API."""
    attributes: Mapping[str, Any] = {**row.attributes, "log.record.uid": row.uid}
    record = LogRecord(
        timestamp=row.time_ns,
        observed_timestamp=row.time_ns,
        context=_context(row),
        severity_number=SeverityNumber(row.severity),
        severity_text=_TEXT.get(row.severity),
        event_name=row.name,
        attributes=dict(attributes),
    )
    return ReadableLogRecord(record, who, InstrumentationScope(SCOPE))


def _context(row: Row) -> Context | None:
    """The span that was open when the event was recorded."""
    if not row.trace_id or not row.span_id:
        return None
    span = SpanContext(int(row.trace_id, 16), int(row.span_id, 16), False, TraceFlags(1))
    return set_span_in_context(NonRecordingSpan(span), Context())


class Deliverer:
    """Sends batches over OTLP/HTTP and tells what was proven delivered."""

    def __init__(self, url: str | None, who: Resource) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        session = requests.Session()
        session.hooks["response"].append(self._look)
        self._answer = _Answer()
        self._deadline = 0.0
        self._who = who
        # a short timeout and no hope in the exporter's own retries: the outbox owns the retry
        self._exporter = OTLPLogExporter(endpoint=url, session=session, timeout=_TIMEOUT)

    def close(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def deliver(self, rows: Sequence[Row], seconds: float = 60.0) -> Delivery:
        """Send one batch; returns what is proven, what is refused, and what must wait.

        Bisecting a batch that is refused may take many requests: after ``seconds`` the rest waits.
        """
        out = Delivery()
        self._deadline = time.monotonic() + seconds
        self._send(list(rows), out)
        return out

    def _look(self, response: requests.Response, **_: Any) -> None:
        answer = _Answer(code=response.status_code)
        value = response.headers.get("retry-after", "")
        answer.retry_after = min(float(value), _PATIENCE) if value.isdigit() else None
        kind = response.headers.get("content-type", "").split(";")[0].strip()
        if (
            response.status_code == 200
            and kind == "application/x-protobuf"
            and not response.history
        ):
            try:
                parsed = ExportLogsServiceResponse.FromString(response.content)
            except Exception:  # noqa: BLE001 - protobuf raises several kinds; any of them is no proof
                answer.proof = False
            else:
                answer.proof = True
                answer.refused = parsed.partial_success.rejected_log_records
        self._answer = answer

    def _send(self, rows: list[Row], out: Delivery) -> bool:
        """False: stop, the receiver is not taking anything now, or time is up."""
        if time.monotonic() > self._deadline:
            out.error = "timeout"
            return False
        self._answer = _Answer()
        try:
            result = self._exporter.export([record_of(r, self._who) for r in rows])
        except Exception as error:  # noqa: BLE001 - whatever the exporter raises, the events stay
            out.error = type(error).__name__
            return False
        answer = self._answer
        if result is LogRecordExportResult.SUCCESS and answer.proof and not answer.refused:
            out.delivered.extend(r.seq for r in rows)
            return True
        final = answer.proof or (
            answer.code is not None and 400 <= answer.code < 500 and answer.code not in _MAY_PASS
        )
        if not final:
            out.error = "no_answer" if answer.code is None else f"http_{answer.code}"
            out.retry_after = answer.retry_after
            return False
        if len(rows) == 1:
            why = "partial_success" if answer.proof else f"http_{answer.code}"
            out.rejected.append((rows[0].seq, why))
            return True
        middle = len(rows) // 2
        return self._send(rows[:middle], out) and self._send(rows[middle:], out)


class RelayThread(threading.Thread):
    """Delivers batches in the background; its only links are two queues.

    ``offer`` hands it an immutable batch if it is idle; every result goes to ``report``. Back-off
    with jitter is its own: while it waits it takes no batch.
    """

    def __init__(self, deliverer: Deliverer, report: Callable[[Delivery], None]) -> None:
        super().__init__(name="confmig-relay", daemon=True)
        self._deliverer = deliverer
        self._report = report
        self._batches: queue.SimpleQueue[Sequence[Row] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._delay = 0.0

    def offer(self, rows: Sequence[Row]) -> None:
        """Deliver this batch; exactly one report follows."""
        self._batches.put(tuple(rows))

    def stop(self) -> None:
        """End after the batch at hand."""
        self._ended.set()
        self._batches.put(None)

    def run(self) -> None:
        """The thread's loop."""
        while not self._ended.is_set():
            rows = self._batches.get()
            if rows is None:
                break
            try:
                result = self._deliverer.deliver(rows)
            except Exception as error:  # noqa: BLE001 - a report must follow every offer
                result = Delivery(error=type(error).__name__)
            if result.error is not None:
                self._delay = min(max(self._delay * 2, 0.5), 30.0)
                wait = max(self._delay * random.uniform(0.8, 1.2), result.retry_after or 0.0)  # noqa: S311
                self._report(result)
                self._ended.wait(wait)
            else:
                self._delay = 0.0
                self._report(result)
        self._deliverer.close()
