"""Clients can read the resources for one enrichment and for the credits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from mcp import Client, MCPError

from mcp_enrichment.mcp.server import create_server
from tests.mcp.faces import ID, face, wire
from tests.support.scripted_server import ScriptedServer, replies, resets

if TYPE_CHECKING:
    from mcp.types import ReadResourceResult

    from mcp_enrichment.settings import Settings

pytestmark = pytest.mark.anyio

PERSONAL = "ada.okafor@example.com"
MISSING = {"auto": -32602, "legacy": -32002}
"""The code of the error for a missing resource, which depends on the protocol version."""


def json_of(read: ReadResourceResult) -> dict[str, object]:
    [content] = read.contents
    assert content.mime_type == "application/json"
    return json.loads(content.text)  # type: ignore[union-attr]


async def test_the_credits_are_listed_and_one_enrichment_is_a_template(assistant: Client) -> None:
    listed = (await assistant.list_resources()).resources
    templates = (await assistant.list_resource_templates()).resource_templates
    assert [one.uri for one in listed] == ["enrichment://credits"]
    assert [one.uri_template for one in templates] == ["enrichment://{id}"]


async def test_the_credits_are_read_as_the_tool_tells_them(assistant: Client) -> None:
    told = (await assistant.call_tool("get_credits", {})).structured_content
    assert json_of(await assistant.read_resource("enrichment://credits")) == told


async def test_an_enrichment_is_read_as_the_tool_tells_it(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.always(replies(200, wire("completed")))
    told = (await buyer.call_tool("get_enrichment", {"id": ID})).structured_content
    read = json_of(await buyer.read_resource(f"enrichment://{ID}"))
    assert (read, read["email"]) == (told, "ada.okafor@example.com")


@pytest.mark.parametrize("uri", ["enrichment://a/b", "enrichment://", "file:///etc/passwd", ID])
async def test_a_uri_that_names_no_enrichment_is_refused_without_a_request(
    vendor: ScriptedServer, remote: Settings, era: str, uri: str
) -> None:
    async with face(remote, era) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri)
    assert refused.value.code == MISSING[era]
    assert not vendor.seen


async def test_an_enrichment_that_the_service_does_not_know_is_no_resource(
    vendor: ScriptedServer, remote: Settings, era: str
) -> None:
    vendor.will(replies(404, {"error": {"code": "not_found", "message": "someone@example.com"}}))
    async with face(remote, era) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(f"enrichment://{ID}")
    assert refused.value.code == MISSING[era]
    assert "example.com" not in str(refused.value)


async def test_a_resource_that_fails_has_the_error_of_the_tool(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.will(replies(401, {"error": {"code": "x", "message": "the key a-key is wrong"}}))
    with pytest.raises(MCPError) as refused:
        await buyer.read_resource("enrichment://credits")
    assert refused.value.code == -32603
    assert "ENRICHMENT_API_KEY" in refused.value.message
    assert "a-key" not in str(refused.value)
    told = refused.value.data
    assert (told["code"], told["retryable"], told["charged"]) == ("unauthorized", False, False)
    assert "ENRICHMENT_API_KEY" in told["explanation"]["for_person"]


async def test_a_read_that_fails_in_passing_is_tried_again(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.will(resets(), replies(200, wire("not-found")))
    assert json_of(await buyer.read_resource(f"enrichment://{ID}"))["status"] == "not-found"


async def test_a_bug_while_reading_a_resource_is_reported_without_its_text(
    era: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise ValueError(PERSONAL)

    async with Client(create_server(broken), mode=era) as client:  # type: ignore[arg-type]
        with pytest.raises(MCPError) as refused:
            await client.read_resource("enrichment://credits")
    assert "failed unexpectedly" in refused.value.message
    assert PERSONAL not in str(refused.value) + caplog.text
    assert "ValueError" in caplog.text
