"""Place the later edits of migrated files in the images before their migrations.

The copied ranges and the changes are computed again from the old image; they are not stored. Files
that were migrated as one are merged as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from confmig.adapters.files.content import digest_of
from confmig.adapters.workers.records import Merged, MergePart
from confmig.core.bundle.manifest import Config, Manifest
from confmig.documents.model.document import Document
from confmig.documents.model.values import plain, same_value
from confmig.documents.rebase.documents import rebase
from confmig.documents.rebase.values import Forwarded
from confmig.documents.text.pieces import Segment
from confmig.errors import Refused
from confmig.worker.schemas import Schemas


class Result(Protocol):
    """A document after a chain; see ``bundle.Run``."""

    @property
    def document(self) -> Document: ...

    @property
    def segments(self) -> Sequence[Segment]: ...

    def image(self, source: bytes) -> bytes: ...


class Runner(Protocol):
    """The part of a bundle that merging needs; see ``bundle.LoadedBundle``."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def schemas(self) -> Schemas: ...

    def parse(self, config: Config, data: bytes) -> Document: ...

    def run(
        self, sources: Mapping[str, bytes], migrations: Sequence[str], key: bytes
    ) -> Mapping[str, Result]: ...


def merge(
    bundle: Runner,
    parts: Sequence[MergePart],
    companions: Mapping[str, bytes],
    migrations: Sequence[str],
    key: bytes,
    *,
    exact: bool,
) -> list[Merged]:
    """See ``adapters.workers.protocol.Bundle.merge``."""
    return _Merge(bundle, parts, companions, migrations, key).results(exact=exact)


class _Merge:
    """One merge; ``placed`` has, for each configuration, the image before its migrations.

    Edits are in it as far as they are placed by now.
    """

    def __init__(
        self,
        bundle: Runner,
        parts: Sequence[MergePart],
        companions: Mapping[str, bytes],
        migrations: Sequence[str],
        key: bytes,
    ) -> None:
        self.bundle = bundle
        self.parts = parts
        self.migrations = list(migrations)
        self.key = key
        self.placed = {**companions, **{part.config: part.old for part in parts}}

    def results(self, *, exact: bool) -> list[Merged]:
        """The result for each file."""
        out = []
        again = self._forward({})
        for part in self.parts:
            result = again[part.config]
            left = result.image(part.old)
            if left == part.current:
                out.append(Merged(part.path, part.old, True))
                continue
            if exact and digest_of(left) != part.left:
                raise Refused(
                    "chain_differs",
                    "its migrations do not give again what they left then",
                    place=part.path,
                )
            try:
                data = self._rebased(part, left, result.segments)
            except Refused as error:
                error.in_file(part.path)
                raise
            self.placed[part.config] = data
            out.append(Merged(part.path, data, False))
        if len(self.parts) > 1:
            self._check()
        return out

    def _rebased(self, part: MergePart, left: bytes, segments: Sequence[Segment]) -> bytes:
        config = self.bundle.manifest.configs[part.config]

        def parse(data: bytes) -> Document:
            return self.bundle.parse(config, data)

        def forward(data: bytes) -> Forwarded:
            result = self._forward({part.config: data})[part.config]
            return Forwarded(result.document, parse(result.image(data)))

        data = rebase(part.old, left, part.current, segments, parse, forward)
        if part.version is not None:
            self._fits(config, part.version, part.old, data)
        return data

    def _forward(self, instead: Mapping[str, bytes]) -> Mapping[str, Result]:
        return self.bundle.run({**self.placed, **instead}, self.migrations, self.key)

    def _check(self) -> None:
        """Each file was tried with the others as they were then: try them as they will be."""
        again = self._forward({})
        for part in self.parts:
            config = self.bundle.manifest.configs[part.config]
            data = again[part.config].image(self.placed[part.config])
            have, want = (self.bundle.parse(config, d).root for d in (data, part.current))
            if not same_value(plain(have), plain(want)):
                raise Refused(
                    "rollback_conflict",
                    "edits of several files that were migrated as one depend on each other",
                    place=part.path,
                )

    def _fits(self, config: Config, version: int, old: bytes, data: bytes) -> None:
        """Raises ``Refused`` if the result breaks the schema where the old image did not."""
        errors = self.bundle.schemas.errors
        found = [
            {(e.place, e.what) for e in errors(config.name, version, document) or ()}
            for document in (self.bundle.parse(config, data), self.bundle.parse(config, old))
        ]
        new = sorted(what for _, what in found[0] - found[1])
        if new:
            raise Refused(
                "rollback_conflict",
                f"with the later edits it does not fit the schema of version {version}: "
                + ", ".join(new[:5]),
            )
