"""What a pass writes into the state about documents: regressions, settled contents, failures."""

from __future__ import annotations

from confmig.adapters.state.connection import stamp
from confmig.core.planning.holds import Hold, document_key, holds_after
from confmig.core.planning.regressions import noted
from confmig.passes.observe import finished_key
from confmig.passes.view import View
from confmig.passes.workspace import Workspace
from confmig.transactions.migrate import Outcome, failure
from confmig.transactions.runner import drift
from confmig_otel import events as ev


def remember_regressions(space: Workspace, seen: View) -> None:
    """Record regressions, once for each transaction of ours that another program undid."""
    target, now, reported = seen.target.name, space.clock(), space.store.reported
    below = [
        (d, seen.recorded[d.path])
        for d in seen.documents
        if d.path in seen.recorded
        and d.version is not None
        and d.version < seen.recorded[d.path].version
    ]
    history = reported.regressions(target) if below else {}
    for document, recorded in below:
        before = history.get(document.path, ())
        if any(r.transaction == recorded.transaction for r in before):
            continue
        after = noted(before, recorded.transaction, now)
        with space.store.commit():
            reported.remember_regressions(target, document.path, after)
            event = drift(target, document.path, "version_regressed")
            space.store.events.add([event], now)


def remember_finished(space: Workspace, seen: View) -> None:
    """Record the content with which nothing is due in a document without a stamp."""
    target, reported = seen.target.name, space.store.reported
    keys = {
        d.path: finished_key(seen.bundle, d.config, d.digest)
        for d in seen.documents
        if d.healthy and d.due == ()
    }
    known = reported.finished(target) if keys else {}
    changed = {path: key for path, key in keys.items() if known.get(path) != key}
    if changed:
        with space.store.commit():
            reported.remember_finished(target, changed)


def remember_failure(space: Workspace, seen: View, outcome: Outcome) -> None:
    """Hold a failed migration until something changes, and report it once until then.

    See ``core.planning.holds``.
    """
    error, name = outcome.error, outcome.migration
    assert error is not None
    assert name is not None
    store, target, now = space.store, seen.target.name, space.clock()
    manifest = seen.bundle.manifest
    whole, begun = outcome.kind == "failed", outcome.transaction is not None
    alone = [d for d in seen.documents if d.path == outcome.document]
    key = seen.failure_key if whole else document_key(manifest.digest, seen.policy.digest, alone[0])
    with store.commit():
        if holds_after(error.code, whole=whole, begun=begun):
            hold = Hold(name, "document_failed", key, str(error), stamp(now))
            store.holds.set(target, hold)
        changed = store.reported.remember_failure(
            target, name, outcome.document or "", key, late=not whole
        )
        recorded = begun and store.transactions.get(outcome.transaction or "") is not None
        if changed and not recorded:  # a transaction reports its own end
            said = failure(error, "checkpoint" if begun else "transform", "failed")
            if outcome.document is not None:
                said[ev.PATH] = outcome.document
            attributes = {
                ev.TARGET: target,
                ev.ID: name,
                ev.CLASS: manifest.by_id[name].kind,
                ev.MANIFEST_DIGEST: f"sha256:{manifest.digest}",
            }
            store.events.add([ev.event(ev.FAILED, attributes | said)], now, outcome.trace)
