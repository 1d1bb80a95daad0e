"""The format of the state file: how it is made, checked and brought up to date.

A new file is made aside and renamed into place: whole or not at all. One of an older format is
upgraded in one SQLite transaction when a writer opens it; readers take an older one as it is. One
of a newer format is refused.

====== ==========================================================================================
format what changed
====== ==========================================================================================
1      the first
2      events are hash-chained (``hash``); a plan's migrations say ``sets`` (several configurations)
       and a rollback's plan says all that it ``reverses``
3      the list of released migrations is kept (``released``)
====== ==========================================================================================
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from confmig.adapters.files.durable import sync_folder
from confmig.adapters.state import audit
from confmig.errors import Fault, Refused

FORMAT = 3
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
  id TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, target TEXT NOT NULL, kind TEXT NOT NULL,
  class TEXT NOT NULL, phase TEXT NOT NULL, plan TEXT NOT NULL, checkpoint TEXT NOT NULL,
  reverses TEXT, reversed_by TEXT, started_at TEXT NOT NULL, ended_at TEXT, error TEXT) STRICT;
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
CREATE TABLE announced(
  target TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY(target, subject)) STRICT;
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


def upgrade(db: sqlite3.Connection) -> None:
    """Bring a file up to date, in one transaction."""
    found = check(db)
    if found == FORMAT:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for number in range(found, FORMAT):
            _UPGRADES[number](db)
        db.execute("UPDATE meta SET value=? WHERE key='format'", (str(FORMAT),))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _from_1(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE events ADD COLUMN hash TEXT")
    audit.chain(db, 0)
    for name, kind, reverses, text in db.execute(
        "SELECT id, kind, reverses, plan FROM transactions"
    ).fetchall():
        plan = json.loads(text)
        for migration in plan["details"]["migrations"]:
            if "sets" not in migration:
                migration["sets"] = _sets(plan, migration)
        if kind == "rollback":
            plan["details"].setdefault("reverses", [reverses])
            plan["details"].setdefault("redo", False)
        db.execute("UPDATE transactions SET plan=? WHERE id=?", (json.dumps(plan), name))


def _sets(plan: dict[str, Any], migration: dict[str, Any]) -> dict[str, int]:
    """Which configuration a migration of format 1 set: that of the files it changed."""
    version = migration.pop("version")
    configs = [f["config"] for f in plan["files"] if migration["id"] in f["migrations"]]
    return dict.fromkeys(configs[:1], version)


def _from_2(db: sqlite3.Connection) -> None:
    """The list of what is applied stands in for the whole list, which was not recorded."""
    db.execute(
        "CREATE TABLE released("
        "target TEXT NOT NULL, ord INTEGER NOT NULL, id TEXT NOT NULL, checksum TEXT NOT NULL, "
        "sets TEXT NOT NULL, PRIMARY KEY(target, ord)) STRICT"
    )
    for target, order, name, checksum, transaction in db.execute(
        "SELECT target, ord, id, checksum, tx FROM applied"
    ).fetchall():
        found = db.execute("SELECT plan FROM transactions WHERE id=?", (transaction,)).fetchone()
        migrations = json.loads(found[0])["details"]["migrations"] if found else []
        sets: dict[str, int] = next((m["sets"] for m in migrations if m["id"] == name), {})
        db.execute(
            "INSERT OR REPLACE INTO released VALUES(?,?,?,?,?)",
            (target, order, name, checksum, json.dumps(sets)),
        )


_UPGRADES = {1: _from_1, 2: _from_2}


def _is_read_only(path: Path) -> bool:
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def unreadable(path: Path, error: sqlite3.Error | OSError) -> Fault:
    """The error that a state file cannot be read, and what mends it: only a damaged one is to be
    restored."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    said = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        code = sqlite3.SQLITE_FULL
    elif code == sqlite3.SQLITE_CANTOPEN and _is_read_only(path):
        code = sqlite3.SQLITE_READONLY
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA):
        fix = "restore it with `confmig restore-state`, from a file of `confmig backup-state`"
    elif code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        fix = "make room on its disk and look at its health, then run again"
    elif code == sqlite3.SQLITE_READONLY:
        fix = "mount it writable, then run again"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        fix = "look for another program that holds it, then run again"
    else:
        fix = "check its directory: rights, owner, room, and that the path is not too long"
    return Fault("state_unreadable", f"the state cannot be read: {said}", place=str(path), fix=fix)
