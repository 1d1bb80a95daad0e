"""What a format of lines must say about itself, and what all of them share.

``Spot`` is where a value is to be written, ``Habits`` how the file writes: a grammar answers with
the text of a value that this file's readers read as meant, or refuses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from confmig.documents.lines.parse import Builder, Reads
from confmig.documents.model.path import Place, show
from confmig.errors import Refused

Values = Mapping[str, "str | Mapping[str, str | None] | None"]
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Habits:
    """How a file writes.

    ``delimiter``: between key and value; ``prefix``: before a new key; ``bare``: it has keys
    without a value; ``hang``: how much deeper its values go on (None if none does); ``ascii``:
    it escapes what is not ASCII.
    """

    delimiter: str
    prefix: str = ""
    bare: bool = False
    hang: str | None = None
    ascii: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """The place of a value, and what is around it.

    ``old`` is the text of the value that is there ("" for none), ``was`` what it means and
    ``quote`` its quote; ``between`` is what is between key and value, ``margin`` before the
    key.
    """

    place: Place
    newline: str
    margin: str
    between: str
    old: str = ""
    was: str = ""
    quote: str | None = None


class Grammar(Reads, Protocol):
    """One format."""

    delimiter: str
    """What is between key and value if a file does not show it."""
    sections: bool

    def key(self, name: str, quote: str | None, habits: Habits, place: Place) -> str:
        """The text of a key. Raises ``Refused`` (``value_unsupported``)."""

    def value(self, value: str, habits: Habits, spot: Spot) -> str:
        """The text of a value. Raises ``Refused`` (``value_unsupported``)."""

    def means(self, raw: str) -> str:
        """What the text of a value means to readers that take quotes off."""

    def read(self, text: str, build: Builder) -> Values:
        """What an independent reader sees; ``build`` knows where our own found what.

        Raises ``ValueError``, or ``Refused`` for what would take that reader too long.
        """


def unsupported(place: Place, why: str, fix: str = "") -> Refused:
    """The refusal of what a format cannot hold."""
    fix = fix or "give a value that the format can hold, or migrate this place by hand"
    return Refused("value_unsupported", why, place=show(place), fix=fix)


def text_of_value(value: Any, place: Place) -> str | None:
    """A scalar as text: true and false in lower case, numbers in digits."""
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise unsupported(place, "there is no text for a number that is not finite")
    try:
        return repr(value)
    except ValueError:
        raise unsupported(place, "a number with too many digits") from None
