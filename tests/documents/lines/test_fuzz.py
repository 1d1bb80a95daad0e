"""Random INI, .properties and .env, random edits.

The result means what was asked, and nothing else changed.

``CONFMIG_FUZZ`` is the number of documents of each format (300 by default), ``CONFMIG_FUZZ_START``
the first seed. A seed names its document and its edits for ever. ``-s`` shows the outcomes.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter

import pytest

from confmig.documents import formats
from confmig.documents.model.document import Document
from confmig.documents.model.journal import Change
from confmig.documents.model.replay import replay
from confmig.errors import Refused
from tests.documents.helpers import render
from tests.documents.lines.fuzzing import MARK, Look, Made, Maker, Session, meaning
from tests.documents.lines.helpers import as_text, parse, read

COUNT = int(os.environ.get("CONFMIG_FUZZ", "300"))
START = int(os.environ.get("CONFMIG_FUZZ_START", "0"))
FORMATS = ("ini", "properties", "dotenv")


def make(seed: int, format: str) -> tuple[Made, random.Random]:
    rng = random.Random(seed)
    return Maker(rng, format).make(), rng


def unchanged(made: Made) -> Document:
    """The parsed document, which means what the model says and renders to its source."""
    document = parse(made.data, made.format)
    assert document.root == meaning(made.root) == read(made.data, made.format)
    assert render(document).data == made.data
    marks = Counter(MARK.findall(document.text))
    noted = [m for a, b in document.comments for m in MARK.findall(document.text[a:b])]
    assert Counter(noted) == marks
    return document


def check(made: Made, document: Document) -> None:
    """Everything that must hold of the edited text."""
    out = render(document)
    assert as_text(document.root) == meaning(made.root), "the tree is not the model"
    assert read(out.data, made.format) == meaning(made.root), "another reader sees another value"
    text, source = out.data.decode(), made.data.decode()
    assert text.startswith("\ufeff") == source.startswith("\ufeff")
    text, source = text.removeprefix("\ufeff"), source.removeprefix("\ufeff")
    ended = source.endswith(("\n", "\r")) or not source
    assert Look(made).pattern().fullmatch(text if ended else text + made.newline) or (
        not text and not ended
    ), f"{text!r} does not look like {Look(made).pattern().pattern}"
    before, after = Counter(MARK.findall(source)), Counter(MARK.findall(text))
    ledger = [m for a, b in out.lost_comments for m in MARK.findall(document.text[a:b])]
    assert before - after == Counter(ledger)
    assert not after - before
    again = parse(made.data, made.format)
    replay(again, (Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes))
    assert formats.render(again).data == out.data
    assert formats.render(parse(out.data, made.format)).data == out.data


@pytest.mark.parametrize("format", FORMATS)
def test_random_edits_of_random_documents_mean_what_was_asked_and_lose_nothing(format: str) -> None:
    refused: Counter[str] = Counter()
    for seed in range(START, START + COUNT):
        made, rng = make(seed, format)
        document = unchanged(made)
        session = Session(rng, made, document)
        for _ in range(rng.randint(1, 8)):
            session.step()
        try:
            check(made, document)
        except Refused as error:
            refused[error.code] += 1
            print(seed, error, made.data, session.log)
        except Exception as error:
            message = f"{format}, seed {seed}: {made.data.decode()!r}\nafter {session.log}"
            raise AssertionError(f"{message}\n{error}") from error
    del refused["dialect_unclear"]  # beside a remark, which is no fault of the engine
    assert refused.total() * 50 <= COUNT, refused


BAD = {
    "ini": ("a\rb", " x", "x\n", "a ; b", "; x", "\ud800", [], {"a": {"b": 1}}, float("inf")),
    "properties": (None, [], {}, float("nan")),
    "dotenv": ("\x00", "\udfff", ["x"], {"a": 1}, float("-inf")),
}


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_format_cannot_hold_is_refused_wherever_it_goes(format: str) -> None:
    for seed in range(START, START + COUNT // 3):
        made, rng = make(seed, format)
        document = parse(made.data, format)
        session = Session(rng, made, document)
        spot = session.some()
        table, key = (made.root, "N") if spot is None else (spot[0], spot[1].key)
        value = rng.choice(BAD[format])
        if isinstance(value, str) and spot is not None and " ;" in str(spot[1].value):
            continue  # beside a remark there may be another
        raw = spot[1].piece.raw if spot is not None and spot[1].piece is not None else ""
        if format == "ini" and raw[:1] in ("'", '"'):
            continue  # the quotes may hold it
        document.set(session.path(table, key), value)
        with pytest.raises(Refused) as caught:
            formats.render(document)
        assert caught.value.code in ("value_unsupported", "dialect_unclear")
        assert caught.value.place
        assert caught.value.fix
