"""Random JSON, JSONC and JSON5 with a model of what it means; edits and checks, for TOML too.

The model is independent of the engine. A text and its model are written together: containers by
construction, the meaning of a scalar by an independent reader of its token alone (json, pyjson5).
``Scan`` is a third reader of the result: it keeps the tokens, their places and the comments, so
that the checks speak about text and not only about values.

Every comment carries a mark of its own (``~12~``) and has an owner in the model:

* ``Entry.above``, ``Entry.behind``: on the lines directly above the entry, on the line of its end
* ``Entry.inside``: before or between the entry's own tokens
* ``Node.notes``: inside a container, of no entry (behind its bracket, set off by a blank line)
* ``Maker.shared``: between entries of one line; it must stay while all of them do
* ``Maker.header``: of the file; ``Maker.floating``: between sections, it may go with one
"""

from __future__ import annotations

import datetime
import itertools
import json
import random
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyjson5

from confmig.documents import formats
from confmig.documents.formats import Rendered
from confmig.documents.model.document import Document
from confmig.documents.model.journal import Change
from confmig.documents.model.path import show
from confmig.documents.model.replay import replay
from confmig.documents.model.values import plain
from confmig.errors import Refused
from tests.documents.yaml.fuzzing import FRESH

MARK = re.compile(r"~\d+~")
Place = tuple[str | int, ...]
WORDS = (*("name", "id", "port", "host", "enabled", "paths", "level", "type"), "url", "on", "x")


class Wrong(AssertionError):
    """The engine's result is not what was asked; ``kind`` says in what respect."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


def need(condition: bool, kind: str, message: str) -> None:
    if not condition:
        raise Wrong(kind, message)


# --- the model


@dataclass(eq=False)
class Node:
    """A value.

    ``form`` is how a source writes a container ("" if none does), ``raw`` the token of a scalar
    that stands in the source.
    """

    kind: str
    entries: list[Entry] = field(default_factory=list)
    value: Any = None
    raw: str | None = None
    form: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Entry:
    """An entry of a map or list; ``src`` is its place in the source, None if it is new."""

    key: str | None
    node: Node
    above: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    src: SeenEntry | None = None


@dataclass(frozen=True)
class Spot:
    """An entry of the model with its place. ``inside``: within an inline table or an array."""

    place: Place
    parent: Node
    entry: Entry
    inside: bool


def walk(node: Node, place: Place = (), inside: bool = False) -> Iterator[Spot]:
    """Every entry below a node."""
    inside = inside or node.form == "inline" or (node.kind == "list" and node.form != "aot")
    for number, entry in enumerate(node.entries):
        here = (*place, number if entry.key is None else entry.key)
        yield Spot(here, node, entry, inside)
        yield from walk(entry.node, here, inside)


def meaning(node: Node) -> Any:
    """The value in plain data."""
    if node.kind == "map":
        return {str(e.key): meaning(e.node) for e in node.entries}
    if node.kind == "list":
        return [meaning(e.node) for e in node.entries]
    return node.value


def model_of(value: Any) -> Node:
    """The model of a new value."""
    if isinstance(value, dict):
        return Node("map", [Entry(k, model_of(v)) for k, v in value.items()])
    if isinstance(value, list):
        return Node("list", [Entry(None, model_of(v)) for v in value])
    return Node("scalar", value=value)


def alike(a: Any, b: Any, *, order: bool = True) -> bool:
    """Equal in value and type, and with ``order`` in the order of keys; NaN equals NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        if (list(a) != list(b)) if order else (a.keys() != b.keys()):
            return False
        return all(alike(a[k], b[k], order=order) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(alike(x, y, order=order) for x, y in zip(a, b, strict=True))
    return bool(a == b or (a != a and b != b))


# --- what stands in a text


@dataclass(eq=False)
class Seen:
    """A value in a text; ``trailing`` tells a comma behind the last entry."""

    kind: str
    start: int
    end: int = 0
    entries: list[SeenEntry] = field(default_factory=list)
    trailing: bool = False


@dataclass(eq=False)
class SeenEntry:
    """An entry in a text.

    ``at`` is where it begins (None for a TOML table without a header), ``end`` where it ends,
    ``spots`` all key tokens that name it, ``spot`` the defining one.
    """

    key: str | None
    node: Seen
    at: int | None
    end: int | None
    spots: list[tuple[int, int]] = field(default_factory=list)
    header: bool = False
    main: tuple[int, int] | None = None

    @property
    def spot(self) -> tuple[int, int]:
        return self.main or self.spots[-1]


def _entries(seen: Seen) -> Iterator[SeenEntry]:
    for entry in seen.entries:
        yield entry
        yield from _entries(entry.node)


class Scan:
    """The tokens of a JSON text of a format, and its comments by their mark.

    ``row`` is its entries as they stand one behind the other.
    """

    ordered = True
    _TOKEN = re.compile(
        r"""(?P<space>[\s\ufeff]+) | (?P<comment>//[^\n\r\u2028\u2029]*|/\*.*?\*/)
          | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*') | (?P<mark>[{}\[\]:,])
          | (?P<bare>[^\s{}\[\]:,"'/]+)""",
        re.VERBOSE | re.DOTALL,
    )

    def __init__(self, text: str, format: str) -> None:
        self.text = text
        self.format = format
        self.comments: dict[str, tuple[int, int]] = {}
        self.spans: list[tuple[int, int]] = []
        self.commas: list[int] = []
        self.tokens: list[tuple[str, int, int]] = []
        at = 0
        while at < len(text):
            match = self._TOKEN.match(text, at)
            if match is None:
                raise Wrong("syntax", f"no token at {at}: {text[at : at + 20]!r}")
            if match.lastgroup == "comment":
                self.comment(at, match.end())
            elif match.lastgroup != "space":
                self.tokens.append((str(match.lastgroup), at, match.end()))
            at = match.end()
        need(format != "json" or not self.spans, "syntax", "a comment in JSON")
        self.next = 0
        self.root = self.value()
        need(self.next == len(self.tokens), "syntax", "text behind the root value")
        self.row = list(_entries(self.root))

    @staticmethod
    def after(entry: SeenEntry) -> int:
        """Where the text between an entry of the ``row`` and the next one begins."""
        return entry.node.start + 1 if entry.node.entries else entry.node.end

    def comment(self, start: int, end: int) -> None:
        marks = MARK.findall(self.text[start:end])
        need(len(marks) == 1, "comment added", f"a comment of no source: {self.text[start:end]!r}")
        need(marks[0] not in self.comments, "comment twice", f"the comment {marks[0]}")
        self.comments[marks[0]] = (start, end)
        self.spans.append((start, end))

    def raw(self, span: Seen | tuple[int, int]) -> str:
        start, end = (span.start, span.end) if isinstance(span, Seen) else span
        return self.text[start:end]

    def peek(self) -> str:
        if self.next >= len(self.tokens):
            return ""
        _, start, end = self.tokens[self.next]
        return self.text[start:end]

    def take(self) -> tuple[str, int, int]:
        need(self.next < len(self.tokens), "syntax", "the text ends too early")
        self.next += 1
        return self.tokens[self.next - 1]

    def value(self) -> Seen:
        kind, start, end = self.take()
        if kind in ("string", "bare"):
            return Seen("scalar", start, end)
        need(self.text[start] in "{[", "syntax", f"a value is expected at {start}")
        seen = Seen("map" if self.text[start] == "{" else "list", start)
        closing = "}" if seen.kind == "map" else "]"
        while self.peek() != closing:
            seen.entries.append(self.entry(seen.kind))
            seen.trailing = self.peek() == ","
            if seen.trailing:
                self.commas.append(self.take()[1])
            else:
                need(self.peek() == closing, "syntax", f"no comma behind {seen.entries[-1].end}")
        if seen.trailing:
            self.commas.pop()
        seen.end = self.take()[2]
        need(self.format != "json" or not seen.trailing, "syntax", "a trailing comma in JSON")
        return seen

    def entry(self, kind: str) -> SeenEntry:
        if kind == "list":
            node = self.value()
            return SeenEntry(None, node, node.start, node.end)
        _, start, end = self.take()
        name = next(iter(read_token("{" + self.text[start:end] + ":0}", self.format)))
        need(self.peek() == ":", "syntax", f"no colon at {end}")
        self.take()
        node = self.value()
        return SeenEntry(name, node, start, node.end, [(start, end)])

    def strict(self) -> str:
        """The text without comments and trailing commas: JSON, if this is JSONC."""
        return " ".join(
            self.text[start:end]
            for number, (kind, start, end) in enumerate(self.tokens)
            if not (
                kind == "mark"
                and self.text[start] == ","
                and self.text[self.tokens[number + 1][1]] in "]}"
            )
        )


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    need(len({k for k, _ in pairs}) == len(pairs), "value", "a key is there twice")
    return dict(pairs)


def read_token(raw: str, format: str) -> Any:
    """What a piece of text without comments means."""
    return (
        pyjson5.decode(raw, 1000)
        if format == "json5"
        else json.loads(raw, object_pairs_hook=_pairs)
    )


def read(text: str, format: str) -> Any:
    """What the independent readers of a format see."""
    text = text.removeprefix("\ufeff")
    if format == "json":
        return json.loads(text, object_pairs_hook=_pairs)
    value = pyjson5.decode(text, 1000)
    if format == "jsonc":
        strict = json.loads(Scan(text, format).strict(), object_pairs_hook=_pairs)
        need(alike(value, strict), "value", "two readers of JSONC disagree")
    return value


# --- the texts

STRINGS = (
    *("", "text", "two words", "// none", "/* none */", "a, b", "{", "}", "[1]", "a: b", "#x"),
    *('\\"q\\"', "it's", "\\\\", "\\/", "C:\\\\dir\\\\", "\\n\\t\\r\\b\\f", "\\u0000"),
    *("\\u001b[0m", "\\u00e9", "\\uD83D\\uDE00", "😀", "käse", "\u2028", "\u2029", "\x85", "\x7f"),
    *("\ufeff", "\\u2028", "http://h:1/p?q=1#f", "null", "true", "1.0", " ", '\\\\\\"', "\\u005c"),
    *('\\"', "//", "*/", "/*", ",", ":", "]", "}}", "${VAR}", "{{ t }}", "é\u00a0x"),
    *("\\ud83d\\ude00 ok",),
)
STRINGS5 = ("\\x41", "\\v\\0", "line \\\ncontinues", "\\'", "\\a", "\\\n")
NUMBERS = (
    *("0", "-0", "1", "-1", "42", "1.0", "1.50", "-0.0", "1E+2", "1e5", "1e-7", "0.1"),
    *("100000.000", "9007199254740993", "123456789012345678901234567890", "-9223372036854775808"),
    *("1.0E-2", "3.141592653589793238462643383279", "0e0", "1e308", "5e-324"),
)
# what pyjson5, the reader of the other formats, does not take
NUMBERS_JSON = ("1E400", "-1e999", "1e-400")
STRINGS_JSON = ("\\ud800", "a\\uDC00b", "\\udc00\\ud800")
NUMBERS5 = (
    *("0x1F", "0XdecAF", "-0xff", "+1", "+1.5", ".5", "5.", "-.5e-3", "NaN", "Infinity"),
    *("-Infinity", "+Infinity", "-NaN", "0x1fffffffffffffffff"),
)
KEYS = (
    *("", " ", "//", "/*", "{", "}", "a.b", "[0]", "*", "**", "__proto__", "käse", "😀", "a'b"),
    *('a\\"b', "a\\\\b", "a\\nb", "\\u0061bc", "a,b", "a:b", "#", "null", "1", "-", "$ref"),
    *("@type", "x y", "\\/p", "~", "a\\tb", "constructor", "\u2028", "0x1", "..", "a]"),
)
KEYS5 = ("$k", "_k", "ключ", "null", "true", "NaN", "Infinity", "\\u0061z", "ünï", "k\\u0031")


class Maker:
    """Writes one random text and its model."""

    def __init__(self, rng: random.Random, format: str) -> None:
        self.rng = rng
        self.format = format
        self.count = 0
        self.align = False
        self.header: list[str] = []
        self.floating: list[str] = []
        self.shared: list[tuple[str, tuple[Entry, ...]]] = []
        self.commented = 0.0 if format == "json" else rng.choice((0.0, 0.1, 0.3))
        self.size = rng.choice((1, 2, 3, 5, 8))
        self.newline = rng.choices(("\n", "\r\n", "mixed"), (85, 12, 3))[0]
        self.unit = rng.choice(("", " ", "  ", "  ", "  ", "   ", "    ", "    ", "\t"))
        self.pretty = self.chance(0.85)
        self.colon = rng.choice((": ", ": ", ": ", ": ", ":", " : ", ":  "))
        self.comma = rng.choice((", ", ", ", ", ", ",", " , "))
        self.pad = rng.choice(("", "", " "))
        self.flat = rng.choice((0.1, 0.3, 0.6))
        self.trailing = 0.0 if format == "json" else rng.choice((0.0, 0.0, 0.3, 1.0))
        self.odd = rng.choice((0.0, 0.1, 0.4))
        self.blank = rng.choice((0.0, 0.0, 0.1, 0.3))
        self.comma_first = self.chance(0.03)
        self.bare = rng.choice((0.0, 0.5, 1.0))
        self.quote = rng.choice((0.0, 0.5, 1.0))

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    @property
    def nl(self) -> str:
        return self.rng.choice(("\n", "\r\n")) if self.newline == "mixed" else self.newline

    def mark(self, owner: list[str]) -> str:
        self.count += 1
        name = f"~{self.count}~"
        owner.append(name)
        noise = ("", "", " text", ' "x": 1,', " {[", " it's", ' "', " // more", " é😀", " , ]")
        return name + self.rng.choice(noise)

    def block_note(self, owner: list[str]) -> str:
        return f"/* {self.mark(owner)} */" if self.chance(0.8) else f"/*{self.mark(owner)}*/"

    def line_note(self, owner: list[str]) -> str:
        """A comment that may be the last of a line."""
        if self.chance(0.25):
            return self.block_note(owner)
        return self.rng.choice(("// ", "// ", "//")) + self.mark(owner)

    def own_line(self, owner: list[str], lead: str) -> str:
        """A comment on lines of its own."""
        if self.chance(0.1):
            mid = f"{self.nl}{lead} * more"
            return f"{lead}/* {self.mark(owner)}{mid}{self.nl}{lead} */{self.nl}"
        return lead + self.line_note(owner) + self.nl

    # --- the text

    def make(self) -> tuple[bytes, Node]:
        root = Node("scalar")
        kind = self.rng.random()
        if kind < 0.02:
            body = self.scalar(root)
        elif kind < 0.03:
            body = self.deep(root)
        else:
            root.kind = "list" if kind < 0.15 else "map"
            body = self.container(root, "", 0, self.pretty)
        text = ""
        while self.chance(self.commented / 2):
            text += self.own_line(self.header, "") + (self.nl if self.chance(0.3) else "")
        text += body
        if self.chance(self.commented / 2):
            text += " " + self.line_note(self.header)
        text += "" if self.chance(0.15) else self.nl * self.rng.choice((1, 1, 1, 1, 2))
        if text.endswith("\n") and self.chance(self.commented / 2):
            text += self.own_line(self.header, "")
        if self.chance(0.1):
            text = "\ufeff" + text
        return text.encode(), root

    def deep(self, root: Node) -> str:
        """A deeply nested text."""
        node, opening, closing = root, "", ""
        for _ in range(self.rng.randint(20, 120)):
            node.kind = self.rng.choice(("map", "list"))
            inner = Node("scalar")
            entry = Entry(None, inner)
            token = ""
            if node.kind == "map":
                token = self.key(node, entry) + self.colon
            node.entries.append(entry)
            opening += ("{" if node.kind == "map" else "[") + token
            closing = ("}" if node.kind == "map" else "]") + closing
            node = inner
        return opening + self.scalar(node) + closing

    def container(self, node: Node, lead: str, depth: int, wide: bool) -> str:
        opening, closing = "{}" if node.kind == "map" else "[]"
        limit = max(1, self.size - depth)
        many = self.rng.randint(0 if self.chance(0.3) else 1, limit)
        if many == 0:
            return opening + self.void(node, lead, wide) + closing
        if not wide:
            return opening + self.flat_body(node, lead, depth, many) + closing
        if self.comma_first:
            return opening + self.comma_first_body(node, lead, depth, many) + closing
        if node.kind == "list" and self.chance(0.3):
            if self.chance(0.5) and depth < 4:
                return opening + self.hugged(node, lead, depth, many) + closing
            return opening + self.filled(node, lead, many + 3) + closing
        return opening + self.wide_body(node, lead, depth, many) + closing

    def void(self, node: Node, lead: str, wide: bool) -> str:
        """What stands in an empty container."""
        if self.chance(self.commented):
            if wide and self.chance(0.5):
                return f"{self.nl}{self.own_line(node.notes, lead + self.unit)}{lead}"
            return f" {self.block_note(node.notes)} "
        return self.rng.choice(("", "", "", " ", self.nl + lead if wide else ""))

    def wide_body(self, node: Node, lead: str, depth: int, many: int) -> str:
        """Each entry on lines of its own."""
        inner = lead + self.unit
        out = " " + self.line_note(node.notes) if self.chance(self.commented / 3) else ""
        out += self.nl
        for number in range(many):
            entry = Entry(None, Node("scalar"))
            if number and self.chance(self.blank):
                out += self.rng.choice(("", "", inner)) + self.nl
            if self.chance(self.commented / 4):
                out += self.own_line(node.notes, inner) + self.nl
            first = number == depth == 0
            while self.chance(self.commented):
                out += self.own_line(entry.inside if first else entry.above, inner)
            out += inner
            if self.chance(self.commented / 6):
                out += self.block_note(entry.inside) + " "
            out += self.item(node, entry, inner, depth)
            last = number == many - 1
            comma = not last or self.chance(self.trailing)
            if comma and self.chance(self.commented / 6):
                out += " " + self.block_note(entry.behind)
            out += "," if comma else ""
            if self.chance(self.commented):
                out += self.rng.choice((" ", "  ", "\t")) + self.line_note(entry.behind)
            elif self.chance(self.odd / 10):
                out += " "
            out += self.nl
        if self.chance(self.commented / 3):
            out += (self.nl if self.chance(0.5) else "") + self.own_line(node.notes, inner)
        return out + lead

    def comma_first_body(self, node: Node, lead: str, depth: int, many: int) -> str:
        out = " "
        for number in range(many):
            entry = Entry(None, Node("scalar"))
            out += lead + ", " if number else ""
            out += self.item(node, entry, lead + "  ", depth)
            out += " " + self.line_note(entry.behind) if self.chance(self.commented) else ""
            out += self.nl
        return out + lead

    def hugged(self, node: Node, lead: str, depth: int, many: int) -> str:
        """[{, lines, }, {, lines, }]: containers whose brackets share lines."""
        items = []
        for _ in range(many):
            entry = Entry(None, Node(self.rng.choice(("map", "map", "list"))))
            node.entries.append(entry)
            items.append(self.container(entry.node, lead, depth + 1, True))
        return ", ".join(items)

    def filled(self, node: Node, lead: str, many: int) -> str:
        """A list of scalars, several in a line."""
        inner = lead + self.unit
        out = self.nl + inner
        line: list[Entry] = []
        for number in range(many):
            entry = Entry(None, Node("scalar"))
            node.entries.append(entry)
            line.append(entry)
            out += self.scalar(entry.node)
            if number == many - 1:
                out += "," if self.chance(self.trailing) else ""
                break
            out += ","
            if self.chance(0.3):
                if self.chance(self.commented):
                    owner: list[str] = []
                    out += " " + self.line_note(owner)
                    self.shared.append((owner[0], tuple(line)))
                out += self.nl + inner
                line = []
            else:
                out += " "
        return out + self.nl + lead

    def flat_body(self, node: Node, lead: str, depth: int, many: int) -> str:
        """All in one line, unless a container inside brings lines."""
        out = self.pad
        before: tuple[Entry, ...] = ()
        for number in range(many):
            entry = Entry(None, Node("scalar"))
            if self.chance(self.commented / 4):
                owner: list[str] = []
                out += self.block_note(owner) + " "
                self.shared.append((owner[0], (*before, entry)))
            out += self.item(node, entry, lead, depth + 1, flat=not self.chance(0.03))
            before = (entry,)
            if number < many - 1:
                out += self.comma
            elif self.chance(self.trailing / 2):
                out += ","
        if self.chance(self.commented / 4):
            owner = []
            out += " " + self.block_note(owner)
            self.shared.append((owner[0], before))
        return out + self.pad

    def item(self, node: Node, entry: Entry, lead: str, depth: int, *, flat: bool = False) -> str:
        """The key and the value of an entry, which joins the node."""
        out = ""
        if node.kind == "map":
            out = self.key(node, entry)
            if self.chance(self.commented / 8):
                out += " " + self.block_note(entry.inside)
            out += self.colon
            if self.chance(self.commented / 8):
                out += self.block_note(entry.inside) + " "
        node.entries.append(entry)
        if depth < 5 and self.chance((0.5, 0.45, 0.3, 0.2, 0.1)[depth]):
            entry.node.kind = self.rng.choice(("map", "map", "list"))
            wide = not flat and not self.chance(self.flat)
            return out + self.container(entry.node, lead, depth + 1, wide)
        return out + self.scalar(entry.node)

    # --- tokens

    def quoted(self, body: str) -> str:
        """A string token; in JSON5 with either quote."""
        if self.format == "json5" and self.chance(self.quote):
            return "'" + body.replace('\\"', '"').replace("'", "\\'").replace("\\\\'", "\\'") + "'"
        return f'"{body}"'

    def scalar(self, node: Node) -> str:
        kind = self.rng.random()
        if kind < 0.15:
            node.raw = self.rng.choice(("true", "false", "null"))
        elif kind < 0.5:
            self.count += 1
            node.raw = str(self.count)
            if self.chance(self.odd + 0.1):
                more = {"json": NUMBERS_JSON, "json5": NUMBERS5}.get(self.format, NUMBERS)
                node.raw = self.rng.choice(more if self.chance(0.4) else NUMBERS)
        elif self.chance(self.odd + 0.1):
            other = {"json": STRINGS_JSON, "json5": STRINGS5}.get(self.format, STRINGS)
            body = self.rng.choice(other if self.chance(0.3) else STRINGS)
            if self.chance(0.03):
                body = body * self.rng.choice((50, 3000)) + "x, " * 40
            node.raw = self.quoted(body.replace("\n", self.nl))
        else:
            self.count += 1
            node.raw = self.quoted(self.rng.choice(("s", "some text ", "/path/")) + str(self.count))
        node.value = read_token(node.raw, self.format)
        return node.raw

    def key(self, node: Node, entry: Entry) -> str:
        """A key that the node does not have yet."""
        while True:
            kind = self.rng.random()
            self.count += 1
            body = f"k{self.count}"
            if kind < self.odd / 2:
                body = self.rng.choice(KEYS)
            elif kind < 0.6:
                body = self.rng.choice(WORDS)
            elif kind < 0.7:
                body = self.rng.choice((f"k {self.count}", f"k.{self.count}", f"k-{self.count}"))
            token = self.quoted(body)
            if self.format == "json5" and self.chance(self.bare):
                if kind < self.odd / 4:
                    token = self.rng.choice(KEYS5)
                elif re.fullmatch(r"[a-z]\w*", body):
                    token = body
            name = next(iter(read_token("{" + token + ":0}", self.format)))
            if all(e.key != name for e in node.entries):
                entry.key = name
                return token


# --- the edits


class Session:
    """Random operations on a document and on its model, side by side.

    ``renamed``, ``changed`` (another value), ``moved`` (another parent, or below such) and
    ``added`` hold the ids of entries, ``reworded`` those with a renamed key in their line;
    ``cut`` tells that a section went, ``cutting`` that anything with lines went; ``inplace``,
    ``grown`` and ``shrunk`` tell that all operations so far only replaced tokens, only added,
    only removed.
    """

    atoms: tuple[Any, ...] = (True, False, None, 1.5, 1e20, 1e-7, -3.0, 0.1, 10**30, -(2**63), 1.0)

    def __init__(self, rng: random.Random, document: Document, maker: Any, root: Node) -> None:
        self.rng = rng
        self.document = document
        self.maker = maker
        self.root = root
        self.source_nodes = {id(e.node) for s in walk(root) for e in (s.entry,)} | {id(root)}
        self.log: list[str] = []
        self.keep: list[Any] = []
        self.renamed: set[int] = set()
        self.changed: set[int] = set()
        self.moved: set[int] = set()
        self.added: set[int] = set()
        self.reworded: set[int] = set()
        self.first_root = root
        self.cut = self.cutting = False
        self.inplace = self.grown = self.shrunk = True
        self.fresh = 0
        if maker.format == "json5":
            self.atoms = (*self.atoms, float("inf"), float("-inf"), float("nan"))

    # --- what to write

    def atom(self) -> Any:
        """A scalar, mostly one that is in no source."""
        self.fresh += 1
        kind = self.rng.random()
        if kind < 0.45:
            return 900000 + self.fresh
        return self.rng.choice(FRESH) if kind < 0.85 else self.rng.choice(self.atoms)

    def value(self) -> Any:
        kind = self.rng.random()
        if kind < 0.75:
            return self.atom()
        if kind < 0.87:
            return [self.atom(), 900000 + self.fresh, {"x": [1]}][: self.rng.randint(0, 3)]
        if kind < 0.92:
            return {}
        return {"a": self.atom(), "b": {"c": [], "d": {}}, "e": [{"f": 1, "g": [2]}]}

    def name(self, node: Node, old: str | None = None) -> str:
        """A key that the map does not have; the old one where it is free, half of the time."""
        taken = {e.key for e in node.entries} | {"<<"}
        if old is not None and old not in taken and self.rng.random() < 0.5:
            return old
        while True:
            self.fresh += 1
            kind = self.rng.random()
            name = f"new{self.fresh}"
            if kind < 0.15:
                name = self.rng.choice(FRESH)
            elif kind < 0.3:
                name = self.rng.choice(WORDS)
            if name not in taken:
                return name

    # --- what may be asked: TOML says no more often

    def may_set(self, spot: Spot, value: Any) -> bool:
        return True

    def may_move(self, spot: Spot, target: Node, inside: bool) -> bool:
        return True

    def may_wrap(self, spot: Spot, under: str | None) -> bool:
        return True

    def may_add(self, node: Node, value: Any) -> bool:
        return True

    # --- the operations

    def step(self) -> None:
        """One operation. Raises ``Refused`` if the engine does; the model is then stale."""
        spots = list(walk(self.root))
        maps: list[tuple[Place, Node, bool]] = []
        lists: list[tuple[Place, Node, bool]] = []
        if self.root.kind != "scalar":
            (maps if self.root.kind == "map" else lists).append(((), self.root, False))
        for s in spots:
            if s.entry.node.kind != "scalar":
                inside = s.inside or s.entry.node.form == "inline"
                group = maps if s.entry.node.kind == "map" else lists
                group.append((s.place, s.entry.node, inside))
        kinds = ("set", "set", "set", "new", "new", "delete", "delete", "rename", "rename")
        kind = self.rng.choice((*kinds, "move", "move", "insert", "append", "wrap", "deep"))
        spot = self.rng.choice(spots) if spots else None
        if kind == "new" and maps:
            self.new(*self.rng.choice(maps))
        elif kind == "deep" and maps:
            self.deep(*self.rng.choice(maps))
        elif kind in ("insert", "append") and lists:
            self.item(kind, *self.rng.choice(lists))
        elif kind == "move" and spot is not None and maps:
            self.move(spot, *self.rng.choice(maps))
        elif spot is not None:
            if kind == "set":
                self.set(spot)
            elif kind == "delete":
                self.delete(spot)
            elif kind == "rename" and spot.entry.key is not None:
                self.rename(spot)
            elif kind == "wrap":
                self.wrap(spot)

    def do(self, name: str, *args: Any) -> None:
        self.log.append(f"d.{name}({', '.join(repr(a) for a in args)})")
        getattr(self.document, name)(*args)

    def below(self, node: Node) -> None:
        """Everything below a node moves with it."""
        self.moved.update(id(s.entry) for s in walk(node))

    def join(self, node: Node, entry: Entry, at: int | None = None) -> None:
        """A new or moved entry joins a container."""
        self.keep.append(entry)
        if not node.entries or id(node) not in self.source_nodes:
            self.grown = False
        node.entries.insert(len(node.entries) if at is None else at, entry)

    def leave(self, node: Node, entry: Entry) -> None:
        self.keep.append(entry)
        node.entries.remove(entry)
        if not node.entries or id(node) not in self.source_nodes:
            self.shrunk = False

    def set(self, spot: Spot) -> None:
        value, entry = self.value(), spot.entry
        if entry.node.kind != "scalar" and self.rng.random() < 0.5:
            value = {"a": self.atom()}
        if not self.may_set(spot, value):
            return
        if entry.key is None:
            self.log.append(f"d.root{''.join(f'[{p!r}]' for p in spot.place)} = {value!r}")
            target = self.document.root
            for part in spot.place[:-1]:
                target = target[part]
            target[spot.place[-1]] = value
        else:
            self.do("set", show(spot.place), value)
        fresh = model_of(value)
        if alike(meaning(entry.node), value, order=False):
            return
        if fresh.kind != "scalar" or entry.node.kind != "scalar" or entry.node.raw is None:
            self.inplace = False
        self.grown = self.shrunk = False
        self.keep.append(entry.node)
        self.cutting = self.cutting or entry.node.kind != "scalar"
        self.replaced(entry)
        entry.node = fresh
        self.changed.add(id(entry))

    def replaced(self, entry: Entry) -> None:
        """The value of an entry goes."""

    def new(self, place: Place, node: Node, inside: bool) -> None:
        name, value = self.name(node), self.value()
        self.do("set", show((*place, name)), value)
        self.inplace = self.shrunk = False
        entry = Entry(name, model_of(value))
        self.added.add(id(entry))
        self.join(node, entry)

    def deep(self, place: Place, node: Node, inside: bool) -> None:
        name, value = self.name(node), self.value()
        self.do("set", show((*place, name, "sub", "leaf")), value)
        self.inplace = self.shrunk = False
        self.join(node, Entry(name, model_of({"sub": {"leaf": value}})))

    def delete(self, spot: Spot) -> None:
        self.do("delete", show(spot.place))
        self.inplace = self.grown = False
        self.leave(spot.parent, spot.entry)
        self.cutting = True
        self.replaced(spot.entry)

    def rename(self, spot: Spot) -> None:
        name = self.name(spot.parent)
        if self.rng.random() < 0.3:
            self.do("move", show(spot.place), show((*spot.place[:-1], name)))
        else:
            self.do("rename", show(spot.place), name)
        self.grown = self.shrunk = False
        spot.entry.key = name
        self.renamed.add(id(spot.entry))

    def move(self, spot: Spot, place: Place, node: Node, inside: bool) -> None:
        if place[: len(spot.place)] == spot.place or not self.may_move(spot, node, inside):
            return
        entry = spot.entry
        deep = self.rng.random() < 0.2
        if node is spot.parent and not deep:
            return
        name = self.name(node, None if deep else entry.key)
        tail = (name, "sub", entry.key or "leaf") if deep else (name,)
        if tail[-1] == "<<":
            return
        self.do("move", show(spot.place), show((*place, *tail)))
        self.inplace = self.grown = self.shrunk = False
        if deep:
            sub = Node("map")
            self.join(node, Entry(name, Node("map", [Entry("sub", sub)])))
            node = sub
        self.leave(spot.parent, entry)
        self.cutting = True
        if entry.key is None:  # only the value moves
            entry = Entry(tail[-1], entry.node)
        elif entry.key != tail[-1]:
            self.renamed.add(id(entry))
        entry.key = tail[-1]
        self.moved.add(id(entry))
        self.below(entry.node)
        self.join(node, entry)

    def item(self, kind: str, place: Place, node: Node, inside: bool) -> None:
        value = self.value()
        if not self.may_add(node, value):
            value = {"a": self.atom(), "b": [1]}
        self.inplace = self.shrunk = False
        entry = Entry(None, model_of(value))
        self.added.add(id(entry))
        if kind == "append":
            self.do("append", show(place), value)
            self.join(node, entry)
        else:
            at = self.rng.randint(0, len(node.entries))
            self.do("insert", show(place), at, value)
            self.join(node, entry, at)

    def wrap(self, spot: Spot) -> None:
        under = self.rng.choice((None, self.name(Node("map"))))
        if not self.may_wrap(spot, under):
            return
        self.inplace = self.grown = self.shrunk = False
        if self.maker.format != "toml" and self.rng.random() < 0.03:
            self.do("wrap", "", under)
            self.below(self.root)
            self.root = Node("list" if under is None else "map", [Entry(under, self.root)])
            return
        self.do("wrap", show(spot.place), under)
        entry = spot.entry
        self.changed.add(id(entry))
        self.below(entry.node)
        inner = Entry(under, entry.node)
        self.moved.add(id(inner))
        entry.node = Node("list" if under is None else "map", [inner])
        entry.node.form = self.form(inner, under)

    def form(self, inner: Entry, under: str | None) -> str:
        """The form of a container around a value."""
        return ""


# --- the checks

Pair = tuple[Entry, SeenEntry, Node, Seen]


def pairs(node: Node, seen: Seen, ordered: bool, place: Place = ()) -> Iterator[Pair]:
    """The entries of a model with their places in a text that means the same."""
    need(node.kind == seen.kind, "value", f"{show(place)} is a {seen.kind}, not a {node.kind}")
    need(len(node.entries) == len(seen.entries), "value", f"the number of entries of {show(place)}")
    there = {e.key: e for e in seen.entries}
    for number, entry in enumerate(node.entries):
        other = seen.entries[number] if ordered or entry.key is None else there.get(entry.key)
        here = (*place, number if entry.key is None else entry.key)
        if other is None or other.key != entry.key:
            raise Wrong("value", f"no key {show(here)} at its place")
        yield entry, other, node, seen
        yield from pairs(entry.node, other.node, ordered, here)


def line_lead(text: str, at: int) -> str:
    """What stands before a position in its line."""
    return text[text.rfind("\n", 0, at) + 1 : at]


def lead_of(text: str, entry: SeenEntry | None) -> str | None:
    """The indentation of an entry that begins its line, else None."""
    if entry is None or entry.at is None:
        return None
    lead = line_lead(text, entry.at)
    return None if lead.strip(" \t") else lead


def bare(text: str, start: int, end: int, comments: list[tuple[int, int]]) -> str:
    """The text of a span without comments."""
    out, at = "", start
    for a, b in comments:
        if start <= a and b <= end:
            out += text[at:a]
            at = b
    return out + text[at:end]


class Check:
    """Compares the result with the model and with the source. Raises ``Wrong``."""

    def __init__(self, session: Session, source: Scan, result: Scan) -> None:
        self.session = session
        self.source = source
        self.result = result
        self.pairs = list(pairs(session.root, result.root, result.ordered))
        self.alive = {id(e) for e, *_ in self.pairs}
        self.nodes = {id(session.first_root): source.root} | {
            id(e.node): e.src.node for e, *_ in self.pairs if e.src is not None
        }
        self.stale = 0

    def run(self) -> None:
        self.tokens()
        self.comments()
        self.attached()
        self.lines()
        self.whole()
        self.gaps()
        self.spans()
        self.frame()
        self.headers()
        self.style()

    def tokens(self) -> None:
        """Untouched values and keys have the text they had."""
        for entry, seen, _, _ in self.pairs:
            node = entry.node
            if node.kind == "scalar" and node.raw is not None:
                raw = self.result.raw(seen.node)
                need(raw == node.raw, "token", f"a value was {node.raw!r} and is {raw!r}")
            if entry.src is None or not entry.src.spots or id(entry) in self.session.renamed:
                continue
            if entry.src.at is None or (self.source.ordered is False and self.rehomed(entry)):
                continue
            old, new = self.source.raw(entry.src.spot), self.result.raw(seen.spot)
            need(old == new, "token", f"a key was {old!r} and is {new!r}")

    def rehomed(self, entry: Entry) -> bool:
        return bool({id(entry)} & (self.session.moved | self.session.changed))

    def must(self) -> list[str]:
        """The comments that must be there."""
        out = list(self.session.maker.header) + list(self.session.root.notes)
        out += [] if self.session.cut else self.session.maker.floating
        for entry, *_ in self.pairs:
            out += [*entry.above, *entry.behind, *entry.inside, *entry.node.notes]
        for note, owners in self.session.maker.shared:
            out += [note] if all(id(o) in self.alive for o in owners) else []
        return out

    def comments(self) -> None:
        must = self.must()
        for note in must:
            need(note in self.result.comments, "comment lost", f"{note} of a surviving entry")
            old = self.source.raw(self.source.comments[note])
            new = self.result.raw(self.result.comments[note])
            same = " ".join(old.split()) == " ".join(new.split())
            need(old == new or ("\n" in old and same), "comment changed", f"{old!r} is {new!r}")
        unknown = self.result.comments.keys() - self.source.comments.keys()
        need(not unknown, "comment added", f"{unknown}")
        self.stale = len(self.result.comments) - len(must)

    def attached(self) -> None:
        """Comments stand by the entries they stood by."""
        text, where = self.result.text, self.result.comments
        for entry, seen, _, parent in self.pairs:
            if seen.at is None or seen.end is None or id(entry) in self.session.changed:
                continue
            moved = id(entry) in self.session.moved
            here = parent.entries.index(seen)
            if moved and self.source.ordered:
                before = parent.entries[here - 1].end if here else parent.start
                after = parent.end
                if here + 1 < len(parent.entries):
                    after = parent.entries[here + 1].at or parent.end
                for note in entry.above if before is not None else ():
                    ok = (before or 0) <= where[note][0] < seen.at
                    need(ok, "comment strayed", f"{note} was above")
                for note in entry.behind:
                    ok = seen.end <= where[note][0] < after
                    need(ok, "comment strayed", f"{note} was behind")
                continue
            at = seen.at - len(line_lead(text, seen.at))
            lead = bare(text, at, seen.at, self.result.spans)
            if entry.above:
                need(
                    not lead.strip(), "comment strayed", f"{entry.above} is above a part of a line"
                )
            for note in reversed(entry.above):
                start, end = where[note]
                gap = text[end:at]
                ok = end <= at and gap.count("\n") == 1 and not gap.strip()
                need(ok, "comment strayed", f"{note} was directly above {entry.key!r}")
                at = start - len(line_lead(text, start))
            for note in entry.behind:
                start, _ = where[note]
                gap = bare(text, seen.end, start, self.result.spans)
                ok = start >= seen.end and gap.strip() in ("", ",") and "\n" not in gap
                need(ok, "comment strayed", f"{note} was directly behind {entry.key!r}")

    def lines(self) -> None:
        """The line of an untouched entry is as it was, up to the end of its value."""
        session = self.session
        touched = session.renamed | session.changed | session.moved | session.reworded
        for entry, seen, _, _ in self.pairs:
            src = entry.src
            if src is None or id(entry) in touched or src.at is None or src.end is None:
                continue
            lead = lead_of(self.source.text, src)
            if lead is None or entry.node.kind != "scalar" or seen.at is None or seen.end is None:
                continue
            old = lead + self.source.text[src.at : src.end]
            new = line_lead(self.result.text, seen.at) + self.result.text[seen.at : seen.end]
            if not self.source.ordered and "{" in new and "{" not in old:
                continue  # a TOML table that had to become an inline one
            need(old == new, "line", f"the line of an untouched key was {old!r} and is {new!r}")
        boxes = [(e.node, s.node) for e, s, _, _ in self.pairs if e.src and id(e) not in touched]
        if self.source.ordered and session.root is session.first_root:
            boxes.append((session.root, self.result.root))
        for node, b in boxes:
            a = self.nodes.get(id(node))
            if a is None or not a.end or not b.end or node.kind == "scalar":
                continue
            if any(e.src is not None and e.src in a.entries for e in node.entries):
                old, new = (
                    line_lead(t.text, x.end - 1) for t, x in ((self.source, a), (self.result, b))
                )
                ok = old.strip(" \t") or old == new
                need(bool(ok), "line", f"a closing bracket was behind {old!r}, is behind {new!r}")

    def intact(self, entry: Entry) -> bool:
        """Whether nothing at or below an entry was touched; that it moved does not count."""
        session, src = self.session, entry.src
        if (
            src is None
            or id(entry) in session.changed
            or len(entry.node.entries) != len(src.node.entries)
        ):
            return False
        return all(
            e.src is there and id(e) not in session.renamed and self.intact(e)
            for e, there in zip(entry.node.entries, src.node.entries, strict=True)
        )

    def whole(self) -> None:
        """An untouched value is written as it was.

        The lines of a moved one may begin and end otherwise.
        """
        for entry, seen, _, _ in self.pairs:
            src = entry.src
            if src is None or src.end is None or src.header or not src.node.end:
                continue
            if entry.node.kind == "scalar" or not self.intact(entry):
                continue
            old, new = self.source.raw(src.node), self.result.raw(seen.node)
            if id(entry) in self.session.moved:
                old, new = (re.sub(r"\r?\n[ \t]*", "\n", t) for t in (old, new))
            need(old == new, "whole", f"an untouched value was {old!r} and is {new!r}")

    def gaps(self) -> None:
        """What stands between two neighbours that stay neighbours is as it was."""
        moved = self.session.moved
        stays = {id(e.src): e for e, *_ in self.pairs if e.src and id(e) not in moved}
        now = {id(e): s for e, s, _, _ in self.pairs}
        place = {id(s): n for n, s in enumerate(self.result.row)}
        row = self.source.row
        for a, b in itertools.pairwise(row):
            one, two = stays.get(id(a)), stays.get(id(b))
            if one is None or two is None or self.opaque(one) or self.opaque(two):
                continue
            here, there = now[id(one)], now[id(two)]
            if id(here) not in place or place.get(id(there)) != place[id(here)] + 1:
                continue
            old = self.source.text[self.source.after(a) : b.at]
            new = self.result.text[self.result.after(here) : there.at]
            need(old == new, "gap", f"between untouched neighbours was {old!r} and is {new!r}")
        for entry, seen, _, _ in self.pairs:
            src = entry.src
            if src is None or not src.spots or src.header or src.at is None or seen.at is None:
                continue
            if id(entry) in moved and not self.source.ordered:
                continue
            fresh = id(entry) in self.session.changed and "\n" in self.result.raw(seen.node)
            old, new = self.gap(self.source, src), self.gap(self.result, seen)
            need(old == new or fresh, "gap", f"between a key and its value was {old!r}, is {new!r}")

    def opaque(self, entry: Entry) -> bool:
        """Whether the text after an entry's beginning is not that of the entry's source."""
        return id(entry) in self.session.changed and entry.src is not None and entry.src.header

    def spans(self) -> None:
        """Edits that replace tokens change nothing else; additions and removals do only that."""
        session, old, new = self.session, self.source.text, self.result.text
        if session.inplace:
            edits: list[tuple[int, int, str]] = []
            for entry, seen, _, _ in self.pairs:
                src = entry.src
                assert src is not None
                if id(entry) in session.renamed:
                    need(len(src.spots) == len(seen.spots), "bytes", "a key is named more often")
                    for a, b in zip(sorted(src.spots), sorted(seen.spots), strict=True):
                        edits.append((*a, self.result.raw(b)))
                if id(entry) in session.changed:
                    edits.append((src.node.start, src.node.end, self.result.raw(seen.node)))
            expected, at = "", 0
            for start, end, raw in sorted(edits):
                expected += old[at:start] + raw
                at = end
            expected += old[at:]
            need(expected == new, "bytes", "more than the asked tokens changed")
        elif session.grown:
            need(_within(old, new), "bytes", "an addition took something away")
        elif session.shrunk:
            need(_within(new, old), "bytes", "a removal added something")

    def frame(self) -> None:
        """Line ends, the BOM (stripped from both texts by the caller) and the final newline."""
        old, new = self.source.text, self.result.text
        if "\r\n" in old and "\n" not in old.replace("\r\n", ""):
            need("\n" not in new.replace("\r\n", ""), "line end", "a CRLF file got a bare LF")
        if "\r" not in old:
            need("\r" not in new, "line end", "an LF file got a CR")
        if old.endswith("\n") and new:
            need(new.endswith("\n"), "final newline", "it is gone")
        elif old and (self.session.inplace or self.session.grown or self.source.ordered):
            need(not new.endswith("\n"), "final newline", "there was none")  # else a cut left one
        if self.source.ordered and self.session.root is self.session.first_root:
            head, tail = old[: self.source.root.start], old[self.source.root.end :]
            need(new[: self.result.root.start] == head, "gap", "the text before the root changed")
            need(new[self.result.root.end :] == tail, "gap", "the text behind the root changed")
        for blanks in (r"[ \t]+\r?(?:\n|\Z)", r"(?:\A|\n)[ \t]*(?=\r?\n)"):
            before, now = (len(re.findall(blanks, t)) for t in (old, new))
            what = "trailing blanks" if blanks.startswith("[") else "blank lines"
            if self.source.ordered or blanks.startswith("["):
                need(now <= before, "blank", f"{now} {what}, {before} in the source")
            if self.source.ordered and not self.session.cutting:
                need(now == before, "blank", f"{now} {what}, {before} in the source")

    def headers(self) -> None:
        """The header of a TOML file (its first lines), and blank lines between its sections."""
        if self.source.ordered:
            return
        row, where = self.result.row, self.result.comments
        first = re.split(r"(?:\A|\n)[ \t]*\r?\n", self.source.text, maxsplit=1)[0]
        at = [where[m][0] for m in MARK.findall(first) if m in self.session.maker.header]
        ok = at == sorted(at) and (not at or not row or at[-1] < (row[0].at or 0))
        need(ok, "comment strayed", "the header of the file is elsewhere")
        if all(self.spaced(self.source)) and len(self.spaced(self.source)) > 1:
            need(all(self.spaced(self.result)), "style", "a section without a blank line above")

    @staticmethod
    def spaced(scan: Scan) -> list[bool]:
        """Of each header but the first whether a blank line or a comment stands above."""
        heads = [e.at or 0 for e in scan.row[1:] if e.header]
        above = [["", *scan.text[:at].split("\n")][-2].strip() for at in heads]
        return [not line or line.startswith("#") for line in above]

    def style(self) -> None:
        """New scalars stand as their neighbours do."""
        session, text = self.session, self.result.text
        if not any(s.trailing for s in _containers(self.source.root)):
            bad = any(s.trailing for s in _containers(self.result.root))
            need(not bad, "style", "a trailing comma in a file that has none")
        for entry, seen, node, parent in self.pairs:
            stayed = [e for e in node.entries if e.src is not None and id(e) not in session.moved]
            mates = [e for e in stayed if e.src and e.src.at is not None and not e.src.header]
            if (
                self.source.ordered
                and not ({id(s.entry.node) for s in walk(entry.node)} | {id(entry.node)})
                & session.source_nodes
            ):
                self.shape(entry, seen)
            if id(entry) not in session.added or entry.node.kind != "scalar" or not mates:
                continue
            if entry.node.raw is not None or seen.at is None:
                continue
            leads = {lead_of(self.source.text, e.src) for e in mates}
            lead = lead_of(text, seen)
            here = parent.entries.index(seen)
            if len(leads) == 1 and None not in leads:
                need(lead in leads, "style", f"a new entry is indented {lead!r}, not {leads}")
            elif (
                leads == {None}
                and self.source.ordered
                and here
                and parent.entries[here - 1].at in self._at(mates)
            ):
                gap = text[parent.entries[here - 1].end or 0 : seen.at]
                need("\n" not in gap or self._broken(mates), "style", "a new line was begun")
            if here and leads == {None} and seen.at is not None:
                self.separated(parent.entries[here - 1], seen, node)
            gaps = {self.gap(self.source, e.src) for e in mates if e.src and e.src.spots}
            gap = self.gap(self.result, seen)
            if not self.source.ordered:  # TOML: with blanks or without
                gaps, gap = {" " * (" " in g) for g in gaps}, " " * (" " in gap)
            if (
                len(gaps) == 1
                and seen.spots
                and not session.maker.align
                and "/" not in "".join(gaps)
            ):
                need(gap in gaps, "style", f"a new key is set off by {gap!r}, not {gaps}")

    def shape(self, entry: Entry, seen: SeenEntry) -> None:
        """A new container over several lines is laid out as one writes by hand."""
        raw = self.result.raw(seen.node)
        if "\n" not in raw or not seen.node.entries or self.session.maker.comma_first:
            return
        text = self.result.text
        outer = re.match(r"[ \t]*", text[text.rfind("\n", 0, seen.at) + 1 :])
        closing = line_lead(text, seen.node.end - 1)
        assert outer is not None
        need(closing == outer[0], "style", f"a closing bracket stands at {closing!r}")
        leads = {lead_of(text, e) for e in seen.node.entries}
        ok = len(leads) == 1 and str(leads.copy().pop()).startswith(outer[0]) and None not in leads
        need(ok, "style", f"new entries are indented {leads} within {outer[0]!r}")

    def separated(self, before: SeenEntry, seen: SeenEntry, node: Node) -> None:
        """In a line the blanks behind commas are like those of the source."""
        source = self.nodes.get(id(node))
        if source is None or "\n" in self.source.raw(source) or not self.source.ordered:
            return
        gaps = {self.source.text[a.end : b.at] for a, b in itertools.pairwise(source.entries)}
        gaps = {g.lstrip() for g in gaps}
        new = self.result.text[before.end : seen.at].lstrip()
        if len(gaps) == 1 and "/" not in "".join(gaps) + new:
            need(new in gaps, "style", f"a comma in a line is {new!r}, not {gaps}")

    def _at(self, mates: list[Entry]) -> set[int | None]:
        wanted = {id(e) for e in mates}
        return {s.at for e, s, _, _ in self.pairs if id(e) in wanted}

    def _broken(self, mates: list[Entry]) -> bool:
        """Whether the source breaks lines between these entries."""
        spans = [(e.src.at or 0, e.src.end or 0) for e in mates if e.src is not None]
        return "\n" in self.source.text[min(spans)[0] : max(spans)[1]] or len(spans) == 1

    @staticmethod
    def gap(scan: Scan, entry: SeenEntry) -> str:
        """The text between a key and its value."""
        return scan.text[entry.spot[1] : entry.node.start] if entry.spots else ""


def _containers(seen: Seen) -> Iterator[Seen]:
    if seen.kind != "scalar":
        yield seen
    for entry in seen.entries:
        yield from _containers(entry.node)


def _within(small: str, big: str) -> bool:
    """Whether the characters of one text are in the other, in their order."""
    rest = iter(big)
    return all(c in rest for c in small)


# --- one run

Reader = Callable[[str], Any]
Scanner = Callable[[str], Scan]


@dataclass
class Made:
    """A text with its model, checked by the independent readers."""

    data: bytes
    text: str
    root: Node
    maker: Any
    scan: Scan


def attach(root: Node, scan: Scan) -> None:
    """Give the entries of a model their places in the source."""
    for entry, seen, _, _ in pairs(root, scan.root, scan.ordered):
        entry.src = seen
        if entry.node.kind == "scalar":
            assert scan.raw(seen.node) == entry.node.raw


def made(data: bytes, root: Node, maker: Any, reader: Reader, scanner: Scanner) -> Made:
    """Check that a generated text is what its model says."""
    text = data.decode("utf-8-sig")
    scan = scanner(text)
    order = scan.ordered
    assert alike(reader(text), meaning(root), order=order), f"the generator is wrong: {text}"
    attach(root, scan)
    marks = Counter(MARK.findall(text))
    assert marks == Counter(scan.comments.keys()), f"a mark is not in a comment: {text}"
    return Made(data, text, root, maker, scan)


def run(it: Made, session: Session, reader: Reader, scanner: Scanner) -> int:
    """Edit a parsed document and check the result.

    The number of comments that outlived their entry. Raises ``Refused`` or ``Wrong``.
    """
    document = session.document
    wanted = session.rng.randint(1, 4)
    for _ in range(20):
        if len(session.log) < wanted:
            session.step()
    out = ""
    try:
        rendered = formats.render(document)
        out = rendered.data.decode("utf-8-sig")
        need(
            rendered.data.startswith(b"\xef\xbb\xbf") == it.data.startswith(b"\xef\xbb\xbf"),
            "bom",
            "",
        )
        try:
            value = reader(out)
        except Wrong:
            raise
        except Exception as error:
            raise Wrong("unreadable", f"{error}") from None
        order = it.scan.ordered
        ok = alike(value, meaning(session.root), order=order)
        need(ok, "value", f"it reads {value}, not {meaning(session.root)}")
        ok = _shaped(plain(document.root), meaning(session.root), order)
        need(ok, "tree", "the tree is not the model")
        check = Check(session, it.scan, scanner(out))
        check.run()
        _ledger(check, rendered, document)
        _replay(it, rendered, document)
    except Wrong as error:
        steps = "\n".join(session.log)
        error.args = (f"{error}\n{steps}\n--- source\n{it.text!r}\n{it.text}\n--- result\n{out}",)
        raise
    return check.stale


def _shaped(tree: Any, value: Any, order: bool) -> bool:
    """Whether a tree is a value; how it holds dates and times is its own business."""
    if isinstance(value, dict):
        if not isinstance(tree, dict) or tree.keys() != value.keys():
            return False
        same = not order or list(tree) == list(value)
        return same and all(_shaped(tree[k], value[k], order) for k in value)
    if isinstance(value, list):
        if not isinstance(tree, list) or len(tree) != len(value):
            return False
        return all(_shaped(a, b, order) for a, b in zip(tree, value, strict=True))
    if isinstance(value, datetime.date | datetime.time):
        return True
    return alike(tree, value)


def _ledger(check: Check, rendered: Rendered, document: Document) -> None:
    out = check.result.text
    for s in rendered.segments:
        same = document.text[s.old : s.old + s.length] == out[s.new : s.new + s.length]
        need(same, "segments", f"{s} is no copy")
    lost = [document.text[a:b] for a, b in rendered.lost_comments]
    kept = set(check.must())
    for text in lost:
        need(not set(MARK.findall(text)) & kept, "ledger", f"it names a surviving comment: {text}")
    gone = check.source.comments.keys() - check.result.comments.keys()
    named = set(MARK.findall(" ".join(lost)))
    need(named == gone, "ledger", f"it names {named}, gone are {gone}")


def _replay(it: Made, rendered: Rendered, document: Document) -> None:
    """The journal is JSON and makes the same bytes of the same source."""
    again = formats.parse(it.data, format=document.format)
    replay(again, (Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes))
    need(formats.render(again).data == rendered.data, "replay", "the journal gives another text")


def unchanged(it: Made, format: str) -> Document:
    """Parse a text; rendered at once it must be its source."""
    document = formats.parse(it.data, format=format)
    need(formats.render(document).data == it.data, "unchanged", "an unchanged document changed")
    return document


@dataclass
class Log:
    """What happened to one document."""

    steps: list[str] = field(default_factory=list)
    stale: int = 0


class Tally:
    """Counts outcomes and keeps the shortest example of each."""

    def __init__(self, format: str) -> None:
        self.format = format
        self.outcomes: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.stale = 0

    @contextmanager
    def watch(self, seed: int, it: Made) -> Iterator[Log]:
        log = Log()
        name, why = "edited", ""
        try:
            yield log
        except Refused as error:
            name = f"refused {error.code}"
            why = f"{error.place}: {error.message}\n" + "\n".join(log.steps) + f"\n{it.text}"
        except Wrong as error:
            name, why = f"wrong {error.kind}", str(error)
        except Exception as error:
            name = f"crash {type(error).__name__}"
            trace = "".join(traceback.format_exception(error, limit=-4))
            why = trace + "\n".join(log.steps) + f"\n{it.text}"
        self.outcomes[name] += 1
        self.stale += log.stale
        example = f"{name}, {self.format}, seed {seed}: {why}"
        if why and len(example) < len(self.examples.get(name, example + "x")):
            self.examples[name] = example

    def judge(self) -> None:
        """Print the summary; no crash, nothing wrong, less than 2 % refused."""
        total = sum(self.outcomes.values())
        refused = sum(n for name, n in self.outcomes.items() if name.startswith("refused"))
        print(f"\nfuzz {self.format}: {total} documents, {refused / total:.2%} refused; ", end="")
        print(f"{self.stale} comments outlived their entry; {dict(self.outcomes)}")
        bad = []
        for name, example in sorted(self.examples.items()):
            print(f"\n{example}" if name.startswith("refused") else "", end="")
            bad += [] if name.startswith("refused") else [f"{self.outcomes[name]} times {example}"]
        assert not bad, f"{len(bad)} kinds of failures, the shortest of each:\n" + "\n\n".join(bad)
        assert refused < max(0.02 * total, 1), f"{refused} of {total} documents were refused"
