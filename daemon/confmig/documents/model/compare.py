"""Is what was read back what the tree says? For the formats whose result is parsed anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confmig.documents.model.document import Document
from confmig.documents.model.path import show
from confmig.documents.model.tree import Entry, Mapping, Sequence
from confmig.documents.model.values import same_value
from confmig.errors import Refused


def verify_failed(why: str, place: tuple[str | int, ...]) -> Refused:
    """The refusal of a result that would not mean what was asked."""
    return Refused(
        "verify_failed",
        f"the edited text would not read back as intended: {why}",
        place=show(place),
        fix="migrate this place by hand and report the file's shape as a bug",
    )


def compare(document: Document, again: Document, *, ordered: bool = True) -> None:
    """Check that the result, as it was read back, is the tree.

    ``again`` must have the tree's keys (in order, if ``ordered``), values and types, and every
    scalar that no one changed the text it had. Raises ``Refused`` (``verify_failed``) if not.
    """
    stack: list[tuple[Entry, Entry, tuple[str | int, ...]]] = [
        (document.root_entry, again.root_entry, ())
    ]
    source, result = document.text, again.text
    while stack:
        want, have, place = stack.pop()
        a, b = want.value, have.value
        node, other = want.node, have.node
        assert other is not None
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            if (
                (list(a.entries) != list(b.entries))
                if ordered
                else (a.entries.keys() != b.entries.keys())
            ):
                raise verify_failed("keys differ", place)
            stack.extend(
                (entry, b.entries[name], (*place, name)) for name, entry in a.entries.items()
            )
        elif isinstance(a, Sequence) and isinstance(b, Sequence):
            if len(a) != len(b):
                raise verify_failed("the number of items differs", place)
            pairs = zip(a.entries, b.entries, strict=True)
            stack.extend((x, y, (*place, number)) for number, (x, y) in enumerate(pairs))
        elif not same_value(a, b):
            raise verify_failed("a value differs", place)
        elif node is not None and source[node.start : node.end] != result[other.start : other.end]:
            raise verify_failed("the text of an unchanged scalar differs", place)


def same_as(want: Any, have: Any) -> bool:
    """Equality as an independent reader sees it.

    Types of numbers are the first reader's business, NaN equals itself.
    """
    try:
        if want == have:
            return True
    except RecursionError:
        pass
    return alike(want, have, lambda a, b: a == b or (a != a and b != b))


def alike(want: Any, have: Any, leaf: Callable[[Any, Any], bool]) -> bool:
    """Whether two trees of plain values have the same keys and lengths, and equal leaves.

    ``leaf`` decides which leaves are equal. No depth is too much.
    """
    stack = [(want, have)]
    while stack:
        a, b = stack.pop()
        if isinstance(a, dict):
            if not isinstance(b, dict) or a.keys() != b.keys():
                return False
            stack.extend((a[k], b[k]) for k in a)
        elif isinstance(a, list):
            if not isinstance(b, list) or len(a) != len(b):
                return False
            stack.extend(zip(a, b, strict=True))
        elif not leaf(a, b):
            return False
    return True
