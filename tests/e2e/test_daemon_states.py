"""What the daemon says of each state, on its log and its probes, and what it outlives."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from confmig import settings
from confmig.adapters.state import opened
from confmig.adapters.state.lock import RootLock
from confmig.core.planning.segments import Segment
from confmig.errors import Refused
from confmig.passes.reconcile import reconcile
from confmig.passes.workspace import Workspace
from confmig.transactions import migrate as apply
from confmig.worker.local import LocalWorker
from confmig_otel.spans import Silent
from tests.e2e.world import (
    FREE,
    OPEN,
    TWO,
    Daemon,
    Done,
    Step,
    World,
    confmig,
    document,
    environment,
    free_port,
    until,
    write_bundle,
)
from tests.support.otlp_receiver import OtlpReceiver

pytestmark = pytest.mark.slow

HTTP = "http: {port: 0}\nwatch: {rescan: 3600}\n"
CODE = re.compile(r"\[[a-z][a-z0-9_]*\]")
BROKEN = "server: [\n"
NEWER = "schema_version: 9\nserver: {port: 1}\n"
FAILING = "schema_version: 0\nserver: {port: 1}\nlisten: 7\n"
"""The first step of ``TWO`` moves something into ``listen``, which is no map here."""
EMPTY = (b"", b"# nothing but this\n", b"---\n", b"null\n")


def small(
    folder: Path,
    documents: Mapping[str, str | bytes] | None = None,
    *,
    steps: Sequence[Step] = TWO,
    policy: str = FREE,
    more: str = HTTP,
    telemetry: str = "{exporter: none}",
) -> World:
    """A world of a small bundle that nobody else uses."""
    bundle = write_bundle(folder / "bundle", steps)
    return World(
        folder / "w",
        bundle=bundle,
        policy=policy,
        documents=documents,
        more=more,
        telemetry=telemetry,
    )


def setting(name: str, key: str, value: Any = 1, kind: str = "online") -> Step:
    """A migration that sets one key."""
    return Step(name, ({"set": {"path": key, "value": value}},), kind)


def lines(daemon: Daemon, *words: str) -> list[str]:
    """The lines of the log that hold all of these words."""
    return [line for line in daemon.said.splitlines() if all(word in line for word in words)]


def tells(daemon: Daemon, *words: str, timeout: float = 15) -> str:
    """Wait for a line with all of these words; that line."""
    try:
        return until(lambda: lines(daemon, *words), timeout)[0]
    except AssertionError:
        raise AssertionError(f"no line with {words}: {daemon.said}") from None


def passes(world: World, daemon: Daemon, name: str) -> None:
    """Make the daemon look again, and wait until it has: a new document is migrated and told."""
    told = len(lines(daemon, "migrated 1 file"))
    daemon.process.send_signal(signal.SIGHUP)
    world.put(name, document(name))
    until(lambda: world.version(name) == 2, what=daemon.said)
    until(lambda: len(lines(daemon, "migrated 1 file")) > told, what=daemon.said)


def reasons(status: int, body: str) -> list[str]:
    """The reasons of an answer of /readyz or /startupz, which is checked."""
    answer = json.loads(body)
    if status == 200:
        assert answer == {"status": "ok"}
        return []
    assert status == 503, (status, body)
    assert set(answer) == {"status", "reasons"}, body
    assert answer["status"] == "unavailable"
    assert answer["reasons"], body
    assert all(isinstance(one, str) and one.strip() for one in answer["reasons"]), body
    return list(answer["reasons"])


def becomes(daemon: Daemon, ready: int, startup: int, names: str = "") -> tuple[str, str]:
    """Wait until both probes answer so, with this text in the reasons of each 503; what they say.

    Each answer on the way is checked, too.
    """
    answers: list[tuple[int, str]] = []

    def found() -> bool:
        answers[:] = [daemon.get("/readyz"), daemon.get("/startupz")]
        for answer in answers:
            reasons(*answer)
        return [code for code, _ in answers] == [ready, startup] and all(
            code == 200 or names in body for code, body in answers
        )

    try:
        until(found)
    except AssertionError as error:
        raise AssertionError(f"{error}: {answers}: {daemon.said}") from None
    assert daemon.get("/livez")[0] == 200
    return answers[0][1], answers[1][1]


def synced(folder: Path, source: Path, last: str | None = None) -> None:
    """Make the files below a folder those of another one, in place; ``last`` is written last."""
    wanted = sorted(str(f.relative_to(source)) for f in source.rglob("*") if f.is_file())
    for file in [f for f in folder.rglob("*") if f.is_file()]:
        if str(file.relative_to(folder)) not in wanted:
            file.unlink()
    for name in sorted(wanted, key=lambda one: (one == last, one)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((source / name).read_bytes())


HALF = """
import os, signal
FILES = [os.path.join(WORLD, "config", n) for n in sorted(os.listdir(WORLD + "/config"))]
OLD = [os.stat(f).st_ino for f in FILES]
def look(*_):
    try:
        new = sum(os.stat(f).st_ino != old for f, old in zip(FILES, OLD))
    except OSError:
        return
    if 0 < new < len(FILES):
        os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(look)
"""
"""Kills the process when some, but not all, documents are exchanged."""


def half_applied(folder: Path) -> World:
    """A world that is blocked by a partial failure: killed half-way, and edited after that."""
    world = small(folder, {f"{name}.yaml": document(name) for name in "abcd"})
    assert world.drive(HALF, "run", "--once").code == -signal.SIGKILL
    new = [f for f in sorted(world.config.glob("*.yaml")) if world.version(f.name) == 2]
    assert 0 < len(new) < 4
    new[0].write_text(new[0].read_text() + "# by hand\n")
    return world


# --- 1: the log -----------------------------------------------------------------------------


def as_symlink(path: Path) -> None:
    (path.parent.parent / "elsewhere").write_text(document())
    path.symlink_to(path.parent.parent / "elsewhere")


def as_hard_link(path: Path) -> None:
    (path.parent.parent / "elsewhere").write_text(document())
    path.hardlink_to(path.parent.parent / "elsewhere")


def as_sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def as_setuid(path: Path) -> None:
    path.write_text(document())
    path.chmod(0o4755)


REFUSED: dict[str, Callable[[Path], object]] = {
    "no yaml": lambda path: path.write_text(BROKEN),
    "newer than the bundle": lambda path: path.write_text(NEWER),
    "a version that is none": lambda path: path.write_text("schema_version: [1]\nx: 1\n"),
    "no utf-8": lambda path: path.write_bytes(b"server: \xff\xfe\xff\n"),
    "a fifo": os.mkfifo,
    "a directory": os.mkdir,
    "a symlink": as_symlink,
    "a hard link": as_hard_link,
    "setuid": as_setuid,
    "1 TiB": as_sparse,
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_file_that_is_refused_has_one_line_and_one_more_when_it_is_fine(
    tmp_path: Path, how: str
) -> None:
    world = small(tmp_path, {"good.yaml": document("good")})
    odd = world.config / "odd.yaml"
    REFUSED[how](odd)
    with Daemon(world) as daemon:
        told = tells(daemon, "app", "odd.yaml")
        assert CODE.search(told), told
        assert len(CODE.sub("", told.split("odd.yaml", 1)[1]).strip(" :.")) > 10, told
        until(lambda: world.version("good.yaml") == 2, what=daemon.said)
        becomes(daemon, 200, 503, "odd.yaml")
        for number in range(3):
            passes(world, daemon, f"late{number}.yaml")
        assert lines(daemon, "odd.yaml") == [told]
        if odd.is_dir() and not odd.is_symlink():
            odd.rmdir()
        else:
            odd.unlink()
        world.put("odd.yaml", document("odd"))
        until(lambda: world.version("odd.yaml") == 2, what=daemon.said)
        becomes(daemon, 200, 200)
        until(lambda: len(lines(daemon, "app", "odd.yaml")) > 1, 5, daemon.said)
        assert len(lines(daemon, "odd.yaml")) == 2, daemon.said
        assert not CODE.search(lines(daemon, "odd.yaml")[1]), daemon.said


def test_a_document_whose_migration_failed_is_named_and_named_again_when_it_is_fine(
    tmp_path: Path,
) -> None:
    world = small(tmp_path, {"bad.yaml": FAILING})
    with Daemon(world) as daemon:
        told = tells(daemon, "app", "bad.yaml")
        assert CODE.search(told), told
        becomes(daemon, 200, 503)
        world.put("bad.yaml", document())
        until(lambda: world.version("bad.yaml") == 2, what=daemon.said)
        becomes(daemon, 200, 200)
        until(
            lambda: [li for li in lines(daemon, "app", "bad.yaml") if not CODE.search(li)],
            5,
            f"no line says that bad.yaml is fine: {daemon.said}",
        )


def test_startupz_names_a_document_whose_migration_failed(tmp_path: Path) -> None:
    world = small(tmp_path, {"bad.yaml": FAILING})
    with Daemon(world) as daemon:
        tells(daemon, "bad.yaml")
        becomes(daemon, 200, 503, "bad.yaml")


def test_a_pass_that_finds_everything_as_before_adds_no_line(tmp_path: Path) -> None:
    """Broken, newer, failed and waiting ones: none of them is told twice."""
    steps = (*TWO, setting("0003_fill", "fill", kind="manual_backfill"))
    world = small(
        tmp_path,
        {"broken.yaml": BROKEN, "newer.yaml": NEWER, "good.yaml": document()},
        steps=steps,
        policy=OPEN,
        more="http: {port: 0}\nwatch: {rescan: 0.2}\n",
    )
    with Daemon(world) as daemon:
        tells(daemon, "app", "0003_fill", "[approval_missing]")
        tells(daemon, "broken.yaml")
        tells(daemon, "newer.yaml")
        before = daemon.said.splitlines()
        for number in range(4):
            passes(world, daemon, f"late{number}.yaml")
        added = daemon.said.splitlines()[len(before) :]
        assert daemon.said.splitlines()[: len(before)] == before
        assert len(added) == 4, daemon.said
        assert all("app" in line and "migrated 1 file" in line for line in added), daemon.said


def test_each_transaction_has_one_line_with_its_target(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    with Daemon(world) as daemon:
        tells(daemon, "migrated 1 file")
        passes(world, daemon, "b.yaml")
        ids = [row[0] for row in world.query("SELECT id FROM transactions")]
        assert len(ids) == 2
        for one in ids:
            assert len(lines(daemon, "app", one)) == 1, daemon.said
        assert world.run("rollback", "--last").code == 0
        tells(daemon, "0001_listen", "[rolled_back]")
        back = [li for li in lines(daemon, "app") if "roll" in li and "[rolled_back]" not in li]
        assert len(back) == 1, f"no line tells the rollback in app: {daemon.said}"


def test_a_policy_that_breaks_and_is_mended_is_told_also_if_nothing_is_pending(
    tmp_path: Path,
) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        world.policy.write_text("nonsense: [")
        daemon.is_up("/readyz", 503)
        tells(daemon, "app", "[policy_invalid]", timeout=5)
        before = len(daemon.said.splitlines())
        world.policy.write_text(FREE)
        becomes(daemon, 200, 200)
        until(lambda: len(daemon.said.splitlines()) > before, 5, f"no recovery: {daemon.said}")


def test_the_line_of_a_broken_policy_names_its_file(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document()}, policy="nonsense: [")
    with Daemon(world) as daemon:
        tells(daemon, "app", "[policy_invalid]")
        becomes(daemon, 503, 503)
        tells(daemon, "policy.yaml", timeout=3)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sum", "migrations/0001_listen.yaml"])
@pytest.mark.parametrize("how", [os.mkfifo, os.mkdir])
def test_the_log_names_the_file_of_the_bundle_that_cannot_be_read(
    tmp_path: Path, name: str, how: Callable[[Path], None]
) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    (world.bundle / name).unlink()
    how(world.bundle / name)
    with Daemon(world) as daemon:
        becomes(daemon, 503, 503)
        tells(daemon, "app", "[")
        tells(daemon, name, timeout=3)


def test_a_block_and_its_end_are_told(tmp_path: Path) -> None:
    world = half_applied(tmp_path)
    with Daemon(world) as daemon:
        told = tells(daemon, "app", "BLOCKED", "[blocked_by_partial_failure]")
        assert ".yaml" in told
        [transaction] = set(re.findall(r"[0-9a-f]{26}", told))
        becomes(daemon, 503, 503, "blocked_by_partial_failure")
        before = daemon.said
        daemon.process.send_signal(signal.SIGHUP)
        assert world.run("retry", "0099_no").code == 5
        added = [line for line in daemon.said.splitlines() if line not in before]
        assert all("retry" in line for line in added), daemon.said
        assert world.run("resolve", transaction, "--restore").code == 0
        becomes(daemon, 200, 200)
        assert all(world.version(f.name) == 2 for f in world.config.iterdir())
        assert "app" in daemon.said[len(before) :]


# --- 2: the probes --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """How a world gets into a state and out of it, and what the probes answer in it."""

    make: Callable[[World], object]
    mend: Callable[[World], object]
    ready: int
    names: str


def restored(world: World) -> None:
    (world.state / "state.db").unlink()
    done = world.run("restore-state", world.folder / "backup")
    assert done.code == 0, done


def damaged(world: World) -> None:
    assert world.once().code == 0
    assert world.run("backup-state", world.folder / "backup").code == 0
    (world.state / "state.db").write_bytes(b"no database" * 1000)


def changed(world: World) -> None:
    assert world.once().code == 0
    shutil.copytree(world.bundle, world.folder / "good")
    other = write_bundle(world.folder / "other", (TWO[0], setting("0002_other", "o")))
    synced(world.bundle, other)


STATES = {
    "a broken document": State(
        lambda w: w.put("b.yaml", BROKEN), lambda w: w.put("b.yaml", document()), 200, "b.yaml"
    ),
    "a newer document": State(
        lambda w: w.put("b.yaml", NEWER), lambda w: w.put("b.yaml", document()), 200, "b.yaml"
    ),
    "a failing migration": State(
        lambda w: w.put("b.yaml", FAILING), lambda w: w.put("b.yaml", document()), 200, "app"
    ),
    "a broken bundle": State(
        lambda w: (w.bundle / "manifest.json").write_text("{"),
        lambda w: synced(w.bundle, write_bundle(w.folder / "again", TWO)),
        503,
        "app",
    ),
    "a broken policy": State(
        lambda w: w.policy.write_text("nonsense: ["),
        lambda w: w.policy.write_text(FREE),
        503,
        "app",
    ),
    "a changed history": State(changed, lambda w: synced(w.bundle, w.folder / "good"), 503, "app"),
    "an unreadable state": State(damaged, restored, 503, "state"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_503_has_reasons_in_every_state_from_the_start(tmp_path: Path, name: str) -> None:
    state = STATES[name]
    world = small(tmp_path, {"a.yaml": document()})
    state.make(world)
    with Daemon(world) as daemon:
        becomes(daemon, state.ready, 503, state.names)
        state.mend(world)
        daemon.process.send_signal(signal.SIGHUP)
        becomes(daemon, 200, 200)
        assert all(world.version(f.name) == 2 for f in world.config.iterdir())


@pytest.mark.parametrize("name", [n for n in STATES if STATES[n].ready == 503 and n[:2] != "an"])
def test_a_503_has_reasons_when_the_state_comes_while_it_runs(tmp_path: Path, name: str) -> None:
    state = STATES[name]
    world = small(tmp_path, {"a.yaml": document()})
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        if name == "a changed history":
            shutil.copytree(world.bundle, world.folder / "good")
            other = write_bundle(world.folder / "other", (TWO[0], setting("0002_other", "o")))
            synced(world.bundle, other)
        else:
            state.make(world)
        assert state.names in daemon.is_up("/readyz", 503)
        reasons(*daemon.get("/startupz"))
        state.mend(world)
        becomes(daemon, 200, 200)


def test_a_partial_failure_is_unready_with_reasons(tmp_path: Path) -> None:
    world = half_applied(tmp_path)
    with Daemon(world) as daemon:
        becomes(daemon, 503, 503, "app: blocked_by_partial_failure")


def test_probes_have_reasons_before_the_first_pass_has_ended(tmp_path: Path) -> None:
    world, go = gated(tmp_path, {"a.yaml": document()})
    with Daemon(world) as daemon:
        until(lambda: "probes on " in daemon.said, what=daemon.said)
        for _ in range(20):
            reasons(*daemon.get("/startupz"))
            reasons(*daemon.get("/readyz"))
            assert daemon.get("/livez")[0] == 200
        go.touch()
        becomes(daemon, 200, 200)


def test_only_broken_documents_keep_it_ready_and_startupz_names_them_all(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document(), "b.yaml": BROKEN, "c.yaml": NEWER})
    with Daemon(world) as daemon:
        startup = becomes(daemon, 200, 503, "b.yaml")[1]
        assert "c.yaml" in startup
        assert "a.yaml" not in startup
        world.put("b.yaml", document())
        until(lambda: "b.yaml" not in daemon.get("/startupz")[1], what=daemon.said)
        becomes(daemon, 200, 503, "c.yaml")
        world.put("c.yaml", document())
        becomes(daemon, 200, 200)


# --- 3: one target's fault ------------------------------------------------------------------


def pair(folder: Path) -> World:
    """A world of two targets, ``first`` and ``second``, each with its own root and bundle."""
    world = small(folder, {"a.yaml": document()})
    other = write_bundle(folder / "bundle2", TWO)
    (world.folder / "config2").mkdir()
    (world.folder / "config2" / "z.yaml").write_text(document())
    world.settings.write_text(
        f"targets:\n- {{name: first, root: config, bundle: '{world.bundle}', policy: policy.yaml}}"
        f"\n- {{name: second, root: config2, bundle: '{other}'}}\n"
        f"state_dir: state\ntelemetry: {{exporter: none}}\n{HTTP}"
    )
    return world


def replaced(path: Path, how: Callable[[Path], object]) -> None:
    path.unlink(missing_ok=True)
    how(path)


FAULTS: dict[str, Callable[[World], None]] = {
    "a fifo as document": lambda w: os.mkfifo(w.config / "f.yaml"),
    "a document of 1 TiB": lambda w: as_sparse(w.config / "f.yaml"),
    "a fifo as policy": lambda w: replaced(w.policy, os.mkfifo),
    "a fifo as manifest": lambda w: replaced(w.bundle / "manifest.json", os.mkfifo),
    "a fifo as manifest.sum": lambda w: replaced(w.bundle / "manifest.sum", os.mkfifo),
    "a fifo as migration": lambda w: replaced(
        w.bundle / "migrations" / "0001_listen.yaml", os.mkfifo
    ),
    "a fifo as contract": lambda w: replaced(
        w.bundle / "migrations" / "schemas" / "contract.json", os.mkfifo
    ),
    "a sparse manifest": lambda w: replaced(w.bundle / "manifest.json", as_sparse),
    "a sparse policy": lambda w: replaced(w.policy, as_sparse),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_of_one_target_does_not_stop_another(tmp_path: Path, fault: str) -> None:
    world = pair(tmp_path)
    FAULTS[fault](world)
    second = world.folder / "config2"

    def migrated(name: str) -> bool:
        return "schema_version: 2" in (second / name).read_text()

    with Daemon(world) as daemon:
        until(lambda: migrated("z.yaml"), what=daemon.said)
        told = tells(daemon, "first", "[")
        assert CODE.search(told)
        assert daemon.get("/livez")[0] == 200
        until(lambda: "first" in daemon.get("/startupz")[1], what=daemon.said)
        found = reasons(*daemon.get("/startupz"))
        assert all(one.startswith("first") for one in found), found
        (second / "late.yaml").write_text(document())
        until(lambda: migrated("late.yaml"), what=daemon.said)
        assert daemon.alive
        assert daemon.end() == 0, daemon.said
    (second / "last.yaml").write_text(document())
    done = world.once()
    assert migrated("last.yaml"), done
    assert done.code in (1, 2), done
    assert "first" in done.out + done.err


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_comes_while_it_runs_does_not_stop_another_target(
    tmp_path: Path, fault: str
) -> None:
    world = pair(tmp_path)
    late = world.folder / "config2" / "late.yaml"
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        FAULTS[fault](world)
        daemon.process.send_signal(signal.SIGHUP)
        late.write_text(document())
        until(lambda: "schema_version: 2" in late.read_text(), what=daemon.said)
        assert daemon.get("/livez")[0] == 200
        if "policy" not in fault:  # that nothing pending waits for it is a test of its own
            tells(daemon, "first", "[")
        assert daemon.end() == 0, daemon.said


@pytest.mark.parametrize("state", ["config", "config/state", "config/../config/x/y", "link/state"])
def test_a_state_directory_inside_a_root_is_refused(tmp_path: Path, state: str) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    (world.folder / "link").symlink_to(world.config)
    world.settings.write_text(
        world.settings.read_text().replace("state_dir: state", f"state_dir: {state}")
    )
    before = world.facts()
    for words in (("run", "--once"), ("run",), ("status",), ("approve", "X", "--reason", "x")):
        done = world.run(*words, timeout=30)
        assert done.code == 2, (words, done)
        assert "state_dir" in done.err
        assert "root" in done.err
    assert world.facts() == before


@pytest.mark.parametrize("field", ["order", "sets"])
@pytest.mark.parametrize(
    "number",
    [
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1" + "0" * 400,
        "1e400",
        "1" + "0" * 5000,
    ],
    ids=["2^63", "2^64", "-2^63-1", "10^400", "1e400", "10^5000"],
)
def test_numbers_beyond_64_bits_are_refused(tmp_path: Path, field: str, number: str) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    manifest = world.bundle / "manifest.json"
    old = '"order": 2' if field == "order" else '"app": 2'
    text = manifest.read_text()
    assert text.count(old) == 1
    manifest.write_text(text.replace(old, old[:-1] + number))
    done = confmig("check", "--bundle", world.bundle)
    assert done.code == 2, done
    assert "manifest" in done.out
    done = world.once()
    assert done.code == 2, done
    assert world.version("a.yaml") == 0


# --- 4 and 5: streams that cannot be written ------------------------------------------------


@contextmanager
def stream(kind: str) -> Iterator[int]:
    """A descriptor that nobody can write to: a full or a closed pipe, or a full device."""
    if kind == "device":
        number = os.open("/dev/full", os.O_WRONLY)
        others: list[int] = []
    else:
        reader, number = os.pipe()
        others = [reader]
    if kind == "closed":
        os.close(others.pop())
    if kind == "full":
        os.set_blocking(number, False)
        for size in (4096, 1):
            with suppress(BlockingIOError):
                while True:
                    os.write(number, b"x" * size)
        os.set_blocking(number, True)
    try:
        yield number
    finally:
        for one in (number, *others):
            os.close(one)


def probed(port: int, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, bytes]:
    """One request: the status and the body as it is on the wire."""
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("which", ["stderr", "stdout", "both"])
@pytest.mark.parametrize("kind", ["full", "closed", "device"])
def test_streams_that_cannot_be_written_do_not_stop_the_daemon(
    tmp_path: Path, kind: str, which: str
) -> None:
    port = free_port()
    more = f"http: {{port: {port}}}\nwatch: {{rescan: 3600}}\n"
    world = small(tmp_path, {"a.yaml": document(), "broken.yaml": BROKEN}, more=more)
    with stream(kind) as number:
        process = subprocess.Popen(
            [sys.executable, "-m", "confmig", "run", "--console", "--settings", world.settings],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if which == "stderr" else number,
            stderr=subprocess.DEVNULL if which == "stdout" else number,
        )
        try:
            until(lambda: world.version("a.yaml") == 2 or process.poll() is not None)
            for count in range(5):
                assert process.poll() is None
                world.put(f"late{count}.yaml", document())
                until(lambda name=f"late{count}.yaml": world.version(name) == 2)  # type: ignore[misc]
                assert probed(port, "/livez")[0] == 200
                until(lambda: probed(port, "/readyz")[0] == 200)
            until(lambda: b"broken.yaml" in probed(port, "/startupz")[1])
            assert world.run("retry", "0001_listen", timeout=20).code == 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait(10)


def into(kind: str, *words: str | Path) -> Done:
    """Run a command whose standard output is such a stream."""
    with stream(kind) as number:
        done = subprocess.run(
            [sys.executable, "-m", "confmig", *map(str, words)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=number,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    return Done(done.returncode, "", done.stderr)


def quiet(done: Done) -> bool:
    """Nothing on standard error speaks of a fault of the program."""
    return not re.search(r"a bug|\[bug\]|Traceback|BrokenPipe|Exception", done.err)


@pytest.mark.parametrize("words", [(), ("--json",), ("--console",)])
def test_a_run_into_a_closed_pipe_does_its_work_and_ends_quietly(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    done = into("closed", "run", "--once", *words, "--settings", world.settings)
    assert done.code == 0, done
    assert quiet(done), done
    if "--console" not in words:
        assert done.err == ""
    assert world.version("a.yaml") == 2
    # deferred, refused and failed stay what they are
    world.put("broken.yaml", BROKEN)
    done = into("closed", "run", "--once", *words, "--settings", world.settings)
    assert done.code == 1, done
    assert quiet(done), done


@pytest.mark.parametrize("command", ["status", "plan", "events", "history", "dry-run", "check"])
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_command_into_a_closed_pipe_ends_as_if_somebody_had_read_it(
    tmp_path: Path, command: str, words: tuple[str, ...]
) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    assert world.once().code == 0
    world.put("late.yaml", document())
    wanted = world.run(command, *words)
    done = into("closed", command, *words, "--settings", world.settings)
    assert done.code == wanted.code, (done, wanted)
    assert done.err == wanted.err, done


@pytest.mark.parametrize("way", ["--write", "--stdout", "--diff"])
def test_migrate_into_a_closed_pipe(tmp_path: Path, way: str) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    done = into("closed", "migrate", "--bundle", world.bundle, way, world.config / "a.yaml")
    assert done.code == 0, done
    assert quiet(done), done
    assert world.version("a.yaml") == (2 if way == "--write" else 0)


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_output_that_cannot_be_written_after_a_commit_is_exit_7(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    done = into("device", "run", "--once", *words, "--settings", world.settings)
    assert done.code == 7, done
    assert quiet(done)
    assert "output" in done.err
    assert world.version("a.yaml") == 2
    world.put("b.yaml", document())
    file = world.config / "b.yaml"
    done = into("device", "migrate", "--bundle", world.bundle, "--write", *words, file)
    assert done.code == 7, done
    assert quiet(done)
    assert world.version("b.yaml") == 2


@pytest.mark.parametrize("words", [(), ("--json",)])
@pytest.mark.parametrize(
    "command", ["run --once", "status", "plan", "events", "history", "dry-run", "check"]
)
def test_output_that_cannot_be_written_without_a_commit_is_exit_4(
    tmp_path: Path, command: str, words: tuple[str, ...]
) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    assert world.once().code == 0
    done = into("device", *command.split(), *words, "--settings", world.settings)
    assert done.code == 4, done
    assert quiet(done)
    assert "output" in done.err


CLOSED = {
    "run": ("run", "--once", "--console", "--settings", "SETTINGS"),
    "status": ("status", "--settings", "SETTINGS"),
    "plan": ("plan", "--settings", "SETTINGS"),
    "events": ("events", "--settings", "SETTINGS"),
    "dry-run": ("dry-run", "--settings", "SETTINGS"),
    "migrate --write": ("migrate", "--bundle", "BUNDLE", "--write", "FILE"),
    "migrate --diff": ("migrate", "--bundle", "BUNDLE", "--diff", "FILE"),
    "migrate --stdout": ("migrate", "--bundle", "BUNDLE", "--stdout", "FILE"),
}


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("command", CLOSED)
def test_a_closed_descriptor_is_no_bug(tmp_path: Path, command: str, redirection: str) -> None:
    """As ``confmig ... >&-`` of a shell has it."""
    world = small(tmp_path, {"a.yaml": document()})
    names = {
        "SETTINGS": world.settings,
        "BUNDLE": world.bundle,
        "FILE": world.config / "a.yaml",
    }
    words = [str(names.get(word, word)) for word in CLOSED[command]]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "confmig", *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    result = Done(done.returncode, done.stdout, done.stderr)
    assert result.code in (0, 4, 7), result
    assert quiet(result), result


# --- 6: systemd -----------------------------------------------------------------------------


class Notified:
    """A notification socket as systemd has it; the lines that came, with their times."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.lines: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        while not self._ended.is_set():
            with suppress(TimeoutError):
                text = self._socket.recv(65536).decode()
                now = time.monotonic()
                self.lines += [(now, line) for line in text.splitlines()]

    def times(self, start: str) -> list[float]:
        """When lines with this beginning came."""
        return [when for when, line in self.lines if line.startswith(start)]

    def __enter__(self) -> Notified:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        self._socket.close()


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_systemd_is_told_ready_once_and_that_it_lives(tmp_path: Path, abstract: bool) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    address = f"@confmig-test-{os.getpid()}-{time.monotonic_ns()}" if abstract else "n"
    if not abstract:
        address = str(tmp_path / "notify")
    with (
        Notified(address) as systemd,
        Daemon(world, NOTIFY_SOCKET=address, WATCHDOG_USEC="1500000") as daemon,
    ):
        until(lambda: systemd.times("READY=1"), what=daemon.said)
        becomes(daemon, 200, 200)
        until(lambda: len(systemd.times("WATCHDOG=1")) >= 6, 15, str(systemd.lines))
        beats = systemd.times("WATCHDOG=1")
        assert all(b - a < 1.5 for a, b in pairwise(beats)), systemd.lines
        assert len(systemd.times("READY=1")) == 1, systemd.lines
        assert daemon.end() == 0
        assert len(systemd.times("READY=1")) == 1, systemd.lines


@pytest.mark.parametrize("text", [BROKEN, NEWER, FAILING], ids=["broken", "newer", "failing"])
def test_systemd_is_told_ready_and_the_reason_when_a_document_is_broken(
    tmp_path: Path, text: str
) -> None:
    world = small(tmp_path, {"a.yaml": document(), "bad.yaml": text})
    address = str(tmp_path / "notify")
    with (
        Notified(address) as systemd,
        Daemon(world, NOTIFY_SOCKET=address, WATCHDOG_USEC="1500000") as daemon,
    ):
        until(lambda: systemd.times("READY=1"), what=daemon.said)
        told = until(
            lambda: [li for _, li in systemd.lines if li.startswith("STATUS=") and "app" in li],
            what=str(systemd.lines),
        )[-1]
        if text != FAILING:
            assert "bad.yaml" in told, systemd.lines
        assert "everything is in order" not in told, systemd.lines
        assert re.search(r"[a-z]+_[a-z]+", told), systemd.lines
        until(lambda: len(systemd.times("WATCHDOG=1")) >= 4, 15, str(systemd.lines))
        assert len(systemd.times("READY=1")) == 1, systemd.lines


# --- 7: the control socket ------------------------------------------------------------------


def gated(folder: Path, documents: Mapping[str, str | bytes] | None = None) -> tuple[World, Path]:
    """A world whose first migration lasts until a file exists (30 s at most); and that file."""
    go = folder / "go"
    handler = (
        "import os, time\n\n\ndef migrate(document, contract):\n"
        "    document['x'] = 1\n    end = time.monotonic() + 30\n"
        f"    while not os.path.exists({str(go)!r}) and time.monotonic() < end:\n"
        "        time.sleep(0.02)\n"
    )
    steps = (
        Step("0001_slow", handler=handler),
        setting("0002_fill", "fill", kind="manual_backfill"),
    )
    return small(folder, documents, steps=steps, policy=OPEN), go


def asked(world: World, line: bytes, timeout: float) -> bytes | None:
    """One line to the control socket; its answer, or nothing if none came in this time."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        client.connect(str(world.state / "control.sock"))
        client.sendall(line)
        try:
            return client.recv(65536)
        except TimeoutError:
            return None


RETRY = b'{"command": "retry", "id": "0099_no"}\n'
APPROVE = b'{"command": "approve", "id": "0002_fill", "reason": "x"}\n'


@contextmanager
def busy(folder: Path) -> Iterator[tuple[World, Daemon, Path]]:
    """A daemon in the midst of a migration that lasts until a file exists."""
    world, go = gated(folder)
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        world.put("a.yaml", document())
        until(lambda: asked(world, RETRY, 0.3) is None, what=daemon.said)
        yield world, daemon, go


@contextmanager
def approving(world: World) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A client that asks for an approval, and the file of its standard error."""
    said = world.folder / "client.err"
    with open(said, "wb") as err:
        words = ["approve", "0002_fill", "--reason", "x", "--settings", str(world.settings)]
        process = subprocess.Popen(
            [sys.executable, "-m", "confmig", *words],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
            # a shell that runs the tests in the background ignores it, and children inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        yield process, said
    finally:
        process.kill()
        process.wait(10)


def finished(world: World, daemon: Daemon, go: Path) -> None:
    """Let the migration end, and wait until the daemon answers commands that came later."""
    go.touch()
    until(lambda: world.version("a.yaml") >= 1, what=daemon.said)
    assert asked(world, RETRY, 15), daemon.said


def approvals(world: World) -> int:
    return len(world.events("config.migration.approved"))


def connected(world: World) -> socket.socket | None:
    """A connection to the control socket, or nothing if too many wait there just now."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    try:
        client.connect(str(world.state / "control.sock"))
    except BlockingIOError:
        client.close()
        return None
    return client


@pytest.mark.parametrize("clients", [1, 40])
@pytest.mark.parametrize("sent", [b"", b'{"command": "retry", "i'], ids=["nothing", "a part"])
def test_a_client_that_says_nothing_does_not_block_a_command(
    tmp_path: Path, clients: int, sent: bytes
) -> None:
    steps = (*TWO, setting("0003_fill", "fill", kind="manual_backfill"))
    world = small(tmp_path, {"a.yaml": document()}, steps=steps, policy=OPEN)
    idle: list[socket.socket] = []
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        try:
            for _ in range(clients):
                client = until(lambda: connected(world))
                assert client is not None
                idle.append(client)
                client.sendall(sent)
            for words in (("retry", "0099_no"), ("approve", "0003_fill", "--reason", "x")):
                begun = time.monotonic()
                done = world.run(*words, timeout=30)
                assert done.code == (1 if words[0] == "retry" else 0), done
                assert time.monotonic() - begun < 6
            until(lambda: world.version("a.yaml") == 3, what=daemon.said)
        finally:
            for one in idle:
                one.close()
        assert daemon.end() == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_a_command_whose_client_was_killed_is_not_executed(
    tmp_path: Path, how: signal.Signals
) -> None:
    with busy(tmp_path) as (world, daemon, go):
        with approving(world) as (client, said):
            until(lambda: said.read_text() or client.poll() is not None)
            assert client.poll() is None, said.read_text()
            client.send_signal(how)
            client.wait(10)
            assert client.returncode != 0
        finished(world, daemon, go)
        assert approvals(world) == 0, daemon.said
        assert world.version("a.yaml") == 1
        # the same command of a client that stays is executed
        assert world.run("approve", "0002_fill", "--reason", "x").code == 0
        until(lambda: world.version("a.yaml") == 2, what=daemon.said)
        assert approvals(world) == 1


def test_a_command_is_not_executed_whose_client_only_asked_and_went(tmp_path: Path) -> None:
    with busy(tmp_path) as (world, daemon, go):
        for _ in range(3):
            assert asked(world, APPROVE, 0.05) is None
        finished(world, daemon, go)
        assert approvals(world) == 0, daemon.said


def test_a_client_that_waits_says_so_and_gets_its_answer(tmp_path: Path) -> None:
    with busy(tmp_path) as (world, daemon, go), approving(world) as (client, said):
        told = until(said.read_text, what="the client says that it waits")
        assert "busy" in told or "wait" in told
        assert client.poll() is None
        finished(world, daemon, go)
        assert client.wait(15) == 0, said.read_text()
        assert approvals(world) == 1
        until(lambda: world.version("a.yaml") == 2, what=daemon.said)


def test_a_command_that_is_answered_at_once_says_nothing_of_waiting(tmp_path: Path) -> None:
    world, go = gated(tmp_path)
    go.touch()
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        done = world.run("retry", "0099_no")
        assert done.code == 1
        assert "busy" not in done.err, done


# --- 8: a changed history -------------------------------------------------------------------

A, B = TWO
INSERTED, MISSING = "migration_inserted_below_applied", "migration_applied_missing"
HISTORIES: dict[str, tuple[str, tuple[Step, ...]]] = {
    "inserted between": (
        INSERTED,
        (A, setting("0002_new", "n"), Step("0003_feature", B.operations)),
    ),
    "inserted first": (
        INSERTED,
        (
            setting("0001_new", "n"),
            Step("0002_listen", A.operations),
            Step("0003_feature", B.operations),
        ),
    ),
    "renamed": (MISSING, (A, Step("0002_other", B.operations))),
    "removed": (MISSING, (A,)),
    "the first removed": (MISSING, (Step("0001_feature", B.operations),)),
    "replaced": (MISSING, (A, setting("0002_other", "o"))),
    "replaced, and one more": (MISSING, (A, setting("0002_other", "o"), setting("0003_p", "p"))),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_a_changed_history_is_refused_by_a_run(tmp_path: Path, history: str) -> None:
    code, steps = HISTORIES[history]
    world = small(tmp_path, {"a.yaml": document()})
    assert world.once().code == 0
    world.put("late.yaml", document("late"))
    shutil.copytree(world.bundle, tmp_path / "good")
    synced(world.bundle, write_bundle(tmp_path / "bad", steps))
    before = world.facts()
    for words in ((), ("--json",)):
        done = world.once(*words)
        assert done.code == 2, done
        assert code in done.out + done.err
        assert world.facts() == before
    synced(world.bundle, tmp_path / "good")
    done = world.once()
    assert done.code == 0, done
    assert world.version("late.yaml") == 2


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_a_changed_history_blocks_the_daemon_until_it_is_put_back(
    tmp_path: Path, history: str, when: str
) -> None:
    code, steps = HISTORIES[history]
    world = small(tmp_path, {"a.yaml": document()})
    assert world.once().code == 0
    bad = write_bundle(tmp_path / "bad", steps)
    shutil.copytree(world.bundle, tmp_path / "good")
    if when == "before the start":
        synced(world.bundle, bad)
    with Daemon(world) as daemon:
        if when == "while it runs":
            becomes(daemon, 200, 200)
            synced(world.bundle, bad)
        until(lambda: code in daemon.get("/readyz")[1], what=daemon.said)
        assert daemon.get("/readyz")[0] == 503
        tells(daemon, "app", f"[{code}]")
        world.put("late.yaml", document("late"))
        before = world.facts()
        daemon.process.send_signal(signal.SIGHUP)
        assert world.run("retry", "0099_no").code != 70
        assert world.facts() == before
        synced(world.bundle, tmp_path / "good")
        until(lambda: world.version("late.yaml") == 2, what=daemon.said)
        becomes(daemon, 200, 200)


def test_retired_migrations_are_not_missing_and_a_document_below_the_floor_is_held(
    tmp_path: Path,
) -> None:
    world = small(tmp_path, {"a.yaml": document()}, steps=(*TWO, setting("0003_more", "more")))
    assert world.once().code == 0
    done = confmig("retire", "--bundle", world.bundle, "--through", "0002_feature")
    assert done.code == 0, done
    before = world.facts()
    done = world.once()
    assert done.code == 0, done
    assert world.facts() == before
    world.put("two.yaml", "schema_version: 2\n")
    done = world.once()
    assert done.code == 0, done
    assert world.version("two.yaml") == 3
    low = world.put("low.yaml", document("low"))
    done = world.once()
    assert done.code == 1, done
    assert "low.yaml" in done.out
    assert "document_below_floor" in done.out
    assert low.read_text() == document("low")
    with Daemon(world) as daemon:
        tells(daemon, "app", "low.yaml", "[document_below_floor]")
        becomes(daemon, 200, 503, "low.yaml")
        world.put("next.yaml", "schema_version: 2\n")
        until(lambda: world.version("next.yaml") == 3, what=daemon.said)
        assert low.read_text() == document("low")
        low.unlink()
        becomes(daemon, 200, 200)


def test_migrations_can_retire_one_after_the_other(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document()}, steps=(*TWO, setting("0003_more", "more")))
    assert world.once().code == 0
    for id_ in ("0001_listen", "0002_feature"):
        assert confmig("retire", "--bundle", world.bundle, "--through", id_).code == 0
        assert world.once().code == 0


# --- 9: emptied documents -------------------------------------------------------------------


@pytest.mark.parametrize("content", EMPTY, ids=["nothing", "comments", "dashes", "null"])
def test_an_emptied_document_is_held_by_a_run(tmp_path: Path, content: bytes) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    assert world.once().code == 0
    whole = (world.config / "a.yaml").read_bytes()
    world.put("a.yaml", content)
    before = world.facts()
    done = world.once()
    assert done.code == 3, done
    assert "a.yaml" in done.out
    assert "document_emptied" in done.out
    assert world.facts() == before
    world.put("a.yaml", whole)
    done = world.once()
    assert done.code == 0, done
    assert (world.config / "a.yaml").read_bytes() == whole


@pytest.mark.parametrize("content", EMPTY, ids=["nothing", "comments", "dashes", "null"])
def test_an_emptied_document_is_held_by_the_daemon(tmp_path: Path, content: bytes) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        world.put("a.yaml", content)
        tells(daemon, "app", "a.yaml", "[document_emptied]")
        before = world.facts()["a.yaml"]
        passes(world, daemon, "b.yaml")
        passes(world, daemon, "c.yaml")
        assert world.facts()["a.yaml"] == before
        assert len(lines(daemon, "[document_emptied]")) == 1, daemon.said
        assert daemon.get("/readyz")[0] == 200
        world.put("a.yaml", document())
        until(lambda: world.version("a.yaml") == 2, what=daemon.said)
        until(lambda: lines(daemon, "a.yaml")[1:], 5, daemon.said)
        becomes(daemon, 200, 200)


def allowing_empty(bundle: Path) -> None:
    """Let the manifest say that an empty file is one of version 0."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["configs"]["app"]["version"]["empty"] = 0
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    done = confmig("sum", "--bundle", bundle)
    assert done.code == 0, done


@pytest.mark.parametrize("content", EMPTY, ids=["nothing", "comments", "dashes", "null"])
def test_a_new_empty_file_is_migrated_only_if_the_manifest_says_so(
    tmp_path: Path, content: bytes
) -> None:
    world = small(tmp_path, {"a.yaml": document(), "new.yaml": content})
    done = world.once()
    assert done.code == 3, done
    assert "new.yaml" in done.out
    assert "document_emptied" in done.out
    assert (world.config / "new.yaml").read_bytes() == content
    assert world.version("a.yaml") == 2
    allowing_empty(world.bundle)
    done = world.once()
    assert done.code == 0, done
    assert world.version("new.yaml") == 2


@pytest.mark.parametrize("content", EMPTY, ids=["nothing", "comments", "dashes", "null"])
def test_a_migrated_document_that_was_emptied_is_held_also_if_empty_ones_count(
    tmp_path: Path, content: bytes
) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    allowing_empty(world.bundle)
    assert world.once().code == 0
    world.put("a.yaml", content)
    done = world.once()
    assert done.code == 3, done
    assert "document_emptied" in done.out
    assert (world.config / "a.yaml").read_bytes() == content


# --- 10: the beginning and the end ----------------------------------------------------------


def test_a_run_waits_for_a_daemon_that_is_ending_if_it_is_told_to(tmp_path: Path) -> None:
    with OtlpReceiver(mode="hang") as receiver:
        world = small(
            tmp_path,
            {"a.yaml": document()},
            telemetry=f"{{endpoint: '{receiver.endpoint}', drain_seconds: 4}}",
        )
        with Daemon(world) as first:
            becomes(first, 200, 200)
            first.process.send_signal(signal.SIGTERM)
            with Daemon(world) as second:
                assert second.process.wait(20) == 6, second.said
            assert first.alive, "the first daemon ended too early for this test"
            with Daemon(world, "--wait", "20s") as third:
                assert first.process.wait(20) == 0, first.said
                receiver.mode = "ok"
                world.put("late.yaml", document())
                until(lambda: world.version("late.yaml") == 2, 20, third.said)
                becomes(third, 200, 200)
                assert third.end() == 0, third.said


def test_a_run_that_waits_in_vain_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    with Daemon(world) as first:
        becomes(first, 200, 200)
        begun = time.monotonic()
        with Daemon(world, "--wait", "2s") as second:
            assert second.process.wait(20) == 6, second.said
        assert time.monotonic() - begun >= 2
        assert first.alive


def test_a_run_that_waits_can_be_ended(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    with Daemon(world) as first:
        becomes(first, 200, 200)
        with Daemon(world, "--wait", "60s") as second:
            until(lambda: second.said, what="the second says that it waits")
            second.process.send_signal(signal.SIGTERM)
            second.process.wait(5)
        assert first.alive


DELAYS = [random.Random(number).uniform(0, 0.5) for number in range(12)]


def waited(seconds: float) -> None:
    """Let time pass: the moment of a signal is what such a test is about."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end)


@pytest.mark.parametrize("delay", DELAYS, ids=lambda d: f"{d:.3f}")
def test_sigterm_right_after_the_start_ends_it(tmp_path: Path, delay: float) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    with Daemon(world) as daemon:
        waited(delay)
        daemon.process.send_signal(signal.SIGTERM)
        code = daemon.process.wait(3)
        # before its handler is there the system ends it
        assert code in (0, -signal.SIGTERM), daemon.said
        assert "Traceback" not in daemon.said
    assert world.version("a.yaml") in (0, 2)
    done = world.once()
    assert done.code == 0, done
    assert world.version("a.yaml") == 2


def children(process: int) -> list[int]:
    """The processes that a single-threaded process has started."""
    try:
        return [
            int(word)
            for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()
        ]
    except OSError:
        return []


def catches(process: int, which: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.M)
    return caught is not None and bool(int(caught[1], 16) >> (which - 1) & 1)


@pytest.mark.parametrize("delay", DELAYS, ids=lambda d: f"{d:.3f}")
def test_sigterm_right_after_the_start_ends_it_as_process_1(tmp_path: Path, delay: float) -> None:
    """As process 1 it must have a handler, or the signal is lost.

    So from the moment on in which the interpreter is there (that is when it has one for SIGINT)
    and its main module was read.
    """
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        pytest.skip("a process namespace needs root")
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no process namespace can be made here")
    world = small(tmp_path, {"a.yaml": document()})
    log = tmp_path / "log"
    with open(log, "wb") as err:
        outer = subprocess.Popen(
            [*unshare, sys.executable, "-m", "confmig", "run", "--settings", str(world.settings)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
    try:
        inner = until(lambda: children(outer.pid))[0]
        until(lambda: catches(inner, signal.SIGINT), what="the interpreter runs")
        waited(0.05 + delay)
        os.kill(inner, signal.SIGTERM)
        assert outer.wait(3) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        outer.kill()
        outer.wait(10)
    done = world.once()
    assert done.code == 0, done
    assert world.version("a.yaml") == 2


# --- 11: a bundle that is updated -----------------------------------------------------------

THREE = (*TWO, setting("0003_more", "more"))


IDLE = 1.5
"""Seconds after which a daemon has seen all events of its own writes, so that only what comes now
makes it look again."""


@pytest.mark.parametrize(
    "last",
    [
        "manifest.json",
        "manifest.sum",
        "migrations/0003_more.yaml",
        "migrations/schemas/contract.json",
    ],
)
def test_a_bundle_that_is_updated_is_loaded_whichever_file_comes_last(
    tmp_path: Path, last: str
) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    new = write_bundle(tmp_path / "new", THREE)
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        waited(IDLE)
        if (world.bundle / last).exists():
            (world.bundle / last).write_text("{")
        for file in sorted(f for f in new.rglob("*") if f.is_file()):
            name = str(file.relative_to(new))
            if name != last:
                (world.bundle / name).write_bytes(file.read_bytes())
        daemon.is_up("/readyz", 503)
        waited(IDLE)
        assert world.version("a.yaml") == 2
        (world.bundle / last).write_bytes((new / last).read_bytes())
        until(lambda: world.version("a.yaml") == 3, 8, daemon.said)
        becomes(daemon, 200, 200)


def test_a_bundle_that_is_updated_at_once_is_loaded(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    new = write_bundle(tmp_path / "new", THREE)
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        waited(IDLE)
        synced(world.bundle, new)
        until(lambda: world.version("a.yaml") == 3, 8, daemon.said)
        becomes(daemon, 200, 200)


@pytest.mark.parametrize("again", [False, True], ids=["new folder", "known folder"])
def test_a_handler_below_migrations_that_is_written_last_is_seen(
    tmp_path: Path, again: bool
) -> None:
    handler = "def migrate(document, contract):\n    document['more'] = 1\n"
    world = small(tmp_path, {"a.yaml": document()})
    new = write_bundle(
        tmp_path / "new", (*TWO, Step("0003_more", ({"custom": "handlers/more.py"},)))
    )
    (new / "migrations" / "handlers").mkdir()
    (new / "migrations" / "handlers" / "more.py").write_text(handler)
    assert confmig("sum", "--bundle", new).code == 0
    if again:
        (world.bundle / "migrations" / "handlers").mkdir()
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        waited(IDLE)
        shutil.copytree(
            new, world.bundle, dirs_exist_ok=True, ignore=shutil.ignore_patterns("more.py")
        )
        daemon.is_up("/readyz", 503)
        waited(IDLE)
        (world.bundle / "migrations" / "handlers" / "more.py").write_text(handler)
        until(lambda: world.version("a.yaml") == 3, 8, daemon.said)


@pytest.mark.parametrize("how", ["renamed", "linked"])
@pytest.mark.parametrize("state", ["fine", "broken"])
def test_a_bundle_whose_directory_is_exchanged_is_loaded(
    tmp_path: Path, how: str, state: str
) -> None:
    """As a deployment does: the new directory is renamed into place, or a link is."""
    bundle = write_bundle(tmp_path / "one", TWO)
    new = write_bundle(tmp_path / "two", THREE)
    current = tmp_path / "current"
    if how == "linked":
        current.symlink_to(bundle)
    else:
        bundle.rename(current)
    world = World(
        tmp_path / "w", bundle=current, policy=FREE, documents={"a.yaml": document()}, more=HTTP
    )
    assert world.once().code == 0
    if state == "broken":
        (current / "manifest.json").write_text("{")
    with Daemon(world) as daemon:
        daemon.is_up("/readyz", 200 if state == "fine" else 503)
        waited(IDLE)
        assert world.version("a.yaml") == 2
        if how == "linked":
            (tmp_path / "next").symlink_to(new)
            (tmp_path / "next").replace(current)
        else:
            current.rename(tmp_path / "old")
            new.rename(current)
        until(lambda: world.version("a.yaml") == 3, 8, daemon.said)


# --- 12: how the probes speak HTTP ----------------------------------------------------------


def raw(host: str, port: int, request: bytes) -> bytes:
    """All bytes that come back for one request until the connection ends."""
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(request)
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
        return got


def test_probes_answer_head_without_a_body(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document(), "broken.yaml": BROKEN})
    with Daemon(world) as daemon:
        becomes(daemon, 200, 503)
        port = int(daemon.base().rsplit(":", 1)[1])
        for path, status in (
            ("/livez", 200),
            ("/readyz", 200),
            ("/startupz", 503),
            ("/metrics", 200),
            ("/nothing", 404),
        ):
            asks = f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            head, _, body = raw("127.0.0.1", port, asks).partition(b"\r\n\r\n")
            assert head.split(b" ", 2)[1] == str(status).encode(), (path, head)
            assert body == b"", (path, body)


def test_probes_take_a_query(tmp_path: Path) -> None:
    world = small(tmp_path, {"a.yaml": document()})
    with Daemon(world) as daemon:
        becomes(daemon, 200, 200)
        assert "config_documents" in daemon.get("/metrics?x=y")[1]
        for path in ("/livez?", "/readyz?verbose", "/startupz?x=y&z=%20", "/metrics?name[]=x"):
            assert daemon.get(path)[0] == 200, path


def test_probes_over_ipv6(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 on loopback: {error}")
    more = 'http: {host: "::1", port: 0}\nwatch: {rescan: 3600}\n'
    world = small(tmp_path, {"a.yaml": document()}, more=more)
    with Daemon(world) as daemon:
        assert daemon.base().startswith("http://[::1]:"), daemon.base()
        becomes(daemon, 200, 200)
        port = int(daemon.base().rsplit(":", 1)[1])
        assert probed(port, "/readyz", "HEAD", "::1") == (200, b"")
        assert b"config_documents" in probed(port, "/metrics?x=y", host="::1")[1]


def test_a_lock_that_is_released_is_noticed_without_a_file_event(tmp_path: Path) -> None:
    """The other process may end without a change to any file."""
    bundle = write_bundle(tmp_path / "bundle", TWO)
    more = "http: {port: 0}\nwatch: {rescan: 3600}\n"
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, more=more)
    world.put("a.yaml", document("a"))
    lock = RootLock(str(world.config), world.state, os.environ, print)
    with Daemon(world) as daemon:
        until(lambda: "lock_held" in daemon.said, what="the lock in the log")
        assert world.version("a.yaml") == 0
        lock.close()
        until(lambda: world.version("a.yaml") == 2, what=daemon.said)
        assert len(lines(daemon, "lock_held")) == 1


@pytest.mark.parametrize("kind", ["drifted", "busy"])
def test_a_pass_that_gives_up_is_followed_by_another_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The files may be quiet at the pass's last look, so that no event follows."""
    bundle = write_bundle(tmp_path / "bundle", TWO)
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document("a")})
    monkeypatch.setenv("CONFMIG__WATCH__SETTLE_NEW", "0")
    loaded = settings.load(world.settings, os.environ, LocalWorker())
    error = Refused("document_changed", "it changed")

    def gives_up(_: object, segment: Segment, *__: object) -> apply.Outcome:
        return apply.Outcome(kind, segment, error=error)

    state = opened.State.open(loaded.state_dir, print)
    clock = lambda: datetime.now(UTC)  # noqa: E731
    with Workspace(loaded, LocalWorker(), state, clock, Silent(), "test") as space:
        with monkeypatch.context() as patched:
            patched.setattr(apply, "apply", gives_up)
            result = reconcile(space, loaded.targets[0])
            assert {o.kind for o in result.outcomes} == {kind}
            assert result.look_again is not None
            assert 0 < result.look_again <= 2
            before = result.look_again
            again = reconcile(space, loaded.targets[0]).look_again
            assert again is not None
            assert again > before, "a file that stays busy is not tried all the time"
        result = reconcile(space, loaded.targets[0])
        assert result.look_again is None
    assert world.version("a.yaml") == 2
