"""Whether a bundle still has the migrations that were applied, as they were applied.

Every commit records the list of migrations up to the highest applied one. A bundle may add to the
end of that list, and retire its beginning; any other change would make the stamps in the files
mean something else, so nothing runs until a person has decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confmig.core.bundle.manifest import Manifest, Migration
from confmig.errors import Problem

_RESTORE = (
    "restore the released ids, their order and their content, and put the change into a new "
    "migration at the end; if the change means nothing for files that are migrated already, "
    "confmig resolve --accept-changed --reason TEXT"
)


@dataclass(frozen=True, slots=True)
class Released:
    """One migration of the list as it was when it was recorded.

    ``checksum`` covers its content; ``sets`` are the versions it makes (empty: not recorded by
    an old state).
    """

    order: int
    id: str
    checksum: str
    sets: Mapping[str, int] = field(hash=False)

    def to_json(self) -> list[Any]:
        """Plain data."""
        return [self.order, self.id, self.checksum, dict(self.sets)]

    @classmethod
    def from_json(cls, data: list[Any]) -> Released:
        """The inverse of ``to_json``."""
        return cls(*data)


def released(manifest: Manifest, through: int) -> tuple[Released, ...]:
    """A manifest's list up to an order."""
    return tuple(
        Released(m.order, m.id, m.checksum, dict(m.sets))
        for m in manifest.migrations
        if m.order <= through
    )


def changes(recorded: Sequence[Released], manifest: Manifest) -> list[Problem]:
    """What was changed in the history, as the cause only: its consequences are not listed.

    Codes: ``migration_applied_missing``, ``migration_inserted_below_applied``,
    ``migration_checksum_mismatch``.
    """
    known = _matched(recorded, manifest)
    missing = [r for r, m in known.items() if m is None]
    if missing:
        return [_missing(r, manifest) for r in missing]
    found = {m.id for m in known.values() if m is not None}
    highest = max((r.order for r in known), default=0)
    inserted = [m for m in manifest.migrations if m.order <= highest and m.id not in found]
    if inserted and _complete(recorded, manifest):
        return [_inserted(m, known, highest) for m in inserted]
    renamed = [(r, m) for r, m in known.items() if m is not None and m.id != r.id]
    if renamed:
        return [
            Problem(
                "migration_applied_missing",
                f"migrations/{r.id}",
                f"it was applied, and the bundle has it as {m.id} now: it was only renamed",
                _RESTORE,
            )
            for r, m in renamed
        ]
    moved = [(r, m) for r, m in known.items() if m is not None and r.sets and m.sets != r.sets]
    if moved:
        return [
            Problem(
                "migration_applied_missing",
                f"migrations/{m.id}",
                f"it was applied and made {_versions(r.sets)}; now it makes {_versions(m.sets)}",
                _RESTORE,
            )
            for r, m in moved
        ]
    return [
        Problem(
            "migration_checksum_mismatch",
            f"migrations/{m.id}",
            "it was applied with other content",
            _RESTORE,
        )
        for r, m in known.items()
        if m is not None and m.checksum != r.checksum
    ]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is recorded when an operator accepts a changed history.

    Today's list, and for each recorded id the id that has its place now.
    """

    list: tuple[Released, ...]
    ids: Mapping[str, str]


def accept(recorded: Sequence[Released], manifest: Manifest) -> Accepted | list[Problem]:
    """Accept today's list in place of the recorded one, or say why that would be wrong.

    It would be wrong if an applied migration makes other versions now: the stamps in the files
    would then mean something else.
    """
    problems, ids = [], {}
    highest = 0
    for r, match in _matched(recorded, manifest).items():
        successor = match or next(
            (m for m in manifest.migrations if r.sets and m.sets == r.sets), None
        )
        if successor is None or (r.sets and successor.sets != r.sets):
            now = f"{successor.id} makes {_versions(successor.sets)}" if successor else "none does"
            problems.append(
                Problem(
                    "migration_applied_missing",
                    f"migrations/{r.id}",
                    f"it made {_versions(r.sets)}, and {now}: the stamps in the files would mean "
                    "other versions",
                    "restore the released ids and their order, and put the change at the end",
                )
            )
            continue
        ids[r.id] = successor.id
        highest = max(highest, successor.order)
    if problems:
        return problems
    return Accepted(released(manifest, highest), ids)


def _matched(recorded: Sequence[Released], manifest: Manifest) -> dict[Released, Migration | None]:
    """Each recorded migration that is not retired, with the migration that it is in today's list.

    By id, else by its content under an id that was not recorded.
    """
    through = manifest.retired.through if manifest.retired is not None else 0
    live = [r for r in recorded if r.order > through]
    free = [m for m in manifest.migrations if m.id not in {r.id for r in live}]
    out: dict[Released, Migration | None] = {}
    for r in live:
        match = manifest.by_id.get(r.id)
        if match is None:
            match = next((m for m in free if m.checksum == r.checksum), None)
            free = [m for m in free if m is not match]
        out[r] = match
    return out


def _complete(recorded: Sequence[Released], manifest: Manifest) -> bool:
    """Whether the list has every order: an old state recorded only migrations with documents."""
    orders = {r.order for r in recorded}
    first = manifest.retired.through + 1 if manifest.retired is not None else 1
    return orders.issuperset(range(first, max(orders, default=0) + 1))


def _missing(r: Released, manifest: Manifest) -> Problem:
    makers = [m for m in manifest.migrations if r.sets and m.sets == r.sets]
    instead = f"; {makers[0].id} makes {_versions(r.sets)} now" if makers else ""
    return Problem(
        "migration_applied_missing",
        f"migrations/{r.id}",
        f"it was applied, and the bundle does not have it any more{instead}",
        _RESTORE + "; to let old migrations leave a bundle, confmig retire --through ID",
    )


def _inserted(m: Migration, known: Mapping[Released, Migration | None], highest: int) -> Problem:
    last = max(known, key=lambda r: r.order)
    return Problem(
        "migration_inserted_below_applied",
        f"migrations/{m.id}",
        f"it is new and has order {m.order}, but {last.id} (order {highest}) was applied already",
        f"give it the next free order at the end; or {_RESTORE}",
    )


def _versions(sets: Mapping[str, int]) -> str:
    return " and ".join(f"version {v} of {c}" for c, v in sets.items()) or "an unknown version"
