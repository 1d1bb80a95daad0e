"""A document: one parsed text, its tree, and the only ways to change it.

Reading: ``get``, ``has``, ``find`` (with wildcards). Writing: ``set``, ``delete``, ``rename``,
``move``, ``insert``, ``append``, ``wrap``; each is journalled in ``changes``. The primitives that
work on a container and an entry (``add``, ``remove``, ``replace``, ``relocate``, ``enclose``,
``expose``) are what operations and the containers' own dict and list methods use.

Refused by default, because the author cannot mean it or the text cannot express it: an edit
through an alias or below an anchor that others point at, a key that exists only through a merge
key, an existing target of a move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confmig.documents.model import path as paths
from confmig.documents.model.differences import apply_difference
from confmig.documents.model.journal import Change
from confmig.documents.model.lookup import MISSING, Hit, Lookup, name_of, shown
from confmig.documents.model.path import Index, Key, Path, show
from confmig.documents.model.tree import (
    Container,
    Entry,
    Mapping,
    Sequence,
    SourceNode,
    build,
    carry,
    entries_of,
    land,
    walk_entries,
)
from confmig.documents.model.values import described, plain, same_value
from confmig.errors import Refused


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits that keep hostile input from costing more than bounded time and memory.

    Bytes of the file, levels of nesting, values in all (aliases counted), entries of one
    container.
    """

    size: int = 8 * 1024 * 1024
    depth: int = 200
    nodes: int = 1_000_000
    entries: int = 100_000


class Document(Lookup):
    """A parsed configuration file. Made by a format's ``parse``; see ``documents.formats``."""

    def __init__(self, text: str, *, bom: bool, newline: str, format: str, dialect: str) -> None:
        self.text = text
        self.bom = bom
        self.newline = newline
        self.format = format
        self.dialect = dialect
        self.encoding = "utf-8"
        self.root_entry = Entry(None, None)
        self.caps = Caps()
        self.stream = False
        self.aliased: dict[int, int] = {}  # from the identity of an anchored value to its aliases
        self.alias_of: dict[int, SourceNode] = {}  # from the identity of an alias to what it names
        self.opaque: list[tuple[int, int]] = []
        self.comments: list[tuple[int, int]] = []
        self.source_map: Any = None
        self.changes: list[Change] = []
        self.allow_shared = False
        # by object: the keys that are in it twice, and where
        self.repeated: dict[int, dict[str, str]] = {}
        self.kept: list[Entry] = []  # what those keys hold: text that no one can edit
        # by entry: why it is not sure what its value is, and what to do
        self.unclear: dict[int, tuple[str, str]] = {}
        self.address = ""  # what messages put before a path, where there are several documents

    def permit_shared(self, allowed: bool) -> None:
        """Set whether values that other places point at may be changed from now on."""
        self.allow_shared = allowed

    # --- writing by path

    def set(self, path: str, value: Any, within: Any = MISSING) -> None:
        """Give the place a value; missing parents are created as mappings.

        Raises ``Refused`` (``wrong_type``) if a scalar or list is in the way.
        """
        container, name = self.reach(path, within)
        self.put(container, name, value)

    def delete(self, path: str, within: Any = MISSING) -> int:
        """Remove every place the path names; returns how many there were."""
        hits = self.find(path, within)
        for hit in reversed(hits):
            self.remove(hit.container, hit.entry)
        return len(hits)

    def rename(self, path: str, name: str, within: Any = MISSING) -> int:
        """Give every key the path names another name, in place; returns how many there were."""
        hits = self.find(path, within)
        for hit in hits:
            self.relocate(hit, hit.container, name)
        return len(hits)

    def move(self, source: str, target: str, within: Any = MISSING) -> bool:
        """Move one entry; False if the source is absent. An existing target is refused."""
        hits = self.find(source, within)
        if not hits:
            return False
        container, name = self.reach(target, within)
        self.relocate(hits[0], container, name)
        return True

    def insert(self, path: str, at: int, value: Any, within: Any = MISSING) -> None:
        """Insert an item into the list at ``path`` before position ``at``."""
        sequence = self.get(path, within=within)
        if not isinstance(sequence, Sequence):
            raise Refused(
                "wrong_type", f"a list is expected, not {described(sequence)}", place=path
            )
        self.add(sequence, None, value, at)

    def append(self, path: str, value: Any, within: Any = MISSING) -> None:
        """Add an item at the end of the list at ``path``."""
        self.insert(path, 1 << 30, value, within)

    def wrap(self, path: str, under: str | None = None, within: Any = MISSING) -> int:
        """Put the value at ``path`` under a key of a new object, or into a new list."""
        if not paths.parse(path):
            self.enclose(None, self.root_entry, under)
            return 1
        hits = self.find(path, within)
        for hit in hits:
            self.enclose(hit.container, hit.entry, under)
        return len(hits)

    def reach(self, path: str | Path, within: Any = MISSING) -> tuple[Mapping, str]:
        """The mapping that holds the last key of a path, created if needed, and that key."""
        segments = paths.parse(path) if isinstance(path, str) else path
        if not segments or not isinstance(segments[-1], Key):
            raise Refused("path_invalid", f"a target must end in a key: `{path}`")
        if within is MISSING and self.root is None:
            self.replace_root({})
        here: Any = self.root if within is MISSING else within
        by: Hit | None = None
        for segment in segments[:-1]:
            here, by = self._descend(here, segment, by)
        if not isinstance(here, Mapping):
            raise Refused(
                "wrong_type",
                f"an object is expected here, not {described(here)}",
                place=by.shown if by is not None else name_of(here),
            )
        return here, segments[-1].name

    def _descend(self, here: Any, segment: paths.Segment, by: Hit | None) -> tuple[Any, Hit | None]:
        hits = self.step(here, segment, False, by)
        if isinstance(segment, Index) and not hits:
            raise Refused("wrong_type", f"the list has no item [{segment.at}]", place=name_of(here))
        if not isinstance(segment, Key | Index):
            raise Refused("path_invalid", "a target path takes no wildcards")
        if hits and hits[0].entry.value is not None:
            value = self.enter(hits[0])
            if not isinstance(value, Mapping | Sequence):
                raise Refused(
                    "wrong_type",
                    f"{described(value)} is in the way of the target",
                    place=hits[0].shown,
                )
            return value, hits[0]
        if hits:
            self.replace(hits[0].container, hits[0].entry, {})
            return hits[0].entry.value, hits[0]
        assert isinstance(segment, Key)
        entry = self.add(here, segment.name, {})
        return entry.value, Hit(here, entry)

    # --- writing by place: the journalled primitives

    def put(self, container: Mapping, name: str, value: Any) -> None:
        """Set a key of a mapping: replace its value, or add it at the end."""
        entry = container.entries.get(name)
        if entry is None:
            self.add(container, name, value)
        else:
            self.replace(container, entry, value)

    def add(
        self, container: Container, name: str | None, value: Any, at: int | None = None
    ) -> Entry:
        """Add a new entry before position ``at``, or at the end."""
        self.guard(container)
        if isinstance(container, Mapping):
            self.once(container, str(name))
        if self.merges and isinstance(container, Mapping) and name == "<<":
            raise Refused(
                "merge_key",
                "a migration must not write a merge key (<<)",
                place=shown(container),
            )
        size = len(container.entries)
        at = size if at is None else min(at, size)
        entry = Entry(name, build(self, plain(value)))
        container.attach(entry, at)
        self.changes.append(Change("added", Hit(container, entry).place, at=at, new=plain(value)))
        return entry

    def remove(self, container: Container, entry: Entry, *, leave_comments: bool = False) -> None:
        """Remove an entry.

        A key that hides a merged one is refused: the merged one would become visible.
        ``leave_comments``: its comments go along with the container when that moves.
        """
        self.guard(container)
        self._shows_merged(container, entry)
        self._release_anchors(entry)
        place = Hit(container, entry).place
        old = plain(entry.value)
        at = container.detach(entry)
        if leave_comments and container.entry is not None:
            carry(container.entry, entry)
        span = _span(entry.node)
        change = Change("removed", place, at=at, old=old, span=span, leave_comments=leave_comments)
        self.changes.append(change)

    def replace(
        self, container: Container, entry: Entry, value: Any, *, keep_tag: bool = False
    ) -> None:
        """Give an entry another value.

        An equal value of the same type is not a change; the entries of a list or an object
        that are in the new one, too, stay as they are written. ``keep_tag``: a new text has
        the tag of the old one.
        """
        if same_value(entry.value, value):
            return
        self.guard(container, entry)
        if apply_difference(self, entry, value):
            return
        change = Change(
            "replaced",
            Hit(container, entry).place,
            at=container.position(entry),
            old=plain(entry.value),
            new=plain(value),
            span=_span(entry.node),
            keep_tag=keep_tag,
        )
        self._release_anchors(entry)
        node = entry.node
        if not keep_tag:
            entry.tag = None
        elif node is not None:
            entry.tag = node.tag
        entry.value = build(self, plain(value))
        entry.node = None
        container.refresh(entry)
        self.changes.append(change)
        if node is not None and id(node) in self.aliased:
            self._change_aliases(node, entry.value)

    def _release_anchors(self, entry: Entry) -> None:
        """Count the aliases that go with an entry: a value whose last alias went is not shared."""
        if not self.aliased:
            return
        entries = [entry]
        if isinstance(entry.value, Mapping | Sequence) and not (entry.node and entry.node.alias):
            entries += [inner for _, inner in walk_entries(entry.value)]
        for gone in entries:
            anchored = self.alias_of.get(id(gone.node)) if gone.node is not None else None
            if anchored is None:
                continue
            left = self.aliased[id(anchored)] - 1
            if left:
                self.aliased[id(anchored)] = left
            else:
                del self.aliased[id(anchored)]

    def _change_aliases(self, anchored: SourceNode, value: Any) -> None:
        """What points at a changed anchor has its new value."""
        for container, entry in list(walk_entries(self.root)):
            if entry.node is not None and self.alias_of.get(id(entry.node)) is anchored:
                entry.value = value
                container.refresh(entry)

    def replace_root(self, value: Any) -> None:
        """Give an empty document a value."""
        old = plain(self.root)
        self.root_entry.value = build(self, plain(value))
        self.root_entry.node = None
        self.changes.append(Change("replaced", (), old=old, new=plain(value)))

    def relocate(
        self, hit: Hit, target: Container, name: str | None, at: int | None = None
    ) -> None:
        """Move an entry to another place, text and comments included.

        Under the same parent a new name keeps the place; elsewhere the entry goes before ``at``
        or to the end. Raises ``Refused`` if the name is taken (``target_exists``) or the target
        lies inside the entry itself (``move_into_itself``).
        """
        self.guard(hit.container)
        self.guard(target)
        entry, place = hit.entry, hit.place
        if isinstance(target, Mapping):
            assert name is not None
            self.once(target, name)
            if name in target.entries:
                if target.entries[name] is entry:
                    return
                raise Refused(
                    "target_exists",
                    f"the target `{name}` exists already",
                    place=shown(target),
                    fix="set `on_conflict` to keep, overwrite or append",
                )
        if self.merges and name == "<<":
            raise Refused(
                "merge_key",
                "a migration must not write a merge key (<<)",
                place=shown(target),
            )
        self.check_target(hit, target)
        self._shows_merged(hit.container, entry)
        old_at = hit.container.position(entry)
        if target is hit.container and isinstance(target, Mapping) and at is None:
            assert name is not None
            target.rename(entry, name)
        else:
            hit.container.detach(entry)
            entry = land(entry, target, name, at)
        moved = Hit(target, entry)
        self.changes.append(
            Change("moved", place, at=old_at, to=moved.place, to_at=target.position(entry))
        )

    def check_target(self, hit: Hit, target: Container) -> None:
        """Raises ``Refused`` if an entry cannot move into a container.

        It cannot if the container lies inside the entry, or if an alias would leave its
        document.
        """
        here: Container | None = target
        while here is not None:
            if here is hit.entry.value:
                raise Refused(
                    "move_into_itself", "a value cannot move into itself", place=hit.shown
                )
            here = here.up
        if self.stream and self.alias_of and self._part(hit.container) is not self._part(target):
            value = hit.entry.value
            inner = walk_entries(value) if isinstance(value, Mapping | Sequence) else ()
            for node in (hit.entry.node, *(c.node for _, c in inner)):
                if node is not None and (node.alias is not None or node.anchor is not None):
                    raise Refused(
                        "alias_leaves_document",
                        "an anchor or alias would move to another document of the stream",
                        place=hit.shown,
                        fix="write the value out at this place first",
                    )

    def _part(self, container: Container) -> Container:
        """The document of a stream that a container belongs to."""
        while container.up is not None and container.up is not self.root:
            container = container.up
        return container

    def holds(self, hit: Hit) -> bool:
        """Whether a place that was found is still in the tree."""
        container, entry = hit.container, hit.entry
        while container.has(entry):
            if container is self.root:
                return True
            if container.up is None or container.entry is None:
                return False
            entry = container.entry
            container = container.up
        return False

    def enclose(self, container: Container | None, entry: Entry, under: str | None) -> None:
        """Put the value of an entry under a key of a new object, or into a new list."""
        if container is not None:
            self.guard(container)
        place = Hit(container, entry).place if container is not None else ()
        outer: Container = Mapping(self) if under is not None else Sequence(self)
        inner = Entry(under, entry.value, entry.node)
        inner.tag = entry.tag
        outer.attach(inner)
        entry.value = outer
        entry.node = entry.tag = None
        if container is not None:
            container.refresh(entry)
        self.changes.append(Change("wrapped", place, under=under))

    def expose(self, container: Container | None, entry: Entry) -> None:
        """Put the one entry of an object, or the one item of a list, in the place of it.

        Raises ``Refused`` (``wrong_type``) for anything else than one entry.
        """
        if container is not None:
            self.guard(container, entry)
        place = Hit(container, entry).place if container is not None else ()
        outer = entry.value
        if not isinstance(outer, Mapping | Sequence) or len(outer) != 1:
            raise Refused("wrong_type", "exactly one entry is expected here", place=show(place))
        if entry.node is not None and entry.node.alias is not None:
            raise Refused(
                "through_alias", f"the value is the alias *{entry.node.alias}", place=show(place)
            )
        inner = entries_of(outer)[0]
        outer.detach(inner)
        carry(entry, inner)
        entry.value = inner.value
        entry.node = inner.node
        entry.tag = inner.tag
        if container is not None:
            container.refresh(entry)
        elif isinstance(entry.value, Mapping | Sequence):
            entry.value.up = entry.value.entry = None
        self.changes.append(Change("unwrapped", place, under=inner.name))

    def _shows_merged(self, container: Container, entry: Entry) -> None:
        if not isinstance(container, Mapping) or entry.name in (None, "<<"):
            return
        if "<<" in container and self._merged(container, str(entry.name)):
            raise Refused(
                "merge_only_key",
                f"without its own `{entry.name}` the mapping would show the merged one (<<)",
                place=Hit(container, entry).shown,
                fix="migrate the merged mapping by hand",
            )

    def guard(self, container: Container, entry: Entry | None = None) -> None:
        """Refuse an edit of anything that other places of the document point at."""
        if self.allow_shared or not self.aliased:
            return
        source_nodes = [entry.node] if entry is not None else []
        here: Container | None = container
        while here is not None:
            source_nodes.append(here.source_node)
            here = here.up
        for source_node in source_nodes:
            if source_node is not None and id(source_node) in self.aliased:
                raise Refused(
                    "shared_node",
                    f"the value is anchored as &{source_node.anchor} and used elsewhere",
                    place=shown(container) if entry is None else Hit(container, entry).shown,
                    fix="set `allow_shared: true` if every use is to change",
                )


def _span(node: SourceNode | None) -> tuple[int, int] | None:
    return (node.start, node.end) if node is not None else None


def document_of(container: Container) -> Document:
    """The document that a container belongs to."""
    owner = container.document
    assert isinstance(owner, Document)
    return owner
