"""Paths into a document, as migrations write them.

``dns.bind_host``, ``clients[*].ids``, ``clients[0]``, ``tls.*.port`` (any key),
``**.enabled`` (any depth), ``['key.with.dots'].x`` or ``"key.with.dots".x``. The empty path is
the root. Within ``['...']`` a backslash escapes a quote, itself, and ``n`` for a line break. A
path is text in bundles and reports and a tuple of segments inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from confmig.errors import Refused


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a mapping."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A position in a sequence."""

    at: int


@dataclass(frozen=True, slots=True)
class AnyItem:
    """``[*]``: every item of a sequence."""


@dataclass(frozen=True, slots=True)
class AnyKey:
    """``*``: every key of a mapping."""


@dataclass(frozen=True, slots=True)
class AnyDepth:
    """``**``: this container and every container below it."""


Segment = Key | Index | AnyItem | AnyKey | AnyDepth
Path = tuple[Segment, ...]
Place = tuple[str | int, ...]
"""A concrete path: keys and positions only."""

_TOKEN = re.compile(
    r"""
    (?P<deep>\*\*) | (?P<any>\*)
  | \[(?P<item>\*)\] | \[(?P<index>\d+)\]
  | \[(?P<q>['"])(?P<bracket>(?:\\.|(?!(?P=q))[^\\])*)(?P=q)\]
  | "(?P<quoted>[^"]*)"
  | (?P<key>[^.\[\]"*\s][^.\[\]"*]*)
    """,
    re.VERBOSE,
)


_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


@lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """Turn the text of a path into its segments.

    Raises ``Refused`` (``path_invalid``) and names the position of what cannot be read.
    """
    segments: list[Segment] = []
    at = 0
    while at < len(text):
        if segments and text[at] == ".":
            at += 1
        elif segments and text[at] != "[":
            raise _invalid(text, at, "a '.' or '[' is expected")
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid(text, at, "a key, [number], [*], * or ** is expected")
        if match["deep"]:
            segments.append(AnyDepth())
        elif match["any"]:
            segments.append(AnyKey())
        elif match["item"]:
            segments.append(AnyItem())
        elif match["index"]:
            segments.append(Index(int(match["index"])))
        else:
            if match["bracket"] is not None:
                segments.append(Key(_UNESCAPE.sub(_unescaped, match["bracket"])))
            else:
                segments.append(Key(match["quoted"] if match["key"] is None else match["key"]))
        at = match.end()
    return tuple(segments)


def _invalid(text: str, at: int, why: str) -> Refused:
    return Refused(
        "path_invalid",
        f"path `{text}` cannot be read at character {at + 1}: {why}",
        fix="write keys joined by dots, [n] or [*] for list items, ['a.b'] for other keys",
    )


def show(place: Iterable[str | int]) -> str:
    """The text of a concrete path; ``parse(show(p))`` names the same place."""
    out = ""
    for part in place:
        if isinstance(part, int):
            out += f"[{part}]"
        elif re.fullmatch(r"[^.\[\]\"'*\s][^.\[\]\"'*\s]*", part):
            out += f".{part}" if out else part
        else:
            escaped = part.replace("\\", "\\\\").replace("\n", "\\n").replace("'", "\\'")
            out += f"['{escaped}']"
    return out


def is_concrete(path: Path) -> bool:
    """Whether the path names at most one place."""
    return all(isinstance(segment, Key | Index) for segment in path)
