"""The command line: one file per command, imported only when it is called.

Exit codes are in ``confmig.errors``. On stdout there is nothing but the answer; errors and
progress go to stderr. With ``--json`` an error is one JSON object on stdout too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from confmig import __version__
from confmig.cli import output
from confmig.errors import BUG, DONE, INTERRUPTED, INVALID, Bug, ConfmigError, Problem
from confmig.writer import did_you_mean, error_lines

COMMANDS = {
    "run": "watch and migrate until stopped; --once makes one pass",
    "plan": "show what is pending, whether it may run now, and why",
    "dry-run": "show what every pending migration would do; no file is changed",
    "migrate": "migrate files without daemon, state or policy",
    "status": "show documents, applied migrations, and what blocks",
    "approve": "approve a migration that needs an approval",
    "retry": "let a migration that failed or was rolled back run again",
    "rollback": "restore what a transaction changed; later edits are kept",
    "resolve": "end a partial failure",
    "check": "validate a bundle and replay its fixtures, or check settings and policy",
    "sum": "write manifest.sum, the checksums of a bundle",
    "retire": "remove old migrations from a bundle",
    "events": "show the recorded events; --replay delivers them again",
    "clean": "remove the temporary files of transactions whose state was lost",
    "history": "show the transactions; --verify checks what was recorded",
    "backup-state": "write the state directory to one file",
    "restore-state": "restore the state directory from a file of backup-state",
    "schema": "print the JSON Schema of a kind of file, for editors",
    "demo": "run everything once, on an example in a temporary directory",
    "version": "print the version",
}
_EPILOG = """exit codes:
  0 done or nothing to do     1 refused: your input       2 usage, or invalid settings,
  3 deferred by policy        4 failed, nothing changed     manifest or policy
  5 partial failure           6 lock held                 7 committed, a later step failed
  70 bug                      130 interrupted

`confmig COMMAND --help` describes a command. Most commands take --settings confmig.yaml."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        lines = error_lines("usage", message, fix=f"`{self.prog} --help` lists what it takes")
        self.exit(INVALID, f"{output.highlighted(f'{self.prog}:')} " + "\n".join(lines) + "\n")

    def refuse_unknown(self, words: Sequence[str]) -> NoReturn:
        """Say which word is not known, and which one was probably meant."""
        word = words[0]
        options = [option for action in self._actions for option in action.option_strings]
        if word.startswith("-"):
            name = word.partition("=")[0]
            self.error(f"unknown option `{name}`" + did_you_mean(name, options))
        self.error(f"unexpected word `{word}`")


def _parsed(words: list[str]) -> argparse.Namespace:
    """The words of a command line. Exits with 2 if they do not go together."""
    parser = _Parser(
        prog="confmig",
        description="Migrate configuration files: lossless, crash-proof, in their windows.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"confmig {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    wanted = next((w for w in words if not w.startswith("-")), None)
    if wanted is not None and wanted not in COMMANDS:
        parser.error(f"unknown command `{wanted}`" + did_you_mean(wanted, COMMANDS))
    used = parser
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == wanted:
            _module(name).arguments(sub)
            used = sub
    args, unknown = parser.parse_known_args(words)
    if unknown:
        used.refuse_unknown(unknown)
    if args.command is None:
        parser.error("a command is missing")
    return args


def _module(name: str):  # type: ignore[no-untyped-def]
    return import_module(f"confmig.cli.{name.replace('-', '_')}")


def run(words: list[str]) -> int:
    """Run one command line; returns the exit code."""
    output.guard()
    try:
        code = _run(words)
    except SystemExit as end:  # argparse ends --help, --version and a wrong usage itself
        code = end.code if isinstance(end.code, int) else DONE
    return output.finish(code)


def _run(words: list[str]) -> int:
    as_json = False
    try:
        args = _parsed(words)
        as_json = getattr(args, "json", False)
        return int(_module(args.command).run(args))
    except ConfmigError as error:
        _report_all(error, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        print("confmig: interrupted; nothing is lost, run it again", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: a bug becomes a report
        _report_all(Bug.of(error), as_json=as_json)
        if os.environ.get("CONFMIG_TRACEBACK"):
            traceback.print_exception(error)
        return BUG


def _report_all(error: ConfmigError, *, as_json: bool) -> None:
    """Show an error to a person, and to a program that asked for JSON."""
    if as_json:
        from confmig.reports.messages import error_json

        print(json.dumps({"error": error_json(error)}, indent=2))
    report(error)


def report(error: ConfmigError, about: str = "") -> None:
    """Show an error to a person, on stderr. ``about`` names the target, if there are several."""
    problems: Sequence[Problem] = getattr(error, "problems", ())
    alone = len(problems) == 1  # it says everything that the error says
    head = problems[0] if alone else error
    name = output.highlighted("confmig:")
    print(f"{name} {f'{about}: ' if about else ''}{head}", file=sys.stderr)
    for problem in () if alone else problems:
        for line in problem.lines:
            print(f"  {line}", file=sys.stderr)
