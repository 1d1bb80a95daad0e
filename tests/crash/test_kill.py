"""Killed before every write of one apply, confmig keeps its promises (the `kill` harness).

The sweep itself is one slow test. Before it stand the tests of the instruments, which need no
confmig: that strace stops where it is told to, and that each promise is broken by the damage it
is there to notice. A harness that cannot fail proves nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.harness import promises, scenario, strace
from tests.crash.harness.promises import Image
from tests.crash.harness.strace import Point
from tests.crash.harness.sweep import sweep

FLOOR = 40  # points; fewer means that the filter is broken, not that confmig writes less
MIGRATIONS = ("0001_listen", "0002_feature")

# A machine without strace may skip what needs it; CI may not.
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed"
)


# --- the sweep ------------------------------------------------------------------------------


@pytest.mark.slow
@needs_strace
def test_killed_anywhere_and_run_again(tmp_path: Path) -> None:
    report = sweep(tmp_path)
    print(report)
    assert len(report.points) >= FLOOR
    assert not report.findings, str(report)


# --- strace does what it is asked to --------------------------------------------------------

WRITER = """
import os, threading
print("not below a root", flush=True)
file = os.open("config/file", os.O_WRONLY | os.O_CREAT, 0o600)
def write(letter):
    for _ in range(3):
        os.write(file, letter)
write(b"m")
other = threading.Thread(target=write, args=(b"t",))
other.start()
other.join()
write(b"n")
os.fsync(file)
os.open("config/file", os.O_RDONLY)
os.rename("config/file", "config/renamed")
"""


@pytest.fixture
def writer(tmp_path: Path) -> tuple[list[str], Path, list[Point]]:
    """A command, the directory to run it in and the points it has there."""
    cwd = tmp_path.resolve() / "cwd"
    (cwd / "config").mkdir(parents=True)
    command = [sys.executable, "-I", "-S", "-c", WRITER]
    found = strace.points(command, _env(tmp_path), [cwd / "config"], cwd=cwd)
    (cwd / "config/renamed").unlink()
    return command, cwd, found


def _env(tmp_path: Path) -> dict[str, str]:
    return scenario.environment(tmp_path / "pycache")


@needs_strace
def test_only_writes_below_the_roots_are_points(
    writer: tuple[list[str], Path, list[Point]],
) -> None:
    _, _, found = writer
    names = [point.syscall for point in found]
    assert names == ["openat", *["write"] * 9, "fsync", "rename"]
    # Numbered per tracee: the call to standard output is the first of the main thread.
    numbers = [point.nth for point in found if point.syscall == "write"]
    assert numbers == [2, 3, 4, 1, 2, 3, 5, 6, 7]


@needs_strace
def test_a_kill_comes_before_its_call(
    writer: tuple[list[str], Path, list[Point]], tmp_path: Path
) -> None:
    command, cwd, found = writer
    file = cwd / "config/file"
    # The thread's calls share their numbers with earlier ones of the main thread.
    expected = ["", "m", "mm", None, None, None, "mmmttt", "mmmtttn", "mmmtttnn"]
    writes = [point for point in found if point.syscall == "write"]
    for point, content in zip(writes, expected, strict=True):
        file.unlink(missing_ok=True)
        assert strace.run_killed(command, point, _env(tmp_path), cwd=cwd) == -9
        if content is not None:
            assert file.read_text() == content
    file.unlink()
    assert strace.run_killed(command, found[0], _env(tmp_path), cwd=cwd) == -9
    assert not file.exists()
    assert strace.run_killed(command, found[-1], _env(tmp_path), cwd=cwd) == -9
    assert file.read_text() == "mmmtttnnn"


@needs_strace
def test_a_point_that_is_not_met_is_noticed(
    writer: tuple[list[str], Path, list[Point]], tmp_path: Path
) -> None:
    command, cwd, _ = writer
    late = Point("fsync", 999, "")
    outcome = strace.run_injected(command, late, "signal=SIGKILL", _env(tmp_path), cwd=cwd)
    assert (outcome.returncode, outcome.hit) == (0, None)


@needs_strace
def test_errors_can_be_injected_too(
    writer: tuple[list[str], Path, list[Point]], tmp_path: Path
) -> None:
    command, cwd, found = writer
    [point] = [point for point in found if point.syscall == "fsync"]
    outcome = strace.run_injected(command, point, "error=ENOSPC", _env(tmp_path), cwd=cwd)
    assert outcome.returncode == 1
    assert outcome.hit is not None
    assert "INJECTED" in outcome.hit
    assert "No space left" in outcome.stderr


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('write(5</w/config/a>, "/w/config/b", 11) = 11', ("0:.",)),
        ('write(1<pipe:[77]>, "3</w/config/a>", 14) = 14', ()),
        ('write(5</w/config/a>(deleted), "x) = 3</w/other>", 1) = 1', ("0:.",)),
        ("fsync(5</w/config>) = 0", ("0:",)),
        ("fsync(5</w/config-other>) = 0", ()),
        ('openat(5</w/config>, "sub/x", O_WRONLY|O_CREAT, 0600) = 7</w/config/sub/x>', ("0:sub",)),
        ('openat(5</w/config>, "sub/x", O_RDONLY) = 7</w/config/sub/x>', ()),
        ('openat(AT_FDCWD</w>, "/etc/x", O_WRONLY|O_TRUNC) = 7</w/config/x>', ()),
        ('openat2(5</w/config>, "x", {flags=O_RDWR|O_CREAT, mode=0600}, 24) = ?', ("0:.",)),
        ('rename("config/a", "state/objects/b") = 0', ("0:.", "1:objects")),
        ('renameat2(5</w/config>, "a", 6</w/config/sub>, "b", 0) = 0', ("0:.", "0:sub")),
        ('mkdir("state", 0700) = 0', ("1:",)),
        ('unlink("state/../other") = -1 ENOENT (No such file or directory)', ()),
        ("utimensat(5</w/config/a>, NULL, NULL, 0) = 0", ("0:.",)),
        ("copy_file_range(5</x>, NULL, 6</w/state/o/y>, NULL, 1, 0 <unfinished ...>", ("1:o",)),
        ("ioctl(1</w/config/a>, TCGETS, 0x7ffe) = -1 ENOTTY", ()),
    ],
)
def test_the_files_of_a_call(call: str, expected: tuple[str, ...]) -> None:
    roots = [Path("/w/config"), Path("/w/state")]
    assert strace.places(f"12 {call}", roots, cwd=Path("/w")) == expected


# --- every promise can be broken ------------------------------------------------------------


class World:
    """A finished apply, made by hand, in which damage can be done; and how it was before."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "config"
        self.state = directory / "state"
        (self.config / "sub").mkdir(parents=True)
        (self.state / "objects").mkdir(parents=True)
        self.old = self._images("schema_version: 0\n")
        self.new = self._images("schema_version: 2\nfeature: true\n")
        self._database()

    def _images(self, text: str) -> dict[str, Image]:
        for name in ("a.yaml", "sub/c.yaml"):
            file = self.config / name
            file.write_text(f"# {name}\n{text}")
            file.chmod(0o640)
            content = file.read_bytes()
            (self.state / "objects" / hashlib.sha256(content).hexdigest()).write_bytes(content)
        return promises.images(self.config)

    def _database(self) -> None:
        self.sql("CREATE TABLE documents (target, config, path, version, digest, tx)")
        self.sql("CREATE TABLE transactions (id, target, kind, phase)")
        self.sql("CREATE TABLE events (seq INTEGER PRIMARY KEY, uid, name, attributes)")
        self.sql("INSERT INTO transactions VALUES ('t0', 'app', 'forward', 'ABORTED')")
        self.sql("INSERT INTO transactions VALUES ('t1', 'app', 'forward', 'DONE')")
        for name, image in self.new.items():
            digest = hashlib.sha256(image.content).hexdigest()
            self.sql("INSERT INTO documents VALUES ('app', 'app', ?, 2, ?, 't1')", name, digest)
            for migration in MIGRATIONS:
                self.told(name, migration)

    def told(self, name: str, migration: str) -> None:
        attributes = {"config.file.path": name, "config.migration.id": migration}
        self.sql(
            "INSERT INTO events (uid, name, attributes) "
            "SELECT 'i-' || count(*), 'config.migrated', ? FROM events",
            json.dumps(attributes),
        )

    def sql(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.state / "state.db")) as database, database:
            database.execute(statement, values)

    def restore(self, name: str) -> None:
        """Put the old bytes back, as if this file had never been exchanged."""
        (self.config / name).write_bytes(self.old[name].content)

    def after_the_run(self) -> list[str]:
        return promises.after_the_run(self.config, self.state, self.new, MIGRATIONS)

    def after_the_kill(self) -> list[str]:
        return promises.after_the_kill(self.config, self.state, self.old, self.new, MIGRATIONS)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_intact_world_has_no_violation(world: World) -> None:
    assert world.after_the_run() == []
    assert world.after_the_kill() == []
    before = promises.fingerprint(world.config, world.state)
    assert promises.changed(before, promises.fingerprint(world.config, world.state)) == []


def test_a_state_without_tables_is_empty(tmp_path: Path) -> None:
    state = promises.read_state(tmp_path)
    assert (state.integrity, state.documents, state.events) == ("ok", {}, ())


def test_reading_the_state_leaves_its_log_alone(world: World) -> None:
    database = sqlite3.connect(world.state / "state.db")
    with closing(database):
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("UPDATE documents SET version = 7")
        database.commit()
        before = {file.name: file.read_bytes() for file in world.state.glob("state.db*")}
        assert before["state.db-wal"]
        read = promises.read_state(world.state)
        after = {file.name: file.read_bytes() for file in world.state.glob("state.db*")}
        assert after == before
    assert {version for version, _ in read.documents.values()} == {7}


def _damage_pages(world: World) -> None:
    file = world.state / "state.db"
    content = bytearray(file.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    file.write_bytes(content)


def _uid_twice(world: World) -> None:
    world.sql("UPDATE events SET uid = 'i-0' WHERE uid = 'i-1'")


def _wrong_object(world: World) -> None:
    (world.state / "objects" / ("0" * 64)).write_bytes(b"half an obj")


def _rescue(world: World) -> None:
    (world.state / "rescue").mkdir()
    (world.state / "rescue/a.yaml").write_bytes(b"")


AFTER_THE_RUN: dict[str, tuple[Callable[[World], object], str]] = {
    "old bytes": (lambda w: w.restore("a.yaml"), "a.yaml is not the new image, at version 0"),
    "gone": (lambda w: (w.config / "a.yaml").unlink(), "a.yaml is gone"),
    "new file": (lambda w: (w.config / "x").touch(), "x appeared"),
    "mode": (lambda w: (w.config / "a.yaml").chmod(0o644), "has mode 644 instead of 640"),
    "temporary": (lambda w: (w.config / "sub/.confmig-t1-0").touch(), "left in the config: sub/"),
    "tmp object": (lambda w: (w.state / "objects/x.tmp").touch(), "left in the objects: x.tmp"),
    "wrong object": (_wrong_object, "does not hold what its name says"),
    "rescue": (_rescue, "rescued without need: a.yaml"),
    "version": (lambda w: w.sql("UPDATE documents SET version = 1"), "in the state"),
    "digest": (lambda w: w.sql("UPDATE documents SET digest = 'x'"), "in the state"),
    "unknown": (lambda w: w.sql("DELETE FROM documents WHERE path = 'a.yaml'"), "and None in"),
    "open": (lambda w: w.sql("UPDATE transactions SET phase = 'PREPARED'"), "not settled"),
    "conflict": (lambda w: w.sql("UPDATE transactions SET phase = 'CONFLICT'"), "not settled"),
    "none done": (lambda w: w.sql("UPDATE transactions SET phase = 'ABORTED'"), "is done"),
    "event missing": (lambda w: w.sql("DELETE FROM events WHERE seq = 1"), "is missing"),
    "event twice": (lambda w: w.told("a.yaml", MIGRATIONS[0]), "told too often"),
    "event for none": (lambda w: w.told("x.yaml", MIGRATIONS[0]), "told too often"),
    "uid twice": (_uid_twice, "uids used twice"),
    "damaged": (_damage_pages, "integrity_check: "),
    "no table": (lambda w: w.sql("DROP TABLE transactions"), "no transaction is done"),
}


@pytest.mark.parametrize("damage", AFTER_THE_RUN)
def test_damage_after_the_run_is_noticed(world: World, damage: str) -> None:
    do, expected = AFTER_THE_RUN[damage]
    do(world)
    found = world.after_the_run()
    assert any(expected in problem for problem in found), found


def _behind(world: World) -> None:
    world.sql("UPDATE documents SET version = 0")
    world.sql("DELETE FROM events")


AFTER_THE_KILL: dict[str, tuple[Callable[[World], object], str]] = {
    "torn": (lambda w: (w.config / "a.yaml").write_bytes(b"# a"), "a.yaml is torn: 3 bytes"),
    "gone": (lambda w: (w.config / "a.yaml").unlink(), "a.yaml is gone"),
    "new file": (lambda w: (w.config / "a.bak").touch(), "a.bak appeared"),
    "mode": (lambda w: (w.config / "a.yaml").chmod(0o600), "has mode 600"),
    "ahead": (lambda w: w.restore("a.yaml"), "the state is ahead: a.yaml recorded at 2"),
    "told": (lambda w: w.restore("a.yaml"), "told of 0002_feature of a.yaml, which is not on disk"),
    "told twice": (lambda w: w.told("a.yaml", MIGRATIONS[0]), "told 2 times"),
    "told of what": (lambda w: w.told("a.yaml", "0009_x"), "unknown migration 0009_x"),
    "digest": (lambda w: w.sql("UPDATE documents SET digest = 'x'"), "with another digest"),
    "behind, not open": (_behind, "and nothing is open"),
    "damaged": (_damage_pages, "integrity_check after the kill: "),
}


@pytest.mark.parametrize("damage", AFTER_THE_KILL)
def test_damage_after_the_kill_is_noticed(world: World, damage: str) -> None:
    do, expected = AFTER_THE_KILL[damage]
    do(world)
    found = world.after_the_kill()
    assert any(expected in problem for problem in found), found


def test_the_state_may_lag_while_a_transaction_is_open(world: World) -> None:
    _behind(world)
    world.sql("UPDATE transactions SET phase = 'PREPARED' WHERE id = 't1'")
    world.restore("sub/c.yaml")
    world.sql("DELETE FROM documents WHERE path = 'sub/c.yaml'")
    (world.config / ".confmig-t1-0").touch()
    assert world.after_the_kill() == []


def test_a_query_that_does_not_fit_is_no_empty_state(world: World) -> None:
    world.sql("ALTER TABLE documents RENAME COLUMN digest TO sha")
    with pytest.raises(AssertionError, match="does not fit"):
        world.after_the_run()


def _rewrite(world: World) -> None:
    file = world.config / "a.yaml"
    copy = world.config / "copy"
    shutil.copy2(file, copy)
    copy.replace(file)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (_rewrite, "a.yaml"),
        (lambda w: os.utime(w.config / "a.yaml", ns=(0, 0)), "a.yaml"),
        (lambda w: (w.config / ".confmig-x").touch(), ".confmig-x"),
        (lambda w: w.sql("UPDATE documents SET tx = 't2'"), "state"),
    ],
)
def test_a_run_that_should_do_nothing_is_seen_through(
    world: World, damage: Callable[[World], object], expected: str
) -> None:
    before = promises.fingerprint(world.config, world.state)
    damage(world)
    found = promises.changed(before, promises.fingerprint(world.config, world.state))
    assert found == [f"a run with nothing to do changed {expected}"]


def test_a_copy_is_as_good_as_the_original(tmp_path: Path) -> None:
    document = scenario.Spec().documents[0]
    built = scenario.Scenario(tmp_path / "one", scenario.Spec(documents=(document,)))
    built.config.mkdir(parents=True)
    file = built.config / document.path
    file.write_text(document.text)
    try:
        os.setxattr(file, "user.confmig-test", b"kept")
    except OSError:
        pytest.skip("no user attributes on this filesystem")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    copied = scenario.copy(built, tmp_path / "two")
    assert promises.images(copied.config) == promises.images(built.config)
