"""How confmig writes for people."""

from __future__ import annotations

import pytest

from confmig.errors import Problem, Refused
from confmig.writer import counted, error_lines, escaped

HOSTILE = "a\nb\r\x1b[31m\u202e\u2066\u200b\x9b\x00\u2028c"


def test_a_text_from_outside_stays_one_harmless_line() -> None:
    got = escaped(HOSTILE)
    assert got == "a\\nb\\r\\x1b[31m\\u202e\\u2066\\u200b\\x9b\\x00\\u2028c"
    assert got.isprintable()
    assert escaped("größe 大きさ.yaml") == "größe 大きさ.yaml"
    assert escaped(escaped(HOSTILE)) == got


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_counts(number: int, text: str) -> None:
    assert counted(number, "file") == text


def test_an_error_is_a_sentence_and_a_line_of_help() -> None:
    assert error_lines("not_yaml", "a tab", "a.yaml:3", "remove it") == [
        "a.yaml:3: a tab [not_yaml]",
        "  help: remove it",
    ]
    assert error_lines("not_yaml", "a tab") == ["a tab [not_yaml]"]


def test_errors_and_problems_escape_each_part() -> None:
    problem = Problem("code", HOSTILE, HOSTILE, HOSTILE)
    error = Refused("code", HOSTILE, place=HOSTILE, fix=HOSTILE)
    error.migration = HOSTILE
    for one in (problem, error):
        first, second = str(one).split("\n")
        assert first.isprintable()
        assert second.startswith("  help: a\\nb")
