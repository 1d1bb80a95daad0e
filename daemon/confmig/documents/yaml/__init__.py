"""YAML: block and flow style, one document a file."""

from __future__ import annotations

from confmig.documents.document import Caps, Document
from confmig.documents.formats import Rendered
from confmig.documents.rope import segments_of, text_of
from confmig.documents.yaml import scalars
from confmig.documents.yaml.layout import Layout
from confmig.documents.yaml.parse import parse as _parse
from confmig.documents.yaml.render import render as _render
from confmig.documents.yaml.verify import readable, verify

DIALECTS = scalars.DIALECTS


def parse(data: bytes, *, dialect: str, caps: Caps) -> Document:
    """See ``formats.Format``. The independent parser has a veto on what libyaml accepts."""
    document = _parse(data, dialect=dialect, caps=caps)
    readable(document)
    return document


def render(document: Document) -> Rendered:
    """See ``formats.Format``."""
    layout = Layout(document.text, document.opaque)
    rope = _render(document, layout)
    text = text_of(document.text, rope)
    segments = segments_of(rope)
    data = (("\ufeff" if document.bom else "") + text).encode("utf-8")
    lost = verify(document, layout, data, segments)
    return Rendered(data, tuple(segments), tuple(lost))
