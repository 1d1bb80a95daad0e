"""An error that crosses a process boundary says the same on the other side."""

from __future__ import annotations

import json

import pytest

from confmig.errors import ConfmigError, Fault, Invalid, PartialFailure, Problem, Refused
from confmig.reports.messages import error_json, error_of


def _located() -> ConfmigError:
    error = Refused("wrong_type", "an object is needed", place="app.yaml: a.b", fix="make it one")
    error.migration, error.operation = "0001_x", "operation 2 (set)"
    error.documents = ("app.yaml", "other.yaml")
    return error


ERRORS = [
    Refused("code", "a reason"),
    Fault("io_error", "the system said: no", place="x", fix="y"),
    PartialFailure("blocked_by_partial_failure", "half-way", fix="resolve"),
    Invalid(
        "manifest_invalid", "2 problems", [Problem("a", "b", "c", "d"), Problem("e", "f", "g")]
    ),
    _located(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.code)
def test_an_error_comes_back_as_it_was(error: ConfmigError) -> None:
    data = json.loads(json.dumps(error_json(error)))
    again = error_of(data, error.exit_code)
    assert str(again) == str(error)
    assert again.exit_code == error.exit_code
    assert error_json(again) == error_json(error)
    for name in ("code", "message", "place", "fix", "migration", "operation", "documents"):
        assert getattr(again, name) == getattr(error, name)
    assert getattr(again, "problems", ()) == getattr(error, "problems", ())


def test_migration_and_operation_are_fields_and_part_of_the_message() -> None:
    error = _located()
    assert error.reason == "an object is needed"
    assert error.message == "0001_x: operation 2 (set): an object is needed"
