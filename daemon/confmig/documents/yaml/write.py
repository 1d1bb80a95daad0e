"""The lines of YAML entries that are new at their place.

An entry that came from elsewhere brings its source text, with its own edits made and its
indentation shifted. Only what has no source is written anew, in the style of the document.
"""

from __future__ import annotations

import re

from confmig.documents.model.lookup import shown
from confmig.documents.model.source_path import path_of
from confmig.documents.model.tree import Entry, Mapping, Sequence, entries_of
from confmig.documents.text.blank_lines import tidied
from confmig.documents.text.pieces import (
    Pieces,
    compose,
    indent,
    split_lines,
    strip_start,
    text_of,
)
from confmig.documents.yaml import multiline, scalars
from confmig.documents.yaml.stages import Stages
from confmig.errors import Refused


class Write(Stages):
    """Writes entries at a column."""

    def entry_lines(self, entry: Entry, column: int) -> list[Pieces]:
        """The lines of an entry at a column of a block container."""
        if entry.home is not None and not entry.home.flow and not entry.is_root:
            region = self.layout.region(entry)
            edits = tidied(self.text, self.entry_edits(entry), self.open_texts)
            pieces = compose(region.first, region.last, edits)
            lines = split_lines(self.text, pieces)
            return indent(
                self.text,
                [[" " * column, *lines[0]], *lines[1:]] if region.compact else lines,
                column - region.column,
                first_has_none=region.compact,
            )
        above, behind = self.comments_of(entry)
        lines = self._bare_lines(entry, column)
        if behind and (len(lines) == 1 or (entry.name is not None and self.is_block(entry))):
            trailing: Pieces = [p for span in behind for p in (" ", span)]
            lines = [[*lines[0], *trailing], *lines[1:]]
        elif behind:
            above = [*above, *behind]
        own: list[Pieces] = [[" " * column, span] for span in above]
        return [*own, *lines]

    def _bare_lines(self, entry: Entry, column: int) -> list[Pieces]:
        """The lines of an entry that is written anew."""
        pad = " " * column
        if entry.name is not None:
            style = entry.key.style if entry.key is not None else None
            head = f"{pad}{scalars.write(entry.name, style=style, quote=self.style.quote)}:"
            if not self.is_block(entry):
                if self._was_root(entry) and isinstance(entry.value, Mapping | Sequence):
                    # the lines of a flow collection must be deeper than its key
                    lines = self.inline_lines(entry, column)
                    return [[head], *indent(self.text, lines, column + self.style.flow)]
                first, *more = self.inline_lines(entry, column)
                return self.deepened(entry, [[head + " ", *first], *more], column)
            properties = self._moved_properties(entry)
            lines = self.value_lines(entry, column + self.offset(entry), bare=True)
            return [[head + properties], *lines]
        if not self.is_block(entry):
            first, *more = self.inline_lines(entry, column)
            return self.deepened(entry, [[f"{pad}- ", *first], *more], column)
        properties = self._moved_properties(entry)
        lines = self.value_lines(entry, column + 2, bare=True)
        if properties:
            return [[f"{pad}-{properties}"], *lines]
        blank = 0
        while not text_of(self.text, lines[blank]).strip():
            blank += 1  # a dash cannot be before a blank line
        first = strip_start(self.text, lines[blank])
        return [*lines[:blank], [f"{pad}- ", *first], *lines[blank + 1 :]]

    def _moved_properties(self, entry: Entry) -> str:
        """The anchor and tag of a block value that goes below another key or dash.

        Empty if the value has none, if they are not on one line, or if others use the
        anchor.
        """
        node = entry.node
        if node is None or node.alias or node.outer == node.start:
            return ""
        if id(node) in self.document.aliased:
            return ""  # the anchor stays where others find it
        text = self.text[node.outer : node.start]
        found = re.match(r"[&!][^\s#]*(?:[ \t]+[&!][^\s#]*)*", text)
        rest = text[found.end() :] if found is not None else text
        return f" {found[0]}" if found is not None and not rest.strip() else ""

    def deepened(self, entry: Entry, lines: list[Pieces], column: int) -> list[Pieces]:
        """The lines of an entry.

        Those of a flow collection, and those on which a text goes on, must be deeper than
        the entry.
        """
        if len(lines) == 1:
            return lines
        found = [text_of(self.text, line) for line in lines[1:]]
        least = min((len(t) - len(t.lstrip(" ")) for t in found if t.strip()), default=column + 1)
        missing = column + 1 - least
        if missing > 0 and not isinstance(entry.value, Mapping | Sequence):
            missing += self.style.step - 1
        return [lines[0], *indent(self.text, lines[1:], missing)] if missing > 0 else lines

    def _was_root(self, entry: Entry) -> bool:
        """Whether a value was the whole document."""
        node = entry.node
        return node is not None and node.entry is not None and node.entry.is_root

    def offset(self, entry: Entry) -> int:
        """How far a block value is indented from its entry."""
        if entry.name is None:
            return 2
        if isinstance(entry.value, Sequence) and self._was_root(entry):
            return 0  # a document that was a list: its lines stay as they are
        return self.style.dash if isinstance(entry.value, Sequence) else self.style.step

    def is_block(self, entry: Entry) -> bool:
        """Whether a value that is new at its place is written over several lines."""
        value, node = entry.value, entry.node
        if not isinstance(value, Mapping | Sequence) or not len(value):
            return False
        if node is not None and (node.alias or (node.flow and node.entries)):
            return False
        return not (
            value.source_node is not None and value.source_node.flow and value.source_node.entries
        )

    def is_text_block(self, entry: Entry) -> bool:
        """Whether a value that moved here is a block text."""
        return entry.node is not None and entry.node.style in multiline.BLOCK

    def inline_lines(self, entry: Entry, column: int) -> list[Pieces]:
        """The lines of a value on the line of its key or dash, in an entry at a column."""
        if self.is_text_block(entry):
            return self._moved_text(entry, column)
        return split_lines(self.text, self.inline_value(entry))

    def value_lines(self, entry: Entry, column: int, *, bare: bool = False) -> list[Pieces]:
        """The lines of a non-empty block container at a column.

        ``bare``: its anchor and tag are written elsewhere.
        """
        container, node = entry.value, entry.node
        source_node = container.source_node
        if node is None or source_node is None or not source_node.entries or node.entry is None:
            lines: list[Pieces] = []
            before: Entry | None = None
            for inner in entries_of(container):
                lines.extend(self.lines_between(before, inner, column))
                lines.extend(self.entry_lines(inner, column))
                before = inner
            return [*lines, *self.lines_behind(before, column)]
        if node.outer != node.start and not (bare and self._moved_properties(entry)):
            raise Refused(
                "anchored_move",
                "an anchored or tagged block value cannot move out of its entry",
                place=shown(container),
                fix="move the whole entry, or edit this file by hand",
            )
        owner = node.entry
        first = self.layout.region(source_node.entries[0])
        if owner.is_root:
            start, end = first.first, self.layout.region(source_node.entries[-1]).last
        else:
            start, end = self.layout.value_lines_start(owner), self.layout.region(owner).last
            if node.outer != node.start:
                start = first.first  # below the line of the anchor or tag
        edits = tidied(self.text, self.container_edits(container), self.open_texts)
        pieces = compose(start, end, edits)
        lines = split_lines(self.text, pieces)
        if first.compact:
            lines = [[" " * column, *lines[0]], *lines[1:]]
        return indent(self.text, lines, column - first.column, first_has_none=first.compact)

    def inline_value(self, entry: Entry) -> Pieces:
        """A value that follows its key or dash on the same line, in block context."""
        value, node = entry.value, entry.node
        if node is not None:
            if isinstance(value, Mapping | Sequence) and not node.alias:
                if node.flow and (node.entries or not len(value)):
                    return compose(node.outer, node.end, self.container_edits(value))
            elif node.end > node.outer:
                return [(node.outer, node.end)]
            else:
                return ["null"]
        if isinstance(value, Mapping | Sequence):
            return (
                self.flow_value(entry)
                if len(value)
                else ["{}" if isinstance(value, Mapping) else "[]"]
            )
        style = entry.source.style if entry.source is not None and isinstance(value, str) else None
        style = style if style in ("'", '"') else None
        return [*self.kept_tag(entry), scalars.write(value, style=style, quote=self.style.quote)]

    def _moved_text(self, entry: Entry, column: int) -> list[Pieces]:
        """A block text that moved below another entry, its anchor and tag included."""
        node = entry.node
        assert node is not None
        properties = self.text[node.outer : node.start]
        if "\n" in properties:
            raise Refused(
                "block_scalar_move",
                "a block text cannot move while its tag or anchor is on a line of its own",
                place=path_of(self.document, entry),
                fix="write the tag and the header on one line",
            )
        block = multiline.block_of(self.text, node, str(entry.value))
        if block is None:
            return [[properties, scalars.double_quoted(str(entry.value))]]
        step = 2 if entry.name is None else self.style.step
        # a text that ended the file without a newline has none: elsewhere its header says so
        ends = str(entry.value).endswith("\n") or self.last_now() is entry
        lines = multiline.moved(block, block.sign if ends else "-", column, step)
        return [[properties, *lines[0]], *lines[1:]]
