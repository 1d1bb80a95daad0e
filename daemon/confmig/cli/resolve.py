"""``confmig resolve TX``: end a partial failure; without TX: accept changed migrations."""

from __future__ import annotations

import argparse

from confmig.cli import session
from confmig.errors import Usage


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "transaction",
        metavar="TX",
        nargs="?",
        help="the transaction that `confmig status` names; none with --accept-changed: accept the "
        "content that applied migrations of the bundle have now",
    )
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--verify-and-clear",
        dest="mode",
        action="store_const",
        const="verify_and_clear",
        help="end it if every file is the old one, or every file is the new one",
    )
    how.add_argument(
        "--resume",
        dest="mode",
        action="store_const",
        const="resume",
        help="finish it: give the files that are old their new image",
    )
    how.add_argument(
        "--restore",
        dest="mode",
        action="store_const",
        const="restore",
        help="undo it: give the files that are new their old image back",
    )
    how.add_argument(
        "--accept-changed",
        dest="mode",
        action="store_const",
        const="accept_changed",
        help="the files are right as they are now; needs --reason",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why; it is recorded")
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Resolve, and say how the transaction ended."""
    if args.mode == "accept_changed" and not args.reason:
        raise Usage("usage", "--accept-changed needs --reason TEXT")
    if args.transaction is None and args.mode != "accept_changed":
        raise Usage("usage", "the transaction is missing", fix="`confmig status` names it")
    done = session.request(
        args,
        {
            "command": "resolve",
            "transaction": args.transaction,
            "mode": args.mode,
            "reason": args.reason,
        },
    )
    if "accepted" in done:
        text = f"accepted as they are now: {', '.join(done['accepted'])}"
    else:
        text = f"resolved {done['transaction']}: {_HOW[done['mode'], done['phase']]}"
    session.show(args, done, text)
    return 0


_HOW = {
    ("verify_and_clear", "COMMITTED"): "all files are new: it is committed",
    ("verify_and_clear", "ABORTED"): "all files are old: it is undone",
    ("resume", "COMMITTED"): "all files are new now: it is committed",
    ("restore", "ABORTED"): "no file is new any more: it is undone",
    ("accept_changed", "ABORTED"): "the files stay as they are; each says its own version",
}
