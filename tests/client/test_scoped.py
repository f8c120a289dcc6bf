"""If several callers share one account, each has its own id of a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client.scoped import IdSigner, ScopedClient
from mcp_enrichment.contract.errors import UnknownEnrichment
from mcp_enrichment.mcp.lists import read_lists
from tests.support.contract_server import knows_all_but_gone

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

ADA, JONAS = (IdSigner(secret=b"s" * 32, caller=caller) for caller in ("ada", "jonas"))
IDS = ("e1", "gone", "e2")


@pytest.fixture
def adas(client: EnrichmentClient) -> ScopedClient:
    return ScopedClient(client=client, signer=ADA, may_submit=True)


async def test_an_unknown_id_among_many_is_reported_as_the_caller_gave_it(
    adas: ScopedClient, vendor: ScriptedServer
) -> None:
    vendor.always(knows_all_but_gone)
    signed_id = [ADA.sign(one, is_own=True) for one in IDS]
    with pytest.raises(UnknownEnrichment) as raised:
        await adas.wait(signed_id, 20)
    assert raised.value.enrichment_id == signed_id[1]
    assert f"with the id {signed_id[1]}." in str(raised.value)


async def test_another_callers_id_among_many_is_reported_and_none_is_polled(
    adas: ScopedClient, vendor: ScriptedServer
) -> None:
    signed_id = [ADA.sign(IDS[0], is_own=True), JONAS.sign(IDS[2], is_own=True)]
    with pytest.raises(UnknownEnrichment) as raised:
        await adas.wait(signed_id, 20)
    assert raised.value.enrichment_id == signed_id[1]
    assert not vendor.seen


async def test_the_list_of_another_caller_shows_no_row(
    adas: ScopedClient, vendor: ScriptedServer
) -> None:
    saved = [{"id": JONAS.sign("e1", is_own=True), "open": True}, {"cells": ["a profile"]}]
    list_id = await adas.save_list(json.dumps(saved))
    found = await read_lists(adas, [list_id], only_open=True)
    with pytest.raises(UnknownEnrichment):
        await adas.wait(found.ids, 20)
    assert len(found.rows) == 1
    assert not vendor.seen
