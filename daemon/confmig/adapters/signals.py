"""SIGTERM and SIGINT ask to stop, SIGHUP to look again; each only puts a message somewhere."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType


def install(stop: Callable[[], None], look: Callable[[], None]) -> None:
    """Install the handlers (main thread only)."""

    def on_stop(_: int, __: FrameType | None) -> None:
        stop()

    def on_look(_: int, __: FrameType | None) -> None:
        look()

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    signal.signal(signal.SIGHUP, on_look)
