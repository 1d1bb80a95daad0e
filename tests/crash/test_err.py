"""An error at every call of an apply, and confmig keeps its promises (the `err` harness).

One sweep, one test for each promise. The fast form injects ENOSPC and EIO, and of SQLite's rows of
page writes takes the first and the last; `CONFMIG_CRASH_FULL=1` (`make crash-full`) injects all
four errors everywhere.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.crash.harness import err as harness
from tests.crash.harness.err import ERRORS, Report, err, explained
from tests.crash.harness.scenario import Document, Migration, Spec
from tests.crash.harness.strace import Point

FULL = os.environ.get("CONFMIG_CRASH_FULL") == "1"
FLOOR = 60  # points; fewer means that the filter is broken, not that confmig calls less

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed"
    ),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    found = err(
        tmp_path_factory.mktemp("err"), errors=ERRORS if FULL else ("ENOSPC", "EIO"), full=FULL
    )
    print(found)
    return found


def _kept(report: Report, promise: str) -> None:
    broken = report.of(promise)
    if broken:
        pytest.fail(f"{len(broken)} times broken:\n{explained(broken)}", pytrace=False)


def test_the_points_are_all_met_and_not_few(report: Report) -> None:
    assert len(report.points) >= FLOOR
    assert {"write", "renameat2", "unlinkat"} <= {point.syscall for point in report.points}
    _kept(report, harness.VACUOUS)


def test_every_error_is_named_with_a_documented_exit_code_and_says_what_to_do(
    report: Report,
) -> None:
    _kept(report, harness.NAMED)


def test_after_an_error_no_target_is_torn_and_the_state_does_not_lead(report: Report) -> None:
    _kept(report, harness.WHOLE)


def test_a_failed_sync_is_not_tried_again_by_the_same_process(report: Report) -> None:
    _kept(report, harness.ONCE)


def test_a_failed_sync_of_the_database_is_not_tried_again_when_it_is_closed(
    report: Report,
) -> None:
    _kept(report, harness.SQLITE)


def test_the_next_run_after_an_error_migrates_everything(report: Report) -> None:
    _kept(report, harness.ENDED)


def test_the_run_after_that_changes_nothing(report: Report) -> None:
    _kept(report, harness.IDLE)


# --- the harness can fail -------------------------------------------------------------------

SMALL = Spec(
    documents=(
        Document("a.yaml", "schema_version: 0\nserver: {port: 1}\n", 0o640),
        Document("b.yaml", "schema_version: 0\nserver: {port: 2}\n", 0o600),
    ),
    migrations=(Migration("0001_set", ({"set": {"path": "feature", "value": True}},)),),
)


def _seeded(tmp_path: Path, seed: str, *calls: str) -> Report:
    """The sweep of an engine with a bug, with EIO at calls of some names."""

    def only(point: Point) -> bool:
        return point.syscall in calls

    found = err(tmp_path, SMALL, errors=("EIO",), only=only, seed=seed)
    assert not found.of(harness.VACUOUS), str(found)
    return found


def test_errors_that_are_ignored_are_caught(tmp_path: Path) -> None:
    """Done is recorded, but nobody knows what is durable, and a temporary is there for ever."""
    found = _seeded(tmp_path, "errors ignored", "fsync", "unlinkat")
    said = [problem.said for problem in found.of(harness.NAMED)]
    assert "ended with 0 although a file of our own could not be synced" in said
    assert any("left in the config" in one for one in said), str(found)
    assert any("left in the config" in one.said for one in found.of(harness.ENDED)), str(found)


def test_a_sync_that_is_tried_again_is_caught(tmp_path: Path) -> None:
    found = _seeded(tmp_path, "sync again", "fsync")
    assert {problem.point for problem in found.of(harness.ONCE)} == set(found.points), str(found)


def test_an_undo_that_leaves_the_targets_mixed_is_caught(tmp_path: Path) -> None:
    found = _seeded(tmp_path, "not undone", "renameat2")
    assert any("nothing is open" in one.said for one in found.of(harness.WHOLE)), str(found)
