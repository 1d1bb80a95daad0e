"""The power may fail after any operation (the `power` harness); its model is tried here, too.

CI takes a sample; `CONFMIG_CRASH_FULL=1` judges every state of a far larger one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.crash.harness import power
from tests.crash.harness.power import (
    EXTREMES,
    Cut,
    Entries,
    Meta,
    Node,
    Nodes,
    Op,
    Recorder,
    Recording,
    Report,
    Sample,
    Size,
    Sync,
    Torn,
    Unmodelled,
    Write,
    cuts,
    facts,
)
from tests.crash.harness.scenario import Document, Migration, Spec

FULL = os.environ.get("CONFMIG_CRASH_FULL") == "1"
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed"
)

MANY = Spec(
    documents=tuple(
        Document(f"d{number:02d}.yaml", f"schema_version: 0\nserver: {{port: {number}}}\n", 0o640)
        for number in range(34)
    ),
    migrations=(Migration("0001_set", ({"set": {"path": "feature", "value": True}},)),),
)


# --- the replay -----------------------------------------------------------------------------


@pytest.mark.slow
@needs_strace
def test_the_power_may_fail_after_any_operation(tmp_path: Path) -> None:
    sample = Sample(exhaustive=7, random=6, richest=64) if FULL else Sample()
    outcome = power.power(tmp_path, sample=sample, every=FULL)
    print(f"\n{outcome}")
    assert outcome.points > 150
    assert outcome.states > (2500 if FULL else 1000)
    # Something of each: before the exchanges, between them, and after.
    assert {"all old", "mixed", "all new"} <= outcome.ended.keys()
    assert not outcome.findings, str(outcome)


@pytest.mark.slow
@needs_strace
def test_the_power_may_fail_in_a_transaction_of_many_files(tmp_path: Path) -> None:
    """Above 32 files one flush of the file system takes the place of many."""
    sample = Sample(exhaustive=3, richest=32) if FULL else Sample(
        exhaustive=0, richest=4, singles=False, torn=False, start=".confmig-"
    )  # fmt: skip
    outcome = power.power(tmp_path, MANY, sample=sample)
    print(f"\n{outcome}")
    assert {"all old", "mixed", "all new"} <= outcome.ended.keys()
    assert not outcome.findings, str(outcome)


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize(
    "killed_after",
    ["-0", "RENAME_EXCHANGE", "unlinkat"],
    ids=["a stage", "an exchange", "an unlink"],
)
def test_the_power_may_fail_in_a_recovery(tmp_path: Path, killed_after: str) -> None:
    """A run is killed, the next one settles what it left.

    What the first has done and not synced is lost with what the second does.
    """
    sample = Sample(richest=32) if FULL else EXTREMES
    outcome = power.power(tmp_path, sample=sample, interrupted=killed_after, every=FULL)
    print(f"\n{outcome}")
    assert outcome.judged > 5
    assert "all new" in outcome.ended
    assert not outcome.findings, str(outcome)


@pytest.mark.slow
@needs_strace
def test_the_power_may_fail_in_the_very_first_run(tmp_path: Path) -> None:
    """Nobody has made the directory of the state before.

    That it has a name must be durable, too, and only a sync of the directory above it makes
    that sure.
    """
    outcome = power.power(tmp_path, sample=EXTREMES, first_run=True)
    print(f"\n{outcome}")
    assert not outcome.findings, str(outcome)


# --- the model ------------------------------------------------------------------------------

FOLDER, FILE, OTHER = 1, 2, 3


def _recording(*ops: Op) -> Recording:
    """A directory `config` with two files in it, and what is done to them."""
    first: Nodes = {
        0: Node(0o755, 0, 0, entries={"config": FOLDER}),
        FOLDER: Node(0o755, 0, 0, entries={"a": FILE, "b": OTHER}),
        FILE: Node(0o644, 0, 0, data=b"old"),
        OTHER: Node(0o644, 0, 0, data=b"other"),
    }
    return Recording(first, {}, ops, tuple(map(repr, ops)))


def _contents(recording: Recording, cut: Cut) -> dict[str, bytes] | None:
    found = facts(recording.tree(cut.k, cut.lost, dict(cut.torn)))
    if found is None:
        return None
    return {path[7:]: node.data for path, node in found.items() if node.entries is None}


def _ends(recording: Recording) -> list[dict[str, bytes]]:
    """What there may be after the last operation."""
    last = len(recording.ops)
    sample = Sample(exhaustive=8, richest=50)
    found = [_contents(recording, cut) for cut in cuts(recording, sample) if cut.k == last]
    return [one for one in found if one is not None]


def test_a_write_that_is_not_synced_may_be_lost_kept_or_torn() -> None:
    data = b"1" * 512 + b"2" * 512 + b"3" * 100
    ends = [end["a"] for end in _ends(_recording(Size(FILE, 0), Write(FILE, 0, data)))]
    assert {b"", b"old", data} <= set(ends)
    assert b"1" * 512 in ends  # a prefix
    assert bytes(len(data)) in ends  # the size without the bytes
    assert any(end.startswith(bytes(1024)) and end.endswith(b"3") for end in ends)  # no order


def test_a_synced_write_is_there_but_its_name_need_not_be() -> None:
    recording = _recording(Write(FILE, 0, b"new"), Sync(FILE))
    assert {end["a"] for end in _ends(recording)} == {b"new"}
    moved = _recording(Write(FILE, 0, b"new"), Entries(((FOLDER, "c", FILE),)), Sync(FILE))
    assert moved.pending(3) == [1]
    assert moved.pending(2) == [0, 1]


def test_a_sync_says_nothing_of_what_is_done_after_it() -> None:
    recording = _recording(Sync(FILE), Write(FILE, 0, b"new"))
    assert {end["a"] for end in _ends(recording)} >= {b"old", b"new"}


def test_the_sync_of_one_file_says_nothing_of_another() -> None:
    recording = _recording(Write(FILE, 0, b"new"), Write(OTHER, 0, b"newer"), Sync(FILE))
    assert recording.pending(3) == [1]


def test_a_data_sync_says_nothing_of_a_mode_but_all_of_a_directory() -> None:
    entry = Entries(((FOLDER, "a", None),))
    recording = _recording(
        Meta(FILE, mode=0o600), entry, Sync(FILE, data=True), Sync(FOLDER, data=True)
    )
    assert recording.pending(4) == [0]


def test_a_sync_of_everything_says_it_of_all() -> None:
    entry = Entries(((FOLDER, "a", None),))
    recording = _recording(Meta(FILE, mode=0o600), entry, Write(FILE, 0, b"x"), Sync(None))
    assert recording.pending(3) == [0, 1, 2]
    assert recording.pending(4) == []


def test_an_exchange_is_atomic_and_two_are_independent() -> None:
    exchange = Entries(((FOLDER, "a", OTHER), (FOLDER, "b", FILE)))
    once = {(end["a"], end["b"]) for end in _ends(_recording(exchange))}
    assert once == {(b"old", b"other"), (b"other", b"old")}
    away = Entries(((FOLDER, "b", None),))
    both = [tuple(sorted(end)) for end in _ends(_recording(exchange, away))]
    assert set(both) == {("a",), ("a", "b")}


def test_a_file_with_two_names_is_no_legal_state() -> None:
    first, second = ((FOLDER, "c", FILE), (FOLDER, "a", None)), ((FOLDER, "d", FILE),)
    recording = _recording(Entries(first), Entries((*second, (FOLDER, "c", None))))
    assert _contents(recording, Cut(2, frozenset((0,)))) is None
    assert _contents(recording, Cut(2, frozenset())) == {"d": b"old", "b": b"other"}


def test_the_extremes_are_looked_at_after_every_operation() -> None:
    recording = _recording(
        Write(FILE, 0, b"new"), Entries(((FOLDER, "b", None),)), Sync(FOLDER), Report()
    )
    looked = {(cut.k, cut.lost) for cut in cuts(recording, EXTREMES)}
    assert {(0, frozenset()), (1, frozenset((0,))), (2, frozenset((0, 1)))} <= looked
    assert {(2, frozenset((0,))), (2, frozenset((1,))), (3, frozenset((0,)))} <= looked
    singles = Sample(exhaustive=0, richest=0, torn=False)
    assert {(cut.k, cut.lost) for cut in cuts(recording, singles)} >= looked


def test_the_same_seed_draws_the_same_cuts() -> None:
    recording = _recording(*(Write(FILE, 600 * n, b"x" * 600) for n in range(6)))
    assert [*cuts(recording, Sample())] == [*cuts(recording, Sample())]
    assert [*cuts(recording, Sample())] != [*cuts(recording, Sample(seed=1))]


def test_what_is_left_of_a_torn_write_is_where_it_was_to_be() -> None:
    recording = _recording(Write(FILE, 2, b"abcdef"))
    torn = ((0, Torn(((2, 4),), sized=True)),)
    assert _contents(recording, Cut(1, frozenset(), torn)) == {
        "a": b"old\0cd\0\0",
        "b": b"other",
    }


# --- the recorder ---------------------------------------------------------------------------


def _hex(text: str) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'


def _recorded(tmp_path: Path, *lines: str) -> Recording:
    (tmp_path / "world/config").mkdir(parents=True)
    (tmp_path / "world/config/a").write_bytes(b"0123456789")
    recorder = Recorder((tmp_path / "world").resolve(), 0o022)
    log = tmp_path / "log"
    log.write_text("".join(f"7 {line}\n" for line in lines))
    return recorder.recording(log)


def test_reads_seeks_and_duplicates_move_the_place_of_the_next_write(tmp_path: Path) -> None:
    recording = _recorded(
        tmp_path,
        f"openat(AT_FDCWD, {_hex('config/a')}, O_RDWR) = 3",
        "read(0x3, 0x7f00, 0x4) = 0x4",
        "dup(3) = 4",
        f"write(4, {_hex('X')}, 1) = 1",
        "lseek(3, 8, SEEK_SET) = 8",
        f"pwrite64(3, {_hex('Y')}, 1, 0) = 1",
        f"write(3, {_hex('Z')}, 1) = 1",
        "close(3) = 0",
        f"write(3, {_hex('not ours')}, 8) = 8",
    )
    [found] = [node.data for node in recording.tree(3).values() if node.data]
    assert found == b"Y123X567Z9"


def test_paths_are_taken_relative_to_open_directories(tmp_path: Path) -> None:
    recording = _recorded(
        tmp_path,
        f"openat(AT_FDCWD, {_hex('config')}, O_RDONLY|O_DIRECTORY) = 3",
        f"openat2(3, {_hex('.')}, {{flags=O_RDONLY, resolve=RESOLVE_BENEATH}}, 24) = 5",
        f"openat(5, {_hex('new')}, O_RDWR|O_CREAT|O_EXCL, 0640) = 4",
        f"renameat2(5, {_hex('new')}, 5, {_hex('a')}, RENAME_EXCHANGE) = 0",
        f"unlinkat(3, {_hex('new')}, 0) = 0",
        "fsync(5) = 0",
    )
    found = facts(recording.tree(len(recording.ops)))
    assert found is not None
    assert found["config/a"].mode == 0o640
    assert [*found] == ["config", "config/a"]
    assert recording.pending(len(recording.ops)) == []
    assert recording.pending(3) == [0, 1, 2]


@pytest.mark.parametrize(
    "line",
    [
        f"link({_hex('config/a')}, {_hex('config/b')}) = 0",
        "copy_file_range(3, NULL, 3, NULL, 10, 0) = 10",
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0) = 0x7f00",
        f"write(3, {_hex('ab')}..., 4) = 4",
        f"openat(AT_FDCWD, {_hex('elsewhere')}, O_RDWR|O_CREAT, 0600) = 4",
        f"renameat2(AT_FDCWD, {_hex('config/a')}, AT_FDCWD, {_hex('/tmp/a')}, 0) = 0",
        f"chdir({_hex('config')}) = 0",
        "clone3({flags=CLONE_VM}, 88) = 8",
        "fsync(3 <unfinished ...>",
    ],
)
def test_what_the_model_does_not_know_is_an_error(tmp_path: Path, line: str) -> None:
    with pytest.raises(Unmodelled):
        _recorded(tmp_path, f"openat(AT_FDCWD, {_hex('config/a')}, O_RDWR) = 3", line)


def test_a_call_that_failed_did_nothing(tmp_path: Path) -> None:
    recording = _recorded(
        tmp_path, f"unlinkat(AT_FDCWD, {_hex('config/a')}, 0) = -1 EIO (Input/output error)"
    )
    assert recording.ops == ()
