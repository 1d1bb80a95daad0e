"""Bringing an older state file up to date; see ``format`` for what changed.

Each step knows only the two formats it is between; it never uses the types of today.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from confmig.adapters.state import audit
from confmig.adapters.state.format import FORMAT, SCHEMA, check


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
    """The list of applied migrations is used in place of the whole list, which was not recorded."""
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


def _from_3(db: sqlite3.Connection) -> None:
    """A plan's files become rows; what was last reported gets a table for each kind.

    The tables of format 4 are those of today. The next format must copy them to this place.
    """
    db.execute("ALTER TABLE transactions RENAME TO transactions_3")
    new = ("transactions", "transaction_files", *_REPORTED)
    for statement in SCHEMA.split(";"):
        begun = statement.strip().startswith
        index = begun("CREATE UNIQUE INDEX transaction_files_path ")
        if index or any(begun(f"CREATE TABLE {name}(") for name in new):
            db.execute(statement)
    select = (
        "SELECT id, target, kind, class, checkpoint, plan, reverses, seq, phase, reversed_by, "
        "started_at, ended_at, error FROM transactions_3"
    )
    for id, target, kind, class_, checkpoint, text, reverses, *rest in db.execute(select):
        plan = json.loads(text)
        details = _details_4(kind, plan["details"])
        directory = plan.get("directory")
        values = (
            id,
            target,
            kind,
            class_,
            checkpoint,
            json.dumps(details),
            len(plan["files"]),
            reverses,
            json.dumps(directory) if directory is not None else None,
            *rest,
        )
        marks = ",".join("?" * len(values))
        db.execute(f"INSERT INTO transactions VALUES({marks})", values)
        ids = [m["id"] for m in details["migrations"]]
        found = json.loads(rest[-1]).get("files", {}) if rest[-1] else {}
        for n, file in enumerate(plan["files"]):
            db.execute(
                "INSERT INTO transaction_files VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                "NULL,NULL,?)",
                (*_file_4(id, n, file, ids), found.get(file["path"])),
            )
    db.execute("DROP TABLE transactions_3")
    for target, subject, state in db.execute("SELECT target, subject, state FROM announced"):
        _reported_4(db, target, subject, state)
    db.execute("DROP TABLE announced")


_REPORTED = ("reported", "deferred", "regressions", "settled", "failures", "rescued")


def _details_4(kind: str, details: dict[str, Any]) -> dict[str, Any]:
    out = {
        "format": 1,
        "migrations": details["migrations"],
        "manifest": details["manifest"],
        "released": details.get("released", []),
        "actor": details["actor"],
        "began": details["began"],
        "trace": details.get("trace"),
    }
    if kind != "rollback":
        return out | {
            "approvals": details.get("approvals", []),
            "rollout": details.get("rollout", ""),
        }
    return out | {
        "restores": details["restores"],
        "reverses": details["reverses"],
        "trigger": details.get("trigger", "operator"),
        "hold": details.get("hold", True),
        "redo": details["redo"],
        "placed": details.get("already", []),
    }


def _file_4(transaction: str, n: int, file: dict[str, Any], ids: list[str]) -> tuple[Any, ...]:
    metadata = file["metadata"]
    return (
        transaction,
        n,
        file["path"],
        file["temporary"],
        file["config"],
        file["format"],
        file["old"],
        file["new"],
        file["before"],
        file["after"],
        ",".join(str(ids.index(m)) for m in file["migrations"]),
        metadata["mode"],
        metadata["uid"],
        metadata["gid"],
        json.dumps(metadata["xattrs"]),
        int(file.get("mounted", False)),
        file.get("source"),
    )


def _reported_4(db: sqlite3.Connection, target: str, subject: str, state: str) -> None:
    kind, _, rest = subject.partition(":")
    if subject in ("bundle", "policy", "blocked", "delivery"):
        db.execute("INSERT INTO reported VALUES(?,?,?)", (target, subject, state))
    elif kind == "deferred":
        for reason, migrations in json.loads(state).items():
            values = (target, rest, reason, json.dumps(migrations))
            db.execute("INSERT INTO deferred VALUES(?,?,?,?)", values)
    elif kind == "regressed":
        for transaction, at in json.loads(state):
            values = (target, rest, transaction, at)
            db.execute("INSERT OR IGNORE INTO regressions VALUES(?,?,?,?)", values)
    elif kind == "settled":
        db.execute("INSERT INTO settled VALUES(?,?,?)", (target, rest, state))
    elif kind in ("failure", "late"):
        migration, _, path = rest.partition(":")
        failure = (target, migration, path, int(kind == "late"), state)
        db.execute("INSERT INTO failures VALUES(?,?,?,?,?)", failure)
    elif kind == "rescue":
        db.execute("INSERT INTO rescued VALUES(?,?)", (target, rest))


_UPGRADES = {1: _from_1, 2: _from_2, 3: _from_3}
