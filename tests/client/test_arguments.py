"""Arguments of a wrong type raise an error of the library that names them, and nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.errors import InvalidArguments, InvalidProfileURL, UnknownEnrichment
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import ADDRESS, PROFILE, found
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "phone"},
        {"type": None},
        {"callback_url": 7},
        {"external_id": 5},
        {"external_id": "x" * 257},
        {"external_id": "a\0b"},
    ],
    ids=lambda wrong: str(wrong)[:30],
)
async def test_an_argument_of_a_wrong_type_is_named_and_nothing_is_sent(
    client: EnrichmentClient, vendor: ScriptedServer, wrong: dict[str, Any]
) -> None:
    arguments: dict[str, Any] = {"linkedin_url": PROFILE, "type": "work"} | wrong
    with pytest.raises(InvalidArguments) as caught:
        await client.request(**arguments)
    [name] = wrong
    assert str(caught.value).startswith(name)
    assert vendor.seen == []


@pytest.mark.parametrize("profile", [None, 5, b"https://www.linkedin.com/in/ada"])
async def test_a_profile_that_is_no_text_is_an_invalid_profile(
    client: EnrichmentClient, profile: Any
) -> None:
    with pytest.raises(InvalidProfileURL):
        await client.request(profile, EmailType.WORK)


@pytest.mark.parametrize("enrichment_id", [None, 5, "", "a/b"])
async def test_an_id_that_is_none_is_unknown(client: EnrichmentClient, enrichment_id: Any) -> None:
    with pytest.raises(UnknownEnrichment):
        await client.get(enrichment_id)
    with pytest.raises(UnknownEnrichment):
        await client.wait([enrichment_id], 1)


async def test_a_lone_id_is_waited_for_as_a_list_of_one(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(replies(200, found("enrichment-1")))
    [result] = await client.wait("enrichment-1", 1)
    assert result.email == ADDRESS


async def test_the_text_of_an_error_says_what_happened_what_it_cost_and_what_to_do(
    client: EnrichmentClient,
) -> None:
    with pytest.raises(InvalidProfileURL) as caught:
        await client.request("https://www.linkedin.com/company/acme", EmailType.WORK)
    explanation = caught.value.explanation
    assert str(caught.value) == f"{explanation.facts} {explanation.for_person}"
