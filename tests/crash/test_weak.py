"""`cas: weak`: a link and two renames, where the filesystem cannot exchange two files.

The promises are those of the exchange but for one: what somebody renames onto the target in the
moment between the look and the first rename is lost. The tests by moments show that it is just
that, and the races that nothing else is.

The exchange is made impossible in two ways. Either the C library's `renameat2` says EINVAL, in
this process and in servers of our own (this file run as a program), so that every machine can run
it; or the files are on a FUSE filesystem (`bindfs`), which refuses it by itself and where two
names of one file are two inodes to the kernel. The latter needs root.

Two states lie within a replacement: `linked` (the target has a second name, the stage is there)
and `renamed` (the target is new, what was there has the second name only, the stage has gone).
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from confmig.adapters.files import disk as disk_module
from confmig.adapters.files.disk import Disk
from confmig.adapters.files.lease import Writers
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.files.snapshot import PREFIX, ExchangeOptions
from confmig.adapters.state.records import FilePlan
from confmig.core.transaction.phases import Phase
from confmig.errors import Refused
from confmig.transactions import file_exchange as swap
from confmig.transactions.conflicts import Conflicts
from confmig.transactions.exchange import Drifted
from confmig.transactions.file_exchange import FileExchange
from confmig.transactions.runner import Conflict, Transactor
from tests.crash.harness import err as errors
from tests.crash.harness import fork, nested, promises, race, scenario, strace, sweep
from tests.crash.harness.fork import Forks, Pool
from tests.crash.harness.race import RECORDS, World, document
from tests.crash.harness.scenario import ENGINE, SETTINGS, Document, Migration, Scenario, Spec
from tests.crash.harness.strace import Point
from tests.crash.harness.sweep import KILL, Finding, Report, Sweep
from tests.e2e import odd
from tests.support.planned import Planned

FULL = os.environ.get("CONFMIG_CRASH_FULL") == "1"
FLOOR = 60  # points of the sweep; fewer means that the filter is broken
STEPS = frozenset(("linkat", "renameat"))  # the calls of a replacement
WEAK = SETTINGS.replace("policy: policy.yaml", "policy: policy.yaml, cas: weak")
ALL = Spec(settings=WEAK)
SMALL = Spec(
    documents=(
        Document("a.yaml", "schema_version: 0\nserver: {port: 1}\n", 0o640),
        Document("b.yaml", "schema_version: 0\nserver: {port: 2}\n", 0o600, owner=(65534, 65534)),
    ),
    migrations=(Migration("0001_set", ({"set": {"path": "feature", "value": True}},)),),
    settings=WEAK,
)

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed"
)

Hook = Callable[[], object]


# --- no exchange ----------------------------------------------------------------------------


def _refuse_exchange(*_: object) -> int:
    """What `renameat2` of the C library does on a filesystem that cannot exchange."""
    ctypes.set_errno(errno.EINVAL)
    return -1


def _never_finished(self: Disk, a: str) -> None:
    """What a crash left of a replacement is left."""


def _removed_first(self: Disk, folder: int, a: str, b: str) -> bool:
    """The target makes room before the stage comes."""
    stage, target, kept = os.path.basename(a), os.path.basename(b), f"{os.path.basename(a)}w"
    for one, other in ((target, kept), (stage, target), (kept, stage)):
        os.rename(one, other, src_dir_fd=folder, dst_dir_fd=folder)
    return True


FAULTS: dict[str, tuple[str, Callable[..., object]]] = {
    "never finished": ("finish_exchange", _never_finished),
    "removed first": ("_replace", _removed_first),
}
"""Bugs on purpose, for the servers."""


class Weak(Forks):
    """A server whose runs cannot exchange files. `seed` names one of `FAULTS`."""

    def __init__(self, env: Mapping[str, str], seed: str = "") -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.test_weak", seed],
            cwd=fork.ROOT,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )


@contextmanager
def weak_pool(shared: Sweep, jobs: int, seed: str = "") -> Iterator[Pool]:
    """As `fork.pool`, of servers that cannot exchange files."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Weak(shared.env, seed)) for _ in range(jobs)]
        for number, server in enumerate(servers):
            server.run(scenario.copy(shared.template, shared.workdir / f"warm{number}"))
        yield Pool(servers)


@pytest.fixture(scope="module")
def apart() -> Iterator[str]:
    """Mounts of our own; or why there are none."""
    with odd.apart() as why_not:
        yield why_not


@contextmanager
def bound(source: Path, at: Path) -> Iterator[Path]:
    """The files of `source` at `at` once more, on a filesystem that cannot exchange."""
    source.mkdir(exist_ok=True)
    at.mkdir()
    odd.need("bindfs", source, at)
    try:
        if odd.exchanges(at):
            pytest.skip("this bindfs exchanges files")
        yield at
    finally:
        if odd._call("umount", at):
            odd._call("umount", "-l", at)


@pytest.fixture
def fuse(apart: str, tmp_path: Path) -> Iterator[Path]:
    """An empty directory on FUSE."""
    if apart:
        pytest.skip(apart)
    with bound(tmp_path / "below", tmp_path / "fuse") as at:
        yield at


# --- killed anywhere ------------------------------------------------------------------------


def _swept(
    workdir: Path,
    spec: Spec,
    *,
    seed: str = "",
    only: Callable[[Point], bool] = lambda point: True,
    pool: Callable[..., Any] = weak_pool,
) -> Report:
    """The kill sweep of `sweep.sweep`, at the points that `only` lets through, with servers."""
    shared = sweep.prepare(workdir, spec)
    with pool(shared, 2, seed) as servers:
        [listed] = servers.map(lambda server, world: server.points(world), [shared.probe])
        chosen = [point for point in listed if only(point)]
        if not FULL:  # the other rows of page writes are the kill sweep's
            kept = strace.ends(listed, cwd=shared.probe.directory)
            chosen = [point for point in chosen if point in kept]
        found = servers.map(lambda server, job: _one(server, shared, *job), list(enumerate(chosen)))
    return Report(tuple(chosen), tuple(finding for finding in found if finding is not None))


def _one(server: Forks, shared: Sweep, number: int, point: Point) -> Finding | None:
    run = scenario.copy(shared.template, shared.workdir / f"k{number:04d}")
    problems = _killed(server, shared, run, point)
    if not problems:
        problems = promises.after_the_kill(
            run.config, run.state, shared.old, shared.new, shared.migrations
        )
        code, said = server.run(run)
        if code != 0:
            problems.append(f"the run after the kill ended with {code}: {said}")
        problems += promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
        problems += server.idle(run)
    if problems:
        return Finding(point, tuple(problems), run.directory)
    shutil.rmtree(run.directory)
    return None


def _killed(server: Forks, shared: Sweep, run: Scenario, point: Point) -> list[str]:
    """Kill at a point; says so if the run was not killed, or not there."""
    probe = shared.probe
    meant = strace.places(point.line, probe.roots, cwd=probe.directory)
    outcome = server.injected(run, point, KILL)
    if outcome.returncode != -9:
        return [f"vacuous: ended with {outcome.returncode}, not killed: {outcome.stderr[-500:]}"]
    if outcome.hit is None or strace.places(outcome.hit, run.roots, cwd=run.directory) != meant:
        return [f"vacuous: killed elsewhere, at {outcome.hit}"]
    return []


def _ours(point: Point) -> bool:
    """A call that names a temporary, or the configuration's directories."""
    return PREFIX in point.line or "/config" in point.line


def _steps(points: Sequence[Point]) -> Counter[str]:
    """How many links and renames of temporaries are among the points."""
    return Counter(p.syscall for p in points if p.syscall in STEPS and PREFIX in p.line)


def _print(report: Report, began: float) -> None:
    print(f"\nweak: {report}, {time.monotonic() - began:.0f} s")


@pytest.mark.slow
@needs_strace
def test_killed_anywhere_and_run_again(tmp_path: Path) -> None:
    began = time.monotonic()
    report = _swept(tmp_path, ALL)
    _print(report, began)
    assert len(report.points) >= FLOOR
    assert _steps(report.points) == {"linkat": 3, "renameat": 6}
    assert not report.findings, str(report)


@pytest.mark.slow
@needs_strace
def test_killed_on_fuse_and_run_again(fuse: Path) -> None:
    """At every call in the configuration, on a filesystem that really has no exchange."""
    began = time.monotonic()
    report = _swept(fuse, ALL, only=_ours, pool=fork.pool)
    _print(report, began)
    assert _steps(report.points) == {"linkat": 3, "renameat": 6}
    assert sum(point.syscall == "renameat2" for point in report.points) == 3  # refused
    assert not report.findings, str(report)


@pytest.mark.slow
@needs_strace
def test_many_files_killed_and_run_again(tmp_path: Path) -> None:
    """More than one flush a file would be made for; the first ones, the last ones, every fifth."""
    many = tuple(
        Document(f"d{number:02d}.yaml", f"# {number}\nschema_version: 0\n", 0o640)
        for number in range(swap.MANY + 4)
    )
    began = time.monotonic()
    count = Counter[str]()

    def only(point: Point) -> bool:
        if point.syscall == "syncfs":
            return True
        if point.syscall not in STEPS or PREFIX not in point.line:
            return False
        count[point.syscall] += 1
        number = count[point.syscall]
        return number <= 2 or number % 5 == 0 or number >= len(many) - 1

    report = _swept(tmp_path, replace(SMALL, documents=many), only=only)
    _print(report, began)
    assert count == {"linkat": len(many), "renameat": 2 * len(many)}
    assert "syncfs" in {point.syscall for point in report.points}
    assert len(report.points) >= 30
    assert not report.findings, str(report)


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        ("never finished", "left in the config"),
        ("removed first", "is gone"),
    ],
)
def test_the_sweep_catches(tmp_path: Path, seed: str, expected: str) -> None:
    report = _swept(tmp_path, SMALL, seed=seed, only=_ours)
    problems = [problem for finding in report.findings for problem in finding.problems]
    assert not [problem for problem in problems if problem.startswith("vacuous")]
    assert any(expected in problem for problem in problems), str(report)
    print(f"\n{seed}: caught at {len(report.findings)} of {len(report.points)} points")


@pytest.mark.slow
@needs_strace
def test_where_the_exchange_works_weak_changes_nothing(tmp_path: Path) -> None:
    """The same calls in the same places, and not one link."""
    found = []
    for name, settings in (("weak00", WEAK), ("strict", SETTINGS)):
        (tmp_path / name).mkdir()
        shared = sweep.prepare(tmp_path / name, replace(SMALL, settings=settings))
        with fork.pool(shared, 1) as servers:
            [points] = servers.map(lambda server, world: server.points(world), [shared.probe])
        probe = shared.probe
        calls = [
            (p.syscall, strace.places(p.line, probe.roots, cwd=probe.directory)) for p in points
        ]
        found.append([call for call in calls if any(place.startswith("0:") for place in call[1])])
    weak, strict = found
    assert weak == strict
    assert sum(syscall == "renameat2" for syscall, _ in weak) == 2
    assert not STEPS & {syscall for syscall, _ in weak}


# --- killed inside recovery, and errors -----------------------------------------------------


@pytest.mark.slow
@needs_strace
def test_killed_inside_the_recovery_of_each_state_and_run_again(tmp_path: Path) -> None:
    """Kill in both states, within the replacement of the first and the last file, and between.

    First kills: in both states within the replacement of the first and of the last file, and
    between two. Second kills: the writes of the next run, a sample of those in the state.
    """
    began = time.monotonic()
    shared = sweep.prepare(tmp_path, SMALL)
    with weak_pool(shared, 2) as servers:
        [listed] = servers.map(lambda server, world: server.points(world), [shared.probe])
        first = [point for point in listed if _steps([point])]
        assert [point.syscall for point in first] == ["linkat", "renameat", "renameat"] * 2
        starts = servers.map(
            lambda server, job: nested._first(server, shared, True, *job), list(enumerate(first))
        )
        open_ones = [start for start in starts if start is not None]
        assert [(start.phase, start.new) for start in open_ones] == [
            *(("PREPARED", 0), ("PREPARED", 0), ("PREPARED", 1)),
            *(("PREPARED", 1), ("PREPARED", 1), ("PREPARED", 2)),
        ]
        second = [name for start in open_ones for name in _temporaries(start.copied, start.world)]
        assert sum(name.endswith("w") for name in second) == 4
        swept = servers.map(
            lambda server, start: nested._from(server, shared, start, FULL, 45), open_ones
        )
    report = nested.Report(tuple(swept), len(first), time.monotonic() - began)
    print(f"\nweak, {report}")
    assert report.points >= 6 * 30
    assert not report.findings, str(report)
    # What recovery does with a replacement that was begun is among the second kills.
    inside = [line for one in swept for line in (p.line for p in one.points) if 'w", ' in line]
    assert {line.split("(")[0].split()[-1] for line in inside} >= {"unlinkat", "renameat"}


def _temporaries(*worlds: Scenario) -> list[str]:
    """The names of what confmig has in a configuration: the first of the worlds that is there."""
    here = next(world for world in worlds if world.directory.exists())
    return sorted(path.name for path in here.config.rglob(f"{PREFIX}*"))


@pytest.mark.slow
@needs_strace
def test_an_error_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, nothing torn, and the next run does it all."""
    monkeypatch.setattr(fork, "pool", weak_pool)
    report = errors.err(
        tmp_path,
        SMALL,
        errors=("EIO", "ENOSPC", "EPERM"),
        only=lambda point: point.syscall in STEPS and PREFIX in point.line,
    )
    print(f"\nweak, {report}")
    assert _steps(report.points) == {"linkat": 2, "renameat": 4}
    assert not report.problems, str(report)


@pytest.mark.slow
@needs_strace
def test_an_error_that_recovery_meets_leaves_all_to_the_next_run(tmp_path: Path) -> None:
    """Killed in each state.

    Then the link or rename that recovery makes fails, and it may say so, but the run after that
    ends well.
    """
    shared = sweep.prepare(tmp_path, SMALL)
    met = Counter[str]()

    def one(server: Forks, job: tuple[int, Point, str]) -> list[str]:
        number, point, error = job
        run = scenario.copy(shared.template, shared.workdir / f"k{number:04d}")
        problems = _killed(server, shared, run, point)
        for syscall, nth in (("renameat", 1), ("unlinkat", 1), ("linkat", 1)):
            outcome = server.injected(run, Point(syscall, nth, ""), f"error={error}")
            if outcome.hit is None:
                continue
            met[syscall] += 1
            if outcome.returncode not in errors.DOCUMENTED and outcome.returncode != 0:
                problems.append(f"ended with {outcome.returncode}: {outcome.stderr}")
            problems += promises.after_the_kill(
                run.config, run.state, shared.old, shared.new, shared.migrations
            )
        code, said = server.run(run)
        if code != 0:
            problems.append(f"the run after the error ended with {code}: {said}")
        problems += promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
        return [f"{error} after {point}: {problem}" for problem in problems + server.idle(run)]

    with weak_pool(shared, 2) as servers:
        [listed] = servers.map(lambda server, world: server.points(world), [shared.probe])
        steps = [point for point in listed if _steps([point])]
        work = [(point, error) for point in steps for error in ("EIO", "ENOSPC")]
        jobs = [(number, point, error) for number, (point, error) in enumerate(work)]
        found = servers.map(one, jobs)
    assert met["renameat"] >= 4
    assert met["unlinkat"] >= 4
    assert not [problem for problems in found for problem in problems], found


# --- worlds in this process -----------------------------------------------------------------


@contextmanager
def _memory_worlds(directory: Path, names: tuple[str, ...] = (race.NAME,)) -> Iterator[World]:
    """A world of `race` whose target is weak. The exchange is refused by the caller's patch."""
    with ExitStack() as stack:
        world = stack.enter_context(race_worlds(directory, names))
        world.disk = stack.enter_context(
            Disk(str(world.config), options=ExchangeOptions(weak=True))
        )
        yield world


class FuseWorld(World):
    """Documents on FUSE.

    What is there the test reads below the mount: of a file with two names the kernel may know
    an old length for a second.
    """

    below = Path()

    def read(self, name: str = race.NAME) -> bytes:
        return (self.below / name).read_bytes()

    def left(self) -> list[bytes]:
        return [file.read_bytes() for file in self.below.glob(f"{PREFIX}*")]

    def plan(self, olds: Mapping[str, bytes] | None = None) -> Planned:
        """While the service has the replaced file open, it has two names there (`.fuse_hidden`).

        While the service has the file open that was replaced, and until the kernel looks
        again, it has two names there (`.fuse_hidden`) and is refused.
        """
        olds = {name: self.read(name) for name in self.names} | dict(olds or {})
        for _ in range(1000):
            for name in self.names:
                file = self.config / name
                file.chmod(file.stat().st_mode & 0o7777)  # the answer has the facts of today
            with suppress(Refused):
                return super().plan(olds)
        return super().plan(olds)


@contextmanager
def _fuse_worlds(directory: Path, names: tuple[str, ...] = (race.NAME,)) -> Iterator[World]:
    """The same with its documents on FUSE."""
    with ExitStack() as stack:
        made = stack.enter_context(race_worlds(directory, names))
        at = stack.enter_context(bound(made.config, directory / "mnt"))
        weak = stack.enter_context(Disk(str(at), options=ExchangeOptions(weak=True)))
        world = FuseWorld(at, made.store, made.checkpoints, weak, names)
        world.below = made.config
        yield world


race_worlds = race.worlds
Worlds = Callable[..., Any]


@pytest.fixture(params=["patched", "fuse"])
def worlds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Worlds:
    """How to make a world without exchange, in both ways."""
    if request.param == "fuse":
        why_not = request.getfixturevalue("apart")
        if why_not:
            pytest.skip(why_not)
        return _fuse_worlds
    monkeypatch.setattr(disk_module._libc, "renameat2", _refuse_exchange)
    return _memory_worlds


@pytest.fixture
def world(worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    _do_not_wait(monkeypatch)
    with worlds(tmp_path) as made:
        yield made


@pytest.fixture
def two(worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    _do_not_wait(monkeypatch)
    with worlds(tmp_path, ("a.yaml", "b.yaml")) as made:
        yield made


def _do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """On FUSE every clean-up waits a second for writers it cannot see.

    Here nobody writes but in hooks.
    """
    real = World.transactor

    def transactor(
        self: World,
        beat: Callable[[], None] = lambda: None,
        pause: Callable[[float], None] = lambda seconds: None,
    ) -> Transactor:
        return real(self, beat, pause)

    monkeypatch.setattr(World, "transactor", transactor)


LOOK, LINK, LINKED, RENAME, RENAMED, AFTER = "look", "link", "linked", "rename", "renamed", "after"
MOMENTS = (LOOK, LINK, LINKED, RENAME, RENAMED, AFTER)
"""Before the look at the target, before and after the link, before and after the first rename,
after the second one."""


class Moments:
    """Runs hooks at moments of the replacements, which are counted from 1, each once.

    A replacement that begins anew because the target was replaced meanwhile counts again.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hooks: dict[tuple[int, str], Hook] = {}
        self.count = 0
        self._link, self._rename = os.link, os.rename
        monkeypatch.setattr(os, "link", self._linking)
        monkeypatch.setattr(os, "rename", self._renaming)
        for name in ("swap_in", "swap_out"):
            monkeypatch.setattr(FileExchange, name, self._looking(getattr(FileExchange, name)))

    def __setitem__(self, moment: tuple[int, str], hook: Hook) -> None:
        self.hooks[moment] = hook

    def all_met(self) -> bool:
        """Whether every hook was run."""
        return not self.hooks

    def _at(self, moment: str, ahead: int = 0) -> None:
        hook = self.hooks.pop((self.count + ahead, moment), None)
        if hook is not None:
            hook()

    def _looking(self, real: Callable[..., None]) -> Callable[..., None]:
        def looking(swap: FileExchange, file: FilePlan) -> None:
            self._at(LOOK, 1)
            real(swap, file)

        return looking

    def _linking(self, source: str, name: str, **more: Any) -> None:
        if not str(name).startswith(PREFIX):
            self._link(source, name, **more)
            return
        self.count += 1
        self._at(LINK)
        self._link(source, name, **more)
        self._at(LINKED)

    def _renaming(self, source: str, name: str, **more: Any) -> None:
        ours, over = str(source).startswith(PREFIX), not str(name).startswith(PREFIX)
        if ours and over:
            self._at(RENAME)
        self._rename(source, name, **more)
        if ours:
            self._at(RENAMED if over else AFTER)


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Moments:
    return Moments(monkeypatch)


def edited(number: int, mark: int = 0) -> bytes:
    """What somebody makes of a document. It is longer than ours."""
    return document(number, mark) + b"# by hand\n"


def by_rename(world: World, data: bytes, name: str = race.NAME) -> None:
    """As an editor saves."""
    world.write(data, name)


def in_place(world: World, data: bytes, name: str = race.NAME) -> None:
    """As a service may save."""
    with open(world.config / name, "r+b", buffering=0) as file:
        file.truncate()
        file.write(data)


def appended(world: World, data: bytes, name: str = race.NAME) -> None:
    """What is there stays the beginning."""
    with open(world.config / name, "ab", buffering=0) as file:
        file.write(data)


def kept(world: World) -> list[bytes]:
    """All that can still be found: the documents and what was rescued."""
    return [*(world.read(name) for name in world.names), *world.rescued()]


def at_rest(world: World) -> None:
    """Nothing lies about, nothing is open, and every document has one name."""
    assert world.left() == []
    assert world.store.transactions.unfinished("home") == []
    assert {os.stat(world.config / name).st_nlink for name in world.names} == {1}
    assert sorted(os.listdir(world.config)) == sorted(world.names)


def goes_on(world: World) -> None:
    """The next transaction is nothing special."""
    plan = world.plan()
    world.transactor().run(plan, plan.files, RECORDS)
    assert all(world.read(f.path) == world.checkpoints.image(f.new) for f in plan.files)
    at_rest(world)


# --- edits at every moment ------------------------------------------------------------------


def test_undisturbed(world: World, moments: Moments) -> None:
    """Readers find the old or the new image, whole, at every moment; the rights stay."""
    file = world.config / race.NAME
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    with suppress(OSError):
        os.setxattr(file, "user.confmig-test", b"kept")
    before = promises.images(world.config)[race.NAME]
    seen: list[promises.Image] = []
    for moment in MOMENTS:
        moments[1, moment] = lambda: seen.append(promises.images(world.config)[race.NAME])
    world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    after = replace(before, content=document(0, 1))
    assert seen == [before] * 4 + [after] * 2
    assert promises.images(world.config)[race.NAME] == after
    at_rest(world)
    goes_on(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_edit_by_a_rename(world: World, moments: Moments, moment: str) -> None:
    """What comes between the look at the second name and the first rename is lost, unnoticed.

    Lost is what comes between the look at the second name and the first rename, and it is said
    that all is well; that is the weakness. Nothing else is.
    """
    edit = edited(1)
    moments[1, moment] = lambda: by_rename(world, edit)
    if moment in (RENAME, RENAMED, AFTER):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    else:
        with pytest.raises(Drifted):
            world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    assert kept(world) == [document(0, 1) if moment == RENAME else edit]
    at_rest(world)
    goes_on(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_edit_in_place(world: World, moments: Moments, moment: str) -> None:
    """None is lost. After the first rename it is an edit of our image, and stands."""
    edit = edited(1)
    moments[1, moment] = lambda: in_place(world, edit)
    if moment in (RENAMED, AFTER):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    else:
        with pytest.raises(Drifted):
            world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    assert kept(world) == [edit]
    at_rest(world)
    goes_on(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_lines_appended_in_place(world: World, moments: Moments, moment: str) -> None:
    """Who knows only the old length sees no difference."""
    more = b"# one more line\n"
    moments[1, moment] = lambda: appended(world, more)
    with suppress(Drifted):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    mark = 1 if moment in (RENAMED, AFTER) else 0
    assert kept(world) == [document(0, mark) + more]
    at_rest(world)
    goes_on(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_new_rights(world: World, moments: Moments, moment: str) -> None:
    """Somebody's chmod is an edit, too."""
    file = world.config / race.NAME
    file.chmod(0o600)
    moments[1, moment] = lambda: file.chmod(0o444)
    with suppress(Drifted):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    assert file.stat().st_mode & 0o777 == 0o444
    assert kept(world) == [document(0, 1 if moment in (RENAMED, AFTER) else 0)]
    at_rest(world)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_removal(world: World, moments: Moments, moment: str) -> None:
    """What was removed before the link is not made again.

    Later, it was our image or it was removed in the very moment.
    """
    file = world.config / race.NAME
    moments[1, moment] = file.unlink
    if moment in (LOOK, LINK, LINKED):
        with pytest.raises(Exception, match=r"changed|does not exist"):
            world.transactor().run(made := world.plan(), made.files, RECORDS)
        assert not file.exists()
    else:
        world.transactor().run(made := world.plan(), made.files, RECORDS)
        assert file.exists() == (moment == RENAME)
    assert moments.all_met()
    assert world.left() == []
    assert world.store.transactions.unfinished("home") == []


def test_the_kernel_says_that_a_file_that_is_just_replaced_is_not_there(
    world: World, moments: Moments
) -> None:
    """`linkat` finds the name, then the file has no name any more.

    ENOENT, in one of a hundred links beside a busy renamer. The target is there all the time,
    so it has drifted.
    """
    edit = edited(1)

    def replaced() -> None:
        by_rename(world, edit)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), race.NAME)

    moments[1, LINK] = replaced
    with pytest.raises(Drifted):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    assert kept(world) == [edit]
    at_rest(world)


@pytest.mark.parametrize("leads", ["nowhere", "somewhere"])
def test_a_symlink_in_its_place(world: World, moments: Moments, leads: str, tmp_path: Path) -> None:
    """Put there between the look and the link. It goes back where it was, as after an exchange."""
    (tmp_path / "somewhere").write_bytes(edited(1))
    file = world.config / race.NAME

    def linked() -> None:
        (world.config / "aside").symlink_to(tmp_path / leads)
        (world.config / "aside").rename(file)

    moments[1, LINK] = linked
    with pytest.raises(Drifted):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    assert os.readlink(file) == str(tmp_path / leads)
    assert os.listdir(world.config) == [race.NAME]
    assert (tmp_path / "somewhere").read_bytes() == edited(1)


# --- those who have the old file open -------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_writer_that_had_it_open_and_closes(world: World, moments: Moments, moment: str) -> None:
    """Opened long before; written and closed at the moment. It comes out, or is rescued."""
    edit = edited(1)
    fd = os.open(world.config / race.NAME, os.O_WRONLY)

    def write() -> None:
        os.write(fd, edit)
        os.close(fd)

    moments[1, moment] = write
    with pytest.raises(Drifted):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    assert kept(world) == [edit]
    at_rest(world)


def test_a_late_writer_within_the_linger_is_rescued(world: World) -> None:
    """He writes after the commit, while clean-up waits for him.

    Or, if it does not wait, at once after it, which is within the linger all the same.
    """
    late = edited(9)
    fd = os.open(world.config / race.NAME, os.O_WRONLY)
    written: list[bool] = []

    def write(seconds: float = 0) -> None:
        if not written:
            written.append(True)
            os.write(fd, late)
            os.close(fd)

    world.transactor(pause=write).run(made := world.plan(), made.files, RECORDS)
    write()
    assert late in kept(world), "a completed update, closed within the linger, is lost"
    assert world.read() == document(0, 1)
    assert world.late_writes() == 1
    at_rest(world)


def test_a_late_writer_that_empties_it_first_is_rescued_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer empties the file between the two looks, and writes while clean-up waits.

    He empties it between the two looks at what came out (the content, the rights), and writes
    while clean-up waits. What is rescued is what he wrote, and not nothing. (That clean-up
    waits is another test's; here it does.)
    """
    late = edited(9)
    fd = os.open(world.config / race.NAME, os.O_WRONLY)
    real, written = Disk.metadata, list[bool]()

    def emptied(disk: Disk, path: str) -> Metadata | None:
        if path.startswith(PREFIX):
            os.ftruncate(fd, 0)
        return real(disk, path)

    def write(seconds: float) -> None:
        written.append(True)
        os.write(fd, late)
        os.close(fd)

    monkeypatch.setattr(Disk, "metadata", emptied)
    monkeypatch.setattr(
        Disk, "writers", lambda disk, path: Writers.NONE if written else Writers.OPEN
    )
    world.transactor(pause=write).run(made := world.plan(), made.files, RECORDS)
    assert kept(world) == [document(0, 1), late]
    assert world.late_writes() == 1
    at_rest(world)


# --- the way back ---------------------------------------------------------------------------


def _undone(two: World, moments: Moments, moment: str, edit: Hook) -> type[Exception]:
    """The first document is replaced, the second has drifted, so the first goes back.

    Meanwhile it is edited. Gives what was raised.
    """
    moments[1, AFTER] = lambda: by_rename(two, document(3, 0), "b.yaml")
    moments[2, moment] = edit
    with pytest.raises((Drifted, Conflict)) as raised:
        two.transactor().run(made := two.plan(), made.files, RECORDS)
    assert moments.all_met()
    assert two.read("b.yaml") == document(3, 0)
    assert two.left() == []
    assert os.stat(two.config / "a.yaml").st_nlink == 1
    return raised.type


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_edit_by_a_rename_while_it_is_undone(two: World, moments: Moments, moment: str) -> None:
    """Lost is the same one."""
    edit = edited(7, 1)
    raised = _undone(two, moments, moment, lambda: by_rename(two, edit, "a.yaml"))
    assert raised is (Conflict if moment in (LOOK, LINK, LINKED) else Drifted)
    assert two.read("a.yaml") == (document(0, 0) if moment == RENAME else edit)
    assert two.rescued() == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_edit_in_place_while_it_is_undone(two: World, moments: Moments, moment: str) -> None:
    edit = edited(7, 1)
    raised = _undone(two, moments, moment, lambda: in_place(two, edit, "a.yaml"))
    assert raised is (Drifted if moment in (RENAMED, AFTER) else Conflict)
    assert two.read("a.yaml") == edit
    assert two.rescued() == []


@pytest.mark.parametrize("moment", MOMENTS[1:])
@pytest.mark.parametrize("edit", [by_rename, in_place])
def test_a_second_edit_while_the_first_one_goes_back(
    world: World, moments: Moments, moment: str, edit: Callable[[World, bytes], None]
) -> None:
    """The first one came out and is given back; the later one stands, the first one is rescued."""
    first, second = edited(1), edited(2)
    moments[1, LINK] = lambda: in_place(world, first)
    moments[2, moment] = lambda: edit(world, second)
    with pytest.raises(Drifted):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert moments.all_met()
    if moment == RENAME and edit is by_rename:
        assert kept(world) == [first]  # the weakness, once more
    else:
        assert world.read() == second
        # Given back and then edited: the first one was overwritten by its own owner.
        assert world.rescued() == ([] if moment in (RENAMED, AFTER) else [first])
        assert world.late_writes() == len(world.rescued())
    at_rest(world)


# --- killed within a replacement, in this process -------------------------------------------


class Killed(BaseException):
    """As good as a SIGKILL: nothing of confmig catches it."""


def _killed_here() -> None:
    raise Killed


def _is_killed(world: World) -> None:
    with pytest.raises(Killed):
        world.transactor().run(made := world.plan(), made.files, RECORDS)


def _recovered(world: World) -> list[Phase]:
    """What the next run does first."""
    rows = world.store.transactions.unfinished("home")
    return [world.transactor().recover(row, RECORDS) for row in rows]


@pytest.mark.parametrize("moment", [LINKED, RENAME, RENAMED, AFTER])
def test_killed_without_any_edit(world: World, moments: Moments, moment: str) -> None:
    done = moment in (RENAMED, AFTER)
    moments[1, moment] = _killed_here
    _is_killed(world)
    assert world.read() == document(0, int(done))
    assert _recovered(world) == [Phase.DONE if done else Phase.ABORTED]
    assert kept(world) == [document(0, int(done))]
    at_rest(world)
    goes_on(world)


@pytest.mark.parametrize("edit", [by_rename, in_place])
@pytest.mark.parametrize("moment", [LINKED, RENAME, RENAMED, AFTER])
def test_killed_and_then_edited(
    world: World, moments: Moments, moment: str, edit: Callable[[World, bytes], None]
) -> None:
    moments[1, moment] = _killed_here
    _is_killed(world)
    edit(world, edited(5))
    assert _recovered(world) == [Phase.ABORTED]
    assert kept(world) == [edited(5)]
    at_rest(world)
    goes_on(world)


@pytest.mark.parametrize("moment", [RENAMED, AFTER])
@pytest.mark.parametrize("edited_at", [LINK, LINKED, RENAME])
def test_killed_before_the_look_at_an_edit_that_came_out(
    world: World, moments: Moments, moment: str, edited_at: str
) -> None:
    """It goes back before anything else is decided."""
    moments[1, edited_at] = lambda: in_place(world, edited(5))
    moments[1, moment] = _killed_here
    _is_killed(world)
    assert world.read() == document(0, 1)
    assert _recovered(world) == [Phase.ABORTED]
    assert kept(world) == [edited(5)]
    at_rest(world)


def test_killed_with_an_edit_that_came_out_and_another_on_top(
    world: World, moments: Moments
) -> None:
    """The later one stands, the earlier one is rescued."""
    moments[1, RENAME] = lambda: in_place(world, edited(5))
    moments[1, RENAMED] = _killed_here
    _is_killed(world)
    by_rename(world, edited(6))
    assert _recovered(world) == [Phase.ABORTED]
    assert kept(world) == [edited(6), edited(5)]
    assert world.late_writes() == 1
    at_rest(world)


@pytest.mark.parametrize("moment", [LINKED, RENAME, RENAMED, AFTER])
def test_killed_while_an_edit_goes_back(world: World, moments: Moments, moment: str) -> None:
    moments[1, RENAME] = lambda: in_place(world, edited(5))
    moments[2, moment] = _killed_here
    _is_killed(world)
    assert _recovered(world) == [Phase.ABORTED]
    assert kept(world) == [edited(5)]
    at_rest(world)


@pytest.mark.parametrize("moment", [LINKED, RENAME, RENAMED, AFTER])
def test_killed_while_it_is_undone(two: World, moments: Moments, moment: str) -> None:
    moments[1, AFTER] = lambda: by_rename(two, document(3, 0), "b.yaml")
    moments[2, moment] = _killed_here
    _is_killed(two)
    assert _recovered(two) == [Phase.ABORTED]
    assert kept(two) == [document(0, 0), document(3, 0)]
    at_rest(two)


@pytest.mark.parametrize("moment", [LINKED, RENAME, RENAMED, AFTER])
def test_killed_inside_the_recovery_that_undoes(two: World, moments: Moments, moment: str) -> None:
    """Killed in the first replacement, then the second document is edited.

    Recovery is killed while it puts the first one back.
    """
    moments[1, RENAMED] = _killed_here
    _is_killed(two)
    by_rename(two, document(3, 0), "b.yaml")
    moments[2, moment] = _killed_here
    [row] = two.store.transactions.unfinished("home")
    with pytest.raises(Killed):
        two.transactor().recover(row, RECORDS)
    assert _recovered(two) == [Phase.ABORTED]
    assert kept(two) == [document(0, 0), document(3, 0)]
    at_rest(two)


@pytest.mark.parametrize("first", [LINKED, RENAMED])
@pytest.mark.parametrize("naive", [False, True])
def test_what_a_kill_left_is_settled_but_for_a_recovery_that_ignores_it(
    world: World, moments: Moments, monkeypatch: pytest.MonkeyPatch, first: str, naive: bool
) -> None:
    """The tests above can fail.

    A second name stays, and with it a document that is refused for its two links; or an edit is
    nowhere but under that name.
    """
    if naive:
        monkeypatch.setattr(Disk, "finish_exchange", _never_finished)
    if first == RENAMED:
        moments[1, RENAME] = lambda: in_place(world, edited(5))
    moments[1, first] = _killed_here
    _is_killed(world)
    _recovered(world)
    if not naive:
        at_rest(world)
        assert kept(world) == [edited(5) if first == RENAMED else document(0, 0)]
    elif first == RENAMED:
        assert kept(world) == [document(0, 1)]
        assert world.left() == [edited(5)]
    else:
        assert os.stat(world.config / race.NAME).st_nlink == 2
        with pytest.raises(Refused):
            world.disk.read(race.NAME)


# --- conflicts that are resolved ------------------------------------------------------------


def _conflict(two: World, moments: Moments) -> None:
    """The first document is new and edited, the second was never ours.

    Then the operator takes back the edit of the first one, so that it may be restored or
    resumed.
    """
    moments[1, AFTER] = lambda: by_rename(two, document(3, 0), "b.yaml")
    moments[2, LOOK] = lambda: by_rename(two, edited(7, 1), "a.yaml")
    with pytest.raises(Conflict):
        two.transactor().run(made := two.plan(), made.files, RECORDS)
    by_rename(two, document(0, 1), "a.yaml")
    by_rename(two, document(0, 0), "b.yaml")


def _first_links(moments: Moments) -> int:
    """The number of the next replacement."""
    return moments.count + 1


@pytest.mark.parametrize("moment", [LINKED, RENAME, RENAMED, AFTER])
def test_killed_while_a_conflict_is_restored(two: World, moments: Moments, moment: str) -> None:
    _conflict(two, moments)
    moments[_first_links(moments), moment] = _killed_here
    [row] = two.store.transactions.conflicts("home")
    with pytest.raises(Killed):
        Conflicts(two.transactor()).restore(row)
    [row] = two.store.transactions.conflicts("home")
    assert Conflicts(two.transactor()).restore(row) is Phase.ABORTED
    assert kept(two) == [document(0, 0), document(0, 0)]
    at_rest(two)
    goes_on(two)


@pytest.mark.parametrize("moment", [LINKED, RENAME, RENAMED, AFTER])
def test_killed_while_a_conflict_is_resumed(two: World, moments: Moments, moment: str) -> None:
    _conflict(two, moments)
    moments[_first_links(moments), moment] = _killed_here
    [row] = two.store.transactions.conflicts("home")
    with pytest.raises(Killed):
        Conflicts(two.transactor()).resume(row, RECORDS)
    [row] = two.store.transactions.conflicts("home")
    assert Conflicts(two.transactor()).resume(row, RECORDS) is Phase.COMMITTED
    assert kept(two) == [document(0, 1), document(0, 1)]
    at_rest(two)
    goes_on(two)


@pytest.mark.parametrize("moment", [LINKED, RENAMED])
def test_killed_while_a_conflict_is_resumed_and_then_cleared(
    two: World, moments: Moments, moment: str
) -> None:
    """The operator gives up on that and makes the documents equal by hand."""
    _conflict(two, moments)
    moments[_first_links(moments), moment] = _killed_here
    [row] = two.store.transactions.conflicts("home")
    with pytest.raises(Killed):
        Conflicts(two.transactor()).resume(row, RECORDS)
    for name in two.names:
        in_place(two, document(0, 0), name)
    [row] = two.store.transactions.conflicts("home")
    assert Conflicts(two.transactor()).settle(row, RECORDS) is Phase.ABORTED
    assert kept(two) == [document(0, 0), document(0, 0)]
    at_rest(two)
    goes_on(two)


@pytest.mark.parametrize("moment", [LINKED, RENAMED])
def test_an_error_while_a_conflict_is_restored(two: World, moments: Moments, moment: str) -> None:
    """The disk fails once, and the operator says `--restore` again."""

    def fail() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    _conflict(two, moments)
    moments[_first_links(moments), moment] = fail
    [row] = two.store.transactions.conflicts("home")
    with pytest.raises(OSError, match="Input/output"):
        Conflicts(two.transactor()).restore(row)
    [row] = two.store.transactions.conflicts("home")
    assert Conflicts(two.transactor()).restore(row) is Phase.ABORTED
    assert kept(two) == [document(0, 0), document(0, 0)]
    at_rest(two)


# --- a service ------------------------------------------------------------------------------


class Patient(race.Service):
    """A service on FUSE.

    There, whoever opens a file in the moment of any rename over it, by anybody, may be told
    that it is not there; so this one tries again.
    """

    def __init__(self, folder: Path, style: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.test_weak", "serve", str(folder), style],
            cwd=fork.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def _race(
    style: str, rounds: int, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> tuple[race.Report, list[race.Loss]]:
    """The race on a weak filesystem, and what is broken besides the lost updates."""
    monkeypatch.setattr(race, "worlds", worlds)
    if worlds is not _fuse_worlds:
        report = race.race(style, rounds, stop_at=rounds)
        return report, list(report.broken)
    monkeypatch.setattr(race, "Service", Patient)
    if style == race.RENAME:
        monkeypatch.setattr(swap, "LINGER", 0.02)  # who renames needs no wait
        rounds //= 4
    else:
        rounds //= 25  # every clean-up waits a second for writers that it cannot see
    report = race.race(style, rounds, stop_at=rounds)
    # We are told there, too, that the file is not there. An error that has a name is all right.
    return report, [one for one in report.broken if one.what != "ended with io_error"]


@pytest.mark.slow
@pytest.mark.parametrize("style", [race.TRUNCATE, race.PARTS])
def test_no_update_in_place_is_lost(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    report, broken = _race(style, 10_000 if FULL else 1000, worlds, monkeypatch)
    print(f"\nweak, {report}")
    assert not report.lost, str(report)
    assert not broken, str(report)
    assert report.ended["drifted"] > report.rounds // 50
    assert report.ended["committed"] > report.rounds // 50


@pytest.mark.slow
def test_updates_by_renames_are_lost_in_the_one_moment_only(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many is chance, and is printed; the service is set off at just that moment.

    Whatever is lost, nothing else is broken.
    """
    report, broken = _race(race.RENAME, 20_000 if FULL else 2000, worlds, monkeypatch)
    print(f"\nweak, {len(report.lost)} of {report.rounds} lost: {report}")
    assert not broken, str(report)
    assert len(report.lost) < report.rounds // 3, str(report)
    assert report.ended["drifted"] > report.rounds // 50
    assert report.ended["committed"] > report.rounds // 50


# --- rollback -------------------------------------------------------------------------------


DEFERRED = 3  # the exit code while a migration is held because it was rolled back


class Back(Scenario):
    """A scenario whose command is the rollback of the last transaction."""

    @property
    def apply(self) -> tuple[str, ...]:
        return (*ENGINE, "rollback", "--last", "--settings", "confmig.yaml")


def _settled_back(run: Scenario, shared: Sweep) -> list[str]:
    """All old or all new, as recorded, with nothing left over."""
    now = promises.images(run.config)
    bad = promises._leftovers(run.config, run.state)
    if now not in (dict(shared.old), dict(shared.new)):
        bad.append(f"mixed, or with other rights: {sorted(now)}")
    told = promises.read_state(run.state)
    for name, (version, digest) in told.documents.items():
        if promises._sha256(now[name].content) != digest:
            bad.append(f"{name} is not what is recorded, version {version}")
    if told.unsettled:
        bad.append(f"not settled: {told.unsettled}")
    return bad


@pytest.mark.slow
@needs_strace
def test_a_rollback_killed_in_the_configuration_and_run_again(tmp_path: Path) -> None:
    """Undisturbed the old bytes come back, with their rights; killed, it is finished or undone."""
    began = time.monotonic()
    shared = sweep.prepare(tmp_path, SMALL)

    def migrated(server: Forks, name: str) -> Back:
        world = scenario.copy(shared.template, shared.workdir / name)
        code, said = server.run(world)
        assert code == 0, said
        return Back(world.directory, world.spec)

    def listed_by(server: Forks, back: Back) -> list[Point]:
        imports_made(server)
        return server.points(back)

    def imports_made(server: Forks) -> None:
        """The server has the modules of a rollback, so that no numbered call is an import."""
        if server not in warm:
            warm.add(server)
            assert server.run(migrated(server, f"warm-{id(server)}"))[0] == 0

    def one(server: Forks, job: tuple[int, Point]) -> list[str]:
        number, point = job
        imports_made(server)
        back = migrated(server, f"b{number:04d}")
        problems = _killed(server, replace(shared, probe=probe), back, point)
        once = Scenario(back.directory, back.spec)
        code, said = server.run(once)
        old = promises.images(back.config) == dict(shared.old)
        ended.append(old)
        if code != (DEFERRED if old else 0):
            problems.append(f"the run after the kill ended with {code}: {said}")
        problems += _settled_back(back, shared)
        before = promises.fingerprint(back.config, back.state)
        if server.run(once)[0] != code:
            problems.append("the run after that ended with something else")
        problems += promises.changed(before, promises.fingerprint(back.config, back.state))
        return [f"{point}: {problem}" for problem in problems]

    ended: list[bool] = []
    warm: set[Forks] = set()
    with weak_pool(shared, 2) as servers:
        [probe] = servers.map(migrated, ["probeb"])
        [listed] = servers.map(listed_by, [probe])
        assert _settled_back(probe, shared) == []
        assert promises.images(probe.config) == dict(shared.old)
        chosen = [point for point in listed if _ours(point)]
        assert _steps(chosen) == {"linkat": 2, "renameat": 4}
        found = servers.map(one, list(enumerate(chosen)))
    problems = [problem for problems in found for problem in problems]
    print(
        f"\nweak, rollback: {len(chosen)} points, {len(problems)} violations, {sum(ended)} ended "
        f"old, {time.monotonic() - began:.0f} s"
    )
    assert not problems, "\n".join(problems)
    assert {True, False} == set(ended)  # killed early it is undone, late it is finished


# --- refused --------------------------------------------------------------------------------


def _injected(run: Scenario, env: Mapping[str, str], *errors: str) -> tuple[int, str, str]:
    """A whole run with errors at every call of some names: exit code, what it said, the log."""
    log = strace.log_of(run.directory)
    inject = [word for error in errors for word in ("-e", f"inject={error}")]
    traced = ",".join(error.split(":")[0] for error in errors)
    done = subprocess.run(
        [*strace.TRACER, "-o", str(log), "-e", f"trace={traced}", *inject, "--", *run.apply],
        cwd=run.directory,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, log.read_text()


NO_EXCHANGE = "renameat2:error=EINVAL"


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("links", ["EPERM", "EOPNOTSUPP", "ENOSYS"])
def test_without_hard_links_it_is_refused_and_nothing_is_changed(
    tmp_path: Path, links: str
) -> None:
    env = scenario.environment(tmp_path / "pycache", warm=True)
    run = scenario.build(tmp_path / "run", env, SMALL)
    before = promises.images(run.config)
    code, said, log = _injected(run, env, NO_EXCHANGE, f"linkat:error={links}")
    assert log.count("INJECTED") >= 2
    assert "linkat" in log
    assert code in errors.DOCUMENTED, said
    assert "[no_exchange]" in said
    assert "no hard links" in said
    assert "cas: weak" not in said  # that would not help
    assert promises.images(run.config) == before
    assert promises._leftovers(run.config, run.state) == []
    assert promises.read_state(run.state).unsettled == {}


@pytest.mark.slow
@needs_strace
def test_strict_is_refused_and_the_fix_names_weak(tmp_path: Path) -> None:
    """What the fix says helps: with `cas: weak` the next run does it."""
    env = scenario.environment(tmp_path / "pycache", warm=True)
    run = scenario.build(tmp_path / "run", env, replace(SMALL, settings=SETTINGS))
    before = promises.images(run.config)
    code, said, log = _injected(run, env, NO_EXCHANGE, "linkat:error=EIO:when=999")
    assert "linkat" not in log
    assert code in errors.DOCUMENTED, said
    assert "[no_exchange]" in said
    assert "cas: weak" in said
    assert promises.images(run.config) == before
    assert promises._leftovers(run.config, run.state) == []
    (run.directory / "confmig.yaml").write_text(WEAK)
    code, said, log = _injected(run, env, NO_EXCHANGE, "linkat:error=EIO:when=999")
    assert log.count("linkat(") == 2
    assert code == 0, said
    now = promises.images(run.config)
    assert {promises.stamp(image.content) for image in now.values()} == {1}
    assert {name: replace(image, content=b"") for name, image in now.items()} == {
        name: replace(image, content=b"") for name, image in before.items()
    }


@pytest.mark.slow
@needs_strace
def test_weak_that_is_taken_back_after_a_kill_is_refused_until_it_is_there_again(
    tmp_path: Path,
) -> None:
    """Killed in a replacement under `weak`.

    `strict` can neither finish nor undo it, but it changes nothing, and with `weak` it is
    finished.
    """
    shared = sweep.prepare(tmp_path, SMALL)
    with weak_pool(shared, 1) as servers:
        [listed] = servers.map(lambda server, world: server.points(world), [shared.probe])
        point = [p for p in listed if p.syscall == "renameat" and PREFIX in p.line][1]

        def one(server: Forks, run: Scenario) -> None:
            assert _killed(server, shared, run, point) == []
            (run.directory / "confmig.yaml").write_text(SETTINGS)
            code, said = server.run(run)
            assert code in errors.DOCUMENTED
            assert "[no_exchange]" in said
            assert "cas: weak" in said
            (run.directory / "confmig.yaml").write_text(WEAK)
            code, said = server.run(run)
            assert code == 0, said
            bad = promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
            assert bad + server.idle(run) == []

        servers.map(one, [scenario.copy(shared.template, tmp_path / "run00")])


# --- the server -----------------------------------------------------------------------------


def _serve(seed: str) -> int:
    """The server of `fork`, in a process that cannot exchange files."""
    disk_module._libc.renameat2 = _refuse_exchange  # type: ignore[attr-defined]
    if seed:
        name, instead = FAULTS[seed]
        setattr(Disk, name, instead)
    return fork._serve("")


def _patiently(folder: str, style: str) -> int:
    """The service of `race`, that opens a file until it is there."""
    real = os.open

    def until_there(*words: Any, **more: Any) -> int:
        for _ in range(1000):
            with suppress(FileNotFoundError):
                return real(*words, **more)
        return real(*words, **more)

    os.open = until_there
    race.serve(folder, style)
    return 0


if __name__ == "__main__":
    sys.exit(_patiently(*sys.argv[2:]) if sys.argv[1] == "serve" else _serve(sys.argv[1]))
