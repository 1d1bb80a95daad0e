"""Mode ``in_place``: the files that the service reads are exchanged where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from confmig.adapters.files.disk import Disk
from confmig.adapters.files.port import FileSystem
from confmig.adapters.state.lock import RootLock
from confmig.core.planning.segments import Segment
from confmig.settings import Settings, Target
from confmig.transactions import migrate
from confmig.transactions.migrate import Job, Outcome


class InPlace:
    """See ``mode.Mode``."""

    def look(self, settings: Settings, target: Target) -> Disk:
        """Open the root."""
        return Disk(
            str(target.root), size_cap=settings.limits.size, options=target.exchange_options()
        )

    @contextmanager
    def open(
        self,
        settings: Settings,
        target: Target,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> Iterator[FileSystem]:
        """Open the root and lock it."""
        options = replace(
            target.exchange_options(), open_files=settings.watch.busy.then == "migrate"
        )
        with Disk(str(target.root), size_cap=settings.limits.size, options=options) as disk:
            lock = RootLock(str(target.root), settings.state_dir, environment, say)
            try:
                yield disk
            finally:
                lock.close()

    def apply(
        self,
        job: Job,
        segment: Segment,
        digests: Mapping[str, str],
        approvals: tuple[str, ...],
        late: Callable[[str], bool],
        sources: Mapping[str, bytes] | None = None,
    ) -> Outcome:
        """Run the segment as one transaction."""
        return migrate.apply(job, segment, digests, approvals, late, sources)
