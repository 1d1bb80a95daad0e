"""Replaying fixtures: a difference is shown without secrets, and can be accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from confmig.adapters.bundles.reading import read_files
from confmig.adapters.workers.protocol import Bundle
from confmig.core.bundle.checksums import ordered_ids, sums, sums_text
from confmig.kit.replay import replay
from confmig.worker.local import LocalWorker
from tests.core.builders import raw_entry, raw_manifest

GOT = "v: 1\na: 1\npassword: hunter2-hunter2\n"


def bundle(root: Path, **fixtures: str) -> Bundle:
    folder = root / "migrations" / "fixtures" / "0001_m"
    folder.mkdir(parents=True)
    (root / "migrations" / "0001_m.yaml").write_text("- set: {path: a, value: 1}\n")
    (root / "manifest.json").write_text(json.dumps(raw_manifest(raw_entry(1))))
    files = read_files(root)
    (root / "manifest.sum").write_bytes(sums_text(sums(files, ordered_ids(files.manifest))))
    for name, text in fixtures.items():
        (folder / name.replace("_", ".")).write_text(text)
    return LocalWorker().load(root, shared=True)


def test_a_difference_is_shown_with_secrets_masked(tmp_path: Path) -> None:
    one = bundle(
        tmp_path,
        c_input_yaml="v: 0\na: 0\npassword: hunter2-hunter2\n",
        c_expected_yaml="v: 1\na: 2\npassword: hunter3-hunter3\n",
    )
    done = replay(one)
    [problem] = done.problems
    assert (problem.code, done.count, done.updated) == ("replay_differs", 1, [])
    assert problem.place == "migrations/fixtures/0001_m/c.expected.yaml:2"
    assert "-a: 2" in problem.diff.splitlines()
    assert "+a: 1" in problem.diff.splitlines()
    assert "hunter" not in str(problem)
    assert "    +a: 1" in problem.lines
    assert problem.lines[-1].startswith("  help: ")
    assert problem.to_json()["diff"] == problem.diff


def test_a_long_difference_is_cut(tmp_path: Path) -> None:
    many = "".join(f"k{n}: {n}\n" for n in range(100))
    one = bundle(tmp_path, c_input_yaml=f"v: 0\na: 0\n{many}", c_expected_yaml="v: 1\na: 1\n")
    [problem] = replay(one).problems
    assert len(problem.diff.splitlines()) == 41
    assert "more lines" in problem.diff.splitlines()[-1]


@pytest.mark.parametrize("expected", [None, "v: 1\na: 2\n", "not: [yaml"])
def test_a_result_becomes_the_expected_file(tmp_path: Path, expected: str | None) -> None:
    made = {"c_input_yaml": "v: 0\na: 0\npassword: hunter2-hunter2\n"}
    if expected is not None:
        made["c_expected_yaml"] = expected
    one = bundle(tmp_path, **made)
    done = replay(one, update=True)
    file = tmp_path / "migrations" / "fixtures" / "0001_m" / "c.expected.yaml"
    assert done.problems == []
    assert done.updated == ["migrations/fixtures/0001_m/c.expected.yaml"]
    assert file.read_text() == GOT
    again = replay(one, update=True)
    assert (again.problems, again.updated) == ([], [])


def test_a_migration_that_fails_writes_nothing(tmp_path: Path) -> None:
    one = bundle(tmp_path, c_input_yaml="v: [0]\n", c_expected_yaml="v: 1\n")
    done = replay(one, update=True)
    assert [p.code for p in done.problems] == ["replay_failed"]
    assert done.updated == []
    assert done.problems[0].place == "migrations/fixtures/0001_m/c.input.yaml:1"
