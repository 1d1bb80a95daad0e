"""Reading a file that people write: a settings file, a policy, a file of a bundle."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

LARGEST = 64 * 1024 * 1024


def read_plain(path: Path) -> bytes:
    """The content of a regular file of at most 64 MiB.

    Raises ``OSError`` also for anything else: opening a FIFO would wait for ever, and a device
    has no end.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    facts = os.fstat(fd)
    if not stat.S_ISREG(facts.st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    with open(fd, "rb") as file:
        data = file.read(LARGEST + 1) if facts.st_size <= LARGEST else b""
        if facts.st_size > LARGEST or len(data) > LARGEST:
            raise OSError(errno.EFBIG, "it is larger than 64 MiB", str(path))
        return data


def write_plain(path: Path, data: bytes) -> None:
    """Put a file with this content in the place of what is at the path.

    A link there is replaced, not followed. The mode of a regular file stays; a new one is 0644.
    Raises ``OSError``.
    """
    try:
        facts = os.lstat(path)
        mode = stat.S_IMODE(facts.st_mode) if stat.S_ISREG(facts.st_mode) else 0o644
    except FileNotFoundError:
        mode = 0o644
    fd, name = tempfile.mkstemp(prefix=".confmig-", dir=path.parent)
    try:
        with open(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
