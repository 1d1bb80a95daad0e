"""The state directory: ours, and closed to others, before anything in it is believed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from confmig.adapters.files.durable import make_folder
from confmig.adapters.files.trust import User, mount_points, way_to
from confmig.errors import Fault, Invalid, Problem


def prepare(folder: Path, say: Callable[[str], None]) -> None:
    """Make the directory if it does not exist, and check it.

    Raises ``Invalid`` (``state_untrusted``) for one of another owner, for a link, and, as root,
    for one below a directory of another user; ``Fault`` (``state_unreadable``) if it cannot be
    made. A wider mode of a directory of ours is narrowed to 0700, and ``say`` gets a message
    about that.
    """
    user = User.me()
    _check_way(folder, user)
    try:
        make_folder(folder)
    except OSError as error:
        raise Fault(
            "state_unreadable",
            f"the state directory cannot be made: {error.strerror}",
            place=str(folder),
            fix="check its parent (rights, room, the disk), or set another state_dir",
        ) from None
    fd = _opened(folder)
    try:
        facts = os.fstat(fd)
        if facts.st_uid != user.uid:
            raise _untrusted(folder, f"it belongs to uid {facts.st_uid}, not to {user.uid}")
        for entry in os.scandir(fd):  # what others may have put there while it was open to them
            found = entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                raise _untrusted(folder, f"{entry.name} in it is a symbolic link")
            if found.st_uid not in (0, user.uid):
                raise _untrusted(folder, f"{entry.name} in it belongs to uid {found.st_uid}")
        if stat.S_IMODE(facts.st_mode) & 0o077:
            os.fchmod(fd, 0o700)
            say(f"the state directory {folder} was open to others; its mode is 0700 now")
    finally:
        os.close(fd)
    for above in open_ancestors(folder):
        say(f"others may write in {above}, above the state directory; only confmig should")


def check_same(folder: Path, fd: int) -> None:
    """Check that the path still leads to the directory that was opened.

    Raises ``Invalid`` (``state_untrusted``) if it does not: someone who may write above it
    exchanged it.
    """
    try:
        same = os.path.samestat(os.fstat(fd), os.lstat(folder))
    except FileNotFoundError:
        return  # whoever uses it next reports that
    if not same:
        raise _untrusted(folder, "another directory is at its path than when it was opened")


def open_ancestors(folder: Path) -> list[Path]:
    """The directories above the state that others can write in (a Kubernetes emptyDir).

    They are allowed, and reported.
    """
    parts = way_to(folder)[0][:-1]
    return [
        part.path
        for part in parts
        if stat.S_ISDIR(part.facts.st_mode)
        and part.facts.st_mode & (stat.S_IWOTH | stat.S_IWGRP)
        and not part.facts.st_mode & stat.S_ISVTX
    ]


def _check_way(folder: Path, user: User) -> None:
    """For root: nothing above the state may belong to another user, who could exchange it."""
    if user.uid != 0:
        return
    parts, error = way_to(folder)
    if error is not None and not isinstance(error, FileNotFoundError):
        raise _untrusted(folder, f"the way to it cannot be followed: {error.strerror}")
    for part in parts:
        if part.facts.st_uid != 0 and part.path != folder:
            raise _untrusted(folder, f"{part.path} belongs to uid {part.facts.st_uid}")


def _opened(folder: Path) -> int:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if folder.is_symlink():
            raise _untrusted(folder, "it is a symbolic link") from None
        raise Fault(
            "state_unreadable",
            f"the state directory cannot be opened: {error.strerror}",
            place=str(folder),
            fix="check its owner and rights, or set another state_dir",
        ) from None


def _untrusted(folder: Path, why: str) -> Invalid:
    fix = "set state_dir to a directory that confmig makes itself, below one of root or this user"
    if folder in mount_points():
        fix = f"set state_dir to a subdirectory of this volume, such as {folder}/state"
    message = f"the state directory is not confmig's own: {why}"
    problem = Problem("state_untrusted", str(folder), why, fix)
    return Invalid("state_untrusted", message, [problem], place=str(folder), fix=fix)
