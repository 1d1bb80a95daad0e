"""The audit trail: events in order, each bound to all before it by a hash.

A row that is changed, left out or put in breaks the chain at its place. (Whoever can write the
state can also write the whole chain anew: the events that an OTLP receiver took are the proof
against that.) Events that were pruned leave the hash of the last of them as the anchor.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass

_START = "0" * 64
_BEHIND = (
    "SELECT seq, uid, name, time_ns, severity, attributes FROM events WHERE seq>? ORDER BY seq"
)
_ALL = "SELECT seq, uid, name, time_ns, severity, attributes, hash FROM events ORDER BY seq"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the chain says: how many events it binds, and the first that does not fit."""

    events: int
    broken_at: int | None


def link(previous: str, row: tuple[object, ...]) -> str:
    """The hash of an event (``seq, uid, name, time_ns, severity, attributes``) behind another."""
    return hashlib.sha256(f"{previous}\n{json.dumps(row)}".encode()).hexdigest()


def head(db: sqlite3.Connection) -> str:
    """The hash of the newest event, or the anchor."""
    row = db.execute("SELECT hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return str(row[0]) if row is not None and row[0] else anchor(db)[1]


def anchor(db: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the last event that was pruned."""
    row = db.execute("SELECT value FROM meta WHERE key='audit_anchor'").fetchone()
    if row is None:
        return 0, _START
    seq, digest = json.loads(row[0])
    return int(seq), str(digest)


def chain(db: sqlite3.Connection, after: int) -> None:
    """Give every event behind a number its hash. Inside a transaction."""
    before = db.execute("SELECT hash FROM events WHERE seq=?", (after,)).fetchone()
    previous = before[0] if before is not None else anchor(db)[1]
    for row in db.execute(_BEHIND, (after,)).fetchall():
        previous = link(previous, row)
        db.execute("UPDATE events SET hash=? WHERE seq=?", (previous, row[0]))


def verify(db: sqlite3.Connection) -> Verdict:
    """Follow the chain from the anchor to its end."""
    seq, previous = anchor(db)
    count = 0
    for *row, digest in db.execute(_ALL):
        previous = link(previous, tuple(row))
        if row[0] != seq + 1 or digest != previous:
            return Verdict(count, int(row[0]))
        seq = row[0]
        count += 1
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name='events'").fetchone()
    if last is not None and int(last[0]) != seq:
        return Verdict(count, seq + 1)  # the newest are gone
    return Verdict(count, None)


def prune(db: sqlite3.Connection, before_ns: int, *, undelivered: bool) -> int:
    """Forget the oldest events up to a time, leaving an anchor.

    Inside a transaction. Those that wait for delivery end it, unless ``undelivered`` says that
    no one waits for them.
    """
    last: tuple[int, str] | None = None
    count = 0
    for seq, time_ns, delivered, digest in db.execute(
        "SELECT seq, time_ns, delivered_at, hash FROM events ORDER BY seq"
    ):
        if time_ns >= before_ns or not (delivered or undelivered):
            break
        last = (seq, digest)
        count += 1
    if last is not None:
        db.execute("DELETE FROM events WHERE seq<=?", (last[0],))
        db.execute("INSERT OR REPLACE INTO meta VALUES('audit_anchor',?)", (json.dumps(last),))
    return count
