"""What must hold after a crash and after the run that follows it, read from disk alone.

Nothing of confmig is imported: code that checked itself with itself would agree with its own
mistakes. All knowledge of the state database is in the three queries below.

Every function returns the violations it found, as sentences; none means the promise was kept.

The database is only ever opened as a *copy*. Opening the original between the kill and the next
run would replay and check-point its log, that is, do part of the recovery that is under test. The
-shm file is left out of the copy on purpose: after a power cut it would not be there either.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATABASE = "state.db"
DOCUMENTS = "SELECT path, version, digest FROM documents ORDER BY target, config, path"
TRANSACTIONS = "SELECT id, phase FROM transactions ORDER BY id"
EVENTS = "SELECT uid, name, attributes FROM events ORDER BY seq"

MIGRATED = "config.migrated"
MIGRATION_ID = "config.migration.id"
FILE_PATH = "config.file.path"
SETTLED = frozenset({"DONE", "ABORTED"})
TEMPORARY = ".confmig-"
OTHER = ".other"
"""How the names of files end that are no documents."""

_STAMP = re.compile(rb"^schema_version:[ \t]*(\d+)[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_OBJECT = re.compile(r"[0-9a-f]{64}")


# --- the facts ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Image:
    """A file as its service sees it: the bytes and everything that decides who may read them."""

    content: bytes
    mode: int
    uid: int
    gid: int
    attributes: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class State:
    """What the database says. `dump` is its whole content as SQL, for comparison."""

    integrity: str
    documents: dict[str, tuple[int, str]]  # path -> version, sha256 in hex
    phases: dict[str, str]
    events: tuple[tuple[str, str, dict[str, Any]], ...]  # uid, name, attributes
    dump: str

    @property
    def migrated(self) -> Counter[tuple[str, str]]:
        """How often each (path, migration id) was told of as migrated."""
        return Counter(
            (str(attributes.get(FILE_PATH)), str(attributes.get(MIGRATION_ID)))
            for _, name, attributes in self.events
            if name == MIGRATED
        )

    @property
    def unsettled(self) -> dict[str, str]:
        """The transactions that a run has still to finish or undo."""
        return {tx: phase for tx, phase in self.phases.items() if phase not in SETTLED}


def images(config: Path) -> dict[str, Image]:
    """Every file below `config` but `others` and the engine's temporaries, by relative path."""
    return {
        name: _image(config / name)
        for name in _files(config)
        if not _temporary(name) and not name.endswith(OTHER)
    }


def others(config: Path) -> dict[str, Image]:
    """What no migration touches.

    Files that are no documents, symbolic links (where they lead), directories (what is in them
    is found by itself).
    """
    found = {}
    for directory, folders, names in os.walk(config):
        for name in (*folders, *names):
            path = Path(directory) / name
            relative = os.path.relpath(path, config)
            if not _temporary(relative) and (name.endswith(OTHER) or path.is_dir()):
                found[relative] = _image(path)
    return found


def read_state(directory: Path) -> State:
    """The state; one without database or without tables is an empty one."""
    with tempfile.TemporaryDirectory(prefix="promises-") as scratch:
        for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-journal"):
            if (directory / name).exists():
                shutil.copyfile(directory / name, Path(scratch) / name)
        with closing(sqlite3.connect(Path(scratch) / DATABASE)) as database:
            try:
                return _state(database)
            except sqlite3.DatabaseError as error:
                return State(f"unreadable: {error}", {}, {}, (), "")


def _state(database: sqlite3.Connection) -> State:
    integrity = ", ".join(str(row[0]) for row in database.execute("PRAGMA integrity_check"))
    return State(
        integrity=integrity,
        documents={
            str(path): (int(version), str(digest).removeprefix("sha256:"))
            for path, version, digest in _rows(database, DOCUMENTS)
        },
        phases={str(tx): str(phase).upper() for tx, phase in _rows(database, TRANSACTIONS)},
        events=tuple(
            (str(uid), str(name), json.loads(attributes))
            for uid, name, attributes in _rows(database, EVENTS)
        ),
        dump="\n".join(database.iterdump()),
    )


def stamp(content: bytes) -> int:
    """The schema version a document carries; 0 for one without."""
    found = _STAMP.search(content)
    return int(found[1]) if found else 0


# --- the promises ---------------------------------------------------------------------------


def after_the_kill(
    config: Path,
    state: Path,
    old: Mapping[str, Image],
    new: Mapping[str, Image],
    migrations: Iterable[str],
) -> list[str]:
    """Before anything is repaired: no file is torn, and the state tells of nothing undone."""
    bad = []
    now = images(config)
    for name in sorted(now.keys() | old.keys()):
        if name not in now:
            bad.append(f"{name} is gone")
        elif name not in old:
            bad.append(f"{name} appeared")
        elif now[name].content not in (old[name].content, new[name].content):
            bad.append(f"{name} is torn: {len(now[name].content)} bytes, neither old nor new")
        else:
            bad += _kept(name, old[name], now[name])
    return bad + _ahead(now, read_state(state), tuple(migrations))


def _ahead(now: Mapping[str, Image], told: State, migrations: tuple[str, ...]) -> list[str]:
    """The state may lag behind the files while a transaction is open; it may never lead."""
    bad = []
    if told.integrity != "ok":
        bad.append(f"integrity_check after the kill: {told.integrity}")
    for name, (version, digest) in told.documents.items():
        if name not in now:
            bad.append(f"the state knows {name}, which does not exist")
            continue
        on_disk = stamp(now[name].content)
        if version > on_disk:
            bad.append(f"the state is ahead: {name} recorded at {version}, on disk at {on_disk}")
        elif version == on_disk and digest != _sha256(now[name].content):
            bad.append(f"{name} is at {version} as recorded, with another digest")
        elif version < on_disk and not told.unsettled:
            bad.append(f"{name} is at {on_disk}, recorded at {version}, and nothing is open")
    for (name, migration), times in told.migrated.items():
        if times > 1:
            bad.append(f"{migration} of {name} told {times} times after the kill")
        if migration not in migrations:
            bad.append(f"told of an unknown migration {migration} of {name}")
        elif name not in now or stamp(now[name].content) <= migrations.index(migration):
            bad.append(f"told of {migration} of {name}, which is not on disk")
    return bad


def after_the_run(
    config: Path, state: Path, new: Mapping[str, Image], migrations: Iterable[str]
) -> list[str]:
    """After a run that ended with 0: everything new, told once, and nothing left lying about."""
    bad = []
    now = images(config)
    for name in sorted(now.keys() | new.keys()):
        if name not in now:
            bad.append(f"{name} is gone")
        elif name not in new:
            bad.append(f"{name} appeared")
        elif now[name].content != new[name].content:
            bad.append(f"{name} is not the new image, at version {stamp(now[name].content)}")
        else:
            bad += _kept(name, new[name], now[name])
    return bad + _leftovers(config, state) + _told(now, read_state(state), tuple(migrations))


def _told(now: Mapping[str, Image], told: State, migrations: tuple[str, ...]) -> list[str]:
    bad = []
    if told.integrity != "ok":
        bad.append(f"integrity_check: {told.integrity}")
    for name in sorted(now.keys() | told.documents.keys()):
        facts = (stamp(now[name].content), _sha256(now[name].content)) if name in now else None
        recorded = told.documents.get(name)
        if facts != recorded:
            bad.append(f"{name} is {facts} on disk and {recorded} in the state")
    if told.unsettled:
        bad.append(f"transactions that are not settled: {told.unsettled}")
    if "DONE" not in told.phases.values():
        bad.append(f"no transaction is done: {told.phases}")
    expected = Counter((name, migration) for name in now for migration in migrations)
    if missing := expected - told.migrated:
        bad.append(f"{MIGRATED} is missing: {dict(missing)}")
    if surplus := told.migrated - expected:
        bad.append(f"{MIGRATED} told too often: {dict(surplus)}")
    uids = Counter(uid for uid, _, _ in told.events)
    if repeated := [uid for uid, times in uids.items() if times > 1]:
        bad.append(f"event uids used twice: {repeated}")
    return bad


def _leftovers(config: Path, state: Path) -> list[str]:
    bad = [f"left in the config: {name}" for name in _files(config) if _temporary(name)]
    objects = state / "objects"
    for name in _files(objects):
        base = os.path.basename(name)
        if "tmp" in base.lower():
            bad.append(f"left in the objects: {name}")
        elif _OBJECT.fullmatch(base) and _sha256((objects / name).read_bytes()) != base:
            bad.append(f"object {name} does not hold what its name says")
    for name in _files(state):
        if name.startswith("objects/"):
            continue
        if "tmp" in os.path.basename(name).lower() or name.endswith(".new"):
            bad.append(f"left in the state: {name}")
    # Nobody edited anything, so there was nothing to rescue.
    return bad + [f"rescued without need: {name}" for name in _files(state / "rescue")]


def untouched(were: Mapping[str, Image], config: Path) -> list[str]:
    """What has become of that which no migration touches, at any moment."""
    bad = []
    now = others(config)
    for name in sorted(now.keys() | were.keys()):
        if name not in now:
            bad.append(f"{name} is gone")
        elif name not in were:
            bad.append(f"{name} appeared")
        elif now[name].content != were[name].content:
            bad.append(f"{name} is changed")
        else:
            bad += _kept(name, were[name], now[name])
    return bad


def fingerprint(config: Path, state: Path) -> dict[str, object]:
    """All that a run with nothing to do must leave as it is, down to inodes and times."""
    found: dict[str, object] = {"state": read_state(state).dump}
    for name in _files(config):
        is_now = (config / name).lstat()
        found[name] = (is_now.st_ino, is_now.st_mtime_ns, is_now.st_mode, _image(config / name))
    return found


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """What a run that had nothing to do has changed nevertheless."""
    return [
        f"a run with nothing to do changed {name}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


# --- helpers --------------------------------------------------------------------------------


def _kept(name: str, was: Image, now: Image) -> list[str]:
    """Mode, owner and attributes hold at every moment, not only in the end."""
    bad = []
    if was.mode != now.mode:
        bad.append(f"{name} has mode {now.mode:o} instead of {was.mode:o}")
    if (was.uid, was.gid) != (now.uid, now.gid):
        bad.append(f"{name} belongs to {now.uid}:{now.gid} instead of {was.uid}:{was.gid}")
    if was.attributes != now.attributes:
        bad.append(f"{name} has the attributes {now.attributes} instead of {was.attributes}")
    return bad


def _image(file: Path) -> Image:
    is_now = file.lstat()
    about = (is_now.st_mode & 0o7777, is_now.st_uid, is_now.st_gid)
    if file.is_symlink():
        return Image(os.fsencode(os.readlink(file)), *about, {})
    attributes = {name: os.getxattr(file, name) for name in os.listxattr(file)}
    return Image(b"" if file.is_dir() else file.read_bytes(), *about, attributes)


def _files(root: Path) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(directory, name), root)
        for directory, _, names in os.walk(root)
        for name in names
    )


def _temporary(name: str) -> bool:
    return any(part.startswith(TEMPORARY) for part in Path(name).parts)


def _rows(database: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    try:
        return database.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        # Killed before the table was there. A table that is never there is found out by the
        # undisturbed run; anything else is a query that does not fit, which is no violation.
        if "no such table" in str(error):
            return []
        raise AssertionError(f"promises.py does not fit the state database: {error}") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
