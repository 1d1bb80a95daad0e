"""What a transaction over many files costs: flushes, and time beside a durable replace of each.

The floor (``bench.replace floor``) writes a copy of each file beside it, fsyncs, renames and fsyncs
the directory: durable, but each file for itself, without parsing, state, checkpoint, events or a
way back. A second floor does the same with one syncfs for all. ``python -m bench.transactions
[COUNT]``; the flushes are counted with strace, in a run of their own.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from confmig.adapters.bundles.reading import read_files
from confmig.core.bundle.checksums import ordered_ids, sums, sums_text

_FLUSH = ("fsync", "fdatasync", "syncfs", "sync")
_FLOOR = ("-m", "bench.replace", "floor")
SETTINGS = """\
targets: [{name: app, root: config, bundle: bundle}]
state_dir: state
telemetry: {exporter: none}
"""


def build(folder: Path, count: int) -> None:
    """A bundle of one online migration, and ``count`` documents of about 300 bytes."""
    (folder / "bundle" / "migrations").mkdir(parents=True)
    (folder / "bundle" / "migrations" / "0001_listen.yaml").write_text(
        "- move: {from: server.port, to: listen.port}\n- set: {path: feature, value: true}\n"
    )
    manifest = {
        "_config_version": 1,
        "bundle": "many",
        "configs": {
            "app": {
                "files": ["*/*.yaml"],
                "format": "yaml",
                "version": {"path": "schema_version", "absent": 0},
            }
        },
        "migrations": [{"id": "0001_listen", "order": 1, "class": "online", "sets": {"app": 1}}],
    }
    (folder / "bundle" / "manifest.json").write_text(json.dumps(manifest))
    files = read_files(folder / "bundle")
    lines = sums(files, ordered_ids(files.manifest))
    (folder / "bundle" / "manifest.sum").write_bytes(sums_text(lines))
    (folder / "confmig.yaml").write_text(SETTINGS)
    for number in range(count):
        file = folder / "config" / f"d{number // 1000}" / f"{number}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"# document {number}\nschema_version: 0\nserver:\n  port: 8080  # the port\n"
            "  host: 'localhost'\nupstreams:\n"
            + "".join(f"  - name: upstream-{n}  # number {n}\n" for n in range(6))
        )


def floor_syncfs(paths: list[str]) -> None:
    """Write all beside, one syncfs, rename all, one syncfs: as few flushes as a script can do."""
    libc = ctypes.CDLL(None, use_errno=True)
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        with open(f"{path}.tmp", "xb") as out:
            out.write(data)
    fd = os.open(os.path.dirname(paths[0]), os.O_RDONLY)
    libc.syncfs(fd)
    for path in paths:
        os.rename(f"{path}.tmp", path)
    libc.syncfs(fd)
    os.close(fd)


def _timed(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def flushes(folder: Path) -> dict[str, int]:
    """How often one apply flushes, below the configuration and below the state."""
    log = folder / "strace"
    command = ["strace", "-f", "-qq", "-y", "-o", str(log), "-e", f"trace={','.join(_FLUSH)}"]
    command += [sys.executable, "-m", "confmig", "run", "--once"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    text = log.read_text()
    return {
        part: len(re.findall(rf"\b(?:{'|'.join(_FLUSH)})\(\d+<{folder.resolve()}/{part}", text))
        for part in ("config", "state")
    }


def main(count: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        for name in ("confmig", "traced", "floor", "floor-syncfs"):
            build(root / name, count)
        paths = {
            n: sorted(map(str, (root / n / "config").rglob("*.yaml"))) for n in os.listdir(root)
        }
        times = {
            "confmig run --once": _timed(
                [sys.executable, "-m", "confmig", "run", "--once"], root / "confmig"
            )
        }
        here = Path(__file__).resolve().parents[1]
        times["replace each file durably"] = _timed(
            [
                "xargs",
                "-a",
                _list(root, paths["floor"]),
                sys.executable,
                "-m",
                "bench.replace",
                "floor",
            ],
            here,
        )
        began = time.perf_counter()
        floor_syncfs(paths["floor-syncfs"])
        times["replace all, two syncfs"] = time.perf_counter() - began
        print(f"{count} documents in one migration")
        unit = times["replace each file durably"]
        for name, seconds in times.items():
            print(f"  {name:28} {seconds:8.2f} s  {seconds / unit:6.2f} times the durable replace")
        if shutil.which("strace"):
            counted = flushes(root / "traced")
            config, state = counted["config"], counted["state"]
            print(f"  flushes: {config} of the configuration, {state} of the state")


def _list(root: Path, paths: list[str]) -> str:
    file = root / "paths"
    file.write_text("\n".join(paths))
    return str(file)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
