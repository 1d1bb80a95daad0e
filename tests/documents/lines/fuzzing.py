"""Random INI, .properties and .env texts with a model of what they mean and of how they look.

The model knows every piece of the text: after random edits it says, as a regular expression, how
the result must look. What nobody touched stands there to the byte; a new value is any text on its
line, whose meaning an independent reader tells. Every comment carries a mark of its own (``~12~``).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.documents.lines.helpers import as_text

MARK = re.compile(r"~\d+~")
NL = "\n"  # in the pools; the maker puts the file's own in

INI_VALUES = (
    *("1", "text", "two words", '"quoted"', "a=b:c", "[x]", "%(x)s ${V}", "C:\\dir\\", "käse 😀"),
    *("a;b#c", "#fff", "0x1F", "1 ; remark", "a\u2028b", "'", "\\", "{}", "x\ty", "=", ": :"),
)
PROPERTIES_VALUES = (
    *(("1", "1"), ("a b ", "a b "), ("\\u00e9", "é"), ("é", "é"), ("\\ud83d\\uDE00", "😀")),
    *((f"x\\{NL}   y", "xy"), ("\\ x", " x"), ("a\\tb\\n", "a\tb\n"), ("# no", "# no")),
    *(("C:\\\\dir\\\\", "C:\\dir\\"), ("\\q\\=", "q="), (f"1,\\{NL}\\{NL}\t2", "1,2")),
    *((f"a\\{NL} # b\\{NL}!c", "a# b!c"), ("x=y:z", "x=y:z"), ("\\u0041\\\\u", "A\\u")),
    *((f"end\\{NL}", "end"), ("\\\\\\\\", "\\\\"), ("${v}", "${v}"), ("\u2028", "\u2028")),
)
PROPERTIES_KEYS = (
    *(("a.b", "a.b"), ("a\\ b", "a b"), ("\\u0061\\:x", "a:x"), ("k\\=", "k="), ("\\#x", "#x")),
    *((f"jo\\{NL}   in", "join"), ("ключ", "ключ"), ("\\\\", "\\"), ("k", "k"), ("\\!", "!")),
)
PROPERTIES_BETWEEN = ("=", "=", " = ", ": ", " : ", " ", "\t", f" \\{NL}  = ", f"=\\{NL}  ", "\t=")
DOTENV_VALUES = (
    *(("1", "1"), ("two words", "two words"), ("a#b", "a#b"), ("a\"b'c", "a\"b'c")),
    *(("${V:-x}$W", "${V:-x}$W"), ("x=y", "x=y"), ("'it\\'s # \\n'", "it's # \\n"), ("''", "")),
    *(('"say \\"hi\\"\\n\\t\\\\"', 'say "hi"\n\t\\'), ('""', ""), ("`x`", "`x`"), ("#x", "#x")),
    *((f'"1{NL}# no{NL}A=2{NL}"', f"1{NL}# no{NL}A=2{NL}"), (f"'a{NL}b'", f"a{NL}b")),
    *(
        ('"\\x ${V}"', "\\x ${V}"),
        ("C:\\dir", "C:\\dir"),
        ("käse", "käse"),
        ("'a\u2028 '", "a\u2028 "),
    ),
)
DOTENV_KEYS = ("KEY", "a.b", "'odd key'", "x-1", "käse", "_", "export")
NEW = (
    *("1", "new", "new words", "/usr/bin", "a,b", "käse", "😀", "http://h:1/?q=a&b", "a=b", "x:y"),
    *("[x]", '"q"', "it's", "${V}", "$x", "C:\\dir\\", "100%", "a;b", "#fff", "true", "", "-", "'"),
    *(7, -1, 0, 10**20, True, False, 1.5, 1e100),
)
NEW_QUOTED: tuple[str, ...] = (
    " lead",
    "trail ",
    "a # b",
    "a ; b",
    "two\nlines",
    "\ttab",
    "\r\n",
    "\\n",
    "=",
    ": x",
)
NEW_QUOTED = (
    *NEW_QUOTED,
    "\\",
    "\\\\",
    "a\x07b",
    "\u2028",
    "\x85",
    "!x",
    "'\"",
    "end\n",
    "\x0c",
    " ",
)


@dataclass(eq=False)
class Piece:
    """The text of a pair or header.

    The comment lines above it, its margin (with ``export``), the token of its name, what stands
    between name and value, the token of the value, the rest.
    """

    above: list[str]
    margin: str
    name: str
    between: str = ""
    raw: str = ""
    rest: str = ""

    @property
    def lines(self) -> str:
        return self.margin + self.name + self.between + self.raw + self.rest


@dataclass(eq=False)
class Node:
    """A key with its text, or a section with its entries. ``was`` is what the source said."""

    key: str
    value: Any = None
    entries: dict[str, Node] | None = None
    piece: Piece | None = None
    home: Node | None = None
    was: tuple[str, Any] | None = None


@dataclass
class Made:
    """A text with its model.

    ``body`` is, for the root and every section in order, the loose lines and the entries that
    stand there.
    """

    format: str
    newline: str
    data: bytes
    root: Node
    body: list[tuple[Node, list[Node | str]]]
    hang: bool
    bare: bool


def meaning(node: Node) -> Any:
    """The value in plain data."""
    if node.entries is None:
        return node.value
    return {k: meaning(n) for k, n in node.entries.items()}


class Maker:
    """Writes one text."""

    def __init__(self, rng: random.Random, format: str) -> None:
        self.rng = rng
        self.format = format
        self.newline = rng.choice(["\n", "\n", "\n", "\r\n"])
        if format != "ini" and rng.random() < 0.05:
            self.newline = "\r"
        self.count = 0
        self.hang = self.bare = False

    def make(self) -> Made:
        rng = self.rng
        root = Node("", entries={})
        head: list[Node | str] = []
        if rng.random() < 0.6:
            head += [self.comment("") for _ in range(rng.randint(1, 3))]
            head += self.blanks(rng.randint(1, 2))  # else it is about the first statement
        margin = rng.choice(["", "", "", "  ", "\t"])
        first = True
        body = [(root, head)]
        if self.format != "ini" or rng.random() < 0.5:
            self.fill(root, head, margin, rng.randint(0 if self.format == "ini" else 1, 5), True)
            first = not any(isinstance(x, Node) for x in head)
        for _ in range(rng.randint(0, 4) if self.format == "ini" else 0):
            name = rng.choice(["s", "a b", 'd "e.f"', "DEFAULT", "käse", "x[", "#", " c "])
            name += str(self.number())
            rest = "]" + rng.choice(["", "", "  ", f" ; c {self.mark()}", f"# {self.mark()}"])
            above = [] if first else self.above(margin)
            node = Node(
                name, entries={}, piece=Piece(above, margin + "[", name, rest=rest), home=root
            )
            node.was = (name, None)
            assert root.entries is not None
            root.entries[name] = node
            items: list[Node | str] = []
            inner = margin + rng.choice(["", "", "  ", "\t"])
            self.fill(node, items, inner, rng.randint(0, 4), False)
            body.append((node, items))
            first = False
        text = "".join(self.text(node, items) for node, items in body)
        short = text.removesuffix("\n")
        if rng.random() < 0.15 and short and not short.endswith("\n"):
            text = short
        if "\n" not in text:
            self.newline = "\n"
        text = text.replace("\n", self.newline)
        data = (rng.choice(["", "", "", "\ufeff"]) + text).encode()
        return Made(self.format, self.newline, data, root, body, self.hang, self.bare)

    @staticmethod
    def text(node: Node, items: list[Node | str]) -> str:
        out = ""
        for item in [node, *items]:
            if isinstance(item, str):
                out += item
            elif item.piece is not None:
                out += "".join(item.piece.above) + item.piece.lines + NL
        return out

    def number(self) -> int:
        self.count += 1
        return self.count

    def mark(self) -> str:
        return f"~{self.number()}~"

    def comment(self, margin: str) -> str:
        sign = self.rng.choice({"ini": "#;", "properties": "#!", "dotenv": "#"}[self.format])
        text = self.rng.choice(["", " c", " x is 1", "[s]", " 'quote", ' "', " é", " A=1"])
        tail = self.rng.choice(["", "", " ", " \\"])
        return f"{margin}{sign}{text} {self.mark()}{tail}{NL}"

    def blanks(self, count: int) -> list[Node | str]:
        return [self.rng.choice(["", "", " ", "\t"]) + NL for _ in range(count)]

    def above(self, margin: str) -> list[str]:
        return [self.comment(margin) for _ in range(self.rng.choice([0, 0, 0, 1, 1, 2]))]

    def fill(
        self, node: Node, items: list[Node | str], margin: str, count: int, root: bool
    ) -> None:
        rng = self.rng
        for _ in range(count):
            if items and rng.random() < 0.15:
                items.append(self.comment(rng.choice([margin, "    "])))
                items += self.blanks(1)
            items += self.blanks(rng.choice([0, 0, 0, 1]))
            if items and rng.random() < 0.05:
                items.append(self.comment(margin + " "))  # of another column: nobody's
            first = root and not node.entries
            above = [] if first else self.above(margin)
            entry = getattr(self, self.format)(above, margin)
            entry.home = node
            assert node.entries is not None
            if entry.key in node.entries:
                continue
            entry.was = (entry.key, entry.value)
            node.entries[entry.key] = entry
            items.append(entry)
        if rng.random() < 0.2:
            items += [*self.blanks(1), self.comment(margin), *self.blanks(1)]
        items += self.blanks(rng.choice([0, 0, 1, 2]))

    def ini(self, above: list[str], margin: str) -> Node:
        rng = self.rng
        key = rng.choice(["key", "Key 2", "a.b", "käse", '"q"', "k%", "a\\b", "\u2028".join("xy")])
        key += str(self.number())
        between = rng.choice([" = ", " = ", "=", ": ", " :", "\t= "])
        kind = rng.random()
        rest = rng.choice(["", "", "", "  "])
        if kind < 0.06:
            self.bare = True
            return Node(key, None, piece=Piece(above, margin, key, "", "", rest))
        if kind < 0.12:
            return Node(key, "", piece=Piece(above, margin, key, between, "", ""))
        value = rng.choice(INI_VALUES)
        if kind < 0.75:
            return Node(key, value, piece=Piece(above, margin, key, between, value, rest))
        self.hang = True
        lines = [rng.choice(["", value])]
        raw = lines[0]
        for _ in range(rng.randint(1, 3)):
            if rng.random() < 0.2:
                raw += NL + rng.choice(["", margin]) + self.comment("").removesuffix(NL)
            if rng.random() < 0.1:
                raw += NL
                lines.append("")
            lines.append(rng.choice([*INI_VALUES[:10], "k = v", "[x"]))
            raw += NL + margin + rng.choice(["    ", "\t", " "]) + lines[-1]
        return Node(key, "\n".join(lines), piece=Piece(above, margin, key, between, raw, rest))

    def properties(self, above: list[str], margin: str) -> Node:
        rng = self.rng
        name, key = rng.choice(PROPERTIES_KEYS)
        number = str(self.number())
        between = rng.choice(PROPERTIES_BETWEEN)
        raw, value = rng.choice(PROPERTIES_VALUES)
        if rng.random() < 0.1:
            between, raw, value = rng.choice(["", "=", " = ", " "]), "", ""
        rest = f"\\{NL}" if raw.endswith(NL) else ""
        raw = raw.removesuffix(rest) if rest else raw
        name += number
        return Node(key + number, value, piece=Piece(above, margin, name, between, raw, rest))

    def dotenv(self, above: list[str], margin: str) -> Node:
        rng = self.rng
        name = rng.choice(DOTENV_KEYS)
        number = str(self.number())
        name = f"{name[:-1]}{number}'" if name[0] == "'" else name + number
        raw, text = rng.choice(DOTENV_VALUES)
        value: str | None = text.replace(NL, self.newline) if NL in raw else text
        between, kind = rng.choice(["=", "=", "=", " = ", "= "]), rng.random()
        if kind < 0.08:
            between, raw, value = "", "", None
            self.bare = True
        elif kind < 0.16:
            between, raw, value = rng.choice(["=", " ="]), "", ""
        elif raw[0] == "#":
            between = "="
        rest = rng.choice(["", "", "  ", f" # c {self.mark()}", f"  # {self.mark()}"])
        if raw[:1] in ("'", '"') and rng.random() < 0.2:
            rest = f"#{self.mark()}"
        margin += rng.choice(["", "", "export ", "export\t"])
        return Node(name.strip("'"), value, piece=Piece(above, margin, name, between, raw, rest))


# --- how the result must look


@dataclass
class Look:
    """Builds the pattern of the result."""

    made: Made
    parts: list[str] = field(default_factory=list)

    def pattern(self) -> re.Pattern[str]:
        made, root = self.made, self.made.root
        assert root.entries is not None
        for node, items in made.body:
            if node is not root:
                if root.entries.get(node.key) is not node or node.entries is None:
                    continue
                assert node.piece is not None
                self.exact("".join(node.piece.above) + node.piece.margin)
                self.exact(node.key)
                self.exact(node.piece.rest + NL)
            self.section(node, items)
        for node in root.entries.values():
            if node.entries is not None and not self.stands(node):
                self.parts.append("(?:NL)?")
                self.above(node)
                self.parts.append(rf"[ \t]*\[{re.escape(node.key)}\]NL")
                for inner in node.entries.values():
                    self.new(inner)
        out = "".join(self.parts).replace("NL", made.newline.replace("\r", r"\r"))
        return re.compile(out, re.DOTALL)

    def stands(self, node: Node) -> bool:
        return any(node is section for section, _ in self.made.body)

    def exact(self, text: str) -> None:
        *lines, rest = text.split(NL)
        for line in lines:
            part = re.escape(line) + "NL"
            # blank lines around what went: at most one run of them stays
            self.parts.append(part if line.strip() or not self.leaves else f"(?:{part})?")
        self.parts.append(re.escape(rest))

    @property
    def leaves(self) -> bool:
        """Whether an entry is where it was no more."""
        root = self.made.root
        assert root.entries is not None
        for node, items in self.made.body:
            if node is not root and root.entries.get(node.key) is not node:
                return True
            here = node.entries
            pairs = [x for x in items if isinstance(x, Node)]
            if any((here or {}).get(x.key) is not x or x.entries is not None for x in pairs):
                return True
        return False

    def section(self, node: Node, items: list[Node | str]) -> None:
        assert node.entries is not None
        staying = [
            x
            for x in items
            if isinstance(x, Node) and node.entries.get(x.key) is x and x.entries is None
        ]
        before: list[Node] = []
        behind: dict[int, list[Node]] = {}
        last = -1
        for entry in node.entries.values():
            if entry in staying:
                last = max(last, items.index(entry))
            elif entry.entries is None:
                (before if last < 0 else behind.setdefault(last, [])).append(entry)
        at = self.roof(node, items, staying)
        for number, item in enumerate([*items, ""]):
            if number == at:
                for entry in before:
                    self.new(entry)
                if (
                    before
                    and node is self.made.root
                    and not any(isinstance(x, Node) for x in items)
                ):
                    sections = [n for n in node.entries.values() if n.entries is not None]
                    self.parts += ["NL"] if sections else []
            if isinstance(item, str):
                self.exact(item)
            elif item in staying:
                self.pair(item)
            for entry in behind.get(number, []):
                self.new(entry)

    def roof(self, node: Node, items: list[Node | str], staying: list[Node]) -> int:
        """Where the first entries go that follow no other."""
        if staying:
            return items.index(staying[0])
        if node is not self.made.root:
            return 0
        entries = [x for x in items if isinstance(x, Node)]
        if entries:
            return items.index(entries[0])
        lines = [str(x) for x in items]
        if len(self.made.body) == 1:
            return len(lines)
        piece = self.made.body[1][0].piece
        assert piece is not None
        margin = piece.margin[:-1]
        at = len(lines)
        while at and re.match(rf"{margin}[#;]", lines[at - 1]):
            at -= 1
        return at if "".join(lines[:at]).strip() else len(lines)

    def pair(self, node: Node) -> None:
        """A pair that keeps its place."""
        piece, was = node.piece, node.was
        assert piece is not None
        assert was is not None
        self.exact("".join(piece.above) + piece.margin)
        self.name(node, piece.name)
        if node.value == was[1]:
            self.exact(piece.between + piece.raw + piece.rest + NL)
            return
        if node.value is None:
            self.exact(piece.rest + NL)
            return
        if not piece.between or not piece.raw.split(NL)[0]:
            self.exact(piece.between.rstrip(" \t"))
            self.parts.append(r"[ \t=:]*")
        else:
            self.exact(piece.between)
        self.any(node.value, piece.raw)
        if not piece.raw and self.made.format != "dotenv":
            self.parts.append("NL")  # the blanks behind no text are the value's
        else:
            self.exact(piece.rest + NL)

    def name(self, node: Node, raw: str) -> None:
        assert node.was is not None
        if node.key == node.was[0]:
            self.exact(raw)
        elif self.made.format == "properties":
            self.parts.append(r"[^\r\n]+?")
        else:
            self.exact(
                f"'{node.key}'" if raw[0] == "'" and self.made.format == "dotenv" else node.key
            )

    def any(self, value: Any, raw: str = "") -> None:
        # a value that went on over lines may keep them
        inner = "\n" in (raw if self.made.format == "properties" else str(value))
        self.parts.append("(?:.*?)" if inner else r"[^\r\n]*?")

    def above(self, node: Node) -> None:
        for line in node.piece.above if node.piece else []:
            self.parts.append(r"[ \t]*" + re.escape(line.strip(" \t").removesuffix(NL)) + "NL")

    def new(self, node: Node) -> None:
        """A pair that has no place of its own: moved lines, or a line of its own."""
        piece, was = node.piece, node.was
        self.above(node)
        moved = piece is not None and was is not None and piece.margin[-1:] != "["
        if not moved or piece is None or was is None:
            key = r"[^\r\n]+?" if self.made.format == "properties" else re.escape(node.key)
            self.parts.append(rf"[ \t]*(?:export )?{key}")
            if node.value is not None:
                self.parts.append(r"[ \t]*[ =:]?[ \t]*")
                self.any(node.value)
            self.parts.append("NL")
            return
        self.parts.append(r"[ \t]*")
        self.name(node, piece.name)
        if node.value == was[1]:
            for number, line in enumerate((piece.between + piece.raw + piece.rest).split(NL)):
                self.parts.append(r"NL[ \t]*" if number else "")
                self.exact(line.lstrip(" \t") if number else line)
        elif node.value is not None:
            self.parts.append(r"[ \t]*[=:]?[ \t]*")
            self.any(node.value)
            self.parts.append(re.escape(piece.rest) if piece.raw else "")
        else:
            self.exact(piece.rest)
        self.parts.append("NL")


# --- edits


class Session:
    """Random edits of a document and of its model."""

    def __init__(self, rng: random.Random, made: Made, document: Any) -> None:
        self.rng = rng
        self.made = made
        self.document = document
        self.log: list[tuple[Any, ...]] = []
        self.fresh = 0

    def spots(self) -> Iterator[tuple[Node, Node]]:
        """Every key with the table it is in."""
        root = self.made.root
        assert root.entries is not None
        for node in root.entries.values():
            if node.entries is None:
                yield root, node
            else:
                for inner in node.entries.values():
                    yield node, inner

    def sections(self) -> list[Node]:
        assert self.made.root.entries is not None
        return [n for n in self.made.root.entries.values() if n.entries is not None]

    def step(self) -> None:
        kinds = ["set", "set", "set", "add", "add", "delete", "rename"]
        if self.made.format == "ini":
            kinds += ["move", "move", "section", "drop", "title", "swap"]
        getattr(self, self.rng.choice(kinds))()

    def do(self, *op: Any) -> None:
        self.log.append(op)
        getattr(self.document, op[0])(*op[1:])

    @staticmethod
    def path(table: Node, key: str) -> str:
        parts = [key] if not table.key else [table.key, key]
        return "".join("['" + p.replace("\\", "\\\\").replace("'", "\\'") + "']" for p in parts)

    def value(self, node: Node | None = None) -> Any:
        rng, made = self.rng, self.made
        if made.bare and made.format != "properties" and rng.random() < 0.05:
            return None
        if made.format != "ini" and rng.random() < 0.4:
            return rng.choice(NEW_QUOTED)
        if made.hang and rng.random() < 0.15:
            return rng.choice(["a\nb", "\nx = 1\n[y]", "1\n2\n3"])
        return rng.choice(NEW)

    def name(self) -> str:
        self.fresh += 1
        names = {
            "ini": ["new", "New key", "n.m", "neu ß", "n'q"],
            "properties": ["new", "new key", "n.m", "#n", "=", "n\\", "neu ß😀", "a\tb\n"],
            "dotenv": ["NEW", "new.key", "_n-"],
        }
        return self.rng.choice(names[self.made.format]) + str(self.fresh)

    def some(self) -> tuple[Node, Node] | None:
        spots = list(self.spots())
        return self.rng.choice(spots) if spots else None

    def set(self) -> None:
        spot = self.some()
        if spot is not None:
            table, node = spot
            value = self.value(node)
            self.do("set", self.path(table, node.key), value)
            node.value = as_text(value)

    def add(self) -> None:
        table = self.rng.choice([self.made.root, *self.sections()])
        node = Node(self.name())
        value = self.value()
        self.do("set", self.path(table, node.key), value)
        node.value = as_text(value)
        assert table.entries is not None
        table.entries[node.key] = node

    def delete(self) -> None:
        spot = self.some()
        if spot is not None and spot[0].entries is not None:
            self.do("delete", self.path(spot[0], spot[1].key))
            del spot[0].entries[spot[1].key]

    def rename(self) -> None:
        spot = self.some()
        if spot is not None:
            self.named(*spot, self.name())

    def title(self) -> None:
        if self.sections():
            self.named(self.made.root, self.rng.choice(self.sections()), self.name())

    def named(self, table: Node, node: Node, name: str) -> None:
        self.do("rename", self.path(table, node.key), name)
        assert table.entries is not None
        table.entries = {(name if n is node else k): n for k, n in table.entries.items()}
        node.key = name

    def move(self) -> None:
        spot = self.some()
        tables = [t for t in (self.made.root, *self.sections()) if spot and t is not spot[0]]
        if spot is not None and tables:
            table, node = spot
            target, name = self.rng.choice(tables), self.name()
            self.do("move", self.path(table, node.key), self.path(target, name))
            assert table.entries is not None
            assert target.entries is not None
            del table.entries[node.key]
            node.key = name
            target.entries[name] = node

    def section(self) -> None:
        node = Node(self.name(), entries={})
        pairs = {self.name(): self.rng.choice(NEW) for _ in range(self.rng.randint(0, 2))}
        self.do("set", self.path(self.made.root, node.key), pairs)
        self.fill(node, pairs)
        assert self.made.root.entries is not None
        self.made.root.entries[node.key] = node

    def fill(self, node: Node, pairs: dict[str, Any]) -> None:
        node.entries = {k: Node(k, as_text(v)) for k, v in pairs.items()}

    def drop(self) -> None:
        if self.sections() and self.made.root.entries is not None:
            node = self.rng.choice(self.sections())
            self.do("delete", self.path(self.made.root, node.key))
            del self.made.root.entries[node.key]

    def swap(self) -> None:
        """A section becomes a value, gets other entries, or a value becomes a section."""
        assert self.made.root.entries is not None
        if not self.made.root.entries:
            return
        node = self.rng.choice(list(self.made.root.entries.values()))
        path = self.path(self.made.root, node.key)
        if node.entries is not None and self.rng.random() < 0.5 and "=" not in node.key:
            if re.match(r"[#;\[]", node.key) or node.key != node.key.strip():
                return
            self.do("set", path, "was a section")
            node.entries, node.value = None, "was a section"
            return
        if "]" in node.key or "\u2028" in node.key:
            return
        pairs = {self.name(): self.rng.choice(NEW)}
        if node.entries is not None and meaning(node) == as_text(pairs):
            return
        self.do("set", path, pairs)
        self.fill(node, pairs)
