"""The independent Standard Webhooks verifier accepts our callbacks, and refuses altered ones."""

from __future__ import annotations

import base64
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from mcp_enrichment.contract import standard_webhooks
from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.callbacks.callback_job import redeliver
from tests.support.openapi import must_be
from tests.support.running_service import HIT, FixedSource, RunningService, running_service, until
from tests.support.scripted_server import ReceivedRequest, ScriptedServer, replies, scripted_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
BUSY = replies(503)


def verifies(secret: str, seen: ReceivedRequest, body: bytes | None = None) -> bool:
    """Whether the specification's own package accepts the delivery with this secret."""
    try:
        Webhook(secret).verify(seen.body if body is None else body, seen.headers)
    except WebhookVerificationError:
        return False
    return True


@asynccontextmanager
async def service_and_receiver(
    place: Place, *, tries: int = 1
) -> AsyncIterator[tuple[RunningService, ScriptedServer]]:
    """A service and a receiver that accepts the last of this many attempts."""
    async with (
        scripted_server() as receiver,
        running_service(
            place, FixedSource(HIT), allow_private=True, delivery_delays=(0, 0.01, 0.01)
        ) as it,
    ):
        receiver.will(*[BUSY] * (tries - 1), replies(200))
        yield it, receiver


async def secrets_of(it: RunningService, *, rotate: bool = False) -> list[str]:
    at = it.service.clock()
    if rotate:
        await it.service.database.write(lambda c: teams.rotate_secret(c, it.team_id, at=at))
    found = await it.service.database.write(lambda c: teams.signing_secrets(c, it.team_id, at=at))
    return list(found)


async def deliver(
    it: RunningService, receiver: ScriptedServer, *, count: int = 1
) -> list[ReceivedRequest]:
    """Request an email, and wait for this many attempts of its callback."""
    before = len(receiver.seen)
    await it.accepted(callback_url=receiver.url, external_id="ünïcode-42")
    await until(lambda: len(receiver.seen) >= before + count)
    return receiver.seen[before:]


async def test_a_delivery_is_verified_by_the_independent_package(place: Place) -> None:
    async with service_and_receiver(place) as (it, receiver):
        [secret] = await secrets_of(it)
        [seen] = await deliver(it, receiver)
    assert verifies(secret, seen)
    must_be("Enrichment", seen.json)
    assert "ünïcode-42".encode() in seen.body
    assert seen.json["external_id"] == "ünïcode-42"


@pytest.mark.parametrize(
    "alter",
    [
        lambda seen: (seen.body.replace(b"ada@", b"eve@"), seen.headers),
        lambda seen: (seen.body + b" ", seen.headers),
        lambda seen: (seen.body, seen.headers | {"webhook-id": "msg_other"}),
        lambda seen: (seen.body, seen.headers | {"webhook-timestamp": _later(seen)}),
    ],
)
async def test_a_delivery_that_was_altered_fails(place: Place, alter: object) -> None:
    async with service_and_receiver(place) as (it, receiver):
        [secret] = await secrets_of(it)
        [seen] = await deliver(it, receiver)
    body, headers = alter(seen)  # type: ignore[operator]
    assert verifies(secret, seen)
    assert not verifies(secret, ReceivedRequest(seen.method, seen.path, headers, body))


async def test_each_try_bears_the_same_id_and_body_and_a_time_of_its_own(place: Place) -> None:
    async with service_and_receiver(place, tries=3) as (it, receiver):
        [secret] = await secrets_of(it)
        await it.accepted(callback_url=receiver.url)
        await until(lambda: len(receiver.seen) == 3)
        started = it.rows("SELECT started_at FROM callback_attempts ORDER BY number")
    assert all(verifies(secret, seen) for seen in receiver.seen)
    assert len({seen.headers["webhook-id"] for seen in receiver.seen}) == 1
    assert len({seen.body for seen in receiver.seen}) == 1
    for seen, (at,) in zip(receiver.seen, started, strict=True):
        assert at - 1 <= int(seen.headers["webhook-timestamp"]) <= time.time()


async def test_a_repeated_delivery_is_the_same_message(place: Place) -> None:
    async with service_and_receiver(place) as (it, receiver):
        [first] = await deliver(it, receiver)
        await until(lambda: it.rows("SELECT * FROM jobs") == [])
        [(callback_id,)] = it.rows("SELECT id FROM callbacks")
        receiver.will(replies(200))
        at = it.service.clock()
        database = it.service.database
        await database.write(lambda c: redeliver(c, database.queue, it.team_id, callback_id, at=at))
        it.service.wake()
        await until(lambda: len(receiver.seen) == 2)
    again = receiver.seen[1]
    assert (again.body, again.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])


async def test_a_receiver_may_change_over_between_two_secrets_but_not_three(place: Place) -> None:
    async with service_and_receiver(place) as (it, receiver):
        [oldest] = await secrets_of(it)
        middle = (await secrets_of(it, rotate=True))[0]
        [seen] = await deliver(it, receiver)
        assert (verifies(oldest, seen), verifies(middle, seen)) == (True, True)
        newest = (await secrets_of(it, rotate=True))[0]
        receiver.will(replies(200))
        [seen] = await deliver(it, receiver)
        assert [verifies(one, seen) for one in (oldest, middle, newest)] == [False, True, True]
        assert len(seen.headers["webhook-signature"].split()) == 2


async def test_a_secret_is_no_other_teams_and_stands_in_no_log_and_no_error(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with service_and_receiver(place, tries=2) as (it, receiver):
        [secret] = await secrets_of(it)
        other = await it.service.database.write(lambda c: teams.add(c, "other", 1, at=1))
        [theirs] = await it.service.database.write(lambda c: teams.signing_secrets(c, other, at=1))
        first, second = await deliver(it, receiver, count=2)
        answers = [await it.post(callback_url="http://10.0.0.1"), await it.get("0" * 24)]
    assert not verifies(theirs, first)
    raw = secret.removeprefix("whsec_")
    said = caplog.text + "".join(answer.text for answer in answers) + str(second.headers)
    assert raw not in said + second.body.decode()


def test_secrets_have_the_size_that_the_specification_asks_for() -> None:
    made = {standard_webhooks.new_secret() for _ in range(50)}
    assert len(made) == 50
    for secret in made:
        assert secret.startswith("whsec_")
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64


def _later(seen: ReceivedRequest) -> str:
    return str(int(seen.headers["webhook-timestamp"]) + 1)
