"""The table of events: the record of what happened, and the outbox of what is not delivered yet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confmig.adapters.state import audit
from confmig.adapters.state.connection import Connection, stamp
from confmig.adapters.state.records import Trace
from confmig.writer import escaped
from confmig_otel import events as ev


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


class Events:
    """Events in the order in which they were recorded. ``install_id`` makes their uids unique."""

    def __init__(self, connection: Connection, install_id: str) -> None:
        self._connection = connection
        self._install_id = install_id

    def add(self, events: Iterable[ev.Event], now: datetime, trace: Trace | None = None) -> None:
        """Record events, in order, and put them into the outbox."""
        write = self._connection.write
        time_ns = int(now.timestamp() * 1_000_000) * 1000
        trace_id, span_id = trace or (None, None)
        first = self.newest()
        for event in events:
            cursor = write(
                "INSERT INTO events(name, time_ns, severity, attributes, trace_id, span_id) "
                "VALUES(?,?,?,?,?,?)",
                (
                    event.name,
                    time_ns,
                    event.severity,
                    json.dumps({key: _harmless(value) for key, value in event.attributes.items()}),
                    trace_id,
                    span_id,
                ),
            )
            write(
                "UPDATE events SET uid=? WHERE seq=?",
                (f"{self._install_id}-{cursor.lastrowid}", cursor.lastrowid),
            )
        audit.chain(self._connection.db, first)

    def outbox(self, limit: int = 512) -> list[OutboxRow]:
        """Events that wait for delivery, oldest first."""
        rows = self._connection.read(
            "SELECT seq, uid, name, time_ns, severity, attributes, trace_id, span_id FROM events "
            "WHERE delivered_at IS NULL AND rejected IS NULL ORDER BY seq LIMIT ?",
            (limit,),
        )
        return [
            OutboxRow(seq, uid, name, time_ns, severity, json.loads(attributes), trace, span)
            for seq, uid, name, time_ns, severity, attributes, trace, span in rows
        ]

    def waiting(self) -> tuple[int, int | None]:
        """How many events wait for delivery, and the time (ns) of the oldest."""
        count, oldest = self._connection.read(
            "SELECT count(*), min(time_ns) FROM events "
            "WHERE delivered_at IS NULL AND rejected IS NULL"
        ).fetchone()
        return int(count), oldest

    def rejected(self) -> int:
        """How many events the receiver refused for good; they are kept."""
        found = self._connection.read("SELECT count(*) FROM events WHERE rejected IS NOT NULL")
        return int(found.fetchone()[0])

    def mark_delivered(self, seqs: Sequence[int], now: datetime) -> None:
        """Mark these events as delivered: the receiver has them."""
        rows = iter([(stamp(now), seq) for seq in seqs])
        self._connection.write_many("UPDATE events SET delivered_at=? WHERE seq=?", rows)

    def mark_rejected(self, seqs: Sequence[int], why: str) -> None:
        """Mark these events as refused for good by the receiver; they are kept and counted."""
        rows = iter([(why, seq) for seq in seqs])
        self._connection.write_many("UPDATE events SET rejected=? WHERE seq=?", rows)

    def requeue(self, since_ns: int, until_ns: int) -> int:
        """Put the events of a time (half-open) back into the outbox, refused ones too.

        Returns how many.
        """
        cursor = self._connection.write(
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
        return self._plain(where, (since_ns, until_ns, limit))[::-1]

    def following(self, after: int, limit: int = 1000) -> list[dict[str, Any]]:
        """The next events after a sequence number, as plain data."""
        return self._plain("WHERE seq>? ORDER BY seq LIMIT ?", (after, limit))

    def newest(self) -> int:
        """The sequence number of the newest event, 0 if there is none."""
        found = self._connection.read("SELECT coalesce(max(seq),0) FROM events")
        return int(found.fetchone()[0])

    def _plain(self, where: str, values: tuple[int, ...]) -> list[dict[str, Any]]:
        select = (
            "SELECT seq, uid, name, time_ns, severity, attributes, delivered_at, rejected "
            "FROM events "
        )
        cursor = self._connection.read(select + where, values)
        keys = [column[0] for column in cursor.description]
        out = [dict(zip(keys, row, strict=True)) for row in cursor]
        for row in out:
            row["attributes"] = json.loads(row["attributes"])
        return out


def _harmless(value: Any) -> Any:
    """An attribute whose texts change nothing where an event is shown."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, list | tuple):
        return [_harmless(one) for one in value]
    return value
