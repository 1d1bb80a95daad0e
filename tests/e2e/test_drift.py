"""Somebody edits a file while it is migrated: the edit stands, and the pass says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.world import FREE, TWO, World, document, temporaries, write_bundle

pytestmark = pytest.mark.slow

EDIT = """
import os
from pathlib import Path
from confmig.adapters.files.disk import Disk
from confmig.transactions.file_exchange import FileExchange
TARGET = Path(WORLD) / "config" / "a.yaml"
COUNT = Path(WORLD) / "count"
def edits():
    return len(COUNT.read_text()) if COUNT.exists() else 0
def edit(text):
    with open(COUNT, "a") as file:
        file.write("x")
    other = TARGET.with_name("editor.tmp")
    other.write_text(text)
    os.rename(other, TARGET)
"""
ARMED = """
armed = []
swap_in = FileExchange.swap_in
def arm(self, file):
    armed[:] = [file.path]
    swap_in(self, file)
FileExchange.swap_in = arm
"""
BEFORE = f"""{ARMED}
exchange = Disk.exchange
def patched(self, a, b):
    if b == "a.yaml" and armed == [b] and edits() < LIMIT:
        armed.clear()
        edit(TARGET.read_text() + "edit%d: 1\\n" % edits())
    exchange(self, a, b)
Disk.exchange = patched
"""
AFTER = """
exchange = Disk.exchange
OLD = TARGET.read_text()
def patched(self, a, b):
    exchange(self, a, b)
    if b == "a.yaml" and edits() < LIMIT:
        edit(OLD + "edit%d: 1\\n" % edits())
Disk.exchange = patched
"""
PLANNED = """
import confmig.transactions.migrate
plan = confmig.transactions.migrate._run
def patched(*args):
    if edits() < LIMIT:
        edit(TARGET.read_text() + "edit%d: 1\\n" % edits())
    return plan(*args)
confmig.transactions.migrate._run = patched
"""


def code(body: str, limit: int) -> str:
    return f"{EDIT}\nLIMIT = {limit}\n{body}"


def world_of(folder: Path, *names: str) -> World:
    bundle = write_bundle(folder / "bundle", TWO)
    return World(
        folder / "w", bundle=bundle, policy=FREE, documents={n: document(n) for n in names}
    )


def kinds(out: str) -> list[str]:
    return [t["outcome"] for t in json.loads(out)["targets"][0]["transactions"]]


def test_an_edit_between_plan_and_commit_survives_and_is_migrated(tmp_path: Path) -> None:
    for number, body in enumerate((BEFORE, PLANNED)):
        world = world_of(tmp_path / str(number), "a.yaml", "b.yaml")
        done = world.drive(code(body, 1), "run", "--once", "--json")
        assert done.code == 0, done
        assert kinds(done.out) == ["drifted", "committed"]
        assert "target_drifted" in done.out
        text = (world.config / "a.yaml").read_text()
        assert "edit0: 1" in text
        assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
        assert not list(temporaries(world.config))
        phases = world.query("SELECT phase FROM transactions ORDER BY seq")
        assert phases == [("ABORTED",), ("DONE",)]


def test_a_file_that_drifts_each_time_ends_in_exit_3(tmp_path: Path) -> None:
    world = world_of(tmp_path, "a.yaml", "b.yaml")
    done = world.drive(code(BEFORE, 99), "run", "--once", "--json")
    assert done.code == 3, done
    assert kinds(done.out) == ["drifted"] * 3  # planned, and planned again twice
    text = (world.config / "a.yaml").read_text()
    assert all(f"edit{n}: 1" in text for n in range(3))
    assert (world.version("a.yaml"), world.version("b.yaml")) == (0, 0)
    assert world.events("config.migrated") == []
    assert not list(temporaries(world.config))
    assert list((world.state / "rescue").iterdir()) == []
    assert world.once().code == 0
    assert world.version("a.yaml") == 2


def test_an_edit_on_top_of_ours_stands(tmp_path: Path) -> None:
    """The service writes its old schema back right after the exchange."""
    world = world_of(tmp_path, "a.yaml", "b.yaml")
    done = world.drive(code(AFTER, 1), "run", "--once", "--json")
    assert done.code == 0, done
    assert "edit0: 1" in (world.config / "a.yaml").read_text()
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
    assert not list(temporaries(world.config))
    assert world.events("config.drift.detected"), "nobody was told that the file was written back"


def test_a_service_that_always_writes_its_old_schema_back_is_not_fought_for_ever(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path, "a.yaml")
    limit = 12
    done = world.drive(code(AFTER, limit), "run", "--once", "--json")
    fights = len((world.folder / "count").read_text())
    assert fights < limit, (
        f"one pass migrated it {fights} times and would have gone on: {done.code}"
    )
    assert done.code == 3, done


def test_late_bytes_of_a_writer_with_the_old_file_open_are_kept(tmp_path: Path) -> None:
    body = """
from confmig.transactions.runner import Transactor
held = open(TARGET, "ab")
clean_up = Transactor.clean_up
def patched(self, plan, swap):
    if not held.closed:
        held.write(b"late: 1\\n")
        held.close()
    clean_up(self, plan, swap)
Transactor.clean_up = patched
"""
    world = world_of(tmp_path, "a.yaml")
    done = world.drive(
        code(body, 0),
        "run",
        "--once",
        CONFMIG__WATCH__BUSY__WAIT="0",
        CONFMIG__WATCH__BUSY__THEN="migrate",
    )
    assert done.code == 0, done
    assert world.version("a.yaml") == 2
    [kept] = (world.state / "rescue").iterdir()
    assert kept.read_text() == document("a.yaml") + "late: 1\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    [event] = world.events("config.drift.detected")
    assert event["attributes"]["config.migration.reason"] == "late_write"
    assert event["attributes"]["config.file.path"] == "a.yaml"
    assert not list(temporaries(world.config))


def test_an_edit_during_migrate_write_stands(tmp_path: Path) -> None:
    world = world_of(tmp_path, "a.yaml")
    target = world.config / "a.yaml"
    body = code(BEFORE, 1).replace("WORLD", repr(str(world.folder)))
    body += "armed[:] = ['a.yaml']\n"
    import subprocess
    import sys

    from tests.e2e.world import environment

    text = f"{body}\nimport sys\nfrom confmig.cli import run\nsys.exit(run(sys.argv[1:]))\n"
    words = ["migrate", str(target), "--bundle", str(world.bundle), "--write"]
    done = subprocess.run(
        [sys.executable, "-c", text, *words], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 1, done
    assert "target_drifted" in done.stderr
    assert target.read_text() == document("a.yaml") + "edit0: 1\n"
    assert not list(temporaries(world.config))
