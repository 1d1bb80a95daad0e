"""What the probes answer, from passes on the simulators."""

from __future__ import annotations

from confmig.errors import Invalid, Problem
from confmig.service.readiness import Readiness, readiness
from tests.core.builders import manifest, migration
from tests.simulators.bundle import document
from tests.simulators.workspace import Simulated

TWO = manifest(migration(1), migration(2))
LATER = manifest(migration(1), migration(2, "post_deploy"))


def asked(world: Simulated) -> Readiness:
    return readiness(["app"], {"app": world.run()}, {})


def test_before_the_first_pass_nothing_is_ready() -> None:
    found = readiness(["app"], {}, {})
    assert found == Readiness(("app: starting",), ("app: starting",))


def test_a_migrated_target_is_ready_and_started() -> None:
    world = Simulated(TWO)
    world.disk.put("app/a.yaml", document(0))
    assert asked(world) == Readiness((), ())


def test_what_waits_by_policy_does_not_stop_the_start() -> None:
    world = Simulated(LATER)
    world.disk.put("app/a.yaml", document(0))
    assert asked(world) == Readiness((), ())


def test_a_document_that_waits_for_a_person_stops_the_start_and_not_the_readiness() -> None:
    world = Simulated(TWO)
    world.disk.put("app/a.yaml", document(0))
    world.disk.put("app/b.yaml", document(9))
    found = asked(world)
    assert found.ready == ()
    assert found.started == ("app: app/b.yaml: document_newer",)


def test_a_name_from_outside_is_escaped() -> None:
    world = Simulated(TWO)
    world.disk.put("app/e\x1b[31m\nvil.yaml", document(9))
    assert asked(world).started == ("app: app/e\\x1b[31m\\nvil.yaml: document_newer",)


def test_a_failed_migration_stops_the_start() -> None:
    world = Simulated(TWO, frozenset(("0001_m",)))
    world.disk.put("app/a.yaml", document(0, x="bad"))
    found = asked(world)
    assert found.ready == ()
    assert any("0001_m: document_failed" in reason for reason in found.started)


def test_a_file_that_is_being_written_stops_the_start_for_a_moment() -> None:
    world = Simulated(TWO)
    world.disk.put("app/a.yaml", document(0))
    world.disk.open_for_writing.add("app/a.yaml")
    assert asked(world).started == ("app: app/a.yaml: target_busy",)


def test_an_error_of_a_pass_is_the_reason_for_both() -> None:
    error = Invalid("manifest_invalid", "1 problem", [Problem("a", "b", "c")])
    found = readiness(["app", "other"], {}, {"app": error})
    assert found.ready == ("app: manifest_invalid", "other: starting")
    assert found.started == found.ready
