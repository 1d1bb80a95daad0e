"""``confmig resolve``: the four ways out of a partial failure, and accepting changed migrations."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.test_partial_failure import KILL_AFTER_FIRST, THEIRS, half_way, images
from tests.e2e.world import (
    FREE,
    TWO,
    Daemon,
    Step,
    World,
    document,
    temporaries,
    until,
    write_bundle,
)

pytestmark = pytest.mark.slow


def blocked(folder: Path) -> tuple[World, str]:
    """a.yaml is new and edited, b.yaml is old, and the target is blocked."""
    world, transaction = half_way(folder)
    assert world.once().code == 5
    return world, transaction


def test_status_lists_what_each_file_holds(tmp_path: Path) -> None:
    world, _ = blocked(tmp_path)
    status = world.status()
    held = status["partial_failure"]["files"]
    assert held == {"a.yaml": "has the new version and was edited after that", "b.yaml": "old"}
    assert status["last_checkpoint"]["error"]["files"] == held


def test_every_report_says_when_and_by_whom_a_file_was_edited(tmp_path: Path) -> None:
    world, transaction = blocked(tmp_path)
    facts = (world.config / "a.yaml").stat()
    at = datetime.fromtimestamp(facts.st_ctime, UTC)
    edited = f"({at:%Y-%m-%d %H:%M} UTC, uid {facts.st_uid})"
    edits = world.status()["partial_failure"]["edits"]
    assert {path: edit["uid"] for path, edit in edits.items()} == {"a.yaml": facts.st_uid}
    assert abs((datetime.fromisoformat(edits["a.yaml"]["at"]) - at).total_seconds()) < 0.01
    line = f"a.yaml: has the new version and was edited after that {edited}"
    assert line in world.run("status").out
    assert line in world.run("resolve", transaction, "--dry-run").out
    with Daemon(world, CONFMIG__HTTP__PORT="0") as daemon:
        until(lambda: line in daemon.said, what="the log names the edit")


@pytest.mark.parametrize(
    ("mode", "code", "why"),
    [("--restore", 1, "rollback_conflict"), ("--verify-and-clear", 5, "files_mixed")],
)
def test_an_edit_that_cannot_be_placed_stands_in_the_way_and_stays(
    tmp_path: Path, mode: str, code: int, why: str
) -> None:
    world, transaction = blocked(tmp_path)
    before = world.facts()
    done = world.run("resolve", transaction, mode, "--json")
    assert done.code == code, done
    assert done.json["error"]["code"] == why
    assert "a.yaml" in done.json["error"]["message"]
    assert "--dry-run" in done.json["error"]["fix"]
    shown = world.run("resolve", transaction, "--dry-run")
    assert "--discard-later-edits" not in shown.out  # a flag of `rollback`
    assert world.facts() == before
    assert world.status()["partial_failure"]["active"] is True


def test_an_edit_that_cannot_be_placed_is_kept_aside_if_asked(tmp_path: Path) -> None:
    world, transaction = blocked(tmp_path)
    assert world.run("resolve", transaction, "--restore", "--discard").code == 2
    done = world.run("resolve", transaction, "--restore", "--discard", "--reason", "CHG-1")
    assert done.code == 0, done
    assert (world.config / "a.yaml").read_text() == document("a")
    assert (world.config / "b.yaml").read_text() == document("b")
    assert [f.read_bytes() for f in (world.state / "rescue").iterdir()] == [THEIRS]
    assert world.once().code == 0  # nothing holds the migrations: they run again
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)


def test_resume_keeps_an_edit_of_a_new_file(tmp_path: Path) -> None:
    world, transaction = blocked(tmp_path)
    new = images(world, transaction)["b.yaml"][1]
    done = world.run("resolve", transaction, "--resume", "--json")
    assert done.code == 0, done
    assert done.json["phase"] == "COMMITTED"
    assert (world.config / "a.yaml").read_bytes() == THEIRS
    assert (world.config / "b.yaml").read_bytes() == new
    assert world.once().code == 0
    assert not list(temporaries(world.config))


def test_a_rollback_is_not_finished_over_an_edit(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", TWO)
    documents = {"a.yaml": document("a"), "b.yaml": document("b")}
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents=documents)
    assert world.once().code == 0
    assert world.drive(KILL_AFTER_FIRST, "rollback", "--last").code == -signal.SIGKILL
    assert (world.version("a.yaml"), world.version("b.yaml")) == (0, 2)
    for name in documents:
        world.put(name, (world.config / name).read_text() + "extra: 1\n")
    assert world.once().code == 5
    before = world.facts()
    blocking = world.status()["partial_failure"]["transaction"]
    shown = world.run("resolve", blocking, "--dry-run", "--discard", "--json").json["choices"]
    assert "a rollback is not finished over an edit" in shown["resume"]["why_not"]
    words = ("resolve", blocking, "--resume", "--discard", "--reason", "CHG-1")
    done = world.run(*words, "--json")
    assert done.json["error"]["code"] == "files_mixed", done
    assert "roll back again" in done.json["error"]["fix"]
    assert world.facts() == before
    done = world.run("resolve", blocking, "--restore", "--discard", "--reason", "CHG-1")
    assert done.code == 0, done
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
    assert world.run("rollback", "--last").code == 0
    assert (world.config / "b.yaml").read_text() == document("b") + "extra: 1\n"


def test_resume_finishes_the_transaction(tmp_path: Path) -> None:
    world, transaction = blocked(tmp_path)
    both = images(world, transaction)
    world.put("a.yaml", both["a.yaml"][1])  # the edit is put aside
    done = world.run("resolve", transaction, "--resume", "--json")
    assert done.code == 0, done
    assert done.json["phase"] == "COMMITTED"
    for name, (_, new) in both.items():
        assert (world.config / name).read_bytes() == new
    assert len(world.events("config.migrated")) == 4
    [unblocked] = world.events("config.migration.unblocked")
    assert unblocked["attributes"]["config.migration.resolution.mode"] == "resume"
    assert not list(temporaries(world.config))
    assert world.once().code == 0
    assert len(world.events("config.migration.completed")) == 1


def test_restore_undoes_what_is_new(tmp_path: Path) -> None:
    world, transaction = blocked(tmp_path)
    both = images(world, transaction)
    world.put("a.yaml", both["a.yaml"][1])
    world.put("b.yaml", both["b.yaml"][0] + b"mine: 1\n")  # an edit of an old file may stay
    done = world.run("resolve", transaction, "--restore", "--json")
    assert done.code == 0, done
    assert done.json["phase"] == "ABORTED"
    assert (world.config / "a.yaml").read_bytes() == both["a.yaml"][0]
    assert (world.config / "b.yaml").read_bytes() == both["b.yaml"][0] + b"mine: 1\n"
    assert not list(temporaries(world.config))
    assert world.status()["partial_failure"]["active"] is False
    assert world.once().code == 0
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)


def test_accept_changed_takes_the_files_as_they_are_and_says_why(tmp_path: Path) -> None:
    world, transaction = blocked(tmp_path)
    assert world.run("resolve", transaction, "--accept-changed").code == 2
    done = world.run(
        "resolve", transaction, "--accept-changed", "--reason", "edited by hand", "--json"
    )
    assert done.code == 0, done
    assert (world.config / "a.yaml").read_bytes() == THEIRS
    [unblocked] = world.events("config.migration.unblocked")
    assert unblocked["attributes"]["config.migration.resolution.reason"] == "edited by hand"
    assert world.once().code == 0  # b.yaml is behind, and is caught up
    assert (world.config / "a.yaml").read_bytes() == THEIRS
    assert world.version("b.yaml") == 2


def test_a_changed_migration_that_was_applied_blocks_until_it_is_accepted(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", TWO)
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document("a")})
    assert world.once().code == 0
    write_bundle(
        tmp_path / "bundle",
        (TWO[0], Step(TWO[1].id, (*TWO[1].operations, {"set": {"path": "more", "value": 1}}))),
    )
    done = world.once()
    assert done.code == 2, done
    assert "migration_checksum_mismatch" in done.err
    assert "accept-changed" in done.err
    done = world.run("resolve", "--accept-changed", "--reason", "only for new files", "--json")
    assert done.code == 0, done
    assert done.json["accepted"] == ["0002_feature"]
    [said] = world.events("config.migration.approved")
    assert said["attributes"]["config.migration.approval.reason"] == "only for new files"
    assert world.once().code == 0
    assert world.run("resolve", "--accept-changed", "--reason", "x").code == 1
    world.put("b.yaml", document("b"))
    assert world.once().code == 0
    assert b"more: 1" in (world.config / "b.yaml").read_bytes()
    assert b"more: 1" not in (world.config / "a.yaml").read_bytes()


def each_for_itself(folder: Path, **documents: str) -> World:
    bundle = write_bundle(folder / "bundle", TWO)
    named = {f"{name}.yaml": text for name, text in documents.items()}
    world = World(folder / "w", bundle=bundle, policy=FREE, documents=named)
    text = world.settings.read_text().replace("name: app,", "name: app, atomic: document,")
    world.settings.write_text(text)
    return world


def test_each_for_itself_a_failing_document_holds_only_itself(tmp_path: Path) -> None:
    bad = document("b").replace("# the end", "listen: text")
    world = each_for_itself(tmp_path, a=document("a"), b=bad, c=document("c"))
    done = world.once()
    assert done.code == 4, done
    versions = [world.version(f"{name}.yaml") for name in "abc"]
    assert versions == [2, 0, 2]
    held = {d["path"]: d["problem"] for d in world.status()["documents"]}
    assert held == {"a.yaml": None, "b.yaml": "document_failed", "c.yaml": None}
    world.put("b.yaml", document("b"))
    assert world.once().code == 0
    assert world.version("b.yaml") == 2


def test_as_a_set_a_failing_document_holds_all(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", TWO)
    bad = document("b").replace("# the end", "listen: text")
    world = World(
        tmp_path / "w",
        bundle=bundle,
        policy=FREE,
        documents={"a.yaml": document("a"), "b.yaml": bad},
    )
    assert world.once().code == 4
    assert (world.version("a.yaml"), world.version("b.yaml")) == (0, 0)


@pytest.mark.parametrize(("mode", "other"), [("stop_all", 0), ("stop_dependents", 1)])
def test_what_runs_after_a_failure(tmp_path: Path, mode: str, other: int) -> None:
    steps = (
        Step("0001_listen", ({"move": {"from": "server.port", "to": "listen.port"}},)),
        Step("0002_other", ({"set": {"path": "x", "value": 1}},), config="other"),
        Step(
            "0003_needs",
            ({"set": {"path": "y", "value": 1}},),
            "online",
            "third",
            depends_on=("0001_listen",),
        ),
    )
    files = {"app": ["a.yaml"], "other": ["o.yaml"], "third": ["t.yaml"]}
    bundle = write_bundle(tmp_path / "bundle", steps, files)
    documents = {
        "a.yaml": document("a").replace("# the end", "listen: text"),
        "o.yaml": "a: 1\n",
        "t.yaml": "a: 1\n",
    }
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents=documents)
    text = world.settings.read_text().replace("name: app,", f"name: app, on_failure: {mode},")
    world.settings.write_text(text)
    assert world.once().code == 4
    assert world.once().code == 4
    assert world.version("o.yaml") == other
    assert (world.version("a.yaml"), world.version("t.yaml")) == (0, 0)


@pytest.mark.parametrize("text", ["edited after ours was there", "a text of a newer program"])
def test_what_an_older_program_recorded_of_an_edited_file_is_understood(
    tmp_path: Path, text: str
) -> None:
    """Formats up to 3 have a sentence there. One that nobody knows counts as nothing recorded."""
    world, transaction = blocked(tmp_path)
    with closing(sqlite3.connect(world.state / "state.db")) as db:
        db.execute("UPDATE transaction_files SET found=? WHERE path='a.yaml'", (text,))
        db.commit()
    held = world.status()["partial_failure"]["files"]["a.yaml"]
    assert held == ("has the new version and was edited after that" if "ours" in text else text)
    shown = world.run("resolve", transaction, "--dry-run")
    assert shown.code == 0, shown
    done = world.run("resolve", transaction, "--restore", "--discard", "--reason", "CHG-1")
    assert done.code == 0, done
