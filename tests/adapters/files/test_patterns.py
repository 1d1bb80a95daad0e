"""File patterns: what a wildcard matches, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from confmig.adapters.files.disk import Disk
from confmig.adapters.files.patterns import pattern


@pytest.mark.parametrize(
    ("text", "name", "matches"),
    [
        ("*.yaml", "a.yaml", True),
        ("*.yaml", "d/a.yaml", False),
        ("*.yaml", ".a.yaml", False),
        ("*.yaml", ".#a.yaml", False),
        ("**/*.yaml", "a.yaml", True),
        ("**/*.yaml", "d/e/a.yaml", True),
        ("**/*.yaml", "..data/a.yaml", False),
        ("**/*.yaml", "..2026_11_27/a.yaml", False),
        ("**/*.yaml", "d/.git/a.yaml", False),
        ("conf.d/*", "conf.d/a", True),
        ("conf.d/*", "conf.d/.a.swp", False),
        ("conf.d/*", "conf.d/a~", False),
        ("conf.d/*", "conf.d/#a#", False),
        ("conf.d/*", "conf.d/a.swp", False),
        (".env", ".env", True),
        ("**/.env", "d/.env", True),
        (".config/*.toml", ".config/a.toml", True),
        ("a~", "a~", True),
        ("a?.ini", "ab.ini", True),
        ("a?.ini", "a/.ini", False),
    ],
)
def test_what_matches(text: str, name: str, matches: bool) -> None:
    assert bool(pattern(text).match(name)) is matches


def test_hidden_directories_are_not_entered_unless_they_are_named(tmp_path: Path) -> None:
    for name in ("a.yaml", "..data/a.yaml", ".git/a.yaml", "d/a.yaml", "d/.cfg/b.yaml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    with Disk(str(tmp_path)) as disk:
        assert disk.find(["**/*.yaml"]) == ["a.yaml", "d/a.yaml"]
        assert disk.find(["**/.cfg/*.yaml"]) == ["d/.cfg/b.yaml"]
        assert disk.find([".git/*.yaml"]) == [".git/a.yaml"]
