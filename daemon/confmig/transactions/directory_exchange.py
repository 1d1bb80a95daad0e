"""All files of a transaction at once, by the exchange of the directory that they are in.

Beside the directory a second one is built: the changed files staged in it, everything else under a
second name (a hard link), so that what others write into it meanwhile is in both. Then the two
directories are exchanged in one step of the kernel: a reader that opens the directory sees all
files old or all files new, never a mix, and there is no half-way for recovery either.

What came out is compared with what the plan recorded. A name that came, went or was replaced
in between is another process's edit: the directories are exchanged again, and it stands. Bytes of
another process that have no place then go to ``rescue/``.

What it costs: watchers and processes that hold the old directory itself (not its path) must look
again, and a file that is renamed into it by such a process is found only while clean-up waits.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from confmig.adapters.files.port import FileSystem
from confmig.adapters.files.snapshot import about
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.state.records import Directory, FilePlan, Files
from confmig.core.transaction.phases import Image
from confmig.errors import Refused
from confmig.transactions.exchange import Drifted, Rescue
from confmig.transactions.file_exchange import busy, held, linger, told

_LEASES = 1000
"""Each needs a descriptor while the directories are exchanged."""


class DirectoryExchange:
    """All files with one exchange. It guards at most 1,000 files, and holds their plans."""

    def __init__(
        self,
        files: Files,
        directory: Directory,
        checkpoints: CheckpointStore,
        disk: FileSystem,
        rescue: Rescue,
        beat: Callable[[], None],
        pause: Callable[[float], None],
    ) -> None:
        self.files = list(files)
        self.directory = directory
        self.checkpoints = checkpoints
        self.disk = disk
        self.rescue = rescue
        self.beat = beat
        self.pause = pause
        self._planned = {f.path.removeprefix(f"{directory.path}/"): f for f in files}

    def ready(self) -> None:
        """Nothing is known before the directory is built."""

    def stage(self) -> None:
        self._build()
        self._sync()

    def exchange(self) -> None:
        drifted = Drifted(
            "target_drifted",
            "the directory was changed while its files were being migrated",
            place=self.directory.path,
            fix="nothing: it is planned again",
        )
        if len(self.files) > _LEASES:
            raise Refused(
                "target_busy",
                f"{len(self.files)} files change; a directory exchange guards at most {_LEASES}",
                place=self.directory.path,
                fix="set `commit: files` for this target",
            )
        with ExitStack() as leases:
            targets = [leases.enter_context(held(self.disk, f.path)) for f in self.files]
            if self._foreign(self.directory.path, Image.OLD):
                raise drifted
            self._swap()
            if self._foreign(self.directory.temporary, Image.OLD):
                self._swap()
                raise drifted
            for file, target in zip(self.files, targets, strict=True):
                if target.lease.broken():
                    # before the writer is let in, so that it opens the file that keeps the name
                    self._swap()
                    raise busy(file.path)
        self._sync()

    def return_edits(self) -> None:
        beside = self.directory.temporary
        if not self.disk.exists(beside) or not self._exchanged():
            return
        if not self._foreign(beside, Image.OLD):
            return
        if not self._foreign(self.directory.path, Image.NEW):
            self._swap()
        # else ours was edited, too: both are kept, the newer in its place, the older in rescue/

    def image(self, file: FilePlan) -> Image:
        """Old or new: there is nothing between, and an edit of the new one is just a later edit."""
        return Image.NEW if self._exchanged() else Image.OLD

    def finish(self) -> None:
        """There is nothing between old and new; only the names may not be durable yet."""
        self._sync()

    def put_back(self) -> None:
        if self._exchanged():
            self._swap()
        self._sync()

    def remove(self, *, staging: bool = False) -> None:
        if not staging:
            self.beat()
            linger(self.disk, lambda: [f.temporary for f in self.files], self.pause)
            self._keep_foreign()
        self._clear()
        self._sync()

    # --- inside

    def _sync(self) -> None:
        """One flush, whatever the number of files; nothing is there to flush if all is gone."""
        self.disk.sync_all([self.directory.path], gone_is_fine=True)

    def _build(self) -> None:
        here, beside = self.directory.path, self.directory.temporary
        for folder in self.directory.folders:
            self.disk.make_folder(f"{beside}{folder}")
        for name, inode in self.directory.entries.items():
            self.beat()
            if not inode:
                continue
            with about(f"{here}/{name}"):
                file = self._planned.get(name)
                if file is None:
                    self._link(f"{here}/{name}", f"{beside}/{name}")
                else:
                    image = self.checkpoints.image(file.new)
                    self.disk.stage(file.temporary, image, file.metadata, durable=False)
        for folder in reversed(self.directory.folders):
            self.disk.dress(f"{beside}{folder}", self.directory.folders[folder])

    def _link(self, a: str, b: str) -> None:
        try:
            self.disk.link(a, b)
        except FileNotFoundError:
            raise Drifted("target_drifted", "a file does not exist any more", place=a) from None
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                raise
            raise Refused(
                "directory_not_linkable",
                f"another file of the directory cannot get a second name: {error.strerror}",
                place=a,
                fix="set `commit: files` for this target, or give the documents a directory of "
                "their own",
            ) from None

    def _exchanged(self) -> bool:
        """Whether the built directory is in place: then the old images are in the other one."""
        for file in self.files:
            held = self.disk.digest(file.temporary)
            if held in (file.old, file.new):
                return held == file.old
        return any(self.disk.digest(f.path) == f.new for f in self.files)

    def _swap(self) -> None:
        """Exchange the two directories; ``remove`` keeps what others did in the old one."""
        try:
            with about(self.directory.path):
                self.disk.exchange(self.directory.temporary, self.directory.path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            raise Refused(
                "no_exchange",
                "this filesystem cannot exchange these directories (a lower layer of overlay?)",
                place=self.directory.path,
                fix="set `commit: files` for this target",
            ) from None

    def _foreign(self, folder: str, image: Image) -> list[str]:
        """What is not in a directory as the plan recorded it, with the old images or the new.

        The names that came, went, or hold something else.
        """
        now = self.disk.entries(folder)
        then = self.directory.entries
        out = [name for name in then if name not in now]
        for name, metadata in self.directory.folders.items():
            if self.disk.metadata(f"{folder}{name}") != metadata:
                out.append(name)
        for name, inode in now.items():
            file = self._planned.get(name)
            if name not in then:
                out.append(name)
            elif file is None:
                if inode != then[name]:
                    out.append(name)
            elif not self._holds(file, f"{folder}/{name}", image):
                out.append(name)
        return out

    def _holds(self, file: FilePlan, path: str, image: Image) -> bool:
        wanted = file.old if image is Image.OLD else file.new
        return self.disk.digest(path) == wanted and self.disk.metadata(path) == file.metadata

    def _keep_foreign(self) -> None:
        """Another process's bytes in what is to be removed go to ``rescue/``."""
        beside = self.directory.temporary
        try:
            now = self.disk.entries(beside)
        except FileNotFoundError:
            return
        for name, inode in now.items():
            file = self._planned.get(name)
            if not inode or (file is None and inode == self.directory.entries.get(name)):
                continue  # a directory, or the very file that is in place, too
            digest = told(self.disk, f"{beside}/{name}")
            if file is not None and digest in (file.old, file.new):
                continue
            place = f"{self.directory.path}/{name}"
            try:
                data = self.disk.content(f"{beside}/{name}")
                if file is None and self.disk.exists(place) and data == self.disk.content(place):
                    continue  # it is kept in its place
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                continue  # a socket holds nothing
            kept = f"{os.path.basename(beside)}-{os.path.basename(name)}"
            self.rescue(place, kept, data)

    def _clear(self) -> None:
        """Remove the directory beside, whatever is in it; absent is fine."""
        beside = self.directory.temporary
        try:
            now = self.disk.entries(beside)
        except FileNotFoundError:
            return
        for name in ["", *(f"/{name}" for name, inode in now.items() if not inode)]:
            self.disk.open_up(f"{beside}{name}")
        for name in _inner_first(now):
            self.beat()
            if now[name]:
                self.disk.unlink(f"{beside}/{name}")
            else:
                self.disk.remove_folder(f"{beside}/{name}")
        self.disk.remove_folder(beside)


def _inner_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda n: n.count("/"), reverse=True)
