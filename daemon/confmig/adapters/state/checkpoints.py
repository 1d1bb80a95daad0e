"""Checkpoints: the old and new images of a transaction, and the file that describes them.

Images live in a content-addressed store, ``objects/<sha256>``, mode 0600 in a 0700 directory;
those of a large transaction together in one file, ``packs/<transaction>``, which costs one flush
instead of thousands. A pack is a line of JSON (hash, offset and length of each image) and the
images behind it.
``checkpoints/<transaction>.json`` is what ``rollback_checkpoint_path`` names: files, metadata,
segments (which characters of the old image stand where in the new one) and the change journal.
Both are durable before the intent of the transaction is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from confmig.adapters.files.disk import digest_of
from confmig.adapters.files.durable import fsync, sync_folder
from confmig.errors import Fault, Refused

_LONGEST = 160
MANY = 64
"""Above this many images they are stored in one pack."""


class Checkpoints:
    """The object store and checkpoint files below a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.objects = state_dir / "objects"
        self.packs = state_dir / "packs"
        self.folder = state_dir / "checkpoints"
        self.rescue = state_dir / "rescue"
        self._places: dict[str, tuple[Path, int, int]] = {}
        self._read: set[str] = set()

    def prepare(self) -> None:
        """Make the directories, and drop what a crash left half-written."""
        for folder in (self.objects, self.packs, self.folder, self.rescue):
            folder.mkdir(mode=0o700, exist_ok=True)
            for left in folder.glob("tmp-*"):
                left.unlink()

    def put(self, images: list[bytes], transaction: str) -> None:
        """Store the images of a transaction durably: each written and synced, then the directory
        once; many in one pack."""
        if len(images) > MANY:
            self._pack({digest_of(data): data for data in images}, transaction)
            return
        for data in images:
            digest = digest_of(data)
            if not self._intact(digest):
                (self.objects / digest).unlink(missing_ok=True)
                _write_once(self.objects, digest, data)
        sync_folder(self.objects)  # also for images that a crash left without it

    def _pack(self, images: dict[str, bytes], transaction: str) -> None:
        index, at = [], 0
        for digest, data in images.items():
            index.append((digest, at, len(data)))
            at += len(data)
        head = json.dumps({"format": 1, "images": index}).encode() + b"\n"
        _write_once(self.packs, transaction, b"".join([head, *images.values()]))
        sync_folder(self.packs)

    def _packed(self, digest: str) -> bytes | None:
        """An image from a pack, or None."""
        if digest not in self._places:
            for pack in sorted(self.packs.iterdir()):
                if pack.name not in self._read and not pack.name.startswith("tmp-"):
                    self._index(pack)
        if digest not in self._places:
            return None
        pack, start, length = self._places[digest]
        with open(pack, "rb") as file:
            file.seek(start)
            return file.read(length)

    def _index(self, pack: Path) -> None:
        self._read.add(pack.name)
        with open(pack, "rb") as file:
            head = file.readline()
            base = file.tell()
        try:
            for digest, start, length in json.loads(head)["images"]:
                self._places[digest] = (pack, base + start, length)
        except (ValueError, KeyError, TypeError):
            raise Fault(
                "object_corrupt",
                f"the pack {pack.name} cannot be read",
                place=str(pack),
                fix="restore the state directory from a backup",
            ) from None

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
            packed = self._packed(digest)
            if packed is not None and digest_of(packed) == digest:
                return packed
            if packed is not None:
                raise _corrupt(digest) from None
            raise Fault(
                "object_missing",
                f"the image {digest[:12]} is not in the state directory",
                fix="restore the state directory from a backup",
            ) from None
        if digest_of(data) != digest:
            raise _corrupt(digest)
        return data

    def save(self, transaction: str, description: dict[str, Any]) -> str:
        """Write the file of a checkpoint durably; returns its path."""
        data = json.dumps(description, sort_keys=True, separators=(",", ":")).encode()
        _write_once(self.folder, f"{transaction}.json", data)
        sync_folder(self.folder)
        return str(self.folder / f"{transaction}.json")

    def exists(self, path: str) -> bool:
        """Whether a checkpoint has not been pruned."""
        return (self.folder / Path(path).name).exists()

    def forget(self, path: str) -> None:
        """Remove a checkpoint's file. Its images stay for others; see ``drop_images``."""
        (self.folder / Path(path).name).unlink(missing_ok=True)

    def forget_unknown(self, known: set[str]) -> None:
        """Remove checkpoints of transactions that never began."""
        names = {Path(path).name for path in known}
        for file in self.folder.glob("*.json"):
            if file.name not in names:
                file.unlink()

    def size_of(self, digest: str) -> int:
        """The bytes of an image; 0 if it is not there."""
        try:
            return (self.objects / digest).stat().st_size
        except FileNotFoundError:
            packed = self._packed(digest)
            return len(packed) if packed is not None else 0

    def drop_images(self, needed: set[str]) -> int:
        """Remove every image, and every pack, that holds nothing needed; how many images."""
        count = 0
        for file in self.objects.iterdir():
            if file.name not in needed:
                file.unlink()
                count += 1
        for pack in list(self.packs.iterdir()):
            if pack.name.startswith("tmp-"):
                continue
            if pack.name not in self._read:
                self._index(pack)
            held = {d for d, (where, _, _) in self._places.items() if where == pack}
            if not held & needed:
                pack.unlink()
                count += len(held)
                self._places = {d: p for d, p in self._places.items() if d not in held}
        return count

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
        short = name.encode()[:_LONGEST].decode(errors="ignore")
        # no name that ``prepare`` takes for half a file; two writers of one file are both kept
        name = f"{'kept-' * short.startswith('tmp-')}{short}-{digest_of(data)[:16]}"
        _write_once(self.rescue, name, data)
        sync_folder(self.rescue)
        return str(self.rescue / name)


def _corrupt(digest: str) -> Fault:
    return Fault(
        "object_corrupt",
        f"the image {digest[:12]} does not match its hash",
        fix="restore the state directory from a backup",
    )


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
    except BaseException:
        temporary.unlink(missing_ok=True)  # half of it is nothing
        raise
    finally:
        os.close(fd)
    temporary.rename(target)
    return True
