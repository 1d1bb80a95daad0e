"""YAML text -> tree with positions, from libyaml's events.

The events of PyYAML's ``CParser`` carry exact marks for scalars. What they do not carry, or get
wrong, is mended here: block collections end late (their last descendant's end is used), block
scalars end after their trailing blank lines, a scalar's mark includes its anchor and tag.
Nothing is ever constructed by PyYAML: the C loader crashes on deep nesting, the event loop has a
depth cap.

Marks count characters of the text without its BOM.
"""

from __future__ import annotations

import gc
import re
from typing import Any

import yaml
from yaml import events as ev

from confmig.documents.document import Caps, Document
from confmig.documents.tree import Cell, Mapping, Origin, Sequence
from confmig.documents.yaml import scalars
from confmig.errors import Fault, Refused

try:
    from yaml._yaml import CParser
except ImportError as error:  # pragma: no cover - an installation without libyaml
    raise Fault(
        "libyaml_missing",
        "PyYAML was installed without its C extension",
        fix="install a PyYAML wheel, or build it with libyaml's headers present",
    ) from error

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:<[^>]*>)?[ \t\r\n]*(?:#[^\n]*\n[ \t]*)*)+")
_LONE_RETURN = re.compile(r"\r(?!\n)")


def parse(data: bytes, *, dialect: str, caps: Caps) -> Document:
    """Parse a YAML file. Raises ``Refused`` and names line and reason if it cannot be edited."""
    if len(data) > caps.size:
        raise Refused("file_too_large", f"{len(data)} bytes are more than the cap of {caps.size}")
    text, bom = decode(data)
    if _LONE_RETURN.search(text):
        raise Refused(
            "lone_carriage_return",
            "lines end in carriage returns alone",
            fix="convert the line endings to LF or CRLF",
        )
    newline = "\r\n" if "\r\n" in text else "\n"
    document = Document(text, bom=bom, newline=newline, format="yaml", dialect=dialect)
    enabled = gc.isenabled()
    gc.disable()  # a tree is all young objects: collecting meanwhile only costs
    try:
        _Builder(document, caps).build()
    except yaml.YAMLError as error:
        raise _not_yaml(error) from None
    finally:
        if enabled:
            gc.enable()
    return document


def decode(data: bytes) -> tuple[str, bool]:
    """Text and whether it had a BOM. Only UTF-8 is taken."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused("not_utf8", f"line {line}: the file is not UTF-8") from None
    if text.startswith("\ufeff"):
        return text[1:], True
    return text, False


def _not_yaml(error: yaml.YAMLError) -> Refused:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    problem = getattr(error, "problem", None) or "it cannot be parsed"
    return Refused("not_yaml", f"{line}{problem}", fix="mend the file, then run again")


class _Builder:
    def __init__(self, document: Document, caps: Caps) -> None:
        self.document = document
        self.text = document.text
        self.caps = caps
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.aliased: set[str] = set()
        self.redefined: set[str] = set()

    def build(self) -> None:
        """Run the event loop and hang the tree into the document."""
        text, document = self.text, self.document
        resolve, dialect = scalars.resolve, document.dialect
        parser = CParser(text)
        get = parser.get_event
        scalar_event, mapping_event = ev.ScalarEvent, ev.MappingStartEvent
        stack: list[tuple[Mapping | Sequence, Origin, int]] = []
        keys: list[tuple[str, Origin] | None] = []
        documents = nodes = 0
        top: Mapping | Sequence | None = None
        here: Origin | None = None
        pending: tuple[str, Origin] | None = None
        while True:
            event: Any = get()
            kind = type(event)
            value: Any
            if kind is scalar_event:
                origin = self._scalar(event)
                raw = event.value
                if isinstance(top, Mapping) and pending is None:
                    pending = (raw, origin)
                    nodes += 1
                    if raw in top.cells:
                        raise self._refuse(origin, "duplicate_key", f"the key {raw!r} stands twice")
                    continue
                if origin.style is None and (event.tag is None or event.tag == ""):
                    value = resolve(raw, dialect)
                elif event.tag and event.tag != "!":
                    value = _tagged(event.tag, raw, dialect)
                else:
                    value = raw
                if event.anchor is not None:
                    self._anchor(event.anchor, value, 1)
            elif kind is mapping_event or kind is ev.SequenceStartEvent:
                start = outer = event.start_mark.index
                if (event.anchor or event.tag) and text[start] in "&!":
                    match = _PROPERTIES.match(text, start)
                    start = match.end() if match else start
                origin = Origin(
                    start, -1, outer, None, event.tag, event.anchor, flow=bool(event.flow_style)
                )
                container: Mapping | Sequence = (
                    Mapping(document, origin)
                    if kind is mapping_event
                    else Sequence(document, origin)
                )
                if len(stack) >= self.caps.depth:
                    raise self._refuse(origin, "too_deep", f"nesting deeper than {self.caps.depth}")
                if isinstance(top, Mapping) and pending is None:
                    raise self._refuse(origin, "complex_key", "a key that is a list or an object")
                if event.anchor is not None:
                    self._anchor(event.anchor, container, -1)
                if top is not None and here is not None:
                    stack.append((top, here, nodes))
                else:
                    stack.append((container, origin, nodes))
                keys.append(pending)
                top, here, pending = container, origin, None
                nodes += 1
                continue
            elif kind is ev.MappingEndEvent or kind is ev.SequenceEndEvent:
                assert top is not None
                assert here is not None
                value, origin = top, here
                self._close(origin, event.end_mark.index)
                top, here, before = stack.pop()
                if origin.anchor is not None:
                    self.anchors[origin.anchor] = (value, nodes - before + 1)
                if not stack:
                    top = here = None
                pending = keys.pop()
            elif kind is ev.AliasEvent:
                origin = Origin(
                    event.start_mark.index,
                    event.end_mark.index,
                    event.start_mark.index,
                    alias=event.anchor,
                )
                if event.anchor not in self.anchors:
                    raise self._refuse(origin, "alias_undefined", "an alias has no anchor")
                value, weight = self.anchors[event.anchor]
                if weight < 0:
                    raise self._refuse(origin, "alias_recursive", "an alias within its anchor")
                if isinstance(top, Mapping) and pending is None:
                    raise self._refuse(origin, "complex_key", "a key that is an alias")
                self.aliased.add(event.anchor)
                nodes += weight
            elif kind is ev.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise Refused(
                        "multi_document",
                        f"line {event.start_mark.line + 1}: a second YAML document begins",
                        fix="keep one document in a file",
                    )
                continue
            elif kind is ev.StreamEndEvent:
                break
            else:
                continue
            nodes += 1
            if nodes > self.caps.nodes:
                raise Refused(
                    "too_many_nodes", f"more than {self.caps.nodes} values, aliases counted"
                )
            if top is None:
                cell = Cell(None, value, origin, None, origin)
                origin.cell = cell
                document.root_cell = cell
                continue
            assert here is not None
            if pending is not None:
                cell = Cell(pending[0], value, origin, pending[1], here)
                pending = None
            else:
                cell = Cell(None, value, origin, None, here)
            origin.cell = cell
            here.cells.append(cell)
            top.attach(cell)
        document.aliased = frozenset(self.aliased)
        if self.redefined & self.aliased:
            raise Refused(
                "anchor_redefined",
                "an anchor that is used is defined twice: which one an alias means could change",
                fix="give each of them its own name",
            )
        if document.root_cell.source is None:  # nothing but comments, if that
            end = len(text)
            empty = Origin(end, end, end)
            document.root_cell = empty.cell = Cell(None, None, empty, None, empty)

    def _anchor(self, name: str, value: Any, weight: int) -> None:
        if name in self.anchors:
            self.redefined.add(name)
        self.anchors[name] = (value, weight)

    def _scalar(self, event: Any) -> Origin:
        text = self.text
        outer = start = event.start_mark.index
        end = event.end_mark.index
        if (
            (event.anchor is not None or event.tag is not None)
            and start < end
            and text[start] in "&!"
        ):
            match = _PROPERTIES.match(text, start, end)
            start = match.end() if match else start
        style = event.style or None
        if style == "|" or style == ">":
            header = text.find("\n", start, end)
            header = end if header < 0 else header
            if "+" not in text[start:header].split("#")[0]:
                while end > start and text[end - 1] in " \t\r\n":
                    end -= 1
                end = max(end, header if header < event.end_mark.index else end)
            elif text[end - 1 : end] == "\n":
                end -= 2 if text[end - 2 : end - 1] == "\r" else 1
            self.document.opaque.append((header, end))
        elif "#" in text[start:end]:
            self.document.opaque.append((start, end))
        return Origin(start, end, outer, style, event.tag, event.anchor)

    def _close(self, origin: Origin, mark: int) -> None:
        if origin.flow:
            origin.end = mark
        elif origin.cells:
            last = origin.cells[-1]
            source = last.source
            assert source is not None
            origin.end = max(source.end, last.key.end if last.key is not None else 0)
        else:
            origin.end = origin.start

    def _refuse(self, origin: Origin, code: str, message: str) -> Refused:
        line = self.text.count("\n", 0, origin.start) + 1
        return Refused(code, f"line {line}: {message}")


def _tagged(tag: str, raw: str, dialect: str) -> Any:
    """The value of an explicitly tagged scalar. An unknown tag is text: never expanded."""
    if tag == "tag:yaml.org,2002:str":
        return raw
    if tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool"):
        value = scalars.resolve(raw, dialect)
        if tag.endswith("float") and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        return value
    if tag == "tag:yaml.org,2002:null":
        return None
    return raw
