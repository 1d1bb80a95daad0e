"""``confmig dry-run``: what every pending migration would do, without touching a file.

The same inputs give the same bytes, the time stamp aside.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from confmig.adapters.state.connection import stamp
from confmig.adapters.state.store import Store
from confmig.cli import report, session
from confmig.documents.model.document import Caps
from confmig.errors import DEFERRED, REFUSED, ConfmigError, Refused, Usage, worst
from confmig.passes.view import views
from confmig.reports.dry_run import markdown, report_of
from confmig.reports.samples import sample_views


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    session.settings_argument(parser)
    parser.set_defaults(settings=None)
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="a bundle instead of settings: its sample files, without state and policy",
    )
    parser.add_argument(
        "--format", choices=("json", "markdown"), default="markdown", help="of the report"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the report there (default: stdout)"
    )
    parser.add_argument(
        "--exit-code", action="store_true", help="exit 3 if something is pending, 1 on errors"
    )
    parser.add_argument(
        "--no-timestamp", action="store_true", help="leave the time out: the same bytes each time"
    )


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    now = session.clock()
    if args.bundle is not None and (args.settings is not None or args.target is not None):
        raise Usage(
            "usage",
            "--bundle works without settings, so --settings and --target have no meaning with it",
            fix="name either the bundle or the settings",
        )
    args.settings = args.settings or Path("confmig.yaml")
    codes, reports = _samples(args.bundle, now) if args.bundle else _targets(args, now)
    answer: dict[str, Any] = {"report": "confmig dry-run", "version": 1}
    if not args.no_timestamp:
        answer["generated_at"] = stamp(now)
    answer["targets"] = reports
    answer["totals"] = {
        name: sum(r["totals"][name] for r in reports)
        for name in ("plan_size", "pending", "already_applied", "would_change_files", "errors")
    }
    as_json = args.json or args.format == "json"
    text = json.dumps(answer, indent=2) + "\n" if as_json else markdown(answer)
    if args.output is not None:
        _write(args.output, text)
    else:
        sys.stdout.write(text)
    if args.exit_code:
        totals = answer["totals"]
        codes.append(REFUSED if totals["errors"] else DEFERRED if totals["pending"] else 0)
    return worst(codes)


def _samples(folder: Path, now: datetime) -> tuple[list[int], list[dict[str, Any]]]:
    """The reports of a bundle's samples."""
    size = Caps().size
    return [0], [
        report_of(seen, size, b"")
        for seen in sample_views(session.worker().load(folder, shared=True), size, now)
    ]


def _targets(args: argparse.Namespace, now: datetime) -> tuple[list[int], list[dict[str, Any]]]:
    """The reports of the targets of the settings, and the exit codes that they ask for."""
    settings = session.load_settings(args)
    codes, reports = [0], []
    store = Store.read_only(settings.state_dir)
    try:
        key = store.install_key if store is not None else b""
    finally:
        if store is not None:
            store.close()
    for _, seen in views(settings, session.worker(), args.target, now):
        if isinstance(seen, ConfmigError):
            report(seen)
            codes.append(seen.exit_code)
            continue
        if seen.policy.state == "invalid":
            codes.append(2)
        reports.append(report_of(seen, settings.limits.size, key))
    return codes, reports


def _write(file: Path, text: str) -> None:
    """A report of configuration is for its operator only: mode 0600."""
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                os.fchmod(fd, 0o600)
            out.write(text)
    except OSError as error:
        raise Refused("io_error", f"cannot be written: {error.strerror}", place=str(file)) from None
