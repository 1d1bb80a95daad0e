"""Operations that change where things are: move, delete, set, default, wrap_list, nest, gather."""

from __future__ import annotations

from typing import Any, Literal

from confmig.documents import path as paths
from confmig.documents.document import Document
from confmig.documents.lookup import Hit
from confmig.documents.operations.base import (
    AnyPath,
    Context,
    OnePath,
    Strict,
    TypeName,
    expect,
    one,
)
from confmig.documents.path import show
from confmig.documents.tree import (
    Sequence,
    kind_of,
    plain,
    same_value,
)
from confmig.errors import Refused

OnConflict = Literal["error", "keep", "overwrite", "append", "append_unique", "prepend"]


class Move(Strict):
    """Give an entry another path. The same parent: a rename in place; another: it is appended.

    ``type``: what the value must be (null counts as that type's zero value). ``wrap``: a value
    that is no list becomes a one-item list. ``on_conflict`` says what to do if the target exists.
    """

    source: OnePath
    to: OnePath
    on_conflict: OnConflict = "error"
    wrap: bool = False
    type: TypeName | None = None

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "from" if n == "source" else n
    }

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Move the entry if it is there."""
        hit = one(document, self.source, scope)
        if hit is None:
            return
        expect(document, hit, self.type)
        if self.wrap and not isinstance(hit.cell.value, Sequence):
            document.enclose(hit.container, hit.cell, None)
        container, name = document.reach(self.to, scope)
        cell = container.cells.get(name)
        if cell is hit.cell:
            return
        if cell is None:
            document.relocate(hit, container, name)
            return
        target = Hit(container, cell)
        if self.on_conflict == "overwrite":
            at = container.position(cell)
            document.remove(container, cell)
            if container is hit.container:
                document.relocate(hit, container, name)
            else:
                document.relocate(hit, container, name, at)
        elif self.on_conflict == "keep" or (
            self.on_conflict == "error" and same_value(cell.value, hit.cell.value)
        ):
            document.remove(hit.container, hit.cell)
        elif self.on_conflict == "error":
            raise Refused(
                "target_exists",
                f"{self.source} cannot move to {self.to}: both are there with different values",
                place=show(target.place),
                fix="remove one of the two, or say on_conflict in the migration",
            )
        else:
            self._join(document, hit, target)

    def _join(self, document: Document, hit: Hit, target: Hit) -> None:
        into = target.cell.value
        if not isinstance(into, Sequence):
            raise Refused(
                "wrong_type",
                f"on_conflict: {self.on_conflict} needs a list at the target, not {kind_of(into)}",
                place=show(target.place),
            )
        value = hit.cell.value
        items = plain(value) if isinstance(value, Sequence) else [plain(value)]
        document.remove(hit.container, hit.cell)
        at = 0 if self.on_conflict == "prepend" else None
        for item in reversed(items) if at == 0 else items:
            if self.on_conflict == "append_unique" and any(same_value(item, x) for x in into):
                continue
            document.add(into, None, item, at)


class Delete(Strict):
    """Remove every place the path names. ``prune_empty`` removes parents left empty by it."""

    path: AnyPath
    prune_empty: bool = False

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Remove what is there."""
        for hit in reversed(document.find(self.path, scope)):
            document.remove(hit.container, hit.cell)
            here = hit.container
            while (
                self.prune_empty and not len(here) and here.up is not None and here.cell is not None
            ):
                parent, cell = here.up, here.cell
                document.remove(parent, cell)
                here = parent


class Set(Strict):
    """Give a place a value; missing parents are created."""

    path: OnePath
    value: Any

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Set the value; an equal value of the same type is no change."""
        document.set(self.path, self.value, scope)


class Default(Strict):
    """Give a place a value only if it is absent. An explicit null is not absent."""

    path: OnePath
    value: Any

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Set the value if the place is absent."""
        if not document.find(self.path, scope):
            document.set(self.path, self.value, scope)


class WrapList(Strict):
    """Make a value the one item of a new list. A list stays as it is, unless
    ``existing_list: wrap``."""

    path: AnyPath
    existing_list: Literal["keep", "wrap"] = "keep"

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Wrap every value the path names."""
        for hit in document.find(self.path, scope):
            if self.existing_list == "wrap" or not isinstance(hit.cell.value, Sequence):
                document.enclose(hit.container, hit.cell, None)


class Nest(Strict):
    """Put a value under a key of a new object that takes its place."""

    path: OnePath
    under: str
    type: TypeName | None = None

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Nest the value if it is there."""
        if not paths.parse(self.path):
            document.enclose(None, document.root_cell, self.under)
            return
        hit = one(document, self.path, scope)
        if hit is not None:
            expect(document, hit, self.type)
            document.enclose(hit.container, hit.cell, self.under)


class Gather(Strict):
    """Collect the values of several keys in one list.

    In document order, or as listed with ``order: listed``. ``keep`` leaves the keys where they
    are; ``skip_empty`` leaves out null and empty text; with ``even_if_none`` the list is written
    when there is nothing to collect.
    """

    sources: list[OnePath]
    to: OnePath
    order: Literal["document", "listed"] = "document"
    keep: bool = False
    skip_empty: bool = False
    even_if_none: bool = False
    on_conflict: Literal["error", "overwrite", "append", "append_unique"] = "error"
    type: TypeName | None = None

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "from" if n == "sources" else n
    }

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Collect what is there."""
        hits = [h for h in (one(document, p, scope) for p in self.sources) if h is not None]
        if not hits and not self.even_if_none:
            return
        for hit in hits:
            expect_item(document, hit, self.type)
        if self.order == "document":
            hits.sort(key=_position)
        values: list[Any] = []
        for hit in hits:
            value = hit.cell.value
            values.extend(plain(value) if isinstance(value, Sequence) else [plain(value)])
        if self.skip_empty:
            values = [v for v in values if v is not None and v != ""]
        if not self.keep:
            for hit in hits:
                document.remove(hit.container, hit.cell)
        target = one(document, self.to, scope)
        if target is None or self.on_conflict == "overwrite":
            document.set(self.to, values, scope)
            return
        into = target.cell.value
        if self.on_conflict == "error":
            if not same_value(plain(into), values):
                raise Refused(
                    "target_exists", f"{self.to} exists already", place=show(target.place)
                )
            return
        if not isinstance(into, Sequence):
            raise Refused(
                "wrong_type", f"a list is expected, not {kind_of(into)}", place=show(target.place)
            )
        for value in values:
            if self.on_conflict == "append" or not any(same_value(value, x) for x in into):
                document.add(into, None, value)


def expect_item(document: Document, hit: Hit, wanted: TypeName | None) -> None:
    """Like ``expect``, but a null is left as it is: the gatherer decides about it."""
    if hit.cell.value is not None:
        expect(document, hit, wanted)


def _position(hit: Hit) -> tuple[int, ...]:
    out = [hit.container.position(hit.cell)]
    here = hit.container
    while here.up is not None and here.cell is not None:
        out.append(here.up.position(here.cell))
        here = here.up
    return tuple(reversed(out))
