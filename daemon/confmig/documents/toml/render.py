"""Tree -> TOML text: the smallest edits of the source that make it say what the tree says.

The text stays in its blocks. A header whose table is still there gets the table's path; a pair
whose value is still in its table is edited in place; the blocks of a table that moved into, out
of or within an array of tables move as they are. What has no text yet is written. Each stage is a
file of its own; ``draft`` has what they hand on.
"""

from __future__ import annotations

from confmig.documents.model.document import Document
from confmig.documents.model.tree import Mapping
from confmig.documents.text.pieces import Pieces
from confmig.documents.text.slots import Slots
from confmig.documents.toml.assemble import Assemble
from confmig.documents.toml.draft import Draft
from confmig.documents.toml.keep import Keep
from confmig.documents.toml.locate import Locate
from confmig.documents.toml.move import Move
from confmig.documents.toml.pairs import PairWriter
from confmig.documents.toml.write import Write
from confmig.errors import Refused


def render(document: Document, slots: Slots) -> Pieces:
    """The pieces of the finished text (BOM excluded)."""
    root = document.root
    if not isinstance(root, Mapping):
        raise Refused("wrong_type", "a TOML document is a table, nothing else")
    draft = Draft(document)
    pairs = PairWriter(document, slots, draft)
    move = Move(draft)
    Locate(draft).run(root)
    Keep(draft, pairs).run()
    move.run()
    Write(draft, pairs, move).run(root)
    return Assemble(document, draft).run()
