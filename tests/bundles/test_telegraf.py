"""The telegraf bundle on the public pairs of its corpus.

The same plugin tables as a multiset, and the comments of every key that is still there.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from confmig.worker.bundle import LoadedBundle as Bundle
from confmig.worker.local import LocalWorker

ROOT = Path(__file__).resolve().parent / "telegraf"
SHARED = Path(os.environ.get("SHARED_DIR", Path(__file__).resolve().parents[3] / "shared"))
CORPUS = SHARED / "corpora" / "telegraf"
PAIRS = sorted((CORPUS / "input").rglob("*.conf")) if CORPUS.is_dir() else []


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return LocalWorker().load(ROOT)


def _migrated(bundle: Bundle, data: bytes) -> bytes:
    ids = [m.id for m in bundle.manifest.migrations]
    return bundle.transform({"telegraf": data}, ids)["telegraf"].image(data)


def _plugins(text: str) -> Counter[str]:
    """Every plugin table with its name, order aside."""
    out: Counter[str] = Counter()
    for category, plugins in tomllib.loads(text).items():
        for name, tables in plugins.items():
            for table in tables if isinstance(tables, list) else [tables]:
                out[f"{category}.{name} {_canonical(table)}"] += 1
    return out


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_canonical(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_canonical(v) for v in value) + "]"
    return f"{type(value).__name__} {value!r}"


def _name(file: Path) -> str:
    return str(file.relative_to(CORPUS / "input").with_suffix(""))


@pytest.mark.skipif(not PAIRS, reason=f"the corpus is not there: {CORPUS} (set SHARED_DIR)")
def test_there_are_all_pairs() -> None:
    assert len(PAIRS) == 54


@pytest.mark.parametrize("file", PAIRS, ids=_name)
def test_a_public_pair_has_the_same_plugin_tables(bundle: Bundle, file: Path) -> None:
    want = (CORPUS / "expected" / file.relative_to(CORPUS / "input")).read_text()
    got = _migrated(bundle, file.read_bytes())
    assert _plugins(got.decode()) == _plugins(want)
    assert _migrated(bundle, got) == got, "a second run changes something"


@pytest.mark.parametrize("file", PAIRS, ids=_name)
def test_the_comments_of_surviving_keys_are_kept(bundle: Bundle, file: Path) -> None:
    source = file.read_text()
    got = _migrated(bundle, file.read_bytes()).decode()
    result = got.splitlines()
    keys = {m[1] for line in result if (m := re.match(r"\s*([\w-]+)\s*=", line))}
    above: list[str] = []
    checked = 0
    for line in source.splitlines():
        if line.lstrip().startswith("#"):
            above.append(line.strip())
            continue
        match = re.match(r"\s*([\w-]+)\s*=", line)
        if match and match[1] in keys and above:
            at = next(i for i, x in enumerate(result) if re.match(rf"\s*{match[1]}\s*=", x))
            assert [x.strip() for x in result[at - len(above) : at]] == above, match[1]
            checked += 1
        above = []
    commented_out = Counter(x.strip() for x in source.splitlines() if re.match(r"\s*# \w+ =", x))
    kept = Counter(x.strip() for x in result)
    assert all(kept[x] >= n for x, n in commented_out.items() if _apart(source, x)), checked


def _apart(source: str, comment: str) -> bool:
    """Whether a commented-out option is followed by a blank line: it is no key's comment."""
    lines = [x.strip() for x in source.splitlines()]
    at = lines.index(comment)
    rest = next((x for x in lines[at:] if not x.startswith("#")), "")
    return rest == ""
