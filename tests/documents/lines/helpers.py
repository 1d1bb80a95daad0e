"""Independent readings of INI, .properties and .env, and checks of every edited text.

Independent readings of INI, .properties and .env, the same edits made on plain dicts, and the
checks that every edited text must pass.
"""

from __future__ import annotations

import configparser
import io
import json
import re
from collections import Counter
from copy import deepcopy
from typing import Any

import dotenv
import javaproperties

from confmig.documents import formats
from confmig.documents.formats import Rendered
from confmig.documents.model import path as paths
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.journal import Change
from confmig.documents.model.replay import replay
from tests.documents.helpers import render

Op = tuple[Any, ...]
ROOT = "the keys above the first section"


class Reader(configparser.RawConfigParser):
    """configparser as the least surprising service uses it."""

    def __init__(self, strict: bool = True) -> None:
        super().__init__(
            strict=strict, interpolation=None, allow_no_value=True, default_section="no section"
        )

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def read(data: bytes, format: str, strict: bool = True) -> dict[str, Any]:
    """What others see in a file."""
    text = data.decode("utf-8-sig")
    if format == "properties":
        return dict(javaproperties.loads(text))
    if format == "dotenv":
        return dict(dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False))
    reader = Reader(strict)
    reader.read_string(f"[{ROOT}]\n{text}")
    out: dict[str, Any] = dict(reader.items(ROOT))
    return out | {name: dict(reader.items(name)) for name in reader.sections() if name != ROOT}


def parse(source: str | bytes, format: str, caps: Caps | None = None) -> Document:
    """Parse a text as the engine does."""
    data = source.encode() if isinstance(source, str) else source
    return formats.parse(data, format=format, caps=caps)


def edit(document: Document, op: Op) -> None:
    """Make one edit through the Document API."""
    getattr(document, op[0])(*op[1:])


def edited(source: str | bytes, format: str, *ops: Op) -> tuple[Document, Rendered]:
    """The document and what it renders to after some edits."""
    document = parse(source, format)
    for op in ops:
        edit(document, op)
    return document, render(document)


def same_edit(root: dict[str, Any], op: Op) -> None:
    """The edit on ordinary dicts."""
    kind, path, *rest = deepcopy(op)
    *head, last = [s.name for s in paths.parse(path) if isinstance(s, paths.Key)]
    here = root
    for name in head:
        if name not in here and kind != "set":
            return
        here = here.setdefault(name, {})
    if kind == "set":
        here[last] = as_text(rest[0])
    elif last not in here:
        return
    elif kind == "delete":
        del here[last]
    elif kind == "rename":
        here[rest[0]] = here.pop(last)
    else:
        assert kind == "move"
        value = here.pop(last)
        same_edit(root, ("set", rest[0], value))


def as_text(value: Any) -> Any:
    """A value as a file of lines holds it."""
    if isinstance(value, dict):
        return {k: as_text(v) for k, v in value.items()}
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)


_COMMENTS = {
    "ini": r"^[^\S\n]*(?P<own>[#;][^\r\n]*)|^[^\S\n]*\[[^\]\n]+\][ \t]*(?P<behind>[#;][^\r\n]*)",
    "properties": r"^[ \t\f]*(?P<own>[#!][^\r\n]*)|^(?:\\.|[^\\\r\n]|\\\r?\n)+",
    "dotenv": (
        r"^\s*(?P<own>#[^\r\n]*)"
        r"|=[ \t]*(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")[ \t]*(?P<behind>#[^\r\n]*)?"
        r"|(?<=\S)[^\S\r\n]+(?P<bare>#[^\r\n]*)"
    ),
}


def comments(text: str, format: str) -> Counter[str]:
    """The comments of a valid text with unremarkable lines."""
    flags = re.MULTILINE | (re.DOTALL if format == "dotenv" else 0)
    found = re.finditer(_COMMENTS[format], text, flags)
    return Counter(c for m in found for c in m.groupdict().values() if c)


def check(
    source: str | bytes, format: str, ops: tuple[Op, ...], document: Document, out: Rendered
) -> None:
    """Everything that must hold of an edited text, whatever its bytes are."""
    data = source.encode() if isinstance(source, str) else source
    want = read(data, format)
    for op in ops:
        same_edit(want, op)
    have = read(out.data, format)
    assert have == want, f"another reader sees {have!r}, wanted {want!r}"
    assert as_text(document.root) == have, f"the tree shows {document.root!r}, not {have!r}"
    before = comments(data.decode("utf-8-sig"), format)
    after = comments(out.data.decode("utf-8-sig"), format)
    assert not after - before, f"comments appeared: {after - before}"
    ledger = Counter(document.text[a:b] for a, b in out.lost_comments)
    assert before - after == ledger, f"lost {before - after}, but the ledger says {ledger}"
    assert out.data.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf"), "BOM"
    if b"\r\n" in data and b"\n" not in data.replace(b"\r\n", b""):
        assert b"\n" not in out.data.replace(b"\r\n", b""), "a CRLF file got a bare LF"
    bare = data.removeprefix(b"\xef\xbb\xbf")
    if bare and out.data.removeprefix(b"\xef\xbb\xbf"):
        ends = bare.endswith((b"\n", b"\r")), out.data.endswith((b"\n", b"\r"))
        assert ends[0] or not ends[1] or b"\n\n" in out.data, "a final newline came"
        assert ends[1] or not ends[0], "the final newline is lost"
    again = parse(data, format)
    replay(again, (Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes))
    assert formats.render(again).data == out.data, "a replayed journal must give the same bytes"
    assert formats.render(parse(out.data, format)).data == out.data, "the result must be stable"
    assert parse(out.data, format).root == have
