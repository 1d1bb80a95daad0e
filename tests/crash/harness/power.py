"""A power cut after every operation: the `power` harness.

One apply is recorded with strace: every effect it has on names, data, sizes and metadata, and every
sync. The recording is played into a model of a file system, of files with data and directories with
entries, and for each operation k the model is asked what the disk may hold if the power fails right
after it. Each such state is made into real directories, the same command runs in it, and both the
state itself and what the run makes of it are judged.

What the model takes for legal. A sync makes durable what was done to *that* file or directory
before it and nothing else: `fsync` of a file says nothing of its name, `fdatasync` nothing of its
mode and owner (what a directory holds are its entries); `syncfs` and `sync` say it of all. What is
not durable is *pending*, and any subset of what is pending may be on the disk:

- a write may be lost, kept, or torn: any of its 512-byte sectors, or the size alone with zeros;
- a truncation, a mode, an owner, an attribute may be lost or kept, each by itself;
- a changed directory entry may be lost or kept, each by itself, but one rename and one exchange are
  atomic, as they are in every file system that has a journal. States in which a file has two names
  are left out (`skipped`), unless somebody has linked it.

That is more than any one file system does, and contains what each of them does: the orders of
ext4, xfs and btrfs are subsets. A state that is legal after k and in which something done later is
not on the disk is also legal after the later operation, unless a sync came in between: the states
right before the syncs are the richest, and it is there that most samples are taken.

What the recording sees is proved and not assumed: played to its end with everything kept, the model
must equal the real directories, byte by byte, with modes, owners and attributes. A call that it
does not know, or a second process, is an error. SQLite's -shm file is mapped and not seen, and is
left out of the states: it is rebuilt by whoever opens the database first.

Most states differ in half-written pages of the database alone. What SQLite makes of those is asked
of SQLite; of the states that are equal in all other files and in the content of the database, one
is judged. A database that is still being made aside has no content but whether there is any.
`every=True` judges all.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.crash.harness import fork, promises, scenario, strace, sweep
from tests.crash.harness.fork import Forks
from tests.crash.harness.scenario import Scenario, Spec
from tests.crash.harness.sweep import Sweep

SECTOR = 512
MODELLED = ("config", "state")
SHARED_MEMORY = "-shm"
_ROOM = 256 * 1024 * 1024
REPORT = b"target app: "
"""What the command says of the documents in the end."""


_CALLS = (
    *("open", "openat", "openat2", "creat", "close", "dup", "dup2", "dup3", "fcntl", "lseek"),
    *("read", "readv", "write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate"),
    *("truncate", "fallocate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir"),
    *("mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "chmod"),
    *("fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "setxattr"),
    *("fsetxattr", "lsetxattr", "removexattr", "fremovexattr", "lremovexattr", "fsync"),
    *("fdatasync", "syncfs", "sync", "copy_file_range", "sendfile", "splice", "mmap", "chdir"),
    *("fchdir", "fork", "vfork", "clone", "clone3", "io_uring_setup"),
)
_TRACER = (
    *("strace", "-f", "-qq", "-xx", "-s", "100000000", "-e", "signal=none", "-e", "raw=read,readv"),
    *("-e", "trace=" + ",".join(f"?{name}" for name in _CALLS)),
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (0x[0-9a-f]+|-?\d+|\?)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


# --- the model ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """A file (`data`) or a directory (`entries`, numbers of nodes by name).

    In `Facts`, `same` is another path of the same file.
    """

    mode: int
    uid: int
    gid: int
    attributes: Mapping[str, bytes] = field(default_factory=dict)
    data: bytes = b""
    entries: Mapping[str, int] | None = None
    same: str = ""


Nodes = dict[int, Node]
Facts = dict[str, Node]
"""What a tree holds, by path; directories with no entries of their own in it."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes into a file."""

    node: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Size:
    """A file cut or grown."""

    node: int
    size: int
    only_grows: bool = False


@dataclass(frozen=True, slots=True)
class Meta:
    """A mode, an owner or an attribute (None: removed)."""

    node: int
    mode: int | None = None
    owner: tuple[int, int] | None = None
    attribute: tuple[str, bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """Names that change together: (directory, name, node or None)."""

    changes: tuple[tuple[int, str, int | None], ...]


@dataclass(frozen=True, slots=True)
class Sync:
    """What was done before is durable: of one node, or of all. `data`: not its metadata."""

    node: int | None
    data: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The command told somebody that it is done."""


Effect = Write | Size | Meta | Entries
Op = Effect | Sync | Report


@dataclass(frozen=True, slots=True)
class Torn:
    """What is left of a write: some of its bytes; `sized`: the file is as long as if all were."""

    ranges: tuple[tuple[int, int], ...]
    sized: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """What one run did.

    `calls` are the calls behind `ops`, for messages. Of a run that follows after one that was
    killed, `resumed` is the number of its first operation: what the killed one has done is
    pending still. `linked` are the files that were given a second name.
    """

    first: Nodes
    born: Nodes
    ops: tuple[Op, ...]
    calls: tuple[str, ...]
    resumed: int = 0
    linked: frozenset[int] = frozenset()

    def pending(self, k: int) -> list[int]:
        """Which of the first `k` operations are not durable after them."""
        whole: dict[int, int] = {}
        content: dict[int, int] = {}
        everything = -1
        for number, op in enumerate(self.ops[:k]):
            if isinstance(op, Sync):
                if op.node is None:
                    everything = number
                else:
                    content[op.node] = number
                    if not op.data:
                        whole[op.node] = number

        def durable(number: int, op: Op) -> bool:
            if number < everything:
                return True
            match op:
                case Write() | Size():
                    return number < content.get(op.node, -1)
                case Meta():
                    return number < whole.get(op.node, -1)
                case Entries():
                    return all(number < content.get(folder, -1) for folder, _, _ in op.changes)
                case _:
                    return True

        return [number for number, op in enumerate(self.ops[:k]) if not durable(number, op)]

    def tree(
        self, k: int, lost: Iterable[int] = (), torn: Mapping[int, Torn] | None = None
    ) -> Nodes:
        """The disk after the first `k` operations, some of which are lost or torn."""
        nodes = {**self.first, **self.born}
        gone = frozenset(lost)
        # A file that is written to again and again is not copied each time.
        contents: dict[int, bytearray] = {}
        for number, op in enumerate(self.ops[:k]):
            if number in gone or isinstance(op, Sync | Report):
                continue
            if isinstance(op, Write | Size):
                held = contents.get(op.node)
                if held is None:
                    held = contents[op.node] = bytearray(nodes[op.node].data)
                _store(held, op, (torn or {}).get(number))
            elif isinstance(op, Meta):
                nodes[op.node] = _dressed(nodes[op.node], op)
            else:
                for folder, name, node in op.changes:
                    entries = dict(nodes[folder].entries or {})
                    entries.pop(name, None)
                    if node is not None:
                        entries[name] = node
                    nodes[folder] = replace(nodes[folder], entries=entries)
        for number, held in contents.items():
            nodes[number] = replace(nodes[number], data=bytes(held))
        return nodes


def _store(held: bytearray, op: Write | Size, torn: Torn | None) -> None:
    if isinstance(op, Size):
        if not op.only_grows:
            del held[op.size :]
        held.extend(bytes(max(0, op.size - len(held))))
        return
    ranges = ((0, len(op.data)),) if torn is None else torn.ranges
    ends = [op.offset + end for _, end in ranges]
    if torn is not None and torn.sized:
        ends.append(op.offset + len(op.data))
    if ends:
        held.extend(bytes(max(0, max(ends) - len(held))))
    for start, end in ranges:
        held[op.offset + start : op.offset + end] = op.data[start:end]


def _dressed(node: Node, op: Meta) -> Node:
    if op.mode is not None:
        return replace(node, mode=op.mode)
    if op.owner is not None:
        return replace(node, uid=op.owner[0], gid=op.owner[1])
    assert op.attribute is not None
    name, value = op.attribute
    attributes = {key: held for key, held in node.attributes.items() if key != name}
    return replace(node, attributes=attributes if value is None else {**attributes, name: value})


def facts(
    nodes: Nodes, *, top: Sequence[str] = MODELLED, linked: Container[int] = ()
) -> Facts | None:
    """What a tree holds, by path; None if a file that is not `linked` has two names."""
    found: Facts = {}
    seen: dict[int, str] = {}

    def walk(number: int, path: str) -> bool:
        node = nodes[number]
        for name, below in sorted((node.entries or {}).items()):
            if not path and name not in top:
                continue
            if name.endswith(SHARED_MEMORY):
                continue
            if below in seen and below not in linked:
                return False
            here = f"{path}{name}"
            child = replace(nodes[below], same=seen.get(below, ""))
            seen.setdefault(below, here)
            found[here] = child if child.entries is None else replace(child, entries={})
            if child.entries is not None and not walk(below, f"{here}/"):
                return False
        return True

    return found if walk(0, "") else None


def digest(found: Facts) -> str:
    """The hash of a state."""
    out = hashlib.blake2b(digest_size=16)
    for path, node in found.items():
        about = (path, node.mode, node.uid, node.gid, sorted(node.attributes.items()), node.same)
        out.update(repr(about).encode())
        out.update(len(node.data).to_bytes(8, "big") + node.data)
    return out.hexdigest()


# --- recording ------------------------------------------------------------------------------


class Unmodelled(AssertionError):
    """The run did what the model does not know; its states would prove nothing."""


@dataclass(slots=True)
class _Open:
    """An open file description, which duplicated descriptors share."""

    node: int
    offset: int = 0
    append: bool = False


def read_tree(directory: Path) -> Nodes:
    """The modelled part of a real tree as nodes; the directory itself is number 0."""
    nodes: Nodes = {}
    linked: dict[int, int] = {}

    def walk(path: Path) -> int:
        number = len(nodes)
        is_now = path.lstat()
        if is_now.st_nlink > 1 and stat.S_ISREG(is_now.st_mode):
            if is_now.st_ino in linked:
                return linked[is_now.st_ino]
            linked[is_now.st_ino] = number
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        about = (stat.S_IMODE(is_now.st_mode), is_now.st_uid, is_now.st_gid, attributes)
        nodes[number] = Node(*about)
        if stat.S_ISDIR(is_now.st_mode):
            names = [name for name in sorted(os.listdir(path)) if number or name in MODELLED]
            entries = {name: walk(path / name) for name in names}
            nodes[number] = Node(*about, entries=entries)
        elif stat.S_ISREG(is_now.st_mode):
            nodes[number] = Node(*about, data=path.read_bytes())
        else:
            raise Unmodelled(f"{path} is neither a file nor a directory")
        return number

    walk(directory)
    return nodes


class Recorder:
    """Turns the lines of a trace into operations on the nodes below one directory."""

    def __init__(self, directory: Path, umask: int, before: Recording | None = None) -> None:
        self.directory = directory
        self.umask = umask
        before = before or Recording(read_tree(directory), {}, (), ())
        self.first = before.first
        self.born = dict(before.born)
        self.ops: list[Op] = list(before.ops)
        self.calls: list[str] = list(before.calls)
        # Names only; the contents are `Recording.tree`'s.
        self._now = before.tree(len(before.ops))
        self._resumed = len(before.ops)
        self._linked = set(before.linked)
        self._open: dict[int, _Open] = {}
        self._tracee: str | None = None
        self._call = ""

    def recording(self, log: Path) -> Recording:
        """Read the whole trace."""
        with open(log, encoding="ascii", errors="replace") as lines:
            for line in lines:
                self._line(line)
        return Recording(
            self.first,
            self.born,
            tuple(self.ops),
            tuple(self.calls),
            self._resumed,
            frozenset(self._linked),
        )

    def _line(self, line: str) -> None:
        if " <unfinished ...>" in line or " resumed>" in line:
            raise Unmodelled(f"a second thread or process: {line[:200]}")
        call = _LINE.match(line)
        if call is None or call[4] == "?" or call[4].startswith("-"):
            return
        tracee, name, arguments, result = call.groups()
        if self._tracee not in (None, tracee):
            raise Unmodelled(f"a second thread or process: {line[:200]}")
        self._tracee = tracee
        self._call = f"{name}({_shown(arguments)}) = {result}"
        handler = getattr(self, f"_on_{name}", None)
        if handler is not None:
            handler(_split(arguments), int(result, 0))
        else:
            self._unknown(_split(arguments))

    def _unknown(self, arguments: list[str]) -> None:
        """A call that has no handler may not touch what is modelled."""
        for argument in arguments:
            if argument.isdigit() and int(argument) in self._open:
                raise Unmodelled(self._call)
            if _STRING.fullmatch(argument) and self._below(_text(argument)):
                raise Unmodelled(self._call)

    def _did(self, op: Op) -> None:
        if isinstance(op, Entries):
            for folder, name, node in op.changes:
                entries = dict(self._now[folder].entries or {})
                entries.pop(name, None)
                if node is not None:
                    entries[name] = node
                self._now[folder] = replace(self._now[folder], entries=entries)
        self.ops.append(op)
        self.calls.append(self._call)

    # names

    def _below(self, path: str) -> str | None:
        """An absolute path, or one relative to the working directory, below our directory."""
        whole = os.path.normpath(self.directory / path)
        if whole == str(self.directory):
            return ""
        prefix = f"{self.directory}/"
        return whole.removeprefix(prefix) if whole.startswith(prefix) else None

    def _place(self, base: str, path: str, *, changes: bool = True) -> tuple[int, str] | None:
        """(directory, name); the name is empty for the directory itself. None: not ours."""
        start = 0
        if path.startswith("/") or base == "AT_FDCWD":
            relative = self._below(path)
            if relative is None:
                return None
        else:
            opened = self._open.get(int(base))
            if opened is None:
                return None
            start, relative = opened.node, os.path.normpath(path)
        *folders, name = ["" if part == "." else part for part in relative.split("/")]
        if name.endswith(SHARED_MEMORY):
            return None
        if start == 0 and relative not in ("", ".") and relative.split("/")[0] not in MODELLED:
            if changes:
                raise Unmodelled(f"beside the modelled directories: {self._call}")
            return None
        for folder in folders:
            below = (self._now[start].entries or {}).get(folder)
            if below is None or folder == "..":
                raise Unmodelled(self._call)
            start = below
        return start, name

    def _node(self, place: tuple[int, str]) -> int | None:
        folder, name = place
        return (self._now[folder].entries or {}).get(name) if name else folder

    def _existing(self, base: str, path: str) -> int | None:
        place = self._place(base, path)
        if place is None:
            return None
        node = self._node(place)
        if node is None:
            raise Unmodelled(f"not in the model: {self._call}")
        return node

    def _make(self, place: tuple[int, str], mode: int, *, folder: bool) -> int:
        number = len(self.first) + len(self.born)
        node = Node(mode & ~self.umask, os.geteuid(), os.getegid(), entries={} if folder else None)
        self.born[number] = node
        self._now[number] = node
        self._did(Entries(((*place, number),)))
        return number

    # opening and closing

    def _on_openat(self, arguments: list[str], fd: int) -> None:
        self._opened(arguments[0], _text(arguments[1]), arguments[2:], fd)

    def _on_openat2(self, arguments: list[str], fd: int) -> None:
        flags = re.search(r"flags=([A-Z_0-9|]+)", arguments[2])
        mode = re.search(r"mode=(0[0-7]*)", arguments[2])
        words = [flags[1] if flags else "", mode[1] if mode else "0"]
        self._opened(arguments[0], _text(arguments[1]), words, fd)

    def _on_open(self, arguments: list[str], fd: int) -> None:
        self._opened("AT_FDCWD", _text(arguments[0]), arguments[1:], fd)

    def _on_creat(self, arguments: list[str], fd: int) -> None:
        words = ["O_CREAT|O_TRUNC", arguments[1]]
        self._opened("AT_FDCWD", _text(arguments[0]), words, fd)

    def _opened(self, base: str, path: str, words: list[str], fd: int) -> None:
        self._open.pop(fd, None)
        flags = words[0].split("|")
        changes = not {"O_CREAT", "O_TRUNC", "O_WRONLY", "O_RDWR"}.isdisjoint(flags)
        place = self._place(base, path, changes=changes)
        if place is None:
            return
        if "O_TMPFILE" in flags or "O_PATH" in flags:
            raise Unmodelled(self._call)
        node = self._node(place)
        if node is None:
            if "O_CREAT" not in flags:
                raise Unmodelled(f"not in the model: {self._call}")
            node = self._make(place, int(words[1], 8), folder=False)
        elif "O_TRUNC" in flags:
            self._did(Size(node, 0))
        self._open[fd] = _Open(node, append="O_APPEND" in flags)

    def _on_close(self, arguments: list[str], result: int) -> None:
        self._open.pop(int(arguments[0]), None)

    def _on_dup(self, arguments: list[str], fd: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is None:
            self._open.pop(fd, None)
        else:
            self._open[fd] = opened

    _on_dup2 = _on_dup
    _on_dup3 = _on_dup

    def _on_fcntl(self, arguments: list[str], result: int) -> None:
        if arguments[1].startswith("F_DUPFD"):
            self._on_dup(arguments, result)
        elif arguments[1] == "F_SETFL" and int(arguments[0]) in self._open:
            raise Unmodelled(self._call)

    def _on_mmap(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[4])) if arguments[4].isdigit() else None
        if opened is None or "MAP_SHARED" not in arguments[3] or "PROT_WRITE" not in arguments[2]:
            return
        raise Unmodelled(self._call)

    def _on_chdir(self, arguments: list[str], result: int) -> None:
        raise Unmodelled(self._call)

    def _on_io_uring_setup(self, arguments: list[str], result: int) -> None:
        raise Unmodelled(self._call)

    _on_fchdir = _on_chdir
    _on_fork = _on_vfork = _on_clone = _on_clone3 = _on_chdir

    # contents

    def _on_lseek(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            opened.offset = result

    def _on_read(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0], 0))
        if opened is not None:
            opened.offset += result

    _on_readv = _on_read

    def _on_write(self, arguments: list[str], result: int) -> None:
        data = b"".join(_bytes(text) for text in _STRING.findall(arguments[1]))[:result]
        fd = int(arguments[0])
        opened = self._open.get(fd)
        if opened is None:
            if fd == 1 and REPORT in data:
                self._did(Report())
            return
        if opened.append:
            raise Unmodelled(self._call)
        self._wrote(opened.node, opened.offset, data, result)
        opened.offset += result

    _on_writev = _on_write

    def _on_pwrite64(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            data = b"".join(_bytes(text) for text in _STRING.findall(arguments[1]))[:result]
            self._wrote(opened.node, int(arguments[3], 0), data, result)

    _on_pwritev = _on_pwrite64

    def _wrote(self, node: int, offset: int, data: bytes, result: int) -> None:
        if len(data) != result:
            raise Unmodelled(f"{len(data)} of {result} bytes in the trace: {self._call}")
        self._did(Write(node, offset, data))

    def _on_ftruncate(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            self._did(Size(opened.node, int(arguments[1], 0)))

    def _on_truncate(self, arguments: list[str], result: int) -> None:
        node = self._existing("AT_FDCWD", _text(arguments[0]))
        if node is not None:
            self._did(Size(node, int(arguments[1], 0)))

    def _on_fallocate(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is None:
            return
        if arguments[1] != "0":
            raise Unmodelled(self._call)
        size = int(arguments[2], 0) + int(arguments[3], 0)
        self._did(Size(opened.node, size, only_grows=True))

    # metadata

    def _on_fchmod(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            self._did(Meta(opened.node, mode=int(arguments[1], 8)))

    def _on_chmod(self, arguments: list[str], result: int) -> None:
        self._on_fchmodat(["AT_FDCWD", *arguments], result)

    def _on_fchmodat(self, arguments: list[str], result: int) -> None:
        node = self._existing(arguments[0], _text(arguments[1]))
        if node is not None:
            self._did(Meta(node, mode=int(arguments[2], 8)))

    def _on_fchown(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            self._did(Meta(opened.node, owner=(int(arguments[1]), int(arguments[2]))))

    def _on_chown(self, arguments: list[str], result: int) -> None:
        node = self._existing("AT_FDCWD", _text(arguments[0]))
        if node is not None:
            self._did(Meta(node, owner=(int(arguments[1]), int(arguments[2]))))

    def _on_fchownat(self, arguments: list[str], result: int) -> None:
        node = self._existing(arguments[0], _text(arguments[1]))
        if node is not None:
            self._did(Meta(node, owner=(int(arguments[2]), int(arguments[3]))))

    def _on_fsetxattr(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            value = b"".join(_bytes(text) for text in _STRING.findall(arguments[2]))
            self._did(Meta(opened.node, attribute=(_text(arguments[1]), value)))

    def _on_fremovexattr(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            self._did(Meta(opened.node, attribute=(_text(arguments[1]), None)))

    # entries

    def _on_mkdir(self, arguments: list[str], result: int) -> None:
        self._on_mkdirat(["AT_FDCWD", *arguments], result)

    def _on_mkdirat(self, arguments: list[str], result: int) -> None:
        place = self._place(arguments[0], _text(arguments[1]))
        if place is not None:
            self._make(place, int(arguments[2], 8), folder=True)

    def _on_unlink(self, arguments: list[str], result: int) -> None:
        self._on_unlinkat(["AT_FDCWD", *arguments], result)

    _on_rmdir = _on_unlink

    def _on_unlinkat(self, arguments: list[str], result: int) -> None:
        place = self._place(arguments[0], _text(arguments[1]))
        if place is not None:
            self._did(Entries(((*place, None),)))

    def _on_linkat(self, arguments: list[str], result: int) -> None:
        base, old, other, new, _ = arguments
        source, target = self._place(base, _text(old)), self._place(other, _text(new))
        if source is None and target is None:
            return
        node = None if source is None else self._node(source)
        if node is None or target is None:
            raise Unmodelled(self._call)
        self._linked.add(node)
        self._did(Entries(((*target, node),)))

    def _on_rename(self, arguments: list[str], result: int) -> None:
        self._renamed("AT_FDCWD", arguments[0], "AT_FDCWD", arguments[1], "0")

    def _on_renameat(self, arguments: list[str], result: int) -> None:
        self._on_renameat2([*arguments, "0"], result)

    def _on_renameat2(self, arguments: list[str], result: int) -> None:
        base, old, other, new, flags = arguments
        self._renamed(base, old, other, new, flags)

    def _renamed(self, base: str, old: str, other: str, new: str, flags: str) -> None:
        source, target = self._place(base, _text(old)), self._place(other, _text(new))
        if source is None and target is None:
            return
        if source is None or target is None or flags not in ("0", "RENAME_EXCHANGE"):
            raise Unmodelled(self._call)
        moved, met = self._node(source), self._node(target)
        if moved is None:
            raise Unmodelled(f"not in the model: {self._call}")
        other_way = met if flags == "RENAME_EXCHANGE" else None
        self._did(Entries(((*target, moved), (*source, other_way))))

    # syncs

    def _on_fsync(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            self._did(Sync(opened.node))

    def _on_fdatasync(self, arguments: list[str], result: int) -> None:
        opened = self._open.get(int(arguments[0]))
        if opened is not None:
            self._did(Sync(opened.node, data=True))

    def _on_syncfs(self, arguments: list[str], result: int) -> None:
        if int(arguments[0]) in self._open:
            self._did(Sync(None))

    def _on_sync(self, arguments: list[str], result: int) -> None:
        self._did(Sync(None))


def _split(arguments: str) -> list[str]:
    """The arguments of a call. Strings are hexadecimal: what looks like a bracket is one."""
    parts, depth, last = [], 0, 0
    if "{" not in arguments and "[" not in arguments:
        return arguments.split(", ")
    for at, character in enumerate(arguments):
        if character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(arguments[last:at])
            last = at + 2
    return [*parts, arguments[last:]]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(argument: str) -> str:
    found = _STRING.match(argument)
    return os.fsdecode(_bytes(found[1])) if found else ""


def _shown(arguments: str) -> str:
    def short(found: re.Match[str]) -> str:
        return repr(_bytes(found[1][: 4 * 60])).removeprefix("b")

    return _STRING.sub(short, arguments[:4000])[:240]


def record(
    world: Scenario,
    env: Mapping[str, str],
    command: Sequence[str] | None = None,
    before: Recording | None = None,
) -> Recording:
    """Record the apply in `world`, as what follows `before` if `world` is where that ends.

    Run the apply in `world` and record it, as what follows after `before` if `world` is where
    that ends. AssertionError if it fails or the model is wrong.
    """
    directory = world.directory
    log = strace.log_of(directory)
    umask = os.umask(0o022)
    os.umask(umask)
    recorder = Recorder(directory, umask, before)
    done = subprocess.run(
        [*_TRACER, "-o", str(log), "--", *(command or world.apply)],
        cwd=directory,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=strace.TIMEOUT,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"the recorded run ended with {done.returncode}: {said[-2000:]}"
    recording = recorder.recording(log)
    log.unlink()
    mine = facts(recording.tree(len(recording.ops)), linked=recording.linked)
    nodes = read_tree(directory)
    real = facts(nodes, linked=nodes.keys())
    assert mine is not None
    assert real is not None
    wrong = [path for path in sorted(mine.keys() | real.keys()) if mine.get(path) != real.get(path)]
    assert not wrong, f"the model does not end where the run ended: {wrong}"
    assert any(isinstance(op, Report) for op in recording.ops), f"it reported nothing: {said}"
    return recording


# --- the states -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """How many states are looked at.

    `singles`: each pending operation alone lost and alone kept. `exhaustive`: all subsets of up
    to so many pending operations. `random`: so many more subsets, torn writes among them, at
    each point; `richest`: of those right before a sync. `start`: begin at the first call with
    this word in it.
    """

    exhaustive: int = 3
    random: int = 0
    richest: int = 12
    singles: bool = True
    torn: bool = True
    seed: int = 0
    start: str = ""


EXTREMES = Sample(exhaustive=0, richest=0, singles=False, torn=False)


@dataclass(frozen=True, slots=True)
class Cut:
    """One way the power may fail: after `k` operations, without `lost`, and with `torn`."""

    k: int
    lost: frozenset[int]
    torn: tuple[tuple[int, Torn], ...] = ()
    why: str = ""


def cuts(recording: Recording, sample: Sample) -> Iterator[Cut]:
    """The cuts that are looked at.

    At every k all and nothing of what is pending, all of one sort, and, with `singles`, each
    operation alone lost and alone kept.
    """
    ops = recording.ops
    start = next(n for n, call in enumerate(recording.calls) if sample.start in call)
    start = max(start, recording.resumed)
    if start == 0:
        yield Cut(0, frozenset(), why="before the first")
    for k in range(start + 1, len(ops) + 1):
        pending = frozenset(recording.pending(k))
        yield Cut(k, frozenset(), why="all kept")
        if not pending:
            continue
        names = frozenset(n for n in pending if isinstance(ops[n], Entries))
        writes = sorted(n for n in pending if isinstance(ops[n], Write))
        yield Cut(k, pending, why="all lost")
        yield Cut(k, names, why="names lost")
        yield Cut(k, pending - names, why="contents lost")
        rich = k == len(ops) or isinstance(ops[k], Sync)
        chance = random.Random(f"{sample.seed}-{k}")
        if sample.singles:
            for one in sorted(pending):
                yield Cut(k, frozenset((one,)), why=f"lost {one} alone")
                yield Cut(k, pending - {one}, why=f"kept {one} alone")
        if len(pending) <= sample.exhaustive:
            for size in range(len(pending) + 1):
                for chosen in itertools.combinations(sorted(pending), size):
                    yield Cut(k, frozenset(chosen), why="every subset")
        if sample.torn:
            for one in writes if rich else [n for n in writes if n == k - 1]:
                for rest in _torn(_write(ops[one]), chance):
                    yield Cut(k, frozenset(), ((one, rest),), f"tore {one}")
                    yield Cut(k, pending - {one}, ((one, rest),), f"kept {one} alone, torn")
        for _ in range(sample.richest if rich else sample.random):
            lost = frozenset(n for n in sorted(pending) if chance.random() < chance.choice(_ODDS))
            torn = []
            for one in writes:
                if one not in lost and chance.random() < 0.3:
                    torn.append((one, chance.choice(_torn(_write(ops[one]), chance))))
            yield Cut(k, lost, tuple(torn), "at random")


_ODDS = (0.1, 0.5, 0.9)


def _write(op: Op) -> Write:
    assert isinstance(op, Write)
    return op


def _torn(op: Write, chance: random.Random) -> list[Torn]:
    """ExchangeOptions to tear a write: zeros in its place, a prefix, and sectors in no order."""
    end = len(op.data)
    first = SECTOR - op.offset % SECTOR
    edges = [0, *range(first, end, SECTOR), end]
    found = [Torn((), sized=True)]
    if len(edges) > 2:
        sectors = list(itertools.pairwise(edges))
        some = tuple(one for one in sectors if chance.random() < 0.5)
        found += [
            Torn(((0, chance.choice(edges[1:-1])),)),
            Torn(some, sized=True),
            Torn((sectors[-1],)),
        ]
    return found


# --- the verdict ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """A state in which a promise is broken."""

    cut: Cut
    call: str
    problems: tuple[str, ...]
    kept: Path

    def __str__(self) -> str:
        lost = ",".join(map(str, sorted(self.cut.lost)[:40]))
        head = f"after operation {self.cut.k}, {self.cut.why} (lost: {lost}), last: {self.call}"
        return "\n".join([head, *(f"    {one}" for one in self.problems), f"    kept: {self.kept}"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """A replay. `states` are distinct on the disk, `judged` were run."""

    operations: int
    syncs: int
    points: int
    cuts: int
    skipped: int
    states: int
    judged: int
    ended: Counter[str]
    findings: tuple[Finding, ...]
    seconds: float

    def __str__(self) -> str:
        ends = ", ".join(f"{number} {what}" for what, number in sorted(self.ended.items()))
        head = (
            f"power: {self.operations} operations ({self.syncs} syncs), {self.points} points, "
            f"{self.cuts} cuts ({self.skipped} skipped), {self.states} states, {self.judged} "
            f"judged ({ends}), {len(self.findings)} with violations, {self.seconds:.0f} s"
        )
        return "\n".join([head, *(str(finding) for finding in self.findings[:20])])


def power(
    workdir: Path,
    spec: Spec | None = None,
    *,
    sample: Sample | None = None,
    every: bool = False,
    jobs: int = 2,
    command: Sequence[str] | None = None,
    stop_at: int = 100,
    first_run: bool = False,
    interrupted: str = "",
) -> Outcome:
    """Record one apply and replay it below `workdir`, an empty directory.

    Record one apply (of `command`, if it is another) and replay it below `workdir`, an empty
    directory. It gives up after `stop_at` findings. `first_run`: the run makes the directory of
    the state, too. `interrupted`: what is replayed is the run that follows after one that was
    killed right after its first call with this word in it: a recovery.
    """
    began = time.monotonic()
    sample = sample or Sample()
    with _fast(workdir) as fast:
        shared = sweep.prepare(fast, spec)
        world = scenario.copy(shared.template, shared.workdir / "rec00")
        if not first_run:
            world.state.mkdir(mode=0o700)
        recording = record(world, shared.env, command)
        if interrupted:
            k = 1 + next(n for n, call in enumerate(recording.calls) if interrupted in call)
            killed = replace(recording, ops=recording.ops[:k], calls=recording.calls[:k])
            found = facts(killed.tree(k), linked=killed.linked)
            assert found is not None
            world = Scenario(shared.workdir / "rec01", shared.template.spec)
            _materialise(shared, found, world)
            recording = record(world, shared.env, before=killed)
        return replay(shared, recording, workdir, sample, every, jobs, stop_at, began)


@contextmanager
def _fast(workdir: Path) -> Iterator[Path]:
    """A directory in memory, where there is one: the power that fails is the model's."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
    where = memory if roomy else workdir
    with tempfile.TemporaryDirectory(prefix="confmig-power-", dir=where) as made:
        yield Path(made).resolve()


def replay(
    shared: Sweep,
    recording: Recording,
    workdir: Path,
    sample: Sample,
    every: bool,
    jobs: int,
    stop_at: int,
    began: float,
) -> Outcome:
    """Judge the states of a recording; those that are found wrong are kept in `workdir`."""
    syncs = sum(isinstance(op, Sync) for op in recording.ops[recording.resumed :])
    reported = next(n for n, op in enumerate(recording.ops) if isinstance(op, Report))
    count: Counter[str] = Counter()
    seen: set[tuple[str, bool]] = set()
    logical: set[tuple[str, bool]] = set()
    done: set[tuple[frozenset[int], tuple[tuple[int, Torn], ...], bool]] = set()
    idle = frozenset(n for n, op in enumerate(recording.ops) if isinstance(op, Sync | Report))
    database = _Database(shared.workdir / "dbase")

    def work() -> Iterator[tuple[int, Cut, Facts]]:
        for cut in cuts(recording, sample):
            if len(findings) >= stop_at:
                return
            count["cuts"] += 1
            points.add(cut.k)
            # What is on the disk is what was kept, whatever else was done and lost.
            kept = frozenset(range(cut.k)) - cut.lost - idle
            if (kept, cut.torn, cut.k > reported) in done:
                continue
            done.add((kept, cut.torn, cut.k > reported))
            tree = recording.tree(cut.k, cut.lost, dict(cut.torn))
            found = facts(tree, linked=recording.linked)
            if found is None:
                count["skipped"] += 1
                continue
            after = cut.k > reported
            key = (digest(found), after)
            if key in seen:
                continue
            seen.add(key)
            if not every:
                key = (database.logical(found), after)
                if key in logical:
                    continue
                logical.add(key)
            count["judged"] += 1
            yield count["judged"], cut, found

    points: set[int] = set()
    findings: list[Finding] = []
    ended: Counter[str] = Counter()

    def judge(server: Forks, job: tuple[int, Cut, Facts]) -> tuple[str, Finding | None]:
        number, cut, found = job
        run = Scenario(shared.workdir / f"p{number:04d}", shared.template.spec)
        _materialise(shared, found, run)
        before, problems = _judged(server, shared, run, reported=cut.k > reported)
        finding = None
        if problems:
            kept = workdir / run.directory.name
            _materialise(shared, found, Scenario(kept, run.spec), links=False)
            call = recording.calls[cut.k - 1] if cut.k else "nothing"
            finding = Finding(cut, call, tuple(problems), kept)
        shutil.rmtree(run.directory)
        run.directory.with_name(run.directory.name + ".said").unlink(missing_ok=True)
        return before, finding

    with fork.pool(shared, jobs) as pool:
        states = work()
        while chunk := list(itertools.islice(states, 16 * jobs)):
            for before, finding in pool.map(judge, chunk):
                ended[before] += 1
                if finding is not None:
                    findings.append(finding)
    return Outcome(
        len(recording.ops) - recording.resumed,
        syncs,
        len(points),
        count["cuts"],
        count["skipped"],
        len(seen),
        count["judged"],
        ended,
        tuple(findings),
        time.monotonic() - began,
    )


class _Database:
    """What SQLite makes of the database of a state. Opened in a copy, each content once."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._known: dict[str, str] = {}

    def logical(self, found: Facts) -> str:
        """The hash of a state by content: of its database what a reader would read."""
        name = f"state/{promises.DATABASE}"
        names = (name, f"{name}-wal", f"{name}-journal")
        ours = {path: found[path] for path in names if path in found}
        rest = {
            path: replace(node, data=node.data[:1]) if path.startswith(f"{name}.new") else node
            for path, node in found.items()
            if path not in ours
        }
        if name not in ours:
            return digest({**rest, **ours})
        raw = digest(ours)
        if raw not in self._known:
            self._known[raw] = self._read({Path(p).name: n.data for p, n in ours.items()}) or raw
        present = ",".join(ours)
        return f"{digest(rest)}-{self._known[raw]}-{present}"

    def _read(self, files: Mapping[str, bytes]) -> str | None:
        self.scratch.mkdir()
        try:
            for name, data in files.items():
                (self.scratch / name).write_bytes(data)
            with closing(sqlite3.connect(self.scratch / promises.DATABASE)) as database:
                whole = [row[0] for row in database.execute("PRAGMA integrity_check")]
                pages = [*database.iterdump(), *map(str, whole)]
                mode = database.execute("PRAGMA journal_mode").fetchone()[0]
            return hashlib.blake2b("\n".join([mode, *pages]).encode(), digest_size=16).hexdigest()
        except sqlite3.DatabaseError:
            return None
        finally:
            shutil.rmtree(self.scratch)


def _materialise(shared: Sweep, found: Facts, run: Scenario, *, links: bool = True) -> None:
    """Make a state real, with all that is not modelled from the template."""
    directory = run.directory
    directory.mkdir(parents=True)
    for name in os.listdir(shared.template.directory):
        if name in MODELLED:
            continue
        there = shared.template.directory / name
        if links:
            os.symlink(there, directory / name)
        elif there.is_dir():
            shutil.copytree(there, directory / name)
        else:
            shutil.copyfile(there, directory / name)
    for path, node in found.items():
        place = directory / path
        if node.entries is not None:
            place.mkdir()
        elif node.same:
            os.link(directory / node.same, place)
        else:
            place.write_bytes(node.data)
    for path, node in reversed(found.items()):
        place = directory / path
        if os.geteuid() == 0:
            os.chown(place, node.uid, node.gid)
        for name, value in node.attributes.items():
            os.setxattr(place, name, value)
        place.chmod(node.mode)


def _judged(
    server: Forks, shared: Sweep, run: Scenario, *, reported: bool
) -> tuple[str, list[str]]:
    """How far the state was, and what is wrong with it or with the run in it."""
    now = promises.images(run.config)
    new = sum(now.get(name) == image for name, image in shared.new.items())
    before = "all old" if new == 0 else "all new" if new == len(shared.new) else "mixed"
    bad = promises.after_the_kill(run.config, run.state, shared.old, shared.new, shared.migrations)
    bad += promises.untouched(shared.others, run.config)
    if reported:
        done = promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
        bad += [f"reported as completed, but {one}" for one in done]
    if before == "mixed" and not promises.read_state(run.state).unsettled:
        bad.append("some targets are new, some are not, and nothing is open")
    code, said = server.run(run)
    if code != 0:
        bad.append(f"the run after the cut ended with {code}: {said}")
        return before, bad
    after = promises.after_the_run(run.config, run.state, shared.new, shared.migrations)
    after += promises.untouched(shared.others, run.config)
    return before, bad + [f"after the run: {one}" for one in after]
