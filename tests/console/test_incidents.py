"""Five incidents: each is seen in the console, and mended there by the forms of its pages."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.console.console import Facts
from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
from mcp_enrichment.service.sources.factory import closing_sources, create_vendor
from tests.console.visitor import form_of, text_of, visited_console
from tests.service.sources.vendors.recorded import ToFarEnd
from tests.service.test_webhook_signing import verifies
from tests.support.keyed_client import create_key, keyed_client
from tests.support.running_service import (
    ADA,
    HIT,
    Clock,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    until,
)
from tests.support.scripted_server import replies, scripted_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.console.visitor import Visitor
    from tests.support.databases import Place
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio
FOUND = replies(200, {"contact": {"email": "ada@okafor.example"}})
AT_ONCE = (0.0, 0.0, 0.0)
ATTEMPTS = "SELECT count(*) FROM callback_attempts WHERE finished_at IS NOT NULL"
PAUSED = "SELECT count(*) FROM circuit_breakers WHERE open_until IS NOT NULL"
RESCHEDULED = "SELECT count(*) FROM jobs WHERE lease_owner IS NULL AND run_at > ?"


async def test_a_vendor_is_down(place: Place) -> None:
    async with _with_findymail(place) as (visitor, vendor):
        vendor.always(replies(503))
        ids = await _asked(visitor, 3)
        await _until_rescheduled(visitor, 3)
        asked_before = len(vendor.seen)
        text = await visitor.read("/sources")
        assert "findymail paused until 20" in text
        assert ": unavailable, " in text
        vendor.always(FOUND)
        done = await _press(visitor, "/sources", "source", "/sources/resume")
        assert "The pause of findymail has ended" in done
        for request_id in ids:
            final = await visitor.it.final(request_id)
            assert final["status"] == "completed"
        assert len(vendor.seen) == asked_before + 3
        assert "findymail ready" in await visitor.read("/sources")
    ledger_is_exact(place)


async def test_a_receiver_of_callbacks_fails(place: Place) -> None:
    options = {"jobs": True, "allow_private": True, "delivery_delays": AT_ONCE}
    async with (
        scripted_server() as receiver,
        visited_console(place, FixedSource(HIT), **options) as visitor,
    ):
        receiver.always(replies(500))
        await visitor.it.accepted(callback_url=receiver.url)
        await until(lambda: visitor.it.rows(ATTEMPTS) == [(3,)])
        failed = "/callbacks?failed=1"
        assert (await visitor.read(failed)).count("127.0.0.1") == 3
        assert (await visitor.read(failed)).count("http-error (500)") == 3
        receiver.always(replies(204))
        done = await _press(visitor, failed, "ids", "/callbacks/retry")
        assert "1 of 1 callback will be delivered" in done
        await until(lambda: visitor.it.rows(ATTEMPTS) == [(4,)])
        assert "1 of round 2 delivered (204)" in await visitor.read("/callbacks")
        service, team_id = visitor.it.service, visitor.it.team_id
        [secret] = await service.database.write(
            lambda c: teams.signing_secrets(c, team_id, at=service.clock())
        )
        assert verifies(secret, receiver.seen[-1])


async def test_the_credits_are_gone(place: Place) -> None:
    async with visited_console(place, FixedSource(HIT), jobs=True, credits=0) as visitor:
        key = await create_key(visitor.it, "acme", credits=1)
        async with keyed_client(visitor.it, key) as acme:
            asked = {"linkedin_url": ADA, "type": "work"}
            accepted = await acme.post(ENRICHMENTS, json=asked, headers={"prefer": "wait=60"})
            assert accepted.json()["status"] == "completed"
            again = {"linkedin_url": f"{ADA}-2", "type": "work"}
            assert (await acme.post(ENRICHMENTS, json=again)).status_code == 402
            assert "Credits left 0" in await visitor.read()
            text = await visitor.read("/credits?team=acme")
            assert "acme 0 0 -" in text
            assert "settle 1 0 lookup" in text
            done = await _press(
                visitor, "/credits?team=acme", "amount", "/credits/change", amount="5"
            )
            assert "acme now has 5 credits available." in done
            assert (await acme.post(ENRICHMENTS, json=again)).status_code == 201


async def test_the_queue_grows_at_a_source_that_is_paused(place: Place) -> None:
    async with _with_findymail(place) as (visitor, vendor):
        vendor.always(replies(429, headers={"retry-after": "90"}))
        ids = await _asked(visitor, 1)
        await _until_rescheduled(visitor, 1)
        ids += await _asked(visitor, 3, first=1)
        await _until_rescheduled(visitor, 4)
        overview = await visitor.get()
        text = text_of(overview)
        assert "Lookups waiting 4" in text
        assert "4 for a source that cannot be asked yet, the first of them for another " in text
        assert "findymail is paused until 20" in text
        assert 'href="/console/sources">findymail' in overview.text
        assert len(vendor.seen) == 1, "a paused vendor is not asked"
        vendor.always(FOUND)
        await _press(visitor, "/sources", "source", "/sources/resume")
        for request_id in ids:
            await visitor.it.final(request_id)
        text = await visitor.read()
        assert "Lookups waiting 0" in text
        assert "Lookups in the queue" not in text
        assert "is paused" not in text
    ledger_is_exact(place)


async def test_the_queue_grows_at_a_source_that_is_at_capacity(place: Place) -> None:
    slow = SlowSource(HIT)
    limiter = SourceLimiter({slow.name: SourceLimit(at_once=1)})
    async with visited_console(place, slow, jobs=True, source_limiter=limiter) as visitor:
        ids = await _asked(visitor, 3)
        waiting = "SELECT count(*) FROM jobs WHERE waits_for = 'slow'"
        await until(lambda: visitor.it.rows(waiting) == [(2,)])
        text = await visitor.read()
        assert "2 for a free place at slow" in text
        assert "1 with a worker" in text
        assert "Oldest is overdue by -" not in text
        slow.may_answer.set()
        for request_id in ids:
            await visitor.it.final(request_id)
        assert "Lookups in the queue" not in await visitor.read()


async def test_a_key_has_leaked(place: Place) -> None:
    slow = SlowSource(HIT)
    async with visited_console(place, slow, jobs=True, allow_private=True) as visitor:
        leaked = await create_key(visitor.it, "acme")
        async with keyed_client(visitor.it, leaked) as thief, anyio.create_task_group() as tasks:
            asked = {"linkedin_url": f"{ADA}-unknown", "type": "work"}
            request_id = (await thief.post(ENRICHMENTS, json=asked)).json()["_id"]
            path, held = f"{ENRICHMENTS}/{request_id}", []

            async def hold() -> None:
                held.append(await thief.get(path, headers={"prefer": "wait=60"}))

            tasks.start_soon(hold)
            waiting = visitor.it.service.completion_waiter._waiting
            await until(lambda: request_id in waiting)
            assert "ada-okafor-example-unknown" in await visitor.read("/lookups?team=acme")
            key_id = api_keys.key_id_of(leaked)
            assert f"{key_id} acme" in await visitor.read("/teams")
            done = await _press(visitor, "/teams", "key", "/keys/revoke", key=key_id)
            assert f"Revoked the key {key_id}." in done
            for answer in (await thief.get(path), await thief.post(ENRICHMENTS, json=asked)):
                assert answer.status_code == 401
            slow.may_answer.set()
        # The documents say so: a wait that began before goes on to its end.
        assert held[0].status_code == 200
        made = await visitor.confirm("/keys/create", team="acme")
        fresh = _key_on(made.text)
        async with keyed_client(visitor.it, fresh) as acme:
            assert (await acme.get(path)).status_code == 200


def _key_on(html: str) -> str:
    """The key that the page shows once."""
    return "mcpe_" + html.partition("mcpe_")[2].partition("<")[0]


@asynccontextmanager
async def _with_findymail(place: Place) -> AsyncIterator[tuple[Visitor, ScriptedServer]]:
    """A console over a service that asks one vendor over HTTP. Its clock stands still: no pause
    ends by itself."""
    async with scripted_server() as end:
        vendor = create_vendor("findymail", "key", transport=ToFarEnd(end.port))
        options = {"jobs": True, "clock": Clock(time.time()), "facts": Facts(sources=["findymail"])}
        async with (
            closing_sources([vendor]),
            visited_console(place, vendor, **options) as visitor,
        ):
            yield visitor, end


async def _asked(visitor: Visitor, count: int, *, first: int = 0) -> list[str]:
    numbers = range(first, first + count)
    return [await visitor.it.accepted(linkedin_url=f"{ADA}-{number}") for number in numbers]


async def _until_rescheduled(visitor: Visitor, count: int) -> None:
    """Wait until the vendor is paused, and so many lookups are to be run later."""
    await until(lambda: visitor.it.rows(PAUSED) == [(1,)])
    later = visitor.it.service.clock() + 1
    await until(lambda: visitor.it.rows(RESCHEDULED, later) == [(count,)])


async def _press(visitor: Visitor, page: str, field: str, path: str, **typed: str) -> str:
    """Send the form of the page that has this field, and confirm; the text of the page after it."""
    form = form_of(await visitor.get(page), field) | typed
    asked = await visitor.send(path, form)
    return text_of(await visitor.send(path, form_of(asked, "once")))
