"""Tables and times for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from confmig.writer import escaped


def table(rows: Sequence[Sequence[Any]], head: Sequence[str], width: int | None = None) -> str:
    """Aligned columns.

    Where ``width`` (columns of a terminal) is too narrow for them, each row is a block of lines
    ``HEAD: value`` instead: nothing is cut off.
    """
    cells = [["" if c is None else escaped(str(c)) for c in row] for row in rows]
    widths = [max(map(_columns, column)) for column in zip(head, *cells, strict=True)]
    if width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        return "\n\n".join(_block(head, row) for row in cells)
    return "\n".join(
        "  ".join(
            cell + " " * (wide - _columns(cell)) for cell, wide in zip(row, widths, strict=True)
        ).rstrip()
        for row in [head, *cells]
    )


def _block(head: Sequence[str], row: Sequence[str]) -> str:
    return "\n".join(f"{name}: {cell}" for name, cell in zip(head, row, strict=True) if cell)


def _columns(text: str) -> int:
    """How many columns a text takes on a terminal: a Chinese character takes two."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # large tables: only for the texts that need them

    return max(0, wcswidth(text))


def zone_of(name: str) -> tzinfo:
    """The time zone of a name."""
    return UTC if name == "UTC" else ZoneInfo(name)


def edit_text(edit: Mapping[str, Any] | None, zone: tzinfo) -> str:
    """When a file was changed last and by whom, in brackets; nothing without an edit."""
    if edit is None:
        return ""
    return f" ({moment_text(datetime.fromisoformat(edit['at']), zone)}, uid {edit['uid']})"


def moment_text(moment: datetime | None, zone: tzinfo) -> str:
    """A moment for people: in a zone (that of the policy), and in UTC."""
    if moment is None:
        return ""
    utc = moment.astimezone(UTC)
    if zone is UTC or str(zone) == "UTC":
        return f"{utc:%Y-%m-%d %H:%M} UTC"
    there = moment.astimezone(zone)
    day = "" if there.date() == utc.date() else f"{utc:%Y-%m-%d} "
    return f"{there:%Y-%m-%d %H:%M %Z} ({day}{utc:%H:%M} UTC)"
