"""The plan and the status of a target, from passes on the simulators."""

from __future__ import annotations

from dataclasses import replace

from confmig.reports.passes import pass_json, pass_text
from confmig.reports.plan import plan_json, plan_text
from confmig.reports.status import status_json, status_text
from tests.core.builders import manifest, migration
from tests.simulators.bundle import document
from tests.simulators.workspace import Simulated

LATER = manifest(migration(1), migration(2, "post_deploy"))


def world() -> Simulated:
    one = Simulated(LATER)
    for name, version in (("a", 0), ("b", 2), ("c", 9)):
        one.disk.put(f"app/{name}.yaml", document(version))
    one.space.conduct.everything = True
    return one


def test_a_plan_counts_documents_and_says_what_waits() -> None:
    made = world()
    result = made.run()
    text = plan_text(result.view)
    assert "3 documents (1 at version 1, 1 at version 2, 1 at version 9)" in text
    assert "app/c.yaml: version 9 is newer than the bundle's 2 [document_newer]" in text
    assert "0002_m" in text
    data = plan_json(result.view)
    assert [d["path"] for d in data["documents"]] == ["app/a.yaml", "app/b.yaml", "app/c.yaml"]
    assert [p["reason"] for p in data["pending"]] == ["policy_missing"]


def test_a_pass_says_what_it_did() -> None:
    result = world().run()
    assert "committed 0001_m [online]: 1 file" in pass_text(result)
    data = pass_json(result)
    assert [t["outcome"] for t in data["transactions"]] == ["committed"]
    assert data["exit_code"] == result.exit_code


def test_a_status_has_what_is_applied_and_the_last_checkpoint() -> None:
    made = world()
    view = replace(made.run().view, leftovers=("app/.confmig-x-0",))
    data = status_json(view, made.store, delivery=False)
    assert [a["id"] for a in data["applied"]] == ["0001_m"]
    assert data["last_checkpoint"]["status"] == "applied"
    assert data["partial_failure"]["active"] is False
    text = status_text(data)
    assert "left over by a lost state: app/.confmig-x-0" in text
