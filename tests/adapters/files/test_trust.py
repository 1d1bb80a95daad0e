"""The way to a path: who can change it. Owners and modes are real; another uid needs root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from confmig.adapters.files import trust
from confmig.adapters.files.trust import User

ME = User(os.geteuid(), os.getegid())
NO_MOUNTS: frozenset[Path] = frozenset()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners are changed")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in two directories of ours."""
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True, mode=0o755)
    file = folder / "policy.yaml"
    file.write_text("x: 1\n")
    file.chmod(0o644)
    return file


def test_ours_is_trusted(file: Path) -> None:
    assert trust.problem(file, ME, NO_MOUNTS) == ""
    assert trust.problem(file.parent, ME, NO_MOUNTS) == ""


@pytest.mark.parametrize(
    ("mode", "who"), [(0o646, "everybody"), (0o666, "everybody"), (0o664, "its group")]
)
def test_a_file_that_others_write_is_not(file: Path, mode: int, who: str) -> None:
    file.chmod(mode)
    # for an unprivileged user its own primary group is as good as itself
    user = User(ME.uid, ME.gid + 1) if who == "its group" else ME
    assert trust.problem(file, user, NO_MOUNTS) == f"{file} is writable by {who}"


@pytest.mark.parametrize("name", ["inner", "outer"])
def test_neither_is_one_below_a_directory_that_others_write(file: Path, name: str) -> None:
    folder = next(p for p in file.parents if p.name == name)
    folder.chmod(0o777)
    assert trust.problem(file, ME, NO_MOUNTS) == f"{folder} is writable by everybody"
    folder.chmod(0o1777)  # sticky: nobody can replace what is ours
    assert trust.problem(file, ME, NO_MOUNTS) == ""


def test_links_are_followed_and_their_ways_checked(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to("outer/../outer/inner/policy.yaml")
    assert trust.problem(link, ME, NO_MOUNTS) == ""
    file.parent.chmod(0o777)
    assert trust.problem(link, ME, NO_MOUNTS) == f"{file.parent} is writable by everybody"
    file.parent.chmod(0o755)
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    assert "too many links" in trust.problem(circle, ME, NO_MOUNTS)


def test_what_is_not_there_is_judged_by_what_is_above_it(file: Path) -> None:
    missing = file.parent / "none.yaml"
    assert trust.problem(missing, ME, NO_MOUNTS) == ""
    file.parent.chmod(0o777)  # anyone can put it there before it is read
    assert trust.problem(missing, ME, NO_MOUNTS) == f"{file.parent} is writable by everybody"


def test_a_way_that_cannot_be_followed_is_not_trusted(file: Path) -> None:
    long = file.parent / ("d" * 300) / "policy.yaml"
    assert "cannot be followed" in trust.problem(long, ME, NO_MOUNTS)
    below = file / "policy.yaml"  # below a file
    assert "cannot be followed" in trust.problem(below, ME, NO_MOUNTS)


@needs_root
def test_a_dangling_link_of_another_user_is_not_trusted(file: Path) -> None:
    """A link into /proc leads to a file that has no path."""
    link = file.parent / "link.yaml"
    link.symlink_to("/proc/1/fd/no such")
    os.lchown(link, 4242, 0)
    assert trust.problem(link, ME, NO_MOUNTS) == f"{link} belongs to uid 4242"


@needs_root
def test_the_group_of_a_volume_writes_in_it(file: Path) -> None:
    """fsGroup of Kubernetes: everything is writable by the group of the volume."""
    volume = file.parent
    os.chown(volume, 0, 2000)
    volume.chmod(0o2775)
    os.chown(file, 1000, 2000)
    file.chmod(0o664)
    assert trust.problem(file, User(1000, 1000), frozenset({volume})) == ""
    os.chown(file, 1000, 3000)
    assert "its group" in trust.problem(file, User(1000, 1000), frozenset({volume}))


@needs_root
def test_of_another_user_nothing_is_trusted(file: Path) -> None:
    os.chown(file, 4242, 0)
    assert trust.problem(file, ME, NO_MOUNTS) == f"{file} belongs to uid 4242"
    os.chown(file, 0, 0)
    os.chown(file.parent, 4242, 0)
    assert trust.problem(file, ME, NO_MOUNTS) == f"{file.parent} belongs to uid 4242"


@needs_root
def test_a_link_of_another_user_is_not_trusted(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    os.lchown(link, 4242, 0)
    assert trust.problem(link, ME, NO_MOUNTS) == f"{link} belongs to uid 4242"


@needs_root
def test_root_owned_files_are_trusted_by_every_user(file: Path) -> None:
    assert trust.problem(file, User(4242, 4242), NO_MOUNTS) == ""


@needs_root
def test_group_writable_is_accepted_for_the_primary_group_of_an_unprivileged_user(
    file: Path,
) -> None:
    os.chown(file, 4242, 4242)
    file.chmod(0o664)
    assert trust.problem(file, User(4242, 4242), NO_MOUNTS) == ""
    assert "writable by its group" in trust.problem(file, User(4242, 1), NO_MOUNTS)
    os.chown(file, 0, 0)
    assert "writable by its group" in trust.problem(file, User(0, 0), NO_MOUNTS)


@needs_root
def test_a_volume_root_of_root_excuses_what_is_above_it(file: Path) -> None:
    volume = file.parent
    volume.chmod(0o777)
    mounts = frozenset({volume})
    assert trust.problem(file, User(4242, 4242), mounts) == ""
    file.chmod(0o646)
    assert "writable by everybody" in trust.problem(file, User(4242, 4242), mounts)
    file.chmod(0o644)
    os.chown(file, 77, 77)
    assert trust.problem(file, User(4242, 4242), mounts) != ""


@needs_root
def test_a_volume_does_not_excuse_a_third_owner_above_for_root(file: Path) -> None:
    os.chown(file.parent.parent, 4242, 0)
    mounts = frozenset({file.parent})
    assert "belongs to uid 4242" in trust.problem(file, User(0, 0), mounts)
    assert trust.problem(file, User(77, 77), mounts) == ""


def test_mount_points_are_read_with_their_escapes(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text("25 1 0:22 / /a\\040b rw - tmpfs none rw\nodd\n")
    assert trust.mount_points(str(table)) == {Path("/a b")}
    assert trust.mount_points(str(tmp_path / "none")) == frozenset()
