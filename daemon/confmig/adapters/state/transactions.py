"""The tables of transactions and of their files: one row per transaction, one per file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from confmig.adapters.files.metadata import Metadata
from confmig.adapters.state.connection import Connection, moment, stamp
from confmig.adapters.state.records import (
    Directory,
    Failure,
    FilePlan,
    Transaction,
    TransactionPlan,
    details_of,
    numbers,
    ranges,
)
from confmig.core.transaction.phases import UNFINISHED, Image, Phase, check_move

_COLUMNS = (
    "id, target, kind, class, checkpoint, details, documents, reverses, directory, seq, "
    "phase, reversed_by, started_at, ended_at, error"
)
_FILE_COLUMNS = (
    "n, path, temporary, config, format, old, new, before, after, steps, mode, uid, gid, xattrs, "
    "mounted, source, old_size, new_size"
)


_CHUNK = 500
"""Rows that are read at once."""


class PlannedFiles:
    """The recorded files of a transaction, read row by row; see ``records.Files``."""

    def __init__(self, connection: Connection, plan: TransactionPlan) -> None:
        self._connection = connection
        self._plan = plan
        self._ids = plan.migration_ids

    def __len__(self) -> int:
        return self._plan.documents

    def __iter__(self) -> Iterator[FilePlan]:
        last = -1
        while rows := self._rows("AND n>? ORDER BY n LIMIT ?", last, _CHUNK):
            last = rows[-1][0]
            yield from (self._file(*row) for row in rows)

    def __reversed__(self) -> Iterator[FilePlan]:
        last = self._plan.documents
        while rows := self._rows("AND n<? ORDER BY n DESC LIMIT ?", last, _CHUNK):
            last = rows[-1][0]
            yield from (self._file(*row) for row in rows)

    def named(self, path: str) -> FilePlan | None:
        """The file with a path, or None."""
        found = self._rows("AND path=?", path)
        return self._file(*found[0]) if found else None

    def _rows(self, which: str, *values: str | int) -> list[tuple[Any, ...]]:
        """Some rows at once: no query stays open while files are exchanged."""
        return self._connection.read(
            f"SELECT {_FILE_COLUMNS} FROM transaction_files WHERE tx=? {which}",
            (self._plan.id, *values),
        ).fetchall()

    def _file(  # noqa: PLR0913 - the columns of a row
        self,
        n: int,
        path: str,
        temporary: str,
        config: str,
        format: str,
        old: str,
        new: str,
        before: int,
        after: int,
        steps: str,
        mode: int,
        uid: int,
        gid: int,
        xattrs: str,
        mounted: int,
        source: str | None,
        old_size: int | None,
        new_size: int | None,
    ) -> FilePlan:
        return FilePlan(
            path,
            temporary,
            config,
            format,
            old,
            new,
            before,
            after,
            tuple(self._ids[step] for step in numbers(steps)),
            Metadata(mode, uid, gid, json.loads(xattrs)),
            bool(mounted),
            source,
            old_size,
            new_size,
        ).checked()


class Transactions:
    """Transactions in the order in which they began."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # --- writing

    def begin(self, plan: TransactionPlan, files: Iterable[FilePlan], now: datetime) -> None:
        """Record the intent of a transaction, with all its files."""
        write = self._connection.write
        seq = write("SELECT coalesce(max(seq),0)+1 FROM transactions").fetchone()[0]
        directory = plan.directory.to_json() if plan.directory is not None else None
        write(
            f"INSERT INTO transactions({_COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                plan.id,
                plan.target,
                plan.kind,
                plan.class_,
                plan.checkpoint,
                json.dumps(plan.details.to_json()),
                plan.documents,
                plan.reverses,
                json.dumps(directory) if directory is not None else None,
                seq,
                Phase.STAGING.value,
                None,
                stamp(now),
                None,
                None,
            ),
        )
        place = {name: number for number, name in enumerate(plan.migration_ids)}
        self._connection.write_many(
            f"INSERT INTO transaction_files(tx, {_FILE_COLUMNS}) "
            "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (_row(plan.id, n, file, place) for n, file in enumerate(files)),
        )

    def move(
        self,
        transaction: str,
        phase: Phase,
        *,
        now: datetime | None = None,
        error: Failure | None = None,
    ) -> None:
        """Move a transaction to its next phase; a move that is not in the table is a bug."""
        write = self._connection.write
        row = write("SELECT phase FROM transactions WHERE id=?", (transaction,)).fetchone()
        check_move(Phase(row[0]), phase)
        write(
            "UPDATE transactions SET phase=?, ended_at=coalesce(?,ended_at), "
            "error=coalesce(?,error) WHERE id=?",
            (
                phase.value,
                stamp(now) if now else None,
                json.dumps(error.to_json()) if error else None,
                transaction,
            ),
        )

    def note_found(self, transaction: str, images: Iterable[tuple[str, Image]]) -> None:
        """Record what each file (path) of a conflict holds."""
        self._connection.write_many(
            "UPDATE transaction_files SET found=? WHERE tx=? AND path=?",
            ((image.name.lower(), transaction, path) for path, image in images),
        )

    def mark_reversed(self, transaction: str, by: str | None) -> None:
        """A rollback undid this transaction; None: that rollback was undone."""
        self._connection.write(
            "UPDATE transactions SET reversed_by=? WHERE id=?", (by, transaction)
        )

    # --- reading

    def get(self, transaction: str) -> Transaction | None:
        """One transaction, or None."""
        found = self._rows("WHERE id=?", (transaction,))
        return found[0] if found else None

    def files(self, plan: TransactionPlan) -> PlannedFiles:
        """The recorded files of a transaction."""
        return PlannedFiles(self._connection, plan)

    def unfinished(self, target: str) -> list[Transaction]:
        """Transactions that recovery must finish or undo, oldest first."""
        phases = ",".join(f"'{p.value}'" for p in UNFINISHED)
        return self._rows(f"WHERE target=? AND phase IN ({phases}) ORDER BY seq", (target,))

    def conflicts(self, target: str) -> list[Transaction]:
        """Transactions that block the target, oldest first."""
        return self._rows("WHERE target=? AND phase='CONFLICT' ORDER BY seq", (target,))

    def committed(self, target: str) -> Iterator[Transaction]:
        """Transactions that changed documents, newest first."""
        return self._newest("target=? AND phase IN ('COMMITTED','DONE')", target)

    def newest(self, target: str | None = None) -> Iterator[Transaction]:
        """All transactions, of a target or of all, the newest first."""
        return self._newest("? IN (target, '')", target or "")

    def last(self, target: str) -> Transaction | None:
        """The newest transaction of a target, whatever became of it."""
        return next(self.newest(target), None)

    def last_success(self) -> float | None:
        """The Unix time of the last committed transaction."""
        row = self._connection.read(
            "SELECT max(ended_at) FROM transactions WHERE phase IN ('COMMITTED','DONE')"
        ).fetchone()
        return moment(row[0]).timestamp() if row[0] else None

    def found(self, transaction: str) -> dict[str, str]:
        """What the files of a conflict hold, by path, in words; see ``phases.Image``."""
        rows = self._connection.read(
            "SELECT path, found FROM transaction_files WHERE tx=? AND found IS NOT NULL ORDER BY n",
            (transaction,),
        )
        return {path: _image(found) or found for path, found in rows}

    def found_of(self, transaction: str, path: str) -> Image | None:
        """What was recorded of one of them."""
        row = self._connection.read(
            "SELECT found FROM transaction_files WHERE tx=? AND path=?", (transaction, path)
        ).fetchone()
        return _image(row[0]) if row is not None and row[0] is not None else None

    def paths(self, transaction: str) -> list[str]:
        """The paths of a transaction's files, in order."""
        rows = self._connection.read(
            "SELECT path FROM transaction_files WHERE tx=? ORDER BY n", (transaction,)
        )
        return [path for (path,) in rows]

    def image_hashes(self, transaction: str) -> Iterator[str]:
        """The hashes of all images that a transaction needs: before, after, and what was migrated.

        A hash may come more than once.
        """
        rows = self._connection.read(
            "SELECT old, new, source FROM transaction_files WHERE tx=?", (transaction,)
        )
        for hashes in rows:
            yield from (digest for digest in hashes if digest is not None)

    def _newest(self, which: str, value: str) -> Iterator[Transaction]:
        before = 1 << 62
        while True:
            where = f"WHERE {which} AND seq<? ORDER BY seq DESC LIMIT 1"
            found = self._rows(where, (value, before))
            if not found:
                return
            before = found[0].seq
            yield found[0]

    def _rows(self, which: str, values: tuple[Any, ...]) -> list[Transaction]:
        rows = self._connection.read(f"SELECT {_COLUMNS} FROM transactions {which}", values)
        return [_transaction(*row) for row in rows.fetchall()]


def _transaction(  # noqa: PLR0913 - the columns of a row
    id: str,
    target: str,
    kind: str,
    class_: str,
    checkpoint: str,
    details: str,
    documents: int,
    reverses: str | None,
    directory: str | None,
    seq: int,
    phase: str,
    reversed_by: str | None,
    started_at: str,
    ended_at: str | None,
    error: str | None,
) -> Transaction:
    plan = TransactionPlan(
        id,
        target,
        kind,
        class_,
        checkpoint,
        details_of(kind, json.loads(details)),
        documents,
        reverses,
        Directory.from_json(json.loads(directory)) if directory is not None else None,
    )
    failure = Failure.from_json(json.loads(error)) if error else None
    return Transaction(plan, seq, Phase(phase), reversed_by, started_at, ended_at, failure)


def _row(transaction: str, n: int, file: FilePlan, place: dict[str, int]) -> tuple[Any, ...]:
    """A file as its row; its migrations are places in the list of the transaction."""
    metadata = file.metadata
    return (
        transaction,
        n,
        file.path,
        file.temporary,
        file.config,
        file.format,
        file.old,
        file.new,
        file.before,
        file.after,
        ranges([place[m] for m in file.migrations]),
        metadata.mode,
        metadata.uid,
        metadata.gid,
        json.dumps(metadata.xattrs),
        int(file.mounted),
        file.source,
        file.old_size,
        file.new_size,
    )


_FORMER = {
    "half-written by a crash": Image.TORN,
    "edited, ours was never there": Image.EDITED_OLD,
    "edited after ours was there": Image.EDITED_NEW,
}
"""The words that states up to format 3 have in place of a name."""


def _image(found: str) -> Image | None:
    """The image that a row names; None for a text that this program does not know."""
    return Image.__members__.get(found.upper()) or _FORMER.get(found)
