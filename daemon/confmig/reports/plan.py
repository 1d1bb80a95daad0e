"""The plan of a target: its documents, and what is pending with its decision."""

from __future__ import annotations

from typing import Any

from confmig.adapters.state.connection import stamp
from confmig.codes import CODES
from confmig.core.bundle.manifest import Migration
from confmig.core.planning.facts import UNREADABLE, UNSTAMPED
from confmig.core.planning.forecast import Outlook
from confmig.core.planning.joint import misfit_detail
from confmig.core.policy import reasons
from confmig.passes.view import View
from confmig.reports.text import moment_text, table
from confmig.writer import counted, error_lines, escaped


def outlook_json(view: View, outlook: Outlook) -> dict[str, Any]:
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
        "explanation": explanation(view, migration, decision.primary),
        "retry_at": stamp(decision.retry_at) if decision.retry_at else None,
    }


def explanation(view: View, migration: Migration, reason: str) -> str:
    """What a reason means for a migration, and what to do about it."""
    if reason == "config_ambiguous":
        detail = misfit_detail(migration, view.observation, view.bundle.manifest.configs)
        return f"{detail}; {CODES[reason].help}" if detail else reasons.EXPLAIN[reason]
    return reasons.EXPLAIN.get(reason, "")


def documents_json(view: View) -> list[dict[str, Any]]:
    """Every document with its version or its problem."""
    return [
        {
            "path": d.path,
            "config": d.config,
            "version": d.version,
            "due": None if d.due is None else list(d.due),
            "digest": f"sha256:{d.digest}" if d.digest else None,
            "recorded_version": view.recorded[d.path].version if d.path in view.recorded else None,
            "problem": d.problem,
            "message": d.message,
            "place": d.place,
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
            "zone": str(view.policy.zone),
            "problems": [str(p) for p in view.policy.problems],
        },
        "documents": documents_json(view),
        "pending": [outlook_json(view, o) for o in view.outlook],
        "retry_at": stamp(view.retry_at) if view.retry_at else None,
    }


def plan_text(view: View, width: int | None = None) -> str:
    """The plan of one target for people; ``width``: the columns of their terminal."""
    lines = [f"target {view.target.name}: {_documents(view)}; policy {view.policy.state}"]
    lines += [f"  {line}" for problem in view.policy.problems for line in problem.lines]
    lines += [
        f"  {line}"
        for d in view.documents
        if d.problem
        for line in error_lines(d.problem, d.message, d.place, d.fix)
    ]
    if not view.observation.total:
        lines.append("  no file matches; check the root and the patterns of the manifest")
    elif not view.outlook:
        held = [escaped(d.path) for d in view.documents if not d.healthy]
        if held:
            lines.append(f"  nothing can be planned for {', '.join(held)} until this is corrected")
        if len(held) < view.observation.total:
            lines.append(f"  nothing is pending{' for the other documents' if held else ''}")
    else:
        rows = [
            (
                o.standing.migration.id,
                o.standing.migration.kind,
                "run" if o.runs else "wait",
                o.decision.primary,
                moment_text(o.decision.retry_at, view.policy.zone),
            )
            for o in view.outlook
        ]
        lines += ["", table(rows, ("MIGRATION", "CLASS", "NOW", "REASON", "NOT BEFORE"), width)]
        explained = dict.fromkeys(
            f"{o.decision.primary}: {why}"
            for o in view.outlook
            if not o.runs and (why := explanation(view, o.standing.migration, o.decision.primary))
        )
        lines += ["", *map(escaped, explained)]
    return "\n".join(lines).rstrip()


_STATES = {UNSTAMPED: "without a stamp", UNREADABLE: "unreadable"}


def _documents(view: View) -> str:
    versions: dict[str, int] = {}
    for (_, state), number in view.observation.counts.items():
        shown = _STATES.get(state, f"at version {state}")
        versions[shown] = versions.get(shown, 0) + number
    count = view.observation.total
    listed = ", ".join(
        f"{n} {v}" if count > 1 else v.removeprefix("at ") for v, n in sorted(versions.items())
    )
    return f"{counted(count, 'document')}{' (' + listed + ')' if listed else ''}"
