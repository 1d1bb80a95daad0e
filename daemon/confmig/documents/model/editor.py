"""What operations need of what they change: one document, or the documents of a set."""

from __future__ import annotations

from typing import Any, Protocol

from confmig.documents.model.lookup import MISSING, Hit
from confmig.documents.model.path import Path, Segment
from confmig.documents.model.tree import Container, Entry, Mapping


class Editor(Protocol):
    """Finds places and changes them. ``within``: where a path starts, if not at the root.

    See ``Document`` for what each method promises, and which errors it raises.
    """

    @property
    def root(self) -> Any:
        """The value of the whole document; None for a set, which has no common root."""

    @property
    def root_entry(self) -> Entry:
        """The entry of the whole document."""

    def permit_shared(self, allowed: bool) -> None:
        """Set whether values that other places point at may be changed from now on."""

    # --- looking up

    def find(self, path: str | Path, within: Any = MISSING, *, lenient: bool = False) -> list[Hit]:
        """Every place that the path names."""

    def read(self, path: str | Path, within: Any = MISSING) -> list[Hit]:
        """Every place that the path names, as a reader sees it."""

    def reach(self, path: str | Path, within: Any = MISSING) -> tuple[Mapping, str]:
        """The mapping that holds the last key of a path, created if it is absent; and the key."""

    def step(self, value: Any, segment: Segment, lenient: bool, by: Hit | None = None) -> list[Hit]:
        """The places that one segment names in a value."""

    def enter(self, hit: Hit) -> Any:
        """The value of a place on the way to another."""

    def clear(self, hit: Hit) -> Any:
        """The value of a place that is compared or changed."""

    def holds(self, hit: Hit) -> bool:
        """Whether a place is still in its document."""

    # --- changing

    def set(self, path: str, value: Any, within: Any = MISSING) -> None:
        """Give the place a value."""

    def add(
        self, container: Container, name: str | None, value: Any, at: int | None = None
    ) -> Entry:
        """Add a new entry."""

    def remove(self, container: Container, entry: Entry, *, leave_comments: bool = False) -> None:
        """Remove an entry."""

    def replace(
        self, container: Container, entry: Entry, value: Any, *, keep_tag: bool = False
    ) -> None:
        """Give an entry another value."""

    def check_target(self, hit: Hit, target: Container) -> None:
        """Refuse a move that cannot be expressed."""

    def relocate(
        self, hit: Hit, target: Container, name: str | None, at: int | None = None
    ) -> None:
        """Move an entry to another place."""

    def enclose(self, container: Container | None, entry: Entry, under: str | None) -> None:
        """Put a value under a key of a new mapping, or into a new list."""

    def expose(self, container: Container | None, entry: Entry) -> None:
        """Put the one entry of a container in its place."""
