"""``confmig migrate FILE...``: a bundle's chain on files, without daemon, state or policy."""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from pathlib import Path
from typing import Any

from confmig.adapters.bundle import Bundle, Transformed, load
from confmig.adapters.disk import PREFIX, Disk, Snapshot, pattern
from confmig.core.manifest import Config
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
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--stdout", action="store_true", help="print the migrated file (one file only)"
    )
    how.add_argument("--diff", action="store_true", help="print what would change")
    how.add_argument("--write", action="store_true", help="change the files")
    parser.add_argument("--json", action="store_true", help="the change journal as JSON on stdout")
    parser.add_argument(
        "--show-values", action="store_true", help="do not mask secrets in diff and journal"
    )


def run(args: argparse.Namespace) -> int:
    """Migrate every file; report every refusal, not only the first."""
    if args.stdout and len(args.files) > 1:
        raise Usage("usage", "--stdout takes one file", fix="use --write or --diff for several")
    bundle = load(args.bundle)
    codes, answers = [0], []
    for file in args.files:
        try:
            answers.append(_one(args, bundle, file))
        except ConfmigError as error:
            # a document is always the caller's input here, whatever part of us found the flaw
            codes.append(INVALID if error.exit_code == INVALID else REFUSED)
            print(f"confmig: {file}: {error}", file=sys.stderr)
            answers.append(
                {"path": str(file), "error": {"code": error.code, "message": error.message}}
            )
    if args.json:
        print(json.dumps({"files": answers}, indent=2))
    return worst(codes)


def _one(args: argparse.Namespace, bundle: Bundle, file: Path) -> dict[str, Any]:
    config = _config(bundle, args.config, file)
    with Disk(str(file.parent), size_cap=bundle.caps.size) as disk:
        snapshot = disk.read(file.name)
        version = bundle.version(config, snapshot.data)
        chain = bundle.manifest.chain(config.name)
        last = chain[-1].version if args.to is None else args.to
        if not chain[0].version - 1 <= last <= chain[-1].version:
            raise Refused(
                "version_unknown",
                f"the bundle knows {config.name} from {chain[0].version - 1} "
                f"to {chain[-1].version}, not {last}",
            )
        if version > last:
            raise Refused("document_newer", f"the file is at version {version}, newer than {last}")
        steps = [m.id for m in chain if version < m.version <= last]
        if steps and version < chain[0].version - 1:
            raise Refused(
                "document_too_old",
                f"the file is at version {version}; the bundle begins at {chain[0].version - 1}",
            )
        result = bundle.transform(config, snapshot.data, steps)
        data = result.rendered.data if result.rendered is not None else snapshot.data
        if args.stdout and not args.json:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        elif args.diff and not args.json and result.rendered is not None:
            sys.stdout.write(_diff(args, bundle, config, file, snapshot.data, data))
        elif args.write and result.rendered is not None:
            _write(disk, snapshot, data)
        if args.write and not args.json:
            print(
                f"{file}: version {version} -> {result.after}"
                if result.rendered
                else f"{file}: unchanged"
            )
    return _answer(args, file, result)


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


def _diff(
    args: argparse.Namespace, bundle: Bundle, config: Config, file: Path, old: bytes, new: bytes
) -> str:
    from confmig import masking

    if args.show_values:
        return masking.unified(str(file), old.decode("utf-8"), new.decode("utf-8"))
    contract = bundle.contract.of(config.name)
    masker = masking.Masker(
        format=config.format, dialect=contract.dialect, secrets=contract.secrets
    )
    return masker.diff(str(file), old, new)


def _write(disk: Disk, snapshot: Snapshot, data: bytes) -> None:
    try:
        replace_file(disk, snapshot, data, f"{PREFIX}{uuid.uuid4().hex}")
    except OSError as error:
        raise as_error(error) from None


def _answer(args: argparse.Namespace, file: Path, result: Transformed) -> dict[str, Any]:
    changes = []
    for step in result.steps:
        for change in step.changes:
            entry: dict[str, Any] = {
                "migration": step.migration.id,
                "kind": change.kind,
                "path": show(change.place),
            }
            if change.kind == "moved":
                entry["to"] = show(change.to)
            if change.kind in ("removed", "replaced"):
                entry["old_type"] = kind_of(change.old)
            if change.kind in ("added", "replaced"):
                entry["new_type"] = kind_of(change.new)
            if args.show_values:
                entry |= {
                    k: v for k, v in (("old", change.old), ("new", change.new)) if v is not None
                }
            changes.append(entry)
    return {
        "path": str(file),
        "from": result.before,
        "to": result.after,
        "changed": result.rendered is not None,
        "changes": changes,
        "lost_comments": len(result.rendered.lost_comments) if result.rendered else 0,
    }
