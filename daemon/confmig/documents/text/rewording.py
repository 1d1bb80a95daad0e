"""A text that is written over several lines, with other words in it.

The lines of a source fold to a value: line ends and indentation become one blank, or none. What
differs between two values is put into the source word by word, so that its lines stay. Whether the
result reads as the new value is for the caller to check: only a reader knows how lines fold.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from confmig.documents.model.differences import differences
from confmig.documents.text.pieces import Pieces

GAP = r"\s+"
Span = tuple[int, int]


def reworded(
    text: str,
    span: Span,
    old: str,
    new: str,
    *,
    gap: str = GAP,
    write: Callable[[str], str] = str,
) -> Pieces | None:
    """The source span, whose lines fold to ``old``, with the words of ``new``.

    ``gap`` matches what is between words in the source; ``write`` gives the source text of a
    piece of the value. None if the words of source and value cannot be matched (escapes).
    """
    ends = [(len(v) - len(v.lstrip()), len(v.rstrip())) for v in (old, new)]
    if old[: ends[0][0]] != new[: ends[1][0]] or old[ends[0][1] :] != new[ends[1][1] :]:
        return None
    before, after = (_tokens(v[a:b]) for v, (a, b) in zip((old, new), ends, strict=True))
    places = _places(text, span, before, gap)
    return None if places is None else _with_words(span, places, before, after, write)


def reworded_by_character(
    text: str, characters: list[Span], old: str, new: str, write: Callable[[str], str]
) -> Pieces:
    """A source text with the words of ``new``.

    ``characters`` says where each character of its value ``old`` stands, so that words may hold
    escapes and line ends that stand for nothing.
    """
    before, after = _tokens(old), _tokens(new)
    places: list[Span] = []
    at = 0
    for token in before:
        end = at + len(token)
        places.append((characters[at][0], characters[end - 1][1]))
        at = end
    return _with_words((0, len(text)), places, before, after, write)


def _with_words(
    span: Span,
    places: list[Span],
    before: list[str],
    after: list[str],
    write: Callable[[str], str],
) -> Pieces:
    """A source span with the words ``after`` for those ``before``, which are at ``places``."""
    pieces: Pieces = []
    at = span[0]
    for a, b, c, d in differences(before, after):
        begin = places[a][0] if a < len(places) else places[-1][1] if places else span[1]
        end = places[b - 1][1] if b > a else begin
        pieces += [(at, begin), write("".join(after[c:d]))]
        at = end
    pieces.append((at, span[1]))
    return [p for p in pieces if (p if isinstance(p, str) else p[0] < p[1])]


def _tokens(value: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\s\w]", value)


def _places(text: str, span: Span, tokens: list[str], gap: str) -> list[Span] | None:
    """Where each word of a value, and each gap between two, is in the source."""
    pattern = re.compile(rf"(?P<gap>{gap})|\w+|[^\s\w]")
    words = [m for m in pattern.finditer(text, *span) if m["gap"] is None]
    found: list[Span] = []
    number = 0
    for token in tokens:
        if not token.isspace():
            if number == len(words) or words[number][0] != token:
                return None
            if found and found[-1][1] != words[number].start():
                return None  # a gap that the value does not have
            found.append(words[number].span())
            number += 1
        elif not 0 < number < len(words):
            return None
        else:
            found.append((words[number - 1].end(), words[number].start()))
    return found if number == len(words) and found else None
