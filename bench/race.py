"""Best of several rounds, the competitors taking turns in each, so that noise hits all alike.

Processor time is measured, not the clock on the wall: nothing here waits, and other programs on
the machine disturb it less.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Runner:
    """One competitor.

    ``run`` returns the text it makes, or None if it makes none; ``least`` is how many rounds it
    runs even if they take more than its time.
    """

    name: str
    run: Callable[[], bytes | None]
    least: int = 1
    best: float = float("inf")
    spent: float = 0.0
    rounds: int = 0
    made: bytes | None = None


def race(runners: Sequence[Runner], *, seconds: float, most: int = 200) -> None:
    """Time every runner until it had its seconds or the most rounds.

    Garbage is collected between the runs, outside of the measurement; during a run the collector
    works as in any program.
    """
    gc.collect()
    gc.freeze()
    turn = list(runners)
    while turn:
        for runner in turn:
            gc.collect()
            began = time.process_time()
            made = runner.run()
            took = time.process_time() - began
            runner.made = made
            runner.best = min(runner.best, took)
            runner.spent += took
            runner.rounds += 1
        turn = [
            r
            for r in reversed(turn)
            if r.rounds < r.least or (r.spent < seconds and r.rounds < most)
        ]
    gc.unfreeze()
