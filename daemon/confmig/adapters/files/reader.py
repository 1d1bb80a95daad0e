"""Reading the documents of a configuration root: find, read, identify.

What is not a plain file of one link is refused by name and never followed. A document is read under
a lease of the kernel, which says whether another process has it open for writing.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from confmig.adapters.files.beneath import NO_MOUNTS, mount_of
from confmig.adapters.files.content import digest_of, digest_of_file, read_all
from confmig.adapters.files.lease import ReadLease, Writers, writer_of
from confmig.adapters.files.metadata import Metadata, has_capabilities, may_chown, metadata_of
from confmig.adapters.files.mounts import filesystem_of, is_network
from confmig.adapters.files.patterns import pattern, way
from confmig.adapters.files.refusals import is_mount, refusal_of, too_large
from confmig.adapters.files.root import Root
from confmig.adapters.files.snapshot import PREFIX, Signature, Snapshot
from confmig.errors import Refused

OVERSIZE = "oversize"
_LARGE = 64 * 1024 * 1024
_FORCE_SYNC, _BASIC_STATS = 0x1000 | 0x2000, 0x7FF
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Held:
    """An open target and the lease on it; ``inode`` identifies the file whatever its name is."""

    fd: int
    lease: ReadLease
    inode: int

    def digest(self) -> str:
        """The hash of its content, read through this descriptor."""
        return digest_of_file(self.fd)

    def metadata(self) -> Metadata:
        """What it has besides its content."""
        return metadata_of(self.fd)


class Reader(Root):
    """A root whose files are read."""

    def find(self, patterns: Sequence[str]) -> list[str]:
        """Every name below the root that a pattern matches, sorted.

        Directories are not entered through symlinks. ``read`` finds out what each of them
        is.
        """
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
            raise Refused("document_missing", "the file does not exist", place=path) from None
        except OSError as error:
            raise refusal_of(path, error) from None
        try:
            facts = os.fstat(fd)
            self._plain_file(path, facts, has_capabilities(fd))
            if mounted and not self.options.mounted:
                raise is_mount(path)
            with self._lease(fd) as lease:
                data = self._capped(fd, path)
                metadata = metadata_of(fd)
                after = os.fstat(fd)
                writers = lease.writers
                if lease.broken() or Signature.of(facts) != Signature.of(after):
                    writers = Writers.OPEN
            writer = writer_of(fd) if writers is Writers.OPEN else None
        except OSError as error:
            raise refusal_of(path, error) from None
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
            raise too_large(path, len(data), self.size_cap)
        return data

    def _plain_file(self, path: str, facts: os.stat_result, capable: bool) -> None:
        def refused(code: str, what: str) -> Refused:
            return Refused(code, what, place=path, fix="put a plain file of its own there")

        if not stat.S_ISREG(facts.st_mode):
            raise refused("not_a_file", "it is not a regular file")
        if facts.st_nlink != 1 and not self._linked_by_us(path, facts):
            raise refused(
                "hard_link", f"the file has {facts.st_nlink} links; an exchange would part them"
            )
        if facts.st_mode & (stat.S_ISUID | stat.S_ISGID):
            raise refused("setuid_file", "the file is setuid or setgid")
        if capable:
            raise refused("capability_file", "the file has capabilities, which a program has")
        if facts.st_size > self.size_cap:
            raise too_large(path, facts.st_size, self.size_cap)
        if facts.st_uid != os.geteuid() and not may_chown():
            raise refused(
                "foreign_owner",
                f"the file belongs to user {facts.st_uid} and this process may not "
                "give files away; run as that user",
            )

    def _linked_by_us(self, path: str, facts: os.stat_result) -> bool:
        """Whether the only other name of a file is in a directory that we build for an exchange.

        A report must not take that for a defect.
        """
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
        """The hash of a file's content, None if it does not exist or is not a regular file.

        A file that is too large to be an image of ours is not read (a sparse one may say it
        has 1 TiB): OVERSIZE.
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
        """What a file has besides its content, None if it does not exist."""
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
        """All that is below a directory, by its name there.

        The value is the inode, or 0 for a directory; a directory comes before its content.
        Raises ``Refused`` if one is a mount.
        """
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

    def writers(self, path: str) -> Writers:
        """Whether another process has a file open for writing. A file that does not exist has none.

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
        """A target that is open under a read lease (where the kernel grants one).

        Its writers wait until the end of the context. Raises ``OSError`` if it cannot be
        opened.
        """
        fd = self._open(path)
        try:
            with self._lease(fd) as lease:
                yield Held(fd, lease, os.fstat(fd).st_ino)
        finally:
            os.close(fd)

    def _two_faced(self) -> bool:
        """Whether this filesystem may have several inodes in memory for one file."""
        kind = filesystem_of(Path(self.root)) or ""
        return kind.startswith("fuse") or is_network(kind)

    def _refresh(self, fd: int) -> None:
        """Make such a filesystem ask for the size again: another name may have changed it."""
        if self.options.weak:
            _libc.statx(fd, b"", _FORCE_SYNC, _BASIC_STATS, ctypes.create_string_buffer(256))

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
