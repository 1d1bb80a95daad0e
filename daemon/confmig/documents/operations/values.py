"""Operations that change what values are: map_value, replace, convert, format."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from confmig.documents.document import Document
from confmig.documents.lookup import Hit
from confmig.documents.operations.base import (
    AnyPath,
    Context,
    OnePath,
    Strict,
    TypeName,
    expect,
    one,
)
from confmig.documents.path import show
from confmig.documents.tree import Mapping, Sequence, kind_of, same_value
from confmig.errors import Refused


class Pair(Strict):
    """One line of a map whose key is no text: ``{from: false, to: "off"}``."""

    value: Any
    to: Any

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "from" if n == "value" else n
    }


class MapValue(Strict):
    """Replace values by a table. Type and value are compared (false is not 0); what the table
    does not name stays, unless ``otherwise`` is given."""

    path: AnyPath
    map: dict[str, Any] | list[Pair]
    otherwise: Any = None

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Map every value the path names."""
        table = (
            [(p.value, p.to) for p in self.map]
            if isinstance(self.map, list)
            else list(self.map.items())
        )
        for hit in document.find(self.path, scope):
            value = hit.cell.value
            for known, to in table:
                if same_value(value, known):
                    document.replace(hit.container, hit.cell, to)
                    break
            else:
                if "otherwise" in self.model_fields_set:
                    document.replace(hit.container, hit.cell, self.otherwise)


class Replace(Strict):
    """Replace what a linear-time regular expression (RE2) matches in strings; ``\\1`` in ``with``
    is a group. A value that is no string is an error."""

    path: AnyPath
    regex: str
    replacement: str

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "with" if n == "replacement" else n
    }

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str) -> str:
        try:
            re.compile(regex)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return regex

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Replace in every string the path names."""
        for hit in document.find(self.path, scope):
            expect(document, hit, "string")
            new = context.substitute(self.regex, self.replacement, str(hit.cell.value))
            document.replace(hit.container, hit.cell, new)


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

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Convert every value the path names; an unconstrained null stays null."""
        for hit in document.find(self.path, scope):
            expect(document, hit, self.type)
            if hit.cell.value is not None:
                document.replace(hit.container, hit.cell, self._convert(document, hit))

    def _convert(self, document: Document, hit: Hit) -> Any:
        value = hit.cell.value
        kind = kind_of(value)
        if self.to == "duration" and kind == "int":
            return f"{value}{self.unit}"
        if self.to == "positive" and kind in ("int", "float"):
            return value > 0
        if self.to == "string" and kind in ("string", "int", "float", "bool"):
            node = hit.cell.node
            if node is not None and node.style is None and node.alias is None and kind != "string":
                return document.text[node.start : node.end]  # 1.10 is not 1.1
            return str(value).lower() if kind == "bool" else str(value)
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
            place=show(hit.place),
        )


def _number(value: Any) -> int | float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18}\s*", value):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18}\.[0-9]{1,18}\s*", value):
        return float(value)
    return None


_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")


class Format(Strict):
    """Write a text made from fields: ``template: "{host}:{port}"``; ``{{`` is a brace.

    A field that is absent takes its value from ``defaults``; with none there, nothing happens.
    ``consume`` removes the fields.
    """

    to: OnePath
    template: str
    defaults: dict[str, Any] = Field(default_factory=dict)
    consume: bool = False

    def apply(self, document: Document, scope: Any, context: Context) -> None:
        """Write the text if every field has a value."""
        hits: list[Hit] = []
        missing = False

        def fill(match: re.Match[str]) -> str:
            nonlocal missing
            if match[1] is None:
                return match[0][0]
            hit = one(document, match[1], scope)
            if hit is not None and hit.cell.value is not None:
                if isinstance(hit.cell.value, Mapping | Sequence):
                    raise Refused("wrong_type", "a scalar is expected here", place=show(hit.place))
                hits.append(hit)
                value = hit.cell.value
            elif match[1] in self.defaults:
                value = self.defaults[match[1]]
            else:
                missing = True
                return ""
            return str(value).lower() if isinstance(value, bool) else str(value)

        text = _FIELD.sub(fill, self.template)
        if missing:
            return
        if self.consume:
            for hit in {id(h.cell): h for h in hits}.values():
                document.remove(hit.container, hit.cell)
        document.set(self.to, text, scope)
