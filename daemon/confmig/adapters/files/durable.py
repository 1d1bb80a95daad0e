"""Making things durable, or failing for good: an fsync that failed is never tried again."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from confmig.errors import Unfinished

_libc = ctypes.CDLL(None, use_errno=True)


class FsyncFailed(Unfinished):
    """The kernel could not make something durable. Never retried in this process."""


def fsync(fd: int) -> None:
    """Make a file or directory durable, or fail for good.

    After a failed fsync the kernel may have dropped the pages, so a second one that succeeds
    proves nothing.
    """
    try:
        os.fsync(fd)
    except OSError as error:
        raise _fsync_failed(error) from error


def _fsync_failed(error: OSError) -> FsyncFailed:
    return FsyncFailed(
        "fsync_failed",
        f"the disk did not take the data: {error.strerror}",
        fix="check the disk, then run again: the transaction is finished or undone first",
    )


def discard(file: BinaryIO, path: Path) -> None:
    """Close and remove a file that was being written.

    On a full disk closing fails, too: its buffer has no room. That, and a file that cannot be
    removed, stop nothing.
    """
    with suppress(OSError):
        file.close()
    with suppress(OSError):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(fd: int) -> None:
    """Make everything durable on the filesystem of an open file, as ``fsync`` does for one."""
    if _libc.syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise _fsync_failed(OSError(code, os.strerror(code)))


def make_folder(folder: Path) -> None:
    """Make a directory of our own (0700), and every name on the way durable."""
    made = []
    for part in (folder, *folder.parents):
        if part.exists():
            break
        made.append(part)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in made:
        sync_folder(part.parent)


def write_once(folder: Path, name: str, data: bytes) -> bool:
    """Write a private file (0600) that never changes; its content is durable, its name is not yet.

    False if it is there already.
    """
    target = folder / name
    if target.exists():
        return False
    temporary = folder / f"tmp-{name}"
    fd = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        fsync(fd)
    except BaseException:
        temporary.unlink(missing_ok=True)  # a half-written file is useless
        raise
    finally:
        os.close(fd)
    temporary.rename(target)
    return True
