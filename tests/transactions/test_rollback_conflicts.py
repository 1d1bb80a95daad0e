"""A rollback that is refused names every file once."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import pytest

from confmig.errors import Refused
from confmig.transactions.rollback import merge
from confmig.transactions.rollback.selection import Job, Part, Undoing


class _Readable:
    """A disk on which every file can be read."""

    def read(self, path: str) -> None:
        return None


@pytest.mark.parametrize("place", ["server.port", ""])
def test_files_that_fail_at_the_same_key_are_all_named(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def fails(*_: object) -> NoReturn:
        raise Refused("validation_failed", "a number is expected", place=place)

    monkeypatch.setattr(merge, "_restored", fails)
    part = Part("a.yaml", "app", "yaml", 1, 0, ("0001_m",), "old", "new")
    parts = tuple(replace(part, path=f"{name}.yaml") for name in "abc")
    job = Job.__new__(Job)
    object.__setattr__(job, "bundle", None)
    object.__setattr__(job, "disk", _Readable())
    object.__setattr__(job, "edits_fix", "put the edits aside")
    with pytest.raises(Refused) as caught:
        merge.restore(job, Undoing(None, parts, (), ("tx",)))  # type: ignore[arg-type]
    assert caught.value.documents == ("a.yaml", "b.yaml", "c.yaml")
    assert "3 files changed" in caught.value.message
    inside = f"{place}: " if place else ""
    assert f"b.yaml ({inside}a number is expected)" in caught.value.message
