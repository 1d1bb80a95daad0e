"""``confmig run``: the daemon, its probes, signals and control socket."""

from __future__ import annotations

import json
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from confmig.adapters.state.lock import DirectoryLock
from confmig.errors import LockHeld
from tests.e2e.world import FREE, OPEN, TWO, Daemon, Step, World, document, until, write_bundle

BLOCKED = 'config_migration_blocked{config_migration_reason="%s",config_target_name="app"}'

pytestmark = pytest.mark.slow

HTTP = "http: {port: 0}\nwatch: {rescan: 3600}\n"


def small(
    folder: Path, *names: str, policy: str = FREE, more: str = HTTP, steps: Any = TWO
) -> World:
    bundle = write_bundle(folder / "bundle", steps)
    documents = {name: document(name) for name in names}
    return World(folder / "w", bundle=bundle, policy=policy, documents=documents, more=more)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The lock of a state directory, as a command holds it."""

    def taken() -> DirectoryLock | None:
        try:
            return DirectoryLock(str(folder), "state directory")
        except LockHeld:
            return None

    lock = until(taken)
    assert lock is not None
    try:
        yield
    finally:
        lock.close()


def ask(world: World, line: bytes) -> bytes:
    """One raw line to the control socket; what came back before the end."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(world.state / "control.sock"))
        client.sendall(line)
        client.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while chunk := client.recv(65536):
                got += chunk
        except ConnectionResetError:
            return got
        return got


def test_probes_files_signals_and_the_end(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    with Daemon(world) as daemon:
        for path in ("/startupz", "/readyz", "/livez"):
            assert json.loads(daemon.is_up(path)) == {"status": "ok"}
        assert world.version("a.yaml") == 2
        assert daemon.get("/nothing")[0] == 404
        metrics = daemon.get("/metrics")[1]
        for line in (
            'config_documents{config_schema_name="app",config_schema_version="2",'
            'config_target_name="app"} 1.0',
            f"{BLOCKED % 'bundle_invalid'} 0.0",
            "config_migration_outbox_pending 0.0",
            "config_migration_duration_seconds_count",
            "config_migration_last_success_time_seconds",
        ):
            assert line in metrics
        socket_mode = (world.state / "control.sock").stat().st_mode
        assert stat.S_ISSOCK(socket_mode)
        assert stat.S_IMODE(socket_mode) == 0o600
        assert stat.S_IMODE(world.state.stat().st_mode) == 0o700

        # a file dropped in is migrated without a restart
        world.put("late.yaml", document("late"))
        until(lambda: world.version("late.yaml") == 2, what=daemon.said)

        # a second one, of either kind, is told who holds the state
        second = world.once("--json")
        assert second.code == 6, second
        assert second.json["error"]["code"] == "lock_held"
        with Daemon(world) as other:
            assert other.process.wait(20) == 6, other.said
        # reading works beside it
        assert world.run("status").code == 0
        assert world.run("plan").code == 0

        assert daemon.end(signal.SIGTERM) == 0, daemon.said
    assert not (world.state / "control.sock").exists()
    assert world.once().code == 0


def test_it_looks_again_on_sighup(tmp_path: Path) -> None:
    """The bundle's migration files are not watched: without the signal nobody would look."""
    world = small(tmp_path, "a.yaml", more="http: {port: 0}\nwatch: {rescan: 3600}\n")
    with Daemon(world) as daemon:
        daemon.is_up("/readyz")
        schema = world.bundle / "migrations" / "schemas" / "contract.json"
        good = schema.read_text()
        schema.write_text("{")
        daemon.process.send_signal(signal.SIGHUP)
        assert "manifest_invalid" in daemon.is_up("/readyz", 503)
        schema.write_text(good)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.is_up("/readyz")
        assert daemon.end(signal.SIGINT) == 0


def test_an_invalid_manifest_keeps_it_up_and_unready_until_it_is_mended(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    manifest = world.bundle / "manifest.json"
    good = manifest.read_text()
    manifest.write_text(good.replace('"online"', '"whenever"'))
    with Daemon(world) as daemon:
        until(lambda: "manifest_invalid" in daemon.get("/readyz")[1], what=daemon.said)
        assert daemon.get("/readyz")[0] == 503
        assert daemon.get("/startupz")[0] == 503
        assert daemon.get("/livez")[0] == 200
        assert daemon.get("/metrics")[0] == 200
        assert world.version("a.yaml") == 0
        manifest.write_text(good)
        daemon.is_up("/readyz")
        daemon.is_up("/startupz")
        assert world.version("a.yaml") == 2
        # breaks while running: unready, nothing migrated
        manifest.write_text("{")
        daemon.is_up("/readyz", 503)
        world.put("late.yaml", document())
        assert daemon.alive
        manifest.write_text(good)
        daemon.is_up("/readyz")
        until(lambda: world.version("late.yaml") == 2)


def test_a_state_that_cannot_be_read_keeps_it_up_and_unready_until_it_is_restored(
    tmp_path: Path,
) -> None:
    """And nobody puts an empty state in its place while the damaged one is being exchanged."""
    world = small(tmp_path, "a.yaml")
    assert world.once().code == 0
    backup = tmp_path / "backup"
    assert world.run("backup-state", backup).code == 0
    database = world.state / "state.db"
    database.write_bytes(b"no database" * 1000)
    world.put("late.yaml", document("late"))
    with Daemon(world) as daemon:
        assert "state_unreadable" in daemon.is_up("/readyz", 503)
        assert daemon.get("/startupz")[0] == 503
        assert daemon.get("/livez")[0] == 200
        assert f"{BLOCKED % 'state_unreadable'} 1.0" in daemon.get("/metrics")[1]
        assert "confmig restore-state" in daemon.said
        told = world.run("status")
        assert told.code == 4, told
        assert "state_unreadable" in told.err
        database.rename(tmp_path / "damaged")
        for _ in range(3):
            daemon.process.send_signal(signal.SIGHUP)
            daemon.is_up("/readyz", 503)
        assert not database.exists()
        assert world.version("late.yaml") == 0
        # another command may hold the lock just when the daemon looks: that ends nothing
        database.write_bytes(b"no database" * 1000)
        with held(world.state):
            daemon.process.send_signal(signal.SIGHUP)
            until(lambda: "lock_held" in daemon.get("/readyz")[1], what=daemon.said)
        database.unlink()
        restored = world.run("restore-state", backup)
        assert restored.code == 0, restored
        daemon.process.send_signal(signal.SIGHUP)
        daemon.is_up("/readyz")
        until(lambda: world.version("late.yaml") == 2, what=daemon.said)
        assert f"{BLOCKED % 'state_unreadable'} 0.0" in daemon.get("/metrics")[1]
        assert daemon.end() == 0
    assert world.run("rollback", "--last").code == 0
    assert world.run("rollback", "--last").code == 0
    assert world.version("a.yaml") == 0


def test_with_an_unreadable_state_it_stops_when_told_and_exits_if_so_asked(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    assert world.once().code == 0
    (world.state / "state.db").write_bytes(b"no database" * 1000)
    with Daemon(world) as daemon:
        daemon.is_up("/readyz", 503)
        assert daemon.end() == 0, daemon.said
    with Daemon(world, "--exit-on-block") as daemon:
        assert daemon.process.wait(20) == 4, daemon.said


def test_a_policy_that_breaks_while_it_runs_denies(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    with Daemon(world) as daemon:
        daemon.is_up("/readyz")
        world.policy.write_text("nonsense: [")
        assert "policy_invalid" in daemon.is_up("/readyz", 503)
        world.put("late.yaml", document())
        world.policy.write_text(FREE)
        daemon.is_up("/readyz")
        until(lambda: world.version("late.yaml") == 2)


@pytest.mark.slow
def test_commands_reach_it_through_the_socket(tmp_path: Path) -> None:
    steps = (Step("0001_fill", ({"set": {"path": "x", "value": 1}},), "manual_backfill"),)
    world = small(tmp_path, "a.yaml", policy=OPEN, steps=steps)
    with Daemon(world) as daemon:
        daemon.is_up("/readyz")
        assert world.version("a.yaml") == 0
        done = world.run("approve", "0001_fill", "--reason", "x", "--json")
        assert done.code == 0, done
        until(lambda: world.version("a.yaml") == 1, what=daemon.said)
        refused = world.run("approve", "0099_no", "--reason", "x", "--json")
        assert refused.code == 1, refused
        assert refused.json["error"]["code"] == "migration_unknown"
        done = world.run("rollback", "--last")
        assert done.code == 0, done
        assert (world.config / "a.yaml").read_text() == document("a.yaml")
        assert world.run("retry", "0001_fill").code == 0
        assert world.run("rollback", "--last").code == 1
        assert daemon.alive


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"not json\n",
        b"[]\n",
        b'{"command": "nothing"}\n',
        b'{"command": "approve"}\n',
        b'{"command": "approve", "id": [1], "reason": "x"}\n',
        b'{"command": "approve", "id": "0001_listen", "reason": {"a": 1}}\n',
        b'{"command": "approve", "id": "0001_listen", "reason": "x", "ttl": 7}\n',
        b'{"command": "retry"}\n',
        b'{"command": "resolve", "transaction": [1]}\n',
        b'{"command": "rollback", "checkpoint": 5}\n',
        b'{"command": "rollback", "transaction": {}}\n',
        b'{"command": "rollback", "target": ["app"], "transaction": "x"}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_nonsense_on_the_socket_is_refused_and_it_lives(tmp_path: Path, line: bytes) -> None:
    world = small(tmp_path, "a.yaml", more="http: {enabled: false}\n")
    with Daemon(world) as daemon:
        until((world.state / "control.sock").exists)
        until(lambda: world.version("a.yaml") == 2)
        ask(world, line)
        # alive: the next request is answered
        answer = ask(world, b'{"command": "retry", "id": "0001_listen"}\n')
        assert daemon.alive, daemon.said
        assert json.loads(answer)["error"]["code"] == "not_held"


def test_a_client_that_says_nothing_does_not_stop_the_loop(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    with Daemon(world) as daemon:
        daemon.is_up("/readyz")
        with socket.socket(socket.AF_UNIX) as idle:
            idle.connect(str(world.state / "control.sock"))
            world.put("late.yaml", document())
            until(lambda: world.version("late.yaml") == 2)


def test_a_root_that_comes_later_is_found(tmp_path: Path) -> None:
    world = small(tmp_path, more="http: {port: 0}\nwatch: {rescan: 0.5}\n")
    world.config.rmdir()
    with Daemon(world) as daemon:
        until(lambda: "target_unreadable" in daemon.get("/readyz")[1], what=daemon.said)
        world.put("a.yaml", document())
        daemon.is_up("/readyz")
        until(lambda: world.version("a.yaml") == 2)


def test_kill_9_leaves_a_lock_and_a_socket_that_do_not_matter(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    with Daemon(world) as daemon:
        daemon.is_up("/readyz")
        daemon.end(signal.SIGKILL)
    assert (world.state / "control.sock").exists()
    done = world.run("retry", "0001_listen")
    assert done.code == 1, done
    with Daemon(world) as daemon:
        daemon.is_up("/readyz")
        assert daemon.end() == 0


def test_a_long_state_path_has_a_control_socket_too(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    deep = "d" * 60 + "/" + "e" * 60
    world.settings.write_text(
        world.settings.read_text().replace("state_dir: state", f"state_dir: {deep}")
    )
    world.state = world.folder / deep
    with Daemon(world) as daemon:
        daemon.is_up("/readyz")
        assert world.run("rollback", "--last").code == 0
        assert daemon.end() == 0


def test_a_taken_port_is_a_clear_refusal(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        world = small(tmp_path, "a.yaml", more=f"http: {{port: {taken.getsockname()[1]}}}\n")
        with Daemon(world) as daemon:
            code = daemon.process.wait(20)
            assert code not in (0, 70), daemon.said


def test_a_daemon_lists_the_same_problems_as_a_command_without_it(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    words = ("approve", "0001_listen", "--reason", "a test")
    with Daemon(world):
        manifest = world.bundle / "manifest.json"
        data = json.loads(manifest.read_text())
        data["migrations"][0]["class"] = "soon"
        del data["migrations"][1]["class"]
        manifest.write_text(json.dumps(data))
        with_daemon = world.run(*words)
        as_json = world.run(*words, "--json").json["error"]
    without = world.run(*words)
    assert with_daemon.code == without.code == 2
    assert with_daemon.err == without.err
    assert "migration_class_missing" in with_daemon.err
    assert as_json == world.run(*words, "--json").json["error"]
    assert len(as_json["problems"]) == with_daemon.err.count("    help: ")
