"""Odd targets, for real: filesystems, mounts, full disks, strange files, foreign owners, locks.

Whatever the place is like: refused or done, one clear named error, nothing half-written, nothing
lost, nothing of ours left over, and once the cause is gone the next run ends well.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import odd
from tests.e2e.odd import NOBODY, OTHER, ROOT, Mounts, Odd, OddDaemon, User, told
from tests.e2e.test_partial_failure import KILL_AFTER_FIRST
from tests.e2e.world import Done, document, until

pytestmark = pytest.mark.slow
AS_BOTH = pytest.mark.parametrize("user", [ROOT, OTHER], ids=["root", "nobody"])
SETTLED = ("ABORTED", "DONE")


@pytest.fixture(scope="module")
def apart() -> Iterator[str]:
    """Mounts of our own, and the processes that see them; or why there are none."""
    with odd.apart() as why_not, odd.servers():
        yield why_not


@pytest.fixture
def place(apart: str) -> Iterator[Path]:
    """A directory that everybody may enter."""
    odd.require(ROOT)
    with odd.room() as folder:
        yield folder


@pytest.fixture
def mounts(apart: str, place: Path) -> Iterator[Mounts]:
    """What the test mounts, and unmounts at the end."""
    if apart:
        pytest.skip(apart)
    found = Mounts(place)
    try:
        yield found
    finally:
        found.close()


def world(place: Path, user: User = ROOT, *names: str, **more: Any) -> Odd:
    """A world with these documents."""
    odd.require(user)
    made = Odd(place / "world", user, **more)
    for name in names:
        made.mine(name)
    return made


def originals(made: Odd, *names: str) -> None:
    """These documents are as they were made."""
    for name in names:
        assert (made.config / name).read_bytes() == document(Path(name).stem).encode(), name


def problems(made: Odd, done: Done | None = None) -> dict[str, str | None]:
    """What is said of each document (by ``status``, or by a run)."""
    data = made.run("status", "--json").json if done is None else done.json
    return {d["path"]: d["problem"] for d in data["targets"][0]["documents"]}


# --- filesystems

KINDS = ("ext4", "ext2", "tmpfs", "ramfs", "overlay", "xfs", "btrfs")


@AS_BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_a_filesystem_that_can_exchange_takes_the_whole_life(
    mounts: Mounts, place: Path, kind: str, user: User
) -> None:
    made = world(place, user, patterns=("*.yaml", "s/*.yaml"))
    mounts.kind(kind, made.config)
    made.own()
    made.mine("a.yaml", mode=0o640)
    made.mine("s/b.yaml", mode=0o600)
    loose = made.mine("loose.txt", document("loose"), mode=0o604)
    for name in ("a.yaml", "s/b.yaml", "loose.txt"):
        try:
            os.setxattr(made.config / name, "user.note", b"by hand\0\xff")
        except OSError:
            assert kind == "ramfs"
    shutil.rmtree(made.config / "lost+found", ignore_errors=True)
    told_of = {n: odd.metadata(made.config / n) for n in ("a.yaml", "s/b.yaml", "loose.txt")}

    assert made.run("plan").code == 0
    made.ends_well("a.yaml", "s/b.yaml")
    assert made.migrate(loose).code == 0
    assert b"schema_version: 2" in loose.read_bytes()
    assert {n: odd.metadata(made.config / n) for n in told_of} == told_of
    back = made.run("rollback", "--last")
    assert back.code == 0, back
    originals(made, "a.yaml", "s/b.yaml")
    assert {n: odd.metadata(made.config / n) for n in told_of} == told_of
    made.clean()


@pytest.mark.parametrize("kind", KINDS)
def test_many_files_are_flushed_at_once_on_every_filesystem(
    mounts: Mounts, place: Path, kind: str
) -> None:
    made = world(place)
    mounts.kind(kind, made.config)
    names = [f"{n:02}.yaml" for n in range(40)]
    for name in names:
        made.mine(name)
    made.ends_well(*names)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_between_two_exchanges_is_finished_on_every_filesystem(
    mounts: Mounts, place: Path, kind: str
) -> None:
    made = world(place)
    mounts.kind(kind, made.config)
    names = ("a.yaml", "b.yaml", "c.yaml")
    for name in names:
        made.mine(name)
    killed = made.drive(KILL_AFTER_FIRST, "run", "--once")
    assert killed.code == -signal.SIGKILL, killed
    assert [made.version(n) for n in names] == [2, 0, 0]
    made.ends_well(*names)


@AS_BOTH
@pytest.mark.parametrize("kinds", [("ext4", "tmpfs"), ("tmpfs", "ext4"), ("overlay", "xfs")])
def test_config_and_state_on_two_filesystems_survive_a_kill_between_exchanges(
    mounts: Mounts, place: Path, kinds: tuple[str, str], user: User
) -> None:
    made = world(place, user)
    mounts.kind(kinds[0], made.config)
    made.state.mkdir()
    mounts.kind(kinds[1], made.state)
    made.own()
    names = ("a.yaml", "b.yaml", "c.yaml")
    for name in names:
        made.mine(name)
    killed = made.drive(KILL_AFTER_FIRST, "run", "--once")
    assert killed.code == -signal.SIGKILL, killed
    assert [made.version(n) for n in names] == [2, 0, 0]
    # the stages of the two others are gone: they are made again from the images in the state
    for left in list(made.config.glob(".confmig-*"))[1:]:
        left.unlink()
    made.ends_well(*names)
    assert made.run("rollback", "--last").code == 0
    originals(made, *names)


def test_a_document_of_the_lower_layer_of_an_overlay_migrates_and_the_layer_stays(
    mounts: Mounts, place: Path
) -> None:
    made = world(place)
    mounts.overlay(made.config, {"a.yaml": document("a"), "b.yaml": document("b")})
    below = place / "overlay" / "lower"
    made.ends_well("a.yaml", "b.yaml")
    assert (below / "a.yaml").read_text() == document("a")
    assert made.run("rollback", "--last").code == 0
    originals(made, "a.yaml", "b.yaml")


def refuses_to_exchange(made: Odd, names: tuple[str, ...]) -> None:
    before = made.content()
    done = made.once()
    told(done, "no_exchange", names[0], 4)
    assert "help: put the configuration on" in done.out + done.err
    assert made.content() == before
    made.clean()
    alone = made.migrate(made.config / names[0])
    told(alone, "no_exchange", names[0], 1)
    assert made.content() == before
    made.clean()


@AS_BOTH
def test_a_filesystem_without_exchange_is_refused_by_name(
    mounts: Mounts, place: Path, user: User
) -> None:
    """FUSE of the second generation has no flags for rename."""
    made = world(place, user)
    made.mine("a.yaml")
    odd.need("bindfs", made.config, made.config)
    mounts.points.append(made.config)
    if not made.config.is_mount() or odd.exchanges(made.config):
        pytest.skip("this bindfs can exchange")
    refuses_to_exchange(made, ("a.yaml",))
    mounts.unmount(made.config)
    mended(made, "a.yaml")


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_a_filesystem_without_owners_is_refused_or_done_right(
    mounts: Mounts, place: Path, kind: str
) -> None:
    made = world(place)
    mounts.kind(kind, made.config)
    (made.config / "a.yaml").write_text(document("a"))
    before = made.content()
    done = made.once()
    if done.code:
        assert "no_exchange" in done.out or "io_error" in done.out, done
        assert made.content() == before
    else:
        assert made.version("a.yaml") == 2
    made.clean()


@AS_BOTH
def test_where_the_kernel_says_no_to_an_exchange_nothing_changes(place: Path, user: User) -> None:
    made = world(place, user, "a.yaml", "b.yaml")
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    inject = "inject=renameat2:error=EINVAL"
    made.before = ("strace", "-f", "-qq", "-o", str(place / "strace"), "-e", inject)
    if odd.execute([*made.before, "true"]).code:
        pytest.skip("strace is not permitted")
    refuses_to_exchange(made, ("a.yaml", "b.yaml"))
    made.before = ()
    mended(made, "a.yaml", "b.yaml")


def mended(made: Odd, *names: str) -> None:
    """The cause of a failure is gone, and the operator said ``retry``: the next run migrates.

    That the plain next run does so, too, is a test of its own (``test_once_the_cause_is_gone``).
    """
    for hold in made.status()["holds"]:
        done = made.run("retry", hold["id"])
        assert done.code == 0, done
    made.ends_well(*names)


# --- read-only


@AS_BOTH
@pytest.mark.parametrize("how", ["bind", "whole"])
def test_a_read_only_target_is_told_at_plan_and_nothing_is_tried(
    mounts: Mounts, place: Path, user: User, how: str
) -> None:
    made = world(place, user)
    if how == "whole":
        mounts.tmpfs(made.config)
        made.own()
    made.mine("a.yaml")
    made.mine("b.yaml")
    assert made.run("plan").code == 0
    before = made.facts()
    if how == "bind":
        mounts.bind(made.config, made.config, read_only=True)
    else:
        mounts.writable(made.config, False)

    plan = made.run("plan", "--json")
    assert plan.code == 0, plan
    pending = plan.json["targets"][0]["pending"]
    assert {p["reason"] for p in pending} == {"target_read_only"}
    assert all(p["verdict"] == "hold" for p in pending)
    assert not made.state.exists()
    for _ in range(2):
        done = made.once()
        assert done.code == 3, done
        assert "target_read_only: the target is mounted read-only" in done.out
    assert made.facts() == before
    assert made.query("SELECT count(*) FROM transactions") == [(0,)]
    assert made.run("status").code == 0
    alone = made.migrate(made.config / "a.yaml")
    assert alone.code == 1, alone
    assert "Read-only file system" in alone.err
    assert "mount it writable" in alone.err

    if how == "bind":
        mounts.unmount(made.config)
    else:
        mounts.writable(made.config, True)
    made.ends_well("a.yaml", "b.yaml")

    # a rollback needs to write as well
    after = made.content()
    if how == "bind":
        mounts.bind(made.config, made.config, read_only=True)
    else:
        mounts.writable(made.config, False)
    back = made.run("rollback", "--last")
    assert back.code in (3, 4), back
    assert "read" in back.err.lower()
    assert made.content() == after
    if how == "bind":
        mounts.unmount(made.config)
    else:
        mounts.writable(made.config, True)
    again = made.run("rollback", "--last")
    assert again.code == 0, again
    originals(made, "a.yaml", "b.yaml")
    made.clean()


@AS_BOTH
def test_a_read_only_state_stops_what_writes_and_is_still_read(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml")
    made.state.mkdir(mode=0o700)
    mounts.tmpfs(made.state, more=",mode=700")
    made.own()
    made.ends_well("a.yaml")
    made.mine("b.yaml")
    before = made.content()
    mounts.writable(made.state, False)
    for words in (["run", "--once"], ["rollback", "--last"], ["retry", "0001_listen"]):
        done = made.run(*words)
        assert done.code == 4, done
        assert str(made.state) in done.err, done
        assert "help: " in done.err, done
    assert made.content() == before
    mounts.writable(made.state, True)
    made.ends_well("a.yaml", "b.yaml")


@AS_BOTH
def test_status_and_plan_read_a_state_on_a_read_only_mount(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml")
    made.ends_well("a.yaml")
    mounts.bind(made.state, made.state, read_only=True)
    for words in (["status"], ["plan"], ["events"], ["history"]):
        done = made.run(*words)
        assert done.code == 0, done


READ_ONLY_AT = """
import subprocess
from confmig.transactions.runner import Transactor
from confmig.transactions.file_exchange import FileExchange
from confmig.adapters.files.disk import Disk
def shut():
    if WHERE == "config":
        subprocess.run(["mount", "-o", "remount,ro", WORLD + "/config"], check=True)
    else:  # as the kernel does it for a disk that fails, though files are open
        with open(f"/sys/fs/ext4/{DEVICE}/trigger_fs_error", "w") as file:
            file.write("1")
def before(kind, name):
    real = getattr(kind, name)
    def changed(self, *args, **named):
        setattr(kind, name, real)
        shut()
        return real(self, *args, **named)
    setattr(kind, name, changed)
def after_first(kind, name):
    real = getattr(kind, name)
    def changed(self, *args, **named):
        setattr(kind, name, real)
        real(self, *args, **named)
        shut()
    setattr(kind, name, changed)
"""


@pytest.mark.parametrize(
    ("where", "hook", "code", "versions"),
    [
        ("config", "before(Transactor, 'intend')", 4, (0, 0)),
        ("config", "before(FileExchange, 'stage')", 4, (0, 0)),
        ("config", "before(Transactor, 'prepare')", 4, (0, 0)),
        ("config", "before(FileExchange, 'exchange')", 4, (0, 0)),
        ("config", "after_first(FileExchange, 'swap_in')", 4, (2, 0)),
        ("config", "before(Transactor, 'commit')", 7, (2, 2)),
        ("config", "before(Transactor, 'clean_up')", 7, (2, 2)),
        ("state", "before(Transactor, 'intend')", 4, (0, 0)),
        ("state", "before(Transactor, 'prepare')", 4, (0, 0)),
        ("state", "after_first(FileExchange, 'swap_in')", 4, (2, 2)),
        ("state", "before(Transactor, 'commit')", 4, (2, 2)),
        ("state", "before(Transactor, 'clean_up')", 4, (2, 2)),
    ],
)
def test_a_mount_that_becomes_read_only_in_the_middle_is_settled_by_the_next_run(
    mounts: Mounts,
    place: Path,
    where: str,
    hook: str,
    code: int,
    versions: tuple[int, int],
) -> None:
    made = world(place)
    mounts.tmpfs(made.config)
    made.state.mkdir()
    mounts.loop("ext4", made.state, 16, "-q", options=",errors=remount-ro")
    (made.state / "lost+found").rmdir()
    device = mounts.device(made.state)
    if where == "state" and not Path(f"/sys/fs/ext4/{device}/trigger_fs_error").exists():
        pytest.skip("this kernel cannot be made to find an error in ext4")
    made.mine("a.yaml")
    made.mine("b.yaml")
    said = f"WHERE, DEVICE = {where!r}, {device!r}\n{READ_ONLY_AT}\n{hook}"
    done = made.drive(said, "run", "--once")
    odd.orderly(done)
    assert done.code == code, done
    assert "help: " in done.out + done.err, done
    assert (made.version("a.yaml"), made.version("b.yaml")) == versions
    still = odd.orderly(made.once())
    assert still.code in (3, 4, 5, 7), still
    if where == "config":
        mounts.writable(made.config, True)
    else:
        mounts.repair(made.state)
    mended(made, "a.yaml", "b.yaml")


# --- mounts inside the target


@AS_BOTH
def test_a_single_file_bind_mount_is_refused_by_name(
    mounts: Mounts, place: Path, user: User
) -> None:
    """It holds only itself, as every file that cannot be read does."""
    made = world(place, user, "a.yaml", "b.yaml")
    outside = place / "outside.yaml"
    outside.write_text(document("b"))
    os.chown(outside, user.uid, user.uid)
    mounts.bind(outside, made.config / "b.yaml")
    done = told(made.once(), "target_is_mount", "b.yaml", 1)
    assert "help: mount its directory instead" in done.out
    assert made.version("a.yaml") == 2
    assert outside.read_text() == document("b")
    made.clean()
    told(made.migrate(made.config / "b.yaml"), "target_is_mount", "b.yaml", 1)
    assert outside.read_text() == document("b")
    made.clean()
    mounts.unmount(made.config / "b.yaml")
    made.ends_well("a.yaml", "b.yaml")


def test_a_rollback_of_what_is_a_mount_by_now_changes_nothing(mounts: Mounts, place: Path) -> None:
    made = world(place, ROOT, "a.yaml", "b.yaml")
    made.ends_well("a.yaml", "b.yaml")
    mounts.bind(made.config / "b.yaml", made.config / "b.yaml")
    before = made.content()
    for discard in ((), ("--discard-later-edits",)):
        done = told(made.run("rollback", "--last", *discard), "target_is_mount", "b.yaml", 1)
        assert "mount its directory instead" in done.out + done.err
    assert made.content() == before
    made.clean()
    mounts.unmount(made.config / "b.yaml")
    done = made.run("rollback", "--last")
    assert done.code == 0, done
    originals(made, "a.yaml", "b.yaml")
    made.clean()


@AS_BOTH
def test_a_submount_below_the_root_is_part_of_the_target(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml", patterns=("**/*.yaml",))
    mounts.tmpfs(made.config / "sub")
    made.own()
    names = ["a.yaml", *(f"sub/{n:02}.yaml" for n in range(40))]
    for name in names[1:]:
        made.mine(name)
    killed = made.drive(KILL_AFTER_FIRST, "run", "--once")
    assert killed.code == -signal.SIGKILL, killed
    made.ends_well(*names)
    assert made.run("rollback", "--last").code == 0
    originals(made, *names)


@AS_BOTH
def test_a_read_only_submount_fails_the_step_by_name_and_changes_nothing(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml", patterns=("**/*.yaml",))
    mounts.tmpfs(made.config / "sub")
    made.own()
    made.mine("sub/b.yaml")
    mounts.writable(made.config / "sub", False)
    before = made.content()
    done = made.once()
    assert done.code in (1, 3, 4), done
    assert made.content() == before
    made.clean()
    mounts.writable(made.config / "sub", True)
    made.ends_well("a.yaml", "sub/b.yaml")


# --- full disks


def small_disk(mounts: Mounts, made: Odd, at: Path, *make: str) -> None:
    at.mkdir(exist_ok=True)
    mounts.loop("ext4", at, 8, "-q", "-m", "0", *make)
    (at / "lost+found").rmdir()
    made.own()


@AS_BOTH
def test_a_full_configuration_disk_is_named_and_the_next_run_with_room_ends_well(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = world(place, user)
    small_disk(mounts, made, made.config)
    made.mine("a.yaml")
    made.mine("b.yaml")
    filler = odd.fill(made.config)
    done = told(made.once(), "io_error", "", 4)
    assert "No space left on device" in done.out
    assert "help: make room on the disk, then run again" in done.out
    originals(made, "a.yaml", "b.yaml")
    made.clean()
    filler.unlink()
    made.ends_well("a.yaml", "b.yaml")
    # the way back needs room as well
    filler = odd.fill(made.config)
    after = {n: made.content()[n] for n in ("a.yaml", "b.yaml")}
    back = made.run("rollback", "--last")
    assert back.code == 4, back
    assert "make room" in back.err
    assert {n: made.content()[n] for n in after} == after
    made.clean()
    filler.unlink()
    assert made.run("rollback", "--last").code == 0
    originals(made, "a.yaml", "b.yaml")


@pytest.mark.parametrize("count", [20, 50])
@AS_BOTH
def test_a_disk_that_fills_in_the_middle_of_many_files_leaves_all_old(
    mounts: Mounts, place: Path, user: User, count: int
) -> None:
    made = world(place, user)
    small_disk(mounts, made, made.config)
    names = [f"{n:02}.yaml" for n in range(count)]
    for name in names:
        made.mine(name)
    filler = odd.fill(made.config, leave=count // 2 * 1024)
    done = made.once()
    assert done.code == 4, done
    assert "make room on the disk" in done.out + done.err
    originals(made, *names)
    made.clean()
    filler.unlink()
    made.ends_well(*names)


@AS_BOTH
def test_no_inodes_left_is_named_and_leaves_all_old(
    mounts: Mounts, place: Path, user: User
) -> None:
    made = world(place, user)
    small_disk(mounts, made, made.config, "-N", "64")
    names = [f"{n:02}.yaml" for n in range(10)]
    for name in names:
        made.mine(name)
    takers = made.config / "takers"
    takers.mkdir()
    count = 0
    try:
        while True:
            (takers / str(count)).touch()
            count += 1
    except OSError:
        pass
    for n in range(4):  # room for four of ten stages
        (takers / str(n)).unlink()
    done = made.once()
    assert done.code == 4, done
    assert "No space left on device" in done.out + done.err
    originals(made, *names)
    made.clean()
    shutil.rmtree(takers)
    made.ends_well(*names)


@AS_BOTH
@pytest.mark.parametrize("when", ["at first", "later"])
def test_a_full_state_disk_is_named_and_no_document_changes(
    mounts: Mounts, place: Path, user: User, when: str
) -> None:
    made = world(place, user)
    small_disk(mounts, made, made.state)
    if when == "later":
        made.mine("z.yaml")
        made.ends_well("z.yaml")
    made.mine("a.yaml")
    made.mine("b.yaml")
    filler = odd.fill(made.state)
    for _ in range(2):
        done = made.once()
        assert done.code == 4, done
        assert str(made.state) in done.out + done.err, f"the place is not named: {done}"
        originals(made, "a.yaml", "b.yaml")
        assert list(made.config.glob(".confmig-*")) == []
    assert made.run("status").code in (0, 4)
    filler.unlink()
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.parametrize("blocks", [8, 24, 48, 72, 96, 128])
def test_a_state_disk_that_fills_anywhere_in_a_run_loses_nothing(
    mounts: Mounts, place: Path, blocks: int
) -> None:
    """From images to the last commit: with a little more room it gets a little further."""
    made = world(place)
    small_disk(mounts, made, made.state)
    names = [f"{n:02}.yaml" for n in range(12)]
    for name in names:
        made.mine(name)
    made.mine("first.yaml")
    made.state.chmod(0o700)
    filler = odd.fill(made.state, leave=blocks * 1024)
    done = made.once()
    assert done.code in (0, 4, 7), done
    versions = {made.version(name) for name in names}
    assert len(versions) == 1 or done.code == 4, (versions, done)
    filler.unlink()
    made.ends_well("first.yaml", *names)


@pytest.mark.parametrize("what", ["read-only", "full"])
def test_a_state_that_cannot_be_written_is_not_told_to_be_restored_from_a_backup(
    mounts: Mounts, place: Path, what: str
) -> None:
    """Nothing in it is broken; a restore would throw away what it knows."""
    made = world(place, ROOT)
    small_disk(mounts, made, made.state)
    made.mine("a.yaml")
    made.ends_well("a.yaml")
    made.mine("b.yaml")
    if what == "full":
        odd.fill(made.state)
    else:
        mounts.writable(made.state, False)
    done = made.once()
    assert done.code == 4, done
    assert "restore-state" not in done.err, done
    assert ("make room" if what == "full" else "writable") in done.err, done


# --- what is said, and what happens then


def full(mounts: Mounts, made: Odd) -> Callable[[], object]:
    small_disk(mounts, made, made.config)
    made.mine("a.yaml")
    return odd.fill(made.config).unlink


def shut(mounts: Mounts, made: Odd) -> Callable[[], object]:
    made.mine("a.yaml")
    os.chown(made.config, 0, 0)
    return lambda: os.chown(made.config, NOBODY, NOBODY)


def frozen(mounts: Mounts, made: Odd) -> Callable[[], object]:
    file = made.mine("a.yaml")
    odd.need("chattr", "+i", made.config)
    assert file.exists()
    return lambda: odd.need("chattr", "-i", made.config)


def frozen_file(mounts: Mounts, made: Odd) -> Callable[[], object]:
    file = made.mine("a.yaml")
    odd.need("chattr", "+i", file)
    return lambda: odd.need("chattr", "-i", file)


def labelled(mounts: Mounts, made: Odd) -> Callable[[], object]:
    file = made.mine("a.yaml")
    os.setxattr(file, "security.note", b"label")
    return lambda: os.removexattr(file, "security.note")


def grouped(mounts: Mounts, made: Odd) -> Callable[[], object]:
    file = made.mine("a.yaml")
    os.chown(file, NOBODY, 12345)
    return lambda: os.chown(file, NOBODY, NOBODY)


def bound(mounts: Mounts, made: Odd) -> Callable[[], object]:
    file = made.mine("a.yaml")
    mounts.bind(file, file)
    return lambda: mounts.unmount(file)


def cannot(mounts: Mounts, made: Odd) -> Callable[[], object]:
    made.mine("a.yaml")
    odd.need("bindfs", made.config, made.config)
    mounts.points.append(made.config)
    if odd.exchanges(made.config):
        pytest.skip("this bindfs can exchange")
    return lambda: mounts.unmount(made.config)


CAUSES = [full, shut, frozen, frozen_file, labelled, grouped, bound, cannot]
# found by reading: the file holds only itself. The others: a commit failed.
EXITS: dict[object, int] = {bound: 1}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda f: f.__name__)
def test_the_error_names_the_file_that_it_is_about(
    mounts: Mounts, place: Path, cause: Callable[[Mounts, Odd], Callable[[], object]]
) -> None:
    made = world(place, OTHER)
    end = cause(mounts, made)
    try:
        done = made.once()
    finally:
        end()
    assert done.code == EXITS.get(cause, 4), done
    lines = (done.out + done.err).splitlines()
    [at] = [n for n, line in enumerate(lines) if "help: " in line]
    assert "a.yaml: " in lines[at - 1], lines


@pytest.mark.parametrize("cause", CAUSES, ids=lambda f: f.__name__)
def test_migrate_without_a_state_leaves_nothing_of_its_own_behind(
    mounts: Mounts, place: Path, cause: Callable[[Mounts, Odd], Callable[[], object]]
) -> None:
    """Nobody would know of it: there is no state, and no later run that cleans up."""
    made = world(place, OTHER)
    end = cause(mounts, made)
    before = made.content()
    try:
        done = made.migrate(made.config / "a.yaml")
        held = made.content()
    finally:
        end()
    assert done.code == 1, done
    assert "a.yaml: " in done.err, done
    assert "help: " in done.err, done
    assert held == before
    again = made.migrate(made.config / "a.yaml")
    assert again.code == 0, again
    assert made.version("a.yaml") == 2
    made.clean()


@pytest.mark.parametrize("cause", CAUSES, ids=lambda f: f.__name__)
def test_once_the_cause_is_gone_the_plain_next_run_ends_well(
    mounts: Mounts, place: Path, cause: Callable[[Mounts, Odd], Callable[[], object]]
) -> None:
    """No message says that a ``retry`` is needed, and nothing in the input is wrong."""
    made = world(place, OTHER)
    end = cause(mounts, made)
    try:
        done = made.once()
    finally:
        end()
    assert done.code == EXITS.get(cause, 4), done
    originals(made, "a.yaml")
    if "confmig retry" in done.out:
        mended(made, "a.yaml")
    else:
        made.ends_well("a.yaml")


# --- files that nobody may change

ATTRIBUTES = [("i", "a.yaml"), ("a", "a.yaml"), ("i", "."), ("a", ".")]


@AS_BOTH
@pytest.mark.parametrize(("flag", "name"), ATTRIBUTES)
def test_an_immutable_or_append_only_place_is_named_and_nothing_changes(
    mounts: Mounts, place: Path, user: User, flag: str, name: str
) -> None:
    made = world(place, user)
    mounts.kind("ext4", made.config)
    (made.config / "lost+found").rmdir()
    made.own()
    made.mine("a.yaml")
    made.mine("b.yaml")
    before = made.content()
    odd.need("chattr", f"+{flag}", made.config / name)
    try:
        done = made.once()
        alone = made.migrate(made.config / "a.yaml")
        held = made.content()
    finally:
        odd.need("chattr", f"-{flag}", made.config / name)
    assert alone.code == 1, alone
    assert "help: " in alone.err
    assert done.code == 4, done
    assert "Operation not permitted" in done.out + done.err
    if (flag, name) != ("a", "."):  # there a stage can be made, but not removed
        assert held == before, f"not as it was: {done}"
        told(done, "io_error", "", 4)
        assert "help: check owner and attributes of the file and its directory" in done.out
    assert {n: held[n] for n in before} == before
    for left in made.config.glob(".confmig-*"):
        if left.name in alone.err:  # it told the operator, who removes it
            left.unlink()
    mended(made, "a.yaml", "b.yaml")


def test_a_file_that_becomes_immutable_after_its_exchange_is_settled_later(
    mounts: Mounts, place: Path
) -> None:
    """The undo of the first file fails, too: recovery in a new process settles it."""
    made = world(place)
    mounts.kind("ext4", made.config)
    made.mine("a.yaml")
    made.mine("b.yaml")
    shut = (
        "import subprocess\nfrom confmig.transactions.file_exchange import FileExchange\n"
        "swap = FileExchange.swap_in\n"
        "def once(self, file):\n"
        "    swap(self, file)\n"
        "    subprocess.run(['chattr', '+i', WORLD + '/config/a.yaml'], check=True)\n"
        "    subprocess.run(['chattr', '+i', WORLD + '/config/b.yaml'], check=True)\n"
        "FileExchange.swap_in = once\n"
    )
    try:
        done = odd.orderly(made.drive(shut, "run", "--once"))
        assert done.code in (4, 5), done
        again = made.once()
        assert again.code in (4, 5), again
        assert (made.version("a.yaml"), made.version("b.yaml")) == (2, 0)
    finally:
        odd.need("chattr", "-i", made.config / "a.yaml", made.config / "b.yaml")
    made.ends_well("a.yaml", "b.yaml")


# --- rights


@AS_BOTH
def test_a_file_without_write_permission_is_ours_to_exchange_and_keeps_its_mode(
    place: Path, user: User
) -> None:
    made = world(place, user)
    made.mine("a.yaml", mode=0o444)
    made.mine("b.yaml", mode=0o400)
    made.ends_well("a.yaml", "b.yaml")
    assert (made.config / "a.yaml").stat().st_mode & 0o7777 == 0o444
    assert (made.config / "b.yaml").stat().st_mode & 0o7777 == 0o400


@AS_BOTH
def test_a_directory_that_we_may_not_write_is_named(place: Path, user: User) -> None:
    made = world(place, user, "a.yaml")
    made.config.chmod(0o555)
    if user is ROOT:
        made.ends_well("a.yaml")
        assert made.config.stat().st_mode & 0o7777 == 0o555
        return
    before = made.facts()
    done = told(made.once(), "io_error", "", 4)
    assert "Permission denied" in done.out
    assert "help: check the rights of the file and its directory" in done.out
    assert made.facts() == before
    told(made.migrate(made.config / "a.yaml"), "io_error", "a.yaml", 1)
    assert made.facts() == before
    made.config.chmod(0o755)
    made.ends_well("a.yaml")


def test_a_root_that_we_may_not_read_is_named(place: Path) -> None:
    made = world(place, OTHER, "a.yaml")
    made.config.chmod(0o300)
    for words in (["run", "--once"], ["plan"], ["status"]):
        told(made.run(*words), "target_unreadable", str(made.config), 1)
    made.config.chmod(0o755)
    made.ends_well("a.yaml")


def test_a_directory_below_that_we_may_not_read_is_named(place: Path) -> None:
    made = world(place, OTHER, "a.yaml", "s/b.yaml", patterns=("**/*.yaml",))
    os.chown(made.config / "s", 0, 0)
    (made.config / "s").chmod(0o700)
    for words in (["run", "--once"], ["plan"], ["status"]):
        told(made.run(*words), "target_unreadable", "s/", 1)
    assert made.migrate(made.config / "s" / "b.yaml").code == 1
    os.chown(made.config / "s", NOBODY, NOBODY)
    made.ends_well("a.yaml", "s/b.yaml")


def test_a_directory_that_no_pattern_reaches_need_not_be_readable(place: Path) -> None:
    """``lost+found`` of a volume's root belongs to root, and is nobody's business."""
    made = world(place, OTHER, "a.yaml", "s/b.yaml", patterns=("*.yaml", "s/*.yaml"))
    (made.config / "lost+found").mkdir(mode=0o700)
    made.ends_well("a.yaml", "s/b.yaml")


def test_a_file_that_we_may_not_read_does_not_hold_the_others(place: Path) -> None:
    made = world(place, OTHER, "a.yaml")
    made.mine("b.yaml", mode=0o000)
    done = made.once("--json")
    assert done.code == 1, done
    assert problems(made, done) == {"a.yaml": None, "b.yaml": "document_unreadable"}
    assert made.version("a.yaml") == 2
    told(made.run("plan"), "document_unreadable", "b.yaml", 0)
    (made.config / "b.yaml").chmod(0o600)
    made.ends_well("a.yaml", "b.yaml")
    assert (made.config / "b.yaml").stat().st_mode & 0o7777 == 0o600


def test_a_foreign_owner_is_refused_without_the_right_to_give_files_away(place: Path) -> None:
    made = world(place, OTHER, "a.yaml")
    foreign = made.mine("b.yaml")
    os.chown(foreign, 12345, NOBODY)
    before = foreign.stat()
    done = made.once("--json")
    assert done.code == 1, done
    assert problems(made, done) == {"a.yaml": None, "b.yaml": "foreign_owner"}
    assert made.version("a.yaml") == 2
    assert (foreign.stat().st_ino, foreign.read_text()) == (before.st_ino, document("b"))
    told(made.migrate(foreign), "foreign_owner", "b.yaml", 1)
    os.chown(foreign, NOBODY, NOBODY)
    made.ends_well("a.yaml", "b.yaml")


def test_a_foreign_group_is_kept_or_refused_but_never_lost(place: Path) -> None:
    made = world(place, OTHER, "a.yaml")
    os.chown(made.config / "a.yaml", NOBODY, 12345)
    before = made.facts()
    done = told(made.once(), "io_error", "", 4)
    assert "Operation not permitted" in done.out
    assert made.facts() == before
    made.clean()
    os.chown(made.config / "a.yaml", NOBODY, NOBODY)
    made.ends_well("a.yaml")


def test_a_foreign_owner_is_kept_by_root_forward_and_back(place: Path) -> None:
    made = world(place, ROOT, "a.yaml", "b.yaml")
    os.chown(made.config / "a.yaml", 12345, 23456)
    os.chown(made.config / "b.yaml", 12345, 0)
    (made.config / "a.yaml").chmod(0o460)
    loose = made.mine("loose.txt", document("loose"), mode=0o604)
    os.chown(loose, 4321, 1234)
    names = ("a.yaml", "b.yaml", "loose.txt")
    before = {n: odd.metadata(made.config / n) for n in names}
    made.ends_well("a.yaml", "b.yaml")
    assert made.migrate(loose).code == 0
    assert {n: odd.metadata(made.config / n) for n in names} == before
    assert made.run("rollback", "--last").code == 0
    assert {n: odd.metadata(made.config / n) for n in names} == before
    originals(made, "a.yaml", "b.yaml")


# --- metadata

MODES = (0o600, 0o640, 0o644, 0o664, 0o666, 0o444, 0o400, 0o440, 0o404, 0o755, 0o777, 0o1644)


@AS_BOTH
def test_every_mode_is_kept_forward_and_back(place: Path, user: User) -> None:
    made = world(place, user)
    names = {f"{mode:04o}.yaml": mode for mode in MODES}
    if user is ROOT:
        names |= {f"{mode:04o}.yaml": mode for mode in (0o000, 0o200, 0o060)}
    for name, mode in names.items():
        made.mine(name, mode=mode)
    made.ends_well(*names)

    def modes() -> dict[str, int]:
        return {n: stat.S_IMODE((made.config / n).stat().st_mode) for n in names}

    assert modes() == names
    assert made.run("rollback", "--last").code == 0
    assert modes() == names


@AS_BOTH
def test_a_setgid_directory_does_not_change_the_group_of_a_file(place: Path, user: User) -> None:
    made = world(place, user, "a.yaml")
    os.chown(made.config, user.uid, user.uid)
    if user is ROOT:
        os.chown(made.config, 0, 4242)
        made.config.chmod(0o2775)
    else:
        os.chown(made.config, NOBODY, NOBODY)
        made.config.chmod(0o2775)
    made.ends_well("a.yaml")
    assert (made.config / "a.yaml").stat().st_gid == user.uid
    assert made.config.stat().st_mode & 0o7777 == 0o2775


@AS_BOTH
def test_user_attributes_are_kept_to_the_byte(place: Path, user: User) -> None:
    made = world(place, user, "a.yaml")
    file = made.config / "a.yaml"
    said = {f"user.{n}": bytes(range(n, n + 40)) for n in range(8)} | {
        "user.empty": b"",
        "user.long": b"\0" * 1500,
    }
    try:
        for name, value in said.items():
            os.setxattr(file, name, value)
    except OSError as error:
        pytest.skip(f"no user attributes here: {error.strerror}")
    made.ends_well("a.yaml")
    assert {n: os.getxattr(file, n) for n in os.listxattr(file)} == said
    assert made.run("rollback", "--last").code == 0
    assert {n: os.getxattr(file, n) for n in os.listxattr(file)} == said


@AS_BOTH
def test_an_acl_is_kept_to_the_byte(place: Path, user: User) -> None:
    made = world(place, user)
    rules = {
        "a.yaml": ("u:1234:rw,g:2345:r", 0o640),
        "b.yaml": ("u:1234:rwx,m::r", 0o600),
        "c.yaml": ("u:0:-,g::-,o::-", 0o644),
    }
    for name, (rule, mode) in rules.items():
        file = made.mine(name, mode=mode)
        odd.need("setfacl", "-m", rule, file)
    before = {n: odd.metadata(made.config / n) for n in rules}
    assert all("system.posix_acl_access" in m for m in before.values())
    made.ends_well(*rules)
    assert {n: odd.metadata(made.config / n) for n in rules} == before
    assert made.run("rollback", "--last").code == 0
    assert {n: odd.metadata(made.config / n) for n in rules} == before


@AS_BOTH
@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_directorys_default_acl_does_not_open_a_file_that_had_none(
    place: Path, user: User, command: str
) -> None:
    """A new file inherits the default ACL; the document, older than it, never had it."""
    made = world(place, user)
    file = made.mine("a.yaml", mode=0o640)
    odd.need("setfacl", "-d", "-m", "u:1234:rwx", made.config)
    before = odd.metadata(file)
    assert "system.posix_acl_access" not in before
    done = made.once() if command == "run" else made.migrate(file)
    assert done.code == 0, done
    assert made.version("a.yaml") == 2
    assert odd.metadata(file) == before


def test_security_attributes_are_kept_by_root(place: Path) -> None:
    made = world(place, ROOT, "a.yaml", "b.yaml")
    for name, value in (("security.note", b"x\0y"), ("trusted.note", b"\xff\0")):
        try:
            os.setxattr(made.config / "b.yaml", name, value)
        except OSError as error:
            pytest.skip(f"{name}: {error.strerror}")
    before = {n: odd.metadata(made.config / n) for n in ("a.yaml", "b.yaml")}
    made.ends_well("a.yaml", "b.yaml")
    assert {n: odd.metadata(made.config / n) for n in before} == before
    assert made.run("rollback", "--last").code == 0
    assert {n: odd.metadata(made.config / n) for n in before} == before


def test_an_attribute_that_we_may_not_write_is_refused_but_never_lost(place: Path) -> None:
    what = "security.note"
    made = world(place, OTHER, "a.yaml", "b.yaml")
    file = made.config / "b.yaml"
    try:
        os.setxattr(file, what, b"label")
    except OSError as error:
        pytest.skip(f"{what}: {error.strerror}")
    before = made.facts()
    done = told(made.once(), "io_error", "", 4)
    assert "help: check owner and attributes of the file" in done.out
    assert made.facts() == before
    assert what in os.listxattr(file)
    made.clean()
    os.removexattr(file, what)
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.xfail(
    strict=True,
    reason="the kernel shows trusted.* to CAP_SYS_ADMIN only: another user cannot know of it",
)
def test_a_trusted_attribute_is_not_lost_when_another_user_exchanges(place: Path) -> None:
    made = world(place, OTHER, "a.yaml")
    try:
        os.setxattr(made.config / "a.yaml", "trusted.note", b"kept?")
    except OSError as error:
        pytest.skip(f"trusted.note: {error.strerror}")
    done = made.once()
    assert done.code != 0 or "trusted.note" in os.listxattr(made.config / "a.yaml")


def test_a_label_is_kept_where_there_are_labels(place: Path) -> None:
    made = world(place, ROOT, "a.yaml")
    file = made.config / "a.yaml"
    try:
        os.setxattr(file, "security.selinux", b"system_u:object_r:etc_t:s0\0")
    except OSError as error:
        pytest.skip(f"no labels here: {error.strerror}")
    before = odd.metadata(file)
    made.ends_well("a.yaml")
    assert odd.metadata(file) == before


@pytest.mark.parametrize("what", ["mode", "owner", "attribute"])
def test_metadata_that_somebody_changes_during_a_run_is_not_taken_back(
    place: Path, what: str
) -> None:
    """Closing a file is an edit, too: the new image must not open it again."""
    made = world(place, ROOT, "a.yaml")
    file = made.config / "a.yaml"
    change = {
        "mode": "os.chmod(file, 0o600)",
        "owner": "os.chown(file, 1234, 1234)",
        "attribute": "os.setxattr(file, 'user.note', b'new')",
    }[what]
    between = (
        "import os\nfrom confmig.transactions.runner import Transactor\n"
        "real = Transactor.prepare\n"
        "def prepare(self, plan):\n"
        "    file = WORLD + '/config/a.yaml'\n"
        f"    {change}\n"
        "    Transactor.prepare = real\n"
        "    real(self, plan)\n"
        "Transactor.prepare = prepare\n"
    )
    done = made.drive(between, "run", "--once")
    odd.orderly(done)
    assert done.code in (0, 3), done
    found = odd.metadata(file)
    if what == "mode":
        assert found["mode"] == oct(0o600), done
    elif what == "owner":
        assert found["owner"] == (1234, 1234), done
    else:
        assert found.get("user.note") == b"new", done


@AS_BOTH
def test_a_rollback_keeps_the_metadata_that_was_changed_after_the_migration(
    place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml")
    made.ends_well("a.yaml")
    file = made.config / "a.yaml"
    file.chmod(0o600)
    os.setxattr(file, "user.note", b"later")
    before = odd.metadata(file)
    assert made.run("rollback", "--last").code == 0
    originals(made, "a.yaml")
    assert odd.metadata(file) == before


# --- names and kinds


def link(made: Odd, place: Path) -> None:
    (place / "real.yaml").write_text(document("real"))
    (made.config / "x.yaml").symlink_to(place / "real.yaml")


def link_inside(made: Odd, place: Path) -> None:
    (made.config / "x.yaml").symlink_to("a.yaml")


def dangling(made: Odd, place: Path) -> None:
    (made.config / "x.yaml").symlink_to(place / "nothing")


def loop(made: Odd, place: Path) -> None:
    (made.config / "x.yaml").symlink_to("x.yaml")


def hard_link(made: Odd, place: Path) -> None:
    (place / "hard").write_text(document("hard"))
    (made.config / "x.yaml").hardlink_to(place / "hard")


def fifo(made: Odd, place: Path) -> None:
    os.mkfifo(made.config / "x.yaml")


def unix_socket(made: Odd, place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(made.config / "x.yaml"))


def device(made: Odd, place: Path) -> None:
    os.mknod(made.config / "x.yaml", stat.S_IFCHR | 0o666, os.makedev(1, 5))


def block_device(made: Odd, place: Path) -> None:
    os.mknod(made.config / "x.yaml", stat.S_IFBLK | 0o666, os.makedev(7, 200))


def directory(made: Odd, place: Path) -> None:
    (made.config / "x.yaml").mkdir()
    (made.config / "x.yaml" / "y.yaml").write_text(document("y"))


def setuid(made: Odd, place: Path) -> None:
    made.mine("x.yaml").chmod(0o4755)  # a change of the owner would clear it


def setgid(made: Odd, place: Path) -> None:
    made.mine("x.yaml").chmod(0o2755)


def capable(made: Odd, place: Path) -> None:
    odd.need("setcap", "cap_net_bind_service=ep", made.mine("x.yaml"))


def too_large(made: Odd, place: Path) -> None:
    made.mine("x.yaml", document("x") + "#" * 3000)


def sparse(made: Odd, place: Path) -> None:
    os.truncate(made.mine("x.yaml"), 1 << 40)


ODD = [
    (link, "symlink"),
    (link_inside, "symlink"),
    (dangling, "symlink"),
    (loop, "symlink"),
    (hard_link, "hard_link"),
    (fifo, "not_a_file"),
    (unix_socket, "not_a_file"),
    (device, "not_a_file"),
    (block_device, "not_a_file"),
    (directory, "not_a_file"),
    (setuid, "setuid_file"),
    (setgid, "setuid_file"),
    (capable, "capability_file"),
    (too_large, "file_too_large"),
    (sparse, "file_too_large"),
]


@AS_BOTH
@pytest.mark.parametrize(("make", "code"), ODD, ids=[f.__name__ for f, _ in ODD])
def test_what_is_no_plain_file_is_named_and_does_not_hold_the_others(
    place: Path, user: User, make: Callable[[Odd, Path], None], code: str
) -> None:
    made = world(place, user, "a.yaml", more="limits: {size: 2000}\n")
    make(made, place)
    strange = made.config / "x.yaml"
    before = (strange.lstat().st_ino, strange.lstat().st_mode, strange.lstat().st_mtime_ns)
    told(made.run("plan"), code, "x.yaml", 0)
    done = made.once("--json")
    assert done.code == 1, done
    assert problems(made, done) == {"a.yaml": None, "x.yaml": code}
    assert made.version("a.yaml") == 2
    after = (strange.lstat().st_ino, strange.lstat().st_mode, strange.lstat().st_mtime_ns)
    assert after == before
    # the stateless command has the default cap; a directory's or link's name is no way in either
    if make is not too_large:
        told(made.migrate(strange), code, "x.yaml", 1)
    for name in ("real.yaml", "hard"):
        if (place / name).exists():
            assert (place / name).read_text() == document(Path(name).stem)
    made.clean()
    shutil.rmtree(strange) if make is directory else strange.unlink()
    made.mine("x.yaml")
    made.ends_well("a.yaml", "x.yaml")


@AS_BOTH
def test_a_refused_file_is_told_with_what_to_do(place: Path, user: User) -> None:
    made = world(place, user, "a.yaml")
    hard_link(made, place)
    for words in (["plan"], ["run", "--once"], ["status"]):
        said = made.run(*words)
        assert "put a plain file of its own there" in said.out + said.err, said


@AS_BOTH
def test_a_directory_that_is_a_symlink_on_the_way_is_named_and_not_followed(
    place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml", patterns=("*.yaml", "s/*.yaml"))
    outside = place / "outside"
    outside.mkdir()
    (outside / "b.yaml").write_text(document("b"))
    os.chown(outside / "b.yaml", user.uid, user.uid)
    (made.config / "s").symlink_to(outside)
    alone = made.migrate(made.config / "s" / "b.yaml")
    done = made.once()
    assert made.version("a.yaml") == 2
    if alone.code:
        assert (outside / "b.yaml").read_text() == document("b")
    assert done.code == 1, f"s/*.yaml is asked for, and silently not there: {done}"
    assert "symlink" in done.out + done.err


def test_a_target_whose_root_is_a_symlink_is_its_directory(place: Path) -> None:
    made = world(place, ROOT, "a.yaml")
    made.config.rename(made.folder / "real")
    made.config.symlink_to("real")
    made.ends_well("a.yaml")


ODD_NAMES = {
    "newline": "a\nb.yaml",
    "escape": "a\x1b[31mred.yaml",
    "blank": " a .yaml",
    "quote": "a'\"`$(x);&|.yaml",
    "colon": "a: b.yaml",
    "unicode": "ä日本\u202e😀.yaml",
    "backslash": "a\\n.yaml",
    "glob": "[a]*?.yaml",
    "dash": "-rf.yaml",
}


@AS_BOTH
@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_a_strange_name_is_migrated_and_taken_back(place: Path, user: User, name: str) -> None:
    made = world(place, user)
    made.mine(name, document("x"))
    for words in (["plan"], ["status"]):
        assert made.run(*words, PYTHONIOENCODING="utf-8:strict").code == 0
    made.ends_well(name)
    assert made.run("events").code == 0
    assert made.run("history").code == 0
    done = made.run("rollback", "--last")
    assert done.code == 0, done
    assert (made.config / name).read_bytes() == document("x").encode()
    made.clean()
    alone = made.migrate(made.config / name)
    assert alone.code == 0, alone
    assert made.version(name) == 2


@pytest.mark.parametrize("encoding", ["ascii:strict", "latin-1:strict"])
@pytest.mark.parametrize("command", ["plan", "status", "run --once", "events", "history"])
def test_a_name_that_the_terminal_has_no_characters_for_is_no_bug(
    place: Path, command: str, encoding: str
) -> None:
    made = world(place)
    made.mine("日本.yaml", document("x"))
    if command in ("events", "history"):
        assert made.once().code == 0
    done = made.run(*command.split(), PYTHONIOENCODING=encoding)
    assert done.code == 0, done


@pytest.mark.parametrize("name", ["a\nb.yaml", "a\x1b[31mred.yaml"], ids=["newline", "escape"])
def test_a_strange_name_cannot_forge_a_line_or_colour_a_terminal(place: Path, name: str) -> None:
    made = world(place)
    made.mine(name, "a: [1, 2\n")
    for words in (["plan"], ["status"], ["run", "--once"]):
        done = made.run(*words)
        assert name not in done.out + done.err, done


@AS_BOTH
def test_a_name_that_is_not_utf8_is_named_and_does_not_hold_the_others(
    place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml")
    raw = bytes(made.config) + b"/b\xff.yaml"
    with open(raw, "w") as file:
        file.write(document("b"))
    os.chown(raw, user.uid, user.uid)
    for encoding in ("utf-8:strict", "ascii:strict", "utf-8:surrogateescape"):
        for words in (["plan"], ["status"], ["run", "--once"]):
            done = made.run(*words, PYTHONIOENCODING=encoding)
            assert "name_not_utf8" in done.out, done
            assert "b\\xff.yaml" in done.out or "b\\udcff.yaml" in done.out, done
    assert made.version("a.yaml") == 2
    with open(raw) as file:
        assert file.read() == document("b")
    os.rename(raw, made.config / "b.yaml")
    made.ends_well("a.yaml", "b.yaml")


@AS_BOTH
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_migrate_of_a_name_that_is_not_utf8_is_no_bug(
    place: Path, user: User, encoding: str
) -> None:
    made = world(place, user)
    raw = bytes(made.config) + b"/b\xff.yaml"
    with open(raw, "w") as file:
        file.write(document("b"))
    os.chown(raw, user.uid, user.uid)
    done = made.migrate(Path(os.fsdecode(raw)), PYTHONIOENCODING=encoding)
    assert done.code in (0, 1), done
    with open(raw) as file:
        assert ("schema_version: 2" in file.read()) == (done.code == 0), done
    made.clean()


@AS_BOTH
def test_a_name_of_255_bytes_leaves_room_for_our_temporaries(place: Path, user: User) -> None:
    made = world(place, user, patterns=("**/*.yaml",))
    long = "n" * 250 + ".yaml"
    wide = "日" * 83 + "n.yaml"
    assert (len(long.encode()), len(wide.encode())) == (255, 255)
    deep = "/".join(["d" * 255] * 3 + [long])
    for name in (long, wide, deep):
        made.mine(name)
    killed = made.drive(KILL_AFTER_FIRST, "run", "--once")
    assert killed.code == -signal.SIGKILL, killed
    made.ends_well(long, wide, deep)
    assert made.run("rollback", "--last").code == 0
    originals(made, long, wide, deep)
    made.clean()
    assert made.migrate(made.config / long).code == 0


def deep_file(made: Odd, folders: int, name: str, width: int) -> Path:
    """A document below so many directories; made step by step, the path may be too long."""
    here = os.open(made.config, os.O_RDONLY)
    for _ in range(folders):
        os.mkdir("d" * width, dir_fd=here)
        os.chown("d" * width, made.user.uid, made.user.uid, dir_fd=here)
        below = os.open("d" * width, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here)
    os.write(fd, document("deep").encode())
    os.fchown(fd, made.user.uid, made.user.uid)
    os.close(fd)
    os.close(here)
    return Path("/".join(["d" * width] * folders + [name]))


@AS_BOTH
@pytest.mark.parametrize("folders", [60, 64, 65, 100])
def test_a_deep_document_is_migrated_or_named_but_not_silently_left(
    place: Path, user: User, folders: int
) -> None:
    made = world(place, user, "a.yaml", patterns=("**/*.yaml",))
    name = str(deep_file(made, folders, "deep.yaml", 1))
    done = made.once()
    assert made.version("a.yaml") == 2
    if done.code == 0:
        assert made.version(name) == 2, f"silently left at version 0: {done}"
        made.clean()
    else:
        assert "deep" in done.out + done.err or "d/d" in done.out + done.err, done


@AS_BOTH
def test_a_path_longer_than_the_kernel_takes_is_named(place: Path, user: User) -> None:
    made = world(place, user, "a.yaml", patterns=("**/*.yaml",))
    deep_file(made, 20, "deep.yaml", 250)
    done = made.once()
    assert done.code in (1, 4), done
    assert "d" * 250 in done.out + done.err
    assert "name too long" in (done.out + done.err).lower()
    subprocess.run(["rm", "-rf", made.config / ("d" * 250)], check=True)
    made.ends_well("a.yaml")


# --- locks, the state directory, daemons


@AS_BOTH
def test_a_second_daemon_or_a_run_beside_one_is_told_that_the_lock_is_held(
    place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml", more="http: {port: 0}\n")
    with OddDaemon(made) as daemon:
        daemon.is_up("/readyz")
        for words in (["run", "--once"], ["run"]):
            done = made.run(*words)
            told(done, "lock_held", str(made.state), 6)
            assert "help: talk to the running daemon" in done.err
        assert made.run("status").code == 0
        assert made.run("plan").code == 0
        back = made.run("rollback", "--last")  # through the daemon's socket
        assert back.code == 0, back
        originals(made, "a.yaml")
        assert daemon.end() == 0
    assert made.run("retry", "0001_listen").code == 0
    assert made.run("retry", "0002_feature").code == 0
    made.ends_well("a.yaml")


@AS_BOTH
def test_two_states_on_one_configuration_directory_exclude_each_other(
    place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml", more="http: {port: 0}\n")
    second = made.folder / "second.yaml"
    second.write_text(made.settings.read_text().replace("state_dir: state", "state_dir: state2"))
    first = made.settings
    hold = (
        "import subprocess\nfrom confmig.transactions.runner import Transactor\n"
        "real = Transactor.prepare\n"
        "def prepare(self, plan):\n"
        f"    done = subprocess.run({[sys.executable]!r} + ['-m', 'confmig', 'run', '--once',\n"
        f"        '--settings', {str(second)!r}], capture_output=True, text=True)\n"
        "    print('SECOND', done.returncode, done.stderr, file=sys.stderr)\n"
        "    real(self, plan)\n"
        "Transactor.prepare = prepare\n"
    )
    if user is ROOT:  # the inner command needs an interpreter that the user may start
        done = made.drive(hold, "run", "--once")
        assert done.code == 0, done
        assert "SECOND 6" in done.err, done
        assert "lock_held" in done.err
        assert str(made.config) in done.err
    made.settings = first
    made.ends_well("a.yaml")
    made.settings, made.state = second, made.folder / "state2"
    assert made.once().code == 0
    made.clean()


@pytest.mark.parametrize("how", ["removed", "moved"])
@AS_BOTH
def test_a_state_directory_that_goes_while_a_daemon_runs_ends_in_order(
    place: Path, user: User, how: str
) -> None:
    made = world(place, user, "a.yaml", more="http: {port: 0}\nwatch: {rescan: 0.5}\n")
    with OddDaemon(made) as daemon:
        daemon.is_up("/readyz")
        if how == "removed":
            shutil.rmtree(made.state)
        else:
            made.state.rename(made.folder / "moved")
        # os.replace: the daemon must not see half a document
        made.mine(".late", document("late"))
        (made.config / ".late").rename(made.config / "late.yaml")
        shown = daemon.said

        def told_of() -> bool:
            if not daemon.alive or made.version("late.yaml") == 2:
                return True
            return daemon.get("/readyz")[0] == 503 or daemon.said != shown

        until(told_of, 8, "it goes on, ready and silent, and migrates nothing")
        code = daemon.end() if daemon.alive else daemon.process.wait(10)
        assert code in odd.DOCUMENTED, daemon.said
        assert "Traceback" not in daemon.said
        assert "a bug" not in daemon.said
    shutil.rmtree(made.state, ignore_errors=True)
    done = made.once()
    assert done.code == 0, done
    assert (made.version("a.yaml"), made.version("late.yaml")) == (2, 2)
    assert list(made.config.glob(".confmig-*")) == []


@AS_BOTH
@pytest.mark.parametrize("length", [120, 300, 400])
def test_a_state_directory_with_a_long_path_has_its_socket(
    place: Path, user: User, length: int
) -> None:
    folder = "s" * 100
    deep = "/".join([folder] * (length // 100)) + "/" + "t" * (length % 100)
    made = world(place, user, "a.yaml", state=deep, more="http: {port: 0}\n")
    made.ends_well("a.yaml")
    with OddDaemon(made) as daemon:
        daemon.is_up("/readyz")
        assert (made.state / "control.sock").is_socket()
        back = made.run("rollback", "--last")
        assert back.code == 0, back
        assert daemon.alive
        assert daemon.end() == 0
    originals(made, "a.yaml")
    assert not (made.state / "control.sock").exists()


@AS_BOTH
def test_a_state_directory_whose_path_sqlite_does_not_take_is_named(
    place: Path, user: User
) -> None:
    made = world(place, user, "a.yaml", state="/".join(["s" * 200] * 4))
    done = made.once()
    if done.code == 0:
        made.ends_well("a.yaml")
        return
    assert done.code in (1, 2, 4), done
    assert "s" * 200 in done.err, f"the place is not named: {done}"
    originals(made, "a.yaml")


def test_what_is_in_an_open_state_directory_is_still_closed(place: Path) -> None:
    made = world(place, OTHER, "a.yaml")
    made.state.mkdir()
    made.state.chmod(0o777)
    os.chown(made.state, NOBODY, NOBODY)
    before = os.umask(0)
    try:
        done = made.once()
    finally:
        os.umask(before)
    assert done.code in (0, 1, 4), done
    open_ = [
        str(p.relative_to(made.state))
        for p in made.state.rglob("*")
        if stat.S_IMODE(p.lstat().st_mode) & 0o077
    ]
    assert open_ == []


@pytest.mark.parametrize("command", ["run --once", "status", "plan", "events", "history", "retry"])
@pytest.mark.parametrize("what", ["directory", "database", "parent"])
def test_a_state_that_we_may_not_open_is_named(place: Path, what: str, command: str) -> None:
    made = world(place, OTHER, "a.yaml", state="above/state")
    made.ends_well("a.yaml")
    made.mine("b.yaml")
    closed = {
        "directory": made.state,
        "database": made.state / "state.db",
        "parent": made.state.parent,
    }[what]
    os.chown(closed, 0, 0)
    closed.chmod(0o700)
    words = [*command.split(), *(["0001_listen"] if command == "retry" else [])]
    done = made.run(*words)
    assert done.code in (1, 4), done
    assert "state" in done.err, done
    assert str(made.state) in done.err, f"the place is not named: {done}"
    assert made.version("b.yaml") == 0
    os.chown(closed, NOBODY, NOBODY)
    made.ends_well("a.yaml", "b.yaml")


@pytest.mark.parametrize("what", ["objects", "packs", "checkpoints", "rescue"])
def test_a_closed_directory_in_the_state_is_named_and_nothing_changes(
    place: Path, what: str
) -> None:
    made = world(place, OTHER, "a.yaml")
    made.ends_well("a.yaml")
    for n in range(40):
        made.mine(f"{n:02}.yaml")
    os.chown(made.state / what, 0, 0)
    (made.state / what).chmod(0o700)
    done = made.once()
    if done.code:
        assert done.code == 4, done
        assert what in done.out + done.err, f"the place is not named: {done}"
        assert {made.version(f"{n:02}.yaml") for n in range(40)} == {0}
    os.chown(made.state / what, NOBODY, NOBODY)
    made.ends_well(*(f"{n:02}.yaml" for n in range(40)))


def test_a_state_directory_that_is_a_file_is_named(place: Path) -> None:
    made = world(place, OTHER, "a.yaml")
    made.state.write_text("")
    for words in (["run", "--once"], ["status"], ["plan"]):
        done = made.run(*words)
        if words[0] == "run":
            told(done, "state_unreadable", str(made.state), 4)
    originals(made, "a.yaml")
    made.state.unlink()
    made.ends_well("a.yaml")


def test_a_state_directory_that_cannot_be_made_is_named(place: Path) -> None:
    made = world(place, OTHER, "a.yaml")
    os.chown(made.folder, 0, 0)
    made.folder.chmod(0o755)
    told(made.once(), "state_unreadable", str(made.state), 4)
    originals(made, "a.yaml")
    assert made.run("status").code == 0
    os.chown(made.folder, NOBODY, NOBODY)
    made.ends_well("a.yaml")
