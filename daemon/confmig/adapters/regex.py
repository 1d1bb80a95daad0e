"""Regular expressions of migrations, in linear time (RE2): no pattern can hang a pass."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from confmig.errors import Refused


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2

    try:
        return re2.compile(pattern)
    except re2.error as error:
        raise Refused(
            "regex_invalid", f"RE2 does not take the pattern {pattern!r}: {error}"
        ) from None


def substitute(pattern: str, replacement: str, text: str) -> str:
    """Every match of ``pattern`` in ``text`` replaced; ``\\1`` in ``replacement`` is a group."""
    return str(_compiled(pattern).sub(replacement, text))


def groups(pattern: str, text: str) -> dict[str, str | None] | None:
    """The named groups of a match of all of ``text``, or None if it does not match."""
    match = _compiled(pattern).fullmatch(text)
    return None if match is None else dict(match.groupdict())


def search(pattern: str, text: str) -> bool:
    """Whether ``pattern`` matches somewhere in ``text``."""
    return _compiled(pattern).search(text) is not None
