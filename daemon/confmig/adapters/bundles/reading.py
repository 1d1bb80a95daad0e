"""The files of a bundle, read once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from confmig.adapters.files import trust
from confmig.adapters.files.plain_file import read_plain
from confmig.core.bundle import contract as contracts
from confmig.core.bundle.manifest import Files
from confmig.errors import Invalid, Problem


def check_trust(root: Path, *, shared: bool) -> None:
    """Raises ``Invalid`` (``bundle_untrusted``) if others can change what is obeyed.

    ``shared``: files of any owner are accepted, as long as they are not writable by everybody.
    """
    (trust.check_shared if shared else trust.check)("bundle_untrusted", "bundle", _obeyed(root))


def _obeyed(root: Path) -> Iterator[Path]:
    """The directories and files of a bundle that are obeyed; fixtures and samples are not."""
    yield root
    yield root / "manifest.json"
    yield root / "manifest.sum"
    folder = root / "migrations"
    for part in (folder, folder / "handlers", folder / "schemas"):
        yield part
        if part.is_dir():
            every = part.rglob("*") if part.name == "schemas" else part.iterdir()
            yield from sorted(p for p in every if p.name not in ("fixtures", "__pycache__"))


def read_files(root: Path) -> Files:
    """Read a bundle's files. Raises ``Invalid`` if the directory cannot be read."""
    folder = root / "migrations"
    try:
        return Files(
            manifest=_maybe(root / "manifest.json"),
            sums=_maybe(root / "manifest.sum"),
            migrations={p.name: read_plain(p) for p in _files_in(folder)},
            handlers={f"handlers/{p.name}": read_plain(p) for p in _files_in(folder / "handlers")},
            schemas=frozenset(
                str(p.relative_to(folder / "schemas")) for p in (folder / "schemas").rglob("*.json")
            ),
            fixtures={
                d.name: tuple(sorted(f.name for f in _files_in(d)))
                for d in sorted((folder / "fixtures").glob("*/"))
            },
        )
    except OSError as error:
        raise Invalid(
            "manifest_unreadable",
            "the bundle cannot be read",
            [
                Problem(
                    "manifest_unreadable",
                    str(error.filename or root),
                    str(error.strerror),
                    "put a plain file there that this user may read",
                )
            ],
        ) from None


def read_contract(root: Path) -> bytes | None:
    """The file of the contract, or None. Raises ``Invalid`` if it cannot be read."""
    try:
        return _maybe(root / contracts.PLACE)
    except OSError as error:
        place, what = contracts.PLACE, str(error.strerror)
        problem = Problem("contract_invalid", place, what, "put a plain file there")
        raise Invalid("manifest_invalid", "the contract cannot be read", [problem]) from None


def _maybe(path: Path) -> bytes | None:
    try:
        return read_plain(path)
    except FileNotFoundError:
        return None


def _files_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
