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
        """Put another value where the source value stands."""
        source = entry.source
        assert source is not None
        root = entry.is_root
        in_flow = entry.home is not None and entry.home.flow and not root
        block_source = bool(source.entries) and not source.flow
        if in_flow or (root and source.flow and self.is_json(source)):
            json = self.is_json(entry.home) if in_flow and entry.home is not None else False
            return [Edit(source.outer, source.end, self.flow_value(entry, json=json))]
        if root:
            return self._root_edits(entry, block_source)
        region = self.layout.region(entry)
        inherited = self._comments_that_came(entry, region, block_source)
        if inherited:
            return [*self._in_place(entry, region, block_source), *inherited]
        return self._in_place(entry, region, block_source)

    def _comments_that_came(self, entry: Entry, region: Region, block_source: bool) -> list[Edit]:
        """The comments of an entry whose value came up into this one."""
        if entry.carries is None or region.compact:
            return []
        above, behind = self.inherited(entry)
        source = entry.source
        assert source is not None
        ends = region.indicator if block_source else max(region.indicator, source.end)
        stop = self.layout.line_end(ends)
        on_line = not block_source or entry.key is not None
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

    def _in_place(self, entry: Entry, region: Region, block_source: bool) -> list[Edit]:
        source = entry.source
        assert source is not None
        is_item = entry.key is None
        if not self.is_block(entry):
            kept = self._text_edits(entry, region)
            if kept is not None:
                return kept
            lines = self.deepened(entry, self.inline_lines(entry, region.column), region.column)
            pieces = lines[0]
            # the lines of a block text go below a comment on the line of its key
            below = [p for line in lines[1:] for p in (self.newline, *line)]
            text = self.is_text_block(entry)
            if not text:
                pieces, below = [*pieces, *below], []
            if not block_source:
                lead = " " if source.outer == source.end or source.outer <= region.indicator else ""
                start = source.outer if source.end > source.outer else region.indicator
                if id(source) in self.document.aliased:
                    start = source.start  # others point at the anchor: it stays
                    pieces = (
                        pieces[1:] if entry.tag is not None and entry.tag == source.tag else pieces
                    )
                header = self._header_comment(source)
                if header is not None:
                    stop = self.layout.line_end(source.start)
                    return [Edit(start, header, pieces), Edit(stop, max(stop, source.end), below)]
                end = max(start, source.end)
                edits = [Edit(start, end, [lead, *pieces] if lead else pieces)]
                if below:
                    stop = self.layout.line_end(end)
                    edits.append(Edit(stop, stop, below))
                return edits
            start, end = self._block_span(entry)
            if self.layout.line_start(start) < start:
                return [Edit(start, end, [*pieces, *below])]
            at = region.indicator
            cut_from = max(at, self.layout.line_end(at))
            return [Edit(at, at, [" ", *pieces]), Edit(cut_from, end, below)]
        column = region.column + self.offset(entry)
        lines = self.value_lines(entry, column)
        if block_source:
            start, end = self._block_span(entry)
            if self.layout.line_start(start) == start:
                return [Edit(start, end, join_lines(lines, self.newline))]
            if is_item and source.outer == source.start:
                lines = self.value_lines(entry, self.layout.column(start))
                return [Edit(start, end, strip_start(self.text, join_lines(lines, self.newline)))]
            # an anchor or tag on the line of the key or dash: it goes, unless others point at it
            stop = self.layout.properties_end(source)
            keeps = id(source) in self.document.aliased
            line = self.layout.line_end(stop)
            return [
                *([] if keeps else [Edit(region.indicator, stop, [])]),
                Edit(line, end, [self.newline, *join_lines(lines, self.newline)]),
            ]
        if is_item:
            start = source.outer if source.end > source.outer else region.indicator
            lead = " " * (column - region.column - 1) if start == region.indicator else ""
            if start != region.indicator:
                column = self.layout.column(start)
                lines = self.value_lines(entry, column)
            pieces = strip_start(self.text, join_lines(lines, self.newline))
            return [Edit(start, max(start, source.end), [lead, *pieces])]
        end = max(region.indicator, source.end)
        if source.outer > self.layout.line_end(region.indicator):  # it began on a later line
            return [
                Edit(self.layout.line_start(source.outer), end, join_lines(lines, self.newline))
            ]
        header = self._header_comment(source)
        if header is not None:
            line = self.layout.line_end(source.start)
            below = [self.newline, *join_lines(lines, self.newline)]
            return [Edit(region.indicator, header, []), Edit(line, max(line, end), below)]
        stop = self.layout.line_end(end)
        return [
            Edit(region.indicator, end, []),
            Edit(stop, stop, [self.newline, *join_lines(lines, self.newline)]),
        ]

    def _text_edits(self, entry: Entry, region: Region) -> list[Edit] | None:
        """The edits of a text of several lines that keeps its form; None if it cannot.

        A block text that loses all its line ends becomes a text of one line.
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

    def _header_comment(self, source: SourceNode) -> int | None:
        """Where a block scalar's header ends if a comment follows it, which stays on the line."""
        if source.style not in multiline.BLOCK:
            return None
        line = self.text[source.start : self.layout.line_end(source.start)]
        match = re.search(r"[ \t]+#", line)
        return source.start + match.start() if match else None

    def _root_edits(self, entry: Entry, block_source: bool) -> list[Edit]:
        source = entry.source
        assert source is not None
        if block_source:
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
        """Write a value into a document that has none, after what comments it has."""
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
        """Where the comments below the last entry of a block collection begin.

        They stay where they are if the value of one of its entries took its place. ``last``
        if none did.
        """
        inner = next((c for c in carried if c.home is home), None)
        if inner is None:
            return last
        ending, node = home.entries[-1], inner.source
        if ending is not inner or node is None:
            return self.layout.region(ending).last
        if node.style in multiline.BLOCK:
            return last
        if node.entries and not node.flow:
            return self._below_entries(carried, node, self.layout.region(ending).last)
        end = max(self.layout.region(inner).indicator, node.end)
        return end if self.text[end - 1] == "\n" else self.layout.next_line(end)
