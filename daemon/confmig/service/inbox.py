"""The one queue of the daemon: what wakes its main thread, and what asks it for something."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confmig_otel.relay import Delivery


@dataclass(frozen=True, slots=True)
class Wake:
    """Look again. ``settle``: it came from a file event, so wait for quiet first."""

    why: str
    settle: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """End after the message at hand."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command of the control socket; the reply goes into its queue.

    ``waits`` answers whether its client is still there.
    """

    message: dict[str, Any]
    waits: Callable[[], bool]
    reply: queue.SimpleQueue[dict[str, Any]] = field(default_factory=queue.SimpleQueue)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the relay proved."""

    result: Delivery


Message = Wake | Stop | Request | Delivered


class Inbox:
    """Any thread may put a message in; only the main thread takes one out."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._waking: dict[bool, bool] = {}

    def put(self, message: Message) -> None:
        """Put a message in. Of the wakes of one kind, one waits, however many come."""
        if isinstance(message, Wake):
            if self._waking.get(message.settle):
                return
            self._waking[message.settle] = True
        self._queue.put(message)

    def take(self, seconds: float) -> Message:
        """The next message. Raises ``queue.Empty`` if none comes in time."""
        message = self._queue.get(timeout=max(0.0, seconds))
        if isinstance(message, Wake):
            self._waking[message.settle] = False
        return message

    def ask(self, message: dict[str, Any], waits: Callable[[], bool]) -> dict[str, Any]:
        """Have the main thread execute a command; for another thread, which waits for the reply."""
        request = Request(message, waits)
        self._queue.put(request)
        return request.reply.get()

    def rest(self) -> Iterator[Message]:
        """The messages that still wait when the daemon ends."""
        while True:
            try:
                yield self._queue.get_nowait()
            except queue.Empty:
                return
