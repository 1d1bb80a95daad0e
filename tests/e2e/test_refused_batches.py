"""Receivers that refuse, half-accept, mumble or drip: what counts as delivered, and what is kept.

The receiver here is scripted by the test, over real HTTP on loopback: for each request it sees the
records and says what is answered.
"""

from __future__ import annotations

import gzip
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from confmig_otel import relay
from confmig_otel.export import resource
from tests.e2e.world import (
    FREE,
    OPEN,
    TWO,
    Daemon,
    Step,
    World,
    document,
    environment,
    free_port,
    until,
    write_bundle,
)
from tests.otel.test_relay import Row

pytestmark = pytest.mark.slow

PROTOBUF = "application/x-protobuf"
HTTP = "http: {port: 0}\nwatch: {rescan: 3600}\n"
NAMES = ("a.yaml", "b.yaml", "c.yaml", "poison.yaml", "d.yaml", "e.yaml")


@dataclass(frozen=True, slots=True)
class Record:
    """What a test must know of a log record."""

    uid: str
    name: str
    attributes: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. ``rejected`` is the count of a partial success; ``drip`` never ends."""

    status: int = 200
    type: str | None = PROTOBUF
    body: bytes = b""
    rejected: int = 0
    location: str | None = None
    drip: str = ""


OK = Answer()
Script = Callable[[list[Record]], Answer]


def poisonous(record: Record) -> bool:
    """Whether a record is the one that the receiver does not like: there is one in a world."""
    return (
        record.name == "config.migrated"
        and record.attributes.get("config.file.path") == "poison.yaml"
        and record.attributes.get("config.migration.id") == "0002_feature"
    )


def always(answer: Answer) -> Script:
    return lambda records: answer


def unless(bad: Callable[[Record], bool], answer: Answer) -> Script:
    """Success for the requests without such a record."""
    return lambda records: answer if any(map(bad, records)) else OK


class Quiet(ThreadingHTTPServer):
    """A server whose clients may hang up when they like."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Receiver:
    """An OTLP receiver that answers requests with log records as its script orders.

    An OTLP receiver that answers requests with log records as its script says, others with
    success. What it keeps it keeps before it answers.
    """

    def __init__(self, script: Script | None = None, *, drip_all: bool = False) -> None:
        self.script = script or always(OK)
        self.drip_all = drip_all
        self.requests: list[list[Record]] = []
        self.kept: list[Record] = []
        self.statuses: list[int] = []
        self.ended = threading.Event()
        self.dripping = threading.Event()
        self.guard = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                self._say(Answer(200, "text/html", b"<p>Sign in"))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/logs":
                    self._say(receiver._taken(body))
                else:
                    self._say(receiver._other())

            def _say(self, answer: Answer) -> None:
                if answer.drip:
                    return self._drip(answer.drip)
                self.send_response(answer.status)
                if answer.type is not None:
                    self.send_header("Content-Type", answer.type)
                if answer.location is not None:
                    self.send_header("Location", answer.location)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                self.wfile.flush()
                return None

            def _drip(self, where: str) -> None:
                """One byte each 0.3 s, until the test ends."""
                self.close_connection = True
                start = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
                rest = b"X-Filler: "
                if where == "body":
                    start += b"Content-Length: 100000\r\n\r\n"
                    rest = b"\n"
                try:
                    self.wfile.write(start + rest)
                    self.wfile.flush()
                    receiver.dripping.set()
                    while not receiver.ended.wait(0.3):
                        self.wfile.write(b"x")
                        self.wfile.flush()
                except OSError:
                    return  # the client has gone

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def _other(self) -> Answer:
        drips = self.script([]).drip if self.drip_all else ""
        return Answer(drip=drips)

    def _taken(self, body: bytes) -> Answer:
        records = [
            Record(
                attributes.pop("log.record.uid"),
                one.event_name,
                attributes,
            )
            for group in ExportLogsServiceRequest.FromString(body).resource_logs
            for scope in group.scope_logs
            for one in scope.log_records
            for attributes in [{a.key: a.value.string_value for a in one.attributes}]
        ]
        with self.guard:
            answer = self.script(records)
            self.requests.append(records)
            self.statuses.append(answer.status)
            if answer.status == 200 and answer.type == PROTOBUF and not answer.drip:
                if answer.rejected:
                    response = ExportLogsServiceResponse()
                    response.partial_success.rejected_log_records = answer.rejected
                    response.partial_success.error_message = "not this one"
                    answer = Answer(body=response.SerializeToString())
                    self.kept += [r for r in records if not poisonous(r)]
                else:
                    self.kept += records
        return answer

    @property
    def uids(self) -> set[str]:
        """The records that are kept."""
        with self.guard:
            return {record.uid for record in self.kept}

    def __enter__(self) -> Receiver:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()


def telling(endpoint: str, drain: float | None = 3, **more: Any) -> str:
    """Telemetry settings."""
    words = {"endpoint": f"'{endpoint}'"} | more
    if drain is not None:
        words["drain_seconds"] = drain
    return "{" + ", ".join(f"{key}: {value}" for key, value in words.items()) + "}"


def pointed(world: World, telemetry: str) -> None:
    """Change the telemetry settings of a world."""
    text = world.settings.read_text()
    world.settings.write_text(re.sub(r"telemetry: .*", f"telemetry: {telemetry}", text))


def small(
    folder: Path, telemetry: str, *, steps: tuple[Step, ...] = TWO, policy: str = FREE
) -> World:
    """A world with some documents, one of which makes a poison record."""
    bundle = write_bundle(folder / "bundle", steps)
    documents = {name: document(name) for name in NAMES}
    return World(
        folder / "w",
        bundle=bundle,
        policy=policy,
        documents=documents,
        telemetry=telemetry,
        more=HTTP,
    )


@dataclass(frozen=True, slots=True)
class Outbox:
    """The uids of the events, by what became of them."""

    delivered: set[str]
    refused: set[str]
    pending: set[str]

    @property
    def all(self) -> set[str]:
        return self.delivered | self.refused | self.pending


def outbox(world: World) -> Outbox:
    rows = world.query("SELECT uid, delivered_at IS NOT NULL, rejected IS NOT NULL FROM events")
    return Outbox(
        {uid for uid, delivered, refused in rows if delivered and not refused},
        {uid for uid, _, refused in rows if refused},
        {uid for uid, delivered, refused in rows if not delivered and not refused},
    )


def poison(world: World) -> str:
    """The uid of the poison record."""
    [(uid,)] = world.query(
        "SELECT uid FROM events WHERE name='config.migrated' AND attributes LIKE '%poison.yaml%'"
        " AND attributes LIKE '%0002_feature%'"
    )
    return str(uid)


def told(world: World, *words: str) -> str:
    """``status`` as a person reads it, which must hold these words."""
    done = world.run("status")
    assert done.code == 0, done
    for word in words:
        assert word in done.out, (word, done)
    return done.out


def delivered(world: World, receiver: Receiver) -> None:
    """Everything that was ever recorded has arrived, and the state says so."""
    found = outbox(world)
    assert not found.pending, found
    assert not found.refused, found
    assert receiver.uids == found.delivered
    assert world.status()["outbox"]["pending"] == 0


# --- a: what is bisected, and what is not ---------------------------------------------------


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_record_that_is_refused_is_found_and_kept_and_the_others_arrive(
    tmp_path: Path, status: int
) -> None:
    with Receiver(unless(poisonous, Answer(status, None))) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 10))
        assert world.once().code == 0
        found = outbox(world)
        assert found.refused == {poison(world)}
        assert not found.pending
        assert Counter(r.uid for r in receiver.kept) == dict.fromkeys(found.delivered, 1)
        assert len(found.delivered) == len(found.all) - 1 > 10
        told(world, "1 refused")
        assert world.status()["outbox"]["rejected"] == 1
        assert {e["uid"] for e in world.events()} == found.all
        # it is not tried again
        before = len(receiver.requests)
        assert world.once().code == 0
        assert not any(poisonous(r) for request in receiver.requests[before:] for r in request)
        assert outbox(world) == found


def some(record: Record) -> bool:
    """Three records here and there."""
    return int(record.uid.rsplit("-", 1)[1]) in (1, 6, 16)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_several_records_that_are_refused_are_all_found(tmp_path: Path, status: int) -> None:
    with Receiver(unless(some, Answer(status, None))) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 10))
        assert world.once().code == 0
        found = outbox(world)
        assert len(found.all) == 16
        assert len(found.refused) == 3
        assert not found.pending
        assert receiver.uids == found.delivered
        assert {r.uid for request in receiver.requests for r in request if some(r)} == found.refused


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("status", [400, 413])
def test_batches_that_are_only_too_large_cost_no_event(
    tmp_path: Path, size: int, status: int
) -> None:
    def script(records: list[Record]) -> Answer:
        return Answer(status, None) if len(records) > size else OK

    with Receiver(script) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 10))
        assert world.once().code == 0
        delivered(world, receiver)


WRONG = {
    "400": Answer(400, None),
    "405": Answer(405, None),
    "413": Answer(413, None),
    "415": Answer(415, None),
    "422": Answer(422, None),
    "401": Answer(401, None),
    "403": Answer(403, None),
    "404": Answer(404, None),
    "410": Answer(410, None),
    "400 and html": Answer(400, "text/html", b"<p>Bad request"),
    "413 and html": Answer(413, "text/html", b"<p>Too large"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_endpoint_does_not_cost_an_event(tmp_path: Path, wrong: str) -> None:
    with Receiver(always(WRONG[wrong])) as bad, Receiver() as good:
        world = small(tmp_path, telling(bad.endpoint))
        for number in range(3):
            world.put(f"more{number}.yaml", document())
            done = world.once()
            assert done.code == 0, done
            found = outbox(world)
            assert found.pending == found.all
        assert bad.requests
        assert world.status()["outbox"] | {"oldest": 0, "problem": 0} == {
            "delivery": True,
            "pending": len(found.all),
            "rejected": 0,
            "oldest": 0,
            "problem": 0,
        }
        pointed(world, telling(good.endpoint))
        assert world.once().code == 0
        delivered(world, good)


@pytest.mark.parametrize("wrong", ["400", "405", "413", "415"])
def test_a_wrong_endpoint_does_not_cost_the_daemon_an_event(tmp_path: Path, wrong: str) -> None:
    with Receiver(always(WRONG[wrong])) as receiver:
        world = small(tmp_path, telling(receiver.endpoint))
        with Daemon(world) as daemon:
            until(lambda: wrong in daemon.said, what=daemon.said)
            for number in range(3):
                world.put(f"more{number}.yaml", document())
                until(lambda n=f"more{number}.yaml": world.version(n) == 2)  # type: ignore[misc]
            until(lambda: len(receiver.requests) > 4, 30, daemon.said)
            found = outbox(world)
            assert found.pending == found.all
            assert daemon.get("/readyz")[0] == 200
            receiver.script = always(OK)
            until(lambda: not outbox(world).pending, 60, daemon.said)
            assert daemon.end() == 0
        delivered(world, receiver)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_record_that_is_alone_is_not_given_up(tmp_path: Path, status: int) -> None:
    """Nothing was accepted beside it, so that the endpoint may be the wrong one."""
    steps = (Step("0001_fill", ({"set": {"path": "x", "value": 1}},), "manual_backfill"),)
    with Receiver() as receiver:
        world = small(tmp_path, telling(receiver.endpoint), steps=steps, policy=OPEN)
        assert world.once().code == 3
        delivered(world, receiver)
        receiver.script = always(Answer(status, None))
        assert world.run("approve", "0001_fill", "--reason", "x").code == 0
        found = outbox(world)
        assert len(found.pending) == 1
        assert not found.refused
        receiver.script = always(OK)
        assert world.once().code == 0
        delivered(world, receiver)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 415])
@pytest.mark.parametrize("kind", ["all", "poison"])
def test_a_refusal_of_the_endpoint_is_never_bisected(
    tmp_path: Path, status: int, kind: str
) -> None:
    answer = Answer(status, None)
    script = always(answer) if kind == "all" else unless(poisonous, answer)
    with Receiver(script) as receiver:
        world = small(tmp_path, telling(receiver.endpoint))
        assert world.once().code == 0
        found = outbox(world)
        assert found.pending == found.all
        assert receiver.requests
        for request in receiver.requests:
            assert {r.uid for r in request} == found.all, [len(r) for r in receiver.requests]
        receiver.script = always(OK)
        assert world.once().code == 0
        delivered(world, receiver)


@pytest.mark.parametrize("status", [503, 429, 404, 401])
def test_an_outage_in_the_midst_of_a_bisection_refuses_nothing(tmp_path: Path, status: int) -> None:
    def script(records: list[Record]) -> Answer:
        if not any(map(poisonous, records)):
            return OK
        return Answer(400 if len(records) > 1 else status, None)

    with Receiver(script) as receiver:
        world = small(tmp_path, telling(receiver.endpoint))
        assert world.once().code == 0
        found = outbox(world)
        assert not found.refused
        assert poison(world) in found.pending
        receiver.script = always(OK)
        assert world.once().code == 0
        delivered(world, receiver)


def test_a_receiver_that_rejects_every_record_as_partial_success_costs_no_event(
    tmp_path: Path,
) -> None:
    """No other record was accepted, so that none is quarantined."""

    class Nothing(Receiver):
        def _taken(self, body: bytes) -> Answer:
            answer = super()._taken(body)
            with self.guard:
                self.kept.clear()
            return answer

    with Nothing(lambda records: Answer(rejected=len(records))) as receiver:
        world = small(tmp_path, telling(receiver.endpoint))
        assert world.once().code == 0
        found = outbox(world)
        assert found.pending == found.all


# --- b: a poison record does not block the others -------------------------------------------

POISONED: dict[str, Answer] = {
    "400": Answer(400, None),
    "413": Answer(413, None),
    "422": Answer(422, None),
    "partial success": Answer(rejected=1),
}


@pytest.mark.parametrize("how", POISONED)
@pytest.mark.parametrize("command", ["once", "daemon"])
def test_a_poison_record_does_not_block_the_others(tmp_path: Path, how: str, command: str) -> None:
    with Receiver(unless(poisonous, POISONED[how])) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 10))
        if command == "once":
            assert world.once().code == 0
        else:
            with Daemon(world) as daemon:
                until(lambda: (world.state / "state.db").exists() and world.version("e.yaml") == 2)
                world.put("late.yaml", document())
                until(lambda: world.version("late.yaml") == 2)
                until(lambda: not outbox(world).pending, 30, daemon.said)
                assert daemon.end() == 0
        found = outbox(world)
        assert not found.pending
        assert found.refused == {poison(world)}
        assert receiver.uids == found.all - found.refused
        told(world, "1 refused")
        [refused] = [e for e in world.events() if e["rejected"]]
        assert refused["uid"] == poison(world)


MANY = (
    *TWO,
    *(
        Step(
            f"{number:04d}_step",
            ({"set": {"path": f"k{number % 7}", "value": number}},),
            "post_deploy" if number % 2 else "online",
        )
        for number in range(3, 103)
    ),
)
"""Tiny migrations that alternate classes, so that each is a transaction of its own."""


@pytest.mark.parametrize("how", POISONED)
def test_a_poison_record_among_more_records_than_a_request_holds(tmp_path: Path, how: str) -> None:
    with Receiver(unless(poisonous, POISONED[how])) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 30), steps=MANY)
        done = world.once()
        assert done.code == 0, done
        found = outbox(world)
        assert len(found.all) > 800
        assert max(len(request) for request in receiver.requests) < len(found.all)
        assert found.refused == {poison(world)}
        assert not found.pending
        assert receiver.uids == found.all - found.refused


# --- c: replay ------------------------------------------------------------------------------


def stamp(nanoseconds: int) -> str:
    """A time as ``--since`` takes it."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:06d}Z"


def two_runs(folder: Path, receiver: Receiver) -> tuple[World, set[str], set[str], str]:
    """A world after two runs; the uids of the events of each; the time of the second one."""
    world = small(folder, telling(receiver.endpoint, 10))
    assert world.once().code == 0
    first = outbox(world).all
    world.put("late.yaml", document())
    assert world.once().code == 0
    second = outbox(world).all - first
    assert first
    assert second
    begin = min(e["time_ns"] for e in world.events() if e["uid"] in second)
    assert begin > max(e["time_ns"] for e in world.events() if e["uid"] in first) + 1000
    return world, first, second, stamp(begin)


@pytest.mark.parametrize("which", ["all", "since", "until", "none"])
def test_replay_delivers_again_with_the_same_uids(tmp_path: Path, which: str) -> None:
    with Receiver() as receiver:
        world, first, second, between = two_runs(tmp_path, receiver)
        words = {
            "all": ("--since", "1h"),
            "since": ("--since", between),
            "until": ("--since", "2020-01-01T00:00:00Z", "--until", between),
            "none": ("--since", "2020-01-01T00:00:00Z", "--until", "2021-01-01T00:00:00Z"),
        }[which]
        wanted = {"all": first | second, "since": second, "until": first, "none": set()}[which]
        before = world.events()
        done = world.run("events", "--replay", *words)
        assert done.code == 0, done
        assert world.once().code == 0
        assert {r.uid: n for r, n in Counter(receiver.kept).items()} == {
            uid: 2 if uid in wanted else 1 for uid in first | second
        }
        assert not outbox(world).pending
        assert [e["uid"] for e in world.events()] == [e["uid"] for e in before]
        assert world.run("history", "--verify").code == 0


def test_replay_marks_events_undelivered_while_no_receiver_is_there(tmp_path: Path) -> None:
    with Receiver() as receiver:
        world, first, second, between = two_runs(tmp_path, receiver)
        good = telling(receiver.endpoint)
        pointed(world, telling(f"http://127.0.0.1:{free_port()}", 0.2))
        done = world.run("events", "--replay", "--since", between)
        assert done.code == 0, done
        assert outbox(world).pending == second
        assert outbox(world).delivered == first
        told(world, f"{len(second)} ")
        pointed(world, good)
        assert world.once().code == 0
        delivered(world, receiver)


def test_replay_tries_refused_events_again(tmp_path: Path) -> None:
    with Receiver(unless(poisonous, Answer(400, None))) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 10))
        assert world.once().code == 0
        assert outbox(world).refused == {poison(world)}
        # outside of the time nothing changes
        assert world.run("events", "--replay", "--since", "1h", "--until", "50m").code == 0
        assert world.once().code == 0
        assert outbox(world).refused == {poison(world)}
        receiver.script = always(OK)
        assert world.run("events", "--replay", "--since", "1h").code == 0
        assert world.once().code == 0
        delivered(world, receiver)
        assert world.status()["outbox"]["rejected"] == 0


def test_replay_beside_a_running_daemon(tmp_path: Path) -> None:
    with Receiver() as receiver:
        world, first, second, between = two_runs(tmp_path, receiver)
        with Daemon(world) as daemon:
            daemon.is_up("/readyz")
            done = world.run("events", "--replay", "--since", between)
            assert done.code == 0, done
            until(lambda: len(receiver.kept) >= len(first) + 2 * len(second), 20, daemon.said)
            until(lambda: not outbox(world).pending, 20, daemon.said)
            assert daemon.end() == 0
        assert {r.uid for r, n in Counter(receiver.kept).items() if n == 2} == second


@pytest.mark.parametrize(
    "words", [("--replay",), ("--replay", "--since", "yesterday"), ("--replay", "--until", "1h")]
)
def test_replay_without_a_time_that_counts_is_refused(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with Receiver() as receiver:
        world = small(tmp_path, telling(receiver.endpoint))
        assert world.once().code == 0
        before = outbox(world)
        done = world.run("events", *words)
        assert done.code in (1, 2), done
        assert "--since" in done.err or "is not a time" in done.err
        assert outbox(world) == before


# --- d: answers that prove nothing ----------------------------------------------------------

UNPROVEN = {
    "202": Answer(202, None),
    "202 and protobuf": Answer(202, PROTOBUF),
    "202 and json": Answer(202, "application/json", b"{}"),
    "204": Answer(204, None),
    "200 without a type": Answer(200, None),
    "200 and text": Answer(200, "text/plain", b"ok"),
}
NEVER = {
    "200 and html": Answer(200, "text/html", b"<!doctype html><p>Sign in"),
    "200 and html of a charset": Answer(200, "text/html; charset=utf-8", b"<p>Sign in"),
    "200 and html in capitals": Answer(200, "TEXT/HTML", b"<p>Sign in"),
    "301": Answer(301, None, location="/login"),
    "302": Answer(302, None, location="/login"),
    "303": Answer(303, None, location="/login"),
    "307": Answer(307, None, location="/elsewhere"),
    "308": Answer(308, None, location="/elsewhere"),
}


@pytest.mark.parametrize("answer", UNPROVEN)
def test_a_2xx_without_proof_counts_only_if_the_settings_say_so(
    tmp_path: Path, answer: str
) -> None:
    with Receiver(always(UNPROVEN[answer])) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 1))
        done = world.once()
        assert done.code == 0, done
        found = outbox(world)
        assert found.pending == found.all
        assert answer[:3] in done.err, done
        assert "telemetry.accept: any_2xx" in done.err, done
        told(world, answer[:3], "telemetry.accept: any_2xx")
        pointed(world, telling(receiver.endpoint, 5, accept="any_2xx"))
        assert world.once().code == 0
        found = outbox(world)
        assert found.delivered == found.all
        assert {r.uid for r in receiver.requests[-1]} <= found.all


@pytest.mark.parametrize("answer", ["202", "204", "200 without a type"])
def test_the_daemon_names_an_answer_without_proof(tmp_path: Path, answer: str) -> None:
    with Receiver(always(UNPROVEN[answer])) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 1))
        with Daemon(world) as daemon:
            until(lambda: "telemetry.accept: any_2xx" in daemon.said, what=daemon.said)
            [line] = [x for x in daemon.said.splitlines() if "telemetry.accept: any_2xx" in x]
            assert answer[:3] in line
            told(world, answer[:3], "telemetry.accept: any_2xx")
            until(lambda: len(receiver.requests) > 2, 30, daemon.said)
            found = outbox(world)
            assert found.pending == found.all
            said = [x for x in daemon.said.splitlines() if "telemetry.accept: any_2xx" in x]
            assert said == [line], daemon.said
            assert daemon.end() == 0
        pointed(world, telling(receiver.endpoint, 1, accept="any_2xx"))
        with Daemon(world) as daemon:
            until(lambda: not outbox(world).pending, what=daemon.said)
            assert daemon.end() == 0
        assert outbox(world).delivered == outbox(world).all


@pytest.mark.parametrize("answer", NEVER)
@pytest.mark.parametrize("accept", ["proof", "any_2xx"])
def test_a_login_page_never_counts(tmp_path: Path, answer: str, accept: str) -> None:
    with Receiver(always(NEVER[answer])) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 1, accept=accept))
        done = world.once()
        assert done.code == 0, done
        found = outbox(world)
        assert found.pending == found.all
        assert answer[:3] in done.err or "redirect" in done.err, done
        assert re.search(f"{answer[:3]}|redirect", told(world))
        receiver.script = always(OK)
        assert world.once().code == 0
        delivered(world, receiver)


# --- e: receivers that take their time, or are not there ------------------------------------


@pytest.mark.parametrize("where", ["headers", "body"])
@pytest.mark.parametrize("everywhere", [False, True], ids=["logs", "all signals"])
def test_an_answer_that_drips_does_not_hold_the_daemon(
    tmp_path: Path, where: str, everywhere: bool
) -> None:
    with Receiver(always(Answer(drip=where)), drip_all=everywhere) as receiver, Receiver() as good:
        world = small(tmp_path, telling(receiver.endpoint, 2))
        with Daemon(world) as daemon:
            daemon.is_up("/readyz")
            assert receiver.dripping.wait(15), daemon.said
            until(lambda: world.version("e.yaml") == 2)
            # it does not stop migrations either
            world.put("late.yaml", document())
            until(lambda: world.version("late.yaml") == 2, what=daemon.said)
            begun = time.monotonic()
            assert daemon.end(signal.SIGTERM, 30) == 0, daemon.said
            # drain_seconds are 2, for all three signals together
            assert time.monotonic() - begun < 4, daemon.said
        found = outbox(world)
        assert found.all
        assert found.pending == found.all
        pointed(world, telling(good.endpoint))
        assert world.once().code == 0
        delivered(world, good)


def test_an_answer_that_drips_is_cut_off_and_logged_while_the_daemon_runs(tmp_path: Path) -> None:
    with Receiver(always(Answer(drip="body"))) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 0))
        with Daemon(world) as daemon:
            until(lambda: "does not end it" in daemon.said, 30, what="the cut answer in the log")
            receiver.script = always(OK)
            until(lambda: not outbox(world).pending, 60, what=daemon.said)


@pytest.mark.parametrize("where", ["headers", "body"])
def test_one_answer_that_drips_does_not_use_up_the_time_of_a_batch(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(relay, "_ANSWER", 0.2)
    with Receiver(always(Answer(drip=where))) as receiver:
        who = resource("confmig", "0", "i")
        deliverer = relay.Deliverer(f"{receiver.endpoint}/v1/logs", who)
        result = deliverer.deliver([Row(1)], seconds=3600)
        deliverer.close()
    assert result.error == "timeout"
    assert "does not end it" in result.advice
    assert (result.delivered, result.rejected) == ([], [])


@pytest.mark.parametrize("accept", ["proof", "any_2xx"])
def test_the_advice_for_a_web_page_is_the_endpoint(tmp_path: Path, accept: str) -> None:
    page = Answer(200, "text/html", b"<html>login</html>")
    with Receiver(always(page)) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, accept=accept))
        assert world.once().code == 0
        said = told(world)
    assert "web page" in said
    assert "check the endpoint" in said
    assert "any_2xx" not in said


@pytest.mark.parametrize("where", ["headers", "body"])
def test_an_answer_that_drips_does_not_hold_a_command(tmp_path: Path, where: str) -> None:
    with Receiver(always(Answer(drip=where)), drip_all=True) as receiver:
        world = small(tmp_path, telling(receiver.endpoint, 2))
        begun = time.monotonic()
        assert world.once().code == 0
        assert time.monotonic() - begun < 6
        found = outbox(world)
        assert found.pending == found.all


START = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
CUT = {
    "after the type": START,
    "in a header": START + b"X-Filler: xxx",
    "in the length": START + b"Content-Length: 1",
    "in the status line": b"HTTP/1.1 20",
    "before the body": START + b"Content-Length: 10\r\n\r\n",
    "in the body": START + b"Content-Length: 10\r\n\r\n\n\x04",
    "before the first chunk": START + b"Transfer-Encoding: chunked\r\n\r\n",
    "in a chunk": START + b"Transfer-Encoding: chunked\r\n\r\n5\r\n\n\x04",
}


@contextmanager
def cutting(answer: bytes) -> Iterator[str]:
    """A server that sends a part of an answer to each request and hangs up; its address."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self.rfile.read(length)
            self.wfile.write(answer)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(5)


@pytest.mark.parametrize("where", CUT)
def test_an_answer_that_is_cut_off_proves_nothing(tmp_path: Path, where: str) -> None:
    """A receiver that dies while it answers has perhaps not kept what it was sent."""
    with cutting(CUT[where]) as endpoint, Receiver() as good:
        world = small(tmp_path, telling(endpoint, 1))
        done = world.once()
        assert done.code == 0, done
        found = outbox(world)
        assert found.pending == found.all, done
        pointed(world, telling(good.endpoint))
        assert world.once().code == 0
        delivered(world, good)


COMMANDS = {
    "a run": ("run", "--once"),
    "a rollback": ("rollback", "--last"),
    "a run with nothing to do": ("run", "--once"),
    "a retry": ("retry", "0001_listen"),
}


def timed(folder: Path, bundle: Path, telemetry: str) -> dict[str, float]:
    """How long each of some commands takes."""
    documents = {name: document(name) for name in NAMES}
    world = World(folder, bundle=bundle, policy=FREE, documents=documents, telemetry=telemetry)
    took = {}
    for name, words in COMMANDS.items():
        begun = time.monotonic()
        done = world.run(*words)
        took[name] = time.monotonic() - begun
        assert done.code in (0, 3), done
    return took


@pytest.mark.parametrize("drain", [None, 10])
def test_without_a_receiver_a_command_is_hardly_slower(tmp_path: Path, drain: float | None) -> None:
    """The best of three, since others use this machine, too."""
    bundle = write_bundle(tmp_path / "bundle", TWO)
    nobody = telling(f"http://127.0.0.1:{free_port()}", drain)
    without = [timed(tmp_path / f"n{n}", bundle, "{exporter: none}") for n in range(3)]
    beside = [timed(tmp_path / f"t{n}", bundle, nobody) for n in range(3)]
    longer = {
        name: round(min(t[name] for t in beside) - min(t[name] for t in without), 2)
        for name in COMMANDS
    }
    assert max(longer.values()) < 1.8, longer


# --- f: exporters and endpoints -------------------------------------------------------------


def test_two_exporters_of_logs_work_together_in_the_daemon(tmp_path: Path) -> None:
    with Receiver() as receiver, open(tmp_path / "out", "wb") as out:
        world = small(tmp_path, telling(receiver.endpoint))
        process = subprocess.Popen(
            [sys.executable, "-m", "confmig", "run", "--settings", str(world.settings)],
            env=environment(OTEL_LOGS_EXPORTER="otlp,console"),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: world.version("e.yaml") == 2)
            until(lambda: len(outbox(world).all) > 10)
            until(lambda: not outbox(world).pending)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()
            process.wait(10)
        delivered(world, receiver)
        shown = (tmp_path / "out").read_text()
        counts = Counter(r.name for r in receiver.kept)
        assert {name: len(re.findall(f"{re.escape(name)} ", shown)) for name in counts} == counts


def test_two_exporters_of_logs_work_together_in_a_run(tmp_path: Path) -> None:
    with Receiver() as receiver:
        world = small(tmp_path, telling(receiver.endpoint))
        done = world.once(OTEL_LOGS_EXPORTER="otlp,console")
        assert done.code == 0, done
        delivered(world, receiver)
        for name in {r.name for r in receiver.kept}:
            assert name in done.out + done.err, done


@pytest.mark.parametrize("value", ["otlp, console", "console,otlp", "otlp"])
def test_lists_of_exporters_are_read_as_lists(tmp_path: Path, value: str) -> None:
    with Receiver() as receiver:
        world = small(tmp_path, telling(receiver.endpoint))
        done = world.once(OTEL_LOGS_EXPORTER=value)
        assert done.code == 0, done
        delivered(world, receiver)


MISTAKES: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "an unknown exporter": (
        "{}",
        {"OTEL_LOGS_EXPORTER": "jaeger"},
        ("OTEL_LOGS_EXPORTER", "jaeger"),
    ),
    "an unknown one in a list": ("{}", {"OTEL_LOGS_EXPORTER": "otlp,jaeger"}, ("jaeger",)),
    "an unknown one of traces": (
        "{}",
        {"OTEL_TRACES_EXPORTER": "jaeger"},
        ("OTEL_TRACES_EXPORTER", "jaeger"),
    ),
    "an endpoint without a scheme": (
        "{endpoint: '127.0.0.1:4318'}",
        {},
        ("telemetry.endpoint", "http://127.0.0.1:4318"),
    ),
    "a name without a scheme": (
        "{endpoint: 'localhost:4318'}",
        {},
        ("telemetry.endpoint", "http://localhost:4318"),
    ),
    "an endpoint of the environment without a scheme": (
        "{}",
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "127.0.0.1:4318"},
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "scheme"),
    ),
    "an endpoint without a host": ("{endpoint: 'http://'}", {}, ("telemetry.endpoint", "no host")),
    "an endpoint with a strange port": (
        "{endpoint: 'http://localhost:99999'}",
        {},
        ("telemetry.endpoint", "not a URL"),
    ),
    "one of the environment without a host": (
        "{}",
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https:///v1"},
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "no host"),
    ),
    "one of the logs without a scheme": (
        "{}",
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "localhost:4318/v1/logs"},
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "scheme"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_telemetry_is_told_at_the_start(tmp_path: Path, mistake: str) -> None:
    telemetry, env, words = MISTAKES[mistake]
    with Receiver() as receiver:
        if telemetry == "{}" and "ENDPOINT" not in next(iter(env)):
            telemetry = telling(receiver.endpoint)
        world = small(tmp_path, telemetry)
        before = world.facts()
        done = world.once(**env)
        assert done.code in (1, 2), done
        with Daemon(world, **env) as daemon:
            assert daemon.process.wait(15) in (1, 2), daemon.said
            for said in (done.err, daemon.said):
                assert "Traceback" not in said
                for word in words:
                    assert word in said, said
        assert world.facts() == before
        assert receiver.requests == []
