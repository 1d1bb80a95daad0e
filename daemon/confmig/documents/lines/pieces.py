"""Lines as pieces: with another margin, behind a blank line, without the final terminator."""

from __future__ import annotations

from confmig.documents.model.differences import differences
from confmig.documents.text.pieces import Piece, Pieces, split_lines, text_of

_FEW = 200


def shifted(text: str, pieces: Pieces, width: int, margin: str, newline: str) -> Pieces:
    """Lines with a margin in place of one of ``width`` characters, terminators included.

    What is deeper than that stays as much deeper.
    """
    out: Pieces = []
    for line in split_lines(text, pieces):
        line_text = text_of(text, line)
        if line_text.strip():
            blanks = len(line_text) - len(line_text.lstrip())
            out += [margin, *_cut(line, min(width, blanks))]
        out.append(newline)
    return out


def append(text: str, out: Pieces, pieces: Pieces, newline: str) -> None:
    """Add lines at the end, behind a blank line unless nothing is before them."""
    end = _tail(text, out)
    if end and end[-1] not in "\r\n":
        out.append(newline)
    if end.strip() and end.splitlines()[-1].strip():
        out.append(newline)
    out.extend(pieces)


def ended(text: str, pieces: Pieces) -> Pieces:
    """A finished text without a final terminator if the source has none."""
    last = _tail(text, pieces)
    if not text or text[-1] in "\r\n" or not last or last[-1] not in "\r\n":
        return pieces
    cut = 2 if last.endswith("\r\n") else 1
    while not text_of(text, pieces[-1:]):
        pieces = pieces[:-1]
    piece = pieces[-1]
    short: Piece = piece[:-cut] if isinstance(piece, str) else (piece[0], piece[1] - cut)
    return [*pieces[:-1], short]


def _cut(line: Pieces, count: int) -> Pieces:
    """A line without its first characters."""
    out: Pieces = []
    for piece in line:
        size = len(piece) if isinstance(piece, str) else piece[1] - piece[0]
        cut = min(count, size)
        count -= cut
        if cut < size:
            out.append(piece[cut:] if isinstance(piece, str) else (piece[0] + cut, piece[1]))
    return out


def _tail(text: str, pieces: Pieces) -> str:
    """The last characters of pieces: more than a blank line is likely to have."""
    end = ""
    for piece in reversed(pieces):
        if isinstance(piece, str):
            end = piece[-_FEW:] + end
        else:
            end = text[max(piece[0], piece[1] - _FEW) : piece[1]] + end
        if len(end) >= _FEW:
            break
    return end


def copied(old: str, start: int, new: str) -> Pieces:
    """A new text as copies of an old one, as far as lines and their ends are the same.

    The old one is at ``start``.
    """
    before, after = old.split("\n"), new.split("\n")
    places, at = [], start
    for line in before:
        places.append(at)
        at += len(line) + 1
    pieces: Pieces = []
    done = 0
    runs = [*differences(before, after), (len(before), len(before), len(after), len(after))]
    for a, b, c, d in runs:
        for number in range(done, a):
            pieces += ["\n", (places[number], places[number] + len(before[number]))]
        for offset in range(d - c):
            line = after[c + offset]
            pieces.append("\n")
            number = a + offset
            same = _same_end(before[number], line) if number < b else 0
            pieces.append(line[: len(line) - same])
            if same:
                end = places[number] + len(before[number])
                pieces.append((end - same, end))
        done = b
    return pieces[1:]


def _same_end(a: str, b: str) -> int:
    size = 0
    while size < min(len(a), len(b)) and a[-1 - size] == b[-1 - size]:
        size += 1
    return size
