"""``confmig schema``: print the JSON Schema of a kind of file."""

from __future__ import annotations

import argparse
import json

from confmig.errors import DONE
from confmig.kit.json_schemas import SCHEMAS


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("file", choices=SCHEMAS, help="the kind of file")
    parser.epilog = (
        "An editor with the YAML language server checks a migration file that begins with the line "
        "`# yaml-language-server: $schema=operations.schema.json`."
    )


def run(args: argparse.Namespace) -> int:
    """Print the JSON Schema of a kind of file."""
    print(json.dumps(SCHEMAS[args.file](), indent=2))
    return DONE
