"""``confmig rollback``: give documents back the bytes they had before a transaction."""

from __future__ import annotations

import argparse

from confmig.cli import session


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("transaction", nargs="?", metavar="TX", help="the transaction to undo")
    which.add_argument("--last", action="store_true", help="the newest one that is not undone yet")
    which.add_argument("--checkpoint", metavar="PATH", help="the one of a rollback_checkpoint_path")
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Roll back, and say what was restored."""
    done = session.request(
        args,
        {
            "command": "rollback",
            "transaction": args.transaction,
            "checkpoint": args.checkpoint,
        },
    )
    ids = ", ".join(done["migrations"])
    session.show(
        args,
        done,
        f"rolled back {done['reverses']} ({ids}): {len(done['files'])} file(s) restored\n"
        f"these migrations are held now; `confmig retry ID` lets one run again",
    )
    return 0
