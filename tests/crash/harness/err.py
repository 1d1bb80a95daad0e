"""An error at every call: the `err` harness.

One apply is run again and again, and each time another of its calls below the configuration and
the state fails with ENOSPC, EIO, EDQUOT or EROFS: what writes, makes durable, renames or removes,
and `openat2`, which reads what decides. Then, for each:

- `named`: it ended with an exit code of the table in `errors.py`, not as a bug, and said a named
  error and what to do next. Or it ended with 0, and then everything is done all the same; a failed
  sync of a file of our own cannot end with 0, as nobody knows then what is durable.
- `whole`: no target is torn, the state is not ahead, and with nothing open the targets are all old
  or all new.
- `once`: a file that could not be synced is not synced again by this process. The kernel may have
  dropped the pages; a second sync that succeeds proves nothing. `sqlite`: nor is the database, its
  log or its directory, which SQLite may do when it rolls back or closes.
- `ended`: the next run, undisturbed, ends with 0 and everything is migrated, told once, with
  nothing left over.
- `idle`: the run after that changes nothing.

An error injected by strace replaces its call: the call is not made. So a failed sync leaves the
data where they were, which is the kind side of the truth; the `power` harness plays the other.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.harness import fork, promises, scenario, strace, sweep
from tests.crash.harness.fork import Forks
from tests.crash.harness.scenario import Scenario, Spec
from tests.crash.harness.strace import Point
from tests.crash.harness.sweep import Sweep

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
READING = frozenset(("EIO",))  # what an open for reading can end with, too
NAMED, WHOLE, ONCE, SQLITE = "named", "whole", "once", "sqlite"
ENDED, IDLE, VACUOUS = "ended", "idle", "vacuous"

# Written down here and not imported: the table is a promise to scripts, and this is one.
DOCUMENTED = frozenset((1, 2, 3, 4, 5, 6, 7))
SYNCS = ("fsync", "fdatasync", "syncfs", "sync_file_range")

_CODE = re.compile(r"\[[a-z]+(_[a-z]+)+\]")
_NEXT = re.compile(r"^ *help: \S|`?confmig [a-z]+ ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken promise at one point."""

    promise: str
    point: Point
    error: str
    said: str
    kept: Path


@dataclass(frozen=True, slots=True)
class Report:
    """All points with all their errors."""

    points: tuple[Point, ...]
    errors: tuple[str, ...]
    injected: int
    codes: Counter[int]
    problems: tuple[Problem, ...]
    seconds: float

    def of(self, promise: str) -> list[Problem]:
        """What broke one promise."""
        return [problem for problem in self.problems if problem.promise == promise]

    def __str__(self) -> str:
        calls = Counter(point.syscall for point in self.points)
        ends = ", ".join(f"{n} with {code}" for code, n in sorted(self.codes.items()))
        bad = {(one.point, one.error) for one in self.problems}
        head = (
            f"err: {len(self.points)} points ({', '.join(f'{n} {s}' for s, n in calls.items())}), "
            f"{self.injected} injected ({', '.join(self.errors)}; {ends}), "
            f"{len(bad)} with violations, {self.seconds:.0f} s"
        )
        return "\n".join([head, explained(self.problems)])


def explained(problems: Sequence[Problem]) -> str:
    """The problems; those that differ in the point only are shown once, with all their points."""
    alike: defaultdict[tuple[str, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        alike[problem.promise, _general(problem)].append(problem)
    lines = []
    for (promise, said), ones in sorted(alike.items()):
        first = ones[0]
        lines.append(f"  {promise}, {len(ones)} times: {said}")
        lines.append(f"    first: {first.error} at {first.point}  {first.point.line[:200]}")
        lines.append(f"    kept: {first.kept}")
        if len(ones) > 1:
            also = ", ".join(f"{one.error}@{one.point}" for one in ones[1:40])
            lines.append(f"    also: {also}")
    return "\n".join(lines)


def _general(problem: Problem) -> str:
    """What was said, without what differs from run to run."""
    said = problem.said.replace(str(problem.kept), "<run>")
    return re.sub(r"[0-9a-f]{20,}", "<id>", re.sub(r"\d+\.\d+ s", "<t> s", said))


def err(
    workdir: Path,
    spec: Spec | None = None,
    *,
    errors: Sequence[str] = ERRORS,
    full: bool = False,
    only: Callable[[Point], bool] = lambda point: True,
    jobs: int = 2,
    seed: str = "",
) -> Report:
    """Inject each of `errors` at every point, or `only` at some. `workdir` must be empty.

    Not `full`: of equal calls in a row on one file the first and the last stand for all.
    """
    began = time.monotonic()
    shared = sweep.prepare(workdir, spec)
    with fork.pool(shared, jobs, seed) as pool:
        [listed] = pool.map(lambda server, world: server.points(world, opens=True), [shared.probe])
        ends = listed if full else strace.ends(listed, cwd=shared.probe.directory)
        chosen = tuple(point for point in ends if only(point))
        work = [
            (point, error)
            for point in chosen
            for error in errors
            if error in READING or point.syscall != "openat2" or "O_CREAT" in point.line
        ]
        ended = pool.map(lambda server, job: _one(server, shared, *job), list(enumerate(work)))
    codes = Counter(code for code, _ in ended)
    problems = tuple(problem for _, found in ended for problem in found)
    seconds = time.monotonic() - began
    return Report(chosen, tuple(errors), len(work), codes, problems, seconds)


def _one(
    server: Forks, shared: Sweep, number: int, what: tuple[Point, str]
) -> tuple[int, list[Problem]]:
    """One injection: the exit code and what is wrong. The copy stays if something is."""
    point, error = what
    run = scenario.copy(shared.template, shared.workdir / f"e{number:04d}")
    outcome = server.injected(run, point, f"error={error}", also=SYNCS)
    probe = shared.probe
    meant = strace.places(point.line, probe.roots, cwd=probe.directory, opens=True)
    met = outcome.hit or ""
    if strace.places(met, run.roots, cwd=run.directory, opens=True) != meant:
        found = [(VACUOUS, f"met {outcome.hit}")]
    elif f" {error} " not in met or "(INJECTED)" not in met:
        found = [(VACUOUS, f"nothing was injected: {met}")]
    else:
        found = _judged(server, shared, run, point, (outcome.returncode, outcome.stderr))
    if not found:
        shutil.rmtree(run.directory)
    kept = run.directory
    return outcome.returncode, [Problem(kind, point, error, said, kept) for kind, said in found]


def _judged(
    server: Forks, shared: Sweep, run: Scenario, point: Point, ended: tuple[int, str]
) -> list[tuple[str, str]]:
    found = [(NAMED, said) for said in _named(shared, run, point, *ended)]
    once = SQLITE if _sqlites(run, point) else ONCE
    found += [(once, said) for said in _again(run, point)]
    found += [(WHOLE, said) for said in _whole(shared, run)]
    code, said = server.run(run)
    if code != 0:
        # That nothing is migrated goes without saying; that nothing is lost does not.
        found.append((ENDED, f"the run after the error ended with {code}: {said}"))
        return found + [(WHOLE, said) for said in _whole(shared, run)]
    after = promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
    after += promises.untouched(shared.others, run.config)
    found += [(ENDED, said) for said in after]
    return found + [(IDLE, said) for said in server.idle(run)]


def _named(shared: Sweep, run: Scenario, point: Point, code: int, said: str) -> list[str]:
    bad = []
    if "Traceback" in said or "a bug:" in said:
        bad.append(f"ended like a bug: {said}")
    elif code == 0:
        bad += [
            f"ended with 0: {one}"
            for one in promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
        ]
        if point.syscall in SYNCS and not _sqlites(run, point):
            bad.append("ended with 0 although a file of our own could not be synced")
    elif code not in DOCUMENTED:
        bad.append(f"ended with {code}: {said}")
    else:
        if not _CODE.search(said):
            bad.append(f"ended with {code} and named no error: {said}")
        if not _NEXT.search(said):
            bad.append(f"ended with {code} and did not say what to do: {said}")
    return bad


def _sqlites(run: Scenario, point: Point) -> bool:
    """Whether SQLite synced it.

    It may ignore errors: of its directory, and of a checkpoint when it closes, after which the
    log still has everything.
    """
    return all(
        file.name.startswith(promises.DATABASE)
        or (file.name == run.state.name and point.syscall == "fdatasync")
        for file in strace.files(point.line, cwd=run.directory)
    )


def _again(run: Scenario, point: Point) -> list[str]:
    """Syncs of the file whose sync failed, later in the same process.

    Not of SQLite's directory, whose errors it ignores, nor of a database that is still being made:
    what is left of that is thrown away.
    """
    names = {file.name for file in strace.files(point.line, cwd=run.directory)}
    made = f"{promises.DATABASE}.new"
    if point.syscall not in SYNCS or any(name.startswith(made) for name in names):
        return []
    if point.syscall == "fdatasync" and names == {run.state.name}:
        return []
    failed: tuple[Path, ...] = ()
    again = []
    for name, nth, line in strace.numbered(strace.log_of(run.directory)):
        files = strace.files(line, cwd=run.directory)
        if (name, nth) == (point.syscall, point.nth):
            failed = files
        elif failed and name in SYNCS and files == failed:
            again.append(f"synced again after an error: {[file.name for file in files]}")
    return again[:1]


def _whole(shared: Sweep, run: Scenario) -> list[str]:
    bad = promises.after_the_kill(run.config, run.state, shared.old, shared.new, shared.migrations)
    bad += promises.untouched(shared.others, run.config)
    now = promises.images(run.config)
    new = [name for name, image in shared.new.items() if now.get(name) == image]
    if 0 < len(new) < len(shared.new) and not promises.read_state(run.state).unsettled:
        bad.append(f"some targets are new ({new}), some are not, and nothing is open")
    return bad
