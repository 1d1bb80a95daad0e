"""A bundle and a worker in memory: documents are lines ``key=text``; a migration adds one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from confmig.adapters.workers.records import (
    Checked,
    HalfDone,
    Merged,
    MergePart,
    Stamp,
    Step,
    Transformed,
    Versions,
)
from confmig.core.bundle.contract import Contract
from confmig.core.bundle.manifest import Files, Manifest
from confmig.documents.model.document import Caps
from confmig.errors import Refused


def document(version: int, **lines: str) -> bytes:
    """A document at a version."""
    return "".join(f"{k}={v}\n" for k, v in {"v": str(version), **lines}.items()).encode()


def version_of(data: bytes) -> int:
    """Its stamp. Raises ``Refused``."""
    first = data.decode().split("\n")[0]
    if not first.startswith("v="):
        raise Refused("version_missing", "there is no v", place="v")
    return int(first.removeprefix("v="))


@dataclass(frozen=True)
class MemoryBundle:
    """See ``adapters.workers.protocol.Bundle``.

    ``broken``: migrations that refuse every document whose text has the word ``bad``.
    """

    manifest: Manifest
    broken: frozenset[str] = frozenset()
    transformed: list[str] = field(default_factory=list)
    root: Path = Path("bundle")
    contract: Contract = field(default_factory=Contract)
    files: Files = field(default_factory=lambda: Files(b"", b"", {}, {}, frozenset(), {}))
    caps: Caps = field(default_factory=Caps)

    def with_files(self, files: Mapping[str, tuple[str, ...]]) -> MemoryBundle:
        return replace(self, manifest=self.manifest)

    def has_handler(self, migration: str) -> bool:
        return False

    def stamp(self, config: str, data: bytes, digest: str) -> Stamp:
        return Stamp(version_of(data))

    def transform(
        self, sources: Mapping[str, bytes], migrations: Sequence[str], key: bytes = b""
    ) -> dict[str, Transformed]:
        out = {}
        for config, data in sources.items():
            self.transformed.append(config)
            before = version = version_of(data)
            steps, text = [], data.decode()
            for name in migrations:
                sets = self.manifest.by_id[name].sets
                if config not in sets or sets[config] <= version:
                    continue
                if name in self.broken and "bad" in text:
                    error = Refused("manual_decision", "it is bad", place="bad")
                    error.migration, error.documents = name, (config,)
                    raise error
                steps.append(Step(name, version, sets[config], ()))
                version = sets[config]
                text = f"v={version}\n" + text.split("\n", 1)[1] + f"{name}=1\n"
            made = text.encode()
            out[config] = Transformed(before, version, tuple(steps), made if steps else None)
        return out

    def merge(
        self,
        parts: Sequence[MergePart],
        companions: Mapping[str, bytes],
        migrations: Sequence[str],
        key: bytes = b"",
        *,
        exact: bool,
    ) -> list[Merged]:
        raise Refused("rollback_conflict", "edited", place=parts[0].path)

    def report(self, files: Sequence[Versions]) -> list[list[str]]:
        return [["diff"] * (len(f.texts) - 1) for f in files]

    def lost(self, files: Sequence[HalfDone]) -> tuple[str, ...]:
        return ()


@dataclass
class MemoryWorker:
    """See ``adapters.workers.protocol.Worker``; ``bundle`` may be an error to raise."""

    bundle: MemoryBundle | Exception

    def load(
        self,
        root: Path,
        caps: Caps | None = None,
        parameters: Mapping[str, str] | None = None,
        *,
        shared: bool = False,
    ) -> MemoryBundle:
        if isinstance(self.bundle, Exception):
            raise self.bundle
        return self.bundle

    def check(self, data: bytes) -> Checked:
        raise AssertionError("there is no policy")
