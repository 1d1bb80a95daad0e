"""The second opinion about a YAML text, by a parser that is not libyaml.

py-yaml12 reads YAML 1.2: the structure and every scalar, read under 1.2, must agree. It also
rejects some files that libyaml and most services read (a quoted text that goes on at the column of
its key). For those PyYAML's own parser in Python gives the opinion; it is slower. A file that both
refuse, or that py-yaml12 understands differently, cannot be edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
import yaml12
from yaml import events as ev

from confmig.documents.model.compare import verify_failed as _failed
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.path import Place
from confmig.documents.model.tree import Entry, Mapping, Sequence, entries_of
from confmig.documents.model.values import same_value
from confmig.documents.yaml import scalars
from confmig.documents.yaml.parse import parse, tagged
from confmig.errors import Refused

_INT64 = 1 << 63
_BLOCK = frozenset(("|", ">"))


def second_opinion(document: Document, text: str) -> None:
    """Check that another parser reads the tree in a text.

    Raises ``Refused``: ``verify_failed``, or what was wrong with the source already
    (``not_yaml``, ``readers_disagree``).
    """
    try:
        _yaml12(document, text)
    except Refused as error:
        source = parse(document.text.encode(), **_again(document))
        try:
            _yaml12(source, document.text)
        except Refused as before:
            if before.code != "not_yaml":
                raise Refused(
                    "readers_disagree",
                    "two YAML readers understand this file differently",
                    place=before.place,
                    fix="write this so that YAML 1.1 and 1.2 read it alike",
                ) from None
            if not _reads(source, document.text):
                raise Refused(
                    before.code,
                    before.message,
                    place=before.place,
                    fix="write this so that YAML 1.1 and 1.2 read it alike",
                ) from None
            _pyyaml(document, text)
            return
        raise error from None


def _again(document: Document) -> dict[str, Any]:
    caps = Caps(size=1 << 40, depth=document.caps.depth, nodes=1 << 40, entries=1 << 40)
    return {"dialect": document.dialect, "caps": caps, "multi": document.stream}


def _reads(source: Document, text: str) -> bool:
    try:
        _pyyaml(source, text)
    except Refused:
        return False
    return True


def _pyyaml(document: Document, text: str) -> None:
    """PyYAML's parser in Python must see the tree, event by event."""
    roots = entries_of(document.root) if document.stream else [document.root_entry]
    wanted = _walk(roots)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, ev.NodeEvent | ev.CollectionEndEvent):
                _compare(document, next(wanted, None), event)
    except yaml.YAMLError:
        raise _failed("another YAML reader cannot read it", ()) from None
    left = next(wanted, None)
    if left is not None and (left[1] is None or left[1].value is not None):
        raise _failed("another YAML reader sees less", ())


_Item = tuple[str, Entry | None]


def _walk(roots: list[Entry]) -> Iterator[_Item]:
    """What the events must be: keys, values, aliases, and the ends of containers."""
    stack: list[_Item] = [("value", entry) for entry in reversed(roots)]
    while stack:
        kind, entry = stack.pop()
        yield kind, entry
        if (
            kind != "value"
            or entry is None
            or (entry.node is not None and entry.node.alias is not None)
        ):
            continue
        if isinstance(entry.value, Mapping | Sequence):
            stack.append(("end", None))
            for inner in reversed(entries_of(entry.value)):
                stack.append(("value", inner))
                if inner.name is not None:
                    stack.append(("key", inner))


def _compare(document: Document, item: _Item | None, event: Any) -> None:
    kind, entry = item if item is not None else ("nothing", None)
    if kind == "end":
        agrees = isinstance(event, ev.CollectionEndEvent)
    elif entry is None:
        agrees = False
    elif kind == "key":
        agrees = isinstance(event, ev.ScalarEvent) and event.value == entry.name
    elif entry.node is not None and entry.node.alias is not None:
        agrees = isinstance(event, ev.AliasEvent) and event.anchor == entry.node.alias
    elif isinstance(entry.value, Mapping):
        agrees = isinstance(event, ev.MappingStartEvent)
    elif isinstance(entry.value, Sequence):
        agrees = isinstance(event, ev.SequenceStartEvent)
    else:
        agrees = isinstance(event, ev.ScalarEvent) and same_value(
            _value(event, document.dialect), entry.value
        )
    if not agrees:
        raise _failed("another YAML reader sees another value", ())


def _value(event: Any, dialect: str) -> Any:
    if event.tag and event.tag != "!":
        return tagged(event.tag, event.value, dialect)
    plain = not event.style and event.tag != "!"
    return scalars.resolve(event.value, dialect) if plain else event.value


def _yaml12(document: Document, text: str) -> None:
    """The independent parser must see the same structure and scalars.

    What C finds equal needs no further look (types are the first reader's business); only the
    rest is walked.
    """
    try:
        value = yaml12.parse_yaml(text, multi=document.stream)
    except ValueError as error:
        found = re.search(r"line (\d+) column (\d+)", str(error))
        at = f" (column {found[2]})" if found else ""
        line = int(found[1]) if found else 0
        raise Refused("not_yaml", f"a YAML 1.2 reader cannot read this{at}", line=line) from None
    stack: list[tuple[Entry, Any, Place]] = [(document.root_entry, value, ())]
    source = document.text
    while stack:
        entry, have, place = stack.pop()
        node, want = entry.node, entry.value
        if isinstance(have, yaml12.Yaml):
            have = have.value
        if (node is not None and node.alias is not None) or _equal(want, have):
            continue
        if isinstance(want, Mapping):
            if not isinstance(have, dict) or len(have) != len(want.entries):
                raise _failed("a YAML 1.2 reader sees another structure", place)
            for inner, item in zip(want.entries.values(), have.values(), strict=True):
                stack.append((inner, item, (*place, inner.name or "")))
        elif isinstance(want, Sequence):
            if not isinstance(have, list) or len(have) != len(want):
                raise _failed("a YAML 1.2 reader sees another structure", place)
            for number, (item_entry, item) in enumerate(zip(want.entries, have, strict=True)):
                stack.append((item_entry, item, (*place, number)))
        elif node is None:
            raise _failed("a YAML 1.2 reader sees another value", place)
        elif node.tag is None or node.tag in ("", "!"):
            raw = source[node.start : node.end]
            if node.style is None and "\n" in raw:
                continue
            if node.style is None:
                want = scalars.resolve(raw, "yaml-1.2")
            if node.style in _BLOCK and isinstance(have, str) and node.end == len(source):
                want, have = want.rstrip("\n"), have.rstrip("\n")  # a clipped end of file
            if isinstance(want, int) and not isinstance(want, bool) and abs(want) >= _INT64:
                want = float(want)
            if not same_value(want, have):
                raise _failed("a YAML 1.2 reader sees another value", place)


def _equal(want: Any, have: Any) -> bool:
    try:
        return bool(want == have)
    except RecursionError:  # deeper than C compares: the walk decides
        return False
