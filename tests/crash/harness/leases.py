"""Read leases in tests.

Switched off, or released before the exchange (the two seeded faults of the race), for tests that
play the writer in their own process, where a lease would wait for itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from confmig.adapters.files.disk import Disk
from confmig.adapters.files.lease import ReadLease, Writers
from confmig.adapters.files.reader import Held

OFF, ASKED, HELD = "off", "asked and released", "held"


class NoLease(ReadLease):
    """A kernel that grants no lease."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.writers = Writers.UNKNOWN


class Released(ReadLease):
    """A lease that is asked for and released at once, before the exchange."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.release()
        if self.writers is Writers.NONE:
            self.writers = Writers.UNKNOWN


def holding(kind: type[NoLease] | type[Released]) -> Callable[..., AbstractContextManager[Held]]:
    """``Disk.hold`` with another lease."""

    @contextmanager
    def hold(disk: Disk, path: str) -> Iterator[Held]:
        fd = disk._open(path)
        try:
            yield Held(fd, kind(fd), os.fstat(fd).st_ino)
        finally:
            os.close(fd)

    return hold


def lease(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Change how a target is held during an exchange, in this process."""
    if how != HELD:
        monkeypatch.setattr(Disk, "hold", holding(NoLease if how == OFF else Released))
