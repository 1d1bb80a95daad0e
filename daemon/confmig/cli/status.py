"""``confmig status``: documents, applied migrations, what waits and what blocks."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from confmig.adapters.state.folder import open_ancestors
from confmig.adapters.state.store import Store
from confmig.adapters.telemetry.providers import plan
from confmig.cli import output, report, session
from confmig.errors import PARTIAL_FAILURE, ConfmigError, worst
from confmig.passes.view import views
from confmig.reports.messages import error_json
from confmig.reports.status import status_json, status_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the state of every target; exit 5 if a partial failure blocks one.

    As JSON: ``targets`` holds all of them; with a single one its fields are at the top too.
    """
    settings = session.load_settings(args)
    said = settings.telemetry
    delivery = plan(said.exporter, said.endpoint, os.environ).delivers_events
    codes = [0]
    answers: list[dict[str, Any]] = []
    store = Store.read_only(settings.state_dir)
    try:
        for target, seen in views(settings, session.worker(), args.target, session.clock()):
            if isinstance(seen, ConfmigError):
                report(seen)
                answers.append({"target": target.name, "error": error_json(seen)})
                codes.append(seen.exit_code)
                continue
            answers.append(status_json(seen, store, delivery=delivery))
            codes.append(PARTIAL_FAILURE if seen.conflicts else 0)
            if not args.json:
                print(status_text(answers[-1], output.width()))
    finally:
        if store is not None:
            store.close()
    above = [str(path) for path in open_ancestors(settings.state_dir)]
    if args.json:
        top = answers[0] if len(answers) == 1 else {}
        state = {"path": str(settings.state_dir), "others_may_write_in": above}
        print(json.dumps({**top, "targets": answers, "state_dir": state}, indent=2))
    elif above:
        print(f"\nothers may write in {', '.join(above)}, above the state directory")
    return worst(codes)
