"""Later edits placed by values: see ``rebase``.

A value that is in the old document, too, is changed there, and the old document is rendered: the
smallest edit.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confmig.documents import formats
from confmig.documents.model import tree
from confmig.documents.model.document import Document
from confmig.documents.model.path import show
from confmig.documents.model.tree import Container, Entry, Mapping, entries_of
from confmig.documents.model.values import described, plain, same_value
from confmig.errors import ConfmigError


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A text taken through the migrations again.

    The tree before rendering, whose values still know where they was in that text, and the tree
    of what was rendered.
    """

    tree: Document
    result: Document


Parse = Callable[[bytes], Document]
Forward = Callable[[bytes], Forwarded]


def by_values(
    base: bytes, wanted: Document, parse: Parse, forward: Forward
) -> tuple[bytes | None, int, list[str]]:
    """The base, with those values changed that differ from the wanted ones after migrating it.

    Also returns how many values were changed, and the places that have no counterpart in the
    base.
    """
    try:
        document = parse(base)
        forwarded = forward(base).tree
        places = _Values(document)
        places.bring(forwarded.root, wanted.root, ())
        if places.conflicts:
            return None, 0, places.conflicts
        return formats.render(document).data, len(document.changes), []
    except ConfmigError as error:
        place = error.place or (f"line {error.line}" if error.line else "the document")
        return None, 0, [f"{place}: {error.message}"]


class _Values:
    """Makes in a document the changes that lead its migrated tree to today's."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.conflicts: list[str] = []
        self.entries: dict[tuple[int, int], tuple[Container, Entry]] = {}
        self.containers: dict[tuple[int, int], Container] = {}
        root = document.root
        if isinstance(root, Mapping | tree.Sequence):
            self._learn(root)
            for container, entry in tree.walk_entries(root):
                if entry.node is not None and entry.node.alias is None:
                    self.entries.setdefault((entry.node.start, entry.node.end), (container, entry))
                if isinstance(entry.value, Mapping | tree.Sequence):
                    self._learn(entry.value)

    def _learn(self, container: Container) -> None:
        if container.source_node is not None:
            self.containers.setdefault(
                (container.source_node.start, container.source_node.end), container
            )

    def bring(self, have: Any, want: Any, place: tuple[str | int, ...]) -> None:
        """Make ``have`` (of the migrated tree) equal to ``want`` (of today's)."""
        if isinstance(have, Mapping) and isinstance(want, Mapping):
            self._mapping(have, want, place)
        elif isinstance(have, tree.Sequence) and isinstance(want, tree.Sequence):
            self._sequence(have, want, place)
        elif not same_value(have, want):
            self._conflict(place, "the whole document was replaced")

    def _conflict(self, place: tuple[str | int, ...], why: str) -> None:
        self.conflicts.append(f"{show(place) or 'the document'} ({why})")

    def _mapping(self, have: Mapping, want: Mapping, place: tuple[str | int, ...]) -> None:
        for name, entry in list(have.entries.items()):
            if name not in want.entries:
                self._remove(entry, (*place, name))
            else:
                self._entry(entry, want.entries[name].value, (*place, name))
        added = [name for name in want.entries if name not in have.entries]
        old = self._container(have) if added else None
        for name in added:
            if old is None:
                self._conflict((*place, name), "added to what the migration made")
            elif not isinstance(old, Mapping) or name in old.entries:
                self._conflict((*place, name), "the old file has another value there")
            else:
                self.document.add(old, name, plain(want.entries[name].value))

    def _entry(self, entry: Entry, want: Any, place: tuple[str | int, ...]) -> None:
        if same_value(plain(entry.value), plain(want)):
            return
        both = (entry.value, want)
        if all(isinstance(v, Mapping) for v in both) or all(
            isinstance(v, tree.Sequence) for v in both
        ):
            self.bring(entry.value, want, place)
            return
        found = self._old(entry)
        if found is None:
            self._conflict(place, "changed by the migration, too")
        else:
            self.document.replace(*found, plain(want))

    def _remove(self, entry: Entry, place: tuple[str | int, ...]) -> None:
        found = self._old(entry)
        if found is None:
            self._conflict(place, "removed, and the migration made it")
        else:
            self.document.remove(*found)

    def _sequence(
        self, have: tree.Sequence, want: tree.Sequence, place: tuple[str | int, ...]
    ) -> None:
        """Items are identified by their values, not by their positions."""
        a, b = ([_key(v) for v in items] for items in (have, want))
        entries = list(entries_of(have))
        old = self._container(have)
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(
            None, a, b, autojunk=False
        ).get_opcodes():
            if tag == "equal":
                continue
            same = min(i2 - i1, j2 - j1) if tag == "replace" else 0
            for offset in range(same):
                self._entry(entries[i1 + offset], want[j1 + offset], (*place, j1 + offset))
            for number in range(i1 + same, i2):
                self._remove(entries[number], (*place, number))
            at = self._position(entries[i1 + same - 1]) if i1 + same > 0 else -1
            for number in range(j1 + same, j2):
                if old is None or not isinstance(old, tree.Sequence) or at is None:
                    self._conflict((*place, number), f"{described(want[number])} was added")
                    continue
                at += 1
                self.document.add(old, None, plain(want[number]), at)

    def _position(self, entry: Entry) -> int | None:
        found = self._old(entry)
        return found[0].position(found[1]) if found is not None else None

    def _old(self, entry: Entry) -> tuple[Container, Entry] | None:
        """The entry of the old document that a value of the migrated tree came from."""
        node = entry.node
        if node is None or node.alias is not None or node.start == node.end:
            return None
        found = self.entries.get((node.start, node.end))
        return found if found is not None and self._is_there(*found) else None

    @staticmethod
    def _is_there(container: Container, entry: Entry) -> bool:
        return container.has(entry)

    def _container(self, container: Container) -> Container | None:
        source_node = container.source_node
        return (
            self.containers.get((source_node.start, source_node.end))
            if source_node is not None
            else None
        )


def _key(value: Any) -> str:
    return json.dumps(plain(value), sort_keys=True, default=str)
