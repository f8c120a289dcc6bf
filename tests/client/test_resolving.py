"""An unknown outcome becomes known as soon as its id is known, wherever the id comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.errors import OutcomeUnknown
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import ADDRESS, PROFILE, enrichment, found, missed
from tests.support.scripted_server import ScriptedServer, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient

pytestmark = pytest.mark.anyio

GRACE = {"linkedin_url": "https://www.linkedin.com/in/grace"}
MISSED = missed() | {"enrichment_type": "work_email"}


async def _ask(client: EnrichmentClient, **options: Any) -> Any:
    return await client.request(PROFILE, EmailType.WORK, **options)


async def _left_unknown(client: EnrichmentClient, vendor: ScriptedServer, **options: Any) -> None:
    vendor.will(resets())
    with pytest.raises(OutcomeUnknown) as raised:
        await _ask(client, **options)
    assert "call get_enrichment with it" in raised.value.to_assistant()


@pytest.mark.parametrize("end", [found(), MISSED], ids=lambda end: end["status"])
@pytest.mark.parametrize("read", ["get", "wait"])
async def test_the_id_of_a_callback_settles_an_unknown_outcome(
    client: EnrichmentClient, vendor: ScriptedServer, *, end: dict[str, Any], read: str
) -> None:
    await _left_unknown(client, vendor)
    vendor.always(replies(200, end))
    await (client.get("e1") if read == "get" else client.wait(["e1"], HANG))
    answer = await _ask(client)
    assert (answer.id, answer.reused, answer.status) == ("e1", True, end["status"])
    assert len(vendor.posts) == 1


async def test_a_request_that_still_runs_is_recognised_by_its_external_id(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    await _left_unknown(client, vendor, external_id="lead-42")
    vendor.will(replies(200, enrichment(external_id="lead-42")), replies(200, found()))
    await client.get("e1")
    assert (await _ask(client)).email == ADDRESS
    assert len(vendor.posts) == 1


@pytest.mark.parametrize(
    "other",
    [
        enrichment(),
        enrichment(external_id="lead-43"),
        found() | {"external_id": "lead-43"},
        found() | GRACE,
        found() | {"enrichment_type": "personal_email", "email": {"email": "a@b.example"}},
    ],
    ids=["no type yet", "another reference", "another's end", "another person", "another type"],
)
async def test_a_result_that_may_be_another_requests_settles_nothing(
    client: EnrichmentClient, vendor: ScriptedServer, other: dict[str, Any]
) -> None:
    await _left_unknown(client, vendor, external_id="lead-42")
    vendor.always(replies(200, other))
    await client.get("e1")
    with pytest.raises(OutcomeUnknown):
        await _ask(client)
    assert len(vendor.posts) == 1


async def test_an_outcome_that_is_settled_as_a_miss_gives_the_credit_back(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    await _left_unknown(client, vendor)
    vendor.will(replies(200, MISSED), replies(200, {"balance": 5}))
    await client.get("e1")
    assert (await client.credits()).spent_today == 0
