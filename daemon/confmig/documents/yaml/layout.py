"""Where the entries of a YAML container are in the source: lines, comments, indicators.

Comment ownership is as ``documents.text.comments`` says, and in YAML: comment lines below an entry
that are indented deeper than it belong to it; those directly above a dash, at the column of the
item's content, belong to the item below them, unless they are commented-out options. A trailing
comment belongs to its line. Blank lines belong to no one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from confmig.documents.model.tree import Entry, SourceNode
from confmig.documents.text.comments import is_item, owned_from
from confmig.documents.text.slots import Slots, trivia

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]*)*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_TRIVIA = trivia(r"#[^\r\n]*")
_COMMENT = re.compile(r"(?:^|(?<=[ \t\n]))#[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Region:
    """The source text of one entry of a block container.

    ``first`` is the start of its leading comments' line (or the entry itself if it begins in the
    middle of a line, ``compact``), ``start`` the key or the dash, ``column`` its column,
    ``indicator`` the position after the colon or dash, ``last`` the start of the line after it.
    """

    first: int
    start: int
    column: int
    indicator: int
    last: int
    compact: bool


class Layout:
    """Answers about one source text. Nothing is computed for containers no one asks about."""

    def __init__(self, text: str, opaque: list[tuple[int, int]]) -> None:
        self.text = text
        self.opaque = opaque
        self.slots = Slots(text, _TRIVIA)
        self._regions: dict[int, dict[int, Region]] = {}
        self._comments: list[tuple[int, int]] | None = None

    # --- lines

    def line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        """The position of the line's terminator, or the end of the text."""
        end = self.text.find("\n", at)
        if end < 0:
            return len(self.text)
        return end - 1 if end > at and self.text[end - 1] == "\r" else end

    def before_newline(self, at: int) -> int:
        """The position before the line terminator that ends at ``at``, if one does."""
        if at > 0 and self.text[at - 1] == "\n":
            return at - 2 if self.text[at - 2 : at - 1] == "\r" else at - 1
        return at

    def next_line(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end + 1

    def column(self, at: int) -> int:
        return at - self.line_start(at)

    # --- entries

    def region(self, entry: Entry) -> Region:
        """The region of an entry that was parsed in a block container."""
        home = entry.home
        assert home is not None
        known = self._regions.get(id(home))
        if known is None:
            known = self._regions[id(home)] = self._measure(home)
        return known[id(entry)]

    def _measure(self, home: SourceNode) -> dict[int, Region]:
        out: dict[int, Region] = {}
        at = home.start
        floor = self._floor(home)
        for number, entry in enumerate(home.entries):
            node = entry.source
            assert node is not None
            if entry.key is not None:
                start = self._key_start(entry.key, at if number else home.start)
                gap = _GAP.match(self.text, entry.key.end)
                colon = gap.end() if gap else entry.key.end
                indicator = colon + 1
            else:
                gap = _GAP.match(self.text, at)
                start = gap.end() if gap else at
                indicator = start + 1
            end = max(node.end, indicator) if node.end > node.outer else indicator
            line = self.line_start(start)
            compact = bool(self.text[line:start].strip(" "))
            column = start - line
            if compact:
                first = start
            else:
                item = entry.key is None
                first = self._comments_above(line, column, floor, item)
                if first == line and item:
                    first = self._comments_above(line, self._content(node, start), floor, item)
            last = self._last(end, column, node if entry.key is None else None)
            out[id(entry)] = Region(first, start, column, indicator, last, compact)
            at = end
            floor = last
        return out

    def _floor(self, home: SourceNode) -> int:
        """No entry of the container can own a line before this position."""
        owner = home.entry
        if owner is None or owner.home is home:
            return 0
        return self.next_line(owner.key.end) if owner.key is not None else 0

    def _key_start(self, key: SourceNode, at: int) -> int:
        """The start of an entry: its '?' if it has one, its anchor or tag, or the key."""
        gap = _GAP.match(self.text, at)
        begin = gap.end() if gap else at
        return begin if self.text[begin : begin + 1] == "?" and begin < key.outer else key.outer

    def _content(self, node: SourceNode, dash: int) -> int:
        """The column of what a dash holds."""
        line = self.line_start(dash)
        on_line = node.end > node.outer and node.outer <= self.line_end(dash)
        return (node.outer if on_line else dash + 2) - line

    def _comments_above(self, line: int, column: int, floor: int, item: bool) -> int:
        starts, lines = [line], []
        while starts[-1] > floor:
            above = self.line_start(starts[-1] - 1)
            text = self.text[above : starts[-1]].rstrip("\r\n")
            bare = text.lstrip(" ")
            if above < floor or not bare.startswith("#") or len(text) - len(bare) != column:
                break
            starts.append(above)
            lines.append(bare)
        return starts[len(lines) - owned_from(lines[::-1], is_item if item else None)]

    def _last(self, end: int, column: int, item: SourceNode | None) -> int:
        """The line after an entry that ends at ``end``, its deeper comments below included.

        Those above the dash of the next item are not included.
        """
        last = at = self.next_line(end)
        while at < len(self.text):
            text = self.text[at : self.line_end(at)]
            bare = text.lstrip(" ")
            if bare.startswith("#"):
                if len(text) - len(bare) <= column:
                    break
                last = self.next_line(at)
            elif bare.strip():
                dash = at + len(text) - len(bare)
                if item is not None and dash - at == column and bare[:2] in ("-", "- "):
                    above = self._comments_above(at, column + 2, self.next_line(end), True)
                    return min(last, above)
                break
            at = self.next_line(at)
        return last

    def value_lines_start(self, entry: Entry) -> int:
        """Where the lines of a block value begin.

        After its key's line, or at the value itself if it begins on the line of its key or
        dash.
        """
        node = entry.source
        assert node is not None
        region = self.region(entry) if entry.home is not None and not entry.home.flow else None
        if region is None:
            return node.outer
        after = self.line_end(region.indicator)
        return node.outer if node.outer <= after else self.next_line(region.indicator)

    def properties_end(self, source_node: SourceNode) -> int:
        """Where the anchor and tag of a block value end."""
        match = _PROPERTIES.match(self.text, source_node.outer)
        end = match.end() if match else source_node.outer
        return source_node.outer + len(self.text[source_node.outer : end].rstrip(" \t"))

    # --- comments

    def entry_spans(self, entry: Entry, home: SourceNode) -> list[tuple[int, int]]:
        """See ``census.Regions``."""
        if home.flow:
            slot = self.slots.slot(entry)
            return [(slot.lead, slot.tail)]
        region = self.region(entry)
        return [(region.first, region.last)]

    def value_spans(self, entry: Entry, home: SourceNode) -> list[tuple[int, int]]:
        """See ``census.Regions``."""
        node = entry.source
        assert node is not None
        if node.style in ("|", ">"):
            return [(node.end, node.end)]
        if home.flow or node.flow or not node.entries:
            return [(node.outer, node.end)]
        region = self.region(entry)
        return [(self.next_line(region.indicator), region.last)]

    def comments(self) -> list[tuple[int, int]]:
        """The spans of all comments of the text."""
        if self._comments is None:
            self._comments = self._find_comments()
        return self._comments

    def comments_between(self, start: int, end: int) -> list[tuple[int, int]]:
        """The spans of the comments that begin between two places."""
        spans = self.comments()
        return spans[bisect_left(spans, (start, 0)) : bisect_left(spans, (end, 0))]

    def _find_comments(self) -> list[tuple[int, int]]:
        out = []
        spans = iter(self.opaque)
        span = next(spans, None)
        for match in _COMMENT.finditer(self.text):
            at = match.start()
            while span is not None and span[1] <= at:
                span = next(spans, None)
            if span is None or at < span[0]:
                out.append((at, match.end()))
            # a comment-like run inside a scalar may reach beyond it: look again after the scalar
            elif match.end() > span[1]:
                again = _COMMENT.search(self.text, span[1], match.end())
                if again:
                    out.append((again.start(), again.end()))
        return out
