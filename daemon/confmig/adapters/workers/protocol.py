"""The requests that a worker answers.

Foreign bytes (bundles, policies, settings, documents) are parsed, validated and transformed by a
worker only. Today a worker is the same process (``worker.local``); the requests are such that it
can be another one: whoever asks holds bytes, hashes and plain values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from confmig.adapters.workers.records import (
    Checked,
    HalfDone,
    Merged,
    MergePart,
    Stamp,
    Transformed,
    Versions,
)
from confmig.core.bundle.contract import Contract
from confmig.core.bundle.manifest import Files, Manifest
from confmig.documents.model.document import Caps


class Bundle(Protocol):
    """A loaded bundle: what it says, and requests about documents of its configurations.

    Every request raises ``Refused`` or ``Fault`` with migration, place and reason; a worker writes
    nothing, anywhere.
    """

    @property
    def root(self) -> Path:
        """Where it was read."""

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""

    @property
    def contract(self) -> Contract:
        """Its contract."""

    @property
    def files(self) -> Files:
        """Its files, as they were when it was loaded and summed."""

    @property
    def caps(self) -> Caps:
        """The caps on documents."""

    def with_files(self, files: Mapping[str, tuple[str, ...]]) -> Bundle:
        """The same bundle, whose configurations are only the named files (their paths)."""

    def has_handler(self, migration: str) -> bool:
        """Whether a migration runs Python code of the bundle."""

    def stamp(self, config: str, data: bytes, digest: str) -> Stamp:
        """What a document says of itself; ``digest`` is its hash.

        For a configuration without a stamp its whole chain runs, in memory.
        """

    def transform(
        self, sources: Mapping[str, bytes], migrations: Sequence[str], key: bytes = b""
    ) -> dict[str, Transformed]:
        """Take one document of each named configuration through migrations (ids, in order).

        Migrations that set several of them change their documents together. ``key`` makes
        derived bytes of handlers unpredictable.
        """

    def merge(
        self,
        parts: Sequence[MergePart],
        companions: Mapping[str, bytes],
        migrations: Sequence[str],
        key: bytes = b"",
        *,
        exact: bool,
    ) -> list[Merged]:
        """Place the later edits of files, which were migrated as one, in their old images.

        ``companions``: the old images of files that were migrated with them and are old
        already. ``exact``: the migrations must leave again what ``left`` says.

        Raises ``Refused``: ``rollback_conflict`` for an edit without a place in the old image,
        ``chain_differs`` if the migrations leave something else today.
        """

    def report(self, files: Sequence[Versions]) -> list[list[str]]:
        """The unified diffs between the successive texts of each file, with secrets masked.

        What is a secret in one text is masked in all.
        """

    def lost(self, files: Sequence[HalfDone]) -> tuple[str, ...]:
        """The places of values that no file has if the files of a conflict stay as they are.

        They are shown to people.
        """


class Worker(Protocol):
    """Parses what people and services write."""

    def load(
        self,
        root: Path,
        caps: Caps | None = None,
        parameters: Mapping[str, str] | None = None,
        *,
        shared: bool = False,
    ) -> Bundle:
        """Read and validate a bundle.

        ``parameters`` are the operator's values for those it declares. ``shared``: its
        files may be of any owner (a command on a checkout), as long as they are not
        writable by everybody. Raises ``Invalid`` with every problem, ``bundle_untrusted``
        before anything is read.
        """

    def check(self, data: bytes) -> Checked:
        """The plain data of a settings file or a policy. Raises ``Refused`` if it is not YAML."""
