"""Advisory locks on directories: one writer for a state, one for a configuration root.

The lock is taken on the directory itself; a lock file could be deleted under us.
"""

from __future__ import annotations

import fcntl
import os

from confmig.errors import LockHeld


class DirectoryLock:
    """An exclusive flock on a directory, held until ``close`` or the end of the process."""

    def __init__(self, path: str, what: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.fd)
            self.fd = -1
            raise LockHeld(
                "lock_held",
                f"another confmig works on this {what}",
                place=path,
                fix="talk to the running daemon, or wait until the other run has ended",
            ) from None

    def close(self) -> None:
        """Release the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
