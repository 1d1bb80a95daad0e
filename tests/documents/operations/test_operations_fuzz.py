"""Random operations of every kind on random documents.

An operation refuses or does, and what is written reads back as the tree.

``CONFMIG_FUZZ`` is the number of documents of each format (300 by default), ``CONFMIG_FUZZ_START``
the first seed. A seed names its document and its operations for ever. ``-s`` shows the outcomes
and the shortest example of each ``verify_failed``, which is a refusal that blames confmig.
"""

from __future__ import annotations

import json
import os
import random
import tomllib
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from confmig.documents import formats
from confmig.documents.model.document import Document
from confmig.documents.model.journal import Change
from confmig.documents.model.path import show
from confmig.documents.model.replay import replay
from confmig.documents.model.tree import Mapping, Sequence, entries_of
from confmig.documents.model.values import plain, same_value
from confmig.documents.operations import OPERATIONS, Context, Operation, load
from confmig.errors import Refused
from confmig.worker import regex
from tests.documents.helpers import Ordered, alike, read12
from tests.documents.json import fuzzing as fuzzing_json
from tests.documents.toml import fuzzing as fuzzing_toml
from tests.documents.toml.helpers import mirrors
from tests.documents.toml.helpers import read as read_toml
from tests.documents.yaml import fuzzing
from tests.documents.yaml.fuzzing import FRESH

COUNT = int(os.environ.get("CONFMIG_FUZZ", "300"))
EMPTY_PATHS = 0.05
START = int(os.environ.get("CONFMIG_FUZZ_START", "0"))
FORMATS = ("yaml", "stream", "toml", "json", "jsonc")
KEYS = ("name", "kids", "l", "m", "host", "x", "k.x", "on", "items")
TEXTS = ("a", "b", "c", "h:80", "yes", "1.10", "", "a b", "# no", "it's")
REGEXES = ("a", "^", "[0-9]+", "(.)(.)", ".*", "$", "x*")
GROUPS = ("(?P<h>.*):(?P<p>.*)", "(?P<h>[a-z]*)(?::(?P<p>[0-9]+))?", "(?P<h>.)(?P<p>.*)?")
Place = tuple[str | int, ...]


# --- documents


def value(rng: random.Random, depth: int) -> Any:
    """A value as configurations have them: few keys, lists of objects with names."""
    roll = rng.random()
    if depth < 3 and roll < 0.25:
        return table(rng, depth + 1)
    if depth < 3 and roll < 0.4:
        names = rng.sample(TEXTS, rng.randint(0, 3))
        return [{"name": n} | table(rng, depth + 1) for n in names]
    if roll < 0.55:
        return [rng.choice((*TEXTS, 1, True)) for _ in range(rng.randint(0, 3))]
    return rng.choice((*TEXTS, 0, 1, 7, 1.5, True, False))


def table(rng: random.Random, depth: int) -> dict[str, Any]:
    keys = rng.sample(KEYS, rng.randint(0 if depth else 1, 4))
    return {key: value(rng, depth) for key in keys}


class Writer:
    """Writes such a value as YAML, TOML or JSONC, with comments, in varied style."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.commented = rng.choice((0.0, 0.0, 0.1, 0.3))
        self.blank = rng.choice((0.0, 0.0, 0.2))
        self.flow = rng.choice((0.0, 0.2))
        self.step = " " * rng.choice((2, 2, 4))
        self.dash = rng.choice(("", "  "))
        self.count = 0

    def note(self, sign: str) -> str:
        self.count += 1
        return f"{sign} note{self.count}"

    def above(self, pad: str, sign: str) -> list[str]:
        lines = [""] if self.rng.random() < self.blank else []
        if self.rng.random() < self.commented:
            lines.append(pad + self.note(sign))
        return lines

    def behind(self, sign: str) -> str:
        return " " + self.note(sign) if self.rng.random() < self.commented else ""

    def yaml(self, data: Any, pad: str = "") -> list[str]:
        lines: list[str] = []
        named = isinstance(data, dict)
        for key, one in data.items() if isinstance(data, dict) else enumerate(data):
            head = pad + (f"{json.dumps(key)}:" if named else "-")
            if named and self.rng.random() < 0.8 and key not in ("on", "k.x"):
                head = f"{pad}{key}:"
            lines += self.above(pad, "#") if lines or pad else []
            if not one or not isinstance(one, dict | list) or self.rng.random() < self.flow:
                lines.append(f"{head} {json.dumps(one)}{self.behind('#')}")
            elif named:
                inner = self.dash if isinstance(one, list) else self.step
                lines += [head + self.behind("#"), *self.yaml(one, pad + inner)]
            else:
                saved, self.commented, self.blank = (self.commented, self.blank), 0.0, 0.0
                body = self.yaml(one, pad + "  ")
                self.commented, self.blank = saved
                lines += [f"{head} {body[0].strip()}", *body[1:]]
        return lines

    def toml(self, data: dict[str, Any], path: str = "") -> list[str]:
        lines: list[str] = []
        later: list[tuple[str, Any]] = []
        for key, one in data.items():
            name = json.dumps(key) if "." in key else key
            inner = f"{path}.{name}" if path else name
            tables = isinstance(one, list) and one and all(isinstance(o, dict) for o in one)
            if (isinstance(one, dict) or tables) and self.rng.random() >= self.flow:
                later.append((inner, one))
            else:
                lines += self.above("", "#")
                lines.append(f"{name} = {self.inline(one)}{self.behind('#')}")
        for inner, one in later:
            left, right = ("[", "]") if isinstance(one, dict) else ("[[", "]]")
            for each in [one] if isinstance(one, dict) else one:
                lines += [*self.above("", "#"), f"{left}{inner}{right}{self.behind('#')}"]
                lines += self.toml(each, inner)
        return lines

    def inline(self, data: Any) -> str:
        if isinstance(data, dict):
            pairs = (f"{json.dumps(k)} = {self.inline(v)}" for k, v in data.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(data, list):
            return "[" + ", ".join(self.inline(v) for v in data) + "]"
        return json.dumps(data)

    def jsonc(self, data: Any, pad: str = "") -> str:
        if not data or not isinstance(data, dict | list) or self.rng.random() < self.flow:
            return json.dumps(data)
        named = isinstance(data, dict)
        lines: list[str] = []
        deeper = pad + self.step
        pairs = data.items() if isinstance(data, dict) else enumerate(data)
        for number, (key, one) in enumerate(pairs):
            head = f"{json.dumps(key)}: " if named else ""
            comma = "," if number + 1 < len(data) else ""
            body = f"{deeper}{head}{self.jsonc(one, deeper)}{comma}{self.behind('//')}"
            lines += [*self.above(deeper, "//"), body]
        left, right = "{}" if named else "[]"
        return "\n".join([left, *lines, pad + right])


def source(rng: random.Random, format: str) -> bytes | None:
    """A random text; None if the generator's own reader does not take it."""
    if format == "stream":
        texts = [part for _ in range(rng.randint(1, 3)) if (part := source(rng, "yaml"))]
        return b"---\n".join(t.removeprefix(b"\xef\xbb\xbf") for t in texts)
    if rng.random() < 0.5:
        data, writer = table(rng, 0), Writer(rng)
        if format == "yaml":
            text = "\n".join(writer.yaml(data)) + "\n"
        elif format == "toml":
            text = "\n".join(writer.toml(data)) + "\n"
        else:
            writer.commented = writer.commented if format == "jsonc" else 0.0
            text = writer.jsonc(data) + "\n"
        return text.replace("\n", rng.choice(("\n", "\n", "\n", "\r\n"))).encode()
    try:
        if format == "yaml":
            return fuzzing.Maker(rng).make()[0]
        if format == "toml":
            return fuzzing_toml.TomlMaker(rng).make()[0]
        return fuzzing_json.Maker(rng, format).make()[0]
    except (yaml.YAMLError, ValueError):
        return None


def parse(data: bytes, format: str) -> Document:
    if format == "stream":
        return formats.parse(data, format="yaml", multi=True)
    return formats.parse(data, format=format)


# --- operations


def _handler(name: str, document: Document, item: object) -> None:
    """Changes of a Python handler, by dict and list methods."""
    root = document.root
    if isinstance(root, Sequence):
        root = next((r for r in root if isinstance(r, Mapping)), None)
    if not isinstance(root, Mapping):
        return
    for key, found in list(root.items()):
        if isinstance(found, Sequence) and name == "append":
            found.append(1)
        elif isinstance(found, Mapping) and name == "update":
            found.update({"handled": [key]})
        elif name == "pop" and len(root) > 1:
            root.pop(key)
            return


CONTEXT = Context(
    custom=_handler,
    substitute=regex.substitute,
    search=regex.search,
    groups=regex.groups,
)


@dataclass
class Chooser:
    """Makes operations for a document: mostly with paths and values that mean something there."""

    rng: random.Random
    document: Document
    stream: bool
    fresh: int = 0
    places: list[tuple[Place, Any]] = field(default_factory=list)

    def look(self) -> None:
        """See what is in the document now."""
        self.places = []
        stack: list[tuple[Place, Any]] = [((), self.document.root)]
        while stack:
            place, here = stack.pop()
            self.places.append((place, here))
            if isinstance(here, Mapping | Sequence) and len(place) < 6:
                for number, entry in enumerate(entries_of(here)):
                    if not (entry.node and entry.node.alias and self.rng.random() < 0.8):
                        name = number if entry.name is None else entry.name
                        stack.append(((*place, name), entry.value))

    def pick(self, *kinds: type) -> Place:
        """A place, of one of the kinds if there is one."""
        rng = self.rng
        low = 2 if self.stream and rng.random() < 0.95 else 1
        fit = [p for p, v in self.places if len(p) >= low and isinstance(v, kinds or object)]
        if fit and rng.random() < 0.93:
            return rng.choice(fit)
        longer = [p for p, _ in self.places if len(p) >= low]
        return rng.choice(longer) if longer and rng.random() < 0.7 else ("gone", self.key())

    def path(self, *kinds: type) -> str:
        return show(self.pick(*kinds))

    def wild(self, *kinds: type) -> str:
        """A path that may hold wildcards."""
        parts = list(self.pick(*kinds))
        if self.rng.random() < 0.6:
            return show(parts)
        out = ""
        for part in parts:
            if self.rng.random() < 0.3:
                out += "[*]" if isinstance(part, int) else (".*" if out else "*")
            else:
                text = show([part])
                out += text if text.startswith("[") else (f".{text}" if out else text)
        return "**." + out if self.rng.random() < 0.05 and not out.startswith("[") else out

    def target(self) -> str:
        """A path to write to: new or there, near or far."""
        roll = self.rng.random()
        if roll < 0.25:
            return self.path()
        maps = [p for p, v in self.places if isinstance(v, Mapping)]
        if self.stream:
            maps = [p for p in maps if p] or [(0,)]
        base: Place = (
            self.rng.choice(maps) if maps and roll < 0.9 else ((0,) if self.stream else ())
        )
        return show((*base, *(self.key() for _ in range(self.rng.choice((1, 1, 1, 2))))))

    def key(self) -> str:
        self.fresh += 1
        roll = self.rng.random()
        if roll < 0.4:
            return self.rng.choice(KEYS)
        return self.rng.choice(FRESH) if roll < 0.5 else f"new{self.fresh}"

    def value(self) -> Any:
        roll = self.rng.random()
        if roll < 0.3:
            return plain(self.rng.choice(self.places)[1])
        if roll < 0.5:
            return value(self.rng, 1)
        return self.rng.choice((*FRESH, None, 1, 1.5, True, [], {}, {"name": "q"}, [1, {"x": []}]))

    def item(self, place: Place) -> Any:
        """A value that may be an item of the list at a place."""
        found = next((v for p, v in self.places if p == place), None)
        if isinstance(found, Sequence) and len(found) and self.rng.random() < 0.7:
            one = plain(self.rng.choice(list(found)))
            if isinstance(one, dict) and one and self.rng.random() < 0.5:
                name = self.rng.choice(list(one))
                return {name: one[name]}
            return one
        return self.value()

    def inner(self, place: Place) -> str:
        """A key of the object at a place, or of the items of the list there."""
        found = next((v for p, v in self.places if p == place), None)
        if isinstance(found, Sequence) and len(found):
            found = found[0]
        if isinstance(found, Mapping) and len(found) and self.rng.random() < 0.6:
            return self.rng.choice(list(found))
        return self.rng.choice((*KEYS, "name", "name"))

    def make(self) -> dict[str, Any]:
        """An operation as a migration file has it."""
        self.look()
        rng = self.rng
        kind = rng.choice(list(OPERATIONS))
        if kind in ("note", "manual") and rng.random() < 0.7:
            kind = rng.choice(("move", "list_to_map", "map_to_list", "hoist", "rename_section"))
        body = getattr(self, f"_{kind}")()
        if kind in ("nest", "hoist") and rng.random() < EMPTY_PATHS:
            body["path"] = ""  # the others have no empty path
        operation: dict[str, Any] = {kind: body}
        if rng.random() < 0.08:
            other = rng.choice(("skip", "error"))
            each = {
                "path": self.wild(Mapping),
                "other_types": other,
                "recursive": rng.random() < 0.3,
            }
            operation["for_each"] = each
        if rng.random() < 0.05:
            operation["when"] = {"exists": self.wild()}
        if rng.random() < 0.15:
            operation["allow_shared"] = True
        return operation

    def _move(self) -> Any:
        body = {"from": self.path(), "to": self.target(), "wrap": self.rng.random() < 0.15}
        modes = ("error", "keep", "overwrite", "append", "append_unique", "prepend")
        return body | {"on_conflict": self.rng.choice(modes)}

    def _rename_section(self) -> Any:
        return {"from": self.path(Mapping, Sequence), "to": self.target()}

    def _delete(self) -> Any:
        return {"path": self.wild(), "prune_empty": self.rng.random() < 0.3}

    def _set(self) -> Any:
        return {"path": self.target(), "value": self.value()}

    _default = _set

    def _nest(self) -> Any:
        return {"path": self.path(), "under": self.key()}

    def _hoist(self) -> Any:
        place = self.pick(Mapping)
        others = self.rng.choice(("error", "drop", "drop"))
        return {"path": show(place), "key": self.inner(place), "others": others}

    def _wrap_list(self) -> Any:
        return {"path": self.wild(), "existing_list": self.rng.choice(("keep", "wrap"))}

    def _unwrap_list(self) -> Any:
        many = self.rng.choice(("error", "keep", "first", "last", "first", "last"))
        empty = self.rng.choice(("error", "keep", "delete"))
        return {"path": self.wild(Sequence), "many": many, "empty": empty}

    def _add_item(self) -> Any:
        place = self.pick(Sequence)
        body = {"path": show(place), "value": self.item(place), "unique": self.rng.random() < 0.5}
        return body | {"at": self.rng.choice(("end", "start"))}

    def _insert_after(self) -> Any:
        place = self.pick(Sequence)
        body = {"path": show(place), "after": self.item(place), "value": self.value()}
        return body | {"if_missing": self.rng.choice(("error", "skip", "append"))}

    def _remove_items(self) -> Any:
        place = self.pick(Sequence)
        values = [self.item(place) for _ in range(self.rng.randint(0, 2))]
        return {"path": show(place), "values": values, "prune_empty": self.rng.random() < 0.5}

    def _gather(self) -> Any:
        sources = list({self.path() for _ in range(self.rng.randint(1, 3))})
        sources.sort()
        modes = ("error", "overwrite", "append", "append_unique")
        body = {"from": sources, "to": self.target(), "on_conflict": self.rng.choice(modes)}
        return body | {"keep": self.rng.random() < 0.3, "even_if_none": self.rng.random() < 0.3}

    def _list_to_map(self) -> Any:
        place = self.pick(Sequence)
        return {"path": show(place), "key": self.inner(place), "keep_key": self.rng.random() < 0.3}

    def _map_to_list(self) -> Any:
        place = self.pick(Mapping)
        body = {"path": show(place), "key": self.rng.choice(("name", self.inner(place)))}
        return body | ({"value_key": self.key()} if self.rng.random() < 0.7 else {})

    def _map_value(self) -> Any:
        table: list[dict[str, Any]] = []
        for _ in range(self.rng.randint(0, 3)):
            table.append({"from": plain(self.rng.choice(self.places)[1]), "to": self.value()})
        body: dict[str, Any] = {"path": self.wild(), "map": table}
        return body | ({"otherwise": self.value()} if self.rng.random() < 0.3 else {})

    def _map_items(self) -> Any:
        place = self.pick(Sequence)
        table = [{"from": self.item(place), "to": self.value()} for _ in range(2)]
        return {"path": show(place), "map": table}

    def _convert(self) -> Any:
        to = ("int", "float", "bool", "string", "duration", "list", "positive")
        return {"path": self.wild(str, int, float, bool), "to": self.rng.choice(to)}

    def _replace(self) -> Any:
        with_ = self.rng.choice(FRESH).replace("\\", "")
        return {"path": self.wild(str), "regex": self.rng.choice(REGEXES), "with": with_}

    def _format(self) -> Any:
        fields = [self.path(str, int, float, bool) for _ in range(self.rng.randint(1, 2))]
        fields = [f for f in fields if not set(f) & set("{}")] or ["gone"]
        template = self.rng.choice((":", " # ", "{{", "\n")).join(f"{{{f}}}" for f in fields)
        return {"to": self.target(), "template": template, "consume": self.rng.random() < 0.5}

    def _split(self) -> Any:
        to = {"h": self.target(), "p": self.target()}
        body = {"from": self.path(str), "regex": self.rng.choice(GROUPS), "to": to}
        other = self.rng.choice(("error", "skip"))
        return body | {"keep": self.rng.random() < 0.4, "otherwise": other}

    def _note(self) -> Any:
        return {"text": "t", "path": self.wild()}

    def _manual(self) -> Any:
        return {"reason": "r", "path": self.wild()}

    def _custom(self) -> Any:
        return self.rng.choice(("append", "update", "pop"))


# --- what must hold


def shape(tree: Any) -> Any:
    """A tree as the readers of YAML give it: mappings as pairs."""
    if isinstance(tree, dict):
        return Ordered((k, shape(v)) for k, v in tree.items())
    return [shape(v) for v in tree] if isinstance(tree, list) else tree


def reads_as(data: bytes, tree: Any, format: str) -> bool:
    """Whether an independent reader sees the tree in a text; streams have none here."""
    if format == "yaml":
        # tagged scalars have types of their own there, and types of keys are 1.2's
        return b"!" in data or alike(read12(data), shape(tree), keys=False)
    if format == "toml":
        return mirrors(tree, read_toml(data))
    if format == "json":
        return same_value(json.loads(data), plain(tree))
    return True


def load_one(data: dict[str, Any]) -> Operation:
    loaded, problems = load([data], "m")
    assert not problems, f"the fuzzer made no operation: {problems}"
    return loaded[0]


def apply(document: Document, operations: list[dict[str, Any]]) -> None:
    for operation in operations:
        load_one(operation).run(document, CONTEXT)


def check(data: bytes, format: str, document: Document, out: bytes) -> None:
    """Everything that must hold of what is written. Raises ``AssertionError``."""
    try:
        _check(data, format, document, out)
    except Refused as refused:  # the replay, or the reading of what was written
        raise AssertionError(f"{refused.code} afterwards: {refused.message}") from None


def _check(data: bytes, format: str, document: Document, out: bytes) -> None:
    if not document.changes:
        assert out == data, "nothing changed but the bytes"
    again = parse(out, format)
    assert same_value(plain(again.root), plain(document.root)), (
        f"it reads back as {plain(again.root)!r}, the tree is {plain(document.root)!r}"
    )
    agree = reads_as(data, parse(data, format).root, format)  # else they differ about the source
    assert not agree or reads_as(out, document.root, format), "another reader sees another value"
    assert formats.render(again).data == out, "what is written is not stable"
    assert out.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf"), "the BOM"
    replayed = parse(data, format)
    replayed.allow_shared = True
    replay(
        replayed, (Change.from_json(json.loads(json.dumps(c.as_json()))) for c in document.changes)
    )
    assert formats.render(replayed).data == out, "a replayed journal gives other bytes"


@dataclass
class Run:
    """One document and what was done to it."""

    seed: int
    format: str
    data: bytes = b""
    log: list[dict[str, Any]] = field(default_factory=list)
    out: bytes = b""

    def __str__(self) -> str:
        steps = "\n".join(f"- {json.dumps(o, ensure_ascii=False)}" for o in self.log)
        return (
            f"seed {self.seed} ({self.format})\n{steps}\n--- source\n{self.data.decode()}"
            f"\n--- result\n{self.out.decode()}"
        )

    def go(self) -> str:
        """The outcome's name. Raises ``AssertionError``, or whatever the engine raises."""
        rng = random.Random(self.seed)
        made = source(rng, self.format)
        if made is None:
            return "no source"
        self.data = made
        try:
            document = parse(made, self.format)
        except Refused as refused:
            return f"refused at parse: {refused.code}"
        refusals = 0
        for _ in range(rng.randint(1, 6)):
            chooser = Chooser(rng, document, self.format == "stream", fresh=10 * len(self.log))
            operation = chooser.make()
            self.log.append(operation)
            try:
                apply(document, [operation])
            except Refused:
                refusals += 1
                self.log.pop()
                document = parse(made, self.format)  # it was left in an undefined state
                apply(document, self.log)
        try:
            self.out = formats.render(document).data
        except Refused as refused:
            return f"refused at render: {refused.code}"
        check(made, self.format, document, self.out)
        return "written" if document.changes else "no change"


def shrink(run: Run, fails: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The operations without those the failure does not need."""
    log = list(run.log)
    for operation in list(log):
        fewer = [o for o in log if o is not operation]
        if fails(fewer):
            log = fewer
    return log


def outcome(data: bytes, format: str, log: list[dict[str, Any]]) -> str:
    """What happens to a document, in one word; the kind of the error if it is one."""
    try:
        document = parse(data, format)
        apply(document, log)
        check(data, format, document, formats.render(document).data)
    except Refused as refused:
        return f"refused: {refused.code}"
    except AssertionError as error:
        return f"wrong: {str(error)[:24]}"
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"crash: {type(error).__name__} in {frame.name}"
    return "fine"


@pytest.mark.parametrize("format", FORMATS)
def test_random_operations_do_or_refuse_and_what_is_written_reads_as_the_tree(format: str) -> None:
    outcomes: Counter[str] = Counter()
    found: dict[str, Run] = {}
    seen: Counter[str] = Counter()
    for seed in range(START, START + COUNT):
        run = Run(seed, format)
        try:
            name = run.go()
        except Exception:
            name = "failed"
        outcomes[name] += 1
        if name != "failed" and name != "refused at render: verify_failed":
            continue
        kind = outcome(run.data, format, run.log)
        data = run.data
        run.log = shrink(run, lambda log, k=kind, d=data: outcome(d, format, log) == k)  # type: ignore[misc]
        seen[kind] += 1
        if kind not in found or len(str(run)) < len(str(found[kind])):
            found[kind] = run
    print(f"\noperations on {format}: {dict(outcomes.most_common())}")
    blamed = found.get("refused: verify_failed")
    if blamed is not None and os.environ.get("CONFMIG_FUZZ_SHOW"):
        print(f"verify_failed, the shortest:\n{blamed}")
    failures = [
        f"{kind} ({seen[kind]} times)\n{run}"
        for kind, run in found.items()
        if not kind.startswith("refused")
    ]
    assert not failures, "\n\n".join([f"{len(failures)} kinds of failures", *failures])


def test_every_kind_of_operation_is_made() -> None:
    made: Counter[str] = Counter()
    for seed in range(60):
        rng = random.Random(seed)
        document = parse(b"a: [{name: x}]\nm: {k: v}\n", "yaml")
        for _ in range(10):
            operation = Chooser(rng, document, False).make()
            load_one(operation)
            made.update(k for k in operation if k in OPERATIONS)
    assert made.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("format", FORMATS)
def test_the_generator_writes_what_its_format_takes(format: str) -> None:
    """The texts of this file's own writer are read by the format's usual reader."""
    for seed in range(100):
        rng = random.Random(seed)
        data, writer = table(rng, 0), Writer(rng)
        if format in ("yaml", "stream"):
            assert yaml.safe_load("\n".join(writer.yaml(data))) is not None
        elif format == "toml":
            assert tomllib.loads("\n".join(writer.toml(data))) == data
        else:
            writer.commented = 0.0
            assert json.loads(writer.jsonc(data)) == data
