"""TOML 1.0: tables in sections, dotted keys, arrays of tables, inline tables and arrays."""

from __future__ import annotations

from confmig.documents.formats import Rendered
from confmig.documents.model.document import Caps, Document
from confmig.documents.text.pieces import Pieces, segments_of, text_of
from confmig.documents.text.slots import Slots, trivia
from confmig.documents.toml.parse import parse as _parse
from confmig.documents.toml.render import render as _render
from confmig.documents.toml.verify import verify

DIALECTS: tuple[str, ...] = ()
_TRIVIA = trivia(r"#[^\r\n]*")


def parse(data: bytes, *, dialect: str, caps: Caps, multi: bool = False) -> Document:
    """See ``formats.Format``."""
    return _parse(data, caps=caps)


def comments(document: Document) -> list[tuple[int, int]]:
    """See ``formats.Format``."""
    return document.comments


def render(document: Document) -> Rendered:
    """See ``formats.Format``."""
    slots = Slots(document.text, _TRIVIA)
    pieces: Pieces = _render(document, slots) if document.changes else [(0, len(document.text))]
    text = text_of(document.text, pieces)
    segments = segments_of(pieces)
    data = (("\ufeff" if document.bom else "") + text).encode("utf-8")
    if text == document.text and not document.changes:
        return Rendered(data, tuple(segments), ())
    return Rendered(data, tuple(segments), tuple(verify(document, slots, text, segments)))
