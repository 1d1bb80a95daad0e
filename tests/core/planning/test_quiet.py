"""When a file is quiet enough to be touched."""

from __future__ import annotations

import pytest

from confmig.core.planning.quiet import Quiet, Rule, Sight, Unquiet

RULE = Rule(settle=0.1, settle_new=1.0, wait=30.0)


def sight(
    now: float,
    *,
    writing: bool = False,
    changed: object = "a",
    age: float = 1000.0,
    recorded: bool = True,
    ours: bool = False,
) -> Sight:
    return Sight(writing, changed, age, recorded, ours, now)


def test_a_file_that_nobody_writes_and_that_is_old_is_quiet() -> None:
    assert Quiet(RULE).look("f", sight(5.0)) is None


def test_a_file_that_is_open_for_writing_is_not_however_old() -> None:
    found = Quiet(RULE).look("f", sight(5.0, writing=True))
    assert found == Unquiet(open=True, seconds=1.0, overdue=False)


@pytest.mark.parametrize(("recorded", "needed"), [(True, 0.1), (False, 1.0)])
def test_a_file_must_have_been_still_and_a_new_one_for_longer(
    recorded: bool, needed: float
) -> None:
    quiet = Quiet(RULE)
    found = quiet.look("f", sight(5.0, age=needed - 0.05, recorded=recorded))
    assert found is not None
    assert not found.open
    assert found.seconds == pytest.approx(0.05)
    assert quiet.look("f", sight(5.05, age=needed, recorded=recorded)) is None


def test_what_our_own_transaction_left_need_not_settle() -> None:
    assert Quiet(RULE).look("f", sight(5.0, age=0.0, ours=True)) is None


def test_but_a_writer_counts_on_our_own_result_too() -> None:
    assert Quiet(RULE).look("f", sight(5.0, age=0.0, ours=True, writing=True)) is not None


def test_a_time_stamp_of_the_future_holds_a_file_no_longer_than_it_is_seen_unchanged() -> None:
    quiet = Quiet(RULE)
    assert quiet.look("f", sight(5.0, age=-3600.0)) is not None
    assert quiet.look("f", sight(5.09, age=-3600.0)) is not None
    assert quiet.look("f", sight(5.11, age=-3600.0)) is None


def test_a_change_begins_the_settling_anew() -> None:
    quiet = Quiet(RULE)
    assert quiet.look("f", sight(5.0, age=-1.0)) is not None
    assert quiet.look("f", sight(5.09, age=-1.0, changed="b")) is not None
    assert quiet.look("f", sight(5.15, age=-1.0, changed="b")) is not None
    assert quiet.look("f", sight(5.19, age=-1.0, changed="b")) is None


def test_it_is_overdue_once_it_was_not_quiet_for_as_long_as_the_rule_waits() -> None:
    quiet = Quiet(RULE)
    for now, overdue in ((0.0, False), (29.9, False), (30.0, True), (31.0, True)):
        found = quiet.look("f", sight(now, writing=True, changed=now))
        assert found is not None
        assert found.overdue is overdue
    assert quiet.look("f", sight(32.0)) is None
    again = quiet.look("f", sight(33.0, writing=True))
    assert again is not None
    assert not again.overdue, "a quiet moment in between ends the waiting"


def test_a_file_that_changes_all_the_time_is_overdue_too() -> None:
    quiet = Quiet(RULE)
    quiet.look("f", sight(0.0, age=0.0, changed=0))
    found = quiet.look("f", sight(30.0, age=0.0, changed=1))
    assert found is not None
    assert found.overdue
    assert not found.open


def test_migrate_open_lets_an_overdue_writer_keep_its_file_open() -> None:
    quiet = Quiet(Rule(wait=30.0, migrate_open=True))
    assert quiet.look("f", sight(0.0, writing=True)) is not None
    assert quiet.look("f", sight(29.0, writing=True)) is not None
    assert quiet.look("f", sight(30.0, writing=True)) is None
    assert quiet.look("f", sight(31.0, writing=True)) is None, "and it stays so"


def test_migrate_open_still_lets_a_file_settle() -> None:
    quiet = Quiet(Rule(wait=0.0, migrate_open=True))
    found = quiet.look("f", sight(0.0, writing=True, age=0.0))
    assert found is not None
    assert not found.open


def test_files_are_judged_each_by_itself() -> None:
    quiet = Quiet(RULE)
    assert quiet.look("a", sight(0.0, writing=True)) is not None
    assert quiet.look("b", sight(0.0)) is None
