"""Tree -> text: the smallest edits of the source that make it say what the tree says.

One pass from the root. A container in its old place yields edits of its source: cuts of entries
that left, splices of keys and values that changed, insertions of entries that came. An entry
that came from elsewhere brings its source text, comments included, with its own edits made and
its indentation shifted. Only what has no source is written anew, in the style of the document.
"""

from __future__ import annotations

import re
from collections import Counter

from confmig.documents.document import Document
from confmig.documents.flow import Span
from confmig.documents.rope import (
    Edit,
    Piece,
    Rope,
    compose,
    indent,
    join_lines,
    split_lines,
    text_of,
)
from confmig.documents.tree import Cell, Container, Mapping, Origin, Sequence, cells_of
from confmig.documents.yaml import scalars
from confmig.documents.yaml.flow import FlowWriter, Style
from confmig.documents.yaml.layout import Layout, Region
from confmig.errors import Refused


def render(document: Document, layout: Layout) -> Rope:
    """The rope of the finished text (BOM excluded).

    Raises ``Refused`` where the change cannot be expressed in this text.
    """
    writer = _Writer(document, layout)
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
    rope = compose(0, len(text), edits)
    if text and not text.endswith("\n"):
        rope = _without_final_newline(text, rope)
    return rope


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
        first_kept = kept[0] if kept else None
        for number, cell in enumerate(origin.cells):
            if id(cell) in staying:
                edits.extend(self.cell_edits(cell))
            else:
                after = origin.cells[number + 1] if number + 1 < len(origin.cells) else None
                edits.append(self._cut(cell, after, whole=first_kept is None and not now))
        edits.extend(self._insertions(container, now, staying, first_kept))
        return edits

    def _cut(self, cell: Cell, after: Cell | None, *, whole: bool) -> Edit:
        region = self.layout.region(cell)
        end = region.last
        if region.compact:
            if after is None or whole:
                end = self.layout.before_newline(end)
            else:  # the next entry takes the place on the dash's line
                end += len(self.text[end:]) - len(self.text[end:].lstrip(" \r\n"))
        return Edit(region.first, end, [])

    def _insertions(
        self, container: Container, now: list[Cell], staying: set[int], first: Cell | None
    ) -> list[Edit]:
        origin = container.origin
        assert origin is not None
        sample = self.layout.region(first if first is not None else origin.cells[0])
        column = sample.column
        edits: list[Edit] = []
        previous: Cell | None = None
        for cell in now:
            if id(cell) in staying:
                previous = cell
                continue
            lines = self.entry_lines(cell, column)
            if previous is not None:
                at = self.layout.region(previous).last
                if at == len(self.text) and not self.text.endswith("\n"):
                    edits.append(Edit(at, at, [self.newline, *join_lines(lines, self.newline)]))
                else:
                    edits.append(Edit(at, at, [*join_lines(lines, self.newline), self.newline]))
                continue
            region = sample
            rope = join_lines(lines, self.newline)
            if region.compact:
                rope = _strip_start(self.text, rope)
                rope = [*rope, self.newline, " " * column] if first is not None else rope
                edits.append(Edit(region.first, region.first, rope))
            else:
                edits.append(Edit(region.first, region.first, [*rope, self.newline]))
        return edits

    def cell_edits(self, cell: Cell) -> list[Edit]:
        """The edits of an entry that stands where its source stands."""
        edits: list[Edit] = []
        if cell.key is not None and cell.home is not None:
            edits.extend(self._key_edits(cell))
        if not cell.untouched:
            edits.extend(self._value_edits(cell))
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
        cuts = [self._cut(c, None, whole=True) for c in origin.cells]
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
        inherited = self._inherited(cell, region)
        if inherited:
            return [*self._in_place(cell, region, block_source), *inherited]
        return self._in_place(cell, region, block_source)

    def _inherited(self, cell: Cell, region: Region) -> list[Edit]:
        """The comments of an entry whose value came up into this one."""
        if cell.carries is None or self._is_block(cell) or region.compact:
            return []
        above, behind = self._carried(cell.carries)
        stop = self.layout.line_end(region.indicator)
        if "#" in self.text[region.indicator : stop]:
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
            rope = self.inline_value(cell)
            if not block_source:
                lead = " " if source.outer == source.end or source.outer <= region.indicator else ""
                start = source.outer if source.end > source.outer else region.indicator
                if id(source) in self.document.aliased:
                    start = source.start  # others point at the anchor: it stays
                header = self._header_comment(source)
                if header is not None:
                    stop = self.layout.line_end(source.start)
                    return [Edit(start, header, rope), Edit(stop, max(stop, source.end), [])]
                return [Edit(start, max(start, source.end), [lead, *rope] if lead else rope)]
            start, end = self._block_span(cell)
            if self.layout.line_start(start) < start:
                return [Edit(start, end, rope)]
            at = region.indicator
            cut_from = max(at, self.layout.line_end(at))
            return [Edit(at, at, [" ", *rope]), Edit(cut_from, end, [])]
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

    def _header_comment(self, source: Origin) -> int | None:
        """Where a block scalar's header ends if a comment follows it, which stays on the line."""
        if source.style not in ("|", ">"):
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
        else:
            first, last = source.outer, source.end
        if first == last:
            return self._fill_empty(cell, first)
        lines = self.value_lines(cell, 0) if self._is_block(cell) else [self.inline_value(cell)]
        rope = join_lines(lines, self.newline)
        if self.text[last - 1 : last] == "\n":
            rope = [*rope, self.newline]
        return [Edit(first, last, rope)]

    def _fill_empty(self, cell: Cell, at: int) -> list[Edit]:
        """Write a value into a document that has none, after what comments it has."""
        lines = self.value_lines(cell, 0) if self._is_block(cell) else [self.inline_value(cell)]
        rope = join_lines(lines, self.newline)
        if at > 0 and self.text[at - 1] != "\n":
            return [Edit(at, at, [self.newline, *rope])]
        return [Edit(at, at, [*rope, self.newline])]

    def _block_span(self, cell: Cell) -> tuple[int, int]:
        """The source span of a block value: whole lines, the last terminator excluded."""
        source = cell.source
        assert source is not None
        end = self.layout.before_newline(self.layout.region(cell).last)
        return self.layout.value_lines_start(cell), end

    # --- entries that are new here

    def entry_lines(self, cell: Cell, column: int) -> list[Rope]:
        """The lines of an entry at a column of a block container."""
        if cell.home is not None and not cell.home.flow and not cell.is_root:
            region = self.layout.region(cell)
            rope = compose(region.first, region.last, self.cell_edits(cell))
            lines = split_lines(self.text, rope)
            return indent(
                self.text,
                [[" " * column, *lines[0]], *lines[1:]] if region.compact else lines,
                column - region.column,
                first_has_none=region.compact,
            )
        above, behind = self.comments_of(cell)
        lines = self._bare_lines(cell, column)
        if len(lines) == 1 and behind:
            trailing: Rope = [p for span in behind for p in (" ", span)]
            lines = [[*lines[0], *trailing]]
        elif behind:
            above = [*above, *behind]
        own: list[Rope] = [[" " * column, span] for span in above]
        return [*own, *lines]

    def comments_of(self, cell: Cell) -> tuple[list[Span], list[Span]]:
        """See ``FlowEditor``; entries of block collections bring theirs along, too."""
        if cell.home is not None or cell.carries is None:
            return super().comments_of(cell)
        return self._carried(cell.carries)

    def _carried(self, carried: Cell) -> tuple[list[Span], list[Span]]:
        """The comments above and behind an entry."""
        if carried.is_root or carried.home is None:
            return [], []
        if carried.home.flow:
            return super().comments_of(carried)
        region, node = self.layout.region(carried), carried.source
        assert node is not None
        spans = self.layout.comments()
        above = [(a, b) for a, b in spans if region.first <= a < region.start]
        first = self.layout.line_end(region.indicator)
        last = self.layout.line_end(node.end) if node.flow or not node.cells else first
        behind = [
            (a, b)
            for a, b in spans
            if region.indicator <= a < max(first, last) and not node.outer <= a < node.end
        ]
        return above, behind

    def _bare_lines(self, cell: Cell, column: int) -> list[Rope]:
        """The lines of an entry that is written anew."""
        pad = " " * column
        if cell.name is not None:
            style = cell.key.style if cell.key is not None else None
            head = f"{pad}{scalars.write(cell.name, style=style, quote=self.style.quote)}:"
            if not self._is_block(cell):
                if self._was_root(cell) and isinstance(cell.value, Mapping | Sequence):
                    # the lines of a flow collection must stand deeper than its key
                    lines = split_lines(self.text, self.inline_value(cell))
                    return [[head], *indent(self.text, lines, column + self.style.flow)]
                return self._deeper(
                    cell, split_lines(self.text, [head + " ", *self.inline_value(cell)]), column
                )
            return [[head], *self.value_lines(cell, column + self._offset(cell))]
        if not self._is_block(cell):
            lines = split_lines(self.text, [f"{pad}- ", *self.inline_value(cell)])
            return self._deeper(cell, lines, column)
        lines = self.value_lines(cell, column + 2)
        blank = 0
        while not text_of(self.text, lines[blank]).strip():
            blank += 1  # a dash cannot stand before a blank line
        first = _strip_start(self.text, lines[blank])
        return [*lines[:blank], [f"{pad}- ", *first], *lines[blank + 1 :]]

    def _deeper(self, cell: Cell, lines: list[Rope], column: int) -> list[Rope]:
        """The lines of an entry; those of a flow collection must stand deeper than the entry."""
        if len(lines) == 1 or not isinstance(cell.value, Mapping | Sequence):
            return lines
        texts = [text_of(self.text, line) for line in lines[1:]]
        least = min((len(t) - len(t.lstrip(" ")) for t in texts if t.strip()), default=column + 1)
        missing = column + 1 - least
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

    def value_lines(self, cell: Cell, column: int) -> list[Rope]:
        """The lines of a non-empty block container at a column."""
        container, node = cell.value, cell.node
        origin = container.origin
        if node is None or origin is None or not origin.cells or node.cell is None:
            lines = []
            for inner in cells_of(container):
                lines.extend(self.entry_lines(inner, column))
            return lines
        if node.outer != node.start:
            raise Refused(
                "anchored_move",
                "an anchored or tagged block value cannot move out of its entry",
                fix="move the whole entry, or edit this file by hand",
            )
        owner = node.cell
        first = self.layout.region(origin.cells[0])
        if owner.is_root:
            start, end = first.first, self.layout.region(origin.cells[-1]).last
        else:
            start, end = self.layout.value_lines_start(owner), self.layout.region(owner).last
        rope = compose(start, end, self.container_edits(container))
        lines = split_lines(self.text, rope)
        if first.compact:
            lines = [[" " * column, *lines[0]], *lines[1:]]
        return indent(self.text, lines, column - first.column, first_has_none=first.compact)

    def inline_value(self, cell: Cell) -> Rope:
        """A value that follows its key or dash on the same line, in block context."""
        value, node = cell.value, cell.node
        if node is not None:
            if isinstance(value, Mapping | Sequence) and not node.alias:
                if node.flow and (node.cells or not len(value)):
                    return compose(node.outer, node.end, self.container_edits(value))
            elif node.end > node.outer:
                if node.style in ("|", ">"):
                    return self._moved_block_scalar(cell)
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
        return [scalars.write(value, style=style, quote=self.style.quote)]

    def _moved_block_scalar(self, cell: Cell) -> Rope:
        if not isinstance(cell.value, str):
            raise Refused("block_scalar_move", "a tagged block scalar cannot leave its key")
        node = cell.node
        assert node is not None
        header = self.text[node.start : self.layout.line_end(node.start)].partition("#")[0]
        if node.end == len(self.text) and not self.text.endswith("\n") and "-" not in header:
            raise Refused(
                "block_scalar_move",
                "readers differ about the end of a block text without a final newline",
                fix="end the file with a newline",
            )
        return [scalars.double_quoted(cell.value)]


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
