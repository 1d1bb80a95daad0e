"""The formats confmig edits: a format is a module, or an object in one, with these two functions.

To add one, write ``documents/<name>.py`` with ``parse`` and ``render`` and name it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from confmig.documents.model.dialects import UNKNOWN, Dialect
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.source_path import source_path
from confmig.documents.text.pieces import Overlap, Segment
from confmig.errors import Refused


@dataclass(frozen=True, slots=True)
class Rendered:
    """A verified text: its bytes, and which source characters are where now.

    ``lost_comments`` are the source spans of the comments that were deleted with their values.
    Spans count characters, BOM excluded.
    """

    data: bytes
    segments: tuple[Segment, ...]
    lost_comments: tuple[tuple[int, int], ...]


class Format(Protocol):
    """The port of a format."""

    DIALECTS: tuple[str, ...]

    def parse(self, data: bytes, *, dialect: str, caps: Caps, multi: bool = False) -> Document:
        """Text to tree, or ``Refused`` with code, line and reason; bounded in time and memory.

        ``multi``: the file is a stream of documents, and the tree is the list of them.
        """

    def render(self, document: Document) -> Rendered:
        """The smallest edit of the source that says what the tree says.

        An independent parser has verified the result. Raises ``Refused`` if no such edit is
        possible.
        """

    def comments(self, document: Document) -> list[tuple[int, int]]:
        """The spans of the comments in the document's text, in order."""


class _Lines(Protocol):
    def parse(self, data: bytes, *, dialect: str, caps: Caps, lines: Dialect) -> Document:
        """As ``Format.parse``; ``lines`` is what is known of the file's readers."""


_MODULES = {
    "yaml": "confmig.documents.yaml",
    "json": "confmig.documents.json:JSON",
    "jsonc": "confmig.documents.json:JSONC",
    "json5": "confmig.documents.json:JSON5",
    "toml": "confmig.documents.toml",
    "ini": "confmig.documents.lines:INI",
    "properties": "confmig.documents.lines:PROPERTIES",
    "dotenv": "confmig.documents.lines:DOTENV",
}
FORMATS = tuple(_MODULES)
TEXT_ONLY = ("ini", "properties", "dotenv")
"""Formats whose values are all text: a version stamp is its digits."""


def get(name: str) -> Format:
    """The format of that name. Raises ``Refused`` (``format_unknown``)."""
    if name not in _MODULES:
        raise Refused(
            "format_unknown", f"the format `{name}` is not known", fix=f"use one of {list(FORMATS)}"
        )
    module, _, attribute = _MODULES[name].partition(":")
    found = import_module(module)
    return cast("Format", getattr(found, attribute) if attribute else found)


def parse(
    data: bytes,
    *,
    format: str,
    dialect: str = "yaml-1.2",
    caps: Caps | None = None,
    multi: bool = False,
    lines: Dialect = UNKNOWN,
) -> Document:
    """Parse a file of a named format; see ``Format.parse``.

    ``lines``: what is known of the readers of a file of lines.
    """
    found, caps = get(format), caps or Caps()
    if format in TEXT_ONLY:
        return cast("_Lines", found).parse(data, dialect=dialect, caps=caps, lines=lines)
    return found.parse(data, dialect=dialect, caps=caps, multi=multi)


def render(document: Document) -> Rendered:
    """Render a document in its own format; an unchanged one is its source to the byte.

    Raises ``Refused`` where the change cannot be expressed in this text."""
    try:
        return get(document.format).render(document)
    except Overlap as error:
        line = document.text.count("\n", 0, error.at) + 1
        raise Refused(
            error.code,
            error.message,
            place=source_path(document, error.at),
            line=line,
            fix="make the changes in several migrations, or this one by hand",
        ) from None
