"""An end for requests whose answer never ends.

A timeout of requests counts anew with every byte that arrives, so a receiver that answers one byte
at a time would hold the relay, and a daemon that stops, for hours. After its time a request's
connection is shut down, and the read that waits for it fails.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Cutter:
    """Knows the open connections of one session, and ends them after a time."""

    def __init__(self) -> None:
        self._open: WeakSet[HTTPConnection] = WeakSet()

    def adapter(self) -> HTTPAdapter:
        """An adapter whose connections can be cut."""
        known = self._open

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                known.add(self)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                known.add(self)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        class Adapter(HTTPAdapter):
            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(*args, **kwargs)
                pools = {"http": PlainPool, "https": SecurePool}
                self.poolmanager.pool_classes_by_scheme = pools

        return Adapter()

    @contextmanager
    def within(self, seconds: float) -> Iterator[threading.Event]:
        """Cut every connection that is still open after ``seconds``; the event is set then."""
        late = threading.Event()
        timer = threading.Timer(seconds, self._cut, [late])
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

    def _cut(self, late: threading.Event) -> None:
        late.set()
        for connection in list(self._open):
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
