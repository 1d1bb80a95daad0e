"""Runs of confmig without the price of starting Python: one process imports, its children run.

Most of a short run is the interpreter importing; under strace it is nearly all of it. The server
here imports once what a run imports and then forks for every run. The child is a process of its
own, with its own locks, connections and exit: what it does to the disk is what a fresh process
would do. (The kill sweep starts every run afresh, so that this assumption is not the only leg.)

A child that is to be traced waits until strace has attached. `when=N` counts from then on, and
importing is not counted any more, which also makes the numbers of the calls steadier.

Server: one request a line on standard input, `{"words", "cwd", "said", "traced"}`; it answers
with the pid when the child stands at its gate, and with the exit code (negative: the signal) when
it has ended. A traced child needs a second line ("go") in between.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.crash.harness import promises, strace
from tests.crash.harness.scenario import ENGINE, Scenario, copy
from tests.crash.harness.strace import Outcome, Point
from tests.crash.harness.sweep import Sweep

ROOT = Path(__file__).resolve().parents[3]
_PR_SET_PTRACER, _ANYONE = 0x59616D61, ctypes.c_ulong(-1)
_TIMEOUT = 60.0
# Not as quiet as when it starts the command itself: it has to say that it has attached.
TRACER = tuple(word for word in strace.TRACER if word != "-qq")

T = TypeVar("T")
R = TypeVar("R")


class Forks:
    """A server and the way to talk to it, for one thread. `seed` names a bug of `bugs.SEEDS`."""

    def __init__(self, env: Mapping[str, str], seed: str = "") -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.harness.fork", seed],
            cwd=ROOT,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
        self._server.stdout.close()

    def run(self, scenario: Scenario) -> tuple[int, str]:
        """Run `apply` to its end; exit code and what it said."""
        said = self._ask(scenario, traced=False)
        code = self._answer()
        return code, said.read_text(errors="replace")[-2000:]

    def points(self, scenario: Scenario, *, opens: bool = False) -> list[Point]:
        """As `strace.points`; the run really happens. AssertionError if it does not end with 0.

        With `opens` every `openat2` below the roots is a point, as it reads what decides.
        """
        code, said = self._traced(scenario, strace.LISTING)
        assert code == 0, f"the run to be listed ended with {code}: {said}"
        cwd = scenario.directory
        return strace.listed(strace.log_of(cwd), scenario.roots, cwd=cwd, opens=opens)

    def injected(
        self, scenario: Scenario, point: Point, what: str, also: Sequence[str] = ()
    ) -> Outcome:
        """As `strace.run_injected`; `stderr` is all that was said. `also` is traced, too."""
        code, said = self._traced(scenario, strace.injection(point, what, also))
        return Outcome(code, strace.met(strace.log_of(scenario.directory), point), said)

    def idle(self, scenario: Scenario) -> list[str]:
        """What a run with nothing to do has done nevertheless."""
        before = promises.fingerprint(scenario.config, scenario.state)
        code, said = self.run(scenario)
        problems = [] if code == 0 else [f"the run with nothing to do ended with {code}: {said}"]
        after = promises.fingerprint(scenario.config, scenario.state)
        return problems + promises.changed(before, after)

    def _traced(self, scenario: Scenario, options: Sequence[str]) -> tuple[int, str]:
        said = self._ask(scenario, traced=True)
        pid = self._pid
        tracer = subprocess.Popen(
            [*TRACER, "-o", str(strace.log_of(scenario.directory)), *options, f"-p{pid}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            # Said after the tracee was interrupted: it runs nothing of its own before the trace.
            _line(tracer.stderr, "attached")
            self._send("go")
            code = self._answer()
            tracer.communicate(timeout=_TIMEOUT)
        except BaseException:
            tracer.kill()
            tracer.communicate()
            raise
        return code, said.read_text(errors="replace")[-2000:]

    def _ask(self, scenario: Scenario, *, traced: bool) -> Path:
        said = scenario.directory.with_name(scenario.directory.name + ".said")
        request = {
            "words": scenario.apply[len(ENGINE) :],
            "cwd": str(scenario.directory),
            "said": str(said),
            "traced": traced,
        }
        self._send(json.dumps(request))
        self._pid = self._answer()
        return said

    def _send(self, line: str) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(line.encode() + b"\n")
        self._server.stdin.flush()

    def _answer(self) -> int:
        try:
            return int(_line(self._server.stdout))
        except TimeoutError:
            os.killpg(self._server.pid, signal.SIGKILL)  # the child that hangs, too
            raise


@contextmanager
def pool(shared: Sweep, jobs: int, seed: str = "") -> Iterator[Pool]:
    """`jobs` servers, which know from one whole run each what is to be imported."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Forks(shared.env, seed)) for _ in range(jobs)]
        for number, server in enumerate(servers):
            server.run(copy(shared.template, shared.workdir / f"warm{number}"))
        yield Pool(servers)


class Pool:
    """Servers that share out work."""

    def __init__(self, servers: Sequence[Forks]) -> None:
        self._jobs = len(servers)
        self._free: queue.Queue[Forks] = queue.Queue()
        for server in servers:
            self._free.put(server)

    def map(self, do: Callable[[Forks, T], R], work: Sequence[T]) -> list[R]:
        """`do` each of `work`, at most as many at a time as there are servers; in order."""

        def one(item: T) -> R:
            server = self._free.get()
            try:
                return do(server, item)
            finally:
                self._free.put(server)

        with ThreadPoolExecutor(self._jobs) as threads:
            return list(threads.map(one, work))


def _line(stream: Any, needle: str = "") -> str:
    """The next line with `needle` in it.

    The streams are read unbuffered, byte by byte: what `select` says of a pipe is not true of a
    buffer before it.
    """
    line = b""
    while True:
        ready, _, _ = select.select([stream], [], [], _TIMEOUT)
        if not ready:
            raise TimeoutError(f"no answer within {_TIMEOUT:.0f} s")
        byte = os.read(stream.fileno(), 1)
        if not byte:
            raise RuntimeError(f"ended instead of answering; the last words: {line!r}")
        if byte != b"\n":
            line += byte
        elif needle.encode() in line:
            return line.decode(errors="replace")
        else:
            line = b""


# --- the server -----------------------------------------------------------------------------


def _serve(seed: str) -> int:
    """Answer requests until standard input ends. In a child: the exit code of its run."""
    from confmig.cli import run

    if seed:
        from tests.crash.harness.bugs import SEEDS

        SEEDS[seed]()
    known: set[str] = set()
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        gate, go = os.pipe()
        modules, tell = os.pipe()
        gc.collect()
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            for fd in (go, modules):
                os.close(fd)
            _become(request, gate, tell)
            before = frozenset(sys.modules)
            code = run(list(request["words"]))
            if not request["traced"]:
                os.write(tell, json.dumps(sorted(sys.modules.keys() - before)).encode())
            return code
        for fd in (gate, tell):
            os.close(fd)
        os.read(modules, 1)
        print(pid, flush=True)
        if request["traced"]:
            sys.stdin.buffer.readline()
        os.close(go)
        with open(modules, "rb") as imported:
            news = set(json.loads(imported.read() or b"[]")) - known
        _, status = os.waitpid(pid, 0)
        known |= news
        for name in news:
            _import(name)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return 0


def _become(request: Mapping[str, Any], gate: int, tell: int) -> None:
    """Be the run that was asked for: say that all is ready and wait at the gate to be traced."""
    os.chdir(request["cwd"])
    said = os.open(request["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(old, new)
    os.close(nothing)
    os.close(said)
    if request["traced"]:
        # Where only a parent may trace (Yama), say that anyone may.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYONE, 0, 0, 0)
    os.write(tell, b" ")
    if request["traced"]:
        os.read(gate, 1)
    os.close(gate)


def _import(name: str) -> None:
    """A module that a child has imported; one that cannot be is left to the children."""
    try:
        importlib.import_module(name)
    except ImportError:
        return


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1]))
