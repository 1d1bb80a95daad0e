"""The registry is the source of names: the code's constants and the registry must agree."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from confmig_otel import events, metrics, spans
from tests.support import registry

SHARED = Path(os.environ.get("SHARED_DIR", Path(__file__).resolve().parents[3] / "shared"))


def test_every_event_of_the_code_is_in_the_registry_with_its_severity_and_the_other_way() -> None:
    known = {
        n: int(re.findall(r"\((\d+)\)", e["severity"])[0])
        for n, e in registry.load().events.items()
    }
    assert known == events.SEVERITY


def test_every_attribute_constant_is_in_the_registry_and_the_other_way() -> None:
    constants = {
        v
        for k, v in vars(events).items()
        if k.isupper() and isinstance(v, str) and v not in events.SEVERITY
    }
    unused_by_events = {"config.schema.version"}  # of the metric config.documents
    assert constants - registry.STABLE == set(registry.load().attributes) - unused_by_events


def test_every_metric_and_span_of_the_registry_is_in_the_code() -> None:
    named = {v for k, v in vars(metrics).items() if k.isupper() and isinstance(v, str)}
    assert set(registry.load().metrics) <= named
    kinds = {spans.RUN, spans.APPLY, spans.PHASE, spans.ROLLBACK}
    assert set(registry.load().spans) == kinds


def test_names_follow_the_rules() -> None:
    known = registry.load()
    for name in [*known.attributes, *known.events, *known.metrics, *known.spans]:
        assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", name), name
        assert not name.endswith("_total"), name


def test_every_reference_of_the_registry_resolves() -> None:
    known = registry.load()
    for entry in [*known.events.values(), *known.metrics.values(), *known.spans.values()]:
        for key in entry["attributes"]:
            assert key in known.attributes or key in registry.STABLE, key


@pytest.mark.parametrize("name", ["attributes", "events", "groups", "metrics", "spans"])
def test_the_registry_fits_the_published_schema(name: str) -> None:
    schema = SHARED / "schemas" / "semconv.schema.v2.json"
    if not schema.exists():
        pytest.skip(f"the JSON Schema of the registry format is not there: {schema.name}")
    validator = jsonschema_rs.validator_for(json.loads(schema.read_text(encoding="utf-8")))
    data = yaml.safe_load((registry.FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    assert [e.message for e in validator.iter_errors(data)] == []
