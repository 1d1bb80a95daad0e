"""Everyday edits: what people do to real files, with exactly the text that they would write.

Each row is an input, the operations, and the result to the byte. A row stands for a kind.
"""

from __future__ import annotations

import pytest
import yaml12

from confmig.documents import formats
from confmig.documents.yaml import second
from confmig.errors import Refused
from tests.documents.test_new_operations import check, run

Rows = dict[str, tuple[str, str, str]]

LIST_ITEMS: Rows = {
    "the first two keys of an item move": (
        "steps:\n  - name: a\n    uses: b\n    with: {a: 1}\n  - run: x\n",
        "[move: {from: 'steps[0].name', to: 'steps[0].meta.name'},"
        " move: {from: 'steps[0].uses', to: 'steps[0].meta.uses'}]",
        "steps:\n  - with: {a: 1}\n    meta:\n      name: a\n      uses: b\n  - run: x\n",
    ),
    "the first two keys of an item are gathered": (
        "c:\n- ip: 1.2.3.4\n  mac: aa\n  name: x\n",
        "gather: {from: ['c[0].ip', 'c[0].mac'], to: 'c[0].ids'}",
        "c:\n- name: x\n  ids:\n  - 1.2.3.4\n  - aa\n",
    ),
    "all keys of an item go and one comes": (
        "c:\n- a: 1\n  b: 2\n",
        "[delete: 'c[0].a', delete: 'c[0].b', set: {path: 'c[0].k', value: 1}]",
        "c:\n- k: 1\n",
    ),
    "the only key of an item goes and two come": (
        "l:\n  - a: 1\n",
        "[delete: 'l[0].a', set: {path: 'l[0].b', value: 2}, set: {path: 'l[0].c', value: 3}]",
        "l:\n  - b: 2\n    c: 3\n",
    ),
    "set, and delete what was there": (
        "l:\n- a: 1\n  b: 2\n- 3\n",
        "[set: {path: 'l[0].c', value: 9}, delete: 'l[0].a', delete: 'l[0].b']",
        "l:\n- c: 9\n- 3\n",
    ),
    "all keys of an item but the last": (
        "l:\n- a: 1\n  b: 2\n  c: 3  # three\n",
        "[delete: 'l[0].a', delete: 'l[0].b']",
        "l:\n- c: 3  # three\n",
    ),
    "the first and the third key of an item": (
        "l:\n- a: 1\n  b: 2\n  c: 3\n  d: 4\n",
        "[delete: 'l[0].a', delete: 'l[0].c']",
        "l:\n- b: 2\n  d: 4\n",
    ),
    "a comment above the key that stays": (
        "l:\n- a: 1\n  b: 2\n  # about c\n  c: 3\n",
        "[delete: 'l[0].a', delete: 'l[0].b']",
        "l:\n- # about c\n  c: 3\n",
    ),
    "a comment above the dash stays": (
        "l:\n# about the item\n- a: 1\n  b: 2\n  c: 3\n",
        "[delete: 'l[0].a', delete: 'l[0].b']",
        "l:\n# about the item\n- c: 3\n",
    ),
    "a comment of nobody between the keys that go": (
        "l:\n- a: 1\n\n  # of nobody\n\n  b: 2\n  c: 3\n",
        "[delete: 'l[0].a', delete: 'l[0].b']",
        "l:\n-\n\n  # of nobody\n\n  c: 3\n",
    ),
    "blank lines between the keys that go": (
        "l:\n- a: 1\n\n  b: 2\n\n  c: 3\n",
        "[delete: 'l[0].a', delete: 'l[0].b']",
        "l:\n- c: 3\n",
    ),
    "the first items of a list in a list": (
        "l:\n- - 1\n  - 2\n  - 3\n- - 4\n",
        "[delete: 'l[0][0]', delete: 'l[0][0]']",
        "l:\n- - 3\n- - 4\n",
    ),
    "all items of a list in a list": (
        "l:\n- - 1\n  - 2\n- - 4\n",
        "remove_items: {path: 'l[0]', values: [1, 2]}",
        "l:\n- []\n- - 4\n",
    ),
    "an item before the first of a list in a list": (
        "l:\n- - 1\n  - 2\n",
        "[delete: 'l[0][0]', add_item: {path: 'l[0]', value: 0, at: start}]",
        "l:\n- - 0\n  - 2\n",
    ),
    "the first keys of the document's only item, with CRLF": (
        "- a: 1\r\n  b: 2\r\n  c: 3\r\n",
        "[delete: '[0].a', delete: '[0].b']",
        "- c: 3\r\n",
    ),
    "without a final newline": (
        "l:\n- a: 1\n  b: 2\n  c: 3",
        "[delete: 'l[0].a', delete: 'l[0].b']",
        "l:\n- c: 3",
    ),
    "all keys of an item that ends the file without a newline": (
        "l:\n- a: 1\n  b: 2",
        "[delete: 'l[0].a', delete: 'l[0].b', set: {path: 'l[0].c', value: 3}]",
        "l:\n- c: 3",
    ),
}

SCRIPT = "run: |  # why\n  first\n\n    second\n  third\nz: 1\n"
TEXTS: Rows = {
    "a word in a literal": (
        SCRIPT,
        "replace: {path: run, regex: second, with: '2nd'}",
        "run: |  # why\n  first\n\n    2nd\n  third\nz: 1\n",
    ),
    "a line more and a line less in a literal": (
        SCRIPT,
        'set: {path: run, value: "first\\n\\n  second\\nnew\\nthird\\nlast\\n"}',
        "run: |  # why\n  first\n\n    second\n  new\n  third\n  last\nz: 1\n",
    ),
    "a literal loses its final newline": (
        SCRIPT,
        'set: {path: run, value: "first\\nthird"}',
        "run: |-  # why\n  first\n  third\nz: 1\n",
    ),
    "a literal gets two final newlines": (
        "a: |\n  x\n  y\nz: 1\n",
        'set: {path: a, value: "x\\ny\\n\\n"}',
        "a: |+\n  x\n  y\n\nz: 1\n",
    ),
    "a literal becomes a text of one line": (
        SCRIPT,
        "set: {path: run, value: x}",
        "run: x  # why\nz: 1\n",
    ),
    "a literal becomes a number": (SCRIPT, "set: {path: run, value: 3}", "run: 3  # why\nz: 1\n"),
    "a literal whose first line is indented": (
        "a: |\n  x\n  y\nz: 1\n",
        'set: {path: a, value: " x\\ny\\n"}',
        "a: |2\n   x\n  y\nz: 1\n",
    ),
    "a literal with a control character cannot stay one": (
        "a: |\n  x\n  y\nz: 1\n",
        'set: {path: a, value: "x\\e\\ny\\n"}',
        'a: "x\\u001b\\ny\\n"\nz: 1\n',
    ),
    "a word in a folded text": (
        "a: >-\n  some words\n  over two lines\nz: 1\n",
        "replace: {path: a, regex: two, with: '2'}",
        "a: >-\n  some words\n  over 2 lines\nz: 1\n",
    ),
    "a paragraph in a folded text": (
        "a: >\n  some words\n  over lines\n\n  and more\nz: 1\n",
        "replace: {path: a, regex: 'and more', with: 'and much more'}",
        "a: >\n  some words\n  over lines\n\n  and much more\nz: 1\n",
    ),
    "a line more in a folded text": (
        "a: >\n  some words\n  over lines\nz: 1\n",
        'set: {path: a, value: "some words over lines\\nmore\\n"}',
        "a: >\n  some words over lines\n\n  more\nz: 1\n",
    ),
    "a paragraph more in a folded text": (
        "k: >\n  one two\n  three\n\n  four\nz: 1\n",
        'replace: {path: k, regex: three, with: "3\\n"}',
        "k: >\n  one two 3\n\n\n  four\nz: 1\n",
    ),
    "what a folded text cannot say becomes a literal": (
        "k: >\n  one two\n  three\nz: 1\n",
        'set: {path: k, value: "one\\n  two\\nthree\\n"}',
        "k: |\n  one\n    two\n  three\nz: 1\n",
    ),
    "a word in a plain text of two lines": (
        "a: some words\n  over two lines  # c\nz: 1\n",
        "replace: {path: a, regex: two, with: '2'}",
        "a: some words\n  over 2 lines  # c\nz: 1\n",
    ),
    "a word in a quoted text of two lines": (
        "a: 'some words\n\n  over two lines'\nz: 1\n",
        "replace: {path: a, regex: two, with: '2'}",
        "a: 'some words\n\n  over 2 lines'\nz: 1\n",
    ),
    "a quote in a quoted text of two lines": (
        "a: 'some words\n  over two lines'\nz: 1\n",
        'replace: {path: a, regex: two, with: "it\'s"}',
        "a: 'some words over it''s lines'\nz: 1\n",
    ),
    "a literal moves to another parent": (
        "a:\n    t: |  # c\n        x\n          y\n    u: 1\nb:\n    c: 1\n",
        "move: {from: a.t, to: b.s}",
        "a:\n    u: 1\nb:\n    c: 1\n    s: |  # c\n        x\n          y\n",
    ),
    "a literal is nested": (
        "a: |\n  x\n\n  y\nz: 1\n",
        "nest: {path: a, under: k}",
        "a:\n  k: |\n    x\n\n    y\nz: 1\n",
    ),
    "a literal is hoisted": (
        "a:\n  k: |\n    x\n    y\nz: 1\n",
        "hoist: {path: a, key: k}",
        "a: |\n  x\n  y\nz: 1\n",
    ),
    "a literal is hoisted, and the key has a comment": (
        "a:  # c\n  k: |\n    x\n    y\nz: 1\n",
        "hoist: {path: a, key: k}",
        "a: |  # c\n  x\n  y\nz: 1\n",
    ),
    "a literal becomes an item and comes back": (
        "a: |-\n  x\n  y\nz: 1\n",
        "[wrap_list: a, add_item: {path: a, value: b}]",
        "a:\n  - |-\n    x\n    y\n  - b\nz: 1\n",
    ),
    "an item becomes a value": (
        "a:\n  - |-\n    x\n    y\nz: 1\n",
        "unwrap_list: a",
        "a: |-\n  x\n  y\nz: 1\n",
    ),
    "a literal overwrites a number with a comment": (
        "a: |\n  x\n  y\nb: 1  # one\n",
        "move: {from: a, to: b, on_conflict: overwrite}",
        "b: |\n  x\n  y\n",
    ),
    "a literal is appended to a list": (
        "a: |\n  x\n  y\nb:\n- c\n",
        "move: {from: a, to: b, on_conflict: append}",
        "b:\n- c\n- |\n  x\n  y\n",
    ),
    "a literal whose header says its indentation": (
        "a: |2-\n    x\n   y\nz: 1\n",
        "nest: {path: a, under: k}",
        "a:\n  k: |2-\n      x\n     y\nz: 1\n",
    ),
    "a tagged literal": (
        "a: !vault |\n      x\n      y\nz: 1\n",
        "nest: {path: a, under: k}",
        "a:\n  k: !vault |\n    x\n    y\nz: 1\n",
    ),
    "a tagged object is nested": (
        "a: !t\n  x: 1  # c\nz: 1\n",
        "nest: {path: a, under: k}",
        "a:\n  k: !t\n    x: 1  # c\nz: 1\n",
    ),
    "an anchored object becomes an item": (
        "a: &t\n  x: 1\nz: 1\n",
        "wrap_list: a",
        "a:\n  - &t\n    x: 1\nz: 1\n",
    ),
    "a tagged list is nested": (
        "a: !l\n- 1\n- 2\nz: 1\n",
        "nest: {path: a, under: k}",
        "a:\n  k: !l\n  - 1\n  - 2\nz: 1\n",
    ),
    "a plain text that begins below its key is nested": (
        "d:\n  some\n  words\nx: 1\n",
        "nest: {path: d, under: en}",
        "d:\n  en: some\n    words\nx: 1\n",
    ),
    "a text at the end without a newline, and a key behind it": (
        "s:\n- run: |\n    a\n    b",
        "default: {path: name, value: x}",
        "s:\n- run: |-\n    a\n    b\nname: x",
    ),
    "a text at the end without a newline that keeps lines": (
        "a: |+\n  x\n  y",
        "default: {path: name, value: x}",
        "a: |-\n  x\n  y\nname: x",
    ),
    "a literal comes to the end of a file without a newline": (
        "a: |\n  x\n  y\nb:\n  c: 1",
        "move: {from: a, to: b.a}",
        "b:\n  c: 1\n  a: |\n    x\n    y\n",
    ),
    "a plain text of two lines becomes what needs quotes": (
        "a: one\n  two\nb: x\n",
        "[replace: {path: a, regex: '^one two$', with: 'no'}, delete: b]",
        "a: 'no'\n",
    ),
    "a text that keeps lines comes to the end of a file without a newline": (
        "b:\n  d: |+\n    end\n\nz: 1",
        "move: {from: b.d, to: q}",
        "b: {}\nz: 1\nq: |+\n  end\n\n",
    ),
    "a text at the end without a newline gets two": (
        "d: |\n    end",
        'set: {path: d, value: "a\\n\\n"}',
        "d: |+\n    a\n\n",
    ),
    "a literal with CRLF": (
        "a: |\r\n  x\r\n  y\r\nz: 1\r\n",
        "replace: {path: a, regex: y, with: why}",
        "a: |\r\n  x\r\n  why\r\nz: 1\r\n",
    ),
    "a folded text with CRLF": (
        "a: >\r\n  x\r\n  y\r\nz: 1\r\n",
        "replace: {path: a, regex: y, with: why}",
        "a: >\r\n  x\r\n  why\r\nz: 1\r\n",
    ),
}


@pytest.mark.parametrize("name", LIST_ITEMS)
def test_the_first_entries_of_a_compact_list_item_may_leave(name: str) -> None:
    source, operations, want = LIST_ITEMS[name]
    check(source, operations, want, "yaml", again=False)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_several_lines_keeps_its_form(name: str) -> None:
    source, operations, want = TEXTS[name]
    check(source, operations, want, "yaml", again=False)


COLLECTIONS: dict[str, tuple[str, str, str, str]] = {
    "a list gets one item more": (
        "yaml",
        "l:\n# one\n- 1  # a\n- 2  # b\n",
        "set: {path: l, value: [1, 2, 3]}",
        "l:\n# one\n- 1  # a\n- 2  # b\n- 3\n",
    ),
    "a list loses its middle": (
        "yaml",
        "l:\n- 1  # a\n- 2  # b\n- 3  # c\n",
        "set: {path: l, value: [1, 3]}",
        "l:\n- 1  # a\n- 3  # c\n",
    ),
    "an item comes between": (
        "yaml",
        "l: [1, 3]  # c\n",
        "set: {path: l, value: [1, 2, 3]}",
        "l: [1, 2, 3]  # c\n",
    ),
    "true is not 1": (
        "yaml",
        "l:\n- 1\n- x\n",
        "set: {path: l, value: [true, x]}",
        "l:\n- true\n- x\n",
    ),
    "an object gets, loses and changes a key": (
        "yaml",
        "o:\n  a: 1  # a\n  b: 2  # b\n  # about c\n  c: 'x'  # c\n",
        "set: {path: o, value: {a: 1, d: 4, c: y}}",
        "o:\n  a: 1  # a\n  d: 4\n  # about c\n  c: 'y'  # c\n",
    ),
    "an object in a list changes": (
        "yaml",
        "l:\n- name: a  # first\n  port: 1  # p\n- name: b  # second\n  port: 2\n",
        "set: {path: l, value: [{name: a, port: 1}, {name: b, port: 3}]}",
        "l:\n- name: a  # first\n  port: 1  # p\n- name: b  # second\n  port: 3\n",
    ),
    "another order": (
        "yaml",
        'p:\n- "80:80"\n# tls\n- 443:443  # t\n- x\n',
        'set: {path: p, value: ["443:443", x, "80:80"]}',
        'p:\n# tls\n- 443:443  # t\n- x\n- "80:80"\n',
    ),
    "another order, one goes and one comes": (
        "yaml",
        "l:\n- {k: a}  # a\n- {k: b}  # b\n- {k: c}  # c\n",
        "set: {path: l, value: [{k: c}, {k: d}, {k: a}]}",
        "l:\n- {k: c}  # c\n- k: d\n- {k: a}  # a\n",
    ),
    "another order in TOML": (
        "toml",
        "l = [\n  1, # a\n  2, # b\n]\n",
        "set: {path: l, value: [2, 1]}",
        "l = [\n  2, # b\n  1, # a\n]\n",
    ),
    "nothing stays": (
        "yaml",
        "l:\n- 1  # a\n- 2  # b\n",
        "set: {path: l, value: [3]}",
        "l:\n- 3\n",
    ),
    "a deep difference": (
        "yaml",
        "o:\n  p:\n    q: {a: 1, b: 2}  # q\n    r: 1  # r\n  s: 1  # s\n",
        "set: {path: o, value: {p: {q: {a: 1, b: 3}, r: 1}, s: 1}}",
        "o:\n  p:\n    q: {a: 1, b: 3}  # q\n    r: 1  # r\n  s: 1  # s\n",
    ),
    "JSONC": (
        "jsonc",
        '{\n  "l": [\n    1, // one\n    2 // two\n  ]\n}\n',
        "set: {path: l, value: [2, 3]}",
        '{\n  "l": [\n    2, // two\n    3\n  ]\n}\n',
    ),
    "TOML": (
        "toml",
        "[o]\na = 1 # a\n# about b\nb = [1, 2] # b\n",
        "set: {path: o, value: {a: 2, b: [1, 2, 3]}}",
        "[o]\na = 2 # a\n# about b\nb = [1, 2, 3] # b\n",
    ),
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_collection_changes_by_its_difference(name: str) -> None:
    format, source, operations, want = COLLECTIONS[name]
    check(source, operations, want, format, again=True)


def test_an_assignment_of_a_handler_keeps_what_stays() -> None:
    source = "l:\n- a  # one\n- b  # two\no:\n  k: 1  # k\n"
    document = formats.parse(source.encode(), format="yaml")
    root = document.root
    root["l"] = [*root["l"], "c"]
    root["o"] = {**root["o"], "m": 2}
    assert formats.render(document).data.decode() == (
        "l:\n- a  # one\n- b  # two\n- c\no:\n  k: 1  # k\n  m: 2\n"
    )


@pytest.mark.parametrize(
    "operation",
    [
        "replace: {path: k, regex: db, with: pg}",
        "map_value: {path: k, map: {db_pass: x}}",
        "map_value: {path: k, map: {}, otherwise: x}",
    ],
)
def test_a_value_with_a_tag_of_its_own_is_set_or_stays(operation: str) -> None:
    source = "k: !secret db_pass\nz: 1\n"
    with pytest.raises(Refused) as caught:
        run(source, operation)
    assert caught.value.code == "tagged_value"
    assert run(source, "set: {path: k, value: x}")[1] == "k: x\nz: 1\n"
    assert run(source, "replace: {path: k, regex: nothing, with: pg}")[1] == source


def test_an_anchored_list_is_guarded_and_its_alias_changes_with_it() -> None:
    source = "l: &l\n- 1  # one\n- 2\nm: *l\n"
    operation = "set: {path: l, value: [1, 3]}"
    with pytest.raises(Refused, match="anchored"):
        run(source, operation)
    document, text = run(source, "{set: {path: l, value: [1, 3]}, allow_shared: true}")
    assert text == "l: &l\n- 1  # one\n- 3\nm: *l\n"
    assert document.get("m") == [1, 3]


def test_two_lists_that_share_little_are_compared_in_bounded_time() -> None:
    source = "l:\n" + "".join(f"- {n % 2}\n" for n in range(6000))
    document = formats.parse(source.encode(), format="yaml")
    wanted = [n % 3 for n in range(6000)]
    document.set("l", wanted)
    assert document.get("l") == wanted


ENDS: dict[str, tuple[str, str, str, str]] = {
    "yaml: the last section": ("yaml", "a: 1\n\nb: 2\n", "delete: b", "a: 1\n"),
    "yaml: the first section": ("yaml", "a: 1\n\nb: 2\n", "delete: a", "b: 2\n"),
    "yaml: one in the middle": ("yaml", "a: 1\n\nb: 2\n\nc: 3\n", "delete: b", "a: 1\n\nc: 3\n"),
    "yaml: two in the middle": (
        "yaml",
        "a: 1\n\nb: 2\n\nc: 3\n\nd: 4\n",
        "[delete: b, delete: c]",
        "a: 1\n\nd: 4\n",
    ),
    "yaml: the last ones": (
        "yaml",
        "a: 1\n\nb: 2\n\nc: 3\n",
        "[delete: b, delete: c]",
        "a: 1\n",
    ),
    "yaml: the last, and blank lines behind it": (
        "yaml",
        "a: 1\n\nb: 2\n\n\n",
        "delete: b",
        "a: 1\n",
    ),
    "yaml: no blank line around": ("yaml", "a: 1\nb: 2\nc: 3\n", "delete: b", "a: 1\nc: 3\n"),
    "yaml: between two habits the longer run stays": (
        "yaml",
        "a: 1\n\nb: 2\n\n\nc: 3\n",
        "delete: b",
        "a: 1\n\n\nc: 3\n",
    ),
    "yaml: the last key of a section": (
        "yaml",
        "s:\n  a: 1\n\n  b: 2\n\nt: 3\n",
        "delete: s.b",
        "s:\n  a: 1\n\nt: 3\n",
    ),
    "yaml: one that moves to the end": (
        "yaml",
        "a: 1\n\nb: 2\n\nc:\n  d: 1\n",
        "move: {from: b, to: c.b}",
        "a: 1\n\nc:\n  d: 1\n  b: 2\n",
    ),
    "yaml: blank lines of a text are content": (
        "yaml",
        "a: |+\n  x\n\nb: 2\n\nc: 3\n",
        "delete: b",
        "a: |+\n  x\n\nc: 3\n",
    ),
    "yaml: the only child moves to the end of a file without a newline": (
        "yaml",
        "b:\n  d: x",
        "move: {from: b.d, to: z}",
        "b: {}\nz: x",
    ),
    "yaml: without a final newline": ("yaml", "a: 1\n\nb: 2", "delete: b", "a: 1"),
    "yaml: CRLF": ("yaml", "a: 1\r\n\r\nb: 2\r\n\r\nc: 3\r\n", "delete: b", "a: 1\r\n\r\nc: 3\r\n"),
    "yaml: a footer stays apart": (
        "yaml",
        "a: 1\n\nb: 2\n\n# the end\n",
        "delete: b",
        "a: 1\n\n# the end\n",
    ),
    "toml: the last table": ("toml", "[a]\nx = 1\n\n[b]\ny = 1\n", "delete: b", "[a]\nx = 1\n"),
    "toml: the first table": ("toml", "[a]\nx = 1\n\n[b]\ny = 1\n", "delete: a", "[b]\ny = 1\n"),
    "toml: one in the middle": (
        "toml",
        "[a]\nx = 1\n\n[b]\ny = 1\n\n[c]\nz = 1\n",
        "delete: b",
        "[a]\nx = 1\n\n[c]\nz = 1\n",
    ),
    "toml: a pair in the middle": (
        "toml",
        "a = 1\n\nb = 2\n\nc = 3\n",
        "delete: b",
        "a = 1\n\nc = 3\n",
    ),
    "ini: the last section": ("ini", "[a]\nx = 1\n\n[b]\ny = 1\n", "delete: b", "[a]\nx = 1\n"),
    "ini: the first section": ("ini", "[a]\nx = 1\n\n[b]\ny = 1\n", "delete: a", "[b]\ny = 1\n"),
    "ini: one in the middle": (
        "ini",
        "[a]\nx = 1\n\n[b]\ny = 1\n\n[c]\nz = 1\n",
        "delete: b",
        "[a]\nx = 1\n\n[c]\nz = 1\n",
    ),
    "properties: the last": ("properties", "a=1\n\nb=2\n", "delete: b", "a=1\n"),
    "dotenv: one in the middle": ("dotenv", "A=1\n\nB=2\n\nC=3\n", "delete: B", "A=1\n\nC=3\n"),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_deletion_leaves_no_blank_lines_over(name: str) -> None:
    format, source, operations, want = ENDS[name]
    check(source, operations, want, format, again=False)


OWNERS: dict[str, tuple[str, str, str, str]] = {
    "a comment directly above the first key": (
        "yaml",
        "# -- Number of replicas\nreplicas: 1\n\n# -- image\nimage: x\n",
        "move: {from: replicas, to: deployment.replicas}",
        "# -- image\nimage: x\ndeployment:\n  # -- Number of replicas\n  replicas: 1\n",
    ),
    "a header ends with a blank line": (
        "yaml",
        "# The settings of x.\n# See the manual.\n\n# the port\nport: 1\nhost: h\n",
        "delete: port",
        "# The settings of x.\n# See the manual.\n\nhost: h\n",
    ),
    "what a tool reads stays at the top": (
        "yaml",
        "# yaml-language-server: $schema=x.json\n# the port\nport: 1\nhost: h\n",
        "delete: port",
        "# yaml-language-server: $schema=x.json\nhost: h\n",
    ),
    "a license": (
        "yaml",
        "# SPDX-License-Identifier: MIT\nport: 1\nhost: h\n",
        "move: {from: port, to: a.port}",
        "# SPDX-License-Identifier: MIT\nhost: h\na:\n  port: 1\n",
    ),
    "an option that is commented out": (
        "yaml",
        "a: 1\n# the next one is off\n#debug: true\nb: 2\nc: 3\n",
        "delete: b",
        "a: 1\n# the next one is off\n#debug: true\nc: 3\n",
    ),
    "a comment below an option": (
        "yaml",
        "a: 1\n# debug: true\n# about b\nb: 2\nc: 3\n",
        "delete: b",
        "a: 1\n# debug: true\nc: 3\n",
    ),
    "a block that is commented out": (
        "yaml",
        "s:\n  a: 1\n  #b:\n  #  image: x\n  #  tag: y\n  c: 2\n",
        "delete: s.c",
        "s:\n  a: 1\n  #b:\n  #  image: x\n  #  tag: y\n",
    ),
    "a block that is commented out with blanks": (
        "yaml",
        "s:\n  a: 1\n  # b:\n  #   image: x\n  # about c\n  c: 2\n  d: 3\n",
        "delete: s.c",
        "s:\n  a: 1\n  # b:\n  #   image: x\n  d: 3\n",
    ),
    "the comment of a hoisted value": (
        "yaml",
        "a:\n- k: 1\n  v: 2   # b\n\n- k: 3\nz: 1\n",
        "hoist: {path: 'a[0]', key: v, others: drop}",
        "a:\n# b\n- 2\n\n- k: 3\nz: 1\n",
    ),
    "an entry of JSONC that is commented out": (
        "jsonc",
        '{\n  "a": 1,\n  // "b": 2,\n  "c": 3,\n  // about d\n  "d": 4\n}\n',
        "[delete: c, delete: d]",
        '{\n  "a": 1\n  // "b": 2,\n}\n',
    ),
    "a sentence with a colon is no option": (
        "yaml",
        "a: 1\n# note: this is read at the start\nb: 2\nc: 3\n",
        "delete: b",
        "a: 1\nc: 3\n",
    ),
    "a reference is no option": (
        "yaml",
        "a: 1\n## ref: https://example.org/b\n# ref: x.example.org\n# default: 2\nb: 2\nc: 3\n",
        "delete: b",
        "a: 1\nc: 3\n",
    ),
    "an object that is commented out": (
        "yaml",
        "a: 1\n# nodeSelector: {}\nb: 2\nc: 3\n",
        "delete: b",
        "a: 1\n# nodeSelector: {}\nc: 3\n",
    ),
    "a URL is no option": (
        "yaml",
        "a: 1\n# https://example.org/b\nb: 2\nc: 3\n",
        "delete: b",
        "a: 1\nc: 3\n",
    ),
    "comments above a dash, at the column of the content": (
        "yaml",
        "l:\n    # first rule\n  - i: 1\n    s: 4\n    # second rule\n    # more of it\n  - i: 2\n",
        "delete: 'l[0]'",
        "l:\n    # second rule\n    # more of it\n  - i: 2\n",
    ),
    "an option below the last key of an item": (
        "yaml",
        "l:\n  - i: 1\n    # tls: true\n  - i: 2\n",
        "delete: 'l[1]'",
        "l:\n  - i: 1\n    # tls: true\n",
    ),
    "an option of the item above goes with it": (
        "yaml",
        "l:\n  - i: 1\n    # tls: true\n  - i: 2\n",
        "delete: 'l[0]'",
        "l:\n  - i: 2\n",
    ),
    "an item in the middle goes with the comment above its dash": (
        "yaml",
        "l:\n  - i: 1\n    # second rule\n  - i: 2\n    # third rule\n  - i: 3\n",
        "delete: 'l[1]'",
        "l:\n  - i: 1\n    # third rule\n  - i: 3\n",
    ),
}


@pytest.mark.parametrize("name", OWNERS)
def test_a_comment_goes_with_what_it_is_about(name: str) -> None:
    format, source, operations, want = OWNERS[name]
    check(source, operations, want, format, again=False)


MERGED = (
    "x: &c\n  restart: a\n  log: {a: 1}\n"
    "s:\n  w:\n    <<: *c\n  v:\n    <<: [*c]\n    z: 1\n  u:\n    k: 1\n"
)
MERGES: Rows = {
    "default of a merged key changes nothing": (
        MERGED,
        "for_each: {path: 's.*', other_types: error}\ndefault: {path: restart, value: b}",
        MERGED + "    restart: b\n",
    ),
    "default below a merged key that is there": (
        MERGED,
        "default: {path: s.w.log.a, value: 2}",
        MERGED,
    ),
    "exists sees a merged key": (
        MERGED,
        "[{when: {exists: s.w.restart}, set: {path: s.w.z, value: 1}}]",
        MERGED.replace("    <<: *c\n", "    <<: *c\n    z: 1\n"),
    ),
    "not exists sees it, too": (
        MERGED,
        "[{when: {not: {exists: s.v.restart}}, set: {path: s.v.y, value: 1}}]",
        MERGED,
    ),
    "equals sees a merged value": (
        MERGED,
        "[{when: {equals: {path: s.v.log.a, value: 1}}, delete: s.v.z}]",
        MERGED.replace("    z: 1\n", ""),
    ),
    "exists with a wildcard": (
        MERGED,
        "[{when: {exists: 's.*.log'}, delete: s.u}]",
        MERGED.replace("  u:\n    k: 1\n", ""),
    ),
    "a merge key is no entry of its object": (
        "x: &c {a: 1}\ns:\n  <<: *c\n  w: {k: 1}\n",
        "for_each: {path: 's.*', other_types: error}\nset: {path: k, value: 2}",
        "x: &c {a: 1}\ns:\n  <<: *c\n  w: {k: 2}\n",
    ),
    "a wildcard passes an alias that is not on the path": (
        "x: &c {a: 1}\ns:\n  v: *c\n  w: {k: {l: 1}}\n",
        "delete: 's.*.k.l'",
        "x: &c {a: 1}\ns:\n  v: *c\n  w: {k: {}}\n",
    ),
    "a wildcard passes an alias in a list": (
        "x: &c {a: 1}\ns: [*c, {k: {l: 1}}]\n",
        "delete: 's[*].k.l'",
        "x: &c {a: 1}\ns: [*c, {k: {}}]\n",
    ),
}


@pytest.mark.parametrize("name", MERGES)
def test_aliases_and_merge_keys_are_read_and_never_written(name: str) -> None:
    source, operations, want = MERGES[name]
    check(source, operations, want, "yaml", again=False)


@pytest.mark.parametrize(
    ("source", "operation", "code"),
    [
        (MERGED, "set: {path: s.w.log.a, value: 2}", "merge_only_key"),
        ("x: &c {k: {l: 1}}\ns:\n  v: *c\n", "delete: 's.*.k.l'", "through_alias"),
        ("x: &c {k: {l: 1}}\ns: [*c]\n", "delete: 's[*].k.l'", "through_alias"),
    ],
)
def test_an_edit_through_an_alias_or_of_a_merged_key_is_refused(
    source: str, operation: str, code: str
) -> None:
    with pytest.raises(Refused) as caught:
        run(source, operation)
    assert caught.value.code == code


def test_many_merges_of_merges_are_read_in_bounded_time() -> None:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]" for n in range(1, 13)]
    source = "\n".join([*lines, "s: {<<: *a12}", ""])
    _, text = run(source, "[{when: {exists: 's.*'}, default: {path: s.k, value: 2}}]")
    assert text == source


SECOND: Rows = {
    "a bracket at the column of the key": (
        "web:\n  command: [\n    'start'\n  ]\n  image: a\n",
        "set: {path: web.image, value: b}",
        "web:\n  command: [\n    'start'\n  ]\n  image: b\n",
    ),
    "a quoted text that goes on at the column of its key": (
        "a: 'x\ny'\nb: 1  # c\n",
        "[set: {path: b, value: 2}, move: {from: b, to: c}]",
        "a: 'x\ny'\nc: 2  # c\n",
    ),
    "with aliases, tags and a stream of types": (
        "a: [\n'x', 1, 1.5, true, null\n]\nb: &b !x {k: '1'}\nc: *b\nd: 1\n",
        "set: {path: d, value: '1'}",
        "a: [\n'x', 1, 1.5, true, null\n]\nb: &b !x {k: '1'}\nc: *b\nd: '1'\n",
    ),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_file_that_one_second_reader_cannot_read_is_verified_by_another(name: str) -> None:
    source, operations, want = SECOND[name]
    with pytest.raises(ValueError, match="line"):
        yaml12.parse_yaml(source)
    check(source, operations, want, "yaml", again=False)


def test_the_other_second_reader_vetoes_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in our own reading: libyaml's events are compared with what we made of them."""
    source = SECOND["a bracket at the column of the key"][0]
    document = formats.parse(source.encode(), format="yaml")
    document.set("web.image", "b")
    with pytest.raises(Refused, match="sees another value"):
        second.second_opinion(document, source.replace("image: a", "image: c"))
    with pytest.raises(Refused, match="another YAML reader"):
        second.second_opinion(document, source.replace("image: a", "image: ["))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a: 1\nname: {{ .Values.x }}\n", "line 2: the file is a template"),
        ("{{- if .x }}\na: 1\n{{- end }}\n", "line 1: the file is a template"),
        ("a: 1\n{% if x %}\nb: 1\n{% endif %}\n", "line 2: the file is a template"),
        ("a: 1\nb:\n  - x\nc: d\x1b\n", "line 4, column 5: the control character U+001B"),
        ("a: 'x\x07'\n", "line 1, column 6: the control character U+0007"),
    ],
)
def test_the_message_says_why_a_file_is_no_yaml(source: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        formats.parse(source.encode(), format="yaml")
    assert caught.value.message.startswith(message)
    assert caught.value.fix


TOML: Rows = {
    "a word in a literal text": (
        "[a]\ns = '''\ndef apply(metric):\n  return metric\n'''\n",
        "replace: {path: a.s, regex: metric, with: m}",
        "[a]\ns = '''\ndef apply(m):\n  return m\n'''\n",
    ),
    "a word in a basic text with a joined line": (
        'd = """\nx \\\n  y\n"""  # c\n',
        "replace: {path: d, regex: y, with: z}",
        'd = """\nx \\\n  z\n"""  # c\n',
    ),
    "a quote and a backslash in a basic text": (
        'd = """\nx\ny\n"""\n',
        'set: {path: d, value: "x\\n\\"\\"\\"\\\\\\n"}',
        'd = """\nx\n""\\"\\\\\n"""\n',
    ),
    "what a literal text cannot hold": (
        "d = '''\nx\ny\n'''\n",
        "set: {path: d, value: \"x\\n'''\\n\"}",
        "d = \"x\\n'''\\n\"\n",
    ),
    "a text becomes one line": ("d = '''\nx\ny\n'''\n", "set: {path: d, value: x}", "d = 'x'\n"),
    "a text with CRLF": (
        "d = '''\r\nx\r\ny\r\n'''\r\n",
        "replace: {path: d, regex: y, with: z}",
        "d = '''\r\nx\r\nz\r\n'''\r\n",
    ),
    "an inline key is nested": (
        'm = { name = "x", version.ref = "y" } # ui\n',
        "nest: {path: m.version, under: inner}",
        'm = { name = "x", version = { inner.ref = "y" } } # ui\n',
    ),
    "an inline key moves out": (
        'm = { name = "x", version.ref = "y" }\n',
        "move: {from: m.version, to: v}",
        'm = { name = "x" }\nv = { ref = "y" }\n',
    ),
    "an inline key becomes a list": (
        "x = { h.on = 1 }\n",
        "wrap_list: x.h",
        "x = { h = [{ on = 1 }] }\n",
    ),
    "an inline key is hoisted": (
        "x = { k.l = 1 }\n",
        "hoist: {path: x, key: k}",
        "x = { l = 1 }\n",
    ),
    "a deep default has one header": (
        '[package]\nname = "x"\n',
        "[default: {path: package.metadata.docs.rs.all, value: true},"
        " default: {path: tool.a.b.c, value: 1}]",
        '[package]\nname = "x"\n\n[package.metadata.docs.rs]\nall = true\n\n[tool.a.b]\nc = 1\n',
    ),
    "two deep defaults share their parents": (
        "a = 1\n",
        "[default: {path: t.a.x, value: 1}, default: {path: t.b.y, value: 2}]",
        "a = 1\n\n[t.a]\nx = 1\n\n[t.b]\ny = 2\n",
    ),
    "the document is nested": (
        "# h\n\na = 1\n\n[b]\nc = 2\n",
        "nest: {path: '', under: v1}",
        "# h\n\n[v1]\na = 1\n\n[v1.b]\nc = 2\n",
    ),
    "the document is nested and gets keys": (
        "# h\n\na = 1\n\n[b]\nc = 2\n",
        "[nest: {path: '', under: v1}, set: {path: x, value: 1}, set: {path: y, value: 2}]",
        "# h\n\nx = 1\ny = 2\n\n[v1]\na = 1\n\n[v1.b]\nc = 2\n",
    ),
    "a document of tables is nested": (
        "[b]\nc = 2\n",
        "[nest: {path: '', under: v1}, set: {path: x, value: 1}]",
        "x = 1\n\n[v1.b]\nc = 2\n",
    ),
    "the document is nested twice": (
        "a = 1\n",
        "[nest: {path: '', under: v1}, nest: {path: '', under: v2}]",
        "[v2.v1]\na = 1\n",
    ),
    "a table becomes the document": (
        "[v1]  # t\na = 1\n\n[v1.b]\nc = 2\n",
        "hoist: {path: '', key: v1}",
        "# t\na = 1\n\n[b]\nc = 2\n",
    ),
    "dotted keys become the document": (
        "v1.a = 1\nv1.b = 2\n",
        "hoist: {path: '', key: v1}",
        "a = 1\nb = 2\n",
    ),
    "an inline table becomes the document": (
        "v1 = {a = 1}\n",
        "hoist: {path: '', key: v1}",
        "a = 1\n",
    ),
    "a table becomes the document, the rest goes": (
        "x = 1\n\n[v1]\na = 1\n",
        "hoist: {path: '', key: v1, others: drop}",
        "a = 1\n",
    ),
    "an option that is commented out stays": (
        "a = 1\n#debug = true\nb = 2\nc = 3\n",
        "delete: b",
        "a = 1\n#debug = true\nc = 3\n",
    ),
}


@pytest.mark.parametrize("name", TOML)
def test_an_everyday_edit_of_toml(name: str) -> None:
    source, operations, want = TOML[name]
    check(source, operations, want, "toml", again=False)


def test_a_table_below_another_one_cannot_become_the_document() -> None:
    with pytest.raises(Refused) as caught:
        run("[x.y]\nq = 1\n\n[x]\nz = 1\n", "hoist: {path: '', key: x}", "toml")
    assert caught.value.code == "root_table"
