"""An event as one line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from confmig.writer import escaped


def event_text(row: Mapping[str, Any]) -> str:
    """One event on one line."""
    when = datetime.fromtimestamp(row["time_ns"] / 1e9, UTC)
    level = {9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}[row["severity"]]
    attributes = " ".join(
        f"{k}={','.join(v) if isinstance(v, list) else v}" for k, v in row["attributes"].items()
    )
    return f"{when:%H:%M:%S.%f}"[:-3] + f" {level:5} {row['name']} {escaped(attributes)}"
