"""Many small files: what replacing a file durably costs, and what each tool adds to that.

Every competitor is a process of its own that edits the same files in a fresh directory: one
setting and the version stamp. Wall time is its start included; the processor time beside it is
what does not depend on the disk.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import corpora, scripts
from bench.chains import write_bundle

ROOT = Path(__file__).resolve().parents[1]


@dataclass(slots=True)
class Entrant:
    """One competitor: how it is called, on how many files, and the best seconds a file."""

    name: str
    words: list[str]
    durable: bool
    count: int
    best: float = float("inf")
    cpu: float = float("inf")
    start: float = float("inf")
    had: int = 0
    kept: int = 0


@contextlib.contextmanager
def _fresh(parent: Path, texts: list[bytes]) -> Iterator[Path]:
    """A new directory with the files in it, on the disk before anybody's clock starts."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        for number, text in enumerate(texts):
            (folder / f"{number:05d}.yaml").write_bytes(text)
        os.sync()
        yield folder
    finally:
        shutil.rmtree(folder)


def _run(entrant: Entrant, folder: Path) -> tuple[float, float]:
    names = sorted(os.listdir(folder))
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *entrant.words, *names],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )
    took = time.perf_counter() - began
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def measure(count: int, *, rounds: int, slow: int, parent: Path | None) -> list[Entrant]:
    """Run every contestant on ``count`` files, the slow script on the first ``slow`` of them.

    Run everybody on ``count`` files, the slow script on the first ``slow`` of them, in turns,
    each round in fresh directories.
    """
    texts = [corpora.yaml_of(2_000, f"host-{number:05d}") for number in range(count)]
    with tempfile.TemporaryDirectory(dir=parent) as base:
        made = Path(base) / "bundle"
        write_bundle(made, [f"- set: {{path: dns.port, value: {scripts.PORT}}}"])
        migrate = ["confmig", "migrate", "--write", "--bundle", str(made)]
        entrants = [
            Entrant("durable replace, nothing parsed", ["bench.replace", "floor"], True, count),
            Entrant("PyYAML (C) script", ["bench.replace", "pyyaml"], False, count),
            Entrant("ruamel.yaml script", ["bench.replace", "ruamel"], False, min(slow, count)),
            Entrant("confmig migrate --write", migrate, True, count),
        ]
        if scripts.library("ruamel.yaml") is None:
            del entrants[2]
        for number in range(rounds):
            for entrant in entrants if number % 2 == 0 else reversed(entrants):
                with _fresh(Path(base), texts[:1]) as folder:
                    entrant.start = min(entrant.start, _run(entrant, folder)[0])
                with _fresh(Path(base), texts[: entrant.count]) as folder:
                    took, cpu = _run(entrant, folder)
                    results = [p.read_bytes() for p in sorted(folder.iterdir())]
                entrant.best = min(entrant.best, took / entrant.count)
                entrant.cpu = min(entrant.cpu, cpu / entrant.count)
                _check(entrant, results)
                entrant.had = sum(corpora.comments(data) for data in texts[: entrant.count])
                entrant.kept = sum(corpora.comments(data) for data in results)
    return entrants


def _check(entrant: Entrant, results: list[bytes]) -> None:
    edit = b"\n  port: %d" % scripts.PORT
    edited = sum(edit in data and b"schema_version: 2\n" in data for data in results)
    wanted = 0 if entrant.words[-1] == "floor" else len(results)
    assert edited == wanted, f"{entrant.name} edited {edited} of {len(results)} files"


def show(entrants: list[Entrant], rounds: int) -> None:
    """Print the table; times are of the whole process."""
    unit = entrants[0].best
    print(f"\n{entrants[0].count:,} files of 2 KB, one process each, best of {rounds}")
    print(
        f"  {'':34}{'files':>7}{'files/s':>9}{'x floor':>9}{'CPU ms/file':>13}{'start-up':>10}"
        f"   {'durable':9}comments kept"
    )
    for e in entrants:
        fate = f"{100 * e.kept / e.had:.0f} %{'' if e.kept == e.had else ' LOST'}"
        print(
            f"  {e.name:34}{e.count:7d}{1 / e.best:9.0f}{e.best / unit:9.2f}{e.cpu * 1000:13.2f}"
            f"{e.start:8.2f} s   {'yes' if e.durable else 'NO':9}{fate}"
        )
