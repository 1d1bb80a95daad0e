"""Regular expressions of migrations, in linear time (RE2): no pattern can hang a pass."""

from __future__ import annotations

import re
from collections.abc import Callable
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
            "regex_invalid", f"RE2 does not take the pattern `{pattern}`: {error}"
        ) from None


def substitute(pattern: str, replacement: str, text: str) -> str:
    """Every match of ``pattern`` in ``text`` replaced; ``\\1`` in ``replacement`` is a group."""
    import re2

    try:
        return _substituted(_compiled(pattern), _expander(replacement), _encodable(text))
    except (re2.error, IndexError, ValueError) as error:
        raise Refused(
            "replacement_invalid",
            f"the replacement `{replacement}` does not fit the pattern `{pattern}`",
            fix=r"\1 is the first group of the pattern; a backslash is written \\",
        ) from error


_ESCAPE = re.compile(r"\\(?:(?P<number>[1-9][0-9]?)|g<(?P<name>\w+)>|(?P<other>.))", re.DOTALL)
_MEANS = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def _expander(replacement: str) -> Callable[[Any], str]:
    """What makes the text for a match. RE2's own expansion breaks text that is not ASCII."""

    def expand(match: Any) -> str:
        def part(escape: re.Match[str]) -> str:
            if escape["other"] is not None:
                return _MEANS.get(escape["other"], escape[0])
            name = escape["number"] or escape["name"]
            return match.group(int(name) if name.isdecimal() else name) or ""

        return _ESCAPE.sub(part, replacement)

    return expand


def _substituted(compiled: Any, expand: Callable[[Any], str], text: str) -> str:
    """The text with its matches replaced.

    RE2's own ``sub`` replaces an empty match at the end twice.
    """
    out: list[str] = []
    at = 0
    last = (-1, -1)
    for match in compiled.finditer(text):
        if match.span() == last:
            continue
        last = match.span()
        out += [text[at : last[0]], expand(match)]
        at = last[1]
    return "".join([*out, text[at:]])


def check(pattern: str) -> str:
    """Why RE2 does not take a pattern; empty if it does."""
    try:
        _compiled(pattern)
    except Refused as error:
        return error.message
    return ""


def groups(pattern: str, text: str) -> dict[str, str | None] | None:
    """The named groups of a match of all of ``text``, or None if it does not match."""
    match = _compiled(pattern).fullmatch(_encodable(text))
    return None if match is None else dict(match.groupdict())


def search(pattern: str, text: str) -> bool:
    """Whether ``pattern`` matches somewhere in ``text``."""
    return _compiled(pattern).search(_encodable(text)) is not None


def _encodable(text: str) -> str:
    """RE2 works on UTF-8, which has no lone surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("text_unencodable", "a text holds half of a surrogate pair") from None
    return text
