"""What is known of a target now: documents, state, policy, and the decision on all that is pending.

Looking changes nothing: ``plan``, ``status`` and ``dry-run`` do only this, with the state opened
read-only beside a running daemon; a pass looks before and after everything it does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from confmig.adapters.files.port import FileSystem
from confmig.adapters.state.connection import stamp
from confmig.adapters.state.documents import Recorded
from confmig.adapters.state.records import Transaction
from confmig.adapters.state.store import Store
from confmig.adapters.workers.protocol import Bundle, Worker
from confmig.core.bundle import history
from confmig.core.planning.facts import DocumentFact, Observation
from confmig.core.planning.forecast import Outlook, Standing, standings
from confmig.core.planning.holds import Hold, failure_key
from confmig.core.planning.standing import TargetFacts, outlook
from confmig.core.policy.model import Policy
from confmig.core.transaction.phases import EDITED
from confmig.errors import ConfmigError, Invalid
from confmig.passes import leftovers
from confmig.passes.load_policy import load_policy
from confmig.passes.observe import Look, Remembered, observe, open_for_writing
from confmig.settings import Settings, Target
from confmig.targets.modes import MODES


@dataclass(frozen=True, slots=True)
class Edit:
    """The last change of a file: when it was, and the user that owns the file since then."""

    at: datetime
    uid: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"at": stamp(self.at), "uid": self.uid}


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a target at one moment; enough to decide, and to show.

    ``recorded``: what the state has of the documents with a fact, by path. ``found``: what the
    files of a conflict hold, by transaction and path; ``edits``: the later edits of these files, by
    path. ``leftovers`` are temporaries of transactions whose state is gone (reports look for them,
    passes do not).
    """

    target: Target
    bundle: Bundle
    policy: Policy
    observation: Observation
    standings: tuple[Standing, ...]
    outlook: tuple[Outlook, ...]
    conflicts: tuple[Transaction, ...] = ()
    holds: Mapping[str, Hold] = field(default_factory=dict)
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    found: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    edits: Mapping[str, Edit] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[DocumentFact, ...]:
        """The documents with a fact; see ``Observation``."""
        return self.observation.facts

    @property
    def retry_at(self) -> datetime | None:
        """The earliest instant at which time alone may change a decision."""
        times = [o.decision.retry_at for o in self.outlook if o.decision.retry_at is not None]
        return min(times, default=None)

    @property
    def failure_key(self) -> str:
        """Digest of bundle, policy and documents: while it is the same, a failure stays held."""
        return _failure_key(self.bundle, self.policy, self.observation)


def view(  # noqa: PLR0913 - what a look needs, each by its name
    target: Target,
    bundle: Bundle,
    policy: Policy,
    disk: FileSystem,
    store: Store | None,
    now: datetime,
    *,
    outbox_full: bool = False,
    unquiet: Look = open_for_writing,
    watched: Collection[str] = (),
    everything: bool = False,
) -> View:
    """Look at a target and decide about everything pending.

    Writes nothing. ``unquiet`` is given each file and what is recorded of it, and says why it
    must not be touched now. ``watched`` and ``everything``: see ``observe``.
    """
    check_history(bundle, store, target.name)
    remembered = Remembered.of(store, target.name)
    seen = observe(
        disk,
        bundle,
        policy.digest,
        now,
        remembered,
        unquiet,
        watched=watched,
        everything=everything,
    )
    holds = store.holds.all(target.name) if store is not None else {}
    conflicts = tuple(store.transactions.conflicts(target.name)) if store is not None else ()
    blocks = {
        "blocked_by_partial_failure": bool(conflicts),
        "outbox_full": outbox_full,
        "target_read_only": disk.read_only(),
    }
    facts = TargetFacts(
        target.name,
        tuple(reason for reason, holds_now in blocks.items() if holds_now),
        holds,
        _failure_key(bundle, policy, seen),
        store.approvals.unspent(target.name) if store is not None else (),
        target.on_failure == "stop_all",
    )
    recorded = remembered.recorded
    found = {row.id: store.transactions.found(row.id) for row in conflicts} if store else {}
    return View(
        target,
        bundle,
        policy,
        seen,
        tuple(standings(bundle.manifest, seen)),
        tuple(outlook(bundle.manifest, seen, policy, facts, now)),
        conflicts,
        holds,
        {d.path: recorded[d.path] for d in seen.facts if d.path in recorded},
        found,
        {path: edit for held in found.values() for path, edit in edits_of(disk, held).items()},
    )


def edits_of(disk: FileSystem, held: Mapping[str, str]) -> dict[str, Edit]:
    """The later edits among the files of a conflict, by path; ``held``: what each file holds."""
    out = {}
    for path, image in held.items():
        metadata = disk.metadata(path) if image in EDITED else None
        if metadata is not None:
            out[path] = Edit(disk.changed_at(path), metadata.uid)
    return out


def _failure_key(bundle: Bundle, policy: Policy, seen: Observation) -> str:
    return failure_key(bundle.manifest.digest, policy.digest, [("", seen.digest)])


def check_history(bundle: Bundle, store: Store | None, target: str) -> None:
    """Raises ``Invalid`` if the applied migrations are not in the bundle as they were applied."""
    recorded = store.applied.released(target) if store is not None else ()
    found = history.changes(recorded, bundle.manifest)
    if found:
        raise Invalid(found[0].code, f"the migration history of {target} was changed", found)


def views(
    settings: Settings, worker: Worker, target: str | None, now: datetime
) -> Iterator[tuple[Target, View | ConfmigError]]:
    """Every target (or the named one) with its view, or with the error that prevents one."""
    targets = [settings.target(target)] if target else settings.targets
    store = Store.read_only(settings.state_dir)
    try:
        for one in targets:
            try:
                bundle = worker.load(one.bundle, settings.limits.caps(), one.parameters)
                with MODES[one.mode].look(settings, one) as disk:
                    patterns = [p for c in bundle.manifest.configs.values() for p in c.files]
                    left = leftovers.find(disk, patterns, leftovers.unsettled(store, one.name))
                    policy = load_policy(one, worker)
                    seen = view(one, bundle, policy, disk, store, now, everything=True)
                    yield one, replace(seen, leftovers=left)
            except ConfmigError as error:
                yield one, error
    finally:
        if store is not None:
            store.close()
