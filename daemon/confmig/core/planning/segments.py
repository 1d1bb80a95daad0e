"""What is pending, and what may run next. Pure: documents, decisions and a manifest in.

A migration's status in a target is derived from the documents (``facts``). One
transaction covers one *class segment*: for each document its longest allowed prefix of steps of one
class.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from confmig.core.bundle.manifest import Config, Manifest, Migration
from confmig.core.planning.facts import Observation
from confmig.core.policy.decide import Decision

Status = Literal["applied", "pending", "no_documents"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A migration in a target.

    ``pending`` are the documents below it, ``failed`` those that cannot say or cannot be
    migrated; they do not hold the others.
    """

    migration: Migration
    status: Status
    pending: tuple[str, ...]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """The next transaction: the class, and each document's steps in order.

    ``configs`` says which configuration each document is.
    """

    kind: str
    steps: dict[str, tuple[Migration, ...]]
    configs: dict[str, str]

    def head(self, count: int) -> Segment:
        """The first groups of documents, at most ``count`` of them (one group at least)."""
        paths: list[str] = []
        for group in self.groups:
            if paths and len(paths) + len(group) > count:
                break
            paths += group
        return Segment(self.kind, {p: self.steps[p] for p in paths}, self.configs)

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The paths, those together that a migration of several configurations binds."""
        return tuple(dict.fromkeys(bound(self.steps).values()))

    @property
    def migrations(self) -> tuple[Migration, ...]:
        """All migrations of the segment in order."""
        unique = {m.id: m for steps in self.steps.values() for m in steps}
        return tuple(sorted(unique.values(), key=lambda m: m.order))


def bound(steps: Mapping[str, Sequence[Migration]]) -> dict[str, tuple[str, ...]]:
    """For each document, the documents that migrations of several configurations bind to it.

    By path, itself included. ``steps`` are the migrations of each.
    """
    groups: dict[str, tuple[str, ...]] = {path: (path,) for path in steps}
    for migration in dict.fromkeys(m for own in steps.values() for m in own if m.joint):
        meant = [p for p, own in steps.items() if migration in own]
        merged = tuple(dict.fromkeys(q for p in meant for q in groups[p]))
        groups |= dict.fromkeys(merged, merged)
    return groups


def standings(manifest: Manifest, seen: Observation) -> list[Standing]:
    """Every migration with its derived status, in order."""
    out = []
    for migration in manifest.migrations:
        mine = [d for d in seen.facts if d.config in migration.sets]
        failed = tuple(d.path for d in mine if not d.healthy)
        pending = tuple(d.path for d in mine if d.healthy and not d.has(migration))
        status: Status = "no_documents" if len(failed) == seen.of(migration.sets) else "applied"
        if pending:
            status = "pending"
        out.append(Standing(migration, status, pending, failed))
    return out


def next_segment(
    manifest: Manifest,
    seen: Observation,
    allowed: Callable[[Migration], bool],
    excluded: frozenset[str] = frozenset(),
) -> Segment | None:
    """The next transaction, or None if nothing may run.

    ``allowed`` is the gate's answer for one migration; ``excluded`` are documents that failed in
    this pass. The class is that of the first migration in order that some document may take.
    """
    healthy = [d for d in seen.facts if d.healthy and d.path not in excluded]
    configs = {d.path: d.config for d in healthy}
    ahead = {d.path: deque(m.id for m in manifest.chain(d.config) if not d.has(m)) for d in healthy}
    waiting = Counter(name for steps in ahead.values() for name in steps)
    kind: str | None = None
    steps: dict[str, list[Migration]] = {}
    for migration in manifest.migrations:
        if kind is not None and migration.kind != kind:
            continue
        takers = [p for p, names in ahead.items() if names and names[0] == migration.id]
        if not takers or not allowed(migration):
            continue
        if migration.joint and (len(takers) < len(migration.sets) or misfit(migration, seen)):
            continue
        if any(waiting[name] for name in migration.depends_on):
            continue
        kind = migration.kind
        for path in takers:
            steps.setdefault(path, []).append(migration)
            ahead[path].popleft()
            waiting[migration.id] -= 1
    if kind is None:
        return None
    return Segment(
        kind,
        {path: tuple(chain) for path, chain in sorted(steps.items())},
        {path: configs[path] for path in steps},
    )


def misfit(migration: Migration, seen: Observation) -> str | None:
    """Why a migration of several configurations cannot run on these documents, as a reason code.

    Each configuration must have exactly one document (``config_ambiguous``), and they must take
    the step together (``documents_out_of_step``).
    """
    if not migration.joint:
        return None
    mine = [d for d in seen.facts if d.config in migration.sets]
    if sorted(d.config for d in mine) != sorted(migration.sets):
        return "config_ambiguous"
    if any(not d.healthy for d in mine):
        return "document_failed"
    return "documents_out_of_step" if len({d.has(migration) for d in mine}) > 1 else None


def misfit_detail(migration: Migration, seen: Observation, configs: Mapping[str, Config]) -> str:
    """Which file ``config_ambiguous`` misses, or which are too many; empty if none is."""
    for name in migration.sets:
        number = sum(d.config == name for d in seen.facts)
        if number != 1:
            patterns = " or ".join(configs[name].files)
            found = f"{number} files match" if number else "no file matches"
            return f"{migration.id} needs exactly one `{name}` file, but {found} {patterns}"
    return ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A pending migration and what would happen to it in a pass now."""

    standing: Standing
    decision: Decision

    @property
    def runs(self) -> bool:
        return self.decision.verdict == "allow"


def forecast(
    manifest: Manifest,
    seen: Observation,
    decide: Callable[[Migration, tuple[str, ...]], Decision],
) -> list[Outlook]:
    """Every pending migration in order, with its decision.

    A migration behind one that is held waits too: it carries ``dependency_pending`` and the
    reasons of what it waits for, because those are why it does not run. ``decide`` is given the
    migration and the reasons that follow from the others.
    """
    out: list[Outlook] = []
    for standing in standings(manifest, seen):
        migration = standing.migration
        if standing.status != "pending":
            continue
        held = [o for o in out if not o.runs]
        needed = [o for o in held if o.standing.migration.id in migration.depends_on]
        chain = [o for o in held if o.standing.migration.sets.keys() & migration.sets.keys()]
        behind = {path for o in chain for path in o.standing.pending}
        # a document that is not behind a held migration may go on alone, unless it is bound
        alone = not migration.joint and not behind.issuperset(standing.pending)
        waits = [] if alone else chain
        why = misfit(migration, seen)
        inherited = [why] if why is not None else []
        for other in dict.fromkeys(o.standing.migration.id for o in [*needed, *waits]):
            reasons = next(o for o in held if o.standing.migration.id == other).decision.reasons
            inherited.append("dependency_pending")
            inherited.extend(r for r in reasons if r not in _NOT_INHERITED)
            if "document_failed" in reasons:
                inherited.append("dependency_failed")
        decision = decide(migration, tuple(inherited))
        out.append(Outlook(standing, decision))
    return out


_NOT_INHERITED = frozenset(("dependency_pending", "document_failed"))
