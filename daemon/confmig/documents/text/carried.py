"""Comments that move with the entries of bracketed collections."""

from __future__ import annotations

from confmig.documents.model.document import Document
from confmig.documents.model.tree import Entry, Mapping, Sequence, SourceNode, walk_entries
from confmig.documents.text.slots import Slots, Span


class CarriedComments:
    """A part of every writer: which comments an entry brings to its new place.

    An entry *carries* another one (``entry.carries``) if it has that one's value: the value gained
    or lost its key, or took the place of its container. Comments are *ownerless* if they belong to
    no entry of their collection. The writer sets the attributes.
    """

    document: Document
    text: str
    slots: Slots
    _living: set[int] | None = None

    def comments_of(self, entry: Entry) -> tuple[list[Span], list[Span]]:
        """The comments that an entry from elsewhere brings along: those above and those behind."""
        parsed = entry if entry.home is not None else entry.carries
        if parsed is None or parsed.home is None or not parsed.home.flow or parsed.is_root:
            return [], []
        slot = self.slots.slot(parsed)
        above = self.comments_in(slot.lead, slot.start)
        behind = self.comments_in(slot.end, slot.tail)
        if parsed.carries is None:
            return above, behind
        inner_above, inner_behind = self.inherited(parsed)
        behind = [*inner_behind, *behind]
        # a line comment would take what follows on its line: only the last one may be behind
        if any(self.is_line_comment(span) for span in behind[:-1]):
            inner_above, behind = [*inner_above, *behind[:-1]], behind[-1:]
        return [*above, *inner_above], behind

    def comments_in(self, start: int, end: int) -> list[Span]:
        """The comments between two places, if nothing but trivia (space, commas) is there."""
        return [(a, b) for kind, a, b in self.slots.tokens(start, end) if kind == "comment"]

    def inherited(self, entry: Entry) -> tuple[list[Span], list[Span]]:
        """The comments of the entry that this one carries: those above, and those behind.

        If the container of that entry is gone, its ownerless comments are among them.
        """
        carried = entry.carries
        if carried is None or carried.home is None or not carried.home.flow or carried.is_root:
            return [], []
        above, behind = self.comments_of(carried)
        if self.is_gone(carried.home):
            above = sorted([*above, *self.ownerless(carried.home)])
        return above, behind

    def is_gone(self, home: SourceNode) -> bool:
        """Whether no container of the result comes from a collection of the source.

        The tree is looked through once, when all operations are done.
        """
        if self._living is None:
            root = self.document.root
            entries = walk_entries(root) if isinstance(root, Mapping | Sequence) else ()
            values = [root, *(entry.value for _, entry in entries)]
            self._living = {id(v.source_node) for v in values if isinstance(v, Mapping | Sequence)}
        return id(home) not in self._living

    def ownerless(self, home: SourceNode) -> list[tuple[int, int]]:
        """The ownerless comments of a collection."""
        out: list[tuple[int, int]] = []
        at = home.start + 1
        for slot in [*self.slots.of(home).values(), None]:
            stop = slot.lead if slot is not None else home.end - 1
            out += self.comments_in(at, stop)
            at = slot.tail if slot is not None else stop
        return out

    def ownerless_before(self, entry: Entry) -> list[Span]:
        """The ownerless comments before an entry whose collection is gone.

        For the last entry of the collection, those behind it, too.
        """
        parsed = entry.carries if entry.home is None else None
        home = parsed.home if parsed is not None else None
        if parsed is None or home is None or not home.flow or parsed.is_root:
            return []
        if not self.is_gone(home):
            return []
        slot = self.slots.slot(parsed)
        spans = self.comments_in(self.slots.end_before(home, parsed), slot.lead)
        if parsed is home.entries[-1]:
            spans += self.comments_in(slot.tail, home.end - 1)
        return spans

    def is_line_comment(self, span: tuple[int, int]) -> bool:
        """Whether a comment ends only at the end of its line (``#``, ``//``), unlike ``/* */``."""
        return not self.text.startswith("/*", span[0])
