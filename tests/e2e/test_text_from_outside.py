"""Names, keys and messages with control codes and bidirectional marks are escaped everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.world import FREE, TWO, World, document, write_bundle

HOSTILE = "e\x1b[31m\nvil\u202e.yaml"
SHOWN = "e\\x1b[31m\\nvil\\u202e.yaml"


def _world(folder: Path, text: str) -> World:
    return World(
        folder / "w",
        bundle=write_bundle(folder / "bundle", TWO, {"app": ["*.yaml"]}),
        policy=FREE,
        documents={HOSTILE: text},
    )


def _assert_harmless(text: str) -> None:
    assert all(line.isprintable() for line in text.split("\n")), repr(text)
    assert SHOWN in text


@pytest.mark.parametrize("broken", [False, True])
def test_terminal_log_event_and_report(tmp_path: Path, broken: bool) -> None:
    text = '"k\x85\x1b[2J": [\n'
    world = _world(tmp_path, text if broken else document("app"))
    report = world.run("dry-run")
    _assert_harmless(report.out + report.err)
    plan = world.run("plan")
    assert all(line.isprintable() for line in (plan.out + plan.err).split("\n"))
    once = world.once("--console")
    _assert_harmless(once.out + once.err)
    status = world.run("status")
    _assert_harmless(status.out + status.err)
    events = world.events()
    assert events
    for event in events:
        assert all(
            one.isprintable()
            for value in event["attributes"].values()
            for one in (value if isinstance(value, list) else [value])
            if isinstance(one, str)
        )
    if not broken:  # a document that cannot be read makes no event in its first pass
        assert json.dumps(SHOWN)[1:-1] in json.dumps(events)
        listed = world.run("events")
        _assert_harmless(listed.out + listed.err)
