"""What a rollback undoes: one transaction, or all that is applied after a migration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.port import FileSystem
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.state.records import FilePlan, MigrationRecord, Transaction, TransactionPlan
from confmig.adapters.state.store import Store
from confmig.adapters.workers.protocol import Bundle
from confmig.core.planning.joint import tied_groups
from confmig.core.transaction.phases import Image, Phase
from confmig.errors import Refused
from confmig_otel import spans


@dataclass(frozen=True, slots=True)
class Job:
    """What one rollback works with.

    ``bundle`` is needed for edited files and for ``undo_to``; it is None if it cannot be
    loaded. ``discard``: later edits are put aside, not placed. ``edits_fix``: what to do about
    edits that have no place in the old text.
    """

    target: str
    store: Store
    checkpoints: CheckpointStore
    disk: FileSystem
    clock: Callable[[], datetime]
    recorder: spans.Recorder
    actor: str
    bundle: Bundle | None
    discard: bool = False
    beat: Callable[[], None] = lambda: None
    edits_fix: str = (
        "put the edits aside and roll back again, or add --discard-later-edits: today's files are "
        "kept in the state directory's rescue/ then"
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a rollback.

    ``steps`` are the migrations that are taken back; ``left`` is the hash of what they left.
    ``old`` is the image that they found, by its hash; ``computed`` has its bytes if it was
    never stored (the middle of a chain). ``exact``: no one edited the file between them, so
    that it becomes ``old`` if it still holds what they left.
    """

    path: str
    config: str
    format: str
    before: int
    after: int
    steps: tuple[str, ...]
    left: str
    old: str
    exact: bool = True
    computed: bytes | None = None

    def image(self, checkpoints: CheckpointStore) -> bytes:
        """The bytes of ``old``."""
        return self.computed if self.computed is not None else checkpoints.image(self.old)


@dataclass(frozen=True, slots=True)
class Undoing:
    """What is to be undone.

    The parts, the migrations (as recorded), the transactions that are reversed by it, and the
    one that names it. ``companions`` are files of it that are old already; what was migrated as
    one with them is taken back as one with them.
    """

    row: Transaction
    parts: tuple[Part, ...]
    migrations: tuple[MigrationRecord, ...]
    reverses: tuple[str, ...]
    companions: tuple[Part, ...] = ()


def choose(store: Store, target: str, *, transaction: str | None = None) -> Transaction:
    """The transaction to undo: the named one, or the newest forward one not yet undone."""
    if transaction is not None:
        row = store.transactions.get(transaction)
        if row is None or row.plan.target != target:
            raise Refused(
                "transaction_unknown",
                f"there is no transaction {transaction} in {target}",
                fix="`confmig history` lists the transactions",
            )
    else:
        row = next(_in_effect(store, target), None)
        if row is None:
            raise Refused("nothing_to_roll_back", f"no transaction of {target} is left to undo")
    return _undoable(row)


def choose_checkpoint(
    store: Store, checkpoints: CheckpointStore, target: str, path: str
) -> Transaction:
    """The transaction that a checkpoint file belongs to."""
    return choose(store, target, transaction=checkpoints.transaction_of(path))


def _in_effect(store: Store, target: str) -> Iterator[Transaction]:
    """The migrations' transactions that no rollback took back, the newest first."""
    return (
        r for r in store.transactions.committed(target) if r.kind == "apply" and not r.reversed_by
    )


def _undoable(row: Transaction) -> Transaction:
    if row.phase not in (Phase.COMMITTED, Phase.DONE, Phase.CONFLICT):
        raise Refused(
            "transaction_not_committed",
            f"{row.id} was not committed (it ended as {row.phase})",
            fix="choose a transaction that was committed; `confmig history` lists them",
        )
    if row.reversed_by is not None:
        raise Refused("already_rolled_back", f"{row.id} was rolled back by {row.reversed_by}")
    return row


def undo_one(job: Job, row: Transaction, held: Mapping[str, Image] | None = None) -> Undoing:
    """Undo one transaction, a rollback too. ``held``: what each file of a conflict holds."""
    _kept(job, row)
    plan = row.plan
    parts = []
    companions = []
    for file in job.store.transactions.files(plan):
        found = job.disk.digest(file.path)
        part = Part(
            file.path,
            file.config,
            file.format,
            file.after,
            file.before,
            file.migrations if row.kind == "apply" else (),
            file.new,
            file.origin,
        )
        if row.phase is Phase.CONFLICT:
            image = (held or {}).get(file.path)
            if found == file.old or image in (Image.OLD, Image.EDITED_OLD):
                companions.append(part)  # half-way: this one was never changed, or was put back
                continue
        if row.kind == "apply" and _taken_back(job, file, found):
            continue
        by = _changed_later(job, row, file.path)
        if found != file.new and by is not None:
            raise Refused(
                "rollback_conflict",
                f"{by} changed {file.path} after it",
                place=file.path,
                fix=f"roll back {by} first",
            )
        parts.append(part)
    return Undoing(row, tuple(parts), plan.details.migrations, (row.id,), tuple(companions))


def _taken_back(job: Job, file: FilePlan, found: str | None) -> bool:
    """Whether a later rollback has left the file at the version before this one already.

    ``late_append`` makes two transactions of one migration.
    """
    left = job.store.documents.get(job.target, file.path)
    if left is None:
        return False
    row = job.store.transactions.get(left.transaction)
    back = row is not None and row.kind == "rollback" and row.phase is not Phase.ABORTED
    return back and left.version == file.before and left.digest == found != file.new


def _changed_later(job: Job, undone: Transaction, path: str) -> str | None:
    """The later migration of a file, if there is one, edited since or not: it must be undone first.

    A rollback in between does not count: it left the result of this transaction, or an older
    one.
    """
    left = job.store.documents.get(job.target, path)
    row = job.store.transactions.get(left.transaction) if left is not None else None
    if row is None or row.seq <= undone.seq:  # a conflict records nothing of its own
        return None
    return row.id if row.kind == "apply" and row.phase is not Phase.ABORTED else None


def _kept(job: Job, row: Transaction) -> None:
    if not job.checkpoints.exists(row.plan.checkpoint):
        raise Refused(
            "checkpoint_pruned",
            f"the checkpoint of {row.id} is not kept any more",
            fix="take the files from a backup; `retention` in the settings says how much is kept",
        )


def undo_to(job: Job, migration: str | None) -> Undoing:
    """Undo all that is applied after a migration, which stays; None: everything.

    A document in the middle of a fused chain gets what that chain would have left at this point:
    the steps before run again on the old image, which must give the recorded bytes in the end.
    """
    bundle = bundle_of(job)
    if migration is not None and migration not in bundle.manifest.by_id:
        raise Refused("migration_unknown", f"{migration} is not in the bundle", place=migration)
    kept = bundle.manifest.by_id[migration].order if migration is not None else 0
    gone = {m.id for m in bundle.manifest.migrations if m.order > kept}
    rows = list(_in_effect(job.store, job.target))
    # retired migrations are known from the record only
    gone |= {m.id for r in rows for m in r.plan.details.migrations if m.order > kept}
    rows = [r for r in rows if gone & set(r.plan.migration_ids)]
    if not rows:
        raise Refused("nothing_to_roll_back", f"nothing of {job.target} is applied after it")
    for row in rows:
        _kept(job, row)
    applied = {m.id: m for r in rows for m in r.plan.details.migrations}
    retired = bundle.manifest.retired
    known = [m for m in applied.values() if retired is None or not retired.has(m.id)]
    same_migrations(bundle, known)
    undone = sorted((m for i, m in applied.items() if i in gone), key=lambda m: m.order)
    paths = sorted({path for row in rows for path in job.store.transactions.paths(row.id)})
    parts = []
    for path in paths:
        files = [  # the newest first
            (file, row.plan)
            for row in rows
            if (file := job.store.transactions.files(row.plan).named(path)) is not None
        ]
        part = _part_to(job, bundle, path, files, frozenset(gone))
        if part is not None:
            parts.append(part)
    return Undoing(rows[-1], tuple(parts), tuple(undone), tuple(r.id for r in rows))


def _part_to(
    job: Job,
    bundle: Bundle,
    path: str,
    files: list[tuple[FilePlan, TransactionPlan]],
    gone: frozenset[str],
) -> Part | None:
    """One document back to before the first of the migrations that go."""
    steps = [m for file, _ in reversed(files) for m in file.migrations if m in gone]
    if not steps:
        return None
    first, plan = next(
        (file, plan) for file, plan in reversed(files) if any(m in gone for m in file.migrations)
    )
    old, before, computed = first.origin, first.before, None
    if any(m not in gone for m in first.migrations):
        computed, before = _part_way(job, bundle, first, plan, gone)
        old = digest_of(computed)
    latest = files[0][0]
    taken = files[: files.index((first, plan)) + 1]  # the newest first
    exact = all(later.old == sooner.new for (later, _), (sooner, _) in pairwise(taken))
    return Part(
        path,
        first.config,
        first.format,
        latest.after,
        before,
        tuple(steps),
        latest.new,
        old,
        exact,
        computed,
    )


def _part_way(
    job: Job, bundle: Bundle, file: FilePlan, plan: TransactionPlan, gone: frozenset[str]
) -> tuple[bytes, int]:
    """What a transaction would have left of a file if only the migrations that stay had run in it.

    Also returns the version at which it would have left the file.
    """
    known = bundle.manifest.by_id
    files = job.store.transactions.files(plan)
    together = [file]
    if any(known[m].joint for m in file.migrations if m in known):
        steps = {f.path: [known[m] for m in f.migrations if m in known] for f in files}
        mine = tied_groups(steps)[file.path]
        together = [f for f in files if f.path in mine]
    sources = {f.config: job.checkpoints.image(f.origin) for f in together}
    ids = {m for f in together for m in f.migrations}
    ran = [m.id for m in bundle.manifest.migrations if m.id in ids]
    whole = bundle.transform(sources, ran, job.store.install_key)[file.config]
    if whole.data is None or digest_of(whole.data) != file.new:
        raise Refused(
            "chain_differs",
            f"{', '.join(ran)} do not give again what they left then",
            place=file.path,
            fix="roll back whole transactions with `confmig rollback TX`",
        )
    stay = [m for m in ran if m not in gone]
    part = bundle.transform(sources, stay, job.store.install_key)[file.config]
    return part.image(sources[file.config]), part.after


def bundle_of(job: Job) -> Bundle:
    if job.bundle is None:
        raise Refused(
            "rollback_conflict",
            "edited since, and the bundle cannot be loaded",
            fix="correct the bundle (`confmig check`), then ask again",
        )
    return job.bundle


def same_migrations(bundle: Bundle, recorded: Iterable[MigrationRecord]) -> None:
    """Raises ``Refused`` unless the bundle has the migrations that ran."""
    for m in recorded:
        known = bundle.manifest.by_id.get(m.id)
        if known is None or known.checksum != m.checksum:
            raise Refused(
                "rollback_conflict",
                f"the bundle has another {m.id} than ran then",
                fix="use the bundle that has the migration as it ran",
            )
