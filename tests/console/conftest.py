"""A console over a real service, visited over HTTP in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.visitor import Visitor, visited_console
from tests.service.conftest import (  # noqa: F401 (fixtures)
    _patience,
    file,
    migrated,
    path,
    place,
    server,
    template,
    url,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.databases import Place


@pytest.fixture
async def visitor(place: Place) -> AsyncIterator[Visitor]:  # noqa: F811 (the fixture)
    """An operator who is signed in. No worker runs."""
    async with visited_console(place) as one:
        yield one
