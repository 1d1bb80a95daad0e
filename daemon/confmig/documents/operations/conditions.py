"""``when``: conditions on the document, evaluated right before their operation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from confmig.documents.model.editor import Editor
from confmig.documents.model.lookup import MISSING
from confmig.documents.model.values import kind_of, same_value
from confmig.documents.operations.base import AnyPath, Context, RootPath, Strict, TypeName, is_type


class Equals(Strict):
    """The value at ``path`` equals ``value``, types included."""

    path: RootPath
    value: Any


class In(Strict):
    """The value at ``path`` equals one of ``values``."""

    path: RootPath
    values: list[Any]


class Type(Strict):
    """The value at ``path`` has the type ``is``."""

    path: RootPath
    kind: TypeName | Literal["null"] = Field(alias="is")


class Matches(Strict):
    """The string at ``path`` matches the regular expression somewhere."""

    path: RootPath
    regex: str


class Condition(Strict):
    """Exactly one of the conditions. An absent place never satisfies one, except ``not``.

    A condition sees the file as its readers do: through aliases and YAML's merge keys.
    """

    exists: AnyPath | None = None
    equals: Equals | None = None
    in_: In | None = Field(default=None, alias="in")
    truthy: RootPath | None = None
    type: Type | None = None
    matches: Matches | None = None
    all: list[Condition] | None = None
    any: list[Condition] | None = None
    not_: Condition | None = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _exactly_one(self) -> Condition:
        if len(self.model_fields_set) != 1:
            raise ValueError(
                "a condition has exactly one key: exists, equals, in, truthy, type, "
                "matches, all, any or not"
            )
        return self

    def holds(self, document: Editor, scope: Any, context: Context) -> bool:
        """Whether the condition is true of ``scope`` now."""
        if self.all is not None:
            return all(c.holds(document, scope, context) for c in self.all)
        if self.any is not None:
            return any(c.holds(document, scope, context) for c in self.any)
        if self.not_ is not None:
            return not self.not_.holds(document, scope, context)
        if self.exists is not None:
            return bool(document.read(self.exists, scope))
        if self.truthy is not None:
            return any(_values(document, self.truthy, scope))
        if self.equals is not None:
            wanted = self.equals.value
            return any(same_value(v, wanted) for v in _values(document, self.equals.path, scope))
        if self.in_ is not None:
            found = _values(document, self.in_.path, scope)
            return any(same_value(f, v) for f in found for v in self.in_.values)
        if self.type is not None:
            if not self.type.path:
                return kind_of(_values(document, "", scope)[0]) == self.type.kind
            hits = document.read(self.type.path, scope)
            return bool(hits) and is_type(document, hits[0], self.type.kind)
        assert self.matches is not None
        texts = [v for v in _values(document, self.matches.path, scope) if isinstance(v, str)]
        return any(context.search(self.matches.regex, text) for text in texts)


def _values(document: Editor, path: str, scope: Any) -> list[Any]:
    """The values a path names, the scope itself for the empty path."""
    if not path:
        return [document.root if scope is MISSING else scope]
    return [document.clear(hit) for hit in document.read(path, scope)]
