"""Random TOML texts with a model of what they mean; the edits and checks are those of JSON.

The meaning of a scalar is what tomllib reads of its token alone. How a container is written is the
``form`` of its node: ``root``, ``section`` (it has a header), ``implicit`` (only its sub-tables
have), ``dotted`` (dotted keys), ``inline``, ``array``, ``aot`` (array of tables).
"""

from __future__ import annotations

import random
import re
import tomllib
from functools import lru_cache
from typing import Any

from tests.documents.json.fuzzing import (
    WORDS,
    Entry,
    Node,
    Scan,
    Seen,
    SeenEntry,
    Session,
    Spot,
    Wrong,
    need,
    walk,
)

STRINGS = (
    *('""', '"text"', '"two words"', '"a # b"', '"a = 1"', '"[x]"', '"say \\"hi\\""', '"it\'s"'),
    *('"tab\\tend"', '"\\u00e9 \\U0001F600"', '"käse 😀"', '"C:\\\\dir"', "'C:\\dir\\'", "''"),
    *("'a # b'", "'say \"hi\"'", "'[[x]]'", '"${VAR}"', '"{{ t }}"', '"\u2028"', '"\x85"'),
    *('"\\u0000\\u001b"', '"\\b\\f\\n\\r"', '"a, b"', '"}"', "'\\u00e9'", '"true"', '"1"', "'\t'"),
    *('"http://h:1/p?q=1#f"', "'<\\i\\c*\\s*>'", '"\\\\"', "'''one '' line'''"),
    *('"""one "" line"""',),
)
LONG = ('"""', "'''", '"""\\', '"""|')
BODIES = (
    *("first\nsecond", "# none\nx = 1\n", "  deep\n\n[x]\n", "\n\ntwo", "a 'b' \"c\"\n", "k = [\n"),
    *("trail  \n  lead", "tab\t\nend\n", "é\n😀\n", "'\n\"\n"),
)
NUMBERS = (
    *("0", "+0", "-0", "+99", "42", "-17", "1_000", "5_349_221", "1_2_3", "0xDEADBEEF"),
    *("0xdead_beef", "0o01234567", "0o755", "0b1101_0110", "9223372036854775807"),
    *("-9223372036854775808", "+1.0", "3.1415", "-0.01", "5e+22", "1e06", "-2E-2", "6.626e-34"),
    *("224_617.445_991_228", "0.0", "-0.0", "inf", "+inf", "-inf", "nan", "+nan", "-nan", "1.50"),
    *("1e1_0",),
)
DATES = (
    *("1979-05-27T07:32:00Z", "1979-05-27T00:32:00-07:00", "1979-05-27T00:32:00.999999-07:00"),
    *("1979-05-27 07:32:00Z", "1979-05-27T07:32:00", "1979-05-27T00:32:00.5", "1979-05-27"),
    *("07:32:00", "00:32:00.999999", "1979-05-27 07:32:00", "1979-05-27t07:32:00z"),
)
KEYS = (
    *('""', "''", '"a b"', "'a.b'", '"a\\"b"', "'a\"b'", '"\\u0061bc"', '"ключ"', '"😀"', '"#"'),
    *('"="', '"[x]"', "true", "inf", "nan", "1979-05-27", "1234", "-", "_", "-_-", "'\\n'"),
    *('"\\n"', '"*"', '"**"', "'[0]'", '"a\'b"', '"plain"', "'plain2'", "1e3", "0x1F", '"~"'),
    *("'//'",),
)
TABLES = ("section", "implicit", "aot")


def read_token(raw: str) -> Any:
    """What the text of a value means."""
    return tomllib.loads(f"x = {raw}")["x"]


def read(text: str) -> Any:
    """What the independent reader sees."""
    return tomllib.loads(text.removeprefix("\ufeff"))


@lru_cache(maxsize=4096)
def read_key(raw: str) -> str:
    """What the text of a key means."""
    return next(iter(tomllib.loads(f"{raw} = 0")))


# --- what stands in a text


class TomlScan(Scan):
    """The statements of a TOML text. Maps have no order; ``trailing`` is not looked at."""

    ordered = False
    _SPACE = re.compile(r"[ \t]*")
    _KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|\'[^\']*\'')
    _STRING = re.compile(
        r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})'
        r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'',
        re.DOTALL,
    )
    _BARE = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]+|[^\s,\]}#]+")

    def __init__(self, text: str) -> None:
        self.text = text
        self.format = "toml"
        self.comments = {}
        self.spans = []
        self.at = 0
        self.row = []
        self.root = Seen("map", 0, len(text))
        table = self.root
        while self.skip():
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.row.append(self.statement(table))
            rest = re.compile(r"[ \t\r]*(?:#|\n|$)").match(text, self.at)
            need(rest is not None, "syntax", f"something follows a statement at {self.at}")

    @staticmethod
    def after(entry: SeenEntry) -> int:
        assert entry.end is not None
        return entry.end

    def skip(self) -> bool:
        """Skip blanks, line ends and comments; False at the end."""
        while self.at < len(self.text):
            if self.text[self.at] in " \t\r\n":
                self.at += 1
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                end -= self.text[end - 1] == "\r"
                self.comment(self.at, end)
                self.at = end
            else:
                return True
        return False

    def eat(self, wanted: str) -> None:
        need(self.text.startswith(wanted, self.at), "syntax", f"no {wanted} at {self.at}")
        self.at += len(wanted)

    def space(self) -> None:
        match = self._SPACE.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def keys(self) -> list[tuple[str, int, int]]:
        """The parts of a dotted key."""
        parts = []
        while True:
            self.space()
            match = self._KEY.match(self.text, self.at)
            if match is None:
                raise Wrong("syntax", f"no key at {self.at}")
            parts.append((read_key(match[0]), *match.span()))
            self.at = match.end()
            self.space()
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    @staticmethod
    def entry_of(node: Seen, part: tuple[str, int, int], kind: str) -> SeenEntry:
        """The entry of a key, made if it is not there; its value is a container."""
        name, start, end = part
        for entry in node.entries:
            if entry.key == name:
                entry.spots.append((start, end))
                return entry
        entry = SeenEntry(name, Seen(kind, start), None, None, [(start, end)])
        node.entries.append(entry)
        return entry

    def enter(self, node: Seen, part: tuple[str, int, int]) -> Seen:
        inner = self.entry_of(node, part, "map").node
        return inner.entries[-1].node if inner.kind == "list" else inner

    def header(self) -> Seen:
        start = self.at
        many = self.text.startswith("[[", start)
        self.eat("[[" if many else "[")
        *path, last = self.keys()
        self.eat("]]" if many else "]")
        node = self.root
        for part in path:
            node = self.enter(node, part)
        entry = self.entry_of(node, last, "list" if many else "map")
        if many:
            item = SeenEntry(None, Seen("map", start), start, self.at, header=True)
            entry.node.entries.append(item)
            self.row.append(item)
            return item.node
        entry.at, entry.end, entry.header = start, self.at, True
        self.row.append(entry)
        entry.main = last[1:]
        return entry.node

    def statement(self, table: Seen) -> SeenEntry:
        start = self.at
        *path, last = self.keys()
        self.eat("=")
        self.space()
        for part in path:
            table = self.enter(table, part)
        entry = SeenEntry(last[0], self.any_value(), start, self.at, [last[1:]])
        table.entries.append(entry)
        return entry

    def any_value(self) -> Seen:
        start = self.at
        head = self.text[start : start + 1]
        if head == "{":
            return self.inline()
        if head == "[":
            return self.array()
        match = (self._STRING if head and head in "\"'" else self._BARE).match(self.text, start)
        if match is None:
            raise Wrong("syntax", f"no value at {start}")
        self.at = match.end()
        return Seen("scalar", start, self.at)

    def inline(self) -> Seen:
        seen = Seen("map", self.at)
        self.at += 1
        self.skip()
        while self.text[self.at : self.at + 1] != "}":
            self.statement(seen)
            self.skip()
            if self.text[self.at : self.at + 1] == ",":
                self.at += 1
                self.skip()
        self.at += 1
        seen.end = self.at
        return seen

    def array(self) -> Seen:
        seen = Seen("list", self.at)
        self.at += 1
        self.skip()
        while self.text[self.at : self.at + 1] != "]":
            start = self.at
            seen.entries.append(SeenEntry(None, self.any_value(), start, self.at))
            self.skip()
            if self.text[self.at : self.at + 1] == ",":
                self.at += 1
                self.skip()
        self.at += 1
        seen.end = self.at
        return seen


# --- the texts


class TomlMaker:
    """Writes one random text and its model."""

    format = "toml"

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0
        self.header: list[str] = []
        self.floating: list[str] = []
        self.shared: list[tuple[str, tuple[Entry, ...]]] = []
        self.shuffled = False
        self.commented = rng.choice((0.0, 0.1, 0.3))
        self.blank = rng.choice((0.0, 0.1, 0.3))
        self.size = rng.choice((1, 2, 3, 4, 6))
        self.newline = "\r\n" if self.chance(0.12) else "\n"
        self.indent = rng.choice(("", "", "", "  ", "    ", "\t"))
        self.indent_headers = self.chance(0.5)
        self.equals = rng.choice((" = ", " = ", " = ", " = ", "=", "  =  "))
        self.align = self.chance(0.1)
        self.odd = rng.choice((0.0, 0.1, 0.4))
        self.dots = rng.choice((0.0, 0.1, 0.3))
        self.comma = rng.choice((", ", ", ", ","))
        self.pad = rng.choice(("", " "))
        self.trailing = rng.choice((0.0, 0.5, 1.0))
        self.step = rng.choice(("  ", "    ", "    ", "\t", ""))

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def note(self, owner: list[str]) -> str:
        self.count += 1
        name = f"~{self.count}~"
        owner.append(name)
        noise = (
            "",
            "",
            " text",
            " x = 1",
            " [x]",
            " it's",
            ' "',
            " # more",
            " é😀",
            " '''",
            ' """',
        )
        return self.rng.choice(("# ", "# ", "#", "## ")) + name + self.rng.choice(noise)

    def make(self) -> tuple[bytes, Node]:
        root = Node("map", form="root")
        lines: list[str] = []
        while self.chance(self.commented):
            lines.append(self.note(self.header))
            if self.chance(0.4):
                lines.append("")
        if lines and lines[-1]:  # else it is about the first statement
            lines.append("")
        if not self.chance(0.03):
            if self.chance(0.75):
                lines += self.body(root, "", 0)
            for group in self.groups(root):
                lines += [line for block in group for line in block]
        if self.chance(0.1):
            lines += ["", self.note(self.floating)]
        text = self.newline.join(lines)
        if lines and not self.chance(0.15):
            text += self.newline * self.rng.choice((1, 1, 1, 1, 2))
        if self.chance(0.08):
            text = "\ufeff" + text
        return text.encode(), root

    # --- sections

    def groups(self, root: Node) -> list[list[list[str]]]:
        """The blocks of the sections; a block that leaves its group is out of order."""
        groups = self.sections(root, [], 0)
        plain = [
            (group, block)
            for group in groups
            for block in group[1:]
            if not any(b[0] == "aot" for b in group) and block[0] == "plain"
        ]
        if plain and self.chance(0.15):
            group, block = self.rng.choice(plain)
            group.remove(block)
            groups.insert(self.rng.randint(0, len(groups)), [block])
            self.shuffled = True
        return [[block[1:] for block in group] for group in groups]

    def sections(self, node: Node, path: list[str], depth: int) -> list[list[list[str]]]:
        """Sub-tables: a group of blocks each. A block is its kind and its lines."""
        groups = []
        high = (self.size, 2, 1, 1, 0)[min(depth, 4)]
        for _ in range(self.rng.randint(0, high)):
            entry = Entry(None, Node("map"))
            token = self.key(node, entry)
            node.entries.append(entry)
            kind = self.rng.choices(TABLES, (6, 1, 2))[0]
            entry.node.form = kind
            here = [*path, token]
            if kind == "aot":
                entry.node.kind = "list"
                blocks = []
                for _ in range(self.rng.randint(1, 3)):
                    item = Entry(None, Node("map", form="section"))
                    entry.node.entries.append(item)
                    blocks += self.section(item, here, depth, "[[", "]]")
                groups.append([["aot", *block[1:]] for block in blocks])
            elif kind == "implicit":
                inner = Entry(None, Node("map", form="section"))
                deeper = [*here, self.key(entry.node, inner)]
                entry.node.entries.append(inner)
                groups.append(self.section(inner, deeper, depth + 1, "[", "]"))
            else:
                groups.append(self.section(entry, here, depth, "[", "]"))
        return groups

    def section(
        self, entry: Entry, path: list[str], depth: int, opening: str, closing: str
    ) -> list[list[str]]:
        lead = self.indent * depth if self.indent_headers else ""
        lines = [""] if not self.chance(self.blank / 2) else []
        if self.chance(self.commented / 4):
            self.above_all(lines, lead)
        while self.chance(self.commented):
            # what stands above a header goes if the whole section is replaced
            lines.append(lead + self.note(entry.above))
        dot, pad = (" . ", " ") if self.chance(self.odd / 8) else (".", "")
        tokens = [self.other(t) if self.chance(self.odd / 8) else t for t in path[:-1]]
        line = f"{lead}{opening}{pad}{dot.join([*tokens, path[-1]])}{pad}{closing}"
        if self.chance(self.commented / 2):
            line += " " + self.note(entry.node.notes)
        lines.append(line)
        if not self.chance(0.07):
            lines += self.body(entry.node, lead + self.indent, depth + 1)
        blocks = [["plain", *lines]]
        if depth < 3 and self.chance(0.4):
            for group in self.sections(entry.node, path, depth + 1):
                blocks += group
        return blocks

    def above_all(self, lines: list[str], lead: str) -> None:
        """A comment between two sections, of neither."""
        lines += [lead + self.note(self.floating), ""]
        if lines[0] != "":
            lines.insert(0, "")

    def other(self, token: str) -> str:
        """The same key in another writing."""
        return f'"{token}"' if re.fullmatch(r"[A-Za-z0-9_-]+", token) else token

    # --- statements

    def body(self, node: Node, lead: str, depth: int) -> list[str]:
        chunks: list[list[str]] = []
        for _ in range(self.rng.randint(0 if depth else 1, self.size)):
            if self.chance(self.commented / 5) and depth:
                chunks.append([lead + self.note(node.notes), ""])
            chunks += self.statements(node, [], lead, depth)
        if len(chunks) > 2 and self.chance(0.05):
            self.rng.shuffle(chunks)
        lines = [line for chunk in chunks for line in chunk]
        while depth == 0 and lines and not lines[0].strip():
            lines.pop(0)
        if depth and self.chance(self.commented / 5):
            lines += [*([""] if self.chance(0.5) else []), lead + self.note(node.notes)]
            lines += [""] if self.chance(0.7) else []
            if lines[-1]:  # directly above the next header it would be of that
                lines.append("")
        return lines

    def statements(self, node: Node, prefix: list[str], lead: str, depth: int) -> list[list[str]]:
        """One entry: a statement, or several of a table with dotted keys."""
        entry = Entry(None, Node("scalar"))
        token = self.key(node, entry)
        node.entries.append(entry)
        if len(prefix) < 3 and self.chance(self.dots):
            entry.node.kind, entry.node.form = "map", "dotted"
            out = []
            for _ in range(self.rng.randint(1, 3)):
                out += self.statements(entry.node, [*prefix, token], lead, depth)
            return out
        lines: list[str] = []
        if self.chance(self.blank):
            lines.append(self.rng.choice(("", "", lead)))
        while self.chance(self.commented):
            lines.append(lead + self.note(entry.above))
        dot = " . " if self.chance(self.odd / 8) else "."
        equals = self.equals
        head = lead + dot.join([*prefix, token])
        if self.align:
            equals = " " * max(0, 14 - len(head)) + equals
        line = head + equals + self.value(entry.node, lead, 0)
        if self.chance(self.commented):
            line += self.rng.choice((" ", "  ", "\t", "")) + self.note(entry.behind)
        elif self.chance(self.odd / 10):
            line += " "
        return [[*lines, line]]

    def value(self, node: Node, lead: str, depth: int) -> str:
        kind = self.rng.random()
        if depth < 3 and kind < 0.1:
            return self.inline(node, lead, depth)
        if depth < 3 and kind < 0.3:
            return self.array(node, lead, depth)
        return self.scalar(node, depth)

    def inline(self, node: Node, lead: str, depth: int) -> str:
        node.kind, node.form = "map", "inline"
        items: list[str] = []
        for _ in range(self.rng.randint(0, 3)):
            items += self.inline_items(node, [], lead, depth)
        if not items:
            return self.rng.choice(("{}", "{}", "{ }"))
        return "{" + self.pad + self.comma.join(items) + self.pad + "}"

    def inline_items(self, node: Node, prefix: list[str], lead: str, depth: int) -> list[str]:
        entry = Entry(None, Node("scalar"))
        token = self.key(node, entry)
        node.entries.append(entry)
        if len(prefix) < 2 and self.chance(self.dots / 2):
            entry.node.kind, entry.node.form = "map", "dotted"
            count = self.rng.randint(1, 2)
            return [
                item
                for _ in range(count)
                for item in self.inline_items(entry.node, [*prefix, token], lead, depth)
            ]
        equals = self.equals if self.equals.strip() == self.equals else " = "
        text = self.value(entry.node, lead, depth + 1)
        return [".".join([*prefix, token]) + equals + text]

    def array(self, node: Node, lead: str, depth: int) -> str:
        node.kind, node.form = "list", "array"
        many = self.rng.randint(0 if self.chance(0.3) else 1, 5)
        if many == 0:
            if self.chance(self.commented):
                note = f"{lead}{self.step}{self.note(node.notes)}"
                return self.newline.join(("[", note, f"{lead}]"))
            return self.rng.choice(("[]", "[]", "[ ]", f"[{self.newline}{lead}]"))
        if self.chance(0.6):
            items = []
            for _ in range(many):
                entry = Entry(None, Node("scalar"))
                node.entries.append(entry)
                items.append(self.value(entry.node, lead, depth + 1))
            last = self.rng.choice(("", "", "", ",", ", "))
            return "[" + self.pad + self.comma.join(items) + last + self.pad + "]"
        return self.tall(node, lead, depth, many)

    def tall(self, node: Node, lead: str, depth: int, many: int) -> str:
        """An array over several lines."""
        inner = lead + self.step
        lines = ["["]
        if self.chance(self.commented / 4):
            lines[0] += " " + self.note(node.notes)
        line: list[Entry] = []
        text = ""
        for number in range(many):
            entry = Entry(None, Node("scalar"))
            if not text:
                if number and self.chance(self.blank / 2):
                    lines.append("")
                if self.chance(self.commented / 5):
                    lines += [inner + self.note(node.notes), ""]
                while self.chance(self.commented):
                    lines.append(inner + self.note(entry.above))
            node.entries.append(entry)
            line.append(entry)
            text += self.value(entry.node, inner, depth + 1)
            last = number == many - 1
            text += "," if not last or self.chance(self.trailing) else ""
            if not last and self.chance(0.15):
                text += " "
                continue
            if self.chance(self.commented):
                owner: list[str] = []
                text += " " + self.note(owner)
                if len(line) == 1:
                    entry.behind += owner
                else:
                    self.shared.append((owner[0], tuple(line)))
            lines.append(inner + text)
            text, line = "", []
        if self.chance(self.commented / 4):
            lines += [*([""] if self.chance(0.5) else []), inner + self.note(node.notes)]
        return self.newline.join([*lines, f"{lead}]"])

    # --- tokens

    def scalar(self, node: Node, depth: int) -> str:
        kind = self.rng.random()
        self.count += 1
        odd = self.chance(self.odd + 0.1)
        if kind < 0.12:
            node.raw = self.rng.choice(("true", "false"))
        elif kind < 0.4:
            node.raw = self.rng.choice(NUMBERS) if odd else str(self.count)
        elif kind < 0.48:
            node.raw = self.rng.choice(DATES)
        elif odd and depth == 0 and kind < 0.58:
            node.raw = self.long()
        elif odd:
            node.raw = self.rng.choice(STRINGS)
        else:
            quote = self.rng.choice('""\'')
            word = self.rng.choice(("s", "some text ", "/path/"))
            node.raw = f"{quote}{word}{self.count}{quote}"
        node.value = read_token(node.raw)
        return node.raw

    def long(self) -> str:
        """A string over several lines."""
        quote = self.rng.choice(LONG)
        body = self.rng.choice(BODIES)
        if quote == '"""\\':
            text = f'"""\\\n    {body.lstrip()} \\\n  end"""'
        elif quote == '"""|':
            text = f'"""{body}\\"\\"\\" \\u00e9\\n"""'
        else:
            first = self.rng.choice(("", "\n"))
            end = "" if body.endswith(quote[0]) else self.rng.choice(("", "", quote[0]))
            text = f"{quote}{first}{body}{end}{quote}"
            if quote == "'''":
                text = text.replace("\\", "/")
        return text.replace("\n", self.newline)

    def key(self, node: Node, entry: Entry) -> str:
        """A key that the node does not have yet."""
        while True:
            kind = self.rng.random()
            self.count += 1
            token = f"k{self.count}"
            if kind < self.odd / 2:
                token = self.rng.choice(KEYS)
            elif kind < 0.6:
                token = self.rng.choice(WORDS)
            elif kind < 0.7:
                n = self.count
                token = self.rng.choice((f"k-{n}", f"k_{n}", f"{n}", f'"k {n}"', f"'k.{n}'"))
            name = read_key(token)
            if all(e.key != name for e in node.entries):
                entry.key = name
                return token


# --- the edits


def in_sections(node: Node) -> bool:
    """Whether a value has headers or dotted keys of its own outside of braces."""
    if node.form in ("section", "implicit", "aot", "dotted"):
        return True
    return node.form == "" and any(in_sections(e.node) for e in node.entries)


class TomlSession(Session):
    """The operations that TOML can express without loss of comments or mixed arrays.

    The operations that TOML can express without giving up comments or mixing tables and values
    in one array.
    """

    atoms = (
        *(True, False, 1.5, 1e20, 1e-7, -3.0, 0.1, 2**63 - 1, -(2**63), 1.0),
        *(float("inf"), float("-inf"), float("nan")),
    )

    def may_set(self, spot: Spot, value: Any) -> bool:
        if spot.parent.form == "aot" and not isinstance(value, dict):
            return False
        # to replace a whole section by a scalar is rare in practice
        rare = in_sections(spot.entry.node) and not isinstance(value, dict)
        return not rare or self.rng.random() < 0.3

    def replaced(self, entry: Entry) -> None:
        if in_sections(entry.node):
            entry.above, entry.behind = [], []
            self.cut = True

    def form(self, inner: Entry, under: str | None) -> str:
        return "aot" if under is None and in_sections(inner.node) else ""

    def rename(self, spot: Spot) -> None:
        super().rename(spot)
        if spot.entry.node.form == "dotted":
            self.reworded.update(id(s.entry) for s in walk(spot.entry.node))

    def may_move(self, spot: Spot, target: Node, inside: bool) -> bool:
        entry = spot.entry
        # an inline table has no room for comments, and none for sections
        return not inside or not (
            in_sections(entry.node) or entry.above or entry.behind or entry.inside
        )

    def may_wrap(self, spot: Spot, under: str | None) -> bool:
        node = spot.entry.node
        if under is not None or not in_sections(node):
            return True
        # [a] to [[a]], not an array in an array
        return node.form == "section" and spot.parent.form != "aot" and not self.maker.shuffled

    def may_add(self, node: Node, value: Any) -> bool:
        return node.form != "aot" or isinstance(value, dict)
