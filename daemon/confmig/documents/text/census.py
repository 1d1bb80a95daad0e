"""The comment census: what came in goes out, less what went with deleted entries.

A comment belongs to the innermost entry whose text it is in. If that entry, or the value it
had, is gone from the tree, its comments go with it and are named in the loss ledger. A comment of
anything that survives may never be lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from confmig.documents.model.document import Document
from confmig.documents.model.source_path import path_of, source_path
from confmig.documents.model.tree import Entry, Mapping, Sequence, SourceNode, walk_entries
from confmig.documents.text.pieces import Segment
from confmig.errors import Refused

Span = tuple[int, int]


class Regions(Protocol):
    """Where entries and values are in a source, their own comments included."""

    def entry_spans(self, entry: Entry, home: SourceNode) -> Iterable[Span]:
        """The text of an entry."""

    def value_spans(self, entry: Entry, home: SourceNode) -> Iterable[Span]:
        """The text of a value without what is on the line of its key or dash."""


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
        at, owner = stays
        line = document.text.count("\n", 0, at) + 1
        raise Refused(
            "comment_lost",
            "this comment belongs to an entry that stays, and would be lost",
            line=line,
            place=(path_of(document, owner) if owner else "") or source_path(document, at),
            fix="move the comment above its entry, or make this change by hand",
        )
    if sorted(document.text[a:b] for a, b in kept) != sorted(after):
        raise Refused(
            "comment_lost",
            "the edited text would not have the comments of the source",
            fix="make this change by hand, and report the shape of the file as a bug",
        )
    return lost


def _forbidden(
    document: Document, regions: Regions, lost: list[Span]
) -> tuple[int, Entry | None] | None:
    """Where the first lost comment is that belongs to an entry that stays, and the entry.

    None if there is no such comment.
    """
    spans = _spans(document, regions)
    spans.sort(key=lambda s: (s[0], -s[1]))
    stack: list[tuple[int, int, Entry | None]] = []
    at = 0
    for start, end in lost:
        while at < len(spans) and spans[at][0] <= start:
            stack.append(spans[at])
            at += 1
        stack = [s for s in stack if s[1] >= end]
        if not stack or stack[-1][2] is not None:
            return start, stack[-1][2] if stack else None
    return None


def _spans(document: Document, regions: Regions) -> list[tuple[int, int, Entry | None]]:
    """The spans of every entry and of every dead value.

    None where its comments may go, else the entry that stays.
    """
    entries = [document.root_entry]
    if isinstance(document.root, Mapping | Sequence):
        entries += [entry for _, entry in walk_entries(document.root)]
    alive = {id(c) for c in entries}
    kept = {id(c.node) for c in entries if c.node is not None}
    root = document.root_entry.source
    assert root is not None
    out: list[tuple[int, int, Entry | None]] = []
    if id(root) not in kept:
        out.append((root.start, len(document.text), None))
    stack: list[SourceNode] = [root]
    while stack:
        source_node = stack.pop()
        for entry in source_node.entries:
            node = entry.source
            if node is None:
                continue
            stack.append(node)
            if entry.is_root:
                # the comments above its first entry and below its last one are inside
                ends = node.entries[:1] + node.entries[-1:]
                spans = [s for c in ends for s in regions.entry_spans(c, node)]
                start = min((node.start, *(a for a, _ in spans)))
                stop = max((node.end, *(b for _, b in spans)))
                out.append((start, stop, entry if id(node) in kept else None))
                continue
            dead = id(node) not in kept and id(entry) not in alive
            owner = None if dead else entry
            out += [(*s, owner) for s in regions.entry_spans(entry, source_node)]
            if id(node) not in kept and id(entry) in alive:
                out += [(*s, None) for s in regions.value_spans(entry, source_node)]
    return out
