"""Fourth stage of the TOML writer: text for what has none yet.

A pair goes behind the last pair of its table, a table as a block behind the last block of its
parent or of the item before it.
"""

from __future__ import annotations

from confmig.documents.model.path import show
from confmig.documents.model.tree import Entry, Mapping, Sequence, entries_of, place_of
from confmig.documents.text.pieces import Edit, Pieces
from confmig.documents.toml.draft import Draft, is_array_of_tables, path_text
from confmig.documents.toml.move import Move
from confmig.documents.toml.pairs import PairWriter
from confmig.documents.toml.statements import Block, Statement
from confmig.errors import Refused


class Write:
    """Writes new pairs and new blocks."""

    def __init__(self, draft: Draft, pairs: PairWriter, move: Move) -> None:
        self.draft = draft
        self.pairs = pairs
        self.move = move
        self.text = pairs.text
        self.newline = pairs.newline

    def run(self, table: Mapping) -> None:
        """Write what has no text yet, below a table."""
        for entry in entries_of(table):
            value = entry.value
            if isinstance(value, Mapping) and id(value) in self.draft.places:
                if self.draft.is_named(value):
                    self.run(value)
                elif id(entry) in self.draft.written:
                    continue
                elif len(value) and not self._dotted(table):
                    self._place_new_section(value)
                else:
                    self._new_pair(table, entry)
            elif isinstance(value, Sequence) and is_array_of_tables(value):
                if id(entry) in self.draft.written and not self.draft.is_named(value):
                    continue
                for item in entries_of(value):
                    if self.draft.is_named(item.value):
                        self._refuse_item_without_header(item.value)
                        self.run(item.value)
                    else:
                        self._place_new_section(item.value)
            elif id(entry) not in self.draft.written:
                self._new_pair(table, entry)

    def _refuse_item_without_header(self, item: Mapping) -> None:
        """Raises ``Refused`` (``section_wrap``) if an item has no ``[[...]]`` of its own."""
        if (
            id(item) not in self.draft.block_of
            or self.draft.plan_of(self.draft.block_of[id(item)]).dead
        ):
            raise Refused(
                "section_wrap",
                "a table of an array of tables cannot be put into another one",
                place=show(place_of(item)),
                fix="write the array as inline tables, or migrate this place by hand",
            )

    def _dotted(self, table: Mapping) -> bool:
        """Whether only dotted keys (``a.b = 1``) made the table."""
        source_node = table.source_node
        return source_node is not None and source_node.style == "dotted"

    def _new_pair(self, table: Mapping, entry: Entry) -> None:
        """Write a pair behind the last one of its table, behind its header, or with a new one."""
        last = self.draft.last_pair.get(id(table))
        if last is not None:
            block = self.draft.pair_block[id(last)]
            prefix = self._prefix(last, table)
            indent = self.pairs.margin(last)
            pieces = self.pairs.line(entry, prefix, indent)
            self.draft.plan_of(block).edits.append(self._insertion(last.end, pieces))
            return
        own = self.draft.block_of.get(id(table))
        if own is not None and not self.draft.plan_of(own).dead:
            if own.header is None:
                self._first_pair(own, entry)
                return
            at = own.header.end
            indent = self.pairs.margin(own.header) + self.pairs.unit
            pieces = self.pairs.line(entry, [], indent)
            self.draft.plan_of(own).edits.append(self._insertion(at, pieces))
            return
        self._header_for_implicit_table(table, entry)

    def _first_pair(self, block: Block, entry: Entry) -> None:
        """The first pair of the document: behind the file's comments, before the first header."""
        at = self.draft.end_of_top_comment(block)
        pieces = self.pairs.line(entry, [], "")
        self.draft.plan_of(block).blank_after = at == block.end
        self.draft.plan_of(block).edits.append(self._insertion(at, pieces))

    def _insertion(self, at: int, pieces: Pieces) -> Edit:
        """Lines put in at the start of a line, or behind a last line without a terminator."""
        if at > 0 and self.text[at - 1] != "\n":
            pieces = [self.newline, *pieces[:-1]]
        return Edit(at, at, pieces)

    def _header_for_implicit_table(self, table: Mapping, entry: Entry) -> None:
        """Write a pair of a table that only headers of its sub-tables name: it gets a header.

        The new header goes before the first of them. Later pairs of the table are added to the
        same list, which is in the plan already.
        """
        place = self.draft.places[id(table)]
        if not place.names:
            self._root_pair(entry)
            return
        made = self.draft.headers.get(id(table))
        if made is not None:
            made += self.pairs.line(entry, [], _indent_of(made) + self.pairs.unit)
            return
        first = self.draft.blocks_of[id(table)][0]
        assert first.header is not None
        indent = self.pairs.margin(first.header)
        made = [f"{indent}[{path_text(place.names)}]{self.newline}"]
        made += self.pairs.line(entry, [], indent + self.pairs.unit)
        self.draft.headers[id(table)] = made
        self.draft.plan_of(first).before.append(made)

    def _root_pair(self, entry: Entry) -> None:
        """Write a pair of a new root above the header of what was the document.

        ``opening`` is in an edit already: it is changed in place.
        """
        draft = self.draft
        first = draft.blocks[0]
        if not draft.opening:
            at = draft.end_of_top_comment(first)
            draft.plan_of(first).edits.append(Edit(at, at, draft.opening))
            draft.plan_of(first).blank_after = at == first.end
        draft.root_pairs += self.pairs.line(entry, [], "")
        apart = [self.newline] if draft.root_header else []
        draft.opening[:] = [*draft.root_pairs, *apart, *draft.root_header]

    def _prefix(self, pair: Statement, table: Mapping) -> list[str]:
        """The key parts that lead from a pair's section to a table."""
        names: list[str] = []
        for part in pair.parts[:-1]:
            names.append(str(part.entry.name))
            if part.entry.value is table:
                return names
        return []

    def _place_new_section(self, table: Mapping) -> None:
        """Write a table as a block behind the last one of its parent, or of the item before it."""
        self.move.place(table, self._section_text(table, self._block_indent(table)))

    def _block_indent(self, table: Mapping) -> str:
        up = table.up
        if isinstance(up, Sequence):
            for other in entries_of(up):
                for block in self.draft.blocks_of.get(id(other.value), []):
                    if block.table is other.value and block.header is not None:
                        return self.pairs.margin(block.header)
            up = up.up
        own = self.draft.block_of.get(id(up))
        if own is None or own.header is None:
            return ""
        return self.pairs.margin(own.header) + self.pairs.unit

    def _section_text(self, table: Mapping, indent: str) -> Pieces:
        """The text of a new table: its header, its pairs, and the sub-tables without a text."""
        place = self.draft.places[id(table)]
        left, right = ("[[", "]]") if place.item else ("[", "]")
        pieces: Pieces = []
        later: list[Mapping] = []
        for entry in entries_of(table):
            value = entry.value
            if isinstance(value, Mapping) and id(value) in self.draft.places and len(value):
                later.append(value)
            elif isinstance(value, Sequence) and is_array_of_tables(value):
                later.extend(c.value for c in entries_of(value))
            else:
                pieces += self.pairs.line(entry, [], indent + self.pairs.unit)
        if pieces or place.item or not later:  # else the headers of its sub-tables name it
            pieces = [f"{indent}{left}{path_text(place.names)}{right}{self.newline}", *pieces]
        inside = indent + self.pairs.unit if pieces else indent
        for inner in later:
            if not self.draft.is_named(inner):
                pieces += [*([self.newline] if pieces else []), *self._section_text(inner, inside)]
        return pieces


def _indent_of(pieces: Pieces) -> str:
    """The indentation of a header that was written anew."""
    text = str(pieces[0])
    return text[: len(text) - len(text.lstrip(" \t"))]
