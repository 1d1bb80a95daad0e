"""JSON Schema validation of documents, by jsonschema-rs, on the tree itself without a copy.

Schemas are open: they say what is known of a shape. A placeholder (``${VAR}``, ``{{ x }}``) and
a value with an unknown tag match any type, because what the service will read is not known here.
Messages name the keyword and what it wants, never the value that was found.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from confmig.adapters.files.plain_file import read_plain
from confmig.core.bundle.contract import Contract
from confmig.documents.model.document import Document
from confmig.documents.model.tree import entry_at
from confmig.documents.schema_errors import SchemaError
from confmig.errors import Problem

_TELLING = (
    "type",
    "required",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "enum",
    "const",
    "additionalProperties",
)


class Schemas:
    """The compiled schemas of a bundle, each compiled when it is first needed."""

    def __init__(self, root: Path, contract: Contract) -> None:
        self._root = root
        self._contract = contract
        self._compiled: dict[tuple[str, int], Any] = {}

    def raw(self, config: str, version: int) -> Any:
        """The JSON of a version's schema, or None."""
        entry = self._contract.of(config).versions.get(version)
        if entry is None or entry.schema_file is None:
            return None
        return json.loads(read_plain(self._root / entry.schema_file))

    def problems(self) -> list[Problem]:
        """Every schema of the contract that cannot be compiled."""
        out = []
        for config, contract in self._contract.configs.items():
            for version, entry in contract.versions.items():
                if entry.schema_file is None or not (self._root / entry.schema_file).is_file():
                    continue
                try:
                    self._validator(config, version)
                except ValueError as error:
                    out.append(
                        Problem(
                            "schema_invalid",
                            f"migrations/schemas/{entry.schema_file}",
                            str(error).splitlines()[0][:200],
                            "correct the schema",
                        )
                    )
        return out

    def _validator(self, config: str, version: int) -> Any:
        key = (config, version)
        if key not in self._compiled:
            raw = self.raw(config, version)
            if raw is None:
                self._compiled[key] = None
            else:
                import jsonschema_rs

                self._compiled[key] = jsonschema_rs.validator_for(raw)
        return self._compiled[key]

    def errors(self, config: str, version: int, document: Document) -> list[SchemaError] | None:
        """The violations of a document; None if the version has no schema."""
        validator = self._validator(config, version)
        if validator is None:
            return None
        root = document.root
        if validator.is_valid(root):
            return []
        out = []
        for error in validator.iter_errors(root):
            place = tuple(error.instance_path)
            if not _is_open(document, place):
                out.append(SchemaError(place, _what(error)))
        return out


def _what(error: Any) -> str:
    path = list(error.schema_path)
    keyword = str(path[-1]) if path else "schema"
    wanted = getattr(error.kind, "types", None) or getattr(error.kind, "property", None) or ""
    if keyword in _TELLING and wanted:
        return f"{keyword} {wanted}"
    return keyword


def _is_open(document: Document, place: tuple[str | int, ...]) -> bool:
    value = document.root
    entry = document.root_entry
    for part in place:
        entry = entry_at(value, part)
        value = value[part]
    if isinstance(value, str) and ("${" in value or "{{" in value):
        return True
    tag = entry.node.tag if entry.node is not None else None
    return tag is not None and tag not in ("", "!") and not tag.startswith("tag:yaml.org,2002:")
