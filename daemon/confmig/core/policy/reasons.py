"""The reason codes, in the order in which one becomes the primary reason."""

from __future__ import annotations

from collections.abc import Iterable

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
    "blocked_by_partial_failure": "an earlier partial failure is unresolved; `confmig status` "
    "names it, `confmig resolve TX --dry-run` shows the ways out",
    "policy_missing": "the settings name no policy, so only online migrations run; add one",
    "policy_invalid": "the policy cannot be read, so nothing runs; `confmig check` says why",
    "outbox_full": "too many events wait for delivery; bring the OTLP receiver back",
    "target_read_only": "the target is mounted read-only",
    "target_drifted": "a file was changed while it was being migrated; it is planned again",
    "version_regressed": "the service keeps writing an older version back; upgrade it first",
    "document_failed": "a document cannot be migrated; `confmig status` names it",
    "config_ambiguous": "it changes several files as one and needs exactly one of each "
    "configuration; `confmig status` lists them",
    "documents_out_of_step": "it changes several files as one, and some have had it; "
    "`confmig rollback` or a restored file brings them level",
    "dependency_pending": "it waits for another migration that is not applied yet",
    "dependency_failed": "a migration before it failed",
    "rolled_back": "it was rolled back; `confmig retry ID` lets it run again",
    "denied_by_window": "a deny window covers this time",
    "no_window_configured": "its class has no window in the policy",
    "outside_window": "no allow window of its class is open",
    "approval_missing": "it needs an approval: `confmig approve ID --reason TEXT`",
    "approval_expired": "its approval has expired; approve it again",
    "approval_plan_mismatch": "the migration or the policy changed after the approval; "
    "approve it again",
}
"""What a reason means to a person, and the next thing to do."""


def ranked(codes: Iterable[str]) -> tuple[str, ...]:
    """The codes without repetition, the primary one first."""
    return tuple(sorted(set(codes), key=ORDER.index))
