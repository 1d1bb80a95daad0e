"""Documents that somebody is writing: none is migrated before it is complete, no byte is lost.

Writers are programs of their own (``writers.py``). Many write at once while one daemon, or one
``run --once`` after the other, migrates. What the writer wrote completely is what
``migrate --stdout`` is given, and the two results must be the same bytes. ``CONFMIG_TRIALS`` is the
number of trials of the largest tests; the others do a half or a quarter of it.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate, chain
from pathlib import Path

import pytest

from tests.e2e.world import Daemon, Done, Step, World, confmig, environment, until, write_bundle
from tests.e2e.writers import Plan, Report, Writer, raw

TRIALS = int(os.environ.get("CONFMIG_TRIALS", "26"))
STRANGER = 12345
"""The user whose files root migrates without CAP_LEASE."""
CONFMIG = (sys.executable, "-m", "confmig")
SETTLE = {"CONFMIG__WATCH__SETTLE_NEW": "1"}
"""The product's default; the tests' environment says 0."""
MARGIN = 0.02
"""The kernel's clock for file times is coarse: a pause that is this near the settle time is not
surely below it."""
PATIENCE = 20.0
"""How long a complete document may take to be migrated on a busy machine."""

STEPS = (
    Step("0001_listen", ({"move": {"from": "server.port", "to": "listen.port"}},)),
    Step("0002_feature", ({"set": {"path": "feature", "value": True}},)),
    Step("0003_folders", ({"rename_section": {"from": "paths", "to": "folders"}},)),
    Step("0004_journal", ({"move": {"from": "folders.log", "to": "folders.journal"}},)),
)
NEWEST = b"schema_version: 4"


# --- documents ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """A document of version 0 and the values and comments that are in no other one."""

    data: bytes
    tokens: tuple[bytes, ...]


def compose(rng: random.Random, name: str, large: bool = False) -> Text:
    """Compose a commented document. The stamp is at its head, at its end, or left out."""
    tokens: list[str] = []

    def token(letter: str) -> str:
        tokens.append(f"{letter}-{name}-{len(tokens)}-{rng.getrandbits(40):010x}")
        return tokens[-1]

    def value() -> str:
        form = rng.choice(("{}", "'{}'", '"{}"', "[{}, {}]"))
        return form.format(*(token("value") for _ in range(form.count("{}"))))

    def comment() -> str:
        return f"# {rng.choice(('', 'für ', 'see: '))}{token('comment')}"

    def entry(key: str, indent: str = "  ") -> list[str]:
        above = [f"{indent}{comment()}"] if rng.random() < 0.5 else []
        behind = f"  {comment()}" if rng.random() < 0.6 else ""
        return [*above, f"{indent}{key}: {value()}{behind}"]

    server = [entry("port"), entry("host"), *(entry(f"option{i}") for i in range(rng.randrange(4)))]
    paths = [entry("log"), entry("data"), *(entry(f"extra{i}") for i in range(rng.randrange(3)))]
    rng.shuffle(server)
    rng.shuffle(paths)
    sections = [["server:", *chain(*server)], ["paths:", *chain(*paths)]]
    for number in range(rng.randrange(60, 160) if large else rng.randrange(1, 6)):
        if rng.random() < 0.5:
            items = [f"  - {value()}  {comment()}" for _ in range(rng.randrange(1, 5))]
            sections.append([f"list{number}:", *items])
        else:
            inside = [entry(f"key{i}", "    ") for i in range(rng.randrange(1, 4))]
            sections.append([f"part{number}:", "  inner:", *chain(*inside)])
    rng.shuffle(sections)
    lines = [comment()]
    stamp = rng.choice(("head", "head", "head", "end", "none"))
    if stamp == "head":
        lines.append("schema_version: 0")
    for section in sections:
        if rng.random() < 0.3:
            lines += ["", comment()]
        lines += section
    if stamp == "end":
        lines.append("schema_version: 0")
    lines.append(comment())
    text = "\n".join(lines) + "\n"
    return Text(text.encode(), tuple(t.encode() for t in tokens))


def cut(rng: random.Random, data: bytes, pieces: int, at_lines: bool = False) -> list[str]:
    """Cut a text anywhere, or at ends of lines only, into so many pieces."""
    places: Sequence[int] = range(1, len(data))
    if at_lines:
        places = [at + 1 for at, byte in enumerate(data[:-1]) if byte == ord("\n")]
    chosen = sorted(rng.sample(places, min(pieces - 1, len(places))))
    return [
        data[start:end].decode("latin-1")
        for start, end in zip([0, *chosen], [*chosen, len(data)], strict=True)
    ]


def migrated(folder: Path, bundle: Path, texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """What ``migrate --stdout`` gives for each text.

    It is called for all in one process, and for one in a process of its own as a proof that
    this makes no difference.
    """
    for sub in ("in", "out"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    for name, data in texts.items():
        (folder / "in" / name).write_bytes(data)
    code = (
        "import os, sys\n"
        "from confmig.cli import run\n"
        "bundle, *names = sys.argv[1:]\n"
        "for name in names:\n"
        "    out = os.open('out/' + name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)\n"
        "    os.dup2(out, 1)\n"
        "    os.close(out)\n"
        "    if code := run(['migrate', '--bundle', bundle, '--stdout', 'in/' + name]):\n"
        "        sys.exit(f'{name}: {code}')\n"
        "    sys.stdout.flush()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle), *texts],
        cwd=folder,
        env=environment(**SETTLE),
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    results = {name: (folder / "out" / name).read_bytes() for name in texts}
    name = next(iter(texts))
    alone = confmig("migrate", "--bundle", bundle, "--stdout", folder / "in" / name)
    assert alone.out.encode() == results[name], alone
    return results


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that other users may pass; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="confmig-writers-") as name:
        os.chmod(name, 0o711)
        yield Path(name)


# --- trials ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """A writer, and the complete text that its file holds in the end."""

    plan: Plan
    text: Text


def pause(rng: random.Random, most: float = 5.0) -> float:
    """Mostly a short pause, now and then one of seconds."""
    low, high = rng.choices(
        ((0.02, 0.15), (0.15, 0.6), (0.6, 1.6), (1.6, 5.0)), weights=(60, 24, 11, 5)
    )[0]
    return min(rng.uniform(low, high), most)


def pauses(rng: random.Random, count: int, total: float) -> list[float]:
    """A pause for each piece; the later ones are short once the sum is long."""
    out: list[float] = []
    for _ in range(count):
        out.append(pause(rng, max(total - sum(out), 0.02)))
    return out


HOLDING: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("stream", ("", "read_write")),
    ("stream", ("", "read_write")),
    ("overwrite", ("", "read_first")),
    ("overwrite", ("", "read_first")),
    ("inherited", ("",)),
    ("renamed", ("hidden", "visible", "early")),
    ("shell", ("",)),
    ("tar", ("", "--overwrite", "-m")),
    ("rsync", ("", "-t")),
    ("rsync", ("--inplace", "--inplace -t")),
    ("sed", ("",)),
    ("vim", ("yes", "no")),
    ("editor", ("rename", "truncate")),
)
"""Writers that keep their file open until it is complete, and the styles of each."""


def holding(rng: random.Random, number: int, total: float = 7.0) -> Trial | None:
    """Draw a writer that keeps its file open; None if its program is not installed."""
    kind, styles = HOLDING[number % len(HOLDING)]
    name = f"t{number}.yaml"
    large = kind in ("tar", "rsync") and rng.random() < 0.5
    text = compose(rng, f"t{number}", large)
    pieces = 1 if rng.random() < 0.2 else rng.randrange(2, 9)
    before = rng.choice(("absent", "absent", "fresh", "recorded", "replaced"))
    edits = kind in ("sed", "vim")
    if edits and before == "absent":
        before = "fresh"
    plan = Plan(
        kind=kind,
        path=name,
        pieces=cut(rng, text.data, pieces),
        pauses=[],
        before=before,
        lead=rng.uniform(0.9, 1.3) if before == "fresh" else rng.uniform(0.06, 0.3),
        stamp=NEWEST.decode(),
        style=rng.choice(styles),
    )
    plan.pauses = pauses(rng, len(plan.pieces), total)
    if edits:
        values = [t for t in text.tokens if t.startswith(b"value")]
        plan.swaps = [
            [old.decode(), f"edited-{old.decode()}"]
            for old in rng.sample(values, min(len(plan.pieces), len(values)))
        ]
        plan.base = text.data.decode("latin-1")
        data = text.data
        for old, new in plan.swaps:
            data = data.replace(old.encode(), new.encode())
        text = Text(data, (*text.tokens, *(new.encode() for _, new in plan.swaps)))
    elif before != "absent":
        plan.base = compose(rng, f"base{number}", rng.random() < 0.2).data.decode("latin-1")
    return Trial(plan, text) if shutil.which(kind) or kind not in ("rsync", "vim") else None


def reopening(rng: random.Random, number: int, below: bool) -> Trial:
    """Draw a writer that opens its file anew for every piece.

    Its pauses stay below the settle time of its document, or some of them are longer. A writer that
    remembers its offset cannot be right in a file that was migrated meanwhile.
    """
    name = f"t{number}.yaml"
    text = compose(rng, f"t{number}")
    before = rng.choice(("absent", "absent", "fresh", "recorded"))
    settle = 0.1 if before == "recorded" else 1.0
    styles = ("append", "append", "prefix", "backdated", *(("offset",) if below else ()))
    count = rng.randrange(2, 7) if below else rng.randrange(2, 5)
    style = rng.choice(styles)
    if style == "prefix" and not below:
        # the third time that an old version comes back it stays, as documented
        count = 2
    cuts = cut(rng, text.data, count, at_lines=not below and rng.random() < 0.7)
    if rng.random() < 0.15:
        cuts = ["", *cuts]
    plan = Plan(
        kind="reopened",
        path=name,
        pieces=cuts,
        pauses=[],
        before=before,
        lead=rng.uniform(0.1, 0.5),
        stamp=NEWEST.decode(),
        style=style,
    )
    if before != "absent":
        plan.base = compose(rng, f"base{number}").data.decode("latin-1")
    first = rng.uniform(0.0, 0.5)
    if below:
        top = 0.05 if before == "recorded" else 0.8
        plan.pauses = [first, *(rng.uniform(0.005, top) for _ in cuts[1:])]
    else:
        ranges = ((0.9, 1.3), (1.05, 1.6), (1.6, 3.0), (0.05, 0.9))
        plan.pauses = [first]
        for _ in cuts[1:]:
            plan.pauses.append(settle * rng.uniform(*rng.choice(ranges)))
        longest = rng.randrange(1, len(plan.pauses))
        plan.pauses[longest] = max(plan.pauses[longest], settle * rng.uniform(1.05, 2.5))
    return Trial(plan, text)


# --- confmig, confined or not ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mode:
    """How confmig is started, and whose the files are."""

    name: str
    prefix: tuple[str, ...] = ()
    user: int | None = None
    without: tuple[int, ...] = ()
    """The capabilities (their numbers) that it must not have."""


CAP_SYS_PTRACE, CAP_LEASE = 19, 28
NORMAL = Mode("normal")
NO_LEASE = Mode(
    "no CAP_LEASE",
    ("setpriv", "--bounding-set", "-lease", "--inh-caps", "-lease"),
    STRANGER,
    (CAP_LEASE,),
)
CONTAINER = Mode(
    "as in a container",
    (
        "setpriv",
        "--bounding-set",
        "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap"
        ",+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap",
        "--inh-caps",
        "-all",
    ),
    STRANGER,
    (CAP_LEASE, CAP_SYS_PTRACE),
)
SEVERAL = [pytest.param(mode, id=mode.name.replace(" ", "_")) for mode in (NORMAL, NO_LEASE)]
EVERY = [*SEVERAL, pytest.param(CONTAINER, id=CONTAINER.name.replace(" ", "_"))]
MODES = EVERY if TRIALS >= 100 else SEVERAL


def possible(mode: Mode) -> None:
    """Skip where confmig cannot be confined so."""
    if not mode.prefix:
        return
    if os.geteuid() != 0:
        pytest.skip("only root can give up a capability and have files of another user")
    if shutil.which(mode.prefix[0]) is None:
        pytest.skip(f"{mode.prefix[0]} is not installed")
    done = subprocess.run(
        [*mode.prefix, "grep", "CapEff", "/proc/self/status"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"{mode.prefix[0]} cannot drop capabilities here: {done.stderr.strip()}")
    effective = int(done.stdout.split()[1], 16)
    assert not any(effective & 1 << number for number in mode.without), done.stdout


def confined(world: World, mode: Mode, *words: str, timeout: float = 60) -> Done:
    """Run one command line, confined, with the default settle times."""
    done = subprocess.run(
        [*mode.prefix, *CONFMIG, *words],
        cwd=world.folder,
        env=environment(**SETTLE),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def once(world: World, mode: Mode) -> Done:
    """``run --once``, confined."""
    return confined(world, mode, "run", "--once", "--settings", str(world.settings))


class ConfinedDaemon(Daemon):
    """A daemon with fewer capabilities and the default settle times."""

    def __init__(self, world: World, mode: Mode, **env: str) -> None:
        self.world = world
        self.log = world.folder / f"daemon-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*mode.prefix, *CONFMIG, "run", "--settings", str(world.settings)],
                env=environment(**SETTLE | env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )


@contextmanager
def daemon(world: World, mode: Mode, **env: str) -> Iterator[Daemon]:
    """A daemon that is ready, and that ends well."""
    with ConfinedDaemon(world, mode, **env) as running:
        running.is_up("/readyz")
        yield running
        assert running.end() == 0, running.said
        assert "Traceback" not in running.said, running.said


@contextmanager
def repeated_once(world: World, mode: Mode) -> Iterator[list[Done]]:
    """``run --once`` again and again beside the test; what each said."""
    said: list[Done] = []
    over = threading.Event()

    def repeat() -> None:
        while not over.is_set():
            said.append(once(world, mode))

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield said
    finally:
        over.set()
        thread.join()


def make_world(folder: Path, mode: Mode) -> World:
    """An empty world for the bundle of this file; its documents do not wait for each other."""
    bundle = write_bundle(folder / "bundle", STEPS)
    world = World(folder / "world", bundle=bundle, more="http: {port: 0}\n")
    settings = world.settings.read_text()
    world.settings.write_text(settings.replace("root: config", "root: config, atomic: document"))
    if mode.user is not None:
        os.chown(world.config, mode.user, mode.user)
    return world


# --- what became of them --------------------------------------------------------------------------


@dataclass(slots=True)
class Outcome:
    """What became of one trial."""

    trial: Trial
    report: Report
    equal: bool = False
    lost: list[bytes] = field(default_factory=list)
    """Values and comments that are neither in the file nor in a rescue file."""
    absent: list[bytes] = field(default_factory=list)
    """Values and comments that are not in the file."""
    owner: int = 0

    def __str__(self) -> str:
        plan = self.trial.plan
        return (
            f"{plan.path} {plan.kind} {plan.style!r} before={plan.before} equal={self.equal}"
            f" untouched={self.report.untouched} ({self.report.note or self.report.failure})"
            f" gap={self.report.gap:.3f}"
            f" absent={len(self.absent)} lost={[t.decode() for t in self.lost][:3]}"
        )


def fragments(trial: Trial) -> list[bytes]:
    """The values and comments, as they were written: in two parts where a piece ended inside."""
    ends = list(accumulate(len(raw(piece)) for piece in trial.plan.pieces[:-1]))
    if trial.plan.swaps:
        ends = []
    out = []
    for token in trial.text.tokens:
        start = trial.text.data.find(token)
        assert start >= 0, token
        inside = [end for end in ends if start < end < start + len(token)]
        for low, high in zip([start, *inside], [*inside, start + len(token)], strict=True):
            out.append(trial.text.data[low:high])
    # two or three characters are found anywhere
    return [part for part in out if len(part) > 3]


def read(path: Path) -> bytes:
    """The content; nothing if there is no file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def carry_out(
    world: World,
    mode: Mode,
    trials: Sequence[Trial],
    wanted: Mapping[str, bytes],
    at_once: int,
    must: bool = True,
) -> list[Report]:
    """Run the writers, some at once, and give every file time to become what it should (or may)."""
    failures: list[str] = []

    def one(trial: Trial) -> Report:
        plan = trial.plan
        plan.user = mode.user
        # where nothing works, the others need not be waited for
        if len(failures) > 2 * at_once:
            return Report(failure="not run after so many failures")
        try:
            with Writer(world.config, plan) as writer:
                report = writer.report()
        except AssertionError as error:
            failures.append(plan.path)
            return Report(failure=str(error).splitlines()[-1])
        try:
            patience = PATIENCE if must else PATIENCE / 4
            until(lambda: read(world.config / plan.path) == wanted[plan.path], patience)
        except AssertionError:
            if must:
                failures.append(plan.path)
        return report

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, trials))


def judge(
    world: World, trials: Iterable[Trial], reports: Iterable[Report], wanted: Mapping[str, bytes]
) -> list[Outcome]:
    """Compare every file with what it should be."""
    rescued = b"\0".join(
        path.read_bytes() for path in sorted(world.state.glob("rescue/**/*")) if path.is_file()
    )
    out = []
    for trial, report in zip(trials, reports, strict=True):
        path = world.config / trial.plan.path
        data = read(path)
        outcome = Outcome(trial, report, data == wanted[trial.plan.path])
        if not report.failure:
            outcome.absent = [t for t in trial.text.tokens if t not in data]
            outcome.lost = [t for t in fragments(trial) if t not in data and t not in rescued]
        outcome.owner = path.stat().st_uid if path.exists() else -1
        out.append(outcome)
    return out


def stays(world: World, mode: Mode) -> None:
    """Another pass finds nothing to do."""
    before = world.facts()
    done = once(world, mode)
    assert done.code == 0, done
    assert world.facts() == before


def figures(title: str, outcomes: Sequence[Outcome], began: float) -> None:
    """Print the figures for the report."""
    kinds = Counter(o.trial.plan.kind for o in outcomes)
    bad = Counter(o.trial.plan.kind for o in outcomes if not o.equal)
    print(
        f"{title}: {len(outcomes)} trials, {sum(o.equal for o in outcomes)} equal,"
        f" {sum(bool(o.lost) for o in outcomes)} lost,"
        f" {sum(not o.report.untouched for o in outcomes)} touched while written,"
        f" {sum(bool(o.report.failure) for o in outcomes)} writers failed,"
        f" {time.monotonic() - began:.0f} s"
    )
    print("  " + ", ".join(f"{kind} {kinds[kind] - bad[kind]}/{kinds[kind]}" for kind in kinds))


def complete(outcomes: Sequence[Outcome]) -> None:
    """Everything that the writers wrote is there, and as if it had been there at once."""
    faults = [o for o in outcomes if not o.equal or o.absent or o.lost or not o.report.untouched]
    assert not faults, "\n".join(map(str, faults))
    assert not [o for o in outcomes if o.owner != (o.trial.plan.user or os.geteuid())]


def drifts(world: World) -> Counter[str]:
    """The reasons of detected drift."""
    return Counter(
        str(e["attributes"].get("config.migration.reason"))
        for e in world.events("config.drift.detected")
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_the_daemon_migrates_complete_texts_of_writers_that_hold_their_file(
    folder: Path, mode: Mode
) -> None:
    """Thirteen kinds of writers, each over nothing, an old, a migrated or a replaced document."""
    possible(mode)
    began = time.monotonic()
    rng = random.Random(20260101)
    world = make_world(folder, mode)
    drawn = [holding(rng, n) for n in range(TRIALS)]
    trials = [t for t in drawn if t is not None]
    wanted = migrated(folder, world.bundle, {t.plan.path: t.text.data for t in trials})
    with daemon(world, mode):
        reports = carry_out(world, mode, trials, wanted, at_once=16)
    outcomes = judge(world, trials, reports, wanted)
    figures(f"daemon, {mode.name}", outcomes, began)
    print(f"  not installed: {len(drawn) - len(trials)}; drift: {dict(drifts(world))}")
    complete(outcomes)
    stays(world, mode)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_run_once_migrates_complete_texts_of_writers_that_hold_their_file(
    folder: Path, mode: Mode
) -> None:
    """The same, with one pass after the other."""
    possible(mode)
    began = time.monotonic()
    rng = random.Random(20260202)
    world = make_world(folder, mode)
    drawn = [holding(rng, n, total=rng.choice((1.0, 2.5, 7.0))) for n in range(max(TRIALS // 4, 5))]
    trials = [t for t in drawn if t is not None]
    wanted = migrated(folder, world.bundle, {t.plan.path: t.text.data for t in trials})
    with repeated_once(world, mode) as said:
        reports = carry_out(world, mode, trials, wanted, at_once=3)
    outcomes = judge(world, trials, reports, wanted)
    figures(f"run --once, {mode.name}", outcomes, began)
    print(f"  passes and their exit codes: {dict(Counter(d.code for d in said))}")
    complete(outcomes)
    for done in said:
        assert done.code in (0, 3), done
        assert done.code == 0 or "target_busy" in done.out + done.err, done
    stays(world, mode)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES if TRIALS >= 100 else MODES[:1])
def test_short_pauses_between_reopening_are_waited_out(folder: Path, mode: Mode) -> None:
    """A document that is reopened before it settled is migrated when it is complete.

    A writer whose machine made it pause longer than it meant to is judged by the other rule: no
    byte is lost.
    """
    possible(mode)
    began = time.monotonic()
    rng = random.Random(20260303)
    world = make_world(folder, mode)
    trials = [reopening(rng, n, below=True) for n in range(max(TRIALS // 2, 5))]
    wanted = migrated(folder, world.bundle, {t.plan.path: t.text.data for t in trials})
    with daemon(world, mode):
        reports = carry_out(world, mode, trials, wanted, at_once=8)
    outcomes = judge(world, trials, reports, wanted)
    figures(f"reopened before it settled, {mode.name}", outcomes, began)
    slow = [
        o
        for o in outcomes
        if o.report.gap > (0.1 if o.trial.plan.before == "recorded" else 1.0) - MARGIN
    ]
    print(f"  paused longer than meant: {len(slow)}; drift: {dict(drifts(world))}")
    assert len(slow) <= len(outcomes) // 4, "the machine is too busy for this test"
    complete([o for o in outcomes if o not in slow])
    assert not [o for o in slow if o.lost or o.report.failure], "\n".join(map(str, slow))
    stays(world, mode)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_long_pauses_between_reopening_lose_nothing(folder: Path, mode: Mode) -> None:
    """A document that settled half-written is migrated; the rest is not lost when it comes."""
    possible(mode)
    began = time.monotonic()
    rng = random.Random(20260404)
    world = make_world(folder, mode)
    trials = [reopening(rng, n, below=False) for n in range(max(TRIALS // 2, 5))]
    wanted = migrated(folder, world.bundle, {t.plan.path: t.text.data for t in trials})
    with daemon(world, mode):
        reports = carry_out(world, mode, trials, wanted, at_once=12, must=False)
    outcomes = judge(world, trials, reports, wanted)
    figures(f"reopened after it settled, {mode.name}", outcomes, began)
    again = Counter(len([p for p in o.trial.plan.pieces if p]) for o in outcomes if not o.equal)
    print(f"  drift: {dict(drifts(world))}; not equal, by pieces: {dict(sorted(again.items()))}")
    faults = [o for o in outcomes if o.lost or o.report.failure]
    assert not faults, "\n".join(map(str, faults))


# --- single cases ---------------------------------------------------------------------------------


def simple(path: str, text: bytes, kind: str = "hold", style: str = "", **more: object) -> Plan:
    """A writer that writes a text in one piece."""
    plan = Plan(kind, path, [text.decode("latin-1")], [0.0], style=style)
    for name, value in more.items():
        setattr(plan, name, value)
    return plan


@pytest.mark.parametrize("style", ["", "append", "read_write"])
def test_the_daemon_leaves_an_open_file_alone_until_it_is_closed(folder: Path, style: str) -> None:
    """Another document that was written later is migrated meanwhile, so the daemon had its turn."""
    rng = random.Random(1)
    world = make_world(folder, NORMAL)
    texts = {name: compose(rng, name) for name in ("a.yaml", "b.yaml")}
    wanted = migrated(folder, world.bundle, {n: t.data for n, t in texts.items()})
    path = world.config / "a.yaml"
    half = len(texts["a.yaml"].data) // 2
    written = texts["a.yaml"].data
    if style == "append":
        path.write_bytes(written[:half])
        written = written[half:]
    elif style == "read_write":
        path.write_bytes(b"#" * len(written))
    with Writer(world.config, simple("a.yaml", written, style=style)) as writer:
        writer.opened()
        before = world.facts()["a.yaml"]
        with daemon(world, NORMAL, CONFMIG__WATCH__SETTLE_NEW="0.2") as running:
            world.put("b.yaml", texts["b.yaml"].data)
            until(lambda: read(world.config / "b.yaml") == wanted["b.yaml"], what=running.said)
            assert world.facts()["a.yaml"] == before
            assert writer.report().untouched
            until(lambda: read(path) == wanted["a.yaml"], what=running.said)


def test_commands_wait_for_writers_that_end_soon(folder: Path) -> None:
    """``run --once`` and ``migrate --write`` wait for them and migrate what is complete then."""
    rng = random.Random(2)
    world = make_world(folder, NORMAL)
    names = ("stream.yaml", "overwrite.yaml")
    texts = {name: compose(rng, name).data for name in names}
    wanted = migrated(folder, world.bundle, texts)
    other = folder / "other"
    other.mkdir()
    paths = [place / name for place in (world.config, other) for name in names]
    migrate = ("migrate", "--bundle", str(world.bundle), "--write", *map(str, paths[2:]))
    with ExitStack() as stack:
        writers = []
        for path in paths:
            path.write_bytes(b"# not yet\n")
            plan = Plan(path.stem, path.name, cut(rng, texts[path.name], 3), [0.0, 0.9, 0.9])
            writers.append(stack.enter_context(Writer(path.parent, plan)))
        for path in paths:
            until(lambda path=path: not path.read_bytes().startswith(b"# not"))  # type: ignore[misc]
        with ThreadPoolExecutor(2) as pool:
            commands = [pool.submit(once, world, NORMAL)]
            commands.append(pool.submit(confined, world, NORMAL, *migrate))
            reports = [writer.report() for writer in writers]
            for command in commands:
                assert command.result().code == 0, command.result()
    assert not [r.note for r in reports if not r.untouched]
    assert [path.read_bytes() for path in paths] == [wanted[path.name] for path in paths]


@pytest.mark.slow
@pytest.mark.parametrize("mode", EVERY)
def test_commands_give_up_after_five_seconds(folder: Path, mode: Mode) -> None:
    """They say target_busy, with their exit codes, and change nothing; later they migrate."""
    possible(mode)
    rng = random.Random(3)
    world = make_world(folder, mode)
    styles = {"a.yaml": "", "b.yaml": "read_write", "c.yaml": "append"}
    texts = {name: compose(rng, name).data for name in styles}
    for name, style in styles.items():
        path = world.put(name, b"" if style == "append" else texts[name])
        if mode.user is not None:
            os.chown(path, mode.user, mode.user)
    migrate = ("migrate", "--bundle", str(world.bundle), "--write")
    commands = [
        ("run", "--once", "--settings", str(world.settings)),
        *((*migrate, str(world.config / name)) for name in styles),
    ]

    def timed(words: Sequence[str]) -> tuple[Done, float]:
        start = time.monotonic()
        return confined(world, mode, *words), time.monotonic() - start

    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                Writer(world.config, simple(name, texts[name], style=style, user=mode.user))
            )
            for name, style in styles.items()
        ]
        for writer in writers:
            writer.opened()
        before = world.facts()
        with ThreadPoolExecutor(len(commands)) as pool:
            (done, took), *others = pool.map(timed, commands)
        assert done.code == 3, done
        assert (done.out + done.err).count("target_busy") >= len(styles), done
        assert 5.0 <= took < 15.0
        for done, took in others:
            assert done.code == 1, done
            assert "target_busy" in done.err, done
            assert 5.0 <= took < 15.0
        assert world.facts() == before
        for writer in writers:
            assert writer.report().untouched
    assert {name: read(world.config / name) for name in styles} == texts
    wanted = migrated(folder, world.bundle, texts)
    done = confined(world, mode, *migrate, str(world.config / "a.yaml"))
    assert done.code == 0, done
    assert read(world.config / "a.yaml") == wanted["a.yaml"]
    done = once(world, mode)
    assert done.code == 0, done
    assert {name: read(world.config / name) for name in styles} == wanted


@pytest.mark.slow
def test_a_document_settles_for_its_time_before_it_is_migrated(folder: Path) -> None:
    """For a second when it is new, for a tenth of it when it was migrated before."""
    rng = random.Random(4)
    world = make_world(folder, NORMAL)
    texts = [compose(rng, f"a{n}").data for n in range(2)]
    waits = []
    with daemon(world, NORMAL) as running:
        for text in texts:
            path = world.put("a.yaml", text)
            changed = path.stat().st_mtime_ns
            until(lambda path=path: NEWEST in path.read_bytes(), what=running.said)  # type: ignore[misc]
            started = world.events("config.migration.started")[-1]["time_ns"]
            waits.append((int(started) - changed) / 1e9)
    print(f"new: {waits[0]:.3f} s, recorded: {waits[1]:.3f} s")
    assert waits[0] >= 1.0
    assert 0.1 <= waits[1] < 1.0


@pytest.mark.slow
def test_text_that_is_appended_late_is_recognised(folder: Path) -> None:
    """The complete text is migrated again.

    Of a new or a recorded document, cut at the end of a line, inside a line, or twice.
    """
    rng = random.Random(5)
    world = make_world(folder, NORMAL)
    texts = {
        f"{cuts}-{before}.yaml": compose(rng, f"{cuts}-{before}").data
        for cuts in ("line", "inside", "twice")
        for before in ("new", "recorded")
    }
    wanted = migrated(folder, world.bundle, texts)
    pieces: dict[str, list[bytes]] = {}
    for name, text in texts.items():
        if name.startswith("inside"):
            cut_at = text.index(b"comment", len(text) // 2) + 9
            pieces[name] = [text[:cut_at], text[cut_at:]]
        else:
            # behind the first entry of a section: every beginning can be migrated
            paths = text.index(b"\n", text.index(b": ", text.index(b"paths:\n"))) + 1
            server = text.index(b"\n", text.index(b": ", text.index(b"server:\n"))) + 1
            ends = sorted((paths, server))
            pieces[name] = [text[: ends[0]], text[ends[0] : ends[1]], text[ends[1] :]]
            if name.startswith("line"):
                pieces[name] = [text[: ends[1]], text[ends[1] :]]

    def runs() -> Counter[str]:
        return Counter(
            e["attributes"]["config.file.path"]
            for e in world.events("config.migrated")
            if NEWEST.endswith(e["attributes"]["config.schema.version.to"].encode())
        )

    def written(names: Sequence[str], how: str, number: int) -> None:
        """Write a piece of each, and wait until each was migrated once more."""
        before = runs()
        for name in names:
            with open(world.config / name, how) as file:
                file.write(pieces[name][number])
        left = list(names)

        def all_migrated() -> bool:
            after = runs()
            left[:] = [n for n in names if after[n] == before[n]]
            return not left

        try:
            until(all_migrated)
        except AssertionError:
            bytes_of = {name: read(world.config / name).decode() for name in left}
            raise AssertionError(f"not migrated after piece {number}: {bytes_of}") from None

    with daemon(world, NORMAL) as running:
        for name in texts:
            if name.endswith("recorded.yaml"):
                world.put(name, compose(rng, "base").data)
        until(lambda: len(runs()) == 3, what=running.said)
        written(list(texts), "wb", 0)
        written(list(texts), "ab", 1)
        once_only = [name for name in texts if not name.startswith("twice")]
        assert {n: read(world.config / n) for n in once_only} == {n: wanted[n] for n in once_only}
        assert drifts(world)["late_append"] == len(texts)
        written([name for name in texts if name.startswith("twice")], "ab", 2)
    assert {name: read(world.config / name) for name in texts} == wanted
    assert drifts(world)["late_append"] == len(texts) + 2
    stays(world, NORMAL)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_text_that_is_appended_late_is_recognised_by_the_next_process(
    folder: Path, count: int
) -> None:
    """Every piece comes after the pass that migrated what was there."""
    rng = random.Random(6)
    world = make_world(folder, NORMAL)
    text = compose(rng, "a").data
    wanted = migrated(folder, world.bundle, {"a.yaml": text})["a.yaml"]
    path = world.config / "a.yaml"
    for number, piece in enumerate(cut(rng, text, count, at_lines=True)):
        with open(path, "ab") as file:
            file.write(raw(piece))
        done = once(world, NORMAL)
        assert done.code == 0, f"after piece {number}: {done}"
        assert drifts(world)["late_append"] == number
    assert path.read_bytes() == wanted
    stays(world, NORMAL)
