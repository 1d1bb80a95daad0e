"""The names of all temporaries of a transaction, chosen before anything is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from confmig.adapters.files.port import FileSystem
from confmig.adapters.files.snapshot import PREFIX
from confmig.adapters.state.records import Directory, FilePlan
from confmig.errors import Refused


def lay_out(
    disk: FileSystem, transaction: str, files: Sequence[FilePlan]
) -> tuple[tuple[FilePlan, ...], Directory | None]:
    """Name the temporaries of a transaction's files.

    One beside each, or, for several files where the target says ``commit: directory``, a
    directory beside the one they are in.
    """
    if disk.options.directory and len(files) > 1:
        return _whole(disk, transaction, files)
    out = []
    for number, file in enumerate(files):
        folder, slash, _ = file.path.rpartition("/")
        name = "" if file.mounted else f"{folder}{slash}{PREFIX}{transaction}-{number}"
        out.append(replace(file, temporary=name))
    return tuple(out), None


def _whole(
    disk: FileSystem, transaction: str, files: Sequence[FilePlan]
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
            reason = "a directory does not exist any more"
            raise Refused("document_missing", reason, place=f"{path}{end}")
        folders[end] = metadata
    return moved, Directory(path, temporary, entries, folders)
