"""Lines of a daemon never stop it, whatever its streams are."""

from __future__ import annotations

import os

import pytest

from confmig.adapters.host.console import Console


def test_lines_arrive() -> None:
    reader, writer = os.pipe()
    Console(writer).line("a")
    assert os.read(reader, 100) == b"a\n"
    os.close(reader)
    os.close(writer)


def test_a_pipe_that_nobody_reads_drops_lines_and_reports_their_number() -> None:
    reader, writer = os.pipe()
    console = Console(writer)
    for _ in range(3000):
        console.line("x" * 99)  # 300,000 bytes: more than a pipe holds
    held = b""
    while len(held) < 60_000:
        held += os.read(reader, 1 << 16)
    console.line("the end")
    os.close(writer)
    while chunk := os.read(reader, 1 << 16):
        held += chunk
    os.close(reader)
    lines = held.decode().splitlines()
    assert lines[-1] == "the end"
    kept = sum(line.startswith("x") for line in lines)
    assert lines[-2] == f"confmig: {3000 - kept} lines before this could not be written"


@pytest.mark.parametrize("closed", ["reader", "writer", "full disk"])
def test_a_closed_stream_and_a_full_disk_are_no_error(closed: str) -> None:
    reader, writer = os.pipe()
    fd = os.open("/dev/full", os.O_WRONLY)
    console = Console(fd if closed == "full disk" else writer)
    os.close(reader)
    if closed == "writer":
        os.close(writer)
    for _ in range(3):
        console.line("a")
    if closed != "writer":
        os.close(writer)
    os.close(fd)
