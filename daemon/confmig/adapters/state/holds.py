"""The tables of held migrations and of approvals: what persons and failures decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from confmig.adapters.state.connection import Connection, moment, stamp
from confmig.core.planning.holds import Hold
from confmig.core.policy.decide import Approval


class Holds:
    """Held migrations by target."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set(self, target: str, hold: Hold) -> None:
        """Hold a migration."""
        self._connection.write(
            "INSERT OR REPLACE INTO holds(target, migration, reason, key, detail, since) "
            "VALUES(?,?,?,?,?,?)",
            (target, hold.migration, hold.reason, hold.key, hold.detail, hold.since),
        )

    def clear(self, target: str, migration: str) -> bool:
        """Let a migration run again; False if it was not held."""
        cursor = self._connection.write(
            "DELETE FROM holds WHERE target=? AND migration=?", (target, migration)
        )
        return cursor.rowcount > 0

    def all(self, target: str) -> dict[str, Hold]:
        """Held migrations by id."""
        rows = self._connection.read(
            "SELECT migration, reason, key, detail, since FROM holds WHERE target=?", (target,)
        )
        return {hold.migration: hold for hold in (Hold(*row) for row in rows)}


class Approvals:
    """Approvals by target."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, approval: Approval, reason: str, now: datetime) -> None:
        """Record an approval."""
        self._connection.write(
            "INSERT INTO approvals(id, target, migration, checksum, policy, uid, reason, "
            "created_at, expires_at, consumed_by) VALUES(?,?,?,?,?,?,?,?,?,NULL)",
            (
                approval.id,
                approval.target,
                approval.migration_id,
                approval.checksum,
                approval.policy_digest,
                approval.uid,
                reason,
                stamp(now),
                stamp(approval.expires_at),
            ),
        )

    def consume(self, approvals: Iterable[str], transaction: str) -> None:
        """Spend approvals, in the commit of the transaction they allowed."""
        self._connection.write_many(
            "UPDATE approvals SET consumed_by=? WHERE id=?", ((transaction, a) for a in approvals)
        )

    def unspent(self, target: str) -> tuple[Approval, ...]:
        """Approvals that are not spent, expired ones too."""
        rows = self._connection.read(
            "SELECT id, target, migration, checksum, policy, uid, expires_at FROM approvals "
            "WHERE target=? AND consumed_by IS NULL ORDER BY created_at",
            (target,),
        )
        return tuple(
            Approval(id, target, migration, checksum, policy, uid, moment(expires_at))
            for id, target, migration, checksum, policy, uid, expires_at in rows
        )
