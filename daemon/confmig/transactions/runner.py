"""The numbered effects of a transaction: intent, stage, exchange, one commit, clean up.

Both a forward apply and a rollback are the same thing here: for each file an old and a new image.
How the files get them is a ``Swap`` (``swap``: each by itself; ``whole``: their directory). What
must be durable is stated before what may be done:

1. images and checkpoint file are durable            (``Checkpoints``, before this module)
2. intent: plan, hashes, metadata and the names of all temporary files   phase STAGING
3. every new file staged beside its target, durable                      phase PREPARED
4. each target: hash, exchange, identify what came out; directories synced
5. one SQLite commit: facts, migrations, events                          phase COMMITTED
6. temporaries removed, directories synced                               phase DONE
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confmig.adapters.files.disk import Disk
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.store import Store, Transaction, stamp
from confmig.core.transaction.phases import (
    Image,
    Phase,
    Recovery,
    after_undo,
    check_move,
    recovery,
    settled,
)
from confmig.errors import LATE_FAILURE, ConfmigError, Fault, PartialFailure, Unfinished
from confmig.transactions.directory_exchange import WholeDirectory
from confmig.transactions.file_exchange import Drifted, EachFile, Swap
from confmig.transactions.plan import Plan
from confmig_otel import events as ev


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
        *,
        beat: Callable[[], None] = lambda: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = store
        self.checkpoints = checkpoints
        self.disk = disk
        self.clock = clock
        self.beat = beat
        self.pause = pause

    def swap(self, plan: Plan, *, crashed: bool = False) -> Swap:
        """The way of a plan's files. ``crashed``: see ``EachFile``."""

        def keep(path: str, name: str, data: bytes) -> None:
            kept = self.checkpoints.save_rescue(name, data)
            with self.store.commit():  # before the bytes go elsewhere, and once
                if self.store.announce(plan.target, f"rescue:{kept}", "told"):
                    event = drift(plan.target, path, "late_write")
                    self.store.add_events([event], self.clock())

        if plan.directory is not None:
            return WholeDirectory(
                plan.files, plan.directory, self.checkpoints, self.disk, keep, self.beat, self.pause
            )
        return EachFile(
            plan.files, self.checkpoints, self.disk, keep, self.beat, self.pause, crashed=crashed
        )

    # --- forward

    def run(self, plan: Plan, records: Records) -> None:
        """Run a transaction to DONE. Images and checkpoint are durable already.

        Raises ``Drifted`` (nothing changed, plan again), ``Refused`` or ``Fault`` (nothing
        changed), ``Conflict`` (the target is blocked) or ``Unfinished`` (recover in a new
        process).
        """
        swap = self.swap(plan)
        swap.ready()
        self.intend(plan, records)
        try:
            swap.stage()
            self.prepare(plan)
            swap.exchange()
        except Unfinished:
            raise
        except (ConfmigError, OSError) as error:
            self._undo_or_leave(plan, swap, records, as_error(error))
            raise as_error(error) from error
        self.commit(plan, records)
        try:
            self.clean_up(plan, swap)
        except Unfinished:
            raise
        except (ConfmigError, OSError) as error:
            raise CleanUpFailed(
                "clean_up_failed",
                f"committed, but temporary files remain: {as_error(error).message}",
                place=as_error(error).place,
                fix="run again: the next run removes them first",
            ) from error

    def _undo_or_leave(self, plan: Plan, swap: Swap, records: Records, error: ConfmigError) -> None:
        """Undo; if that fails too, leave all to recovery in a new process."""
        try:
            self.undo(plan, swap, records, error)
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
            self.store.add_events(records.started(plan), now, plan.trace)

    def prepare(self, plan: Plan) -> None:
        """The images are staged: from here on recovery may go forward."""
        if plan.files:
            with self.store.commit():
                self.store.move(plan.id, Phase.PREPARED)

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
            self.store.add_events(records.commit(self.store, plan, now), now, plan.trace)
            self.store.move(plan.id, Phase.COMMITTED, now=now)

    def clean_up(self, plan: Plan, swap: Swap) -> None:
        """Step 6: remove the swapped-out files; a late writer's bytes are kept, with an event."""
        swap.remove()
        with self.store.commit():
            self.store.move(plan.id, Phase.DONE)

    # --- backward

    def undo(self, plan: Plan, swap: Swap, records: Records, error: ConfmigError) -> Phase:
        """Put back what was exchanged, remove the stages, and end in ABORTED or CONFLICT.

        Somebody's edit on top of our image is left alone.
        """
        before = self._phase(plan)
        phase = Phase.ABORTED
        held: dict[str, Image] = {}
        if before is not Phase.STAGING:  # in STAGING no target was touched
            swap.return_edits()
            swap.put_back()
            held = {f.path: swap.image(f) for f in plan.files}
            phase = after_undo(list(held.values()))
        swap.remove(staging=before is Phase.STAGING)
        check_move(before, phase)
        now = self.clock()
        with self.store.commit():
            said = describe(error)
            if phase is Phase.CONFLICT:
                said["files"] = {path: image.value for path, image in held.items()}
            self.store.move(plan.id, phase, now=now, error=said)
            self.store.add_events(records.failed(plan, error, phase, before.value), now, plan.trace)
        if phase is Phase.CONFLICT:
            listed = "; ".join(f"{path}: {image.value}" for path, image in held.items())
            raise Conflict(
                "partial_failure",
                f"some files are new, some are old, and one was edited meanwhile: {listed}",
                fix=f"`confmig resolve {plan.id} --dry-run` shows what each way out does",
            )
        return phase

    def recover(self, row: Transaction, records: Records) -> Phase:
        """Finish or undo a transaction that a crash interrupted. Twice is a no-op."""
        plan = Plan.of(row)
        swap = self.swap(plan, crashed=True)
        if row.phase is Phase.PREPARED:
            swap.return_edits()
        move = recovery(row.phase, [swap.image(f) for f in plan.files])
        if move is Recovery.CLEAN_UP:
            self.clean_up(plan, swap)
            return Phase.DONE
        interrupted = Fault("interrupted", "the process ended before the commit")
        if move is Recovery.ROLL_FORWARD:
            try:
                swap.finish()
            except (Drifted, FileNotFoundError, NotADirectoryError):
                return self.undo(plan, swap, records, interrupted)
            self.commit(plan, records)
            self.clean_up(plan, swap)
            return Phase.DONE
        return self.undo(plan, swap, records, interrupted)

    def settle(self, row: Transaction, records: Records) -> Phase:
        """End a conflict whose files are all old or all new by now.
        Raises ``Conflict`` (``files_mixed``) if they are not."""
        plan = Plan.of(row)
        swap = self._after_conflict(plan)
        phase = settled([swap.image(f) for f in plan.files])
        if phase is None:
            raise self._mixed(row, plan, "the files are neither all old nor all new")
        if phase is Phase.COMMITTED:
            swap.finish()  # there is nothing to do but to make it durable
            self.commit(plan, records)
            self.clean_up(plan, swap)
        else:
            swap.put_back()
            self._abort(plan, swap)
        return phase

    def resume(self, row: Transaction, records: Records) -> Phase:
        """Give the files that are old their new image, and commit. An edit of a new image stays.
        Raises ``Conflict`` (``files_mixed``) if an old image was edited."""
        plan = Plan.of(row)
        swap = self._after_conflict(plan)
        held = self.held(row)
        if Image.EDITED_OLD in held.values():
            raise self._mixed(row, plan, "a file that is old still was edited")
        if any(f.mounted and held[f.path] is Image.EDITED_NEW for f in plan.files):
            raise self._mixed(row, plan, "nothing tells whether an edited mount is old or new")
        swap.finish()
        self.commit(plan, records)
        self.clean_up(plan, swap)
        return Phase.COMMITTED

    def restore(self, row: Transaction) -> Phase:
        """Give the files that are new their old image back. An edit of an old image stays. Raises
        ``Conflict`` (``files_mixed``) if a new image was edited."""
        plan = Plan.of(row)
        swap = self._after_conflict(plan)
        if Image.EDITED_NEW in self.held(row).values():
            raise self._mixed(row, plan, "a file that is new already was edited")
        swap.put_back()
        if set(self.held(row).values()) & {Image.NEW, Image.TORN, Image.EDITED_NEW}:
            raise self._mixed(row, plan, "a file was edited meanwhile")
        self._abort(plan, swap)
        return Phase.ABORTED

    def accept(self, row: Transaction, versions: Mapping[str, tuple[int, str]]) -> Phase:
        """The files are right as they are. ``versions`` has the version and
        hash of each that can be read; that is what is recorded."""
        plan = Plan.of(row)

        def record() -> None:
            for file in plan.files:
                if file.path in versions:
                    version, digest = versions[file.path]
                    self.store.record_document(
                        plan.target, file.config, file.path, version, digest, plan.id
                    )

        self._abort(plan, self._after_conflict(plan), record)
        return Phase.ABORTED

    def held(self, row: Transaction) -> dict[str, Image]:
        """What each file of a conflict holds now. What was edited is known from the time of the
        conflict, when the temporaries were still there."""
        plan = Plan.of(row)
        swap = self.swap(plan, crashed=True)
        then = (row.error or {}).get("files", {})
        out = {}
        for file in plan.files:
            image = swap.image(file)
            if image in (Image.EDITED_OLD, Image.EDITED_NEW) and file.path in then:
                # what is in the temporary now may tell more, but not of a mounted file
                ours = then[file.path] in (Image.NEW, Image.EDITED_NEW)
                seen = image is Image.EDITED_NEW and not file.mounted
                image = Image.EDITED_NEW if ours or seen else Image.EDITED_OLD
            out[file.path] = image
        return out

    def tidy(self, row: Transaction) -> Transaction:
        """Before something else than a resolution ends a conflict: what a resolution that was cut
        off left is put in its place or kept, and what the files hold is noted."""
        plan = Plan.of(row)
        swap = self._after_conflict(plan)
        held = {path: image.value for path, image in self.held(row).items()}
        swap.remove()
        with self.store.commit():
            self.store.note_error(plan.id, (row.error or {}) | {"files": held})
        found = self.store.transaction(plan.id)
        assert found is not None
        return found

    def _after_conflict(self, plan: Plan) -> Swap:
        """The way of a conflict's files; a resolution before this one may have been cut off."""
        swap = self.swap(plan, crashed=True)
        swap.return_edits()
        return swap

    def _mixed(self, row: Transaction, plan: Plan, why: str) -> Conflict:
        listed = "; ".join(f"{path}: {image.value}" for path, image in self.held(row).items())
        return Conflict(
            "files_mixed",
            f"{why}: {listed}",
            fix=f"`confmig resolve {plan.id} --dry-run` shows what each does; the images are "
            f"named in {plan.checkpoint}",
        )

    def _abort(self, plan: Plan, swap: Swap, record: Callable[[], None] = lambda: None) -> None:
        """End a conflict without effect, but for what ``record`` writes."""
        swap.remove()
        now = self.clock()
        with self.store.commit():
            record()
            self.store.move(plan.id, Phase.ABORTED, now=now)

    def _phase(self, plan: Plan) -> Phase:
        row = self.store.transaction(plan.id)
        assert row is not None
        return row.phase


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
