"""Random migrations of random documents, then random edits of what they wrote.

The edits are in the old text where they were made, or it is a conflict.

Names, values and comments are unique markers, so the same edit can be made in the old text without
asking the engine where that is. ``CONFMIG_FUZZ`` is the number of documents, ``CONFMIG_FUZZ_START``
the first seed; ``-s`` shows the outcomes. A seed names its document, migration and edits for ever.
"""

from __future__ import annotations

import difflib
import os
import random
import re
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from confmig.documents import formats
from confmig.documents.model.document import Document
from confmig.documents.model.path import show
from confmig.documents.rebase.documents import Conflict, rebase
from confmig.documents.rebase.values import Forwarded
from confmig.errors import Refused
from tests.documents.helpers import Ordered, parse, read11, read12
from tests.documents.yaml.fuzzing import Entry, Maker, Node, Session, walk

COUNT = int(os.environ.get("CONFMIG_FUZZ", "300"))
SLOW = int(os.environ.get("CONFMIG_FUZZ", "2000"))
START = int(os.environ.get("CONFMIG_FUZZ_START", "0"))
UNNECESSARY = 0.01
"""The share of edited documents that may be refused although every edit has a place."""
_NOTE = re.compile(r"#[cde]\d+\.")
_VALUE = re.compile(r"\bv\d+q\b")
_FRESH = re.compile(r"\bs\d+q\b")
Calls = list[tuple[str, tuple[Any, ...]]]


class Marked(Maker):
    """A maker whose scalars hold markers, most of them."""

    def scalar(self, *, flow: bool) -> str:
        if self.chance(0.25):
            return super().scalar(flow=flow)
        self.count += 1
        mark = f"v{self.count}q"
        shapes = ("{}", "{}", "{}", "'{}'", '"{}"', "two {}", "'{} # no'", '"a\\t{}"', "käse-{}")
        return self.rng.choice(shapes).format(mark)

    def long(self, entry: Entry, head: str, column: int, deep: str) -> list[str]:
        lines = super().long(entry, head, column, deep)
        for number, line in enumerate(lines[1:], 1):
            self.count += 1
            lines[number] = line.replace("text", f"text v{self.count}q", 1)
        return lines


class Unaddressed(Exception):
    """The operation names an item by its number: after an edit that is another item."""


class Steps(Session):
    """Random migrations whose calls are kept, so that they can be made on another document."""

    def __init__(self, rng: random.Random, document: Document, root: Node) -> None:
        super().__init__(rng, document, root)
        self.calls: Calls = []

    def value(self) -> Any:
        self.fresh += 1
        one = f"s{self.fresh}q"
        return self.rng.choice((one, one, one, {"in": one}, [one], {"in": {"deep": [one, 1]}}))

    def name(self) -> str:
        self.fresh += 1
        return f"new{self.fresh}"

    def do(self, name: str, *args: Any) -> None:
        if "[" in str(args[0]).replace("['", "") or (name == "move" and "[" in str(args[1])):
            raise Unaddressed
        super().do(name, *args)
        self.calls.append((name, args))

    def step(self) -> None:
        here = list(walk(self.root))
        kinds = ("new", "delete", "rename", "rename", "move", "move", "wrap", "wrap", "set")
        kind = self.rng.choice(kinds)
        maps = [(p, e.node) for _, e, p in here if e.node.kind == "map" and not e.alias]
        maps += [((), self.root)] if self.root.kind == "map" else []
        keyed = [(p, e, at) for p, e, at in here if e.key is not None]
        if not maps or not keyed:
            return
        parent, entry, place = self.rng.choice(keyed)
        if kind == "set" and self.rng.random() < 0.5:
            self._set(parent, entry, place)
        elif kind in ("set", "new"):
            self._new(*self.rng.choice(maps))
        elif kind == "delete" and self.rng.random() < 0.6:
            self.do("delete", show(place))
            parent.entries.remove(entry)
        elif kind == "rename":
            name = self.name()
            self.do("rename", show(place), name)
            entry.key = name
        elif kind == "move":
            self._move(parent, entry, place, *self.rng.choice(maps))
        elif kind == "wrap":
            under = self.rng.choice((None, self.name()))
            self.do("wrap", show(place), under)
            self.moved.add(id(entry))
            self.deep_touch(entry.node)
            inner = Entry(under, entry.node, alias=entry.alias)
            entry.node = Node("list" if under is None else "map", [inner])
            entry.alias = False


@dataclass
class Case:
    """One document, its migration, and today's text.

    ``want`` is the old text with the same edits; ``clashes`` are edits that have no place in
    it, ``loose`` those with more than one.
    """

    rng: random.Random
    old: str
    new: str
    root: Node
    parents: dict[int, int]
    nodes: dict[int, int]
    today: str = ""
    want: str = ""
    log: list[str] = field(default_factory=list)
    clashes: int = 0
    loose: int = 0
    marks: list[str] = field(default_factory=list)
    above: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0
    newline: str = "\n"

    def edit(self) -> bool:
        """One edit; whether there was something for it."""
        kinds = (
            *(self.scalar, self.scalar, self.flow_item, self.comment, self.no_comment),
            *(self.comment_above, self.key, self.key, self.item, self.no_line, self.last),
            *(self.made, self.made_beside),
        )
        return self.rng.choice(kinds)()

    # --- helpers

    def said(self, what: str) -> bool:
        self.log.append(what)
        return True

    def both(self, find: str, put: str) -> None:
        self.today = self.today.replace(find, put)
        self.want = self.want.replace(find, put)

    def shared(self, pattern: re.Pattern[str]) -> str | None:
        """A marker that is in both texts, once."""
        a, b = (Counter(pattern.findall(t)) for t in (self.today, self.want))
        found = [m for m in a if a[m] == 1 and b[m] == 1]
        return self.rng.choice(found) if found else None

    def lines(self, text: str) -> list[str]:
        return text.split(self.newline)

    def anchors(self, kind: str) -> list[tuple[Node, str]]:
        """Lines of entries that stand in both texts, once, in the mapping or list of before."""
        a, b = (Counter(x.strip() for x in self.lines(t)) for t in (self.today, self.want))
        found = []
        for parent, entry, _ in walk(self.root):
            line = (entry.line or "").strip()
            same = self.parents.get(id(entry)) == id(parent) and parent.kind == kind
            same = same and self.nodes[id(entry)] == id(entry.node)  # else it was wrapped or set
            if line and same and a[line] == 1 and b[line] == 1:
                found.append((parent, line))
        return found

    def put(self, text: str, anchor: str, line: str | None, *, below: bool) -> str:
        """A line beside another one, with its indentation; None: the other one goes."""
        lines = self.lines(text)
        [at] = [n for n, x in enumerate(lines) if x.strip() == anchor]
        if line is None:
            del lines[at]
        else:
            pad = lines[at][: len(lines[at]) - len(lines[at].lstrip(" "))]
            lines.insert(at + below, pad + line)
        return self.newline.join(lines)

    # --- edits with one exact place

    def scalar(self) -> bool:
        mark = self.shared(_VALUE)
        if mark is None:
            return False
        self.both(mark, "w" + mark)
        return self.said(f"scalar {mark}")

    def flow_item(self) -> bool:
        found = []
        for parent, entry, _ in walk(self.root):
            mark = entry.node.v11
            if (
                entry.line is None
                and isinstance(mark, str)
                and _VALUE.fullmatch(mark)
                and self.parents.get(id(entry)) == id(parent)
            ):
                for text in (self.today, self.want):
                    if len(re.findall(rf"[\[{{,] ?(?:k\d+: )?{mark} ?[,\]}}]", text)) != 1:
                        break
                else:
                    found.append((parent.kind, mark))
        if not found:
            return False
        kind, mark = self.rng.choice(found)
        self.count += 1
        more = f"n{self.count}q" if kind == "list" else f"add{self.count}: n{self.count}q"
        self.both(mark, f"{mark}, {more}")
        return self.said(f"flow item after {mark}")

    def comment(self) -> bool:
        mark = self.shared(re.compile(r"#c\d+\."))
        if mark is None:
            return False
        self.both(mark, "#d" + mark[2:])
        return self.said(f"comment {mark}")

    def no_comment(self) -> bool:
        mark = self.shared(re.compile(r"#c\d+\."))
        if mark is None:
            return False
        for name in ("today", "want"):
            text = getattr(self, name)
            whole = rf"(?m)^ *{re.escape(mark)}[^\r\n]*(?:\r?\n|\Z)"
            cut, times = re.subn(whole, "", text)
            if not times:
                cut = re.sub(rf" *{re.escape(mark)}[^\r\n]*", "", text)
            setattr(self, name, cut)
        return self.said(f"no comment {mark}")

    def comment_above(self) -> bool:
        found = self.anchors("map") + self.anchors("list")
        if not found:
            return False
        _, anchor = self.rng.choice(found)
        self.count += 1
        note = f"#e{self.count}. mine"
        self.today = self.put(self.today, anchor, note, below=False)
        self.want = self.put(self.want, anchor, note, below=False)
        self.above.append((note, anchor))
        return self.said(f"comment above {anchor}")

    def key(self) -> bool:
        found = self.anchors("map")
        if not found:
            return False
        self.count += 1
        below = self.rng.random() < 0.5
        _, anchor = self.rng.choice(found)
        line = f"add{self.count}: n{self.count}q"
        self.today = self.put(self.today, anchor, line, below=below)
        self.want = self.put(self.want, anchor, line, below=below)
        return self.said(f"key {'below' if below else 'above'} {anchor}")

    def item(self) -> bool:
        found = [(p, x) for p, x in self.anchors("list") if x.startswith("- ")]
        if not found:
            return False
        self.count += 1
        _, anchor = self.rng.choice(found)
        line = f"- n{self.count}q"
        self.today = self.put(self.today, anchor, line, below=True)
        self.want = self.put(self.want, anchor, line, below=True)
        return self.said(f"item below {anchor}")

    def no_line(self) -> bool:
        """A key or an item goes; its neighbours keep their comments."""
        found = [
            (p, x)
            for p, x in self.anchors("map") + self.anchors("list")
            if len(p.entries) > 2 and " &a" not in x
        ]
        if not found:
            return False
        _, anchor = self.rng.choice(found)
        self.today = self.put(self.today, anchor, None, below=False)
        self.want = self.put(self.want, anchor, None, below=False)
        return self.said(f"no line {anchor}")

    def last(self) -> bool:
        texts = (self.today, self.want)
        if self.root.kind != "map" or any(t.rstrip().endswith("...") for t in texts):
            return False
        self.count += 1
        line = f"last{self.count}: n{self.count}q"
        self.today, self.want = (
            t + line + self.newline if t.endswith("\n") else t + self.newline + line for t in texts
        )
        return self.said("a last key")

    # --- edits of what the migration wrote

    def made(self) -> bool:
        found = [m for m, n in Counter(_FRESH.findall(self.today)).items() if n == 1]
        if not found:
            return False
        mark = self.rng.choice(found)
        self.today = self.today.replace(mark, "w" + mark)
        self.clashes += 1
        return self.said(f"made {mark}")

    def made_beside(self) -> bool:
        """A comment above a line that the migration wrote: there, or a conflict."""
        found = [x.strip() for x in self.lines(self.today) if re.match(r" *(new\d+|in): s\d+q$", x)]
        found = [x for x, n in Counter(found).items() if n == 1]
        if not found:
            return False
        self.count += 1
        note = f"#e{self.count}. mine"
        self.today = self.put(self.today, self.rng.choice(found), note, below=False)
        self.marks.append(note)
        self.loose += 1
        return self.said("comment above what was made")


def values(data: bytes | str) -> tuple[Any, Any]:
    """What readers of YAML 1.1 and 1.2 see; the order of keys is no matter."""
    raw = data.encode() if isinstance(data, str) else data
    return _unordered(read11(raw)), _unordered(read12(raw))


def _unordered(value: Any) -> Any:
    if isinstance(value, Ordered):
        return {str(k): _unordered(v) for k, v in value}
    if isinstance(value, list):
        return [_unordered(v) for v in value]
    return (type(value).__name__, repr(value))


def run(seed: int) -> str:
    """One document, migration and edits; the outcome's name. Raises ``AssertionError``."""
    rng = random.Random(seed)
    try:
        data, root = Marked(rng).make()
        document = parse(data)
    except (yaml.YAMLError, ValueError, Refused):
        return "no document"
    before = list(walk(root))
    parents = {id(e): id(p) for p, e, _ in before}
    nodes = {id(e): id(e.node) for _, e, _ in before}
    alive = [(e, e.node, p) for p, e, _ in before]  # an id names one thing as long as that lives
    steps = Steps(rng, document, root)
    many = rng.randint(1, 5)
    for _ in range(4 * many):
        if len(steps.calls) == many:
            break
        try:
            steps.step()
        except Unaddressed:
            continue
        except Refused as refused:
            if refused.code != "shared_node":
                return "no migration"
    try:
        rendered = formats.render(document)
    except Refused:
        return "no migration"
    if not steps.calls or rendered.data == data:
        return "no migration"
    old, new = data.decode(), rendered.data.decode()
    newline = "\r\n" if "\r\n" in old else "\n"
    case = Case(rng, old, new, root, parents, nodes, today=new, want=old, newline=newline)
    for _ in range(rng.randint(1, 3)):
        for _ in range(4):
            if case.edit():
                break
    try:
        parse(case.today.encode())
        today = values(case.today)
        if not case.clashes:
            parse(case.want.encode())
            values(case.want)
    except (yaml.YAMLError, ValueError, Refused):
        return "no edit"
    if case.today == new or not alive:
        return "no edit"

    def forward(text: bytes) -> Forwarded:
        again = parse(text)
        for name, args in steps.calls:
            getattr(again, name)(*args)
        return Forwarded(again, parse(formats.render(again).data))

    def back() -> bytes | Conflict:
        try:
            return rebase(
                data, rendered.data, case.today.encode(), rendered.segments, parse, forward
            )
        except Conflict as conflict:
            return conflict

    try:
        first, second = back(), back()
        if isinstance(first, Conflict):
            assert isinstance(second, Conflict), "twice the same gave two results"
            assert first.places, "a conflict without places"
            assert first.places == second.places, "twice the same gave two conflicts"
            outcome = _conflict(case)
            if outcome == "unnecessary conflict":
                case.log.append(str(first))
        else:
            assert first == second, "twice the same gave two results"
            result = first.decode()
            migrated = formats.render(forward(first).tree).data
            assert values(migrated) == today, "migrated again it has other values than today"
            outcome = _result(case, result)
    except Exception as error:
        what = str(error) if isinstance(error, AssertionError) else traceback.format_exc(limit=-6)
        raise AssertionError(_story(seed, what, steps, case, locals().get("first"))) from None
    if os.environ.get("CONFMIG_FUZZ_SHOW") == outcome:
        print(_story(seed, outcome, steps, case, first))
    return outcome


def _story(seed: int, what: str, steps: Steps, case: Case, got: object) -> str:
    calls = "\n".join(f"{n}{a}" for n, a in steps.calls)
    story = f"seed {seed}: {what}\n{calls}\n{case.log}\n--- old\n{case.old}"
    story += _diff("migrated", case.old, case.new) + _diff("today", case.new, case.today)
    if isinstance(got, bytes):
        return story + _diff("got instead of wanted", case.want, got.decode())
    return story + f"\n--- got {got}"


def _diff(what: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return f"\n--- {what}\n" + "\n".join(list(lines)[2:])


def _conflict(case: Case) -> str:
    if case.clashes:
        return "necessary conflict"
    return "conflict beside what was made" if case.loose else "unnecessary conflict"


def _result(case: Case, result: str) -> str:
    """How a result compares with the old text in which the same edits were made."""
    assert not case.clashes, "a result, though what the migration wrote was edited"
    kept = case.want.encode()
    for note in case.marks:
        assert result.count(note) == 1, f"{note} was dropped"
    if result == case.want:
        return "exact"
    assert values(result) == values(kept), "other values than the same edits give in the old text"
    notes = [Counter(_NOTE.findall(text)) for text in (result, case.want)]
    more = Counter(m for note in case.marks for m in _NOTE.findall(note))
    assert notes[0] - more == notes[1], "other comments than the same edits give in the old text"
    for note, anchor in case.above:
        lines = [x.strip() for x in case.lines(result)]
        rest = [x for x in lines[lines.index(note) + 1 :] if x and not x.startswith("#")]
        if anchor in lines:
            assert rest[:1] == [anchor], f"the comment {note} is not above {anchor}"
    have = [x for x in case.lines(result) if x.strip() not in case.marks]
    want = case.lines(case.want)
    if have == want:
        return "exact, and a comment of what was made"
    return "other order of lines" if Counter(have) == Counter(want) else "other lines"


def fuzz(count: int) -> None:
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    for seed in range(START, START + count):
        try:
            outcomes[run(seed)] += 1
        except AssertionError as error:
            outcomes["wrong"] += 1
            failures.append(str(error))
    edited = sum(n for name, n in outcomes.items() if not name.startswith("no "))
    refused = outcomes["unnecessary conflict"] / max(edited, 1)
    print(f"\nrebase: {edited} edited, {refused:.1%} refused needlessly; {dict(outcomes)}")
    assert not failures, f"{len(failures)} failures, first ones:\n" + "\n\n".join(failures[:3])
    assert refused < UNNECESSARY, f"{refused:.1%} are refused though each edit has a place"
    assert outcomes["exact"] > edited * 0.5


def test_random_edits_after_random_migrations_are_placed_or_refused() -> None:
    fuzz(COUNT)


@pytest.mark.slow
def test_many_random_edits_after_random_migrations_are_placed_or_refused() -> None:
    fuzz(SLOW)
