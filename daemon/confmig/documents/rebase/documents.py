"""Later edits put into the old text: what a rollback does with a file that was edited since.

Three texts are known: the old one, the new one that a migration made of it, and today's, which
another process made of the new one. The result is the old text with their edits in it:

1. *By lines.* An edit of text that the migration had copied is made at the place the copy came
   from; lines that are beside copied lines go beside those, with their indentation.
2. *By values.* What is left is compared as values. A value that is in the old document, too,
   is changed there, and the old document is rendered: the smallest edit.

Neither is believed. The result is taken only if migrating it again (``Forward``) gives today's
values and today's comments; else it is a conflict, told by place and line, and nothing is written.
An edit of something that the migration itself wrote has no place in the old text: a conflict.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from confmig.documents import formats
from confmig.documents.model.document import Document
from confmig.documents.model.values import plain, same_value
from confmig.documents.rebase.lines import Lines, by_lines, hunks_of, is_comment
from confmig.documents.rebase.values import Forward, Parse, by_values
from confmig.documents.text.pieces import Segment
from confmig.errors import ConfmigError, Refused


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
    first_document, new_document, wanted = parse(old), parse(new), parse(current)
    before, after, today = first_document.text, new_document.text, wanted.text
    remarks = _wanted_remarks(first_document, new_document, wanted)
    check = _Check(after, today, wanted, remarks, parse, forward)
    unplaced: list[str] = []
    bases: list[bytes] = []
    for first in (False, True):
        placed, unplaced = by_lines(before, after, today, segments, prefer_previous=first)
        base = _bytes(placed, first_document)
        if check.passes(base, literal=not unplaced, made=0):
            return base
        if unplaced:  # else all were placed, and wrongly
            bases.append(base)
    # what only says something to people is placed by lines, all else by values
    placed, _ = by_lines(before, after, today, segments, prefer_previous=False, only=is_comment)
    found: list[str] = []
    for base in dict.fromkeys((*bases, _bytes(placed, first_document), old)):
        result, made, found = by_values(base, wanted, parse, forward)
        if result is not None and check.passes(result, literal=False, made=made):
            return result
    raise Conflict([*found, *unplaced] or ["comments that were edited, or lines that were removed"])


@dataclass(frozen=True, slots=True)
class _Check:
    """What a result must be.

    Readable, with the right comments, and with today's values once it is migrated again; and no
    edit may be lost on the way.
    """

    new: str
    today: str
    wanted: Document
    remarks: Counter[str]
    parse: Parse
    forward: Forward

    def passes(self, candidate: bytes, *, literal: bool, made: int) -> bool:
        """Whether a candidate is a result.

        ``literal``: every edit of a line was made as it stands; else ``made`` edits were
        made by value, and may look otherwise.
        """
        try:
            if _remarks(self.parse(candidate)) != self.remarks:
                return False
            result = self.forward(candidate).result
        except ConfmigError:
            return False
        if not same_value(plain(result.root), plain(self.wanted.root)):
            return False
        return literal or self._only_looks(result.text, made)

    def _only_looks(self, text: str, made: int) -> bool:
        """Whether ``text`` and today's differ only in looks, in at most ``made`` places."""
        have, want = self._without_new_lines(text)
        hunks = hunks_of(have, want)
        return len(hunks) <= made and all(
            _same_words(
                [line.text for line in have.lines[a:b]], [line.text for line in want.lines[c:d]]
            )
            for a, b, c, d in hunks
        )

    def _without_new_lines(self, text: str) -> tuple[Lines, Lines]:
        """The text, migrated again, and today's, without the lines that were added to both since.

        The place of a new entry among its neighbours may differ: today it follows what a
        migration added last, but comes before that when the text is migrated again.
        """
        lines = [[line.text for line in Lines(t).lines] for t in (self.new, text, self.today)]
        new, have, want = (Counter(some) for some in lines)
        both = (want - new) & have
        out = []
        for some in lines[1:]:
            left = Counter({line: n for line, n in both.items() if not is_comment([line])})
            kept = []
            for line in some:
                if left[line]:
                    left[line] -= 1
                else:
                    kept.append(line)
            out.append(Lines("\n".join(kept)))
        return out[0], out[1]


def _same_words(a: list[str], b: list[str]) -> bool:
    words = [[_WORD.findall(line) for line in lines] for lines in (a, b)]
    if len(a) == len(b):
        return words[0] == words[1]
    flat = [[word for line in lines for word in line] for lines in words]
    return flat[0] == flat[1]


_WORD = re.compile(r"\w+")


def _wanted_remarks(old: Document, new: Document, current: Document) -> Counter[str]:
    """The comments of the result.

    The old ones, with those that were added since and without those that were removed since.
    """
    before, after = _remarks(new), _remarks(current)
    return (_remarks(old) + (after - before)) - (before - after)


def _remarks(document: Document) -> Counter[str]:
    spans = formats.get(document.format).comments(document)
    return Counter(" ".join(document.text[a:b].split()) for a, b in spans)


def _bytes(text: str, like: Document) -> bytes:
    return (("\ufeff" if like.bom else "") + text).encode(like.encoding)
