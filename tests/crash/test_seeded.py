"""A bug that is put in on purpose must be caught by the kill sweep."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crash.harness import scenario, strace
from tests.crash.harness.scenario import Document, Migration, Spec
from tests.crash.harness.strace import Point
from tests.crash.harness.sweep import sweep

ENDS = frozenset(("renameat2", "unlink", "unlinkat"))
SEEDED = Path(__file__).with_name("harness") / "seeded.py"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_state_before_exchange_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the commit and the last exchange, the state tells of what is not on disk."""
    engine = (sys.executable, str(SEEDED), "run", "--once", "--settings", "confmig.yaml")
    monkeypatch.setattr(scenario.Scenario, "apply", property(lambda self: engine))
    every = strace.points

    def around(*args: Any, **kwargs: Any) -> list[Point]:
        """The calls that end a step: enough to land between the commit and the exchange."""
        return [p for p in every(*args, **kwargs) if p.syscall in ENDS]

    monkeypatch.setattr(strace, "points", around)
    spec = Spec(
        documents=(Document("a.yaml", "schema_version: 0\nserver: {port: 1}\n", 0o640),),
        migrations=(Migration("0001_set", ({"set": {"path": "feature", "value": True}},)),),
    )
    report = sweep(tmp_path / "sweep", spec)
    assert "renameat2" in {point.syscall for point in report.points}
    problems = [p for f in report.findings for p in f.problems]
    assert not [p for p in problems if p.startswith("vacuous")]
    assert any("the state is ahead" in p for p in problems), str(report)
    assert any("which is not on disk" in p for p in problems), str(report)
