"""What a verified lossless edit costs, against what a user would pick instead.

Side by side in one run, best of several: one load with PyYAML's C loader (which keeps nothing),
a load-edit-dump with PyYAML (which loses every comment), and confmig's parse, edit, render and
verify. Ratios, not seconds: run it on your machine with ``make bench``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import yaml

from confmig.adapters.bundle import load
from confmig.documents import formats

ROOT = Path(__file__).resolve().parents[1]


def corpus(size: int) -> bytes:
    """A commented configuration of about ``size`` bytes."""
    lines = ["# a generated configuration", "schema_version: 1", "dns:", "  port: 53  # standard"]
    number = 0
    lines.append("clients:")
    while sum(len(x) + 1 for x in lines) < size:
        lines += [
            f"  # client {number}",
            f"  - name: device-{number}",
            f"    ip: 192.168.{number // 256 % 256}.{number % 256}  # fixed",
            "    tags: [lan, 'trusted']",
            "    use_global_settings: true",
        ]
        number += 1
    return ("\n".join(lines) + "\n").encode()


def best(run: Callable[[], object], rounds: int = 5) -> float:
    """Seconds of the fastest of several rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def edited(data: bytes) -> bytes:
    """One verified edit."""
    document = formats.parse(data, format="yaml", dialect="yaml-1.2")
    document.set("dns.port", 5353)
    return formats.render(document).data


def dumped(data: bytes) -> str:
    """The same edit by load, change and dump; comments are gone."""
    value = yaml.load(data, Loader=yaml.CSafeLoader)
    value["dns"]["port"] = 5353
    return str(yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False))


def main() -> None:
    """Print the table."""
    bundle = load(ROOT)
    config = bundle.manifest.configs["adguardhome"]
    # without the handler: a fork and a password hash are not document work
    chain = [m.id for m in bundle.manifest.migrations if m.version in (2, 3, 4)]
    print("size      C load    load+dump  1 verified edit  3 fused steps   (times one C load)")
    for size in (2_000, 20_000, 200_000, 2_000_000):
        data = corpus(size)
        floor = best(lambda d=data: yaml.load(d, Loader=yaml.CSafeLoader))
        rows = [
            best(lambda d=data: dumped(d)),
            best(lambda d=data: edited(d)),
            best(lambda d=data: bundle.transform(config, d, chain)),
        ]
        cells = "  ".join(f"{r / floor:13.2f}" for r in rows)
        print(f"{len(data):8d}  {floor * 1000:6.1f} ms  {cells}")


if __name__ == "__main__":
    main()
