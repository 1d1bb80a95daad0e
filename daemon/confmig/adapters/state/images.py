"""Images: the bytes of files before and after transactions, by their hash.

Each is a file ``objects/<sha256>``, mode 0600 in a 0700 directory; those of a large transaction are
together in one pack (``packs``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.durable import sync_folder, write_once
from confmig.adapters.state.packs import Packs, PackWriter
from confmig.errors import Fault

MANY = 64
"""Above this many images they are stored in one pack."""


class ImageWriter:
    """Takes the images of one transaction. Nothing is durable before ``close``."""

    def __init__(self, images: Images, transaction: str, expected: int) -> None:
        self._images = images
        self._pack = PackWriter(images.packs_folder, transaction) if expected > MANY else None

    def add(self, data: bytes) -> str:
        """Write an image, if it does not exist yet; returns its hash."""
        digest = digest_of(data)
        if self._pack is not None:
            self._pack.add(digest, data)
        else:
            self._images.add(digest, data)
        return digest

    def close(self) -> None:
        """Make all of them durable."""
        if self._pack is not None:
            self._pack.close()
        else:
            sync_folder(self._images.objects)  # also for images that a crash left without it

    def discard(self) -> None:
        """Give up. Objects that are there are removed by the next clean-up (``retention``)."""
        if self._pack is not None:
            self._pack.discard()


class Images:
    """The images below a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.objects = state_dir / "objects"
        self.packs_folder = state_dir / "packs"
        self._packs = Packs(self.packs_folder)

    def writer(self, transaction: str, expected: int) -> ImageWriter:
        """Begin to store the images of a transaction; ``expected`` is about how many."""
        return ImageWriter(self, transaction, expected)

    def add(self, digest: str, data: bytes) -> bool:
        """Store an image as a file of its own, synced; False if it is there and intact."""
        file = self.objects / digest
        try:
            if digest_of(file.read_bytes()) == digest:
                return False
        except FileNotFoundError:
            pass
        file.unlink(missing_ok=True)
        return write_once(self.objects, digest, data)

    def get(self, digest: str) -> bytes:
        """An image by its hash.

        Raises ``Fault``: ``object_missing``, or ``object_corrupt`` if it is not intact.
        """
        try:
            data: bytes | None = (self.objects / digest).read_bytes()
        except FileNotFoundError:
            data = self._packs.image(digest)
        if data is None:
            raise Fault(
                "object_missing",
                f"the image {digest[:12]} is not in the state directory",
                fix="restore the state directory from a backup",
            )
        if digest_of(data) != digest:
            raise Fault(
                "object_corrupt",
                f"the image {digest[:12]} does not match its hash",
                fix="restore the state directory from a backup",
            )
        return data

    def size_of(self, digest: str) -> int:
        """The bytes of an image; 0 if it does not exist."""
        try:
            return (self.objects / digest).stat().st_size
        except FileNotFoundError:
            return self._packs.size_of(digest)

    def drop(self, needed: Callable[[str], bool]) -> int:
        """Remove the images, and the packs, of which nothing is needed; returns how many images."""
        count = 0
        for file in self.objects.iterdir():
            if not file.name.startswith("tmp-") and not needed(file.name):
                file.unlink()
                count += 1
        for pack in self._packs.all():
            if not any(needed(digest) for digest in self._packs.hashes(pack)):
                count += sum(1 for _ in self._packs.hashes(pack))
                pack.unlink()
        return count
