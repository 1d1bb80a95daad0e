"""What is kept of the past, and what may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.records import FilePlan
from confmig.adapters.state.retention import Keep, prune
from confmig.adapters.state.store import Store
from confmig.core.transaction.phases import Phase
from tests.e2e.world import FREE, TWO, World, document, write_bundle
from tests.support.planned import planned, store_images

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
        at = NOW - timedelta(days=100 - self.days)
        expected = 1000 if self.packed else 2 * len(paths)
        with self.checkpoints.begin(name, "t", ("0001_x",), expected, at) as checkpoint:
            files = [
                FilePlan(
                    path, "", "app", "yaml", checkpoint.image(old), checkpoint.image(new), 0, 1,
                    ("0001_x",), Metadata(0o644, 0, 0), old_size=len(old), new_size=len(new),
                )
                for path, (old, new) in images.items()
            ]  # fmt: skip
            for file in files:
                checkpoint.file(file)
            described = checkpoint.close()
        plan = planned(name, "t", files, checkpoint=described)
        with self.store.commit():
            self.store.transactions.begin(plan, files, at)
            self.store.connection.write(
                "UPDATE transactions SET phase=? WHERE id=?", (phase.value, name)
            )
        return name

    def kept(self) -> list[str]:
        return sorted(p.stem for p in self.checkpoints.folder.iterdir())

    def prune(self, keep: Keep) -> int:
        return prune(self.store, self.checkpoints, keep, NOW, delivery=False).checkpoints

    def readable(self) -> bool:
        for row in self.store.transactions.newest():
            if self.checkpoints.exists(row.plan.checkpoint):
                for digest in self.store.transactions.image_hashes(row.id):
                    self.checkpoints.image(digest)
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
    images = sum(1 for _ in past.checkpoints.images.objects.iterdir())
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
    store_images(past.checkpoints, [b"left over"])
    past.prune(ALL)
    assert (past.checkpoints.images.objects / digest_of(b"left over")).exists()  # it costs a look
    prune(past.store, past.checkpoints, ALL, NOW, delivery=False, unneeded=True)
    assert not (past.checkpoints.images.objects / digest_of(b"left over")).exists()
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
