"""How long the daemon leaves a target alone after an error."""

from __future__ import annotations

import random  # noqa: TID251 - the wait before the next try
from dataclasses import dataclass

FIRST, LONGEST = 2.0, 300.0
"""The first and the longest wait, in seconds."""


@dataclass(slots=True)
class BackOff:
    """A target whose last pass met an error: ``until`` is when to try again (monotonic)."""

    wait: float = 0.0
    until: float = 0.0

    def failed(self, now: float) -> None:
        """Wait twice as long as the last time, give or take a fifth."""
        self.wait = min(self.wait * 2 or FIRST, LONGEST)
        self.until = now + self.wait * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
