"""``confmig retry``: let a held migration run again."""

from __future__ import annotations

from confmig.errors import Refused
from confmig.passes.workspace import Workspace
from confmig.service.requests.request import Request, Result, guard
from confmig.settings import Target


def retry(space: Workspace, target: Target, request: Request) -> Result:
    """Clear the hold of a migration."""
    guard(space, target)
    migration = request["id"]
    if migration not in space.store.holds.all(target.name):
        raise Refused(
            "not_held",
            f"{migration} is not held in {target.name}",
            fix="`confmig status` shows what is held",
        )
    with space.store.commit():
        space.store.holds.clear(target.name, migration)
    return {"id": migration, "target": target.name}
