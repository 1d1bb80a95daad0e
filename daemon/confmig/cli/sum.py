"""``confmig sum``: write manifest.sum, the running checksum over a bundle's migrations."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from confmig.adapters.bundles.reading import read_files
from confmig.adapters.files.plain_file import write_plain
from confmig.core.bundle import validation
from confmig.core.bundle.checksums import ordered_ids, retired_sum, sums, sums_text
from confmig.core.bundle.manifest import Files
from confmig.errors import Invalid, Problem


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "--bundle", type=Path, default=Path(), metavar="DIR", help="the bundle (default: here)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if it would change"
    )
    parser.add_argument("--json", action="store_true", help="the answer as JSON")


def run(args: argparse.Namespace) -> int:
    """Write the file if it changes."""
    files = read_files(args.bundle)
    if problems := _unlistable(args.bundle, files):
        raise Invalid("manifest_unreadable", "the migrations cannot be listed", problems)
    text = sums_text(sums(files, ordered_ids(files.manifest), retired_sum(files.manifest)))
    changed = files.sums != text
    if changed and not args.check:
        write_plain(args.bundle / "manifest.sum", text)
    count = text.count(b"\n")
    if args.json:
        print(json.dumps({"changed": changed, "migrations": count}))
    elif changed:
        print(f"manifest.sum {'is out of date' if args.check else 'written'}: {count} migrations")
    else:
        print(f"manifest.sum is up to date: {count} migrations")
    return 1 if changed and args.check else 0


def _unlistable(folder: Path, files: Files) -> list[Problem]:
    if files.manifest is None:
        fix = "name the bundle with --bundle"
        place = str(folder / "manifest.json")
        return [Problem("manifest_unreadable", place, "the file does not exist", fix)]
    return validation.unlistable(files)
