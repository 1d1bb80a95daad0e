"""Files that are mounts of their own: written in place under a lease, and all or none of a set.

Such a file cannot be exchanged, so everything that the exchange gives for free is at stake: a
crash leaves it half-written, a reader could see half of it, a writer could come in between, a full
disk could cut it off. Each has its tests here, and each kind of test has a fault put in on purpose
that it must catch.

Much of it needs no mount: a plan says ``mounted`` of an ordinary file, and the code that writes in
place does not look again. What is about mounts really mounts, in a namespace of its own, as root.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import random
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from confmig.adapters.files import lease as leases
from confmig.adapters.files import rewrite as rewriting
from confmig.adapters.files.content import digest_of
from confmig.adapters.files.disk import Disk
from confmig.adapters.files.lease import Writers
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.files.snapshot import PREFIX
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.records import FilePlan, Transaction
from confmig.adapters.state.store import Store
from confmig.core.transaction.phases import Image, Phase
from confmig.errors import Busy, ConfmigError, Fault, Refused, Unfinished
from confmig.transactions import file_exchange as swap
from confmig.transactions.conflicts import Conflicts
from confmig.transactions.exchange import Drifted
from confmig.transactions.file_exchange import FileExchange
from confmig.transactions.runner import Conflict, Transactor
from confmig_otel import events as ev
from tests.crash.harness import err, fork, nested, promises, race, scenario, strace, sweep
from tests.crash.harness.fork import ROOT as REPOSITORY
from tests.crash.harness.fork import Forks, Pool
from tests.crash.harness.race import RECORDS
from tests.crash.harness.scenario import Document, Migration, Scenario, Spec
from tests.crash.harness.strace import Point
from tests.crash.harness.sweep import KILL, Finding, Sweep
from tests.e2e import odd
from tests.e2e.odd import OTHER, ROOT, Mounts, Odd, OddDaemon, User, told
from tests.e2e.test_partial_failure import KILL_AFTER_FIRST
from tests.e2e.world import document, until
from tests.support.planned import Planned, planned, store_images

FULL = os.environ.get("CONFMIG_CRASH_FULL") == "1"
SECTOR = 512
TARGET = "home"
_within = ""  # in a child: the directory of its parent
_BIND, _DETACH = 4096, 2
_libc = ctypes.CDLL(None, use_errno=True)

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed"
)


# --- a small world ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Doc:
    """A file of a transaction, and whether it is written in place."""

    name: str
    old: bytes
    new: bytes
    mounted: bool = True


@dataclass
class World:
    """Files in a root, a state beside it, and transactions between them."""

    root: Path
    store: Store
    checkpoints: Checkpoints
    disk: Disk
    number: int = 0

    def plan(self, *docs: Doc) -> Planned:
        """A transaction; the files hold their old images, and all images are stored."""
        self.number += 1
        files = []
        for index, doc in enumerate(docs):
            self.put(doc.name, doc.old)
            store_images(self.checkpoints, [doc.old, doc.new], f"t{self.number}")
            metadata = self.disk.metadata(doc.name)
            assert metadata is not None
            files.append(
                FilePlan(
                    path=doc.name,
                    temporary="" if doc.mounted else f"{PREFIX}t{self.number}-{index}",
                    config="app",
                    format="yaml",
                    old=digest_of(doc.old),
                    new=digest_of(doc.new),
                    before=1,
                    after=2,
                    migrations=("0001_x",),
                    metadata=metadata,
                    mounted=doc.mounted,
                )
            )
        return planned(
            f"t{self.number}", TARGET, tuple(files), kind="apply", migrations=("0001_x",)
        )

    def transactor(self, pause: Callable[[float], None] = time.sleep) -> Transactor:
        """A transactor as a new process would have it."""
        return Transactor(self.store, self.checkpoints, self.disk, lambda: race.NOW, pause=pause)

    def prepared(self, *docs: Doc) -> Planned:
        """A transaction that stands at PREPARED, no target touched."""
        plan = self.plan(*docs)
        transactor = self.transactor()
        transactor.intend(plan, plan.files, RECORDS)
        transactor.exchange_for(plan).stage()
        transactor.prepare(plan)
        return plan

    def run(self, *docs: Doc) -> None:
        """A transaction to its end."""
        self.transactor().run(made := self.plan(*docs), made.files, RECORDS)

    def recover(self) -> list[Phase]:
        """What the next run does first. A conflict is a phase, too."""
        phases = []
        for row in self.store.transactions.unfinished(TARGET):
            try:
                phases.append(self.transactor().recover(row, RECORDS))
            except Conflict:
                phases.append(Phase.CONFLICT)
        return phases

    def row(self, plan: Planned) -> Transaction:
        found = self.store.transactions.get(plan.id)
        assert found is not None
        return found

    def put(self, name: str, data: bytes) -> None:
        """As whoever writes into a mount: the file stays, its content is another."""
        file = self.root / name
        with open(file, "r+b" if file.exists() else "wb", buffering=0) as out:
            out.truncate(0)
            out.write(data)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def rescued(self) -> list[bytes]:
        return [file.read_bytes() for file in self.checkpoints.rescue.iterdir()]

    def forget_rescued(self) -> None:
        for file in self.checkpoints.rescue.iterdir():
            file.unlink()

    def left(self) -> list[str]:
        return [file.name for file in self.root.rglob(f"{PREFIX}*")]

    def events(self) -> list[str]:
        return [str(event["name"]) for event in self.store.events.history()]


@contextmanager
def room() -> Iterator[Path]:
    """A directory in memory, if there is some."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(
        prefix="confmig-rewrite-", dir=_within or memory, ignore_cleanup_errors=True
    ) as made:
        yield Path(made)


@contextmanager
def small_world() -> Iterator[World]:
    """A world in memory, if there is room: thousands of transactions flush nothing then."""
    with ExitStack() as stack:
        folder = stack.enter_context(room())
        root, state = folder / "config", folder / "state"
        root.mkdir()
        state.mkdir(mode=0o700)
        checkpoints = Checkpoints(state)
        checkpoints.prepare()
        store = stack.enter_context(Store.open(state))
        yield World(root, store, checkpoints, stack.enter_context(Disk(str(root))))


@pytest.fixture
def world() -> Iterator[World]:
    with small_world() as made:
        yield made


def lines(letter: str, count: int) -> bytes:
    """Lines that differ from those of another letter in every byte but few."""
    return b"".join(f"{letter * 8}: {letter * (number % 23)}\n".encode() for number in range(count))


GROWS = Doc("m.yaml", lines("o", 40), lines("n", 70))
SHRINKS = Doc("m.yaml", lines("o", 70), lines("n", 40))
LARGE_GROWS = Doc("m.yaml", lines("o", 1500), lines("n", 2300))
LARGE_SHRINKS = Doc("m.yaml", lines("o", 2300), lines("n", 1500))
SAME = Doc("m.yaml", lines("o", 60), lines("n", 60))
DOCS = {
    "grows": GROWS,
    "shrinks": SHRINKS,
    "same": SAME,
    "large-grows": LARGE_GROWS,
    "large-shrinks": LARGE_SHRINKS,
}
OTHER_DOC = Doc("o.yaml", b"old o\n", b"new o\n", mounted=False)
AND_MOUNTED = replace(OTHER_DOC, mounted=True)


# --- it is what it says -----------------------------------------------------------------------


def test_a_set_of_both_kinds_is_written_and_the_inode_owner_and_attributes_stay(
    world: World,
) -> None:
    plan = world.plan(GROWS, OTHER_DOC, replace(SHRINKS, name="s.yaml"))
    files = [world.root / name for name in ("m.yaml", "s.yaml")]
    for file in files:
        file.chmod(0o604)
        with suppress(OSError):
            os.setxattr(file, "user.confmig-test", b"kept")
        if os.geteuid() == 0:
            os.chown(file, odd.NOBODY, 12345)
    before = [(file.stat().st_ino, odd.metadata(file)) for file in files]
    world.transactor().run(plan, plan.files, RECORDS)
    assert [world.read(n) for n in ("m.yaml", "o.yaml", "s.yaml")] == [
        GROWS.new,
        OTHER_DOC.new,
        SHRINKS.new,
    ]
    assert [(file.stat().st_ino, odd.metadata(file)) for file in files] == before
    assert (world.left(), world.rescued()) == ([], [])
    assert world.events() == [ev.STARTED, ev.COMPLETED]


def test_a_chmod_between_plan_and_write_stays(world: World) -> None:
    plan = world.plan(GROWS)
    (world.root / "m.yaml").chmod(0o601)
    world.transactor().run(plan, plan.files, RECORDS)
    assert stat.S_IMODE((world.root / "m.yaml").stat().st_mode) == 0o601


@pytest.mark.parametrize("first", [True, False], ids=["edited-first", "edited-last"])
@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "exchanged"])
def test_an_edit_between_plan_and_write_stands_and_nothing_else_changes(
    world: World, mounted: bool, first: bool
) -> None:
    docs = [GROWS, replace(OTHER_DOC, mounted=mounted)]
    plan = world.plan(*(docs if first else reversed(docs)))
    world.put("m.yaml", b"somebody's edit\n")
    with pytest.raises(Drifted):
        world.transactor().run(plan, plan.files, RECORDS)
    assert world.read("m.yaml") == b"somebody's edit\n"
    assert world.read("o.yaml") == OTHER_DOC.old
    assert (world.row(plan).phase, world.left(), world.rescued()) == (Phase.ABORTED, [], [])


def _without_last_line(data: bytes) -> bytes:
    return data[: data.rindex(b"\n", 0, -1) + 1]


def test_an_edit_that_looks_like_a_torn_file_stands_when_nothing_was_torn(world: World) -> None:
    """No process died, so this is no trace of a crash: somebody removed the last line."""
    plan = world.plan(SHRINKS, OTHER_DOC)
    edit = _without_last_line(SHRINKS.old)
    world.put("m.yaml", edit)
    with pytest.raises(Drifted):
        world.transactor().run(plan, plan.files, RECORDS)
    assert world.read("m.yaml") == edit
    assert world.read("o.yaml") == OTHER_DOC.old


def test_an_edit_of_our_new_image_that_looks_torn_survives_an_undo(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is written, the last has drifted, so the first goes back.

    But in between somebody has removed its last line.
    """
    edit = _without_last_line(GROWS.new)
    real = FileExchange.swap_in

    def then_edited(self: FileExchange, file: FilePlan) -> None:
        if file.path == "o.yaml":
            world.put("m.yaml", edit)
            world.put("o.yaml", b"drifted\n")
        real(self, file)

    monkeypatch.setattr(FileExchange, "swap_in", then_edited)
    with pytest.raises((Drifted, Conflict)):
        world.run(GROWS, OTHER_DOC)
    assert world.read("o.yaml") == b"drifted\n"
    assert world.read("m.yaml") == edit


# --- torn by hand -------------------------------------------------------------------------------


def prefixes(doc: Doc, step: int) -> Iterator[bytes]:
    """The writing cut off at a byte; what follows is what was there."""
    for at in [*range(1, len(doc.new), step), len(doc.new)]:
        yield doc.new[:at] + doc.old[at:]


def sectors(doc: Doc, count: int, seed: int = 0) -> Iterator[bytes]:
    """Sectors in any order; at the end of the file both lengths."""
    chance = random.Random(seed)
    longest = max(len(doc.old), len(doc.new))
    for _ in range(count):
        held = b"".join(
            chance.choice((doc.old, doc.new))[at : at + SECTOR].ljust(SECTOR, b"\0")
            for at in range(0, longest, SECTOR)
        )
        yield held[: chance.choice((len(doc.old), len(doc.new)))]


def zeros(doc: Doc, count: int, seed: int = 0) -> Iterator[bytes]:
    """The file has grown, by some or all of it, and what is beyond its old end is not written."""
    chance = random.Random(seed)
    if len(doc.new) <= len(doc.old):
        return
    yield doc.old.ljust(len(doc.new), b"\0")
    for _ in range(count):
        size = chance.choice((len(doc.new), chance.randint(len(doc.old) + 1, len(doc.new))))
        held = b""
        for at in range(0, size, SECTOR):
            written = chance.random() < 0.5
            held += (doc.new if written else doc.old)[at : at + SECTOR].ljust(SECTOR, b"\0")
        yield held[:size]


def states(doc: Doc, *, few: bool = True) -> list[bytes]:
    """States that a crash or a power cut may leave of writing, none of them whole.

    Those with zeros end in zeros of the padding where a sector has neither image.
    """
    large = len(doc.old) > 4096
    step = (len(doc.new) // 40 if large else 37) if few else (997 if large else 1)
    found = [
        *prefixes(doc, step),
        *sectors(doc, 40 if few else 400),
        *zeros(doc, 20 if few else 200),
    ]
    return [held for held in dict.fromkeys(found) if held not in (doc.old, doc.new)]


def _rolls_forward(world: World, doc: Doc, held: bytes, other: Doc) -> str:
    """Recovery of one state; what is wrong, or an empty text."""
    plan = world.prepared(doc, other)
    world.put(doc.name, held)
    phases = world.recover()
    if phases != [Phase.DONE]:
        return f"ended in {phases}"
    if (world.read(doc.name), world.read(other.name)) != (doc.new, other.new):
        return "not all new"
    if world.rescued() != [held]:
        return f"{len(world.rescued())} rescued"
    if world.recover() != [] or world.left():
        return "something is left"
    if world.row(plan).phase is not Phase.DONE:
        return "not done"
    world.forget_rescued()
    return ""


@pytest.mark.parametrize("name", DOCS)
@pytest.mark.parametrize("other", [OTHER_DOC, AND_MOUNTED], ids=["exchanged", "mounted"])
def test_every_torn_state_is_completed(world: World, name: str, other: Doc) -> None:
    doc = DOCS[name]
    tried = states(doc)
    assert len(tried) >= 30
    for held in tried:
        assert not _rolls_forward(world, doc, held, other), held[:2000]


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCS)
def test_every_torn_state_is_completed_at_every_byte(world: World, name: str) -> None:
    doc = DOCS[name]
    tried = states(doc, few=False)
    print(f"\n{name}: {len(tried)} states")
    for held in tried:
        assert not _rolls_forward(world, doc, held, OTHER_DOC), held[:2000]


def test_without_a_look_for_torn_files_they_are_not_completed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "is_torn", lambda held, old, new: False)
    bad = [_rolls_forward(world, SHRINKS, held, OTHER_DOC) for held in states(SHRINKS)[:5]]
    assert all(bad)


def test_a_torn_file_among_new_ones_is_completed(world: World) -> None:
    for held in states(LARGE_SHRINKS)[::10]:
        plan = world.prepared(OTHER_DOC, LARGE_SHRINKS)
        world.disk.exchange(plan.files[0].temporary, "o.yaml")
        world.put("m.yaml", held)
        assert world.recover() == [Phase.DONE]
        assert (world.read("m.yaml"), world.read("o.yaml")) == (LARGE_SHRINKS.new, OTHER_DOC.new)
        assert world.left() == []
        world.forget_rescued()


def test_a_crash_before_the_first_byte_starts_nothing(world: World) -> None:
    world.prepared(GROWS, OTHER_DOC)
    assert world.recover() == [Phase.ABORTED]
    assert (world.read("m.yaml"), world.read("o.yaml")) == (GROWS.old, OTHER_DOC.old)
    assert (world.left(), world.rescued()) == ([], [])


EDIT = b"somebody's edit: 1\n"


@pytest.mark.parametrize("name", DOCS)
def test_a_torn_file_is_undone_if_an_exchanged_one_was_edited(world: World, name: str) -> None:
    """Sectors of both images: they do not tell whether it was on its way forth or back."""
    doc = DOCS[name]
    for held in states(doc):
        plan = world.prepared(doc, OTHER_DOC)
        world.put("m.yaml", held)
        world.put("o.yaml", EDIT)
        assert world.recover() == [Phase.ABORTED]
        assert (world.read("m.yaml"), world.read("o.yaml")) == (doc.old, EDIT)
        assert world.rescued() == [held]
        assert (world.recover(), world.left(), world.row(plan).phase) == ([], [], Phase.ABORTED)
        world.forget_rescued()


def on_the_way_back(doc: Doc) -> Iterator[bytes]:
    """The putting back cut off: at a block, or between the last byte and the cutting off."""
    for at in range(SECTOR, len(doc.old), SECTOR):
        yield doc.old[:at] + doc.new[at:]
    yield doc.old + doc.new[len(doc.old) :]


@pytest.mark.parametrize("name", DOCS)
def test_an_undo_that_was_cut_off_is_completed(world: World, name: str) -> None:
    doc = DOCS[name]
    for held in on_the_way_back(doc):
        plan = world.prepared(doc, OTHER_DOC)
        world.put("m.yaml", held)
        world.put("o.yaml", EDIT)
        assert world.recover() == [Phase.ABORTED]
        assert world.read("o.yaml") == EDIT
        assert world.read("m.yaml") == doc.old, held[-2000:]
        assert world.row(plan).phase is Phase.ABORTED
        world.forget_rescued()


def test_an_undo_that_is_killed_before_the_file_is_cut_off_is_completed(world: World) -> None:
    """The other one drifts, so the longer new image goes back, and the process dies in that."""
    plan = world.plan(GROWS, OTHER_DOC)
    real = os.ftruncate
    lengths: list[int] = []

    def ftruncate(fd: int, length: int) -> None:
        lengths.append(length)
        if length == len(GROWS.old):
            raise KeyboardInterrupt  # as good as a kill: nobody tidies up after it
        real(fd, length)
        world.put("o.yaml", EDIT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "ftruncate", ftruncate)
        with pytest.raises(KeyboardInterrupt):
            world.transactor().run(plan, plan.files, RECORDS)
    assert lengths == [len(GROWS.new), len(GROWS.old)]
    assert world.row(plan).phase is Phase.PREPARED
    assert world.recover() == [Phase.ABORTED]
    assert (world.read("m.yaml"), world.read("o.yaml")) == (GROWS.old, EDIT)


@pytest.mark.parametrize("name", DOCS)
@pytest.mark.parametrize("first", [True, False], ids=["torn-first", "torn-last"])
def test_a_torn_file_and_an_edited_mount_are_a_conflict_that_says_so(
    world: World, name: str, first: bool
) -> None:
    """Nothing tells whether the edited one had been new, and it is not ours to overwrite."""
    doc = DOCS[name]
    for held in states(doc)[::7]:
        plan = world.prepared(*((doc, AND_MOUNTED) if first else (AND_MOUNTED, doc)))
        world.put("m.yaml", held)
        world.put("o.yaml", EDIT)
        assert world.recover() == [Phase.CONFLICT]
        assert (world.read("m.yaml"), world.read("o.yaml")) == (doc.old, EDIT)
        assert world.row(plan).error is not None
        assert world.store.transactions.found(plan.id) == {
            "m.yaml": Image.OLD.value,
            "o.yaml": Image.EDITED_NEW.value,
        }
        assert [row.id for row in world.store.transactions.conflicts(TARGET)] == [plan.id]
        Conflicts(world.transactor()).accept(world.row(plan), {})
        assert world.read("o.yaml") == EDIT
        world.forget_rescued()


@pytest.mark.parametrize("name", DOCS)
def test_an_edited_mount_is_never_overwritten_by_recovery(world: World, name: str) -> None:
    """Whatever the other file is: old, new or torn."""
    doc = DOCS[name]
    edits = [EDIT, doc.old + b"more: 1\n", b"# by hand\n" + doc.new, b""]
    if len(doc.new) > len(doc.old):
        edits.append(doc.new + b"more: 1\n")
    for edit in edits:
        for other in (AND_MOUNTED.old, AND_MOUNTED.new, b"new o\nd o\n"[:6]):
            plan = world.prepared(doc, AND_MOUNTED)
            world.put("m.yaml", edit)
            world.put("o.yaml", other)
            [phase] = world.recover()
            assert world.read("m.yaml") == edit
            assert world.read("o.yaml") == AND_MOUNTED.old
            assert phase in (Phase.ABORTED, Phase.CONFLICT)
            if phase is Phase.CONFLICT:
                Conflicts(world.transactor()).accept(world.row(plan), {})
            assert world.read("m.yaml") == edit


def test_one_edited_mount_alone_is_no_conflict(world: World) -> None:
    world.prepared(GROWS)
    world.put("m.yaml", EDIT)
    assert world.recover() == [Phase.ABORTED]
    assert world.read("m.yaml") == EDIT


# --- durable before it is recorded ---------------------------------------------------------------


@contextmanager
def synced(world: World, plan: Planned) -> Iterator[list[tuple[int, Phase]]]:
    """The inodes that were flushed by themselves, and the phase recorded at that time."""
    seen: list[tuple[int, Phase]] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        row = world.store.transactions.get(plan.id)
        seen.append((os.fstat(fd).st_ino, row.phase if row else Phase.STAGING))
        real(fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield seen


def test_what_is_written_is_flushed_before_the_commit(world: World) -> None:
    plan = world.plan(GROWS, OTHER_DOC)
    with synced(world, plan) as seen:
        world.transactor().run(plan, plan.files, RECORDS)
    assert ((world.root / "m.yaml").stat().st_ino, Phase.PREPARED) in seen


@pytest.mark.parametrize("other", ["old", "new"])
def test_what_a_killed_process_had_written_is_flushed_before_recovery_commits(
    world: World, other: str
) -> None:
    """Killed after the last byte and before the flush: the content is new, but only in memory."""
    plan = world.prepared(OTHER_DOC, GROWS) if other == "new" else world.prepared(GROWS, OTHER_DOC)
    if other == "new":
        world.disk.exchange(plan.files[0].temporary, "o.yaml")
    world.put("m.yaml", GROWS.new)
    with synced(world, plan) as seen:
        assert world.recover() == [Phase.DONE]
    assert ((world.root / "m.yaml").stat().st_ino, Phase.PREPARED) in seen


def test_what_a_killed_undo_had_put_back_is_flushed_before_recovery_ends_it(world: World) -> None:
    """Killed while it was undone, after the last byte and before the flush."""
    plan = world.prepared(GROWS, OTHER_DOC)
    world.put("m.yaml", GROWS.new)
    os.sync()
    world.put("m.yaml", GROWS.old)  # on the way back; the disk still has the new one
    world.put("o.yaml", EDIT)
    with synced(world, plan) as seen:
        assert world.recover() == [Phase.ABORTED]
    assert ((world.root / "m.yaml").stat().st_ino, Phase.PREPARED) in seen


# --- errors of the disk -------------------------------------------------------------------------


class Failing:
    """Calls on one file that fail: the n-th of a name (from 1), half done if it is a write."""

    def __init__(self, file: Path, *fails: tuple[str, int], code: int = errno.ENOSPC) -> None:
        self.inode = file.stat().st_ino
        self.fails = fails
        self.code = code
        self.calls: Counter[str] = Counter()
        self.real: dict[str, Callable[..., Any]] = {
            name: getattr(os, name) for name in ("pwrite", "ftruncate", "fsync")
        }

    @contextmanager
    def __call__(self) -> Iterator[Failing]:
        with pytest.MonkeyPatch.context() as patch:
            for name in self.real:
                patch.setattr(os, name, self._of(name))
            yield self

    def _of(self, name: str) -> Callable[..., Any]:
        def call(fd: int, *rest: Any) -> Any:
            if os.fstat(fd).st_ino != self.inode:
                return self.real[name](fd, *rest)
            self.calls[name] += 1
            if (name, self.calls[name]) not in self.fails:
                return self.real[name](fd, *rest)
            if name == "pwrite":  # what the kernel writes of it ends with a block
                data, at = rest
                self.real[name](fd, data[: len(data) // 2 // SECTOR * SECTOR], at)
            raise OSError(self.code, os.strerror(self.code))

        return call


CODES = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


@pytest.mark.parametrize("code", CODES, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize("call", ["pwrite", "ftruncate"])
@pytest.mark.parametrize("name", DOCS)
def test_the_old_content_is_put_back_if_the_disk_does_not_take_the_new(
    world: World, name: str, call: str, code: int
) -> None:
    doc = DOCS[name]
    plan = world.plan(OTHER_DOC, doc)
    with (
        Failing(world.root / "m.yaml", (call, 1), code=code)(),
        pytest.raises(ConfmigError) as caught,
    ):
        world.transactor().run(plan, plan.files, RECORDS)
    assert (caught.value.code, caught.value.place) == ("io_error", "m.yaml")
    assert not isinstance(caught.value, Unfinished)
    assert (world.read("m.yaml"), world.read("o.yaml")) == (doc.old, OTHER_DOC.old)
    assert (world.row(plan).phase, world.left(), world.rescued()) == (Phase.ABORTED, [], [])
    world.run(OTHER_DOC, doc)  # and everything is in order of the next one
    assert world.read("m.yaml") == doc.new


@pytest.mark.parametrize(
    "second", [("pwrite", 2), ("ftruncate", 2), ("fsync", 1)], ids=lambda s: s[0]
)
@pytest.mark.parametrize("name", DOCS)
def test_if_that_fails_too_the_next_run_settles_it(
    world: World, name: str, second: tuple[str, int]
) -> None:
    doc = DOCS[name]
    first = ("ftruncate", 1) if second == ("ftruncate", 2) else ("pwrite", 1)
    second = ("ftruncate", 1) if second[0] == "ftruncate" and first[0] == "pwrite" else second
    plan = world.plan(OTHER_DOC, doc)
    with (
        Failing(world.root / "m.yaml", first, second)() as failing,
        pytest.raises(Unfinished) as caught,
    ):
        world.transactor().run(plan, plan.files, RECORDS)
    assert caught.value.code in ("rewrite_failed", "fsync_failed")
    assert failing.calls["fsync"] == (1 if second[0] == "fsync" else 0)
    assert world.row(plan).phase is Phase.PREPARED
    assert world.recover() == [Phase.DONE]
    assert (world.read("m.yaml"), world.read("o.yaml")) == (doc.new, OTHER_DOC.new)
    assert world.left() == []


@pytest.mark.parametrize("puts_back", [True, False])
def test_without_putting_back_half_a_file_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, puts_back: bool
) -> None:
    if not puts_back:
        monkeypatch.setattr(rewriting, "_put_back", lambda fd, held, path: None)
    world.put("m.yaml", LARGE_GROWS.old)
    with Failing(world.root / "m.yaml", ("pwrite", 1))(), pytest.raises(OSError):
        world.disk.rewrite("m.yaml", lambda held, _: LARGE_GROWS.new, time.sleep)
    assert (world.read("m.yaml") == LARGE_GROWS.old) is puts_back


@pytest.mark.parametrize("name", DOCS)
def test_a_failed_flush_is_not_repeated_and_the_next_run_settles_it(
    world: World, name: str
) -> None:
    doc = DOCS[name]
    plan = world.plan(OTHER_DOC, doc)
    with (
        Failing(world.root / "m.yaml", ("fsync", 1), code=errno.EIO)() as failing,
        pytest.raises(Unfinished) as caught,
    ):
        world.transactor().run(plan, plan.files, RECORDS)
    assert caught.value.code == "fsync_failed"
    assert failing.calls["fsync"] == 1
    assert world.row(plan).phase is Phase.PREPARED
    assert world.recover() == [Phase.DONE]
    assert (world.read("m.yaml"), world.read("o.yaml")) == (doc.new, OTHER_DOC.new)


# --- a resolution of a conflict ---------------------------------------------------------------


def _conflict(world: World, other: Doc = AND_MOUNTED) -> Planned:
    """``m.yaml`` is edited, nobody knows on top of what; the other one is old."""
    plan = world.prepared(GROWS, other)
    world.put("m.yaml", EDIT)
    if not other.mounted:
        world.disk.exchange(plan.files[1].temporary, other.name)
        world.put(other.name, EDIT)
        world.put("m.yaml", GROWS.old)
    assert world.recover() == [Phase.CONFLICT]
    return plan


@pytest.mark.parametrize("mode", ["resume", "restore", "settle"])
def test_no_way_out_of_a_conflict_overwrites_an_edited_mount(world: World, mode: str) -> None:
    plan = _conflict(world)
    with pytest.raises(Conflict) as caught:
        _resolve(world, plan, mode)
    assert caught.value.code == "files_mixed"
    assert "m.yaml: has the new version and was edited" in caught.value.message
    assert (world.read("m.yaml"), world.read("o.yaml")) == (EDIT, AND_MOUNTED.old)
    assert world.row(plan).phase is Phase.CONFLICT


def _resolve(world: World, plan: Planned, mode: str) -> Phase:
    transactor, row = world.transactor(), world.row(plan)
    if mode == "resume":
        return Conflicts(transactor).resume(row, RECORDS)
    if mode == "restore":
        return Conflicts(transactor).restore(row)
    return Conflicts(transactor).settle(row, RECORDS)


@pytest.mark.parametrize(
    ("mode", "m", "ends"),
    [
        ("settle", "old", "old"),
        ("resume", "old", "new"),
        ("resume", "new", "new"),
        ("restore", "old", "old"),
        ("restore", "new", "old"),
    ],
)
def test_a_conflict_ends_when_the_edit_is_put_aside(
    world: World, mode: str, m: str, ends: str
) -> None:
    plan = _conflict(world)
    world.put("m.yaml", getattr(GROWS, m))
    _resolve(world, plan, mode)
    assert world.read("m.yaml") == getattr(GROWS, ends)
    assert world.read("o.yaml") == getattr(AND_MOUNTED, ends)
    assert world.store.transactions.conflicts(TARGET) == []
    assert world.rescued() == []


@pytest.mark.parametrize(("mode", "ends"), [("resume", "new"), ("restore", "old")])
def test_a_crash_inside_a_resolution_does_not_close_that_way(
    world: World, mode: str, ends: str
) -> None:
    """The edit was put aside and the way out was begun; a crash left the file torn.

    The same command again must end it.
    """
    for held in states(GROWS)[::11]:
        plan = _conflict(world)
        world.put("m.yaml", held)
        _resolve(world, plan, mode)
        assert world.read("m.yaml") == getattr(GROWS, ends)
        assert world.read("o.yaml") == getattr(AND_MOUNTED, ends)


# --- leases -------------------------------------------------------------------------------------


def in_child(do: Callable[[], None]) -> int:
    """Run something in a process of its own; how that ended (negative: by which signal).

    What it makes is in a directory of ours: who dies of a signal does not tidy up.
    """
    with room() as folder:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                signal.alarm(60)
                for name in (signal.SIGIO, signal.SIGURG):
                    signal.signal(name, signal.SIG_DFL)
                globals()["_within"] = str(folder)
                do()
                code = 0
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def lease_breaks(file: Path) -> bool:
    """Whether somebody waits in ``open`` for a lease on this file to end."""
    inode = file.stat().st_ino
    wanted = re.compile(rf"LEASE\s+BREAKING\b.*:{inode}\s")
    return any(wanted.search(line) for line in Path("/proc/locks").read_text().splitlines())


class Opener:
    """Another process that opens a file, says so, reads it, and may append to it."""

    PROGRAM = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], int(sys.argv[2]))\n"
        "held = os.pread(fd, 1 << 24, 0) if int(sys.argv[2]) != os.O_WRONLY else b''\n"
        "if int(sys.argv[2]) != os.O_RDONLY:\n"
        "    os.pwrite(fd, b'theirs: 1\\n', os.fstat(fd).st_size)\n"
        "os.close(fd)\n"
        "os.write(1, held.hex().encode() + b'\\n')\n"
    )

    def __init__(self, file: Path, flags: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", self.PROGRAM, str(file), str(flags)],
            stdout=subprocess.PIPE,
        )

    def proceeded(self) -> bool:
        """Whether it has said something by now."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 0)
        return bool(ready)

    def held(self) -> bytes:
        """Wait for its end; what it read."""
        said, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return bytes.fromhex(said.decode())


def _hook_choose(hook: Callable[[], None]) -> None:
    """Do something while the lease is held. For a child: nothing is put back."""
    real = rewriting.rewrite

    def rewrite(
        fd: int,
        path: str,
        choose: Callable[[bytes, Metadata], bytes | None],
        pause: Callable[[float], None],
    ) -> bool:
        def chosen(held: bytes, metadata: Metadata) -> bytes | None:
            data = choose(held, metadata)
            hook()
            return data

        return real(fd, path, chosen, pause)

    setattr(rewriting, "rewrite", rewrite)  # noqa: B010


def _opened_while_written(flags: int, before: Callable[[], None] = lambda: None) -> int:
    """Somebody opens the file exactly while the lease is held; how our process ended."""

    def do() -> None:
        before()
        openers = []
        with small_world() as world:
            file = world.root / "m.yaml"

            def hook() -> None:
                opener = Opener(file, flags)
                openers.append(opener)
                until(lambda: lease_breaks(file), 30, "somebody waits for the lease")
                assert not opener.proceeded()

            _hook_choose(hook)
            world.run(LARGE_SHRINKS, OTHER_DOC)
            [opener] = openers
            assert opener.held() in (LARGE_SHRINKS.new, b"")
            theirs = b"theirs: 1\n" if flags != os.O_RDONLY else b""
            assert world.read("m.yaml") == LARGE_SHRINKS.new + theirs
            assert world.read("o.yaml") == OTHER_DOC.new
            assert world.events() == [ev.STARTED, ev.COMPLETED]

    return in_child(do)


FLAGS = pytest.mark.parametrize(
    "flags", [os.O_RDONLY, os.O_RDWR, os.O_WRONLY], ids=["read", "both", "write"]
)


@FLAGS
def test_who_opens_the_file_while_it_is_written_waits_and_sees_it_whole(flags: int) -> None:
    assert _opened_while_written(flags) == 0


@FLAGS
def test_without_another_signal_that_ends_our_process(flags: int) -> None:
    def loud() -> None:
        setattr(rewriting, "quiet_leases", lambda fd: None)  # noqa: B010

    assert _opened_while_written(flags, loud) == -signal.SIGIO


def _written_in_the_midst(leased: bool) -> int:
    """Somebody reads after our write and before the file is cut off: 0 if they saw it whole."""

    def do() -> None:
        with small_world() as world:
            file = world.root / "m.yaml"
            openers = []
            real = os.ftruncate

            def ftruncate(fd: int, length: int) -> None:
                opener = Opener(file, os.O_RDONLY)
                openers.append(opener)
                until(lambda: lease_breaks(file) or opener.proceeded(), 30, "they come")
                real(fd, length)

            if not leased:
                rewriting._lease = lambda fd, path, pause: None
            plan = world.plan(SHRINKS)
            os.ftruncate = ftruncate
            world.transactor().run(plan, plan.files, RECORDS)
            assert openers[0].held() == SHRINKS.new

    return in_child(do)


def test_a_reader_in_the_midst_waits() -> None:
    assert _written_in_the_midst(leased=True) == 0


def test_without_a_lease_a_reader_in_the_midst_sees_a_mix() -> None:
    assert _written_in_the_midst(leased=False) == 1


def _looked_at(before: Callable[[], None] = lambda: None) -> int:
    """Somebody opens a file for writing in the moment in which ``writers`` looks."""

    def do() -> None:
        before()
        with small_world() as world:
            file = world.root / f"{PREFIX}x"
            file.write_bytes(b"ours\n")
            openers = []
            real = fcntl.fcntl

            def looked(fd: int, command: int, *rest: int) -> int:
                done = real(fd, command, *rest)
                if (command, *rest) == (fcntl.F_SETLEASE, fcntl.F_RDLCK):
                    openers.append(Opener(file, os.O_WRONLY))
                    until(lambda: lease_breaks(file), 30, "somebody waits for the lease")
                    assert not openers[0].proceeded()
                return done

            fcntl.fcntl = looked  # type: ignore[assignment]
            assert world.disk.writers(f"{PREFIX}x") is Writers.NONE
            assert openers[0].held() == b""
            assert file.read_bytes() == b"ours\ntheirs: 1\n"

    return in_child(do)


def test_who_opens_a_file_for_writing_while_we_look_does_not_end_our_process() -> None:
    assert _looked_at() == 0


def test_without_another_signal_a_look_ends_our_process() -> None:
    def loud() -> None:
        leases.quiet_leases = lambda fd: None

    assert _looked_at(loud) == -signal.SIGIO


class Holder:
    """Another process that keeps a file open until it is told to let go."""

    PROGRAM = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], int(sys.argv[2]))\n"
        "print(flush=True)\n"
        "sys.stdin.readline()\n"
        "os.close(fd)\n"
        "print(flush=True)\n"
        "sys.stdin.readline()\n"
    )

    def __init__(self, file: Path, flags: int = os.O_RDONLY) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", self.PROGRAM, str(file), str(flags)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._answer()

    def __enter__(self) -> Holder:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def let_go(self) -> None:
        """Returns when the file is closed."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"\n"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY], ids=["reader", "writer"])
def test_who_keeps_the_file_open_makes_it_busy_and_the_next_run_succeeds(
    world: World, flags: int
) -> None:
    plan = world.plan(OTHER_DOC, GROWS)
    waited: list[float] = []
    with Holder(world.root / "m.yaml", flags) as holder:
        with pytest.raises(Busy) as caught:
            world.transactor(waited.append).run(plan, plan.files, RECORDS)
        assert (caught.value.code, caught.value.place) == ("target_busy", "m.yaml")
        assert rewriting.WAIT <= sum(waited) < rewriting.WAIT + 0.1
        assert (world.read("m.yaml"), world.read("o.yaml")) == (GROWS.old, OTHER_DOC.old)
        assert (world.store.transactions.get(plan.id), world.left()) == (None, [])  # not even begun
        holder.let_go()
    world.run(OTHER_DOC, GROWS)
    assert (world.read("m.yaml"), world.read("o.yaml")) == (GROWS.new, OTHER_DOC.new)


def test_who_lets_go_within_the_second_is_waited_for(world: World) -> None:
    plan = world.plan(GROWS)
    waited: list[float] = []
    with Holder(world.root / "m.yaml") as holder:

        def pause(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 5:
                holder.let_go()

        world.transactor(pause).run(plan, plan.files, RECORDS)
    assert len(waited) == 5
    assert world.read("m.yaml") == GROWS.new


def test_a_file_that_is_busy_when_it_should_go_back_is_settled_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written, then the other one has drifted, and by now somebody has the first one open."""
    real = FileExchange.swap_in
    holders: list[Holder] = []

    def then_held(self: FileExchange, file: FilePlan) -> None:
        if file.path == "o.yaml":
            holders.append(Holder(world.root / "m.yaml"))
            world.put("o.yaml", EDIT)
        real(self, file)

    monkeypatch.setattr(FileExchange, "swap_in", then_held)
    plan = world.plan(GROWS, OTHER_DOC)
    with pytest.raises(Unfinished) as caught:
        world.transactor(lambda seconds: None).run(plan, plan.files, RECORDS)
    assert caught.value.code == "undo_failed"
    assert world.row(plan).phase is Phase.PREPARED
    with holders[0] as holder:
        with pytest.raises(Busy) as again:  # still open: nothing is half done, and it is said
            world.transactor(lambda seconds: None).recover(world.row(plan), RECORDS)
        assert again.value.code == "target_busy"
        assert world.row(plan).phase is Phase.PREPARED
        holder.let_go()
    assert world.recover() == [Phase.ABORTED]
    assert (world.read("m.yaml"), world.read("o.yaml")) == (GROWS.old, EDIT)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EACCES, errno.EOPNOTSUPP])
def test_where_there_are_no_leases_nothing_is_changed(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    real = fcntl.fcntl

    def none(fd: int, command: int, *rest: int) -> int:
        if command == fcntl.F_SETLEASE:
            raise OSError(code, os.strerror(code))
        return real(fd, command, *rest)

    monkeypatch.setattr(fcntl, "fcntl", none)
    plan = world.plan(OTHER_DOC, GROWS)
    with pytest.raises(Refused) as caught:
        world.transactor().run(plan, plan.files, RECORDS)
    assert (caught.value.code, caught.value.place) == ("no_lease", "m.yaml")
    assert (world.read("m.yaml"), world.read("o.yaml")) == (GROWS.old, OTHER_DOC.old)
    assert (world.store.transactions.get(plan.id), world.left()) == (None, [])


def test_no_descriptor_and_no_lease_is_left_behind(world: World) -> None:
    before = len(os.listdir("/proc/self/fd"))
    world.run(GROWS, AND_MOUNTED)
    with Holder(world.root / "m.yaml"), suppress(ConfmigError):
        world.transactor(lambda seconds: None).run(made := world.plan(GROWS), made.files, RECORDS)
    assert len(os.listdir("/proc/self/fd")) == before
    mine = re.compile(rf"LEASE\s.*\s{os.getpid()}\s")
    assert not [one for one in Path("/proc/locks").read_text().splitlines() if mine.search(one)]


# --- other processes at the same time -----------------------------------------------------------

READER = """
import os, select, sys
counts = [0, 0, 0]
images = [open(name, "rb").read() for name in sys.argv[2:4]]
print(flush=True)
while not select.select([0], [], [], 0)[0]:
    for _ in range(20):
        fd = os.open(sys.argv[1], os.O_RDONLY)
        held = b"".join(iter(lambda: os.read(fd, 4096), b""))
        os.close(fd)
        counts[images.index(held) if held in images else 2] += 1
print(*counts, flush=True)
"""


@pytest.mark.slow
def test_a_reader_never_sees_a_mix(world: World) -> None:
    """It opens, reads page by page and closes as fast as it can while the file goes to and fro."""
    rounds = 1500 if FULL else 400
    there, back = LARGE_GROWS, replace(LARGE_GROWS, old=LARGE_GROWS.new, new=LARGE_GROWS.old)
    world.put("m.yaml", there.old)
    images = []
    for name in ("old", "new"):
        images.append(world.root.parent / name)
        images[-1].write_bytes(getattr(there, name))
    reader = subprocess.Popen(
        [sys.executable, "-S", "-c", READER, str(world.root / "m.yaml"), *map(str, images)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    ended: Counter[str] = Counter()
    pause = time.sleep
    try:
        for number in range(rounds):
            doc = there if world.read("m.yaml") == there.old else back
            plan = _unwritten(world, doc)
            try:
                world.transactor(lambda seconds: pause(0.0003)).run(plan, plan.files, RECORDS)
                ended["committed"] += 1
            except (Busy, Fault) as error:
                ended[error.code] += 1
            assert not world.left(), number
    finally:
        said, _ = reader.communicate("\n", timeout=60)
    old, new, other = map(int, said.split())
    print(f"\n{rounds} rounds ({dict(ended)}), {old} old and {new} new read, {other} others")
    assert other == 0
    assert ended["committed"] > rounds // 2
    assert set(ended) <= {"committed", "target_busy"}
    assert min(old, new) > 100


def _unwritten(world: World, doc: Doc) -> Planned:
    """A plan for a file that is not to be touched before."""
    world.number += 1
    store_images(world.checkpoints, [doc.old, doc.new], f"t{world.number}")
    metadata = world.disk.metadata(doc.name)
    assert metadata is not None
    file = FilePlan(
        doc.name,
        "",
        "app",
        "yaml",
        digest_of(doc.old),
        digest_of(doc.new),
        1,
        2,
        ("0001_x",),
        metadata,
        mounted=True,
    )
    return planned(f"t{world.number}", TARGET, (file,), kind="apply", migrations=("0001_x",))


MODIFY = "modify"


def _modify(file: str, style: str, counter: int, hold: float) -> None:
    """An update of a service that reads what is there, changes its own and writes all of it."""
    with open(file, "r+b", buffering=0) as opened:
        held = opened.read()
        race._spin(hold)
        mark = 1 if race._MARK % 1 in held else 0
        opened.seek(0)
        opened.write(race.document(counter, mark))
        opened.truncate()


class Modifier(race.Service):
    """The service whose updates are ``_modify``."""

    def __init__(self, folder: Path, style: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.test_rewrite", str(folder), style],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


_plan = race.World.plan


def _mounted_plan(self: race.World, olds: Any = None) -> Planned:
    plan = _plan(self, olds)
    files = tuple(replace(file, temporary="", mounted=True) for file in plan.files)
    return replace(plan, files=files)


@pytest.fixture
def mounted_race(monkeypatch: pytest.MonkeyPatch) -> Callable[..., race.Report]:
    """A race in which the document is written in place."""
    monkeypatch.setattr(race.World, "plan", _mounted_plan)

    def run(style: str, rounds: int, **more: int) -> race.Report:
        if style == MODIFY:
            monkeypatch.setattr(race, "Service", Modifier)
        report = race.race(style, rounds, **more)
        print(f"\n{report}")
        return report

    return run


@pytest.mark.slow
@pytest.mark.parametrize("style", [MODIFY, race.TRUNCATE, race.PARTS])
def test_no_update_in_place_is_lost(mounted_race: Callable[..., race.Report], style: str) -> None:
    report = mounted_race(style, 6000 if FULL else 1500)
    assert not report.lost, str(report)
    assert not report.broken, str(report)
    assert report.found["rescued"] == 0  # nothing of theirs has to be put aside
    assert report.ended["drifted"] > report.rounds // 50
    assert report.ended["committed"] > report.rounds // 50


@pytest.mark.slow
def test_without_a_lease_updates_are_lost_in_the_same_rounds(
    mounted_race: Callable[..., race.Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "_lease", lambda fd, path, pause: None)
    report = mounted_race(MODIFY, 20_000, stop_at=1)
    assert report.lost or report.broken, str(report)


@pytest.mark.parametrize("leased", [True, False])
def test_an_edit_between_the_look_and_the_write_survives_but_for_want_of_a_lease(
    leased: bool,
) -> None:
    """The same, made by hand at the one instant."""

    def do() -> None:
        openers: list[Opener] = []
        with small_world() as world:
            file = world.root / "m.yaml"

            def hook() -> None:
                openers.append(Opener(file, os.O_RDWR))
                until(lambda: lease_breaks(file) or openers[0].proceeded(), 30, "they come")

            _hook_choose(hook)
            if not leased:
                rewriting._lease = lambda fd, path, pause: None
            world.run(SAME)
            openers[0].held()
            assert world.read("m.yaml").endswith(b"theirs: 1\n")

    assert in_child(do) == (0 if leased else 1)


# --- mounts -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def apart() -> Iterator[str]:
    """Mounts of our own, and the processes that see them; or why there are none."""
    with odd.apart() as why_not, odd.servers():
        yield why_not


@pytest.fixture
def mounting(apart: str) -> None:
    """Skips where nothing can be mounted."""
    if apart:
        pytest.skip(apart)


@pytest.fixture
def place(mounting: None) -> Iterator[Path]:
    """A directory that everybody may enter."""
    odd.require(ROOT)
    with odd.room() as folder:
        yield folder


@pytest.fixture
def mounts(place: Path) -> Iterator[Mounts]:
    """What the test mounts, and unmounts at the end."""
    found = Mounts(place)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def mounted(run: Scenario) -> Iterator[None]:
    """The documents that are to be mounts of their own are such."""
    done = []
    try:
        for name in MOUNTED:
            file = os.fsencode(run.config / name)
            if _libc.mount(file, file, None, _BIND, None) != 0:
                raise OSError(ctypes.get_errno(), "a file cannot be mounted", name)
            done.append(file)
        yield
    finally:
        for file in done:
            _libc.umount2(file, _DETACH)


# --- killed anywhere ----------------------------------------------------------------------------


def _text(name: str, legacy: int) -> str:
    text = scenario._text(name, 2)
    old = "".join(f"  key{number}: 'a value of {name}'\n" for number in range(legacy))
    return text.replace("upstreams:", f"legacy:\n{old}upstreams:") if legacy else text


MOUNTED = ("a.yaml", "sub/c.yaml")
SPEC = Spec(
    documents=(
        Document("a.yaml", _text("a", 0), 0o640, {"user.confmig-test": b"kept"}),
        Document("b.yaml", _text("b", 3), 0o600),
        Document("sub/c.yaml", _text("c", 60), 0o644, owner=(odd.NOBODY, odd.NOBODY)),
    ),
    migrations=(
        Migration(
            "0001_listen",
            (
                {"move": {"from": "server.port", "to": "listen.port"}},
                {"delete": {"path": "legacy"}},
            ),
        ),
        Migration("0002_feature", ({"set": {"path": "feature", "value": True}},)),
    ),
    settings=scenario.SETTINGS.replace("root: config", "root: config, mounted_files: rewrite"),
)
FLOOR = 60
SEEDED = """
import sys
from confmig.transactions import file_exchange as swap
swap.is_torn = lambda held, old, new: False
from tests.crash.harness import fork
sys.exit(fork._serve(""))
"""


class SeededForks(Forks):
    """A server whose runs never take a file for torn."""

    def __init__(self, env: Any) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-c", SEEDED],
            cwd=REPOSITORY,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )


def _files(run: Scenario, point: Point) -> list[str]:
    return [
        str(file.relative_to(run.config))
        for file in strace.files(point.line, cwd=run.directory)
        if file.is_relative_to(run.config)
    ]


def _half(shared: Sweep, run: Scenario) -> dict[str, bytes]:
    """The mounted files that are neither old nor new.

    A kill between two calls leaves the new content and behind it the rest of the old one, and
    nothing else.
    """
    found = {}
    for name in MOUNTED:
        held = (run.config / name).read_bytes()
        old, new = shared.old[name].content, shared.new[name].content
        if held == new + old[len(new) :] and held not in (old, new):
            found[name] = held
    return found


def _without(problems: Sequence[str], half: dict[str, bytes]) -> list[str]:
    """All but what is said of the files that are allowed to be half-written."""
    return [one for one in problems if not any(one.startswith(f"{n} is torn") for n in half)]


def _settled(server: Forks, shared: Sweep, run: Scenario, half: dict[str, bytes]) -> list[str]:
    """The run after a kill, and one more."""
    code, said = server.run(run)
    bad = [] if code == 0 else [f"the run after the kill ended with {code}: {said}"]
    after = promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
    if half:
        after = [one for one in after if not one.startswith("rescued without need")]
        rescued = [file.read_bytes() for file in (run.state / "rescue").iterdir()]
        if sorted(rescued) != sorted(half.values()):
            bad.append(f"{len(rescued)} rescued of {len(half)} that were half-written")
    inodes = {name: (run.config / name).stat().st_ino for name in MOUNTED}
    bad += after + server.idle(run)
    if inodes != {name: (run.config / name).stat().st_ino for name in MOUNTED}:
        bad.append("a mounted file is another one")
    return bad


def _killed(
    server: Forks, shared: Sweep, run: Scenario, point: Point
) -> tuple[list[str], dict[str, bytes]]:
    """Kill it at the point: what is wrong with what that leaves, and what is half-written."""
    outcome = server.injected(run, point, KILL)
    if outcome.returncode != -9:
        return [f"vacuous: ended with {outcome.returncode}: {outcome.stderr[-500:]}"], {}
    meant = strace.places(point.line, shared.probe.roots, cwd=shared.probe.directory)
    if run.directory != shared.probe.directory:
        meant = meant or strace.places(point.line, run.roots, cwd=run.directory)
    if outcome.hit is None or strace.places(outcome.hit, run.roots, cwd=run.directory) != meant:
        return [f"vacuous: killed elsewhere, at {outcome.hit}"], {}
    half = _half(shared, run)
    problems = promises.after_the_kill(
        run.config, run.state, shared.old, shared.new, shared.migrations
    )
    return _without(problems, half), half


@dataclass(frozen=True, slots=True)
class Report:
    """A sweep over points."""

    points: tuple[Point, ...]
    findings: tuple[Finding, ...]
    half: int
    seconds: float

    def __str__(self) -> str:
        calls = Counter(point.syscall for point in self.points)
        head = (
            f"{len(self.points)} points ({', '.join(f'{n} {s}' for s, n in calls.most_common())}), "
            f"{self.half} left a file half-written, {len(self.findings)} with violations, "
            f"{self.seconds:.0f} s"
        )
        return "\n".join([head, *map(str, self.findings)])


def _kill_sweep(
    shared: Sweep, pool: Pool, only: Callable[[Point], bool] = lambda point: True
) -> Report:
    began = time.monotonic()

    def listing(server: Forks, run: Scenario) -> list[Point]:
        with mounted(run):
            return server.points(run)

    def one(server: Forks, job: tuple[int, Point]) -> tuple[Finding | None, bool]:
        number, point = job
        run = scenario.copy(shared.template, shared.workdir / f"k{number:04d}")
        with mounted(run):
            problems, half = _killed(server, shared, run, point)
            problems += _settled(server, shared, run, half)
        if problems:
            return Finding(point, tuple(problems), run.directory), bool(half)
        shutil.rmtree(run.directory)
        return None, bool(half)

    [listed] = pool.map(listing, [shared.probe])
    # Of SQLite's rows of page writes the first and the last; of the documents every call.
    ends = {*listed} if FULL else {*strace.ends(listed, cwd=shared.probe.directory)}
    points = [p for p in listed if only(p) and (p in ends or _files(shared.probe, p))]
    found = pool.map(one, list(enumerate(points)))
    findings = tuple(finding for finding, _ in found if finding is not None)
    half = sum(is_half for _, is_half in found)
    return Report(tuple(points), findings, half, time.monotonic() - began)


@pytest.mark.slow
@needs_strace
def test_killed_anywhere_with_mounts_and_run_again(mounting: None, tmp_path: Path) -> None:
    shared = sweep.prepare(tmp_path, SPEC)
    for name in MOUNTED:
        assert shared.old[name].content != shared.new[name].content
    with fork.pool(shared, 2) as pool:
        report = _kill_sweep(shared, pool)
    print(f"\nkill, mounted: {report}")
    assert len(report.points) >= FLOOR
    for name in MOUNTED:
        met = {p.syscall for p in report.points if name in _files(shared.probe, p)}
        assert met >= {"pwrite64", "ftruncate", "fsync"}, (name, met)
    assert any(p.syscall == "renameat2" for p in report.points)
    assert report.half >= 1
    assert not report.findings, str(report)


@pytest.mark.slow
@needs_strace
def test_the_sweep_catches_a_recovery_that_knows_no_torn_files(
    mounting: None, tmp_path: Path
) -> None:
    shared = sweep.prepare(tmp_path, SPEC)
    with ExitStack() as stack:
        server = stack.enter_context(SeededForks(shared.env))
        report = _kill_sweep(
            shared,
            Pool([server]),
            lambda point: point.syscall == "ftruncate" and bool(_files(shared.probe, point)),
        )
    print(f"\nkill, mounted, seeded: {report}")
    assert len(report.findings) == report.half == 1
    assert "ended with 5" in str(report)


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize(
    ("call", "name"), [("ftruncate", "sub/c.yaml"), ("fsync", "a.yaml")], ids=["torn", "one-new"]
)
def test_killed_inside_the_recovery_of_mounts_and_run_again(
    mounting: None, tmp_path: Path, call: str, name: str
) -> None:
    shared = sweep.prepare(tmp_path, SPEC)
    most = 200 if FULL else 40
    began = time.monotonic()
    with fork.pool(shared, 1) as pool:
        report = pool.map(
            lambda server, _: _second_kills(server, shared, (call, name), most), [None]
        )[0]
    report = replace(report, seconds=time.monotonic() - began)
    print(f"\nnested, mounted, after {call} of {name}: {report}")
    assert len(report.points) >= 15
    if call == "ftruncate":
        assert report.half >= 1
        calls = {p.syscall for p in report.points if name in _files(_here(shared), p)}
        assert calls >= {"pwrite64", "ftruncate", "fsync"}
    assert not report.findings, str(report)


def _here(shared: Sweep) -> Scenario:
    return Scenario(shared.workdir / "start", shared.template.spec)


def _second_kills(server: Forks, shared: Sweep, first: tuple[str, str], most: int) -> Report:
    """Kill at the first point, and from there kill the next run at its points.

    A transaction records paths, so all this happens in one place.
    """
    with mounted(shared.probe):
        listed = server.points(shared.probe)
    [point] = [p for p in listed if p.syscall == first[0] and _files(shared.probe, p) == [first[1]]]
    run = scenario.copy(shared.template, _here(shared).directory)
    with mounted(run):
        problems, _ = _killed(server, shared, run, point)
    assert not problems
    kept = scenario.copy(run, shared.workdir / "kept0")
    with mounted(run):
        found = server.points(run)
    chosen = found if FULL else nested.sample(found, run, most)
    findings, half = [], 0
    for number, second in enumerate(chosen):
        shutil.rmtree(run.directory)
        scenario.copy(kept, run.directory)
        torn = dict(_half(shared, run))
        with mounted(run):
            problems, now = _killed_again(server, shared, run, second)
            torn.update(now)
            half += bool(now)
            problems += _settled(server, shared, run, torn)
        if problems:
            copied = shared.workdir / f"bad{number:04d}"
            shutil.copytree(run.directory, copied)
            findings.append(Finding(second, tuple(problems), copied))
    return Report(tuple(chosen), tuple(findings), half, 0.0)


def _killed_again(
    server: Forks, shared: Sweep, run: Scenario, point: Point
) -> tuple[list[str], dict[str, bytes]]:
    outcome = server.injected(run, point, KILL)
    if outcome.returncode != -9:
        return [f"vacuous: ended with {outcome.returncode}: {outcome.stderr[-500:]}"], {}
    meant = strace.places(point.line, run.roots, cwd=run.directory)
    if outcome.hit is None or strace.places(outcome.hit, run.roots, cwd=run.directory) != meant:
        return [f"vacuous: killed elsewhere, at {outcome.hit}"], {}
    half = _half(shared, run)
    problems = promises.after_the_kill(
        run.config, run.state, shared.old, shared.new, shared.migrations
    )
    return _without(problems, half), half


# --- an error at every call on a mounted file --------------------------------------------------


@pytest.mark.slow
@needs_strace
def test_an_error_at_every_call_on_a_mounted_file(mounting: None, tmp_path: Path) -> None:
    """The promises of the ``err`` harness, for the calls that are made on mounted files."""
    began = time.monotonic()
    shared = sweep.prepare(tmp_path, SPEC)
    codes: Counter[int] = Counter()
    bad: list[str] = []

    def listing(server: Forks, run: Scenario) -> list[Point]:
        with mounted(run):
            return server.points(run)

    def one(server: Forks, job: tuple[int, tuple[Point, str]]) -> int:
        number, (point, error) = job
        run = scenario.copy(shared.template, shared.workdir / f"e{number:04d}")
        with mounted(run):
            outcome = server.injected(run, point, f"error={error}", also=err.SYNCS)
            assert outcome.hit is not None
            assert "(INJECTED)" in outcome.hit, outcome.hit
            assert _files(run, Point(point.syscall, point.nth, outcome.hit)) == _files(
                shared.probe, point
            )
            ended = (outcome.returncode, outcome.stderr)
            found = err._judged(server, shared, run, point, ended)
        bad.extend(f"{error} at {point} {point.line[:120]}: {kind}: {s}" for kind, s in found)
        return outcome.returncode

    with fork.pool(shared, 2) as pool:
        [listed] = pool.map(listing, [shared.probe])
        points = [p for p in listed if set(_files(shared.probe, p)) & set(MOUNTED)]
        work = [(point, error) for point in points for error in ("ENOSPC", "EIO", "EDQUOT")]
        codes.update(pool.map(one, list(enumerate(work))))
    calls = Counter(point.syscall for point in points)
    seconds = time.monotonic() - began
    print(f"\nerr, mounted: {dict(calls)}, {len(work)} injected, {dict(codes)}, {seconds:.0f} s")
    assert calls == {"pwrite64": 2, "ftruncate": 2, "fsync": 2}
    assert set(codes) <= {4}
    assert not bad, "\n".join(bad)


# --- through the command line ----------------------------------------------------------------

AS_BOTH = pytest.mark.parametrize("user", [ROOT, OTHER], ids=["root", "nobody"])


def rewriting_world(place: Path, user: User = ROOT, *names: str, allow: bool = True) -> Odd:
    """A world with these documents that allows, or not, to write into mounts."""
    odd.require(user)
    made = Odd(place / "world", user)
    if allow:
        text = made.settings.read_text()
        made.settings.write_text(
            text.replace("root: config", "root: config, mounted_files: rewrite")
        )
    for name in names:
        made.mine(name)
    return made


def outside(mounts: Mounts, made: Odd, name: str, text: str | None = None) -> Path:
    """A file somewhere else that is mounted as a document; the document below stays empty."""
    folder = made.folder.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    source = folder / name
    source.write_text(document(Path(name).stem) if text is None else text)
    source.chmod(0o640)
    os.chown(source, made.user.uid, made.user.uid)
    made.mine(name, "")
    mounts.bind(source, made.config / name)
    return source


def facts(file: Path) -> dict[str, Any]:
    return odd.metadata(file) | {"inode": file.stat().st_ino}


@pytest.mark.slow
@AS_BOTH
def test_mounted_files_are_migrated_with_the_others_and_rolled_back(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = rewriting_world(place, user, "a.yaml")
    sources = [outside(mounts, made, name) for name in ("b.yaml", "c.yaml")]
    with suppress(OSError):
        os.setxattr(sources[0], "user.confmig-test", b"kept")
    before = [facts(source) for source in sources]
    made.ends_well("a.yaml", "b.yaml", "c.yaml")
    assert [facts(source) for source in sources] == before
    assert all(b"feature: true" in source.read_bytes() for source in sources)
    [(count,)] = made.query("SELECT count(*) FROM transactions")
    assert count == 1
    done = made.run("rollback", "--last")
    assert done.code == 0, done
    for source in sources:
        assert source.read_text() == document(source.stem)
    assert (made.config / "a.yaml").read_text() == document("a")
    assert [facts(source) for source in sources] == before
    made.clean()


@pytest.mark.slow
def test_a_rollback_keeps_a_later_edit_of_a_mounted_file(mounts: Mounts, place: Path) -> None:
    made = rewriting_world(place, ROOT, "a.yaml")
    source = outside(mounts, made, "b.yaml")
    before = facts(source)
    made.ends_well("a.yaml", "b.yaml")
    _in_place(source, source.read_bytes().replace(b"'localhost'", b"'example.org'"))
    done = made.run("rollback", "--last")
    assert done.code == 0, done
    assert source.read_text() == document("b").replace("'localhost'", "'example.org'")
    assert (made.config / "a.yaml").read_text() == document("a")
    assert facts(source) == before
    made.clean()


def _in_place(file: Path, data: bytes) -> None:
    with open(file, "r+b", buffering=0) as out:
        out.truncate()
        out.write(data)


@pytest.mark.slow
@AS_BOTH
def test_without_the_setting_a_mount_is_refused_and_plan_and_status_say_so(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = rewriting_world(place, user, "a.yaml", allow=False)
    source = outside(mounts, made, "b.yaml")
    before = source.read_bytes(), facts(source), source.stat().st_mtime_ns
    planned = made.run("plan")
    assert "target_is_mount" in planned.out, planned
    data = made.run("status", "--json").json
    problems = {d["path"]: d["problem"] for d in data["targets"][0]["documents"]}
    assert problems["b.yaml"] == "target_is_mount"
    told(made.once(), "target_is_mount", "b.yaml", 1)
    assert (source.read_bytes(), facts(source), source.stat().st_mtime_ns) == before
    assert made.version("a.yaml") == 2  # what is refused when it is read holds only itself
    made.clean()


@pytest.mark.slow
@AS_BOTH
@pytest.mark.parametrize("allow", [True, False], ids=["rewrite", "refuse"])
def test_the_stateless_migrate_refuses_a_mount(
    mounts: Mounts, place: Path, user: User, allow: bool
) -> None:
    made = rewriting_world(place, user, allow=allow)
    source = outside(mounts, made, "b.yaml")
    before = made.content(), facts(source), source.stat().st_mtime_ns
    told(made.migrate(made.config / "b.yaml"), "target_is_mount", "b.yaml", 1)
    assert (made.content(), facts(source), source.stat().st_mtime_ns) == before
    made.clean()


@pytest.mark.slow
def test_who_does_not_own_the_file_changes_nothing(mounts: Mounts, place: Path) -> None:
    made = rewriting_world(place, OTHER, "a.yaml")
    source = outside(mounts, made, "b.yaml")
    source.chmod(0o666)
    os.chown(source, 0, 0)
    before = source.read_bytes(), facts(source), source.stat().st_mtime_ns
    told(made.once(), "foreign_owner", "b.yaml", 1)
    assert (source.read_bytes(), facts(source), source.stat().st_mtime_ns) == before
    made.clean()
    os.chown(source, OTHER.uid, OTHER.uid)
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.slow
def test_root_without_the_capability_takes_the_lease_as_the_owner_of_the_file(
    mounts: Mounts, place: Path
) -> None:
    """As in a container, which has CAP_CHOWN and CAP_SETUID but not CAP_LEASE."""
    made = rewriting_world(place, ROOT, "a.yaml")
    source = outside(mounts, made, "b.yaml")
    os.chown(source, odd.NOBODY, odd.NOBODY)
    made.before = ("setpriv", "--bounding-set", "-lease", "--inh-caps", "-lease")
    made.ends_well("a.yaml", "b.yaml")
    assert source.stat().st_uid == odd.NOBODY


@pytest.mark.slow
def test_without_that_either_it_gets_no_lease_on_a_foreign_file(
    mounts: Mounts, place: Path
) -> None:
    made = rewriting_world(place, ROOT, "a.yaml")
    source = outside(mounts, made, "b.yaml")
    os.chown(source, odd.NOBODY, odd.NOBODY)
    before = made.content(), facts(source)
    less = "-lease,-setuid"
    made.before = ("setpriv", "--bounding-set", less, "--inh-caps", less)
    told(made.once(), "no_lease", "b.yaml", 4)
    assert (made.content(), facts(source)) == before
    made.clean()
    os.chown(source, 0, 0)  # its own file needs no capability
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.slow
@AS_BOTH
def test_a_read_only_mount_changes_nothing(mounts: Mounts, place: Path, user: User) -> None:
    made = rewriting_world(place, user, "a.yaml")
    source = outside(mounts, made, "b.yaml")
    at = made.config / "b.yaml"
    odd.need("mount", "-o", "remount,bind,ro", at)
    before = made.content(), facts(source)
    done = made.once()
    assert done.code in (1, 4), done
    assert "b.yaml" in done.out + done.err, done
    assert "writable" in done.out + done.err, done
    assert (made.content(), facts(source)) == before
    made.clean()
    odd.need("mount", "-o", "remount,bind,rw", at)
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.slow
@AS_BOTH
def test_a_file_that_is_kept_open_is_busy_and_is_migrated_later(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = rewriting_world(place, user, "a.yaml")
    source = outside(mounts, made, "b.yaml")
    before = made.content(), facts(source)
    with Holder(source) as holder:
        told(made.once(), "target_busy", "b.yaml", 3)
        told(made.once(), "target_busy", "b.yaml", 3)  # it was no failure of the migration
        assert (made.content(), facts(source)) == before
        made.clean()
        holder.let_go()
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["from-elsewhere", "onto-itself", "with-another"])
def test_a_daemon_does_not_wake_itself_while_a_file_is_busy(
    mounts: Mounts, place: Path, kind: str
) -> None:
    """Each try opens and closes the file.

    That must not be the event that starts the next try; and one busy file is told once, before
    anything is begun.
    """
    made = rewriting_world(place, ROOT)
    if kind == "onto-itself":
        source = made.mine("b.yaml")
        mounts.bind(source, source)
    else:
        source = outside(mounts, made, "b.yaml")
    if kind == "with-another":
        made.mine("a.yaml")
    with Holder(source) as holder, OddDaemon(made) as daemon:

        def tries() -> float:
            counts = re.findall(r"duration_seconds_count\{.*\} (.*)", daemon.get("/metrics")[1])
            return sum(map(float, counts))

        until(lambda: tries() >= 1, 30, "the first try")
        with suppress(AssertionError):
            until(lambda: tries() >= 4, 10, "it tries again and again")
        assert tries() < 4, "a try a second for one busy file"
        assert made.query("SELECT count(*) FROM transactions") == [(0,)]
        assert made.events("config.migration.failed") == []  # it waits; it has not failed
        assert len(re.findall(r"b\.yaml.*\[target_busy\]", daemon.said)) == 1
        holder.let_go()
        made.mine("n.yaml")  # something happens
        until(lambda: made.version("b.yaml") == 2, 30, daemon.said)
        assert daemon.end() == 0


@pytest.mark.slow
def test_a_daemon_finds_an_edit_of_a_mounted_file(mounts: Mounts, place: Path) -> None:
    """The kernel tells of a file where its source is, not where it is mounted.

    No event comes from below the root, so such a target is polled. The rescan would be in a
    minute.
    """
    made = rewriting_world(place, ROOT)
    source = outside(mounts, made, "b.yaml")
    with OddDaemon(made) as daemon:
        until(lambda: made.version("b.yaml") == 2, 30, "the first migration")
        _in_place(source, document("b").replace("8080", "8081").encode())
        until(lambda: b"feature: true" in source.read_bytes(), 30, "the second one")
        assert b"8081" in source.read_bytes()
        assert daemon.end() == 0


@pytest.mark.slow
def test_a_report_waits_for_a_file_that_is_being_written(mounts: Mounts, place: Path) -> None:
    """Another process has the lease for a moment; it lets go as soon as somebody comes."""
    made = rewriting_world(place, ROOT, "a.yaml")
    source = outside(mounts, made, "b.yaml")
    with _leased(source):
        done = made.run("plan")
    assert "io_error" not in done.out + done.err, done
    assert done.code == 0, done


@contextmanager
def _leased(file: Path) -> Iterator[None]:
    """A process that holds a write lease and ends it when it is asked to."""
    program = (
        "import fcntl, os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n"
        "print(flush=True)\n"
        "signal.sigtimedwait([signal.SIGIO], 60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", program, str(file)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_full_disk_puts_the_old_content_back(mounts: Mounts, place: Path, kind: str) -> None:
    made = rewriting_world(place, ROOT, "a.yaml")
    small = place / "small"
    if kind == "tmpfs":
        mounts.tmpfs(small, size="64k")
    else:
        mounts.loop("ext4", small, 4, "-q", "-m", "0", "-b", "1024")
    text = document("b")
    text += "#" * (4096 * 3 - len(text) - 5) + "\n"  # the new one needs one page more
    source = small / "b.yaml"
    source.write_text(text)
    made.mine("b.yaml", "")
    mounts.bind(source, made.config / "b.yaml")
    filler = odd.fill(small)
    before = made.content(), facts(source)
    told(made.once(), "io_error", "b.yaml", 4)
    assert (made.content(), facts(source)) == before
    made.clean()
    filler.unlink()
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tmpfs", "ramfs", "overlay", "ext4", "xfs", "btrfs", "vfat"])
def test_mounted_from_this_filesystem_it_is_done_or_nothing_is(
    mounts: Mounts, place: Path, kind: str
) -> None:
    made = rewriting_world(place, ROOT, "a.yaml", "b.yaml")
    there = mounts.kind(kind, place / kind)
    source = there / "b.yaml"
    source.write_text(document("b"))
    mounts.bind(source, made.config / "b.yaml")
    before = made.content(), facts(source)
    done = made.once()
    if done.code == 0:
        assert facts(source) == before[1]
        made.ends_well("a.yaml", "b.yaml")
        assert made.run("rollback", "--last").code == 0
        assert source.read_text() == document("b")
    else:
        told(done, "no_lease", "b.yaml", 4)
        assert (made.content(), facts(source)) == before
        pytest.skip(f"no leases on {kind}; nothing was changed")


@pytest.mark.slow
def test_one_file_that_is_mounted_twice_is_never_half(mounts: Mounts, place: Path) -> None:
    made = rewriting_world(place, ROOT, "a.yaml")
    source = outside(mounts, made, "b.yaml")
    made.mine("c.yaml", "")
    mounts.bind(source, made.config / "c.yaml")
    made.once()
    settled = made.query("SELECT count(*) FROM transactions WHERE phase IN ('DONE', 'ABORTED')")
    assert settled == made.query("SELECT count(*) FROM transactions")
    version = made.version("b.yaml")
    assert version == made.version("c.yaml") == made.version("a.yaml")
    assert version == 2 or source.read_text() == document("b")
    made.clean()


@pytest.mark.slow
def test_a_directory_with_a_mounted_file_is_not_exchanged(mounts: Mounts, place: Path) -> None:
    odd.require(ROOT)
    made = Odd(place / "world", ROOT, patterns=("sub/*.yaml",))
    text = made.settings.read_text()
    ways = "root: config, mounted_files: rewrite, commit: directory"
    made.settings.write_text(text.replace("root: config", ways))
    made.mine("sub/a.yaml")
    file = made.mine("sub/b.yaml")
    mounts.bind(file, file)
    before = made.content(), facts(file)
    told(made.once(), "target_is_mount", "b.yaml", 4)
    assert (made.content(), facts(file)) == before
    made.clean()


@pytest.mark.slow
def test_a_file_that_became_a_mount_after_a_crash_is_settled_or_named(
    mounts: Mounts, place: Path
) -> None:
    """The transaction was begun when it was an ordinary file."""
    made = rewriting_world(place, ROOT, "a.yaml", "b.yaml")
    assert made.drive(KILL_AFTER_FIRST, "run", "--once").code == -signal.SIGKILL
    file = made.config / "b.yaml"
    mounts.bind(file, file)
    done = made.once()
    if done.code != 0:
        told(done, "target_is_mount", "b.yaml", 1)
        assert file.read_text() == document("b")
        mounts.unmount(file)
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.slow
def test_a_file_that_is_no_mount_any_more_after_a_crash_is_settled(
    mounts: Mounts, place: Path
) -> None:
    made = rewriting_world(place, ROOT, "a.yaml", "b.yaml")
    file = made.config / "b.yaml"
    mounts.bind(file, file)
    assert made.drive(KILL_AFTER_FIRST, "run", "--once").code == -signal.SIGKILL
    mounts.unmount(file)
    made.ends_well("a.yaml", "b.yaml")


# --- conflicts through the command line

THEIRS = b"schema_version: 2\nlisten: {port: 9999}\nfeature: mine\n"


def half_way(mounts: Mounts, place: Path) -> tuple[Odd, str, Path]:
    """The mounted file is new, killed before the other one, and edited then."""
    made = rewriting_world(place, ROOT, "b.yaml")
    source = outside(mounts, made, "a.yaml")
    done = made.drive(KILL_AFTER_FIRST, "run", "--once")
    assert done.code == -signal.SIGKILL, done
    assert (made.version("a.yaml"), made.version("b.yaml")) == (2, 0)
    new = source.read_bytes()
    (place / "new").write_bytes(new)
    _in_place(source, THEIRS)
    blocked = made.once()
    assert blocked.code == 5, blocked
    [(transaction, phase)] = made.query("SELECT id, phase FROM transactions")
    assert phase == "CONFLICT"
    assert source.read_bytes() == THEIRS
    return made, transaction, source


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "put", "ends"),
    [
        ("--verify-and-clear", "old", (0, 0)),
        ("--resume", "new", (2, 2)),
        ("--resume", "old", (2, 2)),
        ("--restore", "new", (0, 0)),
        ("--restore", "old", (0, 0)),
    ],
)
def test_a_conflict_with_a_mounted_file_is_resolved(
    mounts: Mounts, place: Path, mode: str, put: str, ends: tuple[int, int]
) -> None:
    made, transaction, source = half_way(mounts, place)
    inode = source.stat().st_ino
    done = made.run("resolve", transaction, mode)
    code, why = (1, "rollback_conflict") if mode == "--restore" else (5, "files_mixed")
    assert done.code == code, done
    assert why in done.out + done.err, done
    assert source.read_bytes() == THEIRS
    _in_place(source, document("a").encode() if put == "old" else (place / "new").read_bytes())
    done = made.run("resolve", transaction, mode)
    assert done.code == 0, done
    assert (made.version("a.yaml"), made.version("b.yaml")) == ends
    assert source.stat().st_ino == inode
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.slow
def test_a_conflict_with_a_mounted_file_is_accepted_as_it_is(mounts: Mounts, place: Path) -> None:
    made, transaction, source = half_way(mounts, place)
    done = made.run("resolve", transaction, "--accept-changed", "--reason", "a test")
    assert done.code == 0, done
    assert source.read_bytes() == THEIRS
    assert made.once().code == 0
    assert source.read_bytes() == THEIRS
    assert made.version("b.yaml") == 2
    made.clean()


@pytest.mark.slow
def test_a_kill_between_mounted_and_ordinary_is_completed(mounts: Mounts, place: Path) -> None:
    made = rewriting_world(place, ROOT, "b.yaml")
    source = outside(mounts, made, "a.yaml")
    assert made.drive(KILL_AFTER_FIRST, "run", "--once").code == -signal.SIGKILL
    # The operator forbids it meanwhile: what is begun is finished all the same.
    text = made.settings.read_text()
    made.settings.write_text(text.replace(", mounted_files: rewrite", ""))
    done = made.once()
    assert (made.version("a.yaml"), made.version("b.yaml")) == (2, 2), done
    assert source.read_bytes() == (made.config / "a.yaml").read_bytes()
    made.clean()
    made.settings.write_text(text)
    made.ends_well("a.yaml", "b.yaml")


if __name__ == "__main__":
    race._update = _modify
    race.serve(*sys.argv[1:])
