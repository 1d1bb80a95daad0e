"""A small world for one end-to-end test: settings, bundle, policy, documents, and the command.

Everything goes through the command line in a process of its own. ``drive`` runs the same command
line after a piece of Python, which is how a test puts an edit or a crash at an exact moment.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.support import reference

REPOSITORY = Path(__file__).resolve().parents[2]
REFERENCE = reference.bundle()
FIXTURES = REPOSITORY / "migrations" / "fixtures"
VERSION_1 = FIXTURES / "0002_coredns_to_dns" / "full.input.yaml"

OPEN = """\
timezone: UTC
windows: {}
classes:
  online: {windows: always}
  post_deploy: {windows: always}
  manual_backfill: {windows: always, approval: {required: 1}}
"""
FREE = OPEN.replace("approval: {required: 1}", "approval: none")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def environment(**more: str) -> dict[str, str]:
    """Our environment without what changes confmig's behaviour.

    A test writes its documents at once and knows when they are complete, so new ones need not
    settle for a second.
    """
    strange = ("CONFMIG", "OTEL_", "TRACEPARENT", "TRACESTATE", "POD_UID")
    env = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    env["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), *filter(None, [env.get("PYTHONPATH")])])
    return env | {"CONFMIG__WATCH__SETTLE_NEW": "0"} | more


def confmig(*words: str | Path, cwd: Path | None = None, timeout: float = 150, **env: str) -> Done:
    """Run one command line."""
    return _run([sys.executable, "-m", "confmig", *map(str, words)], cwd, timeout, env)


def _run(command: Sequence[str], cwd: Path | None, timeout: float, env: Mapping[str, str]) -> Done:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def until(condition: Callable[[], T], timeout: float = 15.0, what: str = "") -> T:
    """The first true value of a condition; fails after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.02)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Step:
    """One migration of a small bundle. ``handler`` replaces the operations."""

    id: str
    operations: Sequence[Mapping[str, Any]] = ()
    kind: str = "online"
    config: str = "app"
    handler: str | None = None
    depends_on: Sequence[str] = ()


def write_bundle(
    folder: Path,
    steps: Sequence[Step],
    files: Mapping[str, Sequence[str]] | None = None,
    contract: Mapping[str, Any] | None = None,
) -> Path:
    """Write a bundle (versions count from 0 in each config) and its sums."""
    files = files or {"app": ["*.yaml"]}
    folder.mkdir(parents=True, exist_ok=True)
    migrations = folder / "migrations"
    (migrations / "schemas").mkdir(parents=True, exist_ok=True)
    versions: dict[str, int] = {}
    entries = []
    for order, step in enumerate(steps, 1):
        versions[step.config] = versions.get(step.config, 0) + 1
        entries.append(
            {
                "id": step.id,
                "order": order,
                "class": step.kind,
                "sets": {step.config: versions[step.config]},
                "depends_on": list(step.depends_on),
                "description": f"step {order}",
            }
        )
        if step.handler is not None:
            (migrations / f"{step.id}.py").write_text(step.handler)
        else:
            (migrations / f"{step.id}.yaml").write_text(
                yaml.safe_dump([dict(o) for o in step.operations], sort_keys=False)
            )
    manifest = {
        "_config_version": 1,
        "bundle": "small",
        "configs": {
            name: {
                "files": list(patterns),
                "format": "yaml",
                "version": {"path": "schema_version", "absent": 0},
            }
            for name, patterns in files.items()
        },
        "migrations": entries,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
    (migrations / "schemas" / "contract.json").write_text(
        json.dumps(contract or {"configs": {name: {"versions": {}} for name in files}})
    )
    done = confmig("sum", "--bundle", folder)
    assert done.code == 0, done
    return folder


TWO = (
    Step("0001_listen", ({"move": {"from": "server.port", "to": "listen.port"}},)),
    Step("0002_feature", ({"set": {"path": "feature", "value": True}},)),
)
"""Two online steps."""


def document(name: str = "a", version: int | None = 0) -> str:
    """A commented document for ``TWO``."""
    stamp = "" if version is None else f"schema_version: {version}\n"
    return (
        f"# {name}: by hand\n{stamp}server:\n  port: 8080  # the port\n  host: 'localhost'\n"
        "# the end\n"
    )


class World:
    """Settings, bundle, policy and documents below one directory."""

    def __init__(
        self,
        folder: Path,
        *,
        bundle: Path = REFERENCE,
        policy: str | None = None,
        documents: Mapping[str, str | bytes] | None = None,
        telemetry: str = "{exporter: none}",
        more: str = "",
    ) -> None:
        self.folder = folder
        self.bundle = bundle
        self.config = folder / "config"
        self.state = folder / "state"
        self.policy = folder / "policy.yaml"
        self.settings = folder / "confmig.yaml"
        self.config.mkdir(parents=True)
        for name, text in (documents or {}).items():
            self.put(name, text)
        if policy is not None:
            self.policy.write_text(policy)
        named = ", policy: policy.yaml" if policy is not None else ""
        self.settings.write_text(
            f"targets: [{{name: app, root: config, bundle: '{bundle}'{named}}}]\n"
            f"state_dir: state\ntelemetry: {telemetry}\n{more}"
        )

    def put(self, name: str, text: str | bytes) -> Path:
        """Write a document."""
        file = self.config / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def run(self, *words: str | Path, timeout: float = 150, **env: str) -> Done:
        """A command with our settings."""
        return _run(
            [sys.executable, "-m", "confmig", *map(str, words), "--settings", str(self.settings)],
            None,
            timeout,
            env,
        )

    def once(self, *words: str, **env: str) -> Done:
        """``run --once``."""
        return self.run("run", "--once", *words, timeout=60, **env)

    def drive(self, code: str, *words: str | Path, timeout: float = 150, **env: str) -> Done:
        """Run ``code`` in the process, then a command with our settings."""
        text = (
            f"import sys\nWORLD = {str(self.folder)!r}\n{code}\n"
            "from confmig.cli import run\nsys.exit(run(sys.argv[1:]))\n"
        )
        words = (*words, "--settings", self.settings)
        return _run([sys.executable, "-c", text, *map(str, words)], None, timeout, env)

    def version(self, name: str) -> int:
        """The stamp of a document, read by another parser."""
        data = yaml.safe_load((self.config / name).read_bytes()) or {}
        return int(data.get("schema_version", 0))

    def status(self, **env: str) -> Any:
        """``status --json``."""
        return self.run("status", "--json", timeout=60, **env).json

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The recorded events (of one name), oldest first."""
        rows: list[dict[str, Any]] = self.run("events", "--limit", "100000", "--json").json
        return [r for r in rows if name in (None, r["name"])]

    def query(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        """Read the state database."""
        with closing(sqlite3.connect(f"file:{self.state}/state.db?mode=ro", uri=True)) as db:
            return db.execute(sql, args).fetchall()

    def dump(self) -> str:
        """The whole state as SQL."""
        with closing(sqlite3.connect(f"file:{self.state}/state.db?mode=ro", uri=True)) as db:
            return "\n".join(db.iterdump())

    def facts(self) -> dict[str, tuple[bytes, int, int, int, int]]:
        """All that a run with nothing to do must leave alone below the target."""
        out = {}
        for path in sorted(self.config.rglob("*")):
            found = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            key = str(path.relative_to(self.config))
            out[key] = (content, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_mode)
        return out


class Daemon:
    """A running ``confmig run``; a context manager. Standard error is in a file."""

    def __init__(self, world: World, *words: str, **env: str) -> None:
        self.world = world
        self.log = world.folder / f"daemon-{time.monotonic_ns()}.log"
        if "http:" not in world.settings.read_text():
            env.setdefault("CONFMIG__HTTP__PORT", "0")  # tests run side by side
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "confmig", "run", *words, "--settings", world.settings],
                env=environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def base(self) -> str:
        """The address of the probes, as the daemon says it."""

        def found() -> str | None:
            assert self.alive, self.said
            for line in self.said.splitlines():
                if "probes on " in line:
                    return line.split("probes on ")[1].strip()
            return None

        return until(found, what=f"the probes' address: {self.said}") or ""

    def get(self, path: str) -> tuple[int, str]:
        """GET a probe: status and body."""
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(self.base() + path, timeout=10) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def is_up(self, path: str, status: int = 200, timeout: float = 15.0) -> str:
        """Wait until a probe answers so; its body."""

        def answered() -> str | None:
            code, body = self.get(path)
            return body if code == status else None

        try:
            return until(answered, timeout) or ""
        except AssertionError:
            raise AssertionError(f"{path}: {self.get(path)}; {self.said}") from None

    def end(self, how: signal.Signals = signal.SIGTERM, timeout: float = 20) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout)


def temporaries(folder: Path) -> Iterator[Path]:
    """What confmig left in a configuration directory."""
    return folder.rglob(".confmig-*")
