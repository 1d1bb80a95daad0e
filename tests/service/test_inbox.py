"""The one queue of the daemon."""

from __future__ import annotations

import queue
import threading

import pytest

from confmig.service.back_off import FIRST, LONGEST, BackOff
from confmig.service.inbox import Inbox, Request, Stop, Wake


def test_of_the_wakes_of_one_kind_one_waits() -> None:
    inbox = Inbox()
    for _ in range(3):
        inbox.put(Wake("timer"))
        inbox.put(Wake("file event", settle=True))
    inbox.put(Stop())
    assert list(inbox.rest()) == [Wake("timer"), Wake("file event", settle=True), Stop()]


def test_a_wake_that_was_taken_makes_room_for_the_next() -> None:
    inbox = Inbox()
    inbox.put(Wake("one"))
    assert inbox.take(0) == Wake("one")
    inbox.put(Wake("two"))
    assert inbox.take(0) == Wake("two")
    with pytest.raises(queue.Empty):
        inbox.take(-1)


def test_a_command_waits_for_its_reply() -> None:
    inbox = Inbox()
    got: list[dict[str, object]] = []
    asking = threading.Thread(target=lambda: got.append(inbox.ask({"command": "x"}, lambda: True)))
    asking.start()
    request = inbox.take(10)
    assert isinstance(request, Request)
    assert (request.message, request.waits()) == ({"command": "x"}, True)
    request.reply.put({"ok": True})
    asking.join(10)
    assert got == [{"ok": True}]


def test_the_wait_after_an_error_doubles_up_to_a_limit() -> None:
    waits = BackOff()
    for _ in range(20):
        waits.failed(100.0)
        assert 0.8 * waits.wait <= waits.until - 100.0 <= 1.2 * waits.wait
    assert waits.wait == LONGEST
    again = BackOff()
    again.failed(0.0)
    assert again.wait == FIRST
