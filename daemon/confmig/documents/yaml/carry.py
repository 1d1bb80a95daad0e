"""Comments that move: those of entries that went elsewhere, or whose collection is gone."""

from __future__ import annotations

from confmig.documents.model.tree import Entry, SourceNode
from confmig.documents.text.pieces import (
    Pieces,
)
from confmig.documents.text.slots import Span
from confmig.documents.yaml import multiline
from confmig.documents.yaml.stages import Stages


class Carry(Stages):
    """Says which comments go along with an entry, and which lines stay between entries."""

    def comments_of(self, entry: Entry) -> tuple[list[Span], list[Span]]:
        """See ``CarriedComments``; entries of block collections bring theirs along, too."""
        if entry.home is not None or entry.carries is None:
            return super().comments_of(entry)
        above, behind = self._carried(entry.carries)
        further, beside = self.inherited(entry.carries)
        behind = [*behind, *beside]
        return [*above, *further, *behind[:-1]], behind[-1:]

    def inherited(self, entry: Entry) -> tuple[list[Span], list[Span]]:
        """See ``CarriedComments``; entries of block collections hand their comments on, too."""
        carried = entry.carries
        if carried is None or carried.home is None or carried.home.flow or carried.is_root:
            return super().inherited(entry)
        above, behind = self._carried(carried)
        further, beside = self.inherited(carried)
        above, behind = [*above, *further, *beside], behind
        if self.is_gone(carried.home):
            above += self._ownerless(carried.home)
            above += self._below_text(carried)
        return sorted(above), behind

    def _below_text(self, carried: Entry) -> list[Span]:
        """The comments below a block text that ended its collection.

        They cannot stay below it, because they would become part of the text.
        """
        node, home = carried.source, carried.home
        assert home is not None
        owner = home.entry
        if node is None or node.style not in multiline.BLOCK or home.entries[-1] is not carried:
            return []
        if owner is None or owner.home is None or owner.home.flow or owner.is_root:
            return []
        return self.layout.comments_between(node.end, self.layout.region(owner).last)

    def _ownerless(self, home: SourceNode) -> list[Span]:
        """The comments between the entries of a block collection that belong to none of them.

        Those below the last entry are not among them.
        """
        regions = [self.layout.region(c) for c in home.entries]
        starts = [self._start_of(home), *(r.last for r in regions)]
        gaps = zip(starts, (r.first for r in regions), strict=False)
        return [span for low, high in gaps for span in self.layout.comments_between(low, high)]

    def _carried(self, carried: Entry) -> tuple[list[Span], list[Span]]:
        """The comments above and behind an entry itself, without those that it carries."""
        if carried.is_root or carried.home is None:
            return [], []
        if carried.home.flow:
            return super().comments_of(carried)
        region, node = self.layout.region(carried), carried.source
        assert node is not None
        above = self.layout.comments_between(region.first, region.start)
        first = self.layout.line_end(region.indicator)
        last = self.layout.line_end(node.end) if node.flow or not node.entries else first
        spans = self.layout.comments_between(region.indicator, max(first, last))
        # in `- a: 1  # x` the comment belongs to the entry `a`, not to the item
        end = node.end if node.flow or not node.entries else max(first, node.end) + 1
        return above, [(a, b) for a, b in spans if not node.outer <= a < end]

    def lines_between(self, before: Entry | None, entry: Entry, column: int) -> list[Pieces]:
        """What was between two entries that were neighbours in the source.

        Blank lines, and the comments of a collection that was taken apart.
        """
        first, second = (_source_of(c) for c in (before, entry))
        home = second.home if second is not None else None
        if second is None or home is None or home.flow or second.is_root:
            return []
        if first is None:
            if before is not None or second is not home.entries[0] or not self.is_gone(home):
                return []
            start = self._start_of(home)
        elif first.home is not home:
            return []
        else:
            start = self.layout.region(first).last
        return self._left_over(home, start, self.layout.region(second).first, column)

    def lines_behind(self, last: Entry | None, column: int) -> list[Pieces]:
        """The comments below the last entry of a collection that was taken apart."""
        source = _source_of(last)
        home = source.home if source is not None else None
        if source is None or home is None or home.flow or source.is_root:
            return []
        owner = home.entry
        if source is not home.entries[-1] or not self.is_gone(home) or owner is None:
            return []
        if owner.is_root or owner.home is None or owner.home.flow:
            return []
        start, end = self.layout.region(source).last, self.layout.region(owner).last
        return self._left_over(home, start, end, column)

    def _start_of(self, home: SourceNode) -> int:
        """Where the lines of a collection begin.

        What is above the first entry of a document is the document's.
        """
        owner = home.entry
        if owner is None or owner.is_root:
            return self.layout.region(home.entries[0]).first
        return self.layout.value_lines_start(owner)

    def _left_over(self, home: SourceNode, start: int, end: int, column: int) -> list[Pieces]:
        """The blank lines of a part of the source, with its comments if their collection is gone.

        Nothing at all if anything else is there, or comments of a collection that remains.
        """
        text = self.text[start:end]
        if start >= end or (text.strip() and not self.is_gone(home)):
            return []
        out: list[Pieces] = []
        at = start
        for line in text.splitlines(keepends=True):
            bare = line.strip()
            if bare and not bare.startswith("#"):
                return []
            begin = at + len(line) - len(line.lstrip(" \t"))
            out.append([" " * column, (begin, begin + len(bare))] if bare else [])
            at += len(line)
        return out


def _source_of(entry: Entry | None) -> Entry | None:
    """The entry of the source that an entry is, or whose value it took over."""
    if entry is None:
        return None
    return entry if entry.home is not None else entry.carries


def carried_by(entry: Entry) -> list[Entry]:
    """The entries whose comments an entry carries."""
    out: list[Entry] = []
    carried = entry.carries
    while carried is not None:
        out.append(carried)
        carried = carried.carries
    return out
