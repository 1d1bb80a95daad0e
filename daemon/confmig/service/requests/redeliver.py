"""``confmig events --replay``: deliver recorded events again."""

from __future__ import annotations

from confmig.errors import Refused
from confmig.passes.workspace import Workspace
from confmig.service.requests.request import Request, Result


def redeliver(space: Workspace, request: Request) -> Result:
    """Put the events of a time back into the outbox, with the same ``log.record.uid``."""
    since, until = request.get("since_ns"), request.get("until_ns")
    if not isinstance(since, int) or not isinstance(until, int):
        raise Refused("request_invalid", "since_ns and until_ns must be numbers")
    with space.store.commit():
        count = space.store.events.requeue(since, until)
    return {"replayed": count}
