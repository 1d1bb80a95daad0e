"""What a daemon writes to its log: one line for each thing that happens to a target, on change.

No input and no output: results of passes in, lines out. It remembers what it said last, so that a
pass that finds everything as before says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from confmig.core.planning.forecast import Outlook
from confmig.core.policy import reasons
from confmig.errors import ConfmigError
from confmig.passes.result import Pass
from confmig.reports.plan import explanation
from confmig.reports.text import edit_text, moment_text
from confmig.transactions.migrate import Outcome
from confmig.transactions.runner import listed
from confmig.writer import counted, error_lines, escaped


@dataclass(slots=True)
class _Target:
    """What was said last about one target."""

    trouble: str = ""
    policy: str = ""
    conflicts: frozenset[str] = frozenset()
    documents: dict[str, list[str]] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)
    failures: frozenset[str] = frozenset()  # lines
    failed: set[str] = field(default_factory=set)  # documents


@dataclass(slots=True)
class Narrator:
    """The lines of all targets."""

    _targets: dict[str, _Target] = field(default_factory=dict)

    def trouble(self, target: str, error: ConfmigError) -> list[str]:
        """A pass could not be made."""
        last = self._targets.setdefault(target, _Target())
        lines = [f"{target}: {line}" for line in error.lines]
        for problem in getattr(error, "problems", ()):
            lines += [f"{target}:   {line}" for line in problem.lines]
        news = "\n".join(lines)
        if last.trouble == news:
            return []
        last.trouble = news
        return lines

    def passed(self, target: str, result: Pass) -> list[str]:
        """A pass was made."""
        last = self._targets.setdefault(target, _Target())
        lines = []
        if last.trouble:
            lines.append("works again")
            last.trouble = ""
        lines += self._outcomes(last, result)
        lines += self._conflicts(last, result)
        lines += self._policy(last, result)
        lines += self._documents(last, result)
        lines += self._waits(last, result)
        return [f"{target}: {line}" for line in lines]

    def _outcomes(self, last: _Target, result: Pass) -> list[str]:
        lines = []
        failures = set()
        for outcome in result.outcomes:
            said = _outcome(outcome)
            if outcome.error is not None:
                if outcome.document is not None and outcome.kind not in ("drifted", "busy"):
                    last.failed.add(outcome.document)
                repeated = said[0] in last.failures or said[0] in failures
                failures.add(said[0])
                if repeated:
                    continue
            lines += said
            lines += [escaped(remark) for remark in outcome.remarks]
            again = sorted(last.failed.intersection(outcome.changed))
            # `_documents` says it of those whose problem it named
            lines += [
                f"{escaped(path)}: fine again" for path in again if path not in last.documents
            ]
            last.failed.difference_update(again)
        last.failures = frozenset(failures)
        return lines

    def _conflicts(self, last: _Target, result: Pass) -> list[str]:
        now = {row.id: row for row in result.view.conflicts}
        lines = []
        for name, row in now.items():
            if name in last.conflicts:
                continue
            ids = ", ".join(row.plan.migration_ids)
            held = result.view.found.get(name, {})
            zone, edits = result.view.policy.zone, result.view.edits
            files = {
                escaped(path): held[path]
                + edit_text(edits[path].to_json() if path in edits else None, zone)
                for path in sorted(held, key=lambda path: path not in edits)  # the edited first
            }
            what = "the rollback" if row.kind == "rollback" else "the migration"
            lines += [
                f"BLOCKED: {what} of {ids} changed only some of its files, and no migration of the "
                f"target runs (transaction {name}) [blocked_by_partial_failure] {listed(files)}",
                f"  help: `confmig resolve {name} --dry-run` shows the outcome of each choice",
            ]
        ended = sorted(last.conflicts - now.keys())
        lines += [f"unblocked: the partial failure of {name} has ended" for name in ended]
        last.conflicts = frozenset(now)
        return lines

    def _policy(self, last: _Target, result: Pass) -> list[str]:
        policy = result.view.policy
        if policy.state != "invalid":
            lines = ["the policy is valid again"] if last.policy else []
            last.policy = ""
            return lines
        if last.policy == policy.digest:
            return []
        last.policy = policy.digest
        return [
            f"BLOCKED: {reasons.EXPLAIN['policy_invalid']} [policy_invalid]",
            *(f"  {line}" for problem in policy.problems for line in problem.lines),
        ]

    def _documents(self, last: _Target, result: Pass) -> list[str]:
        now = {
            d.path: error_lines(d.problem, d.message or d.problem, d.place, d.fix)
            for d in result.view.documents
            if d.problem is not None and d.path not in result.waiting
        }
        lines = [
            line for path, text in now.items() if last.documents.get(path) != text for line in text
        ]
        found = {d.path for d in result.view.documents}
        for path in sorted(last.documents.keys() - now.keys()):
            lines.append(f"{escaped(path)}: {'fine again' if path in found else 'gone'}")
        last.documents = now
        return lines

    def _waits(self, last: _Target, result: Pass) -> list[str]:
        held = [o for o in result.view.outlook if not o.runs]
        now = {o.standing.migration.id: o.decision.primary for o in held}
        news: dict[str, list[Outlook]] = {}
        for outlook in held:
            if last.waits.get(outlook.standing.migration.id) != outlook.decision.primary:
                news.setdefault(outlook.decision.primary, []).append(outlook)
        last.waits = now
        lines = []
        for reason, outlooks in news.items():
            first = outlooks[0]
            more = f" and {len(outlooks) - 1} more" if len(outlooks) > 1 else ""
            said = explanation(result.view, first.standing.migration, reason)
            when = moment_text(first.decision.retry_at, result.view.policy.zone)
            lines.append(
                f"{first.standing.migration.id}{more} {'wait' if more else 'waits'} [{reason}]"
                + (f": {said}" if said else "")
                + (f"; not before {when}" if when else "")
            )
        return lines


def _outcome(outcome: Outcome) -> list[str]:
    ids = [m.id for m in outcome.segment.migrations]
    span = ids[0] if len(ids) == 1 else f"{ids[0]} .. {ids[-1]} ({len(ids)})"
    files = counted(len(outcome.changed), "file")
    if outcome.error is None:
        return [
            f"migrated {files} by {span} [{outcome.segment.kind}] in {outcome.seconds:.3f} s, "
            f"transaction {outcome.transaction}"
        ]
    said, *help_line = outcome.error.lines
    if outcome.kind == "unclean":
        said = f"migrated {files} by {span}, transaction {outcome.transaction}; but {said}"
    elif outcome.kind in ("drifted", "busy"):
        said = f"{span} is planned again: {said}"
    else:
        said = f"{span} failed: {said}"
    return [said, *help_line]
