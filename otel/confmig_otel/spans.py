"""The names of spans, and the port through which confmig records spans and durations.

``Silent`` is the port's other implementation: it records nothing and costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

RUN = "config.migration.run"
APPLY = "config.migration.apply"
PHASE = "config.migration.phase"
ROLLBACK = "config.migration.rollback"

PHASES = ("plan", "checkpoint", "transform", "validate", "commit", "record", "rollback")


class Span(Protocol):
    """A span that is open."""

    def set(self, key: str, value: Any) -> None:
        """Set an attribute."""

    def fail(self, error_type: str) -> None:
        """Mark it failed with a low-cardinality type."""

    @property
    def context(self) -> tuple[str, str] | None:
        """Trace and span id as hex, or None if it is not recorded."""


class Recorder(Protocol):
    """Where spans and measurements go."""

    def span(self, kind: str, name: str, attributes: Mapping[str, Any]) -> Any:
        """A context manager that yields a ``Span``."""

    def duration(self, seconds: float, attributes: Mapping[str, str]) -> None:
        """The duration of a transaction."""


class _SilentSpan:
    context: tuple[str, str] | None = None

    def set(self, key: str, value: Any) -> None:
        """Do nothing."""

    def fail(self, error_type: str) -> None:
        """Do nothing."""


class Silent:
    """Records nothing."""

    @contextmanager
    def span(self, kind: str, name: str, attributes: Mapping[str, Any]) -> Iterator[Span]:
        """A span that no one sees."""
        yield _SilentSpan()

    def duration(self, seconds: float, attributes: Mapping[str, str]) -> None:
        """Do nothing."""
