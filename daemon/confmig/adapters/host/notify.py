"""What systemd learns over ``NOTIFY_SOCKET`` (sd_notify): ready, alive, busy, stopping.

Without the socket nothing happens. A commit over thousands of files may take longer than the time
limits for starting and stopping: each beat asks for more, so that no one kills us in the middle of
one (which would be safe, but for nothing).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

EXTENSION = 30.0
"""Seconds that a beat asks for."""
_EVERY = 5.0


class Notify:
    """The channel to the service manager.

    Errors are ignored: it does not matter if nothing listens.
    """

    def __init__(self, environ: Mapping[str, str], monotonic: Callable[[], float]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._monotonic = monotonic
        self._last: float | None = None
        self._ready = False
        said = environ.get("WATCHDOG_USEC", "")
        self.watchdog = int(said) / 1_000_000 if said.isdecimal() else 0.0
        """Seconds within which the manager wants a beat; 0: it does not."""
        self._every = min(_EVERY, self.watchdog / 3) if self.watchdog else _EVERY

    def ready(self) -> None:
        """The first pass is over; said once."""
        if not self._ready:
            self._send("READY=1")
        self._ready = True

    def stopping(self) -> None:
        """We end when the current transaction has ended."""
        self._send("STOPPING=1")

    def beat(self) -> None:
        """The main loop lives, and needs more time if it is starting or stopping."""
        now = self._monotonic()
        if self._last is None or now - self._last >= self._every:
            self._last = now
            self._send(f"WATCHDOG=1\nEXTEND_TIMEOUT_USEC={int(EXTENSION * 1_000_000)}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text.splitlines()[0] if text else ''}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(text.encode(), self._address)
        except OSError:
            return
