"""The documents that one migration changes together: paths begin with the name of a configuration.

``app:server.port`` is ``server.port`` in the document of ``app``. A ``DocumentSet`` sends every
look-up and change to the document concerned, which journals and guards it as always. Only a move
from one document to another is its own: the value is written anew there and removed here; its
comments do not go along, and are in the loss ledger.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any

from confmig.documents.model.document import Document, document_of
from confmig.documents.model.lookup import MISSING, Hit
from confmig.documents.model.path import Path, Segment
from confmig.documents.model.tree import Container, Entry, Mapping, Sequence, walk_entries
from confmig.documents.model.values import Date, plain
from confmig.errors import Refused


def address(path: str, configs: Map[str, Any] | tuple[str, ...]) -> tuple[str, str] | None:
    """The configuration and the path in it that ``app:server.port`` names, or None."""
    name, colon, rest = path.partition(":")
    return (name, rest) if colon and name in configs else None


class DocumentSet:
    """The documents of several configurations, by name, as one ``Editor``."""

    def __init__(self, documents: Map[str, Document]) -> None:
        self.documents = documents

    @property
    def root(self) -> Any:
        """Nothing: several documents have no common root."""
        return None

    @property
    def root_entry(self) -> Entry:
        """Raises ``RuntimeError``: the whole of a set cannot be nested or hoisted."""
        raise RuntimeError("several documents have no common root")

    def _at(self, path: str | Path, within: Any) -> tuple[Document, str | Path, Any]:
        """The document, the path in it and where that starts.

        A path without a name starts at ``within``, as below ``for_each``.
        """
        found = address(path, self.documents) if isinstance(path, str) else None
        if found is not None:
            return self.documents[found[0]], found[1], MISSING
        if isinstance(within, Mapping | Sequence):
            return document_of(within), path, within
        raise Refused(
            "path_invalid",
            f"`{path}` does not name its configuration",
            fix=f"begin it with one of {', '.join(n + ':' for n in self.documents)}",
        )

    def permit_shared(self, allowed: bool) -> None:
        """Set whether shared values may be changed, in all documents of the set."""
        for document in self.documents.values():
            document.permit_shared(allowed)

    # --- looking up

    def find(self, path: str | Path, within: Any = MISSING, *, lenient: bool = False) -> list[Hit]:
        """Every place the path names in its document."""
        document, path, within = self._at(path, within)
        return document.find(path, within, lenient=lenient)

    def read(self, path: str | Path, within: Any = MISSING) -> list[Hit]:
        """Every place the path names in its document, as a reader sees it."""
        document, path, within = self._at(path, within)
        return document.read(path, within)

    def reach(self, path: str | Path, within: Any = MISSING) -> tuple[Mapping, str]:
        """The mapping that holds the last key of a path, in the document it names."""
        document, path, within = self._at(path, within)
        return document.reach(path, within)

    def step(self, value: Any, segment: Segment, lenient: bool, by: Hit | None = None) -> list[Hit]:
        """The places that one segment names in a value."""
        return self._owner(value).step(value, segment, lenient, by)

    def enter(self, hit: Hit) -> Any:
        """The value of a place on the way to another."""
        return document_of(hit.container).enter(hit)

    def clear(self, hit: Hit) -> Any:
        """The value of a place that is compared or changed."""
        return document_of(hit.container).clear(hit)

    def holds(self, hit: Hit) -> bool:
        """Whether a place is still in its document."""
        return document_of(hit.container).holds(hit)

    def _owner(self, value: Any) -> Document:
        """The document of a container; any one for a scalar, in which no place is found."""
        if isinstance(value, Mapping | Sequence):
            return document_of(value)
        return next(iter(self.documents.values()))

    # --- changing

    def set(self, path: str, value: Any, within: Any = MISSING) -> None:
        """Give the place a value in the document that the path names."""
        document, inner, within = self._at(path, within)
        container, name = document.reach(inner, within)
        document.put(container, name, value)

    def add(
        self, container: Container, name: str | None, value: Any, at: int | None = None
    ) -> Entry:
        """Add an entry in the container's document."""
        return document_of(container).add(container, name, value, at)

    def remove(self, container: Container, entry: Entry, *, leave_comments: bool = False) -> None:
        """Remove an entry from the container's document."""
        document_of(container).remove(container, entry, leave_comments=leave_comments)

    def replace(
        self, container: Container, entry: Entry, value: Any, *, keep_tag: bool = False
    ) -> None:
        """Give an entry another value in the container's document."""
        document_of(container).replace(container, entry, value, keep_tag=keep_tag)

    def enclose(self, container: Container | None, entry: Entry, under: str | None) -> None:
        """Put a value under a key or into a list."""
        assert container is not None
        document_of(container).enclose(container, entry, under)

    def expose(self, container: Container | None, entry: Entry) -> None:
        """Put the one entry of a container in its place."""
        assert container is not None
        document_of(container).expose(container, entry)

    def check_target(self, hit: Hit, target: Container) -> None:
        """Refuse a move that its documents cannot express."""
        if hit.container.document is target.document:
            document_of(target).check_target(hit, target)
            return
        value = hit.entry.value
        inner = walk_entries(value) if isinstance(value, Mapping | Sequence) else ()
        for entry in (hit.entry, *(c for _, c in inner)):
            node = entry.node
            if entry.tag or (node is not None and (node.alias or node.anchor or node.tag)):
                raise Refused(
                    "value_leaves_document",
                    "a value with an anchor, an alias or a tag cannot move to another file",
                    place=hit.shown,
                    fix="write the value out at this place first",
                )

    def relocate(
        self, hit: Hit, target: Container, name: str | None, at: int | None = None
    ) -> None:
        """Move an entry; from one document to another its value is written anew."""
        source, other = document_of(hit.container), document_of(target)
        if source is other:
            source.relocate(hit, target, name, at)
            return
        self.check_target(hit, target)
        if isinstance(target, Mapping) and name in target.entries:
            raise Refused(
                "target_exists",
                f"the target `{name}` exists already",
                place=Hit(target, target.entries[name]).shown,
                fix="set `on_conflict` to keep, overwrite or append",
            )
        value = plain(hit.entry.value)
        other.add(target, name, value if other.format == "toml" else _undated(value), at)
        source.remove(hit.container, hit.entry)


def _undated(value: Any) -> Any:
    """A value for a format that has no dates of its own: their text."""
    if isinstance(value, Date):
        return str(value)
    if isinstance(value, dict):
        return {name: _undated(inner) for name, inner in value.items()}
    return [_undated(inner) for inner in value] if isinstance(value, list) else value
