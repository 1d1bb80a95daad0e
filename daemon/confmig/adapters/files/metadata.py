"""Owner, mode and extended attributes (ACLs and labels are such).

They are read from one file and put on another.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

CAPABILITIES = "security.capability"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file has besides its content."""

    mode: int
    uid: int
    gid: int
    xattrs: dict[str, str] = field(default_factory=dict)

    @property
    def gives_privileges(self) -> bool:
        """Whether a file with it runs with other rights than those of the user who starts it."""
        return bool(self.mode & (stat.S_ISUID | stat.S_ISGID)) or CAPABILITIES in self.xattrs

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"mode": self.mode, "uid": self.uid, "gid": self.gid, "xattrs": self.xattrs}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Metadata:
        """The inverse of ``to_json``."""
        return cls(data["mode"], data["uid"], data["gid"], dict(data["xattrs"]))


def has_capabilities(fd: int) -> bool:
    """Whether an open file has capabilities, as a program has."""
    try:
        return bool(os.getxattr(fd, CAPABILITIES))
    except OSError:
        return False


def metadata_of(fd: int) -> Metadata:
    """What an open file has."""
    facts = os.fstat(fd)
    names = [name for name in sorted(os.listxattr(fd)) if name != CAPABILITIES]
    xattrs = {name: os.getxattr(fd, name).hex() for name in names}
    return Metadata(stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, xattrs)


def dress(fd: int, metadata: Metadata) -> None:
    """Give an open file an owner, a mode and attributes.

    Attributes that are not listed are removed. A regular file never gets set-uid, set-gid or
    capabilities, whatever is asked for.
    """
    facts = os.fstat(fd)
    mode, xattrs = metadata.mode, metadata.xattrs
    if stat.S_ISREG(facts.st_mode):
        mode &= ~(stat.S_ISUID | stat.S_ISGID)
        xattrs = {key: value for key, value in xattrs.items() if key != CAPABILITIES}
    if (facts.st_uid, facts.st_gid) != (metadata.uid, metadata.gid):
        os.fchown(fd, metadata.uid, metadata.gid)
    for key in os.listxattr(fd):  # the directory's default ACL must not open the file
        if key not in xattrs:
            os.removexattr(fd, key)
    for key, value in xattrs.items():
        os.setxattr(fd, key, bytes.fromhex(value))
    os.fchmod(fd, mode)


@lru_cache(maxsize=1)
def may_chown() -> bool:
    """Whether this process may give a file to another owner."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            effective = next(line for line in status if line.startswith("CapEff:"))
        return bool(int(effective.split()[1], 16) & 1)
    except (OSError, StopIteration, ValueError):
        return os.geteuid() == 0
