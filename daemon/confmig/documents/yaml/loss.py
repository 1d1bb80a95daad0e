"""Which comments may go with a change: those of entries and values that are no more.

A comment belongs to the innermost entry whose text it stands in. If that entry, or the value it
had, is gone from the tree, its comments go with it and are named in the loss ledger. A comment of
anything that survives may never be lost.
"""

from __future__ import annotations

from confmig.documents.document import Document
from confmig.documents.tree import Cell, Mapping, Origin, Sequence, walk_cells
from confmig.documents.yaml.layout import Layout

Span = tuple[int, int]


def forbidden(document: Document, layout: Layout, lost: list[Span]) -> Span | None:
    """The first of the lost comments that belongs to something that survives, or None."""
    spans = _spans(document, layout)
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


def _spans(document: Document, layout: Layout) -> list[tuple[int, int, bool]]:
    """The span of every entry and of every dead value; True where its comments may go."""
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
            if id(node) in kept:
                out.append((*_entry(layout, cell, origin), False))
            elif id(cell) in alive:
                out.append((*_entry(layout, cell, origin), False))
                out.append((*_value(layout, cell, origin), True))
            else:
                out.append((*_entry(layout, cell, origin), True))
            stack.append(node)
    return out


def _entry(layout: Layout, cell: Cell, origin: Origin) -> Span:
    node = cell.source
    assert node is not None
    if origin.flow:
        return (cell.key.outer if cell.key is not None else node.outer), node.end
    region = layout.region(cell)
    return region.first, region.last


def _value(layout: Layout, cell: Cell, origin: Origin) -> Span:
    """The text of a value without what stands on the line of its key or dash."""
    node = cell.source
    assert node is not None
    if node.style in ("|", ">"):
        return node.end, node.end
    if origin.flow or node.flow or not node.cells:
        return node.outer, node.end
    region = layout.region(cell)
    return layout.next_line(max(region.indicator, node.outer)), region.last
