"""File events as wake-ups: something changed, look again. They decide nothing.

Directories are watched, not files, and an event only means "rescan"; losing one delays until the
next rescan. Roots of which the kernel does not tell all (files mounted from elsewhere, filesystems
on other machines), or too much (an exchange of directories ends watchdog's thread), are looked at
every second instead. Events of our own temporary files are not passed on. The event filter leaves
out opened and closed-without-write events, which livelock watchdog on large trees.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
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
from watchdog.observers.polling import PollingObserver

from confmig.adapters.files.snapshot import is_ours

_EVERY = 1.0
"""Seconds between two looks at a root that is polled."""

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
    """Watches roots, other ``trees`` with everything below, and single files.

    A single file is watched through its directory.
    """

    def __init__(
        self,
        roots: Iterable[Path],
        files: Iterable[Path],
        state_dir: Path,
        wake: Callable[[], None],
        polled: Iterable[Path] = (),
        trees: Iterable[Path] = (),
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._say = say
        self._observer = Observer()
        self._poller = PollingObserver(timeout=_EVERY)
        self._polled = frozenset(polled)
        self._below = f"{state_dir}{os.sep}"
        self._wake = wake
        names: dict[Path, set[str]] = {}
        for file in files:
            names.setdefault(file.parent, set()).add(file.name)
        # one entry for each directory: watchdog keeps only one watch for equal entries
        self._wanted: list[tuple[Path, frozenset[str] | None, bool]] = [
            *((root, None, True) for root in dict.fromkeys([*roots, *trees])),
            *((folder, frozenset(found), False) for folder, found in names.items()),
        ]
        self._watched: dict[int, tuple[ObservedWatch, int]] = {}
        self._refused = False

    def start(self) -> None:
        """Begin to watch. What does not exist yet is looked for again by ``retry``."""
        if self._polled:
            self._poller.start()
        self.retry()

    def _begun(self) -> bool:
        """Whether file events come.

        Without an inotify instance (the user's limit) the rescan looks at the files; it is
        tried again at each rescan.
        """
        if self._observer.is_alive():
            return True
        try:
            self._observer.start()
        except OSError as error:
            if not self._refused:
                self._say(
                    f"no file events: {error.strerror}; files are looked at at every rescan "
                    "(raise fs.inotify.max_user_instances)"
                )
            self._refused = True
            self._observer = Observer()
            return False
        if self._refused:
            self._say("file events come again")
        self._refused = False
        return True

    def retry(self) -> None:
        """Watch what could not be watched so far, and what was replaced under the same name.

        Until then the rescan finds changes there.
        """
        events = self._begun()
        for number, (path, only, recursive) in enumerate(self._wanted):
            if not events and not (path in self._polled and recursive):
                continue
            try:
                inode = path.stat().st_ino
                known = self._watched.get(number)
                if known is not None and known[1] == inode:
                    continue
                observer = self._poller if path in self._polled and recursive else self._observer
                if known is not None:
                    del self._watched[number]
                    observer.unschedule(known[0])
                handler = _Handler(self._wake, only, self._below)
                watch = observer.schedule(
                    handler, str(path), recursive=recursive, event_filter=_FILTER
                )
                self._watched[number] = (watch, inode)
            except (OSError, KeyError):
                continue

    def stop(self) -> None:
        """End the threads."""
        for observer in (self._observer, self._poller):
            with suppress(
                KeyError
            ):  # of watchdog's, after another process exchanged two directories
                observer.stop()
            if observer.is_alive():
                observer.join(2.0)
