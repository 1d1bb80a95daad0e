"""What transactions need of checkpoints. The tests have a second implementation in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, Self

from confmig.adapters.state.records import FilePlan


class CheckpointInWriting(Protocol):
    """A checkpoint that is being written; see ``checkpoints.CheckpointWriter``."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def image(self, data: bytes) -> str:
        """Store an image; returns its hash."""

    def file(self, file: FilePlan) -> None:
        """Describe a file."""

    def close(self) -> str:
        """Make all of it durable; returns the path of the description."""


class ImageStore(Protocol):
    """The images of all checkpoints; see ``images.Images``."""

    def drop(self, needed: Callable[[str], bool]) -> int:
        """Remove what holds nothing that is needed; returns how many images were removed."""

    def size_of(self, digest: str) -> int:
        """The bytes of an image."""


class CheckpointStore(Protocol):
    """Checkpoints and rescue copies; see ``checkpoints.Checkpoints``."""

    @property
    def images(self) -> ImageStore:
        """The images."""

    def begin(
        self, transaction: str, target: str, migrations: Sequence[str], images: int, now: datetime
    ) -> CheckpointInWriting:
        """Begin the checkpoint of a transaction; ``images`` is about how many it will have."""

    def image(self, digest: str) -> bytes:
        """An image by its hash. Raises ``Fault`` if it is missing or not intact."""

    def exists(self, path: str) -> bool:
        """Whether a checkpoint has not been pruned."""

    def forget(self, path: str) -> None:
        """Remove a checkpoint's file."""

    def forget_unknown(self, known: Callable[[str], bool]) -> int:
        """Remove checkpoints of transactions that never began; returns how many."""

    def transaction_of(self, path: str) -> str:
        """The transaction that a checkpoint belongs to."""

    def save_rescue(self, name: str, data: bytes) -> str:
        """Keep bytes that must not be lost; returns the path where they are."""
