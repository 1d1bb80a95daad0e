"""How confmig writes for people: errors, counts, and text that came from outside. Pure.

Text from outside (names of files, keys, messages, reasons) can hold control codes, line ends and
marks that turn the direction of writing. It is escaped here and nowhere else.
"""

from __future__ import annotations


def escaped(text: str) -> str:
    """A text from outside as one line that changes nothing on a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(number: int, noun: str) -> str:
    """``1 problem``, ``2 problems``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def error_lines(code: str, message: str, place: str = "", fix: str = "") -> list[str]:
    """An error as its lines: ``place: message [code]``, and below it ``help:`` with what to do."""
    where = f"{place}: " if place else ""
    lines = [escaped(f"{where}{message} [{code}]")]
    if fix:
        lines.append(f"  help: {escaped(fix)}")
    return lines
