"""``confmig restore-state FILE``: make the state directory from a backup."""

from __future__ import annotations

import argparse
from pathlib import Path

from confmig.adapters.state import folder as state_folder
from confmig.adapters.state.backup import restore
from confmig.adapters.state.lock import DirectoryLock
from confmig.cli import session


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a file of backup-state")
    session.settings_argument(parser, target=False)


def run(args: argparse.Namespace) -> int:
    """Restore; refused where there is a state already."""
    folder = session.load_settings(args).state_dir
    state_folder.prepare(folder, session.note)
    lock = DirectoryLock(str(folder), "state directory")
    try:
        count = restore(args.file, folder)
    finally:
        lock.close()
    session.show(
        args,
        {"state_dir": str(folder), "files": count},
        f"{count} files restored to {folder}; `confmig history --verify` checks them, and the "
        "next run looks at every document anew",
    )
    return 0
