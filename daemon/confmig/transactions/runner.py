"""The numbered effects of a transaction: intent, stage, exchange, one commit, clean up.

A migration and a rollback are the same here: for each file an old and a new image. How the files
get them is an ``Exchange``. Each step is durable before the next one begins:

1. images and checkpoint file are durable            (``Checkpoints``, before this module)
2. intent: plan, hashes, metadata and the names of all temporary files   phase STAGING
3. every new file staged beside the old one, durable                     phase PREPARED
4. each file: hash, exchange, identify what came out; directories synced
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
    check_move,
    recovery,
)
from confmig.errors import LATE_FAILURE, ConfmigError, Fault, PartialFailure, Unfinished
from confmig.transactions.directory_exchange import DirectoryExchange
from confmig.transactions.exchange import Drifted, Exchange
from confmig.transactions.file_exchange import FileExchange
from confmig_otel import events as ev


class Conflict(PartialFailure):
    """Some files are new and some are old, and nothing decides: the target is blocked."""


class CleanUpFailed(Fault):
    """The transaction *is committed*; its temporary files are left for the next run."""

    exit_code = LATE_FAILURE


@dataclass(frozen=True, slots=True)
class Records:
    """What a kind of transaction writes into the state and reports, as three callbacks.

    ``commit`` runs inside the one commit that makes the transaction true; ``started`` and
    ``failed`` give the events of its intent and of its end without effect.
    """

    commit: Callable[[Store, TransactionPlan, datetime], list[ev.Event]]
    started: Callable[[TransactionPlan], list[ev.Event]]
    failed: Callable[[TransactionPlan, ConfmigError, Phase, str], list[ev.Event]]


class Transactor:
    """Runs and recovers the transactions of one target. The caller holds the locks.

    ``beat`` is called often: it shows the service manager that the process lives. ``pause`` waits.
    """

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

    def exchange_for(
        self, plan: TransactionPlan, files: Files | None = None, *, crashed: bool = False
    ) -> Exchange:
        """The ``Exchange`` that handles a plan's files; without ``files``, the recorded ones.

        ``crashed``: see ``FileExchange``; a directory needs no such care.
        """

        def keep(path: str, name: str, data: bytes) -> None:
            kept = self.checkpoints.save_rescue(name, data)
            with self.store.commit():  # before the bytes are removed; one event for each file
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
        changed), ``CleanUpFailed`` (committed), ``Conflict`` (the target is blocked) or
        ``Unfinished`` (recover in a new process).
        """
        exchange = self.exchange_for(plan, files)
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
        """Step 3: the images are staged, so that recovery may go forward from here on.

        A plan without files passes this phase in its one commit.
        """
        if plan.documents:
            with self.store.commit():
                self.store.transactions.move(plan.id, Phase.PREPARED)

    def commit(self, plan: TransactionPlan, records: Records) -> None:
        """Step 5: facts, migrations, events and phase, in one commit."""
        now = self.clock()
        transactions = self.store.transactions
        with self.store.commit():
            if not plan.documents:
                transactions.move(plan.id, Phase.PREPARED)
            for file in transactions.files(plan):
                now_there = Recorded(file.after, file.new, plan.id)
                self.store.documents.record(plan.target, file.config, file.path, now_there)
            self.store.events.add(records.commit(self.store, plan, now), now, plan.details.trace)
            transactions.move(plan.id, Phase.COMMITTED, now=now)

    def clean_up(self, plan: TransactionPlan, exchange: Exchange) -> None:
        """Step 6: remove the exchanged files. The ``Exchange`` keeps a late writer's bytes."""
        exchange.remove()
        with self.store.commit():
            self.store.transactions.move(plan.id, Phase.DONE)

    # --- backward

    def undo(
        self, plan: TransactionPlan, exchange: Exchange, records: Records, error: ConfmigError
    ) -> Phase:
        """Put back what was exchanged, remove the stages, and end in ABORTED.

        An edit of our image by another process is left alone. Raises ``Conflict``, and ends in
        CONFLICT, if the files are mixed then.
        """
        transactions = self.store.transactions
        before = self._phase(plan)
        phase = Phase.ABORTED
        if before is not Phase.STAGING:  # in STAGING no file was touched
            exchange.return_edits()
            exchange.put_back()
            phase = after_undo(image for _, image in self.images(plan, exchange))
        found = list(self.images(plan, exchange)) if phase is Phase.CONFLICT else []
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
                + listed({path: image.value for path, image in found}),
                fix=f"`confmig resolve {plan.id} --dry-run` shows the outcome of each choice",
            )
        return phase

    def recover(self, row: Transaction, records: Records) -> Phase:
        """Finish or undo a transaction that a crash interrupted; a crash inside may be recovered.

        Raises ``Conflict`` as ``undo`` does.
        """
        plan = row.plan
        exchange = self.exchange_for(plan, crashed=True)
        if row.phase is Phase.PREPARED:
            exchange.return_edits()
        action = recovery(row.phase, (image for _, image in self.images(plan, exchange)))
        if action is Recovery.CLEAN_UP:
            self.clean_up(plan, exchange)
            return Phase.DONE
        interrupted = Fault("interrupted", "the process ended before the commit")
        if action is Recovery.ROLL_FORWARD:
            try:
                exchange.finish()
            except (Drifted, FileNotFoundError, NotADirectoryError):
                return self.undo(plan, exchange, records, interrupted)
            self.commit(plan, records)
            self.clean_up(plan, exchange)
            return Phase.DONE
        return self.undo(plan, exchange, records, interrupted)  # ABORT and UNDO act alike

    def images(self, plan: TransactionPlan, exchange: Exchange) -> Iterator[tuple[str, Image]]:
        """What each file holds now, by path."""
        for file in self.store.transactions.files(plan):
            yield file.path, exchange.image(file)

    def _phase(self, plan: TransactionPlan) -> Phase:
        row = self.store.transactions.get(plan.id)
        assert row is not None
        return row.phase


_MAX_LISTED = 20
"""Files that one message lists."""


def listed(held: Mapping[str, str]) -> str:
    """What files hold, for people."""
    shown = "; ".join(f"{path}: {image}" for path, image in list(held.items())[:_MAX_LISTED])
    return shown + (f"; and {len(held) - _MAX_LISTED} more" if len(held) > _MAX_LISTED else "")


def describe(error: ConfmigError) -> Failure:
    """An error as the state keeps it."""
    return Failure(error.code, error.message, error.place, error.fix)


def drift(target: str, path: str, reason: str) -> ev.Event:
    """The event that another process changed a file under us."""
    return ev.event(ev.DRIFT, {ev.TARGET: target, ev.PATH: path, ev.REASON: reason})
