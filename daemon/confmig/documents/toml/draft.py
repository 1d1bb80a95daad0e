"""What the stages of the TOML writer find out and decide, for the stages after them.

==========  ======================================================================================
stage       what it fills in
==========  ======================================================================================
locate      ``places``, ``alive``: where every table is now
keep        the edits of ``plans``; ``written``, ``last_pair``, ``pair_block``; the root's headers
move        ``blocks_of``; which blocks are ``moved``, and behind or before which others they go
write       new text in ``plans``; ``headers``
assemble    nothing: it reads the plans
==========  ======================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from confmig.documents.model.document import Document
from confmig.documents.model.tree import Container, Mapping, Sequence, entries_of
from confmig.documents.text.pieces import Edit, Pieces
from confmig.documents.toml.statements import Block, SourceMap, Statement
from confmig.documents.toml.values import key_text

_FILE_HEADER = re.compile(r"(?:[ \t]*#[^\n]*(?:\n|\Z))*(?:[ \t]*\r?\n)*")


@dataclass(slots=True)
class Place:
    """Where a table is now.

    The names of its path (an array of tables counts as one), whether it is the item of an
    array, and the identity of the innermost array item that it is in (or 0).
    """

    names: tuple[str, ...]
    item: bool
    owner: int


@dataclass(slots=True)
class Plan:
    """What happens to a block.

    Its edits, and what is written before and behind it: new text, or other blocks that move
    there. ``opened``: pairs came before the first header.
    """

    edits: list[Edit] = field(default_factory=list)
    before: list[Pieces | Block] = field(default_factory=list)
    after: list[Pieces | Block] = field(default_factory=list)
    opened: bool = False
    moved: bool = False
    dead: bool = False


class Draft:
    """The blocks of a source text, and what becomes of each.

    The keys of the dictionaries are identities: of tables, blocks, pairs and entries.
    """

    def __init__(self, document: Document) -> None:
        source: SourceMap = document.source_map
        self.text = document.text
        self.blocks = [replace(b) for b in source.blocks]
        self.plans = {id(b): Plan() for b in self.blocks}
        self.block_of = {id(b.table): b for b in self.blocks}
        self.item_of = {id(b.table.source_node): id(b.table) for b in self.blocks}
        self.places: dict[int, Place] = {}
        self.alive: set[int] = set()
        self.written: set[int] = set()  # entries whose text is in a pair that stays
        self.last_pair: dict[int, Statement] = {}  # by table
        self.pair_block: dict[int, Block] = {}
        self.blocks_of: dict[int, list[Block]] = {}  # by table: its own and those below it
        self.headers: dict[int, Pieces] = {}  # by table: those that are new
        # what is new at the top where the root is another table
        self.opening: Pieces = []
        self.root_pairs: Pieces = []
        self.root_header: Pieces = []

    def plan_of(self, block: Block) -> Plan:
        """What happens to a block."""
        return self.plans[id(block)]

    def is_array_of_tables(self, value: Sequence) -> bool:
        """Whether a list is, or will be written as, ``[[...]]``."""
        if not len(value) or (value.source_node is not None and value.source_node.flow):
            return False
        return all(isinstance(c.value, Mapping) and sectioned(c.value) for c in entries_of(value))

    def plain_inside(self, value: Container) -> bool:
        """Whether everything in a new container can be written inline."""
        stack: list[Container] = [value]
        while stack:
            for entry in entries_of(stack.pop()):
                node = entry.node
                if node is not None and not node.flow and node.entries:
                    return False
                if isinstance(entry.value, Mapping | Sequence):
                    stack.append(entry.value)
        return True

    def present(self, container: Container) -> bool:
        """Whether a table has text of its own: a block, or a pair that leads through it."""
        return id(container) in self.blocks_of or id(container) in self.last_pair

    def below_file_header(self, block: Block) -> int:
        match = _FILE_HEADER.match(self.text, block.start, block.end)
        return match.end() if match else block.start


def path_text(names: tuple[str, ...]) -> str:
    return ".".join(key_text(n, None) for n in names)


def sectioned(table: Mapping) -> bool:
    """Whether a table may have a header: it is not an inline one."""
    return table.source_node is None or not table.source_node.flow


def within(table: Mapping, outer: Mapping) -> bool:
    here: Container | None = table
    while here is not None:
        if here is outer:
            return True
        here = here.up
    return False
