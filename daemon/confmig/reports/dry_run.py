"""The dry-run report: every migration of the plan, what it would do to every document.

Deterministic: no time, no random order, nothing of this machine. Diffs mask secrets; the loss
ledger names places and types, never values.
"""

from __future__ import annotations

from typing import Any

from confmig.adapters.files.disk import Disk
from confmig.adapters.workers.records import Transformed, Versions
from confmig.core.bundle.manifest import Migration
from confmig.core.planning.facts import DocumentFact
from confmig.core.planning.joint import misfit
from confmig.documents.model.path import show
from confmig.documents.model.values import kind_of
from confmig.errors import ConfmigError
from confmig.passes.view import View
from confmig.reports.plan import explanation
from confmig.writer import counted, escaped


def report_of(view: View, size_cap: int, key: bytes) -> dict[str, Any]:
    """The report of one target. Reads its documents, writes nothing."""
    walks = _walk(view, size_cap, key)
    decisions = {o.standing.migration.id: o.decision for o in view.outlook}
    migrations: list[dict[str, Any]] = []
    for standing in view.standings:
        migration = standing.migration
        decision = decisions.get(migration.id)
        documents = [
            walks[d.path][migration.id] for d in view.documents if d.config in migration.sets
        ]
        if any(d["action"] == "error" for d in documents):
            status = "error"
        elif decision is None:
            status = "already_applied"
        else:
            status = "dry_run_complete" if decision.verdict == "allow" else "deferred"
        migrations.append(
            {
                "id": migration.id,
                "order": migration.order,
                "depends_on": list(migration.depends_on),
                "class": migration.kind,
                "status": status,
                "gate": None
                if decision is None
                else {
                    "verdict": decision.verdict,
                    "reason": decision.primary,
                    "reasons": list(decision.reasons),
                },
                "documents": documents,
            }
        )
    changed = {
        d["path"] for m in migrations for d in m["documents"] if d["action"] == "would_migrate"
    }
    return {
        "target": view.target.name,
        "manifest_digest": f"sha256:{view.bundle.manifest.digest}",
        "policy": {"state": view.policy.state, "digest": f"sha256:{view.policy.digest}"},
        "migrations": migrations,
        "totals": {
            "plan_size": len(migrations),
            "pending": sum(m["status"] in ("dry_run_complete", "deferred") for m in migrations),
            "already_applied": sum(m["status"] == "already_applied" for m in migrations),
            "would_change_files": len(changed),
            "errors": sum(d["action"] == "error" for m in migrations for d in m["documents"]),
        },
    }


class _Walk:
    """One document on its way through the plan: its texts so far, and what stopped it."""

    def __init__(self, document: DocumentFact, disk: Disk) -> None:
        self.document = document
        self.entries: dict[str, dict[str, Any]] = {}
        at = f"line {document.line}: " if document.line else ""
        self.error = document.message and f"{at}{document.message} [{document.problem}]"
        self.texts = [disk.read(document.path).data] if document.healthy else []
        self.changing: list[dict[str, Any]] = []  # the entries of the steps that gave the texts

    def past(self, migration: Migration) -> bool:
        """Whether the document had the migration already."""
        return self.document.has(migration)

    def note(self, migration: Migration, **what: Any) -> None:
        self.entries[migration.id] = {"path": self.document.path, **what}

    def take(self, migration: Migration, result: Transformed) -> None:
        """Go through a migration; the diff is filled in at the end."""
        if result.data is None:
            self.note(migration, action="no_op")
            return
        self.note(migration, action="would_migrate", diff="", loss=loss_ledger(result))
        self.texts.append(result.data)
        self.changing.append(self.entries[migration.id])

    def stop(self, migration: Migration, error: str) -> None:
        """An error is reported once; what comes after it is skipped."""
        reported = any(e["action"] == "error" for e in self.entries.values())
        self.note(migration, action="skipped" if reported else "error", error=error)
        self.error = error


def _walk(view: View, size_cap: int, key: bytes) -> dict[str, dict[str, dict[str, Any]]]:
    """path -> migration id -> what it would do; each step starts from the last one's bytes."""
    with Disk(
        str(view.target.root), size_cap=size_cap, options=view.target.exchange_options()
    ) as disk:
        walks = [_Walk(document, disk) for document in view.documents]
    for migration in view.bundle.manifest.migrations:
        mine = [w for w in walks if w.document.config in migration.sets]
        unfit = misfit(migration, view.observation)
        if not migration.joint:
            for walk in mine:
                _take(view, migration, [walk], key)
        elif unfit is None:
            _take(view, migration, mine, key)
        else:
            for walk in mine:
                if walk.past(migration):
                    walk.note(migration, action="no_op")
                else:
                    why = f"{explanation(view, migration, unfit)} [{unfit}]"
                    walk.stop(migration, walk.error or why)
    _fill_in_diffs(view, [w for w in walks if w.texts])
    return {walk.document.path: walk.entries for walk in walks}


def _fill_in_diffs(view: View, walks: list[_Walk]) -> None:
    """Fill in all diffs at once, because a secret of one text is masked in the diffs of all."""
    files = [Versions(w.document.path, w.document.config, tuple(w.texts)) for w in walks]
    for walk, diffs in zip(walks, view.bundle.report(files), strict=True):
        for entry, diff in zip(walk.changing, diffs, strict=True):
            entry["diff"] = diff


def _take(view: View, migration: Migration, walks: list[_Walk], key: bytes) -> None:
    """Take documents through one migration, together."""
    if all(walk.past(migration) for walk in walks):
        for walk in walks:
            walk.note(migration, action="no_op")
        return
    error = next((walk.error for walk in walks if walk.error), None)
    if error is None:
        sources = {walk.document.config: walk.texts[-1] for walk in walks}
        try:
            results = view.bundle.transform(sources, [migration.id], key)
        except ConfmigError as raised:
            error = str(raised)
    if error is not None:
        for walk in walks:
            walk.stop(migration, error)
        return
    for walk in walks:
        walk.take(migration, results[walk.document.config])


def loss_ledger(result: Transformed) -> dict[str, Any]:
    """What a chain removes: places and types of values, and lines of comments."""
    return {
        "removed": [
            {"path": show(c.place), "type": kind_of(c.old)}
            for step in result.steps
            for c in step.changes
            if c.kind == "removed"
        ],
        "comments": [{"line": comment.line} for comment in result.lost_comments],
    }


def markdown(answer: dict[str, Any]) -> str:
    """The report for people."""
    out = ["# Dry run", ""]
    if "generated_at" in answer:
        out += [f"Made at {answer['generated_at']}.", ""]
    for report in answer["targets"]:
        totals = report["totals"]
        out += [
            f"## Target {report['target']}",
            "",
            f"{totals['plan_size']} migrations: {totals['already_applied']} applied, "
            f"{totals['pending']} pending; "
            f"{counted(totals['would_change_files'], 'file')} would change; "
            f"{counted(totals['errors'], 'error')}.",
            "",
            "| migration | class | status | reason |",
            "|---|---|---|---|",
        ]
        for m in report["migrations"]:
            reason = m["gate"]["reason"] if m["gate"] else ""
            out.append(f"| {m['id']} | {m['class']} | {m['status']} | {reason} |")
        out.append("")
        for m in report["migrations"]:
            for d in m["documents"]:
                if d["action"] == "would_migrate":
                    out += [
                        f"### {m['id']}: {escaped(d['path'])}",
                        "",
                        "```diff",
                        d["diff"].rstrip("\n"),
                        "```",
                        "",
                    ]
                    lost = d["loss"]
                    if lost["removed"] or lost["comments"]:
                        names = (
                            ", ".join(
                                f"{escaped(r['path'])} ({r['type']})" for r in lost["removed"]
                            )
                            or "nothing"
                        )
                        out += [
                            f"Removed: {names}; comment lines lost: {len(lost['comments'])}.",
                            "",
                        ]
                elif d["action"] == "error":
                    out += [
                        f"### {m['id']}: {escaped(d['path'])}: error",
                        "",
                        *map(escaped, d["error"].split("\n")),
                        "",
                    ]
    return "\n".join(out)
