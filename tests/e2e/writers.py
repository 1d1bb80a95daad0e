"""Programs that write one configuration file the way people and tools do.

The file is a program: it reads one plan (a line of JSON) from standard input, carries it out in the
current directory and answers with one line of JSON. All that is random is drawn by the test and is
in the plan, so the same plan does the same again. It needs nothing but the standard library.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LONG_AGO = 1_000_000_000
"""The modification time that some writers give their file."""


@dataclass(slots=True)
class Plan:
    """What one writer does. Bytes are in it as Latin-1 texts, since it travels as JSON."""

    kind: str
    path: str
    pieces: list[str]
    pauses: list[float]
    """One for each piece: the writer waits before it writes the piece."""
    before: str = "absent"
    """What is there first: absent, fresh, recorded or replaced (see ``prepare``)."""
    base: str = ""
    lead: float = 0.0
    """How long the base lies there before the writer begins, for fresh and replaced."""
    stamp: str = ""
    """What a migrated file contains."""
    swaps: list[list[str]] = field(default_factory=list)
    """For sed and vim: what takes the place of what."""
    style: str = ""
    """A variant of the kind."""
    user: int | None = None

    def line(self) -> bytes:
        """The plan as the writer reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"


@dataclass(slots=True)
class Report:
    """What a writer saw."""

    untouched: bool = True
    """Nobody changed the file while it was open, or between two pieces."""
    note: str = ""
    gap: float = 0.0
    """The longest time in which a reopened file was closed and unchanged, in seconds."""
    failure: str = ""
    """Why the writer did not come to its end."""

    def touched(self, note: str) -> None:
        """Take down the first time that somebody else changed the file."""
        if self.untouched:
            self.untouched = False
            self.note = note


def raw(text: str) -> bytes:
    """The bytes of a piece."""
    return text.encode("latin-1")


def text_of(plan: Plan) -> bytes:
    """The complete text that the writer writes."""
    return b"".join(raw(p) for p in plan.pieces)


def steps(plan: Plan) -> Iterator[bytes]:
    """Every piece, after its pause."""
    for piece, pause in zip(plan.pieces, plan.pauses, strict=True):
        time.sleep(pause)
        yield raw(piece)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it."""
    while data:
        data = data[os.write(descriptor, data) :]


def place(path: str, data: bytes) -> None:
    """Put a complete file at its name in one step."""
    temporary = f"{path}.base"
    Path(temporary).write_bytes(data)
    os.replace(temporary, path)


def wait_for(path: str, stamp: bytes) -> None:
    """Wait until the file at that name is a migrated one."""
    deadline = time.monotonic() + 20
    while stamp not in Path(path).read_bytes():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} was not migrated before the writer began")
        time.sleep(0.01)


def prepare(plan: Plan) -> None:
    """Bring about what is there before the writer begins.

    absent: nothing. fresh: an old document that nobody migrated, since ``lead`` seconds. recorded:
    one that was migrated. replaced: one that was migrated, and an old text in its place since
    ``lead`` seconds. A lead near the time that a document settles is a race with the migration.
    """
    if plan.before == "absent":
        return
    place(plan.path, raw(plan.base))
    if plan.before == "fresh":
        time.sleep(plan.lead)
        return
    wait_for(plan.path, raw(plan.stamp))
    if plan.before == "replaced":
        place(plan.path, raw(plan.base))
        time.sleep(plan.lead)


def look(report: Report, path: str, descriptor: int, content: bytes, what: str) -> None:
    """See whether the open file is still the one at its name and holds what we wrote."""
    mine = os.fstat(descriptor)
    try:
        there = os.stat(path)
    except FileNotFoundError:
        report.touched(f"{what}: the file does not exist any more")
        return
    if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
        report.touched(f"{what}: another file has the name of the open one")
    elif Path(path).read_bytes()[: len(content)] != content:
        report.touched(f"{what}: the open file holds something else than what was written")


def fill(plan: Plan, report: Report, path: str, descriptor: int) -> None:
    """Write the pieces into an open file and look before and after each."""
    written = b""
    for number, piece in enumerate(steps(plan)):
        look(report, path, descriptor, written, f"before piece {number}")
        write_all(descriptor, piece)
        written += piece
        look(report, path, descriptor, written, f"after piece {number}")


def stream(plan: Plan, report: Report) -> None:
    """Open, truncate, write piece after piece, close."""
    how = os.O_RDWR if plan.style == "read_write" else os.O_WRONLY
    descriptor = os.open(plan.path, how | os.O_CREAT | os.O_TRUNC, 0o644)
    fill(plan, report, plan.path, descriptor)
    os.close(descriptor)


def overwrite(plan: Plan, report: Report) -> None:
    """Open for reading and writing, write over what is there, cut it at the end."""
    descriptor = os.open(plan.path, os.O_RDWR | os.O_CREAT, 0o644)
    if plan.style == "read_first":
        os.read(descriptor, 1 << 20)
        os.lseek(descriptor, 0, os.SEEK_SET)
    fill(plan, report, plan.path, descriptor)
    os.ftruncate(descriptor, len(text_of(plan)))
    look(report, plan.path, descriptor, text_of(plan), "at the end")
    os.close(descriptor)


def inherited(plan: Plan, report: Report) -> None:
    """Open the file and leave the writing to a child; the parent closes it at once."""
    descriptor = os.open(plan.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        fill(plan, report, plan.path, descriptor)
        os.close(descriptor)
        write_all(outlet, report.note.encode())
        os._exit(0 if report.untouched else 1)
    os.close(descriptor)
    os.close(outlet)
    with open(inlet, "rb") as answer:
        note = answer.read().decode()
    if os.waitpid(child, 0)[1] != 0:
        report.touched(note)


def renamed(plan: Plan, report: Report) -> None:
    """Write a new file and rename it to the name; in one style it is still being written then."""
    name = f".{plan.path}.new" if plan.style == "hidden" else f"{plan.path}.tmp"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    written = b""
    for number, piece in enumerate(steps(plan), 1):
        if plan.style == "early" and number > 1:
            look(report, plan.path, descriptor, written, f"before piece {number}")
        write_all(descriptor, piece)
        written += piece
        if plan.style == "early" and number == 1:
            os.replace(name, plan.path)
    os.close(descriptor)
    if plan.style != "early":
        os.replace(name, plan.path)


def feed(command: list[str], chunks: Iterator[bytes]) -> None:
    """Give a command its standard input in pieces."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        for chunk in chunks:
            process.stdin.write(chunk)
            process.stdin.flush()
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)


def shell(plan: Plan, report: Report) -> None:
    """``producer > file``: cat writes what comes, when it comes."""
    feed(["sh", "-c", 'cat > "$1"', "sh", plan.path], steps(plan))


def tar(plan: Plan, report: Report) -> None:
    """``tar -x`` of an archive that comes through a slow pipe."""
    text = text_of(plan)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as container:
        member = tarfile.TarInfo(plan.path)
        member.size, member.mode, member.mtime = len(text), 0o644, LONG_AGO
        container.addfile(member, io.BytesIO(text))
    data = archive.getvalue()

    def chunks() -> Iterator[bytes]:
        at = 0
        for number, pause in enumerate(plan.pauses, 1):
            time.sleep(pause)
            # the header and the text; what follows are zeros
            end = (1024 + len(text)) * number // len(plan.pauses)
            yield data[at:end]
            at = end
        yield data[at:]

    feed(["tar", "-x", "-b", "1", "-f", "-", *plan.style.split()], chunks())


def rsync(plan: Plan, report: Report) -> None:
    """Rsync of a directory, at a speed that makes it last; its options are the style."""
    seconds = max(sum(plan.pauses), 0.05)
    with tempfile.TemporaryDirectory() as source:
        file = Path(source, plan.path)
        file.write_bytes(text_of(plan))
        os.utime(file, (LONG_AGO, LONG_AGO))
        speed = max(int(len(text_of(plan)) / 1024 / seconds), 1)
        command = ["rsync", "-r", "-I", f"--bwlimit={speed}", *plan.style.split()]
        subprocess.run([*command, f"{source}/", "./"], check=True, stdin=subprocess.DEVNULL)


def sed(plan: Plan, report: Report) -> None:
    """``sed -i``, once for each change."""
    for (old, new), pause in zip(plan.swaps, plan.pauses, strict=False):
        time.sleep(pause)
        subprocess.run(["sed", "-i", f"s/{old}/{new}/", plan.path], check=True)


def vim(plan: Plan, report: Report) -> None:
    """Open in vim, change, save; ``backupcopy`` says whether it renames or truncates."""
    command = ["vim", "-Nu", "NONE", "-es", "-c", f"set backup backupcopy={plan.style}"]
    command += ["-c", " | ".join(f"%s/{old}/{new}/" for old, new in plan.swaps)]
    command += ["-c", f"sleep {int(plan.pauses[0] * 1000)}m", "-c", "w!", "-c", "qa!", plan.path]
    # yes, really write to it, although it has been changed since it was read
    subprocess.run(command, check=True, input=b"y\n" * 9, stdout=subprocess.DEVNULL)
    Path(f"{plan.path}~").unlink(missing_ok=True)


def editor(plan: Plan, report: Report) -> None:
    """Save like an editor: a swap file, a backup, then a new file or the old one truncated."""
    swap, backup = Path(f".{plan.path}.swp"), Path(f"{plan.path}~")
    swap.write_bytes(text_of(plan))
    if plan.style == "rename":
        with suppress(FileNotFoundError):
            os.rename(plan.path, backup)
    else:
        with suppress(FileNotFoundError):
            backup.write_bytes(Path(plan.path).read_bytes())
    descriptor = os.open(plan.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    fill(plan, report, plan.path, descriptor)
    os.fsync(descriptor)
    os.close(descriptor)
    backup.unlink(missing_ok=True)
    swap.unlink()


def reopened(plan: Plan, report: Report) -> None:
    """Open and close the file for every piece. The style says how it is opened again."""
    written = b""
    changed = 0.0
    for number, piece in enumerate(steps(plan)):
        if number and Path(plan.path).read_bytes() != written:
            report.touched(f"before piece {number}: somebody else changed the file")
        how = os.O_WRONLY | os.O_CREAT
        if number == 0 or plan.style == "prefix":
            how |= os.O_TRUNC
        elif plan.style != "offset":
            how |= os.O_APPEND
        descriptor = os.open(plan.path, how, 0o644)
        if number:
            report.gap = max(report.gap, time.monotonic() - changed)
        if plan.style == "prefix":
            write_all(descriptor, written)
        elif plan.style == "offset":
            os.lseek(descriptor, len(written), os.SEEK_SET)
        changed = time.monotonic()
        write_all(descriptor, piece)
        written += piece
        if plan.style == "backdated":
            os.utime(descriptor, (LONG_AGO, LONG_AGO))
        os.close(descriptor)


def hold(plan: Plan, report: Report) -> None:
    """Open, write, and close only when told to by a second line on standard input."""
    flags = {
        "": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
        "append": os.O_WRONLY | os.O_APPEND,
        "read_write": os.O_RDWR,
    }
    descriptor = os.open(plan.path, flags[plan.style], 0o644)
    write_all(descriptor, text_of(plan))
    content = Path(plan.path).read_bytes()
    print("open", flush=True)
    sys.stdin.buffer.readline()
    look(report, plan.path, descriptor, content, "before the end")
    os.close(descriptor)


KINDS: dict[str, Callable[[Plan, Report], None]] = {
    "stream": stream,
    "overwrite": overwrite,
    "inherited": inherited,
    "renamed": renamed,
    "shell": shell,
    "tar": tar,
    "rsync": rsync,
    "sed": sed,
    "vim": vim,
    "editor": editor,
    "reopened": reopened,
    "hold": hold,
}


def carry_out(plan: Plan) -> Report:
    """Do what the plan says."""
    if plan.user is not None:
        os.setgroups([])
        os.setresgid(plan.user, plan.user, plan.user)
        os.setresuid(plan.user, plan.user, plan.user)
    report = Report()
    prepare(plan)
    KINDS[plan.kind](plan, report)
    return report


class Writer:
    """A writer in a process of its own; a context manager that leaves none behind."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.plan = plan
        self.process = subprocess.Popen(
            [sys.executable, "-E", "-S", __file__],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(plan.line())
        self.process.stdin.flush()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def opened(self) -> None:
        """Wait until a holding writer has the file open."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == b"open\n", (line, self.process.communicate())

    def report(self, timeout: float = 90) -> Report:
        """Wait for the end (a holding writer is told to close); what the writer saw."""
        out, err = self.process.communicate(b"close\n", timeout)
        assert self.process.returncode == 0, f"{self.plan.kind} {self.plan.path}: {err.decode()}"
        answer: dict[str, Any] = json.loads(out)
        return Report(**answer)


if __name__ == "__main__":
    result = carry_out(Plan(**json.loads(sys.stdin.buffer.readline())))
    print(json.dumps(asdict(result)))
