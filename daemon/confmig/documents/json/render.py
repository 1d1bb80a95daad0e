"""Tree -> JSON text: the smallest edits of the source that make it say what the tree says.

New text follows the document: its indentation, its space behind colons and commas, its quotes.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from confmig.documents.json.parse import COMMENT, DIGITS, is_identifier
from confmig.documents.model.document import Document
from confmig.documents.model.tree import Entry, Mapping, Sequence, SourceNode, entries_of
from confmig.documents.text.flow import FlowEditor, joined
from confmig.documents.text.pieces import Edit, Pieces, compose, join_lines
from confmig.documents.text.slots import Slots
from confmig.errors import Refused

_COMMENT = re.compile(COMMENT)
_SAMPLE = 300  # entries tell what a document looks like
_AWKWARD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")


def render(document: Document, slots: Slots) -> Pieces:
    """The pieces of the finished text (BOM excluded)."""
    writer = _Writer(document, slots)
    return compose(0, len(document.text), writer.root_edits(document.root_entry))


@dataclass(frozen=True, slots=True)
class _Style:
    """How the document writes.

    Its indentation unit ("" for one line), the colon with what is around it, the quote of keys
    (None for bare ones) and of strings.
    """

    unit: str
    colon: str
    key: str | None
    quote: str


class _Writer(FlowEditor):
    def __init__(self, document: Document, slots: Slots) -> None:
        self.document = document
        self.slots = slots
        self.text = document.text
        self.newline = document.newline
        self.opaque = document.opaque
        self._style: _Style | None = None

    @property
    def style(self) -> _Style:
        if self._style is None:
            self._style = self._measure()
        return self._style

    def _measure(self) -> _Style:
        units: Counter[str] = Counter()
        colons: Counter[str] = Counter()
        around: Counter[str] = Counter()  # colons with a comment beside them
        keys: Counter[str | None] = Counter()
        quotes: Counter[str] = Counter()
        root = self.document.root_entry.source
        stack = [(root, "")] if root is not None else []
        seen = 0
        while stack and seen < _SAMPLE:
            source_node, outer = stack.pop()
            for entry in source_node.entries:
                seen += 1
                node = entry.source
                assert node is not None
                if entry.key is not None:
                    keys[entry.key.style] += 1
                    colon = self.text[entry.key.end : node.start]
                    bare = _COMMENT.sub("", colon)
                    if not bare.strip(" :"):
                        (colons if bare == colon else around)[bare] += 1
                if isinstance(entry.value, str) and node.style:
                    quotes[node.style] += 1
                if seen > _SAMPLE:
                    break
                slot = self.slots.slot(entry)
                if slot.first_on_line:
                    indent = self.text[self.slots.line_start(slot.start) : slot.start]
                    indent = indent[: len(indent) - len(indent.lstrip())]
                    if indent.startswith(outer) and indent != outer:
                        units[indent[len(outer) :]] += 1
                    stack.append((node, indent))
                else:
                    stack.append((node, outer))
        unit = units.most_common(1)[0][0] if units else "  " if self._spread() else ""
        colon = (colons or around or Counter([": "])).most_common(1)[0][0]
        unquoted = self.document.format == "json5" and keys[None] > keys['"'] + keys["'"]
        quote = "'" if quotes["'"] > quotes['"'] else '"'
        key = None if unquoted else "'" if keys["'"] > keys['"'] else '"'
        return _Style(unit, colon, key, quote)

    def _spread(self) -> bool:
        root = self.document.root_entry.source
        return root is not None and self.slots.has_line_end(root.start, root.end)

    # --- entries that stay

    def root_edits(self, entry: Entry) -> list[Edit]:
        """The edits of the whole document.

        If another value became the document, the comments of that value go above and behind
        it.
        """
        above, behind = self.inherited(entry)
        edits = self.entry_edits(entry)
        if not above and not behind:
            return edits
        assert entry.source is not None
        start, end = entry.source.start, entry.source.end
        return [
            Edit(start, start, [p for s in above for p in (s, self.newline)]),
            *edits,
            Edit(end, end, [p for s in behind for p in (" ", s)]),
        ]

    def entry_edits(self, entry: Entry) -> list[Edit]:
        """See ``FlowEditor``."""
        edits: list[Edit] = []
        if entry.key is not None and entry.name is not None and entry.name != entry.parsed:
            edits.append(
                Edit(entry.key.start, entry.key.end, [self.key(entry.name, entry.key.style)])
            )
        source = entry.source
        if not entry.untouched:
            assert source is not None
            indent = self._line_indent(source)
            edits.append(Edit(source.start, source.end, self.value(entry, indent)))
        else:
            edits += self._inner(entry)
        return edits

    def _inner(self, entry: Entry) -> list[Edit]:
        value = entry.value
        if isinstance(value, Mapping | Sequence) and value.changed:
            return self.flow_edits(value)
        return []

    def _line_indent(self, source: SourceNode) -> str | None:
        """The indentation of the line a value begins on; None if its place is a one-line one."""
        home = source.entry.home if source.entry is not None else None
        nested = home is not None and home is not source
        if home is not None and nested and not self.slots.has_line_end(home.start, home.end):
            return None
        begin = self.text[self.slots.line_start(source.start) : source.start]
        indent = begin[: len(begin) - len(begin.lstrip())]
        return indent if self.style.unit else None

    # --- entries that are new here

    def entry_text(self, entry: Entry, home: SourceNode, indent: str | None) -> Pieces:
        """See ``FlowEditor``."""
        if entry.home is not None and not entry.is_root:
            slot = self.slots.slot(entry)
            return self.moved(self.entry_edits(entry), slot.start, slot.end, indent)
        value = self.value(entry, indent)
        if entry.name is None:
            return value
        style = entry.key.style if entry.key is not None else self.style.key
        return [self.key(entry.name, style), self.style.colon, *value]

    def fresh(self, entries: list[Entry], home: SourceNode) -> Pieces:
        """See ``FlowEditor``: on lines of their own, unless the place is a one-line one."""
        one_line = home.entries and not self.slots.has_line_end(home.start, home.end)
        indent = None if one_line else self._line_indent(home)
        return self._inside_of(entries, home, indent)

    def _inside_of(self, entries: list[Entry], home: SourceNode, indent: str | None) -> Pieces:
        if indent is None:
            gap = "," + self._space()
            return joined([self.entry_text(c, home, None) for c in entries], gap)
        inner = indent + self.style.unit
        lines: list[Pieces] = []
        for number, entry in enumerate(entries):
            lines += self.lines(entry, home, inner, comma=number + 1 < len(entries))
        return [self.newline, *join_lines(lines, self.newline), self.newline, indent]

    def gap(self, home: SourceNode) -> str:
        """See ``FlowEditor``: as behind the first comma, or as behind colons."""
        slots = list(self.slots.of(home).values())
        if len(slots) > 1:
            between = self.text[slots[0].comma + 1 : slots[1].lead]
            if not between.strip(" "):
                return between
        return self._space()

    def _space(self) -> str:
        return " " if self.style.colon.endswith(" ") else ""

    def deeper(self, home: SourceNode) -> str | None:
        """See ``FlowEditor``."""
        indent = self._line_indent(home)
        return None if indent is None else indent + self.style.unit

    def value(self, entry: Entry, indent: str | None) -> Pieces:
        """A value whose first line has the indentation ``indent``; None for a one-line place."""
        value, node = entry.value, entry.node
        if node is not None:
            return self.moved(self._inner(entry), node.start, node.end, indent)
        if isinstance(value, Mapping | Sequence):
            left, right = "{}" if isinstance(value, Mapping) else "[]"
            if not len(value):
                return [left + right]
            return [left, *self._inside_of(entries_of(value), _NOWHERE, indent), right]
        quote = entry.source.style if entry.source is not None else None
        return [self.scalar(value, quote or self.style.quote)]

    def key(self, name: str, style: str | None) -> str:
        """The text of a key: bare if ``style`` is None and it can be."""
        if style is None and is_identifier(name):
            return name
        return quoted(name, style or self.style.key or '"')

    def scalar(self, value: Any, quote: str) -> str:
        """The text of a scalar. Raises ``Refused`` for what the format cannot hold."""
        if isinstance(value, str):
            return quoted(value, quote)
        if isinstance(value, float) and not math.isfinite(value):
            if self.document.format != "json5":
                raise Refused("value_unsupported", "JSON has no infinity and no NaN")
            return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value) if abs(value) < 10**DIGITS else too_long()
        return json.dumps(value)


_NOWHERE = SourceNode(0, 0, 0)


def too_long() -> str:
    """Raises the refusal of a number that readers do not take."""
    raise Refused("number_too_long", f"a number of more than {DIGITS} digits")


def quoted(text: str, quote: str) -> str:
    """A string literal that every JSON reader takes, in the given quotes."""
    out = json.dumps(text, ensure_ascii=False)
    out = _AWKWARD.sub(lambda m: f"\\u{ord(m[0]):04x}", out)
    if quote == "'":
        out = "'" + out[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
    return out
