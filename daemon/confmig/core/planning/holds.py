"""When a held migration runs again. Pure.

====================  ==========================================================================
reason                the hold ends
====================  ==========================================================================
``rolled_back``       by ``confmig retry ID`` only
``document_failed``   when the bundle, the policy or a document of the target is another one
====================  ==========================================================================
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confmig.core.bundle.manifest import Manifest
from confmig.core.planning.facts import DocumentFact

UNTIL_RETRY = frozenset(("rolled_back",))
"""The reasons that only a person ends."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A migration that does not run again by itself.

    ``key`` names what it failed with (see ``failure_key``); ``since`` is a time as recorded.
    """

    migration: str
    reason: str
    key: str
    detail: str
    since: str


def stands(hold: Hold, key: str) -> bool:
    """Whether a hold is still in force; ``key`` names what it would run with now."""
    return hold.reason in UNTIL_RETRY or hold.key == key


def holds_after(code: str, *, whole: bool, begun: bool) -> bool:
    """Whether a failure holds its migration.

    ``whole``: it stopped the migration, not one document of several; ``begun``: it came while
    files were written, so that no document is to blame.
    """
    return whole and not begun and code != "io_error"


def failure_key(manifest: str, policy: str, documents: Iterable[tuple[str, str]]) -> str:
    """A key that names what a migration failed with.

    It is made from the digests of manifest and policy, and from the documents (path and hash)
    that count.
    """
    text = json.dumps([manifest, policy, [list(d) for d in documents]])
    return hashlib.sha256(text.encode()).hexdigest()


def document_key(manifest: str, policy: str, fact: DocumentFact) -> str:
    """Names what a migration failed with in one document that was late."""
    return failure_key(manifest, policy, [(fact.path, fact.digest)])


def failed_before(
    fact: DocumentFact, manifest: Manifest, policy: str, failures: Mapping[tuple[str, str], str]
) -> DocumentFact:
    """The document, held if it failed as it is now: it is tried again when something changes.

    ``failures``: the keys with which migrations failed, by migration and path.
    """
    if not fact.healthy or not failures:
        return fact
    for migration in manifest.chain(fact.config):
        if fact.has(migration) or (migration.id, fact.path) not in failures:
            continue
        if failures[migration.id, fact.path] == document_key(manifest.digest, policy, fact):
            return fact.failing(
                "document_failed", f"it failed in {migration.id}; `confmig events` says how"
            )
    return fact
