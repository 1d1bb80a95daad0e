"""``confmig run``: the daemon, or one pass with ``--once``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from confmig.cli import output, report, session
from confmig.core.bundle.manifest import CLASSES
from confmig.core.policy.model import duration
from confmig.errors import Bug, ConfmigError, Unfinished, Usage, worst
from confmig.passes.exit_codes import of_error
from confmig.passes.reconcile import ONCE_WAIT, reconcile
from confmig.reports.events import event_text
from confmig.reports.messages import error_json
from confmig.reports.passes import pass_json, pass_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    session.settings_argument(parser)
    parser.add_argument("--once", action="store_true", help="make one pass and exit")
    parser.add_argument(
        "--class",
        dest="classes",
        type=_classes,
        metavar="CLASS,...",
        help=f"(--once) consider only these classes: {', '.join(CLASSES)}; what the others hold is "
        "listed and does not change the exit code",
    )
    parser.add_argument(
        "--console", action="store_true", help="print every event as it is recorded"
    )
    parser.add_argument(
        "--exit-on-block",
        action="store_true",
        help="(daemon) exit when a partial failure, a broken bundle or an unreadable state blocks, "
        "instead of staying unready",
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        nargs="?",
        const=60.0,
        default=0.0,
        metavar="TIME",
        help="(daemon) wait for another confmig that is ending, e.g. 30s (without TIME: 60s)",
    )


def _classes(text: str) -> frozenset[str]:
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in CLASSES:
            raise argparse.ArgumentTypeError(
                f"`{name}` is not a class; name one or more of {','.join(CLASSES)}"
            )
    return frozenset(names)


def _seconds(text: str) -> float:
    return duration(text).total_seconds()


def run(args: argparse.Namespace) -> int:
    """Run the daemon or one pass over every target."""
    if args.classes is not None and not args.once:
        raise Usage(
            "usage",
            "--class is for one pass",
            fix="add --once; a daemon considers every class in its windows",
        )
    settings = session.load_settings(args)
    if not args.once:
        from confmig.service.daemon import Daemon

        return Daemon(
            settings,
            session.worker(),
            console=args.console,
            exit_on_block=args.exit_on_block,
            target=args.target,
            wait=args.wait,
        ).run()
    targets = [settings.target(args.target)] if args.target else settings.targets
    codes: list[int] = []
    answers: list[dict[str, Any]] = []
    with session.workspace(settings) as space:
        conduct = space.conduct
        conduct.patience = ONCE_WAIT
        conduct.classes = args.classes or conduct.classes
        conduct.everything = args.json  # it lists every document
        seen = space.store.events.newest()
        for target in targets:
            try:
                result = reconcile(space, target)
            except Unfinished:
                raise
            except ConfmigError as error:  # this does not affect the other targets
                report(error, target.name if len(targets) > 1 else "")
                conflicts = space.store.transactions.conflicts(target.name)
                codes.append(of_error(error, conflicts=bool(conflicts)))
                answers.append({"target": target.name, "error": error_json(error)})
                continue
            except Exception as error:  # noqa: BLE001 - a bug with one target must not end the others
                bug = Bug.of(error)
                report(bug, target.name)
                codes.append(bug.exit_code)
                answers.append({"target": target.name, "error": error_json(bug)})
                continue
            codes.append(result.exit_code)
            if any(o.changed for o in result.outcomes):
                output.changed()
            answers.append(pass_json(result))
            if not args.json:
                print(pass_text(result, output.width()))
        if args.console or conduct.prints_events:
            while rows := space.store.events.following(seen):
                for row in rows:
                    print(event_text(row), file=sys.stderr)
                seen = rows[-1]["seq"]
    if args.json:
        print(json.dumps({"targets": answers, "exit_code": worst(codes)}, indent=2))
    return worst(codes)
