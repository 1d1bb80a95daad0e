"""Errors as plain data, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confmig.errors import ConfmigError, Invalid, Problem


def error_json(error: ConfmigError) -> dict[str, Any]:
    """An error as data."""
    out: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.place:
        out["place"] = error.place
    if error.fix:
        out["fix"] = error.fix
    problems = getattr(error, "problems", ())
    if problems:
        out["problems"] = [
            {"code": p.code, "place": p.place, "message": p.message, "fix": p.fix} for p in problems
        ]
    return out


def error_of(data: Mapping[str, Any], exit_code: int) -> ConfmigError:
    """The error that another process described with ``error_json``."""
    problems = [
        Problem(p["code"], p["place"], p["message"], p["fix"]) for p in data.get("problems", ())
    ]
    raised = Invalid(
        data["code"],
        data["message"],
        problems,
        place=data.get("place", ""),
        fix=data.get("fix", ""),
    )
    raised.exit_code = exit_code
    return raised
