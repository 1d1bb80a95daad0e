"""The open state of a settings file, for one writer.

Locks, store, checkpoints, and what passes remember of each target while the process runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime

from confmig.adapters.files.port import FileSystem
from confmig.adapters.state.opened import State
from confmig.adapters.workers.protocol import Bundle, Worker
from confmig.core.bundle.manifest import CLASSES
from confmig.core.planning.quiet import Quiet
from confmig.core.policy.model import Policy
from confmig.core.transaction.phases import Phase
from confmig.errors import ConfmigError
from confmig.passes.last_reported import LastReported
from confmig.passes.view import View
from confmig.settings import Settings, Target
from confmig.targets.mode import Mode
from confmig.targets.modes import MODES
from confmig.transactions.kinds import records_of
from confmig.transactions.runner import Conflict, Transactor
from confmig_otel import spans

Clock = Callable[[], datetime]


@dataclass(slots=True)
class TargetMemory:
    """What passes remember of a target.

    ``gave_up``: the files that stopped the last pass, and the seconds that were waited then.
    """

    quiet: Quiet
    view: View | None = None
    policy: Policy | None = None
    trouble: ConfmigError | None = None
    gave_up: tuple[frozenset[tuple[str, str]], float] = (frozenset(), 0.0)


@dataclass(slots=True)
class Conduct:
    """How passes behave; a daemon and a command differ in it.

    ``patience``: seconds that a pass waits for files that are being written. ``classes``: the only
    ones that it considers. ``everything``: its view has a fact of every document.
    """

    patience: float = 0.0
    classes: frozenset[str] = frozenset(CLASSES)
    everything: bool = False
    delivery: bool = False
    prints_events: bool = False
    pause: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    beat: Callable[[], None] = lambda: None
    stopping: Callable[[], bool] = lambda: False


class Workspace:
    """The open state. ``conduct`` may be changed before the first pass."""

    def __init__(
        self,
        settings: Settings,
        worker: Worker,
        state: State,
        clock: Clock,
        recorder: spans.Recorder,
        actor: str,
        say: Callable[[str], None] = lambda line: None,
        modes: Mapping[str, Mode] = MODES,
    ) -> None:
        self.settings = settings
        self.worker = worker
        self.store = state.store
        self.checkpoints = state.checkpoints
        self.clock = clock
        self.recorder = recorder
        self.actor = actor
        self.say = say
        self.modes = modes
        self.conduct = Conduct()
        self.unneeded_images = True
        """Whether there may be images that no checkpoint needs: a process that ended early, or a
        request that failed, can leave them. The next pruning removes them."""
        self._state = state
        self._memories: dict[str, TargetMemory] = {}

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the state and release the lock."""
        self._state.close()

    def check_same_state(self) -> None:
        """Raises ``Fault`` if the state directory is not the one that was opened."""
        self._state.check_same()

    # --- what is remembered

    def memory(self, target: str) -> TargetMemory:
        """What passes remember of a target."""
        if target not in self._memories:
            rule, patience = self.settings.watch.rule(), self.conduct.patience
            if patience:
                # a little less than the pass waits, so that its last look knows the wait is over
                rule = replace(rule, wait=min(rule.wait, 0.9 * patience))
            self._memories[target] = TargetMemory(Quiet(rule))
        return self._memories[target]

    def views(self) -> dict[str, View]:
        """The last view of each target that has one."""
        return {name: m.view for name, m in self._memories.items() if m.view is not None}

    def policies(self) -> dict[str, Policy]:
        """The policy of each target as it was last read."""
        return {name: m.policy for name, m in self._memories.items() if m.policy is not None}

    def troubles(self) -> dict[str, ConfmigError | None]:
        """The error that ended the last pass of a target."""
        return {name: m.trouble for name, m in self._memories.items() if m.trouble is not None}

    def last_reported(self, target: str) -> LastReported:
        """What was last reported of a target."""
        return LastReported(self.store, target, self.clock)

    def outbox_full(self) -> bool:
        """Whether so many events wait that migrations must stop. Never without delivery."""
        if not self.conduct.delivery:
            return False
        return self.store.events.waiting()[0] >= self.settings.telemetry.outbox_limit

    # --- a target

    def load_bundle(self, target: Target) -> Bundle:
        """The target's bundle. Raises ``Invalid`` with every problem in it."""
        return self.worker.load(target.bundle, self.settings.limits.caps(), target.parameters)

    def mode(self, target: Target) -> Mode:
        """How a target takes new bytes."""
        return self.modes[target.mode]

    def open(self, target: Target) -> AbstractContextManager[FileSystem]:
        """A target's files, locked."""
        return self.mode(target).open(self.settings, target, os.environ, self.say)

    def recover(self, target: Target, disk: FileSystem) -> None:
        """Finish or undo what a crash left.

        Never raises ``Conflict``: a conflict is recorded.
        """
        for row in self.store.transactions.unfinished(target.name):
            transactor = Transactor(
                self.store, self.checkpoints, disk, self.clock, beat=self.conduct.beat
            )
            try:
                phase = transactor.recover(row, records_of(row))
            except Conflict:
                continue  # it is recorded, and every pass reports it
            how = "finished" if phase is Phase.DONE else "undone"
            self.say(f"{target.name}: {row.kind} {row.id} was interrupted and is {how} now")
