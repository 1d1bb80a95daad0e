"""First stage of the TOML writer: where every table is now."""

from __future__ import annotations

from confmig.documents.model.tree import Mapping, Sequence, entries_of
from confmig.documents.toml.draft import (
    Draft,
    Place,
    is_array_of_tables,
    may_have_header,
    plain_inside,
)


class Locate:
    """Finds the place of every table, and gives new tables the headers of those they replace."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def run(self, root: Mapping) -> None:
        """Fill in ``places`` and ``located``."""
        self._places(root)
        self._adopt()

    def _places(self, root: Mapping) -> None:
        """The place of every table that can have a header."""
        stack: list[tuple[Mapping, tuple[str, ...], bool, int]] = [(root, (), False, 0)]
        while stack:
            table, names, item, owner = stack.pop()
            owner = id(table) if item else owner
            self.draft.places[id(table)] = Place(names, item, owner)
            for entry in entries_of(table):
                self.draft.located.add(id(entry))
                value, inner = entry.value, (*names, str(entry.name))
                if isinstance(value, Mapping) and may_have_header(value):
                    stack.append((value, inner, False, owner))
                elif isinstance(value, Sequence) and is_array_of_tables(value):
                    self.draft.located.update(id(c) for c in entries_of(value))
                    stack.extend((c.value, inner, True, owner) for c in entries_of(value))

    def _adopt(self) -> None:
        """A new table in the place of one with a header takes that header over."""
        for block in self.draft.blocks[1:]:
            source_node = block.table.source_node
            entry = source_node.entry if source_node is not None else None
            if (
                id(block.table) in self.draft.places
                or entry is None
                or id(entry) not in self.draft.located
            ):
                continue
            value = entry.value
            new = id(value) in self.draft.places and value.source_node is None
            if new and id(value) not in self.draft.block_of and plain_inside(value):
                block.table = value
                self.draft.block_of[id(value)] = block
