"""The root of the real filesystem that a seeded bug writes to."""

from __future__ import annotations

from confmig.adapters.files.disk import Disk
from confmig.transactions.file_exchange import FileExchange
from confmig.transactions.runner import Transactor


def root_of(of: Transactor | FileExchange) -> str:
    """Its directory."""
    assert isinstance(of.disk, Disk)
    return of.disk.root
