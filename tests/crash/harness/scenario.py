"""The world one crash run happens in: settings, bundle, policy and documents in one directory.

Everything is below one directory and everything is named relatively, so that a copy is as good as
the original: the template is built once (`confmig sum` included) and each run has its own copy.
Copies of one sweep have names of equal length, lest a path that is recorded somewhere makes one
state database a page longer than another and shifts the numbering of its writes.

The documents are ordinary files with what is easily lost attached: different modes, an extended
attribute where the filesystem has them, and, when the tests run as root, another owner.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
ENGINE = (sys.executable, "-m", "confmig")

SETTINGS = """\
targets: [{name: app, root: config, bundle: bundle, policy: policy.yaml}]
state_dir: state
telemetry: {exporter: none}
"""
POLICY = """\
timezone: UTC
windows: {}
classes: {online: {windows: always}}
"""


@dataclass(frozen=True, slots=True)
class Document:
    """One file below the configuration root. `owner` (uid, gid) is set only when run as root."""

    path: str
    text: str
    mode: int
    attributes: Mapping[str, bytes] = field(default_factory=dict)
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Migration:
    """One online migration: the operations of its file. Its place in the list is its order."""

    id: str
    operations: tuple[Mapping[str, object], ...]


def _text(name: str, extra: int) -> str:
    lines = [
        f"# {name}: written by hand, comments are kept",
        "schema_version: 0",
        "",
        "# where the service listens",
        "server:",
        "  port: 8080  # moved by 0001",
        "  host: 'localhost'",
        "upstreams:",
        *(f"  - name: upstream-{number}   # number {number}" for number in range(extra)),
        "# the end",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Spec:
    """What to build. The default: three commented documents, two migrations, always open.

    `others` are files that no migration touches (their names end with `promises.OTHER`), `links`
    symbolic links, and `folders` directories that have something that is easily lost, too.
    """

    documents: tuple[Document, ...] = (
        Document("a.yaml", _text("a", 3), 0o640, {"user.confmig-test": b"kept"}),
        Document("b.yaml", _text("b", 40), 0o600, owner=(65534, 65534)),
        Document("sub/c.yaml", _text("c", 1), 0o644),
    )
    migrations: tuple[Migration, ...] = (
        Migration("0001_listen", ({"move": {"from": "server.port", "to": "listen.port"}},)),
        Migration("0002_feature", ({"set": {"path": "feature", "value": True}},)),
    )
    settings: str = SETTINGS
    policy: str = POLICY
    others: tuple[Document, ...] = ()
    folders: tuple[Document, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The version every document has in the end."""
        return len(self.migrations)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A built directory; `directory` has no symbolic link in it, as strace shows real paths."""

    directory: Path
    spec: Spec

    @property
    def config(self) -> Path:
        return self.directory / "config"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def roots(self) -> tuple[Path, Path]:
        return self.config, self.state

    @property
    def apply(self) -> tuple[str, ...]:
        """The command that is killed and repeated, to be run in `directory`."""
        return (*ENGINE, "run", "--once", "--settings", "confmig.yaml")

    def run(self, env: Mapping[str, str]) -> tuple[int, str]:
        """Run `apply` to its end; exit code and what it said."""
        return _run(self.apply, self.directory, env)


def build(directory: Path, env: Mapping[str, str], spec: Spec | None = None) -> Scenario:
    """Write the scenario into `directory`, which must not exist; AssertionError if that fails."""
    spec = spec or Spec()
    directory.mkdir(parents=True)
    scenario = Scenario(directory.resolve(), spec)
    _write(directory / "confmig.yaml", spec.settings)
    _write(directory / "policy.yaml", spec.policy)
    for document in (*spec.documents, *spec.others):
        _write(scenario.config / document.path, document.text)
        _dress(scenario.config / document.path, document)
    for name, leads in spec.links.items():
        (scenario.config / name).symlink_to(leads)
    for folder in spec.folders:
        (scenario.config / folder.path).mkdir(parents=True, exist_ok=True)
        _dress(scenario.config / folder.path, folder)
    _bundle(directory / "bundle", spec)
    code, said = _run((*ENGINE, "sum", "--bundle", "bundle"), directory, env)
    assert code == 0, f"confmig sum ended with {code}: {said}"
    return scenario


def copy(scenario: Scenario, to: Path) -> Scenario:
    """An independent copy in `to`, which must not exist: contents, modes, times, owners, xattrs."""
    shutil.copytree(scenario.directory, to, symlinks=True)
    if os.geteuid() == 0:
        # Every file, not only the documents: a temporary holds somebody's old document.
        for directory, folders, names in os.walk(scenario.config):
            for name in (*folders, *names):
                was = os.lstat(os.path.join(directory, name))
                file = to / "config" / os.path.relpath(directory, scenario.config) / name
                os.chown(file, was.st_uid, was.st_gid, follow_symlinks=False)
                if not file.is_symlink():
                    file.chmod(was.st_mode & 0o7777)
    return Scenario(to.resolve(), scenario.spec)


def environment(pycache: Path, *, warm: bool = False) -> dict[str, str]:
    """The environment of a run: ours, without what could change how often it calls the kernel.

    Byte code comes from `pycache` and from nowhere else. Only a `warm` run fills it, so that all
    the others find the same files there, whoever else imports the package meanwhile.
    """
    strange = ("PYTHON", "CONFMIG", "OTEL_", "COVERAGE", "TRACEPARENT", "TRACESTATE")
    env = {key: value for key, value in os.environ.items() if not key.startswith(strange)}
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]  # an engine with a bug is ours
    env["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    env |= {"PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": str(pycache)}
    # the documents are complete: looking again until they have settled would vary the calls
    env |= {"CONFMIG__WATCH__SETTLE": "0", "CONFMIG__WATCH__SETTLE_NEW": "0"}
    if not warm:
        env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def _bundle(bundle: Path, spec: Spec) -> None:
    migrations = []
    for order, migration in enumerate(spec.migrations, start=1):
        migrations.append(
            {
                "id": migration.id,
                "order": order,
                "class": "online",
                "sets": {"app": order},
                "depends_on": [spec.migrations[order - 2].id] if order > 1 else [],
                "description": f"step {order} of the crash scenario",
                "impact": "normal",
            }
        )
        operations = yaml.safe_dump([dict(one) for one in migration.operations], sort_keys=False)
        _write(bundle / "migrations" / f"{migration.id}.yaml", operations)
    manifest = {
        "_config_version": 1,
        "bundle": "crash",
        "configs": {
            "app": {
                "files": ["*.yaml", "sub/*.yaml"],
                "format": "yaml",
                "version": {"path": "schema_version", "absent": 0},
            }
        },
        "migrations": migrations,
    }
    _write(bundle / "manifest.json", json.dumps(manifest, indent=2) + "\n")
    contract: dict[str, object] = {"configs": {"app": {"versions": {}}}}
    _write(bundle / "migrations/schemas/contract.json", json.dumps(contract, indent=2) + "\n")


def _dress(file: Path, document: Document) -> None:
    if document.owner is not None and os.geteuid() == 0:
        os.chown(file, *document.owner)
    for name, value in document.attributes.items():
        try:
            os.setxattr(file, name, value)
        except OSError:
            continue  # no user attributes on this filesystem; then there are none to lose
    file.chmod(document.mode)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _run(command: tuple[str, ...], cwd: Path, env: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout[-2000:]
