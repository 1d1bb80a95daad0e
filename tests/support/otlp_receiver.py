"""An OTLP/HTTP receiver that can be told to misbehave, over real HTTP on loopback.

Why not a mock of the exporter: what has to be shown is that a record counts as delivered only when
a receiver says so, and the ways in which receivers do *not* say so (a partial success, a redirect
to a login page, a proxy's HTML with status 200, silence) exist only on the wire. So this is a
server, and the client under test is the real one.

What it promises to a test:

- A record that was answered with success is in `logs` (and on disk, for the script) *before* the
  answer is sent; a record that was not is in neither. Hence "acknowledged" is a subset of
  "received", and a test can compare the two without waiting.
- Nothing is de-duplicated. Delivery is at least once; a test that counts duplicates must see them.
- `stop()` also cuts the connections that are open, since a client that keeps one alive would
  otherwise go on talking to a collector that is "down". `start()` takes the same port again.
- Waiting is always on a condition (`wait_for`), never a sleep. A hung request is let go by
  `stop()` or by the next change of `mode`; its connection is closed without an answer.
- `requests` keeps each body as it was after decompression, so that a search for a canary secret
  covers every byte that left the client, also those in fields that are not decoded here.

Modes, for all three signals:

=========  ====================================================================================
ok         200, kept; records for which `reject` is true are counted in partial_success instead
503, 429   that status, nothing kept; with `Retry-After: retry_after` when that is set
400        a permanent refusal, nothing kept
partial    200, but partial_success says that every record was rejected; nothing kept
redirect   302 to a page on this server that answers a GET with 200 and HTML (a login page)
html       200 and HTML to the POST itself (a proxy that means well)
hang       the request is read and never answered
=========  ====================================================================================

As a script, `python -m tests.support.otlp_receiver --port 0 --out received.jsonl`, it prints its
endpoint as the first line, appends one JSON line per log record and ends on SIGTERM. Lines are
flushed before the answer goes out, so a receiver that is killed has lost nothing it acknowledged.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import signal
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

Mode: TypeAlias = Literal["ok", "503", "429", "400", "partial", "redirect", "html", "hang"]
Attributes: TypeAlias = dict[str, Any]

_PROTOBUF = "application/x-protobuf"
_LOGIN_PAGE = b"<!doctype html><title>Sign in</title><p>Sign in to continue.</p>"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record. Ids are lowercase hex, "" when absent; a bytes value is hex as well."""

    event_name: str
    time_unix_nano: int
    severity_number: int
    severity_text: str
    body: Any
    attributes: Attributes
    resource: Attributes
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """One span; `kind` and `status_code` are the protocol's names without their prefixes."""

    name: str
    attributes: Attributes
    kind: str
    trace_id: str
    span_id: str
    parent_span_id: str
    status_code: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One data point: `value` for gauges and sums, `count` and `sum` for the distributions."""

    attributes: Attributes
    value: int | float | None = None
    count: int | None = None
    sum: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one request; `kind` is gauge, sum, histogram, ... as the protocol has it."""

    name: str
    unit: str
    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One POST as it arrived (header names in lower case) and the mode that decided its fate."""

    path: str
    headers: dict[str, str]
    body: bytes
    mode: Mode


class OtlpReceiver:
    """The receiver; a context manager. All lists are snapshots, safe to iterate at any time."""

    def __init__(
        self,
        port: int = 0,
        *,
        mode: Mode = "ok",
        on_log: Callable[[LogRecord], None] | None = None,
    ) -> None:
        """`on_log` sees each kept record before its request is answered, one at a time."""
        self.retry_after: int | None = None
        self.reject: Callable[[LogRecord], bool] | None = None
        self._on_log = on_log
        self._port = port
        self._changed = threading.Condition()  # guards everything below
        self._mode: Mode = _checked(mode)
        self._generation = 0  # bumped by every change that lets hung requests go
        self._logs: list[LogRecord] = []
        self._spans: list[Span] = []
        self._metrics: list[Metric] = []
        self._requests: list[Request] = []
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    # --- life -------------------------------------------------------------------------------

    def __enter__(self) -> OtlpReceiver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; the first time on the port asked for, later always on the same one."""
        if self._server is not None:
            raise RuntimeError("the receiver is already running")
        server = _Server(self, self._port)
        self._port = server.server_address[1]
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Refuse new connections and cut the open ones. What was received stays readable."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        server.shutdown()
        thread.join()
        server.server_close()
        server.cut_connections()
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    @property
    def endpoint(self) -> str:
        """The base address, as OTEL_EXPORTER_OTLP_ENDPOINT wants it; known once started."""
        if not self._port:
            raise RuntimeError("the receiver was never started")
        return f"http://127.0.0.1:{self._port}"

    # --- what a test reads and sets ---------------------------------------------------------

    @property
    def mode(self) -> Mode:
        with self._changed:
            return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        with self._changed:
            self._mode = _checked(mode)
            self._generation += 1
            self._changed.notify_all()

    @property
    def logs(self) -> list[LogRecord]:
        with self._changed:
            return list(self._logs)

    @property
    def spans(self) -> list[Span]:
        with self._changed:
            return list(self._spans)

    @property
    def metrics(self) -> list[Metric]:
        with self._changed:
            return list(self._metrics)

    @property
    def requests(self) -> list[Request]:
        with self._changed:
            return list(self._requests)

    def clear(self) -> None:
        """Forget what was received so far."""
        with self._changed:
            for kept in (self._logs, self._spans, self._metrics, self._requests):
                kept.clear()

    def wait_for(self, condition: Callable[[OtlpReceiver], bool], timeout: float = 10.0) -> bool:
        """True once `condition(self)` holds; TimeoutError, never False, after `timeout` seconds.

        It is asked after each request and each change of mode, so it costs no polling.
        """
        with self._changed:
            if self._changed.wait_for(lambda: condition(self), timeout):
                return True
            raise TimeoutError(
                f"not within {timeout} s: {len(self._requests)} requests, {len(self._logs)} log "
                f"records, {len(self._spans)} spans, {len(self._metrics)} metrics in mode "
                f"{self._mode!r}"
            )

    # --- what the handler calls -------------------------------------------------------------

    def _arrived(self, path: str, headers: dict[str, str], body: bytes) -> tuple[Mode, int]:
        """Note one request; the mode it is to be treated in and the generation of that mode."""
        with self._changed:
            self._requests.append(Request(path, headers, body, self._mode))
            self._changed.notify_all()
            return self._mode, self._generation

    def _hang(self, generation: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._generation != generation)

    def _accept(self, path: str, body: bytes, reject_all: bool) -> bytes:
        """Decode and keep; the serialized response. Raises DecodeError for what is not OTLP."""
        if path == "/v1/logs":
            return self._accept_logs(body, reject_all)
        if path == "/v1/traces":
            return self._accept_spans(body, reject_all)
        return self._accept_metrics(body, reject_all)

    def _accept_logs(self, body: bytes, reject_all: bool) -> bytes:
        records = _log_records(ExportLogsServiceRequest.FromString(body))
        reject = (lambda _: True) if reject_all else self.reject
        response = ExportLogsServiceResponse()
        with self._changed:
            refused = [record for record in records if reject is not None and reject(record)]
            kept = [record for record in records if not any(record is no for no in refused)]
            for record in kept:
                if self._on_log is not None:
                    self._on_log(record)
            self._logs += kept
            self._changed.notify_all()
        if refused:
            response.partial_success.rejected_log_records = len(refused)
            response.partial_success.error_message = "rejected by the test"
        answer: bytes = response.SerializeToString()
        return answer

    def _accept_spans(self, body: bytes, reject_all: bool) -> bytes:
        spans = _spans(ExportTraceServiceRequest.FromString(body))
        response = ExportTraceServiceResponse()
        if reject_all:
            response.partial_success.rejected_spans = len(spans)
            response.partial_success.error_message = "rejected by the test"
        else:
            with self._changed:
                self._spans += spans
                self._changed.notify_all()
        answer: bytes = response.SerializeToString()
        return answer

    def _accept_metrics(self, body: bytes, reject_all: bool) -> bytes:
        metrics = _metrics(ExportMetricsServiceRequest.FromString(body))
        response = ExportMetricsServiceResponse()
        if reject_all:
            points = sum(len(metric.points) for metric in metrics)
            response.partial_success.rejected_data_points = points
            response.partial_success.error_message = "rejected by the test"
        else:
            with self._changed:
                self._metrics += metrics
                self._changed.notify_all()
        answer: bytes = response.SerializeToString()
        return answer


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that they can be cut; handlers find the receiver here."""

    daemon_threads = True
    # The threads are not joined on close: one that serves a kept-alive connection ends when that
    # is cut, one that hangs when the generation changes, and both happen after the close.
    block_on_close = False

    def __init__(self, receiver: OtlpReceiver, port: int) -> None:
        self.receiver = receiver
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is this server's purpose; anything else is worth a traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Quiet: standard error belongs to the test."""

    def do_GET(self) -> None:
        """The page a redirect leads to: a client that follows it meets a 200 without meaning."""
        self._answer(200, _LOGIN_PAGE, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        length = self.headers.get("content-length")
        if length is None:
            self.close_connection = True  # where the body ends is not known
            return self._answer(411)
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError, zlib.error):
                return self._answer(400)
        receiver = self.server.receiver
        mode, generation = receiver._arrived(self.path, headers, body)
        match mode:
            case "hang":
                receiver._hang(generation)
                self.close_connection = True
            case "503" | "429":
                wait = receiver.retry_after
                self._answer(int(mode), retry_after=wait)
            case "400":
                self._answer(400)
            case "redirect":
                self._answer(302, location=f"{receiver.endpoint}/login")
            case "html":
                self._answer(200, _LOGIN_PAGE, "text/html; charset=utf-8")
            case "ok" | "partial":
                self._take(body, headers, reject_all=mode == "partial")
        return None

    def _take(self, body: bytes, headers: dict[str, str], *, reject_all: bool) -> None:
        if self.path not in ("/v1/logs", "/v1/traces", "/v1/metrics"):
            return self._answer(404)
        if headers.get("content-type") != _PROTOBUF:
            return self._answer(415)
        try:
            answer = self.server.receiver._accept(self.path, body, reject_all)
        except DecodeError:
            return self._answer(400)
        return self._answer(200, answer, _PROTOBUF)

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        content_type: str | None = None,
        *,
        retry_after: int | None = None,
        location: str | None = None,
    ) -> None:
        self.send_response(status)
        if content_type is not None:
            self.send_header("Content-Type", content_type)
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        if location is not None:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


# --- decoding -------------------------------------------------------------------------------


def _checked(mode: Mode) -> Mode:
    if mode not in get_args(Mode):
        raise ValueError(f"unknown mode {mode!r}; one of {', '.join(get_args(Mode))}")
    return mode


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case "bytes_value":
            return value.bytes_value.hex()
        case _:
            return None


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    """A plain dict; a key that is sent twice is a defect of the sender and raises."""
    result: Attributes = {}
    for pair in pairs:
        if pair.key in result:
            raise DecodeError(f"attribute sent twice: {pair.key}")
        result[pair.key] = _value(pair.value)
    return result


def _log_records(request: ExportLogsServiceRequest) -> list[LogRecord]:
    return [
        LogRecord(
            event_name=record.event_name,
            time_unix_nano=record.time_unix_nano,
            severity_number=int(record.severity_number),
            severity_text=record.severity_text,
            body=_value(record.body),
            attributes=_attributes(record.attributes),
            resource=_attributes(group.resource.attributes),
            trace_id=record.trace_id.hex(),
            span_id=record.span_id.hex(),
        )
        for group in request.resource_logs
        for scope in group.scope_logs
        for record in scope.log_records
    ]


def _spans(request: ExportTraceServiceRequest) -> list[Span]:
    return [
        Span(
            name=span.name,
            attributes=_attributes(span.attributes),
            kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_span_id=span.parent_span_id.hex(),
            status_code=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix(
                "STATUS_CODE_"
            ),
            events=tuple(event.name for event in span.events),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _metrics(request: ExportMetricsServiceRequest) -> list[Metric]:
    return [
        Metric(metric.name, metric.unit, metric.WhichOneof("data") or "", _points(metric))
        for group in request.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
    ]


def _points(metric: metrics_pb2.Metric) -> tuple[Point, ...]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return ()
    return tuple(_point(kind, point) for point in getattr(metric, kind).data_points)


def _point(kind: str, point: Any) -> Point:
    attributes = _attributes(point.attributes)
    if kind not in ("gauge", "sum"):
        return Point(attributes, count=point.count, sum=point.sum)
    held = point.WhichOneof("value")
    return Point(attributes, value=None if held is None else getattr(point, held))


# --- the script -----------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="otlp_receiver", description="OTLP/HTTP on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--out", type=Path, help="append one JSON line per log record here")
    parser.add_argument("--mode", choices=get_args(Mode), default="ok")
    options = parser.parse_args(arguments)
    # Blocked before any thread exists, so that none of them inherits the default action.
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with open(options.out or "/dev/null", "a", encoding="utf-8") as out:

        def write(record: LogRecord) -> None:
            out.write(json.dumps(dataclasses.asdict(record), ensure_ascii=False) + "\n")
            out.flush()

        with OtlpReceiver(options.port, mode=options.mode, on_log=write) as receiver:
            print(receiver.endpoint, flush=True)
            signal.sigwait(ends)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
