"""Weekly windows in local time, right across changes of the clock.

A window yields half-open intervals of real time, one for each of its days. ``days`` name the day of
the *start*; an interval may cross midnight. Where the clock changes:

* a start in a missing hour moves forward by the gap; in a repeated hour the first reading counts
  (RFC 5545 3.3.5); ``duration`` is elapsed time;
* the ``end`` form reads narrow for an allow window (never longer than nominal, never past the
  first reading of its end) and wide for a deny window (every reading of its local times; one that
  starts in a gap starts at the transition).

Purely computational; datetimes are aware.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Interval = tuple[datetime, datetime]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)
HORIZON = timedelta(days=32)


@dataclass(frozen=True, slots=True)
class Window:
    """A weekly window.

    Exactly one of ``duration`` and ``end``; ``end`` at or before ``start`` means the next day.
    """

    name: str
    kind: Literal["allow", "deny"]
    zone: ZoneInfo
    start: time
    days: frozenset[int] = frozenset(range(7))
    duration: timedelta | None = None
    end: time | None = None

    @property
    def nominal(self) -> timedelta:
        """The length on a day without a change of the clock."""
        if self.duration is not None:
            return self.duration
        assert self.end is not None
        length = datetime.combine(date.min, self.end) - datetime.combine(date.min, self.start)
        return length if length > timedelta(0) else length + DAY

    @property
    def always(self) -> bool:
        """Whether it covers every instant of the week."""
        return len(self.days) == 7 and self.nominal >= DAY

    def on(self, day: date) -> Interval:
        """The interval that starts on a local day, in UTC."""
        local = datetime.combine(day, self.start)
        start = _resolve(local, self.zone)
        local_end = local + self.nominal
        if self.duration is not None:
            return start, start + self.duration
        if self.kind == "allow":
            return start, min(start + self.nominal, _resolve(local_end, self.zone))
        end = max(start + self.nominal, *_readings(local_end, self.zone))
        first, last = _readings(local, self.zone)
        if first != last and _is_gap(local, self.zone):
            start = _transition(first, last, self.zone)
        return start, end

    def intervals(self, since: datetime, until: datetime) -> Iterator[Interval]:
        """The intervals that overlap [since, until), in order of their days."""
        day = (since.astimezone(self.zone) - self.nominal - 2 * DAY).date()
        last = (until.astimezone(self.zone) + DAY).date()
        while day <= last:
            if day.weekday() in self.days:
                start, end = self.on(day)
                if start < end and end > since and start < until:
                    yield start, end
            day += DAY


def _readings(local: datetime, zone: ZoneInfo) -> Interval:
    """The earliest and latest instants that a local time can mean."""
    a = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    b = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return (a, b) if a <= b else (b, a)


def _resolve(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _is_gap(local: datetime, zone: ZoneInfo) -> bool:
    return _resolve(local, zone).astimezone(zone).replace(tzinfo=None) != local


def _transition(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant of the change of the clock between two instants, to the second."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Touching and overlapping intervals joined, in order."""
    out: list[Interval] = []
    for start, end in sorted(intervals):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def minus(allowed: list[Interval], denied: list[Interval]) -> list[Interval]:
    """What is left of merged intervals without other merged intervals."""
    out = []
    for start, end in allowed:
        at = start
        for a, b in denied:
            if b <= at or a >= end:
                continue
            if a > at:
                out.append((at, a))
            at = max(at, b)
        if at < end:
            out.append((at, end))
    return out


@dataclass(frozen=True, slots=True)
class Opening:
    """What windows say about an instant.

    ``until``: the end of the open interval; ``opens``: the next opening if there is one within
    the horizon of 32 days.
    """

    allowed: bool
    denied: bool
    until: datetime | None = None
    opens: datetime | None = None


def opening(windows: Iterable[Window], now: datetime, *, always: bool = False) -> Opening:
    """Whether a set of windows is open at ``now``; a deny beats every allow."""
    windows = list(windows)
    until = now + HORIZON
    allow = [w for w in windows if w.kind == "allow"]
    deny = [w for w in windows if w.kind == "deny"]
    closed = merged(i for w in deny for i in w.intervals(now, until))
    if always or any(w.always for w in allow):
        raw = [(now, until)]
    else:
        raw = merged(i for w in allow for i in w.intervals(now, until))
    denied = any(start <= now < end for start, end in closed)
    if any(w.always for w in deny):
        return Opening(any(s <= now < e for s, e in raw), denied=True)
    free = minus(raw, closed)
    inside = next(((s, e) for s, e in free if s <= now < e), None)
    if inside is not None:
        return Opening(True, False, until=inside[1] if inside[1] < until else None)
    # denies that start after the horizon are not known: what lies there is no answer
    opens = next((s for s, _ in free if now < s < until), None)
    return Opening(any(s <= now < e for s, e in raw), denied, opens=opens)
