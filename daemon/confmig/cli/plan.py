"""``confmig plan``: what is pending, and the decision on each, without changing anything."""

from __future__ import annotations

import argparse
import json
from typing import Any

from confmig.cli import output, report, session
from confmig.errors import INVALID, ConfmigError, worst
from confmig.passes.view import views
from confmig.reports.messages import error_json
from confmig.reports.plan import plan_json, plan_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the plan of every target. Exit 2 for a broken bundle or policy, else 0."""
    settings = session.load_settings(args)
    codes = [0]
    plans: list[dict[str, Any]] = []
    for target, seen in views(settings, session.worker(), args.target, session.clock()):
        if isinstance(seen, ConfmigError):
            report(seen)
            plans.append({"target": target.name, "pending": [], "error": error_json(seen)})
            codes.append(seen.exit_code)
            continue
        codes.append(INVALID if seen.policy.state == "invalid" else 0)
        plans.append(plan_json(seen))
        if not args.json:
            print(plan_text(seen, output.width()))
    if args.json:
        pending = [p["id"] for plan in plans for p in plan["pending"]]
        print(json.dumps({"pending": list(dict.fromkeys(pending)), "targets": plans}, indent=2))
    return worst(codes)
