"""What confmig obeys, in the hands of others: refused by name, and nothing is written."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.odd import NOBODY, OTHER, _call, apart, require
from tests.e2e.test_partial_failure import KILL_AFTER_FIRST
from tests.e2e.world import (
    FREE,
    TWO,
    Daemon,
    Done,
    World,
    _run,
    confmig,
    document,
    free_port,
    until,
    write_bundle,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners are changed"),
]


@pytest.fixture
def world(tmp_path: Path) -> World:
    tmp_path.chmod(0o755)
    bundle = write_bundle(tmp_path / "bundle", TWO)
    return World(tmp_path / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document()})


def refused(world: World, code: str, place: Path) -> Done:
    """One pass: exit 2, named, and nothing below the target or the state was written."""
    facts, state = world.facts(), sorted(world.state.rglob("*"))
    done = world.once("--json")
    assert done.code == 2, done
    assert code in done.out
    assert str(place) in done.out
    assert world.facts() == facts
    assert sorted(world.state.rglob("*")) == state
    return done


def test_a_state_directory_of_another_user(world: World) -> None:
    world.state.mkdir()
    os.chown(world.state, NOBODY, NOBODY)
    assert "state_dir" in refused(world, "state_untrusted", world.state).err


def test_a_state_below_a_directory_of_another_user(world: World) -> None:
    os.chown(world.folder, NOBODY, NOBODY)
    world.settings.rename(world.folder.parent / "confmig.yaml")
    world.settings = world.folder.parent / "confmig.yaml"
    text = world.settings.read_text()
    for name in ("config", "state", "policy.yaml"):
        text = text.replace(f" {name}", f" w/{name}")
    world.settings.write_text(text)
    world.policy.rename(world.folder.parent / "p.yaml")
    world.settings.write_text(text.replace("w/policy.yaml", "p.yaml"))
    refused(world, "state_untrusted", world.folder)
    assert not world.state.exists()


def test_a_state_directory_that_is_a_link(world: World) -> None:
    elsewhere = world.folder / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    world.state.symlink_to(elsewhere)
    done = world.once("--json")
    assert done.code == 2, done
    assert "state_untrusted" in done.out
    assert not list(elsewhere.iterdir())


def test_a_state_directory_of_ours_that_is_open_is_closed(world: World) -> None:
    world.state.mkdir()
    world.state.chmod(0o755)
    done = world.once()
    assert done.code == 0, done
    assert "its mode is 0700 now" in done.err
    assert stat.S_IMODE(world.state.stat().st_mode) == 0o700


def test_what_others_put_into_an_open_state_is_not_believed(world: World, tmp_path: Path) -> None:
    world.put("b.yaml", document("b"))
    assert world.drive(KILL_AFTER_FIRST, "run", "--once").code == -signal.SIGKILL
    for entry in world.state.iterdir():
        os.chown(entry, 4242, 4242)
    world.state.chmod(0o777)
    facts = world.facts()
    done = world.once("--json")
    assert done.code == 2, done
    assert "belongs to uid 4242" in done.out
    assert world.facts() == facts


def test_a_link_in_an_open_state_is_not_followed(world: World, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    world.state.mkdir()
    world.state.chmod(0o777)
    (world.state / "packs").symlink_to(theirs)
    done = world.once("--json")
    assert done.code == 2, done
    assert "packs in it is a symbolic link" in done.out
    assert not list(theirs.iterdir())


def test_a_state_that_is_exchanged_under_a_daemon_is_noticed(world: World) -> None:
    with Daemon(world) as daemon:
        until(lambda: world.version("a.yaml") == 2, what=daemon.said)
        other = world.folder / "other"
        other.mkdir(mode=0o700)
        world.state.rename(world.folder / "old")
        world.state.symlink_to(other)
        world.put("b.yaml", document("b"))
        until(lambda: "state_untrusted" in daemon.said, what=daemon.said)
        assert world.version("b.yaml") == 0
        assert not list(other.iterdir())


def test_a_dangling_link_to_a_policy_of_another_user(world: World) -> None:
    world.policy.unlink()
    world.policy.symlink_to("/proc/1/fd/none")
    os.lchown(world.policy, 4242, 4242)
    facts = world.facts()
    done = world.once("--json")
    assert done.code == 2, done
    assert "policy_untrusted" in done.out
    assert world.facts() == facts


def test_sum_replaces_a_link_and_does_not_follow_it(world: World, tmp_path: Path) -> None:
    victim = tmp_path / "victim.conf"
    victim.write_text("precious\n")
    sums = world.bundle / "manifest.sum"
    good = sums.read_bytes()
    sums.unlink()
    sums.symlink_to(victim)
    assert confmig("sum", "--bundle", world.bundle).code == 0
    assert victim.read_text() == "precious\n"
    assert not sums.is_symlink()
    assert sums.read_bytes() == good


def test_a_report_to_a_device_leaves_its_mode(world: World, tmp_path: Path) -> None:
    node = tmp_path / "null"
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    node.chmod(0o666)
    assert world.run("dry-run", "--output", node).code == 0
    assert stat.S_IMODE(node.stat().st_mode) == 0o666


def test_a_daemon_stays_up_and_unready_with_a_state_of_another_user(world: World) -> None:
    world.state.mkdir()
    os.chown(world.state, NOBODY, NOBODY)
    port = free_port()
    with Daemon(world, CONFMIG__HTTP__PORT=str(port)) as daemon:
        until(lambda: "state_untrusted" in daemon.get("/readyz")[1])
        _, metrics = daemon.get("/metrics")
        assert 'config_migration_blocked{config_migration_reason="state_untrusted",' in metrics
        assert 'reason="state_untrusted",config_target_name="app"} 1.0' in metrics
        os.chown(world.state, 0, 0)
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: world.version("a.yaml") == 2, what=daemon.said)


@pytest.mark.parametrize("key", ["mode", "capability"])
def test_a_forged_plan_gives_no_privileges(world: World, key: str) -> None:
    world.put("b.yaml", document("b"))
    done = world.drive(KILL_AFTER_FIRST, "run", "--once")
    assert done.code == -signal.SIGKILL, done
    with closing(sqlite3.connect(world.state / "state.db")) as db:
        if key == "mode":
            db.execute("UPDATE transaction_files SET mode=?", (0o4755,))
        else:
            value = {"security.capability": "0100000201000000000000000000000000000000"}
            db.execute("UPDATE transaction_files SET xattrs=?", (json.dumps(value),))
        db.commit()
    facts = world.facts()
    done = world.once("--json")
    assert done.code == 1, done
    assert "state_untrusted" in done.out
    assert world.facts() == facts
    for path in world.config.iterdir():
        assert not path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_policy_that_others_write(world: World, mode: int) -> None:
    world.policy.chmod(mode)
    facts = world.facts()
    done = world.once("--json")
    assert done.code == 2, done
    assert "policy_untrusted" in done.out
    assert str(world.policy) in done.out
    assert world.facts() == facts
    [event] = world.events("config.policy.rejected")
    assert event["attributes"]["config.migration.reasons"] == ["policy_untrusted"]


def test_settings_that_others_write(world: World) -> None:
    world.settings.chmod(0o666)
    done = world.once()
    assert done.code == 2, done
    assert "settings_untrusted" in done.err
    assert not world.state.exists()


@pytest.mark.parametrize(
    "name", ["manifest.json", "migrations", "migrations/0001_listen.yaml", "."]
)
@pytest.mark.parametrize("how", ["mode", "owner"])
def test_a_bundle_that_others_write(world: World, name: str, how: str) -> None:
    part = world.bundle / name
    if how == "mode":
        part.chmod(part.stat().st_mode | stat.S_IWOTH)
    else:
        os.chown(part, NOBODY, NOBODY)
    facts = world.facts()
    done = world.once("--json")
    assert done.code == 2, done
    assert "bundle_untrusted" in done.out
    assert world.facts() == facts
    [event] = world.events("config.bundle.rejected")
    assert event["attributes"]["config.migration.reasons"] == ["bundle_untrusted"]


def test_a_checkout_of_another_user_is_fine_for_check_and_migrate(world: World) -> None:
    for part in [world.bundle, *world.bundle.rglob("*")]:
        os.chown(part, 4242, 4242)
    file = world.config / "a.yaml"
    assert confmig("migrate", "--bundle", world.bundle, "--diff", file).code == 0
    assert confmig("check", "--bundle", world.bundle).code == 1  # it has no fixtures
    (world.bundle / "manifest.json").chmod(0o666)
    done = confmig("migrate", "--bundle", world.bundle, "--diff", file)
    assert done.code == 2, done
    assert "bundle_untrusted" in done.err


# --- as on Kubernetes: uid 65534, volumes of root


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can enter, in a mount namespace of our own."""
    require(OTHER)
    with apart() as why, tempfile.TemporaryDirectory() as folder:
        if why:
            pytest.skip(why)
        os.chmod(folder, 0o755)
        try:
            yield Path(folder)
        finally:
            for volume in ("volume", "etc", "emptydir"):
                _call("umount", Path(folder) / volume)


def _volume(folder: Path, options: str) -> None:
    folder.mkdir(parents=True)
    why = _call("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
    assert why == "", why


def _as_nobody(world: World, *words: str) -> Done:
    line = [*OTHER.prefix, sys.executable, "-m", "confmig", *words, "--settings", world.settings]
    return _run([str(w) for w in line], Path("/"), 60, {})


def _pod(folder: Path, state: Path) -> World:
    """Settings, policy and bundle of root; documents of the service's uid."""
    folder.chmod(0o755)
    bundle = write_bundle(folder / "bundle", TWO)
    world = World(folder / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document()})
    for path in (world.config, world.config / "a.yaml"):
        os.chown(path, NOBODY, NOBODY)
    text = world.settings.read_text().replace("state_dir: state", f"state_dir: {state}")
    world.settings.write_text(text)
    return world


@pytest.mark.parametrize("options", ["mode=0777,uid=0", f"mode=2775,uid=0,gid={NOBODY}"])
def test_the_state_is_in_a_subdirectory_of_a_volume_of_root(place: Path, options: str) -> None:
    volume = place / "volume"
    _volume(volume, options)
    world = _pod(place, volume / "state")
    done = _as_nobody(world, "run", "--once")
    assert done.code == 0, done
    assert world.version("a.yaml") == 2
    made = (volume / "state").stat()
    assert (made.st_uid, stat.S_IMODE(made.st_mode) & 0o777) == (NOBODY, 0o700)
    assert f"others may write in {volume}" in done.err
    assert f"others may write in {volume}" in _as_nobody(world, "status").out


def test_the_volume_itself_is_no_state_directory(place: Path) -> None:
    volume = place / "volume"
    _volume(volume, "mode=0777,uid=0")
    world = _pod(place, volume)
    done = _as_nobody(world, "run", "--once")
    assert done.code == 2, done
    assert "state_untrusted" in done.err
    assert f"{volume}/state" in done.err
    assert not list(volume.iterdir())
    assert world.version("a.yaml") == 0


def test_a_policy_in_a_read_only_config_map(place: Path) -> None:
    volume, state = place / "etc", place / "emptydir"
    _volume(state, "mode=0777,uid=0")
    _volume(volume, "mode=0777,uid=0")
    generation = volume / "..2026_11_28"
    generation.mkdir(mode=0o755)
    (generation / "policy.yaml").write_text(FREE)
    (volume / "..data").symlink_to("..2026_11_28")
    (volume / "policy.yaml").symlink_to("..data/policy.yaml")
    assert _call("mount", "-o", "remount,ro", volume) == ""
    world = _pod(place, state / "state")
    text = world.settings.read_text().replace(
        "policy: policy.yaml", f"policy: {volume}/policy.yaml"
    )
    world.settings.write_text(text)
    done = _as_nobody(world, "run", "--once")
    assert done.code == 0, done
    assert world.version("a.yaml") == 2
