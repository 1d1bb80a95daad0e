"""Tree -> text: the smallest edits of the source that make it say what the tree says.

One pass from the root. A container in its old place yields edits of its source: cuts of entries
that left, splices of keys and values that changed, insertions of entries that came. ``stages`` says
which file does what.
"""

from __future__ import annotations

from confmig.documents.model.document import Document
from confmig.documents.model.tree import entries_of
from confmig.documents.text.blank_lines import tidied
from confmig.documents.text.pieces import Edit, Pieces, compose, text_of, without_last_newline
from confmig.documents.yaml.carry import Carry
from confmig.documents.yaml.ends import Ends
from confmig.documents.yaml.keep import Keep
from confmig.documents.yaml.layout import Layout
from confmig.documents.yaml.replace import Replace
from confmig.documents.yaml.write import Write
from confmig.errors import Refused


class _Writer(Keep, Replace, Carry, Write, Ends):
    """All stages on one document."""


def render(document: Document, layout: Layout) -> Pieces:
    """The pieces of the finished text (BOM excluded).

    Raises ``Refused`` where the change cannot be expressed in this text.
    """
    writer = _Writer(document, layout)
    writer.watch_end()
    text = document.text
    if document.stream:
        roots = entries_of(document.root)
        source = document.root_entry.source
        if source is None or [id(c) for c in roots] != [id(c) for c in source.entries]:
            raise Refused(
                "stream_structure",
                "the documents of a stream cannot be added, removed or put in another order",
                fix="write a migration that changes values inside the documents",
            )
        edits = [e for entry in roots for e in writer.entry_edits(entry)]
    else:
        edits = writer.entry_edits(document.root_entry)
    edits = _joined_at_end(text, tidied(text, edits, writer.open_texts))
    pieces = compose(0, len(text), edits)
    if text and not text.endswith("\n"):
        needed = writer.newlines_at_end()
        if not needed:
            return without_last_newline(text, pieces)
        # without them readers would differ about the text
        end = text_of(text, pieces[-3:])
        missing = needed - (len(end) - len(end.rstrip("\r\n"))) // len(document.newline)
        pieces += [document.newline] * missing
    return pieces


def _joined_at_end(text: str, edits: list[Edit]) -> list[Edit]:
    """The edits, without a line end that is not needed any more at the end of the text.

    Text that is put behind a last line without a line end begins with one; if that last line is
    cut, this line end is dropped.
    """
    size = len(text)
    cut = any(e.end == size and not e.pieces and text[e.start - 1 : e.start] == "\n" for e in edits)
    if not cut or text.endswith("\n"):
        return edits
    return [
        Edit(e.start, e.end, e.pieces[1:])
        if e.start == e.end == size and e.pieces and e.pieces[0] in ("\n", "\r\n")
        else e
        for e in edits
    ]
