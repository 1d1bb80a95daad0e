"""``confmig schema``: what confmig accepts is valid, and common mistakes are not."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from confmig.core.bundle import contract, validation
from confmig.core.bundle.manifest import Files
from confmig.core.policy import model
from confmig.documents.operations import OPERATIONS
from confmig.documents.operations import load as load_operations
from confmig.kit.json_schemas import SCHEMAS

HERE = Path(__file__).resolve().parents[2]
BUNDLES = [HERE, HERE / "daemon/confmig/example"]
MIGRATIONS = [file for bundle in BUNDLES for file in sorted(bundle.glob("migrations/[0-9]*.yaml"))]


def valid(kind: str, data: Any) -> bool:
    return jsonschema_rs.validator_for(SCHEMAS[kind]()).is_valid(data)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_schema_is_a_json_schema(kind: str) -> None:
    schema = SCHEMAS[kind]()
    jsonschema_rs.meta.validate(schema)
    assert schema["title"] == f"confmig {'migration' if kind == 'operations' else kind}"


@pytest.mark.parametrize("file", MIGRATIONS, ids=lambda f: f.stem)
def test_a_migration_of_the_bundles_is_valid(file: Path) -> None:
    assert valid("operations", yaml.safe_load(file.read_text()))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda b: b.name)
def test_manifest_and_contract_of_the_bundles_are_valid(bundle: Path) -> None:
    assert valid("manifest", json.loads((bundle / "manifest.json").read_text()))
    assert valid("contract", json.loads((bundle / "migrations/schemas/contract.json").read_text()))


GOOD = {
    "one of each": [
        {"move": {"from": "a", "to": "b"}},
        {"delete": "c"},
        {"set": {"path": "d", "value": None}},
    ],
    "a condition and a loop": [
        {
            "default": {"path": "a", "value": 1},
            "when": {"all": [{"exists": "b"}, {"not": {"equals": {"path": "c", "value": 1}}}]},
            "for_each": {"path": "items[*]", "other_types": "skip"},
        }
    ],
    "a handler, a note, nothing else": [
        {"custom": "handlers/hash.py"},
        {"note": "restart the service"},
        {"manual": {"reason": "decide"}},
    ],
}
BAD = {
    "a mapping": {"move": {"from": "a", "to": "b"}},
    "an unknown operation": [{"mov": {"from": "a", "to": "b"}}],
    "keys of another operation": [{"nest": {"from": "a", "to": "b"}}],
    "a key is missing": [{"move": {"from": "a"}}],
    "two operations in one entry": [{"delete": "a", "note": "b"}],
    "no operation": [{"when": {"exists": "a"}}],
    "a number for a path": [{"delete": 5}],
    "an unknown type": [{"convert": {"path": "a", "to": "integer"}}],
    "a loop without other_types": [{"delete": "a", "for_each": {"path": "b[*]"}}],
    "an unknown condition": [{"delete": "a", "when": {"exist": "a"}}],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_migration_is_valid_for_both(name: str) -> None:
    got = (valid("operations", GOOD[name]), load_operations(GOOD[name], "0001_x.yaml")[1])
    assert got == (True, [])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_migration_is_invalid_for_both(name: str) -> None:
    assert not valid("operations", BAD[name])
    assert load_operations(BAD[name], "0001_x.yaml")[1]


def test_the_schema_has_every_operation() -> None:
    properties = SCHEMAS["operations"]()["items"]["properties"]
    assert set(properties) == {*OPERATIONS, "when", "for_each", "allow_shared"}


POLICY = {
    "timezone": "Europe/Berlin",
    "windows": {"nightly": {"kind": "allow", "start": "22:00", "duration": "6h"}},
    "classes": {
        "online": {"windows": "always"},
        "post_deploy": {"windows": ["nightly"], "approval": {"required": 2, "ttl": "1d12h"}},
    },
}


@pytest.mark.parametrize(
    ("path", "value", "good"),
    [
        ((), None, True),
        (("windows", "nightly", "start"), "24:00", False),
        (("windows", "nightly", "start"), "23:59", True),
        (("windows", "nightly", "duration"), "6 h", False),
        (("windows", "nightly", "duration"), "", False),
        (("windows", "nightly", "end"), "04:00", False),
        (("windows", "nightly", "duration"), None, False),
        (("classes", "offline"), {"windows": "always"}, False),
        (("classes", "online", "windows"), "alwys", False),
        (("classes", "post_deploy", "approval"), "none", True),
        (("classes", "post_deploy", "approval", "required"), 3, False),
    ],
)
def test_the_policy_and_its_schema_agree(path: tuple[str, ...], value: Any, good: bool) -> None:
    data: Any = copy.deepcopy(POLICY)
    at = data
    for part in path[:-1]:
        at = at[part]
    if path:
        at[path[-1]] = value
    assert (valid("policy", data), model.read(data, "policy.yaml").state == "present") == (
        good,
        good,
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("_config_version",), 2),
        (("bundle",), ""),
        (("configs",), {}),
        (("configs", "app", "format"), "xml"),
        (("configs", "app", "files"), []),
        (("configs", "app", "version"), {"path": ""}),
        (("configs", "app", "verson"), {"path": "v"}),
        (("migrations",), []),
        (("migrations", 0, "class"), "offline"),
        (("migrations", 0, "sets"), {}),
        (("migrations", 0, "sets", "app"), 0),
        (("migrations", 0, "id"), "1_x"),
        (("migrations", 0, "impact"), "low"),
        (("parameters",), {"a": 1}),
        (("retired",), {"through": 1, "versions": {}, "sum": "x"}),
        (("unknown",), 1),
    ],
)
def test_a_wrong_manifest_is_wrong_for_both(path: tuple[str | int, ...], value: Any) -> None:
    data: Any = {
        "_config_version": 1,
        "bundle": "shop",
        "configs": {"app": {"files": ["*.yaml"], "format": "yaml", "version": {"path": "v"}}},
        "migrations": [{"id": "0001_baseline", "order": 1, "class": "online", "sets": {"app": 1}}],
    }
    assert valid("manifest", data)
    at = data
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    assert not valid("manifest", data)
    raw = json.dumps(data).encode()
    manifest, problems = validation.read(
        Files(raw, None, {}, {}, frozenset(), {}), contract.Contract()
    )
    assert manifest is None
    assert problems


def test_settings_take_seconds_in_both_spellings() -> None:
    data = {"targets": [{"name": "a", "root": "r", "bundle": "b"}], "state_dir": "s"}
    assert valid("settings", data)
    assert valid("settings", {**data, "watch": {"settle": "30s", "rescan": 5}})
    assert not valid("settings", {**data, "watch": {"settle": "soon"}})
    assert not valid("settings", {**data, "taget": []})
