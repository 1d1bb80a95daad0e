"""Everyday edits: what people do to real files, with exactly the text that they would write.

Each row is an input, the operations, and the result to the byte. A row stands for a kind.
"""

from __future__ import annotations

import pytest

from confmig.documents import formats
from confmig.errors import Refused
from tests.documents.operations.test_new_operations import check, run

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


TAGS: Rows = {
    "a word of a tagged text": (
        "a: !include 'old.yaml'  # c\nb: 1\n",
        "replace: {path: a, regex: old, with: new}",
        "a: !include 'new.yaml'  # c\nb: 1\n",
    ),
    "a tagged text in a flow list": (
        "l: [!env OLD, 2]\n",
        "replace: {path: 'l[0]', regex: OLD, with: NEW}",
        "l: [!env NEW, 2]\n",
    ),
    "a line of a tagged block text": (
        "a: !x |\n  old\n  keep\nb: 1\n",
        "replace: {path: a, regex: old, with: new}",
        "a: !x |\n  new\n  keep\nb: 1\n",
    ),
    "a tagged block text that becomes one line": (
        "a: !x |\n  old\n  keep\nb: 1\n",
        "replace: {path: a, regex: '(?s).+', with: new}",
        "a: !x new\nb: 1\n",
    ),
    "a tagged text of a table": (
        "a: !secret old\n",
        "map_value: {path: a, map: {old: new}}",
        "a: !secret new\n",
    ),
    "the tag goes along wherever the new text moves": (
        "a: !secret old\n",
        "[replace: {path: a, regex: old, with: new}, nest: {path: a, under: q},"
        " move: {from: a, to: z.p}, wrap_list: z.p.q]",
        "z:\n  p:\n    q:\n      - !secret new\n",
    ),
    "the tag comes up with the new text": (
        "a:\n  q: !secret old\nb: 1\n",
        "[replace: {path: a.q, regex: old, with: new}, hoist: {path: a, key: q}]",
        "a: !secret new\nb: 1\n",
    ),
    "a tagged text that others use": (
        "a: &s !secret old\nb: *s\n",
        "{replace: {path: a, regex: old, with: new}, allow_shared: true}",
        "a: &s !secret new\nb: *s\n",
    ),
    "a standard tag goes where the value is new": (
        "a: !!str 12\n",
        "map_value: {path: a, map: {'12': '13'}}",
        "a: '13'\n",
    ),
    "set replaces the tag, too": (
        "a: !secret old\nb: 1\n",
        "[replace: {path: a, regex: old, with: new}, set: {path: a, value: x}]",
        "a: x\nb: 1\n",
    ),
}


@pytest.mark.parametrize("name", TAGS)
def test_a_text_keeps_the_tag_that_says_what_it_means(name: str) -> None:
    check(*TAGS[name], "yaml", again=False)


@pytest.mark.parametrize(
    ("source", "operation"),
    [
        ("k: !secret db\n", "map_value: {path: k, map: {db: 3}}"),
        ("k: !!binary YWE=\n", "replace: {path: k, regex: YW, with: ZW}"),
        ("k: !port 80\n", "convert: {path: k, to: int}"),
        ("k: !<tag:example.com,2000:a> db\n", "replace: {path: k, regex: db, with: pg}"),
        ("%TAG !e! tag:example.com,2000:\n---\nk: !e!a db\n", "map_value: {path: k, map: {db: x}}"),
    ],
)
def test_a_tag_that_the_new_value_cannot_keep_is_refused(source: str, operation: str) -> None:
    with pytest.raises(Refused) as caught:
        run(source, operation)
    assert caught.value.code == "tagged_value"
    assert caught.value.place == "k"


BLANK_LINES: dict[str, tuple[str, str, str, str]] = {
    "one in the middle of a JSON list": (
        "json",
        "[\n  1,\n\n  2,\n\n  3\n]\n",
        "delete: '[1]'",
        "[\n  1,\n\n  3\n]\n",
    ),
    "none at the end of a JSON list": (
        "json",
        '{"a": [\n  1,\n\n  2\n]}\n',
        "delete: 'a[1]'",
        '{"a": [\n  1\n]}\n',
    ),
    "none at the head of a JSON object": (
        "json",
        '{\n  "a": 1,\n\n  "b": 2\n}\n',
        "delete: a",
        '{\n  "b": 2\n}\n',
    ),
    "those that were at the head of a JSON list": (
        "json",
        '{"a": [\n\n  1,\n\n\n  2\n]}\n',
        "delete: 'a[0]'",
        '{"a": [\n\n  2\n]}\n',
    ),
    "none at the head of a YAML list": (
        "yaml",
        "l:\n  - 1\n\n  # two\n  - 2\nz: 1\n",
        "delete: 'l[0]'",
        "l:\n  # two\n  - 2\nz: 1\n",
    ),
    "none at the end of a YAML object": (
        "yaml",
        "m:\n  a: 1\n\n  b: 2\nc: 3\n",
        "delete: m.b",
        "m:\n  a: 1\nc: 3\n",
    ),
    "those that part two sections": (
        "yaml",
        "m:\n  a: 1\n\n\n  b: 2\n\nc: 3\n",
        "delete: m.b",
        "m:\n  a: 1\n\nc: 3\n",
    ),
    "those that a text keeps": (
        "yaml",
        "m:\n  a: |+\n    x\n\n  b: 2\nc: 3\n",
        "delete: m.b",
        "m:\n  a: |+\n    x\n\nc: 3\n",
    ),
    "none with blanks in it behind a text": (
        "yaml",
        "m:\n  a: |\n    x\n   \n  b: 2\nc: 3\n",
        "delete: m.a",
        "m:\n  b: 2\nc: 3\n",
    ),
}


@pytest.mark.parametrize("name", BLANK_LINES)
def test_the_blank_lines_that_are_left_in_a_collection(name: str) -> None:
    format, source, operations, want = BLANK_LINES[name]
    check(source, operations, want, format, again=False)


HOISTS: dict[str, tuple[str, str, str, str]] = {
    "comments below the value stay below it": (
        "yaml",
        "a:\n  b: 1\n  # below\nc: 2\n",
        "hoist: {path: a, key: b}",
        "a: 1\n  # below\nc: 2\n",
    ),
    "comments everywhere": (
        "yaml",
        "# above a\na: # on a\n  # above b\n  b: 1  # on b\n\n  # below\nc: 2\n",
        "hoist: {path: a, key: b}",
        "# above a\n# above b\n# on b\na: 1 # on a\n\n  # below\nc: 2\n",
    ),
    "a comment below a block text, which would become part of it": (
        "yaml",
        "y:\n  k: |\n    t1\n  # c9\nx: 1\n",
        "hoist: {path: y, key: k}",
        "# c9\ny: |\n  t1\nx: 1\n",
    ),
    "the comment of an item with one key": (
        "yaml",
        "l:\n  - name: n2  # c3\nm: 1\n",
        "unwrap_list: l",
        "l:\n  name: n2  # c3\nm: 1\n",
    ),
    "comments of nobody": (
        "yaml",
        "a:\n  b: 1\n  # of nobody\n\n  # c\n  c: {d: 2}  # d\n  # last\nz: 1\n",
        "[hoist: {path: a, key: c, others: drop}, hoist: {path: a, key: d}]",
        "# of nobody\n# c\na: 2 # d\n  # last\nz: 1\n",
    ),
    "comments of a flow collection of YAML": (
        "yaml",
        "a: {\n  # one\n  b: 1, # two\n  # last\n  }\nc: 3\n",
        "hoist: {path: a, key: b}",
        "# one\n# last\na: 1 # two\nc: 3\n",
    ),
    "comments of JSONC": (
        "jsonc",
        '{\n  // above a\n  "a": { // on a\n    // above b\n    "b": 1 // on b\n'
        "    // below\n  },\n"
        '  "c": 2\n}\n',
        "hoist: {path: a, key: b}",
        '{\n  // above a\n  // on a\n  // above b\n  // below\n  "a": 1, // on b\n  "c": 2\n}\n',
    ),
    "comments of a list of JSONC that moves on": (
        "jsonc",
        '{\n  "q": {\n  "l": [\n    // one\n    1, // two\n  ]}, // q\n  "e": 2\n}\n',
        "[unwrap_list: q.l, hoist: {path: q, key: l}, move: {from: q, to: z.y}]",
        '{\n  "e": 2,\n  "z": {\n    // one\n    // two\n    "y": 1 // q\n  }\n}\n',
    ),
    "comments of a document of JSONC": (
        "jsonc",
        '// h\n{\n  // above b\n  "b": {\n    "x": 1 // x\n  } // on b\n  // below\n}\n',
        "hoist: {path: '', key: b}",
        '// h\n// above b\n// below\n{\n  "x": 1 // x\n} // on b\n',
    ),
    "comments of a table of TOML": (
        "toml",
        "# T\n[a]  # on a\n# above b\nb = 1  # on b\n\n[c]\nd = 1\n",
        "hoist: {path: a, key: b}",
        "# T\n# on a\n# above b\na = 1 # on b\n\n[c]\nd = 1\n",
    ),
    "comments of a table and of an array of TOML": (
        "toml",
        "x = 1\n# a\n[[q]] # q\n# l\nl = [ # of nobody\n  1 # one\n]\n",
        "[unwrap_list: q, hoist: {path: q, key: l}, unwrap_list: q]",
        "x = 1\n# a\n# q\n# l\n# of nobody\nq = 1 # one\n",
    ),
}


@pytest.mark.parametrize("name", HOISTS)
def test_a_value_that_comes_up_brings_all_comments_along(name: str) -> None:
    format, source, operations, want = HOISTS[name]
    check(source, operations, want, format, again=False)


KEYED: dict[str, tuple[str, str, str, str]] = {
    "comments of the key and blank lines": (
        "yaml",
        "l:\n  # x\n  - name: a  # nx\n    v: 1\n\n"
        "  # y\n  - # k\n    name: b\n    # v\n    v: 2\n",
        "list_to_map: {path: l, key: name}",
        "l:\n  # x\n  a: # nx\n    v: 1\n\n  # y\n  b: # k\n    # v\n    v: 2\n",
    ),
    "TOML tables stay where they are": (
        "toml",
        "[[l]] # l\nname = 'x' # nx\nv = 1\n[l.s]\nq = 1\n\n# y\n[[l]]\n# ny\nname = 'y'\nv = 2\n"
        "[[l.t]]\nz = 1\n[[l.t]]\nz = 2\n[z]\na = 1\n",
        "list_to_map: {path: l, key: name}",
        "# nx\n[l.x] # l\nv = 1\n[l.x.s]\nq = 1\n\n# y\n# ny\n[l.y]\nv = 2\n"
        "[[l.y.t]]\nz = 1\n[[l.y.t]]\nz = 2\n[z]\na = 1\n",
    ),
    "arrays in an array of TOML": (
        "toml",
        "[[p]]\n[[p.l]]\nname='x'\n[[p.l]]\nname='y'\n[[p]]\n[[p.l]]\nname='z'\n",
        "{for_each: {path: 'p[*]', other_types: error}, list_to_map: {path: l, key: name}}",
        "[[p]]\n[p.l.x]\n[p.l.y]\n[[p]]\n[p.l.z]\n",
    ),
    "comments of nobody and items that are commented out": (
        "yaml",
        "l:\n  # group one\n\n  - name: b\n    v: 1\n  # - name: old\n  # group two\n\n"
        "  - name: c\n    v: 2\n  # below\nz: 1\n",
        "list_to_map: {path: l, key: name}",
        "l:\n  # group one\n\n  b:\n    v: 1\n  # - name: old\n  # group two\n\n"
        "  c:\n    v: 2\n  # below\nz: 1\n",
    ),
    "comments of nobody in JSONC": (
        "jsonc",
        '{\n  "l": [ // first\n    {"name": "a", "v": 1}, // a\n\n    // nobody\n\n'
        '    {"name": "b", "v": 2}\n    // below\n  ],\n  "z": 1\n}\n',
        "list_to_map: {path: l, key: name}",
        '{\n  "l": {\n    // first\n    "a": {"v": 1}, // a\n    // nobody\n    // below\n'
        '    "b": {"v": 2}\n  },\n  "z": 1\n}\n',
    ),
    "items of JSONC": (
        "jsonc",
        '{\n  "l": [\n    // one\n    {"name": "x", "v": 1}, // x\n    {\n      // n\n'
        '      "name": "y", // y\n      "v": 2\n    }\n  ]\n}\n',
        "list_to_map: {path: l, key: name}",
        '{\n  "l": {\n    // one\n    "x": {"v": 1}, // x\n    // n\n'
        '    "y": {\n      "v": 2\n    } // y\n  }\n}\n',
    ),
}


@pytest.mark.parametrize("name", KEYED)
def test_a_list_that_becomes_an_object_keeps_its_comments(name: str) -> None:
    format, source, operations, want = KEYED[name]
    check(source, operations, want, format, again=False)


COMMENTED_OUT: dict[str, tuple[str, str, str, str]] = {
    "an item of YAML": (
        "yaml",
        "l:\n  - 1\n  # - 2\n  - 3\n  # about 4\n  - 4\n",
        "[delete: 'l[1]', delete: 'l[1]']",
        "l:\n  - 1\n  # - 2\n",
    ),
    "an item of YAML with keys": (
        "yaml",
        "l:\n  - 1\n  # - name: x\n  #   v: 2\n  - 3\n  - 4\n",
        "delete: 'l[1]'",
        "l:\n  - 1\n  # - name: x\n  #   v: 2\n  - 4\n",
    ),
    "a remark with a dash is none": (
        "yaml",
        "l:\n  - 1\n  # - for the tests\n  - 3\n  - 4\n",
        "delete: 'l[1]'",
        "l:\n  - 1\n  - 4\n",
    ),
    "a list in a remark above a key is none": (
        "yaml",
        "# one of\n# - x\n# - y\na: x\nb: 1\n",
        "delete: a",
        "b: 1\n",
    ),
    "an item of JSONC": (
        "jsonc",
        '[\n  1,\n  // "two",\n  3,\n  // about 4\n  4\n]\n',
        "[delete: '[1]', delete: '[1]']",
        '[\n  1\n  // "two",\n]\n',
    ),
    "an item of TOML": (
        "toml",
        "l = [\n  1,\n  # 2\n  3,\n  4,\n]\n",
        "delete: 'l[1]'",
        "l = [\n  1,\n  # 2\n  4,\n]\n",
    ),
}


@pytest.mark.parametrize("name", COMMENTED_OUT)
def test_an_item_that_is_commented_out_stays(name: str) -> None:
    format, source, operations, want = COMMENTED_OUT[name]
    check(source, operations, want, format, again=False)


LAST_USES: Rows = {
    "the only use of a text was deleted": (
        "x: &n 1\ns:\n  db: *n\n  k: 2\n",
        "[delete: s.db, set: {path: x, value: 2}]",
        "x: 2\ns:\n  k: 2\n",
    ),
    "the only use of an object was deleted": (
        "x: &n {y: 1, z: 2}\ns:\n  db: *n\n  k: 2\n",
        "[delete: s.db, delete: x.y]",
        "x: &n {z: 2}\ns:\n  k: 2\n",
    ),
    "the object that held the only use was replaced": (
        "x: &n {y: 1, z: 2}\ns:\n  db: {q: *n}\n",
        "[set: {path: s.db, value: 3}, delete: x.y]",
        "x: &n {z: 2}\ns:\n  db: 3\n",
    ),
    "the item with the only use left its list": (
        "x: &n {y: 1, z: 2}\nl:\n- *n\n- 2\n",
        "[set: {path: l, value: [2]}, delete: x.y]",
        "x: &n {z: 2}\nl:\n- 2\n",
    ),
}


@pytest.mark.parametrize("name", LAST_USES)
def test_an_anchor_whose_last_use_went_is_not_shared(name: str) -> None:
    check(*LAST_USES[name], "yaml", again=False)


@pytest.mark.parametrize(
    "operations",
    [
        "[delete: s.db, delete: x.y]",
        "[move: {from: s.db, to: t}, delete: s.k, delete: x.y]",
        "[delete: x.y, delete: s.db, delete: s.k]",
    ],
)
def test_an_anchor_with_another_use_is_shared(operations: str) -> None:
    with pytest.raises(Refused) as caught:
        run("x: &n {y: 1, z: 2}\ns:\n  db: {q: *n}\n  k: *n\n", operations)
    assert caught.value.code == "shared_node"


MESSAGES: dict[str, tuple[str, str, str, tuple[str, str]]] = {
    "a comment that has no line to go to": (
        "jsonc",
        '{"a": {"b": /* c */ 1}, "e": 2}\n',
        "hoist: {path: a, key: b}",
        ("comment_lost", "a.b"),
    ),
    "an explicit key without a value": (
        "yaml",
        "z: 1\n? a\n",
        "set: {path: a, value: 3}",
        ("edits_overlap", "a"),
    ),
    "an anchored block": (
        "yaml",
        "k:\n  a: &x !t\n    k: 1\nb: *x\n",
        "{wrap_list: k.a, allow_shared: true}",
        ("anchored_move", "k.a[0]"),
    ),
    "a pair without braces": (
        "yaml",
        "l: [b, a: 1]\n",
        "set: {path: 'l[1].c', value: 1}",
        ("flow_pair", "l[1]"),
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_refusal_of_the_writer_names_its_place_and_a_way_on(name: str) -> None:
    format, source, operations, wanted = MESSAGES[name]
    with pytest.raises(Refused) as caught:
        run(source, operations, format)
    assert (caught.value.code, caught.value.place) == wanted
    assert caught.value.fix
