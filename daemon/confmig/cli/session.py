"""What commands share: settings, the workspace, requests to a daemon, tables."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confmig.cli import output
from confmig.writer import counted

if TYPE_CHECKING:
    from confmig.adapters.telemetry.providers import Telemetry
    from confmig.adapters.workers.protocol import Worker
    from confmig.passes.workspace import Workspace
    from confmig.settings import Settings


COMMAND_DRAIN = 1.0
"""Seconds that a command spends on the delivery of events at its end."""


def clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def settings_argument(parser: argparse.ArgumentParser, *, target: bool = True) -> None:
    """``--settings``, ``--json`` and, where it makes sense, ``--target``."""
    parser.add_argument(
        "--settings",
        type=Path,
        default=Path("confmig.yaml"),
        metavar="FILE",
        help="the settings file (default: confmig.yaml)",
    )
    parser.add_argument("--json", action="store_true", help="the answer as JSON on stdout")
    if target:
        parser.add_argument(
            "--target", metavar="NAME", help="the target, if the settings have several"
        )


def worker(remember: int = 0) -> Worker:
    """What parses and transforms foreign bytes; ``remember``: see ``LocalWorker``."""
    from confmig.worker.local import LocalWorker

    return LocalWorker(remember)


def load_settings(args: argparse.Namespace) -> Settings:
    """The settings a command was given."""
    from confmig.settings import load

    return load(args.settings, os.environ, worker())


def telemetry_of(settings: Settings) -> Telemetry:
    """The telemetry that settings and environment ask for."""
    from confmig.adapters.telemetry.providers import Telemetry, instance_id, plan

    said = settings.telemetry
    where = plan(said.exporter, said.endpoint, os.environ, said.accept)
    return Telemetry(
        where,
        said.service_name,
        instance_id(settings.state_dir, os.environ),
        os.environ.get("TRACEPARENT"),
    )


def actor() -> str:
    """Who runs the command, as it is recorded."""
    return f"uid:{os.getuid()}"


def note(line: str) -> None:
    """A line about the work, for a person, on stderr."""
    print(f"confmig: {line}", file=sys.stderr)


@contextmanager
def workspace(settings: Settings) -> Iterator[Workspace]:
    """The open state for a command that changes something; drains the outbox at the end."""
    from confmig.adapters.state.opened import State
    from confmig.passes.workspace import Workspace
    from confmig.reports.readings import readings

    telemetry = telemetry_of(settings)
    ending = time.monotonic()
    try:
        state = State.open(settings.state_dir, note)
        with Workspace(
            settings, worker(), state, clock, telemetry.recorder, actor(), note
        ) as space:
            space.conduct.delivery = telemetry.plan.delivers_events
            space.conduct.prints_events = telemetry.plan.prints_events
            try:
                yield space
            finally:
                ending = time.monotonic()
                seconds = min(COMMAND_DRAIN, settings.telemetry.drain_seconds)
                left = telemetry.drain(space.store, seconds, clock)
                if telemetry.otel is not None:
                    names = [t.name for t in settings.targets]
                    telemetry.otel.publish(
                        readings(
                            space.store,
                            names,
                            space.views(),
                            space.policies(),
                            space.troubles(),
                            delivery=space.conduct.delivery,
                        )
                    )
                if left.count:
                    print(
                        f"confmig: not delivered to the OTLP receiver yet: "
                        f"{counted(left.count, 'event')}; the next run tries again"
                        f"{'; ' if left.advice else ''}{left.advice}",
                        file=sys.stderr,
                    )
    finally:
        telemetry.close(max(0.1, COMMAND_DRAIN - (time.monotonic() - ending)))


def request(args: argparse.Namespace, message: dict[str, Any]) -> dict[str, Any]:
    """Have a request executed: by the running daemon if there is one, else here.

    Raises the ``ConfmigError`` that the execution raised.
    """
    from confmig.adapters.host import control
    from confmig.reports.messages import error_of
    from confmig.service.requests.dispatch import execute

    settings = load_settings(args)
    message = {**message, "target": args.target, "uid": os.getuid()}
    reply = control.ask(settings.state_dir, message, _waits)
    if reply is None:
        with workspace(settings) as space:
            done = execute(space, message)
    elif reply["ok"]:
        done = dict(reply["result"])
    else:
        raise error_of(reply["error"], reply["exit_code"])
    if not message.get("dry_run"):
        output.changed()
    return done


def _waits() -> None:
    print(
        "confmig: the daemon is busy; waiting for its answer (Ctrl-C: the request is not executed "
        "unless the daemon has begun with it)",
        file=sys.stderr,
    )


def show(args: argparse.Namespace, data: Any, text: str) -> None:
    """The answer: JSON if asked for, else the text for people."""
    print(json.dumps(data, indent=2) if args.json else text)
