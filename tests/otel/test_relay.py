"""Proof of delivery, and its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from confmig_otel.export import resource
from confmig_otel.relay import Deliverer
from tests.support.otlp_receiver import OtlpReceiver


@dataclass(frozen=True)
class Row:
    """An event as the outbox has it."""

    seq: int
    uid: str = ""
    name: str = "config.migrated"
    time_ns: int = 1
    severity: int = 9
    attributes: dict[str, Any] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None


def _rows(count: int) -> list[Row]:
    return [Row(n, f"i-{n}") for n in range(1, count + 1)]


def _deliverer(receiver: OtlpReceiver) -> Deliverer:
    return Deliverer(f"{receiver.endpoint}/v1/logs", resource("confmig", "0", "i"))


def test_an_absurd_retry_after_does_not_silence_delivery() -> None:
    with OtlpReceiver() as receiver:
        receiver.mode = "429"
        receiver.retry_after = 99_999_999_999
        result = _deliverer(receiver).deliver(_rows(1))
    assert result.delivered == []
    assert result.rejected == []
    assert result.retry_after is not None
    assert result.retry_after <= 300


def test_bisecting_ends_when_time_is_up_and_the_rest_waits() -> None:
    with OtlpReceiver() as receiver:
        receiver.mode = "400"
        result = _deliverer(receiver).deliver(_rows(64), seconds=0.0)
    assert result.error == "timeout"
    assert len(result.rejected) < 64


def test_the_one_record_a_receiver_refuses_is_found_and_the_others_arrive() -> None:
    with OtlpReceiver() as receiver:
        receiver.reject = lambda record: record.attributes["log.record.uid"] == "i-7"
        result = _deliverer(receiver).deliver(_rows(16))
        uids = {r.attributes["log.record.uid"] for r in receiver.logs}
    assert sorted(result.delivered) == [n for n in range(1, 17) if n != 7]
    assert result.rejected == [(7, "partial_success")]
    assert uids >= {f"i-{n}" for n in range(1, 17) if n != 7}
