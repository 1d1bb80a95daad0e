"""A chain of migrations: parse once, change the tree step by step, render once.

A chain runs on one document, or, where migrations set several configurations, on one document of
each of those together.

Every intermediate result is validated against the schema of its version; an error that the input
already had is not the migration's and does not refuse it. What runs a handler and what validates
are ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from confmig.core.bundle.manifest import Config, Migration
from confmig.documents.formats import TEXT_ONLY
from confmig.documents.model import tree
from confmig.documents.model.document import Document
from confmig.documents.model.document_set import DocumentSet
from confmig.documents.model.editor import Editor
from confmig.documents.model.emptied import emptied, holds_nothing
from confmig.documents.model.journal import Change
from confmig.documents.operations import Context, Operation
from confmig.documents.schema_errors import Validate, known_errors, validate_result
from confmig.errors import ConfmigError, Refused


@dataclass(frozen=True, slots=True)
class Program:
    """What a migration does: operations, or the name of a Python handler that is all of it."""

    migration: Migration
    operations: tuple[Operation, ...]
    handler: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One migration's effect on one document. ``notes`` are its warnings: place and text."""

    migration: Migration
    before: int
    after: int
    changes: tuple[Change, ...]
    notes: tuple[tuple[str, str], ...] = ()


def version_of(document: Document, config: Config) -> int:
    """The schema version that a document's stamp says.

    0 where documents carry none, so that the whole chain runs.

    Raises ``Refused``: ``document_emptied`` if the document holds nothing and the manifest does not
    say ``version: {empty: ..}``, ``version_missing`` without a stamp and without a default,
    ``version_invalid`` if the stamp is not a whole number of at least 0.
    """
    stamp = config.stamp
    if stamp is None:
        return 0
    if holds_nothing(document.text, document.format):
        if stamp.empty is None:
            raise emptied()
        return stamp.empty
    if not isinstance(document.root, tree.Mapping):
        raise Refused("version_missing", "the document is not a mapping, so it has no version")
    missing = object()
    value = document.get(stamp.path, missing)
    if value is missing:
        if stamp.absent is None:
            raise Refused(
                "version_missing",
                f"there is no `{stamp.path}`",
                place=stamp.path,
                fix="add it with the version that the file has, or set `absent` in manifest.json",
            )
        return stamp.absent
    if document.format in TEXT_ONLY and isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Refused(
            "version_invalid",
            f"`{stamp.path}` must be a whole number, 0 or more",
            place=stamp.path,
            fix="write the version that the file has",
        )
    return value


def run(
    document: Document,
    config: Config,
    programs: Iterable[Program],
    context: Context,
    validate: Validate,
) -> list[Step]:
    """Run the programs in order on the tree; see ``run_set``."""
    return run_set({config.name: document}, [config], programs, context, validate)[config.name]


def run_set(
    documents: Mapping[str, Document],
    configs: Iterable[Config],
    programs: Iterable[Program],
    context: Context,
    validate: Validate,
) -> dict[str, list[Step]]:
    """Run the programs in order on one document of each configuration; returns the steps of each.

    Raises ``Refused`` and names the migration, the place and the reason; the documents are then
    in an undefined state and must be dropped (nothing was written). All that a person must
    decide (``manual``) is named at once: the chain runs on to find it.
    """
    programs = list(programs)
    known = {config.name: config for config in configs}
    tracks = {
        name: _Track(known[name], document, programs, validate)
        for name, document in documents.items()
    }
    notes: list[tuple[str, str]] = []
    decisions: list[_Decision] = []
    context = replace(context, note=lambda place, text: notes.append((place, text)))
    for program in programs:
        mine = [tracks[name] for name in program.migration.sets]
        notes.clear()
        try:
            _perform(program, [t.document for t in mine], context, decisions)
            for track in mine:
                track.finish(program.migration, validate, notes if track is mine[0] else ())
        except ConfmigError as error:
            if decisions:  # what comes after an open decision may fail because of it
                break
            error.migration = program.migration.id
            error.documents = _about(error, program.migration)
            raise
    if decisions:
        raise _undecided(decisions)
    return {name: track.steps for name, track in tracks.items()}


def _about(error: ConfmigError, migration: Migration) -> tuple[str, ...]:
    """The configurations that an error is about.

    With several documents, each of its places begins with the address of its document, which
    ``_perform`` gave it.
    """
    named = tuple(name for name in migration.sets if error.place.startswith(f"{name}:"))
    return named or tuple(migration.sets)


@dataclass(frozen=True, slots=True)
class _Decision:
    """What a person must decide: the migration and operation that ask, the place, the reason."""

    migration: Migration
    operation: str
    place: str
    reason: str

    def after(self, first: _Decision) -> str:
        """The decision, in a message that begins with the first one's migration."""
        other = "" if self.migration.id == first.migration.id else f"{self.migration.id}: "
        return f"{other}{self.operation}: {self.place}: {self.reason}"


def _collector(
    decisions: list[_Decision], migration: Migration, operation: str
) -> Callable[[str, str], None]:
    return lambda place, reason: decisions.append(_Decision(migration, operation, place, reason))


def _undecided(decisions: list[_Decision]) -> Refused:
    """One refusal for all decisions. Its migration is that of the first one."""
    first = decisions[0]
    fix = "decide, change the file by hand, then run again"
    error = Refused("manual_decision", first.reason, place=first.place, fix=fix)
    error.migration = first.migration.id
    error.documents = _about(error, first.migration)
    if len(decisions) == 1:
        error.operation = first.operation
        return error
    listed = "; ".join(decision.after(first) for decision in decisions[:_MOST])
    more = f"; and {len(decisions) - _MOST} more" if len(decisions) > _MOST else ""
    error.reason = f"{len(decisions)} decisions are needed: {listed}{more}"
    error.place = ""
    return error


_MOST = 20
"""Decisions that one message names."""


def _perform(
    program: Program, documents: list[Document], context: Context, decisions: list[_Decision]
) -> None:
    """Run a migration's handler and operations; with several documents, on all of them as one."""
    names = list(program.migration.sets)
    several = len(documents) > 1
    for name, document in zip(names, documents, strict=True):
        document.address = f"{name}:" if several else ""
    whole: Editor = documents[0]
    if several:
        whole = DocumentSet(dict(zip(names, documents, strict=True)))
    if program.handler is not None:
        context.custom(program.handler, documents[0], None)
    for number, operation in enumerate(program.operations, 1):
        about = f"operation {number} ({operation.kind})"
        asking = context
        if operation.kind == "manual":
            collect = _collector(decisions, program.migration, about)
            asking = replace(context, decide=collect)
        try:
            operation.run(whole, asking)
        except ConfmigError as error:
            error.operation = about
            raise


class _Track:
    """One document on its way through a chain."""

    def __init__(
        self, config: Config, document: Document, programs: list[Program], validate: Validate
    ) -> None:
        self.config = config
        self.document = document
        self.steps: list[Step] = []
        self._version = version_of(document, config)
        self._journalled = len(document.changes)
        mine = [p.migration.sets[config.name] for p in programs if config.name in p.migration.sets]
        self._known = known_errors(document, config.name, [self._version, *mine], validate)

    def finish(
        self, migration: Migration, validate: Validate, notes: Iterable[tuple[str, str]]
    ) -> None:
        """Stamp and validate the document after a migration, and keep its step."""
        document, after = self.document, migration.sets[self.config.name]
        if self.config.stamp is not None:
            document.set(self.config.stamp.path, after)
        validate_result(document, self.config.name, after, validate, self._known)
        changes = tuple(document.changes[self._journalled :])
        self._journalled = len(document.changes)
        self.steps.append(Step(migration, self._version, after, changes, tuple(notes)))
        self._version = after
