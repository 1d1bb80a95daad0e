"""The smallest difference of two lists or two values; bounded for lists that share little.

A container gets another value by the difference: the entries that stay keep their text and their
comments. An entry of an object stays if its key does. An item of a list stays if an equal one is in
the new list, in the same order; an object that changed stays if it shares an entry with the new one
at its place. What cannot be done entry by entry (aliases, merge keys, nothing in common) is for the
caller to replace as a whole.
"""

from __future__ import annotations

from collections.abc import Hashable
from collections.abc import Sequence as List
from difflib import SequenceMatcher
from typing import Any, Protocol

from confmig.documents.model.lookup import Hit
from confmig.documents.model.tree import Container, Entry, Mapping, Owner, Sequence, entries_of
from confmig.documents.model.values import kind_of

_MOST = 4_000_000
"""Pairs of items that are compared at most; beyond it everything between is new."""


def differences(before: List[Hashable], after: List[Hashable]) -> list[tuple[int, int, int, int]]:
    """The runs ``before[a:b]`` that become ``after[c:d]``, in order."""
    shorter = min(len(before), len(after))
    head = 0
    while head < shorter and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < shorter - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    left, right = before[head : len(before) - tail], after[head : len(after) - tail]
    if not left and not right:
        return []
    if len(left) * len(right) > _MOST:
        return [(head, head + len(left), head, head + len(right))]
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    return [
        (head + a, head + b, head + c, head + d)
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]


class Editable(Owner, Protocol):
    """A document whose entries can also change their places."""

    def relocate(
        self, hit: Hit, target: Container, name: str | None, at: int | None = None
    ) -> None:
        """Move an entry before a position of another container, or to its end."""


def apply_difference(document: Editable, entry: Entry, value: Any) -> bool:
    """Change the container in ``entry`` into ``value``.

    False, with nothing done, if it has to be replaced as a whole.
    """
    old = entry.value
    if entry.node is not None and entry.node.alias is not None:
        return False
    if isinstance(old, Mapping) and isinstance(value, dict):
        if "<<" in old or "<<" in value or not old.keys() & value.keys():
            return False
        _change_mapping(document, old, value)
        return True
    if isinstance(old, Sequence) and isinstance(value, list):
        runs = differences([_token(item) for item in old], [_token(item) for item in value])
        if not _shares(old, value, runs):
            return False
        if not _reorder(document, old, value, runs):
            _change_sequence(document, old, value, runs)
        return True
    return False


def _change_mapping(document: Editable, old: Mapping, value: dict[str, Any]) -> None:
    for name in [n for n in old if n not in value]:
        document.remove(old, old.entries[name])
    before: Entry | None = None
    for name, item in value.items():
        entry = old.entries.get(name)
        if entry is not None:
            document.replace(old, entry, item)
            before = old.entries[name]
        else:  # behind the one that it follows in the new value
            at = old.position(before) + 1 if before is not None else 0
            before = document.add(old, name, item, at)


def _change_sequence(
    document: Editable, old: Sequence, value: list[Any], runs: list[tuple[int, int, int, int]]
) -> None:
    for a, b, c, d in reversed(runs):  # from the end, so that positions stay right
        entries = old.entries[a:b]
        paired = min(b - a, d - c) if _alike(old[a:b], value[c:d]) else 0
        for offset in range(paired):
            document.replace(old, entries[offset], value[c + offset])
        for leaving in reversed(entries[paired:]):
            document.remove(old, leaving)
        for offset in range(paired, d - c):
            document.add(old, None, value[c + offset], a + offset)


_REORDERED = 2000
"""Items of the longest list that is put into another order item by item."""


def _reorder(
    document: Editable, old: Sequence, value: list[Any], runs: list[tuple[int, int, int, int]]
) -> bool:
    """Put the items that stay into their new order, as they are written.

    False, with nothing done, if no item that would leave comes again elsewhere.
    """
    wanted = [_token(item) for item in value]
    leaving = {_token(item) for a, b, _, _ in runs for item in old[a:b]}
    coming = {token for _, _, c, d in runs for token in wanted[c:d]}
    if not leaving & coming or max(len(old), len(value)) > _REORDERED:
        return False
    for at, token in enumerate(wanted):
        tokens = [_token(item) for item in old]
        if at < len(tokens) and tokens[at] == token:
            continue
        found = next((n for n in range(at, len(tokens)) if tokens[n] == token), None)
        if found is None:
            document.add(old, None, value[at], at)
        else:
            document.relocate(Hit(old, old.entries[found]), old, None, at)
    for entry in reversed(old.entries[len(value) :]):
        document.remove(old, entry)
    return True


def _shares(old: Sequence, value: list[Any], runs: list[tuple[int, int, int, int]]) -> bool:
    """Whether an item stays, as it is or changed."""
    replaced = sum(b - a for a, b, _, _ in runs)
    return replaced < len(entries_of(old)) or any(
        _alike(old[a:b], value[c:d]) for a, b, c, d in runs
    )


def _alike(old: list[Any], new: list[Any]) -> bool:
    """Whether each of two runs of objects shares an entry with the one at its place."""
    pairs = list(zip(old, new, strict=False))
    return bool(pairs) and all(
        isinstance(a, dict)
        and isinstance(b, dict)
        and any(name in b and _token(item) == _token(b[name]) for name, item in a.items())
        for a, b in pairs
    )


def _token(value: Any) -> Hashable:
    """Equal for values that are the same in value and type."""
    if isinstance(value, dict):
        return ("object", frozenset((k, _token(v)) for k, v in value.items()))
    if isinstance(value, list | tuple):
        return ("list", *(_token(v) for v in value))
    if isinstance(value, float) and value != value:
        return ("float", "nan")
    return (kind_of(value), value)
