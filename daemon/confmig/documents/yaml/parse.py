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

from confmig.documents.model.document import Caps, Document
from confmig.documents.model.encoding import decode, newline_of
from confmig.documents.model.tree import Entry, Mapping, Sequence, SourceNode
from confmig.documents.yaml import scalars
from confmig.errors import Fault, Refused

try:
    from yaml._yaml import CParser as CParser
except ImportError as error:  # pragma: no cover - an installation without libyaml
    raise Fault(
        "libyaml_missing",
        "PyYAML was installed without its C extension",
        fix="install a PyYAML wheel, or build it with libyaml's headers present",
    ) from error

_EVENTS = (ev.ScalarEvent, ev.MappingStartEvent, ev.SequenceStartEvent)
PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:<[^>]*>)?[ \t\r\n]*(?:#[^\n]*\n[ \t]*)*)+")
_LONE_RETURN = re.compile(r"\r(?!\n)")


def parse(data: bytes, *, dialect: str, caps: Caps, multi: bool = False) -> Document:
    """Parse a YAML file. Raises ``Refused`` and names line and reason if it cannot be edited."""
    text, bom = decode(data, caps.size)
    if _LONE_RETURN.search(text):
        raise Refused(
            "lone_carriage_return",
            "lines end in carriage returns alone",
            fix="convert the line endings to LF or CRLF",
        )
    document = Document(text, bom=bom, newline=newline_of(text), format="yaml", dialect=dialect)
    document.stream = multi
    document.caps = caps
    enabled = gc.isenabled()
    gc.disable()  # all objects of a tree are new: garbage collection meanwhile only costs time
    builder = _Builder(document, caps)
    try:
        builder.build()
    except yaml.YAMLError as error:
        refused = not_yaml(error, text)
        raise builder.named(_template(refused, text) or refused) from None
    except Refused as refused:
        raise builder.named(_template(refused, text) or refused) from None
    finally:
        if enabled:
            gc.enable()
    return document


def not_yaml(error: yaml.YAMLError, text: str = "") -> Refused:
    """What libyaml says about a text that it cannot read, with the place."""
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    problem = getattr(error, "problem", None) or "it cannot be parsed"
    stray = _STRAY.search(text) if mark is None else None
    if stray is not None:
        line = text.count("\n", 0, stray.start()) + 1
        column = stray.start() - text.rfind("\n", 0, stray.start())
        problem = f"the control character U+{ord(stray[0]):04X} has no place in YAML"
    at = f" (column {column})" if line else ""
    begin = getattr(error, "context_mark", None)
    if begin is not None and begin.line + 1 < line:
        at += f"; what is open there begins on line {begin.line + 1}"
    return Refused("not_yaml", f"{problem}{at}", fix="correct the file, then run again", line=line)


_STRAY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_TEMPLATE = re.compile(r"\{\{|\{%|<%|\$\{\{")


def _template(refused: Refused, text: str) -> Refused | None:
    """A better message where the text is a template that was not rendered yet."""
    if refused.code not in ("not_yaml", "complex_key", "duplicate_key"):
        return None
    lines = text.split("\n")
    number = refused.line or 1
    near = [
        n for n in (number, number - 1) if 0 < n <= len(lines) and _TEMPLATE.search(lines[n - 1])
    ]
    if not near:
        return None
    return Refused(
        "not_yaml",
        "the file is a template and becomes YAML only when it is rendered",
        line=near[0],
        fix="migrate the rendered file or the template's values, or quote the placeholder",
    )


class _Builder:
    def __init__(self, document: Document, caps: Caps) -> None:
        self.document = document
        self.text = document.text
        self.caps = caps
        self.anchors: dict[str, tuple[Any, int, SourceNode]] = {}
        self.roots: list[Entry] = []
        self.begun = 0

    def named(self, refused: Refused) -> Refused:
        """A refusal that says which document of a stream it is about."""
        if self.document.stream and self.begun and refused.line:
            refused.reason = f"{refused.reason}, in document {self.begun}"
        return refused

    def build(self) -> None:  # noqa: C901 - one loop over all events
        """Run the event loop and hang the tree into the document.

        ==========  ===========  =============================================================
        is_mapping  pending      what the next value is
        ==========  ===========  =============================================================
        no          None         an item of the list ``top``; a whole document if that is None
        yes         None         a key of the mapping ``top``
        yes         a key        the value of that key
        ==========  ===========  =============================================================

        This loop runs for every value of every file, so it is written out: plain scalars without
        properties, by far the most, are handled without a call. With the two calls that the others
        need, parsing takes 1.4 times as long.
        """
        text, document, opaque = self.text, self.document, self.document.opaque
        resolve, dialect, first = scalars.resolve, document.dialect, scalars.FIRST
        set_item, append = dict.__setitem__, list.append
        parser = CParser(text)
        get = parser.get_event
        scalar_event, mapping_event, sequence_event = _EVENTS
        hashes = "#" in text
        stack: list[tuple[Any, Any, int, tuple[str, SourceNode] | None]] = []
        nodes, most, wide = 0, self.caps.nodes, self.caps.entries
        top: Any = None
        here: Any = None
        is_mapping = False
        pending: tuple[str, SourceNode] | None = None
        while True:
            event: Any = get()
            kind = type(event)
            value: Any
            if kind is scalar_event:
                raw = event.value
                style = event.style
                if event.tag is None and event.anchor is None and style != "|" and style != ">":
                    start = event.start_mark.index
                    if style:
                        value = raw
                    else:
                        style = None
                        value = resolve(raw, dialect) if not raw or raw[0] in first else raw
                    source_node = SourceNode(start, event.end_mark.index, start, style)
                    if hashes and "#" in raw:
                        opaque.append((start, source_node.end))
                else:
                    source_node = self._scalar(event)
                    value = self._value(event, source_node)
                if is_mapping and pending is None:
                    pending = (raw, source_node)
                    nodes += 1
                    if raw in top.entries:
                        raise self._refuse(
                            source_node, "duplicate_key", f"the key `{raw}` occurs twice"
                        )
                    continue
                if source_node.anchor is not None:
                    self._anchor(source_node, value, 1)
            elif kind is mapping_event or kind is sequence_event:
                source_node = self._container(event)
                if len(stack) >= self.caps.depth:
                    raise self._refuse(
                        source_node, "too_deep", f"nesting deeper than {self.caps.depth}"
                    )
                if is_mapping and pending is None:
                    raise self._refuse(
                        source_node, "complex_key", "a key that is a list or an object"
                    )
                stack.append((top, here, nodes, pending))
                is_mapping = kind is mapping_event
                top = (
                    Mapping(document, source_node)
                    if is_mapping
                    else Sequence(document, source_node)
                )
                if source_node.anchor is not None:
                    self._anchor(source_node, top, -1)
                here, pending = source_node, None
                nodes += 1
                continue
            elif kind is ev.MappingEndEvent or kind is ev.SequenceEndEvent:
                value, source_node = top, here
                self._close(source_node, event.end_mark.index)
                top, here, before, pending = stack.pop()
                is_mapping = type(top) is Mapping
                if (
                    source_node.anchor is not None
                    and self.anchors[source_node.anchor][2] is source_node
                ):
                    self.anchors[source_node.anchor] = (value, nodes - before, source_node)
            elif kind is ev.AliasEvent:
                start = event.start_mark.index
                source_node = SourceNode(start, event.end_mark.index, start, alias=event.anchor)
                if is_mapping and pending is None:
                    raise self._refuse(source_node, "complex_key", "a key that is an alias")
                value, weight = self._aliased(event.anchor, source_node)
                nodes += weight
            elif kind is ev.DocumentStartEvent:
                self._begin(event)
                continue
            elif kind is ev.StreamEndEvent:
                break
            else:
                continue
            nodes += 1
            if nodes > most:
                raise Refused("too_many_nodes", f"more than {most} values, aliases counted")
            if top is None:
                entry = Entry(None, value, source_node, None, source_node)
                self.roots.append(entry)
            elif is_mapping:
                assert pending is not None
                name = pending[0]
                entry = Entry(name, value, source_node, pending[1], here)
                pending = None
                here.entries.append(entry)
                top.entries[name] = entry
                set_item(top, name, value)
            else:
                entry = Entry(None, value, source_node, None, here)
                here.entries.append(entry)
                top.entries.append(entry)
                append(top, value)
            if here is not None and len(here.entries) > wide:
                raise self._refuse(source_node, "too_many_entries", f"more than {wide} entries")
            source_node.entry = entry
            if type(source_node.entries) is list and top is not None:
                value.up, value.entry = top, entry
        self._finish()

    def _finish(self) -> None:
        self._end_document()
        document, end = self.document, len(self.text)
        if document.stream:
            stream = SourceNode(0, end, 0)
            stream.entries = self.roots
            sequence = Sequence(document, stream)
            document.root_entry = stream.entry = Entry(None, sequence, stream, None, stream)
            for entry in self.roots:
                sequence.attach(entry)
        elif self.roots:
            document.root_entry = self.roots[0]
        else:  # the text is empty or has only comments
            empty = SourceNode(end, end, end)
            document.root_entry = empty.entry = Entry(None, None, empty, None, empty)

    def _begin(self, event: Any) -> None:
        self._end_document()
        self.begun += 1
        if self.roots and not self.document.stream:
            raise Refused(
                "multi_document",
                "a second YAML document begins here",
                line=event.start_mark.line + 1,
                fix="keep one document in a file, or set `multi_document: true` in manifest.json",
            )

    def _end_document(self) -> None:
        """Anchors live in one document of a stream."""
        self.anchors.clear()

    def _anchor(self, source_node: SourceNode, value: Any, weight: int) -> None:
        assert source_node.anchor is not None
        self.anchors[source_node.anchor] = (value, weight, source_node)

    def _aliased(self, name: str, source_node: SourceNode) -> tuple[Any, int]:
        if name not in self.anchors:
            raise self._refuse(source_node, "alias_undefined", "an alias has no anchor")
        value, weight, anchored = self.anchors[name]
        if weight < 0:
            raise self._refuse(source_node, "alias_recursive", "an alias within its anchor")
        uses = self.document.aliased
        uses[id(anchored)] = uses.get(id(anchored), 0) + 1
        self.document.alias_of[id(source_node)] = anchored
        return value, weight

    def _container(self, event: Any) -> SourceNode:
        start = outer = event.start_mark.index
        if (event.anchor or event.tag) and self.text[start] in "&!":
            match = PROPERTIES.match(self.text, start)
            start = match.end() if match else start
        source_node = SourceNode(
            start, -1, outer, None, event.tag, event.anchor, None, bool(event.flow_style)
        )
        source_node.entries = []
        return source_node

    def _value(self, event: Any, source_node: SourceNode) -> Any:
        tag, raw = event.tag, event.value
        if tag and tag != "!":
            return tagged(tag, raw, self.document.dialect)
        if source_node.style is None and not tag:
            return scalars.resolve(raw, self.document.dialect)
        return raw

    def _scalar(self, event: Any) -> SourceNode:
        """A scalar with a tag or an anchor, or a block scalar."""
        text = self.text
        outer = start = event.start_mark.index
        end = event.end_mark.index
        if (
            (event.anchor is not None or event.tag is not None)
            and start < end
            and text[start] in "&!"
        ):
            match = PROPERTIES.match(text, start, end)
            start = match.end() if match else start
        style = event.style or None
        if style == "|" or style == ">":
            header, end = block_scalar_span(text, start, end)
            self.document.opaque.append((header, end))
        elif "#" in text[start:end]:
            self.document.opaque.append((start, end))
        return SourceNode(start, end, outer, style, event.tag, event.anchor)

    def _close(self, source_node: SourceNode, mark: int) -> None:
        if source_node.flow:
            source_node.end = mark
        elif source_node.entries:
            last = source_node.entries[-1]
            source = last.source
            assert source is not None
            source_node.end = max(source.end, last.key.end if last.key is not None else 0)
        else:
            source_node.end = source_node.start

    def _refuse(self, source_node: SourceNode, code: str, message: str) -> Refused:
        line = self.text.count("\n", 0, source_node.start) + 1
        return Refused(code, message, line=line)


def block_scalar_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the header line of a block scalar ends and where its text does.

    Without the trailing blank lines, unless they are kept (``|+``).
    """
    stop = end
    header = text.find("\n", start, end)
    header = end if header < 0 else header
    if "+" not in text[start:header].split("#")[0]:
        while end > start and text[end - 1] in " \t\r\n":
            end -= 1
        end = max(end, header if header < stop else end)
    elif text[end - 1 : end] == "\n":
        end -= 2 if text[end - 2 : end - 1] == "\r" else 1
    return header, end


def tagged(tag: str, raw: str, dialect: str) -> Any:
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
