"""Paths: what is read, what is refused, and that showing a place names it again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig.documents.model.path import (
    AnyDepth,
    AnyItem,
    AnyKey,
    Index,
    Key,
    is_concrete,
    parse,
    show,
)
from confmig.errors import Refused
from tests.documents.helpers import parse as document


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", ()),
        ("a", (Key("a"),)),
        ("a.b_c.d-e", (Key("a"), Key("b_c"), Key("d-e"))),
        ("a[0]", (Key("a"), Index(0))),
        ("[12].x", (Index(12), Key("x"))),
        ("a[*].b", (Key("a"), AnyItem(), Key("b"))),
        ("a.*.b", (Key("a"), AnyKey(), Key("b"))),
        ("**.b", (AnyDepth(), Key("b"))),
        ("['a.b'].c", (Key("a.b"), Key("c"))),
        ('["it\'s"]', (Key("it's"),)),
        ('"a.b".c', (Key("a.b"), Key("c"))),
        ("a['']", (Key("a"), Key(""))),
        ("käse.ß", (Key("käse"), Key("ß"))),
        ("two words.x", (Key("two words"), Key("x"))),
        ("1.2", (Key("1"), Key("2"))),
        ("a['[0]']", (Key("a"), Key("[0]"))),
        ("a['*']", (Key("a"), Key("*"))),
    ],
)
def test_a_path_is_read_as_its_segments(text: str, segments: tuple[object, ...]) -> None:
    assert parse(text) == segments


@pytest.mark.parametrize(
    "text", [".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a]", "a[0", "a[0]b", "['x", "a b ["]
)
def test_what_is_no_path_is_refused_with_its_position(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(text)
    assert caught.value.code == "path_invalid"
    assert "character" in caught.value.message


def test_only_keys_and_positions_are_concrete() -> None:
    assert is_concrete(parse("a[0].b"))
    assert is_concrete(())
    assert not any(is_concrete(parse(p)) for p in ("a[*]", "*", "**.a"))


_KEY = st.text(min_size=0, max_size=8).filter(
    lambda k: not ("'" in k and '"' in k) and "\n" not in k
)
"""A key with both quotes, or of two lines, has no text as a path."""


@settings(derandomize=True)
@given(st.lists(_KEY | st.integers(0, 99), max_size=4))
def test_a_shown_place_is_read_as_the_same_place(place: list[str | int]) -> None:
    want = tuple(Key(p) if isinstance(p, str) else Index(p) for p in place)
    assert parse(show(place)) == want


def test_wildcards_find_every_place_in_document_order() -> None:
    d = document("a:\n- {x: 1}\n- {x: 2}\nb: {c: {on: 1}, d: {on: 2}}\non: 3\n")
    assert [show(h.place) for h in d.find("a[*].x")] == ["a[0].x", "a[1].x"]
    assert [show(h.place) for h in d.find("b.*.on")] == ["b.c.on", "b.d.on"]
    assert {show(h.place) for h in d.find("**.on")} == {"b.c.on", "b.d.on", "on"}
    assert d.find("nothing.here") == []


def test_any_depth_finds_in_document_order() -> None:
    d = document("a:\n  b: {x: 1}\nc: {x: 2}\nd:\n- e: {x: 3}\n")
    assert [show(h.place) for h in d.find("**.x")] == ["a.b.x", "c.x", "d[0].e.x"]


def test_a_wrong_type_on_the_way_is_refused_with_its_place_and_without_its_value() -> None:
    d = document("a:\n  b: s3cret\n")
    with pytest.raises(Refused) as caught:
        d.find("a.b.c")
    assert caught.value.code == "wrong_type"
    assert caught.value.place == "a.b"
    assert "s3cret" not in str(caught.value)
