"""One object of a document, as a handler below ``for_each`` sees it: paths begin at the object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from confmig.documents.model.document import Document
from confmig.documents.model.journal import Change
from confmig.documents.model.lookup import Hit
from confmig.documents.model.tree import Mapping


class Item:
    """The object, with the methods of a ``Document``; every change goes through its document."""

    def __init__(self, document: Document, root: Mapping) -> None:
        self._document = document
        self.root = root

    @property
    def changes(self) -> list[Change]:
        """The journal of the whole document."""
        return self._document.changes

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a path without wildcards, or ``default``; never an error."""
        return self._document.get(path, default, self.root)

    def has(self, path: str) -> bool:
        """Whether the path names a place, even if its value is null."""
        return self._document.has(path, self.root)

    def find(self, path: str) -> list[Hit]:
        """Every place the path names."""
        return self._document.find(path, self.root)

    def set(self, path: str, value: Any) -> None:
        """Give the place a value; missing parents are created."""
        self._document.set(path, value, self.root)

    def delete(self, path: str) -> int:
        """Remove every place the path names; returns how many there were."""
        return self._document.delete(path, self.root)

    def rename(self, path: str, name: str) -> int:
        """Give every key the path names another name, in place."""
        return self._document.rename(path, name, self.root)

    def move(self, source: str, target: str) -> bool:
        """Move one entry; False if the source is absent."""
        return self._document.move(source, target, self.root)

    def insert(self, path: str, at: int, value: Any) -> None:
        """Insert an item into the list at ``path`` before position ``at``."""
        self._document.insert(path, at, value, self.root)

    def append(self, path: str, value: Any) -> None:
        """Add an item at the end of the list at ``path``."""
        self._document.append(path, value, self.root)

    def wrap(self, path: str, under: str | None = None) -> int:
        """Put the value at ``path`` under a key of a new object, or into a new list."""
        return self._document.wrap(path, under, self.root)

    def __contains__(self, key: object) -> bool:
        return key in self.root

    def __getitem__(self, key: str) -> Any:
        return self.root[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.root[key] = value

    def __delitem__(self, key: str) -> None:
        del self.root[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.root)

    def __len__(self) -> int:
        return len(self.root)
