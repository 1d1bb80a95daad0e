"""The exit code of a pass: one table for each thing that may be wrong. Pure.

The code of a process is the first of 70, 5, 2, 7, 4, 1, 6, 3, 0 (``errors.worst``) of all that is
found here: in the target, in what the pass did, in what is pending, and in documents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from confmig.core.bundle.manifest import CLASSES
from confmig.core.planning.facts import DocumentFact
from confmig.core.planning.forecast import Outlook
from confmig.errors import (
    DEFERRED,
    DONE,
    FAILED,
    INVALID,
    LATE_FAILURE,
    PARTIAL_FAILURE,
    REFUSED,
    ConfmigError,
    worst,
)

OUTCOMES = {"failed": FAILED, "document_failed": FAILED, "unclean": LATE_FAILURE}
"""How a segment ended -> code. ``drifted`` and ``busy`` are planned again, and what is still
pending then counts; ``partial`` is a conflict of the target."""

DOCUMENTS = {
    "version_regressed": DEFERRED,
    "document_emptied": DEFERRED,
    "target_busy": DEFERRED,
    "document_failed": FAILED,
    "io_error": FAILED,
}
"""The problem of a document -> code; another problem is REFUSED."""

FAILURES = ("document_failed", "dependency_failed")
"""The reasons of a pending migration that make a pass fail; the second follows from the first."""


def exit_code(
    *,
    conflicts: bool,
    policy_invalid: bool,
    outcomes: Collection[str],
    changed: bool,
    outlook: Iterable[Outlook],
    documents: Iterable[DocumentFact],
    classes: Collection[str] = CLASSES,
) -> int:
    """The code of a pass.

    ``outcomes``: how its segments ended; ``changed``: it changed some file; ``classes``: the
    only ones that it considered.
    """
    codes = [DONE]
    if conflicts:
        codes.append(PARTIAL_FAILURE)
    if policy_invalid:
        codes.append(INVALID)
    codes += [OUTCOMES[kind] for kind in outcomes if kind in OUTCOMES]
    codes += _pending(outlook, classes)
    for document in documents:
        if document.healthy:
            continue
        code = DOCUMENTS.get(document.problem or "", REFUSED)
        late = changed and document.problem == "io_error"  # it was committed before
        codes.append(LATE_FAILURE if late else code)
    return worst(codes)


def _pending(outlook: Iterable[Outlook], classes: Collection[str]) -> Iterator[int]:
    """The codes of what is pending: whatever it waits for, it is deferred, unless it failed."""
    some = len(classes) < len(CLASSES)
    for one in outlook:
        reasons = set(one.decision.reasons)
        if one.standing.migration.kind not in classes:
            continue  # it is listed, and no more
        if some:  # what it waits for may be of another class
            yield FAILED if "document_failed" in reasons else DEFERRED
        elif not reasons.isdisjoint(FAILURES):
            yield FAILED
        elif one.decision.verdict != "block":
            yield DEFERRED


def of_error(error: ConfmigError, *, conflicts: bool) -> int:
    """The code of a pass that an error ended: a partial failure comes before a bad bundle."""
    return worst([error.exit_code, *([PARTIAL_FAILURE] if conflicts else [])])
