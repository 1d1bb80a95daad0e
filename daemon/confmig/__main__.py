"""The command ``confmig``: parse the words, import the one command, turn errors into exit codes."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the value is the exit code."""
    from confmig.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
