"""INI as Python's configparser reads it: the independent reader is the standard library's.

``;`` and ``#`` begin a comment at the start of a line only; a value goes on over lines that are
indented deeper than its key, blank lines between them included. Keys may stand above the first
section. A key alone on its line has no value (null).

Readers of INI differ, so little is written that one of them could read otherwise: no line break
or key without value unless the file has such already, nothing that looks like a comment.
"""

from __future__ import annotations

import configparser
import re

from confmig.documents.lines.grammar import SURROGATE, Habits, Spot, Values, unsupported
from confmig.documents.lines.parse import Builder
from confmig.documents.path import Place
from confmig.documents.tree import Origin

_SPACE = re.compile(r"\s*+")
_HEADER = re.compile(r"\[(?P<name>[^\]\r\n]++)\][^\S\r\n]*+(?P<comment>[#;][^\r\n]*+)?")
_KEY = re.compile(r"[^=:\r\n]*+")
_STRAY = re.compile(r"\0|\r(?!\n)|\A\ufeff")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_REMARK = re.compile(r"\s[;#]|\A;|\A#(?!\w)")


class IniGrammar:
    """See ``grammar.Grammar``."""

    name = "ini"
    marks = "#;"
    space = _SPACE
    stray = _STRAY
    delimiter = " = "
    sections = True

    def statement(self, build: Builder, line: int, at: int) -> int:
        """See ``grammar.Grammar``: a header, or a pair with the lines its value goes on over."""
        text, end = build.text, build.line_end(at)
        after = build.line_after(end)
        if text[at] == "[":
            self._header(build, line, at, end, after)
            return after
        match = _KEY.match(text, at)
        assert match is not None
        stop = match.end()
        name = match.group().rstrip()
        if not name:
            raise build.bad(at, "a key is expected")
        key = Origin(at, at + len(name), at)
        if stop == end:
            after = self._go_on(build, after, at - line, None)[1]
            build.pair(name, None, key, Origin(key.end, end, key.end), line, after)
            return after
        first = text[stop + 1 : end].strip()
        start = text.index(first, stop + 1) if first else stop + 1
        parts = [first]
        last, after = self._go_on(build, after, at - line, parts)
        # the last line ends where its text does; a value without any text is the blank behind
        # the delimiter
        close = last or (start + len(first) if first else end)
        node = Origin(start, close, start)
        build.pair(name, "\n".join(parts).rstrip(), key, node, line, after)
        return after

    def _header(self, build: Builder, line: int, at: int, end: int, after: int) -> None:
        match = _HEADER.match(build.text, at, end)
        if match is None or match.end() < end:
            raise build.bad(at, "a section header does not end, or something follows it")
        if match["comment"] is not None:
            if "]" in match["comment"]:
                raise build.bad(at, "readers differ about a ']' behind a section header")
            build.note(*match.span("comment"))
        start, stop = match.span("name")
        build.header(match["name"], Origin(start, stop, at), line, after)

    def _go_on(
        self, build: Builder, at: int, level: int, parts: list[str] | None
    ) -> tuple[int, int]:
        """Read the lines that a value goes on over. Returns the end of their text (0 for none)
        and the start of the line after them; comments behind them are left for others."""
        text, size = build.text, len(build.text)
        last, after, blank = 0, at, 0
        notes: list[tuple[int, int]] = []
        ahead = text[at : at + 1]
        if ahead and ahead not in self.marks and not ahead.isspace():
            return 0, at  # as nearly always
        while True:
            match = _SPACE.match(text, at)
            assert match is not None
            here = match.end()
            if here >= size:
                break
            line = text.rfind("\n", at, here) + 1 or at
            blank += text.count("\n", at, line)
            end = build.line_end(here)
            if text[here] in self.marks:
                notes.append((here, end))
                at = build.line_after(end)
                continue
            if here - line <= level:
                break
            if parts is None:
                raise build.bad(here, "a line goes on for a key that has no value")
            for note in notes:
                build.note(*note)
            part = text[here:end].rstrip()
            parts.append("\n" * blank + part)
            last = here + len(part)
            after = at = build.line_after(end)
            notes, blank = [], 0
        return last, after

    def key(self, name: str, quote: str | None, habits: Habits, place: Place) -> str:
        """See ``grammar.Grammar``. The quote of a section's name is ``[``."""
        if not name or name != name.strip() or _CONTROL.search(name) or re.search(r"[\t\n]", name):
            raise unsupported(place, "INI cannot hold such a name: no blanks around it, no breaks")
        if SURROGATE.search(name):
            raise unsupported(place, "UTF-8 cannot hold a lone surrogate")
        if quote == "[":
            if "]" in name:
                raise unsupported(place, "the name of an INI section cannot hold ']'")
        elif name[0] in "#;[" or "=" in name or ":" in name:
            raise unsupported(place, "INI cannot hold a key with '=' or ':', or '#;[' in front")
        return name

    def value(self, value: str, habits: Habits, spot: Spot) -> str:
        """See ``grammar.Grammar``."""
        place = spot.place
        if SURROGATE.search(value) or _CONTROL.search(value):
            raise unsupported(place, "INI cannot hold such a character in a value")
        if _REMARK.search(value) and not _REMARK.search(spot.was):
            raise unsupported(place, "many readers of INI would take a part of it for a comment")
        lines = value.split("\n")
        if any(x != x.strip() for x in lines):
            raise unsupported(place, "INI cannot hold a value with blanks around it or its lines")
        if len(lines) == 1:
            return value
        if habits.hang is None:
            raise unsupported(
                place,
                "readers of INI differ about values of several lines, and this file has none",
                "write the value on one line",
            )
        if not all(x and x[0] not in self.marks for x in lines[1:]):
            raise unsupported(place, "a line of an INI value cannot be blank or begin with # or ;")
        return (spot.newline + spot.margin + habits.hang).join(lines)

    def read(self, text: str, build: Builder) -> Values:
        """See ``grammar.Grammar``. Keys above the first section stand in one of our own making,
        and DEFAULT is a section like others."""
        names = build.map.sections[0].table.keys()
        above = "-"
        while above in names:
            above += "-"
        reader = _Reader(
            strict=True,
            interpolation=None,
            allow_no_value=True,
            comment_prefixes=("#", ";"),
            inline_comment_prefixes=None,
            delimiters=("=", ":"),
            default_section="]",
        )
        try:
            reader.read_string(f"[{above}]\n{text}")
        except (configparser.Error, AttributeError) as error:
            raise ValueError(type(error).__name__) from None
        out: dict[str, str | dict[str, str | None] | None] = dict(reader.items(above))
        for name in reader.sections():
            if name in out:
                raise ValueError("a key and a section of one name")
            if name != above:
                out[name] = dict(reader.items(name))
        return out


class _Reader(configparser.RawConfigParser):
    # the same language as the base class's own pattern, which takes the square of the length of
    # a run of blanks inside a key
    OPTCRE_NV = re.compile(
        r"(?P<option>[^\s=:]*+(?:\s++(?![=:])[^\s=:]++)*+)\s*+(?:(?P<vi>[=:])\s*+(?P<value>.*))?$"
    )

    def optionxform(self, optionstr: str) -> str:
        return optionstr
