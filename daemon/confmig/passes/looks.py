"""The looks of one pass at its target, and the wait for files that are not quiet."""

from __future__ import annotations

from confmig.adapters.files.lease import Writers
from confmig.adapters.files.port import FileSystem
from confmig.adapters.files.snapshot import Snapshot
from confmig.adapters.state.documents import Recorded
from confmig.adapters.workers.protocol import Bundle
from confmig.core.planning.quiet import BUSY, Sight
from confmig.core.policy.model import Policy
from confmig.passes.observe import open_for_writing
from confmig.passes.view import View, view
from confmig.passes.workspace import Workspace
from confmig.settings import Target

_PAUSE = 0.05
"""Seconds between two looks at files that are being written."""


class Looks:
    """The looks of one pass.

    ``again``: the seconds after which a file that was not quiet at the last look may be quiet.
    """

    def __init__(
        self, space: Workspace, target: Target, bundle: Bundle, policy: Policy, disk: FileSystem
    ) -> None:
        self._space = space
        self._target = target
        self._bundle = bundle
        self._policy = policy
        self._disk = disk
        self._until = space.conduct.monotonic() + space.conduct.patience
        last = space.memory(target.name).view
        self._watched = {d.path for d in last.documents if not d.healthy} if last else set()
        self.again: float | None = None
        self.waiting: set[str] = set()

    def once(self) -> View:
        """One look."""
        self.again = None
        self.waiting.clear()
        space = self._space
        return view(
            self._target,
            self._bundle,
            self._policy,
            self._disk,
            space.store,
            space.clock(),
            outbox_full=space.outbox_full(),
            unquiet=self._unquiet,
            watched=self._watched,
            everything=space.conduct.everything,
        )

    def when_quiet(self) -> View:
        """A look at quiet files, or at what is there when the pass's patience is over."""
        while True:
            seen = self.once()
            busy = any(d.problem == BUSY for d in seen.documents)
            if not busy or not self.waits():
                return seen

    def waits(self) -> bool:
        """Wait a moment for a file to be quiet; False if the pass's patience is over."""
        conduct = self._space.conduct
        left = self._until - conduct.monotonic()
        if left <= 0 or conduct.stopping():
            return False
        conduct.beat()
        conduct.pause(min(left, _PAUSE, self.again or _PAUSE))
        return True

    def is_quiet(self, snapshot: Snapshot) -> bool:
        """Whether a document may be touched now."""
        recorded = self._space.store.documents.get(self._target.name, snapshot.path)
        return not self._unquiet(snapshot, recorded)

    def _unquiet(self, snapshot: Snapshot, recorded: Recorded | None) -> str:
        space = self._space
        changed_at = max(snapshot.signature.ctime, 0) / 1e9
        found = space.memory(self._target.name).quiet.look(
            snapshot.path,
            Sight(
                snapshot.writers is Writers.OPEN,
                snapshot.signature,
                space.clock().timestamp() - changed_at,
                recorded is not None,
                recorded is not None and recorded.digest == snapshot.digest,
                space.conduct.monotonic(),
            ),
        )
        if found is None:
            return ""
        if not found.overdue:
            self.waiting.add(snapshot.path)
        self.again = min(found.seconds, self.again if self.again is not None else found.seconds)
        if found.open:
            return open_for_writing(snapshot)
        return "it changed a moment ago; a process may still be writing it"
