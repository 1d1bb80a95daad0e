"""The bytes of files and their hashes."""

from __future__ import annotations

import hashlib
import os

_CHUNK = 1 << 20


def digest_of(data: bytes) -> str:
    """The SHA-256 of a content, as hex."""
    return hashlib.sha256(data).hexdigest()


def read_all(fd: int, size: int, most: int | None = None) -> bytes:
    """The content of an open file of about this size, or the first ``most`` bytes of it."""
    chunks = []
    left = most
    while left is None or left > 0:
        want = max(size, 4096) + 1
        chunk = os.read(fd, want if left is None else min(want, left))
        if not chunk:
            break
        chunks.append(chunk)
        left = None if left is None else left - len(chunk)
    return b"".join(chunks)


def digest_of_file(fd: int) -> str:
    """The SHA-256 of an open file, read as a stream: it is never whole in memory."""
    hasher = hashlib.sha256()
    os.lseek(fd, 0, os.SEEK_SET)
    while chunk := os.read(fd, _CHUNK):
        hasher.update(chunk)
    return hasher.hexdigest()
