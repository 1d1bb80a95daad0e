"""Another value in the place of one that was there: a scalar, a text of several lines, a block."""

from __future__ import annotations

import re

from confmig.documents.model.tree import Entry, SourceNode
from confmig.documents.text.pieces import (
    Edit,
    Pieces,
    join_lines,
    strip_start,
)
from confmig.documents.yaml import multiline
from confmig.documents.yaml.carry import carried_by
from confmig.documents.yaml.layout import Region
from confmig.documents.yaml.stages import Stages


class Replace(Stages):
    """Puts a value where the source has another one."""

    def value_edits(self, entry: Entry) -> list[Edit]:
        """The edits that put another value where the source value is."""
        source = entry.source
        assert source is not None
        root = entry.is_root
        in_flow = entry.home is not None and entry.home.flow and not root
        was_block = bool(source.entries) and not source.flow
        if in_flow or (root and source.flow and self.is_json(source)):
            json = self.is_json(entry.home) if in_flow and entry.home is not None else False
            return [Edit(source.outer, source.end, self.flow_value(entry, json=json))]
        if root:
            return self._root_edits(entry, was_block)
        region = self.layout.region(entry)
        inherited = self._edits_for_carried_comments(entry, region, was_block)
        if inherited:
            return [*self._in_place(entry, region, was_block), *inherited]
        return self._in_place(entry, region, was_block)

    def _edits_for_carried_comments(
        self, entry: Entry, region: Region, was_block: bool
    ) -> list[Edit]:
        """The edits that put carried comments above the line of a value, or behind it."""
        if entry.carries is None or region.compact:
            return []
        above, behind = self.inherited(entry)
        source = entry.source
        assert source is not None
        ends = region.indicator if was_block else max(region.indicator, source.end)
        stop = self.layout.line_end(ends)
        on_line = not was_block or entry.key is not None
        if self.is_block(entry) or not on_line or "#" in self.text[ends:stop]:
            above, behind = [*above, *behind], []
        edits = []
        if above:
            at = self.layout.line_start(region.start)
            pad = " " * region.column
            edits.append(Edit(at, at, [p for s in above for p in (pad, s, self.newline)]))
        if behind:
            edits.append(Edit(stop, stop, [p for s in behind for p in (" ", s)]))
        return edits

    def _in_place(self, entry: Entry, region: Region, was_block: bool) -> list[Edit]:
        """Put a value where another one was, in an entry of a block container.

        =================  =====================  =========================================
        the old value was  the new one is inline  the new one is written over several lines
        =================  =====================  =========================================
        inline             _inline_over_inline    _block_over_inline, _block_over_item
        a block container  _inline_over_block     _block_over_block
        =================  =====================  =========================================

        A text that keeps its form is edited inside.
        """
        if not self.is_block(entry):
            kept = self._text_edits(entry, region)
            if kept is not None:
                return kept
            lines = self.deepened(entry, self.inline_lines(entry, region.column), region.column)
            if was_block:
                return self._inline_over_block(entry, region, lines)
            return self._inline_over_inline(entry, region, lines)
        column = region.column + self.offset(entry)
        if was_block:
            return self._block_over_block(entry, region, column)
        if entry.key is None:
            return self._block_over_item(entry, region, column)
        return self._block_over_inline(entry, region, column)

    def _first_and_below(self, entry: Entry, lines: list[Pieces]) -> tuple[Pieces, Pieces]:
        """What goes on the line of the key or dash, and what goes below it.

        The lines of a block scalar go below a comment on the line of its key; those of other
        values follow at once.
        """
        below: Pieces = [p for line in lines[1:] for p in (self.newline, *line)]
        if self.is_text_block(entry):
            return lines[0], below
        return [*lines[0], *below], []

    def _inline_over_inline(self, entry: Entry, region: Region, lines: list[Pieces]) -> list[Edit]:
        source = entry.source
        assert source is not None
        first, below = self._first_and_below(entry, lines)
        lead = " " if source.outer == source.end or source.outer <= region.indicator else ""
        start = source.outer if source.end > source.outer else region.indicator
        if id(source) in self.document.aliased:
            start = source.start  # others point at the anchor: it stays
            if entry.tag is not None and entry.tag == source.tag:
                first = first[1:]  # the tag is behind the anchor already
        header_end = self._header_end(source)
        if header_end is not None:
            stop = self.layout.line_end(source.start)
            return [Edit(start, header_end, first), Edit(stop, max(stop, source.end), below)]
        end = max(start, source.end)
        edits = [Edit(start, end, [lead, *first] if lead else first)]
        if below:
            stop = self.layout.line_end(end)
            edits.append(Edit(stop, stop, below))
        return edits

    def _inline_over_block(self, entry: Entry, region: Region, lines: list[Pieces]) -> list[Edit]:
        first, below = self._first_and_below(entry, lines)
        start, end = self._block_span(entry)
        if self.layout.line_start(start) < start:  # it begins on the line of its dash
            return [Edit(start, end, [*first, *below])]
        at = region.indicator
        return [Edit(at, at, [" ", *first]), Edit(max(at, self.layout.line_end(at)), end, below)]

    def _block_over_block(self, entry: Entry, region: Region, column: int) -> list[Edit]:
        source = entry.source
        assert source is not None
        start, end = self._block_span(entry)
        if self.layout.line_start(start) == start:
            return [Edit(start, end, join_lines(self.value_lines(entry, column), self.newline))]
        if entry.key is None and source.outer == source.start:  # on the line of its dash
            lines = self.value_lines(entry, self.layout.column(start))
            return [Edit(start, end, strip_start(self.text, join_lines(lines, self.newline)))]
        # an anchor or tag on the line of the key or dash: it goes, unless others point at it
        lines = self.value_lines(entry, column)
        stop = self.layout.properties_end(source)
        keeps = id(source) in self.document.aliased
        line = self.layout.line_end(stop)
        return [
            *([] if keeps else [Edit(region.indicator, stop, [])]),
            Edit(line, end, [self.newline, *join_lines(lines, self.newline)]),
        ]

    def _block_over_item(self, entry: Entry, region: Region, column: int) -> list[Edit]:
        """Put a block container on the line of a dash."""
        source = entry.source
        assert source is not None
        start = source.outer if source.end > source.outer else region.indicator
        lead = ""
        if start == region.indicator:
            lead = " " * (column - region.column - 1)
        else:
            column = self.layout.column(start)
        lines = self.value_lines(entry, column)
        pieces = strip_start(self.text, join_lines(lines, self.newline))
        return [Edit(start, max(start, source.end), [lead, *pieces] if lead else pieces)]

    def _block_over_inline(self, entry: Entry, region: Region, column: int) -> list[Edit]:
        """Put a block container below a key."""
        source = entry.source
        assert source is not None
        pieces = join_lines(self.value_lines(entry, column), self.newline)
        end = max(region.indicator, source.end)
        if source.outer > self.layout.line_end(region.indicator):  # it began on a later line
            return [Edit(self.layout.line_start(source.outer), end, pieces)]
        below: Pieces = [self.newline, *pieces]
        header_end = self._header_end(source)
        if header_end is not None:
            line = self.layout.line_end(source.start)
            return [Edit(region.indicator, header_end, []), Edit(line, max(line, end), below)]
        stop = self.layout.line_end(end)
        return [Edit(region.indicator, end, []), Edit(stop, stop, below)]

    def _text_edits(self, entry: Entry, region: Region) -> list[Edit] | None:
        """The edits inside a text of several lines that keeps its form.

        None if it must be written anew: a block scalar whose new value has no line end.
        """
        source = entry.source
        assert source is not None
        if entry.node is not None or source.tag != entry.tag or not isinstance(entry.value, str):
            return None
        block_text = source.style in multiline.BLOCK
        if not block_text and "\n" not in self.text[source.start : source.end]:
            return None
        old = multiline.read(self.text, source, region.column)
        if old is None or ("\n" in old and "\n" not in entry.value):
            return None
        if not block_text:
            pieces = multiline.continued(self.text, source, old, entry.value, region.column)
            return None if pieces is None else [Edit(source.start, source.end, pieces)]
        block = multiline.block_of(self.text, source, old)
        if block is None:
            return None
        new = multiline.changed(self.text, block, old, entry.value, region.column, self.newline)
        if new is None:
            return None
        head = self.text[source.start : block.head]
        edits = [] if head == new.header else [Edit(source.start, block.head, [new.header])]
        return [*edits, Edit(block.begin, source.end, new.content)]

    def _header_end(self, source: SourceNode) -> int | None:
        """Where the header of a block scalar ends, if a comment follows on its line; else None."""
        if source.style not in multiline.BLOCK:
            return None
        line = self.text[source.start : self.layout.line_end(source.start)]
        match = re.search(r"[ \t]+#", line)
        return source.start + match.start() if match else None

    def _root_edits(self, entry: Entry, was_block: bool) -> list[Edit]:
        source = entry.source
        assert source is not None
        if was_block:
            first = self.layout.region(source.entries[0]).first
            last = self.layout.region(source.entries[-1]).last
            last = self._below_entries(carried_by(entry), source, last)
        else:
            first, last = source.outer, source.end
        if first == last:
            return self._fill_empty(entry, first)
        lines = self.value_lines(entry, 0) if self.is_block(entry) else self.inline_lines(entry, 0)
        if entry.carries is not None:  # the comments of an entry whose value is the document now
            above, behind = self.inherited(entry)
            own: list[Pieces] = [[span] for span in (*above, *behind)]
            lines = [*own, *lines]
        pieces = join_lines(lines, self.newline)
        if self.text[last - 1 : last] == "\n":
            pieces = [*pieces, self.newline]
        return [Edit(first, last, pieces)]

    def _fill_empty(self, entry: Entry, at: int) -> list[Edit]:
        """Write a value into a document that has none, behind its comments."""
        lines = self.value_lines(entry, 0) if self.is_block(entry) else self.inline_lines(entry, 0)
        pieces = join_lines(lines, self.newline)
        if at > 0 and self.text[at - 1] != "\n":
            return [Edit(at, at, [self.newline, *pieces])]
        return [Edit(at, at, [*pieces, self.newline])]

    def _block_span(self, entry: Entry) -> tuple[int, int]:
        """The source span of a block value: whole lines, the last terminator excluded."""
        source = entry.source
        assert source is not None
        last = self.layout.region(entry).last
        if entry.carries is not None:
            last = self._below_entries(carried_by(entry), source, last)
        return self.layout.value_lines_start(entry), self.layout.before_newline(last)

    def _below_entries(self, carried: list[Entry], home: SourceNode, last: int) -> int:
        """The end of what is replaced where the value of one of its entries replaces a collection.

        The comments below the last entry of the collection stay. ``last`` if no entry did that.
        """
        inner = next((entry for entry in carried if entry.home is home), None)
        if inner is None:
            return last
        last_entry, node = home.entries[-1], inner.source
        if last_entry is not inner or node is None:
            return self.layout.region(last_entry).last
        if node.style in multiline.BLOCK:
            return last
        if node.entries and not node.flow:
            return self._below_entries(carried, node, self.layout.region(last_entry).last)
        end = max(self.layout.region(inner).indicator, node.end)
        return end if self.text[end - 1] == "\n" else self.layout.next_line(end)
