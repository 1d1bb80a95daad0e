"""The receiver is a measuring instrument: each fault is checked from the client's side, raw.

Bodies are real protobuf messages posted with urllib, which (unlike the exporters) hides nothing:
a test sees status, headers and answer as they are on the wire.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
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
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support.otlp_receiver import Mode, OtlpReceiver, Point

ROOT = Path(__file__).resolve().parents[2]
TRACE = bytes(range(16))
SPAN = bytes(range(8))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


# No proxy from the environment may stand between a test and loopback.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
_FOLLOWING = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


def logs_body(*uids: str) -> bytes:
    """A request with one record per uid, with a value of each kind in its attributes."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.append(KeyValue(key="service.name", value=text("confmig")))
    scope = group.scope_logs.add()
    for uid in uids:
        record = scope.log_records.add(
            event_name="config.migrated",
            time_unix_nano=1_700_000_000_000_000_001,
            severity_number=9,
            severity_text="INFO",
            body=text("a body"),
            trace_id=TRACE,
            span_id=SPAN,
        )
        values = {
            "log.record.uid": text(uid),
            "flag": AnyValue(bool_value=False),
            "count": AnyValue(int_value=-3),
            "ratio": AnyValue(double_value=0.5),
            "list": AnyValue(array_value=ArrayValue(values=[text("a"), AnyValue(int_value=1)])),
            "map": AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=text("v"))])),
            "raw": AnyValue(bytes_value=b"\x00\xff"),
            "nothing": AnyValue(),
        }
        record.attributes.extend(KeyValue(key=key, value=value) for key, value in values.items())
    body: bytes = request.SerializeToString()
    return body


def traces_body() -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    span = scope.spans.add(
        name="config.migration.apply",
        kind=trace_pb2.Span.SPAN_KIND_INTERNAL,
        trace_id=TRACE,
        span_id=SPAN,
        parent_span_id=SPAN[::-1],
    )
    span.status.code = trace_pb2.Status.STATUS_CODE_ERROR
    span.attributes.append(KeyValue(key="error.type", value=text("ENOSPC")))
    span.events.add(name="exception")
    body: bytes = request.SerializeToString()
    return body


def metrics_body() -> bytes:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    gauge = scope.metrics.add(name="config.migration.blocked", unit="1")
    gauge.gauge.data_points.add(as_int=0)
    total = scope.metrics.add(name="config.migration.rollbacks", unit="{rollback}")
    total.sum.data_points.add(as_double=1.5).attributes.append(
        KeyValue(key="target", value=text("app"))
    )
    duration = scope.metrics.add(name="config.migration.duration", unit="s")
    duration.histogram.data_points.add(count=2, sum=0.25)
    body: bytes = request.SerializeToString()
    return body


def post(
    receiver: OtlpReceiver,
    body: bytes,
    path: str = "/v1/logs",
    *,
    opener: urllib.request.OpenerDirector = _DIRECT,
    content_type: str = "application/x-protobuf",
    encoding: str | None = None,
    timeout: float = 10.0,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body of the answer; a bad status is no error."""
    request = urllib.request.Request(receiver.endpoint + path, data=body, method="POST")
    request.add_header("Content-Type", content_type)
    if encoding is not None:
        request.add_header("Content-Encoding", encoding)
    try:
        answer = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, headers, answer.read()


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


def test_a_log_record_is_decoded_whole(receiver: OtlpReceiver) -> None:
    status, headers, answer = post(receiver, logs_body("i-1"))
    assert (status, headers["content-type"]) == (200, "application/x-protobuf")
    response = ExportLogsServiceResponse.FromString(answer)
    assert response.partial_success.rejected_log_records == 0
    [record] = receiver.logs
    assert record.event_name == "config.migrated"
    assert record.time_unix_nano == 1_700_000_000_000_000_001
    assert (record.severity_number, record.severity_text) == (9, "INFO")
    assert record.body == "a body"
    assert record.resource == {"service.name": "confmig"}
    assert (record.trace_id, record.span_id) == (TRACE.hex(), SPAN.hex())
    assert record.attributes == {
        "log.record.uid": "i-1",
        "flag": False,
        "count": -3,
        "ratio": 0.5,
        "list": ["a", 1],
        "map": {"k": "v"},
        "raw": "00ff",
        "nothing": None,
    }


def test_spans_and_metrics_are_decoded(receiver: OtlpReceiver) -> None:
    assert post(receiver, traces_body(), "/v1/traces")[0] == 200
    assert post(receiver, metrics_body(), "/v1/metrics")[0] == 200
    [span] = receiver.spans
    assert (span.name, span.kind, span.status_code) == (
        "config.migration.apply",
        "INTERNAL",
        "ERROR",
    )
    assert (span.trace_id, span.span_id) == (TRACE.hex(), SPAN.hex())
    assert span.parent_span_id == SPAN[::-1].hex()
    assert span.attributes == {"error.type": "ENOSPC"}
    assert span.events == ("exception",)
    gauge, total, duration = receiver.metrics
    assert (gauge.kind, gauge.unit, gauge.points) == ("gauge", "1", (Point({}, value=0),))
    assert total.kind == "sum"
    assert total.points == (Point({"target": "app"}, value=1.5),)
    assert duration.kind == "histogram"
    assert duration.points == (Point({}, count=2, sum=0.25),)


def test_gzip_is_accepted_and_broken_gzip_refused(receiver: OtlpReceiver) -> None:
    packed = gzip.compress(logs_body("i-1"))
    assert post(receiver, packed, encoding="gzip")[0] == 200
    assert [record.attributes["log.record.uid"] for record in receiver.logs] == ["i-1"]
    assert receiver.requests[0].body == logs_body("i-1")
    assert post(receiver, packed[:-9], encoding="gzip")[0] == 400
    assert post(receiver, b"not gzip", encoding="gzip")[0] == 400
    assert len(receiver.logs) == 1


def test_what_is_not_otlp_is_refused(receiver: OtlpReceiver) -> None:
    assert post(receiver, b"\xff\xff\xff", "/v1/logs")[0] == 400
    assert post(receiver, logs_body("i-1"), "/v1/other")[0] == 404
    assert post(receiver, b"{}", content_type="application/json")[0] == 415
    assert receiver.logs == []


def test_an_attribute_sent_twice_is_refused(receiver: OtlpReceiver) -> None:
    request = ExportLogsServiceRequest.FromString(logs_body("i-1"))
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.attributes.append(KeyValue(key="flag", value=text("again")))
    assert post(receiver, request.SerializeToString())[0] == 400
    assert receiver.logs == []


@pytest.mark.parametrize("mode", ["503", "429"])
def test_overload_may_name_a_time(receiver: OtlpReceiver, mode: Mode) -> None:
    receiver.mode = mode
    status, headers, _ = post(receiver, logs_body("i-1"))
    assert status == int(mode)
    assert "retry-after" not in headers
    receiver.retry_after = 1
    assert post(receiver, logs_body("i-1"))[1]["retry-after"] == "1"
    assert receiver.logs == []
    assert [request.mode for request in receiver.requests] == [mode, mode]
    receiver.mode = "ok"
    assert post(receiver, logs_body("i-1"))[0] == 200
    assert len(receiver.logs) == 1


def test_a_permanent_refusal_keeps_nothing(receiver: OtlpReceiver) -> None:
    receiver.mode = "400"
    assert post(receiver, logs_body("i-1"))[0] == 400
    assert receiver.logs == []


def test_partial_rejects_everything_with_status_200(receiver: OtlpReceiver) -> None:
    receiver.mode = "partial"
    status, headers, answer = post(receiver, logs_body("i-1", "i-2"))
    assert (status, headers["content-type"]) == (200, "application/x-protobuf")
    logs = ExportLogsServiceResponse.FromString(answer).partial_success
    assert logs.rejected_log_records == 2
    assert logs.error_message
    answer = post(receiver, traces_body(), "/v1/traces")[2]
    assert ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans == 1
    answer = post(receiver, metrics_body(), "/v1/metrics")[2]
    points = ExportMetricsServiceResponse.FromString(answer).partial_success.rejected_data_points
    assert points == 3
    assert (receiver.logs, receiver.spans, receiver.metrics) == ([], [], [])


def test_single_records_can_be_rejected(receiver: OtlpReceiver) -> None:
    receiver.reject = lambda record: record.attributes["log.record.uid"] == "poison"
    status, _, answer = post(receiver, logs_body("i-1", "poison", "i-2", "poison"))
    assert status == 200
    response = ExportLogsServiceResponse.FromString(answer)
    assert response.partial_success.rejected_log_records == 2
    assert [record.attributes["log.record.uid"] for record in receiver.logs] == ["i-1", "i-2"]


def test_equal_records_are_not_merged(receiver: OtlpReceiver) -> None:
    post(receiver, logs_body("i-1", "i-1"))
    post(receiver, logs_body("i-1"))
    assert len(receiver.logs) == 3


def test_a_redirect_leads_to_a_page_that_says_200(receiver: OtlpReceiver) -> None:
    receiver.mode = "redirect"
    status, headers, _ = post(receiver, logs_body("i-1"))
    assert status == 302
    assert headers["location"].startswith(receiver.endpoint)
    status, headers, _ = post(receiver, logs_body("i-1"), opener=_FOLLOWING)
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert receiver.logs == []


def test_html_with_status_200_keeps_nothing(receiver: OtlpReceiver) -> None:
    receiver.mode = "html"
    status, headers, _ = post(receiver, logs_body("i-1"))
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert receiver.logs == []


def test_a_hung_request_ends_without_an_answer(receiver: OtlpReceiver) -> None:
    receiver.mode = "hang"
    with pytest.raises(TimeoutError):
        post(receiver, logs_body("i-1"), timeout=0.2)
    assert len(receiver.requests) == 1
    outcome: list[BaseException] = []

    def client() -> None:
        try:
            post(receiver, logs_body("i-2"))
        except (OSError, http.client.HTTPException) as error:
            outcome.append(error)

    waiting = threading.Thread(target=client)
    waiting.start()
    receiver.wait_for(lambda r: len(r.requests) == 2)
    assert waiting.is_alive()
    receiver.mode = "ok"
    waiting.join(10)
    assert isinstance(outcome[0], http.client.RemoteDisconnected)
    assert receiver.logs == []


def test_stop_refuses_and_start_takes_the_same_port(receiver: OtlpReceiver) -> None:
    endpoint = receiver.endpoint
    post(receiver, logs_body("i-1"))
    receiver.stop()
    receiver.stop()
    with pytest.raises(urllib.error.URLError) as refused:
        post(receiver, logs_body("i-2"))
    assert isinstance(refused.value.reason, ConnectionRefusedError)
    receiver.start()
    assert receiver.endpoint == endpoint
    assert post(receiver, logs_body("i-3"))[0] == 200
    assert [record.attributes["log.record.uid"] for record in receiver.logs] == ["i-1", "i-3"]
    with pytest.raises(RuntimeError):
        receiver.start()


def test_stop_cuts_connections_that_are_open(receiver: OtlpReceiver) -> None:
    idle, hung = _connection(receiver), _connection(receiver)
    _request(idle, "i-1")
    assert idle.getresponse().read() == b""  # success is an empty message
    receiver.mode = "hang"
    _request(hung, "i-2")
    receiver.wait_for(lambda r: len(r.requests) == 2)
    receiver.stop()
    with pytest.raises(ConnectionError):
        hung.getresponse()
    with pytest.raises(ConnectionError):
        _exchange(idle, "i-3")
    hung.close()
    idle.close()
    assert len(receiver.logs) == 1


def _connection(receiver: OtlpReceiver) -> http.client.HTTPConnection:
    """A connection that is kept alive and never silently opened anew."""
    connection = http.client.HTTPConnection(receiver.endpoint.removeprefix("http://"), timeout=10)
    connection.connect()
    connection.auto_open = 0
    return connection


def _request(connection: http.client.HTTPConnection, uid: str) -> None:
    connection.request(
        "POST", "/v1/logs", logs_body(uid), {"Content-Type": "application/x-protobuf"}
    )


def _exchange(connection: http.client.HTTPConnection, uid: str) -> None:
    _request(connection, uid)  # may still be written into the socket's buffer
    connection.getresponse()


def test_wait_for_sees_what_another_thread_sends(receiver: OtlpReceiver) -> None:
    sender = threading.Thread(target=post, args=(receiver, logs_body("i-1", "i-2")))
    sender.start()
    assert receiver.wait_for(lambda r: len(r.logs) == 2)
    sender.join()
    with pytest.raises(TimeoutError, match="2 log records"):
        receiver.wait_for(lambda r: len(r.logs) == 3, timeout=0.05)
    receiver.clear()
    assert (receiver.logs, receiver.requests) == ([], [])


def test_an_unknown_mode_is_an_error(receiver: OtlpReceiver) -> None:
    with pytest.raises(ValueError, match="502"):
        receiver.mode = "502"  # type: ignore[assignment]
    assert receiver.mode == "ok"


def test_the_script_serves_records_and_ends_on_sigterm(tmp_path: Path) -> None:
    out = tmp_path / "received.jsonl"
    out.write_text('{"earlier": true}\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.otlp_receiver", "--port", "0", "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        assert endpoint.startswith("http://127.0.0.1:")
        request = urllib.request.Request(f"{endpoint}/v1/logs", data=logs_body("i-1", "i-2"))
        request.add_header("Content-Type", "application/x-protobuf")
        with _DIRECT.open(request, timeout=10) as answer:
            assert answer.status == 200
        # No waiting: what was acknowledged is in the file.
        first, *lines = [json.loads(line) for line in out.read_text().splitlines()]
        assert first == {"earlier": True}
        assert [line["attributes"]["log.record.uid"] for line in lines] == ["i-1", "i-2"]
        assert lines[0]["event_name"] == "config.migrated"
        assert lines[0]["resource"] == {"service.name": "confmig"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
