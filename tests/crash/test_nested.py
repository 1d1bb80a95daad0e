"""Killed inside recovery, confmig keeps its promises (the `nested` harness).

The fast form takes a sample; `CONFMIG_CRASH_FULL=1` (`make crash-full`) takes every write of every
recovery from every state that a kill of the apply can leave.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.crash.harness import fork, scenario, strace, sweep
from tests.crash.harness.nested import Start, nested, sample
from tests.crash.harness.scenario import Document, Migration, Spec
from tests.crash.harness.strace import Point

FULL = os.environ.get("CONFMIG_CRASH_FULL") == "1"
FLOOR = 1000 if FULL else 150  # second kills; fewer means that the sample is broken

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed"
    ),
]

SMALL = Spec(
    documents=(
        Document("a.yaml", "schema_version: 0\nserver: {port: 1}\n", 0o640),
        Document("b.yaml", "schema_version: 0\nserver: {port: 2}\n", 0o600),
    ),
    migrations=(Migration("0001_set", ({"set": {"path": "feature", "value": True}},)),),
)


def test_killed_inside_recovery_and_run_again(tmp_path: Path) -> None:
    report = nested(tmp_path, full=FULL)
    print(report)
    assert report.points >= FLOOR
    left = {(one.start.phase, one.start.new) for one in report.swept}
    # Something of each phase, and targets that were not, partly and all exchanged.
    assert {phase for phase, _ in left} >= {"STAGING", "PREPARED", "COMMITTED"}
    assert {new for phase, new in left if phase == "PREPARED"} == {0, 1, 2, 3}
    assert not report.findings, str(report)


@pytest.mark.parametrize(
    ("seed", "phase", "expected"),
    [
        ("temporaries first", "PREPARED", "is torn"),
        ("state first", "PREPARED", "the state is ahead"),
        ("settled first", "STAGING", "left in the config"),
    ],
)
def test_a_recovery_that_only_a_kill_can_break_is_caught(
    tmp_path: Path, seed: str, phase: str, expected: str
) -> None:
    """From half-way targets, or from a staging; undisturbed, each of these recoveries is right."""

    def only(start: Start) -> bool:
        return start.phase == phase and start.new == (1 if phase == "PREPARED" else 0)

    report = nested(tmp_path, SMALL, most=24, only=only, seed=seed)
    problems = [problem for finding in report.findings for problem in finding.problems]
    assert any(expected in problem for problem in problems), str(report)
    assert not [problem for problem in problems if problem.startswith("vacuous")]


def test_calls_have_the_same_numbers_in_every_fork(tmp_path: Path) -> None:
    shared = sweep.prepare(tmp_path, SMALL)
    with fork.pool(shared, 2) as pool:

        def listed(server: fork.Forks, number: int) -> list[tuple[str, int]]:
            world = scenario.copy(shared.template, shared.workdir / f"list{number:02d}")
            return [(point.syscall, point.nth) for point in server.points(world)]

        first, *others = pool.map(listed, range(8))
    assert len(first) > 40
    assert all(other == first for other in others)


def test_a_fork_makes_the_same_calls_as_a_fresh_process(tmp_path: Path) -> None:
    shared = sweep.prepare(tmp_path, SMALL)
    fresh = shared.probe
    forked = scenario.copy(shared.template, shared.workdir / "forke")
    expected = strace.points(fresh.apply, shared.env, fresh.roots, cwd=fresh.directory)
    with fork.pool(shared, 1) as pool:
        [found] = pool.map(lambda server, world: server.points(world), [forked])
    assert [
        (point.syscall, strace.places(point.line, forked.roots, cwd=forked.directory))
        for point in found
    ] == [
        (point.syscall, strace.places(point.line, fresh.roots, cwd=fresh.directory))
        for point in expected
    ]


def test_a_sample_keeps_the_configuration_and_both_ends_of_a_row(tmp_path: Path) -> None:
    world = scenario.Scenario(Path("/w"), SMALL)
    lines = [
        *["1 pwrite64(5</w/state/state.db-wal>, 1) = 1"] * 9,
        '1 unlinkat(6</w/config>, ".confmig-1", 0) = 0',
        "1 fsync(6</w/config>) = 0",
        *["1 pwrite64(4</w/state/state.db>, 1) = 1"] * 9,
    ]
    points = [Point("?", number, line) for number, line in enumerate(lines)]
    assert [point.nth for point in sample(points, world, 30)] == [0, 8, 9, 10, 11, 19]
    assert [point.nth for point in sample(points, world, 3)] == [0, 9, 10]
