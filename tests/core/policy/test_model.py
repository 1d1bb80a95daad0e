"""A policy is good, missing or invalid; an invalid one says where and why, and denies all."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig.core.policy import model as policies
from confmig.core.policy.decide import Facts, decide
from confmig.core.policy.model import Policy, duration, read
from confmig.errors import Problem
from tests.core.builders import migration, utc

CLASSES = ("online", "post_deploy", "manual_backfill")
NOON = utc("2026-06-01 12:00")  # a Monday


def good() -> dict[str, Any]:
    return {
        "timezone": "Europe/Berlin",
        "windows": {
            "nightly": {
                "kind": "allow",
                "days": ["mon", "tue", "wed", "thu"],
                "start": "22:00",
                "duration": "6h",
            },
            "lunch": {
                "kind": "deny",
                "days": ["fri"],
                "start": "12:00",
                "end": "14:00",
                "timezone": "America/New_York",
            },
        },
        "classes": {
            "online": {"windows": "always"},
            "post_deploy": {"windows": ["nightly"]},
            "manual_backfill": {
                "windows": ["nightly"],
                "approval": {"required": 1, "ttl": "24h"},
            },
        },
    }


def changed(*path_and_value: Any) -> dict[str, Any]:
    """The good policy with one place set to another value."""
    *path, key, value = path_and_value
    data = good()
    at: Any = data
    for step in path:
        at = at[step]
    at[key] = value
    return data


def without(*path: str) -> dict[str, Any]:
    data = good()
    at: Any = data
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return data


def assert_invalid(got: Policy, place: str, reason: str) -> None:
    assert got.state == "invalid"
    assert got.problems
    assert {p.code for p in got.problems} == {"policy_invalid"}
    assert all(p.message and p.fix and p.place.startswith("policy.yaml") for p in got.problems)
    assert any(place in p.message and reason.lower() in p.message.lower() for p in got.problems), [
        str(p) for p in got.problems
    ]
    for kind in CLASSES:
        answer = decide(got, Facts("t", migration(1, kind)), NOON)
        assert (answer.verdict, answer.primary) == ("block", "policy_invalid")
        assert answer.approvals == ()


# --- bad ones

NIGHTLY = ("windows", "nightly")
BAD = {
    "a list": ([good()], "", "mapping"),
    "text": ("always", "", "mapping"),
    "a number": (1, "", "mapping"),
    "false": (False, "", "mapping"),
    "an unknown key": (changed("klasses", {}), "klasses", "did you mean `classes`?"),
    "an unknown zone": (changed("timezone", "Mars/Olympus"), "timezone", "Mars/Olympus"),
    "a zone that is a path": (changed("timezone", "../etc/passwd"), "timezone", "zone"),
    "a zone that is a folder": (changed("timezone", "Europe"), "timezone", "zone"),
    "an empty zone": (changed("timezone", ""), "timezone", "zone"),
    "a zone that is no text": (changed("timezone", 2), "timezone", "zone"),
    "a zone that is a list": (changed("timezone", ["UTC"]), "timezone", "zone"),
    "a zone with a null byte": (changed("timezone", "UTC\0"), "timezone", "zone"),
    "no zone at all": (changed("timezone", None), "timezone", "zone"),
    "an unknown zone of a window": (
        changed(*NIGHTLY, "timezone", "Berlin"),
        "windows.nightly.timezone",
        "Berlin",
    ),
    "windows that are a list": (changed("windows", []), "windows", "mapping"),
    "a window that is text": (changed(*NIGHTLY, "22:00-04:00"), "windows.nightly", "mapping"),
    "a window without kind": (without(*NIGHTLY, "kind"), "windows.nightly.kind", "is missing"),
    "a window of another kind": (changed(*NIGHTLY, "kind", "maybe"), "nightly.kind", "allow"),
    "a window without start": (without(*NIGHTLY, "start"), "nightly.start", "is missing"),
    "a window without length": (without(*NIGHTLY, "duration"), "nightly", "exactly one"),
    "a window with two lengths": (changed(*NIGHTLY, "end", "04:00"), "nightly", "exactly one"),
    "a window with an unknown key": (
        changed(*NIGHTLY, "ends", "1"),
        "windows.nightly",
        "unknown key `ends`",
    ),
    "days that are empty": (changed(*NIGHTLY, "days", []), "nightly", "days"),
    "a day that is unknown": (changed(*NIGHTLY, "days", ["monday"]), "nightly.days", "mon"),
    "days in capitals": (changed(*NIGHTLY, "days", ["MON"]), "nightly.days", "mon"),
    "days as one text": (changed(*NIGHTLY, "days", "mon"), "nightly.days", ""),
    "days as null": (changed(*NIGHTLY, "days", None), "nightly.days", ""),
    "a start without quotes": (changed(*NIGHTLY, "start", 1320), "nightly.start", "quotes"),
    "a start at 24:00": (changed(*NIGHTLY, "start", "24:00"), "nightly.start", "22:00"),
    "a start with seconds": (changed(*NIGHTLY, "start", "22:00:00"), "nightly.start", "22:00"),
    "a start with one digit": (changed(*NIGHTLY, "start", "2:00"), "nightly.start", "22:00"),
    "a start in other digits": (changed(*NIGHTLY, "start", "2٢:00"), "nightly.start", ""),
    "a start with a line end": (changed(*NIGHTLY, "start", "22:00\n"), "nightly.start", "22:00"),
    "an end of 60 minutes": (
        changed("windows", "lunch", "end", "13:60"),
        "windows.lunch.end",
        "22:00",
    ),
    "a duration without unit": (changed(*NIGHTLY, "duration", "6"), "nightly.duration", "30m"),
    "a duration as number": (changed(*NIGHTLY, "duration", 6), "nightly.duration", "30m"),
    "a duration of nothing": (changed(*NIGHTLY, "duration", "0h"), "nightly.duration", "more"),
    "a duration below nothing": (changed(*NIGHTLY, "duration", "-6h"), "nightly.duration", "30m"),
    "a duration that is empty": (changed(*NIGHTLY, "duration", ""), "nightly.duration", "30m"),
    "a duration out of order": (changed(*NIGHTLY, "duration", "5m6h"), "nightly.duration", "30m"),
    "a duration with a space": (changed(*NIGHTLY, "duration", "6 h"), "nightly.duration", "30m"),
    "a duration of two years": (changed(*NIGHTLY, "duration", "730d"), "nightly.duration", "year"),
    "an unknown class": (
        changed("classes", "offline", {"windows": "always"}),
        "unknown class",
        "online",
    ),
    "classes that are a list": (changed("classes", ["online"]), "classes", "mapping"),
    "a class that is text": (changed("classes", "online", "always"), "classes.online", "mapping"),
    "a class with an unknown key": (
        changed("classes", "online", "window", "always"),
        "classes.online",
        "unknown key `window`",
    ),
    "a window that is not there": (
        changed("classes", "post_deploy", "windows", ["nightly", "dawn"]),
        "",
        "dawn",
    ),
    "windows as one name": (
        changed("classes", "post_deploy", "windows", "nightly"),
        "classes.post_deploy.windows",
        "",
    ),
    "windows as null": (
        changed("classes", "post_deploy", "windows", None),
        "classes.post_deploy.windows",
        "",
    ),
    "always inside a list": (
        changed("classes", "post_deploy", "windows", ["always"]),
        "",
        "always",
    ),
    "no approval required": (
        changed("classes", "manual_backfill", "approval", {"required": 0}),
        "classes.manual_backfill.approval",
        "approval: none",
    ),
    "three approvals": (
        changed("classes", "manual_backfill", "approval", {"required": 3}),
        "classes.manual_backfill.approval",
        "1 or 2",
    ),
    "an approval of true": (
        changed("classes", "manual_backfill", "approval", True),
        "classes.manual_backfill.approval",
        "",
    ),
    "an approval in other words": (
        changed("classes", "manual_backfill", "approval", "no"),
        "classes.manual_backfill.approval",
        "none",
    ),
    "an approval without end": (
        changed("classes", "manual_backfill", "approval", {"ttl": "forever"}),
        "classes.manual_backfill.approval",
        "30m",
    ),
    "an approval with an unknown key": (
        changed("classes", "manual_backfill", "approval", {"by": "root"}),
        "classes.manual_backfill.approval",
        "unknown key `by`",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_policy_says_where_and_why_and_denies_everything(name: str) -> None:
    data, place, reason = BAD[name]
    assert_invalid(read(data, "policy.yaml"), place, reason)


def test_a_duration_too_large_for_any_clock_is_invalid_and_no_crash() -> None:
    data = changed(*NIGHTLY, "duration", "99999999999999d")
    assert_invalid(read(data, "policy.yaml"), "nightly.duration", "")


@pytest.mark.parametrize("name", ["localtime", "right/Europe/Berlin", "posixrules"])
def test_a_zone_that_only_this_machine_knows_is_no_iana_zone(name: str) -> None:
    assert_invalid(read(changed("timezone", name), "policy.yaml"), "timezone", "zone")


LATER: dict[str, tuple[Any, ...]] = {
    "cutoff": (*NIGHTLY, "cutoff", "15m"),
    "a hard freeze": (*NIGHTLY, "hard", True),
    "a soft freeze": (*NIGHTLY, "hard", False),
    "from": (*NIGHTLY, "from", "2026-12-18T00:00"),
    "until": (*NIGHTLY, "until", "2027-01-04T06:00"),
    "deploy signal": ("classes", "post_deploy", "deploy_signal", {"file": "/run/d.json"}),
    "soak": ("classes", "post_deploy", "soak", "30m"),
    "gates of a class": ("classes", "post_deploy", "gates", ["app-ready"]),
    "verify_for": ("classes", "post_deploy", "verify_for", "5m"),
    "deadline": ("classes", "post_deploy", "deadline", "14d"),
    "batch": ("classes", "manual_backfill", "batch", {"size": 50, "pause": "10s"}),
    "gates": ("gates", {"app-ready": {"http": "http://127.0.0.1:8080/ready"}}),
    "no gates": ("gates", {}),
    "gates of null": ("gates", None),
    "overrides": ("overrides", {"allowed": True}),
    "override of a class": ("classes", "post_deploy", "override", True),
}


@pytest.mark.parametrize("name", LATER)
def test_what_this_version_does_not_support_is_refused_by_name_and_never_ignored(
    name: str,
) -> None:
    *path, key, _ = LATER[name]
    got = read(changed(*LATER[name]), "policy.yaml")
    assert_invalid(got, "", "")
    assert any(key in p.message for p in got.problems)
    named = [p for p in got.problems if not path or path[-1] in p.message]
    assert named
    if "override" not in key:  # a key of the design that a later version takes says so
        assert any("not supported by this version" in p.message for p in named)


def test_an_unsupported_freeze_as_the_design_writes_it_is_refused() -> None:
    xmas = {"kind": "deny", "from": "2026-12-18T00:00", "until": "2027-01-04T06:00", "hard": True}
    assert_invalid(read(changed("windows", "xmas", xmas), "policy.yaml"), "windows.xmas", "support")


def test_two_defects_in_two_places_are_both_reported() -> None:
    data = changed(*NIGHTLY, "start", "25:00")
    data["windows"]["lunch"]["end"] = "noon"
    data["timezone"] = "Nowhere/Else"
    places = " ".join(p.message for p in read(data, "policy.yaml").problems)
    assert "nightly.start" in places
    assert "lunch.end" in places
    assert "timezone" in places


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "timezone",
                    "windows",
                    "classes",
                    "online",
                    "nightly",
                    "kind",
                    "days",
                    "start",
                    "end",
                    "duration",
                    "approval",
                    "required",
                    "ttl",
                    "gates",
                    "soak",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(JSON)
def test_no_value_makes_reading_raise(data: Any) -> None:
    got = read(data, "policy.yaml")
    assert got.state in ("present", "invalid")
    assert (got.state == "invalid") is bool(got.problems)
    if got.state == "invalid":
        assert not got.classes


PLACES = [
    ("timezone",),
    ("windows",),
    (*NIGHTLY,),
    (*NIGHTLY, "kind"),
    (*NIGHTLY, "days"),
    (*NIGHTLY, "start"),
    (*NIGHTLY, "duration"),
    ("windows", "lunch", "end"),
    ("classes",),
    ("classes", "post_deploy"),
    ("classes", "post_deploy", "windows"),
    ("classes", "manual_backfill", "approval"),
    ("classes", "manual_backfill", "approval", "required"),
    ("classes", "manual_backfill", "approval", "ttl"),
]


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.sampled_from(PLACES), JSON)
def test_no_value_in_any_place_makes_reading_raise(place: tuple[str, ...], value: Any) -> None:
    got = read(changed(*place, value), "policy.yaml")
    assert (got.state == "invalid") is bool(got.problems)


# --- the three states


def verdicts(policy: Policy, now: Any = NOON) -> list[tuple[str, str]]:
    answers = [decide(policy, Facts("t", migration(1, kind)), now) for kind in CLASSES]
    return [(a.verdict, a.primary) for a in answers]


def test_without_a_policy_only_online_runs() -> None:
    assert policies.MISSING.state == "missing"
    assert verdicts(policies.MISSING) == [
        ("allow", "allowed_online"),
        ("hold", "policy_missing"),
        ("hold", "policy_missing"),
    ]


def test_a_policy_that_is_named_and_not_there_denies_online_too() -> None:
    gone = policies.invalid([Problem("policy_invalid", "p", "the file is not there", "put it")])
    assert verdicts(gone) == [("block", "policy_invalid")] * 3


def test_the_three_states_have_three_digests() -> None:
    digests = {
        policies.MISSING.digest,
        read(good(), "policy.yaml").digest,
        read({}, "policy.yaml").digest,
        read([], "policy.yaml").digest,
    }
    assert len(digests) == 4


# --- defaults


def test_a_good_policy_is_read_as_written() -> None:
    got = read(good(), "policy.yaml")
    assert (got.state, got.problems) == ("present", ())
    assert set(got.classes) == set(CLASSES)
    assert got.classes["online"].always
    assert not got.classes["post_deploy"].always
    nightly, lunch = got.classes["post_deploy"].windows
    assert (nightly.kind, nightly.zone.key, nightly.days) == (
        "allow",
        "Europe/Berlin",
        frozenset({0, 1, 2, 3}),
    )
    assert (nightly.duration, nightly.end) == (timedelta(hours=6), None)
    assert (lunch.kind, lunch.zone.key, lunch.days) == ("deny", "America/New_York", frozenset({4}))
    assert (lunch.duration, lunch.nominal) == (None, timedelta(hours=2))


def test_defaults_are_utc_every_day_and_no_window_for_a_class_that_is_not_named() -> None:
    data = {
        "windows": {"w": {"kind": "allow", "start": "10:00", "duration": "1h"}},
        "classes": {"post_deploy": {"windows": ["w"]}},
    }
    got = read(data, "policy.yaml")
    (one,) = got.classes["post_deploy"].windows
    assert (one.zone.key, one.days) == ("UTC", frozenset(range(7)))
    assert verdicts(got) == [
        ("allow", "allowed_online"),
        ("hold", "outside_window"),
        ("hold", "no_window_configured"),
    ]


def test_a_class_without_windows_denies_online_too() -> None:
    got = read({"classes": {"online": {}, "post_deploy": {"windows": []}}}, "policy.yaml")
    assert [v for v, _ in verdicts(got)] == ["hold"] * 3
    assert verdicts(got)[0][1] == "no_window_configured"
    assert verdicts(got)[1][1] == "no_window_configured"


def test_a_class_that_lists_only_a_deny_window_has_no_window() -> None:
    got = read(changed("classes", "post_deploy", "windows", ["lunch"]), "policy.yaml")
    assert verdicts(got)[1] == ("hold", "no_window_configured")


@pytest.mark.parametrize("listed", [True, False])
def test_a_deny_window_applies_to_every_class_listed_or_not(listed: bool) -> None:
    data: dict[str, Any] = {
        "windows": {
            "all": {"kind": "allow", "start": "00:00", "duration": "24h"},
            "noon": {"kind": "deny", "start": "12:00", "end": "13:00"},
        },
        "classes": {
            "online": {"windows": "always"},
            "post_deploy": {"windows": ["all", *(["noon"] if listed else [])]},
            "manual_backfill": {"windows": "always", "approval": "none"},
        },
    }
    got = read(data, "policy.yaml")
    assert verdicts(got) == [("hold", "denied_by_window")] * 3
    assert [v for v, _ in verdicts(got, NOON + timedelta(hours=1))] == ["allow"] * 3


def test_a_deny_window_denies_a_class_that_the_policy_does_not_name() -> None:
    data = {"windows": {"noon": {"kind": "deny", "start": "12:00", "end": "13:00"}}}
    assert verdicts(read(data, "policy.yaml"))[0] == ("hold", "denied_by_window")


@pytest.mark.parametrize(
    ("kind", "approval", "required"),
    [
        ("manual_backfill", ..., 1),
        ("manual_backfill", None, 1),
        ("manual_backfill", "none", 0),
        ("manual_backfill", {}, 1),
        ("manual_backfill", {"required": 2}, 2),
        ("post_deploy", ..., 0),
        ("post_deploy", "none", 0),
        ("post_deploy", {"required": 2}, 2),
        ("online", ..., 0),
        ("online", {"required": 1}, 1),
    ],
)
def test_the_number_of_approvals(kind: str, approval: Any, required: int) -> None:
    data = good()
    data["classes"][kind] = {"windows": ["nightly"]}
    if approval is not ...:
        data["classes"][kind]["approval"] = approval
    rule = read(data, "policy.yaml").classes[kind].approval
    assert (rule.required if rule is not None else 0) == required


def test_a_backfill_that_the_policy_does_not_name_still_needs_an_approval() -> None:
    rule = read(without("classes", "manual_backfill"), "policy.yaml").classes["manual_backfill"]
    assert rule.approval is not None
    assert (rule.approval.required, rule.approval.ttl) == (1, timedelta(hours=24))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("6h", timedelta(hours=6)),
        ("1d12h", timedelta(hours=36)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("366d", timedelta(days=366)),
    ],
)
def test_a_duration_is_read(text: str, wanted: timedelta) -> None:
    assert duration(text) == wanted


# --- the digest


def test_the_digest_is_stable_over_the_order_of_keys_and_repeated_reading() -> None:
    data = good()
    turned = {k: data[k] for k in reversed(data)}
    turned["classes"] = {k: data["classes"][k] for k in reversed(data["classes"])}
    assert read(data, "a").digest == read(copy.deepcopy(data), "b").digest
    assert read(turned, "a").digest == read(data, "a").digest


@pytest.mark.parametrize(
    "data",
    [
        changed("timezone", "Europe/Paris"),
        changed(*NIGHTLY, "duration", "7h"),
        changed(*NIGHTLY, "days", ["mon"]),
        changed("windows", "lunch", "end", "14:01"),
        changed("classes", "online", "windows", ["nightly"]),
        changed("classes", "manual_backfill", "approval", "none"),
        changed("classes", "manual_backfill", "approval", {"required": 2, "ttl": "24h"}),
        without("windows", "lunch"),
        without("classes", "manual_backfill"),
    ],
)
def test_the_digest_changes_with_the_content(data: Any) -> None:
    got = read(data, "policy.yaml")
    assert got.state == "present"
    assert got.digest != read(good(), "policy.yaml").digest


def test_an_unknown_window_has_its_line_and_a_suggestion() -> None:
    data = {
        "windows": {"nightly": {"kind": "allow", "start": "22:00", "duration": "2h"}},
        "classes": {"online": {"windows": ["nihgtly"]}, "post_deploy": {"windows": ["x"]}},
    }
    lines = {("classes", "online", "windows", 0): 7, ("classes", "post_deploy"): 9}
    got = read(data, "policy.yaml", lines)
    assert got.state == "invalid"
    assert [(p.place, p.message) for p in got.problems] == [
        (
            "policy.yaml:7",
            "class `online` names the unknown window `nihgtly`; did you mean `nightly`?",
        ),
        ("policy.yaml:9", "class `post_deploy` names the unknown window `x`"),
    ]
    assert all(p.fix == "known are `nightly`; until then nothing runs" for p in got.problems)


def test_a_misspelt_zone_gets_a_suggestion() -> None:
    got = read({"timezone": "Europe/Berln"}, "policy.yaml", {("timezone",): 1})
    [problem] = got.problems
    assert problem.place == "policy.yaml:1"
    assert problem.message.endswith("zone; did you mean `Europe/Berlin`?")
