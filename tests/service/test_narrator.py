"""The lines of the daemon's log, from passes on the simulators."""

from __future__ import annotations

import pytest

from confmig.service.narrator import Narrator
from tests.core.builders import manifest, migration
from tests.simulators.bundle import document
from tests.simulators.steps import Killed
from tests.simulators.workspace import Simulated


def test_a_file_that_never_rests_is_one_line() -> None:
    world = Simulated(manifest(migration(1)))
    world.disk.put("app/a.yaml", document(0))

    def edit(number: int, name: str) -> None:
        if name == "exchange app/a.yaml":
            world.disk.put("app/a.yaml", document(0))

    world.steps.before = edit
    narrator = Narrator()
    lines = []
    for _ in range(4):
        result = world.run()
        assert [o.kind for o in result.outcomes] == ["drifted"] * 3
        lines += narrator.passed("app", result)
    assert len([line for line in lines if "[target_drifted]" in line]) == 1, lines


def test_a_document_that_failed_is_fine_again_once() -> None:
    world = Simulated(
        manifest(migration(1)), broken=frozenset(("0001_m",)), options={"atomic": "document"}
    )
    world.disk.put("app/a.yaml", document(0, x="bad"))
    narrator = Narrator()
    assert any("failed" in line for line in narrator.passed("app", world.run()))
    world.disk.put("app/a.yaml", document(0))
    lines = narrator.passed("app", world.run())
    assert len([line for line in lines if "fine again" in line]) == 1, lines


def test_a_partial_failure_of_many_files_is_one_line_that_names_the_edited_one() -> None:
    world = Simulated(manifest(migration(1)))
    names = [f"app/{n:02d}.yaml" for n in range(30)]
    for name in names:
        world.disk.put(name, document(0))
    done: list[str] = []

    def interrupt(number: int, name: str) -> None:
        if name.startswith("exchange") and done:
            world.disk.put("app/00.yaml", document(1, edited="1"))
            raise Killed
        done.extend([name] if name.startswith("exchange") else [])

    world.steps.before = interrupt
    with pytest.raises(Killed):
        world.run()
    world.steps.before = lambda number, name: None
    world.space = world.started()
    lines = Narrator().passed("app", world.run())
    [line] = [line for line in lines if "BLOCKED" in line]
    assert "app/00.yaml: has the new version and was edited after that" in line
    assert "and 10 more" in line
    assert len(line) < 2000
