"""Operations as migrations write them: source text, operation, exact text that comes out."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from confmig.documents.model.document import Document
from confmig.documents.operations import Context, load
from confmig.errors import Refused
from confmig.worker import regex
from tests.documents.helpers import parse, render


def _handler(name: str, document: Document, item: object) -> None:
    document.set("handled_by", name)


CONTEXT = Context(
    custom=_handler, substitute=regex.substitute, search=regex.search, groups=regex.groups
)


def run(source: str, operation: str, dialect: str = "go-yaml") -> str:
    """The text after an operation, which is written as YAML here."""
    operations, problems = load([yaml.safe_load(operation)], "m")
    assert not problems, problems
    document = parse(source, dialect)
    operations[0].run(document, CONTEXT)
    return render(document).data.decode()


AB = "a: 1 # t\nb: 2\n"
L = "l:\n- {n: a, on: true}\n- {n: b}\n- text\n"
TABLE: dict[str, tuple[str, str, str]] = {
    "move renames in place": (AB, "move: {from: a, to: c}", "c: 1 # t\nb: 2\n"),
    "move appends elsewhere": (AB, "move: {from: a, to: c.d}", "b: 2\nc:\n  d: 1 # t\n"),
    "move onto an equal value": ("a: 1\nb: 1\n", "move: {from: a, to: b}", "b: 1\n"),
    "move to itself": (AB, "move: {from: a, to: a}", AB),
    "move keep": (AB, "move: {from: a, to: b, on_conflict: keep}", "b: 2\n"),
    "move overwrite": (AB, "move: {from: a, to: b, on_conflict: overwrite}", "b: 1 # t\n"),
    "move overwrite elsewhere": (
        "a: 1\nb:\n  c: 2\n  d: 3\n",
        "move: {from: a, to: b.c, on_conflict: overwrite}",
        "b:\n  c: 1\n  d: 3\n",
    ),
    "move append": (
        "a: 3\nb: [1, 2]\n",
        "move: {from: a, to: b, on_conflict: append}",
        "b: [1, 2, 3]\n",
    ),
    "move append list": (
        "a: [2, 3]\nb: [1, 2]\n",
        "move: {from: a, to: b, on_conflict: append}",
        "b: [1, 2, 2, 3]\n",
    ),
    "move append_unique": (
        "a: [2, 3, 3]\nb: [1, 2]\n",
        "move: {from: a, to: b, on_conflict: append_unique}",
        "b: [1, 2, 3]\n",
    ),
    "move prepend": (
        "a: [3, 4]\nb: [1]\n",
        "move: {from: a, to: b, on_conflict: prepend}",
        "b: [3, 4, 1]\n",
    ),
    "move wrap": ("a: x\n", "move: {from: a, to: b, wrap: true}", "b:\n  - x\n"),
    "move wrap of a list": ("a: [x]\n", "move: {from: a, to: b, wrap: true}", "b: [x]\n"),
    "move type": ("a: x\n", "move: {from: a, to: b, type: string}", "b: x\n"),
    "move type null": ("a:\n", "move: {from: a, to: b, type: list}", "b: []\n"),
    "delete": (AB, "delete: a", "b: 2\n"),
    "delete wildcard": (L, "delete: 'l[0].*'", "l:\n- {}\n- {n: b}\n- text\n"),
    "delete prune": (
        "a:\n  b:\n    c: 1\nd: 1\n",
        "delete: {path: a.b.c, prune_empty: true}",
        "d: 1\n",
    ),
    "delete without prune": ("a:\n  b: 1\nd: 1\n", "delete: a.b", "a: {}\nd: 1\n"),
    "delete all items": ("l:\n- 1\n- 2\nm: 1\n", "delete: 'l[*]'", "l: []\nm: 1\n"),
    "set replaces": (AB, "set: {path: a, value: x}", "a: x # t\nb: 2\n"),
    "set creates parents": (
        AB,
        "set: {path: c.d.e, value: [1]}",
        AB + "c:\n  d:\n    e:\n      - 1\n",
    ),
    "set equal": (AB, "set: {path: a, value: 1}", AB),
    "set null": (AB, "set: {path: b, value: null}", "a: 1 # t\nb: null\n"),
    "default absent": (AB, "default: {path: c, value: true}", AB + "c: true\n"),
    "default present": (AB, "default: {path: a, value: 9}", AB),
    "default null is present": ("a:\n", "default: {path: a, value: 9}", "a:\n"),
    "default through null": ("a:\n", "default: {path: a.b, value: 9}", "a:\n  b: 9\n"),
    "map_value": ("a: x\n", "map_value: {path: a, map: {x: y, y: z}}", "a: 'y'\n"),
    "map_value unmapped": ("a: q\n", "map_value: {path: a, map: {x: k}}", "a: q\n"),
    "map_value otherwise": ("a: q\n", "map_value: {path: a, map: {x: k}, otherwise: d}", "a: d\n"),
    "map_value otherwise null": (
        "a: q\n",
        "map_value: {path: a, map: {x: k}, otherwise: null}",
        "a: null\n",
    ),
    "map_value false is not 0": (
        "a: 0\nb: false\n",
        "map_value: {path: '*', map: [{from: false, to: off_}]}",
        "a: 0\nb: off_\n",
    ),
    "map_value text is no bool": (
        "a: 'true'\n",
        "map_value: {path: a, map: [{from: true, to: 1}]}",
        "a: 'true'\n",
    ),
    "replace": ("a: x-1-x # t\n", "replace: {path: a, regex: 'x', with: k}", "a: k-1-k # t\n"),
    "replace group": (
        'a: "h:80"\n',
        "replace: {path: a, regex: '^(\\w+):(\\d+)$', with: '\\2/\\1'}",
        'a: "80/h"\n',
    ),
    "replace without match": ("a: 'x'\n", "replace: {path: a, regex: z, with: k}", "a: 'x'\n"),
    "replace many": (
        "l: [ax, bx]\n",
        "replace: {path: 'l[*]', regex: x, with: k}",
        "l: [ak, bk]\n",
    ),
    "wrap_list": ("a: 1 # t\n", "wrap_list: a", "a: # t\n  - 1\n"),
    "wrap_list of a list": ("a: [1]\n", "wrap_list: a", "a: [1]\n"),
    "wrap_list existing": (
        "a: [1]\n",
        "wrap_list: {path: a, existing_list: wrap}",
        "a:\n  - [1]\n",
    ),
    "nest": ("a: x\nb: 1\n", "nest: {path: a, under: k}", "a:\n  k: x\nb: 1\n"),
    "nest block": ("a:\n  - 1\nb: 1\n", "nest: {path: a, under: k}", "a:\n  k:\n    - 1\nb: 1\n"),
    "nest the document": ("a: 1\n", "nest: {path: '', under: k}", "k:\n  a: 1\n"),
    "convert int": ("a: '7'\n", "convert: {path: a, to: int}", "a: 7\n"),
    "convert int of float": ("a: 7.0\n", "convert: {path: a, to: int}", "a: 7\n"),
    "convert float": ("a: 7\n", "convert: {path: a, to: float}", "a: 7.0\n"),
    "convert bool": ("a: 'Yes'\n", "convert: {path: a, to: bool}", "a: true\n"),
    "convert string": ("a: 7\n", "convert: {path: a, to: string}", "a: '7'\n"),
    "convert string of bool": ("a: true\n", "convert: {path: a, to: string}", "a: 'true'\n"),
    "convert string keeps the lexeme": (
        "a: 1.10\n",
        "convert: {path: a, to: string}",
        "a: '1.10'\n",
    ),
    "convert duration": ("a: 7\n", "convert: {path: a, to: duration, unit: h}", "a: 7h\n"),
    "convert list": ("a: x, z ,\n", "convert: {path: a, to: list}", "a:\n  - x\n  - z\n"),
    "convert list separator": (
        "a: x;z\n",
        "convert: {path: a, to: list, separator: ;}",
        "a:\n  - x\n  - z\n",
    ),
    "convert positive": ("a: 7\n", "convert: {path: a, to: positive}", "a: true\n"),
    "convert positive 0": ("a: 0\n", "convert: {path: a, to: positive}", "a: false\n"),
    "convert null": ("a:\n", "convert: {path: a, to: int}", "a:\n"),
    "convert what is converted": ("a: 7 # t\n", "convert: {path: a, to: int}", "a: 7 # t\n"),
    "format": (
        "h: x\np: 80\n",
        "format: {to: u, template: 'http://{h}:{p}/{{}}'}",
        "h: x\np: 80\nu: http://x:80/{}\n",
    ),
    "format consume": (
        "h: x\np: 80\n",
        "format: {to: u, template: '{h}:{p}', consume: true}",
        "u: x:80\n",
    ),
    "format missing": ("h: x\n", "format: {to: u, template: '{h}:{p}'}", "h: x\n"),
    "format default": (
        "h: x\n",
        "format: {to: u, template: '{h}/{p}', defaults: {p: 1}}",
        "h: x\nu: x/1\n",
    ),
    "gather": ("b: 2\nc: 0\na: 1\n", "gather: {from: [a, b], to: l}", "c: 0\nl:\n  - 2\n  - 1\n"),
    "gather listed": (
        "b: 2\na: 1\n",
        "gather: {from: [a, b], to: l, order: listed}",
        "l:\n  - 1\n  - 2\n",
    ),
    "gather keep": ("a: 1\n", "gather: {from: [a], to: l, keep: true}", "a: 1\nl:\n  - 1\n"),
    "gather lists": (
        "a: [1, 2]\nb: 3\n",
        "gather: {from: [a, b], to: l}",
        "l:\n  - 1\n  - 2\n  - 3\n",
    ),
    "gather skip_empty": (
        "a: ''\nb:\nc: x\n",
        "gather: {from: [a, b, c], to: l, skip_empty: true}",
        "l:\n  - x\n",
    ),
    "gather none": ("x: 1\n", "gather: {from: [a], to: l}", "x: 1\n"),
    "gather even_if_none": (
        "x: 1\n",
        "gather: {from: [a], to: l, even_if_none: true}",
        "x: 1\nl: []\n",
    ),
    "gather append": (
        "a: 1\nl: [0]\n",
        "gather: {from: [a], to: l, on_conflict: append}",
        "l: [0, 1]\n",
    ),
    "gather append_unique": (
        "a: 0\nl: [0]\n",
        "gather: {from: [a], to: l, on_conflict: append_unique}",
        "l: [0]\n",
    ),
    "gather overwrite": (
        "a: 1\nl: [0]\n",
        "gather: {from: [a], to: l, on_conflict: overwrite}",
        "l:\n  - 1\n",
    ),
    "gather into one of its sources": (
        "a: 1\nb: 2\n",
        "gather: {from: [a, b], to: a}",
        "a:\n  - 1\n  - 2\n",
    ),
    "custom": ("a: 1\n", "custom: handlers/x.py", "a: 1\nhandled_by: handlers/x.py\n"),
    "for_each": (
        "l:\n- {n: a}\n- {n: b}\n",
        "{set: {path: k, value: 1}, for_each: {path: 'l[*]', other_types: error}}",
        "l:\n- {n: a, k: 1}\n- {n: b, k: 1}\n",
    ),
    "for_each skip": (
        L,
        "{delete: n, for_each: {path: 'l[*]', other_types: skip}}",
        "l:\n- {on: true}\n- {}\n- text\n",
    ),
    "for_each with when of the item": (
        L,
        "{set: {path: k, value: 1}, when: {truthy: 'on'}, "
        "for_each: {path: 'l[*]', other_types: skip}}",
        "l:\n- {n: a, on: true, k: 1}\n- {n: b}\n- text\n",
    ),
    "for_each absent": (AB, "{delete: n, for_each: {path: 'l[*]', other_types: error}}", AB),
    "allow_shared": (
        "a: &x 1\nb: *x\n",
        "{set: {path: a, value: 2}, allow_shared: true}",
        "a: &x 2\nb: *x\n",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_an_operation_gives_exactly_this_text(name: str) -> None:
    source, operation, want = TABLE[name]
    assert run(source, operation) == want


ABSENT = [
    "move: {from: gone.gone, to: x}",
    "delete: gone.gone",
    "delete: {path: 'gone[*].gone', prune_empty: true}",
    "map_value: {path: gone, map: {a: b}, otherwise: c}",
    "replace: {path: gone, regex: a, with: b}",
    "wrap_list: gone",
    "nest: {path: gone, under: k}",
    "convert: {path: 'gone[*]', to: int}",
    "format: {to: x, template: '{gone}'}",
    "gather: {from: [gone, gone.gone], to: x}",
]


@pytest.mark.parametrize("operation", ABSENT)
@pytest.mark.parametrize("source", ["a:   1  # t\r\n", "a: 1", "{}\n", "", "# c\n"])
def test_an_absent_source_changes_no_byte(operation: str, source: str) -> None:
    assert run(source, operation) == source


WRONG: dict[str, tuple[str, str, str, str]] = {
    "move type": ("a: s3cret\n", "move: {from: a, to: b, type: int}", "wrong_type", "a"),
    "move conflict": ("a: s3cret\nb: 2\n", "move: {from: a, to: b}", "target_exists", "b"),
    "move append to a scalar": (
        "a: s3cret\nb: x\n",
        "move: {from: a, to: b, on_conflict: append}",
        "wrong_type",
        "b",
    ),
    "move through a scalar": ("a: 1\nb: s3cret\n", "move: {from: a, to: b.c}", "wrong_type", "b"),
    "delete below a scalar": ("a:\n  b: s3cret\n", "delete: a.b.c", "wrong_type", "a.b"),
    "set through a scalar": (
        "a:\n  b: s3cret\n",
        "set: {path: a.b.c.d, value: 1}",
        "wrong_type",
        "a.b",
    ),
    "set through a list": ("a: [s3cret]\n", "set: {path: a.b, value: 1}", "wrong_type", "a"),
    "replace in a number": (
        "a:\n- 5\n",
        "replace: {path: 'a[*]', regex: a, with: b}",
        "wrong_type",
        "a[0]",
    ),
    "nest type": ("a: s3cret\n", "nest: {path: a, under: k, type: list}", "wrong_type", "a"),
    "convert int": ("a:\n  b: s3cret\n", "convert: {path: a.b, to: int}", "not_convertible", "a.b"),
    "convert int of 1.5": ("a: 1.5\n", "convert: {path: a, to: int}", "not_convertible", "a"),
    "convert bool": ("a: s3cret\n", "convert: {path: a, to: bool}", "not_convertible", "a"),
    "convert bool of 2": ("a: 2\n", "convert: {path: a, to: bool}", "not_convertible", "a"),
    "convert duration": ("a: s3cret\n", "convert: {path: a, to: duration}", "not_convertible", "a"),
    "convert an object": (
        "a: {b: s3cret}\n",
        "convert: {path: a, to: string}",
        "not_convertible",
        "a",
    ),
    "convert bool to int": ("a: true\n", "convert: {path: a, to: int}", "not_convertible", "a"),
    "format of an object": (
        "a: {b: s3cret}\n",
        "format: {to: x, template: '{a}'}",
        "wrong_type",
        "a",
    ),
    "gather conflict": ("a: s3cret\nl: 2\n", "gather: {from: [a], to: l}", "target_exists", "l"),
    "gather type": ("a: s3cret\n", "gather: {from: [a], to: l, type: int}", "wrong_type", "a"),
    "for_each error": (
        "l:\n- {}\n- s3cret\n",
        "{delete: n, for_each: {path: 'l[*]', other_types: error}}",
        "wrong_type",
        "l[1]",
    ),
    "for_each over a scalar": (
        "l: s3cret\n",
        "{delete: n, for_each: {path: 'l[*]', other_types: skip}}",
        "wrong_type",
        "l",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_type_is_an_error_with_its_place_and_without_the_value(name: str) -> None:
    source, operation, code, place = WRONG[name]
    with pytest.raises(Refused) as caught:
        run(source, operation)
    assert caught.value.code == code
    assert "s3cret" not in str(caught.value)
    assert caught.value.place == place


CONDITIONS: list[tuple[str, str, bool]] = [
    ("{exists: a}", "a:\n", True),
    ("{exists: a}", "b: 1\n", False),
    ("{exists: a.b}", "a: 1\n", False),
    ("{exists: 'a[*]'}", "a: []\n", False),
    ("{exists: '**.x'}", "a: {b: {x: 1}}\n", True),
    ("{equals: {path: a, value: 0}}", "a: 0\n", True),
    ("{equals: {path: a, value: 0}}", "a: false\n", False),
    ("{equals: {path: a, value: 1}}", "a: 1.0\n", False),
    ("{equals: {path: a, value: null}}", "a:\n", True),
    ("{equals: {path: a, value: null}}", "b:\n", False),
    ("{equals: {path: a, value: [1, {b: 2}]}}", "a: [1, {b: 2}]\n", True),
    ("{in: {path: a, values: [1, x]}}", "a: x\n", True),
    ("{in: {path: a, values: [1, x]}}", "a: true\n", False),
    ("{truthy: a}", "a: 'no'\n", True),
    ("{truthy: a}", "a: no\n", False),
    ("{truthy: a}", "a: []\n", False),
    ("{truthy: a}", "b: 1\n", False),
    ("{type: {path: a, is: string}}", "a: x\n", True),
    ("{type: {path: a, is: number}}", "a: 1.5\n", True),
    ("{type: {path: a, is: int}}", "a: true\n", False),
    ("{type: {path: a, is: 'null'}}", "a:\n", True),
    ("{type: {path: a, is: object}}", "a: {}\n", True),
    ("{type: {path: a, is: list}}", "a: {}\n", False),
    ("{matches: {path: a, regex: '^x'}}", "a: xy\n", True),
    ("{matches: {path: a, regex: '^x'}}", "a: yx\n", False),
    ("{matches: {path: a, regex: '1'}}", "a: 1\n", False),
    ("{all: [{exists: a}, {exists: b}]}", "a: 1\n", False),
    ("{any: [{exists: a}, {exists: b}]}", "a: 1\n", True),
    ("{all: []}", "a: 1\n", True),
    ("{any: []}", "a: 1\n", False),
    ("{not: {exists: b}}", "a: 1\n", True),
    ("{not: {equals: {path: b.c, value: 1}}}", "b: 1\n", True),
]


@pytest.mark.parametrize(("condition", "source", "holds"), CONDITIONS)
def test_an_operation_runs_only_if_its_condition_holds(
    condition: str, source: str, holds: bool
) -> None:
    result = run(source, f"{{set: {{path: done, value: 1}}, when: {condition}}}")
    assert result == (source + "done: 1\n" if holds else source)


INVALID = [
    "move: {from: a}",
    "move: {from: a, to: b, typo: 1}",
    "move: {from: 'a[*]', to: b}",
    "move: {from: a, to: 'b['}",
    "{move: {from: a, to: b}, delete: c}",
    "{when: {exists: a}}",
    "explode: a",
    "{delete: a, when: {exists: a, truthy: a}}",
    "{delete: a, when: {}}",
    "{delete: a, for_each: {path: 'l[*]'}}",
    "{delete: a, for_each: {path: 'l[*]', other_types: maybe}}",
    "replace: {path: a, regex: '(', with: b}",
    "convert: {path: a, to: colour}",
    "delete: 5",
    "set: {path: a}",
    "{delete: a, when: {type: {path: a, is: strnig}}}",
]


@pytest.mark.parametrize("operation", INVALID)
def test_what_is_no_operation_is_a_problem_with_its_number(operation: str) -> None:
    good: Any = {"delete": "x"}
    operations, problems = load([good, yaml.safe_load(operation)], "file.yaml")
    assert len(operations) == 1
    assert problems
    assert all("file.yaml: operation 2" in p.place for p in problems)


def test_a_file_that_is_no_list_is_a_problem() -> None:
    operations, problems = load({"delete": "a"}, "file.yaml")
    assert operations == []
    assert [p.code for p in problems] == ["migration_file_invalid"]
