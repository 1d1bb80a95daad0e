"""The end of a YAML file, where a block text may have no line end, or may keep blank lines."""

from __future__ import annotations

from confmig.documents.model.tree import (
    Cell,
    Mapping,
    Origin,
    Sequence,
    cells_of,
    touch,
    walk_cells,
)
from confmig.documents.text.slots import Span
from confmig.documents.yaml import texts
from confmig.documents.yaml.stages import Stages


class Ends(Stages):
    """Looks after the entry that ends the file."""

    _open_texts: list[Span] | None = None

    def watch_end(self) -> None:
        """A block text at the end of a file without a final newline has none either.

        Where that text does not end the result, its header must say so: have it looked at.
        """
        if self.text.endswith("\n") or not self.text:
            return
        cell = _last_of(self.document.root_cell.source)
        node = cell.source if cell is not None else None
        if cell is None or node is None or node.style not in texts.BLOCK:
            return
        last = self.last_now()
        if cell.node is node and last is not cell and (last is None or last.node is not node):
            self.open_end = cell
            for container, other in walk_cells(self.document.root):
                if other is cell:
                    touch(container)

    def last_now(self) -> Cell | None:
        """The entry that ends the result."""
        cell = self.document.root_cell
        while isinstance(cell.value, Mapping | Sequence) and not (cell.node and cell.node.alias):
            cells = cells_of(cell.value)
            if not cells:
                return None
            cell = cells[-1]
        return cell

    def newlines_at_end(self) -> int:
        """How many line ends the result, but not the source, must end with.

        Those of the block text that is its end.
        """
        cell = self.last_now()
        if cell is None or not isinstance(cell.value, str):
            return 0
        last = _last_of(self.document.root_cell.source)
        if last is not None and last.source is cell.node:
            return 0
        node = cell.node if cell.node is not None else cell.source
        if node is None or node.style not in texts.BLOCK:
            return 0
        return len(cell.value) - len(cell.value.rstrip("\n"))

    def open_texts(self) -> list[Span]:
        """The block texts that keep the blank lines behind them (``|+``)."""
        if self._open_texts is None:
            self._open_texts = [s for s in self.opaque if texts.keeps(self.text, s[0])]
        return self._open_texts


def _last_of(node: Origin | None) -> Cell | None:
    """The entry that ends a source."""
    cell = node.cell if node is not None else None
    while cell is not None and cell.source is not None and cell.source.cells:
        cell = cell.source.cells[-1]
    return cell
