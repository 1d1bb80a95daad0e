"""Second stage of the TOML writer: the edits of pairs and headers that stay where they are."""

from __future__ import annotations

from confmig.documents.model.path import show
from confmig.documents.model.tree import Mapping, Sequence, entries_of, place_of
from confmig.documents.text.pieces import Edit, Pieces
from confmig.documents.toml.draft import Draft, Place, path_text, plain_inside
from confmig.documents.toml.pairs import PairWriter
from confmig.documents.toml.statements import Block, Statement
from confmig.documents.toml.values import key_text
from confmig.errors import Refused


class Keep:
    """Edits what stays, and cuts what leaves."""

    def __init__(self, draft: Draft, pairs: PairWriter) -> None:
        self.draft = draft
        self.pairs = pairs
        self.text = pairs.text
        self.newline = pairs.newline
        self.slots = pairs.slots

    def run(self) -> None:
        """Fill in the edits of the plans, and which pairs stay."""
        for block in self.draft.blocks:
            self._edit_pairs(block)
            self._edit_header(block)

    def _edit_pairs(self, block: Block) -> None:
        """Edit the pairs that stay, and cut the others."""
        plan = self.draft.plan_of(block)
        for pair in block.pairs:
            tables = self._tables_if_kept(block, pair)
            if tables is None:
                plan.edits.append(Edit(pair.lead, pair.end, []))
                continue
            for part in pair.parts:
                self.draft.written.add(id(part.entry))
                if part.entry.name != part.entry.parsed:
                    name = key_text(str(part.entry.name), part.style)
                    plan.edits.append(Edit(part.start, part.end, [name]))
            plan.edits += self.pairs.value_edits(pair.parts[-1].entry)
            if pair.parts[-1].entry.carries is not None:
                plan.edits += self._edits_for_carried_comments(pair)
            self.draft.pair_block[id(pair)] = block
            for container in tables:
                self.draft.last_pair[id(container)] = pair

    def _edits_for_carried_comments(self, pair: Statement) -> list[Edit]:
        """The edits that put the comments of an item, whose value the pair has now, next to it."""
        entry = pair.parts[-1].entry
        above, behind = self.pairs.inherited(entry)
        if entry.source is not None and pair.tail > entry.source.end:
            above, behind = [*above, *behind], []
        margin = self.pairs.margin(pair)
        edits = []
        if above:
            pieces: Pieces = [p for span in above for p in (margin, span, self.newline)]
            edits.append(Edit(pair.start, pair.start, pieces))
        if behind:
            edits.append(Edit(pair.tail, pair.tail, [p for span in behind for p in (" ", span)]))
        return edits

    def _tables_if_kept(self, block: Block, pair: Statement) -> list[Mapping] | None:
        """The tables that a pair leads through, if it stays; else None."""
        if id(block.table) not in self.draft.places:
            return None
        containers = [block.table]
        for number, part in enumerate(pair.parts):
            here = containers[-1]
            if here.entries.get(str(part.entry.name)) is not part.entry:
                return None
            if number + 1 == len(pair.parts):
                value = part.entry.value
                new = part.entry.node is None and isinstance(value, Mapping | Sequence)
                if new and not plain_inside(value):
                    return None  # tables that have blocks took the value's place
                return containers
            value = part.entry.value
            if not isinstance(value, Mapping) or id(value) not in self.draft.places:
                return None
            containers.append(value)
        return None

    def _edit_header(self, block: Block) -> None:
        """Give a header the path that its table has now; a block without a table is dead."""
        header, plan = block.header, self.draft.plan_of(block)
        place = self.draft.places.get(id(block.table))
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
        entry = block.table.entry
        if entry is not None and entry.carries is not None:
            above, behind = self.pairs.inherited(entry)
            margin = self.pairs.margin(header)
            pieces: Pieces = [p for s in (*above, *behind) for p in (margin, s, self.newline)]
            plan.edits.append(Edit(header.start, header.start, pieces))
        names = [p.entry.parsed for p in header.parts]
        if place.item == header.array and len(place.names) == len(names):
            for part, name in zip(header.parts, place.names, strict=True):
                if part.entry.parsed != name:
                    text = key_text(name, part.style)
                    plan.edits.append(Edit(part.start, part.end, [text]))
            return
        left, right = ("[[", "]]") if place.item else ("[", "]")
        start = self.text.index("[", header.start)
        end = self.text.index("]", header.parts[-1].end) + (2 if header.array else 1)
        plan.edits.append(Edit(start, end, [left + path_text(place.names) + right]))

    def _open_root(self, block: Block, place: Place) -> None:
        """The whole document moved below a key: its own pairs need a header."""
        root = block.table
        if len(root) and all(id(c.value) in self.draft.places for c in entries_of(root)):
            return  # the headers of its tables name it
        staying = [p for p in block.pairs if self._tables_if_kept(block, p) is not None]
        at = staying[0].lead if staying else self.draft.end_of_top_comment(block)
        self.draft.root_header = [f"[{path_text(place.names)}]{self.newline}"]
        self.draft.opening += self.draft.root_header
        self.draft.plan_of(block).edits.append(Edit(at, at, self.draft.opening))

    def _close_root(self, block: Block) -> None:
        """A table became the whole document: its pairs are above all headers, without one."""
        header = block.header
        assert header is not None
        for other in self.draft.blocks[1 : self.draft.blocks.index(block)]:
            if not self.draft.plan_of(other).dead:
                raise Refused(
                    "root_table",
                    f"the pairs of {show(place_of(block.table)) or 'the new root'} are below "
                    "another table, and must be above it",
                    fix="put the table first in the file",
                )
        close = self.text.index("]", header.parts[-1].end) + (2 if header.array else 1)
        remarks = [t for t in self.slots.tokens(close, header.tail) if t[0] == "comment"]
        kept: Pieces = [p for _, a, b in remarks for p in ((a, b), self.newline)]
        self.draft.plan_of(block).edits.append(Edit(header.start, header.end, kept))
