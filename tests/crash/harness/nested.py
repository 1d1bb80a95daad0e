"""Killed inside recovery: the `nested` harness.

First kills: the apply is killed at its calls, and of the worlds this leaves those are kept in which
a transaction is open, one of each kind. A kind is what recovery can see: the phase, how many
targets are new, whether temporaries are there. (In a full sweep: the content of every file.) The
sequence of calls that led there plays no part, so the protocol may change its details.

Second kills: from each kept world the next run is listed and then killed before its writes. After
each of them the promises that hold without repair; after one more run all promises; a run after
that changes nothing. What the second run does after it has settled the old transaction (planning
again, when it was aborted) is killed as well: it is the same run.

A transaction records paths, so a world is judged in the place where it was made: it is put back
there from a copy before each second kill.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.harness import fork, promises, scenario, strace, sweep
from tests.crash.harness.fork import Forks, Pool
from tests.crash.harness.scenario import Scenario, Spec
from tests.crash.harness.strace import Point
from tests.crash.harness.sweep import KILL, Finding, Sweep


@dataclass(frozen=True, slots=True)
class Start:
    """A world that a first kill left, with a transaction open in it. `copied` is its copy."""

    point: Point
    kind: tuple[object, ...]
    world: Scenario
    copied: Scenario
    phase: str
    new: int

    def __str__(self) -> str:
        return f"{self.phase} with {self.new} new, left at {self.point}"


@dataclass(frozen=True, slots=True)
class Swept:
    """One start, the second kills that were made from it and what was found."""

    start: Start
    points: tuple[Point, ...]
    listed: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All starts."""

    swept: tuple[Swept, ...]
    first_kills: int
    seconds: float

    @property
    def points(self) -> int:
        return sum(len(one.points) for one in self.swept)

    @property
    def findings(self) -> list[Finding]:
        return [finding for one in self.swept for finding in one.findings]

    def __str__(self) -> str:
        head = (
            f"nested: {self.first_kills} first kills left {len(self.swept)} kinds of states, "
            f"{self.points} second kills of {sum(one.listed for one in self.swept)} listed, "
            f"{len(self.findings)} with violations, {self.seconds:.0f} s"
        )
        lines = [head]
        for one in self.swept:
            calls = Counter(point.syscall for point in one.points)
            shown = ", ".join(f"{n} {s}" for s, n in calls.most_common())
            lines.append(f"  {one.start}: {len(one.points)} of {one.listed} ({shown})")
            lines += [str(finding) for finding in one.findings]
        return "\n".join(lines)


def nested(
    workdir: Path,
    spec: Spec | None = None,
    *,
    full: bool = False,
    most: int = 36,
    only: Callable[[Start], bool] = lambda start: True,
    jobs: int = 2,
    seed: str = "",
) -> Report:
    """Sweep below `workdir`, an empty directory. Not `full`: at most about `most` a start.

    `only` may leave out starts.
    """
    began = time.monotonic()
    shared = sweep.prepare(workdir, spec)
    with fork.pool(shared, jobs, seed) as pool:
        starts, killed = _starts(shared, pool, full)
        chosen = [start for start in starts if only(start)]
        swept = pool.map(lambda server, one: _from(server, shared, one, full, most), chosen)
    return Report(tuple(swept), killed, time.monotonic() - began)


# --- the first kill -------------------------------------------------------------------------


def _starts(shared: Sweep, pool: Pool, full: bool) -> tuple[list[Start], int]:
    probe = shared.probe
    [listed] = pool.map(lambda server, world: server.points(world), [probe])
    # Without `full` only the calls in the configuration: they are what moves a world on.
    chosen = [p for p in listed if full or _in_config(p, probe)]
    left = pool.map(lambda server, job: _first(server, shared, full, *job), list(enumerate(chosen)))
    starts: dict[tuple[object, ...], Start] = {}
    for one in left:
        if one is None:
            continue
        if one.kind in starts:
            shutil.rmtree(one.world.directory)
        else:
            starts[one.kind] = one
    # The longest ones first, so that no server waits long for the last one.
    return sorted(starts.values(), key=lambda one: (one.new, one.phase)), len(chosen)


def _first(server: Forks, shared: Sweep, full: bool, number: int, point: Point) -> Start | None:
    """The world a kill at `point` leaves, None if no transaction is open in it."""
    world = scenario.copy(shared.template, shared.workdir / f"k{number:04d}")
    outcome = server.injected(world, point, KILL)
    assert outcome.returncode == -9, f"vacuous: {point} ended with {outcome.returncode}"
    told = promises.read_state(world.state)
    if not told.unsettled:
        shutil.rmtree(world.directory)
        return None
    now = promises.images(world.config)
    new = sum(now[name].content == image.content for name, image in shared.new.items())
    phase = ", ".join(told.unsettled.values())
    files = _content(world.config)
    temporaries = files.keys() - now.keys()
    if full:
        # Names of temporaries hold the id of the transaction; what follows it tells them apart.
        seen = sorted((name.rpartition("-")[2], content) for name, content in files.items())
        kind: tuple[object, ...] = (phase, *seen)
    else:
        kind = (phase, new, bool(temporaries))
    copied = Scenario(world.directory.with_name(f"c{number:04d}"), world.spec)
    return Start(point, kind, world, copied, phase, new)


def _content(config: Path) -> dict[str, bytes]:
    files = (Path(directory) / name for directory, _, names in os.walk(config) for name in names)
    return {str(file.relative_to(config)): file.read_bytes() for file in files}


# --- the second kill ------------------------------------------------------------------------


def _from(server: Forks, shared: Sweep, start: Start, full: bool, most: int) -> Swept:
    scenario.copy(start.world, start.copied.directory)
    listed = server.points(start.world)
    chosen = listed if full else sample(listed, start.world, most)
    findings = []
    for number, point in enumerate(chosen):
        shutil.rmtree(start.world.directory)
        scenario.copy(start.copied, start.world.directory)
        problems = _judged(server, shared, start.world, point)
        if problems:
            kept = start.world.directory.with_name(f"{start.world.directory.name}-{number:04d}")
            shutil.copytree(start.world.directory, kept)
            findings.append(Finding(point, tuple(problems), kept))
    return Swept(start, tuple(chosen), len(listed), tuple(findings))


def _judged(server: Forks, shared: Sweep, world: Scenario, point: Point) -> list[str]:
    outcome = server.injected(world, point, KILL)
    if outcome.returncode != -9:
        return [f"vacuous: ended with {outcome.returncode}, not killed: {outcome.stderr[-500:]}"]
    meant = strace.places(point.line, world.roots, cwd=world.directory)
    if outcome.hit is None or strace.places(outcome.hit, world.roots, cwd=world.directory) != meant:
        return [f"vacuous: killed elsewhere, at {outcome.hit}"]
    problems = promises.after_the_kill(
        world.config, world.state, shared.old, shared.new, shared.migrations
    )
    problems += promises.untouched(shared.others, world.config)
    code, said = server.run(world)
    if code != 0:
        problems.append(f"the run after the second kill ended with {code}: {said}")
    problems += promises.after_the_run(world.config, world.state, shared.new, shared.migrations)
    problems += promises.untouched(shared.others, world.config)
    return problems + server.idle(world)


def sample(listed: Sequence[Point], world: Scenario, most: int) -> list[Point]:
    """At most about `most` of the points, always the same ones, in order.

    All in the configuration, if there are not more of them; else evenly from these. Of the others
    evenly, where of equal calls in a row on one file (SQLite writing pages) the first and the last
    stand for all.
    """
    inside = [point for point in listed if _in_config(point, world)]
    others = [p for p in strace.ends(listed, cwd=world.directory) if not _in_config(p, world)]
    inside = _evenly(inside, (2 * most) // 3)
    chosen = {*inside, *_evenly(others, most - len(inside))}
    return [point for point in listed if point in chosen]


def _evenly(points: Sequence[Point], most: int) -> list[Point]:
    if len(points) <= most:
        return list(points)
    return [points[(index * len(points)) // most] for index in range(most)]


def _in_config(point: Point, world: Scenario) -> bool:
    found = strace.places(point.line, world.roots, cwd=world.directory)
    return any(place.startswith("0:") for place in found)
