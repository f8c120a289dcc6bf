"""A collector, and processes that send their spans to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.scripted_server import ScriptedServer, scripted_server
from tests.tracing.collector import Collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedServer]:
    """The receiver of callbacks."""
    async with scripted_server() as end:
        yield end


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """A collector; processes that start from now on send their spans to it."""
    collects = Collector()
    async with scripted_server() as end:
        end.always(collects)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", end.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield collects
