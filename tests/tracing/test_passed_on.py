"""Without any setup, a call's trace context goes with its requests, jobs and callback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.mcp.faces import ID, PATIENT, data_of, face, wire
from tests.support.running_service import HIT, FixedSource, running_service, until
from tests.support.scripted_server import ScriptedServer, replies

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_enrichment.settings import Settings

pytestmark = pytest.mark.anyio

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRIED = "SELECT count(*) FROM callback_attempts WHERE outcome = 'delivered'"
NO_TRACE = ["", "ada.okafor@example.com", "00-0-0-01", TRACE.upper(), "ff" + TRACE[2:]]


def brings(trace: str) -> dict[str, Any]:
    return {"traceparent": trace, "tracestate": "a=1", "baggage": "user=ada.okafor@example.com"}


@pytest.fixture
def remote(vendor: ScriptedServer, tmp_path: Path) -> Settings:
    from mcp_enrichment.settings import Settings

    return Settings(api_url=vendor.url, api_key="a-key", state_dir=tmp_path / "state")


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_every_request_to_the_service_has_the_trace_of_the_call_and_no_more(
    vendor: ScriptedServer, remote: Settings, era: str
) -> None:
    vendor.will(replies(201, wire("pending")), replies(200, wire("completed")))
    vendor.will(replies(200, {"balance": 7}))
    async with face(remote, era) as client:
        found = await client.call_tool("request_email_enrichment", PATIENT, meta=brings(TRACE))
        assert data_of(found)["is_final"]
        await client.call_tool("get_credits", {}, meta=brings(TRACE))
    assert [seen.headers["traceparent"] for seen in vendor.seen] == [TRACE] * 3
    assert not any({"tracestate", "baggage"} & seen.headers.keys() for seen in vendor.seen)


@pytest.mark.parametrize("trace", NO_TRACE)
async def test_an_invalid_trace_context_is_not_passed_on(
    vendor: ScriptedServer, remote: Settings, trace: str
) -> None:
    vendor.will(replies(200, wire("completed")))
    async with face(remote, "auto") as client:
        await client.call_tool("get_enrichment", {"id": ID}, meta=brings(trace))
    assert "traceparent" not in vendor.seen[0].headers


async def test_without_a_trace_context_none_is_sent(
    vendor: ScriptedServer, remote: Settings
) -> None:
    vendor.will(replies(200, wire("completed")))
    async with face(remote, "auto") as client:
        await client.call_tool("get_enrichment", {"id": ID})
    assert "traceparent" not in vendor.seen[0].headers


async def test_a_callback_bears_the_trace_of_its_request_even_after_a_restart(
    tmp_path: Path, receiver: ScriptedServer
) -> None:
    path = tmp_path / "data" / "enrichment.db"
    receiver.will(replies(204))
    async with running_service(path, FixedSource(HIT), jobs=False, allow_private=True) as it:
        await it.post(callback_url=receiver.url, headers={"traceparent": TRACE})
    async with running_service(path, FixedSource(HIT), allow_private=True) as it:
        await until(lambda: it.rows(TRIED) == [(1,)])
    assert receiver.seen[0].headers["traceparent"] == TRACE


@pytest.mark.parametrize("trace", [None, *NO_TRACE])
async def test_a_callback_of_a_request_without_a_trace_bears_none(
    tmp_path: Path, receiver: ScriptedServer, trace: str | None
) -> None:
    receiver.will(replies(204))
    headers = {} if trace is None else {"traceparent": trace}
    async with running_service(
        tmp_path / "enrichment.db", FixedSource(HIT), allow_private=True
    ) as it:
        await it.post(callback_url=receiver.url, headers=headers)
        await until(lambda: it.rows(TRIED) == [(1,)])
    assert "traceparent" not in receiver.seen[0].headers
