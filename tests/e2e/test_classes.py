"""``run --once --class``: only the named classes are considered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.world import FREE, Step, World, document, write_bundle

pytestmark = pytest.mark.slow

STEPS = (
    Step("0001_online", ({"set": {"path": "one", "value": 1}},)),
    Step("0002_later", ({"set": {"path": "two", "value": 2}},), kind="post_deploy"),
    Step("0003_behind", ({"set": {"path": "three", "value": 3}},)),
)


def world_of(folder: Path, steps: tuple[Step, ...] = STEPS) -> World:
    bundle = write_bundle(folder / "bundle", steps)
    return World(folder / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document()})


def test_other_classes_are_listed_and_do_not_change_the_exit_code(tmp_path: Path) -> None:
    world = world_of(tmp_path, STEPS[:2])
    done = world.once("--class", "online")
    assert done.code == 0, done
    assert world.version("a.yaml") == 1
    assert "0002_later" in done.out
    assert world.once("--class", "post_deploy").code == 0
    assert world.version("a.yaml") == 2


def test_an_online_migration_that_waits_for_another_class_gives_3(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    done = world.once("--class", "online")
    assert done.code == 3, done
    assert world.version("a.yaml") == 1
    assert world.once("--class", "online,post_deploy").code == 0
    assert world.version("a.yaml") == 3


def test_a_failure_of_another_class_does_not_change_the_exit_code(tmp_path: Path) -> None:
    failing = Step(
        "0002_later", ({"add_item": {"path": "server", "value": 1}},), kind="post_deploy"
    )
    world = world_of(tmp_path, (STEPS[0], failing))
    assert world.once().code == 4
    assert world.once("--class", "online").code == 0
    assert world.once().code == 4


def test_an_unknown_class_and_a_daemon_are_refused(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    done = world.once("--class", "fast")
    assert done.code == 2, done
    assert "online,post_deploy,manual_backfill" in done.err
    done = world.run("run", "--class", "online")
    assert done.code == 2, done
    assert "--once" in done.err
    assert world.version("a.yaml") == 0


def test_an_online_migration_behind_a_failed_one_of_another_class_gives_3(tmp_path: Path) -> None:
    failing = Step(
        "0002_later", ({"add_item": {"path": "server", "value": 1}},), kind="post_deploy"
    )
    world = world_of(tmp_path, (STEPS[0], failing, STEPS[2]))
    assert world.once().code == 4
    assert world.once("--class", "online").code == 3
