"""Validation of a bundle: every defect at once.

It runs on the raw JSON, field by field, so that each defect gets its own code, its place and its
fix, and one defect never hides another.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from itertools import pairwise, zip_longest
from typing import Any

from confmig.core.bundle.checksums import checksum, file_of, normalised, sums, sums_text
from confmig.core.bundle.contract import Contract
from confmig.core.bundle.graph import cycles
from confmig.core.bundle.manifest import (
    CLASSES,
    FORMATS,
    MIGRATION_ID,
    Config,
    Files,
    Manifest,
    Migration,
    Retired,
    Stamp,
)
from confmig.errors import Problem
from confmig.writer import closest, did_you_mean

_KEYS = {"_config_version", "bundle", "configs", "migrations", "parameters", "retired"}
_RETIRED_KEYS = {"through", "versions", "sum"}
LINES: dict[str, tuple[str, tuple[str, ...]]] = {
    "repeated_keys": ("ini", ("keep", "refuse")),
    "continuation": ("ini", ("indent", "backslash", "none")),
    "encoding": ("properties", ("utf-8", "latin-1")),
    "documents": ("properties", ("spring", "one")),
}
_CONFIG_KEYS = {
    "files",
    "format",
    "version",
    "samples",
    "multi_document",
    "inline_comments",
    *LINES,
}
_MIGRATION_KEYS = {
    "id",
    "order",
    "class",
    "sets",
    "depends_on",
    "description",
    "impact",
    "requires",
}
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\[\],<>=!~; -]*\Z")


def read(files: Files, contract: Contract) -> tuple[Manifest | None, list[Problem]]:
    """The manifest, or every problem found in it and around it."""
    check = _Check(files, contract)
    manifest = check.run()
    return (None, check.problems) if check.problems else (manifest, [])


class _Check:
    def __init__(self, files: Files, contract: Contract) -> None:
        self.files = files
        self.contract = contract
        self.problems: list[Problem] = []
        self.retired: Retired | None = None

    def say(self, code: str, place: str, message: str, fix: str) -> None:
        self.problems.append(Problem(code, place, message, fix))

    def run(self) -> Manifest | None:
        raw = self.files.manifest
        if raw is None:
            self.say(
                "manifest_unreadable",
                "manifest.json",
                "the file is not there",
                "put manifest.json into the bundle directory",
            )
            return None
        try:
            data = json.loads(normalised(raw), object_pairs_hook=self._pairs)
        except json.JSONDecodeError as error:
            self.say(
                "manifest_unreadable",
                f"manifest.json:{error.lineno}",
                f"this is not JSON (column {error.colno}): {error.msg[:1].lower()}{error.msg[1:]}",
                "correct the JSON",
            )
            return None
        except UnicodeDecodeError:
            self.say(
                "manifest_unreadable", "manifest.json", "the file is not UTF-8", "save it as UTF-8"
            )
            return None
        except (ValueError, RecursionError):
            self.say(
                "manifest_unreadable",
                "manifest.json",
                "a number is too long or the nesting is too deep",
                "shorten it",
            )
            return None
        if not isinstance(data, dict):
            self.say(
                "manifest_unreadable",
                "manifest.json",
                "the file is no JSON object",
                "write an object with configs and migrations",
            )
            return None
        self._known_keys(data, _KEYS, "manifest.json")
        if data.get("_config_version") != 1:
            self._field("manifest.json: _config_version", "must be 1", 'write "_config_version": 1')
        bundle = self._text(data, "bundle", "manifest.json")
        configs = self._configs(data.get("configs"))
        parameters = self._parameters(data.get("parameters", {}))
        self.retired = self._retired(data.get("retired"), configs)
        entries = data.get("migrations")
        if not isinstance(entries, list):
            self._field("manifest.json: migrations", "must be a list", "list the migrations")
            entries = []
        elif not entries:
            self.say(
                "manifest_empty",
                "manifest.json: migrations",
                "no migration is listed",
                "add the first migration",
            )
        migrations = [m for n, e in enumerate(entries) if (m := self._migration(n, e, configs))]
        self._ids(entries)
        self._orders(entries)
        self._dependencies(entries)
        self._versions(entries, configs)
        self._registry(entries)
        self._sums(entries)
        self._schemas(entries)
        if self.problems:
            return None
        migrations.sort(key=lambda m: m.order)
        digest = hashlib.sha256(normalised(raw))
        for migration in migrations:
            digest.update(migration.checksum.encode())
        return Manifest(
            bundle,
            configs,
            tuple(migrations),
            digest.hexdigest(),
            {m.id: m for m in migrations},
            parameters,
            self.retired,
        )

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                self._field(
                    "manifest.json",
                    f"the key {key!r} stands twice in one object",
                    "keep one of the two",
                )
            seen.add(key)
        return dict(pairs)

    # --- fields

    def _field(self, place: str, message: str, fix: str) -> None:
        self.say("manifest_field_invalid", place, message, fix)

    def _known_keys(self, data: dict[str, Any], known: set[str], place: str) -> None:
        for key in list(data):
            if key not in known:
                meant = closest(key, known)
                if meant is not None:  # so that nothing else is reported for the misspelt key
                    data.setdefault(meant, data[key])
                self._field(
                    f"{place}: {key}",
                    f"unknown key `{key}`" + did_you_mean(key, known),
                    f"write `{meant}`"
                    if meant
                    else f"remove it; known are {', '.join(sorted(known))}",
                )

    def _text(self, data: dict[str, Any], key: str, place: str) -> str:
        value = data.get(key)
        if isinstance(value, str) and value:
            return value
        self._field(f"{place}: {key}", "must be text and not empty", f"write {key}")
        return ""

    def _configs(self, data: Any) -> dict[str, Config]:
        if not isinstance(data, dict) or not data:
            self._field(
                "manifest.json: configs",
                "must be an object with at least one configuration",
                "name the configuration and its files",
            )
            return {}
        out = {}
        for name, entry in data.items():
            place = f"manifest.json: configs.{name}"
            if not isinstance(entry, dict):
                self._field(place, "must be an object", "give it files, format and version")
                continue
            self._known_keys(entry, _CONFIG_KEYS, place)
            files = entry.get("files")
            if not (
                isinstance(files, list) and files and all(isinstance(f, str) and f for f in files)
            ):
                self._field(f"{place}.files", "must be a list of file patterns", "name the files")
                files = []
            for pattern in files:
                if pattern.startswith("/") or ".." in pattern.split("/"):
                    self._field(
                        f"{place}.files",
                        f"{pattern!r} leaves the target's root",
                        "write patterns relative to the root",
                    )
            if entry.get("format") not in FORMATS:
                self._field(
                    f"{place}.format",
                    f"must be one of {', '.join(FORMATS)}",
                    "name a format that is supported",
                )
            multi = entry.get("multi_document", False)
            if not isinstance(multi, bool) or (multi and entry.get("format") != "yaml"):
                self._field(
                    f"{place}.multi_document",
                    "must be true or false, and true only for YAML",
                    "remove it for files of one document",
                )
            out[name] = Config(
                name,
                tuple(files),
                str(entry.get("format")),
                self._stamp(entry, place),
                multi is True,
                self._lines(entry, place),
                self._samples(entry, place),
            )
        return out

    def _samples(self, entry: dict[str, Any], place: str) -> tuple[str, ...]:
        """The example files of a configuration, as patterns relative to the bundle."""
        samples = entry.get("samples", [])
        good = isinstance(samples, list) and all(
            isinstance(s, str) and s and not s.startswith("/") and ".." not in s.split("/")
            for s in samples
        )
        if not good:
            self._field(
                f"{place}.samples",
                "must be a list of file patterns in the bundle",
                'write patterns such as "samples/*.yaml"',
            )
            return ()
        return tuple(samples)

    def _requires(self, data: Any, place: str) -> dict[str, str]:
        """The modules that a migration's handlers import: name -> what pip installs."""
        good = isinstance(data, dict) and all(
            _MODULE.match(name) and isinstance(said, str) and _REQUIREMENT.match(said)
            for name, said in data.items()
        )
        if not good:
            self._field(
                f"{place}: requires",
                "must be an object of Python modules and what pip installs for each",
                'write {"bcrypt": "bcrypt>=4"}',
            )
            return {}
        return dict(data)

    def _lines(self, entry: dict[str, Any], place: str) -> dict[str, Any]:
        """What a configuration says of its INI or .properties files."""
        out: dict[str, Any] = {}
        marks = entry.get("inline_comments")
        if marks is not None:
            known = isinstance(marks, list) and all(m in (";", "#") for m in marks)
            if not known or entry.get("format") != "ini":
                self._field(
                    f"{place}.inline_comments",
                    "must be a list of ; and #, and only for ini",
                    'write [";"], or [] if nothing behind a value is a comment',
                )
            else:
                out["inline_comments"] = marks
        for name, (format, values) in LINES.items():
            if name not in entry:
                continue
            if entry[name] not in values or entry.get("format") != format:
                self._field(
                    f"{place}.{name}",
                    f"must be one of {', '.join(values)}, and only for {format}",
                    f"write {values[0]}, or leave it out",
                )
            else:
                out[name] = entry[name]
        return out

    def _parameters(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
            self._field(
                "manifest.json: parameters",
                "must be an object of names and their default texts",
                'write {"data_dir": "/var/lib/service"}',
            )
            return {}
        return dict(data)

    def _retired(self, data: Any, configs: dict[str, Config]) -> Retired | None:
        if data is None:
            return None
        place = "manifest.json: retired"
        fix = "let `confmig retire --through ID` write it"
        if not isinstance(data, dict):
            self._field(place, "must be an object", fix)
            return None
        self._known_keys(data, _RETIRED_KEYS, place)
        through, versions, last = data.get("through"), data.get("versions"), data.get("sum")
        if not _is_number(through, least=1):
            self._field(f"{place}.through", "must be the order of a migration", fix)
            through = 0
        if not isinstance(versions, dict) or not all(
            name in configs and _is_number(v, least=1) for name, v in versions.items()
        ):
            self._field(f"{place}.versions", "must name a version of each configuration", fix)
            versions = {}
        if not isinstance(last, str) or not re.fullmatch(r"[0-9a-f]{64}", last):
            self._field(f"{place}.sum", "must be a digest of manifest.sum", fix)
            last = ""
        return Retired(int(through or 0), dict(versions), last)

    def _stamp(self, entry: dict[str, Any], place: str) -> Stamp | None:
        if "version" in entry and entry["version"] is None:
            return None  # the files carry no version
        data = entry.get("version")
        if not isinstance(data, dict) or not isinstance(data.get("path"), str) or not data["path"]:
            self._field(
                f"{place}.version",
                "must be an object with the path of the stamp, or null for files without one",
                'write {"path": "schema_version", "absent": 0}',
            )
            return Stamp("", None)
        self._known_keys(data, {"path", "absent", "empty"}, f"{place}.version")
        default: dict[str, int | None] = {}
        for key in ("absent", "empty"):
            value = data.get(key)
            if value is not None and not _is_number(value, least=0):
                self._field(f"{place}.version.{key}", "must be a version number", "write 0 or more")
                value = None
            default[key] = value
        return Stamp(data["path"], default["absent"], default["empty"])

    def _migration(self, number: int, entry: Any, configs: dict[str, Config]) -> Migration | None:
        place = f"manifest.json: migrations[{number}]"
        if not isinstance(entry, dict):
            self._field(place, "must be an object", "give it id, order, class and sets")
            return None
        said = entry.get("id")
        name = said if isinstance(said, str) else ""
        place += f" {name}" if name else ""
        self._known_keys(entry, _MIGRATION_KEYS, place)
        numbered = MIGRATION_ID.match(name) is not None
        if not numbered:
            self.say(
                "migration_id_invalid",
                place,
                "the id must be four digits, _ and a-z 0-9 _",
                "name it like 0007_move_dns",
            )
        order = entry.get("order")
        if not _is_number(order):
            self._field(
                f"{place}: order", "must be a number of at most 64 bits", "number them from 1"
            )
        elif numbered and int(name[:4]) != order:
            self.say(
                "migration_id_invalid",
                place,
                f"the number of the id is not its order {order}",
                f"name it {order:04d}_..., or set order to {int(name[:4])}",
            )
        kind = entry.get("class")
        if kind is None:
            self.say(
                "migration_class_missing",
                place,
                "every migration says its class",
                f'add "class": one of {", ".join(CLASSES)}',
            )
        elif kind not in CLASSES:
            self.say(
                "migration_class_invalid",
                place,
                f"the class {kind!r} is not known",
                f"use one of {', '.join(CLASSES)}",
            )
        if entry.get("impact", "normal") not in ("normal", "high"):
            self._field(f"{place}: impact", "must be normal or high", "use one of the two")
        description = entry.get("description", "")
        if not isinstance(description, str):
            self._field(f"{place}: description", "must be text", "describe it in a sentence")
        requires = self._requires(entry.get("requires", {}), place)
        sets = self._sets(entry.get("sets"), place, configs)
        depends = entry.get("depends_on", [])
        if not isinstance(depends, list) or not all(isinstance(d, str) for d in depends):
            self._field(
                f"{place}: depends_on", "must be a list of ids", "list ids, or leave it out"
            )
            depends = []
        file = file_of(name, self.files)
        if file is not None and file.endswith(".py") and len(sets) > 1:
            self._field(
                f"{place}: sets",
                "a migration that is a Python file changes one configuration",
                "write operations, with `custom` for what they cannot say",
            )
        if self.problems or file is None:
            return None
        return Migration(
            name,
            int(order or 0),
            str(kind),
            sets,
            tuple(depends),
            description,
            str(entry.get("impact", "normal")),
            checksum(file, self.files),
            requires,
        )

    def _sets(self, data: Any, place: str, configs: dict[str, Config]) -> dict[str, int]:
        if not isinstance(data, dict) or not data:
            self._field(
                f"{place}: sets",
                "must name the configuration and the version it makes",
                'write "sets": {"<config>": <version>}',
            )
            return {}
        for config, version in data.items():
            if config not in configs:
                self.say(
                    "config_unknown",
                    f"{place}: sets.{config}",
                    f"no configuration {config!r} is declared",
                    f"declare it under configs, or use one of {', '.join(configs) or 'none'}",
                )
            if not _is_number(version, least=1):
                self._field(
                    f"{place}: sets.{config}",
                    "must be a version number of at most 64 bits",
                    "write the number of the version before, plus 1",
                )
        for config in data if len(data) > 1 else ():
            if ":" in config:
                self._field(
                    f"{place}: sets.{config}",
                    "a name with a colon cannot begin a path",
                    "rename the configuration",
                )
        return dict(data)

    # --- the whole list

    def _ids(self, entries: list[Any]) -> None:
        seen: set[str] = set()
        for entry in _objects(entries):
            name = entry.get("id")
            if isinstance(name, str) and name in seen:
                self.say(
                    "migration_id_duplicate",
                    f"manifest.json: {name}",
                    "the id stands twice",
                    "give every migration its own id",
                )
            seen.add(str(name))

    def _orders(self, entries: list[Any]) -> None:
        seen: dict[int, str] = {}
        for entry in _objects(entries):
            order, name = entry.get("order"), str(entry.get("id"))
            if not isinstance(order, int) or not _is_number(order):
                continue
            if order in seen:
                self.say(
                    "migration_order_duplicate",
                    f"manifest.json: {name}",
                    f"order {order} is taken by {seen[order]}",
                    "number them one by one",
                )
            seen.setdefault(order, name)
        before = self.retired.through if self.retired is not None else 0
        first = before + 1
        for order in sorted(o for o in seen if o < first):
            self.say(
                "migration_order_gap",
                f"manifest.json: {seen[order]}",
                f"order {order} is below {first}",
                f"number them from {first} without a gap",
            )
        for order in sorted(o for o in seen if o >= first):
            missing, before = range(before + 1, order), order
            if len(missing) > 20:
                self.say(
                    "migration_order_gap",
                    "manifest.json: migrations",
                    f"no migrations have the orders {missing[0]} to {missing[-1]}",
                    "number them one after the other without a gap",
                )
                continue
            for order in missing:
                self.say(
                    "migration_order_gap",
                    "manifest.json: migrations",
                    f"no migration has order {order}",
                    "number them one after the other without a gap",
                )

    def _dependencies(self, entries: list[Any]) -> None:
        known: dict[str, dict[str, Any]] = {}
        for entry in _objects(entries):
            known.setdefault(str(entry.get("id")), entry)
        edges: dict[str, list[str]] = {name: [] for name in known}
        for entry in _objects(entries):
            name = str(entry.get("id"))
            listed = entry.get("depends_on", [])
            listed = [d for d in listed if isinstance(d, str)] if isinstance(listed, list) else []
            edges[name] += listed
            for other in listed:
                self._dependency(entry, other, known.get(other))
        for cycle in cycles(edges):
            self.say(
                "migration_dependency_cycle",
                f"manifest.json: {', '.join(cycle)}",
                "they depend on each other",
                "remove one of the dependencies",
            )

    def _dependency(self, entry: dict[str, Any], other: str, needed: dict[str, Any] | None) -> None:
        place = f"manifest.json: {entry.get('id')}: depends_on"
        if needed is None and self.retired is not None and self.retired.has(other):
            return
        if needed is None:
            self.say(
                "migration_dependency_unknown",
                place,
                f"{other} is not in the manifest",
                "name an id of this manifest",
            )
            return
        a, b = entry.get("order"), needed.get("order")
        if isinstance(a, int) and isinstance(b, int) and b >= a:
            self.say(
                "migration_dependency_order_invalid",
                place,
                f"{other} (order {b}) does not come before it (order {a})",
                "order it after what it depends on",
            )
        later = needed.get("class")
        if entry.get("class") == "online" and later in CLASSES[1:]:
            self.say(
                "migration_class_order_invalid",
                place,
                f"an online migration depends on {other}, whose class is {later}",
                "give it the later class, or drop the dependency",
            )

    def _versions(self, entries: list[Any], configs: dict[str, Config]) -> None:
        for config in configs:
            made: list[tuple[int, int, str]] = []
            for entry in _objects(entries):
                sets, order = entry.get("sets"), entry.get("order")
                version = sets.get(config) if isinstance(sets, dict) else None
                if isinstance(version, int) and isinstance(order, int):
                    made.append((order, version, str(entry.get("id"))))
            if self.retired is not None and config in self.retired.versions:
                made.append((self.retired.through, self.retired.versions[config], "retired"))
            made.sort()
            for (_, before, earlier), (_, version, name) in pairwise(made):
                if version != before + 1:
                    wrong = f"{name} skips version {before + 1} of `{config}`"
                    if version != before + 2:
                        wrong = f"{name} sets `{config}` to {version}, after {earlier}: {before}"
                    self.say(
                        "migration_version_gap",
                        f"manifest.json: {name}: sets.{config}",
                        wrong,
                        f"set `sets.{config}` to {before + 1} there, or add the migration that is "
                        "missing; later versions are checked after that",
                    )
                    break  # what follows is counted from a wrong version

    def _registry(self, entries: list[Any]) -> None:
        listed = {e["id"] for e in _objects(entries) if isinstance(e.get("id"), str)}
        for name in sorted(listed):
            if file_of(name, self.files) is None:
                self.say(
                    "migration_registry_missing",
                    f"migrations/{name}.yaml",
                    "the manifest lists it, the file is not there",
                    "add the file, or remove the entry",
                )
        for file in sorted(self.files.migrations):
            name = file.rpartition(".")[0]
            if file != file_of(name, self.files) or name not in listed:
                self.say(
                    "migration_registry_orphan",
                    f"migrations/{file}",
                    "the file is not in the manifest",
                    "list it, or move it out of migrations/",
                )

    def _sums(self, entries: list[Any]) -> None:
        ids = [
            str(e.get("id"))
            for e in sorted(
                _objects(entries),
                key=lambda e: e["order"] if isinstance(e.get("order"), int) else 0,
            )
        ]
        if self.files.sums is None:
            self.say(
                "migration_checksum_mismatch",
                "manifest.sum",
                "the file is not there",
                "run `confmig sum` and commit the result",
            )
            return
        start = self.retired.sum if self.retired is not None else ""
        wanted = sums_text(sums(self.files, ids, start)).decode().splitlines()
        recorded = normalised(self.files.sums).decode("utf-8", "replace").splitlines()
        for number, (want, have) in enumerate(zip_longest(wanted, recorded, fillvalue=""), 1):
            if want != have:
                name = (want or have).rpartition(" ")[2]
                self.say(
                    "migration_checksum_mismatch",
                    f"manifest.sum:{number}: {name}",
                    "the recorded sum is not the sum of the files",
                    "if the change is meant, run `confmig sum`; all later lines follow from it",
                )
                return

    def _schemas(self, entries: list[Any]) -> None:
        made: dict[str, set[int]] = {}
        for entry in _objects(entries):
            sets = entry.get("sets")
            for config, version in sets.items() if isinstance(sets, dict) else ():
                if isinstance(version, int):
                    made.setdefault(config, set()).add(version)
        for config, version in self.retired.versions.items() if self.retired is not None else ():
            made.setdefault(config, set()).add(version)
        for config, contract in self.contract.configs.items():
            place = f"migrations/schemas/contract.json: {config}"
            if config not in made:
                self.say(
                    "config_unknown",
                    place,
                    "no migration sets this configuration",
                    "name a configuration of the manifest",
                )
                continue
            first = min(made[config]) - 1
            for version, known in sorted(contract.versions.items()):
                if known.schema_file is not None and known.schema_file not in self.files.schemas:
                    self.say(
                        "schema_missing",
                        f"{place} version {version}",
                        f"migrations/schemas/{known.schema_file} is not there",
                        "add the schema, or leave the version without one",
                    )
                if version > first and version not in made[config]:
                    self.say(
                        "schema_bump_without_migration",
                        f"{place} version {version}",
                        "no migration makes this version",
                        "add the migration that sets it",
                    )


def _objects(entries: list[Any]) -> list[dict[str, Any]]:
    return [e for e in entries if isinstance(e, dict)]


def replays_missing(ids: Iterable[str], files: Files) -> list[Problem]:
    """Migrations without a replay fixture (``input`` and ``expected``); for ``confmig check``.

    Takes ids, not a manifest: a broken bundle is told of these too.
    """
    out = []
    for name in dict.fromkeys(ids):
        cases = files.fixtures.get(name, ())
        inputs = {c.replace(".input.", ".") for c in cases if ".input." in c}
        outputs = {c.replace(".expected.", ".") for c in cases if ".expected." in c}
        place = f"migrations/fixtures/{name}"
        if not inputs:
            out.append(
                Problem(
                    "replay_missing",
                    place,
                    "the migration has no replay fixture",
                    "add <case>.input.<ext> and <case>.expected.<ext>",
                )
            )
        for case in sorted(inputs ^ outputs):
            out.append(
                Problem(
                    "replay_missing",
                    f"{place}/{case}",
                    "the case has not both input and expected",
                    "add the other half",
                )
            )
    return out


def _is_number(value: Any, *, least: int = -(2**63)) -> bool:
    """Whether a value is a whole number that every part of confmig can hold (64 bits)."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63
