"""Errors know their file, line and entry, and say them once."""

from __future__ import annotations

from confmig.errors import Refused


def test_an_error_of_a_document_becomes_one_of_a_file() -> None:
    error = Refused("wrong_type", "a list is expected", place="dns.port", line=7)
    assert error.lines[0] == "dns.port: a list is expected [wrong_type]"
    error.migration = "0002_x"
    error.in_file("app.yaml")
    assert error.place == "app.yaml:7"
    assert error.message == "0002_x: dns.port: a list is expected"
    error.in_file("app.yaml")
    assert error.message == "0002_x: dns.port: a list is expected"
    error.in_file("root/app.yaml")
    assert (error.place, error.entry) == ("root/app.yaml:7", "dns.port")


def test_an_error_that_names_its_file_keeps_its_message() -> None:
    error = Refused("document_missing", "the file does not exist", place="app.yaml")
    error.in_file("app.yaml")
    assert (error.place, error.message) == ("app.yaml", "the file does not exist")


def test_a_line_without_a_file_is_shown() -> None:
    assert Refused("not_yaml", "no", line=3).lines[0] == "line 3: no [not_yaml]"


def test_a_file_or_an_entry_is_named_once() -> None:
    error = Refused("document_missing", "the file does not exist", place="app.yaml")
    error.in_file("root/app.yaml")
    assert (error.place, error.message) == ("root/app.yaml", "the file does not exist")
    stamp = Refused("version_missing", "there is no `v`", place="v")
    stamp.in_file("app.yaml")
    assert stamp.lines[0] == "app.yaml: there is no `v` [version_missing]"
