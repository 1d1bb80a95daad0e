"""Random edits of real files: none may give a wrong value or crash; refusals are counted by code.

``python -m tests.documents.real_files DIRECTORY...`` prints the figures for any directories.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confmig.documents import formats
from confmig.documents.model.dialects import dialect_of
from confmig.documents.model.document import Document
from confmig.documents.model.lookup import Hit
from confmig.documents.model.tree import (
    Container,
    Entry,
    Mapping,
    Sequence,
    entries_of,
    walk_entries,
)
from confmig.documents.model.values import plain, same_value
from confmig.errors import ConfmigError

SUFFIXES = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".toml": "toml",
    ".ini": "ini",
    ".cfg": "ini",
    ".service": "ini",
    ".properties": "properties",
    ".env": "dotenv",
}
TEXT_ONLY = ("ini", "properties", "dotenv")
MOST = 256 * 1024
"""Bytes of the largest file that is edited."""


@dataclass
class Figures:
    """What became of the edits, by format."""

    files: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    edits: Counter[str] = field(default_factory=Counter)
    refused: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    items: Counter[str] = field(default_factory=Counter)

    def refuse(self, format: str, code: str) -> None:
        """Count a refusal."""
        self.refused.setdefault(format, Counter())[code] += 1

    def report(self) -> str:
        """The figures as lines."""
        lines = []
        for format in sorted(self.files):
            refused = self.refused.get(format, Counter())
            edits = self.edits[format]
            share = refused.total() / edits if edits else 0.0
            lines.append(
                f"{format}: {self.files[format]} files ({self.unread[format]} not read), {edits}"
                f" edits, {share:.1%} refused: {dict(refused.most_common())}"
            )
        lost = self.items["refused"]
        total = lost + self.items["edited"]
        if total:
            codes = dict(self.refused.get("first two keys of an item", Counter()).most_common())
            lines.append(
                f"block list items of three keys or more: {total}; {lost / total:.1%} refuse to"
                f" lose the first two: {codes}"
            )
        lines.append(f"wrong values or crashes: {len(self.wrong)}")
        return "\n".join(lines)


def real_files(*folders: Path) -> Iterator[tuple[Path, str]]:
    """The files whose format is known by their suffix, each content once."""
    seen: set[bytes] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            format = SUFFIXES.get(path.suffix)
            if format is None or not path.is_file() or path.is_symlink():
                continue
            if 0 < path.stat().st_size <= MOST:
                data = path.read_bytes()
                if data not in seen:
                    seen.add(data)
                    yield path, format


def run(files: Iterator[tuple[Path, str]], count: int, most: int | None = None) -> Figures:
    """Make ``count`` random edits of each of the files, ``most`` files of a format at most."""
    figures = Figures()
    for path, format in files:
        if most is not None and figures.files[format] >= most:
            continue
        data = path.read_bytes()
        figures.files[format] += 1
        try:
            _parsed(data, format, path)
        except ConfmigError:
            figures.unread[format] += 1
            continue
        rng = random.Random(f"{path.name}:{len(data)}")
        for number in range(count):
            _one(figures, path, format, data, rng, number)
        if format == "yaml":
            _items(figures, path, data)
    return figures


def _one(
    figures: Figures, path: Path, format: str, data: bytes, rng: random.Random, number: int
) -> None:
    document = _parsed(data, format, path)
    figures.edits[format] += 1
    try:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            _edit(document, rng)
        out = formats.render(document).data
        again = _parsed(out, format, path)
        if not same_value(_values(again, format), _values(document, format)):
            figures.wrong.append(f"{path}, edit {number}: another value")
        if not document.changes and out != data:
            figures.wrong.append(f"{path}, edit {number}: changed without a change")
    except ConfmigError as error:
        figures.refuse(format, error.code)
    except Exception as error:
        figures.wrong.append(f"{path}, edit {number}: {error!r}")


def _parsed(data: bytes, format: str, path: Path) -> Document:
    """The document, in the dialect that a file of this name has."""
    if format not in TEXT_ONLY:
        return formats.parse(data, format=format)
    return formats.parse(data, format=format, lines=dialect_of([path.name], {}))


def _values(document: Document, format: str) -> Any:
    values = plain(document.root)
    return _texts(values) if format in TEXT_ONLY else values


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _texts(v) for k, v in value.items()}
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)


def _edit(document: Document, rng: random.Random) -> None:
    """One edit of the kinds that migrations make most."""
    hits = _hits(document)
    if not hits:
        document.set("added", "x")
        return
    hit = rng.choice(hits)
    container, entry = hit.container, hit.entry
    flat = document.format in TEXT_ONLY
    kind = rng.choice(
        ("delete", "set", "text", "rename", "move", "default", "wrap", "nest", "items", "first")
    )
    if kind == "delete":
        document.remove(container, entry)
    elif kind == "set":
        document.replace(container, entry, "new" if flat else rng.choice((1, True, "new", 1.5)))
    elif kind == "text" and isinstance(entry.value, str):
        document.replace(container, entry, entry.value.replace("a", "o", 1))
    elif kind == "rename" and entry.name is not None and isinstance(container, Mapping):
        document.relocate(hit, container, _fresh(container, entry.name))
    elif kind == "move" and entry.name is not None and isinstance(document.root, Mapping):
        target = document.root if not flat else container
        assert isinstance(target, Mapping)
        document.relocate(hit, target, _fresh(target, entry.name))
    elif kind == "default" and isinstance(container, Mapping):
        document.add(container, _fresh(container, "added"), "x" if flat else {"y": [1, "two"]})
    elif kind == "wrap" and not flat:
        document.enclose(container, entry, None)
    elif kind == "nest" and not flat:
        document.enclose(container, entry, "inner")
    elif kind == "items" and isinstance(entry.value, Sequence) and len(entry.value) > 1:
        values = plain(entry.value)
        del values[rng.randrange(len(values))]
        document.replace(container, entry, [*values, "added"])
    elif kind == "first" and isinstance(entry.value, Mapping) and len(entry.value) > 2:
        for inner in entries_of(entry.value)[:2]:
            document.remove(entry.value, inner)


def _hits(document: Document) -> list[Hit]:
    if not isinstance(document.root, Mapping | Sequence):
        return []
    return [
        Hit(container, entry)
        for container, entry in walk_entries(document.root)
        if entry.name != "<<" and not (entry.node is not None and entry.node.alias is not None)
    ]


def _fresh(mapping: Mapping, name: str) -> str:
    while name in mapping:
        name += "_"
    return name


def _items(figures: Figures, path: Path, data: bytes) -> None:
    """Whether every block list item of three keys or more can lose its first two."""
    document = formats.parse(data, format="yaml")
    places = [place for place in _wide_items(document) if place]
    for number in range(min(len(places), 20)):
        document = formats.parse(data, format="yaml")
        item = list(_wide_items(document))[number]
        try:
            for inner in entries_of(item)[:2]:
                document.remove(item, inner)
            formats.render(document)
            figures.items["edited"] += 1
        except ConfmigError as error:
            if error.code == "shared_node":
                continue  # others point at it: refused on purpose
            figures.items["refused"] += 1
            figures.refuse("first two keys of an item", error.code)
        except Exception as error:
            figures.wrong.append(f"{path}, item {number}: {error!r}")


def _wide_items(document: Document) -> Iterator[Mapping]:
    if not isinstance(document.root, Mapping | Sequence):
        return
    every: list[tuple[Container, Entry]] = list(walk_entries(document.root))
    for container, entry in every:
        value, node = entry.value, entry.node
        if isinstance(container, Sequence) and isinstance(value, Mapping) and len(value) > 2:
            flow = node is None or node.flow or node.alias is not None
            if not flow:
                yield value


if __name__ == "__main__":
    found = run(real_files(*map(Path, sys.argv[1:])), 15)
    print(found.report())
    print("\n".join(found.wrong[:20]))
