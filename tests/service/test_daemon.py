"""The loop of the daemon, without its threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from confmig.errors import DONE
from confmig.service.daemon import Daemon
from confmig.service.inbox import Request
from confmig.settings import Settings, Target
from tests.core.builders import manifest, migration
from tests.simulators.bundle import MemoryBundle, MemoryWorker


def daemon() -> Daemon:
    target = Target(name="app", root=Path("/app"), bundle=Path("/b"))
    worker = MemoryWorker(MemoryBundle(manifest(migration(1)), frozenset()))
    return Daemon(Settings(targets=(target,), state_dir=Path("/state")), worker)


def test_a_request_that_is_taken_while_the_daemon_stops_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Request({"command": "approve"}, lambda: True)
    stopped = daemon()

    def stop_during_the_pass(*_: Any) -> None:
        stopped._inbox.put(asked)  # before the stop, so that the loop takes it first
        stopped._stop()

    monkeypatch.setattr(stopped, "_look", stop_during_the_pass)
    monkeypatch.setattr(stopped, "_publish", lambda *_: None)
    assert stopped._loop(*cast(Any, (None, None, None))) == DONE
    stopped._record_reports(cast(Any, None))
    assert asked.reply.get(timeout=0)["error"]["code"] == "daemon_gone"
