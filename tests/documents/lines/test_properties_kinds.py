""".properties as they are.

Non-ASCII text, Latin-1, Spring's files of several documents, and values that go on over lines.
"""

from __future__ import annotations

import javaproperties
import pytest

from confmig.documents import formats
from confmig.documents.model.dialects import dialect_of
from confmig.errors import Refused
from tests.documents.operations.test_new_operations import CONTEXT, read

UMLAUT = "Gr\u00fc\u00dfe \u20ac"


def run(source: str | bytes, operations: str, **said: object) -> bytes:
    """The bytes after some operations."""
    data = source.encode() if isinstance(source, str) else source
    lines = dialect_of(["application.properties"], said)
    document = formats.parse(data, format="properties", lines=lines)
    for operation in read(operations):
        operation.run(document, CONTEXT)
    out = formats.render(document).data
    again = formats.parse(out, format="properties", lines=lines)
    assert formats.render(again).data == out
    return out


def test_what_is_not_ascii_is_escaped_unless_the_file_has_such() -> None:
    operation = f"set: {{path: a, value: '{UMLAUT}'}}"
    escaped = rb"Gr\u00fc\u00dfe \u20ac"
    assert run("a=1\n", operation) == b"a=" + escaped + b"\n"
    assert run("a=1\nb=\\u00e4\n", operation) == b"a=" + escaped + b"\nb=\\u00e4\n"
    assert run("# \u00e4\na=1\n", operation) == "# \u00e4\na=".encode() + escaped + b"\n"
    assert run("a=1\nb=\u00e4\n", operation) == f"a={UMLAUT}\nb=\u00e4\n".encode()
    assert run("a=1\n", operation, encoding="utf-8") == f"a={UMLAUT}\n".encode()


def test_latin_1_stays_latin_1() -> None:
    source = "# \u00e4\na=1\nb=\u00e9\n".encode("latin-1")
    operation = f"set: {{path: a, value: '{UMLAUT}'}}"
    out = run(source, operation, encoding="latin-1")
    assert out == "# \u00e4\na=Gr\u00fc\u00dfe \\u20ac\nb=\u00e9\n".encode("latin-1")
    assert javaproperties.loads(out.decode("latin-1"))["a"] == UMLAUT
    plain = run(b"a=1\n", operation, encoding="latin-1")
    assert plain == b"a=Gr\\u00fc\\u00dfe \\u20ac\n"


def test_a_file_that_is_not_utf_8_is_refused_unless_the_configuration_says_so() -> None:
    with pytest.raises(Refused) as caught:
        run(b"a=\xe9\n", "set: {path: a, value: x}")
    assert caught.value.code == "not_utf8"
    assert "encoding: latin-1" in caught.value.fix


SPRING = (
    "a=1\n\n#---\n# the second\nspring.config.activate.on-profile=prod\nb=2\n#---\n"
    "spring.config.activate.on-profile=test\nc=3\n"
)
CASES: dict[str, tuple[str, str]] = {
    "a key of the second document": ("set: {path: b, value: 5}", SPRING.replace("b=2", "b=5")),
    "deleted": ("delete: c", SPRING.replace("c=3\n", "")),
    "renamed in its document": (
        "move: {from: b, to: d}",
        SPRING.replace("b=2", "d=2"),
    ),
    "a new key goes to the first document": (
        "set: {path: n, value: 1}",
        SPRING.replace("a=1\n", "a=1\nn=1\n"),
    ),
    "a key that overwrites another": (
        "move: {from: c, to: b, on_conflict: overwrite}",
        SPRING.replace("b=2\n", "").replace("c=3", "b=3"),
    ),
    "the first key of all": (
        "[delete: a, set: {path: n, value: 1}]",
        SPRING.replace("a=1\n\n#---", "n=1\n#---"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_path_means_the_key_in_the_one_document_that_has_it(name: str) -> None:
    operation, want = CASES[name]
    assert run(SPRING, operation).decode() == want


@pytest.mark.parametrize(
    "operation",
    [
        "set: {path: \"['spring.config.activate.on-profile']\", value: x}",
        "delete: \"['spring.config.activate.on-profile']\"",
        "move: {from: b, to: \"['spring.config.activate.on-profile']\"}",
    ],
)
def test_a_key_of_several_documents_is_refused_and_they_are_named(operation: str) -> None:
    with pytest.raises(Refused) as caught:
        run(SPRING, operation)
    assert caught.value.code == "repeated_key"
    assert "in the documents 2, 3 of the file" in caught.value.message


def test_the_separator_belongs_to_no_key() -> None:
    source = "a=1\n#---\nx=prod\nb=2\n"
    assert run(source, "delete: x") == b"a=1\n#---\nb=2\n"
    assert run(source, "delete: a") == b"#---\nx=prod\nb=2\n"
    assert run(source, "[delete: x, delete: b]") == b"a=1\n#---\n"
    assert run("a=1\n!---\nx=1\n", "delete: x") == b"a=1\n!---\n"
    # a file that is none of Spring's
    assert run(source, "delete: x", documents="one") == b"a=1\nb=2\n"


def test_a_key_twice_in_one_document_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        run("a=1\na=2\n#---\na=3\n", "set: {path: b, value: 1}")
    assert caught.value.code == "duplicate_key"


TEXTS: dict[str, tuple[str, str, str]] = {
    "a word": (
        "a=one,\\\n  two,\\\n  three\nb=1\n",
        "replace: {path: a, regex: two, with: '2'}",
        "a=one,\\\n  2,\\\n  three\nb=1\n",
    ),
    "words with blanks between": (
        "a = some \\\n    words here\n",
        "replace: {path: a, regex: here, with: 'over there'}",
        "a = some \\\n    words over there\n",
    ),
    "an item more": (
        "a=one,\\\n  two\n",
        "set: {path: a, value: 'one,two,three'}",
        "a=one,\\\n  two,three\n",
    ),
    "with CRLF and an escape": (
        "a=x,\\\r\n  y\r\n",
        "replace: {path: a, regex: 'y', with: '\u00fc'}",
        "a=x,\\\r\n  \\u00fc\r\n",
    ),
    "all of it": ("a=one,\\\n  two\nb=1\n", "set: {path: a, value: '3'}", "a=3\nb=1\n"),
    "a value that begins with a blank then": (
        "k=a b \\\n  c\n",
        "replace: {path: k, regex: '^a', with: ''}",
        "k=\\ b \\\n  c\n",
    ),
    "a line in the middle goes": (
        "a=one,\\\n  two,\\\n  thr\\u00e9e\nb=1\n",
        "replace: {path: a, regex: 'two,', with: ''}",
        "a=one,\\\n  thr\\u00e9e\nb=1\n",
    ),
    "the last line goes": (
        "a=one,\\\n  two,\\\n  thr\\u00e9e\nb=1\n",
        "replace: {path: a, regex: ',thr..', with: ''}",
        "a=one,\\\n  two\nb=1\n",
    ),
    "the first line goes": (
        "a=\\\n  one,\\\n  two\nb=1\n",
        "replace: {path: a, regex: 'one,', with: ''}",
        "a=\\\n  two\nb=1\n",
    ),
    "a line with CRLF goes": (
        "a=one,\\\r\n  two,\\\r\n  three\r\n",
        "replace: {path: a, regex: ',two', with: ''}",
        "a=one,\\\r\n  three\r\n",
    ),
    "an escaped character beside the change stays escaped": (
        "a=caf\\u00e9 \\\n  \\ud83d\\ude00 old\n",
        "replace: {path: a, regex: old, with: new}",
        "a=caf\\u00e9 \\\n  \\ud83d\\ude00 new\n",
    ),
    "a backslash before the end of a line is text": (
        "a=c:\\\\\\\n  two\nb=1\n",
        "replace: {path: a, regex: two, with: ''}",
        "a=c:\\\\\nb=1\n",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_value_that_goes_on_keeps_its_lines(name: str) -> None:
    source, operation, want = TEXTS[name]
    assert run(source, operation).decode() == want
