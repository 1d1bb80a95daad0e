"""Temporary files of half-applied transactions whose state is gone: name them, and clean them up.

A transaction removes its own temporaries, and recovery those of a crash. They stay only if the
state directory was lost meanwhile (or an offline ``migrate --write`` was killed).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from confmig.adapters.files.lease import Writers
from confmig.adapters.files.port import FileSystem
from confmig.adapters.files.snapshot import PREFIX
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.state.records import Transaction
from confmig.adapters.state.store import Store
from confmig.errors import ConfmigError

OLD = timedelta(days=7)

Action = Literal["removed", "rescued", "busy"]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of one leftover, or what would become of it.

    ``removed`` (nothing is lost), ``rescued`` (moved to ``rescue/``) or ``busy`` (a process
    writes it; left alone). ``why`` is a clause.
    """

    path: str
    action: Action
    why: str
    kept: str = ""


def find(disk: FileSystem, patterns: Sequence[str], live: Iterable[Transaction]) -> tuple[str, ...]:
    """The temporaries in a target that belong to no transaction of the state."""
    ids = {row.id for row in live}
    return tuple(
        name
        for name in disk.temporaries(patterns)
        if name.rpartition("/")[2].removeprefix(PREFIX).partition("-")[0] not in ids
    )


def unsettled(store: Store | None, target: str) -> list[Transaction]:
    """The transactions whose temporaries are not leftovers."""
    if store is None:
        return []
    return [*store.transactions.unfinished(target), *store.transactions.conflicts(target)]


def clean(
    disk: FileSystem,
    checkpoints: CheckpointStore,
    leftovers: Iterable[str],
    documents: Iterable[str],
    now: datetime,
    *,
    dry_run: bool,
) -> list[Cleaned]:
    """Remove the leftovers whose content is kept elsewhere or that are old.

    Move the others to ``rescue/``. ``documents`` are the hashes of what the target holds now.
    """
    known = frozenset(documents)
    out = []
    for path in leftovers:
        folders = [name for name, inode in _inside(disk, path).items() if not inode]
        files = [name for name, inode in _inside(disk, path).items() if inode]
        for name in files or ([] if disk.is_folder(path) else [""]):
            full = f"{path}/{name}" if name else path
            out.append(_one(disk, checkpoints, full, known, now, dry_run))
        if not dry_run and disk.is_folder(path) and not _inside_files(disk, path):
            for name in sorted(folders, key=lambda n: n.count("/"), reverse=True):
                disk.remove_folder(f"{path}/{name}")
            disk.remove_folder(path)
    if not dry_run:
        disk.sync_dirs([c.path for c in out], gone_is_fine=True)
    return out


def _inside(disk: FileSystem, path: str) -> dict[str, int]:
    return disk.entries(path) if disk.is_folder(path) else {}


def _inside_files(disk: FileSystem, path: str) -> list[str]:
    return [name for name, inode in _inside(disk, path).items() if inode]


def _one(
    disk: FileSystem,
    checkpoints: CheckpointStore,
    path: str,
    documents: frozenset[str],
    now: datetime,
    dry_run: bool,
) -> Cleaned:
    if disk.writers(path) is Writers.OPEN:
        return Cleaned(path, "busy", "a process writes it")
    digest = disk.digest(path)
    why = ""
    if digest is not None and digest in documents:
        why = "the target holds the same bytes"
    elif digest is not None and _is_image(checkpoints, digest):
        why = "its bytes are a stored image"
    elif now - disk.changed_at(path) > OLD:
        why = f"it is over {OLD.days} days old"
    if why:
        if not dry_run:
            disk.unlink(path)
        return Cleaned(path, "removed", why)
    kept = ""
    if not dry_run:
        kept = checkpoints.save_rescue(path.rpartition("/")[2], disk.content(path))
        disk.unlink(path)
    return Cleaned(path, "rescued", "its bytes are nowhere else", kept)


def _is_image(checkpoints: CheckpointStore, digest: str) -> bool:
    try:
        checkpoints.image(digest)
    except ConfmigError:
        return False
    return True
