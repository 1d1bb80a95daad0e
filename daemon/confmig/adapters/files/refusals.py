"""The refusals of files that cannot be documents, each with a code of its own."""

from __future__ import annotations

import errno

from confmig.errors import Fault, Refused


def too_large(path: str, size: int, cap: int) -> Refused:
    """The refusal of a file that is larger than the cap on documents."""
    return Refused(
        "file_too_large",
        f"{size} bytes are more than the cap of {cap}",
        place=path,
        fix="raise `limits.size` in the settings if the file may be that large",
    )


def is_mount(path: str) -> Refused:
    """The refusal of a file that cannot be exchanged, because it is a mount of its own."""
    return Refused(
        "target_is_mount",
        "the file is a mount of its own (a single-file bind mount, a subPath?)",
        place=path,
        fix="mount its directory instead, or set `mounted_files: rewrite` for the target",
    )


def refusal_of(path: str, error: OSError) -> Refused | Fault:
    """What to raise for a system error that came when a file was opened or read."""
    if error.errno in (errno.ELOOP, errno.EXDEV):
        return Refused(
            "symlink",
            "a symbolic link is in its path; confmig never follows one",
            place=path,
            fix="point the target's root at the real directory",
        )
    if error.errno == errno.ENXIO:
        return Refused("not_a_file", "it is not a regular file", place=path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Refused(
            "document_unreadable",
            f"the file cannot be read: {error.strerror}",
            place=path,
            fix="let this user read it, or run as the service's user",
        )
    return Fault(
        "io_error",
        f"the file cannot be read: {error.strerror}",
        place=path,
        fix="check the disk, then run again",
    )
