"""What a rollback, a recovery or a pass that changes nothing must leave in order."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.test_partial_failure import KILL_AFTER_FIRST, half_way
from tests.e2e.test_rollback_edits import FOUR, applied, back, holds, read, world_of
from tests.e2e.world import FREE, TWO, World, document, temporaries, write_bundle

pytestmark = pytest.mark.slow


def test_a_bundle_that_cannot_be_loaded_does_not_stop_recovery(tmp_path: Path) -> None:
    """A bad image was rolled out over a crash: the files are made whole first."""
    bundle = write_bundle(tmp_path / "bundle", TWO)
    documents = {"a.yaml": document("a"), "b.yaml": document("b")}
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents=documents)
    assert world.drive(KILL_AFTER_FIRST, "run", "--once").code == -signal.SIGKILL
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 0)
    (bundle / "manifest.json").write_text("{")
    done = world.once()
    assert done.code == 2, done
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
    assert world.query("SELECT phase FROM transactions") == [("DONE",)]
    assert not list(temporaries(world.config))


def test_a_rollback_beneath_a_later_one_is_refused_also_if_the_file_was_edited(
    tmp_path: Path,
) -> None:
    """Else the later one would count as applied, and its rollback would go forward."""
    world = world_of(tmp_path, FOUR[:2])
    first = world.status()["last_checkpoint"]["transaction"]
    write_bundle(tmp_path / "bundle", FOUR)
    assert world.once().code == 0
    for name in ("a.yaml", "b.yaml"):
        world.put(name, read(world, name) + "# mine\n")
    before = world.facts()
    for more in ((), ("--discard-later-edits",)):
        done = back(world, first, *more)
        assert done.code == 1, done
        assert "changed a.yaml after it" in done.out + done.err
    assert world.facts() == before
    assert holds(world) == {}
    assert len(applied(world)) == 4


def test_a_discarding_rollback_records_a_file_that_holds_the_old_bytes_already(
    tmp_path: Path,
) -> None:
    """Somebody copied the backup back. Our own rollback is no regression then."""
    bundle = write_bundle(tmp_path / "bundle", TWO)
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document("a")})
    assert world.once().code == 0
    world.put("a.yaml", document("a"))
    done = world.run("rollback", "--last", "--discard-later-edits", "--json")
    assert done.code == 0, done
    assert world.query("SELECT path, version FROM documents") == [("a.yaml", 0)]
    world.once()
    assert world.events("config.drift.detected") == []


def test_a_rollback_does_not_forget_what_other_documents_hold(tmp_path: Path) -> None:
    """A late pair ended half-way, and its old bytes were put back by hand."""
    world, transaction = half_way(tmp_path)
    world.put("a.yaml", document("a"))
    world.put("other.yaml", document("other").replace("schema_version: 0", "schema_version: 0"))
    assert world.once().code == 0
    assert world.query("SELECT id, phase FROM transactions WHERE id=?", transaction) == [
        (transaction, "ABORTED")
    ]
    second = world.status()["last_checkpoint"]["transaction"]
    for name in ("late.yaml", "later.yaml"):
        world.put(name, document(name))
    assert world.drive(KILL_AFTER_FIRST, "run", "--once").code == -signal.SIGKILL
    world.put("late.yaml", world.config.joinpath("late.yaml").read_text() + "# theirs\n")
    done = world.once()
    assert done.code == 5, done
    for name in ("late.yaml", "later.yaml"):
        world.put(name, document(name))
    [(conflict,)] = world.query("SELECT id FROM transactions WHERE phase='CONFLICT'")
    assert conflict != second
    done = world.run("rollback", conflict)
    assert done.code == 0, done
    assert [a["id"] for a in world.status()["applied"]] == [s.id for s in TWO]


def test_a_rollback_of_a_conflict_leaves_nothing_of_a_resolution_that_was_cut_off(
    tmp_path: Path,
) -> None:
    world, transaction = half_way(tmp_path)
    assert world.once().code == 5
    described = (world.state / "objects").iterdir()
    new = next(f.read_text() for f in described if "schema_version: 2" in f.read_text())
    world.put("a.yaml", new)
    kill = """
import os, signal
from pathlib import Path
from confmig.adapters.files.disk import Disk
exchange = Disk.exchange
def once(self, a, b):
    other = Path(WORLD) / "config" / "editor.tmp"
    other.write_text("schema_version: 0\\nserver: {port: 1}\\n# the service's\\n")
    os.rename(other, Path(WORLD) / "config" / b)
    exchange(self, a, b)
    os.kill(os.getpid(), signal.SIGKILL)
Disk.exchange = once
"""
    killed = world.drive(kill, "resolve", transaction, "--resume")
    assert killed.code == -signal.SIGKILL, killed
    assert list(temporaries(world.config))
    done = world.run("rollback", transaction)
    assert not list(temporaries(world.config)), done
    texts = [f.read_text() for f in world.config.glob("*.yaml")]
    kept = [f.read_text() for f in (world.state / "rescue").iterdir()]
    assert any("# the service's" in t for t in texts + kept), done


def test_a_busy_file_leaves_no_checkpoints_behind(tmp_path: Path) -> None:
    """Nothing was begun, in every pass."""
    bundle = write_bundle(tmp_path / "bundle", TWO)
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document("a")})
    busy = """
from confmig.errors import Fault
from confmig.transactions.file_exchange import FileExchange
def ready(self):
    raise Fault("target_busy", "busy", place="a.yaml")
FileExchange.ready = ready
"""
    for _ in range(3):
        assert world.drive(busy, "run", "--once").code == 4
    assert not list((world.state / "checkpoints").iterdir())
    assert world.once().code == 0
    assert len(list((world.state / "checkpoints").iterdir())) == 1
