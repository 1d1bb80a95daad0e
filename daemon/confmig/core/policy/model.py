"""The operator's policy file: windows and classes, as pydantic models.

``read`` gives a policy or its problems. The three states are kept apart: no policy named in the
settings (``missing``: the embedded default, online only), a good one, and a named one that is
absent or broken (``invalid``: everything is denied).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, time, timedelta, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from confmig.core.bundle.manifest import CLASSES
from confmig.core.input_errors import line_of, problems_of
from confmig.core.policy.windows import DAYS, Window
from confmig.errors import Problem
from confmig.writer import did_you_mean, located

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")
_LATER = {
    "cutoff",
    "hard",
    "from",
    "until",
    "deploy_signal",
    "soak",
    "gates",
    "verify_for",
    "deadline",
    "batch",
}


def duration(text: Any) -> timedelta:
    """``6h``, ``30m``, ``1d12h``, ``90s``: a positive duration. Raises ``ValueError``."""
    match = _DURATION.match(text) if isinstance(text, str) and text else None
    if match is None or not any(match.groups()):
        raise ValueError("a duration is written like 30m, 6h or 1d12h")
    d, h, m, s = (int(g or 0) for g in match.groups())
    try:
        value = timedelta(days=d, hours=h, minutes=m, seconds=s)
    except OverflowError:
        value = timedelta.max
    if not timedelta(0) < value <= timedelta(days=366):
        raise ValueError("a duration must be more than nothing and at most a year")
    return value


def _clock(text: Any) -> time:
    if isinstance(text, str) and re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", text):
        return time.fromisoformat(text)
    raise ValueError('a time of day is written like "22:00", in quotes')


def _zone(text: Any) -> ZoneInfo:
    try:
        if text in ("localtime", "posixrules", "Factory") or text.startswith(("posix/", "right/")):
            raise ValueError  # what these mean differs from machine to machine
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, TypeError, AttributeError, OSError):
        meant = did_you_mean(str(text), available_timezones())
        raise ValueError(f"`{text}` is not an IANA time zone{meant}") from None


DURATION_SCHEMA = {
    "type": "string",
    "pattern": "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
    "examples": ["30m", "6h", "1d12h"],
}
_CLOCK_SCHEMA = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_ZONE_SCHEMA = {"type": "string", "minLength": 1, "examples": ["UTC", "Europe/Berlin"]}

Duration = Annotated[timedelta, BeforeValidator(duration), WithJsonSchema(DURATION_SCHEMA)]
Clock = Annotated[time, BeforeValidator(_clock), WithJsonSchema(_CLOCK_SCHEMA)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), WithJsonSchema(_ZONE_SCHEMA)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _not_yet(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            if key in _LATER and key not in cls.model_fields:
                raise ValueError(
                    f"`{key}` is not supported by this version; ignoring it would be unsafe"
                )
        return data


class WindowRule(_Model):
    """One named window of the policy."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [key], "properties": {key: {"type": "string"}}}
                for key in ("duration", "end")
            ]
        }
    )
    kind: Literal["allow", "deny"]
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = DAYS  # type: ignore[assignment]
    start: Clock
    duration: Duration | None = None
    end: Clock | None = None
    timezone: Zone | None = None

    @model_validator(mode="after")
    def _one_length(self) -> WindowRule:
        if (self.duration is None) == (self.end is None):
            raise ValueError("give exactly one of duration and end")
        if not self.days:
            raise ValueError("days is empty, so the window never opens")
        return self


class ApprovalRule(_Model):
    """Who must say yes, and for how long a yes counts."""

    required: int = Field(default=1, json_schema_extra={"minimum": 1, "maximum": 2})
    ttl: Duration = timedelta(hours=24)

    @model_validator(mode="after")
    def _sane(self) -> ApprovalRule:
        if not 1 <= self.required <= 2:
            raise ValueError("`required` must be 1 or 2; write `approval: none` for no approval")
        return self


class ClassRule(_Model):
    """When the migrations of one class may run."""

    windows: Literal["always"] | tuple[str, ...] = Field(
        default=(), description="`always` or a list of window names such as `[nightly]`"
    )
    approval: Literal["none"] | ApprovalRule | None = Field(
        default=None, description="`none` or a mapping such as `{required: 1, ttl: 24h}`"
    )


class PolicyFile(_Model):
    timezone: Zone = ZoneInfo("UTC")
    windows: dict[str, WindowRule] = {}
    classes: dict[Literal["online", "post_deploy", "manual_backfill"], ClassRule] = {}


@dataclass(frozen=True, slots=True)
class ClassPolicy:
    """When one class may run: ``always`` or in windows, and with which approval."""

    always: bool
    windows: tuple[Window, ...]
    approval: ApprovalRule | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy in force.

    ``state`` is ``present``, ``missing`` or ``invalid``; ``digest`` names it in approvals and
    records.
    """

    state: Literal["present", "missing", "invalid"]
    digest: str
    classes: Mapping[str, ClassPolicy] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    zone: tzinfo = UTC
    """The zone in which people are shown times."""


_DEFAULT_APPROVAL = ApprovalRule()
MISSING = Policy(
    "missing",
    hashlib.sha256(b"confmig embedded default policy").hexdigest(),
    {"online": ClassPolicy(True, (), None)},
)


def invalid(problems: list[Problem]) -> Policy:
    """A policy that was named and cannot be used: denies everything."""
    text = json.dumps([str(p) for p in problems])
    return Policy("invalid", hashlib.sha256(text.encode()).hexdigest(), {}, tuple(problems))


def _unknown_windows(
    parsed: PolicyFile, place: str, lines: Mapping[tuple[str | int, ...], int]
) -> list[Problem]:
    """The windows that classes name and that the policy does not have."""
    out = []
    known = ", ".join(f"`{name}`" for name in parsed.windows) or "none"
    for kind, rule in parsed.classes.items():
        for number, window in enumerate(rule.windows if rule.windows != "always" else ()):
            if window not in parsed.windows:
                line = line_of(("classes", kind, "windows", number), lines)
                message = f"class `{kind}` names the unknown window `{window}`"
                message += did_you_mean(window, parsed.windows)
                fix = f"known are {known}; until then nothing runs"
                out.append(Problem("policy_invalid", located(place, line or 0), message, fix))
    return out


def read(data: Any, place: str, lines: Mapping[tuple[str | int, ...], int] | None = None) -> Policy:
    """The policy of a file's plain data; ``lines`` has the line of each entry."""
    if data is None:
        return invalid(
            [
                Problem(
                    "policy_invalid",
                    place,
                    "the file is empty; it may have been cut off",
                    "write the policy, or take the policy key out of the settings",
                )
            ]
        )
    try:
        parsed = PolicyFile.model_validate(data)
    except ValidationError as error:
        return invalid(
            problems_of(
                error,
                PolicyFile,
                code="policy_invalid",
                file=place,
                then="; until then nothing runs",
                lines=lines,
            )
        )
    unknown = _unknown_windows(parsed, place, lines or {})
    if unknown:
        return invalid(unknown)
    windows = {
        name: Window(
            name,
            rule.kind,
            rule.timezone or parsed.timezone,
            rule.start,
            frozenset(DAYS.index(d) for d in rule.days),
            rule.duration,
            rule.end,
        )
        for name, rule in parsed.windows.items()
    }
    # a deny window is for everybody: it need not be listed, and no class can opt out of it
    denies = tuple(w for w in windows.values() if w.kind == "deny")
    classes = {}
    for kind in CLASSES:
        rule = parsed.classes.get(kind)  # type: ignore[call-overload]
        if rule is None:
            rule = ClassRule(windows="always") if kind == "online" else ClassRule()
        approval: ApprovalRule | None = (
            rule.approval if isinstance(rule.approval, ApprovalRule) else None
        )
        if kind == "manual_backfill" and rule.approval is None:
            approval = _DEFAULT_APPROVAL
        listed = () if rule.windows == "always" else tuple(windows[n] for n in rule.windows)
        allows = tuple(w for w in listed if w.kind == "allow")
        classes[kind] = ClassPolicy(rule.windows == "always", allows + denies, approval)
    canonical = json.dumps(data, sort_keys=True, default=str)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Policy("present", digest, classes, zone=parsed.timezone)
