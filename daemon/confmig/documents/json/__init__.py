"""JSON, JSONC (comments and trailing commas) and JSON5: one tree, three grammars."""

from __future__ import annotations

from confmig.documents.formats import Rendered
from confmig.documents.json.parse import COMMENT
from confmig.documents.json.parse import parse as _parse
from confmig.documents.json.render import render as _render
from confmig.documents.json.verify import verify
from confmig.documents.model.document import Caps, Document
from confmig.documents.text.pieces import segments_of, text_of
from confmig.documents.text.slots import Slots, trivia

_TRIVIA = trivia(COMMENT)


class Grammar:
    """One of the three formats; see ``formats.Format``."""

    DIALECTS: tuple[str, ...] = ()

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, data: bytes, *, dialect: str, caps: Caps, multi: bool = False) -> Document:
        """See ``formats.Format``."""
        return _parse(data, grammar=self.name, caps=caps)

    def comments(self, document: Document) -> list[tuple[int, int]]:
        """See ``formats.Format``."""
        return document.comments

    def render(self, document: Document) -> Rendered:
        """See ``formats.Format``."""
        slots = Slots(document.text, _TRIVIA)
        pieces = _render(document, slots)
        text = text_of(document.text, pieces)
        segments = segments_of(pieces)
        data = (("\ufeff" if document.bom else "") + text).encode("utf-8")
        if text == document.text and not document.changes:
            return Rendered(data, tuple(segments), ())
        return Rendered(data, tuple(segments), tuple(verify(document, slots, text, segments)))


JSON, JSONC, JSON5 = Grammar("json"), Grammar("jsonc"), Grammar("json5")
