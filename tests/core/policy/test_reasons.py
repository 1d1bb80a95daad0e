"""The order of the reason codes is the documented one, and ranking is stable."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig import errors
from confmig.core.policy import reasons

# copied by hand from POLICY.md
DOCUMENTED = [
    "blocked_by_partial_failure",
    "paused_by_operator",
    "policy_missing",
    "policy_invalid",
    "clock_untrusted",
    "clock_jump",
    "outbox_full",
    "state_unreadable",
    "target_read_only",
    "target_drifted",
    "version_regressed",
    "document_failed",
    "config_ambiguous",
    "documents_out_of_step",
    "dependency_pending",
    "dependency_failed",
    "rolled_back",
    "freeze_active",
    "denied_by_window",
    "no_window_configured",
    "outside_window",
    "cutoff_reached",
    "deploy_signal_missing",
    "deploy_not_complete",
    "deploy_failed",
    "release_mismatch",
    "soaking",
    "gate_failed",
    "gate_unknown",
    "approval_missing",
    "approval_expired",
    "approval_plan_mismatch",
    "lock_held",
    "lock_unavailable",
    "batch_pause",
    "retry_backoff",
]

# what the gate and the view of this release can answer
IN_USE = [
    "blocked_by_partial_failure",
    "policy_missing",
    "policy_invalid",
    "outbox_full",
    "target_read_only",
    "document_failed",
    "dependency_pending",
    "dependency_failed",
    "rolled_back",
    "denied_by_window",
    "no_window_configured",
    "outside_window",
    "approval_missing",
    "approval_expired",
    "approval_plan_mismatch",
]


def test_the_order_is_the_documented_one() -> None:
    assert list(reasons.ORDER) == DOCUMENTED


def test_the_allowing_reasons_are_the_documented_ones() -> None:
    assert set(reasons.ALLOWED) == {"allowed_online", "allowed_in_window", "allowed_by_override"}


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(DOCUMENTED), max_size=12))
def test_ranking_drops_repetition_and_ignores_the_order_of_finding(codes: list[str]) -> None:
    wanted = tuple(code for code in DOCUMENTED if code in codes)
    assert reasons.ranked(codes) == wanted
    assert reasons.ranked(reversed(codes)) == wanted


def test_a_code_nobody_documented_is_a_bug_and_not_ranked_silently() -> None:
    with pytest.raises(ValueError):
        reasons.ranked(["outside_window", "made_up"])


def test_every_reason_in_use_is_explained_and_no_explanation_is_of_an_unknown_code() -> None:
    assert [code for code in IN_USE if not reasons.EXPLAIN.get(code)] == []
    assert set(reasons.EXPLAIN) <= set(DOCUMENTED)


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 6], 6),
        ([6, 1], 1),
        ([1, 4], 4),
        ([4, 7], 7),
        ([7, 2], 2),
        ([2, 5], 5),
        ([5, 70], 70),
        ([0, 3, 6, 1, 4, 7, 2, 5], 5),
    ],
)
def test_the_worst_of_several_outcomes_is_the_exit_code(codes: list[int], wanted: int) -> None:
    assert errors.worst(codes) == wanted
    assert errors.worst(reversed(codes)) == wanted
