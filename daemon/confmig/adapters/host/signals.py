"""SIGTERM and SIGINT ask to stop, SIGHUP to look again; each only puts a message somewhere.

A process that starts as PID 1 of a container is not ended by a signal for which it has no handler,
so the first handler is installed before anything else is imported (``early``).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

_asked = False
TERMINATED = 128 + signal.SIGTERM


def early(*, daemon: bool) -> None:
    """Remember a request to stop until ``install`` is called (``daemon``).

    For other commands, let SIGTERM end them as PID 1, too, which is safe at any moment.
    """

    def on_stop(_: int, __: FrameType | None) -> None:
        global _asked
        _asked = True

    if daemon:
        signal.signal(signal.SIGTERM, on_stop)
    elif os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))


def install(stop: Callable[[], None], look: Callable[[], None]) -> None:
    """Install the handlers (main thread only). A request that came before is passed on."""

    def on_stop(_: int, __: FrameType | None) -> None:
        stop()

    def on_look(_: int, __: FrameType | None) -> None:
        look()

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    signal.signal(signal.SIGHUP, on_look)
    if _asked:
        stop()
