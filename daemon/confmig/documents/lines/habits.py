"""How a file of lines writes: measured once from its pairs, followed by what is new in it."""

from __future__ import annotations

import re
from collections import Counter

from confmig.documents.lines.grammar import Grammar, Habits
from confmig.documents.lines.statements import Pair, Section
from confmig.documents.model.tree import Entry

_BLANKS = re.compile(r"[ \t]+")


def measure(text: str, grammar: Grammar, sections: list[Section]) -> Habits:
    """The habits of a text."""
    delimiters: Counter[str] = Counter()
    prefixes: Counter[str] = Counter()
    hangs: Counter[str] = Counter()
    bare = False
    plain = True
    for section in sections:
        for pair in (*section.pairs, *section.again):
            between, raw = _texts(text, pair.entry)
            bare = bare or pair.value is None
            on_line = raw.split("\n", 1)[0].strip()
            if between and on_line and not re.search(r"[\\\r\n\f]", between):
                delimiters[_BLANKS.sub(lambda m: m[0][0], between)] += 1
            key = pair.entry.key
            assert key is not None
            prefixes[text[key.outer : key.start].strip(" \t'")] += 1
            if pair.value and "\n" in raw:
                deeper = _hang(margin_of(text, pair), raw)
                if deeper:
                    hangs[deeper] += 1
            whole = text[key.start : key.end] + raw
            plain = plain and whole.isascii()
    exported = prefixes["export"] * 2 > prefixes.total()
    return Habits(
        delimiter=_most(delimiters) or grammar.delimiter,
        prefix="export " if exported else "",
        bare=bare,
        hang=_most(hangs),
        ascii=plain,
    )


def unit_of(text: str, sections: list[Section]) -> str:
    """How much deeper pairs stand than the header of their section."""
    units: Counter[str] = Counter()
    for section in sections[1:]:
        if section.pairs:
            outer, inner = margin_of(text, section), margin_of(text, section.pairs[0])
            if inner.startswith(outer):
                units[inner[len(outer) :]] += 1
    return _most(units) or ""


def margin_of(text: str, statement: Pair | Section) -> str:
    """The blanks before a statement; none for the section without a header."""
    if statement.entry is None or statement.entry.key is None:
        return ""
    return text[statement.start : statement.entry.key.outer]


def _texts(text: str, entry: Entry) -> tuple[str, str]:
    key, node = entry.key, entry.source
    assert key is not None
    assert node is not None
    return text[key.end : node.start], text[node.start : node.end]


def _hang(margin: str, raw: str) -> str:
    """How much deeper than its key the second line of a value with text stands."""
    for line in raw.split("\n")[1:]:
        if line.strip() and line.lstrip()[0] not in "#;":
            blanks = line[: len(line) - len(line.lstrip())]
            return blanks[len(margin) :] if blanks.startswith(margin) else ""
    return ""


def _most(counter: Counter[str]) -> str | None:
    return counter.most_common(1)[0][0] if counter else None
