"""JSON Schemas of the files that people write: editors complete and check with them.

A schema accepts every file that confmig accepts. confmig finds more: it knows what a path may
name, whether versions follow each other, and whether a window exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from confmig.core.bundle.contract import Contract
from confmig.core.bundle.manifest import CLASSES, FORMATS
from confmig.core.bundle.validation import LINES
from confmig.core.policy.model import PolicyFile
from confmig.documents.operations import OPERATIONS, SHORT, ForEach
from confmig.documents.operations.conditions import Condition
from confmig.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string", "minLength": 1}
_VERSION = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
_PATTERNS = {"type": "array", "items": _TEXT}


def operations() -> dict[str, Any]:
    """The schema of a migration file in YAML: a list of operations, each of one kind."""
    models: list[type[BaseModel]] = [*OPERATIONS.values(), Condition, ForEach]
    references, shared = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}"
    )
    kinds = {}
    for kind, model in OPERATIONS.items():
        body = references[model, "validation"]
        if kind in SHORT:
            body = {"anyOf": [{"type": "string", "description": SHORT[kind]}, body]}
        kinds[kind] = body
    return {
        "$schema": _DIALECT,
        "title": "confmig migration",
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "properties": {
                **kinds,
                "when": references[Condition, "validation"],
                "for_each": references[ForEach, "validation"],
                "allow_shared": {"type": "boolean"},
            },
            "additionalProperties": False,
            "oneOf": [{"required": [kind]} for kind in kinds],
        },
        "$defs": shared["$defs"],
    }


def manifest() -> dict[str, Any]:
    """The schema of manifest.json."""
    lines = {name: {"enum": list(values)} for name, (_, values) in LINES.items()}
    stamp = _closed(
        {
            "path": _TEXT,
            "absent": {"type": ["integer", "null"], "minimum": 0},
            "empty": {"type": ["integer", "null"], "minimum": 0},
        },
        ["path"],
    )
    config = _closed(
        {
            "files": {**_PATTERNS, "minItems": 1},
            "format": {"enum": list(FORMATS)},
            "version": {"anyOf": [{"type": "null"}, stamp]},
            "samples": _PATTERNS,
            "multi_document": {"type": "boolean"},
            "inline_comments": {"type": ["array", "null"], "items": {"enum": [";", "#"]}},
            **lines,
        },
        ["files", "format", "version"],
    )
    migration = _closed(
        {
            "id": {"type": "string", "pattern": "^[0-9]{4}_[a-z0-9_]+$"},
            "order": _VERSION,
            "class": {"enum": list(CLASSES)},
            "sets": {"type": "object", "additionalProperties": _VERSION, "minProperties": 1},
            "depends_on": {"type": "array", "items": {"type": "string"}},
            "description": {"type": "string"},
            "impact": {"enum": ["normal", "high"]},
            "requires": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        ["id", "order", "class", "sets"],
    )
    retired = _closed(
        {
            "through": _VERSION,
            "versions": {"type": "object", "additionalProperties": _VERSION},
            "sum": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        },
        ["through", "versions", "sum"],
    )
    return {
        "$schema": _DIALECT,
        "title": "confmig manifest",
        **_closed(
            {
                "_config_version": {"const": 1},
                "bundle": _TEXT,
                "configs": {
                    "type": "object",
                    "additionalProperties": config,
                    "minProperties": 1,
                },
                "migrations": {"type": "array", "items": migration, "minItems": 1},
                "parameters": {"type": "object", "additionalProperties": {"type": "string"}},
                "retired": {"anyOf": [{"type": "null"}, retired]},
            },
            ["_config_version", "bundle", "configs", "migrations"],
        ),
    }


def contract() -> dict[str, Any]:
    """The schema of contract.json."""
    return {"$schema": _DIALECT, **Contract.model_json_schema(), "title": "confmig contract"}


def policy() -> dict[str, Any]:
    """The schema of a policy file."""
    return {"$schema": _DIALECT, **PolicyFile.model_json_schema(), "title": "confmig policy"}


def settings() -> dict[str, Any]:
    """The schema of the settings file."""
    return {"$schema": _DIALECT, **Settings.model_json_schema(), "title": "confmig settings"}


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "operations": operations,
    "manifest": manifest,
    "contract": contract,
    "policy": policy,
    "settings": settings,
}


def _closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
