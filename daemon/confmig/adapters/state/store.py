"""The state: one SQLite file, one writer, facts and events in the same commit.

Readers (``status``, ``plan``, ``events``) open the same file read-only at any time. Each table has
a class of its own; they share one connection.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from confmig.adapters.state import database
from confmig.adapters.state.connection import Connection
from confmig.adapters.state.documents import AppliedMigrations, Documents
from confmig.adapters.state.events import Events
from confmig.adapters.state.holds import Approvals, Holds
from confmig.adapters.state.reported import Reported
from confmig.adapters.state.transactions import Transactions


class Store:
    """The open state."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.install_id = connection.meta("install_id")
        self.install_key = bytes.fromhex(connection.meta("install_key"))
        self.events = Events(connection, self.install_id)
        self.transactions = Transactions(connection)
        self.documents = Documents(connection)
        self.applied = AppliedMigrations(connection)
        self.holds = Holds(connection)
        self.approvals = Approvals(connection)
        self.reported = Reported(connection)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the state for writing (the caller holds the lock); make it if it does not exist."""
        db, index = database.to_write(folder)
        return cls(Connection(db, folder, index))

    @classmethod
    def read_only(cls, folder: Path) -> Store | None:
        """Open the state for reading only, at any time; None if there is none yet."""
        db = database.to_read(folder)
        return cls(Connection(db, folder)) if db is not None else None

    def commit(self) -> AbstractContextManager[None]:
        """Everything written inside becomes durable together, or not at all."""
        return self.connection.commit()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
