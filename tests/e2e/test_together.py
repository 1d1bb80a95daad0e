"""Migrations over several configurations, as an operator meets them: both files or none."""

from __future__ import annotations

import json
import signal
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from confmig.cli import run
from confmig.errors import Fault
from confmig.transactions.file_exchange import replace_file
from tests.e2e.world import FREE, Done, World, confmig, temporaries

APP = """\
# app: by hand
server:
  port: 8080  # the port
log:
  level: 'info'
  file: /var/log/app
"""
LOGGING = """\
# logging
[log]
format = "plain"   # by hand
"""
FORMATS = {"app": "yaml", "logging": "toml", "other": "yaml", "x": "yaml", "y": "yaml"}
BOTH = "0002_both"
MOVE = [{"move": {"from": "app:log.level", "to": "logging:log.level"}}]

Entry = tuple[str, Mapping[str, int], Sequence[Mapping[str, Any]]]
STEPS: tuple[Entry, ...] = (
    ("0001_app", {"app": 1}, [{"move": {"from": "server.port", "to": "listen.port"}}]),
    (BOTH, {"app": 2, "logging": 1}, MOVE),
    ("0003_other", {"other": 1}, [{"set": {"path": "seen", "value": True}}]),
    ("0004_logging", {"logging": 2}, [{"set": {"path": "log.new", "value": 1}}]),
)
APP_AFTER = """\
# app: by hand
server: {}
log:
  file: /var/log/app
listen:
  port: 8080  # the port
schema_version: 2
"""


def write(
    folder: Path,
    steps: Sequence[Entry] = STEPS,
    contract: Mapping[str, Any] | None = None,
    schemas: Mapping[str, Any] | None = None,
) -> Path:
    """A bundle; each configuration has the files ``<name>*.<format>``."""
    migrations = folder / "migrations"
    (migrations / "schemas").mkdir(parents=True)
    names = list(dict.fromkeys(n for _, sets, _ in steps for n in sets))
    for name, _, operations in steps:
        text = yaml.safe_dump([dict(o) for o in operations], sort_keys=False)
        (migrations / f"{name}.yaml").write_text(text)
    manifest = {
        "_config_version": 1,
        "bundle": "pair",
        "configs": {
            name: {
                "files": [f"{name}*.{FORMATS[name]}"],
                "format": FORMATS[name],
                "version": {"path": "schema_version", "absent": 0},
            }
            for name in names
        },
        "migrations": [
            {
                "id": name,
                "order": order,
                "class": "online",
                "sets": dict(sets),
                "description": name,
            }
            for order, (name, sets, _) in enumerate(steps, 1)
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for place, schema in (schemas or {}).items():
        (migrations / "schemas" / place).write_text(json.dumps(schema))
    (migrations / "schemas" / "contract.json").write_text(
        json.dumps({"configs": contract or {name: {"versions": {}} for name in names}})
    )
    done = confmig("sum", "--bundle", folder)
    assert done.code == 0, done
    return folder


def world_of(
    folder: Path, documents: Mapping[str, str] | None = None, steps: Sequence[Entry] = STEPS
) -> World:
    if documents is None:
        documents = {"app.yaml": APP, "logging.toml": LOGGING}
    return World(
        folder / "w", bundle=write(folder / "bundle", steps), policy=FREE, documents=documents
    )


def files(world: World) -> dict[str, str]:
    found = [p for p in sorted(world.config.iterdir()) if not p.name.startswith(".")]
    return {p.name: p.read_bytes().decode() for p in found}


def stamps(world: World) -> dict[str, int]:
    out = {}
    for name, text in files(world).items():
        text = text.removeprefix("\ufeff")
        data = tomllib.loads(text) if name.endswith(".toml") else yaml.safe_load(text) or {}
        out[name] = int(data.get("schema_version", 0))
    return out


def pending(done: Done) -> dict[str, list[str]]:
    [target] = done.json["targets"]
    return {p["id"]: p["reasons"] for p in target["pending"]}


def outcomes(done: Done) -> list[str]:
    return [t["outcome"] for t in done.json["targets"][0]["transactions"]]


# --- run --once


def test_both_files_change_in_one_transaction(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    done = world.once("--json")
    assert done.code == 0, done
    [transaction] = done.json["targets"][0]["transactions"]
    assert sorted(transaction["files"]) == ["app.yaml", "logging.toml"]
    now = files(world)
    assert now["app.yaml"] == APP_AFTER
    assert "# logging\n[log]\n" in now["logging.toml"]
    assert 'format = "plain"   # by hand\n' in now["logging.toml"]
    assert tomllib.loads(now["logging.toml"]) == {
        "schema_version": 2,
        "log": {"format": "plain", "level": "info", "new": 1},
    }
    assert not list(temporaries(world.config))
    told = [
        (
            e["attributes"]["config.file.path"],
            e["attributes"]["config.migration.id"],
            e["attributes"]["config.schema.version.from"],
            e["attributes"]["config.schema.version.to"],
        )
        for e in world.events("config.migrated")
    ]
    assert sorted(told) == [
        ("app.yaml", "0001_app", "0", "1"),
        ("app.yaml", BOTH, "1", "2"),
        ("logging.toml", BOTH, "0", "1"),
        ("logging.toml", "0004_logging", "1", "2"),
    ]
    assert len(world.events("config.migration.completed")) == 1
    before = world.facts()
    again = world.once("--json")
    assert again.code == 0, again
    assert outcomes(again) == []
    assert world.facts() == before
    status = world.status()
    assert [a["id"] for a in status["applied"]] == ["0001_app", BOTH, "0004_logging"]
    assert status["pending"] == []


def test_a_rollback_restores_both_files_to_the_byte_and_holds_the_migration(
    tmp_path: Path,
) -> None:
    old = {"app.yaml": APP.replace("\n", "\r\n"), "logging.toml": "\ufeff" + LOGGING}
    world = world_of(tmp_path, old)
    (world.config / "logging.toml").chmod(0o600)
    assert world.once().code == 0
    done = world.run("rollback", "--last", "--json")
    assert done.code == 0, done
    assert sorted(done.json["files"]) == ["app.yaml", "logging.toml"]
    assert done.json["migrations"] == ["0001_app", BOTH, "0004_logging"]
    assert files(world) == old
    assert (world.config / "logging.toml").stat().st_mode & 0o7777 == 0o600
    held = world.once()
    assert held.code == 3, held
    assert files(world) == old
    assert world.status()["applied"] == []
    for name in ("0001_app", BOTH, "0004_logging"):
        assert world.run("retry", name).code == 0
    assert world.once().code == 0
    assert stamps(world) == {"app.yaml": 2, "logging.toml": 2}


def test_a_rollback_places_later_edits_in_files_that_were_migrated_as_one(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    assert world.once().code == 0
    now = files(world)
    app = now["app.yaml"].replace("# app: by hand", "# app: edited").replace("/app", "/app2")
    world.put("app.yaml", app.replace("port: 8080", "port: 8081"))
    world.put("logging.toml", now["logging.toml"].replace('"plain"', '"json"'))
    done = world.run("rollback", "--last", "--json")
    assert done.code == 0, done
    assert set(done.json["how"].values()) == {"merged"}
    old = APP.replace("# app: by hand", "# app: edited").replace("/app", "/app2")
    assert files(world) == {
        "app.yaml": old.replace("port: 8080", "port: 8081"),
        "logging.toml": LOGGING.replace('"plain"', '"json"'),
    }
    for name in ("0001_app", BOTH, "0004_logging"):
        assert world.run("retry", name).code == 0
    assert world.once().code == 0
    assert tomllib.loads(files(world)["logging.toml"])["log"] == {
        "format": "json",
        "level": "info",
        "new": 1,
    }


@pytest.mark.slow
def test_an_edit_of_one_of_them_leaves_the_other_to_the_byte(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    assert world.once().code == 0
    world.put("app.yaml", files(world)["app.yaml"].replace("8080", "9090"))
    done = world.run("rollback", "--last", "--json")
    assert done.json["how"] == {"app.yaml": "merged", "logging.toml": "restored"}
    assert files(world) == {"app.yaml": APP.replace("8080", "9090"), "logging.toml": LOGGING}


@pytest.mark.slow
def test_an_edit_of_a_value_that_came_from_the_other_file_is_a_conflict_by_name(
    tmp_path: Path,
) -> None:
    """Its place in the old files is in the other one; that is not guessed."""
    world = world_of(tmp_path)
    assert world.once().code == 0
    now = files(world)
    edited = now["logging.toml"].replace('"info"', "'debug'").replace("'info'", "'debug'")
    assert edited != now["logging.toml"]
    world.put("logging.toml", edited)
    done = world.run("rollback", "--last")
    assert done.code == 1, done
    assert "rollback_conflict" in done.err
    assert "logging.toml" in done.err
    assert files(world) == now | {"logging.toml": edited}
    done = world.run("rollback", "--last", "--discard-later-edits", "--json")
    assert done.json["how"] == {"app.yaml": "restored", "logging.toml": "discarded"}
    assert files(world) == {"app.yaml": APP, "logging.toml": LOGGING}


@pytest.mark.slow
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize(
    ("to", "versions"), [("0001_app", (1, 0)), (BOTH, (2, 1)), ("none", (0, 0))]
)
def test_a_part_of_a_fused_chain_goes_back_in_both(
    tmp_path: Path, to: str, versions: tuple[int, int], edited: bool
) -> None:
    world = world_of(tmp_path)
    assert world.once().code == 0
    if edited:
        world.put("app.yaml", files(world)["app.yaml"].replace("8080", "9090"))
        world.put("logging.toml", files(world)["logging.toml"].replace('"plain"', '"json"'))
    done = world.run("rollback", "--to", to, "--json")
    assert done.code == 0, done
    assert (stamps(world)["app.yaml"], stamps(world)["logging.toml"]) == versions
    app = yaml.safe_load(files(world)["app.yaml"])
    logging = tomllib.loads(files(world)["logging.toml"])
    assert ("listen" if versions[0] else "server") in app
    assert (app.get("listen") or app["server"])["port"] == (9090 if edited else 8080)
    assert ("level" in app["log"]) == (versions[1] == 0)
    assert logging["log"].get("level") == ("info" if versions[1] else None)
    assert logging["log"]["format"] == ("json" if edited else "plain")
    assert "new" not in logging["log"]


KILL = """
import os, signal
from confmig.transactions.file_exchange import FileExchange
from confmig.transactions.runner import Transactor
inner = {method}
def patched(self, *args):
    if "{when}" == "after":
        inner(self, *args)
    os.kill(os.getpid(), signal.SIGKILL)
{method} = patched
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "when"),
    [
        ("FileExchange.stage", "after"),
        ("FileExchange.swap_in", "before"),
        ("FileExchange.swap_in", "after"),
        ("FileExchange.exchange", "after"),
        ("Transactor.commit", "after"),
    ],
)
def test_killed_anywhere_both_files_are_old_or_both_are_new_after_recovery(
    tmp_path: Path, method: str, when: str
) -> None:
    world = world_of(tmp_path)
    killed = world.drive(KILL.format(method=method, when=when), "run", "--once")
    assert killed.code == -signal.SIGKILL, killed
    if (method, when) == ("FileExchange.swap_in", "after"):
        assert sorted(stamps(world).values()) != [0, 0]
    done = world.once()
    assert done.code == 0, done
    assert stamps(world) == {"app.yaml": 2, "logging.toml": 2}
    assert files(world)["app.yaml"] == APP_AFTER
    assert not list(temporaries(world.config))
    assert len(world.events("config.migrated")) == 4


FAILING = [*MOVE, {"convert": {"path": "logging:log.format", "to": "int"}}]


def test_an_operation_that_fails_leaves_both_files_and_names_migration_and_place(
    tmp_path: Path,
) -> None:
    steps = (("0001_both", {"app": 1, "logging": 1}, FAILING),)
    world = world_of(tmp_path, steps=steps)
    before = world.facts()
    done = world.once("--json")
    assert done.code == 4, done
    assert world.facts() == before
    assert "document_failed" in pending(done)["0001_both"]
    [failed] = world.events("config.migration.failed")
    assert failed["attributes"]["config.migration.id"] == "0001_both"
    assert failed["attributes"]["error.type"] == "not_convertible"
    [hold] = world.status()["holds"]
    assert hold["id"] == "0001_both"
    assert "logging:log.format" in hold["detail"]
    again = world.once()
    assert again.code == 4, again
    assert world.facts() == before
    assert len(world.events("config.migration.failed")) == 1
    world.put("logging.toml", LOGGING.replace('"plain"', "'7'"))
    assert world.once().code == 0
    assert stamps(world) == {"app.yaml": 1, "logging.toml": 1}


def test_a_failing_common_step_names_itself_though_a_step_before_it_was_to_run_too(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path, steps=(STEPS[0], (BOTH, {"app": 2, "logging": 1}, FAILING)))
    before = world.facts()
    done = world.once("--json")
    assert done.code == 4, done
    assert world.facts() == before
    [hold] = world.status()["holds"]
    assert hold["id"] == BOTH
    assert "logging:log.format" in hold["detail"]
    assert files(world)["logging.toml"] == LOGGING


def test_a_value_that_the_other_format_cannot_hold_names_migration_and_document(
    tmp_path: Path,
) -> None:
    """TOML has no null: this shows only when the text is written."""
    app = APP.replace("'info'", "~")
    world = world_of(tmp_path, {"app.yaml": app, "logging.toml": LOGGING})
    before = world.facts()
    done = world.once("--json")
    assert done.code == 4, done
    assert world.facts() == before
    [failed] = world.events("config.migration.failed")
    assert failed["attributes"]["error.type"] == "value_unsupported"
    assert failed["attributes"]["config.migration.id"] == BOTH
    [hold] = world.status()["holds"]
    assert hold["id"] == BOTH
    assert "logging:" in hold["detail"]


def test_a_result_that_does_not_fit_one_schema_stops_both(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"log": {"required": ["colour"]}}}
    bundle = write(
        tmp_path / "bundle",
        STEPS,
        {"logging": {"versions": {"1": {"schema": "l1.json"}}}},
        {"l1.json": schema},
    )
    documents = {"app.yaml": APP, "logging.toml": LOGGING.replace("[log]", "[lag]")}
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents=documents)
    before = world.facts()
    done = world.once("--json")
    assert done.code == 4, done
    assert world.facts() == before
    [failed] = world.events("config.migration.failed")
    assert failed["attributes"]["error.type"] == "validation_failed"
    assert failed["attributes"]["config.migration.id"] == BOTH
    [hold] = world.status()["holds"]
    assert "logging:log" in hold["detail"]


# --- who may take a common step

LATER = "schema_version: 2\nlog: {file: x}\n"


@pytest.mark.parametrize(
    ("documents", "reason", "code", "after"),
    [
        ({"app.yaml": APP}, "config_ambiguous", 3, {"app.yaml": 1}),
        ({"logging.toml": LOGGING}, "config_ambiguous", 3, {"logging.toml": 0}),
        (
            {"app.yaml": APP, "app-2.yaml": APP, "logging.toml": LOGGING},
            "config_ambiguous",
            3,
            {"app.yaml": 1, "app-2.yaml": 1, "logging.toml": 0},
        ),
        (
            {"app.yaml": LATER, "logging.toml": LOGGING},
            "documents_out_of_step",
            3,
            {"app.yaml": 2, "logging.toml": 0},
        ),
        (
            {"app.yaml": APP, "logging.toml": "schema_version = 1\n"},
            "documents_out_of_step",
            3,
            {"app.yaml": 1, "logging.toml": 1},
        ),
    ],
)
def test_documents_that_do_not_fit_hold_the_step_and_no_other(
    tmp_path: Path, documents: dict[str, str], reason: str, code: int, after: dict[str, int]
) -> None:
    world = world_of(tmp_path, {**documents, "other.yaml": "z: 1\n"})
    done = world.once("--json")
    assert done.code == code, done
    assert reason in pending(done)[BOTH]
    got = stamps(world)
    if got.get("logging.toml") == 2:
        assert after["logging.toml"] == 1  # what comes after its common step may go on
        got["logging.toml"] = 1
    assert got == {**after, "other.yaml": 1}
    for command in ("plan", "status"):
        said = world.run(command)
        assert reason in said.out, said
    if reason == "config_ambiguous":
        asked, found = "app", "2 files match"
        if "app-2.yaml" not in documents:
            asked = "logging" if "app.yaml" in documents else "app"
            found = "no file matches"
        assert f"{BOTH} needs exactly one `{asked}` file, but {found} " in world.run("plan").out
        assert f"exactly one `{asked}` file" in world.run("dry-run").out
    deferred = world.events("config.migration.deferred")
    assert BOTH in {name for e in deferred for name in e["attributes"]["config.migration.ids"]}


def test_a_partner_that_cannot_be_read_holds_the_step_and_no_other(tmp_path: Path) -> None:
    documents = {"app.yaml": APP, "logging.toml": "= broken", "other.yaml": "z: 1\n"}
    world = world_of(tmp_path, documents)
    done = world.once("--json")
    assert done.code in (1, 4), done
    assert "document_failed" in pending(done)[BOTH]
    text = files(world)
    assert text["logging.toml"] == "= broken"
    assert "seen: true" in text["other.yaml"]
    assert "level: 'info'" in text["app.yaml"]
    world.put("logging.toml", LOGGING)
    assert world.once().code == 0
    assert stamps(world) == {"app.yaml": 2, "logging.toml": 2, "other.yaml": 1}


def test_a_document_that_arrives_completes_the_pair(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"app.yaml": APP})
    assert world.once().code == 3
    assert stamps(world) == {"app.yaml": 1}
    world.put("logging.toml", LOGGING)
    assert world.once().code == 0
    assert stamps(world) == {"app.yaml": 2, "logging.toml": 2}


# --- plan and dry-run


def test_a_dry_run_lists_both_documents_with_their_diffs(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    before = world.facts()
    done = world.run("dry-run", "--json")
    assert done.code == 0, done
    assert world.facts() == before
    [report] = done.json["targets"]
    by_id = {m["id"]: m for m in report["migrations"]}
    both = {d["path"]: d for d in by_id[BOTH]["documents"]}
    assert {p: d["action"] for p, d in both.items()} == {
        "app.yaml": "would_migrate",
        "logging.toml": "would_migrate",
    }
    assert "-  level: 'info'" in both["app.yaml"]["diff"]
    assert "+level = " in both["logging.toml"]["diff"]
    assert both["app.yaml"]["loss"]["removed"] == [{"path": "log.level", "type": "string"}]
    assert by_id[BOTH]["status"] == "dry_run_complete"
    assert report["totals"]["would_change_files"] == 2
    assert report["totals"]["errors"] == 0
    text = world.run("dry-run").out
    assert "+level = " in text
    planned = world.run("plan", "--json").json["targets"][0]["pending"]
    assert [p["id"] for p in planned] == ["0001_app", BOTH, "0004_logging"]
    assert {p["verdict"] for p in planned} == {"allow"}


def test_a_dry_run_tells_an_error_in_the_second_document(tmp_path: Path) -> None:
    steps = (STEPS[0], (BOTH, {"app": 2, "logging": 1}, FAILING))
    world = world_of(tmp_path, steps=steps)
    [report] = world.run("dry-run", "--json").json["targets"]
    by_id = {m["id"]: m for m in report["migrations"]}
    assert by_id["0001_app"]["status"] == "dry_run_complete"
    assert by_id[BOTH]["status"] == "error"
    both = {d["path"]: d for d in by_id[BOTH]["documents"]}
    assert sorted(both) == ["app.yaml", "logging.toml"]
    assert "logging:log.format" in both["logging.toml"]["error"]
    assert BOTH in both["logging.toml"]["error"]
    assert not any(d["action"] == "would_migrate" for d in both.values())


def test_a_dry_run_tells_the_problem_of_each_broken_document_at_that_document(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path, {"app.yaml": "a: [", "logging.toml": "schema_version = true\n"})
    [report] = world.run("dry-run", "--json").json["targets"]
    errors: dict[str, list[str]] = {}
    for one in report["migrations"]:
        for document in one["documents"]:
            if document["action"] == "error":
                errors.setdefault(document["path"], []).append(document["error"])
    assert sorted(errors) == ["app.yaml", "logging.toml"]
    assert "version_invalid" in errors["logging.toml"][0]
    assert "version_invalid" not in errors["app.yaml"][0]


@pytest.mark.parametrize("reason", ["config_ambiguous", "documents_out_of_step"])
def test_a_dry_run_says_why_a_step_cannot_be_taken(tmp_path: Path, reason: str) -> None:
    documents = {"app.yaml": APP}
    if reason == "documents_out_of_step":
        documents = {"app.yaml": APP, "logging.toml": "schema_version = 1\n"}
    [report] = world_of(tmp_path, documents).run("dry-run", "--json").json["targets"]
    by_id = {m["id"]: m for m in report["migrations"]}
    assert by_id["0001_app"]["status"] == "dry_run_complete"
    both = {d["path"]: d for d in by_id[BOTH]["documents"]}
    assert both["app.yaml"]["action"] in ("error", "skipped")
    assert reason in both["app.yaml"]["error"]
    assert reason in by_id[BOTH]["gate"]["reasons"]
    if "logging.toml" in both:
        assert both["logging.toml"]["action"] == "no_op"


# --- somebody edits one of the files

EDIT = """
from pathlib import Path
import confmig.transactions.migrate
TARGET = Path(WORLD) / "config" / "{name}"
plan = confmig.transactions.migrate._run
done = []
def patched(*args):
    if not done:
        done.append(1)
        TARGET.write_text("# edited\\n" + TARGET.read_text())
    return plan(*args)
confmig.transactions.migrate._run = patched
"""


@pytest.mark.parametrize("name", ["app.yaml", "logging.toml"])
def test_an_edit_of_one_file_plans_both_again(tmp_path: Path, name: str) -> None:
    world = world_of(tmp_path)
    done = world.drive(EDIT.format(name=name), "run", "--once", "--json")
    assert done.code == 0, done
    assert outcomes(done) == ["drifted", "committed"]
    assert stamps(world) == {"app.yaml": 2, "logging.toml": 2}
    assert "# edited\n" in files(world)[name]
    assert "level" not in files(world)["app.yaml"]
    assert tomllib.loads(files(world)["logging.toml"])["log"]["level"] == "info"
    assert not list(temporaries(world.config))


# --- secrets


@pytest.mark.parametrize("how", ["migrate", "dry-run"])
def test_a_secret_stays_masked_in_the_file_it_moves_to(tmp_path: Path, how: str) -> None:
    steps = ((BOTH.replace("2", "1"), {"app": 1, "logging": 1}, SECRET),)
    documents = {"app.yaml": "password: hunter2hunter2\n", "logging.toml": LOGGING}
    world = world_of(tmp_path, documents, steps)
    if how == "dry-run":
        done = world.run("dry-run", "--json")
    else:
        done = confmig("migrate", *named(world), "--bundle", world.bundle, "--diff")
    assert done.code == 0, done
    assert "credential" in done.out
    assert "hunter2" not in done.out


SECRET = [{"move": {"from": "app:password", "to": "logging:credential"}}]


def named(world: World) -> list[Path]:
    return sorted(world.config.iterdir())


# --- check


def fixtures(bundle: Path, migration: str = BOTH, **contents: str) -> None:
    """Fixtures by the name of their file, a dot written as two underscores."""
    folder = bundle / "migrations" / "fixtures" / migration
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / name.replace("__", ".")).write_text(text)


ONE_STEP: tuple[Entry, ...] = (("0001_both", {"app": 1, "logging": 1}, MOVE),)
GOOD = {
    "full__app__input__yaml": "log:\n  level: x # c\nz: 1\n",
    "full__app__expected__yaml": "log: {}\nz: 1\nschema_version: 1\n",
    "full__logging__input__toml": "[log]\na = 1\n",
    "full__logging__expected__toml": 'schema_version = 1\n\n[log]\na = 1\nlevel = "x"\n',
}


def checked(bundle: Path) -> tuple[int, dict[str, Any]]:
    done = confmig("check", "--bundle", bundle, "--json")
    return done.code, done.json


def learned(bundle: Path) -> dict[str, str]:
    """Good fixtures: the expected texts are read by another reader below."""
    inputs = {k: v for k, v in GOOD.items() if "input" in k}
    texts = dict(inputs)
    folder = bundle.parent / "learn"
    folder.mkdir()
    (folder / "app.yaml").write_text(inputs["full__app__input__yaml"])
    (folder / "logging.toml").write_text(inputs["full__logging__input__toml"])
    pair = [folder / "app.yaml", folder / "logging.toml"]
    assert confmig("migrate", *pair, "--bundle", bundle, "--write").code == 0
    texts["full__app__expected__yaml"] = pair[0].read_text()
    texts["full__logging__expected__toml"] = pair[1].read_text()
    for name, text in GOOD.items():
        read = tomllib.loads if "toml" in name else yaml.safe_load
        assert read(texts[name]) == read(text) or name == "full__app__expected__yaml"
    return texts


def test_check_replays_the_fixtures_of_both_configurations(tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle", ONE_STEP)
    texts = learned(bundle)
    fixtures(bundle, "0001_both", **texts)
    assert checked(bundle) == (0, {"ok": True, "replayed": 2, "problems": []})
    fixtures(bundle, "0001_both", full__logging__expected__toml="[log]\na = 1\n")
    code, answer = checked(bundle)
    assert code == 1
    [problem] = answer["problems"]
    assert problem["code"] == "replay_differs"
    assert problem["place"].endswith("full.logging.expected.toml:1")


@pytest.mark.parametrize("left_out", sorted(GOOD))
def test_check_misses_each_half_of_a_case(tmp_path: Path, left_out: str) -> None:
    bundle = write(tmp_path / "bundle", ONE_STEP)
    fixtures(bundle, "0001_both", **{k: v for k, v in GOOD.items() if k != left_out})
    code, answer = checked(bundle)
    assert code == 1, answer
    assert "replay_missing" in {p["code"] for p in answer["problems"]}
    assert all("full" in p["place"] for p in answer["problems"])


def test_check_misses_all_files_of_one_configuration(tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle", ONE_STEP)
    fixtures(bundle, "0001_both", **{k: v for k, v in GOOD.items() if "app" in k})
    code, answer = checked(bundle)
    assert code == 1, answer
    assert [p["code"] for p in answer["problems"]] == ["replay_missing"]
    assert "logging" in answer["problems"][0]["message"]


def test_check_does_not_pass_over_fixtures_that_name_no_configuration(tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle", ONE_STEP)
    fixtures(
        bundle,
        "0001_both",
        full__input__yaml="log: {level: x}\n",
        full__expected__yaml="this: is never looked at\n",
    )
    code, answer = checked(bundle)
    assert code == 1, answer
    assert {p["code"] for p in answer["problems"]} == {"replay_missing"}


def test_check_finds_the_fixtures_of_a_configuration_with_a_dot_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "app.main", "yaml")
    move = [{"move": {"from": "app.main:log.level", "to": "logging:log.level"}}]
    bundle = write(tmp_path / "bundle", (("0001_both", {"app.main": 1, "logging": 1}, move),))
    dotted = {k.replace("app", "app__main"): v for k, v in GOOD.items()}
    fixtures(bundle, "0001_both", **dotted | {"full__app__main__expected__yaml": "wrong: 1\n"})
    code, answer = checked(bundle)
    assert code == 1, answer
    places = {p["place"].rpartition("/")[2] for p in answer["problems"]}
    assert places == {"full.app.main.expected.yaml:1"}


def test_check_tells_a_fixture_that_fails_with_the_place(tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle", ONE_STEP)
    bad = {**GOOD, "full__logging__input__toml": "log = 1\n"}
    fixtures(bundle, "0001_both", **bad)
    code, answer = checked(bundle)
    assert code == 1
    [problem] = answer["problems"]
    assert problem["code"] == "replay_failed"
    assert "\n" not in problem["message"]
    assert problem["fix"]
    assert "logging:log" in problem["message"]
    assert "0001_both" in problem["message"]


def test_check_refuses_paths_without_a_configuration_and_missing_handlers(tmp_path: Path) -> None:
    bundle = write(
        tmp_path / "bundle",
        (
            ("0001_both", {"app": 1, "logging": 1}, [{"delete": "level"}]),
            ("0002_both", {"app": 2, "logging": 2}, [{"custom": "app:handlers/none.py"}]),
        ),
    )
    code, answer = checked(bundle)
    assert code == 2
    found = {p["code"]: p for p in answer["problems"] if p["code"] != "replay_missing"}
    assert sorted(found) == ["handler_missing", "operation_invalid"]
    assert "0001_both.yaml" in found["operation_invalid"]["place"]
    assert "app:" in found["operation_invalid"]["message"] + found["operation_invalid"]["fix"]
    assert "handlers/none.py" in found["handler_missing"]["message"]
    assert "app:" not in found["handler_missing"]["message"]


def test_check_refuses_a_python_migration_and_a_colon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = write(tmp_path / "bundle", ONE_STEP)
    (bundle / "migrations" / "0001_both.yaml").rename(bundle / "migrations" / "0001_both.py")
    confmig("sum", "--bundle", bundle)
    code, answer = checked(bundle)
    assert code == 2
    assert "manifest_field_invalid" in {p["code"] for p in answer["problems"]}
    monkeypatch.setitem(FORMATS, "a:b", "yaml")
    other = write(tmp_path / "other", (("0001_both", {"app": 1, "a:b": 1}, []),))
    code, answer = checked(other)
    assert code == 2
    assert any("`a:b` has a colon" in p["message"] for p in answer["problems"])


def test_a_handler_runs_on_the_document_it_is_addressed_to(tmp_path: Path) -> None:
    steps = (("0001_both", {"app": 1, "logging": 1}, [{"custom": "logging:handlers/h.py"}]),)
    world = world_of(tmp_path, steps=steps)
    folder = world.bundle / "migrations" / "handlers"
    folder.mkdir()
    (folder / "h.py").write_text(
        "def migrate(document, contract):\n    document.set('by', contract.config)\n"
    )
    assert confmig("sum", "--bundle", world.bundle).code == 0
    done = world.once()
    assert done.code == 0, done
    assert tomllib.loads(files(world)["logging.toml"])["by"] == "logging"
    assert "by:" not in files(world)["app.yaml"]


# --- migrate


class Folder:
    """Files beside a bundle, for ``confmig migrate``."""

    def __init__(self, folder: Path, steps: Sequence[Entry] = STEPS) -> None:
        self.bundle = write(folder / "bundle", steps)
        self.folder = folder / "files"
        self.folder.mkdir()

    def put(self, **texts: str) -> list[Path]:
        """Files by their name, a dot written as two underscores."""
        out = []
        for name, text in texts.items():
            file = self.folder / name.replace("__", ".")
            file.write_text(text)
            out.append(file)
        return out

    def migrate(self, *words: str | Path) -> Done:
        return confmig("migrate", *words, "--bundle", self.bundle)

    def texts(self) -> dict[str, str]:
        return {p.name: p.read_text() for p in sorted(self.folder.iterdir())}


PAIR = {"app__yaml": APP, "logging__toml": LOGGING}


def test_migrate_writes_both_files(tmp_path: Path) -> None:
    here = Folder(tmp_path)
    files = here.put(**PAIR)
    before = here.texts()
    diff = here.migrate(*files, "--diff")
    assert diff.code == 0, diff
    assert here.texts() == before
    assert "-  level: 'info'" in diff.out
    assert "+level = " in diff.out
    done = here.migrate(*reversed(files), "--write", "--json")
    assert done.code == 0, done
    answers = {Path(a["path"]).name: a for a in done.json["files"]}
    assert {n: (a["from"], a["to"], a["changed"]) for n, a in answers.items()} == {
        "app.yaml": (0, 2, True),
        "logging.toml": (0, 2, True),
    }
    kinds = {(c["migration"], c["kind"], c["path"]) for c in answers["app.yaml"]["changes"]}
    assert (BOTH, "removed", "log.level") in kinds
    assert here.texts()["app.yaml"] == APP_AFTER
    data = tomllib.loads(here.texts()["logging.toml"])
    assert data["log"] == {"format": "plain", "level": "info", "new": 1}
    again = here.migrate(*files, "--write")
    assert again.code == 0, again
    assert again.out.count("unchanged") >= 2
    assert not list(temporaries(here.folder))


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ({"app__yaml": APP}, "config_ambiguous"),
        ({"logging__toml": LOGGING}, "config_ambiguous"),
        ({"app__yaml": APP, "app2__yaml": APP, "logging__toml": LOGGING}, "config_ambiguous"),
        ({"app__yaml": LATER, "logging__toml": LOGGING}, "documents_out_of_step"),
        ({"app__yaml": APP, "logging__toml": "schema_version = 1\n"}, "documents_out_of_step"),
    ],
)
@pytest.mark.parametrize("how", ["--write", "--diff"])
def test_migrate_refuses_what_does_not_go_together_and_does_the_rest(
    tmp_path: Path, texts: dict[str, str], code: str, how: str
) -> None:
    here = Folder(tmp_path)
    files = here.put(other1__yaml="z: 1\n", **texts, other2__yaml="z: 2\n")
    before = here.texts()
    done = here.migrate(*files, how)
    assert done.code == 1, done
    assert code in done.err
    assert BOTH in done.err
    after = here.texts()
    assert {n: t for n, t in after.items() if "other" not in n} == {
        n: t for n, t in before.items() if "other" not in n
    }
    if how == "--write":
        assert all("seen: true" in t for n, t in after.items() if "other" in n)
    else:
        assert done.out.count("+seen: true") == 2
        assert after == before


def test_migrate_says_the_refusal_of_each_file_in_json(tmp_path: Path) -> None:
    here = Folder(tmp_path)
    files = here.put(app__yaml=LATER, other__yaml="z: 1\n", logging__toml=LOGGING)
    done = here.migrate(*files, "--write", "--json")
    assert done.code == 1, done
    answers = {Path(a["path"]).name: a for a in done.json["files"]}
    assert sorted(answers) == ["app.yaml", "logging.toml", "other.yaml"]
    for name in ("app.yaml", "logging.toml"):
        assert answers[name]["error"]["code"] == "documents_out_of_step"
    assert answers["other.yaml"]["changed"] is True


def test_migrate_an_operation_that_fails_leaves_both(tmp_path: Path) -> None:
    here = Folder(tmp_path, (("0001_both", {"app": 1, "logging": 1}, FAILING),))
    files = here.put(**PAIR)
    before = here.texts()
    done = here.migrate(*files, "--write")
    assert done.code == 1, done
    assert "logging:log.format" in done.err
    assert "0001_both" in done.err
    assert here.texts() == before


def test_migrate_takes_one_file_alone_if_no_common_step_is_due(tmp_path: Path) -> None:
    here = Folder(tmp_path)
    files = here.put(logging__toml="schema_version = 1\n", logging2__toml="schema_version = 1\n")
    done = here.migrate(*files, "--write")
    assert done.code == 0, done
    for text in here.texts().values():
        assert tomllib.loads(text) == {"schema_version": 2, "log": {"new": 1}}
    alone = here.put(app__yaml=APP)
    stopped = here.migrate(*alone, "--stdout", "--to", "1")
    assert stopped.code == 0, stopped
    assert yaml.safe_load(stopped.out)["schema_version"] == 1


def test_migrate_tells_configurations_apart_that_other_steps_bind(tmp_path: Path) -> None:
    """Two files of x are past what binds x to y; app and logging are still before their step."""
    steps = (
        ("0001_both", {"app": 1, "logging": 1}, MOVE),
        ("0002_xy", {"x": 1, "y": 1}, [{"set": {"path": "x:a", "value": 1}}]),
        ("0003_x", {"x": 2}, [{"set": {"path": "b", "value": 1}}]),
    )
    here = Folder(tmp_path, steps)
    texts = {"x1__yaml": "schema_version: 1\nme: 1\n", "x2__yaml": "schema_version: 1\nme: 2\n"}
    files = here.put(**PAIR, **texts)
    done = here.migrate(*files, "--write")
    assert done.code == 0, done
    after = here.texts()
    assert yaml.safe_load(after["x1.yaml"]) == {"schema_version": 2, "me": 1, "b": 1}
    assert yaml.safe_load(after["x2.yaml"]) == {"schema_version": 2, "me": 2, "b": 1}


def test_migrate_a_broken_file_refuses_only_what_goes_with_it(tmp_path: Path) -> None:
    steps = (
        ("0001_both", {"app": 1, "logging": 1}, MOVE),
        ("0002_xy", {"x": 1, "y": 1}, [{"move": {"from": "x:a", "to": "y:a"}}]),
    )
    here = Folder(tmp_path, steps)
    files = here.put(**PAIR, x__yaml="a: [", y__yaml="z: 1\n")
    done = here.migrate(*files, "--write")
    assert done.code == 1, done
    after = here.texts()
    assert (after["x.yaml"], after["y.yaml"]) == ("a: [", "z: 1\n")
    assert "schema_version: 1" in after["app.yaml"]
    assert "schema_version = 1" in after["logging.toml"]


def test_migrate_never_passes_over_the_way_back(tmp_path: Path) -> None:
    """x is newer than --to: that is refused, whatever the other files of the call are."""
    steps: tuple[Entry, ...] = (
        ("0001_both", {"app": 1, "logging": 1}, MOVE),
        ("0002_xy", {"x": 1, "y": 1}, []),
        ("0003_x", {"x": 2}, []),
    )
    here = Folder(tmp_path, steps)
    alone = here.put(x__yaml="schema_version: 2\n")
    done = here.migrate(*alone, "--write", "--to", "1")
    assert (done.code, "document_newer" in done.err) == (1, True), done
    done = here.migrate(*here.put(**PAIR), *alone, "--write", "--to", "1")
    assert (done.code, "document_newer" in done.err) == (1, True), done


def test_migrate_takes_both_files_back_with_the_journal(tmp_path: Path) -> None:
    here = Folder(tmp_path, (("0001_both", {"app": 1, "logging": 1}, MOVE),))
    files = here.put(**PAIR)
    done = here.migrate(*files, "--write", "--json", "--show-values")
    assert done.code == 0, done
    journal = tmp_path / "journal.json"
    journal.write_text(done.out)
    back = here.migrate(*files, "--write", "--to", "0", "--journal", journal)
    assert back.code == 0, back
    after = here.texts()
    assert yaml.safe_load(after["app.yaml"]) == yaml.safe_load(APP)
    assert tomllib.loads(after["logging.toml"]) == tomllib.loads(LOGGING)


def test_migrate_puts_the_first_file_back_if_the_second_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Folder(tmp_path)
    files = here.put(**PAIR)
    before = here.texts()
    seen = []

    def failing(disk: Any, snapshot: Any, data: bytes, temporary: str) -> None:
        seen.append(snapshot.path)
        if len(seen) == 2:
            raise Fault("disk_full", "no space", place=snapshot.path)
        replace_file(disk, snapshot, data, temporary)

    monkeypatch.setattr("confmig.offline.migrate.replace_file", failing)
    code = run(["migrate", *map(str, files), "--bundle", str(here.bundle), "--write", "--json"])
    assert code == 1
    assert here.texts() == before
    answers = json.loads(capsys.readouterr().out)["files"]
    assert [a["error"]["code"] for a in answers] == ["disk_full", "disk_full"]


def test_migrate_counts_every_file_once(tmp_path: Path) -> None:
    here = Folder(tmp_path)
    files = here.put(**PAIR, other__yaml="z: 1\n")
    done = here.migrate(*files, "--write", "--progress", "always")
    assert done.code == 0, done
    assert "3 files: 3 migrated, 0 unchanged, 0 refused" in done.out
    assert "/3 " in done.err
