"""The state directory, open for one writer: lock, database, checkpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confmig.adapters.files.mounts import filesystem_of, is_network
from confmig.adapters.files.system_errors import as_error
from confmig.adapters.state import folder as state_folder
from confmig.adapters.state import format as state_format
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.lock import DirectoryLock
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.state.store import Store
from confmig.errors import Refused


class State:
    """The open state. ``check_same`` raises if the directory is not the one that was opened."""

    def __init__(
        self,
        store: Store,
        checkpoints: CheckpointStore,
        check_same: Callable[[], None] = lambda: None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.checkpoints = checkpoints
        self.check_same = check_same
        self._release = release

    @classmethod
    def open(cls, folder: Path, say: Callable[[str], None]) -> State:
        """Open a directory, or make it. Raises ``LockHeld``, ``Refused`` and ``Fault``."""
        state_folder.prepare(folder, say)
        kind = filesystem_of(folder)
        if is_network(kind):
            raise Refused(
                "state_on_network",
                f"the state directory is on {kind}, where neither locks nor the log of SQLite "
                "can be trusted",
                place=str(folder),
                fix="put it on a local disk; the configuration may be elsewhere",
            )
        with translated(folder):
            lock = DirectoryLock(str(folder), "state directory")
            try:
                checkpoints = Checkpoints(folder)
                checkpoints.prepare()
                store = Store.open(folder)
            except BaseException:
                lock.close()
                raise
        return cls(store, checkpoints, lambda: state_folder.check_same(folder, lock.fd), lock.close)

    def close(self) -> None:
        """Close it and release the lock."""
        self.store.close()
        self._release()


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """What the system or SQLite raise, as our errors: never a bug report for a full disk."""
    try:
        yield
    except OSError as error:
        raise as_error(error) from error
    except sqlite3.Error as error:
        raise state_format.unreadable(folder / "state.db", error) from error
