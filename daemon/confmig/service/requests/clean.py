"""``confmig clean``: remove what transactions left whose state is gone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from confmig.adapters.state.opened import translated
from confmig.passes import leftovers
from confmig.passes.observe import observe
from confmig.passes.workspace import Workspace
from confmig.service.requests.request import Request, Result, bundle_of
from confmig.settings import Target


def clean(space: Workspace, request: Request) -> Result:
    """Clean the named target, or every one."""
    settings = space.settings
    name = request.get("target")
    targets = [settings.target(name)] if name is not None else list(settings.targets)
    dry_run = request.get("dry_run") is True
    return {"cleaned": [c for t in targets for c in _cleaned(space, t, dry_run=dry_run)]}


def _cleaned(space: Workspace, target: Target, *, dry_run: bool) -> list[dict[str, Any]]:
    with translated(space.settings.state_dir), space.open(target) as disk:
        if not dry_run:
            space.recover(target, disk)
        bundle = bundle_of(space, target)
        patterns = [p for c in bundle.manifest.configs.values() for p in c.files]
        live = leftovers.unsettled(space.store, target.name)
        found = leftovers.find(disk, patterns, live)
        now = space.clock()
        seen = observe(disk, bundle, "", now, everything=True)
        digests = [d.digest for d in seen.facts if d.digest]
        done = leftovers.clean(disk, space.checkpoints, found, digests, now, dry_run=dry_run)
    return [{"target": target.name, **asdict(one)} for one in done]
