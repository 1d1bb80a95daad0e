"""A canary in a configuration file is seen nowhere but in that file and in private images."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import FREE, Done, Step, World, confmig, document, write_bundle
from tests.support.otlp_receiver import OtlpReceiver

pytestmark = pytest.mark.slow

CANARY = "CANARY-7f3a9"
STEPS = (
    Step("0001_move", ({"move": {"from": "server.port", "to": "listen.port"}},)),
    Step("0002_token", ({"move": {"from": "api_token", "to": "access.credential"}},)),
    Step("0003_set", ({"set": {"path": "feature", "value": True}},)),
)
CONTRACT = {"configs": {"app": {"secrets": ["api_token", "hidden[*].value"], "versions": {}}}}
TEXT = f"""\
schema_version: 0
server: {{port: {CANARY}1}}
api_token: {CANARY}2
password: "{CANARY}3"
auth: {{user: me, password: {CANARY}4, "token":"{CANARY}5"}}
tokens:
- {CANARY}6
- {CANARY}7
hidden:
- value: {CANARY}8
private_key: |
  {CANARY}9
  {CANARY}10
db_password: &anchor {CANARY}11
folded_secret: {CANARY}12
  {CANARY}13
"""


def world_of(folder: Path, text: str = TEXT, telemetry: str = "{exporter: none}") -> World:
    bundle = write_bundle(folder / "bundle", STEPS, contract=CONTRACT)
    return World(
        folder / "w", bundle=bundle, policy=FREE, documents={"a.yaml": text}, telemetry=telemetry
    )


def clean(done: Done, *allowed: str) -> Done:
    """No canary in what a command said, apart from the ones that a diff may show."""
    said = done.out + done.err
    for one in allowed:
        said = said.replace(one + "\n", "\n").replace(one + "}", "}")
    assert CANARY not in said, said
    return done


def test_no_canary_in_what_is_said_sent_or_kept_for_others(tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        world = world_of(tmp_path, telemetry=f"{{endpoint: '{receiver.endpoint}'}}")
        before = os.umask(0)
        try:
            clean(world.run("plan", "--json"))
            assert clean(world.once("--json", "--console")).code == 0
            clean(world.run("status", "--json"))
            clean(world.run("status"))
            clean(world.run("events", "--json"))
            assert clean(world.run("rollback", "--last")).code == 0
            world.put("a.yaml", world.config.joinpath("a.yaml").read_text() + f"x: {CANARY}\n")
            clean(world.run("rollback", "--last"))
            assert clean(world.run("retry", "0001_move")).code == 0
            clean(world.once())
        finally:
            os.umask(before)
        assert receiver.logs
        assert receiver.spans
        assert all(CANARY.encode() not in r.body for r in receiver.requests)
        assert all(CANARY not in str(r.headers) for r in receiver.requests)
    for path in [world.state, *world.state.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode in (0o700, 0o600), f"{path} has {mode:o}"
        assert CANARY not in path.name
    for path in (world.state / "checkpoints").iterdir():
        assert path.suffix == ".jsonl"
    for path in world.state.glob("state.db*"):
        assert CANARY.encode() not in path.read_bytes()


BROKEN = {
    "not yaml": f"password: {CANARY}\n  bad: [\n",
    "tab": f"password: {CANARY}\n\tx: {CANARY}\n",
    "twice": f"password: {CANARY}\npassword: {CANARY}\n",
    "no alias": f"password: *{CANARY}\n",
    "stamp": f"schema_version: {CANARY}\n",
    "conflict": f"server: {{port: {CANARY}}}\nlisten: {CANARY}\n",
    "conflict in place": f"server: {{port: {CANARY}}}\nlisten: {{port: {CANARY}x}}\n",
    "wrong type": f"server: {CANARY}\n",
    "tag": f"!{CANARY} {{a: 1}}\n",
    "directive": f"%{CANARY}\n---\na: 1\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_canary_in_the_errors_about_a_document(tmp_path: Path, name: str) -> None:
    world = world_of(tmp_path, BROKEN[name])
    clean(world.once("--json", "--console"))
    clean(world.run("dry-run", "--format", "json"))
    for how in ("--write", "--diff"):
        clean(
            confmig("migrate", world.config / "a.yaml", "--bundle", world.bundle, how),
            f"+  port: {CANARY}",  # the value of a key that no one calls a secret
            f"-server: {{port: {CANARY}",
        )
    clean(world.run("events"))
    assert CANARY not in world.dump()


def test_no_canary_in_a_handlers_failure(tmp_path: Path) -> None:
    code = "def migrate(document, contract):\n    raise ValueError(document['password'])\n"
    bundle = write_bundle(tmp_path / "bundle", (Step("0001_x", handler=code),))
    text = f"password: {CANARY}\n"
    world = World(tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": text})
    done = clean(world.once("--json", "--console"))
    assert done.code == 4
    assert "handler_failed" in done.out
    clean(world.run("status", "--json"))
    assert CANARY not in world.dump()


def test_no_canary_in_a_bugs_report(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    body = (
        "import confmig.transactions.migrate\n"
        "def broken(*args):\n    raise ZeroDivisionError(open(WORLD + '/config/a.yaml').read())\n"
        "confmig.transactions.migrate._run = broken\n"
    )
    done = clean(world.drive(body, "run", "--once"))
    assert done.code == 70, done
    assert "ZeroDivisionError" in done.err


def report(world: World, form: str) -> str:
    done = world.run("dry-run", "--format", form)
    assert done.code == 0, done
    return done.out


# Short, so that all of it is context of the change in the first line.
MASKED = {
    "plain": f"password: {CANARY}\n",
    "quoted": f'password: "{CANARY}"\n',
    "quoted key": f"'password': {CANARY}\n",
    "in a list": f"users:\n- password: {CANARY}\n",
    "flow": f"auth: {{user: me, password: {CANARY}}}\n",
    "json": f'auth: {{"token":"{CANARY}"}}\n',
    "flow list": f"tokens: [{CANARY}, {CANARY}]\n",
    "list": f"tokens:\n- {CANARY}\n",
    "indented list": f"tokens:\n  - {CANARY}\n",
    "contract": f"hidden:\n- value: {CANARY}\n",
    "literal": f"private_key: |\n  {CANARY}\n",
    "anchor": f"db_password: &a {CANARY}\n",
    "tag": f"db_password: !!str {CANARY}\n",
    "folded": f"secret: a\n  {CANARY}\n",
    "double quoted lines": f'secret: "a\n  {CANARY}"\n',
    "flow lines": f"auth: {{\n  password: {CANARY}}}\n",
    "explicit key": f"? password\n: {CANARY}\n",
    "comment": f"# password: {CANARY}\n",
    "moved to an innocent name": f"api_token: {CANARY}\n",
}


@pytest.mark.parametrize("name", MASKED)
def test_a_secret_is_masked_in_diffs_and_reports(tmp_path: Path, name: str) -> None:
    world = world_of(tmp_path, "schema_version: 0\n" + MASKED[name])
    words = ["migrate", str(world.config / "a.yaml"), "--bundle", str(world.bundle), "--diff"]
    diff = clean(confmig(*words))
    assert diff.code == 0, diff
    assert "+schema_version: 3" in diff.out
    assert clean(world.run("dry-run")).code == 0


def test_values_are_shown_only_if_asked_for(tmp_path: Path) -> None:
    world = world_of(tmp_path, document().replace("8080", CANARY))
    file = world.config / "a.yaml"
    words: list[Any] = ["migrate", file, "--bundle", world.bundle, "--diff", "--json"]
    clean(confmig(*words))


def test_the_written_report_is_private(tmp_path: Path) -> None:
    """Its diffs quote the configuration; the file must not be wider open than the source."""
    world = world_of(tmp_path)
    (world.config / "a.yaml").chmod(0o600)
    out = tmp_path / "report.json"
    assert world.run("dry-run", "--format", "json", "--output", out).code == 0
    if CANARY in out.read_text():
        assert stat.S_IMODE(out.stat().st_mode) & 0o077 == 0
