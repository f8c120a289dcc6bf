"""`Retry-After` is obeyed by each retry, and reported at once if it is too long."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.client import client as client_module
from mcp_enrichment.client import post_sender
from mcp_enrichment.contract.errors import OutcomeUnknown, RateLimited, ServiceUnavailable
from mcp_enrichment.contract.models import EmailType
from tests.client.polled import until_failed
from tests.support.contract_server import HTML, PROFILE, accepts, enrichment, found
from tests.support.passing_time import pass_time
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.client.conftest import NewClient
    from tests.support.scripted_server import Behaviour, ReceivedRequest

pytestmark = pytest.mark.anyio

STORAGE_BUSY = {"error": {"code": "storage_busy", "message": ""}}
PAUSE = 1.0
"""The seconds that a server demands in `Retry-After`."""
TICK = 0.05
"""Seconds by which clocks may differ."""


@pytest.fixture(autouse=True)
def _time_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", HANG)
    monkeypatch.setattr(client_module, "READ_SECONDS", HANG)


class Times:
    """Records the times of requests."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def noting(self, behaviour: Behaviour) -> Behaviour:
        async def behave(stream: SocketStream, seen: ReceivedRequest) -> None:
            self.at.append(time.monotonic())
            await behaviour(stream, seen)

        return behave


def _says(status: int, seconds: float = PAUSE, body: Any = HTML) -> Behaviour:
    return replies(status, body, {"retry-after": str(int(seconds))})


@pytest.mark.parametrize(
    "busy",
    [*map(_says, (408, 425, 429, 500, 502, 503, 504, 409)), _says(503, PAUSE, STORAGE_BUSY)],
)
async def test_a_post_is_not_retried_before_retry_after(
    new_client: NewClient, vendor: ScriptedServer, busy: Behaviour
) -> None:
    times = Times()
    vendor.will(times.noting(busy), times.noting(accepts(replayed=True)))
    async with new_client(supports_idempotency=True) as client:
        assert (await client.request(PROFILE, EmailType.WORK)).id == "e1"
    assert times.at[1] - times.at[0] >= PAUSE - TICK


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("read", ["get", "wait"])
async def test_a_read_is_not_retried_before_retry_after(
    client: EnrichmentClient, vendor: ScriptedServer, read: str, status: int
) -> None:
    times = Times()
    vendor.will(times.noting(_says(status)), times.noting(replies(200, found())))
    await (client.get("e1") if read == "get" else client.wait(["e1"], HANG))
    assert times.at[1] - times.at[0] >= PAUSE - TICK


async def test_a_date_is_obeyed_as_seconds_are(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    times, due = Times(), int(time.time()) + 3
    busy = replies(503, HTML, {"retry-after": formatdate(due, usegmt=True)})
    vendor.will(busy, times.noting(accepts()))
    await client.request(PROFILE, EmailType.WORK)
    assert time.time() >= due - TICK
    assert len(vendor.posts) == 2


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, ServiceUnavailable)])
async def test_a_refused_post_with_a_retry_after_past_its_time_fails_at_once_for_free(
    client: EnrichmentClient, vendor: ScriptedServer, status: int, kind: type[Exception]
) -> None:
    vendor.will(_says(status, 3600))
    with anyio.fail_after(2 * HANG), pytest.raises(kind) as caught:
        await client.request(PROFILE, EmailType.WORK)
    assert caught.value.retry_after == 3600  # type: ignore[attr-defined]
    assert caught.value.charged is False  # type: ignore[attr-defined]
    assert await client._store.spent_today() == 0


async def test_a_post_that_may_have_arrived_and_has_a_late_retry_after_may_have_cost_a_credit(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    vendor.will(_says(502, 3600))
    async with new_client(supports_idempotency=True) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.request(PROFILE, EmailType.WORK)
        assert (caught.value.retry_after, caught.value.charged) == (3600, None)
        assert await client._store.spent_today() == 1


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, ServiceUnavailable)])
@pytest.mark.parametrize("read", ["get", "wait"])
async def test_a_read_with_a_retry_after_past_its_time_fails_early(
    client: EnrichmentClient, vendor: ScriptedServer, read: str, status: int, kind: type[Exception]
) -> None:
    vendor.will(_says(status, 3600))
    with anyio.fail_after(600), pytest.raises(kind) as caught:
        await (client.get("e1") if read == "get" else client.wait(["e1"], 3000))
    assert caught.value.retry_after == 3600  # type: ignore[attr-defined]
    assert len(vendor.seen) == 1


async def test_a_wait_that_has_seen_the_request_is_not_cut_short(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(200, enrichment()), _says(503, 3600))
    answers: list[EnrichmentResult] = []

    async def wait() -> None:
        answers.extend(await client.wait(["e1"], 60))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await until_failed(client, "e1")
        pass_time(30)
        await anyio.sleep(0.1)  # an answer that comes too soon would show
        assert answers == []
        pass_time(30)
    [answer] = answers
    assert (answer.id, answer.is_final) == ("e1", False)
