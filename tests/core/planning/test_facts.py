"""An observation says of all documents what counts, and names only those that matter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confmig.core.planning.facts import DocumentFact, Observation, Observer
from tests.core.builders import manifest, migration

TWO = manifest(migration(1), migration(2))


def observed(*documents: DocumentFact, changed: tuple[str, ...] = ()) -> Observation:
    observer = Observer(TWO)
    for document in sorted(documents, key=lambda d: d.path):
        observer.add(document, changed=document.path in changed)
    return observer.result()


def doc(path: str, version: int | None = 2, digest: str = "d", **more: object) -> DocumentFact:
    return DocumentFact("app", path, version, digest, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (doc("a"), False),
        (doc("a", 1), True),
        (doc("a", None), True),
        (doc("a", 3, problem="document_newer"), True),
        (doc("a", None, due=()), False),
        (doc("a", None, due=("0001_m",)), True),
    ],
)
def test_which_documents_have_a_fact(document: DocumentFact, *, named: bool) -> None:
    assert bool(observed(document).facts) is named
    assert observed(document, changed=("a",)).facts == (document,)
    assert observed(document).total == 1


def test_documents_are_counted_by_state() -> None:
    seen = observed(doc("a"), doc("b"), doc("c", 1), doc("d", None), doc("e", None, due=()))
    assert seen.counts == {
        ("app", "2"): 2,
        ("app", "1"): 1,
        ("app", "unreadable"): 1,
        ("app", "unstamped"): 1,
    }
    assert seen.of({"app": 1}) == 5
    assert seen.of({"other": 1}) == 0


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "x/a", "x/b", "y/z/a"]), st.sampled_from(["1", "2"])
    ),
    st.sampled_from(["a", "x/b", "y/z/a"]),
)
def test_the_digest_names_every_name_and_content(contents: dict[str, str], path: str) -> None:
    documents = [doc(name, digest=digest) for name, digest in contents.items()]
    seen = observed(*documents)
    assert seen.digest == observed(*reversed(documents)).digest
    assert set(seen.directories) == {n.rpartition("/")[0] for n in contents}
    other = dict(contents)
    if path in other:
        del other[path]
    else:
        other[path] = "1"
    changed = observed(*(doc(name, digest=digest) for name, digest in other.items()))
    assert changed.digest != seen.digest
    folder = path.rpartition("/")[0]
    assert {f: d for f, d in seen.directories.items() if f != folder} == {
        f: d for f, d in changed.directories.items() if f != folder
    }


@pytest.mark.parametrize(
    ("documents", "wanted"),
    [
        ([doc("a", 0)], False),
        ([doc("a", 0), doc("b", 1)], True),
        ([doc("a", 0), doc("b")], True),
        ([doc("a", 0), doc("b", None)], False),
        ([doc("a", None, due=("0001_m",))], False),
        ([doc("a", None, due=("0001_m",)), doc("b", None, due=())], True),
        ([doc("a", None, due=("0002_m",))], True),
        ([replace(doc("b"), config="other")], False),
    ],
)
def test_whether_some_document_is_past_a_migration(
    documents: list[DocumentFact], *, wanted: bool
) -> None:
    assert observed(*documents).any_past(TWO.migrations[0]) is wanted
