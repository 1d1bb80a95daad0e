"""A service rewrites the file that is being migrated: the `race` harness.

Another process, the service, rewrites one document thousands of times while real transactions
exchange it, forth and back. Each update carries a number that the service has never used before,
at the head and at the tail of the document, and each round ends at rest: the transaction has ended
and the service has said which update it completed last. That one must be somewhere: in the
document (perhaps migrated already) or in `rescue/`, and then an event must tell of it. The updates
before it need not be anywhere; it is the service itself that has overwritten them.

So a loss is only what is really lost: no verdict depends on who came first. Which interleavings are
met does depend on the machine. To meet many, the service is set off at a step of the transaction
drawn by lot (the transaction tells of its steps through `beat`) and waits for a time drawn by lot,
of the order of a step.

Four services: one writes a new file and renames it over the document, two empty the document (as
they open it, or later) and write it again, one overwrites parts of it. The last three keep it open
for a moment, and close it long before the linger is over.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.disk import Disk
from confmig.adapters.files.snapshot import PREFIX
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.records import FilePlan, TransactionPlan
from confmig.adapters.state.store import Store
from confmig.core.transaction.phases import Phase
from confmig.errors import Busy, ConfmigError, Unfinished
from confmig.transactions.exchange import Drifted
from confmig.transactions.runner import Records, Transactor
from confmig_otel import events as ev
from tests.support.planned import Planned, planned, store_images

ROOT = Path(__file__).resolve().parents[3]
NAME = "app.yaml"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RENAME, TRUNCATE, EMPTY, PARTS = "rename", "truncate", "empty", "parts"

_HEAD, _MARK, _TAIL = b"counter: %010d\n", b"mark: %d\n", b"tail: %010d\n"
_HEAD_AT, _TAIL_AT = 0, 19 + 1 + 8  # 19 characters and a newline, 7 and a newline
_GAP = 400e-6


def document(counter: int, mark: int) -> bytes:
    """An update; `mark` is what a migration flips. The number stands at both ends."""
    return _HEAD % counter + _MARK % mark + _TAIL % counter


def holds(data: bytes, counter: int) -> bool:
    """Whether this is that update, whole, migrated or not."""
    return data in (document(counter, 0), document(counter, 1))


# --- the service ----------------------------------------------------------------------------


def serve(folder: str, style: str) -> None:
    """Do what each line of standard input orders, and answer with the last update.

    Do what each line of standard input says, "<number> <updates> <wait> <hold>" in
    microseconds, and answer with the number of the last update that is complete.
    """
    file = os.path.join(folder, NAME)
    for line in sys.stdin:
        number, updates, wait, hold = map(int, line.split())
        for counter in range(number, number + updates):
            _spin(wait / 1e6)
            _update(file, style, counter, hold / 1e6)
        print(number + updates - 1, flush=True)


def _update(file: str, style: str, counter: int, hold: float) -> None:
    if style == RENAME:
        with open(f"{file}.service", "wb", buffering=0) as new:
            new.write(document(counter, 0))
        _spin(hold)
        os.rename(f"{file}.service", file)
        return
    fd = os.open(file, os.O_WRONLY | (os.O_TRUNC if style == TRUNCATE else 0))
    _spin(hold)
    if style == TRUNCATE:
        os.write(fd, document(counter, 0))
    elif style == EMPTY:
        os.ftruncate(fd, 0)
        os.write(fd, document(counter, 0))
    else:
        os.pwrite(fd, _HEAD % counter, _HEAD_AT)
        _spin(hold)
        os.pwrite(fd, _TAIL % counter, _TAIL_AT)
    os.close(fd)


def _spin(seconds: float) -> None:
    """A wait that is shorter than the kernel's."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


class Service:
    """The process of the service, and the way to set it off."""

    def __init__(self, folder: Path, style: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.harness.race", str(folder), style],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def go(self, number: int, updates: int, wait: float, hold: float) -> None:
        """Make updates from `number` on."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number} {updates} {int(wait * 1e6)} {int(hold * 1e6)}\n")
        self._process.stdin.flush()

    def completed(self) -> int:
        """Wait until it rests; the number of the last update."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


# --- the transactions -----------------------------------------------------------------------


def _failed(
    plan: TransactionPlan, error: ConfmigError, phase: Phase, during: str
) -> list[ev.Event]:
    return [ev.event(ev.FAILED, {ev.TRANSACTION: plan.id, ev.ERROR_TYPE: error.code})]


RECORDS = Records(
    commit=lambda store, plan, now: [ev.event(ev.COMPLETED, {ev.TRANSACTION: plan.id})],
    started=lambda plan: [ev.event(ev.STARTED, {ev.TRANSACTION: plan.id})],
    failed=_failed,
)


@dataclass
class World:
    """A configuration with some documents in it and a state, and transactions on them."""

    config: Path
    store: Store
    checkpoints: Checkpoints
    disk: Disk
    names: tuple[str, ...] = (NAME,)
    number: int = 0
    pauses: list[float] = field(default_factory=list)

    def transactor(
        self,
        beat: Callable[[], None] = lambda: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> Transactor:
        """A transactor as a new process would have it."""
        return Transactor(
            self.store, self.checkpoints, self.disk, lambda: NOW, beat=beat, pause=pause
        )

    def plan(self, olds: Mapping[str, bytes] | None = None) -> Planned:
        """A transaction that flips the mark of each document; its images are stored."""
        self.number += 1
        files = []
        for index, name in enumerate(self.names):
            snapshot = self.disk.read(name)
            old = (olds or {}).get(name, snapshot.data)
            new = flipped(old)
            store_images(self.checkpoints, [old, new], f"t{self.number}")
            files.append(
                FilePlan(
                    path=name,
                    temporary=f"{PREFIX}t{self.number}-{index}",
                    config="app",
                    format="yaml",
                    old=digest_of(old),
                    new=digest_of(new),
                    before=1,
                    after=2,
                    migrations=("0001_flip",),
                    metadata=snapshot.metadata,
                )
            )
        kind = "rollback" if self.number % 2 == 0 else "apply"
        return planned(
            f"t{self.number}", "home", tuple(files), kind=kind, migrations=("0001_flip",)
        )

    def read(self, name: str = NAME) -> bytes:
        """A document as it is."""
        return (self.config / name).read_bytes()

    def write(self, data: bytes, name: str = NAME) -> None:
        """A document as an editor saves it: another file under its name."""
        aside = self.config / f"{name}.edited"
        aside.write_bytes(data)
        aside.rename(self.config / name)

    def rescued(self) -> list[bytes]:
        """What is in the rescue folder."""
        return [file.read_bytes() for file in sorted(self.checkpoints.rescue.iterdir())]

    def left(self) -> list[bytes]:
        """The temporaries that are there."""
        return [file.read_bytes() for file in self.config.glob(f"{PREFIX}*")]

    def late_writes(self) -> int:
        """How many events tell of bytes that were rescued."""
        return self._told(self.store.events.history(limit=10_000))

    def _told(self, events: list[dict[str, object]]) -> int:
        return sum(
            event["name"] == ev.DRIFT and dict(event["attributes"])[ev.REASON] == "late_write"  # type: ignore[call-overload]
            for event in events
        )


def flipped(data: bytes) -> bytes:
    """The new image of a document."""
    for mark in (0, 1):
        if _MARK % mark in data:
            return data.replace(_MARK % mark, _MARK % (1 - mark))
    raise ValueError(f"no document: {data!r}")


@contextmanager
def worlds(directory: Path, names: tuple[str, ...] = (NAME,)) -> Iterator[World]:
    """A new world in an empty directory."""
    config, state = directory / "config", directory / "state"
    config.mkdir()
    state.mkdir(mode=0o700)
    for name in names:
        (config / name).write_bytes(document(0, 0))
    checkpoints = Checkpoints(state)
    checkpoints.prepare()
    with Store.open(state) as store, Disk(str(config)) as disk:
        yield World(config, store, checkpoints, disk, names)


# --- the rounds -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loss:
    """A round after which a promise is broken."""

    round: int
    what: str

    def __str__(self) -> str:
        return f"round {self.round}: {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of the rounds.

    `ended`: how the transactions did; `found`: where the last update was, which tells how often
    the race was a close one.
    """

    style: str
    rounds: int
    ended: Counter[str]
    found: Counter[str]
    lost: tuple[Loss, ...]
    broken: tuple[Loss, ...]
    seconds: float

    def __str__(self) -> str:
        ended = ", ".join(f"{number} {what}" for what, number in self.ended.most_common())
        found = ", ".join(f"{number} {what}" for what, number in self.found.most_common())
        head = (
            f"race, {self.style}: {self.rounds} rounds ({ended}), the last update: {found}; "
            f"{len(self.lost)} lost, {len(self.broken)} other violations, {self.seconds:.0f} s"
        )
        return "\n".join([head, *map(str, self.lost[:20]), *map(str, self.broken[:20])])


def race(style: str, rounds: int, *, seed: int = 0, stop_at: int = 100) -> Report:
    """So many rounds with one service; it gives up after `stop_at` lost updates."""
    began = time.monotonic()
    ended: Counter[str] = Counter()
    found: Counter[str] = Counter()
    lost: list[Loss] = []
    broken: list[Loss] = []
    done = 0
    with ExitStack() as stack:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="confmig-race-", dir=memory))
        world = stack.enter_context(worlds(Path(made)))
        service = stack.enter_context(Service(world.config, style))
        chance = random.Random(f"{seed}-{style}")
        counter = 1
        while done < rounds and len(lost) < stop_at:
            done += 1
            one = _Round(world, service, chance, counter)
            one.run()
            counter = one.last + 1
            ended[one.ended] += 1
            found[one.found] += 1
            if one.found == "lost":
                lost.append(Loss(done, one.described()))
            broken += [Loss(done, problem) for problem in one.problems]
    return Report(style, done, ended, found, tuple(lost), tuple(broken), time.monotonic() - began)


class _Round:
    """One transaction and the updates that the service makes meanwhile."""

    def __init__(self, world: World, service: Service, chance: random.Random, counter: int) -> None:
        self.world = world
        self.service = service
        self.last = 0
        self.ended = self.found = ""
        self.problems: list[str] = []
        self._beats = 0
        self._first = counter
        self._sets_off = chance.choice((0, 1, 2, 2, 2, 2, 3))
        self._updates = chance.choice((1, 1, 1, 1, 1, 2, 3))
        self._wait = chance.random() * _GAP
        self._hold = chance.random() * _GAP
        self._rescued: list[bytes] = []
        self._left: list[bytes] = []
        self._now = b""

    def run(self) -> None:
        """The round, to its verdict."""
        world = self.world
        plan = world.plan()
        after = world.store.events.newest()
        self._go()
        try:
            world.transactor(self._beat).run(plan, plan.files, RECORDS)
            self.ended = "committed"
        except (Drifted, Busy):
            self.ended = "drifted"
        except Unfinished as error:
            self.ended = error.code
        except ConfmigError as error:
            self.ended = error.code
        self._beats = max(self._beats, self._sets_off)
        self._go()
        self.last = self.service.completed()
        for row in world.store.transactions.unfinished("home"):
            world.transactor().recover(row, RECORDS)
        self._judge(plan, world.store.events.following(after))
        self._tidy()

    def _beat(self) -> None:
        self._beats += 1
        self._go()

    def _go(self) -> None:
        """Set the service off, once, if it is time."""
        if self._first and self._beats >= self._sets_off:
            self.service.go(self._first, self._updates, self._wait, self._hold)
            self._first = 0

    def _judge(self, plan: Planned, events: list[dict[str, object]]) -> None:
        world = self.world
        self._now, self._rescued, self._left = world.read(), world.rescued(), world.left()
        if holds(self._now, self.last):
            self.found = "in the document"
        elif any(holds(data, self.last) for data in self._rescued):
            self.found = "rescued"
        elif any(holds(data, self.last) for data in self._left):
            self.found = "in a temporary"
        else:
            self.found = "lost"
        told = world._told(events)
        if told < len(self._rescued):
            self.problems.append(f"{len(self._rescued)} rescued, {told} told")
        if self._left:
            self.problems.append(f"left: {self._left}")
        if self.ended not in ("committed", "drifted"):
            self.problems.append(f"ended with {self.ended}")
        if self.ended == "drifted":
            names = [event["name"] for event in events]
            if names.count(ev.FAILED) != 1 or ev.COMPLETED in names:
                self.problems.append(f"drifted, but told {names}")
            if digest_of(self._now) == plan.files[0].new:
                self.problems.append("drifted, but the document is ours")
        if world.store.transactions.conflicts("home"):
            self.problems.append("a conflict")

    def described(self) -> str:
        """What there is in place of the update."""
        return (
            f"update {self.last} is nowhere ({self.ended}); the document: {self._now!r}, "
            f"rescued: {self._rescued}, left: {self._left}, set off at {self._sets_off}"
        )

    def _tidy(self) -> None:
        """The next round begins with nothing lying about and with a whole document."""
        world = self.world
        for folder in (world.checkpoints.rescue, world.checkpoints.images.objects):
            for file in folder.iterdir():
                file.unlink()
        if not holds(self._now, self.last):
            world.write(document(self.last, 0))


if __name__ == "__main__":
    serve(*sys.argv[1:])
