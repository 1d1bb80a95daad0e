"""Whether the files of a bundle fit its manifest (migrations, sums, schemas, fixtures). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from confmig.core.bundle.checksums import file_of, normalised, sums, sums_text
from confmig.core.bundle.contract import PLACE, Contract
from confmig.core.bundle.manifest import Files, Retired
from confmig.core.bundle.rules import Entry
from confmig.errors import Problem


def registry(entries: Sequence[Entry], files: Files) -> Iterator[Problem]:
    """Every entry has its file, and every file directly in ``migrations/`` its entry."""
    listed = {e.id for e in entries if e.id is not None}
    for name in sorted(listed):
        if file_of(name, files) is None:
            yield Problem(
                "migration_registry_missing",
                f"migrations/{name}.yaml",
                "the manifest lists this migration, but the file does not exist",
                "add the file, or remove the entry",
            )
    for file in sorted(files.migrations):
        name = file.rpartition(".")[0]
        if file != file_of(name, files) or name not in listed:
            yield Problem(
                "migration_registry_orphan",
                f"migrations/{file}",
                "the file is not in the manifest",
                "list it, or move it out of migrations/",
            )


def checksums(entries: Sequence[Entry], files: Files, retired: Retired | None) -> Iterator[Problem]:
    """manifest.sum is that of the files.

    Only the first line that differs is reported: all later ones follow from it.
    """
    ids = [e.name for e in sorted(entries, key=lambda e: e.order or 0)]
    if files.sums is None:
        yield Problem(
            "migration_checksum_mismatch",
            "manifest.sum",
            "the file does not exist",
            "run `confmig sum` and commit the result",
        )
        return
    start = retired.sum if retired is not None else ""
    wanted = sums_text(sums(files, ids, start)).decode().splitlines()
    recorded = normalised(files.sums).decode("utf-8", "replace").splitlines()
    for number, (want, have) in enumerate(zip_longest(wanted, recorded, fillvalue=""), 1):
        if want != have:
            name = (want or have).rpartition(" ")[2]
            yield Problem(
                "migration_checksum_mismatch",
                f"manifest.sum:{number}",
                f"the recorded sum of {name} is not the sum of its files",
                "if the change is intended, run `confmig sum`; all later lines follow from it",
            )
            return


def schemas(
    entries: Sequence[Entry], files: Files, retired: Retired | None, contract: Contract
) -> Iterator[Problem]:
    """The contract names versions that migrations make, and schemas that exist."""
    made: dict[str, set[int]] = {}
    for entry in entries:
        for config, version in entry.sets.items():
            made.setdefault(config, set()).update(() if version is None else (version,))
    for config, version in retired.versions.items() if retired is not None else ():
        made.setdefault(config, set()).add(version)
    for config, known in contract.configs.items():
        if not made.get(config):
            yield Problem(
                "config_unknown",
                PLACE,
                f"no migration sets a version of the configuration `{config}`",
                "name a configuration of the manifest",
            )
            continue
        first = min(made[config]) - 1
        for version, one in sorted(known.versions.items()):
            if one.schema_file is not None and one.schema_file not in files.schemas:
                yield Problem(
                    "schema_missing",
                    PLACE,
                    f"version {version} of `{config}` has the schema {one.schema_file}, but the "
                    "file does not exist",
                    f"add migrations/schemas/{one.schema_file}, or remove `schema` there",
                )
            if version > first and version not in made[config]:
                yield Problem(
                    "schema_bump_without_migration",
                    PLACE,
                    f"no migration makes version {version} of `{config}`",
                    "add the migration that sets it",
                )


def replays_missing(ids: Iterable[str], files: Files) -> list[Problem]:
    """The migrations without a whole replay fixture (``input`` and ``expected``).

    It takes ids, not a manifest: a broken bundle needs the answer, too.
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
            half, other = ("input", "expected") if case in inputs else ("expected", "input")
            out.append(
                Problem(
                    "replay_missing",
                    f"{place}/{case}",
                    f"the case has a file `{half}`, but none `{other}`",
                    f"add the file `{other}`",
                )
            )
    return out
