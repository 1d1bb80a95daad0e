"""YAML's flow style, ``{a: 1}`` and ``[x, y]``: how its entries are written."""

from __future__ import annotations

from abc import abstractmethod

from confmig.documents.model.tree import Container, Entry, Mapping, Sequence, SourceNode, entries_of
from confmig.documents.text.flow import FlowEditor, joined
from confmig.documents.text.pieces import Edit, Pieces, compose
from confmig.documents.yaml import scalars
from confmig.documents.yaml.style import Style


class FlowWriter(FlowEditor):
    """The half of the writer that knows flow collections; the other half writes the rest."""

    @property
    @abstractmethod
    def style(self) -> Style:
        """What new text of the document looks like."""

    @abstractmethod
    def container_edits(self, container: Container) -> list[Edit]:
        """The edits of a container that is where its source is."""

    def entry_text(self, entry: Entry, home: SourceNode, indent: str | None) -> Pieces:
        """See ``FlowEditor``: an entry in the quoting style of its collection."""
        return self.flow_entry(entry, json=self.is_json(home))

    def fresh(self, entries: list[Entry], home: SourceNode) -> Pieces:
        """See ``FlowEditor``: on one line."""
        json = self.is_json(home)
        return joined([self.flow_entry(c, json=json) for c in entries], ", ")

    def deeper(self, home: SourceNode) -> str | None:
        """See ``FlowEditor``."""
        line = self.slots.line_start(home.start)
        bare = self.text[line : home.start].lstrip(" ")
        return " " * (home.start - line - len(bare) + self.style.step)

    def gap(self, home: SourceNode) -> str:
        """See ``FlowEditor``: as behind the first comma, or a space."""
        slots = list(self.slots.of(home).values())
        between = self.text[slots[0].comma + 1 : slots[1].lead] if len(slots) > 1 else " "
        return between if not between.strip(" ") else " "

    def flow_value(self, entry: Entry, *, json: bool = False) -> Pieces:
        """A value in flow context. ``json``: everything around it is quoted, so strings are."""
        value, node = entry.value, entry.node
        if node is not None:
            if isinstance(value, Mapping | Sequence) and not node.alias:
                if node.flow and node.entries:
                    return compose(node.outer, node.end, self.container_edits(value))
            elif node.end > node.outer and self._fits_flow(entry, json=json):
                return [(node.outer, node.end)]
        if isinstance(value, Mapping):
            inner = [self.flow_entry(c, json=json) for c in entries_of(value)]
            return ["{", *joined(inner, ", "), "}"]
        if isinstance(value, Sequence):
            inner = [self.flow_value(c, json=json) for c in entries_of(value)]
            return ["[", *joined(inner, ", "), "]"]
        style = '"' if json else None
        if style is None and entry.source is not None and entry.source.style in ("'", '"'):
            style = entry.source.style
        written = scalars.write(value, style=style, quote=self.style.quote, flow=True)
        return [*self.kept_tag(entry), written]

    def kept_tag(self, entry: Entry) -> Pieces:
        """The tag that a new text keeps, as it is written before the text."""
        return [] if entry.tag is None else [f"{entry.tag} "]

    def _fits_flow(self, entry: Entry, *, json: bool) -> bool:
        node = entry.node
        assert node is not None
        if node.alias or node.style in ("'", '"'):
            return not json or node.style == '"'
        token = self.text[node.start : node.end]
        fits = node.style is None and not any(c in token for c in ",[]{}:#\n")
        return fits and not (json and isinstance(entry.value, str))

    def flow_entry(self, entry: Entry, *, json: bool = False) -> Pieces:
        """An entry in flow context: its key, if it has one, and its value."""
        if entry.name is None:
            return self.flow_value(entry, json=json)
        style = '"' if json else entry.key.style if entry.key is not None else None
        key = scalars.write(entry.name, style=style, quote=self.style.quote, flow=True)
        return [key, ": ", *self.flow_value(entry, json=json)]

    def is_json(self, source_node: SourceNode) -> bool:
        """Whether a flow collection, or the document it is in, quotes as JSON does."""
        keys = [c.key.style for c in source_node.entries if c.key is not None]
        if keys:
            return all(style == '"' for style in keys)
        texts = [
            c.source.style for c in source_node.entries if c.source and isinstance(c.value, str)
        ]
        return bool(texts) and all(style == '"' for style in texts)
