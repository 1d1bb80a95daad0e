"""YAML: block and flow style, one document a file."""

from __future__ import annotations

from confmig.documents.formats import Rendered
from confmig.documents.model.document import Caps, Document
from confmig.documents.text.pieces import segments_of, text_of
from confmig.documents.yaml import scalars
from confmig.documents.yaml.layout import Layout
from confmig.documents.yaml.parse import parse as _parse
from confmig.documents.yaml.render import render as _render
from confmig.documents.yaml.verify import verify

DIALECTS = scalars.DIALECTS


def parse(data: bytes, *, dialect: str, caps: Caps, multi: bool = False) -> Document:
    """See ``formats.Format``.

    What the independent parser thinks of it is asked when something is to be written: what
    libyaml alone can read is read, but never changed.
    """
    return _parse(data, dialect=dialect, caps=caps, multi=multi)


def comments(document: Document) -> list[tuple[int, int]]:
    """See ``formats.Format``."""
    return Layout(document.text, document.opaque).comments()


def render(document: Document) -> Rendered:
    """See ``formats.Format``."""
    layout = Layout(document.text, document.opaque)
    pieces = _render(document, layout)
    text = text_of(document.text, pieces)
    segments = segments_of(pieces)
    data = (("\ufeff" if document.bom else "") + text).encode("utf-8")
    if text == document.text and not document.changes:
        return Rendered(data, tuple(segments), ())
    lost = verify(document, layout, text, segments)
    return Rendered(data, tuple(segments), tuple(lost))
