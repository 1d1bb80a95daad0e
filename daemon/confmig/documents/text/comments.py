"""What a comment line is about: the entry below it, the whole file, or an option that it holds.

The same rule in every format. Comment lines directly above an entry, at its column, belong to it,
with these exceptions:

- A block of comments at the top of a file that ends with a blank line is the file's header. So is
  what a tool reads there (an interpreter, an editor's settings, a schema, a license).
- A comment that is itself an entry of the format (an option or a list item that was commented out)
  belongs to no one: it stays where it is, and so does what is above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_TOOLS = re.compile(
    r"#!|[#;/!]+\s*(?:-\*-|vim?:|ex:\s*set?\b|yaml-language-server:|\$schema\b|SPDX-|Copyright\b|\(c\)|©)",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"""[#;!][ \t]?             # one mark, and at most one blank
    (?:-[ \t]+)?                # an item of a list
    (?P<key>"[^"]*"|'[^']*'|[A-Za-z_][\w.\-/]*(?:\[\w*\])?)
    [ \t]*(?P<separator>[:=])(?P<value>[ \t]*[^\s].*)?$
    """,
    re.VERBOSE,
)
_REMARKS = frozenset(
    (
        "note",
        "see",
        "ref",
        "refs",
        "reference",
        "example",
        "default",
        "defaults",
        "todo",
        "fixme",
        "warning",
        "source",
        "docs",
        "url",
        "tip",
        "hint",
        "type",
        "format",
        "values",
        "options",
    )
)
"""Words in lower case that look like a key but begin a remark (``# note: ...``)."""
_ITEM = re.compile(r"[#;!][ \t]?-[ \t]+(\S.*)$")
_VALUE = re.compile(r"""[#;!][ \t]?(?:"[^"]*"|'[^']*'|\[.*\]|\{.*\}|-?\d[\w.+-]*)$""")
_SHORT = re.compile(r"""[ \t]*(?:"[^"]*"|'[^']*'|\[.*\]|\{.*\}|\S+)[ \t]*(?:[#;].*)?$""")


class Above:
    """Collects comment lines while a text is read line by line, for the entry that comes next."""

    __slots__ = ("_column", "_found")

    def __init__(self) -> None:
        self._column = -1
        self._found: list[tuple[int, str]] = []

    def add(self, start: int, column: int, text: str) -> None:
        """A comment line that starts at an offset, with its mark at a column."""
        if column != self._column:
            self.reset()
            self._column = column
        self._found.append((start, text))

    def reset(self) -> None:
        """A blank line: what is above it belongs to nothing below it."""
        if self._found:
            self._column = -1
            self._found = []

    def take(self, line: int, column: int) -> int:
        """Where the comment lines of an entry start; ``line``, where its own does, without any.

        They belong to nothing else then.
        """
        found = self._found
        if not found:
            return line
        here = column == self._column
        self._column = -1
        self._found = []
        first = owned_from([text for _, text in found]) if here else len(found)
        return found[first][0] if first < len(found) else line


def owned_from(lines: Sequence[str], item: Callable[[str], bool] | None = None) -> int:
    """The index of the first comment line that belongs to an entry; ``len(lines)`` if none does.

    ``lines`` are those directly above it, from top to bottom, with one mark (``#`` or ``;``) each.
    What is commented out takes the deeper lines below it along. ``item`` is the test for a list
    item that was commented out (``is_item``, ``is_value``); None for an entry with a key.
    """
    if len(lines) == 1:  # the usual case, without the search for deeper lines
        line = lines[0]
        owned = not (is_option(line) or (item is not None and item(line)) or is_file_level(line))
        return 0 if owned else 1
    first = number = 0
    while number < len(lines):
        line = lines[number]
        below = number + 1
        while below < len(lines) and _depth(lines[below]) > _depth(line):
            below += 1
        opens = below > number + 1 and _opens_block(line)
        if is_option(line) or opens or (item is not None and item(line)):
            first = number = below
        elif is_file_level(line):
            first = number = number + 1
        else:
            number += 1
    return first


def _depth(line: str) -> int:
    """How far the text of a comment is behind its mark."""
    text = line.strip()[1:]
    return len(text) - len(text.lstrip(" \t"))


def _opens_block(line: str) -> bool:
    """Whether a line is a key without a value that was commented out: ``# ports:``."""
    match = _OPTION.match(line.strip())
    return match is not None and match["separator"] == ":" and not match["value"]


def is_file_level(line: str) -> bool:
    """Whether a comment line is about the whole file: a tool reads it, or it names the owner."""
    return _TOOLS.match(line.strip()) is not None


def is_item(line: str) -> bool:
    """Whether a comment line is an item that was commented out: ``# - 2``.

    Behind the dash is one word, a quoted text, a list or an object; anything else is a sentence
    in a list of them.
    """
    match = _ITEM.match(line.strip())
    return match is not None and _SHORT.match(match[1]) is not None


def is_value(line: str) -> bool:
    """Whether a comment line is an item of a bracketed list that was commented out: ``# "x"``."""
    return _VALUE.match(line.strip()) is not None


def is_option(line: str) -> bool:
    """Whether a comment line is an entry that was commented out: ``#port: 80``, ``; a = b``.

    With ``# key: value`` (a blank behind the mark) the value must be one word, a quoted text, a
    list or an object, and the key must not begin with a capital letter or introduce a remark
    (``# Note: read at the start``). With ``#key: value``, and with ``=``, nearly everything is an
    option. ``##`` begins a sentence.
    """
    bare = line.strip()
    match = _OPTION.match(bare)
    if match is None:
        return False
    value = match["value"] or ""
    no_blank = bare[1:2] not in (" ", "\t")
    if match["separator"] == "=":
        return no_blank or _SHORT.match(value) is not None or " = " in bare
    if value and not value.startswith((" ", "\t")):
        return False  # a URL, a time
    if no_blank:
        return True
    if not value or match["key"][:1].isupper() or match["key"] in _REMARKS or "://" in value:
        return False
    return _SHORT.match(value) is not None
