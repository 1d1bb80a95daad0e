"""``confmig rollback`` of files that somebody edited since.

The old bytes with the later edits in them, or a conflict and nothing at all; ``--to``,
``--dry-run``, ``--discard-later-edits``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.test_partial_failure import KILL_AFTER_FIRST
from tests.e2e.world import FREE, Done, Step, World, confmig, temporaries, write_bundle

pytestmark = pytest.mark.slow

LISTEN = Step("0001_listen", ({"move": {"from": "server.port", "to": "listen.port"}},))
FEATURE = Step("0002_feature", ({"set": {"path": "feature", "value": True}},))
SERVICE = Step("0003_service", ({"move": {"from": "server", "to": "service"}},))
LEVEL = Step("0004_level", ({"map_value": {"path": "level", "map": {"info": "INFO"}}},))
FOUR = (LISTEN, FEATURE, SERVICE, LEVEL)
CANARY = "CANARY-91b2"
SECRET = {"configs": {"app": {"secrets": ["secret"], "versions": {}}}}
TEXT = """\
# NAME: by hand
schema_version: 0
server:
  port: 8080  # the port
  host: 'localhost'
  names:
    - one  # 1
    - two
level: info
# the end
"""
EDITS = (("8080", "9090"), ("'localhost'", "'h'  # mine"), ("- two\n", "- two\n    - three\n"))
Edits = Sequence[tuple[str, str]]


def made(text: str, edits: Edits) -> str:
    for find, put in edits:
        assert text.count(find) == 1, f"{find!r} in\n{text}"
        text = text.replace(find, put)
    return text


def text(name: str) -> str:
    return TEXT.replace("NAME", name)


def world_of(
    folder: Path,
    steps: Sequence[Step] = FOUR,
    documents: Mapping[str, str | bytes] | None = None,
    contract: Mapping[str, Any] | None = None,
) -> World:
    """A migrated world."""
    bundle = write_bundle(folder / "bundle", steps, contract=contract)
    documents = documents or {"a.yaml": text("a"), "b.yaml": text("b")}
    world = World(folder / "w", bundle=bundle, policy=FREE, documents=documents)
    done = world.once()
    assert done.code == 0, done
    return world


def read(world: World, name: str = "a.yaml") -> str:
    return (world.config / name).read_bytes().decode()


def edit(world: World, edits: Edits, name: str = "a.yaml") -> str:
    """Edit a document; its text."""
    return world.put(name, made(read(world, name), edits)).read_bytes().decode()


def back(world: World, *words: str) -> Done:
    return world.run("rollback", *(words or ("--last",)), "--json")


def told(done: Done) -> str:
    """The message of a conflict."""
    assert done.code == 1, done
    assert done.json["error"]["code"] == "rollback_conflict", done
    return str(done.json["error"]["message"])


def holds(world: World) -> dict[str, str]:
    return {h["id"]: h["reason"] for h in world.status()["holds"]}


def applied(world: World) -> list[str]:
    return [a["id"] for a in world.status()["applied"] if a["applied_at"]]


def everything(world: World) -> tuple[Any, str, list[str]]:
    """What a refused or dry rollback must leave alone."""
    files = sorted(str(p) for p in world.state.rglob("*") if "rescue" in p.parts and p.is_file())
    return world.facts(), world.dump(), files


def chained(folder: Path, steps: Sequence[Step], documents: Mapping[str, str]) -> dict[str, str]:
    """What a chain makes of texts, without any rollback."""
    world = world_of(folder, steps, dict(documents))
    return {name: read(world, name) for name in documents}


# --- one transaction


def test_an_edited_file_gets_the_old_bytes_with_its_edits_and_the_other_the_old_bytes(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path)
    (world.config / "a.yaml").chmod(0o640)
    edit(world, [*EDITS, ("# the end", "last: [1]  # new\n# the end")])
    done = back(world)
    assert done.code == 0, done
    assert done.json["how"] == {"a.yaml": "merged", "b.yaml": "restored"}
    want = made(text("a"), [*EDITS, ("# the end", "last: [1]  # new\n# the end")])
    assert (read(world), read(world, "b.yaml")) == (want, text("b"))
    assert (world.config / "a.yaml").stat().st_mode & 0o7777 == 0o640
    assert not list(temporaries(world.config))
    assert holds(world) == {s.id: "rolled_back" for s in FOUR}
    [completed] = world.events("config.migration.rollback.completed")
    assert completed["attributes"]["config.documents.count"] == 2
    assert world.once().code == 3
    assert read(world) == want
    assert back(world).json["error"]["code"] == "nothing_to_roll_back"


def test_after_retry_the_edits_are_migrated_as_if_they_had_always_been_there(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path)
    today = yaml.safe_load(edit(world, EDITS))
    assert back(world).code == 0
    for step in FOUR:
        assert world.run("retry", step.id).code == 0
    assert world.once().code == 0
    assert yaml.safe_load(read(world)) == today
    assert "'h'  # mine" in read(world)


def test_a_file_with_crlf_and_a_bom_keeps_them(tmp_path: Path) -> None:
    old = "\ufeff" + text("a").replace("\n", "\r\n")
    world = world_of(tmp_path, documents={"a.yaml": old.encode()})
    edits = [("8080", "9090"), ("- two\r\n", "- two\r\n    - three\r\n")]
    edit(world, edits)
    assert back(world).code == 0
    assert read(world) == made(old, edits)


@pytest.mark.parametrize("how", ["checkpoint", "transaction"])
def test_an_edited_transaction_by_its_name_or_checkpoint(tmp_path: Path, how: str) -> None:
    world = world_of(tmp_path)
    last = world.status()["last_checkpoint"]
    edit(world, EDITS)
    words = [last["transaction"]] if how == "transaction" else ["--checkpoint", last["backup_path"]]
    assert back(world, *words).code == 0
    assert read(world) == made(text("a"), EDITS)


@pytest.mark.parametrize("format", ["toml", "jsonc", "ini"])
def test_other_formats(tmp_path: Path, format: str) -> None:
    olds = {
        "toml": "schema_version = 0\n\n[server] # s\nport = 8080 # p\nhost = 'h'\n",
        "jsonc": '{\n  "schema_version": 0,\n  "server": {\n    "port": 8080, // p\n'
        '    "host": "h"\n  }\n}\n',
        "ini": "schema_version = 0\n\n[server]\n; p\nport = 8080\nhost = h\n",
    }
    old, steps = olds[format], (Step("0001_name", ({"move": {"from": "server", "to": "s"}},)),)
    bundle = write_bundle(tmp_path / "bundle", steps, {"app": [f"*.{format}"]})
    file = bundle / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["configs"]["app"]["format"] = format
    file.write_text(json.dumps(manifest))
    assert confmig("sum", "--bundle", bundle).code == 0
    name = f"a.{format}"
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents={name: old})
    assert world.once().code == 0
    edits = [("8080", "9090")]
    edit(world, edits, name)
    done = back(world)
    assert done.code == 0, done
    assert read(world, name) == made(old, edits)


# --- conflicts


def test_a_conflict_tells_every_file_and_place_and_nothing_is_written(tmp_path: Path) -> None:
    documents = {f"{n}.yaml": text(n) for n in "abcd"}
    world = world_of(tmp_path, documents=documents)
    edit(world, [("feature: true", "feature: false"), ("INFO", "WARN")])
    edit(world, [("  port: 8080", "  port: 8080\n  more: 1")], "b.yaml")
    edit(world, EDITS, "c.yaml")
    before = everything(world)
    for words in (["--last"], ["--last", "--dry-run"], ["--to", "none"]):
        done = back(world, *words)
        message = told(done)
        for word in ("a.yaml", "feature", "level", "b.yaml", "listen.more"):
            assert word in message, message
        assert "c.yaml" not in message
        assert "d.yaml" not in message
        assert everything(world) == before
        assert not list(temporaries(world.config))
    assert world.run("rollback", "--last").code == 1
    assert holds(world) == {}


def test_a_file_that_cannot_be_read_any_more_is_a_conflict(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.put("a.yaml", "a: [\n")
    before = everything(world)
    assert "a.yaml" in told(back(world))
    assert everything(world) == before


def test_edits_that_the_old_schema_does_not_take_are_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    schemas = bundle / "migrations" / "schemas"
    schemas.mkdir(parents=True)
    old = {"type": "object", "properties": {"server": {"type": "object"}, "later": False}}
    (schemas / "v0.json").write_text(json.dumps(old))
    contract = {"configs": {"app": {"versions": {"0": {"schema": "v0.json"}}}}}
    world = world_of(tmp_path, contract=contract)
    edit(world, [("# the end", "later: 1\n# the end")])
    before = everything(world)
    assert "schema" in told(back(world))
    assert everything(world) == before
    edit(world, [("later: 1", "sooner: 1")])
    assert back(world).code == 0
    assert "sooner: 1" in read(world)


@pytest.mark.parametrize("how", ["changed", "removed", "broken"])
def test_a_bundle_that_changed_since_refuses_an_edited_file_and_restores_another(
    tmp_path: Path, how: str
) -> None:
    world = world_of(tmp_path)
    if how == "changed":
        other = Step("0002_feature", ({"set": {"path": "feature", "value": 2}},))
        write_bundle(tmp_path / "bundle", (LISTEN, other, SERVICE, LEVEL))
    elif how == "removed":
        (tmp_path / "bundle" / "migrations" / "0004_level.yaml").unlink()
        write_bundle(tmp_path / "bundle", (LISTEN, FEATURE, SERVICE))
    else:
        (tmp_path / "bundle" / "manifest.json").write_text("{")
    migrated = read(world)
    edit(world, EDITS)
    before = everything(world)
    message = told(back(world))
    assert "a.yaml" in message
    assert "bundle" in message
    assert everything(world) == before
    world.put("a.yaml", migrated)
    done = back(world)
    assert done.code == 0, done
    assert (read(world), read(world, "b.yaml")) == (text("a"), text("b"))


# --- discard


@pytest.mark.parametrize("kind", ["place", "conflict", "unreadable"])
def test_discarded_edits_are_in_rescue_and_the_old_bytes_are_back(
    tmp_path: Path, kind: str
) -> None:
    world = world_of(tmp_path)
    if kind == "unreadable":
        world.put("a.yaml", "a: [\n")
    else:
        edit(world, EDITS if kind == "place" else [("feature: true", "feature: no")])
    today = read(world).encode()
    done = back(world, "--last", "--discard-later-edits")
    assert done.code == 0, done
    assert done.json["how"] == {"a.yaml": "discarded", "b.yaml": "restored"}
    assert (read(world), read(world, "b.yaml")) == (text("a"), text("b"))
    [kept] = [p for p in (world.state / "rescue").rglob("*") if p.is_file()]
    assert kept.read_bytes() == today
    assert kept.stat().st_mode & 0o077 == 0
    assert set(holds(world)) == {s.id for s in FOUR}


def test_discard_without_edits_rescues_nothing(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    done = back(world, "--last", "--discard-later-edits")
    assert done.code == 0, done
    assert set(done.json["how"].values()) == {"restored"}
    assert not [p for p in (world.state / "rescue").rglob("*") if p.is_file()]


def test_discard_with_a_broken_bundle(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    edit(world, EDITS)
    (world.bundle / "manifest.json").write_text("{")
    assert back(world, "--last", "--discard-later-edits").code == 0
    assert read(world) == text("a")


# --- dry run


@pytest.mark.parametrize(
    ("words", "discard"),
    [(["--last"], False), (["--last"], True), (["--to", "0001_listen"], False)],
)
def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    tmp_path: Path, words: list[str], discard: bool
) -> None:
    old = {n: text(n[0]) + f"secret: {CANARY}0\n" for n in ("a.yaml", "b.yaml")}
    world = world_of(tmp_path, documents=old, contract=SECRET)
    edit(world, [*EDITS, (f"{CANARY}0", f"{CANARY}1")])
    before, events = everything(world), world.events()
    words = [*words, "--dry-run", *(["--discard-later-edits"] if discard else [])]
    done = back(world, *words)
    assert done.code == 0, done
    assert done.json["how"] == {
        "a.yaml": "discarded" if discard else "merged",
        "b.yaml": "restored",
    }
    assert "a.yaml" in done.json["diff"]
    assert "b.yaml" in done.json["diff"]
    assert CANARY not in done.out + done.err
    assert back(world, *words).out == done.out, "twice the same gave two answers"
    plain = world.run("rollback", *words)
    assert plain.code == 0, plain
    assert "would roll back" in plain.out
    for line in ("a.yaml", "b.yaml", "-service:" if "--last" in words else "-feature: true"):
        assert line in plain.out, plain
    assert CANARY not in plain.out + plain.err
    assert everything(world) == before
    assert world.events() == events
    assert not list(temporaries(world.config))


def test_the_dry_run_is_what_the_rollback_then_does(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    edit(world, EDITS)
    dry = back(world, "--last", "--dry-run").json
    real = back(world, "--last").json
    assert dry["how"] == real["how"]
    assert dry["migrations"] == real["migrations"]
    assert "+  port: 9090  # the port" in dry["diff"]


# --- to


@pytest.mark.parametrize(("kept", "edited"), [(1, True), (2, False), (3, True)])
def test_to_leaves_what_the_shorter_chain_would_have_made(
    tmp_path: Path, kept: int, edited: bool
) -> None:
    world = world_of(tmp_path / "long")
    want = chained(tmp_path / "short", FOUR[:kept], {"a.yaml": text("a"), "b.yaml": text("b")})
    edits = EDITS if edited else []
    edit(world, edits)
    done = back(world, "--to", FOUR[kept - 1].id)
    assert done.code == 0, done
    assert done.json["migrations"] == [s.id for s in FOUR[kept:]]
    assert read(world) == made(want["a.yaml"], edits)
    assert read(world, "b.yaml") == want["b.yaml"]
    assert world.version("a.yaml") == kept
    assert set(holds(world)) == {s.id for s in FOUR[kept:]}
    assert sorted(applied(world)) == [s.id for s in FOUR[:kept]]
    assert world.once().code == 3
    assert world.version("a.yaml") == kept
    for step in FOUR[kept:]:
        assert world.run("retry", step.id).code == 0
    assert world.once().code == 0
    assert world.version("a.yaml") == 4


def several(folder: Path, between: Edits, after: Edits) -> World:
    """Two transactions of two migrations each, with edits between them and after them."""
    world = world_of(folder, FOUR[:2])
    edit(world, between)
    write_bundle(folder / "bundle", FOUR)
    assert world.once().code == 0
    edit(world, after)
    return world


BETWEEN = (("'localhost'", "'between'  # mine"), ("# the end", "mid: 1\n# the end"))
AFTER = (("8080", "9090"), ("- two\n", "- two\n    - three\n"))


@pytest.mark.parametrize(
    ("between", "after", "kept"),
    [((), (), 1), (BETWEEN, (), 0), (BETWEEN, AFTER, 1), ((), AFTER, 2), (BETWEEN, AFTER, 3)],
)
def test_to_over_several_transactions_keeps_edits_between_and_after_them(
    tmp_path: Path, between: Edits, after: Edits, kept: int
) -> None:
    world = several(tmp_path / "w", between, after)
    olds = {"a.yaml": text("a"), "b.yaml": text("b")}
    want = chained(tmp_path / "x", FOUR[:kept], olds) if kept else olds
    want["a.yaml"] = made(want["a.yaml"], [*between, *after])
    done = back(world, "--to", FOUR[kept - 1].id if kept else "none")
    assert done.code == 0, done
    assert (read(world), read(world, "b.yaml")) == (want["a.yaml"], want["b.yaml"])
    assert set(holds(world)) == {s.id for s in FOUR[kept:]}
    assert sorted(applied(world)) == [s.id for s in FOUR[:kept]]
    assert world.once().code == 3
    redo = back(world, done.json["transaction"])
    assert redo.code == 0, redo
    assert holds(world) == {}
    assert sorted(applied(world)) == [s.id for s in FOUR]


def test_to_with_a_conflict_between_two_transactions_writes_nothing(tmp_path: Path) -> None:
    world = several(tmp_path, [("feature: true", "feature: mine")], AFTER)
    before = everything(world)
    message = told(back(world, "--to", "none"))
    assert "feature" in message
    assert everything(world) == before
    # the second transaction alone has nothing to do with that
    assert back(world, "--to", FEATURE.id).code == 0
    assert "feature: mine" in read(world)


def test_to_none_with_discard_over_several_transactions(tmp_path: Path) -> None:
    world = several(tmp_path, BETWEEN, AFTER)
    today = read(world).encode()
    done = back(world, "--to", "none", "--discard-later-edits")
    assert done.code == 0, done
    assert read(world) == text("a")
    [kept] = [p for p in (world.state / "rescue").rglob("*") if p.is_file()]
    assert kept.read_bytes() == today


def test_to_what_is_unknown_or_last_or_beside_another_word(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    before = everything(world)
    assert back(world, "--to", "0009_nope").json["error"]["code"] == "migration_unknown"
    assert back(world, "--to", LEVEL.id).json["error"]["code"] == "nothing_to_roll_back"
    assert back(world, "--to", LEVEL.id, "--last").code == 2
    assert everything(world) == before


def test_the_older_transaction_alone_is_refused_while_a_newer_one_stands_on_it(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path, FOUR[:2])
    first = world.status()["last_checkpoint"]["transaction"]
    write_bundle(tmp_path / "bundle", FOUR)
    assert world.once().code == 0
    before = everything(world)
    done = back(world, first)
    assert done.code == 1, done
    assert everything(world) == before


# --- a rollback of a rollback


@pytest.mark.parametrize(
    ("words", "edited"),
    [(["--last"], False), (["--last"], True), (["--to", "0002_feature"], True)],
)
def test_a_rollback_undone_gives_the_migrated_bytes_and_releases_the_holds(
    tmp_path: Path, edited: bool, words: list[str]
) -> None:
    world = world_of(tmp_path)
    if edited:
        edit(world, EDITS)
    migrated = {p.name: p.read_bytes() for p in world.config.iterdir()}
    first = back(world, *words)
    assert first.code == 0, first
    redo = back(world, first.json["transaction"])
    assert redo.code == 0, redo
    assert {p.name: p.read_bytes() for p in world.config.iterdir()} == migrated
    assert holds(world) == {}
    assert sorted(applied(world)) == [s.id for s in FOUR]
    assert world.once().code == 0
    assert {p.name: p.read_bytes() for p in world.config.iterdir()} == migrated
    # and once more, to the same bytes as the first time
    again = back(world, *words)
    assert again.code == 0, again
    assert read(world, "b.yaml") == text("b") or words[1:] == ["0002_feature"]
    assert world.once().code == 3


def test_the_undoing_of_a_rollback_undone_holds_the_migrations_again(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    first = back(world)
    second = back(world, first.json["transaction"])
    assert second.code == 0, second
    third = back(world, second.json["transaction"])
    if third.code == 0:  # or it may be refused
        assert (read(world), read(world, "b.yaml")) == (text("a"), text("b"))
        assert holds(world) == {s.id: "rolled_back" for s in FOUR}
        assert applied(world) == []
        assert world.once().code == 3
        assert read(world) == text("a")


def test_a_rollback_undone_after_an_edit_is_refused_with_a_reason(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    first = back(world)
    edit(world, [("8080", "9090")])
    before = everything(world)
    assert "a.yaml" in told(back(world, first.json["transaction"]))
    assert everything(world) == before


def test_a_discarding_rollback_undone_gives_the_edited_bytes(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    today = edit(world, EDITS)
    first = back(world, "--last", "--discard-later-edits")
    assert first.code == 0, first
    assert back(world, first.json["transaction"]).code == 0
    assert read(world) == today
    assert holds(world) == {}


# --- killed


def test_a_merging_rollback_that_is_killed_is_finished_or_undone(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    edit(world, EDITS)
    done = world.drive(KILL_AFTER_FIRST, "rollback", "--last")
    assert done.code == -9, done
    assert world.once().code == 3
    assert read(world) == made(text("a"), EDITS)
    assert read(world, "b.yaml") == text("b")
    assert set(holds(world).values()) == {"rolled_back"}
    assert not list(temporaries(world.config))
