"""What a YAML scalar means, in each dialect, and how to write one that all dialects agree on.

Readers differ: ``yes`` is a bool under YAML 1.1, a string under 1.2, and go-yaml v3 reads it into
a bool field as true. The tree is typed by the dialect a configuration declares; what we write
reads the same under all of them.

Sources: the YAML 1.2.2 core schema (section 10.3), PyYAML's resolver (YAML 1.1), go-yaml v3
``resolve.go`` as documented behaviour.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from confmig.errors import Refused

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_YES = frozenset(("yes", "Yes", "YES", "on", "On", "ON"))
_NO = frozenset(("no", "No", "NO", "off", "Off", "OFF"))
FIRST = frozenset("0123456789+-.~nNtTfFyYoO")
_INT12 = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT12 = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INF = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z")
_NAN = frozenset((".nan", ".NaN", ".NAN"))
_INT11 = re.compile(
    r"[-+]?(?:0b[0-1_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*|[1-9][0-9_]*(?::[0-5]?[0-9])+)\Z"
)
_FLOAT11 = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)\Z"
)
_INTGO = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z")
_DIGITS = 4000  # Python refuses to turn longer digit strings into an int


def resolve(raw: str, dialect: str) -> Any:
    """The value of a plain scalar under ``yaml-1.2``, ``yaml-1.1`` or ``go-yaml``."""
    if raw and raw[0] not in FIRST:
        return raw
    if raw in _NULL:
        return None
    if raw in _TRUE:
        return True
    if raw in _FALSE:
        return False
    return _RESOLVERS[dialect](raw)


def _resolve12(raw: str) -> Any:
    if _INT12.match(raw):
        digits = raw.lstrip("+-")
        if len(raw) > _DIGITS:
            raise Refused("number_too_long", f"a number of {len(raw)} digits")
        if digits[:2] == "0o" or digits[:2] == "0x":
            return int(raw, 0)
        return int(raw, 10)
    if _FLOAT12.match(raw):
        return float(raw)
    return _inf_nan(raw)


def _resolve11(raw: str) -> Any:
    if raw in _YES:
        return True
    if raw in _NO:
        return False
    if _INT11.match(raw):
        text = raw.replace("_", "")
        if len(text) > _DIGITS:
            raise Refused("number_too_long", f"a number of {len(text)} digits")
        sign = -1 if text[0] == "-" else 1
        text = text.lstrip("+-")
        if ":" in text:
            return sign * _base60([int(p) for p in text.split(":")])
        if text[:1] == "0" and text[1:2].isdigit():
            return sign * int(text, 8)
        return sign * int(text or "0", 0)
    if _FLOAT11.match(raw):
        text = raw.replace("_", "")
        if ":" in text:
            sign = -1 if text[0] == "-" else 1
            parts = text.lstrip("+-").split(":")
            whole = _base60([int(p) for p in parts[:-1]])
            return sign * (whole * 60 + float(parts[-1]))
        return float(text)
    return _inf_nan(raw)


def _resolve_go(raw: str) -> Any:
    if raw in _YES:
        return True
    if raw in _NO:
        return False
    if _INTGO.match(raw):
        text = raw.replace("_", "")
        if len(text) > _DIGITS:
            raise Refused("number_too_long", f"a number of {len(text)} digits")
        sign = -1 if text[0] == "-" else 1
        text = text.lstrip("+-")
        if text[:1] == "0" and text[1:2].isdigit():
            return sign * int(text, 8)
        return sign * int(text, 0)
    if _FLOAT12.match(raw):
        return float(raw)
    return _inf_nan(raw)


def _inf_nan(raw: str) -> Any:
    if _INF.match(raw):
        return -math.inf if raw[0] == "-" else math.inf
    if raw in _NAN:
        return math.nan
    return raw


def _base60(parts: list[int]) -> int:
    total = 0
    for part in parts:
        total = total * 60 + part
    return total


_RESOLVERS: dict[str, Callable[[str], Any]] = {
    "yaml-1.2": _resolve12,
    "yaml-1.1": _resolve11,
    "go-yaml": _resolve_go,
}
DIALECTS = tuple(_RESOLVERS)

# --- writing

_SAFE = re.compile(r"[A-Za-z0-9_./$(+*^|][A-Za-z0-9_./$()+@%^;~ =\\*|:<>&!?'\"#\[\]{},-]*\Z")
_FLOW_BAD = re.compile(r"[\[\]{},]")
_AMBIGUOUS = re.compile(
    r"(?:[yYnN]|[-+0-9.][0-9_,]*[:.eE_xobXOB-][0-9a-fA-F_:.eE+TZ -]*|=|<<|-|\?|~)\Z"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_DOTTED = re.compile(
    r"[0-9]+(?:\.[0-9]+){2,}\Z"
)  # addresses and versions; no reader takes a number
_CONTROL = re.compile("[\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def plain_is_safe(text: str, *, flow: bool = False) -> bool:
    """Whether ``text`` can be without quotes and reads as a string in every dialect."""
    if not _SAFE.match(text) or text[-1] in " :" or text[0] in "*|":
        return False
    if ": " in text or " #" in text or text[:3] in ("---", "..."):
        return False
    if flow and (_FLOW_BAD.search(text) or ":" in text):
        return False
    if _DATE.match(text) or (_AMBIGUOUS.match(text) and not _DOTTED.match(text)):
        return False
    return all(isinstance(resolve(text, dialect), str) for dialect in DIALECTS)


def double_quoted(text: str) -> str:
    """A double-quoted scalar: JSON's escapes, which are YAML's too."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _CONTROL.sub(lambda m: f"\\u{ord(m[0]):04x}", quoted)


def write(value: Any, *, style: str | None = None, quote: str = "'", flow: bool = False) -> str:
    """The text of a scalar on one line.

    ``style`` is the style of the scalar it replaces (kept for strings where it can hold the
    value), ``quote`` the quote character the document prefers where quotes are needed.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _write_float(value)
    if style not in ("'", '"') and plain_is_safe(value, flow=flow):
        return str(value)
    quote = style if style in ("'", '"') else quote
    text = str(value)
    if quote == "'" and not _CONTROL.search(text):
        return "'" + text.replace("'", "''") + "'"
    return double_quoted(text)


def _write_float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    if "e" in text:  # YAML 1.1 wants a dot and a sign in the exponent
        mantissa, exponent = text.split("e")
        mantissa += "" if "." in mantissa else ".0"
        text = f"{mantissa}e{exponent if exponent[0] in '+-' else '+' + exponent}"
    return text
