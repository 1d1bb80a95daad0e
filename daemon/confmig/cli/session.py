"""What commands share: settings, the workspace, requests to a daemon, tables."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confmig.errors import ConfmigError

if TYPE_CHECKING:
    from confmig.adapters.telemetry import Telemetry
    from confmig.reconcile import Workspace
    from confmig.settings import Settings


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
        parser.add_argument("--target", metavar="NAME", help="which target, if there are several")


def load_settings(args: argparse.Namespace) -> Settings:
    """The settings a command was given."""
    from confmig.settings import load

    return load(args.settings, os.environ)


def telemetry_of(settings: Settings) -> Telemetry:
    """The telemetry that settings and environment ask for."""
    from confmig.adapters.telemetry import Telemetry, instance_id, plan

    said = settings.telemetry
    where = plan(said.exporter, said.endpoint, os.environ)
    return Telemetry(
        where,
        said.service_name,
        instance_id(settings.state_dir, os.environ),
        os.environ.get("TRACEPARENT"),
    )


def actor() -> str:
    """Who runs the command, as it is recorded."""
    return f"uid:{os.getuid()}"


@contextmanager
def workspace(settings: Settings) -> Iterator[Workspace]:
    """The open state for a command that changes something; drains the outbox at the end."""
    from confmig.reconcile import Workspace
    from confmig.reporting import readings

    telemetry = telemetry_of(settings)
    try:
        with Workspace(settings, clock, telemetry.recorder, actor()) as space:
            space.delivery = telemetry.plan.delivers_events
            try:
                yield space
            finally:
                left = telemetry.drain(space.store, settings.telemetry.drain_seconds, clock)
                if telemetry.otel is not None:
                    views = space.last_views.values()
                    telemetry.otel.publish(readings(space.store, views, delivery=space.delivery))
                if left and space.delivery:
                    print(
                        f"confmig: {left} event(s) wait for the OTLP receiver; they are kept and "
                        "delivered by the next run",
                        file=sys.stderr,
                    )
    finally:
        telemetry.close()


def request(args: argparse.Namespace, message: dict[str, Any]) -> dict[str, Any]:
    """Have a request executed: by the running daemon if there is one, else here.

    Raises the ``ConfmigError`` that the execution raised.
    """
    from confmig.adapters import control
    from confmig.commands import execute

    settings = load_settings(args)
    message = {**message, "target": args.target, "uid": os.getuid()}
    reply = control.ask(settings.state_dir, message)
    if reply is None:
        with workspace(settings) as space:
            return execute(space, message)
    if reply["ok"]:
        return dict(reply["result"])
    error = reply["error"]
    raised = ConfmigError(
        error["code"], error["message"], place=error.get("place", ""), fix=error.get("fix", "")
    )
    raised.exit_code = reply["exit_code"]
    raised.problems = ()  # type: ignore[attr-defined]
    raise raised


def show(args: argparse.Namespace, data: Any, text: str) -> None:
    """The answer: JSON if asked for, else the text for people."""
    print(json.dumps(data, indent=2) if args.json else text)
