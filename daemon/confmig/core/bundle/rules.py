"""The rules that the list of migrations keeps as a whole: numbers, dependencies and versions. Pure.

They read a list that may be broken, as far as it can be read, so that one defect hides no other.
What only follows from a defect is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confmig.core.bundle.graph import cycles
from confmig.core.bundle.manifest import CLASSES, MIGRATION_ID, Retired
from confmig.core.bundle.manifest_file import MigrationEntry
from confmig.core.input_errors import Loc
from confmig.writer import closest

_KEYS = tuple(field.alias or name for name, field in MigrationEntry.model_fields.items())


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect of manifest.json: ``path`` leads to the entry that it is about."""

    code: str
    path: Loc
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the list as far as it can be read.

    ``name`` is its id, or its place without one; ``order`` is the number of its id where the
    entry has none; a version in ``sets`` is None where it is not a number.
    """

    path: Loc
    name: str
    id: str | None
    order: int | None
    kind: str | None
    sets: Mapping[str, int | None]
    depends_on: tuple[str, ...]


def entries_of(data: object) -> list[Entry]:
    """The entries of the list ``migrations``; what is not an object is left out."""
    if not isinstance(data, list):
        return []
    return [_entry(n, raw) for n, raw in enumerate(data) if isinstance(raw, dict)]


def _entry(number: int, raw: Mapping[str, Any]) -> Entry:
    meant = dict(raw)
    for key in raw:
        if key not in _KEYS and (known := closest(key, _KEYS)) is not None:
            meant.setdefault(known, raw[key])  # a misspelt key is reported, its value counts
    name, order, sets = meant.get("id"), meant.get("order"), meant.get("sets")
    depends_on, kind = meant.get("depends_on"), meant.get("class")
    known_id = name if isinstance(name, str) else None
    if not is_number(order):
        numbered = known_id is not None and MIGRATION_ID.match(known_id)
        order = int(known_id[:4]) if numbered and known_id is not None else None
    return Entry(
        ("migrations", number),
        known_id or f"migration {number + 1}",
        known_id,
        order,
        kind if isinstance(kind, str) else None,
        {c: v if is_number(v) else None for c, v in sets.items()} if isinstance(sets, dict) else {},
        tuple(d for d in depends_on if isinstance(d, str)) if isinstance(depends_on, list) else (),
    )


def is_number(value: object) -> bool:
    """Whether a value is a whole number that every part of confmig can hold (64 bits)."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def ids(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Every id occurs once, and its number is the order."""
    seen: set[str] = set()
    for entry in entries:
        if entry.id is None:
            continue
        if entry.id in seen:
            yield Finding(
                "migration_id_duplicate",
                (*entry.path, "id"),
                f"the id {entry.id} occurs twice",
                "give every migration its own id",
            )
        seen.add(entry.id)
        if MIGRATION_ID.match(entry.id) and entry.order not in (None, int(entry.id[:4])):
            rename = f", or name it {entry.order:04d}_..." if 0 < (entry.order or 0) < 10000 else ""
            yield Finding(
                "migration_id_invalid",
                (*entry.path, "id"),
                f"{entry.id}: the number of the id is not its order {entry.order}",
                f"set `order` to {int(entry.id[:4])}{rename}",
            )


def orders(entries: Sequence[Entry], retired: Retired | None) -> Iterator[Finding]:
    """The orders count from 1, or from the one after the retired migrations, without a gap."""
    seen: dict[int, Entry] = {}
    for entry in entries:
        if entry.order is None:
            continue
        other = seen.setdefault(entry.order, entry)
        if other is not entry:
            yield Finding(
                "migration_order_duplicate",
                (*entry.path, "order"),
                f"{entry.name} has the order {entry.order}, which {other.name} has",
                "number them one by one",
            )
    before = retired.through if retired is not None else 0
    first = before + 1
    for order, entry in sorted(seen.items()):
        if order < first:
            yield Finding(
                "migration_order_gap",
                (*entry.path, "order"),
                f"{entry.name}: order {order} is below {first}",
                f"number them from {first} without a gap",
            )
            continue
        missing, before = range(before + 1, order), order
        if len(missing) > 20:
            yield _order_gap(f"no migrations have the orders {missing[0]} to {missing[-1]}")
        else:
            yield from (_order_gap(f"no migration has order {number}") for number in missing)


def _order_gap(message: str) -> Finding:
    fix = "number them one after the other without a gap"
    return Finding("migration_order_gap", ("migrations",), message, fix)


def dependencies(entries: Sequence[Entry], retired: Retired | None) -> Iterator[Finding]:
    """A migration depends only on earlier ones, and an online one only on online ones."""
    known: dict[str, Entry] = {}
    for entry in entries:
        known.setdefault(entry.name, entry)
    edges: dict[str, list[str]] = {name: [] for name in known}
    for entry in entries:
        edges[entry.name] += entry.depends_on
        for number, name in enumerate(entry.depends_on):
            if name in known:
                yield from _dependency(entry, number, known[name])
            elif retired is None or not retired.has(name):
                yield Finding(
                    "migration_dependency_unknown",
                    (*entry.path, "depends_on", number),
                    f"{entry.name} depends on {name}, which is not in the manifest",
                    "name an id of this manifest",
                )
    for cycle in cycles(edges):
        itself = len(cycle) == 1
        yield Finding(
            "migration_dependency_cycle",
            (*known[cycle[0]].path, "depends_on"),
            f"{cycle[0]} depends on itself"
            if itself
            else f"these migrations depend on each other: {', '.join(cycle)}",
            "remove the dependency" if itself else "remove one of the dependencies",
        )


def _dependency(entry: Entry, number: int, needed: Entry) -> Iterator[Finding]:
    path = (*entry.path, "depends_on", number)
    if needed is entry:
        return  # a cycle of one
    if entry.order is not None and needed.order is not None and needed.order >= entry.order:
        yield Finding(
            "migration_dependency_order_invalid",
            path,
            f"{entry.name} (order {entry.order}) depends on {needed.name} (order {needed.order}), "
            "which does not come before it",
            "order it after what it depends on",
        )
    if entry.kind == "online" and needed.kind in CLASSES[1:]:
        yield Finding(
            "migration_class_order_invalid",
            path,
            f"{entry.name} is online and depends on {needed.name}, whose class is {needed.kind}",
            f"give {entry.name} the class {needed.kind}, or remove the dependency",
        )


def configurations(entries: Sequence[Entry], configs: Sequence[str]) -> Iterator[Finding]:
    """A migration sets versions of known configurations, whose names can begin a path."""
    for entry in entries:
        for config in entry.sets:
            path = (*entry.path, "sets", config)
            if config not in configs:
                yield Finding(
                    "config_unknown",
                    path,
                    f"{entry.name} sets the version of `{config}`, which is not in `configs`",
                    f"add it to `configs`, or use one of {', '.join(configs) or 'none'}",
                )
            if len(entry.sets) > 1 and ":" in config:
                yield Finding(
                    "manifest_field_invalid",
                    path,
                    f"{entry.name} sets several configurations, and the name `{config}` has a "
                    "colon, so that it cannot begin a path",
                    "rename the configuration",
                )


def versions(
    entries: Sequence[Entry], configs: Sequence[str], retired: Retired | None
) -> Iterator[Finding]:
    """The versions of each configuration follow each other.

    Only the first gap is reported: what follows is counted from a wrong version.
    """
    for config in configs:
        made = sorted(
            ((e.order, e) for e in entries if config in e.sets and e.order is not None),
            key=lambda one: one[0],
        )
        before, earlier = None, "the retired migrations"
        if retired is not None:
            before = retired.versions.get(config)
        for _, entry in made:
            version = entry.sets[config]
            if version is None:
                break  # reported as a value; what follows cannot be counted
            if before is not None and version != before + 1:
                wrong = f"{entry.name} skips version {before + 1} of `{config}`"
                add = ", or add the migration that is missing" if version > before else ""
                if version != before + 2:
                    wrong = (
                        f"{entry.name} sets `{config}` to {version}, but {earlier} set it to "
                        f"{before}"
                    )
                yield Finding(
                    "migration_version_gap",
                    (*entry.path, "sets", config),
                    wrong,
                    f"set `sets.{config}` to {before + 1} there{add}; the versions after it are "
                    "checked once that is correct",
                )
                break
            before, earlier = version, entry.name
