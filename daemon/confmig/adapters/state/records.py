"""The durable records of transactions, each with its plain form.

Everything that recovery, rollback and reports read back later is one of these types. A record in
JSON carries a format number; the upgrades of the database (``upgrades``) bring older ones up to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from confmig.adapters.files.metadata import Metadata
from confmig.core.bundle.history import Released
from confmig.core.transaction.phases import Phase
from confmig.errors import Refused

DETAILS = 1
"""The format number of ``MigrateDetails`` and ``RollbackDetails``."""

Trace = tuple[str, str]
"""A trace id and a span id."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One file of a transaction. ``temporary`` is the name of its stage.

    ``mounted``: the file is a mount of its own. It cannot be exchanged and is rewritten in place;
    then there is no temporary. ``source``: the hash of what was migrated, if that is not what the
    file held (see ``late_append``); a rollback restores it. ``old_size`` and ``new_size`` are the
    bytes of the images (None in a record of an older program).
    """

    path: str
    temporary: str
    config: str
    format: str
    old: str
    new: str
    before: int
    after: int
    migrations: tuple[str, ...]
    metadata: Metadata
    mounted: bool = False
    source: str | None = None
    old_size: int | None = None
    new_size: int | None = None

    @property
    def origin(self) -> str:
        """The hash of the content before the migrations."""
        return self.source or self.old

    def checked(self) -> FilePlan:
        """The record itself. Raises ``Refused`` for one that confmig never makes."""
        if self.metadata.gives_privileges:
            raise Refused(
                "state_untrusted",
                "a recorded plan gives a file set-uid, set-gid or capabilities, which confmig "
                "never plans",
                place=self.path,
                fix="find out who wrote the state directory; then restore it from a backup",
            )
        return self


class Files(Protocol):
    """The files of a transaction, in order.

    They may be database rows, not all in memory.
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[FilePlan]: ...

    def __reversed__(self) -> Iterator[FilePlan]: ...


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that is exchanged as a whole, and the one that is built beside it.

    ``entries`` is all that is in it, by name below it: the inode of a file, 0 for a directory.
    ``folders`` is the metadata of the directory and of those in it, the outer ones first, by
    the end of their path (the directory itself: empty). Whatever differs from this at the
    exchange was changed by another process.
    """

    path: str
    temporary: str
    entries: dict[str, int]
    folders: dict[str, Metadata]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        folders = {name: m.to_json() for name, m in self.folders.items()}
        return {
            "path": self.path,
            "temporary": self.temporary,
            "entries": self.entries,
            "folders": folders,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Directory:
        """The inverse of ``to_json``."""
        folders = {name: Metadata.from_json(m) for name, m in data["folders"].items()}
        return cls(data["path"], data["temporary"], data["entries"], folders)


@dataclass(frozen=True, slots=True)
class MigrationRecord:
    """A migration as it was when a transaction ran it."""

    id: str
    order: int
    depends_on: tuple[str, ...]
    class_: str
    description: str
    checksum: str
    sets: Mapping[str, int] = field(hash=False)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "id": self.id,
            "order": self.order,
            "depends_on": list(self.depends_on),
            "class": self.class_,
            "description": self.description,
            "checksum": self.checksum,
            "sets": dict(self.sets),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MigrationRecord:
        """The inverse of ``to_json``."""
        return cls(
            data["id"],
            data["order"],
            tuple(data["depends_on"]),
            data["class"],
            data["description"],
            data["checksum"],
            data["sets"],
        )


@dataclass(frozen=True, slots=True)
class MigrateDetails:
    """What the commit of a migration records.

    ``released``: the list of migrations up to the highest applied one (empty in a transaction
    of an older program). ``began``: Unix time.
    """

    migrations: tuple[MigrationRecord, ...]
    manifest: str
    released: tuple[Released, ...]
    approvals: tuple[str, ...]
    rollout: str
    actor: str
    began: float
    trace: Trace | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return _common(self) | {"approvals": list(self.approvals), "rollout": self.rollout}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MigrateDetails:
        """The inverse of ``to_json``."""
        return cls(
            *_read(data),
            approvals=tuple(data["approvals"]),
            rollout=data["rollout"],
            actor=data["actor"],
            began=data["began"],
            trace=_trace(data),
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """A document that holds the result of a rollback already: it is only recorded."""

    config: str
    path: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class RollbackDetails:
    """What the commit of a rollback records.

    ``reverses`` are the transactions that it takes back, ``restores`` is the checkpoint of the
    newest of them; ``hold``: their migrations do not run again by themselves; ``redo``: it
    takes back a rollback, so that they are applied again.
    """

    migrations: tuple[MigrationRecord, ...]
    manifest: str
    released: tuple[Released, ...]
    actor: str
    began: float
    restores: str
    reverses: tuple[str, ...]
    trigger: str = "operator"
    hold: bool = True
    redo: bool = False
    placed: tuple[Placed, ...] = ()
    trace: Trace | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return _common(self) | {
            "restores": self.restores,
            "reverses": list(self.reverses),
            "trigger": self.trigger,
            "hold": self.hold,
            "redo": self.redo,
            "placed": [[p.config, p.path, p.version, p.digest] for p in self.placed],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RollbackDetails:
        """The inverse of ``to_json``."""
        return cls(
            *_read(data),
            actor=data["actor"],
            began=data["began"],
            restores=data["restores"],
            reverses=tuple(data["reverses"]),
            trigger=data["trigger"],
            hold=data["hold"],
            redo=data["redo"],
            placed=tuple(Placed(*one) for one in data["placed"]),
            trace=_trace(data),
        )


Details = MigrateDetails | RollbackDetails


def details_of(kind: str, data: Mapping[str, Any]) -> Details:
    """The details of a kind of transaction (``apply`` or ``rollback``), from plain data."""
    if kind == "rollback":
        return RollbackDetails.from_json(data)
    return MigrateDetails.from_json(data)


def _common(details: Details) -> dict[str, Any]:
    return {
        "format": DETAILS,
        "migrations": [m.to_json() for m in details.migrations],
        "manifest": details.manifest,
        "released": [r.to_json() for r in details.released],
        "actor": details.actor,
        "began": details.began,
        "trace": list(details.trace) if details.trace is not None else None,
    }


def _read(
    data: Mapping[str, Any],
) -> tuple[tuple[MigrationRecord, ...], str, tuple[Released, ...]]:
    migrations = tuple(MigrationRecord.from_json(m) for m in data["migrations"])
    released = tuple(Released.from_json(r) for r in data["released"])
    return migrations, data["manifest"], released


def _trace(data: Mapping[str, Any]) -> Trace | None:
    found = data.get("trace")
    return (found[0], found[1]) if found else None


@dataclass(frozen=True, slots=True)
class TransactionPlan:
    """What a transaction intends.

    The plan is durable, with its files, before anything is done, and is enough to finish or to
    undo the transaction. ``documents`` counts its files. ``directory``: the files change by the
    exchange of that.
    """

    id: str
    target: str
    kind: str
    class_: str
    checkpoint: str
    details: Details
    documents: int
    reverses: str | None = None
    directory: Directory | None = None

    @property
    def migration_ids(self) -> list[str]:
        """The ids of its migrations in order."""
        return [m.id for m in self.details.migrations]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a transaction did not commit."""

    type: str
    message: str
    place: str
    fix: str

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return {
            "type": self.type,
            "message": self.message,
            "place": self.place,
            "fix": self.fix,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Failure:
        """The inverse of ``to_json``."""
        keys = ("type", "message", "place", "fix")
        return cls(*(data.get(k, "") for k in keys))


@dataclass(frozen=True, slots=True)
class Transaction:
    """A recorded transaction: its plan, and what became of it so far. Times as recorded."""

    plan: TransactionPlan
    seq: int
    phase: Phase
    reversed_by: str | None
    started_at: str
    ended_at: str | None
    error: Failure | None

    @property
    def id(self) -> str:
        return self.plan.id

    @property
    def kind(self) -> str:
        return self.plan.kind


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that is applied in a target, as recorded. ``duration`` in seconds."""

    id: str
    order: int
    depends_on: tuple[str, ...]
    class_: str
    description: str
    checksum: str
    program: str
    transaction: str
    applied_at: str
    duration: float
    actor: str


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as text: ``0-3,5``."""
    out: list[list[int]] = []
    for number in numbers:
        if out and out[-1][1] + 1 == number:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def numbers(text: str) -> list[int]:
    """The inverse of ``ranges``."""
    out: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out
