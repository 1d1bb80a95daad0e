"""The probes of the daemon: the server, and what it answers from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from confmig.adapters.http.probes import Measured, ProbeServer, Snapshot
from confmig.errors import Invalid, Problem
from confmig.settings import Http
from confmig_otel.metrics import Readings


class Probes:
    """Serves one published snapshot, if the settings want that."""

    def __init__(self, where: Http, readings: Readings, beat: Callable[[], None]) -> None:
        self._where = where
        self._server: ProbeServer | None = None
        self._beat = beat
        self._snapshot = Snapshot(beat=time.monotonic(), readings=readings)

    def start(self, recorder: Measured) -> None:
        """Serve from now on; does nothing the second time.

        Raises ``Invalid`` if the port is taken.
        """
        where = self._where
        if not where.enabled or self._server is not None:
            return
        try:
            server = ProbeServer(
                where.host, where.port, lambda: self._snapshot, time.monotonic, recorder.registry
            )
        except (OSError, OverflowError) as error:
            place = f"http: {where.host}:{where.port}"
            raise Invalid(
                "settings_invalid",
                "the probes cannot listen",
                [Problem("settings_invalid", place, str(error), "choose another port, or 0")],
            ) from None
        server.start()
        self._server = server

    def stop(self) -> None:
        """Serve no more; another process needs the port."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def address(self) -> str:
        """``; probes on http://...`` for the log; empty if nothing is served."""
        host = f"[{self._where.host}]" if ":" in self._where.host else self._where.host
        return f"; probes on http://{host}:{self._server.port}" if self._server else ""

    def publish(self, ready: tuple[str, ...], started: tuple[str, ...], seen: Readings) -> None:
        """Set what is answered from now on: the reasons against ready and against started."""
        self._snapshot = Snapshot(ready, started, time.monotonic(), seen)

    def beat(self) -> None:
        """The main thread is alive."""
        self._beat()
        self._snapshot = replace(self._snapshot, beat=time.monotonic())
