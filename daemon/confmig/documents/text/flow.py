"""Bracketed collections, ``{a: 1}`` and ``[x, y]``: edited entry by entry, comments and all.

YAML's flow style, JSON and TOML's arrays and inline tables share this shape. An entry owns the
comments on its line, those before its comma, and the comment lines directly above it; what stands
behind the opening bracket, or apart by a blank line, belongs to nobody and stays. A trailing comma
that was there stays a trailing comma.

A format adds how an entry is written (``entry``) and what may stand between entries (``TRIVIA``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from confmig.documents.model.document import Document
from confmig.documents.model.lookup import shown
from confmig.documents.model.tree import (
    Cell,
    Container,
    Mapping,
    Origin,
    Sequence,
    cells_of,
    walk_cells,
)
from confmig.documents.text.blank_lines import lines_that_go
from confmig.documents.text.comments import is_option, is_value
from confmig.documents.text.pieces import Edit, Rope, compose, join_lines
from confmig.errors import Refused

Token = tuple[str, int, int]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an entry stands: ``lead`` is the start of its own comments above (or ``start``),
    ``start`` to ``end`` the entry itself, ``comma`` the position of its comma (-1 without one),
    ``tail`` the end of its comma and trailing comment. ``first_on_line``: nothing stands before
    ``lead`` on its line; ``own_lines``: nor behind ``tail``."""

    lead: int
    start: int
    end: int
    comma: int
    tail: int
    first_on_line: bool
    own_lines: bool


def trivia(comment: str) -> re.Pattern[str]:
    """What stands between entries, with the format's own comments."""
    return re.compile(rf"(?P<space>[^\S\n]+)|(?P<line>\n)|(?P<comment>{comment})|(?P<comma>,)")


class Slots:
    """Measures the entries of bracketed collections of one text. Asked once, remembered."""

    def __init__(self, text: str, pattern: re.Pattern[str]) -> None:
        self.text = text
        self.pattern = pattern
        self._known: dict[int, dict[int, Slot]] = {}
        self._ends: dict[int, dict[int, int]] = {}
        self._newlines: list[int] | None = None

    def slot(self, cell: Cell) -> Slot:
        """The slot of a cell that was parsed in a bracketed collection."""
        assert cell.home is not None
        return self.of(cell.home)[id(cell)]

    def end_before(self, home: Origin, cell: Cell) -> int:
        """Where the entry before one ends, or the opening bracket."""
        known = self._ends.get(id(home))
        if known is None:
            tails = [home.start + 1, *(slot.tail for slot in self.of(home).values())]
            known = self._ends[id(home)] = {
                id(c): tail for c, tail in zip(home.cells, tails, strict=False)
            }
        return known[id(cell)]

    def of(self, home: Origin) -> dict[int, Slot]:
        """The slots of a collection, by the identity of their cells."""
        known = self._known.get(id(home))
        if known is None:
            known = self._known[id(home)] = self._measure(home)
        return known

    def tokens(self, start: int, end: int) -> Iterator[Token]:
        """Space, line ends, comments and commas from ``start`` up to anything else."""
        while start < end:
            match = self.pattern.match(self.text, start, end)
            if match is None:
                return
            yield str(match.lastgroup), match.start(), match.end()
            start = match.end()

    def _measure(self, home: Origin) -> dict[int, Slot]:
        out: dict[int, Slot] = {}
        spans = [self._span(c) for c in home.cells]
        floor = home.start + 1
        for number, cell in enumerate(home.cells):
            start, end = spans[number]
            last = number + 1 == len(spans)
            stop = home.end - 1 if last else spans[number + 1][0]
            comma, tail = self._behind(end, stop, last)
            lead = self._above(floor, start, cell.key is None)
            begins = self.text.rfind("\n", floor, lead)
            first = begins >= 0 and not self.text[begins + 1 : lead].strip()
            ends = self.text.find("\n", tail, stop)
            own = first and ends >= 0 and not self.text[tail:ends].strip()
            out[id(cell)] = Slot(lead, start, end, comma, tail, first, own)
            floor = tail
        return out

    def _span(self, cell: Cell) -> tuple[int, int]:
        node = cell.source
        assert node is not None
        if cell.key is None:
            return node.outer, node.end
        end = max(node.end, cell.key.end)
        if node.end == node.outer:  # an empty value: its colon belongs to the entry
            colon = re.compile(r"\s*:").match(self.text, cell.key.end)
            end = max(end, colon.end()) if colon else end
        return cell.key.outer, end

    def _behind(self, end: int, stop: int, last: bool) -> tuple[int, int]:
        """The comma and the end of what follows an entry and belongs to it."""
        tokens = list(self.tokens(end, stop))
        comma = next((start for kind, start, _ in tokens if kind == "comma"), -1)
        tail = end
        for number, (kind, start, after) in enumerate(tokens):
            if kind == "line" and start > comma:
                break
            if kind == "comma" or (kind == "comment" and start < comma):
                tail = after
            elif kind == "comment":
                following = next((t[0] for t in tokens[number + 1 :] if t[0] != "space"), None)
                if following == "line" or (following is None and last):
                    tail = after
        return comma, tail

    def _above(self, floor: int, start: int, item: bool) -> int:
        """The start of the comments directly before an entry, or of the entry."""
        lead, lines = start, 0
        for kind, at, after in reversed(list(self.tokens(floor, start))):
            if kind == "line":
                lines += 1
                if lines > 1:
                    break
            elif kind == "comment":
                if lines:
                    before = self.text[self.line_start(at) : at]
                    beside = self.text[self.line_start(start) : start]
                    if before.strip() or len(before) != len(beside) - len(beside.lstrip()):
                        break  # it trails something else, or stands at another column
                    line = _as_line(self.text[at:after])
                    if is_option(line) or (item and is_value(line)):
                        break  # it is an entry that was commented out
                lead, lines = at, 0
        return lead

    def line_start(self, at: int) -> int:
        """The start of the line."""
        lines = self._lines()
        number = bisect_left(lines, at)
        return lines[number - 1] + 1 if number else 0

    def line_end(self, at: int) -> int:
        """The position of the line's terminator, or the end of the text."""
        lines = self._lines()
        number = bisect_left(lines, at)
        if number == len(lines):
            return len(self.text)
        end = lines[number]
        return end - 1 if end > at and self.text[end - 1] == "\r" else end

    def next_line(self, at: int) -> int:
        """The start of the next line."""
        lines = self._lines()
        number = bisect_left(lines, at)
        return lines[number] + 1 if number < len(lines) else len(self.text)

    def has_line_end(self, start: int, end: int) -> bool:
        """Whether a line ends between two places."""
        lines = self._lines()
        number = bisect_left(lines, start)
        return number < len(lines) and lines[number] < end

    def _lines(self) -> list[int]:
        """Where lines end; a text of one long line must not be searched for each entry."""
        if self._newlines is None:
            self._newlines = [m.start() for m in re.finditer("\n", self.text)]
        return self._newlines

    def comment_between(self, start: int, end: int) -> bool:
        """Whether a comment stands in a stretch of trivia."""
        return any(kind == "comment" for kind, _, _ in self.tokens(start, end))


def _as_line(comment: str) -> str:
    """A comment of JSONC or TOML as ``is_option`` takes it: one mark, no comma at the end."""
    return re.sub(r"^//", "#", comment.strip()).rstrip(",")


class FlowEditor:
    """The half of a writer that edits bracketed collections; a format provides the other half."""

    document: Document
    text: str
    newline: str
    _living: set[int] | None = None
    slots: Slots
    opaque: list[tuple[int, int]]

    def cell_edits(self, cell: Cell) -> list[Edit]:
        """The edits of an entry that stands where its source stands."""
        raise NotImplementedError

    def entry(self, cell: Cell, home: Origin, indent: str | None) -> Rope:
        """An entry that is new in its collection; ``indent`` is that of its line, None where
        it shares a line."""
        raise NotImplementedError

    def fresh(self, cells: list[Cell], home: Origin) -> Rope:
        """What stands between the brackets of a collection that had no entries."""
        raise NotImplementedError

    def gap(self, home: Origin) -> str:
        """What stands behind a comma on one line."""
        raise NotImplementedError

    def deeper(self, home: Origin) -> str | None:
        """The indentation of entries on lines of their own; None if the place is one line."""
        raise NotImplementedError

    def flow_edits(self, container: Container) -> list[Edit]:
        """The edits of a collection that stands where its source stands."""
        home = container.origin
        assert home is not None
        now, source = cells_of(container), home.cells
        rank = {id(c): i for i, c in enumerate(source)}
        staying: list[int] = []
        for cell in now:
            number = rank.get(id(cell), -1)
            if number > (staying[-1] if staying else -1):
                staying.append(number)
        edits = [e for i in staying for e in self.cell_edits(source[i])]
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

    def _fed(self, now: list[Cell], staying: list[int], rank: dict[int, int]) -> set[int]:
        """The entries that stay and get a new one directly before them."""
        stay = set(staying)
        fed: set[int] = set()
        new = False
        for cell in now:
            number = rank.get(id(cell), -1)
            if number in stay:
                if new:
                    fed.add(number)
                new = False
            else:
                new = True
        return fed

    def _refilled(self, home: Origin, now: list[Cell]) -> list[Edit]:
        """All entries left; others may have come."""
        inner = self.fresh(now, home) if now else []
        orphans = self._orphans(home)
        if not orphans:
            return [Edit(home.start + 1, home.end - 1, inner)]
        edits = self._cuts(home, [self.slots.slot(c) for c in home.cells], set(), set())
        if now:
            begin, at = orphans[-1]
            indent = self.text[self.slots.line_start(begin) : begin]
            deeper = self.deeper(home) if indent.strip() else indent
            if deeper is None and not self._is_line_comment(orphans[-1]):
                edits.append(Edit(at, at, [" ", *inner]))
            else:
                indent = deeper if deeper is not None else ""
                edits += self._insert_lines(home, now, at, indent, closed=False)
                if "\n" not in self.text[at : home.end]:
                    edits.append(Edit(at, at, [self.newline]))
        return edits

    def _is_line_comment(self, span: tuple[int, int]) -> bool:
        """Whether a comment reaches to the end of its line whatever follows it."""
        return not self.text.startswith("/*", span[0])

    def _orphans(self, home: Origin) -> list[tuple[int, int]]:
        """The comments directly in a collection that belong to no entry."""
        out: list[tuple[int, int]] = []
        at = home.start + 1
        for slot in [*self.slots.of(home).values(), None]:
            stop = slot.lead if slot is not None else home.end - 1
            out += [(a, b) for kind, a, b in self.slots.tokens(at, stop) if kind == "comment"]
            at = slot.tail if slot is not None else stop
        return out

    def _cuts(
        self, home: Origin, slots: list[Slot], staying: set[int], fed: set[int]
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
        """Whether a comment of nobody stands between an entry and the one before it."""
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
        return bool(behind) and behind[-1][2] == slot.tail and self._is_line_comment(behind[-1][1:])

    def _joints(
        self, home: Origin, slots: list[Slot], now: list[Cell], staying: dict[int, int]
    ) -> list[Edit]:
        """Commas that must come or go, and the entries that are new, each behind the entry that
        stays before it."""
        closed = slots[-1].comma >= 0
        edits: list[Edit] = []
        before: Slot | None = None
        new: list[Cell] = []
        for cell in now:
            number = staying.get(id(cell))
            if number is None:
                new.append(cell)
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
            behind_comment = bool(tokens) and self._is_line_comment(tokens[-1][1:])
            start = (
                line
                if behind_comment and not ends_line
                else slot.end + len(self.text[slot.end : line].rstrip())
            )
        return [Edit(start, slot.comma + 1, [])]

    def _between(
        self,
        home: Origin,
        before: Slot | None,
        after: Slot | None,
        new: list[Cell],
        *,
        closed: bool,
    ) -> list[Edit]:
        if not new:
            return []
        if before is not None:
            line_comment = self._ends_in_line_comment(before)
            apart = before.own_lines or (before.first_on_line and len(home.cells) > 1)
            if apart or line_comment:
                indent = self._indent(before)
                return self._insert_lines(home, new, before.tail, indent, closed=closed)
            gap = self.gap(home)
            inner: Rope = []
            for number, cell in enumerate(new):
                comma = "," if closed or number + 1 < len(new) else ""
                inner += [gap, *self.entry(cell, home, None), comma]
            return [Edit(before.tail, before.tail, inner)]
        assert after is not None
        if after.first_on_line:
            indent = self._indent(after)
            at = self.slots.line_start(after.lead)
            lines = [r for c in new for r in self.lines(c, home, indent, comma=True)]
            return [Edit(at, at, [*join_lines(lines, self.newline), self.newline])]
        inner = [p for c in new for p in [*self.entry(c, home, None), ",", self.gap(home)]]
        return [Edit(after.lead, after.lead, inner)]

    def _indent(self, slot: Slot) -> str:
        begin = self.text[self.slots.line_start(slot.start) : slot.start]
        return begin[: len(begin) - len(begin.lstrip())]

    def _insert_lines(
        self, home: Origin, new: list[Cell], at: int, indent: str, *, closed: bool
    ) -> list[Edit]:
        lines: list[Rope] = []
        for number, cell in enumerate(new):
            comma = closed or number + 1 < len(new)
            lines += self.lines(cell, home, indent, comma=comma)
        return [Edit(at, at, [self.newline, *join_lines(lines, self.newline)])]

    def lines(self, cell: Cell, home: Origin, indent: str, *, comma: bool) -> list[Rope]:
        """An entry on lines of its own, with the comments it brings along."""
        kept, behind = self.comments_of(cell)
        kept = [*self._of_nobody_before(cell), *kept]
        above: list[Rope] = [[indent, span] for span in kept]
        trailing: Rope = [p for span in behind for p in (" ", span)]
        entry = [indent, *self.entry(cell, home, indent), "," if comma else "", *trailing]
        return [*above, entry]

    def _of_nobody_before(self, cell: Cell) -> list[Span]:
        """The comments of nobody before an entry that came out of a collection that was taken
        apart; for its last entry, those behind it, too."""
        source = cell.carries if cell.home is None else None
        home = source.home if source is not None else None
        if source is None or home is None or not home.flow or source.is_root:
            return []
        if not self.is_gone(home):
            return []
        slot = self.slots.slot(source)
        spans = self.comments_in(self.slots.end_before(home, source), slot.lead)
        if source is home.cells[-1]:
            spans += self.comments_in(slot.tail, home.end - 1)
        return spans

    def comments_of(self, cell: Cell) -> tuple[list[Span], list[Span]]:
        """The comments that an entry from elsewhere brings along: those above and those behind."""
        source = cell if cell.home is not None else cell.carries
        if source is None or source.home is None or not source.home.flow or source.is_root:
            return [], []
        slot = self.slots.slot(source)
        above = self.comments_in(slot.lead, slot.start)
        behind = self.comments_in(slot.end, slot.tail)
        if source.carries is None:
            return above, behind
        inner_above, inner_behind = self.inherited(source)
        behind = [*inner_behind, *behind]
        if any(self._is_line_comment(span) for span in behind[:-1]):
            inner_above, behind = [*inner_above, *behind[:-1]], behind[-1:]
        return [*above, *inner_above], behind

    def comments_in(self, start: int, end: int) -> list[Span]:
        """The comments between two places where nothing but trivia stands."""
        return [(a, b) for kind, a, b in self.slots.tokens(start, end) if kind == "comment"]

    def inherited(self, cell: Cell) -> tuple[list[Span], list[Span]]:
        """The comments, above and behind, of the entry whose value came up into this one, and those
        of nobody in the collection that went."""
        carried = cell.carries
        if carried is None or carried.home is None or not carried.home.flow or carried.is_root:
            return [], []
        above, behind = self.comments_of(carried)
        if self.is_gone(carried.home):
            above = sorted([*above, *self._orphans(carried.home)])
        return above, behind

    def is_gone(self, home: Origin) -> bool:
        """Whether a collection of the source is no collection of the result."""
        if self._living is None:
            root = self.document.root
            cells = walk_cells(root) if isinstance(root, Mapping | Sequence) else ()
            values = [root, *(cell.value for _, cell in cells)]
            self._living = {id(v.origin) for v in values if isinstance(v, Mapping | Sequence)}
        return id(home) not in self._living

    def _inherited_edits(self, cell: Cell, alone: bool) -> list[Edit]:
        """Put the comments that a value brought up into its place: above its line or behind it.
        ``alone``: no entry comes to the collection or goes."""
        above, behind = self.inherited(cell)
        if not above and not behind:
            return []
        slot = self.slots.slot(cell)
        if not slot.first_on_line:
            spans = [*above, *behind]
            if any(self._is_line_comment(span) for span in spans):
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

    def moved(self, edits: list[Edit], start: int, end: int, indent: str | None) -> Rope:
        """Source text from elsewhere with edits made, its lines shifted to the indentation of
        its new line (None: they stay as they are)."""
        rope = compose(start, end, edits)
        begin = self.text[self.slots.line_start(start) : start]
        old = begin[: len(begin) - len(begin.lstrip())]
        if indent is None or old == indent:
            return rope
        out: Rope = []
        fresh = False  # whether the next piece begins a line
        for piece in rope:
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


def joined(ropes: list[Rope], separator: str) -> Rope:
    """Ropes one after the other with a separator between."""
    out: Rope = []
    for number, rope in enumerate(ropes):
        if number:
            out.append(separator)
        out.extend(rope)
    return out
