"""When a held migration runs again, as tables."""

from __future__ import annotations

import pytest

from confmig.core.planning.facts import DocumentFact
from confmig.core.planning.holds import (
    Hold,
    document_key,
    failed_before,
    failure_key,
    holds_after,
    stands,
)
from tests.core.builders import manifest, migration

TWO = manifest(migration(1), migration(2))


@pytest.mark.parametrize(
    ("reason", "key", "wanted"),
    [
        ("document_failed", "same", True),
        ("document_failed", "other", False),
        ("rolled_back", "same", True),
        ("rolled_back", "other", True),
    ],
)
def test_a_hold_stands_until(reason: str, key: str, *, wanted: bool) -> None:
    assert stands(Hold("m", reason, "same", "", ""), key) is wanted


@pytest.mark.parametrize(
    ("code", "whole", "begun", "wanted"),
    [
        ("validation_failed", True, False, True),
        ("validation_failed", False, False, False),  # only one late document
        ("validation_failed", True, True, False),  # it came while files were written
        ("io_error", True, False, False),  # no document is to blame for a disk
    ],
)
def test_what_a_failure_holds(code: str, *, whole: bool, begun: bool, wanted: bool) -> None:
    assert holds_after(code, whole=whole, begun=begun) is wanted


def test_a_key_names_everything_that_counts() -> None:
    base = failure_key("m", "p", [("a", "1"), ("b", "2")])
    assert base == failure_key("m", "p", [("a", "1"), ("b", "2")])
    for other in (
        failure_key("x", "p", [("a", "1"), ("b", "2")]),
        failure_key("m", "x", [("a", "1"), ("b", "2")]),
        failure_key("m", "p", [("a", "1"), ("b", "x")]),
        failure_key("m", "p", [("a", "1")]),
    ):
        assert other != base


def test_a_late_document_is_held_as_long_as_it_is_as_it_failed() -> None:
    fact = DocumentFact("app", "a.yaml", 0, "digest")
    failures = {("0002_m", "a.yaml"): document_key("digest", "policy", fact)}
    held = failed_before(fact, TWO, "policy", failures)
    assert (held.problem, held.healthy) == ("document_failed", False)
    assert "0002_m" in held.message
    changed = DocumentFact("app", "a.yaml", 0, "other")
    assert failed_before(changed, TWO, "policy", failures) == changed
    assert failed_before(fact, TWO, "another policy", failures) == fact
    past = DocumentFact("app", "a.yaml", 2, "digest")
    assert failed_before(past, TWO, "policy", failures) == past
    other = DocumentFact("app", "b.yaml", 0, "digest")
    assert failed_before(other, TWO, "policy", failures) == other
