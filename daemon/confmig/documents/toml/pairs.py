"""How a pair of a TOML table is written, with the comments that it owns or brings along."""

from __future__ import annotations

from collections import Counter

from confmig.documents.model.document import Document
from confmig.documents.model.tree import Entry
from confmig.documents.text.pieces import Piece, Pieces, join_lines
from confmig.documents.text.slots import Slots, Span
from confmig.documents.toml.draft import Draft
from confmig.documents.toml.statements import Block, Statement
from confmig.documents.toml.values import ValueWriter, key_text


class PairWriter(ValueWriter):
    """Writes pairs; values are the business of ``ValueWriter``."""

    def __init__(self, document: Document, slots: Slots, draft: Draft) -> None:
        super().__init__(document, slots)
        self.draft = draft
        self._unit: str | None = None
        self._pair_of: dict[int, Statement] | None = None

    def pair_of(self, entry: Entry) -> Statement | None:
        """The pair that an entry was parsed in."""
        if self._pair_of is None:
            self._pair_of = {id(p.parts[-1].entry): p for b in self.draft.blocks for p in b.pairs}
        return self._pair_of.get(id(entry))

    def inherited(self, entry: Entry) -> tuple[list[Span], list[Span]]:
        """See ``CarriedComments``; pairs of a table, and the table, hand their comments on, too."""
        carried = entry.carries
        if carried is None or carried.home is None or carried.home.flow:
            return super().inherited(entry)
        above, behind = self.inherited(carried)
        above, behind = [*above, *behind], []
        pair = self.pair_of(carried)
        if pair is not None and carried.source is not None:
            above += self.comments_in(pair.lead, pair.start)
            behind = self.comments_in(carried.source.end, pair.tail)
        for block in self.draft.blocks[1:]:
            if block.table.source_node is carried.home and id(block.table) not in self.draft.places:
                above += self._ownerless(block)
        return sorted(above), behind

    def _ownerless(self, block: Block) -> list[Span]:
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

    def line(self, entry: Entry, prefix: list[str], indent: str) -> Pieces:
        """A pair on a line of its own, with the comments it brings along."""
        above: list[Piece] = []
        behind: Pieces = []
        equals: Pieces = [self.equals]
        pair = self.pair_of(entry)
        if pair is not None and entry.source is not None:
            above, behind = self._around(entry, pair)
            equals = [(pair.parts[-1].end, entry.source.start)]
        else:
            from_table = entry.carries is not None and entry.home is not None
            kept, trailing = self.inherited(entry) if from_table else self.comments_of(entry)
            above = list(kept)
            behind = [p for span in trailing for p in (" ", span)]
        style = entry.key.style if entry.key is not None else None
        names = [*(key_text(n, None) for n in prefix), key_text(str(entry.name), style)]
        line = [indent + ".".join(names), *equals, *self.value(entry)]
        lines = [*([indent, span] for span in above), [*line, *behind]]
        return [*join_lines(lines, self.newline), self.newline]

    def _around(self, entry: Entry, pair: Statement) -> tuple[list[Piece], Pieces]:
        """The comments above and behind the pair an entry was parsed in."""
        source = entry.source
        assert source is not None
        above = self.slots.tokens(pair.lead, pair.start)
        behind: Pieces = [(source.end, pair.tail)] if pair.tail > source.end else []
        return [(a, b) for kind, a, b in above if kind == "comment"], behind

    def margin(self, statement: Statement) -> str:
        line = self.text[statement.start : statement.end]
        return line[: len(line) - len(line.lstrip(" \t"))]

    @property
    def unit(self) -> str:
        """How much deeper pairs stand than their header."""
        if self._unit is None:
            units: Counter[str] = Counter()
            for block in self.draft.blocks[1:]:
                if block.header is not None and block.pairs:
                    outer, inner = self.margin(block.header), self.margin(block.pairs[0])
                    if inner.startswith(outer):
                        units[inner[len(outer) :]] += 1
            self._unit = units.most_common(1)[0][0] if units else ""
        return self._unit
