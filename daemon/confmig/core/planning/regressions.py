"""A service that keeps writing its old schema back is not fought for ever.

A document whose stamp falls below what a transaction of ours recorded has regressed, once for
each such transaction. The third time within an hour it is held (``version_regressed``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from confmig.core.planning.facts import DocumentFact

LIMIT = 3
SPAN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Regression:
    """A document fell below what this transaction made of it; noticed at a time."""

    transaction: str
    at: datetime


def noted(
    history: tuple[Regression, ...], transaction: str, now: datetime
) -> tuple[Regression, ...]:
    """The regressions of the last hour, with one for this transaction among them."""
    recent = tuple(r for r in history if now - r.at < SPAN)
    if any(r.transaction == transaction for r in history):
        return recent
    return (*recent, Regression(transaction, now))


def is_held(history: tuple[Regression, ...], now: datetime) -> bool:
    """Whether the document is left alone for now."""
    return len([r for r in history if now - r.at < SPAN]) >= LIMIT


def regressed(
    fact: DocumentFact,
    version: int,
    transaction: str,
    history: tuple[Regression, ...],
    now: datetime,
) -> DocumentFact:
    """The document, held if it keeps falling below what was recorded.

    ``version`` is what was recorded, ``transaction`` is the transaction that recorded it.
    """
    if not fact.healthy or fact.version is None or fact.version >= version:
        return fact
    times = noted(history, transaction, now)
    if not is_held(times, now):
        return fact
    return fact.failing(
        "version_regressed",
        f"{len(times)} times within an hour another program put it back below version {version}",
        "upgrade the service that writes the old version; within an hour it is tried again",
    )
