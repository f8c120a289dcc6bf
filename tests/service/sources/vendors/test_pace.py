"""How much a vendor is asked: no more than it allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.vendors import pace
from mcp_enrichment.service.sources.vendors.bettercontact import BetterContact
from mcp_enrichment.service.sources.vendors.paid import FEW
from tests.service.sources.vendors.recorded import PROFILE, as_recorded, vendor_at_far_end
from tests.support.far_end import replies

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.support.far_end import Seen

pytestmark = pytest.mark.anyio

MISS = replies(200, {"person": None})


async def test_no_more_questions_are_under_way_than_the_vendor_allows() -> None:
    open_now, most, all_there = 0, 0, anyio.Event()

    async def counting(stream: SocketStream, seen: Seen) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        if open_now == FEW:
            all_there.set()
        await all_there.wait()
        open_now -= 1
        await MISS(stream, seen)

    async with vendor_at_far_end("apollo") as (asked, end):
        end.always(counting)
        async with anyio.create_task_group() as tasks:
            for _ in range(3 * FEW):
                tasks.start_soon(asked.find, PROFILE, EmailType.WORK)
    assert (len(end.seen), most) == (3 * FEW, FEW)


async def test_questions_begin_no_faster_than_the_vendor_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BetterContact, "per_second", 50.0)
    began: list[float] = []

    async def noting(stream: SocketStream, seen: Seen) -> None:
        began.append(anyio.current_time())
        await replies(201, {"id": "b1"})(stream, seen)

    async with vendor_at_far_end("bettercontact") as (asked, end):
        end.always(noting)
        started = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(asked.find, PROFILE, EmailType.WORK)
    assert began[-1] - started >= 9 / 50.0


async def test_a_question_whose_turn_is_far_off_is_not_asked_and_told_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "LONGEST_WAIT", 0.5)
    async with vendor_at_far_end("bettercontact") as (asked, end):
        end.will(replies(201, {"id": "b1"}))
        told = [as_recorded(await asked.find(PROFILE, EmailType.WORK)) for _ in range(2)]
    assert told[0] == {"working": "b1", "after": 15.0}
    assert 0.5 < told[1]["unavailable"] <= 1.0
    assert len(end.seen) == 1


async def test_a_place_that_does_not_become_free_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "LONGEST_WAIT", 0.05)
    answered = anyio.Event()

    async def late(stream: SocketStream, seen: Seen) -> None:
        await answered.wait()
        await MISS(stream, seen)

    async with vendor_at_far_end("apollo") as (asked, end):
        end.always(late)
        async with anyio.create_task_group() as tasks:
            for _ in range(FEW):
                tasks.start_soon(asked.find, PROFILE, EmailType.WORK)
            await anyio.wait_all_tasks_blocked()
            told = as_recorded(await asked.find(PROFILE, EmailType.WORK))
            answered.set()
        assert told == {"unavailable": 0.05}
        assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == {"miss": None}
