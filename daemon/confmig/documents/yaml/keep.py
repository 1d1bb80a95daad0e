"""The edits of a YAML container that stays.

Cuts of entries that left, insertions of those that came, and the edits of those that stay.
"""

from __future__ import annotations

from confmig.documents.model.tree import Container, Entry, Mapping, Sequence, SourceNode, entries_of
from confmig.documents.text.pieces import (
    Edit,
    Pieces,
    join_lines,
    strip_start,
)
from confmig.documents.yaml import multiline, scalars
from confmig.documents.yaml.stages import Stages


class Keep(Stages):
    """Edits what stays in its place."""

    def container_edits(self, container: Container) -> list[Edit]:
        """The edits of a container that is where its source stands."""
        source_node = container.source_node
        assert source_node is not None
        now = entries_of(container)
        if source_node.flow:
            return self.flow_edits(container)
        edits: list[Edit] = []
        kept: list[Entry] = []
        order = {id(c): i for i, c in enumerate(source_node.entries)}
        highest = -1
        for entry in now:
            rank = order.get(id(entry), -1)
            if rank > highest:
                kept.append(entry)
                highest = rank
        staying = {id(c) for c in kept}
        if len(kept) == len(now) == len(source_node.entries):
            for entry in kept:
                edits.extend(self.entry_edits(entry))
            return edits
        leaving = [c for c in source_node.entries if id(c) not in staying]
        leads = bool(now) and id(now[0]) not in staying
        edits.extend(self._block_cuts(source_node, leaving, kept[0] if kept else None, leads))
        for entry in kept:
            edits.extend(self.entry_edits(entry))
        edits.extend(self._insertions(source_node, now, staying, kept[0] if kept else None))
        return edits

    def _block_cuts(
        self, source_node: SourceNode, leaving: list[Entry], first_kept: Entry | None, leads: bool
    ) -> list[Edit]:
        """The cuts of entries that leave.

        Where the first of them is on the line of its dash, the first that stays takes its
        place there, unless a new one ``leads``.
        """
        if not leaving:
            return []
        regions = [self.layout.region(c) for c in leaving]
        first = regions[0]
        cuts = [Edit(r.first, r.last, []) for r in regions]
        if not first.compact:
            return [*cuts, *self._ends_of(source_node, first_kept, leaving)]
        if first_kept is not None:
            run = source_node.entries.index(first_kept)
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

    def _ends_of(
        self, source_node: SourceNode, first_kept: Entry | None, leaving: list[Entry]
    ) -> list[Edit]:
        """Cut blank lines that would remain at either end of a container below a key or dash."""
        if first_kept is None or (source_node.entry is not None and source_node.entry.is_root):
            return []
        gone = {id(entry) for entry in leaving}
        kept = [self.layout.region(c) for c in source_node.entries if id(c) not in gone]
        edits = []
        if id(source_node.entries[0]) in gone:
            before = self.layout.region(
                source_node.entries[source_node.entries.index(first_kept) - 1]
            )
            edits.append((before.last, kept[0].first))
        if id(source_node.entries[-1]) in gone:
            number = max(i for i, c in enumerate(source_node.entries) if id(c) not in gone)
            edits.append((kept[-1].last, self.layout.region(source_node.entries[number + 1]).first))
        return [Edit(a, b, []) for a, b in edits if a < b and not self.text[a:b].strip()]

    def _insertions(
        self, source_node: SourceNode, now: list[Entry], staying: set[int], first: Entry | None
    ) -> list[Edit]:
        head = self.layout.region(source_node.entries[0])
        column = head.column
        edits: list[Edit] = []
        leading: list[Pieces] = []
        previous: Entry | None = None
        for entry in now:
            if id(entry) in staying:
                previous = entry
                continue
            lines = self.entry_lines(entry, column)
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
        pieces = join_lines(leading, self.newline)
        if head.compact:
            pieces = strip_start(self.text, pieces)
            pieces = [*pieces, self.newline, " " * column] if first is not None else pieces
            return [Edit(head.first, head.first, pieces), *edits]
        at = head.first if first is None else self.layout.region(first).first
        return [Edit(at, at, [*pieces, self.newline]), *edits]

    def entry_edits(self, entry: Entry) -> list[Edit]:
        """The edits of an entry that is where its source stands."""
        edits: list[Edit] = []
        if entry.key is not None and entry.home is not None:
            edits.extend(self._key_edits(entry))
        if not entry.untouched:
            edits.extend(self.value_edits(entry))
        elif entry is self.open_end and isinstance(entry.value, str) and entry.node is not None:
            block = multiline.block_of(self.text, entry.node, entry.value)
            if block is not None and block.sign != "-":
                at = block.head - len(block.sign)
                edits.append(Edit(at, block.head, ["-"]))
        elif (
            isinstance(entry.value, Mapping | Sequence)
            and entry.value.changed
            and not (entry.node and entry.node.alias)
        ):
            if (
                entry.value.source_node is not None
                and not entries_of(entry.value)
                and entry.value.source_node.entries
            ):
                edits.extend(self._emptied(entry))
            elif (
                entry.value.source_node is not None
                and not entry.value.source_node.entries
                and len(entry.value)
            ):
                edits.extend(self.value_edits(entry))
            else:
                edits.extend(self.container_edits(entry.value))
        return edits

    def _key_edits(self, entry: Entry) -> list[Edit]:
        key = entry.key
        assert key is not None
        assert entry.name is not None
        if entry.name == entry.parsed:
            return []
        flow = entry.home is not None and entry.home.flow
        return [Edit(key.start, key.end, [scalars.write(entry.name, style=key.style, flow=flow)])]

    def _emptied(self, entry: Entry) -> list[Edit]:
        """A container that lost all its entries: {} or [] on the line of its key."""
        container = entry.value
        source_node = container.source_node
        brackets = "{}" if isinstance(container, Mapping) else "[]"
        if source_node.flow:
            return self.flow_edits(container)
        cuts = self._block_cuts(source_node, source_node.entries, None, leads=True)
        first = self.layout.region(source_node.entries[0])
        if first.compact:
            return [Edit(first.first, first.first, [brackets]), *cuts]
        if entry.home is None or entry.is_root:
            return [Edit(first.first, first.first, [brackets, self.newline]), *cuts]
        at = self.layout.region(entry).indicator
        if source_node.outer < source_node.start and source_node.outer <= self.layout.line_end(at):
            at = self.layout.properties_end(source_node)
        return [Edit(at, at, [" " + brackets]), *cuts]
