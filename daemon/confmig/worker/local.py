"""A worker in the same process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from confmig.adapters.workers.records import Checked
from confmig.documents import formats
from confmig.documents.model.document import Caps
from confmig.documents.model.line_numbers import line_numbers
from confmig.documents.model.values import plain
from confmig.worker.bundle import LoadedBundle


class LocalWorker:
    """See ``adapters.workers.protocol.Worker``. ``remember``: see ``LoadedBundle``."""

    def __init__(self, remember: int = 0) -> None:
        self._remember = remember

    def load(
        self,
        root: Path,
        caps: Caps | None = None,
        parameters: Mapping[str, str] | None = None,
        *,
        shared: bool = False,
    ) -> LoadedBundle:
        """Read and validate a bundle."""
        from confmig.worker import loading  # heavy, and a settings file needs none of it

        loaded = loading.load(root, caps or Caps(), parameters, shared=shared)
        return replace(loaded, remember=self._remember)

    def check(self, data: bytes) -> Checked:
        """The plain data of a settings file or a policy."""
        document = formats.parse(data, format="yaml")
        return Checked(plain(document.root), line_numbers(document))
