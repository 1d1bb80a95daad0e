"""Opening a path beneath a directory: neither ``..`` nor a symlink on the way leads out of it."""

from __future__ import annotations

import ctypes
import errno
import os

NO_MOUNTS = 1
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 2, 4, 8
_OPENAT2 = 437
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_beneath(root: int, path: str, flags: int, more: int = 0) -> int:
    """Open a path beneath a directory with ``openat2``.

    With ``NO_MOUNTS`` a path that crosses a mount, or may cross one, fails with EXDEV. Raises
    ``OSError``; ELOOP is a symlink, EXDEV a path that leads out.
    """
    how = _OpenHow(flags, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS | more)
    fd = _libc.syscall(_OPENAT2, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    if fd >= 0:
        return int(fd)
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EPERM):
        if more:
            raise OSError(errno.EXDEV, "a mount on the way cannot be seen at once", path)
        return walk(root, path, flags)
    raise OSError(code, os.strerror(code), path)


def walk(root: int, path: str, flags: int) -> int:
    """``openat2`` by hand, for kernels (or sandboxes) without it."""
    *folders, last = path.split("/")
    here = os.dup(root)
    try:
        if ".." in (*folders, last):
            raise OSError(errno.EXDEV, "the path leaves the root", path)
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        return os.open(last, flags | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def mount_of(fd: int) -> str:
    """The kernel's number of the mount that an open file is on."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
        return next(line.split()[1] for line in info if line.startswith("mnt_id:"))
