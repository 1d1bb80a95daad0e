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

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from confmig.adapters.checkpoints import Checkpoints
from confmig.adapters.disk import Disk, Metadata, Snapshot, about, digest_of
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
from confmig.errors import (
    LATE_FAILURE,
    ConfmigError,
    Fault,
    PartialFailure,
    Refused,
    Unfinished,
)
from confmig_otel import events as ev

_SWAPS = 8
MANY = 32
"""Above this many files one flush of the whole filesystem takes the place of one a file."""

LINGER = 1.0
"""Seconds that clean-up waits for processes that still write into a file we exchanged."""
_LOOK = 0.02


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
    """A transaction to be run. ``details`` is what the commit records about the migrations (see
    ``apply`` and ``rollback``)."""

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


class Conflict(PartialFailure):
    """The targets are mixed and cannot be settled: the target is blocked."""


class CleanUpFailed(Fault):
    """Committed; the temporary files are left for the next run."""

    exit_code = LATE_FAILURE


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
        *,
        beat: Callable[[], None] = lambda: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = store
        self.checkpoints = checkpoints
        self.disk = disk
        self.clock = clock
        self.trace = trace
        self.beat = beat
        self.pause = pause
        self._rescued: list[str] = []

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
            self._undo_or_leave(plan, records, as_error(error))
            raise as_error(error) from error
        self.commit(plan, records)
        try:
            self.clean_up(plan)
        except Unfinished:
            raise
        except (ConfmigError, OSError) as error:
            raise CleanUpFailed(
                "clean_up_failed",
                f"committed, but temporary files remain: {as_error(error).message}",
                place=as_error(error).place,
                fix="run again: the next run removes them first",
            ) from error

    def _undo_or_leave(self, plan: Plan, records: Records, error: ConfmigError) -> None:
        """Undo; if that fails too, leave all to recovery in a new process."""
        try:
            self.undo(plan, records, error)
        except (Conflict, Unfinished):
            raise
        except (ConfmigError, OSError) as second:
            raise Unfinished(
                "undo_failed",
                f"{error.message}; and undoing it failed: {as_error(second).message}",
                place=as_error(second).place,
                fix="mend the disk, then run again: the transaction is settled first",
            ) from second

    def intend(self, plan: Plan, records: Records) -> None:
        """Step 2: what is about to happen becomes durable, all temporary names included."""
        now = self.clock()
        if self.store.unfinished(plan.target):
            raise Unfinished(
                "unfinished_transaction",
                "an earlier transaction of this target is not settled yet",
                fix="run again: it is settled first",
            )
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
        many = len(plan.files) > MANY
        for file in plan.files:
            self.beat()
            image = self.checkpoints.image(file.new)
            with about(file.path):
                self.disk.stage(file.temporary, image, file.metadata, durable=not many)
        self._sync(plan)

    def _sync(self, plan: Plan, *, gone_is_fine: bool = False) -> None:
        """Make what was done to the files' names durable: a flush a directory, or one for all."""
        sync = self.disk.sync_all if len(plan.files) > MANY else self.disk.sync_dirs
        sync((f.path for f in plan.files), gone_is_fine=gone_is_fine)

    def prepare(self, plan: Plan) -> None:
        """From here on recovery may go forward."""
        if plan.files:
            with self.store.commit():
                self.store.move(plan.id, Phase.PREPARED)

    def exchange(self, plan: Plan) -> None:
        """Step 4: swap every target with its stage, or raise ``Drifted``."""
        for file in plan.files:
            self.beat()
            with about(file.path):
                self._swap_in(file, file.old)
        self._sync(plan)

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
        self._linger(plan)
        for file in plan.files:
            self.beat()
            self._remove(file, plan)
        self._sync(plan, gone_is_fine=True)
        now = self.clock()
        with self.store.commit():
            self.store.move(plan.id, Phase.DONE)
            self.store.add_events(self._late_writes(plan), now)

    # --- backward

    def undo(self, plan: Plan, records: Records, error: ConfmigError) -> Phase:
        """Put back what was exchanged, remove the stages, and end in ABORTED or CONFLICT.

        Somebody's edit on top of our image is left alone.
        """
        before = self._phase(plan)
        phase = Phase.ABORTED
        held: dict[str, Image] = {}
        if before is not Phase.STAGING:  # in STAGING no target was touched
            self._return_edits(plan)
            for file in reversed(plan.files):
                if self._image(file) is Image.NEW:
                    self._swap_out(file)
            self._sync(plan, gone_is_fine=True)
            held = {f.path: self._image(f) for f in plan.files}
            phase = after_undo(list(held.values()))
            self._linger(plan)
        for file in plan.files:
            self._remove(file, plan)
        self._sync(plan, gone_is_fine=True)
        check_move(before, phase)
        now = self.clock()
        with self.store.commit():
            said = describe(error)
            if phase is Phase.CONFLICT:
                said["files"] = {path: image.value for path, image in held.items()}
            self.store.move(plan.id, phase, now=now, error=said)
            self.store.add_events(records.failed(plan, error, phase, before.value), now, self.trace)
            self.store.add_events(self._late_writes(plan), now)
        if phase is Phase.CONFLICT:
            raise Conflict(
                "partial_failure",
                "some files are new, some are old, and somebody's edit stands between",
                fix=f"look at `confmig status`, then confmig resolve {plan.id} with --restore, "
                "--resume, --verify-and-clear or --accept-changed",
            )
        return phase

    def recover(self, row: Transaction, records: Records) -> Phase:
        """Finish or undo a transaction that a crash interrupted. Twice is a no-op."""
        plan = Plan.of(row)
        if row.phase is Phase.PREPARED:
            self._return_edits(plan)
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
                self._sync(plan)
            except (Drifted, FileNotFoundError, NotADirectoryError):
                return self.undo(plan, records, interrupted)
            self.commit(plan, records)
            self.clean_up(plan)
            return Phase.DONE
        return self.undo(plan, records, interrupted)

    def settle(self, row: Transaction, records: Records) -> Phase:
        """``--verify-and-clear``: end a conflict whose files are all old or all new by now.
        Raises ``Conflict`` (``files_mixed``) if they are not."""
        plan = Plan.of(row)
        phase = settled([self._image(f) for f in plan.files])
        if phase is None:
            raise self._mixed(row, plan, "the files are neither all old nor all new")
        if phase is Phase.COMMITTED:
            self.commit(plan, records)
            self.clean_up(plan)
        else:
            self._abort(plan)
        return phase

    def resume(self, row: Transaction, records: Records) -> Phase:
        """``--resume``: give the files that are old their new image, and commit. Raises
        ``Conflict`` (``files_mixed``) if somebody's edit stands in one of them."""
        plan = Plan.of(row)
        images = [self._image(f) for f in plan.files]
        if not set(images) <= {Image.OLD, Image.NEW}:
            raise self._mixed(row, plan, "somebody's edit stands in the way of the new image")
        for file, image in zip(plan.files, images, strict=True):
            if image is Image.OLD:
                self._restage(file, file.new)
                self._swap_in(file, file.old)
        self._sync(plan)
        self.commit(plan, records)
        self.clean_up(plan)
        return Phase.COMMITTED

    def restore(self, row: Transaction) -> Phase:
        """``--restore``: give the files that are new their old image back. An edit of an old
        image stays. Raises ``Conflict`` (``files_mixed``) if a new image was edited."""
        plan = Plan.of(row)
        if Image.EDITED_NEW in self.held(row).values():
            raise self._mixed(row, plan, "somebody edited a file that is new already")
        for file in plan.files:
            if self._image(file) is Image.NEW:
                self._swap_out(file)
        self._sync(plan, gone_is_fine=True)
        if any(self._image(f) is Image.NEW for f in plan.files):
            raise self._mixed(row, plan, "somebody edited a file meanwhile")
        self._abort(plan)
        return Phase.ABORTED

    def accept(self, row: Transaction, versions: Mapping[str, tuple[int, str]]) -> Phase:
        """``--accept-changed``: the files are right as they are. ``versions`` has the version and
        hash of each that can be read; that is what is recorded."""
        plan = Plan.of(row)
        with self.store.commit():
            for file in plan.files:
                if file.path in versions:
                    version, digest = versions[file.path]
                    self.store.record_document(
                        plan.target, file.config, file.path, version, digest, plan.id
                    )
        self._abort(plan)
        return Phase.ABORTED

    def held(self, row: Transaction) -> dict[str, Image]:
        """What each file of a conflict holds now. What was edited is known from the time of the
        conflict, when the temporaries were still there."""
        plan = Plan.of(row)
        then = (row.error or {}).get("files", {})
        out = {}
        for file in plan.files:
            image = self._image(file)
            if image not in (Image.OLD, Image.NEW) and then.get(file.path) in (
                Image.NEW,
                Image.EDITED_NEW,
            ):
                image = Image.EDITED_NEW
            out[file.path] = image
        return out

    def _mixed(self, row: Transaction, plan: Plan, why: str) -> Conflict:
        listed = "; ".join(f"{path}: {image.value}" for path, image in self.held(row).items())
        return Conflict(
            "files_mixed",
            f"{why}: {listed}",
            fix="put the edited files aside or back, or say --accept-changed --reason TEXT; the "
            f"images are named in {plan.checkpoint}",
        )

    def _abort(self, plan: Plan) -> None:
        """End a conflict without effect."""
        now = self.clock()
        self._linger(plan)
        for file in plan.files:
            self._remove(file, plan)
        self._sync(plan, gone_is_fine=True)
        with self.store.commit():
            self.store.move(plan.id, Phase.ABORTED, now=now)
            self.store.add_events(self._late_writes(plan), now)

    def _linger(self, plan: Plan) -> None:
        """Wait for processes that opened a target before the exchange and still write into it:
        what they write must be there when it is looked for."""
        self.beat()
        linger(self.disk, [f.temporary for f in plan.files], self.pause)

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

    def _return_edits(self, plan: Plan) -> None:
        """A crash may have come between an exchange and the look at what came out: if that was
        somebody's edit, it goes back to its place before anything else is decided."""
        for file in plan.files:
            held = self.disk.digest(file.temporary)
            if held in (None, file.old, file.new):
                continue
            if self._image(file) is Image.NEW:
                give_back(self.disk, file.temporary, file.path, file.new)

    def _late_writes(self, plan: Plan) -> list[ev.Event]:
        """The events of bytes that were moved to ``rescue/`` since the last commit."""
        late, self._rescued = self._rescued, []
        return [drift(plan.target, path, "late_write") for path in late]

    def _rescue(self, file: FilePlan) -> None:
        name = file.temporary.rpartition("/")[2]
        self.checkpoints.save_rescue(name, self.disk.content(file.temporary))
        self._rescued.append(file.path)

    def _restage(self, file: FilePlan, digest: str) -> None:
        """Make sure that the temporary file holds an image.

        Made under another name first: a crash meanwhile must not leave half an image where an
        edit of somebody might be looked for.
        """
        held = self.disk.digest(file.temporary)
        if held == digest:
            return
        if held not in (None, file.old, file.new):
            self._rescue(file)
        making = file.temporary + "r"
        self.disk.unlink(making)
        self.disk.stage(making, self.checkpoints.image(digest), file.metadata)
        self.disk.rename(making, file.temporary)

    def _swap_in(self, file: FilePlan, expected: str) -> None:
        """Exchange target and stage; raise ``Drifted`` if the target was not what we read."""
        drifted = Drifted(
            "target_drifted",
            "the file was changed while it was being migrated",
            place=file.path,
            fix="nothing: it is planned again",
        )
        mine = file.metadata  # somebody's chmod is an edit, too
        if self.disk.digest(file.path) != expected or self.disk.metadata(file.path) != mine:
            raise drifted
        self.disk.exchange(file.temporary, file.path)
        if self.disk.digest(file.temporary) != expected or (
            self.disk.metadata(file.temporary) != mine
        ):
            give_back(self.disk, file.temporary, file.path, file.new)
            raise drifted

    def _swap_out(self, file: FilePlan) -> None:
        """Put the old image back, unless somebody edits at that moment: then theirs stands."""
        self._restage(file, file.old)
        self.disk.exchange(file.temporary, file.path)
        if self.disk.digest(file.temporary) != file.new:
            give_back(self.disk, file.temporary, file.path, file.old)

    def _remove(self, file: FilePlan, plan: Plan) -> None:
        """Unlink a temporary; somebody's late write in it is kept."""
        self.disk.unlink(file.temporary + "r")
        held = self.disk.digest(file.temporary)
        if held is None:
            return
        # a stage that a crash left half-written is ours: it never was anybody's target
        if held not in (file.old, file.new) and self._phase(plan) is not Phase.STAGING:
            self._rescue(file)
        self.disk.unlink(file.temporary)


def linger(disk: Disk, temporaries: list[str], pause: Callable[[float], None]) -> None:
    """Wait up to ``LINGER`` for those who still write into files that are to be removed."""
    waited = 0.0
    while waited < LINGER and any(disk.being_written(name) for name in temporaries):
        pause(_LOOK)
        waited += _LOOK


def give_back(disk: Disk, temporary: str, path: str, placed: str) -> None:
    """What came out of an exchange is somebody's edit: exchange until what comes out is what we
    put there.

    ``placed`` is the hash of what we put at ``path``. If yet another edit comes out, it is the
    newer one and goes back in turn; the older one stays in ``temporary`` for ``rescue/``. Raises
    ``Fault`` (``target_busy``) after 8 exchanges.
    """
    for _ in range(_SWAPS):
        theirs = disk.digest(temporary)
        disk.exchange(temporary, path)
        if disk.digest(temporary) == placed:
            return
        placed = theirs or ""
    raise Fault("target_busy", f"the file changed {_SWAPS} times during one exchange", place=path)


def replace_file(disk: Disk, snapshot: Snapshot, data: bytes, temporary: str) -> None:
    """Replace one file without any state, for the stateless ``migrate --write``.

    An edit that comes in between stands (``Drifted``); bytes that are neither the old nor the
    new image are never unlinked: the message names the file that keeps them.
    """
    new = digest_of(data)
    try:
        with about(snapshot.path):
            disk.stage(temporary, data, snapshot.metadata)
    except BaseException:
        disk.unlink(temporary)  # half of it, and nobody's
        raise
    try:
        disk.exchange(temporary, snapshot.path)
        if disk.digest(temporary) != snapshot.digest or (
            disk.metadata(temporary) != snapshot.metadata
        ):
            give_back(disk, temporary, snapshot.path, new)
            raise Drifted(
                "target_drifted",
                "the file was changed meanwhile; that edit stands",
                place=snapshot.path,
                fix="run it again",
            )
    finally:
        linger(disk, [temporary], time.sleep)
        held = disk.digest(temporary)
        if held in (snapshot.digest, new):
            disk.unlink(temporary)
    if held not in (None, snapshot.digest, new):
        raise Drifted(
            "target_drifted",
            f"an edit that came in between is kept in {temporary}",
            place=snapshot.path,
            fix="compare the two, then run it again",
        )
    disk.sync_dirs([snapshot.path])


def as_error(error: ConfmigError | OSError) -> ConfmigError:
    """An operating system's error in our words."""
    if isinstance(error, ConfmigError):
        return error
    fixes = {
        errno.ENOSPC: "make room on the disk, then run again",
        errno.EDQUOT: "make room in the quota, then run again",
        errno.EMFILE: "allow more open files, then run again",
        errno.EACCES: "check the rights of the file and its directory",
        errno.EPERM: "check owner and attributes of the file and its directory",
        errno.EROFS: "mount it writable",
    }
    return Fault(
        "io_error",
        f"the system said: {error.strerror or error}",
        place=str(error.filename or ""),
        fix=fixes.get(error.errno or 0, "look at the disk and the directory, then run again"),
    )


def describe(error: ConfmigError) -> dict[str, Any]:
    """An error as the state keeps it."""
    return {"type": error.code, "message": error.message, "place": error.place, "fix": error.fix}


def drift(target: str, path: str, reason: str) -> ev.Event:
    """The event that somebody changed a file under us."""
    return ev.event(ev.DRIFT, {ev.TARGET: target, ev.PATH: path, ev.REASON: reason})
