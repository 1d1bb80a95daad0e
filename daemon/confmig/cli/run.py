"""``confmig run``: the daemon, or one pass with ``--once``."""

from __future__ import annotations

import argparse
import json
import sys

from confmig.cli import report, session
from confmig.errors import Invalid, LockHeld, worst
from confmig.reporting import pass_json, pass_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    session.settings_argument(parser)
    parser.add_argument("--once", action="store_true", help="make one pass and exit")
    parser.add_argument(
        "--console", action="store_true", help="print every event as it is recorded"
    )
    parser.add_argument(
        "--exit-on-block",
        action="store_true",
        help="(daemon) exit when a partial failure blocks, instead of staying unready",
    )


def run(args: argparse.Namespace) -> int:
    """Run the daemon or one pass over every target."""
    settings = session.load_settings(args)
    if not args.once:
        from confmig.agent import Agent

        return Agent(
            settings, console=args.console, exit_on_block=args.exit_on_block, target=args.target
        ).run()
    targets = [settings.target(args.target)] if args.target else settings.targets
    codes, answers = [], []
    with session.workspace(settings) as (space, telemetry):
        seen = space.store.outbox_head()
        for target in targets:
            try:
                result = space.reconcile(target)
            except (Invalid, LockHeld) as error:
                report(error, as_json=args.json)
                codes.append(error.exit_code)
                continue
            codes.append(result.exit_code)
            answers.append(pass_json(result))
            if not args.json:
                print(pass_text(result))
        if args.console:
            from confmig.reporting import event_text

            for row in space.store.history(after=seen):
                print(event_text(row), file=sys.stderr)
        if telemetry.otel is not None:
            from confmig.reporting import readings

            telemetry.otel.publish(readings(space.store, space.last_views.values()))
    if args.json and answers:
        print(json.dumps({"targets": answers, "exit_code": worst(codes)}, indent=2))
    return worst(codes)
