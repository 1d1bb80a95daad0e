"""What is pending, and what may run next. Pure: documents, decisions and a manifest in.

Facts are per document: a document says its version by its own stamp, so one that arrives late or
comes back from an old backup is caught up. A migration's status in a target is derived from the
documents. One transaction covers one *class segment*: for each document its longest allowed
prefix of steps of one class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from confmig.core.gate import Decision
from confmig.core.manifest import Manifest, Migration


@dataclass(frozen=True, slots=True)
class DocumentFact:
    """One document as it is now. ``version`` is None if it cannot be read; ``problem`` is a code
    and ``message`` says more (never a value)."""

    config: str
    path: str
    version: int | None
    digest: str
    problem: str | None = None
    message: str = ""

    @property
    def healthy(self) -> bool:
        return self.version is not None and self.problem is None


Status = Literal["applied", "pending", "no_documents"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A migration in a target. ``pending`` are the documents below it, ``failed`` those that
    cannot say or cannot be migrated; they do not hold the others."""

    migration: Migration
    status: Status
    pending: tuple[str, ...]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """The next transaction: the class, and each document's steps in order."""

    kind: str
    steps: dict[str, tuple[Migration, ...]]

    @property
    def migrations(self) -> tuple[Migration, ...]:
        """All migrations of the segment in order."""
        unique = {m.id: m for steps in self.steps.values() for m in steps}
        return tuple(sorted(unique.values(), key=lambda m: m.order))


def standings(manifest: Manifest, documents: Sequence[DocumentFact]) -> list[Standing]:
    """Every migration with its derived status, in order."""
    out = []
    for migration in manifest.migrations:
        mine = [d for d in documents if d.config == migration.config]
        failed = tuple(d.path for d in mine if not d.healthy)
        pending = tuple(
            d.path
            for d in mine
            if d.healthy and d.version is not None and d.version < migration.version
        )
        status: Status = "no_documents" if len(failed) == len(mine) else "applied"
        if pending:
            status = "pending"
        out.append(Standing(migration, status, pending, failed))
    return out


def placed(manifest: Manifest, document: DocumentFact) -> DocumentFact:
    """The document with a problem if its version lies outside the bundle's chain.

    Newer than the bundle: left alone and reported. Older than its first step: nothing leads
    from there.
    """
    chain = manifest.chain(document.config)
    if document.version is None or document.problem is not None or not chain:
        return document
    first, last = chain[0].version - 1, chain[-1].version
    if document.version > last:
        return _with(
            document,
            "document_newer",
            f"version {document.version} is newer than the bundle's {last}",
        )
    if document.version < first:
        return _with(
            document,
            "document_too_old",
            f"version {document.version} is older than {first}, where the bundle begins",
        )
    return document


def _with(document: DocumentFact, problem: str, message: str) -> DocumentFact:
    return DocumentFact(
        document.config, document.path, document.version, document.digest, problem, message
    )


def unmet(
    manifest: Manifest, migration: Migration, reached: dict[str, int], configs: dict[str, str]
) -> list[str]:
    """The dependencies that some healthy document has not reached."""
    out = []
    for name in migration.depends_on:
        other = manifest.by_id[name]
        if any(v < other.version for p, v in reached.items() if configs[p] == other.config):
            out.append(name)
    return out


def next_segment(
    manifest: Manifest,
    documents: Sequence[DocumentFact],
    allowed: Callable[[Migration], bool],
    excluded: frozenset[str] = frozenset(),
) -> Segment | None:
    """The next transaction, or None if nothing may run.

    ``allowed`` is the gate's answer for one migration; ``excluded`` are documents that failed in
    this pass. The class is that of the first migration in order that some document may take.
    """
    healthy = [d for d in documents if d.healthy and d.path not in excluded]
    reached = {d.path: d.version for d in healthy if d.version is not None}
    configs = {d.path: d.config for d in healthy}
    kind: str | None = None
    steps: dict[str, list[Migration]] = {}
    for migration in manifest.migrations:
        if kind is not None and migration.kind != kind:
            continue
        takers = [
            p
            for p, version in reached.items()
            if configs[p] == migration.config and version == migration.version - 1
        ]
        if not takers or not allowed(migration):
            continue
        if unmet(manifest, migration, reached, configs):
            continue
        kind = migration.kind
        for path in takers:
            steps.setdefault(path, []).append(migration)
            reached[path] = migration.version
    if kind is None:
        return None
    return Segment(kind, {path: tuple(chain) for path, chain in sorted(steps.items())})


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
    documents: Sequence[DocumentFact],
    decide: Callable[[Migration, tuple[str, ...]], Decision],
) -> list[Outlook]:
    """Every pending migration in order, with its decision.

    A migration behind one that is held waits too: it carries ``dependency_pending`` and the
    reasons of what it waits for, because those are why it does not run. ``decide`` is given the
    migration and the reasons that follow from the others.
    """
    out: list[Outlook] = []
    for standing in standings(manifest, documents):
        if standing.status != "pending":
            continue
        migration = standing.migration
        held = [o for o in out if not o.runs]
        needed = [o for o in held if o.standing.migration.id in migration.depends_on]
        chain = [o for o in held if o.standing.migration.config == migration.config]
        behind = {path for o in chain for path in o.standing.pending}
        # a document that is not behind a held migration may go on alone
        waits = chain if behind.issuperset(standing.pending) else []
        inherited: list[str] = []
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
