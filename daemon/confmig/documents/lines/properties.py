"""Java .properties in UTF-8, as java.util.Properties reads a text.

The first of ``=``, ``:`` or a blank ends the key; a backslash at the end of a line joins the next
one to it; ``\\uXXXX`` and a few other escapes stand for characters. Keys are flat: ``a.b`` is one
key, whose path is ``['a.b']``.

What is not ASCII is written as ``\\uXXXX``, which every reader understands, unless the file's keys
and values hold such characters as they are, or the configuration says ``encoding: utf-8``. Comments
do not count, as no reader looks at them.

A line ``#---`` separates the documents of a Spring file. A path means the key in the one document
that has it; a new key goes to the end of the first document.
"""

from __future__ import annotations

import re
from dataclasses import replace

from confmig.documents.lines.grammar import Habits, Spot, Values, unsupported
from confmig.documents.lines.parse import STRAY, Builder
from confmig.documents.model.dialects import Dialect
from confmig.documents.model.path import Place
from confmig.documents.model.tree import SourceNode
from confmig.documents.text.pieces import text_of
from confmig.documents.text.rewording import reworded_by_character

_SPACE = re.compile(r"[ \t\f\r\n]*+")
_JOIN = r"\\(?:\r\n|[\r\n])[ \t\f]*+"
_PAIR = re.compile(
    rf"(?P<key>(?:(?:{_JOIN})*+(?:[^\\ \t\f=:\r\n]++|\\[^\r\n]))*+)"
    rf"(?P<between>(?:[ \t\f]++|{_JOIN})*+(?:(?P<delimiter>[=:])(?:[ \t\f]++|{_JOIN})*+)?)"
    rf"(?P<value>(?:(?:{_JOIN})*+(?:[^\\\r\n]++|\\[^\r\n]))*+)"
    rf"(?P<rest>(?:{_JOIN})*+(?:\\\Z)?)"
)
_BLANKS = re.compile(r"[ \t\f]*+")
_CHARACTER = re.compile(
    rf"(?P<join>{_JOIN})|\\u(?P<unit>[0-9a-fA-F]{{4}})|\\[^\r\n]|[^\\]", re.DOTALL
)
_JOINED = re.compile(rf"(\\[^\r\n])|{_JOIN}")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\s\S]))")
_MEANS = {"t": "\t", "n": "\n", "f": "\f", "r": "\r"}
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_AWKWARD = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff\u2028\u2029\ufeff]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "\\": "\\\\"}
_WIDE = re.compile(r"[^\x00-\x7f]")
_BEYOND = re.compile(r"[^\x00-\xff]")
_PATIENCE = 50_000_000
"""Characters that javaproperties may search in all: about a second.

It searches a value again for each line that the value continues on.

"""


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

    def folded(self, name: str) -> str:
        """See ``grammar.Grammar``: as it is."""
        return name

    def separates(self, line: str) -> bool:
        """See ``grammar.Grammar``: Spring's files may hold several documents."""
        return self.dialect.spring is not False and line in SEPARATORS

    def means(self, raw: str) -> str:
        """See ``grammar.Grammar``: values are read whole already."""
        return raw

    def statement(self, build: Builder, line: int, at: int) -> int:
        """See ``grammar.Grammar``."""
        text = build.text
        match = _PAIR.match(text, at)
        assert match is not None
        key = SourceNode(at, match.end("key"), at)
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
        build.pair(name, value, key, SourceNode(start, end, start), line, after)
        return after

    def key(self, name: str, quote: str | None, habits: Habits, place: Place) -> str:
        """See ``grammar.Grammar``."""
        if not name:
            raise unsupported(place, "a key cannot be empty")
        out = re.sub(r"[ =:]", r"\\\g<0>", self._escaped(name, habits))
        return "\\" + out if out[0] in "#!" else out

    def value(self, value: str, habits: Habits, spot: Spot) -> str:
        """See ``grammar.Grammar``."""
        kept = self._kept(value, habits, spot) if "\n" in spot.old or "\r" in spot.old else None
        if kept is not None:
            return kept
        out = self._escaped(value, habits)
        if out.endswith(" "):
            out = out[:-1] + "\\u0020"  # editors take blanks off the ends of lines
        first = out[:1]
        if first == " " or (first in ("=", ":") and not re.search("[=:]", spot.between)):
            return "\\" + out
        return out

    def _escaped(self, text: str, habits: Habits) -> str:
        """Text with escapes for what the file's encoding does not hold, or does not use."""
        ascii = habits.ascii and self.dialect.encoding != "utf-8"
        out = _escaped(text, ascii)
        return _BEYOND.sub(_units, out) if self.dialect.encoding == "latin-1" else out

    def _kept(self, value: str, habits: Habits, spot: Spot) -> str | None:
        """A value that goes on over lines, with other words in them; None if it cannot."""
        characters = _characters(spot.old)
        if len(characters) != len(spot.was):
            return None
        pieces = reworded_by_character(
            spot.old, characters, spot.was, value, lambda text: self._escaped(text, habits)
        )
        text = _without_blank_lines(text_of(spot.old, pieces))
        if text[:1] in (" ", "\t", "\f"):
            text = "\\" + text  # it would belong to what is before the value
        return text if _plain(text) == value else None

    def read(self, text: str, build: Builder) -> Values:
        """See ``grammar.Grammar``."""
        from javaproperties import loads

        cost = 0
        for pair in build.map.sections[0].pairs:
            breaks = max(text.count(c, pair.start, pair.end - 1) for c in "\r\n")
            cost += (pair.end - pair.start) * breaks
            if cost > _PATIENCE:
                raise unsupported(
                    (str(pair.entry.name),),
                    "the values go on over too many lines to be verified",
                    "write long values on fewer lines",
                )
        repeated = build.document.repeated.get(id(build.map.sections[0].table), {})
        out: dict[str, str] = {}
        for part in _parts(text) if build.map.separators else [text]:
            pairs = [p for p in loads(part, object_pairs_hook=list) if p[0] not in repeated]
            before = len(out)
            out |= dict(pairs)
            if len(out) != before + len(pairs):
                raise ValueError("a key occurs twice")
        return out


SEPARATORS = ("#---", "!---")
"""The lines between the documents of a file, as Spring Boot's reference has them."""


def _parts(text: str) -> list[str]:
    """The documents of a text."""
    return re.split(r"(?m)^[#!]---$", text.replace("\r\n", "\n").replace("\r", "\n"))


def _without_blank_lines(raw: str) -> str:
    """A value over lines without those that hold nothing; the last line does not go on."""
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", raw)
    kept = [line for line in lines if line.strip(" \t\f\r\n\\")]
    if not kept or len(kept) == len(lines):
        return raw if kept else ""
    if lines[0] is not kept[0]:  # what is before the value gives the indentation
        kept[0] = kept[0].lstrip(" \t\f")
    if lines[-1] is not kept[-1]:
        kept[-1] = re.sub(r"\\\r?\n?$", "", kept[-1])
    return "".join(kept)


def _characters(raw: str) -> list[tuple[int, int]]:
    """Where each character of a value is in its text."""
    out: list[tuple[int, int]] = []
    halves = ""
    for match in _CHARACTER.finditer(raw):
        if match["join"]:
            continue
        unit = chr(int(match["unit"], 16)) if match["unit"] else ""
        if halves and "\udc00" <= unit <= "\udfff":
            out[-1] = (out[-1][0], match.end())
            halves = ""
            continue
        halves = unit if "\ud800" <= unit <= "\udbff" else ""
        out.append(match.span())
    return out


def _plain(raw: str) -> str | None:
    """What the text of a value stands for; None if it is broken."""
    joined = _JOINED.sub(lambda m: m[1] or "", raw)
    if re.search(r"\\u(?![0-9a-fA-F]{4})", joined):
        return None
    return _HALVES.sub(
        _whole,
        _ESCAPE.sub(
            lambda m: chr(int(m[1], 16)) if m[1] else _MEANS.get(m[2], m[2]),
            joined,
        ),
    )


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
