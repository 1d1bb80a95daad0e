"""The end of a YAML file, where a block text may have no line end, or may keep blank lines."""

from __future__ import annotations

from confmig.documents.model.tree import (
    Entry,
    Mapping,
    Sequence,
    SourceNode,
    entries_of,
    touch,
    walk_entries,
)
from confmig.documents.text.slots import Span
from confmig.documents.yaml import multiline
from confmig.documents.yaml.stages import Stages


class Ends(Stages):
    """Looks after the entry that ends the file."""

    _open_texts: list[Span] | None = None

    def watch_end(self) -> None:
        """Find a block text that ended the source without a newline and is not at the end any more.

        Its header must then say that it has no final newline, so it is marked as changed.
        """
        if self.text.endswith("\n") or not self.text:
            return
        entry = _last_of(self.document.root_entry.source)
        node = entry.source if entry is not None else None
        if entry is None or node is None or node.style not in multiline.BLOCK:
            return
        last = self.last_now()
        if entry.node is node and last is not entry and (last is None or last.node is not node):
            self.open_end = entry
            for container, other in walk_entries(self.document.root):
                if other is entry:
                    touch(container)

    def last_now(self) -> Entry | None:
        """The entry that ends the result."""
        entry = self.document.root_entry
        while isinstance(entry.value, Mapping | Sequence) and not (entry.node and entry.node.alias):
            entries = entries_of(entry.value)
            if not entries:
                return None
            entry = entries[-1]
        return entry

    def newlines_at_end(self) -> int:
        """How many line ends the result, but not the source, must end with.

        They are the line ends of the block text that ends the result.
        """
        entry = self.last_now()
        if entry is None or not isinstance(entry.value, str):
            return 0
        last = _last_of(self.document.root_entry.source)
        if last is not None and last.source is entry.node:
            return 0
        node = entry.node if entry.node is not None else entry.source
        if node is None or node.style not in multiline.BLOCK:
            return 0
        return len(entry.value) - len(entry.value.rstrip("\n"))

    def open_texts(self) -> list[Span]:
        """The block texts that keep the blank lines behind them (``|+``)."""
        if self._open_texts is None:
            self._open_texts = [s for s in self.opaque if multiline.keeps(self.text, s[0])]
        return self._open_texts


def _last_of(node: SourceNode | None) -> Entry | None:
    """The entry that ends a source."""
    entry = node.entry if node is not None else None
    while entry is not None and entry.source is not None and entry.source.entries:
        entry = entry.source.entries[-1]
    return entry
