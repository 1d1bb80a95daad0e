"""Last stage of the TOML writer: the blocks in their order, with what was written between them."""

from __future__ import annotations

from confmig.documents.model.document import Document
from confmig.documents.text.blank_lines import tidied, without_blank_ends
from confmig.documents.text.pieces import Pieces, compose, text_of, without_last_newline
from confmig.documents.toml.draft import Draft
from confmig.documents.toml.statements import Block

BLANK_LINE = ("\n\n", "\n\r\n")


class Assemble:
    """Puts the plans of all blocks together."""

    def __init__(self, document: Document, draft: Draft) -> None:
        self.document = document
        self.draft = draft
        self.text = document.text
        self.newline = document.newline
        self._open = False  # whether what comes next is apart from what was written
        self._airy: bool | None = None

    def run(self) -> Pieces:
        """The finished text."""
        out: Pieces = []
        for block in self.draft.blocks:
            plan = self.draft.plan_of(block)
            if not plan.moved:
                self._emit(out, block)
        if self.document.changes:
            out = without_blank_ends(self.text, out)
        if self.text and not self.text.endswith("\n"):
            out = without_last_newline(self.text, out)
        return out

    def _emit(self, out: Pieces, block: Block) -> None:
        plan = self.draft.plan_of(block)
        for text in plan.before:
            self._emit_new(out, text)
        if not plan.dead:
            edits = tidied(self.text, plan.edits)
            self._append(out, compose(block.start, block.end, edits), apart=False)
            self._open = plan.blank_after
        elif self.text.endswith(BLANK_LINE, 0, block.end):
            self._open = True  # the blank line that went with it set its neighbours apart
        for text in plan.after:
            self._emit_new(out, text)

    def _emit_new(self, out: Pieces, text: Pieces | Block) -> None:
        self._open = True
        if isinstance(text, Block):
            self._emit(out, text)
        else:
            self._append(out, text, apart=True)
        self._open = True

    def _append(self, out: Pieces, pieces: Pieces, *, apart: bool) -> None:
        """Add pieces on a new line; behind a blank line, where sections are set apart."""
        if not pieces:
            return
        before = text_of(self.text, out[-2:])
        if before and not before.endswith("\n"):
            out.append(self.newline)
            before += "\n"
        apart = (apart or self._open) and self.airy
        blank = before.endswith(BLANK_LINE) or text_of(self.text, pieces[:1]).startswith(
            ("\n", "\r\n")
        )
        if apart and before.strip() and not blank:
            out.append(self.newline)
        out.extend(pieces)
        self._open = False

    @property
    def airy(self) -> bool:
        """Whether blank lines set the sections apart: unless the document never does."""
        if self._airy is None:
            heads = [b.start for b in self.draft.blocks[1:] if b.start > 0]
            blank = [self.text.endswith(BLANK_LINE, 0, at) for at in heads[:200]]
            self._airy = not blank or any(blank)
        return self._airy
