"""Changing the files of a configuration root: stage, exchange, unlink. Linux, one writer.

``exchange`` swaps two names in one step of the kernel: no reader ever sees a missing or a
half-written file, and what was there comes out intact. Only our temporaries are removed or renamed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress

from confmig.adapters.files import rewrite
from confmig.adapters.files.beneath import open_beneath
from confmig.adapters.files.durable import fsync, sync_filesystem
from confmig.adapters.files.metadata import Metadata, dress
from confmig.adapters.files.reader import Reader
from confmig.adapters.files.refusals import is_mount
from confmig.adapters.files.root import inode_of, is_there
from confmig.adapters.files.snapshot import is_ours
from confmig.errors import Busy, Refused

_TRIES = 8
_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)


class Disk(Reader):
    """An open configuration root. Use as a context manager."""

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
        """Make a temporary directory removable that was given a mode without write access."""
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
        """Write a new file beside a target, with the target's metadata, and make it durable.

        Many staged files are made durable at once instead: ``sync_all`` follows. The mode
        comes last, so that no one can read the file before it belongs to its owner.
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
        """Swap two names of one directory, atomically: a temporary of ours and a target.

        Raises ``Refused`` where the filesystem cannot, or where the target is a mount of
        its own.

        With ``options.weak`` a filesystem that cannot gets the next best: see ``_replace``.
        """
        first, second = os.fsencode(os.path.basename(a)), os.fsencode(os.path.basename(b))
        with self._folder_of(a) as folder:
            failed = _libc.renameat2(folder, first, folder, second, _EXCHANGE) != 0
            code = ctypes.get_errno()
            if not failed:
                return
            if code == errno.EBUSY:
                raise is_mount(b)
            if code not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise OSError(code, os.strerror(code), b)
            if not self.options.weak or not self._replace(folder, a, b):
                raise Refused(
                    "no_exchange",
                    "this filesystem cannot exchange two files"
                    + (", and has no hard links either" if self.options.weak else ""),
                    place=b,
                    fix="put the configuration on ext4, xfs, btrfs, tmpfs or overlay"
                    + (
                        ""
                        if self.options.weak
                        else ", or allow `cas: weak` in the settings of the target"
                    ),
                )

    def _replace(self, folder: int, a: str, b: str) -> bool:
        """An exchange without the kernel's help.

        A second name keeps what is there, the stage is renamed over it, and what was kept
        takes the stage's name. False without hard links.

        Readers never see a missing or half-written file. What is renamed to ``b`` between
        the look and the rename is lost: that is the weakness.
        """
        stage, target = os.path.basename(a), os.path.basename(b)
        kept = f"{stage}w"
        for _ in range(_TRIES):
            try:
                os.link(target, kept, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                same = inode_of(kept, folder) == inode_of(target, folder)
            except FileNotFoundError:
                # a file that is replaced just now has no name for a moment, says the kernel
                same = False
                if not is_there(target, folder):
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
            self.unlink(f"{a}w")  # another process renamed over it in between
        raise Busy("target_busy", f"the file was replaced {_TRIES} times meanwhile", place=b)

    def finish_exchange(self, a: str) -> None:
        """Finish or take back a weak exchange that a crash or an error interrupted.

        Without one nothing happens.
        """
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
        """Remove a temporary file of ours, or something in a temporary directory of ours.

        Absent is fine.
        """
        name = os.path.basename(path)
        if not is_ours(path):
            raise RuntimeError(f"only temporary files are ever removed, not {name}")
        try:
            with self._folder_of(path) as folder:
                os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return

    def sync_dirs(self, paths: Iterable[str], *, gone_is_fine: bool = False) -> None:
        """Make the names in the directories of these paths durable.

        A directory that another process removed has no names left; with ``gone_is_fine``
        that is not an error.
        """
        for folder in sorted({os.path.dirname(p) for p in paths}):
            try:
                with self._folder_of(f"{folder}/x" if folder else "x") as fd:
                    fsync(fd)
            except (FileNotFoundError, NotADirectoryError):
                if not gone_is_fine:
                    raise

    def sync_all(self, paths: Iterable[str], *, gone_is_fine: bool = False) -> None:
        """Make everything durable on the filesystems of these paths, with one flush of each."""
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

    def check_rewritable(self, path: str, pause: Callable[[float], None]) -> None:
        """Raise the error that ``rewrite`` would raise now; see ``rewrite.check``."""
        fd = self._open(path)
        try:
            rewrite.check(fd, path, pause)
        finally:
            os.close(fd)

    def rewrite(
        self,
        path: str,
        choose: Callable[[bytes, Metadata], bytes | None],
        pause: Callable[[float], None],
    ) -> bool:
        """Write what ``choose`` makes of a file's content into the file, durably.

        False if that is None. See ``rewrite.rewrite``.
        """
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = open_beneath(self.fd, path, flags)
        try:
            return rewrite.rewrite(fd, path, choose, pause)
        finally:
            os.close(fd)  # the lease ends with it
