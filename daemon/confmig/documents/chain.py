"""A chain of migrations on one document: parse once, change the tree step by step, render once.

Every intermediate result is validated against the schema of its version; an error that the input
already had is not the migration's and does not refuse it. What runs a handler and what validates
are ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from confmig.core.manifest import Config, Migration
from confmig.documents.document import Document
from confmig.documents.formats import TEXT_ONLY
from confmig.documents.journal import Change
from confmig.documents.operations import Context, Operation
from confmig.documents.path import Place, show
from confmig.documents.tree import Mapping, Sequence, cell_at
from confmig.errors import ConfmigError, Refused


@dataclass(frozen=True, slots=True)
class Program:
    """What a migration does: operations, or the name of a Python handler that is all of it."""

    migration: Migration
    operations: tuple[Operation, ...]
    handler: str | None = None


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One violation of a schema; ``what`` names the keyword and what it wants, never a value."""

    place: Place
    what: str


@dataclass(frozen=True, slots=True)
class Step:
    """One migration's effect on one document. ``notes`` are its warnings: place and text."""

    migration: Migration
    before: int
    after: int
    changes: tuple[Change, ...]
    notes: tuple[tuple[str, str], ...] = ()


Validate = Callable[[int, Document], list[SchemaError] | None]
"""The schema errors of a document at a version; None if the version has no schema."""


def version_of(document: Document, config: Config) -> int:
    """The schema version that a document's stamp says; 0 where documents carry none, so that the
    whole chain runs.

    Raises ``Refused``: ``version_missing`` without a stamp and without a default,
    ``version_invalid`` if the stamp is no whole number of at least 0.
    """
    stamp = config.stamp
    if stamp is None:
        return 0
    if not isinstance(document.root, Mapping):
        if document.root is None and stamp.absent is not None:
            return stamp.absent
        raise Refused("version_missing", "the document is no mapping, so it has no stamp")
    missing = object()
    value = document.get(stamp.path, missing)
    if value is missing:
        if stamp.absent is None:
            raise Refused("version_missing", f"there is no {stamp.path}", place=stamp.path)
        return stamp.absent
    if document.format in TEXT_ONLY and isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Refused("version_invalid", "the stamp is no version number", place=stamp.path)
    return value


def run(
    document: Document,
    config: Config,
    programs: Iterable[Program],
    context: Context,
    validate: Validate,
) -> list[Step]:
    """Run the programs in order on the tree.

    Raises ``Refused`` and names the migration, the place and the reason; the document is then
    in an undefined state and must be dropped (nothing was written).
    """
    before = version_of(document, config)
    notes: list[tuple[str, str]] = []
    context = replace(context, note=lambda place, text: notes.append((place, text)))
    programs = list(programs)
    steps: list[Step] = []
    known = _known_errors(document, before, programs, validate)
    for program in programs:
        migration = program.migration
        start = len(document.changes)
        notes.clear()
        try:
            if program.handler is not None:
                context.custom(program.handler, document)
            for number, operation in enumerate(program.operations, 1):
                try:
                    operation.run(document, context)
                except ConfmigError as error:
                    error.message = f"operation {number} ({operation.kind}): {error.message}"
                    raise
            if config.stamp is not None:
                document.set(config.stamp.path, migration.version)
            _validate(document, migration.version, validate, known)
        except ConfmigError as error:
            error.message = f"{migration.id}: {error.message}"
            raise
        after = migration.version
        steps.append(Step(migration, before, after, tuple(document.changes[start:]), tuple(notes)))
        before = after
    return steps


def _known_errors(
    document: Document, version: int, programs: list[Program], validate: Validate
) -> set[tuple[int, str]]:
    for candidate in [version, *(p.migration.version for p in programs)]:
        errors = validate(candidate, document)
        if errors is not None:
            return {key for e in errors if (key := _key(document, e)) is not None}
    return set()


def _validate(
    document: Document, version: int, validate: Validate, known: set[tuple[int, str]]
) -> None:
    new = [e for e in validate(version, document) or () if _key(document, e) not in known]
    if new:
        listed = "; ".join(f"{show(e.place) or 'the document'}: {e.what}" for e in new[:5])
        raise Refused(
            "validation_failed",
            f"the result does not fit the schema of version {version}: {listed}",
            place=show(new[0].place),
        )


def _key(document: Document, error: SchemaError) -> tuple[int, str] | None:
    """Names an error by the source value it is about, which survives moves; None for a value
    that did not come from the source."""
    if not error.place:
        return (id(document.root_cell.source), error.what)
    container = document.root
    for part in error.place[:-1]:
        container = container[part]
    if not isinstance(container, Mapping | Sequence):
        return None
    node = cell_at(container, error.place[-1]).node
    return (id(node), error.what) if node is not None else None
