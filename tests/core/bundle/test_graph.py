"""Cycles are found all at once, whole, in a stable order, and without recursion."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig.core.bundle.graph import cycles


@pytest.mark.parametrize(
    ("edges", "wanted"),
    [
        ({}, []),
        ({"a": []}, []),
        ({"a": ["b"], "b": ["c"], "c": []}, []),
        ({"a": ["a"]}, [("a",)]),
        ({"b": ["a"], "a": ["b"]}, [("a", "b")]),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, [("a", "b", "c")]),
        ({"x": ["y"], "y": ["x"], "a": ["b"], "b": ["a"]}, [("a", "b"), ("x", "y")]),
        ({"t": ["a"], "a": ["b"], "b": ["a", "leaf"], "leaf": []}, [("a", "b")]),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, []),
        ({"a": ["b", "c"], "b": ["a"], "c": ["a"]}, [("a", "b", "c")]),
        ({"a": ["ghost"]}, []),
        ({"a": ["b", "b"], "b": []}, []),
    ],
)
def test_cycles_of_small_graphs(edges: dict[str, list[str]], wanted: list[tuple[str, ...]]) -> None:
    assert cycles(edges) == wanted


def test_a_chain_of_many_thousands_costs_no_recursion() -> None:
    size = 20_000
    chain = {str(n): [str(n + 1)] for n in range(size)}
    assert cycles({**chain, str(size): []}) == []
    assert [len(c) for c in cycles({**chain, str(size): ["0"]})] == [size + 1]


NODES = "abcdef"
GRAPHS = st.fixed_dictionaries(
    {}, optional={n: st.lists(st.sampled_from(NODES + "?"), max_size=4) for n in NODES}
)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(GRAPHS)
def test_components_agree_with_plain_reachability(edges: dict[str, list[str]]) -> None:
    reach = {a: {b for b in edges[a] if b in edges} for a in edges}
    for via in edges:  # Warshall
        for a in edges:
            if via in reach[a]:
                reach[a] |= reach[via]
    looping = [a for a in edges if a in reach[a]]
    wanted = {tuple(sorted(b for b in looping if b in reach[a] and a in reach[b])) for a in looping}
    assert cycles(edges) == sorted(wanted)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(GRAPHS)
def test_the_answer_does_not_depend_on_the_order_of_writing(
    edges: dict[str, list[str]],
) -> None:
    turned = {k: list(reversed(v)) for k, v in reversed(edges.items())}
    assert cycles(turned) == cycles(edges)
