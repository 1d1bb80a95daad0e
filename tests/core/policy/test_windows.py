"""Windows against instants computed by hand, and against oracles that know no engine.

Changes of the clock used by hand: Berlin 2026-03-29 01:00Z (+1 -> +2) and 2026-10-25 01:00Z
(back); New York 2026-03-08 07:00Z (-5 -> -4) and 2026-11-01 06:00Z (back); Lord Howe 2026-10-03
15:30Z (+10:30 -> +11) and 2026-04-04 15:00Z (back).
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig.core.policy.windows import HORIZON, Interval, Window, merged, minus, opening
from tests.core.builders import ALL_DAYS, utc, window

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
MINUTE = timedelta(minutes=1)
STEP = timedelta(minutes=5)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
Kind = Literal["allow", "deny"]

ZONES = sorted(
    name
    for name in zoneinfo.available_timezones()
    if name not in ("localtime", "posixrules", "Factory")
)


def span(one: Window, day: str) -> tuple[str, str]:
    """The interval of a day, as text in UTC."""
    start, end = one.on(date.fromisoformat(day))
    assert start.utcoffset() == end.utcoffset() == timedelta(0)
    return start.strftime("%m-%d %H:%M"), end.strftime("%m-%d %H:%M")


# --- by hand

ELAPSED = [
    # zone, local day, start, duration, wanted
    ("UTC", "2026-06-01", "22:00", "6", ("06-01 22:00", "06-02 04:00")),
    (BERLIN, "2026-06-01", "22:00", "6", ("06-01 20:00", "06-02 02:00")),
    (BERLIN, "2026-01-05", "22:00", "6", ("01-05 21:00", "01-06 03:00")),
    (NEW_YORK, "2026-06-05", "12:00", "2", ("06-05 16:00", "06-05 18:00")),
    (LORD_HOWE, "2026-07-01", "00:15", "0:30", ("06-30 13:45", "06-30 14:15")),
    # the clock changes inside: the duration is elapsed time
    (BERLIN, "2026-03-28", "22:00", "6", ("03-28 21:00", "03-29 03:00")),
    (BERLIN, "2026-10-24", "22:00", "6", ("10-24 20:00", "10-25 02:00")),
    # a missing hour: the start moves forward by the gap
    (BERLIN, "2026-03-29", "02:30", "1", ("03-29 01:30", "03-29 02:30")),
    (BERLIN, "2026-03-29", "02:00", "1", ("03-29 01:00", "03-29 02:00")),
    (NEW_YORK, "2026-03-08", "02:30", "0:30", ("03-08 07:30", "03-08 08:00")),
    (LORD_HOWE, "2026-10-04", "02:15", "1", ("10-03 15:45", "10-03 16:45")),
    # a repeated hour: the first reading
    (BERLIN, "2026-10-25", "02:30", "1", ("10-25 00:30", "10-25 01:30")),
    (NEW_YORK, "2026-11-01", "01:30", "1", ("11-01 05:30", "11-01 06:30")),
    (LORD_HOWE, "2026-04-05", "01:45", "0:30", ("04-04 14:45", "04-04 15:15")),
]


@pytest.mark.parametrize("kind", ["allow", "deny"])
@pytest.mark.parametrize(("zone", "day", "start", "length", "wanted"), ELAPSED)
def test_a_duration_is_elapsed_time_from_the_resolved_start(
    kind: Kind, zone: str, day: str, start: str, length: str, wanted: tuple[str, str]
) -> None:
    assert span(window(kind, zone, start, duration=length), day) == wanted


ENDS = [
    # zone, local day, start, end, wanted of allow (None: empty), wanted of deny
    ("UTC", "2026-06-01", "22:00", "04:00", ("06-01 22:00", "06-02 04:00"), None),
    ("UTC", "2026-06-01", "04:00", "22:00", ("06-01 04:00", "06-01 22:00"), None),
    ("UTC", "2026-06-01", "04:00", "04:00", ("06-01 04:00", "06-02 04:00"), None),
    (NEW_YORK, "2026-06-05", "12:00", "14:00", ("06-05 16:00", "06-05 18:00"), None),
    # spring night, 22:00 to 04:00 is five hours: allow stops at 04:00 local, deny runs nominal
    (
        BERLIN,
        "2026-03-28",
        "22:00",
        "04:00",
        ("03-28 21:00", "03-29 02:00"),
        ("03-28 21:00", "03-29 03:00"),
    ),
    # autumn night, seven hours: allow is never longer than nominal, deny covers 04:00
    (
        BERLIN,
        "2026-10-24",
        "22:00",
        "04:00",
        ("10-24 20:00", "10-25 02:00"),
        ("10-24 20:00", "10-25 03:00"),
    ),
    # in the repeated hour: allow the first reading, deny from the first to the last
    (
        BERLIN,
        "2026-10-25",
        "02:15",
        "02:45",
        ("10-25 00:15", "10-25 00:45"),
        ("10-25 00:15", "10-25 01:45"),
    ),
    (
        NEW_YORK,
        "2026-11-01",
        "01:30",
        "01:45",
        ("11-01 05:30", "11-01 05:45"),
        ("11-01 05:30", "11-01 06:45"),
    ),
    (
        LORD_HOWE,
        "2026-04-05",
        "01:45",
        "01:50",
        ("04-04 14:45", "04-04 14:50"),
        ("04-04 14:45", "04-04 15:20"),
    ),
    # the end is a time that repeats
    (
        BERLIN,
        "2026-10-25",
        "00:00",
        "02:00",
        ("10-24 22:00", "10-25 00:00"),
        ("10-24 22:00", "10-25 01:00"),
    ),
    # starts in the gap: allow moves forward and keeps its end, deny starts at the transition
    (
        BERLIN,
        "2026-03-29",
        "02:30",
        "04:30",
        ("03-29 01:30", "03-29 02:30"),
        ("03-29 01:00", "03-29 03:30"),
    ),
    (BERLIN, "2026-03-29", "02:30", "03:30", (), ("03-29 01:00", "03-29 02:30")),
    (NEW_YORK, "2026-03-08", "02:15", "02:45", None, ("03-08 07:00", "03-08 07:45")),
    (LORD_HOWE, "2026-10-04", "02:15", "03:00", None, ("10-03 15:30", "10-03 16:30")),
]


@pytest.mark.parametrize(("zone", "day", "start", "end", "allow", "deny"), ENDS)
def test_an_end_is_read_narrow_by_allow_and_wide_by_deny(
    zone: str,
    day: str,
    start: str,
    end: str,
    allow: tuple[str, str] | tuple[()] | None,
    deny: tuple[str, str] | None,
) -> None:
    if allow:
        assert span(window("allow", zone, start, end=end), day) == allow
    elif allow == ():
        first, last = window("allow", zone, start, end=end).on(date.fromisoformat(day))
        assert last <= first
    wanted = deny or allow
    assert wanted
    assert span(window("deny", zone, start, end=end), day) == wanted


def test_an_allow_window_that_the_gap_swallows_yields_no_interval() -> None:
    one = window("allow", BERLIN, "02:30", end="03:00", days=["sun"])
    assert list(one.intervals(utc("2026-03-28 00:00"), utc("2026-03-31 00:00"))) == []
    assert len(list(one.intervals(utc("2026-04-04 00:00"), utc("2026-04-07 00:00")))) == 1


def test_an_interval_is_half_open() -> None:
    one = window("allow", "UTC", "22:00", end="23:00")
    inside = [utc("2026-06-01 22:00"), utc("2026-06-01 22:59:59.999999")]
    outside = [utc("2026-06-01 21:59:59.999999"), utc("2026-06-01 23:00")]
    assert [opening([one], t).allowed for t in inside] == [True, True]
    assert [opening([one], t).allowed for t in outside] == [False, False]


def test_a_deny_interval_is_half_open() -> None:
    one = window("deny", "UTC", "12:00", end="13:00")
    at = ["2026-06-01 11:59", "2026-06-01 12:00", "2026-06-01 12:59", "2026-06-01 13:00"]
    assert [opening([one], utc(t), always=True).denied for t in at] == [False, True, True, False]


@pytest.mark.parametrize("form", [{"end": "04:00"}, {"duration": "6"}])
def test_days_name_the_day_of_the_start_across_midnight(form: dict[str, str]) -> None:
    one = window("allow", BERLIN, "22:00", days=["mon"], **form)
    monday, tuesday = "2026-06-01", "2026-06-02"
    assert not opening([one], utc(f"{monday} 00:30")).allowed  # Sunday's night
    assert opening([one], utc(f"{monday} 20:00")).allowed  # Monday 22:00
    assert opening([one], utc(f"{tuesday} 01:59")).allowed  # Tuesday 03:59
    assert not opening([one], utc(f"{tuesday} 02:00")).allowed
    assert not opening([one], utc(f"{tuesday} 20:00")).allowed  # Tuesday 22:00


def test_a_window_of_several_days_is_open_until_its_last_hour() -> None:
    one = window("allow", BERLIN, "08:00", days=["mon"], duration="130")
    got = opening([one], utc("2026-06-06 15:59"))  # Saturday 17:59
    assert (got.allowed, got.until) == (True, utc("2026-06-06 16:00"))
    assert not opening([one], utc("2026-06-06 16:00")).allowed


def test_days_are_local_days_and_not_those_of_utc() -> None:
    one = window("allow", LORD_HOWE, "00:15", days=["wed"], duration="0:30")  # Wed = Tue 13:45Z
    assert opening([one], utc("2026-06-30 13:45")).allowed
    assert not opening([one], utc("2026-07-01 13:45")).allowed


def test_touching_allow_intervals_are_one_opening() -> None:
    one = window("allow", "UTC", "20:00", end="22:00", days=["mon"])
    two = window("allow", "UTC", "22:00", end="01:00", days=["mon"])
    got = opening([two, one], utc("2026-06-01 20:30"))
    assert got.until == utc("2026-06-02 01:00")


def test_overlapping_allow_intervals_are_one_opening() -> None:
    one = window("allow", "UTC", "20:00", duration="5", days=["mon"])
    two = window("allow", "UTC", "21:00", duration="1", days=["mon"])
    assert opening([one, two], utc("2026-06-01 21:30")).until == utc("2026-06-02 01:00")


def test_a_window_that_touches_itself_on_the_next_day_never_closes() -> None:
    halves = [
        window("allow", "UTC", "00:00", duration="12"),
        window("allow", "UTC", "12:00", end="00:00"),
    ]
    got = opening(halves, utc("2026-06-01 11:59"))
    assert (got.allowed, got.until, got.opens) == (True, None, None)


@pytest.mark.parametrize("zone", ["UTC", BERLIN, NEW_YORK, LORD_HOWE])
def test_a_duration_of_24h_on_seven_days_is_always_even_on_the_long_day(zone: str) -> None:
    one = window("allow", zone, "00:00", duration="24")
    for change in transitions(zone, 2026, 2027) or (utc("2026-06-01 00:00"),):
        for n in range(-26 * 4, 26 * 4):
            got = opening([one], change + n * 3 * STEP)
            assert (got.allowed, got.until) == (True, None)


@pytest.mark.parametrize(
    ("zone", "now"),
    [
        (BERLIN, "2026-10-25 22:30"),  # 23:30 of the day of 25 hours
        (NEW_YORK, "2026-11-02 04:30"),
        (LORD_HOWE, "2026-04-05 13:15"),
    ],
)
def test_an_end_that_is_the_start_on_seven_days_is_always_too(zone: str, now: str) -> None:
    """POLICY.md: a rule that covers all seven days for 24h is ``always``."""
    got = opening([window("allow", zone, "00:00", end="00:00")], utc(now))
    assert (got.allowed, got.until) == (True, None)


def test_a_deny_of_all_time_leaves_no_opening() -> None:
    deny = window("deny", BERLIN, "00:00", duration="24")
    got = opening([window("allow", BERLIN, "22:00", duration="6"), deny], utc("2026-06-01 21:00"))
    assert (got.denied, got.until, got.opens) == (True, None, None)


def test_under_a_deny_of_all_time_allowed_still_tells_of_this_instant_only() -> None:
    deny = window("deny", "UTC", "00:00", duration="24")
    got = opening([window("allow", "UTC", "22:00", duration="1"), deny], utc("2026-06-01 12:00"))
    assert (got.allowed, got.denied) == (False, True)


def test_a_deny_beats_every_allow_and_the_opening_is_after_it() -> None:
    allow = window("allow", "UTC", "10:00", end="16:00", days=["fri"])
    lunch = window("deny", "UTC", "12:00", end="14:00", days=["fri"])
    assert opening([allow, lunch], utc("2026-06-05 11:00")).until == utc("2026-06-05 12:00")
    got = opening([lunch, allow], utc("2026-06-05 12:30"))
    assert (got.allowed, got.denied, got.opens) == (True, True, utc("2026-06-05 14:00"))
    always = opening([lunch], utc("2026-06-05 12:30"), always=True)
    assert (always.denied, always.opens) == (True, utc("2026-06-05 14:00"))


def test_a_deny_that_covers_the_whole_allow_moves_the_opening_to_the_next_one() -> None:
    allow = window("allow", "UTC", "10:00", end="11:00")
    deny = window("deny", "UTC", "09:00", end="12:00", days=["mon"])
    assert opening([allow, deny], utc("2026-06-01 08:00")).opens == utc("2026-06-02 10:00")


def test_without_an_allow_window_nothing_is_open() -> None:
    got = opening([], utc("2026-06-01 08:00"))
    assert (got.allowed, got.denied, got.until, got.opens) == (False, False, None, None)


def test_an_opening_beyond_the_horizon_is_none_and_not_an_instant_that_is_denied() -> None:
    """Two deny windows that together cover all time: there is no opening, now or ever."""
    denies = [
        window("deny", "UTC", "00:00", duration="24", days=["mon", "tue", "wed"]),
        window("deny", "UTC", "00:00", duration="24", days=["thu", "fri", "sat", "sun"]),
    ]
    allow = window("allow", "UTC", "00:00", duration="48", days=ALL_DAYS[:6])
    for n in range(7):
        got = opening([allow, *denies], utc("2026-06-01 12:00") + n * DAY)
        assert (got.denied, got.opens) == (True, None)


# --- merged and minus

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda p: (p[0], p[0] + p[1])),
    max_size=8,
)
ZERO = utc("2026-01-01 00:00")


def real(spans: Iterable[tuple[int, int]]) -> list[Interval]:
    return [(ZERO + a * MINUTE, ZERO + b * MINUTE) for a, b in spans]


def minutes(intervals: Iterable[Interval]) -> set[int]:
    return {
        n
        for n in range(-1, 100)
        if any(start <= ZERO + n * MINUTE < end for start, end in intervals)
    }


@settings(derandomize=True, deadline=None, max_examples=80)
@given(SPANS, SPANS)
def test_merging_and_subtracting_agree_with_sets_of_minutes(
    a: list[tuple[int, int]], b: list[tuple[int, int]]
) -> None:
    left, right = merged(real(a)), merged(real(b))
    assert minutes(left) == minutes(real(a))
    assert all(x[1] < y[0] for x, y in pairwise(left))
    rest = minus(left, right)
    assert minutes(rest) == minutes(real(a)) - minutes(real(b))
    assert rest == merged(rest)


# --- properties over zones and changes of the clock


@cache
def transitions(name: str, first: int, last: int) -> tuple[datetime, ...]:
    """The changes of a zone's offset in [first, last), to the minute. Knows no engine."""
    zone, out = ZoneInfo(name), []
    at, stop = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
    while at < stop:
        if at.astimezone(zone).utcoffset() != (at + DAY).astimezone(zone).utcoffset():
            low, high = at, at + DAY
            while high - low > MINUTE:
                middle = low + (high - low) // (2 * MINUTE) * MINUTE
                if middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
                    low = middle
                else:
                    high = middle
            out.append(high)
        at += DAY
    return tuple(out)


def wall_clock_matches(local: datetime, start: time, end: time, days: frozenset[int]) -> bool:
    """Whether a reading of the wall clock lies in a window of its local times.

    Walks no engine: the window that began on this day, or on the day before if it crosses
    midnight.
    """
    clock, today = local.time(), local.weekday()
    if start < end:
        return today in days and start <= clock < end
    return (today in days and clock >= start) or ((today - 1) % 7 in days and clock < end)


def uncovered(one: Window, around: datetime, reach: timedelta, step: timedelta) -> list[datetime]:
    """The instants around a transition whose local time matches, but which it does not cover."""
    assert one.end is not None
    covered = list(one.intervals(around - reach, around + reach))
    out, at = [], around - reach
    while at < around + reach:
        local = at.astimezone(one.zone).replace(tzinfo=None)
        if wall_clock_matches(local, one.start, one.end, one.days) and not any(
            a <= at < b for a, b in covered
        ):
            out.append(at)
        at += step
    return out


def shapes(around: datetime, zone: ZoneInfo) -> list[tuple[time, time]]:
    """Starts and ends before, at, in and behind the change, and one across midnight."""
    wall = around.astimezone(zone).replace(tzinfo=None)
    marks = [-135, -75, -60, -30, -15, 0, 15, 30, 60, 75]
    clocks = [(wall + m * MINUTE).time() for m in marks]
    pairs = [
        (clocks[i], clocks[j])
        for i in range(len(clocks))
        for j in (i + 1, i + 3, i + 5)
        if j < len(clocks)
    ]
    return [*pairs, (time(22), time(4)), (time(0), time(0))]


def assert_deny_is_wide(name: str, around: datetime, step: timedelta) -> None:
    zone = ZoneInfo(name)
    for start, end in shapes(around, zone):
        one = Window("w", "deny", zone, start, frozenset(range(7)), None, end)
        assert uncovered(one, around, timedelta(hours=5), step) == [], (name, around, start, end)


def test_the_sample_of_zones_has_changes_of_every_kind() -> None:
    assert len(ZONES) > 300
    assert transitions(BERLIN, 2026, 2027) == (utc("2026-03-29 01:00"), utc("2026-10-25 01:00"))
    assert transitions(LORD_HOWE, 2026, 2027) == (utc("2026-04-04 15:00"), utc("2026-10-03 15:30"))
    assert transitions("UTC", 2006, 2026) == ()


@pytest.mark.parametrize("part", range(4))
def test_deny_covers_every_matching_local_time_in_all_zones_of_a_year(part: int) -> None:
    for name in ZONES[part::4]:
        for around in transitions(name, 2024, 2025):
            assert_deny_is_wide(name, around, 3 * STEP)


@pytest.mark.parametrize(
    "name",
    [
        BERLIN,
        NEW_YORK,
        LORD_HOWE,
        "Africa/Casablanca",  # in and out of summer time for Ramadan
        "America/Sao_Paulo",  # at midnight
        "America/Havana",
        "Africa/Cairo",
        "Antarctica/Troll",  # two hours
        "Asia/Pyongyang",  # half an hour
        "America/Caracas",
        "Asia/Gaza",
        "Europe/Moscow",  # once
    ],
)
def test_deny_covers_every_matching_local_time_in_20_years(name: str) -> None:
    changes = transitions(name, 2006, 2026)
    assert changes
    for around in changes:
        assert_deny_is_wide(name, around, 3 * STEP)


@pytest.mark.parametrize("name", ["Pacific/Apia", "Pacific/Fakaofo", "Pacific/Kwajalein"])
def test_deny_covers_every_matching_local_time_around_a_missing_day(name: str) -> None:
    year = 1993 if name == "Pacific/Kwajalein" else 2011
    around = max(transitions(name, year, year + 1))
    for start, end in [*shapes(around, ZoneInfo(name)), (time(12), time(13)), (time(1), time(0))]:
        one = Window("w", "deny", ZoneInfo(name), start, frozenset(range(7)), None, end)
        assert uncovered(one, around, timedelta(hours=50), 3 * STEP) == [], (start, end)


SPRUNG = [n for n in ZONES if transitions(n, 2024, 2025)]
CLOCKS = st.integers(0, 24 * 12 - 1).map(lambda n: time(n // 12, n % 12 * 5))
DAYS = st.sets(st.integers(0, 6), min_size=1).map(frozenset)


@st.composite
def near_a_change(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    name = draw(st.sampled_from(SPRUNG))
    return ZoneInfo(name), draw(st.sampled_from(transitions(name, 2024, 2025)))


@settings(derandomize=True, deadline=None, max_examples=80)
@given(near_a_change(), CLOCKS, CLOCKS, DAYS)
def test_deny_covers_every_matching_local_time_of_random_windows(
    place: tuple[ZoneInfo, datetime], start: time, end: time, days: frozenset[int]
) -> None:
    zone, around = place
    one = Window("w", "deny", zone, start, days, None, end)
    assert uncovered(one, around, timedelta(hours=30), 3 * STEP) == []


LENGTHS = st.one_of(
    CLOCKS.map(lambda end: (None, end)),
    st.integers(1, 60 * 30).map(lambda n: (n * MINUTE, None)),
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(near_a_change(), CLOCKS, LENGTHS, st.integers(-2, 2))
def test_allow_is_at_most_nominal_and_within_the_deny_of_the_same_spec(
    place: tuple[ZoneInfo, datetime],
    start: time,
    length: tuple[timedelta | None, time | None],
    shift: int,
) -> None:
    zone, around = place
    day = around.astimezone(zone).date() + timedelta(days=shift)
    allow = Window("w", "allow", zone, start, frozenset(range(7)), *length)
    deny = Window("w", "deny", zone, start, frozenset(range(7)), *length)
    (a, b), (c, d) = allow.on(day), deny.on(day)
    assert b - a <= allow.nominal
    assert c < d
    assert b <= a or (c <= a and b <= d)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.sampled_from(ZONES), st.dates(date(2006, 1, 1), date(2025, 12, 31)), CLOCKS, LENGTHS)
def test_over_all_zones_and_20_years_allow_is_at_most_nominal_and_within_deny(
    name: str, day: date, start: time, length: tuple[timedelta | None, time | None]
) -> None:
    zone = ZoneInfo(name)
    allow = Window("w", "allow", zone, start, frozenset(range(7)), *length)
    deny = Window("w", "deny", zone, start, frozenset(range(7)), *length)
    (a, b), (c, d) = allow.on(day), deny.on(day)
    assert b - a <= allow.nominal
    assert b <= a or (c <= a and b <= d)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(near_a_change(), CLOCKS, LENGTHS, DAYS, st.integers(-72, 72), st.integers(1, 96))
def test_intervals_are_exactly_those_of_the_days_that_overlap(
    place: tuple[ZoneInfo, datetime],
    start: time,
    length: tuple[timedelta | None, time | None],
    days: frozenset[int],
    shift: int,
    reach: int,
) -> None:
    zone, around = place
    since = around + timedelta(hours=shift)
    until = since + timedelta(hours=reach)
    one = Window("w", "allow", zone, start, days, *length)
    wanted = []
    for n in range(-12, 14):
        day = around.date() + timedelta(days=n)
        a, b = one.on(day)
        if day.weekday() in days and a < b and a < until and b > since:
            wanted.append((a, b))
    assert list(one.intervals(since, until)) == wanted


# --- opening() against the wall clock, minute by minute


def plain_open(windows: Sequence[Window], at: datetime) -> tuple[bool, bool]:
    """(some allow, some deny) at an instant far from any change of the clock."""
    found = {"allow": False, "deny": False}
    for one in windows:
        local = at.astimezone(one.zone).replace(tzinfo=None)
        for back in range(4):
            day = local.date() - timedelta(days=back)
            begin = datetime.combine(day, one.start)
            if day.weekday() in one.days and begin <= local < begin + one.nominal:
                found[one.kind] = True
    return found["allow"], found["deny"]


@st.composite
def some_windows(draw: st.DrawFn, zones: Sequence[str]) -> list[Window]:
    out = []
    for _ in range(draw(st.integers(1, 4))):
        minutes_long = draw(st.integers(1, 12 * 40)) * 5
        ends = draw(st.booleans())
        out.append(
            Window(
                "w",
                draw(st.sampled_from(["allow", "allow", "deny"])),
                ZoneInfo(draw(st.sampled_from(zones))),
                draw(CLOCKS),
                draw(DAYS),
                None if ends else minutes_long * MINUTE,
                draw(CLOCKS) if ends else None,
            )
        )
    return out


CALM = ["UTC", BERLIN, NEW_YORK, LORD_HOWE, "Asia/Kathmandu", "Pacific/Kiritimati"]


@settings(derandomize=True, deadline=None, max_examples=50)
@given(some_windows(CALM), st.integers(0, 7 * 24 * 12), st.integers(0, 4))
def test_opening_agrees_with_the_wall_clock_minute_by_minute(
    windows: list[Window], shift: int, odd: int
) -> None:
    now = utc("2026-06-01 00:00") + shift * STEP + odd * MINUTE
    grid = [now, *(now + (5 - odd) * MINUTE + n * STEP for n in range(7 * 24 * 12 + 1))]
    marks = [plain_open(windows, t) for t in grid]
    free = [a and not d for a, d in marks]
    got = opening(windows, now)
    assert (got.allowed, got.denied) == marks[0] or any(
        w.always for w in windows if w.kind == "deny"
    )
    assert (got.allowed and not got.denied) is free[0]
    if free[0]:
        assert got.until == next((t for t, f in zip(grid, free, strict=True) if not f), None)
        assert got.opens is None
    else:
        assert got.until is None
        assert got.opens == next((t for t, f in zip(grid, free, strict=True) if f), None)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    some_windows([BERLIN, NEW_YORK, LORD_HOWE]),
    st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE]),
    st.integers(0, 1),
    st.integers(-48 * 60, 48 * 60),
)
def test_opening_around_a_change_of_the_clock_agrees_with_the_intervals_of_the_days(
    windows: list[Window], name: str, which: int, shift: int
) -> None:
    around = transitions(name, 2026, 2027)[which]
    now = around + shift * MINUTE
    spans: dict[str, list[Interval]] = {"allow": [], "deny": []}
    for one in windows:
        if one.always:  # by rule, not by its intervals
            spans[one.kind].append((now - WEEK, now + 2 * HORIZON))
        for n in range(-8, 12):
            day = around.date() + timedelta(days=n)
            if day.weekday() in one.days:
                spans[one.kind].append(one.on(day))

    def is_open(at: datetime) -> bool:
        allowed, denied = (any(a <= at < b for a, b in spans[kind]) for kind in ("allow", "deny"))
        return allowed and not denied

    got = opening(windows, now)
    assert (got.allowed and not got.denied) is is_open(now)
    edges = sorted({e for pair in [*spans["allow"], *spans["deny"]] for e in pair if e > now})
    near = [e for e in edges if e < now + timedelta(days=4)]
    change = next((e for e in near if is_open(e) is not is_open(now)), None)
    if change is not None:
        assert (got.until if is_open(now) else got.opens) == change


@settings(derandomize=True, deadline=None, max_examples=60)
@given(some_windows(CALM), st.integers(0, 7 * 24 * 12), st.sampled_from(CALM))
def test_the_answer_does_not_depend_on_the_zone_in_which_now_is_written(
    windows: list[Window], shift: int, name: str
) -> None:
    now = utc("2026-06-01 00:00") + shift * STEP
    assert opening(windows, now.astimezone(ZoneInfo(name))) == opening(windows, now)
