"""The names of metrics, and the readings that are published for them. Imports nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DURATION = "config.migration.duration"
PENDING = "config.migration.pending"
BLOCKED = "config.migration.blocked"
HELD = "config.migration.held"
ATTENTION = "config.migration.attention"
OUTBOX_PENDING = "config.migration.outbox.pending"
OUTBOX_REJECTED = "config.migration.outbox.rejected"
LAST_SUCCESS = "config.migration.last_success.time"
DOCUMENTS = "config.documents"

UNITS = {
    DURATION: "s",
    PENDING: "{migration}",
    BLOCKED: "{block}",
    HELD: "{migration}",
    ATTENTION: "{migration}",
    OUTBOX_PENDING: "{event}",
    OUTBOX_REJECTED: "{event}",
    LAST_SUCCESS: "s",
    DOCUMENTS: "{document}",
}
BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bucket boundaries of the duration histogram, in seconds."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What the gauges show.

    ``pending``: (target, class) -> migrations; ``blocked``: (target, reason) -> 0 or 1;
    ``documents``: (target, config, version) -> documents; ``held``: (target, class, reason) ->
    migrations; ``attention``: (target, id, reason) -> 1; times in Unix seconds.
    """

    pending: Mapping[tuple[str, str], int] = field(default_factory=dict)
    blocked: Mapping[tuple[str, str], int] = field(default_factory=dict)
    documents: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    outbox_pending: int = 0
    outbox_rejected: int = 0
    last_success: float | None = None
    held: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    attention: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
