"""``confmig migrate FILE...``: a bundle's chain on files, without daemon, state or policy.

With ``--to`` below a file's version and the ``--journal`` of the run that migrated it, the changes
of the later migrations are taken back.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import secrets
import sys
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confmig.adapters.bundle import Bundle, Transformed, load
from confmig.adapters.disk import PREFIX, Disk, Snapshot, pattern
from confmig.cli.progress import Progress
from confmig.core.manifest import Config, Migration
from confmig.documents import formats
from confmig.documents.chain import version_of
from confmig.documents.document import Document
from confmig.documents.inverse import undo
from confmig.documents.journal import Change
from confmig.documents.path import show
from confmig.documents.tree import kind_of
from confmig.errors import INVALID, REFUSED, ConfmigError, Refused, Usage, worst
from confmig.transact import as_error, replace_file


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="the bundle")
    parser.add_argument(
        "--config", metavar="NAME", help="which configuration the files are (default: by name)"
    )
    parser.add_argument(
        "--to", type=int, metavar="VERSION", help="stop at this version (default: the newest)"
    )
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="a value for one of the bundle's parameters",
    )
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="for the way back: the output of the run with --json --show-values",
    )
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--stdout", action="store_true", help="print the migrated file (one file only)"
    )
    how.add_argument("--diff", action="store_true", help="print what would change")
    how.add_argument("--write", action="store_true", help="change the files")
    parser.add_argument(
        "--json", action="store_true", help="the change journal and the loss ledger as JSON"
    )
    parser.add_argument(
        "--show-values", action="store_true", help="do not mask secrets in diff and journal"
    )
    parser.add_argument(
        "--progress",
        choices=("auto", "always", "never"),
        default="auto",
        help="a progress bar on stderr (auto: on a terminal, for several files)",
    )


@dataclass(frozen=True, slots=True)
class _Input:
    """One file of the command line, read and parsed, with the steps before it."""

    file: Path
    config: Config
    disk: Disk
    snapshot: Snapshot
    document: Document
    steps: tuple[Migration, ...]
    back_to: int | None


@dataclass(frozen=True, slots=True)
class _Result:
    """One file taken through the chain, or back, in memory."""

    before: int
    after: int
    data: bytes
    changed: bool
    answer: dict[str, Any]


def run(args: argparse.Namespace) -> int:
    """Migrate every file; report every refusal, not only the first."""
    if args.stdout and len(args.files) > 1:
        raise Usage("usage", "--stdout takes one file", fix="use --write or --diff for several")
    bundle = load(args.bundle, parameters=_parameters(args.param))
    journal = _journal(args.journal)
    codes, answers = [0], []
    key = secrets.token_bytes(32)
    with Progress(len(args.files), args.progress) as progress:
        for files in _groups(args, bundle):
            progress.step(files[0].name, len(files))
            try:
                answers += _migrate(args, bundle, files, journal, key, progress)
            except ConfmigError as error:
                # a document is always the caller's input here, whatever part of us found the flaw
                codes.append(INVALID if error.exit_code == INVALID else REFUSED)
                progress.clear()
                print(f"confmig: {' + '.join(map(str, files))}: {error}", file=sys.stderr)
                answers += [
                    {"path": str(file), "error": {"code": error.code, "message": error.message}}
                    for file in files
                ]
    if args.json:
        print(json.dumps({"files": answers}, indent=2))
    elif len(args.files) > 1:
        changed = sum(1 for a in answers if a.get("changed"))
        refused = sum(1 for a in answers if "error" in a)
        left = len(answers) - changed - refused
        done = "migrated" if args.write else "would migrate"
        print(
            f"{len(answers)} files: {changed} {done}, {left} unchanged, {refused} refused",
            file=sys.stderr if args.diff else sys.stdout,
        )
    return worst(codes)


def _groups(args: argparse.Namespace, bundle: Bundle) -> list[list[Path]]:
    """The files one by one; those together whose configurations some migration sets as one."""
    bound = {c for m in bundle.manifest.migrations if m.together for c in m.sets}
    groups: list[list[Path]] = []
    shared: list[Path] = []
    for file in args.files:
        try:
            together = bool(bound) and _config(bundle, args.config, file).name in bound
        except Refused:
            together = False  # said when its turn comes
        if not together:
            groups.append([file])
            continue
        if not shared:
            groups.append(shared)
        shared.append(file)
    return groups


def _parameters(words: list[str]) -> dict[str, str]:
    out = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise Usage("usage", f"--param {word}: a name and a text are needed", fix="NAME=TEXT")
        out[name] = text
    return out


def _journal(file: Path | None) -> dict[str, Any]:
    """The journals of a former run by path; each a list of steps, the oldest first."""
    if file is None:
        return {}
    try:
        data = json.loads(file.read_bytes())
        return {f["path"]: f["journal"] for f in data["files"] if "journal" in f}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Usage(
            "journal_unreadable",
            f"{file} is no journal of a run ({type(error).__name__})",
            fix="keep the output of migrate --json --show-values",
        ) from None


def _migrate(
    args: argparse.Namespace,
    bundle: Bundle,
    files: list[Path],
    journal: dict[str, Any],
    key: bytes,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Take the files of a group through their steps, and put out what became of each."""
    with ExitStack() as stack:
        inputs = [_open(args, bundle, file, stack) for file in files]
        results = _transform(args, bundle, inputs, journal, key)
        progress.clear()
        written: list[_Input] = []
        for one, result in zip(inputs, results, strict=True):
            if args.write and result.changed:
                try:
                    _write(one.disk, one.snapshot, result.data)
                except ConfmigError:
                    for earlier in reversed(written):  # all of a group or none
                        _write(
                            earlier.disk,
                            earlier.disk.read(earlier.file.name),
                            earlier.snapshot.data,
                        )
                    raise
                written.append(one)
        for one, result in zip(inputs, results, strict=True):
            _say(args, bundle, one, result, progress)
        return [result.answer for result in results]


def _open(args: argparse.Namespace, bundle: Bundle, file: Path, stack: ExitStack) -> _Input:
    config = _config(bundle, args.config, file)
    disk = stack.enter_context(Disk(str(file.parent), size_cap=bundle.caps.size))
    snapshot = disk.read(file.name)
    document = bundle.parse(config, snapshot.data)
    version = version_of(document, config)
    chain = bundle.manifest.chain(config.name)
    versions = [m.sets[config.name] for m in chain]
    first, newest = versions[0] - 1, versions[-1]
    last = newest if args.to is None else args.to
    if not first <= last <= newest:
        raise Refused(
            "version_unknown",
            f"the bundle knows {config.name} from {first} to {newest}, not {last}",
        )
    if version > last or (args.journal is not None and config.stamp is None):
        return _Input(file, config, disk, snapshot, document, (), last)
    steps = tuple(m for m, v in zip(chain, versions, strict=True) if version < v <= last)
    if steps and version < first:
        raise Refused(
            "document_too_old",
            f"the file is at version {version}; the bundle begins at {first}",
        )
    return _Input(file, config, disk, snapshot, document, steps, None)


def _transform(
    args: argparse.Namespace,
    bundle: Bundle,
    inputs: list[_Input],
    journal: dict[str, Any],
    key: bytes,
) -> list[_Result]:
    """What becomes of each file. Steps over several configurations take their files together."""
    together = [m for one in inputs for m in one.steps if m.together]
    for migration in dict.fromkeys(together):
        _check_partners(migration, inputs)
    if together:
        steps = sorted({m for one in inputs for m in one.steps}, key=lambda m: m.order)
        done = bundle.transform_together(
            {one.config.name: one.snapshot.data for one in inputs},
            [m.id for m in steps],
            parsed={one.config.name: one.document for one in inputs},
        )
        return [_forward(args, one, done[one.config.name], key) for one in inputs]
    out = []
    for one in inputs:
        if one.back_to is not None:
            out.append(_back(args, one, journal))
            continue
        ids = [m.id for m in one.steps]
        result = bundle.transform(one.config, one.snapshot.data, ids, document=one.document)
        out.append(_forward(args, one, result, key))
    return out


def _check_partners(migration: Migration, inputs: list[_Input]) -> None:
    """Raises ``Refused`` unless there is one file of each configuration, each before the step."""
    mine = [one for one in inputs if one.config.name in migration.sets]
    if sorted(one.config.name for one in mine) != sorted(migration.sets):
        raise Refused(
            "config_ambiguous",
            f"{migration.id} changes {' and '.join(migration.sets)} as one",
            fix="give exactly one file of each",
        )
    if any(migration not in one.steps for one in mine):
        raise Refused(
            "documents_out_of_step",
            f"{migration.id} changes {' and '.join(migration.sets)} as one, and not all are "
            "before it",
            fix="bring the files to versions that belong together; --to cannot part them",
        )


def _forward(args: argparse.Namespace, one: _Input, done: Transformed, key: bytes) -> _Result:
    changed = done.rendered is not None
    data = done.rendered.data if done.rendered is not None else one.snapshot.data
    return _Result(done.before, done.after, data, changed, _answer(args, one.file, done, key))


def _say(
    args: argparse.Namespace, bundle: Bundle, one: _Input, result: _Result, progress: Progress
) -> None:
    if args.json:
        return
    if args.stdout:
        sys.stdout.flush()
        sys.stdout.buffer.write(result.data)
        sys.stdout.buffer.flush()
    elif args.diff and result.changed:
        sys.stdout.write(_diff(args, bundle, one, result.data))
    elif args.write and progress.quiet:
        became = "unchanged"
        if result.changed:
            stamped = one.config.stamp is not None
            became = f"version {result.before} -> {result.after}" if stamped else "migrated"
        print(f"{one.file}: {became}")


def _back(args: argparse.Namespace, one: _Input, journal: dict[str, Any]) -> _Result:
    """Take back what the migrations after a version changed, as the journal tells."""
    file, config, document, last = one.file, one.config, one.document, one.back_to
    assert last is not None
    version = version_of(document, config)
    if args.journal is None:
        raise Refused(
            "document_newer",
            f"the file is at version {version}, newer than {last}",
            fix="the way back needs --journal, the output of the run with --json --show-values",
        )
    steps = [s for s in journal.get(str(file), []) if s["to"] > last]
    reaches = config.stamp is None or (
        bool(steps) and steps[0]["from"] == last and steps[-1]["to"] == version
    )
    if not reaches:
        raise Refused(
            "journal_incomplete",
            f"the journal does not lead this file from version {version} back to {last}",
            fix="take the journal of the run that migrated it, written with --show-values",
        )
    for step in reversed(steps):
        undo(document, [Change.from_json(c) for c in step["changes"]])
    rendered = formats.render(document)
    return _Result(
        version,
        last,
        rendered.data,
        rendered.data != one.snapshot.data,
        {
            "path": str(file),
            "from": version,
            "to": last,
            "changed": rendered.data != one.snapshot.data,
        },
    )


def _config(bundle: Bundle, name: str | None, file: Path) -> Config:
    configs = bundle.manifest.configs
    if name is not None:
        if name not in configs:
            raise Refused(
                "config_unknown",
                f"the bundle has no configuration {name!r}",
                fix=f"use one of {', '.join(configs)}",
            )
        return configs[name]
    if len(configs) == 1:
        return next(iter(configs.values()))
    fitting = [
        c
        for c in configs.values()
        if any(pattern(p.rpartition("/")[2]).match(file.name) for p in c.files)
    ]
    if len(fitting) != 1:
        raise Refused(
            "config_ambiguous",
            "the file's name does not tell its configuration",
            fix=f"say --config, one of {', '.join(configs)}",
        )
    return fitting[0]


def _diff(args: argparse.Namespace, bundle: Bundle, one: _Input, new: bytes) -> str:
    from confmig import masking

    old, config = one.snapshot.data, one.config
    if args.show_values:
        return masking.unified(str(one.file), old.decode("utf-8"), new.decode("utf-8"))
    contract = bundle.contract.of(config.name)
    masker = masking.Masker(
        format=config.format,
        dialect=contract.dialect,
        secrets=contract.secrets,
        multi=config.multi_document,
    )
    return masker.diff(str(one.file), old, new)


def _write(disk: Disk, snapshot: Snapshot, data: bytes) -> None:
    try:
        replace_file(disk, snapshot, data, f"{PREFIX}{uuid.uuid4().hex}")
    except OSError as error:
        raise as_error(error) from None


def _answer(
    args: argparse.Namespace, file: Path, result: Transformed, key: bytes
) -> dict[str, Any]:
    """The journal and the loss ledger. Digests are keyed with a key of this run: they tell which
    values are equal and cannot be guessed from outside."""
    answer: dict[str, Any] = {
        "path": str(file),
        "from": result.before,
        "to": result.after,
        "changed": result.rendered is not None,
        "changes": [
            _entry(step.migration.id, change, key)
            for step in result.steps
            for change in step.changes
        ],
        "notes": [
            {"migration": step.migration.id, "path": place, "text": text}
            for step in result.steps
            for place, text in step.notes
        ],
        "lost_comments": _lost(args, result),
    }
    if args.show_values:
        answer["journal"] = [
            {
                "migration": step.migration.id,
                "from": step.before,
                "to": step.after,
                "changes": [c.as_json() for c in step.changes],
            }
            for step in result.steps
        ]
    return answer


def _entry(migration: str, change: Change, key: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "migration": migration,
        "kind": change.kind,
        "path": show(change.place),
    }
    if change.kind == "moved":
        entry["to"] = show(change.to)
    if change.kind in ("removed", "replaced"):
        entry["old_type"] = kind_of(change.old)
        entry["old_digest"] = _digest(change.old, key)
    if change.kind in ("added", "replaced"):
        entry["new_type"] = kind_of(change.new)
        entry["new_digest"] = _digest(change.new, key)
    return entry


def _digest(value: Any, key: bytes) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


def _lost(args: argparse.Namespace, result: Transformed) -> list[dict[str, Any]]:
    """The comments that went with deleted values: their line in the source file."""
    text = result.document.text
    out = []
    for start, end in result.rendered.lost_comments if result.rendered is not None else ():
        entry: dict[str, Any] = {"line": text.count("\n", 0, start) + 1, "length": end - start}
        if args.show_values:
            entry["text"] = text[start:end]
        out.append(entry)
    return out
