"""Images and checkpoint files: private, written once, verified when read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from confmig.adapters.files.disk import digest_of
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.errors import Fault, Refused


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    one = Checkpoints(tmp_path)
    one.prepare()
    return one


def test_images_are_found_by_their_hash_and_private(checkpoints: Checkpoints) -> None:
    checkpoints.put([b"old", b"new", b"old", b""], "tx")
    for data in (b"old", b"new", b""):
        assert checkpoints.image(digest_of(data)) == data
    assert len(list(checkpoints.objects.iterdir())) == 3
    for path in checkpoints.objects.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (checkpoints.objects, checkpoints.folder, checkpoints.rescue):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_image_that_is_there_is_not_written_again(checkpoints: Checkpoints) -> None:
    checkpoints.put([b"old"], "tx")
    [path] = checkpoints.objects.iterdir()
    was = path.stat()
    checkpoints.put([b"old"], "tx")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (was.st_ino, was.st_mtime_ns)


def test_a_damaged_image_that_is_put_again_is_mended(checkpoints: Checkpoints) -> None:
    """A torn object (a power cut of an odd disk) must not poison the next transaction."""
    (checkpoints.objects / digest_of(b"old")).write_bytes(b"ol")
    checkpoints.put([b"old"], "tx")
    assert checkpoints.image(digest_of(b"old")) == b"old"


def test_a_missing_or_damaged_image_is_a_fault(checkpoints: Checkpoints) -> None:
    checkpoints.put([b"old"], "tx")
    with pytest.raises(Fault) as caught:
        checkpoints.image(digest_of(b"none"))
    assert caught.value.code == "object_missing"
    (checkpoints.objects / digest_of(b"old")).write_bytes(b"OLD")
    with pytest.raises(Fault) as caught:
        checkpoints.image(digest_of(b"old"))
    assert caught.value.code == "object_corrupt"


def test_what_a_crash_left_half_written_is_dropped(checkpoints: Checkpoints) -> None:
    for folder in (checkpoints.objects, checkpoints.folder, checkpoints.rescue):
        (folder / "tmp-x").write_bytes(b"half")
    checkpoints.prepare()
    assert not list(checkpoints.objects.parent.rglob("tmp-*"))


def test_a_checkpoint_is_read_back(checkpoints: Checkpoints) -> None:
    path = checkpoints.save("t1", {"transaction": "t1", "files": []})
    assert checkpoints.load(path) == {"transaction": "t1", "files": []}
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_checkpoint_is_refused(
    checkpoints: Checkpoints, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refused) as caught:
        checkpoints.load(str(path))
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
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [b"image %d" % n for n in range(100)]
    checkpoints.put(images, "A")
    real, written = os.write, [0]

    def write(fd: int, data: bytes) -> int:
        if written[0] > 1:
            raise OSError(27, "File too large")
        written[0] += 1
        return real(fd, bytes(data[: len(data) // 2]))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="too large"):
        checkpoints.put(images, "B")
    monkeypatch.setattr(os, "write", real)
    needed = {digest_of(image) for image in images}
    for _ in range(2):
        assert checkpoints.drop_images(needed) == 0
    assert [checkpoints.image(digest_of(image)) for image in images] == images
    assert [p.name for p in checkpoints.packs.iterdir()] == ["A"]
