"""What a YAML document looks like, so that new text looks the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from confmig.documents.model.document import Document
from confmig.documents.yaml.layout import Layout


@dataclass(frozen=True, slots=True)
class Style:
    """What new text of a document looks like.

    How much deeper entries stand than their parent, dashes than their key, and the lines of a
    document in flow style; the preferred quote.
    """

    step: int
    dash: int
    quote: str
    flow: int


def measured(document: Document, layout: Layout) -> Style:
    """What new text of a document should look like: as most of its entries do."""
    steps: Counter[int] = Counter()
    dashes: Counter[int] = Counter()
    quotes: Counter[str] = Counter()
    root = document.root_entry.source
    stack = [(c, 0) for c in (root.entries if root is not None and not root.flow else [])]
    flows: Counter[int] = Counter()
    if root is not None and root.flow:  # how deep do its lines stand?
        for home in (root, *(c.source for c in root.entries if c.source and c.source.flow)):
            for slot in layout.slots.of(home).values():
                flows[layout.column(slot.start)] += slot.first_on_line
    seen = 0
    while stack and seen < 2000:
        entry, column = stack.pop()
        seen += 1
        node = entry.source
        if node is None:
            continue
        if node.style in ("'", '"'):
            quotes[node.style] += 1
        if node.flow or not node.entries:
            continue
        first = node.entries[0]
        at = first.key.start if first.key is not None else node.start
        inner = layout.column(at)
        if entry.key is not None and first.key is not None:
            steps[inner - column] += 1
        elif entry.key is not None:
            dashes[inner - column] += 1
        stack.extend((c, inner) for c in node.entries)
    step = max((s for s in steps if s > 0), key=lambda s: steps[s], default=2)
    dash = max((d for d in dashes if d >= 0), key=lambda d: dashes[d], default=2)
    quote = "'" if quotes["'"] >= quotes['"'] else '"'
    flow = next((n for n, found in flows.most_common(1) if n and found), 4)
    return Style(step, dash, quote, flow)
