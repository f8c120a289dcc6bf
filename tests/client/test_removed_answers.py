"""An answer that the service has deleted is reported so, not as a miss, and can be requested
anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.models import EmailType, Reason, Status
from mcp_enrichment.mcp import next_steps
from tests.support.contract_server import PROFILE, ContractServer, found, missed
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from typing import Any

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def lookups(vendor: ScriptedServer) -> ContractServer:
    lookups = ContractServer()
    vendor.always(lookups)
    return lookups


async def ask(client: EnrichmentClient) -> EnrichmentResult:
    with anyio.fail_after(HANG):
        return await client.request(PROFILE, EmailType.WORK)


def removed(reason: Reason) -> dict[str, Any]:
    return missed() | {"linkedin_url": "", "reason": reason, "credits_charged": 1}


async def request_until_final(
    client: EnrichmentClient, lookups: ContractServer, end: dict[str, Any]
) -> None:
    await ask(client)
    lookups.end(end)
    await client.wait(["e1"], HANG)


@pytest.mark.parametrize("reason", [Reason.EXPIRED, Reason.ERASED])
@pytest.mark.parametrize("before", [found(), missed()], ids=["a hit", "a miss"])
async def test_a_deleted_answer_is_requested_anew(
    client: EnrichmentClient, lookups: ContractServer, reason: Reason, before: dict[str, Any]
) -> None:
    await request_until_final(client, lookups, before)
    lookups.end(removed(reason))
    again = await ask(client)
    assert (again.id, again.reused) == ("e2", False)
    assert lookups.accepted == 2


async def test_a_deleted_answer_read_by_its_id_has_a_reason_and_requests_nothing(
    client: EnrichmentClient, lookups: ContractServer
) -> None:
    await request_until_final(client, lookups, found())
    lookups.end(removed(Reason.EXPIRED))
    answer = await client.get("e1")
    assert (answer.status, answer.reason, answer.email) == (
        Status.NOT_FOUND,
        Reason.EXPIRED,
        None,
    )
    assert lookups.accepted == 1
    step = next_steps.next_step(answer)
    said = step.to_assistant() if step else ""
    assert "can be requested again, which may cost a credit" in said
    assert next_steps.NO_GUESS in said


async def test_a_suppressed_answer_is_not_paid_for_again(
    client: EnrichmentClient, lookups: ContractServer
) -> None:
    await request_until_final(client, lookups, found())
    lookups.end(removed(Reason.SUPPRESSED))
    again = await ask(client)
    assert (again.id, again.reused, again.status) == ("e1", True, Status.NOT_FOUND)
    assert lookups.accepted == 1


async def test_a_charged_answer_counts_as_spent_after_it_is_suppressed(
    client: EnrichmentClient, lookups: ContractServer
) -> None:
    await request_until_final(client, lookups, removed(Reason.SUPPRESSED))
    assert (await client._store.spent_today()) == 1
