"""File patterns: ``*`` and ``?`` stay within a name, ``**/`` crosses directories.

As in a shell, a wildcard does not match a name that begins with a dot, so ``**/*.yaml`` enters
neither ``.git`` nor the ``..data`` directories of a mounted ConfigMap; a literal name such as
``.env`` does match. Nor does a wildcard match what editors leave beside a file: ``name~``,
``#name#`` and ``name.swp``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_HIDDEN = r"(?!\.)"
_EDITORS = r"(?!#[^/]*#(?:/|\Z))(?![^/]*(?:~|\.sw[a-p])(?:/|\Z))"


@lru_cache(maxsize=256)
def pattern(text: str) -> re.Pattern[str]:
    """A file pattern as a regular expression over a path below the root."""
    parts = text.split("/")
    out = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**" and not last:
            out += rf"(?:{_HIDDEN}[^/]+/)*"
        else:
            out += _name(part) + ("" if last else "/")
    return re.compile(out + r"\Z")


def _name(part: str) -> str:
    """One name of a pattern."""
    wild = "*" in part or "?" in part
    guard = (_HIDDEN if part[:1] in ("*", "?") else "") + _EDITORS if wild else ""
    body = "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in part)
    return guard + body


def way(text: str) -> Callable[[str], str | None]:
    """Whether a pattern leads through a directory.

    Returns ``named`` if the pattern names the directory, ``any`` if ``**`` leads through it,
    else None.
    """
    *folders, _ = text.split("/")
    deep = folders.index("**") if "**" in folders else None
    fixed = [pattern(part) for part in (folders if deep is None else folders[:deep])]
    hidden = {f for f in folders[deep or 0 :] if f.startswith(".")}

    def leads(name: str) -> str | None:
        parts = name.split("/")
        if not all(p.match(part) for p, part in zip(fixed, parts, strict=False)):
            return None
        if len(parts) <= len(fixed):
            return "named"
        if deep is None or any(p[:1] == "." and p not in hidden for p in parts[len(fixed) :]):
            return None
        return "any"

    return leads
