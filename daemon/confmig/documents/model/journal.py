"""The change journal: every mutation of a document, in order, replayable and reversible.

It serves four readers: the loss ledger and the reports (what is gone, what moved), rollback (the
inverse operations), and the parent of a forked handler (which replays the child's changes on its
own tree instead of trusting a tree from the child).

Kinds: ``added`` (new), ``removed`` (old), ``moved`` (place -> to), ``replaced`` (old -> new),
``wrapped`` (the value went under the key ``under``, or into a one-item list when it is None),
``unwrapped`` (the one entry ``under`` of an object, or the one item of a list, took its place).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from confmig.documents.model.path import Place
from confmig.documents.model.values import Date

Kind = Literal["added", "removed", "moved", "replaced", "wrapped", "unwrapped"]


@dataclass(frozen=True, slots=True)
class Change:
    """One mutation.

    ``at`` and ``to_at`` are positions among the siblings; ``span`` is the source span of a
    removed or replaced value, None if it was not in the source; ``keep_tag``: whether a
    replaced text has the tag of the old one; ``leave_comments``: whether those of a removed
    entry stay with the container.
    """

    kind: Kind
    place: Place
    at: int = 0
    to: Place = ()
    to_at: int = 0
    old: Any = None
    new: Any = None
    under: str | None = None
    span: tuple[int, int] | None = None
    keep_tag: bool = False
    leave_comments: bool = False

    def as_json(self) -> dict[str, Any]:
        """A JSON-able dict of the fields that are not at their defaults."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        keep = {"added": ("new",), "removed": ("old",), "replaced": ("old", "new")}
        used = {"kind", "place", "at", *keep.get(self.kind, ())}
        if self.kind == "moved":
            used |= {"to", "to_at"}
        if self.kind in ("wrapped", "unwrapped"):
            used.add("under")
        if self.span is not None:
            used.add("span")
        used |= {name for name in ("keep_tag", "leave_comments") if getattr(self, name)}
        return {k: _encoded(v) for k, v in values.items() if k in used}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Change:
        """The inverse of ``as_json``."""
        span = data.get("span")
        return cls(
            kind=data["kind"],
            place=tuple(data["place"]),
            at=data.get("at", 0),
            to=tuple(data.get("to", ())),
            to_at=data.get("to_at", 0),
            old=_decoded(data.get("old")),
            new=_decoded(data.get("new")),
            under=data.get("under"),
            span=(span[0], span[1]) if span else None,
            keep_tag=data.get("keep_tag") is True,
            leave_comments=data.get("leave_comments") is True,
        )


_DATE = "$date"


def _encoded(value: Any) -> Any:
    """A value that JSON can hold: a date becomes ``{"$date": text}``."""
    if isinstance(value, Date):
        return {_DATE: str(value)}
    if isinstance(value, dict):
        return {k: _encoded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(v) for v in value]
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_DATE} and isinstance(value[_DATE], str):
            return Date(value[_DATE])
        return {k: _decoded(v) for k, v in value.items()}
    return [_decoded(v) for v in value] if isinstance(value, list) else value
