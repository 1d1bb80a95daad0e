"""What a file holds whose rewriting was cut off: some of the new content, some of the old."""

from __future__ import annotations

SECTOR = 512


def is_torn(held: bytes, old: bytes, new: bytes) -> bool:
    """Whether ``held`` can be what a crash or a power cut left of writing ``new`` over ``old``.

    Every sector holds the old content, the new one, or begins as the new and ends as the old one;
    where the file grows it may hold zeros. What is like that and yet an edit (an old file
    with its tail cut off) cannot be told from it: keep a copy before it is overwritten.
    """
    longest = max(len(old), len(new))
    if not min(len(old), len(new)) <= len(held) <= longest:
        return False
    before, after = old.ljust(longest, b"\0"), new.ljust(longest, b"\0")
    for at in range(0, len(held), SECTOR):
        sector = held[at : at + SECTOR]
        end = at + len(sector)
        same = 0
        while same < len(sector) and sector[same] == after[at + same]:
            same += 1
        if sector[same:] != before[at + same : end]:
            return False
    return True
