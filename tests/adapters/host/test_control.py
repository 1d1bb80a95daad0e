"""The control socket: one line each way, private, and deaf to nonsense."""

from __future__ import annotations

import contextlib
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from confmig.adapters.host.control import ControlServer, ask


def echo(message: dict[str, Any], waits: Callable[[], bool]) -> dict[str, Any]:
    if message.get("boom"):
        raise ValueError("boom")
    return {"ok": True, "result": message}


@pytest.fixture(params=["short", "long"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    one = tmp_path / ("d" * (120 if request.param == "long" else 1))
    one.mkdir()
    return one


@pytest.fixture
def server(folder: Path) -> Iterator[ControlServer]:
    one = ControlServer(folder, echo)
    one.start()
    yield one
    one.close()


def test_the_uid_comes_from_the_kernel(server: ControlServer, folder: Path) -> None:
    import os

    reply = ask(folder, {"command": "x", "uid": 12345})
    assert reply == {"ok": True, "result": {"command": "x", "uid": os.geteuid()}}


def test_the_socket_is_private(server: ControlServer, folder: Path) -> None:
    mode = (folder / "control.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_nobody_there_is_none(folder: Path) -> None:
    assert ask(folder, {}) is None
    assert ask(folder / "nowhere", {}) is None
    left = ControlServer(folder, echo)
    left._socket.close()
    assert ask(folder, {}) is None  # a leftover of a crash
    again = ControlServer(folder, echo)
    again.start()
    assert ask(folder, {}) is not None
    again.close()
    assert not (folder / "control.sock").exists()


@pytest.mark.parametrize(
    "line", [b"\n", b"{", b"[]\n", b"7\n", b"\xff\n", b'{"boom": 1}\n', b"", b"[" * 200_000 + b"\n"]
)
def test_it_survives_nonsense(server: ControlServer, folder: Path, line: bytes) -> None:
    import os

    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        fd = os.open(folder, os.O_RDONLY)
        client.connect(f"/proc/self/fd/{fd}/control.sock")
        os.close(fd)
        client.sendall(line)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        fd = os.open(folder, os.O_RDONLY)
        client.connect(f"/proc/self/fd/{fd}/control.sock")
        os.close(fd)
        client.sendall(b"{}\n")
        assert client.recv(1000).startswith(b'{"ok": true')


def test_a_large_request_and_answer(server: ControlServer, folder: Path) -> None:
    text = "x" * 500_000
    reply = ask(folder, {"text": text})
    assert reply is not None
    assert reply["result"]["text"] == text
