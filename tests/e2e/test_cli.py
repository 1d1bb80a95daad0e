"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.world import (
    FREE,
    REPOSITORY,
    TWO,
    VERSION_1,
    Step,
    World,
    confmig,
    document,
    environment,
    temporaries,
    until,
    write_bundle,
)

pytestmark = pytest.mark.slow

COMMANDS = [
    "run",
    "plan",
    "dry-run",
    "migrate",
    "status",
    "approve",
    "retry",
    "rollback",
    "resolve",
    "check",
    "sum",
    "events",
    "version",
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("b") / "bundle", TWO)


def small(folder: Path, bundle: Path, *names: str, policy: str | None = FREE) -> World:
    documents = {name: document(name) for name in names}
    return World(folder / "w", bundle=bundle, policy=policy, documents=documents)


# --- words


@pytest.mark.slow
def test_help_and_version() -> None:
    done = confmig("--help")
    assert done.code == 0
    assert all(f"\n    {name} " in done.out for name in COMMANDS)
    assert "exit codes" in done.out
    for name in COMMANDS:
        assert confmig(name, "--help").code == 0
    assert confmig("version").out.startswith("confmig ")
    assert set(confmig("version", "--json").json) == {"version"}
    assert confmig("--version").code == 0


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["plan", "--nonsense"],
        ["migrate", "x"],
        ["approve", "0001_listen"],
        ["resolve", "x"],
        ["events", "--limit", "many"],
        ["rollback", "x", "--last"],
    ],
)
def test_wrong_words_exit_2_and_say_nothing_on_stdout(words: list[str]) -> None:
    done = confmig(*words)
    assert done.code == 2, done
    assert done.out == ""
    assert done.err


def test_stdout_of_two_files_is_a_wrong_use(tmp_path: Path, bundle: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(document())
    done = confmig("migrate", tmp_path / "a", tmp_path / "b", "--bundle", bundle, "--stdout")
    assert done.code == 2, done


# --- settings


def test_missing_settings(tmp_path: Path) -> None:
    for command in (["plan"], ["status"], ["run", "--once"], ["events"], ["retry", "x"]):
        done = confmig(*command, "--settings", tmp_path / "none.yaml")
        assert done.code == 2, done
        assert "none.yaml" in done.err
    done = confmig("plan", cwd=tmp_path)
    assert done.code == 2, done
    assert "confmig.yaml" in done.err


def test_all_problems_of_settings_at_once(tmp_path: Path) -> None:
    file = tmp_path / "confmig.yaml"
    file.write_text(
        "targets: [{name: 'Not Good', root: x, bundle: y, nonsense: 1}]\n"
        "tergets: []\nhttp: {port: 70000}\ntelemetry: {exporter: pigeon}\n"
    )
    done = confmig(
        "plan",
        "--json",
        "--settings",
        file,
        CONFMIG__NOWHERE="1",
        CONFMIG__HTTP__PRT="1",
        CONFMIG_SERVICE_PORT="1",
    )
    assert done.code == 2, done
    found = [f"{p['place']}: {p['message']}" for p in done.json["error"]["problems"]]
    for part in (
        "targets[0].name",
        "`nonsense` in `targets[0]`",
        "tergets",
        "http.port",
        "telemetry.exporter",
        "state_dir",
        "CONFMIG__NOWHERE",
        "`prt` in `http`",
    ):
        assert any(part in one for one in found), (part, found)
    assert "CONFMIG_SERVICE_PORT" not in done.out


@pytest.mark.parametrize("text", ["", "[]", "a: [", "- 1\n", "\x00"])
def test_settings_that_are_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "confmig.yaml"
    file.write_text(text)
    assert confmig("plan", "--settings", file).code == 2
    assert confmig("check", "--settings", file).code == 2


def test_the_environment_wins_over_the_file(tmp_path: Path, bundle: Path) -> None:
    world = small(tmp_path, bundle, "a.yaml")
    other = tmp_path / "elsewhere"
    done = world.once(CONFMIG__STATE_DIR=str(other), CONFMIG__LIMITS__SIZE="1000")
    assert done.code == 0, done
    assert (other / "state.db").exists()
    assert not world.state.exists()


# --- plan, status, dry-run, events


def test_before_the_first_run(tmp_path: Path, bundle: Path) -> None:
    world = small(tmp_path, bundle, "a.yaml")
    plan = world.run("plan", "--json")
    assert plan.code == 0, plan
    assert plan.json["pending"] == ["0001_listen", "0002_feature"]
    [target] = plan.json["targets"]
    assert target["target"] == "app"
    assert target["documents"][0]["version"] == 0
    assert [p["verdict"] for p in target["pending"]] == ["allow", "allow"]
    assert "0001_listen" in world.run("plan").out
    status = world.run("status", "--json")
    assert status.code == 0, status
    assert status.json["applied"] == []
    assert status.json["partial_failure"]["active"] is False
    assert status.json["last_checkpoint"] is None
    assert world.run("events", "--json").json == []
    assert not world.state.exists(), "looking made a state"
    assert world.version("a.yaml") == 0


def test_after_a_run(tmp_path: Path, bundle: Path) -> None:
    world = small(tmp_path, bundle, "a.yaml")
    assert world.once().code == 0
    assert world.run("plan", "--json").json["pending"] == []
    status = world.status()
    assert [a["id"] for a in status["applied"]] == ["0001_listen", "0002_feature"]
    for row in status["applied"]:
        assert row["status"] == "applied"
        assert row["applied_at"].endswith("Z")
        assert row["checksum"]
        assert row["actor"] == f"uid:{os.getuid()}"
    last = status["last_checkpoint"]
    assert (last["status"], last["migration_id"]) == ("applied", "0001_listen")
    assert Path(last["backup_path"]).is_file()
    events = world.run("events", "--json").json
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert {"uid", "name", "time_ns", "severity", "attributes"} <= set(events[0])
    assert world.run("events", "--limit", "1", "--json").json == events[-1:]
    assert world.run("events", "--since", "2999-01-01T00:00:00Z", "--json").json == []
    assert world.run("events", "--since", "yesterday").code in (1, 2)
    assert len(world.run("events").out.splitlines()) == len(events)


@pytest.mark.slow
def test_dry_run(tmp_path: Path, bundle: Path) -> None:
    world = small(tmp_path, bundle, "a.yaml")
    before = world.facts()
    out = tmp_path / "report.json"
    words = ("dry-run", "--format", "json", "--no-timestamp", "--output", str(out), "--exit-code")
    done = world.run(*words)
    assert done.code == 3, done
    assert done.out == ""
    first = out.read_bytes()
    report = json.loads(first)
    assert "generated_at" not in report
    assert report["totals"]["pending"] == 2
    assert report["totals"]["would_change_files"] == 1
    migrations = report["targets"][0]["migrations"]
    assert [m["status"] for m in migrations] == ["dry_run_complete"] * 2
    assert "+listen:" in migrations[0]["documents"][0]["diff"]
    assert world.run(*words).code == 3
    assert out.read_bytes() == first
    assert world.facts() == before
    assert not world.state.exists()
    assert world.run("dry-run").code == 0
    assert "generated_at" in world.run("dry-run", "--json").json
    assert world.once().code == 0
    assert world.run(*words).code == 0
    world.put("bad.yaml", "a: [")
    done = world.run(*words)
    assert done.code == 1, done


def test_a_dry_run_of_the_reference_bundle_is_repeatable(tmp_path: Path) -> None:
    world = World(
        tmp_path / "w", policy=FREE, documents={"AdGuardHome.yaml": VERSION_1.read_bytes()}
    )
    words = ("dry-run", "--format", "json", "--no-timestamp", "--exit-code")
    first = world.run(*words)
    assert first.code == 3, first
    assert first.json["totals"]["pending"] == 33
    assert first.json["totals"]["errors"] == 0
    assert world.run(*words).out == first.out


def test_an_empty_directory(tmp_path: Path, bundle: Path) -> None:
    world = small(tmp_path, bundle)
    for words in (["plan"], ["status"], ["dry-run", "--exit-code"], ["run", "--once"]):
        done = world.run(*words)
        assert done.code == 0, done
    assert "no file matches" in world.run("plan").out


# --- migrate


@pytest.mark.slow
def test_migrate(tmp_path: Path, bundle: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(document())
    file.chmod(0o640)
    base = ("migrate", file, "--bundle", bundle)
    out = confmig(*base, "--stdout")
    assert out.code == 0, out
    assert yaml.safe_load(out.out) == {
        "schema_version": 2,
        "server": {"host": "localhost"},
        "listen": {"port": 8080},
        "feature": True,
    }
    assert "# the port" in out.out
    diff = confmig(*base, "--diff")
    assert diff.code == 0
    assert "-schema_version: 0" in diff.out
    assert file.read_text() == document()
    part = confmig(*base, "--stdout", "--to", "1")
    assert yaml.safe_load(part.out)["schema_version"] == 1
    for bad in ("-1", "3"):
        assert confmig(*base, "--stdout", f"--to={bad}").code == 1
    done = confmig(*base, "--write")
    assert done.code == 0, done
    assert file.read_text() == out.out
    assert file.stat().st_mode & 0o7777 == 0o640
    assert not list(temporaries(tmp_path))
    was = file.stat()
    again = confmig(*base, "--write")
    assert again.code == 0
    assert "unchanged" in again.out
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    assert confmig(*base, "--write", "--to", "1").code == 1  # never backwards


def test_every_report_names_the_line_of_a_broken_document(tmp_path: Path, bundle: Path) -> None:
    world = small(tmp_path, bundle)
    world.put("app.yaml", "a: 1\nb: [\nc: 2\n")
    for command in (("plan",), ("run", "--once"), ("status",)):
        done = world.run(*command)
        assert "app.yaml:4: " in done.out + done.err, done
        assert "begins on line 2" in done.out + done.err, done
    [document] = world.run("plan", "--json").json["targets"][0]["documents"]
    assert (document["path"], document["place"]) == ("app.yaml", "app.yaml:4")
    assert "\nline 4: " in world.run("dry-run").out


def test_migrate_several_files_and_a_broken_one(tmp_path: Path, bundle: Path) -> None:
    for name in ("a.yaml", "c.yaml"):
        (tmp_path / name).write_text(document(name))
    (tmp_path / "b.yaml").write_text("a: [")
    files = [tmp_path / n for n in ("a.yaml", "b.yaml", "missing.yaml", "c.yaml")]
    done = confmig("migrate", *files, "--bundle", bundle, "--write", "--json")
    assert done.code == 1, done
    answers = done.json["files"]
    assert [("error" in a) for a in answers] == [False, True, True, False]
    assert (tmp_path / "b.yaml").read_text() == "a: ["
    for name in ("a.yaml", "c.yaml"):
        assert "schema_version: 2" in (tmp_path / name).read_text()
    assert ("moved", "server.port") in {(c["kind"], c["path"]) for c in answers[0]["changes"]}


def test_migrate_never_follows_a_link(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "real.yaml").write_text(document())
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    done = confmig("migrate", tmp_path / "link.yaml", "--bundle", bundle, "--write")
    assert done.code == 1, done
    assert (tmp_path / "real.yaml").read_text() == document()


def test_migrate_a_file_named_relatively(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "a.yaml").write_text(document())
    done = confmig("migrate", "a.yaml", "--bundle", bundle, "--write", cwd=tmp_path)
    assert done.code == 0, done
    assert "schema_version: 2" in (tmp_path / "a.yaml").read_text()


# --- sum and check


def test_sum(tmp_path: Path, bundle: Path) -> None:
    mine = shutil.copytree(bundle, tmp_path / "mine")
    assert confmig("sum", "--bundle", mine, "--check").code == 0
    step = mine / "migrations" / "0001_listen.yaml"
    step.write_text(step.read_text() + "# more\n")
    assert confmig("sum", "--bundle", mine, "--check").code == 1
    assert confmig("check", "--bundle", mine).code == 2
    done = confmig("sum", "--bundle", mine, "--json")
    assert done.json == {"changed": True, "migrations": 2}
    assert confmig("sum", "--bundle", mine, "--check").code == 0
    # line endings and a BOM are no change
    step.write_bytes(b"\xef\xbb\xbf" + step.read_bytes().replace(b"\n", b"\r\n"))
    assert confmig("sum", "--bundle", mine, "--check").code == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        '{"migrations": 3}',
        '{"migrations": [3]}',
        '{"migrations": [{"id": "one"}]}',
        '{"migrations": [{}]}',
        '{"migrations": [{"id": "0001_a"}, {"id": "0001_a"}]}',
    ],
)
def test_sum_of_a_manifest_whose_migrations_cannot_be_listed_writes_nothing(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "manifest.json").write_text(text)
    (tmp_path / "manifest.sum").write_text("as before")
    done = confmig("sum", "--bundle", tmp_path)
    assert done.code == 2, done
    assert "manifest.json" in done.err
    assert "  help: " in done.err
    assert (tmp_path / "manifest.sum").read_text() == "as before"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["version"]])
def test_an_answer_that_cannot_be_written_is_a_failure(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "confmig", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4, done
    assert done.stderr == "confmig: the output could not be written: No space left on device\n"


def test_sum_of_a_directory_without_a_manifest(tmp_path: Path) -> None:
    done = confmig("sum", "--bundle", tmp_path)
    assert done.code != 0, done
    assert not (tmp_path / "manifest.sum").exists()


@pytest.mark.slow
def test_check_of_this_repository() -> None:
    done = confmig("check", "--json", cwd=REPOSITORY)
    assert done.code == 0, done
    assert done.json["problems"] == []
    assert done.json["replayed"] >= 60


def test_check_reports_every_defect_at_once(tmp_path: Path, bundle: Path) -> None:
    mine = shutil.copytree(bundle, tmp_path / "mine")
    file = mine / "manifest.json"
    data: dict[str, Any] = json.loads(file.read_text())
    data["surprise"] = 1
    data["configs"]["app"]["files"] = ["../x.yaml"]
    first, second = data["migrations"]
    first["class"] = "whenever"
    second["sets"] = {"nothing": 2}
    data["migrations"] += [
        {"id": "0003_missing_file", "order": 3, "class": "online", "sets": {"app": 3}},
        {"id": "Bad Id", "order": 4, "class": "online", "sets": {"app": 4}},
        {"id": "0005_gap", "order": 7, "sets": {"app": 9}, "depends_on": ["0005_gap"]},
        {
            "id": "0005_gap",
            "order": 5,
            "class": "online",
            "sets": {"app": 5},
            "depends_on": ["0099_none"],
        },
    ]
    file.write_text(json.dumps(data))
    (mine / "migrations" / "0002_feature.yaml").write_text("- explode: {}\n- set: {path: x}\n")
    (mine / "migrations" / "0009_not_listed.yaml").write_text("[]\n")
    (mine / "migrations" / "schemas" / "contract.json").write_text('{"configs": 7}')
    done = confmig("check", "--bundle", mine, "--json")
    assert done.code == 2, done
    text = json.dumps(done.json["problems"])
    for part in (
        "surprise",
        "../x.yaml",
        "migration_class_invalid",
        "nothing",
        "0003_missing_file",
        "Bad Id",
        "migration_class_missing",
        "0099_none",
        "explode",
        "replay_missing",
        "0009_not_listed",
        "contract_invalid",
        "manifest.sum",
    ):
        assert part in text, part
    for problem in done.json["problems"]:
        assert problem["code"]
        assert problem["place"]
        assert problem["fix"], problem
    human = confmig("check", "--bundle", mine)
    assert human.code == 2
    assert len(human.out.splitlines()) == 2 * len(done.json["problems"]) + 1  # each with help


def test_check_finds_a_fixture_that_disagrees(tmp_path: Path, bundle: Path) -> None:
    mine = shutil.copytree(bundle, tmp_path / "mine")
    folder = mine / "migrations" / "fixtures" / "0001_listen"
    folder.mkdir(parents=True)
    (folder / "one.input.yaml").write_text(document())
    (folder / "one.expected.yaml").write_text(document())
    done = confmig("check", "--bundle", mine, "--json")
    assert done.code == 1, done
    assert "replay_differs" in {p["code"] for p in done.json["problems"]}


def test_check_of_settings_looks_at_policy_and_bundle(tmp_path: Path, bundle: Path) -> None:
    world = small(tmp_path, bundle, policy="nonsense: 1\nclasses: {online: {windows: [x]}}\n")
    done = world.run("check", "--json")
    assert done.code == 2, done
    assert "policy_invalid" in {p["code"] for p in done.json["problems"]}


# --- the rest


def _text_of(file: Path) -> str:
    return file.read_text().strip()


def test_ctrl_c_ends_with_130_and_changes_nothing(tmp_path: Path) -> None:
    code = "def migrate(document, contract):\n    while True:\n        pass\n"
    slow = write_bundle(tmp_path / "bundle", (Step("0001_slow", handler=code),))
    world = World(tmp_path / "w", bundle=slow, documents={"a.yaml": document()})
    for words in (
        ["migrate", str(world.config / "a.yaml"), "--bundle", str(slow), "--write"],
        ["run", "--once", "--settings", str(world.settings)],
    ):
        process = subprocess.Popen(
            # a shell's background jobs and the workers of the test runner ignore SIGINT
            ["env", "--default-signal=INT", sys.executable, "-m", "confmig", *words],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        child = until(partial(_text_of, children))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 130, (out, err)
        assert "Traceback" not in err
        assert not Path(f"/proc/{child}").exists()
        assert (world.config / "a.yaml").read_text() == document()
        assert not list(temporaries(world.config))


def test_a_closed_pipe_is_no_bug(tmp_path: Path, bundle: Path) -> None:
    world = small(tmp_path, bundle, "a.yaml")
    process = subprocess.Popen(
        [sys.executable, "-m", "confmig", "plan", "--settings", world.settings],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert err == b""


HEAVY = ("opentelemetry", "apscheduler", "watchdog", "rich")


@pytest.mark.parametrize("what", ["help", "status", "migrate", "plan", "events"])
def test_light_commands_load_nothing_heavy(tmp_path: Path, bundle: Path, what: str) -> None:
    world = small(tmp_path, bundle, "a.yaml")
    file = world.config / "a.yaml"
    assert confmig("migrate", file, "--bundle", bundle, "--write").code == 0
    words = {
        "help": ["--help"],
        "migrate": ["migrate", str(file), "--bundle", str(bundle), "--write"],
    }.get(what, [what, "--settings", str(world.settings)])
    code = (
        "import sys, json\nfrom confmig.cli import run\n"
        "try:\n    code = run(sys.argv[1:])\nexcept SystemExit as end:\n    code = end.code\n"
        f"found = sorted(set(m.split('.')[0] for m in sys.modules) & set({HEAVY!r}))\n"
        "print(json.dumps([code, found]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment(), capture_output=True, text=True
    )
    assert json.loads(done.stderr.splitlines()[-1]) == [0, []], done


def test_a_state_inside_a_target_is_refused_with_line_and_target(
    tmp_path: Path, bundle: Path
) -> None:
    world = small(tmp_path, bundle)
    text = world.settings.read_text()
    line = text.splitlines().index(next(x for x in text.splitlines() if "state_dir" in x)) + 1
    world.settings.write_text(text.replace("state_dir: state", "state_dir: config/state"))
    done = world.run("plan", "--json")
    assert done.code == 2, done
    [problem] = done.json["error"]["problems"]
    assert problem["place"] == f"confmig.yaml:{line}"
    assert "`state_dir`" in problem["message"]
    assert "is inside the root of the target `app`" in problem["message"]
