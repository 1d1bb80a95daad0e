"""``confmig events``: what was recorded, delivered or not; ``--replay`` delivers it again."""

from __future__ import annotations

import argparse
import json
from datetime import datetime

from confmig.adapters.state.store import Store
from confmig.cli import session
from confmig.core.policy.model import duration
from confmig.errors import Refused, Usage
from confmig.reports.events import event_text
from confmig.writer import counted

_END = (1 << 63) - 1


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "--since",
        metavar="TIME",
        help="from this time: 2026-11-22T08:00:00Z, or 2h for 2 hours ago",
    )
    parser.add_argument("--until", metavar="TIME", help="up to this time, written alike")
    parser.add_argument(
        "--replay",
        action="store_true",
        help="deliver the events since --since again, with the same log.record.uid; those that the "
        "receiver refused for good, too",
    )
    parser.add_argument(
        "--limit", type=int, default=1000, metavar="N", help="the newest N (default 1000)"
    )
    session.settings_argument(parser, target=False)


def run(args: argparse.Namespace) -> int:
    """Print events, oldest first, or have them delivered again."""
    since = _time(args.since) if args.since else 0
    until = _time(args.until) if args.until else _END
    if args.replay:
        if not args.since:
            raise Usage("usage", "--replay needs --since TIME", fix="name a duration, e.g. 2h")
        args.target = None
        message = {"command": "replay", "since_ns": since, "until_ns": until}
        done = session.request(args, message)
        count = done["replayed"]
        session.show(args, done, f"{counted(count, 'event')} will be sent again")
        return 0
    settings = session.load_settings(args)
    store = Store.read_only(settings.state_dir)
    rows = []
    if store is not None:
        with store:
            rows = store.events.history(since_ns=since, until_ns=until, limit=args.limit)
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            waits = "" if row["delivered_at"] else " (refused)" if row["rejected"] else ""
            print(event_text(row) + waits)
    return 0


def _time(text: str) -> int:
    """A time in nanoseconds since 1970. Raises ``Refused``."""
    try:
        if text[:1].isdigit() and text[-1:] in ("d", "h", "m", "s"):
            moment = session.clock() - duration(text)
        else:
            moment = datetime.fromisoformat(text)
        return min(int(moment.timestamp() * 1_000_000) * 1000, _END)
    except (ValueError, OverflowError):
        raise Refused(
            "time_invalid", f"`{text}` is not a time", fix="write 2026-11-22T08:00:00Z, or 2h"
        ) from None
