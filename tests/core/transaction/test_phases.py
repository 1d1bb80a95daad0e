"""The moves of a transaction and of its recovery are exactly the documented tables."""

from __future__ import annotations

from itertools import product

import pytest

from confmig.core.transaction.phases import (
    MOVES,
    UNFINISHED,
    Image,
    Phase,
    Recovery,
    after_undo,
    agreed_phase,
    check_move,
    recovery,
)

ALLOWED = {
    ("STAGING", "PREPARED"),
    ("STAGING", "ABORTED"),
    ("PREPARED", "COMMITTED"),
    ("PREPARED", "ABORTED"),
    ("PREPARED", "CONFLICT"),
    ("COMMITTED", "DONE"),
    ("CONFLICT", "COMMITTED"),
    ("CONFLICT", "ABORTED"),
}
PAIRS = [(a, b) for a in Phase for b in Phase]
FOREIGN = {Image.EDITED_OLD, Image.EDITED_NEW}
SETS = [images for n in range(1, 5) for images in product(Image, repeat=n)]


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{a}-{b}" for a, b in PAIRS])
def test_a_move_is_taken_exactly_if_the_table_has_it(before: Phase, after: Phase) -> None:
    if (before.value, after.value) in ALLOWED:
        check_move(before, after)
    else:
        with pytest.raises(RuntimeError, match=f"from {before} to {after}"):
            check_move(before, after)


def test_every_phase_has_its_line_in_the_table_and_ends_are_ends() -> None:
    assert set(MOVES) == set(Phase)
    assert {p for p in Phase if not MOVES[p]} == {Phase.DONE, Phase.ABORTED}


def test_unfinished_are_the_phases_that_recovery_knows_and_only_those() -> None:
    assert set(UNFINISHED) == {Phase.STAGING, Phase.PREPARED, Phase.COMMITTED}
    for phase in set(Phase) - set(UNFINISHED):
        with pytest.raises(RuntimeError):
            recovery(phase, [Image.OLD])


def test_a_committed_transaction_is_only_cleaned_up_whatever_the_files_hold() -> None:
    assert {recovery(Phase.COMMITTED, s) for s in SETS} == {Recovery.CLEAN_UP}


def test_a_staging_transaction_is_aborted_and_never_carried_on() -> None:
    assert {recovery(Phase.STAGING, s) for s in SETS} == {Recovery.ABORT}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_recovery_of_a_prepared_one_follows_the_images(count: int) -> None:
    for images in product(Image, repeat=count):
        got = recovery(Phase.PREPARED, images)
        if set(images) & FOREIGN:
            assert got is Recovery.UNDO, images
        elif {Image.NEW, Image.TORN} & set(images):
            assert got is Recovery.ROLL_FORWARD, images
        else:
            assert got is Recovery.ABORT, images


def test_recovery_never_starts_a_change_if_no_target_was_exchanged() -> None:
    untouched = [s for s in SETS if not set(s) & {Image.NEW, Image.EDITED_NEW, Image.TORN}]
    for phase in UNFINISHED:
        for images in untouched:
            assert recovery(phase, images) is not Recovery.ROLL_FORWARD


@pytest.mark.parametrize(
    ("images", "phase"),
    [
        ((), Phase.ABORTED),
        ((Image.OLD,), Phase.ABORTED),
        ((Image.OLD, Image.EDITED_OLD), Phase.ABORTED),
        ((Image.EDITED_OLD,), Phase.ABORTED),
        ((Image.EDITED_NEW,), Phase.ABORTED),
        ((Image.EDITED_NEW, Image.EDITED_NEW), Phase.ABORTED),
        ((Image.OLD, Image.EDITED_NEW), Phase.CONFLICT),
        ((Image.EDITED_OLD, Image.EDITED_NEW), Phase.CONFLICT),
        ((Image.NEW,), Phase.CONFLICT),
        ((Image.NEW, Image.OLD), Phase.CONFLICT),
        ((Image.NEW, Image.EDITED_NEW), Phase.CONFLICT),
    ],
)
def test_an_undone_transaction_is_aborted_or_a_conflict_if_still_mixed(
    images: tuple[Image, ...], phase: Phase
) -> None:
    assert after_undo(images) is phase
    assert after_undo(tuple(reversed(images))) is phase


def test_an_undo_ends_where_a_prepared_transaction_may_go() -> None:
    for images in SETS:
        check_move(Phase.PREPARED, after_undo(images))


def test_a_conflict_settles_only_if_all_files_agree_on_one_image() -> None:
    for images in SETS:
        if set(images) == {Image.OLD}:
            assert agreed_phase(images) is Phase.ABORTED
        elif set(images) == {Image.NEW}:
            assert agreed_phase(images) is Phase.COMMITTED
        else:
            assert agreed_phase(images) is None, images


def test_a_settled_conflict_goes_where_the_table_lets_it() -> None:
    for images in ([Image.OLD], [Image.NEW, Image.NEW]):
        phase = agreed_phase(images)
        assert phase is not None
        check_move(Phase.CONFLICT, phase)
