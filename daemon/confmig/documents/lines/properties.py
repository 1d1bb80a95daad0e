"""Java .properties in UTF-8, as java.util.Properties reads a text.

The first of ``=``, ``:`` or a blank ends the key; a backslash at the end of a line joins the next
one to it; ``\\uXXXX`` and a few other escapes stand for characters. Keys are flat: ``a.b`` is one
key, whose path is ``['a.b']``.

What is not ASCII is written as ``\\uXXXX`` where the file's keys and values do so and hold no
such character as it is; comments do not count, as no reader looks at them.
"""

from __future__ import annotations

import re
from dataclasses import replace

from confmig.documents.dialects import Dialect
from confmig.documents.lines.grammar import Habits, Spot, Values, unsupported
from confmig.documents.lines.parse import STRAY, Builder
from confmig.documents.path import Place
from confmig.documents.tree import Origin

_SPACE = re.compile(r"[ \t\f\r\n]*+")
_JOIN = r"\\(?:\r\n|[\r\n])[ \t\f]*+"
_PAIR = re.compile(
    rf"(?P<key>(?:(?:{_JOIN})*+(?:[^\\ \t\f=:\r\n]++|\\[^\r\n]))*+)"
    rf"(?P<between>(?:[ \t\f]++|{_JOIN})*+(?:(?P<delimiter>[=:])(?:[ \t\f]++|{_JOIN})*+)?)"
    rf"(?P<value>(?:(?:{_JOIN})*+(?:[^\\\r\n]++|\\[^\r\n]))*+)"
    rf"(?P<rest>(?:{_JOIN})*+(?:\\\Z)?)"
)
_BLANKS = re.compile(r"[ \t\f]*+")
_JOINED = re.compile(rf"(\\[^\r\n])|{_JOIN}")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\s\S]))")
_MEANS = {"t": "\t", "n": "\n", "f": "\f", "r": "\r"}
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_AWKWARD = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff\u2028\u2029\ufeff]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "\\": "\\\\"}
_WIDE = re.compile(r"[^\x00-\x7f]")
_PATIENCE = 50_000_000
"""javaproperties searches a value anew for each line that it goes on over: how many characters
that may be in all, about a second's worth."""


class PropertiesGrammar:
    """See ``grammar.Grammar``."""

    name = "properties"
    marks = "#!"
    space = _SPACE
    stray = STRAY
    delimiter = "="
    sections = False

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = replace(dialect, repeated=False)

    def means(self, raw: str) -> str:
        """See ``grammar.Grammar``: values are read whole already."""
        return raw

    def statement(self, build: Builder, line: int, at: int) -> int:
        """See ``grammar.Grammar``."""
        text = build.text
        match = _PAIR.match(text, at)
        assert match is not None
        key = Origin(at, match.end("key"), at)
        start, end = match.span("value")
        if start == end:  # then the blanks behind the delimiter are what a new value replaces
            start = key.end if match["delimiter"] is None else match.end("delimiter")
            blanks = _BLANKS.match(text, start)
            assert blanks is not None
            end = blanks.end()
        if match.end() == len(text) and "\\" in text[end:]:
            build.map.dangling = True
        after = build.line_after(match.end())
        if key.end == at and match["delimiter"] is None:
            build.blank()  # over several lines
            return after
        name, value = (_meaning(build, match[g], match.start(g)) for g in ("key", "value"))
        build.pair(name, value, key, Origin(start, end, start), line, after)
        return after

    def key(self, name: str, quote: str | None, habits: Habits, place: Place) -> str:
        """See ``grammar.Grammar``."""
        if not name:
            raise unsupported(place, "a key cannot be empty")
        out = re.sub(r"[ =:]", r"\\\g<0>", _escaped(name, habits.ascii))
        return "\\" + out if out[0] in "#!" else out

    def value(self, value: str, habits: Habits, spot: Spot) -> str:
        """See ``grammar.Grammar``."""
        out = _escaped(value, habits.ascii)
        if out.endswith(" "):
            out = out[:-1] + "\\u0020"  # editors take blanks off the ends of lines
        first = out[:1]
        if first == " " or (first in ("=", ":") and not re.search("[=:]", spot.between)):
            return "\\" + out
        return out

    def read(self, text: str, build: Builder) -> Values:
        """See ``grammar.Grammar``."""
        from javaproperties import loads

        cost = 0
        for pair in build.map.sections[0].pairs:
            breaks = max(text.count(c, pair.start, pair.end - 1) for c in "\r\n")
            cost += (pair.end - pair.start) * breaks
            if cost > _PATIENCE:
                raise unsupported(
                    (str(pair.cell.name),),
                    "the values go on over too many lines to be verified",
                    "write long values on fewer lines",
                )
        pairs = list(loads(text, object_pairs_hook=list))
        out = dict(pairs)
        if len(out) != len(pairs):
            raise ValueError("a key stands twice")
        return out


def _meaning(build: Builder, raw: str, at: int) -> str:
    """What the text of a key or value stands for."""
    if "\\" not in raw:
        return raw
    if "\n" in raw or "\r" in raw:
        raw = _JOINED.sub(lambda m: m[1] or "", raw)

    def character(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2] == "u":
            raise build.bad(at, "a \\u without four hexadecimal digits")
        return _MEANS.get(match[2], match[2])

    return _HALVES.sub(_whole, _ESCAPE.sub(character, raw))


def _whole(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _escaped(text: str, ascii: bool) -> str:
    out = _AWKWARD.sub(lambda m: _SHORT.get(m[0]) or f"\\u{ord(m[0]):04x}", text)
    return _WIDE.sub(_units, out) if ascii else out


def _units(match: re.Match[str]) -> str:
    code = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[i : i + 4]}" for i in range(0, len(code), 4))
