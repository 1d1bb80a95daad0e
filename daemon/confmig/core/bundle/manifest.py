"""The manifest: what a bundle's configurations and migrations are.

A ``Manifest`` is made by ``validation.read``, and only from a bundle without any problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Class = Literal["online", "post_deploy", "manual_backfill"]
CLASSES: tuple[str, ...] = get_args(Class)
Format = Literal["yaml", "json", "jsonc", "json5", "toml", "ini", "properties", "dotenv"]
MIGRATION_ID = re.compile(r"[0-9]{4}_[a-z0-9_]+\Z")


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where a document keeps its schema version.

    ``absent`` is the version of a document without one, ``empty`` that of a new file without
    content (None: such a file is held).
    """

    path: str
    absent: int | None
    empty: int | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """One kind of configuration file of a service.

    ``stamp`` is None where the files carry no version; ``multi_document`` where a file is a
    stream of YAML documents, the tree their list. ``lines`` is what it says of INI and
    .properties files (``documents.model.dialects``). ``samples`` are patterns of example files
    in the bundle, for its dry run.
    """

    name: str
    files: tuple[str, ...]
    format: str
    stamp: Stamp | None
    multi_document: bool = False
    lines: Mapping[str, Any] = field(default_factory=dict, hash=False)
    samples: tuple[str, ...] = ()

    @property
    def encoding(self) -> str:
        """How the bytes of its files are text: UTF-8 unless it says otherwise."""
        return str(self.lines.get("encoding", "utf-8"))


@dataclass(frozen=True, slots=True)
class Migration:
    """One entry of the manifest.

    ``sets`` has the version that a document of each configuration has after it; ``checksum``
    covers its file and the handlers it names; ``requires`` has the Python modules that its
    handlers import, each with what pip installs.
    """

    id: str
    order: int
    kind: str
    sets: Mapping[str, int] = field(hash=False)
    depends_on: tuple[str, ...]
    description: str
    impact: str
    checksum: str
    requires: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def joint(self) -> bool:
        """Whether it changes documents of several configurations as one."""
        return len(self.sets) > 1


@dataclass(frozen=True, slots=True)
class Retired:
    """The migrations that left the bundle: all up to the order ``through``.

    ``versions`` is the version of each configuration after them, the lowest that the bundle can
    migrate; ``sum`` is the running digest of the last of them.
    """

    through: int
    versions: Mapping[str, int] = field(hash=False)
    sum: str

    def has(self, migration_id: str) -> bool:
        """Whether an id is that of a retired migration (its number is its order)."""
        return bool(MIGRATION_ID.match(migration_id)) and int(migration_id[:4]) <= self.through


@dataclass(frozen=True, slots=True)
class Manifest:
    """A valid manifest.

    ``migrations`` are in order; ``digest`` names the exact bundle; ``parameters`` are what
    operators may set for handlers, with their defaults.
    """

    bundle: str
    configs: Mapping[str, Config]
    migrations: tuple[Migration, ...]
    digest: str
    by_id: Mapping[str, Migration] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    retired: Retired | None = None

    def newest(self, config: str) -> int:
        """The version that the last migration of a configuration makes; the floor without one."""
        chain = self.chain(config)
        return chain[-1].sets[config] if chain else self.floor(config)

    def floor(self, config: str) -> int:
        """The lowest version of a configuration that the bundle can migrate."""
        if self.retired is not None and config in self.retired.versions:
            return self.retired.versions[config]
        chain = self.chain(config)
        return chain[0].sets[config] - 1 if chain else 0

    def chain(self, config: str) -> tuple[Migration, ...]:
        """The migrations of one configuration in order."""
        return tuple(m for m in self.migrations if config in m.sets)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a bundle, already read: paths relative to it -> content."""

    manifest: bytes | None
    sums: bytes | None
    migrations: Mapping[str, bytes]
    handlers: Mapping[str, bytes]
    schemas: frozenset[str]
    fixtures: Mapping[str, tuple[str, ...]]
