"""The registry (``otel/registry``) as the judge of what was emitted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.otlp_receiver import LogRecord, Metric, Span

FOLDER = Path(__file__).resolve().parents[2] / "otel" / "registry"
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "double": (float, int),
    "boolean": (bool,),
    "string[]": (list, tuple),
}
STABLE = {"error.type", "log.record.uid"}
"""Attributes of the OpenTelemetry registry itself that ours refers to."""


@dataclass(frozen=True)
class Registry:
    """Names, and which attributes each may and must carry."""

    attributes: dict[str, Any]
    events: dict[str, Any]
    metrics: dict[str, Any]
    spans: dict[str, Any]


@lru_cache(maxsize=1)
def load() -> Registry:
    """Read the registry, attribute groups resolved."""

    def read(name: str) -> Any:
        return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))

    groups = {g["id"]: g["attributes"] for g in read("groups")["attribute_groups"]}

    def resolved(entry: Any) -> dict[str, str]:
        out: dict[str, str] = {}
        for one in entry.get("attributes") or []:
            for ref in groups[one["ref_group"]] if "ref_group" in one else [one]:
                out[ref["ref"]] = ref["requirement_level"]
        return out

    return Registry(
        {a["key"]: a["type"] for a in read("attributes")["attributes"]},
        {
            e["name"]: {"attributes": resolved(e), "severity": e["annotations"]["severity"]}
            for e in read("events")["events"]
        },
        {m["name"]: {**m, "attributes": resolved(m)} for m in read("metrics")["metrics"]},
        {s["type"]: {"attributes": resolved(s)} for s in read("spans")["spans"]},
    )


def _attributes(name: str, known: dict[str, str], seen: dict[str, Any]) -> list[str]:
    out = [f"{name}: {k} is not in the registry" for k in seen if k not in known]
    out += [
        f"{name}: {k} is required" for k, r in known.items() if r == "required" and k not in seen
    ]
    for key, value in seen.items():
        kind = load().attributes.get(key)
        if isinstance(kind, str) and not isinstance(value, _KINDS[kind]):
            out.append(f"{name}: {key} must be {kind}, is {type(value).__name__}")
        if isinstance(kind, dict) and value not in [m["value"] for m in kind["members"]]:
            out.append(f"{name}: {key}={value} is not a member")
    return out


def event_faults(record: LogRecord) -> list[str]:
    """What is wrong with an event, judged by the registry."""
    known = load().events.get(record.event_name)
    if known is None:
        return [f"{record.event_name} is not in the registry"]
    out = _attributes(record.event_name, known["attributes"], record.attributes)
    if known["severity"] != f"{record.severity_text} ({record.severity_number})":
        out.append(f"{record.event_name}: severity {record.severity_text} {record.severity_number}")
    return out


def span_faults(span: Span) -> list[str]:
    """What is wrong with a span; its type follows from its name."""
    name = span.name
    kind = (
        "config.migration.run"
        if name == "run_config_migrations"
        else "config.migration.apply"
        if name.startswith("apply ")
        else "config.migration.rollback"
        if name.startswith("rollback ")
        else "config.migration.phase"
    )
    return _attributes(f"span {name}", load().spans[kind]["attributes"], span.attributes)


def metric_faults(metric: Metric) -> list[str]:
    """What is wrong with a metric."""
    known = load().metrics.get(metric.name)
    if known is None:
        return [f"metric {metric.name} is not in the registry"]
    out = [] if metric.unit == known["unit"] else [f"metric {metric.name}: unit {metric.unit}"]
    for point in metric.points:
        out += _attributes(f"metric {metric.name}", known["attributes"], point.attributes)
    return out
