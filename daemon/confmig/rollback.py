"""Backward: give documents what they had before their migrations, as a transaction.

A file that still holds exactly what the migration left is restored to the byte. One that was
edited since gets the old bytes with the later edits in them (``documents.rebase``); where that
cannot be, every place is listed and nothing is written, unless the operator discards the edits:
then today's file is kept in ``rescue/``. Images are verified first. Policy windows never stand in
the way. Afterwards the migrations are held (``rolled_back``) until ``confmig retry``.

A rollback can be undone, too: what it restored to the byte comes back to the byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confmig import __version__
from confmig.adapters.bundle import Bundle
from confmig.adapters.checkpoints import Checkpoints
from confmig.adapters.disk import Disk, Snapshot, digest_of
from confmig.adapters.store import Hold, Store, Transaction, stamp
from confmig.apply import record_applied
from confmig.core.manifest import Config
from confmig.core.transaction import Phase
from confmig.documents.document import Document
from confmig.documents.rebase import Forwarded, rebase
from confmig.errors import ConfmigError, Refused
from confmig.intent import FilePlan, Plan, lay_out
from confmig.transact import Records, Transactor
from confmig_otel import events as ev
from confmig_otel import spans


@dataclass(frozen=True, slots=True)
class Job:
    """What one rollback works with. ``bundle`` is needed for edited files and for ``undo_to``;
    it is None if it cannot be loaded. ``discard``: later edits are put aside, not placed."""

    target: str
    store: Store
    checkpoints: Checkpoints
    disk: Disk
    clock: Callable[[], datetime]
    recorder: spans.Recorder
    actor: str
    bundle: Bundle | None
    discard: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a rollback. ``steps`` are the migrations that are taken back; ``left`` is the
    hash of what they left, ``old`` that of what they found."""

    path: str
    config: str
    format: str
    before: int
    after: int
    steps: tuple[str, ...]
    left: str
    old: bytes


@dataclass(frozen=True, slots=True)
class Undoing:
    """What is to be undone: the parts, the migrations (as recorded), the transactions that are
    reversed by it, and the one that names it."""

    row: Transaction
    parts: tuple[Part, ...]
    migrations: tuple[dict[str, Any], ...]
    reverses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """One file as it will be: ``how`` is ``restored`` (to the byte), ``merged`` (with later
    edits) or ``discarded`` (later edits go to ``rescue/``)."""

    part: Part
    snapshot: Snapshot
    data: bytes
    how: str


# --- what to undo


def choose(store: Store, target: str, *, transaction: str | None = None) -> Transaction:
    """The transaction to undo: the named one, or the newest forward one not yet undone."""
    if transaction is not None:
        row = store.transaction(transaction)
        if row is None or row.target != target:
            raise Refused(
                "transaction_unknown",
                f"there is no transaction {transaction} in {target}",
                fix="`confmig status` lists them",
            )
    else:
        found = [r for r in store.committed(target) if r.kind == "apply" and r.reversed_by is None]
        if not found:
            raise Refused("nothing_to_roll_back", f"no transaction of {target} is left to undo")
        row = found[0]
    return _undoable(row)


def choose_checkpoint(
    store: Store, checkpoints: Checkpoints, target: str, path: str
) -> Transaction:
    """The transaction that a checkpoint file belongs to."""
    return choose(store, target, transaction=str(checkpoints.load(path)["transaction"]))


def _undoable(row: Transaction) -> Transaction:
    if row.phase not in (Phase.COMMITTED, Phase.DONE, Phase.CONFLICT):
        raise Refused(
            "transaction_not_committed",
            f"{row.id} ended in {row.phase}: it changed nothing",
            fix="choose one that was committed",
        )
    if row.reversed_by is not None:
        raise Refused("already_rolled_back", f"{row.id} was rolled back by {row.reversed_by}")
    return row


def undo_one(job: Job, row: Transaction) -> Undoing:
    """Undo one transaction, a rollback too."""
    _kept(job, row)
    done = Plan.of(row)
    parts = []
    for file in done.files:
        found = job.disk.digest(file.path)
        if found == file.old and row.phase is Phase.CONFLICT:
            continue  # half-way: this one was never changed, or was put back
        by = _changed_later(job, done.id, file.path, found)
        if found != file.new and by is not None:
            raise Refused(
                "rollback_conflict",
                f"{by} changed {file.path} after it",
                place=file.path,
                fix=f"roll back {by} first",
            )
        parts.append(
            Part(
                file.path,
                file.config,
                file.format,
                file.after,
                file.before,
                file.migrations if row.kind == "apply" else (),
                file.new,
                job.checkpoints.image(file.old),  # verified before anything is begun
            )
        )
    return Undoing(row, tuple(parts), tuple(done.details["migrations"]), (row.id,))


def _changed_later(job: Job, transaction: str, path: str, found: str | None) -> str | None:
    """The later migration that left a file as it is, if there is one: it must be undone first. A
    rollback in between is none: what it left is this transaction's result again, or older."""
    _, recorded, by = job.store.documents(job.target).get(path, (0, "", ""))
    row = job.store.transaction(by) if found == recorded and by != transaction else None
    return by if row is not None and row.kind == "apply" else None


def _kept(job: Job, row: Transaction) -> None:
    if not job.checkpoints.exists(row.checkpoint):
        raise Refused(
            "checkpoint_pruned",
            f"the checkpoint of {row.id} is not kept any more",
            fix="take the files from a backup; `retention` in the settings says how much is kept",
        )


def undo_to(job: Job, migration: str | None) -> Undoing:
    """Undo all that is applied after a migration, which stays; None: everything.

    A document in the midst of a fused chain gets what that chain would have left at this point:
    the steps before run again on the old image, which must give the recorded bytes in the end.
    """
    bundle = _bundle(job)
    if migration is not None and migration not in bundle.manifest.by_id:
        raise Refused("migration_unknown", f"{migration} is not in the bundle", place=migration)
    kept = bundle.manifest.by_id[migration].order if migration is not None else 0
    gone = [m.id for m in bundle.manifest.migrations if m.order > kept]
    rows = [
        r for r in job.store.committed(job.target) if r.kind == "apply" and r.reversed_by is None
    ]
    rows = [r for r in rows if any(m["id"] in gone for m in r.plan["details"]["migrations"])]
    if not rows:
        raise Refused("nothing_to_roll_back", f"nothing of {job.target} is applied after it")
    for row in rows:
        _kept(job, row)
    applied = {m["id"]: m for r in rows for m in r.plan["details"]["migrations"]}
    _same_migrations(bundle, applied.values())
    undone = sorted((m for i, m in applied.items() if i in gone), key=lambda m: m["order"])
    history: dict[str, list[FilePlan]] = {}
    for row in rows:  # the newest first
        for file in Plan.of(row).files:
            history.setdefault(file.path, []).append(file)
    parts = [
        part
        for path, files in sorted(history.items())
        if (part := _part_to(job, bundle, path, files, frozenset(gone))) is not None
    ]
    return Undoing(rows[-1], tuple(parts), tuple(undone), tuple(r.id for r in rows))


def _part_to(
    job: Job, bundle: Bundle, path: str, files: list[FilePlan], gone: frozenset[str]
) -> Part | None:
    """One document back to before the first of the migrations that go."""
    steps = [m for file in reversed(files) for m in file.migrations if m in gone]
    if not steps:
        return None
    first = next(file for file in reversed(files) if any(m in gone for m in file.migrations))
    config = bundle.manifest.configs[first.config]
    old, before = job.checkpoints.image(first.old), first.before
    stay = [m for m in first.migrations if m not in gone]
    if stay:
        whole = bundle.transform(config, old, first.migrations, job.store.install_key)
        if whole.rendered is None or digest_of(whole.rendered.data) != first.new:
            raise Refused(
                "chain_differs",
                f"{', '.join(first.migrations)} do not give again what they left then",
                place=path,
                fix="roll back whole transactions with `confmig rollback TX`",
            )
        part = bundle.transform(config, old, stay, job.store.install_key)
        old = part.rendered.data if part.rendered is not None else old
        before = part.after
    latest = files[0]
    return Part(
        path, first.config, first.format, latest.after, before, tuple(steps), latest.new, old
    )


# --- what each file becomes


def restore(job: Job, undoing: Undoing) -> list[Restored]:
    """What each file becomes. Nothing is written.

    Raises ``Refused`` (``rollback_conflict``) with every path and place that stands in the way.
    """
    out: list[Restored] = []
    conflicts: list[str] = []
    for part in undoing.parts:
        try:
            snapshot = job.disk.read(part.path)
            out.append(_restored(job, undoing, part, snapshot))
        except Refused as error:
            conflicts.append(f"{part.path} ({error.message})")
    if conflicts:
        raise Refused(
            "rollback_conflict",
            f"{len(conflicts)} file(s) changed after the migration: {', '.join(conflicts)}",
            place=conflicts[0].split(" (")[0],
            fix="put the edits aside and roll back again, or say --discard-later-edits: today's "
            "files are kept in the state directory's rescue/ then",
        )
    return out


def _restored(job: Job, undoing: Undoing, part: Part, snapshot: Snapshot) -> Restored:
    if snapshot.digest == part.left and len(undoing.reverses) == 1:
        return Restored(part, snapshot, part.old, "restored")
    if job.discard:
        how = "restored" if snapshot.digest == part.left else "discarded"
        return Restored(part, snapshot, part.old, how)
    if not part.steps:
        raise Refused(
            "rollback_conflict",
            "edited since",
            fix="`confmig retry ID` migrates the edited file again",
        )
    bundle = _bundle(job)
    _same_migrations(bundle, [m for m in undoing.migrations if m["id"] in part.steps])
    config = bundle.manifest.configs[part.config]
    if any(bundle.manifest.by_id[m].together for m in part.steps):
        raise Refused("rollback_conflict", "edited since, and migrated with other files as one")

    def parse(data: bytes) -> Document:
        return bundle.parse(config, data)

    def forward(data: bytes) -> Forwarded:
        result = bundle.transform(config, data, part.steps, job.store.install_key)
        rendered = result.rendered.data if result.rendered is not None else data
        return Forwarded(result.document, parse(rendered))

    again = bundle.transform(config, part.old, part.steps, job.store.install_key)
    left = again.rendered.data if again.rendered is not None else part.old
    segments = again.rendered.segments if again.rendered is not None else ()
    if left == snapshot.data:
        return Restored(part, snapshot, part.old, "restored")
    if len(undoing.reverses) == 1 and digest_of(left) != part.left:
        raise Refused("chain_differs", "its migrations do not give again what they left then")
    data = rebase(part.old, left, snapshot.data, segments, parse, forward)
    _fits(bundle, config, part, data)
    return Restored(part, snapshot, data, "merged")


def _fits(bundle: Bundle, config: Config, part: Part, data: bytes) -> None:
    """Raises ``Refused`` if the result breaks the old schema where the old file did not."""
    found = [
        {(e.place, e.what) for e in bundle.schemas.errors(config.name, part.after, document) or ()}
        for document in (bundle.parse(config, data), bundle.parse(config, part.old))
    ]
    new = sorted(what for _, what in found[0] - found[1])
    if new:
        raise Refused(
            "rollback_conflict",
            f"with the later edits it does not fit the schema of version {part.after}: "
            + ", ".join(new[:5]),
        )


def _bundle(job: Job) -> Bundle:
    if job.bundle is None:
        raise Refused("rollback_conflict", "edited since, and the bundle cannot be loaded")
    return job.bundle


def _same_migrations(bundle: Bundle, recorded: Iterable[dict[str, Any]]) -> None:
    """Raises ``Refused`` unless the bundle has the migrations that ran."""
    for m in recorded:
        known = bundle.manifest.by_id.get(m["id"])
        if known is None or known.checksum != m["checksum"]:
            raise Refused("rollback_conflict", f"the bundle has another {m['id']} than ran then")


# --- doing it


def rollback(job: Job, undoing: Undoing, restored: list[Restored], transaction: str) -> Plan:
    """Write what ``restore`` found, as the transaction named ``transaction``. Raises what
    ``Transactor.run`` raises."""
    began = time.monotonic()
    attributes: dict[str, Any] = {
        ev.TARGET: job.target,
        ev.ID: undoing.migrations[0]["id"],
        ev.TRIGGER: "operator",
        ev.TRANSACTION: transaction,
    }
    class_ = undoing.row.class_
    with job.recorder.span(spans.ROLLBACK, f"rollback {attributes[ev.ID]}", attributes) as span:
        try:
            plan = _plan(job, undoing, restored, transaction)
            Transactor(job.store, job.checkpoints, job.disk, job.clock, span.context).run(
                plan, RECORDS
            )
        except ConfmigError as error:
            span.fail(error.code)
            raise
        finally:
            job.recorder.duration(
                time.monotonic() - began, {ev.CLASS: class_, ev.OUTCOME: "rolled_back"}
            )
    return plan


def _plan(job: Job, undoing: Undoing, restored: list[Restored], transaction: str) -> Plan:
    files, images = [], []
    for number, one in enumerate(restored):
        part, snapshot = one.part, one.snapshot
        if one.how == "discarded":
            name = f"{transaction}-{number}"
            job.checkpoints.save_rescue(name, snapshot.data)
        if one.data == snapshot.data:
            continue
        images += [snapshot.data, one.data]
        files.append(
            FilePlan(
                path=part.path,
                temporary="",
                config=part.config,
                format=part.format,
                old=snapshot.digest,
                new=digest_of(one.data),
                before=part.before,
                after=part.after,
                migrations=part.steps,
                metadata=snapshot.metadata,
                mounted=snapshot.mounted,
            )
        )
    placed, directory = lay_out(job.disk, transaction, files)
    job.checkpoints.put(images, transaction)
    now = job.clock()
    row = undoing.row
    checkpoint = job.checkpoints.save(
        transaction,
        {
            "format": 1,
            "transaction": transaction,
            "target": job.target,
            "created_at": stamp(now),
            "program": __version__,
            "reverses": row.id,
            "files": [
                {
                    "path": f.path,
                    "old": f.old,
                    "new": f.new,
                    "before": f.before,
                    "after": f.after,
                }
                for f in files
            ],
        },
    )
    details = {
        "migrations": list(undoing.migrations),
        "manifest": row.plan["details"]["manifest"],
        "actor": job.actor,
        "trigger": "operator",
        "began": now.timestamp(),
        "restores": row.checkpoint,
        "reverses": list(undoing.reverses),
        "redo": row.kind == "rollback" and not row.plan["details"]["redo"],
    }
    return Plan(
        transaction,
        job.target,
        "rollback",
        row.class_,
        placed,
        checkpoint,
        details,
        row.id,
        directory,
    )


def _common(plan: Plan) -> dict[str, Any]:
    ids = [m["id"] for m in plan.details["migrations"]]
    return {
        ev.TARGET: plan.target,
        ev.ID: ids[0],
        ev.IDS: ids,
        ev.CLASS: plan.class_,
        ev.TRANSACTION: plan.id,
        ev.REVERSES: plan.reverses,
        ev.TRIGGER: plan.details["trigger"],
        ev.CHECKPOINT: plan.details["restores"],
        ev.DOCUMENTS: len(plan.files),
    }


def _started(plan: Plan) -> list[ev.Event]:
    return [ev.event(ev.ROLLBACK_STARTED, _common(plan))]


def _commit(store: Store, plan: Plan, now: datetime) -> list[ev.Event]:
    if plan.details["redo"]:
        record_applied(store, plan, now, 0.0)  # as before it
    else:
        _taken_back(store, plan, now)
    for name in plan.details["reverses"]:
        store.mark_reversed(name, plan.id)
        _in_effect_again(store, name, plan)
        reversed_row = store.transaction(name)
        if reversed_row is not None and reversed_row.phase is Phase.CONFLICT:
            store.move(name, Phase.ABORTED, now=now)  # the target is whole again
    seconds = round(max(0.0, now.timestamp() - plan.details["began"]), 6)
    return [
        ev.event(
            ev.ROLLBACK_COMPLETED, _common(plan) | {ev.OUTCOME: "rolled_back", ev.DURATION: seconds}
        )
    ]


def _in_effect_again(store: Store, name: str, plan: Plan) -> None:
    """Undoing a rollback puts what that had undone in effect again; undoing *that* takes it back
    once more."""
    undone = store.transaction(name)
    if undone is None or undone.kind != "rollback":
        return
    for other in undone.plan["details"]["reverses"]:
        store.mark_reversed(other, None)
        before = store.transaction(other)
        if not plan.details["redo"] and before is not None and before.kind == "rollback":
            for original in before.plan["details"]["reverses"]:
                store.mark_reversed(original, plan.id)


def _taken_back(store: Store, plan: Plan, now: datetime) -> None:
    # what other documents still hold stays recorded as applied
    configs = {f.config for f in plan.files}
    versions = {config: store.versions(plan.target, config) for config in configs}
    for m in plan.details["migrations"]:
        sets = m["sets"].items()
        if not any(v >= to for config, to in sets for v in versions.get(config, ())):
            store.forget_applied(plan.target, m["id"])
        store.set_hold(
            plan.target, Hold(m["id"], "rolled_back", "", f"rolled back by {plan.id}", stamp(now))
        )
        store.forget_announced(plan.target, f"migration:{m['id']}")


def _failed(plan: Plan, error: ConfmigError, phase: Phase, during: str) -> list[ev.Event]:
    outcome = "partial" if phase is Phase.CONFLICT else "failed"
    return [
        ev.event(
            ev.ROLLBACK_FAILED,
            _common(plan)
            | {
                ev.ERROR_TYPE: error.code,
                ev.PHASE: during.lower(),
                ev.OUTCOME: outcome,
            },
        )
    ]


RECORDS = Records(commit=_commit, started=_started, failed=_failed)
