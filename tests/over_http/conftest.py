"""A test with the fixture `era` runs with and without a handshake."""

from __future__ import annotations

import pytest

from tests.mcp.faces import ERAS


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    """A mode of the SDK's client, with and without a handshake."""
    return request.param
