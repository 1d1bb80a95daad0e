"""Comments that move with the entries of bracketed collections."""

from __future__ import annotations

from confmig.documents.model.document import Document
from confmig.documents.model.tree import Entry, Mapping, Sequence, SourceNode, walk_entries
from confmig.documents.text.slots import Slots, Span


class CarriedComments:
    """Says which comments an entry brings to its new place. A format may add to it."""

    document: Document
    text: str
    slots: Slots
    _living: set[int] | None = None

    def comments_of(self, entry: Entry) -> tuple[list[Span], list[Span]]:
        """The comments that an entry from elsewhere brings along: those above and those behind."""
        source = entry if entry.home is not None else entry.carries
        if source is None or source.home is None or not source.home.flow or source.is_root:
            return [], []
        slot = self.slots.slot(source)
        above = self.comments_in(slot.lead, slot.start)
        behind = self.comments_in(slot.end, slot.tail)
        if source.carries is None:
            return above, behind
        inner_above, inner_behind = self.inherited(source)
        behind = [*inner_behind, *behind]
        if any(self.is_line_comment(span) for span in behind[:-1]):
            inner_above, behind = [*inner_above, *behind[:-1]], behind[-1:]
        return [*above, *inner_above], behind

    def comments_in(self, start: int, end: int) -> list[Span]:
        """The comments between two places where nothing but trivia stands."""
        return [(a, b) for kind, a, b in self.slots.tokens(start, end) if kind == "comment"]

    def inherited(self, entry: Entry) -> tuple[list[Span], list[Span]]:
        """The comments of the entry whose value came up into this one: those above, those behind.

        Those that belong to no entry of a collection that is gone are among them.
        """
        carried = entry.carries
        if carried is None or carried.home is None or not carried.home.flow or carried.is_root:
            return [], []
        above, behind = self.comments_of(carried)
        if self.is_gone(carried.home):
            above = sorted([*above, *self.orphans(carried.home)])
        return above, behind

    def is_gone(self, home: SourceNode) -> bool:
        """Whether a collection of the source is not a collection of the result."""
        if self._living is None:
            root = self.document.root
            entries = walk_entries(root) if isinstance(root, Mapping | Sequence) else ()
            values = [root, *(entry.value for _, entry in entries)]
            self._living = {id(v.source_node) for v in values if isinstance(v, Mapping | Sequence)}
        return id(home) not in self._living

    def orphans(self, home: SourceNode) -> list[tuple[int, int]]:
        """The comments directly in a collection that belong to no entry."""
        out: list[tuple[int, int]] = []
        at = home.start + 1
        for slot in [*self.slots.of(home).values(), None]:
            stop = slot.lead if slot is not None else home.end - 1
            out += [(a, b) for kind, a, b in self.slots.tokens(at, stop) if kind == "comment"]
            at = slot.tail if slot is not None else stop
        return out

    def of_nobody_before(self, entry: Entry) -> list[Span]:
        """The comments that belong to no entry and are before one whose collection is gone.

        For the last entry of the collection, those behind it, too.
        """
        source = entry.carries if entry.home is None else None
        home = source.home if source is not None else None
        if source is None or home is None or not home.flow or source.is_root:
            return []
        if not self.is_gone(home):
            return []
        slot = self.slots.slot(source)
        spans = self.comments_in(self.slots.end_before(home, source), slot.lead)
        if source is home.entries[-1]:
            spans += self.comments_in(slot.tail, home.end - 1)
        return spans

    def is_line_comment(self, span: tuple[int, int]) -> bool:
        """Whether a comment reaches to the end of its line whatever follows it."""
        return not self.text.startswith("/*", span[0])
