"""Waits during an outage continue, end in time, and never report a wrong result."""

from __future__ import annotations

from functools import partial
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
from tests.client.polled import until_answered, until_failed
from tests.support.contract_server import ADDRESS, HTML, PROFILE, accepts, enrichment, found
from tests.support.passing_time import pass_time, until_given_up
from tests.support.running_service import until
from tests.support.scripted_server import ScriptedServer, breaks_off, hangs, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult

pytestmark = pytest.mark.anyio

WAIT = 30.0


async def _once_time_is_over(
    client: EnrichmentClient, before: Callable[[], Awaitable[None]], enrichment_id: str = "e1"
) -> list[EnrichmentResult] | EnrichmentError:
    """The outcome of a wait whose seconds pass once `before` has happened."""
    told: list[list[EnrichmentResult] | EnrichmentError] = []

    async def wait() -> None:
        try:
            told.append(await client.wait([enrichment_id], WAIT))
        except EnrichmentError as error:
            told.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await before()
        pass_time(WAIT)
    return told[0]


async def test_a_wait_that_runs_out_returns_the_last_state(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(200, enrichment()), replies(200, enrichment(status="processing")))
    vendor.always(resets())
    answers = await _once_time_is_over(client, partial(until_failed, client, "e1"))
    assert [answer.status for answer in answers] == [Status.PROCESSING]


async def test_a_wait_ends_in_time_though_the_server_hangs(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(200, enrichment()))
    vendor.always(hangs())
    with anyio.fail_after(HANG):  # seconds; the server never answers
        answers = await _once_time_is_over(client, partial(until_answered, client, "e1"))
        assert [answer.status for answer in answers] == [Status.PENDING]
        seen = len(vendor.seen)
        is_asked = partial(until, lambda: len(vendor.seen) > seen)
        assert isinstance(await _once_time_is_over(client, is_asked, "e2"), ServiceUnavailable)


@pytest.mark.parametrize(
    ("outage", "kind"),
    [
        (resets(), ServiceUnavailable),
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

    async def every_poll_has_failed() -> None:
        await until(lambda: bool(vendor.seen))
        await until(lambda: all(poll.failures for poll in client._poller._running.values()))

    with anyio.fail_after(HANG):
        told = await _once_time_is_over(client, every_poll_has_failed)
    assert isinstance(told, kind)


async def test_a_wait_without_any_answer_of_a_server_that_hangs_is_an_outage(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.client.poller.HOLD", 0)
    vendor.always(until_given_up(hangs(), http_api.RESPONSE_SECONDS))
    with anyio.fail_after(HANG):
        told = await _once_time_is_over(client, partial(until_failed, client, "e1"))
    assert isinstance(told, ServiceUnavailable)


async def test_an_outage_in_the_middle_of_a_wait_is_waited_out(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.client.poller.HOLD", 0)
    hung = until_given_up(hangs(), http_api.RESPONSE_SECONDS)
    down = [resets(), replies(503, HTML), hung, replies(502, HTML), breaks_off(), resets()]
    vendor.will(replies(200, enrichment()), *down, replies(200, found()))
    with anyio.fail_after(HANG):
        [answer] = await client.wait(["e1"], HANG)
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
async def test_a_permanent_error_ends_a_wait_at_once(
    client: EnrichmentClient, vendor: ScriptedServer, fault: object, kind: type[EnrichmentError]
) -> None:
    vendor.will(replies(200, enrichment()), fault)  # type: ignore[arg-type]
    with anyio.fail_after(HANG), pytest.raises(kind):
        await client.wait(["e1"], HANG)
    assert len(vendor.seen) == 2


async def test_a_request_keeps_its_id_though_the_service_goes_away_while_it_waits(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(accepts())
    vendor.always(resets())
    answer = await client.request(PROFILE, EmailType.WORK, wait=0.5)
    assert (answer.id, answer.status) == ("e1", Status.PENDING)
