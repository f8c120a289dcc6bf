"""With webhooks, each one causes one poll, and a lost webhook loses no result."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.client import poll_schedule
from mcp_enrichment.client.webhooks import MAX_NOTIFICATIONS
from mcp_enrichment.contract.errors import RateLimited
from mcp_enrichment.contract.models import EmailType, EnrichmentBody, Status
from tests.client.polled import until_answered
from tests.client.webhook_vendor import LESS_THAN_A_PAUSE, new_webhooks, token, waiting
from tests.support.contract_server import (
    ADDRESS,
    PROFILE,
    ContractServer,
    accepts,
    enrichment,
    found,
)
from tests.support.passing_time import pass_time
from tests.support.running_service import until
from tests.support.scripted_server import replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.webhooks import Webhooks
    from tests.client.conftest import NewClient
    from tests.support.scripted_server import ScriptedServer

    Pause = Callable[[float], None]

pytestmark = pytest.mark.anyio

OTHER = "https://www.linkedin.com/in/jonas"


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Pause:
    """Sets the seconds after which a lookup is polled although no webhook has arrived."""
    return lambda seconds: monkeypatch.setattr(poll_schedule, "WEBHOOK_POLL_INTERVAL", seconds)


def test_a_lookup_of_two_minutes_has_room_for_four_requests_and_no_more() -> None:
    safety_polls = 120 / poll_schedule.WEBHOOK_POLL_INTERVAL
    assert 1 + safety_polls + 1 <= 4, "the POST, the safety polls, and the poll after the webhook"


async def test_a_push_triggers_one_poll_and_a_wait_without_a_push_none(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    first = await pushed.request(PROFILE, EmailType.WORK, wait=0.5)
    [still] = await pushed.wait(["e1"], 1.0)
    assert (first.status, still.status) == (Status.PENDING, Status.PENDING)
    assert [seen.method for seen in vendor.seen] == ["POST"]
    async with waiting(pushed) as answers:
        lookups.end(found())
        assert await webhooks.notify(token(vendor))
    assert answers[0].email == ADDRESS
    assert [seen.method for seen in vendor.seen] == ["POST", "GET"]


async def test_an_answer_comes_soon_after_its_push(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await pushed.request(PROFILE, EmailType.WORK)
    async with waiting(pushed):
        lookups.end(found())
        ended = anyio.current_time()
        await webhooks.notify(token(vendor))
    assert anyio.current_time() - ended < poll_schedule.WEBHOOK_POLL_INTERVAL, (
        "the webhook triggers a poll before the next one is due"
    )


async def test_a_push_that_comes_while_nobody_waits_is_remembered(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await pushed.request(PROFILE, EmailType.WORK)
    lookups.end(found())
    await webhooks.notify(token(vendor))
    [answer] = await pushed.wait(["e1"], LESS_THAN_A_PAUSE)
    assert answer.email == ADDRESS
    assert len(vendor.seen) == 2


async def test_a_push_may_overtake_the_answer_to_the_post(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    async def tells_first(stream: object, seen: object) -> None:
        lookups.end(found())
        assert await webhooks.notify(token(vendor))
        await accepts()(stream, seen)

    vendor.will(tells_first)
    with anyio.fail_after(HANG):
        answer = await pushed.request(PROFILE, EmailType.WORK, wait=LESS_THAN_A_PAUSE)
    assert answer.email == ADDRESS
    assert [seen.method for seen in vendor.seen] == ["POST", "GET"]


async def test_a_push_to_another_process_wakes_who_waits_here(
    pushed: EnrichmentClient, tmp_path: Path, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await pushed.request(PROFILE, EmailType.WORK)
    async with waiting(pushed) as answers:
        lookups.end(found())
        with closing(new_webhooks(tmp_path)) as theirs:
            assert await theirs.notify(token(vendor))
    assert answers[0].email == ADDRESS


async def test_another_process_knows_that_a_push_is_expected(
    pushed: EnrichmentClient,
    new_client: NewClient,
    tmp_path: Path,
    vendor: ScriptedServer,
    lookups: ContractServer,
) -> None:
    await pushed.request(PROFILE, EmailType.WORK)
    theirs = new_webhooks(tmp_path)

    async def wait_until_time_is_over(other: EnrichmentClient) -> None:
        [answer] = await other.wait(["e1"], LESS_THAN_A_PAUSE)
        assert answer.status is Status.PENDING

    async with new_client(webhooks=theirs) as other:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_until_time_is_over, other)
            await until_answered(other, "e1")
            pass_time(LESS_THAN_A_PAUSE)
        assert len(vendor.seen) == 2, "it polled once for the state that it did not know"
        assert vendor.seen[1].headers["prefer"] == "wait=0", (
            "and did not request a hold: a webhook is expected"
        )
        async with waiting(other) as answers:
            lookups.end(found())
            await theirs.notify(token(vendor))
    assert answers[0].email == ADDRESS


async def test_a_push_that_is_lost_costs_time_once_and_no_answer(
    pushed: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer, pause: Pause
) -> None:
    pause(0.2)
    await pushed.request(PROFILE, EmailType.WORK)
    lookups.end(found())
    [answer] = await pushed.wait(["e1"], HANG)
    assert answer.email == ADDRESS
    pause(60)
    await pushed.request(OTHER, EmailType.WORK)
    lookups.end(found("e2"))
    [answer] = await pushed.wait(["e2"], LESS_THAN_A_PAUSE)
    assert answer.email == ADDRESS, "polled, since webhooks do not arrive"


async def test_an_outcome_that_is_noticed_late_is_not_learned_as_a_duration(
    pushed: EnrichmentClient, lookups: ContractServer, pause: Pause
) -> None:
    pause(0.2)
    await pushed.request(PROFILE, EmailType.WORK)
    async with waiting(pushed):
        await lookups.read.wait()
        lookups.end(found())
    assert await pushed._store.durations() == []


async def test_webhooks_are_expected_again_once_one_has_arrived(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await webhooks.record_poll(EnrichmentBody.model_validate(found("e0")), notified=False)
    await pushed.request(PROFILE, EmailType.WORK)
    async with waiting(pushed):
        await lookups.read.wait()
        await webhooks.notify(token(vendor))
        lookups.end(found())
    seen = len(vendor.seen)
    await pushed.request(OTHER, EmailType.WORK)
    await pushed.wait(["e2"], 1.0)
    assert len(vendor.seen) == seen + 1


async def test_missing_webhooks_are_logged_and_all_processes_poll(
    pushed: EnrichmentClient,
    webhooks: Webhooks,
    tmp_path: Path,
    lookups: ContractServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await pushed.request(PROFILE, EmailType.WORK)
    with closing(new_webhooks(tmp_path)) as theirs:
        assert await theirs.expected("e1")
        await webhooks.record_poll(EnrichmentBody.model_validate(found("e0")), notified=False)
        assert "ENRICHMENT_PUBLIC_URL" in caplog.text
        assert await theirs.expected("e1") is None


async def test_a_webhook_is_not_an_answer_and_only_ten_of_a_request_are_saved(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await pushed.request(PROFILE, EmailType.WORK)
    for _ in range(MAX_NOTIFICATIONS + 20):
        assert await webhooks.notify(token(vendor))
    assert len((await webhooks._file.notified_since(0))[1]) == MAX_NOTIFICATIONS
    async with waiting(pushed) as answers:
        await lookups.read.wait()
        assert answers == []
        lookups.end(found())
    assert answers[0].email == ADDRESS


async def test_a_webhook_does_not_shorten_retry_after(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer
) -> None:
    vendor.will(accepts())
    await pushed.request(PROFILE, EmailType.WORK)
    await webhooks.notify(token(vendor))
    vendor.will(replies(429, b"", {"retry-after": "60"}))

    async def tell_again() -> None:
        await until(lambda: len(vendor.seen) == 2)
        await webhooks.notify(token(vendor))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell_again)
        with pytest.raises(RateLimited):
            await pushed.wait(["e1"], LESS_THAN_A_PAUSE)
    assert len(vendor.seen) == 2


async def test_requests_are_polled_if_the_webhook_file_cannot_be_written(
    new_client: NewClient, tmp_path: Path, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    (tmp_path / "folder").write_text("no folder")
    webhooks = new_webhooks(tmp_path / "folder")
    async with new_client(webhooks=webhooks) as client:
        await client.request(PROFILE, EmailType.WORK)
        async with waiting(client) as answers:
            await lookups.read.wait()
            lookups.end(found())
    assert answers[0].email == ADDRESS


async def test_an_answer_that_is_final_at_once_expects_nothing(
    pushed: EnrichmentClient, webhooks: Webhooks, vendor: ScriptedServer
) -> None:
    vendor.will(replies(201, found()))
    answer = await pushed.request(PROFILE, EmailType.WORK, wait=HANG)
    assert answer.email == ADDRESS
    vendor.always(replies(200, enrichment("e1", "processing")))
    assert len(vendor.seen) == 1
