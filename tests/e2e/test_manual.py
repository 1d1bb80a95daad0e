"""A migration that asks a person holds itself, and nothing before it."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.world import FREE, Step, World, document, write_bundle

STEPS = (
    Step("0001_listen", ({"move": {"from": "server.port", "to": "listen.port"}},)),
    Step("0002_choice", ({"set": {"path": "feature", "value": True}}, {"manual": "choose one"})),
)


def test_what_comes_before_a_decision_is_applied(tmp_path: Path) -> None:
    world = World(
        tmp_path / "w",
        bundle=write_bundle(tmp_path / "bundle", STEPS),
        policy=FREE,
        documents={"a.yaml": document()},
    )
    for _ in range(2):
        world.once()
    assert world.version("a.yaml") == 1
    found = [e["attributes"] for e in world.events("config.migration.failed")]
    assert {e["config.migration.id"] for e in found} == {"0002_choice"}
    assert {e["error.type"] for e in found} == {"manual_decision"}
    status = world.run("status")
    assert "0002_choice" in status.out
    assert "operation 2 (manual)" in status.out
