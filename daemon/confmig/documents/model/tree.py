"""The tree of a document: values that look like dict and list, and that know their source.

A ``Mapping`` is a dict and a ``Sequence`` is a list of plain values and further containers, so a
handler reads them as usual and a JSON Schema validator walks them without a copy. Beside each
value there is an ``Entry``: which source entry it came from and which source value it still holds.

* ``entry.source`` is the value's ``SourceNode`` in the text as it was parsed; it never changes.
* ``entry.node`` is the ``SourceNode`` whose text the value still equals, or None for a new value.
* ``entry.home`` is the source container the entry was parsed in, or None for a new entry. The
  entry that holds a whole document has its own source node there.

The renderer needs nothing else: an entry that is still in its home, with ``node is source``, is
copied; an entry elsewhere is text that moved; one whose ``node`` is None is text to be written.

Changing a container through its dict or list methods goes through the ``Document`` it belongs
to, so that every change is journalled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, Protocol, cast

from confmig.documents.model.path import Place
from confmig.documents.model.values import described, plain
from confmig.errors import Refused


class SourceNode:
    """Where a value is in the source text. Spans count characters, BOM excluded.

    ``outer`` is ``start`` with the value's tag and anchor included. ``style`` is the quote
    character, ``|`` or ``>`` for a scalar, None for a plain one. ``flow`` tells ``{}`` and
    ``[]`` from block containers. ``entries`` are a container's entries in source order (a parser
    gives each container a list of its own); ``entry`` is the entry that holds this value.
    """

    __slots__ = (
        "alias",
        "anchor",
        "end",
        "entries",
        "entry",
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
        self.entries = _NO_ENTRIES
        self.entry: Entry | None = None


_NO_ENTRIES = cast("list[Entry]", ())  # a scalar's: there are many, and no one may add to it


class Entry:
    """One entry of a container: the key (None in a sequence), the value and their sources.

    ``carries`` is the entry whose comments travel with a value that gained or lost its key.
    ``tag`` is the tag of the source value that a new text keeps.
    """

    __slots__ = ("carries", "home", "key", "name", "node", "parsed", "source", "tag", "value")

    def __init__(
        self,
        name: str | None,
        value: Any,
        node: SourceNode | None = None,
        key: SourceNode | None = None,
        home: SourceNode | None = None,
    ) -> None:
        self.name = name
        self.parsed = name if home is not None else None
        self.value = value
        self.key = key
        self.home = home
        self.source = node if home is not None else None
        self.node = node
        self.carries: Entry | None = None
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
    ) -> Entry:
        """Add an entry, at a position or at the end."""

    def replace(self, container: Container, entry: Entry, value: Any) -> None:
        """Give an entry another value."""

    def remove(self, container: Container, entry: Entry) -> None:
        """Remove an entry."""


class Mapping(dict[str, Any]):
    """A mapping. Reads like a dict; writes are journalled."""

    __slots__ = ("_order", "changed", "document", "entries", "entry", "source_node", "up")

    def __init__(self, document: Owner, source_node: SourceNode | None = None) -> None:
        super().__init__()
        self.document = document
        self.source_node = source_node
        self.entries: dict[str, Entry] = {}
        self.up: Container | None = None
        self.entry: Entry | None = None
        self.changed = False
        self._order: dict[int, int] | None = None  # positions by entry, made when first asked for

    __hash__ = None

    def attach(self, entry: Entry, at: int | None = None) -> None:
        """Put an entry in, before position ``at`` or at the end. Not journalled."""
        name = entry.name
        assert name is not None
        assert name not in self.entries
        if at is None or at >= len(self.entries):
            if self._order is not None:
                self._order[id(entry)] = len(self.entries)
            self.entries[name] = entry
            dict.__setitem__(self, name, entry.value)
        else:
            entries = list(self.entries.values())
            entries.insert(at, entry)
            self._refill(entries)
        touch(self)
        adopt(self, entry)

    def detach(self, entry: Entry) -> int:
        """Take an entry out and return the position it had. Not journalled."""
        at = self.position(entry)
        assert entry.name is not None
        del self.entries[entry.name]
        dict.__delitem__(self, entry.name)
        self._order = _without_last(self._order, entry, at == len(self.entries))
        touch(self)
        return at

    def position(self, entry: Entry) -> int:
        """Where an entry stands among the entries."""
        return self._positions()[id(entry)]

    def has(self, entry: Entry) -> bool:
        """Whether an entry is one of the entries."""
        return id(entry) in self._positions()

    def _positions(self) -> dict[int, int]:
        if self._order is None:
            self._order = {id(c): i for i, c in enumerate(self.entries.values())}
        return self._order

    def rename(self, entry: Entry, name: str) -> None:
        """Give an entry another key in the same place. Not journalled."""
        entries = list(self.entries.values())
        entry.name = name
        self._refill(entries)
        touch(self)

    def refresh(self, entry: Entry) -> None:
        """Show the entry's value after it changed."""
        assert entry.name is not None
        dict.__setitem__(self, entry.name, entry.value)
        touch(self)
        adopt(self, entry)

    def _refill(self, entries: Iterable[Entry]) -> None:
        self.entries = {c.name: c for c in entries if c.name is not None}
        self._order = None
        dict.clear(self)
        for name, c in self.entries.items():
            dict.__setitem__(self, name, c.value)

    # the dict methods that change something

    def __setitem__(self, key: str, value: Any) -> None:
        self.document.put(self, key, value)

    def __delitem__(self, key: str) -> None:
        self.document.remove(self, self.entries[key])

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self.entries:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        if key not in self.entries:
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
        for key in list(self.entries):
            del self[key]

    def _unsupported(self, *_: Any) -> NoReturn:
        raise TypeError("use the document's operations: this dict method is not journalled")

    popitem = _unsupported
    __ior__ = _unsupported


class Sequence(list[Any]):
    """A sequence. Reads like a list; writes are journalled."""

    __slots__ = ("_order", "changed", "document", "entries", "entry", "source_node", "up")

    def __init__(self, document: Owner, source_node: SourceNode | None = None) -> None:
        super().__init__()
        self.document = document
        self.source_node = source_node
        self.entries: list[Entry] = []
        self.up: Container | None = None
        self.entry: Entry | None = None
        self.changed = False
        self._order: dict[int, int] | None = None  # positions by entry, made when first asked for

    __hash__ = None

    def attach(self, entry: Entry, at: int | None = None) -> None:
        """Put an entry in, before position ``at`` or at the end. Not journalled."""
        at = len(self.entries) if at is None else min(at, len(self.entries))
        if at < len(self.entries):
            self._order = None
        elif self._order is not None:
            self._order[id(entry)] = at
        self.entries.insert(at, entry)
        list.insert(self, at, entry.value)
        touch(self)
        adopt(self, entry)

    def detach(self, entry: Entry) -> int:
        """Take an entry out and return the position it had. Not journalled."""
        at = self.position(entry)
        del self.entries[at]
        list.__delitem__(self, at)
        self._order = _without_last(self._order, entry, at == len(self.entries))
        touch(self)
        return at

    def position(self, entry: Entry) -> int:
        """Where an entry stands among the items."""
        return self._positions()[id(entry)]

    def has(self, entry: Entry) -> bool:
        """Whether an entry is one of the items."""
        return id(entry) in self._positions()

    def _positions(self) -> dict[int, int]:
        if self._order is None:
            self._order = {id(c): i for i, c in enumerate(self.entries)}
        return self._order

    def refresh(self, entry: Entry) -> None:
        """Show the entry's value after it changed."""
        list.__setitem__(self, self.position(entry), entry.value)
        touch(self)
        adopt(self, entry)

    # the list methods that change something

    def __setitem__(self, at: Any, value: Any) -> None:
        self.document.replace(self, self.entries[_one(at)], value)

    def __delitem__(self, at: Any) -> None:
        self.document.remove(self, self.entries[_one(at)])

    def insert(self, at: Any, value: Any) -> None:
        size = len(self.entries)
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
        while self.entries:
            del self[-1]

    def _unsupported(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("use the document's operations: this list method is not journalled")

    sort = _unsupported
    reverse = _unsupported
    __iadd__ = _unsupported
    __imul__ = _unsupported


Container = Mapping | Sequence


def _without_last(order: dict[int, int] | None, entry: Entry, last: bool) -> dict[int, int] | None:
    """The known positions after an entry left: only the last one leaves the others as they were."""
    if order is None or not last:
        return None
    del order[id(entry)]
    return order


def _one(at: Any) -> int:
    if not isinstance(at, int):
        raise TypeError("slices are not journalled: change one item at a time")
    return at


def touch(container: Container) -> None:
    """Mark a container, and all that contain it, as changed: the renderer skips the others."""
    here: Container | None = container
    while here is not None and not here.changed:
        here.changed = True
        here = here.up


def adopt(container: Container, entry: Entry) -> None:
    """Tell a container that is an entry's own value where it hangs now."""
    value = entry.value
    if isinstance(value, Mapping | Sequence) and not (entry.node and entry.node.alias):
        value.up = container
        value.entry = entry


def carry(entry: Entry, inner: Entry) -> None:
    """Let an entry carry the comments of one that went, before those that it carries already."""
    first = inner if inner.home is not None else inner.carries
    if first is None:
        return
    last = first
    while last.carries is not None:
        last = last.carries
    last.carries, entry.carries = entry.carries, first


def land(entry: Entry, target: Container, name: str | None, at: int | None) -> Entry:
    """Attach a detached entry; where a key is gained or lost, only the value moves."""
    if (name is None) == (entry.name is None):
        entry.name = name
    else:
        old = entry
        entry = Entry(name, old.value, old.node)
        entry.tag = old.tag
        entry.carries = old if old.home is not None else old.carries
    target.attach(entry, at)
    return entry


def entries_of(container: Container) -> list[Entry]:
    """The entries of a container in order."""
    entries = container.entries
    return list(entries.values()) if isinstance(entries, dict) else entries


def entry_at(container: Any, part: str | int) -> Entry:
    """The entry of one step of a concrete path."""
    entries = container.entries
    return entries[part]  # type: ignore[no-any-return]


def place_of(container: Container) -> Place:
    """The concrete path of a container from the root."""
    parts: list[str | int] = []
    here: Container = container
    while here.up is not None and here.entry is not None:
        name = here.entry.name
        parts.append(here.up.position(here.entry) if name is None else name)
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
                raise Refused("value_unsupported", f"a key must be text, not {described(key)}")
            mapping.attach(Entry(key, build(document, item)))
        return mapping
    if isinstance(value, list | tuple):
        sequence = Sequence(document)
        for item in value:
            sequence.attach(Entry(None, build(document, item)))
        return sequence
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise Refused("value_unsupported", f"a value of type {type(value).__name__} cannot be written")


def walk_entries(container: Container) -> Iterator[tuple[Container, Entry]]:
    """Every entry below a container in document order, each with the container it is in.

    Aliases are not entered.
    """
    stack = [(container, entry) for entry in reversed(entries_of(container))]
    while stack:
        here, entry = stack.pop()
        yield here, entry
        value = entry.value
        if isinstance(value, Mapping | Sequence) and not (entry.node and entry.node.alias):
            stack.extend((value, inner) for inner in reversed(entries_of(value)))
