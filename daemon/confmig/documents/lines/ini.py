"""INI, in the dialect of a file's readers (see ``documents.model.dialects``).

``;`` and ``#`` begin a comment at the start of a line; behind a value only where the dialect says
so. A value goes on over lines that are indented deeper than its key (blank lines between them
included), or over lines that end with a backslash, or not at all. Keys may be above the first
section. A key alone on its line has no value (null).

Where nothing is known of the readers, little is written or changed that one of them could read
otherwise: no line break or key without value unless the file has such already, nothing that looks
like a comment, no value with something behind it that may be one.
"""

from __future__ import annotations

import configparser
import re
from typing import Any

from confmig.documents.lines.grammar import SURROGATE, Habits, Spot, Values, unsupported
from confmig.documents.lines.parse import Builder
from confmig.documents.model.dialects import Dialect
from confmig.documents.model.differences import differences
from confmig.documents.model.path import Place
from confmig.documents.model.tree import Entry, SourceNode
from confmig.documents.text.pieces import text_of
from confmig.documents.text.rewording import reworded

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

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def statement(self, build: Builder, line: int, at: int) -> int:
        """See ``grammar.Grammar``: a header, or a pair with the lines its value goes on over."""
        text, end = build.text, build.line_end(at)
        after = build.line_after(end)
        if text[at] == "[":
            self._header(build, line, at, end, after)
            return after
        if text[at] == "!" and self.dialect.includes:
            build.note(at, end)
            build.blank()
            return after
        match = _KEY.match(text, at, self._remark(text, at, end))
        assert match is not None
        stop = match.end()
        name = match.group().rstrip()
        if not name:
            raise build.bad(at, "a key is expected")
        key = SourceNode(at, at + len(name), at)
        if text[stop : stop + 1] not in ("=", ":"):
            self._note(build, stop, end)
            if self._indents:
                after = self._go_on(build, after, at - line, None)[1]
            build.pair(name, None, key, SourceNode(key.end, stop, key.end), line, after)
            return after
        cut = self._remark(text, stop + 1, end)
        self._note(build, cut, end)
        first = text[stop + 1 : cut].strip()
        start = text.index(first, stop + 1) if first else stop + 1
        parts = [first]
        last = 0
        if self._indents:
            last, after = self._go_on(build, after, at - line, parts)
        elif self.dialect.continuation == "backslash" and cut == end:
            last, after = self._joined(build, after, parts)
        # the last line ends where its text does; a value without any text is the blank behind
        # the delimiter
        close = last or (start + len(first) if first else cut)
        node = SourceNode(start, close, start)
        value = "\n".join(parts).rstrip()
        if self.dialect.continuation == "backslash":
            value = " ".join(part for part in parts if part)
        if self.dialect.quotes:
            value = self.means(text[start:close] if self.dialect.escapes else value)
        entry = build.pair(name, value, key, node, line, after)
        self._doubt(build, entry, value, after)
        return after

    @property
    def _indents(self) -> bool:
        return self.dialect.continuation in ("indent", None)

    def _remark(self, text: str, start: int, end: int) -> int:
        """Where a comment behind a value begins on a line, or the end of the line."""
        dialect = self.dialect
        at, quote = start, ""
        while dialect.inline and at < end:
            if quote:
                if text[at] == "\\" and quote == '"':
                    at += 1
                elif text.startswith(quote, at):
                    at, quote = at + len(quote) - 1, ""
            else:
                quote = next((q for q in dialect.quotes if text.startswith(q, at)), "")
                if quote:
                    at += len(quote) - 1
                elif text[at] in dialect.inline and (dialect.anywhere or text[at - 1] in " \t"):
                    return at
            at += 1
        return end

    def _note(self, build: Builder, at: int, end: int) -> None:
        """A comment behind a value."""
        if at < end:
            build.note(at, end)

    def _joined(self, build: Builder, at: int, parts: list[str]) -> tuple[int, int]:
        """Read the lines that a backslash joins to a value; see ``_go_on``."""
        text, last = build.text, 0
        while parts[-1].endswith("\\") and at < len(text):
            parts[-1] = parts[-1][:-1].rstrip()
            end = build.line_end(at)
            line = text[at:end]
            bare = line.strip()
            if bare[:1] and bare[0] in self.marks:  # systemd passes comments by
                build.note(at + line.index(bare), end)
                parts[-1] += "\\"
            else:
                cut = self._remark(text, at, end)
                self._note(build, cut, end)
                parts.append(text[at:cut].strip())
                last = at + len(text[at:cut].rstrip())
            at = build.line_after(end)
        return last, at

    def _doubt(self, build: Builder, entry: Entry, value: str, after: int) -> None:
        """Whether readers differ about a value, since nothing is known of the dialect."""
        if self.dialect.inline is None and _REMARK.search(value) and not _quoted(value):
            build.unclear(
                entry,
                "the text behind it may be a comment",
                'set `inline_comments` of the configuration in manifest.json to [";", "#"], or to '
                "[] if a comment never follows a value",
            )
        elif self.dialect.continuation is None and value.endswith("\\"):
            following = build.text[after : after + 1]
            if following and not following.isspace():
                build.unclear(
                    entry,
                    "it ends with a backslash, which may join the next line to it",
                    "set `continuation` of the configuration in manifest.json to backslash or none",
                )

    def _header(self, build: Builder, line: int, at: int, end: int, after: int) -> None:
        match = _HEADER.match(build.text, at, end)
        if match is None or match.end() < end:
            raise build.bad(at, "a section header does not end, or something follows it")
        if match["comment"] is not None:
            if "]" in match["comment"]:
                raise build.bad(at, "readers differ about a ']' behind a section header")
            build.note(*match.span("comment"))
        start, stop = match.span("name")
        build.header(match["name"], SourceNode(start, stop, at), line, after)

    def _go_on(
        self, build: Builder, at: int, level: int, parts: list[str] | None
    ) -> tuple[int, int]:
        """Read the lines that a value goes on over.

        Returns the end of their text (0 for none) and the start of the line after them;
        comments behind them are left for others.
        """
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
                raise build.bad(here, "a line continues a key that has no value")
            for note in notes:
                build.note(*note)
            cut = self._remark(text, here, end)
            self._note(build, cut, end)
            part = text[here:cut].rstrip()
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
        kept = self._kept(value, spot) if "\n" in spot.old else None
        if kept is not None:
            return kept
        if self.dialect.escapes:
            return self._escaped(value, spot)
        if self._needs_quotes(value, spot.was) or (self.dialect.quotes and _quoted(spot.old)):
            return self._in_quotes(value, spot)
        lines = value.split("\n")
        if any(x != x.strip() for x in lines):
            raise unsupported(place, "INI cannot hold a value with blanks around it or its lines")
        if len(lines) == 1:
            return value
        if not self._indents:
            raise unsupported(place, "this file cannot hold a value of several lines")
        if habits.hang is None:
            raise unsupported(
                place,
                "readers of INI differ about values of several lines, and this file has none",
                "write the value on one line",
            )
        if not all(x and x[0] not in self.marks for x in lines[1:]):
            raise unsupported(place, "a line of an INI value cannot be blank or begin with # or ;")
        return (spot.newline + spot.margin + habits.hang).join(lines)

    def _kept(self, value: str, spot: Spot) -> str | None:
        """A value of several lines that keeps the lines that are in the new one.

        The comments between them stay, too. None if that is not possible.
        """
        if not self._indents:
            pieces = reworded(spot.old, (0, len(spot.old)), spot.was, value, gap=_JOINS)
            text = text_of(spot.old, pieces) if pieces is not None else ""
            whole = bool(text) and all(line.strip(" \t\\") for line in text.splitlines())
            return text if whole and not self._needs_quotes(value, spot.was) else None
        old, new = spot.was.split("\n"), value.split("\n")
        lines = [line.rstrip("\r") for line in spot.old.split("\n")]
        meant = [
            n for n, line in enumerate(lines) if not n or line.strip()[:1] not in tuple(self.marks)
        ]
        if len(meant) != len(old) or len(new) < 2 or any(x != x.strip() for x in new):
            return None
        known = set(old)
        if any((not x or x[0] in self.marks) and x not in known for x in new[1:]):
            return None
        if bool(old[0]) != bool(new[0]) or not new[-1]:
            return None
        out: list[str] = []
        at = 0
        hang = next((_margin(lines[n]) for n in meant[1:] if lines[n].strip()), "")
        for a, b, c, d in differences(old, new):
            stop = meant[a] if a < len(meant) else len(lines)
            out += lines[at:stop]
            for offset in range(d - c):
                if a + offset < b:
                    before = lines[meant[a + offset]]
                    start = max(0, before.find(old[a + offset]))
                    behind = before[start + len(old[a + offset]) :]
                    out.append(before[:start] + new[c + offset] + behind)
                else:
                    out.append(hang + new[c + offset])
                if a + offset + 1 < b:  # comments between the two
                    out += lines[meant[a + offset] + 1 : meant[a + offset + 1]]
            at = meant[b - 1] + 1 if b > a else stop
        out += lines[at:]
        texts = [x.strip() for x in out if not x.strip() or x.strip()[0] not in self.marks]
        read = [x[: self._remark(x, 0, len(x))].rstrip() for x in texts]
        deep = all(_margin(x) for x in out[1:] if x.strip())
        return spot.newline.join(out) if "\n".join(read) == value and deep else None

    def _escaped(self, value: str, spot: Spot) -> str:
        """A value where a backslash escapes: in quotes where it needs them or had them."""
        special = any(c in value for c in '#;"\\\\\n\t') or value != value.strip()
        if not special and not _quoted(spot.old):
            return value
        for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
            value = value.replace(plain, escape)
        return f'"{value}"'

    def _needs_quotes(self, value: str, was: str) -> bool:
        """Whether a reader would take a part of a value for a comment, or its end for a join."""
        dialect = self.dialect
        if dialect.continuation == "backslash" and value.endswith("\\"):
            return True
        if dialect.inline is None:
            return _REMARK.search(value) is not None and not _REMARK.search(was)
        if dialect.anywhere:
            return any(mark in value for mark in dialect.inline)
        return any(re.search(rf"(?:\A|\s){re.escape(mark)}", value) for mark in dialect.inline)

    def _in_quotes(self, value: str, spot: Spot) -> str:
        """A value in the quotes of the old one, or in those of the dialect."""
        tried = [_quoted(spot.old), *(q for q in ('"', "'", '"""') if q in self.dialect.quotes)]
        for quote in tried:
            if quote and quote not in value and "\n" not in value and not value.endswith("\\"):
                return quote + value + quote
        why = "many readers of INI would take a part of it for a comment"
        if value.endswith("\\"):
            why = "a backslash at its end would join the next line to it"
        raise unsupported(spot.place, why)

    def folded(self, name: str) -> str:
        """See ``grammar.Grammar``."""
        if self.dialect.folds == "case":
            head, quote, rest = name.partition('"')  # Git compares subsections as they are
            return head.lower() + quote + rest
        return name.replace("-", "_") if self.dialect.folds == "dash" else name

    def separates(self, line: str) -> bool:
        """See ``grammar.Grammar``: a file is one document."""
        return False

    def means(self, raw: str) -> str:
        """See ``grammar.Grammar``."""
        if self.dialect.escapes:
            return _unescaped(raw)
        quote = _quoted(raw)
        return raw[len(quote) : -len(quote)] if quote else raw

    def read(self, text: str, build: Builder) -> Values:
        """See ``grammar.Grammar``.

        Keys above the first section are in one of our own making, and DEFAULT is a section
        like others.
        """
        names = build.map.sections[0].table.keys()
        above = "-"
        while above in names:
            above += "-"
        reader = _Reader(
            strict=not self.dialect.repeated,
            interpolation=None,
            allow_no_value=True,
            comment_prefixes=("#", ";"),
            inline_comment_prefixes=None,
            delimiters=("=", ":"),
            default_section="]",
        )
        try:
            reader.read_string(f"[{above}]\n{self._plain(text)}")
        except (configparser.Error, AttributeError) as error:
            raise ValueError(type(error).__name__) from None
        out: dict[str, str | dict[str, str | None] | None] = dict(reader.items(above))
        for name in reader.sections():
            if name in out:
                raise ValueError("a key and a section of one name")
            if name != above:
                out[name] = dict(reader.items(name))
        return _without(out, build)

    def _plain(self, text: str) -> str:
        """The text as configparser reads it.

        Where the dialect is another one, comments behind values are left out, joined lines
        are indented, and all other lines are not.
        """
        if self.dialect.continuation in ("indent", None) and not self.dialect.inline:
            return text
        lines: list[str] = []
        joined = False
        for whole in text.split("\n"):
            line = whole.rstrip("\r")
            bare = line.strip()
            if bare[:1] in ("#", ";") or (self.dialect.includes and bare[:1] == "!"):
                continue
            bare = _uncommented(bare, self.dialect)
            if self._indents:
                lines.append(line[: len(line) - len(line.lstrip())] + bare)
                continue
            ends = self.dialect.continuation == "backslash" and bare.endswith("\\")
            if joined and self.dialect.escapes:
                lines[-1] += (
                    "\\" + "\f" + _uncommented(line.rstrip(), self.dialect).removesuffix("\\")
                )
            elif joined:
                lines[-1] = f"{lines[-1]} {bare[:-1].rstrip() if ends else bare}".rstrip()
            elif ends:
                kept = line.lstrip().removesuffix("\\")
                lines.append(kept if self.dialect.escapes else kept.rstrip())
            else:
                lines.append(bare)
            joined = ends
        return "\n".join(lines)


def _quoted(text: str) -> str:
    """The quote that a whole text is in; empty for none."""
    for quote in ('"""', "'''", '"', "'", "`"):
        inner = text[len(quote) : -len(quote)]
        long = len(text) >= 2 * len(quote)
        if long and text.startswith(quote) and text.endswith(quote) and quote not in inner:
            return quote
    return ""


_JOINS = r"(?:[ \t]|\\[ \t]*\r?\n)+"


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _unescaped(raw: str) -> str:
    """What a value means to Git: quotes go, a backslash escapes, one at the end of a line joins."""
    out: list[str] = []
    at, quoted, solid = 0, False, 0
    while at < len(raw):
        char = raw[at]
        if char == "\\" and at + 1 < len(raw):
            at += 1
            if raw[at] == "\r" and raw[at + 1 : at + 2] == "\n":
                at += 1
            if raw[at] not in "\n\f":
                out.append(_GIT_ESCAPES.get(raw[at], raw[at]))
                solid = len(out)
        elif char == '"':
            quoted = not quoted
            solid = len(out)
        else:
            out.append(char)
            solid = len(out) if quoted or not char.isspace() else solid
        at += 1
    return "".join(out[:solid])


_GIT_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}


def _uncommented(line: str, dialect: Dialect) -> str:
    """A line without the comment behind its value, by another way than the scanner's."""
    if not dialect.inline or line.startswith("["):
        return line
    quoted = "|".join(
        rf"{re.escape(q)}(?:\\.|(?!{re.escape(q)}).)*(?:{re.escape(q)}|\Z)" for q in dialect.quotes
    )
    marks = "".join(map(re.escape, dialect.inline))
    mark = rf"[{marks}]" if dialect.anywhere else rf"(?<=[ \t])[{marks}]"
    pattern = rf"(?P<mark>{mark})" + (rf"|{quoted}" if quoted else "")
    for match in re.finditer(pattern, line):
        if match["mark"]:
            return line[: match.start()].rstrip()
    return line


def _without(values: dict[str, Any], build: Builder) -> dict[str, Any]:
    """What a reader saw, without the keys and sections that occur twice."""
    repeated = build.document.repeated
    root = build.map.sections[0].table
    tables = {s.entry.name: s.table for s in build.map.sections[1:] if s.entry and not s.kept}
    out: dict[str, Any] = {}
    for name, value in values.items():
        if name in repeated.get(id(root), ()):
            continue
        if isinstance(value, dict) and name in tables:
            gone = repeated.get(id(tables[name]), ())
            value = {k: v for k, v in value.items() if k not in gone}
        out[name] = value
    return out


class _Reader(configparser.RawConfigParser):
    # the same language as the base class's own pattern, which takes the square of the length of
    # a run of blanks inside a key
    OPTCRE_NV = re.compile(
        r"(?P<option>[^\s=:]*+(?:\s++(?![=:])[^\s=:]++)*+)\s*+(?:(?P<vi>[=:])\s*+(?P<value>.*))?$"
    )

    def optionxform(self, optionstr: str) -> str:
        return optionstr
