"""Secrets never reach a diff or a report: they are masked in the texts before those are compared.

A value is secret as ``secrets`` says, or if it *equals* a secret of another version of the file (it
moved to a key with an innocent name). Commented-out lines are masked by their look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Protocol

from confmig.adapters.workers.records import Versions
from confmig.core.bundle.contract import Contract
from confmig.core.bundle.manifest import Config, Manifest
from confmig.documents import formats
from confmig.documents.model.dialects import UNKNOWN, Dialect, dialect_of
from confmig.documents.model.document import Document
from confmig.documents.model.tree import Entry, Mapping, entries_of
from confmig.documents.model.tree import Sequence as SequenceNode
from confmig.documents.text.unified import unified
from confmig.worker.secrets import is_hidden, is_telling, secret_entries

MASK = "******"
_COMMENT = re.compile(r"(.*?(?:pass|secret|token|key)[^\s:=#]*\s*[:=]\s*)\S.*$", re.IGNORECASE)
_MARK = re.compile(r"#|//|/\*|^\s*[;!*]")  # where a comment begins, in one format or another


class Sources(Protocol):
    """The part of a bundle that says what is secret; see ``bundle.LoadedBundle``."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def contract(self) -> Contract: ...


class Masker:
    """Masks the versions of one file.

    What was seen as a secret once stays one in later diffs: a step may move it to a key with an
    innocent name.
    """

    def __init__(
        self,
        *,
        format: str,
        dialect: str,
        secrets: Iterable[str],
        multi: bool = False,
        lines: Dialect = UNKNOWN,
        known: set[str] | None = None,
    ) -> None:
        self._format = format
        self._dialect = dialect
        self._multi = multi
        self._lines = lines
        self._paths = list(secrets)
        self._values: set[str] = known if known is not None else set()

    @classmethod
    def of(cls, bundle: Sources, config: Config, known: set[str] | None = None) -> Masker:
        """The masker of one of a bundle's configurations.

        ``known`` are secrets that it shares with the maskers of other files.
        """
        contract = bundle.contract.of(config.name)
        return cls(
            format=config.format,
            dialect=contract.dialect,
            secrets=contract.secrets,
            multi=config.multi_document,
            lines=dialect_of(config.files, config.lines),
            known=known,
        )

    def learn(self, data: bytes) -> None:
        """Take note of the secrets of a version of the file."""
        self._hidden(self._parsed(data))

    def _parsed(self, data: bytes) -> Document:
        return formats.parse(
            data,
            format=self._format,
            dialect=self._dialect,
            multi=self._multi,
            lines=self._lines,
        )

    def _hidden(self, document: Document) -> list[Entry]:
        entries = secret_entries(document, self._paths)
        self._values |= {str(c.value) for c in entries if is_telling(c.value)}
        return entries

    def diff(self, path: str, old: bytes, new: bytes) -> str:
        """A unified diff of two versions with every secret masked."""
        documents = [self._parsed(data) for data in (old, new)]
        hidden = [self._hidden(document) for document in documents]
        before, after = (
            _masked(d, entries, self._values) for d, entries in zip(documents, hidden, strict=True)
        )
        return unified(path, before, after)


def _masked(document: Document, entries: list[Entry], values: set[str]) -> str:
    spans = {
        (c.node.start, c.node.end) for c in entries if c.node is not None and is_hidden(c.value)
    }
    stack = [document.root] if isinstance(document.root, Mapping | SequenceNode) else []
    while stack:
        for entry in entries_of(stack.pop()):
            if isinstance(entry.value, Mapping | SequenceNode):
                if entry.node is None or entry.node.alias is None:
                    stack.append(entry.value)
            elif entry.node is not None and str(entry.value) in values:
                spans.add((entry.node.start, entry.node.end))
    text = document.text
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + MASK + text[end:]
    lines = [_comment_masked(line, values) for line in text.splitlines(keepends=True)]
    return "".join(lines)


def _comment_masked(line: str, values: set[str]) -> str:
    body = line.rstrip("\r\n")
    mark = _MARK.search(body)
    if mark is None:
        return line
    at = mark.start()
    comment = _COMMENT.sub(lambda m: m[1] + MASK, body[at:])
    for value in values:
        comment = comment.replace(value, MASK)
    return body[:at] + comment + line[len(body) :]


def diffs(bundle: Sources, files: Sequence[Versions]) -> list[list[str]]:
    """See ``adapters.workers.protocol.Bundle.report``."""
    known: set[str] = set()
    maskers = [Masker.of(bundle, bundle.manifest.configs[f.config], known) for f in files]
    for masker, file in zip(maskers, files, strict=True):
        for text in file.texts:
            masker.learn(text)
    return [
        [masker.diff(file.path, old, new) for old, new in pairwise(file.texts)]
        for masker, file in zip(maskers, files, strict=True)
    ]
