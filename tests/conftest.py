"""The figures of sweeps and fuzzers: what they print is shown when they pass, too, at the end."""

from __future__ import annotations

import pytest
from hypothesis import settings

# the same examples each time, and no test fails because the machine is slow
settings.register_profile("confmig", deadline=None, derandomize=True)
settings.load_profile("confmig")

LINES = 20
"""Of what one test prints; a fuzzer's examples are long."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = [
        report
        for report in terminalreporter.getreports("passed")
        if ("slow" in report.keywords or "fuzz" in report.nodeid) and report.capstdout.strip()
    ]
    if figures:
        terminalreporter.write_sep("=", "figures")
    for report in figures:
        terminalreporter.write_line(report.nodeid, bold=True)
        lines = report.capstdout.strip().splitlines()
        for line in lines[:LINES]:
            terminalreporter.write_line(f"    {line}")
        if len(lines) > LINES:
            terminalreporter.write_line(f"    and {len(lines) - LINES} more lines")
