"""What the stages of the TOML writer find out and decide, for the stages after them.

==========  ======================================================================================
stage       what it fills in
==========  ======================================================================================
locate      ``places``, ``located``; a block may get the table that took the place of its own
keep        ``edits`` and ``dead`` of plans; ``written``, ``last_pair``, ``pair_block``; ``opening``
            and ``root_header`` where the root is another table now
move        ``blocks_of``; ``moved``, ``before`` and ``after`` of plans
write       more of ``edits``, ``before``, ``after``; ``headers``, ``root_pairs``, ``blank_after``
assemble    nothing: it reads the plans
==========  ======================================================================================

Words: a *dead* block has no table any more; a *moved* one goes elsewhere as a whole; a pair *stays*
if it and its tables are where they were; an entry is *written* if a pair that stays has its text; a
table is *named* if a block or a pair of the text names it.
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

    Its edits, and what is written before and after it: new text, or other blocks that move there.
    ``blank_after``: a blank line must follow it, because pairs came to its end.
    """

    edits: list[Edit] = field(default_factory=list)
    before: list[Pieces | Block] = field(default_factory=list)
    after: list[Pieces | Block] = field(default_factory=list)
    blank_after: bool = False
    moved: bool = False
    dead: bool = False


class Draft:
    """The blocks of a source text, and what becomes of each.

    The keys of the dictionaries are identities (``id``) of what the comment names.
    """

    def __init__(self, document: Document) -> None:
        source: SourceMap = document.source_map
        self.root: Mapping = document.root
        self.text = document.text
        self.blocks = [replace(b) for b in source.blocks]
        self.plans = {id(b): Plan() for b in self.blocks}  # by block
        self.block_of = {id(b.table): b for b in self.blocks}  # by table
        # by source node: the identity of the table that it became
        self.table_of = {id(b.table.source_node): id(b.table) for b in self.blocks}
        self.places: dict[int, Place] = {}  # by table
        self.located: set[int] = set()  # the entries of the tables in ``places``
        self.written: set[int] = set()  # the entries whose text is in a pair that stays
        self.last_pair: dict[int, Statement] = {}  # by table: the last pair that stays
        self.pair_block: dict[int, Block] = {}  # by pair that stays
        # by container: the blocks of its own table and of all tables below it
        self.blocks_of: dict[int, list[Block]] = {}
        self.headers: dict[int, Pieces] = {}  # by table: the headers that are new
        # what is new at the top where the root is another table
        self.opening: Pieces = []
        self.root_pairs: Pieces = []
        self.root_header: Pieces = []

    def plan_of(self, block: Block) -> Plan:
        """What happens to a block."""
        return self.plans[id(block)]

    def is_named(self, container: Container) -> bool:
        """Whether the text names a table: its block, one below it, or a pair through it.

        Valid after the stage ``move``.
        """
        return id(container) in self.blocks_of or id(container) in self.last_pair

    def end_of_top_comment(self, block: Block) -> int:
        """Where the comment at the top of the file ends, with the blank lines behind it."""
        match = _FILE_HEADER.match(self.text, block.start, block.end)
        return match.end() if match else block.start


def path_text(names: tuple[str, ...]) -> str:
    """The path of a table as a header has it."""
    return ".".join(key_text(n, None) for n in names)


def may_have_header(table: Mapping) -> bool:
    """Whether a table may have a header: an inline one may not."""
    return table.source_node is None or not table.source_node.flow


def is_array_of_tables(value: Sequence) -> bool:
    """Whether a list is, or will be written as, ``[[...]]``."""
    if not len(value) or (value.source_node is not None and value.source_node.flow):
        return False
    items = (entry.value for entry in entries_of(value))
    return all(isinstance(item, Mapping) and may_have_header(item) for item in items)


def plain_inside(value: Container) -> bool:
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


def is_within(table: Mapping, outer: Mapping) -> bool:
    """Whether a table is another one, or below it."""
    here: Container | None = table
    while here is not None:
        if here is outer:
            return True
        here = here.up
    return False
