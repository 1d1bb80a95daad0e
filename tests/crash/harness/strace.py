"""Run a command under strace, list the calls that write, and stop it right before one of them.

What is relied upon, each point tried with strace 6.1 (and tried again by test_kill):

- A SIGKILL that is injected on entry takes effect before the call does anything, so killing
  "at" call N leaves exactly what calls 1 .. N-1 did.
- `when=N` counts per call name *and per tracee* (thread or process), whatever `trace=` shows. So
  calls are numbered per tracee over the whole trace, and filtered by file afterwards. The first
  tracee to reach N is the one that is killed: with several threads it need not be the one meant.
- Hence an exit by SIGKILL alone does not prove that the right call was met. The injected run is
  traced as well, and `Outcome.hit` is the line of the call that was; `places` says whether two
  lines of two runs are about the same directories.
- `--seccomp-bpf` would be faster and silently disables the injection. It is not used.
- `-y` shows the path behind each descriptor, which is what tells a write to a target from one to
  standard output, without following descriptors ourselves.

Stores through a memory mapping (SQLite's -shm file) are no calls and cannot be seen. They need not
be: that file carries nothing that survives.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

# Calls that change what is on disk or when it is durable, by what their arguments name.
ON_DESCRIPTORS = frozenset(
    [
        *("write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "sendfile"),
        *("splice", "ftruncate", "fallocate", "ioctl", "fchmod", "fchown", "fsetxattr"),
        *("fremovexattr", "fsync", "fdatasync", "syncfs", "sync_file_range"),
    ]
)
ON_PATHS = frozenset(
    [
        *("open", "openat", "openat2", "creat", "truncate", "mknod", "mknodat", "mkdir", "mkdirat"),
        *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
        *("unlink", "unlinkat", "rmdir", "chmod", "fchmodat", "fchmodat2"),
        *("chown", "lchown", "fchownat", "setxattr", "lsetxattr", "removexattr", "lremovexattr"),
        *("utime", "utimes", "futimesat", "utimensat"),
    ]
)
# Of these only some do; the flag decides.
ONLY_WITH = {
    "open": re.compile(r"O_CREAT|O_TRUNC|O_TMPFILE"),
    "openat": re.compile(r"O_CREAT|O_TRUNC|O_TMPFILE"),
    "openat2": re.compile(r"O_CREAT|O_TRUNC|O_TMPFILE"),
    "ioctl": re.compile(r"FICLONE"),
}

TRACER = ("strace", "-f", "-qq", "-y", "-s", "64", "-e", "signal=none")
LISTING = ("-e", "trace=" + ",".join(f"?{name}" for name in sorted(ON_DESCRIPTORS | ON_PATHS)))
TIMEOUT = 120.0  # seconds; a run takes a few

_TEMPORARY = re.compile(r"(\.confmig-)[^/]*")
_CALL = re.compile(r"(?P<tracee>\d+) +(?P<syscall>\w+)\((?P<arguments>.*)")
_TOKEN = re.compile(
    r"(?P<descriptor>\d+|AT_FDCWD)<(?P<behind>[^>]*)>(?:\(deleted\))?"
    r'|"(?P<text>(?:[^"\\]|\\.)*)"'
)


@dataclass(frozen=True, slots=True)
class Point:
    """The moment before one call: the `nth` of its name that its tracee makes, from 1.

    `line` is the call as the listing run made it, for messages and for comparison.
    """

    syscall: str
    nth: int
    line: str

    def __str__(self) -> str:
        return f"{self.syscall}#{self.nth}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an injected run ended. `hit` is the call that was met, None if there was none."""

    returncode: int
    hit: str | None
    stderr: str


def points(
    command: Sequence[str], env: Mapping[str, str], roots: Sequence[Path], *, cwd: Path
) -> list[Point]:
    """Every write-type call that `command`, run in `cwd`, makes at or below one of `roots`.

    In order. The command really runs, so give it a copy; RuntimeError if it does not succeed.
    """
    log = log_of(cwd)
    returncode, stderr = _run(LISTING, command, env, cwd, log)
    if returncode != 0:
        raise RuntimeError(f"the run to be listed ended with {returncode}: {stderr[-2000:]}")
    return listed(log, roots, cwd=cwd)


def listed(log: Path, roots: Sequence[Path], *, cwd: Path, opens: bool = False) -> list[Point]:
    """The points in the log of a `LISTING`; with `opens` every `openat2` is one."""
    return [
        Point(syscall, nth, line)
        for syscall, nth, line in numbered(log)
        if places(line, roots, cwd=cwd, opens=opens)
    ]


def ends(points: Sequence[Point], *, cwd: Path) -> list[Point]:
    """Of equal calls in a row on one file (SQLite writing pages) the first and the last."""
    found = []
    for _, row in groupby(points, key=lambda point: (point.syscall, files(point.line, cwd=cwd))):
        first, *others = row
        found += [first, *others[-1:]]
    return found


def injection(point: Point, what: str, also: Sequence[str] = ()) -> list[str]:
    """The options that do `what` at `point`; calls of the names in `also` are logged, too."""
    names = ",".join([point.syscall, *(f"?{name}" for name in also if name != point.syscall)])
    inject = f"inject={point.syscall}:{what}:when={point.nth}"
    return ["-e", f"trace={names}", "-e", inject]


def met(log: Path, point: Point) -> str | None:
    """The call that an injected run met, from its log."""
    asked = (point.syscall, point.nth)
    return next((line for name, nth, line in numbered(log) if (name, nth) == asked), None)


def run_injected(
    command: Sequence[str], point: Point, what: str, env: Mapping[str, str], *, cwd: Path
) -> Outcome:
    """Run `command` with `what` ("signal=SIGKILL", "error=ENOSPC", ...) done at `point`."""
    log = log_of(cwd)
    returncode, stderr = _run(injection(point, what), command, env, cwd, log)
    return Outcome(returncode, met(log, point), stderr)


def run_killed(command: Sequence[str], point: Point, env: Mapping[str, str], *, cwd: Path) -> int:
    """Kill `command` right before `point`; its exit code, -9 (137 in a shell) if it was."""
    return run_injected(command, point, "signal=SIGKILL", env, cwd=cwd).returncode


def places(line: str, roots: Sequence[Path], *, cwd: Path, opens: bool = False) -> tuple[str, ...]:
    """The directories at or below `roots` in which the call of `line` writes, as "<root>:<dir>".

    Empty: it writes nothing there. Directories and not names, since the names of temporary files
    differ from run to run; those of temporary directories are cut for that. With `opens` an
    `openat2` counts even if it only reads.
    """
    call = _CALL.match(line)
    if call is None:
        return ()
    arguments = call["arguments"].rpartition(") = ")[0] or call["arguments"]
    only = ONLY_WITH.get(call["syscall"])
    if opens and call["syscall"] == "openat2":
        only = None
    if only is not None and not only.search(arguments):
        return ()
    found = []
    for path in _paths(call["syscall"], arguments, cwd):
        for number, root in enumerate(roots):
            if path == root:
                found.append(f"{number}:")
            elif path.is_relative_to(root):
                folder = _TEMPORARY.sub(r"\1", str(path.relative_to(root).parent))
                found.append(f"{number}:{folder}")
    return tuple(found)


def files(line: str, *, cwd: Path) -> tuple[Path, ...]:
    """The files that the call of `line` names."""
    call = _CALL.match(line)
    if call is None:
        return ()
    arguments = call["arguments"].rpartition(") = ")[0] or call["arguments"]
    return tuple(_paths(call["syscall"], arguments, cwd))


def _paths(syscall: str, arguments: str, cwd: Path) -> list[Path]:
    """The files a call names, through descriptors or by paths relative to them or to `cwd`."""
    behind: list[Path] = []
    named: list[Path] = []
    base = cwd
    for token in _TOKEN.finditer(arguments):
        if token["descriptor"] is None:
            named.append(Path(os.path.normpath(base / token["text"])))
            base = cwd
        else:
            base = Path(token["behind"])
            if token["descriptor"] != "AT_FDCWD":
                behind.append(base)
    # Text after a descriptor is a buffer for the one family and a name for the other; a name may
    # be left out (utimensat with NULL), then the descriptor is the file.
    return behind if syscall in ON_DESCRIPTORS else named or behind


def numbered(log: Path) -> Iterator[tuple[str, int, str]]:
    """(call, its number, line) in order; the number counts per tracee, as `when=` does."""
    counts: Counter[tuple[str, str]] = Counter()
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            call = _CALL.match(line)
            if call is None:
                continue  # a resumed call, the end of a tracee
            key = (call["tracee"], call["syscall"])
            counts[key] += 1
            yield call["syscall"], counts[key], line.rstrip("\n")


def log_of(cwd: Path) -> Path:
    """Where the log of a run in `cwd` is."""
    return cwd.with_name(cwd.name + ".strace")


def _run(
    options: Sequence[str], command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path
) -> tuple[int, str]:
    """Exit code and standard error. A run that does not end is killed with all it started."""
    process = subprocess.Popen(
        [*TRACER, "-o", str(log), *options, "--", *command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        _, stderr = process.communicate(timeout=TIMEOUT)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return process.returncode, stderr
