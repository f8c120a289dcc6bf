"""A client of the scripted server, with a real state file and short pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from mcp_enrichment.client import retry, submitter
from mcp_enrichment.client.client import EnrichmentClient
from tests.client.webhook_vendor import new_webhooks
from tests.support.contract_server import ContractServer
from tests.support.list_service import ListService
from tests.support.patience import be_patient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp_enrichment.client.webhooks import Webhooks
    from tests.support.scripted_server import ScriptedServer


class NewClient(Protocol):
    """Builds a client of the scripted server; all clients share the one state file."""

    def __call__(self, **options: Any) -> AbstractAsyncContextManager[EnrichmentClient]: ...


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_BACKOFF", 0.01)
    monkeypatch.setattr(retry, "LONGEST_BACKOFF", 0.02)
    monkeypatch.setattr(submitter, "CHECK_INTERVAL", 0.01)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch.setattr)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "memory.db"


@pytest.fixture
def new_client(vendor: ScriptedServer, memory: Path) -> NewClient:
    def build(**options: Any) -> EnrichmentClient:
        return EnrichmentClient(vendor.url, **({"memory": memory, "api_key": "k-secret"} | options))

    return build


@pytest.fixture
async def client(new_client: NewClient) -> AsyncIterator[EnrichmentClient]:
    async with new_client() as client:
        yield client


@pytest.fixture
def lookups(vendor: ScriptedServer) -> ContractServer:
    """A vendor that does not hold answers, and so would be polled."""
    vendor.always(lookups := ContractServer())
    return lookups


@pytest.fixture
def webhooks(tmp_path: Path) -> Webhooks:
    return new_webhooks(tmp_path)


@pytest.fixture
async def pushed(new_client: NewClient, webhooks: Webhooks) -> AsyncIterator[EnrichmentClient]:
    """A client that gets outcomes by webhook."""
    async with new_client(webhooks=webhooks) as client:
        yield client


@pytest.fixture
def service(vendor: ScriptedServer) -> ListService:
    """A vendor of many profiles, whose names say whether they have an email."""
    vendor.always(service := ListService())
    return service
