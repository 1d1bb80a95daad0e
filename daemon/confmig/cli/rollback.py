"""``confmig rollback``: give documents back what they had before a transaction."""

from __future__ import annotations

import argparse
import sys

from confmig.adapters.state.store import Store
from confmig.cli import session
from confmig.errors import Refused
from confmig.transactions.rollback.selection import choose
from confmig.writer import counted, escaped


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("transaction", nargs="?", metavar="TX", help="the transaction to undo")
    which.add_argument("--last", action="store_true", help="the newest one that is not undone yet")
    which.add_argument("--checkpoint", metavar="PATH", help="the checkpoint that an event names")
    which.add_argument(
        "--to", metavar="ID", help="undo all that is applied after this migration; none: everything"
    )
    parser.add_argument(
        "--discard-later-edits",
        action="store_true",
        help="restore the old bytes although files were edited since; today's are kept in rescue/",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be restored, and change nothing"
    )
    session.settings_argument(parser)


def newest(args: argparse.Namespace) -> str | None:
    """The transaction that ``--last`` means now, so that a later one is never meant by mistake.

    None while an interrupted transaction must be settled first: only then is the newest one
    known.
    """
    settings = session.load_settings(args)
    store = Store.read_only(settings.state_dir)
    if store is None:
        raise Refused("nothing_to_roll_back", "there is no state yet", place=str(args.settings))
    with store:
        name = settings.target(args.target).name
        if store.transactions.unfinished(name):
            return None
        row = choose(store, name)
    ids = ", ".join(row.plan.migration_ids)
    print(f"confmig: the newest transaction is {row.id} ({ids})", file=sys.stderr)
    return row.id


def run(args: argparse.Namespace) -> int:
    """Roll back, and say what was restored."""
    if args.last:
        args.transaction = newest(args)
    done = session.request(
        args,
        {
            "command": "rollback",
            "transaction": args.transaction,
            "checkpoint": args.checkpoint,
            "to": args.to,
            "discard": args.discard_later_edits,
            "dry_run": args.dry_run,
        },
    )
    ids = ", ".join(done["migrations"])
    said = [f"  {escaped(path)}: {_HOW[how]}" for path, how in done["how"].items()]
    if args.dry_run:
        head = f"would roll back {done['reverses']} ({ids}): {counted(len(done['files']), 'file')}"
        session.show(args, done, "\n".join([head, *said, done["diff"]]).rstrip())
        return 0
    head = f"rolled back {done['reverses']} ({ids}): {counted(len(done['files']), 'file')} restored"
    end = "these migrations are held now; `confmig retry ID` lets one run again"
    session.show(args, done, "\n".join([head, *said, end]))
    return 0


_HOW = {
    "restored": "the old bytes",
    "merged": "the old bytes with the later edits in them",
    "discarded": "the old bytes; today's file is kept in rescue/",
}
