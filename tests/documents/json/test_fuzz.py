"""Random JSON, JSONC and JSON5, random operations.

The result means what was asked, and nothing else changed.

``CONFMIG_FUZZ`` is the number of documents of each format (300 by default),
``CONFMIG_FUZZ_START`` the first seed. A seed names its document and its operations for ever.
``-s`` shows the outcomes and the shortest example of each refusal.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.documents.json.fuzzing import (
    Made,
    Maker,
    Scan,
    Session,
    Tally,
    made,
    read,
    run,
    unchanged,
)

COUNT = int(os.environ.get("CONFMIG_FUZZ", "300"))
START = int(os.environ.get("CONFMIG_FUZZ_START", "0"))
FORMATS = ("json", "jsonc", "json5")


def make(seed: int, format: str) -> tuple[Made, random.Random]:
    rng = random.Random(seed)
    maker = Maker(rng, format)
    data, root = maker.make()
    return made(data, root, maker, lambda t: read(t, format), lambda t: Scan(t, format)), rng


def one(seed: int, format: str, tally: Tally) -> None:
    it, rng = make(seed, format)
    with tally.watch(seed, it) as log:
        document = unchanged(it, format)
        session = Session(rng, document, it.maker, it.root)
        log.steps = session.log
        log.stale = run(it, session, lambda t: read(t, format), lambda t: Scan(t, format))


@pytest.mark.parametrize("format", FORMATS)
def test_random_edits_of_random_documents_mean_what_was_asked_and_lose_nothing(
    format: str,
) -> None:
    tally = Tally(format)
    for seed in range(START, START + COUNT):
        one(seed, format, tally)
    tally.judge()


@pytest.mark.parametrize("format", FORMATS)
def test_the_generator_writes_what_its_model_says(format: str) -> None:
    for seed in range(START, START + 100):
        make(seed, format)
