"""Images and checkpoint files: private, written once, verified when read."""

from __future__ import annotations

import json
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.state.checkpoints import Checkpoints, Described
from confmig.adapters.state.packs import Packs
from confmig.adapters.state.records import FilePlan
from confmig.errors import Fault, Refused
from tests.support.planned import store_images

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    one = Checkpoints(tmp_path)
    one.prepare()
    return one


def test_images_are_found_by_their_hash_and_private(checkpoints: Checkpoints) -> None:
    store_images(checkpoints, [b"old", b"new", b"old", b""], "tx")
    for data in (b"old", b"new", b""):
        assert checkpoints.image(digest_of(data)) == data
    assert len(list(checkpoints.images.objects.iterdir())) == 3
    for path in checkpoints.images.objects.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (checkpoints.images.objects, checkpoints.folder, checkpoints.rescue):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_image_that_is_there_is_not_written_again(checkpoints: Checkpoints) -> None:
    store_images(checkpoints, [b"old"], "tx")
    [path] = checkpoints.images.objects.iterdir()
    was = path.stat()
    store_images(checkpoints, [b"old"], "tx")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (was.st_ino, was.st_mtime_ns)


def test_a_damaged_image_that_is_put_again_is_repaired(checkpoints: Checkpoints) -> None:
    """A torn object (a power cut of an odd disk) must not poison the next transaction."""
    (checkpoints.images.objects / digest_of(b"old")).write_bytes(b"ol")
    store_images(checkpoints, [b"old"], "tx")
    assert checkpoints.image(digest_of(b"old")) == b"old"


def test_a_missing_or_damaged_image_is_a_fault(checkpoints: Checkpoints) -> None:
    store_images(checkpoints, [b"old"], "tx")
    with pytest.raises(Fault) as caught:
        checkpoints.image(digest_of(b"none"))
    assert caught.value.code == "object_missing"
    (checkpoints.images.objects / digest_of(b"old")).write_bytes(b"OLD")
    with pytest.raises(Fault) as caught:
        checkpoints.image(digest_of(b"old"))
    assert caught.value.code == "object_corrupt"


def test_what_a_crash_left_half_written_is_dropped(checkpoints: Checkpoints) -> None:
    for folder in (checkpoints.images.objects, checkpoints.folder, checkpoints.rescue):
        (folder / "tmp-x").write_bytes(b"half")
    checkpoints.prepare()
    assert not list(checkpoints.images.objects.parent.rglob("tmp-*"))


def file(path: str, old: str, new: str) -> FilePlan:
    metadata = Metadata(0o644, 0, 0)
    return FilePlan(path, "t", "app", "yaml", old, new, 1, 2, ("0001_x",), metadata)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_checkpoint_is_read_back(checkpoints: Checkpoints, count: int) -> None:
    """A line for each file, and no content of any."""
    with checkpoints.begin("t1", "app", ("0001_x",), 2 * count, NOW) as writer:
        files = []
        for n in range(count):
            old, new = writer.image(b"secret %d" % n), writer.image(b"new %d" % n)
            files.append(file(f"{n}.yaml", old, new))
            writer.file(files[-1])
        path = writer.close()
    assert checkpoints.transaction_of(path) == "t1"
    assert list(checkpoints.described(path)) == [Described.of(f) for f in files]
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert len(Path(path).read_bytes().splitlines()) == 1 + count
    assert b"secret" not in Path(path).read_bytes()
    for one in files:
        assert checkpoints.image(one.old).startswith(b"secret")


def test_a_checkpoint_that_is_given_up_leaves_nothing_named(checkpoints: Checkpoints) -> None:
    with checkpoints.begin("t1", "app", (), 1000, NOW) as writer:
        writer.file(file("a.yaml", writer.image(b"old"), writer.image(b"new")))
    for folder in (checkpoints.folder, checkpoints.images.packs_folder):
        assert not list(folder.iterdir())


def test_a_checkpoint_of_an_older_program_is_read(checkpoints: Checkpoints) -> None:
    one = {"path": "a", "old": "o", "new": "n", "before": 1, "after": 2}
    data = {"format": 1, "transaction": "t1", "files": [one | {"config": "app", "changes": []}]}
    path = checkpoints.folder / "t1.json"
    path.write_text(json.dumps(data))
    assert checkpoints.transaction_of(str(path)) == "t1"
    assert list(checkpoints.described(str(path))) == [Described.from_json(one)]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_checkpoint_is_refused(
    checkpoints: Checkpoints, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refused) as caught:
        checkpoints.transaction_of(str(path))
    assert caught.value.code == "checkpoint_unreadable"


def test_rescued_bytes_are_all_kept(checkpoints: Checkpoints) -> None:
    """Two late writers of one temporary: the second must not vanish behind the first."""
    checkpoints.save_rescue(".confmig-t-0", b"one")
    checkpoints.save_rescue(".confmig-t-0", b"two")
    assert {p.read_bytes() for p in checkpoints.rescue.iterdir()} == {b"one", b"two"}


def test_a_rescued_file_may_have_any_name(checkpoints: Checkpoints) -> None:
    """As long as a path may be, and like one of our own half-written ones."""
    for name in ("tmp-app.yaml", "x" * 250, "\u00e4" * 200):
        checkpoints.save_rescue(name, b"theirs")
    checkpoints.prepare()
    assert [f.read_bytes() for f in checkpoints.rescue.iterdir()] == [b"theirs"] * 3


def test_a_pack_that_was_not_written_whole_takes_no_image_from_another(
    checkpoints: Checkpoints,
) -> None:
    images = [b"image %d" % n for n in range(100)]
    store_images(checkpoints, images, "A")
    half = checkpoints.images.writer("B", 100)
    for image in images:
        half.add(image)
    half.discard()
    needed = {digest_of(image) for image in images}
    for _ in range(2):
        assert checkpoints.images.drop(needed.__contains__) == 0
    assert [checkpoints.image(digest_of(image)) for image in images] == images
    assert [p.name for p in checkpoints.images.packs_folder.iterdir()] == ["A"]


def test_a_pack_finds_every_image_and_no_other(checkpoints: Checkpoints) -> None:
    """Also an empty one, an equal one, and one that is larger than a buffer."""
    images = [b"", *(b"%d" % n * n for n in range(200)), b"x" * 3_000_000, b""]
    store_images(checkpoints, images, "A")
    for image in images:
        assert checkpoints.image(digest_of(image)) == image
        assert checkpoints.images.size_of(digest_of(image)) == len(image)
    with pytest.raises(Fault) as caught:
        checkpoints.image(digest_of(b"none"))
    assert caught.value.code == "object_missing"
    assert checkpoints.images.drop(lambda digest: False) == len(set(images))


def test_a_damaged_image_in_a_pack_is_a_fault(checkpoints: Checkpoints) -> None:
    store_images(checkpoints, [b"image %d" % n for n in range(100)], "A")
    [pack] = checkpoints.images.packs_folder.iterdir()
    data = bytearray(pack.read_bytes())
    data[3] ^= 1
    pack.write_bytes(data)
    with pytest.raises(Fault) as caught:
        checkpoints.image(digest_of(b"image 0"))
    assert caught.value.code == "object_corrupt"


def test_a_pack_of_an_older_program_is_read(checkpoints: Checkpoints) -> None:
    """A line of JSON, and the images behind it."""
    images = [b"one", b"two", b""]
    index, at = [], 0
    for image in images:
        index.append((digest_of(image), at, len(image)))
        at += len(image)
    head = json.dumps({"format": 1, "images": index}).encode() + b"\n"
    (checkpoints.images.packs_folder / "old").write_bytes(head + b"".join(images))
    for image in images:
        assert checkpoints.image(digest_of(image)) == image
    assert checkpoints.images.drop(lambda digest: digest == digest_of(b"two")) == 0
    assert checkpoints.images.drop(lambda digest: False) == 3


@contextmanager
def a_full_disk(room: int) -> Iterator[None]:
    """No file of this process grows beyond ``room`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("number", [10, 1000])
def test_a_checkpoint_that_does_not_fit_leaves_nothing(
    checkpoints: Checkpoints, number: int
) -> None:
    """Closing the files of a full disk fails, too; the first error is the one that counts."""
    made = checkpoints.begin("tx", "app", ["0001_m"], number, NOW)

    def write() -> None:
        for n in range(1000):
            made.image(b"%d" % n * 1000)

    with a_full_disk(2000):
        with pytest.raises(OSError, match="File too large"):
            write()
        made.__exit__()
    assert list(checkpoints.images.packs_folder.iterdir()) == []
    assert list(checkpoints.folder.iterdir()) == []


def test_packs_are_listed_again_only_for_an_image_that_no_known_pack_has(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pack in "ABC":
        store_images(checkpoints, [f"{pack} {n}".encode() for n in range(100)], pack)
    listings = []
    real = Packs.all

    def counted(self: Packs) -> list[Path]:
        listings.append(1)
        return real(self)

    monkeypatch.setattr(Packs, "all", counted)
    for n in range(100):
        for pack in "ACB":
            data = f"{pack} {n}".encode()
            assert checkpoints.image(digest_of(data)) == data
    assert len(listings) == 1
    store_images(checkpoints, [b"D %d" % n for n in range(100)], "D")
    assert checkpoints.image(digest_of(b"D 7")) == b"D 7"
    assert len(listings) == 2
    checkpoints.images.drop(lambda digest: digest == digest_of(b"A 1"))
    with pytest.raises(Fault) as caught:
        checkpoints.image(digest_of(b"D 7"))
    assert caught.value.code == "object_missing"
    assert checkpoints.image(digest_of(b"A 1")) == b"A 1"
