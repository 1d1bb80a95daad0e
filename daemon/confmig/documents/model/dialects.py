"""How the readers of a file of lines differ, and which reader a file of a known name has.

Sources: the manuals of systemd (systemd.syntax), Git (git-config), PHP (parse_ini_file), MySQL
(option files), supervisord, tox, Grafana (go-ini) and EditorConfig.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a configuration says of its files, or what is known from their names.

    ``inline``: the marks that begin a comment behind a value, None if that is not known.
    ``anywhere``: they need no blank before them. ``quotes``: the quotes between which they are
    text. ``continuation``: how a value goes on over lines (``indent``, ``backslash``, ``none``),
    None if that is not known (then as ``indent``). ``escapes``: a backslash escapes the next
    character. ``folds``: which names are the same name: ``case`` ignores upper and lower case,
    ``dash`` treats ``-`` and ``_`` alike, empty compares names exactly. ``repeated``: keys and
    sections may occur twice; they are kept and cannot be edited. ``includes``: a line that begins
    with ``!`` is not a key.

    Of .properties: ``encoding`` (``utf-8``, ``latin-1``, or empty: as the file does it), and
    ``spring``: whether ``#---`` separates documents (None: if the file has such a line).
    """

    inline: tuple[str, ...] | None = None
    anywhere: bool = False
    quotes: tuple[str, ...] = ()
    continuation: str | None = None
    repeated: bool = True
    includes: bool = False
    escapes: bool = False
    folds: str = ""
    encoding: str = ""
    spring: bool | None = None


UNKNOWN = Dialect()
_SYSTEMD = Dialect(inline=(), continuation="backslash")
_GIT = Dialect(
    inline=("#", ";"),
    anywhere=True,
    quotes=('"',),
    continuation="backslash",
    escapes=True,
    folds="case",
)
_PHP = Dialect(inline=(";",), anywhere=True, quotes=('"', "'"), continuation="none")
_MYSQL = Dialect(
    inline=("#",),
    anywhere=True,
    quotes=('"', "'"),
    continuation="none",
    includes=True,
    folds="dash",
)
_SUPERVISOR = Dialect(inline=(";", "#"), continuation="indent")
_TOX = Dialect(inline=(), continuation="indent", repeated=False)
_GRAFANA = Dialect(
    inline=(";", "#"), anywhere=True, quotes=('"""', '"', "`"), continuation="backslash"
)
_EDITORCONFIG = Dialect(inline=(), continuation="none")

_NAMED: tuple[tuple[str, Dialect], ...] = (
    (
        r".*\.(?:service|socket|timer|mount|automount|swap|target|path|slice|scope|network|netdev"
        r"|link|nspawn)|(?:system|user|journald|logind|resolved|networkd|timesyncd|oomd|sleep"
        r"|coredump|homed)\.conf",
        _SYSTEMD,
    ),
    (r"\.?gitconfig|\.gitmodules", _GIT),
    (r"php.*\.ini", _PHP),
    (r"\.?my\.cnf|.*\.cnf", _MYSQL),
    (r"supervisor.*\.(?:conf|ini)", _SUPERVISOR),
    (r"tox\.ini|setup\.cfg", _TOX),
    (r"grafana.*\.ini", _GRAFANA),
    (r"\.editorconfig", _EDITORCONFIG),
)


def dialect_of(files: Iterable[str], said: Mapping[str, Any]) -> Dialect:
    """The dialect of a configuration.

    Known from its file patterns, changed by what it says (``inline_comments``,
    ``repeated_keys``, ``continuation``, ``encoding``, ``documents``).
    """
    found = _of_names(tuple(files))
    if not said:
        return found
    changes: dict[str, Any] = {}
    if "inline_comments" in said:
        changes["inline"] = tuple(said["inline_comments"])
    if "repeated_keys" in said:
        changes["repeated"] = said["repeated_keys"] == "keep"
    if "continuation" in said:
        changes["continuation"] = said["continuation"]
    if "encoding" in said:
        changes["encoding"] = said["encoding"]
    if "documents" in said:
        changes["spring"] = said["documents"] == "spring"
    return replace(found, **changes)


@lru_cache(maxsize=256)
def _of_names(files: tuple[str, ...]) -> Dialect:
    named = {_named(pattern) for pattern in files}
    return named.pop() if len(named) == 1 else UNKNOWN


def _named(pattern: str) -> Dialect:
    folder, _, name = pattern.rpartition("/")
    if name == "config" and (folder == ".git" or folder.endswith("/.git")):
        return _GIT
    return next((d for regex, d in _NAMED if re.fullmatch(regex, name)), UNKNOWN)
