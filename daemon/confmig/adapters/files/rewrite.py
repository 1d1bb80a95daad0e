"""Writing into a file that cannot be exchanged, because it is a mount of its own.

A write lease of the kernel makes it safe while we live: it is granted only if no one else has the
file open, and whoever opens it meanwhile waits until we are done. So no reader sees half a file,
and no edit comes in between. A crash in the midst leaves a file that is partly new: the images
are in the state, and recovery writes one of them (``core.transaction.torn`` tells such a file
from an edit).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable

from confmig.adapters.files.content import read_all
from confmig.adapters.files.durable import fsync
from confmig.adapters.files.lease import quiet_leases, set_lease
from confmig.adapters.files.metadata import Metadata, metadata_of
from confmig.errors import Busy, Refused, Unfinished

WAIT = 1.0
"""Seconds to wait for others to close the file."""
_LOOK = 0.02


def check(fd: int, path: str, pause: Callable[[float], None]) -> None:
    """Raise the error that ``rewrite`` would raise now.

    The file is open to read only, so that no one who watches it takes that for a change.
    """
    _lease(fd, path, pause)
    if not os.access(f"/proc/self/fd/{fd}", os.W_OK, effective_ids=True):
        read_only = os.fstatvfs(fd).f_flag & os.ST_RDONLY
        code = errno.EROFS if read_only else errno.EACCES
        raise OSError(code, os.strerror(code), path)


def rewrite(
    fd: int,
    path: str,
    choose: Callable[[bytes, Metadata], bytes | None],
    pause: Callable[[float], None],
) -> bool:
    """Write what ``choose`` makes of an open file's content, durably; False if that is None.

    Raises ``Busy`` (``target_busy``) if the file is kept open, ``Refused`` (``no_lease``)
    where the kernel gives no leases, ``OSError`` if nothing was changed, and ``Unfinished`` if
    the file may be half-written.
    """
    _lease(fd, path, pause)
    held = read_all(fd, os.fstat(fd).st_size)
    data = choose(held, metadata_of(fd))
    if data is None:
        return False
    try:
        _put(fd, data)
    except OSError:
        _put_back(fd, held, path)
        raise
    fsync(fd)
    return True


def _lease(fd: int, path: str, pause: Callable[[float], None]) -> None:
    quiet_leases(fd)
    waited = 0.0
    while True:
        try:
            set_lease(fd, fcntl.F_WRLCK)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EBUSY):
                raise Refused(
                    "no_lease",
                    f"a mounted file is written only under a lease: {error.strerror}",
                    place=path,
                    fix="run as the file's owner, or mount the directory instead of the file",
                ) from None
        else:
            return
        if waited >= WAIT:
            raise Busy(
                "target_busy",
                "another process keeps the file open, and it cannot be exchanged",
                place=path,
                fix="let that process close it (a restart of the service), or mount the directory "
                "instead of the file",
            )
        pause(_LOOK)
        waited += _LOOK


def _put(fd: int, data: bytes) -> None:
    at = 0
    while at < len(data):
        at += os.pwrite(fd, data[at:], at)
    os.ftruncate(fd, len(data))


def _put_back(fd: int, held: bytes, path: str) -> None:
    """The disk did not take the new content: the old one must be there again."""
    try:
        _put(fd, held)
        fsync(fd)
    except OSError as error:
        raise Unfinished(
            "rewrite_failed",
            f"the file may be half-written: {error.strerror}",
            place=path,
            fix="repair the disk, then run again; that finishes or undoes the transaction first",
        ) from error
