"""Operations that change where things are.

They are move, delete, set, default, nest, hoist and rename_section.
"""

from __future__ import annotations

from typing import Any, Literal

from confmig.documents.model import path as paths
from confmig.documents.model.editor import Editor
from confmig.documents.model.lookup import MISSING, Hit
from confmig.documents.model.path import Key
from confmig.documents.model.tree import Mapping, Sequence, entries_of
from confmig.documents.model.values import described, plain, same_value
from confmig.documents.operations.base import (
    AnyPath,
    Context,
    OnePath,
    RootPath,
    Strict,
    TypeName,
    expect,
    one,
)
from confmig.errors import Refused

OnConflict = Literal["error", "keep", "overwrite", "append", "append_unique", "prepend"]


class Move(Strict):
    """Give an entry another path. The same parent: a rename in place; another: it is appended.

    ``type``: what the value must be (null counts as that type's zero value). ``wrap``: a value
    that is not a list becomes a one-item list. ``on_conflict``: what to do if the target exists.
    """

    source: OnePath
    to: OnePath
    on_conflict: OnConflict = "error"
    wrap: bool = False
    type: TypeName | None = None

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "from" if n == "source" else n
    }

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Move the entry if it is there."""
        hit = one(document, self.source, scope)
        if hit is None:
            return
        expect(document, hit, self.type)
        if self.wrap and not isinstance(hit.entry.value, Sequence):
            document.enclose(hit.container, hit.entry, None)
        container, name = document.reach(self.to, scope)
        entry = container.entries.get(name)
        if entry is hit.entry:
            return
        document.check_target(hit, container)
        if entry is None:
            document.relocate(hit, container, name)
            return
        target = Hit(container, entry)
        if self.on_conflict == "overwrite":
            self._overwrite(document, hit, target)
        elif self.on_conflict == "keep" or (
            self.on_conflict == "error" and same_value(entry.value, hit.entry.value)
        ):
            document.remove(hit.container, hit.entry)
        elif self.on_conflict == "error":
            raise Refused(
                "target_exists",
                f"{self.source} cannot move to {self.to}: both are there with different values",
                place=target.shown,
                fix="remove one of the two, or set `on_conflict` in the migration",
            )
        else:
            self._join(document, hit, target)

    def _join(self, document: Editor, hit: Hit, target: Hit) -> None:
        into = target.entry.value
        if not isinstance(into, Sequence):
            raise Refused(
                "wrong_type",
                f"`on_conflict: {self.on_conflict}` needs a list at the target, "
                f"not {described(into)}",
                place=target.shown,
            )
        document.check_target(hit, into)
        unique = self.on_conflict == "append_unique"
        join(document, hit, into, at=0 if self.on_conflict == "prepend" else None, unique=unique)

    def _overwrite(self, document: Editor, hit: Hit, target: Hit) -> None:
        container, entry = target.container, target.entry
        assert isinstance(container, Mapping)
        name, at = str(entry.name), container.position(entry)
        if container is hit.container:
            document.remove(container, entry)
            document.relocate(hit, container, name)
            return
        passing = name + "_"
        while passing in container:
            passing += "_"
        document.relocate(hit, container, passing, at)  # it may come out of what it overwrites
        document.remove(container, entry)
        moved = container.entries[passing]
        document.relocate(Hit(container, moved), container, name)


def join(document: Editor, hit: Hit, into: Sequence, *, at: int | None, unique: bool) -> None:
    """Put a value, or the items of a list, into another list, as they are written.

    The entry they come from goes. ``unique`` leaves out what is there already.
    """
    value = hit.entry.value
    alias = hit.entry.node is not None and hit.entry.node.alias is not None
    document.check_target(hit, into)
    if isinstance(value, Sequence) and alias:
        for item in plain(value):
            if not (unique and any(same_value(item, x) for x in into)):
                document.add(into, None, item, at)
                at = None if at is None else at + 1
    elif isinstance(value, Sequence):
        for entry in list(entries_of(value)):
            if not (unique and any(same_value(entry.value, x) for x in into)):
                document.relocate(Hit(value, entry), into, None, at)
                at = None if at is None else at + 1
    elif not (unique and any(same_value(value, x) for x in into)):
        document.relocate(hit, into, None, at)
        return
    document.remove(hit.container, hit.entry)


class Delete(Strict):
    """Remove every place the path names. ``prune_empty`` removes parents left empty by it."""

    path: AnyPath
    prune_empty: bool = False

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Remove what is there."""
        for hit in reversed(document.find(self.path, scope)):
            if not document.holds(hit):
                continue  # it went with what it was in
            document.remove(hit.container, hit.entry)
            here = hit.container
            while (
                self.prune_empty
                and not len(here)
                and here.up is not None
                and here.entry is not None
            ):
                parent, entry = here.up, here.entry
                document.remove(parent, entry)
                here = parent


class Set(Strict):
    """Give a place a value; missing parents are created."""

    path: OnePath
    value: Any

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Set the value; an equal value of the same type is not a change."""
        document.set(self.path, self.value, scope)


class Default(Strict):
    """Give a place a value only if it is absent.

    An explicit null is not absent, nor is a key that comes through a merge key.
    """

    path: OnePath
    value: Any

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Set the value if the place is absent."""
        if not document.read(self.path, scope):
            document.set(self.path, self.value, scope)


def is_whole(document: Editor, scope: Any) -> bool:
    """Whether an operation works on the whole document, not on an item of ``for_each``."""
    return scope is MISSING or scope is document.root


def the_place(document: Editor, path: str, scope: Any) -> Hit | None:
    """The place a path names; the empty path names the item that ``for_each`` is at."""
    if paths.parse(path):
        return one(document, path, scope)
    return Hit(scope.up, scope.entry)


class Nest(Strict):
    """Put a value under a key of a new object that takes its place."""

    path: RootPath
    under: str
    type: TypeName | None = None

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Nest the value if it is there."""
        if not paths.parse(self.path) and is_whole(document, scope):
            document.enclose(None, document.root_entry, self.under)
            return
        hit = the_place(document, self.path, scope)
        if hit is not None:
            expect(document, hit, self.type)
            document.enclose(hit.container, hit.entry, self.under)


class Hoist(Strict):
    """Put the value under a key of an object in the object's place: the way back from ``nest``.

    Other keys of the object are an error, unless ``others: drop``. An object without the key
    stays as it is.
    """

    path: RootPath
    key: str
    others: Literal["error", "drop"] = "error"

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Hoist the value if it is there."""
        root = not paths.parse(self.path) and is_whole(document, scope)
        hit = None if root else the_place(document, self.path, scope)
        if hit is None and not root:
            return
        value = document.root if hit is None else document.enter(hit)
        place = "the document" if hit is None else hit.shown
        if value is None:
            return
        if not isinstance(value, Mapping):
            raise Refused(
                "wrong_type", f"an object is expected here, not {described(value)}", place=place
            )
        if not document.step(value, Key(self.key), False):
            return
        for name in [n for n in value if n != self.key]:
            if self.others == "error":
                raise Refused(
                    "hoist_others",
                    f"the object has other keys than `{self.key}`: `{name}`",
                    place=place,
                    fix="move them away first, or set `others: drop`",
                )
            document.remove(value, value.entries[name])
        document.expose(
            None if hit is None else hit.container,
            document.root_entry if hit is None else hit.entry,
        )


class RenameSection(Strict):
    """Give a section another name or place: a TOML table, an array of tables, an INI section.

    Where the target exists, the items of an array of tables go behind those that are there; two
    sections with different contents are an error.
    """

    source: OnePath
    to: OnePath

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "from" if n == "source" else n
    }

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Rename the section if it is there."""
        hit = one(document, self.source, scope)
        if hit is None:
            return
        value = document.enter(hit)
        if not isinstance(value, Mapping | Sequence):
            raise Refused(
                "wrong_type",
                f"a section is expected here, not {described(value)}",
                place=hit.shown,
            )
        container, name = document.reach(self.to, scope)
        document.check_target(hit, container)
        target = container.entries.get(name)
        if target is None:
            document.relocate(hit, container, name)
        elif isinstance(value, Sequence) and isinstance(target.value, Sequence):
            document.check_target(hit, target.value)
            join(document, hit, target.value, at=None, unique=False)
        elif target is not hit.entry:
            raise Refused(
                "target_exists",
                f"{self.source} cannot be renamed to {self.to}: both are there",
                place=Hit(container, target).shown,
                fix="merge the two sections by hand",
            )
