"""Random TOML, random operations: the result means what was asked, and nothing else changed.

``CONFMIG_FUZZ`` is the number of documents (300 by default), ``CONFMIG_FUZZ_START`` the first
seed. A seed names its document and its operations for ever. ``-s`` shows the outcomes and the
shortest example of each refusal.
"""

from __future__ import annotations

import os
import random

from tests.documents.json.fuzzing import Made, Tally, made, run, unchanged
from tests.documents.toml.fuzzing import TomlMaker, TomlScan, TomlSession, read

COUNT = int(os.environ.get("CONFMIG_FUZZ", "300"))
START = int(os.environ.get("CONFMIG_FUZZ_START", "0"))


def make(seed: int) -> tuple[Made, random.Random]:
    rng = random.Random(seed)
    maker = TomlMaker(rng)
    data, root = maker.make()
    return made(data, root, maker, read, TomlScan), rng


def one(seed: int, tally: Tally) -> None:
    it, rng = make(seed)
    with tally.watch(seed, it) as log:
        document = unchanged(it, "toml")
        session = TomlSession(rng, document, it.maker, it.root)
        log.steps = session.log
        log.stale = run(it, session, read, TomlScan)


def test_random_edits_of_random_documents_mean_what_was_asked_and_lose_nothing() -> None:
    tally = Tally("toml")
    for seed in range(START, START + COUNT):
        one(seed, tally)
    tally.judge()


def test_the_generator_writes_what_its_model_says() -> None:
    for seed in range(START, START + 100):
        make(seed)
