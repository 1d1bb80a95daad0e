"""Ropes: edits of a source, and segments that tell where its characters went."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig.documents.text.pieces import (
    Edit,
    Pieces,
    Segment,
    compose,
    indent,
    join_lines,
    segments_of,
    split_lines,
    text_of,
)
from confmig.errors import Refused
from tests.documents.helpers import parse, render

SOURCE = "one two three"


def test_edits_are_made_in_the_order_of_the_source() -> None:
    pieces = compose(0, len(SOURCE), [Edit(8, 13, ["3"]), Edit(0, 3, ["1"])])
    assert text_of(SOURCE, pieces) == "1 two 3"


def test_insertions_at_one_place_keep_their_order() -> None:
    pieces = compose(0, 3, [Edit(3, 3, ["a"]), Edit(3, 3, ["b"])])
    assert text_of(SOURCE, pieces) == "oneab"


def test_edits_that_overlap_are_refused() -> None:
    with pytest.raises(Refused) as caught:
        compose(0, 13, [Edit(0, 5, []), Edit(4, 6, [])])
    assert caught.value.code == "edits_overlap"


def test_an_edit_outside_the_span_is_refused() -> None:
    with pytest.raises(Refused):
        compose(0, 5, [Edit(4, 6, [])])


def test_neighbouring_copies_are_one_segment() -> None:
    assert segments_of([(0, 3), (3, 7), "x", (8, 13)]) == [Segment(0, 0, 7), Segment(8, 8, 5)]


def test_moved_copies_are_segments_of_their_own() -> None:
    assert segments_of([(8, 13), "-", (0, 3)]) == [Segment(8, 0, 5), Segment(0, 6, 3)]


def test_empty_copies_are_no_segments() -> None:
    assert segments_of([(2, 2), "x"]) == []


_ROPES = st.lists(
    st.text("ab \n", max_size=5)
    | st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda t: (min(t), max(t))),
    max_size=6,
)
_TEXT = "a\n  b\n\nc d\n."


@given(_ROPES)
@settings(derandomize=True)
def test_every_segment_is_a_copy_of_the_source(pieces: Pieces) -> None:
    text = text_of(_TEXT, pieces)
    for s in segments_of(pieces):
        assert _TEXT[s.old : s.old + s.length] == text[s.new : s.new + s.length]
        assert s.length > 0


@given(_ROPES)
@settings(derandomize=True)
def test_lines_put_together_again_are_the_text_without_its_final_newline(pieces: Pieces) -> None:
    text = text_of(_TEXT, pieces)
    joined = text_of(_TEXT, join_lines(split_lines(_TEXT, pieces), "\n"))
    assert joined == text.removesuffix("\n")


def test_lines_lose_their_crlf() -> None:
    source = "a\r\nb\r\n"
    lines = split_lines(source, [(0, 6), "c\r\nd"])
    assert [text_of(source, line) for line in lines] == ["a", "b", "c", "d"]


def test_a_crlf_cut_between_two_pieces_is_still_one_line_end() -> None:
    source = "a\r\nb"
    lines = split_lines(source, [(0, 2), (2, 4)])
    assert [text_of(source, line) for line in lines] == ["a", "b"]


def _lines(text: str, by: int, *, first_has_none: bool = False) -> str:
    lines = indent(text, split_lines(text, [(0, len(text))]), by, first_has_none=first_has_none)
    return "\n".join(text_of(text, line) for line in lines)


def test_indentation_grows_and_blank_lines_stay() -> None:
    assert _lines("a\n\n b", 2) == "  a\n\n   b"


def test_indentation_shrinks() -> None:
    assert _lines("  a\n\n    b", -2) == "a\n\n  b"


def test_a_line_in_the_middle_of_a_source_line_is_left_alone() -> None:
    assert _lines("a\n  b", 2, first_has_none=True) == "a\n    b"


@pytest.mark.parametrize("text", [" a", "  a\n b", "\t\ta"])
def test_what_has_no_room_to_the_left_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        _lines(text, -2)
    assert caught.value.code == "cannot_unindent"


def test_segments_cover_everything_that_was_not_edited() -> None:
    source = "# head\na: 1\nb: 2 # t\nc: 3\n"
    document = parse(source)
    document.set("b", 22)
    rendered = render(document)
    copied = sum(s.length for s in rendered.segments)
    assert copied == len(source) - 1


def test_segments_count_characters_behind_a_bom() -> None:
    document = parse("\ufeffé: 1\nb: 2\n")
    document.delete("é")
    rendered = render(document)
    assert rendered.data == "\ufeffb: 2\n".encode()
    assert rendered.segments == (Segment(5, 0, 5),)


def test_segments_follow_a_moved_entry() -> None:
    document = parse("a: [1, 2] # t\nb:\n  c: 1\n")
    document.move("a", "b.a")
    rendered = render(document)
    assert rendered.data == b"b:\n  c: 1\n  a: [1, 2] # t\n"
    assert any(s.old == 0 and s.new == 12 for s in rendered.segments)


def test_the_comments_of_a_deleted_key_are_in_the_ledger() -> None:
    source = "a: 1\n# own\nb: 2 # t\nc: 3 # stays\n"
    document = parse(source)
    document.delete("b")
    lost = [source[start:end] for start, end in render(document).lost_comments]
    assert lost == ["# own", "# t"]
