"""The comment census: what came in goes out, less what went with deleted entries.

A comment belongs to the innermost entry whose text it stands in. If that entry, or the value it
had, is gone from the tree, its comments go with it and are named in the loss ledger. A comment of
anything that survives may never be lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from confmig.documents.document import Document
from confmig.documents.rope import Segment
from confmig.documents.tree import Cell, Mapping, Origin, Sequence, walk_cells
from confmig.errors import Refused

Span = tuple[int, int]


class Regions(Protocol):
    """Where entries and values stand in a source, their own comments included."""

    def entry_spans(self, cell: Cell, home: Origin) -> Iterable[Span]:
        """The text of an entry."""

    def value_spans(self, cell: Cell, home: Origin) -> Iterable[Span]:
        """The text of a value without what stands on the line of its key or dash."""


def census(
    document: Document,
    regions: Regions,
    before: list[Span],
    after: list[str],
    segments: Iterable[Segment],
) -> list[Span]:
    """Compare the comments of the source (spans) with those of the result (texts).

    Returns the spans of the lost ones. Raises ``Refused`` (``comment_lost``).
    """
    copied = sorted((s.old, s.old + s.length) for s in segments)
    kept: list[Span] = []
    lost: list[Span] = []
    at = 0
    for start, end in before:
        while at < len(copied) and copied[at][1] <= start:
            at += 1
        inside = at < len(copied) and copied[at][0] <= start and end <= copied[at][1]
        (kept if inside else lost).append((start, end))
    stays = _forbidden(document, regions, lost) if lost else None
    if stays is not None:
        line = document.text.count("\n", 0, stays[0]) + 1
        raise Refused("comment_lost", f"line {line}: the comment of something that stays would go")
    if sorted(document.text[a:b] for a, b in kept) != sorted(after):
        raise Refused("comment_lost", "the comments do not balance after the edit")
    return lost


def _forbidden(document: Document, regions: Regions, lost: list[Span]) -> Span | None:
    """The first of the lost comments that belongs to something that survives, or None."""
    spans = _spans(document, regions)
    spans.sort(key=lambda s: (s[0], -s[1]))
    stack: list[tuple[int, int, bool]] = []
    at = 0
    for start, end in lost:
        while at < len(spans) and spans[at][0] <= start:
            stack.append(spans[at])
            at += 1
        stack = [s for s in stack if s[1] >= end]
        if not stack or not stack[-1][2]:
            return (start, end)
    return None


def _spans(document: Document, regions: Regions) -> list[tuple[int, int, bool]]:
    """The spans of every entry and of every dead value; True where its comments may go."""
    cells = [document.root_cell]
    if isinstance(document.root, Mapping | Sequence):
        cells += [cell for _, cell in walk_cells(document.root)]
    alive = {id(c) for c in cells}
    kept = {id(c.node) for c in cells if c.node is not None}
    root = document.root_cell.source
    assert root is not None
    out = [] if id(root) in kept else [(root.start, len(document.text), True)]
    stack: list[Origin] = [root]
    while stack:
        origin = stack.pop()
        for cell in origin.cells:
            node = cell.source
            if node is None:
                continue
            stack.append(node)
            if cell.is_root:
                # the comments above its first entry and below its last one are inside
                ends = node.cells[:1] + node.cells[-1:]
                spans = [s for c in ends for s in regions.entry_spans(c, node)]
                start = min((node.start, *(a for a, _ in spans)))
                stop = max((node.end, *(b for _, b in spans)))
                out.append((start, stop, id(node) not in kept))
                continue
            dead = id(node) not in kept and id(cell) not in alive
            out += [(*s, dead) for s in regions.entry_spans(cell, origin)]
            if id(node) not in kept and id(cell) in alive:
                out += [(*s, True) for s in regions.value_spans(cell, origin)]
    return out
