"""Plain values: their types, equality and copies. A tree is made of the same values."""

from __future__ import annotations

from typing import Any

from confmig.errors import Refused

Scalar = None | bool | int | float | str


class Date(str):
    """A date or time as it is in the file: TOML has them as a type of their own."""

    __slots__ = ()


_DEEPEST = 400  # deeper than any document can be


def plain(value: Any, depth: int = 0) -> Any:
    """A deep copy made of ordinary dicts and lists. Raises ``Refused`` (``too_deep``)."""
    if depth > _DEEPEST:
        raise Refused("too_deep", f"a value is nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        return {k: plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v, depth + 1) for v in value]
    return value


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    Date: "date",
    dict: "object",
    list: "list",
}


def kind_of(value: Any) -> str:
    """The name of a value's type as migrations write it."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if isinstance(value, dict):
        return "object"
    return "list" if isinstance(value, list) else type(value).__name__


def described(value: Any) -> str:
    """The type of a value in words, for messages."""
    return words_of(kind_of(value))


def words_of(kind: str) -> str:
    """The name of a type in words, for messages."""
    return _WORDS.get(kind, kind)


_WORDS = {
    "null": "null",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "a text",
    "date": "a date",
    "object": "an object",
    "list": "a list",
}


def same_value(a: Any, b: Any) -> bool:
    """Equality of values and of types: false is not 0, 1 is not 1.0; NaN equals itself."""
    stack = [(a, b)]
    while stack:
        a, b = stack.pop()
        if kind_of(a) != kind_of(b):
            return False
        if isinstance(a, dict):
            if a.keys() != b.keys():
                return False
            stack.extend((a[k], b[k]) for k in a)
        elif isinstance(a, list):
            if len(a) != len(b):
                return False
            stack.extend(zip(a, b, strict=True))
        elif a != b and not (a != a and b != b):
            return False
    return True
