"""A rollback needs the old image. The new one is on the disk, too."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.e2e.world import FREE, TWO, World, document, write_bundle


def test_a_damaged_image_of_what_the_file_holds_does_not_stop_a_rollback(tmp_path: Path) -> None:
    world = World(
        tmp_path / "w",
        bundle=write_bundle(tmp_path / "bundle", TWO),
        policy=FREE,
        documents={"a.yaml": document()},
    )
    assert world.once().code == 0
    new = hashlib.sha256((world.config / "a.yaml").read_bytes()).hexdigest()
    (world.state / "objects" / new).write_bytes(b"damaged")
    assert world.run("rollback", "--last", "--dry-run").code == 0
    done = world.run("rollback", "--last")
    assert done.code == 0, done
    assert (world.config / "a.yaml").read_text() == document()
