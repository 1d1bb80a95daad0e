"""``confmig status``: documents, applied migrations, what waits and what blocks."""

from __future__ import annotations

import argparse
import json
import os

from confmig.adapters.store import Store
from confmig.adapters.telemetry import plan
from confmig.cli import report, session
from confmig.errors import ConfmigError, worst
from confmig.reporting import status_json, status_text
from confmig.view import views


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the state of every target; exit 5 if a partial failure blocks one."""
    settings = session.load_settings(args)
    codes, answers = [0], []
    said = settings.telemetry
    delivery = plan(said.exporter, said.endpoint, os.environ).delivers_events
    store = Store.read_only(settings.state_dir)
    try:
        for seen in views(settings, args.target, session.clock()):
            if isinstance(seen, ConfmigError):
                report(seen, as_json=args.json)
                codes.append(seen.exit_code)
                continue
            answers.append(status_json(seen, store, delivery=delivery))
            codes.append(5 if seen.conflicts else 0)
            if not args.json:
                print(status_text(answers[-1]))
    finally:
        if store is not None:
            store.close()
    if args.json and answers:
        print(json.dumps(answers[0] if len(answers) == 1 else {"targets": answers}, indent=2))
    return worst(codes)
