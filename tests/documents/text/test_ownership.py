"""Which comments belong to an entry: one rule, the same in every format."""

from __future__ import annotations

import pytest

from confmig.documents import formats

# a comment line above `a` is put in place of %s; "" ends what is above
TEXTS = {
    "yaml": "%sa: 1\nb: 2\n",
    "yaml, a list": "l:\n  - x\n%s  - y\n  - z\n",
    "yaml, flow": "m: {\n%s  a: 1,\n  b: 2\n}\n",
    "jsonc": '{\n%s  "a": 1,\n  "b": 2\n}\n',
    "json5": "{\n%s  a: 1,\n  b: 2,\n}\n",
    "toml": "%sa = 1\nb = 2\n",
    "toml, a list": "l = [\n  'x',\n%s  'y',\n  'z',\n]\n",
    "ini": "[s]\n%sa = 1\nb = 2\n",
    "properties": "%sa=1\nb=2\n",
    "dotenv": "%sA=1\nB=2\n",
}
PATHS = {
    "yaml, a list": "l[1]",
    "yaml, flow": "m.a",
    "toml, a list": "l[1]",
    "ini": "s.a",
    "dotenv": "A",
}
INDENTED = ("yaml, a list", "yaml, flow", "jsonc", "json5", "toml, a list")


def remaining(case: str, *comments: str) -> list[str]:
    """Which of the comment lines above an entry are there after the entry was deleted."""
    mark = "//" if case.startswith("json") else "#"
    pad = "  " if case in INDENTED else ""
    lines = [f"{pad}{mark}{comment}" if comment else "" for comment in comments]
    source = TEXTS[case] % "".join(f"{line}\n" for line in lines)
    document = formats.parse(source.encode(), format=case.partition(",")[0])
    document.delete(PATHS.get(case, "a"))
    done = formats.render(document).data.decode().splitlines()
    return [c for c, line in zip(comments, lines, strict=True) if c and line in done]


@pytest.mark.parametrize("case", TEXTS)
def test_comment_lines_directly_above_an_entry_go_with_it(case: str) -> None:
    assert remaining(case, " one thing", " and another") == []


@pytest.mark.parametrize("case", TEXTS)
def test_what_is_apart_by_a_blank_line_stays(case: str) -> None:
    assert remaining(case, " apart", "", " its own") == [" apart"]


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("tool", [" Copyright 2026", " SPDX-License-Identifier: MIT", " vim: et"])
def test_what_a_tool_reads_stays_with_what_is_above_it(case: str, tool: str) -> None:
    assert remaining(case, " above", tool, " its own") == [" above", tool]


@pytest.mark.parametrize("case", TEXTS)
def test_an_entry_that_was_commented_out_stays_with_the_deeper_lines_below_it(case: str) -> None:
    assert remaining(case, " above", " old: 1", "   more of it", " its own") == [
        " above",
        " old: 1",
        "   more of it",
    ]


@pytest.mark.parametrize("case", TEXTS)
def test_an_example_is_a_remark_and_a_line_for_an_editor_is_not(case: str) -> None:
    assert remaining(case, " ex: 10.0.0.1 or a name", " its own") == []
    assert remaining(case, " ex: set ts=4:", " its own") == [" ex: set ts=4:"]
