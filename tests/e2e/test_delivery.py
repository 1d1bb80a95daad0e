"""Events, spans and metrics, as a receiver sees them; nothing lost, nothing believed unproven."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import FREE, OPEN, TWO, Daemon, Step, World, document, until, write_bundle
from tests.support.otlp_receiver import LogRecord, Mode, OtlpReceiver

pytestmark = pytest.mark.slow

UID = "log.record.uid"
SEVERITY = {
    "config.migrated": (9, "INFO"),
    "config.migration.started": (9, "INFO"),
    "config.migration.completed": (9, "INFO"),
    "config.migration.failed": (17, "ERROR"),
    "config.migration.blocked_by_partial_failure": (17, "ERROR"),
    "config.migration.unblocked": (9, "INFO"),
    "config.migration.deferred": (9, "INFO"),
    "config.migration.approved": (9, "INFO"),
    "config.migration.rollback.started": (13, "WARN"),
    "config.migration.rollback.completed": (13, "WARN"),
    "config.migration.rollback.failed": (21, "FATAL"),
    "config.drift.detected": (13, "WARN"),
    "config.bundle.loaded": (9, "INFO"),
    "config.policy.loaded": (9, "INFO"),
    "config.policy.rejected": (17, "ERROR"),
}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as one:
        yield one


def telling(endpoint: str, drain: float = 5.0, **more: Any) -> str:
    extra = "".join(f", {k}: {v}" for k, v in more.items())
    return f"{{endpoint: '{endpoint}', drain_seconds: {drain}{extra}}}"


def small(folder: Path, receiver: OtlpReceiver, *, policy: str = FREE, **more: Any) -> World:
    bundle = write_bundle(folder / "bundle", TWO)
    return World(
        folder / "w",
        bundle=bundle,
        policy=policy,
        documents={"a.yaml": document()},
        telemetry=telling(receiver.endpoint, **more),
        more="http: {port: 0}\n",
    )


def waiting(world: World) -> tuple[int, int, int]:
    """Delivered, refused for good, and still to be delivered."""
    [(delivered, rejected, total)] = world.query(
        "SELECT sum(delivered_at IS NOT NULL), sum(rejected IS NOT NULL), count(*) FROM events"
    )
    return delivered, rejected, total - delivered - rejected


def uids(world: World) -> set[str]:
    return {row[0] for row in world.query("SELECT uid FROM events")}


def test_everything_arrives_once_with_its_attributes(
    tmp_path: Path, receiver: OtlpReceiver
) -> None:
    world = small(tmp_path, receiver)
    done = world.once()
    assert done.code == 0, done
    logs = receiver.logs
    assert [r.event_name for r in logs] == [
        "config.policy.loaded",
        "config.bundle.loaded",
        "config.migration.started",
        "config.migrated",
        "config.migrated",
        "config.migration.completed",
    ]
    assert Counter(r.attributes[UID] for r in logs) == dict.fromkeys(uids(world), 1)
    assert waiting(world) == (6, 0, 0)
    for record in logs:
        assert (record.severity_number, record.severity_text) == SEVERITY[record.event_name]
        assert record.attributes["config.target.name"] == "app"
        assert "event.name" not in record.attributes
        assert record.time_unix_nano > 0
        who = record.resource
        assert who["service.name"] == "confmig"
        assert who["service.version"]
        assert re.fullmatch(r"[0-9a-f]{32}", who["service.instance.id"])
    first, second = (r.attributes for r in logs if r.event_name == "config.migrated")
    assert first["config.migration.id"] == "0001_listen"
    assert first["config.migration.order"] == 1
    assert first["config.migration.class"] == "online"
    assert first["config.file.path"] == "a.yaml"
    assert first["config.file.format"] == "yaml"
    assert first["config.schema.name"] == "app"
    assert (first["config.schema.version.from"], first["config.schema.version.to"]) == ("0", "1")
    assert (second["config.schema.version.from"], second["config.schema.version.to"]) == ("1", "2")
    assert second["config.file.digest"].startswith("sha256:")
    completed = logs[-1].attributes
    assert completed["config.migration.outcome"] == "committed"
    assert completed["config.migration.ids"] == ["0001_listen", "0002_feature"]
    assert completed["config.migration.transaction.id"] == first["config.migration.transaction.id"]
    assert completed["config.documents.count"] == 1
    assert Path(completed["config.migration.rollback.checkpoint.path"]).is_file()
    assert first["config.migration.manifest.digest"].startswith("sha256:")


def test_spans_and_metrics_arrive_and_are_linked(tmp_path: Path, receiver: OtlpReceiver) -> None:
    world = small(tmp_path, receiver)
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    assert world.once(TRACEPARENT=f"00-{trace}-{parent}-01").code == 0
    spans = receiver.spans
    assert {s.trace_id for s in spans} == {trace}
    [run] = [s for s in spans if s.parent_span_id == parent]
    assert run.name == "run_config_migrations"
    [apply] = [s for s in spans if s.parent_span_id == run.span_id]
    assert apply.attributes["config.migration.outcome"] == "committed"
    assert apply.attributes["config.migration.ids"] == ["0001_listen", "0002_feature"]
    phases = [
        s.attributes["config.migration.phase"] for s in spans if s.parent_span_id == apply.span_id
    ]
    assert phases == ["transform", "checkpoint", "commit"]
    known = {s.span_id for s in spans}
    for record in receiver.logs:
        if record.event_name in ("config.migration.started", "config.migrated"):
            assert record.trace_id == trace
            assert record.span_id in known
    values: dict[str, list[Any]] = {}
    units = {}
    for metric in receiver.metrics:
        values.setdefault(metric.name, []).extend(metric.points)
        units[metric.name] = metric.unit
    [duration] = values["config.migration.duration"]
    assert duration.count == 1
    assert duration.attributes["config.migration.outcome"] == "committed"
    assert units["config.migration.duration"] == "s"
    pending = {
        p.attributes["config.migration.class"]: p.value for p in values["config.migration.pending"]
    }
    assert pending == {"online": 0, "post_deploy": 0, "manual_backfill": 0}
    assert {p.value for p in values["config.migration.blocked"]} == {0}
    assert [p.value for p in values["config.documents"]] == [1]
    # rollback
    receiver.clear()
    assert world.run("rollback", "--last").code == 0
    [span] = [s for s in receiver.spans if s.name.startswith("rollback")]
    assert span.attributes["config.migration.rollback.trigger"] == "operator"
    told = {r.event_name: r for r in receiver.logs}
    assert set(told) == {
        "config.migration.rollback.started",
        "config.migration.rollback.completed",
    }
    for record in told.values():
        assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
        assert (record.severity_number, record.severity_text) == SEVERITY[record.event_name]


def test_the_outbox_gauge_of_a_run_that_delivered_everything_is_zero(
    tmp_path: Path, receiver: OtlpReceiver
) -> None:
    world = small(tmp_path, receiver)
    assert world.once().code == 0
    assert waiting(world)[2] == 0
    last = [m for m in receiver.metrics if m.name == "config.migration.outbox.pending"][-1]
    assert [p.value for p in last.points] == [0]


def test_one_manifest_digest_in_one_form(tmp_path: Path, receiver: OtlpReceiver) -> None:
    world = small(tmp_path, receiver)
    assert world.once().code == 0
    key = "config.migration.manifest.digest"
    forms = {s.attributes[key] for s in receiver.spans if key in s.attributes}
    forms |= {r.attributes[key] for r in receiver.logs if key in r.attributes}
    assert len(forms) == 1, forms


def test_severities_of_the_rarer_events(tmp_path: Path, receiver: OtlpReceiver) -> None:
    world = small(tmp_path, receiver, policy=OPEN)
    assert world.run("approve", "0001_listen", "--reason", "because").code == 0
    world.put("a.yaml", "server: {port: 1}\nlisten: 7\n")
    assert world.once().code == 4
    world.policy.write_text("nonsense: 1\n")
    assert world.once().code == 2
    told = {r.event_name: r for r in receiver.logs}
    assert {
        "config.migration.approved",
        "config.migration.failed",
        "config.migration.deferred",
        "config.policy.rejected",
    } <= set(told)
    for record in receiver.logs:
        assert (record.severity_number, record.severity_text) == SEVERITY[record.event_name]
    assert (
        told["config.migration.approved"].attributes["config.migration.approval.reason"]
        == "because"
    )
    failed = told["config.migration.failed"].attributes
    assert failed["error.type"]
    assert failed["config.migration.phase"] == "transform"
    failing = [s for s in receiver.spans if s.status_code == "ERROR"]
    assert failing
    assert all(s.attributes["error.type"] for s in failing)


FAULTS: tuple[Mode, ...] = ("503", "429", "redirect", "html", "hang")


@pytest.mark.slow
@pytest.mark.parametrize("mode", FAULTS)
def test_without_proof_nothing_is_delivered_and_nothing_is_lost(
    tmp_path: Path, receiver: OtlpReceiver, mode: Mode
) -> None:
    world = small(tmp_path, receiver, drain=0.5)
    receiver.mode = mode
    done = world.once()
    assert done.code == 0, done
    assert "yet: 6 events" in done.err
    assert world.version("a.yaml") == 2
    assert waiting(world) == (0, 0, 6)
    assert receiver.logs == []
    receiver.mode = "ok"
    assert world.once().code == 0
    assert waiting(world) == (6, 0, 0)
    assert Counter(r.attributes[UID] for r in receiver.logs) == dict.fromkeys(uids(world), 1)


def test_a_receiver_that_is_not_there(tmp_path: Path, receiver: OtlpReceiver) -> None:
    world = small(tmp_path, receiver, drain=0.5)
    receiver.stop()
    done = world.once()
    assert done.code == 0, done
    assert waiting(world) == (0, 0, 6)
    receiver.start()
    assert world.once().code == 0
    assert Counter(r.attributes[UID] for r in receiver.logs) == dict.fromkeys(uids(world), 1)


def test_what_is_refused_for_good_is_kept_and_the_others_arrive(
    tmp_path: Path, receiver: OtlpReceiver
) -> None:
    world = small(tmp_path, receiver)

    def bad(record: LogRecord) -> bool:
        return record.attributes.get("config.migration.id") == "0002_feature"

    receiver.reject = bad
    assert world.once().code == 0
    assert waiting(world) == (5, 1, 0)
    [(name, why)] = world.query("SELECT name, rejected FROM events WHERE rejected IS NOT NULL")
    assert (name, why) == ("config.migrated", "partial_success")
    arrived = {r.attributes[UID] for r in receiver.logs}
    assert len(arrived) == 5
    assert world.status()["outbox"]["rejected"] == 1
    receiver.reject = None
    assert world.once().code == 0
    assert waiting(world) == (5, 1, 0)


@pytest.mark.parametrize("mode", ["partial", "400"])
def test_a_receiver_that_refuses_everything_is_given_nothing_up_unseen(
    tmp_path: Path, receiver: OtlpReceiver, mode: Mode
) -> None:
    world = small(tmp_path, receiver)
    receiver.mode = mode
    assert world.once().code == 0
    delivered, rejected, left = waiting(world)
    assert delivered == 0
    assert rejected + left == 6
    assert len(world.events()) == 6


def test_delivery_off_is_history_only(tmp_path: Path, receiver: OtlpReceiver) -> None:
    world = small(tmp_path, receiver, outbox_limit=1)
    assert world.once(OTEL_SDK_DISABLED="true").code == 0
    assert receiver.requests == []
    assert len(world.events()) == 6
    world.put("late.yaml", document())
    done = world.once(
        OTEL_LOGS_EXPORTER="none", OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none"
    )
    assert done.code == 0, done
    assert world.version("late.yaml") == 2
    assert receiver.requests == []


def test_a_full_outbox_stops_migrations(tmp_path: Path, receiver: OtlpReceiver) -> None:
    world = small(tmp_path, receiver, drain=0.2, outbox_limit=4)
    receiver.stop()
    assert world.once().code == 0
    world.put("late.yaml", document())
    done = world.once("--json")
    assert done.code == 3, done
    assert {p["reason"] for p in done.json["targets"][0]["pending"]} == {"outbox_full"}
    assert world.version("late.yaml") == 0
    receiver.start()
    # the first run delivers at its end, the next one may migrate again
    assert world.once().code in (0, 3)
    assert world.once().code == 0
    assert world.version("late.yaml") == 2


def test_the_endpoint_of_the_environment_and_resource_attributes(
    tmp_path: Path, receiver: OtlpReceiver
) -> None:
    bundle = write_bundle(tmp_path / "bundle", TWO)
    world = World(
        tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document()}, telemetry="{}"
    )
    done = world.once(
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        OTEL_SERVICE_NAME="mine",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test",
        POD_UID="pod-1",
    )
    assert done.code == 0, done
    assert len(receiver.logs) == 6
    for record in receiver.logs:
        assert record.resource["service.name"] == "mine"
        assert record.resource["deployment.environment"] == "test"
        assert record.resource["service.instance.id"] == "pod-1"


def many(count: int) -> tuple[Step, ...]:
    """Tiny migrations that alternate classes, so that each is a transaction of its own."""
    return tuple(
        Step(
            f"{n:04d}_step",
            ({"set": {"path": f"k{n % 7}", "value": n}},),
            "online" if n % 2 else "post_deploy",
        )
        for n in range(1, count + 1)
    )


@pytest.mark.slow
def test_200_transactions_with_the_receiver_down_all_arrive(
    tmp_path: Path, receiver: OtlpReceiver
) -> None:
    bundle = write_bundle(tmp_path / "bundle", many(200))
    world = World(
        tmp_path / "w",
        bundle=bundle,
        policy=FREE,
        documents={"a.yaml": "schema_version: 0\n"},
        telemetry=telling(receiver.endpoint, 1.0),
        more="http: {port: 0}\n",
    )
    receiver.stop()
    with Daemon(world) as daemon:
        until(lambda: world.version("a.yaml") == 200, 60, daemon.said)
        assert receiver.logs == []
        receiver.start()
        receiver.wait_for(lambda r: len(migrated(r)) >= 200, timeout=45)
        until(lambda: waiting(world)[2] == 0, 20, daemon.said)
        assert daemon.end() == 0, daemon.said
    assert waiting(world)[:2] == (len(uids(world)), 0)
    assert len(migrated(receiver)) == 200
    assert {r.attributes[UID] for r in receiver.logs} == uids(world)
    assert world.query("SELECT count(*) FROM transactions WHERE phase='DONE'") == [(200,)]


def migrated(receiver: OtlpReceiver) -> set[str]:
    return {r.attributes[UID] for r in list(receiver._logs) if r.event_name == "config.migrated"}
