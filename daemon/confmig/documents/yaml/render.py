"""Tree -> text: the smallest edits of the source that make it say what the tree says.

One pass from the root. A container in its old place yields edits of its source: cuts of entries
that left, splices of keys and values that changed, insertions of entries that came. An entry
that came from elsewhere brings its source text, comments included, with its own edits made and
its indentation shifted. Only what has no source is written anew, in the style of the document.
"""

from __future__ import annotations

import re
from collections import Counter

from confmig.documents.model.document import Document
from confmig.documents.model.lookup import shown
from confmig.documents.model.source_path import path_of
from confmig.documents.model.tree import (
    Cell,
    Container,
    Mapping,
    Origin,
    Sequence,
    cells_of,
    touch,
    walk_cells,
)
from confmig.documents.text.blank_lines import tidied
from confmig.documents.text.flow import Span
from confmig.documents.text.pieces import (
    Edit,
    Piece,
    Rope,
    compose,
    indent,
    join_lines,
    split_lines,
    text_of,
)
from confmig.documents.yaml import scalars, texts
from confmig.documents.yaml.flow import FlowWriter, Style
from confmig.documents.yaml.layout import Layout, Region
from confmig.errors import Refused


def render(document: Document, layout: Layout) -> Rope:
    """The rope of the finished text (BOM excluded).

    Raises ``Refused`` where the change cannot be expressed in this text.
    """
    writer = _Writer(document, layout)
    writer.watch_end()
    text = document.text
    if document.stream:
        roots = cells_of(document.root)
        source = document.root_cell.source
        if source is None or [id(c) for c in roots] != [id(c) for c in source.cells]:
            raise Refused(
                "stream_structure",
                "the documents of a stream cannot be added, removed or put in another order",
                fix="write a migration that changes values inside the documents",
            )
        edits = [e for cell in roots for e in writer.cell_edits(cell)]
    else:
        edits = writer.cell_edits(document.root_cell)
    edits = _joined_at_end(text, tidied(text, edits, writer.open_texts))
    rope = compose(0, len(text), edits)
    if text and not text.endswith("\n"):
        needed = writer.newlines_at_end()
        if not needed:
            return _without_final_newline(text, rope)
        # without them readers would differ about the text
        end = text_of(text, rope[-3:])
        missing = needed - (len(end) - len(end.rstrip("\r\n"))) // len(document.newline)
        rope += [document.newline] * missing
    return rope


def _joined_at_end(text: str, edits: list[Edit]) -> list[Edit]:
    """The edits of a text. What is put behind a last line without a line end needs none before it
    if that line is cut."""
    size = len(text)
    cut = any(e.end == size and not e.rope and text[e.start - 1 : e.start] == "\n" for e in edits)
    if not cut or text.endswith("\n"):
        return edits
    return [
        Edit(e.start, e.end, e.rope[1:])
        if e.start == e.end == size and e.rope and e.rope[0] in ("\n", "\r\n")
        else e
        for e in edits
    ]


def _without_final_newline(source: str, rope: Rope) -> Rope:
    tail = text_of(source, rope[-1:])
    if not tail.endswith("\n"):
        return rope
    cut = 2 if tail.endswith("\r\n") else 1
    last = rope[-1]
    short: Piece = last[:-cut] if isinstance(last, str) else (last[0], last[1] - cut)
    return [*rope[:-1], short]


class _Writer(FlowWriter):
    def __init__(self, document: Document, layout: Layout) -> None:
        self.document = document
        self.layout = layout
        self.slots = layout.slots
        self.opaque = document.opaque
        self.text = document.text
        self.newline = document.newline
        self._style: Style | None = None
        self._open_end: Cell | None = None
        self._open_texts: list[Span] | None = None

    def watch_end(self) -> None:
        """A block text at the end of a file without a final newline has none either. Where that
        text does not end the result, its header must say so: have it looked at."""
        if self.text.endswith("\n") or not self.text:
            return
        cell = _last(self.document.root_cell.source)
        node = cell.source if cell is not None else None
        if cell is None or node is None or node.style not in texts.BLOCK:
            return
        last = self._last_now()
        if cell.node is node and last is not cell and (last is None or last.node is not node):
            self._open_end = cell
            for container, other in walk_cells(self.document.root):
                if other is cell:
                    touch(container)

    def _last_now(self) -> Cell | None:
        """The entry that ends the result."""
        cell = self.document.root_cell
        while isinstance(cell.value, Mapping | Sequence) and not (cell.node and cell.node.alias):
            cells = cells_of(cell.value)
            if not cells:
                return None
            cell = cells[-1]
        return cell

    def newlines_at_end(self) -> int:
        """How many line ends the result, but not the source, must end with: those of the block text
        that is its end."""
        cell = self._last_now()
        if cell is None or not isinstance(cell.value, str):
            return 0
        last = _last(self.document.root_cell.source)
        if last is not None and last.source is cell.node:
            return 0
        node = cell.node if cell.node is not None else cell.source
        if node is None or node.style not in texts.BLOCK:
            return 0
        return len(cell.value) - len(cell.value.rstrip("\n"))

    def open_texts(self) -> list[Span]:
        """The block texts that keep the blank lines behind them (``|+``)."""
        if self._open_texts is None:
            self._open_texts = [s for s in self.opaque if texts.keeps(self.text, s[0])]
        return self._open_texts

    @property
    def style(self) -> Style:
        if self._style is None:
            self._style = self._measure()
        return self._style

    def _measure(self) -> Style:
        steps: Counter[int] = Counter()
        dashes: Counter[int] = Counter()
        quotes: Counter[str] = Counter()
        root = self.document.root_cell.source
        stack = [(c, 0) for c in (root.cells if root is not None and not root.flow else [])]
        flows: Counter[int] = Counter()
        if root is not None and root.flow:  # how deep do its lines stand?
            for home in (root, *(c.source for c in root.cells if c.source and c.source.flow)):
                for slot in self.slots.of(home).values():
                    flows[self.layout.column(slot.start)] += slot.first_on_line
        seen = 0
        while stack and seen < 2000:
            cell, column = stack.pop()
            seen += 1
            node = cell.source
            if node is None:
                continue
            if node.style in ("'", '"'):
                quotes[node.style] += 1
            if node.flow or not node.cells:
                continue
            first = node.cells[0]
            at = first.key.start if first.key is not None else node.start
            inner = self.layout.column(at)
            if cell.key is not None and first.key is not None:
                steps[inner - column] += 1
            elif cell.key is not None:
                dashes[inner - column] += 1
            stack.extend((c, inner) for c in node.cells)
        step = max((s for s in steps if s > 0), key=lambda s: steps[s], default=2)
        dash = max((d for d in dashes if d >= 0), key=lambda d: dashes[d], default=2)
        quote = "'" if quotes["'"] >= quotes['"'] else '"'
        flow = next((n for n, found in flows.most_common(1) if n and found), 4)
        return Style(step, dash, quote, flow)

    # --- entries that stay

    def container_edits(self, container: Container) -> list[Edit]:
        """The edits of a container that stands where its source stands."""
        origin = container.origin
        assert origin is not None
        now = cells_of(container)
        if origin.flow:
            return self.flow_edits(container)
        edits: list[Edit] = []
        kept: list[Cell] = []
        order = {id(c): i for i, c in enumerate(origin.cells)}
        highest = -1
        for cell in now:
            rank = order.get(id(cell), -1)
            if rank > highest:
                kept.append(cell)
                highest = rank
        staying = {id(c) for c in kept}
        if len(kept) == len(now) == len(origin.cells):
            for cell in kept:
                edits.extend(self.cell_edits(cell))
            return edits
        leaving = [c for c in origin.cells if id(c) not in staying]
        leads = bool(now) and id(now[0]) not in staying
        edits.extend(self._block_cuts(origin, leaving, kept[0] if kept else None, leads))
        for cell in kept:
            edits.extend(self.cell_edits(cell))
        edits.extend(self._insertions(origin, now, staying, kept[0] if kept else None))
        return edits

    def _block_cuts(
        self, origin: Origin, leaving: list[Cell], first_kept: Cell | None, leads: bool
    ) -> list[Edit]:
        """The cuts of entries that leave. Where the first of them stands on the line of its dash,
        the first that stays takes its place there, unless a new one ``leads``."""
        if not leaving:
            return []
        regions = [self.layout.region(c) for c in leaving]
        first = regions[0]
        cuts = [Edit(r.first, r.last, []) for r in regions]
        if not first.compact:
            return [*cuts, *self._ends_of(origin, first_kept, leaving)]
        if first_kept is not None:
            run = origin.cells.index(first_kept)
            stays = self.layout.region(first_kept).first
            ends = [first.first, *(r.last for r in regions[:run])]
            begins = [*(r.first for r in regions[:run]), stays]
            between = "".join(self.text[a:b] for a, b in zip(ends, begins, strict=True))
            if not between.strip():
                rest = self.text[stays:]
                stop = stays + len(rest) - len(rest.lstrip(" \r\n"))
                return [Edit(first.first, stop, []), *cuts[run:]]
        start = first.first
        if first_kept is not None and not leads:  # no space stays behind the dash
            start -= len(self.text[:start]) - len(self.text[:start].rstrip(" "))
        return [Edit(start, self.layout.before_newline(first.last), []), *cuts[1:]]

    def _ends_of(self, origin: Origin, first_kept: Cell | None, leaving: list[Cell]) -> list[Edit]:
        """The cuts of blank lines that would be left at the head or the end of a container below a
        key or dash."""
        if first_kept is None or (origin.cell is not None and origin.cell.is_root):
            return []
        gone = {id(cell) for cell in leaving}
        kept = [self.layout.region(c) for c in origin.cells if id(c) not in gone]
        edits = []
        if id(origin.cells[0]) in gone:
            before = self.layout.region(origin.cells[origin.cells.index(first_kept) - 1])
            edits.append((before.last, kept[0].first))
        if id(origin.cells[-1]) in gone:
            number = max(i for i, c in enumerate(origin.cells) if id(c) not in gone)
            edits.append((kept[-1].last, self.layout.region(origin.cells[number + 1]).first))
        return [Edit(a, b, []) for a, b in edits if a < b and not self.text[a:b].strip()]

    def _insertions(
        self, origin: Origin, now: list[Cell], staying: set[int], first: Cell | None
    ) -> list[Edit]:
        head = self.layout.region(origin.cells[0])
        column = head.column
        edits: list[Edit] = []
        leading: list[Rope] = []
        previous: Cell | None = None
        for cell in now:
            if id(cell) in staying:
                previous = cell
                continue
            lines = self.entry_lines(cell, column)
            if previous is None:
                leading.extend(lines)
                continue
            at = self.layout.region(previous).last
            if at == len(self.text) and not self.text.endswith("\n"):
                edits.append(Edit(at, at, [self.newline, *join_lines(lines, self.newline)]))
            else:
                edits.append(Edit(at, at, [*join_lines(lines, self.newline), self.newline]))
        if not leading:
            return edits
        rope = join_lines(leading, self.newline)
        if head.compact:
            rope = _strip_start(self.text, rope)
            rope = [*rope, self.newline, " " * column] if first is not None else rope
            return [Edit(head.first, head.first, rope), *edits]
        at = head.first if first is None else self.layout.region(first).first
        return [Edit(at, at, [*rope, self.newline]), *edits]

    def cell_edits(self, cell: Cell) -> list[Edit]:
        """The edits of an entry that stands where its source stands."""
        edits: list[Edit] = []
        if cell.key is not None and cell.home is not None:
            edits.extend(self._key_edits(cell))
        if not cell.untouched:
            edits.extend(self._value_edits(cell))
        elif cell is self._open_end and isinstance(cell.value, str) and cell.node is not None:
            block = texts.block_of(self.text, cell.node, cell.value)
            if block is not None and block.sign != "-":
                at = block.head - len(block.sign)
                edits.append(Edit(at, block.head, ["-"]))
        elif (
            isinstance(cell.value, Mapping | Sequence)
            and cell.value.changed
            and not (cell.node and cell.node.alias)
        ):
            if (
                cell.value.origin is not None
                and not cells_of(cell.value)
                and cell.value.origin.cells
            ):
                edits.extend(self._emptied(cell))
            elif cell.value.origin is not None and not cell.value.origin.cells and len(cell.value):
                edits.extend(self._value_edits(cell))
            else:
                edits.extend(self.container_edits(cell.value))
        return edits

    def _key_edits(self, cell: Cell) -> list[Edit]:
        key = cell.key
        assert key is not None
        assert cell.name is not None
        if cell.name == cell.parsed:
            return []
        flow = cell.home is not None and cell.home.flow
        return [Edit(key.start, key.end, [scalars.write(cell.name, style=key.style, flow=flow)])]

    def _emptied(self, cell: Cell) -> list[Edit]:
        """A container that lost all its entries: {} or [] on the line of its key."""
        container = cell.value
        origin = container.origin
        brackets = "{}" if isinstance(container, Mapping) else "[]"
        if origin.flow:
            return self.flow_edits(container)
        cuts = self._block_cuts(origin, origin.cells, None, leads=True)
        first = self.layout.region(origin.cells[0])
        if first.compact:
            return [Edit(first.first, first.first, [brackets]), *cuts]
        if cell.home is None or cell.is_root:
            return [Edit(first.first, first.first, [brackets, self.newline]), *cuts]
        at = self.layout.region(cell).indicator
        if origin.outer < origin.start and origin.outer <= self.layout.line_end(at):
            at = self._properties_end(origin)
        return [Edit(at, at, [" " + brackets]), *cuts]

    def _properties_end(self, origin: Origin) -> int:
        """Where the anchor and tag of a block value end."""
        match = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]*)*").match(self.text, origin.outer)
        end = match.end() if match else origin.outer
        return origin.outer + len(self.text[origin.outer : end].rstrip(" \t"))

    def _value_edits(self, cell: Cell) -> list[Edit]:
        """Put another value where the source value stands."""
        source = cell.source
        assert source is not None
        root = cell.is_root
        in_flow = cell.home is not None and cell.home.flow and not root
        block_source = bool(source.cells) and not source.flow
        if in_flow or (root and source.flow and self.is_json(source)):
            json = self.is_json(cell.home) if in_flow and cell.home is not None else False
            return [Edit(source.outer, source.end, self.flow_value(cell, json=json))]
        if root:
            return self._root_edits(cell, block_source)
        region = self.layout.region(cell)
        inherited = self._inherited(cell, region, block_source)
        if inherited:
            return [*self._in_place(cell, region, block_source), *inherited]
        return self._in_place(cell, region, block_source)

    def _inherited(self, cell: Cell, region: Region, block_source: bool) -> list[Edit]:
        """The comments of an entry whose value came up into this one."""
        if cell.carries is None or region.compact:
            return []
        above, behind = self.inherited(cell)
        source = cell.source
        assert source is not None
        ends = region.indicator if block_source else max(region.indicator, source.end)
        stop = self.layout.line_end(ends)
        on_line = not block_source or cell.key is not None
        if self._is_block(cell) or not on_line or "#" in self.text[ends:stop]:
            above, behind = [*above, *behind], []
        edits = []
        if above:
            at = self.layout.line_start(region.start)
            pad = " " * region.column
            edits.append(Edit(at, at, [p for s in above for p in (pad, s, self.newline)]))
        if behind:
            edits.append(Edit(stop, stop, [p for s in behind for p in (" ", s)]))
        return edits

    def _in_place(self, cell: Cell, region: Region, block_source: bool) -> list[Edit]:
        source = cell.source
        assert source is not None
        is_item = cell.key is None
        if not self._is_block(cell):
            kept = self._text_edits(cell, region)
            if kept is not None:
                return kept
            lines = self._deeper(cell, self._inline_lines(cell, region.column), region.column)
            rope = lines[0]
            # the lines of a block text go below a comment on the line of its key
            below = [p for line in lines[1:] for p in (self.newline, *line)]
            text = self._is_text(cell)
            if not text:
                rope, below = [*rope, *below], []
            if not block_source:
                lead = " " if source.outer == source.end or source.outer <= region.indicator else ""
                start = source.outer if source.end > source.outer else region.indicator
                if id(source) in self.document.aliased:
                    start = source.start  # others point at the anchor: it stays
                    rope = rope[1:] if cell.tag is not None and cell.tag == source.tag else rope
                header = self._header_comment(source)
                if header is not None:
                    stop = self.layout.line_end(source.start)
                    return [Edit(start, header, rope), Edit(stop, max(stop, source.end), below)]
                end = max(start, source.end)
                edits = [Edit(start, end, [lead, *rope] if lead else rope)]
                if below:
                    stop = self.layout.line_end(end)
                    edits.append(Edit(stop, stop, below))
                return edits
            start, end = self._block_span(cell)
            if self.layout.line_start(start) < start:
                return [Edit(start, end, [*rope, *below])]
            at = region.indicator
            cut_from = max(at, self.layout.line_end(at))
            return [Edit(at, at, [" ", *rope]), Edit(cut_from, end, below)]
        column = region.column + self._offset(cell)
        lines = self.value_lines(cell, column)
        if block_source:
            start, end = self._block_span(cell)
            if self.layout.line_start(start) == start:
                return [Edit(start, end, join_lines(lines, self.newline))]
            if is_item and source.outer == source.start:
                lines = self.value_lines(cell, self.layout.column(start))
                return [Edit(start, end, _strip_start(self.text, join_lines(lines, self.newline)))]
            # an anchor or tag on the line of the key or dash: it goes, unless others point at it
            stop = self._properties_end(source)
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
                lines = self.value_lines(cell, column)
            rope = _strip_start(self.text, join_lines(lines, self.newline))
            return [Edit(start, max(start, source.end), [lead, *rope])]
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

    def _text_edits(self, cell: Cell, region: Region) -> list[Edit] | None:
        """The edits of a text of several lines that keeps its form; None if it cannot. A block text
        that loses all its line ends becomes a text of one line."""
        source = cell.source
        assert source is not None
        if cell.node is not None or source.tag != cell.tag or not isinstance(cell.value, str):
            return None
        block_text = source.style in texts.BLOCK
        if not block_text and "\n" not in self.text[source.start : source.end]:
            return None
        old = texts.read(self.text, source, region.column)
        if old is None or ("\n" in old and "\n" not in cell.value):
            return None
        if not block_text:
            rope = texts.continued(self.text, source, old, cell.value, region.column)
            return None if rope is None else [Edit(source.start, source.end, rope)]
        block = texts.block_of(self.text, source, old)
        if block is None:
            return None
        new = texts.changed(self.text, block, old, cell.value, region.column, self.newline)
        if new is None:
            return None
        head = self.text[source.start : block.head]
        edits = [] if head == new.header else [Edit(source.start, block.head, [new.header])]
        return [*edits, Edit(block.begin, source.end, new.content)]

    def _is_text(self, cell: Cell) -> bool:
        """Whether a value that moved here is a block text."""
        return cell.node is not None and cell.node.style in texts.BLOCK

    def _inline_lines(self, cell: Cell, column: int) -> list[Rope]:
        """The lines of a value that begins on the line of its key or dash, in an entry at a
        column."""
        if self._is_text(cell):
            return self._moved_text(cell, column)
        return split_lines(self.text, self.inline_value(cell))

    def _header_comment(self, source: Origin) -> int | None:
        """Where a block scalar's header ends if a comment follows it, which stays on the line."""
        if source.style not in texts.BLOCK:
            return None
        line = self.text[source.start : self.layout.line_end(source.start)]
        match = re.search(r"[ \t]+#", line)
        return source.start + match.start() if match else None

    def _root_edits(self, cell: Cell, block_source: bool) -> list[Edit]:
        source = cell.source
        assert source is not None
        if block_source:
            first = self.layout.region(source.cells[0]).first
            last = self.layout.region(source.cells[-1]).last
            last = self._below_entries(_carried_by(cell), source, last)
        else:
            first, last = source.outer, source.end
        if first == last:
            return self._fill_empty(cell, first)
        lines = self.value_lines(cell, 0) if self._is_block(cell) else self._inline_lines(cell, 0)
        if cell.carries is not None:  # the comments of an entry whose value is the document now
            above, behind = self.inherited(cell)
            own: list[Rope] = [[span] for span in (*above, *behind)]
            lines = [*own, *lines]
        rope = join_lines(lines, self.newline)
        if self.text[last - 1 : last] == "\n":
            rope = [*rope, self.newline]
        return [Edit(first, last, rope)]

    def _fill_empty(self, cell: Cell, at: int) -> list[Edit]:
        """Write a value into a document that has none, after what comments it has."""
        lines = self.value_lines(cell, 0) if self._is_block(cell) else self._inline_lines(cell, 0)
        rope = join_lines(lines, self.newline)
        if at > 0 and self.text[at - 1] != "\n":
            return [Edit(at, at, [self.newline, *rope])]
        return [Edit(at, at, [*rope, self.newline])]

    def _block_span(self, cell: Cell) -> tuple[int, int]:
        """The source span of a block value: whole lines, the last terminator excluded."""
        source = cell.source
        assert source is not None
        last = self.layout.region(cell).last
        if cell.carries is not None:
            last = self._below_entries(_carried_by(cell), source, last)
        return self.layout.value_lines_start(cell), self.layout.before_newline(last)

    def _below_entries(self, carried: list[Cell], home: Origin, last: int) -> int:
        """Where the comments below the last entry of a block collection begin: they stay where they
        are if the value of one of its entries took its place. ``last`` if none did."""
        inner = next((c for c in carried if c.home is home), None)
        if inner is None:
            return last
        ending, node = home.cells[-1], inner.source
        if ending is not inner or node is None:
            return self.layout.region(ending).last
        if node.style in texts.BLOCK:
            return last
        if node.cells and not node.flow:
            return self._below_entries(carried, node, self.layout.region(ending).last)
        end = max(self.layout.region(inner).indicator, node.end)
        return end if self.text[end - 1] == "\n" else self.layout.next_line(end)

    # --- entries that are new here

    def entry_lines(self, cell: Cell, column: int) -> list[Rope]:
        """The lines of an entry at a column of a block container."""
        if cell.home is not None and not cell.home.flow and not cell.is_root:
            region = self.layout.region(cell)
            edits = tidied(self.text, self.cell_edits(cell), self.open_texts)
            rope = compose(region.first, region.last, edits)
            lines = split_lines(self.text, rope)
            return indent(
                self.text,
                [[" " * column, *lines[0]], *lines[1:]] if region.compact else lines,
                column - region.column,
                first_has_none=region.compact,
            )
        above, behind = self.comments_of(cell)
        lines = self._bare_lines(cell, column)
        if behind and (len(lines) == 1 or (cell.name is not None and self._is_block(cell))):
            trailing: Rope = [p for span in behind for p in (" ", span)]
            lines = [[*lines[0], *trailing], *lines[1:]]
        elif behind:
            above = [*above, *behind]
        own: list[Rope] = [[" " * column, span] for span in above]
        return [*own, *lines]

    def comments_of(self, cell: Cell) -> tuple[list[Span], list[Span]]:
        """See ``FlowEditor``; entries of block collections bring theirs along, too."""
        if cell.home is not None or cell.carries is None:
            return super().comments_of(cell)
        above, behind = self._carried(cell.carries)
        further, beside = self.inherited(cell.carries)
        behind = [*behind, *beside]
        return [*above, *further, *behind[:-1]], behind[-1:]

    def inherited(self, cell: Cell) -> tuple[list[Span], list[Span]]:
        """See ``FlowEditor``; entries of block collections leave their comments, too."""
        carried = cell.carries
        if carried is None or carried.home is None or carried.home.flow or carried.is_root:
            return super().inherited(cell)
        above, behind = self._carried(carried)
        further, beside = self.inherited(carried)
        above, behind = [*above, *further, *beside], behind
        if self.is_gone(carried.home):
            above += self._of_nobody(carried.home)
            above += self._below_text(carried)
        return sorted(above), behind

    def _below_text(self, carried: Cell) -> list[Span]:
        """The comments below a block text that ended its collection: they cannot stay below it,
        because they would become part of the text."""
        node, home = carried.source, carried.home
        assert home is not None
        owner = home.cell
        if node is None or node.style not in texts.BLOCK or home.cells[-1] is not carried:
            return []
        if owner is None or owner.home is None or owner.home.flow or owner.is_root:
            return []
        return self.layout.comments_between(node.end, self.layout.region(owner).last)

    def _of_nobody(self, home: Origin) -> list[Span]:
        """The comments between the entries of a block collection that belong to none of them, but
        not those below the last one."""
        regions = [self.layout.region(c) for c in home.cells]
        starts = [self._start_of(home), *(r.last for r in regions)]
        gaps = zip(starts, (r.first for r in regions), strict=False)
        return [span for low, high in gaps for span in self.layout.comments_between(low, high)]

    def _carried(self, carried: Cell) -> tuple[list[Span], list[Span]]:
        """The comments above and behind an entry."""
        if carried.is_root or carried.home is None:
            return [], []
        if carried.home.flow:
            return super().comments_of(carried)
        region, node = self.layout.region(carried), carried.source
        assert node is not None
        above = self.layout.comments_between(region.first, region.start)
        first = self.layout.line_end(region.indicator)
        last = self.layout.line_end(node.end) if node.flow or not node.cells else first
        spans = self.layout.comments_between(region.indicator, max(first, last))
        # on the line of a dash what follows the value belongs to its own first entry
        end = node.end if node.flow or not node.cells else max(first, node.end) + 1
        return above, [(a, b) for a, b in spans if not node.outer <= a < end]

    def _bare_lines(self, cell: Cell, column: int) -> list[Rope]:
        """The lines of an entry that is written anew."""
        pad = " " * column
        if cell.name is not None:
            style = cell.key.style if cell.key is not None else None
            head = f"{pad}{scalars.write(cell.name, style=style, quote=self.style.quote)}:"
            if not self._is_block(cell):
                if self._was_root(cell) and isinstance(cell.value, Mapping | Sequence):
                    # the lines of a flow collection must stand deeper than its key
                    lines = self._inline_lines(cell, column)
                    return [[head], *indent(self.text, lines, column + self.style.flow)]
                first, *more = self._inline_lines(cell, column)
                return self._deeper(cell, [[head + " ", *first], *more], column)
            properties = self._moved_properties(cell)
            lines = self.value_lines(cell, column + self._offset(cell), bare=True)
            return [[head + properties], *lines]
        if not self._is_block(cell):
            first, *more = self._inline_lines(cell, column)
            return self._deeper(cell, [[f"{pad}- ", *first], *more], column)
        properties = self._moved_properties(cell)
        lines = self.value_lines(cell, column + 2, bare=True)
        if properties:
            return [[f"{pad}-{properties}"], *lines]
        blank = 0
        while not text_of(self.text, lines[blank]).strip():
            blank += 1  # a dash cannot stand before a blank line
        first = _strip_start(self.text, lines[blank])
        return [*lines[:blank], [f"{pad}- ", *first], *lines[blank + 1 :]]

    def _moved_properties(self, cell: Cell) -> str:
        """The anchor and tag of a block value that goes below another key or dash; empty if it has
        none, not on one line, or one that others use."""
        node = cell.node
        if node is None or node.alias or node.outer == node.start:
            return ""
        if id(node) in self.document.aliased:
            return ""  # the anchor stays where others find it
        text = self.text[node.outer : node.start]
        found = re.match(r"[&!][^\s#]*(?:[ \t]+[&!][^\s#]*)*", text)
        rest = text[found.end() :] if found is not None else text
        return f" {found[0]}" if found is not None and not rest.strip() else ""

    def _deeper(self, cell: Cell, lines: list[Rope], column: int) -> list[Rope]:
        """The lines of an entry; those of a flow collection, and those on which a text goes on,
        must stand deeper than the entry."""
        if len(lines) == 1:
            return lines
        found = [text_of(self.text, line) for line in lines[1:]]
        least = min((len(t) - len(t.lstrip(" ")) for t in found if t.strip()), default=column + 1)
        missing = column + 1 - least
        if missing > 0 and not isinstance(cell.value, Mapping | Sequence):
            missing += self.style.step - 1
        return [lines[0], *indent(self.text, lines[1:], missing)] if missing > 0 else lines

    def _was_root(self, cell: Cell) -> bool:
        """Whether a value was the whole document."""
        node = cell.node
        return node is not None and node.cell is not None and node.cell.is_root

    def _offset(self, cell: Cell) -> int:
        """How far a block value is indented from its entry."""
        if cell.name is None:
            return 2
        if isinstance(cell.value, Sequence) and self._was_root(cell):
            return 0  # a document that was a list: its lines stay as they are
        return self.style.dash if isinstance(cell.value, Sequence) else self.style.step

    def _is_block(self, cell: Cell) -> bool:
        """Whether a value that is new at its place is written over several lines."""
        value, node = cell.value, cell.node
        if not isinstance(value, Mapping | Sequence) or not len(value):
            return False
        if node is not None and (node.alias or (node.flow and node.cells)):
            return False
        return not (value.origin is not None and value.origin.flow and value.origin.cells)

    def value_lines(self, cell: Cell, column: int, *, bare: bool = False) -> list[Rope]:
        """The lines of a non-empty block container at a column. ``bare``: its anchor and tag are
        written elsewhere."""
        container, node = cell.value, cell.node
        origin = container.origin
        if node is None or origin is None or not origin.cells or node.cell is None:
            lines: list[Rope] = []
            before: Cell | None = None
            for inner in cells_of(container):
                lines.extend(self._lines_between(before, inner, column))
                lines.extend(self.entry_lines(inner, column))
                before = inner
            return [*lines, *self._lines_behind(before, column)]
        if node.outer != node.start and not (bare and self._moved_properties(cell)):
            raise Refused(
                "anchored_move",
                "an anchored or tagged block value cannot move out of its entry",
                place=shown(container),
                fix="move the whole entry, or edit this file by hand",
            )
        owner = node.cell
        first = self.layout.region(origin.cells[0])
        if owner.is_root:
            start, end = first.first, self.layout.region(origin.cells[-1]).last
        else:
            start, end = self.layout.value_lines_start(owner), self.layout.region(owner).last
            if node.outer != node.start:
                start = first.first  # below the line of the anchor or tag
        edits = tidied(self.text, self.container_edits(container), self.open_texts)
        rope = compose(start, end, edits)
        lines = split_lines(self.text, rope)
        if first.compact:
            lines = [[" " * column, *lines[0]], *lines[1:]]
        return indent(self.text, lines, column - first.column, first_has_none=first.compact)

    def _lines_between(self, before: Cell | None, cell: Cell, column: int) -> list[Rope]:
        """What stood between two entries that were neighbours in the source: blank lines, and the
        comments of a collection that was taken apart."""
        first, second = (_source_of(c) for c in (before, cell))
        home = second.home if second is not None else None
        if second is None or home is None or home.flow or second.is_root:
            return []
        if first is None:
            if before is not None or second is not home.cells[0] or not self.is_gone(home):
                return []
            start = self._start_of(home)
        elif first.home is not home:
            return []
        else:
            start = self.layout.region(first).last
        return self._left_over(home, start, self.layout.region(second).first, column)

    def _lines_behind(self, last: Cell | None, column: int) -> list[Rope]:
        """The comments below the last entry of a collection that was taken apart."""
        source = _source_of(last)
        home = source.home if source is not None else None
        if source is None or home is None or home.flow or source.is_root:
            return []
        owner = home.cell
        if source is not home.cells[-1] or not self.is_gone(home) or owner is None:
            return []
        if owner.is_root or owner.home is None or owner.home.flow:
            return []
        start, end = self.layout.region(source).last, self.layout.region(owner).last
        return self._left_over(home, start, end, column)

    def _start_of(self, home: Origin) -> int:
        """Where the lines of a collection begin; what is above the first entry of a document is
        the document's."""
        owner = home.cell
        if owner is None or owner.is_root:
            return self.layout.region(home.cells[0]).first
        return self.layout.value_lines_start(owner)

    def _left_over(self, home: Origin, start: int, end: int, column: int) -> list[Rope]:
        """The blank lines of a stretch of the source, and its comments if their collection is
        gone."""
        text = self.text[start:end]
        if start >= end or (text.strip() and not self.is_gone(home)):
            return []
        out: list[Rope] = []
        at = start
        for line in text.splitlines(keepends=True):
            bare = line.strip()
            if bare and not bare.startswith("#"):
                return []
            begin = at + len(line) - len(line.lstrip(" \t"))
            out.append([" " * column, (begin, begin + len(bare))] if bare else [])
            at += len(line)
        return out

    def inline_value(self, cell: Cell) -> Rope:
        """A value that follows its key or dash on the same line, in block context."""
        value, node = cell.value, cell.node
        if node is not None:
            if isinstance(value, Mapping | Sequence) and not node.alias:
                if node.flow and (node.cells or not len(value)):
                    return compose(node.outer, node.end, self.container_edits(value))
            elif node.end > node.outer:
                return [(node.outer, node.end)]
            else:
                return ["null"]
        if isinstance(value, Mapping | Sequence):
            return (
                self.flow_value(cell)
                if len(value)
                else ["{}" if isinstance(value, Mapping) else "[]"]
            )
        style = cell.source.style if cell.source is not None and isinstance(value, str) else None
        style = style if style in ("'", '"') else None
        return [*self.kept_tag(cell), scalars.write(value, style=style, quote=self.style.quote)]

    def _moved_text(self, cell: Cell, column: int) -> list[Rope]:
        """A block text that moved below another entry, its anchor and tag included."""
        node = cell.node
        assert node is not None
        properties = self.text[node.outer : node.start]
        if "\n" in properties:
            raise Refused(
                "block_scalar_move",
                "a block text cannot move while its tag or anchor stands on a line of its own",
                place=path_of(self.document, cell),
                fix="write the tag and the header on one line",
            )
        block = texts.block_of(self.text, node, str(cell.value))
        if block is None:
            return [[properties, scalars.double_quoted(str(cell.value))]]
        step = 2 if cell.name is None else self.style.step
        # a text that ended the file without a newline has none: elsewhere its header says so
        ends = str(cell.value).endswith("\n") or self._last_now() is cell
        lines = texts.moved(block, block.sign if ends else "-", column, step)
        return [[properties, *lines[0]], *lines[1:]]


def _source_of(cell: Cell | None) -> Cell | None:
    """The entry of the source that an entry is, or whose value it took over."""
    if cell is None:
        return None
    return cell if cell.home is not None else cell.carries


def _carried_by(cell: Cell) -> list[Cell]:
    """The entries whose comments an entry carries."""
    out: list[Cell] = []
    carried = cell.carries
    while carried is not None:
        out.append(carried)
        carried = carried.carries
    return out


def _last(node: Origin | None) -> Cell | None:
    """The entry that ends a source."""
    cell = node.cell if node is not None else None
    while cell is not None and cell.source is not None and cell.source.cells:
        cell = cell.source.cells[-1]
    return cell


def _strip_start(source: str, rope: Rope) -> Rope:
    """The rope without its leading spaces."""
    out = list(rope)
    while out:
        text = text_of(source, out[:1])
        bare = text.lstrip(" ")
        if bare:
            first = out[0]
            cut = len(text) - len(bare)
            out[0] = first[cut:] if isinstance(first, str) else (first[0] + cut, first[1])
            return out
        out.pop(0)
    return out
