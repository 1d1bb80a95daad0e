"""What a request is, and what every changing command checks first."""

from __future__ import annotations

from typing import Any, Protocol

from confmig.adapters.files.port import FileSystem
from confmig.adapters.workers.protocol import Bundle
from confmig.errors import ConfmigError, PartialFailure
from confmig.passes.workspace import Workspace
from confmig.settings import Target
from confmig.transactions.rollback import selection

Request = dict[str, Any]
"""Plain data: ``command``, ``target``, ``uid`` and the words of the command."""

Result = dict[str, Any]
"""Plain data: what the command did."""


class Command(Protocol):
    """A command. Raises ``ConfmigError``; nothing is half done then."""

    def __call__(self, space: Workspace, target: Target, request: Request, /) -> Result: ...


class AnyTarget(Protocol):
    """A command that is about no target, or about all of them."""

    def __call__(self, space: Workspace, request: Request, /) -> Result: ...


def guard(space: Workspace, target: Target) -> None:
    """Raises ``PartialFailure`` while one is unresolved in the target."""
    conflicts = space.store.transactions.conflicts(target.name)
    if conflicts:
        row = conflicts[0]
        raise PartialFailure(
            "blocked_by_partial_failure",
            f"transaction {row.id} of {target.name} was interrupted and changed only some of its "
            "files",
            fix=f"`confmig resolve {row.id} --dry-run` shows the outcome of each choice",
        )


def bundle_of(space: Workspace, target: Target) -> Bundle:
    """The target's bundle. Raises ``Invalid`` with every problem in it."""
    return space.load_bundle(target)


def job_of(space: Workspace, target: Target, disk: FileSystem, *, discard: bool) -> selection.Job:
    """What a rollback or a resolution of an open target works with."""
    return selection.Job(
        target.name,
        space.store,
        space.checkpoints,
        disk,
        space.clock,
        space.recorder,
        space.actor,
        _bundle_if_valid(space, target),
        discard,
        space.conduct.beat,
    )


def _bundle_if_valid(space: Workspace, target: Target) -> Bundle | None:
    """The target's bundle, or None if it cannot be used: a rollback to the byte needs none."""
    try:
        return bundle_of(space, target)
    except ConfmigError:
        return None
