"""The tools return the same results with and without a handshake."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.mcp.faces import ADA, ERAS, ID, WORK, data_of, face, text_of, wire
from tests.mcp.rewrite_snapshots import committed
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from mcp import Client

    from mcp_enrichment.settings import Settings
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

COMPLETED = wire("completed", external_id="7", credits_charged=1, created_at=1_780_000_000.5)
CALLS: list[tuple[str, dict[str, Any], Any]] = [
    ("get_enrichment", {"id": ID}, COMPLETED),
    ("get_enrichment", {"id": ID}, wire("not-found", email=None)),
    ("get_enrichment", {"id": ID}, wire("failed", reason="sources-unavailable")),
    ("get_enrichment", {"id": ID}, wire("pending")),
    ("get_enrichment", {"id": ID}, wire("completed", created_at=1e300)),
    ("get_enrichment", {"id": ID}, wire("completed", linkedin_url="https://x.com/ada")),
    ("wait_for_enrichment", {"ids": [ID], "timeout_seconds": 50}, COMPLETED),
    ("get_credits", {}, {"balance": 12}),
    ("get_credits", {}, {"balance": 0}),
    ("get_enrichment", {"id": ID}, b"<html>"),
    ("request_email_enrichment", WORK | {"type": "both"}, None),
]


@pytest.mark.parametrize(("tool", "arguments", "body"), CALLS)
async def test_both_eras_answer_alike(
    tool: str, arguments: dict[str, Any], body: Any, vendor: ScriptedServer, remote: Settings
) -> None:
    told = []
    for era in ERAS:
        if body is not None:
            vendor.will(replies(200, body))
        async with face(remote, era) as client:
            assert client.protocol_version == ERAS[era]
            result = await client.call_tool(tool, arguments)
        own_meta = (result.meta or {}).get("error")
        told.append((result.is_error, _timeless(text_of(result)), own_meta))
        if not result.is_error:
            assert json.loads(text_of(result)) == result.structured_content
    assert told[0] == told[1]


def _timeless(text: str) -> str:
    return re.sub(r'"waited_seconds":[0-9.]+', '"waited_seconds":0', text)


@pytest.mark.parametrize(
    ("tool", "arguments", "body"), [call for call in CALLS if isinstance(call[2], dict)]
)
async def test_answers_keep_to_the_schema_that_the_tool_shows(
    tool: str, arguments: dict[str, Any], body: Any, vendor: ScriptedServer, remote: Settings
) -> None:
    vendor.will(replies(200, body))
    async with face(remote, "legacy") as client:
        answer = data_of(await client.call_tool(tool, arguments))
    schema = json.loads(committed(tool).read_text("utf-8"))["outputSchema"]
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(answer)


async def test_an_answer_names_the_person_the_time_and_the_price(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.will(replies(200, COMPLETED))
    assert data_of(await buyer.call_tool("get_enrichment", {"id": ID})) == {
        "id": ID,
        "status": "completed",
        "is_final": True,
        "email": "ada.okafor@example.com",
        "type": "work",
        "linkedin_url": ADA,
        "external_id": "7",
        "reused": False,
        "asked_at": "2026-05-28T20:26:40Z",
        "credits_charged": 1,
        "source": None,
        "verification": None,
        "checked_at": None,
        "evidence": None,
        "next_step": None,
    }


@pytest.mark.parametrize("status", ["not-found", "failed", "pending", "processing", "queued"])
async def test_where_there_is_no_address_the_next_step_forbids_to_make_one_up(
    status: str, vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.will(replies(200, wire(status, email={"email": "ada@example.com"})))
    answer = data_of(await buyer.call_tool("get_enrichment", {"id": ID}))
    assert answer["is_final"] is (status in ("not-found", "failed"))
    assert answer["email"] is None
    assert "Do not construct or guess an address" in answer["next_step"]


async def test_a_failed_lookup_says_that_it_may_be_asked_for_again(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.will(replies(200, wire("failed")))
    answer = data_of(await buyer.call_tool("get_enrichment", {"id": ID}))
    assert "says nothing about whether an address exists" in answer["next_step"]
