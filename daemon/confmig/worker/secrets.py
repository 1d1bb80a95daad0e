"""What is a secret in a document: by its key, or by the contract's ``secrets``.

A key that has pass, secret, token or key in it names a secret, and so does a path of the contract;
whatever is inside such a value is one, too. A bool or null is not a secret.
"""

from __future__ import annotations

import re
from typing import Any

from confmig.documents.model.document import Document
from confmig.documents.model.path import Key
from confmig.documents.model.path import parse as parse_path
from confmig.documents.model.tree import Container, Entry, Mapping, Sequence, entries_of
from confmig.errors import Refused

NAME = re.compile(r"pass|secret|token|key", re.IGNORECASE)
"""What the key of a secret looks like."""

SHORT = 4
"""A value of fewer characters that equals a secret proves nothing."""


def secret_entries(document: Document, paths: list[str]) -> list[Entry]:
    """Every scalar that is secret by its key or by the contract."""
    named: set[int] = set()
    for path in paths:
        try:
            named |= {id(h.entry) for h in document.find(path, lenient=True)}
        except Refused:
            continue  # through an alias: the anchored value is found at its own place
    out: list[Entry] = []
    stack: list[tuple[Container, bool]] = []
    if isinstance(document.root, Mapping | Sequence):
        stack.append((document.root, False))
    while stack:
        container, inside = stack.pop()
        for entry in entries_of(container):
            secret = inside or id(entry) in named or bool(entry.name and NAME.search(entry.name))
            if isinstance(entry.value, Mapping | Sequence):
                if entry.node is None or entry.node.alias is None:
                    stack.append((entry.value, secret))
            elif secret:
                out.append(entry)
    return out + _secret_kept(document, paths)


def _secret_kept(document: Document, paths: list[str]) -> list[Entry]:
    """The secret entries of keys that occur twice in an INI file and are therefore in no tree."""
    last = {key.name for p in paths if isinstance(key := parse_path(p)[-1], Key)}
    out: list[Entry] = []
    stack = list(document.kept)
    while stack:
        entry = stack.pop()
        if isinstance(entry.value, Mapping):
            stack.extend(entries_of(entry.value))
        elif entry.name is not None and (NAME.search(entry.name) or entry.name in last):
            out.append(entry)
    return out


def is_telling(value: Any) -> bool:
    return value is not None and not isinstance(value, bool) and len(str(value)) >= SHORT


def is_hidden(value: Any) -> bool:
    """Whether a value under a secret's name is a secret: anything except a bool or null is."""
    return value is not None and not isinstance(value, bool)
