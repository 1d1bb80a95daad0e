"""The finished text is read back, twice, before anybody may write it.

First by the same libyaml events as the source: every value must be the tree's value, every scalar
that nobody changed must have the same raw text, anchors, tags and aliases must be where they
were, and every comment must be there unless its entry was deleted. Then by py-yaml12, an
independent YAML 1.2 parser: the structure and every scalar, read under 1.2, must agree. A
difference is a refusal, never a write.
"""

from __future__ import annotations

import re
from typing import Any

import yaml12

from confmig.documents.document import Caps, Document
from confmig.documents.path import show
from confmig.documents.rope import Segment
from confmig.documents.tree import Cell, Mapping, Sequence, same_value
from confmig.documents.yaml import scalars
from confmig.documents.yaml.layout import Layout
from confmig.documents.yaml.loss import forbidden
from confmig.documents.yaml.parse import parse
from confmig.errors import Refused

_INT64 = 1 << 63


def verify(
    document: Document,
    layout: Layout,
    data: bytes,
    segments: list[Segment],
) -> list[tuple[int, int]]:
    """Check a rendered text against its tree. Returns the source spans of the comments that went
    with deleted values. Raises ``Refused`` (``verify_failed`` or ``comment_lost``)."""
    # what we wrote may be a little larger than what we read: the caps are for input
    caps = Caps(size=len(data), depth=1000, nodes=1 << 40)
    again = parse(data, dialect=document.dialect, caps=caps)
    _compare(document, again)
    _second_opinion(again)
    return _census(document, layout, again, segments)


def readable(document: Document) -> None:
    """The independent parser's veto on a source: raises ``Refused`` if it reads it differently."""
    try:
        _second_opinion(document)
    except Refused as error:
        if error.code != "verify_failed":
            raise
        raise Refused(
            "readers_disagree",
            "two YAML readers understand this file differently",
            place=error.place,
            fix="write this place in a way that YAML 1.1 and 1.2 agree on",
        ) from None


def _failed(why: str, place: tuple[str | int, ...]) -> Refused:
    return Refused(
        "verify_failed",
        f"the edited text would not read back as intended: {why}",
        place=show(place),
        fix="migrate this place by hand and report the file's shape as a bug",
    )


def _compare(document: Document, again: Document) -> None:
    stack: list[tuple[Cell, Cell, tuple[str | int, ...]]] = [
        (document.root_cell, again.root_cell, ())
    ]
    source, result = document.text, again.text
    while stack:
        want, have, place = stack.pop()
        a, b = want.value, have.value
        node, other = want.node, have.node
        assert other is not None
        if node is not None:
            if node.alias != other.alias or node.anchor != other.anchor or node.tag != other.tag:
                raise _failed("an anchor, alias or tag differs", place)
            if node.alias is not None:
                continue
        elif (
            other.alias is not None
            or (other.anchor is not None and other.anchor not in document.aliased)
            or other.tag not in (None, "!")
        ):
            raise _failed("a new value got an anchor, alias or tag", place)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            if list(a.cells) != list(b.cells):
                raise _failed("keys differ", place)
            for x, y in zip(a.cells.values(), b.cells.values(), strict=True):
                stack.append((x, y, (*place, x.name or "")))
        elif isinstance(a, Sequence) and isinstance(b, Sequence):
            if len(a) != len(b):
                raise _failed("the number of items differs", place)
            for number, (x, y) in enumerate(zip(a.cells, b.cells, strict=True)):
                stack.append((x, y, (*place, number)))
        elif not same_value(a, b):
            raise _failed("a value differs", place)
        elif node is not None and node.end > node.outer and node.style not in ("|", ">"):
            old, new = source[node.start : node.end], result[other.start : other.end]
            if old != new and ("\n" not in old or old.split() != new.split()):
                raise _failed("the text of an unchanged scalar differs", place)


def _second_opinion(document: Document) -> None:
    try:
        value = yaml12.parse_yaml(document.text)
    except ValueError as error:
        found = re.search(r"line (\d+) column (\d+)", str(error))
        where = f"line {found[1]}, column {found[2]}: " if found else ""
        raise Refused("not_yaml", f"{where}a YAML 1.2 reader cannot read it") from None
    stack: list[tuple[Cell, Any, tuple[str | int, ...]]] = [(document.root_cell, value, ())]
    text = document.text
    while stack:
        cell, have, place = stack.pop()
        node = cell.node
        if isinstance(have, yaml12.Yaml):
            have = have.value
        want = cell.value
        if node is not None and node.alias is not None:
            continue
        if isinstance(want, Mapping):
            if not isinstance(have, dict) or len(have) != len(want.cells):
                raise _failed("a YAML 1.2 reader sees another structure", place)
            for inner, item in zip(want.cells.values(), have.values(), strict=True):
                stack.append((inner, item, (*place, inner.name or "")))
        elif isinstance(want, Sequence):
            if not isinstance(have, list) or len(have) != len(want):
                raise _failed("a YAML 1.2 reader sees another structure", place)
            for number, (item_cell, item) in enumerate(zip(want.cells, have, strict=True)):
                stack.append((item_cell, item, (*place, number)))
        elif node is not None and (node.tag is None or node.tag in ("", "!")):
            if node.style is None and "\n" not in text[node.start : node.end]:
                want = scalars.resolve(text[node.start : node.end], "yaml-1.2")
            elif node.style is None:
                continue
            if node.style in ("|", ">") and node.end == len(text) and isinstance(have, str):
                want, have = want.rstrip("\n"), have.rstrip("\n")  # a clipped end of file
            if isinstance(want, int) and not isinstance(want, bool) and abs(want) >= _INT64:
                want = float(want)
            if not same_value(want, have):
                raise _failed("a YAML 1.2 reader sees another value", place)


def _census(
    document: Document,
    layout: Layout,
    again: Document,
    segments: list[Segment],
) -> list[tuple[int, int]]:
    before = layout.comments()
    after = Layout(again.text, again.opaque).comments()
    copied = sorted((s.old, s.old + s.length) for s in segments)
    kept: list[tuple[int, int]] = []
    lost: list[tuple[int, int]] = []
    at = 0
    for start, end in before:
        while at < len(copied) and copied[at][1] <= start:
            at += 1
        inside = at < len(copied) and copied[at][0] <= start and end <= copied[at][1]
        (kept if inside else lost).append((start, end))
    stays = forbidden(document, layout, lost) if lost else None
    if stays is not None:
        line = document.text.count("\n", 0, stays[0]) + 1
        raise Refused("comment_lost", f"line {line}: the comment of something that stays would go")
    texts = sorted(document.text[a:b] for a, b in kept)
    if texts != sorted(again.text[a:b] for a, b in after):
        raise Refused("comment_lost", "the comments do not balance after the edit")
    return lost
