"""A generator of YAML texts in varied style, with a model that knows what they mean.

The model is independent of the engine: entries with a key, a value and the comments they own.
Texts are written by this module's own emitter; what their scalars mean is taken from PyYAML
(1.1) and py-yaml12 (1.2) reading the same text, so that the emitter needs no opinion on types.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from confmig.documents.model.document import Document
from confmig.documents.model.path import show
from tests.documents.helpers import Ordered, read11, read12

PLAIN = (
    *("word", "two words", "a#b", "http://x:80/y?z=1", "yes", "no", "on", "off", "~", "null"),
    *("true", "False", "1:30", "0o17", "017", "0x1F", "1_000", "2001-12-14", "1.0", ".inf"),
    *("1e3", "-5", "+7", "08", "käse", "10.0.0.1", "${VAR}", "a:b", "n", "y", "3", "x=y", "<<x"),
)
QUOTED = (
    *("'a # b'", "'it''s'", "''", "'yes'", '"a: b"', '"tab\\tend"', '"\\u263A ☺"', "'😀 emoji'"),
    *('"say \\"hi\\""', "'0o17'", '""', "'{{ t }}'", '"line\\nbreak"', "' lead'"),
)
FRESH = (
    *("yes", "no", "on", "1:30", "a: b", "x #y", "", " lead", "trail ", "multi\nline", "ünï"),
    *("😀", "null", "0o17", "017", "=", "<<", "- a", "12e3", "@x", "%y", "`z", "\t", "1_000"),
    *("2001-01-01", "~", "a\\b", "'q'", '"q"', "[x", "{y", "!t", "&a", "*b", "|", ">", "#c"),
    *(":", "a:", "?", "-", "--- x", "\x85", "\u2028", "\x07", ".5", "+.inf", "0b1", "1,000"),
    *("-0", "+1", "08", "1e5", "TRUE", "n", "Y", "{{ t }}", "${V}", "a, b", "x]", "plain"),
    *("1.2.3", "::1", "a\n\nb\n", "\ttab", "a'b\"c", "0x_1", "...", "---", "é\u00a0x", "1e+5"),
)


@dataclass(eq=False)
class Node:
    """A value: a scalar (both readings), a map or a list, and comments that stand inside it."""

    kind: str
    entries: list[Entry] = field(default_factory=list)
    v11: Any = None
    v12: Any = None
    notes: list[str] = field(default_factory=list)
    compact: bool = False
    blocky: bool = False


@dataclass(eq=False)
class Entry:
    """An entry of a map or list; ``line`` is its source line if it has one for itself."""

    key: str | None
    node: Node
    notes: list[str] = field(default_factory=list)
    line: str | None = None
    alias: bool = False
    anchor: bool = False


Place = tuple[str | int, ...]


def walk(node: Node, place: Place = ()) -> Iterator[tuple[Node, Entry, Place]]:
    """Every entry that can be addressed: aliases are not entered."""
    for number, entry in enumerate(node.entries):
        here = (*place, number if entry.key is None else entry.key)
        yield node, entry, here
        if not entry.alias:
            yield from walk(entry.node, here)


def notes_of(node: Node) -> list[str]:
    """The comments that must survive as long as this value does."""
    out = list(node.notes)
    for entry in node.entries:
        out += entry.notes
        if not entry.alias:
            out += notes_of(entry.node)
    return out


def meaning(node: Node, version: str) -> Any:
    """The value in plain data, as a 1.1 or 1.2 reader sees it."""
    if node.kind == "map":
        return Ordered((str(e.key), meaning(e.node, version)) for e in node.entries)
    if node.kind == "list":
        return [meaning(e.node, version) for e in node.entries]
    if version == "1.2, without a final newline" and node.v12 == f"{node.v11}\n":
        return node.v11
    return node.v11 if version == "1.1" else node.v12


def model_of(value: Any) -> Node:
    """The model of a new value."""
    if isinstance(value, dict):
        return Node("map", [Entry(k, model_of(v)) for k, v in value.items()])
    if isinstance(value, list):
        return Node("list", [Entry(None, model_of(v)) for v in value])
    return Node("scalar", v11=value, v12=value)


class Maker:
    """Writes one random text and its model."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0
        self.header: list[str] = []
        self.anchors: list[tuple[str, Node]] = []
        self.commented = rng.choice((0.0, 0.15, 0.4))
        self.blank = rng.choice((0.0, 0.1, 0.3))
        self.step = rng.choice((2, 2, 2, 3, 4, 8))
        self.dash = rng.choice((0, 2, 2, self.step))
        self.varied = rng.random() < 0.3
        self.flow = rng.choice((0.0, 0.15, 0.5))
        self.fancy = rng.choice((0.0, 0.1, 0.3))

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def note(self, owner: list[str]) -> str:
        self.count += 1
        name = f"#c{self.count}."
        owner.append(name)
        return name + self.rng.choice(("", " text", " - a: b", " it's", ' "x', " # more", " é😀"))

    def name(self) -> tuple[str, str]:
        """A fresh key and its token."""
        self.count += 1
        n = self.count
        shape = self.rng.randrange(12)
        if shape < 5:
            return f"k{n}", f"k{n}"
        if shape == 5:
            return f"k {n}", self.rng.choice((f"k {n}", f"'k {n}'", f'"k {n}"'))
        if shape == 6:
            return f"k.{n}", f"k.{n}"
        if shape == 7:
            return f"{n}", self.rng.choice((f"{n}", f"'{n}'"))
        if shape == 8:
            return f"ключ{n}", self.rng.choice((f"ключ{n}", f'"ключ{n}"'))
        if shape == 9:
            return f"k#{n}", self.rng.choice((f"k#{n}", f'"k#{n}"'))
        if shape == 10:
            return f"k'{n}", self.rng.choice((f"k'{n}", f"'k''{n}'", f'"k\'{n}"'))
        return f"k-{n}", f"'k-{n}'"

    def make(self) -> tuple[bytes, Node]:
        root = Node("list" if self.chance(0.15) else "map")
        lines: list[str] = []
        about_first: list[str] = []  # directly above the first entry: no header
        if self.chance(0.3):
            if self.chance(0.5):
                lines += [self.note(self.header), ""]
            else:
                lines.append(self.note(about_first))
        if self.chance(0.2):
            self.header, about_first = self.header + about_first, []
            lines.append("---" if self.chance(0.5) else "--- " + self.note(self.header))
        lines += self.block(root, 0, 0, root=True)
        root.entries[0].notes += about_first
        if self.chance(0.1):
            lines.append(self.note(self.header))
        if self.chance(0.08):
            lines.append("...")
        text = "\n".join(lines) + "\n"
        if self.chance(0.15):
            text = text[:-1]
        if self.chance(0.1):
            text = text.replace("\n", "\r\n")
        if self.chance(0.1):
            text = "\ufeff" + text
        data = text.encode()
        self.learn(root, read11(data), read12(data))
        return data, root

    def learn(self, node: Node, v11: Any, v12: Any) -> None:
        """Take the scalars' meanings from the two readers."""
        if node.kind == "map":
            assert isinstance(v11, Ordered)
            assert isinstance(v12, Ordered)
            assert [k for k, _ in v11] == [e.key for e in node.entries]
            assert len(v12) == len(v11)
            for entry, (_, a), (_, b) in zip(node.entries, v11, v12, strict=True):
                self.learn(entry.node, a, b)
        elif node.kind == "list":
            assert isinstance(v11, list)
            assert isinstance(v12, list)
            for entry, a, b in zip(node.entries, v11, v12, strict=True):
                self.learn(entry.node, a, b)
        else:
            node.v11, node.v12 = v11, v12

    # --- block style

    def block(self, node: Node, column: int, depth: int, *, root: bool = False) -> list[str]:
        """The lines of a block container at a column, all with their indentation."""
        pad = " " * column
        lines: list[str] = []
        total = self.rng.randint(1, 5 if depth < 2 else 3)
        for number in range(total):
            first = number == 0
            entry = Entry(None, Node("scalar"))
            if not (root and first):
                if self.chance(self.blank):
                    lines.append(self.rng.choice(("", "", pad)))
                if self.chance(self.commented / 3) and not (first and not root and column == 0):
                    lines += [pad + self.note(node.notes), ""]
                while self.chance(self.commented):
                    lines.append(pad + self.note(entry.notes))
            above = lines[-1] if lines else ""
            if node.kind == "list" and re.match(rf" {{{column + 2}}}#c\d+\.", above):
                # above the dash, at the column of the content: about the item below
                name = above.split(".")[0].strip() + "."
                for _, other, _ in walk(node):
                    for notes in (other.notes, other.node.notes):
                        if name in notes:
                            notes.remove(name)
                entry.notes.append(name)
            body = self.entry(node, entry, column, depth)
            if not (len(body) == 1 and "\n" in body[0]):
                entry.line = body[0] if len(body) == 1 and entry.node.kind == "scalar" else None
            node.entries.append(entry)
            lines += body
        return lines

    def entry(self, parent: Node, entry: Entry, column: int, depth: int) -> list[str]:
        pad = " " * column
        if parent.kind == "map":
            key, token = self.name()
            entry.key = key
            if self.chance(self.fancy / 10) and len(token) < 20:
                head = f"{pad}{token} :"
            else:
                head = f"{pad}{token}:"
        else:
            head = f"{pad}-"
        node = entry.node
        deep = depth < 4 and self.chance((0.6, 0.5, 0.35, 0.2)[min(depth, 3)])
        if deep and not self.chance(self.flow):
            node.kind = self.rng.choice(("map", "map", "list"))
            return self.nested(parent, entry, head, column, depth)
        if deep:
            node.kind = self.rng.choice(("map", "list"))
            body = self.flow_text(node, 0, column + self.step)
            return self.tail((f"{head} {body}").split("\n"), entry)
        return self.leaf(parent, entry, head, column)

    def nested(self, parent: Node, entry: Entry, head: str, column: int, depth: int) -> list[str]:
        node = entry.node
        step = self.rng.choice((2, 3, 4)) if self.varied else self.step
        if parent.kind == "list":
            inner = column + self.rng.choice((2, 2, 2, 4))
        elif node.kind == "list":
            inner = column + self.dash
        else:
            inner = column + step
        if parent.kind == "list" and self.chance(0.75):
            node.compact = True
            saved = self.commented, self.blank
            lines = self.compact(node, inner, depth + 1)
            self.commented, self.blank = saved
            lines[0] = head + " " * (inner - len(head)) + lines[0][inner:]
            return lines
        anchor = ""
        if self.chance(self.fancy / 3):
            self.count += 1
            anchor = f" &a{self.count}"
            entry.anchor = True
        first = head + anchor
        if self.chance(self.commented):
            first += " " + self.note(entry.notes)
        lines = [first, *self.block(node, inner, depth + 1)]
        if anchor:
            self.anchors.append((anchor[2:], node))
        return lines

    def compact(self, node: Node, column: int, depth: int) -> list[str]:
        """A block container whose first entry stands behind a dash."""
        first = Entry(None, Node("scalar"))
        saved = self.commented, self.blank
        lines = self.entry(node, first, column, depth)
        node.entries.append(first)
        self.commented, self.blank = saved
        if self.chance(0.7):
            rest = Node(node.kind)
            lines += self.block(rest, column, depth)
            node.entries += rest.entries
            node.notes += rest.notes
        return lines

    def tail(self, lines: list[str], entry: Entry) -> list[str]:
        """A trailing comment or trailing space behind the last line."""
        if self.chance(self.commented):
            lines[-1] += self.rng.choice((" ", "  ")) + self.note(entry.notes)
        elif self.chance(self.fancy / 5):
            lines[-1] += " "
        return lines

    def leaf(self, parent: Node, entry: Entry, head: str, column: int) -> list[str]:
        node = entry.node
        deep = " " * (column + self.rng.choice((1, 2, 2, 4)))
        kind = self.rng.random()
        if kind < 0.06:  # an empty value
            return self.tail([head], entry)
        if kind < 0.06 + self.fancy / 2:
            node.blocky = True
            return self.long(entry, head, column, deep)
        if kind > 0.97 and self.anchors:
            name, target = self.rng.choice(self.anchors)
            entry.alias = True
            entry.node = Node(target.kind, target.entries)
            if target.kind == "scalar":
                entry.node = Node("scalar")
            return self.tail([f"{head} *{name}"], entry)
        token = self.scalar(flow=False)
        if self.chance(self.fancy / 3):
            self.count += 1
            token = f"&a{self.count} {token}"
            entry.anchor = True
            self.anchors.append((f"a{self.count}", node))
        elif self.chance(self.fancy / 4):
            token = self.rng.choice(("!!str ", "!local ")) + token
        space = " " * self.rng.choice((1, 1, 1, 1, 3))
        lines = self.tail([f"{head}{space}{token}"], entry)
        if self.chance(self.commented / 3):
            lines.append(deep + self.note(entry.notes))
        return lines

    def long(self, entry: Entry, head: str, column: int, deep: str) -> list[str]:
        """A scalar over several lines."""
        shape = self.rng.randrange(6)
        if shape < 4:
            mark = self.rng.choice("|>") + self.rng.choice(("", "", "-", "+"))
            if self.chance(0.2):
                mark += str(len(deep) - column)
            if self.chance(self.commented):
                mark += " " + self.note(entry.notes)
            lines = [f"{head} {mark}"]
            for _ in range(self.rng.randint(1, 3)):
                lines.append(deep + self.rng.choice(("text", "a: b", "# none", "- x", "t # n")))
                if self.chance(0.3):
                    lines.append("")
            if shape == 3:
                lines.append("")
            return lines
        if shape == 4:
            return self.tail([f"{head} some plain", deep + "text here"], entry)
        quote = self.rng.choice("'\"")
        lines = [f"{head} {quote}some # quoted", deep + f"text: here{quote}"]
        return self.tail(lines, entry)

    def scalar(self, *, flow: bool) -> str:
        if self.chance(0.2):
            self.count += 1
            return str(self.count)
        token = self.rng.choice(QUOTED if self.chance(0.35) else PLAIN)
        return "word" if flow and token in ("${VAR}", "http://x:80/y?z=1", "1:30", "a:b") else token

    # --- flow style

    def flow_text(self, node: Node, depth: int, column: int) -> str:
        many = self.rng.randint(0, 4)
        wide = self.chance(0.3) and many > 0 and column > 0
        items: list[str] = []
        for _ in range(many):
            entry = Entry(None, Node("scalar"))
            head = ""
            if node.kind == "map":
                key, token = self.name()
                entry.key = key
                head = token + ": "
            if depth < 2 and self.chance(0.25):
                entry.node.kind = self.rng.choice(("map", "list"))
                items.append(head + self.flow_text(entry.node, depth + 1, column))
            else:
                items.append(head + self.scalar(flow=True))
            node.entries.append(entry)
        opening, closing = "{}" if node.kind == "map" else "[]"
        if not wide:
            space = self.rng.choice(("", "", " ")) if many else ""
            comma = self.rng.choice((", ", ", ", ", ", " , "))
            last = self.rng.choice(("", "", "", ",", ", ")) if many else ""
            return opening + space + comma.join(items) + last + space + closing
        pad = "\n" + " " * column
        out = opening
        for number, item in enumerate(items):
            comma = "," if number < many - 1 or self.chance(0.5) else ""
            out += pad + item + comma
            if self.chance(self.commented):
                out += " " + self.note(node.entries[number].notes)
        return out + "\n" + " " * max(1, column - self.step) + closing


class Session:
    """Random operations on a document and on its model, side by side."""

    def __init__(self, rng: random.Random, document: Document, root: Node) -> None:
        self.rng = rng
        self.document = document
        self.root = root
        self.log: list[str] = []
        self.moved: set[int] = set()
        self.blanks_stay = True
        self.fresh = 0

    def value(self) -> Any:
        """A value that is in no source."""
        self.fresh += 1
        kind = self.rng.random()
        if kind < 0.4:
            return 900000 + self.fresh
        if kind < 0.75:
            return self.rng.choice(FRESH)
        if kind < 0.85:
            return self.rng.choice((True, False, None, 1.5, 1e20, 1e-7, -3.0))
        if kind < 0.93:
            return [self.rng.choice(FRESH), 900000 + self.fresh, {"x": [1]}][
                : self.rng.randint(0, 3)
            ]
        return {"a": self.rng.choice(FRESH), "b": {"c": [], "d": {}}, "e": [{"f": 1, "g": [2]}]}

    def name(self) -> str:
        self.fresh += 1
        if self.rng.random() < 0.7:
            return f"new{self.fresh}"
        name = self.rng.choice(FRESH)
        return name if name != "<<" else "new"

    def step(self) -> None:
        """One operation. Raises ``Refused`` if the engine does; the model is then stale."""
        here = list(walk(self.root))
        operations = ("set", "set", "new", "new", "delete", "delete", "rename", "move", "item")
        kind = self.rng.choice((*operations, "append", "wrap", "deep"))
        maps: list[tuple[Place, Node]] = [((), self.root)] if self.root.kind == "map" else []
        maps += [(p, e.node) for _, e, p in here if e.node.kind == "map" and not e.alias]
        lists = [(p, e.node) for _, e, p in here if e.node.kind == "list" and not e.alias]
        parent, entry, place = self.rng.choice(here) if here else (self.root, None, ())
        if kind == "set" and entry is not None:
            self._set(parent, entry, place)
        elif kind == "new" and maps:
            self._new(*self.rng.choice(maps))
        elif kind == "deep" and maps:
            at, node = self.rng.choice(maps)
            name, value = self.name(), self.value()
            if all(e.key != name for e in node.entries):
                self.do("set", show((*at, name, "sub", "leaf")), value)
                node.entries.append(Entry(name, model_of({"sub": {"leaf": value}})))
        elif kind == "delete" and entry is not None:
            self.do("delete", show(place))
            self.touch(parent)
            self.blanks_stay = False
            parent.entries.remove(entry)
        elif kind == "rename" and entry is not None and entry.key is not None:
            name = self.name()
            if all(e.key != name for e in parent.entries):
                self.do("rename", show(place), name)
                self.touch_entry(entry)
                entry.key = name
        elif kind == "move" and entry is not None and maps:
            self._move(parent, entry, place, *self.rng.choice(maps))
        elif kind in ("item", "append") and lists:
            self._item(kind, *self.rng.choice(lists))
        elif kind == "wrap" and entry is not None:
            under = self.rng.choice((None, self.name()))
            self.do("wrap", show(place), under)
            self.moved.add(id(entry))
            self.deep_touch(entry.node)
            if entry.node.blocky:
                self.blanks_stay = False
            inner = Entry(under, entry.node, alias=entry.alias)
            entry.node = Node("list" if under is None else "map", [inner])
            entry.alias = False

    def do(self, name: str, *args: Any) -> None:
        self.log.append(f"d.{name}({', '.join(repr(a) for a in args)})")
        getattr(self.document, name)(*args)

    def touch_entry(self, entry: Entry) -> None:
        self.moved.add(id(entry))
        self.deep_touch(entry.node) if entry.node.compact else None

    def touch(self, node: Node) -> None:
        for entry in node.entries:
            self.touch_entry(entry)

    def deep_touch(self, node: Node) -> None:
        for entry in node.entries:
            self.moved.add(id(entry))
            self.deep_touch(entry.node)

    def _set(self, parent: Node, entry: Entry, place: Place) -> None:
        value = self.value()
        fresh = model_of(value)
        if entry.key is None:
            self.log.append(f"d.root{''.join(f'[{p!r}]' for p in place)} = {value!r}")
            target = self.document.root
            for part in place[:-1]:
                target = target[part]
            target[place[-1]] = value
        else:
            self.do("set", show(place), value)
        self.moved.add(id(entry))
        if entry.node.blocky or entry.node.kind != "scalar":
            self.blanks_stay = False
        same = fresh.kind == entry.node.kind == "scalar" and type(value) is type(entry.node.v11)
        # 08 is text for YAML 1.1 and a number for go-yaml, which the engine follows: no equal value
        number = isinstance(entry.node.v11, str) and not isinstance(entry.node.v12, str)
        if number or not (same and value == entry.node.v11):
            entry.node = fresh
            entry.alias = False

    def _new(self, at: Place, node: Node) -> None:
        name, value = self.name(), self.value()
        if all(e.key != name for e in node.entries):
            self.do("set", show((*at, name)), value)
            if not node.entries:
                self.moved.update(id(e) for _, e, _ in walk(self.root) if e.node is node)
            node.entries.append(Entry(name, model_of(value)))

    def _move(self, parent: Node, entry: Entry, place: Place, at: Place, node: Node) -> None:
        if at[: len(place)] == place:
            return
        name = self.name()
        if any(e.key == name for e in node.entries):
            return
        self.do("move", show(place), show((*at, name)))
        self.touch(parent)
        self.moved.add(id(entry))
        self.deep_touch(entry.node)
        self.blanks_stay = False
        if not node.entries:
            self.moved.update(id(e) for _, e, _ in walk(self.root) if e.node is node)
        if node is parent:
            entry.key = name
            return
        parent.entries.remove(entry)
        if entry.key is None:
            entry = Entry(None, entry.node, alias=entry.alias)
            self.moved.add(id(entry))
        entry.key = name
        node.entries.append(entry)

    def _item(self, kind: str, place: Place, node: Node) -> None:
        value = self.value()
        self.moved.update(id(e) for _, e, _ in walk(self.root) if e.node is node)
        if kind == "append":
            self.do("append", show(place), value)
            node.entries.append(Entry(None, model_of(value)))
        else:
            at = self.rng.randint(0, len(node.entries))
            self.do("insert", show(place), at, value)
            self.touch(node)
            node.entries.insert(at, Entry(None, model_of(value)))
