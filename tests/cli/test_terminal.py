"""What a terminal sees: tables that fit, colour that can be turned off, and none in a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.world import FREE, TWO, World, document, write_bundle

RED = "\x1b[1;31mconfmig:\x1b[0m"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("terminal")
    made = World(
        folder / "w",
        bundle=write_bundle(folder / "bundle", TWO, {"app": ["*.yaml"]}),
        policy=FREE,
        documents={"a.yaml": document()},
    )
    assert made.once().code == 0
    return made


def seen(world: World, *words: str, **env: str) -> str:
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "confmig", *words, "--settings", str(world.settings)]
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "COLUMNS")}
    with subprocess.Popen(
        command, stdout=theirs, stderr=theirs, cwd=Path.cwd(), env=clean | env
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
        process.wait()
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_a_table_fits_or_becomes_blocks(world: World) -> None:
    wide = seen(world, "history", COLUMNS="200")
    assert wide.startswith("TRANSACTION  ")
    narrow = seen(world, "history", COLUMNS="60")
    assert "MIGRATIONS: " in narrow
    assert all(len(line) <= 60 for line in narrow.splitlines())
    heads, values = wide.splitlines()[:2]
    assert values.split()[0] in narrow
    assert all(f"{head}: " in narrow for head in heads.split())


def test_a_pipe_gets_the_whole_table(world: World) -> None:
    assert world.run("history", COLUMNS="60").out.startswith("TRANSACTION  ")


def test_colour_only_on_a_terminal_that_wants_it(world: World) -> None:
    words = ("plan", "--target", "nope")
    assert seen(world, *words).startswith(f"{RED} there is no target `nope` [target_unknown]\n")
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert seen(world, *words, **env).startswith("confmig: there is no target")
    assert world.run(*words).err.startswith("confmig: there is no target")
