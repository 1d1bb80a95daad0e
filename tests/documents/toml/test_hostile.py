"""Hostile TOML is refused by a named code or handled: soon, and the process lives.

What tomllib refuses must be refused, what it reads must be read alike; no input may end in
anything but a document or ``Refused``. ``CONFMIG_FUZZ`` is the number of damaged texts (400 by
default).
"""

from __future__ import annotations

import os
import random
import re
import sys
import time
import tomllib
from collections.abc import Iterator

import pytest

from confmig.documents.model.document import Caps, Document
from confmig.errors import Refused
from tests.documents.helpers import render
from tests.documents.toml.helpers import mirrors, parse, read

DEEP = 100_000
FUZZ = int(os.environ.get("CONFMIG_FUZZ", "400"))


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """A guard against a hang; how long it takes is for the bench to say."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 60.0


# --- caps


def dotted(parts: int) -> bytes:
    """A key of many parts."""
    return b".".join([b"a"] * parts)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"a = " + b"[" * DEEP, "too_deep", id="lists"),
        pytest.param(b"a = " + b"[" * DEEP + b"]" * DEEP, "too_deep", id="closed lists"),
        pytest.param(b"a = " + b"[\n" * DEEP, "too_deep", id="lists on lines"),
        pytest.param(b"a = " + b"{a=" * DEEP, "too_deep", id="inline tables"),
        pytest.param(b"a = " + b"[{a=" * DEEP, "too_deep", id="lists of inline tables"),
        pytest.param(
            b"a = " + b"{a=" * 1000 + b"1" + b"}" * 1000, "too_deep", id="closed inline tables"
        ),
        pytest.param(dotted(DEEP) + b" = 1\n", "too_deep", id="a dotted key"),
        pytest.param(b"[" + dotted(DEEP) + b"]\n", "too_deep", id="a header"),
        pytest.param(b"[[" + dotted(DEEP) + b"]]\n", "too_deep", id="a header of several"),
        pytest.param(b"a = {" + dotted(DEEP) + b" = 1}\n", "too_deep", id="an inline dotted key"),
        pytest.param(
            b"[" + dotted(90) + b"]\n" + dotted(90) + b" = {" + dotted(90) + b" = 1}\n",
            "too_deep",
            id="a header, a dotted key and an inline table together",
        ),
        pytest.param(
            b"".join(b"[[" + dotted(n) + b"]]\n" for n in range(1, 300)),
            "too_deep",
            id="arrays of tables in arrays of tables",
        ),
        pytest.param(b"a = '" + b"x" * (10 << 20) + b"'", "file_too_large", id="10 MiB"),
        pytest.param(b"a = '" + b"x" * (50 << 20) + b"'", "file_too_large", id="50 MiB"),
        pytest.param(b"#" * (10 << 20), "file_too_large", id="10 MiB of a comment"),
        pytest.param(
            b"a=[" + b"1," * 1_200_000 + b"]",
            "too_many_entries",
            id="1,200,000 items",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            b"a=[" + b"{}," * 1_200_000 + b"]",
            "too_many_entries",
            id="1,200,000 tables",
            marks=pytest.mark.slow,
        ),
        pytest.param(b"a = \xff\xfe\n", "not_utf8", id="not UTF-8"),
        pytest.param("a = 1\n".encode("utf-16"), "not_utf8", id="UTF-16"),
        pytest.param(b"a = '\xed\xa0\x80'\n", "not_utf8", id="surrogate"),
        pytest.param(b"a = '\xc0\xaf'\n", "not_utf8", id="overlong"),
        pytest.param(b"# \xff\n", "not_utf8", id="not UTF-8 in a comment"),
    ],
)
def test_it_is_refused_with_a_named_code(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(data)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"a = " + b"[" * 150 + b"]" * 150 + b"\n", id="lists"),
        pytest.param(b"a = " + b"{a=" * 150 + b"1" + b"}" * 150 + b"\n", id="inline tables"),
        pytest.param(dotted(150) + b" = 1\n", id="a dotted key"),
        pytest.param(b"[" + dotted(150) + b"]\nx = 1\n", id="a header"),
        pytest.param(b"[" + dotted(50) + b"]\n" + dotted(50) + b" = [{x = []}]\n", id="all"),
    ],
)
def test_depth_below_the_cap_is_read_and_edited(data: bytes) -> None:
    document = parse(data)
    assert mirrors(document.root, read(data))
    document.set("b", 1)
    out = render(document).data
    assert read(out) == {**read(data), "b": 1}


def test_depth_adds_up_over_headers_dotted_keys_and_inline_tables() -> None:
    """Else every walk over the tree that calls itself would end the process."""
    inner = b"{" + dotted(190) + b" = "
    data = b"[" + dotted(190) + b"]\n" + dotted(190) + b" = " + inner * 100 + b"1" + b"}" * 100
    with pytest.raises(Refused) as caught:
        parse(data)
    assert caught.value.code == "too_deep"


@pytest.mark.parametrize(
    ("data", "caps", "code"),
    [
        pytest.param(b"a = 1\n", Caps(size=6), "", id="size at the cap"),
        pytest.param(b"a = 12\n", Caps(size=6), "file_too_large", id="size above"),
        pytest.param(b"a.b = [1]\n", Caps(depth=2), "too_deep", id="depth above"),
        pytest.param(b"[[a]]\n[a.b]\nc = []\n", Caps(depth=3), "too_deep", id="sections above"),
        pytest.param(
            b"a=[" + b"{}," * 30_000 + b"]", Caps(nodes=20_000), "too_many_nodes", id="tables above"
        ),
        pytest.param(b"a = [1, 2, 3, 4, 5]\n", Caps(nodes=5), "too_many_nodes", id="items above"),
        pytest.param(b"[a]\n[b]\n[c]\n[d]\n", Caps(nodes=3), "too_many_nodes", id="headers above"),
        pytest.param(dotted(20) + b" = 1\n", Caps(nodes=9), "too_many_nodes", id="dotted above"),
    ],
)
def test_caps_are_settings(data: bytes, caps: Caps, code: str) -> None:
    if not code:
        assert render(parse(data, caps)).data == data
        return
    with pytest.raises(Refused) as caught:
        parse(data, caps)
    assert caught.value.code == code


# --- what costs a square or worse if it is done carelessly


def attempt(data: bytes) -> tuple[Document | None, str]:
    """The document, or None and the code it is refused with."""
    try:
        return parse(data), ""
    except Refused as refused:
        return None, refused.code


def works_or_is_refused(data: bytes, *codes: str) -> bool:
    """Whether the text is read; it may also be refused by one of these codes."""
    document, code = attempt(data)
    if document is None:
        assert code in codes
        return False
    assert render(document).data == data
    return True


@pytest.mark.parametrize("count", [4_000, pytest.param(90_000, marks=pytest.mark.slow)])
def test_many_keys_are_edited(count: int) -> None:
    data = "".join(f"key{n} = {n}\n" for n in range(count)).encode()
    document = parse(data)
    document.set(f"key{count - 1}", 1)
    document.delete("key0")
    assert document.changes[0].old == count - 1
    assert render(document).data == data[9 : -len(f"{count - 1}\n")] + b"1\n"


@pytest.mark.parametrize("count", [400, pytest.param(50_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "line",
    [
        pytest.param("[t%d]\nk = 1\n", id="headers"),
        pytest.param("[a.t%d]\nk = 1\n", id="sub-headers"),
        pytest.param("[[t]]\nk = %d\n", id="arrays of tables"),
        pytest.param("[[t]]\n[t.s]\nk = %d\n", id="sub-tables of arrays of tables"),
        pytest.param("a.k%d = 1\n", id="dotted keys of one table"),
        pytest.param("a.b.k%d.c = 1\n", id="dotted keys of a deep table"),
        pytest.param("k%d = {a.b = 1, a.c = [1]}\n", id="inline tables"),
        pytest.param("# %d\n\n", id="comments"),
        pytest.param('"k%d" . \'x\' = """a"""\n', id="quoted keys"),
    ],
)
def test_many_of_a_kind_cost_no_square(line: str, count: int) -> None:
    data = "".join(line % n for n in range(count)).encode()
    document = parse(data)
    document.set("z.z", 1)
    for name in ("t", "a", "k0", "t0"):
        if document.has(name):
            document.rename(name, "new")
    out = render(document).data
    assert len(out.splitlines()) >= len(data.splitlines())


@pytest.mark.parametrize("count", [1_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_long_lists_cost_no_square(count: int) -> None:
    flat = b"a = [" + b"1, " * count + b"]\n"
    lines = b"a = [\n" + b"  {x = 1}, # c\n" * count + b"]\n"
    for data in (flat, lines, b"a = [" + b"[]," * count + b"]\n"):
        document = parse(data)
        document.append("a", 5)
        document.insert("a", 0, 6)
        document.delete(f"a[{count // 2}]")
        assert len(read(render(document).data)["a"]) == count + 1


def test_many_changes_cost_no_square() -> None:
    data = "".join(f"k{n} = {n}\n" for n in range(1_000)) + "[[t]]\n" * 200 + "[s]\nl = [1]\n"
    document = parse(data)
    for n in range(0, 200, 2):
        document.set(f"k{n}", "x")
        document.delete(f"k{n + 1}")
        document.set(f"s.n{n}", 1)
        document.append("s.l", n)
        document.set(f"t[{n}].k", n)
        document.rename(f"k{n + 500}", f"r{n}")
    out = read(render(document).data)
    assert len(out["s"]["l"]) == 101
    assert out["t"][198] == {"k": 198}


def test_a_moved_table_of_many_sections() -> None:
    data = "[p]\n" + "".join(f"[a.s{n}]\nk = 1 # c\n" for n in range(400))
    document = parse(data)
    try:
        document.move("a", "p.a")
        out = render(document).data
    except Refused:
        return
    assert len(read(out)["p"]["a"]) == 400


@pytest.mark.parametrize(
    ("count", "depth"), [(100, 190), pytest.param(20_000, 190, marks=pytest.mark.slow)]
)
def test_many_deep_keys_are_read_or_refused_soon(count: int, depth: int) -> None:
    """tomllib walks every prefix of every dotted key."""
    prefix = ".".join(["a"] * depth)
    data = "".join(f"{prefix}.k{n} = 1\n" for n in range(count)).encode()
    works_or_is_refused(data, "too_many_nodes", "too_deep", "file_too_large")
    data = "".join(f"[{prefix}.k{n}]\n" for n in range(count)).encode()
    works_or_is_refused(data, "too_many_nodes", "too_deep", "file_too_large")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"# c\n" * 15_000, id="comments"),
        pytest.param(b"\n" * 100_000, id="blank lines"),
        pytest.param(b" \t" * 100_000, id="blanks"),
        pytest.param(b"a = " + b" " * 200_000 + b"1\n", id="blanks before a value"),
        pytest.param(b"a" + b" " * 200_000 + b"= 1\n", id="blanks before ="),
        pytest.param(b"a = 1" + b" " * 200_000 + b"\n", id="blanks behind a value"),
        pytest.param(b"[" + b" " * 200_000 + b"a]\n", id="blanks in a header"),
        pytest.param(b"a = [" + b"# c\n" * 30_000 + b"]\n", id="comments in a list"),
        pytest.param(b"a = [" + b"\n" * 100_000 + b"1]\n", id="blank lines in a list"),
        pytest.param(b"a" * 200_000 + b" = 1\n", id="a long key"),
        pytest.param(b'"' + b"\\u0041" * 10_000 + b'" = 1\n', id="a long escaped key"),
        pytest.param(b'a = """' + b"\\\n   " * 25_000 + b'"""\n', id="folded lines"),
        pytest.param(b'a = """' + b'""x' * 20_000 + b'"""\n', id="quotes in quotes"),
        pytest.param(b"a = '''" + b"''x" * 50_000 + b"'''\n", id="literal quotes in quotes"),
        pytest.param(b'a = "' + b"\\\\" * 30_000 + b'"\n', id="backslashes"),
        pytest.param(b"a = '" + b"x" * (1 << 20) + b"'\n", id="a long text"),
    ],
)
def test_long_runs_cost_no_square(data: bytes) -> None:
    document = parse(data)
    document.set("z", 1)
    assert read(render(document).data)["z"] == 1


@pytest.mark.slow
def test_a_text_of_50_MB_is_read_if_the_caps_allow_it() -> None:
    data = b"a = '" + b"x" * 50_000_000 + b"'\nb = 1\n"
    document = parse(data, Caps(size=1 << 26))
    document.set("b", 2)
    assert render(document).data == data[:-2] + b"2\n"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(b"9" * 4_000, id="4,000 digits"),
        pytest.param(b"9" * 5_000, id="5,000 digits"),
        pytest.param(b"-" + b"9" * 5_000, id="5,000 digits below zero"),
        pytest.param(b"1" + b"_0" * 3_000, id="6,000 characters with underscores"),
        pytest.param(b"9" * 500_000, id="500,000 digits"),
        pytest.param(b"0x" + b"f" * 500_000, id="500,000 hexadecimal digits"),
        pytest.param(b"0o" + b"7" * 50_000, id="50,000 octal digits"),
        pytest.param(b"0b" + b"1" * 50_000, id="50,000 binary digits"),
        pytest.param(b"1." + b"0" * 500_000, id="500,000 decimals"),
        pytest.param(b"1e" + b"9" * 5_000, id="a huge exponent"),
        pytest.param(b"1e999", id="an infinite float"),
        pytest.param(b"99999999999999999999", id="more than 64 bits"),
    ],
)
def test_huge_numbers_stay_or_are_refused(token: bytes) -> None:
    data = b"a = " + token + b" # t\nb = 1\n"
    document, code = attempt(data)
    if document is None:
        assert code in ("number_too_long", "not_toml", "number_too_large")
        return
    document.set("b", 2)
    assert render(document).data == data[:-2] + b"2\n"
    document.rename("a", "z")
    document.wrap("z")
    assert render(document).data == b"z = [" + token + b"] # t\nb = 2\n"


def test_the_digits_limit_of_the_process_is_left_alone() -> None:
    before = sys.get_int_max_str_digits()
    works_or_is_refused(b"a = " + b"9" * 5_000 + b"\n", "number_too_long", "not_toml")
    assert sys.get_int_max_str_digits() == before


# --- what is TOML and what is not

INVALID = [
    # twice the same
    ("a = 1\na = 2\n", 2),
    ('a = 1\n"a" = 2\n', 2),
    ("[a]\nx = 1\n[a]\n", 3),
    ("[a]\n[a.b]\n[a]\n", 3),
    ("a = 1\n[a]\n", 2),
    ("a.b = 1\na = 2\n", 2),
    ("a = 1\na.b = 2\n", 2),
    ("a.b = 1\na.b = 2\n", 2),
    ("a.b = 1\na.b.c = 2\n", 2),
    ("[a]\nb = 1\n[a.b]\n", 3),
    ("[a]\nb = 1\n[a.b.c]\n", 3),
    ("a = {x = 1}\na.y = 2\n", 2),
    ("a = {x = 1}\n[a.y]\n", 2),
    ("a = {x = {}}\n[a.x]\n", 2),
    ("a = {x = 1}\n[a]\n", 2),
    ("a = {x = 1}\n[[a]]\n", 2),
    ("a = [1]\n[[a]]\n", 2),
    ("a = []\n[[a]]\n", 2),
    ("a = [{}]\n[[a]]\n", 2),
    ("a = [{x = 1}]\n[a.y]\n", 2),
    ("[[a]]\n[a]\n", 2),
    ("[a]\n[[a]]\n", 2),
    ("[a.b]\n[[a]]\n", 2),
    ("[[a.b]]\n[a.b]\n", 2),
    ("[a]\nb.c = 1\n[a.b]\n", 3),
    ("[a]\nb.c = 1\n[[a.b]]\n", 3),
    ("[a.b]\nx = 1\n[a]\nb.y = 1\n", 4),
    ("[a.b.c]\nx = 1\n[a]\nb.c.y = 1\n", 4),
    ("a.b = 1\n[a]\n", 2),
    ("a.b.c = 1\n[a.b]\n", 2),
    ("[[a]]\n[a.s]\n[a.s]\n", 3),
    ("[[a]]\nb.c = 1\n[a.b]\n", 3),
    ("a = {x = 1, x = 2}\n", 1),
    ("a = {x.y = 1, x = 2}\n", 1),
    ("a = {x = 1, x.y = 2}\n", 1),
    ("a = {x = {}, x.y = 2}\n", 1),
    ("a = {x.y = 1, x.y.z = 2}\n", 1),
    ("a = [{x = 1, 'x' = 2}]\n", 1),
    # inline tables
    ("a = {x = 1,}\n", 1),
    ("a = {,}\n", 1),
    ("a = {x = 1,, y = 2}\n", 1),
    ("a = {x = 1 y = 2}\n", 1),
    ("a = {\nx = 1}\n", 1),
    ("a = {x = 1\n}\n", 1),
    ("a = {x = 1, # c\ny = 2}\n", 1),
    ("a = {x}\n", 1),
    ("a = {[x] = 1}\n", 1),
    # lists
    ("a = [1, 2\n", 2),
    ("a = [1 2]\n", 1),
    ("a = [,1]\n", 1),
    ("a = [1,,2]\n", 1),
    ("a = [,]\n", 1),
    ("a = [1] 2\n", 1),
    ("a = [1]]\n", 1),
    ("a = [x]\n", 1),
    ("a = [a = 1]\n", 1),
    # statements
    ("a =\n", 1),
    ("a\n", 1),
    ("= 1\n", 1),
    ("a = 1 b = 2\n", 1),
    ("a b = 1\n", 1),
    ("a = = 1\n", 1),
    ("a == 1\n", 1),
    ("a: 1\n", 1),
    ("a.= 1\n", 1),
    (".a = 1\n", 1),
    ("a..b = 1\n", 1),
    ("a\n= 1\n", 1),
    ("a =\n1\n", 1),
    ("é = 1\n", 1),
    ("a? = 1\n", 1),
    ('"""a""" = 1\n', 1),
    ("'''a''' = 1\n", 1),
    ('"a\n" = 1\n', 1),
    ('"a" "b" = 1\n', 1),
    ("x\n", 1),
    # headers
    ("[a\n", 1),
    ("[]\n", 1),
    ("[ ]\n", 1),
    ("[[]]\n", 1),
    ("[a.]\n", 1),
    ("[.a]\n", 1),
    ("[a..b]\n", 1),
    ("[a b]\n", 1),
    ("[a]]\n", 1),
    ("[[a]\n", 1),
    ("[ [a]]\n", 1),
    ("[[a] ]\n", 1),
    ("[a] b = 1\n", 1),
    ("[a] [b]\n", 1),
    ("[a]b\n", 1),
    ("[a\n]\n", 1),
    ("[a#b]\n", 1),
    ("[é]\n", 1),
    ("[a = 1]\n", 1),
    # numbers
    ("a = 01\n", 1),
    ("a = -01\n", 1),
    ("a = +-1\n", 1),
    ("a = 1__0\n", 1),
    ("a = _1\n", 1),
    ("a = 1_\n", 1),
    ("a = 1.\n", 1),
    ("a = .5\n", 1),
    ("a = 1.e5\n", 1),
    ("a = 1._5\n", 1),
    ("a = 1e\n", 1),
    ("a = 1e_5\n", 1),
    ("a = 1.5.6\n", 1),
    ("a = 00.5\n", 1),
    ("a = +0x1\n", 1),
    ("a = 0X1\n", 1),
    ("a = 0x\n", 1),
    ("a = 0x_1\n", 1),
    ("a = 0xg\n", 1),
    ("a = 0b2\n", 1),
    ("a = 0o8\n", 1),
    ("a = 1a\n", 1),
    ("a = Inf\n", 1),
    ("a = NaN\n", 1),
    ("a = infinity\n", 1),
    ("a = --1\n", 1),
    ("a = ٣\n", 1),
    # bools
    ("a = True\n", 1),
    ("a = truee\n", 1),
    ("a = yes\n", 1),
    ("a = null\n", 1),
    # texts
    ('a = "x\n"\n', 1),
    ("a = 'x\n'\n", 1),
    ('a = "x\n', 1),
    ("a = 'x\n", 1),
    ('a = """x\n', 2),
    ("a = '''x\n", 2),
    ('a = "\\q"\n', 1),
    ('a = "\\x41"\n', 1),
    ('a = "\\e"\n', 1),
    ('a = "\\u12"\n', 1),
    ('a = "\\u 123"\n', 1),
    ('a = "\\ud800"\n', 1),
    ('a = "\\U00110000"\n', 1),
    ('a = "\\\n"\n', 1),
    ('a = """\\ x"""\n', 1),
    ('a = "\x07"\n', 1),
    ("a = '\x07'\n", 1),
    ('a = "\x7f"\n', 1),
    ('a = """\x00"""\n', 1),
    ("a = '''\x1b'''\n", 1),
    ('a = """x""""""\n', 1),
    ("a = '''x''''''\n", 1),
    ("a = 'it's'\n", 1),
    ('a = "x"y\n', 1),
    ("a = x\n", 1),
    # dates
    ("a = 2001-13-01\n", 1),
    ("a = 2001-02-30\n", 1),
    ("a = 2001-1-1\n", 1),
    ("a = 25:00:00\n", 1),
    ("a = 23:60:00\n", 1),
    ("a = 12:30\n", 1),
    ("a = 2001-01-01T\n", 1),
    ("a = 2001-01-01T12:30Z\n", 1),
    ("a = 2001-01-01T12:30:00.Z\n", 1),
    ("a = 2001-01-01T12:30:00+25:00\n", 1),
    ("a = 2001-01-01  12:30:00\n", 1),
    ("a = 12:30:00Z\n", 1),
    ("a = 0000-01-01\n", 1),
    # comments and control characters
    ("# \x07\n", 1),
    ("a = 1 # \x00\n", 1),
    ("# x\ry\n", 1),
    ("a = 1\rb = 2\n", 1),
    ("a = 1 \r", 1),
    ("\x00", 1),
    ("\x0ca = 1\n", 1),
    ("a = 1\x0b\n", 1),
    ("a =\xa01\n", 1),
    ("\u2028a = 1\n", 1),
    ("a = 1\x85b = 2\n", 1),
    ("a = 1\n\ufeff", 2),
    ("/* a */", 1),
    ("// a", 1),
]

VALID = [
    "",
    "\n\n",
    "#",
    "# only",
    "\t \n",
    "a=1",
    "1.2 = 3\n",
    "3.14159 = 'pi'\n",
    "true = 1\ninf = 2\nnan.x = 3\n",
    "1979-05-27 = 1\n07 = 2\n- = 3\n_ = 4\n1e5 = 5\n",
    "[''.'']\nx = 1\n\"\" = 2\n",
    '"a.b" = 1\na.b = 2\n',
    "'a' . \"b\"\t.c = 1\n",
    "a = 1979-05-27 07:32:00\nb = 07:32:00.999999\nc = 1979-05-27T00:32:00.5-07:00\n",
    "a = 2000-02-29\nb = 1979-05-27t07:32:00z\n",
    "a = [1979-05-27 07:32:00, 1979-05-27 , 1979-05-27 ]\n",
    "a = 1979-05-27 # 07:32:00\n",
    "a = {b = 1979-05-27 }\n",
    'a = """"x""""\nb = """""x"""""\nc = """"""\nd = """"""""\n',
    "a = ''''x''''\nb = '''''x'''''\nc = ''''''\nd = ''''''''\n",
    'a = """\\\n\n  x \\\n  """\nb = """\n"""\nc = """\n\n"""\n',
    'a = """\r\nx\r\ny\\\r\n  z"""\r\n',
    "a = '''\r\nx\r\ny'''\r\n",
    'a = "\\b\\t\\n\\f\\r\\"\\\\\\u00e9\\U0001F600"\n',
    "a = 'C:\\x'\nb = '\t'\nc = \"\t\"\n",
    "a = [[1, 2], ['x'], [{}], []]\nb = [\n]\nc = [ # c\n1 # d\n , # e\n 2 ,\n# f\n]\n",
    "a={b={c={}},d=[{e.f=1,e.g=2}]}\n",
    "a = { }\nb = {\tx = [\n1, # c\n2\n] }\nc = {x = '''\ny'''}\n",
    "[a]\n[a.b]\n[c]\n[a.d]\n",
    "[a.b.c]\nx = 1\n[a]\ny = 1\n[a.b]\nz = 1\n",
    "[ a . 'b' . \"c\" ]\n\t[d] # c\n [[ e ]]\n[e . f]\n",
    "[[a]]\n[a.b]\n[[a]]\n[a.b]\n[[a.c]]\n[[a.c]]\nx = 1\n",
    "[[a.b]]\n[a]\nx = 1\n",
    "[[a.b]]\n[[a.b]]\n[a.b.c]\n[[a.b.d]]\n",
    "[a]\nb.c = 1\nb.d.e = 2\n[a.f]\nb.c = 1\n",
    "a.b.c = 1\n[a.b.d]\nx = 1\n[a.e]\n",
    "[a]\nb.c = 1\n[a.b.d]\n[[a.b.e]]\n",
    "a.b = 1\nc = 2\na.d = 3\n",
    "[a]\nx.y = 1\n[b]\n[a.x.z]\n",
    "a = 0x00FF\nb = 0o007\nc = 0b00\nd = +0\ne = -0\nf = +0.0\ng = 1e06\nh = 1E-0_1\n",
    "a = -inf\nb = +nan\nc = 5e+22\nd = 6.626e-34\ne = 9_224_617.445_991\n",
    "\"\\u0061\" = 1\n'b' = 2\n\"ʎǝʞ\" = 'v'\n[j . \"ʞ\" . 'l']\n",
    "# é \u2028 \x85 \ufeff\na = '\u2028'\n",
    "\ufeffa = 1\n",
    "a = 1\r\n\r\n[b]\r\nc = 1\n# d\r\n",
    "a = [{x = 1}, {y = 2}]\n[[b]]\na = [{x = [[{}]]}]\n",
]


@pytest.mark.parametrize(("source", "line"), INVALID, ids=lambda value: repr(value)[:60])
def test_what_is_not_toml_is_refused_and_the_line_named(source: str, line: int) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        read(source.encode())
    with pytest.raises(Refused) as caught:
        parse(source)
    assert caught.value.code in ("not_toml", "duplicate_key")
    named = re.search(r"line (\d+)", str(caught.value))
    assert named is not None
    # an open bracket or quote may be named where it opens or where the text ends
    assert line - 1 <= int(named[1]) <= source.count("\n") + 1


@pytest.mark.parametrize("source", VALID, ids=lambda value: repr(value)[:60])
def test_what_is_toml_is_read_as_tomllib_reads_it(source: str) -> None:
    document = parse(source)
    assert mirrors(document.root, read(source.encode()))
    assert render(document).data == source.encode()
    document.set("new key", 1)
    out = render(document).data
    assert read(out) == {**read(source.encode()), "new key": 1}


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("a = 1\nb = 2\na = 3\n", 3),
        ("[a]\n\n# c\n[a]\n", 4),
        ("a = '''\n\n'''\nb\n", 4),
        ("a = 1\r\nb = 2\r\nc =\r\n", 3),
        ("a = [\n  1,\n  x,\n]\n", 3),
        ("\ufeffa = 1\nb = \n", 2),
        ("a = '\u2028\x85'\nb = \n", 2),
    ],
)
def test_the_line_of_a_mistake_is_exact(source: str, line: int) -> None:
    with pytest.raises(Refused) as caught:
        parse(source)
    assert re.search(rf"line {line}\b", str(caught.value))


def test_a_message_holds_no_value_of_the_file() -> None:
    for source in (
        "password = hunter2\n",
        'a = "hunter2\n',
        "a = 1\n[hunter2\n",
        "a = 'x' hunter2",
    ):
        with pytest.raises(Refused) as caught:
            parse(source)
        assert "hunter2" not in str(caught.value)


# --- damage

SAMPLE = b"""\
# head \xc3\xa9
title = "TOML \\"x\\" \\u00e9" # t
lit = 'C:\\x' # t
multi = \"\"\"
  a\\
    b "" # no
\"\"\"
raw = '''
]'' [x] # no
'''
n = [ 1, +2, 0xFF, 1_000, 1e5, -inf, nan ] # n
d = [ 1979-05-27 07:32:00, 07:32:00.5, 1979-05-27T07:32:00Z ]
l = [
  { x = 1, y.z = 'q' }, # one
  # two's
  [ "]", [] ]
]
a.b . "c d" = true
a.e = false

[owner]
name = "x"
  [owner . 'sub'] # s
  k = {}

[[p.q]]
x = 1
[p.q.r]
y = 1.50
[[p.q]]
[[p.q.s]]
[p]
"" = 1
"""


def survives(data: bytes) -> str:
    """The outcome: a document that tomllib reads alike, or ``Refused`` where tomllib refuses."""
    try:
        value = read(data)
        text = data.decode()
        readable = not text.startswith("\ufeff\ufeff")
    except (UnicodeDecodeError, ValueError):
        readable = False
    document, code = attempt(data)
    if document is None:
        assert not readable, f"tomllib reads what is refused: {code}"
        assert code in ("not_toml", "duplicate_key", "not_utf8", "number_too_long")
        return "refused"
    assert readable, "tomllib refuses what is read"
    assert mirrors(document.root, value)
    assert render(document).data == data
    return "read"


def test_the_sample_itself_is_read() -> None:
    assert survives(SAMPLE) == "read"


def test_a_text_cut_anywhere_is_read_or_refused() -> None:
    outcomes = {survives(SAMPLE[:cut]) for cut in range(len(SAMPLE))}
    assert outcomes == {"read", "refused"}


def test_a_text_cut_at_its_front_is_read_or_refused() -> None:
    outcomes = {survives(SAMPLE[cut:]) for cut in range(0, len(SAMPLE), 3)}
    assert outcomes == {"read", "refused"}


def damaged(seed: int) -> bytes:
    """The sample with a few bytes changed, taken out, doubled or put in."""
    rng = random.Random(seed)
    data = bytearray(SAMPLE)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        at = rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            data[at] = rng.choice(b"\"'[]{}=.,# \n\r\t\\0_-+:aZ")
        elif kind == 3:
            data.insert(at, rng.choice(b"\"'[]{}=.,# \n\r\t\\0_-+:aZ"))
        elif kind == 4:
            del data[at : at + rng.choice([1, 1, 2, 30])]
        else:
            end = at + rng.choice([1, 3, 30])
            data[at:at] = data[at:end]
    return bytes(data)


def test_a_damaged_text_is_read_as_tomllib_reads_it_or_refused() -> None:
    wrong = []
    for seed in range(FUZZ):
        data = damaged(seed)
        try:
            survives(data)
        except Exception as error:
            wrong.append(f"seed {seed}: {error!r}")
    assert not wrong, f"{len(wrong)} wrong, first ones:\n" + "\n".join(wrong[:5])


def test_random_bytes_of_the_alphabet_are_read_or_refused() -> None:
    rng = random.Random(1)
    parts = [
        "a",
        "b",
        ".",
        "=",
        "1",
        '"',
        "'",
        '"""',
        "'''",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        "\n",
        "\n",
        " ",
        "#",
        "\\",
        "1979-05-27",
        "true",
        "0x",
        "-",
        "é",
        "\r\n",
        "\r",
    ]
    for _ in range(FUZZ * 5):
        data = "".join(rng.choices(parts, k=rng.randint(1, 14))).encode()
        try:
            survives(data)
        except AssertionError as error:
            raise AssertionError(f"{data!r}: {error}") from None


@pytest.mark.parametrize("edit", ["set", "delete", "rename", "wrap"])
def test_every_place_of_the_sample_can_be_edited_or_is_refused(edit: str) -> None:
    def walk(value: object, path: str) -> Iterator[str]:
        if path:
            yield path
        if isinstance(value, dict):
            for k, v in value.items():
                yield from walk(v, f"{path}['{k}']" if path else (k or "['']"))
        elif isinstance(value, list):
            for n, v in enumerate(value):
                yield from walk(v, f"{path}[{n}]")

    arguments = {"set": ("x",), "delete": (), "rename": ("a new name",), "wrap": ()}[edit]
    for path in walk(parse(SAMPLE).root, ""):
        document = parse(SAMPLE)
        if path.endswith("]") and not path.endswith("']") and edit in ("set", "rename"):
            continue
        getattr(document, edit)(path, *arguments)
        try:
            out = render(document).data
        except Refused:
            assert edit != "rename", f"{edit} {path} is refused"
            continue
        tomllib.loads(out.decode())
