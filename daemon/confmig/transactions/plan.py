"""What a transaction intends: the plan that is durable before anything is done.

It is enough for recovery: every image by hash, the metadata, and the names of all temporary files.
The bundle is not needed to finish or to undo it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from confmig.adapters.files.disk import PREFIX, Disk
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.state.store import Transaction
from confmig.errors import Refused


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One file of a transaction. ``temporary`` is the name of its stage.

    ``mounted``: the file is a mount of its own. It cannot be exchanged and is rewritten in place;
    then there is no temporary. ``source``: the hash of what was migrated, if that is not what the
    file held (see ``late_append``); a rollback restores it.
    """

    path: str
    temporary: str
    config: str
    format: str
    old: str
    new: str
    before: int
    after: int
    migrations: tuple[str, ...]
    metadata: Metadata
    mounted: bool = False
    source: str | None = None

    @property
    def origin(self) -> str:
        """The hash of the content before the migrations."""
        return self.source or self.old

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FilePlan:
        """The inverse of ``dataclasses.asdict``."""
        fields = dict(data)
        fields["migrations"] = tuple(fields["migrations"])
        fields["metadata"] = Metadata(**fields["metadata"])
        made = cls(**fields)
        if made.metadata.gives_privileges:
            raise Refused(
                "state_untrusted",
                "a recorded plan gives a file set-uid, set-gid or capabilities, which confmig "
                "never plans",
                place=made.path,
                fix="find out who wrote the state directory; then restore it from a backup",
            )
        return made


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that is exchanged as a whole, and the one that is built beside it.

    ``entries`` is all that is in it, by name below it: the inode of what is no directory, 0 for a
    directory. ``folders`` is the metadata of the directory and of those in it, the outer ones
    first, by the end of their path (the directory itself: empty). What of it differs at the
    exchange was changed by somebody.
    """

    path: str
    temporary: str
    entries: dict[str, int]
    folders: dict[str, Metadata]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Directory:
        """The inverse of ``dataclasses.asdict``."""
        folders = {name: Metadata(**m) for name, m in data["folders"].items()}
        return cls(data["path"], data["temporary"], data["entries"], folders)


@dataclass(frozen=True, slots=True)
class Plan:
    """A transaction to be run. ``details`` is what the commit records about the migrations (see
    ``apply`` and ``rollback``). ``directory``: the files change by the exchange of that."""

    id: str
    target: str
    kind: str
    class_: str
    files: tuple[FilePlan, ...]
    checkpoint: str
    details: dict[str, Any]
    reverses: str | None = None

    @property
    def trace(self) -> tuple[str, str] | None:
        """The trace and span id of the span in which the transaction began."""
        found = self.details.get("trace")
        return (found[0], found[1]) if found else None

    directory: Directory | None = None

    def as_json(self) -> dict[str, Any]:
        """What the state keeps of it."""
        said = {"files": [asdict(f) for f in self.files], "details": self.details}
        if self.directory is not None:
            said["directory"] = asdict(self.directory)
        return said

    @classmethod
    def of(cls, row: Transaction) -> Plan:
        """The plan of a recorded transaction."""
        directory = row.plan.get("directory")
        return cls(
            row.id,
            row.target,
            row.kind,
            row.class_,
            tuple(FilePlan.from_json(f) for f in row.plan["files"]),
            row.checkpoint,
            row.plan["details"],
            row.reverses,
            Directory.from_json(directory) if directory is not None else None,
        )


def lay_out(
    disk: Disk, transaction: str, files: Sequence[FilePlan]
) -> tuple[tuple[FilePlan, ...], Directory | None]:
    """Name the temporaries of a transaction's files: one beside each, or, for several files where
    the target says ``commit: directory``, a directory beside the one they are in."""
    if disk.ways.directory and len(files) > 1:
        return _whole(disk, transaction, files)
    out = []
    for number, file in enumerate(files):
        folder, slash, _ = file.path.rpartition("/")
        name = "" if file.mounted else f"{folder}{slash}{PREFIX}{transaction}-{number}"
        out.append(replace(file, temporary=name))
    return tuple(out), None


def _whole(
    disk: Disk, transaction: str, files: Sequence[FilePlan]
) -> tuple[tuple[FilePlan, ...], Directory | None]:
    path = os.path.commonpath([os.path.dirname(f.path) for f in files])
    if not path:
        raise Refused(
            "directory_is_root",
            "`commit: directory` exchanges the directory that the files have in common, and that "
            "is the target's root",
            place=files[0].path,
            fix="set the target's root one directory higher, or `commit: files`",
        )
    for file in files:
        if file.mounted:
            raise Refused(
                "target_is_mount",
                "the file is a mount of its own, and its directory is to be exchanged",
                place=file.path,
                fix="set `commit: files` for this target",
            )
    above, slash, _ = path.rpartition("/")
    temporary = f"{above}{slash}{PREFIX}{transaction}-d"
    moved = tuple(replace(f, temporary=f"{temporary}{f.path.removeprefix(path)}") for f in files)
    entries = disk.entries(path)
    folders = {}
    for end in ("", *(f"/{name}" for name, inode in entries.items() if not inode)):
        metadata = disk.metadata(f"{path}{end}")
        if metadata is None:
            raise Refused("document_missing", "a directory is gone", place=f"{path}{end}")
        folders[end] = metadata
    return moved, Directory(path, temporary, entries, folders)
