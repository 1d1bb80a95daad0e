"""The tree of a document: values that look like dict and list, and that know their source.

A ``Mapping`` is a dict and a ``Sequence`` is a list of plain values and further containers, so a
handler reads them as usual and a JSON Schema validator walks them without a copy. Beside each
value stands a ``Cell``: which source entry it came from and which source value it still holds.

* ``cell.source`` is the value's ``Origin`` in the text as it was parsed; it never changes.
* ``cell.node`` is the ``Origin`` whose text the value still equals, or None for a new value.
* ``cell.home`` is the source container the entry was parsed in, or None for a new entry. The
  entry that holds a whole document has its own origin there.

The renderer needs nothing else: an entry that is still in its home, with ``node is source``, is
copied; a cell elsewhere is text that moved; a cell without origin is text to be written.

Changing a container through its dict or list methods goes through the ``Document`` it belongs
to, so that every change is journalled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, Protocol, cast

from confmig.documents.model.path import Place
from confmig.documents.model.values import described, plain
from confmig.errors import Refused


class Origin:
    """Where a value is in the source text. Spans count characters, BOM excluded.

    ``outer`` is ``start`` with the value's tag and anchor included. ``style`` is the quote
    character, ``|`` or ``>`` for a scalar, None for a plain one. ``flow`` tells ``{}`` and
    ``[]`` from block containers. ``cells`` are a container's entries in source order (a parser
    gives each container a list of its own); ``cell`` is the entry that holds this value.
    """

    __slots__ = (
        "alias",
        "anchor",
        "cell",
        "cells",
        "end",
        "flow",
        "outer",
        "start",
        "style",
        "tag",
    )

    def __init__(
        self,
        start: int,
        end: int,
        outer: int,
        style: str | None = None,
        tag: str | None = None,
        anchor: str | None = None,
        alias: str | None = None,
        flow: bool = False,
    ) -> None:
        self.start = start
        self.end = end
        self.outer = outer
        self.style = style
        self.tag = tag
        self.anchor = anchor
        self.alias = alias
        self.flow = flow
        self.cells = _NO_CELLS
        self.cell: Cell | None = None


_NO_CELLS = cast("list[Cell]", ())  # a scalar's: there are many, and no one may add to it


class Cell:
    """One entry of a container: the key (None in a sequence), the value and their sources.

    ``carries`` is the entry whose comments travel with a value that gained or lost its key.
    ``tag`` is the tag of the source value that a new text keeps.
    """

    __slots__ = ("carries", "home", "key", "name", "node", "parsed", "source", "tag", "value")

    def __init__(
        self,
        name: str | None,
        value: Any,
        node: Origin | None = None,
        key: Origin | None = None,
        home: Origin | None = None,
    ) -> None:
        self.name = name
        self.parsed = name if home is not None else None
        self.value = value
        self.key = key
        self.home = home
        self.source = node if home is not None else None
        self.node = node
        self.carries: Cell | None = None
        self.tag: str | None = None

    @property
    def untouched(self) -> bool:
        """Whether the value is the very one this entry was parsed with."""
        return self.node is not None and self.node is self.source

    @property
    def is_root(self) -> bool:
        """Whether the entry is a whole document, which has neither key nor dash."""
        return self.home is not None and self.home is self.source


class Owner(Protocol):
    """The document of a container: it makes every change of it, and journals it."""

    text: str
    dialect: str
    address: str
    """What messages put before a path, where there are several documents."""
    repeated: dict[int, dict[str, str]]
    """By mapping: the reasons against keys that are in it more than once."""
    unclear: dict[int, tuple[str, str]]
    """By entry: the reason against a value that readers may read differently."""

    @property
    def merges(self) -> bool:
        """Whether ``<<`` is a merge key."""

    def put(self, container: Mapping, name: str, value: Any) -> None:
        """Set an entry."""

    def add(
        self, container: Container, name: str | None, value: Any, at: int | None = None
    ) -> Cell:
        """Add an entry, at a position or at the end."""

    def replace(self, container: Container, cell: Cell, value: Any) -> None:
        """Give an entry another value."""

    def remove(self, container: Container, cell: Cell) -> None:
        """Remove an entry."""


class Mapping(dict[str, Any]):
    """A mapping. Reads like a dict; writes are journalled."""

    __slots__ = ("_order", "cell", "cells", "changed", "document", "origin", "up")

    def __init__(self, document: Owner, origin: Origin | None = None) -> None:
        super().__init__()
        self.document = document
        self.origin = origin
        self.cells: dict[str, Cell] = {}
        self.up: Container | None = None
        self.cell: Cell | None = None
        self.changed = False
        self._order: dict[int, int] | None = None  # positions by cell, made when first asked for

    __hash__ = None

    def attach(self, cell: Cell, at: int | None = None) -> None:
        """Put a cell in, before position ``at`` or at the end. Not journalled."""
        name = cell.name
        assert name is not None
        assert name not in self.cells
        if at is None or at >= len(self.cells):
            if self._order is not None:
                self._order[id(cell)] = len(self.cells)
            self.cells[name] = cell
            dict.__setitem__(self, name, cell.value)
        else:
            cells = list(self.cells.values())
            cells.insert(at, cell)
            self._refill(cells)
        touch(self)
        adopt(self, cell)

    def detach(self, cell: Cell) -> int:
        """Take a cell out and return the position it had. Not journalled."""
        at = self.position(cell)
        assert cell.name is not None
        del self.cells[cell.name]
        dict.__delitem__(self, cell.name)
        self._order = _without_last(self._order, cell, at == len(self.cells))
        touch(self)
        return at

    def position(self, cell: Cell) -> int:
        """Where a cell stands among the entries."""
        return self._positions()[id(cell)]

    def has(self, cell: Cell) -> bool:
        """Whether a cell is one of the entries."""
        return id(cell) in self._positions()

    def _positions(self) -> dict[int, int]:
        if self._order is None:
            self._order = {id(c): i for i, c in enumerate(self.cells.values())}
        return self._order

    def rename(self, cell: Cell, name: str) -> None:
        """Give a cell another key in the same place. Not journalled."""
        cells = list(self.cells.values())
        cell.name = name
        self._refill(cells)
        touch(self)

    def refresh(self, cell: Cell) -> None:
        """Show the cell's value after it changed."""
        assert cell.name is not None
        dict.__setitem__(self, cell.name, cell.value)
        touch(self)
        adopt(self, cell)

    def _refill(self, cells: Iterable[Cell]) -> None:
        self.cells = {c.name: c for c in cells if c.name is not None}
        self._order = None
        dict.clear(self)
        for name, c in self.cells.items():
            dict.__setitem__(self, name, c.value)

    # the dict methods that change something

    def __setitem__(self, key: str, value: Any) -> None:
        self.document.put(self, key, value)

    def __delitem__(self, key: str) -> None:
        self.document.remove(self, self.cells[key])

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self.cells:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        if key not in self.cells:
            if default:
                return default[0]
            raise KeyError(key)
        value = plain(self[key])
        del self[key]
        return value

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def clear(self) -> None:
        for key in list(self.cells):
            del self[key]

    def _unsupported(self, *_: Any) -> NoReturn:
        raise TypeError("use the document's operations: this dict method is not journalled")

    popitem = _unsupported
    __ior__ = _unsupported


class Sequence(list[Any]):
    """A sequence. Reads like a list; writes are journalled."""

    __slots__ = ("_order", "cell", "cells", "changed", "document", "origin", "up")

    def __init__(self, document: Owner, origin: Origin | None = None) -> None:
        super().__init__()
        self.document = document
        self.origin = origin
        self.cells: list[Cell] = []
        self.up: Container | None = None
        self.cell: Cell | None = None
        self.changed = False
        self._order: dict[int, int] | None = None  # positions by cell, made when first asked for

    __hash__ = None

    def attach(self, cell: Cell, at: int | None = None) -> None:
        """Put a cell in, before position ``at`` or at the end. Not journalled."""
        at = len(self.cells) if at is None else min(at, len(self.cells))
        if at < len(self.cells):
            self._order = None
        elif self._order is not None:
            self._order[id(cell)] = at
        self.cells.insert(at, cell)
        list.insert(self, at, cell.value)
        touch(self)
        adopt(self, cell)

    def detach(self, cell: Cell) -> int:
        """Take a cell out and return the position it had. Not journalled."""
        at = self.position(cell)
        del self.cells[at]
        list.__delitem__(self, at)
        self._order = _without_last(self._order, cell, at == len(self.cells))
        touch(self)
        return at

    def position(self, cell: Cell) -> int:
        """Where a cell stands among the items."""
        return self._positions()[id(cell)]

    def has(self, cell: Cell) -> bool:
        """Whether a cell is one of the items."""
        return id(cell) in self._positions()

    def _positions(self) -> dict[int, int]:
        if self._order is None:
            self._order = {id(c): i for i, c in enumerate(self.cells)}
        return self._order

    def refresh(self, cell: Cell) -> None:
        """Show the cell's value after it changed."""
        list.__setitem__(self, self.position(cell), cell.value)
        touch(self)
        adopt(self, cell)

    # the list methods that change something

    def __setitem__(self, at: Any, value: Any) -> None:
        self.document.replace(self, self.cells[_one(at)], value)

    def __delitem__(self, at: Any) -> None:
        self.document.remove(self, self.cells[_one(at)])

    def insert(self, at: Any, value: Any) -> None:
        size = len(self.cells)
        self.document.add(self, None, value, max(0, at + size) if at < 0 else min(at, size))

    def append(self, value: Any) -> None:
        self.document.add(self, None, value)

    def extend(self, values: Iterable[Any]) -> None:
        for value in list(values):
            self.append(value)

    def pop(self, at: Any = -1) -> Any:
        value = plain(self[at])
        del self[at]
        return value

    def remove(self, value: Any) -> None:
        del self[self.index(value)]

    def clear(self) -> None:
        while self.cells:
            del self[-1]

    def _unsupported(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("use the document's operations: this list method is not journalled")

    sort = _unsupported
    reverse = _unsupported
    __iadd__ = _unsupported
    __imul__ = _unsupported


Container = Mapping | Sequence


def _without_last(order: dict[int, int] | None, cell: Cell, last: bool) -> dict[int, int] | None:
    """The known positions after a cell left: only the last one leaves the others as they were."""
    if order is None or not last:
        return None
    del order[id(cell)]
    return order


def _one(at: Any) -> int:
    if not isinstance(at, int):
        raise TypeError("slices are not journalled: change one item at a time")
    return at


def touch(container: Container) -> None:
    """Mark a container and all it is in as changed: the renderer passes the others by."""
    here: Container | None = container
    while here is not None and not here.changed:
        here.changed = True
        here = here.up


def adopt(container: Container, cell: Cell) -> None:
    """Tell a container that is a cell's own value where it hangs now."""
    value = cell.value
    if isinstance(value, Mapping | Sequence) and not (cell.node and cell.node.alias):
        value.up = container
        value.cell = cell


def carry(cell: Cell, inner: Cell) -> None:
    """Let an entry carry the comments of one that went, before those that it carries already."""
    first = inner if inner.home is not None else inner.carries
    if first is None:
        return
    last = first
    while last.carries is not None:
        last = last.carries
    last.carries, cell.carries = cell.carries, first


def land(cell: Cell, target: Container, name: str | None, at: int | None) -> Cell:
    """Attach a detached entry; where a key is gained or lost, only the value moves."""
    if (name is None) == (cell.name is None):
        cell.name = name
    else:
        old = cell
        cell = Cell(name, old.value, old.node)
        cell.tag = old.tag
        cell.carries = old if old.home is not None else old.carries
    target.attach(cell, at)
    return cell


def cells_of(container: Container) -> list[Cell]:
    """The cells of a container in order."""
    cells = container.cells
    return list(cells.values()) if isinstance(cells, dict) else cells


def cell_at(container: Any, part: str | int) -> Cell:
    """The cell of one step of a concrete path."""
    cells = container.cells
    return cells[part]  # type: ignore[no-any-return]


def place_of(container: Container) -> Place:
    """The concrete path of a container from the root."""
    parts: list[str | int] = []
    here: Container = container
    while here.up is not None and here.cell is not None:
        name = here.cell.name
        parts.append(here.up.position(here.cell) if name is None else name)
        here = here.up
    return tuple(reversed(parts))


def build(document: Owner, value: Any) -> Any:
    """New containers (without any source) for a value of ordinary dicts and lists.

    Raises ``Refused`` (``value_unsupported``) for anything a configuration file cannot hold.
    """
    if isinstance(value, dict):
        mapping = Mapping(document)
        for key, item in value.items():
            if not isinstance(key, str):
                raise Refused("value_unsupported", f"a key must be a text, not {described(key)}")
            mapping.attach(Cell(key, build(document, item)))
        return mapping
    if isinstance(value, list | tuple):
        sequence = Sequence(document)
        for item in value:
            sequence.attach(Cell(None, build(document, item)))
        return sequence
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise Refused("value_unsupported", f"a value of type {type(value).__name__} cannot be written")


def walk_cells(container: Container) -> Iterator[tuple[Container, Cell]]:
    """Every cell below a container in document order, each with the container it is in.

    Aliases are not entered.
    """
    stack = [(container, cell) for cell in reversed(cells_of(container))]
    while stack:
        here, cell = stack.pop()
        yield here, cell
        value = cell.value
        if isinstance(value, Mapping | Sequence) and not (cell.node and cell.node.alias):
            stack.extend((value, inner) for inner in reversed(cells_of(value)))
