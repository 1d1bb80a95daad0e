"""The way back: the inverse of a change journal, on a document that may have been edited since.

Each change is undone at the place it made, from the last to the first. Where the document no
longer shows what the change left (an edited value, a place that is gone or taken), that is a
conflict and nothing is undone: the caller drops the tree. Removed values come back as values;
their comments and their own formatting went with them.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import Any

from confmig.documents.document import Document
from confmig.documents.journal import Change
from confmig.documents.lookup import Hit
from confmig.documents.path import Place, show
from confmig.documents.tree import Cell, Container, Mapping, Sequence, same_value
from confmig.errors import Refused


def undo(document: Document, changes: Items[Change]) -> None:
    """Take the changes back on the tree. Raises ``Refused`` (``journal_conflict``)."""
    for change in reversed(changes):
        _undo(document, change)


def _undo(document: Document, change: Change) -> None:
    if change.kind == "moved":
        _undo_move(document, change)
        return
    if not change.place:
        _undo_root(document, change)
        return
    container = _container(document, change.place)
    last = change.place[-1]
    name = last if isinstance(last, str) else None
    if change.kind == "removed":
        if name is not None and name in container:
            raise _conflict(change.place, "something else is there now")
        document.add(container, name, change.old, change.at)
        return
    cell = _cell(container, change.place)
    if change.kind == "added":
        if not same_value(cell.value, change.new):
            raise _conflict(change.place, "it was edited since")
        document.remove(container, cell)
    elif change.kind == "replaced":
        if not same_value(cell.value, change.new):
            raise _conflict(change.place, "it was edited since")
        document.replace(container, cell, change.old)
    elif change.kind == "wrapped":
        _only(cell, change)
        document.expose(container, cell)
    else:
        document.enclose(container, cell, change.under)


def _undo_root(document: Document, change: Change) -> None:
    cell = document.root_cell
    if change.kind == "wrapped":
        _only(cell, change)
        document.expose(None, cell)
    elif change.kind == "unwrapped":
        document.enclose(None, cell, change.under)
    elif change.kind == "replaced" and same_value(cell.value, change.new):
        document.replace_root(change.old)
    else:
        raise _conflict((), "it was edited since")


def _undo_move(document: Document, change: Change) -> None:
    if not change.to or not change.place:
        raise _conflict(change.to, "the journal names no place")
    container = _container(document, change.to)
    cell = _cell(container, change.to)
    target = _container(document, change.place)
    last = change.place[-1]
    name = last if isinstance(last, str) else None
    taken = target.cells.get(name) if isinstance(target, Mapping) and name is not None else None
    if taken is not None and taken is not cell:
        raise _conflict(change.place, "something else is there now")
    if target is container and name is not None:
        document.relocate(Hit(container, cell), target, name)
    else:
        document.relocate(Hit(container, cell), target, name, change.at)


def _only(cell: Cell, change: Change) -> None:
    """A wrapping can be taken off only if nothing came beside what it wraps."""
    value = cell.value
    fits = isinstance(value, Sequence) if change.under is None else isinstance(value, Mapping)
    if not fits or len(value) != 1 or (change.under is not None and change.under not in value):
        raise _conflict(change.place, "it was edited since")


def _container(document: Document, place: Place) -> Container:
    value: Any = document.root
    for part in place[:-1]:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            raise _conflict(place, "the place is gone") from None
    last = place[-1]
    if not isinstance(value, Mapping if isinstance(last, str) else Sequence):
        raise _conflict(place, "the place is gone")
    return value


def _cell(container: Container, place: Place) -> Cell:
    last = place[-1]
    if isinstance(container, Mapping) and isinstance(last, str) and last in container.cells:
        return container.cells[last]
    if isinstance(container, Sequence) and isinstance(last, int) and last < len(container):
        return container.cells[last]
    raise _conflict(place, "the place is gone")


def _conflict(place: Place, why: str) -> Refused:
    return Refused(
        "journal_conflict",
        f"a change cannot be taken back: {why}",
        place=show(place),
        fix="put this place back as the migration left it, or edit the file by hand",
    )
