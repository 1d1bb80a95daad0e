"""Opening the SQLite file of the state: to write (one at a time), or to read at any time."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from confmig.adapters.files.system_errors import NO_ROOM
from confmig.adapters.state import format as state_format
from confmig.adapters.state import upgrades

_INDEX = 32_768


def to_write(folder: Path) -> tuple[sqlite3.Connection, int | None]:
    """Open the state for writing (the caller holds the lock); make it if it does not exist.

    Also returns the open index of the log, which must stay open as long as the connection:
    closing it would release the locks that SQLite has on it in this process.
    """
    path = folder / "state.db"
    if not path.exists():
        state_format.create(folder, path)
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous=FULL")
        # a container may have no directory for temporary files; they hold hashes only
        db.execute("PRAGMA temp_store=MEMORY")
        upgrades.upgrade(db)
        return db, _allocated_index(path)
    except (sqlite3.DatabaseError, OSError) as error:
        db.close()
        raise state_format.unreadable(path, error) from None
    except BaseException:
        db.close()
        raise


def to_read(folder: Path) -> sqlite3.Connection | None:
    """Open the state for reading only; None if there is none yet.

    Where the filesystem is read-only no one changes an idle file, and SQLite needs not (and
    cannot) make its index beside it.
    """
    path = folder / "state.db"
    try:
        if not path.exists():
            return None
        idle = os.statvfs(folder).f_flag & os.ST_RDONLY and not _has_log(path)
        how = "mode=ro&immutable=1" if idle else "mode=ro"
        where = f"file:{quote(str(path.absolute()))}?{how}"
        db = sqlite3.connect(where, uri=True, isolation_level=None)
        try:
            if state_format.check(db) == state_format.FORMAT:
                return db
            return _upgraded_copy(db)
        except BaseException:
            db.close()
            raise
    except (sqlite3.DatabaseError, OSError) as error:
        raise state_format.unreadable(path, error) from None


def _upgraded_copy(db: sqlite3.Connection) -> sqlite3.Connection:
    """A state of an older format, in memory, as a writer would upgrade it."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    db.backup(copy)
    db.close()
    upgrades.upgrade(copy)
    return copy


def _allocated_index(path: Path) -> int | None:
    """Give SQLite's index of its log its room on the disk now.

    It is mapped into memory, and a full disk would end the process with a signal in the middle
    of a commit.
    """
    try:
        fd = os.open(path.with_name(path.name + "-shm"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        os.posix_fallocate(fd, 0, _INDEX)
    except OSError as error:
        if error.errno in NO_ROOM:
            os.close(fd)
            raise
    return fd


def _has_log(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0
