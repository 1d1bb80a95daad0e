"""An open configuration root: every path is opened beneath it.

Neither ``..`` nor a symlink that another process plants can lead out of it (``openat2`` with
RESOLVE_BENEATH and NO_SYMLINKS).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from confmig.adapters.files.beneath import open_beneath
from confmig.adapters.files.snapshot import ExchangeOptions
from confmig.errors import Refused

_PATIENCE = 50


class Root:
    """A directory that stays open. Use as a context manager."""

    def __init__(
        self, root: str, *, size_cap: int = 8 * 1024 * 1024, options: ExchangeOptions | None = None
    ) -> None:
        self.root = root
        self.size_cap = size_cap
        self.options = options or ExchangeOptions()
        self.replaced = False
        try:
            self.fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Refused(
                "target_unreadable",
                f"the root cannot be opened: {error.strerror}",
                place=root,
                fix="check the target's root in the settings, and its rights",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the root."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    @contextmanager
    def _folder_of(self, path: str) -> Iterator[int]:
        """The directory of a path, open while it is used: thousands of them must not add up."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        fd = open_beneath(self.fd, os.path.dirname(path) or ".", flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def _open(self, path: str, more: int = 0) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        for _ in range(_PATIENCE):
            try:
                return open_beneath(self.fd, path, flags, more)
            except BlockingIOError:  # another process holds a lease on it, as we do in ``rewrite``
                time.sleep(0.02)
        return open_beneath(self.fd, path, flags, more)

    def exists(self, path: str) -> bool:
        """Whether anything is there, a symlink that leads nowhere too."""
        try:
            with self._folder_of(path) as folder:
                return is_there(os.path.basename(path), folder)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def inode(self, path: str) -> int | None:
        """The inode that a name leads to, None if it does not exist."""
        try:
            with self._folder_of(path) as folder:
                return inode_of(os.path.basename(path), folder)
        except (FileNotFoundError, NotADirectoryError):
            return None


def inode_of(name: str, folder: int) -> int:
    """The inode of a name in an open directory."""
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino


def is_there(name: str, folder: int) -> bool:
    """Whether an open directory has a name, a symlink that leads nowhere too."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
