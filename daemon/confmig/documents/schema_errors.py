"""Schema errors of a document: which of them a migration made, and which were in the input already.

An error that the input already had is tolerated: it does not refuse the migration. Errors are named
by the source value that they are about, which survives moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from confmig.documents.model import tree
from confmig.documents.model.document import Document
from confmig.documents.model.path import Place, show
from confmig.documents.model.tree import Sequence, entry_at
from confmig.errors import Refused


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One violation of a schema; ``what`` names the keyword and what it wants, never a value."""

    place: Place
    what: str


Validate = Callable[[str, int, Document], list[SchemaError] | None]
"""The schema errors of a configuration's document at a version; None if that has no schema."""


def known_errors(
    document: Document, config: str, versions: list[int], validate: Validate
) -> set[tuple[int, str]]:
    """The errors that a document has before its migrations, which are not to blame for them.

    They are those in the schema of the first of these versions that has one.
    """
    for version in versions:
        errors = validate(config, version, document)
        if errors is not None:
            return {key for e in errors if (key := key_of(document, e)) is not None}
    return set()


def validate_result(
    document: Document, config: str, version: int, validate: Validate, known: set[tuple[int, str]]
) -> None:
    """Raises ``Refused`` (``validation_failed``) for errors that are not ``known``."""
    new = [e for e in validate(config, version, document) or () if key_of(document, e) not in known]
    if new:
        at = document.address
        listed = "; ".join(f"{at + show(e.place) or 'the document'}: {e.what}" for e in new[:5])
        raise Refused(
            "validation_failed",
            f"the result does not fit the schema of version {version}: {listed}",
            place=at + show(new[0].place),
        )


def key_of(document: Document, error: SchemaError) -> tuple[int, str] | None:
    """Names an error by the source value it is about, which survives moves.

    None for a value that did not come from the source.
    """
    if not error.place:
        return (id(document.root_entry.source), error.what)
    container = document.root
    for part in error.place[:-1]:
        container = container[part]
    if not isinstance(container, tree.Mapping | Sequence):
        return None
    node = entry_at(container, error.place[-1]).node
    return (id(node), error.what) if node is not None else None
