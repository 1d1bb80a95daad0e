"""The settings file (``confmig.yaml``): one model, checked whole, relative to its own directory.

Precedence: environment ``CONFMIG__SECTION__KEY``, then the file, then the defaults. An unknown
key is an error, in the file and in the environment; other ``CONFMIG_`` names belong to Kubernetes
and are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from confmig.adapters.files import trust
from confmig.adapters.files.plain_file import read_plain
from confmig.adapters.files.snapshot import ExchangeOptions
from confmig.adapters.telemetry.endpoint import url_problem
from confmig.adapters.workers.protocol import Worker
from confmig.core.input_errors import line_of, problems_of
from confmig.core.planning.quiet import Rule
from confmig.core.policy.model import DURATION_SCHEMA, duration
from confmig.documents.model.document import Caps
from confmig.errors import Invalid, Problem, Refused
from confmig.writer import counted, did_you_mean, located


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Model):
    """A directory of configuration files, the bundle that migrates them, and the policy.

    ``parameters`` are values for those that the bundle declares.

    ``atomic``: the documents of a step change all or none (``set``), or each for itself
    (``document``, for thousands of independent files): one that fails holds only itself.
    ``on_failure``: after a failed migration nothing later runs (``stop_all``), or nothing that
    needs it (``stop_dependents``).

    ``commit``: readers may see some files new and others old for a moment (``files``), or never,
    because their directory is exchanged as a whole (``directory``). ``cas``: where the filesystem
    cannot exchange files the target is refused (``strict``), or a rename takes its place, which
    can lose an edit of the very same moment (``weak``). ``mounted_files``: a file that is a mount
    of its own is refused (``refuse``), or rewritten in place while no one has it open
    (``rewrite``).
    """

    name: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$",
        description="lower-case letters, digits, `.`, `_` and `-`, such as `shop-2`",
    )
    root: Path
    bundle: Path
    policy: Path | None = None
    parameters: dict[str, str] = {}
    mode: Literal["in_place"] = "in_place"
    atomic: Literal["set", "document"] = "set"
    on_failure: Literal["stop_all", "stop_dependents"] = "stop_all"
    commit: Literal["files", "directory"] = "files"
    cas: Literal["strict", "weak"] = "strict"
    mounted_files: Literal["refuse", "rewrite"] = "refuse"

    @model_validator(mode="after")
    def _together(self) -> Target:
        if self.commit == "directory" and self.atomic == "document":
            raise ValueError("commit: directory changes documents together, atomic: document alone")
        return self

    def exchange_options(self) -> ExchangeOptions:
        """What it allows beyond the exchange of single files."""
        return ExchangeOptions(
            weak=self.cas == "weak",
            mounted=self.mounted_files == "rewrite",
            directory=self.commit == "directory",
        )


class Telemetry(_Model):
    """Where events, spans and metrics go. ``OTEL_*`` variables work too and say the rest.

    ``exporter``: ``otlp`` delivers to ``endpoint`` (or ``OTEL_EXPORTER_OTLP_ENDPOINT``);
    ``none`` keeps events as history only. ``accept``: an event counts as delivered on the answer
    that OTLP asks for (``proof``), or on any 2xx but HTML (``any_2xx``, for receivers that answer
    202, 204, or without a content type). ``outbox_limit``: with that many undelivered events
    migrations stop rather than lose one.
    """

    exporter: Literal["otlp", "none"] = "otlp"
    endpoint: str | None = None
    accept: Literal["proof", "any_2xx"] = "proof"
    service_name: str = "confmig"
    outbox_limit: int = Field(default=100_000, ge=1)
    drain_seconds: float = Field(default=5.0, ge=0, le=60)

    @field_validator("endpoint")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        problem = url_problem(value) if value is not None else ""
        if problem:
            raise ValueError(problem)
        return value


class Retention(_Model):
    """What is kept: how many checkpoints, for how many days, up to how many bytes of images.

    The last checkpoint of a document and unsettled ones are always kept. Events are kept for as
    many days, if they are delivered.
    """

    checkpoints: int = Field(default=500, ge=1)
    days: int = Field(default=180, ge=1)
    size: int = Field(default=1 << 30, ge=1 << 20)


class Http(_Model):
    """Probes and /metrics, on loopback unless told otherwise. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = Field(default=8686, ge=0, le=65535)
    enabled: bool = True


def _seconds(value: Any) -> Any:
    """``30s``, ``5m`` or a number of seconds."""
    if isinstance(value, str) and not value.replace(".", "", 1).isdecimal():
        return duration(value).total_seconds()
    return value


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"anyOf": [{"type": "number"}, DURATION_SCHEMA]}),
]


class WatchBusy(_Model):
    """A file that another process keeps open for writing.

    How long to wait for its close, and whether it is then held (``hold``) or migrated all the
    same (``migrate``, for services that never close their file; what they write to the old file
    later goes to ``rescue/``).
    """

    wait: Seconds = Field(default=30.0, ge=0, le=86_400)
    then: Literal["hold", "migrate"] = "hold"


class Watch(_Model):
    """Seconds, or text such as ``30s``.

    ``settle``, ``settle_new``: how long a document (one that is recorded, or a new one) must be
    unchanged before it is migrated. ``settle_at_most``: how long file events may follow each other
    before the next look. ``rescan``: how often to look without any event.
    """

    settle: Seconds = Field(default=0.1, ge=0, le=60)
    settle_new: Seconds = Field(default=1.0, ge=0, le=600)
    settle_at_most: Seconds = Field(default=2.0, ge=0, le=60)
    busy: WatchBusy = WatchBusy()
    rescan: Seconds = Field(default=60.0, gt=0, le=3600)

    def rule(self) -> Rule:
        """What is quiet enough."""
        then = self.busy.then == "migrate"
        return Rule(self.settle, self.settle_new, self.busy.wait, migrate_open=then)


class Limits(_Model):
    """Caps on documents; see ``documents.model.document.Caps``."""

    size: int = Field(default=8 * 1024 * 1024, ge=1)
    depth: int = Field(default=200, ge=1, le=500)
    nodes: int = Field(default=1_000_000, ge=1)
    entries: int = Field(default=100_000, ge=1)

    def caps(self) -> Caps:
        return Caps(self.size, self.depth, self.nodes, self.entries)


class Settings(_Model):
    """All settings. Paths are absolute after ``load``."""

    targets: tuple[Target, ...] = Field(min_length=1, description="a list; put `- ` before `name`")
    state_dir: Path
    telemetry: Telemetry = Telemetry()
    retention: Retention = Retention()
    http: Http = Http()
    watch: Watch = Watch()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _names(self) -> Settings:
        names = [t.name for t in self.targets]
        if len(set(names)) != len(names):
            raise ValueError("two targets have the same name")
        return self

    def target(self, name: str | None) -> Target:
        """The named target, or the only one. Raises ``Refused``."""
        if name is None and len(self.targets) == 1:
            return self.targets[0]
        for target in self.targets:
            if target.name == name:
                return target
        names = [t.name for t in self.targets]
        fix = f"name a known one with `--target`: {', '.join(names)}"
        if name is None:
            raise Refused("target_unknown", "there are several targets", fix=fix)
        reason = f"there is no target `{name}`{did_you_mean(name, names)}"
        raise Refused("target_unknown", reason, fix=fix)


def _invalid(problems: list[Problem]) -> Invalid:
    message = f"the settings have {counted(len(problems), 'problem')}"
    return Invalid("settings_invalid", message, problems)


def load(path: Path, environment: Mapping[str, str], worker: Worker) -> Settings:
    """Read a settings file.

    Raises ``Invalid`` with every problem in it, and for one that others can change
    (``settings_untrusted``).
    """
    trust.check("settings_untrusted", "settings file", [path])
    try:
        found = worker.check(read_plain(path))
    except OSError as error:
        raise Invalid(
            "settings_unreadable",
            f"the settings cannot be read: {error.strerror}",
            [
                Problem(
                    "settings_unreadable",
                    str(path),
                    "the file does not exist"
                    if isinstance(error, FileNotFoundError)
                    else f"the file cannot be read: {error.strerror}",
                    "name the settings file with `--settings`",
                )
            ],
        ) from None
    except Refused as error:
        raise Invalid(
            "settings_invalid",
            "the settings are not YAML",
            [Problem(error.code, located(path.name, error.line), error.message, error.fix)],
        ) from None
    data = found.data if found.data is not None else {}
    problems = _overlay(data, environment) if isinstance(data, dict) else []
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        problems += problems_of(
            error, Settings, code="settings_invalid", file=path.name, lines=found.lines
        )
    if problems:
        raise _invalid(problems)
    base = path.absolute().parent

    def absolute(p: Path) -> Path:
        return p if p.is_absolute() else base / p

    roots = {t.name: absolute(t.root) for t in settings.targets}
    problems = _entangled(absolute(settings.state_dir), roots, path.name, found.lines)
    if problems:
        raise _invalid(problems)
    targets = tuple(
        t.model_copy(
            update={
                "root": absolute(t.root),
                "bundle": absolute(t.bundle),
                "policy": absolute(t.policy) if t.policy is not None else None,
            }
        )
        for t in settings.targets
    )
    return settings.model_copy(
        update={"targets": targets, "state_dir": absolute(settings.state_dir)}
    )


def _entangled(
    state_dir: Path,
    roots: Mapping[str, Path],
    file: str,
    lines: Mapping[tuple[str | int, ...], int],
) -> list[Problem]:
    """State and configuration must not contain each other.

    Otherwise confmig would migrate its own images, for ever.
    """
    out = []
    state = state_dir.resolve()
    for number, (name, root) in enumerate(roots.items()):
        real = root.resolve()
        if state == real or real in state.parents:
            where = "is" if state == real else "is inside"
            line = line_of(("state_dir",), lines)
            message = f"`state_dir` ({state_dir}) {where} the root of the target `{name}`"
            fix = "put it outside, such as /var/lib/confmig"
        elif state in real.parents:
            line = line_of(("targets", number, "root"), lines)
            message = f"the root of the target `{name}` ({root}) is inside `state_dir`"
            fix = "put the configuration outside of it"
        else:
            continue
        out.append(Problem("settings_invalid", located(file, line or 0), message, fix))
    return out


def _overlay(data: dict[str, Any], environment: Mapping[str, str]) -> list[Problem]:
    problems = []
    for name in sorted(environment):
        if not name.startswith("CONFMIG__"):
            continue
        keys = name.removeprefix("CONFMIG__").lower().split("__")
        here: Any = data
        for key in keys[:-1]:
            here = here.setdefault(key, {}) if isinstance(here, dict) else None
        if (
            not isinstance(here, dict)
            or keys[0] not in Settings.model_fields
            or keys[0] == "targets"
        ):
            problems.append(
                Problem("settings_invalid", name, "there is no such setting", "remove the variable")
            )
            continue
        here[keys[-1]] = environment[name]
    return problems
