"""After a 429 to one caller, no caller of the account sends a request until the pause is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.client import client as client_module
from mcp_enrichment.contract.errors import EnrichmentError, RateLimited
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import PROFILE, ContractServer, found
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient
    from tests.client.conftest import NewClient

pytestmark = pytest.mark.anyio

SLOW_DOWN = replies(429, b"", {"retry-after": "1"})


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "READ_SECONDS", 0)


async def test_after_a_429_no_call_of_the_account_is_sent(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(429, b"", {"retry-after": "900"}))
    began = time.monotonic()
    with pytest.raises(RateLimited):
        await client.get("e1")
    for call in (client.get("e2"), client.credits(), client.request(PROFILE, EmailType.WORK)):
        with pytest.raises(RateLimited) as caught:
            await call
        passed = time.monotonic() - began
        assert 900 - passed <= (caught.value.retry_after or 0) <= 900
    with pytest.raises(RateLimited):
        await client.wait(["e3"], HANG)
    assert len(vendor.seen) == 1


async def test_another_account_is_not_slowed_down(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(429, b"", {"retry-after": "900"}), replies(200, found("e2")))
    async with new_client() as one, new_client(api_key="k-other") as other:
        with pytest.raises(RateLimited):
            await one.get("e1")
        assert (await other.get("e2")).is_final


async def test_a_hundred_waits_are_slowed_down_by_one_answer_and_none_is_lost(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    ids = [f"e{number}" for number in range(100)]
    lookups = ContractServer()
    for enrichment_id in ids:
        lookups.end(found(enrichment_id))
    vendor.will(SLOW_DOWN)
    vendor.always(lookups)
    with anyio.fail_after(HANG):
        answers = await client.wait(ids, HANG)
    assert all(answer.is_final for answer in answers)
    refused_or_in_flight = 10
    assert len(vendor.seen) <= len(ids) + refused_or_in_flight


async def test_a_lasting_429_is_reported_with_the_seconds_to_wait(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(replies(429, b"", {"retry-after": "900"}))
    with pytest.raises(EnrichmentError) as caught:
        await client.wait(["e1", "e2"], HANG)
    assert caught.value.code == "rate_limited"
    assert caught.value.retry_after
