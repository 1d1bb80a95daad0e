"""The command ``confmig``: parse the words, import the one command, turn errors into exit codes."""

from __future__ import annotations

import os
import sys

from confmig.adapters.host import signals


def _fill_closed_streams() -> None:
    """A closed standard stream leaves its number to the next file that is opened, which would then
    get what is printed: the null device takes the number instead."""
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
