"""``make demo``: the whole job once, on a real old configuration file.

An AdGuard Home configuration of schema version 1, with an operator's comments, is planned,
diffed, migrated to version 34 under a policy, and rolled back; a local OTLP receiver prints the
events as they arrive. Everything happens in a temporary directory and on loopback.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import reference
from tests.support.otlp_receiver import OtlpReceiver

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "migrations" / "fixtures" / "0002_coredns_to_dns" / "full.input.yaml"
POLICY = """\
timezone: Europe/Berlin
windows:
  any-day: {kind: allow, start: "00:00", duration: 24h}
classes:
  online:          {windows: always}
  post_deploy:     {windows: [any-day]}
  manual_backfill: {windows: [any-day], approval: {required: 1, ttl: 1h}}
"""


def title(text: str) -> None:
    """A heading."""
    print(f"\n=== {text}\n", flush=True)


def confmig(*words: str, expect: int = 0, quiet: bool = False) -> str:
    """Run a command as a user would; shows the command and what it prints."""
    if not quiet:
        print(f"$ confmig {' '.join(words)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "confmig", *words], capture_output=True, text=True, check=False
    )
    if not quiet:
        print(done.stdout + done.stderr, end="", flush=True)
    if done.returncode != expect:
        sys.exit(f"demo: exit code {done.returncode}, expected {expect}\n{done.stderr}")
    return done.stdout


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> None:
    """Run the demo; any surprise ends it with an error."""
    with tempfile.TemporaryDirectory(prefix="confmig-demo-") as folder, OtlpReceiver() as receiver:
        home = Path(folder)
        (home / "config").mkdir()
        bundle = reference.bundle()  # root does not obey a checkout of another user
        file = home / "config" / "AdGuardHome.yaml"
        shutil.copyfile(SOURCE, file)
        file.chmod(0o640)
        (home / "policy.yaml").write_text(POLICY)
        settings = home / "confmig.yaml"
        settings.write_text(
            f"targets: [{{name: home, root: config, bundle: {bundle}, policy: policy.yaml}}]\n"
            "state_dir: state\n"
            f"telemetry: {{endpoint: {receiver.endpoint}}}\n"
        )
        where = ("--settings", str(settings))

        title("The plan: what is pending, what may run now, and why not")
        confmig("plan", *where)
        plan = json.loads(confmig("plan", *where, "--json", quiet=True))
        pending = plan["targets"][0]["pending"]

        title("What the whole chain would change: comments stay, secrets are masked")
        confmig("migrate", "--bundle", str(ROOT), "--diff", str(file))

        title("One pass. The backfill waits for somebody's yes, so exit code 3")
        confmig("run", "--once", *where, expect=3)

        title("Approve what needs it, and make another pass: version 34, exit code 0")
        for migration in pending:
            if migration["class"] == "manual_backfill":
                confmig("approve", migration["id"], "--reason", "demo", *where)
        confmig("run", "--once", *where)
        after = digest(file)

        title("The events, as the OTLP receiver got them")
        receiver.wait_for(
            lambda r: sum(x.event_name == "config.migrated" for x in r.logs) >= len(pending)
        )
        for record in receiver.logs:
            a = record.attributes
            what = a.get("config.migration.id", a.get("config.policy.digest", ""))
            versions = ""
            if record.event_name == "config.migrated":
                versions = f"{a['config.schema.version.from']} -> {a['config.schema.version.to']}"
            reason = a.get("config.migration.reason", "")
            print(f"{record.severity_text:5} {record.event_name:32} {what} {versions}{reason}")
        uids = [r.attributes["log.record.uid"] for r in receiver.logs]
        print(
            f"\n{len(uids)} events, {len(set(uids))} different log.record.uid, "
            f"{len({s.name for s in receiver.spans})} kinds of spans received"
        )

        title("The status")
        confmig("status", *where)

        title("Roll the last transaction back: the same bytes as before it")
        confmig("rollback", "--last", *where)
        restored, recorded = digest(file), _before_last(home, file)
        print(f"\nmigrated                        {after}")
        print(f"before, says the checkpoint     {recorded}")
        print(f"restored                        {restored}")
        if restored != recorded:
            sys.exit("demo: the bytes are not the ones before")
        print("byte-exact")


def _before_last(home: Path, file: Path) -> str:
    """What the checkpoint of the last migration says the file was.

    A line of JSON for each file, below a line about the transaction.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "confmig", "history", "--json", "--settings", home / "confmig.yaml"],
        capture_output=True,
        check=True,
        text=True,
    )
    newest = json.loads(listed.stdout)["transactions"]
    last = next(t for t in newest if t["kind"] == "apply")
    lines = Path(last["rollback_checkpoint_path"]).read_text().splitlines()[1:]
    files = [json.loads(line) for line in lines]
    return str(next(f["old"] for f in files if f["path"] == file.name))


if __name__ == "__main__":
    main()
