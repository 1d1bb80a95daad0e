"""`commit: directory`: several files change by one exchange of their directory.

What is tried: readers never see a mix; whatever somebody does to the directory, and whenever, it
stands in its place or is in `rescue/` with an event; a crash, an error or a power cut anywhere
leaves all files old or all new, and everything else in the directory as it was. Each harness is
tried with a fault in the protocol that it must find.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self

import pytest

from confmig.adapters.files.disk import Disk
from confmig.adapters.files.snapshot import ExchangeOptions
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.store import Store
from confmig.core.transaction.phases import Phase
from confmig.errors import Fault, Unfinished
from confmig.transactions.directory_exchange import DirectoryExchange
from confmig.transactions.exchange import Drifted, Exchange
from confmig.transactions.plan import lay_out
from confmig.transactions.runner import CleanUpFailed, Transactor
from confmig_otel import events as ev
from tests.crash.harness import fork, nested, power, promises, race, scenario, strace, sweep
from tests.crash.harness.err import ERRORS, Report, err, explained
from tests.crash.harness.power import EXTREMES, Sample
from tests.crash.harness.race import RECORDS, document, flipped
from tests.crash.harness.scenario import Document, Migration, Spec
from tests.crash.harness.strace import Point
from tests.crash.test_race import Writer
from tests.e2e import odd
from tests.e2e.odd import OTHER, ROOT, Mounts, Odd
from tests.e2e.world import OPEN, TWO, Daemon, World, temporaries, until, write_bundle
from tests.e2e.world import document as dated
from tests.support.planned import Planned

FULL = os.environ.get("CONFMIG_CRASH_FULL") == "1"
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed"
)

Hook = Callable[[], object]
D = "app"
NAMES = ("app/a.yaml", "app/b.yaml", "app/sub/c.yaml")
OTHERS = {"app/notes.txt": b"notes\n", "app/sub/deep/blob": b"\0\1\2"}


# --- a directory, and transactions on it ----------------------------------------------------


@dataclass
class Whole(race.World):
    """Documents in a directory, with other things beside them."""

    def plan(self, olds: Any = None) -> Planned:
        """A transaction that flips the mark of each document, laid out as by `apply`."""
        plan = super().plan(olds)
        files, directory = lay_out(self.disk, plan.id, plan.files)
        return replace(plan, files=files, directory=directory)

    def read(self, name: str = "") -> bytes:
        return super().read(name or self.names[0])

    def write(self, data: bytes, name: str = "") -> None:
        super().write(data, name or self.names[0])

    def left(self) -> list[bytes]:
        return [
            path.read_bytes() if path.is_file() else b"a directory"
            for path in self.config.rglob(".confmig-*")
        ]

    def marks(self) -> list[bytes]:
        return [self.read(name) for name in self.names]

    def run(self, plan: Planned | None = None, **more: Any) -> str:
        """A transaction to its end; how it ended."""
        try:
            made = plan or self.plan()
            self.transactor(**more).run(made, made.files, RECORDS)
        except Drifted:
            return "drifted"
        return "committed"

    def recover(self) -> list[Phase]:
        """What the next process does first."""
        rows = self.store.transactions.unfinished("home")
        return [self.transactor().recover(row, RECORDS) for row in rows]

    def prepared(self, phase: Phase = Phase.PREPARED) -> Planned:
        """What a kill leaves after the stage (STAGING, PREPARED) or later."""
        plan = self.plan()
        transactor = self.transactor()
        way = transactor.exchange_for(plan, plan.files)
        transactor.intend(plan, plan.files, RECORDS)
        way.stage()
        if phase is Phase.STAGING:
            return plan
        transactor.prepare(plan)
        if phase is Phase.PREPARED:
            return plan
        way.exchange()
        transactor.commit(plan, RECORDS)
        return plan


@contextmanager
def _worlds(
    directory: Path,
    names: tuple[str, ...] = NAMES,
    others: dict[str, bytes] = OTHERS,
    *,
    whole: bool = True,
) -> Iterator[Whole]:
    config, state = directory / "config", directory / "state"
    state.mkdir(mode=0o700, parents=True)
    for name, data in {**dict.fromkeys(names, document(0, 0)), **others}.items():
        (config / name).parent.mkdir(parents=True, exist_ok=True)
        (config / name).write_bytes(data)
    checkpoints = Checkpoints(state)
    checkpoints.prepare()
    with (
        Store.open(state) as store,
        Disk(str(config), options=ExchangeOptions(directory=whole)) as disk,
    ):
        yield Whole(config, store, checkpoints, disk, names)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Whole]:
    with _worlds(tmp_path) as made:
        (made.config / "app/link").symlink_to("notes.txt")
        (made.config / "app/nowhere").symlink_to("../gone")
        (made.config / "app/empty").mkdir(mode=0o711)
        yield made


def _around(
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    before: dict[int, Hook] | None = None,
    after: dict[int, Hook] | None = None,
) -> Counter[str]:
    """Run hooks right before or after the n-th call of a method of the disk, from 1."""
    real = getattr(Disk, what)
    count: Counter[str] = Counter()

    def hooked(disk: Disk, *args: Any, **kwargs: Any) -> Any:
        count[what] += 1
        here = count[what]
        (before or {}).get(here, lambda: None)()
        out = real(disk, *args, **kwargs)
        (after or {}).get(here, lambda: None)()
        return out

    monkeypatch.setattr(Disk, what, hooked)
    return count


def _snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a directory.

    Kind, content, mode, owner, attributes, and of what is no directory the inode.
    """
    found: dict[str, tuple[object, ...]] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        facts = path.lstat()
        is_folder = stat.S_ISDIR(facts.st_mode)
        attributes = (
            {} if path.is_symlink() else {n: os.getxattr(path, n) for n in os.listxattr(path)}
        )
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = (
            facts.st_mode,
            facts.st_uid,
            facts.st_gid,
            attributes,
            content,
            0 if is_folder else facts.st_ino,
            1 if is_folder else facts.st_nlink,
        )
    return found


def _without(found: dict[str, tuple[object, ...]], *names: str) -> dict[str, tuple[object, ...]]:
    return {name: facts for name, facts in found.items() if f"{D}/{name}" not in names}


def test_all_files_change_by_one_exchange_and_the_rest_is_the_very_same(
    world: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, mode in ((D, 0o751), ("app/sub", 0o2770), ("app/a.yaml", 0o604)):
        (world.config / path).chmod(mode)
    (world.config / "app/notes.txt").chmod(0o400)
    for path in (D, "app/sub/deep", "app/a.yaml", "app/notes.txt"):
        try:
            os.setxattr(world.config / path, "user.confmig-test", path.encode())
        except OSError as error:
            print(f"without attributes: {error}")
    before = _snapshot(world.config / D)
    counted = _around(monkeypatch, "exchange")
    assert world.run() == "committed"
    assert counted["exchange"] == 1
    assert world.marks() == [document(0, 1)] * 3
    after = _snapshot(world.config / D)
    assert _without(after, *NAMES) == _without(before, *NAMES)
    for name in NAMES:  # all but content and inode
        assert after[name.removeprefix("app/")][:4] == before[name.removeprefix("app/")][:4]
    assert world.left() == []
    assert world.rescued() == []
    assert world.run() == "committed"  # and back
    assert world.marks() == [document(0, 0)] * 3
    assert _without(_snapshot(world.config / D), *NAMES) == _without(before, *NAMES)


def test_files_that_are_no_documents_are_not_read(
    world: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be huge, or not for this user to read; the link tells enough."""
    read: list[str] = []
    for what in ("digest", "content"):
        real = getattr(Disk, what)

        def spy(disk: Disk, path: str, real: Any = real) -> Any:
            read.append(path)
            return real(disk, path)

        monkeypatch.setattr(Disk, what, spy)
    assert world.run() == "committed"
    assert [path for path in read if not path.endswith(".yaml")] == []


# --- edits at every moment ------------------------------------------------------------------

EDIT = document(7, 0)


@dataclass(frozen=True)
class Edit:
    """Something that somebody does to the directory by its path.

    `stands` tells whether it is there; `data` are its bytes, if it has any; `seen`: a
    transaction must not go over it.
    """

    name: str
    do: Callable[[Path], object]
    stands: Callable[[Path], bool]
    data: bytes | None = None
    seen: bool = True
    touched: str = ""


def _saved(path: str, data: bytes) -> Callable[[Path], None]:
    """As an editor saves: another file under its name."""

    def do(folder: Path) -> None:
        aside = folder / f"{path}.edited"
        aside.write_bytes(data)
        aside.rename(folder / path)

    return do


def _in_place(path: str, data: bytes) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        with open(folder / path, "r+b", buffering=0) as file:
            file.truncate()
            file.write(data)

    return do


def _has(path: str, data: bytes) -> Callable[[Path], bool]:
    return lambda folder: (folder / path).is_file() and (folder / path).read_bytes() == data


def _mode(path: str, mode: int) -> tuple[Callable[[Path], None], Callable[[Path], bool]]:
    return (
        lambda folder: (folder / path).chmod(mode),
        lambda folder: stat.S_IMODE((folder / path).stat().st_mode) == mode,
    )


def _turned(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("sub")


def _new_folder(folder: Path) -> None:
    (folder / "made").mkdir()
    (folder / "made/file").write_bytes(b"in a new directory")


EDITS = (
    Edit(
        "document in place", _in_place("a.yaml", EDIT), _has("a.yaml", EDIT), EDIT, True, "a.yaml"
    ),
    Edit("document saved", _saved("b.yaml", EDIT), _has("b.yaml", EDIT), EDIT, True, "b.yaml"),
    Edit(
        "deep document saved",
        _saved("sub/c.yaml", EDIT),
        _has("sub/c.yaml", EDIT),
        EDIT,
        True,
        "sub/c.yaml",
    ),
    Edit(
        "document removed",
        lambda folder: (folder / "a.yaml").unlink(),
        lambda folder: not (folder / "a.yaml").exists(),
        None,
        True,
        "a.yaml",
    ),
    Edit(
        "other in place",
        _in_place("notes.txt", b"more"),
        _has("notes.txt", b"more"),
        b"more",
        False,
    ),
    Edit("other saved", _saved("notes.txt", b"more"), _has("notes.txt", b"more"), b"more"),
    Edit("deep other saved", _saved("sub/deep/blob", b"m"), _has("sub/deep/blob", b"m"), b"m"),
    Edit("new file", _saved("new.txt", b"new"), _has("new.txt", b"new"), b"new"),
    Edit("new deep file", _saved("sub/new.txt", b"new"), _has("sub/new.txt", b"new"), b"new"),
    Edit(
        "other removed",
        lambda folder: (folder / "notes.txt").unlink(),
        lambda folder: not (folder / "notes.txt").exists(),
    ),
    Edit(
        "other renamed",
        lambda folder: (folder / "notes.txt").rename(folder / "moved.txt"),
        lambda folder: (
            not (folder / "notes.txt").exists() and _has("moved.txt", b"notes\n")(folder)
        ),
    ),
    Edit(
        "new directory",
        _new_folder,
        _has("made/file", b"in a new directory"),
        b"in a new directory",
    ),
    Edit(
        "new empty directory",
        lambda folder: (folder / "made").mkdir(),
        lambda folder: (folder / "made").is_dir(),
    ),
    Edit(
        "directory removed",
        lambda folder: (folder / "empty").rmdir(),
        lambda folder: not (folder / "empty").exists(),
    ),
    Edit(
        "link turned",
        _turned,
        lambda folder: os.readlink(folder / "link") == "sub",
    ),
    Edit("chmod of a document", *_mode("a.yaml", 0o604), None, True, "a.yaml"),
    Edit("chmod of another file", *_mode("notes.txt", 0o604), None, False),
    Edit("chmod of the directory", *_mode(".", 0o711)),
    Edit("chmod of a directory in it", *_mode("sub", 0o711)),
)
EACH = pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name.replace(" ", "-"))


def _is_kept(world: Whole, edit: Edit) -> bool:
    """It stands, or its bytes are in `rescue/` and an event tells of it."""
    if edit.stands(world.config / D):
        return True
    return edit.data is not None and edit.data in world.rescued() and world.late_writes() > 0


def _ends_well(world: Whole, ended: str, edit: Edit) -> None:
    """Whatever happened: nothing lost, the other documents all old or all new, and all goes on."""
    assert _is_kept(world, edit), f"{edit.name} is lost; the transaction {ended}"
    mark = 1 if ended == "committed" else 0
    for name in world.names:
        if name != f"{D}/{edit.touched}":
            assert world.read(name) == document(0, mark), name
    assert world.left() == []
    assert world.store.transactions.unfinished("home") == []
    assert not world.store.transactions.conflicts("home")


def _and_again(world: Whole) -> None:
    """The next transaction, planned afresh, goes through and keeps what is there."""
    world.names = tuple(name for name in world.names if (world.config / name).exists())
    before, expected = _snapshot(world.config / D), [flipped(one) for one in world.marks()]
    assert world.run() == "committed"
    assert world.marks() == expected
    after = _snapshot(world.config / D)
    assert _without(after, *NAMES) == _without(before, *NAMES)
    assert world.left() == []


@EACH
@pytest.mark.parametrize("moment", ["planned", "half built", "built", "looked at"])
def test_what_is_done_before_the_exchange_stands(
    world: Whole, monkeypatch: pytest.MonkeyPatch, edit: Edit, moment: str
) -> None:
    """Before the build, within it, after it, and between the first look and the exchange."""
    folder = world.config / D
    plan = world.plan()

    def do() -> None:
        edit.do(folder)

    if moment == "planned":
        do()
    elif moment == "half built":
        _around(monkeypatch, "stage", after={2: do})
    elif moment == "built":
        _around(monkeypatch, "sync_all", after={1: do})
    else:
        _around(monkeypatch, "exchange", before={1: do})
    ended = world.run(plan)
    if edit.seen and moment in ("built", "looked at"):
        assert ended == "drifted"  # earlier it may be built as it is by then
    _ends_well(world, ended, edit)
    assert edit.stands(folder)  # by its path, before: always in its place
    _and_again(world)


@EACH
def test_what_is_done_between_the_exchange_and_the_look_is_kept(
    world: Whole, monkeypatch: pytest.MonkeyPatch, edit: Edit
) -> None:
    """By the path it is the new directory already that somebody works in."""
    _around(monkeypatch, "exchange", after={1: lambda: edit.do(world.config / D)})
    ended = world.run()
    _ends_well(world, ended, edit)
    _and_again(world)


@EACH
def test_what_is_done_to_the_new_directory_before_it_goes_back_is_kept(
    world: Whole, monkeypatch: pytest.MonkeyPatch, edit: Edit
) -> None:
    """Something else came out of the exchange, so the directories are exchanged back.

    Right before that somebody works in the new one. Bytes are kept. (What has no bytes, a mode,
    a removal or a link that somebody makes in these microseconds, goes out with our directory.)
    """
    folder = world.config / D
    first = _saved("first.txt", b"first")
    _around(monkeypatch, "exchange", before={1: lambda: first(folder), 2: lambda: edit.do(folder)})
    assert world.run() == "drifted"
    assert _has("first.txt", b"first")(folder)
    if edit.data is not None:
        _ends_well(world, "drifted", edit)
    assert world.left() == []
    _and_again(world)


@EACH
def test_what_is_done_after_the_look_stands(
    world: Whole, monkeypatch: pytest.MonkeyPatch, edit: Edit
) -> None:
    """A later edit of what is new: after the look, and after the commit."""
    _around(monkeypatch, "sync_all", before={2: lambda: edit.do(world.config / D)})
    ended = world.run()
    assert ended == "committed"
    _ends_well(world, ended, edit)
    assert edit.stands(world.config / D)
    _and_again(world)


# --- who holds the old directory ------------------------------------------------------------


class Holder:
    """Somebody who has the directory open, not its path."""

    def __init__(self, folder: Path) -> None:
        self.fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.sub = os.open("sub", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.fd)

    def save(self, name: str, data: bytes, *, at: int | None = None) -> None:
        at = self.fd if at is None else at
        fd = os.open(f"{name}.held", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=at)
        os.write(fd, data)
        os.close(fd)
        os.rename(f"{name}.held", name, src_dir_fd=at, dst_dir_fd=at)

    def over(self, name: str, data: bytes) -> None:
        fd = os.open(name, os.O_WRONLY | os.O_TRUNC, dir_fd=self.fd)
        os.write(fd, data)
        os.close(fd)

    def make(self, name: str, data: bytes) -> None:
        os.mkdir(name, dir_fd=self.fd)
        self.save(f"{name}/file", data)

    def close(self) -> None:
        os.close(self.sub)
        os.close(self.fd)


@pytest.fixture
def holder(world: Whole) -> Iterator[Holder]:
    made = Holder(world.config / D)
    yield made
    made.close()


LATE = b"late bytes"
THROUGH_THE_OLD: dict[str, tuple[str, Callable[[Holder], None]]] = {
    "document over": ("a.yaml", lambda held: held.over("a.yaml", LATE)),
    "document saved": ("a.yaml", lambda held: held.save("a.yaml", LATE)),
    "deep document saved": ("sub/c.yaml", lambda held: held.save("c.yaml", LATE, at=held.sub)),
    "other over": ("notes.txt", lambda held: held.over("notes.txt", LATE)),
    "other saved": ("notes.txt", lambda held: held.save("notes.txt", LATE)),
    "new file": ("new.txt", lambda held: held.save("new.txt", LATE)),
    "new deep file": ("sub/new.txt", lambda held: held.save("new.txt", LATE, at=held.sub)),
    "new directory": ("made/file", lambda held: held.make("made", LATE)),
}
THROUGH = pytest.mark.parametrize("late", THROUGH_THE_OLD, ids=lambda text: text.replace(" ", "-"))


@THROUGH
@pytest.mark.parametrize("moment", ["exchanged", "looked at", "committed", "cleaning up"])
def test_what_is_done_through_the_old_directory_is_kept(
    world: Whole, monkeypatch: pytest.MonkeyPatch, holder: Holder, late: str, moment: str
) -> None:
    """Between exchange and look it is a drift.

    After the look the old directory is on its way out: what is written into it goes to
    `rescue/` with an event, or is in the new one too.
    """
    name, do = THROUGH_THE_OLD[late]
    folder = world.config / D
    beats = []

    def beat() -> None:
        beats.append("")
        [row] = world.store.transactions.unfinished("home")
        if moment == "cleaning up" and row.phase is Phase.COMMITTED and "done" not in beats:
            beats.append("done")
            do(holder)

    if moment == "exchanged":
        _around(monkeypatch, "exchange", after={1: lambda: do(holder)})
    elif moment == "looked at":
        _around(monkeypatch, "sync_all", before={2: lambda: do(holder)})
    elif moment == "committed":
        real = Transactor.clean_up

        def clean_up(self: Transactor, plan: Planned, way: Exchange) -> None:
            do(holder)
            real(self, plan, way)

        monkeypatch.setattr(Transactor, "clean_up", clean_up)
    ended = world.run(beat=beat)
    placed = _has(name, LATE)(folder)
    if moment == "exchanged" and late != "other over":
        assert ended == "drifted"
        assert placed
    elif late == "other over":
        assert placed  # the very same file
    else:
        assert ended == "committed"
        assert not placed
        assert world.rescued() == [LATE], f"{late} is lost"
        assert world.late_writes() == 1
    assert world.left() == []
    assert world.store.transactions.unfinished("home") == []


@pytest.mark.parametrize("name", NAMES)
def test_a_late_writer_of_a_document_is_waited_for_and_rescued(world: Whole, name: str) -> None:
    """Opened before the exchange, written and closed while clean-up waits."""
    writer = Writer(world.config / name)
    done: list[float] = []

    def pause(seconds: float) -> None:
        done.append(seconds)
        if len(done) == 3:
            writer.write(document(9, 0))
            writer.close()

    assert world.run(pause=pause) == "committed"
    assert len(done) == 3
    assert world.marks() == [document(0, 1)] * 3
    assert world.rescued() == [document(9, 0)]
    assert world.late_writes() == 1
    assert world.left() == []


def test_a_late_writer_into_our_new_image_is_rescued_when_it_goes_back(
    world: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: list[Writer] = []
    folder = world.config / D
    _around(
        monkeypatch,
        "exchange",
        before={1: lambda: _saved("new.txt", b"new")(folder)},
        after={1: lambda: writers.append(Writer(folder / "a.yaml"))},
    )
    written: list[float] = []

    def pause(seconds: float) -> None:
        if not written:
            writers[0].write(document(9, 1))
            writers[0].close()
        written.append(seconds)

    assert world.run(pause=pause) == "drifted"
    assert written
    assert world.marks() == [document(0, 0)] * 3
    assert world.rescued() == [document(9, 1)]
    assert world.late_writes() == 1


def test_two_rescued_files_whose_names_look_alike_are_both_kept(
    world: Whole, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both() -> None:
        holder.save("sub-x", b"one")
        holder.save("x", b"two", at=holder.sub)

    _around(monkeypatch, "sync_all", before={2: both})
    assert world.run() == "committed"
    assert sorted(world.rescued()) == [b"one", b"two"]
    assert world.late_writes() == 2


def test_what_comes_too_late_even_for_the_last_look_blocks_the_removal_and_is_rescued_then(
    world: Whole, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file made in the old directory when most of it is removed: it is no empty directory."""
    real = Disk.remove_folder

    def remove(disk: Disk, path: str) -> None:
        if path.endswith("-d"):
            monkeypatch.setattr(Disk, "remove_folder", real)
            holder.save("new.txt", LATE)
        real(disk, path)

    monkeypatch.setattr(Disk, "remove_folder", remove)
    with pytest.raises(CleanUpFailed):
        world.run()
    assert world.marks() == [document(0, 1)] * 3
    assert world.recover() == [Phase.DONE]
    assert world.rescued() == [LATE]
    assert world.late_writes() == 1
    assert world.left() == []


# --- faults in the protocol that the tests above find ----------------------------------------


def test_without_a_look_at_what_came_out_an_edit_is_lost(
    world: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = EDITS[1]
    monkeypatch.setattr(DirectoryExchange, "_foreign", lambda self, folder, image: [])
    monkeypatch.setattr(DirectoryExchange, "_keep_foreign", lambda self: None)
    _around(monkeypatch, "exchange", before={1: lambda: edit.do(world.config / D)})
    ended = world.run()
    with pytest.raises(AssertionError, match="is lost"):
        _ends_well(world, ended, edit)


def test_without_the_last_look_a_late_writer_is_lost(
    world: Whole, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DirectoryExchange, "_keep_foreign", lambda self: None)
    _around(monkeypatch, "sync_all", before={2: lambda: holder.save("new.txt", LATE)})
    assert world.run() == "committed"
    assert LATE not in world.rescued()
    assert not (world.config / D / "new.txt").exists()


def test_with_copies_instead_of_links_an_edit_of_another_file_is_lost(
    world: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written in place after the look at the inode: only a link has it in both directories."""
    edit = next(one for one in EDITS if one.name == "other in place")

    def copy(disk: Disk, a: str, b: str) -> None:
        shutil.copy2(world.config / a, world.config / b, follow_symlinks=False)

    monkeypatch.setattr(Disk, "link", copy)
    monkeypatch.setattr(DirectoryExchange, "_keep_foreign", lambda self: None)
    _around(monkeypatch, "exchange", before={1: lambda: edit.do(world.config / D)})
    ended = world.run()
    with pytest.raises(AssertionError, match="is lost"):
        _ends_well(world, ended, edit)


# --- recovery -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "mark", "ends"),
    [
        (Phase.STAGING, 0, Phase.ABORTED),
        (Phase.PREPARED, 0, Phase.ABORTED),
        (Phase.COMMITTED, 1, Phase.DONE),
    ],
)
def test_recovery_settles_each_phase_and_twice_is_a_no_op(
    world: Whole, phase: Phase, mark: int, ends: Phase
) -> None:
    before = _snapshot(world.config / D)
    world.prepared(phase)
    assert world.recover() == [ends]
    assert world.marks() == [document(0, mark)] * 3
    assert _without(_snapshot(world.config / D), *NAMES) == _without(before, *NAMES)
    assert world.left() == []
    assert world.recover() == []
    assert not world.store.transactions.conflicts("home")


def _exchanged(world: Whole) -> Planned:
    """Killed right after the exchange."""
    plan = world.prepared()
    assert plan.directory is not None
    world.disk.exchange(plan.directory.temporary, plan.directory.path)
    return plan


def test_recovery_of_an_exchanged_directory_goes_forward(world: Whole) -> None:
    _exchanged(world)
    assert world.recover() == [Phase.DONE]
    assert world.marks() == [document(0, 1)] * 3
    assert world.left() == []
    _and_again(world)


@EACH
def test_what_came_out_of_the_exchange_before_a_kill_is_kept(world: Whole, edit: Edit) -> None:
    """Somebody's edit came between the look and the exchange, and the kill before the next look."""
    plan = world.prepared()
    assert plan.directory is not None
    edit.do(world.config / D)
    world.disk.exchange(plan.directory.temporary, plan.directory.path)
    [phase] = world.recover()
    _ends_well(world, "committed" if phase is Phase.DONE else "drifted", edit)
    assert edit.stands(world.config / D)
    assert world.recover() == []
    _and_again(world)


@EACH
@pytest.mark.parametrize("exchanged", [False, True], ids=["before", "after"])
def test_what_is_done_between_a_kill_and_its_recovery_stands(
    world: Whole, edit: Edit, exchanged: bool
) -> None:
    """Of the directory that is in place, whether it is the old one or the new one."""
    if exchanged:
        _exchanged(world)
    else:
        world.prepared()
    edit.do(world.config / D)
    [phase] = world.recover()
    assert phase is (Phase.DONE if exchanged else Phase.ABORTED)
    _ends_well(world, "committed" if exchanged else "drifted", edit)
    assert edit.stands(world.config / D)
    _and_again(world)


@EACH
def test_what_is_done_before_a_commits_clean_up_stands(world: Whole, edit: Edit) -> None:
    world.prepared(Phase.COMMITTED)
    edit.do(world.config / D)
    assert world.recover() == [Phase.DONE]
    _ends_well(world, "committed", edit)
    assert edit.stands(world.config / D)


@THROUGH
@pytest.mark.parametrize("phase", [Phase.PREPARED, Phase.COMMITTED])
def test_what_is_done_through_the_old_directory_before_recovery_is_kept(
    world: Whole, holder: Holder, late: str, phase: Phase
) -> None:
    name, do = THROUGH_THE_OLD[late]
    if phase is Phase.PREPARED:
        _exchanged(world)
    else:
        world.prepared(Phase.COMMITTED)
    do(holder)
    world.recover()
    rescued = LATE in world.rescued() and world.late_writes() == 1
    assert _has(name, LATE)(world.config / D) or rescued, f"{late} is lost"
    assert world.left() == []
    assert not world.store.transactions.conflicts("home")


def test_both_directories_edited_before_recovery_loses_neither(
    world: Whole, holder: Holder
) -> None:
    """The older edit goes to `rescue/`, the newer one stands."""
    _exchanged(world)
    holder.over("a.yaml", LATE)
    world.write(EDIT, "app/b.yaml")
    assert world.recover() == [Phase.DONE]
    assert world.rescued() == [LATE]
    assert world.late_writes() == 1
    assert world.read("app/b.yaml") == EDIT


def test_every_document_edited_in_both_directories_is_never_a_conflict(
    world: Whole, holder: Holder
) -> None:
    """Nothing tells any more which directory is which, but for what else is in them."""
    _exchanged(world)
    for number, name in enumerate(NAMES):
        fd = os.open(name.removeprefix("app/"), os.O_WRONLY | os.O_TRUNC, dir_fd=holder.fd)
        os.write(fd, b"old %d" % number)
        os.close(fd)
        world.write(b"new %d" % number, name)
    world.recover()
    kept = {*world.marks(), *world.rescued()}
    assert kept >= {b"%s %d" % (which, n) for which in (b"old", b"new") for n in range(3)}
    assert world.left() == []
    assert world.store.transactions.unfinished("home") == []
    assert not world.store.transactions.conflicts("home")


@pytest.mark.parametrize("state", ["staging", "prepared", "exchanged", "committed"])
def test_a_temporary_directory_that_somebody_removed_blocks_nothing(
    world: Whole, state: str
) -> None:
    """An operator tidies up what the kill left."""
    plan = _exchanged(world) if state == "exchanged" else world.prepared(Phase[state.upper()])
    assert plan.directory is not None
    shutil.rmtree(world.config / plan.directory.temporary)
    assert len(world.recover()) == 1
    mark = 1 if state in ("exchanged", "committed") else 0
    assert world.marks() == [document(0, mark)] * 3
    assert world.store.transactions.unfinished("home") == []
    assert not world.store.transactions.conflicts("home")


@pytest.mark.parametrize("state", ["staging", "prepared", "exchanged", "committed"])
def test_a_directory_that_somebody_removed_blocks_nothing(world: Whole, state: str) -> None:
    if state == "exchanged":
        _exchanged(world)
    else:
        world.prepared(Phase[state.upper()])
    shutil.rmtree(world.config / D)
    assert len(world.recover()) == 1
    assert world.store.transactions.unfinished("home") == []
    assert not world.store.transactions.conflicts("home")
    assert world.left() == []


def test_a_document_that_is_new_by_itself_does_not_pass_for_an_exchange(world: Whole) -> None:
    """Somebody has written the very bytes of the new image, and nothing was exchanged."""
    world.prepared()
    world.write(document(0, 1), "app/a.yaml")
    assert world.recover() == [Phase.ABORTED]
    assert world.marks() == [document(0, 1), document(0, 0), document(0, 0)]
    assert world.left() == []


@pytest.mark.parametrize("which", range(1, 12))
def test_an_error_in_any_step_of_a_removal_is_mended_by_the_next_run(
    world: Whole, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """The removal of the old directory fails half-way; nothing is told twice."""
    real_unlink, real_folder = Disk.unlink, Disk.remove_folder
    count = 0

    def counted() -> None:
        nonlocal count
        count += 1
        if count == which:
            raise OSError(5, "Input/output error")

    def unlink(disk: Disk, path: str) -> None:
        counted()
        real_unlink(disk, path)

    def remove_folder(disk: Disk, path: str) -> None:
        counted()
        real_folder(disk, path)

    monkeypatch.setattr(Disk, "unlink", unlink)
    monkeypatch.setattr(Disk, "remove_folder", remove_folder)
    with pytest.raises(CleanUpFailed):
        world.run()
    assert world.recover() == [Phase.DONE]
    assert world.marks() == [document(0, 1)] * 3
    assert world.left() == []
    assert world.rescued() == []
    names = [event["name"] for event in world.store.events.history()]
    assert names.count(ev.COMPLETED) == 1


@pytest.mark.parametrize("call", ["make_folder", "link", "stage", "dress", "sync_all", "exchange"])
@pytest.mark.parametrize("which", [1, 2, 3])
def test_an_error_while_it_is_built_or_exchanged_changes_nothing(
    world: Whole, monkeypatch: pytest.MonkeyPatch, call: str, which: int
) -> None:
    before = _snapshot(world.config / D)

    def fail() -> None:
        raise OSError(28, "No space left on device")

    if call == "exchange" and which > 1:  # there is a second one if the first met an edit
        _around(monkeypatch, "stage", after={3: lambda: (world.config / "app/new").touch()})
    _around(monkeypatch, call, before={which: fail})
    failed = True
    try:
        world.transactor().run(made := world.plan(), made.files, RECORDS)
        failed = False
    except (Unfinished, CleanUpFailed):
        monkeypatch.undo()
        assert world.recover()
    except (Fault, Drifted):
        pass
    monkeypatch.undo()
    assert world.left() == []
    assert world.store.transactions.unfinished("home") == []
    if not failed or world.marks() == [document(0, 1)] * 3:
        assert call in ("sync_all", "exchange")
    else:
        assert world.marks() == [document(0, 0)] * 3
    kept = _without(_snapshot(world.config / D), *NAMES)
    assert {k: v for k, v in kept.items() if k != "new"} == _without(before, *NAMES)
    _and_again(world)


# --- readers --------------------------------------------------------------------------------


class Reader:
    """A process that opens the directory and reads all documents through it, again and again."""

    PROGRAM = """
import os, select, sys
folder, names = sys.argv[1], sys.argv[2:]
def look():
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        marks = set()
        for name in names:
            fd = os.open(name, os.O_RDONLY, dir_fd=top)
            data = os.read(fd, 4096)
            os.close(fd)
            marks.add(data.split(b"mark: ")[1][:1])
        return marks
    except FileNotFoundError:
        return None
    finally:
        os.close(top)
looks = mixes = gone = 0
while True:
    marks = look()
    looks += marks is not None
    gone += marks is None
    mixes += marks is not None and len(marks) > 1
    if select.select([0], [], [], 0)[0]:
        if not sys.stdin.readline():
            break
        marks = look()
        mixes += marks is not None and len(marks) > 1
        print(looks, mixes, gone, flush=True)
"""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", self.PROGRAM, str(folder), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def told(self) -> tuple[int, int, int]:
        """It looks once more, now; then how many looks, mixes, and files that were gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        looks, mixes, gone = self._process.stdout.readline().split()
        return int(looks), int(mixes), int(gone)


@contextmanager
def _fast() -> Iterator[Path]:
    """A directory in memory, where there is one."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="confmig-whole-", dir=memory) as made:
        yield Path(made)


def _watched(rounds: int, monkeypatch: pytest.MonkeyPatch, *, whole: bool) -> tuple[int, int, int]:
    """Transactions forth and back, with a look in the middle of each, too."""
    with _fast() as folder, _worlds(folder, whole=whole) as world:
        names = [name.removeprefix("app/") for name in world.names]
        with Reader(world.config / D, names) as reader:
            _around(monkeypatch, "exchange", after=dict.fromkeys(range(rounds * 9), reader.told))
            for number in range(1, rounds + 1):
                assert world.run() == "committed"
                assert world.marks() == [document(0, number % 2)] * 3
            return reader.told()


@pytest.mark.slow
def test_a_reader_never_sees_a_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    looks, mixes, gone = _watched(2000 if FULL else 300, monkeypatch, whole=True)
    print(f"\nreaders: {looks} looks, {mixes} mixes, {gone} gone, {time.monotonic() - began:.0f} s")
    assert looks > 1000
    assert mixes == 0


def test_with_single_files_a_reader_sees_a_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    _, mixes, _ = _watched(2, monkeypatch, whole=False)
    assert mixes > 0


# --- the race -------------------------------------------------------------------------------


class Service(race.Service):
    """The service of the `race` harness.

    One that saves by a rename may find its new file gone when the directory was exchanged in
    between: it says so and it saves again.
    """

    PROGRAM = """
import sys
from tests.crash.harness import race
plain = race._update
def update(*words):
    while True:
        try:
            return plain(*words)
        except FileNotFoundError:
            continue
race._update = update
race.serve(*sys.argv[1:])
"""

    def __init__(self, folder: Path, style: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM, str(folder), style],
            cwd=race.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def _race(style: str, rounds: int, *, stop_at: int = 100) -> race.Report:
    began = time.monotonic()
    ended: Counter[str] = Counter()
    found: Counter[str] = Counter()
    lost: list[race.Loss] = []
    broken: list[race.Loss] = []
    done, counter = 0, 1
    with ExitStack() as stack:
        folder = stack.enter_context(_fast())
        names = (f"{D}/{race.NAME}", f"{D}/other.yaml")
        world = stack.enter_context(_worlds(folder, names))
        service = stack.enter_context(Service(world.config / D, style))
        chance = Random(f"0-{style}")
        while done < rounds and len(lost) < stop_at:
            done += 1
            one = race._Round(world, service, chance, counter)
            one.run()
            (world.config / D / f"{race.NAME}.service").unlink(missing_ok=True)
            counter = one.last + 1
            ended[one.ended] += 1
            found[one.found] += 1
            if one.found == "lost":
                lost.append(race.Loss(done, one.described()))
            broken += [race.Loss(done, problem) for problem in one.problems]
    seconds = time.monotonic() - began
    return race.Report(style, done, ended, found, tuple(lost), tuple(broken), seconds)


@pytest.mark.slow
@pytest.mark.parametrize("style", [race.RENAME, race.TRUNCATE, race.PARTS])
def test_no_update_of_a_service_is_lost(style: str) -> None:
    report = _race(style, 6000 if FULL else 1500)
    print(f"\n{report}")
    assert not report.lost, str(report)
    assert not report.broken, str(report)
    # Both must have been met, or there was no race.
    assert report.ended["drifted"] > report.rounds // 50
    assert report.ended["committed"] > report.rounds // 50


@pytest.mark.slow
def test_without_a_look_updates_are_lost_in_the_same_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DirectoryExchange, "_foreign", lambda self, folder, image: [])
    monkeypatch.setattr(DirectoryExchange, "_keep_foreign", lambda self: None)
    report = _race(race.RENAME, 6000, stop_at=1)
    print(f"\n{report}")
    assert report.lost, str(report)


# --- kill, errors, power --------------------------------------------------------------------

SETTINGS = scenario.SETTINGS.replace("policy.yaml}", "policy.yaml, commit: directory}")
KEPT = {"user.confmig-test": b"kept"}
SPEC = Spec(
    documents=(
        Document("sub/a.yaml", "schema_version: 0\nserver: {port: 1}\n", 0o640, KEPT),
        Document("sub/b.yaml", "schema_version: 0\nserver: {port: 2}\n", 0o600, {}, (65534, 65534)),
        Document("sub/c.yaml", "schema_version: 0\nserver: {port: 3}\n", 0o644),
    ),
    migrations=(Migration("0001_set", ({"set": {"path": "feature", "value": True}},)),),
    settings=SETTINGS,
    others=(
        Document("sub/notes.other", "notes\n", 0o604, KEPT),
        Document("sub/in/deep.other", "deep\n", 0o440, {}, (65534, 65534)),
        Document("beside.other", "beside\n", 0o600),
    ),
    folders=(
        Document("sub/in/empty", "", 0o711),
        Document("sub/in", "", 0o2750, KEPT, (65534, 65534)),
        Document("sub", "", 0o751, KEPT),
    ),
    links={"sub/link.other": "notes.other", "sub/in/up.other": "..", "sub/gone.other": "nowhere"},
)
SMALL = replace(SPEC, documents=SPEC.documents[:2], others=SPEC.others[:1], folders=(), links={})
INSIDE = ("mkdirat", "linkat", "openat", "renameat2", "unlinkat", "syncfs", "fchmod")


def _inodes(world: scenario.Scenario) -> dict[str, int]:
    """Of the other files and links: they must stay the very same."""
    return {
        name: (world.config / name).lstat().st_ino
        for name, image in promises.others(world.config).items()
        if (world.config / name).is_symlink() or image.content
    }


def _all_or_nothing(shared: sweep.Sweep, world: scenario.Scenario) -> list[str]:
    now = promises.images(world.config)
    new = [name for name, image in shared.new.items() if now.get(name) == image]
    return [f"a mix: only {new} are new"] if 0 < len(new) < len(shared.new) else []


def _hit(
    outcome: strace.Outcome, point: Point, listed: scenario.Scenario, run: scenario.Scenario
) -> list[str]:
    if outcome.returncode != -9:
        return [f"vacuous: ended with {outcome.returncode}, not killed: {outcome.stderr[-500:]}"]
    meant = strace.places(point.line, listed.roots, cwd=listed.directory)
    met = strace.places(outcome.hit or "", run.roots, cwd=run.directory)
    return [] if met == meant else [f"vacuous: killed elsewhere, at {outcome.hit}"]


def _after_a_kill(
    server: fork.Forks, shared: sweep.Sweep, run: scenario.Scenario, inodes: dict[str, int]
) -> list[str]:
    """What must hold before the next run, after it, and after one more."""
    found = promises.after_the_kill(
        run.config, run.state, shared.old, shared.new, shared.migrations
    )
    found += promises.untouched(shared.others, run.config) + _all_or_nothing(shared, run)
    code, said = server.run(run)
    if code != 0:
        found.append(f"the run after the kill ended with {code}: {said}")
    found += promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
    found += promises.untouched(shared.others, run.config)
    if _inodes(run) != inodes:
        found.append("another file is not the very same file any more")
    return found + server.idle(run)


@dataclass(frozen=True)
class Swept:
    """The points of a sweep and what was found."""

    points: list[Point]
    findings: list[str]
    seconds: float

    def __str__(self) -> str:
        calls = ", ".join(f"{n} {s}" for s, n in Counter(p.syscall for p in self.points).items())
        head = f"{len(self.points)} points ({calls}), {len(self.findings)} violations"
        return "\n".join([f"{head}, {self.seconds:.0f} s", *self.findings[:30]])


def _kill_sweep(
    workdir: Path,
    spec: Spec,
    seed: str = "",
    only: Callable[[Point], bool] = lambda point: True,
) -> Swept:
    began = time.monotonic()
    shared = sweep.prepare(workdir, spec)
    probe = shared.probe
    with fork.pool(shared, 2, seed) as pool:
        [listed] = pool.map(lambda server, world: server.points(world), [probe])
        chosen = listed if FULL else strace.ends(listed, cwd=probe.directory)
        chosen = [point for point in chosen if only(point)]

        def one(server: fork.Forks, job: tuple[int, Point]) -> list[str]:
            number, point = job
            run = scenario.copy(shared.template, shared.workdir / f"k{number:04d}")
            inodes = _inodes(run)
            outcome = server.injected(run, point, sweep.KILL)
            found = _hit(outcome, point, probe, run)
            found = found or _after_a_kill(server, shared, run, inodes)
            if not found:
                shutil.rmtree(run.directory)
            return [f"{point}: {problem}" for problem in found]

        findings = [f for found in pool.map(one, list(enumerate(chosen))) for f in found]
    return Swept(chosen, findings, time.monotonic() - began)


@pytest.mark.slow
@needs_strace
def test_killed_anywhere_and_run_again() -> None:
    with _fast() as folder:
        swept = _kill_sweep(folder / "kill", SPEC)
    print(f"\nkill: {swept}")
    calls = Counter(point.syscall for point in swept.points)
    assert len(swept.points) >= 80
    assert calls.keys() >= set(INSIDE)
    assert calls["mkdirat"] >= 3
    assert calls["linkat"] >= 4
    assert not swept.findings, str(swept)


@pytest.mark.slow
@needs_strace
def test_an_exchange_of_several_steps_is_caught_by_the_kills() -> None:
    def only(point: Point) -> bool:
        return point.syscall.startswith("rename") and ".confmig-" in point.line

    with _fast() as folder:
        swept = _kill_sweep(folder / "kill", SMALL, "renamed twice", only)
    assert any("is gone" in finding for finding in swept.findings), str(swept)
    assert not [finding for finding in swept.findings if "vacuous" in finding]


def _kind(shared: sweep.Sweep, world: scenario.Scenario) -> tuple[object, ...]:
    """What recovery can see: the phase, whether the directory is new, what is beside it."""
    told = promises.read_state(world.state)
    now = promises.images(world.config)
    new = sum(now.get(name) == image for name, image in shared.new.items())
    beside = [path for path in temporaries(world.config) if path.is_dir()]
    inside = sorted(str(p.relative_to(b)) for b in beside for p in b.rglob("*"))
    return (*told.unsettled.values(), new, bool(beside), bool(inside))


def _nested_sweep(workdir: Path, spec: Spec, seed: str = "", most: int = 24) -> tuple[Swept, int]:
    """As `nested`, but that a world is made anew by the first kill.

    The plan records inodes, which no copy has.
    """
    began = time.monotonic()
    shared = sweep.prepare(workdir, spec)
    probe = shared.probe
    with fork.pool(shared, 2, seed) as pool:
        [listed] = pool.map(lambda server, world: server.points(world), [probe])
        inside = [p for p in listed if nested._in_config(p, probe)]

        def killed(server: fork.Forks, name: str, point: Point) -> scenario.Scenario:
            run = scenario.copy(shared.template, shared.workdir / name)
            problems = _hit(server.injected(run, point, sweep.KILL), point, probe, run)
            assert not problems, problems
            return run

        def first(server: fork.Forks, job: tuple[int, Point]) -> tuple[object, ...]:
            number, point = job
            run = killed(server, f"f{number:06d}", point)
            kind = _kind(shared, run)
            shutil.rmtree(run.directory)
            return kind

        kinds = pool.map(first, list(enumerate(inside)))
        starts: dict[tuple[object, ...], Point] = {}
        for kind, point in zip(kinds, inside, strict=True):
            if len(kind) == 4:  # a transaction is open
                starts[kind] = point
        work: list[tuple[Point, Point, scenario.Scenario]] = []

        def second(server: fork.Forks, job: tuple[int, Point]) -> list[tuple[Point, Any]]:
            number, point = job
            run = killed(server, f"l{number:06d}", point)
            found = server.points(run)
            chosen = found if FULL else nested.sample(found, run, most)
            return [(one, run) for one in chosen]

        for point, found in zip(
            starts.values(), pool.map(second, list(enumerate(starts.values()))), strict=True
        ):
            work += [(point, one, run) for one, run in found]

        def one(
            server: fork.Forks, job: tuple[int, tuple[Point, Point, scenario.Scenario]]
        ) -> list[str]:
            number, (first_point, point, listed_in) = job
            run = scenario.copy(shared.template, shared.workdir / f"s{number:06d}")
            inodes = _inodes(run)
            found = _hit(server.injected(run, first_point, sweep.KILL), first_point, probe, run)
            outcome = server.injected(run, point, sweep.KILL)
            found += _hit(outcome, point, listed_in, run)
            found = found or _after_a_kill(server, shared, run, inodes)
            if not found:
                shutil.rmtree(run.directory)
            return [f"{first_point}, then {point}: {problem}" for problem in found]

        findings = [f for found in pool.map(one, list(enumerate(work))) for f in found]
    print(f"\nnested: starts {sorted(map(str, starts))}")
    swept = Swept([point for _, point, _ in work], findings, time.monotonic() - began)
    return swept, len(starts)


@pytest.mark.slow
@needs_strace
def test_killed_inside_recovery_and_run_again() -> None:
    with _fast() as folder:
        swept, starts = _nested_sweep(folder / "nest", SMALL, most=1000 if FULL else 24)
    print(f"nested: {starts} kinds of states, {swept}")
    assert starts >= 5
    assert len(swept.points) >= 80
    assert not swept.findings, str(swept)


@pytest.mark.slow
@needs_strace
def test_a_recovery_that_settles_first_is_caught_by_the_second_kills() -> None:
    with _fast() as folder:
        swept, _ = _nested_sweep(folder / "nest", SMALL, "settled first", most=16)
    assert any("left in the config" in finding for finding in swept.findings), str(swept)


@pytest.fixture(scope="module")
def errors() -> Report:
    """ENOSPC and EIO at every call of the protocol in the configuration."""

    def only(point: Point) -> bool:
        return point.syscall != "openat2" and ("config/" in point.line or "config>" in point.line)

    with _fast() as folder:
        spec = replace(SPEC, links={})
        which = ERRORS if FULL else ("ENOSPC", "EIO")
        found = err(folder / "err", spec, errors=which, full=FULL, only=only)
    print(f"\n{found}")
    return found


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize(
    "promise", ["vacuous", "named", "whole", "once", "sqlite", "ended", "idle"]
)
def test_an_error_at_any_call_keeps_the_promises(errors: Report, promise: str) -> None:
    calls = {point.syscall for point in errors.points}
    assert calls >= {"mkdirat", "linkat", "renameat2", "unlinkat", "syncfs"}
    broken = errors.of(promise)
    assert not broken, explained(broken)


@pytest.mark.slow
@needs_strace
def test_the_power_may_fail_after_any_operation(tmp_path: Path) -> None:
    """The model knows hard links.

    (The inodes that the plan records are those of the recorded run: in a state that is made
    real all other files look replaced.)
    """
    sample = Sample(exhaustive=6, random=4, richest=64) if FULL else Sample(
        exhaustive=2, richest=6, start=".confmig-"
    )  # fmt: skip
    outcome = power.power(tmp_path, replace(SPEC, links={}), sample=sample, every=FULL)
    print(f"\n{outcome}")
    assert outcome.points > 60
    assert outcome.ended.keys() == {"all old", "all new"}
    assert not outcome.findings, str(outcome)


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("killed_after", ["linkat", "RENAME_EXCHANGE", "unlinkat"])
def test_the_power_may_fail_in_a_recovery(tmp_path: Path, killed_after: str) -> None:
    spec = replace(SMALL, links={})
    outcome = power.power(tmp_path, spec, sample=EXTREMES, interrupted=killed_after, every=FULL)
    print(f"\n{outcome}")
    assert "all new" in outcome.ended
    assert "mixed" not in outcome.ended
    assert not outcome.findings, str(outcome)


@pytest.mark.slow
@needs_strace
def test_without_a_flush_a_power_cut_is_caught(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom confmig.transactions.directory_exchange import DirectoryExchange\n"
        "DirectoryExchange._sync = lambda self: None\n"
        "from confmig.cli import run\nsys.exit(run(sys.argv[1:]))"
    )
    command = (sys.executable, "-c", code, "run", "--once", "--settings", "confmig.yaml")
    sample = replace(EXTREMES, start=".confmig-")
    outcome = power.power(tmp_path, SMALL, sample=sample, command=command)
    assert outcome.findings, str(outcome)
    problems = [problem for finding in outcome.findings for problem in finding.problems]
    assert any("is gone" in one or "is torn" in one for one in problems), str(outcome)


# --- as a user meets it ---------------------------------------------------------------------

AS_BOTH = pytest.mark.parametrize("user", [ROOT, OTHER], ids=["root", "nobody"])
KINDS = ("ext4", "ext2", "tmpfs", "ramfs", "overlay", "xfs", "btrfs")
PAIR = ("app/a.yaml", "app/sub/b.yaml")


@pytest.fixture(scope="module")
def apart() -> Iterator[str]:
    """Mounts of our own, and the processes that see them; or why there are none."""
    with odd.apart() as why_not, odd.servers():
        yield why_not


@pytest.fixture
def place(apart: str) -> Iterator[Path]:
    """A directory that everybody may enter."""
    odd.require(ROOT)
    with odd.room() as folder:
        yield folder


@pytest.fixture
def mounts(apart: str, place: Path) -> Iterator[Mounts]:
    """What the test mounts, and unmounts at the end."""
    if apart:
        pytest.skip(apart)
    found = Mounts(place)
    try:
        yield found
    finally:
        found.close()


def _target(place: Path, user: odd.User = ROOT, *names: str, more: str = "") -> Odd:
    """A target with `commit: directory` and these documents."""
    odd.require(user)
    made = Odd(place / "world", user, patterns=("app/*.yaml", "app/s*/*.yaml"), more=more)
    text = made.settings.read_text()
    assert text.count("policy.yaml}") == 1
    made.settings.write_text(text.replace("policy.yaml}", "policy.yaml, commit: directory}"))
    for name in names:
        made.mine(name)
    return made


def _inode(path: Path) -> int:
    return path.lstat().st_ino


def _unchanged(made: Odd, done: Any, code: str, *names: str) -> None:
    """Refused by name, and nothing happened."""
    assert f"[{code}]" in done.out + done.err, done
    assert "help: " in done.out + done.err, done
    assert done.code == 4, done
    for name in names:
        assert (made.config / name).read_bytes() == dated(Path(name).stem).encode(), name
    made.clean()


def _later(made: Odd, *names: str) -> None:
    """The cause is gone, and the operator said `retry`."""
    for hold in made.status()["holds"]:
        assert made.run("retry", hold["id"]).code == 0
    made.ends_well(*names)


@pytest.mark.slow
@AS_BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_life_on_every_filesystem(
    mounts: Mounts, place: Path, kind: str, user: odd.User
) -> None:
    made = _target(place, user)
    mounts.kind(kind, made.config)
    made.own()
    shutil.rmtree(made.config / "lost+found", ignore_errors=True)
    made.mine(PAIR[0], mode=0o640)
    made.mine(PAIR[1], mode=0o600)
    made.mine("app/notes.txt", "notes", mode=0o604)
    made.mine("app/sub/deep/blob", "blob", mode=0o444)
    (made.config / "app/link").symlink_to("notes.txt")
    made.own()
    before = _snapshot(made.config / D)
    inode = _inode(made.config / D)
    made.ends_well(*PAIR)
    assert _inode(made.config / D) != inode
    assert _without(_snapshot(made.config / D), *PAIR) == _without(before, *PAIR)
    back = made.run("rollback", "--last")
    assert back.code == 0, back
    now = _snapshot(made.config / D)
    assert _without(now, *PAIR) == _without(before, *PAIR)
    for name in PAIR:
        key = name.removeprefix("app/")
        assert now[key][:5] == before[key][:5]
    made.clean()


@pytest.mark.slow
def test_a_directory_of_the_lower_layer_of_an_overlay_is_done_or_refused_by_name(
    mounts: Mounts, place: Path
) -> None:
    made = _target(place)
    texts = {name: dated(Path(name).stem) for name in PAIR}
    mounts.overlay(made.config, {**texts, "app/notes.txt": "notes"})
    done = made.once()
    if done.code == 0:
        assert [made.version(name) for name in PAIR] == [2, 2]
        made.clean()
        return
    text = done.out + done.err
    assert "[io_error]" not in text, f"refused, but not by name: {done}"
    assert "commit: files" in text, f"it does not say what to do: {done}"
    assert {name: (made.config / name).read_text() for name in PAIR} == texts
    made.clean()


@pytest.mark.slow
@pytest.mark.parametrize("others", [False, True], ids=["alone", "with others"])
def test_a_directory_that_is_a_mount_is_refused_by_name(
    mounts: Mounts, place: Path, others: bool
) -> None:
    made = _target(place, ROOT, "app/x")
    (made.config / "app/x").unlink()
    mounts.tmpfs(made.config / D)
    for name in PAIR:
        made.mine(name)
    if others:
        made.mine("app/notes.txt", "notes")
    _unchanged(made, made.once(), "target_is_mount", *PAIR)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["directory", "deep directory", "file"])
def test_a_mount_within_the_directory_is_refused_by_name(
    mounts: Mounts, place: Path, what: str
) -> None:
    made = _target(place, ROOT, *PAIR)
    at = made.config / D / {"directory": "m", "deep directory": "sub/deep/m"}.get(what, "m")
    if what == "file":
        made.mine("app/m", "mounted over")
        made.mine("outside", "outside")
        mounts.bind(made.config / "outside", made.config / "app/m")
    else:
        at.mkdir(parents=True)
        mounts.tmpfs(at)
        (at / "inside").write_text("inside")
    done = made.once()
    if what == "file":  # the link names the file below the mount: it is one of the refusals
        text = done.out + done.err
        assert "[target_is_mount]" in text or "[directory_not_linkable]" in text, done
        assert done.code == 4, done
        assert [made.version(name) for name in PAIR] == [0, 0]
        made.clean()
        assert (made.config / "app/m").read_text() == "outside"
        mounts.unmount(made.config / "app/m")
    else:
        _unchanged(made, done, "target_is_mount", *PAIR)
        mounts.unmount(at)
    _later(made, *PAIR)


@pytest.mark.slow
def test_a_document_that_is_a_mount_and_may_be_rewritten_cannot_change_with_others(
    mounts: Mounts, place: Path
) -> None:
    made = _target(place, ROOT, *PAIR)
    text = made.settings.read_text()
    made.settings.write_text(text.replace("directory}", "directory, mounted_files: rewrite}"))
    outside = made.mine("outside", dated("a"))
    mounts.bind(outside, made.config / PAIR[0])
    _unchanged(made, made.once(), "target_is_mount", *PAIR)
    mounts.unmount(made.config / PAIR[0])
    _later(made, *PAIR)


@pytest.mark.slow
def test_what_cannot_be_linked_is_refused_by_name(mounts: Mounts, place: Path) -> None:
    made = _target(place, ROOT, *PAIR)
    held = made.mine("app/held", "immutable")
    odd.need("chattr", "+i", held)
    try:
        _unchanged(made, made.once(), "directory_not_linkable", *PAIR)
    finally:
        odd.need("chattr", "-i", held)
    _later(made, *PAIR)


@pytest.mark.slow
def test_special_files_in_the_directory_stay_as_they_are(place: Path) -> None:
    made = _target(place, ROOT, *PAIR)
    os.mkfifo(made.config / "app/pipe")
    os.mknod(made.config / "app/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    with open(made.config / "app/sparse", "wb") as sparse:
        sparse.truncate(1 << 26)
    before = _snapshot_of_names(made.config / D)
    made.ends_well(*PAIR)
    after = _snapshot_of_names(made.config / D)
    assert {k: v for k, v in after.items() if not k.endswith(".yaml")} == {
        k: v for k, v in before.items() if not k.endswith(".yaml")
    }


def _snapshot_of_names(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in folder.rglob("*"):
        facts = path.lstat()
        inode = 0 if path.is_dir() else facts.st_ino
        found[str(path.relative_to(folder))] = (facts.st_mode, inode, facts.st_size)
    return {k: v for k, v in found.items() if not (folder / k).is_dir()}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["own", "foreign", "own directory", "foreign directory"])
def test_what_cannot_be_read_by_this_user_is_kept_or_refused_by_name(
    place: Path, what: str
) -> None:
    """A file without any right, of this user or of root; a directory that may not be entered."""
    made = _target(place, OTHER, *PAIR)
    secret = made.mine("app/private/key" if "directory" in what else "app/private", "key", 0o600)
    shut = made.config / "app/private"
    if "foreign" in what:
        for path in {secret, shut}:
            os.chown(path, 0, 0)
    shut.chmod(0o700 if what == "foreign directory" else 0)
    before = _snapshot(made.config / D)
    done = made.once()
    text = done.out + done.err
    if done.code == 0:
        assert [made.version(name) for name in PAIR] == [2, 2]
        assert _without(_snapshot(made.config / D), *PAIR) == _without(before, *PAIR)
    else:
        assert done.code == 4, done
        assert "help: " in text, done
        assert _snapshot(made.config / D) == before
        if what == "foreign":
            assert "[directory_not_linkable]" in text
            assert "private" in text
    made.clean()
    unsettled = made.query("SELECT phase FROM transactions WHERE phase NOT IN ('DONE', 'ABORTED')")
    assert unsettled == []
    again = made.once()  # and it is not stuck
    assert again.code == done.code, again
    made.clean()


@pytest.mark.slow
def test_files_of_other_owners_stay_theirs(place: Path) -> None:
    made = _target(place, ROOT, *PAIR)
    for number, name in enumerate(("app/x", "app/sub/y", *PAIR)):
        file = made.mine(name, None if name in PAIR else "theirs", 0o600 + number)
        os.chown(file, 1000 + number, 2000 + number)
    os.chown(made.config / "app/sub", 3000, 3001)
    (made.config / "app/sub").chmod(0o1777)
    before = _snapshot(made.config / D)
    made.ends_well(*PAIR)
    after = _snapshot(made.config / D)
    assert _without(after, *PAIR) == _without(before, *PAIR)
    for key in ("a.yaml", "sub/b.yaml"):
        assert after[key][:4] == before[key][:4]


@pytest.mark.slow
@pytest.mark.parametrize("whose", [0, 1000], ids=["root's", "another user's"])
def test_a_directory_of_another_owner_is_refused_by_name_where_it_cannot_be_given(
    place: Path, whose: int
) -> None:
    """This user may write there, but a directory that he makes is his."""
    made = _target(place, OTHER, *PAIR)
    os.chown(made.config / D, whose, OTHER.uid)
    (made.config / D).chmod(0o775)
    before = _snapshot(made.config / D)
    done = made.once()
    assert done.code == 4, done
    assert "help: " in done.out + done.err
    assert "app" in done.out + done.err
    assert _snapshot(made.config / D) == before
    made.clean()
    os.chown(made.config / D, OTHER.uid, OTHER.uid)
    _later(made, *PAIR)


@pytest.mark.slow
@AS_BOTH
@pytest.mark.parametrize("closed", ["app", "app/sub", "app/empty"])
def test_a_directory_that_nobody_may_write_keeps_its_mode(
    place: Path, user: odd.User, closed: str
) -> None:
    made = _target(place, user, *PAIR)
    made.mine("app/notes.txt", "notes")
    (made.config / "app/empty").mkdir()
    made.own()
    (made.config / closed).chmod(0o555)
    before = _snapshot(made.config / D)
    made.ends_well(*PAIR)
    assert _without(_snapshot(made.config / D), *PAIR) == _without(before, *PAIR)


def _acl(*entries: tuple[int, int, int]) -> bytes:
    """An access control list as the kernel takes it: (tag, rights, id) each."""
    return (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + one.to_bytes(4, "little")
        for tag, rights, one in entries
    )


@pytest.mark.slow
@AS_BOTH
def test_access_control_lists_are_kept_and_default_ones_open_nothing(
    place: Path, user: odd.User
) -> None:
    """Default lists of the directories above are inherited, and none may stay by mistake.

    A default list above the directory is inherited by what is made beside it, one in it by what
    is staged in it; neither may stay where there was none.
    """
    made = _target(place, user, *PAIR)
    made.mine("app/notes.txt", "notes")
    nobody = 0xFFFFFFFF
    wide = _acl((1, 7, nobody), (2, 7, 1234), (4, 5, nobody), (0x10, 7, nobody), (0x20, 5, nobody))
    closed = _acl(
        (1, 7, nobody), (2, 4, 4321), (4, 0, nobody), (0x10, 4, nobody), (0x20, 0, nobody)
    )
    try:
        os.setxattr(made.config, "system.posix_acl_default", wide)
        os.setxattr(made.config / D, "system.posix_acl_default", closed)
        os.setxattr(made.config / D, "system.posix_acl_access", wide)
        os.setxattr(made.config / PAIR[0], "system.posix_acl_access", closed)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")
    before = _snapshot(made.config / D)
    made.ends_well(*PAIR)
    after = _snapshot(made.config / D)
    assert _without(after, *PAIR) == _without(before, *PAIR)
    for key in ("a.yaml", "sub/b.yaml"):
        assert after[key][:4] == before[key][:4]


@pytest.mark.slow
def test_many_files_change_at_once(place: Path) -> None:
    names = tuple(f"app/{n:03}.yaml" for n in range(70)) + tuple(
        f"app/s{n}/x.yaml" for n in range(30)
    )
    made = _target(place, ROOT, *names)
    for number in range(40):
        made.mine(f"app/s{number % 30}/other-{number}", f"other {number}")
    before = _snapshot(made.config / D)
    made.ends_well(*names)
    assert _without(_snapshot(made.config / D), *names) == _without(before, *names)
    done = made.run("rollback", "--last")
    assert done.code == 0, done
    assert {made.version(name) for name in names} == {0}


@pytest.mark.slow
def test_a_single_changed_file_is_exchanged_by_itself(place: Path) -> None:
    """The directory and the files that are new already stay the very same."""
    made = _target(place, ROOT, *PAIR)
    made.ends_well(*PAIR)
    made.mine("app/c.yaml")
    inodes = [_inode(made.config / name) for name in (D, *PAIR)]
    made.ends_well(*PAIR, "app/c.yaml")
    assert [_inode(made.config / name) for name in (D, *PAIR)] == inodes


@pytest.mark.slow
def test_files_that_are_new_already_stay_the_very_same_when_others_change(place: Path) -> None:
    made = _target(place, ROOT, *PAIR)
    made.ends_well(*PAIR)
    inodes = [_inode(made.config / name) for name in PAIR]
    folder = _inode(made.config / D)
    more = ("app/c.yaml", "app/sub/d.yaml")
    for name in more:
        made.mine(name)
    made.ends_well(*PAIR, *more)
    assert [_inode(made.config / name) for name in PAIR] == inodes
    assert _inode(made.config / D) != folder


@pytest.mark.slow
def test_a_rollback_takes_the_whole_directory_back_with_later_edits_in_place(place: Path) -> None:
    made = _target(place, ROOT, *PAIR)
    made.ends_well(*PAIR)
    file = made.config / PAIR[0]
    file.write_text(file.read_text().replace("port: 8080", "port: 9090"))
    made.mine("app/later.txt", "later")
    folder = _inode(made.config / D)
    done = made.run("rollback", "--last")
    assert done.code == 0, done
    assert _inode(made.config / D) != folder
    assert file.read_text() == dated("a").replace("port: 8080", "port: 9090")
    assert (made.config / PAIR[1]).read_text() == dated("b")
    assert (made.config / "app/later.txt").read_text() == "later"
    made.clean()


@pytest.mark.slow
@pytest.mark.parametrize("to", ["none", "0001_listen"])
def test_a_rollback_to_a_migration_takes_the_whole_directory(place: Path, to: str) -> None:
    made = _target(place, ROOT, *PAIR)
    made.ends_well(*PAIR)
    done = made.run("rollback", "--to", to)
    assert done.code == 0, done
    assert {made.version(name) for name in PAIR} == {0 if to == "none" else 1}
    made.clean()


KILL_AFTER_EXCHANGE = """
import os, signal
from confmig.adapters.files.disk import Disk
exchange = Disk.exchange
def once(self, a, b):
    exchange(self, a, b)
    os.kill(os.getpid(), signal.SIGKILL)
Disk.exchange = once
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", [("run", "--once"), ("rollback", "--last")], ids=lambda w: w[0])
def test_what_was_begun_as_a_directory_is_ended_as_one_whatever_the_settings_say_then(
    place: Path, words: tuple[str, ...]
) -> None:
    made = _target(place, ROOT, *PAIR)
    if words[0] == "rollback":
        made.ends_well(*PAIR)
    killed = made.drive(KILL_AFTER_EXCHANGE, *words)
    assert killed.code == -9, killed
    assert len(list(temporaries(made.config))) == 1
    made.settings.write_text(
        made.settings.read_text().replace("commit: directory", "commit: files")
    )
    assert made.once().code == (3 if words[0] == "rollback" else 0)  # then they are held
    assert {made.version(name) for name in PAIR} == {0 if words[0] == "rollback" else 2}
    made.clean()


@pytest.mark.slow
def test_reports_while_a_transaction_is_open_see_no_hard_links(place: Path) -> None:
    """Between kill and recovery the other documents have two names."""
    made = _target(place, ROOT, *PAIR)
    made.ends_well(*PAIR)
    for name in ("app/c.yaml", "app/d.yaml"):
        made.mine(name)
    assert made.drive(KILL_AFTER_EXCHANGE, "run", "--once").code == -9
    text = made.run("status", "--json").out
    assert "hard_link" not in text, text
    made.ends_well(*PAIR, "app/c.yaml", "app/d.yaml")


@pytest.mark.slow
@AS_BOTH
@pytest.mark.parametrize("weak", [False, True], ids=["strict", "weak"])
def test_where_the_kernel_cannot_exchange_nothing_changes(
    place: Path, user: odd.User, weak: bool
) -> None:
    """No rename can take the place of the exchange of directories, whatever `cas` says."""
    made = _target(place, user, *PAIR)
    made.mine("app/notes.txt", "notes")
    if weak:
        text = made.settings.read_text()
        made.settings.write_text(text.replace("directory}", "directory, cas: weak}"))
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    inject = "inject=renameat2:error=EINVAL"
    made.before = ("strace", "-f", "-qq", "-o", str(place / "strace"), "-e", inject)
    if odd.execute([*made.before, "true"]).code:
        pytest.skip("strace is not permitted")
    before = _snapshot(made.config / D)
    _unchanged(made, made.once(), "no_exchange", *PAIR)
    assert _snapshot(made.config / D) == before
    made.before = ()
    _later(made, *PAIR)


@pytest.mark.slow
def test_a_filesystem_without_exchange_refuses_a_directory(mounts: Mounts, place: Path) -> None:
    made = _target(place, ROOT, *PAIR)
    odd.need("bindfs", made.config, made.config)
    mounts.points.append(made.config)
    if not made.config.is_mount() or odd.exchanges(made.config):
        pytest.skip("this bindfs can exchange")
    _unchanged(made, made.once(), "no_exchange", *PAIR)
    mounts.unmount(made.config)
    _later(made, *PAIR)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_a_filesystem_without_links_is_refused_by_name(
    mounts: Mounts, place: Path, kind: str
) -> None:
    made = _target(place)
    mounts.kind(kind, made.config)
    (made.config / "app/sub").mkdir(parents=True)
    for name in PAIR:
        (made.config / name).write_text(dated(Path(name).stem))
    (made.config / "app/notes.txt").write_text("notes")
    done = made.once()
    text = done.out + done.err
    assert any(f"[{code}]" in text for code in ("directory_not_linkable", "no_exchange")), done
    assert [made.version(name) for name in PAIR] == [0, 0]
    made.clean()


def _served(tmp_path: Path, commit: str) -> World:
    """A world for a daemon that looks by itself once an hour only."""
    bundle = write_bundle(tmp_path / "bundle", TWO, {"app": ["app/**/*.yaml", "app/*.yaml"]})
    made = World(
        tmp_path / "w",
        bundle=bundle,
        policy=OPEN,
        documents={name: dated("x") for name in PAIR},
        more="http: {port: 0}\nwatch: {rescan: 3600}\n",
    )
    text = made.settings.read_text()
    made.settings.write_text(text.replace("policy.yaml}", f"policy.yaml, commit: {commit}}}"))
    return made


COMMIT = pytest.mark.parametrize("commit", ["files", "directory"])


@pytest.mark.slow
@COMMIT
def test_after_a_commit_the_daemon_ends_as_it_should(tmp_path: Path, commit: str) -> None:
    made = _served(tmp_path, commit)
    with Daemon(made) as daemon:
        daemon.is_up("/readyz")
        until(lambda: [made.version(name) for name in PAIR] == [2, 2])
        until(lambda: not list(temporaries(made.config)))
        assert daemon.end() == 0, daemon.said
        assert "Traceback" not in daemon.said


@pytest.mark.slow
@COMMIT
def test_after_a_commit_the_daemon_still_sees_edits(tmp_path: Path, commit: str) -> None:
    """In the directory and in those in it, without any rescan.

    Each document must wake it by itself.
    """
    made = _served(tmp_path, commit)
    folder = _inode(made.config / D)
    with Daemon(made) as daemon:
        daemon.is_up("/readyz")
        until(lambda: [made.version(name) for name in PAIR] == [2, 2])
        assert (_inode(made.config / D) != folder) == (commit == "directory")
        for number in range(4):
            pair = [f"app/new{number}.yaml", f"app/sub/new{number}.yaml"]
            for name in pair:
                made.put(name, dated("new"))
            for name in (*pair, f"app/one{number}.yaml"):
                if name not in pair:
                    made.put(name, dated("one"))
                seen = partial(lambda one: made.version(one) == 2, name)
                until(seen, what=f"{name} is not seen: {daemon.said}")
        until(lambda: not list(temporaries(made.config)))
        assert daemon.alive
