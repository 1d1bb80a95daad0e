"""Texts for people: names made harmless, tables, times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def plain(text: str) -> str:
    """A name as one line that changes nothing on a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Aligned columns; the last one is free."""
    lines = [tuple(head), *(tuple("" if c is None else plain(str(c)) for c in r) for r in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    out = []
    for line in lines:
        cells = [c.ljust(w) for c, w in zip(line[:-1], widths[:-1], strict=True)]
        out.append("  ".join([*cells, line[-1]]).rstrip())
    return "\n".join(out)


def local(moment: datetime | None) -> str:
    """A moment for people: local time and UTC."""
    if moment is None:
        return ""
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z} ({moment.astimezone(UTC):%H:%M} UTC)"
