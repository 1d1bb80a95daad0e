"""A journal taken back gives the values there were before, or is refused as a conflict."""

from __future__ import annotations

import json
import os
import random

import pytest

from confmig.documents import formats
from confmig.documents.inverse import undo
from confmig.documents.journal import Change
from confmig.documents.tree import plain, same_value
from confmig.errors import Refused
from tests.documents.fuzzing import Maker, Session
from tests.documents.helpers import parse

COUNT = int(os.environ.get("CONFMIG_FUZZ", "400"))


def test_random_changes_taken_back_give_the_values_of_before() -> None:
    back = 0
    for seed in range(COUNT):
        rng = random.Random(seed)
        try:
            data, root = Maker(rng).make()
            document = parse(data)
        except (Refused, ValueError):
            continue
        before = plain(document.root)
        session = Session(rng, document, root)
        document.allow_shared = True
        for _ in range(rng.randint(1, 5)):
            session.step()
        changes = [Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes]
        undo(document, changes)
        assert same_value(plain(document.root), before), f"seed {seed}: {session.log}"
        back += 1
    assert back > COUNT * 0.9


def test_it_comes_back_to_the_byte_where_nothing_was_removed() -> None:
    data = b"# top\na: 1 # one\nb:\n  # c's\n  c: [x, y]\n"
    document = parse(data)
    document.move("a", "b.a")
    document.rename("b", "z")
    document.wrap("z.c", "list")
    document.set("new.deep", True)
    undo(document, list(document.changes))
    assert formats.render(document).data == data


@pytest.mark.parametrize(
    ("made", "edit", "place"),
    [
        (("set", "a", 2), ("set", "a", 3), "a"),
        (("set", "n", 2), ("set", "n", 3), "n"),
        (("set", "n", 2), ("delete", "n"), "n"),
        (("delete", "a"), ("set", "a", 5), "a"),
        (("move", "a", "m.a"), ("set", "a", 5), "a"),
        (("move", "a", "m.a"), ("delete", "m"), "m.a"),
        (("wrap", "a", "in"), ("set", "a.other", 1), "a"),
        (("wrap", "a", None), ("append", "a", 2), "a"),
    ],
)
def test_a_later_edit_of_the_same_place_is_a_conflict(
    made: tuple[object, ...], edit: tuple[object, ...], place: str
) -> None:
    document = parse(b"a: 1\nm: {x: 1}\n")
    getattr(document, str(made[0]))(*made[1:])
    changes = list(document.changes)
    getattr(document, str(edit[0]))(*edit[1:])
    with pytest.raises(Refused) as caught:
        undo(document, changes)
    assert (caught.value.code, caught.value.place) == ("journal_conflict", place)


def test_a_later_edit_elsewhere_stays() -> None:
    document = parse(b"a: 1\nm: {x: 1}\n")
    document.move("a", "m.a")
    changes = list(document.changes)
    document.set("m.x", 7)
    undo(document, changes)
    assert plain(document.root) == {"m": {"x": 7}, "a": 1}
