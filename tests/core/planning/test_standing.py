"""The reasons against a migration that hold whatever the policy says, as a table."""

from __future__ import annotations

import pytest

from confmig.core.planning.facts import DocumentFact, observation
from confmig.core.planning.holds import Hold
from confmig.core.planning.standing import TargetFacts, outlook, standing_reasons
from confmig.core.policy import model
from tests.core.builders import manifest, migration, utc

THREE = manifest(migration(1), migration(2), migration(3, "post_deploy"))
NOW = utc("2026-11-28 00:00")


def held(name: str, reason: str, key: str = "now") -> dict[str, Hold]:
    return {name: Hold(name, reason, key, "", "")}


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        (TargetFacts("app"), ((), (), ())),
        (TargetFacts("app", ("outbox_full",)), (("outbox_full",),) * 3),
        (
            TargetFacts("app", holds=held("0002_m", "document_failed"), key="now"),
            ((), ("document_failed",), ("dependency_failed",)),
        ),
        (
            TargetFacts("app", holds=held("0002_m", "document_failed"), key="other"),
            ((), (), ()),
        ),
        (
            TargetFacts("app", holds=held("0002_m", "document_failed"), key="now", stop_all=False),
            ((), ("document_failed",), ()),
        ),
        (
            TargetFacts("app", holds=held("0001_m", "rolled_back"), key="other"),
            (("rolled_back",), (), ()),
        ),
        # a migration that is not in the bundle any more stops nothing
        (TargetFacts("app", holds=held("0009_x", "document_failed"), key="now"), ((), (), ())),
    ],
)
def test_what_stands_against_each_migration(
    facts: TargetFacts, reasons: tuple[tuple[str, ...], ...]
) -> None:
    found = tuple(standing_reasons(THREE, m, facts) for m in THREE.migrations)
    assert found == reasons


def test_an_outlook_adds_what_the_policy_says() -> None:
    seen = observation(THREE, [DocumentFact("app", "a.yaml", 0, "d")])
    facts = TargetFacts("app", holds=held("0001_m", "rolled_back"))
    found = outlook(THREE, seen, model.MISSING, facts, NOW)
    assert [o.decision.primary for o in found] == [
        "rolled_back",
        "dependency_pending",
        "policy_missing",
    ]
