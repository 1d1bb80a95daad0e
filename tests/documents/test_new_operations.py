"""The operations added after the first ones, on YAML; and all operations on TOML, JSON and JSONC.

Tables of source, operations as YAML, and the exact text that comes out. Every row is also checked
for what must hold of any row: the journal, through JSON, makes the same bytes again; a second run
changes nothing (unless the operation is one that goes on); where the text is the same the journal
is empty.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from confmig.adapters import regex
from confmig.core.manifest import Config, Migration
from confmig.documents import chain, formats
from confmig.documents.document import Document
from confmig.documents.journal import Change
from confmig.documents.operations import Context, Operation, load
from confmig.errors import Refused

CONTEXT = Context(
    custom=lambda name, document: document.set("handled_by", name),
    substitute=regex.substitute,
    search=regex.search,
    groups=regex.groups,
)


def parse(source: str, format: str = "yaml") -> Document:
    return formats.parse(source.encode(), format=format, dialect="go-yaml")


def read(operations: str) -> list[Operation]:
    """Operations written as YAML: one, or a list of them."""
    data: Any = yaml.safe_load(operations)
    loaded, problems = load(data if isinstance(data, list) else [data], "m")
    assert not problems, problems
    return loaded


def run(source: str, operations: str, format: str = "yaml") -> tuple[Document, str]:
    """The document and its text after some operations."""
    document = parse(source, format)
    for operation in read(operations):
        operation.run(document, CONTEXT)
    return document, formats.render(document).data.decode()


def check(source: str, operations: str, want: str, format: str, *, again: bool) -> None:
    """The exact text, and what must hold of every row."""
    document, text = run(source, operations, format)
    assert text == want
    if source == want and not operations.startswith("["):
        assert document.changes == []
    journal = [Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes]
    replayed = parse(source, format)
    replayed.allow_shared = "allow_shared" in operations
    replayed.replay(journal)
    assert formats.render(replayed).data.decode() == want, "a replayed journal gives other bytes"
    assert formats.render(parse(want, format)).data.decode() == want
    if again:
        twice, text = run(want, operations, format)
        assert text == want, "a second run changes it again"
        assert twice.changes == []


HOIST = "hoist: {path: m, key: k}"
UNWRAP = "unwrap_list: l"
ADD = "add_item: {path: l, value: b}"
ADD_START = "add_item: {path: l, value: b, at: start}"
AFTER = "insert_after: {path: l, after: a, value: b}"
REMOVE = "remove_items: {path: l, values: [a]}"
REMOVE_PRUNE = "remove_items: {path: l, values: [a], prune_empty: true}"
TO_MAP = "list_to_map: {path: l, key: name}"
TO_LIST = "map_to_list: {path: m, key: name}"
TO_LIST_V = "map_to_list: {path: m, key: name, value_key: v}"
ITEMS = "map_items: {path: l, map: {a: x, c: z}}"
SECTION = "rename_section: {from: a, to: b}"
SPLIT = "split: {from: u, regex: '(?P<h>[a-z]*)(?::(?P<p>[0-9]+))?', to: {h: host, p: port}}"
EACH = "for_each: {path: '**.kids[*]', other_types: skip}"
TREE = """\
name: top
kids:
  - name: a # a
    kids:
      - name: aa
      - {name: ab, kids: [{name: aba}]}
  - name: b
"""

YAML: dict[str, tuple[str, str, str]] = {
    # --- hoist
    "hoist an object": (
        "m:\n  k:\n    a: 1 # a\n    b: 2\nz: 1\n",
        HOIST,
        "m:\n  a: 1 # a\n  b: 2\nz: 1\n",
    ),
    "hoist a scalar": ("m:\n  k: 1\nz: 2\n", HOIST, "m: 1\nz: 2\n"),
    "hoist a scalar and what stands behind it": ("m:\n  k: 1 # t\nz: 2\n", HOIST, "m: 1 # t\nz: 2\n"),
    "hoist below a comment on the line": ("m: # m\n  k:\n    a: 1\n", HOIST, "m: # m\n  a: 1\n"),
    "hoist with a comment inside": (
        "m:\n  k:\n    # c\n    a: 1\n\n    b: 2\n",
        HOIST,
        "m:\n  # c\n  a: 1\n\n  b: 2\n",
    ),
    "hoist flow": ("m: {k: [1, 2]} # t\n", HOIST, "m: [1, 2] # t\n"),
    "hoist flow out of block": ("m:\n  k: {a: 1}\n", HOIST, "m: {a: 1}\n"),
    "hoist a list": ("m:\n  k:\n    - 1 # one\n    - 2\n", HOIST, "m:\n  - 1 # one\n  - 2\n"),
    "hoist a list at its key's column": ("m:\n  k:\n  - 1\nz: 1\n", HOIST, "m:\n- 1\nz: 1\n"),
    "hoist null": ("m:\n  k:\nz: 1\n", HOIST, "m: null\nz: 1\n"),
    "hoist others drop": (
        "m:\n  j: 1 # j\n  k:\n    a: 1 # a\nz: 1\n",
        "hoist: {path: m, key: k, others: drop}",
        "m:\n  a: 1 # a\nz: 1\n",
    ),
    "hoist without the key": ("m:\n  j: 1 # j\n", HOIST, "m:\n  j: 1 # j\n"),
    "hoist of an empty object": ("m: {}\n", HOIST, "m: {}\n"),
    "hoist of null": ("m: # nothing\n", HOIST, "m: # nothing\n"),
    "hoist absent": ("x: 1", HOIST, "x: 1"),
    "hoist the document": (
        "# head\nk:\n  # c\n  a: 1\n",
        "hoist: {path: '', key: k}",
        "# head\n# c\na: 1\n",
    ),
    "hoist of an empty document": ("# c\n", "hoist: {path: '', key: k}", "# c\n"),
    "hoist CRLF": (
        "m:\r\n  k:\r\n    a: 1\r\n    b: 2\r\n",
        HOIST,
        "m:\r\n  a: 1\r\n  b: 2\r\n",
    ),
    "hoist 4 spaces": ("m:\n    k:\n        a: 1\n", HOIST, "m:\n    a: 1\n"),
    "hoist a key with a dot": ("m:\n  'k.x': 1\n", "hoist: {path: m, key: k.x}", "m: 1\n"),
    "hoist an alias": ("a: &x 1\nm:\n  k: *x\n", HOIST, "a: &x 1\nm: *x\n"),
    "hoist in every item": (
        "l:\n- m:\n    k: 1\n  z: 2\n- m: {k: x}\n",
        "{hoist: {path: m, key: k}, for_each: {path: 'l[*]', other_types: error}}",
        "l:\n- m: 1\n  z: 2\n- m: x\n",
    ),
    "hoist is the way back from nest": (
        "m: # t\n  a: 1 # a\n  # b\n  b: 2\n",
        f"[nest: {{path: m, under: k}}, {HOIST}]",
        "m: # t\n  a: 1 # a\n  # b\n  b: 2\n",
    ),
    "hoist and no final newline": ("z: 1\nm:\n  k: 'x'", HOIST, "z: 1\nm: 'x'"),
    # --- rename_section
    "rename_section": (
        "a: # t\n  x: 1 # x\nc: 1\n",
        SECTION,
        "b: # t\n  x: 1 # x\nc: 1\n",
    ),
    "rename_section elsewhere": (
        "# above a\na:\n  x: 1\nc:\n  y: 1\n",
        "rename_section: {from: a, to: c.a}",
        "# above a\nc:\n  y: 1\n  a:\n    x: 1\n",
    ),
    "rename_section elsewhere with its comment": (
        "c:\n  y: 1\n# above a\na: # t\n  x: 1\n",
        "rename_section: {from: a, to: c.a}",
        "c:\n  y: 1\n  # above a\n  a: # t\n    x: 1\n",
    ),
    "rename_section of a list onto a list": (
        "b:\n  - 1 # one\na:\n  # above two\n  - 2 # two\n",
        SECTION,
        "b:\n  - 1 # one\n  # above two\n  - 2 # two\n",
    ),
    "rename_section of flow lists": ("a: [2, 3]\nb: [1]\n", SECTION, "b: [1, 2, 3]\n"),
    "rename_section of an empty list": ("a: []\nb: [1] # t\n", SECTION, "b: [1] # t\n"),
    "rename_section onto an empty list": ("a: [1]\nb: []\n", SECTION, "b:\n  - 1\n"),
    "rename_section to itself": ("a:\n  x: 1\n", "rename_section: {from: a, to: a}", "a:\n  x: 1\n"),
    "rename_section absent": ("c: 1 # t\n", SECTION, "c: 1 # t\n"),
    "rename_section anchored": (
        "a: &x\n  k: 1\nc: *x\n",
        SECTION,
        "b: &x\n  k: 1\nc: *x\n",
    ),
    "rename_section with a nasty name": (
        "a:\n  x: 1\n",
        """rename_section: {from: a, to: '["yes: #"]'}""",
        "'yes: #':\n  x: 1\n",
    ),
    # --- unwrap_list
    "unwrap_list": ("l:\n  - 1\nz: 1\n", UNWRAP, "l: 1\nz: 1\n"),
    "unwrap_list with the comment behind": ("l:\n  - 1 # t\n", UNWRAP, "l: 1 # t\n"),
    "unwrap_list of an object": (
        "l: # l\n  - a: 1 # t\n    b: 2\nz: 1\n",
        UNWRAP,
        "l: # l\n  a: 1 # t\n  b: 2\nz: 1\n",
    ),
    "unwrap_list of an object with comments inside": (
        "l:\n  - a: 1\n    # b\n    b: 2 # t\n",
        UNWRAP,
        "l:\n  a: 1\n  # b\n  b: 2 # t\n",
    ),
    "unwrap_list flow": ("l: [1] # t\n", UNWRAP, "l: 1 # t\n"),
    "unwrap_list flow object": ("l: [{a: 1}]\n", UNWRAP, "l: {a: 1}\n"),
    "unwrap_list block with a flow item": ("l:\n  - {a: 1}\n", UNWRAP, "l: {a: 1}\n"),
    "unwrap_list of a list": ("l:\n  - - 1\n    - 2\n", UNWRAP, "l:\n  - 1\n  - 2\n"),
    "unwrap_list quotes": ("l:\n- 'it''s'\n", UNWRAP, "l: 'it''s'\n"),
    "unwrap_list yes": ("l: ['yes']\n", UNWRAP, "l: 'yes'\n"),
    "unwrap_list null": ("l:\n  -\nz: 1\n", UNWRAP, "l: null\nz: 1\n"),
    "unwrap_list first": ("l:\n  - 1\n  - 2 # two\n", "unwrap_list: {path: l, many: first}", "l: 1\n"),
    "unwrap_list first keeps its comment": (
        "l:\n  - 1 # one\n  - 2 # two\n",
        "unwrap_list: {path: l, many: first}",
        "l: 1 # one\n",
    ),
    "unwrap_list last": ("l: [1, 2, 3]\n", "unwrap_list: {path: l, many: last}", "l: 3\n"),
    "unwrap_list keep": ("l: [1, 2]\n", "unwrap_list: {path: l, many: keep}", "l: [1, 2]\n"),
    "unwrap_list empty delete": (
        "l: []\nz: 1\n",
        "unwrap_list: {path: l, empty: delete}",
        "z: 1\n",
    ),
    "unwrap_list empty keep": ("l: []\n", "unwrap_list: {path: l, empty: keep}", "l: []\n"),
    "unwrap_list of a scalar": ("l: x # t\n", UNWRAP, "l: x # t\n"),
    "unwrap_list of null": ("l:\n", UNWRAP, "l:\n"),
    "unwrap_list wildcard": (
        "s:\n  a: [1]\n  b: x\n  c:\n    - y\n",
        "unwrap_list: 's.*'",
        "s:\n  a: 1\n  b: x\n  c: y\n",
    ),
    "unwrap_list items": ("l:\n- [1]\n- [2] # t\n", "unwrap_list: 'l[*]'", "l:\n- 1\n- 2 # t\n"),
    "unwrap_list items and delete": (
        "l: [[], [1], []]\n",
        "unwrap_list: {path: 'l[*]', empty: delete}",
        "l: [1]\n",
    ),
    "unwrap_list CRLF": ("l:\r\n  - a: 1\r\n    b: 2\r\n", UNWRAP, "l:\r\n  a: 1\r\n  b: 2\r\n"),
    "unwrap_list absent": ("x: 1", UNWRAP, "x: 1"),
    "unwrap_list of wrap_list": (
        "l: x # t\n",
        f"[wrap_list: l, {UNWRAP}]",
        "l: x # t\n",
    ),
    "unwrap_list of an alias item": ("a: &x 1\nl: [*x]\n", UNWRAP, "a: &x 1\nl: *x\n"),
    # --- add_item
    "add_item": ("l:\n  - a # t\nz: 1\n", ADD, "l:\n  - a # t\n  - b\nz: 1\n"),
    "add_item at the start": (
        "l:\n  - a # t\nz: 1\n",
        ADD_START,
        "l:\n  - b\n  - a # t\nz: 1\n",
    ),
    "add_item before a comment": ("l:\n  # c\n  - a\n", ADD_START, "l:\n  - b\n  # c\n  - a\n"),
    "add_item before the list's last comment": (
        "l:\n  - a\n  # end\nz: 1\n",
        ADD,
        "l:\n  - a\n  - b\n  # end\nz: 1\n",
    ),
    "add_item flow": ("l: [a] # t\n", ADD, "l: [a, b] # t\n"),
    "add_item flow at the start": ("l: [ a, c ]\n", ADD_START, "l: [ b, a, c ]\n"),
    "add_item flow over lines": (
        "l: [\n  a, # a\n  c # c\n]\n",
        ADD,
        "l: [\n  a, # a\n  c, # c\n  b\n]\n",
    ),
    "add_item that is there": ("l:   [ b ]  # t\n", ADD, "l:   [ b ]  # t\n"),
    "add_item not unique": (
        "l: [b]\n",
        "add_item: {path: l, value: b, unique: false}",
        "l: [b, b]\n",
    ),
    "add_item creates the list": ("z: 1\n", ADD, "z: 1\nl:\n  - b\n"),
    "add_item creates the parents": (
        "z: 1\n",
        "add_item: {path: x.w, value: b}",
        "z: 1\nx:\n  w:\n    - b\n",
    ),
    "add_item to an empty document": ("# c\n", ADD, "# c\nl:\n  - b\n"),
    "add_item to null": ("l:\nz: 1\n", ADD, "l:\n  - b\nz: 1\n"),
    "add_item to null with a comment": ("l: # t\nz: 1\n", ADD, "l: # t\n  - b\nz: 1\n"),
    "add_item of an object": (
        "l:\n- n: a\n",
        "add_item: {path: l, value: {n: x, 'on': true}}",
        "l:\n- n: a\n- 'n': x\n  'on': true\n",
    ),
    "add_item of an object that is there": (
        "l:\n- {n: a, x: 1}\n",
        "add_item: {path: l, value: {x: 1, n: a}}",
        "l:\n- {n: a, x: 1}\n",
    ),
    "add_item compares types": ("l: [1]\n", "add_item: {path: l, value: '1'}", "l: [1, '1']\n"),
    "add_item true is not 1": ("l: [true]\n", "add_item: {path: l, value: 1}", "l: [true, 1]\n"),
    "add_item null": ("l: [1]\n", "add_item: {path: l, value: null}", "l: [1, null]\n"),
    "add_item CRLF": ("l:\r\n- a\r\n", ADD, "l:\r\n- a\r\n- b\r\n"),
    "add_item without a final newline": ("l:\n- a", ADD, "l:\n- a\n- b"),
    "add_item in an item": (
        "s:\n- l: [a]\n- x: 1\n",
        "{add_item: {path: l, value: b}, for_each: {path: 's[*]', other_types: error}}",
        "s:\n- l: [a, b]\n- x: 1\n  l:\n  - b\n",
    ),
    "add_item that must be quoted": (
        'l:\n  - "a"\n',
        "add_item: {path: l, value: '- no: #'}",
        'l:\n  - "a"\n  - "- no: #"\n',
    ),
    "add_item shared": (
        "l: &x [a]\nz: *x\n",
        "{add_item: {path: l, value: b}, allow_shared: true}",
        "l: &x [a, b]\nz: *x\n",
    ),
    # --- insert_after
    "insert_after": ("l:\n  - a\n  - c\n", AFTER, "l:\n  - a\n  - b\n  - c\n"),
    "insert_after a comment of the item": (
        "l:\n  - a # a\n    # deep\n  - c\n",
        AFTER,
        "l:\n  - a # a\n    # deep\n  - b\n  - c\n",
    ),
    "insert_after before the next one's comment": (
        "l:\n  - a\n  # c\n  - c\n",
        AFTER,
        "l:\n  - a\n  - b\n  # c\n  - c\n",
    ),
    "insert_after the last": ("l:\n  - c\n  - a\nz: 1\n", AFTER, "l:\n  - c\n  - a\n  - b\nz: 1\n"),
    "insert_after flow": ("l: [a, c]\n", AFTER, "l: [a, b, c]\n"),
    "insert_after the first of two": ("l: [a, a]\n", AFTER, "l: [a, b, a]\n"),
    "insert_after what is there": ("l: [b, a]\n", AFTER, "l: [b, a]\n"),
    "insert_after an object with the keys": (
        "l:\n  - n: a\n    x: 1 # x\n  - n: c\n",
        "insert_after: {path: l, after: {n: a}, value: {n: b}}",
        "l:\n  - n: a\n    x: 1 # x\n  - 'n': b\n  - n: c\n",
    ),
    "insert_after null": (
        "l: [null, 1]\n",
        "insert_after: {path: l, after: null, value: 0}",
        "l: [null, 0, 1]\n",
    ),
    "insert_after missing skip": (
        "l: [c]  # t\n",
        "insert_after: {path: l, after: a, value: b, if_missing: skip}",
        "l: [c]  # t\n",
    ),
    "insert_after missing append": (
        "l: [c]\n",
        "insert_after: {path: l, after: a, value: b, if_missing: append}",
        "l: [c, b]\n",
    ),
    "insert_after absent": ("z: 1", AFTER, "z: 1"),
    "insert_after null list and skip": (
        "l: # t\n",
        "insert_after: {path: l, after: a, value: b, if_missing: skip}",
        "l: # t\n",
    ),
    "insert_after CRLF": ("l:\r\n- a\r\n- c\r\n", AFTER, "l:\r\n- a\r\n- b\r\n- c\r\n"),
    # --- remove_items
    "remove_items": ("l:\n  - a # a\n  - b # b\n", REMOVE, "l:\n  - b # b\n"),
    "remove_items and its comment above": (
        "l:\n  # b\n  - b\n  # a\n  - a\n  # c\n  - c\n",
        REMOVE,
        "l:\n  # b\n  - b\n  # c\n  - c\n",
    ),
    "remove_items all": ("l:\n  - a\n  - a\nz: 1\n", REMOVE, "l: []\nz: 1\n"),
    "remove_items prune": ("l:\n  - a\nz: 1\n", REMOVE_PRUNE, "z: 1\n"),
    "remove_items prune leaves what was empty": ("l: [ ]\n", REMOVE_PRUNE, "l: [ ]\n"),
    "remove_items flow": ("l: [b, a, c] # t\n", REMOVE, "l: [b, c] # t\n"),
    "remove_items none": ("l: [ b ]\n", REMOVE, "l: [ b ]\n"),
    "remove_items objects by some keys": (
        "l:\n- n: a\n  x: 1\n- n: b\n",
        "remove_items: {path: l, values: [{n: a}]}",
        "l:\n- n: b\n",
    ),
    "remove_items the empty object only": (
        "l: [{}, {a: 1}]\n",
        "remove_items: {path: l, values: [{}]}",
        "l: [{a: 1}]\n",
    ),
    "remove_items type": (
        "l: [1, true, '1', 1.0]\n",
        "remove_items: {path: l, values: [1]}",
        "l: [true, '1', 1.0]\n",
    ),
    "remove_items null": ("l: [null, 1]\n", "remove_items: {path: l, values: [null]}", "l: [1]\n"),
    "remove_items wildcard": (
        "s:\n- l: [a, b]\n- l: [a]\n- l: [b]\n",
        "remove_items: {path: 's[*].l', values: [a], prune_empty: true}",
        "s:\n- l: [b]\n- {}\n- l: [b]\n",
    ),
    "remove_items of null": ("l: # t\n", REMOVE, "l: # t\n"),
    "remove_items absent": ("z: 1", REMOVE, "z: 1"),
    "remove_items an alias": ("x: &x a\nl: [*x, b]\n", REMOVE, "x: &x a\nl: [b]\n"),
    "remove_items CRLF": ("l:\r\n- a\r\n- b\r\n", REMOVE, "l:\r\n- b\r\n"),
    "remove_items without a final newline": ("l:\n- b\n- a", REMOVE, "l:\n- b"),
    # --- list_to_map
    "list_to_map": (
        "l:\n- name: a\n  x: 1 # x\n- name: b\n  y: 2\nz: 1\n",
        TO_MAP,
        "l:\n  a:\n    x: 1 # x\n  b:\n    y: 2\nz: 1\n",
    ),
    "list_to_map with comments above the items": (
        "l:\n  # above a\n  - name: a\n    x: 1\n  # above b\n  - name: b\n    x: 2\n",
        TO_MAP,
        "l:\n  # above a\n  a:\n    x: 1\n  # above b\n  b:\n    x: 2\n",
    ),
    "list_to_map with comments in the items": (
        "l:\n  - name: a # gone\n    # above x\n    x: 1\n\n    y: 2 # y\n",
        TO_MAP,
        "l:\n  a:\n    # above x\n    x: 1\n\n    y: 2 # y\n",
    ),
    "list_to_map with the name last": (
        "l:\n  - x: 1 # x\n    name: a\n",
        TO_MAP,
        "l:\n  a:\n    x: 1 # x\n",
    ),
    "list_to_map of flow items": (
        "l:\n  - {name: a, x: 1}\n  - {y: [1], name: b}\n",
        TO_MAP,
        "l:\n  a: {x: 1}\n  b: {y: [1]}\n",
    ),
    "list_to_map of flow items with comments behind": (
        "l:\n  - {name: a, x: 1} # t\n  - {name: b, x: 2}\n",
        TO_MAP,
        "l:\n  a: {x: 1} # t\n  b: {x: 2}\n",
    ),
    "list_to_map flow": ("l: [{name: a, x: 1}]\n", TO_MAP, "l:\n  a: {x: 1}\n"),
    "list_to_map with nothing left": ("l:\n- name: a\n- name: b\n", TO_MAP, "l:\n  a: {}\n  b: {}\n"),
    "list_to_map keep_key": (
        "l:\n- name: a # t\n  x: 1\n",
        "list_to_map: {path: l, key: name, keep_key: true}",
        "l:\n  a:\n    name: a # t\n    x: 1\n",
    ),
    "list_to_map of the key's line": (
        "l: # t\n  - name: a\n    x: 1\n",
        TO_MAP,
        "l: # t\n  a:\n    x: 1\n",
    ),
    "list_to_map of items named items": (
        "l:\n- name: items\n  x: 1\n- name: items_\n  x: 2\n",
        TO_MAP,
        "l:\n  items:\n    x: 1\n  items_:\n    x: 2\n",
    ),
    "list_to_map of nasty names": (
        "l:\n- {name: a.b, x: 1}\n- {name: 'yes', x: 1}\n- {name: '1', x: 1}\n- {name: '', x: 1}\n"
        "- {name: 'a: #b', x: 1}\n",
        TO_MAP,
        "l:\n  a.b: {x: 1}\n  'yes': {x: 1}\n  '1': {x: 1}\n  '': {x: 1}\n  'a: #b': {x: 1}\n",
    ),
    "list_to_map empty": ("l: [] # t\n", TO_MAP, "l: {} # t\n"),
    "list_to_map of an object": ("l:\n  a: {name: x}\n", TO_MAP, "l:\n  a: {name: x}\n"),
    "list_to_map absent": ("z: 1", TO_MAP, "z: 1"),
    "list_to_map CRLF": (
        "l:\r\n- name: a\r\n  x: 1\r\n",
        TO_MAP,
        "l:\r\n  a:\r\n    x: 1\r\n",
    ),
    "list_to_map of an alias inside": (
        "d: &d {x: 1}\nl:\n- name: a\n  d: *d\n",
        TO_MAP,
        "d: &d {x: 1}\nl:\n  a:\n    d: *d\n",
    ),
    # --- map_to_list
    "map_to_list": (
        "m:\n  a:\n    x: 1 # x\n  b:\n    y: 2\nz: 1\n",
        TO_LIST,
        "m:\n  - name: a\n    x: 1 # x\n  - name: b\n    y: 2\nz: 1\n",
    ),
    "map_to_list with comments above the keys": (
        "m:\n  # above a\n  a:\n    x: 1\n  # above b\n  b:\n    x: 2\n",
        TO_LIST,
        "m:\n  # above a\n  - name: a\n    x: 1\n  # above b\n  - name: b\n    x: 2\n",
    ),
    "map_to_list with comments inside": (
        "m:\n  a:\n    # above x\n    x: 1\n\n    y: 2 # y\n",
        TO_LIST,
        "m:\n  - name: a\n    # above x\n    x: 1\n\n    y: 2 # y\n",
    ),
    "map_to_list with a comment behind the key": (
        "m:\n  a: # t\n    x: 1\n",
        TO_LIST,
        "m:\n  - name: a # t\n    x: 1\n",
    ),
    "map_to_list of flow entries": (
        "m:\n  a: {x: 1} # t\n",
        TO_LIST,
        "m:\n  - {name: a, x: 1} # t\n",
    ),
    "map_to_list flow": ("m: {a: {x: 1}}\n", TO_LIST, "m:\n  - {name: a, x: 1}\n"),
    "map_to_list value_key": (
        "m:\n  a: 1\n  b: [2]\n  c: {x: 1}\n",
        TO_LIST_V,
        "m:\n  - name: a\n    v: 1\n  - name: b\n    v: [2]\n  - {name: c, x: 1}\n",
    ),
    "map_to_list value_key with comments": (
        "m:\n  # above\n  a: 1 # t\n",
        TO_LIST_V,
        "m:\n  # above\n  - name: a\n    v: 1 # t\n",
    ),
    "map_to_list value_key of null": (
        "m:\n  a:\n",
        TO_LIST_V,
        "m:\n  - name: a\n    v: null\n",
    ),
    "map_to_list of names to quote": (
        "m:\n  1: {x: 1}\n  yes: {x: 1}\n  'a #b': {x: 1}\n",
        TO_LIST,
        "m:\n  - {name: '1', x: 1}\n  - {name: 'yes', x: 1}\n  - {name: 'a #b', x: 1}\n",
    ),
    "map_to_list empty": ("m: {}\n", TO_LIST, "m: []\n"),
    "map_to_list of a list": ("m: [1]\n", TO_LIST, "m: [1]\n"),
    "map_to_list absent": ("z: 1", TO_LIST, "z: 1"),
    "map_to_list CRLF": (
        "m:\r\n  a:\r\n    x: 1\r\n",
        TO_LIST,
        "m:\r\n  - name: a\r\n    x: 1\r\n",
    ),
    "map_to_list and back": (
        "m:\n  a:\n    x: 1 # x\n  b:\n    # y\n    y: 2\n",
        f"[{TO_LIST}, list_to_map: {{path: m, key: name}}]",
        "m:\n  a:\n    x: 1 # x\n  b:\n    # y\n    y: 2\n",
    ),
    # --- map_items
    "map_items": ("l: [a, b, c] # t\n", ITEMS, "l: [x, b, z] # t\n"),
    "map_items block": (
        "l:\n  # one\n  - a # a\n  - 'c'\n",
        ITEMS,
        "l:\n  # one\n  - x # a\n  - 'z'\n",
    ),
    "map_items otherwise": (
        "l: [a, b]\n",
        "map_items: {path: l, map: {a: x}, otherwise: null}",
        "l: [x, null]\n",
    ),
    "map_items type": (
        "l: [0, false, '0']\n",
        "map_items: {path: l, map: [{from: 0, to: zero}]}",
        "l: [zero, false, '0']\n",
    ),
    "map_items to an object": (
        "l:\n- a\n- b\n",
        "map_items: {path: l, map: {a: {k: 1}}}",
        "l:\n- k: 1\n- b\n",
    ),
    "map_items wildcard": (
        "s: [{l: [a]}, {l: []}, {}]\n",
        "map_items: {path: 's[*].l', map: {a: x}}",
        "s: [{l: [x]}, {l: []}, {}]\n",
    ),
    "map_items of null": ("l:\n", ITEMS, "l:\n"),
    "map_items absent": ("z: 1", ITEMS, "z: 1"),
    "map_items none": ("l:  [ q ]\n", ITEMS, "l:  [ q ]\n"),
    # --- split
    "split": ("u: h:80\nz: 1\n", SPLIT, "z: 1\nhost: h\nport: '80'\n"),
    "split without the optional group": ("u: h\nz: 1\n", SPLIT, "z: 1\nhost: h\n"),
    "split an empty group": ("u: ':80'\n", SPLIT, "host: ''\nport: '80'\n"),
    "split keep": (
        "u: h:80 # t\n",
        "split: {from: u, regex: '(?P<h>.*):.*', to: {h: host}, keep: true}",
        "u: h:80 # t\nhost: h\n",
    ),
    "split skip": (
        "u: '??' # t\n",
        "split: {from: u, regex: '(?P<h>[a-z]+)', to: {h: host}, otherwise: skip}",
        "u: '??' # t\n",
    ),
    "split matches all of it": (
        "u: h!\n",
        "split: {from: u, regex: '(?P<h>[a-z]+)', to: {h: host}, otherwise: skip}",
        "u: h!\n",
    ),
    "split overwrites": ("u: h:80\nhost: old # t\n", SPLIT, "host: h # t\nport: '80'\n"),
    "split into its own place": (
        "u: h:80\nz: 1\n",
        "split: {from: u, regex: '(?P<h>.*):(?P<p>.*)', to: {h: u.h, p: u.p}}",
        "z: 1\nu:\n  h: h\n  p: '80'\n",
    ),
    "split and convert": (
        "u: h:80\n",
        f"[{SPLIT}, convert: {{path: port, to: int}}]",
        "host: h\nport: 80\n",
    ),
    "split absent": ("z: 1", SPLIT, "z: 1"),
    "split not all groups": (
        "u: h:80\n",
        "split: {from: u, regex: '(?P<h>.*):(?P<p>.*)', to: {p: port}}",
        "port: '80'\n",
    ),
    "split CRLF": ("u: h:80\r\n", SPLIT, "host: h\r\nport: '80'\r\n"),
    # --- note and manual change nothing
    "note": ("a:   1 # t\n", "note: look", "a:   1 # t\n"),
    "manual where nothing is": (
        "a:   1 # t\n",
        "manual: {reason: why, path: gone}",
        "a:   1 # t\n",
    ),
    "manual when not": ("a:   1\n", "{manual: why, when: {exists: gone}}", "a:   1\n"),
    # --- for_each recursive
    "for_each recursive": (
        TREE,
        "{set: {path: x, value: 1}, for_each: {path: 'kids[*]', other_types: error, "
        "recursive: true}}",
        """\
name: top
kids:
  - name: a # a
    kids:
      - name: aa
        x: 1
      - {name: ab, kids: [{name: aba, x: 1}], x: 1}
    x: 1
  - name: b
    x: 1
""",
    ),
    "for_each recursive list_to_map": (
        "kids:\n- name: a\n  kids:\n  - name: b\n    x: 1\n",
        "[{list_to_map: {path: kids, key: name}, for_each: {path: 'kids[*]', other_types: error, "
        "recursive: true}}, {list_to_map: {path: kids, key: name}}]",
        "kids:\n  a:\n    kids:\n      b:\n        x: 1\n",
    ),
    "for_each recursive delete": (
        "c:\n  x: 1\n  c:\n    x: 1 # t\n    y: 1\n    c:\n",
        "{delete: x, for_each: {path: c, other_types: skip, recursive: true}}",
        "c:\n  c:\n    y: 1\n    c:\n",
    ),
    # --- old operations with the new caps, and what they must keep
    "replace of null": ("a: # t\n", "replace: {path: a, regex: x, with: k}", "a: # t\n"),
    "format keeps the lexeme": (
        "v: 1.10\n",
        "format: {to: image, template: 'app:{v}'}",
        "v: 1.10\nimage: app:1.10\n",
    ),
    "gather keeps lexemes": (
        "a: 1.10\nb: 0x1F\n",
        "gather: {from: [a, b], to: l}",
        "l:\n  - 1.10\n  - 0x1F\n",
    ),
    "gather keeps tags": ("a: !secret x\n", "gather: {from: [a], to: l}", "l:\n  - !secret x\n"),
    # --- move: on_conflict
    "move keep with comments": (
        "a: 1 # a\n# b\nb: 2 # t\n",
        "move: {from: a, to: b, on_conflict: keep}",
        "# b\nb: 2 # t\n",
    ),
    "move overwrite with comments": (
        "z: 1\n# a\na: 1 # ta\n# b\nb: 2 # tb\n",
        "move: {from: a, to: b, on_conflict: overwrite}",
        "z: 1\n# a\nb: 1 # ta\n",
    ),
    "move overwrite an object by a scalar": (
        "a: 1\nb:\n  x: 1\n",
        "move: {from: a, to: b, on_conflict: overwrite}",
        "b: 1\n",
    ),
    "move append keeps comments": (
        "a:\n  - 3 # three\nb:\n  - 1 # one\n",
        "move: {from: a, to: b, on_conflict: append}",
        "b:\n  - 1 # one\n  - 3 # three\n",
    ),
    "move append keeps lexemes": (
        "a: [1.10]\nb: [1.0]\n",
        "move: {from: a, to: b, on_conflict: append}",
        "b: [1.0, 1.10]\n",
    ),
    "move append keeps tags": (
        "a: !secret x\nb: [y]\n",
        "move: {from: a, to: b, on_conflict: append}",
        "b: [y, !secret x]\n",
    ),
    "move append_unique": (
        "a: [1, '1', true]\nb: [1]\n",
        "move: {from: a, to: b, on_conflict: append_unique}",
        "b: [1, '1', true]\n",
    ),
    "move prepend block": (
        "a:\n- x\n- w\nb:\n# z\n- z\n",
        "move: {from: a, to: b, on_conflict: prepend}",
        "b:\n- x\n- w\n# z\n- z\n",
    ),
    "move wrap and append": (
        "a: x\nb: [y]\n",
        "move: {from: a, to: b, wrap: true, on_conflict: append}",
        "b: [y, x]\n",
    ),
    "move wrap without a target": (
        "a: x # t\n",
        "move: {from: a, to: b, wrap: true}",
        "b: # t\n  - x\n",
    ),
    "move error with equal lists": (
        "a: [1, {x: y}]\nb:\n- 1\n- x: y\n",
        "move: {from: a, to: b}",
        "b:\n- 1\n- x: y\n",
    ),
}

GOES_ON = {
    "hoist a scalar",
    "hoist a scalar and what stands behind it",
    "hoist flow",
    "hoist a list",
    "hoist a list at its key's column",
    "hoist a key with a dot",
    "hoist an alias",
    "hoist in every item",
    "hoist is the way back from nest",
    "hoist and no final newline",
    "unwrap_list of wrap_list",
    "unwrap_list of a list",
    "add_item not unique",
    "map_items otherwise",
    "map_to_list and back",
    "for_each recursive list_to_map",
    "split keep",
    "split into its own place",
}
"""Rows whose operations do something else, or refuse, in what they made, and rightly so."""


@pytest.mark.parametrize("name", YAML)
def test_an_operation_on_yaml_gives_exactly_this_text(name: str) -> None:
    source, operations, want = YAML[name]
    check(source, operations, want, "yaml", again=name not in GOES_ON)
