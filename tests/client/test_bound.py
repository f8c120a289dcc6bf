"""Several callers of one account: each knows a request by an id of its own, and by no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client.bound import BoundClient
from mcp_enrichment.client.seal import Seal
from mcp_enrichment.contract.errors import UnknownEnrichment
from tests.support.lookups import knows_all_but_gone

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient
    from tests.support.far_end import FarEnd

pytestmark = pytest.mark.anyio

ADA, JONAS = (Seal(secret=b"s" * 32, caller=caller) for caller in ("ada", "jonas"))
IDS = ("e1", "gone", "e2")


@pytest.fixture
def adas(client: EnrichmentClient) -> BoundClient:
    return BoundClient(client=client, seal=ADA, may_ask=True)


async def test_of_many_ids_the_one_that_is_gone_is_named_as_its_caller_knows_it(
    adas: BoundClient, vendor: FarEnd
) -> None:
    vendor.always(knows_all_but_gone)
    sealed = [ADA.close(one, is_own=True) for one in IDS]
    with pytest.raises(UnknownEnrichment) as raised:
        await adas.wait(sealed, 20)
    assert raised.value.enrichment_id == sealed[1]
    assert f"with the id {sealed[1]}." in str(raised.value)


async def test_of_many_ids_the_one_that_is_another_callers_is_named_and_none_is_asked_for(
    adas: BoundClient, vendor: FarEnd
) -> None:
    sealed = [ADA.close(IDS[0], is_own=True), JONAS.close(IDS[2], is_own=True)]
    with pytest.raises(UnknownEnrichment) as raised:
        await adas.wait(sealed, 20)
    assert raised.value.enrichment_id == sealed[1]
    assert not vendor.seen
