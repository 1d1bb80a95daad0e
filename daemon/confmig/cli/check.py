"""``confmig check``: is a bundle right? With ``--settings``: are settings, bundles and policies?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from confmig.adapters.bundle import Bundle, load, read_files
from confmig.cli import session
from confmig.core.manifest import Migration, ordered_ids
from confmig.core.validation import replays_missing
from confmig.errors import DONE, INVALID, REFUSED, ConfmigError, Invalid, Problem
from confmig.view import load_policy


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="the bundle (default: here)")
    session.settings_argument(parser, target=False)
    parser.set_defaults(settings=None)


def run(args: argparse.Namespace) -> int:
    """Report every problem at once. Exit 2: it cannot run; 1: it can, but a fixture disagrees."""
    invalid: list[Problem] = []
    findings: list[Problem] = []
    looked = 0
    folders: list[Path] = [args.bundle] if args.bundle is not None else []
    if args.settings is not None:
        try:
            settings = session.load_settings(args)
        except Invalid as error:
            invalid += error.problems
        else:
            folders += [t.bundle for t in settings.targets if t.bundle not in folders]
            for target in settings.targets:
                invalid += load_policy(target).problems
    for folder in folders or ([Path()] if args.settings is None else []):
        try:
            bundle = load(folder)
        except Invalid as error:
            invalid += error.problems
            if any(p.code == "manifest_unreadable" for p in error.problems):
                continue
            files = read_files(folder)
            findings += replays_missing(ordered_ids(files.manifest), files)
            continue
        findings += replays_missing(bundle.manifest.by_id, bundle.files)
        found, count = _replay(bundle)
        findings += found
        looked += count
    return _answer(args, invalid, findings, looked)


def _replay(bundle: Bundle) -> tuple[list[Problem], int]:
    """Run every fixture: the input must become the expected file to the byte."""
    out, count = [], 0
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
            if not all((folder / _expected(name)).is_file() for name in inputs.values()):
                continue
            count += len(inputs)
            out += _replay_case(bundle, migration, folder, inputs)
    return out, count


def _cases(
    migration: Migration, names: Iterable[str]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Case -> configuration -> the name of its input, and the inputs that name none. The files of
    a migration over several configurations are called ``<case>.<config>.input.<ext>``."""
    out: dict[str, dict[str, str]] = {}
    strangers = []
    for name in names:
        case, dot, _ = name.partition(".input.")
        if not dot:
            continue
        config = next(iter(migration.sets))
        if migration.together:
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
    bundle: Bundle, migration: Migration, folder: Path, inputs: dict[str, str]
) -> list[Problem]:
    place = f"migrations/fixtures/{migration.id}"
    sources = {config: (folder / name).read_bytes() for config, name in inputs.items()}
    try:
        results = bundle.transform_together(sources, [migration.id])
    except ConfmigError as error:
        where = f"{place}/{', '.join(inputs.values())}"
        return [Problem("replay_failed", where, str(error), "mend the migration or the fixture")]
    out = []
    for config, name in inputs.items():
        rendered = results[config].rendered
        got = rendered.data if rendered is not None else sources[config]
        expected = (folder / _expected(name)).read_bytes()
        if got != expected:
            out.append(
                Problem(
                    "replay_differs",
                    f"{place}/{name}",
                    f"line {_first_difference(got, expected)} is not what {_expected(name)} says",
                    "compare with `confmig migrate --diff`, then mend one of the two",
                )
            )
    return out


def _first_difference(a: bytes, b: bytes) -> int:
    lines = list(zip(a.split(b"\n"), b.split(b"\n"), strict=False))
    return next((n for n, (x, y) in enumerate(lines, 1) if x != y), len(lines) + 1)


def _answer(
    args: argparse.Namespace, invalid: list[Problem], findings: list[Problem], count: int
) -> int:
    code = INVALID if invalid else REFUSED if findings else DONE
    problems = [*invalid, *findings]
    if args.json:
        answer: dict[str, Any] = {
            "ok": code == DONE,
            "replayed": count,
            "problems": [
                {"code": p.code, "place": p.place, "message": p.message, "fix": p.fix}
                for p in problems
            ],
        }
        print(json.dumps(answer, indent=2))
    else:
        for problem in problems:
            print(problem)
        print(f"{len(problems)} problem(s); {count} fixture(s) replayed")
    return code
