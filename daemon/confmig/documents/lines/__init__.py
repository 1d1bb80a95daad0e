"""INI, Java .properties and .env: files of lines, edited line by line.

One builder, one writer and one check serve all three; what a line means, and how a key or value
is written, is the format's own ``Grammar``. Every value is text; a number or a bool that a
migration gives is written as text, and reads back as such.
"""

from __future__ import annotations

from collections.abc import Callable

from confmig.documents.formats import Rendered
from confmig.documents.lines.dotenv import DotenvGrammar
from confmig.documents.lines.grammar import Grammar
from confmig.documents.lines.ini import IniGrammar
from confmig.documents.lines.parse import parse as _parse
from confmig.documents.lines.properties import PropertiesGrammar
from confmig.documents.lines.render import render as _render
from confmig.documents.lines.verify import verify
from confmig.documents.model.dialects import UNKNOWN, Dialect
from confmig.documents.model.document import Caps, Document
from confmig.documents.text.pieces import Pieces, segments_of, text_of


class LineFormat:
    """One of the three formats; see ``formats.Format``."""

    DIALECTS: tuple[str, ...] = ()

    def __init__(self, grammar: Callable[[Dialect], Grammar]) -> None:
        self._grammar = grammar

    def parse(
        self,
        data: bytes,
        *,
        dialect: str,
        caps: Caps,
        multi: bool = False,
        lines: Dialect = UNKNOWN,
    ) -> Document:
        """See ``formats.Format``.

        The independent reader is asked when something is to be written: a file that no one
        changes needs no second opinion.
        """
        return _parse(data, grammar=self._grammar(lines), caps=caps)

    def comments(self, document: Document) -> list[tuple[int, int]]:
        """See ``formats.Format``."""
        return document.comments

    def render(self, document: Document) -> Rendered:
        """See ``formats.Format``."""
        changed = bool(document.changes)
        grammar: Grammar = document.source_map.grammar
        pieces: Pieces = _render(document, grammar) if changed else [(0, len(document.text))]
        text = text_of(document.text, pieces)
        segments = segments_of(pieces)
        lost = verify(document, grammar, text, segments) if changed else []
        data = (("\ufeff" if document.bom else "") + text).encode(document.encoding)
        return Rendered(data, tuple(segments), tuple(lost))


INI = LineFormat(IniGrammar)
PROPERTIES = LineFormat(PropertiesGrammar)
DOTENV = LineFormat(DotenvGrammar)
