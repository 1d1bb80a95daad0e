"""A bundle on disk: read all of it once, validate it, and be able to run it.

Nothing of a bundle is used before every problem in it has been looked for; ``load`` either
returns a bundle that can run or raises ``Invalid`` with all problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confmig.adapters.bundles import handlers, regex
from confmig.adapters.bundles.schemas import Schemas
from confmig.adapters.files import trust
from confmig.adapters.files.plain_file import read_plain
from confmig.core.bundle import contract as contracts
from confmig.core.bundle import validation
from confmig.core.bundle.contract import Contract
from confmig.core.bundle.manifest import Config, Files, Manifest, file_of
from confmig.documents import formats
from confmig.documents.chain import Program, Step, emptied, run_together, version_of
from confmig.documents.formats import Rendered
from confmig.documents.model.dialects import dialect_of
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.emptied import holds_nothing
from confmig.documents.model.tree import Mapping as Item
from confmig.documents.operations import Context, data_of
from confmig.documents.operations import load as load_operations
from confmig.documents.operations.base import Addresses
from confmig.errors import ConfmigError, Invalid, Problem, Refused

DEFAULT_CAPS = Caps()


@dataclass(frozen=True, slots=True)
class Transformed:
    """One document taken through a chain in memory. ``rendered`` is None if not a byte changes."""

    before: int
    after: int
    steps: tuple[Step, ...]
    document: Document
    rendered: Rendered | None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know: the notes of migrations, and which comments went with the
        values that were removed."""
        notes = [
            f"note of {step.migration.id}{f' at {place}' if place else ''}: {text}"
            for step in self.steps
            for place, text in step.notes
        ]
        lost = self.rendered.lost_comments if self.rendered is not None else ()
        lines = [str(self.document.text.count("\n", 0, start) + 1) for start, _ in lost]
        if lines:
            number = f"comment in line {lines[0]}" if len(lines) == 1 else "comments in lines "
            listed = "" if len(lines) == 1 else ", ".join(lines)
            notes.append(f"the {number}{listed} went with removed values")
        return tuple(notes)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A valid bundle, ready to run."""

    root: Path
    manifest: Manifest
    contract: Contract
    files: Files
    programs: dict[str, Program]
    schemas: Schemas
    caps: Caps
    parameters: Mapping[str, str]
    versions: dict[tuple[str, str], int] = field(default_factory=dict)

    def parse(self, config: Config, data: bytes) -> Document:
        """A document of one of the bundle's configurations."""
        dialect = self.contract.of(config.name).dialect
        return formats.parse(
            data,
            format=config.format,
            dialect=dialect,
            caps=self.caps,
            multi=config.multi_document,
            lines=dialect_of(config.files, config.lines),
        )

    def version(self, config: Config, data: bytes, digest: str) -> int:
        """The schema version that a document's stamp says; see ``chain.version_of``. A pass looks
        at the same contents several times: what a content (by its hash) said is remembered."""
        key = (config.name, digest)
        if key not in self.versions:
            if self.holds_nothing(config, data) and (
                config.stamp is None or config.stamp.empty is None
            ):
                raise emptied()
            self.versions[key] = version_of(self.parse(config, data), config)
        return self.versions[key]

    def holds_nothing(self, config: Config, data: bytes) -> bool:
        """Whether a document is empty, or holds only comments or a null."""
        return holds_nothing(data.decode("utf-8", "replace"), config.format)

    def due(self, config: Config, data: bytes) -> tuple[str, ...]:
        """The migrations (ids, in order) that would change something in a document without a
        stamp. The whole chain runs, in memory.

        Raises ``Refused``: ``not_idempotent`` if a second run would change something again, as
        nothing would tell that the first one was.
        """
        chain = self.manifest.chain(config.name)
        if any(m.together for m in chain):
            raise Refused(
                "unstamped_together",
                f"{config.name} carries no stamp, and a migration changes it with others",
                fix="give the configuration a version stamp",
            )
        ids = [m.id for m in chain]
        result = self.transform(config, data, ids)
        if result.rendered is None:
            return ()
        again = self.transform(config, result.rendered.data, ids)
        if again.rendered is not None:
            names = ", ".join(s.migration.id for s in again.steps if s.changes)
            raise Refused(
                "not_idempotent",
                f"{names} would change its own result, and the files carry no stamp",
                fix="write it so that a second run changes nothing",
            )
        return tuple(s.migration.id for s in result.steps if s.changes)

    def transform(
        self,
        config: Config,
        data: bytes,
        migrations: Iterable[str],
        key: bytes = b"",
        document: Document | None = None,
    ) -> Transformed:
        """Take a document through migrations (ids, in order) in memory; ``document`` is ``data``
        parsed, if somebody did so already (it is changed).

        ``key`` makes derived bytes of handlers unpredictable. Raises ``Refused`` or ``Fault``
        with migration, place and reason; nothing is written anywhere.
        """
        parsed = {config.name: document} if document is not None else {}
        return self.transform_together({config.name: data}, migrations, key, parsed)[config.name]

    def transform_together(
        self,
        sources: Mapping[str, bytes],
        migrations: Iterable[str],
        key: bytes = b"",
        parsed: Mapping[str, Document] | None = None,
    ) -> dict[str, Transformed]:
        """The same for one document of each of several configurations, by name. Migrations that
        set several of them change their documents together."""
        migrations = list(migrations)
        configs = {name: self.manifest.configs[name] for name in sources}
        documents = dict(parsed or {})
        for name, data in sources.items():
            if name not in documents:
                documents[name] = self.parse(configs[name], data)
        before = {name: version_of(documents[name], configs[name]) for name in sources}
        steps = run_together(
            documents,
            configs.values(),
            [self.programs[m] for m in migrations],
            self.context(documents, sources, key),
            self.schemas.errors,
        )
        out = {}
        for name, data in sources.items():
            try:
                out[name] = self._finished(before[name], steps[name], documents[name], data)
            except ConfmigError as error:
                blamed = self._blamed(sources, name, migrations, key)
                if len(sources) > 1:
                    error.place = f"{name}:{error.place}"
                error.message = f"{blamed}: {error.message}"
                raise
        return out

    def _blamed(
        self, sources: Mapping[str, bytes], name: str, migrations: list[str], key: bytes
    ) -> str:
        """The first migration whose result cannot be written in a document."""
        mine = [m for m in migrations if name in self.manifest.by_id[m].sets]
        for migration in mine[:-1]:
            try:
                prefix = migrations[: migrations.index(migration) + 1]
                self.transform_together(sources, prefix, key)
            except ConfmigError:
                return migration
        return mine[-1]

    def _finished(
        self, before: int, steps: list[Step], document: Document, data: bytes
    ) -> Transformed:
        after = steps[-1].after if steps else before
        rendered = formats.render(document) if document.changes else None
        if rendered is not None and rendered.data == data:
            rendered = None
        return Transformed(before, after, tuple(steps), document, rendered)

    def context(
        self, documents: Mapping[str, Document], sources: Mapping[str, bytes], key: bytes = b""
    ) -> Context:
        """What operations may ask of the world on the documents made from ``sources``, by
        configuration."""
        names = {id(document): name for name, document in documents.items()}

        def custom(name: str, target: Document, item: Item | None) -> None:
            config = names[id(target)]
            contract = handlers.HandlerContract(
                config,
                lambda v: self.schemas.raw(config, v),
                key,
                sources[config],
                {**self.manifest.parameters, **self.parameters},
            )
            handlers.run(name, self.code(name), target, contract, item)

        return Context(
            custom=custom,
            substitute=regex.substitute,
            search=regex.search,
            groups=regex.groups,
        )

    def has_handler(self, migration: str) -> bool:
        """Whether a migration runs Python code of the bundle."""
        program = self.programs[migration]
        return program.handler is not None or any(o.kind == "custom" for o in program.operations)

    def source(self, migration: str) -> bytes:
        """The file of a migration."""
        file = file_of(migration, self.files)
        return self.files.migrations[file] if file is not None else b""

    def code(self, name: str) -> bytes:
        """The source of a handler, as it was when the bundle was read and summed."""
        return (
            self.files.handlers[name]
            if name in self.files.handlers
            else self.files.migrations[name]
        )


def _obeyed(root: Path) -> Iterator[Path]:
    """The directories and files of a bundle that are obeyed; fixtures and samples are not."""
    yield root
    yield root / "manifest.json"
    yield root / "manifest.sum"
    folder = root / "migrations"
    for part in (folder, folder / "handlers", folder / "schemas"):
        yield part
        if part.is_dir():
            every = part.rglob("*") if part.name == "schemas" else part.iterdir()
            yield from sorted(p for p in every if p.name not in ("fixtures", "__pycache__"))


def read_files(root: Path) -> Files:
    """Read a bundle's files. Raises ``Invalid`` if the directory cannot be read."""
    folder = root / "migrations"
    try:
        return Files(
            manifest=_maybe(root / "manifest.json"),
            sums=_maybe(root / "manifest.sum"),
            migrations={p.name: read_plain(p) for p in _files_in(folder)},
            handlers={f"handlers/{p.name}": read_plain(p) for p in _files_in(folder / "handlers")},
            schemas=frozenset(
                str(p.relative_to(folder / "schemas")) for p in (folder / "schemas").rglob("*.json")
            ),
            fixtures={
                d.name: tuple(sorted(f.name for f in _files_in(d)))
                for d in sorted((folder / "fixtures").glob("*/"))
            },
        )
    except OSError as error:
        raise Invalid(
            "manifest_unreadable",
            "the bundle cannot be read",
            [
                Problem(
                    "manifest_unreadable",
                    str(error.filename or root),
                    str(error.strerror),
                    "put a plain file there that this user may read",
                )
            ],
        ) from None


def _contract(root: Path) -> bytes | None:
    try:
        return _maybe(root / contracts.PLACE)
    except OSError as error:
        place, what = contracts.PLACE, str(error.strerror)
        problem = Problem("contract_invalid", place, what, "put a plain file there")
        raise Invalid("manifest_invalid", "the contract cannot be read", [problem]) from None


def _maybe(path: Path) -> bytes | None:
    try:
        return read_plain(path)
    except FileNotFoundError:
        return None


def _files_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))


def load(
    root: Path,
    caps: Caps = DEFAULT_CAPS,
    parameters: Mapping[str, str] | None = None,
    *,
    shared: bool = False,
) -> Bundle:
    """Read and validate a bundle. ``parameters`` are the operator's values for those it declares.
    ``shared``: its files may be of any owner (a command on a checkout), if not everybody can write
    them. Raises ``Invalid`` with every problem, ``bundle_untrusted`` before anything is read."""
    (trust.check_shared if shared else trust.check)("bundle_untrusted", "bundle", _obeyed(root))
    files = read_files(root)
    contract, problems = contracts.read(_contract(root))
    manifest, found = validation.read(files, contract)
    problems += found
    programs, found = _programs(files, manifest)
    problems += found
    schemas = Schemas(root / "migrations" / "schemas", contract)
    problems += schemas.problems()
    problems += _stamps(manifest)
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
            "manifest_invalid", f"the bundle {root.name} has {len(problems)} problem(s)", problems
        )
    return Bundle(root, manifest, contract, files, programs, schemas, caps, dict(parameters or {}))


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
            message = f"the Python module {name!r} is missing, which {migration.id} needs"
            out.append(Problem("handler_module_missing", place, message, fix))
    return out


def _stamps(manifest: Manifest | None) -> list[Problem]:
    """A stamp that no document of its format can have would silently always be absent."""
    out = []
    for config in manifest.configs.values() if manifest is not None else ():
        if config.stamp is None:
            continue
        try:
            Addresses({config.name: config.format}).local(config.stamp.path)
        except (ValueError, Refused) as error:
            place = f"manifest.json: configs.{config.name}.version.path"
            fix = "write the path of the stamp as it stands in the files"
            out.append(Problem("manifest_field_invalid", place, str(error), fix))
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
            data = data_of(formats.parse(content, format="yaml"))
        except Refused as error:
            problems.append(Problem("migration_file_invalid", place, error.message, error.fix))
            continue
        known = manifest.configs if manifest is not None else {}
        sets = {name: known[name].format for name in (migration.sets if migration else ())}
        others = tuple(name for name in known if name not in sets) if sets else ()
        operations, found = load_operations(data if data is not None else [], place, sets, others)
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
