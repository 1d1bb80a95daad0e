"""Which filesystem a directory is on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from confmig.adapters.files.mounts import filesystem_of, is_network


def test_the_kernel_tells_what_a_directory_is_on() -> None:
    assert filesystem_of(Path("/proc")) == "proc"


def test_the_mount_is_found_by_its_device(tmp_path: Path) -> None:
    device = os.stat(tmp_path).st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 0:0 / / rw shared:1 - ext4 /dev/root rw\n"
        f"36 22 {name} / /mnt/with\\040space rw,noatime shared:7 master:2 - nfs4 host:/x rw\n"
    )
    assert filesystem_of(tmp_path, str(table)) == "nfs4"
    table.write_text("rubbish\n\n")
    assert filesystem_of(tmp_path, str(table)) is None
    assert filesystem_of(tmp_path, str(tmp_path / "absent")) is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "ceph"])
def test_files_elsewhere(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", None])
def test_files_here(kind: str | None) -> None:
    assert not is_network(kind)
