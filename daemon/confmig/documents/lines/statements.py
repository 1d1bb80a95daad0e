"""What a file of lines consists of: sections, and the pairs in them.

A pair is a key with its value, on one line or several. A section is a header with everything up
to the comments of the next one; the text before the first header is a section without a header,
and the only one of .properties and .env.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from confmig.documents.model.tree import Entry, Mapping


@dataclass(slots=True)
class Pair:
    """A pair of a section.

    ``lead`` is the start of its own comment lines, ``start`` of its line, ``end`` of the line
    after it; ``value`` is what it was read as; ``part`` the number of the document in the file.
    """

    entry: Entry
    lead: int
    start: int
    end: int
    value: str | None
    part: int = 0


@dataclass(slots=True)
class Section:
    """A section: its header and its pairs.

    ``lead`` and ``start`` as for a pair, ``body`` the line behind the header, ``end`` the
    ``lead`` of the next section. The first section has no entry: its pairs are the root's. One
    that is ``kept`` occurs twice: it stays as it is, and the tree does not have it. ``again``:
    the pairs whose key occurs twice, which the tree does not have either.
    """

    entry: Entry | None
    table: Mapping
    lead: int
    start: int
    body: int
    end: int = 0
    pairs: list[Pair] = field(default_factory=list)
    kept: bool = False
    again: list[Pair] = field(default_factory=list)


@dataclass(slots=True)
class SourceMap:
    """The sections of a text in order.

    ``roof`` is where the first pair of a root that has none goes; ``grammar`` is the one they
    were read with; ``dangling``: the last line ends with a backslash that joins nothing to it.
    ``separators``: the lines that separate the documents of a file.
    """

    sections: list[Section]
    roof: int
    grammar: Any
    dangling: bool = False
    separators: list[int] = field(default_factory=list)
