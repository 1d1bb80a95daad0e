"""``confmig history``: the transactions; ``--verify``: is the record whole?"""

from __future__ import annotations

import argparse
from itertools import islice
from typing import Any

from confmig.adapters.state import audit
from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.store import Store
from confmig.adapters.state.verification import verify
from confmig.cli import output, session
from confmig.errors import DONE, FAILED
from confmig.reports.text import table
from confmig.writer import counted


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check the chain of the recorded events, and every checkpoint and image that a "
        "rollback may need",
    )
    parser.add_argument(
        "--limit", type=int, default=50, metavar="N", help="the newest N (50); -1: all"
    )
    session.settings_argument(parser)


def run(args: argparse.Namespace) -> int:
    """List or verify. Exit 4 if something recorded was changed or is missing."""
    settings = session.load_settings(args)
    store = Store.read_only(settings.state_dir)
    if store is None:
        session.show(args, {"transactions": []}, "there is no state yet")
        return DONE
    limit = args.limit if args.limit >= 0 else None
    with store:
        if args.verify:
            return _verify(args, store, Checkpoints(settings.state_dir))
        rows = [
            {
                "id": row.id,
                "target": row.plan.target,
                "kind": row.kind,
                "class": row.plan.class_,
                "phase": row.phase.value,
                "migrations": row.plan.migration_ids,
                "files": store.transactions.paths(row.id),
                "actor": row.plan.details.actor,
                "started_at": row.started_at,
                "ended_at": row.ended_at,
                "reversed_by": row.reversed_by,
                "rollback_checkpoint_path": row.plan.checkpoint,
            }
            for row in islice(store.transactions.newest(args.target), limit)
        ]
    session.show(args, {"transactions": rows}, _text(rows))
    return DONE


def _text(rows: list[dict[str, Any]]) -> str:
    lines = [
        (
            row["id"],
            row["started_at"][:19] + "Z",
            row["kind"],
            row["phase"] + (" (rolled back)" if row["reversed_by"] else ""),
            len(row["files"]),
            f"{row['target']}: {_span(row['migrations'])}",
        )
        for row in rows
    ]
    head = ("TRANSACTION", "AT", "KIND", "ENDED", "FILES", "MIGRATIONS")
    return table(lines, head, output.width()) if lines else "no transaction yet"


def _span(ids: list[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} .. {ids[-1]} ({len(ids)})"


def _verify(args: argparse.Namespace, store: Store, checkpoints: Checkpoints) -> int:
    verdict = audit.verify(store.connection.db)
    problems: list[str] = []
    if verdict.broken_at is not None:
        problems.append(f"the record is not as it was written from event {verdict.broken_at} on")
    checked = verify(store, checkpoints)
    problems += checked.problems
    answer = {
        "ok": not problems,
        "events": verdict.events,
        "checkpoints": checked.checkpoints,
        "images": checked.images,
        "problems": problems,
    }
    text = (
        f"{verdict.events} events, {checked.checkpoints} checkpoints and {checked.images} images "
        "checked: "
    )
    session.show(
        args,
        answer,
        "\n".join(
            [
                text
                + (counted(len(problems), "problem") if problems else "all as they were written"),
                *problems,
            ]
        ),
    )
    return FAILED if problems else DONE
