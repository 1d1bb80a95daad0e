"""Which reasons block a target, which end by themselves, and which wait for a person.

Pure tables and functions for the metrics ``config.migration.blocked``, ``.held`` and
``.attention``. Alerts are written against these names, so a reason is in one table on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable

from confmig.core.policy.decide import Decision

BLOCKED = (
    "blocked_by_partial_failure",
    "bundle_invalid",
    "policy_invalid",
    "state_unreadable",
    "state_untrusted",
    "migration_inserted_below_applied",
    "migration_applied_missing",
    "migration_checksum_mismatch",
)
"""The reasons for which nothing runs in a target; each is a series from the start."""

TIME_ENDS = frozenset(
    (
        "freeze_active",
        "denied_by_window",
        "outside_window",
        "cutoff_reached",
        "soaking",
        "batch_pause",
        "clock_jump",
        "retry_backoff",
    )
)
"""The reasons that time alone ends: a migration with such a reason first is not ``held``."""

DOCUMENTS = frozenset(
    (
        "document_failed",
        "document_emptied",
        "document_newer",
        "document_below_floor",
        "version_regressed",
        "config_ambiguous",
    )
)
"""The problems of a document that wait for a person, by their own names. Another problem (a file
that cannot be read as what it should be) is ``document_failed``."""

PASSING = frozenset(("target_busy", "target_drifted", "io_error"))
"""The problems of a document that the next pass may find gone."""

MIGRATIONS = frozenset(
    ("document_failed", "rolled_back", "config_ambiguous", "documents_out_of_step")
)
"""The reasons of a migration that wait for a person."""

TARGET = frozenset(("clock_untrusted", "outbox_full", "target_read_only"))
"""The reasons of a whole target that wait for a person; their series have an empty id."""

SERIES = 100
"""The most series of attention; what is beyond is one series with the id ``OTHER``."""
OTHER = "_other"


def block_reason(code: str, *, invalid: bool) -> str | None:
    """The blocking reason that an error of a pass stands for; None if it blocks nothing.

    ``invalid``: it is about the bundle.
    """
    if code in BLOCKED:
        return code
    return "bundle_invalid" if invalid else None


def cause(decision: Decision) -> str:
    """The reason to report.

    It is the primary reason; for a migration that waits for another one, the first reason of
    the other one, because that is what must change.
    """
    others = [reason for reason in decision.reasons if reason != "dependency_pending"]
    return others[0] if decision.primary == "dependency_pending" and others else decision.primary


def held(decisions: Iterable[tuple[str, Decision]]) -> dict[tuple[str, str], int]:
    """How many migrations are held, by class and reason.

    ``decisions``: class and decision of each pending migration.
    """
    out: dict[tuple[str, str], int] = {}
    for kind, decision in decisions:
        reason = cause(decision)
        if decision.verdict != "allow" and reason not in TIME_ENDS:
            key = (kind, reason)
            out[key] = out.get(key, 0) + 1
    return out


def attention(
    decisions: Iterable[tuple[str, Decision]], problems: Iterable[str]
) -> set[tuple[str, str]]:
    """What waits for a person: migration id (or empty) and reason.

    ``decisions``: id and decision of each pending migration; ``problems``: those of documents.

    ``dependency_failed`` is named only where nothing else of the target is: it follows from that.
    """
    out: set[tuple[str, str]] = set()
    follow: set[tuple[str, str]] = set()
    for name, decision in decisions:
        reasons = set(decision.reasons)
        out |= {(name, reason) for reason in reasons & MIGRATIONS}
        out |= {("", reason) for reason in reasons & TARGET}
        follow |= {(name, reason) for reason in reasons & {"dependency_failed"}}
    for problem in problems:
        if problem not in PASSING:
            out.add(("", problem if problem in DOCUMENTS else "document_failed"))
    return out or follow


def limited(series: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """At most ``SERIES`` of (target, id, reason); the others of a target and reason are one."""
    ordered = sorted(series)
    rest = {(target, OTHER, reason) for target, _, reason in ordered[SERIES:]}
    return [*ordered[:SERIES], *sorted(rest)]
