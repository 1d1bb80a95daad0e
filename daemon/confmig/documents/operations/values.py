"""Operations that change what values are: map_value, map_items, convert."""

from __future__ import annotations

import re
from typing import Any, Literal

from confmig.documents.model.editor import Editor
from confmig.documents.model.lookup import Hit
from confmig.documents.model.tree import entries_of
from confmig.documents.model.values import kind_of, same_value
from confmig.documents.operations.base import (
    AnyPath,
    Context,
    Strict,
    TypeName,
    expect,
    lexeme,
    rewrite,
    the_list,
)
from confmig.errors import Refused


class Pair(Strict):
    """One line of a map whose key is not text: ``{from: false, to: "off"}``."""

    value: Any
    to: Any

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "from" if n == "value" else n
    }


class MapValue(Strict):
    """Replace values by a table.

    Type and value are compared (false is not 0); what the table does not name stays, unless
    ``otherwise`` is given.
    """

    path: AnyPath
    map: dict[str, Any] | list[Pair]
    otherwise: Any = None

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Map every value the path names."""
        table = (
            [(p.value, p.to) for p in self.map]
            if isinstance(self.map, list)
            else list(self.map.items())
        )
        for hit in self._hits(document, scope):
            value = document.clear(hit)
            for known, to in table:
                if same_value(value, known):
                    rewrite(document, hit, to)
                    break
            else:
                if "otherwise" in self.model_fields_set:
                    rewrite(document, hit, self.otherwise)

    def _hits(self, document: Editor, scope: Any) -> list[Hit]:
        return document.find(self.path, scope)


class MapItems(MapValue):
    """``map_value`` for every item of the lists that the path names."""

    def _hits(self, document: Editor, scope: Any) -> list[Hit]:
        hits: list[Hit] = []
        for hit in document.find(self.path, scope):
            items = the_list(document, hit)
            hits += [] if items is None else [Hit(items, entry) for entry in entries_of(items)]
        return hits


_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Convert(Strict):
    """Change a value's type. A value that has no reading in the new type is an error.

    ``int``, ``float``, ``bool``, ``string``; ``duration``: a number becomes ``<n><unit>``;
    ``list``: text is split at ``separator``; ``positive``: a number becomes ``number > 0``.
    """

    path: AnyPath
    to: Literal["int", "float", "bool", "string", "duration", "list", "positive"]
    unit: Literal["d", "h", "m", "s", "ms"] = "s"
    separator: str = ","
    type: TypeName | None = None

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Convert every value the path names; an unconstrained null stays null."""
        for hit in document.find(self.path, scope):
            expect(document, hit, self.type)
            if hit.entry.value is not None:
                rewrite(document, hit, self._convert(document, hit))

    def _convert(self, document: Editor, hit: Hit) -> Any:
        value = document.clear(hit)
        kind = kind_of(value)
        if self.to == "duration" and kind == "int":
            return f"{value}{self.unit}"
        if self.to == "positive" and kind in ("int", "float"):
            return value > 0
        if self.to == "string" and kind in ("string", "int", "float", "bool", "date"):
            return lexeme(document, hit)
        if self.to == "bool" and kind in ("bool", "string"):
            word = str(value).strip().lower()
            if word in _WORDS:
                return _WORDS[word]
        if self.to == "list":
            if kind == "list":
                return value
            if kind == "string":
                return [part.strip() for part in value.split(self.separator) if part.strip()]
        if self.to in ("int", "float"):
            number = _number(value)
            if number is not None and self.to == "float":
                return float(number)
            if number is not None and number == int(number):
                return int(number)
        raise Refused(
            "not_convertible",
            f"this {kind} has no reading as {self.to}",
            place=hit.shown,
        )


def _number(value: Any) -> int | float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18}\s*", value):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18}\.[0-9]{1,18}\s*", value):
        return float(value)
    return None
