"""Which filesystem a directory is on, as /proc/self/mountinfo tells."""

from __future__ import annotations

import os
from pathlib import Path

NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "lustre", "glusterfs", "ocfs2")
)
_REMOTE_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.ceph", "fuse.nfs")


def filesystem_of(folder: Path, table: str = "/proc/self/mountinfo") -> str | None:
    """The type of a directory's filesystem, such as ``ext4``; None if it is not known."""
    device = os.stat(folder).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path(table).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) > 6 and fields[2] == wanted and "-" in fields:
            return fields[fields.index("-") + 1]
    return None


def is_network(kind: str | None) -> bool:
    """Whether files of that filesystem live on another machine.

    Locks and SQLite's log cannot be trusted there.
    """
    return kind is not None and (kind in NETWORK or kind.startswith(_REMOTE_FUSE))


def is_remote(folder: Path) -> bool:
    """Whether others may change the files of a directory from another machine.

    The kernel here does not report such changes. False for a directory that does not exist.
    """
    try:
        return is_network(filesystem_of(folder))
    except OSError:
        return False
