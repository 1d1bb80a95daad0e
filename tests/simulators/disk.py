"""A configuration root in memory; see ``adapters.files.port.FileSystem``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.lease import Writers
from confmig.adapters.files.metadata import Metadata
from confmig.adapters.files.patterns import pattern
from confmig.adapters.files.snapshot import PREFIX, ExchangeOptions, Signature, Snapshot, is_ours
from confmig.errors import Refused
from tests.simulators.steps import Steps

OWNER = Metadata(0o644, 1000, 1000)


@dataclass
class Node:
    """A file: what an inode is."""

    data: bytes
    metadata: Metadata
    inode: int
    changed: int


@dataclass
class MemoryLease:
    """``was``: when the file was changed last as the lease was granted."""

    writers: Writers
    node: Node
    was: int

    def broken(self) -> bool:
        return self.node.changed != self.was


@dataclass
class MemoryHeld:
    node: Node
    lease: MemoryLease

    @property
    def inode(self) -> int:
        return self.node.inode

    def digest(self) -> str:
        return digest_of(self.node.data)

    def metadata(self) -> Metadata:
        return self.node.metadata


@dataclass
class MemoryDisk:
    """Files by path. ``open_for_writing`` are paths that another process has open."""

    steps: Steps = field(default_factory=Steps)
    options: ExchangeOptions = field(default_factory=ExchangeOptions)
    replaced: bool = False
    nodes: dict[str, Node] = field(default_factory=dict)
    folders: dict[str, Metadata] = field(default_factory=dict)
    open_for_writing: set[str] = field(default_factory=set)
    mounted_read_only: bool = False
    tick: int = 0

    # --- what another process does

    def put(self, path: str, data: bytes, metadata: Metadata = OWNER) -> None:
        """Another process saves a file: a new inode under the name."""
        self.tick += 1
        self.nodes[path] = Node(data, metadata, self.tick, self.tick)

    def write(self, path: str, data: bytes) -> None:
        """Another process writes into a file."""
        self.tick += 1
        self.nodes[path].data = data
        self.nodes[path].changed = self.tick

    # --- looking

    def find(self, patterns: Sequence[str]) -> list[str]:
        wanted = [pattern(p) for p in patterns]
        return sorted(p for p in self.nodes if not is_ours(p) and any(w.match(p) for w in wanted))

    def temporaries(self, patterns: Sequence[str]) -> list[str]:
        return sorted(p for p in self.nodes if p.rpartition("/")[2].startswith(PREFIX))

    def read(self, path: str) -> Snapshot:
        node = self.nodes.get(path)
        if node is None:
            raise Refused("document_missing", "the file does not exist any more", place=path)
        writers = Writers.OPEN if path in self.open_for_writing else Writers.NONE
        signature = Signature(node.inode, len(node.data), node.changed, 0)
        digest = digest_of(node.data)
        return Snapshot(path, node.data, digest, node.metadata, False, writers, signature)

    def read_only(self) -> bool:
        return self.mounted_read_only

    def is_folder(self, path: str) -> bool:
        return path in self.folders

    def changed_at(self, path: str) -> datetime:
        return datetime.fromtimestamp(self.nodes[path].changed, UTC)

    def exists(self, path: str) -> bool:
        return path in self.nodes or path in self.folders

    def digest(self, folder_and_name: str) -> str | None:
        node = self.nodes.get(folder_and_name)
        return digest_of(node.data) if node is not None else None

    def metadata(self, path: str) -> Metadata | None:
        node = self.nodes.get(path)
        return node.metadata if node is not None else self.folders.get(path)

    def content(self, path: str) -> bytes:
        return self._node(path).data

    def inode(self, path: str) -> int | None:
        node = self.nodes.get(path)
        return node.inode if node is not None else None

    def writers(self, path: str) -> Writers:
        return Writers.OPEN if path in self.open_for_writing else Writers.NONE

    @contextmanager
    def hold(self, path: str) -> Iterator[MemoryHeld]:
        node = self._node(path)
        yield MemoryHeld(node, MemoryLease(self.writers(path), node, node.changed))

    def _node(self, path: str) -> Node:
        if path not in self.nodes:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.nodes[path]

    # --- changing

    def stage(self, path: str, data: bytes, metadata: Metadata, *, durable: bool = True) -> None:
        self.steps(f"create {path}")
        if path in self.nodes:
            raise FileExistsError(17, "File exists", path)
        self.put(path, b"", Metadata(0o600, 0, 0))
        self.steps(f"write {path}")
        self.put(path, data, metadata)

    def exchange(self, a: str, b: str) -> None:
        self.steps(f"exchange {b}")
        self._node(a)
        self._node(b)
        self.nodes[a], self.nodes[b] = self.nodes[b], self.nodes[a]
        self.steps(f"exchanged {b}")

    def finish_exchange(self, a: str) -> None:
        """Exchanges are never weak here."""

    def rename(self, a: str, b: str) -> None:
        self.steps(f"rename {b}")
        assert is_ours(a)
        assert is_ours(b)
        self.nodes[b] = self._node(a)
        del self.nodes[a]

    def unlink(self, path: str) -> None:
        assert is_ours(path)
        if path in self.nodes:
            self.steps(f"unlink {path}")
            del self.nodes[path]

    def check_rewritable(self, path: str, pause: Callable[[float], None]) -> None:
        self._node(path)

    def rewrite(
        self,
        path: str,
        choose: Callable[[bytes, Metadata], bytes | None],
        pause: Callable[[float], None],
    ) -> bool:
        node = self._node(path)
        data = choose(node.data, node.metadata)
        if data is None:
            return False
        self.steps(f"rewrite {path}")
        self.write(path, data)
        return True

    def sync_dirs(self, paths: Iterable[str], *, gone_is_fine: bool = False) -> None:
        self.steps(f"sync {', '.join(sorted({p.rpartition('/')[0] or '.' for p in paths}))}")

    def sync_all(self, paths: Iterable[str], *, gone_is_fine: bool = False) -> None:
        self.steps("sync all")

    def entries(self, folder: str) -> dict[str, int]:
        if folder not in self.folders:
            raise FileNotFoundError(2, "No such file or directory", folder)
        prefix = f"{folder}/"
        inner = {p.removeprefix(prefix): 0 for p in self.folders if p.startswith(prefix)}
        files = {p.removeprefix(prefix): n.inode for p, n in self.nodes.items()
                 if p.startswith(prefix)}  # fmt: skip
        return inner | files

    def make_folder(self, path: str) -> None:
        self.steps(f"mkdir {path}")
        self.folders[path] = Metadata(0o700, 0, 0)

    def remove_folder(self, path: str) -> None:
        assert is_ours(path)
        self.folders.pop(path, None)

    def open_up(self, path: str) -> None:
        """Everybody may remove everything here."""

    def dress(self, path: str, metadata: Metadata) -> None:
        self.steps(f"dress {path}")
        if path in self.folders:
            self.folders[path] = metadata
        else:
            self._node(path).metadata = metadata

    def link(self, a: str, b: str) -> None:
        self.steps(f"link {b}")
        self.nodes[b] = self._node(a)
