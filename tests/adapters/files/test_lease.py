"""What the kernel says about writers, with writers in processes of their own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from confmig.adapters.files.disk import Disk
from confmig.adapters.files.lease import ReadLease, Writers, writer_of
from tests.e2e.world import until

_PROGRAM = (
    "import mmap, os, sys\n"
    "fd = os.open(sys.argv[1], int(sys.argv[2]))\n"
    "if sys.argv[3] == 'mmap':\n"
    "    held = mmap.mmap(fd, 1)\n"
    "    os.close(fd)\n"
    "print(flush=True)\n"
    "sys.stdin.readline()\n"
)
_DROP_LEASE = 24, 28  # PR_CAPBSET_DROP, CAP_LEASE


@contextmanager
def opened(file: Path, flags: int, how: str = "fd") -> Iterator[subprocess.Popen[str]]:
    """Another process that has the file open (or mapped)."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _PROGRAM, str(file), str(flags), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate("\n")


def writers(file: Path) -> Writers:
    with Disk(str(file.parent)) as disk:
        return disk.writers(file.name)


@pytest.mark.parametrize(
    ("flags", "how", "answer"),
    [
        (os.O_RDONLY, "fd", Writers.NONE),
        (os.O_WRONLY, "fd", Writers.OPEN),
        (os.O_RDWR, "fd", Writers.OPEN),
        (os.O_WRONLY | os.O_APPEND, "fd", Writers.OPEN),
        (os.O_RDWR, "mmap", Writers.OPEN),
    ],
)
def test_who_can_write_is_seen(tmp_path: Path, flags: int, how: str, answer: Writers) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    assert writers(file) is Writers.NONE
    with opened(file, flags, how) as process:
        assert writers(file) is answer
        with Disk(str(tmp_path)) as disk:
            snapshot = disk.read("f")
        assert snapshot.writers is answer
        if answer is Writers.OPEN and how == "fd":
            assert snapshot.writer is not None
            assert f"(pid {process.pid})" in snapshot.writer
    assert writers(file) is Writers.NONE


def test_a_file_that_is_not_there_has_no_writers(tmp_path: Path) -> None:
    assert writers(tmp_path / "gone") is Writers.NONE


def test_a_writer_waits_for_the_lease_and_breaks_it(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    fd = os.open(file, os.O_RDONLY)
    lease = ReadLease(fd)
    assert lease.writers is Writers.NONE
    assert not lease.broken()
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _PROGRAM, str(file), str(os.O_WRONLY), "fd"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        until(lease.broken, what="the writer comes")
        assert process.poll() is None
        lease.release()
        assert process.stdout is not None
        process.stdout.readline()  # it goes on
        assert writer_of(fd) == f"python3 (pid {process.pid})" or writer_of(fd) is not None
        process.communicate("\n")
    os.close(fd)


def test_on_a_network_filesystem_a_refusal_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    with opened(file, os.O_WRONLY):
        fd = os.open(file, os.O_RDONLY)
        assert ReadLease(fd, network=True).writers is Writers.UNKNOWN
        os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user: root only")
def test_root_without_cap_lease_asks_as_the_owner_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    os.chown(file, 12345, 12345)
    libc = ctypes.CDLL(None)
    with opened(file, os.O_WRONLY):
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                libc.prctl(*_DROP_LEASE, 0, 0, 0)
                os.execv(sys.executable, [sys.executable, "-c", _ASK, str(file)])
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7


_ASK = (
    "import sys\n"
    "from pathlib import Path\n"
    "from confmig.adapters.files.disk import Disk\n"
    "from confmig.adapters.files.lease import Writers\n"
    "file = Path(sys.argv[1])\n"
    "caps = next(l for l in open('/proc/self/status') if l.startswith('CapEff'))\n"
    "assert not int(caps.split()[1], 16) & (1 << 28), caps\n"
    "with Disk(str(file.parent)) as disk:\n"
    "    sys.exit(7 if disk.writers(file.name) is Writers.OPEN else 1)\n"
)
