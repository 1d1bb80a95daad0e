"""Errors as plain data, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confmig.errors import ConfmigError, Invalid, Problem


def error_json(error: ConfmigError) -> dict[str, Any]:
    """An error as data. ``message`` names migration and operation; they are fields, too."""
    out: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "place": error.place,
        "fix": error.fix,
    }
    if error.migration:
        out["migration"] = error.migration
    if error.operation:
        out["operation"] = error.operation
    if error.documents:
        out["documents"] = list(error.documents)
    problems = getattr(error, "problems", ())
    if problems:
        out["problems"] = [problem.to_json() for problem in problems]
    return out


def error_of(data: Mapping[str, Any], exit_code: int) -> ConfmigError:
    """The error that another process described with ``error_json``."""
    problems = [
        Problem(p["code"], p["place"], p["message"], p["fix"]) for p in data.get("problems", ())
    ]
    reason = data["message"]
    for part in (data.get("migration", ""), data.get("operation", "")):
        reason = reason.removeprefix(f"{part}: ") if part else reason
    raised = Invalid(
        data["code"],
        reason,
        problems,
        place=data.get("place", ""),
        fix=data.get("fix", ""),
    )
    raised.exit_code = exit_code
    raised.migration = data.get("migration", "")
    raised.operation = data.get("operation", "")
    raised.documents = tuple(data.get("documents", ()))
    return raised
