"""Regular expressions of migrations: what a replacement means."""

from __future__ import annotations

import pytest

from confmig.errors import Refused
from confmig.worker import regex


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "want"),
    [
        ("y", "ü", "x,y", "x,ü"),
        ("(ö)", r"<\1> €", "xö", "x<ö> €"),
        ("(?P<k>a)(b)?", r"\g<k>-\2-\g<1>", "ab a", "a-b-a a--a"),
        ("a", r"\n\t\\", "a", "\n\t\\"),
        ("a", r"\.", "a", r"\."),
        ("a", "😀\\\\ü", "a", "😀\\ü"),
        ("", "-", "ab", "-a-b-"),
        ("$", ".bak", "one", "one.bak"),
        ("^|$", "'", "x", "'x'"),
        (r"b*$", "c", "abb", "acc"),
        (r"(?m)$", ";", "x\ny", "x;\ny;"),
        (r"\b", "|", "a b", "|a| |b|"),
        ("a*", "-", "baac", "-b--c-"),
        ("(1)(2)(3)(4)(5)(6)(7)(8)(9)(a)(b)", r"\11\1", "123456789ab", "b1"),
    ],
)
def test_a_replacement_means_what_it_says(
    pattern: str, replacement: str, text: str, want: str
) -> None:
    assert regex.substitute(pattern, replacement, text) == want


@pytest.mark.parametrize("replacement", [r"\2", r"\g<k>"])
def test_a_group_that_is_not_there_is_refused(replacement: str) -> None:
    with pytest.raises(Refused) as caught:
        regex.substitute("(a)", replacement, "a")
    assert caught.value.code == "replacement_invalid"
