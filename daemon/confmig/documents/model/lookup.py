"""Finding places in a document: by path, with wildcards, never through an alias.

An absent place is an answer, not an error; a wrong type on the way is one, unless the caller asks
leniently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confmig.documents.model import path as paths
from confmig.documents.model.path import AnyDepth, AnyItem, AnyKey, Index, Key, Path, Place, show
from confmig.documents.model.tree import (
    Container,
    Entry,
    Mapping,
    Sequence,
    entries_of,
    place_of,
    walk_entries,
)
from confmig.documents.model.values import described
from confmig.errors import Refused

MISSING = object()


@dataclass(frozen=True, slots=True)
class Hit:
    """One place that a path names: the container and the entry in it."""

    container: Container
    entry: Entry

    @property
    def place(self) -> Place:
        name = self.entry.name
        last = self.container.position(self.entry) if name is None else name
        return (*place_of(self.container), last)

    @property
    def shown(self) -> str:
        """The place as text, for messages."""
        return self.container.document.address + show(self.place)


class Lookup:
    """The reading half of a ``Document``."""

    root_entry: Entry
    format: str

    @property
    def merges(self) -> bool:
        """Whether ``<<`` means anything: in YAML it pulls in another mapping's keys."""
        return self.format == "yaml"

    @property
    def root(self) -> Any:
        """The value of the whole document."""
        return self.root_entry.value

    def __getitem__(self, key: Any) -> Any:
        return self.root[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.root[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.root[key]

    def __contains__(self, key: Any) -> bool:
        return key in self.root

    def find(self, path: str | Path, within: Any = MISSING, *, lenient: bool = False) -> list[Hit]:
        """Every place that ``path`` names, in document order; none if it is absent.

        A null on the way counts as absent. Anything else of the wrong type on the way raises
        ``Refused`` (``wrong_type``), or counts as absent if ``lenient``. The empty path has no
        place and raises ``ValueError``.
        """
        segments = paths.parse(path) if isinstance(path, str) else path
        if not segments:
            raise ValueError("the empty path is the root, which has no place in a container")
        here: list[tuple[Any, Hit | None]] = [(self.root if within is MISSING else within, None)]
        hits: list[Hit] = []
        last = len(segments) - 1
        for number, segment in enumerate(segments):
            if len(here) == 1:  # the usual case is worth a shorter path
                hits = self.step(here[0][0], segment, lenient, here[0][1])
            else:
                hits = [h for value, by in here for h in self.step(value, segment, lenient, by)]
            if number == last:
                break
            if isinstance(segment, Key | Index) and len(hits) == 1:
                here = [(self.enter(hits[0]), hits[0])]
            elif isinstance(segment, AnyDepth):
                # this container and everything below it; below ``**`` nothing is a wrong type
                below = [(h.entry.value, h) for h in hits]
                here = [(v, h) for v, h in [*here, *below] if isinstance(v, Mapping | Sequence)]
                lenient = True
            else:
                rest = segments[number + 1 :]
                many = isinstance(segment, AnyKey | AnyItem)
                here = [(self.enter(h), h) for h in hits if not (many and self._passes(h, rest))]
        return hits

    def once(self, mapping: Mapping, name: str) -> None:
        """Raises ``Refused`` (``repeated_key``) for a key that is in its object twice.

        No one can say which one a path means.
        """
        repeated = mapping.document.repeated
        where = repeated.get(id(mapping), {}).get(name) if repeated else None
        if where is not None:
            raise Refused(
                "repeated_key",
                f"the key `{name}` occurs more than once{where}",
                place=shown(mapping),
                fix="change these lines by hand, or leave one of them",
            )

    def clear(self, hit: Hit) -> Any:
        """The value of a place that is compared or changed.

        Raises ``Refused`` (``dialect_unclear``) where readers of such a file differ about
        what the value is.
        """
        why = hit.container.document.unclear.get(id(hit.entry))
        if why is not None:
            raise unclear(hit.shown, *why)
        return hit.entry.value

    def _passes(self, hit: Hit, rest: Path) -> bool:
        """Whether a wildcard may pass a place by.

        It may skip an alias in which the rest of the path names nothing.
        """
        aliased = hit.entry.node is not None and hit.entry.node.alias is not None
        return aliased and not self._read(hit.entry.value, rest)

    def read(self, path: str | Path, within: Any = MISSING) -> list[Hit]:
        """Every place a path names, as a reader sees it: through aliases and merge keys.

        What is found must not be changed. Never an error; the empty path raises ``ValueError``.
        """
        segments = paths.parse(path) if isinstance(path, str) else path
        if not segments:
            raise ValueError("the empty path is the root, which has no place in a container")
        return self._read(self.root if within is MISSING else within, segments)

    def _read(self, value: Any, segments: Path) -> list[Hit]:
        here: list[Any] = [value]
        hits: list[Hit] = []
        for segment in segments:
            hits = [hit for one in here for hit in self._seen(one, segment)]
            below = [hit.entry.value for hit in hits]
            here = [*here, *below] if isinstance(segment, AnyDepth) else below
        return hits

    def _seen(self, value: Any, segment: paths.Segment) -> list[Hit]:
        """The places that one segment names in a value, merged ones included."""
        if not isinstance(value, Mapping):
            return self.step(value, segment, True)
        if isinstance(segment, Key):
            self.once(value, segment.name)
            entry = value.entries.get(segment.name)
            if entry is not None:
                return [Hit(value, entry)]
            found = self._merged_hit(value, segment.name)
            return [found] if found is not None else []
        if isinstance(segment, AnyKey):
            merged = (name for source in self._merged_into(value) for name in source)
            names = dict.fromkeys((*value, *merged))
            return [h for name in names if name != "<<" for h in self._seen(value, Key(name))]
        return self.step(value, segment, True)

    def enter(self, hit: Hit) -> Any:
        """The value of a place on the way to another. Raises ``Refused`` at an alias."""
        node = hit.entry.node
        if node is not None and node.alias is not None:
            raise Refused(
                "through_alias",
                f"the path goes through the alias *{node.alias}",
                place=hit.shown,
                fix="address the anchored value itself, or write the value out at this place",
            )
        return hit.entry.value

    def step(
        self, value: Any, segment: paths.Segment, lenient: bool, by: Hit | None = None
    ) -> list[Hit]:
        """The places that one segment names in a value, which was found at ``by``."""
        if value is None:
            return []
        if isinstance(segment, AnyDepth):
            if not isinstance(value, Mapping | Sequence):
                return []
            return [
                Hit(container, entry)
                for container, entry in walk_entries(value)
                if isinstance(entry.value, Mapping | Sequence)
                and not (entry.node is not None and entry.node.alias is not None)
            ]
        wanted: type[Container] = Mapping if isinstance(segment, Key | AnyKey) else Sequence
        if not isinstance(value, wanted):
            if lenient:
                return []
            raise Refused(
                "wrong_type",
                f"{'an object' if wanted is Mapping else 'a list'} is expected here, "
                f"not {described(value)}",
                place=by.shown if by is not None else name_of(value),
            )
        if isinstance(value, Mapping) and isinstance(segment, Key):
            self.once(value, segment.name)
            entry = value.entries.get(segment.name)
            if entry is not None:
                return [Hit(value, entry)]
            if not lenient and self._merged(value, segment.name):
                raise Refused(
                    "merge_only_key",
                    f"the key `{segment.name}` exists only through a merge key (<<)",
                    place=shown(value),
                    fix="write the key out in this mapping, or migrate the merged one by hand",
                )
            return []
        entries = entries_of(value)
        if isinstance(segment, Index):
            return [Hit(value, entries[segment.at])] if segment.at < len(entries) else []
        assert isinstance(segment, AnyItem | AnyKey)
        return [Hit(value, entry) for entry in entries]

    def _merged(self, mapping: Mapping, name: str) -> bool:
        return self._merged_hit(mapping, name) is not None

    def _merged_hit(self, mapping: Mapping, name: str) -> Hit | None:
        """Where a key stands that a mapping has through a merge key; the first source wins."""
        for source in self._merged_into(mapping):
            if name in source.entries:
                return Hit(source, source.entries[name])
        return None

    def _merged_into(self, mapping: Mapping) -> list[Mapping]:
        """The mappings whose keys a mapping has through merge keys, the winning ones first."""
        if not self.merges or "<<" not in mapping:
            return []
        found: dict[int, Mapping] = {}
        stack: list[Any] = [mapping["<<"]]
        while stack:
            one = stack.pop()
            if isinstance(one, Sequence):
                stack.extend(reversed(one))
            elif isinstance(one, Mapping) and id(one) not in found:
                found[id(one)] = one
                stack.append(one.get("<<"))
        return list(found.values())

    def get(self, path: str, default: Any = None, within: Any = MISSING) -> Any:
        """The value at a path without wildcards, or ``default``; never an error."""
        value = self._value(paths.parse(path), within)
        return default if value is MISSING else value

    def has(self, path: str, within: Any = MISSING) -> bool:
        """Whether the path names a place, even if its value is null."""
        return self._value(paths.parse(path), within) is not MISSING

    def _value(self, path: Path, within: Any) -> Any:
        value = self.root if within is MISSING else within
        for segment in path:
            if isinstance(segment, Key) and isinstance(value, Mapping):
                if segment.name not in value:
                    return MISSING
                value = value[segment.name]
            elif isinstance(segment, Index) and isinstance(value, Sequence):
                if segment.at >= len(value):
                    return MISSING
                value = value[segment.at]
            elif isinstance(segment, Key | Index):
                return MISSING
            else:
                raise ValueError("get and has take a path without wildcards")
        return value


def unclear(place: str, why: str, fix: str) -> Refused:
    """The refusal to compare or change a value about which readers differ."""
    message = f"readers differ about this value: {why}"
    return Refused("dialect_unclear", message, place=place, fix=fix)


def shown(container: Container) -> str:
    """The path of a container as text, for messages; empty for the root."""
    return container.document.address + show(place_of(container))


def name_of(value: Any) -> str:
    """The path of a container, or words for the root."""
    return (shown(value) if isinstance(value, Mapping | Sequence) else "") or "the document"
