"""The environment of a service, one variable a line, as python-dotenv reads it.

``KEY=value`` or ``export KEY=value``; in double quotes a backslash escapes, in single quotes only
a quote or itself; text in quotes may go on over several lines; behind a blank, ``#`` begins a
comment. ``${VAR}`` is text and is never expanded. A key without ``=`` has no value (null).

Shells, compose files and the readers of many languages agree on less than python-dotenv reads. A
new value is written so that most of them read the same: bare if it is harmless, in single quotes
if it needs no escape there, else in double quotes. The quotes a value has are kept if they can
hold the new one.
"""

from __future__ import annotations

import re
from dataclasses import replace

from confmig.documents.lines.grammar import SURROGATE, Habits, Spot, Values, unsupported
from confmig.documents.lines.parse import STRAY, Builder
from confmig.documents.model.dialects import Dialect
from confmig.documents.model.path import Place
from confmig.documents.model.tree import SourceNode

_SPACE = re.compile(r"\s*+")
_KEY = re.compile(
    r"(?P<export>export[^\S\r\n]++)?+(?:'(?P<quoted>[^'\r\n]++)'|(?P<bare>(?!')[^=#\s]++))"
)
_EQUALS = re.compile(r"[^\S\r\n]*+(?:(?P<equals>=)(?P<space>[^\S\r\n]*+))?")
_QUOTED = {
    "'": re.compile(r"'(?:[^'\\]++|\\[\s\S])*+'"),
    '"': re.compile(r'"(?:[^"\\]++|\\[\s\S])*+"'),
}
_TAIL = re.compile(r"[^\S\r\n]*+(?P<comment>#[^\r\n]*+)?(?=[\r\n]|\Z)")
_REMARK = re.compile(r"\s#")
_UNESCAPE = {"'": re.compile(r"\\([\\'])"), '"': re.compile(r"\\([\\'\"abfnrtv])")}
_MEANS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\r": "\\r", "\n": "\\n"}
_NAME = re.compile(r"(?!export\Z)[A-Za-z_][A-Za-z0-9_.-]*+\Z")
_HARMLESS = re.compile(r"(?:[\w./:@%+,=-]|\$\{\w++\})*+\Z")
_LOOSE = re.compile(r"(?:[^\s#\\'\"`]|(?!\A) (?!\Z))*+\Z")
_BLANKS = re.compile(r"[^\S\r\n]{64,}+")
_PATIENCE = 1_000_000_000
"""Steps that python-dotenv may take in all: about a second.

Its time grows with the square of a run of blanks inside a bare value.

"""


class DotenvGrammar:
    """See ``grammar.Grammar``."""

    name = "dotenv"
    marks = "#"
    space = _SPACE
    stray = STRAY
    delimiter = "="
    sections = False

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = replace(dialect, repeated=False)

    def folded(self, name: str) -> str:
        """See ``grammar.Grammar``: as it is."""
        return name

    def separates(self, line: str) -> bool:
        """See ``grammar.Grammar``: a file is one document."""
        return False

    def means(self, raw: str) -> str:
        """See ``grammar.Grammar``: values are read whole already."""
        return raw

    def statement(self, build: Builder, line: int, at: int) -> int:
        """See ``grammar.Grammar``."""
        text = build.text
        match = _KEY.match(text, at)
        if match is None:
            raise build.bad(at, "a key is expected")
        quoted = match["quoted"] is not None
        name = match["quoted"] if quoted else match["bare"]
        start = match.start("quoted") - 1 if quoted else match.start("bare")
        key = SourceNode(start, match.end(), at, "'" if quoted else None)
        equals = _EQUALS.match(text, match.end())
        assert equals is not None
        if equals["equals"] is None:
            value, node = None, SourceNode(key.end, key.end, key.end)
        else:
            value, node = self._value(build, equals)
        tail = _TAIL.match(text, node.end)
        if tail is None:
            raise build.bad(node.end, "the line should end here")
        if tail["comment"] is not None:
            build.note(*tail.span("comment"))
        after = build.line_after(tail.end())
        build.pair(name, value, key, node, line, after)
        return after

    def _value(self, build: Builder, equals: re.Match[str]) -> tuple[str, SourceNode]:
        text, at = build.text, equals.end()
        mark = text[at : at + 1]
        if mark in _QUOTED:
            match = _QUOTED[mark].match(text, at)
            if match is None:
                raise build.bad(at, "a text in quotes does not end")
            raw = match.group()[1:-1]
            if "\\" in raw:
                raw = _UNESCAPE[mark].sub(lambda m: _MEANS.get(m[1], m[1]), raw)
            return raw, SourceNode(at, match.end(), at, mark)
        bare = text[at : build.line_end(at)]
        remark = _REMARK.search(bare)
        bare = bare[: remark.start()] if remark else bare
        if (mark == "#" and equals["space"]) or not bare.rstrip():
            at = equals.end("equals")
            return "", SourceNode(at, at, at)
        bare = bare.rstrip()
        return bare, SourceNode(at, at + len(bare), at)

    def key(self, name: str, quote: str | None, habits: Habits, place: Place) -> str:
        """See ``grammar.Grammar``."""
        if _NAME.match(name):
            return f"'{name}'" if quote else name
        raise unsupported(
            place,
            "not every reader of .env takes such a name",
            "use letters, digits, underscores, dots and dashes",
        )

    def value(self, value: str, habits: Habits, spot: Spot) -> str:
        """See ``grammar.Grammar``."""
        if "\0" in value or SURROGATE.search(value):
            raise unsupported(spot.place, "an environment cannot hold such a character")
        if spot.quote != '"':
            harmless = not spot.old or _HARMLESS.match(spot.old)
            if not spot.quote and (_HARMLESS if harmless else _LOOSE).match(value):
                return value
            if not re.search(r"['\r\n]|\\\\|\\\Z", value):
                return f"'{value}'"
        escapes = dict(_ESCAPES)
        if "\n" in spot.old and spot.newline == "\n":
            # the old value has unescaped line breaks, so the new one may have them, too
            del escapes["\n"]
        return '"' + re.sub(r'[\\"\r\n]', lambda m: escapes.get(m[0], m[0]), value) + '"'

    def read(self, text: str, build: Builder) -> Values:
        """See ``grammar.Grammar``."""
        from dotenv import dotenv_values

        cost = 0
        for pair in build.map.sections[0].pairs:
            blanks = _BLANKS.finditer(text, pair.start, pair.end)
            cost += sum((m.end() - m.start()) ** 2 for m in blanks)
            if cost > _PATIENCE:
                raise unsupported(
                    (str(pair.entry.name),), "the runs of blanks are too long to be verified"
                )
        return dotenv_values(stream=_Text(text), interpolate=False)  # type: ignore[arg-type]


class _Text:
    """What python-dotenv reads from; ``io`` is for code that may touch files."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> str:
        """All of it."""
        return self._text
