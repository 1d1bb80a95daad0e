"""The reason codes, in the order in which one becomes the primary reason."""

from __future__ import annotations

from collections.abc import Iterable

from confmig.codes import CODES

ORDER = (
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
)
ALLOWED = ("allowed_online", "allowed_in_window", "allowed_by_override")
BLOCKING = frozenset(("blocked_by_partial_failure", "policy_invalid", "state_unreadable"))

EXPLAIN = {
    code: f"{CODES[code].meaning}; {CODES[code].help}".removesuffix("; ")
    for code in ORDER
    if code in CODES
}
"""What a reason means to a person, and the next thing to do."""


def ranked(codes: Iterable[str]) -> tuple[str, ...]:
    """The codes without repetition, the primary one first."""
    return tuple(sorted(set(codes), key=ORDER.index))
