"""The lock of a configuration root: one holder, whatever environment a process has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from confmig.adapters.state import lock
from confmig.adapters.state.lock import RootLock
from confmig.errors import LockHeld


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two directories for locks, of which the first is known to some processes only."""
    first, second = tmp_path / "first", tmp_path / "second"
    known = lambda environment: [*([first] if environment else []), second]  # noqa: E731
    monkeypatch.setattr(lock, "_folders", known)
    return first, second


def test_one_holder_at_a_time_whatever_the_environment(
    tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    root = str(tmp_path)
    for mine, other in (({"X": "1"}, {}), ({}, {"X": "1"}), ({}, {})):
        with RootLock(root, tmp_path, mine, print), pytest.raises(LockHeld):
            RootLock(root, tmp_path, other, print)
        RootLock(root, tmp_path, other, print).close()
    assert [list(folder.iterdir()) for folder in folders] == [[], []]


def test_two_names_of_one_root_are_one(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with RootLock(str(tmp_path), tmp_path, {}, print), pytest.raises(LockHeld):
        RootLock(str(tmp_path / "link"), tmp_path, {}, print)


def test_a_directory_that_others_may_enter_is_not_used(
    tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    for folder in folders:
        folder.mkdir(mode=0o755)
        os.chmod(folder, 0o755)
    said: list[str] = []
    with RootLock(str(tmp_path), tmp_path, {"X": "1"}, said.append):
        assert "no directory for locks" in said[0]
        assert [p.name for p in tmp_path.glob("root-*.lock")]


def test_a_lock_that_cannot_be_taken_everywhere_is_taken_nowhere(
    tmp_path: Path, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a daemon whose second directory is full for a moment would keep itself out for ever."""
    real = lock._taken

    def full(path: Path) -> int | None:
        if path.parent == folders[1]:
            raise OSError(28, "No space left on device")
        return real(path)

    monkeypatch.setattr(lock, "_taken", full)
    with pytest.raises(OSError, match="No space"):
        RootLock(str(tmp_path), tmp_path, {"X": "1"}, print)
    monkeypatch.setattr(lock, "_taken", real)
    RootLock(str(tmp_path), tmp_path, {"X": "1"}, print).close()
