"""Tree -> text of lines: the smallest edits of the source that make it say what the tree says.

A pair that is still in its section is edited in place: its key token, its value token. Every
other pair goes with its lines and comments, and is put where the tree has it now: behind the pair
before it. A section is edited in its header, or goes whole; a new one is at the end.
"""

from __future__ import annotations

from confmig.documents.lines.grammar import Grammar, Habits, Spot, text_of_value, unsupported
from confmig.documents.lines.habits import margin_of, measure, unit_of
from confmig.documents.lines.pieces import append, copied, ended, shifted
from confmig.documents.lines.statements import Pair, Section, SourceMap
from confmig.documents.model.document import Document
from confmig.documents.model.lookup import unclear
from confmig.documents.model.path import Place, show
from confmig.documents.model.tree import Entry, Mapping, Sequence, entries_of
from confmig.documents.text.blank_lines import tidied
from confmig.documents.text.pieces import Edit, Pieces, compose
from confmig.errors import Refused


def render(document: Document, grammar: Grammar) -> Pieces:
    """The pieces of the finished text (BOM excluded)."""
    return _Writer(document, grammar).run()


class _Writer:
    def __init__(self, document: Document, grammar: Grammar) -> None:
        map_: SourceMap = document.source_map
        self.document = document
        self.text = document.text
        self.newline = document.newline
        self.grammar = grammar
        self.map = map_
        self.sections = map_.sections
        self.edits: list[Edit] = []
        self.pairs = {id(p.entry): p for s in self.sections for p in s.pairs}
        self.headers = {id(s.entry): s for s in self.sections[1:]}
        self.margins: dict[str, None] = {}  # of lines that were put in, in order
        self.places: dict[int, Place] = {}
        self._habits: Habits | None = None
        self._unit: str | None = None

    @property
    def habits(self) -> Habits:
        """How the file writes."""
        if self._habits is None:
            self._habits = measure(self.text, self.grammar, self.sections)
        return self._habits

    @property
    def unit(self) -> str:
        """How much deeper pairs stand than their header."""
        if self._unit is None:
            self._unit = unit_of(self.text, self.sections)
        return self._unit

    def run(self) -> Pieces:
        """The finished text."""
        root = self._root()
        for number, section in enumerate(self.sections):
            self._section(number, section, root)
        pieces = compose(0, len(self.text), tidied(self.text, self.edits))
        for entry in entries_of(root):
            if isinstance(entry.value, Mapping) and id(entry) not in self.headers:
                append(self.text, pieces, self._new_section(entry), self.newline)
        return ended(self.text, pieces)

    def _root(self) -> Mapping:
        """The root, if its shape is one that the format can hold."""
        root = self.sections[0].table
        if id(self.document.root) != id(root):
            raise unsupported((), "the root of the file cannot become another object or a list")
        for entry in entries_of(root):
            self._fits(entry, (str(entry.name),), self.grammar.sections)
        self._differ(root)
        return root

    def _differ(self, table: Mapping) -> None:
        """Raises ``Refused`` for a new name that readers take for one that is there."""
        known: dict[str, Entry] = {}
        for entry in entries_of(table):
            name = self.grammar.folded(str(entry.name))
            other = known.setdefault(name, entry)
            if other is not entry and (entry.name != entry.parsed or other.name != other.parsed):
                raise Refused(
                    "same_key",
                    f"readers take it for the key `{other.name}`, which is there",
                    place=show(self.places[id(entry)]),
                    fix=f"name `{other.name}` in the migration, as the file has it",
                )
            if isinstance(entry.value, Mapping):
                self._differ(entry.value)

    def _fits(self, entry: Entry, place: Place, section: bool) -> None:
        self.places[id(entry)] = place
        if isinstance(entry.value, Mapping) and section:
            for inner in entries_of(entry.value):
                self._fits(inner, (*place, str(inner.name)), False)
        elif isinstance(entry.value, Mapping | Sequence):
            what = "a list" if isinstance(entry.value, Sequence) else "an object at this depth"
            raise unsupported(place, f"{self.document.format} cannot hold {what}")
        if entry.home is None and entry.node is not None:
            raise unsupported(place, f"{self.document.format} cannot hold a value put under a key")

    # --- what stays

    def _section(self, number: int, section: Section, root: Mapping) -> None:
        """Edit a section in place, or take it out."""
        if section.kept:
            return
        if not self._stays(section):
            self.edits.append(Edit(section.lead, section.end, []))
            return
        entry, table = section.entry, root
        if entry is not None:
            table = entry.value
            if entry.name != entry.parsed:
                assert entry.key is not None
                name = self._name(entry)
                self.edits.append(Edit(entry.key.start, entry.key.end, [name]))
        staying: list[Pair] = []
        for pair in section.pairs:
            here = table.entries.get(str(pair.entry.name))
            if here is pair.entry and not isinstance(here.value, Mapping):
                staying.append(pair)
                self.edits += self._pair_edits(pair)
            else:
                self.edits.append(Edit(pair.lead, pair.end, []))
        self._insert(number, table, staying)

    def _stays(self, section: Section) -> bool:
        """Whether a section is still one, under whatever name."""
        entry, root = section.entry, self.sections[0].table
        return entry is None or (
            root.entries.get(str(entry.name)) is entry and isinstance(entry.value, Mapping)
        )

    def _insert(self, number: int, table: Mapping, staying: list[Pair]) -> None:
        """Put what is new in a table behind the pair that precedes it in the tree."""
        known = {id(p.entry): p for p in staying}
        anchor: Pair | None = None
        first: tuple[int, str] | None = None
        lines: dict[int, Pieces] = {}
        entries = entries_of(table)
        behind = max((i for i, c in enumerate(entries) if id(c) in known), default=-1)
        for index, entry in enumerate(entries):
            pair = known.get(id(entry))
            if pair is not None:
                anchor = pair if anchor is None or pair.start > anchor.start else anchor
            elif not isinstance(entry.value, Mapping):
                last = self._last(number, anchor) if index > behind else None
                if index > behind and self.map.separators:
                    at, margin = self._end_of_first(staying)
                elif last is not None:
                    at, margin = last.end, margin_of(self.text, last)
                elif anchor is not None:
                    at, margin = anchor.end, margin_of(self.text, anchor)
                else:
                    first = first or self._front(number, staying)
                    at, margin = first
                lines.setdefault(at, []).extend(self._line(entry, margin))
                self.margins[margin] = None
        for at, pieces in lines.items():
            if (
                number == 0
                and not self.sections[0].pairs
                and any(map(self._stays, self.sections[1:]))
            ):
                pieces.append(self.newline)  # the first pairs above a section
            self.edits.append(Edit(at, at, self._inserted(at, pieces)))

    def _last(self, number: int, anchor: Pair | None) -> Pair | None:
        """The last pair of a section whose key occurs twice, if it comes behind the others."""
        again = self.sections[number].again
        last = max(again, key=lambda p: p.start) if again else None
        behind = last is not None and (anchor is None or last.start > anchor.start)
        return last if behind else None

    def _end_of_first(self, staying: list[Pair]) -> tuple[int, str]:
        """Where a new key goes in a file of several documents that has no place of its own.

        It goes to the end of the first document.
        """
        first = [p for p in staying if p.part == 0]
        if first:
            return first[-1].end, margin_of(self.text, first[-1])
        return self.map.separators[0], ""

    def _front(self, number: int, staying: list[Pair]) -> tuple[int, str]:
        """Where a section begins, and the margin of a pair there.

        The pair must not be less indented than the header behind it; otherwise readers
        would take that header for a part of the pair's value.
        """
        if staying:
            return staying[0].lead, margin_of(self.text, staying[0])
        section = self.sections[number]
        margin = margin_of(self.text, section) + self.unit if number else ""
        following = next((s for s in self.sections[number + 1 :] if self._stays(s)), None)
        if following is not None:
            margin = max(margin, margin_of(self.text, following), key=len)
        if number:
            return section.body, margin
        return section.pairs[0].lead if section.pairs else self.map.roof, margin

    def _inserted(self, at: int, pieces: Pieces) -> Pieces:
        """Lines put in at the start of a line, or behind a last line without a terminator."""
        if at > 0 and self.text[at - 1] not in "\r\n":
            pieces = [self.newline, *pieces[:-1]]
        if self.map.dangling and at == len(self.text):
            pieces = [self.newline, *pieces]
        return pieces

    # --- pairs

    def _pair_edits(self, pair: Pair) -> list[Edit]:
        """The edits of a pair that keeps its lines."""
        entry = pair.entry
        key, node = entry.key, entry.source
        assert key is not None
        assert node is not None
        edits: list[Edit] = []
        if entry.name != entry.parsed:
            edits.append(Edit(key.start, key.end, [self._name(entry, key.style)]))
        if entry.untouched:
            return edits
        place = self.places[id(entry)]
        value = text_of_value(entry.value, place)
        if value == pair.value:
            return edits
        why = self.document.unclear.get(id(entry))
        if why is not None:
            raise unclear(show(place), *why)
        if value is None:
            self._bare(place)
            return [*edits, Edit(key.end, node.end, [])]
        between, old = self.text[key.end : node.start], self.text[node.start : node.end]
        pad = self._pad(between, old) if between else self.habits.delimiter
        was, margin = pair.value or "", margin_of(self.text, pair)
        spot = Spot(place, self.newline, margin, between + pad, old, was, node.style)
        text = self.grammar.value(value, self.habits, spot)
        pad = pad if _first_line(text) else pad.rstrip()
        pieces: Pieces = [pad + text]
        if "\n" in old and "\n" in text:  # what stays, comments too, is a copy
            pieces = [pad, *copied(old, node.start, text)]
        return [*edits, Edit(node.start, node.end, pieces)]

    def _pad(self, between: str, old: str) -> str:
        """What a value without text on its line lacks before a new one.

        It is the blank that other values have there.
        """
        if _first_line(old) or between[-1] not in "=:":
            return ""
        blanks = old[: len(old) - len(old.lstrip(" \t"))]
        usual = self.habits.delimiter
        if usual.rstrip() == between:
            return blanks or usual[len(between) :]
        return blanks or (" " if between[-2:-1] in (" ", "\t") else "")

    def _line(self, entry: Entry, margin: str) -> Pieces:
        """A pair on lines of its own, with the comments it brings along."""
        pair = self.pairs.get(id(entry))
        if pair is not None and not isinstance(entry.value, Mapping):
            pieces = compose(pair.lead, pair.end, self._pair_edits(pair))
            return shifted(self.text, pieces, len(margin_of(self.text, pair)), margin, self.newline)
        place = self.places[id(entry)]
        value = text_of_value(entry.value, place)
        line = margin + self.habits.prefix + self._name(entry)
        if value is None:
            self._bare(place)
        else:
            delimiter = self.habits.delimiter
            spot = Spot(place, self.newline, margin, delimiter)
            text = self.grammar.value(value, self.habits, spot)
            if not _first_line(text):
                delimiter = delimiter.rstrip() or self.grammar.delimiter.rstrip()
            line += delimiter + text
        return [*self._comments(entry, margin), line, self.newline]

    def _comments(self, entry: Entry, margin: str) -> Pieces:
        """The comments above what an entry was and what its value was, on lines of their own."""
        held = entry.node.entry if entry.node is not None else None
        out: Pieces = []
        for one in {id(c): c for c in (entry, held) if c is not None}:
            statement = self.pairs.get(one) or self.headers.get(one)
            if statement is not None and statement.lead < statement.start:
                width = len(margin_of(self.text, statement))
                above: Pieces = [(statement.lead, statement.start)]
                out += shifted(self.text, above, width, margin, self.newline)
        return out

    def _name(self, entry: Entry, quote: str | None = None) -> str:
        if isinstance(entry.value, Mapping):
            quote = "["
        return self.grammar.key(str(entry.name), quote, self.habits, self.places[id(entry)])

    def _bare(self, place: Place) -> None:
        if not self.habits.bare:
            raise unsupported(
                place,
                "readers differ about keys without a value, and this file has none",
                "delete the key, or set it to an empty text",
            )

    # --- new sections

    def _new_section(self, entry: Entry) -> Pieces:
        """A section at the end.

        It must not be more indented than the pair before it; otherwise readers would take
        it for a part of that pair's value.
        """
        last: list[Pair | Section] = [self.sections[-1]]
        last += [p for s in self.sections for p in s.pairs[-1:]]
        margins = [margin_of(self.text, s) for s in last]
        margin = min((*margins, *self.margins), key=len)
        pieces: Pieces = [
            *self._comments(entry, margin),
            f"{margin}[{self._name(entry)}]",
            self.newline,
        ]
        for inner in entries_of(entry.value):
            pieces += self._line(inner, margin + self.unit)
        return pieces


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].strip()
