"""What passes, plans and states look like to machines (plain data) and to people (text).

No value out of a configuration file is ever shown here; diffs are made in ``masking``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from confmig.adapters.store import Store, stamp
from confmig.adapters.telemetry import DELIVERY
from confmig.core import reasons
from confmig.core.plan import Outlook
from confmig.reconcile import Pass
from confmig.text import local, plain, table
from confmig.view import View


def outlook_json(outlook: Outlook) -> dict[str, Any]:
    """A pending migration and its decision."""
    migration, decision = outlook.standing.migration, outlook.decision
    return {
        "id": migration.id,
        "order": migration.order,
        "class": migration.kind,
        "depends_on": list(migration.depends_on),
        "description": migration.description,
        "documents": list(outlook.standing.pending),
        "verdict": decision.verdict,
        "reason": decision.primary,
        "reasons": list(decision.reasons),
        "explanation": reasons.EXPLAIN.get(decision.primary, ""),
        "retry_at": stamp(decision.retry_at) if decision.retry_at else None,
    }


def documents_json(view: View) -> list[dict[str, Any]]:
    """Every document with its version or its problem."""
    return [
        {
            "path": d.path,
            "config": d.config,
            "version": d.version,
            "due": None if d.due is None else list(d.due),
            "digest": f"sha256:{d.digest}" if d.digest else None,
            "recorded_version": view.recorded[d.path][0] if d.path in view.recorded else None,
            "problem": d.problem,
            "message": d.message,
            "fix": d.fix,
        }
        for d in view.documents
    ]


def plan_json(view: View) -> dict[str, Any]:
    """The plan of one target."""
    return {
        "target": view.target.name,
        "manifest_digest": f"sha256:{view.bundle.manifest.digest}",
        "policy": {
            "state": view.policy.state,
            "digest": f"sha256:{view.policy.digest}",
            "problems": [str(p) for p in view.policy.problems],
        },
        "documents": documents_json(view),
        "pending": [outlook_json(o) for o in view.outlook],
        "retry_at": stamp(view.retry_at) if view.retry_at else None,
    }


def plan_text(view: View) -> str:
    """The plan of one target for people."""
    lines = [f"target {view.target.name}: {_documents(view)}; policy {view.policy.state}"]
    lines += [f"  {p}" for p in view.policy.problems]
    lines += [
        f"  {plain(d.path)}: {d.message} [{d.problem}]" + (f" Fix: {d.fix}" if d.fix else "")
        for d in view.documents
        if d.problem
    ]
    if not view.documents:
        lines.append("  no file matches; check the root and the patterns of the manifest")
    elif not view.outlook:
        unknown = any(not d.healthy for d in view.documents)
        lines.append(f"  nothing {'else ' if unknown else ''}is pending")
    else:
        rows = [
            (
                o.standing.migration.id,
                o.standing.migration.kind,
                "run" if o.runs else "wait",
                o.decision.primary,
                local(o.decision.retry_at),
            )
            for o in view.outlook
        ]
        lines += ["", table(rows, ("MIGRATION", "CLASS", "NOW", "REASON", "NOT BEFORE"))]
        told = dict.fromkeys(o.decision.primary for o in view.outlook if not o.runs)
        lines += [
            "",
            *(f"{code}: {reasons.EXPLAIN[code]}" for code in told if code in reasons.EXPLAIN),
        ]
    return "\n".join(lines).rstrip()


def _documents(view: View) -> str:
    versions: dict[str, int] = {}
    for d in view.documents:
        key = "without a stamp" if d.due is not None else "unreadable"
        key = key if d.version is None else f"at version {d.version}"
        versions[key] = versions.get(key, 0) + 1
    count = len(view.documents)
    listed = ", ".join(
        f"{n} {v}" if count > 1 else v.removeprefix("at ") for v, n in sorted(versions.items())
    )
    return f"{count} document{'s' if count != 1 else ''}{' (' + listed + ')' if listed else ''}"


_REASONS = {"drifted": "target_drifted", "busy": "target_busy"}


def pass_json(result: Pass) -> dict[str, Any]:
    """How a pass ended."""
    return {
        **plan_json(result.view),
        "transactions": [
            {
                "outcome": o.kind,
                "class": o.segment.kind,
                "id": o.transaction,
                "migrations": [m.id for m in o.segment.migrations],
                "files": list(o.changed),
                "seconds": round(o.seconds, 6),
                "remarks": list(o.remarks),
                "reason": _REASONS.get(o.kind),
                "error": None
                if o.error is None
                else {"code": o.error.code, "message": o.error.message, "place": o.error.place},
            }
            for o in result.outcomes
        ],
        "exit_code": result.exit_code,
    }


def pass_text(result: Pass) -> str:
    """How a pass ended, for people."""
    lines = []
    for o in result.outcomes:
        ids = [m.id for m in o.segment.migrations]
        span = ids[0] if len(ids) == 1 else f"{ids[0]} .. {ids[-1]} ({len(ids)})"
        if o.kind == "committed":
            lines.append(
                f"committed {span} [{o.segment.kind}]: {len(o.changed)} file(s) in "
                f"{o.seconds:.3f} s, transaction {o.transaction}"
            )
            lines += [f"  {plain(remark)}" for remark in o.remarks]
        elif o.kind == "drifted":
            lines.append(f"target_drifted: {o.document} was changed meanwhile; the edit stands")
        elif o.kind == "busy":
            lines.append(f"target_busy: {o.error}")
        else:
            lines.append(f"{o.kind}: {span}: {o.error}")
    return "\n".join([*lines, plan_text(result.view)])


def status_json(view: View, store: Store | None, *, delivery: bool) -> dict[str, Any]:
    """The state of one target. ``delivery``: whether events leave this machine."""
    name = view.target.name
    recorded = {row["id"]: row for row in store.applied(name)} if store is not None else {}
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
                        k: recorded.get(migration.id, {}).get(k)
                        for k in (
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
    waiting, oldest = store.outbox_size() if store is not None else (0, None)
    return {
        "target": name,
        "applied": applied,
        "pending": [outlook_json(o) for o in view.outlook],
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
            "rejected": store.rejected_count() if store else 0,
            "oldest": stamp(datetime.fromtimestamp(oldest / 1e9, UTC)) if oldest else None,
            "problem": (store.announced("", DELIVERY) or None) if store and delivery else None,
        },
        "leftovers": list(view.leftovers),
    }


def _last_checkpoint(store: Store | None, target: str) -> dict[str, Any] | None:
    row = store.last(target) if store is not None else None
    if row is None:
        return None
    first = row.plan["details"]["migrations"][0]
    status = {"DONE": "applied", "COMMITTED": "applied", "ABORTED": "failed", "CONFLICT": "failed"}
    ended = status.get(row.phase.value, "in_progress")
    return {
        "migration_id": first["id"],
        "order": first["order"],
        "depends_on": first["depends_on"],
        "migration_ids": [m["id"] for m in row.plan["details"]["migrations"]],
        "kind": row.kind,
        "transaction": row.id,
        "status": ended,
        "started_at": row.started_at,
        "completed_at": row.ended_at if ended == "applied" else None,
        "failed_at": row.ended_at if ended == "failed" else None,
        "backup_path": row.checkpoint,
        "error": row.error,
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
            "rollback_checkpoint_path": None,
            "rollback_required": False,
        }
    row = view.conflicts[0]
    first = row.plan["details"]["migrations"][0]
    return {
        "active": True,
        "transaction": row.id,
        "migration_id": first["id"],
        "order": first["order"],
        "failed_at": row.ended_at,
        "error": row.error,
        "files": (row.error or {}).get("files", {}),
        "rollback_checkpoint_path": row.checkpoint,
        "rollback_required": True,
    }


def _told(document: Mapping[str, Any]) -> str:
    fix = f" Fix: {document['fix']}" if document["fix"] else ""
    return f"{document['message']}{fix}"


def status_text(data: Mapping[str, Any]) -> str:
    """The state of one target for people."""
    lines = [f"target {data['target']}"]
    partial = data["partial_failure"]
    if partial["active"]:
        lines += [
            f"  BLOCKED by a partial failure of {partial['migration_id']} (transaction "
            f"{partial['transaction']}, {partial['failed_at']})",
            *(f"  {path}: {held}" for path, held in partial["files"].items()),
            f"  next: confmig resolve {partial['transaction']} --dry-run (it shows what each way "
            "out does)",
            f"  images: {partial['rollback_checkpoint_path']}",
        ]
    rows = [(d["path"], d["version"], d["problem"] or "ok", _told(d)) for d in data["documents"]]
    lines += (
        ["", table(rows, ("DOCUMENT", "VERSION", "STATE", ""))] if rows else ["", "no documents"]
    )
    done = [a for a in data["applied"] if a["applied_at"]]
    if done:
        rows = [(a["id"], a["class"], a["applied_at"][:19] + "Z", a["transaction"]) for a in done]
        lines += ["", table(rows, ("APPLIED", "CLASS", "AT", "TRANSACTION"))]
    if data["pending"]:
        waiting = [(p["id"], p["class"], p["reason"]) for p in data["pending"]]
        lines += ["", table(waiting, ("PENDING", "CLASS", "REASON"))]
    for hold in data["holds"]:
        lines += ["", f"held: {hold['id']} ({hold['reason']}): {hold['detail']}"]
    out = data["outbox"]
    lines += [
        "",
        f"events: {out['pending']} not delivered yet, {out['rejected']} refused by the receiver"
        if out["delivery"]
        else f"events: {out['pending']} kept as history; no OTLP endpoint is configured",
        *([f"delivery: {out['problem']}"] if out["problem"] else []),
    ]
    if data["leftovers"]:
        names = ", ".join(plain(name) for name in data["leftovers"])
        lines.append(f"left over by a lost state: {names}; `confmig clean --dry-run` tells more")
    return "\n".join(lines)


def event_text(row: Mapping[str, Any]) -> str:
    """One event on one line."""
    when = datetime.fromtimestamp(row["time_ns"] / 1e9, UTC)
    level = {9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}[row["severity"]]
    attributes = " ".join(
        f"{k}={','.join(v) if isinstance(v, list) else v}" for k, v in row["attributes"].items()
    )
    return f"{when:%H:%M:%S.%f}"[:-3] + f" {level:5} {row['name']} {attributes}"
