"""Which values of a partial failure would be in no file."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from confmig.adapters.workers.records import HalfDone
from confmig.core.bundle.manifest import Config, Manifest
from confmig.documents import formats
from confmig.documents.model.document import Caps, Document
from confmig.worker.lost import lost_values
from tests.core.builders import manifest, migration


@dataclass(frozen=True)
class Reader:
    """A bundle of one migration with the given text."""

    text: bytes
    manifest: Manifest

    def parse(self, config: Config, data: bytes) -> Document:
        return formats.parse(data, format="yaml", dialect="yaml-1.2", caps=Caps())

    def source(self, migration: str) -> bytes:
        return self.text


def lost(text: bytes, value: str) -> tuple[str, ...]:
    """What is lost where b.yaml would gain a value that a migration computes or has."""
    one = HalfDone("a.yaml", "app", 0, b"x: 1\n", b"y: 1\n", b"y: 1\n", True, ("0001_m",))
    old, new = b"p: q\n", f"p: q\nn: {value}\n".encode()
    return lost_values(
        Reader(text, manifest(migration(1))),
        [one, HalfDone("b.yaml", "app", 0, old, new, old, False, ("0001_m",))],
    )


@pytest.mark.parametrize("value", ["12", "prod", "1.5"])
def test_a_value_of_the_migration_itself_is_not_lost(value: str) -> None:
    assert lost(f"- set: {{path: n, value: {value}}}\n".encode(), value) == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [("value: 2012", "12"), ("path: production", "prod"), ("value: 1.55", "1.5")],
)
def test_a_part_of_a_longer_word_of_the_migration_does_not_count(text: str, value: str) -> None:
    assert lost(f"- set: {{{text}}}\n".encode(), value) == ("b.yaml: n",)
