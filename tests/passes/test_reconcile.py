"""One pass, on the simulators: what it does, records and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from confmig.adapters.files.metadata import Metadata
from confmig.adapters.state.reported import Subject
from confmig.core.bundle.manifest import Manifest
from confmig.errors import DEFERRED, DONE, FAILED, INVALID, REFUSED, Fault, Invalid, Problem
from confmig_otel import events as ev
from confmig_otel import spans
from tests.core.builders import manifest, migration
from tests.simulators.bundle import document
from tests.simulators.steps import Killed, kill_at
from tests.simulators.workspace import Simulated

TWO = manifest(migration(1), migration(2))
LATER = manifest(migration(1), migration(2, "post_deploy"))


def simulated(bundle: Manifest = TWO, *broken: str, **options: str) -> Simulated:
    return Simulated(bundle, frozenset(broken), options)


def test_a_pass_takes_all_documents_to_the_newest_version() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    world.disk.put("app/b.yaml", document(1))
    result = world.run()
    assert result.exit_code == DONE
    assert [o.kind for o in result.outcomes] == ["committed"]
    assert world.disk.nodes["app/a.yaml"].data == document(2, **{"0001_m": "1", "0002_m": "1"})
    assert world.disk.nodes["app/b.yaml"].data == document(2, **{"0002_m": "1"})
    assert result.view.observation.counts == {("app", "2"): 2}
    assert result.view.documents == ()  # nothing has to be done about them
    assert world.events()[:2] == [ev.BUNDLE_LOADED, ev.STARTED]
    assert world.events().count(ev.MIGRATED) == 3
    assert {p: r.version for p, r in world.store.documents.all("app").items()} == {
        "app/a.yaml": 2,
        "app/b.yaml": 2,
    }


def test_a_pass_without_work_writes_nothing() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    world.run()
    done = len(world.steps.names)
    transformed = len(world.bundle.transformed)
    result = world.run()
    assert (result.exit_code, result.outcomes) == (DONE, ())
    assert world.steps.names[done:] == []
    assert len(world.bundle.transformed) == transformed


def test_what_the_policy_holds_is_deferred_and_reported_once() -> None:
    world = simulated(LATER)  # without a policy only online migrations run
    world.disk.put("app/a.yaml", document(0))
    result = world.run()
    assert result.exit_code == DEFERRED
    assert world.disk.nodes["app/a.yaml"].data.startswith(b"v=1\n")
    assert world.events().count(ev.DEFERRED) == 1
    world.run()
    world.space = world.started()
    world.run()
    assert world.events().count(ev.DEFERRED) == 1
    assert world.store.reported.deferred("app", "post_deploy") == {"policy_missing": ["0002_m"]}


def test_a_failed_migration_is_held_until_something_changes() -> None:
    world = simulated(TWO, "0001_m")
    world.disk.put("app/a.yaml", document(0, x="bad"))
    assert world.run().exit_code == FAILED
    assert world.store.holds.all("app")["0001_m"].reason == "document_failed"
    assert world.events().count(ev.FAILED) == 1
    tried = len(world.bundle.transformed)
    assert world.run().exit_code == FAILED
    assert len(world.bundle.transformed) == tried
    assert world.events().count(ev.FAILED) == 1
    world.disk.put("app/a.yaml", document(0, x="good"))
    assert world.run().exit_code == DONE
    assert world.store.holds.all("app") == {}


def test_a_late_document_that_fails_holds_only_itself() -> None:
    world = simulated(TWO, "0002_m")
    world.disk.put("app/a.yaml", document(2))
    world.disk.put("app/b.yaml", document(1, x="bad"))
    result = world.run()
    assert [o.kind for o in result.outcomes] == ["document_failed"]
    assert world.store.holds.all("app") == {}
    world.disk.put("app/c.yaml", document(0))
    result = world.run()
    assert [o.kind for o in result.outcomes] == ["committed"]
    assert [d.problem for d in result.view.documents] == ["document_failed"]
    assert world.disk.nodes["app/c.yaml"].data.startswith(b"v=2\n")
    assert world.events().count(ev.FAILED) == 1


def test_a_full_disk_holds_nothing() -> None:
    """The next pass tries again."""
    world = simulated()
    world.disk.put("app/a.yaml", document(0))

    def full(number: int, name: str) -> None:
        if name.startswith("create"):
            raise OSError(28, "No space left on device")

    world.steps.before = full
    result = world.run()
    assert (result.exit_code, result.outcomes[0].kind) == (FAILED, "failed")
    assert world.store.holds.all("app") == {}
    world.steps.before = lambda number, name: None
    assert world.run().exit_code == DONE


def test_an_edit_between_plan_and_commit_is_migrated_too() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    edits: list[int] = []

    def edit(number: int, name: str) -> None:
        if name == "exchange app/a.yaml" and not edits:
            edits.append(1)
            world.disk.put("app/a.yaml", document(0, edited="1"))

    world.steps.before = edit
    result = world.run()
    assert [o.kind for o in result.outcomes] == ["drifted", "committed"]
    assert b"edited=1" in world.disk.nodes["app/a.yaml"].data
    assert result.exit_code == DONE


def test_a_file_that_never_rests_is_looked_at_again_later_and_later() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))

    def edit(number: int, name: str) -> None:
        if name == "exchange app/a.yaml":
            world.disk.put("app/a.yaml", document(0))

    world.steps.before = edit
    waits = []
    for _ in range(7):
        result = world.run()
        assert [o.kind for o in result.outcomes] == ["drifted"] * 3
        waits.append(result.look_again)
    assert waits == [2, 4, 8, 16, 32, 60, 60]


def test_an_open_file_is_waited_for() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    world.disk.open_for_writing.add("app/a.yaml")
    result = world.run()
    assert [d.problem for d in result.view.documents] == ["target_busy"]
    assert (result.exit_code, set(result.waiting)) == (DEFERRED, {"app/a.yaml"})
    world.disk.open_for_writing.clear()
    assert world.run().exit_code == DONE


def test_a_service_that_writes_its_old_schema_back_is_held_at_the_third_time() -> None:
    world = simulated()
    for number in range(3):
        world.disk.put("app/a.yaml", document(0, n=str(number)))
        result = world.run()
        world.now += timedelta(minutes=1)
    assert [d.problem for d in result.view.documents] == []
    world.disk.put("app/a.yaml", document(0, n="again"))
    result = world.run()
    assert [d.problem for d in result.view.documents] == ["version_regressed"]
    assert result.exit_code == DEFERRED
    assert world.events().count(ev.DRIFT) == 3
    world.now += timedelta(hours=2)
    assert world.run().exit_code == DONE


def test_a_document_newer_than_the_bundle_is_reported_and_left() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(7))
    result = world.run()
    assert [d.problem for d in result.view.documents] == ["document_newer"]
    assert result.exit_code == REFUSED
    assert world.disk.nodes["app/a.yaml"].data == document(7)


def test_documents_of_atomic_document_are_committed_in_groups() -> None:
    world = simulated(TWO, "0001_m", atomic="document")
    for number in range(300):
        text = {"x": "bad"} if number == 5 else {}
        world.disk.put(f"app/{number:03}.yaml", document(0, **text))
    result = world.run()
    assert [o.kind for o in result.outcomes] == ["document_failed", "committed", "committed"]
    assert result.view.observation.counts == {("app", "2"): 299, ("app", "0"): 1}
    assert result.exit_code == FAILED


def test_a_broken_bundle_is_reported_once_and_again_when_it_is_fixed() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    problem = Problem("migration_order_gap", "manifest.json", "a gap", "fill it")
    world.worker.bundle = Invalid("manifest_invalid", "1 problem", [problem])
    for _ in range(2):
        with pytest.raises(Invalid):
            world.run()
    assert world.events() == [ev.BUNDLE_REJECTED]
    assert world.space.troubles().keys() == {"app"}
    world.worker.bundle = world.bundle
    assert world.run().exit_code == DONE
    assert world.space.troubles() == {}
    assert world.events()[1] == ev.BUNDLE_LOADED
    assert world.store.reported.state("app", Subject.BUNDLE) == "loaded:digest"


def test_an_applied_migration_that_changed_is_refused_before_anything_runs() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    world.run()
    other = Simulated(manifest(migration(1, checksum="other"), migration(2), migration(3)))
    world.worker.bundle = other.bundle
    with pytest.raises(Invalid) as caught:
        world.run()
    assert caught.value.code == "migration_checksum_mismatch"
    assert world.disk.nodes["app/a.yaml"].data.startswith(b"v=2\n")


def test_a_pass_that_ends_anywhere_is_completed_by_the_next_process() -> None:
    reference = simulated()
    reference.disk.put("app/a.yaml", document(0))
    reference.disk.put("app/b.yaml", document(1))
    reference.run()
    for point in range(len(reference.steps.names)):
        world = simulated()
        world.disk.put("app/a.yaml", document(0))
        world.disk.put("app/b.yaml", document(1))
        world.steps.before = kill_at(point)
        with pytest.raises(Killed):
            world.run()
        world.steps.before = lambda number, name: None
        world.space = world.started()
        assert world.run().exit_code == DONE
        assert {p: n.data for p, n in world.disk.nodes.items()} == {
            p: n.data for p, n in reference.disk.nodes.items()
        }
        # an event of each change, exactly once
        assert world.events().count(ev.MIGRATED) == 3
        assert world.events().count(ev.COMPLETED) == 1


def test_a_chmod_of_the_service_is_an_edit() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    done: list[int] = []

    def chmod(number: int, name: str) -> None:
        if name == "exchange app/a.yaml" and not done:
            done.append(1)
            world.disk.nodes["app/a.yaml"].metadata = Metadata(0o600, 1000, 1000)

    world.steps.before = chmod
    assert [o.kind for o in world.run().outcomes] == ["drifted", "committed"]
    assert world.disk.nodes["app/a.yaml"].metadata.mode == 0o600


def test_a_read_only_target_is_not_written() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    world.disk.mounted_read_only = True
    result = world.run()
    assert result.exit_code == DEFERRED
    assert {o.decision.primary for o in result.view.outlook} == {"target_read_only"}


def test_a_missing_image_is_found_before_anything_is_exchanged() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))

    def lose(number: int, name: str) -> None:
        if name.startswith("create"):
            world.checkpoints.images.data.clear()

    world.steps.before = lose
    world.disk.put("app/b.yaml", document(0))
    result = world.run()
    [outcome] = result.outcomes
    assert outcome.kind == "failed"
    assert isinstance(outcome.error, Fault)
    assert world.disk.nodes["app/a.yaml"].data == document(0)


def test_a_bug_in_a_pass_is_the_trouble_of_its_target() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))

    def bug(number: int, name: str) -> None:
        if name == "exchange app/a.yaml":
            raise KeyError("secret")

    world.steps.before = bug
    with pytest.raises(KeyError):
        world.run()
    trouble = world.space.troubles()["app"]
    assert trouble is not None
    assert trouble.code == "bug"
    assert "secret" not in str(trouble)


@dataclass
class Failures(spans.Silent):
    """Remembers with what each kind of span failed."""

    of: dict[str, list[str]] = field(default_factory=dict)

    @contextmanager
    def span(self, kind: str, name: str, attributes: Mapping[str, Any]) -> Iterator[spans.Span]:
        """A span whose failure is remembered."""
        failed = self.of.setdefault(kind, [])
        with super().span(kind, name, attributes) as inner:

            class Span:
                context = inner.context
                set = staticmethod(inner.set)
                fail = staticmethod(failed.append)

            yield Span()


def _refused(world: Simulated) -> None:
    world.disk.put("app/b.yaml", document(9))


def _drifted_and_refused(world: Simulated) -> None:
    _refused(world)
    done: list[int] = []

    def edit(number: int, name: str) -> None:
        if name == "exchange app/a.yaml" and not done:
            done.append(1)
            world.disk.put("app/a.yaml", document(0, edited="1"))

    world.steps.before = edit


def _held(world: Simulated) -> None:
    world.disk.put("app/a.yaml", document(0, x="bad"))
    world.run()  # the second pass finds only the hold


def _blocked(world: Simulated) -> None:
    world.disk.put("app/c.yaml", document(0))
    done: list[str] = []

    def interrupt(number: int, name: str) -> None:
        if name.startswith("exchange") and done:
            world.disk.put("app/a.yaml", document(1, edited="1"))
            raise Killed
        done.extend([name] if name.startswith("exchange") else [])

    world.steps.before = interrupt
    with pytest.raises(Killed):
        world.run()
    world.steps.before = lambda number, name: None
    world.space = world.started()


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda world: None, None),
        (_blocked, "blocked_by_partial_failure"),
        (_refused, "document_newer"),
        (_drifted_and_refused, "document_newer"),
        (_held, "document_failed"),
    ],
    ids=["nothing", "blocked", "refused", "drifted and refused", "held"],
)
def test_the_span_of_a_pass_names_what_is_wrong(
    prepare: Callable[[Simulated], None], reason: str | None
) -> None:
    world = simulated(LATER, "0001_m")
    world.disk.put("app/a.yaml", document(0))
    prepare(world)
    recorder = Failures()
    world.space.recorder = recorder
    world.run()
    assert recorder.of[spans.RUN] == ([] if reason is None else [reason])


def test_the_span_of_a_pass_names_an_invalid_policy(tmp_path: Path) -> None:
    world = simulated(LATER, policy=str(tmp_path / "not-there.yaml"))
    world.disk.put("app/b.yaml", document(9))
    recorder = Failures()
    world.space.recorder = recorder
    assert world.run().exit_code == INVALID
    assert recorder.of[spans.RUN] == ["policy_invalid"]


def test_a_stop_before_a_pass_prevents_its_first_transaction() -> None:
    world = simulated()
    world.disk.put("app/a.yaml", document(0))
    world.space.conduct.stopping = lambda: True
    assert world.run().outcomes == ()
    assert world.disk.nodes["app/a.yaml"].data == document(0)
