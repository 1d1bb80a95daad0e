"""Independent readings of JSON, JSONC and JSON5, and edits of plain data, for the tests.

``read`` is a strict little reader of its own: it knows the three grammars apart, keeps mappings
as pairs, numbers as they are written and comments in order. ``judge`` compares with it and with
the standard library's ``json`` or ``pyjson5``.
"""

from __future__ import annotations

import copy
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyjson5

from confmig.documents.model import path as paths
from tests.documents.helpers import Ordered

Op = tuple[Any, ...]
FORMATS = ("json", "jsonc", "json5")


class Number(str):
    """A number as it is written."""

    __slots__ = ()

    @property
    def value(self) -> int | float:
        sign = -1 if self.startswith("-") else 1
        body = self.lstrip("+-")
        if body == "Infinity":
            return sign * math.inf
        if body == "NaN":
            return math.nan
        if body[:2] in ("0x", "0X"):
            return sign * int(body, 16)
        return sign * (int(body) if body.isdigit() else float(body))


_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER5 = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F]+|Infinity|NaN"
    r"|(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPES_JSON = {**_ESCAPES, '"': '"', "\\": "\\", "/": "/"}
_STARTS = {"Lu", "Ll", "Lt", "Lm", "Lo", "Nl"}
_PARTS = {*_STARTS, "Mn", "Mc", "Nd", "Pc"}


class Reader:
    """A recursive reader for texts of moderate depth. Raises ``ValueError``."""

    def __init__(self, text: str, format: str) -> None:
        self.text = text
        self.five = format == "json5"
        self.with_comments = format != "json"
        self.at = 0
        self.comments: list[str] = []

    def document(self) -> Any:
        value = self.value()
        self.gap()
        if self.at != len(self.text):
            raise self.error("something follows the document")
        return value

    def error(self, why: str) -> ValueError:
        return ValueError(f"{why} at {self.at}")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def gap(self) -> None:
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\r\n" or (
                self.five
                and (char in "\v\f\xa0\ufeff\u2028\u2029" or unicodedata.category(char) == "Zs")
            ):
                self.at += 1
            elif self.with_comments and self.text.startswith(("//", "/*"), self.at):
                self.comment()
            else:
                return

    def comment(self) -> None:
        if self.text[self.at + 1] == "*":
            end = self.text.find("*/", self.at + 2)
            if end < 0:
                raise self.error("a comment does not end")
            end += 2
        else:
            stop = "[\r\n\u2028\u2029]" if self.five else "[\r\n]"
            found = re.compile(stop).search(self.text, self.at)
            end = found.start() if found else len(self.text)
        self.comments.append(self.text[self.at : end])
        self.at = end

    def value(self) -> Any:
        self.gap()
        char = self.peek()
        if char == "{":
            return self.mapping()
        if char == "[":
            return self.sequence()
        if char == '"' or (self.five and char == "'"):
            return self.string()
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        match = (_NUMBER5 if self.five else _NUMBER).match(self.text, self.at)
        if not match:
            raise self.error("a value is expected")
        self.at = match.end()
        following = self.peek()
        if following and (following in "._$\\" or following.isalnum()):
            raise self.error("a number goes on")
        return Number(match[0])

    def sequence(self) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        self.gap()
        while self.peek() != "]":
            items.append(self.value())
            self.comma("]")
        self.at += 1
        return items

    def mapping(self) -> Ordered:
        self.at += 1
        pairs = Ordered()
        self.gap()
        while self.peek() != "}":
            char = self.peek()
            if char == '"' or (self.five and char == "'"):
                key = self.string()
            elif self.five:
                key = self.identifier()
            else:
                raise self.error("a key is expected")
            self.gap()
            if self.peek() != ":":
                raise self.error("a colon is expected")
            self.at += 1
            pairs.append((key, self.value()))
            self.comma("}")
        self.at += 1
        return pairs

    def comma(self, closing: str) -> None:
        self.gap()
        if self.peek() == ",":
            self.at += 1
            self.gap()
            if self.peek() == closing and not self.with_comments:
                raise self.error("a trailing comma")
        elif self.peek() != closing:
            raise self.error("a comma is expected")

    def identifier(self) -> str:
        out = ""
        while True:
            char = self.peek()
            if char == "\\":
                if self.text[self.at + 1 : self.at + 2] != "u":
                    raise self.error("an escape in a key")
                self.at += 2
                char = chr(self.hex(4))
            elif char and self.is_part(char, first=not out):
                self.at += 1
            else:
                break
            if not self.is_part(char, first=not out):
                raise self.error("a character in a key")
            out += char
        if not out:
            raise self.error("a key is expected")
        return out

    def is_part(self, char: str, *, first: bool) -> bool:
        if char in "$_" or unicodedata.category(char) in _STARTS:
            return True
        return not first and (char in "\u200c\u200d" or unicodedata.category(char) in _PARTS)

    def hex(self, digits: int) -> int:
        text = self.text[self.at : self.at + digits]
        if not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", text):
            raise self.error("hexadecimal digits are expected")
        self.at += digits
        return int(text, 16)

    def string(self) -> str:
        quote = self.peek()
        self.at += 1
        out: list[str] = []
        while True:
            char = self.peek()
            self.at += 1
            if char == quote:
                break
            if not char:
                raise self.error("a string does not end")
            if char == "\\":
                out.append(self.escape())
            elif char in "\r\n" if self.five else char < " ":
                raise self.error("a control character in a string")
            else:
                out.append(char)
        # pairs of escaped surrogates are one character
        return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    def escape(self) -> str:
        char = self.peek()
        self.at += 1
        if char == "u":
            return chr(self.hex(4))
        if not self.five:
            if char not in _ESCAPES_JSON or not char:
                raise self.error("an escape")
            return _ESCAPES_JSON[char]
        if char == "x":
            return chr(self.hex(2))
        if char == "\r":
            self.at += self.peek() == "\n"
            return ""
        if char in ("\n", "\u2028", "\u2029"):
            return ""
        if char == "0" and not re.match("[0-9]", self.peek()):
            return "\0"
        if not char or char in "0123456789":
            raise self.error("an escape")
        return {**_ESCAPES, "v": "\v"}.get(char, char)


def read(data: bytes, format: str) -> Any:
    """The document of a strict reader. Raises ``ValueError``."""
    return Reader(data.decode("utf-8-sig"), format).document()


def comments(data: bytes, format: str) -> list[str]:
    """The comments of a valid text, white space evened out."""
    reader = Reader(data.decode("utf-8-sig"), format)
    reader.document()
    return [" ".join(c.split()) for c in reader.comments]


def has_duplicates(value: Any) -> bool:
    """Whether a mapping has a key twice."""
    if isinstance(value, Ordered):
        names = [k for k, _ in value]
        return len(set(names)) < len(names) or any(has_duplicates(v) for _, v in value)
    return isinstance(value, list) and any(has_duplicates(v) for v in value)


def foreign(data: bytes, format: str) -> Any:
    """What a widespread parser reads. Raises ``ValueError`` or what that parser raises."""
    text = data.decode("utf-8-sig")
    if format == "json":
        return json.loads(text, object_pairs_hook=Ordered, parse_constant=_no_constant)
    return _ordered(pyjson5.decode(text, maxdepth=-1))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return Ordered((k, _ordered(v)) for k, v in value.items())
    return [_ordered(v) for v in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Dicts instead of pairs."""
    if isinstance(value, Ordered):
        return {k: plain(v) for k, v in value}
    return [plain(v) for v in value] if isinstance(value, list) else value


def alike(a: Any, b: Any) -> bool:
    """Equal in type, value and order; numbers that nobody wrote anew are equal as text."""
    if isinstance(a, Ordered | dict) and isinstance(b, Ordered | dict):
        x, y = ([*v.items()] if isinstance(v, dict) else v for v in (a, b))
        return len(x) == len(y) and all(
            k == n and alike(v, w) for (k, v), (n, w) in zip(x, y, strict=True)
        )
    if isinstance(a, list) and isinstance(b, list) and not isinstance(a, Ordered):
        return len(a) == len(b) and all(alike(v, w) for v, w in zip(a, b, strict=True))
    if isinstance(a, Number) != isinstance(b, Number):
        a, b = (v.value if isinstance(v, Number) else v for v in (a, b))
    return type(a) is type(b) and bool(a == b or (a != a and b != b))


# --- the same edit on ordinary dicts and lists


def place(path: str) -> list[str | int]:
    """The keys and positions of a path without wildcards."""
    out: list[str | int] = []
    for segment in paths.parse(path):
        assert isinstance(segment, paths.Key | paths.Index)
        out.append(segment.name if isinstance(segment, paths.Key) else segment.at)
    return out


def _places(value: Any, segments: paths.Path, base: tuple[Any, ...] = ()) -> Iterator[Any]:
    if not segments:
        yield base
        return
    first, *rest = segments
    if isinstance(first, paths.AnyDepth):
        yield from _places(value, tuple(rest), base)
        for key, inner in _items(value):
            if isinstance(inner, dict | list):
                yield from _places(inner, segments, (*base, key))
        return
    wanted = getattr(first, "name", getattr(first, "at", None))
    for key, inner in _items(value):
        if wanted is None or key == wanted:
            yield from _places(inner, tuple(rest), (*base, key))


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return [*value.items()]
    return [*enumerate(value)] if isinstance(value, list) else []


def _parent(root: Any, where: Any, *, create: bool = False) -> Any:
    for part in where[:-1]:
        if create and isinstance(part, str) and root.get(part) is None:
            root[part] = {}
        root = root[part]
    return root


def apply(root: Any, op: Op) -> Any:
    """The edit on plain data; returns the root."""
    kind, path, *rest = copy.deepcopy(op)
    found: list[Any] = list(_places(root, paths.parse(path)))
    if kind == "delete":
        for where in reversed(found):
            del _parent(root, where)[where[-1]]
    elif kind == "set":
        if root is None:
            root = {}
        target = place(path)
        _parent(root, target, create=True)[target[-1]] = rest[0]
    elif kind == "rename":
        for where in found:
            _rename(_parent(root, where), where[-1], rest[0])
    elif kind == "move":
        target = place(rest[0])
        if found and [*found[0]][:-1] == target[:-1]:
            _rename(_parent(root, target), found[0][-1], target[-1])
        elif found:
            value = _parent(root, found[0]).pop(found[0][-1])
            root = apply(root, ("set", rest[0], value))
    elif kind == "wrap":
        if not path:
            return [root] if rest[0] is None else {rest[0]: root}
        for where in found:
            here = _parent(root, where)
            value = here[where[-1]]
            here[where[-1]] = [value] if rest[0] is None else {rest[0]: value}
    else:
        items = _parent(root, [*place(path), None])
        items.insert(rest[0] if kind == "insert" else len(items), rest[-1])
    return root


def _rename(here: Any, old: Any, new: Any) -> None:
    pairs = [(new if k == old else k, v) for k, v in here.items()]
    here.clear()
    here.update(pairs)


def edit(document: Any, op: Op) -> None:
    """The edit on a document."""
    kind, path, *rest = copy.deepcopy(op)
    where = paths.parse(path)
    if kind == "set" and where and isinstance(where[-1], paths.Index):
        target = document.root
        for part in place(path)[:-1]:
            target = target[part]
        target[where[-1].at] = rest[0]
    else:
        getattr(document, kind)(path, *rest)


def judge(source: bytes, result: bytes, ops: list[Op], format: str) -> None:
    """Both readers must see what the same edits make of plain data."""
    after, other = plain(read(source, format)), _foreign_or_none(source, format)
    for op in ops:
        after = apply(after, op)
    assert alike(read(result, format), after), "the strict reader reads another value"
    if other is not None:
        other = plain(other)
        for op in ops:
            other = apply(other, op)
        assert alike(foreign(result, format), other), "the widespread reader reads another value"


def _foreign_or_none(source: bytes, format: str) -> Any:
    """None for what pyjson5 cannot read (numbers beyond its limits, surrogates)."""
    try:
        return foreign(source, format)
    except (pyjson5.Json5DecoderException, ValueError):
        return None


def census(source: bytes, result: bytes, lost: list[str], format: str) -> None:
    """Comments out are comments in, less those the ledger names."""
    before, after = (Counter(comments(d, format)) for d in (source, result))
    assert not after - before, f"new comments: {after - before}"
    gone = before - after
    ledger = [" ".join(text.split()) for text in lost]
    for text in gone:
        assert any(text in entry for entry in ledger), f"a comment is lost unnoticed: {text}"
    for entry in ledger:
        assert any(text in entry for text in gone), f"a comment stays: {entry}"
