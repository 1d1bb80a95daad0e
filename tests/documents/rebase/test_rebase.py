"""Later edits put into the old text, as tables.

The same edit is made in the new text and in the old one, and what ``rebase`` makes of the first
must be the second, to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from confmig.documents import formats
from confmig.documents.model.document import Document
from confmig.documents.model.values import plain, same_value
from confmig.documents.operations import Context, Operation, load
from confmig.documents.rebase.documents import Conflict, rebase
from confmig.documents.rebase.values import Forwarded
from confmig.documents.text.pieces import Segment
from confmig.errors import Refused
from confmig.worker import regex

CONTEXT = Context(
    custom=lambda name, document, item: document.set("handled_by", name),
    substitute=regex.substitute,
    search=regex.search,
    groups=regex.groups,
)
Edits = tuple[tuple[str, str], ...]


class Migration:
    """Operations, written as YAML or given as data, that take texts of one format forward."""

    def __init__(self, operations: Any, format: str = "yaml") -> None:
        data = yaml.safe_load(operations) if isinstance(operations, str) else operations
        found, problems = load(data if isinstance(data, list) else [data], "m")
        assert not problems, problems
        self.operations: list[Operation] = found
        self.format = format

    def parse(self, data: bytes) -> Document:
        if self.format == "stream":
            return formats.parse(data, format="yaml", multi=True)
        return formats.parse(data, format=self.format)

    def run(self, data: bytes) -> tuple[Document, bytes, list[Segment]]:
        """The migrated tree, the text, and what was copied."""
        document = self.parse(data)
        for operation in self.operations:
            operation.run(document, CONTEXT)
        rendered = formats.render(document)
        return document, rendered.data, list(rendered.segments)

    def forward(self, data: bytes) -> Forwarded:
        document, new, _ = self.run(data)
        return Forwarded(document, self.parse(new))

    def back(self, old: bytes, today: bytes) -> bytes:
        """The old text with the later edits in it.

        Twice the same, and it migrates to today's values.
        """
        _, new, segments = self.run(old)
        outcomes: list[bytes | tuple[str, ...]] = []
        for _ in range(2):
            try:
                outcomes.append(rebase(old, new, today, tuple(segments), self.parse, self.forward))
            except Conflict as conflict:
                outcomes.append(conflict.places)
                raised = conflict
        assert outcomes[0] == outcomes[1], "the same input gave two results"
        if isinstance(outcomes[0], tuple):
            raise raised
        values = plain(self.forward(outcomes[0]).result.root)
        assert same_value(values, plain(self.parse(today).root))
        return outcomes[0]


def make(text: str, edits: Edits) -> str:
    """Replacements of text that is there exactly once; an empty one stands for the end."""
    for find, put in edits:
        if not find:
            text += put
            continue
        assert text.count(find) == 1, f"{find!r} is there {text.count(find)} times in\n{text}"
        text = text.replace(find, put)
    return text


@dataclass(frozen=True)
class Row:
    """The old text, operations, edits of the new text, and the same edits of the old one.

    The old text, operations, edits of the new text, and the same edits of the old one
    (``None``: literally the same).
    """

    old: str
    operations: str
    edits: Edits
    same: Edits | None = None
    format: str = "yaml"


def check(row: Row) -> None:
    migration = Migration(row.operations, row.format)
    old = row.old.encode()
    new = migration.run(old)[1]
    assert new != old, "the migration does nothing"
    today = make(new.decode(), row.edits).encode()
    want = make(row.old, row.edits if row.same is None else row.same)
    assert migration.back(old, today).decode() == want


YAML = """\
# the service
server:
  port: 8080  # the port
  host: 'localhost'
  # what we trust
  trusted:
    - 10.0.0.1  # gateway
    - 10.0.0.2
limits: {cpu: 2, mem: "4G", tags: [a, b]}

# logging
log:
  level: info
  # where
  file: /var/log/app
  text: |
    one
    two
# the end
"""
TOML = """\
title = "x"  # t

[server]  # srv
port = 8080  # the port
host = 'localhost'
# trust
trusted = [
  "a",  # A
  "b",
]

[log]
level = "info"
limits = {cpu = 2, mem = "4G"}

[[user]]
name = "ann"
age = 3

[[user]]
name = "bob"
age = 4
"""
JSONC = """\
{
  // the server
  "server": {
    "port": 8080, // the port
    "host": "localhost"
  },
  "trusted": [
    "a", // A
    "b"
  ],
  "limits": {"cpu": 2, "mem": "4G"},
  "log": {
    "level": "info"
  }
}
"""
INI = """\
; head
name = x

[server]
; the port
port = 8080
host = localhost

[log]
level = info
file = /var/log
"""
MOVE = "move: {from: server.port, to: listen.port}"
RENAME = "move: {from: server, to: service}"
NEST = "nest: {path: server, under: main}"
SET = "set: {path: feature, value: true}"
DELETE = "delete: log.file"
TEXT = "move: {from: log.text, to: deep.er.text}"
FLOW = "move: {from: limits.cpu, to: cpu}"
WRAP = "wrap_list: server.port"
MAP = "map_value: {path: log.level, map: {info: 3}}"
CHAIN = f"[{{{NEST}}}, {{move: {{from: log, to: logging}}}}, {{{SET}}}, {{delete: limits.mem}}]"
TRUST = "move: {from: trusted, to: people.all}"
LOGGED = "set: {path: log.feature, value: true}"
LEVEL = "delete: log.level"


BEHIND = "[{move: {from: a, to: moved}}, {set: {path: f, value: old}}]"


EXACT: dict[str, Row] = {
    # --- YAML, behind what a migration set last
    "a key behind what was set": Row("a: one\n", BEHIND, (("", "z: 1\n"),), (("", "z: 1\n"),)),
    "a key behind what was set, and what moved changed": Row(
        "a: one\n",
        BEHIND,
        (("moved: one", "moved: uno"), ("", "z: 1\n")),
        (("a: one", "a: uno"), ("", "z: 1\n")),
    ),
    "a comment gone, a value changed and a key behind them": Row(
        "a: one  # why not\n",
        "move: {from: a, to: moved}",
        (("moved: one  # why not\n", "moved: uno\nz: 1\n"),),
        (("a: one  # why not\n", "a: uno\nz: 1\n"),),
    ),
    "a comment gone, and a key behind what was set": Row(
        "a: one  # why not\n",
        BEHIND,
        (("moved: one  # why not", "moved: one"), ("", "z: 1\n")),
        (("a: one  # why not", "a: one"), ("", "z: 1\n")),
    ),
    # --- YAML, beside
    "a value beside a move": Row(YAML, MOVE, (("level: info", "level: debug"),)),
    "a value beside a set": Row(YAML, SET, (("level: info", "level: debug"),)),
    "a value beside a delete": Row(YAML, DELETE, (("level: info", "level: debug"),)),
    "a comment beside": Row(YAML, DELETE, (("# logging", "# logs"),)),
    "a trailing comment added": Row(YAML, DELETE, (("level: info", "level: info # why"),)),
    "a trailing comment removed": Row(YAML, MOVE, (("10.0.0.1  # gateway", "10.0.0.1"),)),
    "a comment line removed": Row(YAML, MOVE, (("  # where\n", ""),)),
    "a comment line added beside": Row(YAML, MOVE, (("  level:", "  # loud\n  level:"),)),
    "a blank line removed": Row(YAML, MOVE, (("\n\n# logging", "\n# logging"),)),
    "a blank line added": Row(YAML, MOVE, (("  # where", "\n  # where"),)),
    "quotes of a value": Row(YAML, MOVE, (("'localhost'", '"localhost"'),)),
    "a key added beside": Row(YAML, MOVE, (("  level: info", "  level: info\n  new: 1"),)),
    "a key added at the end": Row(YAML, MOVE, (("", "last: 1\n"),)),
    "a key added at the top": Row(YAML, MOVE, (("server:", "top: 1\nserver:"),)),
    "a key removed beside": Row(YAML, MOVE, (("  level: info\n", ""),)),
    "an object added": Row(YAML, SET, (("# logging", "o:\n  a: 1\n  b: [x]\n\n# logging"),)),
    "a list item added beside": Row(YAML, MOVE, (("0.2\n", "0.2\n    - 10.0.0.3 # c\n"),)),
    "a list item added first": Row(YAML, MOVE, (("    - 10.0.0.1", "    - 9\n    - 10.0.0.1"),)),
    "a list item removed": Row(YAML, MOVE, (("    - 10.0.0.2\n", ""),)),
    "a list item changed": Row(YAML, MOVE, (("10.0.0.2", "10.0.0.9"),)),
    "a flow item added": Row(YAML, MOVE, (("[a, b]", "[a, b, c]"),)),
    "a flow item added first": Row(YAML, MOVE, (("[a, b]", "[z, a, b]"),)),
    "a flow item removed": Row(YAML, MOVE, (("[a, b]", "[b]"),)),
    "a flow item changed": Row(YAML, MOVE, (("[a, b]", "[a, x]"),)),
    "a flow key added": Row(YAML, MOVE, (("cpu: 2,", "cpu: 2, gpu: 1,"),)),
    "a flow key removed": Row(YAML, MOVE, (("cpu: 2, ", ""),)),
    "a value of another kind": Row(YAML, MOVE, (("level: info", "level: {a: 1}"),)),
    "lines of a text": Row(YAML, MOVE, (("    two\n", "    two\n    three\n"),)),
    # --- YAML, inside what was moved, renamed, indented again, shortened
    "a moved value": Row(YAML, MOVE, (("8080", "9090"),)),
    "the comment of a moved value": Row(YAML, MOVE, (("# the port", "# a port"),)),
    "no comment of a moved value": Row(YAML, MOVE, (("8080  # the port", "8080"),)),
    "a comment above a moved value": Row(
        YAML, MOVE, (("  port:", "  # why\n  port:"),), (("  port:", "  # why\n  port:"),)
    ),
    "a value in a renamed object": Row(YAML, RENAME, (("'localhost'", "'h'"),)),
    "a key in a renamed object": Row(YAML, RENAME, (("'localhost'", "'localhost'\n  user: me"),)),
    "a first key in a renamed object": Row(YAML, RENAME, (("  port:", "  user: me\n  port:"),)),
    "no key in a renamed object": Row(YAML, RENAME, (("  host: 'localhost'\n", ""),)),
    "an item in a renamed object": Row(YAML, RENAME, (("0.0.2", "0.0.2\n    - 10.0.0.3"),)),
    "a comment above a renamed key": Row(
        YAML, RENAME, (("service:", "# mine\nservice:"),), (("server:", "# mine\nserver:"),)
    ),
    "a comment behind a renamed key": Row(
        YAML, RENAME, (("service:", "service: # mine"),), (("server:", "server: # mine"),)
    ),
    "a renamed object removed": Row(
        YAML,
        RENAME,
        ((YAML[YAML.index("server") : YAML.index("limits")].replace("server", "service"), ""),),
        ((YAML[YAML.index("server") : YAML.index("limits")], ""),),
    ),
    "a value deeper than before": Row(YAML, NEST, (("'localhost'", "'h'"),)),
    "a key deeper than before": Row(
        YAML,
        NEST,
        (("    host:", "    user: me\n    host:"),),
        (("  host:", "  user: me\n  host:"),),
    ),
    "an object deeper than before": Row(
        YAML,
        NEST,
        (("    host:", "    o:\n      a:\n        - 1\n    host:"),),
        (("  host:", "  o:\n    a:\n      - 1\n  host:"),),
    ),
    "a comment deeper than before": Row(
        YAML, NEST, (("    host:", "    # who\n    host:"),), (("  host:", "  # who\n  host:"),)
    ),
    "an item deeper than before": Row(
        YAML, NEST, (("0.0.2", "0.0.2\n      - 10.0.0.3"),), (("0.0.2", "0.0.2\n    - 10.0.0.3"),)
    ),
    "no item deeper than before": Row(
        YAML, NEST, (("      - 10.0.0.2\n", ""),), (("    - 10.0.0.2\n", ""),)
    ),
    "a last key deeper than before": Row(
        YAML, NEST, (("0.0.2\n", "0.0.2\n    user: me\n"),), (("0.0.2\n", "0.0.2\n  user: me\n"),)
    ),
    "lines of a moved text": Row(
        YAML,
        TEXT,
        (("      two\n", "      two\n      three\n"),),
        (("    two\n", "    two\n    three\n"),),
    ),
    "a line of a moved text changed": Row(
        YAML, TEXT, (("      one", "      uno"),), (("    one", "    uno"),)
    ),
    "a flow value that moved out": Row(YAML, FLOW, (("cpu: 2", "cpu: 3"),)),
    "flow beside what moved out": Row(YAML, FLOW, (('"4G"', '"8G"'),)),
    "a flow key beside what moved out": Row(YAML, FLOW, (('mem: "4G"', 'mem: "4G", gpu: 1'),)),
    "no flow key beside what moved out": Row(YAML, FLOW, (('"4G", tags: [a, b]', '"4G"'),)),
    "a flow item beside what moved out": Row(YAML, FLOW, (("[a, b]", "[a, b, c]"),)),
    "a value in a new list": Row(YAML, WRAP, (("8080", "9090"),)),
    "a comment above a converted value": Row(YAML, MAP, (("  level:", "  # loud\n  level:"),)),
    "a comment behind a converted value": Row(
        YAML, MAP, (("level: 3", "level: 3 # loud"),), (("level: info", "level: info # loud"),)
    ),
    "everything after a chain": Row(
        YAML,
        CHAIN,
        (
            ("8080  # the port", "9090  # my port"),
            ("    host:", "    # who\n    user: me\n    host:"),
            ("      - 10.0.0.2\n", "      - 10.0.0.3 # new\n"),
            ("cpu: 2", "cpu: 4"),
            ("  # where\n", ""),
            ("", "last: 1 # mine\n"),
        ),
        (
            ("8080  # the port", "9090  # my port"),
            ("  host:", "  # who\n  user: me\n  host:"),
            ("    - 10.0.0.2\n", "    - 10.0.0.3 # new\n"),
            ("cpu: 2", "cpu: 4"),
            ("  # where\n", ""),
            ("", "last: 1 # mine\n"),
        ),
    ),
    "two comments swapped": Row(
        YAML,
        MOVE,
        (("# logging", "#1"), ("# where", "# logging"), ("#1", "# where")),
    ),
    "a comment moved elsewhere": Row(
        YAML, CHAIN, (("  # where\n", ""), ("limits:", "# where\nlimits:"))
    ),
    "keys in another order": Row(
        YAML, SET, (("  level: info\n", ""), ("app\n", "app\n  level: info\n"))
    ),
    # --- neighbours that moved apart
    "a comment above what moved to the end": Row(
        "a: 1\nport: 1\nb: 2\n",
        "move: {from: port, to: listen.port}",
        (("  port", "  # why\n  port"),),
        (("port", "# why\nport"),),
    ),
    "a comment below what moved from between": Row(
        "a: 1\nport: 1\nb: 2\n",
        "move: {from: port, to: listen.port}",
        (("b: 2", "# b\nb: 2"),),
    ),
    "a key beside what moved to the end": Row(
        "a: 1\nm:\n  port: 1\n  host: x\nb: 2\n",
        "move: {from: m, to: n.m}",
        (("    port", "    new: 0\n    port"),),
        (("  port", "  new: 0\n  port"),),
    ),
    "a comment below a renamed key": Row(
        "a: 1\nb: 2\nc: 3\n", "move: {from: b, to: x}", (("c: 3", "# why\nc: 3"),)
    ),
    "a comment below a wrapped value": Row(
        "a:\n  b: 1\n  c: 2\n", "wrap_list: a.b", (("  c:", "  # why\n  c:"),)
    ),
    "a comment below a converted value": Row(
        "a: 1\nb: one\nc: 3\n",
        "map_value: {path: b, map: {one: two}}",
        (("c: 3", "# why\nc: 3"),),
    ),
    "a comment and a blank line below it": Row(
        "a:\n\n  b: 1\n",
        "nest: {path: a, under: u}",
        (("    b:", "    # why\n    b:"),),
        (("  b:", "  # why\n  b:"),),
    ),
    "a renamed key's value and a key below": Row(
        "k: 0x10 # sixteen\nz: 1\n",
        "move: {from: k, to: x}",
        (("x: 0x10 # sixteen", "x: 0x11 # seventeen\nnew: 1"),),
        (("k: 0x10 # sixteen", "k: 0x11 # seventeen\nnew: 1"),),
    ),
    "two additions, one below and one above what is there": Row(
        "s:\n  p: 1\n  l:\n    - a\nv: one\n# end\n",
        "[{map_value: {path: v, map: {one: two}}}, {move: {from: s.p, to: m.p}}]",
        (("- a\n", "- a\n    - b\n"), ("# end", "z: 1 # new\n# end")),
    ),
    "a last line without a newline removed": Row(
        "a: 1\nb: 2\nk: 3", "move: {from: a, to: b2.a}", (("k: 3\n", ""),), (("\nk: 3", ""),)
    ),
    # --- kinds of files
    "no newline at the end": Row("a: 1\nb: 2", "move: {from: a, to: x}", (("b: 2", "b: 3"),)),
    "a key after no newline at the end": Row(
        "a: 1\nb: 2", "move: {from: a, to: x}", (("", "\nc: 3"),)
    ),
    "CRLF": Row(
        YAML.replace("\n", "\r\n"),
        NEST,
        (("    host:", "    user: me\r\n    host:"),),
        (("  host:", "  user: me\r\n  host:"),),
    ),
    "a BOM": Row("\ufeff" + YAML, NEST, (("8080", "9090"),)),
    "wide characters": Row(
        "a: 'ü😀'\nm:\n  b: '😀' # ☺\n",
        "nest: {path: m, under: n}",
        (("b: '😀' # ☺", "b: '😀😀' # ☹"),),
    ),
    "an anchor": Row(
        "a: &x {b: 1}\nc: *x\nd: 1\n", "move: {from: d, to: e.d}", (("b: 1", "b: 2"),)
    ),
    "a stream": Row(
        "a: 1\n---\nb: 2\nc: 3\n",
        "move: {from: '[1].b', to: '[1].x.b'}",
        (("c: 3", "c: 4"),),
        format="stream",
    ),
    "items that are objects": Row(
        "l:\n  - name: a # A\n    port: 1\n  - name: b\n    port: 2\n",
        "for_each: {path: 'l[*]', other_types: error}\nmove: {from: port, to: listen.port}",
        (("name: b", "name: c"), ("port: 2", "port: 3")),
    ),
    "an item that is an object added": Row(
        "l:\n  - n: a\n  - n: b\n", "move: {from: l, to: m}", (("", "  - n: c # C\n"),)
    ),
    # --- TOML
    "TOML: a value beside": Row(TOML, MOVE, (('"info"', '"debug"'),), format="toml"),
    "TOML: a moved value": Row(TOML, MOVE, (("8080", "9090"),), format="toml"),
    "TOML: the comment of a moved value": Row(TOML, MOVE, (("# the port", "# p"),), format="toml"),
    "TOML: a key in a renamed table": Row(
        TOML, RENAME, (("host =", "user = 'me'\nhost ="),), format="toml"
    ),
    "TOML: a comment behind a renamed table": Row(TOML, RENAME, (("# srv", "# s"),), format="toml"),
    "TOML: a key in a nested table": Row(
        TOML, NEST, (("host =", "user = 'me'\nhost ="),), format="toml"
    ),
    "TOML: a key in the last lines of a renamed table": Row(
        TOML, RENAME, (('  "b",\n]\n', '  "b",\n]\nuser = 1\n'),), format="toml"
    ),
    "TOML: an item added": Row(TOML, NEST, (('  "b",\n', '  "b",\n  "c", # C\n'),), format="toml"),
    "TOML: an item removed": Row(TOML, NEST, (('  "b",\n', ""),), format="toml"),
    "TOML: a table at the end": Row(TOML, RENAME, (("", "\n[z]\na = 1\n"),), format="toml"),
    "TOML: a table at the end after a new one": Row(
        TOML, MOVE, (("", "\n[z]\na = 1 # z\n"),), format="toml"
    ),
    "TOML: a table between": Row(TOML, RENAME, (("[log]", "[z]\na = 1\n\n[log]"),), format="toml"),
    "TOML: a table of an array": Row(
        TOML, RENAME, (("", '\n[[user]]\nname = "cyn"\n'),), format="toml"
    ),
    "TOML: a table of an array that moved": Row(
        TOML,
        "move: {from: user, to: people.all}",
        (("", '\n[[people.all]]\nname = "cyn"\n'),),
        (("", '\n[[user]]\nname = "cyn"\n'),),
        format="toml",
    ),
    "TOML: a value in an array that moved": Row(
        TOML, "move: {from: user, to: people.all}", (("age = 4", "age = 5"),), format="toml"
    ),
    "TOML: a key of an inline table": Row(
        TOML, RENAME, (('mem = "4G"', 'mem = "4G", gpu = 1'),), format="toml"
    ),
    "TOML: inside an inline table that moved": Row(
        TOML, "move: {from: log.limits, to: limits}", (("cpu = 2", "cpu = 3"),), format="toml"
    ),
    "TOML: beside what was set": Row(TOML, LOGGED, (('"info"', '"debug"'),), format="toml"),
    "TOML: CRLF": Row(TOML.replace("\n", "\r\n"), MOVE, (("8080", "9090"),), format="toml"),
    # --- JSON
    "JSONC: a value beside": Row(JSONC, MOVE, (('"info"', '"debug"'),), format="jsonc"),
    "JSONC: a moved value": Row(JSONC, MOVE, (("8080", "9090"),), format="jsonc"),
    "JSONC: the comment of a moved value": Row(JSONC, MOVE, (("the port", "p"),), format="jsonc"),
    "JSONC: a value deeper than before": Row(
        JSONC, NEST, (('"localhost"', '"h"'),), format="jsonc"
    ),
    "JSONC: a key deeper than before": Row(
        JSONC,
        NEST,
        (('      "host"', '      "user": 1, // u\n      "host"'),),
        (('    "host"', '    "user": 1, // u\n    "host"'),),
        format="jsonc",
    ),
    "JSONC: a last key in a renamed object": Row(
        JSONC, RENAME, (('"localhost"', '"localhost",\n    "user": 1'),), format="jsonc"
    ),
    "JSONC: a last key of the file": Row(
        JSONC, RENAME, (('"info"\n  }', '"info"\n  },\n  "z": 1'),), format="jsonc"
    ),
    "JSONC: a last key after what was set": Row(
        JSONC,
        "set: {path: feature, value: true}",
        (('"feature": true', '"feature": true,\n  "z": 1'),),
        (('"info"\n  }', '"info"\n  },\n  "z": 1'),),
        format="jsonc",
    ),
    "JSONC: a key before what was set": Row(
        JSONC, LOGGED, (('"level"', '"z": 1,\n    "level"'),), format="jsonc"
    ),
    "JSONC: no last key in a renamed object": Row(
        JSONC,
        RENAME,
        (('8080, // the port\n    "host": "localhost"', "8080 // the port"),),
        format="jsonc",
    ),
    "JSONC: an item added": Row(JSONC, NEST, (('    "b"', '    "b",\n    "c"'),), format="jsonc"),
    "JSONC: an item added to what moved": Row(
        JSONC,
        TRUST,
        (('      "b"', '      "b",\n      "c"'),),
        (('    "b"', '    "b",\n    "c"'),),
        format="jsonc",
    ),
    "JSONC: an item first in what moved": Row(
        JSONC,
        TRUST,
        (('      "a"', '      "z",\n      "a"'),),
        (('    "a"', '    "z",\n    "a"'),),
        format="jsonc",
    ),
    "JSONC: a comment above an item that moved": Row(
        JSONC,
        TRUST,
        (('      "b"', '      // B\n      "b"'),),
        (('    "b"', '    // B\n    "b"'),),
        format="jsonc",
    ),
    "JSONC: a key in one line": Row(
        JSONC, MOVE, (('"mem": "4G"', '"mem": "4G", "gpu": 1'),), format="jsonc"
    ),
    "JSON: in one line": Row(
        '{"a":1,"m":{"b":[1,2]}}',
        "move: {from: a, to: m.a}",
        (("[1,2]", "[1,2,3]"),),
        format="json",
    ),
    # --- INI
    "INI: a value beside": Row(INI, MOVE, (("level = info", "level = debug"),), format="ini"),
    "INI: a moved value": Row(INI, MOVE, (("8080", "9090"),), format="ini"),
    "INI: the comment of a moved value": Row(INI, MOVE, (("; the port", "; p"),), format="ini"),
    "INI: a key in a renamed section": Row(
        INI, RENAME, (("host =", "user = me\nhost ="),), format="ini"
    ),
    "INI: a last key in a renamed section": Row(
        INI, RENAME, (("localhost\n", "localhost\nuser = me\n"),), format="ini"
    ),
    "INI: a comment in a renamed section": Row(
        INI, RENAME, (("host =", "; h\nhost ="),), format="ini"
    ),
    "INI: no key in a renamed section": Row(
        INI, RENAME, (("host = localhost\n", ""),), format="ini"
    ),
    "INI: a key at the end": Row(INI, RENAME, (("", "last = 1\n"),), format="ini"),
    "INI: a section at the end": Row(INI, RENAME, (("", "\n[z]\na = 1\n"),), format="ini"),
    "INI: a section between": Row(INI, RENAME, (("[log]", "[z]\na = 1\n\n[log]"),), format="ini"),
    "INI: beside a delete": Row(INI, LEVEL, (("file = /var/log", "file = /x"),), format="ini"),
    "INI: what moved into a section": Row(
        INI, "move: {from: name, to: log.name}", (("name = x", "name = y"),), format="ini"
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_an_edit_is_made_in_the_old_text_where_it_was_made_in_the_new_one(name: str) -> None:
    check(EXACT[name])


@dataclass(frozen=True)
class Clash:
    """Edits of what only the migration wrote, and what the places that are told begin with."""

    old: str
    operations: str
    edits: Edits
    places: tuple[str, ...]
    format: str = "yaml"


PLAIN = "a: one # x\nb: 2\n"
INTO = "move: {from: a, to: m.a}"
ONE_TWO = "map_value: {path: a, map: {one: two}}"
NEW = "set: {path: f, value: old}"
NEW_OBJECT = "set: {path: f.g.h, value: old}"

CLASHES: dict[str, Clash] = {
    "a value that was set": Clash(PLAIN, NEW, (("f: old", "f: mine"),), ("f",)),
    "a value that was set, removed": Clash(PLAIN, NEW, (("f: old\n", ""),), ("f",)),
    "a value that was set, renamed": Clash(PLAIN, NEW, (("f: old", "g: old"),), ("f",)),
    "a value that was set, of another kind": Clash(PLAIN, NEW, (("f: old", "f: [old]"),), ("f",)),
    "a comment behind what was set": Clash(PLAIN, NEW, (("f: old", "f: old # mine"),), ("line 3",)),
    "a default": Clash(PLAIN, "default: {path: f, value: old}", (("f: old", "f: mine"),), ("f",)),
    "deep in what was set": Clash(PLAIN, NEW_OBJECT, (("h: old", "h: mine"),), ("f.g.h",)),
    "a key in what was set": Clash(PLAIN, NEW_OBJECT, (("old", "old\n    i: 1"),), ("f.g.i",)),
    "a converted value": Clash(PLAIN, ONE_TWO, (("two", "three"),), ("a",)),
    "a converted value, back": Clash(PLAIN, ONE_TWO, (("two", "one"),), ("a",)),
    "a converted value, of another kind": Clash(PLAIN, ONE_TWO, (("two", "[two]"),), ("a",)),
    "a converted number": Clash(
        "a: 30\n",
        "convert: {path: a, to: string}",
        (("'30'", "'60'"),),
        ("a",),
    ),
    "a converted value, of another kind, and a key behind what was set": Clash(
        "a: one # x\n",
        f"[{{{ONE_TWO}}}, {{{NEW}}}]",
        (("two", "[two]"), ("f: old\n", "f: old\nz: 1\n")),
        ("a",),
    ),
    "a key in an object it made": Clash(PLAIN, INTO, (("  a:", "  c: 3\n  a:"),), ("m.c",)),
    "a key in the place of what moved": Clash(PLAIN, INTO, (("  a: one # x", "  c: 3"),), ("m",)),
    "an object it made, removed": Clash(PLAIN, INTO, (("m:\n  a: one # x\n", ""),), ("m",)),
    "an object it made, renamed": Clash(PLAIN, INTO, (("m:", "n:"),), ("m",)),
    "a key beside a nested value": Clash(
        "a:\n  b: 2\nc: 1\n", "nest: {path: a, under: u}", (("c: 1", "  z: 1\nc: 1"),), ("a.z",)
    ),
    "an item beside a wrapped value": Clash(
        PLAIN, "wrap_list: b", (("- 2", "- 2\n  - 3"),), ("b[1]",)
    ),
    "a key that moved away, again": Clash(PLAIN, INTO, (("b: 2", "b: 2\na: 3"),), ("a",)),
    "a key that was deleted, again": Clash(PLAIN, "delete: a", (("b: 2", "b: 2\na: 3"),), ("a",)),
    "everything replaced": Clash(PLAIN, INTO, (("b: 2\nm:\n  a: one # x\n", "[1]\n"),), ("",)),
    "everything gone": Clash(PLAIN, INTO, (("b: 2\nm:\n  a: one # x\n", ""),), ("",)),
    "several": Clash(
        "a: one\nb: 2\nz: 1\n",
        f"[{{{ONE_TWO}}}, {{{NEW}}}, {{move: {{from: b, to: m.b}}}}]",
        (("two", "three"), ("f: old", "f: mine"), ("  b: 2", "  b: 2\n  c: 3"), ("z: 1", "z: 2")),
        ("a", "f", "m.c"),
    ),
    "a value and a comment": Clash(
        "a: one\nb: 2\n",
        f"[{{{ONE_TWO}}}, {{{NEW}}}]",
        (("two", "three"), ("f: old", "f: old # mine")),
        ("a", "line 3"),
    ),
    "TOML: a value that was set": Clash(
        TOML, LOGGED, (("feature = true", "feature = false"),), ("log.feature",), "toml"
    ),
    "TOML: a key in a table it made": Clash(
        TOML, MOVE, (("[listen]", "[listen]\nz = 1"),),
        ("listen.z",), "toml",
    ),
    "JSONC: a value that was set": Clash(
        JSONC, LOGGED, (('"feature": true', '"feature": false'),), ("log.feature",), "jsonc"
    ),
    "JSONC: a key in an object it made": Clash(
        JSONC, MOVE, (('"port"', '"z": 1, "port"'),), ("listen.z",), "jsonc"
    ),
    "INI: a value that was set": Clash(
        INI, LOGGED, (("feature = true", "feature = no"),), ("log.feature",), "ini"
    ),
    "INI: a key in a section it made": Clash(
        INI, MOVE, (("[listen]", "[listen]\nz = 1"),), ("listen.z",), "ini"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASHES)
def test_an_edit_of_what_only_the_migration_wrote_is_a_conflict_that_tells_every_place(
    name: str,
) -> None:
    clash = CLASHES[name]
    migration = Migration(clash.operations, clash.format)
    old = clash.old.encode()
    today = make(migration.run(old)[1].decode(), clash.edits).encode()
    with pytest.raises(Conflict) as caught:
        pytest.fail(f"no conflict but a result:\n{migration.back(old, today).decode()}")
    told = caught.value.places
    missing = [p for p in clash.places if not any(t.startswith(p) for t in told)]
    assert not missing, f"only {told} are told"
    assert caught.value.code == "rollback_conflict"


@dataclass(frozen=True)
class Kept:
    """An edit whose place in the old text is a matter of taste: a conflict, or it is there."""

    old: str
    operations: str
    edits: Edits
    marks: tuple[str, ...]
    format: str = "yaml"


KEPT: dict[str, Kept] = {
    "a comment above what was set": Kept(PLAIN, NEW, (("f: old", "# mine\nf: old"),), ("# mine",)),
    "a comment in what was set": Kept(
        PLAIN, NEW_OBJECT, (("  g:", "  # mine\n  g:"),), ("# mine",)
    ),
    "a comment behind an object it made": Kept(PLAIN, INTO, (("m:", "m: # mine"),), ("m: # mine",)),
    "a comment that went to what was set": Kept(
        PLAIN, NEW, ((" # x", ""), ("f: old", "f: old # x")), ("f: old # x",)
    ),
    "a comment that went to an object it made": Kept(
        PLAIN, f"[{{{INTO}}}]", ((" # x", ""), ("m:", "m: # x")), ("m: # x",)
    ),
    "a comment that went above what was set": Kept(
        "a: 1 # x\nb: 2 # y\n", NEW, ((" # x", ""), ("f: old", "# x\nf: old")), ("\n# x",)
    ),
    "quotes of what was set": Kept(PLAIN, NEW, (("f: old", "f: 'old'"),), ("'old'",)),
    "quotes of a converted value": Kept(PLAIN, ONE_TWO, (("a: two", "a: 'two'"),), ("'",)),
    "another number in what was set": Kept(
        PLAIN, "set: {path: f, value: 10}", (("f: 10", "f: 0xA"),), ("0xA",)
    ),
    "a comment behind an item that was wrapped": Kept(
        "a: 1\nb: 2\n", "wrap_list: a", (("- 1", "- 1 # mine"),), ("# mine",)
    ),
    "a comment above an item that was wrapped": Kept(
        "a: 1\nb: 2\n", "wrap_list: a", (("  - 1", "  # mine\n  - 1"),), ("# mine",)
    ),
    "a word in a folded text that moved": Kept(
        "t: >-\n  one\n  two\nb: 1\n",
        "nest: {path: t, under: d}",
        (("    two", "    two three"),),
        ("three",),
    ),
    "JSONC: a comment above what was set": Kept(
        JSONC, LOGGED, (('    "feature"', '    // mine\n    "feature"'),), ("// mine",), "jsonc"
    ),
    "TOML: a comment above a table it made": Kept(
        TOML, MOVE, (("[listen]", "# mine\n[listen]"),), ("# mine",), "toml"
    ),
    "INI: a comment above a section it made": Kept(
        INI, MOVE, (("[listen]", "; mine\n[listen]"),), ("; mine",), "ini"
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_an_edit_beside_what_the_migration_wrote_is_there_or_a_conflict(name: str) -> None:
    kept = KEPT[name]
    migration = Migration(kept.operations, kept.format)
    old = kept.old.encode()
    today = make(migration.run(old)[1].decode(), kept.edits).encode()
    try:
        result = migration.back(old, today).decode()
    except Conflict:
        return
    dropped = [mark for mark in kept.marks if mark not in result]
    assert not dropped, f"silently dropped: {dropped} is not in\n{result}"


def _old_texts() -> list[tuple[str, str, str]]:
    rows = [(r.old, r.operations, r.format) for r in EXACT.values()]
    return list(dict.fromkeys(rows))


@pytest.mark.parametrize(("old", "operations", "format"), _old_texts())
def test_without_an_edit_it_is_the_old_text(old: str, operations: str, format: str) -> None:
    migration = Migration(operations, format)
    data = old.encode()
    assert migration.back(data, migration.run(data)[1]) == data


def test_a_key_where_something_was_deleted_is_beside_it() -> None:
    migration = Migration("delete: gone")
    assert migration.back(b"a: 1\ngone: 1\nb: 2\n", b"a: 1\nnew: 0\nb: 2\n") in (
        b"a: 1\nnew: 0\ngone: 1\nb: 2\n",
        b"a: 1\ngone: 1\nnew: 0\nb: 2\n",
    )


def test_comments_that_the_migration_dropped_are_back_beside_edits() -> None:
    migration = Migration("delete: old")
    old = b"# head\nold:\n  # lost\n  x: 1 # lost too\na: 1 # a\n"
    today = migration.run(old)[1].replace(b"a: 1 # a", b"a: 2 # b")
    assert b"lost" not in today
    assert migration.back(old, today) == old.replace(b"a: 1 # a", b"a: 2 # b")


def test_a_text_that_cannot_be_read_is_refused() -> None:
    migration = Migration(MOVE)
    with pytest.raises(Refused):
        migration.back(YAML.encode(), b"a: [\n")


def test_a_long_text_edited_at_both_ends_keeps_both_edits() -> None:
    lines = [f"k{n}: {n} # c{n}" for n in range(3000)]
    old = "\n".join(["m: {x: 1}", *lines]) + "\n"
    migration = Migration("move: {from: m, to: deep.m}")
    new = migration.run(old.encode())[1].decode()
    edits = (("k0: 0 ", "k0: zero "), ("k2999: 2999 ", "k2999: end "), ("x: 1", "x: 2"))
    assert migration.back(old.encode(), make(new, edits).encode()).decode() == make(old, edits)
