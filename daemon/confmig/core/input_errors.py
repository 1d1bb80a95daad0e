"""What pydantic finds wrong with input that people wrote, in words for them. Pure.

Each problem names the place in the file, the key and what it should be; a misspelt key or word gets
"did you mean". A problem that only follows from another one (a key is missing because it is
misspelt) is not reported.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from confmig.errors import Problem
from confmig.writer import closest, did_you_mean

Loc = tuple[str | int, ...]
# the line of each entry of a JSON text, by its path
Lines = Callable[[bytes], Mapping[Loc, int]]
# the code of a problem from its path, pydantic's type of error (`string_type`), and the value there
Coded = Callable[[Loc, str, object], str]

_KINDS = {
    "string_type": "text",
    "string_sub_type": "text",
    "string_unicode": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "path_type": "a path",
}
_LIMITS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
# a description of the key says more than these
_DESCRIBED = ("string_pattern_mismatch", "too_short", *_LIMITS)


_CORRECT = "correct this value"


def no_lines(raw: bytes) -> Mapping[Loc, int]:
    """For a reader that shows no lines."""
    return {}


@dataclass(frozen=True, slots=True)
class _Found:
    """One problem: its kind, its path, the sentence, what to do, and the key that was meant.

    ``name`` is the entry of a list that it is in, if that has one.
    """

    kind: str
    path: Loc
    sentence: str
    fix: str = _CORRECT
    meant: Loc | None = None
    name: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def problems_of(
    error: ValidationError,
    model: type[BaseModel],
    *,
    code: str | Coded,
    file: str,
    then: str = "",
    lines: Mapping[Loc, int] | None = None,
    below: Loc = (),
    names: Mapping[Loc, str] | None = None,
) -> list[Problem]:
    """The problems of an input, in the order of the file.

    ``lines`` has the line of each entry, by its path; ``below``: where the input is in the file;
    ``names`` what the entries of a list are called. ``then`` is added to the fix of each.
    """
    groups: dict[Loc, list[tuple[Loc, Any]]] = {}
    for detail in error.errors(include_url=False):
        path, _ = _walk(model, detail["loc"])
        groups.setdefault(path, []).append((detail["loc"], detail))
    own = next((f"`{part}`" for part in reversed(below) if isinstance(part, str)), None)
    if own is None:
        own = f"entry {int(below[-1]) + 1}" if below else "the file"
    found = []
    for path, group in _meant(groups).items():
        entry = next((n for n in range(len(path), 0, -1) if path[:n] in (names or {})), 0)
        whose = (names or {}).get(path[:entry], "")
        one = _found(model, path, group, whose or own, path[entry:])
        found.append(replace(one, name=whose, detail=group[0][1]))
    meant = {one.meant for one in found}  # a key that was misspelt is not missing
    found = [one for one in found if one.kind != "missing" or one.path not in meant]
    found = _other_keys(found, own)
    out = []
    for one in found:
        line = line_of((*below, *one.path), lines or {})
        place = file if line is None else f"{file}:{line}"
        word = code if isinstance(code, str) else code(one.path, one.kind, one.detail.get("input"))
        sentence = one.sentence
        if one.name and one.name not in sentence:
            sentence = f"{one.name}: {sentence}"
        out.append((line or 0, Problem(word, place, sentence, one.fix + then)))
    return [problem for _, problem in sorted(out, key=lambda p: p[0])]


def _other_keys(found: list[_Found], own: str) -> list[_Found]:
    """Report missing and unknown keys of one mapping as one problem that names both.

    The unknown ones were probably meant as the missing ones. ``own`` names what the input as a
    whole is.
    """
    out: list[_Found] = []
    for one in found:
        level = [
            o
            for o in found
            if o.kind in ("missing", "unknown") and o.meant is None and o.path and one.path
            if o.path[:-1] == one.path[:-1]
        ]
        missing = [str(o.path[-1]) for o in level if o.kind == "missing"]
        unknown = [str(o.path[-1]) for o in level if o.kind == "unknown"]
        if not (missing and unknown) or one not in level:
            out.append(one)
        elif one is level[0]:
            owner = one.name or (f"`{shown(one.path[:-1])}`" if one.path[:-1] else own)
            word = "key" if len(missing) == 1 else "keys"
            sentence = (
                f"{owner} takes the {word} {_listed(missing, 'and')}; use "
                f"{'it' if len(missing) == 1 else 'them'} instead of {_listed(unknown, 'and')}"
            )
            out.append(_Found("keys", one.path, sentence, f"write {_listed(missing, 'and')}"))
    return out


def shown(path: Sequence[str | int]) -> str:
    """A path for people: ``targets[0].name``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def line_of(path: Loc, lines: Mapping[Loc, int]) -> int | None:
    """The line of an entry, or of the nearest one around it."""
    for length in range(len(path), -1, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _meant(groups: Mapping[Loc, list[tuple[Loc, Any]]]) -> dict[Loc, list[tuple[Loc, Any]]]:
    """The problems, without those of alternatives that were not meant.

    Where a word or a mapping may be given, only the problems inside the mapping count, if there
    are any.
    """
    out = {}
    for path, group in groups.items():
        inner = [p for p in groups if len(p) > len(path) and p[: len(path)] == path]
        choice = any(isinstance(one["input"], dict | list) for _, one in group)
        if inner and choice and all(one["type"] != "value_error" for _, one in group):
            continue
        out[path] = group
    return out


def _found(
    model: type[BaseModel], path: Loc, group: list[tuple[Loc, Any]], own: str, inner: Loc
) -> _Found:
    """One problem. ``own`` is the nearest thing that has a name, ``inner`` the path from there."""
    # what one of the alternatives finds wrong inside says more than that no alternative fits
    loc, one = next((g for g in group if g[1]["type"] == "value_error"), group[0])
    kind, key = one["type"], str(path[-1]) if path else ""
    name = f"`{shown(inner)}`" if inner else own
    if kind == "extra_forbidden":
        known = _keys(_walk(model, loc[:-1])[1].annotation)
        meant = closest(key, known)
        inside = f" in `{shown(inner[:-1])}`" if len(inner) > 1 else ""
        sentence = f"unknown key `{key}`{inside}{did_you_mean(key, known)}"
        if meant is not None:
            return _Found("unknown", path, sentence, f"write `{meant}`", (*path[:-1], meant))
        return _Found("unknown", path, sentence, f"remove it; known are {_listed(known, 'and')}")
    if kind == "missing":
        return _Found("missing", path, f"{name} is missing", "add it")
    if loc and loc[-1] == "[key]":
        words = _words(one)
        sentence = f"unknown {_what(path)} `{key}`{did_you_mean(key, words)}"
        meant = closest(key, words)
        fix = f"write `{meant}`" if meant else f"known are {_listed(words, 'and')}"
        return _Found("key", path, sentence, fix)
    if kind == "value_error":
        reason = str(one["ctx"]["error"])
        return _Found("value", path, f"{name}: {reason}" if inner else reason)
    described = _walk(model, loc)[1].description
    if described is not None and (len(group) > 1 or kind in _KINDS or kind in _DESCRIBED):
        return _Found(kind, path, f"{name} must be {described}")
    if len(group) > 1:
        alternatives = list(dict.fromkeys(_alternative(other) for _, other in group))
        return _Found(kind, path, f"{name} must be {' or '.join(alternatives)}")
    meant = closest(one["input"], _words(one)) if _is_word(one) else None
    return _Found(kind, path, _sentence(name, one), f"write `{meant}`" if meant else _CORRECT)


def _sentence(name: str, one: Any) -> str:
    kind, ctx = one["type"], one.get("ctx") or {}
    if kind == "literal_error":
        return f"{name} must be {_listed(_words(one), 'or')}" + (
            did_you_mean(one["input"], _words(one)) if _is_word(one) else ""
        )
    if kind in _KINDS:
        return f"{name} must be {_KINDS[kind]}"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{name} must be {words} {ctx[key]}"
    if kind == "string_pattern_mismatch":
        return f"{name} must match the pattern {ctx['pattern']}"
    if kind in ("too_short", "string_too_short"):
        return f"{name} must not be empty"  # the only least length that our models ask for
    return f"{name}: {one['msg'][:1].lower()}{one['msg'][1:]}"


def _is_word(one: Any) -> bool:
    """Whether a word was given where one of several others is expected."""
    return one["type"] == "literal_error" and isinstance(one["input"], str)


def _alternative(one: Any) -> str:
    if one["type"] == "literal_error":
        return _listed(_words(one), "or")
    return _KINDS.get(one["type"], "another value")


def _words(one: Any) -> list[str]:
    """The words of a choice."""
    text = str(one["ctx"]["expected"]).replace(" or ", ", ")
    return [word.strip().strip("'") for word in text.split(",")]


def _listed(words: Sequence[str], last: str) -> str:
    quoted = [f"`{word}`" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def _what(path: Loc) -> str:
    """What the keys of a mapping are: ``classes`` has a ``class``."""
    plural = str(path[-2]) if len(path) > 1 else "key"
    return {"classes": "class"}.get(plural, plural.removesuffix("s"))


# --- walking a model along a location


def _walk(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[Loc, FieldInfo]:
    """The path of a location in the input, and the field there.

    A location also has the names that pydantic gives to alternatives; the path does not.
    """
    field = FieldInfo.from_annotation(model)
    path: list[str | int] = []
    named = False  # whether the alternative of a choice was named
    for part in loc:
        here = _options(field.annotation)
        if part == "[key]":
            continue
        if len(here) > 1 and not named and not _fits(here, part):
            named = True  # this part is the name of the alternative, not a key
            continue
        named = False
        path.append(part)
        field = _inside(here, part)
    return tuple(path), field


def _options(annotation: Any) -> list[Any]:
    """The alternatives of an annotation, None left out."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [o for a in get_args(annotation) for o in _options(a) if o is not type(None)]
    return [annotation]


def _fits(options: Sequence[Any], part: str | int) -> bool:
    """Whether a part of a location is a key of one of the alternatives, not the name of one."""
    if isinstance(part, int):
        return True
    return any(part in _keys(option) or get_origin(option) is dict for option in options) and (
        "[" not in part
    )


def _inside(options: Sequence[Any], part: str | int) -> FieldInfo:
    for option in options:
        origin, args = get_origin(option), get_args(option)
        if isinstance(option, type) and issubclass(option, BaseModel):
            for name, field in option.model_fields.items():
                if part in (name, field.alias):
                    return field
        elif origin in (tuple, list) and isinstance(part, int):
            return FieldInfo.from_annotation(args[0])
        elif origin is dict:
            return FieldInfo.from_annotation(args[1])
    return FieldInfo.from_annotation(Any)


def _keys(annotation: Any) -> list[str]:
    """The keys that a mapping may have there."""
    out = []
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            out += [field.alias or name for name, field in option.model_fields.items()]
        elif get_origin(option) is dict and get_origin(get_args(option)[0]) is Literal:
            out += [str(word) for word in get_args(get_args(option)[0])]
    return out
