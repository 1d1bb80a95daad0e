"""Checkpoints: the images of a transaction, and the file that describes them.

``checkpoints/<transaction>.jsonl`` is what ``rollback_checkpoint_path`` names: a line about the
transaction (``format`` 2), then a line for each file. A checkpoint is durable before the intent of
its transaction is. An older program wrote one JSON text (``format`` 1).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from confmig import __version__
from confmig.adapters.files.content import digest_of
from confmig.adapters.files.durable import discard, fsync, sync_folder, write_once
from confmig.adapters.state.connection import stamp
from confmig.adapters.state.images import Images
from confmig.adapters.state.records import FilePlan
from confmig.errors import Refused

FORMAT = 2
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Described:
    """What a checkpoint says of one file; hashes and versions before and after."""

    path: str
    old: str
    new: str
    before: int
    after: int

    @classmethod
    def of(cls, file: FilePlan) -> Described:
        """The description of a file."""
        return cls(file.path, file.old, file.new, file.before, file.after)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "path": self.path,
            "old": self.old,
            "new": self.new,
            "before": self.before,
            "after": self.after,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Described:
        """The inverse of ``to_json``; keys of an older format that are not listed are dropped."""
        keys = ("path", "old", "new", "before", "after")
        return cls(*(data[key] for key in keys))


class CheckpointWriter:
    """A checkpoint that is being written; as a context manager it is discarded unless closed."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        transaction: str,
        target: str,
        migrations: Sequence[str],
        expected: int,
        now: datetime,
    ) -> None:
        self._folder = checkpoints.folder
        self._name = f"{transaction}.jsonl"
        self._temporary = self._folder / f"tmp-{self._name}"
        self._images = checkpoints.images.writer(transaction, expected)
        self._file: BinaryIO | None = None
        self._head = {
            "format": FORMAT,
            "transaction": transaction,
            "target": target,
            "migrations": list(migrations),
            "created_at": stamp(now),
            "program": __version__,
        }
        self.path = str(self._folder / self._name)

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._images.discard()
        if self._file is not None:
            discard(self._file, self._temporary)

    def image(self, data: bytes) -> str:
        """Store an image; returns its hash."""
        return self._images.add(data)

    def file(self, file: FilePlan) -> None:
        """Describe a file."""
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self._temporary, flags, 0o600), "wb")
            self._line(self._head)
        self._line(Described.of(file).to_json())

    def _line(self, data: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(data, separators=(",", ":")).encode() + b"\n")

    def close(self) -> str:
        """Make images and description durable; returns the path of the description."""
        self._images.close()
        if self._file is None:
            data = json.dumps(self._head, separators=(",", ":")).encode() + b"\n"
            write_once(self._folder, self._name, data)
        else:
            self._file.flush()
            fsync(self._file.fileno())
            self._file.close()
            self._file = None
            self._temporary.rename(self._folder / self._name)
        sync_folder(self._folder)
        return self.path


class Checkpoints:
    """The checkpoints below a state directory, and the rescue copies beside them."""

    def __init__(self, state_dir: Path) -> None:
        self.images = Images(state_dir)
        self.folder = state_dir / "checkpoints"
        self.rescue = state_dir / "rescue"

    def prepare(self) -> None:
        """Make the directories, and drop what a crash left half-written."""
        for folder in (self.images.objects, self.images.packs_folder, self.folder, self.rescue):
            folder.mkdir(mode=0o700, exist_ok=True)
            for left in folder.glob("tmp-*"):
                left.unlink()

    def begin(
        self, transaction: str, target: str, migrations: Sequence[str], images: int, now: datetime
    ) -> CheckpointWriter:
        """Begin the checkpoint of a transaction; ``images`` is about how many it will have."""
        return CheckpointWriter(self, transaction, target, migrations, images, now)

    def image(self, digest: str) -> bytes:
        """An image by its hash; see ``Images.get``."""
        return self.images.get(digest)

    def exists(self, path: str) -> bool:
        """Whether a checkpoint has not been pruned."""
        return (self.folder / Path(path).name).exists()

    def forget(self, path: str) -> None:
        """Remove a checkpoint's file. Its images stay for others; see ``Images.drop``."""
        (self.folder / Path(path).name).unlink(missing_ok=True)

    def forget_unknown(self, known: Callable[[str], bool]) -> int:
        """Remove checkpoints of transactions (ids) that never began; returns how many."""
        count = 0
        for file in self.folder.iterdir():
            name, _, kind = file.name.partition(".")
            if kind in ("json", "jsonl") and not name.startswith("tmp-") and not known(name):
                file.unlink()
                count += 1
        return count

    def transaction_of(self, path: str) -> str:
        """The transaction that a checkpoint belongs to.

        Raises ``Refused`` (``checkpoint_unreadable``).
        """
        with _readable(path) as file:
            return str(_head(file.readline(), path)["transaction"])

    def described(self, path: str) -> Iterator[Described]:
        """What a checkpoint says of each file. Raises ``Refused`` (``checkpoint_unreadable``)."""
        place = str(self.folder / Path(path).name)
        with _readable(place) as file:
            head = _head(file.readline(), place)
            if "files" in head:  # format 1
                yield from (Described.from_json(one) for one in head["files"])
                return
            for line in file:
                yield Described.from_json(json.loads(line))

    def save_rescue(self, name: str, data: bytes) -> str:
        """Keep bytes that must not be lost; returns the path."""
        short = name.encode()[:_LONGEST].decode(errors="ignore")
        # no name that ``prepare`` takes for half a file; two writers of one file are both kept
        name = f"{'kept-' * short.startswith('tmp-')}{short}-{digest_of(data)[:16]}"
        write_once(self.rescue, name, data)
        sync_folder(self.rescue)
        return str(self.rescue / name)


@contextmanager
def _readable(path: str) -> Iterator[BinaryIO]:
    """An open checkpoint; what is wrong with it is ``checkpoint_unreadable``."""
    try:
        with open(path, "rb") as file:
            yield file
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(
            "checkpoint_unreadable",
            "the file does not exist"
            if isinstance(error, FileNotFoundError)
            else f"this is not a checkpoint that can be read ({type(error).__name__})",
            place=path,
            fix="take the path from `confmig status --json`",
        ) from None


def _head(line: bytes, path: str) -> dict[str, Any]:
    head = json.loads(line)
    if not isinstance(head, dict) or "transaction" not in head:
        raise Refused("checkpoint_unreadable", "the file is not a checkpoint", place=path)
    return head
