"""A partial failure, made for real: killed between two exchanges, then edited on top."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.e2e.world import FREE, TWO, Daemon, Step, World, document, temporaries, write_bundle

pytestmark = pytest.mark.slow

KILL_AFTER_FIRST = """
import os, signal
from confmig.transactions.file_exchange import FileExchange
swap = FileExchange.swap_in
def once(self, file):
    swap(self, file)
    os.kill(os.getpid(), signal.SIGKILL)
FileExchange.swap_in = once
"""
BLOCKED = (
    'config_migration_blocked{config_migration_reason="blocked_by_partial_failure",'
    'config_target_name="app"}'
)
THEIRS = b"schema_version: 2\nlisten: {port: 9999}\nfeature: mine\n"


def half_way(
    folder: Path, policy: str = FREE, telemetry: str = "{exporter: none}"
) -> tuple[World, str]:
    """A world whose a.yaml is new with an edit on top while b.yaml is old; and the transaction."""
    bundle = write_bundle(folder / "bundle", TWO)
    documents = {"a.yaml": document("a"), "b.yaml": document("b")}
    world = World(
        folder / "w", bundle=bundle, policy=policy, documents=documents, telemetry=telemetry
    )
    done = world.drive(KILL_AFTER_FIRST, "run", "--once")
    assert done.code == -signal.SIGKILL, done
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 0)
    [(transaction, phase)] = world.query("SELECT id, phase FROM transactions")
    assert phase == "PREPARED"
    world.put("a.yaml", THEIRS)
    return world, transaction


def images(world: World, transaction: str) -> dict[str, tuple[bytes, bytes]]:
    """Old and new bytes of each file, from the checkpoint."""
    lines = (world.state / "checkpoints" / f"{transaction}.jsonl").read_bytes().splitlines()
    described = [json.loads(line) for line in lines[1:]]
    objects = world.state / "objects"
    return {
        f["path"]: ((objects / f["old"]).read_bytes(), (objects / f["new"]).read_bytes())
        for f in described
    }


def test_killed_between_two_exchanges_and_not_edited_it_goes_forward(tmp_path: Path) -> None:
    world, transaction = half_way(tmp_path)
    world.put("a.yaml", images(world, transaction)["a.yaml"][1])
    done = world.once()
    assert done.code == 0, done
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
    assert len(world.events("config.migrated")) == 4
    assert not list(temporaries(world.config))


def test_an_edit_of_the_file_that_was_not_exchanged_undoes_the_rest(tmp_path: Path) -> None:
    world, transaction = half_way(tmp_path)
    world.put("a.yaml", images(world, transaction)["a.yaml"][1])
    world.put("b.yaml", document("b") + "extra: 1\n")
    done = world.once()
    assert done.code == 0, done
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
    assert b"extra: 1" in (world.config / "b.yaml").read_bytes()
    phases = world.query("SELECT phase FROM transactions ORDER BY seq")
    assert phases == [("ABORTED",), ("DONE",)]
    assert not list(temporaries(world.config))


@pytest.mark.slow
def test_it_blocks_until_the_files_agree(tmp_path: Path) -> None:
    world, transaction = half_way(tmp_path)
    for _ in range(2):
        done = world.once("--json")
        assert done.code == 5, done
        assert "blocked_by_partial_failure" in done.out
    assert (world.config / "a.yaml").read_bytes() == THEIRS
    assert (world.config / "b.yaml").read_bytes() == document("b").encode()
    assert not list(temporaries(world.config))

    # said once per change, not once per run
    [blocked] = world.events("config.migration.blocked_by_partial_failure")
    assert blocked["attributes"]["config.migration.blocking.transaction.id"] == transaction
    assert blocked["severity"] == 17

    # every command that changes something refuses
    for words in (["approve", "0001_listen", "--reason", "x"], ["retry", "0001_listen"]):
        done = world.run(*words)
        assert done.code == 5, done
        assert "blocked_by_partial_failure" in done.err
        assert "resolve" in done.err

    done = world.run("status", "--json")
    assert done.code == 5, done
    partial = done.json["partial_failure"]
    assert partial["active"] is True
    assert partial["rollback_required"] is True
    assert partial["migration_id"] == "0001_listen"
    assert partial["order"] == 1
    assert partial["failed_at"]
    assert partial["error"]["type"]
    checkpoint = Path(partial["rollback_checkpoint_path"])
    assert json.loads(checkpoint.read_bytes().splitlines()[0])["transaction"] == transaction
    assert done.json["last_checkpoint"]["status"] == "failed"
    assert {p["reason"] for p in done.json["pending"]} == {"blocked_by_partial_failure"}
    said = world.run("status").out
    assert f"confmig resolve {transaction} --dry-run" in said
    assert partial["files"]
    for path, held in partial["files"].items():
        assert f"{path}: {held}" in said

    # resolve refuses while they are mixed
    resolve = ("resolve", transaction, "--verify-and-clear")
    mixed = world.run(*resolve)
    assert mixed.code == 5, mixed
    assert "files_mixed" in mixed.err
    assert world.events("config.migration.unblocked") == []

    # all old: cleared
    world.put("a.yaml", images(world, transaction)["a.yaml"][0])
    cleared = world.run(*resolve, "--json")
    assert cleared.code == 0, cleared
    assert cleared.json["phase"] == "ABORTED"
    [unblocked] = world.events("config.migration.unblocked")
    assert unblocked["attributes"]["config.migration.blocking.transaction.id"] == transaction
    assert world.status()["partial_failure"]["active"] is False
    again = world.run(*resolve)
    assert again.code == 1, again
    assert world.once().code == 0
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
    assert len(world.events("config.migration.unblocked")) == 1


@pytest.mark.slow
def test_all_new_is_committed_by_resolve(tmp_path: Path) -> None:
    world, transaction = half_way(tmp_path)
    assert world.once().code == 5
    for name, (_, new) in images(world, transaction).items():
        world.put(name, new)
    done = world.run("resolve", transaction, "--verify-and-clear", "--json")
    assert done.code == 0, done
    assert done.json["phase"] == "COMMITTED"
    assert len(world.events("config.migrated")) == 4
    assert world.query("SELECT phase FROM transactions") == [("DONE",)]
    assert world.once().code == 0
    assert len(world.events("config.migrated")) == 4


@pytest.mark.slow
def test_the_checkpoint_that_status_names_undoes_it(tmp_path: Path) -> None:
    """The edit is put aside (the image of ours is back): what is left is ours alone to undo."""
    world, transaction = half_way(tmp_path)
    assert world.once().code == 5
    both = images(world, transaction)
    world.put("a.yaml", both["a.yaml"][1])
    path = world.status()["partial_failure"]["rollback_checkpoint_path"]
    done = world.run("rollback", "--checkpoint", path)
    assert done.code == 0, done
    assert {n: (world.config / n).read_bytes() for n in both} == {
        n: old for n, (old, _) in both.items()
    }


def test_a_conflict_blocks_its_target_only(tmp_path: Path) -> None:
    world, _ = half_way(tmp_path)
    (world.folder / "other").mkdir()
    (world.folder / "other" / "o.yaml").write_text(document("o"))
    world.settings.write_text(
        "targets:\n"
        f"- {{name: app, root: config, bundle: '{world.bundle}', policy: policy.yaml}}\n"
        f"- {{name: other, root: other, bundle: '{world.bundle}'}}\n"
        "state_dir: state\ntelemetry: {exporter: none}\n"
    )
    assert world.once().code == 5
    assert b"schema_version: 2" in (world.folder / "other" / "o.yaml").read_bytes()
    done = world.run("approve", "0001_listen", "--reason", "x", "--target", "other")
    assert done.code == 0, done


def test_a_daemon_stays_up_unready_and_is_freed_by_resolve(tmp_path: Path) -> None:
    world, transaction = half_way(tmp_path)
    world.settings.write_text(world.settings.read_text() + "http: {port: 0}\n")
    with Daemon(world) as daemon:
        body = daemon.is_up("/readyz", 503)
        # the first pass may not have ended yet
        body = daemon.is_up("/readyz", 503) if "starting" in body else body
        from tests.e2e.world import until

        until(lambda: "blocked_by_partial_failure" in daemon.get("/readyz")[1])
        assert daemon.get("/startupz")[0] == 503
        assert daemon.get("/livez")[0] == 200
        until(lambda: f"{BLOCKED} 1.0" in metrics(daemon))
        world.put("a.yaml", images(world, transaction)["a.yaml"][0])
        done = world.run("resolve", transaction, "--verify-and-clear")
        assert done.code == 0, done
        daemon.is_up("/readyz")
        until(lambda: (world.version("a.yaml"), world.version("b.yaml")) == (2, 2))
        until(lambda: f"{BLOCKED} 0.0" in metrics(daemon))
        assert daemon.end() == 0


def metrics(daemon: Daemon) -> str:
    return daemon.get("/metrics")[1]


def test_a_daemon_exits_on_block_if_asked(tmp_path: Path) -> None:
    world, _ = half_way(tmp_path)
    with Daemon(world, "--exit-on-block") as daemon:
        assert daemon.process.wait(20) == 5, daemon.said


def test_one_file_alone_is_never_a_conflict(tmp_path: Path) -> None:
    bundle = write_bundle(
        tmp_path / "bundle", (Step("0001_x", ({"set": {"path": "x", "value": 1}},)),)
    )
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document()})
    assert world.drive(KILL_AFTER_FIRST, "run", "--once").code == -9
    theirs = b"schema_version: 1\nx: 1\nmine: 2\n"
    world.put("a.yaml", theirs)
    done = world.once()
    assert done.code == 0, done
    assert (world.config / "a.yaml").read_bytes() == theirs
    assert not list(temporaries(world.config))
