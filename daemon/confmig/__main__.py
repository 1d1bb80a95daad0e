"""The command ``confmig``: parse the words, import the one command, turn errors into exit codes."""

from __future__ import annotations

import sys

from confmig.adapters import signals


def main() -> int:
    """Run the command line; the value is the exit code."""
    words = sys.argv[1:]
    signals.early(daemon="run" in words and "--once" not in words)
    from confmig.cli import run

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
