"""The difference of two texts, for people."""

from __future__ import annotations

import difflib

from confmig.writer import escaped


def unified(path: str, old: str, new: str) -> str:
    """A unified diff; a missing final newline is shown. The path is escaped."""
    path = escaped(path)
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    marker = "\n\\ No newline at end of file\n"
    return "".join(line if line.endswith("\n") else line + marker for line in lines)
