"""Constructs of migrations that did something else than they say, without a word.

Each does what it says now, or is refused by `check` and by every command that loads the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.e2e.world import FREE, Done, World, confmig

FORMATS = {"yaml": "yaml", "properties": "properties", "ini": "ini", "toml": "toml"}


def bundle(
    folder: Path,
    operations: str,
    *,
    format: str = "yaml",
    handlers: Mapping[str, str] | None = None,
    fixture: tuple[str, str] | None = None,
) -> Path:
    """One migration of a configuration `app`, beside a second configuration `logging`."""
    migrations = folder / "migrations"
    (migrations / "schemas").mkdir(parents=True)
    (migrations / "handlers").mkdir()
    configs = {
        "app": {
            "files": [f"app.{format}"],
            "format": format,
            "version": {"path": "v", "absent": 0},
        },
        "logging": {"files": ["logging.yaml"], "format": "yaml", "version": {"path": "v"}},
    }
    entries = [{"id": "0001_m", "order": 1, "class": "online", "sets": {"app": 1}}]
    (folder / "manifest.json").write_text(
        json.dumps({"_config_version": 1, "bundle": "b", "configs": configs, "migrations": entries})
    )
    (migrations / "0001_m.yaml").write_text(operations)
    for name, code in (handlers or {}).items():
        (migrations / "handlers" / name).write_text(code)
    if fixture is not None:
        where = migrations / "fixtures" / "0001_m"
        where.mkdir(parents=True)
        (where / f"a.input.{format}").write_text(fixture[0])
        (where / f"a.expected.{format}").write_text(fixture[1])
    assert confmig("sum", "--bundle", folder).code == 0
    return folder


def migrated(folder: Path, made: Path, text: str, format: str = "yaml") -> Done:
    file = folder / f"app.{format}"
    file.write_text(text)
    return confmig("migrate", file, "--bundle", made, "--config", "app", "--stdout")


def check_says(made: Path, *words: str) -> None:
    """`check` refuses the bundle with these words, and so does `migrate`."""
    done = confmig("check", "--bundle", made)
    assert done.code == 2, done
    for word in words:
        assert word in done.out, done


def test_the_own_name_may_begin_a_path(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", '- move: {from: "app:a", to: "app:b"}\n')
    assert migrated(tmp_path, made, "a: 1\n").out == "b: 1\nv: 1\n"


def test_another_configurations_name_is_refused(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", '- move: {from: a, to: "logging:b"}\n')
    check_says(made, "does not set the configuration `logging`", "sets")
    done = migrated(tmp_path, made, "a: 1\n")
    assert (done.code, done.out) == (2, ""), done


def test_nest_of_the_root_of_for_each_nests_the_item(tmp_path: Path) -> None:
    text = '- for_each: {path: "l[*]", other_types: error}\n  nest: {path: "", under: p}\n'
    made = bundle(tmp_path / "b", text)
    done = migrated(tmp_path, made, "l: [{a: 1}, {a: 2}]\nz: 1\n")
    assert done.out == "l: [{p: {a: 1}}, {p: {a: 2}}]\nz: 1\nv: 1\n", done


def test_hoist_of_the_root_of_for_each_hoists_in_the_item(tmp_path: Path) -> None:
    text = '- for_each: {path: "l[*]", other_types: error}\n  hoist: {path: "", key: p}\n'
    made = bundle(tmp_path / "b", text)
    done = migrated(tmp_path, made, "p: 1\nl: [{p: {a: 1}}, {q: 2}]\n")
    assert done.out == "p: 1\nl: [{a: 1}, {q: 2}]\nv: 1\n", done


def test_nest_without_for_each_still_nests_the_document(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", '- nest: {path: "", under: p}\n')
    assert migrated(tmp_path, made, "a: 1\n").out == "p:\n  a: 1\nv: 1\n"


def test_a_handler_below_for_each_gets_each_item(tmp_path: Path) -> None:
    text = '- for_each: {path: "u[*]", other_types: error}\n  custom: handlers/h.py\n'
    code = (
        "def migrate(item, contract):\n"
        "    assert item.has('n') and 'u' not in item\n"
        "    item.set('m.twice', item.get('n') * 2)\n"
        "    item['seen'] = True\n"
        "    item.delete('gone')\n"
    )
    made = bundle(tmp_path / "b", text, handlers={"h.py": code})
    done = migrated(tmp_path, made, "u:\n- n: 1 # one\n  gone: 1\n- n: 2\n")
    assert done.code == 0, done
    assert done.out == (
        "u:\n- n: 1 # one\n  m:\n    twice: 2\n  seen: true\n"
        "- n: 2\n  m:\n    twice: 4\n  seen: true\nv: 1\n"
    )


@pytest.mark.parametrize(
    ("table", "before", "after"),
    [
        ("{1: one}", "a: 1", "a: one"),
        ("{1: one}", 'a: "1"', 'a: "1"'),
        ('{"1": one}', 'a: "1"', 'a: "one"'),
        ('{"1": one}', "a: 1", "a: 1"),
        ('{true: "on"}', "a: true", 'a: "on"'),
        ("{null: none}", "a: null", "a: none"),
        ("{1.5: x}", "a: 1.5", "a: x"),
        ("{yes: x}", "a: yes", "a: x"),
    ],
)
def test_a_key_of_a_map_matches_values_of_its_type(
    tmp_path: Path, table: str, before: str, after: str
) -> None:
    made = bundle(tmp_path / "b", f"- map_value: {{path: a, map: {table}}}\n")
    done = migrated(tmp_path, made, f"{before}\n")
    assert done.out.replace("'", '"') == f"{after}\nv: 1\n", done


@pytest.mark.parametrize("to", ["a", "c"])
def test_gather_append_unique_makes_values_unique(tmp_path: Path, to: str) -> None:
    text = f"- gather: {{from: [a, b], to: {to}, on_conflict: append_unique}}\n"
    made = bundle(tmp_path / "b", text)
    done = migrated(tmp_path, made, "a: [1, 2, 2]\nb: [2, 3]\n")
    assert yaml.safe_load(done.out) == {to: [1, 2, 3], "v": 1}


def test_check_finds_a_result_that_depends_on_the_order_of_a_set(tmp_path: Path) -> None:
    code = (
        "def migrate(document, contract):\n"
        "    document['l'] = [x for x in {str(i) * 3 for i in range(40)}]\n"
    )
    made = bundle(
        tmp_path / "b",
        "- custom: handlers/h.py\n",
        handlers={"h.py": code},
        fixture=("l: [a]\n", "l: [a]\n"),
    )
    done = confmig("check", "--bundle", made)
    assert done.code == 1, done
    assert "handler_not_deterministic" in done.out
    assert "0001_m/a" in done.out


def test_check_is_content_with_a_handler_that_sorts(tmp_path: Path) -> None:
    code = "def migrate(document, contract):\n    document['l'] = sorted({'c', 'a', 'b'})\n"
    made = bundle(
        tmp_path / "b",
        "- custom: handlers/h.py\n",
        handlers={"h.py": code},
        fixture=("l: [x]\n", "l: [a, b, c]\nv: 1\n"),
    )
    done = confmig("check", "--bundle", made)
    assert "handler_not_deterministic" not in done.out, done


@pytest.mark.parametrize(
    ("format", "operation", "spelling"),
    [
        ("properties", "delete: server.port", "['server.port']"),
        (
            "properties",
            "move: {from: \"['server.port']\", to: server.http.port}",
            "server.http.port",
        ),
        ("ini", "set: {path: a.b.c, value: x}", "a['b.c']"),
    ],
)
def test_a_path_that_is_deeper_than_the_format_is_refused_with_the_right_spelling(
    tmp_path: Path, format: str, operation: str, spelling: str
) -> None:
    made = bundle(tmp_path / "b", f"- {operation}\n", format=format)
    check_says(made, spelling, f"a path in a {format} file has at most")
    assert migrated(tmp_path, made, "server.port=80\n", format).code == 2


def test_a_key_with_dots_of_a_properties_file_is_found(tmp_path: Path) -> None:
    text = "- move: {from: \"['server.port']\", to: \"['server.http.port']\"}\n"
    made = bundle(tmp_path / "b", text, format="properties")
    done = migrated(tmp_path, made, "server.port=80\n", "properties")
    assert done.out == "server.http.port=80\nv=1\n", done


@pytest.mark.parametrize("replacement", ["\\\\9", "\\\\x"])
def test_a_replacement_that_names_no_group_is_found_by_check(
    tmp_path: Path, replacement: str
) -> None:
    made = bundle(tmp_path / "b", f'- replace: {{path: a, regex: "b", with: "{replacement}"}}\n')
    check_says(made, "operation_invalid", "with")


def test_a_pattern_that_re2_does_not_take_is_found_by_check(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", '- replace: {path: a, regex: "a(?=b)", with: c}\n')
    check_says(made, "RE2")


def test_a_batch_goes_on_after_a_bug_and_names_the_file(tmp_path: Path) -> None:
    """A handler cannot make one, so one is put into the transformation of the first file."""
    made = bundle(tmp_path / "b", "- set: {path: done, value: true}\n")
    world = World(tmp_path / "w", bundle=made, policy=FREE)
    files = [world.put(f"{n}.yaml", f"n: {n}\n") for n in range(3)]
    code = """
from confmig.offline import migrate as stateless
real = stateless.transform
def transform(bundle, inputs, journal):
    if inputs[0].file.name == "0.yaml":
        raise KeyError("secret")
    return real(bundle, inputs, journal)
stateless.transform = transform
import sys
sys.argv.remove("--settings")
sys.argv.pop()
"""
    words = ("migrate", "--bundle", made, "--config", "app", "--write")
    done = world.drive(code, *words, *files)
    assert done.code == 70, done
    assert "0.yaml" in done.err
    assert "KeyError" in done.err
    assert "secret" not in done.err
    assert [f.read_text() for f in files[1:]] == [f"n: {n}\ndone: true\nv: 1\n" for n in (1, 2)]


def test_notes_and_lost_comments_are_shown(tmp_path: Path) -> None:
    text = "- note: {path: old, text: check the port}\n- delete: old\n"
    made = bundle(tmp_path / "b", text)
    file = tmp_path / "app.yaml"
    file.write_text("a: 1\n# about old\nold: 2 # why\n")
    done = confmig("migrate", file, "--bundle", made, "--config", "app", "--write")
    assert done.code == 0, done
    assert "note of 0001_m at old: check the port" in done.err
    assert "comments in lines 2, 3 were removed with their values" in done.err
    world = World(
        tmp_path / "w", bundle=made, policy=FREE, documents={"app.yaml": "a: 1\nold: 2 # why\n"}
    )
    once = world.once()
    assert "app.yaml: note of 0001_m at old: check the port" in once.out, once
    assert "app.yaml: the comment in line 2 was removed with its value" in once.out
