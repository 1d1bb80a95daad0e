"""What passes and transactions need of a configuration root.

``disk.Disk`` is the root of a Linux filesystem. The tests have a second implementation in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from confmig.adapters.files.lease import Writers
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.files.snapshot import ExchangeOptions, Snapshot


class Lease(Protocol):
    """A promise that no writer opens a file; see ``lease.ReadLease``."""

    @property
    def writers(self) -> Writers:
        """Whether another process had the file open for writing."""

    def broken(self) -> bool:
        """Whether a writer came since, and waits."""


class HeldFile(Protocol):
    """A target that is open under a lease; see ``reader.Held``."""

    @property
    def lease(self) -> Lease:
        """The lease."""

    @property
    def inode(self) -> int:
        """The inode, which identifies the file whatever its name is."""

    def digest(self) -> str:
        """The hash of its content."""

    def metadata(self) -> Metadata:
        """What it has besides its content."""


class FileSystem(Protocol):
    """An open configuration root. Paths are relative to it. Errors of the system are ``OSError``.

    The docstrings of ``reader.Reader`` and ``disk.Disk`` say what each method promises.
    """

    options: ExchangeOptions
    replaced: bool
    """Whether a file was replaced without an exchange."""

    # --- looking

    def find(self, patterns: Sequence[str]) -> list[str]: ...

    def temporaries(self, patterns: Sequence[str]) -> list[str]: ...

    def read(self, path: str) -> Snapshot: ...

    def read_only(self) -> bool: ...

    def is_folder(self, path: str) -> bool: ...

    def changed_at(self, path: str) -> datetime: ...

    def exists(self, path: str) -> bool: ...

    def digest(self, folder_and_name: str) -> str | None: ...

    def metadata(self, path: str) -> Metadata | None: ...

    def content(self, path: str) -> bytes: ...

    def inode(self, path: str) -> int | None: ...

    def writers(self, path: str) -> Writers: ...

    def hold(self, path: str) -> AbstractContextManager[HeldFile]: ...

    # --- changing files

    def stage(
        self, path: str, data: bytes, metadata: Metadata, *, durable: bool = True
    ) -> None: ...

    def exchange(self, a: str, b: str) -> None: ...

    def finish_exchange(self, a: str) -> None: ...

    def rename(self, a: str, b: str) -> None: ...

    def unlink(self, path: str) -> None: ...

    def check_rewritable(self, path: str, pause: Callable[[float], None]) -> None: ...

    def rewrite(
        self,
        path: str,
        choose: Callable[[bytes, Metadata], bytes | None],
        pause: Callable[[float], None],
    ) -> bool: ...

    def sync_dirs(self, paths: Iterable[str], *, gone_is_fine: bool = False) -> None: ...

    def sync_all(self, paths: Iterable[str], *, gone_is_fine: bool = False) -> None: ...

    # --- changing directories

    def entries(self, folder: str) -> dict[str, int]: ...

    def make_folder(self, path: str) -> None: ...

    def remove_folder(self, path: str) -> None: ...

    def open_up(self, path: str) -> None: ...

    def dress(self, path: str, metadata: Metadata) -> None: ...

    def link(self, a: str, b: str) -> None: ...
