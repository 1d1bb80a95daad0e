"""``confmig resolve TX``: end a partial failure; without TX: accept a changed history."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from confmig.cli import session
from confmig.errors import Usage
from confmig.reports.text import edit_text
from confmig.writer import escaped

_CHOICES = {
    "restore": "undo it: every file is old; later edits of new files are placed in the old text",
    "resume": "finish it: every file is new; later edits stay or are migrated",
    "verify_and_clear": "end it if every file is the old one, or every file is the new one",
    "accept_changed": "the files are right as they are now; needs --reason",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "transaction",
        metavar="TX",
        nargs="?",
        help="the transaction that `confmig status` names; none with --accept-changed: accept the "
        "migrations of the bundle as they are now in place of those that were applied",
    )
    how = parser.add_mutually_exclusive_group()
    for mode, text in _CHOICES.items():
        how.add_argument(
            f"--{mode.replace('_', '-')}", dest="mode", action="store_const", const=mode, help=text
        )
    parser.add_argument(
        "--discard",
        action="store_true",
        help="go on where edits or values prevent it: edits that cannot be placed are kept in "
        "rescue/; with --accept-changed (or alone), values that are in no file are lost; needs "
        "--reason",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="show what each option would do to the files, and change nothing",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why; it is recorded")
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Resolve, and say how the transaction ended."""
    mode = args.mode or ("accept_changed" if args.discard and not args.dry_run else None)
    if mode is None and not args.dry_run:
        options = ", ".join(f"--{m.replace('_', '-')}" for m in _CHOICES)
        fix = f"add one of {options}; --dry-run shows what each does"
        raise Usage("usage", "an option is missing", fix=fix)
    if (mode == "accept_changed" or args.discard) and not args.reason and not args.dry_run:
        raise Usage("usage", f"--{(mode or 'discard').replace('_', '-')} needs --reason TEXT")
    if args.transaction is None and (mode != "accept_changed" or args.dry_run):
        raise Usage("usage", "the transaction is missing", fix="`confmig status` names it")
    done = session.request(
        args,
        {
            "command": "resolve",
            "transaction": args.transaction,
            "mode": mode,
            "reason": args.reason,
            "discard": args.discard,
            "dry_run": args.dry_run,
        },
    )
    if "choices" in done:
        files = [
            escaped(path) + f": {held}" + edit_text(done["edits"].get(path), UTC)
            for path, held in done["files"].items()
        ]
        choices = [_choice(done["transaction"], m, c) for m, c in done["choices"].items()]
        text = "\n".join([*files, "", *choices])
    elif "accepted" in done:
        text = f"accepted as they are now: {', '.join(done['accepted'])}"
    else:
        text = f"resolved {done['transaction']}: {_HOW[done['mode'], done['phase']]}"
    session.show(args, done, text)
    return 0


def _choice(transaction: str, mode: str, choice: Mapping[str, Any]) -> str:
    """One choice, for people."""
    reason = " --reason TEXT" if mode == "accept_changed" else ""
    lines = [f"confmig resolve {transaction} --{mode.replace('_', '-')}{reason}"]
    if choice["why_not"]:
        why, *fix = choice["why_not"].split("\n")
        lines += [f"  not possible: {why}", *(f"  {line}" for line in fix)]
    elif choice["lost"]:
        lines.append("  refused, because these values would be in no file:")
        lines += [f"    {escaped(place)}" for place in choice["lost"]]
    elif choice["diff"]:
        lines += [f"  {line}" for line in choice["diff"].rstrip("\n").split("\n")]
    elif choice["files"]:
        lines.append(f"  changes {escaped(', '.join(choice['files']))}")
    else:
        lines.append("  no file changes")
    return "\n".join(lines) + "\n"


_HOW = {
    ("verify_and_clear", "COMMITTED"): "all files are new: it is committed",
    ("verify_and_clear", "ABORTED"): "all files are old: it is undone",
    ("resume", "COMMITTED"): "all files are new now: it is committed",
    ("restore", "ABORTED"): "no file is new any more: it is undone",
    ("accept_changed", "ABORTED"): "the files stay as they are; each says its own version",
}
