"""What a verified lossless edit costs, against what a user would pick instead.

Everything runs side by side in one process (the part with many files: a process each), in turns,
best of several rounds, without network, on files that are the same everywhere. Ratios, not
seconds: run it on your machine with ``make bench``, or ``python -m bench.documents --quick`` for
an impression, ``--full`` for all of it.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench import chains, corpora, files, scripts
from bench.race import Runner, race
from confmig.documents import formats

EDIT = "confmig, one verified edit"
RUAMEL = "ruamel.yaml load-edit-dump"
ONE, FIVE, TWENTY = (f"confmig, {n} fused step{'s' if n > 1 else ''}" for n in (1, 5, 20))
UNFUSED = "confmig, the same 20 unfused"
ONE_WIDE = "confmig, 1 step over every device"
TWENTY_WIDE = "confmig, 20 fused, 4 over every one"
PROMISED = {"edit": 1.5, "chain": 1.5, "ruamel": 10.0}


@dataclass(slots=True)
class Table:
    """The measurements of one format: per row and size the best time and what was made."""

    title: str
    sizes: list[int] = field(default_factory=list)
    sources: list[bytes] = field(default_factory=list)
    rows: dict[str, dict[int, Runner]] = field(default_factory=dict)

    def add(self, size: int, source: bytes, runners: Sequence[Runner]) -> None:
        """Keep the runners of one size."""
        self.sizes.append(size)
        self.sources.append(source)
        for runner in runners:
            self.rows.setdefault(runner.name, {})[size] = runner

    def ratio(self, row: str, unit: str, size: int) -> float | None:
        """How many times the unit's time a row took, or None if it was not measured."""
        a, b = self.rows.get(row, {}).get(size), self.rows.get(unit, {}).get(size)
        return a.best / b.best if a is not None and b is not None else None

    def show(self) -> None:
        """Print the ratios to the first row, and what became of comments and other lines."""
        unit = next(iter(self.rows))
        print(f"\n{self.title}")
        heads = "".join(f"{_size(len(source)):>11}" for source in self.sources)
        print(f"  {'':36}{heads}   comments kept   lines changed")
        for name, row in self.rows.items():
            if name == unit:
                cells = "".join(f"{row[size].best * 1000:8.2f} ms" for size in self.sizes)
                print(f"  {name + ' = 1.0':36}{cells}")
                continue
            cells = "".join(_cell(self.ratio(name, unit, size)) for size in self.sizes)
            print(f"  {name:36}{cells}   {self._fate(row)}")
        if any(len(row) < len(self.sizes) for row in self.rows.values()):
            print("  (- : measured with --full only)")

    def _fate(self, row: dict[int, Runner]) -> str:
        had = kept = gone = lines = 0
        for size, source in zip(self.sizes, self.sources, strict=True):
            made = row[size].made if size in row else None
            if made is not None:
                had += corpora.comments(source)
                kept += corpora.comments(made)
                gone += corpora.lines_gone(source, made)
                lines += source.count(b"\n")
        if not lines:  # a load makes no text
            return ""
        told = f"{100 * kept / had:.0f} %{'' if kept == had else ' LOST'}" if had else "none there"
        return f"{told:15} {100 * gone / lines:6.1f} %"


def _cell(ratio: float | None) -> str:
    return f"{'-' if ratio is None else f'{ratio:.2f}':>11}"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} KB"


def confmig_edit(data: bytes, format: str = "yaml") -> bytes:
    """The edit with confmig: parsed, edited in place, rendered, read back by two readers."""
    document = formats.parse(data, format=format)
    document.set("dns.port", scripts.PORT)
    return formats.render(document).data


def freed_edit(data: bytes) -> bytes:
    """The edit, and the memory of its tree, which refers to itself, given back by the collector."""
    made = confmig_edit(data)
    gc.collect()
    return made


def _edit(expected: Any) -> Any:
    expected["dns"]["port"] = scripts.PORT
    return expected


def _held(runners: Sequence[Runner], read: Callable[[bytes], Any], source: bytes) -> None:
    """Every tool made the same edit and nothing else; checked by a parser, outside the clock."""
    expected = _edit(read(source))
    for runner in runners:
        if runner.made is not None:
            assert read(runner.made) == expected, f"{runner.name} made another edit"


def _read_yaml(data: bytes) -> Any:
    return yaml.load(data, Loader=yaml.CSafeLoader)


def yaml_table(sizes: Sequence[int], seconds: float, *, full: bool) -> Table:
    """YAML: the edit with every tool, and chains."""
    local, mixed = chains.Chain.of(chains.LOCAL), chains.Chain.of(chains.MIXED)
    table = Table("YAML: one edit, and chains of migrations; times one C load")
    for size in sizes:
        data = corpora.yaml_of(size)

        def runner(
            name: str, run: Callable[..., bytes | None], *args: Any, least: int = 2
        ) -> Runner:
            return Runner(name, lambda: run(data, *args), least)  # noqa: B023 - raced in this turn

        huge = size > 200_000 and not full
        edits = [
            runner("one load, CSafeLoader", scripts.load_yaml),
            runner("  the same, collector off", scripts.load_yaml_undisturbed),
            runner("PyYAML (C) load-edit-dump", scripts.pyyaml),
            runner(EDIT, confmig_edit),
        ]
        if scripts.library("ruamel.yaml") is not None and not huge:
            edits.insert(3, runner(RUAMEL, scripts.ruamel_edit, least=1))
        migrated = [
            runner(ONE, local.fused, 1),
            runner(FIVE, local.fused, 5),
            runner(TWENTY, local.fused, 20),
        ]
        if not huge:
            edits.append(runner("  and its tree freed (gc)", freed_edit))
            migrated += [
                runner(UNFUSED, local.unfused, 20, least=1),
                runner(ONE_WIDE, mixed.fused, 1),
                runner(TWENTY_WIDE, mixed.fused, 20, least=1),
            ]
        race([*edits, *migrated], seconds=seconds)
        if not huge:
            _held(edits, _read_yaml, data)
        table.add(size, data, [*edits, *migrated])
    return table


def toml_table(sizes: Sequence[int], seconds: float, *, full: bool) -> Table:
    """TOML: the edit."""
    table = Table("TOML: one edit; times one load with tomllib")
    for size in sizes:
        data = corpora.toml_of(size)
        runners = [
            Runner("one load, tomllib", lambda d=data: scripts.load_toml(d)),  # type: ignore[misc]
            Runner(EDIT, lambda d=data: confmig_edit(d, "toml")),  # type: ignore[misc]
        ]
        if scripts.library("tomlkit") is not None and (full or size <= 200_000):
            runners.insert(
                1,
                Runner(
                    "tomlkit load-edit-dump",
                    lambda d=data: scripts.tomlkit_edit(d),  # type: ignore[misc]
                ),
            )
        race(runners, seconds=seconds)
        _held(runners, lambda text: tomllib.loads(text.decode()), data)
        table.add(size, data, runners)
    return table


def json_table(sizes: Sequence[int], seconds: float) -> Table:
    """JSON: the edit."""
    table = Table("JSON: one edit; times one json.loads")
    for size in sizes:
        data = corpora.json_of(size)
        runners = [
            Runner("one load, json.loads", lambda d=data: scripts.load_json(d)),  # type: ignore[misc]
            Runner("json load-edit-dump", lambda d=data: scripts.json_edit(d)),  # type: ignore[misc]
            Runner(EDIT, lambda d=data: confmig_edit(d, "json")),  # type: ignore[misc]
        ]
        race(runners, seconds=seconds)
        _held(runners, json.loads, data)
        table.add(size, data, runners)
    return table


def promises(table: Table, entrants: Sequence[files.Entrant]) -> None:
    """Print what the project promises beside what was measured."""
    load = next(iter(table.rows))
    heads = "".join(f"{_size(len(source)):>15}" for source in table.sources)
    print(f"\n{'Promised, and what was measured':46}{heads}")
    lines = (
        ("one verified edit: at most 1.5 x one C load", EDIT, load, PROMISED["edit"], False),
        ("20 fused steps: at most 1.5 x one step", TWENTY, ONE, PROMISED["chain"], False),
        ("  4 of the 20, and the one, over every device", TWENTY_WIDE, ONE_WIDE, 1.5, False),
        ("at least 10 x faster than the ruamel script", RUAMEL, EDIT, PROMISED["ruamel"], True),
    )
    for text, row, unit, bound, least in lines:
        cells = ""
        for size in table.sizes:
            ratio = table.ratio(row, unit, size)
            cells += f"{'not measured' if ratio is None else _verdict(ratio, bound, least):>15}"
        print(f"{text:46}{cells}")
    by = {e.words[-1]: e for e in entrants}
    ours = entrants[-1]
    if "ruamel" in by:
        told = _verdict(by["ruamel"].best / ours.best, PROMISED["ruamel"], True)
        cpu = _verdict(by["ruamel"].cpu / ours.cpu, PROMISED["ruamel"], True)
        print(f"{'  many files, durable against not':46}{told:>15}   processor time: {cpu}")


def _verdict(ratio: float, bound: float, least: bool) -> str:
    held = ratio >= bound if least else ratio <= bound
    return f"{ratio:.2f} {'held' if held else 'MISSED'}"


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.documents", description=__doc__)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="small sizes, few rounds (< 20 s)")
    how.add_argument("--full", action="store_true", help="more rounds, 10,000 files, all sizes")
    parser.add_argument("--dir", type=Path, help="where the many files are (default: $TMPDIR)")
    args = parser.parse_args(words)
    began = time.perf_counter()
    print(f"Python {platform.python_version()}, {platform.machine()}; ratios, lower is better")
    for name in ("ruamel.yaml", "tomlkit"):
        if scripts.library(name) is None:
            print(f"{name} is not installed: its rows are left out")
    sizes = [2_000, 20_000] if args.quick else [2_000, 20_000, 200_000, 2_000_000]
    seconds = 0.25 if args.quick else 6.0 if args.full else 0.8
    table = yaml_table(sizes, seconds, full=args.full)
    table.show()
    toml_table(sizes, seconds / 2, full=args.full).show()
    json_table(sizes, seconds / 2).show()
    rounds = 2
    for count in [100] if args.quick else [1_000, 10_000] if args.full else [1_000]:
        slow = count if args.full else count // 5
        entrants = files.measure(count, rounds=rounds, slow=slow, parent=args.dir)
        files.show(entrants, rounds)
    promises(table, entrants)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
