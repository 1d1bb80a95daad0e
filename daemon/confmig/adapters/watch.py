"""File events as wake-ups: something changed, look again. They decide nothing.

Directories are watched, not files, and an event only means "rescan"; losing one delays until the
next rescan. Events of our own temporary files are not passed on. The event filter leaves out
opened and closed-without-write events, which livelock watchdog on large trees.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

from confmig.adapters.disk import is_ours

_FILTER: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


class _Handler(FileSystemEventHandler):
    def __init__(
        self, wake: Callable[[], None], only: frozenset[str] | None, not_below: str
    ) -> None:
        self._wake = wake
        self._only = only
        self._not_below = not_below

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass it on, unless it is ours or about something else."""
        paths = [os.fsdecode(p) for p in (event.src_path, event.dest_path) if p]
        foreign = [p for p in paths if not is_ours(p) and not p.startswith(self._not_below)]
        if self._only is not None:
            # a mounted ConfigMap changes by moving its link ..data, never the file itself
            foreign = [p for p in foreign if os.path.basename(p) in self._only | {"..data"}]
        if foreign:
            self._wake()


class Watcher:
    """Watches roots (with everything below) and single files (through their directory)."""

    def __init__(
        self,
        roots: Iterable[Path],
        files: Iterable[Path],
        state_dir: Path,
        wake: Callable[[], None],
    ) -> None:
        self._observer = Observer()
        self._below = f"{state_dir}{os.sep}"
        self._wake = wake
        names: dict[Path, set[str]] = {}
        for file in files:
            names.setdefault(file.parent, set()).add(file.name)
        # one entry a directory: watchdog keeps one watch for equal ones
        self._wanted: list[tuple[Path, frozenset[str] | None, bool]] = [
            *((root, None, True) for root in dict.fromkeys(roots)),
            *((folder, frozenset(found), False) for folder, found in names.items()),
        ]
        self._watched: dict[int, tuple[ObservedWatch, int]] = {}

    def start(self) -> None:
        """Begin to watch. What is not there yet is looked for again by ``retry``."""
        self._observer.start()
        self.retry()

    def retry(self) -> None:
        """Watch what could not be watched so far, and anew what was replaced by another directory
        of the same name; until then the rescan looks there."""
        for number, (path, only, recursive) in enumerate(self._wanted):
            try:
                inode = path.stat().st_ino
                known = self._watched.get(number)
                if known is not None and known[1] == inode:
                    continue
                if known is not None:
                    del self._watched[number]
                    self._observer.unschedule(known[0])
                handler = _Handler(self._wake, only, self._below)
                watch = self._observer.schedule(
                    handler, str(path), recursive=recursive, event_filter=_FILTER
                )
                self._watched[number] = (watch, inode)
            except (OSError, KeyError):
                continue

    def stop(self) -> None:
        """End the threads."""
        self._observer.stop()
        self._observer.join(2.0)
