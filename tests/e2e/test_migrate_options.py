"""The options of ``confmig migrate``: --progress, --param, --journal, --stdout and --json."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from confmig.cli.progress import WIDTH, Progress
from tests.e2e.world import REPOSITORY, TWO, Done, confmig, document, write_bundle

INPUTS = REPOSITORY / "tests" / "bundles" / "adguardhome_inputs"
CLEAR = "\r\x1b[K"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"), TWO)


def some(folder: Path, *names: str) -> list[Path]:
    out = []
    for name in names:
        (folder / name).write_text(document(name))
        out.append(folder / name)
    return out


# --- the bar itself


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(text: str) -> list[str]:
    """What was shown one after the other; an empty text is a line that was cleared."""
    return text.split(CLEAR)[1:]


@pytest.mark.parametrize(
    ("when", "total", "terminal", "shown"),
    [
        ("auto", 2, True, True),
        ("auto", 1, True, False),
        ("auto", 0, True, False),
        ("auto", 2, False, False),
        ("always", 1, False, True),
        ("always", 2, True, True),
        ("never", 2, True, False),
        ("never", 1, False, False),
    ],
)
def test_when_the_bar_is_shown(
    monkeypatch: pytest.MonkeyPatch, when: str, total: int, terminal: bool, shown: bool
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(total, when) as progress:
        assert progress.quiet is not shown
        progress.step("a")
        progress.clear()
    assert bool(stream.getvalue()) is shown


def test_the_bar_fills_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(4, "always") as progress:
        progress.step("a")
        progress.step("b", 2)
        progress.step("c")
    lines = drawn(stream.getvalue())
    assert [re.sub(r"^\[.*\] ", "", line) for line in lines] == ["0/4 a", "1/4 b", "3/4 c", ""]
    assert [line.count("#") for line in lines] == [0, WIDTH // 4, WIDTH * 3 // 4, 0]
    assert all(len(line.partition("]")[0]) == WIDTH + 1 for line in lines[:-1])
    assert "\n" not in stream.getvalue()


def test_the_bar_of_nothing_and_of_more_than_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(0, "always") as progress:
        progress.step("a")
    assert drawn(stream.getvalue())[-1] == ""


def test_a_long_name_does_not_break_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(1, "always") as progress:
        progress.step("n" * 500)
    assert max(len(line) for line in drawn(stream.getvalue())) <= 100


def test_the_bar_goes_away_after_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)

    def fail() -> None:
        with Progress(2, "always") as progress:
            progress.step("a")
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert stream.getvalue().endswith(CLEAR)


# --- --progress


def test_progress_always_is_on_stderr_only(tmp_path: Path, bundle: Path) -> None:
    files = some(tmp_path, "a.yaml", "b.yaml", "c.yaml")
    done = confmig("migrate", *files, "--bundle", bundle, "--write", "--progress", "always")
    assert done.code == 0, done
    assert done.out == "3 files: 3 migrated, 0 unchanged, 0 refused\n"
    assert [n for n in ("0/3 a.yaml", "1/3 b.yaml", "2/3 c.yaml") if n not in done.err] == []
    assert "\x1b" not in done.out


def test_progress_always_with_json_leaves_one_document_on_stdout(
    tmp_path: Path, bundle: Path
) -> None:
    files = some(tmp_path, "a.yaml", "b.yaml")
    done = confmig("migrate", *files, "--bundle", bundle, "--diff", "--json", "--progress=always")
    assert done.code == 0, done
    assert len(done.json["files"]) == 2
    assert "1/2 b.yaml" in done.err


def test_progress_always_with_stdout_leaves_only_the_file(tmp_path: Path, bundle: Path) -> None:
    [file] = some(tmp_path, "a.yaml")
    base = ("migrate", file, "--bundle", bundle, "--stdout")
    bar = confmig(*base, "--progress", "always")
    assert bar.code == 0, bar
    assert bar.out == confmig(*base).out
    assert "0/1 a.yaml" in bar.err


@pytest.mark.parametrize("words", [["--progress", "never"], [], ["--progress", "auto"]])
def test_without_a_terminal_there_is_no_bar_but_a_line_for_each_file(
    tmp_path: Path, bundle: Path, words: list[str]
) -> None:
    files = some(tmp_path, "a.yaml", "b.yaml")
    done = confmig("migrate", *files, "--bundle", bundle, "--write", *words)
    assert done.code == 0, done
    assert done.err == ""
    assert done.out.splitlines() == [
        *(f"{file}: version 0 -> 2" for file in files),
        "2 files: 2 migrated, 0 unchanged, 0 refused",
    ]


def test_a_refusal_stands_on_a_line_of_its_own_beside_the_bar(tmp_path: Path, bundle: Path) -> None:
    files = some(tmp_path, "a.yaml", "b.yaml")
    files[0].write_text("a: [")
    done = confmig("migrate", *files, "--bundle", bundle, "--write", "--progress", "always")
    assert done.code == 1, done
    assert f"\x1b[Kconfmig: {files[0]}:2: " in done.err
    assert "2 files: 1 migrated, 0 unchanged, 1 refused" in done.out


def test_an_unknown_progress_is_a_usage_error(tmp_path: Path, bundle: Path) -> None:
    [file] = some(tmp_path, "a.yaml")
    done = confmig("migrate", file, "--bundle", bundle, "--diff", "--progress", "maybe")
    assert done.code == 2, done


# --- --param


def adguard(folder: Path, version: int) -> Path:
    file = folder / "AdGuardHome.yaml"
    file.write_bytes((INPUTS / f"v{version:02d}.yaml").read_bytes())
    return file


def test_a_parameter_changes_what_a_handler_writes(tmp_path: Path) -> None:
    file = adguard(tmp_path, 28)
    base = ("migrate", file, "--bundle", REPOSITORY, "--stdout")
    done = confmig(*base, "--param", "data_dir=/srv/a=b")
    assert done.code == 0, done
    usual = confmig(*base)
    assert "/srv/a=b" in done.out
    assert "/srv/a=b" not in usual.out
    assert "/opt/AdGuardHome/data" in usual.out
    last = confmig(*base, "--param", "data_dir=/one", "--param", "data_dir=/two")
    assert "/two" in last.out
    assert "/one" not in last.out


def test_an_unknown_parameter_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    file = adguard(tmp_path, 28)
    done = confmig("migrate", file, "--bundle", REPOSITORY, "--write", "--param", "dir=/x")
    assert done.code == 2, done
    assert "parameter_unknown" in done.err
    assert "data_dir" in done.err
    assert file.read_bytes() == (INPUTS / "v28.yaml").read_bytes()


def test_a_parameter_of_a_bundle_that_has_none_is_unknown(tmp_path: Path, bundle: Path) -> None:
    [file] = some(tmp_path, "a.yaml")
    done = confmig("migrate", file, "--bundle", bundle, "--write", "--param", "x=1")
    assert done.code == 2, done
    assert "parameter_unknown" in done.err
    assert file.read_text() == document("a.yaml")


@pytest.mark.parametrize("word", ["data_dir", "", "=x"])
def test_a_malformed_parameter_is_a_usage_error(tmp_path: Path, word: str) -> None:
    file = adguard(tmp_path, 28)
    done = confmig("migrate", file, "--bundle", REPOSITORY, "--write", "--param", word)
    assert done.code == 2, done
    assert "--param" in done.err or "parameter_unknown" in done.err
    assert file.read_bytes() == (INPUTS / "v28.yaml").read_bytes()


# --- --journal


def forth(file: Path, *words: str) -> Path:
    """Migrate a file, and keep the journal beside it."""
    done = confmig(
        "migrate", file, "--bundle", REPOSITORY, "--write", "--json", "--show-values", *words
    )
    assert done.code == 0, done
    journal = file.parent / "journal.json"
    journal.write_text(done.out)
    return journal


def back(file: Path, to: int, *words: str | Path) -> Done:
    return confmig("migrate", file, "--bundle", REPOSITORY, "--write", "--to", str(to), *words)


@pytest.mark.parametrize("version", [0, 12, 25, 33])
def test_the_way_back_gives_the_data_from_before(tmp_path: Path, version: int) -> None:
    file = adguard(tmp_path, version)
    before = yaml.safe_load(file.read_bytes())
    journal = forth(file)
    assert yaml.safe_load(file.read_bytes())["schema_version"] == 34
    done = back(file, version, "--journal", journal)
    assert done.code == 0, done
    assert f"version 34 -> {version}" in done.out
    assert yaml.safe_load(file.read_bytes()) == before


def test_the_way_back_may_stop_between(tmp_path: Path) -> None:
    file = adguard(tmp_path, 28)
    part = confmig("migrate", file, "--bundle", REPOSITORY, "--stdout", "--to", "31")
    journal = forth(file)
    done = back(file, 31, "--journal", journal, "--json")
    assert done.code == 0, done
    [answer] = done.json["files"]
    assert (answer["from"], answer["to"], answer["changed"]) == (34, 31, True)
    assert yaml.safe_load(file.read_bytes()) == yaml.safe_load(part.out)


def refused(file: Path, to: int, code: str, exit_code: int, *words: str | Path) -> Done:
    """A way back that is refused and writes nothing."""
    was = file.read_bytes()
    done = back(file, to, *words)
    assert done.code == exit_code, done
    assert code in done.err
    assert file.read_bytes() == was
    return done


def test_a_way_back_without_journal_is_refused_and_says_what_it_needs(tmp_path: Path) -> None:
    file = adguard(tmp_path, 33)
    forth(file)
    assert "--journal" in refused(file, 33, "document_newer", 1).err


def test_a_journal_that_does_not_lead_back_is_refused(tmp_path: Path) -> None:
    file = adguard(tmp_path, 31)
    first = forth(file, "--to", "33").rename(tmp_path / "first.json")
    second = forth(file)
    refused(file, 31, "journal_incomplete", 1, "--journal", first)
    refused(file, 31, "journal_incomplete", 1, "--journal", second)
    refused(file, 30, "journal_incomplete", 1, "--journal", second)
    masked = json.loads(second.read_text())
    for one in masked["files"]:
        del one["journal"]
    second.write_text(json.dumps(masked))
    refused(file, 33, "journal_incomplete", 1, "--journal", second)


def test_a_journal_of_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = forth(adguard(tmp_path / "other", 33))
    file = adguard(tmp_path, 33)
    forth(file)
    refused(file, 33, "journal_incomplete", 1, "--journal", other)


@pytest.mark.parametrize("text", [None, "", "x", "[]", "3", '{"files": 3}', '{"files": [3]}', "{}"])
def test_a_journal_that_is_none_is_a_usage_error(tmp_path: Path, text: str | None) -> None:
    file = adguard(tmp_path, 33)
    journal = tmp_path / "none.json"
    if text is not None:
        journal.write_text(text)
    refused(file, 33, "journal_unreadable", 2, "--journal", journal)


STEP: dict[str, Any] = {"migration": "0034_x", "from": 33, "to": 34, "changes": []}


@pytest.mark.parametrize(
    "steps",
    [
        "x",
        3,
        None,
        [1],
        [{}],
        [{"from": 33, "to": "34", "changes": []}],
        [{"from": 33, "to": 34}],
        [{**STEP, "changes": 3}],
        [{**STEP, "changes": [1]}],
        [{**STEP, "changes": [{}]}],
        [{**STEP, "changes": [{"kind": "boom"}]}],
    ],
)
def test_a_journal_with_damaged_steps_is_refused_and_no_bug(tmp_path: Path, steps: Any) -> None:
    file = adguard(tmp_path, 33)
    forth(file)
    was = file.read_bytes()
    journal = tmp_path / "damaged.json"
    journal.write_text(json.dumps({"files": [{"path": str(file), "journal": steps}]}))
    done = back(file, 33, "--journal", journal)
    assert done.code in (1, 2), done
    assert "journal_" in done.err
    assert file.read_bytes() == was


# --- --stdout


def test_stdout_takes_one_file(tmp_path: Path, bundle: Path) -> None:
    files = some(tmp_path, "a.yaml", "b.yaml")
    done = confmig("migrate", *files, "--bundle", bundle, "--stdout")
    assert done.code == 2, done
    assert done.out == ""
    assert "--stdout" in done.err
    assert "--write" in done.err


@pytest.mark.parametrize("words", [[], ["--write", "--diff"], ["--stdout", "--write"]])
def test_exactly_one_of_stdout_diff_and_write_is_needed(
    tmp_path: Path, bundle: Path, words: list[str]
) -> None:
    files = some(tmp_path, "a.yaml")
    done = confmig("migrate", *files, "--bundle", bundle, *words)
    assert done.code == 2, done
    assert files[0].read_text() == document("a.yaml")


def test_stdout_of_a_file_that_needs_nothing_is_the_file(tmp_path: Path, bundle: Path) -> None:
    text = "# c\nschema_version: 2\nx:   [ 1,2 ]\n"
    (tmp_path / "a.yaml").write_text(text)
    done = confmig("migrate", tmp_path / "a.yaml", "--bundle", bundle, "--stdout")
    assert (done.code, done.out, done.err) == (0, text, "")


# --- --json


def test_the_shape_of_json(tmp_path: Path, bundle: Path) -> None:
    files = some(tmp_path, "a.yaml", "b.yaml")
    files[1].write_text("schema_version: 2\n")
    broken, missing = tmp_path / "c.yaml", tmp_path / "d.yaml"
    broken.write_text("a: [")
    done = confmig("migrate", *files, broken, missing, "--bundle", bundle, "--diff", "--json")
    assert done.code == 1, done
    assert list(done.json) == ["files"]
    first, second, third, fourth = done.json["files"]
    assert first["path"] == str(files[0])
    assert (first["from"], first["to"], first["changed"]) == (0, 2, True)
    assert set(first) == {"path", "from", "to", "changed", "changes", "notes", "lost_comments"}
    for change in first["changes"]:
        assert {"migration", "kind", "path"} <= set(change)
        assert not {"old", "new"} & set(change), "a value is shown"
    moved = [c for c in first["changes"] if c["kind"] == "moved"]
    assert [(c["path"], c["to"]) for c in moved] == [("server.port", "listen.port")]
    assert (second["from"], second["to"], second["changed"]) == (2, 2, False)
    assert second["changes"] == []
    for answer, file in ((third, broken), (fourth, missing)):
        assert answer["path"] == str(file)
        assert set(answer["error"]) == {"code", "message", "place", "fix"}
    assert files[0].read_text() == document("a.yaml")


def test_the_journal_is_in_json_only_with_show_values(tmp_path: Path, bundle: Path) -> None:
    [file] = some(tmp_path, "a.yaml")
    done = confmig("migrate", file, "--bundle", bundle, "--diff", "--json", "--show-values")
    [answer] = done.json["files"]
    assert [(s["migration"], s["from"], s["to"]) for s in answer["journal"]] == [
        ("0001_listen", 0, 1),
        ("0002_feature", 1, 2),
    ]
    assert all(isinstance(s["changes"], list) and s["changes"] for s in answer["journal"])


def test_a_usage_error_with_json_is_one_document(tmp_path: Path, bundle: Path) -> None:
    files = some(tmp_path, "a.yaml", "b.yaml")
    done = confmig("migrate", *files, "--bundle", bundle, "--stdout", "--json")
    assert done.code == 2, done
    assert done.json["error"]["code"] == "usage"


def test_an_edit_without_a_place_names_the_file_and_not_its_configuration(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", TWO)
    file = tmp_path / "shop.yaml"
    file.write_text(document())
    there = confmig("migrate", file, "--bundle", bundle, "--write", "--json", "--show-values")
    journal = tmp_path / "journal.json"
    journal.write_text(there.out)
    file.write_text(file.read_text().replace("feature: true", "feature: false"))
    words = ("migrate", file, "--bundle", bundle, "--write", "--to", "0", "--journal", journal)
    done = confmig(*words)
    assert done.code == 1, done
    assert f"confmig: {file}: later edits have no place in the old file: feature" in done.err
    [answer] = confmig(*words, "--json").json["files"]
    assert answer["error"]["code"] == "rollback_conflict"
    assert answer["error"]["place"] == str(file)
