"""What a mode of a target must do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from confmig.adapters.files.port import FileSystem
from confmig.core.planning.segments import Segment
from confmig.settings import Settings, Target
from confmig.transactions.migrate import Job, Outcome


class Mode(Protocol):
    """A mode: where the documents of a target are read, and how they get new bytes."""

    def look(self, settings: Settings, target: Target) -> AbstractContextManager[FileSystem]:
        """Open a target to look at it only, without a lock. Raises ``Refused``."""

    def open(
        self,
        settings: Settings,
        target: Target,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> AbstractContextManager[FileSystem]:
        """Open a target to change it; another confmig is kept out until it is closed.

        Raises ``Refused`` and ``LockHeld``. ``say`` gets a line for a person.
        """

    def apply(
        self,
        job: Job,
        segment: Segment,
        digests: Mapping[str, str],
        approvals: tuple[str, ...],
        late: Callable[[str], bool],
        sources: Mapping[str, bytes] | None = None,
    ) -> Outcome:
        """Run a segment to its end; see ``transactions.migrate.apply``."""
