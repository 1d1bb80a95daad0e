"""Tree -> TOML text: the smallest edits of the source that make it say what the tree says.

The text stays in its blocks. A header whose table is still there gets the table's path; a pair
whose value is still in its table is edited in place; the blocks of a table that moved into, out
of or within an array of tables move as they are. What has no text yet is written: pairs behind
the last pair of their table, tables as blocks behind the last block of their parent.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from confmig.documents.model.document import Document
from confmig.documents.model.path import show
from confmig.documents.model.tree import (
    Cell,
    Container,
    Mapping,
    Origin,
    Sequence,
    cells_of,
    place_of,
)
from confmig.documents.text.blank_lines import tidied, without_blank_ends
from confmig.documents.text.flow import Slots, Span
from confmig.documents.text.pieces import Edit, Piece, Rope, compose, join_lines, text_of
from confmig.documents.toml.statements import Block, SourceMap, Statement
from confmig.documents.toml.values import ValueWriter, key_text
from confmig.errors import Refused

_BLANK_LINE = ("\n\n", "\n\r\n")
_FILE_HEADER = re.compile(r"(?:[ \t]*#[^\n]*(?:\n|\Z))*(?:[ \t]*\r?\n)*")


def render(document: Document, slots: Slots) -> Rope:
    """The rope of the finished text (BOM excluded)."""
    return _Writer(document, slots).run()


@dataclass(slots=True)
class _Place:
    """Where a table is now: the names of its path (an array of tables counts as one), whether it
    is the item of an array, the innermost array item it stands in."""

    names: tuple[str, ...]
    item: bool
    owner: int


@dataclass(slots=True)
class _Plan:
    """What happens to a block: its edits, and what is written before and behind it: new text, or
    other blocks that move there. ``opened``: pairs came before the first header."""

    edits: list[Edit] = field(default_factory=list)
    before: list[Rope | Block] = field(default_factory=list)
    after: list[Rope | Block] = field(default_factory=list)
    opened: bool = False
    moved: bool = False
    dead: bool = False


class _Writer(ValueWriter):
    def __init__(self, document: Document, slots: Slots) -> None:
        super().__init__(document, slots)
        map_: SourceMap = document.source_map
        self.map = map_
        self.blocks = [replace(b) for b in map_.blocks]
        self._open = False
        self._airy: bool | None = None
        self.plans = {id(b): _Plan() for b in self.blocks}
        self.places: dict[int, _Place] = {}
        self.written: set[int] = set()  # cells whose text stands in a pair that stays
        self.last_pair: dict[int, Statement] = {}  # by the identity of a table
        self.pair_block: dict[int, Block] = {}
        self.opening: Rope = []  # what is new at the top where the root is another table:
        self.root_pairs: Rope = []
        self.root_header: Rope = []
        self.blocks_of: dict[int, list[Block]] = {}  # by table: its own and those below it
        self.ordered: dict[int, set[int]] = {}  # by array: the items that stand in their order
        self.alive: set[int] = set()
        self.block_of = {id(b.table): b for b in self.blocks}
        self.item_of = {id(b.table.origin): id(b.table) for b in self.blocks}
        self._pair_of: dict[int, Statement] | None = None

    def _pair(self, cell: Cell) -> Statement | None:
        """The pair that a cell was parsed in."""
        if self._pair_of is None:
            self._pair_of = {id(p.parts[-1].cell): p for b in self.blocks for p in b.pairs}
        return self._pair_of.get(id(cell))

    def run(self) -> Rope:
        """The finished text."""
        root = self.document.root
        if not isinstance(root, Mapping):
            raise Refused("wrong_type", "a TOML document is a table, nothing else")
        self._locate(root)
        self._adopt()
        for block in self.blocks:
            self._keep_pairs(block)
            self._keep_header(block)
        self._index()
        self._move_blocks()
        self._write(root)
        return self._assemble()

    # --- where everything is now

    def _locate(self, root: Mapping) -> None:
        """The place of every table that can have a header."""
        stack: list[tuple[Mapping, tuple[str, ...], bool, int]] = [(root, (), False, 0)]
        while stack:
            table, names, item, owner = stack.pop()
            owner = id(table) if item else owner
            self.places[id(table)] = _Place(names, item, owner)
            for cell in cells_of(table):
                self.alive.add(id(cell))
                value, inner = cell.value, (*names, str(cell.name))
                if isinstance(value, Mapping) and _sectioned(value):
                    stack.append((value, inner, False, owner))
                elif isinstance(value, Sequence) and self.is_array_of_tables(value):
                    self.alive.update(id(c) for c in cells_of(value))
                    stack.extend((c.value, inner, True, owner) for c in cells_of(value))

    def _adopt(self) -> None:
        """A new table in the place of one with a header takes that header over."""
        for block in self.blocks[1:]:
            origin = block.table.origin
            cell = origin.cell if origin is not None else None
            if id(block.table) in self.places or cell is None or id(cell) not in self.alive:
                continue
            value = cell.value
            new = id(value) in self.places and value.origin is None
            if new and id(value) not in self.block_of and self.plain_inside(value):
                block.table = value
                self.block_of[id(value)] = block

    def is_array_of_tables(self, value: Sequence) -> bool:
        """Whether a list is, or will be written as, ``[[...]]``."""
        if not len(value) or (value.origin is not None and value.origin.flow):
            return False
        return all(isinstance(c.value, Mapping) and _sectioned(c.value) for c in cells_of(value))

    # --- statements that stay

    def _keep_pairs(self, block: Block) -> None:
        plan = self.plans[id(block)]
        for pair in block.pairs:
            table = self._stays(block, pair)
            if table is None:
                plan.edits.append(Edit(pair.lead, pair.end, []))
                continue
            for part in pair.parts:
                self.written.add(id(part.cell))
                if part.cell.name != part.cell.parsed:
                    name = key_text(str(part.cell.name), part.style)
                    plan.edits.append(Edit(part.start, part.end, [name]))
            plan.edits += self.value_edits(pair.parts[-1].cell)
            if pair.parts[-1].cell.carries is not None:
                plan.edits += self._inherited_by(pair)
            self.pair_block[id(pair)] = block
            for container in table:
                self.last_pair[id(container)] = pair

    def _inherited_by(self, pair: Statement) -> list[Edit]:
        """The comments of an item whose value came up into a pair."""
        cell = pair.parts[-1].cell
        above, behind = self.inherited(cell)
        if cell.source is not None and pair.tail > cell.source.end:
            above, behind = [*above, *behind], []
        margin = self._margin(pair)
        edits = []
        if above:
            rope: Rope = [p for span in above for p in (margin, span, self.newline)]
            edits.append(Edit(pair.start, pair.start, rope))
        if behind:
            edits.append(Edit(pair.tail, pair.tail, [p for span in behind for p in (" ", span)]))
        return edits

    def inherited(self, cell: Cell) -> tuple[list[Span], list[Span]]:
        """See ``FlowEditor``; a pair of a table, and the table, leave their comments, too."""
        carried = cell.carries
        if carried is None or carried.home is None or carried.home.flow:
            return super().inherited(cell)
        above, behind = self.inherited(carried)
        above, behind = [*above, *behind], []
        pair = self._pair(carried)
        if pair is not None and carried.source is not None:
            above += self.comments_in(pair.lead, pair.start)
            behind = self.comments_in(carried.source.end, pair.tail)
        for block in self.blocks[1:]:
            if block.table.origin is carried.home and id(block.table) not in self.places:
                above += self._of_nobody(block)
        return sorted(above), behind

    def _of_nobody(self, block: Block) -> list[Span]:
        """The comments in a block that belong to none of its pairs."""
        header = block.header
        assert header is not None
        close = self.text.index("]", header.parts[-1].end) + (2 if header.array else 1)
        spans = self.comments_in(header.lead, header.start)
        at = close
        for pair in block.pairs:
            spans += self.comments_in(at, pair.lead)
            at = pair.end
        return [*spans, *self.comments_in(at, block.end)]

    def _stays(self, block: Block, pair: Statement) -> list[Mapping] | None:
        """The tables a pair leads through, if all of it is still where it was."""
        if id(block.table) not in self.places:
            return None
        containers = [block.table]
        for number, part in enumerate(pair.parts):
            here = containers[-1]
            if here.cells.get(str(part.cell.name)) is not part.cell:
                return None
            if number + 1 == len(pair.parts):
                value = part.cell.value
                new = part.cell.node is None and isinstance(value, Mapping | Sequence)
                if new and not self.plain_inside(value):
                    return None  # tables that have blocks took the value's place
                return containers
            value = part.cell.value
            if not isinstance(value, Mapping) or id(value) not in self.places:
                return None
            containers.append(value)
        return None

    def plain_inside(self, value: Container) -> bool:
        """Whether everything in a new container can be written inline."""
        stack: list[Container] = [value]
        while stack:
            for cell in cells_of(stack.pop()):
                node = cell.node
                if node is not None and not node.flow and node.cells:
                    return False
                if isinstance(cell.value, Mapping | Sequence):
                    stack.append(cell.value)
        return True

    def _keep_header(self, block: Block) -> None:
        header, plan = block.header, self.plans[id(block)]
        place = self.places.get(id(block.table))
        if header is None:
            if place is not None and place.names:
                self._open_root(block, place)
            return
        if place is not None and not place.names:
            self._close_root(block)
            return
        if place is None:
            plan.dead = True
            return
        cell = block.table.cell
        if cell is not None and cell.carries is not None:
            above, behind = self.inherited(cell)
            margin = self._margin(header)
            rope: Rope = [p for s in (*above, *behind) for p in (margin, s, self.newline)]
            plan.edits.append(Edit(header.start, header.start, rope))
        names = [p.cell.parsed for p in header.parts]
        if place.item == header.array and len(place.names) == len(names):
            for part, name in zip(header.parts, place.names, strict=True):
                if part.cell.parsed != name:
                    text = key_text(name, part.style)
                    plan.edits.append(Edit(part.start, part.end, [text]))
            return
        left, right = ("[[", "]]") if place.item else ("[", "]")
        start = self.text.index("[", header.start)
        end = self.text.index("]", header.parts[-1].end) + (2 if header.array else 1)
        path = ".".join(key_text(n, None) for n in place.names)
        plan.edits.append(Edit(start, end, [left + path + right]))

    def _open_root(self, block: Block, place: _Place) -> None:
        """The whole document moved below a key: its own pairs need a header."""
        root = block.table
        if len(root) and all(id(c.value) in self.places for c in cells_of(root)):
            return  # the headers of its tables name it
        staying = [p for p in block.pairs if self._stays(block, p) is not None]
        at = staying[0].lead if staying else self._below_file_header(block)
        self.root_header = [f"[{_path(place.names)}]{self.newline}"]
        self.opening += self.root_header
        self.plans[id(block)].edits.append(Edit(at, at, self.opening))

    def _close_root(self, block: Block) -> None:
        """A table became the whole document: its pairs stand above all headers, without one."""
        header = block.header
        assert header is not None
        for other in self.blocks[1 : self.blocks.index(block)]:
            if not self.plans[id(other)].dead:
                raise Refused(
                    "root_table",
                    f"the pairs of {show(place_of(block.table)) or 'the new root'} stand below "
                    "another table, and have to stand above it",
                    fix="put the table first in the file",
                )
        close = self.text.index("]", header.parts[-1].end) + (2 if header.array else 1)
        remarks = [t for t in self.slots.tokens(close, header.tail) if t[0] == "comment"]
        kept: Rope = [p for _, a, b in remarks for p in ((a, b), self.newline)]
        self.plans[id(block)].edits.append(Edit(header.start, header.end, kept))

    def _below_file_header(self, block: Block) -> int:
        match = _FILE_HEADER.match(self.text, block.start, block.end)
        return match.end() if match else block.start

    def _index(self) -> None:
        """Which blocks belong to a table and those below it, as the tree is now."""
        for block in self.blocks:
            if self.plans[id(block)].dead:
                continue
            here: Container | None = block.table
            while here is not None:
                self.blocks_of.setdefault(id(here), []).append(block)
                here = here.up

    # --- blocks that move

    def _move_blocks(self) -> None:
        """A table that is in another array item than before, or in another order there, takes its
        blocks along, behind the last block of what it must follow."""
        for block in self.blocks[1:]:
            plan = self.plans[id(block)]
            plan.moved = not plan.dead and self._displaced(block)
        for block in self.blocks[1:]:
            if self.plans[id(block)].moved:
                self._put(block.table, block)

    def _put(self, table: Mapping, text: Rope | Block) -> None:
        """Place a block behind what must precede it, or before what must follow it."""
        anchor, follows = self._anchor(table)
        plan = self.plans[id(anchor)]
        (plan.after if follows else plan.before).append(text)

    def _displaced(self, block: Block) -> bool:
        owner = self._owner_that_stays(self._owner_before(block))
        place = self.places[id(block.table)]
        if place.item:
            cell = block.table.cell
            sequence = block.table.up
            assert cell is not None
            assert sequence is not None
            if not self._in_order(sequence, cell):
                return True
            outer = self._owner_of(sequence)
            before = self._owner_that_stays(self._owner_before_of(sequence))
            return outer != before or self._owner_moved(outer)
        return owner != place.owner or self._owner_moved(place.owner)

    def _in_order(self, sequence: Container, cell: Cell) -> bool:
        """Whether an item stands where the array's headers put it."""
        origin = sequence.origin
        if origin is None:
            return cell.home is None  # a new array: its one wrapped table stays where it is
        known = self.ordered.get(id(sequence))
        if known is None:
            known = self.ordered[id(sequence)] = set()
            order = {id(c): i for i, c in enumerate(origin.cells)}
            highest = -1
            for other in cells_of(sequence):
                rank = order.get(id(other), -1)
                if rank > highest:
                    highest = rank
                    known.add(id(other))
        return id(cell) in known

    def _owner_of(self, container: Container) -> int:
        here: Container | None = container.up
        while here is not None:
            place = self.places.get(id(here))
            if place is not None:
                return place.owner
            here = here.up
        return 0

    def _owner_moved(self, owner: int) -> bool:
        for block in self.blocks_of.get(owner, []):
            if id(block.table) == owner:
                return self.plans[id(block)].moved
        return False

    def _owner_before(self, block: Block) -> int:
        """The identity of the innermost array item a table stood in, or was."""
        header = block.header
        assert header is not None
        origin = block.table.origin
        return self._origin_owner(origin)

    def _owner_that_stays(self, owner: int) -> int:
        """The innermost array item that is one still, of those that a table stood in."""
        while owner in self.places and not self.places[owner].item:
            origin = self.block_of[owner].table.origin
            array = origin.cell.home if origin is not None and origin.cell is not None else None
            owner = self._origin_owner(array.cell.home if array and array.cell else None)
        return owner

    def _owner_before_of(self, sequence: Container) -> int:
        origin = sequence.origin
        if origin is None:
            return self._owner_of(sequence)
        return self._origin_owner(origin.cell.home if origin.cell is not None else None)

    def _origin_owner(self, origin: Origin | None) -> int:
        """Walks up the source: an item is a cell without a name in an array of tables."""
        while origin is not None and origin.cell is not None:
            cell = origin.cell
            if cell.parsed is None and cell.home is not None and cell.home.style == "array":
                return self.item_of.get(id(origin), 0)
            if cell.home is origin:
                return 0
            origin = cell.home
        return 0

    def _anchor(self, table: Mapping) -> tuple[Block, bool]:
        """The last block of what precedes a table (True), or the first of what follows it."""
        up, cell = table.up, table.cell
        if isinstance(up, Sequence):
            items = cells_of(up)
            at = next(i for i, c in enumerate(items) if c is cell)
            for other in reversed(items[:at]):
                before = self._own(other.value, table)
                if before:
                    return before[-1], True
            for other in items[at + 1 :]:
                after = self._own(other.value, table)
                if after:
                    return after[0], False
        while up is not None:
            around = self._own(up, table)
            if around:
                return around[-1], True
            up = up.up
        return self.blocks[0], True

    def _own(self, container: Container, but: Mapping) -> list[Block]:
        """The blocks of a container without those of one table in it, moved ones included where
        they stand on their own."""
        return [
            b
            for b in self.blocks_of.get(id(container), [])
            if not _within(b.table, but) and not self.plans[id(b)].moved
        ]

    # --- what is new

    def _write(self, table: Mapping) -> None:
        """Write what has no text yet, below a table."""
        for cell in cells_of(table):
            value = cell.value
            if isinstance(value, Mapping) and id(value) in self.places:
                if self._present(value):
                    self._write(value)
                elif id(cell) in self.written:
                    continue
                elif len(value) and not self._dotted(table):
                    self._new_block(value)
                else:
                    self._new_pair(table, cell)
            elif isinstance(value, Sequence) and self.is_array_of_tables(value):
                if id(cell) in self.written and not self._present(value):
                    continue
                for item in cells_of(value):
                    if self._present(item.value):
                        self._needs_header(item.value)
                        self._write(item.value)
                    else:
                        self._new_block(item.value)
            elif id(cell) not in self.written:
                self._new_pair(table, cell)

    def _needs_header(self, item: Mapping) -> None:
        """An item of an array of tables begins with its own ``[[...]]``."""
        if id(item) not in self.block_of or self.plans[id(self.block_of[id(item)])].dead:
            raise Refused(
                "section_wrap",
                "a table of an array of tables cannot be put into another one",
                place=show(place_of(item)),
                fix="write the array as inline tables, or migrate this place by hand",
            )

    def _present(self, container: Container) -> bool:
        """Whether a table has text of its own: a block, or a pair that leads through it."""
        return id(container) in self.blocks_of or id(container) in self.last_pair

    def _dotted(self, table: Mapping) -> bool:
        origin = table.origin
        return origin is not None and origin.style == "dotted"

    def _new_pair(self, table: Mapping, cell: Cell) -> None:
        """A line behind the last pair of the table."""
        last = self.last_pair.get(id(table))
        if last is not None:
            block = self.pair_block[id(last)]
            prefix = self._prefix(last, table)
            indent = self._margin(last)
            rope = self._line(cell, prefix, indent)
            self.plans[id(block)].edits.append(self._insertion(last.end, rope))
            return
        own = self.block_of.get(id(table))
        if own is not None and not self.plans[id(own)].dead:
            if own.header is None:
                self._first_pair(own, cell)
                return
            at = own.header.end
            indent = self._margin(own.header) + self.unit
            rope = self._line(cell, [], indent)
            self.plans[id(own)].edits.append(self._insertion(at, rope))
            return
        self._headless(table, cell)

    def _first_pair(self, block: Block, cell: Cell) -> None:
        """The first pair of the document: behind the file's comments, before the first header."""
        at = self._below_file_header(block)
        rope = self._line(cell, [], "")
        self.plans[id(block)].opened = at == block.end
        self.plans[id(block)].edits.append(self._insertion(at, rope))

    def _insertion(self, at: int, rope: Rope) -> Edit:
        """Lines put in at the start of a line, or behind a last line without a terminator."""
        if at > 0 and self.text[at - 1] != "\n":
            rope = [self.newline, *rope[:-1]]
        return Edit(at, at, rope)

    def _headless(self, table: Mapping, cell: Cell) -> None:
        """A table that only others name gets a header of its own, before the first of them."""
        place = self.places[id(table)]
        if not place.names:
            self._root_pair(cell)
            return
        made = self.headers.get(id(table))
        if made is not None:
            made += self._line(cell, [], made_indent(made) + self.unit)
            return
        first = self.blocks_of[id(table)][0]
        assert first.header is not None
        indent = self._margin(first.header)
        made = [f"{indent}[{_path(place.names)}]{self.newline}"]
        made += self._line(cell, [], indent + self.unit)
        self.headers[id(table)] = made
        self.plans[id(first)].before.append(made)

    def _root_pair(self, cell: Cell) -> None:
        """A pair of a new root, above the header of what was the document."""
        if not self.opening:
            at = self._below_file_header(self.blocks[0])
            self.plans[id(self.blocks[0])].edits.append(Edit(at, at, self.opening))
            self.plans[id(self.blocks[0])].opened = at == self.blocks[0].end
        self.root_pairs += self._line(cell, [], "")
        apart = [self.newline] if self.root_header else []
        self.opening[:] = [*self.root_pairs, *apart, *self.root_header]

    def _prefix(self, pair: Statement, table: Mapping) -> list[str]:
        """The key parts that lead from a pair's section to a table."""
        names: list[str] = []
        for part in pair.parts[:-1]:
            names.append(str(part.cell.name))
            if part.cell.value is table:
                return names
        return []

    def _line(self, cell: Cell, prefix: list[str], indent: str) -> Rope:
        """A pair on a line of its own, with the comments it brings along."""
        above: list[Piece] = []
        behind: Rope = []
        equals: Rope = [self.equals]
        pair = self._pair(cell)
        if pair is not None and cell.source is not None:
            above, behind = self._around(cell, pair)
            equals = [(pair.parts[-1].end, cell.source.start)]
        else:
            from_table = cell.carries is not None and cell.home is not None
            kept, trailing = self.inherited(cell) if from_table else self.comments_of(cell)
            above = list(kept)
            behind = [p for span in trailing for p in (" ", span)]
        style = cell.key.style if cell.key is not None else None
        names = [*(key_text(n, None) for n in prefix), key_text(str(cell.name), style)]
        entry = [indent + ".".join(names), *equals, *self.value(cell)]
        lines = [*([indent, span] for span in above), [*entry, *behind]]
        return [*join_lines(lines, self.newline), self.newline]

    def _around(self, cell: Cell, pair: Statement) -> tuple[list[Piece], Rope]:
        """The comments above and behind the pair a cell was parsed in."""
        source = cell.source
        assert source is not None
        above = self.slots.tokens(pair.lead, pair.start)
        behind: Rope = [(source.end, pair.tail)] if pair.tail > source.end else []
        return [(a, b) for kind, a, b in above if kind == "comment"], behind

    def _new_block(self, table: Mapping) -> None:
        """A table as a block of its own, behind the last block of its parent or of the item
        before it."""
        self._put(table, self._block(table, self._block_indent(table)))

    def _block_indent(self, table: Mapping) -> str:
        up = table.up
        if isinstance(up, Sequence):
            for other in cells_of(up):
                for block in self.blocks_of.get(id(other.value), []):
                    if block.table is other.value and block.header is not None:
                        return self._margin(block.header)
            up = up.up
        own = self.block_of.get(id(up))
        if own is None or own.header is None:
            return ""
        return self._margin(own.header) + self.unit

    def _block(self, table: Mapping, indent: str) -> Rope:
        place = self.places[id(table)]
        left, right = ("[[", "]]") if place.item else ("[", "]")
        rope: Rope = []
        later: list[Mapping] = []
        for cell in cells_of(table):
            value = cell.value
            if isinstance(value, Mapping) and id(value) in self.places and len(value):
                later.append(value)
            elif isinstance(value, Sequence) and self.is_array_of_tables(value):
                later.extend(c.value for c in cells_of(value))
            else:
                rope += self._line(cell, [], indent + self.unit)
        if rope or place.item or not later:  # else the headers of its sub-tables name it
            rope = [f"{indent}{left}{_path(place.names)}{right}{self.newline}", *rope]
        inside = indent + self.unit if rope else indent
        for inner in later:
            if not self._present(inner):
                rope += [*([self.newline] if rope else []), *self._block(inner, inside)]
        return rope

    def _margin(self, statement: Statement) -> str:
        line = self.text[statement.start : statement.end]
        return line[: len(line) - len(line.lstrip(" \t"))]

    @property
    def unit(self) -> str:
        """How much deeper pairs stand than their header."""
        if self._unit is None:
            units: Counter[str] = Counter()
            for block in self.blocks[1:]:
                if block.header is not None and block.pairs:
                    outer, inner = self._margin(block.header), self._margin(block.pairs[0])
                    if inner.startswith(outer):
                        units[inner[len(outer) :]] += 1
            self._unit = units.most_common(1)[0][0] if units else ""
        return self._unit

    # --- the whole

    def _assemble(self) -> Rope:
        out: Rope = []
        self._open = False  # whether what comes next stands apart from what was written
        for block in self.blocks:
            plan = self.plans[id(block)]
            if not plan.moved:
                self._emit(out, block)
        if self.document.changes:
            out = without_blank_ends(self.text, out)
        if self.text and not self.text.endswith("\n"):
            out = self._without_last_newline(out)
        return out

    def _emit(self, out: Rope, block: Block) -> None:
        plan = self.plans[id(block)]
        for text in plan.before:
            self._emit_new(out, text)
        if not plan.dead:
            edits = tidied(self.text, plan.edits)
            self._append(out, compose(block.start, block.end, edits), apart=False)
            self._open = plan.opened
        elif self.text.endswith(_BLANK_LINE, 0, block.end):
            self._open = True  # the blank line that went with it set its neighbours apart
        for text in plan.after:
            self._emit_new(out, text)

    def _emit_new(self, out: Rope, text: Rope | Block) -> None:
        self._open = True
        if isinstance(text, Block):
            self._emit(out, text)
        else:
            self._append(out, text, apart=True)
        self._open = True

    def _append(self, out: Rope, rope: Rope, *, apart: bool) -> None:
        """Add a rope on a new line; behind a blank line, where sections are set apart."""
        if not rope:
            return
        before = text_of(self.text, out[-2:])
        if before and not before.endswith("\n"):
            out.append(self.newline)
            before += "\n"
        apart = (apart or self._open) and self.airy
        blank = before.endswith(_BLANK_LINE) or text_of(self.text, rope[:1]).startswith(
            ("\n", "\r\n")
        )
        if apart and before.strip() and not blank:
            out.append(self.newline)
        out.extend(rope)
        self._open = False

    @property
    def airy(self) -> bool:
        """Whether blank lines set the sections apart: unless the document never does."""
        if self._airy is None:
            heads = [b.start for b in self.blocks[1:] if b.start > 0]
            blank = [self.text.endswith(_BLANK_LINE, 0, at) for at in heads[:200]]
            self._airy = not blank or any(blank)
        return self._airy

    def _without_last_newline(self, rope: Rope) -> Rope:
        tail = text_of(self.text, rope[-1:])
        if not tail.endswith("\n"):
            return rope
        cut = 2 if tail.endswith("\r\n") else 1
        last = rope[-1]
        short: Piece = last[:-cut] if isinstance(last, str) else (last[0], last[1] - cut)
        return [*rope[:-1], short]


def made_indent(rope: Rope) -> str:
    """The indentation of a header that was written anew."""
    text = str(rope[0])
    return text[: len(text) - len(text.lstrip(" \t"))]


def _path(names: tuple[str, ...]) -> str:
    return ".".join(key_text(n, None) for n in names)


def _sectioned(table: Mapping) -> bool:
    """Whether a table may have a header: it is no inline one."""
    return table.origin is None or not table.origin.flow


def _within(table: Mapping, outer: Mapping) -> bool:
    here: Container | None = table
    while here is not None:
        if here is outer:
            return True
        here = here.up
    return False
