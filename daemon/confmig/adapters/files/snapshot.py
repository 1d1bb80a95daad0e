"""What is known of a file that was read, and what the operator allows to be done with files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confmig.adapters.files.lease import Writers
from confmig.adapters.files.metadata import Metadata

PREFIX = ".confmig-"
"""The names of all our temporaries begin with it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What changes when another process writes to a file or replaces it; times in nanoseconds."""

    inode: int
    size: int
    mtime: int
    ctime: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Signature:
        """The signature of a file's facts."""
        return cls(facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One file as it was read.

    Content, its SHA-256 and metadata, and whether it is a mount of its own. ``writers``:
    whether another process had it open for writing, or changed it while it was read; ``writer``
    names that process where /proc shows it.
    """

    path: str
    data: bytes
    digest: str
    metadata: Metadata
    mounted: bool = False
    writers: Writers = Writers.NONE
    signature: Signature = Signature(0, 0, 0, 0)
    writer: str | None = None


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """What the operator allows beyond the exchange of single files.

    ``weak``: link and rename where the filesystem cannot exchange. ``mounted``: write into files
    that are mounts of their own. ``directory``: exchange the directory of several files instead.
    ``open_files``: exchange files that another process has open for writing.
    """

    weak: bool = False
    mounted: bool = False
    directory: bool = False
    open_files: bool = False


def is_ours(path: str) -> bool:
    """Whether a name below the root is a temporary of ours, or in one."""
    return any(part.startswith(PREFIX) for part in path.split("/"))


@contextmanager
def about(path: str) -> Iterator[None]:
    """An error of the system inside the ``with`` block names this file, not a temporary name."""
    try:
        yield
    except OSError as error:
        error.filename = path
        raise
