"""What is known of the documents of a target: an observation. Pure.

Facts are per document: a document says its version by its own stamp, so one that arrives late or
comes back from an old backup is migrated like the others. An observation holds a fact only of those
documents that something may have to be done about; the others are a digest and counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from confmig.codes import help_for
from confmig.core.bundle.manifest import Manifest, Migration
from confmig.writer import located

UNREADABLE = "unreadable"
UNSTAMPED = "unstamped"


@dataclass(frozen=True, slots=True)
class DocumentFact:
    """One document as it is now.

    ``version`` is None if it cannot be read, or carries no stamp: then ``due`` are the
    migrations (ids, in order) that would change something in it. ``problem`` is a code,
    ``message`` says more (never a value) and ``fix`` what to do; ``line`` is where the problem
    is, 0 where that is not known. ``empty``: the file holds nothing.
    """

    config: str
    path: str
    version: int | None
    digest: str
    problem: str | None = None
    message: str = ""
    due: tuple[str, ...] | None = None
    fix: str = ""
    empty: bool = False
    line: int = 0

    @property
    def place(self) -> str:
        """Its path, with the line of its problem."""
        return located(self.path, self.line)

    @property
    def healthy(self) -> bool:
        """Whether it can be migrated, or need not be."""
        return (self.version is not None or self.due is not None) and self.problem is None

    @property
    def state(self) -> str:
        """Its version as text, or ``unstamped`` or ``unreadable``."""
        if self.version is not None:
            return str(self.version)
        return UNREADABLE if self.due is None else UNSTAMPED

    def has(self, migration: Migration) -> bool:
        """Whether the document is past the migration, or never needs it."""
        if self.due is not None:
            return migration.id not in self.due
        return self.version is not None and self.version >= migration.sets[self.config]

    def failing(self, problem: str, message: str, fix: str = "") -> DocumentFact:
        """The same document, held by a problem."""
        return replace(self, problem=problem, message=message, fix=fix or help_for(problem))


@dataclass(frozen=True, slots=True)
class Observation:
    """The documents of a target at one moment.

    ``directories``: for each directory the digest of its documents' names and contents. ``counts``:
    how many documents each configuration has in each state (see ``DocumentFact.state``). ``facts``:
    the documents that are pending, unhealthy or not as recorded, and those of configurations that a
    migration binds to others; in order of their paths. A report asks for the facts of all.
    """

    directories: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    facts: tuple[DocumentFact, ...] = ()

    @property
    def digest(self) -> str:
        """Names all documents and their contents."""
        text = "\n".join(f"{name}\0{digest}" for name, digest in sorted(self.directories.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def total(self) -> int:
        """How many documents there are."""
        return sum(self.counts.values())

    def of(self, configs: Mapping[str, int]) -> int:
        """How many documents some configurations have."""
        return sum(n for (config, _), n in self.counts.items() if config in configs)

    def any_past(self, migration: Migration) -> bool:
        """Whether some document is past a migration."""
        due = 0
        for fact in self.facts:
            if fact.config in migration.sets and fact.due is not None:
                due += migration.id in fact.due
        for (config, state), count in self.counts.items():
            if config not in migration.sets:
                continue
            if state == UNSTAMPED and count > due:
                return True
            if state.isdecimal() and int(state) >= migration.sets[config]:
                return True
        return False


class Observer:
    """Makes an observation of documents that are reported in the order of their paths."""

    def __init__(self, manifest: Manifest, *, everything: bool = False) -> None:
        self._manifest = manifest
        self._everything = everything
        self._bound = {c for m in manifest.migrations if m.joint for c in m.sets}
        self._newest = {name: manifest.newest(name) for name in manifest.configs}
        self._hashes: dict[str, hashlib._Hash] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._facts: list[DocumentFact] = []

    def add(self, fact: DocumentFact, *, changed: bool) -> None:
        """Take a document. ``changed``: it is not as it was recorded."""
        folder, _, name = fact.path.rpartition("/")
        found = self._hashes.get(folder)
        if found is None:
            found = self._hashes[folder] = hashlib.sha256()
        found.update(f"{name}\0{fact.digest}\n".encode("utf-8", "surrogatepass"))
        key = (fact.config, fact.state)
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._everything or changed or self._matters(fact):
            self._facts.append(fact)

    def _matters(self, fact: DocumentFact) -> bool:
        if not fact.healthy or fact.config in self._bound:
            return True
        if fact.due is not None:
            return bool(fact.due)
        return fact.version is not None and fact.version < self._newest.get(fact.config, 0)

    def result(self) -> Observation:
        """The observation of what was added."""
        directories = {folder: found.hexdigest() for folder, found in self._hashes.items()}
        return Observation(directories, self._counts, tuple(self._facts))


def observation(manifest: Manifest, documents: Sequence[DocumentFact]) -> Observation:
    """The observation of some documents, with the facts of all of them."""
    observer = Observer(manifest, everything=True)
    for document in sorted(documents, key=lambda d: d.path):
        observer.add(document, changed=False)
    return observer.result()


def placed(manifest: Manifest, document: DocumentFact) -> DocumentFact:
    """The document with a problem if its version lies outside the bundle's chain.

    Newer than the bundle: it is not changed, only reported. Older than its first step: no
    migration leads from there.
    """
    if document.version is None or document.problem is not None:
        return document
    first, last = manifest.floor(document.config), manifest.newest(document.config)
    if last == 0:
        return document
    if document.version > last:
        message = f"version {document.version} is newer than the bundle's {last}"
        return document.failing("document_newer", message)
    if document.version < first:
        return document.failing("document_below_floor", *below_floor(document.version, first))
    return document


def below_floor(version: int, floor: int) -> tuple[str, str]:
    """What to say of a version that the bundle cannot migrate any more, and what to do."""
    return (
        f"version {version} is below {floor}, the lowest that this bundle can migrate",
        f"first run the last release of the bundle that still has the migrations up to {floor}",
    )
