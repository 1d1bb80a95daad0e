"""What may run next. Pure: the policy is asked through a callback.

One transaction covers one *class segment*: for each document its longest allowed prefix of steps of
one class.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from confmig.core.bundle.manifest import Manifest, Migration
from confmig.core.planning.facts import Observation
from confmig.core.planning.joint import misfit, tied_groups


@dataclass(frozen=True, slots=True)
class Segment:
    """The next transaction: the class, and each document's steps in order.

    ``configs`` says which configuration each document belongs to.
    """

    kind: str
    steps: dict[str, tuple[Migration, ...]]
    configs: dict[str, str]

    def head(self, count: int) -> Segment:
        """The first groups, with at most ``count`` documents together, but always one group."""
        paths: list[str] = []
        for group in self.groups:
            if paths and len(paths) + len(group) > count:
                break
            paths += group
        return Segment(self.kind, {p: self.steps[p] for p in paths}, self.configs)

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The paths in groups: those that a joint migration ties together are in one."""
        return tuple(dict.fromkeys(tied_groups(self.steps).values()))

    @property
    def migrations(self) -> tuple[Migration, ...]:
        """All migrations of the segment in order."""
        unique = {m.id: m for steps in self.steps.values() for m in steps}
        return tuple(sorted(unique.values(), key=lambda m: m.order))


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
    # ahead: the steps still to come of each document; waiting: how many documents still need each
    # migration, so that a dependency may be met by steps of this same segment
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
