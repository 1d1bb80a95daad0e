"""Where in a document a place of its source text is, for messages."""

from __future__ import annotations

from confmig.documents.model.document import Document
from confmig.documents.model.lookup import Hit
from confmig.documents.model.path import show
from confmig.documents.model.tree import Entry, Mapping, Sequence, SourceNode, walk_entries


def source_path(document: Document, at: int) -> str:
    """The path, with the keys of the source, of the last entry that begins at or before ``at``.

    Empty where none does.
    """
    root = document.root_entry.source
    best: tuple[int, tuple[str | int, ...]] = (-1, ())
    stack: list[tuple[SourceNode, tuple[str | int, ...]]] = [(root, ())] if root is not None else []
    while stack:
        source_node, path = stack.pop()
        for number, entry in enumerate(source_node.entries):
            place = (*path, number if entry.parsed is None else entry.parsed)
            node = entry.source
            start = entry.key.start if entry.key is not None else node.outer if node else -1
            if best[0] < start <= at:
                best = (start, place)
            if node is not None and node.entries:
                stack.append((node, place))
    return document.address + show(best[1])


def path_of(document: Document, entry: Entry) -> str:
    """The path of an entry of the tree as it is now; empty if it is not in the tree."""
    if not isinstance(document.root, Mapping | Sequence):
        return ""
    for container, other in walk_entries(document.root):
        if other is entry:
            return Hit(container, entry).shown
    return ""
