"""``confmig run --once``: the pass, as an operator or an init container runs it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.world import (
    FREE,
    OPEN,
    TWO,
    VERSION_1,
    Done,
    Step,
    World,
    document,
    temporaries,
    write_bundle,
)

NAME = "AdGuardHome.yaml"
BACKFILL = "0014_clients_runtime_sources"


def adguard(folder: Path, policy: str | None) -> World:
    return World(folder / "w", policy=policy, documents={NAME: VERSION_1.read_bytes()})


def small(folder: Path, *names: str, policy: str | None = FREE, more: str = "") -> World:
    bundle = write_bundle(folder / "bundle", TWO)
    documents = {name: document(name) for name in names}
    return World(folder / "w", bundle=bundle, policy=policy, documents=documents, more=more)


def untouched(world: World, words: tuple[str, ...] = ()) -> Done:
    """Run once; the target, the state and the history must stay as they are."""
    before, dump = world.facts(), world.dump()
    database = (world.state / "state.db").read_bytes()
    done = world.once(*words)
    assert world.facts() == before
    assert world.dump() == dump
    assert (world.state / "state.db").read_bytes() == database
    return done


# --- policy


def test_without_a_policy_only_the_online_steps_before_the_first_other_run(
    tmp_path: Path,
) -> None:
    world = adguard(tmp_path, None)
    done = world.once("--json")
    assert done.code == 3, done
    assert world.version(NAME) == 4
    [target] = done.json["targets"]
    pending = {p["id"]: p for p in target["pending"]}
    assert sorted(pending)[0] == "0005_users"
    assert len(pending) == 30
    assert all(p["verdict"] == "hold" for p in pending.values())
    assert pending["0005_users"]["reason"] == "policy_missing"
    assert pending[BACKFILL]["reason"] == "policy_missing"
    # an online step behind a held one waits, and says why
    assert "policy_missing" in pending["0006_client_ids"]["reasons"]
    deferred = world.events("config.migration.deferred")
    held = [name for e in deferred for name in e["attributes"]["config.migration.ids"]]
    assert sorted(held) == sorted(pending)
    # one event for a class, because one reason holds all of it
    assert Counter(e["attributes"]["config.migration.class"] for e in deferred) == {
        "online": 1,
        "post_deploy": 1,
        "manual_backfill": 1,
    }
    assert untouched(world).code == 3


@pytest.mark.slow
def test_with_windows_and_approvals_everything_runs_and_then_nothing_does(tmp_path: Path) -> None:
    world = adguard(tmp_path, OPEN)
    plan = world.run("plan", "--json").json["targets"][0]["pending"]
    backfills = [p["id"] for p in plan if p["class"] == "manual_backfill"]
    assert backfills == [BACKFILL]
    for name in backfills:
        assert world.run("approve", name, "--reason", "x").code == 0
    done = world.once()
    assert done.code == 0, done
    assert world.version(NAME) == 34
    assert not list(temporaries(world.config))
    migrated = world.events("config.migrated")
    assert [e["attributes"]["config.migration.order"] for e in migrated] == list(range(2, 35))
    again = untouched(world)
    assert again.code == 0, again
    assert world.status()["pending"] == []


def test_an_approval_is_spent_by_one_run(tmp_path: Path) -> None:
    steps = (Step("0001_fill", ({"set": {"path": "x", "value": 1}},), "manual_backfill"),)
    bundle = write_bundle(tmp_path / "bundle", steps)
    world = World(tmp_path / "w", bundle=bundle, policy=OPEN, documents={"a.yaml": document()})
    done = world.once("--json")
    assert done.code == 3, done
    assert done.json["targets"][0]["pending"][0]["reason"] == "approval_missing"
    assert world.run("approve", "0001_fill", "--reason", "x").code == 0
    assert world.once().code == 0
    world.put("late.yaml", document("late"))
    late = world.once("--json")
    assert late.code == 3, late
    assert late.json["targets"][0]["pending"][0]["reason"] == "approval_missing"
    assert world.version("late.yaml") == 0


@pytest.mark.parametrize(
    "broken", [None, "classes: [", "classes: {online: {windows: [nowhere]}}\n", "soak: 3m\n"]
)
def test_a_named_policy_that_cannot_be_used_denies_online_too(
    tmp_path: Path, broken: str | None
) -> None:
    world = small(tmp_path, "a.yaml", policy="")
    if broken is None:
        world.policy.unlink()
    else:
        world.policy.write_text(broken)
    before = world.facts()
    done = world.once("--json")
    assert done.code == 2, done
    assert world.facts() == before
    [target] = done.json["targets"]
    assert {p["reason"] for p in target["pending"]} == {"policy_invalid"}
    assert {p["verdict"] for p in target["pending"]} == {"block"}
    rejected = world.events("config.policy.rejected")
    assert len(rejected) == 1
    assert untouched(world).code == 2


def test_a_policy_that_breaks_later_denies_and_recovers(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    assert world.once().code == 0
    world.put("b.yaml", document("b"))
    world.policy.write_text("nonsense: 1\n")
    assert world.once().code == 2
    assert world.version("b.yaml") == 0
    world.policy.write_text(FREE)
    assert world.once().code == 0
    assert world.version("b.yaml") == 2


# --- documents


def test_a_document_that_arrives_late_is_migrated(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    assert world.once().code == 0
    was = world.facts()["a.yaml"]
    world.put("late.yaml", document("late"))
    done = world.once("--json")
    assert done.code == 0, done
    assert world.version("late.yaml") == 2
    assert world.facts()["a.yaml"] == was
    [transaction] = done.json["targets"][0]["transactions"]
    assert transaction["files"] == ["late.yaml"]
    applied = world.status()["applied"]
    assert [a["id"] for a in applied] == ["0001_listen", "0002_feature"]
    assert untouched(world).code == 0


def test_documents_at_different_versions_meet(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    world.put("b.yaml", "listen: {port: 1}\nschema_version: 1\n")
    assert world.once().code == 0
    assert (world.version("a.yaml"), world.version("b.yaml")) == (2, 2)
    told = Counter(
        (e["attributes"]["config.file.path"], e["attributes"]["config.migration.id"])
        for e in world.events("config.migrated")
    )
    assert told == {
        ("a.yaml", "0001_listen"): 1,
        ("a.yaml", "0002_feature"): 1,
        ("b.yaml", "0002_feature"): 1,
    }


@pytest.mark.parametrize(
    "broken",
    [b"a: [1, 2\n", b"\xff\xfe\xfa", b"schema_version: x\n", b"schema_version: 99\n", b"- 1\n"],
)
def test_a_broken_document_does_not_hold_the_good_ones(tmp_path: Path, broken: bytes) -> None:
    world = small(tmp_path, "a.yaml", "z.yaml")
    world.put("m.yaml", broken)
    done = world.once("--json")
    assert done.code == 1, done
    assert (world.version("a.yaml"), world.version("z.yaml")) == (2, 2)
    assert (world.config / "m.yaml").read_bytes() == broken
    problems = {d["path"]: d["problem"] for d in done.json["targets"][0]["documents"]}
    assert problems["a.yaml"] is None
    assert problems["m.yaml"]
    assert untouched(world).code == 1


def test_a_late_document_that_fails_holds_only_itself_and_is_told_once(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    assert world.once().code == 0
    world.put("bad.yaml", "schema_version: 0\nserver: {port: 1}\nlisten: 7\n")  # no place to move
    world.put("good.yaml", document("good"))
    done = world.once()
    assert done.code == 4, done
    assert world.version("good.yaml") == 2
    assert world.version("bad.yaml") == 0
    failed = world.events("config.migration.failed")
    assert [e["attributes"]["config.file.path"] for e in failed] == ["bad.yaml"]
    assert untouched(world).code == 4


def test_a_failing_step_stops_its_documents_and_is_tried_again_when_they_change(
    tmp_path: Path,
) -> None:
    world = small(tmp_path)
    world.put("bad.yaml", "schema_version: 0\nserver: {port: 1}\nlisten: 7\n")
    done = world.once()
    assert done.code == 4, done
    assert world.version("bad.yaml") == 0
    [failed] = world.events("config.migration.failed")
    assert failed["attributes"]["config.migration.id"] == "0001_listen"
    assert failed["attributes"]["error.type"]
    assert untouched(world).code == 4
    world.put("bad.yaml", document())
    assert world.once().code == 0
    assert world.version("bad.yaml") == 2


def test_a_failure_stops_all_that_comes_after_it(tmp_path: Path) -> None:
    steps = (
        Step("0001_a", ({"move": {"from": "x", "to": "y.z"}},), config="a"),
        Step("0002_b", ({"set": {"path": "one", "value": 1}},), config="b"),
    )
    bundle = write_bundle(tmp_path / "bundle", steps, {"a": ["a.yaml"], "b": ["b.yaml"]})
    documents = {"a.yaml": "x: 1\ny: 2\n", "b.yaml": "z: 1\n"}
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents=documents)
    done = world.once("--json")
    assert done.code == 4, done
    assert (world.version("a.yaml"), world.version("b.yaml")) == (0, 0)
    pending = {p["id"]: p["reasons"] for p in done.json["targets"][0]["pending"]}
    assert "document_failed" in pending["0001_a"]
    assert "dependency_failed" in pending["0002_b"]
    assert len(world.events("config.migration.failed")) == 1


def test_an_empty_directory_is_no_error(tmp_path: Path) -> None:
    world = small(tmp_path)
    done = world.once()
    assert done.code == 0, done
    assert "no file matches" in done.out


def test_mode_comments_and_line_endings_stay(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    file = world.put("crlf.yaml", document("crlf").replace("\n", "\r\n"))
    (world.config / "a.yaml").chmod(0o640)
    assert world.once().code == 0
    assert (world.config / "a.yaml").stat().st_mode & 0o7777 == 0o640
    text = file.read_bytes()
    assert text.count(b"\n") == text.count(b"\r\n")
    assert b"# the port" in text
    assert b"# the end" in text


def test_a_name_that_is_no_text_is_refused_and_the_others_migrate(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    with open(bytes(world.config) + b"/\xff.yaml", "w") as file:
        file.write(document())
    done = world.once()
    assert done.code in (0, 1), done
    assert world.version("a.yaml") == 2
    assert world.run("status").code in (0, 1)
    assert world.run("plan").code in (0, 1)


def test_odd_files_are_refused_by_name_and_never_followed(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    outside = tmp_path / "outside.yaml"
    outside.write_text(document())
    (world.config / "link.yaml").symlink_to(outside)
    (world.config / "folder.yaml").mkdir()
    (tmp_path / "hard").write_text(document())
    (world.config / "hard.yaml").hardlink_to(tmp_path / "hard")
    done = world.once("--json")
    assert done.code == 1, done
    assert world.version("a.yaml") == 2
    assert outside.read_text() == document()
    assert (tmp_path / "hard").read_text() == document()
    problems = {d["path"]: d["problem"] for d in done.json["targets"][0]["documents"]}
    assert problems == {
        "a.yaml": None,
        "folder.yaml": "not_a_file",
        "hard.yaml": "hard_link",
        "link.yaml": "symlink",
    }


# --- two targets


def two(folder: Path) -> World:
    world = small(folder, "a.yaml")
    (world.folder / "other").mkdir()
    (world.folder / "other" / "o.yaml").write_text(document("o"))
    world.settings.write_text(
        f"targets:\n"
        f"- {{name: app, root: config, bundle: '{world.bundle}', policy: policy.yaml}}\n"
        f"- {{name: other, root: other, bundle: '{world.bundle}'}}\n"
        "state_dir: state\ntelemetry: {exporter: none}\n"
    )
    return world


def test_two_targets_have_facts_of_their_own(tmp_path: Path) -> None:
    world = two(tmp_path)
    done = world.once("--target", "other")
    assert done.code == 0, done
    assert world.version("a.yaml") == 0
    assert b"schema_version: 2" in (world.folder / "other" / "o.yaml").read_bytes()
    done = world.once("--json")
    assert done.code == 0, done
    assert [t["target"] for t in done.json["targets"]] == ["app", "other"]
    assert world.version("a.yaml") == 2
    assert world.query("SELECT target, path, version FROM documents ORDER BY 1") == [
        ("app", "a.yaml", 2),
        ("other", "o.yaml", 2),
    ]
    ambiguous = world.run("retry", "0001_listen")
    assert ambiguous.code in (1, 2), ambiguous
    assert "app" in ambiguous.err
    assert "other" in ambiguous.err


@pytest.mark.parametrize("defect", ["root missing", "bundle missing"])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_target_that_cannot_run_does_not_hold_the_other(
    tmp_path: Path, defect: str, as_json: bool
) -> None:
    world = two(tmp_path)
    text = world.settings.read_text()
    if defect == "root missing":
        world.settings.write_text(text.replace("root: config", "root: nowhere"))
    else:
        world.settings.write_text(text.replace(str(world.bundle), str(world.folder / "none"), 1))
    done = world.once(*(["--json"] if as_json else []))
    assert done.code in (1, 2), done
    assert b"schema_version: 2" in (world.folder / "other" / "o.yaml").read_bytes()
    if as_json:
        json.loads(done.out)  # one document


@pytest.mark.parametrize("command", ["plan", "status"])
def test_json_of_a_command_is_one_document_though_a_target_is_broken(
    tmp_path: Path, command: str
) -> None:
    world = two(tmp_path)
    world.settings.write_text(
        world.settings.read_text().replace(str(world.bundle), str(world.folder / "none"), 1)
    )
    done = world.run(command, "--json")
    assert done.code == 2, done
    json.loads(done.out)


# --- the bundle


def test_an_applied_migration_that_changed_blocks_with_an_exit_code(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    assert world.once().code == 0
    write_bundle(world.bundle, (Step("0001_listen", ({"set": {"path": "p", "value": 1}},)), TWO[1]))
    world.put("late.yaml", document("late"))
    done = world.once()
    assert world.version("late.yaml") == 0
    assert done.code not in (0, 3), f"a blocked run looks like a good one: {done}"


def test_an_invalid_bundle_changes_nothing_and_lists_everything(tmp_path: Path) -> None:
    world = small(tmp_path, "a.yaml")
    manifest = json.loads((world.bundle / "manifest.json").read_text())
    manifest["migrations"][0]["class"] = "whenever"
    manifest["migrations"][1]["depends_on"] = ["0009_nothing"]
    (world.bundle / "manifest.json").write_text(json.dumps(manifest))
    before = world.facts()
    done = world.once()
    assert done.code == 2, done
    assert "migration_class_invalid" in done.err
    assert "0009_nothing" in done.err
    assert world.facts() == before
