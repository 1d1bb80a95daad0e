"""Independent readings of YAML, and a thin wrapper of the engine, for the tests of documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
import yaml12

from confmig.documents import formats
from confmig.documents.formats import Rendered
from confmig.documents.model.document import Document

Edit = Callable[[Document], object]
Pairs = list[tuple[str, Any]]


class Ordered(list[tuple[str, Any]]):
    """A mapping as its pairs in order: nothing about duplicates or order gets lost."""


class Reader11(yaml.CSafeLoader):
    """YAML 1.1 as PyYAML reads it, but keys stay text and mappings stay pairs."""


def _pairs(loader: Reader11, node: yaml.MappingNode) -> Ordered:
    return Ordered(
        (str(key.value), loader.construct_object(value, deep=True)) for key, value in node.value
    )


def _text(loader: Reader11, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _any(loader: Reader11, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _pairs(loader, node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return str(node.value)


Reader11.add_constructor("tag:yaml.org,2002:map", _pairs)
Reader11.add_constructor("tag:yaml.org,2002:value", _text)
Reader11.add_constructor("tag:yaml.org,2002:merge", _text)
Reader11.add_multi_constructor("", _any)


def read11(data: bytes) -> Any:
    """What a YAML 1.1 reader sees."""
    return yaml.load(data.decode("utf-8-sig"), Loader=Reader11)


def read12(data: bytes) -> Any:
    """What a YAML 1.2 reader sees; mappings as pairs, keys as they are read."""
    return _from12(yaml12.parse_yaml(data.decode("utf-8-sig")))


def _from12(value: Any) -> Any:
    if isinstance(value, yaml12.Yaml):
        value = value.value
    if isinstance(value, dict):
        return Ordered((_key12(k), _from12(v)) for k, v in value.items())
    if isinstance(value, list):
        return [_from12(v) for v in value]
    return value


def _key12(key: Any) -> Any:
    return key.value if isinstance(key, yaml12.Yaml) else key


def alike(a: Any, b: Any, *, keys: bool = True) -> bool:
    """Equal in value and type; with ``keys`` off only text keys are compared (1.2 types keys)."""
    if isinstance(a, Ordered) or isinstance(b, Ordered):
        if not (isinstance(a, Ordered) and isinstance(b, Ordered)) or len(a) != len(b):
            return False
        return all(
            (x == y or (not keys and not (isinstance(x, str) and isinstance(y, str))))
            and alike(v, w, keys=keys)
            for (x, v), (y, w) in zip(a, b, strict=True)
        )
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(v, w, keys=keys) for v, w in zip(a, b, strict=True))
    if type(a) is not type(b):
        return False
    return bool(a == b or (a != a and b != b))


def parse(source: str | bytes, dialect: str = "go-yaml") -> Document:
    """Parse a text as the engine does."""
    data = source.encode() if isinstance(source, str) else source
    return formats.parse(data, format="yaml", dialect=dialect)


def render(document: Document) -> Rendered:
    """Render, and check that every segment really is a copy of the source."""
    rendered = formats.render(document)
    text = rendered.data.decode("utf-8-sig")
    for s in rendered.segments:
        assert document.text[s.old : s.old + s.length] == text[s.new : s.new + s.length]
    return rendered


def edited(source: str | bytes, edit: Edit, dialect: str = "go-yaml") -> str:
    """The text after an edit, BOM included."""
    document = parse(source, dialect)
    edit(document)
    return render(document).data.decode("utf-8")
