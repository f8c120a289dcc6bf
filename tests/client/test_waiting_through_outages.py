"""Waiting while the server is away: waited out, told in time, never taken for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.client import http_api
from mcp_enrichment.contract.errors import (
    BadAnswer,
    EnrichmentError,
    RateLimited,
    ServiceUnavailable,
    Unauthorized,
    UnknownEnrichment,
)
from mcp_enrichment.contract.models import EmailType, Status
from tests.support.contract_server import ADDRESS, HTML, PROFILE, accepts, enrichment, found
from tests.support.scripted_server import ScriptedServer, breaks_off, hangs, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient

pytestmark = pytest.mark.anyio


async def test_a_wait_that_runs_out_tells_the_state_that_was_seen_last(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(200, enrichment()), replies(200, enrichment(status="processing")))
    vendor.always(resets())
    [answer] = await client.wait(["e1"], 0.8)
    assert answer.status is Status.PROCESSING


async def test_a_wait_ends_in_time_though_the_server_hangs(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(200, enrichment()))
    vendor.always(hangs())
    with anyio.fail_after(HANG):  # seconds; the server never answers
        [answer] = await client.wait(["e1"], 0.5)
        assert answer.status is Status.PENDING
        with pytest.raises(ServiceUnavailable):
            await client.wait(["e2"], 0.5)


@pytest.mark.parametrize(
    ("outage", "kind"),
    [
        (resets(), ServiceUnavailable),
        (hangs(), ServiceUnavailable),
        (replies(503, HTML), ServiceUnavailable),
        (replies(500, HTML), ServiceUnavailable),
        (replies(429, HTML), RateLimited),
        (replies(429, HTML, {"retry-after": "60"}), RateLimited),
    ],
)
async def test_a_wait_without_any_answer_is_an_outage_and_not_an_answer(
    client: EnrichmentClient, vendor: ScriptedServer, outage: object, kind: type[EnrichmentError]
) -> None:
    vendor.always(outage)  # type: ignore[arg-type]
    with anyio.fail_after(HANG), pytest.raises(kind):
        await client.wait(["e1"], 1.0)


async def test_an_outage_in_the_middle_of_a_wait_is_waited_out(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_api, "RESPONSE_SECONDS", 0.1)
    monkeypatch.setattr("mcp_enrichment.client.poller.HOLD", 0)
    down = [resets(), replies(503, HTML), hangs(), replies(502, HTML), breaks_off(), resets()]
    vendor.will(replies(200, enrichment()), *down, replies(200, found()))
    with anyio.fail_after(HANG):
        [answer] = await client.wait(["e1"], 5)
    assert answer.email == ADDRESS
    assert len(vendor.seen) == 8


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (replies(401, HTML), Unauthorized),
        (replies(404, HTML), UnknownEnrichment),
        (replies(200, HTML), BadAnswer),
        (replies(200, enrichment(status="completed", email="*")), BadAnswer),
    ],
)
async def test_what_cannot_pass_ends_a_wait_at_once(
    client: EnrichmentClient, vendor: ScriptedServer, fault: object, kind: type[EnrichmentError]
) -> None:
    vendor.will(replies(200, enrichment()), fault)  # type: ignore[arg-type]
    with anyio.fail_after(HANG), pytest.raises(kind):
        await client.wait(["e1"], 20)
    assert len(vendor.seen) == 2


async def test_a_request_keeps_its_id_though_the_service_goes_away_while_it_waits(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(accepts())
    vendor.always(resets())
    answer = await client.request(PROFILE, EmailType.WORK, wait=0.5)
    assert (answer.id, answer.status) == ("e1", Status.PENDING)
