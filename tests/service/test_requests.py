"""Requests, on the simulators: plain data in, plain data out."""

from __future__ import annotations

from typing import Any

import pytest

from confmig.errors import ConfmigError, Invalid, Problem
from confmig.service.requests.dispatch import answer, execute
from confmig_otel import events as ev
from tests.core.builders import manifest, migration
from tests.simulators.bundle import document
from tests.simulators.workspace import Simulated

TWO = manifest(migration(1), migration(2))


@pytest.fixture
def world() -> Simulated:
    one = Simulated(TWO)
    one.disk.put("app/a.yaml", document(0))
    one.disk.put("app/b.yaml", document(1))
    one.run()
    return one


def asked(world: Simulated, command: str, **words: Any) -> dict[str, Any]:
    return execute(world.space, {"command": command, "uid": 0, **words})


def refused(world: Simulated, command: str, **words: Any) -> str:
    with pytest.raises(ConfmigError) as caught:
        asked(world, command, **words)
    return caught.value.code


def test_a_rollback_gives_every_byte_back_and_holds_the_migrations(world: Simulated) -> None:
    done = asked(world, "rollback")
    assert done["how"] == {"app/a.yaml": "restored", "app/b.yaml": "restored"}
    assert world.disk.nodes["app/a.yaml"].data == document(0)
    assert world.disk.nodes["app/b.yaml"].data == document(1)
    assert set(world.store.holds.all("app")) == {"0001_m", "0002_m"}
    assert world.run().outcomes == ()
    assert asked(world, "retry", id="0001_m") == {"id": "0001_m", "target": "app"}
    asked(world, "retry", id="0002_m")
    assert [o.kind for o in world.run().outcomes] == ["committed"]


def test_a_rollback_of_a_rollback_brings_every_byte_back(world: Simulated) -> None:
    before = {path: node.data for path, node in world.disk.nodes.items()}
    undone = asked(world, "rollback")["transaction"]
    asked(world, "rollback", transaction=undone)
    assert {path: node.data for path, node in world.disk.nodes.items()} == before
    assert world.store.holds.all("app") == {}


def test_a_dry_run_of_a_rollback_changes_nothing(world: Simulated) -> None:
    done = len(world.steps.names)
    answered = asked(world, "rollback", dry_run=True)
    assert answered["diff"] == "diffdiff"
    assert world.steps.names[done:] == []


def test_an_edit_that_has_no_place_refuses_the_rollback_and_names_the_file(
    world: Simulated,
) -> None:
    world.disk.put("app/a.yaml", document(2, edited="1"))
    with pytest.raises(ConfmigError) as caught:
        asked(world, "rollback")
    assert caught.value.code == "rollback_conflict"
    assert caught.value.documents == ("app/a.yaml",)
    assert world.disk.nodes["app/b.yaml"].data.startswith(b"v=2\n")


def test_discarded_edits_are_kept(world: Simulated) -> None:
    world.disk.put("app/a.yaml", document(2, edited="1"))
    done = asked(world, "rollback", discard=True)
    assert done["how"]["app/a.yaml"] == "discarded"
    assert document(2, edited="1") in world.checkpoints.rescued.values()
    assert world.disk.nodes["app/a.yaml"].data == document(0)


def test_an_approval_is_recorded_with_its_event(world: Simulated) -> None:
    done = asked(world, "approve", id="0001_m", reason="CHG-1", ttl="1h")
    [approval] = world.store.approvals.unspent("app")
    assert approval.id == done["approval"]
    assert world.events()[-1] == ev.APPROVED


@pytest.mark.parametrize(
    ("command", "words", "code"),
    [
        ("nothing", {}, "request_unknown"),
        ("approve", {"id": "0001_m"}, "request_invalid"),
        ("approve", {"id": 1, "reason": "x"}, "request_invalid"),
        ("approve", {"id": "0009_x", "reason": "x"}, "migration_unknown"),
        ("approve", {"id": "0001_m", "reason": "x", "ttl": "soon"}, "ttl_invalid"),
        ("retry", {"id": "0001_m"}, "not_held"),
        ("rollback", {"transaction": "none"}, "transaction_unknown"),
        ("rollback", {"to": "0009_x"}, "migration_unknown"),
        ("resolve", {"transaction": "t", "mode": "hope"}, "request_invalid"),
        ("resolve", {"transaction": "t", "mode": "restore"}, "transaction_unknown"),
        ("resolve", {"mode": "accept_changed", "reason": "x"}, "nothing_changed"),
        ("replay", {"since_ns": "a"}, "request_invalid"),
        ("clean", {"target": "other"}, "target_unknown"),
    ],
)
def test_a_request_that_cannot_be_done_is_refused_by_name(
    world: Simulated, command: str, words: dict[str, Any], code: str
) -> None:
    done = len(world.steps.names)
    assert refused(world, command, **words) == code
    assert world.steps.names[done:] == []


def test_an_answer_lists_every_problem(world: Simulated) -> None:
    problems = [Problem("a", "manifest.json", "one", "fix"), Problem("b", "x", "two")]
    world.worker.bundle = Invalid("manifest_invalid", "2 problems", problems)
    reply, fatal = answer(world.space, {"command": "approve", "id": "x", "reason": "y", "uid": 0})
    assert fatal is None
    assert [p["message"] for p in reply["error"]["problems"]] == ["one", "two"]


def test_a_request_that_failed_lets_the_next_pass_remove_leftover_images(world: Simulated) -> None:
    world.space.unneeded_images = False
    reply, _ = answer(world.space, {"command": "approve", "id": "x", "reason": "y", "uid": 0})
    assert not reply["ok"]
    assert world.space.unneeded_images


def test_a_bug_in_a_request_is_an_answer(world: Simulated) -> None:
    world.worker.bundle = ZeroDivisionError("a secret")
    reply, fatal = answer(world.space, {"command": "approve", "id": "x", "reason": "y", "uid": 0})
    assert (reply["exit_code"], fatal) == (70, None)
    assert "secret" not in str(reply)
    assert {"code", "message", "place", "fix"} <= reply["error"].keys()
