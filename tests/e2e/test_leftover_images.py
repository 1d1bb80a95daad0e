"""Images that a crash left behind go with the next pass that commits something."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.e2e.world import FREE, TWO, World, document, write_bundle


def test_an_image_that_no_checkpoint_needs_is_removed(tmp_path: Path) -> None:
    world = World(
        tmp_path / "w",
        bundle=write_bundle(tmp_path / "bundle", TWO),
        policy=FREE,
        documents={"a.yaml": document()},
    )
    assert world.run("status").code == 0
    objects = world.state / "objects"
    objects.mkdir(mode=0o700, parents=True)
    world.state.chmod(0o700)
    stray = objects / hashlib.sha256(b"password").hexdigest()
    stray.write_bytes(b"password")
    assert world.once().code == 0
    assert not stray.exists()
    assert len(list(objects.iterdir())) == 2
    assert world.run("history", "--verify").code == 0


def test_history_lists_the_newest_or_all(tmp_path: Path) -> None:
    world = World(
        tmp_path / "w",
        bundle=write_bundle(tmp_path / "bundle", TWO),
        policy=FREE,
        documents={"a.yaml": document()},
    )
    assert world.once().code == 0
    assert world.run("rollback", "--last").code == 0
    for limit, number in (("0", 0), ("1", 1), ("-1", 2), ("50", 2)):
        listed = world.run("history", f"--limit={limit}", "--json").json["transactions"]
        assert len(listed) == number, limit
    [checkpoint, _] = sorted((world.state / "checkpoints").iterdir())
    with checkpoint.open("ab") as file:
        file.write(checkpoint.read_bytes().splitlines(keepends=True)[-1])
    done = world.run("history", "--verify")
    assert done.code == 4, done
    assert "does not list what was recorded (1 file)" in done.out
