"""Traps of real YAML files: source, edit, and the exact bytes that must come out.

A row that is refused names the code. After every edit the result is also read by PyYAML (1.1)
and py-yaml12 (1.2), and must mean what the same edit makes of the plainly loaded source.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import pytest

from confmig.documents import formats
from confmig.documents.model import path as paths
from confmig.documents.model.document import Document
from confmig.errors import Refused
from tests.documents.helpers import Ordered, alike, parse, read11, read12, render

Op = tuple[Any, ...]


@dataclass(frozen=True)
class Refusal:
    """The row is refused with this code."""

    code: str


@dataclass(frozen=True)
class Row:
    """One trap."""

    name: str
    source: str
    op: Op
    want: str | Refusal


def _place(path: str) -> list[str | int]:
    out: list[str | int] = []
    for segment in paths.parse(path):
        if isinstance(segment, paths.Key):
            out.append(segment.name)
        elif isinstance(segment, paths.Index):
            out.append(segment.at)
    return out


def _edit(document: Document, op: Op) -> None:
    kind, path, *rest = op
    place = _place(path)
    if kind == "set" and isinstance(place[-1], int):
        target = document.root
        for part in place[:-1]:
            target = target[part]
        target[place[-1]] = rest[0]
    else:
        getattr(document, kind)(path, *rest)


def _plainly(value: Any, names: Any = None) -> Any:
    """Dicts instead of pairs; with ``names`` the keys are taken from another reading."""
    names = value if names is None else names
    if isinstance(value, Ordered):
        return {k: _plainly(v, w) for (_, v), (k, w) in zip(value, names, strict=True)}
    if isinstance(value, list):
        return [_plainly(v, w) for v, w in zip(value, names, strict=True)]
    return value


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return Ordered((k, _ordered(v)) for k, v in value.items())
    if isinstance(value, list):
        return [_ordered(v) for v in value]
    return value


def _same_edit(root: Any, op: Op) -> Any:
    """The edit on ordinary dicts and lists."""
    kind, path, *rest = op
    place = _place(path)
    if kind == "delete" and path == "[*]":
        return []
    if kind == "delete" and path.endswith("[*]"):
        return _same_edit(root, ("set", path[:-3], []))
    if kind == "wrap" and not place:
        return {rest[0]: root}
    if root is None:
        root = {}
    here = root
    for part in place[:-1]:
        if isinstance(part, str) and here.get(part) is None:
            here[part] = {}
        here = here[part]
    last: Any = place[-1] if place else None
    if kind == "set":
        here[last] = rest[0]
    elif kind == "delete":
        del here[last]
    elif kind == "rename":
        items = [(rest[0] if k == last else k, v) for k, v in here.items()]
        here.clear()
        here.update(items)
    elif kind == "move":
        value = here.pop(last)
        if _place(rest[0])[:-1] == place[:-1]:
            raise NotImplementedError("a rename is written as one here")
        _same_edit(root, ("set", rest[0], value))
    elif kind == "wrap":
        here[last] = [here[last]] if rest[0] is None else {rest[0]: here[last]}
    else:
        target = here[last] if place else root
        target.insert(rest[0] if kind == "insert" else len(target), rest[-1])
    return root


LONG = "word " * 50 + "end"

ROWS = [
    Row(
        "a trailing comment stays on its line",
        "a: 1 # t\nb: 2\n",
        ("set", "a", 5),
        "a: 5 # t\nb: 2\n",
    ),
    Row(
        "a trailing comment behind a tab stays",
        "a: 1\t# t\nb: 2\n",
        ("set", "a", 5),
        "a: 5\t# t\nb: 2\n",
    ),
    Row(
        "a comment above goes with its key",
        "a: 1\n# b's\nb: 2 # t\nc: 3\n",
        ("delete", "b"),
        "a: 1\nc: 3\n",
    ),
    Row(
        "a comment above moves with its key",
        "d:\n    e: 1\n# own c\nc: 1 # t\n",
        ("move", "c", "d.c"),
        "d:\n    e: 1\n    # own c\n    c: 1 # t\n",
    ),
    Row(
        "a comment above stays with a renamed key",
        "a: 1\n# b's\nb: 2 # t\n",
        ("rename", "b", "z"),
        "a: 1\n# b's\nz: 2 # t\n",
    ),
    Row(
        "a deeper comment below goes with its key",
        "a: 1\n  # below a\n  # too\nb: 2\n",
        ("delete", "a"),
        "b: 2\n",
    ),
    Row(
        "a comment in a list belongs to the item below",
        "d:\n# own 1\n- 1\n# own 2\n- 2\n",
        ("delete", "d[0]"),
        "d:\n# own 2\n- 2\n",
    ),
    Row(
        "an inserted item leaves the comments to their items",
        "d:\n# own 1\n- 1\n# own 2\n- 2\n",
        ("insert", "d", 1, 9),
        "d:\n# own 1\n- 1\n- 9\n# own 2\n- 2\n",
    ),
    Row(
        "the file's header survives the first key",
        "# head\n# of the file\n\na: 1\nb: 2\n",
        ("delete", "a"),
        "# head\n# of the file\n\nb: 2\n",
    ),
    Row(
        "the file's header survives a move of the first key",
        "# head\n\n# more\na: 1\nb: 1\n",
        ("move", "a", "c.a"),
        "# head\n\nb: 1\nc:\n  # more\n  a: 1\n",
    ),
    Row(
        "a comment at the end of a map stays",
        "d:\n  e: 1\n  f: 1\n\n  # below d\n\n# own c\nc: 1 # t\n",
        ("set", "d.g", 1),
        "d:\n  e: 1\n  f: 1\n  g: 1\n\n  # below d\n\n# own c\nc: 1 # t\n",
    ),
    Row(
        "a footer stays below a new key",
        "a: 1\n\n# end\n",
        ("set", "b", 2),
        "a: 1\nb: 2\n\n# end\n",
    ),
    Row(
        "a comment on a container's line stays",
        "a: # c\n  k: 1\nb: 2\n",
        ("set", "a", 2),
        "a: 2 # c\nb: 2\n",
    ),
    Row(
        "a comment on an anchored container's line stays",
        "a: &x # c\n  k: 1\nb: 2\n",
        ("set", "a", 2),
        Refusal("comment_lost"),
    ),
    Row(
        "a comment on a block scalar's line stays",
        "a: | # c\n  x\nb: 2\n",
        ("set", "a", "q"),
        "a: q # c\nb: 2\n",
    ),
    Row(
        "a comment between key and value is not lost by a new object",
        "a: # t\n  b\nc: 1\n",
        ("set", "a", {"q": 1}),
        "a: # t\n  q: 1\nc: 1\n",
    ),
    Row(
        "a comment between key and value is not lost by a wrap",
        "a:\n  # t\n  b\nc: 1\n",
        ("wrap", "a", "z"),
        "a:\n  # t\n  z: b\nc: 1\n",
    ),
    Row(
        "a comment above is not lost by a move into a flow map",
        "a: 1\n# c\nb: 1\nf: {x: 1}\n",
        ("move", "b", "f.b"),
        Refusal("comment_lost"),
    ),
    Row(
        "a trailing comment is not lost by a move into a flow map",
        "a: 1\nb: 1 # t\nf: {x: 1}\n",
        ("move", "b", "f.b"),
        Refusal("comment_lost"),
    ),
    Row(
        "a comment inside a container is not lost by a move into a flow map",
        "a: 1\nb:\n  - 1 # t\nf: {x: 1}\n",
        ("move", "b", "f.b"),
        Refusal("comment_lost"),
    ),
    Row(
        "a comment of the next key is not the list's",
        "d:\n- 1\n# after d\n\nc: 1\n",
        ("delete", "d"),
        "# after d\n\nc: 1\n",
    ),
    Row(
        "a comment less indented than its neighbours stays",
        "b:\n    c: 1\n    d: 1\n  # odd\n    e: 2\n",
        ("delete", "b.d"),
        "b:\n    c: 1\n  # odd\n    e: 2\n",
    ),
    Row(
        "a comment at column 0 inside a moved map moves along",
        "b:\n    c: 1\n# odd\n    e: 2\nq:\n",
        ("move", "b", "q.b"),
        "q:\n    b:\n        c: 1\n    # odd\n        e: 2\n",
    ),
    Row(
        "of the blank lines around a deleted key the longer run stays",
        "a: 1\n\n\nb: 2\n\nc: 3\n",
        ("delete", "b"),
        "a: 1\n\n\nc: 3\n",
    ),
    Row("blank lines with spaces stay", "a: 1\n  \nb: 2\n", ("set", "b", 3), "a: 1\n  \nb: 3\n"),
    Row(
        "a blank line at the head of a wrapped map stays",
        "a:\n\n  x: 1\nb: 2\n",
        ("wrap", "a", "z"),
        "a:\n  z:\n\n    x: 1\nb: 2\n",
    ),
    Row(
        "a blank line at the head of a wrapped list item stays",
        "a:\n\n  x: 1\nb: 2\n",
        ("wrap", "a", None),
        "a:\n\n  - x: 1\nb: 2\n",
    ),
    Row("CRLF stays", "a: 1\r\nb: 2\r\n", ("set", "a", 3), "a: 3\r\nb: 2\r\n"),
    Row(
        "CRLF is written for new lines",
        "a:\r\n  x: 1\r\nb: 2\r\n",
        ("set", "c", {"d": [1]}),
        "a:\r\n  x: 1\r\nb: 2\r\nc:\r\n  d:\r\n    - 1\r\n",
    ),
    Row(
        "CRLF block scalars move",
        "a: |\r\n  x\r\n  y\r\nb:\r\n  c: 1\r\n",
        ("move", "a", "b.a"),
        "b:\r\n  c: 1\r\n  a: |\r\n    x\r\n    y\r\n",
    ),
    Row(
        "CRLF survives an emptied compact item",
        "a:\r\n  - x: 1\r\nb: 1\r\n",
        ("delete", "a[0].x"),
        "a:\r\n  - {}\r\nb: 1\r\n",
    ),
    Row(
        "CRLF survives the last key of a compact item",
        "a:\r\n  - x: 1\r\n    y: 2\r\nb: 1\r\n",
        ("delete", "a[0].y"),
        "a:\r\n  - x: 1\r\nb: 1\r\n",
    ),
    Row(
        "CRLF survives a replaced block scalar that keeps",
        "a: |+\r\n  x\r\n\r\nb: 1\r\n",
        ("set", "a", "q"),
        "a: q\r\nb: 1\r\n",
    ),
    Row(
        "mixed line ends stay where they were",
        "a: 1\r\nb: 2\nc: 3\n",
        ("set", "b", 4),
        "a: 1\r\nb: 4\nc: 3\n",
    ),
    Row(
        "a lone CR is a line end", "a: 1\rb: 2\r", ("set", "b", 3), Refusal("lone_carriage_return")
    ),
    Row("a BOM stays", "\ufeffa: 1\nb: 2\n", ("set", "b", 3), "\ufeffa: 1\nb: 3\n"),
    Row(
        "a BOM stays before a deleted first key",
        "\ufeffa: 1\nb: 2\n",
        ("delete", "a"),
        "\ufeffb: 2\n",
    ),
    Row("no final newline stays so", "a: 1\nb: 2", ("set", "b", 3), "a: 1\nb: 3"),
    Row(
        "no final newline stays so below a new key",
        "a: 1\nb: 2",
        ("set", "c", [1]),
        "a: 1\nb: 2\nc:\n  - 1",
    ),
    Row("no final newline stays so without the last key", "b: 1\na: 2", ("delete", "a"), "b: 1"),
    Row(
        "no final newline stays so without the last key and its blank line",
        "b: 1\n\na: 2",
        ("delete", "a"),
        "b: 1",
    ),
    Row(
        "no final newline stays so below a block scalar",
        "b: 1\na: |-\n  text",
        ("set", "c", 1),
        "b: 1\na: |-\n  text\nc: 1",
    ),
    Row("an empty file takes a key", "", ("set", "a", 1), "a: 1\n"),
    Row("a file of comments takes a key", "# only\n", ("set", "a", 1), "# only\na: 1\n"),
    Row("an empty document takes a key", "---\n", ("set", "a", 1), "---\na: 1\n"),
    Row("an emptied file is an object", "# h\n\na: 1\n", ("delete", "a"), "# h\n\n{}\n"),
    Row("an emptied list is a list", "- 1\n- 2\n", ("delete", "[*]"), "[]\n"),
    Row("--- stays", "---\na: 1\n", ("set", "b", 2), "---\na: 1\nb: 2\n"),
    Row(
        "... stays behind a new key",
        "a: 1\n# end\n...\n",
        ("set", "b", 2),
        "a: 1\nb: 2\n# end\n...\n",
    ),
    Row("content behind --- is edited", "--- {a: 1}\n", ("set", "b", 2), "--- {a: 1, b: 2}\n"),
    Row("a comment behind --- stays", "--- # c\na: 1\n", ("set", "a", 2), "--- # c\na: 2\n"),
    Row(
        "a %YAML directive stays",
        "%YAML 1.2\n---\na: 1\n",
        ("set", "a", 2),
        "%YAML 1.2\n---\na: 2\n",
    ),
    Row(
        "a %TAG directive stays",
        "%TAG !e! tag:x,2000:\n---\na: !e!t x\nb: 1\n",
        ("set", "b", 2),
        "%TAG !e! tag:x,2000:\n---\na: !e!t x\nb: 2\n",
    ),
    Row(
        "a second document is refused",
        "a: 1\n---\nb: 1\n",
        ("set", "a", 2),
        Refusal("multi_document"),
    ),
    Row(
        "an empty second document is refused",
        "a: 1\n---\n",
        ("set", "a", 2),
        Refusal("multi_document"),
    ),
    Row(
        "a single-quoted key keeps its quotes", "'a b': 1\n", ("rename", "a b", "c d"), "'c d': 1\n"
    ),
    Row("a double-quoted key keeps its quotes", '"a": 1\n', ("rename", "a", "c"), '"c": 1\n'),
    Row("a plain key is quoted if it must", "a: 1\n", ("rename", "a", "on"), "'on': 1\n"),
    Row("a key with a dot", "a.b: 1\nc: 2\n", ("set", "['a.b']", 3), "a.b: 3\nc: 2\n"),
    Row("a number as key", "1: a\n2: b\n", ("set", "2", "c"), "1: a\n2: c\n"),
    Row("a bool as key", "on: 1\nx: 2\n", ("set", "on", 3), "on: 3\nx: 2\n"),
    Row(
        "an escaped key that nobody touches stays",
        '"\\u00e9": 2\nb: 1\n',
        ("set", "b", 3),
        '"\\u00e9": 2\nb: 3\n',
    ),
    Row(
        "an escaped key is renamed", '"\\u00e9": 2\nb: 1\n', ("rename", "é", "x"), '"x": 2\nb: 1\n'
    ),
    Row(
        "a key of several lines that nobody touches stays",
        "? a\n  b\n: 1\nc: 2\n",
        ("set", "c", 3),
        "? a\n  b\n: 1\nc: 3\n",
    ),
    Row(
        "a block scalar key that nobody touches stays",
        "? |\n  a\n: 1\nc: 2\n",
        ("set", "c", 3),
        "? |\n  a\n: 1\nc: 3\n",
    ),
    Row("an explicit key is set", "? a\n: 1\nb: 2\n", ("set", "a", 3), "? a\n: 3\nb: 2\n"),
    Row("an explicit key is renamed", "? a\n: 1\nb: 2\n", ("rename", "a", "c"), "? c\n: 1\nb: 2\n"),
    Row("an explicit key is deleted", "? a\n: 1\nb: 2\n", ("delete", "a"), "b: 2\n"),
    Row(
        "an explicit key moves",
        "b:\n  ? a\n  : 1\nc: 1\n",
        ("move", "b.a", "a"),
        "b: {}\nc: 1\n? a\n: 1\n",
    ),
    Row(
        "a list below an explicit key loses an item",
        "? a\n: - 1\n  - 2\nb: 1\n",
        ("delete", "a[0]"),
        "? a\n: - 2\nb: 1\n",
    ),
    Row(
        "an explicit key without a value is refused",
        "? a\n",
        ("set", "a", 3),
        Refusal("edits_overlap"),
    ),
    Row("a list as key is refused", "? [a]\n: 1\nb: 1\n", ("set", "b", 2), Refusal("complex_key")),
    Row("an alias as key is refused", "a: &b x\n*b : 1\n", ("set", "a", 2), Refusal("complex_key")),
    Row(
        "an anchored key keeps its anchor",
        "&b a: 1\nc: 1\n",
        ("rename", "a", "x"),
        "&b x: 1\nc: 1\n",
    ),
    Row("a duplicate key is refused", "a: 1\na: 2\n", ("set", "a", 2), Refusal("duplicate_key")),
    Row(
        "a deep duplicate key is refused",
        "x:\n  - {a: 1, 'a': 2}\n",
        ("set", "y", 2),
        Refusal("duplicate_key"),
    ),
    Row("a space before the colon stays", "a : 1\nb: 2\n", ("set", "a", 2), "a : 2\nb: 2\n"),
    Row(
        "an anchor stays on an edited container",
        "b: &b\n  x: 1\n",
        ("set", "b.x", 2),
        "b: &b\n  x: 2\n",
    ),
    Row(
        "an entry moves with its anchor",
        "b: &b\n  x: 1\nc:\n  d: 1\n",
        ("move", "b", "c.b"),
        "c:\n  d: 1\n  b: &b\n    x: 1\n",
    ),
    Row("an alias is replaced", "b: &b {x: 1}\na: *b\n", ("set", "a", 3), "b: &b {x: 1}\na: 3\n"),
    Row(
        "an alias is wrapped",
        "b: &b {x: 1}\na: *b\n",
        ("wrap", "a", "k"),
        "b: &b {x: 1}\na:\n  k: *b\n",
    ),
    Row(
        "an edit through an alias is refused",
        "b: &b {x: 1}\na: *b\n",
        ("set", "a.x", 3),
        Refusal("through_alias"),
    ),
    Row(
        "an edit of a shared value is refused",
        "b: &b {x: 1}\na: *b\n",
        ("set", "b.x", 3),
        Refusal("shared_node"),
    ),
    Row(
        "an edit of a shared scalar is refused",
        "b: &b 1\na: *b\n",
        ("set", "b", 3),
        Refusal("shared_node"),
    ),
    Row(
        "an anchor that is still used cannot go",
        "b: &b 1\na: *b\n",
        ("delete", "b"),
        Refusal("alias_undefined"),
    ),
    Row(
        "an anchor cannot move behind its alias",
        "b: &b 1\na: *b\n",
        ("move", "b", "c.b"),
        Refusal("alias_undefined"),
    ),
    Row(
        "a key beside a merge key",
        "b: &b {x: 1}\na:\n  <<: *b\n  y: 1\n",
        ("set", "a.y", 2),
        "b: &b {x: 1}\na:\n  <<: *b\n  y: 2\n",
    ),
    Row(
        "a merge-only key cannot go",
        "b: &b {x: 1}\na:\n  <<: *b\n  y: 1\n",
        ("delete", "a.x"),
        Refusal("merge_only_key"),
    ),
    Row(
        "a merge-only key cannot move",
        "b: &b {x: 1}\na:\n  <<: *b\n  y: 1\n",
        ("move", "a.x", "z"),
        Refusal("merge_only_key"),
    ),
    Row(
        "a key that hides a merged one cannot go: the merged one would show",
        "b: &b {x: 1}\na:\n  <<: *b\n  x: 2\n",
        ("delete", "a.x"),
        Refusal("merge_only_key"),
    ),
    Row(
        "an alias in a flow list stays",
        "a: &x 1\nb: [*x , 2]\n",
        ("append", "b", 1),
        "a: &x 1\nb: [*x , 2, 1]\n",
    ),
    Row("an undefined alias is refused", "a: *x\n", ("set", "a", 1), Refusal("alias_undefined")),
    Row(
        "a recursive alias is refused", "a: &x [*x]\n", ("set", "b", 1), Refusal("alias_recursive")
    ),
    Row(
        "a tag stays on its value",
        "a: !secret x\nb: 1\n",
        ("rename", "a", "c"),
        "c: !secret x\nb: 1\n",
    ),
    Row("a tagged scalar is wrapped", "a: !secret x\n", ("wrap", "a", "b"), "a:\n  b: !secret x\n"),
    Row("a tagged map is edited", "a: !x\n  y: 1\n", ("set", "a.y", 2), "a: !x\n  y: 2\n"),
    Row(
        "a tagged block map takes its tag along",
        "a: !x\n  y: 1\n",
        ("wrap", "a", "b"),
        "a:\n  b: !x\n    y: 1\n",
    ),
    Row("!!binary stays", "a: !!binary aGk=\nb: 1\n", ("set", "b", 2), "a: !!binary aGk=\nb: 2\n"),
    Row(
        "a literal stays one",
        "a: |\n  text\n  more\nb: 1\n",
        ("set", "a", "x\ny\n"),
        "a: |\n  x\n  y\nb: 1\n",
    ),
    Row(
        "a literal and its blank lines stay",
        "a: |\n  text\n\n  more\n\nb: 1\n",
        ("set", "b", 2),
        "a: |\n  text\n\n  more\n\nb: 2\n",
    ),
    Row(
        "a folded scalar stays",
        "a: >-\n  x\n  y\nb: 1\n",
        ("set", "b", 2),
        "a: >-\n  x\n  y\nb: 2\n",
    ),
    Row(
        "a keeping literal stays before a new key",
        "b: 1\na: |+\n  text\n\n\n",
        ("set", "c", 1),
        "b: 1\na: |+\n  text\n\n\nc: 1\n",
    ),
    Row(
        "a keeping literal moves with its blank lines",
        "a: |+\n  x\n\n\nb: 1\nc:\n  d: 1\n",
        ("move", "a", "c.a"),
        "b: 1\nc:\n  d: 1\n  a: |+\n    x\n\n\n",
    ),
    Row(
        "a keeping literal is deleted with its blank lines",
        "a: |+\n  x\n\n\nb: 1\n",
        ("delete", "a"),
        "b: 1\n",
    ),
    Row(
        "an indentation indicator moves",
        "a: |2\n    x\n  y\nb:\n    c: 1\n",
        ("move", "a", "b.a"),
        "b:\n    c: 1\n    a: |2\n        x\n      y\n",
    ),
    Row(
        "a literal with a # in it",
        "a: |\n  # no comment\n  x # neither\nb: 1\n",
        ("delete", "a"),
        "b: 1\n",
    ),
    Row(
        "a literal with a # in it moves left",
        "b:\n    c: 1\n    d: |\n     # x\n    e: 2\n",
        ("move", "b.d", "d"),
        "b:\n    c: 1\n    e: 2\nd: |\n # x\n",
    ),
    Row(
        "a literal that starts with a blank line moves",
        "a: |\n\n  x\nb:\n    c: 1\n",
        ("move", "a", "b.a"),
        "b:\n    c: 1\n    a: |\n\n      x\n",
    ),
    Row(
        "a literal in a list is wrapped",
        "l:\n- |+\n  x\n\n",
        ("wrap", "l[0]", None),
        "l:\n- - |+\n    x\n\n",
    ),
    Row(
        "a plain scalar of several lines is replaced",
        "a: x\n  y\nb: 2\n",
        ("set", "a", 2),
        "a: 2\nb: 2\n",
    ),
    Row(
        "a quoted scalar of several lines moves",
        "a: 'x\n  y'\nb: 2\n",
        ("move", "a", "c.d.e"),
        "b: 2\nc:\n  d:\n    e: 'x\n      y'\n",
    ),
    Row(
        "an escaped line break moves",
        'a: "x\\\n  y"\nb:\n    c: 1\n',
        ("move", "a", "b.a"),
        'b:\n    c: 1\n    a: "x\\\n      y"\n',
    ),
    Row(
        "a value on the line below its key", "a:\n  b\nc: 1\n", ("set", "a", "q"), "a:\n  q\nc: 1\n"
    ),
    Row("a flow map gets a key", "a: {x: 1}\n", ("set", "a.z", 2), "a: {x: 1, z: 2}\n"),
    Row(
        "a flow map with spaces gets a key",
        "a: { x: 1 }\n",
        ("set", "a.z", 2),
        "a: { x: 1, z: 2 }\n",
    ),
    Row("a flow map loses its first key", "a: {x: 1, z: 2}\n", ("delete", "a.x"), "a: {z: 2}\n"),
    Row("a flow map loses its last key", "a: {x: 1, z: 2}\n", ("delete", "a.z"), "a: {x: 1}\n"),
    Row("a flow map loses its only key", "a: {x: 1}\n", ("delete", "a.x"), "a: {}\n"),
    Row(
        "a flow map's key is renamed",
        "a: {x: 1, z: 2}\n",
        ("rename", "a.x", "k"),
        "a: {k: 1, z: 2}\n",
    ),
    Row(
        "a flow list of several lines gets an item",
        "a: [\n  1,\n  2\n]\n",
        ("append", "a", 3),
        "a: [\n  1,\n  2,\n  3\n]\n",
    ),
    Row(
        "a flow list with a trailing comma gets an item",
        "a: [\n  1,\n  2,\n]\n",
        ("append", "a", 3),
        "a: [\n  1,\n  2,\n  3,\n]\n",
    ),
    Row(
        "a flow list loses an item of its own line",
        "a: [\n  1,\n  2,\n]\n",
        ("delete", "a[1]"),
        "a: [\n  1,\n]\n",
    ),
    Row(
        "a flow list with comments gets an item behind the last",
        "a: [ # c\n  1]\n",
        ("append", "a", 2),
        "a: [ # c\n  1, 2]\n",
    ),
    Row(
        "a comment of a flow item stays on its line",
        "a: [\n  1, # one\n  2 # two\n  ]\n",
        ("append", "a", 3),
        "a: [\n  1, # one\n  2, # two\n  3\n  ]\n",
    ),
    Row(
        "the comment behind a flow item goes with it",
        "a: [1, # c\n  2]\n",
        ("delete", "a[0]"),
        "a: [2]\n",
    ),
    Row(
        "a comment in a flow list is not lost",
        "a: [1,\n  # c\n  2,\n  3]\n",
        ("delete", "a[0]"),
        "a: [\n  # c\n  2,\n  3]\n",
    ),
    Row(
        "a flow value quotes what flow needs",
        "a: [1]\n",
        ("append", "a", {"x": "b, c"}),
        "a: [1, {x: 'b, c'}]\n",
    ),
    Row("a bare key in a flow map stays", "a: {x, z: 1}\n", ("set", "a.z", 2), "a: {x, z: 2}\n"),
    Row(
        "a pair in a flow list is edited", "a: [x: 1, z]\n", ("set", "a[0].x", 2), "a: [x: 2, z]\n"
    ),
    Row(
        "JSON is edited as JSON's style wants",
        '{"a": 1, "b": [1, 2]}\n',
        ("set", "b", True),
        '{"a": 1, "b": true}\n',
    ),
    Row(
        "an emptied flow list of several lines",
        "a: [\n  1,\n  2\n  ]\n",
        ("delete", "a[*]"),
        "a: []\n",
    ),
    Row("an empty flow map opens", "a: {}\nb: 1\n", ("set", "a.x", 1), "a:\n  x: 1\nb: 1\n"),
    Row(
        "an empty flow list opens",
        "x:\n  a: []\n",
        ("append", "x.a", {"k": 1}),
        "x:\n  a:\n    - k: 1\n",
    ),
    Row(
        "an unindented list gets an item",
        "a:\n- 1\n# b's\nb: 1\n",
        ("append", "a", 3),
        "a:\n- 1\n- 3\n# b's\nb: 1\n",
    ),
    Row(
        "an indented list gets an item",
        "a:\n  - 1\nb: 1\n",
        ("append", "a", 3),
        "a:\n  - 1\n  - 3\nb: 1\n",
    ),
    Row(
        "a compact item loses its first key",
        "- a: 1\n  b: 2\n- c: 3\n",
        ("delete", "[0].a"),
        "- b: 2\n- c: 3\n",
    ),
    Row(
        "a compact item loses its last key",
        "- a: 1\n  b: 2\n- c: 3\n",
        ("delete", "[0].b"),
        "- a: 1\n- c: 3\n",
    ),
    Row(
        "a compact item loses its only key",
        "- a: 1\n- c: 3\n",
        ("delete", "[0].a"),
        "- {}\n- c: 3\n",
    ),
    Row(
        "a compact item far from its dash loses its first key",
        "-   a: 1\n    b: 2\n",
        ("delete", "[0].a"),
        "-   b: 2\n",
    ),
    Row(
        "a compact item's first key is renamed",
        "- a: 1\n  b: 2\n",
        ("rename", "[0].a", "c"),
        "- c: 1\n  b: 2\n",
    ),
    Row(
        "a compact item gets a key",
        "-   a: 1\n    b: 2\n",
        ("set", "[0].c", {"x": 1}),
        "-   a: 1\n    b: 2\n    c:\n      x: 1\n",
    ),
    Row(
        "a comment of the second key stays when the first goes",
        "- a: 1 # t\n  # b's\n  b: 2\n",
        ("delete", "[0].a"),
        "- # b's\n  b: 2\n",
    ),
    Row(
        "a nested list loses its first item",
        "- - a\n  - b\n- c\n",
        ("delete", "[0][0]"),
        "- - b\n- c\n",
    ),
    Row(
        "a nested list gets an item",
        "- - a\n  - b\n- c\n",
        ("append", "[0]", "x"),
        "- - a\n  - b\n  - x\n- c\n",
    ),
    Row(
        "a nested list gets a first item",
        "- - a\n  - b\n- c\n",
        ("insert", "[0]", 0, "x"),
        "- - x\n  - a\n  - b\n- c\n",
    ),
    Row("a list of a list of a list is emptied", "- - - a\n", ("delete", "[0][0][0]"), "- - []\n"),
    Row(
        "an item is wrapped",
        "a:\n  - d: 3\n    e: 1\n",
        ("wrap", "a[0]", "m"),
        "a:\n  - m:\n      d: 3\n      e: 1\n",
    ),
    Row("an empty item is set", "- 1\n-\n- 3\n", ("set", "[1]", 2), "- 1\n- 2\n- 3\n"),
    Row(
        "an item becomes an object",
        "- 1\n- 2\n",
        ("set", "[1]", {"a": 1, "b": 2}),
        "- 1\n- a: 1\n  b: 2\n",
    ),
    Row("a list becomes a scalar", "a:\n  - 1\n  - 2\nb: 1\n", ("set", "a", 5), "a: 5\nb: 1\n"),
    Row("an absent value is set", "a:\nb: 2\n", ("set", "a", 1), "a: 1\nb: 2\n"),
    Row(
        "an absent value with a comment is set",
        "a: # c\nb: 2\n",
        ("set", "a", 1),
        "a: 1 # c\nb: 2\n",
    ),
    Row("~ is set", "a: ~ # c\nb: 2\n", ("set", "a.x", 1), "a: # c\n  x: 1\nb: 2\n"),
    Row(
        "an absent value at the end without newline is set",
        "x: 1\na:",
        ("set", "a", 1),
        "x: 1\na: 1",
    ),
    Row("trailing spaces stay", "a: 1  \nb: 2   \n", ("set", "a", 3), "a: 3  \nb: 2   \n"),
    Row("yes stays as it is written", "a: yes\nb: 1\n", ("set", "b", 2), "a: yes\nb: 2\n"),
    Row("no stays as it is written", "a: no\nb: 1\n", ("set", "b", 2), "a: no\nb: 2\n"),
    Row("on stays as it is written", "a: on\nb: 1\n", ("set", "b", 2), "a: on\nb: 2\n"),
    Row("1:30 stays as it is written", "a: 1:30\nb: 1\n", ("set", "b", 2), "a: 1:30\nb: 2\n"),
    Row("0o17 stays as it is written", "a: 0o17\nb: 1\n", ("set", "b", 2), "a: 0o17\nb: 2\n"),
    Row("017 stays as it is written", "a: 017\nb: 1\n", ("set", "b", 2), "a: 017\nb: 2\n"),
    Row("1_000 stays as it is written", "a: 1_000\nb: 1\n", ("set", "b", 2), "a: 1_000\nb: 2\n"),
    Row(
        "2001-12-14 stays as it is written",
        "a: 2001-12-14\nb: 1\n",
        ("set", "b", 2),
        "a: 2001-12-14\nb: 2\n",
    ),
    Row(
        "2001-12-14 21:59:43 stays as it is written",
        "a: 2001-12-14 21:59:43\nb: 1\n",
        ("set", "b", 2),
        "a: 2001-12-14 21:59:43\nb: 2\n",
    ),
    Row("1.0 stays as it is written", "a: 1.0\nb: 1\n", ("set", "b", 2), "a: 1.0\nb: 2\n"),
    Row("1.10 stays as it is written", "a: 1.10\nb: 1\n", ("set", "b", 2), "a: 1.10\nb: 2\n"),
    Row(".inf stays as it is written", "a: .inf\nb: 1\n", ("set", "b", 2), "a: .inf\nb: 2\n"),
    Row("~ stays as it is written", "a: ~\nb: 1\n", ("set", "b", 2), "a: ~\nb: 2\n"),
    Row("= stays as it is written", "a: =\nb: 1\n", ("set", "b", 2), "a: =\nb: 2\n"),
    Row("<< stays as it is written", "a: <<\nb: 1\n", ("set", "b", 2), "a: <<\nb: 2\n"),
    Row("0x1F stays as it is written", "a: 0x1F\nb: 1\n", ("set", "b", 2), "a: 0x1F\nb: 2\n"),
    Row("1e3 stays as it is written", "a: 1e3\nb: 1\n", ("set", "b", 2), "a: 1e3\nb: 2\n"),
    Row("+12 stays as it is written", "a: +12\nb: 1\n", ("set", "b", 2), "a: +12\nb: 2\n"),
    Row("0b1 stays as it is written", "a: 0b1\nb: 1\n", ("set", "b", 2), "a: 0b1\nb: 2\n"),
    Row("null stays as it is written", "a: null\nb: 1\n", ("set", "b", 2), "a: null\nb: 2\n"),
    Row("Off stays as it is written", "a: Off\nb: 1\n", ("set", "b", 2), "a: Off\nb: 2\n"),
    Row("n stays as it is written", "a: n\nb: 1\n", ("set", "b", 2), "a: n\nb: 2\n"),
    Row(
        "the text 'yes' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "yes"),
        "a: 1\nb: 'yes'\n",
    ),
    Row(
        "the text 'n' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "n"),
        "a: 1\nb: 'n'\n",
    ),
    Row(
        "the text 'on' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "on"),
        "a: 1\nb: 'on'\n",
    ),
    Row(
        "the text '1:30' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "1:30"),
        "a: 1\nb: '1:30'\n",
    ),
    Row(
        "the text '0o17' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "0o17"),
        "a: 1\nb: '0o17'\n",
    ),
    Row(
        "the text '017' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "017"),
        "a: 1\nb: '017'\n",
    ),
    Row(
        "the text '1_000' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "1_000"),
        "a: 1\nb: '1_000'\n",
    ),
    Row(
        "the text '2001-12-14' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "2001-12-14"),
        "a: 1\nb: '2001-12-14'\n",
    ),
    Row(
        "the text '2001-12-14t21:59:43.10-05:00' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "2001-12-14t21:59:43.10-05:00"),
        "a: 1\nb: '2001-12-14t21:59:43.10-05:00'\n",
    ),
    Row(
        "the text '1.0' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "1.0"),
        "a: 1\nb: '1.0'\n",
    ),
    Row(
        "the text '.inf' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", ".inf"),
        "a: 1\nb: '.inf'\n",
    ),
    Row(
        "the text '~' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "~"),
        "a: 1\nb: '~'\n",
    ),
    Row(
        "the text '=' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "="),
        "a: 1\nb: '='\n",
    ),
    Row(
        "the text '<<' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "<<"),
        "a: 1\nb: '<<'\n",
    ),
    Row(
        "the text '' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", ""),
        "a: 1\nb: ''\n",
    ),
    Row(
        "the text '-' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "-"),
        "a: 1\nb: '-'\n",
    ),
    Row(
        "the text 'null' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "null"),
        "a: 1\nb: 'null'\n",
    ),
    Row(
        "the text '0b1' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "0b1"),
        "a: 1\nb: '0b1'\n",
    ),
    Row(
        "the text '1e3' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "1e3"),
        "a: 1\nb: '1e3'\n",
    ),
    Row(
        "the text ': x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", ": x"),
        "a: 1\nb: ': x'\n",
    ),
    Row(
        "the text 'a: b' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "a: b"),
        "a: 1\nb: 'a: b'\n",
    ),
    Row(
        "the text 'x #y' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "x #y"),
        "a: 1\nb: 'x #y'\n",
    ),
    Row(
        "the text '#x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "#x"),
        "a: 1\nb: '#x'\n",
    ),
    Row(
        "the text '@x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "@x"),
        "a: 1\nb: '@x'\n",
    ),
    Row(
        "the text '%x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "%x"),
        "a: 1\nb: '%x'\n",
    ),
    Row(
        "the text '`x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "`x"),
        "a: 1\nb: '`x'\n",
    ),
    Row(
        "the text '&x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "&x"),
        "a: 1\nb: '&x'\n",
    ),
    Row(
        "the text '*x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "*x"),
        "a: 1\nb: '*x'\n",
    ),
    Row(
        "the text '!x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "!x"),
        "a: 1\nb: '!x'\n",
    ),
    Row(
        "the text '|' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "|"),
        "a: 1\nb: '|'\n",
    ),
    Row(
        "the text '> x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "> x"),
        "a: 1\nb: '> x'\n",
    ),
    Row(
        "the text '[x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "[x"),
        "a: 1\nb: '[x'\n",
    ),
    Row(
        "the text '{x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "{x"),
        "a: 1\nb: '{x'\n",
    ),
    Row(
        'the text "\'x" is written so that all read it as text',
        "a: 1\n",
        ("set", "b", "'x"),
        "a: 1\nb: '''x'\n",
    ),
    Row(
        "the text '\"x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", '"x'),
        "a: 1\nb: '\"x'\n",
    ),
    Row(
        "the text '? x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "? x"),
        "a: 1\nb: '? x'\n",
    ),
    Row(
        "the text '- x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "- x"),
        "a: 1\nb: '- x'\n",
    ),
    Row(
        "the text '---' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "---"),
        "a: 1\nb: '---'\n",
    ),
    Row(
        "the text 'x\\ny' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "x\ny"),
        'a: 1\nb: "x\\ny"\n',
    ),
    Row(
        "the text 'x\\ty' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "x\ty"),
        'a: 1\nb: "x\\ty"\n',
    ),
    Row(
        "the text 'é\\xa0x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "é\xa0x"),
        'a: 1\nb: "é\\u00a0x"\n',
    ),
    Row(
        "the text '😀' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "😀"),
        "a: 1\nb: '😀'\n",
    ),
    Row(
        "the text '\\x85' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "\x85"),
        'a: 1\nb: "\\u0085"\n',
    ),
    Row(
        "the text '\\u2028' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "\u2028"),
        'a: 1\nb: "\\u2028"\n',
    ),
    Row(
        "the text '\\ufeffx' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "\ufeffx"),
        'a: 1\nb: "\\ufeffx"\n',
    ),
    Row(
        "the text ' x' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", " x"),
        "a: 1\nb: ' x'\n",
    ),
    Row(
        "the text 'x ' is written so that all read it as text",
        "a: 1\n",
        ("set", "b", "x "),
        "a: 1\nb: 'x '\n",
    ),
    Row(
        "a new key in JSON is quoted as its neighbours are",
        '{"a": 1}\n',
        ("set", "c", "x"),
        '{"a": 1, "c": "x"}\n',
    ),
    Row("a tab in a value stays", "a: 'x\ty'\nb: 1\n", ("set", "b", 2), "a: 'x\ty'\nb: 2\n"),
    Row(
        "a # inside scalars is none",
        "a: x#y\nb: 'a # b'\nc: \"d # e\"\nd: 1\n",
        ("delete", "c"),
        "a: x#y\nb: 'a # b'\nd: 1\n",
    ),
    Row(
        "unicode stays",
        "käse: größe # ü\nb: '日本'\n",
        ("set", "b", "ñ"),
        "käse: größe # ü\nb: 'ñ'\n",
    ),
    Row(
        "emoji before an edit do not shift it",
        "a: '😀😀' # 🎉\nb: 1 # c\n",
        ("set", "b", 2),
        "a: '😀😀' # 🎉\nb: 2 # c\n",
    ),
    Row(
        "a very long line stays",
        f"a: {LONG}\nb: 1\n",
        ("set", "b", 2),
        f"a: {LONG}\nb: 2\n",
    ),
    Row(
        "indentation of 3 is kept",
        "a:\n   b:\n      c: 1\n",
        ("set", "d.e", 1),
        "a:\n   b:\n      c: 1\nd:\n   e: 1\n",
    ),
    Row(
        "indentation of 4 is kept",
        "a:\n    b:\n        - c\n",
        ("set", "a.d", {"e": [1]}),
        "a:\n    b:\n        - c\n    d:\n        e:\n            - 1\n",
    ),
    Row(
        "indentation of 8 is kept",
        "a:\n        b: 1\n",
        ("set", "c", {"d": {"e": 1}}),
        "a:\n        b: 1\nc:\n        d:\n                e: 1\n",
    ),
    Row(
        "a map moves to less indentation",
        "a:\n    b:\n        c: 1\n        d:\n        - 1\n",
        ("move", "a.b", "b"),
        "a: {}\nb:\n    c: 1\n    d:\n    - 1\n",
    ),
    Row("a tab as indentation is refused", "a:\n\tb: 1\n", ("set", "c", 2), Refusal("not_yaml")),
    Row(
        "a tab before a comment at line start stays",
        "a: 1\n\t# c\nb: 1\n",
        ("set", "b", 2),
        Refusal("not_yaml"),
    ),
    Row(
        "a tab between colon and value is refused", "a:\tx\n", ("set", "a", 2), Refusal("not_yaml")
    ),
    Row(
        "templates stay",
        "a: '{{ x }}'\nb: ${VAR}\nc: 1\n",
        ("set", "c", 2),
        "a: '{{ x }}'\nb: ${VAR}\nc: 2\n",
    ),
    Row(
        "the document becomes a value",
        "# h\na: 1\nc: 1\n# f\n",
        ("wrap", "", "m"),
        "m:\n  # h\n  a: 1\n  c: 1\n# f\n",
    ),
    Row(
        "a flow list put into a list has its closing bracket deeper than the dash",
        "a: [\n  1,\n ]\nb: 2\n",
        ("wrap", "a", None),
        "a:\n  - [\n    1,\n   ]\nb: 2\n",
    ),
    Row(
        "the comment of a block text's header stays on its line when a list comes",
        "a: |  # why\n  text\nb: 2\n",
        ("set", "a", [1]),
        "a:  # why\n  - 1\nb: 2\n",
    ),
    Row(
        "a block text at an end without newline keeps its header while it is the end",
        "a: |\n  x\n  y",
        ("wrap", "a", None),
        "a:\n  - |\n    x\n    y",
    ),
    Row("an equal value is no change", "a:   '1'  # c\n", ("set", "a", "1"), "a:   '1'  # c\n"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_edit_changes_what_it_must_and_no_other_byte(row: Row) -> None:
    if isinstance(row.want, Refusal):
        with pytest.raises(Refused) as caught:
            _result(row)
        assert caught.value.code == row.want.code
        return
    result = _result(row)
    assert result.decode() == row.want
    _means(row, result)


def _result(row: Row) -> bytes:
    document = parse(row.source)
    _edit(document, row.op)
    return render(document).data


def _means(row: Row, result: bytes) -> None:
    source = row.source.encode()
    names = read11(source)
    after = _ordered(_same_edit(_plainly(names), row.op))
    assert alike(read11(result), after), "YAML 1.1 reads another value"
    after = _ordered(_same_edit(_plainly(read12(source), names), row.op))
    assert alike(read12(result), after, keys=False), "YAML 1.2 reads another value"


_TOUCHES_MORE = {
    # rows whose edit needs more than the one line of its key: (lines of the source that go)
    row.name
    for row in ROWS
    if row.op[0] in ("delete", "move", "wrap") or "\n  " in row.source or "\r" in row.source
}


@pytest.mark.parametrize(
    "row",
    [r for r in ROWS if isinstance(r.want, str) and r.name not in _TOUCHES_MORE],
    ids=lambda row: row.name,
)
def test_an_edit_of_one_line_leaves_all_other_lines(row: Row) -> None:
    document = parse(row.source)
    _edit(document, row.op)
    before = row.source.splitlines(keepends=True)
    after = render(document).data.decode().splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    gone = sum(i2 - i1 for tag, i1, i2, _, _ in matcher.get_opcodes() if tag != "equal")
    assert gone <= 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_unchanged_document_is_its_source_to_the_byte(row: Row) -> None:
    try:
        document = parse(row.source)
    except Refused:
        return
    rendered = render(document)
    assert rendered.data == row.source.encode()
    assert rendered.lost_comments == ()


def test_the_table_is_large_enough() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 60


def test_an_alias_never_comes_to_mean_another_anchor_of_that_name() -> None:
    """Anchors of one name are legal; an alias means the last one before it."""
    source = b"a: &x 1\nb: *x\nc: &x 2\nd: *x\nz: 1\n"
    document = formats.parse(source, format="yaml")
    assert document.get("b") == 1
    assert document.get("d") == 2
    document.set("z", 2)
    assert formats.render(document).data == source.replace(b"z: 1", b"z: 2")
    for operation in ("move", "delete"):
        document = formats.parse(source, format="yaml")
        if operation == "move":
            document.move("b", "e.b")  # behind the second anchor
        else:
            document.allow_shared = True
            document.delete("c")
        with pytest.raises(Refused) as caught:
            formats.render(document)
        assert caught.value.code == "verify_failed"


def test_an_anchor_inside_an_anchored_value_of_its_name_is_the_later_one() -> None:
    document = formats.parse(b"a: &x\n  b: &x 1\nc: *x\n", format="yaml")
    assert document.get("c") == 1
