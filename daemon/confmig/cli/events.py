"""``confmig events``: what was recorded, delivered or not."""

from __future__ import annotations

import argparse
import json
from datetime import datetime

from confmig.adapters.store import Store
from confmig.cli import session
from confmig.errors import Refused
from confmig.reporting import event_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("--since", metavar="TIME", help="RFC 3339, e.g. 2026-11-22T08:00:00Z")
    parser.add_argument(
        "--limit", type=int, default=1000, metavar="N", help="the newest N (default 1000)"
    )
    session.settings_argument(parser, target=False)


def run(args: argparse.Namespace) -> int:
    """Print events, oldest first."""
    settings = session.load_settings(args)
    since = 0
    if args.since:
        try:
            since = int(datetime.fromisoformat(args.since).timestamp()) * 1_000_000_000
            since = min(since, (1 << 63) - 1)
        except (ValueError, OverflowError):
            raise Refused("time_invalid", f"{args.since!r} is no RFC 3339 time") from None
    store = Store.read_only(settings.state_dir)
    rows = store.history(since_ns=since, limit=args.limit) if store is not None else []
    if store is not None:
        store.close()
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            waits = "" if row["delivered_at"] else " (refused)" if row["rejected"] else ""
            print(event_text(row) + waits)
    return 0
