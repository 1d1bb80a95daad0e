"""The finished text is read back.

By our own scanner, which knows the text of every scalar, and by ``tomllib``, which has a veto on
everything the scanner reads.
"""

from __future__ import annotations

from confmig.documents.model.compare import compare, verify_failed
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.tree import Entry, SourceNode
from confmig.documents.text.census import Span, census
from confmig.documents.text.pieces import Segment
from confmig.documents.text.slots import Slots
from confmig.documents.toml.parse import parse
from confmig.documents.toml.statements import FIXED, Block, SourceMap
from confmig.errors import Refused


def verify(document: Document, slots: Slots, text: str, segments: list[Segment]) -> list[Span]:
    """Check a rendered text against its tree.

    Returns the source spans of the comments that went with deleted values. Raises ``Refused``
    (``verify_failed`` or ``comment_lost``).
    """
    data = text.encode("utf-8")
    caps = Caps(size=len(data), depth=document.caps.depth, nodes=1 << 40, entries=1 << 40)
    try:
        again = parse(data, caps=caps)
    except Refused as error:
        if error.code == "too_deep":
            raise
        raise verify_failed(f"line {error.line} of the result: {error.reason}", ()) from None
    compare(document, again, ordered=False)
    after = [text[a:b] for a, b in again.comments]
    return census(document, _Regions(document, slots), document.comments, after, segments)


class _Regions:
    """See ``census.Regions``. A table's text is its blocks and the pairs that name it."""

    def __init__(self, document: Document, slots: Slots) -> None:
        self.slots = slots
        self.named: dict[int, list[Span]] = {}
        self.heads: dict[int, int] = {}  # from the start of a block to the end of its header
        map_: SourceMap = document.source_map
        for block in map_.blocks:
            self._note(block)

    def _note(self, block: Block) -> None:
        if block.header is not None:
            self.heads[block.start] = block.header.end
            # an array's own entry is named by each of its headers, its item by one
            for entry in {id(p.entry): p.entry for p in block.header.parts}.values():
                self.named.setdefault(id(entry), []).append((block.start, block.end))
            source_node = block.table.source_node
            if block.header.array and source_node is not None and source_node.entry is not None:
                self.named.setdefault(id(source_node.entry), []).append((block.start, block.end))
        for pair in block.pairs:
            for part in pair.parts:
                self.named.setdefault(id(part.entry), []).append((pair.lead, pair.end))

    def entry_spans(self, entry: Entry, home: SourceNode) -> list[Span]:
        """See ``census.Regions``."""
        if not home.flow:
            return self.named.get(id(entry), [])
        node = entry.source
        assert node is not None
        if home.tag == FIXED:
            return [(node.outer, node.end)]
        slot = self.slots.slot(entry)
        return [(slot.lead, slot.tail)]

    def value_spans(self, entry: Entry, home: SourceNode) -> list[Span]:
        """See ``census.Regions``."""
        node = entry.source
        assert node is not None
        if node.flow or not node.entries:
            return [(node.start, node.end)]
        return [(self.heads.get(a, a), b) for a, b in self.entry_spans(entry, home)]
