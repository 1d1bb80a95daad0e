"""Traps of real INI, .properties and .env files: source, edits, and the bytes that must come out.

A row that must be refused names the code. After every edit an independent reader reads the result,
which must mean what the same edit makes of the plainly loaded source; no comment may be gone
unless the ledger names it; and the replayed journal must give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from confmig.errors import Refused
from tests.documents.helpers import render
from tests.documents.lines.helpers import Op, check, edited, parse, read


@dataclass(frozen=True)
class Refusal:
    """The row is refused with this code."""

    code: str = "value_unsupported"


@dataclass(frozen=True)
class Row:
    """One trap. Without edits the source must be read, and ``want`` is what it means."""

    name: str
    format: str
    source: str | bytes
    ops: tuple[Op, ...]
    want: Any


def ini(name: str, source: str | bytes, *rest: Any) -> Row:
    return Row(f"ini: {name}", "ini", source, rest[:-1], rest[-1])


def properties(name: str, source: str | bytes, *rest: Any) -> Row:
    return Row(f"properties: {name}", "properties", source, rest[:-1], rest[-1])


def env(name: str, source: str | bytes, *rest: Any) -> Row:
    return Row(f"dotenv: {name}", "dotenv", source, rest[:-1], rest[-1])


# --- what files mean

READ = [
    ini("nothing", "", {}),
    ini("blank lines and comments", "\n\n  # c\n; d\n \n", {}),
    ini(
        "keys above the first section",
        "a = 1\nb:2\n[s]\nc=3\n",
        {"a": "1", "b": "2", "s": {"c": "3"}},
    ),
    ini("a key without a value", "[s]\nskip-name\nx =\n", {"s": {"skip-name": None, "x": ""}}),
    ini(
        "no comment inside a line", "[s]\nx = 1 ; no # comment\n", {"s": {"x": "1 ; no # comment"}}
    ),
    ini(
        "a value over lines", "[s]\nx = 1\n  2\n\n  3\ny = 4\n", {"s": {"x": "1\n2\n\n3", "y": "4"}}
    ),
    ini("a comment in a value", "[s]\nx = 1\n# c\n  2\n", {"s": {"x": "1\n2"}}),
    ini(
        "a value that begins on its second line",
        "[s]\nx =\n  a = b\n  [c]\n",
        {"s": {"x": "\na = b\n[c]"}},
    ),
    ini(
        "section names",
        '[a b]\n[ c ]\n[d "e.f"]\n[DEFAULT]\nx=1\n[g[h]\n',
        {"a b": {}, " c ": {}, 'd "e.f"': {}, "DEFAULT": {"x": "1"}, "g[h": {}},
    ),
    ini("a comment behind a header", "[s] ; c\nx=1\n[t]# d\n", {"s": {"x": "1"}, "t": {}}),
    ini("the first delimiter counts", "a b = c:d = e\nf:g=h\n", {"a b": "c:d = e", "f": "g=h"}),
    ini("text stays text", '[s]\nx = %(y)s ${z} "q"\n', {"s": {"x": '%(y)s ${z} "q"'}}),
    ini("names differ by case", "[s]\nX=1\nx=2\n[S]\n", {"s": {"X": "1", "x": "2"}, "S": {}}),
    ini(
        "indented sections",
        "  [s]\n  x=1\n  [t]\n    y=2\n  z=3\n",
        {"s": {"x": "1"}, "t": {"y": "2", "z": "3"}},
    ),
    ini(
        "odd blanks",
        "[s]\nx\u00a0=\u00a0a b\u2003\n\x0b\ny\t=\t1\t\n",
        {"s": {"x": "a b", "y": "1"}},
    ),
    ini("no final newline", "[s]\nx = 1", {"s": {"x": "1"}}),
    ini(
        "BOM and CRLF", b"\xef\xbb\xbfa=1\r\n[s]\r\nx=2\r\n  3\r\n", {"a": "1", "s": {"x": "2\n3"}}
    ),
    properties("nothing", "", {}),
    properties(
        "ends of keys",
        "a=1\nb:2\nc 3\nd\t=\t4\ne\nf=\n  g  :  5\n",
        {"a": "1", "b": "2", "c": "3", "d": "4", "e": "", "f": "", "g": "5"},
    ),
    properties(
        "only one delimiter",
        "a==1\nb=:2\nc : = 3\nd  e = f\n",
        {"a": "=1", "b": ":2", "c": "= 3", "d": "e = f"},
    ),
    properties("keys with dots", "a.b=1\na.b.c=2\n", {"a.b": "1", "a.b.c": "2"}),
    properties(
        "escapes", "a\\ b\\=c\\:d=\\u00e9\\t\\n\\f\\r\\\\\\q\\=\n", {"a b=c:d": "é\t\n\f\r\\q="}
    ),
    properties("pairs of halves", "a=\\ud83d\\ude00\nb=😀\n", {"a": "😀", "b": "😀"}),
    properties("joined lines", "a=1\\\n   2\\\r\n\t3\n", {"a": "123"}),
    properties("joined keys and delimiters", "a\\\n  b\\\n   = \\\n  c\n", {"ab": "c"}),
    properties("a backslash of its own", "a=1\\\\\nb=2\\\\\\\n3\n", {"a": "1\\", "b": "2\\3"}),
    properties("a comment joins nothing", "# c \\\na=1\n! d \\\nb=2\n", {"a": "1", "b": "2"}),
    properties("no comment in a joined line", "a=1,\\\n # 2\n", {"a": "1,# 2"}),
    properties("no comment behind a value", "a=1 # 2 ! 3\n", {"a": "1 # 2 ! 3"}),
    properties("blanks at the end count", "a= 1 \t\nb=2", {"a": "1 \t", "b": "2"}),
    properties("an empty key", "= 1\n", {"": "1"}),
    properties("a joined blank line", "\\\n\n  \\\n  a=1\n", {"a": "1"}),
    properties("the end joins nothing", "a=1\\", {"a": "1"}),
    properties("carriage returns", b"a=1\rb=2\r\r# c\rd=3", {"a": "1", "b": "2", "d": "3"}),
    env("nothing", "", {}),
    env(
        "plain, export and blanks",
        "A=1\nexport B=2\n  C = 3 \n\texport\tD=4\n",
        {"A": "1", "B": "2", "C": "3", "D": "4"},
    ),
    env(
        "no value",
        "A\nB=\nexport C\nD= # c\nE=   \n",
        {"A": None, "B": "", "C": None, "D": "", "E": ""},
    ),
    env(
        "comments",
        "A=1 # c\nB=1#d\nC=#e\nD='x'#f\nE=\"y\"  # g\n",
        {"A": "1", "B": "1#d", "C": "#e", "D": "x", "E": "y"},
    ),
    env(
        "single quotes",
        "A='a # b'\nB='it\\'s \\\\ \\n'\nC=''\n",
        {"A": "a # b", "B": "it's \\ \\n", "C": ""},
    ),
    env(
        "double quotes", 'A="a \\"b\\" \\n\\t\\\\ \\x ${V} $W"\n', {"A": 'a "b" \n\t\\ \\x ${V} $W'}
    ),
    env(
        "several lines",
        "A=\"1\n# no comment\nB=2\n\"\nC='3\n4'\n",
        {"A": "1\n# no comment\nB=2\n", "C": "3\n4"},
    ),
    env("quotes inside", "A=a\"b'c\nB=a 'b'\n", {"A": "a\"b'c", "B": "a 'b'"}),
    env("odd keys", "a.b-c=1\n'd e'=2\n", {"a.b-c": "1", "d e": "2"}),
    env("names that look like export", "export=1\nexported=2\n", {"export": "1", "exported": "2"}),
    env("text stays text", "A=${B:-c}$(d)`e`\nF=%G%\n", {"A": "${B:-c}$(d)`e`", "F": "%G%"}),
    env("BOM and CRLF", b'\xef\xbb\xbfA=1\r\nB="2\r\n3"\r\n', {"A": "1", "B": "2\r\n3"}),
    env("carriage returns", b"A=1\rB='2'\r", {"A": "1", "B": "2"}),
]

# --- what cannot be read

BROKEN = [
    ini("a key and a section of one name", "a=1\n[a]\n", Refusal("duplicate_key")),
    ini("no name", "[]\n", Refusal("not_ini")),
    ini("a header that does not end", "[a\nx=1\n", Refusal("not_ini")),
    ini("something behind a header", "[a]b]\n", Refusal("not_ini")),
    ini("a bracket in a comment behind a header", "[a] ; [b]\n", Refusal("not_ini")),
    ini("no key", "[a]\n = 1\n", Refusal("not_ini")),
    ini("a line goes on for no value", "[a]\nx\n  y\n", Refusal("not_ini")),
    ini("a carriage return alone", "a=1\rb=2\n", Refusal("not_ini")),
    ini("a NUL", "a=\x001\n", Refusal("not_ini")),
    ini("two BOMs", b"\xef\xbb\xbf\xef\xbb\xbfa=1\n", Refusal("not_ini")),
    ini("not UTF-8", b"a=\xe9\n", Refusal("not_utf8")),
    properties("a key twice", "a=1\n\\u0061=2\n", Refusal("duplicate_key")),
    properties("an unfinished escape", "a=\\u00e\n", Refusal("not_properties")),
    properties("an escape of no digits", "\\u00g0=1\n", Refusal("not_properties")),
    properties("a NUL", "a=1\x00\n", Refusal("not_properties")),
    properties("Latin-1", b"a=\xe9\n", Refusal("not_utf8")),
    env("a key twice", "A=1\nexport A=2\n", Refusal("duplicate_key")),
    env("a quote that does not end", 'A="1\nB=2\n', Refusal("not_dotenv")),
    env("something behind a quote", "A='1' 2\n", Refusal("not_dotenv")),
    env("two words", "A B=1\n", Refusal("not_dotenv")),
    env("no key", "=1\n", Refusal("not_dotenv")),
    env("export of nothing", "export =1\n", Refusal("not_dotenv")),
    env("YAML", "A: 1\n", Refusal("not_dotenv")),
    env("a key in broken quotes", "'A=1\n", Refusal("not_dotenv")),
    env("a NUL", "A=\x00\n", Refusal("not_dotenv")),
]

# --- edits of INI

BASE = "# file\n\n[a]\nx = 1\n; of y\ny: 2\n\n[b]\n\tz=3\n"
M = "[a]\nx = 1\n    2\n    # in\n    3\ny = 4\n"

INI = [
    ini("set", BASE, ("set", "a.x", "9"), BASE.replace("x = 1", "x = 9")),
    ini("set a number", BASE, ("set", "a.y", 8080), BASE.replace("2", "8080")),
    ini("set a float", BASE, ("set", "a.y", 0.5), BASE.replace("2", "0.5")),
    ini("set a bool", BASE, ("set", "b.z", True), BASE.replace("3", "true")),
    ini("set what it is", BASE, ("set", "a.x", 1), BASE),
    ini("set to nothing", BASE, ("set", "b.z", ""), BASE.replace("z=3", "z=")),
    ini("set what was nothing", "[a]\nx =\ny = 1\n", ("set", "a.x", "2"), "[a]\nx = 2\ny = 1\n"),
    ini(
        "set what was blanks", "[a]\nx =   \ny = 1\n", ("set", "a.x", "2"), "[a]\nx =   2\ny = 1\n"
    ),
    ini("set what had no value", "[a]\nx\ny=1\n", ("set", "a.x", "2"), "[a]\nx=2\ny=1\n"),
    ini("take the value away", "[a]\nx\ny = 1\n", ("set", "a.y", None), "[a]\nx\ny\n"),
    ini("take the only value away", BASE, ("set", "a.x", None), Refusal()),
    ini("set keeps blanks at the end", "[a]\nx = 1  \n", ("set", "a.x", "2"), "[a]\nx = 2  \n"),
    ini("set keeps the case of keys", "[A]\nX=1\n", ("set", "A.X", "2"), "[A]\nX=2\n"),
    ini("set a value over lines", M, ("set", "a.x", "5"), "[a]\nx = 5\ny = 4\n"),
    ini(
        "set several lines where there are some",
        M,
        ("set", "a.y", "5\n6"),
        M.replace("y = 4\n", "y = 5\n    6\n"),
    ),
    ini(
        "set several lines on the second line",
        M,
        ("set", "a.n", "\n5\n6"),
        M + "n =\n    5\n    6\n",
    ),
    ini("set several lines where there are none", BASE, ("set", "a.x", "1\n2"), Refusal()),
    ini("set a blank line", M, ("set", "a.x", "1\n\n2"), Refusal()),
    ini("set a line like a comment", M, ("set", "a.x", "1\n# 2"), Refusal()),
    ini("set blanks around", BASE, ("set", "a.x", " 1"), Refusal()),
    ini("set a remark", BASE, ("set", "a.x", "1 ; 2"), Refusal()),
    ini(
        "set beside a remark",
        "[a]\nx = 1 ; c\n",
        ("set", "a.x", "2 ; c"),
        Refusal("dialect_unclear"),
    ),
    ini("set a colour", BASE, ("set", "a.x", "#ff0000"), BASE.replace("x = 1", "x = #ff0000")),
    ini(
        "set what looks like a section",
        BASE,
        ("set", "a.x", "[b]"),
        BASE.replace("x = 1", "x = [b]"),
    ),
    ini(
        "set text of other scripts",
        BASE,
        ("set", "a.x", "käse 😀"),
        BASE.replace("x = 1", "x = käse 😀"),
    ),
    ini("set a control character", BASE, ("set", "a.x", "a\x07"), Refusal()),
    ini("set a lone surrogate", BASE, ("set", "a.x", "\ud800"), Refusal()),
    ini("set a line separator", BASE, ("set", "a.x", "a\u2028b"), Refusal()),
    ini("set no number", BASE, ("set", "a.x", float("nan")), Refusal()),
    ini("set a list", BASE, ("set", "a.x", [1]), Refusal()),
    ini("set an object", BASE, ("set", "a.x", {"u": 1}), Refusal()),
    ini("wrap in a list", BASE, ("wrap", "a.x"), Refusal()),
    ini("wrap in an object", "x=1\n", ("wrap", "x", "u"), Refusal()),
    ini("wrap the root", "x=1\n", ("wrap", "", "u"), Refusal()),
    ini("rename", BASE, ("rename", "a.y", "yy"), BASE.replace("y: 2", "yy: 2")),
    ini(
        "rename a value over lines",
        M,
        ("rename", "a.x", "long name"),
        M.replace("x =", "long name ="),
    ),
    ini("rename to what has a delimiter", BASE, ("rename", "a.x", "u:v"), Refusal()),
    ini("rename to a comment", BASE, ("rename", "a.x", "#x"), Refusal()),
    ini("rename to blanks", BASE, ("rename", "a.x", " "), Refusal()),
    ini("rename a section", BASE, ("rename", "a", "c d"), BASE.replace("[a]", "[c d]")),
    ini(
        "rename a section with blanks and comment",
        "[ a ] ; c\nx=1\n",
        ("rename", "[' a ']", "b"),
        "[b] ; c\nx=1\n",
    ),
    ini("rename a section to a bracket", BASE, ("rename", "a", "c]"), Refusal()),
    ini("rename to a section that is there", BASE, ("rename", "a", "b"), Refusal("target_exists")),
    ini("delete", BASE, ("delete", "b.z"), BASE.replace("\tz=3\n", "")),
    ini("delete with its comment", BASE, ("delete", "a.y"), BASE.replace("; of y\ny: 2\n", "")),
    ini("delete the first", "# file\n\na=1\nb=2\n", ("delete", "a"), "# file\n\nb=2\n"),
    ini(
        "delete leaves a comment apart",
        "a=1\n# apart\n\nb=2\n",
        ("delete", "b"),
        "a=1\n# apart\n",
    ),
    ini(
        "delete leaves a comment of another column",
        "a=1\n  # other\nb=2\n",
        ("delete", "b"),
        "a=1\n  # other\n",
    ),
    ini("delete a value over lines", M, ("delete", "a.x"), "[a]\ny = 4\n"),
    ini("delete the last line", "[a]\nx=1\ny=2", ("delete", "a.y"), "[a]\nx=1"),
    ini("delete all", "a=1\n", ("delete", "a"), ""),
    ini("delete a section", BASE, ("delete", "a"), "# file\n\n[b]\n\tz=3\n"),
    ini(
        "delete a section with its comment",
        "a=1\n\n# of s\n[s]\nx=1\n# end\n\n[t]\n",
        ("delete", "s"),
        "a=1\n\n[t]\n",
    ),
    ini("delete the last section", BASE, ("delete", "b"), BASE[: BASE.index("\n[b]")]),
    ini(
        "delete all of a section",
        "[a]\nx=1\ny=2\n[b]\n",
        ("delete", "a.x"),
        ("delete", "a.y"),
        "[a]\n[b]\n",
    ),
    ini("add", BASE, ("set", "a.n", "v"), BASE.replace("y: 2\n", "y: 2\nn = v\n")),
    ini(
        "add at the margin of the section",
        "[a]\nx=1\n[b]\n    z=3\n\n",
        ("set", "b.n", "v"),
        "[a]\nx=1\n[b]\n    z=3\n    n=v\n\n",
    ),
    ini(
        "add before a comment at the end",
        "[a]\nx=1\n#y=2\n",
        ("set", "a.n", "v"),
        "[a]\nx=1\nn=v\n#y=2\n",
    ),
    ini(
        "add behind a value over lines",
        "[a]\nx = 1\n    2\n\n[b]\n",
        ("set", "a.n", "v"),
        "[a]\nx = 1\n    2\nn = v\n\n[b]\n",
    ),
    ini(
        "add without final newline",
        "[a]\nx:1",
        ("set", "a.n", "v"),
        ("set", "a.m", "w"),
        "[a]\nx:1\nn:v\nm:w",
    ),
    ini(
        "add to an empty section",
        "[a]\n  x=1\n[b]\n",
        ("set", "b.n", "v"),
        "[a]\n  x=1\n[b]\n  n=v\n",
    ),
    ini("add to a section without end of line", "[b]", ("set", "b.n", "v"), "[b]\nn = v"),
    ini("add nothing", "[a]\nx = 1\n", ("set", "a.n", ""), "[a]\nx = 1\nn =\n"),
    ini("add no value", "[a]\nx\n", ("set", "a.n", None), "[a]\nx\nn\n"),
    ini(
        "add with aligned delimiters",
        "[a]\nlong   = 1\nx      = 2\n",
        ("set", "a.n", "v"),
        "[a]\nlong   = 1\nx      = 2\nn = v\n",
    ),
    ini("add to the root", "a=1\n\n[s]\nx=2\n", ("set", "n", "v"), "a=1\nn=v\n\n[s]\nx=2\n"),
    ini(
        "add to a root without keys",
        "# file\n\n[s]\nx = 2\n",
        ("set", "n", "v"),
        "# file\n\nn = v\n\n[s]\nx = 2\n",
    ),
    ini(
        "add above the comment of a section",
        "# file\n\n# of s\n[s]\nx=2\n",
        ("set", "n", "v"),
        "# file\n\nn=v\n\n# of s\n[s]\nx=2\n",
    ),
    ini(
        "add above indented sections",
        "  [s]\n  x=1\n",
        ("set", "n", "v"),
        "  n=v\n\n  [s]\n  x=1\n",
    ),
    ini("add to an empty file", "", ("set", "s.n", 1), ("set", "m", 2), "m = 2\n\n[s]\nn = 1\n"),
    ini("add to a file of comments", "# c", ("set", "n", 1), "# c\nn = 1"),
    ini("add a section", BASE, ("set", "c.n", "v"), BASE + "\n[c]\nn = v\n"),
    ini(
        "add a section to CRLF",
        b"[a]\r\nx=1\r\n",
        ("set", "c", {"n": 1, "m": "2"}),
        "[a]\r\nx=1\r\n\r\n[c]\r\nn=1\r\nm=2\r\n",
    ),
    ini("add a section without final newline", "[a]\nx=1", ("set", "c", {}), "[a]\nx=1\n\n[c]"),
    ini("add a section behind a blank line", "[a]\nx=1\n\n", ("set", "c", {}), "[a]\nx=1\n\n[c]\n"),
    ini(
        "add two sections",
        "[a]\n",
        ("set", "b.x", 1),
        ("set", "c.x", 2),
        "[a]\n\n[b]\nx = 1\n\n[c]\nx = 2\n",
    ),
    ini(
        "add an indented section",
        "  [a]\n    x=1\n",
        ("set", "b.x", 1),
        "  [a]\n    x=1\n\n  [b]\n    x=1\n",
    ),
    ini("add a section with a list", BASE, ("set", "c", {"n": []}), Refusal()),
    ini("add a section in a section", BASE, ("set", "a.c.n", 1), Refusal()),
    ini(
        "move",
        BASE,
        ("move", "a.y", "b.y"),
        "# file\n\n[a]\nx = 1\n\n[b]\n\tz=3\n\t; of y\n\ty: 2\n",
    ),
    ini(
        "move to another name",
        BASE,
        ("move", "b.z", "a.zz"),
        "# file\n\n[a]\nx = 1\n; of y\ny: 2\nzz=3\n\n[b]\n",
    ),
    ini(
        "move a value over lines",
        M + "[b]\n  z = 1\n",
        ("move", "a.x", "b.x"),
        "[a]\ny = 4\n[b]\n  z = 1\n  x = 1\n      2\n      # in\n      3\n",
    ),
    ini(
        "move a value over lines to the left",
        "[a]\n  z = 1\n[b]\n    x =\n\t \t \t1\n      2\n",
        ("move", "b.x", "a.x"),
        "[a]\n  z = 1\n  x =\n  \t1\n    2\n[b]\n",
    ),
    ini(
        "move to the root",
        BASE,
        ("move", "a.y", "y"),
        "# file\n\n; of y\ny: 2\n\n[a]\nx = 1\n\n[b]\n\tz=3\n",
    ),
    ini(
        "move from the root",
        "# file\na=1\n# of b\nb=2\n[s]\n",
        ("move", "b", "s.b"),
        "# file\na=1\n[s]\n# of b\nb=2\n",
    ),
    ini(
        "move to a new section",
        BASE,
        ("move", "a.y", "c.y"),
        "# file\n\n[a]\nx = 1\n\n[b]\n\tz=3\n\n[c]\n; of y\ny: 2\n",
    ),
    ini(
        "move and set",
        BASE,
        ("move", "a.y", "b.y"),
        ("set", "b.y", "5"),
        "# file\n\n[a]\nx = 1\n\n[b]\n\tz=3\n\t; of y\n\ty: 5\n",
    ),
    ini(
        "move out of a section that goes",
        BASE,
        ("move", "a.y", "b.y"),
        ("delete", "a"),
        "# file\n\n[b]\n\tz=3\n\t; of y\n\ty: 2\n",
    ),
    ini("move there and back", BASE, ("move", "a.x", "b.x"), ("move", "b.x", "a.x"), BASE),
    ini(
        "move without end of line",
        "[a]\nx=1\n[b]\ny=2",
        ("move", "a.x", "b.x"),
        "[a]\n[b]\ny=2\nx=1",
    ),
    ini(
        "move the last line without end",
        "[a]\nx=1\n[b]\ny=2",
        ("move", "b.y", "a.y"),
        "[a]\nx=1\ny=2\n[b]",
    ),
    ini("move a section into another", BASE, ("move", "a", "b.a"), Refusal()),
    ini(
        "a section becomes a value",
        "k=1\n# of a\n[a]\nx=1\n",
        ("set", "a", "v"),
        "k=1\n# of a\na=v\n",
    ),
    ini(
        "a value becomes a section",
        "k=1\n# of a\na=2\n",
        ("set", "a", {"x": 1}),
        "k=1\n\n# of a\n[a]\nx=1\n",
    ),
    ini(
        "a section gets other keys",
        "# f\n[a] ; c\nx=1\n# of y\ny=2\n[b]\n",
        ("set", "a", {"y": 3}),
        "# f\n[a] ; c\n# of y\ny=3\n[b]\n",
    ),
    ini(
        "BOM and ends of lines stay",
        b"\xef\xbb\xbf[a]\r\nx=1\r\n",
        ("set", "a.x", "2"),
        ("set", "a.n", "3"),
        "\ufeff[a]\r\nx=2\r\nn=3\r\n",
    ),
    ini(
        "mixed ends of lines stay",
        "[a]\r\nx=1\ny=2\r\n",
        ("set", "a.x", "3"),
        "[a]\r\nx=3\ny=2\r\n",
    ),
    ini(
        "a key of any kind",
        '[a]\n"x y".z = 1\n',
        ("set", "a['\"x y\".z']", "2"),
        '[a]\n"x y".z = 2\n',
    ),
    ini(
        "everything at once",
        BASE,
        ("rename", "a", "c"),
        ("set", "c.x", 2),
        ("delete", "c.y"),
        ("set", "n", 1),
        ("set", "c.m", 4),
        "# file\n\nn = 1\n\n[c]\nx = 2\nm = 4\n\n[b]\n\tz=3\n",
    ),
]

# --- edits of .properties

P = "# file\na.b=1\n! of c\nc : 2\n\nd 3\n"

PROPERTIES = [
    properties("set", P, ("set", "['a.b']", "9"), P.replace("=1", "=9")),
    properties(
        "set a number and a bool",
        P,
        ("set", "c", 80),
        ("set", "d", False),
        P.replace("2", "80").replace("3", "false"),
    ),
    properties("set nothing", P, ("set", "c", ""), P.replace(": 2", ": ")),
    properties(
        "set what was nothing",
        "a=1\nb\nc=\nd \n",
        ("set", "b", "2"),
        ("set", "c", "3"),
        ("set", "d", "4"),
        "a=1\nb=2\nc=3\nd=4\n",
    ),
    properties("set no value", P, ("set", "c", None), Refusal()),
    properties("set blanks", P, ("set", "c", "  x  "), P.replace(": 2", ": \\  x \\u0020")),
    properties("set one blank", P, ("set", "c", " "), P.replace(": 2", ": \\u0020")),
    properties(
        "set several lines", P, ("set", "c", "1\n2\t\r\\"), P.replace(": 2", ": 1\\n2\\t\\r\\\\")
    ),
    properties(
        "set an equals sign behind a blank", P, ("set", "d", "=x"), P.replace("d 3", "d \\=x")
    ),
    properties(
        "set an equals sign behind another", P, ("set", "['a.b']", "=x:"), P.replace("=1", "==x:")
    ),
    properties("set a comment sign", P, ("set", "c", "#x !y"), P.replace(": 2", ": #x !y")),
    properties("set other scripts in ASCII", P, ("set", "c", "é"), P.replace(": 2", ": \\u00e9")),
    properties(
        "set other scripts as the file does",
        "a=\\u00e9\nb=1\n",
        ("set", "b", "ü😀"),
        "a=\\u00e9\nb=\\u00fc\\ud83d\\ude00\n",
    ),
    properties(
        "set other scripts where both are",
        "a=\\u00e9\nb=ü\n",
        ("set", "b", "ö"),
        "a=\\u00e9\nb=ö\n",
    ),
    properties(
        "comments do not count",
        "# é\na=\\u00e9\nb=1\n",
        ("set", "b", "ö"),
        "# é\na=\\u00e9\nb=\\u00f6\n",
    ),
    properties(
        "set control characters",
        P,
        ("set", "c", "\x00\x07\u2028"),
        P.replace(": 2", ": \\u0000\\u0007\\u2028"),
    ),
    properties("set a lone surrogate", P, ("set", "c", "\ud800"), P.replace(": 2", ": \\ud800")),
    properties("set a joined value", "a=1,\\\n  2\nb=3\n", ("set", "a", "4"), "a=4\nb=3\n"),
    properties(
        "set beside a joined value", "a=1,\\\n  2\nb=3\n", ("set", "b", "4"), "a=1,\\\n  2\nb=4\n"
    ),
    properties(
        "set keeps a joined delimiter",
        "a \\\n  = \\\n  1\n",
        ("set", "a", "2"),
        "a \\\n  = \\\n  2\n",
    ),
    properties("set a list", P, ("set", "c", ["1"]), Refusal()),
    properties("set an object", P, ("set", "c.x", "1"), Refusal("wrong_type")),
    properties("add an object", P, ("set", "n.x", "1"), Refusal()),
    properties("wrap", P, ("wrap", "c", "x"), Refusal()),
    properties("rename", P, ("rename", "['a.b']", "a.c"), P.replace("a.b", "a.c")),
    properties(
        "rename to what must be escaped",
        P,
        ("rename", "c", "#c =:\t"),
        P.replace("c : 2", "\\#c\\ \\=\\:\\t : 2"),
    ),
    properties("rename a joined key", "a\\\n  b=1\n", ("rename", "ab", "c"), "c=1\n"),
    properties("rename to nothing", P, ("rename", "c", ""), Refusal()),
    properties("rename in escapes", "\\u00e9=1\n", ("rename", "é", "ü"), "\\u00fc=1\n"),
    properties("delete", P, ("delete", "c"), "# file\na.b=1\n\nd 3\n"),
    properties("delete the first", P, ("delete", "['a.b']"), P.replace("# file\na.b=1\n", "")),
    properties(
        "delete a joined value", "a=1\nb=2\\\n   3\\\n\nc=4\n", ("delete", "b"), "a=1\nc=4\n"
    ),
    properties("add", P, ("set", "n", "v"), P + "n=v\n"),
    properties(
        "add where blanks end keys",
        "a 1\nb 2\n",
        ("set", "n", "=v"),
        ("set", "m", ""),
        "a 1\nb 2\nn \\=v\nm=\n",
    ),
    properties(
        "add with the delimiter of the file",
        "a : 1\nb : 2\n",
        ("set", "n n", "v"),
        "a : 1\nb : 2\nn\\ n : v\n",
    ),
    properties("add at the margin", "  a=1\n", ("set", "n", "v"), "  a=1\n  n=v\n"),
    properties("add without final newline", "a=1", ("set", "n", "v"), "a=1\nn=v"),
    properties("add behind a backslash", "a=1\\", ("set", "n", "v"), "a=1\\\n\nn=v"),
    properties(
        "add behind a joined end",
        "a=1\\\n",
        ("set", "n", "v"),
        ("set", "m", "w"),
        "a=1\\\n\nn=v\nm=w\n",
    ),
    properties("add before blank lines", "a=1\n\n\n", ("set", "n", "v"), "a=1\nn=v\n\n\n"),
    properties("add to nothing", "", ("set", "n", "v"), "n=v\n"),
    properties(
        "BOM and ends of lines stay",
        b"\xef\xbb\xbfa=1\r\nb=2\\\r\n 3\r\n",
        ("set", "n", "v"),
        ("set", "a", "4"),
        "\ufeffa=4\r\nb=2\\\r\n 3\r\nn=v\r\n",
    ),
    properties(
        "carriage returns stay",
        b"a=1\r# c\rb=2\r",
        ("set", "n", "v"),
        ("set", "b", "3"),
        "a=1\r# c\rb=3\rn=v\r",
    ),
    properties("escapes stay", "a=\\u0041\\q\nb=1\n", ("set", "b", "2"), "a=\\u0041\\q\nb=2\n"),
]

# --- edits of .env

E = "# file\nA=1\nexport B='two' # of b\n# of c\nC=\"x\ny\"\n\nD=\n"

ENV = [
    env("set", E, ("set", "A", "9"), E.replace("A=1", "A=9")),
    env(
        "set a number and a bool",
        E,
        ("set", "A", 80),
        ("set", "D", True),
        E.replace("A=1", "A=80").replace("D=", "D=true"),
    ),
    env("set words", E, ("set", "A", "two words"), E.replace("A=1", "A='two words'")),
    env("set in single quotes", E, ("set", "B", "x"), E.replace("two", "x")),
    env(
        "set what single quotes cannot hold", E, ("set", "B", "it's"), E.replace("'two'", '"it\'s"')
    ),
    env("set in double quotes", E, ("set", "C", "a"), E.replace('"x\ny"', '"a"')),
    env(
        "set lines in double quotes", E, ("set", "C", 'a\n"b"\n'), E.replace("x\ny", 'a\n\\"b\\"\n')
    ),
    env("set lines elsewhere", E, ("set", "A", "a\nb"), E.replace("A=1", 'A="a\\nb"')),
    env("set lines in CRLF", b'A="x\r\ny"\r\n', ("set", "A", "a\nb\r\nc"), 'A="a\\nb\\r\\nc"\r\n'),
    env(
        "set nothing",
        E,
        ("set", "A", ""),
        ("set", "B", ""),
        E.replace("A=1", "A=").replace("'two'", "''"),
    ),
    env(
        "set before a comment",
        "A= # c\nB=2 # d\n",
        ("set", "A", "x y"),
        ("set", "B", ""),
        "A='x y' # c\nB= # d\n",
    ),
    env(
        "set what had no value",
        "A # c\nexport B\n",
        ("set", "A", "1"),
        ("set", "B", "2"),
        "A=1 # c\nexport B=2\n",
    ),
    env("take the value away", "A\nB=1 # c\n", ("set", "B", None), "A\nB # c\n"),
    env("take the only value away", E, ("set", "A", None), Refusal()),
    env(
        "set a reference", E, ("set", "A", "http://${HOST}/"), E.replace("A=1", "A=http://${HOST}/")
    ),
    env("set a dollar", E, ("set", "A", "pa$s"), E.replace("A=1", "A='pa$s'")),
    env("set a comment sign", E, ("set", "A", "a #b"), E.replace("A=1", "A='a #b'")),
    env("set a path", E, ("set", "A", "C:\\dir\\new"), E.replace("A=1", "A='C:\\dir\\new'")),
    env(
        "set a path that ends", E, ("set", "A", "C:\\dir\\"), E.replace("A=1", 'A="C:\\\\dir\\\\"')
    ),
    env("set quotes", E, ("set", "A", "'\""), E.replace("A=1", 'A="\'\\""')),
    env("set blanks", E, ("set", "A", " "), E.replace("A=1", "A=' '")),
    env("set other scripts", E, ("set", "A", "käse"), E.replace("A=1", "A=käse")),
    env(
        "set words where words stand bare",
        "A=one two # c\n",
        ("set", "A", "one two three"),
        "A=one two three # c\n",
    ),
    env(
        "set a quote where words stand bare",
        "A=one two\n",
        ("set", "A", "'one' two"),
        "A=\"'one' two\"\n",
    ),
    env("set a NUL", E, ("set", "A", "a\x00"), Refusal()),
    env("set a lone surrogate", E, ("set", "A", "\ud800"), Refusal()),
    env("set a list", E, ("set", "A", []), Refusal()),
    env("wrap", E, ("wrap", "A"), Refusal()),
    env("rename", E, ("rename", "B", "BB"), E.replace("B=", "BB=")),
    env("rename in quotes", "'a b'=1\n", ("rename", "['a b']", "c"), "'c'=1\n"),
    env("rename to what few readers take", E, ("rename", "A", "a b"), Refusal()),
    env("rename to what is there", E, ("rename", "A", "B"), Refusal("target_exists")),
    env("delete", E, ("delete", "C"), "# file\nA=1\nexport B='two' # of b\n\nD=\n"),
    env(
        "delete with a comment behind", E, ("delete", "B"), E.replace("export B='two' # of b\n", "")
    ),
    env("delete the first", E, ("delete", "A"), E.replace("# file\nA=1\n", "")),
    env("add", E, ("set", "N", "v"), E + "N=v\n"),
    env(
        "add an export",
        "export A=1\nexport B=2\nC=3\n\n",
        ("set", "N", "v w"),
        "export A=1\nexport B=2\nC=3\nexport N='v w'\n\n",
    ),
    env("add with blanks", "A = 1\n", ("set", "N", "v"), "A = 1\nN = v\n"),
    env("add nothing", E, ("set", "N", ""), E + "N=\n"),
    env("add no value", "A\n", ("set", "N", None), "A\nN\n"),
    env("add a name that few readers take", E, ("set", "['n m']", "1"), Refusal()),
    env("add export", E, ("set", "export", "1"), Refusal()),
    env("add without final newline", 'A="1\n2"', ("set", "N", "v"), 'A="1\n2"\nN=v'),
    env("add to nothing", "", ("set", "N", "v"), "N=v\n"),
    env("add behind comments", "# c\n\n# d\n", ("set", "N", "v"), "# c\n\n# d\nN=v\n"),
    env("add many lines", E, ("set", "N", "a\nb"), E + 'N="a\\nb"\n'),
    env(
        "BOM and ends of lines stay",
        b"\xef\xbb\xbfA=1\r\n",
        ("set", "N", "v"),
        ("set", "A", "2"),
        "\ufeffA=2\r\nN=v\r\n",
    ),
    env(
        "a value that looks like pairs",
        'A="\nB=1\n# c\n"\nC=2\n',
        ("set", "C", "3"),
        'A="\nB=1\n# c\n"\nC=3\n',
    ),
]

ROWS = [*READ, *BROKEN, *INI, *PROPERTIES, *ENV]


@pytest.mark.parametrize("row", [*READ, *BROKEN], ids=lambda row: row.name)
def test_a_file_means_what_others_read_in_it(row: Row) -> None:
    if isinstance(row.want, Refusal):
        with pytest.raises(Refused) as caught:
            parse(row.source, row.format)
        assert caught.value.code == row.want.code
        assert caught.value.code == "not_utf8" or caught.value.line > 0
        return
    data = row.source.encode() if isinstance(row.source, str) else row.source
    document = parse(data, row.format)
    assert document.root == row.want == read(data, row.format)
    assert render(document).data == data


@pytest.mark.parametrize("row", [*INI, *PROPERTIES, *ENV], ids=lambda row: row.name)
def test_an_edit_changes_what_it_must_and_no_other_byte(row: Row) -> None:
    if isinstance(row.want, Refusal):
        with pytest.raises(Refused) as caught:
            edited(row.source, row.format, *row.ops)
        assert caught.value.code == row.want.code
        if row.want == Refusal():
            assert caught.value.fix
            assert caught.value.place or row.name == "ini: wrap the root"
        return
    document, out = edited(row.source, row.format, *row.ops)
    assert out.data.decode() == row.want
    check(row.source, row.format, row.ops, document, out)


def test_an_unchanged_document_is_its_source_to_the_byte() -> None:
    for row in [*INI, *PROPERTIES, *ENV]:
        data = row.source.encode() if isinstance(row.source, str) else row.source
        document = parse(data, row.format)
        assert document.root == read(data, row.format)
        rendered = render(document)
        assert rendered.data == data
        assert rendered.lost_comments == ()


def test_the_table_is_large_enough() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 200


NESTED = "k=0\n# of a\n[a] ; t\n# of b\nb = 1\n\n[c]\nd=2\n"


def test_what_went_under_a_key_and_came_back_is_as_before() -> None:
    document = parse(NESTED, "ini")
    for path, under in (("a.b", None), ("k", "x")):
        document.wrap(path, under)
        hit = document.find(path)[0]
        document.expose(hit.container, hit.entry)
    assert render(document).data == NESTED.encode()


def test_a_value_takes_the_place_of_its_section_with_all_comments_above() -> None:
    document = parse(NESTED, "ini")
    hit = document.find("a")[0]
    document.expose(hit.container, hit.entry)
    out = render(document)
    assert out.data == b"k=0\n# of a\n# of b\na=1\n[c]\nd=2\n"
    assert [document.text[a:b] for a, b in out.lost_comments] == ["; t"]


@pytest.mark.parametrize("format", ["ini", "properties", "dotenv"])
def test_a_name_is_refused_where_no_reader_would_take_it(format: str) -> None:
    for name in (
        "",
        "\ud800" if format != "properties" else "",
        "a\x00" if format == "ini" else "",
    ):
        document = parse("a=1\n", format)
        document.rename("a", name)
        with pytest.raises(Refused) as caught:
            render(document)
        assert caught.value.code == "value_unsupported"
