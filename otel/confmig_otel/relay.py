"""Delivery of committed events over OTLP, at least once, with proof.

The SDK's exporter encodes and sends; it also reports success for partial success, redirects and
HTML answers. So the answer itself is looked at (a response hook on the session it is given): an
event counts as delivered only after HTTP 200, ``application/x-protobuf`` and no rejected record.

A batch that the receiver refuses (400, 413, 422, or a partial success) is bisected. A single record
is given up as rejected, and kept on disk, only if the receiver took another one in the same
bisection: a wrong endpoint refuses everything, and must not cost an event. Everything else is sent
again later, and the reason is reported.
"""

from __future__ import annotations

import logging
import queue
import random  # noqa: TID251 - the wait before the next try
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from confmig_otel.cut import Cutter
from confmig_otel.export import SCOPE

BATCH = 512
_TIMEOUT = 2.0
_ANSWER = 10.0
"""Seconds for one request and its whole answer, however slowly that arrives."""
_PATIENCE = 300.0  # seconds: no Retry-After may silence delivery for longer
_BISECTED = frozenset((400, 413, 422))
"""Answers that may be about one record. Any other failure is about the endpoint or the moment."""
_REFUSALS = 64
"""This many refused requests in a bisection, without one that is accepted, mean a wrong endpoint.
"""

Accept = Literal["proof", "any_2xx"]
"""Which answers prove a delivery: the one of OTLP, or any of success without a refusal."""


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
    """What became of a batch.

    ``error`` names why the rest must be tried again; ``advice`` says in a sentence what the
    receiver answered and what to do.
    """

    delivered: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    error: str | None = None
    advice: str = ""
    retry_after: float | None = None


@dataclass(slots=True)
class _Answer:
    code: int | None = None
    kind: str = ""
    redirected: bool = False
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

    def __init__(self, url: str | None, who: Resource, accept: Accept = "proof") -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._cutter = Cutter()
        session = requests.Session()
        session.hooks["response"].append(self._look)
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._cutter.adapter())
        self._answer = _Answer()
        self._deadline = 0.0
        self._who = who
        self._accept = accept
        self._order = random.Random()  # noqa: S311 - which half of a refused batch is tried first
        # a short timeout and no hope in the exporter's own retries: the outbox owns the retry
        self._exporter = OTLPLogExporter(endpoint=url, session=session, timeout=_TIMEOUT)
        self.url = str(self._exporter._endpoint)

    def close(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def deliver(self, rows: Sequence[Row], seconds: float = 60.0) -> Delivery:
        """Send one batch; returns what is proven, what is refused, and what must wait.

        Ends after ``seconds``, also if the receiver answers one byte at a time.
        """
        out = Delivery()
        self._deadline = time.monotonic() + seconds
        candidates: list[tuple[int, str]] = []
        self._send(list(rows), out, candidates)
        if candidates and out.delivered:
            out.rejected = candidates
        elif candidates and out.error is None:
            self._wait(out, self._answer)
        return out

    def _look(self, response: requests.Response, **_: Any) -> None:
        answer = _Answer(code=response.status_code)
        value = response.headers.get("retry-after", "")
        answer.retry_after = min(float(value), _PATIENCE) if value.isdigit() else None
        answer.kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
        answer.redirected = bool(response.history) or response.is_redirect
        protobuf = answer.kind == "application/x-protobuf"
        complete = _is_complete(response)
        if response.status_code == 200 and protobuf and complete and not answer.redirected:
            try:
                parsed = ExportLogsServiceResponse.FromString(response.content)
            except Exception:  # noqa: BLE001 - protobuf raises several kinds; any of them is not proof
                answer.proof = False
            else:
                answer.proof = True
                answer.refused = parsed.partial_success.rejected_log_records
        if self._accept == "any_2xx" and complete and not answer.redirected:
            # a page in HTML is a login form or a proxy, never a receiver
            answer.proof |= 200 <= response.status_code < 300 and answer.kind != "text/html"
        self._answer = answer

    def _send(self, rows: list[Row], out: Delivery, candidates: list[tuple[int, str]]) -> bool:
        """Send records; False means stop: the receiver takes nothing now, or the time is up.

        ``candidates`` are the single records that were refused.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            out.error = "timeout"
            out.advice = f"{self.url} did not answer in time"
            return False
        self._answer = _Answer()
        try:
            with self._cutter.within(min(left, _ANSWER)) as late:
                self._exporter.export([record_of(r, self._who) for r in rows])
        except Exception as error:  # noqa: BLE001 - whatever the exporter raises, the events stay
            out.error = type(error).__name__
            out.advice = f"sending to {self.url} failed ({out.error})"
            return False
        answer = self._answer
        if late.is_set() and not answer.proof:
            out.error = "timeout"
            out.advice = f"{self.url} begins an answer and does not end it; check the receiver"
            return False
        if answer.proof and not answer.refused:
            out.delivered.extend(r.seq for r in rows)
            return True
        if not answer.refused and answer.code not in _BISECTED:
            self._wait(out, answer)
            return False
        if len(rows) == 1:
            why = "partial_success" if answer.refused else f"http_{answer.code}"
            candidates.append((rows[0].seq, why))
            return True
        if not out.delivered and len(candidates) > _REFUSALS:
            self._wait(out, answer)
            return False
        middle = len(rows) // 2
        halves = [rows[:middle], rows[middle:]]
        if self._order.random() < 0.5:  # a good record is found wherever it is, sooner or later
            halves.reverse()
        return all(self._send(half, out, candidates) for half in halves)

    def _wait(self, out: Delivery, answer: _Answer) -> None:
        """The batch must wait: say why, and what would end it."""
        out.retry_after = answer.retry_after
        if answer.code is None:
            out.error = "no_answer"
            out.advice = f"{self.url} does not answer; start the receiver, or correct the endpoint"
        elif answer.redirected:
            out.error = "redirect"
            out.advice = f"{self.url} redirects; set the endpoint to the address it leads to"
        elif 200 <= answer.code < 300:
            out.error = "no_proof"
            kind = answer.kind or "no content type"
            out.advice = (
                f"{self.url} answers {answer.code} with {kind}, which is not an OTLP answer; "
                f"{self._no_proof(answer)}"
            )
        else:
            out.error = f"http_{answer.code}"
            out.advice = f"{self.url} answers {answer.code}; {_ADVICE.get(answer.code, _LATER)}"

    def _no_proof(self, answer: _Answer) -> str:
        if answer.kind == "text/html":
            return f"this is a web page, of a login or a proxy; {_ENDPOINT}"
        if self._accept == "any_2xx":
            return "the answer was cut off or redirected; check what is between"
        return "if a receiver is there that answers so, set telemetry.accept: any_2xx"


def _is_complete(response: requests.Response) -> bool:
    """Whether an answer arrived to its end.

    One that is cut off in its headers looks complete if nothing says how long it is.
    """
    if response.status_code == 204 or "chunked" in response.headers.get("transfer-encoding", ""):
        return True
    length = response.headers.get("content-length", "")
    _ = response.content  # read to the end; ``raw`` counts the bytes as they came
    return length.isdecimal() and int(length) == response.raw.tell()


_LATER = "the events are sent again later"
_ENDPOINT = "check the endpoint: events go to its path /v1/logs"
_ADVICE = {
    400: _ENDPOINT,
    401: "check the credentials in OTEL_EXPORTER_OTLP_HEADERS",
    403: "check the credentials in OTEL_EXPORTER_OTLP_HEADERS",
    404: _ENDPOINT,
    405: _ENDPOINT,
    413: "raise the receiver's limit on the size of a request",
    415: _ENDPOINT,
    422: _ENDPOINT,
}


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
