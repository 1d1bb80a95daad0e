"""``confmig resolve TX``: end a partial failure."""

from __future__ import annotations

import argparse

from confmig.cli import session


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "transaction", metavar="TX", help="the transaction that `confmig status` names"
    )
    parser.add_argument(
        "--verify-and-clear",
        action="store_true",
        required=True,
        help="end it if every file is the old one, or every file is the new one",
    )
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Resolve, and say how the transaction ended."""
    done = session.request(args, {"command": "resolve", "transaction": args.transaction})
    how = (
        "all files are new: it is committed"
        if done["phase"] == "COMMITTED"
        else "all files are old: it is undone"
    )
    session.show(args, done, f"resolved {done['transaction']}: {how}")
    return 0
