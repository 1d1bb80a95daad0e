"""The state of a target: what is applied, held, blocked, and waits for delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from confmig.adapters.state.connection import stamp
from confmig.adapters.state.reported import Subject
from confmig.adapters.state.store import Store
from confmig.passes.view import View
from confmig.reports.plan import documents_json, outlook_json, plan_json
from confmig.reports.text import edit_text, moment_text, table, zone_of
from confmig.writer import error_lines, escaped


def status_json(view: View, store: Store | None, *, delivery: bool) -> dict[str, Any]:
    """The state of one target. ``delivery``: whether events leave this machine."""
    name = view.target.name
    recorded = {one.id: one for one in store.applied.all(name)} if store is not None else {}
    applied = []
    for standing in view.standings:
        migration = standing.migration
        if standing.status == "applied" or migration.id in recorded:
            applied.append(
                {
                    "id": migration.id,
                    "order": migration.order,
                    "depends_on": list(migration.depends_on),
                    "class": migration.kind,
                    "status": standing.status,
                    "documents_pending": [*standing.pending, *standing.failed],
                    **{
                        key: getattr(recorded.get(migration.id), key, None)
                        for key in (
                            "checksum",
                            "applied_at",
                            "duration",
                            "actor",
                            "transaction",
                            "program",
                        )
                    },
                }
            )
    waiting, oldest = store.events.waiting() if store is not None else (0, None)
    return {
        "target": name,
        "applied": applied,
        "pending": [outlook_json(view, o) for o in view.outlook],
        "documents": documents_json(view),
        "last_checkpoint": _last_checkpoint(store, name),
        "partial_failure": _partial_failure(view),
        "holds": [
            {"id": h.migration, "reason": h.reason, "since": h.since, "detail": h.detail}
            for h in view.holds.values()
        ],
        "policy": plan_json(view)["policy"],
        "outbox": {
            "delivery": delivery,
            "pending": waiting,
            "rejected": store.events.rejected() if store else 0,
            "oldest": stamp(datetime.fromtimestamp(oldest / 1e9, UTC)) if oldest else None,
            "problem": (store.reported.state("", Subject.DELIVERY) or None)
            if store and delivery
            else None,
        },
        "leftovers": list(view.leftovers),
    }


def _last_checkpoint(store: Store | None, target: str) -> dict[str, Any] | None:
    row = store.transactions.last(target) if store is not None else None
    if store is None or row is None:
        return None
    first = row.plan.details.migrations[0]
    status = {"DONE": "applied", "COMMITTED": "applied", "ABORTED": "failed", "CONFLICT": "failed"}
    ended = status.get(row.phase.value, "in_progress")
    return {
        "migration_id": first.id,
        "order": first.order,
        "depends_on": list(first.depends_on),
        "migration_ids": row.plan.migration_ids,
        "kind": row.kind,
        "transaction": row.id,
        "status": ended,
        "started_at": row.started_at,
        "completed_at": row.ended_at if ended == "applied" else None,
        "failed_at": row.ended_at if ended == "failed" else None,
        "backup_path": row.plan.checkpoint,
        "error": row.error.to_json() | {"files": store.transactions.found(row.id)}
        if row.error
        else None,
    }


def _partial_failure(view: View) -> dict[str, Any]:
    if not view.conflicts:
        return {
            "active": False,
            "migration_id": None,
            "order": None,
            "failed_at": None,
            "error": None,
            "files": {},
            "edits": {},
            "rollback_checkpoint_path": None,
            "rollback_required": False,
        }
    row = view.conflicts[0]
    first = row.plan.details.migrations[0]
    files = dict(view.found.get(row.id, {}))
    return {
        "active": True,
        "transaction": row.id,
        "migration_id": first.id,
        "order": first.order,
        "failed_at": row.ended_at,
        "error": row.error.to_json() | {"files": files} if row.error else None,
        "files": files,
        "edits": {path: edit.to_json() for path, edit in view.edits.items() if path in files},
        "rollback_checkpoint_path": row.plan.checkpoint,
        "rollback_required": True,
    }


def status_text(data: Mapping[str, Any], width: int | None = None) -> str:
    """The state of one target for people; ``width``: the columns of their terminal."""
    lines = [f"target {data['target']}"]
    zone = zone_of(data["policy"]["zone"])
    partial = data["partial_failure"]
    if partial["active"]:
        lines += [
            f"  BLOCKED by a partial failure of {partial['migration_id']} (transaction "
            f"{partial['transaction']}, {_moment(partial['failed_at'], zone)})",
            *(
                f"  {escaped(path)}: {held}{edit_text(partial['edits'].get(path), zone)}"
                for path, held in partial["files"].items()
            ),
            f"  help: `confmig resolve {partial['transaction']} --dry-run` shows the outcome of "
            "each choice",
            f"  images: {partial['rollback_checkpoint_path']}",
        ]
    found = [(d["path"], d["version"], d["problem"] or "ok") for d in data["documents"]]
    head = ("DOCUMENT", "VERSION", "STATE")
    lines += ["", table(found, head, width)] if found else ["", "no documents"]
    for d in data["documents"]:
        if d["message"]:
            lines += error_lines(d["problem"], d["message"], d["place"], d["fix"])
    done = [a for a in data["applied"] if a["applied_at"]]
    if done:
        rows = [
            (a["id"], a["class"], _moment(a["applied_at"], zone), a["transaction"]) for a in done
        ]
        lines += ["", table(rows, ("APPLIED", "CLASS", "AT", "TRANSACTION"), width)]
    if data["pending"]:
        waiting = [(p["id"], p["class"], p["reason"]) for p in data["pending"]]
        lines += ["", table(waiting, ("PENDING", "CLASS", "REASON"), width)]
    for hold in data["holds"]:
        said = f"held: {hold['id']} ({hold['reason']}): {hold['detail']}"
        lines += ["", *map(escaped, said.split("\n"))]
    out = data["outbox"]
    lines += [
        "",
        f"events: {out['pending']} not delivered yet, {out['rejected']} refused by the receiver"
        if out["delivery"]
        else f"events: {out['pending']} kept as history; no OTLP endpoint is configured",
        *([f"delivery: {out['problem']}"] if out["problem"] else []),
    ]
    if data["leftovers"]:
        names = ", ".join(escaped(name) for name in data["leftovers"])
        lines.append(f"left over by a lost state: {names}; `confmig clean --dry-run` lists them")
    return "\n".join(lines)


def _moment(recorded: str | None, zone: tzinfo) -> str:
    return moment_text(datetime.fromisoformat(recorded) if recorded else None, zone)
