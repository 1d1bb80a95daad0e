"""Traps of real TOML files: source, edit, and the bytes that must come out.

Most rows name the exact bytes. Where the conventions leave the place or the spacing of new text
open, a row names every text that is right (``one_of``), or the one text apart from blank lines
(``blanks``), or only what must be kept (``means``); an edit that may also be refused says so. A
row that must be refused names the code. After every edit tomllib reads the result, which must
mean what the same edit makes of the plainly loaded source, with floats and dates as they were
written; no comment may be gone unless the ledger names it; and the replayed journal must give the
same bytes.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

import pytest

from confmig.errors import Refused
from tests.documents.helpers import render
from tests.documents.toml.helpers import (
    Op,
    check,
    edited,
    mirrors,
    parse,
    read,
    without_blank_lines,
)


@dataclass(frozen=True)
class Refusal:
    """The row is refused with this code; without one, with any."""

    code: str = ""


@dataclass(frozen=True)
class Want:
    """What is right beside exact bytes."""

    texts: tuple[str, ...] = ()
    blank_lines: bool = False
    keep: tuple[str, ...] = ()
    refusable: bool = False

    def takes(self, result: str) -> bool:
        """Whether a result is right."""
        if not all(part in result for part in self.keep):
            return False
        if self.blank_lines:
            bare = without_blank_lines(result)
            return bare in [without_blank_lines(t) for t in self.texts]
        return not self.texts or result in self.texts


def one_of(*texts: str) -> Want:
    """One of these texts."""
    return Want(texts)


def blanks(*texts: str) -> Want:
    """One of these texts apart from blank lines."""
    return Want(texts, blank_lines=True)


def either(*texts: str) -> Want:
    """One of these texts, apart from blank lines, or refused."""
    return Want(texts, blank_lines=True, refusable=True)


def means(*keep: str) -> Want:
    """Any text that means the right thing and has these parts."""
    return Want(keep=keep)


def may(*keep: str) -> Want:
    """Any text that means the right thing and has these parts, or refused."""
    return Want(keep=keep, refusable=True)


@dataclass(frozen=True)
class Row:
    """One trap. ``op`` is one edit or a tuple of edits."""

    name: str
    source: str
    op: Op
    want: str | Want | Refusal

    @property
    def ops(self) -> tuple[Op, ...]:
        """The edits in order."""
        return self.op if self.op and isinstance(self.op[0], tuple) else (self.op,)


TELEGRAF = """\
# Telegraf

[global_tags]
  dc = "us-east-1" # will tag all metrics

[agent]
  interval = "10s"
  ## round
  round_interval = true

[[outputs.influxdb]]
  urls = ["http://localhost:8086"]
  # database = "telegraf"

[[inputs.cpu]]
  percpu = true
  [inputs.cpu.tags]
    kind = "a"
  # the second sub-table
  [inputs.cpu.tagdrop]
    cpu = ["cpu0"]

[[inputs.cpu]]
  percpu = false
  [inputs.cpu.tags]
    kind = "b"

[[inputs.disk]]
  ignore_fs = ["tmpfs", "devtmpfs"]
"""
CPU0 = TELEGRAF[TELEGRAF.index("[[inputs.cpu]]") : TELEGRAF.rindex("[[inputs.cpu]]")]
CPU1 = TELEGRAF[TELEGRAF.rindex("[[inputs.cpu]]") : TELEGRAF.index("[[inputs.disk]]")]
DISK = TELEGRAF[TELEGRAF.index("[[inputs.disk]]") :]
BEFORE_CPU = TELEGRAF[: TELEGRAF.index("[[inputs.cpu]]")]

CARGO = """\
[package]
name = "x" # crate
version = "0.1.0"

[dependencies]
serde = { version = "1.0", features = ["derive"] }
rand = "0.8"

# async
[dependencies.tokio]
version = "1"
features = [
    "rt", # runtime
    "net"
]

[target.'cfg(unix)'.dependencies]
nix = "0.5"

[[bin]]
name = "a"
path = "src/a.rs"
"""

PYPROJECT = """\
[project]
name = "p"
dependencies = [
    # http
    "requests>=2", # pinned
    "rich",
]
urls.home = "https://e.org" # home
urls.repo = "https://g.org"

[tool.ruff]
line-length = 100

[tool.ruff.lint]
select = ["E", "F"]
ignore = [
    "E501" # long
]
"""

NASTY = """\
# "x" [not] = 'a table'
"" = '# no comment'
'a.b' = "] no end" # ] comment
'x"y' = '''a''b # no comment'''
"\\u00e9" = \"\"\"
[no.header]
k = 1 # no comment
""\\"\"\"\"\"\"
"it's" = ''''quoted''''
plain = "\\"#\\\\" # c "quoted" 'too'
list = ["]", '[', "#", '''
# no comment
]''', # real
]
"""


def scalar(name: str, old: str, value: object, new: str) -> Row:
    """A row that sets one scalar between two others."""
    source = f"x = 0 # x\na = {old} # t\nb = 2\n"
    want = source.replace(f"a = {old}", f"a = {new}")
    return Row(name, source, ("set", "a", value), want)


def stays(lexeme: str) -> Row:
    """A row that edits beside a value."""
    return Row(
        f"{lexeme} stays as it is written",
        f"a = {lexeme} # t\nb = 1\n",
        ("set", "b", 2),
        f"a = {lexeme} # t\nb = 2\n",
    )


def text(value: str, *written: str) -> Row:
    """A row that writes a new text."""
    return Row(
        f"the text {value!r} is written",
        "a = 1\n",
        ("set", "b", value),
        one_of(*[f"a = 1\nb = {w}\n" for w in written]),
    )


def key(value: str, *written: str) -> tuple[Row, Row, Row]:
    """Rows that write a new key, rename to it, and make a section of it."""
    path = "['" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "']"
    return (
        Row(
            f"the new key {value!r} is written",
            "a = 1\n",
            ("set", path, 2),
            one_of(*[f"a = 1\n{w} = 2\n" for w in written]),
        ),
        Row(
            f"a key is renamed to {value!r}",
            "a = 1\n[a2.b]\n",
            ("rename", "a2", value),
            one_of(*[f"a = 1\n[{w}.b]\n" for w in written]),
        ),
        Row(
            f"a section {value!r} is written",
            "[t]\na = 1\n",
            ("set", "t." + path if path[0] != "[" else "t" + path, {"k": 1}),
            blanks(*[f"[t]\na = 1\n[t.{w}]\nk = 1\n" for w in written]),
        ),
    )


SCALARS = [
    scalar("a number is set", "1", 5, "5"),
    scalar("a negative number is set", "1", -5, "-5"),
    scalar("a large number is set", "1", 2**63 - 1, "9223372036854775807"),
    scalar("a hexadecimal number is set", "0xFF", 254, "254"),
    scalar("a number becomes a float", "1", 1.0, "1.0"),
    scalar("a float becomes a number", "1.0", 1, "1"),
    scalar("a float keeps its point", "1.5", 2.0, "2.0"),
    scalar("a bool is set", "true", False, "false"),
    scalar("a bool becomes 1", "true", 1, "1"),
    scalar("0 becomes false", "0", False, "false"),
    scalar("a bool becomes text", "true", "true", '"true"'),
    scalar("a number becomes text", "1", "1", '"1"'),
    scalar("text becomes a number", '"1"', 1, "1"),
    scalar("infinity is written", "1.0", float("inf"), "inf"),
    scalar("negative infinity is written", "1.0", float("-inf"), "-inf"),
    scalar("nan is written", "1.0", float("nan"), "nan"),
    scalar("a negative zero is written", "1.0", -0.0, "-0.0"),
    scalar("a basic string stays basic", '"x"', "y", '"y"'),
    scalar("a basic string is escaped", '"x"', 'say "hi" \\ # t', '"say \\"hi\\" \\\\ # t"'),
    scalar("a literal string stays literal", "'x'", "y", "'y'"),
    scalar("a literal string holds a backslash", r"'C:\x'", r"D:\y", r"'D:\y'"),
    scalar("a literal string holds a double quote", "'x'", 'say "hi"', "'say \"hi\"'"),
    scalar("a literal string cannot hold a quote", "'x'", "it's", '"it\'s"'),
    scalar("a literal string cannot hold a line break", "'x'", "a\nb", '"a\\nb"'),
    scalar("a literal string cannot hold a control character", "'x'", "a\x01", '"a\\u0001"'),
    scalar("a literal string is emptied", "'x'", "", "''"),
    scalar("a basic string is emptied", '"x"', "", '""'),
    scalar("a date becomes a number", "1979-05-27", 5, "5"),
    scalar("a date and time with a space becomes a number", "1979-05-27 07:32:00Z", 5, "5"),
    scalar("a list of scalars takes a scalar's place", "1", [1, "x"], '[1, "x"]'),
    scalar("an empty list takes a scalar's place", "1", [], "[]"),
    scalar("a list of lists takes a scalar's place", "1", [[1], [], ["x"]], '[[1], [], ["x"]]'),
    scalar("an empty object takes a scalar's place", "1", {}, "{}"),
    scalar("a scalar takes a list's place", "[1, 2]", 5, "5"),
    scalar("a scalar takes an inline table's place", "{x = 1, y = [2]}", 5, "5"),
    Row("null cannot be written", "a = 1\n", ("set", "a", None), Refusal()),
    Row("null in a list cannot be written", "a = 1\n", ("set", "b", [1, None]), Refusal()),
    Row("null in an object cannot be written", "a = 1\n", ("set", "b", {"c": None}), Refusal()),
    Row("a lone surrogate cannot be written", "a = 1\n", ("set", "a", "\ud800"), Refusal()),
    Row("a lone surrogate is no key", "a = 1\n", ("rename", "a", "\ud800"), Refusal()),
    Row("more than 64 bits", "a = 1\n", ("set", "a", 2**64), either(f"a = {2**64}\n")),
    Row("no spaces around = stay", "a=1\nb=2\n", ("set", "a", 5), "a=5\nb=2\n"),
    Row(
        "many spaces around = stay",
        "a   =   1   # t\nb\t=\t2\n",
        (("set", "a", 5), ("set", "b", "x")),
        'a   =   5   # t\nb\t=\t"x"\n',
    ),
    Row("trailing spaces stay", "a = 1  \nb = 2\t\n", ("set", "a", 5), "a = 5  \nb = 2\t\n"),
    Row(
        "a comment without a space stays", "a = 1#t\nb = 2#\n", ("set", "b", 5), "a = 1#t\nb = 5#\n"
    ),
    Row(
        "a multi-line string is replaced",
        'a = """\nx\n  y # no\n""" # t\nb = 1\n',
        ("set", "a", "q"),
        one_of('a = "q" # t\nb = 1\n', 'a = """q""" # t\nb = 1\n', 'a = """\nq""" # t\nb = 1\n'),
    ),
    Row(
        "a multi-line literal string is replaced",
        "a = '''\nx\n''' # t\nb = 1\n",
        ("set", "a", "q"),
        one_of(
            'a = "q" # t\nb = 1\n',
            "a = 'q' # t\nb = 1\n",
            "a = '''q''' # t\nb = 1\n",
            "a = '''\nq''' # t\nb = 1\n",
        ),
    ),
    Row(
        "a multi-line literal string cannot hold three quotes",
        "a = '''\nx\n'''\nb = 1\n",
        ("set", "a", "a'''b"),
        means("\nb = 1\n"),
    ),
    Row(
        "a multi-line string of three quotes at the ends",
        'a = """x"""\nb = 1\n',
        ("set", "a", '"""x\\"""'),
        means("\nb = 1\n"),
    ),
    Row(
        "an equal value is no change",
        "a =   'x'  # c\nb = 0x10\nc = 1e0\n",
        (("set", "a", "x"), ("set", "b", 16), ("set", "c", 1.0)),
        "a =   'x'  # c\nb = 0x10\nc = 1e0\n",
    ),
    Row(
        "an equal value of another type is a change",
        "a = 1\nb = 1.0\nc = true\n",
        (("set", "a", 1.0), ("set", "b", 1), ("set", "c", 1)),
        "a = 1.0\nb = 1\nc = 1\n",
    ),
    Row(
        "an equal list is no change",
        "a = [ 1,2 ,\n3 ]\n",
        ("set", "a", [1, 2, 3]),
        "a = [ 1,2 ,\n3 ]\n",
    ),
    Row(
        "a changed value that is set back is no change in value",
        "a = 0x10 # t\n",
        (("set", "a", 5), ("set", "a", 16)),
        one_of("a = 16 # t\n", "a = 0x10 # t\n"),
    ),
    Row(
        "a value in a section is set",
        "[a]\nx = 1\n[b]\nx = 1\n",
        ("set", "b.x", 2),
        "[a]\nx = 1\n[b]\nx = 2\n",
    ),
    Row(
        "a value in a scattered table is set",
        "[a.b]\nx = 1\n[c]\nx = 1\n[a]\nx = 1\n",
        ("set", "a.x", 2),
        "[a.b]\nx = 1\n[c]\nx = 1\n[a]\nx = 2\n",
    ),
    Row(
        "a value of the second of several tables is set",
        "[[a]]\nx = 1\n[[a]]\nx = 1\n",
        ("set", "a[1].x", 2),
        "[[a]]\nx = 1\n[[a]]\nx = 2\n",
    ),
    Row("a dotted value is set", "a.b.c = 1 # t\n", ("set", "a.b.c", 2), "a.b.c = 2 # t\n"),
    Row(
        "a value in an inline table is set",
        "a = { b = 1, c = { d = 'x' } } # t\n",
        ("set", "a.c.d", "y"),
        "a = { b = 1, c = { d = 'y' } } # t\n",
    ),
    Row("an item is set", "a = [1, 2 , 3] # t\n", ("set", "a[1]", "x"), 'a = [1, "x" , 3] # t\n'),
    Row(
        "an item of a multi-line list is set",
        "a = [\n  1, # one\n  2 # two\n]\n",
        ("set", "a[1]", 5),
        "a = [\n  1, # one\n  5 # two\n]\n",
    ),
    Row(
        "an item becomes an object",
        "a = [1, 2]\n",
        ("set", "a[1]", {"k": 1}),
        one_of("a = [1, {k = 1}]\n", "a = [1, { k = 1 }]\n"),
    ),
    Row(
        "a value behind emoji is set",
        "a = '😀😀' # 🎉\n[\"käse😀\"]\nb = 1 # c\n",
        ("set", "['käse😀'].b", 2),
        "a = '😀😀' # 🎉\n[\"käse😀\"]\nb = 2 # c\n",
    ),
]

LEXEMES = [
    stays(lexeme)
    for lexeme in [
        "1.0",
        "1.10",
        "1e5",
        "1E+05",
        "6.626e-34",
        "-0.0",
        "1_000.000_1",
        "0xFF",
        "0xdead_BEEF",
        "0o017",
        "0b0101",
        "1_000",
        "+1",
        "-0",
        "9223372036854775807",
        "inf",
        "+inf",
        "-inf",
        "nan",
        "-nan",
        "1979-05-27T07:32:00Z",
        "1979-05-27t07:32:00.999999999-07:00",
        "1979-05-27 07:32:00z",
        "1979-05-27T07:32:00.5",
        "1979-05-27",
        "07:32:00",
        "00:32:00.999999",
        "[ 1979-05-27 , 07:32:00,]",
        '""',
        "''",
        '""""""',
        "''''''",
        '"""a"b""c"""',
        '"""""two"""""',
        "'''''two'''''",
        '"""\\"""\\""""',
        '"\\b\\t\\n\\f\\r\\"\\\\\\u00E9\\U0001F600"',
        '"""\na\\\n   \n   b"""',
        "'''\n\n  # x\n'''",
        "'C:\\n\\'",
        '"tab\there"',
        "[[1, 2], ['a', \"b\"], [], [[]], {}]",
        "{ }",
        "{a.b.c = 1, a.d = 2, 'q q'.\"r\" = {}}",
        "[1, 'x', 1.0, true, {a = 1}, [1979-05-27]]",
        "[\n# only a comment\n]",
        "[1\n,\n2\n\n# end\n,\n]",
    ]
]

TEXTS = [
    text("", '""'),
    text("x y", '"x y"'),
    text("yes", '"yes"'),
    text("1979-05-27", '"1979-05-27"'),
    text("1.0", '"1.0"'),
    text("inf", '"inf"'),
    text("x # y", '"x # y"'),
    text("it's", '"it\'s"'),
    text('say "hi"', '"say \\"hi\\""'),
    text('"""', '"\\"\\"\\""'),
    text("'''", "\"'''\""),
    text("C:\\new\\u0041", '"C:\\\\new\\\\u0041"'),
    text("\\", '"\\\\"'),
    text("a\nb\n", '"a\\nb\\n"'),
    text("a\r\nb", '"a\\r\\nb"'),
    text("\t", '"\\t"', '"\t"'),
    text("\b\f", '"\\b\\f"', '"\\u0008\\u000C"', '"\\u0008\\u000c"'),
    text("\x00", '"\\u0000"'),
    text("\x1b[0m", '"\\u001b[0m"', '"\\u001B[0m"'),
    text("\x7f", '"\\u007f"', '"\\u007F"'),
    text("é日本", '"é日本"'),
    text("😀", '"😀"'),
    text("\x85\u2028", '"\x85\u2028"', '"\\u0085\\u2028"'),
    text("\ufeffx", '"\ufeffx"', '"\\ufeffx"', '"\\uFEFFx"'),
    text(" x ", '" x "'),
    text("]]\n[x]", '"]]\\n[x]"'),
    text("${VAR} {{ x }}", '"${VAR} {{ x }}"'),
]

KEYS = [
    *key("b-c_1", "b-c_1"),
    *key("1", "1"),
    *key("1979-05-27", "1979-05-27"),
    *key("-", "-"),
    *key("true", "true"),
    *key("", '""'),
    *key("b c", '"b c"'),
    *key("b.c", '"b.c"'),
    *key('x"y', '"x\\"y"', "'x\"y'"),
    *key("it's", '"it\'s"'),
    *key("b\\c", '"b\\\\c"', "'b\\c'"),
    *key("é", '"é"'),
    *key("b#c", '"b#c"'),
    *key("[b]", '"[b]"'),
    *key("b = c", '"b = c"'),
    *key("b\nc", '"b\\nc"'),
]

RENAMES = [
    Row("a key", "a = 1 # a\nb = 2\n", ("rename", "a", "z"), "z = 1 # a\nb = 2\n"),
    Row(
        "a key keeps its comments",
        "# h\n\n# a\na=1#t\n",
        ("rename", "a", "z"),
        "# h\n\n# a\nz=1#t\n",
    ),
    Row("a basic quoted key", '"a b" = 1\n', ("rename", "a b", "c d"), '"c d" = 1\n'),
    Row("a literal quoted key", "'a b' = 1\n", ("rename", "a b", "c d"), "'c d' = 1\n"),
    Row("a basic quoted key that could be bare", '"a" = 1\n', ("rename", "a", "c"), '"c" = 1\n'),
    Row("a literal quoted key that could be bare", "'a' = 1\n", ("rename", "a", "c"), "'c' = 1\n"),
    Row("a literal key to one with a quote", "'a' = 1\n", ("rename", "a", "it's"), '"it\'s" = 1\n'),
    Row("an escaped key", '"\\u00e9" = 1\n', ("rename", "é", "x"), '"x" = 1\n'),
    Row("an empty key", '"" = 1\nb = 2\n', ("rename", "['']", "x"), '"x" = 1\nb = 2\n'),
    Row("a key in a section", "[s]\n  a = 1\n", ("rename", "s.a", "z"), "[s]\n  z = 1\n"),
    Row(
        "the first part of dotted keys",
        "a.x = 1\nb = 2\na.y = 3 # a.y\n",
        ("rename", "a", "z"),
        "z.x = 1\nb = 2\nz.y = 3 # a.y\n",
    ),
    Row(
        "the middle part of dotted keys",
        "a.k.c = 1\na.k.d.e = 2\na.l = 3\n",
        ("rename", "a.k", "z"),
        "a.z.c = 1\na.z.d.e = 2\na.l = 3\n",
    ),
    Row("the last part of a dotted key", "a.k = 1\n", ("rename", "a.k", "z"), "a.z = 1\n"),
    Row(
        "a dotted key with whitespace",
        "a . k\t. c = 1\na.\"k\" .d = 2\n'a'.'k'.e = 3\n",
        ("rename", "a.k", "z"),
        "a . z\t. c = 1\na.\"z\" .d = 2\n'a'.'z'.e = 3\n",
    ),
    Row(
        "a part that needs quotes",
        "a.k.c = 1\na.'k'.d = 2\n",
        ("rename", "a.k", "k.1"),
        "a.\"k.1\".c = 1\na.'k.1'.d = 2\n",
    ),
    Row("a part that looks like a float", "1.2 = 3\n", ("rename", "1.2", "5"), "1.5 = 3\n"),
    Row("a header", "[a] # a\nx = 1 # a\n", ("rename", "a", "z"), "[z] # a\nx = 1 # a\n"),
    Row(
        "a header and its sub-headers",
        "[a]\nx = 1\n[a.b]\n[ a . b . c ]\n[b.a]\n[[a.t]]\n[a.t.u]\n",
        ("rename", "a", "z"),
        "[z]\nx = 1\n[z.b]\n[ z . b . c ]\n[b.a]\n[[z.t]]\n[z.t.u]\n",
    ),
    Row(
        "the last part of headers",
        "[a.k]\nk = 1\n[a.k.b]\n[a.l]\n[k]\n",
        ("rename", "a.k", "z"),
        "[a.z]\nk = 1\n[a.z.b]\n[a.l]\n[k]\n",
    ),
    Row(
        "an implicit table",
        "[a.b.c]\nx = 1\n[a.b.d]\n[a.e]\n",
        ("rename", "a.b", "z"),
        "[a.z.c]\nx = 1\n[a.z.d]\n[a.e]\n",
    ),
    Row(
        "a super-table after its sub-table",
        "[a.b]\nx = 1\n\n[o]\n\n# a\n[a]\ny = 1\n",
        ("rename", "a", "z"),
        "[z.b]\nx = 1\n\n[o]\n\n# a\n[z]\ny = 1\n",
    ),
    Row(
        "headers with quotes and whitespace",
        "[ \"a\" . 'k' ]\n[a.k.b]\n[\t'a'.k.c\t]\n",
        ("rename", "a.k", "new key"),
        '[ "a" . \'new key\' ]\n[a."new key".b]\n[\t\'a\'."new key".c\t]\n',
    ),
    Row(
        "an array of tables",
        "[[a.k]]\nx = 1\n[ a.k.s ]\n[[ a . k ]] # two\n[[a.k.t]]\n[[a.k.t]]\n[a.o]\n",
        ("rename", "a.k", "z"),
        "[[a.z]]\nx = 1\n[ a.z.s ]\n[[ a . z ]] # two\n[[a.z.t]]\n[[a.z.t]]\n[a.o]\n",
    ),
    Row(
        "a sub-table of one of several tables",
        "[[a]]\n[a.s]\nx = 1\n[[a]]\n[a.s]\nx = 2\n[a.s.t]\n",
        ("rename", "a[1].s", "z"),
        "[[a]]\n[a.s]\nx = 1\n[[a]]\n[a.z]\nx = 2\n[a.z.t]\n",
    ),
    Row(
        "a sub-table of each of several tables",
        "[[a]]\n[a.s]\nx = 1\n[[a]]\n[a.s]\nx = 2\n",
        ("rename", "a[*].s", "z"),
        "[[a]]\n[a.z]\nx = 1\n[[a]]\n[a.z]\nx = 2\n",
    ),
    Row(
        "a key of each of several tables",
        "[[a]]\ns.x = 1\ns.y = 1\n[[a]]\ns = {x = 2}\n[[a]]\n",
        ("rename", "a[*].s", "z"),
        "[[a]]\nz.x = 1\nz.y = 1\n[[a]]\nz = {x = 2}\n[[a]]\n",
    ),
    Row(
        "dotted keys and sub-headers",
        "[a]\nk.x = 1\nk.y = 2\n[a.k.s]\n[a.l]\n",
        ("rename", "a.k", "z"),
        "[a]\nz.x = 1\nz.y = 2\n[a.z.s]\n[a.l]\n",
    ),
    Row(
        "root dotted keys and headers",
        "a.x = 1\n[a.s]\ny = 1\n[a.s.t]\n",
        ("rename", "a", "z"),
        "z.x = 1\n[z.s]\ny = 1\n[z.s.t]\n",
    ),
    Row(
        "an inline key",
        "t = { a = 1, b = { a = 2 } } # a\n",
        ("rename", "t.a", "z"),
        "t = { z = 1, b = { a = 2 } } # a\n",
    ),
    Row(
        "inline dotted keys",
        "t = {a.k.x=1, 'a'. k .y = 2, a.l = 3}\n",
        ("rename", "t.a.k", "z"),
        "t = {a.z.x=1, 'a'. z .y = 2, a.l = 3}\n",
    ),
    Row(
        "a key in an array of inline tables",
        "t = [\n  {a = 1}, # a\n  { 'a' = 2 },\n]\n",
        ("rename", "t[*].a", "z"),
        "t = [\n  {z = 1}, # a\n  { 'z' = 2 },\n]\n",
    ),
    Row(
        "nothing in texts or comments",
        "# [a]\na = '''\n[a]\na = 1\n''' # a\n",
        ("rename", "a", "z"),
        "# [a]\nz = '''\n[a]\na = 1\n''' # a\n",
    ),
    Row(
        "twice",
        "[a.b]\nx = 1\n[a]\n",
        (("rename", "a", "y"), ("rename", "y.b", "c"), ("rename", "y", "z")),
        "[z.c]\nx = 1\n[z]\n",
    ),
    Row(
        "two keys change places",
        "[a]\nx = 1\n[b]\nx = 2\n[a.s]\n",
        (("rename", "a", "t"), ("rename", "b", "a"), ("rename", "t", "b")),
        "[b]\nx = 1\n[a]\nx = 2\n[b.s]\n",
    ),
    Row(
        "to the same name",
        "[ 'a' ]\nx = 1\n",
        ("rename", "a", "a"),
        "[ 'a' ]\nx = 1\n",
    ),
    Row(
        "there and back",
        "a.'k' . x = 1\n[a.k.s]\n",
        (("rename", "a.k", "z"), ("rename", "a.z", "k")),
        "a.'k' . x = 1\n[a.k.s]\n",
    ),
    Row("onto another key", "a = 1\nb = 2\n", ("rename", "a", "b"), Refusal("target_exists")),
    Row("onto another table", "[a]\n[b.c]\n", ("rename", "a", "b"), Refusal("target_exists")),
    Row(
        "with edits inside",
        "[a]\nx = 1 # x\n[a.b]\ny = 1\n",
        (("rename", "a", "z"), ("set", "z.x", 2), ("set", "z.n", 3), ("delete", "z.b.y")),
        "[z]\nx = 2 # x\nn = 3\n[z.b]\n",
    ),
]
RENAMES = [
    Row(f"rename {r.name}" if not r.name.startswith("rename") else r.name, r.source, r.op, r.want)
    for r in RENAMES
]

DELETES = [
    Row("a key", "a = 1\nb = 2 # t\nc = 3\n", ("delete", "b"), "a = 1\nc = 3\n"),
    Row(
        "a key and its comments",
        "a = 1\n# b's\n# too\nb = 2 # t\nc = 3\n",
        ("delete", "b"),
        "a = 1\nc = 3\n",
    ),
    Row(
        "a comment behind a blank line stays",
        "a = 1\n# free\n\n# b's\nb = 2\nc = 3\n",
        ("delete", "b"),
        "a = 1\n# free\n\nc = 3\n",
    ),
    Row(
        "a comment at another column stays",
        "a = 1\n  # odd\nb = 2\nc = 3\n",
        ("delete", "b"),
        "a = 1\n  # odd\nc = 3\n",
    ),
    Row(
        "the comment of the next key stays",
        "a = 1\nb = 2\n# c's\nc = 3\n",
        ("delete", "b"),
        "a = 1\n# c's\nc = 3\n",
    ),
    Row("blank lines stay", "a = 1\n\n\nb = 2\n\nc = 3\n", ("delete", "b"), "a = 1\n\n\nc = 3\n"),
    Row(
        "the file's header stays", "# head\n\na = 1\nb = 2\n", ("delete", "a"), "# head\n\nb = 2\n"
    ),
    Row(
        "the file's header stays above a section",
        "# head\n\n[a]\nx = 1\n[b]\n",
        ("delete", "a"),
        "# head\n\n[b]\n",
    ),
    Row(
        "the file's header stays above an emptied file",
        "# head\n\na = 1\n",
        ("delete", "a"),
        "# head\n",
    ),
    Row(
        "the file's header of two parts",
        "# head\n\n# more\n\na = 1\nb = 2\n",
        ("delete", "a"),
        "# head\n\n# more\n\nb = 2\n",
    ),
    Row("everything", "a = 1\n", ("delete", "a"), ""),
    Row("everything of a section", "[a]\nx = 1\n", ("delete", "a"), ""),
    Row(
        "a comment above the first key of a section",
        "[a]\n# x's\nx = 1\n",
        ("delete", "a.x"),
        "[a]\n",
    ),
    Row(
        "the only key of a section",
        "[a] # a\nx = 1\n\n[b]\n",
        ("delete", "a.x"),
        "[a] # a\n\n[b]\n",
    ),
    Row(
        "an indented key",
        "[a]\n  # x's\n  x = 1\n\ty = 1\n  z = 1\n",
        ("delete", "a.x"),
        "[a]\n\ty = 1\n  z = 1\n",
    ),
    Row(
        "a multi-line string",
        'a = 1\nb = """\nx = 1\n# no\n""" # t\nc = 1\n',
        ("delete", "b"),
        "a = 1\nc = 1\n",
    ),
    Row(
        "a multi-line list",
        "a = 1\n# b's\nb = [\n  1, # one\n] # t\nc = 1\n",
        ("delete", "b"),
        "a = 1\nc = 1\n",
    ),
    Row("a key without final newline", "a = 1\nb = 2", ("delete", "b"), "a = 1"),
    Row("the first key without final newline", "a = 1\nb = 2", ("delete", "a"), "b = 2"),
    Row(
        "a key behind a blank line without final newline",
        "a = 1\n\nb = 2",
        ("delete", "b"),
        one_of("a = 1\n", "a = 1"),
    ),
    Row(
        "a section without final newline",
        "[a]\nx = 1\n[b]\ny = 1",
        ("delete", "b"),
        one_of("[a]\nx = 1", "[a]\nx = 1\n"),
    ),
    Row(
        "a header in the middle",
        "[a]\nx = 1\n\n[b]\ny = 1\n\n[c]\nz = 1\n",
        ("delete", "b"),
        blanks("[a]\nx = 1\n\n[c]\nz = 1\n"),
    ),
    Row(
        "a section between comments",
        "[a]\nx = 1\n\n# b's\n[b] # b\n# in b\ny = 1 # y\n\n# c's\n[c]\nz = 1\n",
        ("delete", "b"),
        blanks("[a]\nx = 1\n# c's\n[c]\nz = 1\n"),
    ),
    Row(
        "a section before a loose comment",
        "[o]\n[a]\nx = 1\n# loose\n\n# b's\n[b]\n",
        ("delete", "a"),
        blanks("[o]\n# loose\n# b's\n[b]\n", "[o]\n# b's\n[b]\n"),
    ),
    Row(
        "a free comment above a section stays",
        "[o]\nx = 1\n\n# free\n\n[a]\ny = 1\n[b]\n",
        ("delete", "a"),
        blanks("[o]\nx = 1\n# free\n[b]\n"),
    ),
    Row(
        "a section and its sub-sections",
        "[o]\n[a]\nx = 1\n[a.b]\ny = 1\n[[a.t]]\n[a.t.u]\n[c]\n",
        ("delete", "a"),
        "[o]\n[c]\n",
    ),
    Row(
        "a scattered section",
        "[o]\n[a]\nx = 1\n[b]\ny = 1\n# ac's\n[a.c]\nz = 1\n[d]\n[a.e]\n",
        ("delete", "a"),
        "[o]\n[b]\ny = 1\n[d]\n",
    ),
    Row(
        "a section after its sub-section",
        "[a.b]\nx = 1\n[o]\n[a]\ny = 1\n",
        ("delete", "a"),
        "[o]\n",
    ),
    Row(
        "a sub-section only",
        "[a]\nx = 1\n[a.b]\ny = 1\n[a.c]\n",
        ("delete", "a.b"),
        "[a]\nx = 1\n[a.c]\n",
    ),
    Row(
        "a deep sub-section only",
        "[a.b]\nx = 1\n[a.b.c]\ny = 1\n[a.d]\n",
        ("delete", "a.b.c"),
        "[a.b]\nx = 1\n[a.d]\n",
    ),
    Row(
        "an implicit table",
        "[o]\n[a.b.c]\nx = 1\n[a.b.d]\n[a.e]\n",
        ("delete", "a.b"),
        "[o]\n[a.e]\n",
    ),
    Row(
        "the only sub-section of an implicit table",
        "[o]\n[a.b]\nx = 1\n",
        ("delete", "a.b"),
        may("[o]\n"),
    ),
    Row(
        "dotted keys",
        "b = 1\n# ax\na.x = 1\na.y = 2 # ay\nc = 3\n",
        ("delete", "a"),
        "b = 1\nc = 3\n",
    ),
    Row("one dotted key", "a.x = 1\na.y = 2\n", ("delete", "a.x"), "a.y = 2\n"),
    Row("the only dotted key", "a.x = 1 # t\nb = 1\n", ("delete", "a.x"), may("b = 1\n")),
    Row("the only deep dotted key", "a.x.y = 1\na.z = 1\n", ("delete", "a.x.y"), may("a.z = 1\n")),
    Row(
        "dotted keys and their sections",
        "[s]\na.x = 1\nb = 1\n[s.a.t]\ny = 1\n[o]\n",
        ("delete", "s.a"),
        "[s]\nb = 1\n[o]\n",
    ),
    Row(
        "dotted keys, not their section",
        "[s]\na.x = 1\n[s.a.t]\ny = 1\n",
        ("delete", "s.a.x"),
        "[s]\n[s.a.t]\ny = 1\n",
    ),
    Row("an inline table", "a = {x = 1}\nb = 1\n", ("delete", "a"), "b = 1\n"),
    Row(
        "the first inline entry",
        "a = {x = 1, y = 2, z = 3}\n",
        ("delete", "a.x"),
        "a = {y = 2, z = 3}\n",
    ),
    Row(
        "a middle inline entry",
        "a = {x = 1, y = 2, z = 3}\n",
        ("delete", "a.y"),
        "a = {x = 1, z = 3}\n",
    ),
    Row(
        "the last inline entry",
        "a = { x = 1, y = 2 } # t\n",
        ("delete", "a.y"),
        "a = { x = 1 } # t\n",
    ),
    Row(
        "the only inline entry",
        "a = { x = 1 } # t\n",
        ("delete", "a.x"),
        one_of("a = {} # t\n", "a = { } # t\n"),
    ),
    Row(
        "inline entries one by one",
        "a = {x = 1, y = 2, z = 3}\n",
        (("delete", "a.z"), ("delete", "a.x"), ("delete", "a.y")),
        one_of("a = {}\n", "a = { }\n"),
    ),
    Row(
        "inline dotted entries",
        "a = {x.k = 1, y = 2, x.l = 3}\n",
        ("delete", "a.x"),
        "a = {y = 2}\n",
    ),
    Row(
        "a comma in an inline text is none",
        "a = {x = ',', y = \"}\", z = [1,]}\n",
        ("delete", "a.y"),
        "a = {x = ',', z = [1,]}\n",
    ),
    Row("the first item", "a = [1, 2, 3]\n", ("delete", "a[0]"), "a = [2, 3]\n"),
    Row("a middle item", "a = [1, 2, 3]\n", ("delete", "a[1]"), "a = [1, 3]\n"),
    Row("the last item", "a = [1, 2, 3]\n", ("delete", "a[2]"), "a = [1, 2]\n"),
    Row("the only item", "a = [1]\n", ("delete", "a[0]"), "a = []\n"),
    Row(
        "all items",
        "a = [1, 2, 3] # t\n",
        ("delete", "a[*]"),
        one_of("a = [] # t\n", "a = [ ] # t\n"),
    ),
    Row("the last item of a padded list", "a = [ 1, 2 ]\n", ("delete", "a[1]"), "a = [ 1 ]\n"),
    Row("the first item of a padded list", "a = [ 1, 2 ]\n", ("delete", "a[0]"), "a = [ 2 ]\n"),
    Row("the last item before a trailing comma", "a = [1, 2,]\n", ("delete", "a[1]"), "a = [1,]\n"),
    Row(
        "an item among brackets in texts",
        "a = [']', \"[\", '#']\n",
        ("delete", "a[1]"),
        "a = [']', '#']\n",
    ),
    Row(
        "an item's lines",
        "a = [\n  1, # one\n  # two's\n  2, # two\n  # three's\n  3, # three\n]\n",
        ("delete", "a[1]"),
        "a = [\n  1, # one\n  # three's\n  3, # three\n]\n",
    ),
    Row(
        "the first item's lines",
        "a = [\n  1, # one\n  2, # two\n]\n",
        ("delete", "a[0]"),
        "a = [\n  2, # two\n]\n",
    ),
    Row(
        "the last item's lines",
        "a = [\n  1, # one\n  2, # two\n]\n",
        ("delete", "a[1]"),
        "a = [\n  1, # one\n]\n",
    ),
    Row(
        "the last item's lines without trailing comma",
        "a = [\n  1, # one\n  2 # two\n]\n",
        ("delete", "a[1]"),
        "a = [\n  1 # one\n]\n",
    ),
    Row(
        "the only item's lines",
        "a = [\n  1, # one\n]\nb = 1\n",
        ("delete", "a[0]"),
        one_of("a = [\n]\nb = 1\n", "a = []\nb = 1\n"),
    ),
    Row(
        "an item beside another on a line",
        "a = [\n  1, 2,\n  3,\n]\n",
        ("delete", "a[0]"),
        "a = [\n  2,\n  3,\n]\n",
    ),
    Row(
        "an item at the end of a line",
        "a = [\n  1, 2,\n  3,\n]\n",
        ("delete", "a[1]"),
        "a = [\n  1,\n  3,\n]\n",
    ),
    Row(
        "an item at the end of a line with a comment",
        "a = [\n  1, 2, # both\n  3,\n]\n",
        ("delete", "a[1]"),
        means("  3,\n]\n"),
    ),
    Row(
        "an item behind a leading comma",
        "a = [ 1 # one\n    , 2 # two\n    , 3\n    ]\n",
        ("delete", "a[1]"),
        either("a = [ 1 # one\n    , 3\n    ]\n"),
    ),
    Row(
        "the item behind the last leading comma",
        "a = [ 1\n    , 2 # two\n    ]\n",
        ("delete", "a[1]"),
        either("a = [ 1\n    ]\n"),
    ),
    Row(
        "an item on the bracket's line",
        "a = [1, # one\n     2, # two\n     3] # t\n",
        ("delete", "a[0]"),
        may("3] # t\n"),
    ),
    Row(
        "the last item on the bracket's line",
        "a = [1, # one\n     2, # two\n     3] # t\n",
        ("delete", "a[2]"),
        may("a = [1, # one\n     2", "] # t\n"),
    ),
    Row(
        "a comment at the end of a list stays",
        "a = [\n  1,\n  2,\n  # end\n]\n",
        ("delete", "a[1]"),
        "a = [\n  1,\n  # end\n]\n",
    ),
    Row(
        "a multi-line item",
        "a = [\n  { x = 1 },\n  '''\n# no\n''', # t\n  [\n    1,\n  ],\n]\n",
        ("delete", "a[1]"),
        "a = [\n  { x = 1 },\n  [\n    1,\n  ],\n]\n",
    ),
    Row(
        "an item of a nested list", "a = [[1, 2], [3]]\n", ("delete", "a[0][1]"), "a = [[1], [3]]\n"
    ),
    Row(
        "the first of several tables",
        "[[a]]\nx = 1\n[a.s]\n\n# two\n[[a]]\nx = 2\n[a.s]\n[b]\n",
        ("delete", "a[0]"),
        blanks("# two\n[[a]]\nx = 2\n[a.s]\n[b]\n"),
    ),
    Row(
        "the second of several tables",
        "[[a]]\nx = 1\n[a.s]\n# two\n[[a]]\nx = 2\n[a.s]\n[b]\n[[a]]\nx = 3\n",
        ("delete", "a[1]"),
        "[[a]]\nx = 1\n[a.s]\n[b]\n[[a]]\nx = 3\n",
    ),
    Row(
        "a scattered table of several",
        "[[a]]\nx = 1\n[b]\n[a.s]\ny = 1\n[[a]]\n[c]\n[a.s]\n",
        ("delete", "a[1]"),
        "[[a]]\nx = 1\n[b]\n[a.s]\ny = 1\n[c]\n",
    ),
    Row(
        "a table of several in a table of several",
        "[[a]]\n[[a.b]]\nx = 1\n[[a.b]]\nx = 2\n[[a]]\n[[a.b]]\nx = 3\n",
        ("delete", "a[0].b[1]"),
        "[[a]]\n[[a.b]]\nx = 1\n[[a]]\n[[a.b]]\nx = 3\n",
    ),
    Row(
        "all of several tables",
        "[o]\n[[a]]\nx = 1\n[[a]]\nx = 2\n[b]\n",
        ("delete", "a"),
        "[o]\n[b]\n",
    ),
    Row(
        "every one of several tables",
        "[o]\n[[a]]\nx = 1\n[[a]]\nx = 2\n[b]\n",
        ("delete", "a[*]"),
        may("[o]\n", "[b]\n"),
    ),
    Row(
        "the only one of several tables",
        "q = 1\n[[a]]\nx = 1\n",
        ("delete", "a[0]"),
        may("q = 1\n"),
    ),
    Row(
        "a key of every one of several tables",
        "[[a]]\nx = 1\n[[a]]\nx = 2\ny = 1\n",
        ("delete", "a[*].x"),
        "[[a]]\n[[a]]\ny = 1\n",
    ),
    Row(
        "a sub-table of every one of several tables",
        "[[a]]\n[a.s]\nx = 1\n[[a]]\n[a.s]\n[b]\n",
        ("delete", "a[*].s"),
        "[[a]]\n[[a]]\n[b]\n",
    ),
    Row(
        "a key and write it again",
        "a = 1 # t\nb = 2\n",
        (("delete", "a"), ("set", "a", 5)),
        one_of("b = 2\na = 5\n", "a = 5\nb = 2\n"),
    ),
    Row(
        "a section and write it again",
        "[a]\nx = 1\n[b]\ny = 1\n",
        (("delete", "a"), ("set", "a", {"z": 1})),
        means("[b]\ny = 1\n"),
    ),
]
DELETES = [Row(f"delete: {r.name}", r.source, r.op, r.want) for r in DELETES]

ADDS = [
    Row("to an empty file", "", ("set", "a", 1), "a = 1\n"),
    Row("to a file of comments", "# only\n", ("set", "a", 1), "# only\na = 1\n"),
    Row(
        "to a file of a comment without newline",
        "# only",
        ("set", "a", 1),
        one_of("# only\na = 1", "# only\na = 1\n"),
    ),
    Row("below the last key", "a = 1\n", ("set", "b", 2), "a = 1\nb = 2\n"),
    Row("below a trailing comment", "a = 1 # t\n", ("set", "b", "x"), 'a = 1 # t\nb = "x"\n'),
    Row("without final newline", "a = 1", ("set", "b", 2), "a = 1\nb = 2"),
    Row("below a comment without final newline", "a = 1 # t", ("set", "b", 2), "a = 1 # t\nb = 2"),
    Row("above a footer", "a = 1\n\n# end\n", ("set", "b", 2), "a = 1\nb = 2\n\n# end\n"),
    Row(
        "a root key before the first header",
        "a = 1\n\n[t]\nx = 1\n",
        ("set", "b", 2),
        "a = 1\nb = 2\n\n[t]\nx = 1\n",
    ),
    Row(
        "a root key before a commented header",
        "a = 1\n\n# t's\n[t]\nx = 1\n",
        ("set", "b", 2),
        "a = 1\nb = 2\n\n# t's\n[t]\nx = 1\n",
    ),
    Row(
        "a root key before any header",
        "[t]\nx = 1\n",
        ("set", "b", 2),
        blanks("b = 2\n[t]\nx = 1\n"),
    ),
    Row(
        "a root key before an array of tables",
        "[[t]]\nx = 1\n",
        ("set", "b", 2),
        blanks("b = 2\n[[t]]\nx = 1\n"),
    ),
    Row(
        "a root key below the file's header",
        "# head\n\n[t]\nx = 1\n",
        ("set", "b", 2),
        blanks("# head\nb = 2\n[t]\nx = 1\n"),
    ),
    Row(
        "a root key below the file's header of two parts",
        "# head\n\n# t's\n[t]\nx = 1\n",
        ("set", "b", 2),
        blanks("# head\nb = 2\n# t's\n[t]\nx = 1\n", "# head\n# t's\nb = 2\n[t]\nx = 1\n"),
    ),
    Row(
        "two root keys in order",
        "a = 1\n[t]\n",
        (("set", "b", 2), ("set", "c", 3)),
        "a = 1\nb = 2\nc = 3\n[t]\n",
    ),
    Row(
        "below a multi-line string",
        'a = """\nb = 1\n"""\n[t]\n',
        ("set", "b", 2),
        'a = """\nb = 1\n"""\nb = 2\n[t]\n',
    ),
    Row(
        "below a multi-line list",
        "a = [\n  1,\n] # t\n[t]\n",
        ("set", "b", 2),
        "a = [\n  1,\n] # t\nb = 2\n[t]\n",
    ),
    Row(
        "to a section",
        "[a]\nx = 1 # x\n\n[b]\ny = 1\n",
        ("set", "a.z", 2),
        "[a]\nx = 1 # x\nz = 2\n\n[b]\ny = 1\n",
    ),
    Row("to the last section", "[a]\nx = 1\n", ("set", "a.z", True), "[a]\nx = 1\nz = true\n"),
    Row(
        "to a section above a comment",
        "[a]\nx = 1\n# b's\n[b]\n",
        ("set", "a.z", 2),
        "[a]\nx = 1\nz = 2\n# b's\n[b]\n",
    ),
    Row(
        "to a section above a footer",
        "[a]\nx = 1\n\n# end\n",
        ("set", "a.z", 2),
        "[a]\nx = 1\nz = 2\n\n# end\n",
    ),
    Row(
        "to a section above its sub-section",
        "[a]\nx = 1\n[a.b]\ny = 1\n",
        ("set", "a.z", 2),
        "[a]\nx = 1\nz = 2\n[a.b]\ny = 1\n",
    ),
    Row(
        "to an indented section",
        "[a]\n  x = 1\n[b]\n",
        ("set", "a.z", [1]),
        "[a]\n  x = 1\n  z = [1]\n[b]\n",
    ),
    Row(
        "to a section indented by a tab",
        "[a]\n\tx = 1\n[b]\n",
        ("set", "a.z", 1),
        "[a]\n\tx = 1\n\tz = 1\n[b]\n",
    ),
    Row("to an empty section", "[a]\n[b]\ny = 1\n", ("set", "a.z", 2), "[a]\nz = 2\n[b]\ny = 1\n"),
    Row(
        "to an empty section with a comment",
        "[a] # a\n\n[b]\n",
        ("set", "a.z", 2),
        "[a] # a\nz = 2\n\n[b]\n",
    ),
    Row(
        "to an empty section without final newline",
        "[a]",
        ("set", "a.z", 2),
        one_of("[a]\nz = 2", "[a]\nz = 2\n"),
    ),
    Row(
        "to a section of comments",
        "[a]\n# x = 1\n\n[b]\n",
        ("set", "a.x", 2),
        one_of("[a]\n# x = 1\nx = 2\n\n[b]\n", "[a]\nx = 2\n# x = 1\n\n[b]\n"),
    ),
    Row(
        "to a super-table after its sub-table",
        "[a.b]\nx = 1\n\n[a]\ny = 1\n\n[c]\n",
        ("set", "a.z", 2),
        "[a.b]\nx = 1\n\n[a]\ny = 1\nz = 2\n\n[c]\n",
    ),
    Row(
        "to an implicit table",
        "[o]\n[a.b]\nx = 1\n[p]\n",
        ("set", "a.z", 2),
        means("[o]\n", "[a.b]\nx = 1\n", "[p]\n"),
    ),
    Row(
        "twice to an implicit table",
        "[a.b]\nx = 1\n",
        (("set", "a.z", 2), ("set", "a.y", 3)),
        means("[a.b]\nx = 1\n"),
    ),
    Row(
        "to a deep implicit table",
        "[a.b.c]\nx = 1\n[a.b.d]\n",
        ("set", "a.b.z", 2),
        means("[a.b.c]\nx = 1\n", "[a.b.d]\n"),
    ),
    Row(
        "to an implicit table of tables",
        "[[a.b]]\nx = 1\n[[a.b]]\n",
        ("set", "a.z", 2),
        means("[[a.b]]\nx = 1\n[[a.b]]\n"),
    ),
    Row(
        "to an implicit table below a table of several",
        "[[t]]\n[t.a.b]\nx = 1\n[[t]]\n[t.a.b]\n",
        ("set", "t[0].a.z", 2),
        may("[t.a.b]\nx = 1\n"),
    ),
    Row(
        "to one of several tables",
        "[[a]]\nx = 1\n\n[[a]]\nx = 2\n",
        ("set", "a[0].z", 2),
        "[[a]]\nx = 1\nz = 2\n\n[[a]]\nx = 2\n",
    ),
    Row(
        "to the last of several tables",
        "[[a]]\nx = 1\n[[a]]\nx = 2\n[a.s]\n",
        ("set", "a[1].z", 2),
        "[[a]]\nx = 1\n[[a]]\nx = 2\nz = 2\n[a.s]\n",
    ),
    Row(
        "to dotted keys",
        "a.x = 1\na.y = 2 # t\nb = 1\n",
        ("set", "a.z", 3),
        "a.x = 1\na.y = 2 # t\na.z = 3\nb = 1\n",
    ),
    Row(
        "to scattered dotted keys",
        "a.x = 1\nb = 1\na.y = 2\nc = 1\n",
        ("set", "a.z", 3),
        "a.x = 1\nb = 1\na.y = 2\na.z = 3\nc = 1\n",
    ),
    Row(
        "to deep dotted keys",
        "a.b.c = 1\na.b.d = 2\n[t]\n",
        ("set", "a.b.e", 3),
        "a.b.c = 1\na.b.d = 2\na.b.e = 3\n[t]\n",
    ),
    Row(
        "beside deep dotted keys",
        "a.b.c = 1\n[t]\n",
        ("set", "a.e", 3),
        "a.b.c = 1\na.e = 3\n[t]\n",
    ),
    Row(
        "to dotted keys with quotes",
        "\"a b\".'c d'.x = 1\n",
        ("set", "['a b']['c d'].y", 2),
        one_of(
            "\"a b\".'c d'.x = 1\n\"a b\".'c d'.y = 2\n", '"a b".\'c d\'.x = 1\n"a b"."c d".y = 2\n'
        ),
    ),
    Row(
        "to indented dotted keys",
        "[s]\n  a.x = 1\n\n[t]\n",
        ("set", "s.a.z", 2),
        "[s]\n  a.x = 1\n  a.z = 2\n\n[t]\n",
    ),
    Row(
        "to a section of dotted keys",
        "[s]\na.x = 1\n[t]\n",
        ("set", "s.z", 2),
        "[s]\na.x = 1\nz = 2\n[t]\n",
    ),
    Row(
        "to dotted keys with sub-sections",
        "[s]\na.x = 1\n[s.a.t]\ny = 1\n",
        ("set", "s.a.z", 2),
        "[s]\na.x = 1\na.z = 2\n[s.a.t]\ny = 1\n",
    ),
    Row(
        "an object to dotted keys",
        "a.x = 1\nb = 1\n[t]\n",
        ("set", "a.m", {"k": 1}),
        means("a.x = 1\n", "b = 1\n", "[t]\n"),
    ),
    Row(
        "an empty object to dotted keys",
        "a.x = 1\nb = 1\n",
        ("set", "a.m", {}),
        "a.x = 1\na.m = {}\nb = 1\n",
    ),
    Row(
        "a list of objects to dotted keys",
        "a.x = 1\n[t]\n",
        ("set", "a.m", [{"k": 1}]),
        means("a.x = 1\n", "[t]\n"),
    ),
    Row("to an inline table", "a = {x = 1} # t\n", ("set", "a.z", 2), "a = {x = 1, z = 2} # t\n"),
    Row(
        "to a padded inline table",
        "a = { x = 1 } # t\n",
        ("set", "a.z", 2),
        "a = { x = 1, z = 2 } # t\n",
    ),
    Row(
        "to an empty inline table",
        "a = {} # t\n",
        ("set", "a.z", 2),
        one_of("a = {z = 2} # t\n", "a = { z = 2 } # t\n"),
    ),
    Row(
        "to an inline table of dotted keys",
        "a = {x.k = 1, y = 1}\n",
        ("set", "a.x.l", 2),
        one_of(
            "a = {x.k = 1, x.l = 2, y = 1}\n",
            "a = {x.k = 1, y = 1, x.l = 2}\n",
            "a = {x = {k = 1, l = 2}, y = 1}\n",
            "a = {x = { k = 1, l = 2 }, y = 1}\n",
        ),
    ),
    Row(
        "an object to an inline table",
        "a = {x = 1}\n[t]\n",
        ("set", "a.m", {"k": [1]}),
        one_of("a = {x = 1, m = {k = [1]}}\n[t]\n", "a = {x = 1, m = { k = [1] }}\n[t]\n"),
    ),
    Row(
        "a list of objects to an inline table",
        "a = {x = 1}\n[t]\n",
        ("set", "a.m", [{"k": 1}, {}]),
        one_of("a = {x = 1, m = [{k = 1}, {}]}\n[t]\n", "a = {x = 1, m = [{ k = 1 }, {}]}\n[t]\n"),
    ),
    Row(
        "a long text to an inline table",
        "a = {x = 1}\n",
        ("set", "a.m", "x\ny"),
        'a = {x = 1, m = "x\\ny"}\n',
    ),
    Row(
        "to an inline table in a list",
        "a = [{x = 1}, {x = 2}]\n",
        ("set", "a[1].z", 2),
        "a = [{x = 1}, {x = 2, z = 2}]\n",
    ),
    Row(
        "through an inline table",
        "a = {x = {y = {}}}\n",
        ("set", "a.x.y.z", 1),
        one_of("a = {x = {y = {z = 1}}}\n", "a = {x = {y = { z = 1 }}}\n"),
    ),
    Row("an empty object", "[a]\nx = 1\n[b]\n", ("set", "a.z", {}), "[a]\nx = 1\nz = {}\n[b]\n"),
    Row("an empty list", "[a]\nx = 1\n[b]\n", ("set", "a.z", []), "[a]\nx = 1\nz = []\n[b]\n"),
    Row(
        "a mixed list",
        "[a]\nx = 1\n[b]\n",
        ("set", "a.z", [1, {"k": 1}]),
        one_of("[a]\nx = 1\nz = [1, {k = 1}]\n[b]\n", "[a]\nx = 1\nz = [1, { k = 1 }]\n[b]\n"),
    ),
    Row("a list with an empty object", "x = 1\n", ("set", "z", [{}]), means("x = 1\n")),
    Row(
        "a list of lists of objects",
        "x = 1\n",
        ("set", "z", [[{"k": 1}], []]),
        one_of("x = 1\nz = [[{k = 1}], []]\n", "x = 1\nz = [[{ k = 1 }], []]\n"),
    ),
    Row(
        "an object to the root",
        "x = 1\n",
        ("set", "a", {"k": 1, "l": "y"}),
        blanks('x = 1\n[a]\nk = 1\nl = "y"\n'),
    ),
    Row("an object to an empty file", "", ("set", "a", {"k": 1}), blanks("[a]\nk = 1\n")),
    Row(
        "an object to the root without final newline",
        "x = 1",
        ("set", "a", {"k": 1}),
        blanks("x = 1\n[a]\nk = 1", "x = 1\n[a]\nk = 1\n"),
    ),
    Row(
        "an object to the root below all sections",
        "x = 1\n[t]\ny = 1\n\n# end\n",
        ("set", "a", {"k": 1}),
        means("x = 1\n[t]\ny = 1\n\n", "[a]\nk = 1"),
    ),
    Row(
        "an object in an object",
        "x = 1\n",
        ("set", "a", {"k": 1, "m": {"j": 2}, "e": {}}),
        blanks(
            "x = 1\n[a]\nk = 1\ne = {}\n[a.m]\nj = 2\n", "x = 1\n[a]\nk = 1\n[a.m]\nj = 2\n[a.e]\n"
        ),
    ),
    Row(
        "a scalar behind an object in an object",
        "x = 1\n",
        ("set", "a", {"m": {"j": 2}, "k": 1}),
        blanks("x = 1\n[a]\nk = 1\n[a.m]\nj = 2\n"),
    ),
    Row(
        "an object of objects only",
        "x = 1\n",
        ("set", "a", {"m": {"n": {"j": 2}}}),
        blanks("x = 1\n[a.m.n]\nj = 2\n", "x = 1\n[a]\n[a.m]\n[a.m.n]\nj = 2\n"),
    ),
    Row(
        "missing parents",
        "x = 1\n",
        ("set", "a.b.c", 1),
        blanks("x = 1\n[a.b]\nc = 1\n", "x = 1\n[a]\n[a.b]\nc = 1\n"),
    ),
    Row(
        "missing parents and more",
        "x = 1\n",
        (("set", "a.b.c", 1), ("set", "a.d", 2), ("set", "y", 3)),
        blanks("x = 1\ny = 3\n[a]\nd = 2\n[a.b]\nc = 1\n"),
    ),
    Row(
        "an object to a section",
        "[a]\nx = 1\n\n[b]\ny = 1\n",
        ("set", "a.m", {"k": 1}),
        blanks("[a]\nx = 1\n\n[a.m]\nk = 1\n\n[b]\ny = 1\n"),
    ),
    Row(
        "an object to a section above a comment",
        "[a]\nx = 1\n\n# b's\n[b]\ny = 1\n",
        ("set", "a.m", {"k": 1}),
        blanks("[a]\nx = 1\n\n[a.m]\nk = 1\n\n# b's\n[b]\ny = 1\n"),
    ),
    Row(
        "an object below the other sub-sections",
        "[a]\n[a.s]\nx = 1\n[b]\n",
        ("set", "a.m", {"k": 1}),
        blanks("[a]\n[a.s]\nx = 1\n[a.m]\nk = 1\n[b]\n"),
    ),
    Row(
        "an object to an implicit table",
        "[a.s]\nx = 1\n[b]\n",
        ("set", "a.m", {"k": 1}),
        blanks("[a.s]\nx = 1\n[a.m]\nk = 1\n[b]\n"),
    ),
    Row(
        "an object to an indented section",
        "[a]\n  x = 1\n  [a.s]\n    y = 1\n[b]\n",
        ("set", "a.m", {"k": 1}),
        means("[a]\n  x = 1\n  [a.s]\n    y = 1\n", "[a.m]", "[b]\n"),
    ),
    Row(
        "an object to the first of several tables",
        "[[a]]\nx = 1\n[[a]]\nx = 2\n",
        ("set", "a[0].m", {"k": 1}),
        blanks("[[a]]\nx = 1\n[a.m]\nk = 1\n[[a]]\nx = 2\n"),
    ),
    Row(
        "an object to the last of several tables",
        "[[a]]\nx = 1\n[[a]]\nx = 2\n[b]\n",
        ("set", "a[1].m", {"k": 1}),
        blanks("[[a]]\nx = 1\n[[a]]\nx = 2\n[a.m]\nk = 1\n[b]\n"),
    ),
    Row(
        "an object to a sub-table of several",
        "[[a]]\n[a.s]\nx = 1\n[[a]]\n[a.s]\nx = 2\n",
        ("set", "a[0].s.m", {"k": 1}),
        blanks("[[a]]\n[a.s]\nx = 1\n[a.s.m]\nk = 1\n[[a]]\n[a.s]\nx = 2\n"),
    ),
    Row(
        "a list of objects",
        "x = 1\n",
        ("set", "a", [{"k": 1}, {"k": 2, "l": [1]}]),
        blanks("x = 1\n[[a]]\nk = 1\n[[a]]\nk = 2\nl = [1]\n"),
    ),
    Row(
        "a list of objects to a section",
        "[a]\nx = 1\n[b]\n",
        ("set", "a.m", [{"k": 1}]),
        blanks("[a]\nx = 1\n[[a.m]]\nk = 1\n[b]\n"),
    ),
    Row(
        "a list of objects of objects",
        "x = 1\n",
        ("set", "a", [{"m": {"k": 1}}, {"m": {"k": 2}}]),
        means("x = 1\n"),
    ),
    Row(
        "a table to several",
        "[[a]]\nx = 1\n\n[[a]]\nx = 2\n\n[b]\n",
        ("append", "a", {"x": 3}),
        blanks("[[a]]\nx = 1\n[[a]]\nx = 2\n[[a]]\nx = 3\n[b]\n"),
    ),
    Row(
        "a table below sub-tables of several",
        "[[a]]\nx = 1\n[a.s]\ny = 1\n# b's\n[b]\n",
        ("append", "a", {"x": 3}),
        blanks("[[a]]\nx = 1\n[a.s]\ny = 1\n[[a]]\nx = 3\n# b's\n[b]\n"),
    ),
    Row(
        "a table at the end of several without final newline",
        "[[a]]\nx = 1",
        ("append", "a", {"x": 3}),
        blanks("[[a]]\nx = 1\n[[a]]\nx = 3", "[[a]]\nx = 1\n[[a]]\nx = 3\n"),
    ),
    Row(
        "a table in front of several",
        "[o]\n\n# one\n[[a]]\nx = 1\n[a.s]\n",
        ("insert", "a", 0, {"x": 0}),
        blanks("[o]\n[[a]]\nx = 0\n# one\n[[a]]\nx = 1\n[a.s]\n"),
    ),
    Row(
        "a table between several",
        "[[a]]\nx = 1\n[a.s]\n# two\n[[a]]\nx = 2\n",
        ("insert", "a", 1, {"x": 0}),
        blanks("[[a]]\nx = 1\n[a.s]\n[[a]]\nx = 0\n# two\n[[a]]\nx = 2\n"),
    ),
    Row(
        "a table between scattered ones",
        "[[a]]\nx = 1\n[b]\n[[a]]\nx = 2\n",
        ("insert", "a", 1, {"x": 0}),
        blanks(
            "[[a]]\nx = 1\n[[a]]\nx = 0\n[b]\n[[a]]\nx = 2\n",
            "[[a]]\nx = 1\n[b]\n[[a]]\nx = 0\n[[a]]\nx = 2\n",
        ),
    ),
    Row(
        "an empty table to several",
        "[[a]]\nx = 1\n",
        ("append", "a", {}),
        blanks("[[a]]\nx = 1\n[[a]]\n"),
    ),
    Row(
        "a table with sub-tables to several",
        "[[a]]\nx = 1\n[b]\n",
        ("append", "a", {"x": 2, "s": {"y": 1}, "t": [{"z": 1}]}),
        means("[[a]]\nx = 1\n", "[b]\n"),
    ),
    Row(
        "a table to several in one of several",
        "[[a]]\n[[a.b]]\nx = 1\n[[a]]\n[[a.b]]\nx = 2\n",
        ("append", "a[0].b", {"x": 3}),
        blanks("[[a]]\n[[a.b]]\nx = 1\n[[a.b]]\nx = 3\n[[a]]\n[[a.b]]\nx = 2\n"),
    ),
    Row("a scalar to several tables", "[[a]]\nx = 1\n", ("append", "a", 5), may()),
    Row("an item", "a = [1, 2] # t\n", ("append", "a", 3), "a = [1, 2, 3] # t\n"),
    Row("an item to a padded list", "a = [ 1, 2 ]\n", ("append", "a", 3), "a = [ 1, 2, 3 ]\n"),
    Row("an item to an empty list", "a = [] # t\n", ("append", "a", "x"), 'a = ["x"] # t\n'),
    Row(
        "an item to an empty padded list",
        "a = [ ]\n",
        ("append", "a", 1),
        one_of("a = [1]\n", "a = [ 1 ]\n"),
    ),
    Row(
        "an item behind a trailing comma",
        "a = [1, 2,]\n",
        ("append", "a", 3),
        one_of("a = [1, 2, 3,]\n", "a = [1, 2,3,]\n"),
    ),
    Row("an item in front", "a = [1, 2]\n", ("insert", "a", 0, 0), "a = [0, 1, 2]\n"),
    Row("an item in the middle", "a = [1, 2]\n", ("insert", "a", 1, 0), "a = [1, 0, 2]\n"),
    Row(
        "an item to a multi-line list",
        "a = [\n  1, # one\n  2, # two\n]\n",
        ("append", "a", 3),
        "a = [\n  1, # one\n  2, # two\n  3,\n]\n",
    ),
    Row(
        "an item to a multi-line list without trailing comma",
        "a = [\n  1, # one\n  2 # two\n]\n",
        ("append", "a", 3),
        "a = [\n  1, # one\n  2, # two\n  3\n]\n",
    ),
    Row(
        "an item above a comment at the end",
        "a = [\n  1,\n  # end\n]\n",
        ("append", "a", 3),
        one_of("a = [\n  1,\n  3,\n  # end\n]\n", "a = [\n  1,\n  # end\n  3,\n]\n"),
    ),
    Row(
        "an item to a multi-line list of a comment",
        "a = [\n  # none\n]\n",
        ("append", "a", 3),
        may("# none\n"),
    ),
    Row("an item to an empty multi-line list", "a = [\n]\n", ("append", "a", 3), means()),
    Row(
        "the first item to a multi-line list",
        "a = [\n  # one's\n  1, # one\n]\n",
        ("insert", "a", 0, 0),
        "a = [\n  0,\n  # one's\n  1, # one\n]\n",
    ),
    Row(
        "an item in the middle of a multi-line list",
        "a = [\n  # one's\n  1, # one\n  # two's\n  2, # two\n]\n",
        ("insert", "a", 1, 0),
        "a = [\n  # one's\n  1, # one\n  0,\n  # two's\n  2, # two\n]\n",
    ),
    Row(
        "an item to a list with leading commas",
        "a = [ 1 # one\n    , 2 # two\n    ]\n",
        ("append", "a", 3),
        may("a = [ 1 # one\n"),
    ),
    Row(
        "an item to a list that ends on its bracket's line",
        "a = [1, # one\n     2] # t\n",
        ("append", "a", 3),
        may("a = [1, # one\n     2", "] # t\n"),
    ),
    Row(
        "an item to a list of several on a line",
        "a = [\n  1, 2,\n  3, 4,\n]\n",
        ("append", "a", 5),
        means("  1, 2,\n  3, 4,"),
    ),
    Row(
        "an inline table to a list",
        "a = [{ x = 1 }]\n",
        ("append", "a", {"x": 2}),
        one_of("a = [{ x = 1 }, { x = 2 }]\n", "a = [{ x = 1 }, {x = 2}]\n"),
    ),
    Row(
        "an inline table to a multi-line list",
        "a = [\n    {x = 1},\n]\n",
        ("append", "a", {"x": 2}),
        one_of(
            "a = [\n    {x = 1},\n    {x = 2},\n]\n", "a = [\n    {x = 1},\n    { x = 2 },\n]\n"
        ),
    ),
    Row(
        "items and take others",
        "a = [\n  1,\n  2,\n]\n",
        (("append", "a", 3), ("delete", "a[0]"), ("insert", "a", 0, 0)),
        "a = [\n  0,\n  2,\n  3,\n]\n",
    ),
    Row(
        "an item to a list in a text-like list",
        "a = [\"]\", '''\n]''']\n",
        ("append", "a", 3),
        means("a = [\"]\", '''\n]'''"),
    ),
    Row("a list takes a table's place", "[a]\nx = 1\n[b]\n", ("set", "a", [1]), means("[b]\n")),
    Row(
        "a scalar takes a table's place",
        "q = 1\n[o]\ny = 1\n[a]\nx = 1\n[a.s]\n[b]\n",
        ("set", "a", 5),
        blanks("q = 1\na = 5\n[o]\ny = 1\n[b]\n"),
    ),
    Row(
        "a scalar takes a sub-table's place",
        "[o]\ny = 1\n[o.a]\nx = 1\n[b]\n",
        ("set", "o.a", 5),
        blanks("[o]\ny = 1\na = 5\n[b]\n"),
    ),
    Row(
        "a scalar takes the place of several tables",
        "q = 1\n[[a]]\nx = 1\n[[a]]\n[b]\n",
        ("set", "a", 5),
        blanks("q = 1\na = 5\n[b]\n"),
    ),
    Row(
        "a scalar takes dotted keys' place",
        "a.x = 1\nb = 1\na.y = 2\n",
        ("set", "a", 5),
        one_of("a = 5\nb = 1\n", "b = 1\na = 5\n"),
    ),
    Row(
        "an object takes a table's place",
        "q = 1\n[a]\nx = 1\n[b]\n",
        ("set", "a", {"z": 1}),
        blanks("q = 1\n[a]\nz = 1\n[b]\n", "q = 1\n[b]\n[a]\nz = 1\n"),
    ),
    Row(
        "an object takes a scalar's place",
        "a = 1\nb = 1\n[t]\n",
        ("set", "a", {"z": 1}),
        means("b = 1\n", "[t]\n"),
    ),
    Row(
        "an object takes an inline table's place",
        "a = {x = 1} # t\nb = 1\n",
        ("set", "a", {"z": 1}),
        means("b = 1\n"),
    ),
    Row(
        "a list of objects takes a list's place",
        "a = [1] # t\nb = 1\n[t]\n",
        ("set", "a", [{"z": 1}]),
        means("b = 1\n", "[t]\n"),
    ),
    Row(
        "a table of several is set",
        "[[a]]\nx = 1\n[[a]]\nx = 2\n[b]\n",
        ("set", "a[0]", {"z": 1}),
        means("[[a]]\nx = 2\n[b]\n"),
    ),
    Row(
        "a table of several becomes a scalar",
        "[[a]]\nx = 1\n[[a]]\nx = 2\n",
        ("set", "a[0]", 5),
        may(),
    ),
    Row(
        "a scalar takes inline dotted keys' place",
        "a = {k.l = 1, m = 0x2}\n",
        ("set", "a.k", 5),
        one_of("a = {k = 5, m = 0x2}\n", "a = {m = 0x2, k = 5}\n"),
    ),
]
ADDS = [Row(f"add: {r.name}", r.source, r.op, r.want) for r in ADDS]

MOVES = [
    Row(
        "a key with its comments",
        "a = 1\n# c's\nc = 2 # t\n\n[d]\ne = 1\n",
        ("move", "c", "d.c"),
        "a = 1\n\n[d]\ne = 1\n# c's\nc = 2 # t\n",
    ),
    Row(
        "a key to another name",
        "a = 1\nc=2 # t\n[d]\ne = 1\n",
        ("move", "c", "d.z"),
        "a = 1\n[d]\ne = 1\nz=2 # t\n",
    ),
    Row(
        "a key to more indentation",
        "a = 1\n# c's\nc = 2 # t\n[d]\n  e = 1\n",
        ("move", "c", "d.c"),
        "a = 1\n[d]\n  e = 1\n  # c's\n  c = 2 # t\n",
    ),
    Row(
        "a key to less indentation",
        "[d]\n  e = 1\n  # f's\n  f = 1 # t\n[g]\nh = 1\n",
        ("move", "d.f", "g.f"),
        "[d]\n  e = 1\n[g]\nh = 1\n# f's\nf = 1 # t\n",
    ),
    Row(
        "the first key without the file's header",
        "# head\n\nc = 2 # t\n[d]\ne = 1\n",
        ("move", "c", "d.c"),
        "# head\n\n[d]\ne = 1\nc = 2 # t\n",
    ),
    Row(
        "a key to the root",
        "[d]\ne = 1\nf = 2 # t\n",
        ("move", "d.f", "f"),
        blanks("f = 2 # t\n[d]\ne = 1\n"),
    ),
    Row(
        "a key to the root below others",
        "a = 1\n\n[d]\ne = 1\n# f's\nf = 2\n",
        ("move", "d.f", "f"),
        "a = 1\n# f's\nf = 2\n\n[d]\ne = 1\n",
    ),
    Row(
        "a key to a section above",
        "[a]\nx = 1\n\n[b]\ny = 1 # t\n",
        ("move", "b.y", "a.y"),
        "[a]\nx = 1\ny = 1 # t\n\n[b]\n",
    ),
    Row(
        "a key to an empty section", "c = 1\n[d]\n[e]\n", ("move", "c", "d.c"), "[d]\nc = 1\n[e]\n"
    ),
    Row(
        "a key to a new section",
        "a = 1\n# c's\nc = 2 # t\n",
        ("move", "c", "d.c"),
        blanks("a = 1\n[d]\n# c's\nc = 2 # t\n"),
    ),
    Row(
        "two keys to a new section",
        "a = 1\nb = 2 # b\nc = 3 # c\n[t]\n",
        (("move", "b", "d.b"), ("move", "c", "d.c")),
        blanks("a = 1\n[t]\n[d]\nb = 2 # b\nc = 3 # c\n"),
    ),
    Row(
        "a key to a new sub-section",
        "[a]\nx = 1\ny = 2 # t\n\n[b]\n",
        ("move", "a.y", "a.s.y"),
        blanks("[a]\nx = 1\n\n[a.s]\ny = 2 # t\n\n[b]\n"),
    ),
    Row(
        "the last key without final newline",
        "[d]\ne = 1\n[c]\nx = 1\ny = 2",
        ("move", "c.y", "d.y"),
        "[d]\ne = 1\ny = 2\n[c]\nx = 1",
    ),
    Row(
        "a key to the end without final newline",
        "c = 2\n[d]\ne = 1",
        ("move", "c", "d.c"),
        "[d]\ne = 1\nc = 2",
    ),
    Row(
        "a number's text",
        "a = 0xFF\nb = 1_0.50\nc = 1979-05-27 07:32:00\nd = +inf\n[t]\n",
        (("move", "a", "t.a"), ("move", "b", "t.b"), ("move", "c", "t.c"), ("move", "d", "t.d")),
        "[t]\na = 0xFF\nb = 1_0.50\nc = 1979-05-27 07:32:00\nd = +inf\n",
    ),
    Row(
        "a multi-line string's text",
        's = """\nx\n  y # no\n  # no\n"""\n[t]\n    k = 1\n',
        ("move", "s", "t.s"),
        '[t]\n    k = 1\n    s = """\nx\n  y # no\n  # no\n"""\n',
    ),
    Row(
        "a multi-line string's text to less indentation",
        "[t]\n    k = 1\n    s = '''\n        x\n    y'''\n[u]\n",
        ("move", "t.s", "u.s"),
        means("s = '''\n        x\n    y'''\n"),
    ),
    Row(
        "a multi-line list",
        "l = [\n  1, # one\n  # two's\n  2,\n] # t\n[t]\nk = 1\n",
        ("move", "l", "t.l"),
        "[t]\nk = 1\nl = [\n  1, # one\n  # two's\n  2,\n] # t\n",
    ),
    Row(
        "a multi-line list to more indentation",
        "l = [\n  1, # one\n  '''\nx''',\n] # t\n[t]\n  k = 1\n",
        ("move", "l", "t.l"),
        means("[t]\n  k = 1\n  l = [\n", "1, # one\n", "'''\nx'''", "] # t\n"),
    ),
    Row(
        "an inline table",
        "a = 1\nl = {x = 1, y.z = 2} # t\n[t]\nk = 1\n",
        ("move", "l", "t.l"),
        "a = 1\n[t]\nk = 1\nl = {x = 1, y.z = 2} # t\n",
    ),
    Row(
        "a dotted key to a section",
        "a.x = 1\na.y = 2 # t\n[d]\ne = 1\n",
        ("move", "a.y", "d.y"),
        "a.x = 1\n[d]\ne = 1\ny = 2 # t\n",
    ),
    Row(
        "a key into dotted keys",
        "a.x = 1\nb = 1\nc = 2 # t\n",
        ("move", "c", "a.c"),
        "a.x = 1\na.c = 2 # t\nb = 1\n",
    ),
    Row(
        "a dotted key to the root",
        "a.x = 1\na.y = 2 # t\n",
        ("move", "a.y", "y"),
        "a.x = 1\ny = 2 # t\n",
    ),
    Row(
        "dotted keys to a section",
        "b = 1\na.x = 1 # x\na.y = 2\n[d]\ne = 1\n",
        ("move", "a", "d.a"),
        may("b = 1\n", "# x"),
    ),
    Row(
        "the only dotted key",
        "a.x = 1\n[d]\ne = 1\n",
        ("move", "a.x", "d.x"),
        may("[d]\ne = 1\nx = 1\n"),
    ),
    Row(
        "a key out of an inline table",
        "a = {x = 1, y = 2}\n[d]\ne = 1\n",
        ("move", "a.x", "d.x"),
        "a = {y = 2}\n[d]\ne = 1\nx = 1\n",
    ),
    Row(
        "a key into an inline table",
        "k = 0xF\na = { x = 1 } # t\n",
        ("move", "k", "a.k"),
        "a = { x = 1, k = 0xF } # t\n",
    ),
    Row(
        "a key with a comment into an inline table",
        "k = 1 # k\na = { x = 1 } # t\n",
        ("move", "k", "a.k"),
        may("# k", "# t"),
    ),
    Row(
        "a multi-line list into an inline table",
        "k = [\n  1, # one\n]\na = {x = 1}\n",
        ("move", "k", "a.k"),
        may("# one"),
    ),
    Row(
        "a multi-line string into an inline table",
        'k = """\nx"""\na = {x = 1}\n',
        ("move", "k", "a.k"),
        may(),
    ),
    Row(
        "a table into an inline table",
        "a = {x = 1}\n[k]\ny = 1 # y\n",
        ("move", "k", "a.k"),
        may("# y"),
    ),
    Row(
        "an inline table to a section's place",
        "[s]\na = {x = 1, y = 2}\n[t]\n",
        ("move", "s.a", "a"),
        means("a = {x = 1, y = 2}\n", "[s]\n"),
    ),
    Row("an item to a key", "a = [1, 0x2]\n", ("move", "a[1]", "b"), "a = [1]\nb = 0x2\n"),
    Row(
        "an item of a multi-line list to a key",
        "a = [\n  1, # one\n  0x2, # two\n]\n",
        ("move", "a[1]", "b"),
        may("  1, # one\n]", "b = 0x2"),
    ),
    Row(
        "an inline table of a list to a key",
        "a = [{x = 1}, {x = 0x2}]\n",
        ("move", "a[1]", "b"),
        means("a = [{x = 1}]\n"),
    ),
    Row(
        "a table of several to a key",
        "q = 1\n[[a]]\nx = 1 # x\n[a.s]\ny = 1\n[[a]]\nx = 2\n[z]\n",
        ("move", "a[0]", "b"),
        may("q = 1\n", "x = 1 # x\n", "[[a]]\nx = 2\n"),
    ),
    Row(
        "a sub-table of several to the root",
        "[[a]]\n[a.s]\n# x's\nx = 1\n[[a]]\n[a.s]\nx = 2\n",
        ("move", "a[1].s", "s"),
        may("[[a]]\n[a.s]\n# x's\nx = 1\n[[a]]\n", "[s]\nx = 2\n"),
    ),
    Row(
        "a table into one of several",
        "[b]\n# x's\nx = 1\n[[a]]\ny = 1\n[[a]]\ny = 2\n[c]\n",
        ("move", "b", "a[0].b"),
        may("[a.b]\n# x's\nx = 1\n", "[[a]]\ny = 2\n"),
    ),
    Row(
        "a table into the last of several",
        "[[a]]\ny = 1\n[[a]]\ny = 2\n[b]\nx = 1\n[b.s]\n[c]\n",
        ("move", "b", "a[1].b"),
        may("[a.b]\nx = 1\n", "[a.b.s]\n"),
    ),
    Row(
        "a sub-table of one to another of several",
        "[[a]]\n[a.s]\nx = 1\n[[a]]\ny = 1\n",
        ("move", "a[0].s", "a[1].s"),
        may("[a.s]\nx = 1\n", "[[a]]\ny = 1\n"),
    ),
    Row(
        "a key of one to another of several",
        "[[a]]\nx = 1 # x\n[[a]]\ny = 1\n",
        ("move", "a[0].x", "a[1].x"),
        "[[a]]\n[[a]]\ny = 1\nx = 1 # x\n",
    ),
    Row(
        "a section into another",
        "[a]\nx = 1\n# y's\ny = 2 # y\n\n[p]\nq = 1\n",
        ("move", "a", "p.a"),
        may("[p.a]\nx = 1\n# y's\ny = 2 # y\n", "[p]\nq = 1\n"),
    ),
    Row(
        "a section with all it has into another",
        "[p]\nq = 1\n[[p.r]]\n\n# a's\n[a] # a\nx = 0x1\n[ a . 'b' ]\n[o]\n"
        "# ct\n[[a.c.t]]\n  k = 1\n[[a.c.t]]\n[a.c.t.u]\n",
        ("move", "a", "p.z"),
        may(
            "# a's\n[p.z] # a\nx = 0x1\n",
            "# ct\n[[p.z.c.t]]\n  k = 1\n[[p.z.c.t]]\n[p.z.c.t.u]\n",
            "[o]\n",
        ),
    ),
    Row(
        "a section into a new one",
        "[a]\nx = 1 # x\n[b]\n",
        ("move", "a", "n.a"),
        may("[n.a]\nx = 1 # x\n", "[b]\n"),
    ),
    Row(
        "a sub-section to the root",
        "[p]\nq = 1\n\n# a's\n[p.a]\nx = 1\n[p.a.b]\n[o]\n",
        ("move", "p.a", "a"),
        may("# a's\n[a]\nx = 1\n[a.b]\n", "[p]\nq = 1\n"),
    ),
    Row(
        "a sub-section to another name in another section",
        "[p.a]\nx = 1\n[q]\n",
        ("move", "p.a", "q.b"),
        may("[q.b]\nx = 1\n"),
    ),
    Row(
        "an implicit table",
        "[p]\n[a.b.c]\nx = 1\n[a.b.d]\n",
        ("move", "a.b", "p.b"),
        may("[p.b.c]\nx = 1\n[p.b.d]\n"),
    ),
    Row(
        "several tables",
        "[p]\nq = 1\n[[a]]\nx = 1 # x\n[a.s]\n[[a]]\n[b]\n",
        ("move", "a", "p.a"),
        may("[[p.a]]\nx = 1 # x\n[p.a.s]\n[[p.a]]\n", "[b]\n"),
    ),
    Row(
        "a section into dotted keys",
        "p.q = 1\n[a]\nx = 1\n",
        ("move", "a", "p.a"),
        may("p.q = 1\n"),
    ),
    Row(
        "a section that dotted keys extend",
        "[s]\na.x = 1\n[s.a.t]\ny = 1\n[d]\n",
        ("move", "s.a", "d.a"),
        may(),
    ),
    Row(
        "a section into a scalar",
        "p = 1\n[a]\nx = 1\n",
        ("move", "a", "p.a"),
        Refusal("wrong_type"),
    ),
    Row("a section into itself", "[a]\nx = 1\n", ("move", "a", "a.b"), Refusal("move_into_itself")),
    Row(
        "a key onto another", "a = 1\n[b]\na = 2\n", ("move", "a", "b.a"), Refusal("target_exists")
    ),
    Row("a section onto another", "[a]\n[b.a]\n", ("move", "a", "b.a"), Refusal("target_exists")),
    Row("an absent key", "a = 1\n[b]\n", ("move", "x", "b.x"), "a = 1\n[b]\n"),
    Row(
        "a key out and a new one in",
        "a = 1 # a\n[b]\n",
        (("move", "a", "b.a"), ("set", "a", 2)),
        blanks("a = 2\n[b]\na = 1 # a\n"),
    ),
    Row(
        "a key and change it",
        "a = 1 # a\n[b]\nc = 1\n",
        (("move", "a", "b.a"), ("set", "b.a", "x")),
        '[b]\nc = 1\na = "x" # a\n',
    ),
    Row(
        "a key there and back",
        "a = 1 # a\nc = 1\n[b]\n",
        (("move", "a", "b.a"), ("move", "b.a", "a")),
        one_of("a = 1 # a\nc = 1\n[b]\n", "c = 1\na = 1 # a\n[b]\n"),
    ),
    Row(
        "the first item to the end",
        "a = [1, 0x2, 3]\n",
        ("relocate", "a[0]", "a", None),
        "a = [0x2, 3, 1]\n",
    ),
    Row(
        "the last line's item to the front",
        "a = [\n  1, # one\n  2, # two\n]\n",
        ("relocate", "a[1]", "a", 0),
        may("a = [\n  2, # two\n  1, # one\n]\n"),
    ),
    Row(
        "the first of several tables to the end",
        "[[a]]\nx = 1 # x\n[a.s]\n[[a]]\nx = 2\n[b]\n",
        ("relocate", "a[0]", "a", None),
        may("[[a]]\nx = 2\n"),
    ),
    Row(
        "a table of several to a key and add to it",
        "q = 1\n[[a]]\nx = 1\n",
        (("move", "a[0]", "z"), ("set", "z.k", 2)),
        means("q = 1\n", "x = 1\n"),
    ),
    Row(
        "a sub-table out of one of several and add to it",
        "[[k.b]]\n[k.b.a]\nx = 1\n",
        (("move", "k.b[0].a", "k.a"), ("set", "k.a.z", 2)),
        means("x = 1\n"),
    ),
    Row(
        "the last of several tables to the front and add to the other",
        "[[c]]\nx = 1\n[[c]]\ny = 1\n",
        (("relocate", "c[1]", "c", 0), ("set", "c[1].z", 2)),
        means("x = 1\nz = 2\n", "y = 1\n"),
    ),
    Row(
        "a table into one of several that then changes its place",
        "x.e.x = 1\n[[b]]\ne = 1\n[[b]]\n",
        (("move", "x.e", "b[1].e"), ("relocate", "b[0]", "b", None)),
        may(),
    ),
]
MOVES = [Row(f"move {r.name}", r.source, r.op, r.want) for r in MOVES]

WRAPS = [
    Row("a number", "a = 0xFF # t\nb = 1\n", ("wrap", "a"), "a = [0xFF] # t\nb = 1\n"),
    Row("a text", "a = 'x' # t\n", ("wrap", "a"), "a = ['x'] # t\n"),
    Row("a date", "a = 1979-05-27 # t\n", ("wrap", "a"), "a = [1979-05-27] # t\n"),
    Row("a multi-line text", "a = '''\n# x''' # t\n", ("wrap", "a"), "a = ['''\n# x'''] # t\n"),
    Row("a list", "a = [ 1,\n 2 ] # t\n", ("wrap", "a"), "a = [[ 1,\n 2 ]] # t\n"),
    Row("an inline table", "a = { x = 1 } # t\n", ("wrap", "a"), "a = [{ x = 1 }] # t\n"),
    Row("a dotted value", "a.b = 1 # t\n", ("wrap", "a.b"), "a.b = [1] # t\n"),
    Row("an inline value", "a = {b = 1, c = 2}\n", ("wrap", "a.b"), "a = {b = [1], c = 2}\n"),
    Row("an item", "a = [1, 2]\n", ("wrap", "a[1]"), "a = [1, [2]]\n"),
    Row(
        "every item",
        "a = [\n  1, # one\n  2\n]\n",
        ("wrap", "a[*]"),
        "a = [\n  [1], # one\n  [2]\n]\n",
    ),
    Row(
        "a number and append",
        "a = 1 # t\n",
        (("wrap", "a"), ("append", "a", 2)),
        "a = [1, 2] # t\n",
    ),
    Row("a renamed number", "a = 1 # t\n", (("rename", "a", "z"), ("wrap", "z")), "z = [1] # t\n"),
    Row(
        "a number under a key",
        "a = 0xFF # t\nb = 1\n[c]\n",
        ("wrap", "a", "z"),
        means("0xFF", "b = 1\n", "[c]\n"),
    ),
    Row(
        "a text of a section under a key",
        "[s]\na = 'x' # t\nb = 1\n",
        ("wrap", "s.a", "z"),
        means("'x'", "b = 1\n"),
    ),
    Row(
        "an inline value under a key",
        "a = {b = 1, c = 2}\n",
        ("wrap", "a.b", "z"),
        one_of(
            "a = {b = {z = 1}, c = 2}\n", "a = {b = { z = 1 }, c = 2}\n", "a = {b.z = 1, c = 2}\n"
        ),
    ),
    Row(
        "a dotted value under a key",
        "a.b = 1 # t\na.c = 2\n",
        ("wrap", "a.b", "z"),
        means("a.c = 2\n"),
    ),
    Row(
        "a table under a key",
        "[a]\nx = 1 # x\n[a.b]\n[c]\n",
        ("wrap", "a", "z"),
        may("x = 1 # x\n", "[c]\n"),
    ),
    Row("a table as a list", "[a]\nx = 1 # x\n[c]\n", ("wrap", "a"), may("x = 1 # x\n", "[c]\n")),
    Row(
        "several tables under a key", "[[a]]\nx = 1\n[[a]]\n[c]\n", ("wrap", "a", "z"), may("[c]\n")
    ),
    Row("dotted keys under a key", "a.x = 1\na.y = 2\n", ("wrap", "a", "z"), may()),
    Row("the document under a key", "# h\nx = 1\n[a]\ny = 1\n[[b]]\n", ("wrap", "", "m"), may()),
    Row("the document as a list", "x = 1\n", ("wrap", ""), Refusal()),
]
WRAPS = [Row(f"wrap {r.name}", r.source, r.op, r.want) for r in WRAPS]

FILES = [
    Row("CRLF stays", "a = 1 # t\r\nb = 2\r\n", ("set", "a", 3), "a = 3 # t\r\nb = 2\r\n"),
    Row(
        "CRLF is written for new keys",
        "[a]\r\nx = 1\r\n\r\n[b]\r\n",
        ("set", "a.z", 1),
        "[a]\r\nx = 1\r\nz = 1\r\n\r\n[b]\r\n",
    ),
    Row(
        "CRLF is written for new sections",
        "a = 1\r\n",
        ("set", "t", {"k": 1, "s": [{"l": 1}]}),
        means("a = 1\r\n"),
    ),
    Row(
        "CRLF stays at a deleted key",
        "a = 1\r\n# b's\r\nb = 2\r\nc = 3\r\n",
        ("delete", "b"),
        "a = 1\r\nc = 3\r\n",
    ),
    Row(
        "CRLF stays at a deleted section",
        "[a]\r\nx = 1\r\n[b]\r\ny = 1\r\n[c]\r\n",
        ("delete", "b"),
        "[a]\r\nx = 1\r\n[c]\r\n",
    ),
    Row(
        "CRLF moves",
        "a = [\r\n  1, # one\r\n]\r\n[b]\r\nc = 1\r\n",
        ("move", "a", "b.a"),
        "[b]\r\nc = 1\r\na = [\r\n  1, # one\r\n]\r\n",
    ),
    Row(
        "CRLF in a multi-line string stays",
        'a = """\r\nx\r\n"""\r\nb = 1\r\n',
        ("set", "b", 2),
        'a = """\r\nx\r\n"""\r\nb = 2\r\n',
    ),
    Row(
        "CRLF in a list",
        "a = [\r\n  1, # one\r\n  2 # two\r\n]\r\n",
        ("append", "a", 3),
        "a = [\r\n  1, # one\r\n  2, # two\r\n  3\r\n]\r\n",
    ),
    Row("CRLF without final newline", "a = 1\r\nb = 2", ("set", "c", 3), "a = 1\r\nb = 2\r\nc = 3"),
    Row(
        "CRLF in a section of the first of several",
        "[[a]]\r\nx = 1\r\n[[a]]\r\n",
        ("append", "a", {"x": 2}),
        blanks("[[a]]\r\nx = 1\r\n[[a]]\r\n[[a]]\r\nx = 2\r\n"),
    ),
    Row(
        "mixed line ends stay where they were",
        "a = 1\r\nb = 2\nc = 3\r\n",
        ("set", "b", 4),
        "a = 1\r\nb = 4\nc = 3\r\n",
    ),
    Row("a lone CR is refused", "a = 1\rb = 2\r", ("set", "b", 3), Refusal()),
    Row("a lone CR in a comment is refused", "a = 1 # x\ry\n", ("set", "a", 3), Refusal()),
    Row("a BOM stays", "\ufeffa = 1\nb = 2\n", ("set", "b", 3), "\ufeffa = 1\nb = 3\n"),
    Row(
        "a BOM stays before a deleted key", "\ufeffa = 1\nb = 2\n", ("delete", "a"), "\ufeffb = 2\n"
    ),
    Row(
        "a BOM stays before a new root key",
        "\ufeff[a]\nx = 1\n",
        ("set", "b", 2),
        blanks("\ufeffb = 2\n[a]\nx = 1\n"),
    ),
    Row(
        "a BOM stays before a deleted section",
        "\ufeff[a]\nx = 1\n[b]\n",
        ("delete", "a"),
        "\ufeff[b]\n",
    ),
    Row(
        "a BOM stays in a file of nothing else",
        "\ufeff",
        ("set", "a", 1),
        one_of("\ufeffa = 1\n", "\ufeffa = 1"),
    ),
    Row("a second BOM is refused", "\ufeff\ufeffa = 1\n", ("set", "a", 2), Refusal("not_toml")),
    Row(
        "blank lines with spaces stay",
        "a = 1\n  \t\nb = 2\n\n\n",
        ("set", "b", 3),
        "a = 1\n  \t\nb = 3\n\n\n",
    ),
    Row("no final newline stays", "a = 1\nb = 2", ("set", "b", 3), "a = 1\nb = 3"),
    Row(
        "no final newline stays behind a comment",
        "[a]\nb = 2 # t",
        ("set", "a.b", 3),
        "[a]\nb = 3 # t",
    ),
    Row("a duplicate key is refused", "a = 1\na = 2\n", ("set", "a", 3), Refusal("duplicate_key")),
    Row(
        "a duplicate table is refused",
        "[a]\n[b]\n[a]\n",
        ("set", "b.x", 3),
        Refusal("duplicate_key"),
    ),
    Row("a missing value is refused", "a =\n", ("set", "a", 3), Refusal("not_toml")),
    Row("a scalar in the way is refused", "a = 1\n", ("set", "a.b", 3), Refusal("wrong_type")),
    Row(
        "a date in the way is refused", "a = 1979-05-27\n", ("set", "a.b", 3), Refusal("wrong_type")
    ),
    Row("a list in the way is refused", "[[a]]\nb = 1\n", ("set", "a.b", 3), Refusal("wrong_type")),
]

REAL = [
    Row(
        "telegraf: a value of the second cpu",
        TELEGRAF,
        ("set", "inputs.cpu[1].percpu", True),
        TELEGRAF.replace("percpu = false", "percpu = true"),
    ),
    Row(
        "telegraf: a new value of the first cpu",
        TELEGRAF,
        ("set", "inputs.cpu[0].total", True),
        TELEGRAF.replace("  percpu = true\n", "  percpu = true\n  total = true\n"),
    ),
    Row(
        "telegraf: a new value of the second cpu",
        TELEGRAF,
        ("set", "inputs.cpu[1].total", True),
        TELEGRAF.replace("  percpu = false\n", "  percpu = false\n  total = true\n"),
    ),
    Row(
        "telegraf: a new tag",
        TELEGRAF,
        ("set", "inputs.cpu[1].tags.env", "x"),
        TELEGRAF.replace('    kind = "b"\n', '    kind = "b"\n    env = "x"\n'),
    ),
    Row(
        "telegraf: a new value of a commented plugin",
        TELEGRAF,
        ("set", "outputs.influxdb[0].timeout", "5s"),
        TELEGRAF.replace(':8086"]\n', ':8086"]\n  timeout = "5s"\n'),
    ),
    Row(
        "telegraf: a renamed plugin",
        TELEGRAF,
        ("rename", "inputs.cpu", "processor"),
        TELEGRAF.replace("inputs.cpu", "inputs.processor"),
    ),
    Row(
        "telegraf: a renamed kind of plugins",
        TELEGRAF,
        ("rename", "inputs", "ins"),
        TELEGRAF.replace("[inputs.", "[ins."),
    ),
    Row(
        "telegraf: a renamed sub-table of one plugin",
        TELEGRAF,
        ("rename", "inputs.cpu[1].tags", "labels"),
        BEFORE_CPU + CPU0 + CPU1.replace("cpu.tags", "cpu.labels") + DISK,
    ),
    Row(
        "telegraf: a renamed sub-table of all plugins",
        TELEGRAF,
        ("rename", "inputs.cpu[*].tags", "labels"),
        TELEGRAF.replace("cpu.tags]", "cpu.labels]"),
    ),
    Row(
        "telegraf: a renamed key of all plugins",
        TELEGRAF,
        ("rename", "inputs.cpu[*].percpu", "per_cpu"),
        TELEGRAF.replace("percpu", "per_cpu"),
    ),
    Row(
        "telegraf: the first cpu goes",
        TELEGRAF,
        ("delete", "inputs.cpu[0]"),
        blanks(BEFORE_CPU + CPU1 + DISK),
    ),
    Row(
        "telegraf: the second cpu goes",
        TELEGRAF,
        ("delete", "inputs.cpu[1]"),
        blanks(BEFORE_CPU + CPU0 + DISK),
    ),
    Row("telegraf: both cpus go", TELEGRAF, ("delete", "inputs.cpu"), blanks(BEFORE_CPU + DISK)),
    Row("telegraf: all inputs go", TELEGRAF, ("delete", "inputs"), blanks(BEFORE_CPU)),
    Row(
        "telegraf: the first tags go",
        TELEGRAF,
        ("delete", "inputs.cpu[0].tags"),
        TELEGRAF.replace('  [inputs.cpu.tags]\n    kind = "a"\n', ""),
    ),
    Row(
        "telegraf: a sub-table goes with its comment",
        TELEGRAF,
        ("delete", "inputs.cpu[0].tagdrop"),
        blanks(
            TELEGRAF.replace(
                '  # the second sub-table\n  [inputs.cpu.tagdrop]\n    cpu = ["cpu0"]\n', ""
            )
        ),
    ),
    Row(
        "telegraf: the agent goes",
        TELEGRAF,
        ("delete", "agent"),
        blanks(
            TELEGRAF.replace(
                '[agent]\n  interval = "10s"\n  ## round\n  round_interval = true\n', ""
            )
        ),
    ),
    Row(
        "telegraf: a commented key goes",
        TELEGRAF,
        ("delete", "agent.round_interval"),
        TELEGRAF.replace("  ## round\n  round_interval = true\n", ""),
    ),
    Row(
        "telegraf: a key above a comment goes",
        TELEGRAF,
        ("delete", "outputs.influxdb[0].urls"),
        TELEGRAF.replace('  urls = ["http://localhost:8086"]\n', ""),
    ),
    Row(
        "telegraf: a third cpu",
        TELEGRAF,
        ("append", "inputs.cpu", {"percpu": True}),
        blanks(
            BEFORE_CPU + CPU0 + CPU1 + "[[inputs.cpu]]\n  percpu = true\n" + DISK,
            BEFORE_CPU + CPU0 + CPU1 + "[[inputs.cpu]]\npercpu = true\n" + DISK,
        ),
    ),
    Row(
        "telegraf: a cpu in the middle",
        TELEGRAF,
        ("insert", "inputs.cpu", 1, {"percpu": True}),
        blanks(
            BEFORE_CPU + CPU0 + "[[inputs.cpu]]\n  percpu = true\n" + CPU1 + DISK,
            BEFORE_CPU + CPU0 + "[[inputs.cpu]]\npercpu = true\n" + CPU1 + DISK,
        ),
    ),
    Row(
        "telegraf: a second disk",
        TELEGRAF,
        ("append", "inputs.disk", {"x": 1}),
        blanks(TELEGRAF + "[[inputs.disk]]\n  x = 1\n", TELEGRAF + "[[inputs.disk]]\nx = 1\n"),
    ),
    Row(
        "telegraf: a new plugin",
        TELEGRAF,
        ("set", "inputs.mem", [{"x": 1}]),
        blanks(TELEGRAF + "[[inputs.mem]]\n  x = 1\n", TELEGRAF + "[[inputs.mem]]\nx = 1\n"),
    ),
    Row(
        "telegraf: a new sub-table of the first cpu",
        TELEGRAF,
        ("set", "inputs.cpu[0].fields", {"a": 1}),
        means(BEFORE_CPU + CPU0.rstrip(), "[inputs.cpu.fields]\n", CPU1 + DISK),
    ),
    Row(
        "telegraf: a new empty sub-table of the first cpu",
        TELEGRAF,
        ("set", "inputs.cpu[0].fields", {}),
        TELEGRAF.replace("  percpu = true\n", "  percpu = true\n  fields = {}\n"),
    ),
    Row(
        "telegraf: a key moves",
        TELEGRAF,
        ("move", "agent.interval", "global_tags.interval"),
        TELEGRAF.replace('  interval = "10s"\n', "").replace(
            "all metrics\n", 'all metrics\n  interval = "10s"\n'
        ),
    ),
    Row(
        "telegraf: a commented key moves into a sub-table",
        TELEGRAF,
        ("move", "agent.round_interval", "inputs.cpu[0].tags.round"),
        TELEGRAF.replace("  ## round\n  round_interval = true\n", "").replace(
            '    kind = "a"\n', '    kind = "a"\n    ## round\n    round = true\n'
        ),
    ),
    Row(
        "telegraf: a plugin gets another name",
        TELEGRAF,
        ("move", "outputs.influxdb", "outputs.influxdb_v1"),
        TELEGRAF.replace("[[outputs.influxdb]]", "[[outputs.influxdb_v1]]"),
    ),
    Row(
        "telegraf: a plugin becomes another kind",
        TELEGRAF,
        ("move", "inputs.disk", "outputs.disk"),
        may("[[outputs.disk]]\n  ignore_fs", BEFORE_CPU[:-1], CPU0 + CPU1[:-1]),
    ),
    Row(
        "telegraf: the agent moves",
        TELEGRAF,
        ("move", "agent", "settings.agent"),
        may(
            '[settings.agent]\n  interval = "10s"\n  ## round\n  round_interval = true\n',
            CPU0 + CPU1 + DISK,
        ),
    ),
    Row(
        "telegraf: a scalar becomes a list",
        TELEGRAF,
        ("wrap", "agent.interval"),
        TELEGRAF.replace('"10s"', '["10s"]'),
    ),
    Row(
        "telegraf: many edits",
        TELEGRAF,
        (
            ("rename", "inputs.cpu", "c"),
            ("delete", "agent.round_interval"),
            ("set", "inputs.c[0].tags.kind", 1),
            ("append", "inputs.disk[0].ignore_fs", "x"),
            ("set", "global_tags.z", 1),
        ),
        TELEGRAF.replace("inputs.cpu", "inputs.c")
        .replace("  ## round\n  round_interval = true\n", "")
        .replace('"a"', "1")
        .replace('"devtmpfs"]', '"devtmpfs", "x"]')
        .replace("all metrics\n", "all metrics\n  z = 1\n"),
    ),
    Row(
        "cargo: a version",
        CARGO,
        ("set", "dependencies.serde.version", "2.0"),
        CARGO.replace('"1.0"', '"2.0"'),
    ),
    Row(
        "cargo: a feature",
        CARGO,
        ("append", "dependencies.serde.features", "rc"),
        CARGO.replace('["derive"]', '["derive", "rc"]'),
    ),
    Row(
        "cargo: a feature on a line",
        CARGO,
        ("append", "dependencies.tokio.features", "fs"),
        CARGO.replace('    "net"\n', '    "net",\n    "fs"\n'),
    ),
    Row(
        "cargo: a feature on a line goes",
        CARGO,
        ("delete", "dependencies.tokio.features[1]"),
        CARGO.replace('    "rt", # runtime\n    "net"\n', '    "rt" # runtime\n'),
    ),
    Row(
        "cargo: an inline key goes",
        CARGO,
        ("delete", "dependencies.serde.features"),
        CARGO.replace(', features = ["derive"]', ""),
    ),
    Row(
        "cargo: a dependency",
        CARGO,
        ("set", "dependencies.log", "0.4"),
        CARGO.replace('rand = "0.8"\n', 'rand = "0.8"\nlog = "0.4"\n'),
    ),
    Row(
        "cargo: a dependency goes",
        CARGO,
        ("delete", "dependencies.rand"),
        CARGO.replace('rand = "0.8"\n', ""),
    ),
    Row(
        "cargo: a dependency section goes",
        CARGO,
        ("delete", "dependencies.tokio"),
        blanks(CARGO[: CARGO.index("# async")] + CARGO[CARGO.index("[target") :]),
    ),
    Row(
        "cargo: all dependencies go",
        CARGO,
        ("delete", "dependencies"),
        blanks(CARGO[: CARGO.index("[dependencies]")] + CARGO[CARGO.index("[target") :]),
    ),
    Row(
        "cargo: dependencies get another name",
        CARGO,
        ("rename", "dependencies", "dev-dependencies"),
        CARGO.replace("[dependencies", "[dev-dependencies"),
    ),
    Row(
        "cargo: a quoted part gets another name",
        CARGO,
        ("rename", "target['cfg(unix)']", "cfg(windows)"),
        CARGO.replace("cfg(unix)", "cfg(windows)"),
    ),
    Row(
        "cargo: a new bin",
        CARGO,
        ("append", "bin", {"name": "b"}),
        blanks(CARGO + '[[bin]]\nname = "b"\n'),
    ),
    Row(
        "cargo: a dependency for one target",
        CARGO,
        ("move", "dependencies.rand", "target['cfg(unix)'].dependencies.rand"),
        CARGO.replace('rand = "0.8"\n', "").replace('nix = "0.5"\n', 'nix = "0.5"\nrand = "0.8"\n'),
    ),
    Row(
        "cargo: a new section for a target",
        CARGO,
        ("set", "target['cfg(unix)'].x", {"k": 1}),
        may("[target.'cfg(unix)'.dependencies]\nnix = \"0.5\"\n", "[[bin]]\n"),
    ),
    Row(
        "pyproject: a dependency",
        PYPROJECT,
        ("append", "project.dependencies", "attrs"),
        PYPROJECT.replace('    "rich",\n', '    "rich",\n    "attrs",\n'),
    ),
    Row(
        "pyproject: a dependency in front",
        PYPROJECT,
        ("insert", "project.dependencies", 0, "attrs"),
        PYPROJECT.replace("    # http\n", '    "attrs",\n    # http\n'),
    ),
    Row(
        "pyproject: a dependency goes with its comments",
        PYPROJECT,
        ("delete", "project.dependencies[0]"),
        PYPROJECT.replace('    # http\n    "requests>=2", # pinned\n', ""),
    ),
    Row(
        "pyproject: a url",
        PYPROJECT,
        ("set", "project.urls.docs", "x"),
        PYPROJECT.replace('g.org"\n', 'g.org"\nurls.docs = "x"\n'),
    ),
    Row(
        "pyproject: urls get another name",
        PYPROJECT,
        ("rename", "project.urls", "links"),
        PYPROJECT.replace("urls.", "links."),
    ),
    Row(
        "pyproject: urls go",
        PYPROJECT,
        ("delete", "project.urls"),
        PYPROJECT.replace('urls.home = "https://e.org" # home\nurls.repo = "https://g.org"\n', ""),
    ),
    Row(
        "pyproject: a license",
        PYPROJECT,
        ("set", "project.license", "MIT"),
        PYPROJECT.replace('g.org"\n', 'g.org"\nlicense = "MIT"\n'),
    ),
    Row(
        "pyproject: a setting of an implicit table",
        PYPROJECT,
        ("set", "tool.x", 1),
        means(
            PYPROJECT[: PYPROJECT.index("[tool.ruff]")], '[tool.ruff.lint]\nselect = ["E", "F"]\n'
        ),
    ),
    Row(
        "pyproject: lint moves up",
        PYPROJECT,
        ("move", "tool.ruff.lint.select", "tool.ruff.select"),
        PYPROJECT.replace('select = ["E", "F"]\n', "").replace(
            "= 100\n", '= 100\nselect = ["E", "F"]\n'
        ),
    ),
    Row(
        "pyproject: settings move down",
        PYPROJECT,
        ("move", "tool.ruff.line-length", "tool.ruff.lint.line-length"),
        PYPROJECT.replace("line-length = 100\n", "").replace(
            "long\n]\n", "long\n]\nline-length = 100\n"
        ),
    ),
    Row(
        "pyproject: a rule",
        PYPROJECT,
        ("append", "tool.ruff.lint.ignore", "F401"),
        PYPROJECT.replace('"E501" # long', '"E501", # long\n    "F401"'),
    ),
    Row(
        "pyproject: the rule goes",
        PYPROJECT,
        ("delete", "tool.ruff.lint.ignore[0]"),
        one_of(
            PYPROJECT.replace('ignore = [\n    "E501" # long\n]', "ignore = []"),
            PYPROJECT.replace('    "E501" # long\n', ""),
        ),
    ),
    Row(
        "nasty: the empty key", NASTY, ("set", "['']", "x"), NASTY.replace("'# no comment'", "'x'")
    ),
    Row("nasty: a dotted name", NASTY, ("set", "['a.b']", "y"), NASTY.replace('"] no end"', '"y"')),
    Row("nasty: a quoted name", NASTY, ("rename", "['x\"y']", "z"), NASTY.replace("'x\"y'", "'z'")),
    Row("nasty: an escaped name", NASTY, ("rename", "é", "e"), NASTY.replace('"\\u00e9"', '"e"')),
    Row(
        "nasty: an item behind brackets",
        NASTY,
        ("append", "list", 1),
        means("list = [\"]\", '[', \"#\", '''\n# no comment\n]''', # real\n"),
    ),
    Row(
        "nasty: an item that is a text of several lines",
        NASTY,
        ("delete", "list[3]"),
        means('list = ["]", \'[\', "#"'),
    ),
    Row(
        "nasty: a key between",
        NASTY,
        ("delete", "plain"),
        NASTY.replace('plain = "\\"#\\\\" # c "quoted" \'too\'\n', ""),
    ),
    Row(
        "nasty: a text that ends in quotes",
        NASTY,
        ("delete", "é"),
        NASTY[: NASTY.index('"\\u00e9')] + NASTY[NASTY.index('"it') :],
    ),
    Row(
        "nasty: a text of quotes",
        NASTY,
        ("wrap", "['it\\'s']"),
        NASTY.replace("''''quoted''''", "[''''quoted'''']"),
    ),
    Row(
        "nasty: all keys in a section",
        "t = 1\n" + NASTY,
        tuple(
            ("move", p, "n" + p)
            for p in ("['']", "['a.b']", "['x\"y']", "['é']", "['it\\'s']", "['plain']", "['list']")
        ),
        means("t = 1\n", "[n]\n"),
    ),
]

ROWS = [*SCALARS, *LEXEMES, *TEXTS, *KEYS, *RENAMES, *DELETES, *ADDS, *MOVES, *WRAPS, *FILES, *REAL]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_edit_changes_what_it_must_and_no_other_byte(row: Row) -> None:
    if isinstance(row.want, Refusal):
        with pytest.raises(Refused) as caught:
            edited(row.source, *row.ops)
        assert row.want.code in ("", caught.value.code)
        return
    try:
        document, out = edited(row.source, *row.ops)
    except Refused:
        if isinstance(row.want, Want) and row.want.refusable:
            return
        raise
    result = out.data.decode()
    if isinstance(row.want, str):
        assert result == row.want
    elif not row.want.takes(result):
        pytest.fail(f"{result!r}\nis not what {row.want} wants")
    check(row.source, row.ops, document, out)


def test_an_unchanged_document_is_its_source_to_the_byte() -> None:
    for source in {row.source for row in ROWS}:
        try:
            value = read(source.encode())
        except tomllib.TOMLDecodeError:
            with pytest.raises(Refused):
                parse(source)
            continue
        document = parse(source)
        assert mirrors(document.root, value), source
        rendered = render(document)
        assert rendered.data == source.encode()
        assert rendered.lost_comments == ()


def test_the_table_is_large_enough() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 120
