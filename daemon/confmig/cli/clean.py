"""``confmig clean``: remove the temporary files of transactions whose state was lost."""

from __future__ import annotations

import argparse

from confmig.cli import session
from confmig.writer import escaped


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be removed or moved to rescue/"
    )
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Clean every target (or one), and list what was done."""
    done = session.request(args, {"command": "clean", "dry_run": args.dry_run})
    would = "would be " if args.dry_run else ""
    lines = []
    for one in done["cleaned"]:
        action = f"{would}{one['action']}" if one["action"] != "busy" else "left alone"
        kept = f", now {one['kept']}" if one["kept"] else ""
        lines.append(f"{one['target']}: {escaped(one['path'])}: {action} ({one['why']}{kept})")
    session.show(args, done, "\n".join(lines) or "nothing is left over")
    return 0
