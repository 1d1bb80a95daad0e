"""The one connection to the state's database: the only place where something becomes durable."""

from __future__ import annotations

import ctypes
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from confmig.errors import Unfinished


class StateWriteFailed(Unfinished):
    """A commit of the state failed. Nothing of it is recorded."""


def stamp(now: datetime) -> str:
    """A time as it is recorded: RFC 3339 in UTC, microseconds always written."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """A recorded time; the inverse of ``stamp``."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Connection:
    """An open database.

    ``commit()`` is the only way to write; what is inside one ``with`` becomes durable together
    or not at all. ``index``: see ``database.to_write``.
    """

    def __init__(self, db: sqlite3.Connection, folder: Path, index: int | None = None) -> None:
        self.db = db
        self._folder = folder
        self._index = index
        self._failed = False

    def close(self) -> None:
        """Close the file, unless a commit failed.

        SQLite would write its log into the database then, and sync again what the disk did
        not take.
        """
        if self._failed:
            return
        self.db.close()
        if self._index is not None:
            os.close(self._index)
            self._index = None

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
                # not even the end of the process closes it
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.db))
                raise StateWriteFailed(
                    "state_write_failed",
                    f"the state did not take the commit: {error}",
                    place=str(self._folder),
                    fix="make room or repair the disk, then run again; that finishes or undoes the "
                    "transaction first",
                ) from error
            raise

    def meta(self, key: str) -> str:
        """A value that exists once for the whole state."""
        row = self.db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return str(row[0])

    def read(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> sqlite3.Cursor:
        """Run a query."""
        return self.db.execute(statement, values)

    def write(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement that changes something. Raises ``RuntimeError`` outside of a commit."""
        self._inside()
        return self.db.execute(statement, values)

    def write_many(self, statement: str, rows: Iterator[Sequence[Any]]) -> None:
        """The same for many rows, one after the other."""
        self._inside()
        self.db.executemany(statement, rows)

    def _inside(self) -> None:
        if not self.db.in_transaction:
            raise RuntimeError("state is written inside commit() only")
