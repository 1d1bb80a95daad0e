"""What a service manager is told."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from confmig.adapters.host.notify import Notify


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.setblocking(False)
    return listener


def heard(manager: socket.socket) -> list[str]:
    out = []
    while True:
        try:
            out.append(manager.recv(4096).decode())
        except BlockingIOError:
            return out


def test_it_is_told_in_the_words_of_sd_notify(manager: socket.socket) -> None:
    with manager:
        notify = Notify({"NOTIFY_SOCKET": manager.getsockname()}, Clock())
        notify.ready()
        notify.status("app: outside_window\nmore")
        notify.stopping()
        assert heard(manager) == ["READY=1", "STATUS=app: outside_window", "STOPPING=1"]


def test_a_beat_asks_for_more_time_but_not_at_every_file(manager: socket.socket) -> None:
    with manager:
        clock = Clock()
        notify = Notify({"NOTIFY_SOCKET": manager.getsockname()}, clock)
        for _ in range(1000):
            notify.beat()
        assert heard(manager) == ["WATCHDOG=1\nEXTEND_TIMEOUT_USEC=30000000"]
        clock.now += 5
        notify.beat()
        assert len(heard(manager)) == 1


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/x"}])
def test_nobody_needs_to_listen(environ: dict[str, str]) -> None:
    notify = Notify(environ, Clock())
    notify.ready()
    notify.beat()


def test_a_socket_without_a_file_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0confmig-test-notify")
        Notify({"NOTIFY_SOCKET": "@confmig-test-notify"}, Clock()).ready()
        assert listener.recv(100) == b"READY=1"
