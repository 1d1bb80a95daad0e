"""Files without a version stamp: what is due is what the chain would change in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import FREE, Daemon, Step, World, until, write_bundle

NEVER = FREE.replace("post_deploy: {windows: always}", "post_deploy: {windows: []}")
STEPS = (
    Step("0001_listen", ({"move": {"from": "port", "to": "listen"}},)),
    Step("0002_level", ({"map_value": {"path": "level", "map": {"loud": 1}}},), "post_deploy"),
    Step("0003_name", ({"move": {"from": "label", "to": "name"}},)),
)


def world_of(folder: Path, steps: tuple[Step, ...] = STEPS, policy: str = FREE) -> World:
    bundle = write_bundle(folder / "bundle", steps)
    file = bundle / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["configs"]["app"]["version"] = None
    file.write_text(json.dumps(manifest))
    return World(folder / "w", bundle=bundle, policy=policy)


def pending(world: World) -> list[str]:
    done = world.run("plan", "--json")
    return [p["id"] for p in done.json["targets"][0]["pending"]]


def documents(world: World) -> dict[str, dict[str, Any]]:
    done = world.run("plan", "--json")
    return {d["path"]: d for d in done.json["targets"][0]["documents"]}


def read(world: World, name: str) -> str:
    return (world.config / name).read_text()


def test_only_the_steps_that_change_something_are_pending_and_run(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.put("a.yaml", "# mine\nport: 1 # one\nlabel: x\n")
    world.put("b.yaml", "listen: 1\nname: x\n")
    assert pending(world) == ["0001_listen", "0003_name"]
    assert documents(world)["a.yaml"]["due"] == ["0001_listen", "0003_name"]
    assert documents(world)["b.yaml"]["due"] == []
    done = world.once()
    assert done.code == 0, done
    assert read(world, "a.yaml") == "# mine\nlisten: 1 # one\nname: x\n"
    assert read(world, "b.yaml") == "listen: 1\nname: x\n"
    assert pending(world) == []


def test_a_step_that_would_change_nothing_does_not_hold_the_later_ones(tmp_path: Path) -> None:
    world = world_of(tmp_path, policy=NEVER)
    world.put("a.yaml", "port: 1\nlabel: x\n")
    assert world.once().code == 0
    assert read(world, "a.yaml") == "listen: 1\nname: x\n"


def test_a_step_that_is_due_and_held_holds_the_later_ones(tmp_path: Path) -> None:
    world = world_of(tmp_path, policy=NEVER)
    world.put("a.yaml", "port: 1\nlevel: loud\nlabel: x\n")
    assert world.once().code == 3
    assert read(world, "a.yaml") == "listen: 1\nlevel: loud\nlabel: x\n"
    assert pending(world) == ["0002_level", "0003_name"]


def test_after_a_later_edit_only_what_that_brought_is_due(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.put("a.yaml", "port: 1\nlabel: x\n")
    assert world.once().code == 0
    world.put("a.yaml", "listen: 1\nname: x\nlevel: loud\n")
    assert pending(world) == ["0002_level"]
    assert world.once().code == 0
    assert read(world, "a.yaml") == "listen: 1\nname: x\nlevel: 1\n"


def test_a_settled_document_is_not_run_through_the_chain_again(tmp_path: Path) -> None:
    """Once nothing is due, a pass only compares the hash."""
    world = world_of(tmp_path)
    world.put("a.yaml", "port: 1\n")
    assert world.once().code == 0
    sabotage = (
        "from confmig.worker.bundle import LoadedBundle\n"
        "def due(*a):\n    raise AssertionError('run again')\n"
        "LoadedBundle._due = due\n"
    )
    done = world.drive(sabotage, "run", "--once")
    assert done.code == 0, done
    world.put("a.yaml", "port: 2\n")
    assert world.drive(sabotage, "run", "--once").code == 70


def test_a_new_migration_makes_every_document_be_looked_at_again(tmp_path: Path) -> None:
    world = world_of(tmp_path, STEPS[:2])
    world.put("a.yaml", "port: 1\nlabel: x\n")
    assert world.once().code == 0
    assert read(world, "a.yaml") == "listen: 1\nlabel: x\n"
    more = world_of(tmp_path / "more", STEPS)
    world.settings.write_text(
        world.settings.read_text().replace(str(world.bundle), str(more.bundle))
    )
    assert pending(world) == ["0003_name"]
    assert world.once().code == 0
    assert read(world, "a.yaml") == "listen: 1\nname: x\n"


def test_a_chain_that_changes_its_own_result_is_refused_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    twice = Step("0001_again", ({"add_item": {"path": "l", "value": 1, "unique": False}},))
    world = world_of(tmp_path, (twice,))
    world.put("a.yaml", "l: [0]\n")
    done = world.once()
    assert done.code == 1, done
    assert read(world, "a.yaml") == "l: [0]\n"
    found = documents(world)["a.yaml"]
    assert found["problem"] == "not_idempotent"
    assert "0001_again" in found["message"]


def test_rolled_back_steps_stay_held_until_they_are_retried(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.put("a.yaml", "port: 1\nlabel: x\n")
    assert world.once().code == 0
    assert world.run("rollback", "--last").code == 0
    assert read(world, "a.yaml") == "port: 1\nlabel: x\n"
    assert world.once().code == 3
    assert read(world, "a.yaml") == "port: 1\nlabel: x\n"
    for name in ("0001_listen", "0003_name"):
        assert world.run("retry", name).code == 0
    assert world.once().code == 0
    assert read(world, "a.yaml") == "listen: 1\nname: x\n"


def test_the_dry_run_shows_each_step_that_is_due(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.put("a.yaml", "port: 1\nlabel: x\n")
    done = world.run("dry-run", "--format", "json")
    [report] = done.json["targets"]
    actions = {m["id"]: m["documents"][0]["action"] for m in report["migrations"]}
    assert actions == {
        "0001_listen": "would_migrate",
        "0002_level": "no_op",
        "0003_name": "would_migrate",
    }
    assert "+listen: 1" in report["migrations"][0]["documents"][0]["diff"]


@pytest.mark.slow
def test_the_daemon_migrates_what_an_edit_brings(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.put("a.yaml", "port: 1\n")
    with Daemon(world):
        until(lambda: read(world, "a.yaml") == "listen: 1\n")
        world.put("a.yaml", "listen: 1\nlabel: late\n")
        until(lambda: read(world, "a.yaml") == "listen: 1\nname: late\n")
