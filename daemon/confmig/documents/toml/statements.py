"""What a TOML text consists of: statements, and the blocks they are in.

A statement is a header (``[a.b]``, ``[[a.b]]``) or a pair (``a.b = 1``). A block is a header with
everything up to the next one; the text before the first header is a block without a header. One
entry of the tree may be named by many statements: ``[a]``, ``[a.b]`` and ``a.c = 1`` all name a.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from confmig.documents.model.tree import Entry, Mapping


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a key: the entry it names and where it stands; ``style`` is its quote."""

    entry: Entry
    start: int
    end: int
    style: str | None


@dataclass(slots=True)
class Statement:
    """A header or a pair, and where it is.

    ``lead`` is the start of its own comment lines, ``start`` of its line, ``end`` of the line
    after it, ``tail`` the end of its trailing comment. A pair has the value's entry in its last
    part; a header has the table it opens, and ``array`` is true for ``[[...]]``.
    """

    parts: list[Part]
    lead: int
    start: int
    end: int
    tail: int
    table: Mapping
    header: bool = False
    array: bool = False


@dataclass(slots=True)
class Block:
    """A section: its header (None for the first block), its pairs, its span."""

    header: Statement | None
    table: Mapping
    start: int
    end: int = 0
    pairs: list[Statement] = field(default_factory=list)


@dataclass(slots=True)
class SourceMap:
    """The blocks of a text in order.

    Of inline tables: the places that name a table made by dotted keys, and where each item
    (``a.b = 1``) begins, by the identity of the entry.
    """

    blocks: list[Block]
    inline: dict[int, list[Part]] = field(default_factory=dict)
    items: dict[int, int] = field(default_factory=dict)


FIXED = "dotted"
"""The tag of an inline table whose entries cannot come or go: dotted keys wrote it."""
