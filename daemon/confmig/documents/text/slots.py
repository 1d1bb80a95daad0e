"""Where the entries of a bracketed collection are, and which comments belong to each.

YAML's flow style, JSON and TOML's arrays and inline tables share this shape. Ownership is as
``comments`` says; besides, an entry owns the comments on its line and those before its comma. What
is behind the opening bracket, or apart by a blank line, belongs to no one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from confmig.documents.model.tree import Entry, SourceNode
from confmig.documents.text.comments import is_value, owned_from

Token = tuple[str, int, int]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an entry stands.

    ``lead`` is the start of its own comments above (or ``start``), ``start`` to ``end`` the
    entry itself, ``comma`` the position of its comma (-1 without one), ``tail`` the end of its
    comma and trailing comment. ``first_on_line``: nothing is before ``lead`` on its line;
    ``own_lines``: nor behind ``tail``.
    """

    lead: int
    start: int
    end: int
    comma: int
    tail: int
    first_on_line: bool
    own_lines: bool


def trivia(comment: str) -> re.Pattern[str]:
    """What is between entries, with the format's own comments."""
    return re.compile(rf"(?P<space>[^\S\n]+)|(?P<line>\n)|(?P<comment>{comment})|(?P<comma>,)")


class Slots:
    """Measures the entries of bracketed collections of one text. Asked once, remembered."""

    def __init__(self, text: str, pattern: re.Pattern[str]) -> None:
        self.text = text
        self.pattern = pattern
        self._known: dict[int, dict[int, Slot]] = {}
        self._ends: dict[int, dict[int, int]] = {}
        self._newlines: list[int] | None = None

    def slot(self, entry: Entry) -> Slot:
        """The slot of an entry that was parsed in a bracketed collection."""
        assert entry.home is not None
        return self.of(entry.home)[id(entry)]

    def end_before(self, home: SourceNode, entry: Entry) -> int:
        """Where the entry before one ends, or the opening bracket."""
        known = self._ends.get(id(home))
        if known is None:
            tails = [home.start + 1, *(slot.tail for slot in self.of(home).values())]
            known = self._ends[id(home)] = {
                id(c): tail for c, tail in zip(home.entries, tails, strict=False)
            }
        return known[id(entry)]

    def of(self, home: SourceNode) -> dict[int, Slot]:
        """The slots of a collection, by the identity of their entries."""
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

    def _measure(self, home: SourceNode) -> dict[int, Slot]:
        out: dict[int, Slot] = {}
        spans = [self._span(c) for c in home.entries]
        floor = home.start + 1
        for number, entry in enumerate(home.entries):
            start, end = spans[number]
            last = number + 1 == len(spans)
            stop = home.end - 1 if last else spans[number + 1][0]
            comma, tail = self._behind(end, stop, last)
            lead = self._above(floor, start, entry.key is None)
            begins = self.text.rfind("\n", floor, lead)
            first = begins >= 0 and not self.text[begins + 1 : lead].strip()
            ends = self.text.find("\n", tail, stop)
            own = first and ends >= 0 and not self.text[tail:ends].strip()
            out[id(entry)] = Slot(lead, start, end, comma, tail, first, own)
            floor = tail
        return out

    def _span(self, entry: Entry) -> tuple[int, int]:
        node = entry.source
        assert node is not None
        if entry.key is None:
            return node.outer, node.end
        end = max(node.end, entry.key.end)
        if node.end == node.outer:  # an empty value: its colon belongs to the entry
            colon = re.compile(r"\s*:").match(self.text, entry.key.end)
            end = max(end, colon.end()) if colon else end
        return entry.key.outer, end

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
        lead, lines = start, 0  # of the comments on the entry's own line
        above: list[tuple[int, str]] = []
        for kind, at, after in reversed(list(self.tokens(floor, start))):
            if kind == "line":
                lines += 1
                if lines > 1:
                    break
            elif kind == "comment":
                if lines or above:
                    before = self.text[self.line_start(at) : at]
                    beside = self.text[self.line_start(start) : start]
                    if before.strip() or len(before) != len(beside) - len(beside.lstrip()):
                        break  # it trails something else, or is at another column
                    above.append((at, _as_line(self.text[at:after])))
                else:
                    lead = at
                lines = 0
        above.reverse()
        first = owned_from([line for _, line in above], is_value if item else None)
        return above[first][0] if first < len(above) else lead

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
        """Whether a comment is in a stretch of trivia."""
        return any(kind == "comment" for kind, _, _ in self.tokens(start, end))


def _as_line(comment: str) -> str:
    """A comment of JSONC or TOML as ``is_option`` takes it: one mark, no comma at the end."""
    return re.sub(r"^//", "#", comment.strip()).rstrip(",")
