"""What people are paged by: events with their trace, and the series of /metrics, for each state."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from confmig.core.planning import attention
from tests.e2e.test_partial_failure import half_way
from tests.e2e.world import FREE, TWO, Daemon, Step, World, document, until, write_bundle
from tests.support.otlp_receiver import OtlpReceiver

pytestmark = pytest.mark.slow

DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(datetime.now(UTC).weekday() + 3) % 7]
CLOSED = f"""\
timezone: UTC
windows:
  later: {{kind: allow, days: [{DAY}], start: "12:00", duration: 1h}}
classes:
  online: {{windows: always}}
  post_deploy: {{windows: [later]}}
  manual_backfill: {{windows: [later]}}
"""
LATER = (
    Step("0001_listen", TWO[0].operations),
    Step("0002_feature", TWO[1].operations, kind="post_deploy"),
    Step("0003_more", ({"set": {"path": "more", "value": 1}},), kind="post_deploy"),
)
FAILING = document().replace("# the end", "listen: 7")
SERIES = re.compile(r"^(config_\w+)\{(.*)\} (\S+)$", re.MULTILINE)


def series(daemon: Daemon, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one metric: label values (without the target) to value."""
    _, text = daemon.get("/metrics")
    out = {}
    for metric, labels, value in SERIES.findall(text):
        if metric == name:
            found = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            assert found.pop("config_target_name") == "app"
            out[tuple(found.values())] = float(value)
    return out


def looked(daemon: Daemon) -> None:
    """Wait until the first pass is over."""
    until(lambda: "starting" not in daemon.get("/readyz")[1])


def blocks(daemon: Daemon) -> set[str]:
    """The reasons that block now; every other reason is there with 0."""
    found = series(daemon, "config_migration_blocked")
    assert {reason for (reason,) in found} == set(attention.BLOCKED)
    return {reason for (reason,), value in found.items() if value}


def world_of(folder: Path, steps: Any = TWO, policy: str | None = FREE, **more: Any) -> World:
    bundle = write_bundle(folder / "bundle", steps)
    documents = more.pop("documents", {"a.yaml": document()})
    return World(folder / "w", bundle=bundle, policy=policy, documents=documents, **more)


def one(world: World, name: str) -> dict[str, Any]:
    """The attributes of the only event of a name."""
    [event] = world.events(name)
    found: dict[str, Any] = event["attributes"]
    return found


def test_a_healthy_target_has_every_series_with_0(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    with Daemon(world) as daemon:
        daemon.is_up("/startupz")
        assert blocks(daemon) == set()
        assert series(daemon, "config_migration_held") == {}
        assert series(daemon, "config_migration_attention") == {}
        _, text = daemon.get("/metrics")
        for name in ("held", "attention", "last_success_time_seconds", "pending", "blocked"):
            assert f"# HELP config_migration_{name} " in text
            assert f"# TYPE config_migration_{name} " in text
    loaded = one(world, "config.bundle.loaded")
    assert loaded["config.migration.manifest.digest"].startswith("sha256:")
    assert one(world, "config.policy.loaded")


def test_a_closed_window_is_one_event_and_is_not_held(tmp_path: Path) -> None:
    world = world_of(tmp_path, LATER, CLOSED)
    with Daemon(world) as daemon:
        daemon.is_up("/startupz")
        assert blocks(daemon) == set()
        assert series(daemon, "config_migration_held") == {}
    deferred = one(world, "config.migration.deferred")
    assert deferred["config.migration.ids"] == ["0002_feature", "0003_more"]
    assert deferred["config.migration.class"] == "post_deploy"
    assert deferred["config.documents.count"] == 1
    assert world.once().code == 3
    assert len(world.events("config.migration.deferred")) == 1


def test_without_a_policy_migrations_are_held(tmp_path: Path) -> None:
    world = world_of(tmp_path, LATER, None)
    with Daemon(world) as daemon:
        daemon.is_up("/startupz")
        assert series(daemon, "config_migration_held") == {("post_deploy", "policy_missing"): 2.0}
        assert series(daemon, "config_migration_attention") == {}


def test_a_broken_bundle_is_an_event_and_a_series(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    manifest = json.loads((world.bundle / "manifest.json").read_text())
    del manifest["migrations"][0]["class"]
    (world.bundle / "manifest.json").write_text(json.dumps(manifest))
    with Daemon(world) as daemon:
        looked(daemon)
        assert "app: manifest_invalid" in daemon.get("/readyz")[1]
        assert blocks(daemon) == {"bundle_invalid"}
        assert "migration_class_missing" in daemon.said
    for _ in range(2):
        assert world.once().code == 2
    rejected = one(world, "config.bundle.rejected")
    assert rejected["config.migration.reason"] == "bundle_invalid"
    assert "migration_class_missing" in rejected["config.migration.reasons"]
    assert world.run("run", "--exit-on-block", timeout=60, CONFMIG__HTTP__PORT="0").code == 2


def test_a_bundle_is_mended_and_broken_again(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    assert world.once().code == 0
    good = (world.bundle / "manifest.json").read_bytes()
    for _ in range(2):
        (world.bundle / "manifest.json").write_bytes(b"{")
        assert world.once().code == 2
        (world.bundle / "manifest.json").write_bytes(good)
        assert world.once().code == 0
    names = [e["name"] for e in world.events() if e["name"].startswith("config.bundle.")]
    assert names == [
        "config.bundle.loaded",
        *["config.bundle.rejected", "config.bundle.loaded"] * 2,
    ]


def test_a_changed_history_blocks_by_its_own_name(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    assert world.once().code == 0
    for file in world.bundle.rglob("*"):
        if file.is_file():
            file.unlink()
    write_bundle(world.bundle, (Step("0001_other", TWO[1].operations),))
    with Daemon(world) as daemon:
        looked(daemon)
        assert daemon.get("/readyz")[0] == 503
        assert blocks(daemon) == {"migration_applied_missing"}
    assert one(world, "config.bundle.rejected")["config.migration.reason"] == (
        "migration_applied_missing"
    )


def test_a_broken_policy_is_an_event_with_its_codes_and_a_series(tmp_path: Path) -> None:
    world = world_of(tmp_path, policy="classes: 7\n")
    with Daemon(world) as daemon:
        looked(daemon)
        assert daemon.get("/readyz")[0] == 503
        assert blocks(daemon) == {"policy_invalid"}
    rejected = one(world, "config.policy.rejected")
    assert rejected["config.migration.reason"] == "policy_invalid"
    assert rejected["config.migration.reasons"]


def test_an_unreadable_state_is_a_series(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    assert world.once().code == 0
    (world.state / "state.db").write_bytes(b"no database" * 1000)
    with Daemon(world) as daemon:
        looked(daemon)
        assert daemon.get("/readyz")[0] == 503
        assert blocks(daemon) == {"state_unreadable"}


def test_a_failed_migration_is_attention_and_no_block_and_has_its_trace(tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        world = world_of(
            tmp_path,
            documents={"a.yaml": FAILING},
            telemetry=f"{{endpoint: '{receiver.endpoint}'}}",
        )
        with Daemon(world) as daemon:
            looked(daemon)
            assert daemon.get("/startupz")[0] == 503
            assert blocks(daemon) == set()
            assert ("0001_listen", "document_failed") in series(
                daemon, "config_migration_attention"
            )
            assert ("online", "document_failed") in series(daemon, "config_migration_held")
            assert daemon.end() == 0  # the spans are flushed
        [failed] = world.query(
            "SELECT trace_id, span_id FROM events WHERE name='config.migration.failed'"
        )
        assert re.fullmatch(r"[0-9a-f]{32}", failed[0])
        assert re.fullmatch(r"[0-9a-f]{16}", failed[1])
        spans = {(s.trace_id, s.span_id) for s in receiver.spans}
        assert failed in spans


def test_a_partial_failure_carries_what_the_runbook_needs(tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        where = f"{{endpoint: '{receiver.endpoint}'}}"
        world, transaction = half_way(tmp_path, telemetry=where)
        with Daemon(world) as daemon:
            looked(daemon)
            assert daemon.get("/readyz")[0] == 503
            assert blocks(daemon) == {"blocked_by_partial_failure"}
        blocked = one(world, "config.migration.blocked_by_partial_failure")
        assert blocked["config.migration.transaction.id"] == transaction
        assert blocked["config.migration.ids"] == ["0001_listen", "0002_feature"]
        assert blocked["config.migration.class"] == "online"
        assert blocked["config.documents.count"] == 2
        assert blocked["config.migration.reason"] == "blocked_by_partial_failure"
        checkpoint = Path(blocked["config.migration.rollback.checkpoint.path"])
        assert json.loads(checkpoint.read_bytes().splitlines()[0])["transaction"] == transaction
        [trace] = world.query(
            "SELECT trace_id, span_id FROM events "
            "WHERE name='config.migration.blocked_by_partial_failure'"
        )
        started = world.query(
            "SELECT trace_id, span_id FROM events WHERE name='config.migration.started'"
        )
        assert started == [trace]
        assert re.fullmatch(r"[0-9a-f]{32}", trace[0])
        failed = world.query(
            "SELECT trace_id, span_id FROM events WHERE name='config.migration.failed'"
        )
        assert failed == [trace]  # written by the process that recovered it


def test_a_broken_bundle_does_not_hide_a_partial_failure(tmp_path: Path) -> None:
    world, transaction = half_way(tmp_path)
    good = (world.bundle / "manifest.json").read_bytes()
    (world.bundle / "manifest.json").write_bytes(b"{")
    assert world.once().code == 5
    assert one(world, "config.migration.blocked_by_partial_failure")
    with Daemon(world) as daemon:
        looked(daemon)
        assert blocks(daemon) == {"blocked_by_partial_failure", "bundle_invalid"}
        way = ("--restore", "--discard", "--reason", "the edit was a mistake")
        assert world.run("resolve", transaction, *way).code == 0
        until(lambda: blocks(daemon) == {"bundle_invalid"}, what=daemon.said)
        world.policy.write_text("classes: 7\n")
        until(lambda: "policy_invalid" in blocks(daemon), what=daemon.said)
        world.policy.write_text(FREE)
        until(lambda: blocks(daemon) == {"bundle_invalid"}, what=daemon.said)
        (world.bundle / "manifest.json").write_bytes(good)
        until(lambda: blocks(daemon) == set(), what=daemon.said)


def test_a_target_that_cannot_be_opened_is_attention(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.config.rename(tmp_path / "away")
    with Daemon(world) as daemon:
        looked(daemon)
        assert daemon.get("/readyz")[0] == 503
        assert series(daemon, "config_migration_attention") == {("", "document_failed"): 1.0}
