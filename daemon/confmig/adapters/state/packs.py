"""Packs: the images of one large transaction in one file, with one flush instead of thousands.

    images, one behind the other
    index     48 bytes an image, sorted by hash: hash (32), offset (8), length (8)
    end       24 bytes: number of images, offset of the index, ``cmpack2\\n``

A pack is written as a stream under a temporary name. Neither writing nor reading holds its images,
and reading does not hold its index either. Packs of an older program begin with a line of JSON
(hash, offset and length of each image) and have the images behind it.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from confmig.adapters.files.durable import discard, fsync, sync_folder
from confmig.errors import Fault

_ENTRY = struct.Struct(">32sQQ")
_END = struct.Struct(">QQ8s")
_MAGIC = b"cmpack2\n"


class PackWriter:
    """A pack that is being written."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._temporary = folder / f"tmp-{name}"
        self._file: BinaryIO | None = None
        self._at = 0
        self._entries: list[bytes] = []
        self._known: set[bytes] = set()

    def add(self, digest: str, data: bytes) -> bool:
        """Write an image; False if the pack has it already."""
        key = bytes.fromhex(digest)
        if key in self._known:
            return False
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self._temporary, flags, 0o600), "wb")
        self._known.add(key)
        self._entries.append(_ENTRY.pack(key, self._at, len(data)))
        self._file.write(data)
        self._at += len(data)
        return True

    def close(self) -> None:
        """Make the pack durable under its name; without images there is none."""
        if self._file is None:
            return
        self._entries.sort()
        self._file.writelines(self._entries)
        self._file.write(_END.pack(len(self._entries), self._at, _MAGIC))
        self._file.flush()
        fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self._temporary.rename(self._folder / self._name)
        sync_folder(self._folder)

    def discard(self) -> None:
        """Remove what was written, unless it was closed."""
        if self._file is not None:
            discard(self._file, self._temporary)


class Packs:
    """The packs of a state directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._older: dict[str, dict[str, tuple[int, int]]] = {}  # the indexes of format 1
        self._listed: list[Path] = []
        self._last: list[Path] = []

    def image(self, digest: str) -> bytes | None:
        """An image from a pack that has it, or None. Its hash is not checked."""
        found = self._holder(digest)
        if found is None:
            return None
        pack, start, length = found
        with open(pack, "rb") as file:
            return os.pread(file.fileno(), length, start)

    def size_of(self, digest: str) -> int:
        """The bytes of an image; 0 if no pack has it."""
        found = self._holder(digest)
        return found[2] if found is not None else 0

    def hashes(self, pack: Path) -> Iterator[str]:
        """The hashes of a pack's images."""
        with open(pack, "rb") as file:
            end = _end_of(file)
            if end is None:
                yield from self._index_1(pack, file)
                return
            count, at = end
            for n in range(count):
                entry = os.pread(file.fileno(), _ENTRY.size, at + n * _ENTRY.size)
                yield _ENTRY.unpack(entry)[0].hex()

    def all(self) -> list[Path]:
        """Every pack, without those that are being written."""
        return [p for p in sorted(self._folder.iterdir()) if not p.name.startswith("tmp-")]

    def _holder(self, digest: str) -> tuple[Path, int, int] | None:
        """A pack that has an image, and where: start and length.

        The pack of the last image is asked first, as images are read in groups; the folder
        is listed again only for an image that no known pack has.
        """
        asked: set[Path] = set()
        for known in (True, False):
            for pack in [*self._last, *self._listed] if known else self._list():
                if pack in asked:
                    continue
                asked.add(pack)
                found = self._found_in(pack, digest)
                if found is not None:
                    self._last = [pack]
                    return (pack, *found)
        return None

    def _list(self) -> list[Path]:
        self._listed = self.all()[::-1]  # the newest first: a name begins with the time
        return self._listed

    def _found_in(self, pack: Path, digest: str) -> tuple[int, int] | None:
        try:
            with open(pack, "rb") as file:
                return self._find(pack, file, digest)
        except FileNotFoundError:  # it was dropped since the folder was listed
            return None

    def _find(self, pack: Path, file: BinaryIO, digest: str) -> tuple[int, int] | None:
        end = _end_of(file)
        if end is None:
            return self._index_1(pack, file).get(digest)
        key = bytes.fromhex(digest)
        low, high = 0, end[0]
        while low < high:
            middle = (low + high) // 2
            entry = os.pread(file.fileno(), _ENTRY.size, end[1] + middle * _ENTRY.size)
            found, start, length = _ENTRY.unpack(entry)
            if found == key:
                return start, length
            low, high = (middle + 1, high) if found < key else (low, middle)
        return None

    def _index_1(self, pack: Path, file: BinaryIO) -> dict[str, tuple[int, int]]:
        if pack.name not in self._older:
            file.seek(0)
            head = file.readline()
            base = file.tell()
            try:
                images = json.loads(head)["images"]
                self._older[pack.name] = {d: (base + at, size) for d, at, size in images}
            except (ValueError, KeyError, TypeError):
                raise Fault(
                    "object_corrupt",
                    f"the pack {pack.name} cannot be read",
                    place=str(pack),
                    fix="restore the state directory from a backup",
                ) from None
        return self._older[pack.name]


def _end_of(file: BinaryIO) -> tuple[int, int] | None:
    """The number of images and the place of the index; None for a pack of format 1."""
    size = os.fstat(file.fileno()).st_size
    if size < _END.size:
        return None
    count, at, magic = _END.unpack(os.pread(file.fileno(), _END.size, size - _END.size))
    if magic != _MAGIC or at + count * _ENTRY.size + _END.size != size:
        return None
    return count, at
