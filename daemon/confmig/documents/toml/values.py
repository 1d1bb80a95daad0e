"""How TOML values and keys are written: scalars, arrays, inline tables."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import Counter
from typing import Any

from confmig.documents.model.document import Document
from confmig.documents.model.tree import Container, Entry, Mapping, Sequence, SourceNode, entries_of
from confmig.documents.model.values import Date
from confmig.documents.text.flow import FlowEditor, joined
from confmig.documents.text.pieces import Edit, Pieces, compose, text_of
from confmig.documents.text.rewording import reworded
from confmig.documents.text.slots import Slots
from confmig.documents.toml.statements import FIXED
from confmig.errors import Refused

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_AWKWARD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class ValueWriter(FlowEditor):
    """The half of the TOML writer that knows values; the other half knows statements."""

    def __init__(self, document: Document, slots: Slots) -> None:
        self.document = document
        self.slots = slots
        self.text = document.text
        self.newline = document.newline
        self.opaque = document.opaque
        self._equals: str | None = None
        self._braces: str | None = None

    @property
    def equals(self) -> str:
        """The equals sign with the space around it that the document prefers."""
        if self._equals is None:
            found: Counter[str] = Counter()
            for block in self.document.source_map.blocks:
                for pair in block.pairs:
                    source = pair.parts[-1].entry.source
                    between = self.text[pair.parts[-1].end : source.start]
                    if between in ("=", " = ", "= ", " ="):
                        found[between] += 1
            self._equals = found.most_common(1)[0][0] if found else " = "
        return self._equals

    @property
    def pad(self) -> str:
        """What is inside the braces of an inline table."""
        if self._braces is None:
            tight = len(re.findall(r"\{[^ \t\r\n}]", self.text))
            wide = len(re.findall(r"\{ [^ }]", self.text))
            self._braces = "" if tight > wide else " "
        return self._braces

    # --- values that stay

    def entry_edits(self, entry: Entry) -> list[Edit]:
        """See ``FlowEditor``: an entry of an array or inline table that stays."""
        edits: list[Edit] = []
        if entry.key is not None and entry.name is not None and entry.name != entry.parsed:
            parts = self.document.source_map.inline.get(id(entry))
            spans = [(p.start, p.end, p.style) for p in parts or ()]
            spans = spans or [(entry.key.start, entry.key.end, entry.key.style)]
            edits += [Edit(a, b, [key_text(entry.name, style)]) for a, b, style in spans]
        return edits + self.value_edits(entry)

    def value_edits(self, entry: Entry) -> list[Edit]:
        """The edits of a value that is where its source stands."""
        source = entry.source
        assert source is not None
        if entry.untouched:
            return self._inner(entry)
        kept = self._kept_text(source, entry.value) if entry.node is None else None
        return [Edit(source.start, source.end, kept or self.value(entry))]

    def _kept_text(self, source: SourceNode, value: Any) -> Pieces | None:
        """A text between three quotes with another value; None if that cannot hold it."""
        mark = self.text[source.start : source.start + 3]
        if not isinstance(value, str) or isinstance(value, Date) or mark not in ("'''", '"""'):
            return None
        raw = self.text[source.start : source.end]
        old = str(tomllib.loads(f"v = {raw}")["v"])
        if "\n" in old and "\n" not in value:
            return None
        write = _in_three_quotes if mark == '"""' else str
        inner = (source.start + 3, source.end - 3)
        words = reworded(self.text, inner, old, value, gap=_GAP, write=write)
        candidates: list[Pieces] = []
        if words is not None:
            candidates.append([mark, *words, mark])
        first = re.match(r"\r?\n", raw[3:])
        whole = write(value).replace("\n", self.newline)
        candidates.append([mark, first[0] if first else "", whole, mark])
        for pieces in candidates:
            try:
                if tomllib.loads(f"v = {text_of(self.text, pieces)}")["v"] == value:
                    return pieces
            except ValueError:
                continue
        return None

    def _inner(self, entry: Entry) -> list[Edit]:
        value = entry.value
        if (
            not isinstance(value, Mapping | Sequence)
            or not value.changed
            or value.source_node is None
        ):
            return []
        if value.source_node.tag != FIXED:
            return self.flow_edits(value) if value.source_node.flow else []
        if isinstance(value, Mapping) and self._reshaped(value):
            return [Edit(value.source_node.start, value.source_node.end, self._braced(value))]
        return [e for c in entries_of(value) for e in self.entry_edits(c)]

    def _reshaped(self, table: Mapping) -> bool:
        """Whether entries came to or went from an inline table with dotted keys.

        It is then written anew, as there is no one place that is an entry's own.
        """
        source_node = table.source_node
        if source_node is None or source_node.tag != FIXED:
            return False
        now = entries_of(table)
        if [id(c) for c in now] != [id(c) for c in source_node.entries]:
            return True
        for entry in now:
            made = entry.source is not None and entry.source.tag == FIXED
            if made and not self._is_braced(entry.source) and not entry.untouched:
                return True
            if isinstance(entry.value, Mapping) and self._reshaped(entry.value):
                return True
        return False

    def _is_braced(self, source_node: SourceNode | None) -> bool:
        return source_node is not None and self.text[source_node.start] in "{["

    def _braced(self, table: Mapping) -> Pieces:
        if not len(table):
            return ["{}"]
        source_node = table.source_node
        moved = (
            source_node is not None
            and source_node.tag == FIXED
            and not self._is_braced(source_node)
        )
        old = (
            self.text[source_node.start : source_node.end]
            if source_node is not None and not moved
            else ""
        )
        comma = "," if re.search(r",\S", old) and ", " not in old else ", "
        pad = self.pad if not old else " " if old.startswith("{ ") else ""
        return ["{" + pad, *joined(self._items(table, (), moved), comma), pad + "}"]

    def _items(self, table: Mapping, names: tuple[str, ...], moved: bool) -> list[Pieces]:
        """The items of an inline table; dotted keys stay as they are written.

        ``moved``: the table is elsewhere now, so that its keys need other names in front.
        """
        out: list[Pieces] = []
        for entry in entries_of(table):
            value, node, source = entry.value, entry.node, entry.source
            style = entry.key.style if entry.key is not None else None
            path = (*names, key_text(str(entry.name), style))
            dotted = node is not None and node.tag == FIXED and not self._is_braced(node)
            if dotted and isinstance(value, Mapping) and len(value):
                stays = entry.home is table.source_node and entry.untouched
                out += self._items(value, path, moved or not stays)
                continue
            start = self.document.source_map.items.get(id(entry))
            stays = entry.home is table.source_node and entry.untouched and not moved
            if start is not None and stays and source is not None:
                edits = [*self._renames(table, entry, start), *self.entry_edits(entry)]
                out.append(compose(start, source.end, edits))
            else:
                out.append([".".join(path), self.equals, *self.value(entry)])
        return out

    def _renames(self, table: Container, leaf: Entry, start: int) -> list[Edit]:
        """The new names of the tables that an item's dotted key leads through."""
        assert leaf.key is not None
        edits: list[Edit] = []
        entry = table.entry
        while entry is not None and id(entry) in self.document.source_map.inline:
            for part in self.document.source_map.inline[id(entry)]:
                if start <= part.start < leaf.key.start and entry.name != entry.parsed:
                    edits.append(
                        Edit(part.start, part.end, [key_text(str(entry.name), part.style)])
                    )
            assert table.up is not None
            table = table.up
            entry = table.entry
        return edits

    # --- values that are new at their place

    def entry_text(self, entry: Entry, home: SourceNode, indent: str | None) -> Pieces:
        """See ``FlowEditor``."""
        if entry.home is not None and entry.home.flow and entry.home.tag != FIXED:
            slot = self.slots.slot(entry)
            return self.moved(self.entry_edits(entry), slot.start, slot.end, indent)
        if entry.name is None:
            return self.value(entry)
        style = entry.key.style if entry.key is not None else None
        return [key_text(entry.name, style), self.equals, *self.value(entry)]

    def fresh(self, entries: list[Entry], home: SourceNode) -> Pieces:
        """See ``FlowEditor``: on one line."""
        inner = joined([self.entry_text(c, home, None) for c in entries], ", ")
        pad = self.pad if self.text[home.start] == "{" else ""
        return [pad, *inner, pad]

    def gap(self, home: SourceNode) -> str:
        """See ``FlowEditor``: as behind the first comma, or a space."""
        slots = list(self.slots.of(home).values())
        between = self.text[slots[0].comma + 1 : slots[1].lead] if len(slots) > 1 else " "
        return between if not between.strip(" \t") else " "

    def deeper(self, home: SourceNode) -> str | None:
        """See ``FlowEditor``: inline tables stay on their line."""
        if self.text[home.start] == "{":
            return None
        line = self.text[self.slots.line_start(home.start) : home.start]
        return line[: len(line) - len(line.lstrip())] + "  "

    def value(self, entry: Entry) -> Pieces:
        """The text of a value that is new at its place, or came from elsewhere."""
        value, node = entry.value, entry.node
        container = isinstance(value, Mapping | Sequence)
        if node is not None and (not container or (node.flow and self.text[node.start] in "{[")):
            return compose(node.start, node.end, self._inner(entry))
        if isinstance(value, Mapping):
            return self._braced(value)
        if isinstance(value, Sequence):
            return ["[", *joined([self.value(c) for c in entries_of(value)], ", "), "]"]
        style = entry.source.style if entry.source is not None else None
        return [scalar_text(value, style)]


_GAP = r"(?:\s|\\[ \t]*\r?\n)+"


def _in_three_quotes(value: str) -> str:
    """The source text of a value between three double quotes; line ends and tabs stay."""
    lines = [basic(line)[1:-1] for line in value.split("\n")]
    text = "\n".join(lines).replace('\\"', '"').replace("\\t", "\t")
    return text.replace('"""', '""\\"')


def key_text(name: str, style: str | None) -> str:
    """The text of one part of a key, in its old quotes if they can hold it."""
    if style == "'" and "'" not in name and not re.search(r"[\x00-\x1f\x7f]", name):
        return f"'{name}'"
    if style is None and _BARE.match(name):
        return name
    return basic(name)


def scalar_text(value: Any, style: str | None = None) -> str:
    """The text of a scalar. Raises ``Refused`` for what TOML cannot hold."""
    if value is None:
        raise Refused("value_unsupported", "TOML has no null", fix="delete the key instead")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise Refused("number_too_long", "TOML integers have 64 bits")
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return repr(value)
    if isinstance(value, Date):
        return str(value)
    if style == "'" and "'" not in value and not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        return f"'{value}'"
    return basic(value)


def basic(text: str) -> str:
    """A basic string: JSON's escapes are TOML's too."""
    if _SURROGATE.search(text):
        raise Refused("value_unsupported", "TOML has no lone surrogates")
    out = json.dumps(text, ensure_ascii=False)
    return _AWKWARD.sub(lambda m: f"\\u{ord(m[0]):04x}", out)
