"""Flow style: ``{a: 1}`` and ``[x, y]`` are edited by cutting and inserting with their commas."""

from __future__ import annotations

from dataclasses import dataclass

from confmig.documents.rope import Edit, Rope, compose
from confmig.documents.tree import Cell, Container, Mapping, Sequence, cells_of
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
    gone: list[tuple[int, int]]

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

    def flow_value(self, cell: Cell) -> Rope:
        """A value in flow context."""
        value, node = cell.value, cell.node
        if node is not None:
            if isinstance(value, Mapping | Sequence) and not node.alias:
                if node.flow and node.cells:
                    return compose(node.outer, node.end, self.container_edits(value))
            elif node.end > node.outer and self._fits_flow(cell):
                return [(node.outer, node.end)]
        if isinstance(value, Mapping):
            inner = [self._flow_entry(c) for c in cells_of(value)]
            return ["{", *joined(inner, ", "), "}"]
        if isinstance(value, Sequence):
            return ["[", *joined([self.flow_value(c) for c in cells_of(value)], ", "), "]"]
        return [scalars.write(value, quote=self.style.quote, flow=True)]

    def _fits_flow(self, cell: Cell) -> bool:
        node = cell.node
        assert node is not None
        if node.alias or node.style in ("'", '"'):
            return True
        token = self.text[node.start : node.end]
        return node.style is None and not any(c in token for c in ",[]{}:#\n")

    def _flow_entry(self, cell: Cell) -> Rope:
        if cell.name is None:
            return self.flow_value(cell)
        style = cell.key.style if cell.key is not None else None
        key = scalars.write(cell.name, style=style, quote=self.style.quote, flow=True)
        return [key, ": ", *self.flow_value(cell)]

    def flow_edits(self, container: Container, now: list[Cell]) -> list[Edit]:
        """The edits of a flow container: cut runs of entries with their commas, insert others."""
        origin = container.origin
        assert origin is not None
        source = origin.cells
        staying = {id(c) for c in now if c.home is origin}
        edits: list[Edit] = []
        if not source:
            if now:
                inner = joined([self._flow_entry(c) for c in now], ", ")
                edits.append(Edit(origin.start + 1, origin.end - 1, inner))
            return edits
        ranks = [i for c in now for i, s in enumerate(source) if s is c]
        if ranks != sorted(ranks):
            raise Refused("flow_reorder", "entries of a flow collection cannot be reordered")
        spans = [self._flow_span(c) for c in source]
        for number, cell in enumerate(source):
            if id(cell) in staying:
                edits.extend(self.cell_edits(cell))
                continue
            later = [i for i in range(number + 1, len(source)) if id(source[i]) in staying]
            before = [i for i in range(number) if id(source[i]) in staying]
            if later:
                cut = (spans[number][0], spans[number + 1][0])
            elif before:
                cut = (spans[number - 1][1], spans[number][1])
            else:
                cut = (
                    spans[number][0],
                    spans[number + 1][0] if number + 1 < len(source) else spans[number][1],
                )
            self._no_comment(cut)
            self.gone.append(cut)
            edits.append(Edit(cut[0], cut[1], [], gone=True))
        if not staying and not now:
            tail = self.text[spans[-1][1] : origin.end - 1]
            if tail.lstrip().startswith(","):
                at = self.text.index(",", spans[-1][1])
                edits.append(Edit(at, at + 1, [], gone=True))
        edits.extend(self._flow_insertions(container, now, staying, spans))
        return edits

    def _flow_insertions(
        self, container: Container, now: list[Cell], staying: set[int], spans: list[tuple[int, int]]
    ) -> list[Edit]:
        origin = container.origin
        assert origin is not None
        rank = {id(c): i for i, c in enumerate(origin.cells)}
        gap = self.text[origin.start + 1 : spans[0][0]]
        separator = "," + (gap if "\n" in gap and "#" not in gap else " ")
        edits: list[Edit] = []
        previous: int | None = None
        pending: list[Rope] = []
        for cell in now:
            if id(cell) not in staying:
                if previous is None:
                    pending.append(self._flow_entry(cell))
                else:
                    edits.append(Edit(previous, previous, [separator, *self._flow_entry(cell)]))
                continue
            start, previous = spans[rank[id(cell)]]
            for rope in pending:
                edits.append(Edit(start, start, [*rope, separator]))
            pending = []
        if pending:
            start = spans[0][0]
            edits.append(Edit(start, start, joined(pending, separator)))
        return edits

    def _flow_span(self, cell: Cell) -> tuple[int, int]:
        node = cell.source
        assert node is not None
        if cell.key is None:
            return node.outer, node.end
        return cell.key.outer, max(node.end, cell.key.end)

    def _no_comment(self, span: tuple[int, int]) -> None:
        if "#" in self.text[span[0] : span[1]] and "\n" in self.text[span[0] : span[1]]:
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
