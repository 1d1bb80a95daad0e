"""The tables of what was last reported, and of what passes remember of documents.

An event that describes a state is written in the same commit as the state that it reports, so that
a restart reports nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from confmig.adapters.state.connection import Connection
from confmig.core.planning.regressions import Regression


class Subject(StrEnum):
    """What is reported as one state of a target.

    ``DELIVERY`` belongs to no target (``""``).
    """

    BUNDLE = "bundle"
    POLICY = "policy"
    BLOCKED = "blocked"
    DELIVERY = "delivery"


class Reported:
    """What was last reported, by target."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # --- single subjects

    def state(self, target: str, subject: Subject) -> str:
        """What was last reported of a subject; empty if nothing was."""
        row = self._connection.read(
            "SELECT state FROM reported WHERE target=? AND subject=?", (target, subject.value)
        ).fetchone()
        return str(row[0]) if row is not None else ""

    def remember(self, target: str, subject: Subject, state: str) -> None:
        """Store what was reported of a subject."""
        self._connection.write(
            "INSERT OR REPLACE INTO reported(target, subject, state) VALUES(?,?,?)",
            (target, subject.value, state),
        )

    # --- deferred migrations

    def deferred(self, target: str, class_: str) -> dict[str, list[str]]:
        """The migrations (ids) of a class that were reported as deferred, by reason."""
        rows = self._connection.read(
            "SELECT reason, migrations FROM deferred WHERE target=? AND class=? ORDER BY rowid",
            (target, class_),
        )
        return {reason: json.loads(migrations) for reason, migrations in rows}

    def remember_deferred(
        self, target: str, class_: str, reasons: Mapping[str, Sequence[str]]
    ) -> None:
        """Replace the deferred migrations of a class."""
        self._connection.write("DELETE FROM deferred WHERE target=? AND class=?", (target, class_))
        self._connection.write_many(
            "INSERT INTO deferred(target, class, reason, migrations) VALUES(?,?,?,?)",
            ((target, class_, r, json.dumps(list(ids))) for r, ids in reasons.items()),
        )

    # --- documents

    def regressions(self, target: str) -> dict[str, tuple[Regression, ...]]:
        """The times at which documents fell below what was recorded, by path, oldest first."""
        rows = self._connection.read(
            "SELECT path, tx, at FROM regressions WHERE target=? ORDER BY at", (target,)
        )
        out: dict[str, tuple[Regression, ...]] = {}
        for path, transaction, at in rows:
            one = Regression(transaction, datetime.fromisoformat(at))
            out[path] = (*out.get(path, ()), one)
        return out

    def remember_regressions(self, target: str, path: str, times: Iterable[Regression]) -> None:
        """Replace the recorded regressions of a document."""
        self._connection.write("DELETE FROM regressions WHERE target=? AND path=?", (target, path))
        self._connection.write_many(
            "INSERT INTO regressions(target, path, tx, at) VALUES(?,?,?,?)",
            ((target, path, r.transaction, r.at.isoformat()) for r in times),
        )

    def finished(self, target: str) -> dict[str, str]:
        """The key with which nothing was due in a document without a stamp, by path."""
        rows = self._connection.read("SELECT path, key FROM settled WHERE target=?", (target,))
        return dict(rows.fetchall())

    def remember_finished(self, target: str, keys: Mapping[str, str]) -> None:
        """Store the keys with which nothing was due, by path."""
        self._connection.write_many(
            "INSERT OR REPLACE INTO settled(target, path, key) VALUES(?,?,?)",
            ((target, path, key) for path, key in keys.items()),
        )

    # --- failures

    def failures(self, target: str, *, late: bool) -> dict[tuple[str, str], str]:
        """The key with which a migration failed, by migration and document.

        ``late``: only that document was held, because the migration is applied to others.
        """
        rows = self._connection.read(
            "SELECT migration, path, key FROM failures WHERE target=? AND late=?",
            (target, int(late)),
        )
        return {(migration, path): key for migration, path, key in rows}

    def remember_failure(
        self, target: str, migration: str, path: str, key: str, *, late: bool
    ) -> bool:
        """Store the key with which a migration failed; False if it was reported already."""
        if self.failures(target, late=late).get((migration, path)) == key:
            return False
        self._connection.write(
            "INSERT OR REPLACE INTO failures(target, migration, path, late, key) VALUES(?,?,?,?,?)",
            (target, migration, path, int(late), key),
        )
        return True

    # --- rescued bytes

    def remember_rescue(self, target: str, file: str) -> bool:
        """Store that a rescue copy was reported; False if it was already."""
        cursor = self._connection.write(
            "INSERT OR IGNORE INTO rescued(target, file) VALUES(?,?)", (target, file)
        )
        return cursor.rowcount > 0
