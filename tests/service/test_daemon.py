"""The loop of the daemon, without its threads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from confmig.errors import DONE
from confmig.passes.result import Pass
from confmig.service.daemon import Daemon
from confmig.service.inbox import Request
from confmig.settings import Settings, Target
from tests.core.builders import manifest, migration
from tests.simulators.bundle import MemoryBundle, MemoryWorker, document
from tests.simulators.workspace import Simulated

TWO = manifest(migration(1), migration(2))


def daemon(*names: str) -> Daemon:
    targets = tuple(
        Target(name=name, root=Path(f"/{name}"), bundle=Path("/b")) for name in names or ("app",)
    )
    worker = MemoryWorker(MemoryBundle(TWO))
    return Daemon(Settings(targets=targets, state_dir=Path("/state")), worker)


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


def test_a_stop_in_the_pass_of_one_target_ends_before_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped = daemon("one", "two")
    seen: list[str] = []

    def look(space: Any, target: Target) -> Pass:
        seen.append(target.name)
        stopped._stop()
        return Simulated(TWO).run()

    monkeypatch.setattr("confmig.service.daemon.reconcile", look)
    stopped._watcher = cast(Any, SimpleNamespace(retry=lambda: None))
    timer = cast(Any, SimpleNamespace(at=lambda moment: None))
    assert stopped._look(cast(Any, None), cast(Any, None), timer) is None
    assert seen == ["one"]


@pytest.mark.parametrize("documents", [1, 30])
def test_the_status_names_what_needs_a_person_also_after_the_start(
    monkeypatch: pytest.MonkeyPatch, documents: int
) -> None:
    world = Simulated(TWO)
    running = daemon()
    said: list[str] = []
    monkeypatch.setattr(running._notify, "status", said.append)
    telemetry = cast(Any, SimpleNamespace(otel=None))
    for version in (2, 9):
        for n in range(documents):
            world.disk.put(f"app/{n:02d}.yaml", document(version))
        running._passes["app"] = world.run()
        running._publish(world.space, telemetry)
    assert said[0] == "everything is in order"
    assert said[1].startswith("app: app/00.yaml: document_newer")
    assert len(said[1]) < 500
    assert said[1].endswith("and 20 more") == (documents == 30)
    assert running._probes._snapshot.not_started == ()  # once started, this does not take it back
