"""Plans of transactions for tests that run one without a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from confmig.adapters.state.checkpoints import Checkpoints
from confmig.adapters.state.records import (
    Directory,
    FilePlan,
    MigrateDetails,
    MigrationRecord,
    RollbackDetails,
    TransactionPlan,
)


@dataclass(frozen=True, slots=True)
class Planned(TransactionPlan):
    """A plan with its files."""

    files: tuple[FilePlan, ...] = ()


def migration(name: str, order: int = 1) -> MigrationRecord:
    """A migration of class online, as a transaction records it."""
    return MigrationRecord(name, order, (), "online", "a test", f"sum of {name}", {"app": order})


def taken_back(*names: str) -> RollbackDetails:
    """What a rollback's commit records."""
    made = details(*names)
    return RollbackDetails(made.migrations, "manifest", (), "test", made.began, "", ())


def details(*names: str) -> MigrateDetails:
    """What a migration's commit records."""
    began = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    found = tuple(migration(name, order) for order, name in enumerate(names, 1))
    return MigrateDetails(found, "manifest", (), (), "rollout", "test", began)


def store_images(checkpoints: Checkpoints, images: Sequence[bytes], name: str = "t") -> list[str]:
    """Store images durably; their hashes."""
    writer = checkpoints.images.writer(name, len(images))
    hashes = [writer.add(image) for image in images]
    writer.close()
    return hashes


def planned(
    name: str,
    target: str,
    files: Sequence[FilePlan],
    *,
    kind: str = "apply",
    migrations: Sequence[str] = ("0001_x",),
    checkpoint: str = "",
    directory: Directory | None = None,
) -> Planned:
    """The plan of a transaction of some files."""
    return Planned(
        name,
        target,
        kind,
        "online",
        checkpoint,
        taken_back(*migrations) if kind == "rollback" else details(*migrations),
        len(files),
        directory=directory,
        files=tuple(files),
    )
