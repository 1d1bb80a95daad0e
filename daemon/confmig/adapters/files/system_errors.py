"""What the operating system's errors mean, and what to do: one table for all of confmig."""

from __future__ import annotations

import errno

from confmig.errors import ConfmigError, Fault

IO_ERROR = "io_error"

NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))
"""The disk or the quota is full."""

FIXES = {
    errno.ENOSPC: "make room on the disk, then run again",
    errno.EDQUOT: "make room in the quota, then run again",
    errno.EMFILE: "allow more open files, then run again",
    errno.EACCES: "check the rights of the file and its directory",
    errno.EPERM: "check owner and attributes of the file and its directory",
    errno.EROFS: "mount it writable",
}
_OTHER = "check the disk and the directory, then run again"


def as_error(error: ConfmigError | OSError) -> ConfmigError:
    """An operating system's error as a ``Fault`` (``io_error``) with its fix.

    An error of ours is returned unchanged.
    """
    if isinstance(error, ConfmigError):
        return error
    return Fault(
        IO_ERROR,
        f"the system said: {error.strerror or error}",
        place=str(error.filename or ""),
        fix=FIXES.get(error.errno or 0, _OTHER),
    )
