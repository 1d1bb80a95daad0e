"""Which values would be in no file if the files of a conflict stayed as they are.

A migration moved ``x`` from a.yaml to b.yaml; a.yaml is written, b.yaml is not: ``x`` is in no
file.
Every value that an old file would gain counts, unless some file has the same value today, or the
migration itself has it (then it came from no file).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from confmig.adapters.workers.records import HalfDone
from confmig.core.bundle.manifest import Config, Manifest
from confmig.documents.model.document import Document
from confmig.documents.model.path import show
from confmig.documents.model.values import plain
from confmig.errors import ConfmigError


class Reader(Protocol):
    """The part of a bundle that this needs; see ``bundle.LoadedBundle``."""

    @property
    def manifest(self) -> Manifest: ...

    def parse(self, config: Config, data: bytes) -> Document: ...

    def source(self, migration: str) -> bytes: ...


def lost_values(bundle: Reader, files: Sequence[HalfDone]) -> tuple[str, ...]:
    """See ``adapters.workers.protocol.Bundle.lost``."""
    today = {text for f in files for _, text in _leaves_of(bundle, f, f.current)}
    out = []
    for number in dict.fromkeys(f.group for f in files):
        group = [f for f in files if f.group == number]
        taken = [
            (f, place, text)
            for f in group
            if f.is_new
            for place, text in _only_in_second(bundle, f, f.new, f.old)
        ]
        if not any(f.is_new for f in group):
            continue
        ids = dict.fromkeys(m for f in group for m in f.migrations)
        written = b"".join(bundle.source(m) for m in ids).decode()
        for file in group:
            if file.is_new:
                continue
            stamp = bundle.manifest.configs[file.config].stamp
            for place, text in _only_in_second(bundle, file, file.old, file.new):
                stamped = stamp is not None and place == stamp.path
                if stamped or any(_holds(t, text) for t in today):
                    continue
                source = next((t for t in taken if _holds(text, t[2])), None)
                if source is not None:
                    at = f"{source[0].path}: {source[1]}"
                    out.append(f"{at} (taken out, and not yet written to {file.path}: {place})")
                elif not _is_written(text, written):
                    out.append(f"{file.path}: {place}")
    return tuple(out)


def _only_in_second(
    bundle: Reader, file: HalfDone, first: bytes, second: bytes
) -> list[tuple[str, str]]:
    """The values, with their places, that the second text of a file has and the first has not."""
    known = [text for _, text in _leaves_of(bundle, file, first)]
    out = []
    for place, text in _leaves_of(bundle, file, second):
        if text in known:
            known.remove(text)
        else:
            out.append((place, text))
    return out


def _is_written(value: str, text: str) -> bool:
    """Whether a value is in the text of a migration, and not only as a part of a longer word."""
    return re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", text) is not None


def _leaves_of(bundle: Reader, file: HalfDone, data: bytes) -> list[tuple[str, str]]:
    """Every value of a text with its place; none if it cannot be read."""
    try:
        document = bundle.parse(bundle.manifest.configs[file.config], data)
    except ConfmigError:
        return []
    return list(_leaves(plain(document.root), ()))


def _leaves(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*place, str(key)))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, (*place, number))
    else:
        yield show(place), str(value).lower() if isinstance(value, bool) else str(value)


_SHORT = 4


def _holds(text: str, value: str) -> bool:
    """Whether a value is another one, or a part of it (``format`` puts several into one text)."""
    return text == value or (len(value) >= _SHORT and value in text)
