"""The finished text is read back, twice.

It is read once by our own scanner, which knows the text of every scalar, and once by an independent
reader, which has a veto.
"""

from __future__ import annotations

import json
from typing import Any

from confmig.documents.json.parse import parse
from confmig.documents.model.compare import compare, same_as, verify_failed
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.tree import Entry, SourceNode
from confmig.documents.text.census import Span, census
from confmig.documents.text.pieces import Segment
from confmig.documents.text.slots import Slots
from confmig.errors import Refused


def verify(document: Document, slots: Slots, text: str, segments: list[Segment]) -> list[Span]:
    """Check a rendered text against its tree.

    Returns the source spans of the comments that went with deleted values. Raises ``Refused``
    (``verify_failed`` or ``comment_lost``).
    """
    data = text.encode("utf-8")
    caps = Caps(size=len(data), depth=document.caps.depth, nodes=1 << 40, entries=1 << 40)
    try:
        again = parse(data, grammar=document.format, caps=caps)
    except Refused as error:
        if error.code in ("too_deep", "number_too_long"):
            raise
        raise verify_failed(f"line {error.line} of the result: {error.reason}", ()) from None
    compare(document, again)
    if not same_as(document.root, _independent(text, document.format)):
        raise verify_failed("another JSON reader sees another value", ())
    after = [text[a:b] for a, b in again.comments]
    return census(document, _Regions(slots), document.comments, after, segments)


def _independent(text: str, grammar: str) -> Any:
    import pyjson5

    try:
        return json.loads(text) if grammar == "json" else pyjson5.decode(text, maxdepth=1000)
    except (ValueError, RecursionError, pyjson5.Json5Exception) as error:
        raise verify_failed(
            f"another JSON reader cannot read it ({type(error).__name__})", ()
        ) from None


class _Regions:
    def __init__(self, slots: Slots) -> None:
        self.slots = slots

    def entry_spans(self, entry: Entry, home: SourceNode) -> list[Span]:
        """See ``census.Regions``."""
        slot = self.slots.slot(entry)
        return [(slot.lead, slot.tail)]

    def value_spans(self, entry: Entry, home: SourceNode) -> list[Span]:
        """See ``census.Regions``."""
        node = entry.source
        assert node is not None
        return [(node.start, node.end)]
