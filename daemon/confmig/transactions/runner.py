"""The numbered effects of a transaction: intent, stage, exchange, one commit, clean up.

Both a migration and a rollback are the same thing here: for each file an old and a new image. How
the files get them is an ``Exchange``. What must be durable is stated before what may be done:

1. images and checkpoint file are durable            (``Checkpoints``, before this module)
2. intent: plan, hashes, metadata and the names of all temporary files   phase STAGING
3. every new file staged beside its target, durable                      phase PREPARED
4. each target: hash, exchange, identify what came out; directories synced
5. one SQLite commit: facts, migrations, events                          phase COMMITTED
6. temporaries removed, directories synced                               phase DONE
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from confmig.adapters.files.port import FileSystem
from confmig.adapters.files.system_errors import as_error
from confmig.adapters.state.documents import Recorded
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.state.records import Failure, Files, Transaction, TransactionPlan
from confmig.adapters.state.store import Store
from confmig.core.transaction.phases import (
    Image,
    Phase,
    Recovery,
    after_undo,
    agreed_phase,
    check_move,
    recovery,
)
from confmig.errors import LATE_FAILURE, ConfmigError, Fault, PartialFailure, Unfinished
from confmig.transactions.directory_exchange import DirectoryExchange
from confmig.transactions.exchange import Drifted, Exchange
from confmig.transactions.file_exchange import FileExchange
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

    commit: Callable[[Store, TransactionPlan, datetime], list[ev.Event]]
    started: Callable[[TransactionPlan], list[ev.Event]]
    failed: Callable[[TransactionPlan, ConfmigError, Phase, str], list[ev.Event]]


class Transactor:
    """Runs and recovers the transactions of one target. The caller holds the locks."""

    def __init__(
        self,
        store: Store,
        checkpoints: CheckpointStore,
        disk: FileSystem,
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

    def exchange(
        self, plan: TransactionPlan, files: Files | None = None, *, crashed: bool = False
    ) -> Exchange:
        """How a plan's files change; without ``files``, those that are recorded.

        ``crashed``: see ``FileExchange``.
        """

        def keep(path: str, name: str, data: bytes) -> None:
            kept = self.checkpoints.save_rescue(name, data)
            with self.store.commit():  # before the bytes go elsewhere, and once
                if self.store.reported.remember_rescue(plan.target, kept):
                    event = drift(plan.target, path, "late_write")
                    self.store.events.add([event], self.clock())

        files = files if files is not None else self.store.transactions.files(plan)
        if plan.directory is not None:
            return DirectoryExchange(
                files, plan.directory, self.checkpoints, self.disk, keep, self.beat, self.pause
            )
        return FileExchange(
            files, self.checkpoints, self.disk, keep, self.beat, self.pause, crashed=crashed
        )

    # --- forward

    def run(self, plan: TransactionPlan, files: Files, records: Records) -> None:
        """Run a transaction to DONE. Images and checkpoint are durable already.

        Raises ``Drifted`` (nothing changed, plan again), ``Refused`` or ``Fault`` (nothing
        changed), ``Conflict`` (the target is blocked) or ``Unfinished`` (recover in a new
        process).
        """
        exchange = self.exchange(plan, files)
        exchange.ready()
        self.intend(plan, files, records)
        try:
            exchange.stage()
            self.prepare(plan)
            exchange.exchange()
        except Unfinished:
            raise
        except (ConfmigError, OSError) as error:
            self._undo_or_leave(plan, exchange, records, as_error(error))
            raise as_error(error) from error
        self.commit(plan, records)
        try:
            self.clean_up(plan, exchange)
        except Unfinished:
            raise
        except (ConfmigError, OSError) as error:
            raise CleanUpFailed(
                "clean_up_failed",
                f"committed, but temporary files remain: {as_error(error).message}",
                place=as_error(error).place,
                fix="run again: the next run removes them first",
            ) from error

    def _undo_or_leave(
        self, plan: TransactionPlan, exchange: Exchange, records: Records, error: ConfmigError
    ) -> None:
        """Undo; if that fails too, leave all to recovery in a new process."""
        try:
            self.undo(plan, exchange, records, error)
        except (Conflict, Unfinished):
            raise
        except (ConfmigError, OSError) as second:
            raise Unfinished(
                "undo_failed",
                f"{error.message}; and undoing it failed: {as_error(second).message}",
                place=as_error(second).place,
                fix="repair the disk, then run again; that finishes or undoes the transaction "
                "first",
            ) from second

    def intend(self, plan: TransactionPlan, files: Files, records: Records) -> None:
        """Step 2: what is about to happen becomes durable, all temporary names included."""
        now = self.clock()
        if self.store.transactions.unfinished(plan.target):
            raise Unfinished(
                "unfinished_transaction",
                "an earlier transaction of this target is not finished yet",
                fix="run again; that finishes or undoes it first",
            )
        with self.store.commit():
            self.store.transactions.begin(plan, files, now)
            self.store.events.add(records.started(plan), now, plan.details.trace)

    def prepare(self, plan: TransactionPlan) -> None:
        """The images are staged: from here on recovery may go forward."""
        if plan.documents:
            with self.store.commit():
                self.store.transactions.move(plan.id, Phase.PREPARED)

    def commit(self, plan: TransactionPlan, records: Records) -> None:
        """Step 5: facts, migrations and events, in one commit."""
        now = self.clock()
        transactions = self.store.transactions
        with self.store.commit():
            if not plan.documents:
                transactions.move(plan.id, Phase.PREPARED)
            for file in transactions.files(plan):
                left = Recorded(file.after, file.new, plan.id)
                self.store.documents.record(plan.target, file.config, file.path, left)
            self.store.events.add(records.commit(self.store, plan, now), now, plan.details.trace)
            transactions.move(plan.id, Phase.COMMITTED, now=now)

    def clean_up(self, plan: TransactionPlan, exchange: Exchange) -> None:
        """Step 6: remove the swapped-out files; a late writer's bytes are kept, with an event."""
        exchange.remove()
        with self.store.commit():
            self.store.transactions.move(plan.id, Phase.DONE)

    # --- backward

    def undo(
        self, plan: TransactionPlan, exchange: Exchange, records: Records, error: ConfmigError
    ) -> Phase:
        """Put back what was exchanged, remove the stages, and end in ABORTED or CONFLICT.

        An edit of our image by another process is left alone.
        """
        transactions = self.store.transactions
        before = self._phase(plan)
        phase = Phase.ABORTED
        if before is not Phase.STAGING:  # in STAGING no target was touched
            exchange.return_edits()
            exchange.put_back()
            phase = after_undo(image for _, image in self._images(plan, exchange))
        found = list(self._images(plan, exchange)) if phase is Phase.CONFLICT else []
        exchange.remove(staging=before is Phase.STAGING)
        check_move(before, phase)
        now = self.clock()
        with self.store.commit():
            transactions.note_found(plan.id, found)
            transactions.move(plan.id, phase, now=now, error=describe(error))
            events = records.failed(plan, error, phase, before.value)
            self.store.events.add(events, now, plan.details.trace)
        if phase is Phase.CONFLICT:
            raise Conflict(
                "partial_failure",
                "some files are new, some are old, and one was edited meanwhile: "
                + _listed({path: image.value for path, image in found}),
                fix=f"`confmig resolve {plan.id} --dry-run` shows the outcome of each choice",
            )
        return phase

    def recover(self, row: Transaction, records: Records) -> Phase:
        """Finish or undo a transaction that a crash interrupted. Twice is a no-op."""
        plan = row.plan
        exchange = self.exchange(plan, crashed=True)
        if row.phase is Phase.PREPARED:
            exchange.return_edits()
        move = recovery(row.phase, (image for _, image in self._images(plan, exchange)))
        if move is Recovery.CLEAN_UP:
            self.clean_up(plan, exchange)
            return Phase.DONE
        interrupted = Fault("interrupted", "the process ended before the commit")
        if move is Recovery.ROLL_FORWARD:
            try:
                exchange.finish()
            except (Drifted, FileNotFoundError, NotADirectoryError):
                return self.undo(plan, exchange, records, interrupted)
            self.commit(plan, records)
            self.clean_up(plan, exchange)
            return Phase.DONE
        return self.undo(plan, exchange, records, interrupted)

    # --- conflicts

    def settle(self, row: Transaction, records: Records) -> Phase:
        """End a conflict whose files are all old or all new by now.

        Raises ``Conflict`` (``files_mixed``) if they are not.
        """
        plan = row.plan
        exchange = self._after_conflict(plan)
        phase = agreed_phase(image for _, image in self._images(plan, exchange))
        if phase is None:
            raise self._mixed(row, "the files are neither all old nor all new")
        if phase is Phase.COMMITTED:
            exchange.finish()  # there is nothing to do but to make it durable
            self.commit(plan, records)
            self.clean_up(plan, exchange)
        else:
            exchange.put_back()
            self._abort(plan, exchange)
        return phase

    def resume(self, row: Transaction, records: Records) -> Phase:
        """Give the files that are old their new image, and commit.

        An edit of a new image stays. Raises ``Conflict`` (``files_mixed``) if an old image
        was edited.
        """
        plan = row.plan
        exchange = self._after_conflict(plan)
        held = self.held(row)
        if Image.EDITED_OLD in held.values():
            raise self._mixed(row, "a file that is old still was edited")
        files = self.store.transactions.files(plan)
        if any(f.mounted and held[f.path] is Image.EDITED_NEW for f in files):
            raise self._mixed(row, "an edited mount may be old or new")
        exchange.finish()
        self.commit(plan, records)
        self.clean_up(plan, exchange)
        return Phase.COMMITTED

    def restore(self, row: Transaction) -> Phase:
        """Give the files that are new their old image back.

        An edit of an old image stays. Raises ``Conflict`` (``files_mixed``) if a new image
        was edited.
        """
        plan = row.plan
        exchange = self._after_conflict(plan)
        if Image.EDITED_NEW in self.held(row).values():
            raise self._mixed(row, "a file that is new already was edited")
        exchange.put_back()
        if set(self.held(row).values()) & {Image.NEW, Image.TORN, Image.EDITED_NEW}:
            raise self._mixed(row, "a file was edited meanwhile")
        self._abort(plan, exchange)
        return Phase.ABORTED

    def accept(self, row: Transaction, versions: Mapping[str, tuple[int, str]]) -> Phase:
        """The files are right as they are.

        ``versions`` has the version and hash of each that can be read; that is what is
        recorded.
        """
        plan = row.plan

        def record() -> None:
            for file in self.store.transactions.files(plan):
                if file.path in versions:
                    left = Recorded(*versions[file.path], plan.id)
                    self.store.documents.record(plan.target, file.config, file.path, left)

        self._abort(plan, self._after_conflict(plan), record)
        return Phase.ABORTED

    def held(self, row: Transaction) -> dict[str, Image]:
        """What each file of a conflict holds now, by path.

        What was edited is known from the time of the conflict, when the temporaries were
        still there.
        """
        plan = row.plan
        exchange = self.exchange(plan, crashed=True)
        out = {}
        for file in self.store.transactions.files(plan):
            image = exchange.image(file)
            if image in (Image.EDITED_OLD, Image.EDITED_NEW):
                then = self.store.transactions.found_of(plan.id, file.path)
                if then is not None:
                    # what is in the temporary now may tell more, but not of a mounted file
                    ours = then in (Image.NEW, Image.EDITED_NEW)
                    seen = image is Image.EDITED_NEW and not file.mounted
                    image = Image.EDITED_NEW if ours or seen else Image.EDITED_OLD
            out[file.path] = image
        return out

    def tidy(self, row: Transaction) -> Transaction:
        """Before something else than a resolution ends a conflict.

        What a resolution that was cut off left is put in its place or kept, and what the
        files hold is noted.
        """
        plan = row.plan
        exchange = self._after_conflict(plan)
        held = self.held(row)
        exchange.remove()
        with self.store.commit():
            self.store.transactions.note_found(plan.id, held.items())
        found = self.store.transactions.get(plan.id)
        assert found is not None
        return found

    def _images(self, plan: TransactionPlan, exchange: Exchange) -> Iterator[tuple[str, Image]]:
        """What each file holds, by path."""
        for file in self.store.transactions.files(plan):
            yield file.path, exchange.image(file)

    def _after_conflict(self, plan: TransactionPlan) -> Exchange:
        """The exchange of a conflict's files; a resolution before may have been cut off."""
        exchange = self.exchange(plan, crashed=True)
        exchange.return_edits()
        return exchange

    def _mixed(self, row: Transaction, why: str) -> Conflict:
        held = {path: image.value for path, image in self.held(row).items()}
        return Conflict(
            "files_mixed",
            f"{why}: {_listed(held)}",
            fix=f"`confmig resolve {row.id} --dry-run` shows what each does; the images are "
            f"named in {row.plan.checkpoint}",
        )

    def _abort(
        self, plan: TransactionPlan, exchange: Exchange, record: Callable[[], None] = lambda: None
    ) -> None:
        """End a conflict without effect, but for what ``record`` writes."""
        exchange.remove()
        now = self.clock()
        with self.store.commit():
            record()
            self.store.transactions.move(plan.id, Phase.ABORTED, now=now)

    def _phase(self, plan: TransactionPlan) -> Phase:
        row = self.store.transactions.get(plan.id)
        assert row is not None
        return row.phase


_MOST = 20
"""Files that one message lists."""


def _listed(held: Mapping[str, str]) -> str:
    """What files hold, for people."""
    shown = "; ".join(f"{path}: {image}" for path, image in list(held.items())[:_MOST])
    return shown + (f"; and {len(held) - _MOST} more" if len(held) > _MOST else "")


def describe(error: ConfmigError) -> Failure:
    """An error as the state keeps it."""
    return Failure(error.code, error.message, error.place, error.fix)


def drift(target: str, path: str, reason: str) -> ev.Event:
    """The event that another process changed a file under us."""
    return ev.event(ev.DRIFT, {ev.TARGET: target, ev.PATH: path, ev.REASON: reason})
