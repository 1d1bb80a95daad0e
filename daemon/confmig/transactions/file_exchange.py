"""How the files of a transaction get their new images, and their old ones back: each by itself.

A file is exchanged with its stage, in one step of the kernel, and what came out is identified. If
it is neither ours nor the expected image, another process wrote meanwhile; it is exchanged again
so that their edit stands. No one's bytes are ever unlinked: what is not a recorded image goes to
``rescue/``. A file that is a mount of its own cannot be exchanged; it is rewritten in place
(``adapters.files.rewrite``) if the operator allows it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.lease import Writers
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.files.port import FileSystem, HeldFile
from confmig.adapters.files.snapshot import Snapshot, about
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.state.records import FilePlan, Files
from confmig.core.transaction.phases import Image
from confmig.core.transaction.torn import is_torn
from confmig.errors import Busy, ConfmigError
from confmig.transactions.exchange import Drifted, Rescue

_SWAPS = 8
MANY = 32
"""Above this many files, the whole filesystem is flushed once, not each file.
"""

LINGER = 1.0
"""Seconds that clean-up waits for processes that still write into a file we exchanged."""
_LOOK = 0.02
_UNREADABLE = "unreadable"


def told(disk: FileSystem, path: str) -> str | None:
    """The hash of a file that may be another process's. One that we may not read is not ours."""
    try:
        return disk.digest(path)
    except PermissionError:
        return _UNREADABLE


class FileExchange:
    """Every file by an exchange of its own.

    ``crashed``: a process may have ended in the middle of it, so that a mounted file may be
    half-written, or written and not durable.
    """

    def __init__(
        self,
        files: Files,
        checkpoints: CheckpointStore,
        disk: FileSystem,
        rescue: Rescue,
        beat: Callable[[], None],
        pause: Callable[[float], None],
        *,
        crashed: bool = False,
    ) -> None:
        self.files = files
        self.checkpoints = checkpoints
        self.disk = disk
        self.rescue = rescue
        self.beat = beat
        self.pause = pause
        self.crashed = crashed
        self._written: set[str] = set()

    def ready(self) -> None:
        for file in self.files:
            if file.mounted:
                self.disk.check_rewritable(file.path, self.pause)

    def stage(self) -> None:
        many = len(self.files) > MANY
        for file in self.files:
            self.beat()
            with about(file.path):
                if not file.mounted:
                    image = self.checkpoints.image(file.new)
                    self.disk.stage(file.temporary, image, file.metadata, durable=not many)
        self._sync()

    def exchange(self) -> None:
        for file in self.files:
            self.beat()
            with about(file.path):
                self.swap_in(file)
        self._sync()

    def return_edits(self) -> None:
        for file in self._exchanged():
            self.disk.finish_exchange(file.temporary)
            if not self.disk.exists(file.temporary):
                continue
            held = told(self.disk, file.temporary)  # None: not even a file
            chmod = held == file.old and self.disk.metadata(file.temporary) != file.metadata
            foreign = held not in (file.old, file.new) or chmod
            if foreign and self.image(file) is Image.NEW:
                give_back(self.disk, file.temporary, file.path, file.new)

    def image(self, file: FilePlan) -> Image:
        digest = told(self.disk, file.path)
        if digest == file.new:
            return Image.NEW
        if digest == file.old:
            return Image.OLD
        # another process's edit: if our temporary holds the old image, ours had been there before
        if not file.mounted:
            ours = told(self.disk, file.temporary) == file.old
        else:
            if digest not in (None, "unreadable") and self._torn(
                file, self.disk.content(file.path)
            ):
                return Image.TORN
            # after a crash this cannot be known; if there are several files, that makes a conflict
            ours = self.crashed or file.path in self._written
        return Image.EDITED_NEW if ours else Image.EDITED_OLD

    def finish(self) -> None:
        for file in self.files:
            image = self.image(file)
            # a mounted file that is new was perhaps not durable when the process ended
            if image in (Image.OLD, Image.TORN) or (file.mounted and image is Image.NEW):
                self.restage(file, file.new)
                self.swap_in(file)
        self._sync()

    def put_back(self) -> None:
        for file in reversed(self.files):
            image = self.image(file)
            again = self.crashed and file.mounted and image is Image.OLD
            if again or image in (Image.NEW, Image.TORN):
                self.swap_out(file)
        self._sync(gone_is_fine=True)

    def remove(self, *, staging: bool = False) -> None:
        if not staging:
            self.beat()
            linger(self.disk, lambda: (f.temporary for f in self._exchanged()), self.pause)
        for file in self._exchanged():
            self.beat()
            self._remove(file, staging)
        self._sync(gone_is_fine=True)

    # --- one file

    def swap_in(self, file: FilePlan) -> None:
        """Exchange target and stage; raise ``Drifted`` if the target was not what we read."""
        drifted = Drifted(
            "target_drifted",
            "the file was changed while it was being migrated",
            place=file.path,
            fix="nothing: a migration is planned again; after resolve or rollback, see what "
            "changed (content, owner, mode), then run the command again",
        )
        if file.mounted:
            if not self._rewrite(file, file.new, file.old):
                raise drifted
            self._written.add(file.path)
            return
        mine = file.metadata  # another process's chmod is an edit, too
        with held(self.disk, file.path) as target:
            if target.digest() != file.old or target.metadata() != mine:
                raise drifted
            self.disk.exchange(file.temporary, file.path)
            same = self.disk.inode(file.temporary) == target.inode
            if (
                not same
                or told(self.disk, file.temporary) != file.old
                or (self.disk.metadata(file.temporary) != mine)
            ):
                give_back(self.disk, file.temporary, file.path, file.new)
                raise drifted
            if target.lease.broken():
                # a writer opened it meanwhile and waits for us: it gets the file with the name
                give_back(self.disk, file.temporary, file.path, file.new)
                raise busy(file.path)

    def swap_out(self, file: FilePlan) -> None:
        """Put the old image back, unless another process edits at that moment; it is kept."""
        if file.mounted:
            self._rewrite(file, file.old, file.new)
            return
        self.restage(file, file.old)
        today = self.disk.metadata(file.path)
        if today is not None and today != self.disk.metadata(file.temporary):
            self.disk.dress(file.temporary, today)  # another process's chmod stays
        self.disk.exchange(file.temporary, file.path)
        if told(self.disk, file.temporary) != file.new:
            give_back(self.disk, file.temporary, file.path, file.old)

    def restage(self, file: FilePlan, digest: str) -> None:
        """Make sure that the temporary file holds an image.

        It is made under another name first: a crash meanwhile must not leave half an image
        where an edit of another process might be looked for.
        """
        if file.mounted:
            return
        held = told(self.disk, file.temporary)
        if held == digest:
            return
        if held not in (None, file.old, file.new):
            self._keep(file)
        making = file.temporary + "r"
        self.disk.unlink(making)
        self.disk.stage(making, self.checkpoints.image(digest), file.metadata)
        self.disk.rename(making, file.temporary)

    def _rewrite(self, file: FilePlan, to: str, expected: str) -> bool:
        """Write an image over another one, itself, or what a crash left of such a writing.

        An image that is written over itself is durable afterwards. Returns False, and
        writes nothing, if another process's edit is there. Owner, mode and attributes are
        not touched, so that those of another process stay.
        """

        def choose(held: bytes, _: Metadata) -> bytes | None:
            if digest_of(held) not in (expected, to):
                if not self._torn(file, held):
                    return None
                self.rescue(file.path, f"torn-{os.path.basename(file.path)}", held)
            return self.checkpoints.image(to)

        return self.disk.rewrite(file.path, choose, self.pause)

    def _torn(self, file: FilePlan, held: bytes) -> bool:
        """Whether a writing, or its undoing, was cut off.

        Without a crash it was not, and what looks like it is another process's edit.
        """
        if not self.crashed:
            return False
        old, new = self.checkpoints.image(file.old), self.checkpoints.image(file.new)
        return is_torn(held, old, new) or is_torn(held, new, old)

    def _exchanged(self) -> Iterator[FilePlan]:
        return (f for f in self.files if not f.mounted)

    def _keep(self, file: FilePlan) -> None:
        data = self.disk.content(file.temporary)
        self.rescue(file.path, os.path.basename(file.temporary), data)

    def _remove(self, file: FilePlan, staging: bool) -> None:
        """Unlink a temporary; another process's late write in it is kept."""
        self.disk.unlink(file.temporary + "r")
        if not self.disk.exists(file.temporary):
            return
        held = told(self.disk, file.temporary)
        if held not in (file.old, file.new) and not staging:
            self._keep(file)
        self.disk.unlink(file.temporary)

    def _sync(self, *, gone_is_fine: bool = False) -> None:
        """Make the changes of names durable: one flush for each directory, or one for all files.

        What was rewritten is durable already.
        """
        sync = self.disk.sync_all if len(self.files) > MANY else self.disk.sync_dirs
        sync((f.path for f in self._exchanged()), gone_is_fine=gone_is_fine)


@contextmanager
def held(disk: FileSystem, path: str) -> Iterator[HeldFile]:
    """A target under a read lease, so that no writer comes between the look and the exchange.

    Raises ``Busy`` if a process has it open for writing (unless the operator allows that). Where
    the kernel grants no lease there is none: what came out of the exchange is looked at all the
    same.
    """
    try:
        with disk.hold(path) as target:
            if target.lease.writers is Writers.OPEN and not disk.options.open_files:
                raise busy(path)
            yield target
    except (FileNotFoundError, NotADirectoryError):
        raise Drifted("target_drifted", "the file does not exist any more", place=path) from None


def busy(path: str, writer: str | None = None) -> Busy:
    """The refusal to exchange a file that is being written."""
    return Busy(
        "target_busy",
        f"{writer or 'another process'} has the file open for writing",
        place=path,
        fix="wait until it has closed the file; for a service that never closes it, set "
        "`watch.busy.then: migrate`",
    )


def linger(
    disk: FileSystem, temporaries: Callable[[], Iterable[str]], pause: Callable[[float], None]
) -> None:
    """Wait up to ``LINGER`` for those who still write into files that are to be removed.

    ``temporaries`` gives their names.
    """
    waited = 0.0
    while waited < LINGER and any(_may_write(disk, name) for name in temporaries()):
        pause(_LOOK)
        waited += _LOOK


def _may_write(disk: FileSystem, name: str) -> bool:
    """Whether a late writer is there, or may be where no one can tell.

    In that case waiting costs less than losing the bytes of the writer. Without leases, as on
    most network filesystems, only what was replaced without an exchange is waited for.
    """
    writers = disk.writers(name)
    return writers is Writers.OPEN or (writers is Writers.UNKNOWN and disk.replaced)


def give_back(disk: FileSystem, temporary: str, path: str, placed: str) -> None:
    """Put another process's edit, which came out of an exchange, back in its place.

    The files are exchanged until what comes out is what we put there.

    ``placed`` is the hash of what we put at ``path``. If yet another edit comes out, it is the
    newer one and goes back in turn; the older one stays in ``temporary`` for ``rescue/``. Raises
    ``Busy`` (``target_busy``) after 8 exchanges.
    """
    for _ in range(_SWAPS):
        theirs = told(disk, temporary)
        disk.exchange(temporary, path)
        if told(disk, temporary) == placed:
            return
        placed = theirs or ""
    raise Busy(
        "target_busy",
        f"the file changed {_SWAPS} times during one exchange",
        place=path,
        fix="wait until its writer pauses",
    )


def replace_file(disk: FileSystem, snapshot: Snapshot, data: bytes, temporary: str) -> None:
    """Replace one file without any state, for the offline ``migrate --write``.

    An edit that comes in between is kept (``Drifted``).
    """
    new = digest_of(data)
    try:
        with about(snapshot.path):
            disk.stage(temporary, data, snapshot.metadata)
    except BaseException:
        disk.unlink(temporary)  # half-written, and it belongs to nobody
        raise
    failed: ConfmigError | OSError | None = None
    try:
        with held(disk, snapshot.path) as target:
            drifted = Drifted(
                "target_drifted",
                "the file was changed meanwhile; that edit is kept",
                place=snapshot.path,
                fix="run it again",
            )
            if target.digest() != snapshot.digest:
                raise drifted
            disk.exchange(temporary, snapshot.path)
            try:
                same = disk.inode(temporary) == target.inode
                if (
                    not same
                    or told(disk, temporary) != snapshot.digest
                    or (disk.metadata(temporary) != snapshot.metadata)
                ):
                    give_back(disk, temporary, snapshot.path, new)
                    failed = drifted
                elif target.lease.broken():
                    give_back(disk, temporary, snapshot.path, new)
                    failed = busy(snapshot.path)
            except (ConfmigError, OSError) as error:
                failed = error
    except BaseException:
        disk.unlink(temporary)  # the target was not touched
        raise
    linger(disk, lambda: [temporary], time.sleep)
    if told(disk, temporary) in (snapshot.digest, new):
        disk.unlink(temporary)
    elif disk.exists(temporary):
        raise Drifted(
            "target_drifted",
            f"an edit that came in between is kept in {temporary}",
            place=snapshot.path,
            fix="compare the two, then run it again",
        ) from failed
    if failed is not None:
        raise failed
    disk.sync_dirs([snapshot.path])
