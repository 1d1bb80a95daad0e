"""``confmig retry ID``: let a migration run again that failed or was rolled back."""

from __future__ import annotations

import argparse

from confmig.cli import session


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("id", metavar="ID", help="the migration")
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Take the hold away."""
    done = session.request(args, {"command": "retry", "id": args.id})
    session.show(args, done, f"{done['id']} may run again in {done['target']}")
    return 0
