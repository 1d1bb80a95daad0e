"""The command ``confmig``: parse the words, import the one command, turn errors into exit codes."""

from __future__ import annotations

import os
import sys

from confmig.adapters.host import signals


def _fill_closed_streams() -> None:
    """Give the number of a closed standard stream to the null device.

    Otherwise the next file that is opened gets the number, and then what is printed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number


def main() -> int:
    """Run the command line; the value is the exit code."""
    _fill_closed_streams()
    words = sys.argv[1:]
    signals.early(daemon="run" in words and "--once" not in words)
    try:
        from confmig.cli import run
    except KeyboardInterrupt:  # nothing was begun
        return 130

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
