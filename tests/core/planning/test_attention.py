"""Which reasons block, are held, and wait for a person."""

from __future__ import annotations

import pytest

from confmig.core.planning import attention
from confmig.core.policy import reasons
from confmig.core.policy.decide import Decision


def _hold(*codes: str) -> Decision:
    return Decision("hold", reasons.ranked(codes)[0], reasons.ranked(codes))


def test_every_reason_of_a_migration_is_in_the_order_of_reasons() -> None:
    known = set(reasons.ORDER)
    assert known >= attention.TIME_ENDS
    assert known >= attention.MIGRATIONS
    assert known >= attention.TARGET


def test_no_reason_both_ends_by_time_and_waits_for_a_person() -> None:
    assert not attention.TIME_ENDS & (attention.MIGRATIONS | attention.TARGET)


def test_what_time_ends_is_not_held() -> None:
    decisions = [("online", _hold(code)) for code in attention.TIME_ENDS]
    assert attention.held(decisions) == {}


def test_what_may_run_is_not_held() -> None:
    allowed = Decision("allow", "allowed_online", ("allowed_online",))
    assert attention.held([("online", allowed)]) == {}


def test_held_counts_by_class_and_primary_reason() -> None:
    decisions = [
        ("post_deploy", _hold("approval_missing")),
        ("post_deploy", _hold("approval_missing", "outside_window")),
        ("manual_backfill", _hold("approval_missing")),
        ("online", _hold("document_failed")),
    ]
    # the window is the primary reason of the second: time ends it first
    assert attention.held(decisions) == {
        ("post_deploy", "approval_missing"): 1,
        ("manual_backfill", "approval_missing"): 1,
        ("online", "document_failed"): 1,
    }


def test_what_waits_for_another_is_counted_under_the_reason_of_that_one() -> None:
    behind = _hold("dependency_pending", "approval_missing")
    assert attention.held([("online", behind)]) == {("online", "approval_missing"): 1}
    assert attention.held([("online", _hold("dependency_pending", "outside_window"))]) == {}
    assert attention.held([("online", _hold("dependency_pending"))]) == {
        ("online", "dependency_pending"): 1
    }


@pytest.mark.parametrize("code", sorted(attention.MIGRATIONS))
def test_a_failed_migration_waits_for_a_person(code: str) -> None:
    assert attention.attention([("0001_a", _hold(code))], []) == {("0001_a", code)}


@pytest.mark.parametrize("code", ["approval_missing", "outside_window", "dependency_pending"])
def test_what_waits_by_policy_does_not(code: str) -> None:
    assert attention.attention([("0001_a", _hold(code))], []) == set()


def test_a_reason_of_the_target_is_one_series_without_an_id() -> None:
    decisions = [("0001_a", _hold("outbox_full")), ("0002_b", _hold("outbox_full"))]
    assert attention.attention(decisions, []) == {("", "outbox_full")}


def test_a_failed_dependency_is_named_only_where_nothing_else_is() -> None:
    alone = attention.attention([("0002_b", _hold("dependency_failed"))], [])
    assert alone == {("0002_b", "dependency_failed")}
    both = attention.attention([("0002_b", _hold("dependency_failed", "rolled_back"))], [])
    assert both == {("0002_b", "rolled_back")}
    first = ("0001_a", _hold("document_failed"))
    chain = attention.attention([first, ("0002_b", _hold("dependency_failed"))], [])
    assert chain == {("0001_a", "document_failed")}


def test_problems_of_documents_keep_their_names_and_others_are_one() -> None:
    problems = ["document_emptied", "not_yaml", "target_busy", "io_error", "document_newer"]
    assert attention.attention([], problems) == {
        ("", "document_emptied"),
        ("", "document_newer"),
        ("", "document_failed"),
    }


def test_beyond_a_hundred_series_the_rest_is_one() -> None:
    many = [("app", f"{n:04d}_x", "document_failed") for n in range(250)]
    found = attention.limited(many)
    assert len(found) == attention.SERIES + 1
    assert found[-1] == ("app", attention.OTHER, "document_failed")
    assert attention.limited(many[:100]) == many[:100]


@pytest.mark.parametrize(
    ("code", "invalid", "reason"),
    [
        ("manifest_invalid", True, "bundle_invalid"),
        ("manifest_unreadable", True, "bundle_invalid"),
        ("migration_applied_missing", True, "migration_applied_missing"),
        ("state_unreadable", False, "state_unreadable"),
        ("io_error", False, None),
        ("lock_held", False, None),
    ],
)
def test_the_reason_for_which_an_error_blocks(code: str, invalid: bool, reason: str | None) -> None:
    assert attention.block_reason(code, invalid=invalid) == reason
