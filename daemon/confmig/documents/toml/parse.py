"""TOML 1.0 text -> tree with positions.

Our own scanner finds out where everything stands; the standard library's ``tomllib`` has the veto:
what it does not read, or reads differently, is refused. Dates and times are text in the tree, as
they are in the file.
"""

from __future__ import annotations

import datetime
import gc
import re
import tomllib
from typing import Any

from confmig.documents.model.compare import alike
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.encoding import decode, newline_of
from confmig.documents.model.tree import Entry, Mapping, Sequence, SourceNode
from confmig.documents.model.values import Date
from confmig.documents.text.comments import Above
from confmig.documents.toml.statements import FIXED, Block, Part, SourceMap, Statement
from confmig.errors import Refused

_KEY = re.compile(
    r"""[ \t]*+(?P<key>[A-Za-z0-9_-]++|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|'[^'\n]*+')[ \t]*+"""
)
_BLANK = re.compile(r"[ \t]*+(?P<comment>#[^\r\n]*+)?(?P<end>\r?\n|\Z)")
_MARGIN = re.compile(r"[ \t]*+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
    r"|'[^'\n]*+'"
)
DATE = re.compile(
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]++)?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?)?|[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]++)?)"
)
_WORD = re.compile(r"[A-Za-z0-9_.:+-]++")
_INT = re.compile(r"[+-]?(?:0|[1-9][0-9]*+)\Z")
_TRIVIA = re.compile(r"(?:[ \t\r\n]++|#[^\r\n]*+)*+")
_COMMENT = re.compile(r"#[^\r\n]*+")
_BOOLS = {"true": True, "false": False}
_DEEP = "nesting deeper than {}"
_DIGITS = 4000  # Python refuses to turn longer digit strings into an int


def parse(data: bytes, *, caps: Caps) -> Document:
    """Parse a TOML file. Raises ``Refused`` and names line and reason if it cannot be read."""
    text, bom = decode(data, caps.size)
    document = Document(text, bom=bom, newline=newline_of(text), format="toml", dialect="")
    document.caps = caps
    enabled = gc.isenabled()
    gc.disable()  # all objects of a tree are new: garbage collection meanwhile only costs time
    try:
        _Scanner(document, caps).scan()
        _veto(document)
    finally:
        if enabled:
            gc.enable()
    return document


def read(text: str) -> Any:
    """What the independent reader makes of a text. Raises ``ValueError``."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep for tomllib") from None


def _veto(document: Document) -> None:
    try:
        value = read(document.text)
    except ValueError as error:
        raise Refused("not_toml", str(error), fix="correct the file, then run again") from None
    if not alike(document.root, value, _same_leaf):
        raise Refused(
            "readers_disagree",
            "two TOML readers understand this file differently",
            fix="report the file's shape as a bug; migrate it by hand",
        )


def _same_leaf(a: Any, b: Any) -> bool:
    """Whether the tree says what the independent reader read; dates are compared as dates."""
    if isinstance(b, datetime.date | datetime.time):
        return bool(isinstance(a, Date) and DATE.fullmatch(a) and read(f"v = {a}")["v"] == b)
    return type(a) is type(b) and (a == b or (a != a and b != b))


class _Scanner:
    def __init__(self, document: Document, caps: Caps) -> None:
        self.document = document
        self.text = document.text
        self.caps = caps
        self.nodes = 0
        self.root = Mapping(document, _table(0, len(self.text), "table"))
        self.depths = {id(self.root): 1}
        self.map = SourceMap([Block(None, self.root, 0)])
        self.block = self.map.blocks[0]

    def scan(self) -> None:
        """Hang the tree and the statements into the document."""
        text, at, size = self.text, 0, len(self.text)
        comments = self.document.comments
        above = Above()
        while at < size:
            blank = _BLANK.match(text, at)
            if blank is not None:
                if blank["comment"] is None:
                    above.reset()
                else:
                    comments.append(blank.span("comment"))
                    above.add(at, blank.start("comment") - at, blank["comment"])
                at = blank.end()
                continue
            margin = _MARGIN.match(text, at)
            assert margin is not None
            indent = margin.end() - at
            lead = above.take(at, indent)
            at = self._statement(at, at + indent, lead)
        self.block.end = size
        root = self.root
        assert root.source_node is not None
        document = self.document
        document.root_entry = Entry(None, root, root.source_node, None, root.source_node)
        root.source_node.entry = document.root_entry
        document.source_map = self.map

    def _statement(self, line: int, at: int, lead: int) -> int:
        text = self.text
        if text[at] == "[":
            array = text.startswith("[[", at)
            close = "]]" if array else "]"
            names, after = self._key(at + len(close))
            if not text.startswith(close, after):
                raise self._bad(after, f"`{close}` is expected")
            end, tail = self._line_end(after + len(close))
            self._header(names, Statement([], lead, line, end, tail, self.root, True, array))
            return end
        names, after = self._key(at)
        if text[after : after + 1] != "=":
            raise self._bad(after, "a '=' is expected behind the key")
        after += 1
        while text[after : after + 1] in (" ", "\t"):
            after += 1
        table = self.block.table
        pair = Statement([], lead, line, line, line, table)
        container: Mapping = table
        for name, start, stop, style in names[:-1]:
            entry = container.entries.get(name)
            if entry is None:
                made = Mapping(self.document, _table(start, stop, "dotted"))
                entry = self._attach(container, name, made, made.source_node, start, stop, style)
            inner = self._inner(entry, start)
            pair.parts.append(Part(entry, start, stop, style))
            container = inner
        name, start, stop, style = names[-1]
        if name in container.entries:
            raise self._refuse("duplicate_key", start, f"the key `{name}` occurs twice")
        value, source_node = self._value(after, self.depths[id(container)] + 1)
        entry = self._attach(container, name, value, source_node, start, stop, style)
        pair.parts.append(Part(entry, start, stop, style))
        pair.end, pair.tail = self._line_end(source_node.end)
        self.block.pairs.append(pair)
        return pair.end

    def _header(self, names: list[tuple[str, int, int, str | None]], header: Statement) -> None:
        container: Mapping = self.root
        for name, start, stop, style in names[:-1]:
            entry = container.entries.get(name)
            if entry is None:
                made = Mapping(self.document, _table(start, stop, "implicit"))
                entry = self._attach(container, name, made, made.source_node, start, stop, style)
            header.parts.append(Part(entry, start, stop, style))
            container = self._inner(entry, start)
        name, start, stop, style = names[-1]
        entry = container.entries.get(name)
        source_node = _table(start, stop, "table")
        if header.array:
            if entry is None:
                items = Sequence(self.document, _table(start, stop, "array"))
                entry = self._attach(container, name, items, items.source_node, start, stop, style)
            sequence = entry.value
            if not isinstance(sequence, Sequence) or _style(sequence) != "array":
                raise self._refuse(
                    "duplicate_key", start, f"the key `{name}` is not an array of tables"
                )
            table = Mapping(self.document, source_node)
            item = Entry(None, table, source_node, None, sequence.source_node)
            self._hang(sequence, item, source_node)
        elif entry is None:
            table = Mapping(self.document, source_node)
            entry = self._attach(container, name, table, source_node, start, stop, style)
        else:
            table = entry.value
            if not isinstance(table, Mapping) or _style(table) != "implicit":
                raise self._refuse("duplicate_key", start, f"the table `{name}` is defined twice")
            assert table.source_node is not None
            table.source_node.style = "table"
        header.parts.append(Part(entry, start, stop, style))
        header.table = table
        self.block.end = header.lead
        self.block = Block(header, table, header.lead)
        self.map.blocks.append(self.block)

    def _inner(self, entry: Entry, at: int) -> Mapping:
        """The table a key part leads into: an array of tables leads into its last one."""
        value = entry.value
        if isinstance(value, Sequence) and _style(value) == "array":
            value = value.entries[-1].value
        if not isinstance(value, Mapping) or (
            value.source_node is not None and value.source_node.flow
        ):
            raise self._bad(at, f"the key `{entry.name}` is not a table to which keys can be added")
        return value

    def _attach(
        self,
        container: Mapping,
        name: str,
        value: Any,
        source_node: SourceNode | None,
        start: int,
        end: int,
        style: str | None,
    ) -> Entry:
        assert source_node is not None
        entry = Entry(
            name, value, source_node, SourceNode(start, end, start, style), container.source_node
        )
        self._hang(container, entry, source_node)
        return entry

    def _hang(self, container: Mapping | Sequence, entry: Entry, source_node: SourceNode) -> None:
        self.nodes += 1
        if self.nodes > self.caps.nodes:
            raise Refused("too_many_nodes", f"more than {self.caps.nodes} values")
        home = container.source_node
        assert home is not None
        source_node.entry = entry
        home.entries.append(entry)
        if len(home.entries) > self.caps.entries:
            message = f"more than {self.caps.entries} entries"
            raise self._refuse("too_many_entries", source_node.start, message)
        if isinstance(container, Mapping):
            assert entry.name is not None
            container.entries[entry.name] = entry
            dict.__setitem__(container, entry.name, entry.value)
        else:
            container.entries.append(entry)
            list.append(container, entry.value)
        if type(source_node.entries) is list:
            entry.value.up, entry.value.entry = container, entry
            if not source_node.flow or source_node.tag == FIXED:
                depth = self.depths[id(container)] + 1
                if depth > self.caps.depth:
                    raise self._refuse("too_deep", source_node.start, _DEEP.format(self.caps.depth))
                self.depths.setdefault(id(entry.value), depth)

    def _key(self, at: int) -> tuple[list[tuple[str, int, int, str | None]], int]:
        out: list[tuple[str, int, int, str | None]] = []
        while True:
            match = _KEY.match(self.text, at)
            if match is None:
                raise self._bad(at, "a key is expected")
            start, end = match.span("key")
            token = match["key"]
            quote = token[0] if token[0] in "\"'" else None
            name = self._string(token, start) if quote else token
            out.append((name, start, end, quote))
            if len(out) > self.caps.depth:
                raise self._refuse("too_deep", start, _DEEP.format(self.caps.depth))
            at = match.end()
            if self.text[at : at + 1] != ".":
                return out, at
            at += 1

    def _value(self, at: int, depth: int) -> tuple[Any, SourceNode]:
        text = self.text
        mark = text[at : at + 1]
        if mark in ("[", "{"):
            if depth > self.caps.depth:
                raise self._refuse("too_deep", at, _DEEP.format(self.caps.depth))
            return self._array(at, depth) if mark == "[" else self._inline(at, depth)
        if mark in ('"', "'"):
            match = _STRING.match(text, at)
            if match is None:
                raise self._bad(at, "a string does not end")
            token = match.group()
            if "\n" in token:
                self.document.opaque.append(match.span())
            return self._string(token, at), SourceNode(at, match.end(), at, mark)
        date = DATE.match(text, at)
        if date is not None:
            return Date(date.group()), SourceNode(at, date.end(), at, "date")
        match = _WORD.match(text, at)
        if match is None:
            raise self._bad(at, "a value is expected")
        return self._word(match.group(), at), SourceNode(at, match.end(), at)

    def _array(self, start: int, depth: int) -> tuple[Sequence, SourceNode]:
        text = self.text
        source_node = SourceNode(start, -1, start, flow=True)
        source_node.entries = []
        sequence = Sequence(self.document, source_node)
        self.depths[id(sequence)] = depth
        at = self._skip(start + 1)
        while text[at : at + 1] != "]":
            value, item = self._value(at, depth + 1)
            self._hang(sequence, Entry(None, value, item, None, source_node), item)
            at = self._skip(item.end)
            if text[at : at + 1] == ",":
                at = self._skip(at + 1)
            elif text[at : at + 1] != "]":
                raise self._bad(at, "a ',' or ']' is expected")
        source_node.end = at + 1
        return sequence, source_node

    def _inline(self, start: int, depth: int) -> tuple[Mapping, SourceNode]:
        text = self.text
        source_node = SourceNode(start, -1, start, flow=True)
        source_node.entries = []
        mapping = Mapping(self.document, source_node)
        self.depths[id(mapping)] = depth
        at = self._skip(start + 1)
        while text[at : at + 1] != "}":
            names, after = self._key(at)
            if text[after : after + 1] != "=":
                raise self._bad(after, "a '=' is expected behind the key")
            inner = self._dotted_inline(mapping, names[:-1])
            name, begin, end, style = names[-1]
            if name in inner.entries:
                raise self._refuse("duplicate_key", begin, f"the key `{name}` occurs twice")
            at = self._skip(after + 1)
            value, item = self._value(at, self.depths[id(inner)] + 1)
            leaf = self._attach(inner, name, value, item, begin, end, style)
            self.map.items[id(leaf)] = names[0][1]
            at = self._skip(item.end)
            if text[at : at + 1] == ",":
                at = self._skip(at + 1)
            elif text[at : at + 1] != "}":
                raise self._bad(at, "a ',' or '}' is expected")
        source_node.end = at + 1
        return mapping, source_node

    def _dotted_inline(
        self, mapping: Mapping, names: list[tuple[str, int, int, str | None]]
    ) -> Mapping:
        """The table that dotted keys inside an inline table lead into.

        Tables made so keep their entries: only values and names in them can be edited.
        """
        assert mapping.source_node is not None
        for name, start, stop, style in names:
            mapping.source_node.tag = FIXED
            entry = mapping.entries.get(name)
            if entry is None:
                source_node = SourceNode(start, stop, start, tag=FIXED, flow=True)
                source_node.entries = []
                made = Mapping(self.document, source_node)
                entry = self._attach(mapping, name, made, source_node, start, stop, style)
            inner = entry.value
            if (
                not isinstance(inner, Mapping)
                or inner.source_node is None
                or inner.source_node.tag != FIXED
            ):
                raise self._refuse("duplicate_key", start, f"the key `{name}` occurs twice")
            self.map.inline.setdefault(id(entry), []).append(Part(entry, start, stop, style))
            mapping = inner
        return mapping

    def _skip(self, at: int) -> int:
        match = _TRIVIA.match(self.text, at)
        assert match is not None
        if "#" in match.group():
            found = _COMMENT.finditer(self.text, at, match.end())
            self.document.comments.extend(m.span() for m in found)
        return match.end()

    def _line_end(self, at: int) -> tuple[int, int]:
        """The start of the next line and the end of a trailing comment."""
        match = _BLANK.match(self.text, at)
        if match is None:
            raise self._bad(at, "the line should end here")
        if match["comment"] is not None:
            self.document.comments.append(match.span("comment"))
            return match.end(), match.end("comment")
        return match.end(), at

    def _string(self, token: str, at: int) -> str:
        if token[0] == "'" and not token.startswith("'''"):
            return token[1:-1]
        if token[0] == '"' and "\\" not in token and not token.startswith('"""'):
            return token[1:-1]
        return str(self._read(token, at))

    def _word(self, token: str, at: int) -> Any:
        if token in _BOOLS:
            return _BOOLS[token]
        if _INT.match(token) and len(token) <= _DIGITS:
            return int(token)
        if len(token) > _DIGITS:
            raise self._refuse("number_too_long", at, f"a number of {len(token)} digits")
        return self._read(token, at)

    def _read(self, token: str, at: int) -> Any:
        try:
            return read(f"v = {token}")["v"]
        except ValueError:
            raise self._bad(at, "this is not a value") from None

    def _bad(self, at: int, message: str) -> Refused:
        return self._refuse("not_toml", at, message, "correct the file, then run again")

    def _refuse(self, code: str, at: int, message: str, fix: str = "") -> Refused:
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        return Refused(code, f"{message} (column {column})", fix=fix, line=line)


def _table(start: int, end: int, style: str) -> SourceNode:
    """The source node of a table that is not an inline one.

    ``table`` has a header, ``implicit`` is only named by others, ``dotted`` is made of dotted
    keys, ``array`` is an array of tables.
    """
    source_node = SourceNode(start, end, start, style)
    source_node.entries = []
    return source_node


def _style(container: Mapping | Sequence) -> str | None:
    source_node = container.source_node
    return None if source_node is None or source_node.flow else source_node.style
