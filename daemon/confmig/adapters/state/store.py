"""The state: one SQLite file, one writer, facts and events in the same commit.

``commit()`` is the only way to write; what is inside one ``with`` becomes durable together or not
at all. Readers (``status``, ``plan``, ``events``) open the same file read-only at any time. A
state written by a newer confmig is refused.
"""

from __future__ import annotations

import ctypes
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from confmig.adapters.state import audit
from confmig.adapters.state import database as state_file
from confmig.core.bundle.history import Released
from confmig.core.policy.decide import Approval
from confmig.core.transaction.phases import UNFINISHED, Phase, check_move
from confmig.errors import Unfinished
from confmig_otel import events as ev


class StateWriteFailed(Unfinished):
    """A commit of the state failed. Nothing of it is recorded."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A row of the transactions table; ``plan`` is plain data."""

    id: str
    seq: int
    target: str
    kind: str
    class_: str
    phase: Phase
    plan: dict[str, Any]
    checkpoint: str
    reverses: str | None
    reversed_by: str | None
    started_at: str
    ended_at: str | None
    error: dict[str, Any] | None

    @property
    def images(self) -> set[str]:
        """The hashes of all images that it needs: before, after, and what was migrated."""
        keys = ("old", "new", "source")
        return {digest for f in self.plan["files"] for key in keys if (digest := f.get(key))}


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event as it waits for delivery."""

    seq: int
    uid: str
    name: str
    time_ns: int
    severity: int
    attributes: dict[str, Any]
    trace_id: str | None
    span_id: str | None


@dataclass(frozen=True, slots=True)
class Hold:
    """A migration that does not run again by itself: it failed or was rolled back.

    A failure is tried again when its ``key`` (document, bundle and policy digests) changes.
    """

    migration: str
    reason: str
    key: str
    detail: str
    since: str


def stamp(now: datetime) -> str:
    """A time as it is recorded: RFC 3339 in UTC, microseconds always written."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """A recorded time; the inverse of ``stamp``."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Store:
    """The open state. One writer; see the module's promise."""

    def __init__(self, db: sqlite3.Connection, folder: Path, index: int | None = None) -> None:
        self.db = db
        self.folder = folder
        self._index = index
        self._failed = False
        self._format = int(self._meta("format"))
        self.install_id = self._meta("install_id")
        self.install_key = bytes.fromhex(self._meta("install_key"))

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the state for writing (the caller holds the lock); make it if it is not there."""
        db, index = state_file.to_write(folder)
        return cls(db, folder, index)

    @classmethod
    def read_only(cls, folder: Path) -> Store | None:
        """Open the state for reading only, at any time; None if there is none yet."""
        db = state_file.to_read(folder)
        return cls(db, folder) if db is not None else None

    def close(self) -> None:
        """Close the file; not after a failed commit: SQLite would write its log into the database
        then, and sync again what the disk did not take."""
        if self._failed:
            return
        self.db.close()
        if self._index is not None:
            os.close(self._index)
            self._index = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def commit(self) -> Iterator[None]:
        """Everything written inside becomes durable together, or not at all."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield
            self.db.execute("COMMIT")
        except BaseException as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                self._failed = True
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.db))  # the end closes it not, too
                raise StateWriteFailed(
                    "state_write_failed",
                    f"the state did not take the commit: {error}",
                    place=str(self.folder),
                    fix="make room or mend the disk, then run again: it settles this first",
                ) from error
            raise

    def _meta(self, key: str) -> str:
        row = self.db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return str(row[0])

    def _inside(self) -> None:
        if not self.db.in_transaction:
            raise RuntimeError("state is written inside commit() only")

    # --- events

    def add_events(
        self, events: Iterable[ev.Event], now: datetime, trace: tuple[str, str] | None = None
    ) -> None:
        """Write events to the outbox, in order."""
        self._inside()
        time_ns = int(now.timestamp() * 1_000_000) * 1000
        first = self.outbox_head()
        for event in events:
            cursor = self.db.execute(
                "INSERT INTO events(name, time_ns, severity, attributes, trace_id, span_id) "
                "VALUES(?,?,?,?,?,?)",
                (
                    event.name,
                    time_ns,
                    event.severity,
                    json.dumps(dict(event.attributes)),
                    *(trace or (None, None)),
                ),
            )
            self.db.execute(
                "UPDATE events SET uid=? WHERE seq=?",
                (f"{self.install_id}-{cursor.lastrowid}", cursor.lastrowid),
            )
        audit.chain(self.db, first)

    def outbox(self, limit: int = 512) -> list[OutboxRow]:
        """Events that wait for delivery, oldest first."""
        rows = self.db.execute(
            "SELECT seq, uid, name, time_ns, severity, attributes, trace_id, span_id FROM events "
            "WHERE delivered_at IS NULL AND rejected IS NULL ORDER BY seq LIMIT ?",
            (limit,),
        )
        return [OutboxRow(r[0], r[1], r[2], r[3], r[4], json.loads(r[5]), r[6], r[7]) for r in rows]

    def outbox_size(self) -> tuple[int, int | None]:
        """How many events wait, and the time (ns) of the oldest."""
        row = self.db.execute(
            "SELECT count(*), min(time_ns) FROM events "
            "WHERE delivered_at IS NULL AND rejected IS NULL"
        ).fetchone()
        return int(row[0]), row[1]

    def rejected_count(self) -> int:
        """How many events the receiver refused for good; they are kept."""
        return int(
            self.db.execute("SELECT count(*) FROM events WHERE rejected IS NOT NULL").fetchone()[0]
        )

    def mark_delivered(self, seqs: Sequence[int], now: datetime) -> None:
        """The receiver has these."""
        self._inside()
        self.db.executemany(
            "UPDATE events SET delivered_at=? WHERE seq=?", [(stamp(now), s) for s in seqs]
        )

    def mark_rejected(self, seqs: Sequence[int], why: str) -> None:
        """The receiver will never take these; they are kept and counted."""
        self._inside()
        self.db.executemany("UPDATE events SET rejected=? WHERE seq=?", [(why, s) for s in seqs])

    def requeue(self, since_ns: int, until_ns: int) -> int:
        """Have the events of a time (half-open) delivered again, refused ones too; how many."""
        self._inside()
        cursor = self.db.execute(
            "UPDATE events SET delivered_at=NULL, rejected=NULL WHERE time_ns>=? AND time_ns<? "
            "AND (delivered_at IS NOT NULL OR rejected IS NOT NULL)",
            (since_ns, until_ns),
        )
        return cursor.rowcount

    def history(
        self, *, since_ns: int = 0, until_ns: int = (1 << 63) - 1, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The newest ``limit`` events of a time (half-open), oldest first, as plain data."""
        where = "WHERE time_ns>=? AND time_ns<? ORDER BY seq DESC LIMIT ?"
        found = self._events(where, (since_ns, until_ns, limit))
        return found[::-1]

    def following(self, after: int, limit: int = 1000) -> list[dict[str, Any]]:
        """The next events after a sequence number, as plain data."""
        return self._events("WHERE seq>? ORDER BY seq LIMIT ?", (after, limit))

    def _events(self, where: str, args: tuple[int, ...]) -> list[dict[str, Any]]:
        select = (
            "SELECT seq, uid, name, time_ns, severity, attributes, delivered_at, rejected "
            "FROM events "
        )
        cursor = self.db.execute(select + where, args)
        keys = [column[0] for column in cursor.description]
        out = [dict(zip(keys, r, strict=True)) for r in cursor]
        for row in out:
            row["attributes"] = json.loads(row["attributes"])
        return out

    def outbox_head(self) -> int:
        """The sequence number of the newest event, 0 if there is none."""
        return int(self.db.execute("SELECT coalesce(max(seq),0) FROM events").fetchone()[0])

    def last_success(self) -> float | None:
        """The Unix time of the last committed transaction."""
        row = self.db.execute(
            "SELECT max(ended_at) FROM transactions WHERE phase IN ('COMMITTED','DONE')"
        ).fetchone()
        return moment(row[0]).timestamp() if row[0] else None

    def announce(self, target: str, subject: str, state: str) -> bool:
        """Remember what was said last about a subject; False if it is the same again."""
        self._inside()
        if self.announced(target, subject) == state:
            return False
        self.db.execute("INSERT OR REPLACE INTO announced VALUES(?,?,?)", (target, subject, state))
        return True

    def announced(self, target: str, subject: str) -> str | None:
        """What was said last about a subject."""
        row = self.db.execute(
            "SELECT state FROM announced WHERE target=? AND subject=?", (target, subject)
        ).fetchone()
        return str(row[0]) if row else None

    # --- transactions

    def begin(self, row: Transaction) -> None:
        """Record the intent of a transaction."""
        self._inside()
        seq = self.db.execute("SELECT coalesce(max(seq),0)+1 FROM transactions").fetchone()[0]
        self.db.execute(
            "INSERT INTO transactions VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                row.id,
                seq,
                row.target,
                row.kind,
                row.class_,
                row.phase.value,
                json.dumps(row.plan),
                row.checkpoint,
                row.reverses,
                None,
                row.started_at,
                None,
                None,
            ),
        )

    def move(
        self,
        transaction: str,
        phase: Phase,
        *,
        now: datetime | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        """Move a transaction to its next phase; a move that is not in the table is a bug."""
        self._inside()
        row = self.db.execute(
            "SELECT phase FROM transactions WHERE id=?", (transaction,)
        ).fetchone()
        check_move(Phase(row[0]), phase)
        self.db.execute(
            "UPDATE transactions SET phase=?, ended_at=coalesce(?,ended_at), "
            "error=coalesce(?,error) WHERE id=?",
            (
                phase.value,
                stamp(now) if now else None,
                json.dumps(error) if error else None,
                transaction,
            ),
        )

    def note_error(self, transaction: str, error: dict[str, Any]) -> None:
        """What is known by now of a transaction that failed."""
        self._inside()
        self.db.execute(
            "UPDATE transactions SET error=? WHERE id=?", (json.dumps(error), transaction)
        )

    def mark_reversed(self, transaction: str, by: str | None) -> None:
        """A rollback undid this transaction; None: that rollback was undone."""
        self._inside()
        self.db.execute("UPDATE transactions SET reversed_by=? WHERE id=?", (by, transaction))

    def transaction(self, transaction: str) -> Transaction | None:
        """One transaction, or None."""
        found = self._transactions("WHERE id=?", (transaction,))
        return found[0] if found else None

    def unfinished(self, target: str) -> list[Transaction]:
        """Transactions that recovery must finish or undo, oldest first."""
        phases = ",".join(f"'{p.value}'" for p in UNFINISHED)
        return self._transactions(f"WHERE target=? AND phase IN ({phases}) ORDER BY seq", (target,))

    def conflicts(self, target: str) -> list[Transaction]:
        """Transactions that block the target, oldest first."""
        return self._transactions("WHERE target=? AND phase='CONFLICT' ORDER BY seq", (target,))

    def committed(self, target: str) -> list[Transaction]:
        """Transactions that changed documents, newest first."""
        return self._transactions(
            "WHERE target=? AND phase IN ('COMMITTED','DONE') ORDER BY seq DESC", (target,)
        )

    def newest(self, limit: int, target: str | None) -> list[Transaction]:
        """The newest transactions (-1: all), of a target or of all, the newest first."""
        where = "WHERE target=?" if target is not None else "WHERE ? IS NULL"
        return self._transactions(f"{where} ORDER BY seq DESC LIMIT ?", (target, limit))

    def last(self, target: str) -> Transaction | None:
        """The newest transaction of a target, whatever became of it."""
        found = self._transactions("WHERE target=? ORDER BY seq DESC LIMIT 1", (target,))
        return found[0] if found else None

    def _transactions(self, where: str, args: tuple[Any, ...]) -> list[Transaction]:
        select = (
            "SELECT id, seq, target, kind, class, phase, plan, checkpoint, reverses, reversed_by, "
            "started_at, ended_at, error FROM transactions "
        )
        rows = self.db.execute(select + where, args)
        return [
            Transaction(
                r[0],
                r[1],
                r[2],
                r[3],
                r[4],
                Phase(r[5]),
                json.loads(r[6]),
                r[7],
                r[8],
                r[9],
                r[10],
                r[11],
                json.loads(r[12]) if r[12] else None,
            )
            for r in rows
        ]

    # --- documents and migrations

    def record_document(
        self, target: str, config: str, path: str, version: int, digest: str, tx: str
    ) -> None:
        """What a transaction left a document at."""
        self._inside()
        self.db.execute(
            "INSERT OR REPLACE INTO documents VALUES(?,?,?,?,?,?)",
            (target, config, path, version, digest, tx),
        )

    def versions(self, target: str, config: str) -> list[int]:
        """The recorded versions of a configuration's documents."""
        rows = self.db.execute(
            "SELECT version FROM documents WHERE target=? AND config=?", (target, config)
        )
        return [int(r[0]) for r in rows]

    def documents(self, target: str) -> dict[str, tuple[int, str, str]]:
        """Path -> (version, digest, transaction) as recorded."""
        rows = self.db.execute(
            "SELECT path, version, digest, tx FROM documents WHERE target=?", (target,)
        )
        return {r[0]: (r[1], r[2], r[3]) for r in rows}

    def record_applied(self, row: Sequence[Any]) -> None:
        """Record a migration as applied in a target; see the table for the columns."""
        self._inside()
        self.db.execute(f"INSERT OR REPLACE INTO applied VALUES({','.join('?' * 12)})", tuple(row))

    def released(self, target: str) -> tuple[Released, ...]:
        """The list of migrations up to the highest applied one, as it was at the last commit."""
        if self._format < 3:
            return ()
        rows = self.db.execute(
            "SELECT ord, id, checksum, sets FROM released WHERE target=? ORDER BY ord", (target,)
        )
        return tuple(Released(r[0], r[1], r[2], json.loads(r[3])) for r in rows)

    def record_released(self, target: str, migrations: Iterable[Released]) -> None:
        """Replace the list."""
        self._inside()
        self.db.execute("DELETE FROM released WHERE target=?", (target,))
        self.db.executemany(
            "INSERT INTO released VALUES(?,?,?,?,?)",
            [(target, r.order, r.id, r.checksum, json.dumps(dict(r.sets))) for r in migrations],
        )

    def accept_applied(self, target: str, migration: str, now: Released) -> None:
        """An operator accepted that an applied migration has another id, order or content now."""
        self._inside()
        self.db.execute(
            "UPDATE OR REPLACE applied SET id=?, ord=?, checksum=? WHERE target=? AND id=?",
            (now.id, now.order, now.checksum, target, migration),
        )

    def forget_applied(self, target: str, migration: str) -> None:
        """A rollback took a migration back."""
        self._inside()
        self.db.execute("DELETE FROM applied WHERE target=? AND id=?", (target, migration))

    def applied(self, target: str) -> list[dict[str, Any]]:
        """Recorded migrations in order."""
        keys = (
            "id",
            "order",
            "depends_on",
            "class",
            "description",
            "checksum",
            "program",
            "transaction",
            "applied_at",
            "duration",
            "actor",
        )
        rows = self.db.execute(
            "SELECT id, ord, depends_on, class, description, checksum, program, tx, applied_at, "
            "duration, actor FROM applied WHERE target=? ORDER BY ord",
            (target,),
        )
        out = [dict(zip(keys, r, strict=True)) for r in rows]
        for row in out:
            row["depends_on"] = json.loads(row["depends_on"])
        return out

    # --- holds and approvals

    def set_hold(self, target: str, hold: Hold) -> None:
        """Hold a migration."""
        self._inside()
        self.db.execute(
            "INSERT OR REPLACE INTO holds VALUES(?,?,?,?,?,?)",
            (target, hold.migration, hold.reason, hold.key, hold.detail, hold.since),
        )

    def clear_hold(self, target: str, migration: str) -> bool:
        """Let a migration run again; False if it was not held."""
        self._inside()
        cursor = self.db.execute(
            "DELETE FROM holds WHERE target=? AND migration=?", (target, migration)
        )
        return cursor.rowcount > 0

    def holds(self, target: str) -> dict[str, Hold]:
        """Held migrations by id."""
        rows = self.db.execute(
            "SELECT migration, reason, key, detail, since FROM holds WHERE target=?", (target,)
        )
        return {r[0]: Hold(*r) for r in rows}

    def approve(self, approval: Approval, reason: str, now: datetime) -> None:
        """Record an approval."""
        self._inside()
        self.db.execute(
            "INSERT INTO approvals VALUES(?,?,?,?,?,?,?,?,?,NULL)",
            (
                approval.id,
                approval.target,
                approval.migration_id,
                approval.checksum,
                approval.policy_digest,
                approval.uid,
                reason,
                stamp(now),
                stamp(approval.expires_at),
            ),
        )

    def consume(self, approvals: Iterable[str], transaction: str) -> None:
        """Spend approvals, in the commit of the transaction they allowed."""
        self._inside()
        self.db.executemany(
            "UPDATE approvals SET consumed_by=? WHERE id=?", [(transaction, a) for a in approvals]
        )

    def approvals(self, target: str) -> tuple[Approval, ...]:
        """Approvals that are not spent, expired ones too."""
        rows = self.db.execute(
            "SELECT id, target, migration, checksum, policy, uid, expires_at FROM approvals "
            "WHERE target=? AND consumed_by IS NULL ORDER BY created_at",
            (target,),
        )
        return tuple(Approval(r[0], r[1], r[2], r[3], r[4], r[5], moment(r[6])) for r in rows)
