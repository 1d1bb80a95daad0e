"""Tables and times for people."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from confmig.reports.text import moment_text, table

ROWS = [("a大.yaml", 1, "ok"), ("b.yaml", None, "x\n\u202e")]
HEAD = ("DOCUMENT", "V", "STATE")


def test_wide_characters_count_twice_and_text_from_outside_is_escaped() -> None:
    assert table(ROWS, HEAD).splitlines() == [
        "DOCUMENT  V  STATE",
        "a大.yaml  1  ok",
        "b.yaml       x\\n\\u202e",
    ]
    assert table([], HEAD) == "DOCUMENT  V  STATE"


def test_a_table_that_does_not_fit_is_blocks_and_loses_nothing() -> None:
    whole = table(ROWS, HEAD)
    widest = 22  # 8 + 2 + 1 + 2 + 9
    assert table(ROWS, HEAD, widest) == whole
    assert table(ROWS, HEAD, widest - 1) == (
        "DOCUMENT: a大.yaml\nV: 1\nSTATE: ok\n\nDOCUMENT: b.yaml\nSTATE: x\\n\\u202e"
    )


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (UTC, "2026-11-28 23:30 UTC"),
        (ZoneInfo("UTC"), "2026-11-28 23:30 UTC"),
        (ZoneInfo("America/New_York"), "2026-11-28 18:30 EST (23:30 UTC)"),
        (ZoneInfo("Europe/Berlin"), "2026-11-29 00:30 CET (2026-11-28 23:30 UTC)"),
    ],
)
def test_a_moment_in_the_zone_of_the_policy_and_in_utc(zone: tzinfo, expected: str) -> None:
    assert moment_text(datetime(2026, 11, 28, 23, 30, tzinfo=UTC), zone) == expected
    assert moment_text(None, zone) == ""
