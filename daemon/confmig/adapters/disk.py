"""The configuration directory: find, read, stage, exchange, unlink. Linux, one writer.

Every path is opened beneath the root (``openat2`` with RESOLVE_BENEATH and NO_SYMLINKS), so
neither ``..`` nor a symlink planted by somebody can lead out of it. What is no plain file of one
link is refused by name and never followed. ``exchange`` swaps two names in one step of the
kernel: no reader ever sees a missing or half-written file, and what was there comes out intact.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from confmig.errors import Fault, Refused, Unfinished

PREFIX = ".confmig-"
_EXCHANGE = 2
_OPENAT2 = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 2, 4, 8
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class FsyncFailed(Unfinished):
    """The kernel could not make something durable. Never retried in this process."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file has besides its content."""

    mode: int
    uid: int
    gid: int
    xattrs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One file as it was read: content, its SHA-256 and metadata."""

    path: str
    data: bytes
    digest: str
    metadata: Metadata


def digest_of(data: bytes) -> str:
    """The SHA-256 of a content, as hex."""
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=256)
def pattern(text: str) -> re.Pattern[str]:
    """A file pattern as a regular expression: ``*`` and ``?`` stay within a name, ``**/`` crosses
    directories."""
    out, at = "", 0
    while at < len(text):
        if text.startswith("**/", at):
            out += "(?:[^/]+/)*"
            at += 3
        elif text[at] == "*":
            out += "[^/]*"
            at += 1
        elif text[at] == "?":
            out += "[^/]"
            at += 1
        else:
            out += re.escape(text[at])
            at += 1
    return re.compile(out + r"\Z")


def _way(text: str) -> Callable[[str], str | None]:
    """Whether a pattern leads through a directory: ``named`` by its own words, ``any`` through
    ``**``, or None."""
    *folders, _ = text.split("/")
    deep = folders.index("**") if "**" in folders else None
    fixed = [pattern(part) for part in (folders if deep is None else folders[:deep])]

    def leads(name: str) -> str | None:
        parts = name.split("/")
        if not all(p.match(part) for p, part in zip(fixed, parts, strict=False)):
            return None
        if len(parts) <= len(fixed):
            return "named"
        return "any" if deep is not None else None

    return leads


class Disk:
    """An open configuration root. Use as a context manager."""

    def __init__(self, root: str, *, size_cap: int = 8 * 1024 * 1024) -> None:
        self.root = root
        self.size_cap = size_cap
        try:
            self.fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Refused(
                "target_unreadable",
                f"the root cannot be opened: {error.strerror}",
                place=root,
                fix="check the target's root in the settings, and its rights",
            ) from None

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the root."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    # --- looking

    def find(self, patterns: Sequence[str]) -> list[str]:
        """Every name below the root that a pattern matches, sorted; directories are not entered
        through symlinks. What it is, ``read`` tells."""
        wanted = [pattern(p) for p in patterns]
        ways = [_way(p) for p in patterns]
        out: list[str] = []
        stack = [""]
        while stack:
            folder = stack.pop()
            for entry in self._entries(folder):
                name = f"{folder}{entry.name}"
                if entry.name.startswith(PREFIX):
                    continue
                if any(w.match(name) for w in wanted):
                    out.append(name)
                elif not any(way(name) for way in ways):
                    continue  # nothing below can match
                elif entry.is_dir(follow_symlinks=False):
                    stack.append(f"{name}/")
                elif entry.is_dir() and any(way(name) == "named" for way in ways):
                    out.append(name)  # a symlink on the way of a pattern: ``read`` refuses it
        return sorted(out)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                return list(entries)
        except FileNotFoundError:
            return []  # it vanished: what was in it is gone too
        except OSError as error:
            raise Refused(
                "target_unreadable",
                f"the directory cannot be read: {error.strerror}",
                place=folder or self.root,
                fix="check its rights",
            ) from None

    def read_only(self) -> bool:
        """Whether the root's filesystem is mounted read-only."""
        return bool(os.fstatvfs(self.fd).f_flag & os.ST_RDONLY)

    def read(self, path: str) -> Snapshot:
        """One document. Raises ``Refused`` and says what is odd about the file."""
        try:
            fd = self._open(path)
        except FileNotFoundError:
            raise Refused("document_missing", "the file is gone", place=path) from None
        except OSError as error:
            raise _odd(path, error) from None
        try:
            facts = os.fstat(fd)
            self._plain_file(path, facts)
            data = _read_all(fd, facts.st_size)
            metadata = _metadata(fd)
        except OSError as error:
            raise _odd(path, error) from None
        finally:
            os.close(fd)
        return Snapshot(path, data, digest_of(data), metadata)

    def _plain_file(self, path: str, facts: os.stat_result) -> None:
        def odd(code: str, what: str) -> Refused:
            return Refused(code, what, place=path, fix="put a plain file of its own there")

        if not stat.S_ISREG(facts.st_mode):
            raise odd("not_a_file", "it is no regular file")
        if facts.st_nlink != 1:
            raise odd(
                "hard_link", f"the file has {facts.st_nlink} links; an exchange would part them"
            )
        if facts.st_mode & (stat.S_ISUID | stat.S_ISGID):
            raise odd("setuid_file", "the file is setuid or setgid")
        if facts.st_size > self.size_cap:
            raise odd(
                "file_too_large", f"{facts.st_size} bytes are more than the cap of {self.size_cap}"
            )
        if facts.st_uid != os.geteuid() and not _may_chown():
            raise odd(
                "foreign_owner",
                f"the file belongs to user {facts.st_uid} and this process may not "
                "give files away; run as that user",
            )

    def digest(self, folder_and_name: str) -> str | None:
        """The hash of a file's content, None if it is not there or no regular file."""
        try:
            fd = self._open(folder_and_name)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                return None
            raise
        try:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode):
                return None
            return digest_of(_read_all(fd, facts.st_size))
        finally:
            os.close(fd)

    def metadata(self, path: str) -> Metadata | None:
        """What a file has besides its content, None if it is not there."""
        try:
            fd = self._open(path)
        except OSError:
            return None
        try:
            return _metadata(fd)
        finally:
            os.close(fd)

    def content(self, path: str) -> bytes:
        """The bytes of a temporary file of ours."""
        fd = self._open(path)
        try:
            return _read_all(fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)

    # --- changing

    def stage(self, path: str, data: bytes, metadata: Metadata, *, durable: bool = True) -> None:
        """Write a new file beside a target, with the target's metadata, and make it durable
        (unless many are staged and ``sync_all`` follows).

        The mode comes last, so that nobody can read it before it belongs to its owner.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._folder_of(path) as folder:
            fd = os.open(os.path.basename(path), flags, 0o600, dir_fd=folder)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            facts = os.fstat(fd)
            if (facts.st_uid, facts.st_gid) != (metadata.uid, metadata.gid):
                os.fchown(fd, metadata.uid, metadata.gid)
            for key in os.listxattr(fd):  # the directory's default ACL must not open the file
                if key not in metadata.xattrs:
                    os.removexattr(fd, key)
            for key, value in metadata.xattrs.items():
                os.setxattr(fd, key, bytes.fromhex(value))
            os.fchmod(fd, metadata.mode)
            if durable:
                fsync(fd)
        finally:
            os.close(fd)

    def exchange(self, a: str, b: str) -> None:
        """Swap two names of one directory, atomically. Raises ``Refused`` where the filesystem
        cannot, or where the target is a mount of its own."""
        first, second = os.fsencode(os.path.basename(a)), os.fsencode(os.path.basename(b))
        with self._folder_of(a) as folder:
            failed = _libc.renameat2(folder, first, folder, second, _EXCHANGE) != 0
            code = ctypes.get_errno()
        if not failed:
            return
        if code == errno.EBUSY:
            raise Refused(
                "target_is_mount",
                "the file is a mount of its own (subPath?)",
                place=b,
                fix="mount its directory instead",
            )
        if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise Refused(
                "no_exchange",
                "this filesystem cannot exchange two files",
                place=b,
                fix="put the configuration on ext4, xfs, btrfs, tmpfs or overlay",
            )
        raise OSError(code, os.strerror(code), b)

    def rename(self, a: str, b: str) -> None:
        """Give one temporary file of ours the name of another."""
        first, second = os.path.basename(a), os.path.basename(b)
        if not first.startswith(PREFIX) or not second.startswith(PREFIX):
            raise RuntimeError("only temporary files are ever renamed over")
        with self._folder_of(a) as folder:
            os.rename(first, second, src_dir_fd=folder, dst_dir_fd=folder)

    def unlink(self, path: str) -> None:
        """Remove a temporary file of ours; absent is fine."""
        name = os.path.basename(path)
        if not name.startswith(PREFIX):
            raise RuntimeError(f"only temporary files are ever removed, not {name}")
        try:
            with self._folder_of(path) as folder:
                os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return

    def sync_dirs(self, paths: Iterable[str], *, gone_is_fine: bool = False) -> None:
        """Make the names in the directories of these paths durable. A directory that somebody
        removed has no names left: where that is no error, ``gone_is_fine``."""
        for folder in sorted({os.path.dirname(p) for p in paths}):
            try:
                with self._folder_of(f"{folder}/x" if folder else "x") as fd:
                    fsync(fd)
            except (FileNotFoundError, NotADirectoryError):
                if not gone_is_fine:
                    raise

    def sync_all(self, paths: Iterable[str], *, gone_is_fine: bool = False) -> None:
        """Make everything durable on the filesystems that these paths are on, in one flush
        each (one, as a rule)."""
        done: set[int] = set()
        for folder in sorted({os.path.dirname(p) for p in paths}):
            try:
                with self._folder_of(f"{folder}/x" if folder else "x") as fd:
                    device = os.fstat(fd).st_dev
                    if device not in done and _libc.syncfs(fd) != 0:
                        code = ctypes.get_errno()
                        raise _fsync_failed(OSError(code, os.strerror(code)))
                    done.add(device)
            except (FileNotFoundError, NotADirectoryError):
                if not gone_is_fine:
                    raise

    def being_written(self, path: str) -> bool:
        """Whether some process has a temporary file of ours open for writing: it was a target
        before the exchange, and they go on writing into what is now ours.

        The kernel grants a read lease only on a file that nobody can write to. False where it
        gives no leases.
        """
        try:
            fd = self._open(path)
        except OSError:
            return False
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN
        finally:
            os.close(fd)
        return False

    # --- inside

    @contextmanager
    def _folder_of(self, path: str) -> Iterator[int]:
        """The directory of a path, open while it is used: thousands of them must not add up."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        fd = self._beneath(os.path.dirname(path) or ".", flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def _open(self, path: str) -> int:
        return self._beneath(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    def _beneath(self, path: str, flags: int) -> int:
        how = _OpenHow(flags, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
        fd = _libc.syscall(
            _OPENAT2, self.fd, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)
        )
        if fd >= 0:
            return int(fd)
        code = ctypes.get_errno()
        if code in (errno.ENOSYS, errno.EPERM):
            return self._walk(path, flags)
        raise OSError(code, os.strerror(code), path)

    def _walk(self, path: str, flags: int) -> int:
        """``openat2`` by hand, for kernels (or sandboxes) without it."""
        *folders, last = path.split("/")
        here = os.dup(self.fd)
        try:
            for folder in folders:
                if folder == "..":
                    raise OSError(errno.EXDEV, "the path leaves the root", path)
                below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = below
            return os.open(last, flags | os.O_NOFOLLOW, dir_fd=here)
        finally:
            os.close(here)


def _metadata(fd: int) -> Metadata:
    facts = os.fstat(fd)
    xattrs = {name: os.getxattr(fd, name).hex() for name in sorted(os.listxattr(fd))}
    return Metadata(stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, xattrs)


@contextmanager
def about(path: str) -> Iterator[None]:
    """An error of the system inside names this file, not a descriptor or a temporary name."""
    try:
        yield
    except OSError as error:
        error.filename = path
        raise


def make_folder(folder: Path) -> None:
    """Make a directory of our own (0700), and every name on the way durable."""
    made = []
    for part in (folder, *folder.parents):
        if part.exists():
            break
        made.append(part)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in made:
        fd = os.open(part.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fsync(fd)
        finally:
            os.close(fd)


def fsync(fd: int) -> None:
    """Make a file or directory durable, or fail for good: after a failed fsync the kernel may
    have dropped the pages, so a second one that succeeds proves nothing."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise _fsync_failed(error) from error


def _fsync_failed(error: OSError) -> FsyncFailed:
    return FsyncFailed(
        "fsync_failed",
        f"the disk did not take the data: {error.strerror}",
        fix="check the disk, then run again: the transaction is finished or undone first",
    )


def _read_all(fd: int, size: int) -> bytes:
    chunks = []
    while chunk := os.read(fd, max(size, 4096) + 1):
        chunks.append(chunk)
    return b"".join(chunks)


def _odd(path: str, error: OSError) -> Refused | Fault:
    if error.errno in (errno.ELOOP, errno.EXDEV):
        return Refused(
            "symlink",
            "a symlink is on the way; it is never followed",
            place=path,
            fix="point the target's root at the real directory",
        )
    if error.errno == errno.ENXIO:
        return Refused("not_a_file", "it is no regular file", place=path)
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
        fix="look at the disk, then run again",
    )


@lru_cache(maxsize=1)
def _may_chown() -> bool:
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            effective = next(line for line in status if line.startswith("CapEff:"))
        return bool(int(effective.split()[1], 16) & 1)
    except (OSError, StopIteration, ValueError):
        return os.geteuid() == 0
