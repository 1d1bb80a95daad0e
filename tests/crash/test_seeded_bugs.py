"""Six bugs on purpose, each of which at least one harness must catch.

Each is run against the cheapest harness that can catch it. With `power` the buggy engine is only
recorded; what runs in the states is the right one, so that what is found was lost by the recorded
run and is not a second effect of the same bug.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from confmig.transactions.file_exchange import FileExchange
from tests.crash.harness import power, race, seeded
from tests.crash.harness.scenario import Document, Migration, Spec

SEEDED = Path(seeded.__file__)
SMALL = Spec(
    documents=(Document("a.yaml", "schema_version: 0\nserver: {port: 1}\n", 0o640),),
    migrations=(Migration("0001_set", ({"set": {"path": "feature", "value": True}},)),),
)
SAMPLE = replace(power.EXTREMES, start=".confmig-")
BY_POWER = {
    "no file fsync": "is torn",
    "no directory fsync": "the state is ahead",
    "state before exchange": "the state is ahead",
    "in-place write": "is torn",
    "no fsync before DONE": "left in the config",
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("bug", BY_POWER)
def test_the_power_harness_catches(bug: str, tmp_path: Path) -> None:
    """All kept and all lost, from the first staged file on, is enough for each."""
    command = (sys.executable, str(SEEDED), bug, "run", "--once", "--settings", "confmig.yaml")
    outcome = power.power(tmp_path, SMALL, sample=SAMPLE, command=command)
    problems = [problem for finding in outcome.findings for problem in finding.problems]
    assert any(BY_POWER[bug] in problem for problem in problems), str(outcome)
    print(f"\n{bug}: caught by power in {len(outcome.findings)} of {outcome.judged} states")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_same_sample_finds_nothing_without_a_bug(tmp_path: Path) -> None:
    outcome = power.power(tmp_path, SMALL, sample=SAMPLE)
    assert outcome.judged > 10
    assert not outcome.findings, str(outcome)


@pytest.mark.slow
def test_the_race_harness_catches_a_plain_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit between the look and the rename is nowhere afterwards."""
    monkeypatch.setattr(FileExchange, "swap_in", seeded._plain_rename)
    report = race.race(race.RENAME, 20_000, stop_at=1)
    assert report.lost, str(report)
    print(f"\nplain rename: caught by race in round {report.rounds}")


def test_every_bug_has_its_harness() -> None:
    assert {*BY_POWER, "plain rename"} == seeded.BUGS.keys()
