"""Half-written files: told from edits."""

from __future__ import annotations

import random

import pytest

from confmig.core.transaction.torn import SECTOR, is_torn

OLD = b"".join(b"old line %05d\n" % n for n in range(200))
LONGER = b"".join(b"a newer line %05d\n" % n for n in range(230))
SHORTER = b"".join(b"new %05d\n" % n for n in range(150))
PAIRS = [(OLD, LONGER), (OLD, SHORTER), (OLD, OLD.replace(b"old", b"new")), (b"a: 1\n", b"b: 22\n")]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_every_prefix_of_the_writing_is_torn(old: bytes, new: bytes) -> None:
    for at in range(len(new) + 1):
        assert is_torn(new[:at] + old[at:], old, new)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_any_mix_of_sectors_is_torn(old: bytes, new: bytes) -> None:
    """What a power cut leaves: sectors in any order, and zeros where the file had grown."""
    rng = random.Random(1)
    whole = max(len(old), len(new))
    for _ in range(300):
        size = rng.choice((len(old), len(new), rng.randint(min(len(old), len(new)), whole)))
        held = b""
        for at in range(0, size, SECTOR):
            source = rng.choice((old, new)) if at < len(old) else rng.choice((new, b""))
            held += source[at : at + SECTOR].ljust(min(SECTOR, size - at), b"\0")[: size - at]
        if len(old) >= len(new) or b"\0" not in held[: len(old)]:
            assert is_torn(held, old, new)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_an_edit_is_not_torn(old: bytes, new: bytes) -> None:
    rng = random.Random(2)
    for base in (old, new):
        for _ in range(300):
            at = rng.randrange(len(base))
            changed = bytes([base[at] ^ rng.randint(1, 255)])
            if changed in (old[at : at + 1], new[at : at + 1]) or changed == b"\0":
                continue
            assert not is_torn(base[:at] + changed + base[at + 1 :], old, new)
        assert not is_torn(base + b"more: 1\n" * 100, old, new)
        assert not is_torn(b"", old, new)
        assert not is_torn(b"other: 1\n", old, new)


def test_a_service_that_rewrites_its_file_from_memory_is_not_torn() -> None:
    """Its bytes stand at other places."""
    assert not is_torn(OLD.replace(b"00003", b"3"), OLD, LONGER)
    assert not is_torn(b"# by the service\n" + OLD, OLD, LONGER)
