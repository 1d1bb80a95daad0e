"""How confmig writes for people: errors, counts, and text that came from outside. Pure.

Text from outside (names of files, keys, messages, reasons) can hold control codes, line ends and
marks that turn the direction of writing. It is escaped here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable


def escaped(text: str) -> str:
    """A text from outside as one line that changes nothing on a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def located(file: str, line: int) -> str:
    """``file:line``, or the file where the line is not known (0)."""
    return f"{file}:{line}" if line else file


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


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    words = sorted(str(k) for k in known)  # a set has no order
    bare = {w.replace("_", "").replace("-", "").lower(): w for w in words}
    same = bare.get(word.replace("_", "").replace("-", "").lower())
    if same is not None:
        return same
    import difflib  # only where a word is not known

    found = difflib.get_close_matches(word, words, 1, 0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean `x`?`` or nothing."""
    found = closest(word, known)
    return f"; did you mean `{found}`?" if found is not None else ""
