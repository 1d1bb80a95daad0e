"""Hostile INI, .properties and .env is refused by a named code or handled.

Soon, and the process lives.

No input may end in anything but a document or ``Refused``, and neither may an edit of it.
``CONFMIG_FUZZ`` is the number of damaged texts of each format (200 by default).
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from confmig.documents import formats
from confmig.documents.model.document import Caps
from confmig.errors import Refused
from tests.documents.lines.fuzzing import Maker
from tests.documents.lines.helpers import parse, read

FUZZ = int(os.environ.get("CONFMIG_FUZZ", "200"))
FORMATS = ("ini", "properties", "dotenv")
FULL = 8 * 1024 * 1024


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """A guard against a hang; how long it takes is for the bench to say."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 60.0


def outcome(data: bytes, format: str, caps: Caps | None = None) -> str:
    """``ok`` or the code of the refusal of reading and changing a text."""
    try:
        document = parse(data, format, caps)
        assert formats.render(document).data == data
        first = document.find("*")[:1]
        document.set("zz", "1")
        for hit in first:
            document.remove(hit.container, hit.entry)
        out = formats.render(document).data
    except Refused as error:
        return error.code
    assert read(out, format, strict=False)["zz"] == "1"
    return "ok"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"a=1\n" * (10 << 18), "file_too_large", id="10 MiB"),
        pytest.param(b"a=" + b"x" * 50_000_000, "file_too_large", id="a value of 50 MB"),
        pytest.param(b"\n" * 1_100_000, "too_many_nodes", id="1,100,000 blank lines"),
        pytest.param(b"#\n" * 1_100_000, "too_many_nodes", id="1,100,000 comments"),
        pytest.param(b"a=1\n\0", "", id="a NUL"),
        pytest.param(b"\0" * 1000, "", id="NULs"),
        pytest.param("a=1\n".encode("utf-16"), "not_utf8", id="UTF-16"),
        pytest.param("a=1\n".encode("utf-16-le"), "", id="UTF-16 without a mark"),
        pytest.param(b"a=\xed\xa0\x80\n", "not_utf8", id="a surrogate"),
        pytest.param(b"a=\xc0\xaf\n", "not_utf8", id="overlong"),
        pytest.param(b"#\xff\n", "not_utf8", id="not UTF-8 in a comment"),
    ],
)
def test_it_is_refused_with_a_named_code(data: bytes, code: str, format: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(data, format)
    assert caught.value.code == (code or f"not_{format}")


@pytest.mark.parametrize("format", FORMATS)
def test_caps_are_settings(format: str) -> None:
    data = b"a=1\nb=2\nc=3\n"
    assert outcome(data, format, Caps(size=12)) == "ok"
    assert outcome(data, format, Caps(size=11)) == "file_too_large"
    assert outcome(data, format, Caps(nodes=3)) == "ok"
    assert outcome(data, format, Caps(nodes=2)) == "too_many_nodes"


def keys(count: int) -> bytes:
    return b"".join(b"k%d=v%d\n" % (n, n) for n in range(count))


@pytest.mark.parametrize("format", FORMATS)
def test_many_keys(format: str) -> None:
    assert outcome(keys(2_000), format) == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_90_000_keys(format: str) -> None:
    assert outcome(keys(90_000), format) == "ok"


@pytest.mark.parametrize("format", FORMATS)
def test_200_000_keys_are_refused_by_name(format: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(keys(200_000), format)
    assert caught.value.code == "too_many_entries"


def test_too_many_keys() -> None:
    with pytest.raises(Refused) as caught:
        parse(keys(3_001), "ini", Caps(nodes=3_000))
    assert caught.value.code == "too_many_nodes"


def full(before: bytes, unit: bytes, after: bytes = b"", size: int = FULL) -> bytes:
    """A text of nearly all the bytes that are allowed."""
    return before + unit * ((size - len(before) - len(after)) // len(unit)) + after


WIDE = [
    pytest.param(b"a=", b"x", b"", id="one value"),
    pytest.param(b"", b"x", b"=1", id="one key"),
    pytest.param(b"", b" ", b"", id="blanks"),
    pytest.param(b"a", b" ", b"b=1", id="blanks in a key"),
    pytest.param(b"a", b" ", b"b", id="blanks and no delimiter"),
    pytest.param(b"a=b", b" ", b"b", id="blanks in a value"),
    pytest.param(b"a=b", b"\x0b", b"b", id="odd blanks in a value"),
    pytest.param(b"a=b", b" ", b"# c", id="blanks before a comment"),
    pytest.param(b"a='b'", b" ", b"", id="blanks behind a value"),
    pytest.param(b"a=", b"\\", b"", id="backslashes"),
    pytest.param(b"a=", b"\\", b"\n", id="backslashes and an end"),
    pytest.param(b"a=", b" #", b"", id="comment signs"),
    pytest.param(b"", b"=", b"", id="equals signs"),
    pytest.param(b"", b"[", b"", id="brackets"),
    pytest.param(b"[", b"a", b"]", id="one section"),
    pytest.param(b'a="', b"x", b"", id="a quote that does not end"),
    pytest.param(b"a='", b"\\'", b"'", id="escaped quotes"),
    pytest.param(b"a=", b"\\u0041", b"", id="escapes"),
    pytest.param(b"a=", b"\\ud83d", b"", id="halves"),
]
LONG = [
    pytest.param(b"a=b\n", b" c\n", b"", id="a value over lines"),
    pytest.param(b"a=b\n", b"\n", b" c\n", id="blank lines in a value"),
    pytest.param(b"a=b\n", b"#\n", b" c\n", id="comments in a value"),
    pytest.param(b"a=b\n", b"#\n\n c\n", b"#", id="comments and blank lines in a value"),
    pytest.param(b"a=", b"\\\n", b"b", id="joined lines of nothing"),
    pytest.param(b"a=", b"x\\\n", b"", id="joined lines"),
    pytest.param(b"a=", b"x\\\r", b"\nb=1\n", id="lines joined by carriage returns"),
    pytest.param(b"", b"\\\n", b"\n", id="joined blank lines"),
    pytest.param(b"", b"\\\n\n", b"", id="blank lines joined by two"),
    pytest.param(b'a="', b"x\n", b'"', id="quoted lines"),
    pytest.param(b'a="', b"b='\n", b"", id="quotes across lines"),
    pytest.param(b"a=1\r", b"\r", b"", id="carriage returns"),
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("before", "unit", "after"), WIDE)
def test_it_takes_time_in_line_with_its_length(
    before: bytes, unit: bytes, after: bytes, format: str
) -> None:
    outcome(full(before, unit, after, FULL // 128), format)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("before", "unit", "after"), LONG)
def test_lines_take_time_in_line_with_their_number(
    before: bytes, unit: bytes, after: bytes, format: str
) -> None:
    outcome(full(before, unit, after, 6_000), format)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("before", "unit", "after"), [*WIDE, *LONG])
def test_a_mebibyte_of_it(before: bytes, unit: bytes, after: bytes, format: str) -> None:
    outcome(full(before, unit, after, FULL // 8), format)


def test_what_would_take_another_reader_too_long_is_refused_by_name() -> None:
    assert outcome(b"b=1\na=" + b"x\\\n" * 6_000 + b"y", "properties") == "value_unsupported"
    assert outcome(b"b=1\na=" + b"x\\\r" * 6_000 + b"y", "properties") == "value_unsupported"
    assert outcome(b"B=1\nA=b" + b" " * 50_000 + b"b", "dotenv") == "value_unsupported"


JUNK: tuple[bytes, ...] = (
    b"",
    b"\n",
    b"\r",
    b"=",
    b"[",
    b"]",
    b"\\",
    b"'",
    b'"',
    b"#",
    b";",
    b" ",
    b"\t",
    b":",
)
JUNK = (*JUNK, b"\0", b"\xff", b"\xc3", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\\u", b"export ", b"!")


@pytest.mark.parametrize("format", FORMATS)
def test_damaged_texts_are_refused_or_read_as_others_do(format: str) -> None:
    for seed in range(FUZZ):
        rng = random.Random(seed)
        data = bytearray(Maker(rng, format).make().data)
        for _ in range(rng.randint(1, 6)):
            at = rng.randint(0, len(data))
            if rng.random() < 0.5 and at < len(data):
                data[at] = rng.randint(0, 255)
            else:
                data[at : at + rng.randint(0, 3)] = rng.choice(JUNK)
        damaged = bytes(data)
        try:
            document = parse(damaged, format)
        except Refused:
            continue
        assert document.root == read(damaged, format), (seed, damaged)
        assert formats.render(document).data == damaged
        code = outcome(damaged, format)
        refused = code in ("verify_failed", "comment_lost")
        # without what stood above it, a byte order mark would begin the file
        assert not refused or b"\xef\xbb\xbf" in damaged[1:], (seed, damaged)
