"""What the stages of the YAML writer share, and what one asks of another.

=========  ======================================================================================
stage      what it does
=========  ======================================================================================
layout     locates: where the entries of the source are, and which comments belong to them
keep       the edits of containers and entries that stay where they are
replace    another value in the place of one that was there
carry      moves comments: those of entries that went elsewhere, or whose collection is gone
write      the lines of entries that are new at their place
ends       the end of the file, where a block text may end
render     assembles the whole
=========  ======================================================================================

An entry that stays may hold one that came, and the reverse: so ``keep``, ``replace`` and ``write``
call each other on the way down the tree. A flow collection is edited by ``text.flow``.
"""

from __future__ import annotations

from abc import abstractmethod

from confmig.documents.model.document import Document
from confmig.documents.model.tree import Entry
from confmig.documents.text.pieces import Edit, Pieces
from confmig.documents.text.slots import Span
from confmig.documents.yaml.flow import FlowWriter
from confmig.documents.yaml.layout import Layout
from confmig.documents.yaml.style import Style, measured


class Stages(FlowWriter):
    """The source that all stages read, and the calls between them."""

    def __init__(self, document: Document, layout: Layout) -> None:
        self.document = document
        self.layout = layout
        self.slots = layout.slots
        self.opaque = document.opaque
        self.text = document.text
        self.newline = document.newline
        self._style: Style | None = None
        # the block text that ended the file without a line end, if it does not end the result
        self.open_end: Entry | None = None

    @property
    def style(self) -> Style:
        """What new text looks like, as the document does."""
        if self._style is None:
            self._style = measured(self.document, self.layout)
        return self._style

    # --- replace

    @abstractmethod
    def value_edits(self, entry: Entry) -> list[Edit]:
        """Put another value where the source value is."""

    # --- carry

    @abstractmethod
    def lines_between(self, before: Entry | None, entry: Entry, column: int) -> list[Pieces]:
        """What was between two entries that were neighbours in the source."""

    @abstractmethod
    def lines_behind(self, last: Entry | None, column: int) -> list[Pieces]:
        """The comments below the last entry of a collection that was taken apart."""

    # --- write

    @abstractmethod
    def entry_lines(self, entry: Entry, column: int) -> list[Pieces]:
        """The lines of an entry at a column of a block container."""

    @abstractmethod
    def value_lines(self, entry: Entry, column: int, *, bare: bool = False) -> list[Pieces]:
        """The lines of a non-empty block container at a column."""

    @abstractmethod
    def inline_lines(self, entry: Entry, column: int) -> list[Pieces]:
        """The lines of a value that begins on the line of its key or dash."""

    @abstractmethod
    def deepened(self, entry: Entry, lines: list[Pieces], column: int) -> list[Pieces]:
        """The lines of an entry, with those that must be deeper than the entry moved there."""

    @abstractmethod
    def offset(self, entry: Entry) -> int:
        """How far a block value is indented from its entry."""

    @abstractmethod
    def is_block(self, entry: Entry) -> bool:
        """Whether a value that is new at its place is written over several lines."""

    @abstractmethod
    def is_text_block(self, entry: Entry) -> bool:
        """Whether a value that moved here is a block text."""

    # --- ends

    @abstractmethod
    def open_texts(self) -> list[Span]:
        """The block texts that keep the blank lines behind them (``|+``)."""

    @abstractmethod
    def last_now(self) -> Entry | None:
        """The entry that ends the result."""
