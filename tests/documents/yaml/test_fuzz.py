"""Random documents, random operations: what comes out means what was asked, and nothing is lost.

``CONFMIG_FUZZ`` is the number of documents (2,000 by default), ``CONFMIG_FUZZ_START`` the first
seed. A seed names its document and its operations for ever.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter

import yaml

from confmig.documents.model.journal import Change
from confmig.documents.model.replay import replay
from confmig.errors import Refused
from tests.documents.helpers import alike, parse, read11, read12, render
from tests.documents.yaml.fuzzing import Entry, Maker, Node, Session, meaning, notes_of, walk

COUNT = int(os.environ.get("CONFMIG_FUZZ", "2000"))
START = int(os.environ.get("CONFMIG_FUZZ_START", "0"))
_NOTE = re.compile(r"#c\d+\.")


def _made(seed: int) -> tuple[bytes, Node, Maker, random.Random] | None:
    rng = random.Random(seed)
    maker = Maker(rng)
    try:
        data, root = maker.make()
    except (yaml.YAMLError, ValueError):  # one of the two readers does not take the text
        return None
    return data, root, maker, rng


def run(seed: int) -> str:
    """One document and its operations; the outcome's name. Raises ``AssertionError``."""
    made = _made(seed)
    if made is None:
        return "not both readers take the source"
    data, root, maker, rng = made
    try:
        document = parse(data)
    except Refused as refused:
        return f"refused at parse: {refused.code}"
    assert render(document).data == data, "an unchanged document must be its source"
    session = Session(rng, document, root)
    original: list[Entry] = [e for _, e, _ in walk(root)]
    for _ in range(rng.randint(1, 5)):
        try:
            session.step()
        except Refused as refused:
            if refused.code != "shared_node":  # this one must be refused, and nothing is changed
                return f"refused at edit: {refused.code}"
            session.log.pop()
    try:
        rendered = render(document)
    except Refused as refused:
        return f"refused at render: {refused.code}"
    out = rendered.data
    try:
        _check(session, data, out, root, maker, original)
        lost = [document.text[a:b] for a, b in rendered.lost_comments]
        kept = {*notes_of(root), *maker.header}
        for text in lost:
            assert not (set(_NOTE.findall(text)) & kept), f"lost a surviving key's comment {text}"
        again = parse(data)
        replay(
            again, (Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes)
        )
        assert render(again).data == out, "a replayed journal must give the same bytes"
    except AssertionError as error:
        raise AssertionError(
            f"seed {seed}: {error}\n{chr(10).join(session.log)}\n--- source\n{data.decode()}"
            f"\n--- result\n{out.decode()}"
        ) from None
    return "edited"


def _check(
    session: Session, data: bytes, out: bytes, root: Node, maker: Maker, original: list[Entry]
) -> None:
    assert alike(read11(out), meaning(root, "1.1")), "YAML 1.1 reads another value"
    read = read12(out)
    # the readers differ about a block text at the end of a file without a final newline; what is
    # put behind it decides for the one that reads no newline
    endings = ["1.2"] if data.endswith(b"\n") else ["1.2", "1.2, without a final newline"]
    assert any(alike(read, meaning(root, e), keys=False) for e in endings), (
        "YAML 1.2 reads another value"
    )
    text = out.decode()
    notes = Counter(_NOTE.findall(text))
    for note in notes_of(root) + maker.header:
        assert notes[note] == 1, (
            f"the comment {note} of a surviving key is there {notes[note]} times"
        )
    source = data.decode()
    assert text.startswith("\ufeff") == source.startswith("\ufeff"), "the BOM changed"
    if source.endswith("\n") or session.blanks_stay:  # else the cut may leave a blank line last
        assert text.endswith("\n") == source.endswith("\n"), "the final newline changed"
    if "\r\n" in source:
        assert "\n" not in text.replace("\r\n", ""), "a CRLF file got a bare LF"
    lines = set(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"))
    surviving = {id(e) for _, e, _ in walk(root)}
    for entry in original:
        if entry.line is not None and id(entry) in surviving - session.moved:
            assert entry.line in lines, f"the line of an untouched key changed: {entry.line!r}"
    if session.blanks_stay:
        assert _blanks(source) == _blanks(text), "blank lines were lost or added"


def _blanks(text: str) -> int:
    return sum(1 for line in text.split("\n") if not line.strip("\r \ufeff"))


def test_random_edits_of_random_documents_mean_what_was_asked_and_lose_nothing() -> None:
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    for seed in range(START, START + COUNT):
        try:
            outcomes[run(seed)] += 1
        except AssertionError as error:
            outcomes["wrong"] += 1
            failures.append(str(error))
        except Exception as error:
            outcomes["crashed"] += 1
            failures.append(f"seed {seed}: crash: {error!r}")
    made = COUNT - outcomes["not both readers take the source"]
    refused = sum(n for name, n in outcomes.items() if name.startswith("refused"))
    print(f"\nfuzz: {made} documents, {refused / max(made, 1):.1%} refused; {dict(outcomes)}")
    assert not failures, f"{len(failures)} failures, first ones:\n" + "\n\n".join(failures[:3])
