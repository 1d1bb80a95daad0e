"""A workspace on the simulators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confmig.adapters.state.opened import State
from confmig.core.bundle.manifest import Manifest
from confmig.passes.reconcile import reconcile
from confmig.passes.result import Pass
from confmig.passes.workspace import Workspace
from confmig.settings import Settings, Target
from confmig.targets.in_place import InPlace
from confmig_otel import spans
from tests.simulators.bundle import MemoryBundle, MemoryWorker
from tests.simulators.disk import MemoryDisk
from tests.simulators.state import MemoryCheckpoints, memory_checkpoints, memory_store
from tests.simulators.steps import Steps


class MemoryMode(InPlace):
    """In place, on a simulated root."""

    def __init__(self, disk: MemoryDisk) -> None:
        self.disk = disk

    @contextmanager
    def look(self, settings: Settings, target: Target) -> Iterator[MemoryDisk]:  # type: ignore[override]
        yield self.disk

    @contextmanager
    def open(
        self,
        settings: Settings,
        target: Target,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> Iterator[MemoryDisk]:
        yield self.disk


@dataclass
class Simulated:
    """A target ``app`` with a bundle of the given migrations."""

    manifest: Manifest
    broken: frozenset[str] = frozenset()
    options: Mapping[str, str] = field(default_factory=dict)
    steps: Steps = field(default_factory=Steps)
    now: datetime = datetime(2026, 11, 28, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.disk = MemoryDisk(self.steps)
        self.bundle = MemoryBundle(self.manifest, self.broken)
        self.worker = MemoryWorker(self.bundle)
        self.store = memory_store(self.steps)
        self.checkpoints: MemoryCheckpoints = memory_checkpoints(self.steps)
        self.lines: list[str] = []
        self.space = self.started()

    def started(self) -> Workspace:
        """The workspace of a new process."""
        target = Target(
            name="app",
            root=Path("/app"),
            bundle=Path("/b"),
            **self.options,
        )
        settings = Settings(
            targets=(target,),
            state_dir=Path("/state"),
            watch={"settle_new": 0},
        )
        state = State(self.store, self.checkpoints)
        space = Workspace(
            settings,
            self.worker,
            state,
            self._clock,
            spans.Silent(),
            "test",
            self.lines.append,
            {"in_place": MemoryMode(self.disk)},
        )
        space.conduct.pause = lambda seconds: None
        space.conduct.monotonic = lambda: self.now.timestamp()
        return space

    def _clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def run(self) -> Pass:
        """One pass."""
        return reconcile(self.space, self.space.settings.targets[0])

    def events(self) -> list[str]:
        """The names of all events."""
        return [row["name"] for row in self.store.events.history()]
