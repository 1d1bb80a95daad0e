"""Flow style: ``{a: 1}`` and ``[x, y]`` are edited by cutting and inserting with their commas."""

from __future__ import annotations

from dataclasses import dataclass

from confmig.documents.rope import Edit, Rope, compose
from confmig.documents.tree import Cell, Container, Mapping, Origin, Sequence, cells_of
from confmig.documents.yaml import scalars
from confmig.errors import Refused


@dataclass(frozen=True, slots=True)
class Style:
    """What new text of a document looks like."""

    step: int
    dash: int
    quote: str


class FlowWriter:
    """The half of the writer that knows flow collections; the other half writes the rest."""

    text: str

    @property
    def style(self) -> Style:
        """What new text of the document looks like."""
        raise NotImplementedError

    def container_edits(self, container: Container) -> list[Edit]:
        """The edits of a container that stands where its source stands."""
        raise NotImplementedError

    def cell_edits(self, cell: Cell) -> list[Edit]:
        """The edits of an entry that stands where its source stands."""
        raise NotImplementedError

    def flow_value(self, cell: Cell, *, json: bool = False) -> Rope:
        """A value in flow context. ``json``: everything around it is quoted, so strings are."""
        value, node = cell.value, cell.node
        if node is not None:
            if isinstance(value, Mapping | Sequence) and not node.alias:
                if node.flow and node.cells:
                    return compose(node.outer, node.end, self.container_edits(value))
            elif node.end > node.outer and self._fits_flow(cell, json=json):
                return [(node.outer, node.end)]
        if isinstance(value, Mapping):
            inner = [self.flow_entry(c, json=json) for c in cells_of(value)]
            return ["{", *joined(inner, ", "), "}"]
        if isinstance(value, Sequence):
            inner = [self.flow_value(c, json=json) for c in cells_of(value)]
            return ["[", *joined(inner, ", "), "]"]
        style = '"' if json else None
        return [scalars.write(value, style=style, quote=self.style.quote, flow=True)]

    def _fits_flow(self, cell: Cell, *, json: bool) -> bool:
        node = cell.node
        assert node is not None
        if node.alias or node.style in ("'", '"'):
            return not json or node.style == '"'
        token = self.text[node.start : node.end]
        fits = node.style is None and not any(c in token for c in ",[]{}:#\n")
        return fits and not (json and isinstance(cell.value, str))

    def flow_entry(self, cell: Cell, *, json: bool = False) -> Rope:
        """An entry in flow context: its key, if it has one, and its value."""
        if cell.name is None:
            return self.flow_value(cell, json=json)
        style = '"' if json else cell.key.style if cell.key is not None else None
        key = scalars.write(cell.name, style=style, quote=self.style.quote, flow=True)
        return [key, ": ", *self.flow_value(cell, json=json)]

    def is_json(self, origin: Origin) -> bool:
        """Whether a flow collection, or the document it is in, quotes as JSON does."""
        keys = [c.key.style for c in origin.cells if c.key is not None]
        if keys:
            return all(style == '"' for style in keys)
        texts = [c.source.style for c in origin.cells if c.source and isinstance(c.value, str)]
        return bool(texts) and all(style == '"' for style in texts)

    def flow_edits(self, container: Container, now: list[Cell]) -> list[Edit]:
        """The edits of a flow container: cut runs of entries with their commas, insert others."""
        origin = container.origin
        assert origin is not None
        source = origin.cells
        json = self.is_json(origin)
        if not source:
            inner = joined([self.flow_entry(c, json=json) for c in now], ", ")
            return [Edit(origin.start + 1, origin.end - 1, inner)] if now else []
        rank = {id(c): i for i, c in enumerate(source)}
        kept = [rank[id(c)] for c in now if id(c) in rank]
        if kept != sorted(kept):
            raise Refused("flow_reorder", "entries of a flow collection cannot be reordered")
        spans = [self._flow_span(c) for c in source]
        edits: list[Edit] = []
        staying = set(kept)
        for number, cell in enumerate(source):
            if number in staying:
                edits.extend(self.cell_edits(cell))
                continue
            if kept and number > kept[-1]:  # with the comma before it
                cut = (spans[number - 1][1], spans[number][1])
            else:  # with the comma behind it
                last = number + 1 == len(source)
                cut = (spans[number][0], spans[number][1] if last else spans[number + 1][0])
            self._no_comment(*cut)
            edits.append(Edit(*cut, []))
        if not kept:
            tail = self.text[spans[-1][1] : origin.end - 1]
            if not now and tail.lstrip().startswith(","):
                at = self.text.index(",", spans[-1][1])
                edits.append(Edit(at, at + 1, []))
        edits.extend(self._flow_insertions(origin, now, rank, spans, json=json))
        return edits

    def _flow_insertions(
        self,
        origin: Origin,
        now: list[Cell],
        rank: dict[int, int],
        spans: list[tuple[int, int]],
        *,
        json: bool,
    ) -> list[Edit]:
        gap = self.text[origin.start + 1 : spans[0][0]]
        separator = "," + (gap if "\n" in gap and "#" not in gap else " ")
        edits: list[Edit] = []
        previous: int | None = None
        pending: list[Rope] = []
        for cell in now:
            number = rank.get(id(cell))
            if number is None:
                rope = self.flow_entry(cell, json=json)
                if previous is None:
                    pending.append(rope)
                    continue
                at = spans[previous][1]
                more = previous + 1 < len(spans)
                self._no_comment(at, spans[previous + 1][0] if more else origin.end)
                edits.append(Edit(at, at, [separator, *rope]))
                continue
            edits.extend(Edit(spans[number][0], spans[number][0], [*r, separator]) for r in pending)
            pending, previous = [], number
        if pending:
            edits.append(Edit(spans[0][0], spans[0][0], joined(pending, separator)))
        return edits

    def _flow_span(self, cell: Cell) -> tuple[int, int]:
        node = cell.source
        assert node is not None
        if cell.key is None:
            return node.outer, node.end
        return cell.key.outer, max(node.end, cell.key.end)

    def _no_comment(self, start: int, end: int) -> None:
        if "#" in self.text[start:end] and "\n" in self.text[start:end]:
            raise Refused(
                "flow_comment", "a comment stands inside the flow collection to be changed"
            )


def joined(ropes: list[Rope], separator: str) -> Rope:
    """Ropes one after the other with a separator between."""
    out: Rope = []
    for number, rope in enumerate(ropes):
        if number:
            out.append(separator)
        out.extend(rope)
    return out
