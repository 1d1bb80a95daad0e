"""Operations on lists.

They are wrap_list, unwrap_list, add_item, insert_after, remove_items, gather, list_to_map and
map_to_list.
"""

from __future__ import annotations

from typing import Any, Literal

from confmig.documents.model import path as paths
from confmig.documents.model.editor import Editor
from confmig.documents.model.lookup import Hit
from confmig.documents.model.tree import Container, Mapping, Sequence, entries_of
from confmig.documents.model.values import described, plain, same_value
from confmig.documents.operations.base import (
    AnyPath,
    Context,
    OnePath,
    Strict,
    TypeName,
    expect,
    matches,
    one,
    the_list,
)
from confmig.documents.operations.structure import join
from confmig.errors import Refused


class WrapList(Strict):
    """Make a value the one item of a new list.

    A list stays as it is, unless ``existing_list: wrap``.
    """

    path: AnyPath
    existing_list: Literal["keep", "wrap"] = "keep"

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Wrap every value the path names."""
        for hit in document.find(self.path, scope):
            if self.existing_list == "wrap" or not isinstance(hit.entry.value, Sequence):
                document.enclose(hit.container, hit.entry, None)


class UnwrapList(Strict):
    """Put the one item of a list in the list's place; what is not a list stays as it is.

    ``many`` and ``empty`` say what happens to a list of several items and of none.
    """

    path: AnyPath
    many: Literal["error", "keep", "first", "last"] = "error"
    empty: Literal["error", "keep", "delete"] = "error"

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Unwrap every list the path names."""
        for hit in reversed(document.find(self.path, scope)):
            items = hit.entry.value
            if not isinstance(items, Sequence):
                continue
            if len(items) > 1 and self.many in ("first", "last"):
                keep = 0 if self.many == "first" else len(items) - 1
                for entry in [c for i, c in enumerate(entries_of(items)) if i != keep]:
                    document.remove(items, entry)
            if len(items) == 1:
                document.expose(hit.container, hit.entry)
            elif not len(items) and self.empty == "delete":
                document.remove(hit.container, hit.entry)
            elif (self.empty if not len(items) else self.many) == "error":
                raise Refused(
                    "not_one_item",
                    f"a list of one item is expected here, not of {len(items)}",
                    place=hit.shown,
                    fix="set `many` to first, last or keep, and `empty` to delete or keep",
                )


class AddItem(Strict):
    """Put an item into a list, at its end or start; an absent list is created.

    An equal item that is there already is enough, unless ``unique: false``.
    """

    path: OnePath
    value: Any
    at: Literal["end", "start"] = "end"
    unique: bool = True

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Add the item."""
        hit = one(document, self.path, scope)
        if hit is None:
            document.set(self.path, [self.value], scope)
            return
        items = the_list(document, hit)
        if items is None:
            document.replace(hit.container, hit.entry, [self.value])
        elif not (self.unique and any(same_value(i, self.value) for i in items)):
            document.add(items, None, self.value, 0 if self.at == "start" else None)


class InsertAfter(Strict):
    """Put an item into a list behind another one.

    That one is equal to ``after``, or is an object that has all the keys of ``after`` with
    equal values. ``if_missing`` says what happens where that one is not in the list.
    """

    path: OnePath
    after: Any
    value: Any
    if_missing: Literal["error", "skip", "append"] = "error"
    unique: bool = True

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Insert the item if the list is there."""
        hit = one(document, self.path, scope)
        items = None if hit is None else the_list(document, hit)
        if hit is None or items is None:
            return
        if self.unique and any(same_value(i, self.value) for i in items):
            return
        at = next((n for n, i in enumerate(items) if matches(i, self.after)), None)
        if at is not None:
            document.add(items, None, self.value, at + 1)
        elif self.if_missing == "append":
            document.add(items, None, self.value)
        elif self.if_missing == "error":
            raise Refused(
                "item_missing",
                "the item to insert behind is not in the list",
                place=hit.shown,
                fix="set `if_missing` to skip or append",
            )


class RemoveItems(Strict):
    """Remove items from lists.

    It removes items that are equal to one of ``values``, and objects that have all the keys of
    one of them with equal values. ``prune_empty`` removes a list left empty by it.
    """

    path: AnyPath
    values: list[Any]
    prune_empty: bool = False

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Remove what is there."""
        for hit in reversed(document.find(self.path, scope)):
            items = the_list(document, hit)
            if items is None:
                continue
            gone = [c for c in entries_of(items) if any(matches(c.value, v) for v in self.values)]
            for entry in gone:
                document.remove(items, entry)
            if gone and self.prune_empty and not len(items):
                document.remove(hit.container, hit.entry)


class ListToMap(Strict):
    """Make a list of objects an object.

    Each item goes under the text it has at ``key``, which leaves the item unless ``keep_key``.
    Items without the key, or two with the same, are an error.
    """

    path: OnePath
    key: str
    keep_key: bool = False

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Turn the list into an object if it is there; an object stays as it is."""
        hit = one(document, self.path, scope)
        if hit is None or isinstance(hit.entry.value, Mapping):
            return
        items = the_list(document, hit)
        if items is None or not len(items):
            document.replace(hit.container, hit.entry, {})
            return
        names: list[str] = []
        for number, item in enumerate(items):
            name = item.get(self.key) if isinstance(item, Mapping) else None
            if not isinstance(name, str) or name in names:
                problem = "has no text at" if not isinstance(name, str) else "repeats"
                raise Refused(
                    "not_keyed",
                    f"the item {problem} `{self.key}`",
                    place=f"{hit.shown}[{number}]",
                    fix="give every item a name of its own, or migrate this place by hand",
                )
            names.append(name)
        passing = _free_name(names)
        document.enclose(hit.container, hit.entry, passing)
        outer = hit.entry.value
        for name in names:
            entry = entries_of(items)[0]
            if not self.keep_key:
                key = entry.value.entries[self.key]
                document.remove(entry.value, key, leave_comments=True)
            document.relocate(Hit(items, entry), outer, name)
        document.remove(outer, outer.entries[passing])


class MapToList(Strict):
    """Make an object a list of objects: each entry gets its key as text at ``key``.

    An entry that is not an object becomes one with the value at ``value_key``, and is an error
    without it.
    """

    path: OnePath
    key: str
    value_key: str | None = None

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Turn the object into a list if it is there; a list stays as it is."""
        hit = one(document, self.path, scope)
        if hit is None or isinstance(hit.entry.value, Sequence):
            return
        expect(document, hit, "object")
        mapping = document.enter(hit)
        if hit.container.document.merges and "<<" in mapping:
            raise Refused(
                "merge_key",
                "an object with a merge key (<<) cannot become a list",
                place=hit.shown,
                fix="write the merged keys out first",
            )
        if not len(mapping):
            document.replace(hit.container, hit.entry, [])
            return
        for name, entry in list(mapping.entries.items()):
            if not isinstance(entry.value, Mapping) and self.value_key is not None:
                document.enclose(mapping, entry, self.value_key)
            if not isinstance(entry.value, Mapping) or self.key in entry.value:
                why = (
                    f"has a key `{self.key}` of its own"
                    if isinstance(entry.value, Mapping)
                    else f"is {described(entry.value)}, not an object"
                )
                raise Refused(
                    "not_keyed",
                    f"the entry {why}",
                    place=Hit(mapping, entry).shown,
                    fix="set `value_key`, or migrate this place by hand",
                )
            document.add(entry.value, self.key, name, 0)
        document.enclose(hit.container, hit.entry, None)
        outer = hit.entry.value
        for entry in list(mapping.entries.values()):
            document.relocate(Hit(mapping, entry), outer, None)
        document.remove(outer, entries_of(outer)[0])


def _free_name(names: list[str]) -> str:
    """A name for the list while its items leave it."""
    name = "items"
    while name in names:
        name += "_"
    return name


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

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Collect what is there."""
        hits = _apart([h for p in self.sources if (h := one(document, p, scope)) is not None])
        if not hits and not self.even_if_none:
            return
        for hit in hits:
            expect_item(document, hit, self.type)
        if self.order == "document":
            files = list(dict.fromkeys(id(h.container.document) for h in hits))
            hits.sort(key=lambda h: (files.index(id(h.container.document)), _position(h)))
        target = one(document, self.to, scope)
        inside = target is not None and any(_within(h.container, target.entry.value) for h in hits)
        onto = paths.parse(self.to) in [paths.parse(p) for p in self.sources]
        if self.keep or onto or (inside and self.on_conflict == "overwrite"):
            self._copied(document, scope, hits)
        else:
            self._moved(document, scope, hits)

    def _wanted(self, value: Any) -> bool:
        return not (self.skip_empty and (value is None or value == ""))

    def _moved(self, document: Editor, scope: Any, hits: list[Hit]) -> None:
        """The values go into the list as they are written, comments included."""
        for hit in hits:
            items = hit.entry.value
            if isinstance(items, Sequence) and not (hit.entry.node and hit.entry.node.alias):
                for entry in [c for c in entries_of(items) if not self._wanted(c.value)]:
                    document.remove(items, entry)
        target = one(document, self.to, scope)
        if target is not None and self.on_conflict == "error":
            values = [v for h in hits for v in _items(h.entry.value) if self._wanted(v)]
            if not same_value(plain(target.entry.value), values):
                raise Refused("target_exists", f"{self.to} exists already", place=target.shown)
            for hit in hits:
                document.remove(hit.container, hit.entry)
            return
        if target is None or self.on_conflict == "overwrite":
            document.set(self.to, [], scope)
            target = one(document, self.to, scope)
        assert target is not None
        into = target.entry.value
        if not isinstance(into, Sequence):
            raise Refused(
                "wrong_type", f"a list is expected, not {described(into)}", place=target.shown
            )
        for hit in hits:
            if self._wanted(hit.entry.value):
                unique = self.on_conflict == "append_unique"
                join(document, hit, into, at=None, unique=unique)
            else:
                document.remove(hit.container, hit.entry)

    def _copied(self, document: Editor, scope: Any, hits: list[Hit]) -> None:
        """The list gets copies of the values."""
        values = [v for h in hits for v in _items(h.entry.value) if self._wanted(v)]
        if self.on_conflict == "append_unique":
            values = _unique(values)
        if not self.keep:
            for hit in hits:
                document.remove(hit.container, hit.entry)
        target = one(document, self.to, scope)
        if target is None or self.on_conflict == "overwrite":
            document.set(self.to, values, scope)
            return
        into = target.entry.value
        if self.on_conflict == "error":
            if not same_value(plain(into), values):
                raise Refused("target_exists", f"{self.to} exists already", place=target.shown)
            return
        if not isinstance(into, Sequence):
            raise Refused(
                "wrong_type", f"a list is expected, not {described(into)}", place=target.shown
            )
        for value in values:
            if self.on_conflict == "append" or not any(same_value(value, x) for x in into):
                document.add(into, None, value)


def _unique(values: list[Any]) -> list[Any]:
    """The values without repetition, in their order."""
    out: list[Any] = []
    for value in values:
        if not any(same_value(value, known) for known in out):
            out.append(value)
    return out


def _within(container: Container, value: Any) -> bool:
    """Whether a container is a value or is in it."""
    here: Container | None = container
    while here is not None and here is not value:
        here = here.up
    return here is not None


def _apart(hits: list[Hit]) -> list[Hit]:
    """Each place once, and none that goes along with another one."""
    unique = list({id(h.entry): h for h in hits}.values())
    values = {id(h.entry.value) for h in unique if isinstance(h.entry.value, Mapping | Sequence)}
    out = []
    for hit in unique:
        here: Container | None = hit.container
        while here is not None and id(here) not in values:
            here = here.up
        if here is None:
            out.append(hit)
    return out


def _items(value: Any) -> list[Any]:
    return list(plain(value)) if isinstance(value, Sequence) else [plain(value)]


def expect_item(document: Editor, hit: Hit, wanted: TypeName | None) -> None:
    """Like ``expect``, but a null is left as it is: the gatherer decides about it."""
    if hit.entry.value is not None:
        expect(document, hit, wanted)


def _position(hit: Hit) -> tuple[int, ...]:
    out = [hit.container.position(hit.entry)]
    here = hit.container
    while here.up is not None and here.entry is not None:
        out.append(here.up.position(here.entry))
        here = here.up
    return tuple(reversed(out))
