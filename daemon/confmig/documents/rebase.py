"""Later edits put into the old text: what a rollback does with a file that was edited since.

Three texts are known: the old one, the new one that a migration made of it, and today's, which
somebody made of the new one. The result is the old text with their edits in it:

1. *By lines.* An edit of text that the migration had copied is made at the place the copy came
   from; lines that stand beside copied lines go beside those, with their indentation.
2. *By values.* What is left is compared as values. A value that stands in the old document, too,
   is changed there, and the old document is rendered: the smallest edit.

Neither is believed. The result is taken only if migrating it again (``Forward``) gives today's
values and today's comments; else it is a conflict, told by place and line, and nothing is written.
An edit of something that the migration itself wrote has no place in the old text: a conflict.
"""

from __future__ import annotations

import difflib
import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confmig.documents import formats, tree
from confmig.documents.document import Document
from confmig.documents.path import show
from confmig.documents.rope import Edit, Segment, compose, text_of
from confmig.documents.tree import Cell, Container, Mapping, cells_of, kind_of, same_value
from confmig.errors import ConfmigError, Refused

MOST_LINES = 20_000
"""Lines between the first and the last edit above which texts are not compared line by line."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A text taken through the migrations again: the tree before rendering, whose values still
    know where they stood in that text, and the tree of what was rendered."""

    tree: Document
    result: Document


Parse = Callable[[bytes], Document]
Forward = Callable[[bytes], Forwarded]


class Conflict(Refused):
    """Edits that have no place in the old text. ``places`` tells each of them."""

    def __init__(self, places: Sequence[str]) -> None:
        self.places = tuple(dict.fromkeys(places))
        listed = "; ".join(self.places[:10])
        more = f" and {len(self.places) - 10} more" if len(self.places) > 10 else ""
        super().__init__(
            "rollback_conflict", f"later edits have no place in the old file: {listed}{more}"
        )


def rebase(
    old: bytes,
    new: bytes,
    current: bytes,
    segments: Sequence[Segment],
    parse: Parse,
    forward: Forward,
) -> bytes:
    """The old text with the edits in it that made ``current`` of ``new``.

    ``segments`` are the characters that the migration copied from old to new. Raises
    ``Conflict``, or ``Refused`` if today's text cannot be read at all.
    """
    wanted = parse(current)
    before, after, today = _text(old), _text(new), _text(current)
    remarks = _wanted_remarks(parse(old), parse(new), wanted)
    check = _Check(today, wanted, remarks, parse, forward)
    unplaced: list[str] = []
    for first in (False, True):
        placed, unplaced = _by_lines(before, after, today, segments, prefer_previous=first)
        base = _bytes(placed, old)
        if check.passes(base, literal=not unplaced, made=0):
            return base
    # what only says something to people is placed by lines, all else by values
    placed, _ = _by_lines(before, after, today, segments, prefer_previous=False, only=_is_comment)
    found: list[str] = []
    for base in dict.fromkeys((_bytes(placed, old), old)):
        result, made, found = _by_values(base, wanted, parse, forward)
        if result is not None and check.passes(result, literal=False, made=made):
            return result
    raise Conflict([*found, *unplaced] or ["comments that were edited, or lines that went"])


@dataclass(frozen=True, slots=True)
class _Check:
    """What a result must be: readable, with the right comments, and with today's values once it
    is migrated again; and no edit may be lost on the way."""

    today: str
    wanted: Document
    remarks: Counter[str]
    parse: Parse
    forward: Forward

    def passes(self, candidate: bytes, *, literal: bool, made: int) -> bool:
        """Whether a candidate is a result. ``literal``: every edit of a line was made as it
        stands; else ``made`` edits were made by value, and may look otherwise."""
        try:
            if _remarks(self.parse(candidate)) != self.remarks:
                return False
            result = self.forward(candidate).result
        except ConfmigError:
            return False
        if not same_value(tree.plain(result.root), tree.plain(self.wanted.root)):
            return False
        return literal or self._only_looks(result.text, made)

    def _only_looks(self, text: str, made: int) -> bool:
        """Whether the text, migrated again, differs from today's in the looks of so many values
        at most."""
        have, want = _Lines(text), _Lines(self.today)
        hunks = _hunks(have, want)
        return len(hunks) <= made and all(
            _same_words(
                [line.text for line in have.lines[a:b]], [line.text for line in want.lines[c:d]]
            )
            for a, b, c, d in hunks
        )


def _same_words(a: list[str], b: list[str]) -> bool:
    words = [[_WORD.findall(line) for line in lines] for lines in (a, b)]
    if len(a) == len(b):
        return words[0] == words[1]
    flat = [[word for line in lines for word in line] for lines in words]
    return flat[0] == flat[1]


_WORD = re.compile(r"\w+")
_COMMENT = re.compile(r"\s*(?:#|//|;|!|/\*|\*|$)")


def _is_comment(lines: Sequence[str]) -> bool:
    """Whether lines say something to people only."""
    return all(_COMMENT.match(line) for line in lines)


def _wanted_remarks(old: Document, new: Document, current: Document) -> Counter[str]:
    """The comments of the result: the old ones, with those that were added since and without
    those that were removed since."""
    before, after = _remarks(new), _remarks(current)
    return (_remarks(old) + (after - before)) - (before - after)


def _remarks(document: Document) -> Counter[str]:
    spans = formats.get(document.format).comments(document)
    return Counter(" ".join(document.text[a:b].split()) for a, b in spans)


def _text(data: bytes) -> str:
    return data.decode("utf-8").removeprefix("\ufeff")


def _bytes(text: str, like: bytes) -> bytes:
    return (b"\xef\xbb\xbf" if like.startswith(b"\xef\xbb\xbf") else b"") + text.encode()


# --- by lines


@dataclass(frozen=True, slots=True)
class _Line:
    """A line: where it starts, its indentation, and where its content ends."""

    start: int
    indent: str
    end: int
    text: str


class _Lines:
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

    def __init__(self, old: _Lines, new: _Lines, segments: Sequence[Segment]) -> None:
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
        """A line of today's text with the indentation that it would have had, as the one of the
        line beside it (of the new text, which was copied)."""
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


def _by_lines(
    old: str,
    new: str,
    current: str,
    segments: Sequence[Segment],
    *,
    prefer_previous: bool,
    only: Callable[[Sequence[str]], bool] = lambda lines: True,
) -> tuple[str, list[str]]:
    """The old text with the edits that could be placed, and the lines of those that could not.

    Lines that stand between two copied ones which are no neighbours in the old text go beside
    the previous one, or the next one, as preferred. ``only`` picks the edits, by the lines that
    go and come.
    """
    before, after = _Lines(new), _Lines(current)
    map_ = _Map(_Lines(old), before, segments)
    edits: list[Edit] = []
    unplaced: list[str] = []
    newline = "\r\n" if "\r\n" in old else "\n"
    for whole in _hunks(before, after):
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


def _hunks(before: _Lines, after: _Lines) -> list[tuple[int, int, int, int]]:
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
    map_: _Map, after: _Lines, start: int, end: int, first: int, last: int
) -> list[tuple[int, int, int, int]]:
    """A hunk in parts: a line that became another one, alike, is a part of its own."""
    rows, columns = end - start, last - first
    if not (1 <= rows <= _ALIGNED and 1 <= columns <= _ALIGNED):
        return [(start, end, first, last)]
    old = [_TOKEN.findall(line.text.strip()) for line in map_.new.lines[start:end]]
    new = [_TOKEN.findall(line.text.strip()) for line in after.lines[first:last]]
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
    """The edits of the old text for one hunk: lines [start, end) of the new text became
    ``texts``. None if it has no place."""
    if end - start == len(texts):
        inside = [_inside(map_, n, t) for n, t in zip(range(start, end), texts, strict=True)]
        if all(edits is not None for edits in inside):
            return [edit for edits in inside if edits is not None for edit in edits]
    gone = [map_.lines[n] for n in range(start, end)]
    if any(line is None for line in gone):
        return None
    cuts = [_cut(map_.old, old, line) for line in gone if line is not None]
    if not texts:
        return cuts
    last = next((text for text in reversed(texts) if text.strip()), "")
    if _is_comment([last]):
        prefer_previous = False  # a comment speaks of what stands below it
    beside, at = _beside(map_, start, end, prefer_previous, old)
    if beside is None:
        return None
    lines = "".join(map_.shifted(text, beside) + newline for text in texts)
    if at == len(old) and old and not old.endswith("\n"):
        lines = newline + lines.removesuffix(newline)
    return [Edit(at, at, [lines]), *cuts]


def _cut(lines: _Lines, old: str, number: int) -> Edit:
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
        found = map_.span(line.start + at[i1], line.start + at[i2])
        if found is None:
            return None
        out.append(Edit(*found, ["".join(b[j1:j2])]))
    return out


# --- by values


def _by_values(
    base: bytes, wanted: Document, parse: Parse, forward: Forward
) -> tuple[bytes | None, int, list[str]]:
    """The base with the values that differ after migrating it changed in it, how many those
    were, and the places that have no counterpart there."""
    try:
        document = parse(base)
        forwarded = forward(base).tree
        places = _Values(document)
        places.bring(forwarded.root, wanted.root, ())
        if places.conflicts:
            return None, 0, places.conflicts
        return formats.render(document).data, len(document.changes), []
    except ConfmigError as error:
        return None, 0, [f"{error.place or 'the document'}: {error.message}"]


class _Values:
    """Makes in a document the changes that lead its migrated tree to today's."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.conflicts: list[str] = []
        self.cells: dict[tuple[int, int], tuple[Container, Cell]] = {}
        self.containers: dict[tuple[int, int], Container] = {}
        root = document.root
        if isinstance(root, Mapping | tree.Sequence):
            self._learn(root)
            for container, cell in tree.walk_cells(root):
                if cell.node is not None and cell.node.alias is None:
                    self.cells.setdefault((cell.node.start, cell.node.end), (container, cell))
                if isinstance(cell.value, Mapping | tree.Sequence):
                    self._learn(cell.value)

    def _learn(self, container: Container) -> None:
        if container.origin is not None:
            self.containers.setdefault((container.origin.start, container.origin.end), container)

    def bring(self, have: Any, want: Any, place: tuple[str | int, ...]) -> None:
        """Make ``have`` (of the migrated tree) equal to ``want`` (of today's)."""
        if isinstance(have, Mapping) and isinstance(want, Mapping):
            self._mapping(have, want, place)
        elif isinstance(have, tree.Sequence) and isinstance(want, tree.Sequence):
            self._sequence(have, want, place)
        elif not same_value(have, want):
            self._conflict(place, "the whole document was replaced")

    def _conflict(self, place: tuple[str | int, ...], why: str) -> None:
        self.conflicts.append(f"{show(place) or 'the document'} ({why})")

    def _mapping(self, have: Mapping, want: Mapping, place: tuple[str | int, ...]) -> None:
        for name, cell in list(have.cells.items()):
            if name not in want.cells:
                self._remove(cell, (*place, name))
            else:
                self._entry(cell, want.cells[name].value, (*place, name))
        added = [name for name in want.cells if name not in have.cells]
        old = self._container(have) if added else None
        for name in added:
            if old is None:
                self._conflict((*place, name), "added to what the migration made")
            elif not isinstance(old, Mapping) or name in old.cells:
                self._conflict((*place, name), "the old file has another value there")
            else:
                self.document.add(old, name, tree.plain(want.cells[name].value))

    def _entry(self, cell: Cell, want: Any, place: tuple[str | int, ...]) -> None:
        if same_value(tree.plain(cell.value), tree.plain(want)):
            return
        both = (cell.value, want)
        if all(isinstance(v, Mapping) for v in both) or all(
            isinstance(v, tree.Sequence) for v in both
        ):
            self.bring(cell.value, want, place)
            return
        found = self._old(cell)
        if found is None:
            self._conflict(place, "changed by the migration, too")
        else:
            self.document.replace(*found, tree.plain(want))

    def _remove(self, cell: Cell, place: tuple[str | int, ...]) -> None:
        found = self._old(cell)
        if found is None:
            self._conflict(place, "removed, and the migration made it")
        else:
            self.document.remove(*found)

    def _sequence(
        self, have: tree.Sequence, want: tree.Sequence, place: tuple[str | int, ...]
    ) -> None:
        """Items are told by their values, not by their numbers."""
        a, b = ([_key(v) for v in items] for items in (have, want))
        cells = list(cells_of(have))
        old = self._container(have)
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(
            None, a, b, autojunk=False
        ).get_opcodes():
            if tag == "equal":
                continue
            same = min(i2 - i1, j2 - j1) if tag == "replace" else 0
            for offset in range(same):
                self._entry(cells[i1 + offset], want[j1 + offset], (*place, j1 + offset))
            for number in range(i1 + same, i2):
                self._remove(cells[number], (*place, number))
            at = self._position(cells[i1 + same - 1]) if i1 + same > 0 else -1
            for number in range(j1 + same, j2):
                if old is None or not isinstance(old, tree.Sequence) or at is None:
                    self._conflict((*place, number), f"a {kind_of(want[number])} was added")
                    continue
                at += 1
                self.document.add(old, None, tree.plain(want[number]), at)

    def _position(self, cell: Cell) -> int | None:
        found = self._old(cell)
        return found[0].position(found[1]) if found is not None else None

    def _old(self, cell: Cell) -> tuple[Container, Cell] | None:
        """The entry of the old document that a value of the migrated tree came from."""
        node = cell.node
        if node is None or node.alias is not None or node.start == node.end:
            return None
        found = self.cells.get((node.start, node.end))
        return found if found is not None and self._is_there(*found) else None

    @staticmethod
    def _is_there(container: Container, cell: Cell) -> bool:
        return container.has(cell)

    def _container(self, container: Container) -> Container | None:
        origin = container.origin
        return self.containers.get((origin.start, origin.end)) if origin is not None else None


def _key(value: Any) -> str:
    return json.dumps(tree.plain(value), sort_keys=True, default=str)
