"""The documents of a target as they are now: each is read, and says its version or what is due.

Nothing is decided here: ``core.planning`` holds or releases what was read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from confmig.adapters.files.content import digest_of
from confmig.adapters.files.lease import Writers
from confmig.adapters.files.port import FileSystem
from confmig.adapters.files.snapshot import Snapshot
from confmig.adapters.state.documents import Recorded
from confmig.adapters.state.store import Store
from confmig.adapters.workers.protocol import Bundle
from confmig.core.bundle.manifest import Config
from confmig.core.planning.facts import DocumentFact, Observation, Observer, placed
from confmig.core.planning.holds import failed_before
from confmig.core.planning.quiet import BUSY
from confmig.core.planning.regressions import Regression, regressed
from confmig.documents.model.emptied import emptied
from confmig.errors import ConfmigError, Refused


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the state has of a target's documents, by path.

    ``failures``: see ``Reported.failures``.
    """

    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    finished: Mapping[str, str] = field(default_factory=dict)
    regressions: Mapping[str, tuple[Regression, ...]] = field(default_factory=dict)
    failures: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store | None, target: str) -> Remembered:
        """What is remembered; nothing without a state."""
        if store is None:
            return cls()
        return cls(
            store.documents.all(target),
            store.reported.finished(target),
            store.reported.regressions(target),
            store.reported.failures(target, late=True),
        )


Look = Callable[[Snapshot, Recorded | None], str]
"""Why a file must not be touched now, as a sentence; empty if it may be."""


def open_for_writing(snapshot: Snapshot, recorded: Recorded | None = None) -> str:
    """A ``Look`` for reports: only what the kernel says at this moment."""
    if snapshot.writers is not Writers.OPEN:
        return ""
    return f"{snapshot.writer or 'another process'} has the file open for writing"


def observe(
    disk: FileSystem,
    bundle: Bundle,
    policy: str,
    now: datetime,
    remembered: Remembered | None = None,
    unquiet: Look = open_for_writing,
    *,
    watched: Collection[str] = (),
    everything: bool = False,
) -> Observation:
    """All documents of the target.

    ``policy`` is the policy's digest. ``watched``: paths that have a fact in any case;
    ``everything``: all have.

    A document that is not quiet and may need something is ``target_busy``: what it holds now says
    nothing.
    """
    known = remembered or Remembered()
    manifest = bundle.manifest
    owners: dict[str, list[Config]] = {}
    for config in manifest.configs.values():
        for path in disk.find(config.files):
            owners.setdefault(path, []).append(config)
    observer = Observer(manifest, everything=everything)
    for path in sorted(owners):
        recorded = known.recorded.get(path)
        config = owners[path][-1]
        fact = _read(disk, bundle, config, path, recorded, known.finished.get(path), unquiet)
        if len(owners[path]) > 1:
            names = " and ".join(c.name for c in owners[path])
            fact = DocumentFact(
                config.name,
                path,
                None,
                fact.digest,
                "config_ambiguous",
                f"two configurations claim the file: {names}",
            )
        history = known.regressions.get(path, ())
        if recorded is not None:
            fact = regressed(fact, recorded.version, recorded.transaction, history, now)
        fact = failed_before(fact, manifest, policy, known.failures)
        observer.add(fact, changed=path in watched or _changed(bundle, fact, recorded, known))
    return observer.result()


def _changed(
    bundle: Bundle, fact: DocumentFact, recorded: Recorded | None, known: Remembered
) -> bool:
    """Whether a document is not as it was recorded, or settled for the first time."""
    if fact.due is not None and fact.healthy:
        return known.finished.get(fact.path) != finished_key(bundle, fact.config, fact.digest)
    if recorded is None:
        return False
    return fact.digest != recorded.digest or fact.version != recorded.version


def _read(
    disk: FileSystem,
    bundle: Bundle,
    config: Config,
    path: str,
    recorded: Recorded | None,
    finished: str | None,
    unquiet: Look,
) -> DocumentFact:
    """One document, with its problem if it has one."""
    digest = busy = ""
    try:
        _check_name(path)
        snapshot = disk.read(path)
        digest = snapshot.digest
        busy = unquiet(snapshot, recorded)
        fact = _fact(bundle, config, snapshot, finished, busy=bool(busy))
        if fact.healthy and fact.empty and recorded is not None:
            raise emptied()  # it had content
    except ConfmigError as error:
        if busy:
            return _busy(config, path, digest, busy)
        path = path.encode("utf-8", "backslashreplace").decode()
        error.in_file(path)
        fact = DocumentFact(config.name, path, None, digest, line=error.line)
        return fact.failing(error.code, error.message, error.fix)
    newest = bundle.manifest.newest(config.name)
    if busy and fact.version != newest and fact.due != ():
        return _busy(config, path, digest, busy)
    return fact


def _fact(
    bundle: Bundle, config: Config, snapshot: Snapshot, finished: str | None, *, busy: bool
) -> DocumentFact:
    """One document. Raises ``ConfmigError`` if it cannot say its version or what is due."""
    digest, path = snapshot.digest, snapshot.path
    if config.stamp is not None:
        stamp = bundle.stamp(config.name, snapshot.data, digest)
        fact = DocumentFact(config.name, path, stamp.version, digest, empty=stamp.empty)
        return placed(bundle.manifest, fact)
    if finished == finished_key(bundle, config.name, digest):
        return DocumentFact(config.name, path, None, digest, due=())
    if busy:  # the chain need not run on what is half-written
        raise emptied()
    stamp = bundle.stamp(config.name, snapshot.data, digest)
    if stamp.empty and (stamp.due or finished is not None):
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


def finished_key(bundle: Bundle, config: str, digest: str) -> str:
    """Names a document's content and the chain that it went through to its end."""
    chain = [m.checksum for m in bundle.manifest.chain(config)]
    return digest_of(json.dumps([digest, chain]).encode())


def _check_name(path: str) -> None:
    """Raises ``Refused`` for a name that no report, state or event could hold."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("name_not_utf8", "the file's name is not UTF-8", fix="rename it") from None
