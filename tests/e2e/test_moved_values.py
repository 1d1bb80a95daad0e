"""A partial failure of a migration over two files loses no value in any way out of it.

The migration moves values between the files. It is killed after the first exchange, then that file
is edited (and, in some tests, the other one, too), so that both moved values are in no file.
"""

from __future__ import annotations

import json
import re
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.test_partial_failure import KILL_AFTER_FIRST
from tests.e2e.world import FREE, Daemon, World, confmig, until

pytestmark = pytest.mark.slow

APP = "# app\nname: x  # the name\nlog:\n  file: /var/log/x.log # where\n  level: debug\nport: 1\n"
LOGGING = '# logging\ncolor = "blue"\nrotate = 3 # days\n'
OPERATIONS = """\
- move: {from: "app:log.file", to: "logging:output.path"}
- move: {from: "app:log.level", to: "logging:level"}
- move: {from: "logging:color", to: "app:ui.color"}
- set: {path: "logging:mode", value: fixed}
"""


def bundle(folder: Path) -> Path:
    """One migration over both files."""
    (folder / "migrations" / "schemas").mkdir(parents=True)
    configs = {
        "app": {"files": ["app.yaml"], "format": "yaml", "version": {"path": "v", "absent": 0}},
        "logging": {
            "files": ["logging.toml"],
            "format": "toml",
            "version": {"path": "v", "absent": 0},
        },
    }
    migration = {"id": "0001_both", "order": 1, "class": "online"}
    migrations = [migration | {"sets": {"app": 1, "logging": 1}}]
    (folder / "manifest.json").write_text(
        json.dumps(
            {"_config_version": 1, "bundle": "x", "configs": configs, "migrations": migrations}
        )
    )
    (folder / "migrations" / "0001_both.yaml").write_text(OPERATIONS)
    assert confmig("sum", "--bundle", folder).code == 0
    return folder


def edit_app(text: str) -> str:
    """An edit that stands in both schemas."""
    return text.replace("port: 1", "port: 2 # mine")


def edit_logging(text: str) -> str:
    return text.replace("rotate = 3", "rotate = 4")


def half_way(folder: Path, *, both: bool) -> World:
    """app.yaml is new and edited; logging.toml is old, and edited if ``both``."""
    world = World(
        folder / "w",
        bundle=bundle(folder / "bundle"),
        policy=FREE,
        documents={"app.yaml": APP, "logging.toml": LOGGING},
    )
    assert world.drive(KILL_AFTER_FIRST, "run", "--once").code == -signal.SIGKILL
    change(world, "app.yaml", edit_app)
    if both:
        change(world, "logging.toml", edit_logging)
    return world


def change(world: World, name: str, edit: Callable[[str], str]) -> None:
    file = world.config / name
    before = file.read_text()
    world.put(name, edit(before))
    assert file.read_text() != before


def data(world: World) -> tuple[Any, Any]:
    return (
        yaml.safe_load((world.config / "app.yaml").read_text()),
        tomllib.loads((world.config / "logging.toml").read_text()),
    )


def values(world: World) -> set[str]:
    """Every value that a file holds."""

    def leaves(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set().union(*map(leaves, value.values()))
        return {str(value)}

    app, logging = data(world)
    return leaves(app) | leaves(logging)


def blocked(world: World) -> str:
    done = world.once()
    assert done.code == 5, done
    transaction = world.status()["partial_failure"]["transaction"]
    assert isinstance(transaction, str)
    return transaction


KEPT = {"/var/log/x.log", "debug", "blue", "x", "2"}


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("mode", ["--restore", "--resume"])
def test_every_value_and_edit_is_in_a_file(tmp_path: Path, mode: str, both: bool) -> None:
    world = half_way(tmp_path, both=both)
    transaction = blocked(world)
    done = world.run("resolve", transaction, mode)
    assert done.code == 0, done
    assert values(world) >= KEPT | {"4" if both else "3"}
    app = (world.config / "app.yaml").read_text()
    assert "# mine" in app
    if mode == "--restore":
        assert app == edit_app(APP)
        assert (world.config / "logging.toml").read_text() == (
            edit_logging(LOGGING) if both else LOGGING
        )
    assert world.once().code == 0
    assert values(world) >= KEPT | {"4" if both else "3", "fixed"}
    new_app, new_logging = data(world)
    assert new_app["v"] == new_logging["v"] == 1
    assert new_logging["output"]["path"] == "/var/log/x.log"
    assert world.status()["partial_failure"]["active"] is False


@pytest.mark.parametrize("both", [False, True])
def test_accept_changed_names_the_values_that_it_would_lose(tmp_path: Path, both: bool) -> None:
    world = half_way(tmp_path, both=both)
    transaction = blocked(world)
    before = world.facts()
    done = world.run("resolve", transaction, "--accept-changed", "--reason", "r", "--json")
    assert done.code == 1, done
    error = done.json["error"]
    assert error["code"] == "values_lost"
    assert "app.yaml: log.file" in error["message"]
    assert "app.yaml: log.level" in error["message"]
    assert "debug" not in error["message"], "a value was shown"
    assert "fixed" not in error["message"]
    assert world.facts() == before
    # written into a file by hand, they are not lost any more
    change(world, "logging.toml", lambda text: text + '[kept]\na = "debug"\nb = "/var/log/x.log"\n')
    done = world.run("resolve", transaction, "--accept-changed", "--reason", "r")
    assert done.code == 0, done


def test_discard_accepts_the_loss(tmp_path: Path) -> None:
    world = half_way(tmp_path, both=False)
    transaction = blocked(world)
    assert world.run("resolve", transaction, "--discard").code == 2
    done = world.run("resolve", transaction, "--discard", "--reason", "CHG-7")
    assert done.code == 0, done
    [event] = world.events("config.migration.unblocked")
    assert event["attributes"]["config.migration.resolution.reason"] == "CHG-7"


def test_a_dry_run_shows_what_each_way_out_then_does(tmp_path: Path) -> None:
    world = half_way(tmp_path, both=True)
    transaction = blocked(world)
    before, dump = world.facts(), world.dump()
    shown = world.run("resolve", transaction, "--dry-run", "--json").json["choices"]
    assert (world.facts(), world.dump()) == (before, dump)
    assert {mode: choice["possible"] for mode, choice in shown.items()} == {
        "restore": True,
        "resume": True,
        "verify_and_clear": False,
        "accept_changed": False,
    }
    assert shown["restore"]["files"] == ["app.yaml"]
    assert "+  file: /var/log/x.log # where" in shown["restore"]["diff"]
    assert '+path = "/var/log/x.log"' in shown["resume"]["diff"]
    assert len(shown["accept_changed"]["lost"]) == 2
    assert "neither all old nor all new" in shown["verify_and_clear"]["why_not"]
    text = world.run("resolve", transaction, "--dry-run").out
    assert f"confmig resolve {transaction} --restore" in text


def test_a_resume_whose_migration_fails_says_that_the_conflict_is_over(tmp_path: Path) -> None:
    world = half_way(tmp_path, both=True)
    change(world, "logging.toml", lambda text: text.replace("rotate", "output"))
    transaction = blocked(world)
    done = world.run("resolve", transaction, "--resume", "--json")
    assert done.code == 1, done
    assert "every file was restored" in done.json["error"]["message"]
    assert (world.config / "app.yaml").read_text() == edit_app(APP)
    assert world.status()["partial_failure"]["active"] is False
    assert world.once().code == 4
    assert len(world.events("config.migration.unblocked")) == 1


def test_a_rollback_of_it_reports_no_older_transaction_as_later(tmp_path: Path) -> None:
    world = half_way(tmp_path, both=True)
    transaction = blocked(world)
    done = world.run("rollback", transaction)
    assert done.code == 0, done
    assert (world.config / "app.yaml").read_text() == edit_app(APP)
    assert (world.config / "logging.toml").read_text() == edit_logging(LOGGING)


def test_from_the_log_to_the_end_by_the_messages_alone(tmp_path: Path) -> None:
    world = half_way(tmp_path, both=False)
    with Daemon(world, CONFMIG__HTTP__PORT="0") as daemon:
        named = re.compile(r"BLOCKED.*?`confmig (resolve \S+ --dry-run)`", re.DOTALL)
        until(lambda: named.search(daemon.said) is not None, what="the log names the command")
        command = named.search(daemon.said)
        assert command is not None
        ways = world.run(*command[1].split())
        assert ways.code == 0, ways
        restore = re.search(r"^confmig (resolve \S+ --restore)$", ways.out, re.MULTILINE)
        assert restore is not None, ways
        done = world.run(*restore[1].split())
        assert done.code == 0, done
        until(lambda: data(world)[1].get("v") == 1, what="migrated again")
        until(lambda: "unblocked" in daemon.said, what="the log says so")
    assert values(world) >= KEPT
