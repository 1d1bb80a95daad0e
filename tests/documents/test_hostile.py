"""Hostile input is refused by a named code or handled: soon, and the process lives."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from confmig.documents.operations import Context, load
from confmig.errors import Refused
from confmig.worker import regex
from tests.documents.helpers import parse, render

DEEP = 100_000
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """A guard against a hang; how long it takes is for the bench to say."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 60.0


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(BOMB.encode(), "too_many_nodes", id="alias bomb"),
        pytest.param(b"[" * DEEP, "too_deep", id="flow lists"),
        pytest.param(b'{"a":' * DEEP, "too_deep", id="flow maps"),
        pytest.param(b"- " * DEEP, "too_deep", id="compact lists"),
        pytest.param(
            "".join(f"{' ' * n}a:\n" for n in range(2000)).encode(), "too_deep", id="block maps"
        ),
        pytest.param(b"? " * DEEP, "complex_key", id="explicit keys"),
        pytest.param(b"a: " + b"x" * (10 << 20), "file_too_large", id="10 MiB"),
        pytest.param(
            "".join(f"k{n}: {n}\n" for n in range(200_000)).encode(),
            "too_many_entries",
            id="200,000 keys",
        ),
        pytest.param(
            b"[" + b"[1,2,3,4,5,6,7,8,9,10]," * 100_000 + b"]", "too_many_nodes", id="1,100,000"
        ),
        pytest.param(b"a: 1\na: 2\n", "duplicate_key", id="duplicate key"),
        pytest.param(b"a: &x\n  b: *x\n", "alias_recursive", id="recursive alias"),
        pytest.param(b"a: \xff\xfe\n", "not_utf8", id="not UTF-8"),
        pytest.param("a: 1\n".encode("utf-16"), "not_utf8", id="UTF-16"),
        pytest.param(b"a: \xed\xa0\x80\n", "not_utf8", id="surrogate"),
        pytest.param(b"a: x\x00y\n", "not_yaml", id="NUL"),
        pytest.param(b"a: \x07\n", "not_yaml", id="control character"),
        pytest.param(b"a: [1\n", "not_yaml", id="unclosed"),
        pytest.param(b"a: 1\n---\nb: 2\n", "multi_document", id="two documents"),
        pytest.param(b"a: " + b"9" * 5000 + b"\n", "number_too_long", id="5,000 digits"),
        pytest.param(b"[" + b"1," * 200_000 + b"]", "too_many_entries", id="200,000 items"),
    ],
)
def test_it_is_refused_with_a_named_code(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(data)
    assert caught.value.code == code


def test_a_huge_scalar_is_text_like_any_other() -> None:
    data = b"a: '" + b"x" * (4 << 20) + b"'\nb: 1\n"
    document = parse(data)
    document.set("b", 2)
    assert render(document).data == data[:-2] + b"2\n"


def test_90_000_keys_are_edited() -> None:
    data = "".join(f"key{n}: {n}\n" for n in range(90_000)).encode()
    document = parse(data)
    document.set("key89999", "x")
    assert document.changes[0].old == 89999


@pytest.mark.parametrize("edits", [50])
def test_many_edits_of_a_wide_map_cost_no_square(edits: int) -> None:
    document = parse("".join(f"k{n}: {n}\n" for n in range(20_000)).encode())
    for n in range(edits):
        document.rename(f"k{n}", f"new{n}")
        document.delete(f"k{n + 10_000}")
    assert len(document.root) == 20_000 - edits


def test_a_second_comment_like_line_a_million_times_is_no_square() -> None:
    data = b"a: 1\n" + b"# c\n" * 100_000 + b"b: 2\n"
    document = parse(data)
    document.delete("b")
    assert render(document).data == b"a: 1\n"


def test_many_inserted_items_cost_no_square() -> None:
    document = parse(b"l: [1]\n")
    for n in range(1_000):
        document.append("l", n)
    assert len(document["l"]) == 1001
    render(document)


def test_numbers_at_the_limits_are_text_that_stays() -> None:
    data = b"a: 1e999\nb: -1e999\nd: 99999999999999999999\ne: 1\n"
    document = parse(data)
    document.set("e", 2)
    assert render(document).data == data[:-2] + b"2\n"


_CONTEXT = Context(
    custom=lambda name, document, item: None,
    substitute=regex.substitute,
    search=regex.search,
    groups=regex.groups,
)
_TEXT = "a" * 50_000 + "!"


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]$"])
def test_a_regex_bomb_runs_in_linear_time(pattern: str) -> None:
    operations, problems = load(
        [
            {
                "replace": {"path": "a", "regex": pattern, "with": "x"},
                "when": {"matches": {"path": "a", "regex": pattern}},
            }
        ],
        "m",
    )
    assert not problems
    document = parse(f"a: {_TEXT}\n")
    for operation in operations:
        operation.run(document, _CONTEXT)
    assert document.changes == []


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)", "(", "a{1001}{1001}"])
def test_a_regex_that_is_not_linear_is_refused_with_a_named_code(pattern: str) -> None:
    with pytest.raises(Refused) as caught:
        regex.search(pattern, "aaa")
    assert caught.value.code == "regex_invalid"
