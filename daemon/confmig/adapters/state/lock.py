"""Advisory locks: one writer for a state, one for a configuration root.

A state directory is ours, so its lock is taken on the directory itself. A configuration root
belongs to a service, and any reader could hold a lock on it against us: its lock is a file of ours
elsewhere, named after the root's device and inode.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from confmig.errors import LockHeld


class DirectoryLock:
    """An exclusive flock on a directory, held until ``close`` or the end of the process."""

    def __init__(self, path: str, what: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.fd)
            self.fd = -1
            raise LockHeld(
                "lock_held",
                f"another confmig works on this {what}",
                place=path,
                fix="talk to the running daemon, or wait until the other run has ended",
            ) from None

    def close(self) -> None:
        """Release the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RootLock:
    """The lock of a configuration root, held until ``close`` or the end of the process.

    It is taken in every directory for locks that is ours, because not every process of a user
    sees the same ones. Where there is no such directory, the lock is in the state directory,
    and ``say`` gets a message about that: then only processes with the same state keep each
    other out.
    """

    def __init__(
        self, root: str, state_dir: Path, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        facts = os.stat(root)
        name = f"{facts.st_dev:x}-{facts.st_ino:x}"
        self._held: list[tuple[int, Path]] = []
        paths = [folder / name for folder in filter(None, map(_own_folder, _folders(environment)))]
        if not paths:
            say(f"no directory for locks is to be had; only confmigs with {state_dir} wait for us")
            paths = [state_dir / f"root-{name}.lock"]
        try:
            for path in paths:
                fd = _taken(path)
                if fd is None:
                    raise LockHeld(
                        "lock_held",
                        "another confmig works on this configuration directory",
                        place=root,
                        fix="talk to the running daemon, or wait until the other run has ended",
                    )
                self._held.append((fd, path))
        except BaseException:
            self.close()  # else this process would keep itself out of the next pass
            raise

    def close(self) -> None:
        """Release the lock and remove its files."""
        while self._held:
            fd, path = self._held.pop()
            path.unlink(missing_ok=True)
            os.close(fd)

    def __enter__(self) -> RootLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _taken(path: Path) -> int | None:
    """A locked file at the path; None if another process has it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return None
        try:
            if os.path.samestat(os.fstat(fd), os.lstat(path)):
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)  # its last holder removed it between our open and our lock


def _folders(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where locks may be, the best place first."""
    uid = os.geteuid()
    if uid == 0:
        yield Path("/run/confmig")
    elif environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"]) / "confmig"
    yield Path(tempfile.gettempdir()) / f"confmig-{uid}"


def _own_folder(folder: Path) -> Path | None:
    """The directory, made if needed; None if it is not ours alone."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = os.lstat(folder)
    except OSError:
        return None
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
    usable = ours and not facts.st_mode & 0o077 and os.access(folder, os.W_OK | os.X_OK)
    return folder if usable else None
