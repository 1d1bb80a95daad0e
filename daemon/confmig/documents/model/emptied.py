"""Whether a file holds nothing: it is empty, or only comments, `---`, `null` or zero bytes.

Such a file is not a document of version 0: its writer may have truncated it and not written it yet.
"""

from __future__ import annotations

import re

from confmig.errors import Refused

_COMMENTS = {
    "yaml": r"#[^\n\r]*",
    "json": r"(?!)",
    "jsonc": r"//[^\n\r]*|/\*.*?\*/",
    "json5": r"//[^\n\r]*|/\*.*?\*/",
    "toml": r"#[^\n\r]*",
    "ini": r"[#;][^\n\r]*",
    "properties": r"[#!][^\n\r]*",
    "dotenv": r"#[^\n\r]*",
}
_NULL = {"yaml": r"%[^\n\r]*|---|\.\.\.|null|Null|NULL|~", "json": r"null", "jsonc": r"null"}
_BLANK = r"[\s\0\ufeff]+"


def holds_nothing(text: str, format: str) -> bool:
    """Whether a text of a format has no entry and no value."""
    null = _NULL.get(format, r"null" if format == "json5" else r"(?!)")
    nothing = rf"(?:{_BLANK}|{_COMMENTS[format]}|(?:{null})(?!\S))*+\Z"
    return re.match(nothing, text, re.DOTALL) is not None


def emptied() -> Refused:
    """The refusal of a document that holds nothing."""
    return Refused(
        "document_emptied",
        "the file holds nothing; a file without content has no version",
        fix="put its content back (`confmig history` names the checkpoints that have it), or "
        'remove the file; for new files, write "version": {"empty": 0} in the manifest',
    )
