"""Loading a bundle: each problem of its JSON files has its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from confmig.adapters.bundles.reading import read_files
from confmig.core.bundle.checksums import ordered_ids, sums, sums_text
from confmig.documents.model.document import Caps
from confmig.errors import Invalid, Problem
from confmig.worker.loading import json_lines, load
from tests.core.builders import raw_entry, raw_manifest


def problems(root: Path, manifest: str, contract: str | None = None) -> list[Problem]:
    (root / "migrations" / "schemas").mkdir(parents=True)
    (root / "migrations" / "0001_m.yaml").write_text("- set: {path: a, value: 1}\n")
    (root / "manifest.json").write_text(manifest)
    files = read_files(root)
    (root / "manifest.sum").write_bytes(sums_text(sums(files, ordered_ids(files.manifest))))
    if contract is not None:
        (root / "migrations" / "schemas" / "contract.json").write_text(contract)
    with pytest.raises(Invalid) as caught:
        load(root, Caps(), shared=True)
    return list(caught.value.problems)


def line(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("changes", "part", "message"),
    [
        ({"order": "1"}, '"order"', "0001_m: `order` must be a whole number from 1"),
        ({"ordr": 1, "order": ...}, '"ordr"', "0001_m: unknown key `ordr`; did you mean `order`?"),
        ({"sets": {"ap": 1}}, '"ap"', "0001_m sets the version of `ap`, which is not in `configs`"),
        ({"kind": ...}, '"id"', "0001_m: `class` is missing"),
    ],
)
def test_a_problem_of_the_manifest_has_its_line(
    tmp_path: Path, changes: dict[str, object], part: str, message: str
) -> None:
    text = json.dumps(raw_manifest(raw_entry(1, **changes)), indent=1)
    [found] = problems(tmp_path, text)
    # a key that is missing has the line of its entry, whose first key is on the next one
    at = line(text, part) - (1 if "missing" in message else 0)
    assert (found.place, found.message) == (f"manifest.json:{at}", message)


def test_a_stamp_that_no_document_can_have_has_its_line(tmp_path: Path) -> None:
    data = raw_manifest(raw_entry(1))
    data["configs"]["app"] |= {"format": "ini", "version": {"path": "a.b.c"}}
    text = json.dumps(data, indent=1)
    [found] = problems(tmp_path, text)
    assert found.place == f"manifest.json:{line(text, 'a.b.c')}"
    assert "`configs.app.version.path`" in found.message


def test_a_problem_of_the_contract_has_its_line(tmp_path: Path) -> None:
    text = '{\n "configs": {\n  "app": {"versons": {}}\n }\n}\n'
    [found] = problems(tmp_path, json.dumps(raw_manifest(raw_entry(1))), text)
    assert found.place == "migrations/schemas/contract.json:3"
    assert "unknown key `versons`" in found.message


def test_a_text_that_is_not_json_has_no_lines() -> None:
    assert json_lines(b"{") == {}
