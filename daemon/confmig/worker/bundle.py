"""A loaded bundle, ready to answer: it parses, transforms and validates documents in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from confmig.adapters.workers.records import (
    HalfDone,
    LostComment,
    Merged,
    MergePart,
    Stamp,
    Step,
    Transformed,
    Versions,
)
from confmig.core.bundle.checksums import file_of
from confmig.core.bundle.contract import Contract
from confmig.core.bundle.manifest import Config, Files, Manifest
from confmig.documents import chain, formats
from confmig.documents.chain import Program, run_set, version_of
from confmig.documents.formats import Rendered
from confmig.documents.model.dialects import dialect_of
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.emptied import emptied, holds_nothing
from confmig.documents.model.line_numbers import line_of_entry
from confmig.documents.model.tree import Mapping as Item
from confmig.documents.operations import Context
from confmig.documents.text.pieces import Segment
from confmig.errors import ConfmigError, Refused
from confmig.worker import handlers, regex
from confmig.worker.schemas import Schemas


@dataclass(frozen=True, slots=True)
class Run:
    """One document after a chain, still as a tree. ``rendered`` is None if not a byte changes."""

    before: int
    after: int
    steps: tuple[chain.Step, ...]
    document: Document
    rendered: Rendered | None

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Which characters of the source are where in the result."""
        return self.rendered.segments if self.rendered is not None else ()

    def image(self, source: bytes) -> bytes:
        """The image after the chain; ``source`` is the one before it."""
        return source if self.rendered is None else self.rendered.data

    def record(self) -> Transformed:
        """The answer to whoever asked for it."""
        text = self.document.text
        spans = self.rendered.lost_comments if self.rendered is not None else ()
        return Transformed(
            self.before,
            self.after,
            tuple(Step(s.migration.id, s.before, s.after, s.changes, s.notes) for s in self.steps),
            self.rendered.data if self.rendered is not None else None,
            tuple(LostComment(text.count("\n", 0, a) + 1, text[a:b]) for a, b in spans),
        )


@dataclass(frozen=True, slots=True)
class LoadedBundle:
    """See ``adapters.workers.protocol.Bundle``.

    ``remember`` is a limit in bytes: ``stamp`` keeps the trees of texts up to it, so that the next
    ``transform`` of the same bytes need not parse them again. Each ``run`` forgets them.
    """

    root: Path
    manifest: Manifest
    contract: Contract
    files: Files
    programs: dict[str, Program]
    schemas: Schemas
    caps: Caps
    parameters: Mapping[str, str]
    remember: int = 0
    _versions: dict[tuple[str, str], int] = field(default_factory=dict)
    _trees: dict[tuple[str, bytes], Document] = field(default_factory=dict)

    # --- the requests

    def with_files(self, files: Mapping[str, tuple[str, ...]]) -> LoadedBundle:
        """The same bundle, whose configurations are only the named files."""
        configs = {
            name: replace(config, files=files.get(name, ()))
            for name, config in self.manifest.configs.items()
        }
        manifest = replace(self.manifest, configs=configs)
        return replace(self, manifest=manifest, _versions={}, _trees={})  # the dialect may differ

    def has_handler(self, migration: str) -> bool:
        """Whether a migration runs Python code of the bundle."""
        program = self.programs[migration]
        return program.handler is not None or any(o.kind == "custom" for o in program.operations)

    def stamp(self, config: str, data: bytes, digest: str) -> Stamp:
        """What a document says of itself.

        A pass asks about the same contents several times: the version in a content (by its hash) is
        remembered. Without a stamp the chain runs each time.
        """
        known = self.manifest.configs[config]
        empty = holds_nothing(data.decode("utf-8", "replace"), known.format)
        if known.stamp is None:
            return Stamp(None, self._due(known, data), empty)
        key = (config, digest)
        if key not in self._versions:
            if empty and known.stamp.empty is None:
                raise emptied()
            document = self.parse(known, data)
            self._versions[key] = _version(document, known)
            self._keep(config, data, document)
        return Stamp(self._versions[key], None, empty)

    def transform(
        self, sources: Mapping[str, bytes], migrations: Sequence[str], key: bytes = b""
    ) -> dict[str, Transformed]:
        """Take documents through migrations."""
        return {name: r.record() for name, r in self.run(sources, migrations, key).items()}

    def merge(
        self,
        parts: Sequence[MergePart],
        companions: Mapping[str, bytes],
        migrations: Sequence[str],
        key: bytes = b"",
        *,
        exact: bool,
    ) -> list[Merged]:
        """Place the later edits of files in their old images."""
        from confmig.worker import merge  # here, because it is slow to import and rarely needed

        return merge.merge(self, parts, companions, migrations, key, exact=exact)

    def report(self, files: Sequence[Versions]) -> list[list[str]]:
        """The masked diffs between successive texts of files."""
        from confmig.worker import masking

        return masking.diffs(self, files)

    def lost(self, files: Sequence[HalfDone]) -> tuple[str, ...]:
        """The places of values that would be in no file."""
        from confmig.worker import lost

        return lost.lost_values(self, files)

    # --- for this package, with trees

    def parse(self, config: Config, data: bytes) -> Document:
        """A document of one of the bundle's configurations."""
        return formats.parse(
            data,
            format=config.format,
            dialect=self.contract.of(config.name).dialect,
            caps=self.caps,
            multi=config.multi_document,
            lines=dialect_of(config.files, config.lines),
        )

    def run(
        self, sources: Mapping[str, bytes], migrations: Iterable[str], key: bytes = b""
    ) -> dict[str, Run]:
        """``transform``, with the trees."""
        migrations = list(migrations)
        configs = {name: self.manifest.configs[name] for name in sources}
        documents = {
            name: self._remembered(name, data) or self.parse(configs[name], data)
            for name, data in sources.items()
        }
        self._trees.clear()
        before = {name: _version(documents[name], configs[name]) for name in sources}
        try:
            steps = run_set(
                documents,
                configs.values(),
                [self.programs[m] for m in migrations],
                self.context(documents, sources, key),
                self.schemas.errors,
            )
        except ConfmigError as error:
            self._find_line(error, sources)
            raise
        out = {}
        for name, data in sources.items():
            try:
                out[name] = _finished(before[name], steps[name], documents[name], data)
            except ConfmigError as error:
                error.migration = self._blamed(sources, name, migrations, key)
                error.documents = (name,)
                if len(sources) > 1:
                    error.place = f"{name}:{error.place}"
                raise
        return out

    def source(self, migration: str) -> bytes:
        """The file of a migration."""
        file = file_of(migration, self.files)
        return self.files.migrations[file] if file is not None else b""

    def context(
        self, documents: Mapping[str, Document], sources: Mapping[str, bytes], key: bytes = b""
    ) -> Context:
        """What operations may ask of the world on the documents made from ``sources``.

        Both are by configuration.
        """
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
            handlers.run(name, self._code(name), target, contract, item)

        return Context(
            custom=custom,
            substitute=regex.substitute,
            search=regex.search,
            groups=regex.groups,
        )

    def _due(self, config: Config, data: bytes) -> tuple[str, ...]:
        """The migrations (ids, in order) that would change something in a document without a stamp.

        The whole chain runs, in memory.

        Raises ``Refused``: ``not_idempotent`` if a second run would change something again, because
        without a stamp nothing records that the first run took place.
        """
        steps = self.manifest.chain(config.name)
        if any(m.joint for m in steps):
            raise Refused(
                "unstamped_together",
                f"{config.name} carries no stamp, and a migration changes it with others",
                fix="give the configuration a version stamp",
            )
        ids = [m.id for m in steps]
        result = self.run({config.name: data}, ids)[config.name]
        if result.rendered is None:
            return ()
        again = self.run({config.name: result.rendered.data}, ids)[config.name]
        if again.rendered is not None:
            names = ", ".join(s.migration.id for s in again.steps if s.changes)
            raise Refused(
                "not_idempotent",
                f"{names} would change its own result, and the files carry no stamp",
                fix="write it so that a second run changes nothing",
            )
        return tuple(s.migration.id for s in result.steps if s.changes)

    def _remembered(self, config: str, data: bytes) -> Document | None:
        """The tree of the bytes, if it was kept, for the caller to change."""
        return self._trees.pop((config, data), None)

    def _keep(self, config: str, data: bytes, document: Document) -> None:
        if sum(len(d) for _, d in self._trees) + len(data) <= self.remember:
            self._trees[config, data] = document

    def _blamed(
        self, sources: Mapping[str, bytes], name: str, migrations: list[str], key: bytes
    ) -> str:
        """The first migration whose result cannot be written in a document."""
        mine = [m for m in migrations if name in self.manifest.by_id[m].sets]
        for migration in mine[:-1]:
            try:
                self.run(sources, migrations[: migrations.index(migration) + 1], key)
            except ConfmigError:
                return migration
        return mine[-1]

    def _find_line(self, error: ConfmigError, sources: Mapping[str, bytes]) -> None:
        """The line of the entry that an error is about, if the source has that entry."""
        for name in error.documents:
            place = error.place.removeprefix(f"{name}:") if len(sources) > 1 else error.place
            of_another = len(sources) > 1 and place == error.place
            if error.line or not place or of_another:
                continue
            document = self.parse(self.manifest.configs[name], sources[name])
            error.line = line_of_entry(document, place)

    def _code(self, name: str) -> bytes:
        """The source of a handler, as it was when the bundle was read and summed."""
        handlers_ = self.files.handlers
        return handlers_[name] if name in handlers_ else self.files.migrations[name]


def _version(document: Document, config: Config) -> int:
    """The version that a document just parsed says. Raises ``Refused`` with its line."""
    try:
        return version_of(document, config)
    except ConfmigError as error:
        error.line = line_of_entry(document, error.place)
        raise


def _finished(before: int, steps: list[chain.Step], document: Document, data: bytes) -> Run:
    after = steps[-1].after if steps else before
    rendered = formats.render(document) if document.changes else None
    if rendered is not None and rendered.data == data:
        rendered = None
    return Run(before, after, tuple(steps), document, rendered)
