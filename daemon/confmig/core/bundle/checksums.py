"""``manifest.sum``: a running hash over the migrations of a bundle, and what each covers."""

from __future__ import annotations

import hashlib
import json

from confmig.core.bundle.manifest import Files
from confmig.core.bundle.rules import entries_of


def normalised(content: bytes) -> bytes:
    """Content as the checksums see it: no BOM, no carriage returns."""
    return content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")


def checksum(name: str, files: Files) -> str:
    """The SHA-256 of a migration: its file, and every handler that its text names."""
    content = files.migrations[name]
    digest = hashlib.sha256(normalised(content))
    for handler, code in sorted(files.handlers.items()):
        if handler.encode() in content:
            digest.update(b"\0" + handler.encode() + b"\0" + normalised(code))
    return digest.hexdigest()


def sums(files: Files, ids: list[str], start: str = "") -> list[tuple[str, str]]:
    """The lines of ``manifest.sum``: a running hash, so that an insert changes all later lines.

    It starts from the digest of the last retired migration, if there is one.
    """
    out, previous = [], start
    for name in ids:
        file = file_of(name, files)
        if file is None:
            continue
        previous = hashlib.sha256(
            f"{previous}\n{name}\n{checksum(file, files)}".encode()
        ).hexdigest()
        out.append((name, previous))
    return out


def sums_text(lines: list[tuple[str, str]]) -> bytes:
    """``manifest.sum`` as bytes."""
    return "".join(f"{digest} {name}\n" for name, digest in lines).encode()


def file_of(migration_id: str, files: Files) -> str | None:
    """The file of a migration: ``<id>.yaml`` or ``<id>.py``."""
    for ending in (".yaml", ".py"):
        if migration_id + ending in files.migrations:
            return migration_id + ending
    return None


def ordered_ids(raw: bytes | None) -> list[str]:
    """The ids of a manifest that may be broken, in their order; for ``confmig sum``."""
    try:
        entries = entries_of(json.loads(normalised(raw or b""))["migrations"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [e.id for e in sorted(entries, key=lambda e: e.order or 0) if e.id is not None]


def retired_sum(raw: bytes | None) -> str:
    """The digest that ``manifest.sum`` continues from, of a manifest that may be broken."""
    try:
        return str(json.loads(normalised(raw or b""))["retired"]["sum"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
