"""Loading a bundle: nothing of it is used before every problem in it has been looked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from confmig.adapters.bundles import reading
from confmig.core.bundle import contract as contracts
from confmig.core.bundle import validation
from confmig.core.bundle.manifest import Files, Manifest
from confmig.core.input_errors import line_of
from confmig.documents import formats
from confmig.documents.chain import Program
from confmig.documents.model.document import Caps
from confmig.documents.model.line_numbers import line_numbers
from confmig.documents.operations import data_of
from confmig.documents.operations import load as load_operations
from confmig.documents.operations.base import Addresses
from confmig.errors import Invalid, Problem, Refused
from confmig.worker import handlers, regex
from confmig.worker.bundle import LoadedBundle
from confmig.worker.schemas import Schemas
from confmig.writer import counted


def load(
    root: Path,
    caps: Caps,
    parameters: Mapping[str, str] | None = None,
    *,
    shared: bool = False,
) -> LoadedBundle:
    """Read and validate a bundle.

    ``parameters`` are the operator's values for those it declares. ``shared``: its files may be
    of any owner (a command on a checkout), as long as they are not writable by everybody.
    Raises ``Invalid`` with every problem, ``bundle_untrusted`` before anything is read.
    """
    reading.check_trust(root, shared=shared)
    files = reading.read_files(root)
    contract, problems = contracts.read(reading.read_contract(root), json_lines)
    manifest, found = validation.read(files, contract, json_lines)
    problems += found
    programs, found = _programs(files, manifest)
    problems += found
    schemas = Schemas(root / "migrations" / "schemas", contract)
    problems += schemas.problems()
    problems += _stamps(manifest, files.manifest or b"")
    problems += _modules(manifest, programs)
    known = manifest.parameters if manifest is not None else {}
    for name in (parameters or ()) if manifest is not None else ():
        if name not in known:
            problems.append(
                Problem(
                    "parameter_unknown",
                    f"parameters.{name}",
                    "the bundle has no such parameter",
                    f"it has {', '.join(known) or 'none'}",
                )
            )
    if problems or manifest is None:
        raise Invalid(
            "manifest_invalid",
            f"the bundle {root.name} has {counted(len(problems), 'problem')}",
            problems,
        )
    return LoadedBundle(
        root, manifest, contract, files, programs, schemas, caps, dict(parameters or {})
    )


def _modules(manifest: Manifest | None, programs: Mapping[str, Program]) -> list[Problem]:
    """Python modules that handlers need and that are not installed here."""
    out = []
    for migration in manifest.migrations if manifest is not None else ():
        missing = [name for name in migration.requires if not handlers.is_installed(name)]
        program = programs.get(migration.id)
        named = [o.body.file for o in program.operations if o.kind == "custom"] if program else []
        place = f"migrations/{named[0] if named else migration.id + '.py'}"
        for name in missing:
            fix = f"pip install '{migration.requires[name]}'"
            message = f"the Python module `{name}` is missing, which {migration.id} needs"
            out.append(Problem("handler_module_missing", place, message, fix))
    return out


def json_lines(raw: bytes) -> Mapping[tuple[str | int, ...], int]:
    """The line of each entry of a JSON text, by its path; nothing of one that is not JSON."""
    try:
        return line_numbers(formats.parse(raw, format="json"))
    except Refused:
        return {}


def _stamps(manifest: Manifest | None, raw: bytes) -> list[Problem]:
    """A stamp that no document of its format can have would silently always be absent."""
    out = []
    for config in manifest.configs.values() if manifest is not None else ():
        if config.stamp is None:
            continue
        try:
            Addresses({config.name: config.format}).local(config.stamp.path)
        except (ValueError, Refused) as error:
            line = line_of(("configs", config.name, "version", "path"), json_lines(raw))
            place = validation.PLACE if line is None else f"{validation.PLACE}:{line}"
            reason = error.reason if isinstance(error, Refused) else str(error)
            message = f"`configs.{config.name}.version.path`: {reason}"
            fix = "write the path of the version as it is in the files"
            out.append(Problem("manifest_field_invalid", place, message, fix))
    return out


def _programs(files: Files, manifest: Manifest | None) -> tuple[dict[str, Program], list[Problem]]:
    """Parse every migration file, also of a bundle whose manifest is broken."""
    programs, problems = {}, []
    for file, content in files.migrations.items():
        place = f"migrations/{file}"
        name = file.rpartition(".")[0]
        migration = manifest.by_id.get(name) if manifest is not None else None
        if file.endswith(".py"):
            if migration is not None:
                programs[name] = Program(migration, (), handler=file)
            continue
        if not file.endswith(".yaml"):
            continue
        try:
            document = formats.parse(content, format="yaml")
            data = data_of(document)
        except Refused as error:
            error.in_file(place)
            problems.append(
                Problem("migration_file_invalid", error.place, error.message, error.fix)
            )
            continue
        known = manifest.configs if manifest is not None else {}
        sets = {name: known[name].format for name in (migration.sets if migration else ())}
        others = tuple(name for name in known if name not in sets) if sets else ()
        operations, found = load_operations(
            data if data is not None else [], place, sets, others, line_numbers(document)
        )
        problems += found
        for operation in operations:
            why = regex.check(getattr(operation.body, "regex", ""))
            if why:
                problems.append(
                    Problem("operation_invalid", place, why, "RE2 has no look-around or \\1")
                )
            if operation.kind == "custom" and operation.body.file not in files.handlers:
                problems.append(
                    Problem(
                        "handler_missing",
                        place,
                        f"there is no migrations/{operation.body.file}",
                        "add the file, as handlers/<name>.py",
                    )
                )
        if migration is not None:
            programs[name] = Program(migration, tuple(operations))
    return programs, problems
