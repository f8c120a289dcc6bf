"""Servers for clients with and without a handshake: embedded, and with a scripted vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.mcp import tasks as tasks_extension
from mcp_enrichment.settings import Settings
from tests.mcp.faces import ERAS, face
from tests.mcp.task_client import TaskClient
from tests.support.patience import (
    be_patient,
    count_waits_from_their_first_read,
    let_calls_take_long,
)
from tests.support.release_patience import let_jobs_be_released

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mcp import Client

    from tests.support.scripted_server import ScriptedServer


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    """A mode of the SDK's client, with and without a handshake."""
    return request.param


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch.setattr)
    let_calls_take_long(monkeypatch.setattr)
    let_jobs_be_released(monkeypatch.setattr)


@pytest.fixture
def waits_from_first_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin the seconds of a wait at its first read, so that one is enough on any machine."""
    count_waits_from_their_first_read(monkeypatch)


@pytest.fixture
def embedded(tmp_path: Path) -> Settings:
    """Only the folders are set."""
    return Settings(data_dir=tmp_path / "data", state_dir=tmp_path / "state")


@pytest.fixture
def remote(vendor: ScriptedServer, tmp_path: Path) -> Settings:
    """The settings for a vendor."""
    return Settings(api_url=vendor.url, api_key="a-key", state_dir=tmp_path / "state")


@pytest.fixture
async def assistant(embedded: Settings, era: str) -> AsyncIterator[Client]:
    """A client of the embedded service's tools."""
    async with face(embedded, era) as client:
        yield client


@pytest.fixture
async def buyer(remote: Settings, era: str) -> AsyncIterator[Client]:
    """A client of the tools over the vendor."""
    async with face(remote, era) as client:
        yield client


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch, waits_from_first_read: None) -> TaskClient:
    """A client of the tasks extension; the first wait before a task is brief."""
    monkeypatch.setattr(tasks_extension, "SHORT_WAIT", 0.3)
    return TaskClient()


@pytest.fixture
async def client(remote: Settings, tasks: TaskClient) -> AsyncIterator[Client]:
    """A client of the tools over the vendor that declares the tasks extension."""
    async with face(remote, "auto", extensions=[tasks]) as connected:
        yield connected
