"""An edit by the service or a person is never silently overwritten (the `race` harness).

The rounds meet the interleavings by chance; those that matter most are made here by hand, at the
one instant, each with a variant of the protocol that loses the edit in the same test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from confmig.adapters.files.disk import Disk
from confmig.adapters.state.records import FilePlan
from confmig.core.transaction.phases import Phase
from confmig.transactions import file_exchange as swap
from confmig.transactions.exchange import Drifted
from confmig.transactions.file_exchange import FileExchange
from confmig.transactions.runner import Conflict
from tests.crash.harness import race, seeded
from tests.crash.harness.leases import ASKED, HELD, OFF, lease
from tests.crash.harness.race import RECORDS, World, document, flipped

FULL = os.environ.get("CONFMIG_CRASH_FULL") == "1"
ROUNDS = 20_000 if FULL else 4000
LEASE_ROUNDS = 20_000 if FULL else 3000

Hook = Callable[[], None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with race.worlds(tmp_path) as made:
        yield made


@pytest.fixture
def two(tmp_path: Path) -> Iterator[World]:
    with race.worlds(tmp_path, ("a.yaml", "b.yaml")) as made:
        yield made


def _around_exchange(
    monkeypatch: pytest.MonkeyPatch, before: dict[int, Hook], after: dict[int, Hook] | None = None
) -> None:
    """Run hooks right before or after the n-th exchange, counted from 1."""
    real = Disk.exchange
    count = 0

    def exchange(disk: Disk, a: str, b: str) -> None:
        nonlocal count
        count += 1
        here = count
        before.get(here, lambda: None)()
        real(disk, a, b)
        (after or {}).get(here, lambda: None)()

    monkeypatch.setattr(Disk, "exchange", exchange)


def _kept(world: World) -> list[bytes]:
    return [*(world.read(name) for name in world.names), *world.rescued()]


class Writer:
    """Another process that has a document open, and overwrites it when it is told to."""

    PROGRAM = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_WRONLY)\n"
        "print(flush=True)\n"
        "for line in sys.stdin:\n"
        "    os.pwrite(fd, bytes.fromhex(line), 0)\n"
        "    print(flush=True)\n"
        "os.close(fd)\n"
    )

    def __init__(self, file: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", self.PROGRAM, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._out.readline()

    def write(self, data: bytes) -> None:
        """Returns when the write has returned."""
        self._in.write(data.hex() + "\n")
        self._in.flush()
        self._out.readline()

    def close(self) -> None:
        """Returns when it has ended."""
        self._in.close()
        self._process.wait(10)
        self._out.close()


# --- thousands of rounds --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.leases
@pytest.mark.parametrize("how", [OFF, ASKED, HELD])
def test_what_a_lease_across_the_exchange_saves(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A service opens its file, truncates it and writes it.

    A loss is an update that is not in the document at the end; its bytes are in `rescue/` all
    the same.
    """
    lease(monkeypatch, how)
    report = race.race(race.EMPTY, LEASE_ROUNDS)
    losses = report.rounds - report.found["in the document"]
    print(f"\nlease {how}: {losses} losses; {report}")
    assert not report.lost, str(report)
    assert not report.broken, str(report)
    assert report.rounds == LEASE_ROUNDS
    if how == HELD:
        assert losses <= 5
    if how == OFF:
        assert losses > 0, "the race was not close enough to prove anything"


@pytest.mark.slow
@pytest.mark.leases
@pytest.mark.parametrize("style", [race.RENAME, race.TRUNCATE, race.EMPTY, race.PARTS])
def test_no_update_of_a_service_is_lost(style: str) -> None:
    """In place is tried in two ways, which share the rounds."""
    report = race.race(style, ROUNDS if style == race.RENAME else ROUNDS // 2)
    print(f"\n{report}")
    assert not report.lost, str(report)
    assert not report.broken, str(report)
    # Both must have been met, or there was no race.
    assert report.ended["drifted"] > report.rounds // 50
    assert report.ended["committed"] > report.rounds // 50


@pytest.mark.slow
def test_a_plain_rename_loses_updates_in_the_same_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the first one is lost; some are in 4,000 rounds, as a rule in some hundred."""
    monkeypatch.setattr(FileExchange, "swap_in", seeded._plain_rename)
    report = race.race(race.RENAME, 20_000, stop_at=1)
    print(f"\n{report}")
    assert report.lost, str(report)


@pytest.mark.parametrize("plain_rename", [False, True])
def test_an_edit_between_the_look_and_the_exchange_survives_but_for_a_plain_rename(
    world: World, monkeypatch: pytest.MonkeyPatch, plain_rename: bool
) -> None:
    edit = document(1, 0)
    if plain_rename:
        checked = seeded._checked

        def and_then_edited(self: FileExchange, file: FilePlan) -> None:
            checked(self, file)
            world.write(edit)

        monkeypatch.setattr(seeded, "_checked", and_then_edited)
        monkeypatch.setattr(FileExchange, "swap_in", seeded._plain_rename)
        world.transactor().run(made := world.plan(), made.files, RECORDS)
        assert _kept(world) == [document(0, 1)]  # and says that all is well
    else:
        _around_exchange(monkeypatch, {1: lambda: world.write(edit)})
        with pytest.raises(Drifted):
            world.transactor().run(made := world.plan(), made.files, RECORDS)
        assert _kept(world) == [edit]


# --- the exchange back ----------------------------------------------------------------------


def _naive_give_back(disk: Disk, temporary: str, path: str, placed: str) -> None:
    """Exchange back and be done, without a look at what came out."""
    disk.exchange(temporary, path)
    disk.unlink(temporary)


@pytest.mark.parametrize("naive", [False, True])
def test_an_edit_between_an_exchange_and_its_undo_survives_but_for_a_naive_undo(
    world: World, monkeypatch: pytest.MonkeyPatch, naive: bool
) -> None:
    first, second = document(1, 0), document(2, 0)
    _around_exchange(monkeypatch, {1: lambda: world.write(first), 2: lambda: world.write(second)})
    if naive:
        monkeypatch.setattr(swap, "give_back", _naive_give_back)
    with pytest.raises(Drifted):
        world.transactor().run(made := world.plan(), made.files, RECORDS)
    assert world.left() == []
    if naive:
        assert second not in _kept(world)
    else:
        assert world.read() == second
        assert world.rescued() == [first]
        assert world.late_writes() == 1


def _naive_swap_out(self: FileExchange, file: FilePlan) -> None:
    self.disk.exchange(file.temporary, file.path)
    self.disk.unlink(file.temporary)


@pytest.mark.parametrize("naive", [False, True])
def test_an_edit_of_one_file_while_another_ones_drift_is_undone_survives_but_for_a_naive_undo(
    two: World, monkeypatch: pytest.MonkeyPatch, naive: bool
) -> None:
    """The first document is exchanged, the second has drifted, so the first goes back.

    At that moment somebody edits the new image. The documents are mixed then, and it is said
    so.
    """
    plan = two.plan()
    edit = document(7, 1)

    def drift() -> None:
        two.write(document(3, 0), "b.yaml")

    _around_exchange(monkeypatch, {2: lambda: two.write(edit, "a.yaml")}, {1: drift})
    if naive:
        monkeypatch.setattr(FileExchange, "swap_out", _naive_swap_out)
    with pytest.raises(Drifted if naive else Conflict):
        two.transactor().run(plan, plan.files, RECORDS)
    assert two.read("b.yaml") == document(3, 0)
    assert two.left() == []
    if naive:
        assert edit not in _kept(two)
    else:
        assert two.read("a.yaml") == edit


# --- late writers ---------------------------------------------------------------------------


def test_what_a_late_writer_writes_before_the_linger_ends_is_rescued_with_an_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before the exchange, written while clean-up waits, closed."""
    monkeypatch.setattr(swap, "LINGER", 60.0)
    writer = Writer(world.config / race.NAME)
    late = document(9, 0)
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            writer.write(late)
            writer.close()

    world.transactor(pause=pause).run(made := world.plan(), made.files, RECORDS)
    assert len(waited) == 3  # it waits for the writer, and for nothing else
    assert world.read() == document(0, 1)
    assert world.rescued() == [late]
    assert world.late_writes() == 1
    assert world.left() == []


def test_a_writer_that_stays_longer_than_the_linger_is_the_documented_flaw(world: World) -> None:
    """What is written within the linger is rescued; what is written later is in no named file.

    What was written within the linger is rescued, what is written later goes to a file without
    a name. Nothing else suffers from it.
    """
    writer = Writer(world.config / race.NAME)
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            writer.write(document(9, 0))

    world.transactor(pause=pause).run(made := world.plan(), made.files, RECORDS)
    writer.write(document(10, 0))
    writer.close()
    assert swap.LINGER <= sum(waited) < swap.LINGER + 0.1
    assert world.read() == document(0, 1)
    assert world.rescued() == [document(9, 0)]
    assert world.late_writes() == 1
    assert world.left() == []
    assert document(10, 0) not in _kept(world)
    world.transactor().run(made := world.plan(), made.files, RECORDS)  # and nothing is blocked
    assert world.read() == document(0, 0)


def test_a_silent_writer_that_stays_longer_than_the_linger_is_not_noticed(world: World) -> None:
    writer = Writer(world.config / race.NAME)
    world.transactor(pause=lambda seconds: None).run(made := world.plan(), made.files, RECORDS)
    writer.write(document(10, 0))
    writer.close()
    assert _kept(world) == [document(0, 1)]
    assert world.late_writes() == 0


def test_a_late_writer_into_our_image_is_rescued_when_his_own_edit_goes_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit came out of the exchange.

    Until it is exchanged back the document is our image, and whoever opens it then writes into
    what becomes our temporary. He closes at once.
    """
    late = document(9, 1)
    writers: list[Writer] = []
    _around_exchange(
        monkeypatch,
        {
            1: lambda: world.write(document(1, 0)),
            2: lambda: writers.append(Writer(world.config / race.NAME)),
        },
    )
    pauses, beat_after = _end_while_it_waits(writers, late)
    with pytest.raises(Drifted):
        world.transactor(pause=pauses).run(made := world.plan(), made.files, RECORDS)
    beat_after()
    assert world.read() == document(1, 0)
    assert late in _kept(world), "a completed update, closed within the linger, is lost"
    assert world.late_writes() == 1


def test_a_late_writer_into_our_image_is_rescued_when_a_transaction_is_undone(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first document is exchanged and somebody opens it.

    The second has drifted, so the first goes back, and he writes then, into what has become our
    temporary.
    """
    late = document(9, 1)
    writers: list[Writer] = []

    def opened_and_drifted() -> None:
        writers.append(Writer(two.config / "a.yaml"))
        two.write(document(3, 0), "b.yaml")

    _around_exchange(monkeypatch, {}, {1: opened_and_drifted})
    pauses, beat_after = _end_while_it_waits(writers, late)
    with pytest.raises(Drifted):
        two.transactor(pause=pauses).run(made := two.plan(), made.files, RECORDS)
    beat_after()
    assert two.read("a.yaml") == document(0, 0)
    assert late in _kept(two), "a completed update, closed within the linger, is lost"
    assert two.late_writes() == 1


def _end_while_it_waits(writers: list[Writer], late: bytes) -> tuple[Callable[[float], None], Hook]:
    """Write and close at the first pause.

    If there is none, right after the transaction, which is within the linger all the same.
    """
    done: list[bool] = []

    def end() -> None:
        if not done:
            done.append(True)
            writers[0].write(late)
            writers[0].close()

    return lambda seconds: end(), end


def test_a_late_writer_is_rescued_when_recovery_undoes_a_transaction(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two exchanges.

    Then the second document is edited, so recovery puts the first one back, into which somebody
    still writes.
    """
    plan = two.plan()
    transactor = two.transactor()
    transactor.intend(plan, plan.files, RECORDS)
    transactor.exchange_for(plan).stage()
    transactor.prepare(plan)
    two.disk.exchange(plan.files[0].temporary, "a.yaml")
    two.write(document(3, 0), "b.yaml")
    late = document(9, 1)
    writers = [Writer(two.config / "a.yaml")]
    pauses, beat_after = _end_while_it_waits(writers, late)
    [row] = two.store.transactions.unfinished("home")
    assert two.transactor(pause=pauses).recover(row, RECORDS) is Phase.ABORTED
    beat_after()
    assert two.read("a.yaml") == document(0, 0)
    assert late in _kept(two), "a completed update, closed within the linger, is lost"


# --- the harness itself ---------------------------------------------------------------------


def test_a_flip_keeps_the_number_and_can_be_taken_back() -> None:
    assert flipped(document(5, 0)) == document(5, 1)
    assert flipped(flipped(document(5, 0))) == document(5, 0)
    assert race.holds(document(5, 1), 5)
    assert not race.holds(document(5, 1), 6)


@pytest.mark.parametrize("style", [race.RENAME, race.TRUNCATE, race.PARTS])
def test_the_service_says_what_it_has_completed(tmp_path: Path, style: str) -> None:
    (tmp_path / race.NAME).write_bytes(document(0, 0))
    with race.Service(tmp_path, style) as service:
        service.go(5, 3, 0.0, 1e-4)
        assert service.completed() == 7
        assert (tmp_path / race.NAME).read_bytes() == document(7, 0)


def test_an_update_that_is_nowhere_is_counted_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that says of one more update that it is complete than it has made."""
    real = race.Service.completed
    monkeypatch.setattr(race.Service, "completed", lambda self: real(self) + 1)
    report = race.race(race.RENAME, 3)
    assert len(report.lost) == 3
    assert "is nowhere" in str(report)
