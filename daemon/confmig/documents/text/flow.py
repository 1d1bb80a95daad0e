"""Bracketed collections, ``{a: 1}`` and ``[x, y]``: edited entry by entry, comments and all.

A trailing comma that was there stays a trailing comma. A format adds how an entry is written
(``entry_text``) and what may be between entries (``slots.trivia``).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left

from confmig.documents.model.lookup import shown
from confmig.documents.model.tree import Container, Entry, SourceNode, entries_of
from confmig.documents.text.blank_lines import lines_that_go
from confmig.documents.text.carried import CarriedComments
from confmig.documents.text.pieces import Edit, Pieces, compose, join_lines
from confmig.documents.text.slots import Slot, Span
from confmig.errors import Refused


class FlowEditor(CarriedComments, ABC):
    """The half of a writer that edits bracketed collections; a format provides the other half."""

    newline: str
    opaque: list[Span]

    @abstractmethod
    def entry_edits(self, entry: Entry) -> list[Edit]:
        """The edits of an entry that is where its source stands."""

    @abstractmethod
    def entry_text(self, entry: Entry, home: SourceNode, indent: str | None) -> Pieces:
        """An entry that is new in its collection.

        ``indent`` is that of its line, None where it shares a line.
        """

    @abstractmethod
    def fresh(self, entries: list[Entry], home: SourceNode) -> Pieces:
        """What is between the brackets of a collection that had no entries."""

    @abstractmethod
    def gap(self, home: SourceNode) -> str:
        """What is behind a comma on one line."""

    @abstractmethod
    def deeper(self, home: SourceNode) -> str | None:
        """The indentation of entries on lines of their own; None if the place is one line."""

    def flow_edits(self, container: Container) -> list[Edit]:
        """The edits of a collection that is where its source stands."""
        home = container.source_node
        assert home is not None
        now, source = entries_of(container), home.entries
        rank = {id(c): i for i, c in enumerate(source)}
        staying: list[int] = []
        for entry in now:
            number = rank.get(id(entry), -1)
            if number > (staying[-1] if staying else -1):
                staying.append(number)
        edits = [e for i in staying for e in self.entry_edits(source[i])]
        alone = len(staying) == len(source) == len(now)
        for number in staying:
            if source[number].carries is not None:
                edits += self._inherited_edits(source[number], alone)
        if alone:
            return edits
        if self.text[home.start] not in "{[":
            raise Refused(
                "flow_pair",
                "a pair without braces inside a list cannot be edited",
                place=shown(container),
                fix="put the pair in braces",
            )
        if not staying:
            return self._refilled(home, now)
        slots = [self.slots.slot(c) for c in source]
        edits += self._cuts(home, slots, set(staying), self._fed(now, staying, rank))
        return edits + self._joints(home, slots, now, {id(source[i]): i for i in staying})

    def _fed(self, now: list[Entry], staying: list[int], rank: dict[int, int]) -> set[int]:
        """The entries that stay and get a new one directly before them."""
        stay = set(staying)
        fed: set[int] = set()
        new = False
        for entry in now:
            number = rank.get(id(entry), -1)
            if number in stay:
                if new:
                    fed.add(number)
                new = False
            else:
                new = True
        return fed

    def _refilled(self, home: SourceNode, now: list[Entry]) -> list[Edit]:
        """The edits of a collection that lost all its old entries; new ones may have come."""
        inner = self.fresh(now, home) if now else []
        orphans = self.ownerless(home)
        if not orphans:
            return [Edit(home.start + 1, home.end - 1, inner)]
        edits = self._cuts(home, [self.slots.slot(c) for c in home.entries], set(), set())
        if now:
            begin, at = orphans[-1]
            indent = self.text[self.slots.line_start(begin) : begin]
            deeper = self.deeper(home) if indent.strip() else indent
            if deeper is None and not self.is_line_comment(orphans[-1]):
                edits.append(Edit(at, at, [" ", *inner]))
            else:
                indent = deeper if deeper is not None else ""
                edits += self._insert_lines(home, now, at, indent, closed=False)
                if "\n" not in self.text[at : home.end]:
                    edits.append(Edit(at, at, [self.newline]))
        return edits

    def _cuts(
        self, home: SourceNode, slots: list[Slot], staying: set[int], fed: set[int]
    ) -> list[Edit]:
        """Cut the runs of entries that leave. ``fed``: entries before which new ones come."""
        edits: list[Edit] = []
        number = 0
        while number < len(slots):
            if number in staying:
                number += 1
                continue
            first = number
            number += 1
            while number < len(slots) and number not in staying and not self._parted(slots, number):
                number += 1
            edits += self._run(slots, first, number - 1, fed)
        return edits

    def _parted(self, slots: list[Slot], number: int) -> bool:
        """Whether a comment that belongs to no entry is between an entry and the one before it."""
        return self.slots.comment_between(slots[number - 1].tail, slots[number].lead)

    def _run(self, slots: list[Slot], first: int, last: int, fed: set[int]) -> list[Edit]:
        """The cuts of a run of entries that leave."""
        run = slots[first : last + 1]
        if run[0].first_on_line and run[-1].own_lines:
            start, end = self.slots.line_start(run[0].lead), self.slots.next_line(run[-1].tail)
            leads, ends = first == 0, last + 1 == len(slots)
            return lines_that_go(self.text, start, end, leads=leads, ends=ends)
        return [Edit(*self._within_lines(slots, first, last, fed), [])]

    def _within_lines(
        self, slots: list[Slot], first: int, last: int, fed: set[int]
    ) -> tuple[int, int]:
        """The span of a run that shares its first or last line with others."""
        run = slots[first : last + 1]
        if last + 1 < len(slots) and not self._parted(slots, last + 1):
            after = slots[last + 1]
            beside = not self.slots.has_line_end(run[-1].tail, after.lead)
            joins = first == 0 and after.lead == after.start and last + 1 not in fed
            if (beside and (run[0].first_on_line or first == 0)) or joins:
                return run[0].lead, after.lead
        alone = first == 0 or self._parted(slots, first)
        # what follows a line comment must not become part of it
        if alone or self._ends_in_line_comment(slots[first - 1]):
            return run[0].lead, run[-1].tail
        return slots[first - 1].tail, run[-1].tail

    def _ends_in_line_comment(self, slot: Slot) -> bool:
        behind = [t for t in self.slots.tokens(slot.end, slot.tail) if t[0] == "comment"]
        return bool(behind) and behind[-1][2] == slot.tail and self.is_line_comment(behind[-1][1:])

    def _joints(
        self, home: SourceNode, slots: list[Slot], now: list[Entry], staying: dict[int, int]
    ) -> list[Edit]:
        """The commas that must come or go, and the entries that are new.

        Each new entry is behind the one that stays before it.
        """
        closed = slots[-1].comma >= 0
        edits: list[Edit] = []
        before: Slot | None = None
        new: list[Entry] = []
        for entry in now:
            number = staying.get(id(entry))
            if number is None:
                new.append(entry)
                continue
            slot = slots[number]
            edits += self._comma(before, needed=True)
            edits += self._between(home, before, slot, new, closed=True)
            before, new = slot, []
        assert before is not None
        rest = self.text[slots[-1].tail : home.end].lstrip(" \t\r")
        edits += self._comma(before, needed=bool(new) or closed, ends_line=rest.startswith("\n"))
        return edits + self._between(home, before, None, new, closed=closed)

    def _comma(self, slot: Slot | None, *, needed: bool, ends_line: bool = False) -> list[Edit]:
        if slot is None or (slot.comma >= 0) == needed:
            return []
        if needed:
            beside = not slot.first_on_line and not self._ends_in_line_comment(slot)
            at = slot.tail if beside else slot.end
            return [Edit(at, at, [","])]
        start, line = slot.comma, self.slots.line_start(slot.comma)
        if line > slot.end and not self.text[line:start].strip():  # a comma-first line
            tokens = [t for t in self.slots.tokens(slot.end, line) if t[0] == "comment"]
            behind_comment = bool(tokens) and self.is_line_comment(tokens[-1][1:])
            start = (
                line
                if behind_comment and not ends_line
                else slot.end + len(self.text[slot.end : line].rstrip())
            )
        return [Edit(start, slot.comma + 1, [])]

    def _between(
        self,
        home: SourceNode,
        before: Slot | None,
        after: Slot | None,
        new: list[Entry],
        *,
        closed: bool,
    ) -> list[Edit]:
        if not new:
            return []
        if before is not None:
            line_comment = self._ends_in_line_comment(before)
            apart = before.own_lines or (before.first_on_line and len(home.entries) > 1)
            if apart or line_comment:
                indent = self._indent(before)
                return self._insert_lines(home, new, before.tail, indent, closed=closed)
            gap = self.gap(home)
            inner: Pieces = []
            for number, entry in enumerate(new):
                comma = "," if closed or number + 1 < len(new) else ""
                inner += [gap, *self.entry_text(entry, home, None), comma]
            return [Edit(before.tail, before.tail, inner)]
        assert after is not None
        if after.first_on_line:
            indent = self._indent(after)
            at = self.slots.line_start(after.lead)
            lines = [r for c in new for r in self.lines(c, home, indent, comma=True)]
            return [Edit(at, at, [*join_lines(lines, self.newline), self.newline])]
        inner = [p for c in new for p in [*self.entry_text(c, home, None), ",", self.gap(home)]]
        return [Edit(after.lead, after.lead, inner)]

    def _indent(self, slot: Slot) -> str:
        begin = self.text[self.slots.line_start(slot.start) : slot.start]
        return begin[: len(begin) - len(begin.lstrip())]

    def _insert_lines(
        self, home: SourceNode, new: list[Entry], at: int, indent: str, *, closed: bool
    ) -> list[Edit]:
        lines: list[Pieces] = []
        for number, entry in enumerate(new):
            comma = closed or number + 1 < len(new)
            lines += self.lines(entry, home, indent, comma=comma)
        return [Edit(at, at, [self.newline, *join_lines(lines, self.newline)])]

    def lines(self, entry: Entry, home: SourceNode, indent: str, *, comma: bool) -> list[Pieces]:
        """An entry on lines of its own, with the comments it brings along."""
        kept, behind = self.comments_of(entry)
        kept = [*self.ownerless_before(entry), *kept]
        above: list[Pieces] = [[indent, span] for span in kept]
        trailing: Pieces = [p for span in behind for p in (" ", span)]
        line = [indent, *self.entry_text(entry, home, indent), "," if comma else "", *trailing]
        return [*above, line]

    def _inherited_edits(self, entry: Entry, alone: bool) -> list[Edit]:
        """Put the comments that a value brought up into its place: above its line or behind it.

        ``alone``: no entry comes to the collection or goes.
        """
        above, behind = self.inherited(entry)
        if not above and not behind:
            return []
        slot = self.slots.slot(entry)
        if not slot.first_on_line:
            spans = [*above, *behind]
            if any(self.is_line_comment(span) for span in spans):
                return []  # there is no line for them: the census refuses
            return [Edit(slot.end, slot.end, [p for s in spans for p in (" ", s)])]
        beside = slot.own_lines and slot.tail == max(slot.end, slot.comma + 1)
        if not beside or (slot.comma < 0 and not alone):
            above, behind = [*above, *behind], []
        indent, at = self._indent(slot), self.slots.line_start(slot.start)
        edits = []
        if above:
            edits.append(Edit(at, at, [p for s in above for p in (indent, s, self.newline)]))
        if behind:
            edits.append(Edit(slot.tail, slot.tail, [p for s in behind for p in (" ", s)]))
        return edits

    def moved(self, edits: list[Edit], start: int, end: int, indent: str | None) -> Pieces:
        """Source text from elsewhere with edits made, and its lines shifted to another indentation.

        ``indent`` is that of its new line (None: the lines stay as they are).
        """
        pieces = compose(start, end, edits)
        begin = self.text[self.slots.line_start(start) : start]
        old = begin[: len(begin) - len(begin.lstrip())]
        if indent is None or old == indent:
            return pieces
        out: Pieces = []
        fresh = False  # whether the next piece begins a line
        for piece in pieces:
            if isinstance(piece, str):
                if fresh and piece.startswith(old):
                    piece = indent + piece[len(old) :]
                out.append(re.sub(rf"\n{re.escape(old)}(?=[^\r\n])", "\n" + indent, piece))
                fresh = piece.endswith("\n")
                continue
            at, end = piece
            while True:
                bare = at + len(old)
                if (
                    fresh
                    and self.text.startswith(old, at, end)
                    and self.text[bare : bare + 1] not in "\r\n"
                    and not self._in_scalar(at)
                ):
                    out.append(indent)
                    at = bare
                line = self.slots.next_line(at)
                fresh = line <= end and self.text[line - 1 : line] == "\n"
                if not fresh or line == end:
                    break
                out.append((at, line))
                at = line
            out.append((at, end))
        return out

    def _in_scalar(self, at: int) -> bool:
        """Whether a place is inside a scalar or comment of several lines, whose text stays."""
        number = bisect_left(self.opaque, (at, 0))
        return number > 0 and self.opaque[number - 1][1] > at


def joined(texts: list[Pieces], separator: str) -> Pieces:
    """Several lists of pieces, with a separator between them."""
    out: Pieces = []
    for number, pieces in enumerate(texts):
        if number:
            out.append(separator)
        out.extend(pieces)
    return out
