"""The format of the state file: how it is made, checked and brought up to date.

A new file is made aside and renamed into place: whole or not at all. One of an older format is
upgraded (``upgrades``) in one SQLite transaction when a writer opens it; readers upgrade a copy in
memory. One of a newer format is refused.

====== ==========================================================================================
format what changed
====== ==========================================================================================
1      the first
2      events are hash-chained (``hash``); a plan's migrations say ``sets`` (several configurations)
       and a rollback's plan says all that it ``reverses``
3      the list of released migrations is kept (``released``)
4      one row for each file of a transaction (``transaction_files``) and typed tables for what was
       last reported, in place of one JSON text and of one table with prefixes
====== ==========================================================================================
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from pathlib import Path

from confmig.adapters.files.durable import sync_folder
from confmig.adapters.files.system_errors import NO_ROOM
from confmig.errors import Fault, Refused

FORMAT = 4
SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE documents(
  target TEXT NOT NULL, config TEXT NOT NULL, path TEXT NOT NULL,
  version INTEGER NOT NULL, digest TEXT NOT NULL, tx TEXT NOT NULL,
  PRIMARY KEY(target, path)) STRICT;
CREATE TABLE applied(
  target TEXT NOT NULL, id TEXT NOT NULL, ord INTEGER NOT NULL, depends_on TEXT NOT NULL,
  class TEXT NOT NULL, description TEXT NOT NULL, checksum TEXT NOT NULL, program TEXT NOT NULL,
  tx TEXT NOT NULL, applied_at TEXT NOT NULL, duration REAL NOT NULL, actor TEXT NOT NULL,
  PRIMARY KEY(target, id)) STRICT;
CREATE TABLE released(
  target TEXT NOT NULL, ord INTEGER NOT NULL, id TEXT NOT NULL, checksum TEXT NOT NULL,
  sets TEXT NOT NULL, PRIMARY KEY(target, ord)) STRICT;
CREATE TABLE transactions(
  id TEXT PRIMARY KEY, target TEXT NOT NULL, kind TEXT NOT NULL, class TEXT NOT NULL,
  checkpoint TEXT NOT NULL, details TEXT NOT NULL, documents INTEGER NOT NULL, reverses TEXT,
  directory TEXT, seq INTEGER NOT NULL UNIQUE, phase TEXT NOT NULL, reversed_by TEXT,
  started_at TEXT NOT NULL, ended_at TEXT, error TEXT) STRICT;
CREATE TABLE transaction_files(
  tx TEXT NOT NULL, n INTEGER NOT NULL, path TEXT NOT NULL, temporary TEXT NOT NULL,
  config TEXT NOT NULL, format TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL,
  before INTEGER NOT NULL, after INTEGER NOT NULL, steps TEXT NOT NULL, mode INTEGER NOT NULL,
  uid INTEGER NOT NULL, gid INTEGER NOT NULL, xattrs TEXT NOT NULL, mounted INTEGER NOT NULL,
  source TEXT, old_size INTEGER, new_size INTEGER, found TEXT,
  PRIMARY KEY(tx, n)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX transaction_files_path ON transaction_files(tx, path);
CREATE TABLE events(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE, name TEXT NOT NULL,
  time_ns INTEGER NOT NULL, severity INTEGER NOT NULL, attributes TEXT NOT NULL,
  trace_id TEXT, span_id TEXT, delivered_at TEXT, rejected TEXT, hash TEXT) STRICT;
CREATE INDEX events_pending ON events(seq) WHERE delivered_at IS NULL AND rejected IS NULL;
CREATE TABLE approvals(
  id TEXT PRIMARY KEY, target TEXT NOT NULL, migration TEXT NOT NULL, checksum TEXT NOT NULL,
  policy TEXT NOT NULL, uid INTEGER NOT NULL, reason TEXT NOT NULL, created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL, consumed_by TEXT) STRICT;
CREATE TABLE holds(
  target TEXT NOT NULL, migration TEXT NOT NULL, reason TEXT NOT NULL, key TEXT NOT NULL,
  detail TEXT NOT NULL, since TEXT NOT NULL, PRIMARY KEY(target, migration)) STRICT;
CREATE TABLE reported(
  target TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY(target, subject)) STRICT;
CREATE TABLE deferred(
  target TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL, migrations TEXT NOT NULL,
  PRIMARY KEY(target, class, reason)) STRICT;
CREATE TABLE regressions(
  target TEXT NOT NULL, path TEXT NOT NULL, tx TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY(target, path, tx)) STRICT;
CREATE TABLE settled(
  target TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY(target, path)) STRICT;
CREATE TABLE failures(
  target TEXT NOT NULL, migration TEXT NOT NULL, path TEXT NOT NULL, late INTEGER NOT NULL,
  key TEXT NOT NULL, PRIMARY KEY(target, migration, path, late)) STRICT;
CREATE TABLE rescued(
  target TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY(target, file)) STRICT;
"""


def create(folder: Path, path: Path) -> None:
    """Make a state file whole or not at all: build it aside, then rename it into place."""
    building = folder / "state.db.new"
    for left in folder.glob("state.db.new*"):
        left.unlink()
    fd = os.open(building, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.close(fd)
    db = sqlite3.connect(building, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(f"BEGIN;{SCHEMA}COMMIT;")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO meta VALUES(?,?)",
            [
                ("format", str(FORMAT)),
                ("install_id", secrets.token_hex(8)),
                ("install_key", secrets.token_hex(32)),
            ],
        )
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode=WAL")
    finally:
        db.close()
    building.rename(path)
    sync_folder(folder)


def check(db: sqlite3.Connection) -> int:
    """The format of a file. Raises ``Refused`` (``state_too_new``)."""
    row = db.execute("SELECT value FROM meta WHERE key='format'").fetchone()
    if row is None or int(row[0]) > FORMAT:
        raise Refused(
            "state_too_new",
            f"the state has format {row[0] if row else 'unknown'}, this program reads {FORMAT}",
            fix="run the confmig that wrote it, or a newer one",
        )
    return int(row[0])


def _is_read_only(path: Path) -> bool:
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def unreadable(path: Path, error: sqlite3.Error | OSError) -> Fault:
    """The error for a state file that cannot be read, with what to do about it.

    Only a damaged one is to be restored.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    said = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, OSError) and (error.errno in NO_ROOM or error.errno == errno.EIO):
        code = sqlite3.SQLITE_FULL
    elif code == sqlite3.SQLITE_CANTOPEN and _is_read_only(path):
        code = sqlite3.SQLITE_READONLY
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA):
        fix = "restore it with `confmig restore-state`, from a file of `confmig backup-state`"
    elif code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        fix = "make room on its disk and check it, then run again"
    elif code == sqlite3.SQLITE_READONLY:
        fix = "mount it writable, then run again"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        fix = "look for another program that holds it, then run again"
    else:
        fix = "check its directory: rights, owner, room, and that the path is not too long"
    return Fault("state_unreadable", f"the state cannot be read: {said}", place=str(path), fix=fix)
