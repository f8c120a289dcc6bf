"""Waits are bounded, report progress, can be cancelled, and lose no lookup."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.mcp import runner
from tests.mcp.faces import ID, WORK, data_of, wire
from tests.support.scripted_server import Behaviour, ReceivedRequest, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from anyio.abc import SocketStream
    from mcp import Client

    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

WAIT_A_SECOND = {"ids": [ID], "timeout_seconds": 1}


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FIRST_PROGRESS", 0.2)
    monkeypatch.setattr(runner, "PROGRESS_EVERY", 0.2)


def test_progress_comes_at_least_every_five_seconds() -> None:
    assert runner.FIRST_PROGRESS < runner.PROGRESS_EVERY < 5


@pytest.mark.usefixtures("_often")
async def test_a_wait_reports_how_long_it_has_lasted_and_stops_with_its_answer(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.always(replies(200, wire("processing")))

    async def reports(tool: str, arguments: dict[str, Any]) -> None:
        told: list[float] = []

        async def on_progress(elapsed: float, _total: float | None, _message: str | None) -> None:
            told.append(elapsed)
            if len(told) == 3:
                vendor.always(replies(200, wire("completed")))

        answer = await buyer.call_tool(tool, arguments, progress_callback=on_progress)
        when_answered = list(told)
        assert "ada.okafor@example.com" in str(data_of(answer))
        assert len(when_answered) >= 3
        assert all(later > earlier for earlier, later in itertools.pairwise(told))
        await anyio.sleep(0.3)  # longer than the pause between two reports
        assert told == when_answered

    await reports("request_email_enrichment", WORK | {"wait_seconds": 50})
    vendor.always(replies(200, wire("processing")))
    await reports("wait_for_enrichment", {"ids": [ID], "timeout_seconds": 50})


@pytest.mark.usefixtures("waits_from_first_read")
async def test_a_wait_that_runs_out_says_to_wait_again_and_not_to_ask_again(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.always(replies(200, wire("processing")))
    waited = data_of(await buyer.call_tool("wait_for_enrichment", WAIT_A_SECOND))
    assert (waited["all_final"], waited["timeout_applied"]) == (False, True)
    assert waited["waited_seconds"] >= 0.9
    assert "is_final is false" in waited["next_step"]
    assert "wait_for_enrichment" in waited["next_step"]
    assert "Do not request" in waited["next_step"]
    [unfinished] = waited["enrichments"]
    assert (unfinished["is_final"], unfinished["next_step"]) == (False, None), "it is said once"


async def test_a_request_that_is_not_to_wait_asks_nothing_after_its_post(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.will(replies(201, wire("pending")))
    asked = data_of(await buyer.call_tool("request_email_enrichment", WORK | {"wait_seconds": 0}))
    assert asked["is_final"] is False
    assert [seen.method for seen in vendor.seen] == ["POST"]


async def test_a_lone_id_counts_as_a_list_of_one(vendor: ScriptedServer, buyer: Client) -> None:
    vendor.will(replies(200, wire("completed")))
    waited = data_of(await buyer.call_tool("wait_for_enrichment", {"ids": ID}))
    assert [one["email"] for one in waited["enrichments"]] == ["ada.okafor@example.com"]
    assert (waited["all_final"], waited["timeout_applied"]) == (True, False)
    assert waited["next_step"] is None


async def test_answers_come_in_the_order_in_which_their_ids_were_given(
    vendor: ScriptedServer, buyer: Client
) -> None:
    async def by_path(stream: SocketStream, seen: ReceivedRequest) -> None:
        its_id = seen.path.rpartition("/")[2]
        await replies(200, wire("not-found", _id=its_id))(stream, seen)

    vendor.always(by_path)
    ids = [f"{number:024x}" for number in range(30)] + [f"{0:024x}"]
    waited = data_of(await buyer.call_tool("wait_for_enrichment", {"ids": ids}))
    assert [one["id"] for one in waited["enrichments"]] == ids
    assert Counter(seen.path.rpartition("/")[2] for seen in vendor.seen) == Counter(set(ids))


@pytest.mark.parametrize(
    ("trouble", "said", "next_step"),
    [
        (
            replies(503, b"", {"retry-after": "3600"}),
            "its state is not known",
            "whose is_final is false",
        ),
        (replies(200, b"<html>"), "cannot be used", None),
    ],
)
async def test_a_wait_says_which_one_could_not_be_read_beside_the_answers_of_the_others(
    vendor: ScriptedServer, buyer: Client, trouble: Behaviour, said: str, next_step: str | None
) -> None:
    ids = [f"{number:024x}" for number in range(2)]

    async def by_path(stream: SocketStream, seen: ReceivedRequest) -> None:
        its_id = seen.path.rpartition("/")[2]
        down = its_id == ids[1]
        await (trouble if down else replies(200, wire("completed", _id=its_id)))(stream, seen)

    vendor.always(by_path)
    waiting = {"ids": ids, "timeout_seconds": 50}
    waited = data_of(await buyer.call_tool("wait_for_enrichment", waiting))
    known, unread = waited["enrichments"]
    assert (known["email"], known["next_step"]) == ("ada.okafor@example.com", None)
    assert (unread["is_final"], unread["email"]) == (False, None)
    assert said in unread["next_step"]
    assert waited["all_final"] is False
    assert (next_step or "") in (waited["next_step"] or "")
    assert bool(waited["next_step"]) == bool(next_step)


async def test_a_cancelled_wait_stops_asking_at_once_and_the_lookup_goes_on(
    vendor: ScriptedServer, buyer: Client
) -> None:
    asked_twice = anyio.Event()

    async def not_yet(stream: SocketStream, seen: ReceivedRequest) -> None:
        await replies(200, wire("processing"))(stream, seen)
        if len(vendor.seen) == 2:
            asked_twice.set()

    vendor.always(not_yet)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(buyer.call_tool, "wait_for_enrichment", {"ids": [ID]})
        with anyio.fail_after(HANG):
            await asked_twice.wait()
        tasks.cancel_scope.cancel()
    await buyer.list_tools()  # the cancellation, sent before, has arrived
    asked = len(vendor.seen)
    await anyio.sleep(1.2)  # twice the longest pause between two polls of a new lookup
    assert len(vendor.seen) == asked
    vendor.always(replies(200, wire("completed")))
    assert data_of(await buyer.call_tool("get_enrichment", {"id": ID}))["is_final"]
