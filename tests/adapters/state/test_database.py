"""The state over time: older formats, the chain of the record, backups."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from confmig.adapters.state import audit
from confmig.adapters.state import format as state_format
from confmig.adapters.state.backup import backup, restore
from confmig.adapters.state.records import Failure
from confmig.adapters.state.reported import Subject
from confmig.adapters.state.store import Store
from confmig.errors import Refused
from confmig_otel import events as ev
from tests.e2e.world import FREE, TWO, World, document, write_bundle

GOLDEN = Path(__file__).parents[2] / "golden"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def revived(folder: Path, number: int) -> World:
    """The world that a release with an older format left.

    One transaction done, one killed between its two exchanges.
    """
    golden = GOLDEN / f"state_format_{number}"
    world = World(folder / "w", bundle=folder / "bundle", policy=FREE)
    shutil.copytree(golden / "bundle", world.bundle)
    shutil.copytree(golden / "config", world.config, dirs_exist_ok=True)
    shutil.copytree(golden / "objects", world.state / "objects")
    (world.state / "checkpoints").mkdir()
    for file in (golden / "checkpoints").iterdir():
        text = file.read_text().replace("{WORLD}", str(world.folder))
        (world.state / "checkpoints" / file.name).write_text(text)
    text = (golden / "state.sql").read_text().replace("{WORLD}", str(world.folder))
    with closing(sqlite3.connect(world.state / "state.db")) as db:
        db.executescript(text)
        if number > 1:  # the paths in the events are other ones here
            audit.chain(db, 0)
            db.commit()
    return world


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_state_of_an_older_format_is_upgraded_finished_and_rolled_back(
    tmp_path: Path, number: int
) -> None:
    world = revived(tmp_path, number)
    assert (world.version("a.yaml"), world.version("b.yaml")) == (3, 2)
    before = world.run("status", "--json")
    assert before.code == 0, before  # readers upgrade a copy of it
    assert before.json["last_checkpoint"]["status"] == "in_progress"
    listed = world.run("history", "--json").json["transactions"]
    assert world.query("SELECT value FROM meta WHERE key='format'") == [(str(number),)]
    done = world.once()
    assert done.code == 0, done
    assert world.query("SELECT value FROM meta WHERE key='format'") == [("4",)]
    assert (world.version("a.yaml"), world.version("b.yaml")) == (3, 3)  # rolled forward
    again = world.run("history", "--json").json["transactions"]
    changing = ("phase", "ended_at", "reversed_by")
    for one, other in zip(listed, again, strict=True):
        assert {k: one[k] for k in one if k not in changing} == {
            k: other[k] for k in other if k not in changing
        }
    assert again[0]["phase"] == "DONE"
    done = world.run("history", "--verify", "--json")
    assert done.code == 0, done
    assert done.json["events"] == len(world.events())
    assert done.json["checkpoints"] == len(listed)
    done = world.run("rollback", "--to", "none")
    assert done.code == 0, done
    for name in "ab":
        assert (world.config / f"{name}.yaml").read_text() == document(name)
    assert world.run("history", "--verify").code == 0


@pytest.mark.parametrize("number", [2, 3])
def test_a_rollback_of_an_older_format_can_be_rolled_back(tmp_path: Path, number: int) -> None:
    """The golden states have one: of the first transaction, before it ran again."""
    world = revived(tmp_path, number)
    assert world.once().code == 0
    rows = world.run("history", "--json").json["transactions"]
    [undone] = [r for r in rows if r["kind"] == "rollback"]
    assert undone["phase"] == "DONE"
    assert [r["reversed_by"] for r in rows if r["id"] < undone["id"]] == [undone["id"]]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_upgraded_state_has_the_tables_of_a_new_one(tmp_path: Path, number: int) -> None:
    world = revived(tmp_path, number)
    Store.open(world.state).close()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    Store.open(fresh).close()

    def tables(folder: Path) -> dict[str, set[str]]:
        with closing(sqlite3.connect(folder / "state.db")) as db:
            names = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
            return {n: {c[1] for c in db.execute(f"PRAGMA table_info({n})")} for n in names}

    assert tables(world.state) == tables(fresh)


def test_what_an_older_format_reported_is_not_reported_again(tmp_path: Path) -> None:
    """One table with prefixes becomes a table for each kind."""
    world = revived(tmp_path, 3)
    at = "2026-11-23T00:00:00+00:00"
    with closing(sqlite3.connect(world.state / "state.db")) as db:
        db.execute("DELETE FROM announced")
        db.executemany(
            "INSERT INTO announced VALUES(?,?,?)",
            [
                ("app", "policy", "present:x"),
                ("", "delivery", "down"),
                ("app", "deferred:online", json.dumps({"outside_window": ["0001_listen"]})),
                ("app", "regressed:sub/a.yaml", json.dumps([["t1", at]])),
                ("app", "settled:b.yaml", "key"),
                ("app", "failure:0001_listen:a:b.yaml", "k1"),
                ("app", "late:0002_feature:c.yaml", "k2"),
                ("app", "rescue:/state/rescue/x", "told"),
                ("app", "migration:0001_listen", "gone"),
            ],
        )
        db.execute("UPDATE transactions SET error=? WHERE phase='PREPARED'", (
            json.dumps({"type": "x", "message": "m", "place": "p", "fix": "f",
                        "files": {"a.yaml": "new", "b.yaml": "old"}}),
        ))  # fmt: skip
        db.commit()
    with Store.open(world.state) as store:
        reported = store.reported
        assert reported.state("app", Subject.POLICY) == "present:x"
        assert reported.state("", Subject.DELIVERY) == "down"
        assert reported.deferred("app", "online") == {"outside_window": ["0001_listen"]}
        [regression] = reported.regressions("app")["sub/a.yaml"]
        assert (regression.transaction, regression.at.isoformat()) == ("t1", at)
        assert reported.finished("app") == {"b.yaml": "key"}
        assert reported.failures("app", late=False) == {("0001_listen", "a:b.yaml"): "k1"}
        assert reported.failures("app", late=True) == {("0002_feature", "c.yaml"): "k2"}
        with store.commit():
            assert not reported.remember_rescue("app", "/state/rescue/x")
        [row] = store.transactions.unfinished("app")
        assert row.error == Failure("x", "m", "p", "f")
        assert store.transactions.found(row.id) == {"a.yaml": "new", "b.yaml": "old"}


def test_an_upgrade_that_dies_leaves_the_old_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = revived(tmp_path, 1)
    before = world.dump()

    def dies(db: sqlite3.Connection, after: int) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(audit, "chain", dies)
    with pytest.raises(RuntimeError):
        Store.open(world.state)
    assert world.dump() == before


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_format_is_refused_and_untouched(tmp_path: Path, *, read_only: bool) -> None:
    Store.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        db.execute("UPDATE meta SET value=? WHERE key='format'", (state_format.FORMAT + 1,))
        db.commit()
    with pytest.raises(Refused) as caught:
        Store.read_only(tmp_path) if read_only else Store.open(tmp_path)
    assert caught.value.code == "state_too_new"


# --- the chain


def with_events(folder: Path, count: int) -> Store:
    store = Store.open(folder)
    for number in range(count):
        with store.commit():
            event = ev.event(ev.DRIFT, {ev.TARGET: "t", ev.PATH: f"ä{number}", ev.REASON: "x"})
            store.events.add([event, event], NOW)
    return store


def test_the_record_is_whole(tmp_path: Path) -> None:
    with with_events(tmp_path, 5) as store:
        assert audit.verify(store.connection.db) == audit.Verdict(10, None)
        with store.commit():
            store.events.mark_delivered([1, 2, 3], NOW)  # delivery is no part of what was said
        assert audit.verify(store.connection.db) == audit.Verdict(10, None)


@pytest.mark.parametrize(
    ("tamper", "at"),
    [
        ("UPDATE events SET attributes='{}' WHERE seq=4", 4),
        ("UPDATE events SET time_ns=time_ns+1 WHERE seq=1", 1),
        ("UPDATE events SET severity=17 WHERE seq=10", 10),
        ("DELETE FROM events WHERE seq=4", 5),
        ("DELETE FROM events WHERE seq=1", 2),
        ("DELETE FROM events WHERE seq>8", 9),
        ("UPDATE events SET hash='0' WHERE seq=7", 7),
        ("UPDATE events SET uid='other' WHERE seq=3", 3),
    ],
)
def test_what_was_changed_afterwards_is_found_at_its_place(
    tmp_path: Path, tamper: str, at: int
) -> None:
    with with_events(tmp_path, 5) as store:
        store.connection.db.execute(tamper)
        assert audit.verify(store.connection.db).broken_at == at


def test_pruned_events_leave_an_anchor(tmp_path: Path) -> None:
    with with_events(tmp_path, 5) as store:
        with store.commit():
            assert audit.prune(store.connection.db, 0, undelivered=True) == 0
            assert audit.prune(store.connection.db, 1 << 62, undelivered=False) == 0  # they wait
            store.events.mark_delivered([1, 2, 3, 5], NOW)
            assert audit.prune(store.connection.db, 1 << 62, undelivered=False) == 3
        assert audit.verify(store.connection.db) == audit.Verdict(7, None)
        with store.commit():
            assert audit.prune(store.connection.db, 1 << 62, undelivered=True) == 7
        assert audit.verify(store.connection.db) == audit.Verdict(0, None)
        with store.commit():
            store.events.add([ev.event(ev.DRIFT, {ev.TARGET: "t"})], NOW)
        assert audit.verify(store.connection.db) == audit.Verdict(1, None)
        store.connection.db.execute("UPDATE events SET attributes='{}'")
        assert audit.verify(store.connection.db).broken_at == 11


def test_a_damaged_image_is_found(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", TWO)
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document("a")})
    assert world.once().code == 0
    assert world.run("history", "--verify").code == 0
    [row] = world.run("history", "--json").json["transactions"]
    assert (row["kind"], row["phase"], row["files"]) == ("apply", "DONE", ["a.yaml"])
    image = next((world.state / "objects").iterdir())
    image.write_bytes(b"other")
    done = world.run("history", "--verify", "--json")
    assert done.code == 4, done
    assert image.name[:12] in done.json["problems"][0]


# --- backups


def migrated(folder: Path) -> World:
    bundle = write_bundle(folder / "bundle", TWO)
    documents = {"a.yaml": document("a"), "b.yaml": document("b")}
    world = World(folder / "w", bundle=bundle, policy=FREE, documents=documents)
    assert world.once().code == 0
    return world


def test_a_restored_state_knows_all_and_can_roll_back(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    file = tmp_path / "state.tar"
    done = world.run("backup-state", file)
    assert done.code == 0, done
    assert file.stat().st_mode & 0o777 == 0o600
    before = world.dump()
    shutil.rmtree(world.state)
    done = world.run("restore-state", file)
    assert done.code == 0, done
    assert world.dump() == before
    assert world.run("history", "--verify").code == 0
    assert world.state.stat().st_mode & 0o777 == 0o700
    assert world.run("rollback", "--last").code == 0
    assert (world.config / "a.yaml").read_text() == document("a")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    file = tmp_path / "state.tar"
    assert world.run("backup-state", file).code == 0
    content = file.read_bytes()
    done = world.run("backup-state", file)
    assert done.code == 1, done
    assert file.read_bytes() == content
    dump = world.dump()
    done = world.run("restore-state", file)
    assert done.code == 1, done
    assert "state_exists" in done.err
    assert world.dump() == dump


@pytest.mark.parametrize("how", ["text", "cut", "link", "outside", "stranger", "no_database"])
def test_what_is_no_backup_is_refused_and_leaves_nothing(tmp_path: Path, how: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    with_events(source, 2).close()
    file = tmp_path / "state.tar"
    backup(source, file)
    if how == "text":
        file.write_text("not a tar" * 100)
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    else:
        names = {
            "link": "objects/x",
            "outside": "../x",
            "stranger": "x",
            "no_database": "objects/x",
        }
        member = tarfile.TarInfo(names[how])
        if how == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        with tarfile.open(file, "w" if how == "no_database" else "a") as tar:
            tar.addfile(member)
    with pytest.raises(Refused) as caught:
        restore(file, target)
    assert caught.value.code in ("backup_invalid", "state_unreadable")
    assert not (target / "state.db").exists()
    assert not (tmp_path / "x").exists()
    assert json.dumps(sorted(p.name for p in target.iterdir())) == "[]"


@pytest.mark.parametrize("number", [3, 4])
def test_a_file_of_a_transaction_is_found_by_its_path_with_an_index(
    tmp_path: Path, number: int
) -> None:
    """A rollback of 100,000 documents asks for each of them."""
    if number == 4:
        Store.open(tmp_path).close()
        state = tmp_path / "state.db"
    else:
        world = revived(tmp_path, number)
        assert world.once().code == 0
        state = world.state / "state.db"
    with closing(sqlite3.connect(state)) as db:
        for query in (
            "SELECT found FROM transaction_files WHERE tx=? AND path=?",
            "UPDATE transaction_files SET found='new' WHERE tx=? AND path=?",
        ):
            plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", ("t", "p")))
            assert "(tx=? AND path=?)" in plan
