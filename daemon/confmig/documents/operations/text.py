"""Operations on text: replace, format, split."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from confmig.documents.model.editor import Editor
from confmig.documents.model.lookup import Hit
from confmig.documents.model.tree import Mapping, Sequence
from confmig.documents.operations.base import (
    AnyPath,
    Context,
    OnePath,
    Strict,
    expect,
    lexeme,
    one,
    one_path,
    rewrite,
)
from confmig.errors import Refused

LONGEST = 1 << 20
"""Characters of a text that an operation reads or writes at most."""


def _capped(text: str, hit: Hit) -> str:
    if len(text) > LONGEST:
        raise Refused(
            "text_too_long",
            f"a text of more than {LONGEST} characters is not matched or made",
            place=hit.shown,
        )
    return text


def _checked(regex: str) -> str:
    try:
        re.compile(regex)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return regex


class Replace(Strict):
    """Replace what a linear-time regular expression (RE2) matches in strings.

    ``\\1`` in ``with`` is a group. A value that is not a string is an error.
    """

    path: AnyPath
    regex: str
    replacement: str

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "with" if n == "replacement" else n
    }

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str) -> str:
        return _checked(regex)

    @model_validator(mode="after")
    def _groups_are_there(self) -> Replace:
        groups = re.compile(self.regex).groups
        for match in re.finditer(r"\\(.?)", self.replacement, re.DOTALL):
            if match[1].isdecimal() and int(match[1]) > groups:
                raise ValueError(f"`with` names the group \\{match[1]}, and `regex` has {groups}")
            if not match[1].isdecimal() and match[1] != "\\":
                raise ValueError(r"in `with`, a backslash comes before a digit, or is written \\")
        return self

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Replace in every string the path names."""
        for hit in document.find(self.path, scope):
            if hit.entry.value is None:
                continue
            expect(document, hit, "string")
            text = _capped(str(document.clear(hit)), hit)
            if len(self.replacement) * len(text) > LONGEST << 4:
                raise Refused("text_too_long", "the result may be too long", place=hit.shown)
            new = _capped(context.substitute(self.regex, self.replacement, text), hit)
            rewrite(document, hit, new)


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

    @field_validator("template")
    @classmethod
    def _fields(cls, template: str, info: ValidationInfo) -> str:
        def local(match: re.Match[str]) -> str:
            return match[0] if match[1] is None else f"{{{one_path(match[1], info)}}}"

        return _FIELD.sub(local, template)

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Write the text if every field has a value."""
        hits: list[Hit] = []
        missing = False

        def fill(match: re.Match[str]) -> str:
            nonlocal missing
            if match[1] is None:
                return match[0][0]
            hit = one(document, match[1], scope)
            if hit is not None and hit.entry.value is not None:
                if isinstance(hit.entry.value, Mapping | Sequence):
                    raise Refused("wrong_type", "a scalar is expected here", place=hit.shown)
                document.clear(hit)
                hits.append(hit)
                return lexeme(document, hit)
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
            for hit in {id(h.entry): h for h in hits}.values():
                document.remove(hit.container, hit.entry)
        document.set(self.to, text, scope)


class Split(Strict):
    """Take fields out of a text.

    The named groups of a regular expression (RE2) that matches all of it go to the paths given
    for them; a group that took no part writes nothing.

    ``{from: listen, regex: "(?P<host>.*):(?P<port>[0-9]+)", to: {host: a.host, port: a.port}}``.
    ``keep`` leaves the text where it is; ``otherwise`` says what happens where it does not match.
    """

    source: OnePath
    regex: str
    to: dict[str, OnePath]
    keep: bool = False
    otherwise: Literal["error", "skip"] = "error"

    model_config = Strict.model_config | {
        "alias_generator": lambda n: "from" if n == "source" else n
    }

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str) -> str:
        return _checked(regex)

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Split the text if it is there."""
        hit = one(document, self.source, scope)
        if hit is None or hit.entry.value is None:
            return
        expect(document, hit, "string")
        groups = context.groups(self.regex, _capped(str(document.clear(hit)), hit))
        unknown = [] if groups is None else [name for name in self.to if name not in groups]
        if groups is None and self.otherwise == "skip":
            return
        if groups is None or unknown:
            why = f"there is no group `{unknown[0]}`" if unknown else "the regex does not match"
            raise Refused("not_splittable", why, place=hit.shown)
        if not self.keep:
            document.remove(hit.container, hit.entry)
        for name, path in self.to.items():
            value = groups[name]
            if value is not None:
                document.set(path, value, scope)
