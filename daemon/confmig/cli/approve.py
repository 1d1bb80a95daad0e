"""``confmig approve ID``: an operator's yes, bound to the migration's content and the policy."""

from __future__ import annotations

import argparse

from confmig.cli import session


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("id", metavar="ID", help="the migration, e.g. 0014_clients_runtime_sources")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it is recorded")
    parser.add_argument(
        "--ttl",
        metavar="TIME",
        help="how long the approval is valid, e.g. 4h (default: as the policy says)",
    )
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Record the approval."""
    done = session.request(
        args, {"command": "approve", "id": args.id, "reason": args.reason, "ttl": args.ttl}
    )
    session.show(
        args, done, f"approved {done['id']} in {done['target']} until {done['expires_at']}"
    )
    return 0
