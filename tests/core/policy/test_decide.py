"""The gate: class, policy, window and approvals, all reasons at once, the primary one first."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig.core.bundle.manifest import Migration
from confmig.core.policy import model as policies
from confmig.core.policy import reasons
from confmig.core.policy.decide import Approval, Decision, Facts, decide
from confmig.core.policy.model import Policy
from tests.core.builders import migration, utc

CLASSES = ("online", "post_deploy", "manual_backfill")

# Monday 2026-06-01 in UTC: nightly is open 22:00 to 04:00, lunch denies 12:00 to 14:00, early
# denies the last hour of the night on Tuesday
OPEN = utc("2026-06-01 23:00")
CLOSED = utc("2026-06-01 10:00")
LUNCH = utc("2026-06-01 12:30")
EARLY = utc("2026-06-02 03:30")


def policy(**classes: Any) -> Policy:
    data = {
        "windows": {
            "nightly": {"kind": "allow", "start": "22:00", "duration": "6h"},
            "lunch": {"kind": "deny", "start": "12:00", "end": "14:00"},
            "early": {"kind": "deny", "days": ["tue"], "start": "03:00", "end": "04:00"},
        },
        "classes": {
            "online": {"windows": "always"},
            "post_deploy": {"windows": ["nightly"]},
            "manual_backfill": {"windows": ["nightly"]},
            **classes,
        },
    }
    got = policies.read(data, "policy.yaml")
    assert got.state == "present", got.problems
    return got


POLICY = policy()
TWO = policy(manual_backfill={"windows": ["nightly"], "approval": {"required": 2}})
INVALID = policies.read([], "policy.yaml")


def approval(
    name: str = "a1",
    *,
    of: Policy = POLICY,
    target: str = "t",
    of_id: str = "0001_m",
    checksum: str = "sum-1",
    digest: str | None = None,
    uid: int = 1000,
    expires: datetime = OPEN + timedelta(hours=1),
) -> Approval:
    return Approval(name, target, of_id, checksum, digest or of.digest, uid, expires)


def ask(
    rules: Policy,
    kind: str,
    now: datetime,
    *given_approvals: Approval,
    standing: tuple[str, ...] = (),
    impact: str = "normal",
) -> Decision:
    one: Migration = migration(1, kind, impact=impact)
    return decide(rules, Facts("t", one, standing, given_approvals), now)


TABLE = [
    # policy, class, now, approved, verdict, reasons
    (POLICY, "online", OPEN, False, "allow", ("allowed_online",)),
    (POLICY, "online", CLOSED, False, "allow", ("allowed_online",)),
    (POLICY, "online", EARLY, False, "hold", ("denied_by_window",)),
    (POLICY, "post_deploy", OPEN, False, "allow", ("allowed_in_window",)),
    (POLICY, "post_deploy", CLOSED, False, "hold", ("outside_window",)),
    (POLICY, "post_deploy", EARLY, False, "hold", ("denied_by_window",)),
    (POLICY, "manual_backfill", OPEN, True, "allow", ("allowed_in_window",)),
    (POLICY, "manual_backfill", OPEN, False, "hold", ("approval_missing",)),
    (POLICY, "manual_backfill", CLOSED, True, "hold", ("outside_window",)),
    (POLICY, "manual_backfill", CLOSED, False, "hold", ("outside_window", "approval_missing")),
    (POLICY, "manual_backfill", EARLY, False, "hold", ("denied_by_window", "approval_missing")),
    (policies.MISSING, "online", OPEN, False, "allow", ("allowed_online",)),
    (policies.MISSING, "post_deploy", OPEN, False, "hold", ("policy_missing",)),
    (policies.MISSING, "manual_backfill", OPEN, True, "hold", ("policy_missing",)),
    (INVALID, "online", OPEN, False, "block", ("policy_invalid",)),
    (INVALID, "post_deploy", OPEN, False, "block", ("policy_invalid",)),
    (INVALID, "manual_backfill", OPEN, True, "block", ("policy_invalid",)),
]


@pytest.mark.parametrize(("rules", "kind", "now", "approved", "verdict", "found"), TABLE)
def test_class_policy_window_and_approval_give_the_verdict_and_all_reasons(
    rules: Policy,
    kind: str,
    now: datetime,
    approved: bool,
    verdict: str,
    found: tuple[str, ...],
) -> None:
    given_approvals = [approval(of=rules, expires=EARLY + timedelta(days=1))] if approved else []
    got = ask(rules, kind, now, *given_approvals)
    assert (got.verdict, got.primary, got.reasons) == (verdict, found[0], found)
    assert got.approvals == (("a1",) if approved and verdict == "allow" else ())


def test_a_time_both_denied_and_outside_the_window_reports_both_reasons() -> None:
    """POLICY.md: evaluate all, report all."""
    got = ask(POLICY, "post_deploy", LUNCH)
    assert (got.verdict, got.primary) == ("hold", "denied_by_window")
    assert got.reasons == ("denied_by_window", "outside_window")


def test_a_class_without_window_reports_the_deny_window_as_well() -> None:
    """POLICY.md: evaluate all, report all."""
    got = ask(policy(post_deploy={}), "post_deploy", LUNCH)
    assert (got.verdict, got.primary) == ("hold", "denied_by_window")
    assert got.reasons == ("denied_by_window", "no_window_configured")


@pytest.mark.parametrize("kind", CLASSES)
def test_a_class_without_window_is_held_for_ever(kind: str) -> None:
    got = ask(policy(**{kind: {"approval": "none"}}), kind, OPEN)
    assert (got.verdict, got.reasons, got.retry_at) == ("hold", ("no_window_configured",), None)


def test_a_class_in_windows_is_allowed_by_the_window_even_if_it_is_online() -> None:
    rules = policy(online={"windows": ["nightly"]})
    assert ask(rules, "online", OPEN).primary == "allowed_in_window"
    assert ask(rules, "online", CLOSED).primary == "outside_window"


# --- standing reasons


def test_standing_reasons_hold_and_stand_in_the_documented_order() -> None:
    standing = ("dependency_pending", "rolled_back", "outbox_full", "dependency_failed")
    for order in permutations(standing):
        got = ask(POLICY, "manual_backfill", CLOSED, standing=order)
        assert got.verdict == "hold"
        assert got.primary == "outbox_full"
        assert got.reasons == (
            "outbox_full",
            "dependency_pending",
            "dependency_failed",
            "rolled_back",
            "outside_window",
            "approval_missing",
        )


def test_a_partial_failure_blocks_and_is_primary_before_an_invalid_policy() -> None:
    standing = ("blocked_by_partial_failure",)
    got = ask(POLICY, "online", OPEN, standing=standing)
    assert (got.verdict, got.reasons) == ("block", standing)
    got = ask(INVALID, "online", OPEN, standing=standing)
    assert got.reasons == ("blocked_by_partial_failure", "policy_invalid")


def test_an_approved_migration_with_a_standing_reason_consumes_nothing() -> None:
    got = ask(POLICY, "manual_backfill", OPEN, approval(), standing=("dependency_pending",))
    assert (got.verdict, got.reasons, got.approvals) == ("hold", ("dependency_pending",), ())


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.sampled_from([POLICY, TWO, INVALID, policies.MISSING]),
    st.sampled_from(CLASSES),
    st.sampled_from([OPEN, CLOSED, LUNCH, EARLY]),
    st.lists(st.sampled_from(reasons.ORDER), max_size=5),
    st.booleans(),
)
def test_any_standing_reason_denies_and_every_one_is_reported_in_order(
    rules: Policy, kind: str, now: datetime, standing: list[str], approved: bool
) -> None:
    mine = [approval(of=rules, expires=now + timedelta(hours=1))] if approved else []
    got = ask(rules, kind, now, *mine, standing=tuple(standing))
    alone = ask(rules, kind, now, *mine)
    if not standing:
        assert got == alone
        return
    assert got.verdict != "allow"
    wanted = {*standing, *(r for r in alone.reasons if r not in reasons.ALLOWED)}
    assert got.reasons == tuple(c for c in reasons.ORDER if c in wanted)
    assert got.primary == got.reasons[0]
    stops = {"blocked_by_partial_failure", "policy_invalid", "state_unreadable"}
    assert (got.verdict == "block") is bool(wanted & stops)
    assert got.approvals == ()


# --- retry_at


@pytest.mark.parametrize(
    ("kind", "now", "retry_at"),
    [
        ("post_deploy", CLOSED, "2026-06-01 22:00"),
        ("post_deploy", LUNCH, "2026-06-01 22:00"),
        ("post_deploy", EARLY, "2026-06-02 22:00"),
        ("post_deploy", utc("2026-06-02 04:00"), "2026-06-02 22:00"),
        ("online", LUNCH, "2026-06-01 14:00"),
        ("online", EARLY, "2026-06-02 04:00"),
    ],
)
def test_retry_at_is_the_next_opening_and_asking_then_allows(
    kind: str, now: datetime, retry_at: str
) -> None:
    got = ask(POLICY, kind, now)
    assert got.verdict == "hold"
    assert got.retry_at == utc(retry_at)
    assert ask(POLICY, kind, got.retry_at).verdict == "allow"
    assert ask(POLICY, kind, got.retry_at - timedelta(microseconds=1)).verdict == "hold"


@pytest.mark.parametrize(
    ("rules", "kind", "standing"),
    [
        (policies.MISSING, "post_deploy", ()),
        (INVALID, "online", ()),
        (POLICY, "manual_backfill", ()),
        (POLICY, "post_deploy", ("rolled_back",)),
    ],
)
def test_what_time_alone_cannot_mend_has_no_retry_at(
    rules: Policy, kind: str, standing: tuple[str, ...]
) -> None:
    got = ask(rules, kind, OPEN, standing=standing)
    assert got.verdict != "allow"
    assert got.retry_at is None


def test_an_allowed_migration_has_no_retry_at() -> None:
    assert ask(POLICY, "post_deploy", OPEN).retry_at is None


# --- approvals

HOUR = timedelta(hours=1)

BINDING = [
    # what differs, the reason
    ({"target": "other"}, "approval_missing"),
    ({"of_id": "0002_m"}, "approval_missing"),
    ({"checksum": "sum-changed"}, "approval_plan_mismatch"),
    ({"digest": "another policy"}, "approval_plan_mismatch"),
    ({"expires": OPEN}, "approval_expired"),
    ({"expires": OPEN - HOUR}, "approval_expired"),
    ({"checksum": "sum-changed", "expires": OPEN - HOUR}, "approval_plan_mismatch"),
    ({"target": "other", "expires": OPEN - HOUR}, "approval_missing"),
]


@pytest.mark.parametrize(("difference", "reason"), BINDING)
def test_an_approval_binds_target_migration_content_policy_and_time(
    difference: dict[str, Any], reason: str
) -> None:
    got = ask(POLICY, "manual_backfill", OPEN, approval(**difference))
    assert (got.verdict, got.reasons, got.approvals) == ("hold", (reason,), ())


@pytest.mark.parametrize(("difference", "reason"), BINDING)
def test_an_approval_that_does_not_fit_does_not_spoil_one_that_does(
    difference: dict[str, Any], reason: str
) -> None:
    for pair in permutations([approval("bad", **difference), approval("good")]):
        got = ask(POLICY, "manual_backfill", OPEN, *pair)
        assert (got.verdict, got.approvals) == ("allow", ("good",)), reason


def test_an_approval_counts_until_the_instant_of_its_expiry() -> None:
    late = approval(expires=OPEN + timedelta(microseconds=1))
    assert ask(POLICY, "manual_backfill", OPEN, late).verdict == "allow"


def test_an_approval_of_the_same_file_under_an_older_policy_does_not_count() -> None:
    got = ask(TWO, "manual_backfill", OPEN, approval(uid=1), approval("a2", uid=2))
    assert (got.verdict, got.primary) == ("hold", "approval_plan_mismatch")


def test_two_persons_are_two_different_users() -> None:
    one, again = approval("a1", of=TWO, uid=1), approval("a2", of=TWO, uid=1)
    other = approval("a3", of=TWO, uid=2)
    assert ask(TWO, "manual_backfill", OPEN, one).reasons == ("approval_missing",)
    assert ask(TWO, "manual_backfill", OPEN, one, again).reasons == ("approval_missing",)
    got = ask(TWO, "manual_backfill", OPEN, one, other)
    assert (got.verdict, got.approvals) == ("allow", ("a1", "a3"))


def test_of_two_persons_an_expired_yes_does_not_count() -> None:
    pair = [approval("a1", of=TWO, uid=1), approval("a2", of=TWO, uid=2, expires=OPEN)]
    got = ask(TWO, "manual_backfill", OPEN, *pair)
    assert got.verdict == "hold"
    assert got.approvals == ()


def test_a_user_who_renewed_an_expired_yes_counts_whatever_the_order() -> None:
    old, new = approval("old", expires=OPEN - HOUR), approval("new")
    for pair in permutations([old, new]):
        got = ask(POLICY, "manual_backfill", OPEN, *pair)
        assert (got.verdict, got.approvals) == ("allow", ("new",))


def test_what_is_consumed_are_given_approvals_of_enough_different_users() -> None:
    given_approvals = [approval(f"a{n}", of=TWO, uid=n % 3) for n in range(5)]
    got = ask(TWO, "manual_backfill", OPEN, *given_approvals)
    assert got.verdict == "allow"
    users = {a.uid for a in given_approvals if a.id in got.approvals}
    assert len(users) >= 2
    assert set(got.approvals) <= {a.id for a in given_approvals}
    assert len(set(got.approvals)) == len(got.approvals)


@pytest.mark.parametrize("kind", ["online", "post_deploy"])
def test_a_lower_class_needs_an_approval_only_for_high_impact(kind: str) -> None:
    assert ask(POLICY, kind, OPEN).verdict == "allow"
    assert ask(POLICY, kind, OPEN, impact="high").reasons == ("approval_missing",)
    got = ask(POLICY, kind, OPEN, approval(), impact="high")
    assert (got.verdict, got.approvals) == ("allow", ("a1",))


def test_high_impact_needs_an_approval_without_a_policy_too() -> None:
    assert ask(policies.MISSING, "online", OPEN, impact="high").reasons == ("approval_missing",)


def test_high_impact_does_not_lower_a_two_person_rule() -> None:
    got = ask(TWO, "manual_backfill", OPEN, approval(of=TWO), impact="high")
    assert got.reasons == ("approval_missing",)


def test_an_approval_that_nobody_asked_for_is_not_consumed() -> None:
    got = ask(POLICY, "post_deploy", OPEN, approval())
    assert (got.verdict, got.approvals) == ("allow", ())


def test_approval_none_must_be_said_and_is_enough() -> None:
    rules = policy(manual_backfill={"windows": ["nightly"], "approval": "none"})
    assert ask(rules, "manual_backfill", OPEN).verdict == "allow"
    assert ask(rules, "manual_backfill", OPEN, impact="high").reasons == ("approval_missing",)


def test_an_approval_opens_no_window() -> None:
    got = ask(POLICY, "manual_backfill", CLOSED, approval())
    assert (got.verdict, got.reasons) == ("hold", ("outside_window",))
    assert got.retry_at == utc("2026-06-01 22:00")
