"""A state directory in one file, and back: for a new disk, a new machine, an experiment.

The file is a tar of the database (SQLite's own online copy) and everything it names. It holds
secrets, as the state does: it is written with mode 0600.
"""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import tarfile
from pathlib import Path

from confmig.adapters.files.durable import fsync, make_folder, sync_folder
from confmig.adapters.state import format as state_format
from confmig.errors import Refused

PARTS = ("objects", "packs", "checkpoints", "rescue")


def backup(folder: Path, file: Path) -> int:
    """Write the state below ``folder`` into ``file``, which must not exist.

    Returns the number of files in it. A running daemon may go on: what it adds meanwhile is not
    in it.
    """
    database = folder / "state.db"
    if not database.exists():
        raise Refused("no_state", "there is no state to back up", place=str(folder))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(file, flags, 0o600)
    except FileExistsError:
        raise Refused(
            "file_exists", "the file exists already", place=str(file), fix="name another one"
        ) from None
    count = 0
    with os.fdopen(fd, "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
            data = _copy(database)
            info = tarfile.TarInfo("state.db")
            info.size, info.mode = len(data), 0o600
            tar.addfile(info, io.BytesIO(data))
            for part in PARTS:
                for path in sorted((folder / part).glob("*")):
                    if path.name.startswith("tmp-") or not path.is_file():
                        continue
                    tar.add(path, f"{part}/{path.name}", recursive=False)
                    count += 1
        raw.flush()
        fsync(raw.fileno())
    return count + 1


def _copy(database: Path) -> bytes:
    source = sqlite3.connect(f"file:{database.absolute()}?mode=ro", uri=True)
    copy = sqlite3.connect(":memory:")
    try:
        state_format.check(source)
        source.backup(copy)
        return copy.serialize()
    except sqlite3.DatabaseError as error:
        raise state_format.unreadable(database, error) from None
    finally:
        source.close()
        copy.close()


def restore(file: Path, folder: Path) -> int:
    """Make the state directory from a backup, whole or not at all.

    ``folder`` must not have a state yet. Returns the number of files.
    """
    if (folder / "state.db").exists():
        raise Refused(
            "state_exists",
            "there is a state already",
            place=str(folder),
            fix="move it away first: nothing is overwritten",
        )
    make_folder(folder)
    building = folder / "restoring"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    try:
        count = _extract(file, building)
        database = building / "state.db"
        db = sqlite3.connect(database)
        try:
            state_format.check(db)
            db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            raise state_format.unreadable(database, error) from None
        finally:
            db.close()
        for part in PARTS:
            (building / part).mkdir(mode=0o700, exist_ok=True)
            shutil.rmtree(folder / part, ignore_errors=True)
            (building / part).rename(folder / part)
        _sync_below(folder)
        database.rename(folder / "state.db")  # last: this is what makes it a state
        sync_folder(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return count


def _extract(file: Path, folder: Path) -> int:
    """Plain files with the names that a backup has, and nothing else."""
    count = 0
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                part, _, name = member.name.rpartition("/")
                known = member.name == "state.db" or (part in PARTS and name not in ("", ".."))
                if not member.isreg() or not known:
                    raise Refused(
                        "backup_invalid", f"`{member.name}` has no place in it", place=str(file)
                    )
                content = tar.extractfile(member)
                assert content is not None
                target = folder / member.name
                target.parent.mkdir(mode=0o700, exist_ok=True)
                fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(fd, "wb") as out:
                    shutil.copyfileobj(content, out)
                    out.flush()
                    fsync(out.fileno())
                count += 1
    except (tarfile.TarError, OSError) as error:
        raise Refused(
            "backup_invalid",
            f"it is not a backup of a state, or it is damaged ({type(error).__name__})",
            place=str(file),
        ) from None
    if not (folder / "state.db").exists():
        raise Refused("backup_invalid", "there is no database in it", place=str(file))
    return count


def _sync_below(folder: Path) -> None:
    for part in PARTS:
        sync_folder(folder / part)
