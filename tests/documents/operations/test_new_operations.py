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

from confmig.core.bundle.manifest import Config, Migration
from confmig.documents import chain, formats
from confmig.documents.model.document import Document
from confmig.documents.model.journal import Change
from confmig.documents.model.replay import replay
from confmig.documents.operations import Context, Operation, load
from confmig.errors import Refused
from confmig.worker import regex

CONTEXT = Context(
    custom=lambda name, document, item: document.set("handled_by", name),
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
    replay(replayed, journal)
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
    "hoist a scalar and what stands behind it": (
        "m:\n  k: 1 # t\nz: 2\n",
        HOIST,
        "m: 1 # t\nz: 2\n",
    ),
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
        "c:\n  y: 1\n  # above a\n  a:\n    x: 1\n",
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
    "rename_section to itself": (
        "a:\n  x: 1\n",
        "rename_section: {from: a, to: a}",
        "a:\n  x: 1\n",
    ),
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
    "unwrap_list first": (
        "l:\n  - 1\n  - 2 # two\n",
        "unwrap_list: {path: l, many: first}",
        "l: 1\n",
    ),
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
    "unwrap_list at the key's column": ("l:\n- x\nz: 1\n", UNWRAP, "l: x\nz: 1\n"),
    "set in the place of a list at its key's column": (
        "l:\n- x\nz: 1\n",
        "set: {path: l, value: 1}",
        "l: 1\nz: 1\n",
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
        "l:\n  - a # a\n  - b\n    # deep\n  - c\n",
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
        "l:\n  - name: a # a\n    # above x\n    x: 1\n\n    y: 2 # y\n",
        TO_MAP,
        "l:\n  a: # a\n    # above x\n    x: 1\n\n    y: 2 # y\n",
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
    "list_to_map with nothing left": (
        "l:\n- name: a\n- name: b\n",
        TO_MAP,
        "l:\n  a: {}\n  b: {}\n",
    ),
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
    "list_to_map with blank lines": (
        "l:\n  - name: a\n    x: 1\n\n  - name: b\n    x: 2\n\nz: 1\n",
        TO_MAP,
        "l:\n  a:\n    x: 1\n\n  b:\n    x: 2\n\nz: 1\n",
    ),
    "list_to_map with a block scalar": (
        "l:\n- name: a\n  d: |\n    text\n\n      more # no comment\n  x: 1\n",
        TO_MAP,
        "l:\n  a:\n    d: |\n      text\n\n        more # no comment\n    x: 1\n",
    ),
    "list_to_map of an anchored list": (
        "l: &l\n- name: a\n  x: 1\n",
        TO_MAP,
        "l:\n  a:\n    x: 1\n",
    ),
    "list_to_map of null": ("l:\n", TO_MAP, "l: {}\n"),
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
        "m:\n  # t\n  - name: a\n    x: 1\n",
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
        "m:\n  # above\n  # t\n  - name: a\n    v: 1\n",
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
    "map_to_list with blank lines": (
        "m:\n  a:\n    x: 1\n\n  b:\n    x: 2\n\nz: 1\n",
        TO_LIST,
        "m:\n  - name: a\n    x: 1\n\n  - name: b\n    x: 2\n\nz: 1\n",
    ),
    "map_to_list of lists": (
        "m:\n  a:\n    - 1 # one\n    - 2\n",
        TO_LIST_V,
        "m:\n  - name: a\n    v:\n      - 1 # one\n      - 2\n",
    ),
    "map_to_list of null": ("m:\n", TO_LIST, "m: []\n"),
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
    "split skip of null": (
        "u: # t\n",
        "split: {from: u, regex: '(?P<h>[a-z]+)', to: {h: host}, otherwise: skip}",
        "u: # t\n",
    ),
    # --- a compact object that loses all its keys for new ones
    # --- scalars of several lines
    "wrap_list of a quoted text of two lines": (
        "a: 'some quoted\n  text'\nz: 1\n",
        "wrap_list: a",
        "a:\n  - 'some quoted\n    text'\nz: 1\n",
    ),
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
    # --- old operations on a document of nothing but comments
    "set in an empty document": ("# c\n", "set: {path: a, value: 1}", "# c\na: 1\n"),
    "default in an empty document": (
        "",
        "default: {path: a.b, value: 1}",
        "a:\n  b: 1\n",
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
    "hoist null",
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


OTHERS: dict[str, tuple[str, str, str]] = {
    "yaml: move overwrites its own parent": (
        "a: {b: 1}\nz: 1\n",
        "move: {from: a.b, to: a, on_conflict: overwrite}",
        "a: 1\nz: 1\n",
    ),
    "json: move an item overwrites its own list": (
        '{"a": [1, 2]}',
        "move: {from: 'a[0]', to: a, on_conflict: overwrite}",
        '{"a": 1}',
    ),
    "yaml: delete prune of everything": (
        "a: {b: 1}\n",
        "delete: {path: '**.*', prune_empty: true}",
        "{}\n",
    ),
    "yaml: gather the same key twice": (
        "a: 1\n",
        "gather: {from: [a, a], to: l}",
        "l:\n  - 1\n",
    ),
    "toml: move in place": (
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
        "move: {from: server.host, to: server.name}",
        '[server] # s\n# host\nname = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
    ),
    "toml: move to another table": (
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
        "move: {from: server.host, to: db.host}",
        '[server] # s\nport = 80\n\n[db]\nname = "d"\n# host\nhost = "h" # h\n',
    ),
    "toml: move a table": (
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
        "move: {from: db, to: server.db}",
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[server.db]\nname = "d"\n',
    ),
    "toml: move keep": (
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
        "move: {from: db.name, to: server.host, on_conflict: keep}",
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\n',
    ),
    "toml: move overwrite": (
        "[a]\nx = 1 # one\n[b]\nx = 2 # two\n",
        "move: {from: a.x, to: b.x, on_conflict: overwrite}",
        "[a]\n[b]\nx = 1 # one\n",
    ),
    "toml: move append": (
        "l = [1] # l\na = [2, 3]\n",
        "move: {from: a, to: l, on_conflict: append}",
        "l = [1, 2, 3] # l\n",
    ),
    "toml: move prepend": (
        "l = [\n  1, # one\n]\na = 2\n",
        "move: {from: a, to: l, on_conflict: prepend}",
        "l = [\n  2,\n  1, # one\n]\n",
    ),
    "toml: move append_unique": (
        "l = [1, 2]\na = [2, 3]\n",
        "move: {from: a, to: l, on_conflict: append_unique}",
        "l = [1, 2, 3]\n",
    ),
    "toml: move wrap": (
        "[a]\nl = 1 # t\n",
        "move: {from: a.l, to: b.l, wrap: true}",
        "[a]\n\n[b]\nl = [1] # t\n",
    ),
    "toml: move a dotted key": (
        "a.b = 1 # t\na.c = 2\n",
        "move: {from: a.b, to: a.d}",
        "a.d = 1 # t\na.c = 2\n",
    ),
    "toml: move a date": (
        "d = 2020-01-02 # d\n[e]\nx = 1\n",
        "move: {from: d, to: e.d}",
        "[e]\nx = 1\nd = 2020-01-02 # d\n",
    ),
    "toml: move append a date": (
        "d = 2020-01-02\nl = []\n",
        "move: {from: d, to: l, on_conflict: append}",
        "l = [2020-01-02]\n",
    ),
    "toml: rename_section": (
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
        "rename_section: {from: server, to: http}",
        '[http] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
    ),
    "toml: rename_section elsewhere": (
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
        'rename_section: {from: server, to: "a b.http"}',
        '["a b".http] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
    ),
    "toml: rename_section with tables below": (
        "[a]\nx = 1\n[a.b.c]\ny = 1\n[[a.l]]\nz = 1\n",
        "rename_section: {from: a, to: q}",
        "[q]\nx = 1\n[q.b.c]\ny = 1\n[[q.l]]\nz = 1\n",
    ),
    "toml: rename_section of an inner table": (
        "[a.b]\nx = 1\n[a.b.c]\ny = 1\n",
        "rename_section: {from: a.b, to: a.q}",
        "[a.q]\nx = 1\n[a.q.c]\ny = 1\n",
    ),
    "toml: rename_section of an array of tables": (
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n',
        "rename_section: {from: out.x, to: out.y}",
        '[[out.y]]\nurl = "a" # a\n\n[[out.y]]\nurl = "b"\n[out.y.tags]\nt = 1\n\n[z]\nk = 1\n',
    ),
    "toml: rename_section of what holds an array": (
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n',
        "rename_section: {from: out, to: outputs}",
        '[[outputs.x]]\nurl = "a" # a\n\n[[outputs.x]]\nurl = "b"\n[outputs.x.tags]\n'
        "t = 1\n\n[z]\nk = 1\n",
    ),
    "toml: rename_section of an array onto one": (
        "[[a]]\nx = 1 # one\n[[b]]\n# two\nx = 2\n",
        "rename_section: {from: b, to: a}",
        "[[a]]\nx = 1 # one\n[[a]]\n# two\nx = 2\n",
    ),
    "toml: rename_section of an array onto a later one": (
        "[[a]]\nx = 1 # one\n[[b]]\n# two\nx = 2\n",
        "rename_section: {from: a, to: b}",
        "[[b]]\n# two\nx = 2\n[[b]]\nx = 1 # one\n",
    ),
    "toml: rename_section of an array with tables onto one": (
        "[[b]]\nx = 1\n[[a]]\nx = 2\n[a.t]\ny = 1 # y\n",
        "rename_section: {from: a, to: b}",
        "[[b]]\nx = 1\n[[b]]\nx = 2\n[b.t]\ny = 1 # y\n",
    ),
    "toml: rename_section of an inline table": (
        "a = {x = 1} # t\n",
        "rename_section: {from: a, to: b}",
        "b = {x = 1} # t\n",
    ),
    "toml: rename_section CRLF": (
        "[a]\r\nx = 1\r\n",
        "rename_section: {from: a, to: b}",
        "[b]\r\nx = 1\r\n",
    ),
    "toml: rename_section absent": (
        "[a]\nx   =   1",
        "rename_section: {from: c, to: b}",
        "[a]\nx   =   1",
    ),
    "toml: delete a table": (
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
        "delete: server",
        '[db]\nname = "d"\n',
    ),
    "toml: delete prune": (
        "[a]\nx = 1\n\n[b]\ny = 1\n",
        "delete: {path: b.y, prune_empty: true}",
        "[a]\nx = 1\n",
    ),
    "toml: delete in every item": (
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n',
        "delete: 'out.x[*].url'",
        "[[out.x]]\n\n[[out.x]]\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n",
    ),
    "toml: set": (
        '[server] # s\n# host\nhost = "h" # h\nport = 80\n\n[db]\nname = "d"\n',
        "set: {path: server.port, value: 81}",
        '[server] # s\n# host\nhost = "h" # h\nport = 81\n\n[db]\nname = "d"\n',
    ),
    "toml: set a new table": (
        "[a]\nx = 1\n",
        "set: {path: a.b.on, value: true}",
        "[a]\nx = 1\n\n[a.b]\non = true\n",
    ),
    "toml: set in an empty document": (
        "",
        "set: {path: a.b, value: 1}",
        "[a]\nb = 1\n",
    ),
    "toml: default": (
        "x = 1\n[a]\ny = 1\n",
        "default: {path: z, value: [1, w]}",
        'x = 1\nz = [1, "w"]\n[a]\ny = 1\n',
    ),
    "toml: default present": (
        "x   =  1",
        "default: {path: x, value: 2}",
        "x   =  1",
    ),
    "toml: nest a table": (
        "[a] # t\nx = 1\n",
        "nest: {path: a, under: k}",
        "[a.k] # t\nx = 1\n",
    ),
    "toml: nest a value": (
        "[a]\nx = 1 # t\n",
        "nest: {path: a.x, under: k}",
        "[a]\nx = { k = 1 } # t\n",
    ),
    "toml: hoist a table": (
        "[a.k] # k\nx = 1 # t\n[b]\n",
        "hoist: {path: a, key: k}",
        "[a] # k\nx = 1 # t\n[b]\n",
    ),
    "toml: hoist a table below its own": (
        "[a]\n[a.k]\nx = 1 # t\n",
        "hoist: {path: a, key: k}",
        "[a]\nx = 1 # t\n",
    ),
    "toml: hoist inline": (
        "a = {k = {x = 1}} # t\n",
        "hoist: {path: a, key: k}",
        "a = {x = 1} # t\n",
    ),
    "toml: hoist others drop": (
        "[a]\nj = 1\n[a.k]\nx = 1 # t\n",
        "hoist: {path: a, key: k, others: drop}",
        "[a]\nx = 1 # t\n",
    ),
    "toml: wrap_list": (
        'a = "h" # h\n',
        "wrap_list: a",
        'a = ["h"] # h\n',
    ),
    "toml: wrap_list of a table": (
        "[a] # t\nx = 1\n",
        "wrap_list: a",
        "[[a]] # t\nx = 1\n",
    ),
    "toml: unwrap_list": (
        "l = [1] # t\n",
        "unwrap_list: l",
        "l = 1 # t\n",
    ),
    "toml: unwrap_list of an array of tables": (
        "[[a]] # t\nx = 1\n[a.b]\ny = 1\n",
        "unwrap_list: a",
        "[a] # t\nx = 1\n[a.b]\ny = 1\n",
    ),
    "toml: unwrap_list last": (
        "[[a]]\nx = 1 # one\n[[a]]\nx = 2 # two\n",
        "unwrap_list: {path: a, many: last}",
        "[a]\nx = 2 # two\n",
    ),
    "toml: add_item": (
        'l = [\n  "a", # a\n]\n',
        "add_item: {path: l, value: b}",
        'l = [\n  "a", # a\n  "b",\n]\n',
    ),
    "toml: add_item of a table": (
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n',
        "add_item: {path: out.x, value: {url: c}}",
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n'
        '[[out.x]]\nurl = "c"\n\n[z]\nk = 1\n',
    ),
    "toml: add_item of a table at the start": (
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n',
        "add_item: {path: out.x, value: {url: c}, at: start}",
        '[[out.x]]\nurl = "c"\n\n[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n'
        "[out.x.tags]\nt = 1\n\n[z]\nk = 1\n",
    ),
    "toml: insert_after": (
        'l = ["a", "c"] # t\n',
        "insert_after: {path: l, after: a, value: b}",
        'l = ["a", "b", "c"] # t\n',
    ),
    "toml: insert_after a table": (
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n',
        "insert_after: {path: out.x, after: {url: a}, value: {url: c}}",
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "c"\n\n[[out.x]]\nurl = "b"\n'
        "[out.x.tags]\nt = 1\n\n[z]\nk = 1\n",
    ),
    "toml: remove_items": (
        "l = [1, 2, 1]\n",
        "remove_items: {path: l, values: [1]}",
        "l = [2]\n",
    ),
    "toml: remove_items tables": (
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n',
        "remove_items: {path: out.x, values: [{url: b}]}",
        '[[out.x]]\nurl = "a" # a\n\n[z]\nk = 1\n',
    ),
    "toml: remove_items prune": (
        "x = 1\nl = [1]\n",
        "remove_items: {path: l, values: [1], prune_empty: true}",
        "x = 1\n",
    ),
    "toml: gather": (
        'a = 1\nb = ["x"]\nc = 2\n',
        "gather: {from: [b, a], to: l}",
        'c = 2\nl = [1, "x"]\n',
    ),
    "toml: list_to_map": (
        '[[l]]\nname = "a"\n# x\nx = 1 # t\n\n[[l]]\nname = "b"\ny = 1\n',
        "list_to_map: {path: l, key: name}",
        "[l.a]\n# x\nx = 1 # t\n\n[l.b]\ny = 1\n",
    ),
    "toml: list_to_map inline": (
        'l = [{name = "a", x = 1}]\n',
        "list_to_map: {path: l, key: name}",
        "l = {a = {x = 1}}\n",
    ),
    "toml: map_to_list": (
        "[m.a] # a\nx = 1 # x\n\n[m.b]\ny = 1\n",
        "map_to_list: {path: m, key: name}",
        '[[m]] # a\nx = 1 # x\nname = "a"\n\n[[m]]\ny = 1\nname = "b"\n',
    ),
    "toml: map_to_list inline": (
        "m = {a = {x = 1}}\n",
        "map_to_list: {path: m, key: name}",
        'm = [{name = "a", x = 1}]\n',
    ),
    "toml: map_to_list value_key": (
        "[m]\na = 1\n",
        "map_to_list: {path: m, key: name, value_key: v}",
        '[[m]]\nname = "a"\nv = 1\n',
    ),
    "toml: map_items": (
        "l = ['a', 'c'] # t\n",
        "map_items: {path: l, map: {a: x}}",
        "l = ['x', 'c'] # t\n",
    ),
    "toml: map_value": (
        "p = 80 # t\n",
        "map_value: {path: p, map: [{from: 80, to: http}]}",
        'p = "http" # t\n',
    ),
    "toml: convert lexemes": (
        "a = 1_000\nb = 0x1F\nc = true\n",
        'convert: {path: "*", to: string}',
        'a = "1_000"\nb = "0x1F"\nc = "true"\n',
    ),
    "toml: convert a date to text": (
        "d = 2020-01-02\n",
        "convert: {path: d, to: string}",
        'd = "2020-01-02"\n',
    ),
    "toml: replace": (
        "s = 'a-b' # t\n",
        'replace: {path: s, regex: "-", with: "+"}',
        "s = 'a+b' # t\n",
    ),
    "toml: format": (
        '[a]\nh = "x"\np = 1_0\n',
        'format: {to: a.u, template: "{a.h}:{a.p}", consume: true}',
        '[a]\nu = "x:1_0"\n',
    ),
    "toml: split": (
        'u = "h:80"\nz = 1\n',
        'split: {from: u, regex: "(?P<h>.*):(?P<p>.*)", to: {h: s.host, p: s.port}}',
        'z = 1\n\n[s]\nhost = "h"\nport = "80"\n',
    ),
    "toml: for_each array of tables": (
        '[[out.x]]\nurl = "a" # a\n\n[[out.x]]\nurl = "b"\n[out.x.tags]\nt = 1\n\n[z]\nk = 1\n',
        '{set: {path: k, value: 1}, for_each: {path: "out.x[*]", other_types: error}}',
        '[[out.x]]\nurl = "a" # a\nk = 1\n\n[[out.x]]\nurl = "b"\nk = 1\n[out.x.tags]\n'
        "t = 1\n\n[z]\nk = 1\n",
    ),
    "toml: for_each recursive": (
        "[[n]]\nx = 1\n[[n.n]]\nx = 2\n",
        '{move: {from: x, to: w}, for_each: {path: "n[*]", other_types: error, recursive: true}}',
        "[[n]]\nw = 1\n[[n.n]]\nw = 2\n",
    ),
    "toml: custom": (
        "a = 1 # t\n",
        "custom: handlers/x.py",
        'a = 1 # t\nhandled_by = "handlers/x.py"\n',
    ),
    "toml: rename_section onto an array of values": (
        "b = [1]\n[[a]]\nx = 2\n",
        "rename_section: {from: a, to: b}",
        "b = [1, {x = 2}]\n",
    ),
    "toml: note": (
        "a   = 1",
        "note: look",
        "a   = 1",
    ),
    "json: move in place": (
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
        "move: {from: a, to: b}",
        '{\n  "b": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
    ),
    "json: move elsewhere": (
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
        "move: {from: s.h, to: h}",
        '{\n  "a": 1,\n  "s": {\n    "p": 80\n  },\n  "l": ["a", "c"],\n  "h": "x"\n}\n',
    ),
    "json: move append": (
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
        "move: {from: a, to: l, on_conflict: append}",
        '{\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c", 1]\n}\n',
    ),
    "json: move append keeps the lexeme": (
        '{"a": 1.10, "l": [1e3]}',
        "move: {from: a, to: l, on_conflict: append}",
        '{"l": [1e3, 1.10]}',
    ),
    "json: rename_section": (
        '{"a": {"x": 1}}',
        "rename_section: {from: a, to: b}",
        '{"b": {"x": 1}}',
    ),
    "json: delete": (
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
        "delete: s.h",
        '{\n  "a": 1,\n  "s": {\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
    ),
    "json: set new parents": (
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
        "set: {path: n.m, value: [1]}",
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"],\n'
        '  "n": {\n    "m": [\n      1\n    ]\n  }\n}\n',
    ),
    "json: default": (
        "{}",
        "default: {path: a, value: null}",
        '{"a": null}',
    ),
    "json: set in null": (
        "null\n",
        "set: {path: x, value: 1}",
        '{"x": 1}\n',
    ),
    "json: nest": (
        '{"a": 1}',
        "nest: {path: a, under: k}",
        '{"a": {"k": 1}}',
    ),
    "json: nest the document": (
        '{\n  "a": 1\n}\n',
        'nest: {path: "", under: k}',
        '{\n  "k": {\n    "a": 1\n  }\n}\n',
    ),
    "json: hoist": (
        '{"s": {"k": {"a": 1}}}',
        "hoist: {path: s, key: k}",
        '{"s": {"a": 1}}',
    ),
    "json: hoist the document": (
        '{\n  "k": {\n    "a": 1\n  }\n}\n',
        'hoist: {path: "", key: k}',
        '{\n  "a": 1\n}\n',
    ),
    "json: wrap_list": (
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
        "wrap_list: a",
        '{\n  "a": [\n    1\n  ],\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n'
        '  "l": ["a", "c"]\n}\n',
    ),
    "json: unwrap_list keeps the lexeme": (
        '{"l": [1.10]}',
        "unwrap_list: l",
        '{"l": 1.10}',
    ),
    "json: unwrap_list of an object": (
        '{\n  "l": [\n    {\n      "a": 1\n    }\n  ]\n}\n',
        "unwrap_list: l",
        '{\n  "l": {\n    "a": 1\n  }\n}\n',
    ),
    "json: add_item": (
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c"]\n}\n',
        "add_item: {path: l, value: b}",
        '{\n  "a": 1,\n  "s": {\n    "h": "x",\n    "p": 80\n  },\n  "l": ["a", "c", "b"]\n}\n',
    ),
    "json: add_item one a line": (
        '[{"l": [\n  1,\n  2\n]}]',
        'add_item: {path: "[0].l", value: 3}',
        '[{"l": [\n  1,\n  2,\n  3\n]}]',
    ),
    "json: add_item absent": (
        '{"a": 1}',
        "add_item: {path: l, value: {x: 1}}",
        '{"a": 1, "l": [{"x": 1}]}',
    ),
    "json: insert_after": (
        '{"l": ["a","c"]}',
        "insert_after: {path: l, after: a, value: b}",
        '{"l": ["a","b","c"]}',
    ),
    "json: remove_items": (
        '{"l": [{"n": 1, "x": 2}, {"n": 2}]}',
        "remove_items: {path: l, values: [{n: 1}]}",
        '{"l": [{"n": 2}]}',
    ),
    "json: gather": (
        '{"b": 1, "a": "x"}',
        "gather: {from: [a, b], to: l}",
        '{"l": [1, "x"]}',
    ),
    "json: list_to_map": (
        '{\n  "o": [\n    {"name": "n.1", "x": 1},\n    {"name": ""}\n  ]\n}\n',
        "list_to_map: {path: o, key: name}",
        '{\n  "o": {\n    "n.1": {"x": 1},\n    "": {}\n  }\n}\n',
    ),
    "json: list_to_map and back": (
        '{\n  "o": [\n    {"name": "n1", "x": 1},\n    {"name": "n2"}\n  ]\n}\n',
        "[{list_to_map: {path: o, key: name}}, {map_to_list: {path: o, key: name}}]",
        '{\n  "o": [\n    {"name": "n1", "x": 1},\n    {"name": "n2"}\n  ]\n}\n',
    ),
    "json: map_to_list value_key": (
        '{\n  "s": {\n    "h": "x"\n  }\n}\n',
        "map_to_list: {path: s, key: k, value_key: v}",
        '{\n  "s": [\n    {\n      "k": "h",\n      "v": "x"\n    }\n  ]\n}\n',
    ),
    "json: map_items": (
        '{"l": [1, true, 1.0]}',
        "map_items: {path: l, map: [{from: 1, to: one}]}",
        '{"l": ["one", true, 1.0]}',
    ),
    "json: convert": (
        '{"a": 1.10}',
        "convert: {path: a, to: string}",
        '{"a": "1.10"}',
    ),
    "json: replace": (
        '{"l": ["a/b", "\\u002f"]}',
        'replace: {path: "l[*]", regex: a, with: \'"\'}',
        '{"l": ["\\"/b", "\\u002f"]}',
    ),
    "json: format": (
        '{"v": 1.10}',
        'format: {to: u, template: "v{v}", consume: true}',
        '{"u": "v1.10"}',
    ),
    "json: split": (
        '{"u": "h:80"}',
        'split: {from: u, regex: "(?P<h>.*):(?P<p>.*)", to: {h: h, p: p}}',
        '{"h": "h", "p": "80"}',
    ),
    "json: for_each recursive": (
        '{"k": [{"k": [{}]}]}',
        '{set: {path: x, value: 1}, for_each: {path: "k[*]", other_types: error, recursive: true}}',
        '{"k": [{"k": [{"x": 1}], "x": 1}]}',
    ),
    "jsonc: move in place": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "move: {from: a, to: b}",
        '{\n  // above a\n  "b": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
    ),
    "jsonc: move elsewhere": (
        '{\n  // a\n  "a": 1, // ta\n  "s": {\n    "x": 1\n  }\n}\n',
        "move: {from: a, to: s.a}",
        '{\n  "s": {\n    "x": 1,\n    // a\n    "a": 1 // ta\n  }\n}\n',
    ),
    "jsonc: move append keeps comments": (
        '{\n  "l": [\n    1\n  ],\n  "a": [\n    2 // two\n  ]\n}\n',
        "move: {from: a, to: l, on_conflict: append}",
        '{\n  "l": [\n    1,\n    2 // two\n  ]\n}\n',
    ),
    "jsonc: rename_section of lists": (
        '{\n  "l": [\n    1\n  ],\n  "a": [\n    2 // two\n  ]\n}\n',
        "rename_section: {from: a, to: l}",
        '{\n  "l": [\n    1,\n    2 // two\n  ]\n}\n',
    ),
    "jsonc: delete": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "delete: a",
        '{\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
    ),
    "jsonc: set": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "set: {path: a, value: 2}",
        '{\n  // above a\n  "a": 2, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
    ),
    "jsonc: nest": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "nest: {path: a, under: k}",
        '{\n  // above a\n  "a": {\n    "k": 1\n  }, // a\n  "l": [\n    "a", // la\n'
        '    /* c */ "c"\n  ],\n}\n',
    ),
    "jsonc: hoist": (
        '{\n  "s": { // s\n    "k": {\n      "a": 1 // a\n    }\n  }\n}\n',
        "hoist: {path: s, key: k}",
        '{\n  // s\n  "s": {\n    "a": 1 // a\n  }\n}\n',
    ),
    "toml: hoist a scalar with a comment": (
        "a.k = 1 # t\n",
        "hoist: {path: a, key: k}",
        "a = 1 # t\n",
    ),
    "jsonc: unwrap_list": (
        '{\n  "l": [\n    {\n      // a\n      "a": 1 // ta\n    }\n  ] // l\n}\n',
        "unwrap_list: l",
        '{\n  "l": {\n    // a\n    "a": 1 // ta\n  } // l\n}\n',
    ),
    "jsonc: add_item": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "add_item: {path: l, value: b}",
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c",\n'
        '    "b"\n  ],\n}\n',
    ),
    "jsonc: add_item start": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "add_item: {path: l, value: b, at: start}",
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "b",\n    "a", // la\n'
        '    /* c */ "c"\n  ],\n}\n',
    ),
    "jsonc: insert_after": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "insert_after: {path: l, after: a, value: b}",
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    "b",\n'
        '    /* c */ "c"\n  ],\n}\n',
    ),
    "jsonc: remove_items": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "remove_items: {path: l, values: [a]}",
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    /* c */ "c"\n  ],\n}\n',
    ),
    "jsonc: list_to_map with comments": (
        '{\n  "o": [\n    // n1\n    {"name": "n1", "x": 1}, // t1\n    {"name": "n2"}\n  ]\n}\n',
        "list_to_map: {path: o, key: name}",
        '{\n  "o": {\n    // n1\n    "n1": {"x": 1}, // t1\n    "n2": {}\n  }\n}\n',
    ),
    "jsonc: map_to_list with comments": (
        '{\n  "o": {\n    // n1\n    "n1": {"x": 1}, // t1\n    "n2": {}\n  }\n}\n',
        "map_to_list: {path: o, key: name}",
        '{\n  "o": [\n    // n1\n    {"name": "n1", "x": 1}, // t1\n'
        '    {\n      "name": "n2"\n    }\n  ]\n}\n',
    ),
    "jsonc: map_items": (
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "a", // la\n    /* c */ "c"\n  ],\n}\n',
        "map_items: {path: l, map: {a: x, c: z}}",
        '{\n  // above a\n  "a": 1, // a\n  "l": [\n    "x", // la\n    /* c */ "z"\n  ],\n}\n',
    ),
    "jsonc: for_each": (
        '{"o": [\n  {"x": 1}, // t\n  {} // e\n]}\n',
        '{default: {path: k, value: null}, for_each: {path: "o[*]", other_types: error}}',
        '{"o": [\n  {"x": 1, "k": null}, // t\n  {\n    "k": null\n  } // e\n]}\n',
    ),
}


GOES_ON_OTHERS = {
    "toml: hoist a scalar with a comment",
    "yaml: move overwrites its own parent",
    "json: move an item overwrites its own list",
    "toml: nest a table",
    "toml: nest a value",
    "json: nest",
    "json: nest the document",
    "json: list_to_map and back",
    "jsonc: nest",
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_operation_on_toml_and_json_gives_exactly_this_text(name: str) -> None:
    source, operations, want = OTHERS[name]
    check(source, operations, want, name.split(":")[0], again=name not in GOES_ON_OTHERS)


REFUSALS: dict[str, tuple[str, str, str, str]] = {
    "hoist others": ("m:\n  j: s3cret\n  k: 1\n", HOIST, "hoist_others", "m"),
    "hoist of a scalar": (
        "a:\n- m: s3cret\n",
        "hoist: {path: 'a[0].m', key: k}",
        "wrong_type",
        "a[0].m",
    ),
    "hoist of a list": ("m: [s3cret]\n", HOIST, "wrong_type", "m"),
    "hoist of an alias": ("a: &x {k: s3cret}\nm: *x\n", HOIST, "through_alias", "m"),
    "hoist of what an alias means": ("m: &x {k: s3cret}\nz: *x\n", HOIST, "shared_node", "m"),
    "hoist of a merged key": ("b: &b {k: s3cret}\nm:\n  <<: *b\n", HOIST, "merge_only_key", "m"),
    "hoist of a document that is a list": (
        "- s3cret\n",
        "hoist: {path: '', key: k}",
        "wrong_type",
        "the document",
    ),
    "hoist of an anchored block": ("m:\n  k: &k\n    a: s3cret\n", HOIST, "anchored_move", "m"),
    "rename_section of a scalar": ("a: s3cret\n", SECTION, "wrong_type", "a"),
    "rename_section onto another": ("a: {x: s3cret}\nb: {}\n", SECTION, "target_exists", "b"),
    "rename_section of a list onto an object": (
        "a: [s3cret]\nb: {}\n",
        SECTION,
        "target_exists",
        "b",
    ),
    "rename_section into itself": (
        "a: {x: s3cret}\n",
        "rename_section: {from: a, to: a.b}",
        "move_into_itself",
        "a",
    ),
    "rename_section through a scalar": (
        "a: {}\nc:\n  d: s3cret\n",
        "rename_section: {from: a, to: c.d.e}",
        "wrong_type",
        "c.d",
    ),
    "rename_section of an alias": ("x: &x {k: s3cret}\na: *x\n", SECTION, "through_alias", "a"),
    "rename_section to a list item": (
        "a: [s3cret]\nb: [1]\n",
        "rename_section: {from: a, to: 'b[0]'}",
        "path_invalid",
        "",
    ),
    "unwrap_list of many": ("l: [s3cret, 2]\n", UNWRAP, "not_one_item", "l"),
    "unwrap_list of none": ("m: {l: []}\n", "unwrap_list: 'm.*'", "not_one_item", "m.l"),
    "unwrap_list of an alias": ("a: &x [s3cret]\nl: *x\n", UNWRAP, "through_alias", "l"),
    "unwrap_list of an alias of many": (
        "a: &x [s3cret, 2]\nl: *x\n",
        "unwrap_list: {path: l, many: first}",
        "shared_node",
        "a",
    ),
    "unwrap_list of what an alias means": ("l: &x [s3cret]\nz: *x\n", UNWRAP, "shared_node", "l"),
    "add_item to a scalar": ("l: s3cret\n", ADD, "wrong_type", "l"),
    "add_item to an object": (
        "m: {l: {a: s3cret}}\n",
        "add_item: {path: m.l, value: 1}",
        "wrong_type",
        "m.l",
    ),
    "add_item through a scalar": (
        "m: s3cret\n",
        "add_item: {path: m.l, value: 1}",
        "wrong_type",
        "m",
    ),
    "add_item to an alias": ("a: &x [s3cret]\nl: *x\n", ADD, "through_alias", "l"),
    "add_item to what an alias means": ("l: &x [s3cret]\nz: *x\n", ADD, "shared_node", "l"),
    "add_item to a merged list": (
        "b: &b {l: [s3cret]}\nm:\n  <<: *b\n",
        "add_item: {path: m.l, value: 1}",
        "merge_only_key",
        "m",
    ),
    "add_item to an item that is not there": (
        "l: [[s3cret]]\n",
        "add_item: {path: 'l[5]', value: 1}",
        "path_invalid",
        "",
    ),
    "insert_after a missing item": ("l: [s3cret]\n", AFTER, "item_missing", "l"),
    "insert_after compares types": (
        "l: ['1']\n",
        "insert_after: {path: l, after: 1, value: s3cret}",
        "item_missing",
        "l",
    ),
    "insert_after in a scalar": ("l: s3cret\n", AFTER, "wrong_type", "l"),
    "insert_after in an alias": ("a: &x [a]\nl: *x\n", AFTER, "through_alias", "l"),
    "remove_items of a scalar": (
        "l:\n  m: s3cret\n",
        "remove_items: {path: l.m, values: [a]}",
        "wrong_type",
        "l.m",
    ),
    "remove_items in the second list": (
        "s: [{l: [a]}, {l: s3cret}]\n",
        "remove_items: {path: 's[*].l', values: [a]}",
        "wrong_type",
        "s[1].l",
    ),
    "remove_items of an anchor in use": ("l:\n- &x a\nz: *x\n", REMOVE, "alias_undefined", "z"),
    "remove_items of an alias of a list": ("a: &x [a]\nl: *x\n", REMOVE, "through_alias", "l"),
    "list_to_map without a name": ("l: [{name: a}, {x: s3cret}]\n", TO_MAP, "not_keyed", "l[1]"),
    "list_to_map of a number": ("l: [{name: 1}]\n", TO_MAP, "not_keyed", "l[0]"),
    "list_to_map of a null name": ("l: [{name: }]\n", TO_MAP, "not_keyed", "l[0]"),
    "list_to_map of texts": ("l: [s3cret]\n", TO_MAP, "not_keyed", "l[0]"),
    "list_to_map of a name twice": (
        "x:\n  l: [{name: s3cret}, {name: s3cret}]\n",
        "list_to_map: {path: x.l, key: name}",
        "not_keyed",
        "x.l[1]",
    ),
    "list_to_map of a scalar": ("l: s3cret\n", TO_MAP, "wrong_type", "l"),
    "list_to_map of a merge key": ("l: [{name: <<, x: 1}]\n", TO_MAP, "merge_key", "l"),
    "list_to_map of an alias": ("a: &x [{name: s3cret}]\nl: *x\n", TO_MAP, "through_alias", "l"),
    "list_to_map of an alias item": (
        "i: &x {name: s3cret}\nl: [*x]\n",
        TO_MAP,
        "shared_node",
        "i",
    ),
    "list_to_map of what an alias means": (
        "l: &x [{name: s3cret}]\nz: *x\n",
        TO_MAP,
        "shared_node",
        "l.items[0]",
    ),
    "map_to_list of a scalar": ("m: s3cret\n", TO_LIST, "wrong_type", "m"),
    "map_to_list of scalars": ("m: {a: s3cret}\n", TO_LIST, "not_keyed", "m.a"),
    "map_to_list of null entries": ("m:\n  a:\n", TO_LIST, "not_keyed", "m.a"),
    "map_to_list of lists": ("m: {a: {}, b: [s3cret]}\n", TO_LIST, "not_keyed", "m.b"),
    "map_to_list with the key inside": ("m: {a: {name: s3cret}}\n", TO_LIST, "not_keyed", "m.a"),
    "map_to_list with the same key twice": (
        "m: {a: s3cret}\n",
        "map_to_list: {path: m, key: k, value_key: k}",
        "not_keyed",
        "m.a",
    ),
    "map_to_list of an alias": ("a: &x {b: {c: s3cret}}\nm: *x\n", TO_LIST, "through_alias", "m"),
    "map_to_list of an alias entry": (
        "a: &x {c: s3cret}\nm: {b: *x}\n",
        TO_LIST,
        "shared_node",
        "a",
    ),
    "map_to_list with a merge key": (
        "b: &b {x: {y: s3cret}}\nm:\n  <<: *b\n",
        "{map_to_list: {path: m, key: name}, allow_shared: true}",
        "merge_key",
        "m",
    ),
    "map_items of a scalar": ("l: s3cret\n", ITEMS, "wrong_type", "l"),
    "map_items of an object": ("l: {a: s3cret}\n", ITEMS, "wrong_type", "l"),
    "map_items of an alias": ("a: &x [a]\nl: *x\n", ITEMS, "through_alias", "l"),
    "map_items of what an alias means": ("l: &x [a]\nz: *x\n", ITEMS, "shared_node", "l[0]"),
    "split of a number": ("u: 80\n", SPLIT, "wrong_type", "u"),
    "split without a match": (
        "a:\n- u: 's3cret!'\n",
        SPLIT.replace("from: u", "from: 'a[0].u'"),
        "not_splittable",
        "a[0].u",
    ),
    "split to no group": (
        "u: s3cret\n",
        "split: {from: u, regex: '(?P<h>.*)', to: {q: host}}",
        "not_splittable",
        "u",
    ),
    "split into what stays": (
        "u: s3cret\n",
        "split: {from: u, regex: '(?P<h>.*)', to: {h: u.h}, keep: true}",
        "wrong_type",
        "u",
    ),
    "manual": ("a: s3cret\n", "manual: a person must look", "manual_decision", "the document"),
    "manual at a place": (
        "a:\n- {}\n- x: s3cret\n",
        "manual: {reason: a person must look, path: 'a[*].x'}",
        "manual_decision",
        "a[1].x",
    ),
    "manual in an item": (
        "l: [{x: 1}, {n: s3cret}]\n",
        "{manual: why, when: {exists: n}, for_each: {path: 'l[*]', other_types: error}}",
        "manual_decision",
        "l[1]",
    ),
    "for_each recursive over a text": (
        "k: [{k: [s3cret]}]\n",
        "{delete: x, for_each: {path: 'k[*]', other_types: error, recursive: true}}",
        "wrong_type",
        "k[0].k[0]",
    ),
    "move append into itself": (
        "a: {l: [1], k: s3cret}\nz: 1\n",
        "move: {from: a, to: a.l, on_conflict: append}",
        "move_into_itself",
        "a",
    ),
    "move append_unique into itself": (
        "a: {l: [1], k: s3cret}\nz: 1\n",
        "move: {from: a, to: a.l, on_conflict: append_unique}",
        "move_into_itself",
        "a",
    ),
    "move prepend into itself": (
        "a: {l: [1], k: s3cret}\nz: 1\n",
        "move: {from: a, to: a.l, on_conflict: prepend}",
        "move_into_itself",
        "a",
    ),
    "move keep into itself": (
        "a: {l: [1], k: s3cret}\nz: 1\n",
        "move: {from: a, to: a.l, on_conflict: keep}",
        "move_into_itself",
        "a",
    ),
    "move append to an object": (
        "a: s3cret\nb: {}\n",
        "move: {from: a, to: b, on_conflict: append}",
        "wrong_type",
        "b",
    ),
    "move prepend to null": (
        "a: s3cret\nb:\n",
        "move: {from: a, to: b, on_conflict: prepend}",
        "wrong_type",
        "b",
    ),
    "toml: rename_section onto a table": (
        "[a]\nx = 's3cret'\n[b]\n",
        SECTION,
        "target_exists",
        "b",
    ),
    "toml: rename_section of an array onto a table": (
        "[[a]]\nx = 's3cret'\n[b]\n",
        SECTION,
        "target_exists",
        "b",
    ),
    "toml: rename_section of a pair": ("a = 's3cret'\n", SECTION, "wrong_type", "a"),
    "toml: set null": (
        "[a]\nx = 's3cret'\n",
        "set: {path: a.x, value: null}",
        "value_unsupported",
        "",
    ),
    "toml: add null": (
        "l = ['s3cret']\n",
        "add_item: {path: l, value: null}",
        "value_unsupported",
        "",
    ),
    "toml: replace in a date": (
        "d = 2020-01-02\n",
        "replace: {path: d, regex: a, with: b}",
        "wrong_type",
        "d",
    ),
    "toml: hoist the document to a scalar": (
        "k = 's3cret'\n",
        "hoist: {path: '', key: k}",
        "wrong_type",
        "",
    ),
    "toml: list_to_map of a name twice": (
        "[[l]]\nname = 's3cret'\n[[l]]\nname = 's3cret'\n",
        TO_MAP,
        "not_keyed",
        "l[1]",
    ),
    "json: insert_after a missing item": ('{"l": ["s3cret"]}', AFTER, "item_missing", "l"),
    "json: map_to_list of scalars": ('{"m": {"a": "s3cret"}}', TO_LIST, "not_keyed", "m.a"),
    "json: hoist others": ('{"m": {"k": 1, "j": "s3cret"}}', HOIST, "hoist_others", "m"),
    "jsonc: unwrap_list of many": ('{"l": [1, "s3cret" /* x */]}', UNWRAP, "not_one_item", "l"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_its_place_and_never_the_value(name: str) -> None:
    source, operations, code, place = REFUSALS[name]
    format = name.split(":")[0] if ":" in name else "yaml"
    with pytest.raises(Refused) as caught:
        run(source, operations, format)
    assert "s3cret" not in str(caught.value)
    assert (caught.value.code, caught.value.place) == (code, place)


KNOWN_GAPS: dict[str, tuple[str, str, str]] = {
    "json: replace in a text with half a surrogate pair": (
        '{"k": "a\\ud800b"}',
        "replace: {path: k, regex: x, with: y}",
        "text_unencodable",
    ),
}
"""Legitimate edits that are refused today; when one of these starts to work, give it its text."""


@pytest.mark.parametrize("name", KNOWN_GAPS)
def test_a_known_gap_is_refused_with_this_code(name: str) -> None:
    source, operations, code = KNOWN_GAPS[name]
    with pytest.raises(Refused) as caught:
        run(source, operations, name.split(":")[0])
    assert caught.value.code == code


# --- absent sources, in every format, to the byte

ABSENT = [
    "hoist: {path: gone.gone, key: k}",
    "rename_section: {from: gone.gone, to: x}",
    "unwrap_list: gone",
    "unwrap_list: {path: 'gone[*].l', empty: delete}",
    "insert_after: {path: gone, after: a, value: b}",
    "remove_items: {path: 'gone.*.l', values: [a], prune_empty: true}",
    "list_to_map: {path: gone.l, key: name}",
    "map_to_list: {path: gone, key: name}",
    "map_items: {path: gone, map: {a: b}, otherwise: null}",
    "split: {from: gone, regex: '(?P<h>.*)', to: {h: x}}",
    "manual: {reason: r, path: 'gone[*]'}",
    "note: {text: t, path: '**.gone'}",
    "{delete: x, for_each: {path: 'gone[*]', other_types: error, recursive: true}}",
    "move: {from: gone, to: a, on_conflict: overwrite}",
    "gather: {from: [gone], to: a, on_conflict: append}",
]
SOURCES = [
    ("yaml", "a:   1  # t\r\n"),
    ("yaml", "\ufeffa: {b: [ ]}"),
    ("yaml", "# c\n"),
    ("yaml", ""),
    ("toml", "a   =  1 # t\r\n"),
    ("toml", "[ a . b ]"),
    ("json", '{ "a" :1 }'),
    ("jsonc", '{ /* c */ "a" :1, }'),
]


@pytest.mark.parametrize("operations", ABSENT)
@pytest.mark.parametrize(("format", "source"), SOURCES)
def test_an_absent_source_changes_no_byte(operations: str, format: str, source: str) -> None:
    document, text = run(source, operations, format)
    assert text == source
    assert document.changes == []


# --- comments of what survives, where their exact place is a matter of taste

KEPT: dict[str, tuple[str, str, Any]] = {
    "hoist a scalar with a comment above": ("m:\n  # c1\n  k: 1\nz: 1\n", HOIST, {"m": 1, "z": 1}),
    "unwrap_list of a scalar with one above": ("l:\n  # c1\n  - 1\n", UNWRAP, {"l": 1}),
    "list_to_map with comments everywhere": (
        "l: # c1\n  # c2\n  - x: 1 # c3\n    # c4\n    y: 2\n    name: a\nz: 1\n",
        TO_MAP,
        {"l": {"a": {"x": 1, "y": 2}}, "z": 1},
    ),
    "list_to_map with a comment behind the dash": (
        "l:\n  - # c1\n    x: 1\n    name: a\n",
        TO_MAP,
        {"l": {"a": {"x": 1}}},
    ),
    "map_to_list with comments everywhere": (
        "m: # c1\n  # c2\n  a: # c3\n    # c4\n    x: 1 # c5\nz: 1\n",
        TO_LIST,
        {"m": [{"name": "a", "x": 1}], "z": 1},
    ),
    "rename_section of lists with comments everywhere": (
        "b: # c1\n  # c2\n  - 1 # c3\na:\n  # c4\n  - 2 # c5\n",
        SECTION,
        {"b": [1, 2]},
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_every_comment_of_what_survives_is_kept_in_order(name: str) -> None:
    source, operations, value = KEPT[name]
    _, text = run(source, operations)
    assert yaml.safe_load(text) == value
    found = [word for word in text.replace("#", " ").split() if word[:1] == "c" and len(word) == 2]
    assert found == sorted(
        w for w in source.replace("#", " ").split() if w[:1] == "c" and len(w) == 2
    )


@pytest.mark.parametrize(
    ("source", "operation", "want"),
    [
        (
            "l:\n  - name: a\n    x: 1\n  # below\nz: 1\n",
            TO_MAP,
            "l:\n  a:\n    x: 1\n  # below\nz: 1\n",
        ),
        (
            "m:\n  a:\n    x: 1\n  # below\nz: 1\n",
            TO_LIST,
            "m:\n  - name: a\n    x: 1\n  # below\nz: 1\n",
        ),
    ],
)
def test_a_comment_below_the_last_entry_of_a_reshaped_container_stays(
    source: str, operation: str, want: str
) -> None:
    document = parse(source)
    for one in read(operation):
        one.run(document, CONTEXT)
    rendered = formats.render(document)
    assert rendered.data.decode() == want
    assert not rendered.lost_comments


# --- notes, manual, the chain


def program(version: int, operations: str) -> chain.Program:
    migration = Migration(f"{version:04}", version, "file", {"app": version}, (), "", "", "")
    return chain.Program(migration, tuple(read(operations)))


def steps_of(source: str, *programs: chain.Program) -> list[chain.Step]:
    """What the chain says of its steps."""
    config = Config(name="app", files=("f.yaml",), format="yaml", stamp=None)
    return chain.run(parse(source), config, programs, CONTEXT, lambda *_: None)


def noted(source: str, operations: str) -> list[tuple[str, str]]:
    """The notes of a migration, as the chain collects them."""
    (step,) = steps_of(source, program(1, operations))
    assert step.changes == ()
    return list(step.notes)


def test_notes_are_collected_with_their_places() -> None:
    assert noted("a: 1\n", "note: look") == [("the document", "look")]
    assert noted("l: [{x: 1}, {}, {x: 2}]\n", "note: {text: t, path: 'l[*].x'}") == [
        ("l[0].x", "t"),
        ("l[2].x", "t"),
    ]
    assert noted("a: 1\n", "note: {text: t, path: gone.gone}") == []
    assert noted("a: 1\n", "note: {text: t, path: a.b}") == []
    assert noted("a: 1\n", "{note: t, when: {exists: b}}") == []
    assert noted(
        "l: [{x: 1}, {y: 1}]\n",
        "{note: t, when: {exists: y}, for_each: {path: 'l[*]', other_types: error}}",
    ) == [("l[1]", "t")]


def test_notes_belong_to_the_step_that_made_them() -> None:
    first, second, third = steps_of(
        "a: 1\n",
        program(1, "[note: one, note: two]"),
        program(2, "delete: a"),
        program(3, "note: x"),
    )
    assert [text for _, text in first.notes] == ["one", "two"]
    assert second.notes == ()
    assert third.notes == (("the document", "x"),)


def test_for_each_recursive_takes_the_innermost_first_and_siblings_in_order() -> None:
    operation = "{note: n, for_each: {path: 'kids[*]', other_types: error, recursive: true}}"
    assert [place for place, _ in noted(TREE, operation)] == [
        "kids[0].kids[0]",
        "kids[0].kids[1].kids[0]",
        "kids[0].kids[1]",
        "kids[0]",
        "kids[1]",
    ]


def test_for_each_recursive_follows_any_key() -> None:
    operation = "{note: n, for_each: {path: '*', other_types: skip, recursive: true}}"
    source = "a:\n  b:\n    c: 1\n  d: [1]\ne:\nf: {}\n"
    assert [place for place, _ in noted(source, operation)] == ["a.b", "a", "f"]


def test_for_each_may_change_what_it_walks_over() -> None:
    operation = (
        "{list_to_map: {path: kids, key: name}, "
        "for_each: {path: 'kids[*]', other_types: error, recursive: true}}"
    )
    _, text = run("kids:\n- kids:\n  - name: a\n    kids:\n    - name: b\n", operation)
    assert yaml.safe_load(text) == {"kids": [{"kids": {"a": {"kids": {"b": {}}}}}]}


def test_manual_says_its_reason_its_place_and_what_to_do() -> None:
    with pytest.raises(Refused) as caught:
        steps_of(
            "a: [{}, {old: 1}]\n",
            program(7, "[note: n, manual: {reason: two owners, path: 'a[*].old'}]"),
        )
    error = caught.value
    assert (error.code, error.place) == ("manual_decision", "a[1].old")
    assert error.message == "0007: operation 2 (manual): two owners"
    assert error.fix == "decide, change the file by hand, then run again"


def test_manual_names_all_decisions_at_once_also_those_of_later_migrations() -> None:
    first = (
        "[manual: {reason: two owners, path: 'a[*].old'}, convert: {path: b, to: int},"
        " manual: {reason: which port}]"
    )
    with pytest.raises(Refused) as caught:
        steps_of(
            "a: [{old: 1}, {old: 2}]\nb: '3'\n",
            program(7, first),
            program(8, "[manual: {reason: who is c, path: c}, manual: {reason: why b, path: b}]"),
        )
    error = caught.value
    assert error.code == "manual_decision"
    assert error.message == (
        "0007: 4 decisions are needed: operation 1 (manual): a[0].old: two owners; "
        "operation 1 (manual): a[1].old: two owners; "
        "operation 3 (manual): the document: which port; "
        "0008: operation 2 (manual): b: why b"
    )


def test_an_open_decision_hides_the_errors_that_follow_from_it() -> None:
    with pytest.raises(Refused) as caught:
        steps_of(
            "a: x\n",
            program(7, "[manual: {reason: a number, path: a}, convert: {path: a, to: int}]"),
        )
    assert caught.value.message == "0007: operation 1 (manual): a number"


def test_an_error_before_a_decision_is_the_error() -> None:
    with pytest.raises(Refused) as caught:
        steps_of(
            "a: x\n",
            program(7, "[convert: {path: a, to: int}, manual: {reason: a number, path: a}]"),
        )
    assert caught.value.code != "manual_decision"


def test_an_alias_in_the_way_of_for_each_is_called_one() -> None:
    operation = "{set: {path: y, value: 1}, for_each: {path: 'l[*]', other_types: error}}"
    with pytest.raises(Refused) as caught:
        run("k: &k {x: 1}\nl: [*k]\n", operation)
    assert caught.value.place == "l[0]"
    assert "object is expected here, not object" not in caught.value.message


INVALID = [
    "hoist: m",
    "hoist: {path: 'm[*]', key: k}",
    "hoist: {path: m, key: k, others: keep}",
    "rename_section: {from: 'a.*', to: b}",
    "unwrap_list: {path: l, many: all}",
    "add_item: {path: l}",
    "add_item: {path: l, value: 1, at: middle}",
    "insert_after: {path: l, value: 1}",
    "remove_items: {path: l, values: a}",
    "list_to_map: {path: l}",
    "list_to_map: {path: l, key: 1}",
    "map_to_list: {path: m, key: k, values: v}",
    "map_items: {path: l, map: [a]}",
    "split: {from: u, regex: '(', to: {a: b}}",
    "split: {from: u, regex: '(?P<h>.*)', to: {h: 'l[*]'}}",
    "split: {from: u, regex: '(?P<h>.*)', to: {h: x}, otherwise: keep}",
    "note: {path: a}",
    "manual: {path: a}",
    "{delete: a, for_each: {path: l, other_types: skip, recursive: deep}}",
    "add_item: {path: '', value: 1}",
    "delete: ''",
    "move: {from: '', to: b}",
]


@pytest.mark.parametrize("operation", INVALID)
def test_what_is_no_operation_is_a_problem(operation: str) -> None:
    operations, problems = load([yaml.safe_load(operation)], "f.yaml")
    assert operations == []
    assert problems


def test_a_text_beyond_the_cap_is_refused_and_one_at_it_is_not() -> None:
    longest = "x" * (1 << 20)
    for operation in (
        "replace: {path: u, regex: q, with: k}",
        "split: {from: u, regex: '(?P<h>x*)', to: {h: host}}",
    ):
        run(f"u: {longest}\n", operation)
        with pytest.raises(Refused) as caught:
            run(f"u: {longest}x\n", operation)
        assert (caught.value.code, caught.value.place) == ("text_too_long", "u")


def test_a_replacement_that_would_grow_beyond_the_cap_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        run(f"u: {'x' * 2000}\n", f"replace: {{path: u, regex: x, with: {'y' * 2000}}}")
    assert (caught.value.code, caught.value.place) == ("text_too_long", "u")


def test_gather_of_a_key_and_one_inside_it_refuses_or_can_be_replayed() -> None:
    source = "a: {b: 1}\nz: 1\n"
    try:
        document, text = run(source, "gather: {from: [a, a.b], to: l}")
    except Refused:
        return
    again = parse(source)
    replay(again, document.changes)
    assert formats.render(again).data.decode() == text


@pytest.mark.parametrize("format", ["yaml", "json", "toml"])
def test_a_format_of_a_text_stays_itself(format: str) -> None:
    source = {"yaml": "v: '{w}'\n", "json": '{"v": "{w}"}', "toml": "v = '{w}'\n"}[format]
    document, _ = run(source, "format: {to: u, template: '{{{v}}}'}", format)
    assert document.root["u"] == "{{w}}"
