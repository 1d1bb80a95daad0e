"""Owner, mode and extended attributes (ACLs and labels are such): read from one file, put on
another."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file has besides its content."""

    mode: int
    uid: int
    gid: int
    xattrs: dict[str, str] = field(default_factory=dict)


def metadata_of(fd: int) -> Metadata:
    """What an open file has."""
    facts = os.fstat(fd)
    xattrs = {name: os.getxattr(fd, name).hex() for name in sorted(os.listxattr(fd))}
    return Metadata(stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, xattrs)


def dress(fd: int, metadata: Metadata) -> None:
    """Give an open file an owner, a mode and attributes. What is there besides goes."""
    facts = os.fstat(fd)
    if (facts.st_uid, facts.st_gid) != (metadata.uid, metadata.gid):
        os.fchown(fd, metadata.uid, metadata.gid)
    for key in os.listxattr(fd):  # the directory's default ACL must not open the file
        if key not in metadata.xattrs:
            os.removexattr(fd, key)
    for key, value in metadata.xattrs.items():
        os.setxattr(fd, key, bytes.fromhex(value))
    os.fchmod(fd, metadata.mode)


@lru_cache(maxsize=1)
def may_chown() -> bool:
    """Whether this process may give a file to another owner."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            effective = next(line for line in status if line.startswith("CapEff:"))
        return bool(int(effective.split()[1], 16) & 1)
    except (OSError, StopIteration, ValueError):
        return os.geteuid() == 0
