"""The processes that ``files`` measures beside confmig: ``python -m bench.replace NAME FILE...``.

``floor`` replaces each file by a copy of itself that survives a crash. ``pyyaml`` and ``ruamel``
edit it and write over it, as scripts do. Each imports only what it needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def floor(path: str) -> None:
    """Read, write beside, fsync, rename, fsync of the directory; nothing is parsed."""
    with open(path, "rb") as file:
        data = file.read()
    temporary = f"{path}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, path)
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def over(edit: Callable[[bytes], bytes], path: str) -> None:
    """Write over a file: a crash leaves half of it."""
    with open(path, "rb") as file:
        data = file.read()
    made = edit(data)
    with open(path, "wb") as file:
        file.write(made)


def main(name: str, paths: list[str]) -> None:
    """Do to every file what the competitor does."""
    if name == "floor":
        for path in paths:
            floor(path)
        return
    from bench import scripts

    round_trip = scripts.ruamel_yaml() if name == "ruamel" else None
    for path in paths:
        if round_trip is None:
            over(lambda data: scripts.pyyaml(data, 2), path)
        else:
            over(lambda data: scripts.ruamel_edit(data, 2, round_trip), path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
