"""What is known of a target now: documents, state, policy, and the decision on all that is pending.

Looking changes nothing: ``plan``, ``status`` and ``dry-run`` do only this, with the state opened
read-only beside a running daemon; a pass looks before and after everything it does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from confmig.adapters.files import trust
from confmig.adapters.files.disk import Disk, Snapshot, digest_of
from confmig.adapters.files.lease import Writers
from confmig.adapters.files.plain_file import read_plain
from confmig.adapters.state.store import Hold, Store, Transaction
from confmig.adapters.workers.protocol import Bundle, Worker
from confmig.core.bundle import history
from confmig.core.bundle.manifest import Config, Migration
from confmig.core.planning.quiet import BUSY
from confmig.core.planning.regressions import Regression, is_held, noted
from confmig.core.planning.segments import (
    DocumentFact,
    Outlook,
    Standing,
    forecast,
    placed,
    standings,
)
from confmig.core.policy import model as policies
from confmig.core.policy.decide import Decision, Facts, decide
from confmig.core.policy.model import Policy
from confmig.documents.model.emptied import emptied
from confmig.errors import ConfmigError, Invalid, Problem, Refused
from confmig.passes import leftovers
from confmig.settings import Settings, Target


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a target at one moment; enough to decide, and to show. ``leftovers`` are
    temporaries of transactions whose state is gone (reports look for them, passes do not)."""

    target: Target
    bundle: Bundle
    policy: Policy
    documents: tuple[DocumentFact, ...]
    standings: tuple[Standing, ...]
    outlook: tuple[Outlook, ...]
    conflicts: tuple[Transaction, ...] = ()
    holds: dict[str, Hold] = field(default_factory=dict)
    recorded: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()

    @property
    def retry_at(self) -> datetime | None:
        """The earliest instant at which time alone may change a decision."""
        times = [o.decision.retry_at for o in self.outlook if o.decision.retry_at is not None]
        return min(times, default=None)


def load_policy(target: Target, worker: Worker) -> Policy:
    """The policy of a target: missing, invalid or present."""
    if target.policy is None:
        return policies.MISSING
    name = target.policy.name
    try:
        trust.check("policy_untrusted", "policy", [target.policy])
        data = worker.check(read_plain(target.policy))
    except OSError as error:
        return policies.invalid(
            [
                Problem(
                    "policy_invalid",
                    str(target.policy),
                    f"the file cannot be read: {error.strerror}",
                    "put the policy there, or take the policy key out of the settings",
                )
            ]
        )
    except Invalid as error:
        return policies.invalid(list(error.problems))
    except Refused as error:
        return policies.invalid([Problem("policy_invalid", name, error.message, "mend the policy")])
    return policies.read(data, name)


Look = Callable[[Snapshot], str]
"""Why a file must not be touched now, as a sentence; empty if it may be."""


def open_for_writing(snapshot: Snapshot) -> str:
    """A ``Look`` for reports: only what the kernel says at this moment."""
    if snapshot.writers is not Writers.OPEN:
        return ""
    return f"{snapshot.writer or 'another process'} has the file open for writing"


def observe(
    disk: Disk,
    bundle: Bundle,
    settled: Callable[[str], str | None] = lambda path: None,
    unquiet: Look = open_for_writing,
) -> tuple[DocumentFact, ...]:
    """Every document of the target, each with its version, or what is due, or its problem.

    ``settled(path)`` is the ``settled_key`` with which nothing was due there. A document that is
    not quiet and may need something is ``target_busy``: what it holds now says nothing.
    """
    out: dict[str, DocumentFact] = {}
    for config in bundle.manifest.configs.values():
        newest = bundle.manifest.newest(config.name)
        for path in disk.find(config.files):
            digest = ""
            busy = ""
            try:
                _speakable(path)
                snapshot = disk.read(path)
                digest = snapshot.digest
                busy = unquiet(snapshot)
                fact = _fact(bundle, config, snapshot, settled(path), busy=bool(busy))
                if busy and fact.version != newest and fact.due != ():
                    fact = _busy(config, path, digest, busy)
            except ConfmigError as error:
                if busy:
                    fact = _busy(config, path, digest, busy)
                else:
                    path = path.encode("utf-8", "backslashreplace").decode()
                    message = str(error.message)
                    fact = DocumentFact(
                        config.name, path, None, digest, error.code, message, fix=error.fix
                    )
            if path in out:
                fact = DocumentFact(
                    config.name,
                    path,
                    None,
                    digest,
                    "config_ambiguous",
                    f"two configurations claim the file: {out[path].config} and {config.name}",
                )
            out[path] = fact
    return tuple(out[p] for p in sorted(out))


def _fact(
    bundle: Bundle, config: Config, snapshot: Snapshot, settled: str | None, *, busy: bool
) -> DocumentFact:
    """One document. Raises ``ConfmigError`` if it cannot say its version or what is due."""
    digest, path = snapshot.digest, snapshot.path
    if config.stamp is not None:
        stamp = bundle.stamp(config.name, snapshot.data, digest)
        fact = DocumentFact(config.name, path, stamp.version, digest, empty=stamp.empty)
        return placed(bundle.manifest, fact)
    if settled == settled_key(bundle, config.name, digest):
        return DocumentFact(config.name, path, None, digest, due=())
    if busy:  # the chain need not run on what is half-written
        raise emptied()
    stamp = bundle.stamp(config.name, snapshot.data, digest)
    if stamp.empty and (stamp.due or settled is not None):
        raise emptied()
    return DocumentFact(config.name, path, None, digest, due=stamp.due, empty=stamp.empty)


def _busy(config: Config, path: str, digest: str, why: str) -> DocumentFact:
    return DocumentFact(
        config.name,
        path,
        None,
        digest,
        BUSY,
        why,
        fix="nothing: it is migrated once it is quiet; for a service that never closes its file, "
        "set `watch.busy.then: migrate`",
    )


def settled_key(bundle: Bundle, config: str, digest: str) -> str:
    """Names a document's content and the chain that it went through to its end."""
    chain = [m.checksum for m in bundle.manifest.chain(config)]
    return digest_of(json.dumps([digest, chain]).encode())


def _speakable(path: str) -> None:
    """Raises ``Refused`` for a name that no report, state or event could hold."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("name_not_utf8", "the file's name is not UTF-8", fix="rename it") from None


def regressions(store: Store, target: str, path: str) -> tuple[Regression, ...]:
    """The times a document fell below what was recorded, as far as they are remembered."""
    said = store.announced(target, f"regressed:{path}")
    return tuple(
        Regression(tx, datetime.fromisoformat(at)) for tx, at in (json.loads(said) if said else ())
    )


def _checked(
    document: DocumentFact,
    store: Store,
    target: str,
    recorded: dict[str, tuple[int, str, str]],
    now: datetime,
) -> DocumentFact:
    """The document, held if it was emptied or if its service keeps writing an old schema back."""
    if not document.healthy or document.path not in recorded:
        return document
    if document.empty:
        gone = emptied()
        return replace(
            document, version=None, due=None, problem=gone.code, message=gone.message, fix=gone.fix
        )
    if document.version is None:
        return document
    version, _, transaction = recorded[document.path]
    if document.version >= version:
        return document
    history = noted(regressions(store, target, document.path), transaction, now)
    if not is_held(history, now):
        return document
    return replace(
        document,
        problem="version_regressed",
        message=f"{len(history)} times within an hour somebody put it back below version {version}",
        fix="upgrade the service that writes the old version; within an hour it is tried again",
    )


def _failed_late(
    document: DocumentFact, store: Store, target: str, bundle: Bundle, policy: Policy
) -> DocumentFact:
    """The document, held if it failed as it is now: it is tried again when something changes."""
    if not document.healthy:
        return document
    following = [m for m in bundle.manifest.chain(document.config) if not document.has(m)]
    for migration in following:
        said = store.announced(target, f"late:{migration.id}:{document.path}")
        if said == failure_key(bundle, policy, (document,)):
            return replace(
                document,
                problem="document_failed",
                message=f"it failed in {migration.id}; `confmig events` says how",
            )
    return document


def view(
    target: Target,
    bundle: Bundle,
    policy: Policy,
    disk: Disk,
    store: Store | None,
    now: datetime,
    *,
    outbox_full: bool = False,
    unquiet: Callable[[Snapshot, tuple[int, str, str] | None], str] | None = None,
) -> View:
    """Look at a target and decide about everything pending. Writes nothing. ``unquiet`` is given
    each file and what is recorded of it, and says why it must not be touched now."""
    history_changed(bundle, store, target.name)
    recorded = store.documents(target.name) if store is not None else {}
    documents = observe(
        disk,
        bundle,
        lambda p: store.announced(target.name, f"settled:{p}") if store else None,
        (lambda s: unquiet(s, recorded.get(s.path))) if unquiet is not None else open_for_writing,
    )
    if store is not None:
        documents = tuple(_checked(d, store, target.name, recorded, now) for d in documents)
        documents = tuple(_failed_late(d, store, target.name, bundle, policy) for d in documents)
    holds = store.holds(target.name) if store is not None else {}
    conflicts = tuple(store.conflicts(target.name)) if store is not None else ()
    approvals = store.approvals(target.name) if store is not None else ()
    general: list[str] = []
    if conflicts:
        general.append("blocked_by_partial_failure")
    if outbox_full:
        general.append("outbox_full")
    if disk.read_only():
        general.append("target_read_only")
    key = failure_key(bundle, policy, documents)
    failed = [
        bundle.manifest.by_id[h.migration].order
        for h in holds.values()
        if h.reason == "document_failed" and h.key == key and h.migration in bundle.manifest.by_id
    ]

    def answer(migration: Migration, inherited: tuple[str, ...]) -> Decision:
        standing = [*general, *inherited]
        hold = holds.get(migration.id)
        if hold is not None and (hold.reason == "rolled_back" or hold.key == key):
            standing.append(hold.reason)
        stop_all = target.on_failure == "stop_all"
        if stop_all and any(order < migration.order for order in failed):
            standing.append("dependency_failed")
        return decide(policy, Facts(target.name, migration, tuple(standing), approvals), now)

    outlook = forecast(bundle.manifest, documents, answer)
    return View(
        target,
        bundle,
        policy,
        documents,
        tuple(standings(bundle.manifest, documents)),
        tuple(outlook),
        conflicts,
        holds,
        recorded,
    )


def history_changed(bundle: Bundle, store: Store | None, target: str) -> None:
    """Raises ``Invalid`` if the applied migrations are not in the bundle as they were applied."""
    found = history.changes(store.released(target) if store is not None else (), bundle.manifest)
    if found:
        raise Invalid(found[0].code, f"the migration history of {target} was changed", found)


def failure_key(bundle: Bundle, policy: Policy, documents: tuple[DocumentFact, ...]) -> str:
    """A failed migration is tried again when one of these changes."""
    text = json.dumps(
        [bundle.manifest.digest, policy.digest, [(d.path, d.digest) for d in documents]]
    )
    return digest_of(text.encode())


def views(
    settings: Settings, worker: Worker, target: str | None, now: datetime
) -> Iterator[tuple[Target, View | ConfmigError]]:
    """Every target (or the named one) with its view, or the error that stands in its way."""
    targets = [settings.target(target)] if target else settings.targets
    store = Store.read_only(settings.state_dir)
    try:
        for one in targets:
            try:
                bundle = worker.load(one.bundle, settings.limits.caps(), one.parameters)
                with Disk(str(one.root), size_cap=settings.limits.size, ways=one.ways()) as disk:
                    patterns = [p for c in bundle.manifest.configs.values() for p in c.files]
                    left = leftovers.find(disk, patterns, leftovers.unsettled(store, one.name))
                    seen = view(one, bundle, load_policy(one, worker), disk, store, now)
                    yield one, replace(seen, leftovers=left)
            except ConfmigError as error:
                yield one, error
    finally:
        if store is not None:
            store.close()
