"""What a user would write instead of using confmig: load, edit, dump.

ruamel.yaml and tomlkit are no dependencies of confmig: where they are not installed, ``library``
is None and their rows are left out. Nothing of confmig is imported here.
"""

from __future__ import annotations

import functools
import gc
import importlib
import io
import json
import tomllib
from typing import Any

import yaml

PORT = 5353


@functools.cache
def library(name: str) -> Any:
    """A module, imported when it is first wanted; None if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def load_yaml(data: bytes) -> None:
    """The unit: PyYAML's C loader, which keeps nothing of the text."""
    yaml.load(data, Loader=yaml.CSafeLoader)


def load_yaml_undisturbed(data: bytes) -> None:
    """The unit while Python's collector is off: what of it is the collector's."""
    gc.disable()
    try:
        load_yaml(data)
    finally:
        gc.enable()


def pyyaml(data: bytes, version: int | None = None) -> bytes:
    """The edit with PyYAML, C loader and C dumper."""
    value = yaml.load(data, Loader=yaml.CSafeLoader)
    value["dns"]["port"] = PORT
    if version is not None:
        value["schema_version"] = version
    text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    return text.encode()


def ruamel_yaml() -> Any:
    """A round-trip loader and dumper set to the corpus: quotes kept, no folding, its indent."""
    rt = library("ruamel.yaml").YAML()
    rt.preserve_quotes = True
    rt.width = 4096
    rt.indent(mapping=2, sequence=4, offset=2)
    return rt


def ruamel_edit(data: bytes, version: int | None = None, rt: Any = None) -> bytes:
    """The edit with ruamel.yaml's round trip."""
    rt = rt or ruamel_yaml()
    value = rt.load(data)
    value["dns"]["port"] = PORT
    if version is not None:
        value["schema_version"] = version
    out = io.BytesIO()
    rt.dump(value, out)
    return out.getvalue()


def load_toml(data: bytes) -> None:
    """The unit of TOML."""
    tomllib.loads(data.decode())


def tomlkit_edit(data: bytes) -> bytes:
    """The edit with tomlkit."""
    value = library("tomlkit").parse(data.decode())
    value["dns"]["port"] = PORT
    text: str = library("tomlkit").dumps(value)
    return text.encode()


def load_json(data: bytes) -> None:
    """The unit of JSON."""
    json.loads(data)


def json_edit(data: bytes) -> bytes:
    """The edit with the standard library."""
    value = json.loads(data)
    value["dns"]["port"] = PORT
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
