"""The line of each entry of a document, for messages."""

from __future__ import annotations

from bisect import bisect_right

from confmig.documents.model.document import Document
from confmig.documents.model.path import show
from confmig.documents.model.tree import Mapping, Sequence, entries_of


def line_of_entry(document: Document, place: str) -> int:
    """The line of the entry whose path is shown as ``place``; 0 if the text has no such entry."""
    return next((n for path, n in line_numbers(document).items() if show(path) == place), 0)


def line_numbers(document: Document) -> dict[tuple[str | int, ...], int]:
    """Path -> line, counted from 1. The path of a key is its names and positions from the root."""
    text = document.text
    breaks = [at for at, character in enumerate(text) if character == "\n"]
    out: dict[tuple[str | int, ...], int] = {}
    stack: list[tuple[tuple[str | int, ...], object]] = [((), document.root)]
    while stack:
        path, value = stack.pop()
        if not isinstance(value, Mapping | Sequence):
            continue
        for number, entry in enumerate(entries_of(value)):
            part = entry.name if isinstance(value, Mapping) and entry.name is not None else number
            source_node = entry.key or entry.node
            if source_node is not None:
                out[(*path, part)] = bisect_right(breaks, source_node.start - 1) + 1
            if entry.node is None or entry.node.alias is None:
                stack.append(((*path, part), entry.value))
    return out
