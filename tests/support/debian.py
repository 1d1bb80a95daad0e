"""Programs of Debian packages for tests.

From the PATH, or unpacked beside the build, never installed and never started as a service.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[2] / "build" / "debian"


def program(name: str, package: str) -> Path:
    """A program of a package; skips the test with the reason where it cannot be had."""
    found = shutil.which(name)
    if found:
        return Path(found)
    folder = CACHE / package
    file = folder / "usr" / "bin" / name
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip(f"{name} is not installed, and there is no apt-get to fetch {package}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of a test run fetch it once
        if not file.exists():
            _fetch(package, folder)
    return file


def _fetch(package: str, folder: Path) -> None:
    downloads = folder / "download"
    downloads.mkdir(parents=True, exist_ok=True)
    words = ["apt-get", "download", "-q", package]
    done = subprocess.run(words, cwd=downloads, capture_output=True, text=True, check=False)
    files = list(downloads.glob("*.deb"))
    if done.returncode != 0 or not files:
        pytest.skip(f"{package} cannot be downloaded: {done.stderr.strip()[-200:]}")
    subprocess.run(["dpkg", "-x", str(files[0]), str(folder)], check=True)


def with_share(file: Path) -> list[str]:
    """The words that start a program which looks for its data in /usr/share.

    An unpacked one does so in a mount namespace of its own, in which that is the package's.
    """
    if not file.is_relative_to(CACHE):
        return [str(file)]
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip(f"{file.name} is unpacked, and needs root and unshare to find its data")
    share = file.parents[1] / "share"
    script = 'mount -t tmpfs tmpfs /usr/share && cp -r "$0"/. /usr/share/ && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(share), str(file)]
