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
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from confmig.adapters.files.content import digest_of
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import Transformed, Versions
from confmig.cli import output, session
from confmig.cli.progress import Progress
from confmig.core.bundle.manifest import Config
from confmig.documents.model.journal import Change
from confmig.documents.model.path import show
from confmig.documents.model.values import kind_of
from confmig.documents.text.unified import unified
from confmig.errors import BUG, INVALID, REFUSED, Bug, ConfmigError, Usage, worst
from confmig.offline import migrate as offline
from confmig.reports.messages import error_json
from confmig.writer import escaped

_REMEMBER = 16 << 20
"""Bytes of text whose trees are kept between reading the version and running the chain."""


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
        help="for a lower --to: the output of the run with --json --show-values",
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


def run(args: argparse.Namespace) -> int:
    """Migrate every file; report every refusal, not only the first."""
    if args.stdout and len(args.files) > 1:
        raise Usage("usage", "--stdout takes one file", fix="use --write or --diff for several")
    worker = session.worker(_REMEMBER)
    bundle = worker.load(args.bundle, parameters=_parameters(args.param), shared=True)
    with Progress(len(args.files), args.progress) as progress:
        answers, codes = _Run(args, bundle, progress).all()
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
    return worst([0, *codes])


class _Run:
    """One command line: its files in order, their answers and exit codes."""

    def __init__(self, args: argparse.Namespace, bundle: Bundle, progress: Progress) -> None:
        self.args = args
        self.bundle = bundle
        self.progress = progress
        self.journal = _journal(args.journal)
        self.key = secrets.token_bytes(32)
        self.answers: dict[int, dict[str, Any]] = {}
        self.codes: list[int] = []

    def all(self) -> tuple[list[dict[str, Any]], list[int]]:
        """Every file; those whose configurations are bound to others come last."""
        bound = offline.bound(self.bundle)
        later: list[tuple[int, Path, Config]] = []
        for number, file in enumerate(self.args.files):
            try:
                config = offline.config_of(self.bundle, self.args.config, file)
                if config.name in bound:
                    later.append((number, file, config))
                    continue
                self.progress.step(file.name)
                with ExitStack() as stack:
                    self._component({number: self._open(file, config, stack)})
            except ConfmigError as error:
                self._refused([number], error)
            except Exception as error:  # noqa: BLE001 - a bug with one file must not end the others
                self._refused([number], Bug.of(error))
        with ExitStack() as stack:
            inputs: dict[int, offline.Input] = {}
            for number, file, config in later:
                self.progress.step(file.name)
                try:
                    inputs[number] = self._open(file, config, stack)
                except ConfmigError as error:
                    self._refused([number], error)
                except Exception as error:  # noqa: BLE001 - as above
                    self._refused([number], Bug.of(error))
            for group in offline.components(inputs.values()):
                numbers = [n for n, one in inputs.items() if one in group]
                try:
                    self._component({n: inputs[n] for n in numbers})
                except ConfmigError as error:
                    self._refused(numbers, error)
                except Exception as error:  # noqa: BLE001 - as above
                    self._refused(numbers, Bug.of(error))
        return [self.answers[number] for number in sorted(self.answers)], self.codes

    def _open(self, file: Path, config: Config, stack: ExitStack) -> offline.Input:
        back = self.args.journal is not None
        return offline.open_file(
            self.bundle, file, config, self.args.to, back=back, write=self.args.write, stack=stack
        )

    def _component(self, inputs: dict[int, offline.Input]) -> None:
        files = list(inputs.values())
        results = offline.transform(self.bundle, files, self.journal)
        if self.args.write:
            offline.write(files, results)
            if any(r.changed for r in results):
                output.changed()
        self.progress.clear()
        diffs = self._diffs(files, results)
        for (number, one), result, diff in zip(inputs.items(), results, diffs, strict=True):
            self._say(one, result, diff)
            together = [str(other.file) for other in files if other is not one]
            self.answers[number] = _answer(self.args, one, result, self.key, together)

    def _diffs(self, files: list[offline.Input], results: list[offline.Result]) -> list[str]:
        """The diff of each file; secrets may move between files, so all are masked together."""
        if not self.args.diff or self.args.json:
            return [""] * len(files)
        if self.args.show_values:
            return [_unmasked(one, result.data) for one, result in zip(files, results, strict=True)]
        versions = [
            Versions(str(one.file), one.config.name, (one.snapshot.data, result.data))
            for one, result in zip(files, results, strict=True)
        ]
        return [diff for (diff,) in self.bundle.report(versions)]

    def _refused(self, numbers: list[int], error: ConfmigError) -> None:
        # a document is always the caller's input here, whatever part of us found the flaw
        kept = error.exit_code in (INVALID, BUG)
        self.codes.append(error.exit_code if kept else REFUSED)
        self.progress.clear()
        files = [str(self.args.files[n]) for n in numbers]
        error.in_file(" + ".join(files))
        print(f"confmig: {error}", file=sys.stderr)
        for number, file in zip(numbers, files, strict=True):
            self.answers[number] = {"path": file, "error": error_json(error)}

    def _say(self, one: offline.Input, result: offline.Result, diff: str) -> None:
        args = self.args
        if args.json:
            return
        if args.stdout:
            sys.stdout.flush()
            sys.stdout.buffer.write(result.data)
            sys.stdout.buffer.flush()
        elif args.diff and result.changed:
            sys.stdout.write(diff)
        elif args.write and self.progress.quiet:
            became = "unchanged"
            if result.changed:
                stamped = one.config.stamp is not None
                became = f"version {result.before} -> {result.after}" if stamped else "migrated"
            print(f"{one.file}: {became}")
        if result.done is not None:  # on stderr: the text itself may be on stdout
            for remark in result.done.remarks:
                print(f"confmig: {escaped(f'{one.file}: {remark}')}", file=sys.stderr)


def _parameters(words: list[str]) -> dict[str, str]:
    out = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise Usage(
                "usage",
                f"--param {word}: a name and a text are needed",
                fix="write --param NAME=TEXT",
            )
        out[name] = text
    return out


def _journal(file: Path | None) -> dict[str, Any] | None:
    """The entries of a former run that hold a journal, by path."""
    if file is None:
        return None
    try:
        data = json.loads(file.read_bytes())
        return {f["path"]: f for f in data["files"] if "journal" in f}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Usage(
            "journal_unreadable",
            f"{file} is not the journal of a run ({type(error).__name__})",
            fix="keep the output of migrate --json --show-values",
        ) from None


def _unmasked(one: offline.Input, new: bytes) -> str:
    old, encoding = one.snapshot.data, one.config.encoding
    return unified(str(one.file), old.decode(encoding), new.decode(encoding))


def _answer(
    args: argparse.Namespace,
    one: offline.Input,
    result: offline.Result,
    key: bytes,
    together: list[str],
) -> dict[str, Any]:
    """The journal and the loss ledger.

    Digests are keyed with a key of this run: they tell which values are equal and cannot be
    guessed from outside.
    """
    answer: dict[str, Any] = {
        "path": str(one.file),
        "from": result.before,
        "to": result.after,
        "changed": result.changed,
    }
    done = result.done
    if done is None:
        return answer
    answer |= {
        "changes": [
            _entry(step.migration, change, key) for step in done.steps for change in step.changes
        ],
        "notes": [
            {"migration": step.migration, "path": place, "text": text}
            for step in done.steps
            for place, text in step.notes
        ],
        "lost_comments": _lost(args, done),
    }
    if args.show_values:
        answer["config"] = one.config.name
        answer["encoding"] = one.config.encoding
        answer["source"] = one.snapshot.data.decode(one.config.encoding)
        answer["result"] = digest_of(result.data)
        answer["together"] = together
        answer["journal"] = [
            {
                "migration": step.migration,
                "from": step.before,
                "to": step.after,
                "changes": [c.as_json() for c in step.changes],
            }
            for step in done.steps
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
    out = []
    for comment in result.lost_comments:
        entry: dict[str, Any] = {"line": comment.line, "length": len(comment.text)}
        if args.show_values:
            entry["text"] = comment.text
        out.append(entry)
    return out
