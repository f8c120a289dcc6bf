"""The app over HTTP, where a handshake and the requests after it may reach different processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mcp_enrichment.mcp import apps
from mcp_enrichment.mcp.apps import APPS_EXTENSION
from tests.mcp.pipes import LEGACY, handshake
from tests.mcp.test_app_declared import APP
from tests.over_http.served import ACCEPT, balanced, served, talking
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
OPEN = {"HTTP_OPEN": "true"}


async def test_every_process_tells_a_client_of_the_app_that_has_declared_it_once(
    era: str, tmp_path: Path
) -> None:
    async with (
        balanced(tmp_path, **OPEN) as site,
        talking(site.url, era, extensions=[APP]) as client,
        talking(site.url, era) as other,
    ):
        for _ in range(4):
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools if "ui" in (tool.meta or {})} == apps.WITH_APP
            assert not any("ui" in (tool.meta or {}) for tool in (await other.list_tools()).tools)
        [page] = (await client.read_resource(apps.URI)).contents
        assert page.text == apps.page()


@pytest.mark.parametrize("extensions", [None, [], {APPS_EXTENSION: None}, {APPS_EXTENSION: []}])
async def test_a_handshake_without_the_app_gets_no_session(
    extensions: object, tmp_path: Path
) -> None:
    greeting = handshake() | {"capabilities": {"extensions": extensions}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": greeting}
    with served(tmp_path, **OPEN) as face:
        async with httpx.AsyncClient(timeout=HANG) as http:
            answer = await http.post(face.url, json=message, headers=ACCEPT)
            listed = await http.post(
                face.url,
                json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
                headers=ACCEPT | {"mcp-protocol-version": LEGACY, "mcp-session-id": "of-another"},
            )
    assert "mcp-session-id" not in answer.headers
    assert apps.URI not in listed.text
