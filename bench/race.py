"""Best of several rounds, the competitors taking turns in each, so that noise hits all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Runner:
    """One competitor. ``run`` returns the text it makes, or None if it makes none."""

    name: str
    run: Callable[[], bytes | None]
    best: float = float("inf")
    spent: float = 0.0
    rounds: int = 0
    made: bytes | None = None


def race(runners: Sequence[Runner], *, seconds: float, most: int = 200) -> None:
    """Time every runner at least once, and again until it had its seconds or the most rounds.

    Garbage is collected between the runs, outside of the clock; during a run the collector
    works as in any program.
    """
    gc.collect()
    gc.freeze()
    turn = list(runners)
    while turn:
        for runner in turn:
            gc.collect()
            began = time.perf_counter()
            made = runner.run()
            took = time.perf_counter() - began
            runner.made = made
            runner.best = min(runner.best, took)
            runner.spent += took
            runner.rounds += 1
        turn = [r for r in reversed(turn) if r.spent < seconds and r.rounds < most]
    gc.unfreeze()
