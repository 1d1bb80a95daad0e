"""Reading a manifest: every defect at once, each with its code, its line and its fix. Pure.

Three steps find them: the keys and their values (``manifest_file``), the list as a whole
(``rules``), and the files around it (``parity``). The last two run on the JSON as it is, so that a
wrong value hides nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from confmig.core.bundle import parity, rules
from confmig.core.bundle.checksums import checksum, file_of, normalised
from confmig.core.bundle.contract import Contract
from confmig.core.bundle.manifest import MIGRATION_ID, Files, Manifest, Migration, Retired
from confmig.core.bundle.manifest_file import ID_WORDS, ManifestFile, MigrationEntry, RetiredEntry
from confmig.core.bundle.rules import Entry, Finding
from confmig.core.input_errors import Lines, Loc, line_of, no_lines, problems_of
from confmig.errors import Problem

PLACE = "manifest.json"


def read(
    files: Files, contract: Contract, lines: Lines = no_lines
) -> tuple[Manifest | None, list[Problem]]:
    """The manifest, or every problem found in it and around it.

    ``lines`` gives the line of each entry of a JSON text; it is asked only where a problem was
    found.
    """
    data, problems = _data(files.manifest)
    if data is None or files.manifest is None:
        return None, problems
    entries = rules.entries_of(data.get("migrations"))
    retired = _retired(data.get("retired"))
    parsed, error = _parsed(data)
    findings = [] if parsed is None else list(_python_files(parsed, files))
    configs, listed = data.get("configs"), isinstance(data.get("migrations"), list)
    names = [str(name) for name in configs] if isinstance(configs, dict) else []
    findings += rules.ids(entries)
    findings += rules.orders(entries, retired)
    findings += rules.dependencies(entries, retired)
    if isinstance(configs, dict):  # without it no name can be known, and that is reported
        findings += rules.configurations(entries, names)
        findings += _retired_configs(retired, names)
    findings += rules.versions(entries, names, retired)
    around: list[Problem] = []
    if listed:  # without the list every file would be one too many
        around += parity.registry(entries, files)
        around += parity.checksums(entries, files, retired)
        around += parity.schemas(entries, files, retired, contract)
    if error is not None or findings:
        at = lines(files.manifest)
        problems += _of_keys(error, entries, at) if error is not None else []
        problems += [_placed(finding, at) for finding in findings]
    problems += around
    if problems or parsed is None:
        return None, problems
    return _manifest(parsed, files), []


def unlistable(files: Files) -> list[Problem]:
    """The problems that prevent ``confmig sum`` from listing the migrations of a manifest.

    Other problems do not count: checksums are needed while a migration is still being written.
    """
    data, problems = _data(files.manifest)
    if data is None:
        return problems
    listed = data.get("migrations")
    if not isinstance(listed, list):
        message, fix = "`migrations` must be a list of migrations", "write the list"
        return [*problems, Problem("manifest_field_invalid", PLACE, message, fix)]
    entries = rules.entries_of(listed)
    if len(entries) < len(listed):
        message, fix = "an entry of `migrations` is not an object", "`confmig check` names its line"
        problems.append(Problem("manifest_field_invalid", PLACE, message, fix))
    for entry in entries:
        if entry.id is None or not MIGRATION_ID.match(entry.id):
            message = f"{entry.name}: `id` must be {ID_WORDS}"
            problems.append(Problem("migration_id_invalid", PLACE, message, "correct it"))
    return problems + [_placed(finding, {}) for finding in rules.ids(entries)]


# --- the text


def _data(raw: bytes | None) -> tuple[dict[str, Any] | None, list[Problem]]:
    if raw is None:
        return None, [
            _unreadable("the file does not exist", "put manifest.json into the bundle directory")
        ]
    problems: list[Problem] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        name = dict(items).get("id")
        owner = f"the entry {name}" if isinstance(name, str) else "one object"
        for key, _ in items:
            if key in seen:
                message = f"the key `{key}` occurs twice in {owner}"
                problems.append(
                    Problem("manifest_field_invalid", PLACE, message, "keep one of the two")
                )
            seen.add(key)
        return dict(items)

    try:
        data = json.loads(normalised(raw), object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        reason = f"{error.msg[:1].lower()}{error.msg[1:]}"
        message = f"this is not JSON (column {error.colno}): {reason}"
        return None, [_unreadable(message, "correct the JSON", f"{PLACE}:{error.lineno}")]
    except UnicodeDecodeError:
        return None, [_unreadable("the file is not UTF-8", "save it as UTF-8")]
    except (ValueError, RecursionError):
        message = "a number is too long, or the nesting is too deep"
        return None, [_unreadable(message, "shorten it")]
    if not isinstance(data, dict):
        message = "the file is not a JSON object"
        return None, [_unreadable(message, "write an object with `configs` and `migrations`")]
    return data, problems


def _unreadable(message: str, fix: str, place: str = PLACE) -> Problem:
    return Problem("manifest_unreadable", place, message, fix)


# --- the keys


def _parsed(data: dict[str, Any]) -> tuple[ManifestFile | None, ValidationError | None]:
    try:
        return ManifestFile.model_validate(data), None
    except ValidationError as error:
        return None, error


def _of_keys(
    error: ValidationError, entries: Iterable[Entry], at: Mapping[Loc, int]
) -> list[Problem]:
    return problems_of(
        error,
        ManifestFile,
        code=_code,
        file=PLACE,
        lines=at,
        names={entry.path: entry.name for entry in entries},
    )


def _code(path: Loc, kind: str, value: object) -> str:
    """The code of what is wrong with the value of a key."""
    if path == ("migrations",) and kind == "too_short":
        return "manifest_empty"
    if path[:1] == ("migrations",) and path[2:] == ("id",):
        return "migration_id_invalid"
    if path[:1] == ("migrations",) and path[2:] == ("class",):
        missing = kind == "missing" or value is None
        return "migration_class_missing" if missing else "migration_class_invalid"
    return "manifest_field_invalid"


def _placed(finding: Finding, at: Mapping[Loc, int]) -> Problem:
    line = line_of(finding.path, at)
    place = PLACE if line is None else f"{PLACE}:{line}"
    return Problem(finding.code, place, finding.message, finding.fix)


def _retired(data: object) -> Retired | None:
    try:
        return RetiredEntry.model_validate(data).retired()
    except ValidationError:
        return None  # absent, or reported with the keys


def _retired_configs(retired: Retired | None, configs: Iterable[str]) -> Iterable[Finding]:
    for name in retired.versions if retired is not None else ():
        if name not in configs:
            yield Finding(
                "manifest_field_invalid",
                ("retired", "versions", name),
                f"`retired.versions` names `{name}`, which is not in `configs`",
                "let `confmig retire --through ID` write it",
            )


def _python_files(parsed: ManifestFile, files: Files) -> Iterable[Finding]:
    for number, entry in enumerate(parsed.migrations):
        file = file_of(entry.id, files)
        if file is not None and file.endswith(".py") and len(entry.sets) > 1:
            yield Finding(
                "manifest_field_invalid",
                ("migrations", number, "sets"),
                f"{entry.id} is a Python file, which changes one configuration, but it sets "
                f"{len(entry.sets)}",
                "write operations in YAML, with `custom` for what they cannot express",
            )


# --- the manifest


def _manifest(parsed: ManifestFile, files: Files) -> Manifest:
    migrations = sorted((_migration(e, files) for e in parsed.migrations), key=lambda m: m.order)
    digest = hashlib.sha256(normalised(files.manifest or b""))
    for migration in migrations:
        digest.update(migration.checksum.encode())
    return Manifest(
        parsed.bundle,
        {name: entry.config(name) for name, entry in parsed.configs.items()},
        tuple(migrations),
        digest.hexdigest(),
        {m.id: m for m in migrations},
        dict(parsed.parameters),
        parsed.retired.retired() if parsed.retired is not None else None,
    )


def _migration(entry: MigrationEntry, files: Files) -> Migration:
    return Migration(
        entry.id,
        entry.order,
        entry.kind,
        dict(entry.sets),
        tuple(entry.depends_on),
        entry.description,
        entry.impact,
        checksum(file_of(entry.id, files) or "", files),
        dict(entry.requires),
    )
