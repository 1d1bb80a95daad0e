"""Bytes -> text: UTF-8, the byte order mark set aside, the size capped.

Latin-1 where a configuration says so.
"""

from __future__ import annotations

from confmig.errors import Refused


def decode(data: bytes, cap: int, *, latin1: bool = False) -> tuple[str, bool]:
    """The text, and whether it had a BOM. Raises ``Refused``: ``file_too_large``, ``not_utf8``."""
    if len(data) > cap:
        raise Refused("file_too_large", f"{len(data)} bytes are more than the cap of {cap}")
    if latin1:
        return data.decode("latin-1"), False
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fix = "save it as UTF-8; for .properties, encoding: latin-1 of the configuration may do"
        raise Refused("not_utf8", "the file is not UTF-8", fix=fix, line=line) from None
    if text.startswith("\ufeff"):
        return text[1:], True
    return text, False


def newline_of(text: str) -> str:
    """The line terminator that new lines get."""
    return "\r\n" if "\r\n" in text else "\n"
