"""Small builders for the tests of the pure core. They hold no expectation of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from confmig.core.bundle.checksums import sums, sums_text
from confmig.core.bundle.manifest import Config, Files, Manifest, Migration, Stamp
from confmig.core.policy.windows import DAYS, Window

ALL_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def utc(text: str) -> datetime:
    """``2026-03-29 01:00`` as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(text: str) -> timedelta:
    """``6:30`` as a duration."""
    h, _, m = text.partition(":")
    return timedelta(hours=int(h), minutes=int(m or 0))


def window(
    kind: Literal["allow", "deny"],
    zone: str,
    start: str,
    *,
    days: Sequence[str] = ALL_DAYS,
    duration: str | None = None,
    end: str | None = None,
) -> Window:
    return Window(
        "w",
        kind,
        ZoneInfo(zone),
        time.fromisoformat(start),
        frozenset(DAYS.index(d) for d in days),
        hours(duration) if duration is not None else None,
        time.fromisoformat(end) if end is not None else None,
    )


def migration(
    order: int,
    kind: str = "online",
    *,
    config: str = "app",
    version: int | None = None,
    depends_on: tuple[str, ...] = (),
    impact: str = "normal",
    checksum: str = "",
) -> Migration:
    return Migration(
        f"{order:04d}_m",
        order,
        kind,
        {config: order if version is None else version},
        depends_on,
        "",
        impact,
        checksum or f"sum-{order}",
    )


def manifest(*migrations: Migration) -> Manifest:
    configs = {
        name: Config(name, (f"{name}/*.yaml",), "yaml", Stamp("v", 0))
        for name in dict.fromkeys(c for m in migrations for c in m.sets)
    }
    return Manifest("b", configs, migrations, "digest", {m.id: m for m in migrations})


def raw_entry(order: int, /, **changes: Any) -> dict[str, Any]:
    """One good entry of a raw manifest; a change to ``...`` removes the key."""
    entry: dict[str, Any] = {
        "id": f"{order:04d}_m",
        "order": order,
        "class": "online",
        "sets": {"app": order},
        "depends_on": [],
        "description": "what it does",
    }
    entry.update({"class" if k == "kind" else k: v for k, v in changes.items()})
    return {k: v for k, v in entry.items() if v is not ...}


def raw_manifest(*entries: Any, **changes: Any) -> dict[str, Any]:
    """A good raw manifest around entries."""
    data: dict[str, Any] = {
        "_config_version": 1,
        "bundle": "b",
        "configs": {
            "app": {
                "files": ["app.yaml"],
                "format": "yaml",
                "version": {"path": "v", "absent": 0},
            }
        },
        "migrations": list(entries),
    }
    data.update(changes)
    return {k: v for k, v in data.items() if v is not ...}


def bundle(
    data: Any,
    *,
    raw: bytes | None = None,
    migrations: Mapping[str, bytes] | None = None,
    handlers: Mapping[str, bytes] | None = None,
    schemas: frozenset[str] = frozenset(),
    fixtures: Mapping[str, tuple[str, ...]] | None = None,
    sum_file: bytes | Literal["right"] | None = "right",
) -> Files:
    """A bundle's files: by default one file per entry, and a right ``manifest.sum``."""
    entries = data.get("migrations", []) if isinstance(data, dict) else []
    entries = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    entries = sorted(entries, key=lambda e: e["order"] if type(e.get("order")) is int else 0)
    ids = [e["id"] for e in entries if isinstance(e.get("id"), str)]
    if migrations is None:
        migrations = {f"{name}.yaml": f"- set: {name}\n".encode() for name in ids}
    content = raw if raw is not None else json.dumps(data).encode()
    files = Files(content, None, migrations, handlers or {}, schemas, fixtures or {})
    lines = sums_text(sums(files, ids)) if sum_file == "right" else sum_file
    return Files(content, lines, migrations, handlers or {}, schemas, fixtures or {})
