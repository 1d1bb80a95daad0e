"""The pre-commit bundle on the public pairs of its corpus: byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from confmig.worker.bundle import LoadedBundle as Bundle
from confmig.worker.local import LocalWorker

ROOT = Path(__file__).resolve().parent / "precommit"
SHARED = Path(os.environ.get("SHARED_DIR", Path(__file__).resolve().parents[3] / "shared"))
CORPUS = SHARED / "corpora" / "precommit"
PAIRS = sorted((CORPUS / "input").glob("*.yaml")) if CORPUS.is_dir() else []


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return LocalWorker().load(ROOT)


def _migrated(bundle: Bundle, data: bytes) -> bytes:
    ids = [m.id for m in bundle.manifest.migrations]
    return bundle.transform({"precommit": data}, ids)["precommit"].image(data)


@pytest.mark.skipif(not PAIRS, reason=f"the corpus is not there: {CORPUS} (set SHARED_DIR)")
def test_there_are_ten_pairs() -> None:
    assert len(PAIRS) == 10


@pytest.mark.parametrize("file", PAIRS, ids=lambda f: f.stem)
def test_a_public_pair_is_equal_to_the_byte(bundle: Bundle, file: Path) -> None:
    want = (CORPUS / "expected" / file.name).read_bytes()
    got = _migrated(bundle, file.read_bytes())
    assert got == want
    assert _migrated(bundle, got) == want, "a second run changes something"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- repo: a\n  sha: 1\n", "repos:\n- repo: a\n  rev: 1\n"),
        ("# top\n---\n- repo: a\n", "# top\n---\nrepos:\n- repo: a\n"),
        ("[{repo: a, sha: b}]", "repos:\n    [{repo: a, rev: b}]"),
        ("repos:\n- repo: a\n  'sha': b # c\n", "repos:\n- repo: a\n  'rev': b # c\n"),
        ("repos: 3\ndefault_stages: push\n", "repos: 3\ndefault_stages: push\n"),
        ("repos: [1, {hooks: [x]}]\n", "repos: [1, {hooks: [x]}]\n"),
        (
            "repos: [{hooks: [{language: 'python_venv', stages: [push, x]}]}]\n",
            "repos: [{hooks: [{language: 'python', stages: [pre-push, x]}]}]\n",
        ),
    ],
)
def test_a_case_of_our_own(bundle: Bundle, before: str, after: str) -> None:
    assert _migrated(bundle, before.encode()).decode() == after
