"""Words that do not go together get one sentence and a line of help, and exit 2."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest

from confmig.cli import run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "",
            "confmig: a command is missing [usage]\n  help: `confmig --help` lists what it takes\n",
        ),
        (
            "pln",
            "confmig: unknown command `pln`; did you mean `plan`? [usage]\n"
            "  help: `confmig --help` lists what it takes\n",
        ),
        (
            "plan --jsn",
            "confmig plan: unknown option `--jsn`; did you mean `--json`? [usage]\n"
            "  help: `confmig plan --help` lists what it takes\n",
        ),
        (
            "plan --qqq=3",
            "confmig plan: unknown option `--qqq` [usage]\n"
            "  help: `confmig plan --help` lists what it takes\n",
        ),
        (
            "version now",
            "confmig version: unexpected word `now` [usage]\n"
            "  help: `confmig version --help` lists what it takes\n",
        ),
        (
            "schema operation",
            "confmig schema: argument file: invalid choice: 'operation' (choose from 'operations', "
            "'manifest', 'contract', 'policy', 'settings') [usage]\n"
            "  help: `confmig schema --help` lists what it takes\n",
        ),
    ],
)
def test_wrong_words(words: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 2
    assert capsys.readouterr() == ("", expected)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out, err = capsys.readouterr()
    assert "schema" in out
    assert err == ""


def test_ctrl_c_while_a_command_is_imported_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("confmig.cli.import_module", interrupted)
    assert run(["plan"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_bug_is_json_if_json_was_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(words: object) -> int:
        raise KeyError("secret")

    monkeypatch.setattr("confmig.cli.version.run", broken)
    assert run(["version", "--json"]) == 70
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert {"code", "message", "place", "fix"} <= error.keys()
    assert error["code"] == "bug"
    assert "secret" not in out + err
