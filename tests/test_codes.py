"""The one table of codes: it has every code of the program, and no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import confmig
from confmig.codes import CODES, SECTIONS, help_for
from confmig.core.planning import attention
from confmig.core.policy.reasons import ALLOWED, EXPLAIN, ORDER
from confmig.documents.formats import FORMATS
from confmig.errors import Fault, Refused

SOURCE = Path(confmig.__file__).parent
# calls whose first argument that looks like a code is one
RAISING = {
    "Blocked", "Busy", "ConfmigError", "Drifted", "Fault", "Finding", "Invalid", "LockHeld",
    "PartialFailure", "Problem", "Refused", "Unfinished", "Usage", "_refuse", "failing", "refuse",
    "refused",
}  # fmt: skip


def trees() -> Iterator[ast.AST]:
    for file in SOURCE.rglob("*.py"):
        if file.name != "codes.py":
            yield from ast.walk(ast.parse(file.read_text()))


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def raised() -> set[str]:
    out = set()
    for node in trees():
        if isinstance(node, ast.Call) and name_of(node) in RAISING and node.args:
            code = node.args[0]
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                out.add(code.value)
    return {code for code in out if code.replace("_", "").isalnum()}


def test_every_code_that_is_raised_is_in_the_table() -> None:
    found = raised()
    assert len(found) > 100  # the search finds them
    assert found - CODES.keys() == set()


def test_every_code_of_the_table_is_used() -> None:
    words = {
        node.value
        for node in trees()
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    words |= {f"not_{format}" for format in FORMATS}  # composed where a text is parsed
    assert CODES.keys() - words == set()


def test_a_code_stands_once_and_says_what_it_means_and_what_to_do() -> None:
    assert sum(len(codes) for codes in SECTIONS.values()) == len(CODES)
    for code, one in CODES.items():
        assert not one.meaning.endswith("."), code
        assert one.help or code in ALLOWED, code


def test_reasons_are_explained_by_the_table() -> None:
    assert EXPLAIN["rolled_back"] == "it was rolled back; `confmig retry ID` lets it run again"
    assert EXPLAIN.keys() <= set(ORDER)
    known = {*attention.DOCUMENTS, *attention.MIGRATIONS, *attention.PASSING}
    assert known <= CODES.keys()


def test_an_error_without_advice_has_that_of_the_table() -> None:
    assert Refused("not_utf8", "no").fix == help_for("not_utf8") == "save it as UTF-8"
    assert Fault("io_error", "no", fix="this").fix == "this"
    assert Refused("of_a_handler", "no").fix == ""
