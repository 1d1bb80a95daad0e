"""What is kept of the past, and what may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from confmig.adapters.files.disk import digest_of
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.retention import Keep, prune
from confmig.adapters.state.store import Store, Transaction, stamp
from confmig.core.transaction.phases import Phase
from tests.e2e.world import FREE, TWO, World, document, write_bundle

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ALL = Keep(1000, 1000, 1 << 40)


class Past:
    """A state with one transaction a day, of documents by name."""

    def __init__(self, folder: Path, *, packed: bool = False) -> None:
        self.store = Store.open(folder)
        self.checkpoints = Checkpoints(folder)
        self.checkpoints.prepare()
        self.packed = packed
        self.days = 0

    def transaction(self, *paths: str, phase: Phase = Phase.DONE) -> str:
        self.days += 1
        name = f"tx{self.days:02}"
        images = {p: (f"{p}{self.days - 1}".encode(), f"{p}{self.days}".encode()) for p in paths}
        data = [image for pair in images.values() for image in pair]
        if self.packed:
            self.checkpoints._pack({digest_of(d): d for d in data}, name)
        else:
            self.checkpoints.put(data, name)
        path = self.checkpoints.save(name, {"transaction": name})
        files: list[dict[str, Any]] = [
            {"path": p, "old": digest_of(old), "new": digest_of(new)}
            for p, (old, new) in images.items()
        ]
        at = stamp(NOW - timedelta(days=100 - self.days))
        with self.store.commit():
            self.store.begin(
                Transaction(
                    name, 0, "t", "apply", "online", phase, {"files": files}, path,
                    None, None, at, at, None,
                )
            )  # fmt: skip
        return name

    def kept(self) -> list[str]:
        return sorted(p.stem for p in self.checkpoints.folder.iterdir())

    def prune(self, keep: Keep) -> int:
        return prune(self.store, self.checkpoints, keep, NOW, delivery=False).checkpoints

    def readable(self) -> bool:
        rows = [r for r in self.store.newest(-1, None) if self.checkpoints.exists(r.checkpoint)]
        for row in rows:
            for file in row.plan["files"]:
                self.checkpoints.image(file["old"])
                self.checkpoints.image(file["new"])
        return True


@pytest.mark.parametrize("packed", [False, True])
def test_the_newest_are_kept_and_the_last_of_each_document(tmp_path: Path, *, packed: bool) -> None:
    past = Past(tmp_path, packed=packed)
    past.transaction("rare")
    for _ in range(5):
        past.transaction("a")
    assert past.prune(ALL) == 0
    assert past.prune(Keep(2, 1000, 1 << 40)) == 3
    assert past.kept() == ["tx01", "tx05", "tx06"]
    assert past.readable()
    assert past.prune(Keep(2, 1000, 1 << 40)) == 0


def test_old_ones_go(tmp_path: Path) -> None:
    past = Past(tmp_path)
    for _ in range(5):
        past.transaction("a")
    assert past.prune(Keep(1000, 97, 1 << 40)) == 2
    assert past.kept() == ["tx03", "tx04", "tx05"]
    assert past.readable()


def test_what_fills_the_space_goes(tmp_path: Path) -> None:
    past = Past(tmp_path)
    for _ in range(5):
        past.transaction("a")
    past.prune(Keep(1000, 1000, 5))
    assert past.kept() == ["tx04", "tx05"]
    assert past.readable()
    images = sum(1 for _ in past.checkpoints.objects.iterdir())
    assert images == 3  # what the two need: one of them is shared


def test_unsettled_ones_are_never_pruned(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.transaction("a", phase=Phase.CONFLICT)
    past.transaction("a", phase=Phase.PREPARED)
    past.transaction("a", phase=Phase.ABORTED)
    past.transaction("a")
    past.transaction("a")
    past.prune(Keep(1, 1, 1))
    assert past.kept() == ["tx01", "tx02", "tx05"]
    assert past.readable()


def test_images_that_a_crash_left_go_with_the_next_pruning(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.transaction("a")
    past.checkpoints.put([b"left over"], "dead")
    past.prune(ALL)
    assert not (past.checkpoints.objects / digest_of(b"left over")).exists()
    assert past.readable()


def test_a_pruned_transaction_cannot_be_rolled_back_and_says_so(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", TWO[:1])
    world = World(
        tmp_path / "w",
        bundle=bundle,
        policy=FREE,
        documents={"a.yaml": document("a")},
        more="retention: {checkpoints: 1}\n",
    )
    assert world.once().code == 0
    first = world.run("history", "--json").json["transactions"][0]["id"]
    write_bundle(tmp_path / "bundle", TWO)
    assert world.once().code == 0
    done = world.run("rollback", first, "--json")
    assert done.code == 1, done
    assert done.json["error"]["code"] == "checkpoint_pruned"
    done = world.run("rollback", "--to", "none", "--json")
    assert done.code == 1, done
    assert world.run("history", "--verify").code == 0
    assert world.run("rollback", "--last").code == 0
