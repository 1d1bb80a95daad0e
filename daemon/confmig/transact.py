"""The numbered effects of a transaction: intent, stage, exchange, one commit, clean up.

Both a forward apply and a rollback are the same thing here: for each file an old and a new image.
What must be durable is stated before what may be done:

1. images and checkpoint file are durable            (``Checkpoints``, before this module)
2. intent: plan, hashes, metadata and the names of all temporary files   phase STAGING
3. every new file staged beside its target, durable                      phase PREPARED
4. each target: hash, exchange, identify what came out; directories synced
5. one SQLite commit: facts, migrations, events                          phase COMMITTED
6. temporaries removed, directories synced                               phase DONE

After every exchange, in undo and in recovery too, what came out is identified. If it is neither
ours nor the image we expected, somebody wrote in between, and it is exchanged again so that
their edit stands. Nobody's bytes are ever unlinked: what is no recorded image goes to
``rescue/``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from confmig.adapters.checkpoints import Checkpoints
from confmig.adapters.disk import Disk, Metadata
from confmig.adapters.store import Store, Transaction, stamp
from confmig.core.transaction import (
    Image,
    Phase,
    Recovery,
    after_undo,
    check_move,
    recovery,
    settled,
)
from confmig.errors import ConfmigError, Fault, Refused, Unfinished
from confmig_otel import events as ev

_SWAPS = 8


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One file of a transaction. ``temporary`` is the name of its stage, in its directory."""

    path: str
    temporary: str
    config: str
    format: str
    old: str
    new: str
    before: int
    after: int
    migrations: tuple[str, ...]
    metadata: Metadata

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FilePlan:
        """The inverse of ``dataclasses.asdict``."""
        fields = dict(data)
        fields["migrations"] = tuple(fields["migrations"])
        fields["metadata"] = Metadata(**fields["metadata"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Plan:
    """A transaction to be run. ``quiet`` are documents that reach a version without a change of
    their bytes (config, path, version, digest, migrations); ``details`` is what the commit
    records about the migrations (see ``apply`` and ``rollback``)."""

    id: str
    target: str
    kind: str
    class_: str
    files: tuple[FilePlan, ...]
    checkpoint: str
    details: dict[str, Any]
    reverses: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What the state keeps of it."""
        return {"files": [asdict(f) for f in self.files], "details": self.details}

    @classmethod
    def of(cls, row: Transaction) -> Plan:
        """The plan of a recorded transaction."""
        return cls(
            row.id,
            row.target,
            row.kind,
            row.class_,
            tuple(FilePlan.from_json(f) for f in row.plan["files"]),
            row.checkpoint,
            row.plan["details"],
            row.reverses,
        )


class Drifted(Refused):
    """A target was changed by somebody between plan and commit; their edit stands."""


class Conflict(Fault):
    """The targets are mixed and cannot be settled: the target is blocked."""


@dataclass(frozen=True, slots=True)
class Records:
    """What a kind of transaction writes into the state, and which events tell of it.

    ``commit`` runs inside the one commit that makes the transaction true; ``started`` and
    ``failed`` give the events of its intent and of its end without effect.
    """

    commit: Callable[[Store, Plan, datetime], list[ev.Event]]
    started: Callable[[Plan], list[ev.Event]]
    failed: Callable[[Plan, ConfmigError, Phase, str], list[ev.Event]]


class Transactor:
    """Runs and recovers the transactions of one target. The caller holds the locks."""

    def __init__(
        self,
        store: Store,
        checkpoints: Checkpoints,
        disk: Disk,
        clock: Callable[[], datetime],
        trace: tuple[str, str] | None = None,
    ) -> None:
        self.store = store
        self.checkpoints = checkpoints
        self.disk = disk
        self.clock = clock
        self.trace = trace

    # --- forward

    def run(self, plan: Plan, records: Records) -> None:
        """Run a transaction to DONE. Images and checkpoint are durable already.

        Raises ``Drifted`` (nothing changed, plan again), ``Refused`` or ``Fault`` (nothing
        changed), ``Conflict`` (the target is blocked) or ``Unfinished`` (recover in a new
        process).
        """
        self.intend(plan, records)
        try:
            self.stage(plan)
            self.prepare(plan)
            self.exchange(plan)
        except Unfinished:
            raise
        except (ConfmigError, OSError) as error:
            self.undo(plan, records, as_error(error))
            raise as_error(error) from error
        self.commit(plan, records)
        self.clean_up(plan)

    def intend(self, plan: Plan, records: Records) -> None:
        """Step 2: what is about to happen becomes durable, all temporary names included."""
        now = self.clock()
        with self.store.commit():
            self.store.begin(
                Transaction(
                    plan.id,
                    0,
                    plan.target,
                    plan.kind,
                    plan.class_,
                    Phase.STAGING,
                    plan.as_json(),
                    plan.checkpoint,
                    plan.reverses,
                    None,
                    stamp(now),
                    None,
                    None,
                )
            )
            self.store.add_events(records.started(plan), now, self.trace)

    def stage(self, plan: Plan) -> None:
        """Step 3: every new file beside its target, durable. A full disk shows here."""
        for file in plan.files:
            self.disk.stage(file.temporary, self.checkpoints.image(file.new), file.metadata)
        self.disk.sync_dirs(f.path for f in plan.files)

    def prepare(self, plan: Plan) -> None:
        """From here on recovery may go forward."""
        if plan.files:
            with self.store.commit():
                self.store.move(plan.id, Phase.PREPARED)

    def exchange(self, plan: Plan) -> None:
        """Step 4: swap every target with its stage, or raise ``Drifted``."""
        for file in plan.files:
            self._swap_in(file, file.old)
        self.disk.sync_dirs(f.path for f in plan.files)

    def commit(self, plan: Plan, records: Records) -> None:
        """Step 5: facts, migrations and events, in one commit."""
        now = self.clock()
        with self.store.commit():
            if not plan.files:
                self.store.move(plan.id, Phase.PREPARED)
            for file in plan.files:
                self.store.record_document(
                    plan.target, file.config, file.path, file.after, file.new, plan.id
                )
            self.store.add_events(records.commit(self.store, plan, now), now, self.trace)
            self.store.move(plan.id, Phase.COMMITTED, now=now)

    def clean_up(self, plan: Plan) -> None:
        """Step 6: remove the swapped-out files; a late writer's bytes are kept, with an event."""
        late = [f for f in plan.files if self._remove(f, plan)]
        self.disk.sync_dirs(f.path for f in plan.files)
        now = self.clock()
        with self.store.commit():
            self.store.move(plan.id, Phase.DONE)
            self.store.add_events([drift(plan.target, f.path, "late_write") for f in late], now)

    # --- backward

    def undo(self, plan: Plan, records: Records, error: ConfmigError) -> Phase:
        """Put back what was exchanged, remove the stages, and end in ABORTED or CONFLICT.

        Somebody's edit on top of our image is left alone.
        """
        for file in reversed(plan.files):
            if self._image(file) is Image.NEW:
                self._swap_out(file)
        self.disk.sync_dirs(f.path for f in plan.files)
        images = [self._image(f) for f in plan.files]
        phase = after_undo(images)
        before = self._phase(plan)
        if before is Phase.STAGING:  # no target was touched: whatever they hold is not ours
            phase = Phase.ABORTED
        late = [f for f in plan.files if self._remove(f, plan)]
        self.disk.sync_dirs(f.path for f in plan.files)
        check_move(before, phase)
        now = self.clock()
        with self.store.commit():
            self.store.move(plan.id, phase, now=now, error=describe(error))
            self.store.add_events(records.failed(plan, error, phase, before.value), now, self.trace)
            self.store.add_events([drift(plan.target, f.path, "late_write") for f in late], now)
        if phase is Phase.CONFLICT:
            raise Conflict(
                "partial_failure",
                "some files are new, some are old, and somebody's edit stands between",
                fix=f"confmig resolve {plan.id} --verify-and-clear, once all are old or all new",
            )
        return phase

    def recover(self, row: Transaction, records: Records) -> Phase:
        """Finish or undo a transaction that a crash interrupted. Twice is a no-op."""
        plan = Plan.of(row)
        images = [self._image(f) for f in plan.files]
        move = recovery(row.phase, images)
        if move is Recovery.CLEAN_UP:
            self.clean_up(plan)
            return Phase.DONE
        interrupted = Fault("interrupted", "the process ended before the commit")
        if move is Recovery.ROLL_FORWARD:
            try:
                for file in plan.files:
                    if self._image(file) is Image.OLD:
                        self._restage(file, file.new)
                        self._swap_in(file, file.old)
                self.disk.sync_dirs(f.path for f in plan.files)
            except Drifted:
                return self.undo(plan, records, interrupted)
            self.commit(plan, records)
            self.clean_up(plan)
            return Phase.DONE
        return self.undo(plan, records, interrupted)

    def settle(self, row: Transaction, records: Records) -> Phase | None:
        """End a conflict whose files are all old or all new by now; None if they are mixed."""
        plan = Plan.of(row)
        phase = settled([self._image(f) for f in plan.files])
        if phase is Phase.COMMITTED:
            self.commit(plan, records)
            self.clean_up(plan)
        elif phase is Phase.ABORTED:
            now = self.clock()
            for file in plan.files:
                self._remove(file, plan)
            self.disk.sync_dirs(f.path for f in plan.files)
            with self.store.commit():
                self.store.move(plan.id, Phase.ABORTED, now=now)
        return phase

    # --- one file

    def _phase(self, plan: Plan) -> Phase:
        row = self.store.transaction(plan.id)
        assert row is not None
        return row.phase

    def _image(self, file: FilePlan) -> Image:
        digest = self.disk.digest(file.path)
        if digest == file.new:
            return Image.NEW
        if digest == file.old:
            return Image.OLD
        # somebody's edit: if our temporary holds the old image, ours had been there before
        return (
            Image.EDITED_NEW if self.disk.digest(file.temporary) == file.old else Image.EDITED_OLD
        )

    def _restage(self, file: FilePlan, digest: str) -> None:
        """Make sure that the temporary file holds an image."""
        held = self.disk.digest(file.temporary)
        if held == digest:
            return
        if held is not None:
            self._discard(file.temporary, file, held)
        self.disk.stage(file.temporary, self.checkpoints.image(digest), file.metadata)

    def _swap_in(self, file: FilePlan, expected: str) -> None:
        """Exchange target and stage; raise ``Drifted`` if the target was not what we read."""
        drifted = Drifted(
            "target_drifted",
            "the file was changed while it was being migrated",
            place=file.path,
            fix="nothing: it is planned again",
        )
        if self.disk.digest(file.path) != expected:
            raise drifted
        self.disk.exchange(file.temporary, file.path)
        if self.disk.digest(file.temporary) != expected:
            self._give_back(file, file.new)
            raise drifted

    def _swap_out(self, file: FilePlan) -> None:
        """Put the old image back, unless somebody edits at that moment: then theirs stands."""
        self._restage(file, file.old)
        self.disk.exchange(file.temporary, file.path)
        if self.disk.digest(file.temporary) != file.new:
            self._give_back(file, file.old)

    def _give_back(self, file: FilePlan, placed: str) -> None:
        """What came out is somebody's edit: exchange until what comes out is what we put there.

        ``placed`` is the image of ours that the target holds now. If yet another edit comes out,
        it is the newer one and goes back in turn; the older one is kept in ``rescue/``.
        """
        for _ in range(_SWAPS):
            theirs = self.disk.digest(file.temporary)
            self.disk.exchange(file.temporary, file.path)
            if self.disk.digest(file.temporary) == placed:
                return
            placed = theirs or ""
        raise Fault(
            "target_busy", f"the file changed {_SWAPS} times during one exchange", place=file.path
        )

    def _remove(self, file: FilePlan, plan: Plan) -> bool:
        """Unlink a temporary; True if it held somebody's late write, which is kept."""
        held = self.disk.digest(file.temporary)
        if held is None:
            return False
        foreign = held not in (file.old, file.new)
        # a stage that a crash left half-written is ours: it never was anybody's target
        if foreign and self._phase(plan) is Phase.STAGING:
            foreign = False
        if foreign:
            self.checkpoints.save_rescue(
                file.temporary.rpartition("/")[2], self.disk.content(file.temporary)
            )
        self.disk.unlink(file.temporary)
        return foreign

    def _discard(self, temporary: str, file: FilePlan, held: str) -> None:
        if held not in (file.old, file.new):
            self.checkpoints.save_rescue(temporary.rpartition("/")[2], self.disk.content(temporary))
        self.disk.unlink(temporary)


def as_error(error: ConfmigError | OSError) -> ConfmigError:
    """An operating system's error in our words."""
    if isinstance(error, ConfmigError):
        return error
    return Fault(
        "io_error",
        f"the disk said: {error.strerror or error}",
        place=str(error.filename or ""),
        fix="make room or mend the disk, then run again",
    )


def describe(error: ConfmigError) -> dict[str, Any]:
    """An error as the state keeps it."""
    return {"type": error.code, "message": error.message, "place": error.place, "fix": error.fix}


def drift(target: str, path: str, reason: str) -> ev.Event:
    """The event that somebody changed a file under us."""
    return ev.event(ev.DRIFT, {ev.TARGET: target, ev.PATH: path, ev.REASON: reason})
