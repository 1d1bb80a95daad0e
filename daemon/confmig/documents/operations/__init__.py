"""Operations: what a migration file says, one model a kind, registered in one literal dict.

A migration file is a list of operations, run in order. An absent source is not a change, never an
error; a wrong type is an error and nothing is written. Each operation is a mapping with exactly
one operation key, and may have ``when`` (see ``conditions``), ``for_each`` and ``allow_shared``.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any, Literal, Protocol

from pydantic import (
    BaseModel,
    RootModel,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from confmig.core.input_errors import problems_of
from confmig.documents.model.document import Document, document_of
from confmig.documents.model.document_set import DocumentSet, address
from confmig.documents.model.editor import Editor
from confmig.documents.model.lookup import MISSING
from confmig.documents.model.tree import Entry, Mapping
from confmig.documents.model.values import described, plain
from confmig.documents.operations.base import Addresses, AnyPath, Context, Strict
from confmig.documents.operations.conditions import Condition
from confmig.documents.operations.lists import (
    AddItem,
    Gather,
    InsertAfter,
    ListToMap,
    MapToList,
    RemoveItems,
    UnwrapList,
    WrapList,
)
from confmig.documents.operations.notices import Manual, Note
from confmig.documents.operations.structure import (
    Default,
    Delete,
    Hoist,
    Move,
    Nest,
    RenameSection,
    Set,
    is_whole,
)
from confmig.documents.operations.text import Format, Replace, Split
from confmig.documents.operations.values import Convert, MapItems, MapValue
from confmig.documents.yaml.scalars import resolve
from confmig.errors import Problem, Refused
from confmig.writer import did_you_mean

__all__ = ["OPERATIONS", "Context", "Operation", "load"]


class Custom(RootModel[str]):
    """Run a Python handler: the path of its file below ``migrations/``.

    A migration of several configurations says on which: ``app:handlers/file.py``.
    """

    @property
    def file(self) -> str:
        """The handler's path below ``migrations/``."""
        _, colon, rest = self.root.partition(":")
        return rest if colon and rest.startswith("handlers/") else self.root

    @model_validator(mode="after")
    def _addressed(self, info: ValidationInfo) -> Custom:
        if not isinstance(info.context, Addresses):
            return self
        if address(self.root, info.context.others) is not None:
            raise ValueError(f"{self.root}: the migration does not set that configuration")
        named = address(self.root, info.context.configs) is not None
        if info.context.several and not info.context.relative and not named:
            raise ValueError(
                f"name the document on which it runs, as {info.context.configs[0]}:{self.root}"
            )
        return self

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Run the handler on the document, or on the item that ``for_each`` is at."""
        if not is_whole(document, scope):
            context.custom(self.file, document_of(scope), scope)
        elif isinstance(document, DocumentSet):
            context.custom(self.file, document.documents[self.root.partition(":")[0]], None)
        else:
            assert isinstance(document, Document)
            context.custom(self.file, document, None)


class Applicable(Protocol):
    """What every kind of operation can do."""

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Make the change below ``scope``, or raise ``Refused``."""


OPERATIONS: dict[str, type[BaseModel]] = {
    "move": Move,
    "rename_section": RenameSection,
    "delete": Delete,
    "set": Set,
    "default": Default,
    "nest": Nest,
    "hoist": Hoist,
    "wrap_list": WrapList,
    "unwrap_list": UnwrapList,
    "add_item": AddItem,
    "insert_after": InsertAfter,
    "remove_items": RemoveItems,
    "gather": Gather,
    "list_to_map": ListToMap,
    "map_to_list": MapToList,
    "map_value": MapValue,
    "map_items": MapItems,
    "convert": Convert,
    "replace": Replace,
    "format": Format,
    "split": Split,
    "note": Note,
    "manual": Manual,
    "custom": Custom,
}
SHORT = {  # what a bare text stands for
    "delete": "path",
    "wrap_list": "path",
    "unwrap_list": "path",
    "note": "text",
    "manual": "reason",
}


class ForEach(Strict):
    """Run the operation on every object the path names; the object is its root.

    ``other_types`` says what happens to an item that is not an object; it has no default, because
    either answer surprises some people. ``recursive``: the path is followed again from every
    object it names, to any depth; the innermost come first. ``lenient``: what is of another type
    on the way counts as absent.
    """

    path: AnyPath
    other_types: Literal["skip", "error"]
    recursive: bool = False
    lenient: bool = False

    @field_validator("path")
    @classmethod
    def _absolute(cls, text: str, info: ValidationInfo) -> str:
        if isinstance(info.context, Addresses):
            info.context.absolute(text)
        return text


class _BodyInvalid(Exception):
    """What is below the kind of an operation is not valid; ``load`` reports it there."""

    def __init__(self, kind: str, error: ValidationError) -> None:
        super().__init__(kind)
        self.kind = kind
        self.error = error


class Operation(Strict):
    """One entry of a migration file."""

    kind: str
    body: Any
    when: Condition | None = None
    for_each: ForEach | None = None
    allow_shared: bool = False

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            raise ValueError("an operation is a mapping such as {move: {from: a, to: b}}")
        kinds = [k for k in data if k in OPERATIONS]
        extra = [
            k for k in data if k not in OPERATIONS and k not in ("when", "for_each", "allow_shared")
        ]
        if extra:
            known = (*OPERATIONS, "when", "for_each", "allow_shared")
            meant = did_you_mean(str(extra[0]), known) or f"; known are {', '.join(OPERATIONS)}"
            raise ValueError(f"unknown operation `{extra[0]}`{meant}")
        if len(kinds) != 1:
            raise ValueError(
                "exactly one operation key is needed; found " + (", ".join(kinds) or "none")
            )
        kind = kinds[0]
        body = data[kind]
        if kind in SHORT and isinstance(body, str):
            body = {SHORT[kind]: body}
        rest = {k: v for k, v in data.items() if k != kind}
        try:
            validated = OPERATIONS[kind].model_validate(body, context=info.context)
        except ValidationError as error:
            raise _BodyInvalid(kind, error) from None
        return {"kind": kind, "body": validated, **rest}

    def run(self, document: Editor, context: Context) -> None:
        """Apply the operation. Raises ``Refused`` with the operation's kind in the message."""
        body: Applicable = self.body
        document.permit_shared(self.allow_shared)
        try:
            for scope in self._scopes(document):
                scope = MISSING if scope is None else scope  # an empty document
                if self.when is None or self.when.holds(document, scope, context):
                    body.apply(document, scope, context)
        finally:
            document.permit_shared(False)

    def _scopes(self, document: Editor) -> list[Any]:
        if self.for_each is None:
            return [document.root]
        return self._below(document, document.root, self.for_each.path, self.for_each)

    def _below(self, document: Editor, scope: Any, path: str, each: ForEach) -> list[Any]:
        scopes: list[Any] = []
        lenient = each.lenient or scope is not document.root
        for hit in document.find(path, scope, lenient=lenient):
            if hit.entry.name == "<<" and hit.container.document.merges:
                continue  # a merge key is not an entry of its object
            if isinstance(hit.entry.value, Mapping) and not (
                hit.entry.node and hit.entry.node.alias
            ):
                if each.recursive:
                    inner = path
                    if isinstance(document, DocumentSet) and scope is document.root:
                        inner = path.partition(":")[2]  # from here on it starts at an object
                    scopes += self._below(document, hit.entry.value, inner, each)
                scopes.append(hit.entry.value)
            elif each.other_types == "error":
                alias = hit.entry.node is not None and hit.entry.node.alias is not None
                raise Refused(
                    "wrong_type",
                    "an object is expected here, "
                    f"not {'an alias' if alias else described(hit.entry.value)}",
                    place=hit.shown,
                )
        return scopes


def data_of(document: Document) -> Any:
    """The plain data of a migration file, as ``load`` takes it.

    A ``map`` with keys that are not texts (``{1: one, true: "on"}``) becomes a list of pairs, which
    keeps their types; the keys of a tree are always text.
    """
    data = plain(document.root)
    if isinstance(data, list):
        for operation, tree in zip(data, document.root, strict=True):
            for kind in ("map_value", "map_items"):
                body = tree.get(kind) if isinstance(tree, Mapping) else None
                table = body.get("map") if isinstance(body, Mapping) else None
                if isinstance(table, Mapping):
                    operation[kind]["map"] = [
                        {"from": _key(document, entry), "to": plain(entry.value)}
                        for entry in table.entries.values()
                    ]
    return data


def _key(document: Document, entry: Entry) -> Any:
    """The value of a key as YAML reads a plain scalar; a quoted one is text."""
    if entry.key is None or entry.key.style is not None:
        return entry.name
    return resolve(document.text[entry.key.start : entry.key.end], document.dialect)


def load(
    data: Any,
    place: str,
    formats: Map[str, str] | None = None,
    others: tuple[str, ...] = (),
    lines: Map[tuple[str | int, ...], int] | None = None,
) -> tuple[list[Operation], list[Problem]]:
    """The operations of a migration file's plain data, and every problem found in it.

    ``formats`` has the configurations a migration sets, with their formats; with several, every
    path says which one it is about. ``others`` are the bundle's other configurations. ``lines`` has
    the line of each entry of the file.
    """
    if not isinstance(data, list):
        return [], [
            Problem(
                "migration_file_invalid",
                place,
                "a migration file is a list of operations",
                "write [] for a migration that only sets the stamp",
            )
        ]
    operations, problems = [], []
    for number, item in enumerate(data, 1):
        try:
            relative = isinstance(item, dict) and "for_each" in item
            context = Addresses(formats, relative, others) if formats else None
            operations.append(Operation.model_validate(item, context=context))
        except ValidationError as error:
            problems += _problems(error, Operation, place, lines, (number - 1,))
        except _BodyInvalid as invalid:
            kind = invalid.kind
            below = (number - 1, kind)
            problems += _problems(invalid.error, OPERATIONS[kind], place, lines, below)
        except Refused as error:
            line = (lines or {}).get((number - 1,))
            where = f"{place}:{line}" if line is not None else f"{place}: operation {number}"
            problems.append(Problem(error.code, where, error.message, error.fix))
    return operations, problems


def _problems(
    error: ValidationError,
    model: type[BaseModel],
    place: str,
    lines: Map[tuple[str | int, ...], int] | None,
    below: tuple[str | int, ...],
) -> list[Problem]:
    if lines is None:
        place = f"{place}: operation {int(below[0]) + 1}"
    return problems_of(
        error,
        model,
        code="operation_invalid",
        file=place,
        then="; `confmig schema operations` describes every operation",
        lines=lines,
        below=below,
    )
