"""Only clients that declare the app learn of it; for all others nothing changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp.client import advertise

from mcp_enrichment.mcp import apps
from mcp_enrichment.mcp.apps import APPS_EXTENSION
from tests.mcp.faces import ERAS, face
from tests.mcp.pipes import handshake, modern, request
from tests.mcp.sdk_answers import sdk_answers

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

APP = advertise(APPS_EXTENSION, {"mimeTypes": [apps.MIME_TYPE]})
OTHERS = [
    {},
    {"extensions": {}},
    {"extensions": {APPS_EXTENSION: {}}},
    {"extensions": {APPS_EXTENSION: {"mimeTypes": ["text/html"]}}},
    {"extensions": {APPS_EXTENSION: {"mimeTypes": apps.MIME_TYPE}}},
    {"extensions": {APPS_EXTENSION: {"mimeTypes": []}}},
    {"extensions": {"io.modelcontextprotocol/tasks": {"mimeTypes": [apps.MIME_TYPE]}}},
]
"""Capabilities of clients that do not show the app."""
INITIALIZED = '{"jsonrpc": "2.0", "method": "notifications/initialized"}'
LISTS = ("tools/list", "resources/list", "resources/templates/list", "prompts/list")


def answers(era: str, capabilities: dict[str, Any]) -> list[str]:
    """The lines that answer the first requests of a client with these capabilities."""
    if era == "legacy":
        greeting = handshake() | {"capabilities": capabilities}
        sent = [request(0, "initialize", greeting), INITIALIZED]
        sent += [request(number, method) for number, method in enumerate(LISTS, 1)]
    else:
        params = modern()
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities
        methods = ("server/discover", *LISTS)
        sent = [request(number, method, params) for number, method in enumerate(methods)]
    return anyio.run(sdk_answers, [line.encode() for line in sent])


@pytest.mark.parametrize("era", ERAS)
def test_for_clients_that_do_not_declare_the_app_every_byte_is_the_same(era: str) -> None:
    without = answers(era, {})
    assert "ui://" not in "".join(without)
    assert len(without[1].encode()) <= 11_000 + 300, "the envelope comes on top of the tools"
    for capabilities in OTHERS:
        assert answers(era, capabilities) == without


@pytest.mark.parametrize("era", ERAS)
def test_clients_that_declare_the_app_get_one_member_more_in_two_tools(era: str) -> None:
    capabilities = {"extensions": {APPS_EXTENSION: {"mimeTypes": ["x", apps.MIME_TYPE]}}}
    greeting, listed, *others = answers(era, capabilities)
    without = answers(era, {})
    assert [greeting, *others] == [without[0], *without[2:]]
    told = json.loads(listed)
    with_app = [tool for tool in told["result"]["tools"] if "ui" in tool.get("_meta", {})]
    ui = {tool["name"]: tool.pop("_meta")["ui"] for tool in with_app}
    assert told == json.loads(without[1])
    assert set(ui) == {"request_email_enrichments", "wait_for_enrichment"}
    for meta in ui.values():
        assert meta == {"resourceUri": apps.URI, "visibility": ["model", "app"]}


@pytest.mark.anyio
async def test_the_page_allows_no_network(embedded: Settings, era: str) -> None:
    async with face(embedded, era, extensions=[APP]) as client:
        [page] = (await client.read_resource(apps.URI)).contents
    assert page.mime_type == "text/html;profile=mcp-app"
    assert (page.meta or {})["ui"]["csp"] == {}
    assert page.text == apps.page()
