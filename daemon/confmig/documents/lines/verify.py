"""The finished text is read back.

By our own scanner, which knows the text of every value, and by a reader that others wrote
(configparser, javaproperties, python-dotenv).
"""

from __future__ import annotations

from typing import Any

from confmig.documents.lines.grammar import Grammar, text_of_value
from confmig.documents.lines.parse import build
from confmig.documents.lines.statements import Section, SourceMap
from confmig.documents.model.compare import verify_failed
from confmig.documents.model.document import Caps, Document
from confmig.documents.model.path import Place
from confmig.documents.model.tree import Entry, Mapping, SourceNode, entries_of
from confmig.documents.text.census import Span, census
from confmig.documents.text.pieces import Segment
from confmig.errors import Refused


def verify(document: Document, grammar: Grammar, text: str, segments: list[Segment]) -> list[Span]:
    """Check a rendered text against its tree.

    Returns the source spans of the comments that went with deleted values. Raises ``Refused``
    (``verify_failed`` or ``comment_lost``).
    """
    data = text.encode(document.encoding)
    try:
        again = build(data, grammar, Caps(size=len(data), nodes=1 << 40, entries=1 << 40))
    except Refused as error:
        raise verify_failed(f"line {error.line} of the result: {error.reason}", ()) from None
    result = again.document
    _compare(grammar, document, result, document.root, result.root, ())
    try:
        other = grammar.read(text, again)
    except ValueError as error:
        raise verify_failed(f"another reader cannot read it ({error})", ()) from None
    if not _agrees(_texts(document.root), other, grammar):
        raise verify_failed("another reader sees another value", ())
    after = [text[a:b] for a, b in result.comments]
    return census(document, _Regions(document), document.comments, after, segments)


def _texts(table: Mapping) -> dict[str, Any]:
    """The tree as a reader of lines sees it: numbers and bools are text."""
    return {
        name: _texts(value) if isinstance(value, Mapping) else text_of_value(value, (name,))
        for name, value in table.items()
    }


def _agrees(want: Any, have: Any, grammar: Grammar) -> bool:
    """Whether another reader sees the tree. One that leaves quotes on sees more."""
    if isinstance(want, dict) and isinstance(have, dict):
        return want.keys() == have.keys() and all(
            _agrees(want[name], have[name], grammar) for name in want
        )
    return bool(want == have) or (
        isinstance(want, str) and isinstance(have, str) and grammar.means(have) == want
    )


def _compare(
    grammar: Grammar,
    document: Document,
    result: Document,
    table: Mapping,
    other: Mapping,
    place: Place,
) -> None:
    """Check that the result has the tree's keys and values, and unchanged values their text.

    Raises ``Refused`` if not.
    """
    if table.entries.keys() != other.entries.keys():
        raise verify_failed("keys differ", place)
    for entry in entries_of(table):
        name = str(entry.name)
        have, here = other.entries[name], (*place, name)
        if isinstance(entry.value, Mapping) != isinstance(have.value, Mapping):
            raise verify_failed("a section and a value differ", here)
        if isinstance(entry.value, Mapping):
            _compare(grammar, document, result, entry.value, have.value, here)
        elif not _agrees(text_of_value(entry.value, here), have.value, grammar):
            raise verify_failed("a value differs", here)
        elif entry.untouched:
            before, after = _raw(document, entry), _raw(result, have)
            if table.source_node is not entry.home:  # its lines may have another margin there
                before, after = _bare(before), _bare(after)
            if before != after:
                raise verify_failed("the text of an unchanged value differs", here)


def _raw(document: Document, entry: Entry) -> str:
    node = entry.source
    assert node is not None
    return document.text[node.start : node.end]


def _bare(raw: str) -> str:
    return "\n".join(line.strip() for line in raw.split("\n"))


class _Regions:
    """See ``census.Regions``."""

    def __init__(self, document: Document) -> None:
        map_: SourceMap = document.source_map
        self.spans: dict[int, Span] = {}
        self.headers: dict[int, Section] = {}
        for section in map_.sections:
            if section.entry is not None:
                self.spans[id(section.entry)] = (section.lead, section.end)
                self.headers[id(section.entry)] = section
            self.spans.update((id(p.entry), (p.lead, p.end)) for p in section.pairs)

    def entry_spans(self, entry: Entry, home: SourceNode) -> list[Span]:
        """See ``census.Regions``."""
        return [self.spans[id(entry)]]

    def value_spans(self, entry: Entry, home: SourceNode) -> list[Span]:
        """See ``census.Regions``. A section's value is all behind its name."""
        node = entry.source
        assert node is not None
        section = self.headers.get(id(entry))
        return [(node.start, node.end)] if section is None else [(section.start, section.end)]
