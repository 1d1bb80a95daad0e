"""Checkpoints: the old and new images of a transaction, and the file that describes them.

Images live in a content-addressed store, ``objects/<sha256>``, mode 0600 in a 0700 directory.
``checkpoints/<transaction>.json`` is what ``rollback_checkpoint_path`` names: files, metadata,
segments (which characters of the old image stand where in the new one) and the change journal.
Both are durable before the intent of the transaction is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from confmig.adapters.disk import digest_of, fsync
from confmig.errors import Fault, Refused


class Checkpoints:
    """The object store and checkpoint files below a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.objects = state_dir / "objects"
        self.folder = state_dir / "checkpoints"
        self.rescue = state_dir / "rescue"

    def prepare(self) -> None:
        """Make the directories, and drop what a crash left half-written."""
        for folder in (self.objects, self.folder, self.rescue):
            folder.mkdir(mode=0o700, exist_ok=True)
            for left in folder.glob("tmp-*"):
                left.unlink()

    def put(self, images: list[bytes]) -> None:
        """Store images durably: each written and synced, then the directory once."""
        for data in images:
            digest = digest_of(data)
            if not self._intact(digest):
                (self.objects / digest).unlink(missing_ok=True)
                _write_once(self.objects, digest, data)
        _sync(self.objects)  # also for images that a crash left without it

    def _intact(self, digest: str) -> bool:
        try:
            return digest_of((self.objects / digest).read_bytes()) == digest
        except FileNotFoundError:
            return False

    def image(self, digest: str) -> bytes:
        """An image by its hash. Raises ``Fault`` (``object_corrupt``) if it is not intact."""
        try:
            data = (self.objects / digest).read_bytes()
        except FileNotFoundError:
            raise Fault(
                "object_missing",
                f"the image {digest[:12]} is not in the state directory",
                fix="restore the state directory from a backup",
            ) from None
        if digest_of(data) != digest:
            raise Fault(
                "object_corrupt",
                f"the image {digest[:12]} does not match its hash",
                fix="restore the state directory from a backup",
            )
        return data

    def save(self, transaction: str, description: dict[str, Any]) -> str:
        """Write the file of a checkpoint durably; returns its path."""
        data = json.dumps(description, sort_keys=True, separators=(",", ":")).encode()
        _write_once(self.folder, f"{transaction}.json", data)
        _sync(self.folder)
        return str(self.folder / f"{transaction}.json")

    def load(self, path: str) -> dict[str, Any]:
        """A checkpoint by its path. Raises ``Refused`` if it is none."""
        try:
            data = json.loads(Path(path).read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise Refused(
                "checkpoint_unreadable",
                f"no checkpoint can be read there: {type(error).__name__}",
                place=path,
                fix="take the path from `confmig status --json`",
            ) from None
        if not isinstance(data, dict) or "transaction" not in data:
            raise Refused("checkpoint_unreadable", "the file is no checkpoint", place=path)
        return data

    def save_rescue(self, name: str, data: bytes) -> str:
        """Keep bytes of somebody that must not be lost; returns the path."""
        name = f"{name}-{digest_of(data)[:16]}"  # two writers of one file are both kept
        _write_once(self.rescue, name, data)
        _sync(self.rescue)
        return str(self.rescue / name)


def _write_once(folder: Path, name: str, data: bytes) -> bool:
    """Write a file that never changes; False if it is there already."""
    target = folder / name
    if target.exists():
        return False
    temporary = folder / f"tmp-{name}"
    fd = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(target)
    return True


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync(fd)
    finally:
        os.close(fd)
