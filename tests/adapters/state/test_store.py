"""The state: all or nothing, one way to write, readable beside the writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from confmig.adapters.state.store import Hold, Store, Transaction, stamp
from confmig.core.policy.decide import Approval
from confmig.core.transaction.phases import Phase
from confmig.errors import ConfmigError, Fault, Refused
from confmig_otel import events as ev

NOW = datetime(2026, 11, 22, 8, 0, 0, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as one:
        yield one


def row(name: str, phase: Phase = Phase.STAGING, target: str = "app") -> Transaction:
    plan: dict[str, Any] = {"files": [], "details": {}}
    return Transaction(
        name, 0, target, "apply", "online", phase, plan, "c", None, None, stamp(NOW), None, None
    )


class Boom(Exception):
    """Stands for whatever goes wrong inside of a commit."""


def fails(store: Store, *writes: Callable[[], object]) -> None:
    """Write in a commit that ends with an exception."""
    with store.commit():
        for write in writes:
            write()
        raise Boom


def told(number: int) -> ev.Event:
    return ev.event(ev.STARTED, {ev.TARGET: "app", ev.ORDER: number})


def test_a_stamp_always_has_microseconds() -> None:
    assert stamp(NOW) == "2026-11-22T08:00:00.000005Z"
    assert stamp(NOW.replace(microsecond=0)) == "2026-11-22T08:00:00.000000Z"


def test_what_is_inside_one_commit_is_together_or_not_at_all(store: Store) -> None:
    with pytest.raises(Boom):
        fails(
            store,
            lambda: store.begin(row("t1")),
            lambda: store.add_events([told(1)], NOW),
            lambda: store.record_document("app", "app", "a.yaml", 1, "d", "t1"),
        )
    assert store.transaction("t1") is None
    assert store.outbox() == []
    assert store.documents("app") == {}
    with store.commit():
        store.begin(row("t1"))
    assert store.transaction("t1") is not None


def test_nothing_is_written_outside_a_commit(store: Store) -> None:
    for write in (
        lambda: store.begin(row("t1")),
        lambda: store.add_events([told(1)], NOW),
        lambda: store.record_document("app", "app", "a.yaml", 1, "d", "t1"),
        lambda: store.move("t1", Phase.PREPARED),
        lambda: store.set_hold("app", Hold("m", "rolled_back", "", "", stamp(NOW))),
        lambda: store.consume(["x"], "t1"),
        lambda: store.announce("app", "x", "y"),
    ):
        with pytest.raises(RuntimeError):
            write()


def test_a_move_that_is_not_in_the_table_is_a_bug(store: Store) -> None:
    with store.commit():
        store.begin(row("t1"))
    with pytest.raises(RuntimeError), store.commit():
        store.move("t1", Phase.COMMITTED)
    with store.commit():
        store.move("t1", Phase.PREPARED)
        store.move("t1", Phase.COMMITTED, now=NOW)
        store.move("t1", Phase.DONE)
    found = store.transaction("t1")
    assert found is not None
    assert (found.phase, found.ended_at) == (Phase.DONE, stamp(NOW))


def test_unfinished_and_conflicts_belong_to_their_target(store: Store) -> None:
    with store.commit():
        for name, target in (("t1", "app"), ("t2", "other"), ("t3", "app")):
            store.begin(row(name, target=target))
            store.move(name, Phase.PREPARED)
        store.move("t3", Phase.CONFLICT, now=NOW, error={"type": "x"})
    assert [t.id for t in store.unfinished("app")] == ["t1"]
    assert [t.id for t in store.conflicts("app")] == ["t3"]
    assert store.conflicts("other") == []
    last = store.last("app")
    assert last is not None
    assert (last.id, last.error) == ("t3", {"type": "x"})


def test_events_have_unique_ids_that_are_never_used_again(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        with store.commit():
            store.add_events([told(1), told(2)], NOW, ("0" * 31 + "1", "0" * 15 + "2"))
        with pytest.raises(Boom):
            fails(store, partial(store.add_events, [told(3)], NOW))
        with store.commit():
            store.mark_delivered([1], NOW)
            store.db.execute("DELETE FROM events WHERE seq=2")
    with Store.open(tmp_path) as store:
        with store.commit():
            store.add_events([told(4)], NOW)
        [waiting] = store.outbox()
        assert waiting.seq == 3
        assert waiting.uid == f"{store.install_id}-3"
        assert waiting.time_ns == int(NOW.timestamp() * 1_000_000) * 1000
        assert [e["seq"] for e in store.history()] == [1, 3]


def test_the_outbox_counts_what_waits(store: Store) -> None:
    with store.commit():
        store.add_events([told(n) for n in range(5)], NOW)
    with store.commit():
        store.mark_delivered([1, 2], NOW)
        store.mark_rejected([3], "http_400")
    assert [r.seq for r in store.outbox()] == [4, 5]
    assert store.outbox_size()[0] == 2
    assert store.rejected_count() == 1
    assert store.outbox_head() == 5


def test_an_approval_is_spent_once(store: Store) -> None:
    yes = Approval("y", "app", "0001_x", "sum", "policy", 7, NOW + timedelta(hours=1))
    with store.commit():
        store.approve(yes, "because", NOW)
    assert store.approvals("app") == (yes,)
    assert store.approvals("other") == ()
    with pytest.raises(Boom):
        fails(store, lambda: store.consume(["y"], "t1"))
    assert store.approvals("app") == (yes,)
    with store.commit():
        store.consume(["y"], "t1")
    assert store.approvals("app") == ()


def test_what_was_said_is_remembered(store: Store) -> None:
    with store.commit():
        assert store.announce("app", "policy", "a")
        assert not store.announce("app", "policy", "a")
        assert store.announce("app", "policy", "b")
        assert store.announce("other", "policy", "b")


def test_readers_read_beside_the_writer(tmp_path: Path) -> None:
    assert Store.read_only(tmp_path) is None
    with Store.open(tmp_path) as store:
        with store.commit():
            store.begin(row("t1"))
            reader = Store.read_only(tmp_path)
            assert reader is not None
            assert reader.transaction("t1") is None
        assert reader.transaction("t1") is not None
        with pytest.raises((sqlite3.Error, ConfmigError)), reader.commit():
            reader.begin(row("t2"))
        reader.close()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.db.execute("UPDATE meta SET value='999' WHERE key='format'")
    for open_ in (Store.open, Store.read_only):
        with pytest.raises(Refused) as caught:
            open_(tmp_path)
        assert caught.value.code == "state_too_new"


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to look" * 9])
def test_a_damaged_state_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.db").write_bytes(content)
    for open_ in (Store.open, Store.read_only):
        with pytest.raises(Fault) as caught:
            open_(tmp_path)
        assert caught.value.code == "state_unreadable"


def test_a_state_that_was_half_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "state.db.new").write_bytes(b"half")
    with Store.open(tmp_path) as store:
        assert store.install_id
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("state.db.new*"))


def test_a_strange_folder_name(tmp_path: Path) -> None:
    folder = tmp_path / "a ?mode=rw#%41"
    folder.mkdir()
    Store.open(folder).close()
    reader = Store.read_only(folder)
    assert reader is not None
    reader.close()
