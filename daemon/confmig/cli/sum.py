"""``confmig sum``: write manifest.sum, the running checksum over a bundle's migrations."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from confmig.adapters.bundle import read_files
from confmig.core.manifest import ordered_ids, retired_sum, sums, sums_text
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
    if files.manifest is None:
        raise Invalid(
            "manifest_unreadable",
            "there is no bundle here",
            [
                Problem(
                    "manifest_unreadable",
                    str(args.bundle / "manifest.json"),
                    "the file is not there",
                    "name the bundle with --bundle",
                )
            ],
        )
    text = sums_text(sums(files, ordered_ids(files.manifest), retired_sum(files.manifest)))
    changed = files.sums != text
    if changed and not args.check:
        (args.bundle / "manifest.sum").write_bytes(text)
    count = text.count(b"\n")
    if args.json:
        print(json.dumps({"changed": changed, "migrations": count}))
    elif changed:
        print(f"manifest.sum {'is out of date' if args.check else 'written'}: {count} migrations")
    else:
        print(f"manifest.sum is up to date: {count} migrations")
    return 1 if changed and args.check else 0
