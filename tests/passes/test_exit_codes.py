"""The exit code of a pass, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from confmig.core.planning.facts import DocumentFact
from confmig.core.planning.forecast import Outlook, Standing
from confmig.core.policy.decide import Decision, Verdict
from confmig.errors import Blocked, Invalid
from confmig.passes.exit_codes import exit_code, of_error
from tests.core.builders import migration


def outlook(verdict: Verdict, *reasons: str, kind: str = "online") -> Outlook:
    standing = Standing(migration(1, kind), "pending", ("a",))
    return Outlook(standing, Decision(verdict, reasons[0], reasons))


def problem(code: str) -> DocumentFact:
    return DocumentFact("app", "a", None, "", code)


HOLD = outlook("hold", "outside_window")
FAILED = outlook("hold", "document_failed")
BEHIND = outlook("hold", "dependency_pending", "dependency_failed")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({}, 0),
        ({"outcomes": ["committed", "drifted", "busy"]}, 0),
        ({"outcomes": ["failed"]}, 4),
        ({"outcomes": ["document_failed", "committed"]}, 4),
        ({"outcomes": ["unclean"]}, 7),
        ({"outcomes": ["unclean", "failed"]}, 7),
        ({"conflicts": True, "policy_invalid": True, "outcomes": ["failed"]}, 5),
        ({"policy_invalid": True, "outcomes": ["failed"]}, 2),
        ({"outlook": [HOLD]}, 3),
        ({"outlook": [outlook("allow", "allowed_online")]}, 3),
        ({"outlook": [outlook("block", "policy_invalid")]}, 0),
        ({"outlook": [FAILED]}, 4),
        ({"outlook": [BEHIND]}, 4),
        ({"outlook": [HOLD, FAILED]}, 4),
        ({"outlook": [HOLD], "documents": [problem("document_newer")]}, 1),
        ({"documents": [problem("target_busy")]}, 3),
        ({"documents": [problem("document_emptied")]}, 3),
        ({"documents": [problem("version_regressed")]}, 3),
        ({"documents": [problem("document_failed")]}, 4),
        ({"documents": [problem("symlink")]}, 1),
        ({"documents": [problem("io_error")]}, 4),
        ({"documents": [problem("io_error")], "changed": True}, 7),
        ({"documents": [DocumentFact("app", "a", 2, "")]}, 0),
        # only the named classes count, and what they wait for may be of another class
        ({"outlook": [outlook("hold", "x", kind="post_deploy")], "classes": {"online"}}, 0),
        ({"outlook": [BEHIND], "classes": {"online"}}, 3),
        ({"outlook": [FAILED], "classes": {"online"}}, 4),
        ({"outlook": [outlook("block", "x")], "classes": {"online"}}, 3),
    ],
)
def test_the_code_of_a_pass(facts: dict[str, Any], code: int) -> None:
    known: dict[str, Any] = {
        "conflicts": False,
        "policy_invalid": False,
        "outcomes": [],
        "changed": False,
        "outlook": [],
        "documents": [],
    }
    assert exit_code(**known | facts) == code


@pytest.mark.parametrize(
    ("error", "conflicts", "code"),
    [
        (Invalid("manifest_invalid", "x", []), False, 2),
        (Invalid("manifest_invalid", "x", []), True, 5),
        (Blocked("lock_held", "x"), False, 3),
    ],
)
def test_the_code_of_a_pass_that_an_error_ended(
    error: Blocked | Invalid, conflicts: bool, code: int
) -> None:
    assert of_error(error, conflicts=conflicts) == code
