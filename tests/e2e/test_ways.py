"""The settings `commit`, `cas` and `mounted_files`, as a user meets them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from confmig.passes.reconcile import GROUP
from tests.e2e.test_partial_failure import KILL_AFTER_FIRST
from tests.e2e.world import FREE, TWO, Step, World, document, write_bundle

pytestmark = pytest.mark.slow


def _world(folder: Path, more: str, *names: str) -> World:
    bundle = write_bundle(folder / "bundle", TWO, {"app": ["**/*.yaml"]})
    world = World(
        folder / "w", bundle=bundle, policy=FREE, documents={n: document(n) for n in names}
    )
    text = world.settings.read_text()
    world.settings.write_text(text.replace("}]\n", f", {more}}}]\n", 1))
    return world


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("commit: folder", "`targets[0].commit` must be `files` or `directory`"),
        ("cas: none", "`targets[0].cas` must be `strict` or `weak`"),
        ("mounted_files: true", "`targets[0].mounted_files` must be `refuse` or `rewrite`"),
        ("commit: directory, atomic: document", "commit: directory changes documents together"),
    ],
)
def test_a_wrong_word_is_named_with_its_place(tmp_path: Path, more: str, said: str) -> None:
    done = _world(tmp_path, more, "a.yaml").once()
    assert done.code == 2, done
    assert said in done.err


def test_documents_in_the_root_cannot_change_with_their_directory(tmp_path: Path) -> None:
    """Said once in an event, although every pass tries it again."""
    world = _world(tmp_path, "commit: directory", "a.yaml", "b.yaml")
    for _ in range(2):
        done = world.once()
        assert done.code == 4, done
        assert "directory_is_root" in done.out + done.err
    assert world.version("a.yaml") == 0
    [event] = world.events("config.migration.failed")
    assert event["attributes"]["error.type"] == "directory_is_root"
    assert event["attributes"]["config.migration.phase"] == "checkpoint"


def test_one_document_in_the_root_is_exchanged_by_itself(tmp_path: Path) -> None:
    world = _world(tmp_path, "commit: directory", "a.yaml")
    done = world.once()
    assert done.code == 0, done
    assert world.version("a.yaml") == 2


def test_a_full_state_before_the_intent_is_told_in_an_event(tmp_path: Path) -> None:
    """The images cannot be stored: nothing was begun, and yet somebody must hear of it."""
    world = _world(tmp_path, "commit: files", "a.yaml")
    full = """
import errno, os
from confmig.adapters.state.checkpoints import CheckpointWriter
def image(self, data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "objects")
CheckpointWriter.image = image
"""
    for _ in range(2):
        done = world.drive(full, "run", "--once")
        assert done.code == 4, done
    [event] = world.events("config.migration.failed")
    assert event["attributes"]["error.type"] == "io_error"
    assert world.once().code == 0


def test_a_dry_run_of_a_rollback_settles_nothing(tmp_path: Path) -> None:
    world = _world(tmp_path, "commit: files", "a.yaml", "b.yaml")
    assert world.drive(KILL_AFTER_FIRST, "run", "--once").code == -signal.SIGKILL
    before = world.query("SELECT id, phase FROM transactions")
    done = world.run("rollback", "--last", "--dry-run")
    assert done.code == 1, done
    assert "unfinished_transaction" in done.err
    assert "confmig run --once" in done.err
    assert world.query("SELECT id, phase FROM transactions") == before
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 0)
    assert world.once().code == 0
    done = world.run("rollback", "--last", "--dry-run")
    assert done.code == 0, done


def _rollouts(world: World) -> list[tuple[str, str]]:
    """Class and rollout of each transaction, in order."""
    return [
        (
            e["attributes"]["config.migration.class"],
            e["attributes"]["config.migration.rollout.id"],
        )
        for e in world.events("config.migration.completed")
    ]


def test_many_independent_documents_are_one_rollout_of_several_transactions(tmp_path: Path) -> None:
    names = [f"{n:03}.yaml" for n in range(GROUP * 2 + 2)]
    world = _world(tmp_path, "atomic: document", *names)
    world.put("007.yaml", "schema_version: 0\nserver: [not, a, map]\n")
    done = world.once()
    assert done.code == 4, done
    assert {world.version(n) for n in names if n != "007.yaml"} == {2}
    assert world.version("007.yaml") == 0
    rollouts = _rollouts(world)
    assert len(rollouts) == 3
    assert len(set(rollouts)) == 1


def test_every_class_segment_is_a_rollout_of_its_own(tmp_path: Path) -> None:
    world = _world(tmp_path, "commit: files", "a.yaml")
    later = Step("0003_later", ({"set": {"path": "later", "value": 1}},), kind="post_deploy")
    write_bundle(world.bundle, (*TWO, later), {"app": ["**/*.yaml"]})
    assert world.once().code == 0
    (online, first), (post_deploy, second) = _rollouts(world)
    assert (online, post_deploy) == ("online", "post_deploy")
    assert first != second
