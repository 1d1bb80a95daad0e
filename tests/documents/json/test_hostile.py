"""Hostile JSON, JSONC and JSON5 is refused by a named code or handled: soon, and the process lives.

Nothing but ``Refused`` may come out of a parse, an edit or a render.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator

import pyjson5
import pytest

from confmig.documents import formats
from confmig.documents.model.document import Caps
from confmig.errors import Refused
from tests.documents.helpers import render
from tests.documents.json.helpers import FORMATS, alike, apply, foreign, has_duplicates, plain, read

DEEP = 100_000
FLIPS = int(os.environ.get("CONFMIG_FLIPS", "300"))
SYNTAX = ("not_json", "not_jsonc", "not_json5")
SLOW = pytest.mark.slow
WITH_COMMENTS = ("jsonc", "json5")

SAMPLES = {
    "json": (
        '{\r\n  "a": [1, -2.50e+3, true, false, null, {"x": {}, "y": []}],\r\n'
        '  "s\\u00e9\\"": "\\ud83d\\ude00 é😀 // /* \\\\",\r\n\r\n'
        '\t"o" : {"p":{"q":[[],[0]]}}\r\n}\r\n'
    ),
    "jsonc": (
        '\ufeff// head é\n{ /* in */\n  "a": 1, // t\n  // own\n  "b": [ "x", /* y */ 2.0, ],\n'
        '  "u": "http://\\u00e9/*", /* z\n  😀 */ "o": {"p": {},},\n} // end\n/* foot */'
    ),
    "json5": (
        "// head\n{\n  a: 0x1F, 'b': [+1, .5, 5., -Infinity, NaN,], \"c\": 'x\\\n y\\x41\\'\\v',\n"
        "  $d_\\u0065: {e: null, ü: true}, /* é */ f: 'a\u2028😀', g: 1e5,\n}\n// foot"
    ),
}


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """A guard against a hang; how long it takes is for the bench to say."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 60.0


def _code(data: bytes, format: str, caps: Caps | None = None) -> str:
    with pytest.raises(Refused) as caught:
        formats.parse(data, format=format, caps=caps)
    return caught.value.code


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("make", "codes"),
    [
        pytest.param(lambda: b"[" * DEEP, ("too_deep",), id="open lists"),
        pytest.param(lambda: b"[" * DEEP + b"]" * DEEP, ("too_deep",), id="lists"),
        pytest.param(lambda: b'{"a":' * DEEP, ("too_deep",), id="open maps"),
        pytest.param(lambda: b'{"a":' * DEEP + b"1" + b"}" * DEEP, ("too_deep",), id="maps"),
        pytest.param(lambda: b'[{"a":' * DEEP + b"1" + b"}]" * DEEP, ("too_deep",), id="both"),
        pytest.param(lambda: b"[ \n" * DEEP, ("too_deep",), id="lists in lines"),
        pytest.param(lambda: b"[[]," * DEEP, ("too_deep",), id="lists with siblings"),
        pytest.param(
            lambda: b'{"a": "' + b"x" * (10 << 20) + b'"}', ("file_too_large",), id="10 MiB"
        ),
        pytest.param(
            lambda: b'{"a": "' + b"x" * (50 << 20) + b'"}',
            ("file_too_large",),
            id="50 MiB",
            marks=SLOW,
        ),
        pytest.param(lambda: b" " * (10 << 20), ("file_too_large",), id="10 MiB of nothing"),
        pytest.param(lambda: b"\xff" * (10 << 20), ("file_too_large",), id="10 MiB of no text"),
        pytest.param(
            lambda: b"[" + b"1," * 1_200_000 + b"1]",
            ("too_many_entries",),
            id="1,200,000 items",
            marks=SLOW,
        ),
        pytest.param(
            lambda: b"[" + b"[]," * 1_200_000 + b"1]",
            ("too_many_entries",),
            id="empty lists",
            marks=SLOW,
        ),
        pytest.param(lambda: b"]" * DEEP, SYNTAX, id="closing lists"),
        pytest.param(lambda: b"[1" + b"," * 200_000 + b"]", SYNTAX, id="commas"),
        pytest.param(lambda: b"{" + b":" * 200_000, SYNTAX, id="colons"),
        pytest.param(lambda: b"-" * 200_000, SYNTAX, id="minus signs"),
        pytest.param(lambda: b'"' * 100_001, SYNTAX, id="quotes"),
        pytest.param(lambda: b'"' + b"\\" * 100_001, SYNTAX, id="backslashes"),
        pytest.param(lambda: b'"' + b"\\\\" * 100_000, SYNTAX, id="paired backslashes"),
        pytest.param(lambda: b'"' + b'\\"' * 100_000, SYNTAX, id="escaped quotes"),
        pytest.param(lambda: b'["' + b"x" * 500_000, SYNTAX, id="an open string of 500 kB"),
        pytest.param(lambda: b" " * 500_000, SYNTAX, id="500 kB of spaces"),
        pytest.param(lambda: b"1" + b" " * 500_000 + b"x", SYNTAX, id="500 kB of spaces and more"),
        pytest.param(lambda: b"\n" * 500_000 + b"x", SYNTAX, id="500,000 lines"),
        pytest.param(lambda: b"[" + b"\r\n" * 200_000, SYNTAX, id="200,000 lines in a list"),
        pytest.param(lambda: b"/" * 100_001 + b"\n", SYNTAX, id="slashes"),
        pytest.param(lambda: b"/*" * 200_000, SYNTAX, id="open block comments"),
        pytest.param(lambda: b"[1 /*" + b"*" * 200_000, SYNTAX, id="stars"),
        pytest.param(lambda: b"/**/" * 50_000, SYNTAX, id="block comments and no value"),
        pytest.param(lambda: b"//\n" * 100_000, SYNTAX, id="line comments and no value"),
        pytest.param(lambda: b"1e" * 200_000, SYNTAX, id="exponents"),
        pytest.param(lambda: b"1." * 200_000, SYNTAX, id="points"),
        pytest.param(
            lambda: b"1" * 200_000 + b"x", (*SYNTAX, "number_too_long"), id="digits and more"
        ),
        pytest.param(lambda: b"[" + b"0" * 200_000 + b"]", SYNTAX, id="zeros"),
        pytest.param(lambda: b"a" * 200_000, SYNTAX, id="letters"),
        pytest.param(lambda: b"{" + b"a" * 200_000, SYNTAX, id="letters of a key"),
        pytest.param(lambda: b"\\u0061" * 50_000, SYNTAX, id="escapes outside"),
        pytest.param(lambda: b"{" + b"\\u0061" * 50_000, SYNTAX, id="escapes of a key"),
        pytest.param(lambda: b"[" + b"'\\\n" * 50_000, SYNTAX, id="continuations"),
        pytest.param(lambda: b"\x00" * 200_000, SYNTAX, id="NULs"),
        pytest.param(lambda: "\ufeff".encode() * 200_000, SYNTAX, id="BOMs"),
        pytest.param(lambda: b'{"a": 1} ' * 100_000, SYNTAX, id="documents"),
        pytest.param(lambda: b'{"a": 1, ' * 30 + b'"a": 1', SYNTAX, id="unclosed"),
    ],
)
def test_it_is_refused_with_a_named_code(
    make: Callable[[], bytes], codes: tuple[str, ...], format: str
) -> None:
    assert _code(make(), format) in codes


@pytest.mark.parametrize("format", ["json", "jsonc"])
@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "nan", "1e", "0x10", "+1"])
def test_no_constant_slips_in(word: str, format: str) -> None:
    assert _code(f'{{"a": {word}}}'.encode(), format) in SYNTAX


@pytest.mark.parametrize("format", FORMATS)
def test_the_caps_are_exact(format: str) -> None:
    def taken(data: bytes, **caps: int) -> bool:
        try:
            return render(formats.parse(data, format=format, caps=Caps(**caps))).data == data
        except Refused as refused:
            if refused.code in ("file_too_large", "too_deep", "too_many_nodes"):
                return False
            raise

    assert taken(b"[1, 2]", size=6)
    assert not taken(b"[1, 2]", size=5)
    assert [taken(b"[" * n + b"]" * n, depth=10) for n in (8, 12)] == [True, False]
    assert [taken(b"[" + b"1," * n + b"1]", nodes=20) for n in (10, 30)] == [True, False]
    assert [taken(b"{" + b",".join(b'"%d":1' % i for i in range(n)) + b"}", nodes=60)
            for n in (10, 100)] == [True, False]  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_a_document_as_deep_as_allowed_is_edited(format: str) -> None:
    data = b'{"a":' * 198 + b"1" + b"}" * 198
    document = formats.parse(data, format=format)
    document.set(".".join("a" * 198), 2)
    assert render(document).data == data.replace(b"1", b"2")


@pytest.mark.parametrize("format", FORMATS)
def test_an_edit_that_makes_it_too_deep_is_refused_or_taken_again(format: str) -> None:
    document = formats.parse(b'{"a":' * 195 + b"1" + b"}" * 195, format=format)
    document.set(".".join("a" * 195), {"a": 1})
    for _ in range(10):
        document.wrap("a", "a")
    try:
        data = render(document).data
    except Refused:
        return
    formats.parse(data, format=format)


WIDE = [1_000, pytest.param(90_000, marks=SLOW)]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("count", WIDE)
@pytest.mark.parametrize(("begin", "gap", "end"), [("{\n  ", ",\n  ", "\n}\n"), ("{", ",", "}")])
def test_wide_maps_are_edited(format: str, count: int, begin: str, gap: str, end: str) -> None:
    entries = [f'"key{n}":{n}' for n in range(count)]
    document = formats.parse((begin + gap.join(entries) + end).encode(), format=format)
    document.set(f"key{count - 1}", "x")
    document.delete(f"key{count // 2}")
    document.rename("key0", "first")
    document.set("more", True)
    entries[-1] = f'"key{count - 1}":"x"'
    entries[0] = '"first":0'
    del entries[count // 2]
    entries.append('"more":true')
    assert render(document).data.decode() == begin + gap.join(entries) + end


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("count", [300, pytest.param(30_000, marks=SLOW)])
def test_an_edit_of_every_object_of_a_list_is_no_square(format: str, count: int) -> None:
    data = b"[" + b",".join(b'{"a":%d,"b":1}' % n for n in range(count)) + b"]"
    document = formats.parse(data, format=format)
    document.delete("[*].a")
    assert render(document).data == b"[" + b",".join([b'{"b":1}'] * count) + b"]"


@pytest.mark.parametrize("format", FORMATS)
def test_many_edits_of_a_wide_map_cost_no_square(format: str) -> None:
    lines = [f'"k{n}":{n}' for n in range(2_000)]
    document = formats.parse(("{" + ",".join(lines) + "}").encode(), format=format)
    for n in range(100):
        document.rename(f"k{n}", f"new{n}")
        document.delete(f"k{n + 1_000}")
        document.set(f"more{n}", n)
    expected = [f'"new{n}":{n}' for n in range(100)] + lines[100:1_000] + lines[1_100:]
    expected += [f'"more{n}":{n}' for n in range(100)]
    assert render(document).data.decode() == "{" + ",".join(expected) + "}"


@pytest.mark.parametrize("format", FORMATS)
def test_half_of_a_long_list_goes(format: str) -> None:
    document = formats.parse(
        b"[" + b",".join(b"%d" % n for n in range(1_000)) + b"]", format=format
    )
    for n in range(999, -1, -2):
        del document.root[n]
    assert render(document).data == b"[" + b",".join(b"%d" % n for n in range(0, 1_000, 2)) + b"]"


@pytest.mark.parametrize("format", WITH_COMMENTS)
def test_10_000_lines_of_comment_are_no_square(format: str) -> None:
    data = b'{\n  "a": 1,\n' + b"  // c\n" * 10_000 + b'  "b": 2\n}\n'
    document = formats.parse(data, format=format)
    document.delete("b")
    assert render(document).data == b'{\n  "a": 1\n}\n'


@pytest.mark.parametrize("format", WITH_COMMENTS)
def test_10_000_comments_in_a_line_are_no_square(format: str) -> None:
    data = b'{"a"' + b"/**/" * 10_000 + b": 1" + b"/*,*/" * 10_000 + b', "b": 2}'
    document = formats.parse(data, format=format)
    document.set("b", 3)
    assert render(document).data == data[:-2] + b"3}"


@pytest.mark.parametrize("format", WITH_COMMENTS)
def test_comments_of_2_000_keys_are_no_square(format: str) -> None:
    lines = "".join(f'  // own {n}\n  "k{n}": {n}, // t {n}\n' for n in range(2_000))
    document = formats.parse(f"{{\n{lines}}}\n".encode(), format=format)
    for n in range(0, 1_000, 2):
        document.delete(f"k{n}")
    gone = "".join(f'  // own {n}\n  "k{n}": {n}, // t {n}\n' for n in range(0, 1_000, 2))
    result = render(document).data.decode()
    assert len(result) == len(lines) - len(gone) + len("{\n}\n")
    assert "own 0\n" not in result
    assert "own 1\n" in result


@pytest.mark.parametrize("format", FORMATS)
def test_a_huge_scalar_is_text_like_any_other(format: str) -> None:
    data = b'{"a": "' + b"x\\n" * (1 << 15) + b'", "b": 1}'
    document = formats.parse(data, format=format)
    document.set("b", 2)
    assert render(document).data == data[:-2] + b"2}"


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_a_string_of_50_mb_is_edited_where_the_caps_allow_it(format: str) -> None:
    data = b'{"a": "' + b"x" * 50_000_000 + b'", "b": 1}'
    document = formats.parse(data, format=format, caps=Caps(size=64 << 20))
    document.set("b", 2)
    assert render(document).data == data[:-2] + b"2}"


@pytest.mark.parametrize("format", FORMATS)
def test_a_huge_key_is_renamed(format: str) -> None:
    key = "k" * 1_000_000
    document = formats.parse(f'{{"{key}": 1}}'.encode(), format=format)
    document.rename(key, "x")
    assert render(document).data == b'{"x": 1}'


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "number",
    [
        pytest.param("9" * 100_000, id="integer"),
        pytest.param("-" + "1" * 100_000, id="negative"),
        pytest.param("0." + "3" * 100_000, id="fraction"),
        pytest.param("1e" + "9" * 100_000, id="exponent"),
        pytest.param("1e-" + "9" * 100_000, id="negative exponent"),
        pytest.param("1" + "0" * 100_000 + "e-100000", id="both"),
        pytest.param("1" * 4_301, id="4,301 digits"),
        pytest.param("1e309", id="1e309"),
    ],
)
def test_a_huge_number_stays_or_is_refused(number: str, format: str) -> None:
    data = f'{{"n": {number}, "a": 1}}'.encode()
    try:
        document = formats.parse(data, format=format)
        document.set("a", 2)
        result = render(document).data
    except Refused:
        return
    assert result == data[:-2] + b"2}"


def test_a_huge_hexadecimal_number_stays_or_is_refused() -> None:
    data = b"{n: 0x" + b"f" * 100_000 + b", a: 1}"
    try:
        document = formats.parse(data, format="json5")
        document.set("a", 2)
        result = render(document).data
    except Refused:
        return
    assert result == data[:-2] + b"2}"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(10**5_000, id="integer"),
        pytest.param(-(10**100_000), id="negative"),
        pytest.param("x" * 300_000, id="text"),
        pytest.param("\x00" * 30_000, id="NULs"),
    ],
)
def test_a_huge_value_is_written_or_refused(value: object, format: str) -> None:
    document = formats.parse(b'{"a": 1}', format=format)
    try:
        document.set("a", value)
        result = render(document).data
    except Refused:
        return
    again = formats.parse(result, format=format)
    assert again["a"] == value


@pytest.mark.parametrize("format", FORMATS)
def test_a_deep_new_value_is_written_or_refused(format: str) -> None:
    value: object = 1
    for _ in range(500):
        value = [value]
    document = formats.parse(b'{"a": 1}', format=format)
    try:
        document.set("a", value)
        result = render(document).data
    except Refused:
        return
    formats.parse(result, format=format)


_OPEN = r"""
{ [ " {"a {"a" {"a": {"a":1 {"a":1, [1 [1, [" "\ "\u "\u1 "\u123 "\ud83d - 1. 1e
1e- t tru fals nul [tru {"a":nul / /* // {// {/* {"a"/* {"a":/* [1/* [1,/*
{"a":1// {"a":1}/* {"a":1}/ ' '\ '\x '\x4 {a {a: {\ {\u {\u00 0x + . -. Inf
-Infinit Na {'a {'a' [[[[ {"a":{"a":{"a": [{ {"a":[
"""
_UNTERMINATED = [
    *_OPEN.split(),
    "\ufeff",
    "\ufeff{",
    "'\\\n",
    "'\\\r",
    "\r",
    "\r\n",
    "/* *",
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("source", _UNTERMINATED, ids=repr)
def test_what_does_not_end_is_refused(source: str, format: str) -> None:
    if format == "json5" and source == "1.":  # a number of JSON5
        assert render(formats.parse(b"1.", format=format)).data == b"1."
        return
    assert _code(source.encode(), format) in SYNTAX


@pytest.mark.parametrize("format", FORMATS)
def test_every_truncation_of_a_sample_is_refused_or_a_document(format: str) -> None:
    data = SAMPLES[format].encode()
    assert _outcome(data, format) == "taken"
    for end in range(len(data)):
        outcome = _outcome(data[:end], format)
        assert outcome in ("taken", "not_utf8", *SYNTAX), (data[:end], outcome)


@pytest.mark.parametrize("format", FORMATS)
def test_every_removed_byte_of_a_sample_is_refused_or_a_document(format: str) -> None:
    data = SAMPLES[format].encode()
    for at in range(len(data)):
        _outcome(data[:at] + data[at + 1 :], format)


@pytest.mark.parametrize("format", FORMATS)
def test_random_flips_never_crash_and_are_judged_as_another_reader_does(format: str) -> None:
    rng = random.Random(f"flips {format}")
    alphabet = b"{}[]:,\"'\\/*\n\r\t .-+01289xXeEuabftn$_#" + "é\u2028\ufeff\u00a0".encode()
    for _ in range(FLIPS):
        data = bytearray(SAMPLES[rng.choice((format, format, *FORMATS))].encode())
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[at] = rng.choice(alphabet)
            elif kind == 2:
                data[at:at] = bytes(rng.choices(alphabet, k=rng.randint(1, 3)))
            else:
                del data[at : at + rng.randint(1, 5)]
        _outcome(bytes(data), format)


@pytest.mark.parametrize("format", FORMATS)
def test_random_bytes_never_crash(format: str) -> None:
    rng = random.Random(f"bytes {format}")
    for _ in range(200):
        _outcome(rng.randbytes(rng.randint(0, 60)), format)


def _outcome(data: bytes, format: str) -> str:
    """What becomes of a text; the strict reader of the tests must see it alike."""
    try:
        value = read(data, format)
        known = "duplicate_key" if has_duplicates(value) else "taken"
    except UnicodeDecodeError:
        known = "not_utf8"
    except ValueError:
        known = "not_json"
    try:
        document = formats.parse(data, format=format)
    except Refused as refused:
        code = "not_json" if refused.code in SYNTAX else refused.code
        if known == "taken" and _may_be_refused(data, format):
            return refused.code
        # a duplicate may come before the error
        if code != known and (known, code) != ("not_json", "duplicate_key"):
            pytest.fail(f"{data!r} is {known}, not {refused!s}")
        return refused.code
    assert known == "taken", (data, known)
    assert render(document).data == data
    _edited(data, format)
    return "taken"


def _may_be_refused(data: bytes, format: str) -> bool:
    """Lone surrogates, lone CR, and what the second parser cannot read either."""
    text = data.decode("utf-8-sig")
    if "\r" in text.replace("\r\n", "") or "\\ud" in text.lower() or "\u2028" in text:
        return True
    try:
        foreign(data, format)
    except (ValueError, pyjson5.Json5DecoderException):
        return True
    return False


def _edited(data: bytes, format: str) -> None:
    """A key more, if the root is a mapping: right, or refused."""
    document = formats.parse(data, format=format)
    if not isinstance(document.root, dict):
        return
    try:
        document.set("added.here", [1, "x"])
        result = render(document).data
    except Refused:
        return
    after = apply(plain(read(data, format)), ("set", "added.here", [1, "x"]))
    assert alike(read(result, format), after), data
