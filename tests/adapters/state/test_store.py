"""The state: all or nothing, one way to write, readable beside the writer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from confmig.adapters.files.metadata import Metadata
from confmig.adapters.state.connection import stamp
from confmig.adapters.state.documents import Recorded
from confmig.adapters.state.records import (
    Details,
    Failure,
    FilePlan,
    Placed,
    RollbackDetails,
    details_of,
    numbers,
    ranges,
)
from confmig.adapters.state.reported import Subject
from confmig.adapters.state.store import Store
from confmig.core.bundle.history import Released
from confmig.core.planning.holds import Hold
from confmig.core.planning.regressions import Regression
from confmig.core.policy.decide import Approval
from confmig.core.transaction.phases import Phase
from confmig.errors import ConfmigError, Fault, Refused
from confmig_otel import events as ev
from tests.support.planned import details, planned

NOW = datetime(2026, 11, 22, 8, 0, 0, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as one:
        yield one


def begin(store: Store, name: str, target: str = "app") -> None:
    store.transactions.begin(planned(name, target, ()), (), NOW)


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
            partial(begin, store, "t1"),
            lambda: store.events.add([told(1)], NOW),
            lambda: store.documents.record("app", "app", "a.yaml", Recorded(1, "d", "t1")),
        )
    assert store.transactions.get("t1") is None
    assert store.events.outbox() == []
    assert store.documents.all("app") == {}
    with store.commit():
        begin(store, "t1")
    assert store.transactions.get("t1") is not None


def test_nothing_is_written_outside_a_commit(store: Store) -> None:
    writes: tuple[Callable[[], object], ...] = (
        partial(begin, store, "t1"),
        lambda: store.events.add([told(1)], NOW),
        lambda: store.documents.record("app", "app", "a.yaml", Recorded(1, "d", "t1")),
        lambda: store.transactions.move("t1", Phase.PREPARED),
        lambda: store.holds.set("app", Hold("m", "rolled_back", "", "", stamp(NOW))),
        lambda: store.approvals.consume(["x"], "t1"),
        lambda: store.reported.remember("app", Subject.POLICY, "y"),
    )
    for write in writes:
        with pytest.raises(RuntimeError):
            write()


def test_a_move_that_is_not_in_the_table_is_a_bug(store: Store) -> None:
    with store.commit():
        begin(store, "t1")
    with pytest.raises(RuntimeError), store.commit():
        store.transactions.move("t1", Phase.COMMITTED)
    with store.commit():
        store.transactions.move("t1", Phase.PREPARED)
        store.transactions.move("t1", Phase.COMMITTED, now=NOW)
        store.transactions.move("t1", Phase.DONE)
    found = store.transactions.get("t1")
    assert found is not None
    assert (found.phase, found.ended_at) == (Phase.DONE, stamp(NOW))


def test_unfinished_and_conflicts_belong_to_their_target(store: Store) -> None:
    with store.commit():
        for name, target in (("t1", "app"), ("t2", "other"), ("t3", "app")):
            begin(store, name, target)
            store.transactions.move(name, Phase.PREPARED)
        store.transactions.move("t3", Phase.CONFLICT, now=NOW, error=Failure("x", "", "", ""))
    assert [t.id for t in store.transactions.unfinished("app")] == ["t1"]
    assert [t.id for t in store.transactions.conflicts("app")] == ["t3"]
    assert store.transactions.conflicts("other") == []
    last = store.transactions.last("app")
    assert last is not None
    assert (last.id, last.error) == ("t3", Failure("x", "", "", ""))


def test_events_have_unique_ids_that_are_never_used_again(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        with store.commit():
            store.events.add([told(1), told(2)], NOW, ("0" * 31 + "1", "0" * 15 + "2"))
        with pytest.raises(Boom):
            fails(store, partial(store.events.add, [told(3)], NOW))
        with store.commit():
            store.events.mark_delivered([1], NOW)
            store.connection.db.execute("DELETE FROM events WHERE seq=2")
    with Store.open(tmp_path) as store:
        with store.commit():
            store.events.add([told(4)], NOW)
        [waiting] = store.events.outbox()
        assert waiting.seq == 3
        assert waiting.uid == f"{store.install_id}-3"
        assert waiting.time_ns == int(NOW.timestamp() * 1_000_000) * 1000
        assert [e["seq"] for e in store.events.history()] == [1, 3]


def test_the_outbox_counts_what_waits(store: Store) -> None:
    with store.commit():
        store.events.add([told(n) for n in range(5)], NOW)
    with store.commit():
        store.events.mark_delivered([1, 2], NOW)
        store.events.mark_rejected([3], "http_400")
    assert [r.seq for r in store.events.outbox()] == [4, 5]
    assert store.events.waiting()[0] == 2
    assert store.events.rejected() == 1
    assert store.events.newest() == 5


def test_an_approval_is_spent_once(store: Store) -> None:
    yes = Approval("y", "app", "0001_x", "sum", "policy", 7, NOW + timedelta(hours=1))
    with store.commit():
        store.approvals.add(yes, "because", NOW)
    assert store.approvals.unspent("app") == (yes,)
    assert store.approvals.unspent("other") == ()
    with pytest.raises(Boom):
        fails(store, lambda: store.approvals.consume(["y"], "t1"))
    assert store.approvals.unspent("app") == (yes,)
    with store.commit():
        store.approvals.consume(["y"], "t1")
    assert store.approvals.unspent("app") == ()


def test_what_was_reported_is_remembered(store: Store) -> None:
    reported = store.reported
    assert reported.state("app", Subject.POLICY) == ""
    with store.commit():
        reported.remember("app", Subject.POLICY, "a")
        reported.remember("other", Subject.POLICY, "b")
        reported.remember_deferred("app", "online", {"x": ["m1", "m2"], "a": ["m3"]})
        reported.remember_deferred("app", "online", {"x": ["m2"]})
        reported.remember_finished("app", {"f": "key"})
        assert reported.remember_failure("app", "m", "f", "k", late=True)
        assert not reported.remember_failure("app", "m", "f", "k", late=True)
        assert reported.remember_failure("app", "m", "f", "k", late=False)
        assert reported.remember_failure("app", "m", "f", "other", late=True)
        assert reported.remember_rescue("app", "file")
        assert not reported.remember_rescue("app", "file")
    assert reported.state("app", Subject.POLICY) == "a"
    assert reported.deferred("app", "online") == {"x": ["m2"]}
    assert reported.deferred("app", "post_deploy") == {}
    assert reported.finished("app") == {"f": "key"}
    assert reported.failures("app", late=True) == {("m", "f"): "other"}


def test_regressions_are_remembered_by_document(store: Store) -> None:
    times = (Regression("t1", NOW), Regression("t2", NOW + timedelta(minutes=1)))
    with store.commit():
        store.reported.remember_regressions("app", "a.yaml", times)
    assert store.reported.regressions("app") == {"a.yaml": times}
    with store.commit():
        store.reported.remember_regressions("app", "a.yaml", times[1:])
    assert store.reported.regressions("app") == {"a.yaml": times[1:]}


def test_the_files_of_a_transaction_come_back_in_order_and_backwards(store: Store) -> None:
    """More than one chunk of them."""
    metadata = Metadata(0o640, 1, 2, {"user.x": "00"})
    files = [
        FilePlan(
            f"{n}.yaml", f".t-{n}", "app", "yaml", f"old{n}", f"new{n}", n, n + 3,
            ("0001_a", "0002_b", "0004_d"), metadata, n == 7, "src" if n == 3 else None, n, n + 1,
        )
        for n in range(1203)
    ]  # fmt: skip
    names = ("0001_a", "0002_b", "0003_c", "0004_d")
    plan = planned("t1", "app", files, migrations=names)
    with store.commit():
        store.transactions.begin(plan, files, NOW)
    found = store.transactions.get("t1")
    assert found is not None
    rows = store.transactions.files(found.plan)
    assert (len(rows), list(rows)) == (1203, files)
    assert list(reversed(rows)) == files[::-1]
    assert rows.named("600.yaml") == files[600]
    assert rows.named("x.yaml") is None
    assert found.plan.details == plan.details
    assert store.transactions.paths("t1") == [f.path for f in files]
    assert set(store.transactions.image_hashes("t1")) == {
        *(f.old for f in files), *(f.new for f in files), "src",
    }  # fmt: skip


def test_a_recorded_plan_never_gives_privileges(store: Store) -> None:
    metadata = Metadata(0o4755, 0, 0)
    file = FilePlan("a", "t", "app", "yaml", "o", "n", 0, 1, ("0001_x",), metadata)
    plan = planned("t1", "app", (file,))
    with store.commit():
        store.transactions.begin(plan, plan.files, NOW)
    with pytest.raises(Refused) as caught:
        list(store.transactions.files(plan))
    assert caught.value.code == "state_untrusted"


@pytest.mark.parametrize("kind", ["apply", "rollback"])
def test_details_come_back_as_they_were(kind: str) -> None:
    made: Details = details("0001_x", "0002_y")
    if kind == "rollback":
        made = RollbackDetails(
            made.migrations, "m", (Released(1, "0001_x", "s", {"app": 1}),), "uid:1", 1.5, "c",
            ("t1", "t2"), hold=False, redo=True, placed=(Placed("app", "a.yaml", 2, "d"),),
            trace=("1", "2"),
        )  # fmt: skip
    data = json.loads(json.dumps(made.to_json()))
    assert data["format"] == 1
    assert details_of(kind, data) == made


@pytest.mark.parametrize("listed", [[], [0], [0, 1, 2], [0, 2, 3, 7], list(range(40))])
def test_ascending_numbers_are_short_text(listed: list[int]) -> None:
    assert numbers(ranges(listed)) == listed


def test_readers_read_beside_the_writer(tmp_path: Path) -> None:
    assert Store.read_only(tmp_path) is None
    with Store.open(tmp_path) as store:
        with store.commit():
            begin(store, "t1")
            reader = Store.read_only(tmp_path)
            assert reader is not None
            assert reader.transactions.get("t1") is None
        assert reader.transactions.get("t1") is not None
        with pytest.raises((sqlite3.Error, ConfmigError)), reader.commit():
            begin(reader, "t2")
        reader.close()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.connection.db.execute("UPDATE meta SET value='999' WHERE key='format'")
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
