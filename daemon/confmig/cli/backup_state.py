"""``confmig backup-state FILE``: the state directory in one file."""

from __future__ import annotations

import argparse
from pathlib import Path

from confmig.adapters.state.backup import backup
from confmig.cli import session


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the tar file to write (new)")
    session.settings_argument(parser, target=False)


def run(args: argparse.Namespace) -> int:
    """Write the backup; a running daemon may go on."""
    folder = session.load_settings(args).state_dir
    count = backup(folder, args.file)
    session.show(
        args,
        {"file": str(args.file), "files": count},
        f"{count} files of {folder} are in {args.file}; it holds what your configurations hold: "
        "keep it as safe",
    )
    return 0
