"""The callback URL for webhooks is the same each time, and impossible to guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.models import EmailType
from tests.client.webhook_vendor import token, waiting
from tests.support.contract_server import PROFILE, ContractServer, accepts, found
from tests.support.scripted_server import replies, resets

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.webhooks import Webhooks
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

OTHER = "https://www.linkedin.com/in/jonas"


async def test_a_webhook_with_a_wrong_token_triggers_nothing(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await pushed.request(PROFILE, EmailType.WORK)
    good = token(vendor)
    key, _, tag = good.partition(".")
    for wrong in ("", key, f"{key}.", f"{key}.{'0' * 32}", f"x{good}", f"{good}0", f"other.{tag}"):
        assert await webhooks.notify(wrong) is False
    assert await webhooks.notify("é" * 40) is False
    await pushed.wait(["e1"], 0.5)
    assert len(vendor.seen) == 1


async def test_a_callers_own_callback_url_is_kept_and_the_request_polled(
    pushed: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    own = "https://example.com/hook"
    await pushed.request(PROFILE, EmailType.WORK, callback_url=own)
    assert vendor.posts[0].json["callback_url"] == own
    async with waiting(pushed):
        await lookups.read.wait()
        lookups.end(found())


@pytest.mark.parametrize("code", ["invalid_callback_url", "whatever-they-call-it"])
async def test_a_vendor_that_refuses_our_callback_url_is_sent_none_from_then_on(
    pushed: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer, code: str
) -> None:
    vendor.will(replies(400, {"error": {"code": code, "message": "?"}}))
    await pushed.request(PROFILE, EmailType.WORK)
    await pushed.request(OTHER, EmailType.WORK)
    assert ["callback_url" in seen.json for seen in vendor.posts] == [True, False, False]
    async with waiting(pushed):
        await lookups.read.wait()
        lookups.end(found())


async def test_a_refusal_for_another_reason_keeps_our_callback_url(
    pushed: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    vendor.will(replies(400), replies(400))
    with pytest.raises(InvalidArguments):
        await pushed.request(PROFILE, EmailType.WORK)
    await pushed.request(PROFILE, EmailType.WORK)
    assert ["callback_url" in seen.json for seen in vendor.posts] == [True, False, True]


async def test_a_repeated_post_has_the_same_callback_url(
    pushed: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(accepts("e0", replayed=False), resets(), accepts("e1", replayed=True))
    await pushed.request(OTHER, EmailType.WORK)
    await pushed.request(PROFILE, EmailType.WORK)
    assert token(vendor, 1) == token(vendor, 2) != token(vendor, 0)
