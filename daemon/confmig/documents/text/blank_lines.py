"""Blank lines around what is cut.

None is left at the start or the end of a file, and where two runs of them would meet, the longer
one stays.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from confmig.documents.text.pieces import Edit, Piece, Pieces, text_of

Span = tuple[int, int]


def tidied(
    text: str, edits: Iterable[Edit], open_texts: Callable[[], Sequence[Span]] = tuple
) -> list[Edit]:
    """The edits of a text, with the blank lines cut that would be left over.

    Only whole lines that are cut leave any. ``open_texts`` gives the spans of texts to which every
    blank line behind them belongs; it is asked only where lines are cut.
    """
    ordered = sorted(edits, key=lambda e: (e.start, e.end))
    out: list[Edit] = []
    number = 0
    while number < len(ordered):
        first = ordered[number]
        if not _is_cut(text, first):
            out.append(first)
            number += 1
            continue
        group = [first]
        while number + len(group) < len(ordered):
            following = ordered[number + len(group)]
            between = text[group[-1].end : following.start]
            if not _is_cut(text, following) or between.strip(_SPACE):
                break
            group.append(following)
        number += len(group)
        before = ordered[number - len(group) - 1] if number > len(group) else None
        after = ordered[number] if number < len(ordered) else None
        out += _around(text, group, before, after, open_texts())
    return out


def lines_that_go(text: str, start: int, end: int, *, leads: bool, ends: bool) -> list[Edit]:
    """The cuts of whole lines of a collection, and of blank lines that would be left over.

    In front of the first entry and behind the last one remain as many as before, elsewhere the
    longer run. ``leads``, ``ends``: whether the lines are its first, its last entries.
    """
    low, high = _above(text, start, 0), _below(text, end, len(text))
    above, below = text.count("\n", low, start), text.count("\n", end, high)
    keep_above = leads or (not ends and above > below)
    return [Edit(start, high, [])] if keep_above else [Edit(low, end, [])]


def without_blank_ends(text: str, pieces: Pieces) -> Pieces:
    """Pieces without blank lines at their start or end, unless the text has such there, too."""
    out = list(pieces)
    while out and not _blank_start(text):
        first = text_of(text, out[:1])
        cut = _blank_start(first)
        out = _shorter(out, 0, cut)
        if cut < len(first):
            break
    while out and not _blank_end(text):
        last = text_of(text, out[-1:])
        if last.strip(_SPACE) or len(out) == 1 or not text_of(text, out[-2:-1]).endswith("\n"):
            return _shorter(out, -1, _blank_end(last))
        out.pop()
    return out


_SPACE = " \t\r\n"


def _blank_start(text: str) -> int:
    """How long the blank lines are with which a text begins."""
    space = len(text) - len(text.lstrip(_SPACE))
    return text.rfind("\n", 0, space) + 1


def _blank_end(text: str) -> int:
    """How long the blank lines are with which a text ends."""
    end = text.find("\n", len(text.rstrip(_SPACE))) + 1
    return len(text) - end if end and end < len(text) else 0


def _shorter(pieces: Pieces, at: int, size: int) -> Pieces:
    """Pieces with their first (0) or last (-1) piece shortened from outside."""
    piece = pieces[at]
    rest: Piece
    if isinstance(piece, str):
        rest = piece[size:] if at == 0 else piece[: len(piece) - size]
        empty = not rest
    else:
        rest = (piece[0] + size, piece[1]) if at == 0 else (piece[0], piece[1] - size)
        empty = rest[0] >= rest[1]
    if empty:
        return pieces[1:] if at == 0 else pieces[:-1]
    return [rest, *pieces[1:]] if at == 0 else [*pieces[:-1], rest]


def _is_cut(text: str, edit: Edit) -> bool:
    """Whether an edit takes whole lines out."""
    if edit.pieces or edit.start == edit.end:
        return False
    begins = edit.start == 0 or text[edit.start - 1] == "\n"
    return begins and (edit.end == len(text) or text[edit.end - 1] == "\n")


def _around(
    text: str,
    group: list[Edit],
    before: Edit | None,
    after: Edit | None,
    open_texts: Sequence[Span],
) -> list[Edit]:
    """The cuts of a group, which has nothing but blank lines between them."""
    floor = before.end if before is not None else 0
    low = _above(text, group[0].start, floor)
    behind = _behind(text, group[0].start, open_texts)
    if behind:
        low = group[0].start  # these blank lines are content, and no others must follow them
    high = _below(text, group[-1].end, after.start if after is not None else len(text))
    at_start = low == 0 and before is None
    at_end = high == len(text) and after is None
    if at_start and at_end:
        return group
    runs = [(low, group[0].start), *((a.end, b.start) for a, b in pairwise(group))]
    runs.append((group[-1].end, high))
    stays = max(runs, key=lambda run: text.count("\n", *run))
    if at_start or at_end or behind or not text.count("\n", *stays):
        return [Edit(low, high, [])]
    return [Edit(a, b, []) for a, b in ((low, stays[0]), (stays[1], high)) if a < b]


def _above(text: str, at: int, floor: int) -> int:
    """Where the blank lines above a line begin."""
    while at > floor:
        line = text.rfind("\n", 0, at - 1) + 1
        if line < floor or text[line:at].strip(_SPACE):
            break
        at = line
    return at


def _below(text: str, at: int, roof: int) -> int:
    """Where the blank lines below a place end."""
    while at < roof:
        end = text.find("\n", at) + 1 or len(text)
        if end > roof or text[at:end].strip(_SPACE):
            break
        at = end
    return at


def _behind(text: str, at: int, spans: Sequence[Span]) -> bool:
    """Whether a line follows one of the spans directly."""
    number = bisect_right(spans, at, key=lambda span: span[0]) - 1
    return number >= 0 and not text[spans[number][1] : at].strip("\r\n")
