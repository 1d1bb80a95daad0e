"""Items of an array of tables in another order: their blocks move, as they are."""

from __future__ import annotations

import tomllib
from itertools import permutations

import pytest

from confmig.documents import formats
from confmig.documents.model.values import plain

BLOCKS = [
    "# one\n[[a]]\nn = 1 # first\n",
    "[[a]]\nn = 2\n[a.sub]  # of two\nx = 2\n[[a.list]]\ny = 1\n[[a.list]]\ny = 2\n",
    "[[a]]\nn = 3\n[a.other]\nz = 3\n[a.other.deep]\nw = 3\n",
    "[[a]]\nn = 4\n",
]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
@pytest.mark.parametrize("around", ["", "[z]\nq = 1\n"], ids=["last", "before another table"])
def test_items_in_any_order_keep_their_blocks(order: tuple[int, ...], around: str) -> None:
    source = "top = 0\n" + "".join(BLOCKS) + around
    document = formats.parse(source.encode(), format="toml")
    items = plain(document.root["a"])
    document.root["a"] = [items[n] for n in order]
    done = formats.render(document).data.decode()
    assert tomllib.loads(done)["a"] == [items[n] for n in order]
    assert all(block in done for block in BLOCKS), done
    assert done.startswith("top = 0\n")


@pytest.mark.parametrize("order", list(permutations(range(4), 2)), ids=str)
def test_some_items_in_another_order(order: tuple[int, ...]) -> None:
    document = formats.parse("".join(BLOCKS).encode(), format="toml")
    items = plain(document.root["a"])
    document.root["a"] = [items[n] for n in order]
    done = formats.render(document).data.decode()
    assert tomllib.loads(done) == {"a": [items[n] for n in order]}
    assert [block in done for block in BLOCKS] == [n in order for n in range(4)], done
