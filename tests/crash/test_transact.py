"""Faults in the middle of a transaction, made on real files with the real state.

Each test is a scenario that once lost bytes, told an event twice or blocked a target for ever.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.disk import Disk
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.records import FilePlan, Transaction, TransactionPlan
from confmig.adapters.state.store import Store
from confmig.core.transaction.phases import Image, Phase
from confmig.errors import LATE_FAILURE, ConfmigError, Unfinished
from confmig.transactions.conflicts import Conflicts
from confmig.transactions.exchange import Drifted
from confmig.transactions.file_exchange import FileExchange, replace_file
from confmig.transactions.runner import CleanUpFailed, Conflict, Records, Transactor
from confmig_otel import events as ev
from tests.support.planned import Planned, planned, store_images

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAMES = ("a.yaml", "sub/b.yaml")


def _failed(
    plan: TransactionPlan, error: ConfmigError, phase: Phase, during: str
) -> list[ev.Event]:
    return [ev.event(ev.FAILED, {ev.ERROR_TYPE: error.code})]


RECORDS = Records(
    commit=lambda store, plan, now: [ev.event(ev.MIGRATED, {ev.TRANSACTION: plan.id})],
    started=lambda plan: [ev.event(ev.STARTED, {})],
    failed=_failed,
)


@dataclass
class World:
    """Two files in a root, a state beside it."""

    root: Path
    store: Store
    checkpoints: Checkpoints
    disk: Disk
    number: int = 0
    old: dict[str, bytes] = field(default_factory=dict)

    def plan(self) -> Planned:
        """A transaction that turns ``old`` into ``new`` in both files; images are stored."""
        self.number += 1
        files = []
        for index, name in enumerate(NAMES):
            old, new = b"old " + name.encode(), b"new " + name.encode()
            store_images(self.checkpoints, [old, new], "tx")
            folder, slash, _ = name.rpartition("/")
            files.append(
                FilePlan(
                    path=name,
                    temporary=f"{folder}{slash}.confmig-t{self.number}-{index}",
                    config="app",
                    format="yaml",
                    old=digest_of(old),
                    new=digest_of(new),
                    before=1,
                    after=2,
                    migrations=("0001_x",),
                    metadata=self.disk.metadata(name) or Metadata(0o640, os.getuid(), os.getgid()),
                )
            )
        return planned(
            f"t{self.number}", "home", tuple(files), kind="apply", migrations=("0001_x",)
        )

    def transactor(self) -> Transactor:
        """A transactor as a new process would have it."""
        return Transactor(self.store, self.checkpoints, self.disk, lambda: NOW)

    def recover(self) -> list[Phase]:
        """What the next run does first."""
        rows = self.store.transactions.unfinished("home")
        return [self.transactor().recover(row, RECORDS) for row in rows]

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def events(self) -> list[str]:
        return [e["name"] for e in self.store.events.history()]

    def left(self) -> list[str]:
        return [p.name for p in self.root.rglob(".confmig-*")]

    def rescued(self) -> list[bytes]:
        return [p.read_bytes() for p in self.checkpoints.rescue.iterdir()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    root, state = tmp_path / "config", tmp_path / "state"
    (root / "sub").mkdir(parents=True)
    state.mkdir(mode=0o700)
    for name in NAMES:
        (root / name).write_bytes(b"old " + name.encode())
    checkpoints = Checkpoints(state)
    checkpoints.prepare()
    with Store.open(state) as store, Disk(str(root)) as disk:
        yield World(root, store, checkpoints, disk)


def _prepared(world: World) -> Planned:
    plan = world.plan()
    transactor = world.transactor()
    transactor.intend(plan, plan.files, RECORDS)
    transactor.exchange_for(plan).stage()
    transactor.prepare(plan)
    return plan


def test_an_undisturbed_transaction_ends_clean(world: World) -> None:
    world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert [world.read(n) for n in NAMES] == [b"new a.yaml", b"new sub/b.yaml"]
    assert world.left() == []
    assert world.events() == [ev.STARTED, ev.MIGRATED]


def test_an_undo_that_fails_too_leaves_all_to_recovery_and_tells_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanges = 0
    real = Disk.exchange

    def flaky(disk: Disk, a: str, b: str) -> None:
        nonlocal exchanges
        exchanges += 1
        if exchanges > 1:
            raise OSError(5, "Input/output error", b)
        real(disk, a, b)

    monkeypatch.setattr(Disk, "exchange", flaky)
    with pytest.raises(Unfinished):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    monkeypatch.setattr(Disk, "exchange", real)
    with pytest.raises(Unfinished):  # nothing may begin before the first one is settled
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert world.recover() == [Phase.DONE]
    assert [world.read(n) for n in NAMES] == [b"new a.yaml", b"new sub/b.yaml"]
    assert world.events().count(ev.MIGRATED) == 1
    assert world.left() == []


def test_a_directory_that_vanishes_does_not_block_for_ever(world: World) -> None:
    for crash in ("staged", "exchanged"):
        plan = _prepared(world)
        if crash == "exchanged":
            world.transactor().exchange_for(plan).exchange()
        shutil.rmtree(world.root / "sub")
        phases = world.recover()
        assert phases == [Phase.ABORTED] or world.store.transactions.conflicts("home")
        assert world.store.transactions.unfinished("home") == []
        if crash == "staged":
            assert world.read("a.yaml") == b"old a.yaml"
            (world.root / "sub").mkdir()
            (world.root / "sub/b.yaml").write_bytes(b"old sub/b.yaml")


def test_an_edit_that_came_out_of_an_exchange_before_a_kill_is_put_back(world: World) -> None:
    plan = _prepared(world)
    (world.root / "a.yaml").write_bytes(b"somebody's edit")
    world.disk.exchange(plan.files[0].temporary, "a.yaml")  # and killed before the look
    assert world.recover() == [Phase.ABORTED]
    assert world.read("a.yaml") == b"somebody's edit"
    assert world.read("sub/b.yaml") == b"old sub/b.yaml"
    assert world.left() == []


def test_an_aborted_staging_touches_no_target_even_if_it_equals_the_new_image(world: World) -> None:
    plan = world.plan()
    world.transactor().intend(plan, plan.files, RECORDS)
    world.transactor().exchange_for(plan).stage()
    (world.root / "a.yaml").write_bytes(b"new a.yaml")  # by an operator, on purpose
    assert world.recover() == [Phase.ABORTED]
    assert world.read("a.yaml") == b"new a.yaml"
    assert world.left() == []


def test_a_clean_up_that_fails_is_no_failed_migration(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Disk.unlink

    def refuse(disk: Disk, path: str) -> None:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(Disk, "unlink", refuse)
    with pytest.raises(CleanUpFailed) as caught:
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert caught.value.exit_code == LATE_FAILURE
    monkeypatch.setattr(Disk, "unlink", real)
    assert world.events() == [ev.STARTED, ev.MIGRATED]
    assert world.recover() == [Phase.DONE]
    assert world.left() == []


def test_a_late_writer_keeps_his_bytes_in_the_rescue_folder_with_an_event(world: World) -> None:
    plan = _prepared(world)
    transactor = world.transactor()
    with (world.root / "a.yaml").open("r+b") as late:
        transactor.exchange_for(plan).exchange()
        transactor.commit(plan, RECORDS)
        late.truncate(0)
        late.write(b"late bytes")
    transactor.clean_up(plan, transactor.exchange_for(plan))
    assert world.read("a.yaml") == b"new a.yaml"
    assert world.rescued() == [b"late bytes"]
    assert ev.DRIFT in world.events()


def test_many_directories_need_no_more_file_descriptors(world: World) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(300):
        folder = world.root / f"d{number}"
        folder.mkdir()
        (folder / "x.yaml").write_bytes(b"x")
        world.disk.stage(f"d{number}/.confmig-x", b"y", Metadata(0o600, os.getuid(), os.getgid()))
        world.disk.digest(f"d{number}/x.yaml")
    world.disk.sync_dirs([f"d{n}/x" for n in range(300)])
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_stateless_replace_keeps_both_of_two_racing_edits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = world.disk.read("a.yaml")
    real = Disk.exchange
    edits = iter([b"edit one", b"edit two"])

    def racing(disk: Disk, a: str, b: str) -> None:
        edit = next(edits, None)
        if edit is not None:
            other = world.root / "other"
            other.write_bytes(edit)
            other.rename(world.root / "a.yaml")
        real(disk, a, b)

    monkeypatch.setattr(Disk, "exchange", racing)
    with pytest.raises(Drifted):
        replace_file(world.disk, snapshot, b"ours", ".confmig-w")
    assert world.read("a.yaml") == b"edit two"
    assert (world.root / ".confmig-w").read_bytes() == b"edit one"


# --- what a review found


class _Killed(BaseException):
    """The process ends here."""


def _by_rename(world: World, name: str, data: bytes) -> None:
    (world.root / f"{name}.tmp").write_bytes(data)
    os.rename(world.root / f"{name}.tmp", world.root / name)


def _conflict(world: World) -> Planned:
    """a.yaml was new and was edited, b.yaml is old; then somebody puts a.yaml's new bytes back."""
    plan = _prepared(world)
    swap = FileExchange(
        plan.files, world.checkpoints, world.disk, lambda *_: None, lambda: None, lambda _: None
    )
    swap.swap_in(plan.files[0])
    _by_rename(world, "a.yaml", b"an edit of new")
    [row] = world.store.transactions.unfinished("home")
    with pytest.raises(Conflict):
        world.transactor().recover(row, RECORDS)
    _by_rename(world, "a.yaml", b"new a.yaml")
    return plan


def _killed_after_the_exchange(monkeypatch: pytest.MonkeyPatch, before: Callable[[], None]) -> None:
    real = Disk.exchange

    def exchange(disk: Disk, a: str, b: str) -> None:
        monkeypatch.setattr(Disk, "exchange", real)
        before()
        real(disk, a, b)
        raise _Killed

    monkeypatch.setattr(Disk, "exchange", exchange)


def _row(world: World, plan: Planned) -> Transaction:
    row = world.store.transactions.get(plan.id)
    assert row is not None
    return row


def test_a_restore_after_a_resume_that_was_cut_off_sees_an_edit_of_what_that_made_new(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record says old; the temporary tells better."""
    plan = _conflict(world)
    _killed_after_the_exchange(monkeypatch, lambda: None)
    with pytest.raises(_Killed):
        Conflicts(world.transactor()).resume(_row(world, plan), RECORDS)
    _by_rename(world, "sub/b.yaml", b"another edit of new")
    with pytest.raises(Conflict, match="was edited after that"):
        Conflicts(world.transactor()).restore(_row(world, plan))
    assert _row(world, plan).phase is Phase.CONFLICT
    assert world.read("sub/b.yaml") == b"another edit of new"


def test_an_edit_while_a_conflict_is_restored_keeps_it_a_conflict(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _conflict(world)
    real = Disk.exchange

    def exchange(disk: Disk, a: str, b: str) -> None:
        monkeypatch.setattr(Disk, "exchange", real)
        _by_rename(world, "a.yaml", b"an edit at this moment")
        real(disk, a, b)

    monkeypatch.setattr(Disk, "exchange", exchange)
    with pytest.raises(Conflict):
        Conflicts(world.transactor()).restore(_row(world, plan))
    assert _row(world, plan).phase is Phase.CONFLICT
    assert world.read("a.yaml") == b"an edit at this moment"


def test_what_a_resume_that_was_cut_off_took_out_is_put_back_before_a_rollback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _conflict(world)
    _killed_after_the_exchange(
        monkeypatch, lambda: _by_rename(world, "sub/b.yaml", b"the service's")
    )
    with pytest.raises(_Killed):
        Conflicts(world.transactor()).resume(_row(world, plan), RECORDS)
    assert world.read("sub/b.yaml") == b"new sub/b.yaml"
    row = Conflicts(world.transactor()).prepare_for_another(_row(world, plan))
    assert world.read("sub/b.yaml") == b"the service's"
    assert world.left() == []
    assert row.phase is Phase.CONFLICT
    assert world.store.transactions.found(plan.id) == {
        "a.yaml": Image.NEW.value,
        "sub/b.yaml": Image.EDITED_OLD.value,
    }


def test_a_rescue_is_told_once_although_the_process_ends_right_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _prepared(world)
    transactor = world.transactor()
    swap = transactor.exchange_for(plan)
    swap.exchange()
    transactor.commit(plan, RECORDS)
    (world.root / plan.files[0].temporary).write_bytes(b"late")
    real = Disk.unlink

    def unlink(disk: Disk, path: str) -> None:
        real(disk, path)
        if path == plan.files[0].temporary:
            raise _Killed

    monkeypatch.setattr(Disk, "unlink", unlink)
    with pytest.raises(_Killed):
        transactor.clean_up(plan, transactor.exchange_for(plan))
    monkeypatch.setattr(Disk, "unlink", real)
    assert world.recover() == [Phase.DONE]
    assert world.rescued() == [b"late"]
    assert world.events().count(ev.DRIFT) == 1


def test_a_chmod_of_the_new_file_stays_when_it_is_taken_back(world: World) -> None:
    plan = _prepared(world)
    swap = world.transactor().exchange_for(plan)
    assert isinstance(swap, FileExchange)
    swap.swap_in(plan.files[0])
    (world.root / "a.yaml").chmod(0o600)
    (world.root / "sub/b.yaml").write_bytes(b"an edit")
    assert world.recover() == [Phase.ABORTED]
    assert world.read("a.yaml") == b"old a.yaml"
    assert (world.root / "a.yaml").stat().st_mode & 0o777 == 0o600


def test_a_chmod_that_an_exchange_took_out_before_a_kill_is_put_back(world: World) -> None:
    plan = _prepared(world)
    (world.root / "a.yaml").chmod(0o600)
    world.disk.exchange(plan.files[0].temporary, "a.yaml")
    assert world.recover() == [Phase.ABORTED]
    assert world.read("a.yaml") == b"old a.yaml"
    assert (world.root / "a.yaml").stat().st_mode & 0o777 == 0o600
    assert world.left() == []


def test_an_edit_that_we_may_not_read_goes_back_to_its_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's file of mode 0600, renamed onto the target between look and exchange."""
    theirs: list[int] = []
    real_digest, real_exchange = Disk.digest, Disk.exchange

    def digest(disk: Disk, path: str) -> str | None:
        file = world.root / path
        if theirs and file.exists() and file.stat().st_ino in theirs:
            raise PermissionError(13, "Permission denied", path)
        return real_digest(disk, path)

    def exchange(disk: Disk, a: str, b: str) -> None:
        if not theirs:
            _by_rename(world, "a.yaml", b"theirs")
            theirs.append((world.root / "a.yaml").stat().st_ino)
        real_exchange(disk, a, b)

    monkeypatch.setattr(Disk, "digest", digest)
    monkeypatch.setattr(Disk, "exchange", exchange)
    with pytest.raises(Drifted):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert world.read("a.yaml") == b"theirs"
    assert world.read("sub/b.yaml") == b"old sub/b.yaml"
    assert world.left() == []
    assert world.store.transactions.unfinished("home") == []


def test_the_stateless_replace_names_the_file_that_keeps_an_older_edit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = world.disk.read("a.yaml")
    real, edits = Disk.exchange, [b"first", b"second"]

    def exchange(disk: Disk, a: str, b: str) -> None:
        if edits:
            _by_rename(world, "a.yaml", edits.pop(0))
        real(disk, a, b)

    monkeypatch.setattr(Disk, "exchange", exchange)
    with pytest.raises(Drifted, match=r"kept in \.confmig-x"):
        replace_file(world.disk, snapshot, b"new", ".confmig-x")
    assert world.read("a.yaml") == b"second"
    assert (world.root / ".confmig-x").read_bytes() == b"first"
