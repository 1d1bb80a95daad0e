"""The configuration directory: find, read, stage, exchange, unlink. Linux, one writer.

Every path is opened beneath the root (``openat2`` with RESOLVE_BENEATH and NO_SYMLINKS), so
neither ``..`` nor a symlink planted by somebody can lead out of it. What is no plain file of one
link is refused by name and never followed. ``exchange`` swaps two names in one step of the
kernel: no reader ever sees a missing or half-written file, and what was there comes out intact.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from confmig.adapters.files.beneath import NO_MOUNTS, mount_of, open_beneath
from confmig.adapters.files.durable import fsync, sync_filesystem
from confmig.adapters.files.lease import ReadLease, Writers, writer_of
from confmig.adapters.files.metadata import (
    Metadata,
    dress,
    has_capabilities,
    may_chown,
    metadata_of,
)
from confmig.adapters.files.mounts import filesystem_of, is_network
from confmig.adapters.files.patterns import pattern, way
from confmig.errors import Busy, Fault, Refused

PREFIX = ".confmig-"
OVERSIZE = "oversize"
_LARGE = 64 * 1024 * 1024
_CHUNK = 1 << 20
_TRIES = 8
_PATIENCE = 50
_FORCE_SYNC, _BASIC_STATS = 0x1000 | 0x2000, 0x7FF
_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Signature:
    """What changes when somebody writes to a file or replaces it; times in nanoseconds."""

    inode: int
    size: int
    mtime: int
    ctime: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Signature:
        """The signature of a file's facts."""
        return cls(facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One file as it was read: content, its SHA-256 and metadata, and whether it is a mount of
    its own. ``writers``: whether another process had it open for writing, or changed it while it
    was read; ``writer`` names that process where /proc shows it."""

    path: str
    data: bytes
    digest: str
    metadata: Metadata
    mounted: bool = False
    writers: Writers = Writers.NONE
    signature: Signature = Signature(0, 0, 0, 0)
    writer: str | None = None


@dataclass(frozen=True, slots=True)
class Ways:
    """What the operator allows beyond the exchange of single files.

    ``weak``: link and rename where the filesystem cannot exchange. ``mounted``: write into files
    that are mounts of their own. ``directory``: exchange the directory of several files instead.
    ``open_files``: exchange files that another process has open for writing.
    """

    weak: bool = False
    mounted: bool = False
    directory: bool = False
    open_files: bool = False


def digest_of(data: bytes) -> str:
    """The SHA-256 of a content, as hex."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Held:
    """An open target and the lease on it; ``inode`` identifies it among names."""

    fd: int
    lease: ReadLease
    inode: int

    def digest(self) -> str:
        """The hash of its content, read through this descriptor."""
        return digest_of_file(self.fd)

    def metadata(self) -> Metadata:
        """What it has besides its content."""
        return metadata_of(self.fd)


class Disk:
    """An open configuration root. Use as a context manager."""

    def __init__(
        self, root: str, *, size_cap: int = 8 * 1024 * 1024, ways: Ways | None = None
    ) -> None:
        self.root = root
        self.size_cap = size_cap
        self.ways = ways or Ways()
        self.replaced = False
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
        return self._walk(patterns)[0]

    def temporaries(self, patterns: Sequence[str]) -> list[str]:
        """Every temporary file or directory of ours where documents may be, sorted."""
        return self._walk(patterns)[1]

    def _walk(self, patterns: Sequence[str]) -> tuple[list[str], list[str]]:
        wanted = [pattern(p) for p in patterns]
        ways = [way(p) for p in patterns]
        out: list[str] = []
        ours: list[str] = []
        stack = [""]
        while stack:
            folder = stack.pop()
            for entry in self._entries(folder):
                name = f"{folder}{entry.name}"
                if entry.name.startswith(PREFIX):
                    ours.append(name)
                elif any(w.match(name) for w in wanted):
                    out.append(name)
                elif not any(way(name) for way in ways):
                    continue  # nothing below can match
                elif entry.is_dir(follow_symlinks=False):
                    stack.append(f"{name}/")
                elif entry.is_dir() and any(way(name) == "named" for way in ways):
                    out.append(name)  # a symlink on the way of a pattern: ``read`` refuses it
        return sorted(out), sorted(ours)

    def is_folder(self, path: str) -> bool:
        """Whether a name leads to a directory (not to a symlink)."""
        with self._folder_of(path) as folder:
            facts = os.stat(os.path.basename(path), dir_fd=folder, follow_symlinks=False)
            return stat.S_ISDIR(facts.st_mode)

    def changed_at(self, path: str) -> datetime:
        """When a name's inode changed last."""
        with self._folder_of(path) as folder:
            facts = os.stat(os.path.basename(path), dir_fd=folder, follow_symlinks=False)
            return datetime.fromtimestamp(facts.st_ctime, UTC)

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
            fd, mounted = self._open_document(path)
        except FileNotFoundError:
            raise Refused("document_missing", "the file is gone", place=path) from None
        except OSError as error:
            raise _odd(path, error) from None
        try:
            facts = os.fstat(fd)
            self._plain_file(path, facts, has_capabilities(fd))
            if mounted and not self.ways.mounted:
                raise _is_mount(path)
            with self._lease(fd) as lease:
                data = self._capped(fd, path)
                metadata = metadata_of(fd)
                after = os.fstat(fd)
                writers = lease.writers
                if lease.broken() or Signature.of(facts) != Signature.of(after):
                    writers = Writers.OPEN
            writer = writer_of(fd) if writers is Writers.OPEN else None
        except OSError as error:
            raise _odd(path, error) from None
        finally:
            os.close(fd)
        return Snapshot(
            path, data, digest_of(data), metadata, mounted, writers, Signature.of(after), writer
        )

    def _lease(self, fd: int) -> ReadLease:
        return ReadLease(fd, network=self._is_network)

    @cached_property
    def _is_network(self) -> bool:
        return is_network(filesystem_of(Path(self.root)))

    def _capped(self, fd: int, path: str) -> bytes:
        """The content of a document. A file that grows while it is read stays below the cap."""
        data = read_all(fd, os.fstat(fd).st_size, self.size_cap + 1)
        if len(data) > self.size_cap:
            raise _too_large(path, len(data), self.size_cap)
        return data

    def _plain_file(self, path: str, facts: os.stat_result, capable: bool) -> None:
        def odd(code: str, what: str) -> Refused:
            return Refused(code, what, place=path, fix="put a plain file of its own there")

        if not stat.S_ISREG(facts.st_mode):
            raise odd("not_a_file", "it is no regular file")
        if facts.st_nlink != 1 and not self._linked_by_us(path, facts):
            raise odd(
                "hard_link", f"the file has {facts.st_nlink} links; an exchange would part them"
            )
        if facts.st_mode & (stat.S_ISUID | stat.S_ISGID):
            raise odd("setuid_file", "the file is setuid or setgid")
        if capable:
            raise odd("capability_file", "the file has capabilities, which a program has")
        if facts.st_size > self.size_cap:
            raise _too_large(path, facts.st_size, self.size_cap)
        if facts.st_uid != os.geteuid() and not may_chown():
            raise odd(
                "foreign_owner",
                f"the file belongs to user {facts.st_uid} and this process may not "
                "give files away; run as that user",
            )

    def exists(self, path: str) -> bool:
        """Whether anything is there, a symlink that leads nowhere too."""
        try:
            with self._folder_of(path) as folder:
                return _is_there(os.path.basename(path), folder)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _linked_by_us(self, path: str, facts: os.stat_result) -> bool:
        """Whether the only other name of a file is in a directory that we build for an exchange:
        a report must not take that for something odd."""
        parts = path.split("/")
        for depth in range(len(parts) - 1):
            above = "".join(f"{part}/" for part in parts[:depth])
            for entry in self._entries(above):
                if not entry.name.startswith(PREFIX) or not entry.is_dir(follow_symlinks=False):
                    continue
                other = "/".join([entry.name, *parts[depth + 1 :]])
                try:
                    found = os.stat(os.path.join(self.root, above, other), follow_symlinks=False)
                except OSError:
                    continue
                if facts.st_nlink == 2 and os.path.samestat(found, facts):
                    return True
        return False

    def digest(self, folder_and_name: str) -> str | None:
        """The hash of a file's content, None if it is not there or no regular file. A file that is
        too large to be an image of ours is not read (a sparse one may say it has 1 TiB): OVERSIZE.
        """
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
            self._refresh(fd)
            if facts.st_size > max(2 * self.size_cap, _LARGE):
                return OVERSIZE
            return digest_of_file(fd)
        finally:
            os.close(fd)

    def metadata(self, path: str) -> Metadata | None:
        """What a file has besides its content, None if it is not there."""
        try:
            fd = self._open(path)
        except OSError:
            return None
        try:
            return metadata_of(fd)
        finally:
            os.close(fd)

    def content(self, path: str) -> bytes:
        """The bytes of a file; of a symlink, where it leads."""
        try:
            fd = self._open(path)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            with self._folder_of(path) as folder:
                return os.fsencode(os.readlink(os.path.basename(path), dir_fd=folder))
        try:
            self._refresh(fd)
            return read_all(fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)

    def entries(self, folder: str) -> dict[str, int]:
        """All that is below a directory, by its name there: the inode of what is no directory, 0
        for a directory, which comes before what is in it. Raises ``Refused`` if one is a mount."""
        out: dict[str, int] = {}
        with self._folder_of(folder) as above:
            mount = mount_of(above)

        def look(below: str) -> None:
            with self._folder_of(f"{folder}{below}/x") as fd:
                if mount_of(fd) != mount:
                    raise Refused(
                        "target_is_mount",
                        "the directory that is to be exchanged is a mount, or holds one",
                        place=f"{folder}{below}",
                        fix="set `commit: files` for this target",
                    )
                with os.scandir(fd) as found:
                    entries = sorted(found, key=lambda e: e.name)
                for entry in entries:
                    name = f"{below}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        out[name.removeprefix("/")] = 0
                        look(name)
                    else:
                        out[name.removeprefix("/")] = entry.inode()

        look("")
        return out

    # --- changing

    def make_folder(self, path: str) -> None:
        """A temporary directory of ours, for us alone until ``dress``."""
        with self._folder_of(path) as folder:
            os.mkdir(os.path.basename(path), 0o700, dir_fd=folder)

    def dress(self, path: str, metadata: Metadata) -> None:
        """Give a temporary file or directory the owner, attributes and mode of another."""
        fd = self._open(path)
        try:
            dress(fd, metadata)
        finally:
            os.close(fd)

    def open_up(self, path: str) -> None:
        """Let us remove what is in a temporary directory that was dressed as one where nobody may
        write."""
        with self._folder_of(f"{path}/x") as fd:
            if is_ours(path) and not os.fstat(fd).st_mode & stat.S_IWUSR:
                os.fchmod(fd, 0o700)

    def link(self, a: str, b: str) -> None:
        """A second name for what is at ``a`` (a symlink itself, not where it leads)."""
        with self._folder_of(a) as one, self._folder_of(b) as other:
            os.link(
                os.path.basename(a),
                os.path.basename(b),
                src_dir_fd=one,
                dst_dir_fd=other,
                follow_symlinks=False,
            )

    def remove_folder(self, path: str) -> None:
        """Remove an empty temporary directory of ours; absent is fine."""
        if not is_ours(path):
            raise RuntimeError(f"only temporary directories are ever removed, not {path}")
        with suppress(FileNotFoundError), self._folder_of(path) as folder:
            os.rmdir(os.path.basename(path), dir_fd=folder)

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
            dress(fd, metadata)
            if durable:
                fsync(fd)
        finally:
            os.close(fd)

    def exchange(self, a: str, b: str) -> None:
        """Swap two names of one directory, atomically: a temporary of ours and a target. Raises
        ``Refused`` where the filesystem cannot, or where the target is a mount of its own.

        With ``ways.weak`` a filesystem that cannot gets the next best: see ``_replace``.
        """
        first, second = os.fsencode(os.path.basename(a)), os.fsencode(os.path.basename(b))
        with self._folder_of(a) as folder:
            failed = _libc.renameat2(folder, first, folder, second, _EXCHANGE) != 0
            code = ctypes.get_errno()
            if not failed:
                return
            if code == errno.EBUSY:
                raise _is_mount(b)
            if code not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise OSError(code, os.strerror(code), b)
            if not self.ways.weak or not self._replace(folder, a, b):
                raise Refused(
                    "no_exchange",
                    "this filesystem cannot exchange two files"
                    + (", and has no hard links either" if self.ways.weak else ""),
                    place=b,
                    fix="put the configuration on ext4, xfs, btrfs, tmpfs or overlay"
                    + (
                        ""
                        if self.ways.weak
                        else ", or allow `cas: weak` in the settings of the target"
                    ),
                )

    def _replace(self, folder: int, a: str, b: str) -> bool:
        """An exchange without the kernel's help: a second name keeps what is there, the stage is
        renamed over it, and what was kept takes the stage's name. False without hard links.

        Readers never see a missing or half-written file. What somebody renames to ``b`` between
        the look and the rename is lost: that is the weakness.
        """
        stage, target = os.path.basename(a), os.path.basename(b)
        kept = f"{stage}w"
        for _ in range(_TRIES):
            try:
                os.link(target, kept, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                same = _inode(kept, folder) == _inode(target, folder)
            except FileNotFoundError:
                # a file that is replaced just now has no name for a moment, says the kernel
                same = False
                if not _is_there(target, folder):
                    self.unlink(f"{a}w")
                    raise
            except OSError as error:
                if error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                    return False
                raise
            if same:
                os.rename(stage, target, src_dir_fd=folder, dst_dir_fd=folder)
                os.rename(kept, stage, src_dir_fd=folder, dst_dir_fd=folder)
                self.replaced = True
                return True
            self.unlink(f"{a}w")  # somebody renamed over it in between
        raise Busy("target_busy", f"the file was replaced {_TRIES} times meanwhile", place=b)

    def finish_exchange(self, a: str) -> None:
        """Finish or take back a weak exchange that a crash or an error interrupted; without one
        nothing happens."""
        kept = f"{a}w"
        if not self.exists(kept):
            return
        if not self.exists(a):
            self.rename(kept, a)
        else:
            self.unlink(kept)  # the stage was not renamed yet

    def rename(self, a: str, b: str) -> None:
        """Give one temporary file of ours the name of another."""
        first, second = os.path.basename(a), os.path.basename(b)
        if not is_ours(a) or not is_ours(b):
            raise RuntimeError("only temporary files are ever renamed over")
        with self._folder_of(a) as folder:
            os.rename(first, second, src_dir_fd=folder, dst_dir_fd=folder)

    def unlink(self, path: str) -> None:
        """Remove a temporary file of ours, or something in a temporary directory of ours; absent
        is fine."""
        name = os.path.basename(path)
        if not is_ours(path):
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
                    if device not in done:
                        sync_filesystem(fd)
                    done.add(device)
            except (FileNotFoundError, NotADirectoryError):
                if not gone_is_fine:
                    raise

    def writers(self, path: str) -> Writers:
        """Whether another process has a file open for writing. A file that is not there has none.

        UNKNOWN also where the filesystem may know the two names of a replaced file as two files.
        """
        if self.replaced and self._two_faced():
            return Writers.UNKNOWN
        try:
            fd = self._open(path)
        except (FileNotFoundError, NotADirectoryError):
            return Writers.NONE
        except OSError:
            return Writers.UNKNOWN
        try:
            with self._lease(fd) as lease:
                return lease.writers
        finally:
            os.close(fd)

    @contextmanager
    def hold(self, path: str) -> Iterator[Held]:
        """A target that is open under a read lease (where the kernel grants one): its writers wait
        until the end of the context. Raises ``OSError`` if it cannot be opened."""
        fd = self._open(path)
        try:
            with self._lease(fd) as lease:
                yield Held(fd, lease, os.fstat(fd).st_ino)
        finally:
            os.close(fd)

    def inode(self, path: str) -> int | None:
        """The inode that a name leads to, None if it is not there."""
        try:
            with self._folder_of(path) as folder:
                return _inode(os.path.basename(path), folder)
        except (FileNotFoundError, NotADirectoryError):
            return None

    # --- inside

    def _two_faced(self) -> bool:
        """Whether this filesystem may have several inodes in memory for one file."""
        kind = filesystem_of(Path(self.root)) or ""
        return kind.startswith("fuse") or is_network(kind)

    def _refresh(self, fd: int) -> None:
        """Make such a filesystem ask for the size again: another name may have changed it."""
        if self.ways.weak:
            _libc.statx(fd, b"", _FORCE_SYNC, _BASIC_STATS, ctypes.create_string_buffer(256))

    @contextmanager
    def _folder_of(self, path: str) -> Iterator[int]:
        """The directory of a path, open while it is used: thousands of them must not add up."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        fd = open_beneath(self.fd, os.path.dirname(path) or ".", flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def _open(self, path: str, more: int = 0) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        for _ in range(_PATIENCE):
            try:
                return open_beneath(self.fd, path, flags, more)
            except BlockingIOError:  # somebody holds a lease on it, as we do in ``rewrite``
                time.sleep(0.02)
        return open_beneath(self.fd, path, flags, more)

    def open_to_read(self, path: str) -> int:
        """A file that is there, to be read; the caller closes it."""
        return self._open(path)

    def open_to_write(self, path: str) -> int:
        """A file that is there, to be read and written; the caller closes it."""
        return open_beneath(self.fd, path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    def _open_document(self, path: str) -> tuple[int, bool]:
        """A file, and whether it is a mount of its own."""
        try:
            return self._open(path, NO_MOUNTS), False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        with self._folder_of(path) as folder:  # there is a mount on the way: the file itself?
            fd = self._open(path)
            try:
                return fd, mount_of(fd) != mount_of(folder)
            except BaseException:
                os.close(fd)
                raise


def _too_large(path: str, size: int, cap: int) -> Refused:
    return Refused(
        "file_too_large",
        f"{size} bytes are more than the cap of {cap}",
        place=path,
        fix="raise `limits.size` in the settings if the file is meant to be that large",
    )


def is_ours(path: str) -> bool:
    """Whether a name below the root is a temporary of ours, or in one."""
    return any(part.startswith(PREFIX) for part in path.split("/"))


def _inode(name: str, folder: int) -> int:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_mount(path: str) -> Refused:
    return Refused(
        "target_is_mount",
        "the file is a mount of its own (a single-file bind mount, a subPath?)",
        place=path,
        fix="mount its directory instead, or set `mounted_files: rewrite` for the target",
    )


@contextmanager
def about(path: str) -> Iterator[None]:
    """An error of the system inside names this file, not a descriptor or a temporary name."""
    try:
        yield
    except OSError as error:
        error.filename = path
        raise


def read_all(fd: int, size: int, most: int | None = None) -> bytes:
    """The content of an open file of about this size, or the first ``most`` bytes of it."""
    chunks = []
    left = most
    while left is None or left > 0:
        want = max(size, 4096) + 1
        chunk = os.read(fd, want if left is None else min(want, left))
        if not chunk:
            break
        chunks.append(chunk)
        left = None if left is None else left - len(chunk)
    return b"".join(chunks)


def digest_of_file(fd: int) -> str:
    """The SHA-256 of an open file, read as a stream: it is never whole in memory."""
    hasher = hashlib.sha256()
    os.lseek(fd, 0, os.SEEK_SET)
    while chunk := os.read(fd, _CHUNK):
        hasher.update(chunk)
    return hasher.hexdigest()


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
