"""What the probes answer, and why. Pure: results of passes in, reasons out.

``/readyz`` says no while a target is blocked or has not been looked at. ``/startupz`` says no until
every target had a pass after which nothing needs a person: what could run has run, and the rest
waits for the policy. A no always has a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confmig.core.planning.attention import attention
from confmig.errors import DEFERRED, DONE, INVALID, PARTIAL_FAILURE, ConfmigError
from confmig.passes.result import Pass
from confmig.writer import escaped


@dataclass(frozen=True, slots=True)
class Readiness:
    """The reasons against ready and against started; without any the answer is yes.

    Names from outside are escaped in them.
    """

    ready: tuple[str, ...]
    started: tuple[str, ...]


def readiness(
    targets: Iterable[str],
    passes: Mapping[str, Pass],
    troubles: Mapping[str, ConfmigError | None],
) -> Readiness:
    """What speaks against ready and against started, from the last passes and errors.

    ``passes`` has the last finished pass of each target, ``troubles`` the error that has
    prevented a pass since.
    """
    ready: list[str] = []
    started: list[str] = []
    for name in targets:
        trouble = troubles.get(name)
        result = passes.get(name)
        if trouble is not None:
            ready.append(f"{name}: {trouble.code}")
        elif result is None:
            ready.append(f"{name}: starting")
        else:
            blocks = _blocks(result)
            ready += [f"{name}: {code}" for code in blocks]
            reasons = _reasons(result)
            if not (blocks or reasons) and result.exit_code not in (DONE, DEFERRED):
                reasons = [f"exit_code_{result.exit_code}"]  # a no always has a reason
            started += [f"{name}: {why}" for why in reasons]
    ready, started = [escaped(why) for why in ready], [escaped(why) for why in started]
    return Readiness(tuple(ready), (*ready, *started))


def _blocks(result: Pass) -> list[str]:
    out = []
    if result.exit_code == PARTIAL_FAILURE or result.view.conflicts:
        out.append("blocked_by_partial_failure")
    if result.exit_code == INVALID or result.view.policy.state == "invalid":
        out.append("policy_invalid")
    return out


def _reasons(result: Pass) -> list[str]:
    """Why a pass does not count as the first good one."""
    out = [f"{d.path}: {d.problem}" for d in result.view.documents if d.path in result.waiting]
    if result.exit_code in (DONE, DEFERRED):
        return out + _waits_for_a_person(result)
    out += [
        f"{d.path}: {d.problem}"
        for d in result.view.documents
        if d.problem is not None and d.path not in result.waiting
    ]
    out += [
        f"{o.standing.migration.id}: {o.decision.primary}: {', '.join(o.standing.pending[:3])}"
        for o in result.view.outlook
        if "document_failed" in o.decision.reasons or "dependency_failed" in o.decision.reasons
    ]
    out += [o.error.code for o in result.outcomes if o.error is not None and not o.changed]
    out += [f"{o.kind}" for o in result.outcomes if o.kind == "unclean"]
    return list(dict.fromkeys(out))


def _waits_for_a_person(result: Pass) -> list[str]:
    """What of a pass needs a person, although its exit code says that the policy deferred it."""
    view = result.view
    decisions = [(o.standing.migration.id, o.decision) for o in view.outlook]
    problems = [d.problem for d in view.documents if d.problem is not None]
    found = attention(decisions, [p for p in problems if p is not None])
    named = {d.problem: d.path for d in view.documents if d.problem is not None}
    return [f"{name or named.get(reason, 'target')}: {reason}" for name, reason in sorted(found)]
