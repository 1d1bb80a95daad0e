"""Most crash tests play a writer in their own process at an exact moment of an exchange.

Under a lease it would wait for itself, so leases are off here, except where a test asks for them.
"""

from __future__ import annotations

import pytest

from tests.crash.harness.leases import OFF, lease


@pytest.fixture(autouse=True)
def _leases(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("leases") is None:
        lease(monkeypatch, OFF)
