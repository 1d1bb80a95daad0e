"""Text made of copies of the source and of new pieces, and edits of the source that yield it.

The renderer never builds strings from strings: a piece is either new text or a span of the
source. So the finished text knows, for every character of the source that survived, where it is
now: the *segments*, which verification and rollback need.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confmig.errors import Refused

Piece = str | tuple[int, int]
Pieces = list[Piece]


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the source span [start, end) by pieces."""

    start: int
    end: int
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Segment:
    """``length`` characters of the source at ``old`` are at ``new`` in the result."""

    old: int
    new: int
    length: int


class Overlap(Refused):
    """Two edits touch the same text of the source, at ``at``."""

    def __init__(self, at: int) -> None:
        super().__init__("edits_overlap", "two changes of this document touch the same text")
        self.at = at


def compose(start: int, end: int, edits: Iterable[Edit]) -> Pieces:
    """The source span [start, end) with the edits made. Edits at one place keep their order.

    Raises ``Overlap``."""
    pieces: Pieces = []
    at = start
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < at or edit.end > end:
            raise Overlap(edit.start)
        if edit.start > at:
            pieces.append((at, edit.start))
        pieces.extend(edit.pieces)
        at = edit.end
    if at < end:
        pieces.append((at, end))
    return pieces


def text_of(source: str, pieces: Pieces) -> str:
    """The text of pieces."""
    return "".join(p if isinstance(p, str) else source[p[0] : p[1]] for p in pieces)


def without_last_newline(source: str, pieces: Pieces) -> Pieces:
    """The pieces without a newline at their end, as in a source that has none there."""
    tail = text_of(source, pieces[-1:])
    if not tail.endswith("\n"):
        return pieces
    cut = 2 if tail.endswith("\r\n") else 1
    last = pieces[-1]
    short: Piece = last[:-cut] if isinstance(last, str) else (last[0], last[1] - cut)
    return [*pieces[:-1], short]


def segments_of(pieces: Pieces) -> list[Segment]:
    """The copied spans in the order of the result; neighbours are joined."""
    out: list[Segment] = []
    at = 0
    for piece in pieces:
        if isinstance(piece, str):
            at += len(piece)
            continue
        length = piece[1] - piece[0]
        if out and out[-1].old + out[-1].length == piece[0] and out[-1].new + out[-1].length == at:
            out[-1] = Segment(out[-1].old, out[-1].new, out[-1].length + length)
        elif length:
            out.append(Segment(piece[0], at, length))
        at += length
    return out


def split_lines(source: str, pieces: Pieces) -> list[Pieces]:
    """The lines of pieces without their terminators; a final terminator ends the last line."""
    lines: list[Pieces] = [[]]
    for piece in pieces:
        if isinstance(piece, str):
            parts = piece.split("\n")
            for number, part in enumerate(parts):
                if number:
                    lines.append([])
                if number < len(parts) - 1:
                    part = part.removesuffix("\r")
                if part:
                    lines[-1].append(part)
            continue
        at, end = piece
        while True:
            cut = source.find("\n", at, end)
            if cut < 0:
                if at < end:
                    lines[-1].append((at, end))
                break
            stop = cut - 1 if cut > at and source[cut - 1] == "\r" else cut
            if at < stop:
                lines[-1].append((at, stop))
            lines.append([])
            at = cut + 1
    if not lines[-1]:
        lines.pop()
    return [_without_return(source, line) for line in lines]


def _without_return(source: str, line: Pieces) -> Pieces:
    """A line without the carriage return that a newline in another piece left behind."""
    if not line:
        return line
    last = line[-1]
    if (last[-1:] if isinstance(last, str) else source[last[1] - 1]) != "\r":
        return line
    return [*line[:-1], last[:-1] if isinstance(last, str) else (last[0], last[1] - 1)]


def join_lines(lines: list[Pieces], newline: str) -> Pieces:
    """Lines put together again, without a final terminator."""
    out: Pieces = []
    for number, line in enumerate(lines):
        if number:
            out.append(newline)
        out.extend(line)
    return out


def strip_start(source: str, pieces: Pieces) -> Pieces:
    """The pieces without their leading spaces."""
    out = list(pieces)
    while out:
        text = text_of(source, out[:1])
        bare = text.lstrip(" ")
        if bare:
            first = out[0]
            cut = len(text) - len(bare)
            out[0] = first[cut:] if isinstance(first, str) else (first[0] + cut, first[1])
            return out
        out.pop(0)
    return out


def indent(
    source: str, lines: list[Pieces], by: int, *, first_has_none: bool = False
) -> list[Pieces]:
    """Shift lines to the right or left. Blank lines stay as they are.

    ``first_has_none``: the first line began in the middle of a source line, so it carries no
    indentation of its own and is left alone. Raises ``Refused`` (``cannot_unindent``) where a
    line has less indentation than must go.
    """
    out: list[Pieces] = []
    for number, line in enumerate(lines):
        text = text_of(source, line)
        if (number == 0 and first_has_none) or not text.strip() or by == 0:
            out.append(line)
        elif by > 0:
            out.append([" " * by, *line])
        else:
            if text[:-by].strip(" "):
                raise Refused("cannot_unindent", "a line of the moved text has no room to the left")
            out.append(_drop(line, -by))
    return out


def _drop(line: Pieces, count: int) -> Pieces:
    out: Pieces = []
    for piece in line:
        size = len(piece) if isinstance(piece, str) else piece[1] - piece[0]
        if count >= size:
            count -= size
            continue
        if count:
            piece = piece[count:] if isinstance(piece, str) else (piece[0] + count, piece[1])
            count = 0
        out.append(piece)
    return out
