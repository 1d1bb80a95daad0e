"""The control socket: changing commands reach a running daemon, and only its own user or root.

A unix socket ``control.sock`` (0600) in the state directory (0700), one JSON line each way. The
peer's uid is taken from the kernel (SO_PEERCRED), never from the message. Addresses of more than
107 bytes are bound and reached through ``/proc/self/fd``.

Every connection has a thread of its own, so that a client that sends nothing blocks no one. A
request whose client hangs up before its turn is not executed.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confmig.errors import Fault, LockHeld

_NAME = "control.sock"
_LONGEST = 1 << 20
_PATIENCE = 600.0
_FIRST_WORD = 5.0
"""Seconds in which a client must have sent its request."""
_MOST = 16
"""Connections at once."""

Handle = Callable[[dict[str, Any], Callable[[], bool]], dict[str, Any]]
"""Answers a request; the second argument tells whether its client still waits."""


def ask(
    state_dir: Path, message: dict[str, Any], waits: Callable[[], None] = lambda: None
) -> dict[str, Any] | None:
    """Send a request to the daemon of a state directory; None if none is running.

    ``waits`` is called once if the answer takes longer than a second.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(_PATIENCE)
    try:
        folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        client.close()
        return None
    try:
        client.connect(f"/proc/self/fd/{folder}/{_NAME}")
    except OSError:
        client.close()
        return None
    finally:
        os.close(folder)
    with client:
        try:
            client.sendall(json.dumps(message).encode() + b"\n")
            if not select.select([client], [], [], 1.0)[0]:
                waits()
            answer = _line(client)
        except OSError:
            answer = b""
    if not answer:
        raise Fault(
            "daemon_gone",
            "the daemon ended before it answered; it may have done what was asked",
            fix="look with `confmig status`, then ask again if need be",
        )
    return dict(json.loads(answer))


def _line(connection: socket.socket, seconds: float | None = None) -> bytes:
    """One line, or the part of it that arrived before the peer closed or the time was up."""
    deadline = None if seconds is None else time.monotonic() + seconds
    data = b""
    while not data.endswith(b"\n") and len(data) < _LONGEST:
        if deadline is not None:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
        chunk = connection.recv(65536)
        if not chunk:
            break
        data += chunk
    return data


class ControlServer:
    """Listens in a thread; each request goes to ``handle`` (which asks the main thread)."""

    def __init__(self, state_dir: Path, handle: Handle) -> None:
        self._handle = handle
        self._closed = False
        self._places = threading.BoundedSemaphore(_MOST)
        self._folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        (state_dir / _NAME).unlink(missing_ok=True)  # a leftover: the state's lock is ours
        self._path = state_dir / _NAME
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._socket.bind(f"/proc/self/fd/{self._folder}/{_NAME}")
        finally:
            os.umask(before)
        self._socket.listen(8)
        self._thread = threading.Thread(target=self._serve, name="confmig-control", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._closed = True
        self._path.unlink(missing_ok=True)
        self._socket.close()
        os.close(self._folder)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                if self._closed:
                    return
                time.sleep(0.1)  # out of file descriptors, say: others will be closed
                continue
            if not self._places.acquire(timeout=_FIRST_WORD):
                self._refuse(connection)
                continue
            try:
                threading.Thread(
                    target=self._client, args=(connection,), name="confmig-client", daemon=True
                ).start()
            except RuntimeError:  # no thread to be had
                self._places.release()
                self._refuse(connection)

    def _refuse(self, connection: socket.socket) -> None:
        full = LockHeld("daemon_busy", f"{_MOST} commands wait already", fix="ask again later")
        error = {"code": full.code, "message": full.message, "place": "", "fix": full.fix}
        with connection:
            _send(connection, {"ok": False, "exit_code": full.exit_code, "error": error})

    def _client(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._one(connection)
            except (OSError, ValueError, RecursionError):
                pass  # a client that hangs up or talks nonsense is its own problem
            finally:
                self._places.release()

    def _one(self, connection: socket.socket) -> None:
        creds = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", creds)
        if uid not in (0, os.geteuid()):
            return
        message = json.loads(_line(connection, _FIRST_WORD))
        if not isinstance(message, dict):
            return
        _send(connection, self._handle({**message, "uid": uid}, lambda: _is_there(connection)))


def _send(connection: socket.socket, answer: dict[str, Any]) -> None:
    connection.settimeout(_FIRST_WORD)
    connection.sendall(json.dumps(answer).encode() + b"\n")


def _is_there(connection: socket.socket) -> bool:
    """Whether the client can still read an answer; it may have closed its half for writing."""
    poll = select.poll()
    poll.register(connection, 0)  # a hang-up and an error are always reported
    return not poll.poll(0)
