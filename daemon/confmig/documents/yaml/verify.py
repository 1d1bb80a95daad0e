"""The finished text is read back, twice, before anybody may write it.

First by the same libyaml events as the source: every value must be the tree's value, every scalar
that no one changed must have the same raw text, anchors, tags and aliases must be where they
were, and every comment must be there unless its entry was deleted. Then by an independent parser
(``second``). A difference is a refusal, never a write.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml import events as ev

from confmig.documents.model.compare import verify_failed as _failed
from confmig.documents.model.document import Document
from confmig.documents.model.lookup import Hit
from confmig.documents.model.path import show
from confmig.documents.model.tree import Entry, Mapping, Sequence, entries_of, walk_entries
from confmig.documents.model.values import same_value
from confmig.documents.text.census import census
from confmig.documents.text.pieces import Segment
from confmig.documents.yaml import scalars
from confmig.documents.yaml.layout import Layout
from confmig.documents.yaml.parse import PROPERTIES, CParser, block_scalar_span, not_yaml, tagged
from confmig.documents.yaml.second_reader import second_opinion
from confmig.errors import Refused

_ENDS = (ev.MappingEndEvent, ev.SequenceEndEvent)
_BLOCK = frozenset(("|", ">"))


def verify(
    document: Document,
    layout: Layout,
    text: str,
    segments: list[Segment],
) -> list[tuple[int, int]]:
    """Check a rendered text against its tree.

    Returns the source spans of the comments that went with deleted values. Raises ``Refused``
    (``verify_failed`` or ``comment_lost``).
    """
    try:
        opaque = _Reader(document, text).read()
    except yaml.YAMLError as error:
        raise _failed(f"libyaml cannot read it: {not_yaml(error).message}", ()) from None
    second_opinion(document, text)
    after = [text[a:b] for a, b in Layout(text, opaque).comments()]
    return census(document, layout, layout.comments(), after, segments)


class _Reader:
    """Reads the result with libyaml and compares every event with the tree, in one walk.

    Nothing is built. ``entry`` is what the next event must be; ``left`` are its siblings still
    to come.
    """

    def __init__(self, document: Document, text: str) -> None:
        self.document = document
        self.text = text
        self.source = document.text
        self.opaque: list[tuple[int, int]] = []
        self.anchors: dict[str, Any] = {}  # by name: what an alias means that comes now

    def read(self) -> list[tuple[int, int]]:  # noqa: C901 - one loop over all events
        """Returns the spans of scalars that hold a '#', for the comment census.

        ==========  =====  ==================================================================
        is_mapping  key    what the next event is held against
        ==========  =====  ==================================================================
        no          None   the next of ``left``: an item, or a document
        yes         None   the key of the next of ``left``
        yes         an     the value of that entry
                    entry
        ==========  =====  ==================================================================

        This loop runs for every value of a result. A plain scalar with the text that it had is
        compared without a call; with one, verification takes 1.7 times as long.
        """
        document, source, opaque = self.document, self.source, self.opaque
        get = CParser(self.text).get_event
        scalar_event = ev.ScalarEvent
        roots = iter(entries_of(document.root) if document.stream else [document.root_entry])
        stack: list[tuple[Any, bool]] = []
        left: Any = roots
        is_mapping = False
        key: Entry | None = None  # the entry whose key was read and whose value comes next
        hashes = "#" in self.text
        while True:
            event: Any = get()
            kind = type(event)
            if kind is scalar_event:
                raw = event.value
                if hashes:
                    style = event.style
                    if style == "|" or style == ">" or "#" in raw:
                        self._hide(event)
                if is_mapping and key is None:
                    key = next(left, None)
                    if key is None or key.name != raw:
                        raise _failed("keys differ", self._place(key))
                    continue
                entry = key if is_mapping else next(left, None)
                key = None
                if entry is None:
                    raise _failed("there is a value too many", ())
                value, node = entry.value, entry.node
                style = event.style
                if (
                    node is not None
                    and event.tag is None
                    and event.anchor is None
                    and node.tag is None
                    and node.anchor is None
                    and node.alias is None
                ):  # by far the most: the same text as before
                    if not style:
                        if node.style is None and source[node.start : node.end] == raw:
                            continue
                    elif value == raw and (node.style == style or node.style in _BLOCK):
                        continue
                self._scalar(event, entry)
            elif kind is ev.MappingStartEvent or kind is ev.SequenceStartEvent:
                if is_mapping and key is None:
                    raise _failed("a key is not a scalar", ())
                entry = key if is_mapping else next(left, None)
                key = None
                if entry is None:
                    raise _failed("there is a value too many", ())
                self._properties(event, entry)
                wanted = Mapping if kind is ev.MappingStartEvent else Sequence
                if not isinstance(entry.value, wanted) or (entry.node and entry.node.alias):
                    raise _failed("the structure differs", self._place(entry))
                if len(stack) >= document.caps.depth:
                    raise Refused("too_deep", f"nesting deeper than {document.caps.depth}")
                stack.append((left, is_mapping))
                is_mapping = wanted is Mapping
                left = iter(entries_of(entry.value))
            elif kind in _ENDS:
                missing = next(left, None)
                if missing is not None:
                    raise _failed("a value is missing", self._place(missing))
                left, is_mapping = stack.pop()
                key = None
            elif kind is ev.AliasEvent:
                entry = key if is_mapping else next(left, None)
                key = None
                node = entry.node if entry is not None else None
                if event.anchor not in self.anchors:
                    raise Refused(
                        "alias_undefined",
                        f"the alias *{event.anchor} would have no anchor",
                        place=show(self._place(entry)),
                    )
                if node is None or node.alias != event.anchor:
                    raise _failed("an anchor, alias or tag differs", self._place(entry))
                if self.anchors[event.anchor] is not document.alias_of.get(id(node)):
                    raise _failed("an alias would mean another anchor", self._place(entry))
            elif kind is ev.StreamEndEvent:
                break
        missing = next(roots, None)
        if missing is not None and (missing.value is not None or self.document.stream):
            raise _failed("a document is missing", ())
        return opaque

    def _scalar(self, event: Any, entry: Entry) -> None:
        """The rare scalar: with properties, new, or in another style than before."""
        document, node, value, raw = self.document, entry.node, entry.value, event.value
        self._properties(event, entry)
        if isinstance(value, Mapping | Sequence):
            raise _failed("the structure differs", self._place(entry))
        tag = event.tag
        if tag and tag != "!":
            read = tagged(tag, raw, document.dialect)
        elif event.style or tag == "!":
            read = raw
        else:
            read = scalars.resolve(raw, document.dialect)
        if not same_value(read, value):
            raise _failed("a value differs", self._place(entry))
        if node is None or node.style in _BLOCK or node.end == node.outer:
            return
        old = self.source[node.start : node.end]
        start = event.start_mark.index
        if (event.anchor is not None or tag is not None) and self.text[start] in "&!":
            match = PROPERTIES.match(self.text, start, event.end_mark.index)
            start = match.end() if match else start
        new = self.text[start : event.end_mark.index]
        if old != new and ("\n" not in old or old.split() != new.split()):
            raise _failed("the text of an unchanged scalar differs", self._place(entry))

    def _properties(self, event: Any, entry: Entry) -> None:
        node = entry.node
        tag = event.tag
        if event.anchor is not None:
            # a new value may have kept the anchor of the old one
            self.anchors[event.anchor] = node if node is not None else entry.source
        if node is not None:
            same = node.alias is None and node.anchor == event.anchor and node.tag == tag
            if not same:
                raise _failed("an anchor, alias or tag differs", self._place(entry))
        elif event.anchor is not None and not self._stays(event.anchor, entry):
            raise _failed("a new value got an anchor", self._place(entry))
        elif tag != entry.tag and (entry.tag is not None or tag != "!"):
            raise _failed("the tag of a new value differs", self._place(entry))

    def _stays(self, anchor: str, entry: Entry) -> bool:
        """Whether a new value keeps the anchor of the old one, because aliases use it."""
        source = entry.source
        return (
            source is not None and id(source) in self.document.aliased and source.anchor == anchor
        )

    def _hide(self, event: Any) -> None:
        """Note the span of a scalar whose text may look like a comment."""
        start, end = event.start_mark.index, event.end_mark.index
        if event.style in _BLOCK:
            start, end = block_scalar_span(self.text, start, end)
        self.opaque.append((start, end))

    def _place(self, entry: Entry | None) -> tuple[str | int, ...]:
        if entry is None or not isinstance(self.document.root, Mapping | Sequence):
            return ()
        for container, other in walk_entries(self.document.root):
            if other is entry:
                return Hit(container, entry).place
        return ()
