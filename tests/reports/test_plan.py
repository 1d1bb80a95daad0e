"""The plan and the status of a target, from passes on the simulators."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from confmig.core.policy.model import read
from confmig.reports.dry_run import markdown
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


def test_times_are_shown_in_the_zone_of_the_policy() -> None:
    made = world()
    view = made.run().view
    [later] = [o for o in view.outlook if o.standing.migration.id == "0002_m"]
    opens = replace(later.decision, retry_at=datetime(2026, 11, 28, 23, 30, tzinfo=UTC))
    zone = read({"timezone": "Europe/Berlin"}, "policy.yaml")
    text = plan_text(replace(view, outlook=(replace(later, decision=opens),), policy=zone))
    assert "2026-11-29 00:30 CET (2026-11-28 23:30 UTC)" in text


def test_a_dry_run_shows_an_error_and_its_help_on_lines_of_their_own() -> None:
    document = {"path": "a\nb.yaml", "action": "error", "error": "no\x1b [x]\n  help: y"}
    entry = {"id": "0001_m", "class": "online", "status": "error", "gate": None}
    report = {
        "target": "app",
        "totals": dict.fromkeys(
            ("plan_size", "already_applied", "pending", "would_change_files", "errors"), 1
        ),
        "migrations": [{**entry, "documents": [document]}],
    }
    lines = markdown({"targets": [report]}).split("\n")
    at = lines.index("### 0001_m: a\\nb.yaml: error")
    assert lines[at + 2 : at + 4] == ["no\\x1b [x]", "  help: y"]


def test_a_hold_of_an_older_state_is_escaped() -> None:
    made = world()
    data = status_json(made.run().view, made.store, delivery=False)
    data["holds"] = [{"id": "0001_m", "reason": "x", "since": "", "detail": "a\x1b[2J\n  help: b"}]
    assert "held: 0001_m (x): a\\x1b[2J\n  help: b\n" in status_text(data)


def test_a_status_has_what_is_applied_and_the_last_checkpoint() -> None:
    made = world()
    view = replace(made.run().view, leftovers=("app/.confmig-x-0",))
    data = status_json(view, made.store, delivery=False)
    assert [a["id"] for a in data["applied"]] == ["0001_m"]
    assert data["last_checkpoint"]["status"] == "applied"
    assert data["partial_failure"]["active"] is False
    text = status_text(data)
    assert "left over by a lost state: app/.confmig-x-0" in text
