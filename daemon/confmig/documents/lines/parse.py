"""Text -> tree with positions, for the formats of lines.

The builder walks over blank and comment lines, hands every other line to the grammar, and hangs
what that finds into the tree. Who owns a comment is decided here: the lines directly above a
statement, at its column, unless it is the first of the file.
"""

from __future__ import annotations

import gc
import re
from typing import Protocol

from confmig.documents.lines.statements import Pair, Section, SourceMap
from confmig.documents.model.dialects import Dialect
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.encoding import decode, newline_of
from confmig.documents.model.tree import Entry, Mapping, SourceNode
from confmig.documents.text.comments import Above
from confmig.errors import Refused

REST = re.compile(r"[^\r\n]*+")
STRAY = re.compile(r"\0|\A\ufeff")
BREAK = re.compile(r"\r\n?|\n|\Z")
_LINES = 1_000_000
"""How many lines, blank ones and comments included: readers of lines take their time for each."""
_TITLES = {"ini": "INI", "properties": ".properties", "dotenv": ".env"}


class Reads(Protocol):
    """The part of a format of lines that reads its statements; see ``grammar.Grammar``."""

    name: str
    dialect: Dialect
    marks: str
    """The characters that begin a comment line."""
    space: re.Pattern[str]
    """Blank lines and the margin of a line; matches everywhere, in linear time."""
    stray: re.Pattern[str]
    """What has no place in a text at all."""

    def statement(self, build: Builder, line: int, at: int) -> int:
        """Read one statement and report it to the builder; returns the start of the line after it.

        The statement is at ``at``, on the line that begins at ``line``.
        """

    def folded(self, name: str) -> str:
        """A name as its readers compare it."""

    def separates(self, line: str) -> bool:
        """Whether a comment line separates the documents of a file."""


def parse(data: bytes, *, grammar: Reads, caps: Caps) -> Document:
    """Parse a file. Raises ``Refused`` and names line and reason if it cannot be read."""
    return build(data, grammar, caps).document


def build(data: bytes, grammar: Reads, caps: Caps) -> Builder:
    """Like ``parse``; returns the builder, which has the document and its map."""
    latin1 = grammar.dialect.encoding == "latin-1"
    text, bom = decode(data, caps.size, latin1=latin1)
    newline = "\r" if "\r" in text and "\n" not in text else newline_of(text)
    document = Document(text, bom=bom, newline=newline, format=grammar.name, dialect="")
    document.caps = caps
    document.encoding = "latin-1" if latin1 else "utf-8"
    enabled = gc.isenabled()
    gc.disable()  # all objects of a tree are new: garbage collection meanwhile only costs time
    try:
        builder = Builder(document, grammar, caps)
        builder.run()
        return builder
    finally:
        if enabled:
            gc.enable()


class Builder:
    """Makes the tree of one text."""

    def __init__(self, document: Document, grammar: Reads, caps: Caps) -> None:
        self.document = document
        self.grammar = grammar
        self.text = document.text
        self.left = caps.nodes
        root = Mapping(document, _table(0, len(self.text)))
        self.section = Section(None, root, 0, 0, 0)
        self.map = SourceMap([self.section], len(self.text), grammar)
        self._above = Above()
        self._first = True
        self._gone: set[int] = set()  # entries of keys that came again
        self._parts: dict[int, int] = {}  # by entry: the document of the file it is in
        self._where: dict[str, list[int]] = {}  # of keys that came again

    def run(self) -> None:
        """Hang the tree and the statements into the document."""
        text, size, grammar = self.text, len(self.text), self.grammar
        stray = grammar.stray.search(text)
        if stray is not None:
            what = {"\0": "NUL", "\r": "carriage return alone"}.get(stray[0], "byte order mark")
            raise self.bad(stray.start(), f"a {what} has no place here")
        most = max(_LINES, self.left)
        if max(text.count("\n"), text.count("\r")) > most:
            raise Refused("too_many_nodes", f"more than {most} lines")
        space, marks, at = grammar.space.match, grammar.marks, 0
        while True:
            match = space(text, at)
            assert match is not None
            here = match.end()
            if here >= size:
                break
            line = max(text.rfind("\n", at, here), text.rfind("\r", at, here)) + 1 or at
            if line > at:
                self.blank()
            if text[here] in marks:
                at = self._comment(line, here)
            else:
                at = grammar.statement(self, line, here)
        self.section.end = size
        self._leave_out()
        root = self.map.sections[0].table
        source_node, document = root.source_node, self.document
        assert source_node is not None
        document.root_entry = source_node.entry = Entry(None, root, source_node, None, source_node)
        document.source_map = self.map

    def _comment(self, line: int, at: int) -> int:
        end = self.line_end(at)
        self.note(at, end)
        if at == line and self.grammar.separates(self.text[at:end]):
            self.map.separators.append(line)
            self.blank()
            return self.line_after(end)
        self._above.add(line, at - line, self.text[at:end])
        return self.line_after(end)

    # --- what grammars tell

    def line_end(self, at: int) -> int:
        """The end of the line, without its terminator."""
        match = REST.match(self.text, at)
        assert match is not None
        return match.end()

    def line_after(self, end: int) -> int:
        """The start of the line after the one that ends at ``end``."""
        match = BREAK.match(self.text, end)
        assert match is not None
        return match.end()

    def blank(self) -> None:
        """Report a blank line: comments above it belong to no statement below it."""
        self._above.reset()

    def note(self, start: int, end: int) -> None:
        """Report a comment."""
        self.document.comments.append((start, end))

    def pair(
        self, name: str, value: str | None, key: SourceNode, node: SourceNode, line: int, end: int
    ) -> Entry:
        """There is a key with its value, from the line at ``line`` up to the line at ``end``."""
        lead = self._lead(line, key.outer)
        table = self.section.table
        repeats = self.grammar.dialect.repeated or bool(self.map.separators)
        if repeats and self._came_before(table, name):
            entry = Entry(name, value, node, key, table.source_node)
            self.document.kept.append(entry)
            self.section.again.append(Pair(entry, lead, line, end, value, self._part))
            return entry
        entry = self._hang(table, name, value, key, node)
        self._parts[id(entry)] = self._part
        self.section.pairs.append(Pair(entry, lead, line, end, value, self._part))
        return entry

    def unclear(self, entry: Entry, why: str, fix: str) -> None:
        """Report a value about which the readers of such files differ."""
        self.document.unclear[id(entry)] = (why, fix)

    def _came_before(self, table: Mapping, name: str) -> bool:
        """Whether the key occurred before; the first occurrence then stops being an entry."""
        names = self.document.repeated.setdefault(id(table), {})
        if name in names:
            self._again(names, name)
            return True
        entry = table.entries.get(name)
        if entry is None or isinstance(entry.value, Mapping):
            return False
        before = self._parts.get(id(entry), 0)
        if self.map.separators and before == self._part:
            return False  # twice in one document: refused
        names[name] = ""
        self._where[name] = [before]
        self._again(names, name)
        self._forget(table, entry)
        return True

    def _again(self, names: dict[str, str], name: str) -> None:
        """Note where a key occurs again."""
        if not self.map.separators:
            return
        parts = self._where[name]
        if self._part not in parts:
            parts.append(self._part)
        listed = ", ".join(str(n + 1) for n in parts)
        names[name] = f", in the documents {listed} of the file"

    @property
    def _part(self) -> int:
        """The number of the document that is being read."""
        return len(self.map.separators)

    def _forget(self, table: Mapping, entry: Entry) -> None:
        del table.entries[str(entry.name)]
        dict.__delitem__(table, str(entry.name))
        self._gone.add(id(entry))
        self.document.kept.append(entry)

    def _leave_out(self) -> None:
        """Take what came again out of the lists of entries."""
        if not self._gone:
            return
        gone = self._gone
        for section in self.map.sections:
            section.again += [p for p in section.pairs if id(p.entry) in gone]
            section.pairs = [p for p in section.pairs if id(p.entry) not in gone]
            source_node = section.table.source_node
            assert source_node is not None
            source_node.entries = [c for c in source_node.entries if id(c) not in gone]

    def header(self, name: str, key: SourceNode, line: int, end: int) -> None:
        """Report the header of a section."""
        root = self.map.sections[0].table
        source_node = _table(key.start - 1, key.end + 1)
        table = Mapping(self.document, source_node)
        lead = self._lead(line, key.outer)
        self.section.end = lead
        again = self.grammar.dialect.repeated and self._section_came_before(root, name)
        if again:
            entry = Entry(name, table, source_node, key, root.source_node)
        else:
            entry = self._hang(root, name, table, key, source_node)
            table.up, table.entry = root, entry
        self.section = Section(entry, table, lead, line, end, kept=again)
        self.map.sections.append(self.section)

    def _section_came_before(self, root: Mapping, name: str) -> bool:
        names = self.document.repeated.setdefault(id(root), {})
        if name in names:
            return True
        entry = root.entries.get(name)
        if entry is None or not isinstance(entry.value, Mapping):
            return False
        names[name] = ""
        self._forget(root, entry)
        for section in self.map.sections:
            section.kept = section.kept or section.entry is entry
        return True

    def _lead(self, line: int, at: int) -> int:
        """The start of the comment lines that a statement owns, or of its line."""
        run = self._above.take(line, at - line)
        if self._first:
            self._first = False
            self.map.roof = run
        return run

    def _hang(
        self,
        table: Mapping,
        name: str,
        value: str | Mapping | None,
        key: SourceNode,
        node: SourceNode,
    ) -> Entry:
        self.left -= 1
        if self.left < 0:
            raise Refused("too_many_nodes", f"more than {self.document.caps.nodes} values")
        if name in table.entries:
            raise self.refuse("duplicate_key", key.start, f"the key `{name}` occurs twice")
        home = table.source_node
        assert home is not None
        entry = Entry(name, value, node, key, home)
        node.entry = entry
        home.entries.append(entry)
        if len(home.entries) > self.document.caps.entries:
            message = f"more than {self.document.caps.entries} entries"
            raise self.refuse("too_many_entries", key.start, message)
        table.entries[name] = entry
        dict.__setitem__(table, name, value)
        return entry

    def bad(self, at: int, message: str) -> Refused:
        """The refusal of a text that is not what the format says."""
        name = self.grammar.name
        message = f"{message}: this is no {_TITLES[name]} file"
        return self.refuse(f"not_{name}", at, message, "correct the file, then run again")

    def refuse(self, code: str, at: int, message: str, fix: str = "") -> Refused:
        """A refusal that names line and column."""
        mark = "\r" if self.document.newline == "\r" else "\n"
        line, column = self.text.count(mark, 0, at) + 1, at - self.text.rfind(mark, 0, at)
        return Refused(code, f"{message} (column {column})", fix=fix, line=line)


def _table(start: int, end: int) -> SourceNode:
    source_node = SourceNode(start, end, start)
    source_node.entries = []
    return source_node
