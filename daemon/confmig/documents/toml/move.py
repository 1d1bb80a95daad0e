"""Third stage of the TOML writer: which blocks move, and where a block goes.

A table that is in another item of an array of tables than before, or in another order there, takes
its blocks along: whole and unchanged, to behind the item that is before it now.
"""

from __future__ import annotations

from confmig.documents.model.tree import (
    Container,
    Entry,
    Mapping,
    Sequence,
    SourceNode,
    entries_of,
)
from confmig.documents.text.pieces import Pieces
from confmig.documents.toml.draft import Draft, is_within
from confmig.documents.toml.statements import Block


class Move:
    """Says which blocks move, and finds the place of a block or of new text."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        # by array: the items that still follow each other as in the source
        self._in_order_of: dict[int, set[int]] = {}
        self._placed: set[int] = set()  # the moved blocks that have their place

    def run(self) -> None:
        """Fill in ``blocks_of``, ``moved``, and what is before and after the blocks that stay."""
        self._index()
        for block in self.draft.blocks[1:]:
            plan = self.draft.plan_of(block)
            plan.moved = not plan.dead and self._displaced(block)
        for block in self._moved_in_tree_order():
            self.place(block.table, block)
            self._placed.add(id(block))

    def place(self, table: Mapping, text: Pieces | Block) -> None:
        """Put a block, or new text, next to what must come before or after the table."""
        anchor, follows = self._anchor(table)
        plan = self.draft.plan_of(anchor)
        (plan.after if follows else plan.before).append(text)

    def _index(self) -> None:
        """Fill in ``blocks_of``: the blocks of each container and of all tables below it."""
        for block in self.draft.blocks:
            if self.draft.plan_of(block).dead:
                continue
            here: Container | None = block.table
            while here is not None:
                self.draft.blocks_of.setdefault(id(here), []).append(block)
                here = here.up

    def _moved_in_tree_order(self) -> list[Block]:
        """The moved blocks in the order of their tables: each then finds those before it placed."""
        moved = {id(b.table): b for b in self.draft.blocks[1:] if self.draft.plan_of(b).moved}
        if len(moved) < 2:
            return list(moved.values())
        out: list[Block] = []
        stack: list[Container] = [self.draft.root]
        while stack:
            here = stack.pop()
            if id(here) in moved:
                out.append(moved[id(here)])
            inner = [e.value for e in entries_of(here) if isinstance(e.value, Mapping | Sequence)]
            stack.extend(reversed(inner))
        return out

    # --- which blocks move

    def _displaced(self, block: Block) -> bool:
        place = self.draft.places[id(block.table)]
        if not place.item:
            was = self._nearest_item(self._source_item(block.table.source_node))
            return was != place.owner or self._item_moved(place.owner)
        entry, array = block.table.entry, block.table.up
        assert entry is not None
        assert array is not None
        if not self._in_order(array, entry):
            return True
        around = self._item_around(array)
        was = self._nearest_item(self._source_item_of_array(array))
        return around != was or self._item_moved(around)

    def _in_order(self, array: Container, entry: Entry) -> bool:
        """Whether an item need not move: it follows the others as in the source."""
        source_node = array.source_node
        if source_node is None:
            return entry.home is None  # `wrap` made the array of one table, whose block stays
        known = self._in_order_of.get(id(array))
        if known is None:
            known = self._in_order_of[id(array)] = set()
            order = {id(e): i for i, e in enumerate(source_node.entries)}
            highest = -1
            for other in entries_of(array):
                rank = order.get(id(other), -1)
                if rank > highest:
                    highest = rank
                    known.add(id(other))
        return id(entry) in known

    def _item_around(self, container: Container) -> int:
        """The array item that a container is in now, by identity of its table; else 0."""
        here: Container | None = container.up
        while here is not None:
            place = self.draft.places.get(id(here))
            if place is not None:
                return place.owner
            here = here.up
        return 0

    def _item_moved(self, item: int) -> bool:
        """Whether the block of an array item moves."""
        for block in self.draft.blocks_of.get(item, []):
            if id(block.table) == item:
                return self.draft.plan_of(block).moved
        return False

    def _source_item(self, source_node: SourceNode | None) -> int:
        """The array item that a source node was, or was in, by identity of its table; else 0."""
        while source_node is not None and source_node.entry is not None:
            entry = source_node.entry
            if entry.parsed is None and entry.home is not None and entry.home.style == "array":
                return self.draft.table_of.get(id(source_node), 0)
            if entry.home is source_node:
                return 0
            source_node = entry.home
        return 0

    def _source_item_of_array(self, array: Container) -> int:
        """The array item that an array was in; a new array is where it is now."""
        node = array.source_node
        if node is None:
            return self._item_around(array)
        return self._source_item(node.entry.home if node.entry is not None else None)

    def _nearest_item(self, item: int) -> int:
        """The innermost of an item and those around it that is still an item of an array."""
        while item in self.draft.places and not self.draft.places[item].item:
            node = self.draft.block_of[item].table.source_node
            array = node.entry.home if node is not None and node.entry is not None else None
            item = self._source_item(array.entry.home if array and array.entry else None)
        return item

    # --- where a block goes

    def _anchor(self, table: Mapping) -> tuple[Block, bool]:
        """The block to put a table next to, and whether the table goes behind it.

        Tried in this order: the nearest item before it, the nearest item after it, the nearest
        container around it, the first block.
        """
        up, entry = table.up, table.entry
        if isinstance(up, Sequence):
            items = entries_of(up)
            at = next(i for i, e in enumerate(items) if e is entry)
            for other in reversed(items[:at]):
                before = self._blocks_with_a_place(other.value, table)
                if before:
                    return before[-1], True
            for other in items[at + 1 :]:
                after = self._blocks_with_a_place(other.value, table)
                if after:
                    return after[0], False
        while up is not None:
            around = self._blocks_with_a_place(up, table)
            if around:
                return around[-1], True
            up = up.up
        return self.draft.blocks[0], True

    def _blocks_with_a_place(self, container: Container, without: Mapping) -> list[Block]:
        """The blocks of a container that stay or were placed, without those of one table in it."""
        return [
            b
            for b in self.draft.blocks_of.get(id(container), [])
            if not is_within(b.table, without)
            and (not self.draft.plan_of(b).moved or id(b) in self._placed)
        ]
