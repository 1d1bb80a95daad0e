"""Python handlers run in a forked child with limits; only a journal of changes comes back.

The child inherits the tree, so nothing is copied in, and is hardened (see ``sandbox``) before
the first line of the handler runs. It sends its change journal as JSON; the parent replays that
journal on its own tree through the same guarded operations. Each handler runs twice and the two
journals must be equal: one that reads a clock or a random source is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable
from collections.abc import Mapping as Map
from dataclasses import dataclass
from types import CodeType
from typing import Any

from confmig.documents.model.document import Document
from confmig.documents.model.item import Item
from confmig.documents.model.journal import Change
from confmig.documents.model.replay import replay
from confmig.documents.model.tree import Mapping
from confmig.errors import ConfmigError, Fault, Refused
from confmig.worker import sandbox


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one handler run: seconds of wall time, bytes of memory above what the parent uses."""

    seconds: float = 10.0
    memory: int = 512 * 1024 * 1024
    answer: int = 64 * 1024 * 1024


class HandlerContract:
    """What a handler is given beside the document.

    Read access to shapes, the bundle's ``parameters`` as the operator set them, and derived
    bytes.
    """

    def __init__(
        self,
        config: str,
        schema: Callable[[int], Any],
        key: bytes,
        source: bytes,
        parameters: Map[str, str] | None = None,
    ) -> None:
        self.config = config
        self.parameters = dict(parameters or {})
        self._schema = schema
        self._key = key
        self._source = source

    def schema(self, version: int) -> Any:
        """The JSON Schema of a version as plain data, or None."""
        return self._schema(version)

    def derive(self, purpose: str, length: int) -> bytes:
        """Bytes (at most 32) that are the same for the same document on this installation.

        They are unpredictable elsewhere: for salts, where a random source would not be
        repeatable.
        """
        mac = hmac.new(self._key, purpose.encode() + b"\0" + self._source, hashlib.sha256)
        return mac.digest()[:length]


def is_installed(module: str) -> bool:
    """Whether a handler can import a module.

    Only the first part of its name is looked up, because the others would be imported for that.
    """
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def run(
    name: str,
    code: bytes,
    document: Document,
    contract: HandlerContract,
    item: Mapping | None = None,
    limits: Limits | None = None,
) -> None:
    """Run a handler on a document in children, and make its changes here; ``item``: on that item.

    Raises ``Refused`` for a change that the document does not take, and if the handler is not
    deterministic (``handler_not_deterministic``); ``Fault`` if it fails, runs too long or needs
    too much.
    """
    limits = limits or Limits()
    target = document if item is None else Item(document, item)
    first = _child(name, code, target, contract, limits)
    if _child(name, code, target, contract, limits) != first:
        raise Refused(
            "handler_not_deterministic",
            f"{name} gave two different results for one document",
            fix="derive what must be random with contract.derive()",
        )
    replay(document, (Change.from_json(c) for c in json.loads(first)))


def _child(
    name: str, code: bytes, document: Document | Item, contract: HandlerContract, limits: Limits
) -> bytes:
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child runs Python code only
        pid = os.fork()
    if pid == 0:
        status = 70
        try:
            os.close(reader)
            status = _work(name, code, document, contract, limits, writer)
        finally:
            os._exit(status)
    os.close(writer)
    try:
        answer, late = _collect(reader, limits)
    finally:
        os.close(reader)
        if _alive(pid):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if late:
        raise Fault("handler_timeout", f"{name} ran longer than {limits.seconds:g} s")
    try:
        reply = json.loads(answer)
    except ValueError:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "no answer"
        raise Fault("handler_died", f"{name} died ({how}): it needs too much, or crashed") from None
    if "refused" in reply:
        raise Refused(reply["refused"], f"{name}: {reply['message']}", place=reply.get("place", ""))
    if "failed" in reply:
        raise _failure(name, reply)
    return json.dumps(reply["changes"]).encode()


def _failure(name: str, reply: Map[str, Any]) -> Fault:
    """Why a handler failed: the place in its code, and what to do there."""
    line = f":{reply['line']}" if reply["line"] else ""
    place, kind = f"migrations/{name}{line}", reply["failed"]
    if "module" in reply:
        return Fault(
            "handler_module_missing",
            f"{place}: the Python module `{reply['module']}` is missing",
            fix="install it, and name it in `requires` of the migration's manifest entry",
        )
    if "syntax" in reply:
        reason = f"{place}: syntax error: {reply['syntax']}"
        return Fault("handler_failed", reason, fix="correct this line")
    if "entry" in reply:
        reason = f"{place}: the function `migrate(document, contract)` is missing"
        return Fault("handler_failed", reason, fix="define it")
    return Fault(
        "handler_failed",
        f"{place}: the handler raised {kind}",
        fix="correct the handler; its own message is left out, because it can hold a value",
    )


def _alive(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _collect(reader: int, limits: Limits) -> tuple[bytes, bool]:
    deadline = time.monotonic() + limits.seconds
    chunks: list[bytes] = []
    size = 0
    while True:
        left = deadline - time.monotonic()
        ready, _, _ = select.select([reader], [], [], max(0.0, left))
        if not ready:
            return b"", True
        chunk = os.read(reader, 1 << 16)
        if not chunk:
            return b"".join(chunks), False
        chunks.append(chunk)
        size += len(chunk)
        if size > limits.answer:
            return b"", False


def _compiled(name: str, code: bytes) -> CodeType | SyntaxError:
    """The code of a handler. The message of a syntax error speaks of the bundle only."""
    try:
        return compile(code, name, "exec")
    except SyntaxError as error:
        return error


def _work(
    name: str,
    code: bytes,
    document: Document | Item,
    contract: HandlerContract,
    limits: Limits,
    writer: int,
) -> int:
    """In the child: harden, run, answer."""
    reply: dict[str, Any]
    start = len(document.changes)
    try:
        sandbox.harden(writer, seconds=limits.seconds, memory=limits.memory)
        namespace: dict[str, Any] = {"__name__": f"confmig_handler_{name}"}
        program = _compiled(name, code)
        if isinstance(program, SyntaxError):
            reply = {"failed": "SyntaxError", "line": program.lineno or 0, "syntax": program.msg}
        else:
            exec(program, namespace)  # noqa: S102 - the bundle is trusted
            migrate = namespace.get("migrate")
            if callable(migrate):
                migrate(document, contract)
                reply = {"changes": [c.as_json() for c in document.changes[start:]]}
            else:
                reply = {"failed": "NameError", "line": 0, "entry": "migrate"}
        answer = json.dumps(reply).encode()
    except ConfmigError as error:
        answer = json.dumps(
            {"refused": error.code, "message": error.message, "place": error.place}
        ).encode()
    except BaseException as error:  # noqa: BLE001 - whatever it was, the parent must learn of it
        # the type and the line, never the message: it could hold a value
        line = 0
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == name:
                line = trace.tb_lineno
            trace = trace.tb_next
        reply = {"failed": type(error).__name__, "line": line}
        if isinstance(error, ModuleNotFoundError) and error.name:
            reply["module"] = error.name[:100]  # the name in an import statement
        answer = json.dumps(reply).encode()
    view = memoryview(answer)
    while view:
        view = view[os.write(writer, view) :]
    return 0
