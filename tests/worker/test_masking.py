"""Secrets are masked in diffs of every format, in values and in commented-out lines."""

from __future__ import annotations

import pytest

from confmig.worker.masking import MASK, Masker


@pytest.mark.parametrize(
    ("form", "old", "new"),
    [
        ("yaml", "password: hunter22\n", "login: {password: hunter22}\n"),
        ("yaml", "# api_key: hunter22\na: 1\n", "a: 2\n"),
        ("json", '{\n  "token": "hunter22"\n}\n', '{\n  "t": {"token": "hunter22"}\n}\n'),
        ("jsonc", '{\n  // "api_key": "hunter22"\n  "a": 1\n}\n', '{\n  "a": 2\n}\n'),
        ("jsonc", '{\n  /* api_key: hunter22 */\n  "a": 1\n}\n', '{\n  "a": 2\n}\n'),
        ("jsonc", '{\n  /*\n   * secret = hunter22\n   */\n  "a": 1\n}\n', '{\n  "a": 2\n}\n'),
        ("toml", '[a]\ntoken = "hunter22"\n', '[b]\ntoken = "hunter22"\n'),
        ("toml", '# tls_key = "hunter22"\na = 1\n', "a = 2\n"),
        ("toml", 'token = "hunter22"\n', 'other = "hunter22"\n'),
        ("ini", "[a]\n; secret = hunter22\nx = 1\n", "[a]\nx = 2\n"),
        ("ini", "[a]\npassword = hunter22\n", "[a]\npassphrase = hunter22\n"),
        ("properties", "! db.password=hunter22\na=1\n", "a=2\n"),
        ("properties", "db.password=hunter22\n", "a=2\n"),
        ("dotenv", "API_KEY=hunter22\n", "API_KEYS=hunter22\n"),
    ],
)
def test_no_secret_is_in_a_diff(form: str, old: str, new: str) -> None:
    masker = Masker(format=form, dialect="yaml-1.2", secrets=())
    diff = masker.diff("f", old.encode(), new.encode())
    assert "hunter22" not in diff
    assert MASK in diff


def test_a_stream_of_documents_is_masked_in_each() -> None:
    masker = Masker(format="yaml", dialect="yaml-1.2", secrets=("[*].a.pin",), multi=True)
    diff = masker.diff("f", b"a: {pin: 4711}\n---\ntoken: abcd\n", b"b: 1\n---\nc: 2\n")
    assert "4711" not in diff
    assert "abcd" not in diff
