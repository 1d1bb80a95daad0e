"""Texts of several lines keep their form.

Block texts (``|`` and ``>``), and plain or quoted texts that continue over lines.

A block text that moves gets another indentation. A text changes by a difference of lines (``|``) or
of words, so that only the lines differ whose text differs. What is written is read back here,
because only a reader knows how lines fold; a text that cannot keep its form is the caller's to
quote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml
from yaml import events as ev

from confmig.documents.model.differences import differences
from confmig.documents.model.tree import SourceNode
from confmig.documents.text.pieces import Pieces, join_lines, text_of
from confmig.documents.text.rewording import reworded
from confmig.documents.yaml.parse import CParser
from confmig.documents.yaml.scalars import plain_is_safe

BLOCK = frozenset(("|", ">"))
_HEADER = re.compile(r"([|>])(?:([1-9])?([+-])?|([+-])([1-9]))(?=[ \t\r\n]|\Z)")
_KEEPS = re.compile(r"(?:^|\s)[|>](?:[1-9]?\+|\+[1-9])[ \t]*(?:#.*)?\r?$")
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Block:
    """A block text in the source.

    ``sign``: ``-``, ``+`` or nothing; ``digit``: whether the header says how far the content is
    indented; ``column``: where the content stands; ``lines``: its lines with their indentation,
    as spans; ``begin``: where they begin; ``head``: where the header ends, before a comment.
    """

    style: str
    sign: str
    digit: bool
    column: int
    lines: tuple[tuple[int, int], ...]
    begin: int
    head: int


def block_of(text: str, node: SourceNode, value: str) -> Block | None:
    """The block text that is at ``node`` and means ``value``; None if it has no content."""
    match = _HEADER.match(text, node.start)
    begin = text.find("\n", node.start, node.end) + 1
    if match is None or not begin:
        return None
    lines: list[tuple[int, int]] = []
    at = begin
    while at <= node.end:
        stop = text.find("\n", at, node.end)
        stop = node.end if stop < 0 else stop
        lines.append((at, stop - 1 if text[at:stop].endswith("\r") else stop))
        at = stop + 1
    first = next((text[a:b] for a, b in lines if text[a:b].strip(" ")), "")
    meant = next((line for line in value.split("\n") if line.strip(" ")), "")
    if not first or not meant:
        return None
    sign, digit = match[3] or match[4] or "", bool(match[2] or match[5])
    column = _leading(first) - _leading(meant)
    return Block(match[1], sign, digit, column, tuple(lines), begin, match.end())


def keeps(text: str, header: int) -> bool:
    """Whether the header that ends on the line at ``header`` says that blank lines are kept."""
    line = text[text.rfind("\n", 0, header) + 1 : header]
    return _KEEPS.search(line) is not None


def read(text: str, node: SourceNode, column: int) -> str | None:
    """The value of the text that is at ``node`` in an entry at ``column``."""
    ending = "\n" if node.end < len(text) else ""
    return _read(f"{' ' * column}k: {text[node.start : node.end]}{ending}")


def moved(block: Block, sign: str, column: int, step: int) -> list[Pieces]:
    """The header and the lines of a block text below another entry.

    They are indented by ``step`` from ``column``.
    """
    header = f"{block.style}{step if block.digit else ''}{sign}"
    pad = " " * (column + step)
    lines: list[Pieces] = []
    for a, b in block.lines:
        start = a + block.column
        lines.append([pad, (start, b)] if start < b else [])
    return [[header], *lines]


@dataclass(frozen=True, slots=True)
class Changed:
    """A header and the content below it, which begins with the first line's indentation."""

    header: str
    content: Pieces


def changed(
    text: str, block: Block, old: str, new: str, column: int, newline: str
) -> Changed | None:
    """A block text of an entry at ``column`` with another value, by the smallest difference.

    None if a block text cannot say that.
    """
    body = new.rstrip("\n")
    if not body or _UNWRITABLE.search(body):
        return None
    ends = len(new) - len(body)
    sign = ("-" if not ends else block.sign if block.sign == "+" else "") if ends < 2 else "+"
    following = _blank_lines(text, block.lines[-1][1])
    blanks = ends - 1 - following if sign == "+" else 0
    if blanks < 0:
        return None
    pad = " " * block.column
    step = block.column - column
    candidates: list[tuple[str, Pieces]] = []
    if block.style == ">":
        end = block.lines[-1][1]
        words = reworded(text, (block.begin, end), old.rstrip("\n"), body)
        if words is not None:
            candidates.append((">", words))
        # in a folded text one line end more stands for each run of them
        unfolded = re.sub(r"\n+", lambda run: run[0] + "\n", body)
        candidates.append((">", join_lines(_new_lines(unfolded, pad), newline)))
    literal = _by_lines(block, old, body, pad) if block.style == "|" else _new_lines(body, pad)
    candidates.append(("|", join_lines(literal, newline)))
    for style, pieces in candidates:
        digit = block.digit or body.lstrip("\n").startswith(" ")
        if digit and not 0 < step < 10:
            return None
        header = f"{style}{step if digit else ''}{sign}"
        content = [*pieces, *[newline] * blanks]
        written = f"{' ' * column}k: {header}\n{text_of(text, content)}\n" + "\n" * following
        if _read(written) == new:
            return Changed(header, content)
    return None


def continued(text: str, node: SourceNode, old: str, new: str, column: int) -> Pieces | None:
    """A plain or quoted text of several lines, in an entry at ``column``, with other words.

    None if its lines cannot stay.
    """
    plain = not node.style
    if _UNWRITABLE.search(new) or (plain and not _reads_as_text(new)):
        return None
    quoted = len(node.style or "")
    inner = (node.start + quoted, node.end - quoted)
    pieces = reworded(text, inner, old, new)
    if pieces is None:
        return None
    pieces = [(node.start, inner[0]), *pieces, (inner[1], node.end)]
    return pieces if _read(f"{' ' * column}k: {text_of(text, pieces)}\n") == new else None


def _reads_as_text(value: str) -> bool:
    """Whether a plain text of several words is a text to every reader."""
    words = value.split()
    return len(words) > 1 and "\t" not in value and plain_is_safe(words[0])


def _by_lines(block: Block, old: str, new: str, pad: str) -> list[Pieces]:
    """The lines of a literal text: those that are equal are those of the source."""
    before, after = old.split("\n"), new.split("\n")
    new_lines = _new_lines(new, pad)
    if len(before) > len(block.lines):
        return new_lines
    kept: list[Pieces] = [[line] if line[0] < line[1] else [] for line in block.lines]
    out: list[Pieces] = []
    at = 0
    for a, b, c, d in differences(before, after):
        out += [*kept[at:a], *new_lines[c:d]]
        at = b
    return [*out, *kept[at : len(before)]]


def _new_lines(body: str, pad: str) -> list[Pieces]:
    return [[pad, line] if line else [] for line in body.split("\n")]


def _read(text: str) -> str | None:
    """The value of the one key of a mapping, if it is a text."""
    parser = CParser(text)
    found: list[str] = []
    try:
        while not isinstance(event := parser.get_event(), ev.StreamEndEvent):
            if isinstance(event, ev.ScalarEvent):
                found.append(event.value)
    except yaml.YAMLError:
        return None
    return found[1] if len(found) == 2 else None


def _blank_lines(text: str, at: int) -> int:
    """How many blank lines follow the line that ends at ``at``."""
    rest = re.compile(r"\r?\n((?:[ \t]*\r?\n)*)").match(text, at)
    return rest[1].count("\n") if rest else 0


def _leading(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
