"""Replay fixtures: each migration's inputs must become its expected files, to the byte.

As a program (``python -m confmig.kit.replay DIR``) it prints the digest of every result. ``check``
runs it under two hash seeds, so that a handler whose result depends on the order of a set is found.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confmig.adapters.files.plain_file import write_plain
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import Versions
from confmig.core.bundle.manifest import Migration
from confmig.errors import ConfmigError, Problem
from confmig.writer import counted

SEEDS = ("1", "2")
_SHOWN = 40
"""Lines of a difference that a message shows."""


@dataclass(slots=True)
class Replayed:
    """What replaying found.

    The problems, how many files were replayed, and the expected files that were written.
    """

    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    updated: list[str] = field(default_factory=list)


def replay(bundle: Bundle, *, update: bool = False) -> Replayed:
    """Run every fixture. ``update``: a result that differs becomes the expected file."""
    done = Replayed()
    out = done.problems
    for migration in bundle.manifest.migrations:
        folder = bundle.root / "migrations" / "fixtures" / migration.id
        place = f"migrations/fixtures/{migration.id}"
        cases, strangers = _cases(migration, bundle.files.fixtures.get(migration.id, ()))
        out += [
            Problem(
                "replay_missing",
                f"{place}/{name}",
                f"the name says none of the configurations {', '.join(migration.sets)}",
                "call it <case>.<config>.input.<ext>",
            )
            for name in strangers
        ]
        for case, inputs in cases.items():
            missing = migration.sets.keys() - inputs.keys()
            if missing:
                out.append(
                    Problem(
                        "replay_missing",
                        f"{place}/{case}",
                        f"the case has no file of {', '.join(sorted(missing))}",
                        "add <case>.<config>.input.<ext> for each configuration",
                    )
                )
                continue
            known = all((folder / _expected(name)).is_file() for name in inputs.values())
            if not known and not update:
                continue
            done.count += len(inputs)
            _replay_case(bundle, migration, folder, inputs, done, update=update)
    return done


def _cases(
    migration: Migration, names: Iterable[str]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Case -> configuration -> the name of its input, and the inputs that name none.

    The files of a migration over several configurations are called
    ``<case>.<config>.input.<ext>``.
    """
    out: dict[str, dict[str, str]] = {}
    strangers = []
    for name in names:
        case, dot, _ = name.partition(".input.")
        if not dot:
            continue
        config = next(iter(migration.sets))
        if migration.joint:
            fitting = [c for c in migration.sets if case.endswith(f".{c}")]
            if not fitting:
                strangers.append(name)
                continue
            config = max(fitting, key=len)
            case = case[: -len(config) - 1]
        out.setdefault(case, {})[config] = name
    return out, strangers


def _expected(name: str) -> str:
    return name.replace(".input.", ".expected.")


def _replay_case(
    bundle: Bundle,
    migration: Migration,
    folder: Path,
    inputs: dict[str, str],
    done: Replayed,
    *,
    update: bool,
) -> None:
    place = f"migrations/fixtures/{migration.id}"
    sources = {config: (folder / name).read_bytes() for config, name in inputs.items()}
    try:
        results = bundle.transform(sources, [migration.id])
    except ConfmigError as error:
        where = f"{place}/{', '.join(inputs.values())}"
        error.in_file(where)
        done.problems.append(
            Problem("replay_failed", error.place, f"{error.message} [{error.code}]", error.fix)
        )
        return
    for config, name in inputs.items():
        got = results[config].image(sources[config])
        file = folder / _expected(name)
        expected = file.read_bytes() if file.is_file() else None
        if got == expected:
            continue
        if update or expected is None:
            write_plain(file, got)
            done.updated.append(f"{place}/{file.name}")
            continue
        done.problems.append(
            Problem(
                "replay_differs",
                f"{place}/{file.name}:{_first_difference(got, expected)}",
                f"the migration of {name} gives another result (+) than this file has (-)",
                "correct the migration, or accept the result with `confmig check --update`",
                _diff(bundle, Versions(file.name, config, (expected, got))),
            )
        )


def _diff(bundle: Bundle, texts: Versions) -> str:
    """The first lines of the difference, with secrets masked; nothing if one is not a document."""
    try:
        [[diff]] = bundle.report([texts])
    except ConfmigError:
        return ""
    lines = diff.splitlines()
    more = f"... and {counted(len(lines) - _SHOWN, 'more line')}"
    return "\n".join(lines[:_SHOWN] + ([more] if len(lines) > _SHOWN else []))


def _first_difference(a: bytes, b: bytes) -> int:
    lines = list(zip(a.split(b"\n"), b.split(b"\n"), strict=False))
    return next((n for n, (x, y) in enumerate(lines, 1) if x != y), len(lines) + 1)


def unsteady(bundle: Bundle) -> list[Problem]:
    """The migrations whose results differ between two hash seeds."""
    mine = [m.id for m in bundle.manifest.migrations if bundle.has_handler(m.id)]
    if not any(bundle.files.fixtures.get(name) for name in mine):
        return []
    first, second = (_under(bundle.root, seed) for seed in SEEDS)
    different = sorted(case for case in first if first[case] != second.get(case))
    return [
        Problem(
            "handler_not_deterministic",
            f"migrations/fixtures/{case}",
            "the result differs between two hash seeds",
            "do not let the result depend on the order of a set: sort it first",
        )
        for case in different
    ]


def _under(root: Path, seed: str) -> Mapping[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "confmig.kit.replay", str(root.absolute())],
        env=os.environ | {"PYTHONHASHSEED": seed},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def _digests(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """The digest of each fixture's result, or the code of its refusal."""
    for migration in bundle.manifest.migrations:
        if not bundle.has_handler(migration.id):
            continue
        folder = bundle.root / "migrations" / "fixtures" / migration.id
        cases, _ = _cases(migration, bundle.files.fixtures.get(migration.id, ()))
        for case, inputs in cases.items():
            if migration.sets.keys() - inputs.keys():
                continue
            sources = {config: (folder / name).read_bytes() for config, name in inputs.items()}
            try:
                results = bundle.transform(sources, [migration.id])
            except ConfmigError as error:
                yield f"{migration.id}/{case}", error.code
                continue
            made = [r.data or b"" for r in results.values()]
            yield f"{migration.id}/{case}", hashlib.sha256(b"\0".join(made)).hexdigest()


if __name__ == "__main__":
    from confmig.worker.local import LocalWorker

    sys.stdout.write(json.dumps(dict(_digests(LocalWorker().load(Path(sys.argv[1]))))))
