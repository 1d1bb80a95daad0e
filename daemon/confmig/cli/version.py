"""``confmig version``: print the version of confmig."""

from __future__ import annotations

import argparse
import json

from confmig import __version__


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("--json", action="store_true", help="the answer as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the version."""
    print(json.dumps({"version": __version__}) if args.json else f"confmig {__version__}")
    return 0
