"""The names of events and attributes, and what every event carries.

The source of the names is the registry, ``otel/registry``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INFO, WARN, ERROR, FATAL = 9, 13, 17, 21

MIGRATED = "config.migrated"
STARTED = "config.migration.started"
COMPLETED = "config.migration.completed"
FAILED = "config.migration.failed"
BLOCKED = "config.migration.blocked_by_partial_failure"
UNBLOCKED = "config.migration.unblocked"
DEFERRED = "config.migration.deferred"
APPROVED = "config.migration.approved"
ROLLBACK_STARTED = "config.migration.rollback.started"
ROLLBACK_COMPLETED = "config.migration.rollback.completed"
ROLLBACK_FAILED = "config.migration.rollback.failed"
DRIFT = "config.drift.detected"
BUNDLE_LOADED = "config.bundle.loaded"
BUNDLE_REJECTED = "config.bundle.rejected"
POLICY_LOADED = "config.policy.loaded"
POLICY_REJECTED = "config.policy.rejected"

SEVERITY = {
    MIGRATED: INFO,
    STARTED: INFO,
    COMPLETED: INFO,
    FAILED: ERROR,
    BLOCKED: ERROR,
    UNBLOCKED: INFO,
    DEFERRED: INFO,
    APPROVED: INFO,
    ROLLBACK_STARTED: WARN,
    ROLLBACK_COMPLETED: WARN,
    ROLLBACK_FAILED: FATAL,
    DRIFT: WARN,
    BUNDLE_LOADED: INFO,
    BUNDLE_REJECTED: ERROR,
    POLICY_LOADED: INFO,
    POLICY_REJECTED: ERROR,
}

TARGET = "config.target.name"
ID = "config.migration.id"
IDS = "config.migration.ids"
CLASS = "config.migration.class"
ORDER = "config.migration.order"
TRANSACTION = "config.migration.transaction.id"
ROLLOUT = "config.migration.rollout.id"
PHASE = "config.migration.phase"
OUTCOME = "config.migration.outcome"
REASON = "config.migration.reason"
REASONS = "config.migration.reasons"
RETRY_AT = "config.migration.retry_at"
MANIFEST_DIGEST = "config.migration.manifest.digest"
POLICY_DIGEST = "config.policy.digest"
DURATION = "config.migration.elapsed"
CHECKPOINT = "config.migration.rollback.checkpoint.path"
TRIGGER = "config.migration.rollback.trigger"
REVERSES = "config.migration.rollback.transaction.id"
BLOCKING = "config.migration.blocking.transaction.id"
RESOLUTION = "config.migration.resolution.mode"
RESOLUTION_REASON = "config.migration.resolution.reason"
APPROVAL_ID = "config.migration.approval.id"
APPROVAL_REASON = "config.migration.approval.reason"
APPROVAL_ACTOR = "config.migration.approval.actor.id"
DOCUMENTS = "config.documents.count"
PATH = "config.file.path"
FORMAT = "config.file.format"
DIGEST = "config.file.digest"
SCHEMA = "config.schema.name"
FROM = "config.schema.version.from"
TO = "config.schema.version.to"
ERROR_TYPE = "error.type"
UID = "log.record.uid"

Value = str | bool | int | float | list[str]


@dataclass(frozen=True, slots=True)
class Event:
    """One event to be written to the outbox. Never holds content or values of a file."""

    name: str
    attributes: Mapping[str, Value]

    @property
    def severity(self) -> int:
        """The severity number of its name."""
        return SEVERITY[self.name]


def event(name: str, attributes: Mapping[str, Any]) -> Event:
    """An event without its absent (None) attributes."""
    if name not in SEVERITY:
        raise ValueError(f"{name} is not an event of the registry")
    kept = {
        k: list(v) if isinstance(v, tuple) else v for k, v in attributes.items() if v is not None
    }
    return Event(name, kept)
