"""``confmig demo``: the whole job once, with the example bundle of the package.

Every command is run as a user would run it, in a process of its own, and shown with its output.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from confmig.errors import DEFERRED, DONE, Fault, Refused

EXAMPLE = Path(__file__).resolve().parent.parent / "example"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="make the example in this new directory and leave it there",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo. Raises ``Fault`` if a command ends otherwise than it should."""
    os.umask(0o022)  # the example must be what confmig obeys, whatever the user's umask is
    try:
        return _run(args)
    except OSError as error:  # shutil's own error is one, too
        raise Fault(
            "io_error",
            f"the example cannot be made: {error.strerror or 'a file cannot be copied'}",
            place=str(args.keep or tempfile.gettempdir()),
            fix="make room there, or name another directory with --keep",
        ) from None


def _run(args: argparse.Namespace) -> int:
    if args.keep is None:
        with tempfile.TemporaryDirectory(prefix="confmig-demo-") as folder:
            _demo(Path(folder))
        return DONE
    try:
        args.keep.mkdir(mode=0o700)
    except OSError as error:
        raise Refused(
            "io_error",
            f"the directory cannot be made: {error.strerror}",
            place=str(args.keep),
            fix="name a new directory below one that exists",
        ) from None
    _demo(args.keep.absolute())
    print(f"\nThe example is in {args.keep}; go on with `confmig status` there.")
    return DONE


def _demo(home: Path) -> None:
    shutil.copytree(EXAMPLE, home / "bundle", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "config").mkdir()
    document = home / "config" / "shop.yaml"
    shutil.copyfile(EXAMPLE / "shop.yaml", document)
    shutil.copyfile(EXAMPLE / "policy.yaml", home / "policy.yaml")
    document.chmod(0o640)
    (home / "confmig.yaml").write_text(
        "targets: [{name: shop, root: config, bundle: bundle, policy: policy.yaml}]\n"
        "state_dir: state\n"
        "telemetry: {exporter: none}\n"
        "watch: {settle_new: 0}\n"
    )
    _title("A configuration of schema version 0, with comments by hand")
    print(document.read_text(), end="")
    _title("What is pending, what may run now, and why not")
    _confmig(home, "plan")
    _title("What the whole chain would change: comments stay, secrets are masked")
    _confmig(home, "migrate", "--bundle", "bundle", "--diff", "config/shop.yaml")
    _title("One pass. The last migration waits for an approval, so the exit code is 3")
    _confmig(home, "run", "--once", expect=DEFERRED)
    before = _digest(document)
    _title("Approve it, and make another pass")
    _confmig(home, "approve", "0004_carriers", "--reason", "demo")
    _confmig(home, "run", "--once")
    _title("The configuration of schema version 4")
    print(document.read_text(), end="")
    _title("What was done, and the names of the events that a collector would receive")
    _confmig(home, "status")
    _events(home)
    _title("Roll the last transaction back: the bytes are those from before it")
    _confmig(home, "rollback", "--last")
    after = _digest(document)
    print(f"\nbefore the last transaction   {before}\nafter its rollback            {after}")
    if after != before:
        raise Fault("demo_failed", "the bytes are not those from before the transaction")
    print("byte-exact")


def _events(home: Path) -> None:
    print("$ confmig events --json   # without most attributes")
    words = [sys.executable, "-m", "confmig", "events", "--json"]
    done = subprocess.run(
        words, cwd=home, env=_environment(), capture_output=True, text=True, check=True
    )
    for event in json.loads(done.stdout):
        names = event["attributes"].get("config.migration.ids", [])
        names = names or [event["attributes"].get("config.migration.id", "")]
        print(f"{event['name']:32} {', '.join(names)}")


def _environment() -> dict[str, str]:
    """The environment without settings and endpoints of another confmig."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("CONFMIG", "OTEL_"))}


def _title(text: str) -> None:
    print(f"\n=== {text}\n", flush=True)


def _confmig(home: Path, *words: str, expect: int = DONE) -> None:
    """Run a command in the example's directory, and show it with its output."""
    print(f"$ confmig {' '.join(words)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "confmig", *words],
        cwd=home,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout + done.stderr, end="", flush=True)
    if done.returncode != expect:
        raise Fault(
            "demo_failed",
            f"`confmig {words[0]}` ended with exit code {done.returncode}, not {expect}",
            fix="please report the output above",
        )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
