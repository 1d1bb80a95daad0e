"""What a worker is given and what it answers: bytes and plain values, never a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confmig.documents.model.journal import Change


@dataclass(frozen=True, slots=True)
class Checked:
    """The plain data of a file that people wrote, and the line of each entry by its path."""

    data: Any
    lines: Mapping[tuple[str | int, ...], int]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a document says of itself.

    ``version`` is None for a configuration without a stamp: then ``due`` are the migrations
    (ids, in order) that would change something in it. ``empty``: the file holds nothing.
    """

    version: int | None
    due: tuple[str, ...] | None = None
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One migration's effect on one document. ``notes`` are its warnings: place and text."""

    migration: str
    before: int
    after: int
    changes: tuple[Change, ...]
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LostComment:
    """A comment that went with a removed value: its line in the source, and its text."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Transformed:
    """One document taken through a chain. ``data`` is its new image, None if not a byte changes."""

    before: int
    after: int
    steps: tuple[Step, ...]
    data: bytes | None
    lost_comments: tuple[LostComment, ...] = ()

    def image(self, source: bytes) -> bytes:
        """The image after the chain; ``source`` is the one before it."""
        return source if self.data is None else self.data

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know, a sentence each.

        The notes of migrations, and which comments were removed with their values.
        """
        notes = [
            f"note of {step.migration}{f' at {place}' if place else ''}: {text}"
            for step in self.steps
            for place, text in step.notes
        ]
        lines = [str(comment.line) for comment in self.lost_comments]
        if len(lines) == 1:
            notes.append(f"the comment in line {lines[0]} was removed with its value")
        elif lines:
            notes.append(f"the comments in lines {', '.join(lines)} were removed with their values")
        return tuple(notes)


@dataclass(frozen=True, slots=True)
class MergePart:
    """One file of a rollback.

    ``old`` is the image before its migrations, ``left`` the hash of what they left (None: not
    known), ``current`` what the file holds now. ``version``: the one it gets back, whose schema
    must validate it; None: it is not validated.
    """

    path: str
    config: str
    old: bytes
    left: str | None
    current: bytes
    version: int | None


@dataclass(frozen=True, slots=True)
class Merged:
    """What a file becomes. ``exact``: it is ``old`` to the byte, because nothing was edited."""

    path: str
    data: bytes
    exact: bool


@dataclass(frozen=True, slots=True)
class Versions:
    """The texts of one file in the order of time, for diffs."""

    path: str
    config: str
    texts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HalfDone:
    """One file of a conflict.

    Its images, what it holds now, and whether that is (an edit of) the new image. Files of the
    same ``group`` were migrated as one.
    """

    path: str
    config: str
    group: int
    old: bytes
    new: bytes
    current: bytes
    is_new: bool
    migrations: Sequence[str]
