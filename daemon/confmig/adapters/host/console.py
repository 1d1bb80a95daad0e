"""Lines to standard error and standard output that never stop or end a daemon.

A stream may be closed, on a full disk, or a pipe that no one reads. Then lines are dropped and
counted; the next line that goes out is preceded by their number.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress

from confmig.writer import counted

_PIECE = 4096
"""A pipe that is ready takes this many bytes at once without blocking (PIPE_BUF)."""


class Console:
    """One stream, by its descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._dropped = 0

    def line(self, text: str) -> None:
        """Write a line, or drop it."""
        if self._dropped:
            missing = f"confmig: {counted(self._dropped, 'line')} before this could not be written"
            if not self._write(missing):
                self._dropped += 1
                return
            self._dropped = 0
        if not self._write(text):
            self._dropped += 1

    def _write(self, text: str) -> bool:
        data = (text + "\n").encode("utf-8", "backslashreplace")
        with suppress(OSError, ValueError):
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            while data:
                ready = poll.poll(0)
                if not ready or not ready[0][1] & select.POLLOUT:
                    return False
                data = data[os.write(self._fd, data[:_PIECE]) :]
            return True
        return False
