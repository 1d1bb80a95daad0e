"""Third stage of the TOML writer.

The blocks of tables that moved into, out of or within an array of tables go along, as they are.
"""

from __future__ import annotations

from confmig.documents.model.tree import Container, Entry, Mapping, Sequence, SourceNode, entries_of
from confmig.documents.text.pieces import Pieces
from confmig.documents.toml.draft import Draft, within
from confmig.documents.toml.statements import Block


class Move:
    """Says which blocks move, and where a block goes."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._ordered: dict[int, set[int]] = {}  # by array: the items that are in their order

    def _index(self) -> None:
        """Which blocks belong to a table and those below it, as the tree is now."""
        for block in self.draft.blocks:
            if self.draft.plan_of(block).dead:
                continue
            here: Container | None = block.table
            while here is not None:
                self.draft.blocks_of.setdefault(id(here), []).append(block)
                here = here.up

    def run(self) -> None:
        """Fill in ``blocks_of``, and what moves.

        A table that is in another array item than before, or in another order there, takes
        its blocks along, behind what it must follow.
        """
        self._index()
        for block in self.draft.blocks[1:]:
            plan = self.draft.plan_of(block)
            plan.moved = not plan.dead and self._displaced(block)
        for block in self.draft.blocks[1:]:
            if self.draft.plan_of(block).moved:
                self.put(block.table, block)

    def put(self, table: Mapping, text: Pieces | Block) -> None:
        """Place a block behind what must precede it, or before what must follow it."""
        anchor, follows = self._anchor(table)
        plan = self.draft.plan_of(anchor)
        (plan.after if follows else plan.before).append(text)

    def _displaced(self, block: Block) -> bool:
        owner = self._owner_that_stays(self._owner_before(block))
        place = self.draft.places[id(block.table)]
        if place.item:
            entry = block.table.entry
            sequence = block.table.up
            assert entry is not None
            assert sequence is not None
            if not self._in_order(sequence, entry):
                return True
            outer = self._owner_of(sequence)
            before = self._owner_that_stays(self._owner_before_of(sequence))
            return outer != before or self._owner_moved(outer)
        return owner != place.owner or self._owner_moved(place.owner)

    def _in_order(self, sequence: Container, entry: Entry) -> bool:
        """Whether an item is where the array's headers put it."""
        source_node = sequence.source_node
        if source_node is None:
            return entry.home is None  # a new array: its one wrapped table stays where it is
        known = self._ordered.get(id(sequence))
        if known is None:
            known = self._ordered[id(sequence)] = set()
            order = {id(c): i for i, c in enumerate(source_node.entries)}
            highest = -1
            for other in entries_of(sequence):
                rank = order.get(id(other), -1)
                if rank > highest:
                    highest = rank
                    known.add(id(other))
        return id(entry) in known

    def _owner_of(self, container: Container) -> int:
        here: Container | None = container.up
        while here is not None:
            place = self.draft.places.get(id(here))
            if place is not None:
                return place.owner
            here = here.up
        return 0

    def _owner_moved(self, owner: int) -> bool:
        for block in self.draft.blocks_of.get(owner, []):
            if id(block.table) == owner:
                return self.draft.plan_of(block).moved
        return False

    def _owner_before(self, block: Block) -> int:
        """The identity of the innermost array item a table was in, or was."""
        header = block.header
        assert header is not None
        source_node = block.table.source_node
        return self._source_owner(source_node)

    def _owner_that_stays(self, owner: int) -> int:
        """The innermost array item that is one still, of those that a table was in."""
        while owner in self.draft.places and not self.draft.places[owner].item:
            source_node = self.draft.block_of[owner].table.source_node
            array = (
                source_node.entry.home
                if source_node is not None and source_node.entry is not None
                else None
            )
            owner = self._source_owner(array.entry.home if array and array.entry else None)
        return owner

    def _owner_before_of(self, sequence: Container) -> int:
        source_node = sequence.source_node
        if source_node is None:
            return self._owner_of(sequence)
        return self._source_owner(source_node.entry.home if source_node.entry is not None else None)

    def _source_owner(self, source_node: SourceNode | None) -> int:
        """Walks up the source: an item is an entry without a name in an array of tables."""
        while source_node is not None and source_node.entry is not None:
            entry = source_node.entry
            if entry.parsed is None and entry.home is not None and entry.home.style == "array":
                return self.draft.item_of.get(id(source_node), 0)
            if entry.home is source_node:
                return 0
            source_node = entry.home
        return 0

    def _anchor(self, table: Mapping) -> tuple[Block, bool]:
        """The last block of what precedes a table (True), or the first of what follows it."""
        up, entry = table.up, table.entry
        if isinstance(up, Sequence):
            items = entries_of(up)
            at = next(i for i, c in enumerate(items) if c is entry)
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
        return self.draft.blocks[0], True

    def _own(self, container: Container, but: Mapping) -> list[Block]:
        """The blocks of a container without those of one table in it.

        Moved blocks are among them where they are on their own.
        """
        return [
            b
            for b in self.draft.blocks_of.get(id(container), [])
            if not within(b.table, but) and not self.draft.plan_of(b).moved
        ]
