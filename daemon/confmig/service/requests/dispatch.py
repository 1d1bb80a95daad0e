"""Which request is which command, and the answer to it as plain data.

The daemon runs requests for a client of its control socket; the command line runs them itself when
no daemon holds the state. Both call ``execute``, so both do the same.
"""

from __future__ import annotations

from confmig.errors import BUG, Bug, ConfmigError, Refused, Unfinished
from confmig.passes.workspace import Workspace
from confmig.reports.messages import error_json
from confmig.service.requests.approve import approve
from confmig.service.requests.clean import clean
from confmig.service.requests.redeliver import redeliver
from confmig.service.requests.request import AnyTarget, Command, Request, Result
from confmig.service.requests.resolve import resolve
from confmig.service.requests.retry import retry
from confmig.service.requests.rollback import rollback

COMMANDS: dict[str, Command] = {
    "approve": approve,
    "retry": retry,
    "rollback": rollback,
    "resolve": resolve,
}
"""The commands about one target."""

ANY_TARGET: dict[str, AnyTarget] = {"clean": clean, "replay": redeliver}
"""The commands about no target, or about all of them."""

_TEXTS = ("target", "id", "reason", "ttl", "transaction", "checkpoint", "to", "mode")
_NEEDED = {"approve": ("id", "reason"), "retry": ("id",)}


def execute(space: Workspace, request: Request) -> Result:
    """Run a request. Raises ``ConfmigError``."""
    name = str(request.get("command"))
    if name not in COMMANDS and name not in ANY_TARGET:
        raise Refused("request_unknown", f"there is no command `{request.get('command')}`")
    _check(name, request)
    if name in ANY_TARGET:
        return ANY_TARGET[name](space, request)
    return COMMANDS[name](space, space.settings.target(request.get("target")), request)


def _check(name: str, request: Request) -> None:
    """Raises ``Refused`` for a request that no command line of ours would send."""
    for key in _TEXTS:
        if not isinstance(request.get(key), str | None):
            raise Refused("request_invalid", f"{key} must be text")
    for key in _NEEDED.get(name, ()):
        if not request.get(key):
            raise Refused("request_invalid", f"{key} is missing")


def answer(space: Workspace, request: Request) -> tuple[Result, int | None]:
    """``execute`` with every error as data, for the socket.

    Also returns the exit code with which the process must end if a new process has to recover
    first.
    """
    try:
        return {"ok": True, "result": execute(space, request)}, None
    except ConfmigError as error:
        space.unneeded_images = True
        fatal = error.exit_code if isinstance(error, Unfinished) else None
        return {"ok": False, "exit_code": error.exit_code, "error": error_json(error)}, fatal
    except Exception as error:  # noqa: BLE001 - a bug in one request must not end the daemon
        space.unneeded_images = True
        return {"ok": False, "exit_code": BUG, "error": error_json(Bug.of(error))}, None
