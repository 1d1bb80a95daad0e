"""The tree looks like dicts and lists, journals every change, and guards what is shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from confmig.documents.model.document import Document
from confmig.documents.model.journal import Change
from confmig.documents.model.replay import replay
from confmig.documents.model.values import plain
from confmig.errors import Refused
from tests.documents.helpers import parse, render

SOURCE = """\
# head

a: 1 # t
b:
  x: [1, 2]
  # own y
  y: {k: v}
l:
- one
- two: 2
  three: 3
- four: 4
"""


def test_it_reads_as_dicts_and_lists() -> None:
    d = parse(SOURCE)
    assert isinstance(d.root, dict)
    assert isinstance(d["l"], list)
    assert plain(d.root) == {
        "a": 1,
        "b": {"x": [1, 2], "y": {"k": "v"}},
        "l": ["one", {"two": 2, "three": 3}, {"four": 4}],
    }
    assert list(d.root) == ["a", "b", "l"]
    assert d["b"].get("z", 9) == 9
    assert "a" in d
    assert d["l"][-1]["four"] == 4
    assert json.loads(json.dumps(d.root)) == plain(d.root)
    assert type(d["a"]) is int


def _edited(edit: Callable[[Any], object]) -> tuple[str, Document]:
    d = parse(SOURCE)
    edit(d.root)
    return render(d).data.decode(), d


EDITS: dict[str, tuple[Callable[[Any], object], str, str]] = {
    "item assignment": (lambda r: r.__setitem__("a", 2), "a: 1 # t", "a: 2 # t"),
    "deletion": (lambda r: r.__delitem__("a"), "a: 1 # t\n", ""),
    "pop": (lambda r: r["b"].pop("x"), "  x: [1, 2]\n", ""),
    "setdefault of what is there": (lambda r: r.setdefault("a", 5), "", ""),
    "setdefault": (lambda r: r["b"].setdefault("z", 5), "y: {k: v}\n", "y: {k: v}\n  z: 5\n"),
    "update": (lambda r: r.update({"a": 3}), "a: 1", "a: 3"),
    "clear": (lambda r: r["b"]["y"].clear(), "{k: v}", "{}"),
    "append": (lambda r: r["b"]["x"].append(3), "[1, 2]", "[1, 2, 3]"),
    "extend": (lambda r: r["b"]["x"].extend([3, 4]), "[1, 2]", "[1, 2, 3, 4]"),
    "insert": (lambda r: r["l"].insert(1, "new"), "- one\n", "- one\n- new\n"),
    "insert before the last": (lambda r: r["l"].insert(-1, 0), "- four", "- 0\n- four"),
    "list pop": (lambda r: r["l"].pop(), "- four: 4\n", ""),
    "remove": (lambda r: r["l"].remove("one"), "- one\n", ""),
    "list item assignment": (lambda r: r["l"].__setitem__(0, "1"), "- one", "- '1'"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_change_by_dict_or_list_method_is_rendered_and_journalled(name: str) -> None:
    edit, old, new = EDITS[name]
    text, d = _edited(edit)
    assert text == SOURCE.replace(old, new, 1)
    assert bool(d.changes) == (old != new)
    again = parse(SOURCE)
    replay(again, d.changes)
    assert render(again).data.decode() == text


@pytest.mark.parametrize(
    "edit",
    [
        lambda r: r.popitem(),
        lambda r: r.__ior__({"a": 1}),
        lambda r: r["l"].sort(),
        lambda r: r["l"].reverse(),
        lambda r: r["l"].__iadd__([1]),
        lambda r: r["l"].__setitem__(slice(0, 1), [1]),
    ],
)
def test_what_cannot_be_journalled_is_refused_and_changes_nothing(
    edit: Callable[[Any], object],
) -> None:
    d = parse(SOURCE)
    with pytest.raises(TypeError):
        edit(d.root)
    assert d.changes == []
    assert render(d).data.decode() == SOURCE


def test_an_equal_value_of_the_same_type_is_no_change() -> None:
    d = parse("a: 1\nb: [1, {c: 2}]\n")
    d.set("a", 1)
    d.set("b", [1, {"c": 2}])
    assert d.changes == []
    d.set("a", 1.0)
    d.set("b[1].c", True)
    assert render(d).data == b"a: 1.0\nb: [1, {c: true}]\n"


def test_a_value_a_file_cannot_hold_is_refused() -> None:
    d = parse("a: 1\n")
    for value in (object(), {1: 2}, {"x": {1, 2}}, b"x"):
        with pytest.raises(Refused) as caught:
            d.set("b", value)
        assert caught.value.code == "value_unsupported"


def test_every_change_is_in_the_journal_with_what_it_undoes() -> None:
    d = parse("a: 1\nb: 2\nc:\n  d: 3\n")
    d.set("a", 5)
    d.delete("b")
    d.move("c.d", "e")
    d.set("f", [1])
    d.wrap("f", "g")
    assert [c.kind for c in d.changes] == ["replaced", "removed", "moved", "added", "wrapped"]
    replaced, removed, moved, added, wrapped = d.changes
    assert (replaced.old, replaced.new, replaced.place) == (1, 5, ("a",))
    assert (removed.old, removed.at, removed.span) == (2, 1, (8, 9))
    assert (moved.place, moved.to) == (("c", "d"), ("e",))
    assert (added.place, added.new) == (("f",), [1])
    assert (wrapped.place, wrapped.under) == (("f",), "g")


JOURNALS: dict[str, tuple[str, Callable[[Document], object]]] = {
    "set": ("a: 1\n", lambda d: d.set("b.c", [1, {"x": None}])),
    "delete": ("a: 1\nb: 2\nc: 3\n", lambda d: d.delete("b")),
    "delete many": ("- 1\n- 2\n- 3\n", lambda d: d.delete("[*]")),
    "rename": ("a: 1\nb: 2\n", lambda d: d.rename("a", "c")),
    "move": ("a: 1 # t\nb:\n  c: 1\n", lambda d: d.move("a", "b.a")),
    "move up": ("a:\n  b:\n    c: 1\n", lambda d: d.move("a.b", "b")),
    "insert": ("l:\n- 1\n- 2\n", lambda d: d.insert("l", 1, {"a": 1})),
    "wrap": ("l:\n- a: 1\n", lambda d: d.wrap("l[0]", "k")),
    "wrap the document": ("a: 1\n", lambda d: d.wrap("", "k")),
    "an item moves behind its list": ("l:\n- a: 1\n- b: 1\n", lambda d: d.move("l[0]", "x")),
    "an item moves into a later item": (
        "l:\n- a: 1\n- b: 1\n- c: 1\n",
        lambda d: d.move("l[0]", "l[1].x"),
    ),
    "an item moves into an earlier item": (
        "l:\n- a: 1\n- b: 1\n",
        lambda d: d.move("l[1]", "l[0].x"),
    ),
    "a later item's key moves": ("l:\n- a: 1\n- b: 1\n", lambda d: d.move("l[1].b", "l[0].b")),
}


@pytest.mark.parametrize("name", JOURNALS)
def test_a_journal_replayed_on_a_fresh_parse_gives_the_same_bytes(name: str) -> None:
    source, edit = JOURNALS[name]
    d = parse(source)
    edit(d)
    again = parse(source)
    replay(again, (Change.from_json(json.loads(json.dumps(c.as_json()))) for c in d.changes))
    assert plain(again.root) == plain(d.root)
    assert render(again).data == render(d).data


def test_a_journal_of_another_file_is_refused() -> None:
    d = parse("a:\n  b: 1\n")
    d.delete("a.b")
    for other in ("a: 1\n", "x: 1\n", "- 1\n"):
        with pytest.raises(Refused) as caught:
            replay(parse(other), d.changes)
        assert caught.value.code == "journal_invalid"


SHARED = "base: &b\n  x: 1\nuse: *b\nm:\n  <<: *b\n  own: 1\nn: 1\n"
GUARDS: dict[str, tuple[Callable[[Document], object], str]] = {
    "set through an alias": (lambda d: d.set("use.x", 2), "through_alias"),
    "delete through an alias": (lambda d: d.delete("use.x"), "through_alias"),
    "move out through an alias": (lambda d: d.move("use.x", "y"), "through_alias"),
    "move in through an alias": (lambda d: d.move("n", "use.n"), "through_alias"),
    "set below a shared node": (lambda d: d.set("base.x", 2), "shared_node"),
    "add to a shared node": (lambda d: d.set("base.y", 2), "shared_node"),
    "delete below a shared node": (lambda d: d.delete("base.x"), "shared_node"),
    "replace a shared node": (lambda d: d.set("base", 2), "shared_node"),
    "change a shared node as a dict": (lambda d: d["base"].pop("x"), "shared_node"),
    "change a shared node as a dict through its alias": (
        lambda d: d["use"].__setitem__("x", 3),
        "shared_node",
    ),
    "delete a merge-only key": (lambda d: d.delete("m.x"), "merge_only_key"),
    "move a merge-only key": (lambda d: d.move("m.x", "y"), "merge_only_key"),
    "rename a merge-only key": (lambda d: d.rename("m.x", "y"), "merge_only_key"),
    "write a merge key": (lambda d: d.set("n2.<<", {}), "merge_key"),
    "rename to a merge key": (lambda d: d.rename("n", "<<"), "merge_key"),
    "move onto what exists": (lambda d: d.move("n", "m.own"), "target_exists"),
    "rename to what exists": (lambda d: d.rename("n", "use"), "target_exists"),
    "move into itself": (lambda d: d.move("m", "m.sub.m"), "move_into_itself"),
    "a scalar in the way": (lambda d: d.set("n.x", 1), "wrong_type"),
    "a target that is an item": (lambda d: d.move("n", "m[0]"), "path_invalid"),
}


@pytest.mark.parametrize("name", GUARDS)
def test_what_the_author_cannot_mean_is_refused(name: str) -> None:
    edit, code = GUARDS[name]
    with pytest.raises(Refused) as caught:
        edit(parse(SHARED))
    assert caught.value.code == code


def test_a_shared_node_changes_when_it_is_allowed() -> None:
    d = parse(SHARED)
    d.allow_shared = True
    d.set("base.x", 2)
    assert render(d).data.decode() == SHARED.replace("x: 1", "x: 2")
    assert d.get("use.x") == 2
