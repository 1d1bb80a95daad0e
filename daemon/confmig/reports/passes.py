"""How a pass ended."""

from __future__ import annotations

from typing import Any

from confmig.passes.result import Pass
from confmig.reports.messages import error_json
from confmig.reports.plan import plan_json, plan_text
from confmig.writer import counted, escaped

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
                "error": None if o.error is None else error_json(o.error),
            }
            for o in result.outcomes
        ],
        "exit_code": result.exit_code,
    }


def pass_text(result: Pass, width: int | None = None) -> str:
    """How a pass ended, for people; ``width``: the columns of their terminal."""
    lines = []
    for o in result.outcomes:
        ids = [m.id for m in o.segment.migrations]
        span = ids[0] if len(ids) == 1 else f"{ids[0]} .. {ids[-1]} ({len(ids)})"
        if o.kind == "committed":
            lines.append(
                f"committed {span} [{o.segment.kind}]: {counted(len(o.changed), 'file')} in "
                f"{o.seconds:.3f} s, transaction {o.transaction}"
            )
            lines += [f"  {escaped(remark)}" for remark in o.remarks]
        elif o.kind == "drifted":
            name = escaped(o.document or "")
            lines.append(f"target_drifted: {name} was changed meanwhile; the edit is kept")
        elif o.kind == "busy":
            lines.append(f"target_busy: {o.error}")
        else:
            lines.append(f"{o.kind}: {span}: {o.error}")
    return "\n".join([*lines, plan_text(result.view, width)])
