"""The configuration directory: what is refused, what is kept, what an exchange does."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from confmig.adapters.files.beneath import walk
from confmig.adapters.files.content import digest_of
from confmig.adapters.files.disk import Disk
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.files.patterns import pattern
from confmig.errors import Refused

CAP = 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def disk(root: Path) -> Iterator[Disk]:
    with Disk(str(root), size_cap=CAP) as one:
        yield one


def refused(disk: Disk, path: str) -> str:
    with pytest.raises(Refused) as caught:
        disk.read(path)
    assert caught.value.place == path
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("*.yaml", ["a.yaml"], ["a.yml", ".yaml", "s/a.yaml", "a.yaml\n", "a.yaml.bak"]),
        ("s/?.yaml", ["s/a.yaml"], ["s/ab.yaml", "s//.yaml", "t/a.yaml"]),
        ("**/c.yaml", ["c.yaml", "x/c.yaml", "x/y/c.yaml"], ["cc.yaml", "x/c.yaml/y"]),
        ("s/**/c", ["s/c", "s/x/c"], ["c", "sc", "t/c"]),
        ("a+(b).yaml", ["a+(b).yaml"], ["aab.yaml"]),
    ],
)
def test_patterns(text: str, yes: list[str], no: list[str]) -> None:
    assert all(pattern(text).match(name) for name in yes)
    assert not any(pattern(text).match(name) for name in no)


def test_find_looks_below_but_not_through_links(disk: Disk, root: Path, tmp_path: Path) -> None:
    (root / "s" / "t").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("a.yaml", "s/b.yaml", "s/t/c.yaml", ".confmig-x-0.yaml"):
        (root / name).touch()
    (outside / "d.yaml").touch()
    (root / "link").symlink_to(outside)
    assert disk.find(["*.yaml"]) == ["a.yaml"]
    assert disk.find(["*.yaml", "s/*.yaml"]) == ["a.yaml", "s/b.yaml"]
    assert disk.find(["**/*.yaml"]) == ["a.yaml", "s/b.yaml", "s/t/c.yaml"]


def test_a_folder_that_goes_while_we_look_is_no_crash(
    disk: Disk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "s").mkdir()
    (root / "a.yaml").touch()
    real = os.scandir

    def scan(path: str) -> object:
        if path.rstrip("/").endswith("/s"):
            (root / "s").rmdir()
        return real(path)

    monkeypatch.setattr(os, "scandir", scan)
    assert disk.find(["**/*.yaml"]) == ["a.yaml"]


def test_a_link_is_never_followed(disk: Disk, root: Path, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x: 1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.yaml").write_text("x: 1\n")
    (root / "a.yaml").symlink_to(tmp_path / "real")
    (root / "b.yaml").symlink_to("nowhere")
    (root / "s").symlink_to(tmp_path / "folder")
    assert refused(disk, "a.yaml") == "symlink"
    assert refused(disk, "b.yaml") == "symlink"
    assert refused(disk, "s/a.yaml") == "symlink"
    assert disk.digest("a.yaml") is None


@pytest.mark.parametrize("path", ["../a.yaml", "s/../../a.yaml", "/etc/hostname"])
def test_no_path_leaves_the_root(disk: Disk, root: Path, tmp_path: Path, path: str) -> None:
    (root / "s").mkdir()
    (tmp_path / "a.yaml").write_text("x: 1\n")
    refused(disk, path)


@pytest.mark.parametrize("path", ["../a.yaml", "s/../../a.yaml", "s/a.yaml"])
def test_the_walk_by_hand_is_as_strict(disk: Disk, root: Path, tmp_path: Path, path: str) -> None:
    """What stands in for openat2 where the kernel lacks it."""
    (tmp_path / "a.yaml").write_text("x: 1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.yaml").write_text("x: 1\n")
    (root / "s").symlink_to(tmp_path / "folder")
    with pytest.raises(OSError):
        os.close(walk(disk.fd, path, os.O_RDONLY))


def test_what_is_no_plain_file_of_its_own_is_refused(disk: Disk, root: Path) -> None:
    (root / "folder.yaml").mkdir()
    os.mkfifo(root / "fifo.yaml")
    (root / "hard.yaml").write_text("x: 1\n")
    (root / "second").hardlink_to(root / "hard.yaml")
    (root / "suid.yaml").write_text("x: 1\n")
    (root / "suid.yaml").chmod(0o4644)
    (root / "big.yaml").write_bytes(b"#" * (CAP + 1))
    (root / "full.yaml").write_bytes(b"#" * CAP)
    assert refused(disk, "folder.yaml") == "not_a_file"
    assert refused(disk, "fifo.yaml") == "not_a_file"
    assert refused(disk, "hard.yaml") == "hard_link"
    assert refused(disk, "suid.yaml") == "setuid_file"
    assert refused(disk, "big.yaml") == "file_too_large"
    assert refused(disk, "missing.yaml") == "document_missing"
    assert len(disk.read("full.yaml").data) == CAP
    assert disk.digest("fifo.yaml") is None
    assert disk.digest("missing.yaml") is None


def test_a_socket_is_refused(disk: Disk, root: Path) -> None:
    os.mknod(root / "socket.yaml", stat.S_IFSOCK | 0o600)
    assert refused(disk, "socket.yaml") == "not_a_file"


def test_a_root_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        with pytest.raises(Refused) as caught:
            Disk(str(tmp_path / name))
        assert caught.value.code == "target_unreadable"


def test_a_snapshot_says_all(disk: Disk, root: Path) -> None:
    (root / "a.yaml").write_text("x: 1\n")
    (root / "a.yaml").chmod(0o640)
    seen = disk.read("a.yaml")
    assert seen.data == b"x: 1\n"
    assert seen.digest == digest_of(b"x: 1\n") == disk.digest("a.yaml")
    assert seen.metadata.mode == 0o640


def test_a_stage_has_the_metadata_of_its_target(disk: Disk, root: Path) -> None:
    file = root / "a.yaml"
    file.write_text("x: 1\n")
    owner = (65534, 65533) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(file, *owner)
    file.chmod(0o464)
    try:
        os.setxattr(file, "user.confmig", b"kept")
    except OSError:
        pytest.skip("no user attributes on this filesystem")
    before = os.umask(0o077)
    try:
        disk.stage(".confmig-t-0", b"x: 2\n", disk.read("a.yaml").metadata)
    finally:
        os.umask(before)
    made = root / ".confmig-t-0"
    assert made.read_bytes() == b"x: 2\n"
    assert made.stat().st_mode & 0o7777 == 0o464
    assert (made.stat().st_uid, made.stat().st_gid) == owner
    assert os.getxattr(made, "user.confmig") == b"kept"
    with pytest.raises(FileExistsError):
        disk.stage(".confmig-t-0", b"", Metadata(0o600, *owner))


def test_a_stage_does_not_write_through_a_link(disk: Disk, root: Path, tmp_path: Path) -> None:
    (root / ".confmig-t-0").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        disk.stage(".confmig-t-0", b"x", Metadata(0o600, os.geteuid(), os.getegid()))
    assert not (tmp_path / "victim").exists()


def test_an_exchange_swaps_inodes(disk: Disk, root: Path) -> None:
    (root / "s").mkdir()
    (root / "s" / "a.yaml").write_text("old")
    (root / "s" / ".confmig-t-0").write_text("new")
    old, new = ((root / "s" / n).stat().st_ino for n in ("a.yaml", ".confmig-t-0"))
    disk.exchange("s/.confmig-t-0", "s/a.yaml")
    assert (root / "s" / "a.yaml").read_text() == "new"
    assert disk.content("s/.confmig-t-0") == b"old"
    assert (root / "s" / "a.yaml").stat().st_ino == new
    assert (root / "s" / ".confmig-t-0").stat().st_ino == old
    disk.sync_dirs(["s/a.yaml", "b.yaml"])


def test_an_exchange_with_nothing_there_fails(disk: Disk, root: Path) -> None:
    (root / ".confmig-t-0").write_text("new")
    with pytest.raises(FileNotFoundError):
        disk.exchange(".confmig-t-0", "a.yaml")
    assert (root / ".confmig-t-0").read_text() == "new"


def test_only_our_own_temporaries_are_removed(disk: Disk, root: Path) -> None:
    (root / "a.yaml").touch()
    (root / ".confmig-t-0").touch()
    disk.unlink(".confmig-t-0")
    disk.unlink(".confmig-t-0")
    for path in ("a.yaml", "s/a.yaml"):
        with pytest.raises((RuntimeError, OSError)):
            disk.unlink(path)
    assert (root / "a.yaml").exists()


def test_no_descriptor_is_lost(root: Path) -> None:
    (root / "s").mkdir()
    (root / "s" / "a.yaml").write_text("x")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Disk(str(root)) as disk:
            disk.read("s/a.yaml")
            disk.digest("s/none")
            disk.sync_dirs(["s/a.yaml"])
            with pytest.raises(OSError):
                walk(disk.fd, "s/../../x", os.O_RDONLY)
            with pytest.raises(OSError):
                walk(disk.fd, "..", os.O_RDONLY)
    assert len(os.listdir("/proc/self/fd")) == before
