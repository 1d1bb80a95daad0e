"""A progress bar on stderr: one line that is written over, and nothing where no one looks."""

from __future__ import annotations

import sys
from types import TracebackType

WIDTH = 30


class Progress:
    """Counts ``total`` steps. ``when``: ``auto`` shows the bar on a terminal for several steps."""

    def __init__(self, total: int, when: str) -> None:
        self.total = total
        self.done = 0
        terminal = sys.stderr.isatty() and total > 1
        self.shown = when == "always" or (when == "auto" and terminal)

    @property
    def quiet(self) -> bool:
        """Whether there is no bar, so that a line for each file tells how far it is."""
        return not self.shown

    def __enter__(self) -> Progress:
        return self

    def step(self, name: str, count: int = 1) -> None:
        """Begin the next steps, ``count`` of them at once."""
        if self.shown:
            filled = WIDTH * self.done // max(1, self.total)
            bar = "#" * filled + "-" * (WIDTH - filled)
            seen = "".join(c if c.isprintable() else "?" for c in name)
            line = f"[{bar}] {self.done}/{self.total} {seen}"
            sys.stderr.write(f"\r\x1b[K{line[:100]}")
            sys.stderr.flush()
        self.done += count

    def clear(self) -> None:
        """Make room for a line of text."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
