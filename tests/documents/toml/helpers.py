"""An independent reading of TOML, and the checks that every edited text must pass.

An independent reading of TOML (the standard library's), the same edits made on plain dicts and
lists, and the checks that every edited text must pass.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from copy import deepcopy
from datetime import date, datetime
from datetime import time as clock
from typing import Any

from confmig.documents import formats
from confmig.documents.formats import Rendered
from confmig.documents.model import path as paths
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.journal import Change
from confmig.documents.model.replay import replay
from confmig.documents.model.values import Date
from tests.documents.helpers import render

Op = tuple[Any, ...]


class Lexeme(str):
    """A float as it is written: 1.0 is not 1.00."""


def parse(source: str | bytes, caps: Caps | None = None) -> Document:
    """Parse a text as the engine does."""
    data = source.encode() if isinstance(source, str) else source
    return formats.parse(data, format="toml", caps=caps)


def read(data: bytes) -> Any:
    """What tomllib sees; floats keep their text."""
    return tomllib.loads(data.decode("utf-8-sig"), parse_float=Lexeme)


def alike(a: Any, b: Any) -> bool:
    """Equal in value and type; arrays in order; a float of the source must keep its text."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(v, w) for v, w in zip(a, b, strict=True))
    if isinstance(a, Lexeme) and isinstance(b, Lexeme):
        return a == b
    if isinstance(a, Lexeme) and isinstance(b, float):
        return repr(float(a)) == repr(b)
    if isinstance(a, float) and isinstance(b, Lexeme):
        return alike(b, a)
    return type(a) is type(b) and bool(a == b)


def mirrors(tree: Any, value: Any) -> bool:
    """Whether a tree (dates are text of their own type) shows what tomllib read."""
    if isinstance(value, dict):
        return (
            isinstance(tree, dict)
            and tree.keys() == value.keys()
            and all(mirrors(tree[k], value[k]) for k in value)
        )
    if isinstance(value, list):
        return (
            isinstance(tree, list)
            and len(tree) == len(value)
            and all(mirrors(v, w) for v, w in zip(tree, value, strict=True))
        )
    if isinstance(value, datetime | date | clock):
        return type(tree) is Date and bool(tomllib.loads(f"d = {tree}")["d"] == value)
    if isinstance(value, Lexeme):
        return type(tree) is float and repr(tree) == repr(float(value))
    return type(tree) is type(value) and bool(tree == value)


# --- edits: on a document, and the same on plain values


def edit(document: Document, op: Op) -> None:
    """Make one edit through the Document API."""
    kind, path, *rest = op
    last = paths.parse(path)[-1] if path else None
    if kind == "set" and isinstance(last, paths.Index):
        hit = document.find(path)[0]
        document.replace(hit.container, hit.entry, rest[0])
    elif kind == "relocate":
        to, at = rest
        target = document.get(to) if to else document.root
        document.relocate(document.find(path)[0], target, None, at)
    else:
        getattr(document, kind)(path, *rest)


def places(root: Any, path: str) -> list[tuple[Any, Any]]:
    """Every (container, key or position) that a path names."""
    here: list[tuple[Any, Any]] = [({None: root}, None)]
    for segment in paths.parse(path):
        found: list[tuple[Any, Any]] = []
        for container, key in here:
            value = container[key]
            if isinstance(segment, paths.Key):
                found += [(value, segment.name)] if segment.name in value else []
            elif isinstance(segment, paths.Index):
                found += [(value, segment.at)] if segment.at < len(value) else []
            elif isinstance(segment, paths.AnyItem):
                found += [(value, n) for n in range(len(value))]
            elif isinstance(segment, paths.AnyKey):
                found += [(value, k) for k in value]
            else:
                raise NotImplementedError(segment)
        here = found
    return here


def reach(root: Any, path: str) -> tuple[Any, Any]:
    """The container of a target, created if need be, and the last key."""
    *head, last = paths.parse(path)
    here = root
    for segment in head:
        if isinstance(segment, paths.Index):
            here = here[segment.at]
        else:
            assert isinstance(segment, paths.Key)
            here = here.setdefault(segment.name, {})
    assert isinstance(last, paths.Key | paths.Index)
    return here, last.name if isinstance(last, paths.Key) else last.at


def same_edit(root: Any, op: Op) -> Any:
    """The edit on ordinary dicts and lists."""
    kind, path, *rest = deepcopy(op)
    if kind == "wrap" and not path:
        return {rest[0]: root} if rest and rest[0] is not None else [root]
    if kind == "set":
        here, last = reach(root, path)
        here[last] = rest[0]
        return root
    hits = places(root, path)
    if kind == "delete":
        for container, key in reversed(hits):
            del container[key]
    elif kind == "rename":
        for container, key in hits:
            items = [(rest[0] if k == key else k, v) for k, v in container.items()]
            container.clear()
            container.update(items)
    elif kind == "move":
        if hits:
            here, last = reach(root, rest[0])
            container, key = hits[0]
            here[last] = container.pop(key)
    elif kind == "relocate":
        to, at = rest
        target = places(root, to)[0]
        target = target[0][target[1]]
        container, key = hits[0]
        value = container.pop(key)
        target.insert(len(target) if at is None else at, value)
    elif kind == "wrap":
        under = rest[0] if rest else None
        for container, key in hits:
            value = container[key]
            container[key] = [value] if under is None else {under: value}
    else:
        container, key = hits[0]
        target = container[key]
        target.insert(rest[0] if kind == "insert" else len(target), rest[-1])
    return root


# --- checks

_TOKENS = re.compile(
    r'''"""(?:\\[\s\S]|[^\\])*?"""(?:"{0,2})'''
    r"""|'''[\s\S]*?'''(?:'{0,2})"""
    r'''|"(?:\\.|[^"\\\n])*"'''
    r"""|'[^'\n]*'"""
    r"""|(?P<comment>\#[^\n]*)"""
)


def comments(text: str) -> Counter[str]:
    """The comments of a valid text."""
    return Counter(m["comment"].strip() for m in _TOKENS.finditer(text) if m["comment"])


def without_blank_lines(text: str) -> str:
    """The text with no empty lines and one way to end a line."""
    return "\n".join(line for line in text.replace("\r\n", "\n").split("\n") if line.strip())


def edited(source: str | bytes, *ops: Op) -> tuple[Document, Rendered]:
    """The document and what it renders to after some edits."""
    document = parse(source)
    for op in ops:
        edit(document, op)
    return document, render(document)


def check(source: str | bytes, ops: tuple[Op, ...], document: Document, out: Rendered) -> None:
    """Everything that must hold of an edited text, whatever its bytes are."""
    data = source.encode() if isinstance(source, str) else source
    want = read(data)
    for op in ops:
        want = same_edit(want, op)
    have = read(out.data)
    assert alike(have, want), f"tomllib reads {have!r}, wanted {want!r}"
    assert mirrors(document.root, have), f"the tree shows {document.root!r}, tomllib {have!r}"
    before, after = comments(data.decode("utf-8-sig")), comments(out.data.decode("utf-8-sig"))
    assert not after - before, f"comments appeared: {after - before}"
    ledger = Counter(document.text[a:b].strip() for a, b in out.lost_comments)
    assert before - after == ledger, f"lost {before - after}, but the ledger says {ledger}"
    assert out.data.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf"), "BOM"
    if b"\r\n" in data and b"\n" not in data.replace(b"\r\n", b""):
        assert b"\n" not in out.data.replace(b"\r\n", b""), "a CRLF file got a bare LF"
    if data.endswith(b"\n") and out.data.strip(b"\xef\xbb\xbf"):
        assert out.data.endswith(b"\n"), "the final newline is lost"
    again = parse(data)
    replay(again, (Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes))
    assert formats.render(again).data == out.data, "a replayed journal must give the same bytes"
    assert formats.render(parse(out.data)).data == out.data, "the result must be stable"
