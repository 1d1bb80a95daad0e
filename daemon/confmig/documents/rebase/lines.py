"""Later edits placed by lines: see ``rebase``.

What the migration copied leads back to where it was copied from; lines that are beside copied lines
go beside those, with their indentation.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confmig.documents.text.pieces import Edit, Segment, compose, text_of
from confmig.errors import Refused

MOST_LINES = 20_000
"""Lines between the first and the last edit above which texts are not compared line by line."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line: where it starts, its indentation, and where its content ends."""

    start: int
    indent: str
    end: int
    text: str


class Lines:
    """The lines of a text, terminators apart."""

    def __init__(self, text: str) -> None:
        self.lines: list[_Line] = []
        at = 0
        for whole in text.splitlines(keepends=True) if text else []:
            body = whole.rstrip("\r\n")
            indent = body[: len(body) - len(body.lstrip(" \t"))]
            self.lines.append(_Line(at, indent, at + len(body), body))
            at += len(whole)
        self.starts = [line.start for line in self.lines]

    def at(self, position: int) -> int:
        """The number of the line that a character is in."""
        return bisect_right(self.starts, position) - 1


class _Map:
    """From characters and lines of the new text to those of the old one."""

    def __init__(self, old: Lines, new: Lines, segments: Sequence[Segment]) -> None:
        self.old = old
        self.new = new
        self.segments = sorted(segments, key=lambda s: s.new)
        self.starts = [s.new for s in self.segments]
        self.lines = [self._line(line) for line in new.lines]

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Where a span of the new text came from, if it was copied in one piece."""
        number = bisect_right(self.starts, start) - 1
        for segment in self.segments[max(0, number - 1) : number + 1][::-1]:
            if segment.new <= start and end <= segment.new + segment.length:
                return segment.old + start - segment.new, segment.old + end - segment.new
        return None

    def _line(self, line: _Line) -> int | None:
        """The line of the old text that has the same content, copied; None if there is none."""
        start = line.start + len(line.indent)
        found = self.span(start, line.end)
        if found is None or not self.old.lines:
            return None
        number = self.old.at(found[0])
        source = self.old.lines[number]
        whole = source.start + len(source.indent) == found[0] and source.end == found[1]
        return number if whole else None

    def shifted(self, text: str, beside: int) -> str:
        """A line of today's text with the indentation that it would have had in the old one.

        The line beside it, which was copied, shows that.
        """
        target = self.lines[beside]
        assert target is not None
        here, there = self.new.lines[beside].indent, self.old.lines[target].indent
        if here == there or not text.strip():
            return text
        indent = text[: len(text) - len(text.lstrip(" \t"))]
        if indent.startswith(here):
            return there + text[len(here) :]
        less = len(here) - len(indent)
        return there[: max(0, len(there) - less)] + text[len(indent) :]


def by_lines(
    old: str,
    new: str,
    current: str,
    segments: Sequence[Segment],
    *,
    prefer_previous: bool,
    only: Callable[[Sequence[str]], bool] = lambda lines: True,
) -> tuple[str, list[str]]:
    """The old text with the edits that could be placed, and the lines of those that could not.

    Lines that are between two copied ones which are not neighbours in the old text go beside
    the previous one, or the next one, as preferred. ``only`` picks the edits, by the lines that
    go and come.
    """
    before, after = Lines(new), Lines(current)
    map_ = _Map(Lines(old), before, segments)
    edits: list[Edit] = []
    unplaced: list[str] = []
    newline = "\r\n" if "\r\n" in old else "\n"
    for whole in hunks_of(before, after):
        for start, end, first, last in _aligned(map_, after, *whole):
            texts = [line.text for line in after.lines[first:last]]
            if not only([*(line.text for line in before.lines[start:end]), *texts]):
                continue
            placed = _place(map_, old, start, end, texts, newline, prefer_previous)
            if placed is None:
                unplaced.append(f"line {first + 1} of today's file")
            else:
                edits += placed
    try:
        text = text_of(old, compose(0, len(old), edits))
        if not old.endswith("\n") and not current.endswith("\n"):
            text = text.removesuffix("\n").removesuffix("\r")
        return text, unplaced
    except Refused:
        return old, [*unplaced, "several lines"]


_COMMENT = re.compile(r"\s*(?:#|//|;|!|/\*|\*|$)")


def is_comment(lines: Sequence[str]) -> bool:
    """Whether lines say something to people only."""
    return all(_COMMENT.match(line) for line in lines)


def hunks_of(before: Lines, after: Lines) -> list[tuple[int, int, int, int]]:
    """The runs of lines that differ: from, to (exclusive), before and after."""
    a = [line.text for line in before.lines]
    b = [line.text for line in after.lines]
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    inner_a, inner_b = a[head : len(a) - tail], b[head : len(b) - tail]
    if max(len(inner_a), len(inner_b)) > MOST_LINES:
        return [(head, len(a) - tail, head, len(b) - tail)]
    matcher = difflib.SequenceMatcher(None, inner_a, inner_b, autojunk=False)
    return [
        (head + i1, head + i2, head + j1, head + j2)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


_ALIGNED = 60
"""Lines of one hunk up to which it is taken apart."""


def _aligned(
    map_: _Map, after: Lines, start: int, end: int, first: int, last: int
) -> list[tuple[int, int, int, int]]:
    """A hunk in parts: a line that became another one, alike, is a part of its own."""
    rows, columns = end - start, last - first
    if not (1 <= rows <= _ALIGNED and 1 <= columns <= _ALIGNED):
        return [(start, end, first, last)]
    old = [_tokens(line) for line in map_.new.lines[start:end]]
    new = [_tokens(line) for line in after.lines[first:last]]
    alike = [[_likeness(a, b) for b in new] for a in old]
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            pair = alike[i][j] + best[i + 1][j + 1] if alike[i][j] >= _ALIKE else 0.0
            best[i][j] = max(pair, best[i + 1][j], best[i][j + 1])
    out: list[tuple[int, int, int, int]] = []
    i = j = a = b = 0
    while i < rows and j < columns:
        if alike[i][j] >= _ALIKE and best[i][j] == alike[i][j] + best[i + 1][j + 1]:
            if i > a or j > b:
                out.append((start + a, start + i, first + b, first + j))
            out.append((start + i, start + i + 1, first + j, first + j + 1))
            i, j = i + 1, j + 1
            a, b = i, j
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    if a < rows or b < columns:
        out.append((start + a, end, first + b, last))
    return out


_ALIKE = 0.6
_REMARK = re.compile(r"(?<=\S)\s+(?:#|//|;).*")


def _tokens(line: _Line) -> list[str]:
    """What a line is compared by: a remark at its end may have come or gone."""
    return _TOKEN.findall(_REMARK.sub("", line.text.strip()))


def _likeness(a: list[str], b: list[str]) -> float:
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio() if a and b else 0.0


def _place(
    map_: _Map,
    old: str,
    start: int,
    end: int,
    texts: list[str],
    newline: str,
    prefer_previous: bool,
) -> list[Edit] | None:
    """The edits of the old text for one hunk: lines [start, end) of the new text became ``texts``.

    None if it has no place.
    """
    if end - start == len(texts):
        inside = [_inside(map_, n, t) for n, t in zip(range(start, end), texts, strict=True)]
        if all(edits is not None for edits in inside):
            return [edit for edits in inside if edits is not None for edit in edits]
    gone = [map_.lines[n] for n in range(start, end)]
    if not texts:
        gone = _filled(map_, start, end)
    if any(line is None for line in gone):
        return None
    cuts = [_cut(map_.old, old, line) for line in gone if line is not None]
    if not texts:
        return cuts
    last = next((text for text in reversed(texts) if text.strip()), "")
    if is_comment([last]):
        prefer_previous = False  # a comment speaks of what is below it
    beside, at = _beside(map_, start, end, prefer_previous, old)
    if beside is None:
        return None
    lines = "".join(map_.shifted(text, beside) + newline for text in texts)
    if at == len(old) and old and not old.endswith("\n"):
        lines = newline + lines.removesuffix(newline)
    return [Edit(at, at, [lines]), *cuts]


def _filled(map_: _Map, start: int, end: int) -> list[int | None]:
    """The old lines of lines that went.

    One that the migration rewrote (a key got another name) is the old line between those of its
    neighbours.
    """
    around = [None, *map_.lines, None]
    gone = around[start + 1 : end + 1]
    for number, line in enumerate(gone):
        before, after = around[start + number], around[start + number + 2]
        if line is None and before is not None and after == before + 2:
            gone[number] = before + 1
    return gone


def _cut(lines: Lines, old: str, number: int) -> Edit:
    following = number + 1
    stop = lines.lines[following].start if following < len(lines.lines) else len(old)
    return Edit(lines.lines[number].start, stop, [])


def _beside(
    map_: _Map, start: int, end: int, prefer_previous: bool, old: str
) -> tuple[int | None, int]:
    """The copied line of the new text beside which lines go, and the place in the old text."""
    if end > start:  # they replace copied lines
        first = map_.lines[start]
        assert first is not None
        return start, map_.old.lines[first].start
    known = [number for number, line in enumerate(map_.lines) if line is not None]
    split = bisect_left(known, start)
    previous = known[split - 1] if split > 0 else None
    following = known[split] if split < len(known) else None
    if start == len(map_.lines) and previous is not None:
        return previous, len(old)
    beside = (previous == start - 1, following == start)
    if beside[0] != beside[1]:  # one of the two is a neighbour, the other is farther away
        prefer_previous = beside[0]
    chosen = previous if prefer_previous else following
    chosen = chosen if chosen is not None else following if prefer_previous else previous
    if chosen is None:
        return None, 0
    target = map_.lines[chosen]
    assert target is not None
    if chosen == following:
        return chosen, map_.old.lines[target].start
    after = target + 1
    at = map_.old.lines[after].start if after < len(map_.old.lines) else len(old)
    return chosen, at


_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)


def _inside(map_: _Map, number: int, text: str) -> list[Edit] | None:
    """The edits inside one line, each in text that was copied."""
    line = map_.new.lines[number]
    a, b = _TOKEN.findall(line.text), _TOKEN.findall(text)
    if max(len(a), len(b)) > MOST_LINES // 10:
        return None
    out: list[Edit] = []
    at = [0]
    for token in a:
        at.append(at[-1] + len(token))
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        here = line.start + at[i1]
        if i1 == i2 and 0 < i1 < len(a) and map_.span(here - 1, here + 1) is None:
            return None  # beside what the migration wrote: perhaps about that
        found = map_.span(here, line.start + at[i2])
        if found is None:
            return None
        out.append(Edit(*found, ["".join(b[j1:j2])]))
    return out
