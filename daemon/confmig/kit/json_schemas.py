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
from confmig.core.bundle.manifest_file import ManifestFile
from confmig.core.policy.model import PolicyFile
from confmig.documents.operations import OPERATIONS, SHORT, ForEach
from confmig.documents.operations.conditions import Condition
from confmig.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


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
    return {"$schema": _DIALECT, **ManifestFile.model_json_schema(), "title": "confmig manifest"}


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
