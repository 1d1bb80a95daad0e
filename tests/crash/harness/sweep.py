"""The kill sweep: one apply is killed before each of its writes, repeated, and judged.

For every point: a fresh copy of the scenario, the apply killed there, the promises that hold
without repair, the same command again, the promises that hold with it, the same command a third
time, nothing changed. What is new is known from one undisturbed run of another copy, which is
judged first: if that fails there is no use in killing anything.

A point that was not met proves nothing, so it is a failure ("vacuous") and not a pass. It counts
as met if the run died of SIGKILL *and* the call it died at writes in the same directories as the
call that was listed. The two could differ if the numbering of calls were not the same in every
run; that it is takes the fixed hash seed and the private byte code of `scenario.environment`.

One point costs one traced start of Python and two plain ones; two points run at a time.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.harness import promises, scenario, strace
from tests.crash.harness.promises import Image
from tests.crash.harness.scenario import Scenario, Spec
from tests.crash.harness.strace import Point

KILL = "signal=SIGKILL"


@dataclass(frozen=True, slots=True)
class Finding:
    """What went wrong at one point."""

    point: Point
    problems: tuple[str, ...]
    kept: Path

    def __str__(self) -> str:
        lines = [f"{self.point}  {self.point.line}", *(f"    {one}" for one in self.problems)]
        return "\n".join([*lines, f"    kept: {self.kept}"])


@dataclass(frozen=True, slots=True)
class Report:
    """The points of one sweep and the findings at them."""

    points: tuple[Point, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        calls = Counter(point.syscall for point in self.points)
        head = (
            f"{len(self.points)} points ({', '.join(f'{n} {s}' for s, n in calls.most_common())}), "
            f"{len(self.findings)} with violations"
        )
        return "\n".join([head, *(str(finding) for finding in self.findings)])


@dataclass(frozen=True, slots=True)
class Sweep:
    """What every run of a sweep shares."""

    template: Scenario
    workdir: Path
    env: Mapping[str, str]
    old: Mapping[str, Image]
    new: Mapping[str, Image]
    probe: Scenario
    others: Mapping[str, Image] = field(default_factory=dict)

    @property
    def migrations(self) -> tuple[str, ...]:
        return tuple(migration.id for migration in self.template.spec.migrations)


def sweep(workdir: Path, spec: Spec | None = None, *, jobs: int = 2) -> Report:
    """Kill at every point below `workdir`, an empty directory; AssertionError if none can be."""
    shared = prepare(workdir, spec)
    probe = shared.probe
    found = strace.points(probe.apply, shared.env, probe.roots, cwd=probe.directory)
    with ThreadPoolExecutor(jobs) as pool:
        findings = pool.map(lambda job: _one(shared, *job), enumerate(found))
        return Report(tuple(found), tuple(finding for finding in findings if finding is not None))


def prepare(workdir: Path, spec: Spec | None = None) -> Sweep:
    """Build the template and know from an undisturbed run what is new; the probe is not run yet.

    AssertionError if even the undisturbed run does not keep the promises.
    """
    workdir = workdir.resolve()
    pycache = workdir / "pycache"
    warm = scenario.environment(pycache, warm=True)
    env = scenario.environment(pycache)
    template = scenario.build(workdir / "tmpl0", warm, spec)
    reference = scenario.copy(template, workdir / "ref00")
    probe = scenario.copy(template, workdir / "probe")
    old = promises.images(template.config)

    code, said = reference.run(warm)
    assert code == 0, f"the undisturbed run ended with {code}: {said}"
    new = promises.images(reference.config)
    for name, image in new.items():
        version = promises.stamp(image.content)
        assert version == template.spec.version, f"undisturbed, {name} is at {version}"
        assert image.content != old[name].content
    shared = Sweep(template, workdir, env, old, new, probe, promises.others(template.config))
    undisturbed = promises.after_the_run(reference.config, reference.state, new, shared.migrations)
    undisturbed += promises.untouched(shared.others, reference.config)
    undisturbed += _once_more(shared, reference)
    assert not undisturbed, "without any kill:\n" + "\n".join(undisturbed)
    return shared


def _one(shared: Sweep, number: int, point: Point) -> Finding | None:
    """One point, from copy to verdict. The copy stays if something is wrong with it."""
    run = scenario.copy(shared.template, shared.workdir / f"k{number:04d}")
    try:
        problems = _judged(shared, run, point)
    except subprocess.TimeoutExpired as error:
        problems = [str(error)]
    if problems:
        return Finding(point, tuple(problems), run.directory)
    shutil.rmtree(run.directory)
    run.directory.with_name(run.directory.name + ".strace").unlink()
    return None


def _judged(shared: Sweep, run: Scenario, point: Point) -> list[str]:
    outcome = strace.run_injected(run.apply, point, KILL, shared.env, cwd=run.directory)
    if outcome.returncode not in (-9, 137):
        return [f"vacuous: ended with {outcome.returncode}, not killed: {outcome.stderr[-500:]}"]
    probe = shared.probe
    meant = strace.places(point.line, probe.roots, cwd=probe.directory)
    if outcome.hit is None or (strace.places(outcome.hit, run.roots, cwd=run.directory) != meant):
        return [f"vacuous: killed elsewhere, at {outcome.hit}"]
    problems = promises.after_the_kill(
        run.config, run.state, shared.old, shared.new, shared.migrations
    )
    problems += promises.untouched(shared.others, run.config)
    code, said = run.run(shared.env)
    if code != 0:
        problems.append(f"the run after the kill ended with {code}: {said}")
    problems += promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
    return problems + _once_more(shared, run)


def _once_more(shared: Sweep, run: Scenario) -> list[str]:
    """A run with nothing to do does nothing."""
    before = promises.fingerprint(run.config, run.state)
    code, said = run.run(shared.env)
    problems = [] if code == 0 else [f"the run with nothing to do ended with {code}: {said}"]
    return problems + promises.changed(before, promises.fingerprint(run.config, run.state))
