"""A state in memory: SQLite without a file, and checkpoints in dictionaries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from confmig.adapters.files.content import digest_of
from confmig.adapters.state.connection import Connection
from confmig.adapters.state.format import FORMAT, SCHEMA
from confmig.adapters.state.opened import State
from confmig.adapters.state.records import FilePlan
from confmig.adapters.state.store import Store
from confmig.errors import Fault
from tests.simulators.steps import Steps


class MemoryConnection(Connection):
    """A commit is two effects: before it nothing of it is there, after it all of it."""

    def __init__(self, db: sqlite3.Connection, steps: Steps) -> None:
        super().__init__(db, Path("memory"))
        self.steps = steps

    @contextmanager
    def commit(self) -> Iterator[None]:
        with super().commit():
            yield
            self.steps("commit")
        self.steps("committed")


def memory_store(steps: Steps | None = None) -> Store:
    """An empty state."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(SCHEMA)
    meta = [("format", str(FORMAT)), ("install_id", "test"), ("install_key", "00" * 32)]
    db.executemany("INSERT INTO meta VALUES(?,?)", meta)
    return Store(MemoryConnection(db, steps or Steps()))


@dataclass
class MemoryImages:
    """Images by their hash."""

    steps: Steps
    data: dict[str, bytes] = field(default_factory=dict)

    def drop(self, needed: Callable[[str], bool]) -> int:
        gone = [digest for digest in self.data if not needed(digest)]
        for digest in gone:
            del self.data[digest]
        return len(gone)

    def size_of(self, digest: str) -> int:
        return len(self.data.get(digest, b""))


@dataclass
class MemoryWriter:
    checkpoints: MemoryCheckpoints
    transaction: str
    files: list[FilePlan] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """What is not closed is not named."""

    def image(self, data: bytes) -> str:
        self.checkpoints.images.steps("image")
        digest = digest_of(data)
        self.checkpoints.images.data[digest] = data
        return digest

    def file(self, file: FilePlan) -> None:
        self.files.append(file)

    def close(self) -> str:
        self.checkpoints.images.steps("checkpoint")
        self.checkpoints.described[self.transaction] = list(self.files)
        return self.transaction


@dataclass
class MemoryCheckpoints:
    """See ``adapters.state.port.CheckpointStore``."""

    images: MemoryImages
    described: dict[str, list[FilePlan]] = field(default_factory=dict)
    rescued: dict[str, bytes] = field(default_factory=dict)

    def begin(
        self, transaction: str, target: str, migrations: Sequence[str], images: int, now: datetime
    ) -> MemoryWriter:
        return MemoryWriter(self, transaction)

    def image(self, digest: str) -> bytes:
        if digest not in self.images.data:
            raise Fault("object_missing", "not there")
        return self.images.data[digest]

    def exists(self, path: str) -> bool:
        return path in self.described

    def forget(self, path: str) -> None:
        self.described.pop(path, None)

    def forget_unknown(self, known: Callable[[str], bool]) -> int:
        unknown = [name for name in self.described if not known(name)]
        for name in unknown:
            del self.described[name]
        return len(unknown)

    def transaction_of(self, path: str) -> str:
        return path

    def save_rescue(self, name: str, data: bytes) -> str:
        self.images.steps(f"rescue {name}")
        kept = f"{name}-{digest_of(data)[:8]}"
        self.rescued[kept] = data
        return kept


def memory_checkpoints(steps: Steps | None = None) -> MemoryCheckpoints:
    """Checkpoints without any."""
    return MemoryCheckpoints(MemoryImages(steps or Steps()))


def memory_state(steps: Steps | None = None) -> State:
    """A whole state."""
    return State(memory_store(steps), memory_checkpoints(steps))
