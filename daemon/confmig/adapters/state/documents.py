"""The tables of documents and of applied migrations: the facts that every commit records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from confmig.adapters.state.connection import Connection
from confmig.adapters.state.records import Applied
from confmig.core.bundle.history import Released


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a transaction left a document at."""

    version: int
    digest: str
    transaction: str


class Documents:
    """Documents by target and path."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(self, target: str, config: str, path: str, left: Recorded) -> None:
        """Record the version and the content at which a transaction left a document."""
        self._connection.write(
            "INSERT OR REPLACE INTO documents(target, config, path, version, digest, tx) "
            "VALUES(?,?,?,?,?,?)",
            (target, config, path, left.version, left.digest, left.transaction),
        )

    def get(self, target: str, path: str) -> Recorded | None:
        """What is recorded of a document."""
        row = self._connection.read(
            "SELECT version, digest, tx FROM documents WHERE target=? AND path=?", (target, path)
        ).fetchone()
        return Recorded(*row) if row is not None else None

    def all(self, target: str) -> dict[str, Recorded]:
        """All documents of a target, by path."""
        rows = self._connection.read(
            "SELECT path, version, digest, tx FROM documents WHERE target=?", (target,)
        )
        return {path: Recorded(version, digest, tx) for path, version, digest, tx in rows}

    def highest(self, target: str, config: str) -> int | None:
        """The highest recorded version of a configuration's documents."""
        row = self._connection.read(
            "SELECT max(version) FROM documents WHERE target=? AND config=?", (target, config)
        ).fetchone()
        return int(row[0]) if row[0] is not None else None


class AppliedMigrations:
    """The migrations that are applied in a target, and the list of migrations as it was then."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(self, target: str, one: Applied) -> None:
        """Record a migration as applied."""
        self._connection.write(
            "INSERT OR REPLACE INTO applied(target, id, ord, depends_on, class, description, "
            "checksum, program, tx, applied_at, duration, actor) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                target,
                one.id,
                one.order,
                json.dumps(list(one.depends_on)),
                one.class_,
                one.description,
                one.checksum,
                one.program,
                one.transaction,
                one.applied_at,
                one.duration,
                one.actor,
            ),
        )

    def all(self, target: str) -> list[Applied]:
        """The applied migrations of a target in order."""
        return list(self._rows(target))

    def _rows(self, target: str) -> Iterator[Applied]:
        rows = self._connection.read(
            "SELECT id, ord, depends_on, class, description, checksum, program, tx, applied_at, "
            "duration, actor FROM applied WHERE target=? ORDER BY ord",
            (target,),
        )
        for id, order, depends_on, *rest in rows:
            yield Applied(id, order, tuple(json.loads(depends_on)), *rest)

    def accept(self, target: str, migration: str, now: Released) -> None:
        """An operator accepted that an applied migration has another id, order or content now."""
        self._connection.write(
            "UPDATE OR REPLACE applied SET id=?, ord=?, checksum=? WHERE target=? AND id=?",
            (now.id, now.order, now.checksum, target, migration),
        )

    def forget(self, target: str, migration: str) -> None:
        """A rollback took a migration back."""
        self._connection.write("DELETE FROM applied WHERE target=? AND id=?", (target, migration))

    def released(self, target: str) -> tuple[Released, ...]:
        """The list of migrations up to the highest applied one, as it was at the last commit."""
        rows = self._connection.read(
            "SELECT ord, id, checksum, sets FROM released WHERE target=? ORDER BY ord", (target,)
        )
        return tuple(
            Released(order, id, checksum, json.loads(sets)) for order, id, checksum, sets in rows
        )

    def record_released(self, target: str, migrations: Iterable[Released]) -> None:
        """Replace that list."""
        self._connection.write("DELETE FROM released WHERE target=?", (target,))
        self._connection.write_many(
            "INSERT INTO released(target, ord, id, checksum, sets) VALUES(?,?,?,?,?)",
            ((target, r.order, r.id, r.checksum, json.dumps(dict(r.sets))) for r in migrations),
        )
