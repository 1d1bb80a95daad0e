"""Files of several YAML documents: the tree is the list of them, each is edited where it stands."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from confmig.documents import formats
from confmig.documents.model.document import Document
from confmig.documents.model.journal import Change
from confmig.documents.model.replay import replay
from confmig.documents.model.values import plain
from confmig.documents.operations import Context, load
from confmig.errors import Refused
from confmig.worker import regex

CONTEXT = Context(
    custom=lambda name, document, item: document.set("[0].handled", name),
    substitute=regex.substitute,
    search=regex.search,
    groups=regex.groups,
)


def parse(source: str | bytes, *, multi: bool = True) -> Document:
    data = source.encode() if isinstance(source, str) else source
    return formats.parse(data, format="yaml", dialect="go-yaml", multi=multi)


def run(source: str, operations: str) -> tuple[Document, str]:
    """The document and its text after some operations, written as YAML."""
    data = yaml.safe_load(operations)
    loaded, problems = load(data if isinstance(data, list) else [data], "m")
    assert not problems, problems
    document = parse(source)
    for operation in loaded:
        operation.run(document, CONTEXT)
    return document, formats.render(document).data.decode()


X = """\
# head
---
# c1
a: 1 # t
l:
- x
--- # second
# c2
a: 2
...
# between
---
b: 3
"""
KUBE = """\
apiVersion: v1
kind: ConfigMap # the first
metadata: {name: a}
data:
  # verbose
  level: "3"
---

apiVersion: apps/v1
kind: Deployment
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: app
        image: app:1.0 # pinned
---
# the last
apiVersion: v1
kind: ConfigMap
data: {level: '4'}
"""
EVERY = "for_each: {path: '[*]', other_types: error}"
MAPS = "for_each: {path: '[*]', other_types: skip}"
TABLE: dict[str, tuple[str, str, str]] = {
    "set in the first": (X, "set: {path: '[0].a', value: 9}", X.replace("a: 1 #", "a: 9 #")),
    "set in the second": (X, "set: {path: '[1].a', value: 9}", X.replace("a: 2", "a: 9")),
    "set in the last": (X, "set: {path: '[2].b', value: 9}", X.replace("b: 3", "b: 9")),
    "new in the first": (X, "set: {path: '[0].z', value: 9}", X.replace("- x\n", "- x\nz: 9\n")),
    "new before the end marker": (
        X,
        "set: {path: '[1].z', value: 9}",
        X.replace("a: 2\n", "a: 2\nz: 9\n"),
    ),
    "new in the last": (X, "set: {path: '[2].z', value: 9}", X + "z: 9\n"),
    "delete in the first": (X, "delete: '[0].a'", X.replace("# c1\na: 1 # t\n", "")),
    "delete all of one": (X, "delete: '[1].a'", X.replace("# c2\na: 2\n", "{}\n")),
    "delete in each": (
        X,
        "delete: '[*].a'",
        X.replace("# c1\na: 1 # t\n", "").replace("# c2\na: 2\n", "{}\n"),
    ),
    "rename in one": (X, "move: {from: '[1].a', to: '[1].q'}", X.replace("a: 2", "q: 2")),
    "move between documents": (
        X,
        "move: {from: '[0].a', to: '[2].a'}",
        X.replace("# c1\na: 1 # t\n", "") + "# c1\na: 1 # t\n",
    ),
    "move back between documents": (
        X,
        "move: {from: '[1].a', to: '[0].q'}",
        X.replace("# c2\na: 2\n", "{}\n").replace("- x\n", "- x\n# c2\nq: 2\n"),
    ),
    "move with a comment between documents": (
        "a: 1\n# above\nb: # t\n  c: 1 # c\n---\nd:\n    e: 1\n",
        "move: {from: '[0].b', to: '[1].d.b'}",
        "a: 1\n---\nd:\n    e: 1\n    # above\n    b: # t\n      c: 1 # c\n",
    ),
    "move onto a key of another document": (
        "a: 1\nz: 1\n---\na: 2\n",
        "move: {from: '[0].a', to: '[1].a', on_conflict: overwrite}",
        "z: 1\n---\na: 1\n",
    ),
    "move append between documents": (
        "a: [1]\nz: 1\n---\na: [2]\n",
        "move: {from: '[0].a', to: '[1].a', on_conflict: append}",
        "z: 1\n---\na: [2, 1]\n",
    ),
    "add_item in one": (X, "add_item: {path: '[0].l', value: w}", X.replace("- x\n", "- x\n- w\n")),
    "add_item in a document that is a list": (
        "- 1\n--- # t\n- 2 # two\n",
        "add_item: {path: '[1]', value: 3}",
        "- 1\n--- # t\n- 2 # two\n- 3\n",
    ),
    "remove_items in a document that is a list": (
        "- 1\n---\n- 1\n- 2\n",
        "remove_items: {path: '[*]', values: [1]}",
        "[]\n---\n- 2\n",
    ),
    "nest a document": (
        X,
        "nest: {path: '[0]', under: k}",
        X.replace("# c1\na: 1 # t\nl:\n- x\n", "k:\n  # c1\n  a: 1 # t\n  l:\n  - x\n"),
    ),
    "hoist in a document": (
        X.replace("a: 2", "k:\n  a: 2"),
        "hoist: {path: '[1]', key: k}",
        X,
    ),
    "wrap_list of a document": (
        X,
        "wrap_list: '[1]'",
        X.replace("# c2\na: 2", "- # c2\n  a: 2"),
    ),
    "unwrap_list of a document": (
        "- a: 1 # t\n  b: 2\n---\nc: 1\n",
        "unwrap_list: '[0]'",
        "a: 1 # t\nb: 2\n---\nc: 1\n",
    ),
    "list_to_map of a document": (
        "- name: a\n  x: 1 # x\n---\nc: 1\n",
        "list_to_map: {path: '[0]', key: name}",
        "a:\n  x: 1 # x\n---\nc: 1\n",
    ),
    "for_each": (
        X,
        f"{{default: {{path: z, value: 1}}, {EVERY}}}",
        X.replace("- x\n", "- x\nz: 1\n").replace("a: 2\n", "a: 2\nz: 1\n") + "z: 1\n",
    ),
    "for_each when": (
        KUBE,
        "{move: {from: data.level, to: data.verbosity}, "
        f"when: {{equals: {{path: kind, value: ConfigMap}}}}, {EVERY}}}",
        KUBE.replace("level:", "verbosity:"),
    ),
    "for_each deep": (
        KUBE,
        "{replace: {path: 'spec.template.spec.containers[*].image', regex: ':1.0', with: ':2.0'}, "
        f"{EVERY}}}",
        KUBE.replace("app:1.0 #", "app:2.0 #"),
    ),
    "for_each item of a list in each": (
        KUBE,
        "{set: {path: tty, value: false}, "
        "for_each: {path: '[*].spec.template.spec.containers[*]', other_types: error}}",
        KUBE.replace("# pinned\n", "# pinned\n        tty: false\n"),
    ),
    "for_each recursive": (
        "a: {a: {}}\n---\na: {}\n",
        "{set: {path: z, value: 1}, for_each: {path: '[*].a', other_types: error}}",
        "a: {a: {}, z: 1}\n---\na:\n  z: 1\n",
    ),
    "absent in all": (X, "delete: '[*].gone.gone'", X),
    "absent document": (X, "delete: '[7].a'", X),
    # --- empty documents
    "empty in the middle": (
        "a: 1\n---\n---\nb: 2\n",
        "set: {path: '[2].b', value: 3}",
        "a: 1\n---\n---\nb: 3\n",
    ),
    "fill an empty one": (
        "a: 1\n---\n---\nb: 2\n",
        "set: {path: '[1].x', value: 1}",
        "a: 1\n---\nx: 1\n---\nb: 2\n",
    ),
    "fill an empty one with a comment": (
        "a: 1\n---\n# only\n---\nb: 2\n",
        "set: {path: '[1].x', value: 1}",
        "a: 1\n---\n# only\nx: 1\n---\nb: 2\n",
    ),
    "fill the last empty one": (
        "a: 1\n---\n",
        "set: {path: '[1].x', value: 1}",
        "a: 1\n---\nx: 1\n",
    ),
    "fill the last empty one without a final newline": (
        "a: 1\n---",
        "set: {path: '[1].x', value: 1}",
        "a: 1\n---\nx: 1",
    ),
    "fill the first empty one": (
        "---\n---\nb: 1\n",
        "set: {path: '[0].x', value: 1}",
        "---\nx: 1\n---\nb: 1\n",
    ),
    "for_each skips empty ones": (
        "a: 1\n---\n---\nb: 2\n",
        f"{{set: {{path: x, value: 1}}, {MAPS}}}",
        "a: 1\nx: 1\n---\n---\nb: 2\nx: 1\n",
    ),
    # --- one and none
    "one document": ("a: 1 # t\n", "set: {path: '[0].a', value: 2}", "a: 2 # t\n"),
    "one document without a final newline": (
        "a: 1",
        "set: {path: '[0].b', value: 2}",
        "a: 1\nb: 2",
    ),
    "one document with markers": (
        "---\na: 1\n...\n",
        "set: {path: '[0].b', value: 2}",
        "---\na: 1\nb: 2\n...\n",
    ),
    "no document": ("# c\n", "delete: '[*].a'", "# c\n"),
    "no byte": ("", f"{{delete: a, {EVERY}}}", ""),
    # --- markers, directives, line endings
    "values behind the marker": (
        "a: 1\n--- {b: 2} # f\n--- x # s\n",
        "[set: {path: '[1].c', value: 3}, replace: {path: '[2]', regex: x, with: w}]",
        "a: 1\n--- {b: 2, c: 3} # f\n--- w # s\n",
    ),
    "directives": (
        "%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n%TAG !e! tag:e,2000:\n---\nb: !e!x 2\nc: 1\n",
        "[set: {path: '[0].a', value: 2}, set: {path: '[1].c', value: 2}]",
        "%YAML 1.2\n---\na: 2\n...\n%YAML 1.2\n%TAG !e! tag:e,2000:\n---\nb: !e!x 2\nc: 2\n",
    ),
    "a tag that moves within its document": (
        "%TAG !e! tag:e,2000:\n---\na: !e!x 1\n---\nb: 1\n",
        "move: {from: '[0].a', to: '[0].k.a'}",
        "%TAG !e! tag:e,2000:\n---\nk:\n  a: !e!x 1\n---\nb: 1\n",
    ),
    "CRLF": (
        "a: 1\r\n---\r\nb: 2\r\n...\r\n---\r\nc: 3\r\n",
        f"{{set: {{path: z, value: 1}}, {EVERY}}}",
        "a: 1\r\nz: 1\r\n---\r\nb: 2\r\nz: 1\r\n...\r\n---\r\nc: 3\r\nz: 1\r\n",
    ),
    "BOM and no final newline": (
        "\ufeffa: 1\n---\nb: 2",
        f"{{set: {{path: z, value: 1}}, {EVERY}}}",
        "\ufeffa: 1\nz: 1\n---\nb: 2\nz: 1",
    ),
    "blank lines and comments at the ends": (
        "a: 1\n  # deep\n\n---\n\nb: 1\n# end\n",
        f"{{set: {{path: z, value: 1}}, {EVERY}}}",
        "a: 1\n  # deep\nz: 1\n\n---\n\nb: 1\nz: 1\n# end\n",
    ),
    "block scalars at the ends": (
        "a: |\n  t\n---\nb: |+\n  t\n\n---\nc: >-\n  t",
        f"{{set: {{path: z, value: 1}}, {EVERY}}}",
        "a: |\n  t\nz: 1\n---\nb: |+\n  t\n\nz: 1\n---\nc: >-\n  t\nz: 1",
    ),
    "dashes that are no marker": (
        'a: "x\n  ---\n  y"\n---\nb: |\n  ---\n  t\n',
        "set: {path: '[1].z', value: 1}",
        'a: "x\n  ---\n  y"\n---\nb: |\n  ---\n  t\nz: 1\n',
    ),
    # --- anchors live in one document
    "the same anchor in two": (
        "a: &x 1\nb: *x\n---\na: &x 2\nb: *x\nc: 1\n",
        "set: {path: '[1].c', value: 3}",
        "a: &x 1\nb: *x\n---\na: &x 2\nb: *x\nc: 3\n",
    ),
    "a shared one in the second": (
        "a: &x 1\nb: *x\n---\na: &x 2\nb: *x\n",
        "{set: {path: '[1].a', value: 3}, allow_shared: true}",
        "a: &x 1\nb: *x\n---\na: &x 3\nb: *x\n",
    ),
    "an anchor that only the other document uses": (
        "a: &x 1\nb: *x\n---\na: &x 2\nc: 3\n",
        "set: {path: '[1].a', value: 3}",
        "a: &x 1\nb: *x\n---\na: 3\nc: 3\n",
    ),
    "an anchor that moves to another document": (
        "a: &x 1\nz: 1\n---\nc: 1\n",
        "move: {from: '[0].a', to: '[1].b'}",
        "z: 1\n---\nc: 1\nb: &x 1\n",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_an_edit_of_a_stream_gives_exactly_this_text(name: str) -> None:
    source, operations, want = TABLE[name]
    document, text = run(source, operations)
    assert text == want
    if source == want:
        assert document.changes == []
    again = parse(source)
    again.allow_shared = "allow_shared" in operations
    replay(again, (Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes))
    assert formats.render(again).data.decode() == want, "a replayed journal gives other bytes"
    read = parse(want)
    assert plain(read.root) == plain(document.root), "the text does not say what the tree says"
    assert formats.render(read).data.decode() == want


@pytest.mark.parametrize("source", sorted({row[0] for row in TABLE.values()}))
def test_an_unchanged_stream_is_its_source(source: str) -> None:
    assert formats.render(parse(source)).data.decode() == source


TREES = [
    ("", []),
    ("# c\n", []),
    ("---\n", [None]),
    ("---\n---\n", [None, None]),
    ("a: 1\n", [{"a": 1}]),
    ("a: 1\n...\n", [{"a": 1}]),
    ("a: 1\n---\n", [{"a": 1}, None]),
    ("--- 1\n--- [2]\n--- {a: 3}\n--- |\n  t\n", [1, [2], {"a": 3}, "t\n"]),
    ("a: &x 1\nb: *x\n---\na: &x 2\nb: *x\n", [{"a": 1, "b": 1}, {"a": 2, "b": 2}]),
]


@pytest.mark.parametrize(("source", "tree"), TREES)
def test_the_tree_is_the_list_of_the_documents(source: str, tree: list[object]) -> None:
    assert plain(parse(source).root) == tree


REFUSALS: dict[str, tuple[str, str, str]] = {
    "remove a document": (X, "delete: '[1]'", "stream_structure"),
    "remove an empty one": ("a: 1\n---\n", "delete: '[1]'", "stream_structure"),
    "move a document": (X, "move: {from: '[0]', to: '[1].d'}", "stream_structure"),
    "nest the stream": (X, "nest: {path: '', under: k}", "stream_structure"),
    "hoist of the stream": (X, "hoist: {path: '', key: k}", "wrong_type"),
    "unwrap an empty document": (
        "[]\n---\na: 1\n",
        "unwrap_list: {path: '[*]', empty: delete}",
        "stream_structure",
    ),
    "prune a document": (
        "- 1\n---\na: 1\n",
        "remove_items: {path: '[0]', values: [1], prune_empty: true}",
        "stream_structure",
    ),
    "a key of the stream": (X, "set: {path: x, value: 1}", "wrong_type"),
    "a document that is not there": (X, "set: {path: '[3].x', value: 1}", "wrong_type"),
    "a document of an empty stream": ("", "set: {path: '[0].x', value: 1}", "wrong_type"),
    "for_each over an empty document": (
        "a: 1\n---\n---\nb: 2\n",
        f"{{set: {{path: x, value: 1}}, {EVERY}}}",
        "wrong_type",
    ),
    "an alias that would leave its document": (
        "a: &x 1\nb: *x\n---\nc: 3\n",
        "move: {from: '[0].b', to: '[1].b'}",
        "alias_leaves_document",
    ),
    "an anchor that others need": (
        "a: &x 1\nb: *x\n---\nc: 3\n",
        "move: {from: '[0].a', to: '[1].a'}",
        "alias_leaves_document",
    ),
    "a shared value": (
        "c: 1\n---\na: &x 1\nb: *x\n",
        "set: {path: '[1].a', value: 2}",
        "shared_node",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_stream_cannot_do_is_refused(name: str) -> None:
    source, operations, code = REFUSALS[name]
    with pytest.raises(Refused) as caught:
        run(source, operations)
    assert caught.value.code == code


def test_documents_cannot_be_added_or_put_in_another_order() -> None:
    document = parse("a: 1\n---\nb: 1\n")
    document.append("", {"c": 1})
    with pytest.raises(Refused, match="stream_structure"):
        formats.render(document)
    document = parse("a: 1\n---\nb: 1\n")
    document.relocate(document.find("[1]")[0], document.root, None, 0)
    with pytest.raises(Refused, match="stream_structure"):
        formats.render(document)


def test_a_document_put_back_where_it_was_is_no_change_of_the_text() -> None:
    source = "a: 1\n---\nb: 1 # t\n"
    document = parse(source)
    document.relocate(document.find("[1]")[0], document.root, None, 0)
    document.relocate(document.find("[0]")[0], document.root, None, 1)
    assert formats.render(document).data.decode() == source


# an alias means the anchor of its own document: a move to another one must not change its meaning
MOVED_ALIASES = [
    ("a: &x 1\nb: *x\n---\na: &x 2\nc: *x\n", "move: {from: '[0].b', to: '[1].b'}"),
    ("a: &x 1\nb: *x\n---\na: &x 2\nc: 3\n", "move: {from: '[0].b', to: '[1].b'}"),
    ("a: &x 1\nb: {c: *x}\n---\na: &x 2\nc: 3\n", "move: {from: '[0].b', to: '[1].b'}"),
    ("a: &x {k: 1}\nb: {<<: *x}\n---\na: &x {k: 2}\nc: *x\n", "move: {from: '[0].b', to: '[1].b'}"),
    ("a: &x 1\nz: 1\n---\na: &x 2\nc: *x\n", "move: {from: '[0].a', to: '[1].b'}"),
]


@pytest.mark.parametrize(("source", "operation"), MOVED_ALIASES)
def test_an_alias_never_means_another_documents_anchor(source: str, operation: str) -> None:
    """A refusal is as good; what is written must say what the tree says."""
    try:
        document, text = run(source, operation)
    except Refused:
        return
    assert plain(parse(text).root) == plain(document.root)


def test_changing_an_anchor_leaves_the_aliases_of_other_documents_alone() -> None:
    document, _ = run(
        "a: &x 1\nb: *x\n---\na: &x 2\nb: *x\n",
        "{set: {path: '[1].a', value: 3}, allow_shared: true}",
    )
    assert plain(document.root) == [{"a": 1, "b": 1}, {"a": 3, "b": 3}]


KNOWN_GAPS: dict[str, tuple[str, str, str]] = {
    "a tag handle of another document": (
        "%TAG !e! tag:e,2000:\n---\na: !e!x 1\nc: 1\n...\n---\nb: 2\n",
        "move: {from: '[0].a', to: '[1].a'}",
        "verify_failed",
    ),
}
"""Legitimate edits that are refused today; when one of these starts to work, give it its text."""


@pytest.mark.parametrize("name", KNOWN_GAPS)
def test_a_known_gap_is_refused_with_this_code(name: str) -> None:
    source, operations, code = KNOWN_GAPS[name]
    with pytest.raises(Refused) as caught:
        run(source, operations)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "source",
    [
        "a: 1\n---\nb: 2\n",
        "---\n---\n",
        "a: 1\n...\n---\nb: 1\n",
        "# c\n---\na: 1\n--- # t\n",
        "- 1\n--- x\n",
    ],
)
def test_without_multi_a_second_document_is_refused_with_its_line(source: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(source, multi=False)
    assert caught.value.code == "multi_document"
    second = [n for n, line in enumerate(source.split("\n"), 1) if line.startswith("---")][-1]
    assert caught.value.line == second


@pytest.mark.parametrize(
    "source", ["---\na: 1\n...\n", "%YAML 1.2\n---\na: 1\n", "a: 1\n...\n# c\n", "# c\n", ""]
)
def test_one_document_with_markers_is_no_stream(source: str) -> None:
    document = parse(source, multi=False)
    assert not isinstance(document.root, list)
    assert formats.render(document).data.decode() == source


def test_an_anchor_is_not_known_in_the_next_document() -> None:
    with pytest.raises(Refused) as caught:
        parse("a: &x 1\n---\nb: *x\n")
    assert caught.value.code == "alias_undefined"
    assert caught.value.line == 3


def test_an_anchor_defined_twice_in_one_document_does_not_stop_edits_elsewhere() -> None:
    for source in (
        "a: &x 1\nb: &x 2\nc: *x\n---\nd: 1\n",
        "d: 1\n---\na: &x 1\nb: &x 2\nc: *x\n",
    ):
        where = 1 if source.startswith("a") else 0
        _, text = run(source, f"set: {{path: '[{where}].d', value: 2}}")
        assert text == source.replace("d: 1", "d: 2")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a: 1\n---\nb: [\n---\nc: 1\n", "line 4: .* \\(column 1\\), in document 2"),
        ("a: 1\n---\nb: 1\nb: 2\n", "line 4: the key `b` occurs twice, in document 2"),
        ("---\na: 1\n---\nb: 1\n  c: 2\n", "line 5: .* \\(column 4\\), in document 2"),
        ("a: 1\n---\nb: 1\n---\nc: *x\n", "line 5: .*, in document 3"),
    ],
)
def test_the_message_names_the_bad_document_of_a_stream(source: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(source)
    assert re.match(message, str(caught.value))


def test_an_anchor_defined_twice_and_unused_in_its_document_is_fine() -> None:
    source = "a: &x 1\nb: &x 2\n---\na: &x 1\nb: *x\n"
    assert plain(parse(source).root) == [{"a": 1, "b": 2}, {"a": 1, "b": 1}]
    source = "a: &x 1\nb: *x\n---\na: &x 1\nb: &x 2\n"
    assert plain(parse(source).root) == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]


def test_a_duplicate_key_is_one_only_within_a_document() -> None:
    parse("a: 1\n---\na: 2\n")
    with pytest.raises(Refused, match="line 4"):
        parse("a: 1\n---\na: 2\na: 3\n")


def test_the_loss_ledger_names_the_comments_of_what_left_one_document() -> None:
    document = parse(X)
    document.delete("[0].a")
    rendered = formats.render(document)
    assert [document.text[a:b] for a, b in rendered.lost_comments] == ["# c1", "# t"]


def test_a_thousand_documents_are_edited_in_place() -> None:
    source = "".join(f"---\n# {n}\nn: {n}\nx: 1 # t\n" for n in range(1000))
    _, text = run(source, f"{{move: {{from: x, to: w}}, {EVERY}}}")
    assert text == source.replace("x: 1", "w: 1")
