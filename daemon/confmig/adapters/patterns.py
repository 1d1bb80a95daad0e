"""File patterns: ``*`` and ``?`` stay within a name, ``**/`` crosses directories."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache


@lru_cache(maxsize=256)
def pattern(text: str) -> re.Pattern[str]:
    """A file pattern as a regular expression: ``*`` and ``?`` stay within a name, ``**/`` crosses
    directories."""
    out, at = "", 0
    while at < len(text):
        if text.startswith("**/", at):
            out += "(?:[^/]+/)*"
            at += 3
        elif text[at] == "*":
            out += "[^/]*"
            at += 1
        elif text[at] == "?":
            out += "[^/]"
            at += 1
        else:
            out += re.escape(text[at])
            at += 1
    return re.compile(out + r"\Z")


def way(text: str) -> Callable[[str], str | None]:
    """Whether a pattern leads through a directory: ``named`` by its own words, ``any`` through
    ``**``, or None."""
    *folders, _ = text.split("/")
    deep = folders.index("**") if "**" in folders else None
    fixed = [pattern(part) for part in (folders if deep is None else folders[:deep])]

    def leads(name: str) -> str | None:
        parts = name.split("/")
        if not all(p.match(part) for p, part in zip(fixed, parts, strict=False)):
            return None
        if len(parts) <= len(fixed):
            return "named"
        return "any" if deep is not None else None

    return leads
