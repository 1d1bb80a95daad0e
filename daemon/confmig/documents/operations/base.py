"""What all operations share: the context they run in, typed look-ups, errors with a place."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Map
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from confmig.documents.model import path as paths
from confmig.documents.model.document import Document
from confmig.documents.model.document_set import address
from confmig.documents.model.editor import Editor
from confmig.documents.model.lookup import Hit
from confmig.documents.model.tree import Mapping, Sequence
from confmig.documents.model.values import described, kind_of, same_value, words_of
from confmig.errors import Refused
from confmig.writer import counted

TypeName = Literal["string", "int", "float", "number", "bool", "list", "object"]
_ZERO: dict[str, Any] = {
    "string": "",
    "int": 0,
    "float": 0.0,
    "number": 0,
    "bool": False,
    "list": [],
    "object": {},
}


def undecided(place: str, reason: str) -> None:
    """Raise ``Refused`` (``manual_decision``): a person must decide."""
    fix = "decide, change the file by hand, then run again"
    raise Refused("manual_decision", reason, place=place, fix=fix)


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation may ask of the world, as ports.

    ``custom`` runs a Python handler on the document, or on one item of it; ``substitute`` is a
    linear-time regular expression engine (pattern, replacement, text -> text); ``search`` tells
    whether it matches;
    ``groups`` gives the named groups of a match of the whole text, or None; ``note`` takes a
    warning for the report (place, text); ``decide`` takes what a person must decide (place, reason)
    and refuses now, or collects it and refuses later.
    """

    custom: Callable[[str, Document, Mapping | None], None]
    substitute: Callable[[str, str, str], str]
    search: Callable[[str, str], bool]
    groups: Callable[[str, str], dict[str, str | None] | None]
    note: Callable[[str, str], None] = lambda place, text: None
    decide: Callable[[str, str], None] = undecided


class Strict(BaseModel):
    """A model of something people write: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


DEPTHS = {"properties": 1, "dotenv": 1, "ini": 2}
"""How many keys a path has at most in the formats that are not nested."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """How the paths of one operation are read.

    ``formats`` has the configurations that the migration sets, with their formats. With several,
    each path begins with the name of one (``app:server.port``), unless it is ``relative`` to what
    ``for_each`` names; with one, the name may be left out. ``others`` are the bundle's other
    configurations: a path must not begin with one of those.
    """

    formats: Map[str, str]
    relative: bool = False
    others: tuple[str, ...] = ()

    @property
    def configs(self) -> tuple[str, ...]:
        """The configurations that the migration sets."""
        return tuple(self.formats)

    @property
    def several(self) -> bool:
        """Whether paths must say which configuration they are about."""
        return len(self.formats) > 1

    def local(self, text: str) -> str:
        """A path without the name of its configuration.

        Raises ``ValueError`` for one of another configuration, for one without a name where
        it needs one, and for one that is deeper than the format of its configuration.
        """
        foreign = address(text, self.others)
        if foreign is not None:
            name = text.partition(":")[0]
            raise ValueError(
                f"`{text}`: the migration does not set the configuration `{name}`; add it to "
                f"`sets` in the manifest, or write a key with a colon as ['{text}']"
            )
        found = address(text, self.configs)
        if found is None and self.several and not self.relative:
            names = ", ".join(f"{name}:" for name in self.configs)
            raise ValueError(f"`{text}`: begin the path with one of {names}")
        path = text if found is None else found[1]
        config = text.partition(":")[0] if found is not None else self.configs[0]
        if found is not None or not self.several:
            _not_too_deep(path, self.formats[config])
        return path

    def absolute(self, text: str) -> str:
        """The same for a path that must have a name where there are several configurations."""
        return replace(self, relative=False).local(text)


def _not_too_deep(text: str, format: str) -> None:
    """Raise ``ValueError`` for a path too deep for a format; the message spells it right."""
    deepest = DEPTHS.get(format)
    path = paths.parse(text)
    if deepest is None or len(path) <= deepest:
        return
    limit = f"a path in a {format} file has at most {counted(deepest, 'key')}"
    names = [s.name for s in path if isinstance(s, paths.Key)]
    if len(names) != len(path):
        raise ValueError(f"`{text}`: {limit}")
    right = paths.show([*names[: deepest - 1], ".".join(names[deepest - 1 :])])
    raise ValueError(f"`{text}`: {limit}; a key with dots is written as {right}")


def _any_path(text: str) -> None:
    if not paths.parse(text):
        raise Refused("path_invalid", "the empty path is the whole document; name a place in it")


def _root_path(text: str) -> None:
    if text:
        _one_path(text)


def _one_path(text: str) -> None:
    _any_path(text)
    if not paths.is_concrete(paths.parse(text)):
        raise Refused("path_invalid", f"`{text}`: no wildcards here; use for_each")


def _value_error(check: Callable[[str], None]) -> Callable[[str, ValidationInfo], str]:
    def run(text: str, info: ValidationInfo) -> str:
        try:
            if not isinstance(info.context, Addresses):
                check(text)
                return text
            local = info.context.local(text)
            if local != text:
                _any_path(local)
            check(local)
            return text if info.context.several else local
        except Refused as error:
            raise ValueError(error.message) from None

    return run


AnyPath = Annotated[str, AfterValidator(_value_error(_any_path))]
"""A path that may hold wildcards."""

one_path = _value_error(_one_path)
"""The check of a path that is written inside a text. Raises ``ValueError``."""

OnePath = Annotated[str, AfterValidator(one_path)]
"""A path that names at most one place."""

RootPath = Annotated[str, AfterValidator(_value_error(_root_path))]
"""A path that names at most one place, or, empty, the whole document."""


def expect(document: Editor, hit: Hit, wanted: TypeName | None) -> None:
    """Check a value's type; an explicit null becomes the zero value of the type.

    Raises ``Refused`` (``wrong_type``) with the place and both types, never the value.
    """
    if wanted is None or is_type(document, hit, wanted):
        return
    if hit.entry.value is None:
        document.replace(hit.container, hit.entry, _ZERO[wanted])
        return
    raise Refused(
        "wrong_type",
        f"{words_of(wanted)} is expected here, not {described(hit.entry.value)}",
        place=hit.shown,
    )


_STANDARD = "tag:yaml.org,2002:"
_PLAIN = (None, "!", f"{_STANDARD}str")  # what a new text means without it
_WRITABLE = re.compile(r"![\w./:-]+", re.ASCII)  # in the short form, without a %TAG directive


def rewrite(document: Editor, hit: Hit, value: Any) -> None:
    """Give a place a value that was made from the one it has.

    A text keeps a tag of the file's own (``!secret name``), because the tag says what the text
    means.

    Raises ``Refused`` (``tagged_value``) for any other value with such a tag: it would be lost.
    """
    entry = hit.entry
    tag = entry.node.tag if entry.node is not None else entry.tag
    if tag in _PLAIN or (tag.startswith(_STANDARD) and not isinstance(entry.value, str)):
        document.replace(hit.container, entry, value)
    elif isinstance(entry.value, str) and isinstance(value, str) and _WRITABLE.fullmatch(tag):
        document.replace(hit.container, entry, value, keep_tag=True)
    elif not same_value(entry.value, value):
        raise Refused(
            "tagged_value",
            f"the value has the tag {tag}, which the new value cannot keep",
            place=hit.shown,
            fix="use set to replace the tag too, or change the value by hand",
        )


def is_type(document: Editor, hit: Hit, wanted: str) -> bool:
    """Whether a value has the type, the way the configuration's reader takes it."""
    value = hit.entry.value
    kind = kind_of(value)
    if kind == wanted or (wanted == "number" and kind in ("int", "float")):
        return True
    node = hit.entry.node
    if (
        wanted == "string"
        and kind == "bool"
        and hit.container.document.dialect == "go-yaml"
        and node is not None
    ):
        # go-yaml reads a plain yes, no, on or off into a string field as that text
        return hit.container.document.text[node.start : node.end] not in (
            "true",
            "True",
            "TRUE",
            "false",
            "False",
            "FALSE",
        )
    return False


def matches(value: Any, wanted: Any) -> bool:
    """Whether a list item is meant.

    It is meant if it is an equal value, or an object that has all the keys of ``wanted`` with
    equal values.
    """
    if isinstance(value, dict) and isinstance(wanted, dict) and wanted:
        return all(k in value and same_value(value[k], v) for k, v in wanted.items())
    return same_value(value, wanted)


def the_list(document: Editor, hit: Hit) -> Sequence | None:
    """The list at a place; None if the value is null.

    Raises ``Refused`` (``wrong_type``).
    """
    if hit.entry.value is None:
        return None
    expect(document, hit, "list")
    value = document.enter(hit)
    assert isinstance(value, Sequence)
    return value


def lexeme(document: Editor, hit: Hit) -> str:
    """The text of a scalar as it is in the file: 1.10 is not 1.1."""
    value, node = hit.entry.value, hit.entry.node
    plain = node is not None and node.style in (None, "date") and node.alias is None
    if node is not None and plain and not isinstance(value, str):
        return hit.container.document.text[node.start : node.end]
    return str(value).lower() if isinstance(value, bool) else str(value)


def one(document: Editor, path: str, scope: Any) -> Hit | None:
    """The one place a path without wildcards names, or None."""
    hits = document.find(path, scope)
    return hits[0] if hits else None
