"""``confmig check``: is a bundle right?

With ``--settings``: whether settings, bundles and policies are.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from confmig.adapters.bundles.reading import read_files
from confmig.adapters.telemetry.providers import plan
from confmig.cli import session
from confmig.core.bundle.checksums import ordered_ids
from confmig.core.bundle.parity import replays_missing
from confmig.errors import DONE, INVALID, REFUSED, Invalid, Problem
from confmig.kit.replay import Replayed, replay, unsteady
from confmig.passes.load_policy import load_policy
from confmig.settings import Settings
from confmig.writer import counted, escaped


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="the bundle (default: here)")
    parser.add_argument(
        "--update",
        action="store_true",
        help="accept the results of the migrations: write the expected files of the fixtures",
    )
    session.settings_argument(parser, target=False)
    parser.set_defaults(settings=None)


def run(args: argparse.Namespace) -> int:
    """Report every problem at once. Exit 2: it cannot run; 1: it can, but a fixture disagrees."""
    invalid: list[Problem] = []
    findings: list[Problem] = []
    replayed = Replayed()
    worker = session.worker()
    folders: list[Path] = [args.bundle] if args.bundle is not None else []
    if args.settings is not None:
        try:
            settings = session.load_settings(args)
        except Invalid as error:
            invalid += error.problems
        else:
            invalid += _telemetry(settings)
            folders += [t.bundle for t in settings.targets if t.bundle not in folders]
            for target in settings.targets:
                invalid += load_policy(target, worker).problems
    for folder in folders or ([Path()] if args.settings is None else []):
        try:
            bundle = worker.load(folder, shared=folder == args.bundle or args.settings is None)
        except Invalid as error:
            invalid += error.problems
            if any(p.code == "manifest_unreadable" for p in error.problems):
                continue
            files = read_files(folder)
            findings += replays_missing(ordered_ids(files.manifest), files)
            continue
        done = replay(bundle, update=args.update)
        files = read_files(folder) if done.updated else bundle.files
        findings += replays_missing(bundle.manifest.by_id, files)
        findings += done.problems
        findings += unsteady(bundle)
        replayed.count += done.count
        replayed.updated += done.updated
    return _answer(args, invalid, findings, replayed)


def _telemetry(settings: Settings) -> list[Problem]:
    """What is wrong with the telemetry that the settings and this process's environment ask for."""
    said = settings.telemetry
    try:
        plan(said.exporter, said.endpoint, os.environ, said.accept)
    except Invalid as error:
        return list(error.problems)
    return []


def _answer(
    args: argparse.Namespace,
    invalid: list[Problem],
    findings: list[Problem],
    replayed: Replayed,
) -> int:
    count, updated = replayed.count, replayed.updated
    code = INVALID if invalid else REFUSED if findings else DONE
    problems = [*invalid, *findings]
    if args.json:
        answer: dict[str, Any] = {
            "ok": code == DONE,
            "replayed": count,
            **({"updated": updated} if args.update else {}),
            "problems": [problem.to_json() for problem in problems],
        }
        print(json.dumps(answer, indent=2))
    else:
        for name in updated:
            print(escaped(f"updated {name}"))
        for problem in problems:
            print(problem)
        print(f"{counted(len(problems), 'problem')}; {counted(count, 'fixture')} replayed")
    return code
