"""Making the changes of a journal again, on a tree that is where the journal started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from confmig.documents.model.editor import Editor
from confmig.documents.model.journal import Change
from confmig.documents.model.lookup import Hit
from confmig.documents.model.path import Place
from confmig.documents.model.tree import Container, Entry, Mapping, Sequence, land
from confmig.errors import Refused


class Journalled(Editor, Protocol):
    """What a journal needs of the document that it changes."""

    changes: list[Change]

    def guard(self, container: Container, entry: Entry | None = None) -> None:
        """Refuse an edit of anything that other places of the document point at."""

    def replace_root(self, value: Any) -> None:
        """Give an empty document a value."""


def replay(document: Journalled, changes: Iterable[Change]) -> None:
    """Make the changes. Raises ``Refused`` (``journal_invalid``) for one that has no place."""
    for change in changes:
        _redo(document, change)


def _redo(document: Journalled, change: Change) -> None:
    if not change.place:
        if change.kind == "wrapped":
            document.enclose(None, document.root_entry, change.under)
        elif change.kind == "unwrapped":
            document.expose(None, document.root_entry)
        elif change.kind == "replaced":
            document.replace_root(change.new)
        else:
            raise _journal_invalid()
        return
    container = _container(document, change.place)
    last = change.place[-1]
    name = last if isinstance(last, str) else None
    if (name is None) != isinstance(container, Sequence):
        raise _journal_invalid()
    if change.kind == "added":
        document.add(container, name, change.new, change.at)
        return
    entry = _entry(container, last)
    if change.kind == "removed":
        document.remove(container, entry, leave_comments=change.leave_comments)
    elif change.kind == "replaced":
        document.replace(container, entry, change.new, keep_tag=change.keep_tag)
    elif change.kind == "wrapped":
        document.enclose(container, entry, change.under)
    elif change.kind == "unwrapped":
        document.expose(container, entry)
    else:
        _move(document, change, container, entry)


def _move(document: Journalled, change: Change, container: Container, entry: Entry) -> None:
    """``to`` names the place after the entry has left, so it is looked up then."""
    if not change.to:
        raise _journal_invalid()
    name = change.to[-1] if isinstance(change.to[-1], str) else None
    if name is not None and change.to[:-1] == change.place[:-1]:
        document.relocate(Hit(container, entry), container, name)
        return
    document.guard(container)
    container.detach(entry)
    target = _container(document, change.to)
    document.guard(target)
    if (name is None) != isinstance(target, Sequence) or (name is not None and name in target):
        raise _journal_invalid()
    land(entry, target, name, change.to_at)
    document.changes.append(change)


def _container(document: Journalled, place: Place) -> Container:
    value = document.root
    try:
        for part in place[:-1]:
            value = value[part]
    except (KeyError, IndexError, TypeError):
        raise _journal_invalid() from None
    if not isinstance(value, Mapping | Sequence):
        raise _journal_invalid()
    return value


def _entry(container: Container, last: str | int) -> Entry:
    if isinstance(container, Mapping) and isinstance(last, str) and last in container.entries:
        return container.entries[last]
    if isinstance(container, Sequence) and isinstance(last, int) and 0 <= last < len(container):
        return container.entries[last]
    raise _journal_invalid()


def _journal_invalid() -> Refused:
    return Refused("journal_invalid", "the journal names a place that does not exist")
