"""Each row of docs/reference/states.md is made for real and compared."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.odd import NOBODY
from tests.e2e.test_paging import CLOSED, FAILING, LATER, SERIES, looked, world_of
from tests.e2e.test_partial_failure import half_way
from tests.e2e.world import OPEN, REPOSITORY, Daemon, Step, World
from tests.support.otlp_receiver import OtlpReceiver

pytestmark = pytest.mark.slow

PAGE = REPOSITORY / "docs" / "reference" / "states.md"


@dataclass(frozen=True)
class Row:
    """One row of the page."""

    state: str
    log: str
    event: str
    metrics: str
    ready: str
    started: str
    code: str


def rows() -> list[Row]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [Row(*(cell.strip() for cell in line.strip("| ").split(" | "))) for line in lines[1:]]


def _healthy(folder: Path, telemetry: str) -> World:
    return world_of(folder, telemetry=telemetry)


def _closed(folder: Path, telemetry: str) -> World:
    return world_of(folder, LATER, CLOSED, telemetry=telemetry)


def _approval(folder: Path, telemetry: str) -> World:
    steps = (Step("0001_listen", ({"set": {"path": "x", "value": 1}},), kind="manual_backfill"),)
    return world_of(folder, steps, OPEN, telemetry=telemetry)


def _broken(folder: Path, telemetry: str) -> World:
    return world_of(folder, documents={"a.yaml": "server: [\n"}, telemetry=telemetry)


def _emptied(folder: Path, telemetry: str) -> World:
    return world_of(folder, documents={"a.yaml": ""}, telemetry=telemetry)


def _failed(folder: Path, telemetry: str) -> World:
    return world_of(folder, documents={"a.yaml": FAILING}, telemetry=telemetry)


def _partial(folder: Path, telemetry: str) -> World:
    return half_way(folder, telemetry=telemetry)[0]


def _bundle(folder: Path, telemetry: str) -> World:
    world = world_of(folder, telemetry=telemetry)
    manifest = json.loads((world.bundle / "manifest.json").read_text())
    del manifest["migrations"][0]["class"]
    (world.bundle / "manifest.json").write_text(json.dumps(manifest))
    return world


def _policy(folder: Path, telemetry: str) -> World:
    return world_of(folder, policy="classes: 7\n", telemetry=telemetry)


def _owner(folder: Path, telemetry: str) -> World:
    if os.geteuid() != 0:
        pytest.skip("needs root: an owner is changed")
    world = world_of(folder, telemetry=telemetry)
    world.state.mkdir()
    os.chown(world.state, NOBODY, NOBODY)
    return world


def _unreadable(folder: Path, telemetry: str) -> World:
    world = world_of(folder, telemetry=telemetry)
    world.state.mkdir(mode=0o700)
    (world.state / "state.db").write_bytes(b"no database" * 1000)
    return world


STATES: dict[str, Callable[[Path, str], World]] = {
    "running, nothing pending": _healthy,
    "window closed": _closed,
    "approval missing": _approval,
    "document broken": _broken,
    "document emptied": _emptied,
    "migration failed": _failed,
    "partial failure": _partial,
    "bundle broken": _bundle,
    "policy broken": _policy,
    "state of another owner": _owner,
    "state unreadable": _unreadable,
}


def test_the_page_has_every_state() -> None:
    assert [row.state for row in rows()] == list(STATES)


def _metrics(daemon: Daemon) -> str:
    """What is not 0 of blocked, attention and held, as the page writes it."""
    _, text = daemon.get("/metrics")
    found = []
    for name, labels, value in SERIES.findall(text):
        short = name.removeprefix("config_migration_")
        if short not in ("blocked", "attention", "held") or not float(value):
            continue
        values = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        parts = [values.get(f"config_migration_{key}", "") for key in ("id", "class", "reason")]
        found.append(f"{short}: {' '.join(part for part in parts if part)}")
    return "; ".join(sorted(found)) or "-"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.state)
def test_a_state_is_seen_as_the_page_says(row: Row, tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        world = STATES[row.state](tmp_path, f"{{endpoint: '{receiver.endpoint}'}}")
        with Daemon(world, CONFMIG__HTTP__PORT="0") as daemon:
            looked(daemon)
            assert _metrics(daemon) == row.metrics
            assert str(daemon.get("/readyz")[0]) == row.ready
            assert str(daemon.get("/startupz")[0]) == row.started
            assert row.log in daemon.said
            assert daemon.end() in (0, 2, 4, 5), daemon.said
        arrived = {r.event_name: r for r in receiver.logs}
        if row.event != "-":
            record = arrived[row.event.rstrip("*")]
            assert bool(record.trace_id.strip("0")) == row.event.endswith("*")
    assert str(world.once().code) == row.code
