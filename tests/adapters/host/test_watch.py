"""File events wake; they need not be precise, only there."""

from __future__ import annotations

import threading
from pathlib import Path

from watchdog.events import FileCreatedEvent

from confmig.adapters.host.watch import Watcher, _Handler


def _changed(wake: threading.Event) -> bool:
    return wake.wait(10.0)


def test_a_root_that_was_replaced_is_watched_again(tmp_path: Path) -> None:
    root, wake = tmp_path / "config", threading.Event()
    root.mkdir()
    watcher = Watcher([root], [], tmp_path / "state", wake.set)
    watcher.start()
    try:
        root.rename(tmp_path / "aside")  # keeps its inode in use, so the new one has another
        root.mkdir()
        watcher.retry()
        wake.clear()
        (root / "a.yaml").write_text("a: 1\n")
        assert _changed(wake)
    finally:
        watcher.stop()


def test_a_root_that_appears_later_is_watched_then(tmp_path: Path) -> None:
    root, wake = tmp_path / "config", threading.Event()
    watcher = Watcher([root], [], tmp_path / "state", wake.set)
    watcher.start()
    try:
        root.mkdir()
        watcher.retry()
        (root / "a.yaml").write_text("a: 1\n")
        assert _changed(wake)
    finally:
        watcher.stop()


def test_a_policy_in_a_mounted_config_map_wakes_when_its_link_moves(tmp_path: Path) -> None:
    mount, wake = tmp_path / "policy", threading.Event()
    (mount / "..one").mkdir(parents=True)
    (mount / "..one" / "policy.yaml").write_text("classes: {}\n")
    (mount / "..data").symlink_to("..one")
    (mount / "policy.yaml").symlink_to("..data/policy.yaml")
    watcher = Watcher([], [mount / "policy.yaml"], tmp_path / "state", wake.set)
    watcher.start()
    try:
        (mount / "..two").mkdir()
        (mount / "..data_tmp").symlink_to("..two")
        wake.clear()
        (mount / "..data_tmp").rename(mount / "..data")
        assert _changed(wake)
    finally:
        watcher.stop()


def test_our_own_temporary_files_and_the_state_wake_nobody(tmp_path: Path) -> None:
    woken: list[None] = []
    handler = _Handler(lambda: woken.append(None), None, f"{tmp_path}/state/")
    handler.dispatch(FileCreatedEvent(f"{tmp_path}/config/.confmig-x"))
    handler.dispatch(FileCreatedEvent(f"{tmp_path}/state/state.db"))
    assert woken == []
    handler.dispatch(FileCreatedEvent(f"{tmp_path}/config/a.yaml"))
    assert len(woken) == 1


def test_only_the_named_files_of_a_directory_wake(tmp_path: Path) -> None:
    woken: list[None] = []
    names = frozenset(("manifest.json", "manifest.sum"))
    handler = _Handler(lambda: woken.append(None), names, f"{tmp_path}/state/")
    handler.dispatch(FileCreatedEvent(f"{tmp_path}/README.md"))
    assert woken == []
    handler.dispatch(FileCreatedEvent(f"{tmp_path}/manifest.sum"))
    assert len(woken) == 1
