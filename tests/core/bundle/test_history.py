"""Changes of the migration history: what is refused, by which name, and what may be accepted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from confmig.core.bundle import history
from confmig.core.bundle.history import Accepted, Released
from confmig.core.bundle.manifest import Manifest, Migration, Retired
from tests.core.builders import manifest, migration

MISSING, INSERTED, MISMATCH = (
    "migration_applied_missing",
    "migration_inserted_below_applied",
    "migration_checksum_mismatch",
)


def m(order: int, name: str, content: str, **versions: int) -> Migration:
    """A migration called ``name`` with a content; it sets app to its order unless told."""
    one = migration(order, checksum=f"sum-{content}")
    return replace(one, id=f"{order:04d}_{name}", sets=versions or {"app": order})


def of(*migrations: Migration, retired: Retired | None = None) -> Manifest:
    return replace(manifest(*migrations), retired=retired)


A, B, C = m(1, "a", "a"), m(2, "b", "b"), m(3, "c", "c")
RECORDED = history.released(of(A, B, C), 2)


def codes(recorded: tuple[Released, ...], now: Manifest) -> list[tuple[str, str]]:
    return [(p.code, p.place) for p in history.changes(recorded, now)]


def test_the_list_goes_up_to_the_highest_applied_order() -> None:
    assert [r.id for r in RECORDED] == ["0001_a", "0002_b"]


@pytest.mark.parametrize("now", [of(A, B), of(A, B, C), of(A, B, m(3, "d", "d"))])
def test_the_same_list_and_whatever_comes_after_it_is_fine(now: Manifest) -> None:
    assert codes(RECORDED, now) == []


def test_nothing_recorded_allows_everything() -> None:
    assert codes((), of(m(1, "x", "x"))) == []


def test_an_inserted_migration_is_named_and_its_consequences_are_not() -> None:
    now = of(A, m(2, "new", "new"), m(3, "b", "b"))
    assert codes(RECORDED, now) == [(INSERTED, "migrations/0002_new")]


def test_an_inserted_one_of_another_configuration_is_refused_too() -> None:
    now = of(A, m(2, "new", "new", other=1), m(3, "b", "b", app=2))
    assert codes(RECORDED, now) == [(INSERTED, "migrations/0002_new")]


def test_a_removed_one_is_missing() -> None:
    assert codes(RECORDED, of(A)) == [(MISSING, "migrations/0002_b")]


def test_another_id_for_a_version_that_was_made_is_missing_and_names_the_maker() -> None:
    [problem] = history.changes(RECORDED, of(A, m(2, "x", "x")))
    assert (problem.code, problem.place) == (MISSING, "migrations/0002_b")
    assert "0002_x makes version 2 of app now" in problem.message


def test_a_renamed_one_is_missing_and_the_message_says_that_it_was_only_renamed() -> None:
    [problem] = history.changes(RECORDED, of(A, m(2, "renamed", "b")))
    assert (problem.code, problem.place) == (MISSING, "migrations/0002_b")
    assert "only renamed" in problem.message
    assert "0002_renamed" in problem.message


def test_a_missing_one_hides_an_inserted_one() -> None:
    assert codes(RECORDED, of(m(1, "x", "x"), B)) == [(MISSING, "migrations/0001_a")]


def test_other_content_under_the_same_id_is_a_mismatch() -> None:
    assert codes(RECORDED, of(A, m(2, "b", "changed"))) == [(MISMATCH, "migrations/0002_b")]


def test_other_versions_under_the_same_id_are_refused() -> None:
    [problem] = history.changes(RECORDED, of(A, m(2, "b", "b", app=2, other=1)))
    assert problem.code == MISSING
    assert "version 1 of other" in problem.message


def test_equal_contents_are_told_apart_by_their_ids() -> None:
    one, two = m(1, "a", "same"), m(2, "b", "same")
    recorded = history.released(of(one, two), 2)
    assert codes(recorded, of(one, two)) == []
    assert codes(recorded, of(one)) == [(MISSING, "migrations/0002_b")]
    assert [c for c, _ in codes(recorded, of(m(1, "x", "same"), two))] == [MISSING]


def test_retired_migrations_are_not_missing() -> None:
    retired = Retired(1, {"app": 1}, "0" * 64)
    assert codes(RECORDED, of(B, C, retired=retired)) == []
    assert codes(RECORDED, of(C, retired=retired)) == [(MISSING, "migrations/0002_b")]


def test_a_list_with_gaps_of_an_old_state_cannot_tell_an_inserted_one() -> None:
    gaps = (RECORDED[1],)  # 0001 had no document when it was applied
    assert codes(gaps, of(A, B)) == []


# --- accepting


def accepted(recorded: tuple[Released, ...], now: Manifest) -> Accepted:
    found = history.accept(recorded, now)
    assert isinstance(found, Accepted), found
    assert history.changes(found.list, now) == []
    return found


def test_a_rename_can_be_accepted() -> None:
    found = accepted(RECORDED, of(A, m(2, "renamed", "b"), C))
    assert [r.id for r in found.list] == ["0001_a", "0002_renamed"]
    assert found.ids == {"0001_a": "0001_a", "0002_b": "0002_renamed"}


def test_other_content_can_be_accepted() -> None:
    found = accepted(RECORDED, of(A, m(2, "b", "changed")))
    assert found.list[1].checksum == "sum-changed"


def test_an_insertion_that_moves_no_version_can_be_accepted() -> None:
    now = of(A, m(2, "new", "new", other=1), m(3, "b", "b", app=2))
    assert [r.id for r in accepted(RECORDED, now).list] == ["0001_a", "0002_new", "0003_b"]


def test_a_successor_that_makes_the_same_version_can_be_accepted() -> None:
    found = accepted(RECORDED, of(A, m(2, "x", "x")))
    assert found.ids["0002_b"] == "0002_x"


@pytest.mark.parametrize(
    "now",
    [
        of(A, m(2, "new", "new"), m(3, "b", "b")),  # b makes version 3 now
        of(A),  # nothing makes version 2 any more
    ],
)
def test_it_is_refused_where_stamps_would_mean_other_versions(now: Manifest) -> None:
    found = history.accept(RECORDED, now)
    assert isinstance(found, list)
    assert [p.code for p in found] == [MISSING]
    assert "stamps" in found[0].message
