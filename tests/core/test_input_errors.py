"""What a library finds wrong is said in words for people, and once."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from confmig.core.input_errors import problems_of, shown
from confmig.core.policy.model import PolicyFile
from confmig.documents.operations import load
from confmig.settings import Settings
from confmig.writer import closest, did_you_mean

TARGET = {"name": "a", "root": "r", "bundle": "b"}
CLASS = {"windows": "always"}


def problems(model: type[BaseModel], data: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    found = problems_of(caught.value, model, code="wrong", file="f.yaml")
    assert all(p.code == "wrong" and p.place == "f.yaml" and p.fix for p in found)
    return [p.message for p in found]


SETTINGS: dict[str, tuple[Any, list[str]]] = {
    "a misspelt key, without what follows from it": (
        {"taget": [TARGET], "state_dir": "s"},
        ["unknown key `taget`; did you mean `targets`?"],
    ),
    "an object for a list": (
        {"targets": TARGET, "state_dir": "s"},
        ["`targets` must be a list; put `- ` before `name`"],
    ),
    "nothing": ({}, ["`targets` is missing", "`state_dir` is missing"]),
    "a list": ([], ["the file must be a mapping"]),
    "wrong values deep inside": (
        {
            "targets": [{**TARGET, "name": "A!", "atomic": "sett"}],
            "state_dir": 3,
            "watch": {"busy": {"wait": "5x"}},
            "http": {"port": 99_999},
        },
        [
            "`targets[0].name` must be lower-case letters, digits, `.`, `_` and `-`, such as "
            "`shop-2`",
            "`targets[0].atomic` must be `set` or `document`; did you mean `set`?",
            "`state_dir` must be a path",
            "`http.port` must be at most 65535",
            "`watch.busy.wait`: a duration is written like 30m, 6h or 1d12h",
        ],
    ),
    "a wrong value beside a missing and an unknown key": (
        {"targets": [{"name": "A!", "root": "r", "zzz": "b"}], "state_dir": "s"},
        [
            "`targets[0].name` must be lower-case letters, digits, `.`, `_` and `-`, such as "
            "`shop-2`",
            "`targets[0]` takes the key `bundle`; use it instead of `zzz`",
        ],
    ),
    "two misspelt keys of a target": (
        {"targets": [{"nam": "a", "root": "r", "bundel": "b"}], "state_dir": "s"},
        [
            "unknown key `nam` in `targets[0]`; did you mean `name`?",
            "unknown key `bundel` in `targets[0]`; did you mean `bundle`?",
        ],
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name: str) -> None:
    data, expected = SETTINGS[name]
    assert problems(Settings, data) == expected


POLICIES: dict[str, tuple[Any, list[str]]] = {
    "an unknown class": (
        {"classes": {"postdeploy": CLASS}},
        ["unknown class `postdeploy`; did you mean `post_deploy`?"],
    ),
    "windows that are another word": (
        {"classes": {"online": {"windows": "alwys"}}},
        ["`classes.online.windows` must be `always` or a list of window names such as `[nightly]`"],
    ),
    "an approval that is a number": (
        {"classes": {"online": {"windows": "always", "approval": 5}}},
        ["`classes.online.approval` must be `none` or a mapping such as `{required: 1, ttl: 24h}`"],
    ),
    "a misspelt key inside of an approval": (
        {"classes": {"online": {"windows": "always", "approval": {"requird": 1}}}},
        ["unknown key `requird` in `classes.online.approval`; did you mean `required`?"],
    ),
    "names of windows that are numbers": (
        {"classes": {"online": {"windows": [1]}}},
        ["`classes.online.windows[0]` must be text"],
    ),
}


@pytest.mark.parametrize("name", POLICIES)
def test_policies(name: str) -> None:
    data, expected = POLICIES[name]
    assert problems(PolicyFile, data) == expected


OPERATIONS: dict[str, tuple[Any, list[str]]] = {
    "keys of another operation": (
        {"nest": {"from": "a", "to": "b"}},
        ["`nest` takes the keys `path` and `under`; use them instead of `from` and `to`"],
    ),
    "an unknown operation": (
        {"mov": {"from": "a", "to": "b"}},
        ["unknown operation `mov`; did you mean `move`?"],
    ),
    "a key is missing": ({"move": {"from": "a"}}, ["`to` is missing"]),
    "a body that is a number": ({"delete": 5}, ["`delete` must be a mapping"]),
    "an unknown condition": (
        {"delete": "a", "when": {"all": [{"exists": "b"}, {"equal": {}}]}},
        ["unknown key `equal` in `when.all[1]`; did you mean `equals`?"],
    ),
    "text for an entry": ("delete", ["an operation is a mapping such as {move: {from: a, to: b}}"]),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_name_the_line(name: str) -> None:
    data, expected = OPERATIONS[name]
    lines: dict[tuple[str | int, ...], int] = {(0,): 1, (1,): 4}
    _, found = load([{"delete": "x"}, data], "migrations/0001_a.yaml", lines=lines)
    assert [(p.place, p.message) for p in found] == [("migrations/0001_a.yaml:4", expected[0])]
    assert found[0].code == "operation_invalid"
    assert "confmig schema operations" in found[0].fix


def test_the_nearest_known_line_counts_and_problems_follow_the_file() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"targets": [{**TARGET, "x": 1}], "zzz": 1, "state_dir": 1})
    found = problems_of(
        caught.value,
        Settings,
        code="c",
        file="f.yaml",
        lines={("zzz",): 2, ("targets",): 5, ("targets", 0): 6, ("state_dir",): 1},
        then="; until then nothing runs",
    )
    assert [p.place for p in found] == ["f.yaml:1", "f.yaml:2", "f.yaml:6"]
    assert all(p.fix.endswith("; until then nothing runs") for p in found)


def test_the_word_that_was_meant() -> None:
    assert closest("postdeploy", ["online", "post_deploy"]) == "post_deploy"
    assert closest("POST-DEPLOY", ["online", "post_deploy"]) == "post_deploy"
    assert closest("tagets", ["targets", "target"]) == "targets"
    assert closest("zzz", ["targets"]) is None
    assert did_you_mean("zzz", ["targets"]) == ""
    assert shown(("targets", 0, "watch", "busy")) == "targets[0].watch.busy"


def test_a_misspelt_key_hides_nothing_that_is_there() -> None:
    data = {"targets": [TARGET], "state_dir": "s", "http": {"prt": 1, "port": 70_000}}
    assert problems(Settings, data) == [
        "`http.port` must be at most 65535",
        "unknown key `prt` in `http`; did you mean `port`?",
    ]
