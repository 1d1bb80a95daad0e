"""Odd targets for end-to-end tests: users, mounts, full disks, and a world that lives on them.

Everything is mounted in a mount namespace of the test process (``apart``), so that nothing is left
on the machine whatever happens to the process. What the kernel or the machine does not offer is
skipped with what it said.

Most of a short command is the interpreter importing. So there is one process for each user that
has imported confmig (``python -m tests.e2e.odd``) and forks for every command line: the child has
locks, connections, rights and an exit of its own.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import json
import os
import pkgutil
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.e2e.world import (
    FREE,
    TWO,
    Daemon,
    Done,
    World,
    document,
    environment,
    temporaries,
    write_bundle,
)

NOBODY = 65534
DOCUMENTED = frozenset(range(8))
"""The exit codes of the table that a run may end with: neither 70 (bug) nor 130."""

_NEW_MOUNTS = 0x00020000
_libc = ctypes.CDLL(None, use_errno=True)


# --- users


@dataclass(frozen=True, slots=True)
class User:
    """Who runs the command."""

    name: str
    uid: int

    @property
    def prefix(self) -> list[str]:
        """The words before a command that make it run as this user, without any capability."""
        if self.uid == os.geteuid():
            return []
        return [
            *("setpriv", "--reuid", str(self.uid), "--regid", str(self.uid)),
            *("--clear-groups", "--inh-caps=-all"),
        ]


ROOT = User("root", 0)
OTHER = User("nobody", NOBODY)


@cache
def _cannot_be_other() -> str:
    """Why the command cannot be run as ``OTHER``; empty if it can."""
    if shutil.which("setpriv") is None:
        return "setpriv is not installed"
    words = [*OTHER.prefix, sys.executable, "-m", "confmig", "version"]
    done = subprocess.run(
        words, cwd="/", env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return f"user {NOBODY} cannot run this Python: {done.stderr.strip()[-200:]}"
    return ""


def require(user: User) -> User:
    """The user, or a skip with the reason."""
    if os.geteuid() != 0:
        pytest.skip("needs root: owners, mounts and users are changed")
    if user.uid and _cannot_be_other():
        pytest.skip(_cannot_be_other())
    return user


# --- mounts


@contextmanager
def apart() -> Iterator[str]:
    """A mount namespace of our own. Gives why there is none, or an empty text."""
    if os.geteuid() != 0:
        yield "needs root to mount"
        return
    before, folder = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC), os.getcwd()
    try:
        if _libc.unshare(_NEW_MOUNTS) != 0:
            yield f"mounting is not permitted: {os.strerror(ctypes.get_errno())}"
            return
        try:
            yield _call("mount", "--make-rprivate", "/")
        finally:
            if _libc.setns(before, _NEW_MOUNTS) != 0:
                raise OSError(ctypes.get_errno(), "cannot go back to the mounts we came from")
            os.chdir(folder)
    finally:
        os.close(before)


def _call(*words: str | Path) -> str:
    """Run a system command; what it complained about, empty if all is well."""
    try:
        done = subprocess.run(
            list(map(str, words)), capture_output=True, text=True, check=False, timeout=60
        )
    except FileNotFoundError:
        return f"{words[0]} is not installed"
    if done.returncode == 0:
        return ""
    return f"{words[0]}: {(done.stderr or done.stdout).strip()[-300:] or done.returncode}"


def need(*words: str | Path) -> None:
    """Run a system command; skip with what it said if it cannot."""
    said = _call(*words)
    if said:
        pytest.skip(said)


class Mounts:
    """What a test mounts; all of it is gone after ``close``."""

    def __init__(self, room: Path) -> None:
        self.room = room
        self.points: list[Path] = []
        self._images = 0
        self.images: dict[Path, Path] = {}

    def mount(self, *words: str | Path, at: Path) -> Path:
        """``mount WORDS AT``; a skip if the kernel cannot."""
        at.mkdir(parents=True, exist_ok=True) if not at.exists() else None
        need("mount", *words, at)
        self.points.append(at)
        return at

    def tmpfs(self, at: Path, *, size: str = "16m", more: str = "") -> Path:
        """A filesystem in memory."""
        return self.mount("-t", "tmpfs", "-o", f"size={size}{more}", "tmpfs", at=at)

    def loop(self, kind: str, at: Path, megabytes: int, *make: str, options: str = "") -> Path:
        """A fresh filesystem in a file."""
        self._images += 1
        image = self.room / f"image-{self._images}"
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        self.images[at] = image
        need(f"mkfs.{kind}", *make, image)
        return self.mount("-t", kind, "-o", f"loop{options}", image, at=at)

    def overlay(self, at: Path, below: Mapping[str, str] | None = None) -> Path:
        """An overlay whose lower directory has these files."""
        base = self.room / "overlay"
        for name in ("lower", "upper", "work"):
            (base / name).mkdir(parents=True)
        for name, text in (below or {}).items():
            file = base / "lower" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        return self.mount("-t", "overlay", "-o", options, "overlay", at=at)

    def bind(self, source: Path, at: Path, *, read_only: bool = False) -> Path:
        """The same files once more."""
        self.mount("--bind", source, at=at)
        if read_only:
            need("mount", "-o", "remount,bind,ro", at)
        return at

    def kind(self, kind: str, at: Path) -> Path:
        """A filesystem of some kind, with room enough."""
        if kind == "tmpfs":
            return self.tmpfs(at)
        if kind == "ramfs":
            return self.mount("-t", "ramfs", "ramfs", at=at)
        if kind == "overlay":
            return self.overlay(at)
        sizes = {"ext4": 16, "ext2": 16, "xfs": 320, "btrfs": 128, "vfat": 16, "exfat": 16}
        quiet = {"btrfs": ("-q",), "xfs": ("-q",), "ext4": ("-q",), "ext2": ("-q",)}
        return self.loop(kind, at, sizes[kind], *quiet.get(kind, ()))

    def writable(self, at: Path, yes: bool) -> None:
        """Mount it again, read-only or writable."""
        need("mount", "-o", f"remount,{'rw' if yes else 'ro'}", at)

    def device(self, at: Path) -> str:
        """The name of the loop device below a mount, such as ``loop0``."""
        for line in Path("/proc/self/mounts").read_text().splitlines():
            source, point, *_ = line.split()
            if point == str(at):
                return Path(source).name
        raise AssertionError(f"{at} is not mounted")

    def repair(self, at: Path) -> None:
        """What an operator does after an error of ext4: check it and mount it again."""
        image = self.images[at]
        self.unmount(at)
        _call("e2fsck", "-fy", image)
        self.mount("-t", "ext4", "-o", "loop", image, at=at)

    def unmount(self, at: Path) -> None:
        """Unmount now."""
        said = _call("umount", at)
        assert not said, said
        self.points.remove(at)

    def close(self) -> None:
        """Unmount everything, at last even what is in use."""
        for at in reversed(self.points):
            if _call("umount", at):
                _call("umount", "-l", at)
        self.points.clear()


# --- rooms


@contextmanager
def room() -> Iterator[Path]:
    """A directory that everybody may enter (pytest's own are closed to other users)."""
    folder = Path(tempfile.mkdtemp(prefix="confmig-odd-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        _call("chattr", "-R", "-i", "-a", folder)
        shutil.rmtree(folder, ignore_errors=True)


def execute(words: Sequence[str | Path], timeout: float = 100, **env: str) -> Done:
    """Run a command line."""
    done = subprocess.run(
        list(map(str, words)),
        cwd="/",
        env=environment(PYTHONDONTWRITEBYTECODE="1", **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Server:
    """A process that has imported confmig and forks for every command of one user."""

    def __init__(self, user: User) -> None:
        self._process = subprocess.Popen(
            [*user.prefix, sys.executable, "-m", "tests.e2e.odd"],
            cwd="/",
            env=environment(PYTHONDONTWRITEBYTECODE="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, words: Sequence[str | Path], env: Mapping[str, str]) -> Done:
        """Execute ``code``, then a command line, in a process of its own."""
        mask = os.umask(0)
        os.umask(mask)
        request = {"code": code, "words": list(map(str, words)), "env": dict(env), "umask": mask}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        return Done(answer["code"], answer["out"], answer["err"])

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


_servers: dict[User, Server] = {}


@contextmanager
def servers() -> Iterator[None]:
    """The servers, each started when it is needed."""
    try:
        yield
    finally:
        while _servers:
            _servers.popitem()[1].close()


def _serve() -> None:
    import confmig
    from confmig.cli import run  # the function: importing the module of that name hides it

    for module in pkgutil.walk_packages(confmig.__path__, "confmig."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for line in sys.stdin:
        request = json.loads(line)
        out, err = os.memfd_create("out"), os.memfd_create("err")
        child = os.fork()
        if child == 0:
            _child(run, request, out, err)
        _, status = os.waitpid(child, 0)
        said = [_content(fd) for fd in (out, err)]
        answer = {"code": os.waitstatus_to_exitcode(status), "out": said[0], "err": said[1]}
        print(json.dumps(answer), flush=True)


def _content(fd: int) -> str:
    with open(fd, "rb") as file:
        file.seek(0)
        return file.read().decode("utf-8", "surrogateescape")


def _child(
    run: Callable[[list[str]], int], request: Mapping[str, Any], out: int, err: int
) -> NoReturn:
    """The command line, with the standard streams that a fresh process would have."""
    code = 1
    try:
        signal.alarm(100)
        os.umask(request["umask"])
        os.environ.update(request["env"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        said = os.environ.get("PYTHONIOENCODING", "utf-8:surrogateescape")
        encoding, _, errors = said.partition(":")
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(1, "wb", closefd=False)), encoding, errors
        )
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(2, "wb", closefd=False)),
            encoding,
            "backslashreplace",
            line_buffering=True,
        )
        exec(request["code"], {"sys": sys})
        code = run(request["words"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


_templates: dict[tuple[str, ...], Path] = {}
_template_home: list[tempfile.TemporaryDirectory[str]] = []


def plain_bundle(folder: Path, patterns: Sequence[str]) -> Path:
    """The bundle of ``TWO`` for some patterns; made once, copied then."""
    key = tuple(patterns)
    if key not in _templates:
        home = tempfile.TemporaryDirectory(prefix="confmig-odd-bundle-")
        _template_home.append(home)
        _templates[key] = write_bundle(Path(home.name) / "bundle", TWO, {"app": list(key)})
    shutil.copytree(_templates[key], folder)
    return folder


class Odd(World):
    """A world in which a given user runs the commands; each must end in an orderly way."""

    def __init__(
        self,
        folder: Path,
        user: User = ROOT,
        *,
        patterns: Sequence[str] = ("*.yaml",),
        state: str = "state",
        more: str = "",
    ) -> None:
        self.user = user
        self.before: tuple[str, ...] = ()
        bundle = plain_bundle(folder / "bundle", patterns)
        super().__init__(folder / "w", bundle=bundle, policy=FREE, more=more)
        if state != "state":
            text = self.settings.read_text().replace("state_dir: state", f"state_dir: '{state}'")
            self.settings.write_text(text)
            self.state = self.folder / state
        self.own()

    def own(self) -> None:
        """Everything below belongs to the user now."""
        for path in [self.folder, *self.folder.rglob("*")]:
            os.lchown(path, self.user.uid, self.user.uid)

    def mine(self, name: str, text: str | bytes | None = None, mode: int = 0o644) -> Path:
        """A document of the user."""
        file = self.put(name, document(Path(name).stem) if text is None else text)
        file.chmod(mode)
        os.chown(file, self.user.uid, self.user.uid)
        for folder in file.parents:
            if folder == self.config:
                break
            os.chown(folder, self.user.uid, self.user.uid)
        return file

    def run(self, *words: str | Path, timeout: float = 100, **env: str) -> Done:
        """A command with our settings, as our user; never a bug, never a traceback."""
        return orderly(self._run("", [*words, "--settings", self.settings], timeout, env))

    def drive(self, code: str, *words: str | Path, timeout: float = 100, **env: str) -> Done:
        """As ``World.drive``, as our user."""
        code = f"WORLD = {str(self.folder)!r}\n{code}\n"
        return self._run(code, [*words, "--settings", self.settings], timeout, env)

    def migrate(self, *files: Path, **env: str) -> Done:
        """``migrate --write``, as our user."""
        words: list[str | Path] = ["migrate", *files, "--bundle", self.bundle]
        words += ["--config", "app", "--write"]
        return orderly(self._run("", words, 100, env))

    def _run(
        self, code: str, words: Sequence[str | Path], timeout: float, env: Mapping[str, str]
    ) -> Done:
        if self.before:
            start = [*self.before, *self.user.prefix, sys.executable, "-m", "confmig"]
            return execute([*start, *words], timeout, **env)
        if self.user not in _servers:
            _servers[self.user] = Server(self.user)
        return _servers[self.user].run(code, words, env)

    def content(self) -> dict[str, bytes]:
        """The bytes of every plain file below the target, ours included."""
        return {
            str(p.relative_to(self.config)): p.read_bytes()
            for p in sorted(self.config.rglob("*"))
            if stat.S_ISREG(p.lstat().st_mode)
        }

    def clean(self) -> None:
        """Nothing of ours is left over, neither below the target nor in the state."""
        assert list(temporaries(self.config)) == []
        assert [p for p in self.state.rglob("*") if p.name.startswith("tmp-")] == []
        assert list(self.state.glob("state.db.new*")) == []

    def ends_well(self, *names: str) -> None:
        """The next run migrates these; the record is whole; one more run does nothing."""
        done = self.once()
        assert done.code == 0, done
        for name in names:
            assert self.version(name) == 2, name
        self.clean()
        if self.state.exists():
            unsettled = self.query(
                "SELECT id, phase FROM transactions WHERE phase NOT IN ('DONE', 'ABORTED')"
            )
            assert unsettled == []
        verified = self.run("history", "--verify")
        assert verified.code == 0, verified
        before = self.facts()
        assert self.once().code == 0
        assert self.facts() == before


class OddDaemon(Daemon):
    """A daemon of an odd world, as its user."""

    def __init__(self, world: Odd, *words: str, **env: str) -> None:
        self.world = world
        self.log = world.bundle.parent / f"daemon-{len(list(world.bundle.parent.iterdir()))}.log"
        start = [*world.user.prefix, sys.executable, "-m", "confmig", "run", *words]
        if "http:" not in world.settings.read_text():
            env.setdefault("CONFMIG__HTTP__PORT", "0")  # tests run side by side
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*start, "--settings", str(world.settings)],
                cwd="/",
                env=environment(PYTHONDONTWRITEBYTECODE="1", **env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )


def orderly(done: Done) -> Done:
    """Any end that the table of exit codes knows, without a bug's report."""
    assert done.code in DOCUMENTED, done
    assert "Traceback" not in done.err, done
    assert "a bug" not in done.err, done
    return done


def told(done: Done, code: str, place: str, exit_code: int) -> Done:
    """One clear named error: its code once, the place, what to do, and the exit code."""
    text = done.out + done.err
    assert done.code == exit_code, done
    assert f"[{code}]" in text, done
    lines = [line for line in text.splitlines() if f"[{code}]" in line]
    assert any(place in line for line in lines), f"{place} is not named: {done}"
    return done


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill a filesystem to the last byte; ``leave`` bytes are free again then."""
    file = folder / "filler"
    size = 0
    with open(file, "wb", buffering=0) as out:
        for chunk in (1 << 16, 4096, 512, 1):
            try:
                while True:
                    size += out.write(b"\0" * chunk)
            except OSError:
                continue
        if leave:
            out.truncate(max(0, size - leave))
        os.fsync(out.fileno())
    return file


def exchanges(folder: Path) -> bool:
    """Whether two files can be exchanged there."""
    names = [os.fsencode(folder / f"exchange-{n}") for n in "ab"]
    for name in names:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    failed = _libc.renameat2(-100, names[0], -100, names[1], 2)
    for name in names:
        os.unlink(name)
    return bool(failed == 0)


def metadata(file: Path) -> dict[str, Any]:
    """What a file has besides its content and its times."""
    found = file.lstat()
    return {
        "mode": oct(stat.S_IMODE(found.st_mode)),
        "owner": (found.st_uid, found.st_gid),
        **{name: os.getxattr(file, name) for name in sorted(os.listxattr(file))},
    }


if __name__ == "__main__":
    _serve()
