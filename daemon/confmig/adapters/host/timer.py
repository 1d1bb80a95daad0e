"""Wake-ups at a point in time, by APScheduler.

They decide nothing: a wake-up that comes late, twice or never only changes when we look, and a tick
bounds that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

_JOB = "next-opening"


class Timer:
    """One wake-up at a time: the earliest instant at which time alone may change a decision."""

    def __init__(self, wake: Callable[[], None]) -> None:
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._wake = wake
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin to keep time."""
        self._scheduler.start()

    def at(self, moment: datetime | None) -> None:
        """Wake at this moment, and at no other; None: not at all."""
        if moment is None:
            if self._scheduler.get_job(_JOB) is not None:
                self._scheduler.remove_job(_JOB)
            return
        self._scheduler.add_job(self._wake, DateTrigger(moment), id=_JOB, replace_existing=True)

    @property
    def next(self) -> datetime | None:
        """The moment of the next wake-up."""
        job = self._scheduler.get_job(_JOB)
        return job.next_run_time if job is not None else None

    def stop(self) -> None:
        """End the thread."""
        self._scheduler.shutdown(wait=False)
