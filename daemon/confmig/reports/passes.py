"""How a pass ended."""

from __future__ import annotations

from typing import Any

from confmig.passes.result import Pass
from confmig.reports.plan import plan_json, plan_text
from confmig.reports.text import plain

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
