"""``confmig rollback``: the bytes from before, exactly, or nothing at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.world import FREE, TWO, World, document, temporaries, write_bundle

pytestmark = pytest.mark.slow


def migrated(folder: Path) -> tuple[World, dict[str, bytes]]:
    """Two migrated documents with modes of their own, and their old bytes."""
    bundle = write_bundle(folder / "bundle", TWO)
    old = {"a.yaml": document("a").encode(), "b.yaml": document("b").replace("\n", "\r\n").encode()}
    world = World(folder / "w", bundle=bundle, policy=FREE, documents=old)
    (world.config / "a.yaml").chmod(0o640)
    (world.config / "b.yaml").chmod(0o600)
    assert world.once().code == 0
    return world, old


def bytes_of(world: World) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(world.config.iterdir())}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["last", "checkpoint", "transaction"])
def test_rollback_restores_bytes_and_mode_and_holds(tmp_path: Path, how: str) -> None:
    world, old = migrated(tmp_path)
    last = world.status()["last_checkpoint"]
    words = {
        "last": ["--last"],
        "checkpoint": ["--checkpoint", last["backup_path"]],
        "transaction": [last["transaction"]],
    }[how]
    done = world.run("rollback", *words, "--json")
    assert done.code == 0, done
    assert done.json["reverses"] == last["transaction"]
    assert sorted(done.json["files"]) == ["a.yaml", "b.yaml"]
    assert done.json["migrations"] == ["0001_listen", "0002_feature"]
    assert bytes_of(world) == old
    assert (world.config / "a.yaml").stat().st_mode & 0o7777 == 0o640
    assert (world.config / "b.yaml").stat().st_mode & 0o7777 == 0o600
    assert not list(temporaries(world.config))

    # held until somebody says retry
    run = world.once("--json")
    assert run.code == 3, run
    pending = run.json["targets"][0]["pending"]
    assert {p["reason"] for p in pending} <= {"rolled_back", "dependency_pending"}
    assert bytes_of(world) == old
    assert {h["id"]: h["reason"] for h in world.status()["holds"]} == {
        "0001_listen": "rolled_back",
        "0002_feature": "rolled_back",
    }
    twice = world.run("rollback", *words)
    assert twice.code == 1, twice

    # retry lets one go, then the other
    assert world.run("retry", "0001_listen").code == 0
    assert world.once().code == 3
    assert world.version("a.yaml") == 1
    assert world.run("retry", "0002_feature").code == 0
    assert world.once().code == 0
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
    assert world.run("retry", "0002_feature").code == 1


def test_the_events_of_a_rollback(tmp_path: Path) -> None:
    world, _ = migrated(tmp_path)
    last = world.status()["last_checkpoint"]
    assert world.run("rollback", "--last").code == 0
    [started] = world.events("config.migration.rollback.started")
    [completed] = world.events("config.migration.rollback.completed")
    assert world.events("config.migration.rollback.failed") == []
    for event in (started, completed):
        said = event["attributes"]
        assert event["severity"] == 13
        assert said["config.target.name"] == "app"
        assert said["config.migration.ids"] == ["0001_listen", "0002_feature"]
        assert said["config.migration.rollback.transaction.id"] == last["transaction"]
        assert said["config.migration.rollback.checkpoint.path"] == last["backup_path"]
        assert said["config.migration.rollback.trigger"] == "operator"
        assert said["config.documents.count"] == 2
    assert completed["attributes"]["config.migration.outcome"] == "rolled_back"


@pytest.mark.parametrize("how", ["edited", "gone", "directory"])
def test_a_file_that_changed_since_refuses_the_whole(tmp_path: Path, how: str) -> None:
    world, _ = migrated(tmp_path)
    file = world.config / "b.yaml"
    if how == "edited":
        assert b"feature: true" in file.read_bytes()  # this the migration wrote
        file.write_bytes(file.read_bytes().replace(b"feature: true", b"feature: false"))
    else:
        file.unlink()
        if how == "directory":
            file.mkdir()
    before, dump = world.facts(), world.dump()
    done = world.run("rollback", "--last", "--json")
    assert done.code == 1, done
    codes = {"edited": "rollback_conflict", "gone": "document_missing", "directory": "not_a_file"}
    error = done.json["error"]
    assert error["code"] == codes[how]
    assert error["place"] == "b.yaml"
    assert error["fix"]
    assert world.facts() == before
    assert world.dump() == dump
    assert not list(temporaries(world.config))


def test_every_file_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    world, _ = migrated(tmp_path)
    for name in ("a.yaml", "b.yaml"):
        (world.config / name).unlink()
    done = world.run("rollback", "--last", "--discard-later-edits")
    assert done.code == 1, done
    for expected in ("a.yaml", "b.yaml", "document_missing", "put the file back"):
        assert expected in done.err


def test_a_damaged_image_is_found_before_anything_is_written(tmp_path: Path) -> None:
    world, old = migrated(tmp_path)
    import hashlib

    image = world.state / "objects" / hashlib.sha256(old["b.yaml"]).hexdigest()
    image.write_bytes(b"something else")
    before, dump = world.facts(), world.dump()
    done = world.run("rollback", "--last")
    assert done.code == 4, done
    assert "object_corrupt" in done.err
    assert world.facts() == before
    assert world.dump() == dump


def test_nothing_to_roll_back_and_unknown_ones(tmp_path: Path) -> None:
    world, _ = migrated(tmp_path)
    for words in (["01nothing"], ["--checkpoint", str(world.settings)]):
        done = world.run("rollback", *words)
        assert done.code == 1, done
    assert world.run("rollback").code == 2
    assert world.run("rollback", "--last").code == 0
    done = world.run("rollback", "--last")
    assert done.code == 1, done
    assert "nothing_to_roll_back" in done.err


def test_only_the_late_document_is_rolled_back(tmp_path: Path) -> None:
    world, _ = migrated(tmp_path)
    world.put("late.yaml", document("late"))
    assert world.once().code == 0
    assert world.run("rollback", "--last").code == 0
    assert world.version("late.yaml") == 0
    assert world.version("a.yaml") == 2
    # the first transaction is still there to be undone, and what it did is still recorded
    applied = {a["id"]: a["applied_at"] for a in world.status()["applied"]}
    assert applied.get("0001_listen"), (
        "0001 is applied to a.yaml and b.yaml, and its record is gone"
    )
    assert world.run("rollback", "--last").code == 0
    assert world.version("a.yaml") == 0


def test_a_policy_never_stands_in_the_way(tmp_path: Path) -> None:
    world, old = migrated(tmp_path)
    world.policy.write_text("broken: [")
    done = world.run("rollback", "--last")
    assert done.code == 0, done
    assert bytes_of(world) == old


def test_a_broken_bundle_never_stands_in_the_way(tmp_path: Path) -> None:
    world, old = migrated(tmp_path)
    (world.bundle / "manifest.json").write_text("{")
    done = world.run("rollback", "--last")
    assert done.code == 0, done
    assert bytes_of(world) == old


def test_a_rollback_that_is_killed_is_finished_or_undone(tmp_path: Path) -> None:
    from tests.e2e.test_partial_failure import KILL_AFTER_FIRST

    world, old = migrated(tmp_path)
    done = world.drive(KILL_AFTER_FIRST, "rollback", "--last")
    assert done.code == -9, done
    assert world.once().code == 3
    assert bytes_of(world) == old
    [_] = world.events("config.migration.rollback.completed")
    assert {h["reason"] for h in world.status()["holds"]} == {"rolled_back"}
