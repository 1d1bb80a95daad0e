"""Is a path one that only root or this user can change? What confmig obeys must be such.

A path is walked from the root on: once a directory is known to be changed by no one else, what is
found in it cannot be replaced between the look and the use. Settings, policies and bundles are
checked on every part of the way; the state directory must belong to this user.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from confmig.errors import Invalid, Problem

_LINKS = 40


@dataclass(frozen=True, slots=True)
class User:
    """Who asks: effective uid and gid."""

    uid: int
    gid: int

    @classmethod
    def me(cls) -> User:
        """This process."""
        return cls(os.geteuid(), os.getegid())


@dataclass(frozen=True, slots=True)
class Part:
    """One directory, link or file on the way to a path."""

    path: Path
    facts: os.stat_result

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.facts.st_mode)


def way_to(path: Path) -> tuple[list[Part], OSError | None]:
    """Every part of a path from the root on, links followed, up to one that cannot be looked at.

    Also returns why that one cannot be looked at.
    """
    here = Path("/")
    out: list[Part] = []
    rest = list(path.absolute().parts[1:])
    links = 0
    try:
        out.append(Part(here, os.lstat(here)))
        while rest:
            name = rest.pop(0)
            if name == "..":
                here = here.parent
                continue
            found = Part(here / name, os.lstat(here / name))
            out.append(found)
            if not found.is_link:
                here = found.path
                continue
            links += 1
            if links > _LINKS:
                raise OSError(errno.ELOOP, "too many links", str(path))
            target = Path(os.readlink(found.path))
            rest = [*(target.parts[1:] if target.is_absolute() else target.parts), *rest]
            here = Path("/") if target.is_absolute() else here
    except OSError as error:
        return out, error
    return out, None


def problem(path: Path, user: User, mounts: frozenset[Path] | None = None) -> str:
    """Why a path cannot be trusted, as a sentence that names the part; empty if it can.

    What is not there below parts that are trusted is not a problem: only we could put something
    there.
    """
    parts, error = way_to(path)
    excused = _excused(parts, user, mount_points() if mounts is None else mounts)
    groups = {user.gid} if user.uid != 0 else set()
    if excused:  # the group of a volume writes in it (fsGroup of Kubernetes)
        groups.add(parts[excused - 1].facts.st_gid)
    for number, part in enumerate(parts):
        owner = part.facts.st_uid
        if owner not in (0, user.uid):
            if user.uid == 0 or number >= excused:
                return f"{part.path} belongs to uid {owner}"
        elif number >= excused and not part.is_link and _writable_by_others(part.facts, groups):
            who = "everybody" if part.facts.st_mode & stat.S_IWOTH else "its group"
            return f"{part.path} is writable by {who}"
    if error is not None and not isinstance(error, FileNotFoundError | PermissionError):
        return f"the way to {path} cannot be followed: {error.strerror}"
    return ""


def _writable_by_others(facts: os.stat_result, groups: set[int]) -> bool:
    mode = facts.st_mode
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        return False
    if mode & stat.S_IWOTH:
        return True
    return bool(mode & stat.S_IWGRP) and facts.st_gid not in groups


def _excused(parts: list[Part], user: User, mounts: frozenset[Path]) -> int:
    """How many of the first parts are trusted because a volume begins below them.

    Such a volume is read-only here, or its root belongs to root and no one else can write the
    last part of the path in it.
    """
    if not parts:
        return 0
    last = parts[-1]
    safe = last.facts.st_uid in (0, user.uid) and not last.facts.st_mode & stat.S_IWOTH
    for number in range(len(parts) - 1, 0, -1):
        part = parts[number]
        if part.path not in mounts or part.is_link:
            continue
        read_only = bool(os.statvfs(part.path).f_flag & os.ST_RDONLY)
        if read_only or (part.facts.st_uid == 0 and safe and part is not last):
            return number + 1
    return 0


def mount_points(table: str = "/proc/self/mountinfo") -> frozenset[Path]:
    """Where filesystems are mounted, as far as the kernel tells."""
    try:
        lines = Path(table).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return frozenset()
    fields = [line.split() for line in lines]
    return frozenset(Path(_unescaped(f[4])) for f in fields if len(f) > 4)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), text)


def check(code: str, what: str, paths: Iterable[Path]) -> None:
    """Raises ``Invalid`` (``code``) for the first of the paths that others can change."""
    user, mounts = User.me(), mount_points()
    for path in paths:
        why = problem(path, user, mounts)
        if why:
            raise untrusted(code, what, path, why)


def check_shared(code: str, what: str, paths: Iterable[Path]) -> None:
    """The same where files of any owner are taken (a checkout in a CI job).

    They must not be writable by everybody.
    """
    for path in paths:
        try:
            facts = os.stat(path)
        except OSError:
            continue
        sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
        if facts.st_mode & stat.S_IWOTH and not sticky:
            raise untrusted(code, what, path, f"{path} is writable by everybody")


def untrusted(code: str, what: str, path: Path, why: str) -> Invalid:
    """The refusal of something that others can change."""
    fix = (
        "let it and every directory above it belong to root or to this user, and be writable by "
        "no one else"
    )
    message = f"the {what} can be changed by others: {why}"
    return Invalid(code, message, [Problem(code, str(path), why, fix)], place=str(path), fix=fix)
